//! S.A.F.E. XML and the other containers of the corpus, row by row.

use super::*;
use truewatt::metering::formats::safe_xml;
use truewatt::metering::session::examine_read;

/// A S.A.F.E. file, with a verdict on each of its values and one on the whole.
#[derive(Deserialize)]
struct FileRow {
    id: String,
    kind: String,
    document: String,
    values: Option<Vec<ValueRow>>,
    #[serde(flatten)]
    agreed: Agreed,
    findings: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ValueRow {
    transaction_id: Option<String>,
    context: Option<String>,
    expected: String,
}

#[test]
fn every_safe_file_of_the_corpus_ends_with_its_verdict_and_so_does_every_value_in_it() {
    let Some(rows) = corpus::rows::<FileRow>("safe_xml.json") else {
        return;
    };
    let mut ledger = Ledger::default();
    for row in &rows {
        ledger.rows += 1;
        let args = VerifyArgs {
            json: true,
            ..VerifyArgs::default()
        };
        let (code, json) = verify(row.document.as_bytes(), &args);
        ledger.check(row.agreed.accepts(word(code)), || {
            format!(
                "{} ({}): expected {}, exit {code}: {json}",
                row.id, row.kind, row.agreed.expected
            )
        });
        // A finding that is stated decides or remarks; where the row may come out otherwise it need not be there.
        for stated in row
            .findings
            .iter()
            .flatten()
            .filter(|_| row.agreed.also_acceptable.as_ref().is_none_or(Vec::is_empty))
        {
            let name = format!("\"{stated}\"");
            ledger.check(json.contains(&name), || {
                format!("{}: {stated} was not found: {json}", row.id)
            });
        }
        let stated = row.values.as_deref().unwrap_or_default();
        let Ok(values) = safe_xml::take_apart(&row.document) else {
            ledger.check(stated.is_empty(), || {
                format!("{}: the file could not be taken apart", row.id)
            });
            continue;
        };
        ledger.check(values.len() == stated.len(), || {
            format!("{}: {} values", row.id, values.len())
        });
        for (index, (value, stated)) in values.iter().zip(stated).enumerate() {
            ledger.check(
                value.transaction == stated.transaction_id && value.context == stated.context,
                || format!("{} value {index}: {value:?}", row.id),
            );
            let examination = examine_read(value.records(), &Given::default(), JudgedAs::Record);
            ledger.check(
                examination.outcome.as_str() == stated.expected
                    || !row.agreed.also_acceptable.as_ref().is_none_or(Vec::is_empty),
                || {
                    format!(
                        "{} value {index}: expected {}, {}",
                        row.id,
                        stated.expected,
                        shown(&examination)
                    )
                },
            );
        }
    }
    ledger.close(87);
}

/// A document of another container, or a receipt with its signature beside it.
#[derive(Deserialize)]
struct DocumentRow {
    id: String,
    format: String,
    kind: String,
    encoding_method: Option<String>,
    document: Option<String>,
    payload_base64: Option<String>,
    signature_hex: Option<String>,
    public_key: Option<String>,
    curve: Option<String>,
    expected: String,
}

#[test]
fn every_other_container_of_the_corpus_ends_with_its_verdict_but_for_one_curve() {
    let Some(rows) = corpus::rows::<DocumentRow>("other_containers.json") else {
        return;
    };
    let mut ledger = Ledger::default();
    let mut undecided: Vec<&str> = Vec::new();
    for row in &rows {
        ledger.rows += 1;
        if let Some(document) = &row.document {
            let args = VerifyArgs {
                format: row.encoding_method.clone(),
                ..VerifyArgs::default()
            };
            let (code, text) = verify(document.as_bytes(), &args);
            ledger.check(word(code) == row.expected, || {
                format!(
                    "{} ({}, {}): expected {}, exit {code}: {text}",
                    row.id, row.format, row.kind, row.expected
                )
            });
            continue;
        }
        let value = SignedValue {
            plain_data: row.payload_base64.as_deref().unwrap(),
            signed_data: row.signature_hex.as_deref().unwrap(),
            ..SignedValue::default()
        };
        let given = Given {
            encoding_method: row.encoding_method.as_deref(),
            delivered_key: row.public_key.as_deref(),
            ..Given::default()
        };
        let examination = examine(&[value], &given, JudgedAs::Record);
        if row.curve.as_deref() == Some("secp224k1") {
            // No curve library at hand verifies it (signed-metering-formats.md 14: UNVERIFIABLE is an honest first answer).
            undecided.push(&row.id);
            // One flipped digit made a number that JSON has not (`000`): then there is no receipt to name a curve for.
            let is_no_receipt = row.id == "other-mut-0033";
            let names_it = examination
                .all_findings()
                .any(|finding| finding.message.contains("secp224k1"));
            ledger.check(
                examination.outcome == Outcome::Unverifiable && names_it != is_no_receipt,
                || format!("{}: {}", row.id, shown(&examination)),
            );
            continue;
        }
        ledger.check(examination.outcome.as_str() == row.expected, || {
            format!(
                "{} ({}): expected {}, {}",
                row.id,
                row.kind,
                row.expected,
                shown(&examination)
            )
        });
    }
    assert_eq!(undecided, CHARGEPOINT_ON_SECP224K1);
    ledger.close(53);
}

/// The rows that cannot agree: receipts on secp224k1, genuine and forged.
const CHARGEPOINT_ON_SECP224K1: [&str; 6] = [
    "other-real-0019",
    "other-mut-0033",
    "other-mut-0034",
    "other-real-0023",
    "other-mut-0041",
    "other-mut-0042",
];
