//! Does this signature fit these octets under this key? The only place where that becomes a yes.
//!
//! [`Proof`] has no public constructor: whoever holds one knows that a signature was verified, and under which key. Which key is used, and what
//! it means when two contradict each other, is decided here as well (signed-metering-formats.md sections 1 and 3.1).

use sha2::{Digest, Sha256};

use super::finding::{Code, Finding, Place, Severity};
use super::key::{Curve, KeyError, PublicKey};
use super::record::{Given, KeyTrust};
use super::signature::{self, Check, Signature};

/// The answer about one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureAnswer {
    /// It fits.
    Fits(Proof),
    /// It does not, or the record is no record; the code says which.
    DoesNotFit(Code),
    /// It cannot be told; the code says why.
    CannotTell(Code),
}

impl SignatureAnswer {
    /// `VALID`, `INVALID` or `UNVERIFIABLE`.
    pub fn as_str(&self) -> &'static str {
        match self {
            SignatureAnswer::Fits(_) => "VALID",
            SignatureAnswer::DoesNotFit(_) => "INVALID",
            SignatureAnswer::CannotTell(_) => "UNVERIFIABLE",
        }
    }

    /// Whether it fits.
    pub fn fits(&self) -> bool {
        matches!(self, SignatureAnswer::Fits(_))
    }
}

/// A signature was verified. Made in this file only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    key: PublicKey,
}

impl Proof {
    /// The key under which the signature fits.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// What replays are recognised by: the format and the signed octets, never the signature (which has two spellings) or the transport text.
pub fn block_digest(format: &str, block: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(format.as_bytes());
    digest.update([0]);
    digest.update(block);
    digest.finalize().into()
}

/// Keys that were read, so that a text is read once however many records it is held against.
#[derive(Default)]
pub(super) struct KeyTexts(Vec<(String, Option<Curve>, Result<PublicKey, KeyError>)>);

impl KeyTexts {
    /// Reads a key whose curve the record names.
    pub(super) fn read(&mut self, text: &str, curve: Option<Curve>) -> Result<PublicKey, KeyError> {
        if let Some((_, _, key)) = self.0.iter().find(|(seen, hint, _)| seen == text && *hint == curve) {
            return key.clone();
        }
        let key = PublicKey::read(text, curve);
        self.0.push((text.to_owned(), curve, key.clone()));
        key
    }
}

/// The key that was chosen for one record, or why there is none, and what is wrong with the choice.
pub(super) struct Choice {
    pub key: Result<(PublicKey, KeyTrust), (Code, String)>,
    pub remarks: Vec<Finding>,
}

/// The key for one record: registered before given before delivered, and of those that were delivered the one beside the record before the one
/// inside it. `own` is both: what came with this very record, and what stands in it. Wherever two are known they must be the same point,
/// otherwise somebody is not telling the truth.
pub(super) fn choose(
    texts: &mut KeyTexts,
    given: &Given<'_>,
    (own, embedded): (Option<&str>, Option<&str>),
    curve: Curve,
) -> Choice {
    let mut read = |text: &str| {
        texts
            .read(text, Some(curve))
            .map_err(|error| (code_of(&error), error.to_string()))
    };
    let is_there = |text: &&str| !text.trim().is_empty();
    let delivered = own.or(given.delivered_key).filter(is_there).map(&mut read);
    let embedded = embedded.filter(is_there).map(&mut read);
    let anchored = match (given.registered_key, given.given_key) {
        (Some(key), _) => Some((Ok(key.clone()), KeyTrust::Registered)),
        (None, Some(text)) => Some((read(text), KeyTrust::Given)),
        (None, None) => None,
    };
    let mut remarks = Vec::new();
    let Some((anchored, trust)) = anchored else {
        return choose_delivered(delivered, embedded);
    };
    for other in [delivered, embedded].into_iter().flatten() {
        match (&anchored, other) {
            (Ok(key), Ok(other)) if *key != other => {
                let sentence = match trust {
                    KeyTrust::Registered => "the key that came along is not the one registered for this meter",
                    _ => "the key that came along is not the one that was given",
                };
                remarks.push(Finding::new(Code::KeyConflict, Place::Key, sentence));
            }
            // The better key decides; the sender should hear that his text is no key.
            (Ok(_), Err(problem)) => remarks.push(unusable(problem)),
            _ => {}
        }
    }
    Choice {
        key: anchored.map(|key| (key, trust)),
        remarks,
    }
}

type ReadKey = Result<PublicKey, (Code, String)>;

/// Only the sender's word: the key he sent beside the record, or else the one inside it.
fn choose_delivered(beside: Option<ReadKey>, inside: Option<ReadKey>) -> Choice {
    let mut remarks = Vec::new();
    let key = match (beside, inside) {
        (Some(Ok(beside)), Some(Ok(inside))) => {
            if beside != inside {
                remarks.push(Finding::new(
                    Code::PublicKeyConflict,
                    Place::Key,
                    "the key that came along is not the one inside the record",
                ));
            }
            Ok(beside)
        }
        (Some(Ok(usable)), Some(Err(problem))) | (Some(Err(problem)), Some(Ok(usable))) => {
            remarks.push(unusable(problem));
            Ok(usable)
        }
        (None, Some(Ok(inside))) => {
            remarks.push(Finding::new(
                Code::KeySelfAsserted,
                Place::Key,
                "the key stands in the record itself, where nothing protects it",
            ));
            Ok(inside)
        }
        (Some(only), _) | (None, Some(only)) => only,
        (None, None) => Err((
            Code::NoPublicKey,
            "no public key came along and none is known".to_owned(),
        )),
    };
    Choice {
        key: key.map(|key| (key, KeyTrust::Delivered)),
        remarks,
    }
}

/// A key text that cannot be used, beside one that can: the sender should hear of it.
fn unusable((code, message): (Code, String)) -> Finding {
    Finding {
        code,
        severity: Severity::Warning,
        place: Place::Key,
        message,
    }
}

/// The reasons of keys are findings of the same name.
fn code_of(error: &KeyError) -> Code {
    Code::from_name(error.reason()).unwrap_or(Code::PublicKeyUnreadable)
}

/// Holds the signature of a block, hashed with SHA-256, against a key of the curve that the record names.
pub(super) fn verify(
    key: &PublicKey,
    curve: Curve,
    block: &[u8],
    signature: &Signature,
) -> (SignatureAnswer, &'static str) {
    if key.curve() != curve {
        return (
            SignatureAnswer::CannotTell(Code::KeyAlgorithmMismatch),
            "the key is of another curve than the record names",
        );
    }
    match signature::verify(key, &Sha256::digest(block), signature) {
        Check::Fits => (SignatureAnswer::Fits(Proof { key: key.clone() }), "the signature fits"),
        Check::DoesNotFit => (
            SignatureAnswer::DoesNotFit(Code::SignatureMismatch),
            "the signature does not fit: the record was changed, or another key signed it",
        ),
        Check::OutOfRange => (
            SignatureAnswer::DoesNotFit(Code::SignatureOutOfRange),
            "the signature holds numbers that no signature can have",
        ),
        Check::Unsupported => (
            SignatureAnswer::CannotTell(Code::UnsupportedAlgorithm),
            "signatures on this curve cannot be checked",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_a_block_depends_on_format_and_octets_only() {
        assert_eq!(block_digest("OCMF", b"x"), block_digest("OCMF", b"x"));
        assert_ne!(block_digest("OCMF", b"x"), block_digest("OCM", b"Fx"));
        assert_ne!(block_digest("OCMF", b"x"), block_digest("OCMF", b"x "));
    }
}
