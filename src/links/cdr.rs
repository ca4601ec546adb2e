//! The `Location` of a CDR, followed: the receiver's own where it gave one and answers, otherwise the hub's copy (CDR-05 … CDR-07).
//!
//! Nothing is made here: a `Location` is made with the commit of its CDR.

use super::{Behind, Content, Links, nothing_here, party};
use crate::client::Method;
use crate::client::outcome::{Answer, Outcome};
use crate::ocpi::envelope;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::status::{Class, StatusCode};
use crate::parties::line::{Call, Target};
use crate::parties::{Caller, Failure, Fault};
use crate::routing::directory::PlatformStatus;
use crate::seeing::Module;
use crate::store::evidence::CdrRow;

/// The `Location` of a CDR, and whose CDR it is.
pub struct LentCdr {
    pub(super) row: CdrRow,
    /// Who posted it.
    pub(super) cpo: PartyId,
    /// Who pays.
    pub(super) emsp: PartyId,
}

impl Links {
    /// The CDR whose `Location` this is, for the platform that posted it; 404 for everybody else (CDR-06).
    pub(super) async fn find_cdr(&self, caller: &Caller, id: &str) -> Result<LentCdr, Failure> {
        let found = self
            .store
            .cdr_by_location(id)
            .await
            .map_err(|error| Fault::new("following a Location", error))?;
        let row = found
            .filter(|cdr| cdr.cpo_platform == caller.platform.id.as_str())
            .ok_or_else(nothing_here)?;
        Ok(LentCdr {
            cpo: party(&row.country_code, &row.party_id)?,
            emsp: party(&row.emsp_country_code, &row.emsp_party_id)?,
            row,
        })
    }

    /// Follows the `Location` of a CDR: to the receiver's URL when it gave one and answers, otherwise to the hub's copy as
    /// posted (design.md 3.6.6, CDR-07).
    ///
    /// # Errors
    /// Only ours.
    pub(super) async fn cdr(&self, ids: &MessageIds, lent: LentCdr) -> Result<Behind, Failure> {
        let LentCdr { row: cdr, cpo, emsp } = lent;
        if let Some((answer, code)) = self.ask_receiver(&cdr, &cpo, &emsp, ids).await {
            return Ok(Behind {
                content: Content::Relayed {
                    http: answer.status,
                    body: answer.body,
                    code: Some(code),
                },
                to: cpo,
                from: emsp,
                headers: Vec::new(),
            });
        }
        Ok(Behind {
            content: Content::Copy(cdr.body),
            to: cpo,
            from: self.parties.settings().hub.clone(),
            headers: Vec::new(),
        })
    }

    /// The receiver's answer, when it is one. Whether its host may see the token is the line's to decide (N-05).
    async fn ask_receiver(
        &self,
        cdr: &CdrRow,
        cpo: &PartyId,
        emsp: &PartyId,
        ids: &MessageIds,
    ) -> Option<(Answer, StatusCode)> {
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
            to: Target::Url(Module::named("cdrs"), url.clone()),
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
            Outcome::Answered(answer) => an_answer(&answer).map(|code| (answer, code)),
            _ => None,
        }
    }
}

/// Yes and no are answers; a refused token, a redirect or the receiver's own trouble are not (S-14, S-15).
fn an_answer(answer: &Answer) -> Option<StatusCode> {
    let speaks_of_the_cdr = !matches!(answer.status, 300..=399 | 401 | 403 | 429);
    let code = envelope::read(&answer.body).ok()?.status_code;
    (speaks_of_the_cdr && matches!(code.class(), Class::Success | Class::ClientError)).then_some(code)
}
