//! Handing proof on: signed records as files that other people's transparency software reads.
//!
//! Three forms (key-registry.md CAL-IF05): [`Form::SafeXml`] for the S.A.F.E. software, [`Form::Chargy`] for Chargy, [`Form::Raw`] for everything
//! else. What was signed leaves as it came: a record is unwrapped from its transport encoding and written down again octet for octet, escaped
//! where a form demands it, never parsed and printed. Nothing is verified here and nothing is left out: a forged record is proof as well.
//!
//! A pure function: sessions in, octets out. Who may export what, and which key was registered when, is for the caller to know.
//! Start with [`write()`]; [`Session::of_cdr`] takes a session out of a stored CDR.

mod chargy;
mod raw;
mod record;
mod safe_xml;

pub use record::{Record, RecordText};

use super::claim::{Claim, SignedPart};
use crate::metering::key::PublicKey;
use crate::metering::record::SignedValue;

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// S.A.F.E. XML: one `value` for each record (signed-metering-formats.md 13).
    SafeXml,
    /// JSON that Chargy reads; one document, or a list of them for several sessions.
    Chargy,
    /// One record a line, an empty line between sessions; no keys. What does not fit on a line is Base64.
    Raw,
}

impl Form {
    /// Reads the name of a form: `safe-xml`, `chargy`, `raw`.
    pub fn from_name(name: &str) -> Option<Form> {
        match name.trim().to_ascii_lowercase().as_str() {
            "safe-xml" | "safe_xml" | "xml" => Some(Form::SafeXml),
            "chargy" | "json" => Some(Form::Chargy),
            "raw" => Some(Form::Raw),
            _ => None,
        }
    }

    /// The media type of a file of this form.
    pub fn media_type(self) -> &'static str {
        match self {
            Form::SafeXml => "application/xml",
            Form::Chargy => "application/json",
            Form::Raw => "text/plain; charset=utf-8",
        }
    }

    /// How the name of a file of this form ends.
    pub fn extension(self) -> &'static str {
        match self {
            Form::SafeXml => "xml",
            Form::Chargy => "chargy",
            Form::Raw => "txt",
        }
    }
}

/// The proof of one charging session, as it is handed on.
#[derive(Clone, Default)]
pub struct Session<'a> {
    /// How the sender counts the session. S.A.F.E. wants a number: anything else is replaced by the place in the file.
    pub transaction: Option<&'a str>,
    /// The sender's name of the format.
    pub encoding_method: Option<&'a str>,
    /// The values as they were carried.
    pub values: Vec<SignedValue<'a>>,
    /// The key that a registry held for the meter at that time.
    pub registered_key: Option<&'a PublicKey>,
    /// The text of the key that came along.
    pub delivered_key: Option<&'a str>,
    /// Where it happened.
    pub place: Option<Place<'a>>,
}

/// Where a session happened, for software that shows it. Nothing of it is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The EVSE in eMI3 notation.
    pub evse_id: &'a str,
    /// Street and number.
    pub address: &'a str,
    /// Postal code.
    pub postal_code: &'a str,
    /// Town.
    pub city: &'a str,
    /// Country, as written.
    pub country: &'a str,
    /// Degrees north, a decimal number.
    pub latitude: &'a str,
    /// Degrees east, a decimal number.
    pub longitude: &'a str,
}

/// Records name drivers: only their number is shown.
impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Session")
            .field("transaction", &self.transaction)
            .field("encoding_method", &self.encoding_method)
            .field("values", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    /// The session of a CDR; `None` if the CDR has no signed values.
    pub fn of_cdr(
        claim: &'a Claim<'_>,
        transaction: Option<&'a str>,
        registered_key: Option<&'a PublicKey>,
        place: Option<Place<'a>>,
    ) -> Option<Session<'a>> {
        let SignedPart::Present(signed) = &claim.signed else {
            return None;
        };
        let values = signed.signed_values();
        (!values.is_empty()).then_some(Session {
            transaction,
            encoding_method: signed.encoding_method.as_deref(),
            values,
            registered_key,
            delivered_key: signed.public_key.as_deref(),
            place,
        })
    }

    /// Every record of the session, unwrapped, in the order of the values; those of a container one by one.
    pub fn records(&self) -> Vec<Record> {
        self.values.iter().flat_map(|value| Record::of(value, self)).collect()
    }
}

/// Writes sessions into one file.
pub fn write(sessions: &[Session<'_>], form: Form) -> Vec<u8> {
    match form {
        Form::SafeXml => safe_xml::write(sessions),
        Form::Chargy => chargy::write(sessions),
        Form::Raw => raw::write(sessions),
    }
    .into_bytes()
}
