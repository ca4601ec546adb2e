//! How often a party may ask about one session: so many at once, then one in so long (smart-charging.md 2.4, ECI-21).
//!
//! A bucket is one instant: when it will be full again. That is all there is to keep, and a process that reads it later, or another one,
//! goes on with it as if it had counted itself.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::kept;

/// So many at once, then one in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once; at least one.
    pub burst: u32,
    /// Seconds until the next.
    pub interval_s: u32,
}

/// How often what may be asked. A DELETE that is not free counts as a PUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Setting a profile.
    pub put: Rate,
    /// Asking for the active one.
    pub get: Rate,
}

/// One party's bucket of one verb; `None` is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket(#[serde(with = "kept::maybe")] pub Option<DateTime<Utc>>);

impl Rate {
    fn seconds(self, times: u32) -> TimeDelta {
        let seconds = i64::from(self.interval_s).saturating_mul(i64::from(times));
        TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX)
    }
}

impl Bucket {
    /// Takes one out.
    ///
    /// # Errors
    /// How long until there is one again; then nothing was taken.
    pub fn take(&mut self, rate: Rate, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        let full_at = self.0.map_or(now, |full_at| full_at.max(now));
        let spare = rate.seconds(rate.burst.saturating_sub(1));
        let possible_at = full_at.checked_sub_signed(spare).unwrap_or(now);
        if possible_at > now {
            return Err(possible_at - now);
        }
        self.0 = full_at.checked_add_signed(rate.seconds(1)).or(Some(full_at));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    const PUT: Rate = Rate {
        burst: 3,
        interval_s: 60,
    };

    // ECI-21
    #[test]
    fn three_at_once_then_one_a_minute_and_a_refusal_takes_nothing() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            bucket.take(PUT, at(0)).unwrap();
        }
        assert_eq!(bucket.take(PUT, at(0)), Err(TimeDelta::seconds(60)));
        for second in [1, 30, 59] {
            assert_eq!(bucket.take(PUT, at(second)), Err(TimeDelta::seconds(60 - second)));
        }
        bucket.take(PUT, at(60)).unwrap();
        assert_eq!(bucket.take(PUT, at(60)), Err(TimeDelta::seconds(60)));
        // Left alone it fills up, and never beyond.
        for _ in 0..3 {
            bucket.take(PUT, at(10_000)).unwrap();
        }
        assert!(bucket.take(PUT, at(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_its_burst_and_one_for_each_interval(
            burst in 1_u32..5, interval_s in 1_u32..100, waits in proptest::collection::vec(0_i64..50, 1..60)
        ) {
            let rate = Rate { burst, interval_s };
            let (mut bucket, mut now, mut taken) = (Bucket::default(), 0, 0);
            for wait in waits {
                now += wait;
                let may = bucket.take(rate, at(now));
                taken += i64::from(may.is_ok());
                prop_assert!(taken <= i64::from(burst) + now / i64::from(interval_s));
                if let Err(wait) = may {
                    prop_assert!(bucket.take(rate, at(now) + wait).is_ok());
                    now += wait.num_seconds();
                    taken += 1;
                }
            }
        }
    }
}
