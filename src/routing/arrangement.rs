//! The four arrangements of a routed request: direct, broadcast, open routing, GET all, and reading the hub's own copy (checklist 1.7).
//!
//! ```text
//!  to = a party ─────────────► Direct
//!  to = the hub, or nobody ──► list GET ──────────────────────────► GetAll       (R-34, R-79)
//!                              push of what is meant for everybody ─► Broadcast    (R-50, R-74)
//!                              to = the hub, GET of such an object ─► Own          (R-58, R-80)
//!                              everything else ────────────────────► Open         (R-59, R-70, D-20)
//! ```
//!
//! The order of the checks is the order in which a peer can repair things: who speaks, whose object, for whom, and only then
//! whether that one may be called.

use std::sync::Arc;

use super::directory::{Directory, PartyRole, Platform, PlatformStatus};
use super::scenario::not_yours;
use super::sides::are_opposite;
use crate::ocpi::headers::Routing;
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::{Answer, Interface, Module, Route};
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::{InterfaceRole, Role};

/// A request to a functional module, as far as routing looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The module called.
    pub module: &'a Module,
    /// The side of it.
    pub interface: &'a Interface,
    /// The line of the table.
    pub route: &'a Route,
    /// Who is addressed and who speaks.
    pub routing: &'a Routing,
    /// The owner in the URL, where there is one.
    pub owner: Option<&'a PartyId>,
}

/// What happens with a request.
#[derive(Clone, Debug)]
pub enum Arrangement {
    /// It goes to one party, named in the headers.
    Direct(Way),
    /// It goes to everybody on the other side.
    Broadcast(Speaker),
    /// Its content says to whom it goes.
    Open(Speaker),
    /// The hub answers with the objects of all owners.
    GetAll(Vec<Speaker>),
    /// The hub answers from its own copy.
    Own(Speaker),
}

/// Who speaks, in the registered spelling, and in which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The party.
    pub party: PartyId,
    /// The role that calls the interface.
    pub role: Role,
}

/// One party and where it lives: CONNECTED, and offering the interface.
#[derive(Clone, Debug)]
pub struct Way {
    /// Who speaks.
    pub from: PartyId,
    /// Who is addressed, in the registered spelling (D-04).
    pub to: PartyId,
    /// Its platform.
    pub platform: Arc<Platform>,
}

/// Decides what happens with a request of `caller`, or which clause says no.
///
/// # Errors
/// 403 when `from` is not the caller's (R-06); 2001 when it cannot be inferred (R-07) or may not push to everybody; 404 when the
/// URL names another owner (R-12); 4001, 4003 and 4000 as [`way`] says.
pub fn arrange(directory: &Directory, caller: &Platform, asked: Asked<'_>) -> Result<Arrangement, Refusal> {
    let to = asked.routing.to.as_ref().filter(|to| **to != directory.hub);
    if to.is_none() && asked.route.answer == Answer::Page {
        return readers(caller, asked).map(Arrangement::GetAll);
    }
    let is_read = asked.route.method == "GET";
    let at_receiver = asked.interface.role == InterfaceRole::Receiver;
    let is_for_everybody = to.is_none() && asked.module.broadcast && at_receiver && !is_read;
    let from = speaker(caller, asked, is_for_everybody)?;
    if let Some(to) = to {
        return way(directory, caller, &from, to, asked).map(Arrangement::Direct);
    }
    let names_hub = asked.routing.to.is_some();
    if is_for_everybody {
        return Ok(Arrangement::Broadcast(from));
    }
    // What was pushed for everybody has no single receiver to ask: the hub's copy is what it can show (D-18).
    if asked.module.broadcast && is_read && (at_receiver || names_hub) {
        return Ok(Arrangement::Own(from));
    }
    Ok(Arrangement::Open(from))
}

/// The way from one party to another, at the interface called.
///
/// # Errors
/// 4001 when nobody here answers to that name, or nobody that `from` may talk to (R-40, R-48); 4003 when its platform is not
/// CONNECTED (R-42, R-43); 4000 when it does not offer the interface (R-44), or when a hub would get its own message back (N-06).
pub fn way(
    directory: &Directory,
    caller: &Platform,
    from: &Speaker,
    to: &PartyId,
    asked: Asked<'_>,
) -> Result<Way, Refusal> {
    let unknown = || Refusal::unknown_receiver(format!("no party {to} is known here"));
    let (platform, entry) = host(directory, to, asked.interface).ok_or_else(unknown)?;
    if !is_acquainted(directory, from, to, asked) {
        return Err(unknown());
    }
    if platform.status != PlatformStatus::Connected || !platform.is_live(&entry) {
        return Err(Refusal::not_connected(format!(
            "{} is {}",
            entry.party,
            entry.status.as_str()
        )));
    }
    if caller.is_hub_peer() && caller.id == platform.id {
        return Err(Refusal::hub_error(format!(
            "{} is reached through the hub this request came from",
            entry.party
        )));
    }
    if platform
        .endpoint(asked.module.identifier, asked.interface.role)
        .is_none()
    {
        return Err(Refusal::hub_error(format!(
            "{} has no {} interface of {}",
            entry.party, asked.interface.role, asked.module.identifier
        )));
    }
    Ok(Way {
        from: from.party.clone(),
        to: entry.party,
        platform,
    })
}

/// Whether a party can be asked at this interface at all: it lives here, CONNECTED or OFFLINE, and `from` may talk to it.
#[must_use]
pub fn is_within_reach(directory: &Directory, from: &Speaker, to: &PartyId, asked: Asked<'_>) -> bool {
    let lives = host(directory, to, asked.interface).is_some_and(|(platform, entry)| platform.is_live(&entry));
    lives && is_acquainted(directory, from, to, asked)
}

/// Whether `from` may know of a party at all, be it PLANNED or SUSPENDED: on opposite sides, and by agreement (R-48, D-17). Only then
/// it hears 4003 of it and not 4001 (R-42).
#[must_use]
pub fn is_acquainted(directory: &Directory, from: &Speaker, to: &PartyId, asked: Asked<'_>) -> bool {
    let is_opposite = directory.roles_of(to).iter().any(|role| are_opposite(from.role, *role));
    is_opposite && directory.agreements.allow(&from.party, to, asked.module.identifier)
}

/// Where a party lives: first in a role that offers the interface, then in any.
fn host(directory: &Directory, party: &PartyId, interface: &Interface) -> Option<(Arc<Platform>, PartyRole)> {
    let roles = directory.roles_of(party);
    let offering = roles.iter().filter(|role| interface.offered_by.contains(role));
    let found = offering.chain(roles).filter_map(|role| directory.host(party, *role));
    let mut first = None;
    for host in found {
        if host.0.is_live(&host.1) {
            return Some(host);
        }
        first = first.or(Some(host));
    }
    first
}

/// The party a caller speaks for, given or inferred, in a role that calls the interface, and of its own objects (R-06, R-07, R-12).
///
/// # Errors
/// 403 when `from` is not the caller's; 2001 when it cannot be inferred, or has no role that calls the interface; 404 for another's object.
pub fn speaker(caller: &Platform, asked: Asked<'_>, is_for_everybody: bool) -> Result<Speaker, Refusal> {
    let Some(from) = &asked.routing.from else {
        let mut candidates = distinct(fitting(caller, asked));
        return match (candidates.pop(), candidates.pop()) {
            (Some(only), None) => check_owner(caller, &only.party, asked.owner).map(|()| only),
            (None, _) => Err(Refusal::invalid_parameter(
                "OCPI-from-country-code and OCPI-from-party-id are needed: no party of this platform fits the interface",
            )),
            (Some(_), Some(_)) => Err(Refusal::invalid_parameter(
                "OCPI-from-country-code and OCPI-from-party-id are needed: this platform hosts several parties that fit the interface",
            )),
        };
    };
    if !caller.carries(from) {
        return Err(not_yours(from));
    }
    check_owner(caller, from, asked.owner)?;
    let named = fitting(caller, asked).find(|one| one.party == *from);
    let carried = || carried_owner(caller, from, asked).filter(|_| is_for_everybody);
    named.or_else(carried).ok_or_else(|| {
        Refusal::invalid_parameter(format!(
            "OCPI-from names {from}, which has no role that calls the {} interface of {}",
            asked.interface.role, asked.module.identifier
        ))
    })
}

/// The owner in the URL, where a peer hub spreads its object in the hub's own name (R-28): who may have it follows from whose it is
/// (R-54, D-17).
fn carried_owner(caller: &Platform, from: &PartyId, asked: Asked<'_>) -> Option<Speaker> {
    let is_hubs_own = caller.live().any(|one| one.party == *from && one.role == Role::Hub);
    let owner = asked.owner.filter(|_| is_hubs_own)?;
    fitting(caller, asked).find(|one| one.party == *owner)
}

/// Everybody the caller reads for: `from` when it is given, otherwise every party of the platform that fits. Nobody where `from` is
/// the caller's and does not fit: then there is nothing to show.
fn readers(caller: &Platform, asked: Asked<'_>) -> Result<Vec<Speaker>, Refusal> {
    match &asked.routing.from {
        Some(from) if !caller.carries(from) => Err(not_yours(from)),
        Some(from) => Ok(fitting(caller, asked).filter(|one| one.party == *from).collect()),
        None => Ok(fitting(caller, asked).collect()),
    }
}

/// The caller's registered parties in a role that calls this interface.
fn fitting<'a>(caller: &'a Platform, asked: Asked<'a>) -> impl Iterator<Item = Speaker> + 'a {
    caller
        .live()
        .filter(move |one| fits(one.role, asked))
        .map(|one| Speaker {
            party: one.party.clone(),
            role: one.role,
        })
}

fn distinct(all: impl Iterator<Item = Speaker>) -> Vec<Speaker> {
    let mut found: Vec<Speaker> = Vec::new();
    for one in all {
        if !found.iter().any(|known| known.party == one.party) {
            found.push(one);
        }
    }
    found
}

/// Whether a role calls this interface: those that offer the other side of the module do.
fn fits(role: Role, asked: Asked<'_>) -> bool {
    let other = match asked.interface.role {
        InterfaceRole::Sender => InterfaceRole::Receiver,
        InterfaceRole::Receiver => InterfaceRole::Sender,
    };
    asked
        .module
        .interface(other)
        .is_some_and(|interface| interface.offered_by.contains(&role))
}

/// The URL's owner is the party that speaks; a peer hub may carry objects of parties it announced (R-12, D-13).
fn check_owner(caller: &Platform, from: &PartyId, owner: Option<&PartyId>) -> Result<(), Refusal> {
    let Some(owner) = owner else { return Ok(()) };
    if owner == from || (caller.is_hub_peer() && caller.carries(owner)) {
        return Ok(());
    }
    Err(Refusal::not_found(format!(
        "the URL names {owner} as owner, but {from} asks"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ocpi::headers::TokenForm;
    use crate::ocpi::ids::PlatformId;
    use crate::ocpi::modules::{Kind, MODULES};
    use crate::ocpi::refusal::Situation;
    use crate::ocpi::versions::{Endpoint, Version};
    use crate::routing::agreements::{Agreements, Rule};
    use crate::routing::directory::PlatformOptions;

    use PlatformStatus::{Connected, Offline, Planned, Suspended};

    fn party(text: &str) -> PartyId {
        PartyId::from_slash(text).unwrap()
    }

    /// Every functional interface that one of its roles offers.
    fn endpoints(parties: &[(&str, Role, PlatformStatus)]) -> Vec<Endpoint> {
        let functional = MODULES.iter().filter(|module| module.kind == Kind::Functional);
        let interfaces = functional.flat_map(|module| module.interfaces.iter().map(move |one| (module, one)));
        let offers = |interface: &Interface| {
            let mut roles = parties.iter().map(|(_, role, _)| *role);
            roles.any(|role| role == Role::Hub || interface.offered_by.contains(&role))
        };
        interfaces
            .filter(|(_, interface)| offers(interface))
            .map(|(module, interface)| Endpoint {
                identifier: module.identifier.to_owned(),
                role: Some(interface.role),
                url: "https://peer.example/x".to_owned(),
            })
            .collect()
    }

    fn platform(id: &str, status: PlatformStatus, parties: &[(&str, Role, PlatformStatus)]) -> Platform {
        Platform {
            id: PlatformId::from(id),
            name: id.to_owned(),
            status,
            version: Some(Version::V2_2_1),
            versions_url: None,
            endpoints: endpoints(parties),
            parties: parties
                .iter()
                .map(|(text, role, own)| PartyRole {
                    party: party(text),
                    role: *role,
                    name: String::new(),
                    status: own.lowered_to(status),
                })
                .collect(),
            options: PlatformOptions::default(),
            token_out: None,
            token_form: TokenForm::Base64,
        }
    }

    fn world() -> Directory {
        let denied = Rule {
            parties: [Some(party("DE/ABC")), Some(party("DE/NOT"))],
            modules: vec!["locations".to_owned(), "sessions".to_owned()],
            allow: false,
        };
        let platforms = [
            platform("cpo", Connected, &[("DE/AbC", Role::Cpo, Connected)]),
            platform(
                "two",
                Connected,
                &[
                    ("NL/CPA", Role::Cpo, Connected),
                    ("NL/CPB", Role::Cpo, Connected),
                    ("NL/CPB", Role::Emsp, Connected),
                    ("NL/OLD", Role::Cpo, Suspended),
                ],
            ),
            platform(
                "msp",
                Connected,
                &[
                    ("DE/MsA", Role::Emsp, Connected),
                    ("DE/NOT", Role::Emsp, Connected),
                    ("DE/NEW", Role::Emsp, Planned),
                ],
            ),
            platform("scsp", Connected, &[("BE/SCS", Role::Scsp, Connected)]),
            platform("nsp", Connected, &[("FR/NSP", Role::Nsp, Connected)]),
            platform("nap", Connected, &[("FR/NAP", Role::Nap, Connected)]),
            platform("other", Connected, &[("FR/OTH", Role::Other, Connected)]),
            platform("away", Offline, &[("FR/OFF", Role::Emsp, Connected)]),
            platform("planned", Planned, &[("FR/PLA", Role::Emsp, Planned)]),
            platform("stopped", Suspended, &[("FR/SUS", Role::Emsp, Connected)]),
            platform(
                "hub",
                Connected,
                &[
                    ("SE/HUB", Role::Hub, Connected),
                    ("SE/FAR", Role::Cpo, Planned),
                    ("SE/MSP", Role::Emsp, Planned),
                    ("SE/GON", Role::Cpo, Suspended),
                ],
            ),
        ];
        Directory::new(party("DE/TWH"), platforms).under(Agreements {
            allow_by_default: true,
            rules: vec![denied],
        })
    }

    /// A request in short: caller, from, to, `METHOD module ROLE path`, the owner in the URL.
    #[derive(Clone, Copy)]
    struct Case {
        caller: &'static str,
        from: Option<&'static str>,
        to: Option<&'static str>,
        line: &'static str,
        owner: Option<&'static str>,
    }

    const PUSH: Case = Case {
        caller: "cpo",
        from: Some("DE/ABC"),
        to: Some("DE/MSA"),
        line: "PUT locations RECEIVER /{country_code}/{party_id}/{location_id}",
        owner: Some("DE/ABC"),
    };

    const PATCH_SESSION: &str = "PATCH sessions RECEIVER /{country_code}/{party_id}/{session_id}";

    fn ask(case: &Case) -> Result<String, (Situation, String)> {
        let directory = world();
        let caller = directory.platform(&PlatformId::from(case.caller)).unwrap();
        let mut words = case.line.split(' ');
        let (method, module) = (words.next().unwrap(), words.next().unwrap());
        let module = crate::ocpi::modules::module(module).unwrap();
        let interface = module
            .interface(InterfaceRole::parse(words.next().unwrap()).unwrap())
            .unwrap();
        let path = words.next().unwrap_or_default();
        let mut routes = interface.routes.iter();
        let route = routes
            .find(|route| route.method == method && route.path == path)
            .unwrap();
        let routing = Routing {
            to: case.to.map(party),
            from: case.from.map(party),
        };
        let owner = case.owner.map(party);
        let asked = Asked {
            module,
            interface,
            route,
            routing: &routing,
            owner: owner.as_ref(),
        };
        let told = |speaker: &Speaker| format!("{} {}", speaker.party, speaker.role);
        arrange(&directory, &caller, asked)
            .map(|arrangement| match arrangement {
                Arrangement::Direct(way) => format!("direct {} > {} at {}", way.from, way.to, way.platform.id),
                Arrangement::Broadcast(from) => format!("broadcast {}", told(&from)),
                Arrangement::Open(from) => format!("open {}", told(&from)),
                Arrangement::GetAll(readers) => {
                    let readers = readers.iter().map(told).collect::<Vec<_>>();
                    format!("all {}", readers.join(", "))
                }
                Arrangement::Own(from) => format!("own {}", told(&from)),
            })
            .map_err(|refusal| (refusal.situation, refusal.message))
    }

    fn done(case: &Case) -> String {
        ask(case).unwrap_or_else(|(situation, message)| format!("{situation:?}: {message}"))
    }

    fn refused(case: &Case) -> Situation {
        ask(case).unwrap_err().0
    }

    // R-04, R-09, R-10, R-22, D-04
    #[test]
    fn a_named_party_is_reached_in_the_spelling_it_registered() {
        for (from, to, owner) in [("DE/ABC", "DE/MSA", "DE/ABC"), ("de/abc", "de/msa", "De/aBc")] {
            let case = Case {
                from: Some(from),
                to: Some(to),
                owner: Some(owner),
                ..PUSH
            };
            assert_eq!(done(&case), "direct DE/AbC > DE/MsA at msp");
        }
    }

    // R-09: whoever is named is looked for at the interface that was called.
    #[test]
    fn a_party_with_two_roles_is_reached_at_the_interface_called() {
        let list = Case {
            caller: "msp",
            from: Some("DE/MSA"),
            to: Some("NL/CPB"),
            line: "GET locations SENDER",
            owner: None,
        };
        assert_eq!(done(&list), "direct DE/MsA > NL/CPB at two");
        let push = Case {
            to: Some("NL/CPB"),
            ..PUSH
        };
        assert_eq!(done(&push), "direct DE/AbC > NL/CPB at two");
    }

    // R-11
    #[test]
    fn a_neighbour_on_the_same_platform_is_a_party_like_any_other() {
        let case = Case {
            caller: "two",
            from: Some("NL/CPA"),
            to: Some("NL/CPB"),
            owner: Some("NL/CPA"),
            ..PUSH
        };
        assert_eq!(done(&case), "direct NL/CPA > NL/CPB at two");
    }

    // R-06, D-12, T-05
    #[test]
    fn from_must_be_a_party_of_the_caller() {
        for from in ["NL/CPA", "DE/MSA", "XX/YYY", "DE/TWH"] {
            for to in [Some("DE/MSA"), Some("DE/TWH"), None] {
                let case = Case {
                    from: Some(from),
                    to,
                    owner: Some(from),
                    ..PUSH
                };
                assert_eq!(refused(&case), Situation::Forbidden, "{from} {to:?}");
            }
            let list = Case {
                from: Some(from),
                to: None,
                line: "GET locations SENDER",
                owner: None,
                ..PUSH
            };
            assert_eq!(refused(&list), Situation::Forbidden);
        }
        let dropped = Case {
            caller: "two",
            from: Some("NL/OLD"),
            owner: Some("NL/OLD"),
            ..PUSH
        };
        assert_eq!(refused(&dropped), Situation::Forbidden, "a role the peer dropped");
    }

    // R-07
    #[test]
    fn a_missing_from_is_inferred_only_where_one_party_fits_the_interface() {
        assert_eq!(done(&Case { from: None, ..PUSH }), "direct DE/AbC > DE/MsA at msp");
        let several = Case {
            caller: "two",
            from: None,
            owner: Some("NL/CPA"),
            ..PUSH
        };
        assert_eq!(refused(&several), Situation::InvalidParameter);
        let one_emsp = Case {
            caller: "two",
            from: None,
            to: Some("DE/ABC"),
            line: "GET locations SENDER",
            owner: None,
        };
        assert_eq!(done(&one_emsp), "direct NL/CPB > DE/AbC at cpo");
        let none = Case {
            caller: "scsp",
            from: None,
            owner: Some("BE/SCS"),
            ..PUSH
        };
        assert_eq!(refused(&none), Situation::InvalidParameter);
    }

    // R-12, D-13, T-29
    #[test]
    fn the_owner_in_the_url_is_the_party_that_speaks() {
        for to in [Some("DE/MSA"), Some("DE/TWH"), None] {
            for owner in ["NL/CPA", "DE/ABD", "NL/ABC"] {
                let case = Case {
                    to,
                    owner: Some(owner),
                    ..PUSH
                };
                assert_eq!(refused(&case), Situation::NotFound, "{to:?} {owner}");
            }
        }
        let neighbour = Case {
            caller: "two",
            from: Some("NL/CPA"),
            owner: Some("NL/CPB"),
            ..PUSH
        };
        assert_eq!(
            refused(&neighbour),
            Situation::NotFound,
            "not even a neighbour on the platform"
        );
    }

    // R-40, R-48, D-17
    #[test]
    fn nobody_known_and_nobody_allowed_are_the_same() {
        let unknown = ask(&Case {
            to: Some("XX/YYY"),
            ..PUSH
        })
        .unwrap_err();
        let denied = ask(&Case {
            to: Some("DE/NOT"),
            ..PUSH
        })
        .unwrap_err();
        assert_eq!(unknown.0, Situation::UnknownReceiver);
        assert_eq!(unknown.1.replace("XX/YYY", "?"), denied.1.replace("DE/NOT", "?"));
        let line = "PUT tariffs RECEIVER /{country_code}/{party_id}/{tariff_id}";
        let allowed = Case {
            to: Some("DE/NOT"),
            line,
            ..PUSH
        };
        assert_eq!(done(&allowed), "direct DE/AbC > DE/NOT at msp");
    }

    // R-42, R-43, HCI-13
    #[test]
    fn whoever_is_not_connected_is_4003() {
        for to in ["FR/OFF", "FR/PLA", "FR/SUS", "DE/NEW"] {
            assert_eq!(refused(&Case { to: Some(to), ..PUSH }), Situation::NotConnected, "{to}");
        }
    }

    // R-44, R-48, D-17
    #[test]
    fn whoever_lacks_the_interface_is_4000_and_ones_own_side_is_unknown() {
        for (to, why) in [("BE/SCS", Situation::HubError), ("NL/CPA", Situation::UnknownReceiver)] {
            let case = Case {
                caller: "cpo",
                to: Some(to),
                ..PUSH
            };
            assert_eq!(refused(&case), why, "{to}");
        }
    }

    // R-50, R-74, R-26, D-18, TAR-13
    #[test]
    fn a_push_of_what_is_for_everybody_goes_to_everybody_without_an_addressee_and_to_the_hub() {
        for to in [Some("DE/TWH"), Some("de/twh"), None] {
            for (line, speaker) in [
                (
                    "PUT locations RECEIVER /{country_code}/{party_id}/{location_id}",
                    "DE/AbC CPO",
                ),
                (
                    "PATCH locations RECEIVER /{country_code}/{party_id}/{location_id}/{evse_uid}",
                    "DE/AbC CPO",
                ),
                (
                    "PUT tariffs RECEIVER /{country_code}/{party_id}/{tariff_id}",
                    "DE/AbC CPO",
                ),
                (
                    "DELETE tariffs RECEIVER /{country_code}/{party_id}/{tariff_id}",
                    "DE/AbC CPO",
                ),
            ] {
                assert_eq!(
                    done(&Case { to, line, ..PUSH }),
                    format!("broadcast {speaker}"),
                    "{line} {to:?}"
                );
            }
            let line = "PUT tokens RECEIVER /{country_code}/{party_id}/{token_uid}";
            for (caller, from, role) in [
                ("msp", "DE/MsA", "EMSP"),
                ("nsp", "FR/NSP", "NSP"),
                ("other", "FR/OTH", "OTHER"),
            ] {
                let case = Case {
                    caller,
                    from: Some(from),
                    to,
                    line,
                    owner: Some(from),
                };
                assert_eq!(done(&case), format!("broadcast {from} {role}"));
            }
            let wrong_side = Case {
                caller: "msp",
                from: Some("DE/MSA"),
                owner: Some("DE/MSA"),
                to,
                ..PUSH
            };
            assert_eq!(
                refused(&wrong_side),
                Situation::InvalidParameter,
                "an eMSP has no locations"
            );
        }
    }

    // R-59, R-60, R-70, D-20, SES-18, CMD-19, CP-16
    #[test]
    fn what_has_one_addressee_is_never_fanned_out_but_decided_by_its_content() {
        for to in [Some("DE/TWH"), None] {
            for (caller, from, line, owned) in [
                (
                    "cpo",
                    "DE/AbC CPO",
                    "PUT sessions RECEIVER /{country_code}/{party_id}/{session_id}",
                    true,
                ),
                ("cpo", "DE/AbC CPO", PATCH_SESSION, true),
                (
                    "cpo",
                    "DE/AbC CPO",
                    "GET sessions RECEIVER /{country_code}/{party_id}/{session_id}",
                    true,
                ),
                (
                    "msp",
                    "DE/MsA EMSP",
                    "PUT sessions SENDER /{session_id}/charging_preferences",
                    false,
                ),
                ("cpo", "DE/AbC CPO", "POST tokens SENDER /{token_uid}/authorize", false),
                ("msp", "DE/MsA EMSP", "POST commands RECEIVER /{command}", false),
                (
                    "msp",
                    "DE/MsA EMSP",
                    "GET chargingprofiles RECEIVER /{session_id}",
                    false,
                ),
                (
                    "scsp",
                    "BE/SCS SCSP",
                    "PUT chargingprofiles RECEIVER /{session_id}",
                    false,
                ),
                (
                    "scsp",
                    "BE/SCS SCSP",
                    "DELETE chargingprofiles RECEIVER /{session_id}",
                    false,
                ),
                ("cpo", "DE/AbC CPO", "PUT chargingprofiles SENDER /{session_id}", false),
            ] {
                let name = from.split(' ').next();
                let case = Case {
                    caller,
                    from: name,
                    to,
                    line,
                    owner: name.filter(|_| owned),
                };
                assert_eq!(done(&case), format!("open {from}"), "{line} {to:?}");
            }
        }
    }

    // R-58, R-80, D-18
    #[test]
    fn a_get_is_never_broadcast() {
        let receiver = "GET locations RECEIVER /{country_code}/{party_id}/{location_id}";
        for to in [Some("DE/TWH"), None] {
            assert_eq!(
                done(&Case {
                    to,
                    line: receiver,
                    ..PUSH
                }),
                "own DE/AbC CPO"
            );
        }
        let one = "GET locations SENDER /{location_id}";
        let reader = Case {
            caller: "msp",
            from: Some("DE/MSA"),
            to: Some("DE/TWH"),
            line: one,
            owner: None,
        };
        assert_eq!(done(&reader), "own DE/MsA EMSP", "R-80");
        assert_eq!(done(&Case { to: None, ..reader }), "open DE/MsA EMSP", "R-70");
        assert_eq!(
            done(&Case {
                to: Some("DE/ABC"),
                ..reader
            }),
            "direct DE/MsA > DE/AbC at cpo"
        );
    }

    // R-34, R-75, R-79
    #[test]
    fn a_list_of_nobody_in_particular_is_read_for_every_party_that_may_read_it() {
        for to in [Some("DE/TWH"), None] {
            for (line, caller, readers) in [
                ("GET locations SENDER", "msp", "DE/MsA EMSP, DE/NOT EMSP"),
                ("GET tariffs SENDER", "nap", "FR/NAP NAP"),
                ("GET sessions SENDER", "scsp", "BE/SCS SCSP"),
                ("GET tokens SENDER", "two", "NL/CPA CPO, NL/CPB CPO"),
                ("GET locations SENDER", "cpo", ""),
            ] {
                let case = Case {
                    caller,
                    from: None,
                    to,
                    line,
                    owner: None,
                };
                assert_eq!(done(&case), format!("all {readers}"), "{line}");
            }
            let one = Case {
                caller: "msp",
                from: Some("de/not"),
                to,
                line: "GET locations SENDER",
                owner: None,
            };
            assert_eq!(done(&one), "all DE/NOT EMSP");
            let nobody = Case {
                caller: "two",
                from: Some("NL/CPA"),
                to,
                line: "GET locations SENDER",
                owner: None,
            };
            assert_eq!(done(&nobody), "all ", "a CPO reads no locations");
        }
    }

    // R-28, R-54, D-17, D-26
    #[test]
    fn what_a_peer_hub_spreads_in_its_own_name_is_its_owners_push_to_everybody() {
        let spread = Case {
            caller: "hub",
            from: Some("SE/HUB"),
            to: Some("DE/TWH"),
            owner: Some("SE/FAR"),
            ..PUSH
        };
        assert_eq!(done(&spread), "broadcast SE/FAR CPO");
        assert_eq!(done(&Case { to: None, ..spread }), "broadcast SE/FAR CPO");
        for (owner, situation) in [
            ("SE/MSP", Situation::InvalidParameter),
            ("SE/HUB", Situation::InvalidParameter),
            ("SE/GON", Situation::NotFound),
            ("DE/ABC", Situation::NotFound),
        ] {
            let case = Case {
                owner: Some(owner),
                ..spread
            };
            assert_eq!(refused(&case), situation, "{owner}");
        }
    }

    // R-06, R-36, D-13, D-26, N-06
    #[test]
    fn a_peer_hub_carries_the_parties_it_announced_and_gets_nothing_back() {
        let from_far = Case {
            caller: "hub",
            from: Some("SE/FAR"),
            owner: Some("SE/FAR"),
            ..PUSH
        };
        assert_eq!(done(&from_far), "direct SE/FAR > DE/MsA at msp");
        assert_eq!(
            done(&Case {
                to: Some("SE/MSP"),
                ..PUSH
            }),
            "direct DE/AbC > SE/MSP at hub"
        );
        assert_eq!(
            refused(&Case {
                to: Some("SE/MSP"),
                ..from_far
            }),
            Situation::HubError
        );
        for from in ["SE/GON", "DE/ABC"] {
            let case = Case {
                from: Some(from),
                owner: Some(from),
                ..from_far
            };
            assert_eq!(refused(&case), Situation::Forbidden, "{from}");
        }
        assert_eq!(
            refused(&Case {
                owner: Some("DE/ABC"),
                ..from_far
            }),
            Situation::NotFound
        );
        assert_eq!(
            refused(&Case {
                to: Some("SE/GON"),
                ..PUSH
            }),
            Situation::UnknownReceiver
        );
    }

    #[test]
    fn every_line_of_the_table_is_arranged_in_some_way_for_every_addressee() {
        for module in MODULES.iter().filter(|module| module.kind == Kind::Functional) {
            for interface in module.interfaces {
                for route in interface.routes.iter().filter(|route| route.answer != Answer::Result) {
                    for caller in ["cpo", "two", "msp", "scsp", "nsp", "nap", "other", "hub"] {
                        for to in [None, Some("DE/TWH"), Some("DE/MSA"), Some("DE/ABC"), Some("BE/SCS")] {
                            let directory = world();
                            let caller = directory.platform(&PlatformId::from(caller)).unwrap();
                            let routing = Routing {
                                to: to.map(party),
                                from: None,
                            };
                            let asked = Asked {
                                module,
                                interface,
                                route,
                                routing: &routing,
                                owner: None,
                            };
                            if let Ok(Arrangement::Broadcast(_)) = arrange(&directory, &caller, asked) {
                                assert!(
                                    module.broadcast && route.method != "GET" && to.is_none_or(|to| to == "DE/TWH")
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
