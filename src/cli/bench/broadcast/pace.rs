//! Pushes over several connections, as fast as they are answered or so many a second, and never two about one location at the same
//! time: what is pushed later was answered later, so there is an order to be kept.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::LOCATIONS;
use super::record::Record;
use crate::cli::bench::load::{Line, Measured, Shot};
use crate::cli::bench::report::count;

/// Sends these pushes once; `rate` is per second. Latencies are sorted.
pub async fn send(
    address: &str,
    shots: &Arc<Vec<Shot>>,
    numbers: Range<usize>,
    connections: usize,
    rate: Option<f64>,
    record: &Arc<Record>,
) -> Measured {
    let lanes = connections.clamp(1, LOCATIONS);
    let started = Instant::now();
    let tasks: Vec<_> = (0..lanes)
        .map(|lane| {
            let lane = Lane {
                numbers: numbers.clone(),
                started,
                rate,
                lane,
                lanes,
            };
            tokio::spawn(lane.send(address.to_owned(), Arc::clone(shots), Arc::clone(record)))
        })
        .collect();
    let mut whole = Measured::default();
    for task in tasks {
        // A task of ours that panics has not been answered; the books will not balance.
        let Ok(part) = task.await else { continue };
        whole.add(part);
    }
    whole.took = started.elapsed();
    whole.latencies.sort_unstable();
    whole
}

/// One connection, with the locations that are its own.
struct Lane {
    numbers: Range<usize>,
    started: Instant,
    rate: Option<f64>,
    lane: usize,
    lanes: usize,
}

impl Lane {
    async fn send(self, address: String, shots: Arc<Vec<Shot>>, record: Arc<Record>) -> Measured {
        let mut measured = Measured::default();
        let mut line = Line::to(&address);
        for number in self.numbers.clone() {
            let Some(shot) = shots.get(number).filter(|_| self.is_mine(number)) else {
                continue;
            };
            if let Some(rate) = self.rate {
                let due = Duration::from_secs_f64(count(number - self.numbers.start) / rate.max(f64::EPSILON));
                tokio::time::sleep_until((self.started + due).into()).await;
            }
            record.leave(number);
            measured.enter(line.fire(shot).await);
        }
        measured
    }

    fn is_mine(&self, number: usize) -> bool {
        (number % LOCATIONS) % self.lanes == self.lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_push_has_one_lane_and_every_location_too() {
        for lanes in [1, 7, LOCATIONS] {
            let lane = |lane| Lane {
                numbers: 0..1,
                started: Instant::now(),
                rate: None,
                lane,
                lanes,
            };
            for number in 0..3 * LOCATIONS {
                let takers: Vec<usize> = (0..lanes).filter(|at| lane(*at).is_mine(number)).collect();
                assert_eq!(takers.len(), 1);
                assert!(takers.iter().all(|at| lane(*at).is_mine(number + LOCATIONS)));
            }
        }
    }
}
