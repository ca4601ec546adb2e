//! Formats by name: how they are labelled in the field, and how their content begins.
//!
//! signed-metering-formats.md 2.1. A label is compared without letter case and outer blanks.

use crate::metering::json;

/// A format of signed meter values, readable here or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FormatName {
    /// S.A.F.E. Open Charge Metering Format
    Ocmf,
    /// Alfen Eichrecht
    Alfen,
    /// SML with the e-mobility extension: EMH, eBee
    Edl40P,
    /// SML as Isabellenhütte writes it
    IsaEdl40P,
    /// `signedMeterValue` XML around the 320-byte block
    Edl40Sig,
    /// Mennekes `ChargingProcess` XML
    Mennekes,
    /// Porsche Engineering
    Pcdf,
    /// The container of the S.A.F.E. transparency software
    SafeXml,
    /// chargeIT mobility, EMH or BSM meters
    ChargeIt,
    /// ChargePoint receipts
    ChargePoint,
    /// GraphDefined
    GraphDefined,
    /// Chargy transparency records and their relatives
    Chargy,
    /// PTB demonstration container around two OCMF records
    Ptb,
}

impl FormatName {
    /// Every format that has a name.
    pub const ALL: [FormatName; 13] = [
        FormatName::Ocmf,
        FormatName::Alfen,
        FormatName::Edl40P,
        FormatName::IsaEdl40P,
        FormatName::Edl40Sig,
        FormatName::Mennekes,
        FormatName::Pcdf,
        FormatName::SafeXml,
        FormatName::ChargeIt,
        FormatName::ChargePoint,
        FormatName::GraphDefined,
        FormatName::Chargy,
        FormatName::Ptb,
    ];

    /// The name as it stands in verdicts and sentences.
    pub fn as_str(self) -> &'static str {
        match self {
            FormatName::Ocmf => "OCMF",
            FormatName::Alfen => "Alfen Eichrecht",
            FormatName::Edl40P => "EDL40 E-Mobility Extension",
            FormatName::IsaEdl40P => "ISA-EDL-40-P",
            FormatName::Edl40Sig => "EDL_40_SIG",
            FormatName::Mennekes => "EDL40 Mennekes",
            FormatName::Pcdf => "PCDF",
            FormatName::SafeXml => "S.A.F.E. XML",
            FormatName::ChargeIt => "chargeIT Mobility",
            FormatName::ChargePoint => "ChargePoint",
            FormatName::GraphDefined => "GraphDefined",
            FormatName::Chargy => "Chargy JSON",
            FormatName::Ptb => "PTB",
        }
    }

    /// Reads a label. `None` for labels that name no format, such as `Other`.
    pub fn from_encoding_method(label: &str) -> Option<FormatName> {
        Some(match label.trim().to_lowercase().as_str() {
            "ocmf" | "open charge metering format" => FormatName::Ocmf,
            versioned if versioned.starts_with("ocmf-") => FormatName::Ocmf,
            "alfen eichrecht" | "alfen" => FormatName::Alfen,
            "edl40 e-mobility extension" | "edl40" | "edl_40_p" | "sml_edl40_p" | "sml" => FormatName::Edl40P,
            "isa_edl_40_p" | "isa-edl-40-p" => FormatName::IsaEdl40P,
            "edl_40_sig" | "signature only" => FormatName::Edl40Sig,
            "edl40 mennekes" | "edl40 mennekes: v1" | "edl_40_mennekes" | "mennekes" => FormatName::Mennekes,
            "pcdf" | "porsche" => FormatName::Pcdf,
            "safe xml" | "safe_xml" | "s.a.f.e. xml" | "safe" => FormatName::SafeXml,
            "chargeit mobility" | "chargeit" => FormatName::ChargeIt,
            "chargepoint" => FormatName::ChargePoint,
            "graphdefined" => FormatName::GraphDefined,
            "chargy" | "chargy json" => FormatName::Chargy,
            "ptb" => FormatName::Ptb,
            _ => return None,
        })
    }

    /// Whether genuine records confirmed what is signed. Of GraphDefined's meters there is a description and not one record with a signature that
    /// fits: one that fits here proves, one that does not leaves it open whether the record or the description is wrong.
    pub fn is_known_from_records(self) -> bool {
        self != FormatName::GraphDefined
    }

    /// Whether a text that was not recognised still wants to be a record of this format, which its label names: it has what no transport encoding
    /// and no plain sentence has, or, for binary formats, it is all encoding. Then it is a broken record and not an unknown thing.
    pub fn is_wanted_by(self, text: &str) -> bool {
        match self {
            FormatName::Ocmf => text.contains(['|', '{']),
            FormatName::Alfen => text.contains(';'),
            FormatName::Edl40P | FormatName::IsaEdl40P => {
                let mut symbols = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
                text.len() > SHORTEST_BINARY
                    && symbols.all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte))
            }
            FormatName::Edl40Sig | FormatName::Mennekes | FormatName::SafeXml => text.contains('<'),
            FormatName::Pcdf => text.contains('('),
            FormatName::ChargeIt
            | FormatName::ChargePoint
            | FormatName::GraphDefined
            | FormatName::Chargy
            | FormatName::Ptb => text.contains('{'),
        }
    }

    /// Recognises a record by how it begins, transport encodings already removed.
    pub fn recognise(content: &[u8]) -> Option<FormatName> {
        if content.starts_with(b"OCMF|") {
            return Some(FormatName::Ocmf);
        }
        if content.starts_with(b"AP;") {
            return Some(FormatName::Alfen);
        }
        if [&b"128.8.0("[..], b"\x02128.8.0(", b"\\u0002128.8.0("]
            .iter()
            .any(|start| content.starts_with(start))
        {
            return Some(FormatName::Pcdf);
        }
        if let Some(format) = FormatName::recognise_binary(content) {
            return Some(format);
        }
        match content.first() {
            Some(b'<') => by_root(content),
            Some(b'{') => by_members(std::str::from_utf8(content).ok()?),
            _ => None,
        }
    }

    /// Recognises the formats that are no text: SML, wherever in the octets it begins.
    pub fn recognise_binary(content: &[u8]) -> Option<FormatName> {
        contains(content, SML_START).then(|| {
            if is_isa(content) {
                FormatName::IsaEdl40P
            } else {
                FormatName::Edl40P
            }
        })
    }
}

/// Length of an encoded text below which nobody means a whole SML file: the frame alone is 32 hex digits.
const SHORTEST_BINARY: usize = 40;

/// Escape sequence and version of an SML file; junk may precede it (signed-metering-formats.md 7.2).
const SML_START: &[u8] = &[0x1B, 0x1B, 0x1B, 0x1B, 0x01, 0x01, 0x01, 0x01];

fn is_isa(sml: &[u8]) -> bool {
    contains(sml, &[0x01, 0x00, 0x01, 0x08, 0x00, 0x80])
        || (0..=2).any(|phase| contains(sml, &[0x81, 0x80, 0x81, 0x62, phase, 0xFF]))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The local name of the root element. Nothing is resolved or expanded: declaration, comments and a document type are stepped over.
fn by_root(xml: &[u8]) -> Option<FormatName> {
    let mut rest = std::str::from_utf8(xml).ok()?;
    loop {
        rest = rest.trim_start();
        let inside = rest.strip_prefix('<')?;
        let end_of_misc = match inside {
            _ if inside.starts_with("?") => "?>",
            _ if inside.starts_with("!--") => "-->",
            // A document type with declarations of its own ends behind them.
            _ if inside.starts_with("!") && inside.find('[') < inside.find('>') && inside.contains('[') => "]>",
            _ if inside.starts_with("!") => ">",
            _ => {
                let name = inside
                    .split(|c: char| c.is_whitespace() || c == '>' || c == '/')
                    .next()?;
                return match name.rsplit(':').next()? {
                    "values" => Some(FormatName::SafeXml),
                    "signedMeterValue" | "signedMeterData" => Some(FormatName::Edl40Sig),
                    "ChargingProcess" => Some(FormatName::Mennekes),
                    _ => None,
                };
            }
        };
        rest = inside.split_once(end_of_misc)?.1;
    }
}

fn by_members(text: &str) -> Option<FormatName> {
    let document = json::read(text).ok()?;
    let context = document
        .get("@context")
        .map(|context| context.as_written().to_ascii_lowercase());
    if document.get("signedMeterValues").is_some()
        || context.as_deref().is_some_and(|context| context.contains("bsm-ws36a"))
    {
        return Some(FormatName::ChargeIt);
    }
    if document
        .get("format")
        .and_then(json::Value::text)
        .is_some_and(|format| format.eq_ignore_ascii_case("ptb"))
    {
        return Some(FormatName::Ptb);
    }
    if document
        .get("additional_info")
        .is_some_and(|info| info.get("meter_startreading").is_some())
    {
        return Some(FormatName::ChargePoint);
    }
    context.map(|_| {
        if text.contains(super::chargy::GDF_CONTEXT) {
            FormatName::GraphDefined
        } else {
            FormatName::Chargy
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_forgiven_their_spelling() {
        for label in ["OCMF", "ocmf", "OCMF ", "OCMF-1.0", "Open Charge Metering Format"] {
            assert_eq!(
                FormatName::from_encoding_method(label),
                Some(FormatName::Ocmf),
                "{label}"
            );
        }
        assert_eq!(
            FormatName::from_encoding_method("EDL40 Mennekes: V1"),
            Some(FormatName::Mennekes)
        );
        assert_eq!(FormatName::from_encoding_method("ALFEN"), Some(FormatName::Alfen));
        assert_eq!(FormatName::from_encoding_method("Other"), None);
        assert_eq!(FormatName::from_encoding_method(""), None);
    }

    #[test]
    fn a_broken_record_under_its_label_is_told_from_an_unknown_thing() {
        assert!(FormatName::Ocmf.is_wanted_by("{\"PG\":1}|x"));
        assert!(FormatName::Alfen.is_wanted_by("XP;0;3;"));
        assert!(FormatName::Mennekes.is_wanted_by("<Charging"));
        assert!(FormatName::Edl40P.is_wanted_by(&"1b".repeat(30)));
        for sentence in [
            "unknown",
            "see the paper receipt, which lies in the office of the operator",
            "",
        ] {
            for format in [
                FormatName::Ocmf,
                FormatName::Alfen,
                FormatName::Edl40P,
                FormatName::Edl40Sig,
            ] {
                assert!(!format.is_wanted_by(sentence), "{sentence}");
            }
        }
    }

    #[test]
    fn contents_are_recognised_by_their_beginning() {
        let named = |content: &str| FormatName::recognise(content.as_bytes());
        assert_eq!(named("OCMF|{}|{}"), Some(FormatName::Ocmf));
        assert_eq!(named("AP;0;3;X"), Some(FormatName::Alfen));
        assert_eq!(named("\u{2}128.8.0(ST:"), Some(FormatName::Pcdf));
        assert_eq!(
            named("<?xml version='1.0'?><!-- a --><x:values>"),
            Some(FormatName::SafeXml)
        );
        assert_eq!(named("<!DOCTYPE a><signedMeterValue/>"), Some(FormatName::Edl40Sig));
        assert_eq!(
            named("<!DOCTYPE a [<!ENTITY b \"c\">]><values/>"),
            Some(FormatName::SafeXml)
        );
        assert_eq!(named("<ChargingProcess xmlns='x'>"), Some(FormatName::Mennekes));
        assert_eq!(named("{\"signedMeterValues\":[]}"), Some(FormatName::ChargeIt));
        assert_eq!(named("{\"format\":\"ptb\"}"), Some(FormatName::Ptb));
        assert_eq!(
            named("{\"@context\":\"https://open.charging.cloud/contexts/CTR+json\"}"),
            Some(FormatName::Chargy)
        );
        assert_eq!(
            named("{\"@context\":\"CTR+json\",\"chargingSessions\":[{\"@context\":\"GDFCrypt01+json\"}]}"),
            Some(FormatName::GraphDefined)
        );
        for unknown in [
            "",
            "<",
            "<html>",
            "{}",
            "ocmf|{}|{}",
            "AP",
            "{\"SD\":\"30\"}",
            "<!-- <values>",
        ] {
            assert_eq!(named(unknown), None, "{unknown:?}");
        }
        assert_eq!(
            FormatName::recognise(&[&b"junk"[..], SML_START].concat()),
            Some(FormatName::Edl40P)
        );
    }
}
