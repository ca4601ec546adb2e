//! What a request was about, from a list: what a peer writes into a URL is never a name here.

/// A module of OCPI, a door of the hub, or `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Module(usize);

/// The list. What is not a module: `callbacks` and `links` are what was lent out, `confirmations` go to a URL a submitter gave, and the last
/// four are doors.
const NAMES: [&str; 20] = [
    "versions",
    "credentials",
    "hubclientinfo",
    "locations",
    "sessions",
    "cdrs",
    "tariffs",
    "tokens",
    "commands",
    "chargingprofiles",
    "publickeys",
    "cdrvalidations",
    "custom",
    "callbacks",
    "links",
    "confirmations",
    "partner",
    "operator",
    "keys",
    "other",
];

impl Module {
    /// How many there are.
    pub const COUNT: usize = NAMES.len();

    /// All of them, in the order of the list.
    pub fn all() -> impl Iterator<Item = Module> {
        (0..Module::COUNT).map(Module)
    }

    /// The one of that name, in lower case; `other` for every other name.
    #[must_use]
    pub fn named(name: &str) -> Module {
        let place = NAMES.iter().position(|known| *known == name);
        Module(place.unwrap_or(Module::COUNT - 1))
    }

    /// The one a module's id names: the hub's own by the end of theirs (`detwh-publickeys`), all other custom ones together.
    #[must_use]
    pub fn identified(identifier: &str) -> Module {
        match Module::named(identifier) {
            Module(place) if place < Module::COUNT - 1 => Module(place),
            _ if identifier.ends_with("-publickeys") => Module::named("publickeys"),
            _ if identifier.ends_with("-cdrvalidations") => Module::named("cdrvalidations"),
            _ => Module::named("custom"),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.get(self.0).copied().unwrap_or("other")
    }

    pub(super) fn place(self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpi::modules::MODULES;

    #[test]
    fn every_module_of_the_table_is_on_the_list_and_nothing_else_becomes_a_name() {
        for module in MODULES {
            assert_eq!(Module::named(module.identifier).name(), module.identifier);
            assert_eq!(Module::identified(module.identifier).name(), module.identifier);
        }
        for (identifier, name) in [
            ("detwh-publickeys", "publickeys"),
            ("nlxyz-cdrvalidations", "cdrvalidations"),
            ("nlxyz-bookings", "custom"),
            ("012345678", "custom"),
            ("", "custom"),
        ] {
            assert_eq!(Module::identified(identifier).name(), name, "{identifier}");
        }
        assert_eq!(Module::named("012345678").name(), "other");
        assert_eq!(Module::all().count(), Module::COUNT);
    }
}
