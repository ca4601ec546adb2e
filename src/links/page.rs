//! The next page of a routed list: the receiver's own URL is asked, whatever the reader's query says (P-12, D-11).

use super::lend::{Between, PageLending};
use super::{Behind, Content, Links, nothing_here, party};
use crate::client::Method;
use crate::delivery::relay::{Expects, Relayed, relay};
use crate::ocpi::headers::{self, MessageIds, Routing};
use crate::ocpi::ids::PartyId;
use crate::ocpi::page;
use crate::ocpi::refusal::Refusal;
use crate::parties::line::{Call, Target};
use crate::parties::{Caller, Failure, Fault};
use crate::seeing::Module;
use crate::store::LentRow;

/// A next page and whose it is.
pub struct LentList {
    pub(super) row: LentRow,
    /// Who reads.
    pub(super) reader: PartyId,
    /// Whose list it is.
    pub(super) owner: PartyId,
}

/// A next page for the one it was lent to; 404 for everybody else (P-13).
pub(super) fn open(caller: &Caller, row: LentRow) -> Result<LentList, Failure> {
    let reader = party(&row.requester_country_code, &row.requester_party_id)?;
    let owner = party(&row.receiver_country_code, &row.receiver_party_id)?;
    if row.requester_platform != caller.platform.id.as_str() || !caller.platform.carries(&reader) {
        return Err(nothing_here().into());
    }
    Ok(LentList { row, reader, owner })
}

impl Links {
    /// Follows a lent page and lends the one after it.
    ///
    /// # Errors
    /// 4001 when the two may not talk to each other any more; 4002 and 4003 as for any relay.
    pub(super) async fn page(&self, caller: &Caller, ids: &MessageIds, list: &LentList) -> Result<Behind, Failure> {
        let LentList {
            row: lent,
            reader,
            owner,
        } = list;
        if !caller.directory().agreements.allow(reader, owner, &lent.module) {
            return Err(Refusal::unknown_receiver(format!("nobody here answers to {owner}")).into());
        }
        let platform = self.connected(&lent.receiver_platform, owner)?;
        let call = Call {
            method: Method::GET,
            to: Target::Url(Module::identified(&lent.module), lent.url.clone()),
            query: None,
            routing: Some(Routing {
                to: Some(owner.clone()),
                from: Some(reader.clone()),
            }),
            ids: ids.clone(),
            body: None,
            headers: Vec::new(),
            timeout: platform.options.timeouts.relay.or(Some(self.timeouts.list)),
            max_answer: None,
        };
        let relayed = relay(self.parties.line(), &platform, call, Expects::List).await?;
        let between = Between {
            requester: &caller.platform,
            requester_party: reader,
            receiver: &platform,
            receiver_party: owner,
            acts_for: None,
        };
        let headers = self.page_headers(&relayed, &lent.module, &lent.url, between).await?;
        Ok(Behind {
            content: Content::Relayed {
                http: relayed.http,
                body: relayed.body,
                code: Some(relayed.code),
            },
            to: reader.clone(),
            from: owner.clone(),
            headers,
        })
    }

    /// What of the headers of a page goes on: the next page under a URL of ours, counts as they are (R-14, P-12, D-11). `asked` is
    /// the URL whose answer it is.
    ///
    /// # Errors
    /// Only ours.
    pub async fn page_headers(
        &self,
        relayed: &Relayed,
        module: &str,
        asked: &str,
        between: Between<'_>,
    ) -> Result<Vec<(&'static str, String)>, Fault> {
        let mut kept = Vec::new();
        if let Some(next) = next_in(&relayed.headers) {
            let lending = PageLending {
                module,
                next: &next,
                asked,
                between,
            };
            kept.push((headers::LINK, page::next_link(&self.lend_page(lending).await?)));
        }
        for name in [headers::X_TOTAL_COUNT, headers::X_LIMIT] {
            kept.extend(relayed.header(name).map(|value| (name, value.to_owned())));
        }
        Ok(kept)
    }
}

/// The next page according to any of the `Link` headers of an answer (F-08).
fn next_in<N: AsRef<str>>(headers: &[(N, String)]) -> Option<String> {
    headers
        .iter()
        .filter(|(name, _)| name.as_ref().eq_ignore_ascii_case(headers::LINK))
        .find_map(|(_, value)| page::next_of(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    // F-08
    #[test]
    fn the_next_page_is_found_in_whichever_link_header_has_it() {
        let headers = [
            ("x-limit", "5".to_owned()),
            ("link", "<https://a/0>; rel=prev".to_owned()),
            ("LINK", "</2?x=y>; rel=next".to_owned()),
        ];
        assert_eq!(next_in(&headers).as_deref(), Some("/2?x=y"));
        assert_eq!(next_in(&headers[..2]), None);
    }
}
