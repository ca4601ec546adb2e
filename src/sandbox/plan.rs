//! What a platform is to be: its parties, its versions, and which modules stand behind which kind of URL.

use crate::ocpi::headers::TokenForm;
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::InterfaceRole::{Receiver, Sender};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::versions::Version;

/// What a platform is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name in `business_details`.
    pub name: String,
    /// Its parties and their roles, as registered.
    pub parties: Vec<(PartyId, Role)>,
    /// The versions it serves.
    pub versions: Vec<Version>,
    /// Whether it has a RECEIVER interface for CDRs.
    pub receives_cdrs: bool,
    /// Whether it has a SENDER interface for CDRs.
    pub sends_cdrs: bool,
    /// Every other module it serves, each interface once; also modules OCPI does not know (U-09).
    pub modules: Vec<(&'static str, InterfaceRole)>,
    /// Where an interface is that is not served by the platform itself but by somebody who counts faster.
    pub elsewhere: Vec<(&'static str, InterfaceRole, String)>,
    /// The form of its endpoint URLs.
    pub shape: EndpointShape,
    /// The form in which it writes tokens, and insists on reading them.
    pub token_form: TokenForm,
    /// Most objects on one page of its lists.
    pub page: u32,
}

/// Endpoint URLs as they occur: whoever joins them by convention instead of by U-01 and U-04 is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointShape {
    /// `…/cdrs`
    Plain,
    /// `…/cdrs/`
    TrailingSlash,
    /// `…/cdrs?tenant=7`
    WithQuery,
    /// Each endpoint another of the three.
    Mixed,
}

/// The modules of one party to another, and that of the hub, without CDRs.
const SIX: [&str; 6] = [
    "locations",
    "sessions",
    "tariffs",
    "tokens",
    "commands",
    "chargingprofiles",
];
const CLIENT_INFO: &str = "hubclientinfo";

impl Plan {
    /// A charge point operator: sends CDRs.
    #[must_use]
    pub fn cpo(name: &str, party: PartyId) -> Plan {
        Plan {
            sends_cdrs: true,
            ..Plan::bare(name, vec![(party, Role::Cpo)])
        }
    }

    /// A mobility provider: receives CDRs.
    #[must_use]
    pub fn emsp(name: &str, party: PartyId) -> Plan {
        Plan {
            receives_cdrs: true,
            ..Plan::bare(name, vec![(party, Role::Emsp)])
        }
    }

    /// A platform with these parties and every module their roles ask for, at URLs of every shape.
    #[must_use]
    pub fn complete(name: &str, parties: Vec<(PartyId, Role)>) -> Plan {
        let mut plan = Plan {
            shape: EndpointShape::Mixed,
            ..Plan::bare(name, parties)
        };
        for (_, role) in plan.parties.clone() {
            for (module, interface) in modules_of(role) {
                plan = plan.also(module, interface);
            }
        }
        plan
    }

    /// A platform with these parties and no functional module.
    #[must_use]
    pub fn bare(name: &str, parties: Vec<(PartyId, Role)>) -> Plan {
        Plan {
            name: name.to_owned(),
            parties,
            versions: vec![Version::V2_2_1],
            receives_cdrs: false,
            sends_cdrs: false,
            modules: Vec::new(),
            elsewhere: Vec::new(),
            shape: EndpointShape::WithQuery,
            token_form: TokenForm::Base64,
            page: 50,
        }
    }

    /// With one more interface; a custom module has any id (`nltnm-…`) and takes any method and path.
    #[must_use]
    pub fn also(mut self, module: &'static str, interface: InterfaceRole) -> Plan {
        match (module, interface) {
            ("cdrs", Receiver) => self.receives_cdrs = true,
            ("cdrs", Sender) => self.sends_cdrs = true,
            served if !self.modules.contains(&served) => self.modules.push(served),
            _ => {}
        }
        self
    }

    /// With one more interface, at this URL of somebody else's.
    #[must_use]
    pub fn served_at(mut self, module: &'static str, interface: InterfaceRole, url: &str) -> Plan {
        self.elsewhere.push((module, interface, url.to_owned()));
        self.also(module, interface)
    }

    /// Without that interface.
    #[must_use]
    pub fn without(mut self, module: &str, interface: InterfaceRole) -> Plan {
        match (module, interface) {
            ("cdrs", Receiver) => self.receives_cdrs = false,
            ("cdrs", Sender) => self.sends_cdrs = false,
            _ => self.modules.retain(|served| *served != (module, interface)),
        }
        self
    }

    /// As a platform of the first edition of 2.2: that version only, bare tokens (T-06).
    #[must_use]
    pub fn of_2_2(mut self) -> Plan {
        self.versions = vec![Version::V2_2];
        self.token_form = TokenForm::Raw;
        self
    }

    /// With other endpoint URLs.
    #[must_use]
    pub fn shaped(mut self, shape: EndpointShape) -> Plan {
        self.shape = shape;
        self
    }
}

/// What a role serves (terminology, "Typical OCPI implementations per Role"). A party with the role HUB serves everything.
fn modules_of(role: Role) -> Vec<(&'static str, InterfaceRole)> {
    let mut modules: Vec<(&'static str, InterfaceRole)> = match role {
        Role::Cpo => ["locations", "sessions", "cdrs", "tariffs"]
            .map(|module| (module, Sender))
            .into_iter()
            .chain(["tokens", "commands", "chargingprofiles"].map(|module| (module, Receiver)))
            .collect(),
        Role::Emsp => ["locations", "sessions", "cdrs", "tariffs"]
            .map(|module| (module, Receiver))
            .into_iter()
            .chain(["tokens", "commands", "chargingprofiles"].map(|module| (module, Sender)))
            .collect(),
        Role::Scsp => vec![("chargingprofiles", Sender), ("sessions", Receiver)],
        Role::Nsp | Role::Nap | Role::Other => vec![("locations", Receiver), ("tariffs", Receiver)],
        Role::Hub => SIX
            .into_iter()
            .chain(["cdrs"])
            .flat_map(|module| [(module, Sender), (module, Receiver)])
            .chain([(CLIENT_INFO, Sender)])
            .collect(),
    };
    modules.push((CLIENT_INFO, Receiver));
    modules
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // V-05, the table of roles
    #[test]
    fn operator_and_provider_are_mirror_images() {
        let turned = |role| -> Vec<_> {
            let mut modules: Vec<_> = modules_of(role)
                .into_iter()
                .filter(|(module, _)| *module != CLIENT_INFO)
                .map(|(module, interface)| {
                    if interface == Sender {
                        (module, Receiver)
                    } else {
                        (module, Sender)
                    }
                })
                .collect();
            modules.sort_unstable();
            modules
        };
        let mut provider: Vec<_> = modules_of(Role::Emsp);
        provider.retain(|(module, _)| *module != CLIENT_INFO);
        provider.sort_unstable();
        assert_eq!(turned(Role::Cpo), provider);
        assert!(
            Role::ALL
                .iter()
                .all(|role| modules_of(*role).contains(&(CLIENT_INFO, Receiver)))
        );
    }

    #[test]
    fn a_plan_can_be_given_and_denied_any_module() {
        let party = PartyId::from_slash("DE/ABC").unwrap();
        let plan = Plan::complete("Operator", vec![(party, Role::Cpo)])
            .without("tariffs", Sender)
            .without("cdrs", Sender)
            .also("nltnm-tips", Receiver)
            .also("nltnm-tips", Receiver);
        assert!(!plan.sends_cdrs && !plan.modules.contains(&("tariffs", Sender)));
        assert_eq!(
            plan.modules
                .iter()
                .filter(|(module, _)| *module == "nltnm-tips")
                .count(),
            1
        );
    }
}
