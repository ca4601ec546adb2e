//! What a claim says beside the key: PC-07, PC-12 to PC-15, PC-19, PC-20.

use chrono::{Datelike, TimeDelta};

use super::{Circumstances, Findings, Level, NewKey};
use crate::registry::evse_id::EvseId;
use crate::registry::record::{Signs, Unit};

pub(super) fn check(claim: &NewKey, circumstances: &Circumstances, found: &mut Findings) -> Option<EvseId> {
    let evse = check_evse(claim, found);
    check_subject(&claim.unit, found);
    check_serial("/meter_serial", claim.unit.meter_serial.as_deref(), found);
    check_serial("/gateway_serial", claim.unit.gateway_serial.as_deref(), found);
    check_uid(claim.evse_uid.as_deref(), found);
    check_validity(claim, circumstances, found);
    check_calibration(claim, circumstances, found);
    if circumstances.evse_is_in_location == Some(false) {
        let text = "the location has no such EVSE at this hub; normal before its first publication";
        found.add("EVSE_NOT_IN_LOCATION", Level::Note, "/location_id", text);
    }
    if circumstances.verified_with_another_key == Some(true) {
        let text = "CDRs of this meter and time were verified with another key";
        found.add("CONTRADICTS_VERIFIED_CDRS", Level::Warning, "/public_key", text);
    }
    if !circumstances.is_entitled {
        found.add(
            "NOT_ENTITLED",
            Level::Error,
            "/cpo",
            "the submitter does not speak for this operator",
        );
    }
    evse
}

/// PC-12.
fn check_evse(claim: &NewKey, found: &mut Findings) -> Option<EvseId> {
    let Some(evse) = EvseId::read(&claim.evse_id) else {
        let text = "is no EVSE-ID like DE*ABC*E100001";
        found.add("EVSE_ID_MALFORMED", Level::Error, "/evse_id", text);
        return None;
    };
    if evse.operator() != claim.cpo.key() {
        let text = format!(
            "names the operator {}, but the key is registered for {}",
            evse.operator(),
            claim.cpo
        );
        found.add("EVSE_ID_OF_OTHER_OPERATOR", Level::Error, "/evse_id", text);
    }
    Some(evse)
}

/// Who signs has a number (key-registry.md 4.1): the meter's, or that of a gateway which signs alone for one point.
fn check_subject(unit: &Unit, found: &mut Findings) {
    let is_gateway_alone = unit.gateway_serial.is_some() && unit.signs == Signs::Gateway;
    if unit.meter_serial.is_none() && !is_gateway_alone {
        let text = "may be absent only where a gateway with a number signs";
        found.add("SERIAL_MISSING", Level::Error, "/meter_serial", text);
    }
}

/// PC-07. What no record can carry is refused; what only looks odd is for a person to decide.
fn check_serial(pointer: &'static str, serial: Option<&str>, found: &mut Findings) {
    let Some(serial) = serial else { return };
    let good = (1..=64).contains(&serial.chars().count())
        && serial.trim() == serial
        && serial.chars().all(|one| !one.is_control());
    if !good {
        let text = "must be 1 to 64 printable characters without blanks around them";
        found.add("SERIAL_MALFORMED", Level::Error, pointer, text);
    } else if is_almost_a_device_number(serial) {
        let text = "begins like an identification by DIN 43863-5 and does not have its 14 characters";
        found.add("SERIAL_ODD", Level::Warning, pointer, text);
    }
}

/// DIN 43863-5 for electricity: `1`, three letters of the manufacturer, two hexadecimal digits of the block, eight digits.
fn is_almost_a_device_number(serial: &str) -> bool {
    let [b'1', a, b, c, block @ ..] = serial.as_bytes() else {
        return false;
    };
    let begins_so =
        [a, b, c].iter().all(|one| one.is_ascii_uppercase()) && block.first().is_some_and(u8::is_ascii_digit);
    let is_whole = match block.split_at_checked(2) {
        Some((block, number)) => {
            block.iter().all(u8::is_ascii_hexdigit) && number.len() == 8 && number.iter().all(u8::is_ascii_digit)
        }
        None => false,
    };
    begins_so && !is_whole
}

fn check_uid(uid: Option<&str>, found: &mut Findings) {
    let Some(uid) = uid else { return };
    if !(1..=36).contains(&uid.chars().count()) || !uid.bytes().all(|one| one.is_ascii_graphic()) {
        let text = "must be 1 to 36 printable ASCII characters";
        found.add("EVSE_UID_MALFORMED", Level::Error, "/evse_uid", text);
    }
}

/// How far ahead a validity may begin (PC-14).
const AHEAD: TimeDelta = TimeDelta::days(30);

/// PC-14, as far as an instant alone can tell; that intervals do not overlap is for the neighbours to say.
fn check_validity(claim: &NewKey, circumstances: &Circumstances, found: &mut Findings) {
    if claim.valid_from > circumstances.now + AHEAD {
        let text = "is more than 30 days ahead";
        found.add("VALIDITY_TOO_FAR_AHEAD", Level::Error, "/valid_from", text);
    }
    if claim.valid_to.is_some_and(|end| end <= claim.valid_from) {
        found.add("VALIDITY_EMPTY", Level::Error, "/valid_to", "must be after valid_from");
    }
    if claim
        .unit
        .manufactured
        .is_some_and(|year| claim.valid_from.year() < year)
    {
        let text = "is before the year the unit was made in";
        found.add("VALIDITY_BEFORE_MANUFACTURE", Level::Error, "/valid_from", text);
    }
}

/// The longest a calibration lasts (PC-15), leap days rounded up.
const CALIBRATED: TimeDelta = TimeDelta::days(16 * 365 + 5);

/// PC-15.
fn check_calibration(claim: &NewKey, circumstances: &Circumstances, found: &mut Findings) {
    let Some(until) = claim.unit.calibrated_until else {
        return;
    };
    if until <= circumstances.now {
        let text = "the calibration has ended";
        found.add("CALIBRATION_ENDED", Level::Warning, "/calibrated_until", text);
    } else if until > circumstances.now + CALIBRATED {
        let text = "no calibration lasts longer than 16 years";
        found.add("CALIBRATION_TOO_LONG", Level::Warning, "/calibrated_until", text);
    }
}
