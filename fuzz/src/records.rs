//! One reader of records each, and the examination behind it.

use std::borrow::Cow;
use std::sync::LazyLock;

use truewatt::metering::finding::Outcome;
use truewatt::metering::formats::transport::Content;
use truewatt::metering::formats::{self, FormatName, ReadRecord, safe_xml as container};
use truewatt::metering::key::Curve;
use truewatt::metering::record::{Given, JudgedAs, MAX_READINGS, MAX_RECORDS, SignedValue};
use truewatt::metering::session::{examine, examine_read};
use truewatt::metering::sign::SigningMeter;

/// Meters that no input can have a signature of: whatever is valid under their keys was not signed.
pub static STRANGERS: LazyLock<Vec<SigningMeter>> = LazyLock::new(|| {
    [Curve::Secp192r1, Curve::Secp256r1]
        .into_iter()
        .map(|curve| SigningMeter::from_seed(curve, b"nobody signs with this one").expect("a supported curve"))
        .collect()
});

/// The block of EDL40 has 320 octets however few of them are not zero, and Mennekes has two.
const PUT_TOGETHER: usize = 640;

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident => $format:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(data: &[u8]) {
            is_read_or_refused(FormatName::$format, data);
        }
    )*};
}

readers! {
    /// A signed value, and the readable copy behind the first zero octet.
    ocmf => Ocmf;
    /// A line.
    alfen => Alfen;
    /// Raw SML, as the meter writes it.
    edl_40_p => Edl40P;
    /// Raw SML, as the meter writes it.
    isa_edl_40_p => IsaEdl40P;
    /// XML.
    edl_40_sig => Edl40Sig;
    /// XML.
    mennekes => Mennekes;
    /// A line.
    pcdf => Pcdf;
    /// A document of either kind of meter.
    chargeit => ChargeIt;
    /// A receipt, and its signature behind the first zero octet.
    chargepoint => ChargePoint;
    /// A document.
    ptb => Ptb;
    /// A document.
    chargy => Chargy;
}

/// A file: as of every reader, and every value of it belongs to exactly one session.
pub fn safe_xml(data: &[u8]) {
    is_read_or_refused(FormatName::SafeXml, data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(values) = container::take_apart(text) {
        let mut all = container::sessions(&values).concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..values.len()));
    }
}

/// The reader by itself, and the way that a signed value takes through unwrapping and examination.
fn is_read_or_refused(format: FormatName, data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    let content = match text {
        Some(text) => Content::Text(Cow::Borrowed(text)),
        None => Content::Binary(data.to_vec()),
    };
    let records = formats::read(format, &content);
    for record in records.iter().flatten() {
        assert!(record.statement.readings.len() <= MAX_READINGS);
        let signed: usize = record.blocks.iter().map(|block| block.octets.len()).sum();
        assert!(signed <= data.len() + PUT_TOGETHER);
        let _ = format!("{record:?}");
    }
    let hexadecimal: String = match text {
        Some(_) => String::new(),
        None => data.iter().map(|octet| format!("{octet:02x}")).collect(),
    };
    let (signed_data, plain_data) = match (text, format) {
        // The receipt is the readable field, the signature the signed one.
        (Some(text), FormatName::ChargePoint) => match text.split_once('\0') {
            Some((receipt, signature)) => (signature, receipt),
            None => (text, ""),
        },
        (Some(text), _) => text.split_once('\0').unwrap_or((text, "")),
        (None, _) => (hexadecimal.as_str(), ""),
    };
    for stranger in STRANGERS.iter() {
        is_never_valid(records.clone(), stranger);
        let value = SignedValue {
            signed_data,
            plain_data,
            ..SignedValue::default()
        };
        let given = Given {
            encoding_method: Some(format.as_str()),
            registered_key: Some(stranger.public_key()),
            ..Given::default()
        };
        for judged_as in [JudgedAs::Record, JudgedAs::Session] {
            let examination = examine(&[value], &given, judged_as);
            assert_ne!(examination.outcome, Outcome::Valid);
            assert!(examination.records.len() <= MAX_RECORDS);
        }
    }
}

fn is_never_valid(records: Vec<ReadRecord<'_>>, stranger: &SigningMeter) {
    let given = Given {
        registered_key: Some(stranger.public_key()),
        ..Given::default()
    };
    if !records.is_empty() {
        assert_ne!(examine_read(records, &given, JudgedAs::Session).outcome, Outcome::Valid);
    }
}
