//! PCDF, the line that DC stations of Porsche Engineering write: one line is one whole session.
//!
//! signed-metering-formats.md 12. Fourteen fields in a fixed order, the last of them the signature; signed are the octets from `128.8.0` up to,
//! not including, `(SG:`. The key stands inside what is signed, so its letter case counts. The energy is already a difference, times have no zone.
//! Start with [`read`].

use std::fmt;
use std::ops::Range;

use chrono::NaiveDateTime;
use rust_decimal::Decimal;

use super::signed_record::{self, BlockSignature, Pagination, SignedBlock, SignedRecord, Statement, Unusable};
use super::{FormatName, ReadRecord};
use crate::metering::finding::Code;
use crate::metering::key::Curve;
use crate::metering::reading::{Marker, Obis, Reading, SignedTime, TimeStatus, exact_decimal};
use crate::metering::record::Identification;
use crate::metering::signature;

/// How a record begins: the register code of the session's energy.
pub const HEADER: &str = "128.8.0";

/// Names of the fields, in the only order there is.
const FIELDS: [&str; 14] = [
    "ST", "CT", "CD", "TV", "BV", "CSC", "SP", "RV", "SI", "CS", "HW", "DT", "PK", "SG",
];

/// What may stand around a record besides white space: STX and ETX, as octets or written out.
const BEFORE: [&str; 2] = ["\u{2}", "\\u0002"];
const BEHIND: [&str; 2] = ["\u{3}", "\\u0003"];

/// The only curve of the format.
const CURVE: Curve = Curve::Secp256r1;

/// What the register code means: energy drawn, in this session alone.
const REGISTER: Obis = Obis {
    a: 1,
    b: Some(0),
    c: 1,
    d: 8,
    e: Some(0),
    f: None,
};

/// Reads a record. It is a whole session: a begin at zero and an end at what was drawn.
pub fn read(content: &[u8]) -> ReadRecord<'_> {
    let malformed = |message: &dyn fmt::Display| signed_record::Malformed::new(FormatName::Pcdf, message);
    let text = std::str::from_utf8(content).map_err(|_| malformed(&"the record is not text"))?;
    let record = Pcdf::read(text).map_err(|error| malformed(&error))?;
    let block = SignedBlock {
        octets: record.signed.as_bytes().into(),
        signature: record.signature(),
    };
    let mut read = SignedRecord::new(FormatName::Pcdf, block, record.statement());
    read.embedded_key = Some(record.public_key.into());
    if !record.billing_valid {
        read.remark(
            Code::BillingNotValid,
            "the meter says that the record must not be billed (BV)",
        );
    }
    if !record.stop_present {
        read.remark(Code::FinalDataMissing, "the final reading is not in the record (SP)");
    }
    Ok(read)
}

/// Why a text is no PCDF record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It does not begin with the register code.
    #[error("the record does not begin with {HEADER}")]
    Header,
    /// A field is missing, out of order, or not written `(NAME:value)`.
    #[error("the field {0} is not where it belongs")]
    Field(&'static str),
    /// Something stands behind the signature; nobody signed it.
    #[error("something follows the signature")]
    Trailing,
    /// The energy is not a number of kilowatt-hours.
    #[error("the energy (RV) is not a number of kWh")]
    Energy,
}

/// A record, taken apart but not yet believed. Texts are as written.
#[derive(Clone)]
pub struct Pcdf<'a> {
    /// The signed octets, as they arrived.
    pub signed: &'a str,
    /// Where they stand in the text that was read.
    pub signed_at: Range<usize>,
    /// `ST`: begin of the session, in a zone that nobody states; `None` if it is no time.
    pub start: Option<NaiveDateTime>,
    /// `CT`: when the record was made.
    pub stop: Option<NaiveDateTime>,
    /// `RV`: the energy of the session in kWh.
    pub energy_kwh: Decimal,
    /// The same as written, without its unit.
    pub energy_text: &'a str,
    /// `TV`: the station vouches for its clock.
    pub time_valid: bool,
    /// `BV`: the record may be billed.
    pub billing_valid: bool,
    /// `SP`: the final reading is in it.
    pub stop_present: bool,
    /// `CSC`: the number of the session.
    pub session_counter: Option<u64>,
    /// `SI`, first part: whom it names.
    pub identification: Option<Identification>,
    /// `HW`: serial number of the meter.
    pub hardware: &'a str,
    /// `PK`: the key as written, in hex.
    pub public_key: &'a str,
    /// `SG`: the signature as written, DER in hex.
    pub signature: &'a str,
}

/// The record names a driver: lengths only.
impl fmt::Debug for Pcdf<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pcdf")
            .field("signed", &self.signed.len())
            .field("hardware", &self.hardware)
            .finish_non_exhaustive()
    }
}

impl<'a> Pcdf<'a> {
    /// Reads a record whose transport encoding is already removed; STX and ETX may still stand around it.
    pub fn read(text: &'a str) -> Result<Pcdf<'a>, Malformed> {
        let begin = BEFORE
            .iter()
            .find(|mark| text.starts_with(**mark))
            .map_or(0, |mark| mark.len());
        let mut fields = Fields {
            text,
            at: begin + HEADER.len(),
        };
        if !text.get(begin..).is_some_and(|record| record.starts_with(HEADER)) {
            return Err(Malformed::Header);
        }
        let mut values = [""; FIELDS.len()];
        let mut signature_at = 0;
        for (name, value) in FIELDS.iter().zip(&mut values) {
            signature_at = fields.at;
            *value = fields.next(name).ok_or(Malformed::Field(name))?;
        }
        if !is_nothing(fields.rest()) {
            return Err(Malformed::Trailing);
        }
        let [
            start,
            stop,
            _,
            time,
            billing,
            counter,
            stop_present,
            energy,
            who,
            _,
            hardware,
            _,
            key,
            signature,
        ] = values;
        let (energy_text, energy_kwh) = kilowatt_hours(energy).ok_or(Malformed::Energy)?;
        let identification = who.split('*').next().unwrap_or_default();
        let signed_at = begin..signature_at;
        Ok(Pcdf {
            signed: text.get(signed_at.clone()).unwrap_or_default(),
            signed_at,
            start: moment(start),
            stop: moment(stop),
            energy_kwh,
            energy_text,
            time_valid: time == "1",
            billing_valid: billing == "1",
            stop_present: stop_present == "1",
            session_counter: counter.parse().ok(),
            identification: (!identification.is_empty()).then(|| Identification::new(identification.to_owned())),
            hardware,
            public_key: key,
            signature,
        })
    }
}

impl Pcdf<'_> {
    fn signature(&self) -> Result<BlockSignature, Unusable> {
        let octets = hex::decode(self.signature).map_err(|_| Unusable::malformed("the signature (SG) is not hex"))?;
        let signature = signature::read_der(&octets, CURVE).map_err(Unusable::malformed)?;
        Ok(BlockSignature {
            curve: CURVE,
            signature,
        })
    }

    fn statement(&self) -> Statement {
        let reading = |text: &str, time, marker| Reading {
            obis: Some(REGISTER),
            marker: Some(marker),
            ..Reading::plain(HEADER, text, "kWh", self.time(time))
        };
        Statement {
            readings: vec![
                reading("0", self.start, Marker::Begin),
                reading(self.energy_text, self.stop, Marker::End),
            ],
            meter_serial: Some(self.hardware.to_owned()).filter(|serial| !serial.is_empty()),
            identification: self.identification.clone(),
            pagination: self.session_counter.map(Pagination::number),
            ..Statement::default()
        }
    }

    /// A time without a zone is no instant: at the autumn change its clock stands an hour lower at the end than at the begin.
    fn time(&self, time: Option<NaiveDateTime>) -> SignedTime {
        SignedTime {
            text: time.map(|time| time.format("%FT%T").to_string()).unwrap_or_default(),
            instant: None,
            status: if self.time_valid {
                TimeStatus::Unzoned
            } else {
                TimeStatus::Unknown
            },
        }
    }
}

/// Walks over `(NAME:value)` groups that touch each other.
struct Fields<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Fields<'a> {
    fn next(&mut self, name: &str) -> Option<&'a str> {
        let inside = self.rest().strip_prefix('(')?;
        let (found, rest) = inside.split_once(':')?;
        let (value, _) = rest.split_once(')')?;
        if found != name || value.contains(['(', '\r', '\n']) {
            return None;
        }
        self.at += 1 + found.len() + 1 + value.len() + 1;
        Some(value)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn is_nothing(rest: &str) -> bool {
    let rest = rest.trim();
    rest.is_empty() || BEHIND.contains(&rest)
}

/// `NNNN.NNN*kWh`; the format has no other unit.
fn kilowatt_hours(text: &str) -> Option<(&str, Decimal)> {
    let (number, unit) = text.split_once('*')?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (unit == "kWh" && is_plain)
        .then(|| exact_decimal(number))
        .flatten()
        .map(|value| (number, value))
}

/// `yymmddhhmmss`, in this century.
fn moment(text: &str) -> Option<NaiveDateTime> {
    let is_digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits
        .then(|| NaiveDateTime::parse_from_str(&format!("20{text}"), "%Y%m%d%H%M%S").ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const RECORD: &str = "128.8.0(ST:250501080000)(CT:250501093000)(CD:013000)(TV:1)(BV:1)(CSC:42)(SP:1)(RV:0022.340*kWh)(SI:04A1*1*tx)(CS:513f627b)(HW:M1234567890)(DT:0)(PK:04ab)(SG:30ff)";

    #[test]
    fn the_signed_octets_reach_up_to_the_signature_and_are_a_slice() {
        let record = Pcdf::read(RECORD).unwrap();
        assert_eq!(record.signed, &RECORD[..RECORD.find("(SG:").unwrap()]);
        assert!(std::ptr::eq(record.signed, &RECORD[record.signed_at.clone()]));
        assert_eq!(
            (record.energy_text, record.energy_kwh.to_string().as_str()),
            ("0022.340", "22.340")
        );
        assert_eq!(record.start.unwrap().to_string(), "2025-05-01 08:00:00");
        assert_eq!(
            (record.hardware, record.public_key, record.signature),
            ("M1234567890", "04ab", "30ff")
        );
        assert_eq!((record.session_counter, record.time_valid), (Some(42), true));
        assert_eq!(record.identification.unwrap().reveal(), "04A1");
    }

    #[test]
    fn marks_around_the_record_are_not_signed() {
        for (before, behind) in [("\u{2}", "\u{3}"), ("\\u0002", "\\u0003"), ("", "\r\n"), ("\u{2}", "")] {
            let text = format!("{before}{RECORD}{behind}");
            assert_eq!(
                Pcdf::read(&text).unwrap().signed,
                Pcdf::read(RECORD).unwrap().signed,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_field_missing_added_moved_or_blurred_is_no_record() {
        let broken = [
            (RECORD.replace("128.8.0", "128.8.1"), Malformed::Header),
            (RECORD.replace("(TV:1)", ""), Malformed::Field("TV")),
            (RECORD.replace("(TV:1)(BV:1)", "(BV:1)(TV:1)"), Malformed::Field("TV")),
            (RECORD.replace("(TV:1)", "(TV:1) "), Malformed::Field("BV")),
            (RECORD.replace("(SG:30ff)", ""), Malformed::Field("SG")),
            (RECORD.replace("(SG:30ff)", "(SG:30ff"), Malformed::Field("SG")),
            (format!("{RECORD}(XX:1)"), Malformed::Trailing),
            (format!("{RECORD}{RECORD}"), Malformed::Trailing),
            (RECORD.replace("*kWh", "*Wh"), Malformed::Energy),
            (RECORD.replace("0022.340", "-022.340"), Malformed::Energy),
        ];
        for (text, expected) in broken {
            assert_eq!(Pcdf::read(&text).unwrap_err(), expected, "{text}");
        }
        for end in 0..RECORD.len() {
            assert!(Pcdf::read(&RECORD[..end]).is_err());
        }
    }

    #[test]
    fn whom_it_names_never_shows_in_debug_output() {
        assert!(!format!("{:?}", Pcdf::read(RECORD).unwrap()).contains("04A1"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", cut in 0usize..200, insert in "[()*:ST0-9äß\\x02]{0,12}") {
            let _ = read(text.as_bytes());
            let at = cut.min(RECORD.len());
            let _ = read(format!("{}{insert}{}", &RECORD[..at], &RECORD[at..]).as_bytes());
        }
    }
}
