//! Credentials tokens: minted here, kept only as a hash, compared as a hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::failure::Fault;
use crate::config::Secret;

/// A token's SHA-256. The lookup by hash is what makes the time it takes independent of the token (T-03).
pub type TokenHash = [u8; 32];

/// Kinds of rows in the store, as words.
pub(super) mod kind {
    /// TOKEN_A: opens versions and credentials only (T-04).
    pub const REGISTRATION: &str = "registration";
    /// Handed to a peer in a handshake the hub started and the peer has not answered yet (CR-07).
    pub const PENDING: &str = "pending";
    /// The token of a registered peer.
    pub const CURRENT: &str = "current";
    /// Replaced, alive until its successor is used or the grace ends (CR-35).
    pub const PREVIOUS: &str = "previous";
}

/// A new token: 192 random bits in 35 characters, far below the 64 allowed (T-07).
///
/// It starts with `tw-`: the hyphen is no letter of the Base64 alphabet, so a token sent raw can never be mistaken for
/// one sent encoded (D-01).
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn mint() -> Result<Secret, Fault> {
    let mut random = [0u8; 24];
    getrandom::fill(&mut random).map_err(|e| Fault::new("drawing a random token", e))?;
    Ok(Secret::new(format!("tw-{}", URL_SAFE_NO_PAD.encode(random))))
}

/// The hash of a token.
#[must_use]
pub fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// The hash as the store keeps it.
#[must_use]
pub fn hash_hex(token: &str) -> String {
    hex::encode(hash(token))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_minted_token_is_printable_short_random_and_not_base64() {
        // T-07, D-01
        let mut seen = std::collections::HashSet::new();
        for _ in 0..500 {
            let token = mint().unwrap().expose().to_owned();
            assert!(token.len() <= 64);
            assert!(token.chars().all(|c| ('\u{21}'..='\u{7e}').contains(&c)));
            assert!(token.contains('-'));
            assert!(base64::engine::general_purpose::STANDARD.decode(&token).is_err());
            assert!(seen.insert(token));
        }
    }

    #[test]
    fn a_minted_token_does_not_show_in_debug() {
        let token = mint().unwrap();
        assert!(!format!("{token:?}").contains(&token.expose()[3..]));
    }
}
