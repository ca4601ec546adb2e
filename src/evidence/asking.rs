//! What the registry knows about the EVSE, the meters and the key of one CDR: memory only, no wait.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::assess::{KeyKnowledge, KeyQuestion, RegisteredKey, Source};
use crate::registry::index::{Index, Registered};
use crate::registry::lifecycle::Standing;

/// Answers the question of an assessment with all that the registry knows now, and says for which record time that is.
#[must_use]
pub fn answer(index: &Index, question: &KeyQuestion, now: DateTime<Utc>) -> KeyKnowledge {
    answer_as_of(index, question, index.record_time(now))
}

/// The same as it was answered, or would have been, at a record time: the `known_at` of an earlier answer gives that answer again.
#[must_use]
pub fn answer_as_of(index: &Index, question: &KeyQuestion, known_at: DateTime<Utc>) -> KeyKnowledge {
    let (evse_id, evse_uid) = (question.evse_id.as_deref(), question.evse_uid.as_deref());
    let at_evse = index.at_evse(&question.cpo, evse_id, evse_uid, known_at);
    let calibrated = at_evse.iter().filter_map(|one| one.known_at(known_at)).any(|one| {
        one.calibrated
            && one.state.standing() == Standing::Held
            && one.cpo.eq_ignore_ascii_case(&question.cpo)
            && [question.from, question.to]
                .into_iter()
                .flatten()
                .any(|at| one.covers(at))
    });
    let mut for_evse = at_evse;
    for serial in &question.meter_serials {
        for_evse.extend(index.of_serial(serial).cloned());
    }
    for serial in &question.gateway_serials {
        for_evse.extend(index.of_gateway(serial).cloned());
    }
    let by_fingerprint = question
        .delivered_fingerprint
        .iter()
        .flat_map(|one| index.of_fingerprint(one))
        .cloned();
    KeyKnowledge {
        by_fingerprint: told(by_fingerprint, known_at),
        for_evse: told(for_evse, known_at),
        calibrated,
        waiver: waiver(index, question, known_at),
        known_at: Some(known_at),
    }
}

/// What counts is that it held when charging began: then it was decided whether to let the customer charge (SAF-37).
fn waiver(index: &Index, question: &KeyQuestion, known_at: DateTime<Utc>) -> Option<Source> {
    let found = index
        .waivers()
        .of(&question.customer, &question.cpo, question.from?, known_at)?;
    Some(Source {
        source: Source::WAIVER,
        reference: found.waiver.id.clone(),
        valid_from: found.waiver.from,
        valid_to: found.waiver.to,
        recorded_at: Some(found.at),
    })
}

/// Each registration once, as the assessment takes it. What was refused or withdrawn never said anything.
fn told(registrations: impl IntoIterator<Item = Arc<Registered>>, known_at: DateTime<Utc>) -> Vec<RegisteredKey> {
    let mut told: Vec<RegisteredKey> = Vec::new();
    for registered in registrations {
        let Some(one) = registered.known_at(known_at) else {
            continue;
        };
        let is_confirmed = match one.state.standing() {
            Standing::Held => true,
            Standing::Pending => false,
            Standing::Nothing => continue,
        };
        let Some(key) = registered.key() else {
            log::error!(registration = one.id.as_str(); "the key of a registration cannot be read back; it vouches for nothing");
            continue;
        };
        if told.iter().any(|known| known.id == one.id) {
            continue;
        }
        told.push(RegisteredKey {
            id: one.id.clone(),
            key: key.clone(),
            meter_serial: one.unit.meter_serial.clone(),
            gateway_serial: one.unit.gateway_serial.clone(),
            evse_id: Some(one.evse_id.clone()),
            evse_uid: one.evse_uid.clone(),
            cpo: one.cpo.clone(),
            valid_from: one.valid_from,
            valid_to: one.valid_to,
            calibrated: one.calibrated,
            registered_at: Some(one.published_at.unwrap_or(one.submitted_at)),
            is_confirmed,
        });
    }
    told
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metering::key::Curve;
    use crate::metering::sign::SigningMeter;
    use crate::registry::lifecycle::State;
    use crate::registry::record::Registration;
    use crate::store::registry::KeyRow;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Meter M1 at this place since 2026, confirmed.
    fn registration(id: &str, evse_id: &str) -> Registration {
        let meter = SigningMeter::from_seed(Curve::Secp256r1, id.as_bytes()).unwrap();
        let row = KeyRow {
            id: id.to_owned(),
            fingerprint: meter.public_key().fingerprint(),
            curve: meter.public_key().curve().name().to_owned(),
            spki_hex: hex::encode(meter.public_key().to_spki_der()),
            meter_serial: format!("M{id}"),
            gateway_serial: None,
            evse_id: evse_id.to_owned(),
            evse_uid: Some("e-1".to_owned()),
            cpo_key: "DE/ABC".to_owned(),
            valid_from: at("2026-01-01T00:00:00Z"),
            valid_to: None,
            calibrated: true,
            created_at: at("2026-01-01T00:00:00Z"),
            deactivated_at: None,
        };
        Registration {
            state: State::Confirmed,
            ..Registration::of_row(&row)
        }
    }

    fn told(knowledge: &KeyKnowledge) -> String {
        format!(
            "{:?}",
            (&knowledge.for_evse, &knowledge.by_fingerprint, knowledge.calibrated)
        )
    }

    // key-registry.md 4.6: "so the same question later gives the same answer".
    #[test]
    fn the_record_time_of_an_answer_gives_it_again_whatever_was_learned_since() {
        let mut index = Index::default();
        let first = registration("1", "DE*ABC*E2");
        let question = KeyQuestion {
            cpo: "DE/ABC".to_owned(),
            evse_id: Some("DE*ABC*E1".to_owned()),
            evse_uid: Some("e-1".to_owned()),
            meter_serials: vec!["M1".to_owned()],
            delivered_fingerprint: Some(first.fingerprint.clone()),
            from: Some(at("2026-02-01T09:00:00Z")),
            to: Some(at("2026-02-01T10:00:00Z")),
            ..KeyQuestion::default()
        };
        let pending = Registration {
            state: State::Published,
            ..first.clone()
        };
        let ended = Registration {
            version: 3,
            state: State::Deactivated,
            valid_to: Some(at("2026-02-01T09:30:00Z")),
            ..first.clone()
        };
        // The clock stands still, or runs behind: what is learned later is later all the same.
        let now = at("2026-03-01T00:00:00Z");
        let mut answers = Vec::new();
        for version in [pending, first, ended, registration("2", "DE*ABC*E1")] {
            index.put(version, index.next_record_time(now));
            answers.push(answer(&index, &question, now));
        }
        for (number, answer) in answers.iter().enumerate() {
            let again = answer_as_of(&index, &question, answer.known_at.unwrap());
            assert_eq!(told(&again), told(answer), "answer {number}");
            let same = answers.iter().filter(|other| told(other) == told(answer)).count();
            assert_eq!(same, 1, "each answer was another");
        }
    }
}
