//! secp256r1, secp384r1 and secp521r1 by aws-lc-rs: the same answers as the reference, several times as fast.
//!
//! The digest is ours, SHA-256 on each curve (OCMF's table knows nothing else), so it is handed over finished.

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P521_SHA256_ASN1, EcdsaVerificationAlgorithm, ParsedPublicKey,
};

use crate::metering::signature::{Check, Signature};

pub(super) const SECP256R1: &EcdsaVerificationAlgorithm = &ECDSA_P256_SHA256_ASN1;
pub(super) const SECP384R1: &EcdsaVerificationAlgorithm = &ECDSA_P384_SHA256_ASN1;
pub(super) const SECP521R1: &EcdsaVerificationAlgorithm = &ECDSA_P521_SHA256_ASN1;

/// A key as aws-lc-rs keeps it.
pub(super) struct Key(ParsedPublicKey);

impl Key {
    /// `None` if aws-lc-rs refuses a point that the reference took. That never happens (a property test asks); if it did,
    /// the reference would answer.
    pub(super) fn of_point(algorithm: &'static EcdsaVerificationAlgorithm, uncompressed: &[u8]) -> Option<Key> {
        ParsedPublicKey::new(algorithm, uncompressed).ok().map(Key)
    }

    pub(super) fn check(&self, digest: &[u8; 32], signature: &Signature) -> Option<Check> {
        let digest = Digest::import_less_safe(digest, &SHA256).ok()?;
        Some(match self.0.verify_digest_sig(&digest, &signature.to_der()) {
            Ok(()) => Check::Fits,
            Err(_) => Check::DoesNotFit,
        })
    }
}
