//! What a verification costs: per curve, with the key at hand and with the key arriving as text, default and reference.
//!
//! `cargo bench --bench signatures`

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sha2::{Digest, Sha256};
use truewatt::metering::key::{Curve, PublicKey};
use truewatt::metering::sign::SigningMeter;
use truewatt::metering::signature::{Check, read_der, verify, verify_reference};

/// About as long as the payload of a real OCMF record.
const BLOCK: &[u8] = &[b'x'; 491];

fn signatures(criterion: &mut Criterion) {
    for curve in Curve::SUPPORTED {
        let meter = SigningMeter::from_seed(curve, b"bench").unwrap();
        let key = meter.public_key();
        let text = hex::encode(key.to_spki_der());
        let der = meter.sign(BLOCK);
        let digest = Sha256::digest(BLOCK);
        let signature = read_der(&der, curve).unwrap();
        assert_eq!(verify(key, &digest, &signature), Check::Fits);

        let mut group = criterion.benchmark_group(curve.name());
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

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1)).warm_up_time(std::time::Duration::from_millis(300));
    targets = signatures
}
criterion_main!(benches);
