//! The lean end of the line: takes CDRs, counts each id, says 1000. It costs less than a sandbox party that remembers everything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::sandbox::wire::{self, Connection};

/// Counts what arrives. Dropping it closes the port.
pub struct Receiver {
    address: SocketAddr,
    tally: Arc<Tally>,
    task: JoinHandle<()>,
}

/// How often each CDR arrived, by the number at the end of its id.
pub struct Tally {
    arrivals: Vec<AtomicU8>,
    strangers: AtomicUsize,
}

impl Receiver {
    /// Listens on a free loopback port for CDRs numbered `0..expected`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(expected: usize) -> std::io::Result<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let tally = Arc::new(Tally {
            arrivals: (0..expected).map(|_| AtomicU8::new(0)).collect(),
            strangers: AtomicUsize::new(0),
        });
        let counting = Arc::clone(&tally);
        let task = tokio::spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                lines.spawn(take(stream, Arc::clone(&counting)));
            }
        });
        Ok(Receiver { address, tally, task })
    }

    /// Where CDRs are to be posted.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/cdrs", self.address)
    }

    /// The count so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tally {
    /// How many of these numbers arrived at least once.
    #[must_use]
    pub fn arrived(&self, numbers: std::ops::Range<usize>) -> usize {
        self.count(numbers, |times| times > 0)
    }

    /// How many of these numbers arrived more than once.
    #[must_use]
    pub fn twice(&self, numbers: std::ops::Range<usize>) -> usize {
        self.count(numbers, |times| times > 1)
    }

    /// How many arrived that nobody sent.
    #[must_use]
    pub fn strangers(&self) -> usize {
        self.strangers.load(Ordering::Relaxed)
    }

    fn count(&self, numbers: std::ops::Range<usize>, which: impl Fn(u8) -> bool) -> usize {
        let arrivals = self.arrivals.get(numbers).unwrap_or_default();
        arrivals
            .iter()
            .filter(|times| which(times.load(Ordering::Relaxed)))
            .count()
    }

    fn note(&self, body: &[u8]) {
        match number_of(body).and_then(|number| self.arrivals.get(number)) {
            Some(times) => {
                times.fetch_add(1, Ordering::Relaxed);
            }
            None => {
                self.strangers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

async fn take(stream: TcpStream, tally: Arc<Tally>) {
    let headers = [
        ("content-type".to_owned(), "application/json".to_owned()),
        ("location".to_owned(), "http://127.0.0.1/kept".to_owned()),
    ];
    let answer = wire::response(
        201,
        &headers,
        br#"{"status_code":1000,"timestamp":"2026-01-01T00:00:00Z"}"#,
    );
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = connection.read_request().await {
        tally.note(&request.body);
        if connection.write(&answer).await.is_err() {
            return;
        }
    }
}

/// The number at the end of the id: the first member `id` of a CDR as this bench writes it, `…-123`.
fn number_of(body: &[u8]) -> Option<usize> {
    const MEMBER: &[u8] = b"\"id\":\"";
    let start = body.windows(MEMBER.len()).position(|window| window == MEMBER)? + MEMBER.len();
    let id = body.get(start..)?.split(|octet| *octet == b'"').next()?;
    std::str::from_utf8(id.rsplit(|octet| *octet == b'-').next()?)
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_read_from_the_cdrs_own_id() {
        let body = br#"{"country_code":"DE","party_id":"BEN","id":"B-7f-42","cdr_token":{"uid":"x-1","id":"y-2"}}"#;
        assert_eq!(number_of(body), Some(42));
        assert_eq!(number_of(br#"{"party_id":"BEN-1"}"#), None);
    }
}
