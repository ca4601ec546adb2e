//! A signed word about the log: so many entries, this root, at this time (Ed25519, RFC 8032).
//!
//! Whoever keeps one notices when the log behind it is rewritten or set back. What is signed is the canonical text of the members
//! `origin`, `size`, `root` and `time`.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Hash, canonical};

/// A checkpoint, as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Whose log: the hub's party, as `DE/TWH`.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root of the tree over them, in lower-case hex.
    pub root: String,
    /// When it was signed (RFC 3339).
    pub time: String,
    /// The public key it is signed with, 32 bytes in lower-case hex.
    pub key: String,
    /// The signature, 64 bytes in lower-case hex.
    pub signature: String,
}

/// Signs checkpoints.
pub struct Signer {
    pair: Ed25519KeyPair,
}

/// The seed is none: it must have 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of the registry must be 32 bytes in hex")]
pub struct BadSeed;

impl Signer {
    /// From the 32 secret bytes.
    ///
    /// # Errors
    /// [`BadSeed`] for any other number of bytes.
    pub fn from_seed(seed: &[u8]) -> Result<Signer, BadSeed> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadSeed)?;
        Ok(Signer { pair })
    }

    /// The public key in lower-case hex.
    #[must_use]
    pub fn public_key(&self) -> String {
        hex::encode(self.pair.public_key())
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, origin: &str, size: u64, root: &Hash, time: DateTime<Utc>) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size,
            root: hex::encode(root),
            time: time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            key: self.public_key(),
            signature: String::new(),
        };
        checkpoint.signature = hex::encode(self.pair.sign(checkpoint.signed_text().as_bytes()));
        checkpoint
    }
}

impl Checkpoint {
    /// Whether the signature is that of the key it names. Whose key that is, the checkpoint cannot say.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let (Ok(key), Ok(signature)) = (hex::decode(&self.key), hex::decode(&self.signature)) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key)
            .verify(self.signed_text().as_bytes(), &signature)
            .is_ok()
    }

    /// The root as bytes.
    #[must_use]
    pub fn root_hash(&self) -> Option<Hash> {
        hex::decode(&self.root).ok()?.try_into().ok()
    }

    fn signed_text(&self) -> String {
        let value = json!({"origin": self.origin, "size": self.size, "root": self.root, "time": self.time});
        canonical::write(&value).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_checkpoint_is_signed_by_the_key_it_names_over_every_member() {
        let signer = Signer::from_seed(&[7; 32]).unwrap();
        let good = signer.sign("DE/TWH", 3, &[1; 32], DateTime::UNIX_EPOCH);
        assert!(good.is_signed());
        assert_eq!(good.root_hash(), Some([1; 32]));
        let other = Signer::from_seed(&[8; 32]).unwrap().public_key();
        for forged in [
            Checkpoint {
                origin: "DE/XYZ".to_owned(),
                ..good.clone()
            },
            Checkpoint {
                size: 4,
                ..good.clone()
            },
            Checkpoint {
                root: hex::encode([2; 32]),
                ..good.clone()
            },
            Checkpoint {
                time: "2026-01-01T00:00:00Z".to_owned(),
                ..good.clone()
            },
            Checkpoint {
                key: other,
                ..good.clone()
            },
            Checkpoint {
                signature: "00".to_owned(),
                ..good.clone()
            },
            Checkpoint {
                signature: String::new(),
                ..good.clone()
            },
        ] {
            assert!(!forged.is_signed(), "{forged:?}");
        }
    }

    // RFC 8032, 7.1, TEST 1: the key is the one the RFC derives from this seed.
    #[test]
    fn the_key_of_a_seed_is_that_of_the_rfc() {
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        assert_eq!(
            Signer::from_seed(&seed).unwrap().public_key(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(Signer::from_seed(&[1; 31]).err(), Some(BadSeed));
    }
}
