//! The ledger: what [`super::session`] decides, kept in one row for each session, and the contracts it is decided by.
//!
//! A change is made on the row as it was read and written only if nobody else wrote since; otherwise it is thought over again. Within a
//! process those about one session take turns, so that only other processes ever get in between.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::contract::{Contract, Relay, Wrong};
use super::pace::Limits;
use super::session::{Active, Answered, Ask, Name, Refused, Seen, Session, State, Told, Verb};
use super::showing::{self, Push, Showing};
use crate::clock::SharedClock;
use crate::config::Secret;
use crate::ocpi::ids::{PartyId, key_of};
use crate::parties::Fault;
use crate::seeing::Tally;
use crate::store::{ContractKept, ContractRow, ControlFilter, ControlRow, JournalEntry, NewNotice, Store, StoreError};

/// How long a session is remembered after its end, so that a straggler does not bring it back.
const AFTER_THE_END: TimeDelta = TimeDelta::days(7);
/// How long after the end it announced a session is waited for that says nothing more (2.2).
const AFTER_ITS_TIME: TimeDelta = TimeDelta::hours(24);
/// How long a session is kept whose end nobody told.
const WITHOUT_AN_END: TimeDelta = TimeDelta::days(400);
/// The same where no Session was ever seen, only requests about it.
const NEVER_SEEN: TimeDelta = TimeDelta::days(7);
/// How long a Session is kept for providers of which nothing more is said: what is in it is a driver's.
const WITHOUT_A_WORD: TimeDelta = TimeDelta::days(2);
/// Ends closer together than this are the same.
const ABOUT: TimeDelta = TimeDelta::hours(1);
/// The longest active profile that is kept for the operator to read.
const LONGEST_PROFILE: usize = 64 * 1024;
/// More often than this in a row nobody is quicker by chance.
const TRIES: u32 = 100;
/// How often rows whose time is over are cleared away.
const SWEEP: Duration = Duration::from_secs(3600);

/// The ledger of a hub.
pub struct Profiles {
    store: Store,
    clock: SharedClock,
    settings: ProfilesSettings,
    turns: Vec<Mutex<()>>,
    refused: Tally,
}

/// What this room needs to know of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct ProfilesSettings {
    /// `smart_charging.control = "ledger"`: there is one controller at a time; otherwise requests are only carried.
    pub is_kept: bool,
    /// How often each party may ask.
    pub limits: Limits,
}

/// What became of a contract that was written.
#[derive(Clone, Debug)]
pub enum Agreed {
    /// It holds from its next request on.
    Kept {
        /// It.
        contract: Contract,
        /// Whether there was none of that id.
        is_new: bool,
    },
    /// What stands under that id is what the configuration file says.
    Configured,
}

/// What an operator's release found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// Somebody steered, and nobody does now.
    Freed,
    /// Nobody did.
    WasFree,
    /// There is no such session.
    Unknown,
}

/// What a request about a session is asked of.
pub type Place<'a> = (&'a PartyId, &'a str);

impl Profiles {
    /// Words that are counted: what the hub refused and the CPOs' own TOO_OFTEN.
    pub const REFUSED: [&'static str; 5] = ["stranger", "controlled", "outranked", "too_often", "too_often_by_cpo"];

    /// The ledger on this database.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, settings: ProfilesSettings) -> Arc<Profiles> {
        Arc::new(Profiles {
            store,
            clock,
            settings,
            turns: (0..64).map(|_| Mutex::default()).collect(),
            refused: Tally::of(&Profiles::REFUSED),
        })
    }

    /// Whether there is one controller at a time at this hub.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.settings.is_kept
    }

    /// What was refused since the start.
    #[must_use]
    pub fn refused(&self) -> &Tally {
        &self.refused
    }

    // ---- requests ----

    /// Whether a request would be let through, and in whose name it would go, where not in its own. Changes nothing; a no is counted.
    ///
    /// # Errors
    /// When the database fails; then nobody is let through.
    pub async fn would_admit(
        &self,
        place: Place<'_>,
        ask: &Ask<'_>,
    ) -> Result<Result<Option<PartyId>, Refused>, Fault> {
        let session = self.session(place).await?;
        let mut session = session.unwrap_or_else(|| Session::new(place.0, place.1));
        let contracts = self.contracts_about(place.0, session.emsp.as_ref()).await?;
        let now = self.clock.now();
        Ok(self.counted(session.admit(ask, &contracts, &self.settings.limits, now)))
    }

    /// Lets a request through, or not; control is taken with it, in one write, before anything is sent.
    ///
    /// # Errors
    /// When the database fails; then nobody is let through.
    pub async fn admit(&self, place: Place<'_>, ask: &Ask<'_>) -> Result<Result<Option<PartyId>, Refused>, Fault> {
        let emsp = self.session(place).await?.and_then(|session| session.emsp);
        let contracts = self.contracts_about(place.0, emsp.as_ref()).await?;
        let limits = self.settings.limits;
        let said = self
            .change(place, true, |session, now| session.admit(ask, &contracts, &limits, now))
            .await?;
        Ok(self.counted(said.unwrap_or(Err(Refused::Stranger))))
    }

    fn counted<T>(&self, said: Result<T, Refused>) -> Result<T, Refused> {
        if let Err(refused) = said.as_ref() {
            self.refused.count(match refused {
                Refused::Stranger => "stranger",
                Refused::Controlled => "controlled",
                Refused::Outranked => "outranked",
                Refused::TooOften(_) => "too_often",
            });
        }
        said
    }

    /// An eMSP was asked by somebody it lets not act for it.
    pub fn no_contract(&self) {
        self.refused.count("stranger");
    }

    /// A CPO said TOO_OFTEN of its own accord: passed on unchanged, and counted.
    pub fn cpo_said_too_often(&self) {
        self.refused.count("too_often_by_cpo");
    }

    /// What the CPO answered to a request at once.
    ///
    /// # Errors
    /// When the database fails; control then goes back by its time.
    pub async fn answered(&self, place: Place<'_>, request: &str, answered: Answered) -> Result<(), Fault> {
        let moved = |session: &mut Session, now| session.answered(request, answered, now);
        self.change(place, false, moved).await.map(drop)
    }

    /// The result of a request, and the active profile where it was asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn result(
        &self,
        place: Place<'_>,
        (verb, request): (Verb, &str),
        is_accepted: bool,
        active: Option<&str>,
    ) -> Result<(), Fault> {
        self.change(place, false, |session, now| {
            session.result(verb, request, is_accepted, now);
            keep_active(session, active, now);
        })
        .await
        .map(drop)
    }

    // ---- sessions ----

    /// Whether the session has a row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knows(&self, place: Place<'_>) -> Result<bool, Fault> {
        Ok(self.session(place).await?.is_some())
    }

    /// Something is known of a session, and nobody is shown it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seen(&self, place: Place<'_>, seen: &Seen) -> Result<(), Fault> {
        let seen = |session: &mut Session, _| session.seen(seen.clone());
        self.change(place, true, seen).await.map(drop)
    }

    /// The contracts that say something about the sessions of this CPO and this eMSP.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contracts_about(&self, cpo: &PartyId, emsp: Option<&PartyId>) -> Result<Vec<Contract>, Fault> {
        let grantors = [Some(cpo), emsp].into_iter().flatten().map(PartyId::key).collect();
        let rows = self.store.contracts_of(grantors).await.map_err(reading_contracts)?;
        rows.iter().map(contract).collect()
    }

    /// Whether a change of a session that may be shown has nothing here that it would be a change of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lacks_a_copy(&self, place: Place<'_>) -> Result<bool, Fault> {
        let session = self.session(place).await?;
        Ok(session.is_none_or(|session| session.copy.is_none() && !session.is_over))
    }

    /// A Session went by. Whoever those contracts let see it is owed a copy with the same write: `owe` says how, where it can be told at all.
    /// How many are.
    ///
    /// # Errors
    /// When the database fails; then nobody is owed anything.
    pub async fn passed(
        &self,
        place: Place<'_>,
        (seen, push): (&Seen, &Push<'_>),
        contracts: &[Contract],
        owe: impl Fn(&Showing, DateTime<Utc>) -> Option<NewNotice>,
    ) -> Result<usize, Fault> {
        let pass = |session: &mut Session, now| {
            let showings = showing::pass(session, seen.clone(), push, contracts, now);
            let mut owed = Vec::new();
            for showing in &showings {
                match owe(showing, now) {
                    Some(notice) => owed.push(notice),
                    None => session.shown_to.retain(|one| *one != showing.contract.scsp),
                }
            }
            (owed.len(), owed)
        };
        Ok(self.change_and_owe(place, true, pass).await?.unwrap_or(0))
    }

    /// The CPO reports the active profile of a session; `is_revoked` where it says that nobody's profile holds any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reported(&self, place: Place<'_>, active: &str, is_revoked: bool) -> Result<(), Fault> {
        self.change(place, false, |session, now| {
            keep_active(session, Some(active), now);
            if is_revoked {
                session.free(now);
            }
        })
        .await
        .map(drop)
    }

    /// Who is told of a session's active profile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn told(&self, place: Place<'_>) -> Result<Vec<Told>, Fault> {
        let Some(session) = self.session(place).await? else {
            return Ok(Vec::new());
        };
        let contracts = self.contracts_about(place.0, session.emsp.as_ref()).await?;
        Ok(session.told(&contracts, self.clock.now()))
    }

    /// The active profile the CPO last told, for one of these parties: the CPO, whoever may ask for it, whoever is told of it. `None` for
    /// everybody else, and where nothing was told (2.6).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn active_for(&self, place: Place<'_>, parties: &[PartyId]) -> Result<Option<Active>, Fault> {
        let Some(session) = self.session(place).await? else {
            return Ok(None);
        };
        let contracts = self.contracts_about(place.0, session.emsp.as_ref()).await?;
        let now = self.clock.now();
        let told = session.told(&contracts, now);
        let may = |party: &PartyId| {
            *party == session.cpo
                || session.basis(party, false, Name::Any, &contracts, now).is_some()
                || told.iter().any(|one| one.party == *party)
        };
        Ok(session.active.clone().filter(|_| parties.iter().any(may)))
    }

    /// The CPOs that have a session of this id, as far as requests and Sessions told; where an eMSP is named, one of its drivers'.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cpos_of(&self, session: &str, emsp: Option<&PartyId>) -> Result<Vec<PartyId>, Fault> {
        let Some(key) = key_of(session) else {
            return Ok(Vec::new());
        };
        let now = self.clock.now();
        let rows = self.store.controls_of_session(&key).await.map_err(reading)?;
        let living = rows.iter().filter(|row| row.expires_at > now);
        let sessions = living.map(read).collect::<Result<Vec<_>, _>>()?;
        // A request about a session that nobody has seen says nothing about whose it is.
        Ok(sessions
            .into_iter()
            .filter(|one| one.emsp.is_some() && emsp.is_none_or(|emsp| one.emsp.as_ref() == Some(emsp)))
            .map(|one| one.cpo)
            .collect())
    }

    // ---- the operator ----

    /// Nobody steers the session any more, because an operator says so and says why.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, place: Place<'_>, actor: &str, reason: &str) -> Result<Released, Fault> {
        let freed = self.change(place, false, |session, now| {
            session.let_time_pass(now);
            let was_free = session.state == State::Free;
            session.free(now);
            was_free
        });
        let Some(was_free) = freed.await? else {
            return Ok(Released::Unknown);
        };
        if was_free {
            return Ok(Released::WasFree);
        }
        let line = JournalEntry {
            id: Uuid::now_v7().to_string(),
            at: self.clock.now(),
            correlation_id: Uuid::new_v4().to_string(),
            request_id: None,
            from_party: None,
            to_party: Some(place.0.key()),
            platform: None,
            module: "chargingprofiles".to_owned(),
            method: "POST".to_owned(),
            object: Some(format!("{}/{}", place.0.key(), place.1)),
            http_status: None,
            status_code: None,
            outcome: format!("control released by {actor}: {reason}"),
            duration_ms: None,
        };
        let written = self.store.journal_add(line).await;
        written.map_err(|error| Fault::new("writing down a release", error))?;
        Ok(Released::Freed)
    }

    /// Sessions and who steers them, a page of them, each with its place in the list.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        filter: ControlFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Session>, Option<String>), Fault> {
        let now = self.clock.now();
        let found = self.store.control_list(filter, after, limit, now).await;
        let (rows, next) = found.map_err(reading)?;
        let mut sessions = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        sessions.iter_mut().for_each(|session| session.let_time_pass(now));
        Ok((sessions, next))
    }

    // ---- contracts ----

    /// Keeps a contract in place of any other of that id.
    ///
    /// # Errors
    /// `Err` inside for a document that is no contract; outside when the database fails.
    pub async fn agree(&self, id: &str, wish: &Map<String, Value>) -> Result<Result<Agreed, Wrong>, Fault> {
        let contract = match Contract::read(id, wish) {
            Ok(contract) => contract,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let kept = self.keep(&contract).await?;
        Ok(Ok(match kept {
            ContractKept::Configured => Agreed::Configured,
            _ => Agreed::Kept {
                contract,
                is_new: kept == ContractKept::New,
            },
        }))
    }

    /// Keeps the contracts of the configuration file, each in place of any other of that id, and ends those that stand in it no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn configure(&self, contracts: &[Contract]) -> Result<(), Fault> {
        for contract in contracts {
            let configured = Contract {
                is_configured: true,
                ..contract.clone()
            };
            match self.keep(&configured).await? {
                ContractKept::New => log::info!("contract {} of the configuration holds now", contract.id),
                ContractKept::Replaced => log::info!("contract {} holds as the configuration says now", contract.id),
                ContractKept::Unchanged | ContractKept::Configured => {}
            }
        }
        let ids = contracts.iter().map(|contract| contract.id.clone()).collect();
        let gone = self.store.contracts_configured(ids).await;
        for id in gone.map_err(|error| Fault::new("ending contracts", error))? {
            log::info!("contract {id} is not in the configuration any more, and ended");
        }
        Ok(())
    }

    async fn keep(&self, contract: &Contract) -> Result<ContractKept, Fault> {
        let mut fresh = [0_u8; 32];
        getrandom::fill(&mut fresh).map_err(|error| Fault::new("drawing a secret", error))?;
        // Between the same two parties a pseudonym stays what it is.
        let before = self.contract(&contract.id).await?;
        let same = before.filter(|one| (&one.grantor, &one.scsp) == (&contract.grantor, &contract.scsp));
        let secret = same.map_or_else(|| hex::encode(fresh), |one| one.secret.expose().to_owned());
        let row = ContractRow {
            id: contract.id.clone(),
            grantor_key: contract.grantor.key(),
            document: contract.document().to_string(),
            updated_at: self.clock.now(),
            secret,
            is_configured: contract.is_configured,
        };
        let kept = self.store.contract_put(row).await;
        kept.map_err(|error| Fault::new("keeping a contract", error))
    }

    /// The contract of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contract(&self, id: &str) -> Result<Option<Contract>, Fault> {
        let found = self.store.contract_get(id).await.map_err(reading_contracts)?;
        found.as_ref().map(contract).transpose()
    }

    /// Ends a contract now and for good. `false` where there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_contract(&self, id: &str) -> Result<bool, Fault> {
        let deleted = self.store.contract_delete(id).await;
        deleted.map_err(|error| Fault::new("ending a contract", error))
    }

    /// Contracts in the order of their ids, a page of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contracts(&self, after: Option<&str>, limit: u32) -> Result<(Vec<Contract>, Option<String>), Fault> {
        let (rows, next) = self
            .store
            .contract_list(after, limit)
            .await
            .map_err(reading_contracts)?;
        Ok((rows.iter().map(contract).collect::<Result<_, _>>()?, next))
    }

    /// Whether an eMSP lets a party act for it now (T2), and who then asks the CPO: the hub, where one of its contracts says so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lets_act(&self, emsp: &PartyId, party: &PartyId) -> Result<Option<Relay>, Fault> {
        let now = self.clock.now();
        let contracts = self.contracts_about(emsp, None).await?;
        let lets = || contracts.iter().filter(|one| one.lets_act(emsp, party, now));
        Ok(match lets().any(|one| one.relay == Relay::Hub) {
            true => Some(Relay::Hub),
            false => lets().next().map(|one| one.relay),
        })
    }

    // ---- rows ----

    /// Clears away what is over. Runs until the process ends or the task is aborted; safe to abort at any point.
    pub async fn tend(self: Arc<Profiles>) {
        const AT_ONCE: u32 = 500;
        let mut tick = tokio::time::interval(SWEEP);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.store.controls_forget_copies(self.clock.now()).await {
                log::error!("{}", Fault::new("forgetting Sessions", error).chain());
            }
            loop {
                match self.store.controls_forget_expired(self.clock.now(), AT_ONCE).await {
                    Ok(deleted) if deleted >= u64::from(AT_ONCE) => {}
                    Ok(_) => break,
                    Err(error) => {
                        log::error!("{}", Fault::new("forgetting sessions that are over", error).chain());
                        break;
                    }
                }
            }
        }
    }

    async fn session(&self, place: Place<'_>) -> Result<Option<Session>, Fault> {
        let Some(key) = key_of(place.1) else {
            return Ok(None);
        };
        let row = self.store.control_get(&place.0.key(), &key).await.map_err(reading)?;
        let row = row.filter(|row| row.expires_at > self.clock.now());
        row.as_ref().map(read).transpose()
    }

    /// Changes a session and keeps it, as often as it takes for nobody to get in between. `None` where there is none and none is to be
    /// made, or where nobody can have such a session.
    async fn change<T>(
        &self,
        place: Place<'_>,
        makes_one: bool,
        does: impl Fn(&mut Session, DateTime<Utc>) -> T,
    ) -> Result<Option<T>, Fault> {
        let owing_nothing = |session: &mut Session, now| (does(session, now), Vec::new());
        self.change_and_owe(place, makes_one, owing_nothing).await
    }

    /// The same; what `does` says is to be told is owed with the same write.
    async fn change_and_owe<T>(
        &self,
        place: Place<'_>,
        makes_one: bool,
        does: impl Fn(&mut Session, DateTime<Utc>) -> (T, Vec<NewNotice>),
    ) -> Result<Option<T>, Fault> {
        let Some(session_key) = key_of(place.1) else {
            return Ok(None);
        };
        let cpo_key = place.0.key();
        let _turn = match self.turn(&cpo_key, &session_key) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        for _ in 0..TRIES {
            let now = self.clock.now();
            let row = self.store.control_get(&cpo_key, &session_key).await.map_err(reading)?;
            let living = row.as_ref().filter(|row| row.expires_at > now);
            let before = living.map(read).transpose()?;
            if before.is_none() && !makes_one {
                return Ok(None);
            }
            let before = before.unwrap_or_else(|| Session::new(place.0, place.1));
            let mut session = before.clone();
            let (done, owed) = does(&mut session, now);
            let expires_at = expires_at(&session, now);
            let lives_longer = |row: &ControlRow| expires_at - row.expires_at > ABOUT;
            let is_prolonged = !session.is_over && session.ends_at.is_some() && living.is_some_and(lives_longer);
            if session == before && !is_prolonged && owed.is_empty() {
                return Ok(Some(done));
            }
            let document = serde_json::to_string(&session).map_err(|error| Fault::new("writing a session", error))?;
            let next = ControlRow {
                cpo_key: cpo_key.clone(),
                session_key: session_key.clone(),
                id: row
                    .as_ref()
                    .map_or_else(|| Uuid::now_v7().to_string(), |row| row.id.clone()),
                revision: row.as_ref().map_or(1, |row| row.revision.saturating_add(1)),
                is_steered: session.state != State::Free,
                is_over: session.is_over,
                document,
                expires_at,
                copy: session.copy.take(),
                copy_until: now.checked_add_signed(WITHOUT_A_WORD).unwrap_or(now),
            };
            let kept = self.store.control_put(next, row.map(|row| row.revision), owed).await;
            if kept.map_err(|error| Fault::new("keeping who steers a session", error))? {
                return Ok(Some(done));
            }
        }
        Err(Fault::new("keeping who steers a session", StoreError::Busy))
    }

    fn turn(&self, cpo_key: &str, session_key: &str) -> Option<&Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        (cpo_key, session_key).hash(&mut hasher);
        let place = hasher.finish() % self.turns.len().max(1) as u64;
        self.turns.get(usize::try_from(place).unwrap_or(0))
    }
}

fn keep_active(session: &mut Session, active: Option<&str>, now: DateTime<Utc>) {
    let active = active.filter(|active| active.len() <= LONGEST_PROFILE && !session.is_over);
    if let Some(active) = active {
        session.active = Some(Active {
            profile: active.to_owned(),
            at: now,
        });
    }
}

fn expires_at(session: &Session, now: DateTime<Utc>) -> DateTime<Utc> {
    let after = |from: DateTime<Utc>, span| from.checked_add_signed(span).unwrap_or(from);
    match session.ends_at {
        _ if session.is_over => after(now, AFTER_THE_END),
        // What the CPO announced for a far day keeps nothing for ever.
        Some(ends_at) => after(ends_at.max(now), AFTER_ITS_TIME).min(after(now, WITHOUT_AN_END)),
        None if session.emsp.is_some() => after(now, WITHOUT_AN_END),
        None => after(now, NEVER_SEEN),
    }
}

fn read(row: &ControlRow) -> Result<Session, Fault> {
    let session = serde_json::from_str(&row.document);
    let mut session: Session = session.map_err(|error| Fault::new("reading who steers a session", error))?;
    session.copy.clone_from(&row.copy);
    Ok(session)
}

fn contract(row: &ContractRow) -> Result<Contract, Fault> {
    let document: Map<String, Value> = serde_json::from_str(&row.document).map_err(reading_contract)?;
    let contract = Contract::read(&row.id, &document).map_err(|wrong| {
        let sentence = format!("{}: {}", wrong.pointer, wrong.reason);
        Fault::new("reading a contract", StoreError::corrupt(sentence))
    })?;
    Ok(Contract {
        secret: Secret::new(row.secret.clone()),
        is_configured: row.is_configured,
        ..contract
    })
}

fn reading_contract(error: serde_json::Error) -> Fault {
    Fault::new("reading a contract", error)
}

fn reading_contracts(error: StoreError) -> Fault {
    Fault::new("reading contracts", error)
}

fn reading(error: StoreError) -> Fault {
    Fault::new("reading who steers a session", error)
}
