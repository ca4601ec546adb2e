//! What arrives whole: any wrapping of any record, a file on the command line, a CDR, and what is handed on again.

use truewatt::cli::verify::{VerifyArgs, run};
use truewatt::evidence::export::{self, Form, Session};
use truewatt::evidence::{assess, marker};
use truewatt::metering::finding::Outcome;
use truewatt::metering::formats::safe_xml;
use truewatt::metering::formats::transport::{MAX_LAYERS, Unwrapped, unwrap};
use truewatt::metering::record::{Given, JudgedAs, SignedValue};
use truewatt::metering::session::examine;

use super::records::STRANGERS;

/// Any text without a label: what comes out of its wrappings is no longer than what went in, and nothing in it is valid.
pub fn transport(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match unwrap(text) {
        Unwrapped::Recognised(_, content) => assert!(content.octets().len() <= text.len() * MAX_LAYERS),
        Unwrapped::Text(inner) => assert!(inner.len() <= text.len()),
        Unwrapped::TooLong => {}
    }
    let value = SignedValue {
        signed_data: text,
        ..SignedValue::default()
    };
    for stranger in STRANGERS.iter() {
        let given = Given {
            registered_key: Some(stranger.public_key()),
            ..Given::default()
        };
        for judged_as in [JudgedAs::Record, JudgedAs::Session] {
            assert_ne!(examine(&[value], &given, judged_as).outcome, Outcome::Valid);
        }
    }
}

/// What people give to `truewatt verify`: an answer in both forms, the JSON of it JSON, and the same exit code.
pub fn verify_input(data: &[u8]) {
    let mut text = Vec::new();
    let code = run(&VerifyArgs::default(), data, &mut text);
    assert!(std::str::from_utf8(&text).is_ok_and(|text| !text.trim().is_empty()));
    let as_json = VerifyArgs {
        json: true,
        ..VerifyArgs::default()
    };
    let mut json = Vec::new();
    assert_eq!(run(&as_json, data, &mut json), code);
    assert!(truewatt::ocpi::json::check_syntax(&json).is_ok());
}

/// A CDR as a body: judged, packed, and its marker spliced in so that it is found again.
pub fn cdr(data: &[u8]) {
    if let Ok(assessment) = assess::assess(data, |_| assess::KeyKnowledge::default(), &assess::Policy::default()) {
        assessment.verdict(&assessment.blocks());
    }
    if let Ok(spliced) = marker::splice(data, "{}") {
        assert!(marker::has_marker(&spliced));
    }
}

/// What is handed on can be read again, record for record.
pub fn export(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let session = Session {
        values: vec![SignedValue {
            signed_data: text,
            ..SignedValue::default()
        }],
        ..Session::default()
    };
    let chargy = export::write(std::slice::from_ref(&session), Form::Chargy);
    assert!(truewatt::ocpi::json::check_syntax(&chargy).is_ok());
    export::write(std::slice::from_ref(&session), Form::Raw);
    let file = export::write(std::slice::from_ref(&session), Form::SafeXml);
    let file = String::from_utf8(file).expect("XML is text");
    match safe_xml::take_apart(&file) {
        Ok(values) => assert_eq!(values.len(), session.records().len()),
        Err(_) => assert!(text.len() > 1024, "what is written can be read"),
    }
}
