//! One session and who steers it: nobody, somebody whose request is under way, or somebody whose profile the CPO took.
//!
//! ```text
//!            PUT is taken                    result ACCEPTED
//!   FREE ───────────────────► PENDING ───────────────────────► HELD ──► FREE   DELETE accepted, revoked, released
//!    ▲  no, not accepted, time over │  ▲      a new PUT of the holder    │
//!    └──────────────────────────────┘  └─────────────────────────────────┘
//! ```
//!
//! Pure: time and contracts are given, and the same calls in the same order give the same state. What somebody holds rests on being
//! entitled to it: where the contract ended or the token is another eMSP's by now, the session counts as free (smart-charging.md 2.2, 2.3).

use chrono::{DateTime, TimeDelta, Utc};

use serde::{Deserialize, Serialize};

use super::contract::{Contract, Precedence};
use super::kept;
use super::pace::{Bucket, Limits};
use crate::ocpi::ids::PartyId;

/// How long after a request's `timeout` its result is still waited for before control goes back (2.2).
pub const PATIENCE: TimeDelta = TimeDelta::seconds(60);

/// The longest `timeout` of a CPO that keeps others out: the time for which an answer's address is lent at least.
const LONGEST_TIMEOUT_S: u64 = 86_400;

/// How many requests whose time is over are remembered: the oldest is forgotten, and its result then changes nothing.
const REMEMBERED: usize = 8;

/// A session and everything about who steers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The CPO, as registered.
    #[serde(with = "kept::party")]
    pub cpo: PartyId,
    /// Its id, as spelled.
    pub id: String,
    /// Whose token it is; `None` where the hub has seen no Session.
    #[serde(with = "kept::maybe_party")]
    pub emsp: Option<PartyId>,
    /// The location's id.
    pub location: Option<String>,
    /// The EVSE's `uid`.
    pub evse: Option<String>,
    /// When it ends or ended, as far as the CPO said.
    #[serde(with = "kept::maybe")]
    pub ends_at: Option<DateTime<Utc>>,
    /// COMPLETED or INVALID: nobody steers it any more, and nobody is told.
    pub is_over: bool,
    /// Who steers it.
    pub state: State,
    /// Requests to set a profile whose time is over, or that a newer one of the same party followed; their result may still come.
    pub late: Vec<Asked>,
    /// Requests to remove a profile whose result is to come.
    pub clearing: Vec<Asked>,
    /// Who had a profile accepted, and is told of the active one until the session ends (S-43).
    pub subscribers: Vec<Subscriber>,
    /// Which providers were shown the Session as a whole; they are shown its changes.
    #[serde(with = "kept::parties", default)]
    pub shown_to: Vec<PartyId>,
    /// How many requests went to the CPO so far.
    pub requests: u64,
    /// How often each party asked.
    pub paces: Vec<Pace>,
    /// The last active profile the CPO told, as it told it.
    pub active: Option<Active>,
    /// The Session as the CPO told it so far; only while a provider is to see it, and beside the row's document.
    #[serde(skip)]
    pub copy: Option<String>,
}

/// Who steers a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Nobody.
    Free,
    /// Somebody's request is under way.
    Pending {
        /// Which.
        asked: Asked,
        /// What the same party held before.
        before: Option<Hold>,
    },
    /// Somebody's profile was accepted.
    Held(Hold),
}

/// What control rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// T1: the session's token.
    Token,
    /// T3: the CPO's word.
    Contract,
    /// T2 with relay by the hub: the eMSP's word, and in its name.
    Delegate,
}

/// In whose name a party asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// In its own, or in that of an eMSP that lets it.
    Any,
    /// In its own.
    Own,
    /// In that of this eMSP.
    Of(&'a PartyId),
}

/// Somebody who is told of the active profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who.
    pub party: PartyId,
    /// The eMSP it acts for: to the CPO it is the one who is told.
    pub acts_for: Option<PartyId>,
}

/// A request that went to the CPO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which: the digest of the id under which its result comes.
    pub request: String,
    /// Whose.
    #[serde(with = "kept::party")]
    pub party: PartyId,
    /// By what right.
    pub basis: Basis,
    /// Its place in the order of all requests about the session.
    pub nth: u64,
    /// Until when its result keeps others out.
    #[serde(with = "kept::instant")]
    pub until: DateTime<Utc>,
    /// Whether the CPO has accepted it at once.
    pub is_accepted: bool,
}

/// Control of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Whose.
    #[serde(with = "kept::party")]
    pub party: PartyId,
    /// By what right.
    pub basis: Basis,
    /// Since when.
    #[serde(with = "kept::instant")]
    pub since: DateTime<Utc>,
}

/// Somebody who is told of the active profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriber {
    /// Who.
    #[serde(with = "kept::party")]
    pub party: PartyId,
    /// By what right.
    pub basis: Basis,
}

/// What one party has asked, as far as it counts for what it may ask now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Who.
    #[serde(with = "kept::party")]
    pub party: PartyId,
    /// PUT, and each DELETE that is not free.
    pub put: Bucket,
    /// GET.
    pub get: Bucket,
    /// DELETEs that are free: one for each accepted PUT.
    pub free_deletes: u32,
}

/// An active profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// ActiveChargingProfile, the octets the CPO wrote.
    pub profile: String,
    /// When it told.
    #[serde(with = "kept::instant")]
    pub at: DateTime<Utc>,
}

/// What is asked about a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Which is active.
    Get,
    /// Set one.
    Put,
    /// Remove it.
    Delete,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The party.
    pub party: &'a PartyId,
    /// Whether it is an eMSP: of a session nobody has seen any eMSP may be the owner.
    pub is_emsp: bool,
    /// In whose name.
    pub name: Name<'a>,
    /// What.
    pub verb: Verb,
    /// The request, as in [`Asked::request`].
    pub request: &'a str,
    /// How long the CPO may take for its first answer.
    pub answer_within: TimeDelta,
}

/// Why the hub says no in its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It neither owns the token nor has a contract.
    Stranger,
    /// Somebody else steers, or is about to.
    Controlled,
    /// Another has precedence there.
    Outranked,
    /// It asked too often; so long until it may.
    TooOften(TimeDelta),
}

/// The CPO's first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A result will follow within so many seconds.
    Accepted(u64),
    /// It will not be done.
    No,
}

/// What a Session said that went by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whose token.
    pub emsp: Option<PartyId>,
    /// The eMSP it went to: whose token it is where nobody ever said so.
    pub addressee: Option<PartyId>,
    /// The location.
    pub location: Option<String>,
    /// The EVSE.
    pub evse: Option<String>,
    /// `end_date_time`.
    pub ends_at: Option<DateTime<Utc>>,
    /// COMPLETED or INVALID.
    pub is_over: bool,
}

impl Session {
    /// One of which nothing is known yet.
    #[must_use]
    pub fn new(cpo: &PartyId, id: &str) -> Session {
        Session {
            cpo: cpo.clone(),
            id: id.to_owned(),
            emsp: None,
            location: None,
            evse: None,
            ends_at: None,
            is_over: false,
            state: State::Free,
            late: Vec::new(),
            clearing: Vec::new(),
            subscribers: Vec::new(),
            shown_to: Vec::new(),
            requests: 0,
            paces: Vec::new(),
            active: None,
            copy: None,
        }
    }

    /// Lets a request of `ask.party` through, and takes control for it where it sets a profile; the order of the tests is that of 2.3. The
    /// eMSP in whose name it goes to the CPO, where that is not its own.
    ///
    /// # Errors
    /// Which no; then nothing has changed, no bucket either.
    pub fn admit(
        &mut self,
        ask: &Ask<'_>,
        contracts: &[Contract],
        limits: &Limits,
        now: DateTime<Utc>,
    ) -> Result<Option<PartyId>, Refused> {
        let basis = self
            .basis(ask.party, ask.is_emsp, ask.name, contracts, now)
            .ok_or(Refused::Stranger)?;
        let mut next = self.clone();
        next.let_time_pass(now);
        if ask.verb != Verb::Get {
            if next.is_anothers(ask.party, basis, contracts, now) {
                return Err(Refused::Controlled);
            }
            let lets_go = ask.verb == Verb::Delete && next.steers_as(ask.party).is_some();
            if !lets_go && next.is_outranked(ask.party, basis, contracts, now) {
                return Err(Refused::Outranked);
            }
        }
        next.with_pace(ask.party, |pace| pace.take(ask.verb, limits, now))
            .map_err(Refused::TooOften)?;
        next.requests = next.requests.saturating_add(1);
        let asked = Asked {
            request: ask.request.to_owned(),
            party: ask.party.clone(),
            basis,
            nth: next.requests,
            until: after(now, ask.answer_within),
            is_accepted: false,
        };
        match ask.verb {
            Verb::Put if !next.is_over => next.begin(asked),
            Verb::Delete if !next.is_over => remember(&mut next.clearing, asked),
            _ => {}
        }
        *self = next;
        Ok(self.acts_for(basis))
    }

    /// By what right a party may ask about this session at all. Of two rights, that by which it steers already; else its own.
    #[must_use]
    pub fn basis(
        &self,
        party: &PartyId,
        is_emsp: bool,
        name: Name<'_>,
        contracts: &[Contract],
        now: DateTime<Utc>,
    ) -> Option<Basis> {
        let own = || {
            let is_owner = match &self.emsp {
                Some(owner) => owner == party,
                None => is_emsp,
            };
            if is_owner {
                return Some(Basis::Token);
            }
            let lets = |one: &Contract| one.lets_steer(&self.cpo, party, self.place(), now);
            contracts.iter().any(lets).then_some(Basis::Contract)
        };
        let anothers = |emsp: &PartyId| {
            let lets = |one: &Contract| one.lets_relay(emsp, party, now);
            contracts.iter().any(lets).then_some(Basis::Delegate)
        };
        let emsp = self.emsp.as_ref();
        match name {
            Name::Own => own(),
            Name::Of(named) => emsp.filter(|emsp| *emsp == named).and_then(anothers),
            Name::Any if self.steers_as(party) == Some(Basis::Delegate) => emsp.and_then(anothers).or_else(own),
            Name::Any => own().or_else(|| emsp.and_then(anothers)),
        }
    }

    /// Who is told of the active profile: whoever had one accepted and may still ask (2.6).
    #[must_use]
    pub fn told(&self, contracts: &[Contract], now: DateTime<Utc>) -> Vec<Told> {
        let still = |one: &Subscriber| {
            let basis = self.basis(&one.party, one.basis == Basis::Token, Name::Any, contracts, now)?;
            Some(Told {
                party: one.party.clone(),
                acts_for: self.acts_for(basis),
            })
        };
        self.subscribers.iter().filter_map(still).collect()
    }

    fn acts_for(&self, basis: Basis) -> Option<PartyId> {
        self.emsp.clone().filter(|_| basis == Basis::Delegate)
    }

    /// Where it is: location and EVSE.
    pub(super) fn place(&self) -> (Option<&str>, Option<&str>) {
        (self.location.as_deref(), self.evse.as_deref())
    }

    /// The CPO's first answer to a request. One that never came changes nothing: it may have acted all the same.
    pub fn answered(&mut self, request: &str, answered: Answered, now: DateTime<Utc>) {
        self.let_time_pass(now);
        let Answered::Accepted(timeout) = answered else {
            return self.undo(request, now);
        };
        let timeout = TimeDelta::seconds(i64::try_from(timeout.min(LONGEST_TIMEOUT_S)).unwrap_or(0));
        let under_way = match &mut self.state {
            State::Pending { asked, .. } => Some(asked),
            _ => None,
        };
        let mut waiting = under_way.into_iter().chain(&mut self.late);
        let Some(asked) = waiting.find(|one| one.request == request) else {
            return;
        };
        asked.until = after(now, timeout);
        if !std::mem::replace(&mut asked.is_accepted, true) {
            let party = asked.party.clone();
            self.free_a_delete(&party);
        }
    }

    /// The result of a request, whenever it comes. One that is not waited for, or comes twice, changes nothing.
    pub fn result(&mut self, verb: Verb, request: &str, is_accepted: bool, now: DateTime<Utc>) {
        self.let_time_pass(now);
        match verb {
            Verb::Get => {}
            Verb::Put => self.is_set(request, is_accepted, now),
            Verb::Delete => self.is_cleared(request, is_accepted),
        }
    }

    /// Nobody steers it any more: the CPO revoked the profile, or the operator released the session. A result that is still to come
    /// counts as one that is late.
    pub fn free(&mut self, now: DateTime<Utc>) {
        self.let_time_pass(now);
        if let State::Pending { asked, .. } = std::mem::replace(&mut self.state, State::Free) {
            remember(&mut self.late, asked);
        }
        self.late.iter_mut().for_each(|one| one.until = one.until.min(now));
        self.clearing.clear();
    }

    /// A Session went by. An end is final: a straggler about an ended session changes nothing.
    pub fn seen(&mut self, seen: Seen) {
        if self.is_over {
            return;
        }
        let known = |new: Option<String>, old: &mut Option<String>| {
            if new.is_some() {
                *old = new;
            }
        };
        known(seen.location, &mut self.location);
        known(seen.evse, &mut self.evse);
        self.emsp = seen.emsp.or_else(|| self.emsp.take()).or(seen.addressee);
        self.ends_at = seen.ends_at.or(self.ends_at);
        if seen.is_over {
            self.is_over = true;
            self.state = State::Free;
            self.late.clear();
            self.clearing.clear();
            self.subscribers.clear();
            self.active = None;
        }
    }

    /// A request whose time is over gives control back.
    pub fn let_time_pass(&mut self, now: DateTime<Utc>) {
        match std::mem::replace(&mut self.state, State::Free) {
            State::Pending { asked, before } if asked.until <= now => {
                let party = asked.party.clone();
                remember(&mut self.late, asked);
                self.go_back(&party, before, now);
            }
            other => self.state = other,
        }
    }

    /// Whatever `party` had before a request that is done with: another one whose result is still to come in time, its hold, or nothing.
    fn go_back(&mut self, party: &PartyId, before: Option<Hold>, now: DateTime<Utc>) {
        let in_time = |one: &&Asked| one.party == *party && one.until > now;
        let another = self.late.iter().filter(in_time).max_by_key(|one| one.until).cloned();
        self.state = match (another, before) {
            (Some(asked), before) => {
                self.late.retain(|one| one.request != asked.request);
                State::Pending { asked, before }
            }
            (None, Some(hold)) => State::Held(hold),
            (None, None) => State::Free,
        };
    }

    /// Whether somebody else steers it, or is about to; also the same party in another's name (ECI-09). What is held rests on being entitled; a
    /// request under way ends by itself.
    fn is_anothers(&self, party: &PartyId, basis: Basis, contracts: &[Contract], now: DateTime<Utc>) -> bool {
        let is_same = |who: &PartyId, by: Basis| who == party && (by == Basis::Delegate) == (basis == Basis::Delegate);
        match &self.state {
            State::Free => false,
            State::Pending { asked, .. } => !is_same(&asked.party, asked.basis),
            State::Held(hold) => {
                let name = match (hold.basis, &self.emsp) {
                    (Basis::Delegate, Some(emsp)) => Name::Of(emsp),
                    _ => Name::Own,
                };
                let is_emsp = hold.basis == Basis::Token;
                !is_same(&hold.party, hold.basis) && self.basis(&hold.party, is_emsp, name, contracts, now).is_some()
            }
        }
    }

    fn steers_as(&self, party: &PartyId) -> Option<Basis> {
        let (who, basis) = match &self.state {
            State::Free => return None,
            State::Pending { asked, .. } => (&asked.party, asked.basis),
            State::Held(hold) => (&hold.party, hold.basis),
        };
        (who == party).then_some(basis)
    }

    /// Whether a contract that holds here gives another the precedence (2.1): the CPO's providers before the eMSP, or the eMSP, once it has
    /// steered, before those of them whose every contract says so.
    fn is_outranked(&self, party: &PartyId, basis: Basis, contracts: &[Contract], now: DateTime<Utc>) -> bool {
        let mut here = contracts.iter().filter(|one| one.covers(&self.cpo, self.place(), now));
        match basis {
            Basis::Token | Basis::Delegate => here.any(|one| one.precedence == Precedence::Cpo),
            Basis::Contract => {
                let has_steered = self.subscribers.iter().any(|one| one.basis != Basis::Contract);
                let mut own = here.filter(|one| one.scsp == *party);
                has_steered && own.all(|one| one.precedence == Precedence::Emsp)
            }
        }
    }

    fn begin(&mut self, asked: Asked) {
        let before = match std::mem::replace(&mut self.state, State::Free) {
            State::Free => None,
            State::Held(hold) => Some(hold).filter(|hold| hold.party == asked.party),
            State::Pending { asked, before } => {
                remember(&mut self.late, asked);
                before
            }
        };
        self.state = State::Pending { asked, before };
    }

    fn undo(&mut self, request: &str, now: DateTime<Utc>) {
        self.late.retain(|one| one.request != request);
        self.clearing.retain(|one| one.request != request);
        match std::mem::replace(&mut self.state, State::Free) {
            State::Pending { asked, before } if asked.request == request => self.go_back(&asked.party, before, now),
            other => self.state = other,
        }
    }

    fn is_set(&mut self, request: &str, is_accepted: bool, now: DateTime<Utc>) {
        if !is_accepted {
            return self.undo(request, now);
        }
        let is_awaited = matches!(&self.state, State::Pending { asked, .. } if asked.request == request);
        let asked = if is_awaited {
            match std::mem::replace(&mut self.state, State::Free) {
                State::Pending { asked, before } => {
                    self.state = before.map_or(State::Free, State::Held);
                    asked
                }
                _ => return,
            }
        } else {
            let Some(place) = self.late.iter().position(|one| one.request == request) else {
                return;
            };
            self.late.remove(place)
        };
        let hold = |since| Hold {
            party: asked.party.clone(),
            basis: asked.basis,
            since,
        };
        match &mut self.state {
            State::Free => self.state = State::Held(hold(now)),
            State::Held(held) if held.party == asked.party => *held = hold(held.since),
            State::Pending { asked: newer, before } if newer.party == asked.party => {
                let since = before.as_ref().map_or(now, |before| before.since);
                *before = Some(hold(since));
            }
            // Late, and another steers by now: it is passed on and changes nothing.
            _ => return,
        }
        // What was asked before is done by now; what was asked behind it may still remove it.
        self.clearing.retain(|one| one.nth > asked.nth);
        if !asked.is_accepted {
            self.free_a_delete(&asked.party);
        }
        if !self.subscribers.iter().any(|one| one.party == asked.party) {
            self.subscribers.push(Subscriber {
                party: asked.party,
                basis: asked.basis,
            });
        }
    }

    fn is_cleared(&mut self, request: &str, is_accepted: bool) {
        let Some(place) = self.clearing.iter().position(|one| one.request == request) else {
            return;
        };
        let asked = self.clearing.remove(place);
        match &mut self.state {
            State::Held(hold) if is_accepted && hold.party == asked.party => self.state = State::Free,
            State::Pending { asked: newer, before } if is_accepted && newer.party == asked.party => *before = None,
            _ => {}
        }
    }

    fn with_pace<T>(&mut self, party: &PartyId, does: impl FnOnce(&mut Pace) -> T) -> T {
        let place = self.paces.iter().position(|one| one.party == *party);
        let mut pace = place.map_or_else(|| Pace::new(party), |place| self.paces.remove(place));
        let done = does(&mut pace);
        self.paces.push(pace);
        done
    }

    fn free_a_delete(&mut self, party: &PartyId) {
        self.with_pace(party, |pace| pace.free_deletes = pace.free_deletes.saturating_add(1));
    }
}

impl Pace {
    fn new(party: &PartyId) -> Pace {
        Pace {
            party: party.clone(),
            put: Bucket::default(),
            get: Bucket::default(),
            free_deletes: 0,
        }
    }

    fn take(&mut self, verb: Verb, limits: &Limits, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        match verb {
            Verb::Get => self.get.take(limits.get, now),
            Verb::Delete if self.free_deletes > 0 => {
                self.free_deletes -= 1;
                Ok(())
            }
            Verb::Put | Verb::Delete => self.put.take(limits.put, now),
        }
    }
}

impl Verb {
    /// The HTTP method.
    #[must_use]
    pub fn of(method: &str) -> Option<Verb> {
        match method {
            "GET" => Some(Verb::Get),
            "PUT" => Some(Verb::Put),
            "DELETE" => Some(Verb::Delete),
            _ => None,
        }
    }
}

/// So long from now, and sixty seconds.
fn after(now: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    let with_patience = span.checked_add(&PATIENCE).unwrap_or(PATIENCE);
    now.checked_add_signed(with_patience).unwrap_or(now)
}

fn remember(list: &mut Vec<Asked>, asked: Asked) {
    if list.len() >= REMEMBERED {
        list.remove(0);
    }
    list.push(asked);
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
