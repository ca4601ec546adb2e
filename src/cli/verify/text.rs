//! The answer as text: a report that a driver can read (key-registry.md CAL-IF08). Who, where, when, from which value to which, under whose key, and
//! what failed and why.
//!
//! What a record says about itself is shown with control characters replaced. Whom it names is shown by its last characters only: enough to know
//! one's own card by, too little to use somebody else's.

use std::fmt::Write as _;

use super::json::shown_readings;
use super::{Answer, SessionAnswer, decisive};
use crate::metering::finding::{Code, Finding, Outcome};
use crate::metering::formats::FormatName;
use crate::metering::reading::Reading;
use crate::metering::record::{Identification, KeyTrust};
use crate::metering::session::{RecordExamination, signed_energy_kwh};
use crate::metering::verdict::SignatureAnswer;

/// Most sessions whose records are shown one by one; of a longer file those that are good have a line.
const MOST_IN_FULL: usize = 20;

impl Answer {
    pub(super) fn as_text(&self) -> String {
        let mut text = String::new();
        line(&mut text, &self.headline());
        line(&mut text, self.whose_word());
        let several = self.sessions.len() > 1;
        for (index, session) in self.sessions.iter().enumerate() {
            let outcome = session.outcome();
            if several {
                let name = session
                    .transaction
                    .as_deref()
                    .map(|transaction| format!(", transaction {}", printable(transaction)))
                    .unwrap_or_default();
                let what = format!("Session {} of {}{name}", index + 1, self.sessions.len());
                line(&mut text, &format!("\n{what}: {}", sentence_of(outcome, session)));
            }
            if self.sessions.len() <= MOST_IN_FULL || outcome != Outcome::Valid {
                session.write_text(&mut text);
            }
        }
        write_findings(&mut text, self.further.iter());
        text
    }

    fn headline(&self) -> String {
        let outcome = self.outcome();
        let reason = decisive(outcome, self.findings())
            .map(|finding| printable(&finding.message))
            .unwrap_or_default();
        match outcome {
            Outcome::Valid => format!("VALID: {}; every signature fits and nothing contradicts it.", self.what),
            Outcome::Invalid => format!("INVALID: {}; {reason}.", self.what),
            Outcome::Unverifiable => format!("CANNOT BE DECIDED: {}; {reason}.", self.what),
        }
    }

    fn whose_word(&self) -> &'static str {
        let trust = self
            .sessions
            .iter()
            .flat_map(|session| &session.examination.records)
            .find_map(|record| record.key.as_ref().map(|(_, trust)| *trust));
        let outcome = self.outcome();
        let key_is_missing =
            || decisive(outcome, self.findings()).is_some_and(|finding| finding.code == Code::NoPublicKey);
        match (outcome, trust) {
            (Outcome::Valid, Some(KeyTrust::Delivered)) => {
                "The key came along with the record: that nothing was changed since is proven, who signed it is only the sender's word.\n\
                 Compare the fingerprint with a register of meter keys, or give the key of the meter with --public-key."
            }
            (Outcome::Valid, Some(KeyTrust::Given)) => {
                "The key is the one you gave: the holder of that key signed this record."
            }
            (Outcome::Unverifiable, None) if key_is_missing() => {
                "Give the public key of the meter with --public-key; it is printed on the station or found in a register of meter keys."
            }
            _ => "",
        }
    }
}

fn sentence_of(outcome: Outcome, session: &SessionAnswer) -> String {
    let reason = decisive(outcome, session.findings())
        .map(|finding| printable(&finding.message))
        .unwrap_or_default();
    match outcome {
        Outcome::Valid => "VALID; every signature fits and nothing contradicts it.".to_owned(),
        Outcome::Invalid => format!("INVALID; {reason}."),
        Outcome::Unverifiable => format!("CANNOT BE DECIDED; {reason}."),
    }
}

impl SessionAnswer {
    fn write_text(&self, text: &mut String) {
        let records = &self.examination.records;
        let before = text.len();
        self.write_story(text);
        if text.len() > before {
            text.insert(before, '\n');
        }
        for (index, record) in records.iter().enumerate().filter(|(_, record)| record.format.is_some()) {
            text.push('\n');
            write_record(text, index, records.len(), record);
        }
        if let Some(signed) = signed_energy_kwh(&self.examination) {
            let billed = self
                .billed_kwh
                .map(|billed| format!(", billed {billed} kWh"))
                .unwrap_or_default();
            line(text, &format!("\nEnergy      signed {signed} kWh{billed}"));
        }
        write_findings(text, self.findings());
    }

    /// Who, where, when, from which value to which.
    fn write_story(&self, text: &mut String) {
        let records = &self.examination.records;
        let first = |of: fn(&RecordExamination) -> Option<&str>| records.iter().find_map(of);
        if let Some(identification) = records
            .iter()
            .find_map(|record| record.statement.identification.as_ref())
        {
            let level = first(|record| record.statement.identification_level.as_deref())
                .map(|level| format!(", assigned as {}", printable(level)))
                .unwrap_or_default();
            line(text, &format!("Who         {}{level}", masked(identification)));
        }
        let places = [
            (
                "station",
                first(|record| record.statement.charge_point.as_ref().map(|point| point.id.as_str())),
            ),
            ("meter", first(|record| record.statement.meter_serial.as_deref())),
            ("gateway", first(|record| record.statement.gateway_serial.as_deref())),
        ];
        let places: Vec<String> = places
            .into_iter()
            .filter_map(|(name, serial)| Some(format!("{name} {}", printable(serial?))))
            .collect();
        if !places.is_empty() {
            line(text, &format!("Where       {}", places.join(", ")));
        }
        for (label, reading) in [
            ("Begin", self.examination.begin_reading()),
            ("End", self.examination.end_reading()),
        ] {
            if let Some(reading) = reading {
                let value = format!("{} {}", printable(&reading.value_text), printable(&reading.unit));
                line(text, &format!("{label:<11} {}, {value}", moment(reading)));
            }
        }
    }
}

fn write_findings<'f>(text: &mut String, findings: impl Iterator<Item = &'f Finding>) {
    let findings: Vec<&Finding> = findings.collect();
    if findings.is_empty() {
        return;
    }
    line(text, "\nFindings");
    for finding in findings {
        let severity = finding.severity.as_str();
        line(
            text,
            &format!("  {severity:<7} {}: {}", finding.code, printable(&finding.message)),
        );
    }
}

fn write_record(text: &mut String, index: usize, count: usize, record: &RecordExamination) {
    let format = record.format.map_or("unknown format", FormatName::as_str);
    let curve = record
        .curve
        .map(|curve| format!(", {}", curve.name()))
        .unwrap_or_default();
    let nature = record
        .nature
        .as_deref()
        .map(|nature| format!(", {}", printable(nature)))
        .unwrap_or_default();
    line(
        text,
        &format!("Record {} of {count}: {format}{curve}{nature}", index + 1),
    );
    let signature = match record.signature {
        SignatureAnswer::Fits(_) => "fits",
        SignatureAnswer::DoesNotFit(_) => "does not fit",
        SignatureAnswer::CannotTell(_) => "cannot be checked",
    };
    line(text, &format!("  Signature {signature}"));
    if let Some((key, trust)) = &record.key {
        let source = match trust {
            KeyTrust::Registered => "registered",
            KeyTrust::Delivered => "came along with the record",
            KeyTrust::Given => "given by you",
            KeyTrust::None => "none",
        };
        line(
            text,
            &format!("  Key       {source}, fingerprint {}", key.fingerprint()),
        );
    }
    for shown in shown_readings(record) {
        line(text, &format!("  Reading   {}", sentence(&shown.reading)));
    }
    for deviation in &record.statement.deviations {
        line(text, &format!("  Note      {}", deviation.sentence()));
    }
}

fn sentence(reading: &Reading) -> String {
    let marker = reading
        .marker
        .as_ref()
        .map(|marker| format!("{marker:?}, "))
        .unwrap_or_default();
    format!(
        "{} {} at {} ({}clock {}), register {}",
        printable(&reading.value_text),
        printable(&reading.unit),
        moment(reading),
        printable(&marker),
        reading.time.status.as_str().to_lowercase(),
        printable(&reading.register)
    )
}

fn moment(reading: &Reading) -> String {
    match reading.time.instant {
        Some(instant) => instant.format("%Y-%m-%d %H:%M:%S %:z").to_string(),
        None => printable(&reading.time.text),
    }
}

/// The last four characters of an identification, if it is long enough to hide behind them.
fn masked(identification: &Identification) -> String {
    const SHOWN: usize = 4;
    let id: Vec<char> = printable(identification.reveal().trim()).chars().collect();
    match id.len() {
        0 => "nobody is named".to_owned(),
        length if length < 2 * SHOWN => "a card or contract whose name is too short to show a part of it".to_owned(),
        length => format!(
            "the card or contract ending in {}",
            id[length - SHOWN..].iter().collect::<String>()
        ),
    }
}

fn line(text: &mut String, content: &str) {
    if !content.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{content}");
    }
}

/// Text of a record for a terminal: nothing that moves the cursor, nothing endless.
fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
