//! What every format's reader yields, and all that the rest of the house knows of formats.
//!
//! A [`SignedRecord`] is a claim taken apart: which octets are signed, which signature stands for them, what they say. Nothing here has been
//! verified, and nothing here was written anew: the octets are a slice of what arrived, unless the format itself says that the block which is
//! signed is put together from its fields (SML, Mennekes), and then the reader puts it together.
//!
//! A format plugs in with one file and one arm of [`formats::read`](super::read): the file has `pub fn read(content) -> Result<SignedRecord,
//! Malformed>` and fills in what its records say; `None` is for what they do not say, and no check is made on it.

use std::borrow::Cow;
use std::fmt;

use super::FormatName;
use crate::metering::deviation::Deviation;
use crate::metering::finding::Code;
use crate::metering::key::Curve;
use crate::metering::reading::Reading;
use crate::metering::record::Identification;
use crate::metering::signature::Signature;

/// One record, taken apart but not yet believed.
#[derive(Debug, Clone)]
pub struct SignedRecord<'a> {
    /// What it is.
    pub format: FormatName,
    /// What is signed: one block, two in a Mennekes process. All of them must fit, under one key.
    pub blocks: Vec<SignedBlock<'a>>,
    /// A key inside the record, as written: whoever forges the record also chooses it.
    pub embedded_key: Option<Cow<'a, str>>,
    /// A key that the container carries beside this record; it goes before the one that came with the whole value.
    pub delivered_key: Option<Cow<'a, str>>,
    /// The label that the container carries beside this record; it goes before the label of the value.
    pub nature: Option<String>,
    /// The transaction that the container counts this record to; unsigned.
    pub transaction: Option<String>,
    /// What the signed octets say.
    pub statement: Statement,
    /// What is wrong or odd about this record alone.
    pub remarks: Vec<Remark>,
}

/// What a record says. Everything is optional: formats differ, and no check is made on what is not said.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    /// Every reading, in the order of the record.
    pub readings: Vec<Reading>,
    /// Where begin and end are written.
    pub places: Places,
    /// Whether the format has one register and nothing to choose: then a record alone is not asked which one may be billed.
    pub has_one_register: bool,
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
    /// What must not change during a session: the state of the meter's logbook (EDL40 family), in hex.
    pub logbook: Option<String>,
    /// The session it belongs to, as the meter counts sessions (Alfen).
    pub session_id: Option<String>,
    /// The adapter that signs beside the meter (Alfen).
    pub adapter: Option<String>,
    /// Harmless departures from the format.
    pub deviations: Vec<Deviation>,
}

/// Where it is written which reading begins a session and which ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Places {
    /// In the record: readings without a marker have no place.
    #[default]
    InTheRecord,
    /// Nowhere in the record (EDL_40_P, EDL_40_SIG): the label of the value says it, or else the order of the records.
    ByTheLabel,
}

/// Octets that are signed, and the signature that stands for them.
#[derive(Clone)]
pub struct SignedBlock<'a> {
    /// The octets that are hashed with SHA-256.
    pub octets: Cow<'a, [u8]>,
    /// The signature, and the curve it is on; or why there is none that can be checked.
    pub signature: Result<BlockSignature, Unusable>,
}

/// Records carry identifications of drivers: the length is shown, the octets are not.
impl fmt::Debug for SignedBlock<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SignedBlock")
            .field("octets", &self.octets.len())
            .field("signature", &self.signature)
            .finish()
    }
}

/// A signature that can be held against a key of its curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSignature {
    /// The curve, as the format prescribes it or the record names it.
    pub curve: Curve,
    /// The signature, not yet held against anything.
    pub signature: Signature,
}

/// Why a signature cannot be checked: a code, which says whether that is wrong or only undecidable, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// `SIGNATURE_MALFORMED`, `UNSUPPORTED_ALGORITHM`, `SEALED_DATA`.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
}

impl Unusable {
    /// The signature is not what it claims to be.
    pub fn malformed(message: impl fmt::Display) -> Unusable {
        Unusable {
            code: Code::SignatureMalformed,
            message: message.to_string(),
        }
    }

    /// The algorithm or the encoding is unknown here.
    pub fn unsupported(message: impl fmt::Display) -> Unusable {
        Unusable {
            code: Code::UnsupportedAlgorithm,
            message: message.to_string(),
        }
    }
}

/// Something to say about one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Its name.
    pub code: Code,
    /// A sentence for people; never names a driver.
    pub message: String,
}

impl Remark {
    /// A remark.
    pub fn new(code: Code, message: impl Into<String>) -> Remark {
        Remark {
            code,
            message: message.into(),
        }
    }
}

/// Why something is not a record of its format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// The format it wants to be.
    pub format: FormatName,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
}

impl Malformed {
    /// Says what is wrong.
    pub fn new(format: FormatName, message: impl fmt::Display) -> Malformed {
        Malformed {
            format,
            message: message.to_string(),
        }
    }
}

impl<'a> SignedRecord<'a> {
    /// A record with one signed block and nothing said beyond its statement.
    pub fn new(format: FormatName, block: SignedBlock<'a>, statement: Statement) -> SignedRecord<'a> {
        SignedRecord {
            blocks: vec![block],
            ..SignedRecord::unsigned(format, statement)
        }
    }

    /// A record whose signed blocks are still to be filled in; without any it can never be valid.
    pub fn unsigned(format: FormatName, statement: Statement) -> SignedRecord<'a> {
        SignedRecord {
            format,
            blocks: Vec::new(),
            embedded_key: None,
            delivered_key: None,
            nature: None,
            transaction: None,
            statement,
            remarks: Vec::new(),
        }
    }

    /// Adds a remark.
    pub fn remark(&mut self, code: Code, message: impl Into<String>) {
        self.remarks.push(Remark::new(code, message));
    }

    /// The record with copies of its octets, for content that does not outlive its reader. The copies are the same octets.
    pub fn into_owned(self) -> SignedRecord<'static> {
        SignedRecord {
            format: self.format,
            blocks: self.blocks.into_iter().map(SignedBlock::into_owned).collect(),
            embedded_key: self.embedded_key.map(|text| Cow::Owned(text.into_owned())),
            delivered_key: self.delivered_key.map(|text| Cow::Owned(text.into_owned())),
            nature: self.nature,
            transaction: self.transaction,
            statement: self.statement,
            remarks: self.remarks,
        }
    }
}

impl SignedBlock<'_> {
    fn into_owned(self) -> SignedBlock<'static> {
        SignedBlock {
            octets: Cow::Owned(self.octets.into_owned()),
            signature: self.signature,
        }
    }
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

/// The number of a record. OCMF counts transactions (`T`) and fiscal readings (`F`) apart; other formats have one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pagination {
    /// Which series it belongs to: `T` or `F`, [`Pagination::ONLY`] where there is but one.
    pub series: char,
    /// Its place in the series.
    pub number: u64,
}

impl Pagination {
    /// The series of a format that has only one.
    pub const ONLY: char = ' ';

    /// Reads OCMF's `T<n>` or `F<n>`; leading zeros are forgiven.
    pub fn read(text: &str) -> Option<Pagination> {
        let mut rest = text.trim().chars();
        let series = rest.next().filter(|c| matches!(c, 'T' | 'F'))?;
        let digits = rest.as_str();
        let number = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten()?;
        Some(Pagination { series, number })
    }

    /// The number in a format that has one series.
    pub fn number(number: u64) -> Pagination {
        Pagination {
            series: Pagination::ONLY,
            number,
        }
    }
}
