//! THE TABLE: what is served, on which interface, at which path, with which method, by whom, and how it is answered.
//!
//! Version details, routes, routing and the test of the OpenAPI file read this and repeat nothing. A module that is not here is
//! not served, and a method that is not here is a 405 (U-08). Paths are relative to `/ocpi/{version}`, except that of
//! [`VERSIONS`]. Parameters have fixed names: [`Route::names_owner`] and the hall read them by name.

use super::role::InterfaceRole;
use super::role::InterfaceRole::{Receiver, Sender};
use super::role::Role;
use super::role::Role::{Cpo, Emsp, Nap, Nsp, Other, Scsp};
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
    /// Whether what is pushed here is meant for everybody (D-18): `to` = hub is a broadcast, and the hub keeps the objects for
    /// GET all. Everything else has one addressee.
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
    /// The roles of parties that offer this side; the other side of the module calls it. Empty where the hub itself does.
    pub offered_by: &'static [Role],
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
    /// At once, and again later at the `response_url` in the body (D-14).
    LaterInBody,
    /// At once, and again later at the `response_url` in the query (CP-11).
    LaterInQuery,
    /// It is itself the later answer to somebody's request: a POST to a URL the hub lent out (D-14).
    Result,
}

/// Where versions are found; relative to `/ocpi`.
pub const VERSIONS: Module = Module {
    identifier: "versions",
    kind: Kind::Discovery,
    interfaces: &[Interface {
        role: Sender,
        path: "",
        offered_by: &[],
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
        offered_by: &[],
        routes: &[once("GET", ""), once("POST", ""), once("PUT", ""), once("DELETE", "")],
    }],
    broadcast: false,
};

/// Who is connected, told by the hub (HCI-01); nothing can be written here (HCI-18).
pub const HUB_CLIENT_INFO: Module = Module {
    identifier: "hubclientinfo",
    kind: Kind::Configuration,
    interfaces: &[Interface {
        role: Sender,
        path: "/hubclientinfo",
        offered_by: &[],
        routes: &[page("GET", "")],
    }],
    broadcast: false,
};

/// Charging locations with their EVSEs and connectors; nothing is posted or deleted (LOC-06, LOC-09).
pub const LOCATIONS: Module = Module {
    identifier: "locations",
    kind: Kind::Functional,
    interfaces: &[
        Interface {
            role: Sender,
            path: "/sender/locations",
            offered_by: &[Cpo, Nap],
            routes: &[
                page("GET", ""),
                once("GET", "/{location_id}"),
                once("GET", "/{location_id}/{evse_uid}"),
                once("GET", "/{location_id}/{evse_uid}/{connector_id}"),
            ],
        },
        Interface {
            role: Receiver,
            path: "/receiver/locations",
            offered_by: &[Emsp, Nsp, Nap, Other],
            routes: &[
                once("GET", "/{country_code}/{party_id}/{location_id}"),
                once("PUT", "/{country_code}/{party_id}/{location_id}"),
                once("PATCH", "/{country_code}/{party_id}/{location_id}"),
                once("GET", "/{country_code}/{party_id}/{location_id}/{evse_uid}"),
                once("PUT", "/{country_code}/{party_id}/{location_id}/{evse_uid}"),
                once("PATCH", "/{country_code}/{party_id}/{location_id}/{evse_uid}"),
                once(
                    "GET",
                    "/{country_code}/{party_id}/{location_id}/{evse_uid}/{connector_id}",
                ),
                once(
                    "PUT",
                    "/{country_code}/{party_id}/{location_id}/{evse_uid}/{connector_id}",
                ),
                once(
                    "PATCH",
                    "/{country_code}/{party_id}/{location_id}/{evse_uid}/{connector_id}",
                ),
            ],
        },
    ],
    broadcast: true,
};

/// Charging sessions, of one CPO for one eMSP; never deleted (SES-06).
pub const SESSIONS: Module = Module {
    identifier: "sessions",
    kind: Kind::Functional,
    interfaces: &[
        Interface {
            role: Sender,
            path: "/sender/sessions",
            offered_by: &[Cpo],
            routes: &[page("GET", ""), once("PUT", "/{session_id}/charging_preferences")],
        },
        Interface {
            role: Receiver,
            path: "/receiver/sessions",
            offered_by: &[Emsp, Scsp],
            routes: &[
                once("GET", "/{country_code}/{party_id}/{session_id}"),
                once("PUT", "/{country_code}/{party_id}/{session_id}"),
                once("PATCH", "/{country_code}/{party_id}/{session_id}"),
            ],
        },
    ],
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
            offered_by: &[Cpo],
            routes: &[page("GET", "")],
        },
        Interface {
            role: Receiver,
            path: "/receiver/cdrs",
            offered_by: &[Emsp],
            routes: &[once("POST", "")],
        },
    ],
    broadcast: false,
};

/// Tariffs; the one module where something is deleted, and never patched (TAR-02).
pub const TARIFFS: Module = Module {
    identifier: "tariffs",
    kind: Kind::Functional,
    interfaces: &[
        Interface {
            role: Sender,
            path: "/sender/tariffs",
            offered_by: &[Cpo],
            routes: &[page("GET", "")],
        },
        Interface {
            role: Receiver,
            path: "/receiver/tariffs",
            offered_by: &[Emsp, Nsp, Nap, Other],
            routes: &[
                once("GET", "/{country_code}/{party_id}/{tariff_id}"),
                once("PUT", "/{country_code}/{party_id}/{tariff_id}"),
                once("DELETE", "/{country_code}/{party_id}/{tariff_id}"),
            ],
        },
    ],
    broadcast: true,
};

/// Tokens of drivers, and the question whether one may charge (TOK-02, TOK-07).
pub const TOKENS: Module = Module {
    identifier: "tokens",
    kind: Kind::Functional,
    interfaces: &[
        Interface {
            role: Sender,
            path: "/sender/tokens",
            offered_by: &[Emsp, Nsp, Other],
            routes: &[page("GET", ""), once("POST", "/{token_uid}/authorize")],
        },
        Interface {
            role: Receiver,
            path: "/receiver/tokens",
            offered_by: &[Cpo],
            routes: &[
                once("GET", "/{country_code}/{party_id}/{token_uid}"),
                once("PUT", "/{country_code}/{party_id}/{token_uid}"),
                once("PATCH", "/{country_code}/{party_id}/{token_uid}"),
            ],
        },
    ],
    broadcast: true,
};

/// Commands to a charge point; the RECEIVER executes, the SENDER gets the result (CMD-01, CMD-04).
pub const COMMANDS: Module = Module {
    identifier: "commands",
    kind: Kind::Functional,
    interfaces: &[
        Interface {
            role: Sender,
            path: "/sender/commands",
            offered_by: &[Emsp, Nsp, Other],
            routes: &[result("POST", "/{answer_id}")],
        },
        Interface {
            role: Receiver,
            path: "/receiver/commands",
            offered_by: &[Cpo],
            routes: &[later_in_body("POST", "/{command}")],
        },
    ],
    broadcast: false,
};

/// Charging profiles; the RECEIVER executes, the SENDER gets results and hears of changes (CP-01 … CP-08). PUT has the same
/// shape on both sides (CP-12).
pub const CHARGING_PROFILES: Module = Module {
    identifier: "chargingprofiles",
    kind: Kind::Functional,
    interfaces: &[
        Interface {
            role: Sender,
            path: "/sender/chargingprofiles",
            offered_by: &[Emsp, Scsp],
            routes: &[once("PUT", "/{session_id}"), result("POST", "/{answer_id}")],
        },
        Interface {
            role: Receiver,
            path: "/receiver/chargingprofiles",
            // An eMSP executes what its provider asks by asking the CPO itself (S-40).
            offered_by: &[Cpo, Emsp],
            routes: &[
                later_in_query("GET", "/{session_id}"),
                later_in_body("PUT", "/{session_id}"),
                later_in_query("DELETE", "/{session_id}"),
            ],
        },
    ],
    broadcast: false,
};

/// Everything that is served, in the order of checklist V-06 after the configuration modules.
pub const MODULES: &[Module] = &[
    VERSIONS,
    CREDENTIALS,
    HUB_CLIENT_INFO,
    CDRS,
    CHARGING_PROFILES,
    COMMANDS,
    LOCATIONS,
    SESSIONS,
    TARIFFS,
    TOKENS,
];

/// The result of a command or a profile also comes here: the URLs the hub writes into `response_url` are
/// `{base}/callbacks/{answer_id}` for both modules (design.md 3.3).
pub const CALLBACKS: &str = "/callbacks/{answer_id}";

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

const fn later_in_body(method: &'static str, path: &'static str) -> Route {
    Route {
        method,
        path,
        answer: Answer::LaterInBody,
    }
}

const fn later_in_query(method: &'static str, path: &'static str) -> Route {
    Route {
        method,
        path,
        answer: Answer::LaterInQuery,
    }
}

const fn result(method: &'static str, path: &'static str) -> Route {
    Route {
        method,
        path,
        answer: Answer::Result,
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

impl Interface {
    /// The route with this method and number of path segments after the interface's own, and, where two have as many, this word.
    #[must_use]
    pub fn route(&self, method: &str, segments: &[&str]) -> Option<&'static Route> {
        self.routes
            .iter()
            .find(|route| route.method == method && route.matches(segments))
    }
}

impl Route {
    /// The parts of the path, without the slashes: `{location_id}`, `charging_preferences`.
    pub fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').skip(1)
    }

    /// Whether the URL names the owner of the object (T-30).
    #[must_use]
    pub fn names_owner(&self) -> bool {
        self.path.starts_with("/{country_code}/{party_id}")
    }

    /// Whether no path could fit one of the two and not the other.
    #[must_use]
    pub fn has_the_shape_of(&self, other: &Route) -> bool {
        let shape = |route: &Route| {
            route
                .parts()
                .map(|part| if part.starts_with('{') { "{}" } else { part })
                .collect::<Vec<_>>()
        };
        shape(self) == shape(other)
    }

    /// Whether these segments fit: as many, and the fixed words where they belong.
    #[must_use]
    pub fn matches(&self, segments: &[&str]) -> bool {
        self.parts().count() == segments.len()
            && self
                .parts()
                .zip(segments)
                .all(|(part, segment)| part.starts_with('{') || part == *segment)
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
    //
    #[test]
    fn our_version_details_list_what_is_served_and_nothing_else() {
        let listed: Vec<_> = endpoints("https://hub.example/", Version::V2_2_1)
            .into_iter()
            .map(|endpoint| format!("{} {} {}", endpoint.identifier, endpoint.role.unwrap(), endpoint.url))
            .collect();
        let base = "https://hub.example/ocpi/2.2.1";
        assert_eq!(listed[0], format!("credentials SENDER {base}/credentials"));
        assert_eq!(listed[1], format!("hubclientinfo SENDER {base}/hubclientinfo"));
        let functional = [
            "cdrs",
            "chargingprofiles",
            "commands",
            "locations",
            "sessions",
            "tariffs",
            "tokens",
        ];
        let both = functional.iter().flat_map(|module| {
            [
                format!("{module} SENDER {base}/sender/{module}"),
                format!("{module} RECEIVER {base}/receiver/{module}"),
            ]
        });
        assert_eq!(listed[2..], both.collect::<Vec<_>>());
    }

    //
    #[test]
    fn seven_modules_are_routed_and_the_others_are_between_platforms() {
        let of = |kind| {
            let modules = MODULES.iter().filter(move |module| module.kind == kind);
            modules.map(|module| module.identifier).collect::<Vec<_>>()
        };
        let functional = [
            "cdrs",
            "chargingprofiles",
            "commands",
            "locations",
            "sessions",
            "tariffs",
            "tokens",
        ];
        assert_eq!(of(Kind::Functional), functional);
        assert_eq!(of(Kind::Configuration), ["credentials", "hubclientinfo"]);
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
        assert_eq!(module("bookings"), None);
    }

    // CR-24, CDR-04, LOC-06, SES-06, TAR-02, HCI-18
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
        assert_eq!(methods(&HUB_CLIENT_INFO), ["GET"]);
        assert_eq!(methods(&CDRS), ["GET", "POST"]);
        for (module, never) in [
            (&LOCATIONS, ["POST", "DELETE"]),
            (&SESSIONS, ["POST", "DELETE"]),
            (&TARIFFS, ["POST", "PATCH"]),
            (&CHARGING_PROFILES, ["PATCH", "HEAD"]),
        ] {
            assert!(
                methods(module).iter().all(|method| !never.contains(method)),
                "{}",
                module.identifier
            );
        }
    }

    #[test]
    fn a_route_is_found_by_its_method_and_its_segments() {
        let sender = SESSIONS.interface(Sender).unwrap();
        assert_eq!(
            sender.route("PUT", &["S1", "charging_preferences"]).unwrap().path,
            "/{session_id}/charging_preferences"
        );
        assert!(sender.route("PUT", &["S1", "other"]).is_none());
        assert!(sender.route("GET", &["S1"]).is_none());
        assert_eq!(sender.route("GET", &[]).unwrap().answer, Answer::Page);
        let receiver = LOCATIONS.interface(Receiver).unwrap();
        assert!(
            receiver
                .route("PUT", &["DE", "ABC", "L1", "E1", "1"])
                .unwrap()
                .names_owner()
        );
    }
}
