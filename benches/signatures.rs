//! What a verification costs: for each curve with the key at hand and with the key arriving as text, for each format from the text that
//! arrived to the answer; by default and by the reference implementation, side by side.
//!
//! `cargo bench --bench signatures`; `-- format` or `-- secp256r1` for a part of it. Without `--features fast-ecdsa` both sides are the same.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest, Sha256};
use truewatt::metering::formats::transport::{Unwrapped, unwrap};
use truewatt::metering::formats::{self, chargepoint, safe_xml};
use truewatt::metering::key::{Curve, PublicKey};
use truewatt::metering::record::{Given, JudgedAs, SignedValue};
use truewatt::metering::session::examine;
use truewatt::metering::sign::SigningMeter;
use truewatt::metering::sign::documents::{
    BsmFields, GdfFields, charge_it_bsm, charge_it_emh, charge_point, charge_transparency_record, pcdf, ptb,
};
use truewatt::metering::sign::records::{
    AlfenDataset, Edl40Fields, IsaFields, alfen, edl_40_p, edl_40_sig, isa_edl_40_p, mennekes,
};
use truewatt::metering::signature::{Check, Signature, read_der, verify, verify_reference};

/// About as long as the payload of a real OCMF record.
const BLOCK: &[u8] = &[b'x'; 491];

fn curves(criterion: &mut Criterion) {
    for curve in Curve::SUPPORTED {
        let meter = SigningMeter::from_seed(curve, b"bench").unwrap();
        let key = meter.public_key();
        let text = hex::encode(key.to_spki_der());
        let der = meter.sign(BLOCK);
        let digest = Sha256::digest(BLOCK);
        let signature = read_der(&der, curve).unwrap();
        assert_eq!(verify(key, &digest, &signature), Check::Fits);

        let mut group = criterion.benchmark_group(curve.name());
        group.throughput(Throughput::Elements(1));
        group.bench_function("verify, key at hand", |bencher| {
            bencher.iter(|| verify(black_box(key), &digest, &signature));
        });
        group.bench_function("verify, reference", |bencher| {
            bencher.iter(|| verify_reference(black_box(key), &digest, &signature));
        });
        group.bench_function("verify, everything read anew", |bencher| {
            bencher.iter(|| {
                let key = PublicKey::read(black_box(&text), None).unwrap();
                let signature = read_der(black_box(&der), curve).unwrap();
                verify(&key, &Sha256::digest(BLOCK), &signature)
            });
        });
        group.bench_function("read the key", |bencher| {
            bencher.iter(|| PublicKey::read(black_box(&text), None).unwrap());
        });
        group.finish();
    }
}

type Verify = fn(&PublicKey, &[u8], &Signature) -> Check;

/// A record as it is carried: format and curve, the signed value, the readable copy, whose key.
struct Carried<'m> {
    name: &'static str,
    signed_data: String,
    plain_data: String,
    meter: &'m SigningMeter,
}

/// Unwrapped, read and verified, block by block; the number of signatures that fit.
fn read_and_verify(carried: &Carried<'_>, verify: Verify) -> usize {
    let records = match unwrap(&carried.signed_data) {
        Unwrapped::Recognised(format, content) => formats::read(format, &content)
            .into_iter()
            .map(|record| record.unwrap().into_owned())
            .collect(),
        // The receipt of ChargePoint is the readable copy, and its signature no record.
        _ => vec![chargepoint::read_parts(carried.plain_data.as_bytes(), &carried.signed_data).unwrap()],
    };
    let blocks = records.iter().flat_map(|record| &record.blocks);
    let fits = blocks.filter(|block| {
        let signature = &block.signature.as_ref().unwrap().signature;
        verify(carried.meter.public_key(), &Sha256::digest(&block.octets), signature) == Check::Fits
    });
    fits.count()
}

/// The whole way of a signed value, with the checks of what it says.
fn examined(carried: &Carried<'_>) -> usize {
    let value = SignedValue {
        signed_data: &carried.signed_data,
        plain_data: &carried.plain_data,
        ..SignedValue::default()
    };
    let given = Given {
        registered_key: Some(carried.meter.public_key()),
        ..Given::default()
    };
    let examination = examine(&[value], &given, JudgedAs::Record);
    examination
        .records
        .iter()
        .filter(|record| record.signature.fits())
        .count()
}

fn of_each_format(criterion: &mut Criterion) {
    let small = SigningMeter::from_seed(Curve::Secp192r1, b"bench").unwrap();
    let large = SigningMeter::from_seed(Curve::Secp256r1, b"bench").unwrap();
    for carried in records(&small, &large) {
        let signatures = read_and_verify(&carried, verify);
        assert!(signatures > 0, "{}", carried.name);
        assert_eq!(
            read_and_verify(&carried, verify_reference),
            signatures,
            "{}",
            carried.name
        );
        let mut group = criterion.benchmark_group(format!("format {}", carried.name));
        group.throughput(Throughput::Elements(signatures as u64));
        group.bench_function("read and verify", |bencher| {
            bencher.iter(|| read_and_verify(black_box(&carried), verify));
        });
        group.bench_function("read and verify, reference", |bencher| {
            bencher.iter(|| read_and_verify(black_box(&carried), verify_reference));
        });
        group.bench_function("examine", |bencher| {
            bencher.iter(|| examined(black_box(&carried)));
        });
        group.finish();
    }
}

fn records<'m>(small: &'m SigningMeter, large: &'m SigningMeter) -> Vec<Carried<'m>> {
    let payload = |marker: &str, value: &str| {
        format!(
            r#"{{"FV":"1.0","GI":"Gateway","GS":"G1","GV":"1.0","PG":"T1","MV":"Maker","MM":"Model","MS":"M1","MF":"1.0","IS":true,"IL":"VERIFIED","IF":["RFID_RELATED","OCPP_AUTH"],"IT":"ISO14443","ID":"04AABBCC","CT":"EVSEID","CI":"DE*ABC*E1","RD":[{{"TM":"2026-01-01T10:00:00,000+0100 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","RT":"AC","EF":"","ST":"G"}}]}}"#
        )
    };
    let (begin, end) = (large.ocmf(&payload("B", "10.000")), large.ocmf(&payload("E", "17.500")));
    let edl40 = [(1_000_000, 10), (1_075_000, 11)].map(|(value, pagination)| Edl40Fields {
        value,
        pagination,
        ..Edl40Fields::default()
    });
    let safe_file = format!(
        "<values>{}</values>",
        [(&begin, "Begin"), (&end, "End")]
            .map(|(record, context)| format!(
                "<value transactionId=\"1\" context=\"Transaction.{context}\"><signedData format=\"OCMF\" encoding=\"plain\">{record}</signedData></value>"
            ))
            .concat()
    );
    assert_eq!(safe_xml::take_apart(&safe_file).unwrap().len(), 2);
    let (receipt, receipt_signature) = charge_point(large, 1000, 8500);
    let carried = |name, signed_data: String, meter| Carried {
        name,
        signed_data,
        plain_data: String::new(),
        meter,
    };
    vec![
        carried("OCMF", begin.clone(), large),
        carried("Alfen", alfen(small, 0, &AlfenDataset::default()), small),
        carried("EDL_40_P", hex::encode(edl_40_p(small, &edl40[0])), small),
        carried("EDL_40_P of EMOC", hex::encode(edl_40_p(large, &edl40[0])), large),
        carried(
            "ISA-EDL-40-P",
            hex::encode(isa_edl_40_p(large, &IsaFields::default())),
            large,
        ),
        carried("EDL_40_SIG", edl_40_sig(small, &edl40[0]), small),
        carried("Mennekes", mennekes(small, &edl40), small),
        carried("PCDF", pcdf(large, "0007.500"), large),
        carried("S.A.F.E. XML", safe_file, large),
        carried("chargeIT EMH", charge_it_emh(small, &edl40), small),
        carried("chargeIT BSM", charge_it_bsm(large, &[BsmFields::default()]), large),
        Carried {
            plain_data: receipt,
            ..carried("ChargePoint", receipt_signature, large)
        },
        carried("PTB", ptb(large, &begin, &end), large),
        carried(
            "GraphDefined",
            charge_transparency_record(
                large,
                &[GdfFields {
                    value: 2500,
                    utc: 1_767_258_000,
                }],
            ),
            large,
        ),
    ]
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1)).warm_up_time(std::time::Duration::from_millis(300));
    targets = curves, of_each_format
}
criterion_main!(benches);
