//! Two implementations of OCMF that know nothing of each other are asked the same question: does this signature fit these octets under this key?
//!
//! The other one is the crate `ocmf`, built without OpenSSL: it can judge secp192r1, secp256k1, secp256r1 and secp384r1 and says so of the rest.
//! Where the two differ, the row stands below by name with the reason. The corpus is found as `tests/corpus` says.

#![allow(clippy::unwrap_used)]

mod corpus;

use ocmf::VerifyError;
use proptest::prelude::*;
use serde::Deserialize;
use truewatt::metering::key::{Curve, PublicKey};
use truewatt::metering::record::{Given, JudgedAs, SignedValue};
use truewatt::metering::session::examine;
use truewatt::metering::sign::SigningMeter;

/// What the other one can judge.
const ITS_CURVES: [Curve; 4] = [Curve::Secp192r1, Curve::Secp256k1, Curve::Secp256r1, Curve::Secp384r1];

/// Why the two differ: kind of the corpus's rows, our answer, the other one's, and the reason.
const EXPLAINED: [(&str, &str, &str, &str); 6] = [
    (
        "duplicate-json-key",
        "INVALID",
        "VALID",
        "it takes one of two members with one name; which was meant is undefined, so we refuse",
    ),
    (
        "sd-hex-spaced",
        "INVALID",
        "VALID",
        "it reads blanks inside the hex of SD, which is no hex",
    ),
    (
        "se-unknown",
        "UNVERIFIABLE",
        "INVALID",
        "it calls an unknown encoding (SE) a fault of the record; we say that nothing can be told",
    ),
    (
        "sig-der-long-form-length",
        "INVALID",
        "VALID",
        "it reads BER lengths; a signature is DER",
    ),
    (
        "sig-der-third-integer",
        "INVALID",
        "VALID",
        "it ignores what follows the two integers",
    ),
    (
        "sig-der-trailing-bytes",
        "INVALID",
        "VALID",
        "it ignores what follows the sequence",
    ),
];

#[derive(Deserialize)]
struct Row {
    id: String,
    kind: String,
    signed_data: String,
    public_key: Option<String>,
}

#[test]
fn two_implementations_agree_on_every_record_of_the_corpus_that_both_can_judge() {
    let Some(rows) = corpus::rows::<Row>("ocmf.json") else {
        return;
    };
    let (mut agreed, mut beyond_it) = (0, 0);
    let mut unexplained = Vec::new();
    let mut explained: Vec<&str> = Vec::new();
    for row in &rows {
        // It takes records as they are: a record inside of a transport encoding is no question it can be asked. Nor are the spellings of keys:
        // both get the same point in the one spelling that both read, and a text that is no key is left out.
        let key = row
            .public_key
            .as_deref()
            .and_then(|text| PublicKey::read(text, curve_of(&row.signed_data)).ok());
        let (Some(key), true) = (key, row.signed_data.starts_with("OCMF|")) else {
            continue;
        };
        let key = hex::encode(key.to_spki_der());
        let (ours, theirs) = (ours(&row.signed_data, &key), theirs(&row.signed_data, &key));
        match theirs {
            None => beyond_it += 1,
            Some(theirs) if theirs == ours => agreed += 1,
            Some(theirs)
                if EXPLAINED
                    .iter()
                    .any(|(kind, mine, its, _)| (*kind, *mine, *its) == (row.kind.as_str(), ours, theirs)) =>
            {
                explained.push(&row.kind);
            }
            Some(theirs) => unexplained.push(format!("{} ({}): {ours} here, {theirs} there", row.id, row.kind)),
        }
    }
    println!(
        "{agreed} rows agreed, {} differ as explained, {beyond_it} are on curves it cannot judge",
        explained.len()
    );
    assert!(agreed > 330, "only {agreed} rows were compared");
    assert!(
        unexplained.is_empty(),
        "{} rows:\n{}",
        unexplained.len(),
        unexplained.join("\n")
    );
}

/// The curve that a record names: the hint for reading a bare key.
fn curve_of(record: &str) -> Option<Curve> {
    let record = ocmf::Record::parse(record).ok()?;
    Curve::from_name(record.signature().curve()?.name())
}

fn ours(record: &str, key: &str) -> &'static str {
    let value = SignedValue {
        signed_data: record,
        ..SignedValue::default()
    };
    let given = Given {
        encoding_method: Some("OCMF"),
        delivered_key: Some(key),
        ..Given::default()
    };
    examine(&[value], &given, JudgedAs::Record).records[0]
        .signature
        .as_str()
}

/// Its answer in our words; `None` where it cannot judge the curve.
fn theirs(record: &str, key: &str) -> Option<&'static str> {
    let Ok(record) = ocmf::Record::parse(record) else {
        return Some("INVALID");
    };
    let Ok(key) = ocmf::PublicKey::from_text(key, record.signature().curve()) else {
        return Some("UNVERIFIABLE");
    };
    match ocmf::verify(&record, &key) {
        Ok(_) => Some("VALID"),
        Err(VerifyError::Unsupported { .. }) => None,
        Err(
            VerifyError::UnknownAlgorithm { .. }
            | VerifyError::AlgorithmKeyMismatch { .. }
            | VerifyError::KeyNotOnCurve { .. },
        ) => Some("UNVERIFIABLE"),
        Err(VerifyError::Key(_)) => Some("UNVERIFIABLE"),
        Err(_) => Some("INVALID"),
    }
}

fn payload() -> impl Strategy<Value = String> {
    let tariff = "[ -~äöü|]{0,20}".prop_map(|text| serde_json::to_string(&text).unwrap());
    (tariff, 0u32..1_000_000, prop::sample::select(vec!["B", "E", "T"]), "[ \n\r\t]{0,2}").prop_map(
        |(tariff, value, marker, blank)| {
            format!(
                r#"{blank}{{"FV":"1.0","GS":"G1",{blank}"PG":"T1","MS":"M1","IS":true,"IF":[],"IT":"NONE","TT":{tariff},"RD":[{{"TM":"2026-01-01T10:00:00,000+0100 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"Wh","ST":"G"}}]}}{blank}"#
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn two_implementations_agree_on_generated_records_and_on_each_changed_octet(
        payload in payload(),
        curve in prop::sample::select(ITS_CURVES.to_vec()),
        at in 0usize..2000,
        bit in 0u8..7,
    ) {
        let meter = SigningMeter::from_seed(curve, b"judged by two").unwrap();
        let key = hex::encode(meter.public_key().to_spki_der());
        let record = meter.ocmf(&payload);
        prop_assert_eq!(ours(&record, &key), "VALID");
        prop_assert_eq!(theirs(&record, &key), Some("VALID"));

        let signed = "OCMF|".len().."OCMF|".len() + payload.len();
        let mut octets = record.into_bytes();
        octets[signed.start + at % signed.len()] ^= 1 << bit;
        let Ok(changed) = String::from_utf8(octets) else { return Ok(()) };
        prop_assert_eq!(ours(&changed, &key), "INVALID");
        prop_assert_eq!(theirs(&changed, &key), Some("INVALID"));
    }
}
