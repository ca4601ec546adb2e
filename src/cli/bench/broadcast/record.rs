//! When what was sent and when it came, per receiver, and whether anything came twice or in the wrong order.
//!
//! Sender and receivers live in one process: one clock tells both.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::TROUBLED;
use crate::cli::bench::tally::Tally;

/// Every push and its arrivals.
pub struct Record {
    begun: Instant,
    bodies: Vec<Bytes>,
    locations: usize,
    /// Nanoseconds since the begin, by number of the push; 0 where it was not sent.
    sent: Vec<AtomicU64>,
    ears: Vec<Ear>,
    last_arrival: AtomicU64,
    arrivals: AtomicUsize,
    twice: AtomicUsize,
    reversed: AtomicUsize,
    /// What else was wrong with arrivals.
    pub wrong: Tally,
}

/// What one receiver has heard.
struct Ear {
    /// Nanoseconds since the begin, by number of the push; 0 where it did not come.
    arrived: Vec<AtomicU64>,
    /// By location: the number of the newest push that came, plus one; 0 where none came.
    newest: Vec<AtomicUsize>,
}

impl Record {
    /// For these pushes, in turn about so many locations.
    #[must_use]
    pub fn new(bodies: Vec<Bytes>, locations: usize, receivers: usize) -> Record {
        let times = || bodies.iter().map(|_| AtomicU64::new(0)).collect();
        let ear = |_| Ear {
            arrived: times(),
            newest: (0..locations).map(|_| AtomicUsize::new(0)).collect(),
        };
        Record {
            begun: Instant::now(),
            locations,
            sent: times(),
            ears: (0..receivers).map(ear).collect(),
            last_arrival: AtomicU64::new(0),
            arrivals: AtomicUsize::new(0),
            twice: AtomicUsize::new(0),
            reversed: AtomicUsize::new(0),
            wrong: Tally::new(0),
            bodies,
        }
    }

    /// What is pushed, by number.
    #[must_use]
    pub fn bodies(&self) -> &[Bytes] {
        &self.bodies
    }

    /// The push leaves now.
    pub fn leave(&self, number: usize) {
        if let Some(sent) = self.sent.get(number) {
            sent.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The push has come to this receiver, whole.
    pub fn arrive(&self, receiver: usize, number: usize) {
        let Some(ear) = self.ears.get(receiver) else { return };
        let (Some(arrived), Some(newest)) = (ear.arrived.get(number), ear.newest.get(number % self.locations.max(1)))
        else {
            self.wrong.arrive(None);
            return;
        };
        let now = self.now();
        if arrived.swap(now, Ordering::Relaxed) > 0 {
            self.twice.fetch_add(1, Ordering::Relaxed);
        }
        if newest.fetch_max(number + 1, Ordering::Relaxed) > number + 1 {
            self.reversed.fetch_add(1, Ordering::Relaxed);
        }
        self.last_arrival.fetch_max(now, Ordering::Relaxed);
        self.arrivals.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until all receivers that stay in order have the newest of these pushes about each location, or nothing has come for
    /// `quiet`. Returns when the last arrival was.
    pub async fn settle(&self, numbers: Range<usize>, quiet: Duration) -> Instant {
        while !self.has_newest_of(&numbers) && !self.is_quiet(quiet) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.begun + Duration::from_nanos(self.last_arrival.load(Ordering::Relaxed))
    }

    /// Waits until nothing has come to anybody for `quiet`.
    pub async fn rest(&self, quiet: Duration) {
        while !self.is_quiet(quiet) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// From leaving to arrival, of these pushes at all receivers that stay in order; sorted.
    #[must_use]
    pub fn latencies(&self, numbers: Range<usize>) -> Vec<Duration> {
        let mut all = Vec::with_capacity(numbers.len() * self.others());
        for ear in self.ears.iter().take(self.others()) {
            let arrived = ear.arrived.get(numbers.clone()).unwrap_or_default();
            let sent = self.sent.get(numbers.clone()).unwrap_or_default();
            all.extend(sent.iter().zip(arrived).filter_map(|(sent, arrived)| {
                let (sent, arrived) = (sent.load(Ordering::Relaxed), arrived.load(Ordering::Relaxed));
                (sent > 0 && arrived > 0).then(|| Duration::from_nanos(arrived.saturating_sub(sent)))
            }));
        }
        all.sort_unstable();
        all
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receivers(&self) -> usize {
        self.ears.len()
    }

    /// How many receivers stay in order.
    #[must_use]
    pub fn others(&self) -> usize {
        self.ears.len().saturating_sub(TROUBLED)
    }

    /// Arrivals at anybody.
    #[must_use]
    pub fn arrivals(&self) -> usize {
        self.arrivals.load(Ordering::Relaxed)
    }

    /// Arrivals at receivers that stay in order.
    #[must_use]
    pub fn delivered(&self) -> usize {
        let others = self.ears.iter().take(self.others());
        let came = others.flat_map(|ear| &ear.arrived);
        came.filter(|at| at.load(Ordering::Relaxed) > 0).count()
    }

    /// How many locations' last pushed state receivers that stay in order have, one by one; all of them together should have
    /// [`Record::others`] times the number of locations.
    #[must_use]
    pub fn newest_held(&self) -> usize {
        let last = self.newest_among(&(0..self.sent.len()));
        let held = |ear: &Ear| {
            let pairs = ear.newest.iter().zip(&last);
            pairs
                .filter(|(has, last)| has.load(Ordering::Relaxed) == **last)
                .count()
        };
        self.ears.iter().take(self.others()).map(held).sum()
    }

    /// Arrivals after a newer state of the same location.
    #[must_use]
    pub fn reversed(&self) -> usize {
        self.reversed.load(Ordering::Relaxed)
    }

    /// Arrivals of what had arrived before.
    #[must_use]
    pub fn twice(&self) -> usize {
        self.twice.load(Ordering::Relaxed)
    }

    fn has_newest_of(&self, numbers: &Range<usize>) -> bool {
        let last = self.newest_among(numbers);
        self.ears.iter().take(self.others()).all(|ear| {
            let mut pairs = ear.newest.iter().zip(&last);
            pairs.all(|(has, last)| has.load(Ordering::Relaxed) >= *last)
        })
    }

    /// By location: the number of the newest push among these that was sent, plus one.
    fn newest_among(&self, numbers: &Range<usize>) -> Vec<usize> {
        let mut last = vec![0; self.locations];
        let sent = self.sent.get(numbers.clone()).unwrap_or_default();
        for (number, sent) in numbers.clone().zip(sent) {
            if sent.load(Ordering::Relaxed) > 0
                && let Some(last) = last.get_mut(number % self.locations.max(1))
            {
                *last = number + 1;
            }
        }
        last
    }

    fn is_quiet(&self, quiet: Duration) -> bool {
        let sent = self.sent.iter().map(|sent| sent.load(Ordering::Relaxed)).max();
        let last = self.last_arrival.load(Ordering::Relaxed).max(sent.unwrap_or_default());
        Duration::from_nanos(self.now().saturating_sub(last)) > quiet
    }

    /// Never 0: that says "not".
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::new(vec![Bytes::new(); 4], 2, 1 + TROUBLED)
    }

    #[test]
    fn an_older_state_after_a_newer_one_is_reversed_and_the_same_again_is_twice() {
        let record = record();
        for number in 0..4 {
            record.leave(number);
        }
        for number in [0, 2, 1, 3] {
            record.arrive(0, number);
        }
        assert_eq!((record.reversed(), record.twice(), record.newest_held()), (0, 0, 2));
        assert_eq!((record.delivered(), record.latencies(0..4).len()), (4, 4));
        record.arrive(0, 3);
        assert_eq!((record.reversed(), record.twice()), (0, 1));
        record.arrive(0, 1);
        assert_eq!((record.reversed(), record.twice()), (1, 2));
    }

    #[test]
    fn a_missing_newest_state_is_missing_however_many_older_ones_came() {
        let record = record();
        for number in 0..4 {
            record.leave(number);
        }
        for number in 0..3 {
            record.arrive(0, number);
        }
        assert_eq!(record.newest_held(), 1);
        assert!(!record.has_newest_of(&(2..4)) && record.has_newest_of(&(0..3)));
        // One who gets out of order is not waited for.
        record.arrive(0, 3);
        assert!(record.has_newest_of(&(0..4)));
    }
}
