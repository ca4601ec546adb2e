//! Registrations as they are shown: to everybody, and, with what is nobody else's business, to their operator and the people of the hub.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::ocpi::time;
use crate::registry::checks::{Level, RegistryFinding};
use crate::registry::record::{Evidence, Registration, Unit};
use crate::web::operator::Problem;

/// For everybody.
#[must_use]
pub fn public(one: &Registration) -> Value {
    Value::Object(members(one))
}

/// For whom it concerns.
#[must_use]
pub fn whole(one: &Registration) -> Value {
    let mut members = members(one);
    let more = json!({
        "location_id": one.location_id,
        "released_to": one.released_to,
        "note": one.note,
        "submitted_by": one.submitted_by,
        "created_at": time::write(one.submitted_at),
        "checked_at": one.checked_at.map(time::write),
        "findings": one.findings,
        "key_pair": one.key_pair,
        "evidence": one.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "confirmation_url": one.confirm_to.as_ref().map(|to| &to.url),
    });
    if let Value::Object(more) = more {
        members.extend(more);
    }
    Value::Object(members)
}

/// A record time, as exact as it is kept: given back as `known_at` it must not be earlier than it was.
#[must_use]
pub fn recorded(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn members(one: &Registration) -> Map<String, Value> {
    let (country_code, party_id) = one.cpo.split_once('/').unwrap_or_default();
    let mut members = Map::new();
    for document in [
        json!({
            "id": one.id,
            "version": one.version,
            "state": one.state.as_str(),
            "fingerprint": one.fingerprint,
            "curve": one.curve,
            "public_key": one.public_key,
            "evse_id": one.evse_id,
            "evse_uid": one.evse_uid,
            "parallel_units": one.parallel_units,
            "cpo": {"country_code": country_code, "party_id": party_id},
            "valid_from": time::write(one.valid_from),
            "valid_to": one.valid_to.map(time::write),
            "calibrated": one.calibrated,
            "reason": one.reason.as_str(),
            "supersedes": one.supersedes,
            "superseded_by": one.superseded_by,
            "published_at": one.published_at.map(time::write),
            "confirmed_at": one.confirmed_at.map(time::write),
            "deactivated_at": one.deactivated_at.map(time::write),
        }),
        unit(&one.unit),
    ] {
        if let Value::Object(some) = document {
            members.extend(some);
        }
    }
    members
}

fn evidence(one: &Evidence) -> Value {
    json!({
        "sha256": one.sha256,
        "media_type": one.media_type,
        "name": one.name,
        "size": one.size,
        "note": one.note,
        "kept": one.kept,
        "added_by": one.added_by,
        "added_at": time::write(one.added_at),
    })
}

/// What signs.
#[must_use]
pub fn unit(unit: &Unit) -> Value {
    json!({
        "meter_serial": unit.meter_serial,
        "gateway_serial": unit.gateway_serial,
        "signs": unit.signs,
        "manufacturer": unit.manufacturer,
        "model": unit.model,
        "manufactured": unit.manufactured,
        "type_approval": unit.type_approval,
        "calibrated_until": unit.calibrated_until.map(time::write),
        "firmware": unit.firmware,
    })
}

/// A claim that was refused: every finding, and the registration it is kept as.
#[must_use]
pub fn refused(kept: Option<&Registration>, findings: &[RegistryFinding]) -> Problem {
    let errors = findings
        .iter()
        .filter(|one| matches!(one.level, Level::Error | Level::Conflict));
    let problem = match errors
        .clone()
        .find(|one| one.level == Level::Error)
        .or_else(|| errors.clone().next())
    {
        Some(first) if first.level == Level::Conflict => {
            Problem::conflict(format!("{}: {}", first.pointer, first.message))
        }
        Some(first) => Problem::invalid(first.pointer, &first.message),
        None => Problem::conflict("the registration was refused"),
    };
    let findings: Vec<Value> = findings.iter().map(finding).collect();
    let problem = problem.with("findings", json!(findings));
    match kept {
        Some(kept) => problem.with("registration", json!(kept.id)),
        None => problem,
    }
}

/// One finding.
#[must_use]
pub fn finding(one: &RegistryFinding) -> Value {
    json!({"code": one.code, "severity": one.level.as_str(), "pointer": one.pointer, "message": one.message})
}
