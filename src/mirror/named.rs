//! What an object is called: module, owner, id, and for a token its type (LOC-22, TOK-08). Compared without case, kept as spelled.

use crate::ocpi::ids::{PartyId, key_of};
use crate::ocpi::modules::{LOCATIONS, Module, TARIFFS, TOKENS};
use crate::ocpi::refusal::{Refusal, Situation};

/// Longer ids than these are nobody's: seven times what OCPI allows, and short enough for an index of either database.
const ID_LIMIT: usize = 255;

/// The type of a token that is not said (TOK-08).
pub const DEFAULT_TOKEN_TYPE: &str = "RFID";

/// An object by its names.
#[derive(Clone, PartialEq, Eq)]
pub struct Named {
    /// The module.
    pub module: &'static Module,
    /// Whose it is.
    pub owner: PartyId,
    /// Its id in the URL, decoded, and below it those of EVSE and connector.
    pub ids: Vec<String>,
    /// The type of a token, as asked for.
    pub token_type: Option<String>,
}

impl Named {
    /// What it is found by, beside module and owner.
    ///
    /// # Errors
    /// 2001 when the id is empty, too long, or holds control characters.
    pub fn object_key(&self) -> Result<String, Refusal> {
        let id = self.ids.first().map(String::as_str).unwrap_or_default();
        let kind = (self.module == &TOKENS).then(|| self.token_type.as_deref().unwrap_or(DEFAULT_TOKEN_TYPE));
        Named::key(id, kind).ok_or_else(|| {
            Refusal::invalid_parameter(format!(
                "the id in the URL must have 1 to {ID_LIMIT} printable characters"
            ))
        })
    }

    /// The key of an id; for a token with its type. `None` for what can be nobody's id.
    #[must_use]
    pub fn key(id: &str, token_type: Option<&str>) -> Option<String> {
        let key = key_of(id).filter(|key| key.len() <= ID_LIMIT)?;
        Some(match token_type {
            // No type has a slash in it, whatever a uid has.
            Some(token_type) => format!(
                "{}/{key}",
                key_of(token_type).filter(|kind| !kind.contains('/') && kind.len() <= ID_LIMIT)?
            ),
            None => key,
        })
    }

    /// The words for something that is not here: 404 with 2003 or 2004 (S-05, D-07).
    #[must_use]
    pub fn unknown(&self) -> Refusal {
        unknown(self.module, self.ids.len())
    }
}

/// 404 for an object of a module; `depth` is how many ids name it.
#[must_use]
pub fn unknown(module: &Module, depth: usize) -> Refusal {
    let (situation, what) = match (module.identifier, depth) {
        (id, 0 | 1) if id == LOCATIONS.identifier => (Situation::UnknownLocation, "location"),
        (id, 2) if id == LOCATIONS.identifier => (Situation::UnknownLocation, "location or EVSE"),
        (id, _) if id == LOCATIONS.identifier => (Situation::UnknownLocation, "location, EVSE or connector"),
        (id, _) if id == TOKENS.identifier => (Situation::UnknownToken, "token"),
        (id, _) if id == TARIFFS.identifier => (Situation::NotFound, "tariff"),
        _ => (Situation::NotFound, "object"),
    };
    Refusal::new(situation, format!("the hub knows no such {what} of this owner"))
}

/// Without ids: that of a token is a driver's.
impl std::fmt::Debug for Named {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Named({} of {}, ***)", self.module.identifier, self.owner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // T-42, TOK-08, F-13, F-18
    #[test]
    fn an_object_is_the_same_in_any_case_and_a_token_is_another_with_another_type() {
        assert_eq!(Named::key("loc/1", None).as_deref(), Some("LOC/1"));
        assert_eq!(Named::key("04aa", Some("rfid")), Named::key("04AA", Some("RFID")));
        assert_ne!(Named::key("04AA", Some("RFID")), Named::key("04AA", Some("APP_USER")));
        for (id, kind) in [("", None), ("a\0", None), ("a", Some("")), ("a", Some("b/c"))] {
            assert_eq!(Named::key(id, kind), None, "{id:?} {kind:?}");
        }
        assert_eq!(Named::key(&"x".repeat(256), None), None);
    }

    // S-05, D-07
    #[test]
    fn what_is_not_here_is_a_404_in_the_words_of_its_module() {
        assert_eq!(unknown(&LOCATIONS, 3).code().0, 2003);
        assert_eq!(unknown(&TOKENS, 1).code().0, 2004);
        assert_eq!(unknown(&TARIFFS, 1).situation, Situation::NotFound);
    }
}
