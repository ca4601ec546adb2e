//! Peeling off what was wrapped around a record on its way.
//!
//! signed-metering-formats.md 2.2: a byte order mark, white space and one pair of quotes around the record; XML entities; hex; base64 in any of
//! its dialects; three layers at most. Peeling stops at the first layer whose content is recognised, and what it leaves is never touched.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::FormatName;
use crate::metering::record::MAX_CARRIED_TEXT;

/// How many encodings are taken off. Two are seen (base64 around hex, base64 twice); the third is the quotes-and-entities kind of accident.
pub const MAX_LAYERS: usize = 3;

/// Shortest text that is tried as hex, in digits: shorter ones are identifiers, not records.
const SHORTEST_HEX: usize = 40;

/// What a record is made of once its wrappings are off.
#[derive(Clone, PartialEq, Eq)]
pub enum Content<'a> {
    /// Text: a slice of what arrived, or what was decoded from it.
    Text(Cow<'a, str>),
    /// Binary (SML), decoded.
    Binary(Vec<u8>),
}

impl Content<'_> {
    /// The text; `None` if it is binary.
    pub fn text(&self) -> Option<&str> {
        match self {
            Content::Text(text) => Some(text),
            Content::Binary(_) => None,
        }
    }

    /// The octets, of either kind.
    pub fn octets(&self) -> &[u8] {
        match self {
            Content::Text(text) => text.as_bytes(),
            Content::Binary(octets) => octets,
        }
    }
}

/// Records carry identifications of drivers: the length is shown, the content is not.
impl fmt::Debug for Content<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "content of {} bytes", self.octets().len())
    }
}

/// What was found below the wrappings.
#[derive(Clone, PartialEq, Eq)]
pub enum Unwrapped<'a> {
    /// A record or a container of a known format.
    Recognised(FormatName, Content<'a>),
    /// Text of no known format: the innermost layer that is still text.
    Text(Cow<'a, str>),
    /// Longer than anything that is looked at.
    TooLong,
}

/// Records carry identifications of drivers: the length is shown, the text is not.
impl fmt::Debug for Unwrapped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwrapped::Recognised(format, content) => write!(out, "{}, {content:?}", format.as_str()),
            Unwrapped::Text(text) => write!(out, "text of {} bytes", text.len()),
            Unwrapped::TooLong => out.write_str("too long"),
        }
    }
}

/// Unwraps a carried text.
pub fn unwrap(carried: &str) -> Unwrapped<'_> {
    if carried.len() > MAX_CARRIED_TEXT {
        return Unwrapped::TooLong;
    }
    let mut text = Cow::Borrowed(strip_outside(carried));
    for layer in 0..=MAX_LAYERS {
        if let Some(format) = FormatName::recognise(text.as_bytes()) {
            return Unwrapped::Recognised(format, Content::Text(text));
        }
        if layer == MAX_LAYERS {
            break;
        }
        let inner = match peel(&text) {
            Some(inner) => inner,
            None => break,
        };
        // Binary is either a format of its own or no record at all. SML that happens to be text as well must not be trimmed.
        match (FormatName::recognise_binary(&inner), String::from_utf8(inner)) {
            (Some(format), inner) => {
                let octets = inner.map_or_else(|binary| binary.into_bytes(), String::into_bytes);
                return Unwrapped::Recognised(format, Content::Binary(octets));
            }
            (None, Ok(inner)) => text = Cow::Owned(strip_outside(&inner).to_owned()),
            (None, Err(_)) => break,
        }
    }
    Unwrapped::Text(text)
}

/// White space, a byte order mark and one pair of double quotes around a text are transport, whatever the text is.
pub fn strip_outside(text: &str) -> &str {
    let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let text = text.trim_matches(blank);
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.trim_matches(blank),
        None => text,
    }
}

/// One layer off, or `None` if there is no layer.
fn peel(text: &str) -> Option<Vec<u8>> {
    if text.starts_with("&lt;") {
        return Some(unescape_entities(text).into_bytes());
    }
    let dense = dense(text);
    if dense.len() > SHORTEST_HEX && dense.len().is_multiple_of(2) && dense.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return hex::decode(&*dense).ok();
    }
    from_base64(&dense)
}

/// The octets of a text in hex or Base64, of any length; `None` if it is neither, or empty.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let dense = dense(text);
    if dense.len() > MAX_CARRIED_TEXT {
        return None;
    }
    hex::decode(&*dense)
        .ok()
        .filter(|octets| !octets.is_empty())
        .or_else(|| from_base64(&dense))
}

/// The text without white space: most texts have none.
fn dense(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        true => text.split_ascii_whitespace().collect::<String>().into(),
        false => text.into(),
    }
}

/// Base64 as it is met: loose ends, padding or none.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Base64 in any dialect: either alphabet, padding or none. `None` for an empty text.
fn from_base64(dense: &str) -> Option<Vec<u8>> {
    if dense.is_empty() {
        return None;
    }
    match dense.contains(['-', '_']) {
        true => FORGIVING.decode(dense.replace('-', "+").replace('_', "/")).ok(),
        false => FORGIVING.decode(dense).ok(),
    }
}

/// The five entities every XML writer uses, once: `&amp;lt;` becomes `&lt;`, not `<`.
fn unescape_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = [
            ("&lt;", '<'),
            ("&gt;", '>'),
            ("&quot;", '"'),
            ("&apos;", '\''),
            ("&amp;", '&'),
        ];
        match known.iter().find(|(entity, _)| rest.starts_with(entity)) {
            Some((entity, c)) => {
                out.push(*c);
                rest = &rest[entity.len()..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};
    use proptest::prelude::*;

    const RECORD: &str = "OCMF|{\"FV\":\"1.0\",\"GI\":\"ä?>>\"} |{\"SD\":\"30\"}";

    fn ocmf(text: &str) -> Unwrapped<'_> {
        Unwrapped::Recognised(FormatName::Ocmf, Content::Text(Cow::Borrowed(text)))
    }

    #[test]
    fn every_wrapping_of_the_field_comes_off() {
        let base64 = BASE64_STANDARD.encode(RECORD);
        let wrapped = [
            RECORD.to_owned(),
            format!("\u{feff} \"{RECORD}\"\r\n"),
            base64.clone(),
            BASE64_STANDARD_NO_PAD.encode(RECORD),
            BASE64_URL_SAFE.encode(RECORD),
            base64
                .as_bytes()
                .chunks(20)
                .map(|line| std::str::from_utf8(line).unwrap())
                .collect::<Vec<_>>()
                .join("\r\n"),
            hex::encode(RECORD),
            hex::encode_upper(RECORD),
            BASE64_STANDARD.encode(hex::encode(RECORD)),
            BASE64_STANDARD.encode(&base64),
        ];
        for carried in &wrapped {
            assert_eq!(unwrap(carried), ocmf(RECORD), "{carried}");
        }
    }

    #[test]
    fn peeling_ends_after_three_layers() {
        let wrap = |times: usize| (0..times).fold(RECORD.to_owned(), |text, _| BASE64_STANDARD.encode(text));
        assert_eq!(unwrap(&wrap(3)), ocmf(RECORD));
        assert!(matches!(unwrap(&wrap(4)), Unwrapped::Text(_)));
    }

    #[test]
    fn escaped_xml_and_binary_sml_are_recognised() {
        assert!(matches!(
            unwrap("&lt;values&gt;"),
            Unwrapped::Recognised(FormatName::SafeXml, _)
        ));
        let sml = [0x1B, 0x1B, 0x1B, 0x1B, 1, 1, 1, 1, 0xFF, 0xFE].repeat(4);
        assert!(matches!(
            unwrap(&BASE64_STANDARD.encode(&sml)),
            Unwrapped::Recognised(FormatName::Edl40P, _)
        ));
        assert!(matches!(
            unwrap(&hex::encode(&sml)),
            Unwrapped::Recognised(FormatName::Edl40P, _)
        ));
    }

    #[test]
    fn what_is_no_record_stays_text() {
        for text in ["", "\"", "@@@not base64@@@", "unknown", "{\"RD\":[]}"] {
            assert!(matches!(unwrap(text), Unwrapped::Text(_)), "{text:?}");
        }
        assert_eq!(unwrap(&"A".repeat(MAX_CARRIED_TEXT + 1)), Unwrapped::TooLong);
    }

    proptest! {
        #[test]
        fn any_record_text_survives_any_wrapping(payload in "[ -~äöü]{20,80}") {
            let record = format!("OCMF|{payload}|x");
            for carried in [BASE64_STANDARD.encode(&record), hex::encode(&record)] {
                prop_assert_eq!(unwrap(&carried), ocmf(&record));
            }
        }

        #[test]
        fn no_text_makes_unwrapping_panic(text in "\\PC{0,120}") {
            unwrap(&text);
        }
    }
}
