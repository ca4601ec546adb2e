//! Too often: a bucket for each address that asks, filled steadily and emptied by asking.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

/// How often each address may ask.
pub struct Pace {
    per_second: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

struct Bucket {
    left: f64,
    at: DateTime<Utc>,
}

/// This many seconds' worth may be asked at once.
const BURST: f64 = 5.0;
/// From here on full buckets are thrown away: they say nothing.
const MANY: usize = 10_000;

impl Pace {
    /// So many requests a second for each address, and five seconds' worth at once.
    #[must_use]
    pub fn new(per_second: u32) -> Pace {
        Pace {
            per_second: f64::from(per_second),
            buckets: Mutex::default(),
        }
    }

    /// Whether this address may ask now; counts as asking.
    pub fn may_ask(&self, who: IpAddr, now: DateTime<Utc>) -> bool {
        let most = self.per_second * BURST;
        let filled = |bucket: &Bucket| {
            // A clock that was set back fills nothing.
            let passed = (now - bucket.at).num_milliseconds().max(0);
            (bucket.left + passed as f64 / 1000.0 * self.per_second).min(most)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > MANY {
            buckets.retain(|_, bucket| filled(bucket) < most);
        }
        let left = buckets.get(&who).map_or(most, filled);
        let may = left >= 1.0;
        let left = if may { left - 1.0 } else { left };
        buckets.insert(who, Bucket { left, at: now });
        may
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_burst_is_fine_and_more_has_to_wait_and_harms_nobody_else() {
        let (pace, now) = (Pace::new(2), DateTime::UNIX_EPOCH);
        let (one, other) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        for _ in 0..10 {
            assert!(pace.may_ask(one, now));
        }
        assert!(!pace.may_ask(one, now));
        assert!(pace.may_ask(other, now));
        assert!(pace.may_ask(one, now + TimeDelta::milliseconds(500)));
        assert!(!pace.may_ask(one, now + TimeDelta::milliseconds(500)));
        assert!(!pace.may_ask(one, now - TimeDelta::seconds(10)));
    }
}
