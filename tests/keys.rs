//! Public keys as the field writes them, each with the point an independent reader found in it.
//!
//! The corpus is found as `tests/corpus` says.

#![allow(clippy::unwrap_used)]

mod corpus;

use serde::Deserialize;
use truewatt::metering::key::{Curve, PublicKey};

#[derive(Deserialize)]
struct Vector {
    id: String,
    kind: String,
    text: String,
    curve_hint: Option<String>,
    expected: String,
    #[serde(default)]
    also_acceptable: Vec<String>,
    decoded: Option<Decoded>,
}

#[derive(Deserialize)]
struct Decoded {
    curve: String,
    x: String,
    y: String,
}

#[test]
fn every_key_of_the_corpus_is_read_as_the_point_it_is_or_refused() {
    let Some(vectors) = corpus::rows::<Vector>("public_keys.json") else {
        return;
    };
    assert!(!vectors.is_empty());
    let disagreements: Vec<String> = vectors.iter().filter_map(disagreement).collect();
    assert!(
        disagreements.is_empty(),
        "{} of {} disagree:\n{}",
        disagreements.len(),
        vectors.len(),
        disagreements.join("\n")
    );
}

// Where a verdict is a matter of taste (`also_acceptable`), a reader that takes what the field sends is of more use.
#[test]
fn no_key_is_refused_that_others_could_read() {
    let Some(vectors) = corpus::rows::<Vector>("public_keys.json") else {
        return;
    };
    for vector in vectors.iter().filter(|vector| vector.expected == "ACCEPT") {
        let read = PublicKey::read(&vector.text, hint(vector));
        assert!(read.is_ok(), "{} ({}): {read:?}", vector.id, vector.kind);
    }
}

// A key keeps its identity through our own hands: canonical form out, same point and fingerprint in.
#[test]
fn every_key_of_the_corpus_survives_its_canonical_form() {
    let Some(vectors) = corpus::rows::<Vector>("public_keys.json") else {
        return;
    };
    for vector in &vectors {
        let Ok(key) = PublicKey::read(&vector.text, hint(vector)) else {
            continue;
        };
        let again = PublicKey::from_bytes(&key.to_spki_der(), None).unwrap();
        assert_eq!(again, key, "{}", vector.id);
        assert_eq!(again.fingerprint(), key.fingerprint(), "{}", vector.id);
    }
}

fn disagreement(vector: &Vector) -> Option<String> {
    let read = PublicKey::read(&vector.text, hint(vector));
    let answer = if read.is_ok() { "ACCEPT" } else { "REJECT" };
    if vector.expected != answer && !vector.also_acceptable.iter().any(|taste| taste == answer) {
        return Some(format!(
            "{} ({}): expected {}, got {read:?}",
            vector.id, vector.kind, vector.expected
        ));
    }
    let key = read.ok()?;
    let Some(decoded) = &vector.decoded else {
        return Some(format!("{}: accepted, and nobody says which point it is", vector.id));
    };
    let size = key.curve().field_bytes() * 2;
    let point = format!("04{:0>size$}{:0>size$}", decoded.x, decoded.y);
    let agrees = Curve::from_name(&decoded.curve) == Some(key.curve())
        && hex::encode(key.sec1_uncompressed()) == point.to_lowercase();
    (!agrees).then(|| format!("{} ({}): another point, {key:?}", vector.id, vector.kind))
}

fn hint(vector: &Vector) -> Option<Curve> {
    let name = vector.curve_hint.as_deref()?;
    Some(Curve::from_name(name).unwrap())
}
