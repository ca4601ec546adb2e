//! From what people have at hand to sessions that can be examined: a record, several, a file of many sessions, a CDR, its `SignedData`.
//!
//! The content decides what it is. A lone record is judged as a record, two or more as a session, a CDR always as a session with its bill; a
//! S.A.F.E. file is as many sessions as it has transactions, a list of documents as many as it has documents.

use std::borrow::Cow;

use super::{Answer, SessionAnswer};
use crate::evidence::claim::{Claim, SignedData, SignedPart};
use crate::metering::formats::transport::{self, Content, Unwrapped, strip_outside};
use crate::metering::formats::{FormatName, ReadRecord, ocmf, safe_xml};
use crate::metering::json::{Kind, Value, read as read_json};
use crate::metering::plausible::{self, Tolerances};
use crate::metering::record::{Given, JudgedAs, SignedValue};
use crate::metering::session::{self, Examination, examine, examine_read};
use crate::metering::verdict::SignatureAnswer;

/// Most documents of one list. Every one may be a session with signatures to verify.
const MAX_DOCUMENTS: usize = 10_000;

/// Reads and examines an input.
pub(super) fn read(input: &[u8], format: Option<&str>, key: Option<&str>) -> Answer {
    let asked = Asked { format, key };
    match std::str::from_utf8(input) {
        Ok(text) => asked.about_text(text),
        Err(_) => match from_latin(input) {
            Some(text) => asked.about_text(&text),
            None => asked.about_binary(input),
        },
    }
}

/// An XML file that says it is Latin-1: older S.A.F.E. files do. Its octets are the characters.
fn from_latin(input: &[u8]) -> Option<String> {
    let declaration = input.get(..100.min(input.len()))?.to_ascii_lowercase();
    let declares = |name: &[u8]| declaration.windows(name.len()).any(|window| window == name);
    (declaration.starts_with(b"<?xml") && declares(b"iso-8859-1"))
        .then(|| input.iter().map(|octet| char::from(*octet)).collect())
}

/// What the person asking says about the input.
#[derive(Clone, Copy)]
struct Asked<'a> {
    format: Option<&'a str>,
    key: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn about_text(self, text: &str) -> Answer {
        let text = strip_outside(text);
        if text.starts_with(['{', '['])
            && let Ok(document) = read_json(text)
            && let Some(answer) = self.about_json(document)
        {
            return answer;
        }
        if FormatName::recognise(text.as_bytes()) == Some(FormatName::SafeXml) {
            return self.about_file(text);
        }
        match transport::unwrap(text) {
            Unwrapped::Recognised(FormatName::SafeXml, Content::Text(file)) => self.about_file(&file),
            _ => self.about_records(&records(text)),
        }
    }

    /// A S.A.F.E. file: every transaction for itself.
    fn about_file(self, text: &str) -> Answer {
        let values = match safe_xml::take_apart(text) {
            Ok(values) => values,
            Err(malformed) => return Answer::of("a S.A.F.E. file", self.about_read(vec![Err(malformed)])),
        };
        let mut sessions: Vec<SessionAnswer> = Vec::new();
        for session in safe_xml::sessions(&values) {
            let of_session = || session.iter().filter_map(|index| values.get(*index));
            let mut answer = self.about_read(of_session().flat_map(safe_xml::ContainedValue::records).collect());
            answer.transaction = of_session().find_map(|value| value.transaction.clone());
            sessions.push(answer);
        }
        match sessions.len() {
            0 => Answer::of("a S.A.F.E. file", self.about_read(Vec::new())),
            1 => Answer {
                what: "a S.A.F.E. file".to_owned(),
                sessions,
                further: Vec::new(),
            },
            count => Answer {
                what: format!("a S.A.F.E. file of {count} sessions"),
                sessions,
                further: Vec::new(),
            },
        }
    }

    /// Records that were read already; the label of a container is no label of what it holds.
    fn about_read(self, records: Vec<ReadRecord<'_>>) -> SessionAnswer {
        let judged_as = judged_as(records.len());
        let is_container = |format: &str| {
            matches!(
                FormatName::from_encoding_method(format),
                Some(FormatName::SafeXml | FormatName::Chargy | FormatName::Ptb)
            )
        };
        let given = Given {
            encoding_method: self.format.filter(|format| !is_container(format)),
            given_key: self.key,
            ..Given::default()
        };
        SessionAnswer::of(examine_read(records, &given, judged_as))
    }

    /// A CDR, signed data of one, a document of Chargy's kinds, or a list of such. `None` for any other JSON.
    fn about_json(self, document: Value<'_>) -> Option<Answer> {
        if document.kind() != Kind::List {
            let (what, sessions) = self.about_document(document)?;
            return Some(Answer {
                what: what.to_owned(),
                sessions,
                further: Vec::new(),
            });
        }
        let documents = document.first_elements(MAX_DOCUMENTS);
        let sessions: Option<Vec<Vec<SessionAnswer>>> = documents
            .into_iter()
            .map(|document| self.about_document(document).map(|(_, sessions)| sessions))
            .collect();
        let sessions = sessions.filter(|sessions| !sessions.is_empty())?;
        Some(Answer {
            what: format!("a list of {} documents", sessions.len()),
            sessions: sessions.into_iter().flatten().collect(),
            further: Vec::new(),
        })
    }

    fn about_document(self, document: Value<'_>) -> Option<(&'static str, Vec<SessionAnswer>)> {
        let has_values = document
            .get("signed_values")
            .is_some_and(|values| values.kind() == Kind::List);
        if has_values && let Some(signed) = SignedData::read(document) {
            return Some(("signed data of a CDR", vec![self.about_signed_data(&signed)]));
        }
        let is_cdr = document.get("signed_data").is_some()
            || (document.get("total_energy").is_some() && document.get("cdr_token").is_some());
        let text = document.as_written();
        if is_cdr && let Ok(claim) = Claim::read(text.as_bytes()) {
            return Some(("a CDR", vec![self.about_cdr(&claim)]));
        }
        let format = FormatName::recognise(text.as_bytes())?;
        let records = crate::metering::formats::read(format, &Content::Text(Cow::Borrowed(text)));
        let sessions = match format {
            FormatName::GraphDefined | FormatName::Chargy => by_transaction(records),
            _ => vec![records],
        };
        let about_session = |records: Vec<ReadRecord<'_>>| {
            let transaction = records.iter().flatten().find_map(|record| record.transaction.clone());
            SessionAnswer {
                transaction,
                ..self.about_read(records)
            }
        };
        Some((
            "a document of signed values",
            sessions.into_iter().map(about_session).collect(),
        ))
    }

    fn about_signed_data(self, signed: &SignedData<'_>) -> SessionAnswer {
        let values = signed.signed_values();
        let given = self.given(signed);
        SessionAnswer::of(examine(&values, &given, judged_as(count(&values, &given))))
    }

    fn about_cdr(self, claim: &Claim<'_>) -> SessionAnswer {
        let nothing = SignedData::default();
        let signed = match &claim.signed {
            SignedPart::Present(signed) => signed,
            SignedPart::Absent | SignedPart::Unreadable => &nothing,
        };
        let examination = examine(&signed.signed_values(), &self.given(signed), JudgedAs::Session);
        let any_wrong = examination
            .records
            .iter()
            .any(|record| matches!(record.signature, SignatureAnswer::DoesNotFit(_)));
        let further = if any_wrong {
            Vec::new()
        } else {
            claim.with_bill(|bill| plausible::against_bill(&examination, bill, &Tolerances::default()))
        };
        SessionAnswer {
            further,
            is_cdr: true,
            billed_kwh: claim.total_energy(),
            ..SessionAnswer::of(examination)
        }
    }

    fn about_records(self, records: &[Cow<'_, str>]) -> Answer {
        let values: Vec<SignedValue<'_>> = records
            .iter()
            .map(|record| SignedValue {
                signed_data: record,
                ..SignedValue::default()
            })
            .collect();
        let given = Given {
            encoding_method: self.format,
            given_key: self.key,
            ..Given::default()
        };
        let (what, examination) = examined(&values, &given);
        Answer::of(what, SessionAnswer::of(examination))
    }

    fn about_binary(self, input: &[u8]) -> Answer {
        // Binary records travel as hex: that is how the one way through the formats takes them.
        let hex = FormatName::recognise(input)
            .map(|_| hex::encode(input))
            .unwrap_or_default();
        let mut answer = self.about_records(&[hex.into()]);
        answer.what = "binary data".to_owned();
        answer
    }

    fn given(self, signed: &'a SignedData<'_>) -> Given<'a> {
        Given {
            encoding_method: self.format.or(signed.encoding_method.as_deref()),
            delivered_key: signed.public_key.as_deref(),
            registered_key: None,
            given_key: self.key,
        }
    }
}

/// The records of a document of many sessions; what is none belongs to the session in which it stands.
fn by_transaction(records: Vec<ReadRecord<'_>>) -> Vec<Vec<ReadRecord<'_>>> {
    let mut sessions: Vec<(Option<String>, Vec<ReadRecord<'_>>)> = Vec::new();
    for read in records {
        let transaction = read.as_ref().ok().and_then(|record| record.transaction.clone());
        match sessions.last_mut() {
            Some((open, session)) if read.is_err() || *open == transaction => session.push(read),
            _ => sessions.push((transaction, vec![read])),
        }
    }
    if sessions.is_empty() {
        return vec![Vec::new()];
    }
    sessions.into_iter().map(|(_, session)| session).collect()
}

fn examined(values: &[SignedValue<'_>], given: &Given<'_>) -> (&'static str, Examination) {
    let count = count(values, given);
    let what = if count > 1 {
        "records of one session"
    } else {
        "one record"
    };
    (what, examine(values, given, judged_as(count)))
}

/// How many records the values hold; a container holds several in one.
fn count(values: &[SignedValue<'_>], given: &Given<'_>) -> usize {
    match values {
        [_] => session::open(values, given.encoding_method, JudgedAs::Record)
            .claims()
            .records
            .len(),
        _ => values.len(),
    }
}

fn judged_as(records: usize) -> JudgedAs {
    if records > 1 {
        JudgedAs::Session
    } else {
        JudgedAs::Record
    }
}

/// The records of a text: one, several behind each other, or one per line in any transport encoding.
fn records(text: &str) -> Vec<Cow<'_, str>> {
    if text.starts_with(ocmf::HEADER) {
        return ocmf::split_records(text).into_iter().map(Cow::Borrowed).collect();
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() > 1 && lines.iter().all(|line| is_a_record(line)) {
        return lines.into_iter().map(Cow::Borrowed).collect();
    }
    match transport::unwrap(text) {
        Unwrapped::Recognised(FormatName::Ocmf, Content::Text(inside)) => ocmf::split_records(&inside)
            .into_iter()
            .map(|record| Cow::Owned(record.to_owned()))
            .collect(),
        _ => vec![Cow::Borrowed(text)],
    }
}

/// Whether a line is a record on its own: of a container it could be the first line.
fn is_a_record(line: &str) -> bool {
    use FormatName::*;
    match transport::unwrap(line) {
        Unwrapped::Recognised(format, _) => matches!(format, Ocmf | Alfen | Edl40P | IsaEdl40P | Pcdf),
        Unwrapped::Text(_) | Unwrapped::TooLong => false,
    }
}
