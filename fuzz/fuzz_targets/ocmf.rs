//! Whatever somebody sends as a signed value is read or refused, never a panic; and nothing is valid that the meter did not sign.
//!
//! The input is the signed value, the readable copy behind the first zero octet, and the whole of it once more as the input of `truewatt verify`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use truewatt::cli::verify::{VerifyArgs, run};
use truewatt::evidence::{assess, marker};
use truewatt::metering::finding::Outcome;
use truewatt::metering::key::Curve;
use truewatt::metering::record::{Given, JudgedAs, SignedValue};
use truewatt::metering::session::examine;
use truewatt::metering::sign::SigningMeter;

static METER: LazyLock<SigningMeter> = LazyLock::new(|| {
    SigningMeter::from_seed(Curve::Secp256r1, b"nobody signs with this one").expect("a supported curve")
});

fuzz_target!(|data: &[u8]| {
    run(&VerifyArgs::default(), data, &mut std::io::sink());
    if let Ok(assessment) = assess::assess(data, |_| assess::KeyKnowledge::default(), &assess::Policy::default()) {
        assessment.verdict(&assessment.blocks());
    }
    if let Ok(spliced) = marker::splice(data, "{}") {
        assert!(marker::has_marker(&spliced));
    }

    let Ok(text) = std::str::from_utf8(data) else { return };
    let (signed_data, plain_data) = text.split_once('\0').unwrap_or((text, ""));
    let value = SignedValue {
        signed_data,
        plain_data,
        ..SignedValue::default()
    };
    let given = Given {
        encoding_method: Some("OCMF"),
        registered_key: Some(METER.public_key()),
        ..Given::default()
    };
    for judged_as in [JudgedAs::Record, JudgedAs::Session] {
        assert_ne!(examine(&[value], &given, judged_as).outcome, Outcome::Valid);
    }
});
