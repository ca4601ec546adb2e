//! One record on its way out: unwrapped, with the key and the label it leaves with.

use std::borrow::Cow;

use super::Session;
use crate::metering::formats::transport::{self, Content, Unwrapped};
use crate::metering::formats::{FormatName, ocmf, safe_xml};
use crate::metering::key::PublicKey;
use crate::metering::record::{Nature, SignedValue};

/// A record as it is handed on.
#[derive(Clone)]
pub struct Record {
    /// What it is, where that is recognised.
    pub format: Option<FormatName>,
    /// The record itself.
    pub text: RecordText,
    /// Its label, as carried.
    pub nature: Option<String>,
    /// The key to write beside it, spelled as the readers of its format want it.
    pub public_key: Option<String>,
}

/// The octets of a record, below every transport encoding.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordText {
    /// Text.
    Text(String),
    /// Binary: SML.
    Binary(Vec<u8>),
}

impl RecordText {
    /// The octets, of either kind.
    pub fn octets(&self) -> &[u8] {
        match self {
            RecordText::Text(text) => text.as_bytes(),
            RecordText::Binary(octets) => octets,
        }
    }
}

impl Record {
    /// The records of one value: one, or those of the container that it carries.
    pub(super) fn of(value: &SignedValue<'_>, session: &Session<'_>) -> Vec<Record> {
        let (format, text) = unwrapped(value);
        if format == Some(FormatName::SafeXml)
            && let RecordText::Text(file) = &text
            && let Ok(contained) = safe_xml::take_apart(file)
        {
            return contained
                .iter()
                .filter_map(|inner| Record::contained(inner, session))
                .collect();
        }
        let own_key = value.delivered_key.or(session.delivered_key);
        vec![Record {
            public_key: key_text(format, session.registered_key, own_key),
            format,
            text,
            nature: value.nature.map(str::to_owned),
        }]
    }

    fn contained(inner: &safe_xml::ContainedValue, session: &Session<'_>) -> Option<Record> {
        let safe_xml::ContainedContent::Record(text) = &inner.content else {
            return None;
        };
        let value = SignedValue {
            signed_data: text,
            ..SignedValue::default()
        };
        let (format, text) = unwrapped(&value);
        let own_key = inner.public_key.as_deref().or(session.delivered_key);
        Some(Record {
            public_key: key_text(format, session.registered_key, own_key),
            format,
            text,
            nature: inner.context.clone(),
        })
    }

    /// The place in the session that the label claims.
    pub(super) fn place(&self) -> Option<Nature> {
        self.nature.as_deref().and_then(Nature::read)
    }
}

/// The record of a value: where it belongs, in the readable field, or split over both (2.2). What is not recognised leaves as it was carried.
fn unwrapped(value: &SignedValue<'_>) -> (Option<FormatName>, RecordText) {
    let text = match transport::unwrap(value.signed_data) {
        Unwrapped::Recognised(format, content) => return (Some(format), content.into()),
        Unwrapped::Text(text) => text,
        Unwrapped::TooLong => Cow::Borrowed(value.signed_data),
    };
    match transport::unwrap(value.plain_data) {
        Unwrapped::Recognised(format, content) if text.is_empty() => (Some(format), content.into()),
        Unwrapped::Text(payload) if ocmf::is_signature_section(&text) && ocmf::payload_of(&payload).is_some() => {
            // Both sections as they came; between them nothing is signed.
            let joined = format!("{}{payload}|{text}", ocmf::HEADER);
            (Some(FormatName::Ocmf), RecordText::Text(joined))
        }
        _ => (None, RecordText::Text(value.signed_data.trim().to_owned())),
    }
}

impl From<Content<'_>> for RecordText {
    fn from(content: Content<'_>) -> RecordText {
        match content {
            Content::Text(text) => RecordText::Text(text.into_owned()),
            Content::Binary(octets) => RecordText::Binary(octets),
        }
    }
}

/// The key beside a record. S.A.F.E. and Chargy compare key texts, not points: OCMF wants SPKI in hex, SML the bare point; where the key stands in
/// the record, another spelling of it would be refused, so a registered one is left to the register. What came along is handed on as it came.
fn key_text(format: Option<FormatName>, registered: Option<&PublicKey>, delivered: Option<&str>) -> Option<String> {
    let delivered = delivered.map(str::trim).filter(|text| !text.is_empty());
    match format {
        Some(FormatName::Ocmf) => match registered {
            Some(key) => Some(spki(key)),
            None => {
                delivered.map(|text| PublicKey::read(text, None).map_or_else(|_| text.to_owned(), |key| spki(&key)))
            }
        },
        Some(FormatName::Edl40P | FormatName::IsaEdl40P) => match registered {
            Some(key) => Some(hex::encode(key.sec1_uncompressed().get(1..).unwrap_or_default())),
            None => delivered.map(str::to_owned),
        },
        _ => delivered.map(str::to_owned),
    }
}

fn spki(key: &PublicKey) -> String {
    hex::encode_upper(key.to_spki_der())
}
