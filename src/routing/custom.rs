//! Custom modules: ids no version of the specification knows, offered by one platform and used by others, by agreement (U-09, V-09).
//!
//! Two are the hub's own ([`OwnModule`]); of all others it knows nothing but who offers them. They are announced to, and routed between, platforms whose operator
//! turned `custom_modules` on for both; by headers alone, and to one party: what cannot be understood cannot be broadcast.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::directory::{Directory, Platform, PlatformStatus};
use super::scenario::not_yours;
use crate::ocpi::headers::Routing;
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::InterfaceRole;

/// A custom module of the hub's own party (key-registry.md 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnModule {
    /// Meter keys: operators register theirs, everybody reads what is published and is told of it.
    PublicKeys,
    /// What was found out about CDRs: told to their CPO by the hub, and by eMSPs through it.
    CdrValidations,
}

impl OwnModule {
    /// Both.
    pub const ALL: [OwnModule; 2] = [OwnModule::PublicKeys, OwnModule::CdrValidations];

    /// Its id without the hub's party, which is also the name of the option and of the duty.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            OwnModule::PublicKeys => "publickeys",
            OwnModule::CdrValidations => "cdrvalidations",
        }
    }

    /// Its id: `detwh-publickeys`, with country and party of the hub (V-09).
    #[must_use]
    pub fn identifier(self, hub: &PartyId) -> String {
        format!("{}{}-{}", hub.country_code(), hub.party_id(), self.name()).to_ascii_lowercase()
    }

    /// The module of that id.
    #[must_use]
    pub fn named(hub: &PartyId, identifier: &str) -> Option<OwnModule> {
        OwnModule::ALL
            .into_iter()
            .find(|module| module.identifier(hub) == identifier)
    }

    /// The interfaces the hub itself answers. Reports of others for a CPO are carried to it, like messages of any custom module.
    #[must_use]
    pub fn served(self) -> &'static [InterfaceRole] {
        match self {
            OwnModule::PublicKeys => &[InterfaceRole::Sender, InterfaceRole::Receiver],
            OwnModule::CdrValidations => &[InterfaceRole::Sender],
        }
    }

    /// Whether messages to that interface of a party are carried there.
    fn is_carried(self, role: InterfaceRole) -> bool {
        match self {
            // Who registers a key says so to the registry, and is told of keys by nobody else.
            OwnModule::PublicKeys => false,
            OwnModule::CdrValidations => role == InterfaceRole::Receiver,
        }
    }

    /// Whether its operator wants it for a platform, by option and by agreement with one of its parties.
    #[must_use]
    pub fn is_for(self, directory: &Directory, platform: &Platform) -> bool {
        let options = &platform.options;
        let is_wanted = match self {
            OwnModule::PublicKeys => options.publickeys,
            OwnModule::CdrValidations => options.cdrvalidations,
        };
        let identifier = self.identifier(&directory.hub);
        let mut parties = platform
            .parties
            .iter()
            .filter(|entry| entry.status != PlatformStatus::Suspended);
        options.custom_modules
            && is_wanted
            && parties.any(|entry| directory.agreements.allow(&directory.hub, &entry.party, &identifier))
    }
}

/// A custom module at one party.
#[derive(Clone, Debug)]
pub struct CustomWay {
    /// Who speaks, as registered.
    pub from: PartyId,
    /// Who is addressed, as registered.
    pub to: PartyId,
    /// Its platform: CONNECTED.
    pub platform: Arc<Platform>,
    /// The URL it listed for that side of the module.
    pub endpoint: String,
}

/// Whether an id belongs to no module of the specification and can stand in a URL of ours.
#[must_use]
pub fn is_custom(identifier: &str) -> bool {
    let fits = (1..=64).contains(&identifier.len())
        && identifier
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !identifier.bytes().all(|b| b == b'.');
    fits && !identifier.eq_ignore_ascii_case("versions") && modules::module(&identifier.to_ascii_lowercase()).is_none()
}

/// The custom modules a platform may use, each side once, in the order of their ids.
#[must_use]
pub fn offered(directory: &Directory, reader: &Platform) -> BTreeSet<(String, &'static str)> {
    let mut found = BTreeSet::new();
    if !reader.options.custom_modules {
        return found;
    }
    let own = |platform: &Platform| {
        OwnModule::ALL
            .into_iter()
            .filter(|module| module.is_for(directory, platform))
            .collect::<Vec<_>>()
    };
    let mine = own(reader);
    for module in &mine {
        let identifier = module.identifier(&directory.hub);
        found.extend(module.served().iter().map(|role| (identifier.clone(), role.as_str())));
    }
    for platform in directory.platforms().filter(|one| one.id != reader.id) {
        if !platform.options.custom_modules || !platform.status.is_registered() {
            continue;
        }
        for endpoint in platform.endpoints.iter().filter(|one| is_custom(&one.identifier)) {
            let Some(role) = endpoint.role else { continue };
            if let Some(module) = OwnModule::named(&directory.hub, &endpoint.identifier)
                && !(module.is_carried(role) && mine.contains(&module) && own(platform).contains(&module))
            {
                continue;
            }
            if have_agreed(directory, reader, platform, &endpoint.identifier) {
                found.insert((endpoint.identifier.clone(), role.as_str()));
            }
        }
    }
    found
}

/// Whether any platform offers such a module to anybody, or the hub does: only then its URL exists.
#[must_use]
pub fn exists(directory: &Directory, identifier: &str) -> bool {
    let is_own = |platform: &Platform| {
        OwnModule::named(&directory.hub, identifier).is_some_and(|module| module.is_for(directory, platform))
    };
    is_custom(identifier)
        && directory.platforms().any(|platform| {
            let offers = || platform.endpoints.iter().any(|one| one.identifier == identifier);
            platform.options.custom_modules && (offers() || is_own(platform))
        })
}

/// The way from `caller` to the party that `to` names.
///
/// # Errors
/// 404 when the caller may use no such module; 403 and 2001 for `from`; 4001 when `to` names no party, the hub, or one without an
/// agreement; 4003 when it is not CONNECTED; 4000 when it does not offer the module, or when a hub would get its own message back.
pub fn custom_way(
    directory: &Directory,
    caller: &Platform,
    routing: &Routing,
    identifier: &str,
    role: InterfaceRole,
) -> Result<CustomWay, Refusal> {
    if !offered(directory, caller).contains(&(identifier.to_owned(), role.as_str())) {
        return Err(Refusal::not_found("there is nothing at this URL"));
    }
    let from = speaker(caller, routing)?;
    let Some(to) = routing.to.as_ref().filter(|to| **to != directory.hub) else {
        return Err(Refusal::unknown_receiver(format!(
            "OCPI-to must name a party: {identifier} is routed by headers alone"
        )));
    };
    let mut hosts = directory
        .roles_of(to)
        .iter()
        .filter_map(|role| directory.host(to, *role))
        .collect::<Vec<_>>();
    hosts.sort_by_key(|(platform, _)| platform.endpoint(identifier, role).is_none());
    let agreed = hosts.into_iter().next().filter(|(platform, entry)| {
        platform.options.custom_modules && directory.agreements.allow(&from, &entry.party, identifier)
    });
    let Some((platform, entry)) = agreed else {
        return Err(Refusal::unknown_receiver(format!("no party {to} is known here")));
    };
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
    let Some(endpoint) = platform.endpoint(identifier, role).map(str::to_owned) else {
        return Err(Refusal::hub_error(format!(
            "{} has no {role} interface of {identifier}",
            entry.party
        )));
    };
    Ok(CustomWay {
        from,
        to: entry.party,
        platform,
        endpoint,
    })
}

fn have_agreed(directory: &Directory, one: &Platform, other: &Platform, identifier: &str) -> bool {
    // Whoever is just registering reads what it will be able to use.
    let mine = one
        .parties
        .iter()
        .filter(|entry| entry.status != PlatformStatus::Suspended);
    let theirs = || other.live();
    mine.into_iter()
        .any(|mine| theirs().any(|theirs| directory.agreements.allow(&mine.party, &theirs.party, identifier)))
}

/// `from`, given or the only party of the platform, however many roles it has.
fn speaker(caller: &Platform, routing: &Routing) -> Result<PartyId, Refusal> {
    if let Some(from) = &routing.from {
        let named = caller.live().find(|entry| entry.party == *from);
        return named.map(|entry| entry.party.clone()).ok_or_else(|| not_yours(from));
    }
    let mut own: Vec<&PartyId> = caller.live().map(|entry| &entry.party).collect();
    own.sort();
    own.dedup();
    match own.as_slice() {
        [only] => Ok((*only).clone()),
        _ => Err(Refusal::invalid_parameter(
            "OCPI-from-country-code and OCPI-from-party-id are needed: this platform does not host exactly one party",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    // V-09
    #[test]
    fn the_modules_of_the_hub_are_named_by_its_party_in_small_letters() {
        let hub = PartyId::new("DE", "Twh").unwrap();
        assert_eq!(OwnModule::PublicKeys.identifier(&hub), "detwh-publickeys");
        assert_eq!(
            OwnModule::named(&hub, "detwh-cdrvalidations"),
            Some(OwnModule::CdrValidations)
        );
        for other in ["nltwh-publickeys", "detwh-publickey", "publickeys", "DETWH-publickeys"] {
            assert_eq!(OwnModule::named(&hub, other), None, "{other}");
        }
        for module in OwnModule::ALL {
            assert!(is_custom(&module.identifier(&hub)));
        }
    }

    // V-06, V-09, U-09
    #[test]
    fn what_the_specification_names_is_no_custom_module() {
        for id in ["nltst-parking", "bookings", "detwh_x.1"] {
            assert!(is_custom(id), "{id}");
        }
        for id in [
            "cdrs",
            "Tokens",
            "credentials",
            "hubclientinfo",
            "versions",
            "",
            ".",
            "..",
            "a/b",
            "a%2F",
            "ä",
        ] {
            assert!(!is_custom(id), "{id}");
        }
    }
}
