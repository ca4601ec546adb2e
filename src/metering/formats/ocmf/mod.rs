//! S.A.F.E. OCMF: `OCMF|<payload>|<signature>`, versions 0.1 to 1.4.
//!
//! Signed are exactly the octets between the first and the second separating pipe, white space included. They are handed on as a slice of the
//! text that arrived; nothing here writes JSON. The second pipe is found by reading the payload as JSON to its closing brace, because tariff
//! texts contain pipes although the specification forbids them.
//!
//! Strict where a signature could be stretched over other bytes, lenient where only handwriting differs ([`Deviation`]). Sections cited are
//! those of signed-metering-formats.md. Start with [`Ocmf::read`].

mod payload;
mod signature_section;

pub use payload::Payload;
pub use signature_section::{SignatureProblem, SignatureSection};

use std::borrow::Cow;
use std::fmt;

use super::FormatName;
use super::signed_record::{self, BlockSignature, ChargePoint, SignedBlock, SignedRecord, Statement, Unusable};
use crate::metering::deviation::Deviation;
use crate::metering::finding::Code;
use crate::metering::json::{self, Kind, Value};

/// How a record begins.
pub const HEADER: &str = "OCMF|";

/// Why a text is not an OCMF record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It does not begin with `OCMF|`.
    #[error("the record does not begin with OCMF|")]
    Header,
    /// A section is not JSON, or is cut off.
    #[error("the {0} is not JSON: {1}")]
    NotJson(&'static str, json::JsonError),
    /// A section is JSON, but not an object.
    #[error("the {0} is not a JSON object")]
    NotAnObject(&'static str),
    /// The payload is not followed by the separator.
    #[error("the payload is not followed by a signature section")]
    NoSignatureSection,
    /// Something follows that is neither nothing nor a draft's fourth section.
    #[error("something follows the signature section")]
    Trailing,
    /// A member name stands twice: which of the two is meant is undefined, so nothing can follow from the record.
    #[error("the {0} has a member twice ({1})")]
    Duplicate(&'static str, String),
    /// A member the record cannot do without is missing or of the wrong kind.
    #[error("{0}")]
    Member(&'static str),
}

/// A record, taken apart but not yet believed.
#[derive(Clone)]
pub struct Ocmf<'a> {
    /// The signed octets, as they arrived.
    pub signed: &'a str,
    /// What they say.
    pub payload: Payload,
    /// What the unsigned signature section says.
    pub signature: Result<SignatureSection, SignatureProblem>,
    /// Where the record departs from the specification without harm.
    pub deviations: Vec<Deviation>,
}

/// The payload carries the identification of a driver: its length is shown, its text is not.
impl fmt::Debug for Ocmf<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ocmf")
            .field("signed", &self.signed.len())
            .field("signature", &self.signature)
            .field("deviations", &self.deviations)
            .finish_non_exhaustive()
    }
}

impl<'a> Ocmf<'a> {
    /// Reads a record whose transport encoding is already removed.
    pub fn read(record: &'a str) -> Result<Ocmf<'a>, Malformed> {
        let sections = record.strip_prefix(HEADER).ok_or(Malformed::Header)?;
        let (payload, end) = json::read_prefix(sections).map_err(|error| Malformed::NotJson("payload", error))?;
        let separator = separator_at(sections, end).ok_or(Malformed::NoSignatureSection)?;
        let (signed, rest) = (&sections[..separator], &sections[separator + 1..]);
        let (signature, end) =
            json::read_prefix(rest).map_err(|error| Malformed::NotJson("signature section", error))?;
        let mut record = Ocmf::join(signed, payload, signature)?;
        if is_fourth_section(rest[end..].trim())? {
            record.deviations.push(Deviation::FourthSection);
        }
        Ok(record)
    }

    /// Puts a record together whose payload and signature section came in two fields (2.2). The payload is signed as it stands there.
    pub fn from_parts(payload: &'a str, signature: &str) -> Result<Ocmf<'a>, Malformed> {
        let payload_value = json::read(payload).map_err(|error| Malformed::NotJson("payload", error))?;
        let signature = json::read(signature).map_err(|error| Malformed::NotJson("signature section", error))?;
        Ocmf::join(payload, payload_value, signature)
    }

    fn join(signed: &'a str, payload: Value<'_>, signature: Value<'_>) -> Result<Ocmf<'a>, Malformed> {
        for (section, value) in [("payload", payload), ("signature section", signature)] {
            if value.kind() != Kind::Object {
                return Err(Malformed::NotAnObject(section));
            }
            if let Some(name) = value.first_duplicate() {
                return Err(Malformed::Duplicate(section, name.chars().take(40).collect()));
            }
        }
        let mut deviations = Vec::new();
        if signed.contains('|') {
            deviations.push(Deviation::PipeInsidePayload);
        }
        let payload = Payload::read(payload, &mut deviations)?;
        let signature = SignatureSection::read(signature, &mut deviations);
        Ok(Ocmf {
            signed,
            payload,
            signature,
            deviations,
        })
    }
}

/// Reads a record whose transport encoding is already removed, for the rest of the house.
pub fn read(content: &[u8]) -> super::ReadRecord<'_> {
    let record = std::str::from_utf8(content)
        .map_err(|_| Malformed::Header)
        .and_then(Ocmf::read);
    record.map(SignedRecord::from).map_err(signed_record::Malformed::from)
}

/// Reads a record whose payload and signature section came in two fields, for the rest of the house.
pub fn read_parts<'a>(payload: &'a str, signature: &str) -> super::ReadRecord<'a> {
    Ocmf::from_parts(payload, signature)
        .map(SignedRecord::from)
        .map_err(signed_record::Malformed::from)
}

impl From<Malformed> for signed_record::Malformed {
    fn from(malformed: Malformed) -> Self {
        signed_record::Malformed::new(FormatName::Ocmf, malformed)
    }
}

/// Levels of identification that are errors (5.3, `IL`).
const FAILED_LEVELS: [&str; 4] = ["MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"];

impl<'a> From<Ocmf<'a>> for SignedRecord<'a> {
    fn from(ocmf: Ocmf<'a>) -> SignedRecord<'a> {
        let block = SignedBlock {
            octets: Cow::Borrowed(ocmf.signed.as_bytes()),
            signature: match ocmf.signature {
                Ok(SignatureSection { curve, signature }) => Ok(BlockSignature { curve, signature }),
                Err(problem @ SignatureProblem::Malformed(_)) => Err(Unusable::malformed(problem)),
                Err(problem @ SignatureProblem::Unsupported(_)) => Err(Unusable::unsupported(problem)),
            },
        };
        let payload = ocmf.payload;
        let assignment_failed = payload
            .identification_level
            .as_deref()
            .is_some_and(|level| FAILED_LEVELS.contains(&level));
        let statement = Statement {
            readings: payload.readings,
            meter_serial: payload.meter_serial,
            gateway_serial: payload.gateway_serial,
            charge_point: payload.charge_point_id.map(|id| ChargePoint {
                kind: payload.charge_point_type,
                id,
            }),
            identification: payload.identification,
            identification_level: payload.identification_level,
            pagination: payload.pagination,
            deviations: ocmf.deviations,
            ..Statement::default()
        };
        let mut record = SignedRecord::new(FormatName::Ocmf, block, statement);
        if assignment_failed {
            record.remark(
                Code::IdLevelError,
                "the record says that the user could not be assigned",
            );
        }
        record
    }
}

/// The records of a text that holds one or several, one behind the other or one per line. What cannot be told apart stays together: it is
/// malformed, and whoever reads it finds out.
pub fn split_records(text: &str) -> Vec<&str> {
    let mut records = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = end_of_record(rest).unwrap_or(rest.len());
        records.push(rest[..end].trim_end());
        rest = rest[end..].trim_start();
    }
    records
}

/// Where the record at the beginning of a text ends, if another one follows.
fn end_of_record(text: &str) -> Option<usize> {
    let sections = text.strip_prefix(HEADER)?;
    let in_sequence = || {
        let (_, end) = json::read_prefix(sections).ok()?;
        let signature_at = HEADER.len() + separator_at(sections, end)? + 1;
        let (_, end) = json::read_prefix(&text[signature_at..]).ok()?;
        Some(signature_at + end)
    };
    // Behind the signature a fourth section may follow; a broken record ends where the next line begins one.
    let from = in_sequence().unwrap_or(HEADER.len());
    let mut following = text[from..].match_indices(HEADER).map(|(at, _)| from + at);
    match in_sequence() {
        Some(_) => following.next(),
        None => following.find(|at| text[..*at].ends_with(['\n', '\r'])),
    }
}

/// The payload of a text that is one, or that is a whole record: for comparing a readable copy with what was signed.
pub fn payload_of(text: &str) -> Option<Value<'_>> {
    let value = match text.strip_prefix(HEADER) {
        Some(sections) => json::read_prefix(sections).ok()?.0,
        None => json::read(text).ok()?,
    };
    (value.get("RD").is_some() || value.get("PG").is_some()).then_some(value)
}

/// Whether a text could be the signature section of a record whose payload travels elsewhere.
pub fn is_signature_section(text: &str) -> bool {
    text.starts_with('{') && json::read(text).is_ok_and(|value| value.get("SD").is_some())
}

fn separator_at(sections: &str, end_of_payload: usize) -> Option<usize> {
    let rest = &sections[end_of_payload..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    rest[blanks..].starts_with('|').then_some(end_of_payload + blanks)
}

/// A withdrawn draft let `|<key in hex>` follow; a lone `|` is seen as well. Anything else, such as a second record, is refused: what is read
/// and what is meant must not differ.
fn is_fourth_section(rest: &str) -> Result<bool, Malformed> {
    if rest.is_empty() {
        return Ok(false);
    }
    let section = rest.strip_prefix('|').ok_or(Malformed::Trailing)?;
    if section.contains(['|', '{', '}']) {
        Err(Malformed::Trailing)
    } else {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const PAYLOAD: &str = r#"{"FV":"1.0","MS":"1","PG":"T1","RD":[{"TM":"2025-05-01T08:00:00,000+0200 S","TX":"B","RV":1,"RI":"1-b:1.8.0","RU":"kWh","ST":"G"}]}"#;

    #[test]
    fn the_signed_octets_are_a_slice_of_the_record_with_all_their_white_space() {
        let text = format!("OCMF| \n{PAYLOAD}\r\n |{{\"SD\":\"30\"}}");
        let record = Ocmf::read(&text).unwrap();
        assert_eq!(record.signed, format!(" \n{PAYLOAD}\r\n "));
        let at = HEADER.len()..HEADER.len() + record.signed.len();
        assert!(std::ptr::eq(record.signed, &text[at]));
    }

    #[test]
    fn a_pipe_inside_a_string_separates_nothing() {
        let payload = PAYLOAD.replacen("\"1.0\"", r#""1.0","TT":"a|b\"|{c""#, 1);
        let text = format!("OCMF|{payload}|{{\"SD\":\"30\"}}");
        let record = Ocmf::read(&text).unwrap();
        assert_eq!(record.signed, payload);
        assert!(record.deviations.contains(&Deviation::PipeInsidePayload));
    }

    #[test]
    fn what_follows_the_signature_must_be_nothing_or_a_key() {
        let text = format!("OCMF|{PAYLOAD}|{{\"SD\":\"30\"}}");
        assert!(Ocmf::read(&format!("{text}\n")).is_ok());
        assert!(
            Ocmf::read(&format!("{text}|3059AB"))
                .unwrap()
                .deviations
                .contains(&Deviation::FourthSection)
        );
        assert_eq!(Ocmf::read(&format!("{text}{text}")).unwrap_err(), Malformed::Trailing);
        assert_eq!(Ocmf::read(&format!("{text}|{text}")).unwrap_err(), Malformed::Trailing);
        assert_eq!(Ocmf::read(&format!("{text}\0")).unwrap_err(), Malformed::Trailing);
    }

    #[test]
    fn a_member_twice_is_refused_in_either_section() {
        assert!(matches!(
            Ocmf::read(&format!("OCMF|{PAYLOAD}|{{\"SD\":\"30\",\"SD\":\"31\"}}")),
            Err(Malformed::Duplicate(..))
        ));
        let twice = PAYLOAD.replacen("\"RV\":1", "\"RV\":1,\"RV\":2", 1);
        assert!(matches!(
            Ocmf::read(&format!("OCMF|{twice}|{{\"SD\":\"30\"}}")),
            Err(Malformed::Duplicate(..))
        ));
    }

    #[test]
    fn several_records_are_told_apart_wherever_they_meet() {
        let one = format!("OCMF|{PAYLOAD}|{{\"SD\":\"30\"}}");
        let tricky = one.replacen("\"1.0\"", "\"OCMF|\"", 1);
        for between in ["", "\n", "\r\n\r\n", " "] {
            let text = format!("{one}{between}{tricky}|3059AB{between}\n{one}\n");
            let tricky = format!("{tricky}|3059AB");
            assert_eq!(
                split_records(&text),
                [one.as_str(), tricky.as_str(), one.as_str()],
                "{between:?}"
            );
        }
        let broken = format!("OCMF|{{\"FV\":\n{one}");
        assert_eq!(split_records(&broken), ["OCMF|{\"FV\":", one.as_str()]);
        assert_eq!(split_records("noise"), ["noise"]);
        assert!(split_records(" ").is_empty());
    }

    #[test]
    fn fragments_are_malformed_and_never_panic() {
        let text = format!("OCMF|{PAYLOAD}|{{\"SD\":\"3000\"}}");
        for end in 0..text.len() {
            assert!(Ocmf::read(&text[..end]).is_err(), "{}", &text[..end]);
        }
        for stub in [
            "OCMF",
            "OCMF|",
            "OCMF||",
            "OCMF|{}|{}",
            "OCMF|[]|[]",
            "OCMF|{}",
            "ocmf|{}|{}",
            "null",
        ] {
            assert!(Ocmf::read(stub).is_err(), "{stub}");
        }
    }

    proptest! {
        #[test]
        fn no_record_text_makes_the_reader_panic(payload in "[{}\\[\\]\":,|a-zA-Z0-9\\\\ .-]{0,100}", signature in "[{}\":|a-zA-Z0-9]{0,60}") {
            let _ = Ocmf::read(&format!("OCMF|{payload}|{signature}"));
        }

        #[test]
        fn whatever_stands_around_the_payload_is_signed_and_nothing_else(before in "[ \\n\\t]{0,4}", after in "[ \\r\\n]{0,4}", tail in "[ \\n]{0,3}") {
            let text = format!("OCMF|{before}{PAYLOAD}{after}|{{\"SD\":\"30\"}}{tail}");
            prop_assert_eq!(Ocmf::read(&text).unwrap().signed, format!("{before}{PAYLOAD}{after}"));
        }
    }
}
