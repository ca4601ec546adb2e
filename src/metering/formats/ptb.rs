//! The container of the PTB's demonstrator: JSON around two OCMF records and their key.
//!
//! signed-metering-formats.md 14: `{"format":"ptb","publicKey":…,"ocmfBegin":…,"ocmfEnd":…}`. The records are OCMF and nothing else is read.

use super::signed_record::{Malformed, SignedRecord};
use super::transport::{self, Content, Unwrapped};
use super::{FormatName, ReadRecord, ocmf};
use crate::metering::json::{self, Value};

/// Reads the container: two records, the begin and the end.
pub fn read(content: &[u8]) -> Vec<ReadRecord<'static>> {
    let document = std::str::from_utf8(content).ok().and_then(|text| json::read(text).ok());
    let Some(document) = document else {
        return vec![Err(malformed("the container is not JSON"))];
    };
    if document.first_duplicate().is_some() {
        return vec![Err(malformed("a member of the container stands twice"))];
    }
    [("ocmfBegin", "Start"), ("ocmfEnd", "End")]
        .iter()
        .map(|(member, nature)| read_member(document, member, nature))
        .collect()
}

fn read_member(document: Value<'_>, member: &str, nature: &str) -> ReadRecord<'static> {
    let text = document
        .get(member)
        .and_then(Value::text)
        .ok_or_else(|| malformed(format!("the record {member} is missing")))?;
    let mut record = match transport::unwrap(&text) {
        Unwrapped::Recognised(FormatName::Ocmf, Content::Text(text)) => {
            ocmf::read(text.as_bytes()).map(SignedRecord::into_owned)?
        }
        _ => return Err(malformed(format!("the record {member} is not OCMF"))),
    };
    record.nature = Some(nature.to_owned());
    record.delivered_key = document
        .get("publicKey")
        .and_then(Value::text)
        .map(|key| key.into_owned().into());
    Ok(record)
}

fn malformed(message: impl std::fmt::Display) -> Malformed {
    Malformed::new(FormatName::Ptb, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn begin_and_end_are_two_records_with_the_key_of_the_container() {
        let record = |value: u32| {
            format!("OCMF|{{\\\"RD\\\":[{{\\\"RV\\\":{value}}}]}}|{{\\\"SD\\\":\\\"3006020101020101\\\"}}")
        };
        let text = format!(
            "{{\"format\":\"ptb\",\"publicKey\":\"AA\",\"ocmfBegin\":\"{}\",\"ocmfEnd\":\"{}\"}}",
            record(1),
            record(2)
        );
        let records: Vec<SignedRecord<'_>> = read(text.as_bytes()).into_iter().map(Result::unwrap).collect();
        assert_eq!(records.len(), 2);
        assert_eq!(
            (records[0].nature.as_deref(), records[1].nature.as_deref()),
            (Some("Start"), Some("End"))
        );
        assert_eq!(records[0].delivered_key.as_deref(), Some("AA"));
        assert_eq!(&*records[1].blocks[0].octets, b"{\"RD\":[{\"RV\":2}]}");
        assert!(
            read(b"{\"format\":\"ptb\",\"ocmfBegin\":\"AP;0;3\"}")
                .iter()
                .all(Result::is_err)
        );
        assert!(matches!(read(b"").as_slice(), [Err(_)]));
    }

    proptest! {
        #[test]
        fn no_container_makes_the_reader_panic(inside in "[{}\\[\\]\":,|a-zA-Z0-9]{0,60}") {
            read(format!("{{\"format\":\"ptb\",\"ocmfBegin\":{inside}}}").as_bytes());
            read(inside.as_bytes());
        }
    }
}
