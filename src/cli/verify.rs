//! `truewatt verify`: is this signed record genuine? For drivers, operators and scripts; no hub, no registry, no network.
//!
//! Takes what people have at hand: a record, several of them, an OCPI CDR, its `SignedData`. Exit code 0 valid, 1 invalid, 2 cannot be decided,
//! 64 usage (design.md 3.1, 3.5). A good signature under a key that only came along is exit 0, and the text says whose word the key rests on.

mod json;
mod text;

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::Args;
use rust_decimal::Decimal;

use crate::evidence::claim::{Claim, SignedData, SignedPart};
use crate::metering::finding::{Code, Finding, Outcome, Place, Severity};
use crate::metering::formats::transport::{self, Content, Unwrapped, strip_outside};
use crate::metering::formats::{FormatName, ocmf};
use crate::metering::json::{Kind, read as read_json};
use crate::metering::plausible::{self, Tolerances};
use crate::metering::record::{Given, JudgedAs, SignedValue};
use crate::metering::session::{Examination, examine};
use crate::metering::verdict::SignatureAnswer;

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
    what: &'static str,
    examination: Examination,
    /// What the bill and the command line add to the findings of the examination.
    further: Vec<Finding>,
    is_cdr: bool,
    billed_kwh: Option<Decimal>,
}

impl Answer {
    fn about(input: &[u8], format: Option<&str>, key: Option<&str>) -> Answer {
        let named = format.and_then(FormatName::from_encoding_method);
        let mut answer = match std::str::from_utf8(input) {
            Ok(text) => Answer::about_text(text, format, key),
            Err(_) => Answer::about_binary(input, format, key),
        };
        // Whoever names a readable format says: this is one, or it is broken (design.md 3.5).
        let only_unrecognised = |examination: &Examination| {
            let mut errors = examination
                .all_findings()
                .filter(|finding| finding.severity == Severity::Error)
                .peekable();
            errors.peek().is_some()
                && errors.all(|finding| matches!(finding.code, Code::UndecodableSignedData | Code::NoSignedData))
        };
        if !answer.is_cdr && named.is_some_and(FormatName::is_readable) && only_unrecognised(&answer.examination) {
            answer.further.push(Finding::new(
                Code::MalformedRecord,
                Place::Session,
                "this is no record of the format that was named",
            ));
        }
        answer
    }

    fn about_text(text: &str, format: Option<&str>, key: Option<&str>) -> Answer {
        let text = strip_outside(text);
        if text.starts_with('{')
            && let Ok(document) = read_json(text)
        {
            if document
                .get("signed_values")
                .is_some_and(|values| values.kind() == Kind::List)
                && let Some(signed) = SignedData::read(document)
            {
                return Answer::about_signed_data(&signed, format, key);
            }
            let is_cdr = document.get("signed_data").is_some()
                || (document.get("total_energy").is_some() && document.get("cdr_token").is_some());
            if is_cdr && let Ok(claim) = Claim::read(text.as_bytes()) {
                return Answer::about_cdr(&claim, format, key);
            }
        }
        let records = records(text);
        let values: Vec<SignedValue<'_>> = records
            .iter()
            .map(|record| SignedValue {
                signed_data: record,
                ..SignedValue::default()
            })
            .collect();
        let what = if values.len() > 1 {
            "records of one session"
        } else {
            "one record"
        };
        Answer::of(
            what,
            &values,
            &Given {
                encoding_method: format,
                given_key: key,
                ..Given::default()
            },
            judged_as(values.len()),
        )
    }

    fn about_binary(input: &[u8], format: Option<&str>, key: Option<&str>) -> Answer {
        // Binary records travel as hex: that is how the one way through the formats takes them.
        let hex = FormatName::recognise(input)
            .map(|_| hex::encode(input))
            .unwrap_or_default();
        let value = SignedValue {
            signed_data: &hex,
            ..SignedValue::default()
        };
        Answer::of(
            "binary data",
            &[value],
            &Given {
                encoding_method: format,
                given_key: key,
                ..Given::default()
            },
            JudgedAs::Record,
        )
    }

    fn about_signed_data(signed: &SignedData<'_>, format: Option<&str>, key: Option<&str>) -> Answer {
        let values = signed.signed_values();
        Answer::of(
            "signed data of a CDR",
            &values,
            &given(signed, format, key),
            judged_as(values.len()),
        )
    }

    fn about_cdr(claim: &Claim<'_>, format: Option<&str>, key: Option<&str>) -> Answer {
        let nothing = SignedData::default();
        let signed = match &claim.signed {
            SignedPart::Present(signed) => signed,
            SignedPart::Absent | SignedPart::Unreadable => &nothing,
        };
        let mut answer = Answer::of(
            "a CDR",
            &signed.signed_values(),
            &given(signed, format, key),
            JudgedAs::Session,
        );
        answer.is_cdr = true;
        answer.billed_kwh = claim.total_energy();
        let any_wrong = answer
            .examination
            .records
            .iter()
            .any(|record| matches!(record.signature, SignatureAnswer::DoesNotFit(_)));
        if !any_wrong {
            answer.further =
                claim.with_bill(|bill| plausible::against_bill(&answer.examination, bill, &Tolerances::default()));
        }
        answer
    }

    fn of(what: &'static str, values: &[SignedValue<'_>], given: &Given<'_>, judged_as: JudgedAs) -> Answer {
        let examination = examine(values, given, judged_as);
        Answer {
            what,
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

    /// The finding that decides: the first of the kind that makes the outcome.
    fn decisive(&self) -> Option<&Finding> {
        let wanted = self.outcome() == Outcome::Unverifiable;
        self.findings()
            .find(|finding| finding.severity == Severity::Error && finding.code.is_undecidable() == wanted)
    }
}

fn judged_as(records: usize) -> JudgedAs {
    if records > 1 {
        JudgedAs::Session
    } else {
        JudgedAs::Record
    }
}

fn given<'a>(signed: &'a SignedData<'_>, format: Option<&'a str>, key: Option<&'a str>) -> Given<'a> {
    Given {
        encoding_method: format.or(signed.encoding_method.as_deref()),
        delivered_key: signed.public_key.as_deref(),
        registered_key: None,
        given_key: key,
    }
}

/// The records of a text: one, several behind each other, or one per line in any transport encoding.
fn records(text: &str) -> Vec<Cow<'_, str>> {
    if text.starts_with(ocmf::HEADER) {
        return ocmf::split_records(text).into_iter().map(Cow::Borrowed).collect();
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_record = |line: &&str| matches!(transport::unwrap(line), Unwrapped::Recognised(..));
    if lines.len() > 1 && lines.iter().all(is_record) {
        return lines.into_iter().map(Cow::Borrowed).collect();
    }
    match transport::unwrap(text) {
        Unwrapped::Recognised(FormatName::Ocmf, Content::Text(inside)) => ocmf::split_records(&inside)
            .into_iter()
            .map(|record| Cow::Owned(record.to_owned()))
            .collect(),
        _ => vec![Cow::Borrowed(text)],
    }
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
    fn formats_without_a_reader_are_called_by_name_and_left_undecided() {
        for (input, name) in [
            ("<?xml version=\"1.0\"?><values/>", "S.A.F.E. XML"),
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
