//! Who may exchange what with whom, as the operator decided (D-17): it governs routing, broadcast, GET all and ClientInfo alike.

use crate::ocpi::ids::PartyId;

/// The roaming agreements of a hub. Without any, everybody may talk to everybody on the opposite side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreements {
    /// What holds where no rule speaks.
    pub allow_by_default: bool,
    /// In order: the last rule that matches wins.
    pub rules: Vec<Rule>,
}

/// One rule between two parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The two it is about, in either order; `None` stands for everybody.
    pub parties: [Option<PartyId>; 2],
    /// The module ids it is about; empty means every module.
    pub modules: Vec<String>,
    /// Whether they may.
    pub allow: bool,
}

impl Default for Agreements {
    fn default() -> Agreements {
        Agreements {
            allow_by_default: true,
            rules: Vec::new(),
        }
    }
}

impl Agreements {
    /// Whether two parties may exchange objects and messages of a module.
    #[must_use]
    pub fn allow(&self, one: &PartyId, other: &PartyId, module: &str) -> bool {
        self.rules
            .iter()
            .rev()
            .find(|rule| rule.is_about(one, other) && rule.covers(module))
            .map_or(self.allow_by_default, |rule| rule.allow)
    }

    /// Whether two parties may exchange anything at all: otherwise they do not exist for each other (R-48, HCI-06).
    #[must_use]
    pub fn allow_anything(&self, one: &PartyId, other: &PartyId, modules: &[&str]) -> bool {
        modules.iter().any(|module| self.allow(one, other, module))
    }
}

impl Rule {
    fn is_about(&self, one: &PartyId, other: &PartyId) -> bool {
        let fits = |named: &Option<PartyId>, party| named.as_ref().is_none_or(|named| named == party);
        let [first, second] = &self.parties;
        (fits(first, one) && fits(second, other)) || (fits(first, other) && fits(second, one))
    }

    fn covers(&self, module: &str) -> bool {
        self.modules.is_empty() || self.modules.iter().any(|named| named == module)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn party(text: &str) -> PartyId {
        PartyId::from_slash(text).unwrap()
    }

    fn rule(one: &str, other: &str, modules: &[&str], allow: bool) -> Rule {
        Rule {
            parties: [Some(party(one)), Some(party(other))],
            modules: modules.iter().map(|module| (*module).to_owned()).collect(),
            allow,
        }
    }

    // D-17
    #[test]
    fn the_last_matching_rule_wins_whichever_way_round_the_parties_are_named() {
        let agreements = Agreements {
            allow_by_default: false,
            rules: vec![
                rule("NL/CPA", "DE/MSA", &[], true),
                rule("de/msa", "nl/cpa", &["tokens"], false),
            ],
        };
        let (cpo, emsp, other) = (party("NL/CPA"), party("DE/MSA"), party("DE/MSB"));
        assert!(agreements.allow(&cpo, &emsp, "locations"));
        assert!(agreements.allow(&emsp, &cpo, "locations"));
        assert!(!agreements.allow(&cpo, &emsp, "tokens"));
        assert!(!agreements.allow(&cpo, &other, "locations"));
        assert!(Agreements::default().allow(&cpo, &other, "locations"));
        assert!(agreements.allow_anything(&cpo, &emsp, &["tokens", "cdrs"]));
        assert!(!agreements.allow_anything(&cpo, &other, &["tokens", "cdrs"]));
    }

    #[test]
    fn a_rule_for_everybody_is_about_everybody() {
        let everybody = Rule {
            parties: [None, Some(party("DE/MSA"))],
            modules: Vec::new(),
            allow: false,
        };
        let agreements = Agreements {
            rules: vec![everybody],
            ..Agreements::default()
        };
        assert!(!agreements.allow(&party("NL/CPA"), &party("DE/MSA"), "cdrs"));
        assert!(agreements.allow(&party("NL/CPA"), &party("DE/MSB"), "cdrs"));
    }
}
