//! Signed records with the verdict of somebody else's verifiers: every row of the corpus must come out as they say.
//!
//! The corpus is found as `tests/corpus` says. A row agrees when the outcome is `expected` or in `also_acceptable`.

#![allow(clippy::unwrap_used)]

#[path = "oracle/containers.rs"]
mod containers;
mod corpus;

use chrono::DateTime;
use serde::Deserialize;
use serde_json::value::RawValue;
use truewatt::cli::verify::{VerifyArgs, run};
use truewatt::evidence::assess::{
    Assessment, KeyKnowledge, KeyQuestion, Policy, RegisteredKey, Status, UsedBlock, assess,
};
use truewatt::evidence::report;
use truewatt::metering::finding::{Code, Finding, Outcome};
use truewatt::metering::key::{Curve, PublicKey};
use truewatt::metering::reading::{Reading, exact_decimal};
use truewatt::metering::record::{Given, JudgedAs, SignedValue};
use truewatt::metering::session::{Examination, examine};

#[derive(Deserialize)]
struct Row {
    id: String,
    kind: String,
    format: String,
    encoding_method: Option<String>,
    signed_data: Option<String>,
    public_key: Option<String>,
    registry_public_key: Option<String>,
    records: Option<Vec<RecordRow>>,
    #[serde(flatten)]
    agreed: Agreed,
    signature: Option<String>,
    findings: Option<Vec<String>>,
    meter_serial: Option<String>,
    start_time: Option<String>,
    stop_time: Option<String>,
    reading_start: Option<String>,
    reading_stop: Option<String>,
    curve: Option<String>,
    unit: Option<String>,
}

#[derive(Deserialize)]
struct RecordRow {
    nature: Option<String>,
    signed_data: String,
    public_key: Option<String>,
}

/// The verdict of a row, and those that are a matter of taste.
#[derive(Deserialize)]
struct Agreed {
    expected: String,
    also_acceptable: Option<Vec<String>>,
}

impl Agreed {
    fn words(&self) -> impl Iterator<Item = &str> {
        let others = self.also_acceptable.iter().flatten();
        std::iter::once(&self.expected).chain(others).map(String::as_str)
    }

    fn accepts(&self, outcome: &str) -> bool {
        self.words().any(|word| word == outcome)
    }
}

/// Collects disagreements, so that a run shows all of them.
#[derive(Default)]
struct Ledger {
    rows: usize,
    disagreements: Vec<String>,
}

impl Ledger {
    fn check(&mut self, agrees: bool, sentence: impl FnOnce() -> String) {
        if !agrees {
            self.disagreements.push(sentence());
        }
    }

    fn close(self, at_least: usize) {
        assert!(self.rows >= at_least, "only {} rows were judged", self.rows);
        assert!(
            self.disagreements.is_empty(),
            "{} of {} rows disagree:\n{}",
            self.disagreements.len(),
            self.rows,
            self.disagreements.join("\n")
        );
    }
}

fn shown(examination: &Examination) -> String {
    let codes: Vec<&str> = examination
        .all_findings()
        .map(|finding| finding.code.as_str())
        .collect();
    format!("{} {codes:?}", examination.outcome.as_str())
}

/// Numbers are stated in kWh for OCMF and PCDF and in Wh for the formats that count in Wh.
fn same_number(reading: Option<&Reading>, stated: Option<&str>, unit: Option<&str>) -> bool {
    let Some(stated) = stated else { return true };
    let places = if unit == Some("Wh") { "e-3" } else { "" };
    let (Some(reading), Some(in_kwh)) = (reading, exact_decimal(&format!("{stated}{places}"))) else {
        return false;
    };
    // A changed unit makes it another quantity, of the same number.
    match reading.is_energy() {
        true => reading.kilowatt_hours() == Some(in_kwh),
        false => reading.value == exact_decimal(stated),
    }
}

/// As the record has it; where that is a number, perhaps as one.
fn same_time(reading: Option<&Reading>, stated: Option<&str>) -> bool {
    let is = |reading: &Reading, stated: &str| {
        let seconds = reading.time.instant.map(|instant| instant.timestamp().to_string());
        reading.time.text == stated || seconds.as_deref() == Some(stated)
    };
    stated.is_none_or(|stated| reading.is_some_and(|reading| is(reading, stated)))
}

/// Whether the labels contradict what the records hold: then there is no telling what begins and what ends, and the corpus and we tell it
/// differently, each by one of the two.
fn is_mislabelled(examination: &Examination) -> bool {
    found(examination, &[Code::NatureMismatch])
}

fn found(examination: &Examination, codes: &[Code]) -> bool {
    examination.all_findings().any(|finding| codes.contains(&finding.code))
}

/// What a reader must get out of a record or session: readings, times, serial.
fn compare_content(ledger: &mut Ledger, row: &Row, examination: &Examination) {
    if is_mislabelled(examination) {
        return;
    }
    let unit = (row.format != "OCMF").then_some(row.unit.as_deref()).flatten();
    let readings: Vec<&Reading> = examination
        .records
        .iter()
        .flat_map(|record| &record.statement.readings)
        .collect();
    // A lone record whose format has no word for its place is entered at one side or the other; then any of its readings may be the one.
    let alone = row.records.is_none() && row.format != "OCMF";
    for (side, own, number, time) in [
        (
            "start",
            examination.begin_reading(),
            &row.reading_start,
            &row.start_time,
        ),
        ("stop", examination.end_reading(), &row.reading_stop, &row.stop_time),
    ] {
        let candidates: Vec<&Reading> = match own {
            Some(own) if !alone => vec![own],
            Some(own) if readings.len() > 1 && examination.begin.is_some() && examination.end.is_some() => vec![own],
            _ if alone => readings.clone(),
            // Nothing marks this side, and that was found; the corpus enters the record of that label all the same.
            None if found(examination, &[Code::MissingBegin, Code::MissingEnd]) => continue,
            _ => Vec::new(),
        };
        let any = |agrees: &dyn Fn(Option<&Reading>) -> bool| {
            candidates.iter().any(|reading| agrees(Some(reading))) || candidates.is_empty() && agrees(None)
        };
        ledger.check(any(&|reading| same_number(reading, number.as_deref(), unit)), || {
            format!("{}: reading_{side} {number:?}", row.id)
        });
        ledger.check(any(&|reading| same_time(reading, time.as_deref())), || {
            format!("{}: {side}_time {time:?}", row.id)
        });
    }
    if let Some(serial) = &row.meter_serial {
        let named = examination
            .records
            .first()
            .and_then(|record| record.identifying_serial());
        ledger.check(named == Some(serial), || {
            format!("{}: serial {named:?}, stated {serial}", row.id)
        });
    }
}

/// Fatal findings that the corpus states must be found, where the outcome rests on them.
fn compare_findings(ledger: &mut Ledger, row: &Row, examination: &Examination) {
    for stated in row.findings.iter().flatten() {
        let Some(code) = Code::from_name(stated) else {
            continue;
        };
        let found = examination.all_findings().any(|finding: &Finding| finding.code == code);
        // A placeholder letter (`1-b:1.8.0`) is no other register, and where the signature is wrong no finding decides.
        let is_theirs_alone = matches!(code, Code::KeyConflict | Code::RegisterMismatch)
            || is_mislabelled(examination) && follows_from_order(code)
            || row.signature.as_deref() != Some("VALID") && row.records.is_none();
        ledger.check(found || is_theirs_alone, || {
            format!(
                "{} ({}): {stated} was not found, {}",
                row.id,
                row.kind,
                shown(examination)
            )
        });
    }
}

/// Judges every row of a file of single records.
fn judge_records(file: &str, at_least: usize) {
    let Some(rows) = corpus::rows::<Row>(file) else {
        return;
    };
    let mut ledger = Ledger::default();
    for row in &rows {
        ledger.rows += 1;
        let examination = examine_record(row);
        let outcome = examination.outcome.as_str();
        ledger.check(row.agreed.accepts(outcome), || {
            format!(
                "{} ({}): expected {}, {}",
                row.id,
                row.kind,
                row.agreed.expected,
                shown(&examination)
            )
        });
        if let (Some(curve), Some(signature)) = (&row.curve, &row.signature)
            && signature == "VALID"
            && examination.outcome == Outcome::Valid
        {
            let found = examination.records[0].curve.map(|curve| curve.name());
            ledger.check(found == Some(curve.as_str()), || {
                format!("{}: curve {found:?}, stated {curve}", row.id)
            });
        }
        if !examination.records[0].statement.readings.is_empty() {
            compare_content(&mut ledger, row, &examination);
            compare_findings(&mut ledger, row, &examination);
        } else {
            ledger.check(
                row.reading_start.is_none() && row.reading_stop.is_none() || examination.outcome != Outcome::Valid,
                || format!("{}: no readings although stated", row.id),
            );
        }
    }
    ledger.close(at_least);
}

fn examine_record(row: &Row) -> Examination {
    // A compressed point does not name its curve; the row does.
    let curve = row.curve.as_deref().and_then(Curve::from_name);
    let registered = row.registry_public_key.as_deref().map(|text| {
        PublicKey::read(text, None)
            .or_else(|_| PublicKey::read(text, curve))
            .unwrap()
    });
    let value = SignedValue {
        signed_data: row.signed_data.as_deref().unwrap(),
        ..SignedValue::default()
    };
    let given = Given {
        encoding_method: row.encoding_method.as_deref(),
        delivered_key: row.public_key.as_deref(),
        registered_key: registered.as_ref(),
        given_key: None,
    };
    examine(&[value], &given, JudgedAs::Record)
}

/// Findings that depend on which record is taken for the first.
fn follows_from_order(code: Code) -> bool {
    use Code::*;
    matches!(
        code,
        MissingBegin
            | MissingEnd
            | MultipleBegin
            | MultipleEnd
            | MeterWentBackwards
            | TimeWentBackwards
            | EnergyMismatch
            | StartTimeMismatch
            | EndTimeMismatch
    )
}

#[test]
fn every_ocmf_record_of_the_corpus_comes_out_as_two_independent_verifiers_say() {
    judge_records("ocmf.json", 433);
}

#[test]
fn every_alfen_record_of_the_corpus_comes_out_as_expected() {
    judge_records("alfen.json", 123);
}

#[test]
fn every_edl40_record_of_the_corpus_comes_out_as_expected() {
    judge_records("edl40.json", 91);
}

#[test]
fn every_isa_record_of_the_corpus_comes_out_as_expected() {
    judge_records("isa_edl40.json", 39);
}

#[test]
fn every_signature_only_record_of_the_corpus_comes_out_as_expected() {
    judge_records("edl40_sig.json", 55);
}

#[test]
fn every_mennekes_record_of_the_corpus_comes_out_as_expected() {
    judge_records("edl40_mennekes.json", 61);
}

#[test]
fn every_pcdf_record_of_the_corpus_comes_out_as_two_independent_verifiers_say() {
    judge_records("pcdf.json", 71);
}

#[test]
fn every_session_of_the_corpus_comes_out_as_expected() {
    let Some(rows) = corpus::rows::<Row>("sessions.json") else {
        return;
    };
    let mut ledger = Ledger::default();
    for row in &rows {
        ledger.rows += 1;
        let records = row.records.as_deref().unwrap();
        let values: Vec<SignedValue<'_>> = records
            .iter()
            .map(|record| SignedValue {
                nature: record.nature.as_deref(),
                plain_data: "",
                signed_data: &record.signed_data,
                delivered_key: record.public_key.as_deref(),
            })
            .collect();
        let given = Given {
            encoding_method: row.encoding_method.as_deref(),
            ..Given::default()
        };
        let examination = examine(&values, &given, JudgedAs::Session);
        let outcome = examination.outcome.as_str();
        ledger.check(row.agreed.accepts(outcome), || {
            format!(
                "{} ({}): expected {}, {}",
                row.id,
                row.kind,
                row.agreed.expected,
                shown(&examination)
            )
        });
        compare_content(&mut ledger, row, &examination);
        compare_findings(&mut ledger, row, &examination);
    }
    ledger.close(189);
}

#[derive(Deserialize)]
struct CdrRow {
    id: String,
    kind: String,
    encoding_method: Option<String>,
    cdr: Box<RawValue>,
    registry: Option<Vec<RegistryRow>>,
    previous_cdrs: Option<Vec<Box<RawValue>>>,
    energy_from_records_kwh: Option<String>,
    #[serde(flatten)]
    agreed: Agreed,
    findings: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RegistryRow {
    evse_uid: Option<String>,
    meter_serial: Option<String>,
    public_key: String,
}

/// The registry of a row, as the hub's would answer.
fn knowledge(registry: &[RegistryRow], question: &KeyQuestion) -> KeyKnowledge {
    let registered = |row: &RegistryRow| RegisteredKey {
        id: "registered".into(),
        // Alfen's keys are compressed points that do not name their curve.
        key: PublicKey::read(&row.public_key, None)
            .or_else(|_| PublicKey::read(&row.public_key, Some(Curve::Secp192r1)))
            .unwrap(),
        meter_serial: row.meter_serial.clone(),
        gateway_serial: None,
        evse_id: None,
        evse_uid: row.evse_uid.clone(),
        cpo: question.cpo.clone(),
        valid_from: DateTime::UNIX_EPOCH,
        valid_to: None,
        calibrated: true,
        registered_at: None,
        is_confirmed: true,
    };
    let is_asked_for = |row: &&RegistryRow| {
        row.evse_uid.is_some() && row.evse_uid == question.evse_uid
            || row
                .meter_serial
                .as_ref()
                .is_some_and(|serial| question.meter_serials.contains(serial))
    };
    KeyKnowledge {
        for_evse: registry.iter().filter(is_asked_for).map(registered).collect(),
        ..KeyKnowledge::default()
    }
}

impl CdrRow {
    fn assess(&self, cdr: &RawValue) -> Assessment {
        let registry = self.registry.as_deref().unwrap_or_default();
        assess(
            cdr.get().as_bytes(),
            |question| knowledge(registry, question),
            &Policy::default(),
        )
        .unwrap()
    }

    /// Blocks that earlier CDRs used up: not those of the same CDR, nor of the one this one credits.
    fn replayed(&self) -> Vec<UsedBlock> {
        let this: serde_json::Value = serde_json::from_str(self.cdr.get()).unwrap();
        let credited = if this["credit"] == true {
            &this["credit_reference_id"]
        } else {
            &serde_json::Value::Null
        };
        let mut used = Vec::new();
        for earlier in self.previous_cdrs.iter().flatten() {
            let other: serde_json::Value = serde_json::from_str(earlier.get()).unwrap();
            if other["id"] != this["id"] && other["id"] != *credited {
                used.extend(self.assess(earlier).verdict(&[]).blocks);
            }
        }
        used
    }

    /// The words of the verdict that the row's words allow (README of the vectors, "Map to the product's status words").
    fn accepts(&self, status: Status) -> bool {
        self.agreed.words().any(|word| match status {
            Status::Verified => word == "VALID" && self.registry.is_some(),
            Status::IntegrityOnly => word == "VALID" && self.registry.is_none(),
            Status::Invalid => word == "INVALID",
            Status::Unverifiable => word == "UNVERIFIABLE",
            Status::Missing | Status::NotApplicable => word == "UNVERIFIABLE" && self.kind == "signed-data-absent",
        })
    }
}

#[test]
fn every_cdr_of_the_corpus_gets_the_status_it_deserves() {
    let Some(rows) = corpus::rows::<CdrRow>("ocpi_cdr.json") else {
        return;
    };
    let mut ledger = Ledger::default();
    for row in &rows {
        ledger.rows += 1;
        let verdict = row.assess(&row.cdr).verdict(&row.replayed());
        let codes: Vec<&str> = verdict.findings.iter().map(|finding| finding.code.as_str()).collect();
        let is_mislabelled = codes.contains(&Code::NatureMismatch.as_str());
        // A record made while charging went on has no end, and so no energy; the corpus subtracts all the same.
        let is_unfinished = codes.contains(&Code::NotFinalRecord.as_str());
        ledger.check(row.accepts(verdict.status), || {
            format!(
                "{} ({}): expected {}, {} {codes:?}",
                row.id,
                row.kind,
                row.agreed.expected,
                verdict.status.as_str()
            )
        });
        ledger.check(
            verdict.billable == (verdict.status == Status::Verified || verdict.status == Status::NotApplicable),
            || format!("{}: billable {}", row.id, verdict.billable),
        );
        if let Some(energy) = row
            .energy_from_records_kwh
            .as_ref()
            .filter(|_| verdict.status != Status::Unverifiable && !is_mislabelled && !is_unfinished)
        {
            let signed = verdict.signed_energy_kwh.as_deref().and_then(exact_decimal);
            ledger.check(signed == exact_decimal(energy), || {
                format!("{}: signed energy {signed:?}, stated {energy}", row.id)
            });
        }
        for stated in row.findings.iter().flatten() {
            let is_theirs_alone = is_mislabelled && Code::from_name(stated).is_some_and(follows_from_order);
            ledger.check(codes.contains(&stated.as_str()) || is_theirs_alone, || {
                format!("{} ({}): {stated} was not found, {codes:?}", row.id, row.kind)
            });
        }
        let check = report::Check {
            at: DateTime::UNIX_EPOCH,
            by: "DE/TWH".to_owned(),
            occasion: report::Occasion::Received,
        };
        let report = report::document(&verdict, &check);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        ledger.check(
            report["status"] == verdict.status.as_str() && report["findings"].is_array(),
            || format!("{}: report", row.id),
        );
    }
    ledger.close(210);
}

fn verify(input: &[u8], args: &VerifyArgs) -> (u8, String) {
    let mut out = Vec::new();
    let code = run(args, input, &mut out);
    (code, String::from_utf8(out).unwrap())
}

fn word(code: u8) -> &'static str {
    match code {
        0 => "VALID",
        1 => "INVALID",
        2 => "UNVERIFIABLE",
        other => panic!("exit code {other}"),
    }
}

#[test]
fn truewatt_verify_ends_with_the_exit_code_that_every_ocmf_and_pcdf_vector_asks_for() {
    command_on_records("ocmf.json", 433);
    command_on_records("pcdf.json", 71);
    command_on_records("alfen.json", 123);
    command_on_records("edl40.json", 91);
    command_on_records("isa_edl40.json", 39);
    command_on_records("edl40_sig.json", 55);
    command_on_records("edl40_mennekes.json", 61);
}

/// Gives every row of a file of single records to the command.
fn command_on_records(file: &str, at_least: usize) {
    let Some(rows) = corpus::rows::<Row>(file) else {
        return;
    };
    let mut ledger = Ledger::default();
    for row in &rows {
        ledger.rows += 1;
        // The command has no registry: the better key is the one to give it.
        let key = row.registry_public_key.clone().or(row.public_key.clone());
        for json in [false, true] {
            let args = VerifyArgs {
                file: None,
                public_key: key.clone(),
                format: row.encoding_method.clone(),
                json,
            };
            let (code, text) = verify(row.signed_data.as_deref().unwrap().as_bytes(), &args);
            ledger.check(row.agreed.accepts(word(code)), || {
                format!(
                    "{} ({}): expected {}, exit {code}: {text}",
                    row.id, row.kind, row.agreed.expected
                )
            });
        }
    }
    ledger.close(at_least);
}

#[test]
fn truewatt_verify_judges_sessions_given_as_lines() {
    let Some(rows) = corpus::rows::<Row>("sessions.json") else {
        return;
    };
    let mut ledger = Ledger::default();
    for row in rows.iter().filter(|row| row.format == "OCMF") {
        let records = row.records.as_deref().unwrap();
        let keys: Vec<&Option<String>> = records.iter().map(|record| &record.public_key).collect();
        // One key can be given on the command line; a lone record is judged as a record, and lines have no labels.
        let needs_labels = row.kind.contains("swapped-order");
        if records.len() < 2 || needs_labels || keys.windows(2).any(|pair| pair[0] != pair[1]) {
            continue;
        }
        ledger.rows += 1;
        let lines: Vec<&str> = records.iter().map(|record| record.signed_data.as_str()).collect();
        let args = VerifyArgs {
            public_key: keys[0].clone(),
            format: row.encoding_method.clone(),
            ..VerifyArgs::default()
        };
        let (code, text) = verify(lines.join("\n").as_bytes(), &args);
        ledger.check(row.agreed.accepts(word(code)), || {
            format!(
                "{} ({}): expected {}, exit {code}: {text}",
                row.id, row.kind, row.agreed.expected
            )
        });
    }
    ledger.close(40);
}

#[test]
fn truewatt_verify_judges_every_cdr_as_far_as_it_can_without_a_registry() {
    let Some(rows) = corpus::rows::<CdrRow>("ocpi_cdr.json") else {
        return;
    };
    let mut ledger = Ledger::default();
    for row in &rows {
        // Replays need a memory, which the command has not.
        if row.findings.iter().flatten().any(|code| code == "REPLAYED_RECORD") {
            continue;
        }
        ledger.rows += 1;
        let registered = row
            .registry
            .as_deref()
            .and_then(|registry| registry.first())
            .map(|row| row.public_key.clone());
        let args = VerifyArgs {
            public_key: registered,
            format: row.encoding_method.clone(),
            ..VerifyArgs::default()
        };
        let (code, text) = verify(row.cdr.get().as_bytes(), &args);
        ledger.check(row.agreed.accepts(word(code)), || {
            format!(
                "{} ({}): expected {}, exit {code}: {text}",
                row.id, row.kind, row.agreed.expected
            )
        });
    }
    ledger.close(200);
}
