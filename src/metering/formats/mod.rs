//! From what was carried to what can be read.
//!
//! The content decides which format a record has; the label is only compared with it ([`known`]). Transport encodings are peeled off first
//! ([`transport`]); what lies below them is never changed, because its octets are signed. Then [`read`] takes it to the reader of its format,
//! one file or folder each, and all of them yield the same thing: a [`SignedRecord`]. What a reader recognises and cannot check it calls by name:
//! "I know what this is and cannot check it" is an honest answer, "wrong" would not be.
//!
//! Start with [`signed_record`], then [`read`].

pub mod alfen;
pub mod chargeit;
pub mod chargepoint;
pub mod chargy;
mod document;
pub mod edl40;
pub mod known;
pub mod ocmf;
pub mod pcdf;
pub mod ptb;
pub mod register;
pub mod safe_xml;
pub mod signed_record;
pub mod transport;
mod xml;

pub use known::FormatName;
pub use signed_record::{Malformed, SignedRecord};

use transport::Content;

/// One record of a carried value, or why that which wants to be one is none.
pub type ReadRecord<'a> = Result<SignedRecord<'a>, Malformed>;

/// Reads content whose format was recognised. One record, several out of a container, none out of an empty one. A container hands what it holds
/// to the readers of the formats inside, each record with the key, label and transaction that the container carries beside it.
pub fn read<'a>(format: FormatName, content: &Content<'a>) -> Vec<ReadRecord<'a>> {
    match content {
        Content::Text(std::borrow::Cow::Borrowed(text)) => read_octets(format, text.as_bytes()),
        // What was decoded does not outlive this function: its records take their octets along.
        Content::Text(std::borrow::Cow::Owned(text)) => owned(read_octets(format, text.as_bytes())),
        Content::Binary(octets) => owned(read_octets(format, octets)),
    }
}

/// The one table of readers.
fn read_octets(format: FormatName, content: &[u8]) -> Vec<ReadRecord<'_>> {
    match format {
        FormatName::Ocmf => vec![ocmf::read(content)],
        FormatName::Alfen => vec![alfen::read(content)],
        FormatName::Edl40P => vec![edl40::edl_40_p::read(content)],
        FormatName::IsaEdl40P => vec![edl40::isa::read(content)],
        FormatName::Edl40Sig => vec![edl40::edl_40_sig::read(content)],
        FormatName::Mennekes => vec![edl40::mennekes::read(content)],
        FormatName::Pcdf => vec![pcdf::read(content)],
        FormatName::SafeXml => safe_xml::read(content),
        FormatName::ChargeIt => chargeit::read(content),
        FormatName::ChargePoint => vec![chargepoint::read(content)],
        FormatName::GraphDefined | FormatName::Chargy => chargy::read(content),
        FormatName::Ptb => ptb::read(content),
    }
}

fn owned(records: Vec<ReadRecord<'_>>) -> Vec<ReadRecord<'static>> {
    records
        .into_iter()
        .map(|record| record.map(SignedRecord::into_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metering::record::MAX_CARRIED_TEXT;
    use proptest::prelude::*;
    use std::borrow::Cow;

    #[test]
    fn nothing_is_a_record_of_no_format() {
        for format in FormatName::ALL {
            let nothing = read(format, &Content::Text(Cow::Borrowed("")));
            assert!(
                !nothing.is_empty() && nothing.iter().all(Result::is_err),
                "{}",
                format.as_str()
            );
        }
    }

    #[test]
    fn hostile_size_and_depth_end_soon_in_every_reader() {
        let hostile = [
            "<".repeat(MAX_CARRIED_TEXT),
            "<a>".repeat(MAX_CARRIED_TEXT / 3),
            format!("AP{}", ";".repeat(MAX_CARRIED_TEXT - 2)),
            format!("OCMF|{}", "[".repeat(MAX_CARRIED_TEXT - 5)),
            format!("<signedMeterValue>{}", "<publicKey/>".repeat(5000)),
        ];
        let binary = [
            [&[0x1B, 0x1B, 0x1B, 0x1B, 1, 1, 1, 1][..], &[0x77; 10_000_000]].concat(),
            [0x1B, 0x1B, 0x1B, 0x1B, 1, 1, 1, 1].repeat(8000),
        ];
        let contents = hostile
            .iter()
            .map(|text| text.as_bytes())
            .chain(binary.iter().map(Vec::as_slice));
        for octets in contents {
            for format in FormatName::ALL {
                for record in read_octets(format, octets) {
                    assert!(record.is_err(), "{}", format.as_str());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_any_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..120), text in "[ -~]{0,120}") {
            for format in FormatName::ALL {
                let _ = read_octets(format, &octets);
                let _ = read_octets(format, text.as_bytes());
            }
        }
    }
}
