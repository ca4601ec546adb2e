//! A claim as it is sent to the doors that register: members, read strictly. Nothing of the key is ever repeated: it may be a private
//! one (PC-17).

use chrono::{DateTime, Utc};

use crate::metering::limits::{MAX_KEY_TEXT, MAX_SAMPLE};
use crate::ocpi::ids::PartyId;
use crate::ocpi::time;
use crate::registry::checks::NewKey;
use crate::registry::record::{KeyPair, Reason, Signs, Unit};
use crate::web::operator::{Members, Problem};

/// Members of a unit.
pub const UNIT: [&str; 9] = [
    "meter_serial",
    "gateway_serial",
    "signs",
    "manufacturer",
    "model",
    "manufactured",
    "type_approval",
    "calibrated_until",
    "firmware",
];

/// Members of a claim beside those of its unit, and beside who it is for.
pub const CLAIM: [&str; 15] = [
    "public_key",
    "evse_id",
    "evse_uid",
    "location_id",
    "parallel_units",
    "cpo",
    "valid_from",
    "valid_to",
    "calibrated",
    "reason",
    "supersedes",
    "encoding_method",
    "signing_method",
    "sample",
    "key_pair",
];

/// Reads a claim. `cpo` is who it is for where the members do not say.
///
/// # Errors
/// 422 naming the member.
pub fn read(wish: &Members, cpo: Option<PartyId>) -> Result<NewKey, Problem> {
    let known: Vec<&str> = CLAIM.iter().chain(&UNIT).copied().collect();
    wish.only(&known)?;
    let party = match (party(wish, "cpo")?, cpo) {
        (Some(party), _) | (None, Some(party)) => party,
        (None, None) => return Err(wish.missing("cpo")),
    };
    Ok(NewKey {
        public_key: long_text(wish, "public_key", MAX_KEY_TEXT)?.ok_or_else(|| wish.missing("public_key"))?,
        unit: unit(wish)?,
        evse_id: wish.required_text("evse_id", 48)?,
        evse_uid: wish.text("evse_uid", 36)?,
        location_id: wish.text("location_id", 36)?,
        parallel_units: wish.switch("parallel_units")?.unwrap_or(false),
        cpo: party,
        valid_from: instant(wish, "valid_from")?.ok_or_else(|| wish.missing("valid_from"))?,
        valid_to: instant(wish, "valid_to")?,
        calibrated: wish.switch("calibrated")?.unwrap_or(true),
        reason: match wish.text("reason", 20)? {
            None => Reason::Commissioning,
            Some(word) => {
                Reason::parse(&word).ok_or_else(|| Problem::invalid("/reason", "is no reason that is known here"))?
            }
        },
        supersedes: wish.text("supersedes", 36)?,
        encoding_method: wish.text("encoding_method", 36)?,
        signing_method: wish.text("signing_method", 36)?,
        sample: long_text(wish, "sample", MAX_SAMPLE)?,
        key_pair: match wish.text("key_pair", 9)? {
            None => None,
            Some(word) => {
                let known = KeyPair::parse(&word);
                Some(known.ok_or_else(|| Problem::invalid("/key_pair", "must be EXISTED or GENERATED"))?)
            }
        },
        confirm_to: None,
    })
}

/// Reads what describes a unit.
///
/// # Errors
/// 422 naming the member.
pub fn unit(wish: &Members) -> Result<Unit, Problem> {
    let gateway_serial = wish.text("gateway_serial", 64)?;
    let signs = Signs::named(wish.text("signs", 13)?.as_deref(), gateway_serial.is_some())
        .ok_or_else(|| Problem::invalid("/signs", "must be METER, GATEWAY or METER+GATEWAY"))?;
    let meter_serial = wish.text("meter_serial", 64)?;
    let is_gateway_alone = gateway_serial.is_some() && signs == Signs::Gateway;
    if meter_serial.is_none() && !is_gateway_alone {
        return Err(wish.missing("meter_serial"));
    }
    Ok(Unit {
        meter_serial,
        gateway_serial,
        signs,
        ..description(wish)?
    })
}

/// Reads what describes a unit beside its serial numbers.
///
/// # Errors
/// 422 naming the member.
pub fn description(wish: &Members) -> Result<Unit, Problem> {
    let manufactured = match wish.get("manufactured") {
        None => None,
        Some(year) => {
            let year = year.as_i64().filter(|year| (1950..=2200).contains(year));
            let year = year.and_then(|year| i32::try_from(year).ok());
            Some(year.ok_or_else(|| Problem::invalid("/manufactured", "must be a year"))?)
        }
    };
    Ok(Unit {
        manufacturer: wish.text("manufacturer", 100)?,
        model: wish.text("model", 100)?,
        manufactured,
        type_approval: wish.text("type_approval", 100)?,
        calibrated_until: instant(wish, "calibrated_until")?,
        firmware: wish.text("firmware", 100)?,
        ..Unit::default()
    })
}

/// The members of a body that may be absent; an empty one is.
///
/// # Errors
/// 400 for what is not JSON, 422 for what is no object.
pub fn optional(body: &[u8]) -> Result<Option<Members>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let value =
        serde_json::from_slice(body).map_err(|error| Problem::bad_request("", format!("is not JSON: {error}")))?;
    Members::of(&value, "").map(Some)
}

/// A party as `{"country_code", "party_id"}`.
///
/// # Errors
/// 422 naming the member.
pub fn party(wish: &Members, name: &str) -> Result<Option<PartyId>, Problem> {
    let Some(party) = wish.object(name)? else {
        return Ok(None);
    };
    party.only(&["country_code", "party_id"])?;
    PartyId::new(
        &party.required_text("country_code", 2)?,
        &party.required_text("party_id", 3)?,
    )
    .map(Some)
    .map_err(|error| Problem::invalid(&wish.at(name), error))
}

/// An instant; `None` when absent.
///
/// # Errors
/// 422 naming the member.
pub fn instant(wish: &Members, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = wish.text(name, 40)? else {
        return Ok(None);
    };
    time::parse(&text)
        .map(Some)
        .map_err(|error| Problem::invalid(&wish.at(name), error))
}

/// A text that may have line breaks, as PEM does.
///
/// # Errors
/// 422 naming the member.
pub fn long_text(wish: &Members, name: &str, most: usize) -> Result<Option<String>, Problem> {
    let Some(value) = wish.get(name) else {
        return Ok(None);
    };
    let text = value
        .as_str()
        .ok_or_else(|| Problem::invalid(&wish.at(name), "must be a text"))?;
    if text.is_empty() || text.len() > most {
        return Err(Problem::invalid(
            &wish.at(name),
            format!("must have 1 to {most} characters"),
        ));
    }
    Ok(Some(text.to_owned()))
}
