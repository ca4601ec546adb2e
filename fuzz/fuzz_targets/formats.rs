//! Whatever wants to be a record of any format is read or refused, never a panic, and what is read stays as small as what arrived; and nothing is
//! valid that the meter did not sign.
//!
//! The first octet chooses the format, the rest is the content with its transport encoding off; it is also tried as it is, whatever it is.

#![no_main]

use std::borrow::Cow;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use truewatt::metering::finding::Outcome;
use truewatt::metering::formats::transport::Content;
use truewatt::metering::formats::{self, FormatName};
use truewatt::metering::key::Curve;
use truewatt::metering::record::{Given, JudgedAs, MAX_READINGS, MAX_RECORDS, SignedValue};
use truewatt::metering::session::examine;
use truewatt::metering::sign::SigningMeter;

static METERS: LazyLock<Vec<SigningMeter>> = LazyLock::new(|| {
    [Curve::Secp192r1, Curve::Secp256r1]
        .into_iter()
        .map(|curve| SigningMeter::from_seed(curve, b"nobody signs with this one").expect("a supported curve"))
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, octets)) = data.split_first() else {
        return;
    };
    let format = FormatName::ALL[usize::from(*choice) % FormatName::ALL.len()];
    let text = std::str::from_utf8(octets).ok();
    let content = text.map_or_else(
        || Content::Binary(octets.to_vec()),
        |text| Content::Text(Cow::Borrowed(text)),
    );
    for record in formats::read(format, &content)
        .unwrap_or_default()
        .into_iter()
        .flatten()
    {
        assert!(record.statement.readings.len() <= MAX_READINGS);
        let signed: usize = record.blocks.iter().map(|block| block.octets.len()).sum();
        // The block of EDL40 has 320 octets however few of them are not zero, and Mennekes has two.
        assert!(signed <= octets.len() + 640);
    }

    let hexadecimal = hex(octets);
    for meter in METERS.iter() {
        for signed_data in [text.unwrap_or_default(), &hexadecimal] {
            let value = SignedValue {
                signed_data,
                ..SignedValue::default()
            };
            let given = Given {
                encoding_method: Some(format.as_str()),
                registered_key: Some(meter.public_key()),
                ..Given::default()
            };
            for judged_as in [JudgedAs::Record, JudgedAs::Session] {
                let examination = examine(&[value], &given, judged_as);
                assert_ne!(examination.outcome, Outcome::Valid);
                assert!(examination.records.len() <= MAX_RECORDS);
            }
        }
    }
});

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
