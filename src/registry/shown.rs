//! A registration as others see it: the members everybody may know, and the object of the module `publickeys`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::record::{Registration, Unit};
use crate::ocpi::time;

/// What everybody may know of a registration.
#[must_use]
pub fn members(one: &Registration) -> Map<String, Value> {
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

/// The object of the module `publickeys` (key-registry.md 4.5): owner and id as in its URL, absent members left out, and when the registry
/// learned of it as `last_updated`. To its operator also what is nobody else's business.
#[must_use]
pub fn object(one: &Registration, id: &str, learned_at: DateTime<Utc>, for_its_operator: bool) -> Value {
    let mut members = members(one);
    let (country_code, party_id) = one.cpo.split_once('/').unwrap_or_default();
    members.remove("cpo");
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("country_code", json!(country_code));
    put("party_id", json!(party_id));
    put("id", json!(id));
    put("registration_id", json!(one.id));
    put("last_updated", json!(time::write(learned_at)));
    if for_its_operator {
        put("location_id", json!(one.location_id));
        put("note", json!(one.note));
        put("released_to", json!(one.released_to));
        put("submitted_by", json!(one.submitted_by));
        put("findings", json!(one.findings));
    }
    // OCPI leaves out what is not there.
    members.retain(|_, value| !value.is_null());
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::record::tests::{at, key, registration};
    use super::*;

    #[test]
    fn an_operator_sees_more_of_its_object_than_others_and_nobody_a_null() {
        let one = Registration {
            note: Some("seen".to_owned()),
            ..registration("r", &key(1))
        };
        let learned = at("2026-11-21T12:00:00.5Z");
        let (own, others) = (object(&one, "MY-1", learned, true), object(&one, "r", learned, false));
        assert_eq!(
            (&own["id"], &own["registration_id"], &others["id"]),
            (&json!("MY-1"), &json!("r"), &json!("r"))
        );
        assert_eq!(
            (&own["note"], others.get("note"), others.get("submitted_by")),
            (&json!("seen"), None, None)
        );
        assert_eq!(
            (&own["country_code"], &own["party_id"], own.get("cpo")),
            (&json!("DE"), &json!("ABC"), None)
        );
        assert_eq!(own["last_updated"], "2026-11-21T12:00:00.500Z");
        assert!(own.as_object().unwrap().values().all(|value| !value.is_null()));
    }
}
