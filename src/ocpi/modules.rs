//! THE TABLE: what is served, on which interface, at which path, with which method.
//!
//! Version details, routes and the test of the OpenAPI file read this and repeat nothing. A module that is not here is
//! not served, and a method that is not here is a 405 (U-08). Paths are relative to `/ocpi/{version}`, except that of
//! [`VERSIONS`].

use super::role::InterfaceRole;
use super::role::InterfaceRole::{Receiver, Sender};
use super::url;
use super::versions::{Endpoint, Version};

/// A module of OCPI, as far as it is served here.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its id in version details (V-06).
    pub identifier: &'static str,
    /// Whether it is between platforms or between parties.
    pub kind: Kind,
    /// The sides of it that are served.
    pub interfaces: &'static [Interface],
    /// Whether OCPI lets a hub send what is pushed here on to everybody (D-18). CDRs have one receiver each.
    pub broadcast: bool,
}

/// Between whom a module is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How everything else is found. Not listed in version details itself.
    Discovery,
    /// Platform to platform: never routed, routing headers are ignored.
    Configuration,
    /// Party to party: routed by headers.
    Functional,
}

/// One side of a module.
#[derive(Debug, PartialEq, Eq)]
pub struct Interface {
    /// Which side.
    pub role: InterfaceRole,
    /// Where it begins. SENDER and RECEIVER have disjoint prefixes because their paths collide otherwise (U-07, D-03).
    pub path: &'static str,
    /// What can be asked there.
    pub routes: &'static [Route],
}

/// One method at one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub method: &'static str,
    /// What follows the interface's path; parameters in braces; empty for the interface itself.
    pub path: &'static str,
    /// What the answer is.
    pub answer: Answer,
}

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// One object, or nothing.
    Once,
    /// A page of a list (checklist 1.6).
    Page,
}

/// Where versions are found; relative to `/ocpi`.
pub const VERSIONS: Module = Module {
    identifier: "versions",
    kind: Kind::Discovery,
    interfaces: &[Interface {
        role: Sender,
        path: "",
        routes: &[once("GET", "/versions"), once("GET", "/{version}")],
    }],
    broadcast: false,
};

/// The handshake. Listed once, as SENDER (V-04); PATCH is none of its methods (CR-24).
pub const CREDENTIALS: Module = Module {
    identifier: "credentials",
    kind: Kind::Configuration,
    interfaces: &[Interface {
        role: Sender,
        path: "/credentials",
        routes: &[once("GET", ""), once("POST", ""), once("PUT", ""), once("DELETE", "")],
    }],
    broadcast: false,
};

/// Charge detail records. Where a posted one is read is told in `Location`, no path is defined for it (CDR-03); nothing of
/// one can be changed (CDR-04).
pub const CDRS: Module = Module {
    identifier: "cdrs",
    kind: Kind::Functional,
    interfaces: &[
        Interface {
            role: Sender,
            path: "/sender/cdrs",
            routes: &[page("GET", "")],
        },
        Interface {
            role: Receiver,
            path: "/receiver/cdrs",
            routes: &[once("POST", "")],
        },
    ],
    broadcast: false,
};

/// Everything that is served.
pub const MODULES: &[Module] = &[VERSIONS, CREDENTIALS, CDRS];

const fn once(method: &'static str, path: &'static str) -> Route {
    Route {
        method,
        path,
        answer: Answer::Once,
    }
}

const fn page(method: &'static str, path: &'static str) -> Route {
    Route {
        method,
        path,
        answer: Answer::Page,
    }
}

/// The module with this id, if it is served.
#[must_use]
pub fn module(identifier: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.identifier == identifier)
}

impl Module {
    /// One side of the module, if it is served.
    #[must_use]
    pub fn interface(&self, role: InterfaceRole) -> Option<&'static Interface> {
        self.interfaces.iter().find(|interface| interface.role == role)
    }
}

/// What our version details list for a hub reached at `public_url` (V-02, U-02, U-03).
#[must_use]
pub fn endpoints(public_url: &str, version: Version) -> Vec<Endpoint> {
    let base = url::join(public_url, &["ocpi", version.as_str()]);
    let listed = MODULES.iter().filter(|module| module.kind != Kind::Discovery);
    listed
        .flat_map(|module| module.interfaces.iter().map(move |interface| (module, interface)))
        .map(|(module, interface)| Endpoint {
            identifier: module.identifier.to_owned(),
            role: Some(interface.role),
            url: format!("{base}{}", interface.path),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::versions;
    use super::*;

    // V-04, V-05, U-02, U-07
    #[test]
    fn our_version_details_list_what_is_served_and_nothing_else() {
        let listed: Vec<_> = endpoints("https://hub.example/", Version::V2_2_1)
            .into_iter()
            .map(|endpoint| format!("{} {} {}", endpoint.identifier, endpoint.role.unwrap(), endpoint.url))
            .collect();
        assert_eq!(
            listed,
            [
                "credentials SENDER https://hub.example/ocpi/2.2.1/credentials",
                "cdrs SENDER https://hub.example/ocpi/2.2.1/sender/cdrs",
                "cdrs RECEIVER https://hub.example/ocpi/2.2.1/receiver/cdrs",
            ]
        );
    }

    #[test]
    fn a_peer_reads_our_version_details_as_we_wrote_them() {
        for version in Version::ALL {
            let endpoints = endpoints("https://hub.example", version);
            let details = versions::Details {
                version: version.to_string(),
                endpoints,
            };
            let text = serde_json::to_string(&details).unwrap();
            assert_eq!(versions::read_details(&text).unwrap(), details);
        }
    }

    #[test]
    fn no_two_interfaces_share_a_path_and_every_module_is_found_by_its_id() {
        let mut paths = std::collections::HashSet::new();
        for known in MODULES {
            assert_eq!(module(known.identifier), Some(known));
            for interface in known.interfaces {
                assert!(paths.insert(interface.path), "{}", interface.path);
                assert_eq!(known.interface(interface.role), Some(interface));
            }
        }
        assert_eq!(module("locations"), None);
    }

    // CR-24, CDR-04
    #[test]
    fn methods_the_specification_rules_out_are_not_in_the_table() {
        let methods = |module: &Module| -> Vec<&str> {
            module
                .interfaces
                .iter()
                .flat_map(|interface| interface.routes)
                .map(|route| route.method)
                .collect()
        };
        assert_eq!(methods(&CREDENTIALS), ["GET", "POST", "PUT", "DELETE"]);
        assert_eq!(methods(&CDRS), ["GET", "POST"]);
    }
}
