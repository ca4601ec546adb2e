//! How large things were: counted into fixed classes, so that a million of them take no more room than one.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

/// Things of a kind by size. Clones count together.
#[derive(Clone, Debug)]
pub struct Sizes(Histogram);

/// Upper ends in seconds: from what a request costs that needs no answer of others, to the longest deadline.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Upper ends of how many were committed together: at most 256.
const TOGETHER: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

impl Sizes {
    /// Times, in seconds.
    #[must_use]
    pub fn of_times() -> Sizes {
        Sizes(Histogram::new(SECONDS))
    }

    /// Numbers of things that were done together.
    #[must_use]
    pub fn of_groups() -> Sizes {
        Sizes(Histogram::new(TOGETHER))
    }

    /// One more that took so long.
    pub fn took(&self, time: Duration) {
        self.0.observe(time.as_secs_f64());
    }

    /// One more group of so many.
    pub fn had(&self, members: usize) {
        self.0.observe(f64::from(u32::try_from(members).unwrap_or(u32::MAX)));
    }

    pub(super) fn histogram(&self) -> Histogram {
        self.0.clone()
    }
}
