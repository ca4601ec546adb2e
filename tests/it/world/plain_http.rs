//! Requests written by hand: whatever a stranger may send, in exactly these octets.

use tokio::net::TcpStream;
use truewatt::sandbox::wire::{self, Connection, Response};

/// One request on a connection of its own, answered.
pub async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let (mut connection, octets) = open(method, url, headers, body).await;
    // A server that refuses early may close while we still write: what counts is the answer.
    let _ = connection.write(&octets).await;
    connection.read_response().await.unwrap()
}

/// A connection and the octets that would make the request.
pub async fn open(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> (Connection, Vec<u8>) {
    let rest = url.strip_prefix("http://").expect("stories speak plain HTTP");
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let connection = Connection::new(TcpStream::connect(host).await.unwrap());
    (connection, wire::request(method, path, host, &headers, body))
}

/// The OCPI envelope of an answer.
pub fn envelope(response: &Response) -> truewatt::ocpi::envelope::Envelope {
    assert!(
        response
            .header("content-type")
            .is_some_and(|value| value.starts_with("application/json")),
        "an OCPI answer is application/json (T-21), HTTP {}",
        response.status
    );
    truewatt::ocpi::envelope::read(&response.body).expect("an OCPI answer has an envelope (T-10, T-21)")
}
