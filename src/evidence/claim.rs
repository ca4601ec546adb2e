//! A CDR as it claims to be: the few members a verdict depends on, read from the octets that were posted.
//!
//! Permissive: whatever is missing or of the wrong type is simply not there to be compared (intake refuses what it must refuse). Member names are
//! those of OCPI 2.2.1 `mod_cdrs`; 2.2 has the same.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;

use crate::metering::json::{self, Kind, Value};
use crate::metering::plausible::{Bill, Payer};
use crate::metering::reading::exact_decimal;
use crate::metering::record::{MAX_RECORDS, SignedValue};
use crate::ocpi::ids::fold;
use crate::registry::waivers::Customer;

/// The octets are no JSON object, so they are no CDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object")]
pub struct NotACdr;

/// What a CDR says.
#[derive(Default)]
pub struct Claim<'a> {
    /// Its identity: owner and id.
    pub identity: Identity,
    /// What it says about signed values.
    pub signed: SignedPart<'a>,
    /// `total_energy` as written.
    pub total_energy_text: Option<&'a str>,
    /// `start_date_time`; `None` also for 1970-01-01, which means unknown (CDR-17).
    pub start: Option<DateTime<Utc>>,
    /// `end_date_time`, the same.
    pub end: Option<DateTime<Utc>>,
    /// `cdr_location.evse_id`; `None` also for `#NA` (CDR-16).
    pub evse_id: Option<Cow<'a, str>>,
    /// `cdr_location.evse_uid`.
    pub evse_uid: Option<Cow<'a, str>>,
    /// `cdr_location.id`.
    pub location_id: Option<Cow<'a, str>>,
    /// `meter_id`.
    pub meter_id: Option<Cow<'a, str>>,
    payer: Vec<Cow<'a, str>>,
    /// `cdr_token.contract_id`.
    contract_id: Option<Cow<'a, str>>,
    /// The party of `cdr_token`, as `DE/MSP`.
    emsp: Option<String>,
    /// `tariffs` and `charging_periods`, read when somebody asks for them.
    tariffs: Option<Value<'a>>,
    charging_periods: Option<Value<'a>>,
}

/// Tariffs and charging periods that are looked at: a CDR with more of them is charged on those all the same.
const MAX_TARIFFS: usize = 1000;

/// Owner and id of a CDR, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// `country_code`
    pub country_code: String,
    /// `party_id`
    pub party_id: String,
    /// `id`
    pub id: String,
}

impl Identity {
    /// The owner in the form `DE/ABC`, upper case: how registrations name an operator.
    pub fn owner_key(&self) -> String {
        format!("{}/{}", self.country_code, self.party_id).to_ascii_uppercase()
    }
}

/// The member `signed_data`.
#[derive(Default)]
pub enum SignedPart<'a> {
    /// There is none.
    #[default]
    Absent,
    /// There is something, but not an object with a list of values.
    Unreadable,
    /// There are signed values, perhaps none of them usable.
    Present(SignedData<'a>),
}

/// A `SignedData` object, strings as carried.
#[derive(Default)]
pub struct SignedData<'a> {
    /// `encoding_method`
    pub encoding_method: Option<Cow<'a, str>>,
    /// `public_key`
    pub public_key: Option<Cow<'a, str>>,
    /// `signed_values`
    pub values: Vec<ClaimedValue<'a>>,
}

/// One `SignedValue`.
pub struct ClaimedValue<'a> {
    /// `nature`
    pub nature: Option<Cow<'a, str>>,
    /// `plain_data`
    pub plain_data: Cow<'a, str>,
    /// `signed_data`
    pub signed_data: Cow<'a, str>,
}

impl<'a> Claim<'a> {
    /// Reads a CDR. Members that nothing depends on are stepped over.
    pub fn read(body: &'a [u8]) -> Result<Claim<'a>, NotACdr> {
        let text = std::str::from_utf8(body).map_err(|_| NotACdr)?;
        let document = json::read(text).map_err(|_| NotACdr)?;
        if document.kind() != Kind::Object {
            return Err(NotACdr);
        }
        let mut claim = Claim::default();
        document.each_member(|name, value| claim.take(&name, value));
        Ok(claim)
    }

    /// What the records are held against.
    pub fn with_bill<R>(&self, compare: impl FnOnce(&Bill<'_>) -> R) -> R {
        let names: Vec<&str> = self.payer.iter().map(Cow::as_ref).collect();
        compare(&Bill {
            total_energy_kwh: self.total_energy(),
            start: self.start,
            end: self.end,
            evse_id: self.evse_id.as_deref(),
            meter_id: self.meter_id.as_deref(),
            payer: Some(Payer(&names)),
        })
    }

    /// Who charged, as far as an agreement of its provider can be about it.
    pub fn customer(&self) -> Customer {
        let listed = self.tariffs.iter().map(|list| (list, "id"));
        let periods = self.charging_periods.iter().map(|list| (list, "tariff_id"));
        let mut tariff_ids: Vec<String> = listed
            .chain(periods)
            .flat_map(|(list, member)| {
                list.first_elements(MAX_TARIFFS)
                    .into_iter()
                    .map(move |one| one.get(member))
            })
            .filter_map(|id| id.and_then(stated).map(Cow::into_owned))
            .collect();
        // Period after period on one tariff.
        tariff_ids.dedup();
        Customer {
            emsp: self.emsp.clone(),
            contract_id: self.contract_id.as_deref().map(str::to_owned),
            tariff_ids,
        }
    }

    /// `total_energy` in kWh.
    pub fn total_energy(&self) -> Option<Decimal> {
        self.total_energy_text.and_then(exact_decimal)
    }

    fn take(&mut self, name: &str, value: Value<'a>) {
        match name {
            "country_code" => self.identity.country_code = owned(value),
            "party_id" => self.identity.party_id = owned(value),
            "id" => self.identity.id = owned(value),
            "total_energy" => self.total_energy_text = value.number(),
            "start_date_time" => self.start = value.text().and_then(|text| instant(&text)),
            "end_date_time" => self.end = value.text().and_then(|text| instant(&text)),
            "meter_id" => self.meter_id = stated(value),
            "cdr_location" => {
                self.evse_id = value.get("evse_id").and_then(stated).filter(|id| id != "#NA");
                self.evse_uid = value.get("evse_uid").and_then(stated).filter(|uid| uid != "#NA");
                self.location_id = value.get("id").and_then(stated);
            }
            "cdr_token" => {
                self.payer = ["uid", "contract_id"]
                    .iter()
                    .filter_map(|name| value.get(name).and_then(stated))
                    .collect();
                self.contract_id = value.get("contract_id").and_then(stated);
                let party = value
                    .get("country_code")
                    .and_then(stated)
                    .zip(value.get("party_id").and_then(stated));
                self.emsp = party.map(|(country_code, party_id)| fold(&format!("{country_code}/{party_id}")));
            }
            "tariffs" => self.tariffs = Some(value),
            "charging_periods" => self.charging_periods = Some(value),
            "signed_data" => self.signed = SignedPart::read(value),
            _ => {}
        }
    }
}

impl<'a> SignedPart<'a> {
    fn read(value: Value<'a>) -> SignedPart<'a> {
        match value.kind() {
            Kind::Null => SignedPart::Absent,
            Kind::Object => SignedData::read(value).map_or(SignedPart::Unreadable, SignedPart::Present),
            _ => SignedPart::Unreadable,
        }
    }
}

impl<'a> SignedData<'a> {
    /// Reads a `SignedData` object; `None` if `signed_values` is not a list of objects.
    pub fn read(value: Value<'a>) -> Option<SignedData<'a>> {
        // Most of a CDR's octets are in here: every member is looked at once, and of several with one name the last counts.
        let (mut encoding_method, mut public_key, mut list) = (None, None, None);
        value.each_member(|name, value| match &*name {
            "encoding_method" => encoding_method = value.text(),
            "public_key" => public_key = value.text(),
            "signed_values" => list = Some(value),
            _ => {}
        });
        let list = list.filter(|list| list.kind() == Kind::List)?;
        // One more than is ever looked at is enough to see that there are too many.
        let values: Option<Vec<_>> = list
            .first_elements(MAX_RECORDS + 1)
            .into_iter()
            .map(ClaimedValue::read)
            .collect();
        Some(SignedData {
            encoding_method,
            public_key,
            values: values?,
        })
    }

    /// The values as the arithmetic takes them.
    pub fn signed_values(&self) -> Vec<SignedValue<'_>> {
        self.values
            .iter()
            .map(|value| SignedValue {
                nature: value.nature.as_deref(),
                plain_data: &value.plain_data,
                signed_data: &value.signed_data,
                delivered_key: None,
            })
            .collect()
    }
}

impl<'a> ClaimedValue<'a> {
    /// Reads a `SignedValue`; `None` if it is no object.
    fn read(element: Value<'a>) -> Option<ClaimedValue<'a>> {
        if element.kind() != Kind::Object {
            return None;
        }
        let (mut nature, mut plain_data, mut signed_data) = (None, None, None);
        element.each_member(|name, value| match &*name {
            "nature" => nature = value.text(),
            "plain_data" => plain_data = value.text(),
            "signed_data" => signed_data = value.text(),
            _ => {}
        });
        Some(ClaimedValue {
            nature,
            plain_data: plain_data.unwrap_or_default(),
            signed_data: signed_data.unwrap_or_default(),
        })
    }
}

fn owned(value: Value<'_>) -> String {
    value.text().map(Cow::into_owned).unwrap_or_default()
}

/// A text that says something.
fn stated(value: Value<'_>) -> Option<Cow<'_, str>> {
    value.text().filter(|text| !text.trim().is_empty())
}

/// An OCPI DateTime: RFC 3339 where a missing designator means UTC (T-44).
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let instant = match DateTime::parse_from_rfc3339(text) {
        Ok(instant) => instant.to_utc(),
        Err(_) => NaiveDateTime::parse_from_str(text.trim_end_matches(['Z', 'z']), "%Y-%m-%dT%H:%M:%S%.f")
            .ok()?
            .and_utc(),
    };
    (Some(instant.date_naive()) != NaiveDate::from_ymd_opt(1970, 1, 1)).then_some(instant)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_and_strings_come_out_as_written() {
        let body = br##"{"country_code":"DE","party_id":"ABC","id":"C\u002d1","total_energy":0.10000000000000000001,"x":{"id":"no"},
            "cdr_location":{"evse_id":"#NA","evse_uid":"1"},"cdr_token":{"uid":"U","contract_id":"C"},"signed_data":null}"##;
        let claim = Claim::read(body).unwrap();
        assert_eq!(
            claim.identity,
            Identity {
                country_code: "DE".into(),
                party_id: "ABC".into(),
                id: "C-1".into()
            }
        );
        assert_eq!(claim.total_energy_text, Some("0.10000000000000000001"));
        assert_eq!((claim.evse_id.as_deref(), claim.evse_uid.as_deref()), (None, Some("1")));
        assert!(matches!(claim.signed, SignedPart::Absent));
    }

    #[test]
    fn signed_data_of_the_wrong_type_is_unreadable_not_absent() {
        for wrong in [
            "[]",
            "\"x\"",
            "{}",
            r#"{"signed_values":{}}"#,
            r#"{"signed_values":[1]}"#,
        ] {
            let body = format!(r#"{{"signed_data":{wrong}}}"#);
            assert!(
                matches!(Claim::read(body.as_bytes()).unwrap().signed, SignedPart::Unreadable),
                "{wrong}"
            );
        }
    }

    #[test]
    fn times_are_utc_unless_they_say_otherwise_and_1970_means_unknown() {
        let at = |text: &str| instant(text).map(|instant| instant.to_rfc3339());
        assert_eq!(at("2025-05-01T06:00:00").as_deref(), Some("2025-05-01T06:00:00+00:00"));
        assert_eq!(
            at("2025-05-01T08:00:00.500+02:00").as_deref(),
            Some("2025-05-01T06:00:00.500+00:00")
        );
        assert_eq!(at("1970-01-01T00:00:00Z"), None);
        assert_eq!(at("yesterday"), None);
    }

    #[test]
    fn what_is_no_object_is_no_cdr() {
        for body in [&b""[..], b"[]", b"\xff", b"{", b"{} {}"] {
            assert!(Claim::read(body).is_err());
        }
    }
}
