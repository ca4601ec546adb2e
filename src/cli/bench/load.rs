//! The load: requests made and signed before the clock starts, sent over kept-alive connections as fast as they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;

use super::report::count;
use crate::sandbox::wire::{Connection, Response};

/// One request, ready to be written.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Its octets.
    pub octets: Vec<u8>,
    /// The octets its answer must have as body; `None` where any envelope with status 1000 will do.
    pub answer: Option<Bytes>,
}

/// What came of a batch.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// From the first request to the last answer.
    pub took: Duration,
    /// Answers with HTTP 2xx, status 1000 and the expected octets.
    pub answered: usize,
    /// What the first other answer said, without the body of the request.
    pub first_refusal: Option<String>,
    /// Time from the first octet of a request to the last of its answer, sorted.
    pub latencies: Vec<Duration>,
}

impl Shot {
    /// A request whose answer must be a success.
    #[must_use]
    pub fn plain(octets: Vec<u8>) -> Shot {
        Shot { octets, answer: None }
    }
}

impl Measured {
    /// Answered requests per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        count(self.answered) / self.took.as_secs_f64().max(f64::EPSILON)
    }

    /// Enters one answer, or what was heard instead.
    pub fn enter(&mut self, heard: Result<Duration, String>) {
        match heard {
            Ok(latency) => {
                self.answered += 1;
                self.latencies.push(latency);
            }
            Err(said) => {
                self.first_refusal.get_or_insert(said);
            }
        }
    }

    /// Adds what another connection measured in the same time.
    pub fn add(&mut self, part: Measured) {
        self.answered += part.answered;
        self.first_refusal = self.first_refusal.take().or(part.first_refusal);
        self.latencies.extend(part.latencies);
    }
}

/// The latency below which this share lies, in milliseconds. The latencies are sorted.
#[must_use]
pub fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * percent / 100)
        .map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
}

/// Sends every request once over `connections` connections to `address`; a connection takes the next request when it is free.
pub async fn send(address: &str, shots: Arc<Vec<Shot>>, connections: usize) -> Measured {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let lines: Vec<_> = (0..connections.max(1))
        .map(|_| tokio::spawn(one_line(address.to_owned(), Arc::clone(&shots), Arc::clone(&next))))
        .collect();
    let mut whole = Measured::default();
    for line in lines {
        // A task of ours that panics is a refusal of everything it held; the books will not balance.
        let Ok(part) = line.await else { continue };
        whole.add(part);
    }
    whole.took = started.elapsed();
    whole.latencies.sort_unstable();
    whole
}

async fn one_line(address: String, shots: Arc<Vec<Shot>>, next: Arc<AtomicUsize>) -> Measured {
    let mut part = Measured::default();
    let mut line = Line::to(&address);
    while let Some(shot) = shots.get(next.fetch_add(1, Ordering::Relaxed)) {
        part.enter(line.fire(shot).await);
    }
    part
}

/// One connection, made when it is needed and kept while it can be.
pub struct Line {
    address: String,
    connection: Option<Connection>,
    last_used: Instant,
}

/// A connection that has been silent for longer is not used again: servers close theirs after five seconds, and a request written at
/// that moment is lost (F-20).
const IDLE: Duration = Duration::from_secs(4);

impl Line {
    /// To host and port.
    #[must_use]
    pub fn to(address: &str) -> Line {
        Line {
            address: address.to_owned(),
            connection: None,
            last_used: Instant::now(),
        }
    }

    /// Sends a request and judges its answer: how long it took, or what was heard instead.
    ///
    /// # Errors
    /// What the answer said, or why there was none.
    pub async fn fire(&mut self, shot: &Shot) -> Result<Duration, String> {
        let (answer, took) = self.ask(&shot.octets).await?;
        match &shot.answer {
            Some(expected) if *expected != answer.body => Err(format!(
                "HTTP {}, other octets than the receiver answered: {}",
                answer.status,
                shown(&answer.body)
            )),
            _ => Ok(took),
        }
    }

    /// Sends the octets of a request and reads its answer, which must be a success; and how long that took, before anything was judged.
    ///
    /// # Errors
    /// As [`Line::fire`].
    pub async fn ask(&mut self, request: &[u8]) -> Result<(Response, Duration), String> {
        let started = Instant::now();
        let answered = self.exchange(request).await;
        let took = started.elapsed();
        self.last_used = Instant::now();
        let ends = match &answered {
            Ok(answer) => answer
                .header("connection")
                .is_some_and(|word| word.eq_ignore_ascii_case("close")),
            Err(_) => true,
        };
        if ends {
            self.connection = None;
        }
        let answer = answered?;
        if (200..300).contains(&answer.status) && says_1000(&answer.body) {
            Ok((answer, took))
        } else {
            Err(format!("HTTP {}: {}", answer.status, shown(&answer.body)))
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Response, String> {
        let silent = std::mem::replace(&mut self.last_used, Instant::now()).elapsed();
        let connection = match self.connection.take().filter(|_| silent < IDLE) {
            Some(connection) => self.connection.insert(connection),
            None => {
                let stream = TcpStream::connect(&self.address).await;
                let stream = stream.map_err(|error| error.to_string())?;
                self.connection.insert(Connection::new(stream))
            }
        };
        connection.write(request).await.map_err(|error| error.to_string())?;
        connection.read_response().await.map_err(|error| error.to_string())
    }
}

/// The begin of an answer, for people.
fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..body.len().min(300)).unwrap_or_default()).into_owned()
}

/// The envelope's `status_code` is 1000. Read without parsing: the load generator shares its cores with what it measures. Looked for
/// from behind, where an envelope has it after its data.
fn says_1000(body: &[u8]) -> bool {
    const MEMBER: &[u8] = b"\"status_code\":";
    body.windows(MEMBER.len())
        .rposition(|window| window == MEMBER)
        .and_then(|at| body.get(at + MEMBER.len()..))
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"1000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_latency_that_was_measured() {
        let measured = Measured {
            took: Duration::from_secs(2),
            answered: 100,
            first_refusal: None,
            latencies: (1..=100).map(Duration::from_millis).collect(),
        };
        assert!((measured.rate() - 50.0).abs() < 0.001);
        assert!((percentile_ms(&measured.latencies, 50) - 50.0).abs() < 0.001);
        assert!((percentile_ms(&measured.latencies, 99) - 99.0).abs() < 0.001);
        assert!(percentile_ms(&[], 99).abs() < 0.001);
    }

    #[test]
    fn only_status_1000_counts() {
        assert!(says_1000(br#"{"status_code": 1000}"#));
        assert!(!says_1000(br#"{"status_code":2001,"status_message":"1000"}"#));
        assert!(!says_1000(b"<html>1000</html>"));
    }
}
