//! Proof that is handed on must be proof when it arrives: exported sessions are read again, by our own reader and by somebody else's.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use truewatt::cli::verify::{VerifyArgs, run};
use truewatt::evidence::claim::Claim;
use truewatt::evidence::export::{self, Form, Place, Session};
use truewatt::metering::formats::transport::{self, Unwrapped};
use truewatt::metering::formats::{FormatName, safe_xml};
use truewatt::metering::key::Curve;
use truewatt::metering::record::SignedValue;
use truewatt::metering::sign::SigningMeter;
use truewatt::metering::sign::documents::{BsmFields, GdfFields, charge_it_bsm, charge_transparency_record, ptb};

fn meter(curve: Curve) -> SigningMeter {
    SigningMeter::from_seed(curve, b"a meter whose proof is handed on").unwrap()
}

fn key(meter: &SigningMeter) -> String {
    hex::encode(meter.public_key().to_spki_der())
}

/// A record with everything in it that a careless writer of XML, JSON or lines would change.
fn ocmf(meter: &SigningMeter, page: u32, marker: &str, hour: u32, value: &str, tariff: &str) -> String {
    meter.ocmf(&format!(
        r#"{{"FV":"1.0","GI":"G","GS":"G1","GV":"1","PG":"T{page}","MS":"M1","IS":true,"IL":"VERIFIED","IF":["RFID_PLAIN"],"IT":"ISO14443","ID":"04AABBCCDD1122","TT":"{tariff}","RD":[{{"TM":"2026-01-01T{hour}:00:00,000+0100 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","RT":"AC","EF":"","ST":"G"}}]}}"#
    ))
}

fn pair(meter: &SigningMeter, first_page: u32, tariff: &str) -> [String; 2] {
    [
        ocmf(meter, first_page, "B", 10, "10.000", tariff),
        ocmf(meter, first_page + 1, "E", 11, "17.500", tariff),
    ]
}

fn pcdf(meter: &SigningMeter) -> String {
    let key = hex::encode(meter.public_key().sec1_uncompressed());
    let signed = format!(
        "128.8.0(ST:260101100000)(CT:260101110000)(CD:010000)(TV:1)(BV:1)(CSC:42)(SP:1)(RV:0007.500*kWh)(SI:04AABB*1*t)(CS:513f627b)(HW:M1234567890)(DT:0)(PK:{key})"
    );
    format!("{signed}(SG:{})", hex::encode(meter.sign(signed.as_bytes())))
}

fn values<'a>(records: &'a [String], natures: &[&'a str]) -> Vec<SignedValue<'a>> {
    records
        .iter()
        .zip(natures)
        .map(|(record, nature)| SignedValue {
            nature: Some(nature),
            signed_data: record,
            ..SignedValue::default()
        })
        .collect()
}

fn exit_code(input: &[u8], key: Option<&str>) -> (u8, String) {
    let mut out = Vec::new();
    let args = VerifyArgs {
        public_key: key.map(str::to_owned),
        ..VerifyArgs::default()
    };
    (run(&args, input, &mut out), String::from_utf8(out).unwrap())
}

/// The octets below every transport encoding.
fn octets(carried: &str) -> Vec<u8> {
    match transport::unwrap(carried) {
        Unwrapped::Recognised(_, content) => content.octets().to_vec(),
        other => panic!("{other:?}"),
    }
}

const PLACE: Place<'_> = Place {
    evse_id: "DE*ABC*E1",
    address: "Street \"1\" & <2>",
    postal_code: "12345",
    city: "Town",
    country: "DEU",
    latitude: "50.770774",
    longitude: "-126.104965",
};

/// Transport encodings, CRLF and a final blank inside the payload, markup in texts, quotes, pipes, umlauts: CAL-IF05.
// CAL-IF05
#[test]
fn every_record_leaves_octet_for_octet_and_verifies_where_it_arrives() {
    let tariffs = ["", "<b>&amp;|]]></b>", "a|b \\\"c\\\" \\u00e4 ä 😀", "line\\nbreak"];
    let mut pages = 1;
    for curve in Curve::SUPPORTED {
        let meter = meter(curve);
        let key = key(&meter);
        for tariff in tariffs {
            let plain = pair(&meter, pages, tariff);
            pages += 2;
            let pretty = plain.clone().map(|record| {
                let payload = record.strip_prefix("OCMF|").unwrap().rsplit_once('|').unwrap().0;
                meter.ocmf(&format!("\r\n{} \t", payload.replace(",\"PG\"", ",\r\n  \"PG\"")))
            });
            let base64 = pretty.clone().map(|record| base64(&record));
            let hexed = plain.clone().map(hex::encode);
            for carried in [&plain, &pretty, &base64, &hexed] {
                let session = Session {
                    values: values(carried, &["Start", "End"]),
                    delivered_key: Some(&key),
                    place: Some(PLACE),
                    ..Session::default()
                };
                arrives(&session, carried, &key);
            }
        }
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(text)
}

fn arrives(session: &Session<'_>, carried: &[String], key: &str) {
    let sent: Vec<Vec<u8>> = carried.iter().map(|record| octets(record)).collect();
    let file = String::from_utf8(export::write(std::slice::from_ref(session), Form::SafeXml)).unwrap();
    let contained: Vec<Vec<u8>> = safe_xml::take_apart(&file)
        .unwrap()
        .iter()
        .map(|value| match &value.content {
            safe_xml::ContainedContent::Record(text) => octets(text),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(contained, sent, "{file}");
    assert_eq!(exit_code(file.as_bytes(), None).0, 0, "{file}");

    let chargy = export::write(std::slice::from_ref(session), Form::Chargy);
    assert_eq!(exit_code(&chargy, None).0, 0, "{}", String::from_utf8_lossy(&chargy));
    let document: serde_json::Value = serde_json::from_slice(&chargy).unwrap();
    let texts: Vec<&str> = match document.get("signed_values") {
        Some(values) => values
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value["signed_data"].as_str().unwrap())
            .collect(),
        None => vec![
            document["ocmfBegin"].as_str().unwrap(),
            document["ocmfEnd"].as_str().unwrap(),
        ],
    };
    assert_eq!(texts.into_iter().map(octets).collect::<Vec<_>>(), sent);

    let raw = String::from_utf8(export::write(std::slice::from_ref(session), Form::Raw)).unwrap();
    assert_eq!(raw.lines().map(octets).collect::<Vec<_>>(), sent);
    assert_eq!(exit_code(raw.as_bytes(), Some(key)).0, 0, "{raw}");
}

#[test]
fn a_forged_record_is_handed_on_as_it_is_and_is_forged_where_it_arrives() {
    let meter = meter(Curve::Secp256r1);
    let key = key(&meter);
    let forged = pair(&meter, 1, "").map(|record| record.replace("17.500", "99.500"));
    let session = Session {
        values: values(&forged, &["Start", "End"]),
        delivered_key: Some(&key),
        ..Session::default()
    };
    for form in [Form::SafeXml, Form::Chargy] {
        assert_eq!(
            exit_code(&export::write(std::slice::from_ref(&session), form), None).0,
            1
        );
    }
}

#[test]
fn many_sessions_stay_apart_and_each_keeps_its_own_verdict() {
    let (one, other) = (meter(Curve::Secp256r1), meter(Curve::Secp384r1));
    let (one_key, other_key) = (key(&one), key(&other));
    let (first, second) = (pair(&one, 1, ""), pair(&other, 7, ""));
    let whole = [pcdf(&one)];
    let with_control = [format!("\u{2}{}\u{3}", whole[0])];
    let sessions = [
        Session {
            values: values(&first, &["Start", "End"]),
            registered_key: Some(one.public_key()),
            delivered_key: Some("an unreadable key"),
            ..Session::default()
        },
        Session {
            values: values(&second, &["Begin", "Stop"]),
            delivered_key: Some(&other_key),
            ..Session::default()
        },
        Session {
            values: values(&whole, &["End"]),
            ..Session::default()
        },
        Session {
            values: values(&with_control, &["End"]),
            ..Session::default()
        },
    ];
    for form in [Form::SafeXml, Form::Chargy] {
        let file = export::write(&sessions, form);
        let (code, text) = exit_code(&file, None);
        assert_eq!(code, 0, "{text}\n{}", String::from_utf8_lossy(&file));
        assert!(text.contains("Session 4 of 4"), "{text}");
    }
    let raw = String::from_utf8(export::write(&sessions, Form::Raw)).unwrap();
    let blocks: Vec<&str> = raw.split("\n\n").collect();
    assert_eq!(blocks.len(), 4, "{raw}");
    assert_eq!(exit_code(blocks[0].as_bytes(), Some(&one_key)).0, 0);
    assert_eq!(exit_code(blocks[3].as_bytes(), None).0, 0);

    let damaged = String::from_utf8(export::write(&sessions, Form::SafeXml))
        .unwrap()
        .replacen("0007.500", "0008.500", 1);
    let (code, text) = exit_code(damaged.as_bytes(), None);
    assert_eq!(code, 1);
    assert!(
        text.contains("Session 2 of 4, transaction 2: VALID")
            && text.contains("Session 3 of 4, transaction 3: INVALID"),
        "{text}"
    );
}

#[test]
fn what_came_in_a_container_or_in_parts_leaves_as_records() {
    let meter = meter(Curve::Secp256r1);
    let key = key(&meter);
    let records = pair(&meter, 1, "x<y");
    let plain = Session {
        values: values(&records, &["Start", "End"]),
        delivered_key: Some(&key),
        ..Session::default()
    };
    let container = [base64(
        std::str::from_utf8(&export::write(std::slice::from_ref(&plain), Form::SafeXml)).unwrap(),
    )];
    let in_container = Session {
        values: values(&container, &["End"]),
        ..Session::default()
    };
    assert_eq!(
        export::write(&[in_container], Form::SafeXml),
        export::write(std::slice::from_ref(&plain), Form::SafeXml)
    );
    let sections: Vec<(&str, &str)> = records
        .iter()
        .map(|record| record.strip_prefix("OCMF|").unwrap().rsplit_once('|').unwrap())
        .collect();
    let in_parts = Session {
        values: sections
            .iter()
            .zip(["Start", "End"])
            .map(|((payload, signature), nature)| SignedValue {
                nature: Some(nature),
                plain_data: payload,
                signed_data: signature,
                delivered_key: None,
            })
            .collect(),
        delivered_key: Some(&key),
        ..Session::default()
    };
    arrives_like(&in_parts, &plain);
    let readable = Session {
        values: records
            .iter()
            .zip(["Start", "End"])
            .map(|(record, nature)| SignedValue {
                nature: Some(nature),
                plain_data: record,
                ..SignedValue::default()
            })
            .collect(),
        delivered_key: Some(&key),
        ..Session::default()
    };
    arrives_like(&readable, &plain);
}

fn arrives_like(session: &Session<'_>, other: &Session<'_>) {
    for form in [Form::SafeXml, Form::Chargy, Form::Raw] {
        assert_eq!(
            export::write(std::slice::from_ref(session), form),
            export::write(std::slice::from_ref(other), form)
        );
    }
}

#[test]
fn a_document_that_chargy_reads_leaves_as_it_came_and_our_own_reader_finds_the_session_in_it() {
    let meter = meter(Curve::Secp256r1);
    let [begin, end] = pair(&meter, 1, "");
    let snapshots = [(1, 0, 10, 0), (2, 7500, 11, 3600)].map(|(kind, energy, counter, later)| BsmFields {
        kind,
        energy,
        counter,
        epoch: 1_767_258_000 + later,
    });
    let measured = [(2500, 0), (10_000, 3600)].map(|(value, later)| GdfFields {
        value,
        utc: 1_767_258_000 + later,
    });
    for document in [
        charge_it_bsm(&meter, &snapshots),
        charge_transparency_record(&meter, &measured),
        ptb(&meter, &begin, &end),
    ] {
        let carried = [base64(&document)];
        let session = Session {
            values: values(&carried, &["End"]),
            ..Session::default()
        };
        let file = export::write(std::slice::from_ref(&session), Form::Chargy);
        assert_eq!(String::from_utf8_lossy(&file).trim_end(), document);
        let (code, text) = exit_code(&file, None);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("signed 7.5"), "{text}");
    }
}

#[test]
fn a_stored_cdr_gives_the_session_that_it_carries() {
    let meter = meter(Curve::Secp256r1);
    let records = pair(&meter, 1, "");
    let value = |nature: &str, record: &str| serde_json::json!({"nature": nature, "plain_data": "", "signed_data": base64(record)});
    let cdr = serde_json::json!({
        "id": "C1", "session_id": "4711", "total_energy": 7.5,
        "signed_data": {"encoding_method": "OCMF", "public_key": key(&meter), "signed_values": [value("Start", &records[0]), value("End", &records[1])]},
    })
    .to_string();
    let claim = Claim::read(cdr.as_bytes()).unwrap();
    let session = Session::of_cdr(&claim, Some("4711"), None, Some(PLACE)).unwrap();
    let file = String::from_utf8(export::write(&[session], Form::SafeXml)).unwrap();
    assert!(
        file.contains("transactionId=\"4711\" context=\"Transaction.Begin\""),
        "{file}"
    );
    assert_eq!(exit_code(file.as_bytes(), None).0, 0);
    let none = Claim::read(b"{\"id\":\"C2\"}").unwrap();
    assert!(Session::of_cdr(&none, None, None, None).is_none());
}

#[test]
fn chargy_gets_both_records_of_a_pair_where_it_knows_the_place() {
    let meter = meter(Curve::Secp256r1);
    let key = key(&meter);
    let records = pair(&meter, 1, "");
    let mut session = Session {
        values: values(&records, &["End", "Start"]),
        delivered_key: Some(&key),
        place: Some(PLACE),
        ..Session::default()
    };
    let write = |session: &Session<'_>| -> serde_json::Value {
        serde_json::from_slice(&export::write(std::slice::from_ref(session), Form::Chargy)).unwrap()
    };
    let ptb = write(&session);
    assert_eq!(
        (&ptb["format"], &ptb["ocmfEnd"]),
        (&"ptb".into(), &records[0].as_str().into())
    );
    assert_eq!(ptb["geoLocation"]["lng"].to_string(), "-126.104965");
    session.place = Some(Place {
        latitude: "unknown",
        ..PLACE
    });
    let values = write(&session);
    assert_eq!(values["encoding_method"], FormatName::Ocmf.as_str());
    assert_eq!(values["placeInfo"]["evseId"], "DE*ABC*E1");
    assert!(values["placeInfo"].get("geoLocation").is_none());
}

/// pyocmf, from the public package index, judges an exported file: CAL-IF05.
// CAL-IF05, SAF-23
#[test]
fn saf_23_cal_if05_an_independent_verifier_finds_every_exported_record_genuine_and_a_changed_one_not() {
    let root = env!("CARGO_MANIFEST_DIR");
    let installed = Command::new(format!("{root}/scripts/python-tool"))
        .args(["pyocmf", &format!("{root}/tests/pyocmf/requirements.txt")])
        .output();
    let home = match installed {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap().trim().to_owned(),
        _ => {
            println!("skipped: pyocmf could not be installed (no Python, or no package index)");
            return;
        }
    };
    // It has no brainpool curves, takes secp192k1 only with another library, and splits at every pipe; those are proven by the corpus.
    let curves = [Curve::Secp192r1, Curve::Secp256k1, Curve::Secp256r1, Curve::Secp384r1];
    let meters = curves.map(meter);
    let keys = meters.each_ref().map(key);
    let records = meters.each_ref().map(|meter| pair(meter, 1, "<b>&amp; ä</b>"));
    let sessions: Vec<Session<'_>> = records
        .iter()
        .zip(&keys)
        .map(|(records, key)| Session {
            values: values(records, &["Start", "End"]),
            delivered_key: Some(key),
            ..Session::default()
        })
        .collect();
    let file = String::from_utf8(export::write(&sessions, Form::SafeXml)).unwrap();
    let judged = judge(&home, &file);
    let (records, transactions) = judged.split_at(8);
    assert!(records.iter().all(|record| record["fits"] == true), "{judged:?}");
    assert_eq!(transactions.len(), 4, "{judged:?}");
    assert!(
        transactions
            .iter()
            .all(|transaction| transaction["issues"] == serde_json::json!([])),
        "{judged:?}"
    );

    let changed = judge(&home, &file.replacen("17.500", "17.501", 1));
    assert_eq!(
        changed.iter().filter(|line| line["fits"] == false).count(),
        1,
        "{changed:?}"
    );
}

fn judge(home: &str, file: &str) -> Vec<serde_json::Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.xml");
    std::fs::write(&path, file).unwrap();
    let output = Command::new(format!("{home}/bin/python"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pyocmf/judge.py"))
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
