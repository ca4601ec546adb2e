//! What the registry knows about the EVSE, the meters and the key of one CDR: memory only, no wait.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::assess::{KeyKnowledge, KeyQuestion, RegisteredKey, Source};
use crate::registry::index::{Index, Registered};
use crate::registry::lifecycle::Standing;

/// Answers the question of an assessment with what the registry knows now, and says for which record time that is.
#[must_use]
pub fn answer(index: &Index, question: &KeyQuestion, now: DateTime<Utc>) -> KeyKnowledge {
    let known_at = index.record_time(now);
    let at_evse = index.at_evse(&question.cpo, question.evse_id.as_deref(), question.evse_uid.as_deref());
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
            meter_serial: Some(one.unit.meter_serial.clone()),
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
