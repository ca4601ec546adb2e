//! What it costs to know the keys of 100 000 meters: memory for each, and time for each question that a CDR asks.
//!
//! `cargo bench --bench registry`. Every registration has a key of its own; the first question about a meter reads its key, later ones do not.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/counting/mod.rs"]
mod counting;

use std::hint::black_box;

use chrono::{DateTime, Utc};
use counting::{Counting, measured};
use criterion::{Criterion, criterion_group, criterion_main};
use truewatt::evidence::asking::answer;
use truewatt::evidence::assess::KeyQuestion;
use truewatt::metering::key::{Curve, PublicKey};
use truewatt::metering::sign::SigningMeter;
use truewatt::registry::index::Index;
use truewatt::registry::record::Registration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const REGISTRATIONS: usize = 100_000;

fn key(number: usize) -> PublicKey {
    let meter = SigningMeter::from_seed(Curve::Secp256r1, format!("meter {number}").as_bytes()).unwrap();
    meter.public_key().clone()
}

fn registration(number: usize) -> Registration {
    let key = key(number);
    let document = serde_json::json!({
        "id": format!("0197a000-0000-7000-8000-{number:012}"), "version": 1, "state": "CONFIRMED",
        "fingerprint": key.fingerprint(), "curve": key.curve().name(), "public_key": hex::encode(key.to_spki_der()),
        "unit": {"meter_serial": format!("1TWH{number:010}"), "signs": "METER"},
        "evse_id": format!("DE*ABC*E{number}"), "evse_uid": format!("E-{number}"), "calibrated": true, "cpo": "DE/ABC",
        "valid_from": "2026-01-01T00:00:00.000000Z", "reason": "COMMISSIONING", "submitted_by": "DE/ABC",
        "submitted_at": "2026-01-01T00:00:00.000000Z", "checked_at": "2026-01-01T00:00:00.000000Z",
        "published_at": "2026-01-01T00:00:00.000000Z", "confirmed_at": "2026-01-01T00:00:00.000000Z",
    });
    Registration::read(&document.to_string()).unwrap()
}

fn question(number: usize, now: DateTime<Utc>) -> KeyQuestion {
    KeyQuestion {
        cpo: "DE/ABC".to_owned(),
        customer: Default::default(),
        evse_id: Some(format!("DE*ABC*E{number}")),
        evse_uid: Some(format!("E-{number}")),
        meter_serials: vec![format!("1TWH{number:010}")],
        gateway_serials: Vec::new(),
        delivered_fingerprint: Some(key(number).fingerprint()),
        from: Some(now),
        to: Some(now),
    }
}

fn lookups(criterion: &mut Criterion) {
    let now: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let (index, cost) = measured(|| {
        let mut index = Index::default();
        for number in 0..REGISTRATIONS {
            let registration = registration(number);
            let since = registration.submitted_at;
            index.put(registration, since);
        }
        index
    });
    println!(
        "{REGISTRATIONS} registrations, {} bytes each",
        cost.kept / REGISTRATIONS
    );

    // Far enough apart that no two share a place in the cache.
    let questions: Vec<KeyQuestion> = (0..1000).map(|at| question(at * 97, now)).collect();
    let keys = questions.iter().map(|question| {
        let registered = index.of_serial(&question.meter_serials[0]).next().unwrap();
        measured(|| assert!(registered.key().is_some())).1.kept
    });
    println!(
        "{} bytes more once the key was asked for",
        keys.sum::<usize>() / questions.len()
    );
    assert!(
        questions
            .iter()
            .all(|question| answer(&index, question, now).for_evse.len() == 1)
    );

    let mut group = criterion.benchmark_group("registry of 100 000");
    let mut asked = questions.iter().cycle();
    group.bench_function("everything a CDR asks", |bencher| {
        bencher.iter(|| answer(black_box(&index), asked.next().unwrap(), now));
    });
    let mut asked = questions.iter().cycle();
    group.bench_function("the keys of a meter", |bencher| {
        bencher.iter(|| {
            index
                .of_serial(black_box(&asked.next().unwrap().meter_serials[0]))
                .count()
        });
    });
    group.bench_function("a meter that is not there", |bencher| {
        bencher.iter(|| index.of_serial(black_box("1TWH9999999999")).count());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1)).warm_up_time(std::time::Duration::from_millis(300));
    targets = lookups
}
criterion_main!(benches);
