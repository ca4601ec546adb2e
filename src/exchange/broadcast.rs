//! Pushed to everybody: kept, answered, and carried behind the answer (R-50 … R-63); and sessions kept on their way (SES-20).

use super::incoming::Incoming;
use super::relay::Exchange;
use super::reply::Reply;
use crate::mirror::intake::{Origin, Push};
use crate::mirror::named::Named;
use crate::ocpi::ids::PartyId;
use crate::ocpi::page;
use crate::ocpi::refusal::Refusal;
use crate::parties::Failure;
use crate::routing::arrangement::{Speaker, Way};

impl Exchange {
    /// Keeps what is pushed and answers: 201 for what is new, 200 for what was here (S-06). Who receives it is told afterwards, and
    /// what they answer the sender never hears.
    pub(super) async fn broadcast(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        from: &Speaker,
    ) -> Result<Reply, Failure> {
        let named = named(incoming, owner, &from.party)?;
        let origin = Origin {
            platform: incoming.caller.platform.id.clone(),
            party: from.party.clone(),
            role: from.role,
            tail: incoming
                .tail(Some(&named.owner))
                .iter()
                .map(|segment| format!("/{segment}"))
                .collect(),
            query: incoming.query.clone(),
            correlation_id: incoming.ids.correlation_id.clone().unwrap_or_default(),
        };
        let accepted = self.mirror.tell_all(push(incoming, named), origin).await?;
        for odd in &accepted.warnings {
            // N-08: it is kept and carried all the same (D-05).
            log::info!(
                correlation_id = incoming.ids.correlation_id.as_deref().unwrap_or_default();
                "odd in what {} pushed to {}: {}: {}", from.party, incoming.module.identifier, odd.pointer, odd.reason
            );
        }
        let http = if accepted.is_new { 201 } else { 200 };
        Ok(Reply::success(
            http,
            requester(incoming, from),
            self.settings.hub.clone(),
            None,
        ))
    }

    /// Keeps a session that was routed by its content, for the lists of the party it went to (D-18). It has been carried: what is wrong
    /// with it for us is nothing to its sender.
    pub(super) async fn keep_session(&self, incoming: &Incoming, owner: Option<&PartyId>, way: &Way, reply: &Reply) {
        if !reply.is_success() {
            return;
        }
        let kept = match named(incoming, owner, &way.from) {
            Ok(named) => self.mirror.keep_session(push(incoming, named), &way.to).await,
            Err(refusal) => Err(refusal.into()),
        };
        match kept {
            Ok(()) => {}
            Err(Failure::Refused(refusal)) => log::info!("a session is not kept for lists: {}", refusal.message),
            Err(Failure::Ours(fault)) => log::error!("{}", fault.chain()),
        }
    }
}

/// Who hears the answer: a peer hub that spreads what is another's asked in its own name.
fn requester(incoming: &Incoming, from: &Speaker) -> PartyId {
    let said = incoming.routing.from.as_ref();
    let parties = &incoming.caller.platform.parties;
    let known = said.and_then(|said| parties.iter().find(|one| one.party == *said));
    known.map_or_else(|| from.party.clone(), |one| one.party.clone())
}

/// The object a request names, its owner as registered (D-04).
pub(super) fn named(incoming: &Incoming, owner: Option<&PartyId>, from: &PartyId) -> Result<Named, Refusal> {
    let owner = owner.filter(|owner| *owner != from).unwrap_or(from);
    let mut ids = Vec::new();
    for part in incoming.route.parts() {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let Some(name) = name.filter(|name| !matches!(*name, "country_code" | "party_id")) else {
            continue;
        };
        ids.extend(incoming.parameter(name)?);
    }
    Ok(Named {
        module: incoming.module,
        owner: owner.clone(),
        ids,
        token_type: page::parameter(incoming.query.as_deref().unwrap_or_default(), "type"),
    })
}

fn push(incoming: &Incoming, named: Named) -> Push {
    Push {
        named,
        method: incoming.route.method,
        version: incoming.version,
        body: incoming.body.clone(),
    }
}
