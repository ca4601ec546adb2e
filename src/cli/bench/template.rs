//! Many objects of one form: written once by the sandbox, then filled in.

use crate::sandbox::Draft;

/// A document with holes.
#[derive(Debug, Clone)]
pub struct Template(Vec<String>);

/// What stands for a hole: a character no object of this bench has.
pub const HOLE: &str = "\u{a4}";

impl Template {
    /// A draft whose texts have [`HOLE`] where something is to be filled in.
    #[must_use]
    pub fn of(draft: &Draft) -> Template {
        Template(draft.json().split(HOLE).map(str::to_owned).collect())
    }

    /// The document with these values in its holes, in order; what is missing stays empty.
    #[must_use]
    pub fn fill(&self, values: &[&str]) -> String {
        let mut values = values.iter();
        let mut parts = self.0.iter();
        let mut document = parts.next().cloned().unwrap_or_default();
        for part in parts {
            document.push_str(values.next().copied().unwrap_or_default());
            document.push_str(part);
        }
        document
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ocpi::ids::PartyId;

    #[test]
    fn every_hole_is_filled_in_order() {
        let owner = PartyId::from_slash("ZZ/ABC").unwrap();
        let at = chrono::DateTime::UNIX_EPOCH;
        let template = Template::of(&Draft::location(&owner, HOLE, at).text("name", HOLE));
        let plain = Draft::location(&owner, "L-1", at).text("name", "N-2");
        assert_eq!(template.fill(&["L-1", "N-2"]), plain.json());
    }
}
