//! EDL_40_P: the fields of the block in an SML list, as eHZ meters of EMH, eBee and EMOC send them (signed-metering-formats.md 8).
//!
//! The block is put together from the fields and the *list* signature is held against it. Not signed although visible: client, sensor and gateway
//! time, list name, the high bits of the status, every other entry, and how the local time splits into UTC and offset.

use std::borrow::Cow;

use super::block::{Block, CONTRACT, Emoc, SIGNED_IMPORT, contract_field, local_seconds};
use super::sml::{Entry, ListResponse, Time};
use super::{LOG, LogSignature, malformed};
use crate::metering::finding::Code;
use crate::metering::formats::register::BinaryReading;
use crate::metering::formats::signed_record::{Malformed, SignedBlock, SignedRecord};
use crate::metering::formats::{FormatName, ReadRecord};
use crate::metering::reading::SignedTime;

/// Some meters sign the ordinary register `1-0:1.8.0` instead.
const TOTAL_IMPORT: [u8; 6] = [0x01, 0x00, 0x01, 0x08, 0x00, 0xFF];
const CONTRACT_ID: [u8; 6] = [0x81, 0x82, 0x81, 0x54, 0x01, 0xFF];
const PAGINATION: [u8; 6] = [0x81, 0x80, 0x81, 0x71, 0x01, 0xFF];
const SECOND_INDEX: [u8; 6] = [0x81, 0x00, 0x60, 0x08, 0x00, 0x01];
const HISTORICAL: [u8; 6] = [0x01, 0x00, 0x01, 0x11, 0x00, 0x64];
const COMPENSATED: [u8; 6] = super::block::COMPENSATED_IMPORT;
const RESISTANCE: [u8; 6] = [0x00, 0xAF, 0x6C, 0x6C, 0x72, 0xFF];
const DURATION: [u8; 6] = [0x00, 0xAF, 0x64, 0x75, 0x72, 0xFF];
const PRICE: [u8; 6] = [0x00, 0xAF, 0x70, 0x72, 0x63, 0xFF];

/// Where EMOC meters put the bits of their status into the one octet that is signed (7.4).
const EMOC_STATUS: [(u32, u32); 6] = [(17, 0), (31, 3), (16, 4), (11, 5), (9, 6), (8, 7)];

/// Reads an SML file whose transport encoding is already removed.
///
/// # Errors
/// Broken SML, a field missing or of the wrong size, a value that is no energy.
pub fn read(content: &[u8]) -> ReadRecord<'static> {
    let broken = malformed(FormatName::Edl40P);
    let list = ListResponse::read(content).map_err(|error| broken(&error.to_string()))?;
    let signature = LogSignature::read(&list.signature);
    let (block, offset_minutes, utc) = block(&list, &signature)?;
    if !block.is_energy() {
        return Err(broken("the value is not in watt-hours"));
    }
    let time = SignedTime::with_offset(i64::from(utc), offset_minutes);
    let mut statement = block.statement(time);
    if !signature.is_of_emoc() {
        statement.readings.truncate(1);
    }
    let signed = SignedBlock {
        octets: Cow::Owned(block.to_octets().to_vec()),
        signature: signature.block,
    };
    let mut record = SignedRecord::new(FormatName::Edl40P, signed, statement);
    if !list.checksum_fits {
        record.remark(
            Code::TransportCrcWrong,
            "the checksum of the SML transport is wrong, which the signature does not depend on",
        );
    }
    Ok(record)
}

/// The block, and how the time of its value was transmitted: offset and UTC.
fn block(list: &ListResponse, signature: &LogSignature) -> Result<(Block, i32, u32), Malformed> {
    let broken = malformed(FormatName::Edl40P);
    let value = list
        .entry(SIGNED_IMPORT)
        .or_else(|| list.entry(TOTAL_IMPORT))
        .ok_or_else(|| broken("the SML list has no energy"))?;
    let contract = list.entry(CONTRACT_ID);
    let contract_field = contract
        .and_then(|entry| entry.value.octets())
        .map_or(Some([0; CONTRACT]), contract_field)
        .ok_or_else(|| broken("the contract is longer than its field"))?;
    let Some(Time::Clock { utc, offset_minutes }) = value.time else {
        return Err(broken("the value has no time"));
    };
    let second_index = match list.entry(SECOND_INDEX).map(second_index) {
        Some(Some(seconds)) => seconds,
        _ => return Err(broken("the SML list has no second index")),
    };
    let number = |name| list.integer(name).unwrap_or(0);
    let status = value.status.unwrap_or(0);
    // The additions are signed by EMOC meters only; others leave the end of the block empty whatever the list shows.
    let is_emoc = signature.is_of_emoc();
    let emoc = Emoc {
        historical: number(HISTORICAL),
        compensated: number(COMPENSATED),
        resistance: number(RESISTANCE) as u16,
        duration: number(DURATION) as u32,
        price: number(PRICE) as u16,
    };
    let block = Block {
        server_id: list
            .server_id
            .as_slice()
            .try_into()
            .map_err(|_| broken("the server id does not have ten octets"))?,
        local_time: local_seconds(utc, offset_minutes),
        status: if is_emoc { emoc_status(status) } else { status as u8 },
        second_index,
        pagination: list
            .integer(PAGINATION)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| broken("the SML list has no record number"))?,
        reading: reading(value).ok_or_else(|| broken("the value is not an integer with unit and power of ten"))?,
        log: signature.log.unwrap_or([0; LOG]),
        contract: contract_field,
        contract_time: match contract.and_then(|entry| entry.time) {
            Some(Time::Clock { utc, offset_minutes }) => local_seconds(utc, offset_minutes),
            Some(Time::SecondIndex(seconds)) => seconds,
            None => 0,
        },
        emoc: if is_emoc { emoc } else { Emoc::default() },
    };
    Ok((block, offset_minutes, utc))
}

/// The register, unit and number of an entry.
pub(super) fn reading(entry: &Entry) -> Option<BinaryReading> {
    Some(BinaryReading {
        obis: entry.name,
        unit: entry.unit?,
        scaler: entry.scaler.unwrap_or(0),
        value: entry.value.integer()?,
    })
}

fn second_index(entry: &Entry) -> Option<u32> {
    match entry.time_in_value() {
        Some(Time::SecondIndex(seconds)) => Some(seconds),
        Some(Time::Clock { .. }) => None,
        None => u32::try_from(entry.value.integer()?).ok(),
    }
}

fn emoc_status(status: u64) -> u8 {
    EMOC_STATUS
        .iter()
        .filter(|(from, _)| status >> from & 1 == 1)
        .fold(0, |octet, (_, to)| octet | 1 << to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::key::Curve;
    use crate::metering::sign::SigningMeter;
    use crate::metering::sign::records::{Edl40Fields, edl_40_p};
    use proptest::prelude::*;

    fn record(curve: Curve, fields: &Edl40Fields) -> Vec<u8> {
        edl_40_p(&SigningMeter::from_seed(curve, b"an EDL40 meter").unwrap(), fields)
    }

    #[test]
    fn the_block_is_put_together_as_the_meter_did() {
        for curve in [Curve::Secp192r1, Curve::Secp256r1] {
            let fields = Edl40Fields::default();
            let read = read(&record(curve, &fields)).unwrap();
            let block = Block::read(&read.blocks[0].octets).unwrap();
            assert_eq!(block.reading.value, fields.value);
            assert_eq!(block.second_index, fields.second_index);
            assert_eq!(block.local_time, local_seconds(fields.utc, 120));
            assert_eq!(read.blocks[0].signature.as_ref().unwrap().curve, curve);
            assert_eq!(read.statement.readings[0].time.text, "2026-07-01T10:00:00+02:00");
            assert!(read.remarks.is_empty());
        }
    }

    #[test]
    fn what_a_newer_meter_compensated_is_a_register_of_its_own() {
        let fields = Edl40Fields {
            compensated: 900,
            ..Edl40Fields::default()
        };
        let registers = |curve| {
            let read = read(&record(curve, &fields)).unwrap();
            let registers = read.statement.readings.iter().map(|reading| reading.register.clone());
            registers.collect::<Vec<_>>()
        };
        assert_eq!(registers(Curve::Secp256r1), ["0100011100FF", "0100011100C8"]);
        assert_eq!(registers(Curve::Secp192r1), ["0100011100FF"]);
    }

    #[test]
    fn a_wrong_checksum_is_a_remark_and_a_fragment_is_malformed() {
        let mut octets = record(Curve::Secp192r1, &Edl40Fields::default());
        for end in 0..octets.len() {
            assert!(read(&octets[..end]).is_err(), "{end}");
        }
        *octets.last_mut().unwrap() ^= 1;
        let read = read(&octets).unwrap();
        assert_eq!(read.remarks[0].code, Code::TransportCrcWrong);
    }

    #[test]
    fn the_status_of_newer_meters_is_gathered_from_its_bits() {
        assert_eq!(emoc_status(1 << 17), 1);
        assert_eq!(emoc_status(1 << 31 | 1 << 8), 0b1000_1000);
        assert_eq!(emoc_status(0xFF), 0);
    }

    proptest! {
        #[test]
        fn no_changed_octet_makes_the_reader_panic(at in any::<proptest::sample::Index>(), octet in any::<u8>()) {
            let mut octets = record(Curve::Secp192r1, &Edl40Fields::default());
            let at = at.index(octets.len());
            octets[at] = octet;
            let _ = read(&octets);
        }
    }
}
