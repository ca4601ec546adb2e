//! The answer as JSON: always one shape, whatever was asked about (design.md 3.5).

use serde::Serialize;

use super::Answer;
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
        let readings: Vec<Vec<ShownReading>> = self.examination.records.iter().map(shown_readings).collect();
        let of_records: Vec<Vec<PointedFinding>> = self
            .examination
            .records
            .iter()
            .map(|record| self.pointed(record.findings.iter()))
            .collect();
        let of_session = self.pointed(self.examination.findings.iter().chain(&self.further));
        let records = self.examination.records.iter().zip(&readings).zip(&of_records);
        let shown = AnswerShown {
            status: self.outcome().as_str(),
            records: records
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
            findings: of_session.iter().map(FindingShown::from).collect(),
        };
        // Strings only: there is nothing in it that could fail to be written.
        serde_json::to_string_pretty(&shown).unwrap_or_default()
    }

    /// Findings of a CDR point into the CDR, findings of records into the answer's own list.
    fn pointed<'f>(&self, findings: impl Iterator<Item = &'f Finding>) -> Vec<PointedFinding> {
        findings
            .map(|finding| {
                let mut pointed = PointedFinding::from(finding.clone());
                if !self.is_cdr {
                    pointed.pointer = match finding.place {
                        Place::Record(index) | Place::PlainData(index) | Place::Nature(index) => {
                            format!("/records/{index}")
                        }
                        _ => String::new(),
                    };
                }
                pointed
            })
            .collect()
    }
}

pub(super) fn shown_readings(record: &RecordExamination) -> Vec<ShownReading> {
    let any_billed = record.readings.iter().any(|reading| reading.billed);
    let worth_showing = record.readings.iter().filter(|reading| reading.billed || !any_billed);
    worth_showing
        .map(|reading| ShownReading {
            nature: record.nature.clone(),
            reading: reading.clone(),
        })
        .collect()
}
