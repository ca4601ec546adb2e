//! The hub's own custom modules (key-registry.md 4.5): `publickeys` and `cdrvalidations`, answered here and carried nowhere.
//!
//! They exist for the platforms whose operator wants them, and for nobody else. Envelope, codes, pages and routing headers are those of
//! every module; the hub is the other party. What it pushes itself is `registry`'s and `evidence`'s to compose and `delivery`'s to carry.

mod cdrvalidations;
mod claimed;
mod publickeys;

use super::custom::CustomRequest;
use super::frame::{Cursor, next_url};
use super::relay::Exchange;
use super::reply::{Reply, Words};
use crate::client::Method;
use crate::ocpi::headers;
use crate::ocpi::ids::PartyId;
use crate::ocpi::page::next_link;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::Role;
use crate::ocpi::status::StatusCode;
use crate::ocpi::url;
use crate::parties::Failure;
use crate::routing::custom::OwnModule;
use crate::routing::scenario::acting;

impl Exchange {
    /// Answers a request to one of the hub's own modules.
    ///
    /// # Errors
    /// 404 for whom it is not, and for what is not there; 405; 4001 when `to` names another than the hub; what the module refuses.
    pub(super) async fn own_module(&self, module: OwnModule, request: &CustomRequest) -> Result<Reply, Failure> {
        let caller = &request.caller;
        if !module.is_for(caller.directory(), &caller.platform) {
            return Err(nothing().into());
        }
        // Who speaks must be one of the platform's, also where nothing depends on it (T-05).
        acting(&caller.platform, request.routing.from.as_ref(), Role::Cpo)?;
        if let Some(to) = request.routing.to.as_ref().filter(|to| **to != self.settings.hub) {
            let name = module.name();
            return Err(Refusal::unknown_receiver(format!("{name} is a module of the hub, and {to} is not it")).into());
        }
        match module {
            OwnModule::PublicKeys => self.publickeys(request).await,
            OwnModule::CdrValidations => self.cdrvalidations(request).await,
        }
    }

    /// The hub's own success.
    fn said(&self, request: &CustomRequest, http: u16, data: Option<String>) -> Reply {
        Reply {
            http,
            words: Words::Own {
                code: StatusCode::SUCCESS,
                message: None,
                data,
            },
            to: request.routing.from.clone(),
            from: self.settings.hub.clone(),
            headers: Vec::new(),
        }
    }

    /// A page of the hub's own list (P-05 … P-07). `next` is where the next page begins.
    fn page(&self, request: &CustomRequest, data: String, total: u64, limit: u32, next: Option<&Cursor>) -> Reply {
        let mut reply = self.said(request, 200, Some(data));
        reply.headers.push((headers::X_TOTAL_COUNT, total.to_string()));
        reply.headers.push((headers::X_LIMIT, limit.to_string()));
        if let Some(next) = next {
            let path = format!(
                "/{}/{}",
                request.interface.as_str().to_ascii_lowercase(),
                request.identifier
            );
            let query = request.query.as_deref().unwrap_or_default();
            let url = next_url(&self.settings.public_url, request.version, &path, query, limit, next);
            reply.headers.push((headers::LINK, next_link(&url)));
        }
        reply
    }
}

/// The segments behind the interface, decoded; none for a path that ends with a slash.
fn segments(request: &CustomRequest) -> Result<Vec<String>, Refusal> {
    let written = request.segments.iter().filter(|segment| !segment.is_empty());
    let decoded = written.map(|segment| url::decoded(segment)).collect::<Option<Vec<_>>>();
    decoded.ok_or_else(|| Refusal::invalid_parameter("the URL is not UTF-8"))
}

/// The party that owns what a URL names.
fn owner(country_code: &str, party_id: &str) -> Result<PartyId, Refusal> {
    PartyId::new(country_code, party_id).map_err(|_| Refusal::not_found("the URL names no party as owner"))
}

fn nothing() -> Refusal {
    Refusal::not_found("there is nothing at this URL")
}

fn not_possible(method: &Method, possible: &str) -> Refusal {
    Refusal::method_not_allowed(format!("{method} is not possible here; possible: {possible}"))
}
