//! What the hub remembers from traffic, so that a request without an addressee finds its way (D-20, R-71).
//!
//! ```text
//!  remember_…() ── known already? ──► nothing            (the usual case: no lock held long, no database)
//!                        └─ news ──► queue ──► writer ──► one commit for all that has gathered meanwhile
//!  cpo_of_…()   ── waits for what is queued about this very id, then asks the database
//! ```
//!
//! Remembering never delays the request it is learned from: it leaves a note in memory and returns. A hint that is lost costs
//! a 4001 with an explanation, so losing some when the database does not keep up is right, and holding up traffic would not be.
//!
//! Lookups do not trust what this process remembers: another one may know a second owner of the same id, and of several none
//! is ever picked (R-72). They are rare, requests with an addressee need none.
//!
//! Kept are ids and parties, no tokens and nothing about drivers, and nothing longer than routing needs (N-07).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::clock::SharedClock;
use crate::ocpi::ids::{PartyId, key_of};
use crate::parties::Fault;
use crate::store::{HintChange, HintRow, Store, StoreError};

/// How long a session is remembered after its end. Nothing is started, stopped or steered in it any more; what still comes
/// are the last results of a profile and a stop that crossed the end on its way, and corrections within days (N-07).
pub const AFTER_THE_END: TimeDelta = TimeDelta::days(7);

/// How long a hint lives whose object never ends for us: a session whose end we never hear of, or a location, which is seen
/// again with its next session. No session lasts a year, and a seasonal location is used again after one (N-07).
pub const WITHOUT_AN_END: TimeDelta = TimeDelta::days(400);

/// How long a reservation is remembered after it has expired: as long as its callback is open (D-14).
pub const AFTER_A_RESERVATION: TimeDelta = TimeDelta::hours(24);

/// Ends closer together than this are the same news. A location is used many times a day; writing that down once a day moves
/// its end far enough. A reservation prolonged by less is still known when it expires ([`AFTER_A_RESERVATION`]).
const SEEN_AGAIN: TimeDelta = TimeDelta::days(1);

/// News not yet written. About a minute of new sessions of a very large hub, and a megabyte.
const QUEUE: usize = 4096;

/// News written in one commit at most.
const TOGETHER: usize = 256;

/// Objects known to be written already, in each of two generations: enough for every session under way in a large hub.
const KNOWN: usize = 32_768;

/// How often a commit is tried before its hints are given up, and the pause between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// How often expired hints are forgotten.
const SWEEP: Duration = Duration::from_secs(3600);

const SESSION: &str = "session";
const PROFILE: &str = "profile";
const RESERVATION: &str = "reservation";
const LOCATION: &str = "location";

/// The hints of one process. Stops writing when dropped; [`Hints::flush`] first.
pub struct Hints {
    store: Store,
    clock: SharedClock,
    memory: Arc<Memory>,
    written: watch::Receiver<u64>,
    writer: JoinHandle<()>,
}

impl Hints {
    /// Starts remembering. Must be called on the runtime that lives as long as the hub.
    #[must_use]
    pub fn start(store: Store, clock: SharedClock) -> Hints {
        let memory = Arc::new(Memory::default());
        let (tell, written) = watch::channel(0);
        let writer = Writer {
            store: store.clone(),
            clock: clock.clone(),
            memory: memory.clone(),
            tell,
        };
        Hints {
            store,
            clock,
            memory,
            written,
            writer: tokio::spawn(writer.run()),
        }
    }

    /// A session of this CPO went by, to its payer: the eMSP of `cdr_token`. `ended`: COMPLETED or INVALID; whoever steered
    /// it is then forgotten (CP-13). An end is final: a straggler about an ended session changes nothing.
    pub fn remember_session(&self, cpo: &PartyId, session_id: &str, payer: &PartyId, ended: bool) {
        let Some(session) = Subject::new(SESSION, key_of(session_id), cpo) else {
            return;
        };
        let now = self.clock.now();
        let mut memory = self.memory.lock();
        let scope = payer.key();
        if memory
            .known
            .get(&session, &scope)
            .is_some_and(|known| known.still_says(ended, now))
        {
            return;
        }
        if ended {
            let expires_at = after(now, AFTER_THE_END);
            let steered = session.of_kind(PROFILE);
            let known = Known { expires_at, ended };
            memory.known.end(&session, &scope, known);
            memory.known.forget(&steered);
            memory.queue(HintChange::Put(session.row(cpo, Some(payer), now, expires_at)));
            memory.queue(session.end(expires_at));
            memory.queue(steered.drop());
        } else {
            // Not a `Put`: it would prolong a session that another process has seen end.
            let expires_at = after(now, WITHOUT_AN_END);
            memory.known.put(&session, &scope, Known { expires_at, ended });
            memory.queue(HintChange::Add(session.row(cpo, Some(payer), now, expires_at)));
        }
        drop(memory);
        self.memory.news.notify_one();
    }

    /// A charging profile that `setter` had set on a session was ACCEPTED (CP-13). Not for sessions known to have ended.
    pub fn remember_profile(&self, cpo: &PartyId, session_id: &str, setter: &PartyId) {
        let Some(steered) = Subject::new(PROFILE, key_of(session_id), cpo) else {
            return;
        };
        let now = self.clock.now();
        if self.memory.lock().known.has_ended(&steered.of_kind(SESSION)) {
            return;
        }
        self.put(&steered, cpo, Some(setter), now, after(now, WITHOUT_AN_END));
    }

    /// An eMSP reserved at this CPO until `expires`.
    pub fn remember_reservation(&self, emsp: &PartyId, reservation_id: &str, cpo: &PartyId, expires: DateTime<Utc>) {
        let Some(reservation) = Subject::new(RESERVATION, key_of(reservation_id), cpo) else {
            return;
        };
        let now = self.clock.now();
        // A date at the end of the calendar must not keep it forever.
        let end = after(expires, AFTER_A_RESERVATION).min(after(now, WITHOUT_AN_END));
        self.put(&reservation, cpo, Some(emsp), now, end);
    }

    /// A location of this CPO, and the EVSE if named, appeared in a session. Hardware ids wander between locations, so an
    /// EVSE is remembered with its location only (F-16).
    pub fn remember_location(&self, cpo: &PartyId, location_id: &str, evse_uid: Option<&str>) {
        let now = self.clock.now();
        for id_key in [key_of(location_id), evse_at(location_id, evse_uid)] {
            if let Some(location) = Subject::new(LOCATION, id_key, cpo) {
                self.put(&location, cpo, None, now, after(now, WITHOUT_AN_END));
            }
        }
    }

    /// The CPOs that have a session of this id, by its pushes or by profiles set on it.
    ///
    /// # Errors
    /// When the database cannot be asked, as with all lookups: that is our fault, and not the same as knowing nobody.
    pub async fn cpo_of_session(&self, session_id: &str) -> Result<Vec<PartyId>, Fault> {
        let mut rows = self.living(SESSION, key_of(session_id)).await?;
        rows.extend(self.living(PROFILE, key_of(session_id)).await?);
        parties(rows.iter().map(owner))
    }

    /// The parties a CPO's session was pushed to as its payer.
    ///
    /// # Errors
    /// As [`Hints::cpo_of_session`].
    pub async fn payers_of_session(&self, cpo: &PartyId, session_id: &str) -> Result<Vec<PartyId>, Fault> {
        self.scopes(SESSION, cpo, session_id).await
    }

    /// The parties with an accepted charging profile on a CPO's session (CP-13).
    ///
    /// # Errors
    /// As [`Hints::cpo_of_session`].
    pub async fn setters_of_session(&self, cpo: &PartyId, session_id: &str) -> Result<Vec<PartyId>, Fault> {
        self.scopes(PROFILE, cpo, session_id).await
    }

    /// The CPOs at which this eMSP holds a reservation of this id. Ids of other eMSPs do not count: each makes its own.
    ///
    /// # Errors
    /// As [`Hints::cpo_of_session`].
    pub async fn cpo_of_reservation(&self, emsp: &PartyId, reservation_id: &str) -> Result<Vec<PartyId>, Fault> {
        let rows = self.living(RESERVATION, key_of(reservation_id)).await?;
        let scope = emsp.key();
        parties(rows.iter().filter(|row| row.scope_key == scope).map(owner))
    }

    /// The CPOs in whose sessions this location appeared. Where the EVSE is named and has been seen at such a location, only
    /// the CPOs it was seen with (F-16).
    ///
    /// # Errors
    /// As [`Hints::cpo_of_session`].
    pub async fn cpo_of_location(&self, location_id: &str, evse_uid: Option<&str>) -> Result<Vec<PartyId>, Fault> {
        let mut seen = self.living(LOCATION, evse_at(location_id, evse_uid)).await?;
        if seen.is_empty() {
            seen = self.living(LOCATION, key_of(location_id)).await?;
        }
        parties(seen.iter().map(owner))
    }

    /// Waits until everything remembered so far is written or given up. Needed before the store is closed.
    pub async fn flush(&self) {
        let queued = self.memory.lock().queued;
        // An error means that the writer is gone, and with it whatever it had not written.
        let _ = self.written.clone().wait_for(|written| *written >= queued).await;
    }

    /// How many changes are not written yet.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        let memory = self.memory.lock();
        memory.queued.saturating_sub(*self.written.borrow())
    }

    fn put(&self, subject: &Subject, owner: &PartyId, scope: Option<&PartyId>, now: DateTime<Utc>, end: DateTime<Utc>) {
        let mut memory = self.memory.lock();
        let scope_key = scope.map(PartyId::key).unwrap_or_default();
        let known = memory.known.get(subject, &scope_key);
        if known.is_some_and(|known| known.expires_at > now && is_about(known.expires_at, end)) {
            return;
        }
        let known = Known {
            expires_at: end,
            ended: false,
        };
        memory.known.put(subject, &scope_key, known);
        memory.queue(HintChange::Put(subject.row(owner, scope, now, end)));
        drop(memory);
        self.memory.news.notify_one();
    }

    async fn scopes(&self, kind: &'static str, cpo: &PartyId, id: &str) -> Result<Vec<PartyId>, Fault> {
        let rows = self.living(kind, key_of(id)).await?;
        let owned_by = cpo.key();
        parties(rows.iter().filter(|row| row.owner_key == owned_by).map(scope))
    }

    /// The hints about an id that have not expired, including what this process has just learned about it. None about an id
    /// that no object can have.
    async fn living(&self, kind: &'static str, id_key: Option<String>) -> Result<Vec<HintRow>, Fault> {
        let Some(id_key) = id_key else {
            return Ok(Vec::new());
        };
        if self.memory.lock().is_unwritten(kind, &id_key) {
            self.flush().await;
        }
        let found = self.store.hints_find(kind, &id_key).await;
        let mut rows = found.map_err(|error| Fault::new("reading the hints of an object", error))?;
        let now = self.clock.now();
        rows.retain(|row| row.expires_at > now);
        Ok(rows)
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

/// The key of an EVSE at a location. No id holds a line feed (T-42), so that no two pairs look alike, nor like a location.
fn evse_at(location_id: &str, evse_uid: Option<&str>) -> Option<String> {
    Some(format!("{}\n{}", key_of(location_id)?, key_of(evse_uid?)?))
}

fn after(instant: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    instant.checked_add_signed(span).unwrap_or(instant)
}

fn is_about(one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    (one - other).abs() < SEEN_AGAIN
}

type Spelled<'a> = (&'a str, &'a str);

fn owner(row: &HintRow) -> Spelled<'_> {
    (&row.owner_country_code, &row.owner_party_id)
}

fn scope(row: &HintRow) -> Spelled<'_> {
    (&row.scope_country_code, &row.scope_party_id)
}

/// Each party once, in the order of their keys.
fn parties<'a>(spelled: impl Iterator<Item = Spelled<'a>>) -> Result<Vec<PartyId>, Fault> {
    let mut parties = Vec::new();
    for (country_code, party_id) in spelled {
        let party =
            PartyId::new(country_code, party_id).map_err(|error| Fault::new("reading a party of a hint", error))?;
        parties.push(party);
    }
    parties.sort();
    parties.dedup();
    Ok(parties)
}

/// An owner's object, by what is known of it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Subject {
    kind: &'static str,
    id_key: String,
    owner_key: String,
}

impl Subject {
    /// `None` for an id that no object can have.
    fn new(kind: &'static str, id_key: Option<String>, owner: &PartyId) -> Option<Subject> {
        Some(Subject {
            kind,
            id_key: id_key?,
            owner_key: owner.key(),
        })
    }

    fn of_kind(&self, kind: &'static str) -> Subject {
        Subject { kind, ..self.clone() }
    }

    fn row(
        &self,
        owner: &PartyId,
        scope: Option<&PartyId>,
        seen_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> HintRow {
        let text = |part: fn(&PartyId) -> &str| scope.map(|scope| part(scope).to_owned()).unwrap_or_default();
        HintRow {
            kind: self.kind.to_owned(),
            id_key: self.id_key.clone(),
            owner_key: self.owner_key.clone(),
            owner_country_code: owner.country_code().to_owned(),
            owner_party_id: owner.party_id().to_owned(),
            scope_key: scope.map(PartyId::key).unwrap_or_default(),
            scope_country_code: text(PartyId::country_code),
            scope_party_id: text(PartyId::party_id),
            seen_at,
            expires_at,
        }
    }

    fn end(&self, expires_at: DateTime<Utc>) -> HintChange {
        HintChange::End {
            kind: self.kind.to_owned(),
            id_key: self.id_key.clone(),
            owner_key: self.owner_key.clone(),
            expires_at,
        }
    }

    fn drop(&self) -> HintChange {
        HintChange::Drop {
            kind: self.kind.to_owned(),
            id_key: self.id_key.clone(),
            owner_key: self.owner_key.clone(),
        }
    }
}

/// What is on its way to the database, and what need not go there again.
#[derive(Default)]
struct Memory {
    state: Mutex<State>,
    news: Notify,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    queue: VecDeque<HintChange>,
    /// What the writer has in hand.
    writing: Vec<HintChange>,
    /// Changes ever queued; the writer counts the same way.
    queued: u64,
    /// Changes that found the queue full behind them, since the writer last looked.
    lost: u64,
    known: Generations,
}

impl State {
    fn queue(&mut self, change: HintChange) {
        if self.queue.len() >= QUEUE
            && let Some(oldest) = self.queue.pop_front()
        {
            self.lost += 1;
            self.known.forget_all_of(&oldest);
        }
        self.queue.push_back(change);
        self.queued += 1;
    }

    /// Takes what is to be written next, and the count of changes that will be done with it.
    fn take(&mut self) -> (Vec<HintChange>, u64) {
        // One line for a whole crowd: a log that is flooded helps nobody.
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            log::warn!("the database does not keep up with what traffic teaches: {lost} hints are lost");
        }
        let together = self.queue.len().min(TOGETHER);
        self.writing = self.queue.drain(..together).collect();
        (self.writing.clone(), self.queued - self.queue.len() as u64)
    }

    fn is_unwritten(&self, kind: &str, id_key: &str) -> bool {
        let mut on_its_way = self.writing.iter().chain(&self.queue);
        on_its_way.any(|change| {
            let subject = change.subject();
            (subject.0, subject.1) == (kind, id_key)
        })
    }
}

/// What was last written about one scope of an object.
#[derive(Clone, Copy)]
struct Known {
    expires_at: DateTime<Utc>,
    ended: bool,
}

impl Known {
    /// Whether a session's push brings no news: it goes on as known, or had ended before.
    fn still_says(self, ended: bool, now: DateTime<Utc>) -> bool {
        self.expires_at > now && (self.ended || !ended)
    }
}

/// A memory with an end: when the young generation is full it becomes the old one, and the old one is forgotten. What is
/// used is carried over, so what is forgotten has not been used for [`KNOWN`] others.
#[derive(Default)]
struct Generations {
    young: HashMap<Subject, Scopes>,
    old: HashMap<Subject, Scopes>,
}

/// Hardly ever more than two.
type Scopes = Vec<(String, Known)>;

impl Generations {
    fn get(&mut self, subject: &Subject, scope: &str) -> Option<Known> {
        let scopes = self.scopes(subject)?;
        scopes.iter().find(|(known, _)| known == scope).map(|(_, known)| *known)
    }

    fn put(&mut self, subject: &Subject, scope: &str, known: Known) {
        if self.scopes(subject).is_none() {
            self.make_room();
        }
        let scopes = self.young.entry(subject.clone()).or_default();
        scopes.retain(|(other, _)| other != scope);
        scopes.push((scope.to_owned(), known));
    }

    /// The object has ended for everybody concerned.
    fn end(&mut self, subject: &Subject, scope: &str, known: Known) {
        self.put(subject, scope, known);
        if let Some(scopes) = self.scopes(subject) {
            scopes.iter_mut().for_each(|(_, scope)| *scope = known);
        }
    }

    fn has_ended(&mut self, subject: &Subject) -> bool {
        self.scopes(subject)
            .is_some_and(|scopes| scopes.iter().any(|(_, known)| known.ended))
    }

    fn forget(&mut self, subject: &Subject) {
        self.young.remove(subject);
        self.old.remove(subject);
    }

    fn forget_all_of(&mut self, change: &HintChange) {
        let (kind, id_key, owner_key) = change.subject();
        let Some(kind) = [SESSION, PROFILE, RESERVATION, LOCATION]
            .into_iter()
            .find(|known| *known == kind)
        else {
            return;
        };
        let subject = Subject {
            kind,
            id_key: id_key.to_owned(),
            owner_key: owner_key.to_owned(),
        };
        self.forget(&subject);
    }

    /// What is known about an object, from now on among the young.
    fn scopes(&mut self, subject: &Subject) -> Option<&mut Scopes> {
        if let Some(scopes) = self.old.remove(subject) {
            self.make_room();
            self.young.insert(subject.clone(), scopes);
        }
        self.young.get_mut(subject)
    }

    fn make_room(&mut self) {
        if self.young.len() >= KNOWN {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

/// Writes what has gathered, and once in a while forgets what has expired.
struct Writer {
    store: Store,
    clock: SharedClock,
    memory: Arc<Memory>,
    tell: watch::Sender<u64>,
}

impl Writer {
    async fn run(self) {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.memory.news.notified() => self.write_all().await,
                _ = sweep.tick() => self.sweep().await,
            }
        }
    }

    async fn write_all(&self) {
        loop {
            let (changes, done) = self.memory.lock().take();
            if !changes.is_empty() {
                self.write(&changes).await;
            }
            let mut memory = self.memory.lock();
            memory.writing.clear();
            self.tell.send_replace(done);
            if memory.queue.is_empty() {
                return;
            }
        }
    }

    async fn write(&self, changes: &[HintChange]) {
        let mut tries = 1;
        loop {
            let error = match self.store.hints_change(changes.to_vec()).await {
                Ok(()) => return,
                Err(error) => error,
            };
            let passes = matches!(error, StoreError::Busy | StoreError::Unavailable(_));
            if !passes || tries == TRIES {
                let fault = Fault::new("writing hints", error);
                log::error!("{} of them are lost: {}", changes.len(), fault.chain());
                let mut memory = self.memory.lock();
                changes.iter().for_each(|change| memory.known.forget_all_of(change));
                return;
            }
            tries += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn sweep(&self) {
        match self.store.hints_forget_expired(self.clock.now()).await {
            Ok(0) => {}
            Ok(count) => log::debug!("{count} hints have expired"),
            Err(error) => log::error!("{}", Fault::new("forgetting expired hints", error).chain()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clock::{Clock, ManualClock};

    struct World {
        hints: Hints,
        store: Store,
        clock: Arc<ManualClock>,
        _folder: tempfile::TempDir,
    }

    async fn world() -> World {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("hints.db").to_str().unwrap());
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        let clock = ManualClock::at(DateTime::from_timestamp(1_795_000_000, 0).unwrap());
        World {
            hints: Hints::start(store.clone(), clock.clone()),
            store,
            clock,
            _folder: folder,
        }
    }

    impl World {
        /// As another process of the hub, or this one after a restart.
        fn other(&self) -> Hints {
            Hints::start(self.store.clone(), self.clock.clone())
        }
    }

    fn party(text: &str) -> PartyId {
        PartyId::from_slash(text).unwrap()
    }

    fn keys(found: Result<Vec<PartyId>, Fault>) -> Vec<String> {
        found.unwrap().iter().map(PartyId::key).collect()
    }

    // D-20, R-71, SES-19
    #[tokio::test]
    async fn a_session_seen_leads_to_its_cpo_and_to_its_payer_whatever_the_case() {
        let world = world().await;
        let hints = &world.hints;
        hints.remember_session(&party("de/Abc"), "Sess-1", &party("NL/EMS"), false);
        let found = hints.cpo_of_session("SESS-1").await.unwrap();
        assert_eq!(found[0].to_string(), "de/Abc", "as spelled");
        assert_eq!(
            keys(hints.payers_of_session(&party("DE/ABC"), "sess-1").await),
            ["NL/EMS"]
        );
        assert!(keys(hints.payers_of_session(&party("DE/XYZ"), "sess-1").await).is_empty());
        assert!(keys(hints.cpo_of_session("sess-2").await).is_empty());
        assert!(keys(hints.cpo_of_session("sess\0-1").await).is_empty());
        hints.flush().await;
        assert_eq!(keys(world.other().cpo_of_session("sess-1").await), ["DE/ABC"]);
    }

    // R-72
    #[tokio::test]
    async fn an_id_that_two_cpos_use_leads_to_both_also_when_another_process_saw_the_second() {
        let world = world().await;
        let other = world.other();
        world
            .hints
            .remember_session(&party("DE/ABC"), "S1", &party("NL/EMS"), false);
        other.remember_session(&party("DE/XYZ"), "S1", &party("NL/EMS"), false);
        other.flush().await;
        assert_eq!(keys(world.hints.cpo_of_session("S1").await), ["DE/ABC", "DE/XYZ"]);
    }

    // N-07
    #[tokio::test]
    async fn an_ended_session_is_remembered_for_a_week_and_a_straggler_prolongs_nothing() {
        let world = world().await;
        let (cpo, emsp, nsp) = (party("DE/ABC"), party("NL/EMS"), party("NL/NSP"));
        world.hints.remember_session(&cpo, "S1", &emsp, false);
        world.hints.remember_session(&cpo, "S1", &nsp, false);
        world.hints.remember_session(&cpo, "S1", &emsp, true);
        world.hints.remember_session(&cpo, "S1", &emsp, false);
        world.hints.flush().await;
        let restarted = world.other();
        restarted.remember_session(&cpo, "S1", &emsp, false);
        world.clock.advance(AFTER_THE_END - TimeDelta::seconds(1));
        assert_eq!(
            keys(restarted.payers_of_session(&cpo, "S1").await),
            ["NL/EMS", "NL/NSP"]
        );
        world.clock.advance(TimeDelta::seconds(1));
        assert!(keys(restarted.cpo_of_session("S1").await).is_empty());
        // The writers may have swept by themselves.
        world.store.hints_forget_expired(world.clock.now()).await.unwrap();
        assert_eq!(world.store.hints_find(SESSION, "S1").await.unwrap(), []);
    }

    // N-07
    #[tokio::test]
    async fn a_session_whose_end_is_never_heard_of_is_forgotten_too() {
        let world = world().await;
        world
            .hints
            .remember_session(&party("DE/ABC"), "S1", &party("NL/EMS"), false);
        world.hints.flush().await;
        world.clock.advance(WITHOUT_AN_END - TimeDelta::seconds(1));
        assert_eq!(keys(world.hints.cpo_of_session("S1").await), ["DE/ABC"]);
        world.clock.advance(TimeDelta::seconds(1));
        assert!(keys(world.hints.cpo_of_session("S1").await).is_empty());
        world
            .hints
            .remember_session(&party("DE/ABC"), "S1", &party("NL/EMS"), false);
        assert_eq!(keys(world.hints.cpo_of_session("S1").await), ["DE/ABC"]);
    }

    // CP-13
    #[tokio::test]
    async fn who_set_a_profile_is_known_until_the_session_ends() {
        let world = world().await;
        let (cpo, emsp, scsp) = (party("DE/ABC"), party("NL/EMS"), party("NL/SCS"));
        let hints = &world.hints;
        hints.remember_profile(&cpo, "S1", &scsp);
        hints.remember_profile(&cpo, "s1", &emsp);
        hints.remember_profile(&cpo, "S2", &scsp);
        assert_eq!(keys(hints.setters_of_session(&cpo, "S1").await), ["NL/EMS", "NL/SCS"]);
        assert_eq!(keys(hints.cpo_of_session("S1").await), ["DE/ABC"]);
        hints.remember_session(&cpo, "S1", &emsp, false);
        assert_eq!(keys(hints.setters_of_session(&cpo, "S1").await), ["NL/EMS", "NL/SCS"]);
        hints.remember_session(&cpo, "S1", &emsp, true);
        assert!(keys(hints.setters_of_session(&cpo, "S1").await).is_empty());
        hints.remember_profile(&cpo, "S1", &scsp);
        assert!(keys(hints.setters_of_session(&cpo, "S1").await).is_empty());
        assert_eq!(keys(hints.setters_of_session(&cpo, "S2").await), ["NL/SCS"]);
    }

    // R-71, R-72
    // CMD-17
    #[tokio::test]
    async fn a_reservation_is_known_by_the_emsp_that_made_it_and_for_a_day_after_it_expires() {
        let world = world().await;
        let (hints, emsp) = (&world.hints, party("NL/EMS"));
        let expires = world.clock.now() + TimeDelta::hours(1);
        hints.remember_reservation(&emsp, "R1", &party("DE/ABC"), expires);
        hints.remember_reservation(&party("NL/OTH"), "R1", &party("DE/XYZ"), expires);
        hints.remember_reservation(&emsp, "R2", &party("DE/ABC"), DateTime::<Utc>::MAX_UTC);
        assert_eq!(keys(hints.cpo_of_reservation(&emsp, "r1").await), ["DE/ABC"]);
        hints.remember_reservation(&emsp, "R1", &party("DE/XYZ"), expires);
        assert_eq!(keys(hints.cpo_of_reservation(&emsp, "R1").await), ["DE/ABC", "DE/XYZ"]);
        world.clock.set(expires + AFTER_A_RESERVATION);
        assert!(keys(hints.cpo_of_reservation(&emsp, "R1").await).is_empty());
        world.clock.advance(WITHOUT_AN_END);
        assert!(keys(hints.cpo_of_reservation(&emsp, "R2").await).is_empty());
    }

    #[tokio::test]
    async fn a_reservation_made_again_has_its_new_end() {
        let world = world().await;
        let (hints, emsp, cpo) = (&world.hints, party("NL/EMS"), party("DE/ABC"));
        let first = world.clock.now() + TimeDelta::hours(1);
        hints.remember_reservation(&emsp, "R1", &cpo, first);
        hints.remember_reservation(&emsp, "R1", &cpo, first + TimeDelta::days(3));
        world.clock.set(first + TimeDelta::days(3));
        assert_eq!(keys(hints.cpo_of_reservation(&emsp, "R1").await), ["DE/ABC"]);
    }

    // R-71, R-72
    #[tokio::test]
    async fn an_evse_decides_between_the_owners_of_a_location_id_but_only_together_with_it() {
        // F-16
        let world = world().await;
        let hints = &world.hints;
        hints.remember_location(&party("DE/ABC"), "LOC1", Some("3256"));
        hints.remember_location(&party("DE/XYZ"), "LOC1", Some("3257"));
        hints.remember_location(&party("DE/XYZ"), "LOC2", Some("3256"));
        assert_eq!(keys(hints.cpo_of_location("loc1", None).await), ["DE/ABC", "DE/XYZ"]);
        assert_eq!(keys(hints.cpo_of_location("loc1", Some("3256")).await), ["DE/ABC"]);
        assert_eq!(keys(hints.cpo_of_location("LOC2", Some("3256")).await), ["DE/XYZ"]);
        assert_eq!(keys(hints.cpo_of_location("LOC2", Some("9999")).await), ["DE/XYZ"]);
        assert!(keys(hints.cpo_of_location("LOC3", Some("3256")).await).is_empty());
        assert!(keys(hints.cpo_of_location("LOC1\n3256", None).await).is_empty());
    }

    #[tokio::test]
    async fn what_is_known_is_not_written_again() {
        let world = world().await;
        let (hints, cpo, emsp) = (&world.hints, party("DE/ABC"), party("NL/EMS"));
        let expires = world.clock.now() + TimeDelta::hours(1);
        let tell = || {
            hints.remember_session(&cpo, "S1", &emsp, false);
            hints.remember_session(&cpo, "S2", &emsp, true);
            hints.remember_profile(&cpo, "S1", &emsp);
            hints.remember_reservation(&emsp, "R1", &cpo, expires);
            hints.remember_location(&cpo, "LOC1", Some("3256"));
        };
        tell();
        assert_eq!(hints.unwritten(), 8);
        hints.flush().await;
        assert_eq!(hints.unwritten(), 0);
        world.clock.advance(TimeDelta::minutes(1));
        tell();
        assert_eq!(hints.unwritten(), 0);
        // A location in use must not expire under its users.
        world.clock.advance(TimeDelta::days(1));
        hints.remember_location(&cpo, "LOC1", Some("3256"));
        assert_eq!(hints.unwritten(), 2);
    }

    #[tokio::test]
    async fn when_the_database_does_not_keep_up_the_oldest_hints_are_lost_and_can_be_learned_again() {
        let world = world().await;
        let (hints, cpo, emsp) = (&world.hints, party("DE/ABC"), party("NL/EMS"));
        // The writer has no chance to run before the first await.
        for n in 0..QUEUE + 2 {
            hints.remember_session(&cpo, &format!("S{n}"), &emsp, false);
        }
        assert_eq!(hints.memory.lock().queue.len(), QUEUE);
        hints.flush().await;
        assert_eq!(hints.unwritten(), 0);
        for (id, known) in [("S0", 0), ("S1", 0), ("S2", 1), (&format!("S{}", QUEUE + 1), 1)] {
            assert_eq!(keys(hints.cpo_of_session(id).await).len(), known, "{id}");
        }
        hints.remember_session(&cpo, "S0", &emsp, false);
        assert_eq!(keys(hints.cpo_of_session("S0").await), ["DE/ABC"]);
    }

    #[tokio::test]
    async fn a_database_that_is_gone_is_a_fault_and_not_an_unknown_session() {
        let world = world().await;
        world.store.close().await;
        world
            .hints
            .remember_session(&party("DE/ABC"), "S1", &party("NL/EMS"), false);
        assert!(world.hints.cpo_of_session("S1").await.is_err());
        world.hints.flush().await;
        assert_eq!(world.hints.unwritten(), 0, "given up");
        world
            .hints
            .remember_session(&party("DE/ABC"), "S1", &party("NL/EMS"), false);
        assert_eq!(world.hints.unwritten(), 1, "and to be learned again");
    }

    #[test]
    fn the_memory_of_what_is_written_has_an_end_and_keeps_what_is_used() {
        let mut known = Generations::default();
        let one = |n: usize| Subject::new(SESSION, Some(format!("S{n}")), &party("DE/ABC")).unwrap();
        let fact = Known {
            expires_at: DateTime::<Utc>::MAX_UTC,
            ended: false,
        };
        for n in 0..3 * KNOWN {
            known.put(&one(n), "NL/EMS", fact);
            assert!(known.get(&one(0), "NL/EMS").is_some());
        }
        assert!(known.young.len() + known.old.len() <= 2 * KNOWN);
        assert!(known.get(&one(1), "NL/EMS").is_none());
        assert!(known.get(&one(3 * KNOWN - 1), "NL/EMS").is_some());
    }
}
