//! `truewatt verify`: is this signed record genuine? For drivers, operators and scripts; no hub, no registry, no network.
//!
//! Takes what people have at hand: a record, several of them, an OCPI CDR, its `SignedData`. Exit code 0 valid, 1 invalid, 2 cannot be decided,
//! 64 usage (design.md 3.1, 3.5). A good signature under a key that only came along is exit 0, and the text says whose word the key rests on.

mod input;
mod json;
mod text;

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::Args;
use rust_decimal::Decimal;

use crate::metering::finding::{Code, Finding, Outcome, Place, Severity};
use crate::metering::formats::FormatName;
use crate::metering::session::Examination;

/// Valid.
pub const EXIT_VALID: u8 = 0;
/// Invalid.
pub const EXIT_INVALID: u8 = 1;
/// Cannot be decided.
pub const EXIT_UNDECIDED: u8 = 2;
/// The command was used wrongly.
pub const EXIT_USAGE: u8 = 64;

/// Largest input that is read, in bytes: a CDR with thousands of periods has a few megabytes.
const MAX_INPUT: u64 = 64 * 1024 * 1024;

/// Checks a signed record, S.A.F.E. XML, Chargy JSON or OCPI CDR; no hub needed.
#[derive(Args, Clone, Debug, Default)]
pub struct VerifyArgs {
    /// The file to check; standard input if absent or `-`.
    pub file: Option<PathBuf>,
    /// The public key of the meter, in any spelling, or @FILE. Without it the key that came along is used.
    #[arg(long, value_name = "TEXT|@FILE")]
    pub public_key: Option<String>,
    /// The format the record claims to have, e.g. OCMF. The content decides; a record that is not of the named format is invalid.
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Reads the file or standard input and answers on standard output.
pub fn main(args: &VerifyArgs) -> u8 {
    match read_input(args) {
        Ok(input) => run(args, &input, &mut io::stdout().lock()),
        Err(error) => {
            let name = args
                .file
                .as_ref()
                .map_or("standard input".into(), |file| file.to_string_lossy());
            eprintln!("truewatt verify: {name} cannot be read: {error}");
            EXIT_USAGE
        }
    }
}

/// Answers for one input and returns the exit code.
pub fn run(args: &VerifyArgs, input: &[u8], out: &mut dyn Write) -> u8 {
    let key = match args.public_key.as_deref().map(key_text).transpose() {
        Ok(key) => key,
        Err(error) => {
            // Nothing can be done about an output that does not take the sentence.
            let _ = writeln!(
                out,
                "truewatt verify: the file of the public key cannot be read: {error}"
            );
            return EXIT_USAGE;
        }
    };
    let answer = Answer::about(input, args.format.as_deref(), key.as_deref());
    let text = if args.json { answer.as_json() } else { answer.as_text() };
    // A reader that went away (`| head`) does not change the answer.
    let _ = writeln!(out, "{}", text.trim_end());
    match answer.outcome() {
        Outcome::Valid => EXIT_VALID,
        Outcome::Invalid => EXIT_INVALID,
        Outcome::Unverifiable => EXIT_UNDECIDED,
    }
}

fn read_input(args: &VerifyArgs) -> io::Result<Vec<u8>> {
    let mut input = Vec::new();
    let read = match args.file.as_deref().filter(|file| file.as_os_str() != "-") {
        Some(file) => std::fs::File::open(file)?.take(MAX_INPUT + 1).read_to_end(&mut input)?,
        None => io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut input)?,
    };
    if read as u64 > MAX_INPUT {
        Err(io::Error::other(format!("it is larger than {MAX_INPUT} bytes")))
    } else {
        Ok(input)
    }
}

fn key_text(argument: &str) -> io::Result<Cow<'_, str>> {
    match argument.strip_prefix('@') {
        Some(file) => std::fs::read(file).map(|bytes| Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())),
        None => Ok(Cow::Borrowed(argument)),
    }
}

/// What was found out about an input.
struct Answer {
    /// What it is, in words.
    what: String,
    /// The sessions in it, in their order; a lone record counts as one.
    sessions: Vec<SessionAnswer>,
    /// What concerns no session in particular.
    further: Vec<Finding>,
}

/// What was found out about one session.
struct SessionAnswer {
    /// What the file calls it.
    transaction: Option<String>,
    examination: Examination,
    /// What the bill adds to the findings of the examination.
    further: Vec<Finding>,
    is_cdr: bool,
    billed_kwh: Option<Decimal>,
}

impl Answer {
    fn about(input: &[u8], format: Option<&str>, key: Option<&str>) -> Answer {
        let mut answer = input::read(input, format, key);
        // Whoever names a format says: this is one, or it is broken (design.md 3.5).
        let named = format.and_then(FormatName::from_encoding_method);
        let is_unrecognised =
            |finding: &Finding| matches!(finding.code, Code::UndecodableSignedData | Code::NoSignedData);
        let only_unrecognised = {
            let is_error = |finding: &&Finding| finding.severity == Severity::Error;
            let mut errors = answer.findings().filter(is_error).peekable();
            errors.peek().is_some() && errors.all(is_unrecognised)
        };
        if named.is_some() && only_unrecognised && !answer.is_cdr() {
            answer.further.push(Finding::new(
                Code::MalformedRecord,
                Place::Session,
                "this is no record of the format that was named",
            ));
        }
        answer
    }

    fn of(what: &str, session: SessionAnswer) -> Answer {
        Answer {
            what: what.to_owned(),
            sessions: vec![session],
            further: Vec::new(),
        }
    }

    fn is_cdr(&self) -> bool {
        self.sessions.iter().any(|session| session.is_cdr)
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.sessions
            .iter()
            .flat_map(SessionAnswer::findings)
            .chain(&self.further)
    }

    fn outcome(&self) -> Outcome {
        Outcome::of(self.findings())
    }
}

impl SessionAnswer {
    fn of(examination: Examination) -> SessionAnswer {
        SessionAnswer {
            transaction: None,
            examination,
            further: Vec::new(),
            is_cdr: false,
            billed_kwh: None,
        }
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.examination.all_findings().chain(&self.further)
    }

    fn outcome(&self) -> Outcome {
        Outcome::of(self.findings())
    }
}

/// The finding that decides: the first of the kind that makes the outcome.
fn decisive<'f>(outcome: Outcome, mut findings: impl Iterator<Item = &'f Finding>) -> Option<&'f Finding> {
    let wanted = outcome == Outcome::Unverifiable;
    findings.find(|finding| finding.severity == Severity::Error && finding.code.is_undecidable() == wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::key::Curve;
    use crate::metering::sign::SigningMeter;

    fn meter() -> SigningMeter {
        SigningMeter::from_seed(Curve::Secp256r1, b"a meter for the tests of verify").unwrap()
    }

    fn payload(page: u32, marker: &str, time: &str, value: &str) -> String {
        format!(
            r#"{{"FV":"1.0","GS":"G1","MS":"M1","PG":"T{page}","IL":"VERIFIED","ID":"04AA","RD":[{{"TM":"2026-01-01T{time}:00,000+0100 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        )
    }

    fn begin() -> String {
        meter().ocmf(&payload(1, "B", "10:00", "10.000"))
    }

    fn end() -> String {
        meter().ocmf(&payload(2, "E", "11:00", "17.500"))
    }

    fn verify(input: &[u8], args: &VerifyArgs) -> (u8, String) {
        let mut out = Vec::new();
        let code = run(args, input, &mut out);
        (code, String::from_utf8(out).unwrap())
    }

    fn with_key() -> VerifyArgs {
        VerifyArgs {
            public_key: Some(hex::encode(meter().public_key().to_spki_der())),
            ..VerifyArgs::default()
        }
    }

    fn cdr(energy: &str) -> String {
        let value =
            |nature: &str, record: &str| serde_json::json!({"nature": nature, "plain_data": "", "signed_data": record});
        let signed = serde_json::json!({
            "encoding_method": "OCMF", "public_key": hex::encode(meter().public_key().to_spki_der()),
            "signed_values": [value("Start", &begin()), value("End", &end())],
        });
        format!(
            r#"{{"id":"C1","start_date_time":"2026-01-01T09:00:00Z","end_date_time":"2026-01-01T10:00:00Z","cdr_token":{{"uid":"04AA"}},"total_energy":{energy},"signed_data":{signed}}}"#
        )
    }

    #[test]
    fn a_record_is_valid_under_the_given_key_and_undecided_without_one() {
        let (code, text) = verify(begin().as_bytes(), &with_key());
        assert_eq!(code, EXIT_VALID, "{text}");
        assert!(text.starts_with("VALID") && text.contains("the one you gave"), "{text}");
        let (code, text) = verify(begin().as_bytes(), &VerifyArgs::default());
        assert_eq!(code, EXIT_UNDECIDED);
        assert!(text.contains("--public-key"), "{text}");
    }

    #[test]
    fn two_records_are_a_session_wherever_they_meet() {
        for between in ["", "\n", "\r\n"] {
            let both = format!("{}{between}{}", begin(), end());
            let (code, text) = verify(both.as_bytes(), &with_key());
            assert_eq!(code, EXIT_VALID, "{text}");
            assert!(text.contains("signed 7.500 kWh"), "{text}");
        }
        let (code, text) = verify(format!("{}\n{}", begin(), begin()).as_bytes(), &with_key());
        assert_eq!(code, EXIT_INVALID);
        assert!(text.contains("MISSING_END"), "{text}");
    }

    #[test]
    fn a_cdr_is_held_against_its_records_and_says_whose_word_the_key_is() {
        let (code, text) = verify(cdr("7.5").as_bytes(), &VerifyArgs::default());
        assert_eq!(code, EXIT_VALID, "{text}");
        assert!(text.contains("sender's word"), "{text}");
        let (code, text) = verify(cdr("8.5").as_bytes(), &VerifyArgs::default());
        assert_eq!(code, EXIT_INVALID);
        assert!(text.contains("ENERGY_MISMATCH"), "{text}");
        let (code, _) = verify(br#"{"total_energy":1,"cdr_token":{}}"#, &VerifyArgs::default());
        assert_eq!(code, EXIT_UNDECIDED);
    }

    // CAL-IF08
    #[test]
    fn cal_if08_a_good_a_forged_and_a_keyless_session_are_told_in_sentences_a_driver_can_read() {
        let both = |end: String| format!("{}\n{end}", begin());
        let (code, good) = verify(both(end()).as_bytes(), &with_key());
        assert_eq!(code, EXIT_VALID, "{good}");
        for part in [
            "every signature fits and nothing contradicts it",
            "the holder of that key signed this record",
            "Who         ",
            "assigned as VERIFIED",
            "Where       meter M1, gateway G1",
            "Begin       2026-01-01 10:00:00 +01:00, 10.000 kWh",
            "End         2026-01-01 11:00:00 +01:00, 17.500 kWh",
            "Energy      signed 7.500 kWh",
            &meter().public_key().fingerprint(),
        ] {
            assert!(good.contains(part), "{part}: {good}");
        }
        let (code, forged) = verify(both(end().replace("17.500", "19.500")).as_bytes(), &with_key());
        assert_eq!(code, EXIT_INVALID, "{forged}");
        assert!(
            forged.starts_with("INVALID") && forged.contains("the record was changed, or another key signed it"),
            "{forged}"
        );
        assert!(
            forged.contains("Record 2 of 2") && forged.contains("Signature does not fit"),
            "{forged}"
        );
        let (code, keyless) = verify(both(end()).as_bytes(), &VerifyArgs::default());
        assert_eq!(code, EXIT_UNDECIDED, "{keyless}");
        assert!(
            keyless.contains("no public key came along") && keyless.contains("printed on the station"),
            "{keyless}"
        );
    }

    #[test]
    fn whom_a_record_names_is_shown_by_its_last_characters_only() {
        let named = |id: &str| {
            let record = meter().ocmf(&payload(1, "B", "10:00", "10.000").replace("04AA", id));
            verify(record.as_bytes(), &with_key()).1
        };
        let long = named("04A1B2C3D4E5F6");
        assert!(long.contains("ending in E5F6") && !long.contains("D4E5"), "{long}");
        assert!(!named("04AA").contains("04AA"));
        assert!(named("").contains("nobody is named"));
    }

    #[test]
    fn a_file_of_several_sessions_has_a_verdict_for_each_and_the_worst_for_all() {
        let key = hex::encode(meter().public_key().to_spki_der());
        let value = |transaction: u32, context: &str, record: &str, key: &str| {
            format!(
                "<value transactionId=\"{transaction}\" context=\"Transaction.{context}\"><signedData format=\"OCMF\">{record}</signedData><publicKey>{key}</publicKey></value>"
            )
        };
        let file = |third: &str, key_of_third: &str| {
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><values>{}{}{}</values>",
                value(7, "Begin", &begin(), &key),
                value(7, "End", &end(), &key),
                value(8, "Begin", third, key_of_third)
            )
        };
        let json = VerifyArgs {
            json: true,
            ..VerifyArgs::default()
        };
        for (file, code, sentence) in [
            (file(&begin(), &key), EXIT_VALID, "Session 2 of 2, transaction 8: VALID"),
            (
                file(&begin().replace("10.000", "9.000"), &key),
                EXIT_INVALID,
                "Session 2 of 2, transaction 8: INVALID",
            ),
            (
                file(&begin(), ""),
                EXIT_UNDECIDED,
                "Session 2 of 2, transaction 8: CANNOT BE DECIDED",
            ),
        ] {
            let (found, text) = verify(file.as_bytes(), &VerifyArgs::default());
            assert_eq!(found, code, "{text}");
            assert!(
                text.contains(sentence) && text.contains("Session 1 of 2, transaction 7: VALID"),
                "{text}"
            );
            let answer: serde_json::Value = serde_json::from_str(&verify(file.as_bytes(), &json).1).unwrap();
            let records = answer["records"].as_array().unwrap();
            assert_eq!(records.len(), 3);
            let pointers: Vec<&str> = records[2]["findings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|finding| finding["pointer"].as_str().unwrap())
                .collect();
            assert!(pointers.iter().all(|pointer| *pointer == "/records/2"), "{pointers:?}");
            assert_eq!(pointers.is_empty(), code == EXIT_VALID);
        }
        let (code, text) = verify(
            file("<b/>", &key)
                .replace("<values>", "<!DOCTYPE a><values>")
                .as_bytes(),
            &VerifyArgs::default(),
        );
        assert_eq!(code, EXIT_INVALID);
        assert!(text.contains("document type"), "{text}");
    }

    #[test]
    fn a_file_in_latin_1_is_read_if_it_says_so() {
        let key = hex::encode(meter().public_key().to_spki_der());
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><values><value context=\"Ladesäule\"><signedData>{}</signedData><publicKey>{key}</publicKey></value></values>",
            begin()
        );
        let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
        let (code, text) = verify(&latin, &VerifyArgs::default());
        assert_eq!(code, EXIT_VALID, "{text}");
        assert!(text.contains("Ladesäule"), "{text}");
    }

    #[test]
    fn the_json_answer_always_has_one_shape() {
        let inputs = [begin(), cdr("7.5"), String::new(), "noise".into(), "<values/>".into()];
        for input in &inputs {
            let (_, text) = verify(
                input.as_bytes(),
                &VerifyArgs {
                    json: true,
                    ..VerifyArgs::default()
                },
            );
            let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(answer["status"].is_string() && answer["findings"].is_array(), "{text}");
            for record in answer["records"].as_array().unwrap() {
                assert!(
                    record["signature"].is_string() && record["key"]["trust"].is_string(),
                    "{text}"
                );
                assert!(record["readings"].is_array() && record["findings"].is_array(), "{text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_called_by_name_and_left_undecided() {
        for (input, name) in [
            (
                "<?xml version=\"1.0\"?><values/>",
                "a S.A.F.E. file; there is no signed value",
            ),
            (
                "{\"@context\":\"https://open.charging.cloud/contexts/CTR+json\"}",
                "Chargy JSON",
            ),
        ] {
            let (code, text) = verify(input.as_bytes(), &VerifyArgs::default());
            assert_eq!((code, text.contains(name)), (EXIT_UNDECIDED, true), "{text}");
        }
        // What has one, and is no record of it, is wrong (design.md 3.5).
        let sml = [&[0x1B, 0x1B, 0x1B, 0x1B, 1, 1, 1, 1][..], &[0xFF; 40]].concat();
        assert_eq!(verify(&sml, &VerifyArgs::default()).0, EXIT_INVALID);
        let (code, text) = verify(b"AP;0;3;X", &VerifyArgs::default());
        assert_eq!((code, text.contains("Alfen Eichrecht")), (EXIT_INVALID, true), "{text}");
    }

    #[test]
    fn nothing_noise_binary_and_fragments_get_a_sentence_and_the_right_code() {
        let noise: Vec<u8> = (0..1_000_000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let letters: Vec<u8> = noise.iter().map(|byte| b'A' + byte % 26).collect();
        let named = VerifyArgs {
            format: Some("OCMF".into()),
            ..VerifyArgs::default()
        };
        for input in [
            &b""[..],
            b" \n",
            &noise,
            &letters,
            b"\0\0\0",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
        ] {
            let (code, text) = verify(input, &VerifyArgs::default());
            assert_eq!(code, EXIT_UNDECIDED, "{text}");
            assert!(text.len() > 20 && text.len() < 2000);
            assert_eq!(verify(input, &named).0, EXIT_INVALID);
        }
        let record = begin();
        for end in "OCMF|".len()..record.len() {
            assert_eq!(
                verify(&record.as_bytes()[..end], &with_key()).0,
                EXIT_INVALID,
                "{}",
                &record[..end]
            );
        }
    }

    #[test]
    fn an_unusable_key_is_undecided_and_an_unreadable_key_file_is_usage() {
        let garbage = VerifyArgs {
            public_key: Some("not a key".into()),
            ..VerifyArgs::default()
        };
        assert_eq!(verify(begin().as_bytes(), &garbage).0, EXIT_UNDECIDED);
        let absent = VerifyArgs {
            public_key: Some("@/does/not/exist".into()),
            ..VerifyArgs::default()
        };
        assert_eq!(verify(begin().as_bytes(), &absent).0, EXIT_USAGE);
    }

    #[test]
    fn a_record_cannot_move_the_cursor_of_whoever_reads_the_report() {
        let hostile = payload(1, "B", "10:00", "1").replace("\"M1\"", "\"M\\u001b[2J\"");
        let (_, text) = verify(meter().ocmf(&hostile).as_bytes(), &with_key());
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn the_identification_of_the_driver_is_not_repeated() {
        let (_, text) = verify(cdr("8.5").as_bytes(), &VerifyArgs::default());
        assert!(!text.contains("04AA"), "{text}");
    }
}
