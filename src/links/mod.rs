//! URLs the hub lends out in place of other people's: in this version one kind, the `Location` of a CDR.
//!
//! A peer has no token for another peer's server, so it never sees that server's URL (D-11). It gets one of the hub's, with an
//! unguessable id, which works only for the platform it was given to. The rule all follows from: **a lent URL tells nothing
//! to anybody else**, not even that it exists.
//!
//! Nothing is made here: a CDR's `Location` is made with its commit. Start with [`Links::cdr`].

use std::sync::Arc;

use crate::client::Method;
use crate::client::outcome::{Answer, Outcome};
use crate::ocpi::envelope;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, PlatformId, key_of};
use crate::ocpi::refusal::Refusal;
use crate::ocpi::status::Class;
use crate::parties::line::{Call, Target};
use crate::parties::{Caller, Failure, Fault, Parties};
use crate::routing::directory::PlatformStatus;
use crate::store::Store;
use crate::store::evidence::CdrRow;

/// The lent URLs of one hub.
pub struct Links {
    store: Store,
    parties: Arc<Parties>,
}

/// What stands behind a `Location`.
#[derive(Clone, Debug)]
pub struct Behind {
    /// What it is.
    pub content: Content,
    /// The requester.
    pub to: PartyId,
    /// Who answers: the receiver, or the hub with its copy.
    pub from: PartyId,
}

/// A receiver's answer or the hub's copy.
#[derive(Clone, Debug)]
pub enum Content {
    /// The receiver's answer as it came: HTTP status and octets of the envelope.
    Relayed(Answer),
    /// The CDR as it was posted, as JSON text.
    Copy(String),
}

impl Links {
    /// The links of a hub.
    #[must_use]
    pub fn new(store: Store, parties: Arc<Parties>) -> Links {
        Links { store, parties }
    }

    /// Follows the `Location` of a CDR: to the receiver's URL when it gave one and answers, otherwise to the hub's copy as
    /// posted (design.md 3.6.6, CDR-07).
    ///
    /// # Errors
    /// 404 for an id nobody has, and for every platform but the one that posted the CDR (CDR-06); 403 when `from` is not
    /// the caller's.
    pub async fn cdr(&self, caller: &Caller, routing: &Routing, ids: &MessageIds, id: &str) -> Result<Behind, Failure> {
        if let Some(from) = &routing.from
            && !caller.platform.has(from)
        {
            return Err(
                Refusal::forbidden(format!("OCPI-from names {from}, which is not a party of this platform")).into(),
            );
        }
        key_of(id).ok_or_else(nothing_here)?;
        let found = self
            .store
            .cdr_by_location(id)
            .await
            .map_err(|error| Fault::new("following a Location", error))?;
        let cdr = found
            .filter(|cdr| cdr.cpo_platform == caller.platform.id.as_str())
            .ok_or_else(nothing_here)?;
        let party = |country: &str, party: &str| {
            PartyId::new(country, party).map_err(|error| Fault::new("reading the parties of a CDR", error))
        };
        let cpo = party(&cdr.country_code, &cdr.party_id)?;
        let emsp = party(&cdr.emsp_country_code, &cdr.emsp_party_id)?;
        if let Some(answer) = self.ask_receiver(&cdr, &cpo, &emsp, ids).await {
            return Ok(Behind {
                content: Content::Relayed(answer),
                to: cpo,
                from: emsp,
            });
        }
        Ok(Behind {
            content: Content::Copy(cdr.body),
            to: cpo,
            from: self.parties.settings().hub.clone(),
        })
    }

    /// The receiver's answer, when it is one. Whether its host may see the token is the line's to decide (N-05).
    async fn ask_receiver(&self, cdr: &CdrRow, cpo: &PartyId, emsp: &PartyId, ids: &MessageIds) -> Option<Answer> {
        let url = cdr.receiver_location.as_ref()?;
        let platform = self
            .parties
            .snapshot()
            .directory()
            .platform(&PlatformId::from(cdr.emsp_platform.as_str()))?;
        if platform.status != PlatformStatus::Connected {
            return None;
        }
        let call = Call {
            method: Method::GET,
            to: Target::Url(url.clone()),
            query: None,
            routing: Some(Routing {
                to: Some(emsp.clone()),
                from: Some(cpo.clone()),
            }),
            ids: ids.clone(),
            body: None,
            headers: Vec::new(),
            timeout: None,
            max_answer: None,
        };
        match self.parties.line().send(&platform, call).await.ok()? {
            Outcome::Answered(answer) if is_an_answer(&answer) => Some(answer),
            outcome => {
                log::info!("the Location of a CDR reads the hub's copy: {}", outcome);
                None
            }
        }
    }
}

fn nothing_here() -> Refusal {
    Refusal::not_found("there is nothing at this URL")
}

/// Yes and no are answers; a refused token, a redirect or the receiver's own trouble are not (S-14, S-15).
fn is_an_answer(answer: &Answer) -> bool {
    let speaks_of_the_cdr = !matches!(answer.status, 300..=399 | 401 | 403 | 429);
    let class = envelope::read(&answer.body).map(|envelope| envelope.status_code.class());
    speaks_of_the_cdr && matches!(class, Ok(Class::Success | Class::ClientError))
}
