//! A request to a functional module as the front door read it, and what about it can be refused without asking anybody.
//!
//! Nothing is taken apart that is not needed: segments and query stay as they were written (R-13, U-06), the body stays octets.
//! Checked are the things the hub depends on: JSON, the owner, the ids, `last_updated` of a PATCH (D-05, D-13, T-25).

use bytes::Bytes;

use crate::ocpi::fields::Fields;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, fold, key_of};
use crate::ocpi::modules::{COMMANDS, Interface, LOCATIONS, Module, Route, SESSIONS, TOKENS};
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::versions::Version;
use crate::ocpi::{json, url};
use crate::parties::Caller;
use crate::routing::arrangement::Asked;

/// A request as understood.
#[derive(Clone)]
pub struct Incoming {
    /// Who calls.
    pub caller: Caller,
    /// The version of the URL.
    pub version: Version,
    /// The module called.
    pub module: &'static Module,
    /// The side of it.
    pub interface: &'static Interface,
    /// The line of the table.
    pub route: &'static Route,
    /// The path segments behind the interface's own, as written.
    pub segments: Vec<String>,
    /// The query as written, without the question mark.
    pub query: Option<String>,
    /// Who is addressed and who speaks.
    pub routing: Routing,
    /// The ids of the request; both are there, made by the door where the peer sent none (M-08).
    pub ids: MessageIds,
    /// The body as it came; `None` where there was none (TOK-13).
    pub body: Option<Bytes>,
}

impl Incoming {
    /// A parameter of the path by its name in the table, decoded.
    ///
    /// # Errors
    /// 2001 when what is written there is no text.
    pub fn parameter(&self, name: &str) -> Result<Option<String>, Refusal> {
        let place = self.route.parts().position(|part| {
            part.strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
                .is_some_and(|part| part == name)
        });
        let Some(segment) = place.and_then(|place| self.segments.get(place)) else {
            return Ok(None);
        };
        let decoded = url::decoded(segment);
        let not_text = || Refusal::invalid_parameter(format!("{{{name}}} in the URL is not UTF-8"));
        decoded.map(Some).ok_or_else(not_text)
    }

    /// The owner in the URL, where the table has one (T-30).
    ///
    /// # Errors
    /// 404 when what stands there can be no party's id.
    pub fn owner(&self) -> Result<Option<PartyId>, Refusal> {
        let (Some(country), Some(party)) = (self.parameter("country_code")?, self.parameter("party_id")?) else {
            return Ok(None);
        };
        let owner = PartyId::new(&country, &party);
        owner
            .map(Some)
            .map_err(|_| Refusal::not_found("the URL names no party as owner"))
    }

    /// The id of the object the request is about: the first id in the path after the owner.
    ///
    /// # Errors
    /// 2001 when what is written there is no text.
    pub fn object(&self) -> Result<Option<String>, Refusal> {
        match self.object_parameter() {
            Some(name) => self.parameter(name),
            None => Ok(None),
        }
    }

    fn object_parameter(&self) -> Option<&'static str> {
        let mut names = self.route.parts().filter_map(|part| part.strip_prefix('{'));
        names
            .find(|name| !matches!(*name, "country_code}" | "party_id}"))
            .and_then(|name| name.strip_suffix('}'))
    }

    /// What routing looks at.
    #[must_use]
    pub fn asked<'a>(&'a self, owner: Option<&'a PartyId>) -> Asked<'a> {
        Asked {
            module: self.module,
            interface: self.interface,
            route: self.route,
            routing: &self.routing,
            owner,
        }
    }

    /// The segments behind the receiver's endpoint: as they were written, the owner as it registered (R-13, D-04).
    #[must_use]
    pub fn tail(&self, owner: Option<&PartyId>) -> Vec<String> {
        let mut tail = self.segments.clone();
        if let (Some(owner), [country, party, ..]) = (owner, tail.as_mut_slice()) {
            *country = url::encoded(owner.country_code());
            *party = url::encoded(owner.party_id());
        }
        tail
    }

    /// Whether the request changes or tells something: only then its order counts (D-16).
    #[must_use]
    pub fn changes(&self) -> bool {
        self.route.method != "GET"
    }

    /// Checks the body: JSON, whose it is, which object, when it changed. Whatever else is wrong with it is the receiver's business.
    ///
    /// # Errors
    /// 400 for what is no JSON (T-22); 2001 naming the member when owner or id are others than in the URL (T-27, T-28), when a
    /// PATCH has no `last_updated` (T-25), or when a body is missing.
    pub fn check_body(&self, owner: Option<&PartyId>) -> Result<(), Refusal> {
        let Some(body) = &self.body else {
            return if matches!(self.route.method, "PUT" | "PATCH")
                || (self.route.method == "POST" && self.module == &COMMANDS)
            {
                Err(Refusal::malformed("the body is missing"))
            } else {
                Ok(())
            };
        };
        json::check_syntax(body)?;
        if self.interface.role != InterfaceRole::Receiver || !self.route.names_owner() {
            return Ok(());
        }
        let id_member = self.id_member();
        let fields = Fields::of_body(body, ["country_code", "party_id", id_member, "last_updated"])?;
        if let Some(owner) = owner {
            let said = [("country_code", owner.country_code()), ("party_id", owner.party_id())];
            for (member, expected) in said {
                let written = fields.text(member)?;
                if written.is_some_and(|written| fold(&written) != fold(expected)) {
                    return Err(Refusal::invalid(
                        &format!("/{member}"),
                        "differs from the owner in the URL",
                    ));
                }
            }
        }
        let last = self.segments.last().map(String::as_str).unwrap_or_default();
        let in_url = url::decoded(last).unwrap_or_default();
        let written = fields.text(id_member)?;
        if written.is_some_and(|written| key_of(&written) != key_of(&in_url)) {
            return Err(Refusal::invalid(
                &format!("/{id_member}"),
                "differs from the id in the URL",
            ));
        }
        let is_dated = [LOCATIONS.identifier, SESSIONS.identifier, TOKENS.identifier].contains(&self.module.identifier);
        if self.route.method == "PATCH" && is_dated {
            fields.required_time("last_updated")?;
        }
        Ok(())
    }

    /// The member that holds the id of what is pushed.
    fn id_member(&self) -> &'static str {
        match self.route.parts().last() {
            Some("{evse_uid}" | "{token_uid}") => "uid",
            _ => "id",
        }
    }
}

/// What is routed is somebody's data: the request is told without it.
impl std::fmt::Debug for Incoming {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Incoming")
            .field("module", &self.module.identifier)
            .field("interface", &self.interface.role)
            .field("method", &self.route.method)
            .field("path", &self.route.path)
            .field("body", &self.body.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}
