//! The next page of a routed list: the receiver's own URL is asked, whatever the reader's query says (P-12, D-11).

use super::lend::{Between, PageLending};
use super::{Behind, Content, Links, nothing_here, party};
use crate::client::Method;
use crate::delivery::relay::{Expects, relay};
use crate::ocpi::headers::{self, MessageIds, Routing};
use crate::ocpi::page;
use crate::ocpi::refusal::Refusal;
use crate::parties::line::{Call, Target};
use crate::parties::{Caller, Failure};
use crate::store::LentRow;

impl Links {
    /// Follows a lent page and lends the one after it.
    ///
    /// # Errors
    /// 404 for every platform but the one it was lent to (P-13); 4001 when the two may not talk to each other any more; 4002 and
    /// 4003 as for any relay.
    pub(super) async fn page(&self, caller: &Caller, ids: &MessageIds, lent: &LentRow) -> Result<Behind, Failure> {
        let reader = party(&lent.requester_country_code, &lent.requester_party_id)?;
        let owner = party(&lent.receiver_country_code, &lent.receiver_party_id)?;
        if lent.requester_platform != caller.platform.id.as_str() || !caller.platform.carries(&reader) {
            return Err(nothing_here().into());
        }
        if !caller.directory().agreements.allow(&reader, &owner, &lent.module) {
            return Err(Refusal::unknown_receiver(format!("nobody here answers to {owner}")).into());
        }
        let platform = self.connected(&lent.receiver_platform, &owner)?;
        let call = Call {
            method: Method::GET,
            to: Target::Url(lent.url.clone()),
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
        let mut kept = Vec::new();
        if let Some(next) = next_in(&relayed.headers) {
            let next = self
                .lend_page(PageLending {
                    module: &lent.module,
                    next: &next,
                    asked: &lent.url,
                    between: Between {
                        requester: &caller.platform,
                        requester_party: &reader,
                        receiver: &platform,
                        receiver_party: &owner,
                    },
                })
                .await?;
            kept.push((headers::LINK, page::next_link(&next)));
        }
        for name in [headers::X_TOTAL_COUNT, headers::X_LIMIT] {
            kept.extend(value_of(&relayed.headers, name).map(|value| (name, value.to_owned())));
        }
        Ok(Behind {
            content: Content::Relayed {
                http: relayed.http,
                body: relayed.body,
            },
            to: reader,
            from: owner,
            headers: kept,
        })
    }
}

/// The next page according to any of the `Link` headers of an answer (F-08).
#[must_use]
pub fn next_in<N: AsRef<str>>(headers: &[(N, String)]) -> Option<String> {
    headers
        .iter()
        .filter(|(name, _)| name.as_ref().eq_ignore_ascii_case(headers::LINK))
        .find_map(|(_, value)| page::next_of(value))
}

fn value_of<'h, N: AsRef<str>>(headers: &'h [(N, String)], wanted: &str) -> Option<&'h str> {
    headers
        .iter()
        .find(|(name, _)| name.as_ref().eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.as_str())
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
        assert_eq!(value_of(&headers, "X-Limit"), Some("5"));
    }
}
