//! chargeIT mobility: a JSON document with the signed values of one session, of EMH or BAUER BSM meters.
//!
//! signed-metering-formats.md 14. Neither meter signs the JSON: EMH signs a block of 320 octets that is put together from members ([`emh`]), BSM a
//! sequence of values in the order of its snapshot ([`bsm`]). Everything else in the document is a copy for display, and where the copy differs
//! from what is signed, somebody lies. The order of the list is the order of the session: nothing else says which value is the begin.

mod bsm;
mod emh;

use super::document::{self, at, text, whole};
use super::signed_record::{Malformed, SignedRecord};
use super::{FormatName, ReadRecord};
use crate::metering::json::Value;
use crate::metering::record::MAX_RECORDS;

/// What `@context` of a BSM snapshot contains.
const BSM_CONTEXT: &str = "bsm-ws36a";

/// Reads a document, or one signed value outside of a document.
pub fn read(content: &[u8]) -> Vec<ReadRecord<'static>> {
    let document = match document::read(FormatName::ChargeIt, content) {
        Ok(document) => document,
        Err(malformed) => return vec![Err(malformed)],
    };
    let Some(list) = document.get("signedMeterValues") else {
        return vec![read_value(document)];
    };
    let values = list.first_elements(MAX_RECORDS + 1);
    if values.len() > MAX_RECORDS {
        return vec![Err(malformed("there are more signed values than any session has"))];
    }
    let count = values.len();
    let with_place = |(index, value): (usize, Value<'_>)| {
        let mut record = read_value(value)?;
        record.nature = document::place_in_list(index, count).map(str::to_owned);
        Ok(record)
    };
    values.into_iter().enumerate().map(with_place).collect()
}

fn read_value(value: Value<'_>) -> ReadRecord<'static> {
    let is_bsm = value.get("additionalValues").is_some()
        || value
            .get("@context")
            .is_some_and(|context| context.as_written().to_ascii_lowercase().contains(BSM_CONTEXT));
    let mut record: SignedRecord<'static> = if is_bsm { bsm::read(value)? } else { emh::read(value)? };
    record.transaction = text(value, &["transactionId"]);
    record.delivered_key = text(value, &["meterInfo", "publicKey"]).map(Into::into);
    Ok(record)
}

fn malformed(message: impl std::fmt::Display) -> Malformed {
    Malformed::new(FormatName::ChargeIt, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_document_is_malformed() {
        for text in ["", "[]", "{", "{\"a\":1,\"a\":2}", "\u{0}"] {
            let records = read(text.as_bytes());
            assert!(matches!(records.as_slice(), [Err(_)]), "{text:?}");
        }
        assert!(matches!(read(b"\xff").as_slice(), [Err(_)]));
        assert!(read(b"{\"signedMeterValues\":[]}").is_empty());
        let many = format!("{{\"signedMeterValues\":[{}1]}}", "1,".repeat(MAX_RECORDS));
        assert!(matches!(read(many.as_bytes()).as_slice(), [Err(_)]));
    }

    proptest! {
        #[test]
        fn no_document_makes_the_reader_panic(inside in "[{}\\[\\]\":,a-zA-Z0-9. -]{0,80}") {
            for document in [format!("{{\"signedMeterValues\":[{inside}]}}"), format!("{{\"additionalValues\":{inside}}}"), inside] {
                read(document.as_bytes());
            }
        }
    }
}
