//! Copies: what was pushed to everybody, carried to each of them at once, in order per object, and never twice by intention.
//!
//! ```text
//!  commit (object and copy) ──► a leg per receiving party ──► platform's lane ──► sent ──► last leg ended: the row goes
//!                                                              │  one leg per object at a time, a few objects at once
//!                                                              └─ full: the oldest superseded leg is let go (D-16)
//! ```
//!
//! The sender was answered at the commit and hears nothing of this (R-56, R-57). A leg is sent once; whoever is away, refuses, or does
//! not answer catches up by asking (R-61, T-34). A lane belongs to one platform, so that one that never answers holds up itself
//! ([`lane`]): after a deadline that passed unanswered it is spoken to one leg at a time until it answers.
//!
//! The row is for the crash: this process renews its lease while a leg is under way; when it dies, another one takes the row over and
//! sends to everybody again, in order. At least once, therefore: OCPI's pushes are states, and a state may be told twice.
//!
//! Two processes may have copies of one object. The later one waits until the earlier one's row is gone ([`Copies::carry`]).

pub mod lane;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedMutexGuard, Semaphore};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::order::{Object, Order};
use crate::client::Method;
use crate::client::outcome::Outcome;
use crate::clock::SharedClock;
use crate::ocpi::envelope;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::modules::{self, TOKENS};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::parties::line::{Call, Target};
use crate::parties::{Fault, Parties};
use crate::routing::audience::{Hearer, hearers};
use crate::routing::directory::PlatformStatus;
use crate::store::journal::JournalEntry;
use crate::store::{CopyRow, Store, StoreError};
use lane::{Ended, Lanes, Leg};

/// Legs under way over all platforms. With eight a platform at most, 128 stalled platforms would fill it; each of them is down to one
/// leg after its first unanswered one.
const IN_THE_AIR: usize = 1024;

/// A copy nobody renews for so long is taken over; half the horizon of one minute, so that looking for it fits into the other half.
const LEASE: Duration = Duration::from_secs(30);
/// What is older is not sent any more (design.md 2).
const HORIZON: TimeDelta = TimeDelta::minutes(1);
/// How often leases are renewed, and left-behind copies looked for.
const ROUND: Duration = Duration::from_secs(5);
/// How often a copy that waits for another process looks whether it may go.
const POLL: Duration = Duration::from_millis(200);
/// Copies taken over in one go.
const GROUP: u32 = 200;
/// Of a receiver's answer as much is read as an envelope without data needs, and some more.
const ANSWER: usize = 65_536;
/// Locks over objects. Two objects share one now and then; that costs a moment, and never order.
const TURNS: usize = 1024;

/// All copies of one process.
pub struct Copies {
    store: Store,
    parties: Arc<Parties>,
    clock: SharedClock,
    order: Order,
    /// Who leases: this process, as long as it lives.
    owner: String,
    /// Where legs run: the front door's threads come and go with it, and a leg outlives its request.
    runtime: Handle,
    lanes: Mutex<Lanes>,
    /// Copies that wait for another process, by object, in order.
    held: Mutex<HashMap<ObjectName, VecDeque<Held>>>,
    /// Held while copies are taken over, and while one that waited looks whether it may go: what is taken over is older.
    taking: tokio::sync::Mutex<()>,
    turns: Vec<Arc<tokio::sync::Mutex<()>>>,
    room: Arc<Semaphore>,
    on_their_way: AtomicUsize,
    dropped: AtomicUsize,
    stopping: AtomicBool,
    idle: Notify,
}

/// Module, owner, object.
type ObjectName = (String, String, String);
type Held = (CopyRow, Vec<Hearer>);

/// One copy, shared by its legs.
pub(super) struct Carried {
    row: CopyRow,
    module: &'static str,
    method: Method,
    body: Option<Bytes>,
    left: AtomicUsize,
}

impl Carried {
    pub(super) fn method(&self) -> &str {
        self.method.as_str()
    }

    pub(super) fn tail(&self) -> &str {
        &self.row.copy.tail
    }
}

impl Copies {
    /// The copies of one process, on the runtime that lives as long as it. Nothing is renewed or taken over before [`start`] runs.
    #[must_use]
    pub fn new(store: Store, parties: Arc<Parties>, order: Order, clock: SharedClock) -> Arc<Copies> {
        Arc::new(Copies {
            store,
            parties,
            clock,
            order,
            owner: Uuid::new_v4().to_string(),
            runtime: Handle::current(),
            lanes: Mutex::default(),
            held: Mutex::default(),
            taking: tokio::sync::Mutex::default(),
            turns: (0..TURNS).map(|_| Arc::default()).collect(),
            room: Arc::new(Semaphore::new(IN_THE_AIR)),
            on_their_way: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            idle: Notify::new(),
        })
    }

    /// The lease a new copy is born with: whose, and until when.
    #[must_use]
    pub fn lease(&self) -> (String, DateTime<Utc>) {
        (self.owner.clone(), self.lease_end())
    }

    /// Waits for one's turn with an object, in order of arrival. Held from the look at what is kept until [`Copies::carry`], so that
    /// copies line up in the order of their commits.
    pub async fn turn(&self, module: &str, owner_key: &str, object_key: &str) -> OwnedMutexGuard<()> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (module, owner_key, object_key).hash(&mut hasher);
        let number = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or(0);
        match self.turns.get(number) {
            Some(turn) => turn.clone().lock_owned().await,
            None => Arc::<tokio::sync::Mutex<()>>::default().lock_owned().await,
        }
    }

    /// Sends a committed copy to everybody who hears it. Returns at once.
    ///
    /// `behind` says that another process still carries an earlier copy of the object: this one, and all that follow it here, then
    /// wait for it to end.
    pub fn carry(self: &Arc<Self>, row: CopyRow, hearers: Vec<Hearer>, behind: bool) {
        self.on_their_way.fetch_add(1, Ordering::Relaxed);
        let name = (row.module.clone(), row.owner_key.clone(), row.object_key.clone());
        {
            let mut held = lock(&self.held);
            if let Some(waiting) = held.get_mut(&name) {
                waiting.push_back((row, hearers));
                return;
            }
            if behind {
                held.insert(name.clone(), VecDeque::from([(row, hearers)]));
                self.runtime.spawn(self.clone().wait_for_others(name));
                return;
            }
        }
        self.line_up(row, hearers);
    }

    /// How many copies have not reached everybody yet.
    #[must_use]
    pub fn on_their_way(&self) -> usize {
        self.on_their_way.load(Ordering::Relaxed)
    }

    /// How many legs were let go because a lane was full.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every copy of this process has ended.
    pub async fn all_ended(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // Listening before looking: an end in between is heard.
            idle.as_mut().enable();
            if self.on_their_way() == 0 {
                return;
            }
            idle.await;
        }
    }

    async fn wait_for_others(self: Arc<Self>, name: ObjectName) {
        while !self.stopping.load(Ordering::Relaxed) {
            tokio::time::sleep(POLL).await;
            let _alone = self.taking.lock().await;
            match self.let_go(&name).await {
                Ok(true) => return,
                Ok(false) => {}
                // Order against delay: the lease of whoever is before us ends in any case, so keep asking.
                Err(error) => log::error!("asking for earlier copies: {error}"),
            }
        }
    }

    /// Lines up what waited for another process, as far as nothing earlier is on its way there. Whether nothing waits any more.
    async fn let_go(self: &Arc<Self>, name: &ObjectName) -> Result<bool, StoreError> {
        let (module, owner_key, object_key) = name;
        loop {
            let first = {
                let mut held = lock(&self.held);
                let Some(first) = held.get(name).and_then(VecDeque::front) else {
                    // Nobody waits: whoever comes from now on need not stand behind anybody here.
                    held.remove(name);
                    return Ok(true);
                };
                first.0.revision
            };
            let is_behind = self
                .store
                .copies_before(module, owner_key, object_key, first, &self.owner)
                .await?;
            if is_behind {
                return Ok(false);
            }
            // Under the lock, and nobody else takes from the front.
            let mut held = lock(&self.held);
            if let Some((row, hearers)) = held.get_mut(name).and_then(VecDeque::pop_front) {
                self.line_up(row, hearers);
            }
        }
    }

    fn line_up(self: &Arc<Self>, row: CopyRow, hearers: Vec<Hearer>) {
        let known = modules::module(&row.module);
        let method = Method::from_bytes(row.copy.method.as_bytes());
        let (Some(module), Ok(method)) = (known, method) else {
            log::error!("a copy of module {} cannot be sent", row.module);
            self.end(row.copy.id);
            return;
        };
        if hearers.is_empty() {
            self.end(row.copy.id);
            return;
        }
        let carried = Arc::new(Carried {
            module: module.identifier,
            method,
            body: row.copy.body.clone().map(Bytes::from),
            left: AtomicUsize::new(hearers.len()),
            row,
        });
        let mut touched: Vec<PlatformId> = Vec::new();
        let mut dropped = Vec::new();
        {
            let mut lanes = lock(&self.lanes);
            for hearer in hearers {
                let object = object_of(&carried.row, &hearer.platform.id);
                let ticket = self.order.queue(object.clone());
                if touched.last() != Some(&hearer.platform.id) {
                    touched.push(hearer.platform.id.clone());
                }
                let leg = Leg {
                    carried: carried.clone(),
                    platform: hearer.platform.id.clone(),
                    party: hearer.party,
                    object,
                    ticket,
                };
                dropped.extend(lanes.add(leg));
            }
        }
        for leg in dropped {
            let so_far = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if so_far.is_power_of_two() {
                log::warn!(
                    platform = leg.platform.as_str();
                    "copies of {} pile up: the oldest is let go, {so_far} since the start", leg.carried.module
                );
            }
            self.one_leg_less(&leg.carried);
        }
        for platform in touched {
            self.start_legs(&platform);
        }
    }

    fn start_legs(self: &Arc<Self>, platform: &PlatformId) {
        while !self.stopping.load(Ordering::Relaxed) {
            let Some(leg) = lock(&self.lanes).next(platform) else {
                return;
            };
            let copies = self.clone();
            self.runtime.spawn(async move {
                let Leg {
                    carried,
                    platform,
                    party,
                    object,
                    ticket,
                } = leg;
                let ended = {
                    // Direct pushes of the same object stand in the same line (D-16).
                    let _turn = ticket.turn().await;
                    // Never closed; were it, the leg would go out all the same.
                    let _room = copies.room.acquire().await;
                    copies.send(&carried, &platform, &party).await
                };
                lock(&copies.lanes).ended(&object, ended);
                copies.one_leg_less(&carried);
                copies.start_legs(&platform);
            });
        }
    }

    /// One leg, once (R-28, R-54, R-55, M-03, M-04, M-06).
    async fn send(&self, carried: &Carried, platform: &PlatformId, party: &PartyId) -> Ended {
        let snapshot = self.parties.snapshot();
        let directory = snapshot.directory();
        let Some(platform) = directory.platform(platform) else {
            return Ended::Quickly;
        };
        // R-61: whoever went away while the leg waited catches up by asking.
        if platform.status != PlatformStatus::Connected {
            return Ended::Quickly;
        }
        let copy = &carried.row.copy;
        let call = Call {
            method: carried.method.clone(),
            to: Target::AsCame(
                carried.module,
                InterfaceRole::Receiver,
                copy.tail.split('/').skip(1).map(str::to_owned).collect(),
            ),
            query: copy.query.clone(),
            routing: Some(Routing {
                to: Some(party.clone()),
                from: Some(directory.hub.clone()),
            }),
            ids: MessageIds {
                request_id: None,
                correlation_id: Some(copy.correlation_id.clone()),
            },
            body: carried.body.clone(),
            headers: Vec::new(),
            timeout: None,
            max_answer: Some(ANSWER),
        };
        let (ended, http_status, status_code, said) = match self.parties.line().send(&platform, call).await {
            Err(missing) => (Ended::Quickly, None, None, missing.to_string()),
            Ok(Outcome::Answered(answer)) => {
                let code = envelope::read(&answer.body).ok().map(|read| read.status_code);
                let is_good = answer.is_success() && code.is_some_and(|code| code.is_success());
                if is_good {
                    return Ended::Answered;
                }
                let said = format!("answered with HTTP {}", answer.status);
                (Ended::Answered, Some(i64::from(answer.status)), code, said)
            }
            Ok(Outcome::TimedOut) => (Ended::Unanswered, None, None, Outcome::TimedOut.to_string()),
            Ok(other) => (Ended::Quickly, None, None, other.to_string()),
        };
        self.note(
            carried,
            party,
            &platform.id,
            (http_status, status_code.map(|code| i64::from(code.0)), said),
        )
        .await;
        ended
    }

    /// R-57: a line in log and journal, nothing to the sender.
    async fn note(
        &self,
        carried: &Carried,
        party: &PartyId,
        platform: &PlatformId,
        outcome: (Option<i64>, Option<i64>, String),
    ) {
        let (http_status, status_code, said) = outcome;
        let copy = &carried.row.copy;
        log::info!(
            correlation_id = copy.correlation_id.as_str(), platform = platform.as_str();
            "a copy of {} for {party}: {said}", carried.module
        );
        let entry = JournalEntry {
            id: Uuid::now_v7().to_string(),
            at: self.clock.now(),
            correlation_id: copy.correlation_id.clone(),
            request_id: None,
            from_party: Some(self.parties.settings().hub.key()),
            to_party: Some(party.key()),
            platform: Some(platform.to_string()),
            module: carried.module.to_owned(),
            method: copy.method.clone(),
            // A token is personal data and stays out of the journal (N-07).
            object: (carried.module != TOKENS.identifier)
                .then(|| format!("{}/{}", carried.row.owner_key, carried.row.object_key)),
            http_status,
            status_code,
            outcome: format!("copy not taken: {said}"),
            duration_ms: None,
        };
        if let Err(error) = self.store.journal_add(entry).await {
            log::error!("writing the journal: {error}");
        }
    }

    fn one_leg_less(self: &Arc<Self>, carried: &Carried) {
        if carried.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.end(carried.row.copy.id.clone());
        }
    }

    /// Every leg has ended: the row goes. One that cannot be removed is taken over one day and sent again, which is allowed.
    fn end(self: &Arc<Self>, id: String) {
        let copies = self.clone();
        self.runtime.spawn(async move {
            if let Err(error) = copies.store.copy_end(&id).await {
                log::error!("ending a copy: {error}");
            }
            copies.on_their_way.fetch_sub(1, Ordering::Relaxed);
            copies.idle.notify_waiters();
        });
    }

    fn lease_end(&self) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::from_std(LEASE).unwrap_or(TimeDelta::MAX)
    }

    async fn round(self: &Arc<Self>) -> Result<(), Fault> {
        if self.on_their_way() > 0 {
            self.store
                .copies_renew(&self.owner, self.lease_end())
                .await
                .map_err(|error| Fault::new("renewing the leases of copies", error))?;
        }
        self.take_over().await
    }

    /// Copies another process left behind, oldest first, to everybody who hears them today.
    pub(crate) async fn take_over(self: &Arc<Self>) -> Result<(), Fault> {
        let _alone = self.taking.lock().await;
        loop {
            let now = self.clock.now();
            let taken = self
                .store
                .copies_take_over(&self.owner, now, self.lease_end(), GROUP)
                .await
                .map_err(|error| Fault::new("taking over copies", error))?;
            if taken.is_empty() {
                return Ok(());
            }
            log::info!(
                "{} copies were left behind by another process and are sent again",
                taken.len()
            );
            for row in taken {
                // Who was not told within the horizon reads the list (T-34): news of another day would come as news of today.
                if now - row.copy.created_at > HORIZON {
                    log::warn!("a copy from {} is too old to be sent", row.copy.created_at);
                    self.store
                        .copy_end(&row.copy.id)
                        .await
                        .map_err(|error| Fault::new("giving up a copy", error))?;
                    continue;
                }
                let hearers = self.hearers_of(&row);
                self.on_their_way.fetch_add(1, Ordering::Relaxed);
                self.line_up(row, hearers);
            }
        }
    }

    fn hearers_of(&self, row: &CopyRow) -> Vec<Hearer> {
        let snapshot = self.parties.snapshot();
        let sender = PartyId::from_slash(&row.copy.sender).ok();
        let role = Role::parse(&row.copy.sender_role);
        match (modules::module(&row.module), sender, role) {
            (Some(module), Some(sender), Some(role)) => {
                let from = PlatformId::from(row.copy.platform_id.as_str());
                hearers(snapshot.directory(), module, &from, &sender, role)
            }
            _ => Vec::new(),
        }
    }
}

/// The line a leg stands in; a token's is that of its uid, whatever its type.
fn object_of(row: &CopyRow, platform: &PlatformId) -> Object {
    let key = match row.object_key.split_once('/') {
        Some((_, uid)) if row.module == TOKENS.identifier => uid,
        _ => row.object_key.as_str(),
    };
    Object {
        platform: platform.clone(),
        module: row.module.clone(),
        owner: row.owner_key.clone(),
        object: key.to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of the copies that looks after leases. Dropping it leaves it running; [`Rounds::stop`] ends it.
pub struct Rounds {
    copies: Arc<Copies>,
    task: JoinHandle<()>,
}

/// Starts to renew leases and to take over what others left behind.
#[must_use]
pub fn start(copies: Arc<Copies>) -> Rounds {
    let own = copies.clone();
    let task = tokio::spawn(async move {
        let mut tick = tokio::time::interval(ROUND);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(fault) = own.round().await {
                log::error!("{}", fault.chain());
            }
        }
    });
    Rounds { copies, task }
}

impl Rounds {
    /// Starts no further leg, waits until those under way have ended, each within its own deadline, and gives the rest away.
    pub async fn stop(self) {
        self.copies.stopping.store(true, Ordering::Relaxed);
        while lock(&self.copies.lanes).under_way() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.task.abort();
        // Aborted on purpose: the error says just that.
        let _ = self.task.await;
        if self.copies.on_their_way() > 0
            && let Err(error) = self
                .copies
                .store
                .copies_renew(&self.copies.owner, DateTime::UNIX_EPOCH)
                .await
        {
            log::error!("giving away copies: {error}");
        }
    }
}
