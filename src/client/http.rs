//! The one HTTP client of the house: deadlines, size limits, our name on every call, no redirects, no proxy.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, redirect};
use rustls::AlertDescription;
use thiserror::Error as ThisError;

use super::guard::{Forbidden, Guard, GuardedResolver, Names};
use super::identity::{Identity, Shown, Unusable};
use super::outcome::{Answer, Outcome};
use crate::config::Network;

/// An idle connection is given up after this. Widespread servers close theirs after five seconds without a word; a request
/// written at that moment is lost, and nobody can say whether it was read (F-20).
const IDLE: Duration = Duration::from_secs(4);

/// Answers are read up to 50 MB (D-19).
pub const DEFAULT_MAX_BODY: usize = 50 * 1024 * 1024;

/// How calls are made.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// To have a connection, name and TLS included.
    pub connect: Duration,
    /// Without TLS too.
    pub allow_http: bool,
    /// Non-public addresses too.
    pub allow_private_networks: bool,
    /// The largest answer that is read, in bytes; see [`DEFAULT_MAX_BODY`].
    pub max_body: usize,
    /// The `User-Agent`.
    pub user_agent: String,
}

/// What a client needs beyond its settings, where it needs more.
#[derive(Debug, Clone, Default)]
pub struct Furnishing {
    /// Networks that may be called although they are not public.
    pub allowed_networks: Vec<Network>,
    /// Who says which addresses a name has.
    pub names: Names,
    /// What is shown to servers that want to know who calls; see [`Http::showing`].
    pub identities: Vec<Identity>,
}

/// The client could not be built.
#[derive(Debug, ThisError)]
pub enum HttpError {
    /// TLS or the user agent.
    #[error("the HTTP client cannot be built")]
    Client(#[from] reqwest::Error),
    /// The files of an identity.
    #[error("outbound.identities.{name}")]
    Identity {
        /// Which.
        name: String,
        /// What is wrong with them.
        source: Unusable,
    },
}

/// One request.
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// What goes with it; `Authorization` is never shown anywhere.
    pub headers: Vec<(String, String)>,
    /// The body, sent as it is.
    pub body: Option<Bytes>,
    /// Until the answer has been read; longer than [`HttpSettings::connect`], so that it is clear which of the two ran out.
    pub timeout: Duration,
    /// The only hosts, as `host:port`, that may see this; `None` where nothing secret is sent (D-25, N-05).
    pub allowed_hosts: Option<Vec<String>>,
}

// By hand: headers and body hold tokens and driver data, and so may a query.
impl fmt::Debug for Outgoing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before_query, _) = self.url.split_once('?').unwrap_or((&self.url, ""));
        write!(out, "Outgoing({} {before_query})", self.method)
    }
}

/// Makes calls. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    guard: Arc<Guard>,
    max_body: usize,
    identities: Arc<HashMap<String, Shown>>,
}

impl Http {
    /// A client with these settings.
    ///
    /// # Errors
    /// [`HttpError`] when TLS cannot be set up, or the user agent is not printable.
    pub fn new(settings: HttpSettings) -> Result<Self, HttpError> {
        Http::furnished(settings, Furnishing::default())
    }

    /// A client with these settings and more.
    ///
    /// # Errors
    /// As [`Http::new`], and where the files of an identity are not what they should be.
    pub fn furnished(settings: HttpSettings, furnishing: Furnishing) -> Result<Self, HttpError> {
        let guard = Arc::new(Guard {
            allow_http: settings.allow_http,
            allow_private_networks: settings.allow_private_networks,
            allowed_networks: furnishing.allowed_networks,
        });
        let max_body = settings.max_body;
        let (begin, names) = (guard.clone(), furnishing.names);
        let builder = Arc::new(move || {
            Client::builder()
                .connect_timeout(settings.connect)
                .dns_resolver(GuardedResolver {
                    guard: begin.clone(),
                    names: names.clone(),
                })
                .https_only(!settings.allow_http)
                .no_proxy()
                .pool_idle_timeout(IDLE)
                .redirect(redirect::Policy::none())
                .referer(false)
                .user_agent(settings.user_agent.clone())
        });
        let mut identities = HashMap::new();
        for identity in furnishing.identities {
            let name = identity.name.clone();
            let shown = Shown::begin(identity, builder.clone()).map_err(|source| HttpError::Identity {
                name: name.clone(),
                source,
            })?;
            identities.insert(name, shown);
        }
        Ok(Self {
            client: builder().build()?,
            guard,
            max_body,
            identities: Arc::new(identities),
        })
    }

    /// The same client, showing an identity of ours to servers that ask for a certificate; `None` when it has none of that name.
    pub async fn showing(&self, identity: &str) -> Option<Http> {
        let client = self.identities.get(identity)?.client().await;
        Some(Http { client, ..self.clone() })
    }

    /// Whether there is an identity of that name.
    #[must_use]
    pub fn knows(&self, identity: &str) -> bool {
        self.identities.contains_key(identity)
    }

    /// Carries one request and tells what happened.
    ///
    /// Nothing is sent twice, except a request that was still waiting on a kept connection when that was closed: it did not
    /// leave, and goes out once on a new one (F-20).
    pub async fn send(&self, outgoing: Outgoing) -> Outcome {
        self.send_for(outgoing, self.max_body).await
    }

    /// The same for an answer of at most `max_body` bytes, where less is expected than [`HttpSettings::max_body`].
    pub async fn send_for(&self, outgoing: Outgoing, max_body: usize) -> Outcome {
        let request = match self.request(outgoing) {
            Ok(request) => request,
            Err(forbidden) => return Outcome::NotAllowed(forbidden.to_string()),
        };
        match request.send().await {
            Ok(response) => read(response, max_body.min(self.max_body)).await,
            Err(error) => failure(&error),
        }
    }

    /// Whether a URL would be called at all, by the same rules as [`Http::send`].
    ///
    /// # Errors
    /// [`Forbidden`] with the rule it breaks. A name that leads to a forbidden address is only noticed by the call.
    pub fn check(&self, url: &str, allowed_hosts: &[String]) -> Result<(), Forbidden> {
        self.guard.check(url, Some(allowed_hosts)).map(drop)
    }

    /// The same without regard to whose host it is.
    ///
    /// # Errors
    /// As [`Http::check`].
    pub fn check_alone(&self, url: &str) -> Result<(), Forbidden> {
        self.guard.check(url, None).map(drop)
    }

    fn request(&self, outgoing: Outgoing) -> Result<reqwest::RequestBuilder, Forbidden> {
        let url = self.guard.check(&outgoing.url, outgoing.allowed_hosts.as_deref())?;
        let headers = header_map(&outgoing.headers)?;
        let request = self
            .client
            .request(outgoing.method, url)
            .headers(headers)
            .timeout(outgoing.timeout);
        Ok(match outgoing.body {
            Some(body) => request.body(body),
            None => request,
        })
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, Forbidden> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let unsendable = || Forbidden(format!("header {name:?} cannot be sent"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| unsendable())?;
        value.set_sensitive(name == reqwest::header::AUTHORIZATION);
        map.append(name, value);
    }
    Ok(map)
}

/// Reads an answer, and stops where it becomes larger than it may be.
async fn read(mut response: Response, max_body: usize) -> Outcome {
    let too_large = || Outcome::Nonsense(format!("the answer is larger than {max_body} bytes"));
    let announced = response.content_length().unwrap_or(0);
    if announced > max_body as u64 {
        return too_large();
    }
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    // What is announced is not reserved: an announcement costs the other side nothing.
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > max_body => {
                return too_large();
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => {
                return Outcome::Answered(Answer {
                    status,
                    headers,
                    body: body.freeze(),
                });
            }
            Err(error) if error.is_timeout() => return Outcome::TimedOut,
            Err(_) => return Outcome::Nonsense("the answer broke off".to_owned()),
        }
    }
}

/// Tells apart the ways in which no answer came.
fn failure(error: &reqwest::Error) -> Outcome {
    if let Some(forbidden) = cause::<Forbidden>(error) {
        return Outcome::NotAllowed(forbidden.to_string());
    }
    // With TLS 1.3 the other side says so when we believe to be connected; nobody reads a request on such a connection.
    if let Some(alert) = refused_by_tls(error) {
        let wants = "does it want to see a certificate (option client_certificate), or another one?";
        return Outcome::Unreachable(format!("TLS was refused with the alert {alert:?}: {wants}"));
    }
    // Before `is_timeout`: time that ran out while connecting is of both kinds, and the request has not left (D-15).
    if error.is_connect() {
        return Outcome::Unreachable(innermost(error));
    }
    if error.is_timeout() {
        return Outcome::TimedOut;
    }
    if error.is_builder() {
        return Outcome::NotAllowed(innermost(error));
    }
    match cause::<hyper::Error>(error) {
        Some(error) if error.is_parse() => Outcome::Nonsense("the answer is no HTTP".to_owned()),
        // The connection closed, or was reset, before an answer began.
        _ => Outcome::TimedOut,
    }
}

/// The alert by which the other side refused who we are.
fn refused_by_tls(error: &(dyn Error + 'static)) -> Option<AlertDescription> {
    let alert = causes(error).find_map(|cause| {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner.or_else(|| cause.downcast_ref())? {
            rustls::Error::AlertReceived(alert) => Some(*alert),
            _ => None,
        }
    })?;
    let is_about_us = matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure
    );
    is_about_us.then_some(alert)
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| <dyn Error + 'static>::source(*error))
}

fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|error| error.downcast_ref::<E>())
}

/// The last words of a chain of errors. The first ones repeat the URL, and there may be a token in its query.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Instant;

    use super::*;

    fn settings() -> HttpSettings {
        HttpSettings {
            connect: Duration::from_millis(500),
            allow_http: true,
            allow_private_networks: true,
            max_body: 1000,
            user_agent: "truewatt/test".to_owned(),
        }
    }

    fn http() -> Http {
        Http::new(settings()).unwrap()
    }

    fn get(url: String) -> Outgoing {
        Outgoing {
            method: Method::GET,
            url,
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_millis(1500),
            allowed_hosts: None,
        }
    }

    /// A neighbour with manners of one's own: `behave` is given each connection and its number.
    struct Neighbour {
        address: SocketAddr,
        requests: Arc<AtomicUsize>,
    }

    impl Neighbour {
        fn new(behave: impl Fn(TcpStream, usize, &AtomicUsize) + Send + Sync + 'static) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let requests = Arc::new(AtomicUsize::new(0));
            let (behave, seen) = (Arc::new(behave), requests.clone());
            thread::spawn(move || {
                for (number, stream) in listener.incoming().enumerate() {
                    let (behave, seen) = (behave.clone(), seen.clone());
                    thread::spawn(move || behave(stream.unwrap(), number, &seen));
                }
            });
            Self { address, requests }
        }

        /// Answers every request with the same bytes and then closes.
        fn saying(answer: &'static [u8]) -> Self {
            Self::new(move |mut stream, _, seen| {
                if read_request(&mut stream).is_some() {
                    seen.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(answer);
                }
            })
        }

        fn url(&self, path: &str) -> String {
            format!("http://{}{path}", self.address)
        }

        fn requests(&self) -> usize {
            self.requests.load(Ordering::SeqCst)
        }
    }

    /// Reads up to the end of the body; `None` when the other side closed first.
    fn read_request(stream: &mut TcpStream) -> Option<String> {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            request.push(byte[0]);
        }
        let text = String::from_utf8(request).unwrap();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(text + &String::from_utf8(body).unwrap())
    }

    const FINE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Limit: 5\r\n\r\n{}";

    #[tokio::test]
    async fn a_request_arrives_as_it_was_given_and_its_answer_comes_back() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let neighbour = Neighbour::new(move |mut stream, _, _| {
            sender.send(read_request(&mut stream).unwrap()).unwrap();
            stream.write_all(FINE).unwrap();
        });
        let outgoing = Outgoing {
            method: Method::POST,
            headers: vec![
                ("Authorization".into(), "Token abc".into()),
                ("OCPI-to-party-id".into(), "ABC".into()),
                ("Content-Type".into(), "application/json".into()),
            ],
            body: Some(Bytes::from_static(b"{\"a\":1.0}")),
            allowed_hosts: Some(vec![neighbour.address.to_string()]),
            ..get(neighbour.url("/cdrs?x=%2F#fragment"))
        };
        let Outcome::Answered(answer) = http().send(outgoing).await else {
            panic!("no answer")
        };
        assert_eq!(
            (answer.status, answer.header("x-limit"), &answer.body[..]),
            (200, Some("5"), &b"{}"[..])
        );
        let request = receiver.recv().unwrap();
        assert!(request.starts_with("POST /cdrs?x=%2F HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"a\":1.0}"), "{request}");
        for header in [
            "authorization: Token abc",
            "ocpi-to-party-id: ABC",
            "user-agent: truewatt/test",
        ] {
            assert!(request.contains(header), "{request}");
        }
    }

    // D-07, D-25
    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let elsewhere = Neighbour::saying(FINE);
        let location = format!(
            "HTTP/1.1 307 X\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            elsewhere.url("/")
        );
        let neighbour = Neighbour::saying(location.leak().as_bytes());
        let Outcome::Answered(answer) = http().send(get(neighbour.url("/"))).await else {
            panic!("no answer")
        };
        assert_eq!((answer.status, elsewhere.requests()), (307, 0));
    }

    // R-42, D-15
    #[tokio::test]
    async fn a_request_that_never_left_is_unreachable() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let plain = Neighbour::new(|mut stream, _, _| drop(stream.write_all(b"no TLS here\r\n\r\n")));
        for url in [
            format!("http://{closed}/?token=secret"),
            "http://nobody.invalid/?token=secret".to_owned(),
            format!("https://{}/?token=secret", plain.address),
        ] {
            let outcome = http().send(get(url.clone())).await;
            assert!(
                matches!(&outcome, Outcome::Unreachable(reason) if !reason.is_empty()),
                "{url}: {outcome:?}"
            );
            assert!(!format!("{outcome} {outcome:?}").contains("secret"), "{outcome}");
        }
    }

    // D-15
    #[tokio::test]
    async fn time_that_runs_out_while_connecting_is_unreachable_and_not_a_lost_answer() {
        // A neighbour that accepts the connection and never speaks TLS.
        let silent = Neighbour::new(|mut stream, _, _| drop(stream.read_to_end(&mut Vec::new())));
        let began = Instant::now();
        let outcome = http().send(get(format!("https://{}/", silent.address))).await;
        assert!(matches!(outcome, Outcome::Unreachable(_)), "{outcome:?}");
        assert!(began.elapsed() < Duration::from_millis(1400), "{:?}", began.elapsed());
    }

    //
    #[tokio::test]
    async fn a_request_that_left_and_was_not_answered_has_timed_out() {
        let silent = Neighbour::new(|mut stream, _, _| drop(stream.read_to_end(&mut Vec::new())));
        assert_eq!(http().send(get(silent.url("/"))).await, Outcome::TimedOut);
        let dawdling = Neighbour::new(|mut stream, _, _| {
            read_request(&mut stream);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
                .unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        assert_eq!(http().send(get(dawdling.url("/"))).await, Outcome::TimedOut);
    }

    // S-15, D-19
    #[tokio::test]
    async fn what_is_no_answer_is_nonsense() {
        let endless = Neighbour::new(|mut stream, _, _| {
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while stream
                .write_all(b"100\r\n")
                .and_then(|()| stream.write_all(&[b' '; 256]))
                .and_then(|()| stream.write_all(b"\r\n"))
                .is_ok()
            {}
        });
        for neighbour in [
            Neighbour::saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
            Neighbour::saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n"),
            Neighbour::saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
            endless,
        ] {
            let outcome = http().send(get(neighbour.url("/"))).await;
            assert!(matches!(outcome, Outcome::Nonsense(_)), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_of_exactly_the_limit_is_read() {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}", "x".repeat(1000));
        let neighbour = Neighbour::saying(answer.leak().as_bytes());
        let Outcome::Answered(answer) = http().send(get(neighbour.url("/"))).await else {
            panic!("no answer")
        };
        assert_eq!(answer.body.len(), 1000);
    }

    // F-20
    #[tokio::test]
    async fn a_kept_connection_that_was_closed_in_between_is_replaced_without_a_word() {
        // Answers one request per connection, promises to keep it, and closes.
        let neighbour = Neighbour::saying(FINE);
        let http = http();
        for count in 1..=5 {
            let outcome = http.send(get(neighbour.url("/"))).await;
            assert!(matches!(outcome, Outcome::Answered(_)), "{count}: {outcome:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(neighbour.requests(), 5);
    }

    // F-20, R-41
    #[tokio::test]
    async fn a_request_that_may_have_been_read_is_never_sent_again() {
        let neighbour = Neighbour::new(|mut stream, _, seen| {
            // The first request on a connection is answered, the second read and dropped.
            for answer in [FINE, b""] {
                if read_request(&mut stream).is_some() {
                    seen.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(answer);
                }
            }
        });
        let http = http();
        assert!(matches!(http.send(get(neighbour.url("/"))).await, Outcome::Answered(_)));
        let post = Outgoing {
            method: Method::POST,
            body: Some(Bytes::from_static(b"{}")),
            ..get(neighbour.url("/"))
        };
        assert_eq!(http.send(post).await, Outcome::TimedOut);
        assert_eq!(neighbour.requests(), 2);
    }

    // D-25, N-04, N-05
    #[tokio::test]
    async fn what_the_guard_forbids_is_not_even_connected_to() {
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = connections.clone();
        let neighbour = Neighbour::new(move |_, _, _| _ = seen.fetch_add(1, Ordering::SeqCst));
        let port = neighbour.address.port();
        let strict = Http::new(HttpSettings {
            allow_private_networks: false,
            ..settings()
        })
        .unwrap();
        let tls_only = Http::new(HttpSettings {
            allow_http: false,
            ..settings()
        })
        .unwrap();
        for (http, url) in [
            (&strict, format!("http://127.0.0.1:{port}/")),
            (&strict, format!("http://2130706433:{port}/")),
            (&strict, format!("http://[::ffff:127.0.0.1]:{port}/")),
            // A name reaches the resolver, which drops what it finds.
            (&strict, format!("http://localhost:{port}/")),
            (&tls_only, format!("http://127.0.0.1:{port}/")),
        ] {
            let outcome = http.send(get(url.clone())).await;
            assert!(matches!(outcome, Outcome::NotAllowed(_)), "{url}: {outcome:?}");
        }
        let foreign = Outgoing {
            allowed_hosts: Some(vec!["127.0.0.1:1".into()]),
            ..get(neighbour.url("/"))
        };
        assert!(matches!(http().send(foreign).await, Outcome::NotAllowed(_)));
        let split = Outgoing {
            headers: vec![("X-A".into(), "b\r\nX-C: d".into())],
            ..get(neighbour.url("/"))
        };
        assert!(matches!(http().send(split).await, Outcome::NotAllowed(_)));
        assert_eq!(connections.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_name_is_called_at_the_port_of_its_url() {
        let neighbour = Neighbour::saying(FINE);
        let outcome = http()
            .send(get(format!("http://localhost:{}/", neighbour.address.port())))
            .await;
        assert!(matches!(outcome, Outcome::Answered(_)), "{outcome:?}");
    }

    #[test]
    fn a_request_does_not_show_its_secrets() {
        let outgoing = Outgoing {
            headers: vec![("Authorization".into(), "Token secret".into())],
            body: Some(Bytes::from_static(b"secret")),
            ..get("https://a/b?token=secret".into())
        };
        assert_eq!(format!("{outgoing:?}"), "Outgoing(GET https://a/b)");
    }
}
