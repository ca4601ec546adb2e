//! The words of a verdict (design.md 3.5).

use chrono::{DateTime, Utc};

use crate::metering::finding::{Code, Finding, Place, Severity};
use crate::metering::key::Curve;
use crate::metering::reading::Reading;
use crate::metering::record::KeyTrust;
use crate::metering::session::Examination;

use super::claim::Identity;

/// The outcome for a CDR (design.md 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Proven with the registered key of that meter and EVSE at charging time; everything agrees.
    Verified,
    /// The signature is right, but the key is only the sender's word.
    IntegrityOnly,
    /// Disproven.
    Invalid,
    /// Neither proven nor disproven.
    Unverifiable,
    /// The EVSE is calibrated, and nothing signed came.
    Missing,
    /// Nothing signed came, and nothing had to.
    NotApplicable,
}

impl Status {
    /// Every outcome.
    pub const ALL: [Status; 6] = [
        Status::Verified,
        Status::IntegrityOnly,
        Status::Invalid,
        Status::Unverifiable,
        Status::Missing,
        Status::NotApplicable,
    ];

    /// The word of design.md 3.5.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Verified => "VERIFIED",
            Status::IntegrityOnly => "INTEGRITY_ONLY",
            Status::Invalid => "INVALID",
            Status::Unverifiable => "UNVERIFIABLE",
            Status::Missing => "MISSING",
            Status::NotApplicable => "NOT_APPLICABLE",
        }
    }

    /// Whether nothing is left to be desired; of everything else the CPO hears in the answer to its POST.
    pub fn is_settled(self) -> bool {
        matches!(self, Status::Verified | Status::NotApplicable)
    }
}

/// The answer to one protection goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Reached.
    Pass,
    /// Missed.
    Fail,
    /// Cannot be said.
    Unknown,
}

impl Goal {
    /// `PASS`, `FAIL` or `UNKNOWN`.
    pub fn as_str(self) -> &'static str {
        match self {
            Goal::Pass => "PASS",
            Goal::Fail => "FAIL",
            Goal::Unknown => "UNKNOWN",
        }
    }
}

/// The five protection goals, reported separately (key-registry.md SAF-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goals {
    /// Readings and CDR agree; unknown while integrity is not proven.
    pub truthfulness: Goal,
    /// The signature.
    pub integrity: Goal,
    /// The key belongs to that meter and EVSE at that time.
    pub authenticity: Goal,
    /// The identification names the payer.
    pub imputability: Goal,
    /// The record is kept and can be exported.
    pub availability: Goal,
}

/// The key a verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUsed {
    /// On whose word.
    pub trust: KeyTrust,
    /// Its fingerprint.
    pub fingerprint: Option<String>,
    /// Its curve.
    pub curve: Option<Curve>,
    /// The meter: as registered, otherwise as the record says.
    pub meter_serial: Option<String>,
    /// The registration it comes from.
    pub registration: Option<String>,
    /// The record time of the lookup: for it, the registry gives the same answer again. `None` where it was not asked.
    pub known_at: Option<DateTime<Utc>>,
}

/// A finding with its place in the CDR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointedFinding {
    /// Its name.
    pub code: Code,
    /// How much it matters, configuration applied.
    pub severity: Severity,
    /// JSON pointer into the CDR; empty for the whole.
    pub pointer: String,
    /// A sentence for people.
    pub message: String,
    /// On whose word it rests that something was to be expected (key-registry.md SAF-48).
    pub sources: Vec<Source>,
}

/// Who said so, and when: that an EVSE is calibrated, so that a CDR must bring signed data; or that a customer does without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// [`Source::REGISTRY`], [`Source::LOCATION`] or [`Source::WAIVER`].
    pub source: &'static str,
    /// What says so there: the id of a registration, a location and the uid of its EVSE, the id of a waiver.
    pub reference: String,
    /// From when on it says so.
    pub valid_from: DateTime<Utc>,
    /// Until when, exclusive.
    pub valid_to: Option<DateTime<Utc>>,
    /// When the source learned of it.
    pub recorded_at: Option<DateTime<Utc>>,
}

/// A reading as verdicts show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownReading {
    /// The label of its value.
    pub nature: Option<String>,
    /// The reading.
    pub reading: Reading,
}

impl Source {
    /// A registration: that the EVSE is calibrated follows from it.
    pub const REGISTRY: &'static str = "REGISTRY";
    /// The location of the EVSE, which claims so: worth nothing alone (key-registry.md SAF-48).
    pub const LOCATION: &'static str = "LOCATION";
    /// A waiver of the eMSP.
    pub const WAIVER: &'static str = "WAIVER";
}

/// What is known about a CDR's signed values. Append-only once stored: a re-check makes another one.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Which CDR.
    pub cdr: Identity,
    /// The outcome.
    pub status: Status,
    /// Whether it may be billed on.
    pub billable: bool,
    /// `encoding_method` as sent.
    pub encoding_method: Option<String>,
    /// The five goals.
    pub goals: Goals,
    /// The key.
    pub key: KeyUsed,
    /// The billed readings; all there are if none is billed.
    pub readings: Vec<ShownReading>,
    /// Signed energy between begin and end, in kWh, exact.
    pub signed_energy_kwh: Option<String>,
    /// `total_energy` as written.
    pub cdr_energy_kwh: Option<String>,
    /// Everything that was found, errors first.
    pub findings: Vec<PointedFinding>,
    /// The blocks this CDR uses up when it is taken.
    pub blocks: Vec<UsedBlock>,
}

impl Verdict {
    /// The names that say why the CDR is not simply verified: errors, or for lack of any the warnings about the key. Each once, in order.
    pub fn reasons(&self) -> Vec<&'static str> {
        let named = |wanted: &dyn Fn(&PointedFinding) -> bool| {
            let mut names: Vec<&'static str> = Vec::new();
            for name in self
                .findings
                .iter()
                .filter(|finding| wanted(finding))
                .map(|finding| finding.code.as_str())
            {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        };
        let errors = named(&|finding| finding.severity == Severity::Error);
        if errors.is_empty() {
            named(&|finding| matches!(finding.code, Code::KeyNotRegistered | Code::KeyNotYetConfirmed))
        } else {
            errors
        }
    }
}

/// One signed block under one key: what may serve only one CDR.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UsedBlock {
    /// SHA-256 over format and signed octets, lower-case hex.
    pub digest: String,
    /// Fingerprint of the key it verified under, lower-case hex. Part of the identity, so that nobody can use up another's block by
    /// signing its octets with a key of his own.
    pub fingerprint: String,
}

/// The billed readings; all there are if none is billed.
pub fn shown_readings(examination: &Examination) -> Vec<ShownReading> {
    let all = || {
        examination
            .records
            .iter()
            .flat_map(|record| record.statement.readings.iter().map(move |reading| (record, reading)))
    };
    let any_billed = all().any(|(_, reading)| reading.billed);
    all()
        .filter(|(_, reading)| reading.billed || !any_billed)
        .map(|(record, reading)| ShownReading {
            nature: record.nature.clone(),
            reading: reading.clone(),
        })
        .collect()
}

impl From<Finding> for PointedFinding {
    fn from(finding: Finding) -> PointedFinding {
        let pointer = match finding.place {
            Place::Session => "/signed_data".to_owned(),
            Place::Record(index) => format!("/signed_data/signed_values/{index}"),
            Place::PlainData(index) => format!("/signed_data/signed_values/{index}/plain_data"),
            Place::Nature(index) => format!("/signed_data/signed_values/{index}/nature"),
            Place::Label => "/signed_data/encoding_method".to_owned(),
            Place::Key => "/signed_data/public_key".to_owned(),
            Place::BilledEnergy => "/total_energy".to_owned(),
            Place::BilledStart => "/start_date_time".to_owned(),
            Place::BilledEnd => "/end_date_time".to_owned(),
            Place::BilledEvse => "/cdr_location/evse_id".to_owned(),
            Place::BilledMeter => "/meter_id".to_owned(),
            Place::BilledPayer => "/cdr_token".to_owned(),
        };
        PointedFinding {
            code: finding.code,
            severity: finding.severity,
            pointer,
            message: finding.message,
            sources: Vec::new(),
        }
    }
}
