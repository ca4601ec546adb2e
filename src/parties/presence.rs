//! Who is awake: what moves a platform between CONNECTED and OFFLINE.
//!
//! ```text
//!            failures_until_offline calls or checks in a row that reached nobody
//!  CONNECTED ───────────────────────────────────────────────────────────────► OFFLINE
//!            ◄───────────────────────────────────────────────────────────────
//!            one answer, one successful check, or any authenticated request of theirs (HCI-09)
//! ```
//!
//! This is the knowledge of one process and starts anew with it: a connection is believed in until proven otherwise.
//! PLANNED and SUSPENDED platforms are never called, and nothing heard from them moves them (R-43, HCI-17).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::broadcast;

use super::directory::Current;
use super::line::Line;
use crate::clock::SharedClock;
use crate::ocpi::ids::PlatformId;
use crate::routing::directory::{Platform, PlatformStatus};

/// When a silent platform is looked after (`[presence]`).
#[derive(Clone, Debug)]
pub struct PresenceSettings {
    /// Silence after which a CONNECTED platform is checked (HCI-08).
    pub idle_check: Duration,
    /// The distance between two checks of one platform.
    pub check_interval: Duration,
    /// Failures in a row that make a platform OFFLINE (HCI-10).
    pub failures_until_offline: u32,
}

/// A platform went to sleep or woke up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceChange {
    /// Which platform.
    pub platform: PlatformId,
    /// CONNECTED or OFFLINE.
    pub status: PlatformStatus,
}

/// The evidence of life of every platform.
pub struct Presence {
    current: Current,
    clock: SharedClock,
    settings: PresenceSettings,
    pulses: RwLock<HashMap<PlatformId, Arc<Pulse>>>,
    changes: broadcast::Sender<PresenceChange>,
}

/// What is known about one platform; instants in microseconds since 1970.
struct Pulse {
    heard_at: AtomicI64,
    checked_at: AtomicI64,
    failures: AtomicU32,
    offline: AtomicBool,
    checking: AtomicBool,
}

impl Presence {
    pub(super) fn new(current: Current, clock: SharedClock, settings: PresenceSettings) -> Presence {
        // 256 changes: a listener that falls behind by more looks at the directory instead.
        let (changes, _) = broadcast::channel(256);
        Presence {
            current,
            clock,
            settings,
            pulses: RwLock::default(),
            changes,
        }
    }

    /// Every change from here on. A receiver that lags reads the directory once and goes on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<PresenceChange> {
        self.changes.subscribe()
    }

    /// The platform called, or answered: it is awake.
    pub fn heard(&self, id: &PlatformId) {
        let pulse = self.pulse(id);
        pulse.heard_at.store(self.now(), Ordering::Relaxed);
        pulse.failures.store(0, Ordering::Relaxed);
        if pulse.offline.swap(false, Ordering::Relaxed) {
            self.announce(id, PlatformStatus::Connected);
        }
    }

    /// Nobody answered at the platform's address.
    pub fn unreachable(&self, id: &PlatformId) {
        let pulse = self.pulse(id);
        let failures = pulse.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        // Checks follow at their interval from here on, not only after long silence.
        pulse.checked_at.store(self.now(), Ordering::Relaxed);
        if failures >= self.settings.failures_until_offline && !pulse.offline.swap(true, Ordering::Relaxed) {
            self.announce(id, PlatformStatus::Offline);
        }
    }

    /// A fresh registration, or the end of one: what was known counts no more, and silence is counted from here.
    pub(super) fn begin_anew(&self, id: &PlatformId) {
        let fresh = Arc::new(Pulse::new(self.now()));
        let before = self
            .pulses
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone(), fresh);
        if before.is_some_and(|pulse| pulse.offline.load(Ordering::Relaxed)) {
            self.announce(id, PlatformStatus::Connected);
        }
    }

    /// A deleted platform leaves nothing.
    pub(super) fn forget(&self, id: &PlatformId) {
        self.pulses.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The platforms this process found asleep.
    pub(super) fn offline(&self) -> Vec<PlatformId> {
        let pulses = self.pulses.read().unwrap_or_else(PoisonError::into_inner);
        pulses
            .iter()
            .filter(|(_, pulse)| pulse.offline.load(Ordering::Relaxed))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Starts the alive checks that are due (GET of the versions URL, HCI-08, V-11). Returns at once; one check per
    /// platform at a time, so that a stalled peer holds up nobody else.
    pub(super) fn look_around(self: &Arc<Self>, line: &Arc<Line>) {
        for platform in self.current.get().directory().platforms() {
            if !platform.status.is_registered() || !self.is_due(platform) {
                continue;
            }
            let pulse = self.pulse(&platform.id);
            if pulse.checking.swap(true, Ordering::Relaxed) {
                continue;
            }
            pulse.checked_at.store(self.now(), Ordering::Relaxed);
            let (presence, line, platform) = (self.clone(), line.clone(), platform.clone());
            tokio::spawn(async move {
                if line.is_alive(&platform).await {
                    presence.heard(&platform.id);
                } else {
                    presence.unreachable(&platform.id);
                }
                pulse.checking.store(false, Ordering::Relaxed);
            });
        }
    }

    fn is_due(&self, platform: &Platform) -> bool {
        let pulse = self.pulse(&platform.id);
        let now = self.now();
        let rested = now - pulse.checked_at.load(Ordering::Relaxed) >= micros(self.settings.check_interval);
        let doubtful = pulse.offline.load(Ordering::Relaxed) || pulse.failures.load(Ordering::Relaxed) > 0;
        let silent = now - pulse.heard_at.load(Ordering::Relaxed) >= micros(self.settings.idle_check);
        rested && (doubtful || silent)
    }

    fn pulse(&self, id: &PlatformId) -> Arc<Pulse> {
        if let Some(pulse) = self.pulses.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return pulse.clone();
        }
        let mut pulses = self.pulses.write().unwrap_or_else(PoisonError::into_inner);
        pulses
            .entry(id.clone())
            .or_insert_with(|| Arc::new(Pulse::new(self.now())))
            .clone()
    }

    fn announce(&self, id: &PlatformId, status: PlatformStatus) {
        log::info!("platform {id} is {}", status.as_str());
        self.current.set_liveness(id, status == PlatformStatus::Offline);
        // Nobody listening is no error.
        let _ = self.changes.send(PresenceChange {
            platform: id.clone(),
            status,
        });
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_micros()
    }
}

impl Pulse {
    /// The benefit of the doubt: as if just heard.
    fn new(now: i64) -> Pulse {
        Pulse {
            heard_at: AtomicI64::new(now),
            checked_at: AtomicI64::new(now),
            failures: AtomicU32::new(0),
            offline: AtomicBool::new(false),
            checking: AtomicBool::new(false),
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
