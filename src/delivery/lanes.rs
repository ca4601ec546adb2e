//! How many of a platform's duties are in the air, and whether it is spoken to at all: a circuit breaker per platform.
//!
//! ```text
//!            it did not take something                        its rest is over
//!  closed ─────────────────────────────► open: nothing goes ─────────────────► half open: one probe goes
//!    ▲                                     ▲  (first_retry, twice as long       │        │
//!    │                                     │   each time, five minutes at most) │        │
//!    │                                     └────────────────────────────────────┘        │
//!    │          it took the probe, or anything else, or it is back (presence)            │
//!    └────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Knowledge of one process about its own attempts; it only spares work. First attempts do not wait for it: their sender waits for them,
//! and presence already keeps them from platforms that are away. But what becomes of them counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::carry::span;
use crate::client::backoff;
use crate::ocpi::ids::PlatformId;

/// Attempts by the worker for one platform at a time. Eight keep a healthy receiver busy over a slow line and are few enough
/// that a stalled one holds only an eighth of [`IN_THE_AIR`].
const PER_PLATFORM: usize = 8;

/// What the worker leases for one platform in one go, and how much room there must be for it: what was leased is not given back.
pub const PORTION: usize = 4;

/// Attempts by the worker over all platforms at a time.
pub const IN_THE_AIR: usize = 64;

/// However often it failed, a platform is asked again after this long: nobody tells us when it stops answering 500.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// After so many failures in a row it was the platform and not one CDR it cannot digest: what waited for it need not wait longer.
const NOT_BY_CHANCE: u32 = 3;

/// The lanes of all platforms.
pub struct Lanes {
    first_rest: Duration,
    /// No wish for patience (`Retry-After`) keeps the whole platform waiting longer than this.
    longest_wish: Duration,
    lanes: Arc<Mutex<HashMap<PlatformId, Lane>>>,
}

#[derive(Default)]
struct Lane {
    under_way: usize,
    /// Rests, one after the other, without anything taken in between.
    failures: u32,
    rests_until: Option<DateTime<Utc>>,
    probing: bool,
}

/// Whether a duty may be carried now.
#[derive(Debug)]
pub enum Entry {
    /// Go ahead; the place is given back when this is dropped.
    Enter(Place),
    /// Not before then.
    Rests(DateTime<Utc>),
    /// As many are under way as may be.
    Full,
}

/// A place in a lane.
pub struct Place {
    platform: PlatformId,
    lanes: Arc<Mutex<HashMap<PlatformId, Lane>>>,
    is_probe: bool,
}

/// What an operator sees of a platform's breaker, in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Which of the three.
    pub state: BreakerState,
    /// How many times in a row it was opened.
    pub failures: u32,
    /// Open: until when.
    pub until: Option<DateTime<Utc>>,
}

/// The states of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// All is well.
    Closed,
    /// Nothing goes.
    Open,
    /// One probe goes, or may go.
    HalfOpen,
}

impl BreakerState {
    /// As the operator reads it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
        }
    }
}

impl Lanes {
    /// Lanes whose first rest is this long, and whose platforms may ask for no longer one than that.
    #[must_use]
    pub fn new(first_rest: Duration, longest_wish: Duration) -> Lanes {
        Lanes {
            first_rest,
            longest_wish,
            lanes: Arc::default(),
        }
    }

    /// Platforms for which nothing need be leased: they rest, are being probed, or have no room for a portion.
    #[must_use]
    pub fn closed(&self, now: DateTime<Utc>) -> Vec<PlatformId> {
        let lanes = lock(&self.lanes);
        let closed = lanes.iter().filter(|(_, lane)| {
            lane.probing || lane.under_way + PORTION > PER_PLATFORM || lane.rests_until.is_some_and(|until| now < until)
        });
        closed.map(|(platform, _)| platform.clone()).collect()
    }

    /// A place in the lane of a platform.
    pub fn enter(&self, platform: &PlatformId, now: DateTime<Utc>) -> Entry {
        let mut lanes = lock(&self.lanes);
        let lane = lanes.entry(platform.clone()).or_default();
        if let Some(until) = lane.rests_until.filter(|until| now < *until) {
            return Entry::Rests(until);
        }
        let is_probe = lane.failures > 0;
        if lane.under_way >= PER_PLATFORM || (is_probe && lane.probing) {
            return Entry::Full;
        }
        lane.under_way += 1;
        lane.probing |= is_probe;
        Entry::Enter(Place {
            platform: platform.clone(),
            lanes: self.lanes.clone(),
            is_probe,
        })
    }

    /// The platform did not take something: it is left alone for a while. What failed beside it, before anything new was tried,
    /// counts once.
    pub fn failed(&self, platform: &PlatformId, wish: Option<Duration>, now: DateTime<Utc>, jitter: f64) {
        let mut lanes = lock(&self.lanes);
        let lane = lanes.entry(platform.clone()).or_default();
        let wish = wish.map(|wish| wish.min(self.longest_wish));
        if let Some(until) = lane.rests_until.filter(|until| now < *until) {
            lane.rests_until = wish.map(|wish| until.max(now + span(wish))).or(Some(until));
            return;
        }
        lane.failures = lane.failures.saturating_add(1);
        lane.probing = false;
        let longest = LONGEST_REST.max(self.first_rest);
        let rest = backoff::next_delay(lane.failures, wish, self.first_rest, longest, jitter);
        lane.rests_until = Some(now + span(rest));
        if lane.failures == NOT_BY_CHANCE {
            log::warn!(platform = platform.as_str(); "takes nothing: it is left alone, and probed now and then");
        }
    }

    /// The platform took something, or is back. True when it had failed so often that what waits for it need not wait longer.
    pub fn wake(&self, platform: &PlatformId) -> bool {
        let mut lanes = lock(&self.lanes);
        let Some(lane) = lanes.get_mut(platform) else {
            return false;
        };
        let was_away = lane.failures >= NOT_BY_CHANCE;
        lane.failures = 0;
        lane.rests_until = None;
        lane.probing = false;
        if lane.under_way == 0 {
            // What is remembered is who is busy or in trouble, not everybody there ever was.
            lanes.remove(platform);
        }
        was_away
    }

    /// How the breaker of a platform stands.
    #[must_use]
    pub fn breaker(&self, platform: &PlatformId, now: DateTime<Utc>) -> Breaker {
        let lanes = lock(&self.lanes);
        let lane = lanes.get(platform);
        let failures = lane.map_or(0, |lane| lane.failures);
        let until = lane.and_then(|lane| lane.rests_until).filter(|until| now < *until);
        let state = match (failures, until) {
            (0, _) => BreakerState::Closed,
            (_, Some(_)) => BreakerState::Open,
            (_, None) => BreakerState::HalfOpen,
        };
        Breaker { state, failures, until }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.get_mut(&self.platform) {
            lane.under_way = lane.under_way.saturating_sub(1);
            // A probe that found nobody to call says nothing.
            lane.probing &= !self.is_probe;
            if lane.under_way == 0 && lane.failures == 0 {
                lanes.remove(&self.platform);
            }
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({})", self.platform)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn lanes() -> Lanes {
        Lanes::new(Duration::from_secs(5), Duration::from_secs(3600))
    }

    fn entered(entry: &Entry) -> bool {
        matches!(entry, Entry::Enter(_))
    }

    #[test]
    fn a_stalled_platform_holds_its_own_lane_only() {
        // R-47
        let lanes = lanes();
        let (slow, quick) = (PlatformId::from("slow"), PlatformId::from("quick"));
        let held: Vec<_> = (0..PER_PLATFORM).map(|_| lanes.enter(&slow, NOW)).collect();
        assert!(held.iter().all(entered));
        assert!(matches!(lanes.enter(&slow, NOW), Entry::Full));
        assert!(entered(&lanes.enter(&quick, NOW)));
        assert_eq!(lanes.closed(NOW), std::slice::from_ref(&slow));
        drop(held);
        assert!(entered(&lanes.enter(&slow, NOW)));
        assert_eq!(lanes.closed(NOW), []);
    }

    #[test]
    fn a_platform_that_failed_rests_twice_as_long_each_time_and_five_minutes_at_most() {
        let lanes = lanes();
        let one = PlatformId::from("one");
        let mut now = NOW;
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            lanes.failed(&one, None, now, 1.0);
            // Those that were under way beside it.
            lanes.failed(&one, None, now, 1.0);
            let until = now + TimeDelta::seconds(seconds);
            assert!(
                matches!(lanes.enter(&one, now), Entry::Rests(at) if at == until),
                "{seconds}"
            );
            assert_eq!(lanes.closed(now), std::slice::from_ref(&one));
            let breaker = lanes.breaker(&one, now);
            assert_eq!((breaker.state, breaker.until), (BreakerState::Open, Some(until)));
            now = until;
            assert_eq!(lanes.breaker(&one, now).state, BreakerState::HalfOpen);
        }
        assert!(lanes.wake(&one), "so often is not by chance");
        assert_eq!(lanes.breaker(&one, now).state, BreakerState::Closed);
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through_and_closes_when_it_is_taken() {
        let lanes = lanes();
        let one = PlatformId::from("one");
        lanes.failed(&one, None, NOW, 1.0);
        let later = NOW + TimeDelta::seconds(5);
        let probe = lanes.enter(&one, later);
        assert!(entered(&probe));
        assert!(matches!(lanes.enter(&one, later), Entry::Full), "one probe, not two");
        assert_eq!(lanes.closed(later), std::slice::from_ref(&one));
        drop(probe);
        // It found nobody to call: the next one is the probe.
        let probe = lanes.enter(&one, later);
        assert!(entered(&probe));
        assert!(!lanes.wake(&one), "once may be one CDR it cannot digest");
        assert!(entered(&lanes.enter(&one, later)), "and the others go on beside it");
    }

    #[test]
    fn a_wish_for_patience_is_obeyed_for_the_whole_platform_up_to_the_longest_retry() {
        let lanes = lanes();
        let one = PlatformId::from("one");
        lanes.failed(&one, Some(Duration::from_secs(60)), NOW, 0.0);
        assert_eq!(lanes.breaker(&one, NOW).until, Some(NOW + TimeDelta::seconds(60)));
        lanes.failed(&one, Some(Duration::from_secs(86_400)), NOW, 0.0);
        assert_eq!(lanes.breaker(&one, NOW).until, Some(NOW + TimeDelta::seconds(3600)));
    }

    #[test]
    fn lanes_of_platforms_that_are_well_and_idle_are_forgotten() {
        let lanes = lanes();
        for number in 0..1000 {
            let platform = PlatformId::from(number.to_string().as_str());
            let place = lanes.enter(&platform, NOW);
            if number % 2 == 0 {
                lanes.failed(&platform, None, NOW, 0.0);
                lanes.wake(&platform);
            }
            drop(place);
        }
        assert_eq!(lock(&lanes.lanes).len(), 0);
    }
}
