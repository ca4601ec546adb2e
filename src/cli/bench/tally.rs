//! How often each numbered request arrived, and whether it arrived as it was sent.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counts arrivals.
pub struct Tally {
    arrivals: Vec<AtomicU8>,
    strangers: AtomicUsize,
    spoilt: AtomicUsize,
    first_spoilt: Mutex<Option<String>>,
}

impl Tally {
    /// For requests numbered `0..expected`.
    #[must_use]
    pub fn new(expected: usize) -> Tally {
        Tally {
            arrivals: (0..expected).map(|_| AtomicU8::new(0)).collect(),
            strangers: AtomicUsize::new(0),
            spoilt: AtomicUsize::new(0),
            first_spoilt: Mutex::new(None),
        }
    }

    /// One arrived; without a number nobody sent it.
    pub fn arrive(&self, number: Option<usize>) {
        match number.and_then(|number| self.arrivals.get(number)) {
            // 255 times is as wrong as 256 times.
            Some(times) => {
                let _ = times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |times| {
                    Some(times.saturating_add(1))
                });
            }
            None => {
                self.strangers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// One arrived otherwise than it was sent.
    pub fn spoil(&self, how: &str) {
        self.spoilt.fetch_add(1, Ordering::Relaxed);
        let mut first = self.first_spoilt.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| format!("the receiver: {how}"));
    }

    /// How many of these numbers arrived at least once.
    #[must_use]
    pub fn arrived(&self, numbers: Range<usize>) -> usize {
        self.count(numbers, |times| times > 0)
    }

    /// How many of these numbers arrived more than once.
    #[must_use]
    pub fn twice(&self, numbers: Range<usize>) -> usize {
        self.count(numbers, |times| times > 1)
    }

    /// How many arrived that nobody sent.
    #[must_use]
    pub fn strangers(&self) -> usize {
        self.strangers.load(Ordering::Relaxed)
    }

    /// How many arrived otherwise than they were sent.
    #[must_use]
    pub fn spoilt(&self) -> usize {
        self.spoilt.load(Ordering::Relaxed)
    }

    /// What was wrong with the first of them.
    #[must_use]
    pub fn first_spoilt(&self) -> Option<String> {
        self.first_spoilt.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, numbers: Range<usize>, which: impl Fn(u8) -> bool) -> usize {
        let arrivals = self.arrivals.get(numbers).unwrap_or_default();
        arrivals
            .iter()
            .filter(|times| which(times.load(Ordering::Relaxed)))
            .count()
    }
}

/// The number at the end of an id of this bench: `…-123`.
#[must_use]
pub fn number_of(id: &str) -> Option<usize> {
    id.rsplit('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_counted_by_number() {
        let tally = Tally::new(3);
        for number in [Some(0), Some(2), Some(2), Some(3), None] {
            tally.arrive(number);
        }
        assert_eq!((tally.arrived(0..3), tally.twice(0..3), tally.strangers()), (2, 1, 2));
        assert_eq!(number_of("B-7f-42"), Some(42));
        assert_eq!(number_of("B-7f"), None);
    }
}
