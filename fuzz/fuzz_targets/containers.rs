//! Whatever somebody sends as a container or as PCDF is read or refused, never a panic; nothing in it is valid that the meter did not sign, every
//! value of a file belongs to exactly one session, and what is handed on comes back octet for octet.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use truewatt::cli::verify::{VerifyArgs, run};
use truewatt::evidence::export::{self, Form, Session};
use truewatt::metering::finding::Outcome;
use truewatt::metering::formats::transport::Content;
use truewatt::metering::formats::{self, FormatName, chargepoint, safe_xml};
use truewatt::metering::key::Curve;
use truewatt::metering::record::{Given, JudgedAs, SignedValue};
use truewatt::metering::session::examine_read;
use truewatt::metering::sign::SigningMeter;

static METER: LazyLock<SigningMeter> = LazyLock::new(|| {
    SigningMeter::from_seed(Curve::Secp256r1, b"nobody signs with this one").expect("a supported curve")
});

const READERS: [FormatName; 5] = [
    FormatName::SafeXml,
    FormatName::ChargeIt,
    FormatName::ChargePoint,
    FormatName::Ptb,
    FormatName::Pcdf,
];

fuzz_target!(|data: &[u8]| {
    run(&VerifyArgs::default(), data, &mut std::io::sink());
    let _ = chargepoint::read_parts(data, "3006020101020101");
    let Ok(text) = std::str::from_utf8(data) else { return };
    let given = Given {
        registered_key: Some(METER.public_key()),
        ..Given::default()
    };
    for format in READERS {
        let records = formats::read(format, &Content::Text(text.into())).unwrap_or_default();
        if !records.is_empty() {
            assert_ne!(examine_read(records, &given, JudgedAs::Session).outcome, Outcome::Valid);
        }
    }
    if let Ok(values) = safe_xml::take_apart(text) {
        let mut all = safe_xml::sessions(&values).concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..values.len()));
    }

    let session = Session {
        values: vec![SignedValue {
            signed_data: text,
            ..SignedValue::default()
        }],
        ..Session::default()
    };
    for form in [Form::Chargy, Form::Raw] {
        export::write(std::slice::from_ref(&session), form);
    }
    let file = export::write(std::slice::from_ref(&session), Form::SafeXml);
    let file = String::from_utf8(file).expect("XML is text");
    if let Ok(values) = safe_xml::take_apart(&file) {
        assert_eq!(values.len(), session.records().len());
    } else {
        assert!(text.len() > 1024, "what is written can be read");
    }
});
