//! How large a thing may be before we look at it, with the measurement behind each number.
//!
//! Every limit is checked on the length alone, before a byte is decoded: a peer can make us compare two numbers, not work.

/// Longest public key text that is read, in bytes.
///
/// The longest genuine text in the corpus is 316 bytes (a secp521r1 SPKI in hex), the longest spelling of it (Base64 of PEM of
/// the same) about 500, and OCPI itself stops at 512 (2.2.1 `SignedData.public_key`). 8 KiB is sixteen times that: enough to
/// tell the owner of an RSA-4096 or ML-DSA-87 key that the algorithm is the problem, not the length.
pub const MAX_KEY_TEXT: usize = 8 * 1024;

/// Longest signed record that is read beside a key, as a sample of what it signs, in bytes; the largest of the field have some kilobytes.
pub const MAX_SAMPLE: usize = 64 * 1024;

/// Longest binary public key that is read, in bytes: what [`MAX_KEY_TEXT`] can carry in hex.
pub const MAX_KEY_BYTES: usize = MAX_KEY_TEXT / 2;

/// How many wrappings of a key text are taken off. The deepest seen is two: Base64 around `oca:base16:asn1:` around hex
/// (Open Charge Alliance, Signed Meter Values in OCPP, 3.2.2), or Base64 around JSON around hex.
pub const MAX_KEY_LAYERS: usize = 4;

/// Longest signature that is read, in bytes. DER of a secp521r1 signature, the longest of any curve we know, has at most 139.
pub const MAX_SIGNATURE_BYTES: usize = 256;

/// Most stations, connectors and meters of a charge transparency record that are looked through for a key, each list for itself. The only document
/// of its kind in public has three stations with one meter each.
pub const MAX_LISTED: usize = 100;
