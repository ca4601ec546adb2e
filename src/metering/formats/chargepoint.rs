//! ChargePoint: a receipt in JSON, and a signature over the octets of that file.
//!
//! signed-metering-formats.md 14: an archive with `secrrct` and `secrrct.sign`. Carried in OCPI the receipt is the readable field and the signature
//! the signed one. Nothing in it names a curve: older meters sign on secp224k1, which no curve library at hand verifies and which is therefore
//! called by its name, newer ones on secp256r1. Start with [`read_parts`].

use chrono::DateTime;

use super::signed_record::{BlockSignature, Malformed, SignedBlock, SignedRecord, Statement, Unusable};
use super::transport;
use super::{FormatName, ReadRecord};
use crate::metering::finding::Code;
use crate::metering::json::{self, Value};
use crate::metering::key::Curve;
use crate::metering::reading::{Marker, Reading, SignedTime, TimeStatus};
use crate::metering::record::{Identification, MAX_READINGS};
use crate::metering::signature;

/// The register of the meter, as every other format calls it; the receipt has no name for it.
const REGISTER: &str = "1-0:1.8.0";

/// Reads a receipt whose signature did not come along.
pub fn read(receipt: &[u8]) -> ReadRecord<'_> {
    let mut record =
        statement(receipt).map(|statement| SignedRecord::new(FormatName::ChargePoint, unsigned(receipt), statement))?;
    record.blocks.clear();
    record.remark(
        Code::NoSignedData,
        "the signature of the receipt (secrrct.sign) did not come along",
    );
    Ok(record)
}

/// Reads a receipt and its signature: DER in hex or Base64.
pub fn read_parts<'a>(receipt: &'a [u8], signature: &str) -> ReadRecord<'a> {
    let statement = statement(receipt)?;
    let block = SignedBlock {
        octets: receipt.into(),
        signature: read_signature(signature),
    };
    Ok(SignedRecord::new(FormatName::ChargePoint, block, statement))
}

/// The octets of a receipt that was carried as text, in hex or in Base64. Nothing is trimmed: a line break at the end of the file is signed.
pub fn receipt_octets(carried: &str) -> Vec<u8> {
    if carried.trim_start().starts_with('{') {
        return carried.as_bytes().to_vec();
    }
    transport::decode(carried).unwrap_or_default()
}

fn unsigned(receipt: &[u8]) -> SignedBlock<'_> {
    SignedBlock {
        octets: receipt.into(),
        signature: Err(Unusable::malformed("there is none")),
    }
}

fn read_signature(text: &str) -> Result<BlockSignature, Unusable> {
    let octets =
        transport::decode(text).ok_or_else(|| Unusable::malformed("the signature is neither hex nor Base64"))?;
    // Numbers longer than those of the smaller curve can only be of the larger one; that two of the larger are both so short happens once in
    // the age of the universe.
    let signature = signature::read_der(&octets, Curve::Secp256r1).map_err(Unusable::malformed)?;
    let longest = signature.r().len().max(signature.s().len());
    let curve = if longest > Curve::Secp224k1.scalar_bytes() {
        Curve::Secp256r1
    } else {
        Curve::Secp224k1
    };
    if !curve.is_supported() {
        return Err(Unusable::unsupported(format!(
            "signatures on the curve {curve} cannot be checked"
        )));
    }
    Ok(BlockSignature { curve, signature })
}

fn statement(receipt: &[u8]) -> Result<Statement, Malformed> {
    let malformed = |message: &str| Malformed::new(FormatName::ChargePoint, message);
    let text = std::str::from_utf8(receipt).map_err(|_| malformed("the receipt is not text"))?;
    let document = json::read(text).map_err(|_| malformed("the receipt is not JSON"))?;
    if document.first_duplicate().is_some() {
        return Err(malformed("a member of the receipt stands twice"));
    }
    let info = document
        .get("additional_info")
        .ok_or_else(|| malformed("the receipt says nothing about the meter (additional_info)"))?;
    let unit = text_of(info, "energy_units").unwrap_or_default();
    let (start, end) = times(document);
    let reading = |member: &str, time: Option<i64>, marker| {
        let value_text = text_of(info, member)?;
        let instant = time
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .map(|instant| instant.fixed_offset());
        let time = SignedTime {
            text: instant.map(|instant| instant.to_rfc3339()).unwrap_or_default(),
            instant,
            status: TimeStatus::Ungraded,
        };
        Some(Reading {
            marker: Some(marker),
            ..Reading::plain(REGISTER, value_text, unit.clone(), time)
        })
    };
    let readings = [
        reading("meter_startreading", start, Marker::Begin),
        reading("meter_endreading", end, Marker::End),
    ];
    Ok(Statement {
        readings: readings.into_iter().flatten().collect(),
        meter_serial: text_of(info, "meter_serial"),
        session_id: text_of(info, "session_id"),
        identification: text_of(info, "driver_info").map(Identification::new),
        ..Statement::default()
    })
}

/// Begin of the first and end of the last line of energy, in seconds of UTC.
fn times(document: Value<'_>) -> (Option<i64>, Option<i64>) {
    let lines = document
        .get("energy")
        .map(|lines| lines.first_elements(MAX_READINGS))
        .unwrap_or_default();
    let seconds = |member: &'static str| {
        lines
            .iter()
            .filter_map(move |line| line.get(member)?.number()?.parse::<i64>().ok())
    };
    (seconds("start_time_utc").min(), seconds("end_time_utc").max())
}

/// Text, or a number as written.
fn text_of(object: Value<'_>, member: &str) -> Option<String> {
    let value = object.get(member)?;
    let text = value
        .number()
        .map(str::to_owned)
        .or_else(|| value.text().map(Into::into))?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    const RECEIPT: &str = r#"{"energy":[{"start_time_utc":1543838000,"end_time_utc":1543838329,"units":0.05},{"seq_num":"SUBTOTAL"}],
        "additional_info":{"session_id":2,"meter_serial":"S1","driver_info":"somebody","meter_startreading":3078,"meter_endreading":3137,"energy_units":"Wh"}} "#;

    #[test]
    fn the_octets_of_the_file_are_signed_to_the_last_blank() {
        let record = read_parts(RECEIPT.as_bytes(), &hex::encode(der(32))).unwrap();
        assert_eq!(&*record.blocks[0].octets, RECEIPT.as_bytes());
        assert_eq!(record.blocks[0].signature.as_ref().unwrap().curve, Curve::Secp256r1);
        let [begin, end] = record.statement.readings.as_slice() else {
            panic!("two readings")
        };
        let energy: Decimal = end.kilowatt_hours().unwrap() - begin.kilowatt_hours().unwrap();
        assert_eq!(energy.to_string(), "0.059");
        assert_eq!(begin.time.text, "2018-12-03T11:53:20+00:00");
        assert_eq!(record.statement.meter_serial.as_deref(), Some("S1"));
        assert!(!format!("{record:?}").contains("somebody"));
    }

    #[test]
    fn the_curve_that_cannot_be_verified_is_called_by_name() {
        let record = read_parts(RECEIPT.as_bytes(), &hex::encode(der(29))).unwrap();
        let unusable = record.blocks[0].signature.clone().unwrap_err();
        assert_eq!(unusable.code, Code::UnsupportedAlgorithm);
        assert!(unusable.message.contains("secp224k1"));
    }

    #[test]
    fn without_its_signature_a_receipt_proves_nothing() {
        let record = read(RECEIPT.as_bytes()).unwrap();
        assert!(record.blocks.is_empty() && record.remarks[0].code == Code::NoSignedData);
        assert!(read(b"{}").is_err() && read(b"").is_err() && read(b"\xff").is_err());
        let unreadable = read_parts(RECEIPT.as_bytes(), "@@").unwrap();
        assert_eq!(
            unreadable.blocks[0].signature.clone().unwrap_err().code,
            Code::SignatureMalformed
        );
    }

    /// A DER signature of two numbers of that many octets.
    fn der(octets: u8) -> Vec<u8> {
        let number = [&[2, octets, 1][..], &vec![7; usize::from(octets) - 1]].concat();
        [&[0x30, 2 * (octets + 2)][..], &number, &number].concat()
    }

    proptest! {
        #[test]
        fn no_receipt_makes_the_reader_panic(inside in "[{}\\[\\]\":,a-z_0-9.-]{0,80}", signature in "[0-9a-zA-Z+/=]{0,40}") {
            let _ = read_parts(inside.as_bytes(), &signature);
            let _ = read(format!("{{\"additional_info\":{inside},\"energy\":{inside}}}").as_bytes());
        }
    }
}
