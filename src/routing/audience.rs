//! Who hears what is pushed to everybody, and whose objects somebody may see: the two sides of one rule (R-51 …, D-17).

use std::sync::Arc;

use super::directory::{Directory, PartyRole, Platform, PlatformStatus};
use super::sides::{are_opposite, receivers};
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::modules::Module;
use crate::ocpi::role::{InterfaceRole, Role};

/// A party that gets a copy of its own.
#[derive(Clone, Debug)]
pub struct Hearer {
    /// Where it lives.
    pub platform: Arc<Platform>,
    /// The party, as registered.
    pub party: PartyId,
}

/// Everybody who gets a copy of what `sender` in `role` on the platform `from` pushes to all.
///
/// Connected parties on the other side, by agreement, whose platform lists the module's RECEIVER interface, each
/// once however many roles it has; nobody of the sender's own platform. A peer hub gets one copy, as itself, and spreads it
/// among its own; what came from a peer hub goes to no peer hub again (D-26).
#[must_use]
pub fn hearers(directory: &Directory, module: &Module, from: &PlatformId, sender: &PartyId, role: Role) -> Vec<Hearer> {
    in_state(PlatformStatus::Connected, directory, module, from, sender, role)
}

/// The platforms that would hear it, are away, and want to catch up when they are back (`catch_up`), each once.
#[must_use]
pub fn absent(
    directory: &Directory,
    module: &Module,
    from: &PlatformId,
    sender: &PartyId,
    role: Role,
) -> Vec<PlatformId> {
    let away = in_state(PlatformStatus::Offline, directory, module, from, sender, role);
    let wanting = away.iter().filter(|hearer| hearer.platform.options.catch_up);
    let mut found: Vec<PlatformId> = wanting.map(|hearer| hearer.platform.id.clone()).collect();
    found.dedup();
    found
}

fn in_state(
    status: PlatformStatus,
    directory: &Directory,
    module: &Module,
    from: &PlatformId,
    sender: &PartyId,
    role: Role,
) -> Vec<Hearer> {
    let from_hub = directory.platform(from).is_some_and(|platform| platform.is_hub_peer());
    let mut found = Vec::new();
    for platform in directory.platforms() {
        let hears = platform.id != *from
            && platform.status == status
            && platform.endpoint(module.identifier, InterfaceRole::Receiver).is_some();
        if !hears || (from_hub && platform.is_hub_peer()) {
            continue;
        }
        let roles: Vec<Role> = if platform.is_hub_peer() {
            vec![Role::Hub]
        } else {
            receivers(module, role).collect()
        };
        let mut here: Vec<PartyId> = Vec::new();
        for one in &platform.parties {
            let concerned = one.status == status
                && roles.contains(&one.role)
                && directory.agreements.allow(sender, &one.party, module.identifier);
            if concerned && !here.contains(&one.party) {
                here.push(one.party.clone());
            }
        }
        found.extend(here.into_iter().map(|party| Hearer {
            platform: platform.clone(),
            party,
        }));
    }
    found
}

/// The owners whose objects of a module these readers may see, each once: opposite by role, allowed by agreement, and live.
///
/// Somebody who is PLANNED or SUSPENDED has nothing on offer, whatever the hub still keeps.
#[must_use]
pub fn visible_owners(directory: &Directory, module: &Module, readers: &[(PartyId, Role)]) -> Vec<PartyId> {
    let owning = module
        .interface(InterfaceRole::Sender)
        .map_or(&[] as &[Role], |interface| interface.offered_by);
    let may_see = |owner: &PartyId, role: Role| {
        readers.iter().any(|(reader, reading)| {
            are_opposite(*reading, role) && directory.agreements.allow(reader, owner, module.identifier)
        })
    };
    let mut found: Vec<PartyId> = Vec::new();
    for platform in directory.platforms() {
        for one in platform.live() {
            if owning.contains(&one.role) && may_see(&one.party, one.role) {
                found.push(one.party.clone());
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The owners on a platform whose objects of a module it offers, each once: where the hub fetches them (N-02).
#[must_use]
pub fn owners_on(platform: &Platform, module: &Module) -> Vec<PartyId> {
    let Some(interface) = module.interface(InterfaceRole::Sender) else {
        return Vec::new();
    };
    if platform.endpoint(module.identifier, InterfaceRole::Sender).is_none() {
        return Vec::new();
    }
    let owning = |one: &&PartyRole| interface.offered_by.contains(&one.role);
    let mut found: Vec<PartyId> = platform.live().filter(owning).map(|one| one.party.clone()).collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ocpi::headers::TokenForm;
    use crate::ocpi::modules::{LOCATIONS, TOKENS};
    use crate::ocpi::versions::{Endpoint, Version};
    use crate::routing::agreements::{Agreements, Rule};
    use crate::routing::directory::PlatformOptions;
    use PlatformStatus::{Connected, Offline, Planned, Suspended};

    fn party(text: &str) -> PartyId {
        PartyId::from_slash(text).unwrap()
    }

    /// A platform that lists the RECEIVER interface of these modules.
    fn platform(id: &str, status: PlatformStatus, modules: &[&str], parties: &[(&str, Role)]) -> Platform {
        let endpoints = modules.iter().map(|module| Endpoint {
            identifier: (*module).to_owned(),
            role: Some(InterfaceRole::Receiver),
            url: format!("https://{id}.example/{module}"),
        });
        Platform {
            id: PlatformId::from(id),
            name: id.to_owned(),
            status,
            version: Some(Version::V2_2_1),
            versions_url: None,
            endpoints: endpoints.collect(),
            parties: parties
                .iter()
                .map(|(text, role)| PartyRole {
                    party: party(text),
                    role: *role,
                    name: String::new(),
                    status: Connected.lowered_to(status),
                })
                .collect(),
            options: PlatformOptions::default(),
            token_out: None,
            token_form: TokenForm::Base64,
        }
    }

    fn world() -> Directory {
        let both = ["locations", "tokens"];
        let mut planned = platform("planned", Connected, &both, &[("FR/PLA", Role::Emsp)]);
        planned.parties[0].status = Planned;
        Directory::new(
            party("DE/TWH"),
            [
                platform(
                    "own",
                    Connected,
                    &both,
                    &[("DE/CPO", Role::Cpo), ("DE/OWN", Role::Emsp)],
                ),
                platform("two", Connected, &both, &[("NL/CPA", Role::Cpo), ("NL/CPB", Role::Cpo)]),
                platform(
                    "side",
                    Connected,
                    &both,
                    &[("DE/MSA", Role::Emsp), ("DE/MSA", Role::Nsp), ("DE/MSB", Role::Emsp)],
                ),
                platform("deaf", Connected, &["tokens"], &[("DE/DEF", Role::Emsp)]),
                platform("nsp", Connected, &both, &[("DE/NAV", Role::Nsp)]),
                platform("scsp", Connected, &both, &[("BE/SCS", Role::Scsp)]),
                platform("away", Offline, &both, &[("FR/OFF", Role::Emsp)]),
                platform("stopped", Suspended, &both, &[("FR/SUS", Role::Emsp)]),
                planned,
                platform(
                    "hub",
                    Connected,
                    &both,
                    &[("SE/HUB", Role::Hub), ("SE/FAR", Role::Emsp)],
                ),
                platform(
                    "hub2",
                    Connected,
                    &both,
                    &[("NO/HUB", Role::Hub), ("NO/CPO", Role::Cpo)],
                ),
            ],
        )
    }

    fn heard(directory: &Directory, module: &Module, from: &str, sender: &str, role: Role) -> Vec<String> {
        let all = hearers(directory, module, &PlatformId::from(from), &party(sender), role);
        let mut all: Vec<String> = all.iter().map(|one| one.party.to_string()).collect();
        all.sort();
        all
    }

    // D-18
    #[test]
    fn every_connected_party_of_the_other_side_hears_it_once_and_nobody_of_the_own_platform() {
        let world = world();
        assert_eq!(
            heard(&world, &LOCATIONS, "own", "DE/CPO", Role::Cpo),
            ["DE/MSA", "DE/MSB", "DE/NAV", "NO/HUB", "SE/HUB"]
        );
        assert_eq!(
            heard(&world, &TOKENS, "side", "DE/MSA", Role::Emsp),
            ["DE/CPO", "NL/CPA", "NL/CPB", "NO/HUB", "SE/HUB"]
        );
    }

    // D-26
    #[test]
    fn what_came_from_a_peer_hub_goes_to_no_peer_hub() {
        let reached = heard(&world(), &LOCATIONS, "hub2", "NO/CPO", Role::Cpo);
        assert_eq!(reached, ["DE/MSA", "DE/MSB", "DE/NAV", "DE/OWN"]);
    }

    fn without(module: &str) -> Directory {
        world().under(Agreements {
            allow_by_default: true,
            rules: vec![Rule {
                parties: [Some(party("DE/CPO")), Some(party("DE/MSA"))],
                modules: vec![module.to_owned()],
                allow: false,
            }],
        })
    }

    // D-17
    #[test]
    fn without_an_agreement_nothing_is_heard_and_nothing_is_seen() {
        let world = without("locations");
        assert!(!heard(&world, &LOCATIONS, "own", "DE/CPO", Role::Cpo).contains(&"DE/MSA".to_owned()));
        let seen = visible_owners(&world, &LOCATIONS, &[(party("DE/MSA"), Role::Emsp)]);
        assert!(!seen.contains(&party("DE/CPO")) && seen.contains(&party("NL/CPA")));
        let other = without("tariffs");
        assert!(heard(&other, &LOCATIONS, "own", "DE/CPO", Role::Cpo).contains(&"DE/MSA".to_owned()));
    }

    // R-61, D-17, D-18
    #[test]
    fn who_is_away_and_wants_to_catch_up_would_have_heard_it() {
        let away = |directory: &Directory| {
            let found = absent(directory, &TOKENS, &PlatformId::from("x"), &party("DE/MSA"), Role::Emsp);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let with = |status, catch_up| {
            let mut one = platform(
                "one",
                status,
                &["tokens"],
                &[("FR/CPA", Role::Cpo), ("FR/CPB", Role::Cpo)],
            );
            one.options.catch_up = catch_up;
            Directory::new(party("DE/TWH"), [one])
        };
        assert_eq!(away(&with(Offline, true)), ["one"]);
        for (status, catch_up) in [(Offline, false), (Connected, true), (Suspended, true), (Planned, true)] {
            assert!(away(&with(status, catch_up)).is_empty(), "{status:?} {catch_up}");
        }
    }

    //
    #[test]
    fn one_sees_the_owners_of_the_other_side_whoever_of_ones_own_asks() {
        let directory = without("locations");
        let seen = |readers: &[(&str, Role)]| {
            let readers: Vec<_> = readers.iter().map(|(text, role)| (party(text), *role)).collect();
            let owners = visible_owners(&directory, &LOCATIONS, &readers);
            owners.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(seen(&[("DE/MSA", Role::Emsp)]), ["NL/CPA", "NL/CPB", "NO/CPO"]);
        assert_eq!(
            seen(&[("DE/MSA", Role::Emsp), ("DE/MSB", Role::Emsp)]),
            ["DE/CPO", "NL/CPA", "NL/CPB", "NO/CPO"]
        );
        assert!(seen(&[("NL/CPA", Role::Cpo)]).is_empty());
        assert!(seen(&[]).is_empty());
        let tokens = visible_owners(&directory, &TOKENS, &[(party("NL/CPA"), Role::Cpo)]);
        assert!(tokens.contains(&party("FR/OFF")), "away, and its tokens still good");
        assert!(!tokens.contains(&party("FR/SUS")) && !tokens.contains(&party("FR/PLA")));
    }
}
