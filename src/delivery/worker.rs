//! Look, lease, carry, settle; then wait to be nudged, or for the clock. Takes no input: what is due is in the database.
//!
//! Any number of processes may run a worker on one database. A lease is one conditional update, so no two make the same
//! attempt unless one of them fell asleep.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinHandle;

use super::Delivery;
use super::carry::{Owed, span};
use super::kinds;
use super::lanes::{Entry, IN_THE_AIR, PORTION};
use crate::ocpi::ids::PlatformId;
use crate::parties::Fault;
use crate::parties::presence::PresenceChange;
use crate::routing::directory::PlatformStatus;
use crate::store::outbox::{DutyRow, Portions};

/// A running worker. Dropping it leaves it running; [`Worker::stop`] ends it.
pub struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Starts the worker of this process.
#[must_use]
pub fn start(delivery: Arc<Delivery>) -> Worker {
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(run(delivery, stopped));
    Worker { stop, task }
}

impl Worker {
    /// Leases nothing more and waits until the attempts under way have ended, each within its own deadline.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await
            && error.is_panic()
        {
            log::error!("the delivery worker had died: {error}");
        }
    }
}

/// Between two looks when nobody nudges: duties left behind by another process are found this late at the latest.
const TICK: Duration = Duration::from_secs(1);

/// What the worker must know of an attempt, whatever kind of duty it was; it is settled already.
pub(super) enum Attempt {
    /// The platform answered about it: it is well.
    Taken,
    /// The platform is left alone for a while.
    NotTaken,
    /// Not its turn yet.
    Later(chrono::DateTime<chrono::Utc>),
    /// Nobody was called, or the lanes know already.
    Nothing,
}

async fn run(delivery: Arc<Delivery>, mut stopped: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(IN_THE_AIR));
    let mut changes = delivery.parties.presence().changes();
    loop {
        let more = match delivery.lease_and_start(&room).await {
            Ok(more) => more,
            Err(fault) => {
                log::error!("{}", fault.chain());
                false
            }
        };
        if *stopped.borrow() {
            break;
        }
        if more {
            continue;
        }
        tokio::select! {
            () = delivery.nudge.notified() => {}
            () = tokio::time::sleep(TICK) => {}
            change = changes.recv() => delivery.hear(change).await,
            _ = stopped.changed() => break,
        }
    }
    // Every attempt holds a place of the room: when all are free, all have ended.
    let _ = room.acquire_many(u32::try_from(IN_THE_AIR).unwrap_or(u32::MAX)).await;
}

impl Delivery {
    /// Leases what is due and starts it. True when there may be more.
    async fn lease_and_start(self: &Arc<Self>, room: &Arc<Semaphore>) -> Result<bool, Fault> {
        let free = room.available_permits();
        if free == 0 {
            // Wait for one to end rather than spin; a nudge can wait that long.
            drop(room.acquire().await);
            return Ok(true);
        }
        let now = self.clock.now();
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        // Each platform gets a portion, and one that would only give it back gets none: 10 000 duties for one keep nobody waiting.
        let portions = Portions {
            each: u32::try_from(PORTION).unwrap_or(u32::MAX),
            except: self.lanes.closed(now).iter().map(PlatformId::to_string).collect(),
        };
        let leased = self
            .store
            .duty_lease_fairly(&self.owner, now, now + span(self.horizons.lease), limit, &portions)
            .await
            .map_err(|error| Fault::new("leasing duties", error))?;
        let more = !leased.is_empty();
        for duty in leased {
            let Ok(place) = room.clone().try_acquire_owned() else {
                break;
            };
            let delivery = self.clone();
            tokio::spawn(async move {
                let _place = place;
                if let Err(fault) = delivery.attempt(&duty).await {
                    log::error!(duty = duty.id.as_str(); "{}", fault.chain());
                }
                // There is room for the next one.
                delivery.nudge();
            });
        }
        Ok(more)
    }

    async fn attempt(&self, duty: &DutyRow) -> Result<(), Fault> {
        let owed = Owed::of_row(duty);
        let now = self.clock.now();
        if duty.kind == kinds::CLIENT_INFO
            && let Some(first) = self.waits_until(duty).await?
        {
            return self.give_back(duty, first.max(now)).await;
        }
        let _lane = match self.lanes.enter(&owed.platform, now) {
            Entry::Enter(lane) => lane,
            Entry::Rests(until) => return self.give_back(duty, until).await,
            // Nothing more is leased for it while that is so; then it is this one's turn, and not that of another a second later.
            Entry::Full => return self.give_back(duty, now).await,
        };
        let attempt = match duty.kind.as_str() {
            kinds::CDR => self.carry_cdr(duty, &owed).await?,
            kinds::CLIENT_INFO => self.tell(duty).await?,
            kinds::CONFIRMATION => self.confirm(duty).await?,
            kinds::BROADCAST => self.catch_up(duty).await?,
            kinds::PUBLIC_KEYS | kinds::CDR_VALIDATIONS | kinds::SESSION => self.notify(duty).await?,
            other => return Err(Fault::found(format!("a duty of the unknown kind {other:?}"))),
        };
        match attempt {
            Attempt::Taken => self.went_well(&owed.platform).await,
            Attempt::NotTaken => self.went_wrong(&owed.platform, None),
            Attempt::Later(until) => self.give_back(duty, until).await?,
            Attempt::Nothing => {}
        }
        Ok(())
    }

    async fn carry_cdr(&self, duty: &DutyRow, owed: &Owed) -> Result<Attempt, Fault> {
        let Some(cdr) = self
            .store
            .cdr_by_row(&duty.object_id)
            .await
            .map_err(|error| Fault::new("reading a CDR that is owed", error))?
        else {
            return Err(Fault::found("a duty names a CDR that is not there"));
        };
        self.carry(&cdr, owed).await?;
        // How it went is already known to the lanes, as of a first attempt.
        Ok(Attempt::Nothing)
    }

    pub(super) async fn give_back(&self, duty: &DutyRow, until: chrono::DateTime<chrono::Utc>) -> Result<(), Fault> {
        self.store
            .duty_give_back(&duty.id, &self.owner, until)
            .await
            .map(|_| ())
            .map_err(|error| Fault::new("giving back a lease", error))
    }

    /// A platform that is back gets what it is owed at once (design.md 3.6.5).
    async fn hear(&self, change: Result<PresenceChange, broadcast::error::RecvError>) {
        let back = match change {
            Ok(change) if change.status == PlatformStatus::Connected => vec![change.platform],
            Ok(_) => Vec::new(),
            // Too many changes to keep: ask the directory who is there.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                let snapshot = self.parties.snapshot();
                let connected = snapshot
                    .directory()
                    .platforms()
                    .filter(|one| one.status == PlatformStatus::Connected);
                connected.map(|one| one.id.clone()).collect()
            }
            Err(broadcast::error::RecvError::Closed) => {
                tokio::time::sleep(TICK).await;
                Vec::new()
            }
        };
        for platform in back {
            self.lanes.wake(&platform);
            if let Err(error) = self.store.duties_nudge(platform.as_str(), self.clock.now()).await {
                log::error!("nudging the duties of platform {platform}: {error}");
            }
        }
    }
}
