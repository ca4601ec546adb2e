//! Copies: what was pushed to everybody, carried to each of them at once, in order per object, and never twice by intention.
//!
//! ```text
//!  commit (object and copy) ──► a leg per receiving party ──► platform's lane ──► sent ──► last leg ended: the row goes
//!                                                              │  one leg per object at a time, a few objects at once
//!                                                              └─ full, by number or by weight: the oldest superseded leg is let go (D-16)
//! ```
//!
//! The sender was answered at the commit and hears nothing of this (R-56, R-57). A leg is sent once; whoever is away, refuses, or does
//! not answer catches up by asking (R-61, T-34), or, where its options say `catch_up`, is owed the state from then on ([`catching_up`]). A lane belongs to one platform, so that one that never answers holds up itself
//! ([`lane`]): after a deadline that passed unanswered it is spoken to one leg at a time until it answers.
//!
//! The row is for the crash: this process renews the lease of every row it works on ([`lease`]), and looks whether a row is still its own
//! before each leg. When it dies, or has lost sight of a row, whoever looks next takes the row over and tells the object's state to everybody
//! again ([`again`]). At least once, therefore: OCPI's pushes are states, and a state may be told twice; but an older one never after a newer
//! one.
//!
//! Two processes may have copies of one object. The later one waits until the earlier one's row is gone ([`held`]).
//!
//! What grows here has a bound: legs by lane in number and octets ([`lane`]), what waits for other processes ([`held`]), and so, as each row is
//! forgotten with its last leg, the rows too. A body is held once, however many legs share it.

mod again;
mod catching_up;
mod held;
pub mod lane;
mod lease;

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
use super::told;
use crate::client::Method;
use crate::client::outcome::Outcome;
use crate::clock::SharedClock;
use crate::ocpi::envelope;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::modules::{self, TOKENS};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::parties::line::{Call, NoEndpoint, Target};
use crate::parties::{Fault, Parties};
use crate::routing::audience::{Hearer, hearers};
use crate::routing::directory::PlatformStatus;
use crate::store::journal::JournalEntry;
use crate::store::{CopyRow, Store, StoreError};
use catching_up::{Fate, Watched};
pub(crate) use catching_up::{StateTold, Unheard};
use held::{Held, ObjectName, Waiting};
use lane::{Ended, Lanes, Leg};
use lease::{Lease, Leases};

/// Legs under way over all platforms. With eight a platform at most, 128 stalled platforms would fill it; each of them is down to one
/// leg after its first unanswered one.
const IN_THE_AIR: usize = 1024;

/// A copy nobody renews for so long is taken over; half the horizon of one minute, so that looking for it fits into the other half.
const LEASE: Duration = Duration::from_secs(30);
/// A leg begins while so much of its lease is left: as long as a receiver may take by default. With less, the database is asked first.
const A_LEG: TimeDelta = TimeDelta::seconds(15);
/// Leases with less left than this are renewed. A round later it is still enough for a leg.
const RENEWED_BEFORE: TimeDelta = TimeDelta::seconds(20);
/// Leases renewed by one statement.
const TOGETHER: usize = 500;
/// How often the end of a copy is written before it is left to whoever takes the row over.
const ENDINGS: u32 = 5;
/// The pause after an end that could not be written; four times as long after each further one.
const AFTER_A_FAILURE: Duration = Duration::from_millis(50);
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
    /// Copies that wait for another process.
    held: Mutex<Waiting>,
    /// Every copy that is in a lane, under way, or held.
    leases: Leases,
    /// Held while copies are taken over, and while one that waited looks whether it may go: what is taken over is older.
    taking: tokio::sync::Mutex<()>,
    turns: Vec<Arc<tokio::sync::Mutex<()>>>,
    room: Arc<Semaphore>,
    dropped: AtomicUsize,
    stopping: AtomicBool,
    idle: Notify,
}

/// One copy, shared by its legs.
pub(super) struct Carried {
    /// Without its body.
    row: CopyRow,
    lease: Arc<Lease>,
    module: &'static str,
    method: Method,
    body: Option<Bytes>,
    left: AtomicUsize,
    watched: Watched,
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
            leases: Leases::default(),
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
        let until = row.copy.lease_until;
        self.carry_until(row, hearers, until, behind);
    }

    fn carry_until(self: &Arc<Self>, row: CopyRow, hearers: Vec<Hearer>, until: DateTime<Utc>, behind: bool) {
        let lease = self.leases.begin(&row.copy.id, until);
        let held = Held {
            row,
            hearers,
            lease,
            done: None,
        };
        self.wait_or_line_up(held, behind);
    }

    fn wait_or_line_up(self: &Arc<Self>, one: Held, behind: bool) {
        let name = one.name();
        let dropped = {
            let mut held = lock(&self.held);
            let others_wait = held.has(&name);
            if !others_wait && !behind {
                drop(held);
                return self.line_up(one);
            }
            if !others_wait {
                self.runtime.spawn(self.clone().wait_for_others(name));
            }
            held.add(one)
        };
        for one in dropped {
            self.count_dropped(&one.row.copy.platform_id, &one.row.module);
            self.let_go_of(one);
        }
    }

    /// How many copies have not reached everybody yet.
    #[must_use]
    pub fn on_their_way(&self) -> usize {
        self.leases.count()
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
            // Nobody waits: whoever comes from now on need not stand behind anybody here.
            let Some(first) = lock(&self.held).first(name) else {
                return Ok(true);
            };
            let is_behind = self
                .store
                .copies_before(module, owner_key, object_key, first, &self.owner)
                .await?;
            if is_behind {
                return Ok(false);
            }
            // Under the lock, so that what comes next stands behind it.
            let mut held = lock(&self.held);
            if let Some(one) = held.take(name, first) {
                self.line_up(one);
            }
        }
    }

    fn line_up(self: &Arc<Self>, one: Held) {
        let Held {
            mut row,
            hearers,
            lease,
            done,
        } = one;
        let known = modules::module(&row.module);
        let method = Method::from_bytes(row.copy.method.as_bytes());
        let (Some(module), Ok(method)) = (known, method) else {
            log::error!("a copy of module {} cannot be sent", row.module);
            self.end(lease);
            return;
        };
        if hearers.is_empty() {
            self.end(lease);
            return;
        }
        let carried = Arc::new(Carried {
            module: module.identifier,
            method,
            // Taken, not copied: it is held once.
            body: row.copy.body.take().map(Bytes::from),
            left: AtomicUsize::new(hearers.len()),
            watched: Watched::of(&hearers, done),
            lease,
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
            self.count_dropped(leg.platform.as_str(), leg.carried.module);
            let copies = self.clone();
            self.runtime.spawn(async move {
                let fate = Fate::Unheard(Unheard::because("too much waits for the platform"));
                copies.catch_up(&leg.carried, &leg.platform, fate).await;
                copies.one_leg_less(&leg.carried);
            });
        }
        for platform in touched {
            self.start_legs(&platform);
        }
    }

    /// One that waited for another process is not sent: who wants to catch up is owed it, before its row goes.
    fn let_go_of(self: &Arc<Self>, one: Held) {
        let copies = self.clone();
        self.runtime.spawn(async move {
            let is_state = one.done.is_some();
            if !is_state && let Err(fault) = copies.owe(&one.row, copies.who_catches_up(&one.row, false)).await {
                log::error!("{}", fault.chain());
            }
            copies.end(one.lease);
        });
    }

    fn count_dropped(&self, platform: &str, module: &str) {
        let so_far = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        if so_far.is_power_of_two() {
            log::warn!(
                platform = platform;
                "copies of {module} pile up: the oldest is let go, {so_far} since the start"
            );
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
                let (ended, fate) = {
                    // Direct pushes of the same object stand in the same line (D-16).
                    let _turn = ticket.turn().await;
                    // Never closed; were it, the leg would go out all the same.
                    let _room = copies.room.acquire().await;
                    copies.send(&carried, &platform, &party).await
                };
                lock(&copies.lanes).ended(&object, ended);
                // Before the copy's own end: a process that dies in between leaves one of the two.
                copies.catch_up(&carried, &platform, fate).await;
                copies.one_leg_less(&carried);
                copies.start_legs(&platform);
            });
        }
    }

    /// One leg, once (R-28, R-54, R-55, M-03, M-04, M-06).
    async fn send(&self, carried: &Carried, platform: &PlatformId, party: &PartyId) -> (Ended, Fate) {
        let snapshot = self.parties.snapshot();
        let directory = snapshot.directory();
        let Some(platform) = directory.platform(platform) else {
            return (Ended::Quickly, Fate::Unheard(Unheard::because("the platform is gone")));
        };
        // R-61: whoever went away while the leg waited catches up by asking, or, where it wants that, is told when it is back.
        if platform.status != PlatformStatus::Connected {
            let why = format!("the platform is {}", platform.status.as_str());
            return (Ended::Quickly, Fate::Unheard(Unheard::because(why)));
        }
        if !self.is_ours(&carried.lease).await {
            return (Ended::Quickly, Fate::Elsewhere);
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
        let outcome = self.parties.line().send(&platform, call).await;
        let is_heard = is_heard(&carried.row, &outcome);
        let patience = patience(&outcome, self.clock.now());
        let (ended, http_status, status_code, said) = match outcome {
            Err(missing) => (Ended::Quickly, None, None, missing.to_string()),
            Ok(Outcome::Answered(answer)) => {
                let code = envelope::read(&answer.body).ok().map(|read| read.status_code);
                let is_good = answer.is_success() && code.is_some_and(|code| code.is_success());
                if is_good {
                    return (Ended::Answered, Fate::Heard);
                }
                let said = format!("answered with HTTP {}", answer.status);
                (Ended::Answered, Some(i64::from(answer.status)), code, said)
            }
            Ok(Outcome::TimedOut) => (Ended::Unanswered, None, None, Outcome::TimedOut.to_string()),
            Ok(other) => (Ended::Quickly, None, None, other.to_string()),
        };
        let fate = match is_heard {
            true => Fate::Heard,
            false => Fate::Unheard(Unheard {
                said: said.clone(),
                patience,
            }),
        };
        self.note(
            carried,
            party,
            &platform.id,
            (http_status, status_code.map(|code| i64::from(code.0)), said),
        )
        .await;
        (ended, fate)
    }

    /// R-57: a line in the journal beside the one in the log, nothing to the sender.
    async fn note(
        &self,
        carried: &Carried,
        party: &PartyId,
        platform: &PlatformId,
        outcome: (Option<i64>, Option<i64>, String),
    ) {
        let (http_status, status_code, said) = outcome;
        let copy = &carried.row.copy;
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
            carried.watched.all_ended();
            self.end(carried.lease.clone());
        }
    }

    /// Whether a copy is still ours, for as long as a leg takes. What may be somebody else's by now is not sent: they may be further.
    async fn is_ours(&self, lease: &Lease) -> bool {
        if lease.lasts_until(self.clock.now() + A_LEG) {
            return true;
        }
        if lease.is_lost() {
            return false;
        }
        let asked = [lease.id.clone()];
        match self.renew(&asked).await {
            Ok(()) => !lease.is_lost(),
            Err(error) => {
                log::error!("asking whose a copy is: {error}");
                // Whoever takes the row over tells everybody.
                self.leases.renewed(&asked, &[], DateTime::UNIX_EPOCH);
                self.idle.notify_waiters();
                false
            }
        }
    }

    async fn renew(&self, ids: &[String]) -> Result<(), StoreError> {
        let until = self.lease_end();
        let ours = self.store.copies_renew(&self.owner, ids.to_vec(), until).await?;
        if ours.len() < ids.len() {
            log::debug!("{} copies have ended or are another process's", ids.len() - ours.len());
        }
        self.leases.renewed(ids, &ours, until);
        self.idle.notify_waiters();
        Ok(())
    }

    /// Every leg has ended: the row goes. One that cannot be removed runs out, is taken over, and its object's state told once more.
    fn end(self: &Arc<Self>, lease: Arc<Lease>) {
        if lease.is_lost() {
            return;
        }
        let copies = self.clone();
        self.runtime.spawn(async move {
            if let Err(error) = persistently(|| copies.store.copy_end(&lease.id)).await {
                log::error!("ending a copy: {error}");
            }
            copies.leases.end(&lease);
            copies.idle.notify_waiters();
        });
    }

    fn lease_end(&self) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::from_std(LEASE).unwrap_or(TimeDelta::MAX)
    }

    async fn round(self: &Arc<Self>) -> Result<(), Fault> {
        let ending = self.leases.ending_before(self.clock.now() + RENEWED_BEFORE);
        for ids in ending.chunks(TOGETHER) {
            let renewed = self.renew(ids).await;
            renewed.map_err(|error| Fault::new("renewing the leases of copies", error))?;
        }
        self.take_over().await
    }

    /// Copies somebody left behind, this process included, to everybody who hears them today.
    pub(crate) async fn take_over(self: &Arc<Self>) -> Result<(), Fault> {
        let _alone = self.taking.lock().await;
        while !self.stopping.load(Ordering::Relaxed) {
            let until = self.lease_end();
            let taken = self
                .store
                .copies_take_over(&self.owner, self.clock.now(), until, GROUP)
                .await
                .map_err(|error| Fault::new("taking over copies", error))?;
            if taken.is_empty() {
                break;
            }
            // A lease of our own that ended before its turn to be renewed.
            let left: Vec<CopyRow> = taken
                .into_iter()
                .filter(|row| !self.leases.goes_on(&row.copy.id, until))
                .collect();
            // Whoever was to catch up still is: that is a duty, and taken up by itself.
            let (states, left): (Vec<CopyRow>, Vec<CopyRow>) = left
                .into_iter()
                .partition(|row| row.copy.method == catching_up::CATCH_UP);
            for row in states {
                let ended = self.store.copy_end(&row.copy.id).await;
                ended.map_err(|error| Fault::new("forgetting a copy that was left behind", error))?;
            }
            if !left.is_empty() {
                log::info!("{} copies were left behind and are told again", left.len());
            }
            for of_one in left.chunk_by(|one, other| name_of(one) == name_of(other)) {
                self.tell_again(of_one, until).await?;
            }
        }
        Ok(())
    }

    /// What was left behind of one object, in order.
    async fn tell_again(self: &Arc<Self>, left: &[CopyRow], until: DateTime<Utc>) -> Result<(), Fault> {
        let fault = |error| Fault::new("telling what was left behind", error);
        let Some(newest) = left.last() else {
            return Ok(());
        };
        let (module, owner_key, object_key) = name_of(newest);
        // As for what is pushed: from the look at what is kept to the place in line.
        let _turn = self.turn(module, owner_key, object_key).await;
        let on_their_way = self
            .store
            .copies_of(module, owner_key, object_key)
            .await
            .map_err(fault)?;
        let kept = self
            .store
            .mirror_get(module, owner_key, object_key)
            .await
            .map_err(fault)?;
        let now = self.clock.now();
        // Who was not told within the horizon reads the list (T-34): news of another day would come as news of today.
        let young: Vec<CopyRow> = left
            .iter()
            .filter(|row| now - row.copy.created_at <= HORIZON)
            .cloned()
            .collect();
        let later: Vec<CopyRow> = on_their_way
            .iter()
            .filter(|row| row.revision > newest.revision && row.copy.method != catching_up::CATCH_UP)
            .cloned()
            .collect();
        // Who is away by now, or is told nothing any more because it is too late, and wants to catch up, is owed it.
        let who = self.who_catches_up(newest, !young.is_empty());
        self.owe(newest, who).await?;
        let told = again::told(young, &later, kept.as_ref());
        for row in left {
            if !told.iter().any(|one| one.copy.id == row.copy.id) {
                self.store.copy_end(&row.copy.id).await.map_err(fault)?;
            }
        }
        for row in told {
            let behind = on_their_way
                .iter()
                .any(|other| other.revision < row.revision && other.copy.lease_owner != self.owner);
            let hearers = self.hearers_of(&row);
            self.carry_until(row, hearers, until, behind);
        }
        Ok(())
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

fn name_of(row: &CopyRow) -> (&str, &str, &str) {
    (&row.module, &row.owner_key, &row.object_key)
}

/// Whether the receiver knows the object by now, or has said that it does not want it. Where only a part of it was told, a no says that the whole
/// is not known there (T-26).
fn is_heard(row: &CopyRow, outcome: &Result<Outcome, NoEndpoint>) -> bool {
    let Ok(outcome) = outcome else {
        return true;
    };
    let Outcome::Answered(answer) = outcome else {
        return false;
    };
    let is_good = || envelope::read(&answer.body).is_ok_and(|read| read.status_code.is_success());
    told::is_heard(outcome) && (catching_up::is_whole(row) || (answer.is_success() && is_good()))
}

/// How long the receiver wants to be left alone.
fn patience(outcome: &Result<Outcome, NoEndpoint>, now: DateTime<Utc>) -> Option<Duration> {
    match outcome {
        Ok(outcome) => told::patience(outcome, now),
        Err(_) => None,
    }
}

/// Tries again after growing pauses: what fails once is mostly a database that was busy or restarted.
async fn persistently<E: std::fmt::Display, F: Future<Output = Result<(), E>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<(), E> {
    let mut pause = AFTER_A_FAILURE;
    for _ in 1..ENDINGS {
        match attempt().await {
            Ok(()) => return Ok(()),
            Err(error) => log::warn!("ending a copy, once more in {pause:?}: {error}"),
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
    attempt().await
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
        if let Err(error) = self.copies.store.copies_give_away(&self.copies.owner).await {
            log::error!("giving away copies: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_copy_is_written_again_when_the_database_fails_once() {
        let tries = AtomicUsize::new(0);
        let fails = |times: usize| {
            let tries = &tries;
            move || async move {
                match tries.fetch_add(1, Ordering::Relaxed) {
                    number if number < times => Err("busy"),
                    _ => Ok(()),
                }
            }
        };
        assert!(persistently(fails(1)).await.is_ok());
        assert_eq!(tries.swap(0, Ordering::Relaxed), 2);
        assert!(persistently(fails(usize::MAX)).await.is_err());
        assert_eq!(tries.load(Ordering::Relaxed), ENDINGS as usize, "and not for ever");
    }
}
