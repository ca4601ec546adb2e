//! Too often: how often each who asks may ask. A bucket for each, filled steadily and emptied by asking.
//!
//! In memory, and each process counts for itself: this keeps a careless client from costing the others, it is no accounting.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::SharedClock;

/// How often each may ask. `K` is what they are told apart by.
pub struct Pace<K: Clone + Eq + Hash> {
    buckets: RateLimiter<K, HashMapStateStore<K>, HubTime, NoOpMiddleware<Nanos>>,
    time: HubTime,
    /// When full buckets were last thrown away, in nanoseconds since 1970.
    swept: AtomicU64,
}

/// So many seconds' worth may be asked of the public pages at once.
const BURST_S: u32 = 5;
/// From here on full buckets are thrown away: they say nothing.
const MANY: usize = 10_000;

impl<K: Clone + Eq + Hash> Pace<K> {
    /// So many requests a second for each, and five seconds' worth at once.
    #[must_use]
    pub fn each_second(most: u32, clock: SharedClock) -> Pace<K> {
        let burst = at_least_one(most.saturating_mul(BURST_S));
        Pace::new(Quota::per_second(at_least_one(most)).allow_burst(burst), clock)
    }

    /// So many requests a minute for each, all of them at once if need be.
    #[must_use]
    pub fn each_minute(most: u32, clock: SharedClock) -> Pace<K> {
        Pace::new(Quota::per_minute(at_least_one(most)), clock)
    }

    fn new(quota: Quota, clock: SharedClock) -> Pace<K> {
        let time = HubTime {
            clock,
            latest: Arc::default(),
        };
        Pace {
            buckets: RateLimiter::new(quota, HashMapStateStore::default(), time.clone()),
            time,
            swept: AtomicU64::new(0),
        }
    }

    /// Whether this one may ask now; counts as asking.
    ///
    /// # Errors
    /// How long to wait before the next may be asked.
    pub fn ask(&self, who: &K) -> Result<(), Duration> {
        if self.buckets.len() > MANY && self.is_due() {
            self.buckets.retain_recent();
        }
        self.buckets
            .check_key(who)
            .map_err(|early| early.wait_time_from(self.time.now()))
    }
}

impl<K: Clone + Eq + Hash> Pace<K> {
    /// Once a second: looking through all of them for every request would make many callers a means to slow the hub down.
    fn is_due(&self) -> bool {
        let now = self.time.now().as_u64();
        let swept = self.swept.load(Ordering::Relaxed);
        now.saturating_sub(swept) >= 1_000_000_000
            && self
                .swept
                .compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// The hub's own time, in nanoseconds since 1970. A clock that was set back stands still until it has caught up: it fills nothing and
/// locks nobody out.
#[derive(Clone)]
struct HubTime {
    clock: SharedClock,
    latest: Arc<AtomicU64>,
}

impl governor::clock::Clock for HubTime {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let now = self.clock.now().timestamp_nanos_opt().unwrap_or_default();
        let now = u64::try_from(now).unwrap_or_default();
        Nanos::new(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::IpAddr;

    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_burst_is_fine_and_more_has_to_wait_and_harms_nobody_else() {
        let start = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let clock = ManualClock::at(start);
        let pace: Pace<IpAddr> = Pace::each_second(2, clock.clone());
        let (one, other) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        for _ in 0..10 {
            assert_eq!(pace.ask(&one), Ok(()));
        }
        assert_eq!(
            pace.ask(&one),
            Err(Duration::from_millis(500)),
            "and it is told for how long"
        );
        assert_eq!(pace.ask(&other), Ok(()));
        clock.advance(TimeDelta::milliseconds(500));
        assert_eq!(pace.ask(&one), Ok(()));
        assert!(pace.ask(&one).is_err());
        clock.set(start - TimeDelta::seconds(10));
        assert_eq!(
            pace.ask(&one),
            Err(Duration::from_millis(500)),
            "set back, the clock fills nothing"
        );
        clock.set(start + TimeDelta::seconds(1));
        assert_eq!(pace.ask(&one), Ok(()), "and locks nobody out");
    }

    #[test]
    fn a_minutes_worth_may_come_at_once() {
        let clock = ManualClock::at(DateTime::from_timestamp(1_795_000_000, 0).unwrap());
        let pace: Pace<String> = Pace::each_minute(3, clock.clone());
        let party = "DE/ABC".to_owned();
        assert_eq!([(); 3].map(|()| pace.ask(&party)), [Ok(()); 3]);
        assert_eq!(pace.ask(&party), Err(Duration::from_secs(20)));
        clock.advance(TimeDelta::seconds(20));
        assert_eq!([(); 2].map(|()| pace.ask(&party).is_ok()), [true, false]);
    }

    #[test]
    fn full_buckets_are_thrown_away_when_there_are_many() {
        let clock = ManualClock::at(DateTime::from_timestamp(1_795_000_000, 0).unwrap());
        let pace: Pace<usize> = Pace::each_second(1, clock.clone());
        for who in 0..=MANY {
            assert_eq!(pace.ask(&who), Ok(()));
        }
        clock.advance(TimeDelta::seconds(60));
        assert_eq!(pace.ask(&0), Ok(()));
        assert_eq!(pace.buckets.len(), 1);
    }
}
