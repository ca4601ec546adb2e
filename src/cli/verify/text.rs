//! The answer as text: a report that a driver can read.
//!
//! What a record says about itself is shown with control characters replaced; whom it names is not shown.

use std::fmt::Write as _;

use super::Answer;
use super::json::shown_readings;
use crate::metering::finding::{Code, Finding, Outcome};
use crate::metering::formats::FormatName;
use crate::metering::reading::Reading;
use crate::metering::record::KeyTrust;
use crate::metering::session::{RecordExamination, signed_energy_kwh};
use crate::metering::verdict::SignatureAnswer;

impl Answer {
    pub(super) fn as_text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text);
        text
    }

    fn write_text(&self, text: &mut String) {
        line(text, &self.headline());
        line(text, &self.whose_word());
        let count = self.examination.records.len();
        for (index, record) in self
            .examination
            .records
            .iter()
            .enumerate()
            .filter(|(_, record)| record.format.is_some())
        {
            text.push('\n');
            write_record(text, index, count, record);
        }
        if let Some(signed) = signed_energy_kwh(&self.examination) {
            let billed = self
                .billed_kwh
                .map(|billed| format!(", billed {billed} kWh"))
                .unwrap_or_default();
            line(text, &format!("\nEnergy      signed {signed} kWh{billed}"));
        }
        let findings: Vec<&Finding> = self.findings().collect();
        if !findings.is_empty() {
            line(text, "\nFindings");
            for finding in findings {
                line(
                    text,
                    &format!(
                        "  {:<7} {}: {}",
                        finding.severity.as_str(),
                        finding.code,
                        printable(&finding.message)
                    ),
                );
            }
        }
    }

    fn headline(&self) -> String {
        let reason = self
            .decisive()
            .map(|finding| printable(&finding.message))
            .unwrap_or_default();
        let format = self
            .examination
            .records
            .iter()
            .find_map(|record| match record.signature {
                SignatureAnswer::CannotTell(Code::UnsupportedFormat) => record.format,
                _ => None,
            });
        match (self.outcome(), format) {
            (Outcome::Valid, _) => format!("VALID: {}; every signature fits and nothing contradicts it.", self.what),
            (Outcome::Invalid, _) => format!("INVALID: {}; {reason}.", self.what),
            (Outcome::Unverifiable, Some(format)) => format!(
                "CANNOT BE DECIDED YET: the format is {}, which this version does not read.",
                format.as_str()
            ),
            (Outcome::Unverifiable, None) => format!("CANNOT BE DECIDED: {}; {reason}.", self.what),
        }
    }

    fn whose_word(&self) -> String {
        let trust = self
            .examination
            .records
            .iter()
            .find_map(|record| record.key.as_ref().map(|(_, trust)| *trust));
        match (self.outcome(), trust) {
            (Outcome::Valid, Some(KeyTrust::Delivered)) => {
                "The key came along with the record: that nothing was changed since is proven, who signed it is only the sender's word.\n\
                 Compare the fingerprint with a register of meter keys, or give the key of the meter with --public-key."
            }
            (Outcome::Valid, Some(KeyTrust::Given)) => "The key is the one you gave: the holder of that key signed this record.",
            (Outcome::Unverifiable, None) if self.decisive().is_some_and(|finding| finding.code == Code::NoPublicKey) => {
                "Give the public key of the meter with --public-key; it is printed on the station or found in a register of meter keys."
            }
            _ => "",
        }
        .to_owned()
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
    for (label, serial) in [("Meter", &record.meter_serial), ("Gateway", &record.gateway_serial)] {
        if let Some(serial) = serial {
            line(text, &format!("  {label:<9} {}", printable(serial)));
        }
    }
    if let Some(point) = &record.charge_point {
        line(text, &format!("  Station   {}", printable(&point.id)));
    }
    for shown in shown_readings(record) {
        line(text, &format!("  Reading   {}", sentence(&shown.reading)));
    }
    for deviation in &record.deviations {
        line(text, &format!("  Note      {}", deviation.sentence()));
    }
}

fn sentence(reading: &Reading) -> String {
    let time = match reading.time.instant {
        Some(instant) => instant.format("%Y-%m-%d %H:%M:%S %:z").to_string(),
        None => printable(&reading.time.text),
    };
    let marker = reading
        .marker
        .as_ref()
        .map(|marker| format!("{marker:?}, "))
        .unwrap_or_default();
    format!(
        "{} {} at {time} ({}clock {}), register {}",
        printable(&reading.value_text),
        printable(&reading.unit),
        printable(&marker),
        reading.time.status.as_str().to_lowercase(),
        printable(&reading.register)
    )
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
