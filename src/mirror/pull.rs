//! Fetching what data owners offer: after a registration, after an absence, and every day or so (N-02, T-34, T-36).
//!
//! ```text
//!  was away ─┐
//!  never read ├─► due ─► leased ─► page by page ─► how far it was read ─► due again in a day, give or take
//!  a day old ─┘                     └─ broken off: what was taken stays, once more in some minutes
//! ```
//!
//! Every owner on a platform is asked separately (D-18): `to` is the owner, `from` the hub. What was read before is not read again:
//! `date_from` is when the owner's server began to answer the time before. Tariffs are read whole each time, because what was deleted
//! shows only by not being there.
//!
//! Few are read at once, each for a turn: an owner whose pages are slow, or have no end, gives way to whoever waits, and is read on later
//! where its turn ended ([`crawl`]). Owners on one platform take turns too. Between turns it is this process's; should it end, another one
//! begins anew.
//!
//! Whatever a server sends, the hub lives with it: a bad object costs itself (T-32), a foreign one is passed over (T-31), a page that
//! is none ends the reading (F-06), and pages have a bound ([`crawl`]). What is fetched is kept and not sent on: whoever wants to hear
//! of changes at once pushes them.

mod crawl;
mod page;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use uuid::Uuid;

use self::crawl::{List, Reading, Turn};
use super::Mirror;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::modules::{LOCATIONS, Module, TARIFFS, TOKENS};
use crate::ocpi::role::InterfaceRole;
use crate::parties::Fault;
use crate::routing::audience::owners_on;
use crate::routing::directory::{Platform, PlatformStatus};
use crate::store::{PullEnd, PullKey, PullRow};

/// What is fetched, in an order in which nothing refers to what is not there yet.
const FETCHED: [&Module; 3] = [&TARIFFS, &LOCATIONS, &TOKENS];
/// Lists read at once, one of a platform at most.
const AT_ONCE: usize = 4;
/// Between two looks at who is there.
const TICK: Duration = Duration::from_secs(1);
/// The first wait after a reading that broke off; doubles, up to the usual interval.
const AFTER_A_FAILURE: TimeDelta = TimeDelta::minutes(5);
/// Longer than any page may take; renewed with each.
const LEASE: TimeDelta = TimeDelta::minutes(3);
/// How often it is renewed while a turn is waited for.
const RENEWAL: Duration = Duration::from_secs(60);

/// Who is being read, and when who is due, as far as this process knows. The truth about both is in the database.
struct Watch {
    owner: String,
    connected: HashSet<PlatformId>,
    due: Arc<Mutex<Due>>,
    under_way: Arc<Mutex<HashSet<PlatformId>>>,
    room: Arc<Semaphore>,
}

type Due = HashMap<PullKey, DateTime<Utc>>;
type Offer = (&'static Module, PartyId, PullKey);

/// A reading under way.
struct Begun {
    row: PullRow,
    /// The endpoint.
    url: String,
    reading: Reading,
}

/// What is next for a list.
enum Next {
    /// A turn.
    Reads(Box<Begun>),
    /// Nothing before that instant.
    At(DateTime<Utc>),
}

impl Mirror {
    /// Fetches what is due, until the process ends or the task is aborted; what it was reading then is read again by another process, or
    /// after the next start.
    pub async fn follow(self: Arc<Mirror>) {
        let mut watch = Watch {
            owner: Uuid::new_v4().to_string(),
            connected: HashSet::new(),
            due: Arc::default(),
            under_way: Arc::default(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        };
        let mut changes = self.parties.presence().changes();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                change = changes.recv() => match change {
                    Ok(change) if change.status == PlatformStatus::Connected => {
                        watch.connected.remove(&change.platform);
                    }
                    // Too many changes to keep: everybody may have been away.
                    Err(broadcast::error::RecvError::Lagged(_)) => watch.connected.clear(),
                    Err(broadcast::error::RecvError::Closed) => tokio::time::sleep(TICK).await,
                    Ok(_) => {}
                },
            }
            self.look(&mut watch).await;
        }
    }

    /// Who came back is due; who is due is read, one reader per platform.
    async fn look(self: &Arc<Self>, watch: &mut Watch) {
        let snapshot = self.parties.snapshot();
        let platforms: Vec<Arc<Platform>> = snapshot.directory().platforms().cloned().collect();
        let now = self.clock.now();
        watch.connected.retain(|id| {
            platforms
                .iter()
                .any(|platform| platform.id == *id && platform.status == PlatformStatus::Connected)
        });
        for platform in platforms {
            if platform.status != PlatformStatus::Connected {
                continue;
            }
            if !watch.connected.contains(&platform.id) {
                // First seen, registered anew, or back from an absence (T-34).
                if let Err(error) = self.store.pulls_due(platform.id.as_str(), now).await {
                    log::error!("making the pulls of platform {} due: {error}", platform.id);
                    continue;
                }
                lock(&watch.due).retain(|key, _| key.platform_id != platform.id.as_str());
                watch.connected.insert(platform.id.clone());
            }
            let due = offers(&platform).any(|(_, _, key)| lock(&watch.due).get(&key).is_none_or(|due| *due <= now));
            if !due || !lock(&watch.under_way).insert(platform.id.clone()) {
                continue;
            }
            let (mirror, reader, room) = (self.clone(), watch.owner.clone(), watch.room.clone());
            let (under_way, due) = (watch.under_way.clone(), watch.due.clone());
            tokio::spawn(async move {
                mirror.read_platform(&platform, &reader, &room, &due).await;
                lock(&under_way).remove(&platform.id);
            });
        }
    }

    /// Reads what is due of a platform, one list after the other, each for a turn, until all are read.
    async fn read_platform(&self, platform: &Platform, reader: &str, room: &Arc<Semaphore>, due: &Mutex<Due>) {
        let mut lists: VecDeque<(Offer, Option<Begun>)> = offers(platform).map(|offer| (offer, None)).collect();
        while let Some((offer, begun)) = lists.pop_front() {
            let (module, owner, key) = &offer;
            let list = List {
                platform,
                module,
                owner,
                key,
                reader,
            };
            let next = match begun {
                Some(begun) => {
                    let _room = self.wait(room, &list, &lists).await;
                    self.take_turn(&list, begun).await
                }
                None => match self.begin(&list).await {
                    Ok(Next::Reads(begun)) => {
                        let _room = self.wait(room, &list, &lists).await;
                        self.take_turn(&list, *begun).await
                    }
                    other => other,
                },
            };
            match next {
                Ok(Next::Reads(begun)) => lists.push_back((offer, Some(*begun))),
                Ok(Next::At(at)) => {
                    lock(due).insert(offer.2, at);
                }
                Err(fault) => {
                    log::error!("{}", fault.chain());
                    lock(due).insert(offer.2, self.clock.now() + TimeDelta::seconds(30));
                }
            }
        }
    }

    /// Waits for a place among those who read. What this platform's other lists have begun stays this process's meanwhile.
    async fn wait(
        &self,
        room: &Arc<Semaphore>,
        list: &List<'_>,
        others: &VecDeque<(Offer, Option<Begun>)>,
    ) -> Option<OwnedSemaphorePermit> {
        let place = room.clone().acquire_owned();
        tokio::pin!(place);
        loop {
            // Whoever is lost by then finds out in its own turn.
            let _ = self.keep_reading(list).await;
            for ((module, owner, key), _) in others.iter().filter(|(_, begun)| begun.is_some()) {
                let other = List {
                    module,
                    owner,
                    key,
                    ..*list
                };
                let _ = self.keep_reading(&other).await;
            }
            // Never closed; were it, reading would go on all the same.
            if let Ok(place) = tokio::time::timeout(RENEWAL, &mut place).await {
                return place.ok();
            }
        }
    }

    /// Begins to read a list, if it is due and nobody else's.
    async fn begin(&self, list: &List<'_>) -> Result<Next, Fault> {
        let now = self.clock.now();
        let begun = self
            .store
            .pull_begin(list.key.clone(), list.reader, now, now + LEASE)
            .await;
        let Some(row) = begun.map_err(|error| Fault::new("beginning a pull", error))? else {
            let known = self.store.pull_get(list.key.clone()).await;
            let known = known.map_err(|error| Fault::new("reading when a pull is due", error))?;
            // Due and not to be had: somebody else is at it.
            let due_at = known.map_or(now, |row| row.due_at);
            return Ok(Next::At(due_at.max(now + TimeDelta::minutes(1))));
        };
        let url = list
            .platform
            .endpoint(list.module.identifier, InterfaceRole::Sender)
            .unwrap_or_default()
            .to_owned();
        let since = row.date_from.filter(|_| row.url == url && list.module != &TARIFFS);
        match self.begin_reading(list, since) {
            Ok(reading) => Ok(Next::Reads(Box::new(Begun { row, url, reading }))),
            Err(broken) => self.ended(list, &row, url, Err(broken)).await.map(Next::At),
        }
    }

    async fn take_turn(&self, list: &List<'_>, mut begun: Begun) -> Result<Next, Fault> {
        let outcome = match self.read_on(list, &mut begun.reading).await {
            Ok(Turn::More) => {
                log::info!(
                    platform = list.platform.id.as_str();
                    "fetching {} of {} goes on in its next turn: {}", list.module.identifier, list.owner, begun.reading
                );
                return Ok(Next::Reads(Box::new(begun)));
            }
            Ok(Turn::Done) => Ok(&begun.reading),
            Err(broken) => Err(broken),
        };
        self.ended(list, &begun.row, begun.url, outcome).await.map(Next::At)
    }

    /// Writes down how reading ended. When to read again.
    async fn ended(
        &self,
        list: &List<'_>,
        row: &PullRow,
        url: String,
        outcome: Result<&Reading, String>,
    ) -> Result<DateTime<Utc>, Fault> {
        let (module, owner, platform) = (list.module.identifier, list.owner, list.platform.id.as_str());
        let (outcome, date_from, failures) = match outcome {
            Ok(reading) => (reading.to_string(), Some(reading.began), 0),
            Err(broken) => {
                log::warn!(platform = platform; "fetching {module} of {owner} broke off: {broken}");
                let before = row.date_from.filter(|_| row.url == url);
                (format!("broke off: {broken}"), before, row.failures.saturating_add(1))
            }
        };
        log::info!(platform = platform; "fetched {module} of {owner}: {outcome}");
        let due_at = self.next(failures);
        let end = PullEnd {
            url,
            date_from,
            failures,
            due_at,
            outcome,
            ended_at: self.clock.now(),
        };
        let kept = self.store.pull_end(list.key.clone(), list.reader, end).await;
        kept.map_err(|error| Fault::new("writing down how far a pull went", error))?;
        Ok(due_at)
    }

    fn next(&self, failures: i64) -> DateTime<Utc> {
        let usual = TimeDelta::from_std(self.settings.pull_interval).unwrap_or(TimeDelta::MAX);
        let wait = wait(usual, failures, Uuid::new_v4().as_u128());
        self.clock
            .now()
            .checked_add_signed(wait)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The usual interval, or after failures a shorter one that grows up to it; a tenth more or less by lot, so that peers of one hub, and
/// hubs of one peer, do not meet (T-36).
fn wait(usual: TimeDelta, failures: i64, lot: u128) -> TimeDelta {
    let steps = u32::try_from(failures.saturating_sub(1).clamp(0, 20)).unwrap_or(20);
    let base = if failures == 0 {
        usual
    } else {
        usual.min(TimeDelta::try_seconds(AFTER_A_FAILURE.num_seconds() << steps).unwrap_or(usual))
    };
    let thousandths = 900 + i64::try_from(lot % 201).unwrap_or(0);
    TimeDelta::try_milliseconds(base.num_milliseconds() / 1000 * thousandths).unwrap_or(base)
}

/// What a platform offers that the hub keeps: per module and owner.
fn offers(platform: &Platform) -> impl Iterator<Item = Offer> {
    FETCHED.into_iter().flat_map(move |module| {
        owners_on(platform, module).into_iter().map(move |party| {
            let key = PullKey {
                platform_id: platform.id.to_string(),
                module: module.identifier.to_owned(),
                party_key: party.key(),
            };
            (module, party, key)
        })
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-36
    #[test]
    fn one_looks_again_after_hours_with_jitter_and_sooner_after_a_failure() {
        let day = TimeDelta::hours(24);
        for lot in [0, 1, 77, 200, u128::MAX] {
            let usual = wait(day, 0, lot);
            assert!(usual >= day * 9 / 10 && usual <= day * 11 / 10, "{usual}");
            let soon = wait(day, 1, lot);
            assert!(
                soon >= AFTER_A_FAILURE * 9 / 10 && soon <= AFTER_A_FAILURE * 11 / 10,
                "{soon}"
            );
            assert!(wait(day, 2, lot) > soon && wait(day, 60, lot) <= day * 11 / 10);
        }
        assert_ne!(wait(day, 0, 3), wait(day, 0, 4));
    }
}
