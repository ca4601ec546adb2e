//! Who is who: names that are compared without case and written as they were registered (T-42, D-04).

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use thiserror::Error;

/// The one place where case is folded: ASCII letters become capitals, everything else stays.
///
/// Two identifiers are the same exactly when their folded forms are equal; keys in maps and tables are folded forms.
#[must_use]
pub fn fold(text: &str) -> String {
    text.to_ascii_uppercase()
}

/// The folded form of an id somebody asks for; `None` when no object can have it, because it holds a control character (T-42).
/// Such a text must not even reach a database: one of them refuses it as text.
#[must_use]
pub fn key_of(id: &str) -> Option<String> {
    (!id.is_empty() && !id.chars().any(char::is_control)).then(|| fold(id))
}

/// Text that keeps its spelling and is compared, ordered and hashed without case (T-42).
#[derive(Debug, Clone)]
pub struct CiString(Box<str>);

impl CiString {
    /// Keeps `text` as it is spelled. Length and characters are the caller's to check.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// As it was spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In capitals, for keys.
    #[must_use]
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl PartialEq for CiString {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for CiString {}

impl PartialOrd for CiString {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CiString {
    fn cmp(&self, other: &Self) -> Ordering {
        folded_bytes(&self.0).cmp(folded_bytes(&other.0))
    }
}

impl Hash for CiString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        folded_bytes(&self.0).for_each(|byte| state.write_u8(byte));
        state.write_u8(0xff);
    }
}

impl fmt::Display for CiString {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn folded_bytes(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().map(|byte| byte.to_ascii_uppercase())
}

/// A party: ISO 3166 country code and the three characters its market office gave it. Compared without case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId {
    country_code: CiString,
    party_id: CiString,
}

impl PartyId {
    /// Country code of exactly two, party id of one to three printable characters without `/`.
    ///
    /// # Errors
    /// [`IdError`] says which of the two is wrong, and how.
    pub fn new(country_code: &str, party_id: &str) -> Result<Self, IdError> {
        check("country_code", country_code, 2, 2)?;
        check("party_id", party_id, 1, 3)?;
        Ok(Self {
            country_code: CiString::new(country_code),
            party_id: CiString::new(party_id),
        })
    }

    /// Reads `DE/ABC`, the form of URLs, keys and command lines.
    ///
    /// # Errors
    /// [`IdError`] when there is not exactly one slash, or a half of it is wrong.
    pub fn from_slash(text: &str) -> Result<Self, IdError> {
        let (country_code, party_id) = text.split_once('/').ok_or(IdError::NoSlash)?;
        Self::new(country_code, party_id)
    }

    /// The country code as spelled.
    #[must_use]
    pub fn country_code(&self) -> &str {
        self.country_code.as_str()
    }

    /// The party id as spelled.
    #[must_use]
    pub fn party_id(&self) -> &str {
        self.party_id.as_str()
    }

    /// `DE/ABC` in capitals: the same for every spelling of one party.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.to_string())
    }
}

impl fmt::Display for PartyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.country_code, self.party_id)
    }
}

impl std::str::FromStr for PartyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::from_slash(text)
    }
}

fn check(what: &'static str, text: &str, least: usize, most: usize) -> Result<(), IdError> {
    // Bytes are characters here: anything outside printable ASCII is refused in the same breath.
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
        return Err(IdError::Characters { what });
    }
    if text.len() < least || text.len() > most {
        return Err(IdError::Length { what, least, most });
    }
    Ok(())
}

/// Why a text does not name a party.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// Too short or too long.
    #[error("{what} must have {} characters", range(*least, *most))]
    Length {
        /// `country_code` or `party_id`.
        what: &'static str,
        /// The fewest characters allowed.
        least: usize,
        /// The most characters allowed.
        most: usize,
    },
    /// Something that is not printable ASCII, a blank, or a slash.
    #[error("{what} may only contain printable ASCII characters without blanks and slashes")]
    Characters {
        /// `country_code` or `party_id`.
        what: &'static str,
    },
    /// Not of the form `DE/ABC`.
    #[error("a party is written as country code, slash, party id, for example DE/ABC")]
    NoSlash,
}

impl IdError {
    /// Which of the two halves is wrong, by the name of its member; `None` when it cannot be said.
    #[must_use]
    pub fn member(&self) -> Option<&'static str> {
        match self {
            Self::Length { what, .. } | Self::Characters { what } => Some(what),
            Self::NoSlash => None,
        }
    }
}

fn range(least: usize, most: usize) -> String {
    if least == most {
        most.to_string()
    } else {
        format!("{least} to {most}")
    }
}

/// One OCPI connection, named by us: the text of a UUID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlatformId(String);

impl PlatformId {
    /// Takes the text as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for PlatformId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for PlatformId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl AsRef<str> for PlatformId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for PlatformId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlatformId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;

    // T-42, D-04
    #[test]
    fn a_party_is_the_same_in_any_case_and_keeps_its_spelling() {
        let small = PartyId::new("de", "aBc").unwrap();
        let large = PartyId::from_slash("DE/ABC").unwrap();
        assert_eq!(small, large);
        assert_eq!(small.cmp(&large), Ordering::Equal);
        assert_eq!(HashSet::from([small.clone(), large.clone()]).len(), 1);
        assert_eq!(small.to_string(), "de/aBc");
        assert_eq!(small.key(), "DE/ABC");
    }

    #[test]
    fn a_text_that_names_no_party_says_what_is_wrong_with_it() {
        for (text, reason) in [
            ("DEABC", "country code, slash"),
            ("D/ABC", "country_code must have 2"),
            ("DEU/ABC", "country_code must have 2"),
            ("DE/", "party_id must have 1 to 3"),
            ("DE/ABCD", "party_id must have 1 to 3"),
            ("DE/A/B", "party_id may only"),
            ("DE/A C", "party_id may only"),
            ("DE/Ä", "party_id may only"),
        ] {
            let error = PartyId::from_slash(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn an_id_with_a_control_character_is_nobodys() {
        assert_eq!(key_of("c-1").as_deref(), Some("C-1"));
        for id in ["", "c\0", "\u{9}c", "\u{85}"] {
            assert_eq!(key_of(id), None, "{id:?}");
        }
    }

    #[test]
    fn order_and_hash_of_case_insensitive_text_agree_with_equality() {
        let words = ["", "a", "A", "ab", "Ab", "b", "_", "Z"].map(CiString::new);
        for one in &words {
            for other in &words {
                assert_eq!(one == other, one.cmp(other) == Ordering::Equal);
                assert_eq!(one == other, one.folded() == other.folded());
            }
        }
    }
}
