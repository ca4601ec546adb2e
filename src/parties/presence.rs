//! Who is awake: what moves a platform between CONNECTED and OFFLINE.
//!
//! ```text
//!            failures_until_offline calls or checks in a row that reached nobody
//!  CONNECTED ───────────────────────────────────────────────────────────────► OFFLINE ──► written down and told
//!            ◄───────────────────────────────────────────────────────────────         once a check says so too
//!            one answer, one successful check, or any authenticated request of theirs (HCI-09)
//! ```
//!
//! This process acts on what it sees at once: a platform that reached nobody twice gets nothing but checks (R-43). It is written
//! down, and others are told, only when an alive check fails as well, the first failure and that check lying apart as far as
//! `failures_until_offline` checks do: a peer that restarts its server in between is nobody's news (HCI-10, D-21). What is
//! written down is where the next process, and the next start, begin.
//!
//! A call that timed out does not count by itself, since one slow module is no absent platform; but it makes the alive check due
//! at once, and an alive check that times out counts like one that reached nobody.
//!
//! PLANNED and SUSPENDED platforms are never called, and nothing heard from them moves them (R-43, HCI-17).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

use super::directory::Current;
use super::line::Line;
use crate::clock::SharedClock;
use crate::ocpi::ids::PlatformId;
use crate::routing::directory::{Directory, Platform, PlatformStatus};
use crate::store::{Checked, Store, StoreError};

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

/// A platform went to sleep, woke up or registered. Every process hears of it, whoever noticed: what is done then must bear
/// being done twice.
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
    news: Notify,
}

/// What is known about one platform; instants in microseconds since 1970.
struct Pulse {
    heard_at: AtomicI64,
    checked_at: AtomicI64,
    /// When the last check of another process ended that counted here.
    told_at: AtomicI64,
    failures: AtomicU32,
    /// When the first of the failures in a row was.
    failing_since: AtomicI64,
    /// A call timed out: look sooner.
    doubtful: AtomicBool,
    checking: AtomicBool,
    /// The same as in `belief`, for those who pass by often.
    offline: AtomicBool,
    belief: Mutex<Belief>,
}

/// What this process holds to be true, and whether the others know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Belief {
    offline: bool,
    since: i64,
    spread: Spread,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// It is what is written down.
    Known,
    /// Two failures within a moment: it is acted upon and told to nobody before a check says so too.
    Unconfirmed,
    /// To be written down.
    News,
}

/// A transition that is to be written down.
pub(super) struct News {
    platform: PlatformId,
    pulse: Arc<Pulse>,
    belief: Belief,
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
            news: Notify::new(),
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
        pulse.doubtful.store(false, Ordering::Relaxed);
        if pulse.offline.load(Ordering::Relaxed) && self.believe(&pulse, false, Spread::News) {
            self.announce(id, PlatformStatus::Connected);
        }
    }

    /// Nobody answered at the platform's address.
    pub fn unreachable(&self, id: &PlatformId) {
        self.failed(id, false);
    }

    /// The platform took a request and did not answer it in time.
    pub fn stalled(&self, id: &PlatformId) {
        self.pulse(id).doubtful.store(true, Ordering::Relaxed);
    }

    fn failed(&self, id: &PlatformId, by_check: bool) {
        let pulse = self.pulse(id);
        let now = self.now();
        let failures = pulse.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures == 1 {
            pulse.failing_since.store(now, Ordering::Relaxed);
            // Checks follow at their interval from here on, not only after long silence.
            pulse.checked_at.store(now, Ordering::Relaxed);
        }
        if failures < self.settings.failures_until_offline {
            return;
        }
        let checks_apart = self.settings.check_interval * self.settings.failures_until_offline.saturating_sub(1);
        let lasted = now - pulse.failing_since.load(Ordering::Relaxed) >= micros(checks_apart);
        let spread = if by_check && lasted {
            Spread::News
        } else {
            Spread::Unconfirmed
        };
        if self.believe(&pulse, true, spread) {
            self.announce(id, PlatformStatus::Offline);
        }
    }

    /// Takes up a belief, or confirms the one there is. True when it is another one than before.
    fn believe(&self, pulse: &Pulse, offline: bool, spread: Spread) -> bool {
        let mut belief = pulse.belief.lock().unwrap_or_else(PoisonError::into_inner);
        let turned = belief.offline != offline;
        if turned {
            // An OFFLINE that nobody was told of ends without a word.
            let unknown = belief.spread == Spread::Unconfirmed;
            *belief = Belief {
                offline,
                since: self.now(),
                spread: if unknown { Spread::Known } else { spread },
            };
            pulse.offline.store(offline, Ordering::Relaxed);
        } else if belief.spread == Spread::Unconfirmed && spread == Spread::News {
            belief.spread = Spread::News;
        }
        if belief.spread == Spread::News {
            self.news.notify_one();
        }
        turned
    }

    /// A fresh registration, or the end of one: what was known counts no more, and silence is counted from here.
    pub(super) fn begin_anew(&self, id: &PlatformId) {
        let fresh = Arc::new(Pulse::new(self.now(), false));
        self.pulses
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone(), fresh);
    }

    /// A deleted platform leaves nothing.
    pub(super) fn forget(&self, id: &PlatformId) {
        self.pulses.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Waits until there is something to write down.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Writes down what is not written down yet. True when something was, so that the directory has moved.
    pub(super) async fn write_down(&self, store: &Store) -> Result<bool, StoreError> {
        let mut moved = false;
        for News {
            platform,
            pulse,
            belief,
        } in self.all_news()
        {
            let status = status_of(belief.offline);
            let since = chrono::DateTime::from_timestamp_micros(belief.since).unwrap_or_else(|| self.clock.now());
            moved |= store.presence_move(platform.as_str(), status.as_str(), since).await?;
            let mut now = pulse.belief.lock().unwrap_or_else(PoisonError::into_inner);
            if *now == belief {
                now.spread = Spread::Known;
            }
        }
        Ok(moved)
    }

    fn all_news(&self) -> Vec<News> {
        let pulses = self.pulses.read().unwrap_or_else(PoisonError::into_inner);
        let news = pulses.iter().filter_map(|(platform, pulse)| {
            let belief = *pulse.belief.lock().unwrap_or_else(PoisonError::into_inner);
            (belief.spread == Spread::News).then(|| News {
                platform: platform.clone(),
                pulse: pulse.clone(),
                belief,
            })
        });
        news.collect()
    }

    /// Takes over what is written down, where this process does not know better, and returns where it does: who is asleep, and who
    /// is not.
    pub(super) fn adopt(&self, written: &Directory) -> Vec<(PlatformId, bool)> {
        let mut better = Vec::new();
        for platform in written.platforms() {
            let offline = platform.status == PlatformStatus::Offline;
            let pulse = self.pulse_as(&platform.id, || offline);
            let mut belief = pulse.belief.lock().unwrap_or_else(PoisonError::into_inner);
            if belief.spread == Spread::Known || !platform.status.is_registered() || belief.offline == offline {
                if belief.offline && !offline {
                    // Others have heard it: their word counts as well as our failures.
                    pulse.failures.store(0, Ordering::Relaxed);
                }
                *belief = Belief {
                    offline,
                    since: belief.since,
                    spread: Spread::Known,
                };
                pulse.offline.store(offline, Ordering::Relaxed);
            } else {
                better.push((platform.id.clone(), belief.offline));
            }
        }
        better
    }

    /// Starts the alive checks that are due (GET of the versions URL, HCI-08, V-11). Returns at once; one check per
    /// platform at a time, so that a stalled peer holds up nobody else. Of several processes one makes the check, and the
    /// others take its word.
    pub(super) fn look_around(self: &Arc<Self>, line: &Arc<Line>, store: &Store) {
        for platform in self.current.get().directory().platforms() {
            if !platform.status.is_registered() || !self.is_due(platform) {
                continue;
            }
            let pulse = self.pulse(&platform.id);
            if pulse.checking.swap(true, Ordering::Relaxed) {
                continue;
            }
            let begun = self.now();
            pulse.checked_at.store(begun, Ordering::Relaxed);
            let (presence, line, platform, store) = (self.clone(), line.clone(), platform.clone(), store.clone());
            tokio::spawn(async move {
                presence.look_after(&platform, &pulse, begun, &line, &store).await;
                pulse.checking.store(false, Ordering::Relaxed);
            });
        }
    }

    async fn look_after(&self, platform: &Platform, pulse: &Pulse, begun: i64, line: &Line, store: &Store) {
        let now = self.clock.now();
        let interval = chrono::TimeDelta::from_std(self.settings.check_interval).unwrap_or(chrono::TimeDelta::MAX);
        let (ended_at, is_alive) = match store.presence_check(platform.id.as_str(), now, now + interval).await {
            Ok(Checked::ByOthers(None)) => return,
            Ok(Checked::ByOthers(Some((ended_at, is_alive)))) => {
                let ended_at = ended_at.timestamp_micros();
                if pulse.told_at.fetch_max(ended_at, Ordering::Relaxed) >= ended_at {
                    return;
                }
                (ended_at, is_alive)
            }
            checked => {
                if let Err(error) = checked {
                    // Twice is better than not at all.
                    log::warn!("asking who looks after platform {}: {error}", platform.id);
                }
                let is_alive = line.is_alive(platform).await;
                let ended_at = self.clock.now();
                if let Err(error) = store.presence_checked(platform.id.as_str(), ended_at, is_alive).await {
                    log::warn!("noting the check of platform {}: {error}", platform.id);
                }
                (begun, is_alive)
            }
        };
        // The younger evidence counts: a request of theirs that came in meanwhile, a failure after somebody else's check.
        if is_alive && pulse.failing_since.load(Ordering::Relaxed) <= ended_at {
            self.heard(&platform.id);
        } else if !is_alive && pulse.heard_at.load(Ordering::Relaxed) <= ended_at {
            self.failed(&platform.id, true);
        }
    }

    fn is_due(&self, platform: &Platform) -> bool {
        let pulse = self.pulse(&platform.id);
        let now = self.now();
        let rested = now - pulse.checked_at.load(Ordering::Relaxed) >= micros(self.settings.check_interval);
        let doubtful = pulse.offline.load(Ordering::Relaxed)
            || pulse.failures.load(Ordering::Relaxed) > 0
            || pulse.doubtful.load(Ordering::Relaxed);
        let silent = now - pulse.heard_at.load(Ordering::Relaxed) >= micros(self.settings.idle_check);
        rested && (doubtful || silent)
    }

    fn pulse(&self, id: &PlatformId) -> Arc<Pulse> {
        self.pulse_as(id, || {
            let platform = self.current.get().directory().platform(id);
            platform.is_some_and(|platform| platform.status == PlatformStatus::Offline)
        })
    }

    /// The pulse of a platform; the first time it is asked for, it begins with what is written down.
    fn pulse_as(&self, id: &PlatformId, is_offline: impl FnOnce() -> bool) -> Arc<Pulse> {
        if let Some(pulse) = self.pulses.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return pulse.clone();
        }
        let offline = is_offline();
        let mut pulses = self.pulses.write().unwrap_or_else(PoisonError::into_inner);
        pulses
            .entry(id.clone())
            .or_insert_with(|| Arc::new(Pulse::new(self.now(), offline)))
            .clone()
    }

    fn announce(&self, id: &PlatformId, status: PlatformStatus) {
        self.current.set_liveness(id, status == PlatformStatus::Offline);
        self.tell(id, status);
    }

    /// Tells this process.
    pub(super) fn tell(&self, id: &PlatformId, status: PlatformStatus) {
        log::info!("platform {id} is {}", status.as_str());
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
    /// The benefit of the doubt: as if just heard, unless it is known to be asleep.
    fn new(now: i64, offline: bool) -> Pulse {
        Pulse {
            heard_at: AtomicI64::new(now),
            checked_at: AtomicI64::new(now),
            told_at: AtomicI64::new(now),
            failures: AtomicU32::new(0),
            failing_since: AtomicI64::new(now),
            doubtful: AtomicBool::new(false),
            checking: AtomicBool::new(false),
            offline: AtomicBool::new(offline),
            belief: Mutex::new(Belief {
                offline,
                since: now,
                spread: Spread::Known,
            }),
        }
    }
}

fn status_of(offline: bool) -> PlatformStatus {
    if offline {
        PlatformStatus::Offline
    } else {
        PlatformStatus::Connected
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
