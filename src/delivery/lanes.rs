//! How many of a platform's duties are in the air, and how long it is left alone after a failure.
//!
//! Knowledge of one process about the worker's own attempts; it only spares work. First attempts do not pass here: their
//! sender waits, and presence already keeps them from platforms that are away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ocpi::ids::PlatformId;

/// Attempts by the worker for one platform at a time. Four keep a healthy receiver busy over a slow line and are few enough
/// that a stalled one holds only a sixteenth of [`IN_THE_AIR`].
const PER_PLATFORM: usize = 4;

/// Attempts by the worker over all platforms at a time.
pub const IN_THE_AIR: usize = 64;

/// The lanes of all platforms.
#[derive(Default)]
pub struct Lanes(Mutex<HashMap<PlatformId, Lane>>);

struct Lane {
    free: Arc<Semaphore>,
    rests_until: Option<DateTime<Utc>>,
}

/// Whether a duty may be carried now.
#[derive(Debug)]
pub enum Entry {
    /// Go ahead; the place is given back when this is dropped.
    Enter(OwnedSemaphorePermit),
    /// Not before then.
    Rests(DateTime<Utc>),
    /// As many are under way as may be.
    Full,
}

impl Lanes {
    /// A place in the lane of a platform.
    pub fn enter(&self, platform: &PlatformId, now: DateTime<Utc>) -> Entry {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(platform.clone()).or_insert_with(Lane::new);
        if let Some(until) = lane.rests_until.filter(|until| now < *until) {
            return Entry::Rests(until);
        }
        lane.free.clone().try_acquire_owned().map_or(Entry::Full, Entry::Enter)
    }

    /// The platform did not take something: leave it alone until then.
    pub fn rest(&self, platform: &PlatformId, until: DateTime<Utc>) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(platform.clone()).or_insert_with(Lane::new).rests_until = Some(until);
    }

    /// The platform took something, or is back.
    pub fn wake(&self, platform: &PlatformId) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get_mut(platform) {
            lane.rests_until = None;
        }
    }
}

impl Lane {
    fn new() -> Lane {
        Lane {
            free: Arc::new(Semaphore::new(PER_PLATFORM)),
            rests_until: None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_stalled_platform_holds_its_own_lane_only() {
        //
        let lanes = Lanes::default();
        let (slow, quick) = (PlatformId::from("slow"), PlatformId::from("quick"));
        let now = DateTime::UNIX_EPOCH;
        let held: Vec<_> = (0..PER_PLATFORM).map(|_| lanes.enter(&slow, now)).collect();
        assert!(held.iter().all(|one| matches!(one, Entry::Enter(_))));
        assert!(matches!(lanes.enter(&slow, now), Entry::Full));
        assert!(matches!(lanes.enter(&quick, now), Entry::Enter(_)));
        drop(held);
        assert!(matches!(lanes.enter(&slow, now), Entry::Enter(_)));
    }

    #[test]
    fn a_platform_that_failed_rests_until_its_time_or_until_it_is_back() {
        let lanes = Lanes::default();
        let one = PlatformId::from("one");
        let now = DateTime::UNIX_EPOCH;
        let later = now + TimeDelta::seconds(5);
        lanes.rest(&one, later);
        assert!(matches!(lanes.enter(&one, now), Entry::Rests(until) if until == later));
        assert!(matches!(lanes.enter(&one, later), Entry::Enter(_)));
        lanes.rest(&one, later);
        lanes.wake(&one);
        assert!(matches!(lanes.enter(&one, now), Entry::Enter(_)));
    }
}
