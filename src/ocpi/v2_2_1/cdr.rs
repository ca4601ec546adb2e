//! The head of a CDR: what the hub has to know of it before it may be taken (design.md 3.6.1).
//!
//! Everything else in the body (prices, periods, tariffs, unknown members) is neither decoded nor checked: amounts never
//! block a CDR (CDR-20), and the body travels on as it came. Refused is only what is missing or of the wrong type among the
//! members the hub depends on. Empty, undecodable or over-long signed data is a finding for others to make.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};

use super::super::fields::Fields;
use super::super::ids::PartyId;
use super::super::json;
use super::super::refusal::{Refusal, Violation};

/// What the hub depends on. No driver data shows in `Debug`.
#[derive(Debug, Clone)]
pub struct CdrHead {
    /// `country_code` and `party_id`: the CPO that owns the CDR.
    pub party: PartyId,
    /// The id as spelled, 1 to 39 printable characters, unique without case per party (CDR-10).
    pub id: String,
    /// Who pays.
    pub cdr_token: CdrToken,
    /// When charging began. 1970-01-01 means unknown by agreement (CDR-17).
    pub start_date_time: DateTime<Utc>,
    /// When charging ended. 1970-01-01 means unknown by agreement (CDR-17).
    pub end_date_time: DateTime<Utc>,
    /// When the CPO last changed it. Never touched by us (T-48).
    pub last_updated: DateTime<Utc>,
    /// Energy in kWh: the number's text as it is spelled in the body.
    pub total_energy: String,
    /// True for a credit CDR (CDR-09).
    pub credit: bool,
    /// The id of the CDR that is credited.
    pub credit_reference_id: Option<String>,
    /// Where it was charged.
    pub cdr_location: CdrLocation,
    /// The meter, as the CPO calls it.
    pub meter_id: Option<String>,
    /// The proof.
    pub signed_data: Option<SignedData>,
}

/// The token that was charged with (OBJ-29, CDR-15).
#[derive(Clone)]
pub struct CdrToken {
    /// The eMSP that owns the token. `None` in CDRs of 2.2, which know no owner (X-002); 2.2.1 requires one.
    pub party: Option<PartyId>,
    /// The token's uid.
    pub uid: String,
    /// `RFID`, `APP_USER`, … as spelled.
    pub token_type: String,
    /// The contract.
    pub contract_id: String,
}

impl fmt::Debug for CdrToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.party {
            Some(party) => write!(out, "CdrToken({party}, ***)"),
            None => out.write_str("CdrToken(***)"),
        }
    }
}

/// Where it was charged, as far as a meter key is found by it (OBJ-28). `#NA` stands where there is nothing to say (T-37).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CdrLocation {
    /// The location's id.
    pub id: Option<String>,
    /// The EVSE's id with the CPO.
    pub evse_uid: Option<String>,
    /// The EVSE's official id.
    pub evse_id: Option<String>,
}

/// Signed meter data (OBJ-32). Strings that are missing are empty here: what that means is for a verdict to say.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedData {
    /// `OCMF` and the like, as spelled.
    pub encoding_method: String,
    /// The public key that came along.
    pub public_key: Option<String>,
    /// Where the CPO lets the driver check.
    pub url: Option<String>,
    /// The signed readings.
    pub signed_values: Vec<SignedValue>,
}

impl fmt::Debug for SignedData {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "SignedData({:?}, {} values)",
            self.encoding_method,
            self.signed_values.len()
        )
    }
}

/// One signed reading (OBJ-33). Its texts carry the identification of the driver and do not show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedValue {
    /// `Start`, `End` and the like, as spelled.
    pub nature: String,
    /// What was signed, in clear.
    pub plain_data: String,
    /// What was signed, with its signature, as the format wraps it.
    pub signed_data: String,
}

impl fmt::Debug for SignedValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "SignedValue({:?}, {} characters)",
            self.nature,
            self.signed_data.len()
        )
    }
}

const MEMBERS: [&str; 13] = [
    "country_code",
    "party_id",
    "id",
    "cdr_token",
    "start_date_time",
    "end_date_time",
    "last_updated",
    "total_energy",
    "credit",
    "credit_reference_id",
    "cdr_location",
    "meter_id",
    "signed_data",
];

impl CdrHead {
    /// Reads the head of a posted CDR.
    ///
    /// # Errors
    /// Malformed (400) when the body is no JSON; 2001 naming, by JSON pointer, the first member of the head that is missing,
    /// of the wrong type, or there twice.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let fields = Fields::of_body(body, MEMBERS)?;
        Ok(Self {
            party: party(&fields)?.ok_or_else(|| fields.violation("country_code", "is missing"))?,
            id: id(&fields)?,
            cdr_token: token(
                &fields.required_object("cdr_token", ["country_code", "party_id", "uid", "type", "contract_id"])?,
            )?,
            start_date_time: fields.required_time("start_date_time")?,
            end_date_time: fields.required_time("end_date_time")?,
            last_updated: fields.required_time("last_updated")?,
            total_energy: fields.required_number("total_energy")?.to_owned(),
            credit: fields.boolean("credit")?.unwrap_or(false),
            credit_reference_id: owned(fields.text("credit_reference_id")?),
            cdr_location: location(&fields.required_object("cdr_location", ["id", "evse_uid", "evse_id"])?)?,
            meter_id: owned(fields.text("meter_id")?),
            signed_data: fields
                .object("signed_data", ["encoding_method", "public_key", "url", "signed_values"])?
                .map(|fields| signed_data(&fields))
                .transpose()?,
        })
    }
}

/// Refuses what a party may not post: a top-level member that appears twice, or one with the name of our own marker.
///
/// A marker that is not ours would speak in our name, and of two members of one name every reader believes another. Peers
/// with role HUB are exempt; that is for the caller to know (design.md 3.5, "Marker").
///
/// # Errors
/// 2001 naming the member; malformed (400) when the body is no JSON.
pub fn check_top_level(body: &[u8]) -> Result<(), Refusal> {
    let names = json::sorted_names(body)?;
    if names.iter().any(|name| name == MARKER) {
        return Err(Refusal::invalid(&pointer(MARKER), "is for the hub to write"));
    }
    match names
        .windows(2)
        .find(|pair| pair.first() == pair.last())
        .and_then(<[_]>::first)
    {
        Some(name) => Err(Refusal::invalid(&pointer(name), "appears twice")),
        None => Ok(()),
    }
}

/// The name of the member a hub appends to a CDR whose metering data has a problem.
pub const MARKER: &str = "metering_validation";

/// The JSON pointer of a top-level member (RFC 6901), cut where a name is too long to be worth repeating, and without control
/// characters: it goes into logs and into texts of PostgreSQL, which cannot hold all of them.
fn pointer(name: &str) -> String {
    let short: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("/{}", short.replace('~', "~0").replace('/', "~1"))
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

/// Both halves or none; `None` when both are absent.
pub(super) fn party<const N: usize>(fields: &Fields<'_, N>) -> Result<Option<PartyId>, Violation> {
    let country_code = fields.text("country_code")?;
    let party_id = fields.text("party_id")?;
    match (country_code, party_id) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(fields.violation("country_code", "is missing")),
        (Some(_), None) => Err(fields.violation("party_id", "is missing")),
        (Some(country_code), Some(party_id)) => PartyId::new(&country_code, &party_id)
            .map(Some)
            .map_err(|error| fields.violation(error.member().unwrap_or("party_id"), error.to_string())),
    }
}

fn id<const N: usize>(fields: &Fields<'_, N>) -> Result<String, Violation> {
    let id = fields.limited_text("id", 1, 39)?;
    if id.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(id.into_owned())
    } else {
        Err(fields.violation("id", "may only contain printable ASCII characters"))
    }
}

fn token(fields: &Fields<'_, 5>) -> Result<CdrToken, Violation> {
    Ok(CdrToken {
        party: party(fields)?,
        uid: fields.required_text("uid")?.into_owned(),
        token_type: fields.required_text("type")?.into_owned(),
        contract_id: fields.required_text("contract_id")?.into_owned(),
    })
}

fn location(fields: &Fields<'_, 3>) -> Result<CdrLocation, Violation> {
    Ok(CdrLocation {
        id: owned(fields.text("id")?),
        evse_uid: owned(fields.text("evse_uid")?),
        evse_id: owned(fields.text("evse_id")?),
    })
}

fn signed_data(fields: &Fields<'_, 4>) -> Result<SignedData, Violation> {
    let values = fields
        .objects("signed_values", ["nature", "plain_data", "signed_data"])?
        .unwrap_or_default();
    let read = |value: &Fields<'_, 3>| {
        Ok(SignedValue {
            nature: value.text("nature")?.unwrap_or_default().into_owned(),
            plain_data: value.text("plain_data")?.unwrap_or_default().into_owned(),
            signed_data: value.text("signed_data")?.unwrap_or_default().into_owned(),
        })
    };
    Ok(SignedData {
        encoding_method: fields.text("encoding_method")?.unwrap_or_default().into_owned(),
        public_key: owned(fields.text("public_key")?),
        url: owned(fields.text("url")?),
        signed_values: values.iter().map(read).collect::<Result<_, Violation>>()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::super::Situation;
    use super::*;

    fn body() -> Value {
        json!({
            "country_code": "DE", "party_id": "ABC", "id": "C-1",
            "start_date_time": "2026-11-21T10:00:00Z", "end_date_time": "2026-11-21T11:00:00+01:00",
            "cdr_token": {"country_code": "NL", "party_id": "EMS", "uid": "SECRET-UID", "type": "RFID", "contract_id": "SECRET-CONTRACT"},
            "auth_method": "WHITELIST",
            "cdr_location": {"id": "L1", "evse_uid": "E1", "evse_id": "DE*ABC*E1", "connector_id": "1"},
            "meter_id": "M1", "currency": "EUR", "charging_periods": [], "total_cost": {"excl_vat": "a lot"},
            "signed_data": {
                "encoding_method": "OCMF", "public_key": "3059", "url": "https://x",
                "signed_values": [{"nature": "Start", "plain_data": "{}", "signed_data": "OCMF|{\"SECRET\":1}|{}"}]
            },
            "total_energy": 12.345, "total_time": 1, "credit": false, "credit_reference_id": null,
            "last_updated": "2026-11-21T11:00:01Z"
        })
    }

    fn read(body: &Value) -> Result<CdrHead, Refusal> {
        CdrHead::read(body.to_string().as_bytes())
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut body = body();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        match body.pointer_mut(parent).unwrap() {
            Value::Array(elements) => elements[member.parse::<usize>().unwrap()] = value,
            object => object[member] = value,
        }
        body
    }

    // OBJ-27, CDR-15
    #[test]
    fn the_head_of_a_cdr_is_read_and_its_energy_kept_as_spelled() {
        let text = body().to_string().replace("12.345", "12.3450E0");
        let head = CdrHead::read(text.as_bytes()).unwrap();
        assert_eq!(
            (head.party.to_string(), head.id.as_str(), head.total_energy.as_str()),
            ("DE/ABC".into(), "C-1", "12.3450E0")
        );
        assert_eq!(head.cdr_token.party.as_ref().unwrap().to_string(), "NL/EMS");
        assert_eq!(head.start_date_time, head.end_date_time);
        assert_eq!(head.cdr_location.evse_id.as_deref(), Some("DE*ABC*E1"));
        let signed = head.signed_data.unwrap();
        assert_eq!(signed.signed_values[0].signed_data, "OCMF|{\"SECRET\":1}|{}");
        assert_eq!(
            (head.credit, head.credit_reference_id, head.meter_id.as_deref()),
            (false, None, Some("M1"))
        );
    }

    // design.md 3.6.1
    #[test]
    fn every_member_the_hub_depends_on_is_named_when_it_is_missing() {
        for pointer in [
            "/country_code",
            "/party_id",
            "/id",
            "/start_date_time",
            "/end_date_time",
            "/last_updated",
            "/total_energy",
            "/cdr_location",
            "/cdr_token",
            "/cdr_token/country_code",
            "/cdr_token/party_id",
            "/cdr_token/uid",
            "/cdr_token/type",
            "/cdr_token/contract_id",
        ] {
            let refusal = read(&with(pointer, Value::Null)).unwrap_err();
            assert_eq!(
                (refusal.situation, refusal.message),
                (Situation::InvalidParameter, format!("{pointer}: is missing"))
            );
        }
    }

    // design.md 3.6.1
    #[test]
    fn every_member_the_hub_depends_on_is_named_when_it_is_of_the_wrong_type() {
        for pointer in [
            "/country_code",
            "/party_id",
            "/id",
            "/start_date_time",
            "/end_date_time",
            "/last_updated",
            "/total_energy",
            "/cdr_location",
            "/cdr_location/evse_id",
            "/cdr_token",
            "/cdr_token/country_code",
            "/cdr_token/uid",
            "/credit",
            "/credit_reference_id",
            "/meter_id",
            "/signed_data",
            "/signed_data/encoding_method",
            "/signed_data/public_key",
            "/signed_data/signed_values",
            "/signed_data/signed_values/0",
            "/signed_data/signed_values/0/nature",
            "/signed_data/signed_values/0/signed_data",
        ] {
            let refusal = read(&with(pointer, json!([["x"]]))).unwrap_err();
            // A list is one of objects only as far as its first element.
            let at = if pointer == "/signed_data/signed_values" {
                "/signed_data/signed_values/0"
            } else {
                pointer
            };
            assert!(
                refusal.message.starts_with(&format!("{at}: ")),
                "{pointer}: {}",
                refusal.message
            );
        }
        assert_eq!(
            read(&with("/total_energy", json!("12.3"))).unwrap_err().message,
            "/total_energy: must be a number"
        );
        assert_eq!(
            read(&with("/country_code", json!("DEU"))).unwrap_err().message,
            "/country_code: country_code must have 2 characters"
        );
        assert_eq!(
            read(&with("/id", json!("x".repeat(40)))).unwrap_err().message,
            "/id: is longer than 39 characters"
        );
        assert_eq!(
            read(&with("/id", json!("Ä"))).unwrap_err().message,
            "/id: may only contain printable ASCII characters"
        );
    }

    // design.md 3.6.1, CDR-20
    #[test]
    fn empty_or_over_long_signed_data_and_strange_amounts_are_no_reason_to_refuse() {
        assert_eq!(read(&with("/signed_data", Value::Null)).unwrap().signed_data, None);
        let empty = read(&with("/signed_data", json!({}))).unwrap().signed_data.unwrap();
        assert_eq!((empty.encoding_method.as_str(), empty.signed_values.len()), ("", 0));
        assert!(
            read(&with("/signed_data/signed_values", json!([])))
                .unwrap()
                .signed_data
                .unwrap()
                .signed_values
                .is_empty()
        );
        let long = "x".repeat(100_000);
        let signed = read(&with("/signed_data/signed_values/0", json!({"signed_data": long})))
            .unwrap()
            .signed_data
            .unwrap();
        assert_eq!(
            (
                signed.signed_values[0].signed_data.len(),
                signed.signed_values[0].nature.as_str()
            ),
            (100_000, "")
        );
        for amount in [json!(null), json!("x"), json!({"excl_vat": -1e300})] {
            assert!(read(&with("/total_cost", amount)).is_ok());
        }
    }

    // X-002, design.md 3.6.8
    #[test]
    fn a_token_without_owner_is_read_and_left_to_the_caller() {
        let mut body = body();
        body["cdr_token"] = json!({"uid": "1", "type": "RFID", "contract_id": "#NA"});
        let head = read(&body).unwrap();
        assert_eq!(head.cdr_token.party, None);
    }

    // T-22
    #[test]
    fn a_body_that_is_no_json_is_malformed() {
        for body in ["", "{", "[", "CDR", "{\"id\":\"x\"", "{} {}"] {
            assert_eq!(
                CdrHead::read(body.as_bytes()).unwrap_err().situation,
                Situation::Malformed,
                "{body}"
            );
        }
        assert_eq!(
            CdrHead::read(b"[]").unwrap_err().message,
            "the document: must be an object"
        );
    }

    // design.md 3.5, Marker
    #[test]
    fn a_marker_and_a_repeated_member_are_found_however_they_are_spelled() {
        for (body, message) in [
            (
                r#"{"id":1,"metering_validation":{}}"#,
                "/metering_validation: is for the hub to write",
            ),
            (
                r#"{"m\u0065tering_validation":null}"#,
                "/metering_validation: is for the hub to write",
            ),
            (r#"{"a/~b":1,"x":{},"a\/~b":1}"#, "/a~1~0b: appears twice"),
            ("[]", "the document: must be an object"),
        ] {
            assert_eq!(check_top_level(body.as_bytes()).unwrap_err().message, message);
        }
        assert_eq!(
            check_top_level(br#"{"x":{"metering_validation":1,"a":1,"a":2},"X":1}"#),
            Ok(())
        );
        assert_eq!(check_top_level(b"{").unwrap_err().situation, Situation::Malformed);
    }

    #[test]
    fn driver_data_never_shows_in_debug_output() {
        let shown = format!("{:?}", read(&body()).unwrap());
        assert!(!shown.contains("SECRET"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_of_cdrs_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let _ = (CdrHead::read(&bytes), check_top_level(&bytes));
            let mut damaged = body().to_string().into_bytes();
            let at = at.index(damaged.len());
            damaged[at] = byte;
            let _ = (CdrHead::read(&damaged), check_top_level(&damaged));
            damaged.truncate(at);
            prop_assert!(CdrHead::read(&damaged).is_err());
        }
    }
}
