//! The verdict as a document: the JSON of design.md 3.5, written once and kept.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::assess::{Goals, KeyUsed, PointedFinding, ShownReading, Source, Verdict};
use crate::metering::finding::Code;

/// Which program said so.
pub const SOFTWARE: &str = concat!("truewatt ", env!("CARGO_PKG_VERSION"));

/// A look at a CDR: who looked, when, and why (key-registry.md SAF-03).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// When.
    pub at: DateTime<Utc>,
    /// On whose behalf: the hub's party as `DE/TWH`, or `operator`.
    pub by: String,
    /// Why.
    pub occasion: Occasion,
}

/// Why a CDR was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It came in.
    Received,
    /// An operator asked for it.
    Operator,
    /// The registry changed.
    Registry,
}

impl Occasion {
    /// The word of a verdict.
    pub fn as_str(self) -> &'static str {
        match self {
            Occasion::Received => "RECEIVED",
            Occasion::Operator => "OPERATOR",
            Occasion::Registry => "REGISTRY",
        }
    }
}

/// Whether two documents say the same about a CDR: the same status for the same reasons, by the same key. When and by whom it was said does
/// not count.
#[must_use]
pub fn says_the_same(one: &str, other: &str) -> bool {
    let said = |document: &str| {
        let document: Value = serde_json::from_str(document).ok()?;
        let findings = document["findings"].as_array()?.iter();
        let findings = findings.map(|finding| json!([finding["code"], finding["severity"], finding["pointer"]]));
        Some(json!({
            "status": document["status"],
            "billable": document["billable"],
            "goals": document["goals"],
            "key": [document["key"]["trust"], document["key"]["fingerprint"]],
            "findings": findings.collect::<Vec<_>>(),
        }))
    };
    said(one).is_some_and(|one| said(other) == Some(one))
}

/// Whether a document has a finding of that name.
#[must_use]
pub fn names(document: &str, code: Code) -> bool {
    let document: Option<Value> = serde_json::from_str(document).ok();
    let findings = document.as_ref().and_then(|document| document["findings"].as_array());
    findings.is_some_and(|findings| findings.iter().any(|finding| finding["code"] == code.as_str()))
}

/// Writes the verdict down.
pub fn document(verdict: &Verdict, check: &Check) -> String {
    let document = Document {
        cdr: CdrName {
            country_code: &verdict.cdr.country_code,
            party_id: &verdict.cdr.party_id,
            id: &verdict.cdr.id,
        },
        status: verdict.status.as_str(),
        billable: verdict.billable,
        checked_at: written(check.at),
        checked_by: &check.by,
        occasion: check.occasion.as_str(),
        software: SOFTWARE,
        encoding_method: verdict.encoding_method.as_deref(),
        goals: GoalsShown::from(&verdict.goals),
        key: KeyShown::from(&verdict.key),
        readings: verdict.readings.iter().map(ReadingShown::from).collect(),
        signed_energy_kwh: verdict.signed_energy_kwh.as_deref(),
        cdr_energy_kwh: verdict.cdr_energy_kwh.as_deref(),
        findings: verdict.findings.iter().map(FindingShown::from).collect(),
    };
    // Strings and booleans only: there is nothing in it that could fail to be written.
    serde_json::to_string(&document).unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'v> {
    cdr: CdrName<'v>,
    status: &'static str,
    billable: bool,
    checked_at: String,
    checked_by: &'v str,
    occasion: &'static str,
    software: &'static str,
    encoding_method: Option<&'v str>,
    goals: GoalsShown,
    key: KeyShown<'v>,
    readings: Vec<ReadingShown<'v>>,
    signed_energy_kwh: Option<&'v str>,
    cdr_energy_kwh: Option<&'v str>,
    findings: Vec<FindingShown<'v>>,
}

#[derive(Serialize)]
struct CdrName<'v> {
    country_code: &'v str,
    party_id: &'v str,
    id: &'v str,
}

#[derive(Serialize)]
struct GoalsShown {
    truthfulness: &'static str,
    integrity: &'static str,
    authenticity: &'static str,
    imputability: &'static str,
    availability: &'static str,
}

impl From<&Goals> for GoalsShown {
    fn from(goals: &Goals) -> GoalsShown {
        GoalsShown {
            truthfulness: goals.truthfulness.as_str(),
            integrity: goals.integrity.as_str(),
            authenticity: goals.authenticity.as_str(),
            imputability: goals.imputability.as_str(),
            availability: goals.availability.as_str(),
        }
    }
}

#[derive(Serialize)]
struct KeyShown<'v> {
    trust: &'static str,
    fingerprint: Option<&'v str>,
    curve: Option<&'static str>,
    meter_serial: Option<&'v str>,
    /// The registration it rests on, and the record time at which the registry was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_at: Option<String>,
}

impl<'v> From<&'v KeyUsed> for KeyShown<'v> {
    fn from(key: &'v KeyUsed) -> KeyShown<'v> {
        KeyShown {
            trust: key.trust.as_str(),
            fingerprint: key.fingerprint.as_deref(),
            curve: key.curve.map(|curve| curve.name()),
            meter_serial: key.meter_serial.as_deref(),
            registration: key.registration.as_deref(),
            known_at: key.known_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
        }
    }
}

/// A reading as it stands in verdicts and in the answer of `verify`: the value and its unit as signed, the time with its offset.
#[derive(Serialize)]
pub struct ReadingShown<'v> {
    nature: Option<&'v str>,
    time: String,
    time_status: &'static str,
    obis: &'v str,
    value: &'v str,
    unit: &'v str,
}

impl<'v> From<&'v ShownReading> for ReadingShown<'v> {
    fn from(shown: &'v ShownReading) -> ReadingShown<'v> {
        let reading = &shown.reading;
        ReadingShown {
            nature: shown.nature.as_deref(),
            time: match reading.time.instant {
                Some(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
                None => reading.time.text.clone(),
            },
            time_status: reading.time.status.as_str(),
            obis: &reading.register,
            value: &reading.value_text,
            unit: &reading.unit,
        }
    }
}

/// A finding as it stands in verdicts.
#[derive(Serialize)]
pub struct FindingShown<'v> {
    code: &'static str,
    severity: &'static str,
    pointer: &'v str,
    message: &'v str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceShown<'v>>,
}

#[derive(Serialize)]
struct SourceShown<'v> {
    source: &'static str,
    reference: &'v str,
    valid_from: String,
    valid_to: Option<String>,
    recorded_at: Option<String>,
}

impl<'v> From<&'v Source> for SourceShown<'v> {
    fn from(source: &'v Source) -> SourceShown<'v> {
        SourceShown {
            source: source.source,
            reference: &source.reference,
            valid_from: written(source.valid_from),
            valid_to: source.valid_to.map(written),
            recorded_at: source.recorded_at.map(written),
        }
    }
}

fn written(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl<'v> From<&'v PointedFinding> for FindingShown<'v> {
    fn from(finding: &'v PointedFinding) -> FindingShown<'v> {
        FindingShown {
            code: finding.code.as_str(),
            severity: finding.severity.as_str(),
            pointer: &finding.pointer,
            message: &finding.message,
            sources: finding.sources.iter().map(SourceShown::from).collect(),
        }
    }
}
