//! HTTP/1.1 on a socket one can hold in the hand.
//!
//! A server framework answers well or not at all. A neighbour must also be able to answer half, to stall after the head, to say
//! when exactly its last octet left, and a load generator must cost less than what it measures. So: a request and a response,
//! read with `httparse`, bodies by `Content-Length` or in chunks, connections kept alive, nothing else.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than any body a hub is asked to carry: a page of CDRs and the eleven megabytes that must be refused.
const LARGEST_BODY: usize = 64 * 1024 * 1024;
/// Sixteen times the largest head seen between two parties.
const LARGEST_HEAD: usize = 64 * 1024;
/// A request through the hub has about fifteen headers.
const MOST_HEADERS: usize = 64;

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The other side closed the connection in the middle of a message.
    #[error("the connection was closed in the middle of a message")]
    CutOff,
    /// What came is not HTTP/1.1.
    #[error("not HTTP: {0}")]
    NotHttp(String),
    /// Head or body are larger than anything expected here.
    #[error("the message is too large")]
    TooLarge,
}

/// A request as it arrived.
pub struct Request {
    /// `GET`, `POST` …
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Names in lower case, values as sent; a value that is not UTF-8 is replaced character by character.
    pub headers: Vec<(String, String)>,
    /// The octets of the body.
    pub body: Vec<u8>,
}

/// An answer as it arrived.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The octets of the body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

impl Response {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// One end of a kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Takes over a connected socket. Small messages leave at once (`TCP_NODELAY`).
    #[must_use]
    pub fn new(stream: TcpStream) -> Connection {
        // Only latency is at stake when the option cannot be set.
        let _ = stream.set_nodelay(true);
        Connection {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        }
    }

    /// The next request, or `None` when the peer closed the connection between two of them.
    ///
    /// # Errors
    /// See [`WireError`].
    pub async fn read_request(&mut self) -> Result<Option<Request>, WireError> {
        let (head_length, method, target, headers) = loop {
            let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut parsed = httparse::Request::new(&mut room);
            match parsed
                .parse(&self.buffer)
                .map_err(|error| WireError::NotHttp(error.to_string()))?
            {
                httparse::Status::Complete(length) => {
                    break (
                        length,
                        parsed.method.unwrap_or_default().to_owned(),
                        parsed.path.unwrap_or_default().to_owned(),
                        owned(parsed.headers),
                    );
                }
                httparse::Status::Partial => {
                    if self.buffer.len() > LARGEST_HEAD {
                        return Err(WireError::TooLarge);
                    }
                    let nothing_yet = self.buffer.is_empty();
                    if !self.read_more().await? {
                        return if nothing_yet { Ok(None) } else { Err(WireError::CutOff) };
                    }
                }
            }
        };
        self.buffer.drain(..head_length);
        if find(&headers, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = self.read_body(&headers, Absent::MeansNone).await?;
        Ok(Some(Request {
            method,
            target,
            headers,
            body,
        }))
    }

    /// The answer to the request just written.
    ///
    /// # Errors
    /// See [`WireError`].
    pub async fn read_response(&mut self) -> Result<Response, WireError> {
        let (head_length, status, headers) = loop {
            let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut parsed = httparse::Response::new(&mut room);
            match parsed
                .parse(&self.buffer)
                .map_err(|error| WireError::NotHttp(error.to_string()))?
            {
                httparse::Status::Complete(length) => {
                    break (length, parsed.code.unwrap_or_default(), owned(parsed.headers));
                }
                httparse::Status::Partial => {
                    if self.buffer.len() > LARGEST_HEAD {
                        return Err(WireError::TooLarge);
                    }
                    if !self.read_more().await? {
                        return Err(WireError::CutOff);
                    }
                }
            }
        };
        self.buffer.drain(..head_length);
        let absent = if status == 204 || status == 304 {
            Absent::MeansNone
        } else {
            Absent::MeansUntilClosed
        };
        let body = self.read_body(&headers, absent).await?;
        Ok(Response { status, headers, body })
    }

    /// Writes and flushes.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets).await
    }

    async fn read_body(&mut self, headers: &[(String, String)], absent: Absent) -> Result<Vec<u8>, WireError> {
        if find(headers, "transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
            return self.read_chunks().await;
        }
        let Some(length) = find(headers, "content-length") else {
            return match absent {
                Absent::MeansNone => Ok(Vec::new()),
                Absent::MeansUntilClosed => {
                    while self.read_more().await? {
                        self.check_size(self.buffer.len())?;
                    }
                    Ok(std::mem::take(&mut self.buffer))
                }
            };
        };
        let length: usize = length
            .trim()
            .parse()
            .map_err(|_| WireError::NotHttp("a Content-Length that is no number".to_owned()))?;
        self.check_size(length)?;
        self.take(length).await
    }

    async fn read_chunks(&mut self) -> Result<Vec<u8>, WireError> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line().await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16)
                .map_err(|_| WireError::NotHttp("a chunk without a size".to_owned()))?;
            self.check_size(body.len().saturating_add(length))?;
            if length == 0 {
                // Trailer fields, if any, up to the empty line.
                while !self.take_line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend_from_slice(&self.take(length).await?);
            self.take_line().await?;
        }
    }

    async fn take_line(&mut self) -> Result<String, WireError> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(self.buffer.get(..end).unwrap_or_default()).into_owned();
                self.buffer.drain(..end + 2);
                return Ok(line);
            }
            if self.buffer.len() > LARGEST_HEAD {
                return Err(WireError::TooLarge);
            }
            if !self.read_more().await? {
                return Err(WireError::CutOff);
            }
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        while self.buffer.len() < length {
            if !self.read_more().await? {
                return Err(WireError::CutOff);
            }
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn check_size(&self, length: usize) -> Result<(), WireError> {
        if length > LARGEST_BODY {
            Err(WireError::TooLarge)
        } else {
            Ok(())
        }
    }

    /// False at the end of the stream.
    async fn read_more(&mut self) -> io::Result<bool> {
        self.buffer.reserve(16 * 1024);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}

/// What a missing length says: in a request that there is no body, in an answer that it ends with the connection.
enum Absent {
    MeansNone,
    MeansUntilClosed,
}

/// The octets of an answer; `Content-Length` is added.
#[must_use]
pub fn response(status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(256 + body.len());
    octets.extend_from_slice(format!("HTTP/1.1 {status} {}\r\n", reason(status)).as_bytes());
    write_headers(&mut octets, headers, body.len());
    octets.extend_from_slice(body);
    octets
}

/// The octets of a request to `host`; `Host` and `Content-Length` are added.
#[must_use]
pub fn request(method: &str, target: &str, host: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(512 + body.len());
    octets.extend_from_slice(format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n").as_bytes());
    write_headers(&mut octets, headers, body.len());
    octets.extend_from_slice(body);
    octets
}

fn write_headers(octets: &mut Vec<u8>, headers: &[(String, String)], body_length: usize) {
    for (name, value) in headers {
        octets.extend_from_slice(name.as_bytes());
        octets.extend_from_slice(b": ");
        octets.extend_from_slice(value.as_bytes());
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(format!("content-length: {body_length}\r\n\r\n").as_bytes());
}

fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|header| {
            (
                header.name.to_ascii_lowercase(),
                String::from_utf8_lossy(header.value).into_owned(),
            )
        })
        .collect()
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "-",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::net::TcpListener;

    async fn pair() -> (Connection, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let calling = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (answering, _) = listener.accept().await.unwrap();
        (Connection::new(calling), Connection::new(answering))
    }

    #[tokio::test]
    async fn two_requests_on_one_connection_arrive_as_two() {
        let (mut here, mut there) = pair().await;
        let mut both = request("POST", "/a?b=c", "x", &[("X-One".to_owned(), "1".to_owned())], b"first");
        both.extend_from_slice(&request("GET", "/z", "x", &[], b""));
        here.write(&both).await.unwrap();
        let first = there.read_request().await.unwrap().unwrap();
        assert_eq!(
            (first.method.as_str(), first.target.as_str(), first.body.as_slice()),
            ("POST", "/a?b=c", &b"first"[..])
        );
        assert_eq!(first.header("x-one"), Some("1"));
        assert_eq!(there.read_request().await.unwrap().unwrap().target, "/z");
        drop(here);
        assert!(there.read_request().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_chunked_answer_is_put_together() {
        let (mut here, mut there) = pair().await;
        there
            .write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n")
            .await
            .unwrap();
        let answer = here.read_response().await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"abcde"[..]));
    }

    #[tokio::test]
    async fn half_an_answer_is_not_taken_for_a_whole_one() {
        let (mut here, mut there) = pair().await;
        there
            .write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .await
            .unwrap();
        drop(there);
        assert!(matches!(here.read_response().await, Err(WireError::CutOff)));
    }
}
