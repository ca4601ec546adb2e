//! ISA-EDL-40-P of Isabellenhütte: an SML list that holds the reading at the begin and the present one (signed-metering-formats.md 9).
//!
//! Only the end list is a bill; begin and update lists are genuine and say so in their name, which is signed. Times are UTC. The inner signature of
//! the value is part of the signed block and nothing else is made of it.

use std::borrow::Cow;

use super::block::{CONTRACT, contract, contract_field};
use super::edl_40_p::reading;
use super::sml::{Entry, ListResponse, Time};
use super::{LogSignature, malformed, padded};
use crate::metering::finding::Code;
use crate::metering::formats::register::{BinaryReading, WATT_HOUR};
use crate::metering::formats::signed_record::{Malformed, Pagination, SignedBlock, SignedRecord, Statement};
use crate::metering::formats::{FormatName, ReadRecord};
use crate::metering::reading::{Marker, Obis, Reading, SignedTime};

const BLOCK: usize = 320;
const VALUE_SIGNATURE: usize = 66;
const EVENT_STATUS_OCTETS: usize = 20;

const CONTRACT_ID: [u8; 6] = [0x81, 0x82, 0x81, 0x54, 0x01, 0xFF];
const START: [u8; 6] = [0x01, 0x00, 0x01, 0x08, 0x00, 0x80];
const ACTUAL: [u8; 6] = [0x01, 0x00, 0x01, 0x08, 0x00, 0xFF];
const PAGINATION: [u8; 6] = [0x81, 0x80, 0xC7, 0xF0, 0x40, 0xFF];
const EVENT_STATUS: [u8; 6] = [0x81, 0x80, 0x81, 0x61, 0x01, 0xFF];

/// Name of the list that was made when charging was over; those made before differ in the fifth octet.
const END_LIST: [u8; 6] = [0x81, 0x80, 0x81, 0x62, 0x02, 0xFF];

/// Reads an SML file whose transport encoding is already removed.
///
/// # Errors
/// Broken SML, a field missing or of the wrong size, a value that is no energy.
pub fn read(content: &[u8]) -> ReadRecord<'static> {
    let broken = malformed(FormatName::IsaEdl40P);
    let list = ListResponse::read(content).map_err(|error| broken(&error.to_string()))?;
    let fields = Fields::read(&list)?;
    let signature = LogSignature::read(&list.signature);
    let log = signature.log.unwrap_or_default();
    let is_final = fields.list_name == END_LIST;
    let mut record = SignedRecord::new(
        FormatName::IsaEdl40P,
        SignedBlock {
            octets: Cow::Owned(fields.block(log).to_vec()),
            signature: signature.block,
        },
        fields.statement(is_final, log),
    );
    if !is_final {
        record.remark(
            Code::NotFinalRecord,
            "the record was made while charging was still going on",
        );
    }
    if !list.checksum_fits {
        record.remark(
            Code::TransportCrcWrong,
            "the checksum of the SML transport is wrong, which the signature does not depend on",
        );
    }
    Ok(record)
}

/// A value with its time and the one octet of its status that is signed.
struct Measured {
    reading: BinaryReading,
    time: u32,
    status: u8,
}

impl Measured {
    fn read(entry: &Entry) -> Option<Measured> {
        let reading = reading(entry).filter(|reading| reading.unit == WATT_HOUR)?;
        let Some(Time::Clock { utc, offset_minutes: 0 }) = entry.time else {
            return None;
        };
        Some(Measured {
            reading,
            time: utc,
            status: entry.status.unwrap_or(0) as u8,
        })
    }

    /// The reading. Start and present value are of one register, which the start only marks as stored: the storage group tells nothing apart.
    fn shown(&self, marker: Marker) -> Reading {
        let mut reading = self.reading.at(SignedTime::utc(self.time), Some(marker));
        reading.obis = Some(Obis {
            f: None,
            ..Obis::from_octets(self.reading.obis)
        });
        reading.status = Some(format!("{:02X}", self.status));
        reading
    }
}

struct Fields {
    server_id: [u8; 10],
    list_name: [u8; 6],
    actual: Measured,
    value_signature: [u8; VALUE_SIGNATURE],
    contract: [u8; CONTRACT],
    start: Measured,
    event_status: [u8; EVENT_STATUS_OCTETS],
    pagination: u32,
}

impl Fields {
    fn read(list: &ListResponse) -> Result<Fields, Malformed> {
        let broken = malformed(FormatName::IsaEdl40P);
        let missing = |what: &str| broken(&format!("the SML list has no {what} as it should be"));
        let actual = list.entry(ACTUAL).ok_or_else(|| missing("present value"))?;
        let octets = |name| list.entry(name).and_then(|entry| entry.value.octets());
        Ok(Fields {
            server_id: list.server_id.as_slice().try_into().map_err(|_| missing("server id"))?,
            list_name: list.name.as_slice().try_into().map_err(|_| missing("name"))?,
            actual: Measured::read(actual).ok_or_else(|| missing("present value"))?,
            value_signature: actual
                .signature
                .as_deref()
                .and_then(|signature| signature.try_into().ok())
                .ok_or_else(|| missing("signature of the value"))?,
            contract: octets(CONTRACT_ID)
                .map_or(Some([0; CONTRACT]), contract_field)
                .ok_or_else(|| missing("contract"))?,
            start: list
                .entry(START)
                .and_then(Measured::read)
                .ok_or_else(|| missing("value at the start"))?,
            event_status: octets(EVENT_STATUS)
                .and_then(|status| status.try_into().ok())
                .ok_or_else(|| missing("event status"))?,
            pagination: list
                .integer(PAGINATION)
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| missing("record number"))?,
        })
    }

    fn block(&self, log: [u8; 2]) -> [u8; BLOCK] {
        let parts: [&[u8]; 19] = [
            &self.server_id,
            &self.actual.time.to_le_bytes(),
            &[self.actual.status],
            &self.actual.reading.obis,
            &[self.actual.reading.unit],
            &self.actual.reading.scaler.to_le_bytes(),
            &self.actual.reading.value.to_le_bytes(),
            &log,
            &self.value_signature,
            &self.contract,
            &self.start.time.to_le_bytes(),
            &self.event_status,
            &[self.start.status],
            &self.start.reading.obis,
            &[self.start.reading.unit],
            &self.start.reading.scaler.to_le_bytes(),
            &self.start.reading.value.to_le_bytes(),
            &self.list_name,
            &self.pagination.to_le_bytes(),
        ];
        padded(&parts)
    }

    fn statement(&self, is_final: bool, log: [u8; 2]) -> Statement {
        let present = if is_final { Marker::End } else { Marker::Charging };
        Statement {
            readings: vec![self.start.shown(Marker::Begin), self.actual.shown(present)],
            meter_serial: Some(hex::encode(self.server_id)),
            identification: Some(contract(&self.contract)),
            pagination: Some(Pagination::number(u64::from(self.pagination))),
            logbook: Some(hex::encode(log)),
            ..Statement::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::key::Curve;
    use crate::metering::sign::SigningMeter;
    use crate::metering::sign::records::{IsaFields, isa_edl_40_p};
    use proptest::prelude::*;

    fn record(fields: &IsaFields) -> Vec<u8> {
        isa_edl_40_p(&SigningMeter::from_seed(Curve::Secp256r1, b"a shunt").unwrap(), fields)
    }

    #[test]
    fn one_record_holds_begin_and_end() {
        let read = read(&record(&IsaFields::default())).unwrap();
        let shown: Vec<_> = read
            .statement
            .readings
            .iter()
            .map(|reading| (reading.value_text.as_str(), reading.marker.clone()))
            .collect();
        assert_eq!(shown, [("100.0", Some(Marker::Begin)), ("175.0", Some(Marker::End))]);
        assert_eq!(read.blocks[0].octets.len(), BLOCK);
        assert!(read.remarks.is_empty());
    }

    #[test]
    fn only_the_end_list_is_final() {
        for phase in [0, 1] {
            let read = read(&record(&IsaFields {
                phase,
                ..IsaFields::default()
            }))
            .unwrap();
            assert_eq!(read.remarks[0].code, Code::NotFinalRecord);
            assert_eq!(read.statement.readings[1].marker, Some(Marker::Charging));
        }
    }

    proptest! {
        #[test]
        fn no_changed_octet_makes_the_reader_panic(at in any::<proptest::sample::Index>(), octet in any::<u8>()) {
            let mut octets = record(&IsaFields::default());
            let at = at.index(octets.len());
            octets[at] = octet;
            let _ = read(&octets);
        }
    }
}
