//! BAUER BSM-WS36A: a snapshot of seventeen values, signed one behind the other.
//!
//! A number is signed as four octets (big-endian, two's complement), its power of ten and the code of its unit; a text as its length and its
//! UTF-8. Names are not signed: only the place in the list says what a value is, so the list must be the snapshot's, name by name.

use chrono::{DateTime, FixedOffset};

use super::{at, malformed, text, whole};
use crate::metering::finding::Code;
use crate::metering::formats::FormatName;
use crate::metering::formats::register::{BinaryReading, WATT_HOUR};
use crate::metering::formats::signed_record::{
    BlockSignature, Malformed, Pagination, SignedBlock, SignedRecord, Statement, Unusable,
};
use crate::metering::json::Value;
use crate::metering::key::Curve;
use crate::metering::reading::{Condition, Marker, Reading, SignedTime, TimeStatus};
use crate::metering::record::Identification;
use crate::metering::signature;

/// The snapshot, in its order.
const NAMES: [&str; 17] = [
    "Typ",
    "RCR",
    "TotWhImp",
    "W",
    "MA1",
    "RCnt",
    "OS",
    "Epoch",
    "TZO",
    "EpochSetCnt",
    "EpochSetOS",
    "DI",
    "DO",
    "Meta1",
    "Meta2",
    "Meta3",
    "Evt",
];

/// The register of a session, as the meter calls it.
const REGISTER: &str = "1-0:1.8.0*198";

/// The same in six octets.
const SESSION_IMPORT: [u8; 6] = [1, 0, 1, 8, 0, 198];

/// One value of the snapshot, as it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Signed {
    Number {
        octets: [u8; 4],
        value: i64,
        scale: i8,
        unit: u8,
    },
    Text(String),
}

struct Snapshot(Vec<Signed>);

/// Reads one signed value.
pub(super) fn read(value: Value<'_>) -> Result<SignedRecord<'static>, Malformed> {
    let snapshot = Snapshot::read(value)?;
    let signature = text(value, &["signature"]).ok_or_else(|| malformed("the signature is missing"))?;
    let block = SignedBlock {
        octets: snapshot.block().into(),
        signature: read_signature(&signature),
    };
    let mut record = SignedRecord::new(FormatName::ChargeIt, block, snapshot.statement());
    let differing = differing_copies(value, &snapshot);
    if !differing.is_empty() {
        let sentence = format!("what is displayed is not what is signed: {}", differing.join(", "));
        record.remark(Code::MeterReadingMismatch, sentence);
    }
    Ok(record)
}

fn read_signature(text: &str) -> Result<BlockSignature, Unusable> {
    const CURVE: Curve = Curve::Secp256r1;
    let octets = hex::decode(text.trim()).map_err(|_| Unusable::malformed("the signature is not hex"))?;
    let signature = signature::read_der(&octets, CURVE).map_err(Unusable::malformed)?;
    Ok(BlockSignature {
        curve: CURVE,
        signature,
    })
}

impl Snapshot {
    fn read(value: Value<'_>) -> Result<Snapshot, Malformed> {
        let list = value
            .get("additionalValues")
            .ok_or_else(|| malformed("the snapshot (additionalValues) is missing"))?;
        let elements = list.first_elements(NAMES.len() + 1);
        if elements.len() != NAMES.len() {
            return Err(malformed(format!("a snapshot has {} values", NAMES.len())));
        }
        let mut values = Vec::with_capacity(NAMES.len());
        for (element, name) in elements.into_iter().zip(NAMES) {
            if text(element, &["measurand", "name"]).as_deref() != Some(name) {
                return Err(malformed(format!("the value {name} is not where the snapshot has it")));
            }
            let signed = Signed::read(element).ok_or_else(|| malformed(format!("the value {name} cannot be read")))?;
            values.push(signed);
        }
        Ok(Snapshot(values))
    }

    /// The octets that the meter signed.
    fn block(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(256);
        for value in &self.0 {
            match value {
                Signed::Number {
                    octets, scale, unit, ..
                } => {
                    block.extend_from_slice(octets);
                    block.extend_from_slice(&scale.to_be_bytes());
                    block.push(*unit);
                }
                Signed::Text(text) => {
                    // A text of four gigabytes does not get this far.
                    block.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                    block.extend_from_slice(text.as_bytes());
                }
            }
        }
        block
    }

    fn get(&self, name: &str) -> Option<&Signed> {
        self.0.get(NAMES.iter().position(|known| *known == name)?)
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Signed::Number { value, .. } => Some(*value),
            Signed::Text(_) => None,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Signed::Text(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            Signed::Number { .. } => None,
        }
    }

    /// Meter time: seconds of UTC, and how many minutes its place is ahead.
    fn time(&self) -> Option<DateTime<FixedOffset>> {
        let minutes = i32::try_from(self.number("TZO")?).ok()?;
        let zone = FixedOffset::east_opt(minutes.checked_mul(60)?)?;
        Some(DateTime::from_timestamp(self.number("Epoch")?, 0)?.with_timezone(&zone))
    }

    /// `contract-id: rfid:102bb22f`: the kind, if one is named, and the id.
    fn contract(&self) -> Option<&str> {
        let stated = self.text("Meta1")?;
        Some(stated.strip_prefix("contract-id:").unwrap_or(stated).trim()).filter(|text| !text.is_empty())
    }

    fn statement(&self) -> Statement {
        let time = self.time();
        let text = time.map(|time| time.to_rfc3339()).unwrap_or_default();
        // A clock that nobody ever set counts from its first power-up.
        let status = match self.number("EpochSetCnt") {
            Some(set) if set > 0 => TimeStatus::Synchronised,
            _ => TimeStatus::Unknown,
        };
        let marker = match self.number("Typ") {
            Some(1 | 3) => Some(Marker::Begin),
            Some(2 | 4) => Some(Marker::End),
            _ => None,
        };
        let events = self.number("Evt").unwrap_or_default();
        let reading = self.get("RCR").and_then(|signed| match signed {
            Signed::Number { value, scale, unit, .. } => {
                let binary = BinaryReading {
                    obis: SESSION_IMPORT,
                    unit: *unit,
                    scaler: *scale,
                    value: *value,
                };
                let time = SignedTime {
                    text,
                    instant: time,
                    status,
                };
                Some(Reading {
                    register: REGISTER.to_owned(),
                    status: Some(format!("{events:#x}")),
                    condition: if events == 0 {
                        Condition::Good
                    } else {
                        Condition::Faulty
                    },
                    ..binary.at(time, marker)
                })
            }
            Signed::Text(_) => None,
        });
        Statement {
            readings: reading.into_iter().collect(),
            meter_serial: self.text("MA1").map(str::to_owned),
            identification: self
                .contract()
                .map(|contract| contract.rsplit(':').next().unwrap_or(contract).trim())
                .map(|id| Identification::new(id.to_owned())),
            pagination: self
                .number("RCnt")
                .and_then(|number| u64::try_from(number).ok())
                .map(Pagination::number),
            ..Statement::default()
        }
    }
}

impl Signed {
    fn read(element: Value<'_>) -> Option<Signed> {
        let value = element.get("measuredValue")?;
        if text(value, &["valueType"])? == "String" {
            return Some(Signed::Text(value.get("value")?.text()?.into_owned()));
        }
        let number = whole(value, &["value"])?;
        let octets = match text(value, &["valueType"])?.as_str() {
            "UnsignedInteger32" => u32::try_from(number).ok()?.to_be_bytes(),
            "Integer32" => i32::try_from(number).ok()?.to_be_bytes(),
            _ => return None,
        };
        Some(Signed::Number {
            octets,
            value: number,
            scale: i8::try_from(whole(value, &["scale"])?).ok()?,
            unit: u8::try_from(whole(value, &["unitEncoded"])?).ok()?,
        })
    }
}

/// The copies for display that are there and say something else. What is absent says nothing.
fn differing_copies(value: Value<'_>, snapshot: &Snapshot) -> Vec<&'static str> {
    let mut differing = Vec::new();
    let mut check = |name: &'static str, agrees: Option<bool>| {
        if agrees == Some(false) {
            differing.push(name);
        }
    };
    if let Some(Signed::Number {
        value: number,
        scale,
        unit,
        ..
    }) = snapshot.get("RCR")
    {
        let copy = |member| whole(value, &["value", "measuredValue", member]);
        let is_there = |member| at(value, &["value", "measuredValue", member]).is_some();
        check("the reading", is_there("value").then(|| copy("value") == Some(*number)));
        check(
            "its scale",
            is_there("scale").then(|| copy("scale") == Some((*scale).into())),
        );
        check(
            "the code of its unit",
            is_there("unitEncoded").then(|| copy("unitEncoded") == Some((*unit).into())),
        );
        let name = text(value, &["value", "measuredValue", "unit"]);
        check(
            "its unit",
            name.map(|name| (name == "WATT_HOUR") == (*unit == WATT_HOUR)),
        );
        check(
            "its register",
            text(value, &["value", "measurand", "name"]).map(|name| name == "RCR"),
        );
    }
    let time = text(value, &["time"]);
    check(
        "the time",
        time.map(|time| DateTime::parse_from_rfc3339(&time).ok() == snapshot.time()),
    );
    let count = at(value, &["measurementId"]).map(|_| whole(value, &["measurementId"]));
    check(
        "the number of the measurement",
        count.map(|count| count == snapshot.number("RCnt")),
    );
    let serial = text(value, &["meterInfo", "meterId"]);
    check(
        "the meter",
        serial.map(|serial| Some(serial.as_str()) == snapshot.text("MA1")),
    );
    let contract = text(value, &["contract", "id"]);
    check(
        "the contract",
        contract.and_then(|id| {
            let signed = snapshot.contract()?;
            let kind = text(value, &["contract", "type"]).unwrap_or_default();
            Some(
                signed == id
                    || signed == format!("{kind}:{id}")
                    || signed.rsplit_once(':').is_some_and(|(_, rest)| rest.trim() == id),
            )
        }),
    );
    differing
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::json;

    /// A snapshot of a meter that does not exist.
    pub(super) fn snapshot(energy: u32) -> String {
        let number = |name: &str, kind: &str, value: i64, scale: i8, unit: u8| {
            format!(
                r#"{{"measurand":{{"name":"{name}"}},"measuredValue":{{"valueType":"{kind}","value":{value},"scale":{scale},"unitEncoded":{unit}}}}}"#
            )
        };
        let words = |name: &str, value: &str| {
            format!(
                r#"{{"measurand":{{"name":"{name}"}},"measuredValue":{{"valueType":"String","value":"{value}","valueEncoding":"UTF-8"}}}}"#
            )
        };
        let unsigned = "UnsignedInteger32";
        [
            number("Typ", unsigned, 1, 0, 255),
            number("RCR", unsigned, energy.into(), 0, 30),
            number("TotWhImp", unsigned, 1530, 0, 30),
            number("W", "Integer32", -7, 1, 27),
            words("MA1", "M1"),
            number("RCnt", unsigned, 305, 0, 255),
            number("OS", unsigned, 5, 0, 7),
            number("Epoch", unsigned, 1_638_272_327, 0, 7),
            number("TZO", "Integer32", 60, 0, 6),
            number("EpochSetCnt", unsigned, 110, 0, 255),
            number("EpochSetOS", unsigned, 4, 0, 7),
            number("DI", unsigned, 1, 0, 255),
            number("DO", unsigned, 0, 0, 255),
            words("Meta1", "contract-id: rfid:aa"),
            words("Meta2", ""),
            words("Meta3", "ä"),
            number("Evt", unsigned, 0, 0, 255),
        ]
        .join(",")
    }

    fn value(snapshot: &str, copies: &str) -> String {
        format!(r#"{{"signature":"3006020101020101",{copies}"additionalValues":[{snapshot}]}}"#)
    }

    fn read_text(text: &str) -> Result<SignedRecord<'static>, Malformed> {
        read(json::read(text).unwrap())
    }

    #[test]
    fn numbers_are_signed_with_scale_and_unit_and_texts_with_their_length() {
        let record = read_text(&value(&snapshot(10), "")).unwrap();
        let block = &record.blocks[0].octets;
        assert_eq!(&block[..12], [0, 0, 0, 1, 0, 255, 0, 0, 0, 10, 0, 30]);
        assert_eq!(&block[18..30], [0xff, 0xff, 0xff, 0xf9, 1, 27, 0, 0, 0, 2, b'M', b'1']);
        let reading = &record.statement.readings[0];
        assert_eq!(
            (reading.kilowatt_hours().unwrap().to_string().as_str(), &reading.marker),
            ("0.010", &Some(Marker::Begin))
        );
        assert_eq!(reading.time.text, "2021-11-30T12:38:47+01:00");
        assert_eq!(record.statement.identification.unwrap().reveal(), "aa");
    }

    #[test]
    fn a_snapshot_with_names_exchanged_missing_or_added_is_malformed() {
        let genuine = snapshot(10);
        for changed in [
            genuine
                .replace("RCR", "X")
                .replace("TotWhImp", "RCR")
                .replace("\"X\"", "\"TotWhImp\""),
            genuine.rsplit_once(",{").unwrap().0.to_owned(),
            format!("{genuine},{}", genuine.split_once(",{").unwrap().0),
            genuine.replacen("UnsignedInteger32", "Float", 1),
            genuine.replacen("\"value\":10", "\"value\":-10", 1),
            genuine.replacen("\"value\":10", "\"value\":4294967296", 1),
        ] {
            assert!(read_text(&value(&changed, "")).is_err(), "{changed}");
        }
    }

    #[test]
    fn every_copy_for_display_must_say_what_is_signed() {
        let honest = r#""time":"2021-11-30T11:38:47Z","measurementId":305,"meterInfo":{"meterId":"M1"},"contract":{"id":"aa","type":"rfid"},
            "value":{"measurand":{"name":"RCR"},"measuredValue":{"unit":"WATT_HOUR","unitEncoded":30,"scale":0,"value":10}},"#;
        assert_eq!(read_text(&value(&snapshot(10), honest)).unwrap().remarks, []);
        for (from, to) in [
            ("11:38:47", "11:38:48"),
            ("305", "306"),
            ("M1", "M2"),
            ("\"aa\"", "\"bb\""),
            ("WATT_HOUR", "WATT"),
            ("\"unitEncoded\":30", "\"unitEncoded\":27"),
            ("\"scale\":0", "\"scale\":1"),
            ("\"value\":10", "\"value\":11"),
            ("\"RCR\"", "\"TotWhImp\""),
            ("\"value\":10", "\"value\":null"),
        ] {
            let forged = value(&snapshot(10), &honest.replacen(from, to, 1));
            assert!(
                read_text(&forged)
                    .unwrap()
                    .remarks
                    .iter()
                    .any(|remark| remark.code == Code::MeterReadingMismatch),
                "{to}"
            );
        }
    }
}
