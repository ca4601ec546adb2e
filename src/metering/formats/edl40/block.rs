//! The 320 octets that EDL40 meters sign (signed-metering-formats.md 7.1), from fields and back.

use super::padded;
use crate::metering::formats::register::{BinaryReading, WATT_HOUR, name, octets_at};
use crate::metering::formats::signed_record::{Pagination, Places, Statement};
use crate::metering::reading::{Reading, SignedTime};
use crate::metering::record::Identification;

/// Octets of the block.
pub const BLOCK: usize = 320;

/// Octets of the contract field.
pub const CONTRACT: usize = 128;

/// The register that is signed: `1-0:1.17.0`.
pub const SIGNED_IMPORT: [u8; 6] = [0x01, 0x00, 0x01, 0x11, 0x00, 0xFF];

/// The same with the losses of the cable taken out.
pub const COMPENSATED_IMPORT: [u8; 6] = [0x01, 0x00, 0x01, 0x11, 0x00, 0xC8];

/// The fields of the block.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// Serial number of the meter.
    pub server_id: [u8; 10],
    /// Local time of the value, in seconds since 1970.
    pub local_time: u32,
    /// The one octet of the status that is signed.
    pub status: u8,
    /// Operating seconds of the meter.
    pub second_index: u32,
    /// Number of the record.
    pub pagination: u32,
    /// The value, in Wh times a power of ten.
    pub reading: BinaryReading,
    /// State of the logbook.
    pub log: [u8; 2],
    /// Whom it names, filled with zeros.
    pub contract: [u8; CONTRACT],
    /// Local time of the identification.
    pub contract_time: u32,
    /// What newer meters add; zeros for others.
    pub emoc: Emoc,
}

/// The additions of EMOC meters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Emoc {
    /// The value at the begin of the session.
    pub historical: i64,
    /// The compensated value; what is billed when it is not zero.
    pub compensated: i64,
    /// Resistance of the cable.
    pub resistance: u16,
    /// Duration of the session, in seconds.
    pub duration: u32,
    /// The price; the one field of the block that is big-endian.
    pub price: u16,
}

impl Block {
    /// The block as it is signed.
    pub fn to_octets(&self) -> [u8; BLOCK] {
        let parts: [&[u8]; 17] = [
            &self.server_id,
            &self.local_time.to_le_bytes(),
            &[self.status],
            &self.second_index.to_le_bytes(),
            &self.pagination.to_le_bytes(),
            &self.reading.obis,
            &[self.reading.unit],
            &self.reading.scaler.to_le_bytes(),
            &self.reading.value.to_le_bytes(),
            &self.log,
            &self.contract,
            &self.contract_time.to_le_bytes(),
            &self.emoc.historical.to_le_bytes(),
            &self.emoc.compensated.to_le_bytes(),
            &self.emoc.resistance.to_le_bytes(),
            &self.emoc.duration.to_le_bytes(),
            &self.emoc.price.to_be_bytes(),
        ];
        padded(&parts)
    }

    /// The fields of a block that came as it is; `None` unless it has 320 octets.
    pub fn read(block: &[u8]) -> Option<Block> {
        if block.len() != BLOCK {
            return None;
        }
        Some(Block {
            server_id: octets_at(block, 0)?,
            local_time: u32::from_le_bytes(octets_at(block, 10)?),
            status: u8::from_le_bytes(octets_at(block, 14)?),
            second_index: u32::from_le_bytes(octets_at(block, 15)?),
            pagination: u32::from_le_bytes(octets_at(block, 19)?),
            reading: BinaryReading {
                obis: octets_at(block, 23)?,
                unit: u8::from_le_bytes(octets_at(block, 29)?),
                scaler: i8::from_le_bytes(octets_at(block, 30)?),
                value: i64::from_le_bytes(octets_at(block, 31)?),
            },
            log: octets_at(block, 39)?,
            contract: octets_at(block, 41)?,
            contract_time: u32::from_le_bytes(octets_at(block, 169)?),
            emoc: Emoc {
                historical: i64::from_le_bytes(octets_at(block, 173)?),
                compensated: i64::from_le_bytes(octets_at(block, 181)?),
                resistance: u16::from_le_bytes(octets_at(block, 189)?),
                duration: u32::from_le_bytes(octets_at(block, 191)?),
                price: u16::from_be_bytes(octets_at(block, 195)?),
            },
        })
    }

    /// Whether the value is one of energy; every format of the family demands it.
    pub fn is_energy(&self) -> bool {
        self.reading.unit == WATT_HOUR
    }

    /// What the block says; `time` is that of the value, as far as the format transmits it.
    pub fn statement(&self, time: SignedTime) -> Statement {
        let reading = |register: BinaryReading| Reading {
            status: Some(format!("{:02X}", self.status)),
            operating_seconds: Some(self.second_index),
            ..register.at(time.clone(), None)
        };
        let mut readings = vec![reading(self.reading)];
        if self.emoc.compensated != 0 {
            readings.push(reading(BinaryReading {
                obis: COMPENSATED_IMPORT,
                value: self.emoc.compensated,
                ..self.reading
            }));
        }
        Statement {
            readings,
            places: Places::ByTheLabel,
            meter_serial: Some(hex::encode(self.server_id)),
            identification: Some(contract(&self.contract)),
            pagination: Some(Pagination::number(u64::from(self.pagination))),
            logbook: Some(hex::encode(self.log)),
            ..Statement::default()
        }
    }
}

/// Whom a contract field names. EMOC meters put 01 or 02 in front, at begin and end of the same contract: that octet is no part of the name (8).
pub fn contract(field: &[u8]) -> Identification {
    let named = match field {
        [0x01 | 0x02, rest @ ..] => rest,
        _ => field,
    };
    Identification::new(name(named))
}

/// A contract as it fills its field; `None` if it is too long.
pub fn contract_field(contract: &[u8]) -> Option<[u8; CONTRACT]> {
    let mut field = [0; CONTRACT];
    field.get_mut(..contract.len())?.copy_from_slice(contract);
    Some(field)
}

/// Seconds of local time from seconds of UTC and the offset in minutes. The field has 32 bits, and meters let it overflow.
pub fn local_seconds(utc: u32, offset_minutes: i32) -> u32 {
    (i64::from(utc) + i64::from(offset_minutes) * 60) as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_block_is_read_and_written_back_the_same(octets in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let mut octets = octets;
            octets[197..].fill(0);
            let block = Block::read(&octets).unwrap();
            prop_assert_eq!(&block.to_octets()[..], &octets[..]);
        }

        #[test]
        fn no_octets_make_a_block_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Some(block) = Block::read(&octets) {
                block.statement(SignedTime::local(block.local_time));
            }
        }
    }

    #[test]
    fn the_marker_in_front_of_a_contract_is_not_part_of_its_name() {
        let named = |field: &[u8]| contract(field).reveal().to_owned();
        assert_eq!(named(b"\x01ABC\0\0"), named(b"\x02ABC\0"));
        assert_eq!(named(b"04AA\0"), "04AA");
        assert_eq!(named(&[0x91, 0x10, 0x0D]), "91100D");
        assert!(contract_field(&[1; 128]).is_some() && contract_field(&[1; 129]).is_none());
    }

    #[test]
    fn local_time_may_run_over() {
        assert_eq!(local_seconds(1_000_000, 120), 1_007_200);
        assert_eq!(local_seconds(u32::MAX, 1), 59);
        assert_eq!(local_seconds(0, -1), u32::MAX - 59);
    }
}
