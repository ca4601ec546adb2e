//! Lists from what the hub keeps: an eMSP's own CDRs, page by page (checklist 1.6, design.md 3.6.7).
//!
//! The `Link` carries `offset` and `limit` as OCPI wants them, and beside them a cursor: how many CDRs match, counted once per
//! crawl, and the last CDR of the page before, from where the next page is found at any depth in the same time. The cursor
//! counts only together with the offset it was made for, so a client that computes offsets itself is served as well.

use super::cdr::CdrExchange;
use crate::evidence::packing;
use crate::ocpi::headers::Routing;
use crate::ocpi::ids::PartyId;
use crate::ocpi::page::{self, PageQuery};
use crate::ocpi::url;
use crate::ocpi::versions::Version;
use crate::parties::{Caller, Failure, Fault};
use crate::routing::scenario;
use crate::store::evidence::CdrPull;

/// A page of CDRs.
#[derive(Clone, Debug)]
pub struct CdrPage {
    /// The JSON list: every CDR as it was posted, with the marker where there is one.
    pub data: String,
    /// How many match in all (P-06).
    pub total: u64,
    /// How many a page holds at most (P-07, D-10).
    pub limit: u32,
    /// The URL of the next page, unless this is the last (P-05).
    pub next: Option<String>,
    /// The party that asked, if it is only one.
    pub to: Option<PartyId>,
    /// The hub, in whose name its own copies are answered.
    pub from: PartyId,
}

impl CdrExchange {
    /// A page of the CDRs that the caller has to pay, in the order of their arrival here.
    ///
    /// # Errors
    /// 2001 for a query that is none (P-10); 403, 4000 and 4001 as [`scenario::cdr_list`] says.
    pub async fn list(
        &self,
        caller: &Caller,
        routing: &Routing,
        version: Version,
        query: &str,
    ) -> Result<CdrPage, Failure> {
        let asked = PageQuery::read(query)?;
        let list = scenario::cdr_list(caller.directory(), &caller.platform, routing)?;
        let limit = asked
            .limit
            .unwrap_or(self.settings.max_limit)
            .min(self.settings.max_limit);
        let pull = CdrPull {
            emsp_keys: list.emsps.iter().map(PartyId::key).collect(),
            cpo_key: list.cpo.as_ref().map(PartyId::key),
            date_from: asked.date_from,
            date_to: asked.date_to,
        };
        let mut page = CdrPage {
            data: "[]".to_owned(),
            total: 0,
            limit,
            next: None,
            to: match list.emsps.as_slice() {
                [only] => Some(only.clone()),
                _ => routing.from.clone(),
            },
            from: self.settings.hub.clone(),
        };
        if pull.emsp_keys.is_empty() || asked.date_from.zip(asked.date_to).is_some_and(|(from, to)| from >= to) {
            return Ok(page);
        }
        let cursor = page::parameter(query, CURSOR)
            .as_deref()
            .and_then(Cursor::read)
            .filter(|cursor| cursor.offset == asked.offset);
        page.total = match &cursor {
            Some(cursor) => cursor.total,
            None => self
                .store
                .cdr_count(pull.clone())
                .await
                .map_err(|error| Fault::new("counting CDRs", error))?,
        };
        let after = cursor.as_ref().map(|cursor| cursor.after.as_str());
        let found = self
            .store
            .cdr_page(pull, after, asked.offset, limit)
            .await
            .map_err(|error| Fault::new("listing CDRs", error))?;
        if let Some(last) = found.rows.last().filter(|_| found.more) {
            let cursor = Cursor {
                offset: asked.offset.saturating_add(u64::from(limit)),
                total: page.total,
                after: last.id.clone(),
            };
            page.next = Some(self.next_url(version, query, limit, &cursor));
        }
        page.data = written(
            found
                .rows
                .iter()
                .map(|row| packing::packed(&row.body, row.marker.as_deref(), row.billable, &caller.platform.options)),
        );
        Ok(page)
    }

    /// Absolute, with every filter of the request as it was written, explicit offset and limit (P-05, D-10).
    fn next_url(&self, version: Version, query: &str, limit: u32, cursor: &Cursor) -> String {
        let base = url::join(&self.settings.public_url, &["ocpi", version.as_str(), "sender", "cdrs"]);
        let mut next = ::url::form_urlencoded::Serializer::new(String::new());
        for filter in ["date_from", "date_to"] {
            if let Some(value) = page::parameter(query, filter) {
                next.append_pair(filter, &value);
            }
        }
        next.append_pair("offset", &cursor.offset.to_string());
        next.append_pair("limit", &limit.to_string());
        next.append_pair(CURSOR, &cursor.write());
        url::with_query(&base, &next.finish())
    }
}

const CURSOR: &str = "cursor";

/// Where a crawl is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    offset: u64,
    total: u64,
    after: String,
}

impl Cursor {
    fn write(&self) -> String {
        format!("{}.{}.{}", self.offset, self.total, self.after)
    }

    /// `None` for anything we did not write: the offset then decides.
    fn read(text: &str) -> Option<Cursor> {
        let mut parts = text.splitn(3, '.');
        let (offset, total, after) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
        let after = uuid::Uuid::try_parse(after).ok()?.to_string();
        Some(Cursor { offset, total, after })
    }
}

fn written(bodies: impl Iterator<Item = bytes::Bytes>) -> String {
    let mut list = Vec::from(*b"[");
    for (number, body) in bodies.enumerate() {
        if number > 0 {
            list.push(b',');
        }
        list.extend_from_slice(&body);
    }
    list.push(b']');
    // Every body was read as JSON, so it is UTF-8.
    String::from_utf8(list).unwrap_or_else(|_| "[]".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        let cursor = Cursor {
            offset: 20,
            total: 105,
            after: "0198c0de-0000-7000-8000-000000000001".into(),
        };
        assert_eq!(Cursor::read(&cursor.write()), Some(cursor));
        for other in [
            "",
            "20",
            "20.105",
            "20.105.x",
            "-1.5.0198c0de-0000-7000-8000-000000000001",
            "x.5.0198c0de-0000-7000-8000-000000000001",
        ] {
            assert_eq!(Cursor::read(other), None, "{other}");
        }
    }

    #[test]
    fn a_list_holds_every_body_as_it_is() {
        let bodies = ["{ \"a\":1.0}\n", "{}"].map(bytes::Bytes::from);
        assert_eq!(written(bodies.into_iter()), "[{ \"a\":1.0}\n,{}]");
        assert_eq!(written(std::iter::empty()), "[]");
    }
}
