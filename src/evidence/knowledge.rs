//! What a registry knows, and which of it a CDR is held against.
//!
//! The registry answers with plain data: every registration of the EVSE, the meter and the key that came along, at all times. Which of them held
//! when charging took place, and what it means when none did, is decided here (key-registry.md 4.6, steps 3 to 5).

use chrono::{DateTime, Utc};

use super::verdict::Source;
use crate::metering::finding::{Code, Finding, Place};
use crate::metering::key::PublicKey;
use crate::metering::plausible::folded;
use crate::metering::session::Opened;
use crate::registry::observations::Subject;
use crate::registry::waivers::Customer;

/// What a registry is asked for one CDR. Everything is as the CDR and its records say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyQuestion {
    /// The operator, `DE/ABC`, upper case.
    pub cpo: String,
    /// `cdr_location.evse_id`
    pub evse_id: Option<String>,
    /// `cdr_location.evse_uid`
    pub evse_uid: Option<String>,
    /// The meters the records name.
    pub meter_serials: Vec<String>,
    /// The gateways the records name.
    pub gateway_serials: Vec<String>,
    /// Fingerprint of the key that came along, if it could be read.
    pub delivered_fingerprint: Option<String>,
    /// When charging began: the signed time where the meter vouches for it or the CDR agrees with it, otherwise the CDR's.
    pub from: Option<DateTime<Utc>>,
    /// When it ended, the same.
    pub to: Option<DateTime<Utc>>,
    /// Who charged.
    pub customer: Customer,
}

/// What the registry answers. Plain data, at all times: which of it held at charging time is decided here.
#[derive(Debug, Clone, Default)]
pub struct KeyKnowledge {
    /// Registrations found by EVSE (id, or uid within the operator) or by a serial number the records name.
    pub for_evse: Vec<RegisteredKey>,
    /// Registrations of the key that came along, wherever.
    pub by_fingerprint: Vec<RegisteredKey>,
    /// Whether the EVSE is registered as calibrated at charging time: then a CDR without signed values is not complete.
    pub calibrated: bool,
    /// The waiver of the customer's eMSP that held when charging began (key-registry.md SAF-37).
    pub waiver: Option<Source>,
    /// The record time of all that was known: for it, the registry would give the same answer again.
    pub known_at: Option<DateTime<Utc>>,
}

impl KeyKnowledge {
    /// The registrations that say that the EVSE is calibrated at charging time (key-registry.md SAF-48).
    pub(super) fn sources_of_calibration(&self, question: &KeyQuestion) -> Vec<Source> {
        let instants = [question.from, question.to];
        let says_so = |r: &&RegisteredKey| {
            let held = instants.iter().flatten().any(|at| r.held_at(Some(*at)));
            r.calibrated && r.is_confirmed && held && r.is_of_cpo(&question.cpo)
        };
        let told = |r: &RegisteredKey| Source {
            source: Source::REGISTRY,
            reference: r.id.clone(),
            valid_from: r.valid_from,
            valid_to: r.valid_to,
            recorded_at: r.registered_at,
        };
        self.for_evse.iter().filter(says_so).map(told).collect()
    }

    /// What the records name and nobody has registered: the key that came along, else the serial numbers.
    pub(super) fn unregistered(&self, question: &KeyQuestion, delivered: Option<&PublicKey>) -> Vec<Subject> {
        if let Some(key) = delivered {
            let is_known = !self.by_fingerprint.is_empty() || self.for_evse.iter().any(|r| r.key == *key);
            return if is_known {
                Vec::new()
            } else {
                vec![Subject::Key(Box::new(key.clone()))]
            };
        }
        let has = |serial: &str, of: fn(&RegisteredKey) -> &Option<String>| {
            let of = self.for_evse.iter().filter_map(|r| of(r).as_deref());
            of.into_iter().any(|registered| folded(registered) == folded(serial))
        };
        let is_known = |serial: &&String| has(serial, |r| &r.meter_serial) || has(serial, |r| &r.gateway_serial);
        let meters = question.meter_serials.iter().filter(|serial| !is_known(serial));
        let gateways = question.gateway_serials.iter().filter(|serial| !is_known(serial));
        let meters = meters.cloned().map(Subject::Meter);
        // A gateway beside a meter that is registered or noted says nothing more.
        match question.meter_serials.is_empty() {
            true => gateways.cloned().map(Subject::Gateway).collect(),
            false => meters.collect(),
        }
    }
}

/// One registration: this key belongs to this meter at this EVSE, from when until when.
#[derive(Debug, Clone)]
pub struct RegisteredKey {
    /// Id of the registration.
    pub id: String,
    /// The key.
    pub key: PublicKey,
    /// The meter.
    pub meter_serial: Option<String>,
    /// The gateway that signs for it.
    pub gateway_serial: Option<String>,
    /// The EVSE by its eMI3 id.
    pub evse_id: Option<String>,
    /// The EVSE by its uid at the operator.
    pub evse_uid: Option<String>,
    /// The operator, `DE/ABC`; compared without case.
    pub cpo: String,
    /// First instant at which it holds.
    pub valid_from: DateTime<Utc>,
    /// First instant at which it no longer holds.
    pub valid_to: Option<DateTime<Utc>>,
    /// Whether the EVSE is calibrated with it.
    pub calibrated: bool,
    /// When the registry published it.
    pub registered_at: Option<DateTime<Utc>>,
    /// Whether the registry stands by it. Before that it is a claim somebody made, and vouches for nothing.
    pub is_confirmed: bool,
}

/// Which registration a CDR is held against, and what is wrong with it.
pub(super) struct Selection<'k> {
    /// The one that counts.
    pub registration: Option<&'k RegisteredKey>,
    /// The one that fits, and that the registry has not confirmed.
    pub pending: Option<&'k RegisteredKey>,
    pub findings: Vec<Finding>,
}

impl<'k> Selection<'k> {
    /// key-registry.md 4.6, steps 3 to 5.
    pub(super) fn make(
        question: &KeyQuestion,
        knowledge: &'k KeyKnowledge,
        delivered: Option<&PublicKey>,
        opened: &Opened<'_>,
    ) -> Selection<'k> {
        let belongs: Vec<&RegisteredKey> = knowledge
            .for_evse
            .iter()
            .filter(|r| r.is_confirmed)
            .filter(|r| r.is_of_cpo(&question.cpo) && r.is_at_evse(question))
            .collect();
        let held_throughout: Vec<&RegisteredKey> = belongs
            .iter()
            .copied()
            .filter(|r| r.held_at(question.from) && r.held_at(question.to))
            .collect();
        let is_the_key = |r: &RegisteredKey| match delivered {
            Some(delivered) => r.key == *delivered,
            None => opened.would_fit(&r.key),
        };
        let pending = knowledge
            .for_evse
            .iter()
            .chain(&knowledge.by_fingerprint)
            .filter(|r| !r.is_confirmed && r.is_of_cpo(&question.cpo) && r.is_at_evse(question))
            .find(|r| r.held_at(question.from) && r.held_at(question.to) && is_the_key(r));
        if let Some(chosen) = best(&held_throughout, question, delivered, opened) {
            // A meter was replaced and its successor is not confirmed yet: neither proven nor disproven.
            if let Some(pending) = pending.filter(|_| !is_the_key(chosen)) {
                return Selection::waiting(pending);
            }
            return Selection::of(chosen).check_meter(question).check_date(question);
        }
        let at_begin = || belongs.iter().copied().filter(|r| r.held_at(question.from));
        let at_end = || belongs.iter().copied().filter(|r| r.held_at(question.to));
        // The key went on under another registration: whatever changed, it was not the key.
        let went_on: Vec<&RegisteredKey> = at_end()
            .filter(|after| at_begin().any(|before| before.key == after.key && before.is_of_unit(after)))
            .collect();
        if let Some(chosen) = best(&went_on, question, delivered, opened) {
            return Selection::of(chosen).check_meter(question).check_date(question);
        }
        if let (Some(before), Some(after)) = (at_begin().next(), at_end().next()) {
            let sentence = "another key was registered at the end of the session than at its begin";
            return Selection::of(if opened.would_fit(&after.key) { after } else { before })
                .found(Code::KeyChangedDuringSession, sentence);
        }
        // Nothing held here and then. Is the key known for something else?
        let everywhere = knowledge.for_evse.iter().chain(&knowledge.by_fingerprint);
        let known: Vec<&RegisteredKey> = everywhere.filter(|r| r.is_confirmed && is_the_key(r)).collect();
        // Claimed by this operator, and registered for another at that time: whose it is decides, not who claims it.
        let is_anothers = known
            .iter()
            .any(|r| !r.is_of_cpo(&question.cpo) && r.held_at(question.from) && r.held_at(question.to));
        if let Some(pending) = pending.filter(|_| !is_anothers) {
            return Selection::waiting(pending);
        }
        if let Some(registration) = known
            .iter()
            .copied()
            .find(|r| r.is_of_cpo(&question.cpo) && r.is_at_evse(question))
        {
            return Selection::of(registration).found(
                Code::KeyDeactivatedAtTime,
                "the key was not registered for this EVSE at charging time",
            );
        }
        if let Some(registration) = known.iter().copied().find(|r| r.is_of_cpo(&question.cpo)) {
            return Selection::of(registration).found(Code::KeyForOtherEvse, "the key is registered for another EVSE");
        }
        match known.first() {
            Some(registration) => Selection::of(registration).found(
                Code::KeyForOtherCpo,
                "the key is registered for an EVSE of another operator",
            ),
            None => Selection {
                registration: None,
                pending: None,
                findings: Vec::new(),
            },
        }
    }

    fn waiting(pending: &'k RegisteredKey) -> Selection<'k> {
        let nothing = Selection {
            registration: None,
            pending: Some(pending),
            findings: Vec::new(),
        };
        let sentence = "the key is submitted for this EVSE, and the registry has not confirmed it";
        nothing.found(Code::KeyNotYetConfirmed, sentence)
    }

    fn of(registration: &'k RegisteredKey) -> Selection<'k> {
        Selection {
            registration: Some(registration),
            pending: None,
            findings: Vec::new(),
        }
    }

    fn found(mut self, code: Code, sentence: &str) -> Selection<'k> {
        self.findings.push(Finding::new(code, Place::Key, sentence));
        self
    }

    /// One gateway may sign for several meters with one key: then only the serial number tells them apart.
    fn check_meter(self, question: &KeyQuestion) -> Selection<'k> {
        match self.registration {
            Some(registration) if registration.contradicts_serials(question) => self.found(
                Code::KeyForOtherMeter,
                "the record names another meter than the one registered with this key",
            ),
            _ => self,
        }
    }

    /// A replacement without off-time: valid since charging, learned of afterwards.
    fn check_date(self, question: &KeyQuestion) -> Selection<'k> {
        let learned = self.registration.and_then(|registration| registration.registered_at);
        match (learned, question.to) {
            (Some(learned), Some(to)) if learned > to => self.found(
                Code::KeyLaterPublished,
                "the key was registered after the session, valid from before it",
            ),
            _ => self,
        }
    }
}

/// Of several registrations that held, the one of the key that came along, else of the meter the records name, else the one that fits.
fn best<'k>(
    held: &[&'k RegisteredKey],
    question: &KeyQuestion,
    delivered: Option<&PublicKey>,
    opened: &Opened<'_>,
) -> Option<&'k RegisteredKey> {
    let of_meter: Vec<&RegisteredKey> = held
        .iter()
        .copied()
        .filter(|r| !r.contradicts_serials(question))
        .collect();
    let candidates = if of_meter.is_empty() { held } else { of_meter.as_slice() };
    if let [only] = candidates {
        return Some(only);
    }
    let delivered_one = candidates.iter().find(|r| delivered == Some(&r.key));
    delivered_one
        .or_else(|| candidates.iter().find(|r| opened.would_fit(&r.key)))
        .or(candidates.first())
        .copied()
}

impl RegisteredKey {
    fn held_at(&self, instant: Option<DateTime<Utc>>) -> bool {
        instant.is_none_or(|instant| self.valid_from <= instant && self.valid_to.is_none_or(|end| instant < end))
    }

    fn is_of_cpo(&self, cpo: &str) -> bool {
        self.cpo.eq_ignore_ascii_case(cpo)
    }

    /// Whether both are of one meter and gateway. What one of the two does not say cannot differ.
    fn is_of_unit(&self, other: &RegisteredKey) -> bool {
        let same = |mine: &Option<String>, theirs: &Option<String>| match (mine, theirs) {
            (Some(mine), Some(theirs)) => folded(mine) == folded(theirs),
            _ => true,
        };
        same(&self.meter_serial, &other.meter_serial) && same(&self.gateway_serial, &other.gateway_serial)
    }

    /// Whether it is of the EVSE of the CDR. What one of the two does not say cannot differ.
    fn is_at_evse(&self, question: &KeyQuestion) -> bool {
        match (&self.evse_id, &question.evse_id, &self.evse_uid, &question.evse_uid) {
            (Some(mine), Some(asked), _, _) => folded(mine) == folded(asked),
            (_, _, Some(mine), Some(asked)) => mine.eq_ignore_ascii_case(asked),
            _ => true,
        }
    }

    /// Whether the records name another meter or gateway than the registration. Many records name only a gateway, many registrations only a
    /// meter, and operators write one in the place of the other.
    fn contradicts_serials(&self, question: &KeyQuestion) -> bool {
        let named = |serials: &[String], serial: &str| serials.iter().any(|named| folded(named) == folded(serial));
        let contradicts = |mine: &Option<String>, same: &[String], other: &[String]| {
            mine.as_deref()
                .is_some_and(|serial| !same.is_empty() && !named(same, serial) && !named(other, serial))
        };
        contradicts(&self.meter_serial, &question.meter_serials, &question.gateway_serials)
            || contradicts(&self.gateway_serial, &question.gateway_serials, &question.meter_serials)
    }
}
