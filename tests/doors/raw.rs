//! A socket, and what is written on it and read from it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use truewatt::cli::serve::Running;
use truewatt::sandbox::wire::{Connection, Response};

/// Far longer than anything here takes; only a test that fails waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// `127.0.0.1:…` of a hub.
pub fn address(hub: &Running) -> &str {
    hub.bound.split_once("://").unwrap().1
}

/// A connection to a hub.
pub async fn connect(hub: &Running) -> TcpStream {
    TcpStream::connect(address(hub)).await.unwrap()
}

/// A head of a request, without the empty line behind it.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: hub\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// Writes as much as the hub takes, and reads one answer.
pub async fn ask(hub: &Running, octets: &[u8]) -> Response {
    let mut stream = connect(hub).await;
    // A hub that refuses early may close while we still write: what counts is the answer.
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(octets)).await;
    answer(&mut Connection::new(stream)).await
}

/// The next answer on a connection.
pub async fn answer(connection: &mut Connection) -> Response {
    let answer = tokio::time::timeout(PATIENCE, connection.read_response()).await;
    answer.expect("an answer, before patience ends").unwrap()
}

/// Everything until the hub closes the connection.
pub async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await;
    read.expect("the end of the connection, before patience ends").unwrap();
    String::from_utf8(all).unwrap()
}

/// HTTP status, OCPI status and message of an answer, which must be an envelope.
pub fn said(answer: &Response) -> (u16, u16, String) {
    let envelope = truewatt::ocpi::envelope::read(&answer.body).expect("an envelope");
    (
        answer.status,
        envelope.status_code.0,
        envelope.status_message.unwrap_or_default(),
    )
}

/// That the hub still answers others.
pub async fn is_well(hub: &Running) {
    let octets = head("GET", "/health/ready", &[]) + "\r\n";
    assert_eq!(ask(hub, octets.as_bytes()).await.status, 200);
}
