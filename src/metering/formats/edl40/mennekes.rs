//! EDL40 Mennekes: a `ChargingProcess` in XML with the fields of two blocks, one for the begin and one for the end
//! (signed-metering-formats.md 11).
//!
//! Each measurement becomes one block with a signature of its own, and both must fit. Every field is the measurement's own: taking the power of ten
//! of the begin for the end as well would let a changed one pass. Only wall clock is signed, not the offset beside it; the metering point and the
//! address are not signed at all.

use std::borrow::Cow;

use chrono::DateTime;
use roxmltree::Node;

use super::block::{Block, Emoc, SIGNED_IMPORT, contract_field, local_seconds};
use super::{LogSignature, malformed};
use crate::metering::finding::Code;
use crate::metering::formats::register::{BinaryReading, WATT_HOUR};
use crate::metering::formats::signed_record::{Malformed, Places, SignedBlock, SignedRecord, Statement};
use crate::metering::formats::xml;
use crate::metering::formats::{FormatName, ReadRecord};
use crate::metering::reading::{Marker, SignedTime};

const FORMAT: FormatName = FormatName::Mennekes;

/// Reads a `ChargingProcess` element whose transport encoding is already removed.
///
/// # Errors
/// XML that is none or declares a document type, an element missing or twice, a number that is none, an octet string that is not hex.
pub fn read(content: &[u8]) -> ReadRecord<'static> {
    let broken = malformed(FORMAT);
    let text = std::str::from_utf8(content).map_err(|_| broken("the record is not text"))?;
    let document = xml::parse(text).map_err(|error| broken(&error.to_string()))?;
    let process = Element(document.root_element());
    let begin = Measurement::read(&process, "MeasurementStart")?;
    let end = Measurement::read(&process, "MeasurementEnd")?;

    let mut statement = end.statement(Marker::End);
    statement.readings.splice(..0, begin.statement(Marker::Begin).readings);
    statement.places = Places::InTheRecord;
    let mut record = SignedRecord::unsigned(FORMAT, statement);
    record.embedded_key = process
        .optional("PublicKey")?
        .filter(|key| !key.is_empty())
        .map(Cow::Owned);
    let (before, after) = (begin.block.pagination, end.block.pagination);
    if after <= before {
        record.remark(
            Code::PaginationNotIncreasing,
            "the number of the end is not higher than that of the begin",
        );
    } else if after - before > 1 {
        record.remark(Code::PaginationGap, "the meter made other records in between");
    }
    if begin.event_counter != end.event_counter || begin.block.log != end.block.log {
        record.remark(
            Code::LogbookChanged,
            "something was written into the meter's logbook during the session",
        );
    }
    record.blocks = [begin, end]
        .into_iter()
        .map(|measurement| SignedBlock {
            octets: Cow::Owned(measurement.block.to_octets().to_vec()),
            signature: measurement.signature.block,
        })
        .collect();
    Ok(record)
}

/// One of the two measurements.
struct Measurement {
    block: Block,
    time: SignedTime,
    event_counter: u16,
    signature: LogSignature,
}

impl Measurement {
    fn read(process: &Element<'_, '_>, name: &str) -> Result<Measurement, Malformed> {
        let broken = malformed(FORMAT);
        let element = process
            .only(name)?
            .map(Element)
            .ok_or_else(|| broken(&format!("the element {name} is missing")))?;
        let signature = LogSignature::read(&element.hex("Signature")?);
        let event_counter: u16 = element.number("EventCounter")?;
        let timestamp = Timestamp::read(&element.text("Timestamp")?)?;
        let identified = match element.optional("TimestampCustomerIdent")? {
            Some(time) => time,
            None => process.text("TimestampCustomerIdent")?,
        };
        let status: u64 = element.number("MeterStatus")?;
        let block = Block {
            server_id: process
                .hex("ServerId")?
                .try_into()
                .map_err(|_| broken("the server id does not have ten octets"))?,
            local_time: timestamp.local(),
            status: status as u8,
            second_index: element.number("SecondIndex")?,
            pagination: element.number("Pagination")?,
            reading: BinaryReading {
                obis: SIGNED_IMPORT,
                unit: WATT_HOUR,
                scaler: element.number("Scaler")?,
                value: element.number("Value")?,
            },
            log: signature.log.unwrap_or(event_counter.to_be_bytes()),
            contract: contract_field(&process.hex("CustomerIdent")?)
                .ok_or_else(|| broken("the contract is longer than its field"))?,
            contract_time: Timestamp::read(&identified)?.local(),
            emoc: Emoc::default(),
        };
        Ok(Measurement {
            block,
            time: SignedTime::with_offset(i64::from(timestamp.utc), timestamp.offset_minutes),
            event_counter,
            signature,
        })
    }

    fn statement(&self, marker: Marker) -> Statement {
        let mut statement = self.block.statement(self.time.clone());
        for reading in &mut statement.readings {
            reading.marker = Some(marker.clone());
        }
        statement
    }
}

/// A time with its offset, as the XML has it.
struct Timestamp {
    utc: u32,
    offset_minutes: i32,
}

impl Timestamp {
    fn read(text: &str) -> Result<Timestamp, Malformed> {
        let broken = || malformed(FORMAT)("a time is none, or has no offset");
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| broken())?;
        Ok(Timestamp {
            utc: u32::try_from(time.timestamp()).map_err(|_| broken())?,
            offset_minutes: time.offset().local_minus_utc() / 60,
        })
    }

    fn local(&self) -> u32 {
        local_seconds(self.utc, self.offset_minutes)
    }
}

/// An element whose children stand once each.
struct Element<'d, 'i>(Node<'d, 'i>);

impl<'d, 'i> Element<'d, 'i> {
    fn only(&self, name: &str) -> Result<Option<Node<'d, 'i>>, Malformed> {
        let mut elements = self.0.children().filter(|child| xml::is(*child, name));
        let first = elements.next();
        match elements.next() {
            Some(_) => Err(malformed(FORMAT)(&format!("the element {name} stands twice"))),
            None => Ok(first),
        }
    }

    /// Text without the white space around it.
    fn optional(&self, name: &str) -> Result<Option<String>, Malformed> {
        Ok(self.only(name)?.map(|element| xml::text(element).trim().to_owned()))
    }

    fn text(&self, name: &str) -> Result<String, Malformed> {
        self.optional(name)?
            .ok_or_else(|| malformed(FORMAT)(&format!("the element {name} is missing")))
    }

    /// Octets in hex, line breaks and blanks allowed.
    fn hex(&self, name: &str) -> Result<Vec<u8>, Malformed> {
        let digits: String = self.text(name)?.split_whitespace().collect();
        hex::decode(digits).map_err(|_| malformed(FORMAT)(&format!("the element {name} is not hex")))
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, Malformed> {
        self.text(name)?
            .parse()
            .map_err(|_| malformed(FORMAT)(&format!("the element {name} is not a number of its size")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::key::Curve;
    use crate::metering::sign::SigningMeter;
    use crate::metering::sign::records::{Edl40Fields, mennekes};
    use proptest::prelude::*;

    fn fields() -> [Edl40Fields; 2] {
        let begin = Edl40Fields::default();
        let end = Edl40Fields {
            value: begin.value + 500,
            pagination: begin.pagination + 1,
            utc: begin.utc + 3600,
            second_index: begin.second_index + 3600,
            ..begin.clone()
        };
        [begin, end]
    }

    fn record(fields: &[Edl40Fields; 2]) -> String {
        mennekes(
            &SigningMeter::from_seed(Curve::Secp192r1, b"a wallbox").unwrap(),
            fields,
        )
    }

    fn codes(fields: &[Edl40Fields; 2]) -> Vec<&'static str> {
        let record = read(record(fields).as_bytes()).unwrap();
        record.remarks.iter().map(|remark| remark.code.as_str()).collect()
    }

    #[test]
    fn a_process_is_two_blocks_and_two_readings() {
        let read = read(record(&fields()).as_bytes()).unwrap();
        assert_eq!(read.blocks.len(), 2);
        assert!(read.blocks.iter().all(|block| block.signature.is_ok()));
        let markers: Vec<_> = read
            .statement
            .readings
            .iter()
            .map(|reading| reading.marker.clone())
            .collect();
        assert_eq!(markers, [Some(Marker::Begin), Some(Marker::End)]);
        assert!(read.remarks.is_empty() && read.embedded_key.is_some());
    }

    #[test]
    fn what_the_two_say_about_each_other_is_remarked() {
        let [begin, end] = fields();
        assert_eq!(codes(&[begin.clone(), begin.clone()]), ["PAGINATION_NOT_INCREASING"]);
        let later = Edl40Fields {
            pagination: end.pagination + 5,
            ..end.clone()
        };
        assert_eq!(codes(&[begin.clone(), later]), ["PAGINATION_GAP"]);
        let logged = Edl40Fields { log: [9, 9], ..end };
        assert_eq!(codes(&[begin, logged]), ["LOGBOOK_CHANGED"]);
    }

    #[test]
    fn missing_doubled_and_foreign_elements_are_malformed() {
        let text = record(&fields());
        for (from, to) in [
            ("MeasurementEnd>", "MeasurementEnds>"),
            ("<Value>", "<Value>x"),
            ("<Scaler>-1", "<Scaler>-1000"),
            ("<ServerId>", "<ServerId>0"),
            ("<ServerId>", "<ServerId>00</ServerId><ServerId>"),
            ("T10:00:00+02:00", "T10:00:00"),
            ("<Signature>", "<Signature>zz"),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(read(text.replace(from, to).as_bytes()).is_err(), "{from}");
        }
    }

    proptest! {
        #[test]
        fn no_changed_character_makes_the_reader_panic(at in any::<proptest::sample::Index>(), octet in any::<u8>()) {
            let mut octets = record(&fields()).into_bytes();
            let at = at.index(octets.len());
            octets[at] = octet;
            let _ = read(&octets);
        }
    }
}
