//! What the registry knows about the EVSE, the meters and the key of one CDR: memory only, no wait.

use std::sync::Arc;

use super::assess::{KeyKnowledge, KeyQuestion, RegisteredKey};
use crate::registry::index::{Index, Registered};

/// Answers the question of an assessment.
#[must_use]
pub fn answer(index: &Index, question: &KeyQuestion) -> KeyKnowledge {
    let at_evse = index.at_evse(&question.cpo, question.evse_id.as_deref(), question.evse_uid.as_deref());
    let calibrated = at_evse.iter().any(|one| {
        one.row().calibrated
            && one.row().cpo_key.eq_ignore_ascii_case(&question.cpo)
            && [question.from, question.to]
                .into_iter()
                .flatten()
                .any(|at| one.held_at(at))
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
        by_fingerprint: told(by_fingerprint),
        for_evse: told(for_evse),
        calibrated,
    }
}

/// Each registration once, as the assessment takes it.
fn told(registrations: impl IntoIterator<Item = Arc<Registered>>) -> Vec<RegisteredKey> {
    let mut told: Vec<RegisteredKey> = Vec::new();
    for one in registrations {
        let row = one.row();
        let Some(key) = one.key() else {
            log::error!(registration = row.id.as_str(); "the key of a registration cannot be read back; it vouches for nothing");
            continue;
        };
        if told.iter().any(|known| known.id == row.id) {
            continue;
        }
        told.push(RegisteredKey {
            id: row.id.clone(),
            key: key.clone(),
            meter_serial: Some(row.meter_serial.clone()),
            gateway_serial: row.gateway_serial.clone(),
            evse_id: Some(row.evse_id.clone()),
            evse_uid: row.evse_uid.clone(),
            cpo: row.cpo_key.clone(),
            valid_from: row.valid_from,
            valid_to: one.until(),
            calibrated: row.calibrated,
            registered_at: Some(row.created_at),
        });
    }
    told
}
