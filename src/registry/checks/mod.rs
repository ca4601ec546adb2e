//! Is this registration plausible? Each check of key-registry.md 4.4, with its own code.
//!
//! Pure: the claim, the registrations that exist, and the circumstances go in; the key and the remarks, or every error found, come
//! out. No message repeats any of the key's text: it may have been a private key (PC-17). What needs another room first (the location
//! for PC-13, readings for PC-19, a charge point for PC-21) arrives as a circumstance, and `None` means that nobody could say.
//!
//! Start with [`check`]; [`key`] looks at the key alone, [`claim`] at the rest of the claim, [`neighbours`] at what is registered.

pub mod claim;
pub mod key;
pub mod neighbours;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use super::evse_id::EvseId;
use super::index::Index;
use super::record::{ConfirmTo, Found, KeyPair, Reason, Unit};
use crate::metering::key::PublicKey;
use crate::ocpi::ids::PartyId;

/// A claim: this key signs for this meter at this EVSE of this operator, for this time.
#[derive(Clone)]
pub struct NewKey {
    /// The key in any spelling.
    pub public_key: String,
    /// What signs.
    pub unit: Unit,
    /// The EVSE-ID (eMI3).
    pub evse_id: String,
    /// The operator's own id of the EVSE, as in `cdr_location.evse_uid`.
    pub evse_uid: Option<String>,
    /// The operator's own id of the location.
    pub location_id: Option<String>,
    /// Whether the EVSE has several signing units at once.
    pub parallel_units: bool,
    /// The operator.
    pub cpo: PartyId,
    /// From when on the claim holds, inclusive.
    pub valid_from: DateTime<Utc>,
    /// Until when, exclusive; open-ended when absent.
    pub valid_to: Option<DateTime<Utc>>,
    /// Whether a CDR of this EVSE must bring signed data.
    pub calibrated: bool,
    /// Why it is made.
    pub reason: Reason,
    /// The registration whose place it takes.
    pub supersedes: Option<String>,
    /// The format the unit signs in, as `encoding_method` names it.
    pub encoding_method: Option<String>,
    /// The curve the unit is said to sign on.
    pub signing_method: Option<String>,
    /// A record the unit signed, as it stands in `signed_data`.
    pub sample: Option<String>,
    /// Where the key pair came from (SAF-10).
    pub key_pair: Option<KeyPair>,
    /// Where the submitter wants to hear what becomes of it (SAF-31).
    pub confirm_to: Option<ConfirmTo>,
}

impl NewKey {
    /// The least that a claim says; it calls the EVSE calibrated, and the unit newly commissioned.
    #[must_use]
    pub fn of(public_key: String, unit: Unit, evse_id: String, cpo: PartyId, valid_from: DateTime<Utc>) -> NewKey {
        NewKey {
            public_key,
            unit,
            evse_id,
            evse_uid: None,
            location_id: None,
            parallel_units: false,
            cpo,
            valid_from,
            valid_to: None,
            calibrated: true,
            reason: Reason::Commissioning,
            supersedes: None,
            encoding_method: None,
            signing_method: None,
            sample: None,
            key_pair: None,
            confirm_to: None,
        }
    }

    /// The first member of what commissioning records that the claim leaves out (SAF-10).
    #[must_use]
    pub fn unsaid(&self) -> Option<&'static str> {
        let members = [
            ("manufacturer", self.unit.manufacturer.is_some()),
            ("model", self.unit.model.is_some()),
            ("key_pair", self.key_pair.is_some()),
        ];
        members.into_iter().find(|(_, is_said)| !is_said).map(|(name, _)| name)
    }
}

/// What is known beside the claim and the registry.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The instant of the check.
    pub now: DateTime<Utc>,
    /// Whether keys that everybody knows may be registered (PC-16).
    pub test_keys: bool,
    /// Whether the submitter may speak for the operator (PC-20).
    pub is_entitled: bool,
    /// Whether the location that the claim names has the EVSE (PC-13).
    pub evse_is_in_location: Option<bool>,
    /// Whether CDRs of this meter and time were verified with another key (PC-19).
    pub verified_with_another_key: Option<bool>,
    /// The fingerprint of the key the charge point itself reports (PC-21).
    pub reported_fingerprint: Option<String>,
    /// Whether a signed sample must come along (PC-18).
    pub sample_is_required: bool,
    /// Whether a person looks first at units of a manufacturer of which none was ever confirmed (key-registry.md 4.2).
    pub manufacturer_must_be_known: bool,
}

impl Circumstances {
    /// An entitled submitter, and nothing else known.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Circumstances {
        Circumstances {
            now,
            test_keys: false,
            is_entitled: true,
            evse_is_in_location: None,
            verified_with_another_key: None,
            reported_fingerprint: None,
            sample_is_required: false,
            manufacturer_must_be_known: false,
        }
    }
}

/// What a check has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryFinding {
    /// Its name, stable for scripts.
    pub code: &'static str,
    /// Refuse, hold, or tell.
    pub level: Level,
    /// The member of the registration it is about, as a JSON pointer.
    pub pointer: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The registration is refused, because of what it says.
    Error,
    /// The registration is refused, because of what is registered already.
    Conflict,
    /// The registration waits until a person has looked.
    Warning,
    /// The registration stands; good to know.
    Note,
}

impl Level {
    /// `ERROR`, `WARNING` or `INFO`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Error | Level::Conflict => "ERROR",
            Level::Warning => "WARNING",
            Level::Note => "INFO",
        }
    }
}

impl RegistryFinding {
    /// As it is kept with a registration.
    #[must_use]
    pub fn kept(&self) -> Found {
        Found {
            code: self.code.to_owned(),
            severity: self.level.as_str().to_owned(),
            pointer: self.pointer.to_owned(),
            message: self.message.clone(),
        }
    }
}

/// What became of the checks.
#[derive(Debug)]
pub enum Checked {
    /// Nothing readable was submitted: there is no key to keep the findings with.
    NoKey(Vec<RegistryFinding>),
    /// Is registered: same key, meter, EVSE and operator (PC-09). The id of that registration.
    Exists(String),
    /// The key, what would be registered, and what was found.
    Judged(Box<Judged>),
}

/// A claim with a key, judged.
#[derive(Debug)]
pub struct Judged {
    /// The key.
    pub key: PublicKey,
    /// The EVSE in canonical spelling; as submitted where it is none.
    pub evse_id: String,
    /// The registration it takes the place of.
    pub supersedes: Option<String>,
    /// Everything found.
    pub findings: Vec<RegistryFinding>,
}

impl Judged {
    /// Whether it must not be registered.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        refuses(&self.findings)
    }

    /// Whether a person must look at it first.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        self.findings.iter().any(|one| one.level == Level::Warning)
    }
}

/// Whether any of these refuses.
#[must_use]
pub fn refuses(findings: &[RegistryFinding]) -> bool {
    findings
        .iter()
        .any(|one| matches!(one.level, Level::Error | Level::Conflict))
}

/// Holds a claim against itself and against what is registered. Everything is found at once.
#[must_use]
pub fn check(claim: &NewKey, index: &Index, circumstances: &Circumstances) -> Checked {
    let mut found = Findings(Vec::new());
    let key = key::check(claim, circumstances, &mut found);
    let evse = claim::check(claim, circumstances, &mut found);
    let Some(key) = key else {
        return Checked::NoKey(found.0);
    };
    let judged = |evse_id: String, supersedes, findings| {
        Checked::Judged(Box::new(Judged {
            key: key.clone(),
            evse_id,
            supersedes,
            findings,
        }))
    };
    let Some(evse) = evse else {
        return judged(claim.evse_id.clone(), None, found.0);
    };
    let evse_id = evse.to_string();
    // What contradicts itself is not held against others: it would only repeat the contradiction.
    if refuses(&found.0) {
        return judged(evse_id, None, found.0);
    }
    let fingerprint = key.fingerprint();
    let supersedes = neighbours::superseded(claim, &fingerprint, &evse, index, &mut found);
    if let Some(id) = neighbours::same(claim, &fingerprint, &evse, supersedes.as_deref(), index) {
        return Checked::Exists(id);
    }
    neighbours::check(claim, &fingerprint, &evse, supersedes.as_deref(), index, &mut found);
    neighbours::check_make(claim, supersedes.as_deref(), index, circumstances, &mut found);
    judged(evse_id, supersedes, found.0)
}

/// The same for a registration that waited: is it still in nobody's way?
#[must_use]
pub fn check_again(
    claim: &NewKey,
    key: &PublicKey,
    id: &str,
    supersedes: Option<&str>,
    index: &Index,
) -> Vec<RegistryFinding> {
    let mut found = Findings(Vec::new());
    if let Some(evse) = EvseId::read(&claim.evse_id) {
        neighbours::check_but(
            &[Some(id), supersedes],
            claim,
            &key.fingerprint(),
            &evse,
            index,
            &mut found,
        );
    }
    found.0
}

/// What was found so far.
pub(super) struct Findings(Vec<RegistryFinding>);

impl Findings {
    fn add(&mut self, code: &'static str, level: Level, pointer: &'static str, message: impl Into<String>) {
        self.0.push(RegistryFinding {
            code,
            level,
            pointer,
            message: message.into(),
        });
    }
}
