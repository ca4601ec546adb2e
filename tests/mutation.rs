//! Every octet of every genuine record of the corpus changed in turn: none is valid again and says anything else (CAL-R3a).
//!
//! The octets are those of the record once its transport encoding is off: of the whole record, so that signed and unsigned ones are both tried. A
//! changed record that is still valid must hold the same signed octets and say the same; what it may still differ in is listed per format below.
//! The default run tries every seventh octet, with `TRUEWATT_LONG=1` every one.
//!
//! What the formats leave unsigned, and where a change therefore goes unnoticed without changing what is billed:
//!
//! | Format | Unsigned octets |
//! |---|---|
//! | OCMF | the layout of the signature section, members of it that are ignored; `SA`, `SE` decide how the signature is read |
//! | Alfen | the version, the padding and letter case of base32 |
//! | EDL_40_P, ISA | transaction and client ids, sensor and gateway time, list name (EDL_40_P), high bits of the status, checksums, entries that are not used |
//! | EDL_40_SIG | names of methods, comments, the copy of the log counter behind the signature, letter case of hex |
//! | PCDF | the marks around the line, letter case of the signature |
//! | Mennekes | metering point, address, comments, event log; the offset of a time, as long as the wall clock stays |
//!
//! Keys inside records are unsigned too, but a changed one is another key. The corpus is found as `tests/corpus` says.

#![allow(clippy::unwrap_used)]

mod corpus;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use serde::Deserialize;
use truewatt::metering::finding::Outcome;
use truewatt::metering::formats::transport::{Content, Unwrapped, unwrap};
use truewatt::metering::key::{Curve, PublicKey};
use truewatt::metering::record::{Given, Identification, JudgedAs, SignedValue};
use truewatt::metering::session::{Examination, RecordExamination, examine};

#[derive(Deserialize)]
struct Row {
    id: String,
    encoding_method: Option<String>,
    signed_data: String,
    public_key: Option<String>,
    registry_public_key: Option<String>,
    curve: Option<String>,
    expected: String,
    also_acceptable: Option<Vec<String>>,
}

/// What a record says that somebody could be billed by. Times as wall clock: of some formats the offset is not signed.
#[derive(Debug, PartialEq)]
struct Said {
    blocks: Vec<[u8; 32]>,
    readings: Vec<(String, Option<Decimal>, String, Option<NaiveDateTime>)>,
    names: [Option<String>; 5],
    pagination: Option<u64>,
}

impl Said {
    fn by(record: &RecordExamination) -> Said {
        let text = |text: &Option<String>| text.clone();
        Said {
            blocks: record.block_digests.clone(),
            readings: record
                .statement
                .readings
                .iter()
                .map(|reading| {
                    (
                        reading.register.clone(),
                        reading.value,
                        reading.unit.clone(),
                        reading.time.instant.map(|instant| instant.naive_local()),
                    )
                })
                .collect(),
            names: [
                text(&record.statement.meter_serial),
                text(&record.statement.logbook),
                text(&record.statement.session_id),
                text(&record.statement.adapter),
                record
                    .statement
                    .identification
                    .as_ref()
                    .map(Identification::reveal)
                    .map(str::to_owned),
            ],
            pagination: record.statement.pagination.map(|pagination| pagination.number),
        }
    }
}

fn judge(row: &Row, registered: Option<&PublicKey>, content: &str) -> Examination {
    let value = SignedValue {
        signed_data: content,
        ..SignedValue::default()
    };
    let given = Given {
        encoding_method: row.encoding_method.as_deref(),
        delivered_key: row.public_key.as_deref(),
        registered_key: registered,
        given_key: None,
    };
    examine(&[value], &given, JudgedAs::Record)
}

/// The record once its transport encoding is off.
fn content(row: &Row) -> (Vec<u8>, bool) {
    match unwrap(&row.signed_data) {
        Unwrapped::Recognised(_, Content::Text(text)) => (text.into_owned().into_bytes(), false),
        Unwrapped::Recognised(_, Content::Binary(octets)) => (octets, true),
        other => panic!("{}: a genuine record was not recognised: {other:?}", row.id),
    }
}

/// Which octets are tried: every one, or every so-manyeth.
fn step() -> usize {
    #[expect(clippy::disallowed_methods, reason = "how long a test may run, the tester knows")]
    let long = std::env::var("TRUEWATT_LONG");
    match long {
        Ok(value) if value == "1" => 1,
        _ => 7,
    }
}

/// Changes one octet after the other in each genuine record of a file, which has so many of them at least; on others two verifiers disagree.
fn mutate(file: &str, at_least: usize) {
    let Some(rows) = corpus::rows::<Row>(file) else { return };
    let step = step();
    let (mut genuine, mut changed, mut unsigned) = (0, 0, 0);
    for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.expected == "VALID") {
        let curve = row.curve.as_deref().and_then(Curve::from_name);
        let registered = row.registry_public_key.as_deref().map(|text| {
            PublicKey::read(text, None)
                .or_else(|_| PublicKey::read(text, curve))
                .unwrap()
        });
        let original = judge(row, registered.as_ref(), &row.signed_data);
        if original.outcome != Outcome::Valid {
            let also = row.also_acceptable.iter().flatten();
            assert!(
                also.into_iter().any(|word| word == original.outcome.as_str()),
                "{file} {}: {}",
                row.id,
                original.outcome.as_str()
            );
            continue;
        }
        genuine += 1;
        let said = Said::by(&original.records[0]);
        let (mut octets, is_binary) = content(row);
        // Each row begins elsewhere, so that even the short run tries every place of a format.
        for at in (number % step..octets.len()).step_by(step) {
            let whole = octets[at];
            // Of text the highest bit stays: beyond it there is no text.
            octets[at] ^= 1 << (at % if is_binary { 8 } else { 7 });
            let carried = if is_binary {
                Some(hex::encode(&octets))
            } else {
                String::from_utf8(octets.clone()).ok()
            };
            if let Some(carried) = carried {
                changed += 1;
                let examination = judge(row, registered.as_ref(), &carried);
                if examination.outcome == Outcome::Valid {
                    unsigned += 1;
                    let says = Said::by(&examination.records[0]);
                    assert_eq!(says, said, "{file} {}: octet {at} changed, and still valid", row.id);
                }
            }
            octets[at] = whole;
        }
    }
    println!("{file}: {genuine} genuine records, {changed} changed, {unsigned} of them in unsigned octets");
    assert!(genuine >= at_least, "{file}: only {genuine} genuine records");
    assert!(changed > 20 * genuine, "{file}: only {changed} changes");
}

#[derive(Deserialize)]
struct DocumentRow {
    id: String,
    encoding_method: Option<String>,
    document: Option<String>,
    payload_base64: Option<String>,
    signature_hex: Option<String>,
    public_key: Option<String>,
    curve: Option<String>,
    expected: String,
}

// CAL-R3a
#[test]
fn cal_r3a_no_changed_document_of_another_container_is_valid_and_says_something_else() {
    let Some(rows) = corpus::rows::<DocumentRow>("other_containers.json") else {
        return;
    };
    let step = step();
    let (mut documents, mut receipts, mut changed, mut unsigned) = (0, 0, 0, 0);
    for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.expected == "VALID") {
        let given = Given {
            encoding_method: row.encoding_method.as_deref(),
            delivered_key: row.public_key.as_deref(),
            ..Given::default()
        };
        let judge = |signed_data: &str, plain_data: &str| {
            let value = SignedValue {
                signed_data,
                plain_data,
                ..SignedValue::default()
            };
            examine(&[value], &given, JudgedAs::Record)
        };
        if let Some(document) = &row.document {
            documents += 1;
            let original = judge(document, "");
            assert_eq!(original.outcome, Outcome::Valid, "{}", row.id);
            let said: Vec<Said> = original.records.iter().map(Said::by).collect();
            let mut octets = document.clone().into_bytes();
            for at in (number % step..octets.len()).step_by(step) {
                let whole = octets[at];
                octets[at] ^= 1 << (at % 7);
                if let Ok(text) = std::str::from_utf8(&octets) {
                    changed += 1;
                    let examination = judge(text, "");
                    if examination.outcome == Outcome::Valid {
                        unsigned += 1;
                        let says: Vec<Said> = examination.records.iter().map(Said::by).collect();
                        assert_eq!(says, said, "{}: octet {at} changed, and still valid", row.id);
                    }
                }
                octets[at] = whole;
            }
            continue;
        }
        // A receipt and its signature: all of it is signed.
        let (payload, signature) = (
            row.payload_base64.as_deref().unwrap(),
            row.signature_hex.as_deref().unwrap(),
        );
        let original = judge(signature, payload);
        if row.curve.as_deref() == Some("secp224k1") {
            assert_eq!(original.outcome, Outcome::Unverifiable, "{}", row.id);
            continue;
        }
        assert_eq!(original.outcome, Outcome::Valid, "{}", row.id);
        receipts += 1;
        let mut receipt = STANDARD.decode(payload).unwrap();
        for at in (number % step..receipt.len()).step_by(step) {
            receipt[at] ^= 1 << (at % 8);
            let examination = judge(signature, &STANDARD.encode(&receipt));
            assert_ne!(
                examination.outcome,
                Outcome::Valid,
                "{}: octet {at} of the receipt",
                row.id
            );
            receipt[at] ^= 1 << (at % 8);
            changed += 1;
        }
        let mut octets = hex::decode(signature).unwrap();
        for at in 0..octets.len() {
            octets[at] ^= 1 << (at % 8);
            let examination = judge(&hex::encode(&octets), payload);
            assert_ne!(
                examination.outcome,
                Outcome::Valid,
                "{}: octet {at} of the signature",
                row.id
            );
            octets[at] ^= 1 << (at % 8);
            changed += 1;
        }
    }
    println!("{documents} documents, {receipts} receipts, {changed} changed, {unsigned} of them in unsigned octets");
    assert_eq!((documents, receipts), (6, 6));
}

// CAL-R3a
#[test]
fn cal_r3a_no_changed_ocmf_record_is_valid_and_says_something_else() {
    mutate("ocmf.json", 200);
}

// CAL-R3a
#[test]
fn cal_r3a_no_changed_alfen_record_is_valid_and_says_something_else() {
    mutate("alfen.json", 48);
}

// CAL-R3a
#[test]
fn cal_r3a_no_changed_edl40_record_is_valid_and_says_something_else() {
    mutate("edl40.json", 44);
}

// CAL-R3a
#[test]
fn cal_r3a_no_changed_isa_record_is_valid_and_says_something_else() {
    mutate("isa_edl40.json", 7);
}

// CAL-R3a
#[test]
fn cal_r3a_no_changed_signature_only_record_is_valid_and_says_something_else() {
    mutate("edl40_sig.json", 19);
}

// CAL-R3a
#[test]
fn cal_r3a_no_changed_mennekes_process_is_valid_and_says_something_else() {
    mutate("edl40_mennekes.json", 17);
}

// CAL-R3a
#[test]
fn cal_r3a_no_changed_pcdf_record_is_valid_and_says_something_else() {
    mutate("pcdf.json", 21);
}
