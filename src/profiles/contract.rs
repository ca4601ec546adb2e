//! Contracts: who lets a smart charging provider steer, where, and for how long (smart-charging.md 2.1).
//!
//! T1 is no contract here: whoever owns the session's token may steer it. T2 is an eMSP's word that a provider may act as itself: it
//! lets that provider's requests through to the eMSP, who sends its own; with `relay = "hub"` the hub sends them in the eMSP's name. T3 is a
//! CPO's word, for all its places or for some.
//!
//! Read strictly: a member that a contract does not have is refused by name and not kept silently.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::config::Secret;
use crate::ocpi::ids::{PartyId, fold, key_of};
use crate::ocpi::time;

/// One contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its name, made by the operator.
    pub id: String,
    /// Between whom.
    pub kind: ContractKind,
    /// The eMSP (T2) or CPO (T3) that gives its word.
    pub grantor: PartyId,
    /// Whom it lets steer.
    pub scsp: PartyId,
    /// Where; of a T2 everywhere.
    pub scope: Scope,
    /// Who plays the eMSP's part towards the CPO; of a T3 it says nothing, there is no such part.
    pub relay: Relay,
    /// What the provider sees of whose session it is.
    pub privacy: Privacy,
    /// Who gives way to whom where the contract holds; of a T2 always `First`.
    pub precedence: Precedence,
    /// From when on, inclusive.
    pub from: DateTime<Utc>,
    /// Until when, exclusive; `None` is for good.
    pub to: Option<DateTime<Utc>>,
    /// What its pseudonyms are made with; empty where it was only read.
    pub secret: Secret,
    /// Whether it stands in the configuration file.
    pub is_configured: bool,
}

/// Which of the two that are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractKind {
    /// eMSP → SCSP.
    T2,
    /// CPO → SCSP.
    T3,
}

/// Who asks the CPO where a provider acts for an eMSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relay {
    /// The eMSP itself.
    None,
    /// The hub, in the eMSP's name; then the provider gets the eMSP's Sessions of the hub, too.
    Hub,
}

/// How a Session is shown to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Without what leads to the driver or says what was paid (see [`super::pseudonym`]).
    Pseudonymous,
    /// As the CPO sent it.
    Full,
}

/// Who gives way where both an eMSP and a provider of the CPO's may steer (2.1, 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// Nobody: whoever is first.
    First,
    /// The eMSP: it may ask, and not steer.
    Cpo,
    /// The provider, on each session that its eMSP has steered.
    Emsp,
}

/// Where a contract holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// At every place of the grantor.
    All,
    /// At these, by their OCPI ids.
    Some {
        /// Ids of locations.
        locations: Vec<String>,
        /// `uid`s of EVSEs.
        evses: Vec<String>,
    },
}

/// Why a document is no contract: the JSON pointer of the member, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where.
    pub pointer: String,
    /// Why.
    pub reason: String,
}

/// The longest list of places in one contract.
const MAX_PLACES: usize = 10_000;
/// The longest id of a contract.
const MAX_ID: usize = 64;

impl Contract {
    /// Whether it holds at that instant.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && self.to.is_none_or(|to| now < to)
    }

    /// Whether a CPO lets `party` steer a session at that place at that instant. Of a session whose place nobody knows only a contract for
    /// all places says so.
    #[must_use]
    pub fn lets_steer(
        &self,
        cpo: &PartyId,
        party: &PartyId,
        (location, evse): (Option<&str>, Option<&str>),
        now: DateTime<Utc>,
    ) -> bool {
        self.scsp == *party && self.covers(cpo, (location, evse), now)
    }

    /// Whether a CPO gives its word for a session at that place at that instant, to whomever.
    #[must_use]
    pub fn covers(&self, cpo: &PartyId, (location, evse): (Option<&str>, Option<&str>), now: DateTime<Utc>) -> bool {
        let is_its_word = self.kind == ContractKind::T3 && self.grantor == *cpo;
        is_its_word && self.holds(now) && self.scope.has(location, evse)
    }

    /// Whether an eMSP lets `party` act for it at that instant.
    #[must_use]
    pub fn lets_act(&self, emsp: &PartyId, party: &PartyId, now: DateTime<Utc>) -> bool {
        self.kind == ContractKind::T2 && self.grantor == *emsp && self.scsp == *party && self.holds(now)
    }

    /// Whether an eMSP lets `party` act for it at that instant, and the hub is to do it.
    #[must_use]
    pub fn lets_relay(&self, emsp: &PartyId, party: &PartyId, now: DateTime<Utc>) -> bool {
        self.relay == Relay::Hub && self.lets_act(emsp, party, now)
    }

    /// Whether the provider is to see a session of that CPO and that eMSP at that place at that instant (ECI-12, ECI-14).
    #[must_use]
    pub fn shows_sessions(
        &self,
        cpo: &PartyId,
        emsp: Option<&PartyId>,
        place: (Option<&str>, Option<&str>),
        now: DateTime<Utc>,
    ) -> bool {
        self.covers(cpo, place, now) || emsp.is_some_and(|emsp| self.lets_relay(emsp, &self.scsp, now))
    }

    /// As the operator writes and reads it.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = json!({
            "id": self.id,
            "kind": self.kind.as_str(),
            "grantor": self.grantor.to_string(),
            "scsp": self.scsp.to_string(),
            "relay": self.relay.as_str(),
            "privacy": self.privacy.as_str(),
            "from": time::write(self.from),
            "to": self.to.map(time::write),
        });
        if self.kind == ContractKind::T3 {
            document["precedence"] = json!(self.precedence.as_str());
        }
        if let Scope::Some { locations, evses } = &self.scope {
            document["scope"] = json!({"locations": locations, "evse_uids": evses});
        }
        document
    }

    /// Reads what the operator wrote, or what [`Contract::document`] did.
    ///
    /// # Errors
    /// [`Wrong`] naming the first member that is not as it should be.
    pub fn read(id: &str, wish: &Map<String, Value>) -> Result<Contract, Wrong> {
        const KNOWN: [&str; 10] = [
            "id",
            "kind",
            "grantor",
            "scsp",
            "scope",
            "relay",
            "privacy",
            "precedence",
            "from",
            "to",
        ];
        only(wish, "", &KNOWN)?;
        let is_id = (1..=MAX_ID).contains(&id.len())
            && id
                .bytes()
                .all(|one| one.is_ascii_alphanumeric() || b"-_.".contains(&one));
        if !is_id {
            let reason = format!("must have 1 to {MAX_ID} letters, digits, dots, hyphens and underscores");
            return Err(wrong("/id", &reason));
        }
        if given(wish, "id").is_some_and(|written| written.as_str() != Some(id)) {
            return Err(wrong("/id", "differs from the id in the URL"));
        }
        let kind = match given(wish, "kind").and_then(Value::as_str) {
            Some("T2") => ContractKind::T2,
            Some("T3") => ContractKind::T3,
            Some("T1") => {
                return Err(wrong(
                    "/kind",
                    "T1 needs no contract: the token's owner may steer its sessions",
                ));
            }
            _ => return Err(wrong("/kind", "must be T2 (eMSP to SCSP) or T3 (CPO to SCSP)")),
        };
        let relay = word(
            wish,
            "relay",
            Relay::None,
            &[("none", Relay::None), ("hub", Relay::Hub)],
        )?;
        let privacy = [("pseudonymous", Privacy::Pseudonymous), ("full", Privacy::Full)];
        let privacy = word(wish, "privacy", Privacy::Pseudonymous, &privacy)?;
        if kind == ContractKind::T2 && given(wish, "precedence").is_some() {
            return Err(wrong(
                "/precedence",
                "a T2 has none: it is between the CPO and its providers",
            ));
        }
        let precedence = [
            ("first", Precedence::First),
            ("cpo", Precedence::Cpo),
            ("emsp", Precedence::Emsp),
        ];
        let precedence = word(wish, "precedence", Precedence::First, &precedence)?;
        let scope = match (given(wish, "scope"), kind) {
            (None, _) => Scope::All,
            (Some(_), ContractKind::T2) => {
                return Err(wrong("/scope", "a T2 has none: it is for all of the eMSP's drivers"));
            }
            (Some(scope), ContractKind::T3) => Scope::read(scope)?,
        };
        let (grantor, scsp) = (party(wish, "grantor")?, party(wish, "scsp")?);
        if grantor == scsp {
            return Err(wrong("/scsp", "must be another party than the grantor"));
        }
        let from = instant(wish, "from")?.ok_or_else(|| wrong("/from", "is missing"))?;
        let to = instant(wish, "to")?;
        if to.is_some_and(|to| to <= from) {
            return Err(wrong("/to", "must be after from"));
        }
        Ok(Contract {
            id: id.to_owned(),
            kind,
            grantor,
            scsp,
            scope,
            relay,
            privacy,
            precedence,
            from,
            to,
            secret: Secret::new(""),
            is_configured: false,
        })
    }
}

impl ContractKind {
    /// `T2` or `T3`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ContractKind::T2 => "T2",
            ContractKind::T3 => "T3",
        }
    }
}

impl Relay {
    fn as_str(self) -> &'static str {
        match self {
            Relay::None => "none",
            Relay::Hub => "hub",
        }
    }
}

impl Privacy {
    /// `pseudonymous` or `full`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Privacy::Pseudonymous => "pseudonymous",
            Privacy::Full => "full",
        }
    }
}

impl Precedence {
    fn as_str(self) -> &'static str {
        match self {
            Precedence::First => "first",
            Precedence::Cpo => "cpo",
            Precedence::Emsp => "emsp",
        }
    }
}

impl Scope {
    fn has(&self, location: Option<&str>, evse: Option<&str>) -> bool {
        let Scope::Some { locations, evses } = self else {
            return true;
        };
        let is_among =
            |ids: &[String], id: Option<&str>| id.is_some_and(|id| ids.iter().any(|one| fold(one) == fold(id)));
        is_among(locations, location) || is_among(evses, evse)
    }

    fn read(value: &Value) -> Result<Scope, Wrong> {
        let members = value.as_object().ok_or_else(|| wrong("/scope", "must be an object"))?;
        only(members, "/scope", &["locations", "evse_uids"])?;
        let (locations, evses) = (places(members, "locations")?, places(members, "evse_uids")?);
        if locations.is_empty() && evses.is_empty() {
            return Err(wrong(
                "/scope",
                "must name locations or evse_uids; without a scope a contract is for all places",
            ));
        }
        Ok(Scope::Some { locations, evses })
    }
}

fn places(members: &Map<String, Value>, name: &str) -> Result<Vec<String>, Wrong> {
    let pointer = format!("/scope/{name}");
    let Some(value) = given(members, name) else {
        return Ok(Vec::new());
    };
    let list = value.as_array().filter(|list| list.len() <= MAX_PLACES);
    let list = list.ok_or_else(|| wrong(&pointer, &format!("must be a list of at most {MAX_PLACES} ids")))?;
    let id = |(at, value): (usize, &Value)| {
        let id = value.as_str().filter(|id| id.len() <= 255 && key_of(id).is_some());
        id.map(str::to_owned)
            .ok_or_else(|| wrong(&format!("{pointer}/{at}"), "must be an id"))
    };
    list.iter().enumerate().map(id).collect()
}

/// One of these words; `absent` where there is none.
fn word<T: Copy>(members: &Map<String, Value>, name: &str, absent: T, words: &[(&str, T)]) -> Result<T, Wrong> {
    let Some(value) = given(members, name) else {
        return Ok(absent);
    };
    let known = words.iter().find(|(word, _)| value.as_str() == Some(word));
    known.map(|(_, meant)| *meant).ok_or_else(|| {
        let all = words.iter().map(|(word, _)| *word).collect::<Vec<_>>();
        wrong(&format!("/{name}"), &format!("must be {}", all.join(" or ")))
    })
}

fn party(members: &Map<String, Value>, name: &str) -> Result<PartyId, Wrong> {
    let pointer = format!("/{name}");
    let text = given(members, name).ok_or_else(|| wrong(&pointer, "is missing"))?;
    let party = text.as_str().and_then(|text| PartyId::from_slash(text).ok());
    party.ok_or_else(|| wrong(&pointer, "must be a party, as DE/ABC"))
}

fn instant(members: &Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>, Wrong> {
    let Some(value) = given(members, name) else {
        return Ok(None);
    };
    let instant = value.as_str().and_then(|text| time::parse(text).ok());
    instant
        .map(Some)
        .ok_or_else(|| wrong(&format!("/{name}"), "must be an instant, as 2026-11-21T12:00:00Z"))
}

/// A member; null counts as absent.
fn given<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn only(members: &Map<String, Value>, pointer: &str, known: &[&str]) -> Result<(), Wrong> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => {
            let name = unknown.replace('~', "~0").replace('/', "~1");
            Err(wrong(&format!("{pointer}/{name}"), "is no member of a contract"))
        }
        None => Ok(()),
    }
}

fn wrong(pointer: &str, reason: &str) -> Wrong {
    Wrong {
        pointer: pointer.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(document: Value) -> Result<Contract, Wrong> {
        Contract::read("C-1", document.as_object().unwrap())
    }

    fn wish() -> Value {
        json!({"kind": "T3", "grantor": "NL/CPA", "scsp": "BE/SCS", "from": "2026-11-21T12:00:00Z"})
    }

    fn with(member: &str, value: Value) -> Value {
        let mut wish = wish();
        wish[member] = value;
        wish
    }

    fn at(text: &str) -> DateTime<Utc> {
        time::parse(text).unwrap()
    }

    // ECI-07
    #[test]
    fn a_contract_holds_from_its_first_instant_to_before_its_last() {
        let contract = read(with("to", json!("2026-11-22T12:00:00Z"))).unwrap();
        for (instant, holds) in [
            ("2026-11-21T11:59:59.999Z", false),
            ("2026-11-21T12:00:00Z", true),
            ("2026-11-22T11:59:59.999Z", true),
            ("2026-11-22T12:00:00Z", false),
        ] {
            assert_eq!(contract.holds(at(instant)), holds, "{instant}");
        }
        assert!(read(wish()).unwrap().holds(at("2099-01-01T00:00:00Z")));
    }

    // ECI-07, ECI-13
    #[test]
    fn a_contract_for_some_places_is_none_for_a_session_whose_place_nobody_knows() {
        let [cpo, scsp, other] = ["nl/cpa", "be/scs", "DE/ABC"].map(|text| PartyId::from_slash(text).unwrap());
        let now = at("2026-11-21T12:00:00Z");
        let some = read(with("scope", json!({"locations": ["L1"], "evse_uids": ["E9"]}))).unwrap();
        let all = read(wish()).unwrap();
        for (place, is_in) in [
            ((Some("l1"), None), true),
            ((Some("L2"), Some("e9")), true),
            ((Some("L2"), Some("E1")), false),
            ((None, None), false),
        ] {
            assert_eq!(some.lets_steer(&cpo, &scsp, place, now), is_in, "{place:?}");
            assert!(all.lets_steer(&cpo, &scsp, place, now));
            assert!(!all.lets_steer(&cpo, &other, place, now) && !all.lets_steer(&other, &scsp, place, now));
        }
        assert!(!all.lets_act(&cpo, &scsp, now), "a T3 lets nobody act as the CPO");
        let mut t2 = wish();
        t2["kind"] = json!("T2");
        let t2 = read(t2).unwrap();
        assert!(t2.lets_act(&cpo, &scsp, now) && !t2.lets_steer(&cpo, &scsp, (None, None), now));
    }

    // ECI-08, ECI-12, ECI-14
    #[test]
    fn a_provider_sees_the_sessions_of_who_lets_it_and_of_nobody_else() {
        let [cpo, emsp, scsp] = ["NL/CPA", "DE/MSA", "BE/SCS"].map(|text| PartyId::from_slash(text).unwrap());
        let now = at("2026-11-21T12:00:00Z");
        let here = (Some("L1"), None);
        let t3 = read(with("scope", json!({"locations": ["L1"]}))).unwrap();
        assert!(t3.shows_sessions(&cpo, Some(&emsp), here, now) && t3.shows_sessions(&cpo, None, here, now));
        assert!(!t3.shows_sessions(&cpo, Some(&emsp), (Some("L2"), None), now));
        assert!(!t3.shows_sessions(&emsp, Some(&cpo), here, now));
        let t2 = |relay: &str| {
            let wish = json!({"kind": "T2", "grantor": "DE/MSA", "scsp": "BE/SCS", "relay": relay, "from": "2026-11-21T12:00:00Z"});
            read(wish).unwrap()
        };
        assert!(t2("hub").shows_sessions(&cpo, Some(&emsp), here, now) && t2("hub").lets_relay(&emsp, &scsp, now));
        assert!(!t2("none").shows_sessions(&cpo, Some(&emsp), here, now) && !t2("none").lets_relay(&emsp, &scsp, now));
        assert!(!t2("hub").shows_sessions(&cpo, None, here, now));
        assert!(!t2("hub").shows_sessions(&cpo, Some(&emsp), here, at("2026-11-21T11:00:00Z")));
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_not_honoured_is_refused_by_name() {
        for document in [
            wish(),
            with("to", json!("2027-01-01T00:00:00Z")),
            with("scope", json!({"locations": ["L1"]})),
            with("relay", json!("none")),
            with("relay", json!("hub")),
            with("privacy", json!("pseudonymous")),
            with("privacy", json!("full")),
            with("precedence", json!("emsp")),
            with("id", json!("C-1")),
        ] {
            let contract = read(document.clone()).unwrap();
            assert_eq!(read(contract.document()), Ok(contract), "{document}");
        }
        let t2_with = |member: &str, value| {
            let mut t2 = with(member, value);
            t2["kind"] = json!("T2");
            t2
        };
        for (document, pointer) in [
            (with("relay", json!("scsp")), "/relay"),
            (with("privacy", json!(1)), "/privacy"),
            (with("precedence", json!("scsp")), "/precedence"),
            (t2_with("precedence", json!("cpo")), "/precedence"),
            (with("costs", json!(true)), "/costs"),
            (with("kind", json!("T1")), "/kind"),
            (with("grantor", json!("BE/SCS")), "/scsp"),
            (with("grantor", json!("NL")), "/grantor"),
            (with("from", Value::Null), "/from"),
            (with("from", json!("yesterday")), "/from"),
            (with("to", json!("2026-11-21T12:00:00Z")), "/to"),
            (with("scope", json!({})), "/scope"),
            (with("scope", json!({"locations": [1]})), "/scope/locations/0"),
            (with("scope", json!({"groups": ["G"]})), "/scope/groups"),
            (with("id", json!("C-2")), "/id"),
            (t2_with("scope", json!({"locations": ["L1"]})), "/scope"),
        ] {
            assert_eq!(read(document.clone()).unwrap_err().pointer, pointer, "{document}");
        }
        for id in ["", "a/b", "a b", &"x".repeat(65)] {
            assert_eq!(
                Contract::read(id, wish().as_object().unwrap()).unwrap_err().pointer,
                "/id"
            );
        }
    }
}
