//! Alfen Eichrecht: `AP;type;version;key;dataset;signature;`, everything binary in base32 (signed-metering-formats.md 6).
//!
//! Signed are the 82 octets of the dataset and nothing else: the type in the clear is only a label, and where the dataset has a flag for it the
//! flag is believed. The key inside is whatever the sender put there. Start with [`read`].

use std::borrow::Cow;

use super::register::{BinaryReading, name, octets_at};
use super::signed_record::{BlockSignature, Malformed, Pagination, SignedBlock, SignedRecord, Statement, Unusable};
use super::{FormatName, ReadRecord};
use crate::metering::deviation::Deviation;
use crate::metering::finding::Code;
use crate::metering::key::{Curve, base32_bytes};
use crate::metering::reading::{Condition, Marker, SignedTime};
use crate::metering::record::Identification;
use crate::metering::signature;

/// Octets of the dataset.
pub const DATASET: usize = 82;

/// The only version of the outer form that is seen; it is unsigned.
const VERSION: &str = "3";

/// Faults of the meter that make its reading unusable: EEPROM and data flash.
const METER_FAULTS: u16 = 1 << 1 | 1 << 2;

/// Faults of the adapter that do: fatal error, memory error, no communication with the meter.
const ADAPTER_FAULTS: u16 = 1 << 0 | 1 << 14 | 1 << 15;

/// A fault of the meter's clock.
const CLOCK: u16 = 1 << 0;

/// A phase is missing (bits 8 to 10), or they are in the wrong order (11).
const PHASES: u16 = 0b1111 << 8;

/// The adapter compared the readings at start and stop itself, and they do not go together.
const READING_MISMATCH: u16 = 1 << 10;

/// Bits of the adapter that say what the record is for: intermediate, stop, start.
const PURPOSES: [(u16, Marker); 3] = [
    (1 << 11, Marker::Charging),
    (1 << 12, Marker::End),
    (1 << 13, Marker::Begin),
];

/// Reads a record whose transport encoding is already removed.
///
/// # Errors
/// Anything that is not five fields of the right kind and size.
pub fn read(content: &[u8]) -> ReadRecord<'static> {
    let malformed = |message: &str| Malformed::new(FormatName::Alfen, message);
    let text = std::str::from_utf8(content).map_err(|_| malformed("the record is not text"))?;
    let text = text.trim().strip_suffix(';').unwrap_or(text.trim());
    let fields: Vec<&str> = text.splitn(8, ';').map(str::trim).collect();
    let ["AP", kind, version, key, dataset, signature] = fields.as_slice() else {
        return Err(malformed("the record does not have the five fields behind AP"));
    };
    let kind = match *kind {
        "0" => Marker::Begin,
        "1" => Marker::End,
        "2" => Marker::Charging,
        _ => {
            return Err(malformed(
                "the type of the record is none of start, stop and intermediate",
            ));
        }
    };
    let base32 = |field: &str| base32_bytes(&field.to_ascii_uppercase());
    let block = base32(dataset).ok_or_else(|| malformed("the dataset is not base32"))?;
    let octets = base32(signature).ok_or_else(|| malformed("the signature is not base32"))?;
    let dataset = Dataset::read(&block).ok_or_else(|| malformed("the dataset does not have 82 octets"))?;

    let mut record = dataset.record(kind);
    record.blocks = vec![SignedBlock {
        octets: Cow::Owned(block),
        signature: signature::read_raw(&octets, Curve::Secp192r1)
            .map(|signature| BlockSignature {
                curve: Curve::Secp192r1,
                signature,
            })
            .map_err(Unusable::malformed),
    }];
    // In hex it cannot be taken for another encoding; what is no base32 stays as it is and is no key.
    record.embedded_key = Some(base32(key).map_or_else(|| (*key).to_owned(), hex::encode))
        .filter(|key| !key.is_empty())
        .map(Cow::Owned);
    if *version != VERSION {
        record.statement.deviations.push(Deviation::OuterVersion);
    }
    Ok(record)
}

/// The signed fields.
struct Dataset {
    adapter: [u8; 10],
    meter: [u8; 10],
    meter_status: u16,
    adapter_status: u16,
    second_index: u32,
    time: u32,
    reading: BinaryReading,
    user: [u8; 20],
    session: u32,
    paging: u32,
}

impl Dataset {
    fn read(block: &[u8]) -> Option<Dataset> {
        if block.len() != DATASET {
            return None;
        }
        Some(Dataset {
            adapter: octets_at(block, 0)?,
            meter: octets_at(block, 16)?,
            meter_status: u16::from_le_bytes(octets_at(block, 26)?),
            adapter_status: u16::from_le_bytes(octets_at(block, 28)?),
            second_index: u32::from_le_bytes(octets_at(block, 30)?),
            time: u32::from_le_bytes(octets_at(block, 34)?),
            reading: BinaryReading {
                obis: octets_at(block, 38)?,
                unit: u8::from_le_bytes(octets_at(block, 44)?),
                scaler: i8::from_le_bytes(octets_at(block, 45)?),
                value: i64::from_le_bytes(octets_at(block, 46)?),
            },
            user: octets_at(block, 54)?,
            session: u32::from_le_bytes(octets_at(block, 74)?),
            paging: u32::from_le_bytes(octets_at(block, 78)?),
        })
    }

    /// What the fields say; `kind` is what the unsigned type says.
    fn record(&self, kind: Marker) -> SignedRecord<'static> {
        let flagged: Vec<&Marker> = PURPOSES
            .iter()
            .filter(|(bit, _)| self.adapter_status & bit != 0)
            .map(|(_, purpose)| purpose)
            .collect();
        let contradicts = !flagged.is_empty() && !flagged.contains(&&kind);
        let purpose = match flagged.as_slice() {
            [only] => (*only).clone(),
            _ => kind,
        };
        let is_faulty = self.meter_status & METER_FAULTS != 0 || self.adapter_status & ADAPTER_FAULTS != 0;
        let is_intermediate = purpose == Marker::Charging;

        let mut reading = self.reading.at(SignedTime::utc(self.time), Some(purpose));
        reading.status = Some(format!("{:04X} {:04X}", self.meter_status, self.adapter_status));
        reading.operating_seconds = Some(self.second_index);
        if is_faulty {
            reading.condition = Condition::Faulty;
        }
        let mut record = SignedRecord::unsigned(
            FormatName::Alfen,
            Statement {
                readings: vec![reading],
                has_one_register: true,
                meter_serial: Some(hex::encode(self.meter)),
                adapter: Some(hex::encode(self.adapter)),
                identification: Some(Identification::new(name(&self.user))),
                pagination: Some(Pagination::number(u64::from(self.paging))),
                session_id: Some(self.session.to_string()),
                ..Statement::default()
            },
        );
        if is_faulty && is_intermediate {
            record.remark(Code::MeterStatusNotOk, "meter or adapter report an error");
        }
        if self.adapter_status & READING_MISMATCH != 0 {
            record.remark(
                Code::MeterReadingMismatch,
                "the adapter says that the readings at start and stop do not go together",
            );
        }
        if contradicts {
            record.remark(
                Code::TypeFlagMismatch,
                "the unsigned type of the record contradicts what the signed flags say",
            );
        }
        if self.meter_status & CLOCK != 0 {
            record.remark(Code::MeterClockError, "the meter reports a fault of its clock");
        }
        if self.meter_status & PHASES != 0 {
            record.remark(Code::PhaseFailure, "the meter reports a failure of a phase");
        }
        record
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::sign::SigningMeter;
    use crate::metering::sign::records::{AlfenDataset, alfen};
    use proptest::prelude::*;

    fn meter() -> SigningMeter {
        SigningMeter::from_seed(Curve::Secp192r1, b"an adapter").unwrap()
    }

    fn with(change: impl FnOnce(&mut AlfenDataset)) -> String {
        let mut dataset = AlfenDataset::default();
        change(&mut dataset);
        alfen(&meter(), 1, &dataset)
    }

    fn codes(record: &str) -> Vec<&'static str> {
        let record = read(record.as_bytes()).unwrap();
        record.remarks.iter().map(|remark| remark.code.as_str()).collect()
    }

    #[test]
    fn a_record_says_what_its_dataset_says() {
        let record = with(|dataset| {
            dataset.value = 12_345;
            dataset.scaler = -1;
            dataset.user = "04AA".to_owned();
            dataset.session = 7;
            dataset.paging = 9;
        });
        let record = read(record.as_bytes()).unwrap();
        let statement = &record.statement;
        let reading = &statement.readings[0];
        assert_eq!(
            (
                reading.value_text.as_str(),
                reading.unit.as_str(),
                reading.marker.clone()
            ),
            ("1234.5", "Wh", Some(Marker::End))
        );
        assert_eq!(reading.time.text, "2026-01-01T09:00:00+00:00");
        assert_eq!(
            statement.identification.as_ref().map(Identification::reveal),
            Some("04AA")
        );
        assert_eq!(statement.session_id.as_deref(), Some("7"));
        assert_eq!(statement.pagination, Some(Pagination::number(9)));
        assert_eq!(record.blocks[0].octets.len(), DATASET);
        assert!(record.blocks[0].signature.is_ok());
        assert!(record.remarks.is_empty() && statement.deviations.is_empty());
    }

    #[test]
    fn each_flag_has_its_finding_and_the_signed_purpose_wins() {
        assert_eq!(codes(&with(|dataset| dataset.meter_status = 1)), ["METER_CLOCK_ERROR"]);
        assert_eq!(
            codes(&with(|dataset| dataset.meter_status = 1 << 11)),
            ["PHASE_FAILURE"]
        );
        assert_eq!(
            codes(&with(|dataset| dataset.adapter_status = 1 << 10)),
            ["METER_READING_MISMATCH"]
        );
        let mislabelled = with(|dataset| dataset.adapter_status = 1 << 13);
        assert_eq!(codes(&mislabelled), ["TYPE_FLAG_MISMATCH"]);
        assert_eq!(
            read(mislabelled.as_bytes()).unwrap().statement.readings[0].marker,
            Some(Marker::Begin)
        );
        for (meter_status, adapter_status) in [(1 << 1, 0), (1 << 2, 0), (0, 1), (0, 1 << 14), (0, 1 << 15)] {
            let record = with(|dataset| {
                dataset.meter_status = meter_status;
                dataset.adapter_status = adapter_status;
            });
            let record = read(record.as_bytes()).unwrap();
            assert_eq!(record.statement.readings[0].condition, Condition::Faulty);
        }
    }

    #[test]
    fn fragments_and_other_sizes_are_malformed() {
        let record = with(|_| {});
        let fields: Vec<&str> = record.split(';').collect();
        for broken in [
            "AP",
            "AP;",
            "AP;;;;;",
            &record.replacen("AP;1", "AP;7", 1),
            &record.replacen("AP;1", "BP;1", 1),
            &format!("{record}{record}"),
            &format!("{record}X;"),
            &record.replacen(fields[4], &fields[4][8..], 1),
            &record.replacen(fields[4], "0189", 1),
        ] {
            assert!(read(broken.as_bytes()).is_err(), "{broken}");
        }
        let cut = record.replacen(fields[5], &fields[5][8..], 1);
        assert!(read(cut.as_bytes()).unwrap().blocks[0].signature.is_err());
        assert!(read(record.trim_end_matches(';').as_bytes()).is_ok());
        assert!(read(record.to_ascii_lowercase().replacen("ap", "AP", 1).as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn no_octets_make_the_reader_panic(tail in "[A-Z2-7;= ]{0,300}", noise in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(format!("AP;0;3;{tail}").as_bytes());
            let _ = read(&noise);
        }
    }
}
