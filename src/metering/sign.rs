//! The other way round: a meter that signs, for sandbox, demo, bench and tests.
//!
//! It signs on each curve that is verified here, always the same way for the same seed and block (RFC 6979), so that a test that failed
//! yesterday fails today. Its private key stays in here: it is wiped when dropped and appears in no output.

pub mod documents;
pub mod records;

use std::fmt;

use ecdsa::{EcdsaCurve, SigningKey};
use elliptic_curve::CurveArithmetic;
use elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use elliptic_curve::{AffinePoint, FieldBytes, FieldBytesSize};
use sha2::{Digest, Sha256};

use super::curves::{Curve, Secp192k1, Secp192r1};
use super::der;
use super::key::PublicKey;

/// A meter with a private key.
pub struct SigningMeter {
    key: PrivateKey,
    public_key: PublicKey,
}

/// Why there is no such meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// Nobody can verify this curve here, so nobody signs on it.
    #[error("no meter signs on {0} here")]
    UnsupportedCurve(Curve),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for a key")]
    NoRandomness,
}

impl SigningMeter {
    /// A meter with a fresh random key.
    ///
    /// # Errors
    /// On curves that are only read, and if the operating system has no randomness to give.
    pub fn generate(curve: Curve) -> Result<SigningMeter, SigningError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| SigningError::NoRandomness)?;
        Self::from_seed(curve, &seed)
    }

    /// The meter that belongs to a seed: the same one every time, another one for every curve. Anybody who knows the seed
    /// knows the private key; that is fit for tests and demonstrations only.
    ///
    /// # Errors
    /// On curves that are only read.
    pub fn from_seed(curve: Curve, seed: &[u8]) -> Result<SigningMeter, SigningError> {
        let unsupported = SigningError::UnsupportedCurve(curve);
        let (key, point) = match curve {
            Curve::Secp192k1 => derive::<Secp192k1>(curve, seed, PrivateKey::Secp192k1),
            Curve::Secp192r1 => derive::<Secp192r1>(curve, seed, PrivateKey::Secp192r1),
            Curve::Secp256k1 => derive::<k256::Secp256k1>(curve, seed, PrivateKey::Secp256k1),
            Curve::Secp256r1 => derive::<p256::NistP256>(curve, seed, PrivateKey::Secp256r1),
            Curve::BrainpoolP256r1 => derive::<bp256::BrainpoolP256r1>(curve, seed, PrivateKey::BrainpoolP256r1),
            Curve::Secp384r1 => derive::<p384::NistP384>(curve, seed, PrivateKey::Secp384r1),
            Curve::BrainpoolP384r1 => derive::<bp384::BrainpoolP384r1>(curve, seed, PrivateKey::BrainpoolP384r1),
            Curve::Secp521r1 => derive::<p521::NistP521>(curve, seed, PrivateKey::Secp521r1),
            Curve::Secp224k1 => return Err(unsupported),
        };
        let public_key = PublicKey::from_bytes(&point, Some(curve)).map_err(|_| unsupported)?;
        Ok(SigningMeter { key, public_key })
    }

    /// The key to register or to send along.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Signs SHA-256 of the block; DER, as OCMF carries it.
    pub fn sign(&self, block: &[u8]) -> Vec<u8> {
        let raw = self.sign_raw(block);
        let (r, s) = raw.split_at(raw.len() / 2);
        let mut content = der::unsigned_integer(r);
        content.extend(der::unsigned_integer(s));
        der::element(der::SEQUENCE, &content)
    }

    /// Signs SHA-256 of the block; r‖s, as Alfen and the EDL40 family carry it.
    pub fn sign_raw(&self, block: &[u8]) -> Vec<u8> {
        let digest = Sha256::digest(block);
        match &self.key {
            PrivateKey::Secp192k1(key) => sign_with(key, &digest),
            PrivateKey::Secp192r1(key) => sign_with(key, &digest),
            PrivateKey::Secp256k1(key) => sign_with(key, &digest),
            PrivateKey::Secp256r1(key) => sign_with(key, &digest),
            PrivateKey::BrainpoolP256r1(key) => sign_with(key, &digest),
            PrivateKey::Secp384r1(key) => sign_with(key, &digest),
            PrivateKey::BrainpoolP384r1(key) => sign_with(key, &digest),
            PrivateKey::Secp521r1(key) => sign_with(key, &digest),
        }
    }

    /// A whole OCMF record around this payload, which is signed as it stands: `OCMF|payload|{"SA":…,"SD":…}`, DER in hex.
    pub fn ocmf(&self, payload_json: &str) -> String {
        let algorithm = self.public_key.curve().ocmf_name();
        let signature = hex::encode(self.sign(payload_json.as_bytes()));
        format!(r#"OCMF|{payload_json}|{{"SA":"ECDSA-{algorithm}-SHA256","SD":"{signature}"}}"#)
    }
}

impl fmt::Debug for SigningMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningMeter")
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

/// One private key; every variant wipes itself when dropped.
enum PrivateKey {
    Secp192k1(SigningKey<Secp192k1>),
    Secp192r1(SigningKey<Secp192r1>),
    Secp256k1(SigningKey<k256::Secp256k1>),
    Secp256r1(SigningKey<p256::NistP256>),
    BrainpoolP256r1(SigningKey<bp256::BrainpoolP256r1>),
    Secp384r1(SigningKey<p384::NistP384>),
    BrainpoolP384r1(SigningKey<bp384::BrainpoolP384r1>),
    Secp521r1(SigningKey<p521::NistP521>),
}

/// The first number between 1 and n - 1 in the stream SHA-256(curve ‖ 0 ‖ place ‖ seed), place counting up, and its point.
/// No longer than n in bits, at worst one in three is too large (brainpool), so the loop ends at once.
fn derive<C>(curve: Curve, seed: &[u8], wrap: fn(SigningKey<C>) -> PrivateKey) -> (PrivateKey, Vec<u8>)
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let mut places = 0u64..;
    loop {
        let mut octets = FieldBytes::<C>::default();
        for (part, place) in octets.chunks_mut(32).zip(&mut places) {
            let block = Sha256::new()
                .chain_update(curve.name())
                .chain_update([0])
                .chain_update(place.to_be_bytes())
                .chain_update(seed)
                .finalize();
            part.iter_mut().zip(block).for_each(|(octet, random)| *octet = random);
        }
        if let Some(first) = octets.first_mut() {
            *first &= 0xff >> (8 * curve.scalar_bytes() - curve.order_bits());
        }
        if let Ok(key) = SigningKey::<C>::from_bytes(&octets) {
            let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
            return (wrap(key), point);
        }
    }
}

/// RFC 6979 with SHA-256, also on 384 and 521 bits, where the curve crates would take a longer hash.
fn sign_with<C: EcdsaCurve + CurveArithmetic>(key: &SigningKey<C>, digest: &[u8]) -> Vec<u8> {
    let (signature, _) = ecdsa::hazmat::sign_prehashed_rfc6979::<C, Sha256>(key.as_nonzero_scalar(), digest, &[]);
    let (r, s) = signature.split_bytes();
    [r.as_slice(), s.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::signature::{Check, read_der, verify};

    #[test]
    fn a_seed_gives_the_same_meter_and_another_one_on_every_curve() {
        let mut fingerprints = std::collections::HashSet::new();
        for curve in Curve::SUPPORTED {
            let meter = SigningMeter::from_seed(curve, b"seed").unwrap();
            let again = SigningMeter::from_seed(curve, b"seed").unwrap();
            assert_eq!(meter.public_key(), again.public_key());
            assert_eq!(meter.sign(b"block"), again.sign(b"block"));
            assert_ne!(meter.sign(b"block"), meter.sign(b"block "));
            assert!(fingerprints.insert(meter.public_key().fingerprint()));
            let other = SigningMeter::from_seed(curve, b"another seed").unwrap();
            assert!(fingerprints.insert(other.public_key().fingerprint()));
        }
    }

    #[test]
    fn random_meters_differ() {
        let one = SigningMeter::generate(Curve::Secp256r1).unwrap();
        let other = SigningMeter::generate(Curve::Secp256r1).unwrap();
        assert_ne!(one.public_key(), other.public_key());
    }

    #[test]
    fn nobody_signs_on_a_curve_that_nobody_verifies() {
        let refused = SigningMeter::from_seed(Curve::Secp224k1, b"").err();
        assert_eq!(refused, Some(SigningError::UnsupportedCurve(Curve::Secp224k1)));
    }

    #[test]
    fn an_ocmf_record_holds_its_payload_untouched_and_a_signature_over_it() {
        for curve in Curve::SUPPORTED {
            let meter = SigningMeter::from_seed(curve, b"ocmf").unwrap();
            let payload = r#"{"FV":"1.0" , "RD":[ ]}"#;
            let record = meter.ocmf(payload);
            let (start, section) = record.rsplit_once('|').unwrap();
            assert_eq!(start, format!("OCMF|{payload}"));
            let section: serde_json::Value = serde_json::from_str(section).unwrap();
            let named = section["SA"].as_str().unwrap();
            let named = named.strip_prefix("ECDSA-").unwrap().strip_suffix("-SHA256").unwrap();
            assert_eq!(Curve::from_name(named), Some(curve));
            let signature = hex::decode(section["SD"].as_str().unwrap()).unwrap();
            let signature = read_der(&signature, curve).unwrap();
            let digest = Sha256::digest(payload.as_bytes());
            assert_eq!(verify(meter.public_key(), &digest, &signature), Check::Fits);
        }
    }

    #[test]
    fn debugging_a_meter_shows_its_public_key_and_nothing_else() {
        let meter = SigningMeter::from_seed(Curve::Secp256r1, b"secret").unwrap();
        let PrivateKey::Secp256r1(key) = &meter.key else {
            panic!("another curve")
        };
        let secret = hex::encode(key.to_bytes());
        let shown = format!("{meter:?} {meter:#?}").to_lowercase();
        assert!(!shown.contains(&secret[..8]));
        assert!(shown.contains(&meter.public_key().fingerprint()));
    }
}
