//! What is registered already: one key, one meter, one EVSE at a time (PC-08 to PC-11), and whose place a claim takes.

use std::sync::Arc;

use super::{Circumstances, Findings, Level, NewKey};
use crate::registry::evse_id::EvseId;
use crate::registry::index::{Index, Registered};
use crate::registry::lifecycle::{Standing, State};
use crate::registry::record::{Reason, Registration, Unit};

/// The registration that a claim takes the place of: the one it names, or the only one its reason can mean.
pub(super) fn superseded(
    claim: &NewKey,
    fingerprint: &str,
    evse: &EvseId,
    index: &Index,
    found: &mut Findings,
) -> Option<String> {
    if claim.reason == Reason::Commissioning {
        if claim.supersedes.is_some() {
            let text = "a registration for commissioning takes nobody's place; give a reason";
            found.add("REASON_MISSING", Level::Error, "/supersedes", text);
        }
        return None;
    }
    if let Some(id) = &claim.supersedes {
        let Some(old) = index.get(id).map(|one| one.now()) else {
            found.add(
                "SUPERSEDED_UNKNOWN",
                Level::Error,
                "/supersedes",
                "there is no such registration",
            );
            return None;
        };
        if !may_take_the_place(claim, fingerprint, evse, old) {
            let text = format!("a claim for this reason cannot take the place of {id}");
            found.add("CANNOT_SUPERSEDE", Level::Conflict, "/supersedes", text);
            return None;
        }
        return Some(id.clone());
    }
    let candidates: Vec<&Arc<Registered>> = match claim.reason {
        Reason::Replacement => index.of_evse(evse.as_str()).collect(),
        Reason::Firmware => of_unit(&claim.unit, index),
        Reason::Reassignment | Reason::TakeOver => index.of_fingerprint(fingerprint).collect(),
        Reason::Correction | Reason::Commissioning => Vec::new(),
    };
    let mut candidates = candidates
        .into_iter()
        .map(|one| one.now())
        .filter(|old| may_take_the_place(claim, fingerprint, evse, old));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Some(only.id.clone()),
        (None, _) => {
            let text = "there is nothing whose place it could take";
            found.add("NOTHING_TO_SUPERSEDE", Level::Conflict, "/reason", text);
            None
        }
        (Some(_), Some(_)) => {
            let text = "must say which of several registrations ends";
            found.add("SUPERSEDED_AMBIGUOUS", Level::Conflict, "/supersedes", text);
            None
        }
    }
}

/// Whether the reason fits what changes and what stays (key-registry.md 4.2, process mapping).
fn may_take_the_place(claim: &NewKey, fingerprint: &str, evse: &EvseId, old: &Registration) -> bool {
    let same_cpo = old.cpo == claim.cpo.key();
    let same_key = old.fingerprint == fingerprint;
    let same_meter = old.unit.is_same_subject(&claim.unit);
    let same_evse = old.evse_id == evse.as_str();
    // Only what counts can be followed, and an interval that is closed where the next begins must have begun.
    let is_open = old.state == State::Confirmed && old.overlaps(claim.valid_from, claim.valid_to);
    let in_order = is_open && old.valid_from <= claim.valid_from;
    match claim.reason {
        Reason::Commissioning => false,
        Reason::Replacement => in_order && same_cpo && same_evse && !same_key,
        Reason::Firmware => in_order && same_cpo && same_meter && same_evse && !same_key,
        Reason::Reassignment => in_order && same_cpo && same_key && same_meter && !same_evse,
        Reason::TakeOver => in_order && !same_cpo && same_key && same_meter,
        Reason::Correction => old.state == State::Confirmed && same_cpo,
    }
}

/// Registrations that speak of the same unit: of its meter; of its gateway where that serves one point only, by its own word or by
/// the other's.
fn of_unit<'i>(unit: &Unit, index: &'i Index) -> Vec<&'i Arc<Registered>> {
    let mut found: Vec<&Arc<Registered>> = Vec::new();
    if let Some(meter) = &unit.meter_serial {
        found.extend(index.of_serial(meter));
    }
    if let Some(gateway) = &unit.gateway_serial {
        let serves_one_point = |one: &&Arc<Registered>| {
            let other = &one.now().unit;
            unit.meter_serial.is_none() || other.meter_serial.is_none()
        };
        found.extend(index.of_gateway(gateway).filter(serves_one_point));
    }
    found
}

/// PC-09: serials and ids are compared as records compare them, without case.
pub(super) fn same(
    claim: &NewKey,
    fingerprint: &str,
    evse: &EvseId,
    superseded: Option<&str>,
    index: &Index,
) -> Option<String> {
    let is_same = |one: &Registration| {
        one.state.standing() != Standing::Nothing
            && one.overlaps(claim.valid_from, claim.valid_to)
            && one.unit.is_same_subject(&claim.unit)
            && one.evse_id == evse.as_str()
            && one.cpo == claim.cpo.key()
            && Some(one.id.as_str()) != superseded
    };
    let found = index
        .of_fingerprint(fingerprint)
        .map(|one| one.now())
        .find(|one| is_same(one))?;
    Some(found.id.clone())
}

/// Who made the unit: one whose units the registry does not know, or another than that of the unit it replaces (key-registry.md 4.2,
/// SAF-50), is for a person to look at.
pub(super) fn check_make(
    claim: &NewKey,
    superseded: Option<&str>,
    index: &Index,
    circumstances: &Circumstances,
    found: &mut Findings,
) {
    if let Some(manufacturer) = &claim.unit.manufacturer
        && circumstances.manufacturer_must_be_known
        && !index.knows_manufacturer(manufacturer)
    {
        let text = "no unit of this manufacturer was ever confirmed here";
        found.add("MANUFACTURER_NEW", Level::Warning, "/manufacturer", text);
    }
    let replaced = superseded.and_then(|id| index.get(id)).map(|one| one.now());
    if let Some(replaced) = replaced.filter(|_| claim.reason == Reason::Replacement)
        && !replaced.unit.is_same_make(&claim.unit)
    {
        let text = "the unit it replaces is of another manufacturer or model";
        found.add("MODEL_DIFFERS", Level::Warning, "/model", text);
    }
}

/// PC-08, PC-10, PC-11.
pub(super) fn check(
    claim: &NewKey,
    fingerprint: &str,
    evse: &EvseId,
    superseded: Option<&str>,
    index: &Index,
    found: &mut Findings,
) {
    check_but(&[superseded], claim, fingerprint, evse, index, found);
}

/// The same, with registrations that do not count as neighbours.
pub(super) fn check_but(
    but: &[Option<&str>],
    claim: &NewKey,
    fingerprint: &str,
    evse: &EvseId,
    index: &Index,
    found: &mut Findings,
) {
    // Merely submitted is nobody's neighbour yet: a stranger's claim must not keep an operator from its own meter.
    let is_neighbour = |one: &&Registration| {
        let weighs = one.state == State::Checked || one.state.is_public();
        weighs && one.overlaps(claim.valid_from, claim.valid_to) && !but.contains(&Some(one.id.as_str()))
    };
    let of_key = index
        .of_fingerprint(fingerprint)
        .map(|one| one.now())
        .filter(is_neighbour);
    if let Some(other) = of_key.into_iter().find(|one| !one.shares_gateway_with(&claim.unit)) {
        let text = format!(
            "the key is registered for {} at {} ({})",
            other.unit.name(),
            other.evse_id,
            other.id
        );
        found.add("KEY_ACTIVE_ELSEWHERE", Level::Conflict, "/public_key", text);
    }
    let mut of_meter = of_unit(&claim.unit, index)
        .into_iter()
        .map(|one| one.now())
        .filter(is_neighbour);
    if let Some(other) = of_meter.find(|one| one.fingerprint != fingerprint) {
        let text = format!(
            "the meter has another key in that time ({}): end that registration, or say that this one replaces it",
            other.id
        );
        let pointer = match claim.unit.meter_serial {
            Some(_) => "/meter_serial",
            None => "/gateway_serial",
        };
        found.add("METER_HAS_ACTIVE_KEY", Level::Conflict, pointer, text);
    }
    let mut of_evse = index.of_evse(evse.as_str()).map(|one| one.now()).filter(is_neighbour);
    let is_in_the_way = |one: &&Registration| {
        let is_same_meter = one.unit.is_same_subject(&claim.unit);
        let is_beside = one.parallel_units && claim.parallel_units;
        !is_same_meter && !is_beside
    };
    if let Some(other) = of_evse.find(is_in_the_way) {
        let text = format!(
            "the EVSE has another meter in that time ({}): end that registration, or say that this one replaces it",
            other.id
        );
        found.add("EVSE_HAS_ACTIVE_METER", Level::Conflict, "/evse_id", text);
    }
}
