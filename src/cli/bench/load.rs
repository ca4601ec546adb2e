//! The load: requests made and signed before the clock starts, sent over kept-alive connections as fast as they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::sandbox::wire::Connection;

/// What came of a batch.
#[derive(Debug, Clone)]
pub struct Measured {
    /// From the first request to the last answer.
    pub took: Duration,
    /// Answers with HTTP 2xx and status 1000.
    pub answered: usize,
    /// Everything else, with the first example.
    pub refused: usize,
    /// What the first refusal said, without the body of the request.
    pub first_refusal: Option<String>,
    /// Time from the first octet of a request to the last of its answer, sorted.
    pub latencies: Vec<Duration>,
}

impl Measured {
    /// Answered requests per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        count(self.answered) / self.took.as_secs_f64().max(f64::EPSILON)
    }

    /// The latency below which this share of the requests lies, in milliseconds.
    #[must_use]
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies
            .get(last * percent / 100)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// Sends every request once over `connections` connections to `address`; a connection takes the next request when it is free.
pub async fn send(address: &str, requests: Arc<Vec<Vec<u8>>>, connections: usize) -> Measured {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let lines: Vec<_> = (0..connections.max(1))
        .map(|_| tokio::spawn(one_line(address.to_owned(), Arc::clone(&requests), Arc::clone(&next))))
        .collect();
    let mut whole = Measured {
        took: Duration::ZERO,
        answered: 0,
        refused: 0,
        first_refusal: None,
        latencies: Vec::new(),
    };
    for line in lines {
        // A task of ours that panics is a refusal of everything it held; the books will not balance.
        let Ok(part) = line.await else { continue };
        whole.answered += part.answered;
        whole.refused += part.refused;
        whole.first_refusal = whole.first_refusal.or(part.first_refusal);
        whole.latencies.extend(part.latencies);
    }
    whole.took = started.elapsed();
    whole.latencies.sort_unstable();
    whole
}

async fn one_line(address: String, requests: Arc<Vec<Vec<u8>>>, next: Arc<AtomicUsize>) -> Measured {
    let mut part = Measured {
        took: Duration::ZERO,
        answered: 0,
        refused: 0,
        first_refusal: None,
        latencies: Vec::new(),
    };
    let mut connection = None;
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let started = Instant::now();
        match exchange(&mut connection, &address, request).await {
            Ok(()) => {
                part.answered += 1;
                part.latencies.push(started.elapsed());
            }
            Err(said) => {
                part.refused += 1;
                part.first_refusal.get_or_insert(said);
            }
        }
    }
    part
}

async fn exchange(line: &mut Option<Connection>, address: &str, request: &[u8]) -> Result<(), String> {
    if line.is_none() {
        *line = Some(Connection::new(
            TcpStream::connect(address).await.map_err(|error| error.to_string())?,
        ));
    }
    let Some(connection) = line else {
        return Err("no connection".to_owned());
    };
    let answer = match connection.write(request).await {
        Ok(()) => connection.read_response().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) && says_1000(&answer.body) => {
            if answer
                .header("connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("close"))
            {
                *line = None;
            }
            Ok(())
        }
        Ok(answer) => Err(format!(
            "HTTP {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        )),
        Err(error) => {
            *line = None;
            Err(error)
        }
    }
}

/// The envelope's `status_code` is 1000. Read without parsing: the load generator shares its cores with what it measures.
fn says_1000(body: &[u8]) -> bool {
    const MEMBER: &[u8] = b"\"status_code\":";
    body.windows(MEMBER.len())
        .position(|window| window == MEMBER)
        .and_then(|at| body.get(at + MEMBER.len()..))
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"1000"))
}

/// A count as a number to divide; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "nobody sends 2^53 CDRs")]
pub fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_latency_that_was_measured() {
        let measured = Measured {
            took: Duration::from_secs(2),
            answered: 100,
            refused: 0,
            first_refusal: None,
            latencies: (1..=100).map(Duration::from_millis).collect(),
        };
        assert!((measured.rate() - 50.0).abs() < 0.001);
        assert!((measured.percentile_ms(50) - 50.0).abs() < 0.001);
        assert!((measured.percentile_ms(99) - 99.0).abs() < 0.001);
    }

    #[test]
    fn only_status_1000_counts() {
        assert!(says_1000(br#"{"status_code": 1000}"#));
        assert!(!says_1000(br#"{"status_code":2001,"status_message":"1000"}"#));
        assert!(!says_1000(b"<html>1000</html>"));
    }
}
