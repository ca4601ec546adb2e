//! The container of the S.A.F.E. transparency software: records of any format, one `value` each, several sessions in one file.
//!
//! signed-metering-formats.md 13. Elements go by their local names; the record is the text of `signedData`, or the element inside it; white space
//! around it is not part of it. Here a file is taken apart, nothing is believed: what a value is called (`format`, `encoding`, `context`) is a
//! hint, and which values make one session is said by [`sessions`]. A document type is refused before anything in it is looked at, so there is
//! no entity to expand. Start with [`take_apart`].

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roxmltree::Node;

use super::signed_record::{Malformed, SignedRecord, Statement};
use super::transport::{self, Unwrapped};
use super::xml;
use super::{FormatName, ReadRecord};
use crate::metering::finding::Code;
use crate::metering::key::base32_bytes;
use crate::metering::record::{MAX_RECORDS, Nature};

/// Most values of one file. Every one may cost the verification of a signature.
pub const MAX_CONTAINED: usize = 10_000;

/// Reads the container that a signed value carries: its records, each with the key, the label and the transaction beside it.
pub fn read(content: &[u8]) -> Vec<ReadRecord<'static>> {
    let values = std::str::from_utf8(content)
        .map_err(|_| malformed("the file is not text"))
        .and_then(take_apart);
    match values {
        Ok(values) if values.len() > MAX_RECORDS => {
            vec![Err(malformed("the container holds more values than any session has"))]
        }
        Ok(values) => values.iter().flat_map(ContainedValue::records).collect(),
        Err(malformed) => vec![Err(malformed)],
    }
}

/// One `value` of a file, as it claims to be.
#[derive(Clone, PartialEq, Eq)]
pub struct ContainedValue {
    /// `transactionId`: which session it says it belongs to.
    pub transaction: Option<String>,
    /// `context`: `Transaction.Begin`, `Transaction.End`, or any text.
    pub context: Option<String>,
    /// `format`, a hint.
    pub format: Option<String>,
    /// `encoding`, a hint that is often wrong.
    pub encoding: Option<String>,
    /// What it holds.
    pub content: ContainedContent,
    /// `publicKey`, unless empty.
    pub public_key: Option<String>,
}

/// What a value holds.
#[derive(Clone, PartialEq, Eq)]
pub enum ContainedContent {
    /// The text of `signedData`, outer white space removed; perhaps empty.
    Record(String),
    /// `encodedData`: sealed with a key that nobody here has (13.3).
    Sealed,
    /// Neither.
    Nothing,
}

/// Records name drivers: only lengths are shown.
impl fmt::Debug for ContainedValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ContainedValue")
            .field("transaction", &self.transaction)
            .field("context", &self.context)
            .field("format", &self.format)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ContainedContent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContainedContent::Record(text) => write!(out, "record of {} bytes", text.len()),
            ContainedContent::Sealed => out.write_str("sealed"),
            ContainedContent::Nothing => out.write_str("nothing"),
        }
    }
}

/// Takes a file apart, in the order of its values.
///
/// # Errors
/// What is malformed is the container; of the records in it nothing is known then.
pub fn take_apart(text: &str) -> Result<Vec<ContainedValue>, Malformed> {
    let document = xml::parse_file(text).map_err(malformed)?;
    let root = document.root_element();
    if !xml::is(root, "values") {
        return Err(malformed("the outermost element is not called values"));
    }
    let mut values = Vec::new();
    for (index, value) in xml::children(root, "value").enumerate() {
        if index == MAX_CONTAINED {
            return Err(malformed(format!("the file has more than {MAX_CONTAINED} values")));
        }
        values.push(ContainedValue::read(index, value)?);
    }
    Ok(values)
}

/// Which values make one session, as lists of indices in the order of the file. Values whose context is a place in a session, or that have a
/// transaction and no context, belong together when their transaction is the same; a value whose context is any other text, or that has neither,
/// stands alone (13.1).
pub fn sessions(values: &[ContainedValue]) -> Vec<Vec<usize>> {
    let mut sessions: Vec<Vec<usize>> = Vec::new();
    let mut open: HashMap<Option<&str>, usize> = HashMap::new();
    for (index, value) in values.iter().enumerate() {
        let transaction = value.transaction.as_deref();
        let has_place = match value.context.as_deref() {
            Some(context) => Nature::read(context).is_some(),
            None => transaction.is_some(),
        };
        match open.get(&transaction) {
            Some(session) if has_place => sessions[*session].push(index),
            _ => {
                if has_place {
                    open.insert(transaction, sessions.len());
                }
                sessions.push(vec![index]);
            }
        }
    }
    sessions
}

impl ContainedValue {
    fn read(index: usize, value: Node<'_, '_>) -> Result<ContainedValue, Malformed> {
        let ambiguous = || {
            malformed(format!(
                "value {} of the file has more than one record or key",
                index + 1
            ))
        };
        let only = |name: &'static str| {
            let mut found = xml::children(value, name);
            let first = found.next();
            match found.next() {
                Some(_) => Err(ambiguous()),
                None => Ok(first),
            }
        };
        let (record, sealed, key) = (only("signedData")?, only("encodedData")?, only("publicKey")?);
        let content = match (record, sealed) {
            (Some(_), Some(_)) => return Err(ambiguous()),
            (Some(record), None) => ContainedContent::Record(content_of(record).ok_or_else(ambiguous)?),
            (None, Some(_)) => ContainedContent::Sealed,
            (None, None) => ContainedContent::Nothing,
        };
        Ok(ContainedValue {
            transaction: attribute(Some(value), &TRANSACTION).or_else(|| attribute(record, &TRANSACTION)),
            context: attribute(Some(value), &["context"]),
            format: attribute(record, &["format"]),
            encoding: attribute(record, &["encoding"]),
            content,
            public_key: key
                .map(|key| xml::text(key).trim().to_owned())
                .filter(|text| !text.is_empty()),
        })
    }

    /// The record of this value, or why there is none; several if it holds a document of several.
    pub fn records(&self) -> Vec<ReadRecord<'static>> {
        let label = self.format.as_deref().and_then(FormatName::from_encoding_method);
        let mut records = match &self.content {
            ContainedContent::Sealed => vec![Ok(unread(
                FormatName::SafeXml,
                Code::SealedData,
                "the value is sealed; opening it needs key material of its own",
            ))],
            ContainedContent::Nothing => vec![self.no_record(label, "the value is empty", Code::NoSignedData)],
            ContainedContent::Record(text) => self.read_text(text, label),
        };
        for record in records.iter_mut().flatten() {
            record.transaction = self.transaction.clone();
            record.nature = self.context.clone().or(record.nature.take());
            if let Some(key) = &self.public_key {
                record.delivered_key = Some(key.clone().into());
            }
            if label.is_some_and(|label| label != record.format && record.format != FormatName::SafeXml) {
                let sentence = format!(
                    "the content is {}, the container says otherwise",
                    record.format.as_str()
                );
                record.remark(Code::EncodingMethodMislabelled, sentence);
            }
        }
        records
    }

    fn read_text(&self, text: &str, label: Option<FormatName>) -> Vec<ReadRecord<'static>> {
        let decoded = self.without_base32(text);
        match transport::unwrap(decoded.as_deref().unwrap_or(text)) {
            Unwrapped::Recognised(FormatName::SafeXml, _) => vec![Err(malformed("a container inside a container"))],
            Unwrapped::Recognised(format, content) => super::read(format, &content)
                .into_iter()
                .map(|record| record.map(SignedRecord::into_owned))
                .collect(),
            Unwrapped::Text(text) if text.is_empty() => {
                vec![self.no_record(label, "the record is empty", Code::NoSignedData)]
            }
            Unwrapped::Text(_) | Unwrapped::TooLong => vec![self.no_record(
                label,
                "this is no record of the format that the container names",
                Code::UndecodableSignedData,
            )],
        }
    }

    /// What names a format, and is none, is malformed; otherwise nothing can be said.
    fn no_record(&self, label: Option<FormatName>, sentence: &str, code: Code) -> ReadRecord<'static> {
        match label {
            Some(format) => Err(Malformed::new(format, sentence)),
            None => Ok(unread(
                FormatName::SafeXml,
                code,
                "no record of a known format can be unwrapped from the value",
            )),
        }
    }

    /// Base32 is tried only where the container says so: every text of capital letters would be some.
    fn without_base32(&self, text: &str) -> Option<String> {
        let is_named = self
            .encoding
            .as_deref()
            .is_some_and(|encoding| encoding.eq_ignore_ascii_case("base32"));
        if !is_named || FormatName::recognise(text.as_bytes()).is_some() {
            return None;
        }
        base32_bytes(text).map(|octets| BASE64_STANDARD.encode(octets))
    }
}

/// A value that nothing can be said about, and why.
fn unread(format: FormatName, code: Code, sentence: &str) -> SignedRecord<'static> {
    let mut record = SignedRecord {
        format,
        blocks: Vec::new(),
        embedded_key: None,
        delivered_key: None,
        nature: None,
        transaction: None,
        statement: Statement::default(),
        remarks: Vec::new(),
    };
    record.remark(code, sentence);
    record
}

fn malformed(message: impl fmt::Display) -> Malformed {
    Malformed::new(FormatName::SafeXml, message)
}

/// Seen once in the field: the small L in place of the capital I.
const TRANSACTION: [&str; 2] = ["transactionId", "transactionld"];

/// An attribute by one of its names, in any letter case; empty means absent.
fn attribute(node: Option<Node<'_, '_>>, names: &[&str]) -> Option<String> {
    node?
        .attributes()
        .find(|attribute| names.iter().any(|name| name.eq_ignore_ascii_case(attribute.name())))
        .map(|attribute| attribute.value().trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// The record inside `signedData`: its text (plain, escaped or CDATA), or the one element in it as it stands in the file. `None` if there is both.
fn content_of(record: Node<'_, '_>) -> Option<String> {
    let text = xml::text(record).trim().to_owned();
    let mut elements = record.children().filter(|child| child.is_element());
    match (elements.next(), elements.next()) {
        (None, _) => Some(text),
        (Some(element), None) if text.is_empty() => Some(as_a_document(element)),
        _ => None,
    }
}

/// The octets of an element, with the namespaces that were declared outside of it declared on it: only then it is a document of its own.
fn as_a_document(element: Node<'_, '_>) -> String {
    let source = &element.document().input_text()[element.range()];
    let name_end = source
        .find(|c: char| c.is_whitespace() || c == '>' || c == '/')
        .unwrap_or(source.len());
    let (head, rest) = source.split_at(name_end);
    let start_tag = rest.split('>').next().unwrap_or_default();
    let mut document = head.to_owned();
    for namespace in element.namespaces() {
        let declaration = match namespace.name() {
            Some("xml") => continue,
            Some(prefix) => format!("xmlns:{prefix}"),
            None => "xmlns".to_owned(),
        };
        if !start_tag.contains(&format!("{declaration}=")) && !start_tag.contains(&format!("{declaration} ")) {
            let uri = namespace
                .uri()
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('"', "&quot;");
            document.push_str(&format!(" {declaration}=\"{uri}\""));
        }
    }
    document.push_str(rest);
    document
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn record(value: &ContainedValue) -> &str {
        match &value.content {
            ContainedContent::Record(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_read_by_local_name_in_any_namespace() {
        for (open, close) in [
            ("<values>", "</values>"),
            ("<values xmlns=\"\">", "</values>"),
            (
                "<values xmlns=\"http://transparenz.software/schema/2018/07\">",
                "</values>",
            ),
            ("<t:values xmlns:t=\"urn:x\">", "</t:values>"),
        ] {
            let t = if open.starts_with("<t:") { "t:" } else { "" };
            let text = format!(
                "\u{feff}<?xml version=\"1.0\"?>{open}<other/><{t}value transactionId=\" 7 \" context=\"Transaction.Begin\">
                <{t}signedData format=\"OCMF\" encoding=\"plain\" transactionId=\"9\">\n OCMF|a &amp; b|x\n</{t}signedData><{t}publicKey>\n 30 59\n </{t}publicKey></{t}value>{close}"
            );
            let values = take_apart(&text).unwrap();
            assert_eq!(values.len(), 1, "{open}");
            assert_eq!(record(&values[0]), "OCMF|a & b|x");
            assert_eq!(values[0].transaction.as_deref(), Some("7"));
            assert_eq!(values[0].format.as_deref(), Some("OCMF"));
            assert_eq!(values[0].public_key.as_deref(), Some("30 59"));
        }
    }

    #[test]
    fn text_escaped_text_and_cdata_say_the_same() {
        for inside in [
            "&lt;a&gt;1&lt;/a&gt;",
            "<![CDATA[<a>1</a>]]>",
            "<!-- no -->&lt;a><![CDATA[1</a>]]>",
        ] {
            let text = format!("<values><value><signedData>{inside}</signedData><publicKey/></value></values>");
            let values = take_apart(&text).unwrap();
            assert_eq!(record(&values[0]), "<a>1</a>");
            assert_eq!(values[0].public_key, None);
        }
    }

    #[test]
    fn a_record_of_real_elements_keeps_its_octets_and_its_namespaces() {
        let inner = "<m:signedMeterValue><m:publicKey  encoding='base64'>AA==</m:publicKey></m:signedMeterValue>";
        let text = format!(
            "<values xmlns:m='urn:m&amp;n'><value><signedData>\n{inner}\n</signedData><publicKey>outer</publicKey></value></values>"
        );
        let values = take_apart(&text).unwrap();
        assert_eq!(
            record(&values[0]),
            inner.replacen("<m:signedMeterValue", "<m:signedMeterValue xmlns:m=\"urn:m&amp;n\"", 1)
        );
        assert!(xml::parse(record(&values[0])).is_ok());
        assert_eq!(values[0].public_key.as_deref(), Some("outer"));
    }

    #[test]
    fn the_transaction_may_stand_in_three_places() {
        for value in [
            "<value transactionId='5'><signedData>x</signedData></value>",
            "<value transactionld='5'><signedData>x</signedData></value>",
            "<value><signedData transactionId='5'>x</signedData></value>",
        ] {
            let values = take_apart(&format!("<values>{value}</values>")).unwrap();
            assert_eq!(values[0].transaction.as_deref(), Some("5"), "{value}");
        }
    }

    #[test]
    fn sealed_empty_and_doubled_values_are_told_apart() {
        let content = |inside: &str| {
            take_apart(&format!("<values><value>{inside}</value></values>")).map(|values| values[0].content.clone())
        };
        assert_eq!(content("<encodedData>00</encodedData>"), Ok(ContainedContent::Sealed));
        assert_eq!(content(""), Ok(ContainedContent::Nothing));
        assert_eq!(content("<signedData/>"), Ok(ContainedContent::Record(String::new())));
        for doubled in [
            "<signedData>a</signedData><signedData>b</signedData>",
            "<signedData>a</signedData><encodedData>b</encodedData>",
            "<signedData>a<b/></signedData>",
            "<signedData><a/><b/></signedData>",
            "<signedData>a</signedData><publicKey/><publicKey/>",
        ] {
            assert_eq!(
                content(doubled),
                Err(malformed("value 1 of the file has more than one record or key")),
                "{doubled}"
            );
        }
    }

    #[test]
    fn what_is_no_container_is_refused() {
        for broken in [
            "<!DOCTYPE a [<!ENTITY b \"c\">]><values/>",
            "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><values/>",
            "<valuez/>",
            "",
            "<values>",
            "<values></value>",
            "<values>&unknown;</values>",
            "\u{0}",
        ] {
            assert!(take_apart(broken).is_err(), "{broken:?}");
        }
        assert!(take_apart(&" ".repeat(xml::MAX_FILE + 1)).is_err());
        assert_eq!(take_apart("<values/>"), Ok(vec![]));
    }

    #[test]
    fn values_of_one_transaction_are_one_session_and_others_stand_alone() {
        let value = |transaction: &str, context: &str| ContainedValue {
            transaction: (!transaction.is_empty()).then(|| transaction.to_owned()),
            context: (!context.is_empty()).then(|| context.to_owned()),
            format: None,
            encoding: None,
            content: ContainedContent::Nothing,
            public_key: None,
        };
        let values = [
            value("1", "Transaction.Begin"),
            value("2", "transaction.begin"),
            value("1", "Transaction.End"),
            value("2", "Transaction.End"),
            value("2", "Parking lot A9"),
            value("", ""),
            value("", ""),
            value("", "Transaction.Begin"),
            value("", "Transaction.End"),
            value("3", ""),
            value("3", ""),
        ];
        let expected: Vec<Vec<usize>> = vec![
            vec![0, 2],
            vec![1, 3],
            vec![4],
            vec![5],
            vec![6],
            vec![7, 8],
            vec![9, 10],
        ];
        assert_eq!(sessions(&values), expected);
    }

    #[test]
    fn hostile_files_cost_no_more_than_their_length() {
        const TEN_MEGABYTES: usize = 10 * 1024 * 1024;
        let laughs: String = (1..10)
            .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
            .collect();
        let hostile = [
            format!(
                "<!DOCTYPE l [<!ENTITY l0 \"ha\">{laughs}]><values><value><signedData>&l9;</signedData></value></values>"
            ),
            "<a>".repeat(TEN_MEGABYTES / 3),
            format!("<values>{}", "<value>".repeat(TEN_MEGABYTES / 7)),
            format!("<values>{}</values>", "<value/>".repeat(TEN_MEGABYTES / 8)),
            format!("<values {}/>", "a='' ".repeat(TEN_MEGABYTES / 5)),
            format!(
                "<values><value><signedData>{}</signedData></value></values>",
                "&#65;".repeat(TEN_MEGABYTES / 5)
            ),
            format!(
                "<values><value><signedData>{}</signedData></value></values>",
                "<!---->".repeat(TEN_MEGABYTES / 7)
            ),
            format!(
                "<values {}/>",
                (0..TEN_MEGABYTES / 20)
                    .map(|n| format!("xmlns:n{n}='u{n}' "))
                    .collect::<String>()
            ),
        ];
        // Of seconds only, whether it ends at all: `tests/hostile.rs` counts what it costs.
        for text in &hostile {
            let began = Instant::now();
            let _ = take_apart(text);
            read(text.as_bytes());
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "{} took {:?}",
                &text[..40],
                began.elapsed()
            );
        }
        assert!(take_apart(&hostile[3]).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(inside in "[<>/&;a-z'\"=! \\[\\]-]{0,60}", text in "\\PC{0,60}") {
            for document in [text, format!("<values><value>{inside}</value></values>"), format!("<values>{inside}</values>")] {
                read(document.as_bytes());
                if let Ok(values) = take_apart(&document) {
                    let mut all: Vec<usize> = sessions(&values).concat();
                    all.sort_unstable();
                    prop_assert_eq!(all, (0..values.len()).collect::<Vec<_>>());
                }
            }
        }
    }
}
