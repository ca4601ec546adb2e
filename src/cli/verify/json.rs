//! The answer as JSON: always one shape, whatever was asked about (design.md 3.5). Of a file of many sessions the records stand in one list, in
//! their order, and what concerns one session points to its first record.

use serde::Serialize;

use super::{Answer, SessionAnswer};
use crate::evidence::assess::{PointedFinding, ShownReading};
use crate::evidence::report::{FindingShown, ReadingShown};
use crate::metering::finding::{Finding, Place};
use crate::metering::formats::FormatName;
use crate::metering::record::KeyTrust;
use crate::metering::session::RecordExamination;

#[derive(Serialize)]
struct AnswerShown<'a> {
    status: &'static str,
    records: Vec<RecordShown<'a>>,
    findings: Vec<FindingShown<'a>>,
}

#[derive(Serialize)]
struct RecordShown<'a> {
    format: Option<&'static str>,
    curve: Option<&'static str>,
    signature: &'static str,
    key: KeyShown,
    readings: Vec<ReadingShown<'a>>,
    findings: Vec<FindingShown<'a>>,
}

#[derive(Serialize)]
struct KeyShown {
    trust: &'static str,
    fingerprint: Option<String>,
}

impl Answer {
    pub(super) fn as_json(&self) -> String {
        let records = || self.sessions.iter().flat_map(|session| &session.examination.records);
        let readings: Vec<Vec<ShownReading>> = records().map(shown_readings).collect();
        let mut of_records: Vec<Vec<PointedFinding>> = Vec::new();
        let mut of_sessions: Vec<PointedFinding> = Vec::new();
        for session in &self.sessions {
            let first = of_records.len();
            for (at, record) in session.examination.records.iter().enumerate() {
                let here = |_: &Finding| Some(first + at);
                of_records.push(pointed(session, record.findings.iter(), here));
            }
            // Of several sessions one without a pointer could be any.
            let otherwise = (self.sessions.len() > 1 && !session.examination.records.is_empty()).then_some(first);
            let with_session = |finding: &Finding| session.record_of(finding).map(|at| first + at).or(otherwise);
            of_sessions.extend(pointed(
                session,
                session.examination.findings.iter().chain(&session.further),
                with_session,
            ));
        }
        of_sessions.extend(self.further.iter().cloned().map(|finding| PointedFinding {
            pointer: String::new(),
            ..PointedFinding::from(finding)
        }));
        let shown = AnswerShown {
            status: self.outcome().as_str(),
            records: records()
                .zip(&readings)
                .zip(&of_records)
                .map(|((record, readings), findings)| RecordShown {
                    format: record.format.map(FormatName::as_str),
                    curve: record.curve.map(|curve| curve.name()),
                    signature: record.signature.as_str(),
                    key: KeyShown {
                        trust: record.key.as_ref().map_or(KeyTrust::None, |(_, trust)| *trust).as_str(),
                        fingerprint: record.key.as_ref().map(|(key, _)| key.fingerprint()),
                    },
                    readings: readings.iter().map(ReadingShown::from).collect(),
                    findings: findings.iter().map(FindingShown::from).collect(),
                })
                .collect(),
            findings: of_sessions.iter().map(FindingShown::from).collect(),
        };
        // Strings only: there is nothing in it that could fail to be written.
        serde_json::to_string_pretty(&shown).unwrap_or_default()
    }
}

impl SessionAnswer {
    /// The place in the session's list of the first record that a finding is about.
    fn record_of(&self, finding: &Finding) -> Option<usize> {
        let (Place::Record(value) | Place::PlainData(value) | Place::Nature(value)) = finding.place else {
            return None;
        };
        self.examination.records.iter().position(|record| record.value == value)
    }
}

/// Findings of a CDR point into the CDR, all others into the answer's own list.
fn pointed<'f>(
    session: &SessionAnswer,
    findings: impl Iterator<Item = &'f Finding>,
    at: impl Fn(&Finding) -> Option<usize>,
) -> Vec<PointedFinding> {
    findings
        .map(|finding| {
            let mut pointed = PointedFinding::from(finding.clone());
            if !session.is_cdr {
                pointed.pointer = at(finding).map(|index| format!("/records/{index}")).unwrap_or_default();
            }
            pointed
        })
        .collect()
}

pub(super) fn shown_readings(record: &RecordExamination) -> Vec<ShownReading> {
    let any_billed = record.statement.readings.iter().any(|reading| reading.billed);
    let worth_showing = record
        .statement
        .readings
        .iter()
        .filter(|reading| reading.billed || !any_billed);
    worth_showing
        .map(|reading| ShownReading {
            nature: record.nature.clone(),
            reading: reading.clone(),
        })
        .collect()
}
