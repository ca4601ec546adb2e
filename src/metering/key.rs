//! Public keys as the field writes them.
//!
//! The same point arrives as SPKI, as SEC 1, as bare X‖Y, compressed or not; in hex with blanks and colons, in Base64 of either
//! alphabet, in Base32, in PEM that lost its line breaks; wrapped in JSON, in `oca:base16:asn1:…`, and in Base64 once more. All of
//! these are read (signed-metering formats 3.2, 3.3), and all yield the same [`PublicKey`], so that keys are compared as points
//! and never as text.
//!
//! What is *not* read: explicit curve parameters (a forger would choose them), points off the curve, bytes behind the key, and
//! private keys, which are refused without a word of what they contain.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};

pub use super::curves::Curve;
use super::curves::Verifier;
use super::der;
use super::limits::{MAX_KEY_BYTES, MAX_KEY_LAYERS, MAX_KEY_TEXT};

/// A public key: a point proven to lie on its curve. Two keys are equal when the points are, however they were written.
/// Cloning shares the point and what was prepared for verifying with it.
#[derive(Clone)]
pub struct PublicKey(Arc<ProvenPoint>);

struct ProvenPoint {
    curve: Curve,
    verifier: Verifier,
}

/// Why a text is no usable public key. Never repeats any of the text: it may have been a private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing there, or only blanks.
    #[error("the key is empty")]
    Empty,
    /// Longer than any key; not looked at.
    #[error("the key text is longer than {MAX_KEY_TEXT} bytes")]
    TooLong,
    /// No envelope we know.
    #[error("the key cannot be read: {0}")]
    Unreadable(&'static str),
    /// A point could be read, and it is on no curve or not on the one it claims.
    #[error("the key is not a point of its curve")]
    NotOnCurve,
    /// Readable, but of another algorithm or on a curve we do not know.
    #[error("the key is of an algorithm that is not supported ({0})")]
    UnsupportedAlgorithm(String),
    /// A compressed bare point that could lie on several curves, and nobody said which.
    #[error("the key does not say on which curve it is")]
    CurveUnknown,
    /// Somebody sent a private key.
    #[error("this is a private key; it must be considered disclosed")]
    PrivateKey,
}

impl KeyError {
    /// The reason code of signed-metering formats 20.
    pub fn reason(&self) -> &'static str {
        match self {
            KeyError::Empty => "no_public_key",
            KeyError::NotOnCurve => "public_key_not_on_curve",
            KeyError::UnsupportedAlgorithm(_) => "unsupported_algorithm",
            KeyError::TooLong | KeyError::Unreadable(_) | KeyError::CurveUnknown | KeyError::PrivateKey => {
                "public_key_unreadable"
            }
        }
    }

    /// A text can be tried in several encodings; the failure that got furthest says most.
    fn weight(&self) -> u8 {
        match self {
            KeyError::Empty => 0,
            KeyError::Unreadable(_) => 1,
            KeyError::TooLong => 2,
            KeyError::CurveUnknown => 3,
            KeyError::UnsupportedAlgorithm(_) => 4,
            KeyError::NotOnCurve => 5,
            KeyError::PrivateKey => 6,
        }
    }
}

impl PublicKey {
    /// Reads a key in any of the spellings of the field.
    ///
    /// `hint` is the curve the record names. A bare point is read on it and on no other; an SPKI names its own curve, and
    /// whether that agrees with the record is for the caller to compare. Without a hint a bare point is accepted when it says
    /// itself where it lies: `X‖Y` satisfies the equation of one curve only, a compressed point does not tell.
    ///
    /// # Errors
    /// See [`KeyError`]. Such a key proves nothing about the record (signed-metering formats 1): the fault is in the key.
    pub fn read(text: &str, hint: Option<Curve>) -> Result<PublicKey, KeyError> {
        if text.len() > MAX_KEY_TEXT {
            return Err(KeyError::TooLong);
        }
        read_layer(text, hint, MAX_KEY_LAYERS)
    }

    /// Reads a binary key: SPKI, SEC 1, or bare `X‖Y`. For `hint` see [`read`](Self::read).
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn from_bytes(bytes: &[u8], hint: Option<Curve>) -> Result<PublicKey, KeyError> {
        if bytes.is_empty() {
            return Err(KeyError::Empty);
        }
        if bytes.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLong);
        }
        // Length first, tag second: one bare X‖Y in 64 begins with 30, 04, 02 or 03 (signed-metering formats 3.3).
        if let Some(key) = hint.and_then(|curve| bare_coordinates(bytes, curve)) {
            return Ok(key);
        }
        match der::whole_sequence(bytes) {
            Some(content) => read_der_key(content),
            None => read_bare_point(bytes, hint).map_err(|error| {
                if begins_like_a_private_key(bytes) {
                    KeyError::PrivateKey
                } else {
                    error
                }
            }),
        }
    }

    /// The curve the point is on.
    pub fn curve(&self) -> Curve {
        self.0.curve
    }

    /// The point as `04‖X‖Y` (SEC 1, 2.3.3).
    pub fn sec1_uncompressed(&self) -> &[u8] {
        self.0.verifier.uncompressed()
    }

    /// The key as SubjectPublicKeyInfo with a named curve and an uncompressed point (RFC 5480): the canonical form.
    pub fn to_spki_der(&self) -> Vec<u8> {
        let mut algorithm = der::element(der::OBJECT_IDENTIFIER, EC_PUBLIC_KEY);
        algorithm.extend(der::element(der::OBJECT_IDENTIFIER, self.curve().oid_der()));
        let mut bits = vec![0];
        bits.extend_from_slice(self.sec1_uncompressed());
        let mut content = der::element(der::SEQUENCE, &algorithm);
        content.extend(der::element(der::BIT_STRING, &bits));
        der::element(der::SEQUENCE, &content)
    }

    /// SHA-256 over the canonical SPKI, in lower-case hex: the same for every spelling of the key.
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.to_spki_der()))
    }

    pub(super) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    fn of_point(curve: Curve, sec1: &[u8]) -> Option<PublicKey> {
        let verifier = Verifier::of_point(curve, sec1)?;
        Some(PublicKey(Arc::new(ProvenPoint { curve, verifier })))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.curve() == other.curve() && self.sec1_uncompressed() == other.sec1_uncompressed()
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.curve().hash(state);
        self.sec1_uncompressed().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.curve(), self.fingerprint())
    }
}

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// Takes off one wrapping of text and reads what is inside.
fn read_layer(text: &str, hint: Option<Curve>, layers: usize) -> Result<PublicKey, KeyError> {
    let text = without_margins(text);
    if text.is_empty() {
        return Err(KeyError::Empty);
    }
    let Some(layers) = layers.checked_sub(1) else {
        return Err(KeyError::Unreadable("it is wrapped too many times"));
    };
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyError::PrivateKey);
    }
    if text.starts_with("-----BEGIN") {
        return PublicKey::from_bytes(&pem_body(text)?, hint);
    }
    if text.starts_with('{') {
        return read_layer(&json_member(text)?, hint, layers);
    }
    if text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("oca:")) {
        return PublicKey::from_bytes(&oca_body(text)?, hint);
    }

    let mut failure = KeyError::Unreadable("it is neither hex, Base32, Base64, PEM nor JSON");
    // A text can be valid in two encodings: the first that yields a point wins (signed-metering formats 3.3).
    for bytes in [hex_bytes(text), base32_bytes(text), base64_bytes(text)]
        .into_iter()
        .flatten()
    {
        let found = match inner_text(&bytes) {
            Some(inner) => read_layer(inner, hint, layers),
            None => PublicKey::from_bytes(&bytes, hint),
        };
        match found {
            Ok(key) => return Ok(key),
            Err(found) if found.weight() > failure.weight() => failure = found,
            Err(_) => (),
        }
    }
    Err(failure)
}

/// Decoded bytes that are text again: another wrapping. A point is never all printable ASCII, short of a miracle.
fn inner_text(bytes: &[u8]) -> Option<&str> {
    let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    bytes
        .iter()
        .all(printable)
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()
}

fn without_margins(text: &str) -> &str {
    let margin = |c: char| c.is_whitespace() || c == '\u{feff}';
    let text = text.trim_matches(margin);
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
        .trim_matches(margin)
}

/// The bytes between the first BEGIN and END lines, whose line breaks may be gone, or written out as `\n`.
fn pem_body(text: &str) -> Result<Vec<u8>, KeyError> {
    const BROKEN: KeyError = KeyError::Unreadable("the PEM block is broken");
    let after = text.strip_prefix("-----BEGIN ").ok_or(BROKEN)?;
    let (label, rest) = after.split_once("-----").ok_or(BROKEN)?;
    if label != "PUBLIC KEY" && label != "EC PUBLIC KEY" {
        return Err(KeyError::Unreadable("the PEM block is not a public key"));
    }
    let (body, rest) = rest.split_once("-----END ").ok_or(BROKEN)?;
    let rest = rest
        .strip_prefix(label)
        .and_then(|rest| rest.strip_prefix("-----"))
        .ok_or(BROKEN)?;
    if !rest.replace("\\r", "").replace("\\n", "").trim().is_empty() {
        return Err(KeyError::Unreadable("something follows the PEM block"));
    }
    base64_bytes(&body.replace("\\r", "").replace("\\n", "")).ok_or(BROKEN)
}

/// `{"UK": "…"}` of KEBA, `{"publicKey": "…"}` of Chargy.
fn json_member(text: &str) -> Result<String, KeyError> {
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| KeyError::Unreadable("it begins like JSON and is none"))?;
    ["UK", "publicKey", "public_key"]
        .iter()
        .find_map(|name| members.get(*name)?.as_str().map(str::to_owned))
        .ok_or(KeyError::Unreadable("the JSON has no key in UK or publicKey"))
}

/// `oca:base16:asn1:…` and `oca:base64:asn1:…` (Open Charge Alliance, Signed Meter Values in OCPP, 3.2.2).
fn oca_body(text: &str) -> Result<Vec<u8>, KeyError> {
    let mut parts = text.splitn(4, ':').skip(1);
    let (Some(encoding), Some(format), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Unreadable("the oca: notation has a part missing"));
    };
    if !format.eq_ignore_ascii_case("asn1") {
        return Err(KeyError::Unreadable("the oca: notation names a format other than asn1"));
    }
    match encoding.to_ascii_lowercase().as_str() {
        "base16" => hex_bytes(body),
        "base64" => base64_bytes(body),
        _ => None,
    }
    .ok_or(KeyError::Unreadable("the oca: notation is not encoded as it says"))
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b':' && *byte != b'-')
        .collect();
    hex::decode(digits).ok()
}

/// RFC 4648 section 6, upper case, padding optional.
pub(super) fn base32_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut window, mut bits) = (0u16, 0u8);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'2'..=b'7' => symbol - b'2' + 26,
            _ if symbol.is_ascii_whitespace() => continue,
            _ => return None,
        };
        window = window << 5 | u16::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((window >> bits) as u8);
            window &= (1 << bits) - 1;
        }
    }
    // What is left over is padding: fewer than five bits, all zero.
    (bits < 5 && window == 0).then_some(bytes)
}

/// Either alphabet, padding optional, line breaks and blanks anywhere.
pub(super) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let symbols: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    STANDARD.decode(symbols).ok()
}

/// What is inside a DER SEQUENCE: SPKI, or something we can only name.
fn read_der_key(content: &[u8]) -> Result<PublicKey, KeyError> {
    const BROKEN: KeyError = KeyError::Unreadable("the DER is neither a public key nor anything else we know");
    let mut elements = der::Elements::of(content);
    let (Some(first), second) = (elements.next(), elements.next()) else {
        return Err(BROKEN);
    };
    match (first.tag, second.map(|second| second.tag)) {
        (der::SEQUENCE, Some(der::BIT_STRING)) if elements.is_at_end() => {
            read_spki(first.content, second.map(|second| second.content).unwrap_or_default())
        }
        // X.509 is SEQUENCE, SEQUENCE, BIT STRING; an encrypted PKCS #8 key is SEQUENCE, OCTET STRING.
        (der::SEQUENCE, Some(der::SEQUENCE)) => Err(KeyError::Unreadable("it is a certificate, not a public key")),
        (der::SEQUENCE, Some(der::OCTET_STRING)) => Err(KeyError::PrivateKey),
        // SEC 1 C.4 and PKCS #8 begin with a version; so do private RSA keys (PKCS #1), with version 0 before the modulus.
        (der::INTEGER, Some(der::OCTET_STRING | der::SEQUENCE)) => Err(KeyError::PrivateKey),
        (der::INTEGER, Some(der::INTEGER)) if first.content.len() == 1 => Err(KeyError::PrivateKey),
        (der::INTEGER, Some(der::INTEGER)) => Err(KeyError::UnsupportedAlgorithm("RSA".to_owned())),
        _ => Err(BROKEN),
    }
}

/// A private key that was cut or has bytes behind it is disclosed all the same: a SEQUENCE of whatever length that begins with
/// version 0 or 1 and goes on with the octets of the key (SEC 1) or its algorithm (PKCS #8).
fn begins_like_a_private_key(bytes: &[u8]) -> bool {
    let content = match bytes {
        [der::SEQUENCE, 0x81, _, content @ ..]
        | [der::SEQUENCE, 0x82, _, _, content @ ..]
        | [der::SEQUENCE, _, content @ ..] => content,
        _ => return false,
    };
    matches!(content, [der::INTEGER, 1, 0 | 1, der::OCTET_STRING | der::SEQUENCE, ..])
}

/// SubjectPublicKeyInfo (RFC 5480, 2): the algorithm decides the curve, the bit string is the point.
fn read_spki(algorithm: &[u8], bits: &[u8]) -> Result<PublicKey, KeyError> {
    const BROKEN: KeyError = KeyError::Unreadable("the SubjectPublicKeyInfo is broken");
    let mut algorithm = der::Elements::of(algorithm);
    let oid = algorithm.expect(der::OBJECT_IDENTIFIER).ok_or(BROKEN)?;
    if oid != EC_PUBLIC_KEY {
        return Err(KeyError::UnsupportedAlgorithm(dotted(oid)));
    }
    let parameters = algorithm.next().ok_or(BROKEN)?;
    if !algorithm.is_at_end() {
        return Err(BROKEN);
    }
    if parameters.tag != der::OBJECT_IDENTIFIER {
        return Err(KeyError::UnsupportedAlgorithm("explicit curve parameters".to_owned()));
    }
    let curve = Curve::from_oid_der(parameters.content)
        .ok_or_else(|| KeyError::UnsupportedAlgorithm(dotted(parameters.content)))?;
    let (Some(0), point) = (bits.first(), bits.get(1..).unwrap_or_default()) else {
        return Err(BROKEN);
    };
    PublicKey::of_point(curve, point).ok_or(KeyError::NotOnCurve)
}

/// A point without an envelope, told apart by its length and then by its tag.
fn read_bare_point(bytes: &[u8], hint: Option<Curve>) -> Result<PublicKey, KeyError> {
    let curves = hint.as_ref().map_or(&Curve::ALL[..], std::slice::from_ref);
    let mut has_a_known_length = false;
    for &curve in curves {
        let size = curve.field_bytes();
        let is_coordinates = bytes.len() == 2 * size;
        let is_whole = bytes.len() == 2 * size + 1 && bytes.first() == Some(&0x04);
        let is_compressed = bytes.len() == size + 1 && matches!(bytes.first(), Some(0x02 | 0x03));
        if is_compressed && hint.is_none() {
            return Err(KeyError::CurveUnknown);
        }
        has_a_known_length |= is_coordinates || is_whole || is_compressed;
        let key = if is_coordinates {
            bare_coordinates(bytes, curve)
        } else {
            PublicKey::of_point(curve, bytes)
        };
        if let Some(key) = key {
            return Ok(key);
        }
    }
    Err(if has_a_known_length {
        KeyError::NotOnCurve
    } else {
        KeyError::Unreadable("it has neither the form nor the length of a point")
    })
}

fn bare_coordinates(bytes: &[u8], curve: Curve) -> Option<PublicKey> {
    if bytes.len() != 2 * curve.field_bytes() {
        return None;
    }
    PublicKey::of_point(curve, &[&[0x04], bytes].concat())
}

/// An object identifier in dots, for a message; what does not decode is only called unreadable.
fn dotted(content: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0u64;
    for octet in content {
        if arc > u64::MAX >> 7 {
            return "unreadable object identifier".to_owned();
        }
        arc = arc << 7 | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arc -= 40 * first;
            }
            arcs.push(arc);
            arc = 0;
        }
    }
    let arcs: Vec<String> = arcs.iter().map(u64::to_string).collect();
    arcs.join(".")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::known_answers::KNOWN_ANSWERS;
    use crate::metering::sign::SigningMeter;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    fn any_key() -> impl Strategy<Value = PublicKey> {
        (proptest::sample::select(&Curve::SUPPORTED[..]), any::<[u8; 8]>())
            .prop_map(|(curve, seed)| SigningMeter::from_seed(curve, &seed).unwrap().public_key().clone())
    }

    fn grouped(hexadecimal: &str, size: usize, separator: &str) -> String {
        let groups: Vec<&str> = hexadecimal
            .as_bytes()
            .chunks(size)
            .map(|group| std::str::from_utf8(group).unwrap())
            .collect();
        groups.join(separator)
    }

    fn base32(bytes: &[u8]) -> String {
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        bits.as_bytes()
            .chunks(5)
            .map(|group| {
                let value = group.iter().chain(std::iter::repeat(&b'0')).take(5);
                let value = value.fold(0, |value, bit| value << 1 | (bit - b'0'));
                char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(value)])
            })
            .collect()
    }

    /// The envelopes that name their curve, in every text of signed-metering formats 3.2.
    fn spellings_of_spki(key: &PublicKey) -> Vec<String> {
        let spki = key.to_spki_der();
        let digits = hex::encode(&spki);
        let base64 = BASE64_STANDARD.encode(&spki);
        let lines = grouped(&base64, 64, "\n");
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n");
        vec![
            digits.clone(),
            digits.to_uppercase(),
            format!("0x{digits}"),
            format!("  {}\r\n", grouped(&digits, 4, " ")),
            grouped(&digits, 2, ":"),
            grouped(&digits, 2, "-"),
            grouped(&digits, 32, "\n"),
            format!("\u{feff}\"{digits}\""),
            base64.clone(),
            lines.clone(),
            BASE64_STANDARD_NO_PAD.encode(&spki),
            BASE64_URL_SAFE_NO_PAD.encode(&spki),
            base32(&spki),
            pem.clone(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', ""),
            pem.replace('\n', "\\n"),
            BASE64_STANDARD.encode(&pem),
            BASE64_STANDARD.encode(&digits),
            BASE64_STANDARD.encode(digits.to_uppercase()),
            format!("oca:base16:asn1:{digits}"),
            format!("oca:base64:asn1:{base64}"),
            BASE64_STANDARD.encode(format!("oca:base16:asn1:{digits}")),
            BASE64_STANDARD.encode(format!("{{\"UK\": \"{digits}\"}}")),
            format!("{{\"publicKey\":\"{base64}\"}}"),
        ]
    }

    fn compressed(key: &PublicKey) -> Vec<u8> {
        let point = key.sec1_uncompressed();
        let size = key.curve().field_bytes();
        [&[2 + (point[2 * size] & 1)], &point[1..=size]].concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_key_is_the_same_point_in_every_spelling(key in any_key()) {
            for text in spellings_of_spki(&key) {
                let read = PublicKey::read(&text, None);
                prop_assert_eq!(read.as_ref(), Ok(&key), "{}", text);
                prop_assert_eq!(read.unwrap().fingerprint(), key.fingerprint());
            }
            prop_assert_eq!(PublicKey::from_bytes(&key.to_spki_der(), None).unwrap().to_spki_der(), key.to_spki_der());
        }

        #[test]
        fn a_bare_point_is_read_on_the_curve_that_is_named(key in any_key()) {
            let point = key.sec1_uncompressed();
            for bytes in [point, &point[1..], &compressed(&key)] {
                for text in [hex::encode(bytes), hex::encode_upper(bytes), BASE64_STANDARD.encode(bytes), base32(bytes)] {
                    prop_assert_eq!(PublicKey::read(&text, Some(key.curve())), Ok(key.clone()), "{}", text);
                }
            }
        }

        // The equation of a curve holds for X‖Y on that curve alone; an X alone may be on several.
        #[test]
        fn without_a_name_a_whole_point_finds_its_curve_and_a_compressed_one_does_not(key in any_key()) {
            let point = key.sec1_uncompressed();
            prop_assert_eq!(PublicKey::from_bytes(point, None), Ok(key.clone()));
            prop_assert_eq!(PublicKey::from_bytes(&point[1..], None), Ok(key.clone()));
            prop_assert_eq!(PublicKey::from_bytes(&compressed(&key), None), Err(KeyError::CurveUnknown));
        }

        #[test]
        fn an_spki_may_carry_a_compressed_point(key in any_key()) {
            let spki = key.to_spki_der();
            let algorithm = der::Elements::of(der::whole_sequence(&spki).unwrap()).next().unwrap();
            let bits = [&[0][..], &compressed(&key)].concat();
            let content = [der::element(der::SEQUENCE, algorithm.content), der::element(der::BIT_STRING, &bits)].concat();
            prop_assert_eq!(PublicKey::from_bytes(&der::element(der::SEQUENCE, &content), None), Ok(key));
        }

        #[test]
        fn a_point_with_a_flipped_bit_is_on_no_curve(key in any_key(), bit in any::<proptest::sample::Index>()) {
            let mut point = key.sec1_uncompressed()[1..].to_vec();
            let bit = bit.index(point.len() * 8);
            point[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(PublicKey::from_bytes(&point, None), Err(KeyError::NotOnCurve));
            prop_assert_eq!(PublicKey::from_bytes(&point, Some(key.curve())), Err(KeyError::NotOnCurve));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,300}", hint in proptest::option::of(0usize..9)) {
            let _ = PublicKey::read(&text, hint.map(|curve| Curve::ALL[curve]));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), hint in proptest::option::of(0usize..9)) {
            let hint = hint.map(|curve| Curve::ALL[curve]);
            let _ = PublicKey::from_bytes(&bytes, hint);
            let _ = PublicKey::read(&hex::encode(&bytes), hint);
            let _ = PublicKey::read(&BASE64_STANDARD.encode(&bytes), hint);
        }

        // Most of the way to a key is where readers stumble.
        #[test]
        fn a_damaged_key_never_panics_and_never_becomes_another_key_of_the_same_text(
            key in any_key(), at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<proptest::sample::Index>()
        ) {
            let mut spki = key.to_spki_der();
            let at = at.index(spki.len());
            spki[at] = byte;
            if let Ok(read) = PublicKey::from_bytes(&spki, None) {
                prop_assert_eq!(read, key.clone());
            }
            let whole = key.to_spki_der();
            prop_assert!(PublicKey::from_bytes(&whole[..cut.index(whole.len())], None).is_err());
        }
    }

    #[test]
    fn the_known_keys_are_on_the_curve_they_say() {
        for answer in &KNOWN_ANSWERS {
            assert_eq!(PublicKey::read(answer.key, None).unwrap().curve(), answer.curve);
        }
    }

    #[test]
    fn a_private_key_is_refused_and_not_repeated() {
        // SEC 1 C.4, PKCS #8 and encrypted PKCS #8 shapes around a value that would be recognised.
        let secret = "22".repeat(32);
        let sec1 = format!("302502010104 20{secret}").replace(' ', "");
        let pkcs8 =
            format!("3041020100301306072a8648ce3d020106082a8648ce3d0301070427302502010104 20{secret}").replace(' ', "");
        let encrypted = format!("302d300906072a8648ce3d02010420{secret}").replace("302d", "302d");
        let pem = "-----BEGIN EC PRIVATE KEY-----\nIiIi\n-----END EC PRIVATE KEY-----";
        for text in [
            sec1.as_str(),
            &pkcs8,
            &encrypted,
            pem,
            &sec1[..sec1.len() - 8],
            &format!("{sec1}00"),
            &BASE64_STANDARD.encode(pem),
            &format!("{{\"UK\":\"{sec1}\"}}"),
        ] {
            let refused = PublicKey::read(text, Some(Curve::Secp256r1)).unwrap_err();
            assert_eq!(refused, KeyError::PrivateKey, "{text}");
            assert!(!format!("{refused} {refused:?}").contains("2222"));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_reason() {
        let rsa = "300d06092a864886f70d0101010500";
        let rsa = format!("3013{rsa}03020000");
        let ed25519 = format!("302a300506032b6570032100{}", "11".repeat(32));
        let infinity = "3019301306072a8648ce3d020106082a8648ce3d03010703020000";
        let unknown_curve = "301b301506072a8648ce3d0201060a2b0601040183f57a010103020000";
        let genuine = hex::encode(
            SigningMeter::from_seed(Curve::Secp256r1, b"")
                .unwrap()
                .public_key()
                .to_spki_der(),
        );
        for (text, reason) in [
            ("", "no_public_key"),
            (" \n\u{feff}", "no_public_key"),
            ("no key", "public_key_unreadable"),
            ("{\"UK\":{\"UK\":{\"UK\":\"x\"}}}", "public_key_unreadable"),
            ("oca:base16:asn1", "public_key_unreadable"),
            ("oca:base58:asn1:00", "public_key_unreadable"),
            ("-----BEGIN PUBLIC KEY-----", "public_key_unreadable"),
            (
                "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
                "public_key_unreadable",
            ),
            ("3003020100", "public_key_unreadable"),
            (&format!("{genuine}00"), "public_key_unreadable"),
            (&genuine[..genuine.len() - 1], "public_key_unreadable"),
            (&"41".repeat(5000), "public_key_unreadable"),
            (&rsa, "unsupported_algorithm"),
            (&ed25519, "unsupported_algorithm"),
            (unknown_curve, "unsupported_algorithm"),
            (infinity, "public_key_not_on_curve"),
            (&"00".repeat(64), "public_key_not_on_curve"),
            (&"ff".repeat(64), "public_key_not_on_curve"),
        ] {
            let refused = PublicKey::read(text, None).unwrap_err();
            assert_eq!(refused.reason(), reason, "{text:.80}: {refused}");
        }
        assert_eq!(
            PublicKey::read(&ed25519, None),
            Err(KeyError::UnsupportedAlgorithm("1.3.101.112".to_owned()))
        );
    }

    #[test]
    fn a_text_that_is_wrapped_too_often_is_refused() {
        let key = SigningMeter::from_seed(Curve::Secp192r1, b"").unwrap();
        let mut text = hex::encode(key.public_key().to_spki_der());
        for _ in 0..MAX_KEY_LAYERS {
            assert!(PublicKey::read(&text, None).is_ok());
            text = BASE64_STANDARD.encode(text);
        }
        assert!(PublicKey::read(&text, None).is_err());
    }
}
