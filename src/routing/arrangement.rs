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
use super::scenario::{not_yours, speaks_for};
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
    /// The role that fits the interface; another one of its roles where none does.
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
    let from = speaker(caller, asked)?;
    if let Some(owner) = asked.owner {
        check_owner(caller, &from.party, owner)?;
    }
    if let Some(to) = to {
        return way(directory, caller, &from.party, to, asked).map(Arrangement::Direct);
    }
    let names_hub = asked.routing.to.is_some();
    let is_read = asked.route.method == "GET";
    let at_receiver = asked.interface.role == InterfaceRole::Receiver;
    if asked.module.broadcast && at_receiver && !is_read {
        return if fits(from.role, asked) {
            Ok(Arrangement::Broadcast(from))
        } else {
            Err(Refusal::invalid_parameter(format!(
                "OCPI-from names {}, which has no role that owns {}",
                from.party, asked.module.identifier
            )))
        };
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
    from: &PartyId,
    to: &PartyId,
    asked: Asked<'_>,
) -> Result<Way, Refusal> {
    let unknown = || Refusal::unknown_receiver(format!("no party {to} is known here"));
    let (platform, entry) = host(directory, to, asked.interface).ok_or_else(unknown)?;
    if !directory.agreements.allow(from, to, asked.module.identifier) {
        return Err(unknown());
    }
    if platform.status != PlatformStatus::Connected || !is_live(&platform, &entry) {
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
        from: from.clone(),
        to: entry.party,
        platform,
    })
}

/// Where a party lives: first in a role that offers the interface, then in any.
fn host(directory: &Directory, party: &PartyId, interface: &Interface) -> Option<(Arc<Platform>, PartyRole)> {
    let roles = directory.roles_of(party);
    let offering = roles.iter().filter(|role| interface.offered_by.contains(role));
    let found = offering.chain(roles).filter_map(|role| directory.host(party, *role));
    let mut first = None;
    for host in found {
        if is_live(&host.0, &host.1) {
            return Some(host);
        }
        first = first.or(Some(host));
    }
    first
}

/// The party a caller speaks for, given or inferred (R-06, R-07).
fn speaker(caller: &Platform, asked: Asked<'_>) -> Result<Speaker, Refusal> {
    let Some(from) = &asked.routing.from else {
        let mut candidates = distinct(fitting(caller, asked));
        return match (candidates.pop(), candidates.pop()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Refusal::invalid_parameter(
                "OCPI-from-country-code and OCPI-from-party-id are needed: no party of this platform fits the interface",
            )),
            (Some(_), Some(_)) => Err(Refusal::invalid_parameter(
                "OCPI-from-country-code and OCPI-from-party-id are needed: this platform hosts several parties that fit the interface",
            )),
        };
    };
    if !speaks_for(caller, from) {
        return Err(not_yours(from));
    }
    let own = caller
        .parties
        .iter()
        .filter(|one| one.party == *from && is_live(caller, one));
    let roles = own.map(|one| Speaker {
        party: one.party.clone(),
        role: one.role,
    });
    let mut roles = roles.collect::<Vec<_>>();
    roles.sort_by_key(|one| !fits(one.role, asked));
    roles.into_iter().next().ok_or_else(|| not_yours(from))
}

/// Everybody the caller reads for: `from` when it is given, otherwise every party of the platform that fits. Nobody where `from` is
/// the caller's and does not fit: then there is nothing to show.
fn readers(caller: &Platform, asked: Asked<'_>) -> Result<Vec<Speaker>, Refusal> {
    match &asked.routing.from {
        Some(from) if !speaks_for(caller, from) => Err(not_yours(from)),
        Some(from) => Ok(fitting(caller, asked).filter(|one| one.party == *from).collect()),
        None => Ok(fitting(caller, asked).collect()),
    }
}

/// The caller's registered parties in a role that calls this interface.
fn fitting<'a>(caller: &'a Platform, asked: Asked<'a>) -> impl Iterator<Item = Speaker> + 'a {
    let live = caller.parties.iter().filter(|one| is_live(caller, one));
    live.filter(move |one| fits(one.role, asked)).map(|one| Speaker {
        party: one.party.clone(),
        role: one.role,
    })
}

/// Whether a party can speak and be spoken to in a role: registered, or announced by the peer hub that carries it (D-26).
pub(super) fn is_live(platform: &Platform, entry: &PartyRole) -> bool {
    entry.status.is_registered() || (platform.is_hub_peer() && entry.status != PlatformStatus::Suspended)
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
fn check_owner(caller: &Platform, from: &PartyId, owner: &PartyId) -> Result<(), Refusal> {
    if owner == from || (caller.is_hub_peer() && speaks_for(caller, owner)) {
        return Ok(());
    }
    Err(Refusal::not_found(format!(
        "the URL names {owner} as owner, but {from} asks"
    )))
}
