//! One record, from the two strings that carried it to what it says and whether its signature fits.
//!
//! Where the record is in its value, what it claims, the octets that are signed, the answer under one key. What records say about each other is
//! the business of [`session`](super::session).

use std::borrow::Cow;

use super::finding::{Code, Finding, Place};
pub use super::formats::signed_record::ChargePoint;
use super::formats::signed_record::{Malformed, Places, SignedBlock, SignedRecord, Statement, Unusable};
use super::formats::transport::{self, Content, Unwrapped};
use super::formats::{self, FormatName, ReadRecord, chargepoint, ocmf};
use super::json;
use super::key::{Curve, PublicKey};
use super::reading::Marker;
use super::record::{KeyTrust, Nature, SignedValue};
use super::verdict::{self, SignatureAnswer};

/// What was found out about one record.
#[derive(Debug, Clone)]
pub struct RecordExamination {
    /// Index of the value that carried it; a container carries several records in one.
    pub value: usize,
    /// What the record is, as far as it was recognised.
    pub format: Option<FormatName>,
    /// The curve its signature is on.
    pub curve: Option<Curve>,
    /// The cryptographic answer alone.
    pub signature: SignatureAnswer,
    /// The key it was held against, and on whose word.
    pub key: Option<(PublicKey, KeyTrust)>,
    /// What it says.
    pub statement: Statement,
    /// What concerns this record alone.
    pub findings: Vec<Finding>,
    /// Identity of each block of signed octets, for recognising replays; see [`verdict::block_digest`].
    pub block_digests: Vec<[u8; 32]>,
    /// Its label, as carried.
    pub nature: Option<String>,
    /// The transaction that a container counts it to; unsigned.
    pub transaction: Option<String>,
}

impl RecordExamination {
    pub(super) fn blank(index: usize, value: &SignedValue<'_>) -> RecordExamination {
        RecordExamination {
            value: index,
            format: None,
            curve: None,
            signature: SignatureAnswer::CannotTell(Code::UndecodableSignedData),
            key: None,
            statement: Statement::default(),
            findings: Vec::new(),
            block_digests: Vec::new(),
            nature: value.nature.map(str::to_owned),
            transaction: None,
        }
    }

    /// The serial number that identifies whoever signs: the meter's, otherwise the gateway's.
    pub fn identifying_serial(&self) -> Option<&str> {
        self.statement
            .meter_serial
            .as_deref()
            .or(self.statement.gateway_serial.as_deref())
    }

    pub(super) fn add(&mut self, code: Code, place: Place, message: &str) {
        self.findings.push(Finding::new(code, place, message));
    }

    pub(super) fn undecidable(&mut self, code: Code, message: &str) {
        self.signature = SignatureAnswer::CannotTell(code);
        self.add(code, Place::Record(self.value), message);
    }

    fn wrong(&mut self, code: Code, message: &str) {
        self.signature = SignatureAnswer::DoesNotFit(code);
        self.add(code, Place::Record(self.value), message);
    }

    pub(super) fn malformed(&mut self, malformed: &Malformed) {
        self.format = Some(malformed.format);
        self.wrong(Code::MalformedRecord, &malformed.to_string());
    }

    /// Takes over what the record says. Returns what is needed to verify it.
    pub(super) fn take<'a>(&mut self, read: ReadRecord<'a>, value: &SignedValue<'a>) -> Option<Evidence<'a>> {
        let record = match read {
            Ok(record) => record,
            Err(malformed) => {
                self.malformed(&malformed);
                return None;
            }
        };
        let SignedRecord {
            format,
            blocks,
            embedded_key,
            delivered_key,
            nature,
            transaction,
            statement,
            remarks,
        } = record;
        self.format = Some(format);
        self.block_digests = blocks
            .iter()
            .map(|block| verdict::block_digest(format.as_str(), &block.octets))
            .collect();
        self.curve = blocks
            .iter()
            .find_map(|block| block.signature.as_ref().ok())
            .map(|signature| signature.curve);
        for unusable in blocks.iter().filter_map(|block| block.signature.as_ref().err()) {
            self.cannot_verify(unusable);
        }
        if format == FormatName::Ocmf && blocks.iter().any(|block| plain_data_differs(value, &block.octets)) {
            self.add(
                Code::PlainDataMismatch,
                Place::PlainData(self.value),
                "the readable copy says something else than the signed record",
            );
        }
        for remark in remarks {
            self.add(remark.code, Place::Record(self.value), &remark.message);
        }
        self.nature = nature.or(self.nature.take());
        self.transaction = transaction;
        self.statement = statement;
        Some(Evidence {
            blocks,
            own_key: delivered_key.or(value.delivered_key.map(Cow::Borrowed)),
            embedded_key,
        })
    }

    fn cannot_verify(&mut self, unusable: &Unusable) {
        if unusable.code.is_undecidable() {
            self.undecidable(unusable.code, &unusable.message);
        } else {
            self.wrong(unusable.code, &unusable.message);
        }
    }

    /// Holds every block against the key: all must fit, and one that does not decides.
    pub(super) fn verify(&mut self, blocks: &[SignedBlock<'_>], key: Result<(PublicKey, KeyTrust), (Code, String)>) {
        let (key, trust) = match key {
            Ok(chosen) => chosen,
            Err((code, sentence)) => return self.undecidable(code, &sentence),
        };
        let mut answer = None;
        for block in blocks {
            let Ok(signature) = &block.signature else { return };
            let (mut this, mut sentence) = verdict::verify(&key, signature.curve, &block.octets, &signature.signature);
            let is_known_from_records = self.format.is_none_or(FormatName::is_known_from_records);
            if matches!(this, SignatureAnswer::DoesNotFit(Code::SignatureMismatch)) && !is_known_from_records {
                this = SignatureAnswer::CannotTell(Code::UnsupportedFormat);
                sentence = "the signature does not fit, which disproves nothing: no genuine record of this format ever confirmed what is signed";
            }
            if let SignatureAnswer::DoesNotFit(code) | SignatureAnswer::CannotTell(code) = &this {
                self.add(*code, Place::Record(self.value), sentence);
            }
            if answer.as_ref().is_none_or(SignatureAnswer::fits) {
                answer = Some(this);
            }
        }
        self.signature = answer.unwrap_or(SignatureAnswer::CannotTell(Code::NoSignedData));
        self.key = Some((key, trust));
    }

    pub(super) fn begins(&self) -> bool {
        self.statement
            .readings
            .iter()
            .any(|reading| reading.marker == Some(Marker::Begin))
    }

    pub(super) fn ends(&self) -> bool {
        self.statement
            .readings
            .iter()
            .any(|reading| reading.marker.as_ref().is_some_and(Marker::is_end))
    }

    /// The place in the session that its label claims, if it claims one.
    pub(super) fn labelled_nature(&self) -> Option<Nature> {
        self.nature.as_deref().and_then(Nature::read)
    }

    /// Gives readings that have no word of their own for it their place in the session.
    pub(super) fn place_readings(&mut self, nature: Nature) {
        if self.statement.places != Places::ByTheLabel {
            return;
        }
        let marker = match nature {
            Nature::Start => Marker::Begin,
            Nature::Intermediate => Marker::Charging,
            Nature::End => Marker::End,
        };
        for reading in &mut self.statement.readings {
            reading.marker = Some(marker.clone());
        }
    }

    pub(super) fn nature_by_content(&self) -> Nature {
        match (self.begins(), self.ends()) {
            (_, true) => Nature::End,
            (true, false) => Nature::Start,
            (false, false) => Nature::Intermediate,
        }
    }
}

/// What is needed to verify one record.
pub(super) struct Evidence<'a> {
    /// The signed octets, with their signatures.
    pub blocks: Vec<SignedBlock<'a>>,
    /// The key that came with this very value or record.
    pub own_key: Option<Cow<'a, str>>,
    /// The key inside the record.
    pub embedded_key: Option<Cow<'a, str>>,
}

impl Evidence<'_> {
    /// The curve of its signatures; `None` if one of them cannot be checked.
    pub fn curve(&self) -> Option<Curve> {
        let mut curve = None;
        for block in &self.blocks {
            curve = Some(block.signature.as_ref().ok()?.curve);
        }
        curve
    }
}

/// What a value turned out to carry.
pub(super) enum Carried<'a> {
    Records(Vec<ReadRecord<'a>>),
    Unrecognised(Cow<'a, str>),
    Empty,
    TooLong,
}

/// Finds the records in the two fields of a value (2.2): where they belong, in the readable field, or split over both.
pub(super) fn carried<'a>(value: &SignedValue<'a>) -> Carried<'a> {
    let text = match transport::unwrap(value.signed_data) {
        Unwrapped::Recognised(format, content) => return records(format, &content),
        Unwrapped::TooLong => return Carried::TooLong,
        Unwrapped::Text(text) => text,
    };
    match transport::unwrap(value.plain_data) {
        Unwrapped::Recognised(format, content) if text.is_empty() => records(format, &content),
        Unwrapped::Text(payload) if ocmf::is_signature_section(&text) && ocmf::payload_of(&payload).is_some() => {
            Carried::Records(vec![match payload {
                Cow::Borrowed(payload) => ocmf::read_parts(payload, &text),
                Cow::Owned(payload) => ocmf::read_parts(&payload, &text).map(SignedRecord::into_owned),
            }])
        }
        Unwrapped::Recognised(FormatName::ChargePoint, _) if !text.is_empty() => {
            let receipt = chargepoint::receipt_octets(value.plain_data);
            Carried::Records(vec![
                chargepoint::read_parts(&receipt, &text).map(SignedRecord::into_owned),
            ])
        }
        _ if text.is_empty() => Carried::Empty,
        _ => Carried::Unrecognised(text),
    }
}

fn records<'a>(format: FormatName, content: &Content<'a>) -> Carried<'a> {
    match formats::read(format, content) {
        records if records.is_empty() => Carried::Empty,
        records => Carried::Records(records),
    }
}

/// The readable copy is no evidence, but one that is a payload and says something else contradicts (2.2).
fn plain_data_differs(value: &SignedValue<'_>, signed: &[u8]) -> bool {
    if value.plain_data.trim().is_empty() {
        return false;
    }
    let Ok(signed) = std::str::from_utf8(signed) else {
        return false;
    };
    // The usual copy is one.
    if value.plain_data == signed {
        return false;
    }
    let plain = match transport::unwrap(value.plain_data) {
        Unwrapped::Recognised(FormatName::Ocmf, Content::Text(text)) | Unwrapped::Text(text) => text,
        _ => return false,
    };
    if plain == signed {
        return false;
    }
    match (ocmf::payload_of(&plain), json::read(signed)) {
        (Some(copy), Ok(signed)) => !copy.same_as(signed),
        _ => false,
    }
}
