//! Requests to custom modules: to the hub's own ([`super::hub_modules`]), or to another party's: carried by headers alone, any method, path, query and body as they came (U-09).

use std::time::Instant;

use bytes::Bytes;

use super::hop::Hop;
use super::relay::Exchange;
use super::reply::{Reply, Words};
use crate::client::Method;
use crate::delivery::relay::{Expects, relay};
use crate::links::{Between, Links};
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::url;
use crate::ocpi::versions::Version;
use crate::parties::line::{Call, Target};
use crate::parties::{Caller, Failure, Parties};
use crate::routing::custom::{OwnModule, custom_way};
use crate::seeing::Module;

/// A request to a custom module as the door read it.
pub struct CustomRequest {
    /// Who calls.
    pub caller: Caller,
    /// The version of the URL called.
    pub version: Version,
    /// The module's id.
    pub identifier: String,
    /// The side of it.
    pub interface: InterfaceRole,
    /// The HTTP method.
    pub method: Method,
    /// What stands behind the interface's path, as written.
    pub segments: Vec<String>,
    /// The query as written.
    pub query: Option<String>,
    /// Who is addressed and who speaks.
    pub routing: Routing,
    /// The ids of the request.
    pub ids: MessageIds,
    /// The body as it came.
    pub body: Option<Bytes>,
}

impl Exchange {
    /// Answers a request to a module of the hub's own; carries any other to the party it names and answers with what came back, with a
    /// line in the journal (M-09). Next pages are the hub's, as everywhere (D-11).
    ///
    /// # Errors
    /// As [`custom_way`] refuses; 4000 to 4003 where no answer came; faults of ours.
    pub async fn custom(&self, request: CustomRequest) -> Result<Reply, Failure> {
        let begun = Instant::now();
        let (caller, ids, routing) = (
            request.caller.platform.id.clone(),
            request.ids.clone(),
            request.routing.clone(),
        );
        let (module, method) = (request.identifier.clone(), request.method.clone());
        let own = OwnModule::named(&self.settings.hub, &request.identifier);
        let outcome = match own.filter(|own| own.served().contains(&request.interface)) {
            Some(own) => self.own_module(own, &request).await,
            None => carry(&self.parties, &self.links, request).await,
        };
        let hop = Hop {
            caller: &caller,
            ids: &ids,
            module: &module,
            method: method.as_str(),
            // What a path of somebody else's module names, nobody knows: it may be a token (N-07).
            object: None,
            from: routing.from.as_ref(),
            to: routing.to.as_ref(),
        };
        self.journal.note(hop.line(&outcome, begun.elapsed(), self.clock.now()));
        outcome
    }
}

async fn carry(parties: &Parties, links: &Links, request: CustomRequest) -> Result<Reply, Failure> {
    let caller = request.caller.platform.clone();
    let directory = request.caller.directory();
    let way = custom_way(
        directory,
        &caller,
        &request.routing,
        &request.identifier,
        request.interface,
    )?;
    let segments = request.segments.iter().map(String::as_str).collect::<Vec<_>>();
    let target = url::join_as_came(&way.endpoint, &segments);
    let asked = request
        .query
        .as_deref()
        .map_or(target.clone(), |query| url::with_query(&target, query));
    let call = Call {
        method: request.method,
        to: Target::Url(Module::identified(&request.identifier), target),
        query: request.query,
        routing: Some(Routing {
            to: Some(way.to.clone()),
            from: Some(way.from.clone()),
        }),
        ids: request.ids,
        body: request.body,
        headers: Vec::new(),
        timeout: None,
        max_answer: None,
    };
    let relayed = relay(parties.line(), &way.platform, call, Expects::Object).await?;
    let between = Between {
        requester: &caller,
        requester_party: &way.from,
        receiver: &way.platform,
        receiver_party: &way.to,
        acts_for: None,
    };
    let headers = links
        .page_headers(&relayed, &request.identifier, &asked, between)
        .await?;
    Ok(Reply {
        http: relayed.http,
        words: Words::Relayed(relayed.body, Some(relayed.code)),
        to: Some(way.from),
        from: way.to,
        headers,
    })
}
