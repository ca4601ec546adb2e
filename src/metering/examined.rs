//! One record, from the two strings that carried it to what it says and whether its signature fits.
//!
//! Where the record is in its value, what it claims, the octets that are signed, the answer under one key. What records say about each other is
//! the business of [`session`](super::session).

use std::borrow::Cow;
use std::ops::Range;

use super::deviation::Deviation;
use super::finding::{Code, Finding, Place};
use super::formats::FormatName;
use super::formats::ocmf::{self, Malformed, Ocmf, Pagination, SignatureProblem, SignatureSection};
use super::formats::transport::{self, Unwrapped};
use super::json;
use super::key::{Curve, PublicKey};
use super::reading::{Marker, Reading};
use super::record::{Identification, KeyTrust, Nature, SignedValue};
use super::verdict::{self, SignatureAnswer};

/// What was found out about one record.
#[derive(Debug, Clone)]
pub struct RecordExamination {
    /// What the record is, as far as it was recognised.
    pub format: Option<FormatName>,
    /// The curve its signature is on.
    pub curve: Option<Curve>,
    /// The cryptographic answer alone.
    pub signature: SignatureAnswer,
    /// The key it was held against, and on whose word.
    pub key: Option<(PublicKey, KeyTrust)>,
    /// Everything it says, in its own order.
    pub readings: Vec<Reading>,
    /// What concerns this record alone.
    pub findings: Vec<Finding>,
    /// Identity of the signed octets, for recognising replays; see [`verdict::block_digest`].
    pub block_digest: Option<[u8; 32]>,
    /// Serial number of the meter.
    pub meter_serial: Option<String>,
    /// Serial number of the gateway that signs.
    pub gateway_serial: Option<String>,
    /// The charge point it names.
    pub charge_point: Option<ChargePoint>,
    /// Whom it names.
    pub identification: Option<Identification>,
    /// How well that was checked, as written.
    pub identification_level: Option<String>,
    /// Its number.
    pub pagination: Option<Pagination>,
    /// Its label, as carried.
    pub nature: Option<String>,
    /// Harmless departures from the format.
    pub deviations: Vec<Deviation>,
}

/// A charge point as a record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargePoint {
    /// `EVSEID` or `CBIDC`, as written.
    pub kind: Option<String>,
    /// The id.
    pub id: String,
}

impl ChargePoint {
    /// Whether the id is that of an EVSE.
    pub fn is_evse(&self) -> bool {
        self.kind
            .as_deref()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("EVSEID"))
    }
}

impl RecordExamination {
    pub(super) fn blank(value: &SignedValue<'_>) -> RecordExamination {
        RecordExamination {
            format: None,
            curve: None,
            signature: SignatureAnswer::CannotTell(Code::UndecodableSignedData),
            key: None,
            readings: Vec::new(),
            findings: Vec::new(),
            block_digest: None,
            meter_serial: None,
            gateway_serial: None,
            charge_point: None,
            identification: None,
            identification_level: None,
            pagination: None,
            nature: value.nature.map(str::to_owned),
            deviations: Vec::new(),
        }
    }

    /// The serial number that identifies whoever signs: the meter's, otherwise the gateway's.
    pub fn identifying_serial(&self) -> Option<&str> {
        self.meter_serial.as_deref().or(self.gateway_serial.as_deref())
    }

    pub(super) fn add(&mut self, code: Code, place: Place, message: &str) {
        self.findings.push(Finding::new(code, place, message));
    }

    pub(super) fn undecidable(&mut self, index: usize, code: Code, message: &str) {
        self.signature = SignatureAnswer::CannotTell(code);
        self.add(code, Place::Record(index), message);
    }

    fn wrong(&mut self, index: usize, code: Code, message: &str) {
        self.signature = SignatureAnswer::DoesNotFit(code);
        self.add(code, Place::Record(index), message);
    }

    pub(super) fn cannot_be_read_yet(&mut self, index: usize, format: FormatName) {
        self.format = Some(format);
        self.undecidable(
            index,
            Code::UnsupportedFormat,
            &format!("records in the format {} cannot be checked yet", format.as_str()),
        );
    }

    pub(super) fn malformed(&mut self, index: usize, malformed: &Malformed) {
        self.wrong(index, Code::MalformedRecord, &malformed.to_string());
    }

    /// Takes over what the record says. Returns where its signed octets stand, and its signature if that can be checked at all.
    pub(super) fn read(
        &mut self,
        index: usize,
        read: Result<Ocmf<'_>, Malformed>,
        value: &SignedValue<'_>,
    ) -> Option<(Range<usize>, Option<SignatureSection>)> {
        self.format = Some(FormatName::Ocmf);
        let ocmf = match read {
            Ok(ocmf) => ocmf,
            Err(malformed) => {
                self.malformed(index, &malformed);
                return None;
            }
        };
        self.block_digest = Some(verdict::block_digest(FormatName::Ocmf.as_str(), ocmf.signed.as_bytes()));
        match &ocmf.signature {
            Ok(section) => self.curve = Some(section.curve),
            Err(problem @ SignatureProblem::Malformed(_)) => {
                self.wrong(index, Code::SignatureMalformed, &problem.to_string())
            }
            Err(problem @ SignatureProblem::Unsupported(_)) => {
                self.undecidable(index, Code::UnsupportedAlgorithm, &problem.to_string())
            }
        }
        if plain_data_differs(value, ocmf.signed) {
            self.add(
                Code::PlainDataMismatch,
                Place::PlainData(index),
                "the readable copy says something else than the signed record",
            );
        }
        let payload = ocmf.payload;
        if payload
            .identification_level
            .as_deref()
            .is_some_and(|level| FAILED_LEVELS.contains(&level))
        {
            self.add(
                Code::IdLevelError,
                Place::Record(index),
                "the record says that the user could not be assigned",
            );
        }
        self.readings = payload.readings;
        self.meter_serial = payload.meter_serial;
        self.gateway_serial = payload.gateway_serial;
        self.charge_point = payload.charge_point_id.map(|id| ChargePoint {
            kind: payload.charge_point_type,
            id,
        });
        self.identification = payload.identification;
        self.identification_level = payload.identification_level;
        self.pagination = payload.pagination;
        self.deviations = ocmf.deviations;
        Some((ocmf.signed_at, ocmf.signature.ok()))
    }

    pub(super) fn verify(
        &mut self,
        index: usize,
        signed: &[u8],
        section: &SignatureSection,
        key: Result<(PublicKey, KeyTrust), (Code, String)>,
    ) {
        let (key, trust) = match key {
            Ok(chosen) => chosen,
            Err((code, sentence)) => return self.undecidable(index, code, &sentence),
        };
        let (answer, sentence) = verdict::verify(&key, section.curve, signed, &section.signature);
        if let SignatureAnswer::DoesNotFit(code) | SignatureAnswer::CannotTell(code) = &answer {
            self.add(*code, Place::Record(index), sentence);
        }
        self.signature = answer;
        self.key = Some((key, trust));
    }

    pub(super) fn begins(&self) -> bool {
        self.readings
            .iter()
            .any(|reading| reading.marker == Some(Marker::Begin))
    }

    pub(super) fn ends(&self) -> bool {
        self.readings
            .iter()
            .any(|reading| reading.marker.as_ref().is_some_and(Marker::is_end))
    }

    pub(super) fn nature_by_content(&self) -> Nature {
        match (self.begins(), self.ends()) {
            (_, true) => Nature::End,
            (true, false) => Nature::Start,
            (false, false) => Nature::Intermediate,
        }
    }
}

/// Levels of identification that are errors (5.3, `IL`).
const FAILED_LEVELS: [&str; 4] = ["MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"];

/// What a value turned out to carry.
pub(super) enum Carried<'a> {
    Record(Cow<'a, str>),
    Parts {
        payload: Cow<'a, str>,
        signature: Cow<'a, str>,
    },
    Foreign(FormatName),
    Unrecognised {
        is_text: bool,
    },
    Empty,
    TooLong,
}

/// Finds the record in the two fields of a value (2.2): where it belongs, in the readable field, or split over both.
pub(super) fn carried<'a>(value: &SignedValue<'a>) -> Carried<'a> {
    let text = match transport::unwrap(value.signed_data) {
        Unwrapped::Recognised(FormatName::Ocmf, record) => return Carried::Record(record),
        Unwrapped::Recognised(format, _) => return Carried::Foreign(format),
        Unwrapped::TooLong => return Carried::TooLong,
        Unwrapped::Text(text) => text,
    };
    match transport::unwrap(value.plain_data) {
        Unwrapped::Recognised(FormatName::Ocmf, record) if text.is_empty() => Carried::Record(record),
        Unwrapped::Recognised(format, _) if text.is_empty() => Carried::Foreign(format),
        Unwrapped::Text(payload) if ocmf::is_signature_section(&text) && ocmf::payload_of(&payload).is_some() => {
            Carried::Parts {
                payload,
                signature: text,
            }
        }
        _ if text.is_empty() => Carried::Empty,
        // A separator or a brace is in no transport encoding: this wants to be a record and is none.
        _ => Carried::Unrecognised {
            is_text: text.contains(['|', '{']),
        },
    }
}

/// The readable copy is no evidence, but one that is a payload and says something else contradicts (2.2).
fn plain_data_differs(value: &SignedValue<'_>, signed: &str) -> bool {
    if value.plain_data.trim().is_empty() {
        return false;
    }
    let plain = match transport::unwrap(value.plain_data) {
        Unwrapped::Recognised(FormatName::Ocmf, text) | Unwrapped::Text(text) => text,
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
