//! EVSE-IDs as they are written on stations: `DE*ABC*E100001`, `DEABCE100001`, `de*abc*e1*2`.
//!
//! Read per eMI3 (ISO 15118-2, EVSE-ID): two letters of a country, three characters of an operator, the letter `E`, then up to
//! 31 letters, digits and separators of the operator's own. The separators between the parts are optional, so two spellings of
//! one EVSE differ; they are compared in the canonical form, where stars stand exactly after country and operator.

use std::fmt;

/// An EVSE-ID in its canonical form: capitals, stars after country and operator, the rest as the operator wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EvseId {
    canonical: String,
}

impl EvseId {
    /// Reads any spelling; `None` when it is no EVSE-ID.
    #[must_use]
    pub fn read(text: &str) -> Option<EvseId> {
        if !text.is_ascii() {
            return None;
        }
        let text = text.to_ascii_uppercase();
        let (country, rest) = text.split_at_checked(2)?;
        let rest = rest.strip_prefix('*').unwrap_or(rest);
        let (operator, rest) = rest.split_at_checked(3)?;
        let rest = rest.strip_prefix('*').unwrap_or(rest);
        let outlet = rest.strip_prefix('E')?;
        let well_formed = country.bytes().all(|one| one.is_ascii_uppercase())
            && operator.bytes().all(|one| one.is_ascii_alphanumeric())
            && (1..=31).contains(&outlet.len())
            && outlet.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'*')
            && outlet.bytes().any(|one| one != b'*');
        well_formed.then(|| EvseId {
            canonical: format!("{country}*{operator}*E{outlet}"),
        })
    }

    /// Country and operator, as `DE/ABC`: written like the key of a party.
    #[must_use]
    pub fn operator(&self) -> String {
        self.canonical.splitn(3, '*').take(2).collect::<Vec<_>>().join("/")
    }

    /// The canonical spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.canonical
    }
}

impl fmt::Display for EvseId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.canonical)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_spelling_of_one_evse_is_the_same_evse() {
        for text in [
            "DE*ABC*E100001",
            "DEABCE100001",
            "de*abc*e100001",
            "DE*ABCE100001",
            "DEABC*E100001",
        ] {
            let evse = EvseId::read(text).unwrap();
            assert_eq!(evse.as_str(), "DE*ABC*E100001", "{text}");
            assert_eq!(evse.operator(), "DE/ABC");
        }
    }

    #[test]
    fn separators_of_the_operators_own_tell_evses_apart() {
        assert_ne!(EvseId::read("DE*ABC*E1*12"), EvseId::read("DE*ABC*E11*2"));
        assert_ne!(EvseId::read("DE*ABC*E112"), EvseId::read("DE*ABC*E11*2"));
    }

    #[test]
    fn what_is_no_evse_id_is_not_read() {
        // PC-12
        for text in [
            "",
            "DE",
            "DE*ABC",
            "DE*ABC*",
            "DE*ABC*E",
            "DE*ABC*E*",
            "DE*ABC*X1",
            "D1*ABC*E1",
            "DE*A-C*E1",
            "+49*123*456",
            "DE*ABC*E1/2",
            "DE*ABC*E1 2",
            "DÉ*ABC*E1",
            "DE**ABC*E1",
            "#NA",
        ] {
            assert_eq!(EvseId::read(text), None, "{text}");
        }
        let long = format!("DE*ABC*E{}", "1".repeat(31));
        assert!(EvseId::read(&long).is_some());
        assert!(EvseId::read(&format!("{long}1")).is_none());
    }
}
