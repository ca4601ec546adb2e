//! Charge transparency records of Chargy (`CTR+json`): one document about stations, meters and keys, and the sessions measured there.
//!
//! signed-metering-formats.md 14. What a meter signed is named by the context of a measurement. Read is `GDFCrypt01`, the block of GraphDefined's
//! meters, put together from members as the meter did: it is close kin to that of EDL40, with the meter's id as text and without status, second
//! index and record number. Everything else is called by name: other meters' blocks need a time zone that the document does not have, and the
//! signatures of operators over the whole document say nothing about a meter. Keys stand with the meters, unsigned.
//!
//! No genuine record with a signature that fits was ever seen, so one that does not fit disproves nothing
//! ([`FormatName::is_known_from_records`]). Start with [`read`]; [`GdfBlock`] is what is signed.

use chrono::{DateTime, FixedOffset};

use super::document::{self, at, text, whole};
use super::register::BinaryReading;
use super::signed_record::{BlockSignature, Malformed, Places, SignedBlock, SignedRecord, Statement, Unusable};
use super::{FormatName, ReadRecord};
use crate::metering::finding::Code;
use crate::metering::json::Value;
use crate::metering::key::Curve;
use crate::metering::limits::MAX_LISTED;
use crate::metering::reading::SignedTime;
use crate::metering::record::{Identification, MAX_RECORDS};
use crate::metering::signature;

/// The only curve of these meters.
const CURVE: Curve = Curve::Secp256r1;

/// What the context of a measurement or session contains where GraphDefined's meters signed.
pub(super) const GDF_CONTEXT: &str = "GDFCrypt01";

/// Octets of the block.
const BLOCK: usize = 320;

/// Where the time begins, and with it the end of what is signed of a meter's id.
const TIME_AT: usize = 10;

/// Octets of a time.
const TIME: usize = 8;

/// Octets that an authorization may fill.
const AUTHORIZATION: usize = 128;

/// Reads a document: every measured value is a record, and every session a transaction.
pub fn read(content: &[u8]) -> Vec<ReadRecord<'static>> {
    match document::read(FormatName::Chargy, content) {
        Ok(document) => read_document(document).unwrap_or_else(|malformed| vec![Err(malformed)]),
        Err(malformed) => vec![Err(malformed)],
    }
}

fn read_document(document: Value<'_>) -> Result<Vec<ReadRecord<'static>>, Malformed> {
    let Some(sessions) = document.get("chargingSessions") else {
        return Ok(vec![Ok(by_name("the document has no charging session"))]);
    };
    let mut records = Vec::new();
    for session in sessions.first_elements(MAX_RECORDS + 1) {
        let transaction = text(session, &["@id"]);
        for measurement in first_listed(session, "measurements") {
            let circumstances = Circumstances::read(session, measurement);
            let key = text(measurement, &["energyMeterId"]).and_then(|meter| key_of(document, &meter));
            let values = first_listed(measurement, "values");
            let count = values.len();
            records.extend(values.into_iter().enumerate().map(|(index, value)| {
                let mut record = match &circumstances {
                    Some(circumstances) => circumstances.clone()?.record(value)?,
                    None => by_name("what the meter signed cannot be put together from this kind of measurement"),
                };
                record.transaction = transaction.clone();
                record.delivered_key = key.clone().map(Into::into);
                record.nature = document::place_in_list(index, count).map(str::to_owned);
                Ok(record)
            }));
            if records.len() > MAX_RECORDS {
                return Err(malformed("there are more measured values than any session has"));
            }
        }
    }
    Ok(records)
}

/// One more element than is ever read.
fn first_listed<'v>(holder: Value<'v>, member: &str) -> Vec<Value<'v>> {
    let list = holder.get(member).map(|list| list.first_elements(MAX_RECORDS + 1));
    list.unwrap_or_default()
}

/// What all values of a measurement have in common.
#[derive(Clone)]
struct Circumstances {
    meter: String,
    obis: [u8; 6],
    unit: u8,
    scaler: i8,
    /// Whom the session was authorized for, in hex as written, and when.
    name: String,
    authorized: DateTime<FixedOffset>,
}

impl Circumstances {
    /// `None` where another kind of meter signed.
    fn read(session: Value<'_>, measurement: Value<'_>) -> Option<Result<Circumstances, Malformed>> {
        let is_gdf = |holder: Value<'_>| {
            holder
                .get("@context")
                .is_some_and(|context| context.as_written().contains(GDF_CONTEXT))
        };
        (is_gdf(measurement) || is_gdf(session)).then(|| Circumstances::of_gdf(session, measurement))
    }

    fn of_gdf(session: Value<'_>, measurement: Value<'_>) -> Result<Circumstances, Malformed> {
        let number = |name: &str| whole(measurement, &[name]);
        Ok(Circumstances {
            meter: text(measurement, &["energyMeterId"])
                .filter(|meter| meter.len() <= TIME_AT + TIME)
                .ok_or_else(missing("energyMeterId"))?,
            obis: text(measurement, &["obis"])
                .and_then(|obis| hex::decode(obis.trim()).ok()?.try_into().ok())
                .ok_or_else(missing("obis"))?,
            unit: number("unitEncoded")
                .and_then(|unit| unit.try_into().ok())
                .ok_or_else(missing("unitEncoded"))?,
            scaler: number("scale")
                .and_then(|scale| scale.try_into().ok())
                .ok_or_else(missing("scale"))?,
            name: text(session, &["authorizationStart", "@id"]).ok_or_else(missing("authorizationStart.@id"))?,
            authorized: moment(session, &["authorizationStart", "timestamp"])
                .ok_or_else(missing("authorizationStart.timestamp"))?,
        })
    }

    fn record(self, value: Value<'_>) -> ReadRecord<'static> {
        let time = moment(value, &["timestamp"]).ok_or_else(missing("timestamp"))?;
        let authorization = hex::decode(self.name.trim())
            .ok()
            .filter(|octets| octets.len() <= AUTHORIZATION)
            .ok_or_else(missing("authorizationStart.@id"))?;
        let reading = BinaryReading {
            obis: self.obis,
            unit: self.unit,
            scaler: self.scaler,
            value: whole(value, &["value"]).ok_or_else(missing("value"))?,
        };
        let block = GdfBlock {
            meter: &self.meter,
            seconds: wall_clock(time),
            reading,
            authorization: &authorization,
            authorized: wall_clock(self.authorized),
        };
        let signed = SignedBlock {
            octets: block.to_octets().to_vec().into(),
            signature: read_signature(value),
        };
        let minutes = time.offset().local_minus_utc() / 60;
        let statement = Statement {
            readings: vec![reading.at(SignedTime::with_offset(time.timestamp(), minutes), None)],
            places: Places::ByTheLabel,
            meter_serial: Some(block.signed_meter()),
            identification: Some(Identification::new(self.name.trim().to_owned())),
            ..Statement::default()
        };
        Ok(SignedRecord::new(FormatName::GraphDefined, signed, statement))
    }
}

/// What a meter of GraphDefined signs. Integers are little-endian, and what no field fills is zero.
pub struct GdfBlock<'a> {
    /// Its id, as text at 0. Of a longer one than ten octets the time, which is written over it, leaves the beginning.
    pub meter: &'a str,
    /// Wall clock of the value at 10, in seconds since 1970.
    pub seconds: i64,
    /// Register at 23, unit at 29, power of ten at 30, value at 31.
    pub reading: BinaryReading,
    /// Whom the session was authorized for, at 41, at most 128 octets.
    pub authorization: &'a [u8],
    /// Wall clock of the authorization at 169, in seconds since 1970.
    pub authorized: i64,
}

impl GdfBlock<'_> {
    /// The block as it is signed. What does not fit its field is cut; [`read`] refuses it before.
    pub fn to_octets(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut put = |at: usize, field: &[u8]| {
            block
                .iter_mut()
                .skip(at)
                .zip(field)
                .for_each(|(octet, written)| *octet = *written);
        };
        put(0, self.meter.as_bytes());
        put(TIME_AT, &self.seconds.to_le_bytes());
        put(23, &self.reading.obis);
        put(29, &[self.reading.unit]);
        put(30, &self.reading.scaler.to_le_bytes());
        put(31, &self.reading.value.to_le_bytes());
        put(41, self.authorization);
        put(169, &self.authorized.to_le_bytes());
        block
    }

    /// As much of the id as the block holds.
    fn signed_meter(&self) -> String {
        let signed = self.meter.as_bytes();
        String::from_utf8_lossy(signed.get(..TIME_AT).unwrap_or(signed)).into_owned()
    }
}

/// `r` and `s` apart, or `value` in one.
fn read_signature(value: Value<'_>) -> Result<BlockSignature, Unusable> {
    let not_hex = || Unusable::malformed("the signature is not hex");
    let of = value
        .get("signatures")
        .and_then(|list| list.first_elements(1).first().copied())
        .ok_or_else(|| Unusable::malformed("the signature is missing"))?;
    let octets = match (text(of, &["r"]), text(of, &["s"])) {
        (Some(r), Some(s)) => {
            let half = |number: String| -> Option<[u8; 32]> {
                hex::decode(format!("{:0>64}", number.trim())).ok()?.try_into().ok()
            };
            [half(r).ok_or_else(not_hex)?, half(s).ok_or_else(not_hex)?].concat()
        }
        _ => text(of, &["value"])
            .and_then(|text| hex::decode(text.trim()).ok())
            .ok_or_else(not_hex)?,
    };
    Ok(BlockSignature {
        curve: CURVE,
        signature: signature::read(&octets, CURVE).map_err(Unusable::malformed)?,
    })
}

/// The key beside the meter of that id: in the document, at a station or at a connector.
fn key_of(document: Value<'_>, meter: &str) -> Option<String> {
    let pools = [vec![document], listed(document, "chargingPools")].concat();
    let stations: Vec<Value<'_>> = pools
        .iter()
        .flat_map(|pool| listed(*pool, "chargingStations"))
        .collect();
    let evses: Vec<Value<'_>> = stations.iter().flat_map(|station| listed(*station, "EVSEs")).collect();
    let found = [vec![document], stations, evses]
        .concat()
        .into_iter()
        .flat_map(|holder| [listed(holder, "meters"), listed(holder, "energyMeters")].concat())
        .find(|candidate| text(*candidate, &["@id"]).as_deref() == Some(meter))?;
    text(*listed(found, "publicKeys").first()?, &["value"])
}

/// The elements of a list in an object, as far as they are looked through.
fn listed<'v>(holder: Value<'v>, member: &str) -> Vec<Value<'v>> {
    holder
        .get(member)
        .map(|list| list.first_elements(MAX_LISTED))
        .unwrap_or_default()
}

fn moment(value: Value<'_>, path: &[&str]) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(at(value, path)?.text()?.trim()).ok()
}

/// What the clock of the place showed, in seconds since 1970: the offset is the one that is written, and `Z` is none.
fn wall_clock(time: DateTime<FixedOffset>) -> i64 {
    time.timestamp() + i64::from(time.offset().local_minus_utc())
}

/// A record of which no more is said than what it is.
fn by_name(sentence: &str) -> SignedRecord<'static> {
    let mut record = SignedRecord::unsigned(FormatName::Chargy, Statement::default());
    record.remark(Code::UnsupportedFormat, sentence);
    record
}

fn missing(what: &'static str) -> impl Fn() -> Malformed {
    move || {
        malformed(format!(
            "the member {what} is missing, cannot be read, or does not fit its field"
        ))
    }
}

fn malformed(message: impl std::fmt::Display) -> Malformed {
    Malformed::new(FormatName::Chargy, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::finding::Outcome;
    use crate::metering::record::{Given, JudgedAs};
    use crate::metering::session::{Examination, examine_read, signed_energy_kwh};
    use crate::metering::sign::SigningMeter;
    use crate::metering::sign::documents::{GdfFields, charge_transparency_record};
    use proptest::prelude::*;

    fn meter() -> SigningMeter {
        SigningMeter::from_seed(CURVE, b"a GraphDefined meter").unwrap()
    }

    fn document() -> String {
        let fields = [(2500, 0), (10_000, 3600)].map(|(value, later)| GdfFields {
            value,
            utc: 1_767_258_000 + later,
        });
        charge_transparency_record(&meter(), &fields)
    }

    fn judge(document: &str) -> Examination {
        examine_read(read(document.as_bytes()), &Given::default(), JudgedAs::Session)
    }

    #[test]
    fn a_session_is_read_with_the_key_of_its_meter() {
        let examination = judge(&document());
        assert_eq!(examination.outcome, Outcome::Valid, "{examination:?}");
        assert_eq!(signed_energy_kwh(&examination).unwrap().normalize().to_string(), "7.5");
        let record = read(document().as_bytes()).remove(0).unwrap();
        assert_eq!(record.format, FormatName::GraphDefined);
        assert_eq!(record.transaction.as_deref(), Some("42"));
        assert_eq!(record.blocks[0].octets.len(), BLOCK);
        assert_eq!(&record.blocks[0].octets[..10], b"TWGDF00001");
        assert_eq!(&record.blocks[0].octets[41..46], [0x04, 0xAA, 0xBB, 0xCC, 0]);
    }

    #[test]
    fn whatever_is_signed_cannot_be_changed_and_the_split_of_the_wall_clock_is_not_signed() {
        let genuine = document();
        for (from, to) in [
            ("\"energyMeterId\":\"TWGDF00001\"", "\"energyMeterId\":\"TWGDF00002\""),
            ("10:00:00Z", "10:00:01Z"),
            ("0100011100FF", "0100011100C8"),
            ("\"unitEncoded\":30", "\"unitEncoded\":27"),
            ("\"scale\":0", "\"scale\":1"),
            ("\"10000\"", "\"10001\""),
            ("\"04AABBCC\"", "\"04AABBCD\""),
        ] {
            let changed = genuine.replace(from, to);
            assert_ne!(changed, genuine, "{from}");
            let examination = judge(&changed);
            // Neither proven nor disproven, unless the readings contradict each other.
            assert_ne!(examination.outcome, Outcome::Valid, "{to}");
            assert!(
                examination
                    .records
                    .iter()
                    .all(|record| record.signature.as_str() != "INVALID"),
                "{to}"
            );
        }
        let same_clock = genuine.replace("Z\"", "+00:00\"");
        assert_eq!(judge(&same_clock).outcome, Outcome::Valid);
    }

    #[test]
    fn a_member_that_is_missing_or_does_not_fit_is_malformed() {
        let genuine = document();
        for (from, to) in [
            ("energyMeterId", "meterId"),
            ("TWGDF00001", "a meter with a long name"),
            ("\"scale\":0", "\"scale\":1000"),
            ("\"value\":\"2500\"", "\"value\":\"1e999999999\""),
            ("0100011100FF", "0100"),
            ("\"@id\":\"04AABBCC\"", "\"@id\":\"my card\""),
            ("authorizationStart", "authorization"),
            ("T10:", " at 10:"),
        ] {
            let broken = genuine.replace(from, to);
            assert!(read(broken.as_bytes()).iter().any(Result::is_err), "{to}");
        }
        let unsigned = genuine.replace("\"signatures\"", "\"seals\"");
        assert_eq!(judge(&unsigned).outcome, Outcome::Invalid);
    }

    #[test]
    fn what_cannot_be_put_together_is_called_by_name() {
        let other = document().replace(GDF_CONTEXT, "EMHCrypt01");
        let (examination, nothing) = (judge(&other), judge("{\"@context\":\"CTR+json\"}"));
        for examination in [examination, nothing] {
            assert_eq!(examination.outcome, Outcome::Unverifiable);
            assert!(
                examination
                    .all_findings()
                    .any(|finding| finding.code == Code::UnsupportedFormat)
            );
        }
    }

    proptest! {
        #[test]
        fn no_document_makes_the_reader_panic(inside in "[{}\\[\\]\":,a-zA-Z0-9. -]{0,80}", at in 0usize..4000) {
            let genuine = document();
            let at = at % genuine.len();
            read(format!("{}{inside}{}", &genuine[..at], &genuine[at..]).as_bytes());
            read(format!("{{\"chargingSessions\":[{inside}]}}").as_bytes());
        }
    }
}
