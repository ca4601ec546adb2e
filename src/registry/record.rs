//! What the registry keeps: documents that are never changed, only followed by another version.
//!
//! A registration says: this key signs for this meter at this EVSE of this operator, from then until then, on whose word. Every step of
//! its life is a version of its own, so that what the registry knew at any instant can still be read. Its assignment (key and unit to
//! EVSE, with an interval) is part of it: one registration, one interval. Who reads a document back gets what was written, member for
//! member.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::lifecycle::State;
use super::log::canonical;
use crate::store::StoreError;
use crate::store::registry::KeyRow;

/// Kinds of documents, as the log names them.
pub mod kind {
    /// A key, once.
    pub const KEY: &str = "key";
    /// A key as it was written by a submitter.
    pub const PRESENTATION: &str = "presentation";
    /// A registration, in versions.
    pub const REGISTRATION: &str = "registration";
}

/// A key: the same for everybody, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// SHA-256 over the canonical SPKI, lower-case hex.
    pub fingerprint: String,
    /// The curve by its OCMF name.
    pub curve: String,
    /// The canonical SPKI in lower-case hex.
    pub public_key: String,
    /// When the registry first saw it.
    #[serde(with = "instant")]
    pub first_seen: DateTime<Utc>,
}

/// How a submitter wrote a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presentation {
    /// The key.
    pub fingerprint: String,
    /// The text, exactly.
    pub text: String,
    /// The registration it came with.
    pub registration: String,
}

/// What signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signs {
    /// The meter itself.
    #[default]
    #[serde(rename = "METER")]
    Meter,
    /// A gateway in front of one meter or several.
    #[serde(rename = "GATEWAY")]
    Gateway,
    /// Both together.
    #[serde(rename = "METER+GATEWAY")]
    MeterAndGateway,
}

impl Signs {
    /// Reads the word of the APIs: `METER`, `GATEWAY` or `METER+GATEWAY`; left out, it is the gateway where there is one. `None` for any
    /// other word.
    #[must_use]
    pub fn named(word: Option<&str>, has_gateway: bool) -> Option<Signs> {
        match word {
            None if has_gateway => Some(Signs::Gateway),
            None | Some("METER") => Some(Signs::Meter),
            Some("GATEWAY") => Some(Signs::Gateway),
            Some("METER+GATEWAY") => Some(Signs::MeterAndGateway),
            Some(_) => None,
        }
    }
}

/// The signing unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The serial number of the meter, as it stands in signed records. Absent only where a gateway signs that serves one point: then
    /// the gateway's serial number alone says who signs (key-registry.md 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter_serial: Option<String>,
    /// The serial number of the gateway that signs for the meter, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_serial: Option<String>,
    /// What signs.
    #[serde(default)]
    pub signs: Signs,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The year it was made in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufactured: Option<i32>,
    /// The number of its type approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_approval: Option<String>,
    /// Until when its calibration holds.
    #[serde(default, with = "instant::optional", skip_serializing_if = "Option::is_none")]
    pub calibrated_until: Option<DateTime<Utc>>,
    /// The version of its firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
}

impl Unit {
    /// Whether both are one subject: the same meter, or, where neither names one, the same gateway. Serials are compared as records
    /// compare them, without case.
    #[must_use]
    pub fn is_same_subject(&self, other: &Unit) -> bool {
        match (&self.meter_serial, &other.meter_serial) {
            (Some(mine), Some(its)) => mine.eq_ignore_ascii_case(its),
            (None, None) => self.has_gateway_of(other),
            _ => false,
        }
    }

    /// Whether both have the same gateway.
    #[must_use]
    pub fn has_gateway_of(&self, other: &Unit) -> bool {
        match (&self.gateway_serial, &other.gateway_serial) {
            (Some(mine), Some(its)) => mine.eq_ignore_ascii_case(its),
            _ => false,
        }
    }

    /// Whether both are of one manufacturer and model. What one of them does not say cannot differ.
    #[must_use]
    pub fn is_same_make(&self, other: &Unit) -> bool {
        let agree = |mine: &Option<String>, its: &Option<String>| match (mine, its) {
            (Some(mine), Some(its)) => mine.trim().eq_ignore_ascii_case(its.trim()),
            _ => true,
        };
        agree(&self.manufacturer, &other.manufacturer) && agree(&self.model, &other.model)
    }

    /// What to call it in a sentence.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.meter_serial, &self.gateway_serial) {
            (Some(meter), _) => format!("meter {meter}"),
            (None, Some(gateway)) => format!("gateway {gateway}"),
            (None, None) => "a unit without a number".to_owned(),
        }
    }
}

/// Why a registration was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// Put into service.
    #[default]
    Commissioning,
    /// Another meter or signing module at the same EVSE (SAF-50, SAF-51).
    Replacement,
    /// The same meter with another key (SAF-52).
    Firmware,
    /// The same key and meter at another EVSE of the same operator.
    Reassignment,
    /// The same key and meter under another operator (SAF-53).
    TakeOver,
    /// The earlier registration was wrong from its beginning.
    Correction,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 6] = [
        Reason::Commissioning,
        Reason::Replacement,
        Reason::Firmware,
        Reason::Reassignment,
        Reason::TakeOver,
        Reason::Correction,
    ];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Commissioning => "COMMISSIONING",
            Reason::Replacement => "REPLACEMENT",
            Reason::Firmware => "FIRMWARE",
            Reason::Reassignment => "REASSIGNMENT",
            Reason::TakeOver => "TAKE_OVER",
            Reason::Correction => "CORRECTION",
        }
    }

    /// Reads the exact word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// Where the key pair of a unit came from (SAF-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyPair {
    /// The unit had it when it was put into service.
    Existed,
    /// It was made when the unit was put into service.
    Generated,
}

impl KeyPair {
    /// Reads the exact word.
    #[must_use]
    pub fn parse(word: &str) -> Option<KeyPair> {
        match word {
            "EXISTED" => Some(KeyPair::Existed),
            "GENERATED" => Some(KeyPair::Generated),
            _ => None,
        }
    }
}

/// SHA-256 of the octets of a document, lower-case hex.
#[must_use]
pub fn digest_of(octets: &[u8]) -> String {
    hex::encode(Sha256::digest(octets))
}

/// A document that was laid beside a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// SHA-256 of its octets, lower-case hex.
    pub sha256: String,
    /// Its media type, as its submitter names it.
    pub media_type: String,
    /// What it is called.
    pub name: String,
    /// How many octets it has.
    pub size: u64,
    /// What it is, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether the octets are kept here; else only their SHA-256 is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// On whose word: `operator`, or a party.
    pub added_by: String,
    /// When.
    #[serde(with = "instant")]
    pub added_at: DateTime<Utc>,
}

/// Where its submitter wants to hear what becomes of a registration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmTo {
    /// The platform that submitted it.
    pub platform: String,
    /// The URL, on a host of that platform.
    pub url: String,
}

// By hand: the URL may have a secret of its own.
impl std::fmt::Debug for ConfirmTo {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ConfirmTo({})", self.platform)
    }
}

/// A finding of the checks, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its name.
    pub code: String,
    /// `ERROR` or `WARNING`.
    pub severity: String,
    /// The member it is about, as a JSON pointer.
    pub pointer: String,
    /// A sentence for people.
    pub message: String,
}

/// One version of a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Its id (UUIDv7), the same in every version.
    pub id: String,
    /// From 1.
    pub version: u64,
    /// Where it stands.
    #[serde(with = "state")]
    pub state: State,
    /// SHA-256 over the canonical SPKI, lower-case hex.
    pub fingerprint: String,
    /// The curve by its OCMF name.
    pub curve: String,
    /// The canonical SPKI in lower-case hex.
    pub public_key: String,
    /// What signs.
    pub unit: Unit,
    /// The EVSE-ID in canonical spelling.
    pub evse_id: String,
    /// The operator's own id of the EVSE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evse_uid: Option<String>,
    /// The operator's own id of the location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_id: Option<String>,
    /// Whether the EVSE has several signing units at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parallel_units: bool,
    /// Whether a CDR of this EVSE must bring signed data.
    pub calibrated: bool,
    /// The operator, `DE/ABC`.
    pub cpo: String,
    /// From when on it holds, inclusive.
    #[serde(with = "instant")]
    pub valid_from: DateTime<Utc>,
    /// Until when, exclusive.
    #[serde(default, with = "instant::optional", skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<DateTime<Utc>>,
    /// Why it was made.
    pub reason: Reason,
    /// The registration whose place it takes when it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
    /// The registration that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// The party its operator released it to (SAF-54).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_to: Option<String>,
    /// Why a person decided as they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the checks found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Found>,
    /// Where the key pair came from, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_pair: Option<KeyPair>,
    /// Documents laid beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Where its submitter wants to hear of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_to: Option<ConfirmTo>,
    /// On whose word: `operator`, or a party.
    pub submitted_by: String,
    /// When it was submitted.
    #[serde(with = "instant")]
    pub submitted_at: DateTime<Utc>,
    /// When it was found plausible.
    #[serde(default, with = "instant::optional", skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<DateTime<Utc>>,
    /// When everybody could read it.
    #[serde(default, with = "instant::optional", skip_serializing_if = "Option::is_none")]
    pub published_at: Option<DateTime<Utc>>,
    /// When it was read back and began to count.
    #[serde(default, with = "instant::optional", skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When it was ended by hand, or by its successor.
    #[serde(default, with = "instant::optional", skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<DateTime<Utc>>,
}

impl Registration {
    /// Whether it held, or will when confirmed, at that instant.
    #[must_use]
    pub fn covers(&self, at: DateTime<Utc>) -> bool {
        self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }

    /// Whether its operator lets that party, `DE/ABC`, take its meter over.
    #[must_use]
    pub fn is_released_to(&self, party: &str) -> bool {
        self.released_to.as_deref() == Some(party)
    }

    /// Whether its interval has an instant in common with `[from, to)`. An empty interval has none.
    #[must_use]
    pub fn overlaps(&self, from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> bool {
        to.is_none_or(|to| self.valid_from < to) && self.valid_to.is_none_or(|end| from < end && self.valid_from < end)
    }

    /// One gateway that signs for several meters with one key (key-registry.md 4.1).
    #[must_use]
    pub fn shares_gateway_with(&self, unit: &Unit) -> bool {
        let both_name_meters = self.unit.meter_serial.is_some() && unit.meter_serial.is_some();
        both_name_meters && self.unit.has_gateway_of(unit) && !self.unit.is_same_subject(unit)
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// `Corrupt` when it is none: somebody else wrote into the database.
    pub fn read(document: &str) -> Result<Registration, StoreError> {
        serde_json::from_str(document).map_err(|cause| StoreError::corrupt_because("reading a registration", cause))
    }

    /// A registration of the time before the log, as its first version: whoever made it was told that it counts.
    #[must_use]
    pub fn of_row(row: &KeyRow) -> Registration {
        Registration {
            id: row.id.clone(),
            version: 1,
            state: State::Submitted,
            fingerprint: row.fingerprint.clone(),
            curve: row.curve.clone(),
            public_key: row.spki_hex.clone(),
            unit: Unit {
                meter_serial: Some(row.meter_serial.clone()),
                gateway_serial: row.gateway_serial.clone(),
                signs: match row.gateway_serial {
                    Some(_) => Signs::Gateway,
                    None => Signs::Meter,
                },
                ..Unit::default()
            },
            evse_id: row.evse_id.clone(),
            evse_uid: row.evse_uid.clone(),
            location_id: None,
            parallel_units: false,
            calibrated: row.calibrated,
            cpo: row.cpo_key.clone(),
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            reason: Reason::Commissioning,
            supersedes: None,
            superseded_by: None,
            released_to: None,
            note: None,
            findings: Vec::new(),
            key_pair: None,
            evidence: Vec::new(),
            confirm_to: None,
            submitted_by: "operator".to_owned(),
            submitted_at: row.created_at,
            checked_at: None,
            published_at: None,
            confirmed_at: None,
            deactivated_at: None,
        }
    }
}

/// The canonical text of a document. Documents hold texts, whole numbers and truths only, so each has one.
///
/// # Errors
/// `Corrupt`, which cannot happen with the documents of this file.
pub fn text(document: &impl Serialize) -> Result<String, StoreError> {
    let value: Value = serde_json::to_value(document)
        .map_err(|cause| StoreError::corrupt_because("writing a document of the registry", cause))?;
    canonical::write(&value).map_err(|cause| StoreError::corrupt_because("writing a document of the registry", cause))
}

/// Instants as documents write them: RFC 3339 in UTC with microseconds, as exact as the databases are.
pub(super) mod instant {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(at: &DateTime<Utc>, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(from)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|at| at.to_utc())
            .map_err(|_| D::Error::custom("no instant"))
    }

    pub(in super::super) mod optional {
        use super::{DateTime, Deserialize, Deserializer, Serializer, Utc};

        pub(in super::super::super) fn serialize<S: Serializer>(
            at: &Option<DateTime<Utc>>,
            out: S,
        ) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, out),
                None => out.serialize_none(),
            }
        }

        pub(in super::super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<DateTime<Utc>>, D::Error> {
            #[derive(Deserialize)]
            struct Instant(#[serde(with = "super")] DateTime<Utc>);
            Ok(Option::<Instant>::deserialize(from)?.map(|Instant(at)| at))
        }
    }
}

mod state {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::State;

    // By reference: that is how serde hands it over.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn serialize<S: Serializer>(state: &State, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(state.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<State, D::Error> {
        let word = String::deserialize(from)?;
        State::parse(&word).ok_or_else(|| D::Error::custom("no state of a registration"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metering::key::{Curve, PublicKey};
    use crate::metering::sign::SigningMeter;

    pub(in super::super) fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    pub(in super::super) fn key(seed: u8) -> PublicKey {
        SigningMeter::from_seed(Curve::Secp256r1, &[seed; 32])
            .unwrap()
            .public_key()
            .clone()
    }

    /// A confirmed registration of meter 1ABC0000000001 at DE*ABC*E1 since 2026.
    pub(in super::super) fn registration(id: &str, key: &PublicKey) -> Registration {
        let since = at("2026-01-01T00:00:00Z");
        Registration {
            state: State::Confirmed,
            confirmed_at: Some(since),
            published_at: Some(since),
            checked_at: Some(since),
            ..Registration::of_row(&KeyRow {
                id: id.to_owned(),
                fingerprint: key.fingerprint(),
                curve: key.curve().name().to_owned(),
                spki_hex: hex::encode(key.to_spki_der()),
                meter_serial: "1ABC0000000001".to_owned(),
                gateway_serial: None,
                evse_id: "DE*ABC*E1".to_owned(),
                evse_uid: Some("e-1".to_owned()),
                cpo_key: "DE/ABC".to_owned(),
                valid_from: since,
                valid_to: None,
                calibrated: true,
                created_at: since,
                deactivated_at: None,
            })
        }
    }

    #[test]
    fn a_registration_is_read_back_as_it_was_written() {
        let mut full = registration("r", &key(1));
        full.valid_to = Some(at("2026-03-01T00:00:00.000001Z"));
        full.unit.gateway_serial = Some("G1".to_owned());
        full.unit.signs = Signs::MeterAndGateway;
        full.unit.manufactured = Some(2024);
        full.findings.push(Found {
            code: "LEGACY_STRENGTH".to_owned(),
            severity: "WARNING".to_owned(),
            pointer: "/public_key".to_owned(),
            message: "old".to_owned(),
        });
        for one in [registration("r", &key(1)), full] {
            let text = text(&one).unwrap();
            assert_eq!(Registration::read(&text).unwrap(), one);
        }
    }

    #[test]
    fn an_interval_begins_inclusive_and_ends_exclusive_and_an_empty_one_holds_never() {
        let mut one = registration("r", &key(1));
        one.valid_to = Some(at("2026-02-01T00:00:00Z"));
        assert!(!one.covers(at("2025-12-31T23:59:59Z")));
        assert!(one.covers(at("2026-01-01T00:00:00Z")));
        assert!(!one.covers(at("2026-02-01T00:00:00Z")));
        assert!(one.overlaps(at("2026-01-31T00:00:00Z"), None));
        assert!(!one.overlaps(at("2026-02-01T00:00:00Z"), None));
        assert!(!one.overlaps(at("2025-01-01T00:00:00Z"), Some(at("2026-01-01T00:00:00Z"))));
        one.valid_to = Some(one.valid_from);
        assert!(!one.overlaps(at("2025-01-01T00:00:00Z"), None));
    }
}
