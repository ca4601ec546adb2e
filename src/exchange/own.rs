//! What the hub answers from what it keeps: an eMSP's own CDRs (design.md 3.6.7), the objects of all owners, one's own object
//! (D-18), one object by its id. Pages are framed alike ([`super::frame`]).

use super::broadcast::named;
use super::cdr::CdrExchange;
use super::frame::{Cursor, next_url, written};
use super::incoming::Incoming;
use super::relay::Exchange;
use super::reply::{Reply, Words};
use crate::evidence::packing;
use crate::mirror::list::Listing;
use crate::ocpi::headers::{self, Routing};
use crate::ocpi::ids::PartyId;
use crate::ocpi::page::{self, PageQuery};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::status::StatusCode;
use crate::ocpi::versions::Version;
use crate::parties::{Caller, Failure, Fault};
use crate::routing::arrangement::Speaker;
use crate::routing::scenario;
use crate::store::MirrorPlace;
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
        let cursor = Cursor::of(query, asked.offset);
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
                until: None,
            };
            let public_url = &self.settings.public_url;
            page.next = Some(next_url(public_url, version, "/sender/cdrs", query, limit, &cursor));
        }
        page.data = written(
            found
                .rows
                .iter()
                .map(|row| packing::packed(&row.body, row.marker.as_deref(), row.billable, &caller.platform.options)),
        );
        Ok(page)
    }
}

impl Exchange {
    /// A page of everything the readers may see, of all owners (R-34, R-75 … R-79); of sessions their own (SES-20).
    pub(super) async fn get_all(&self, incoming: &Incoming, readers: &[Speaker]) -> Result<Reply, Failure> {
        let query = incoming.query.as_deref().unwrap_or_default();
        let asked = PageQuery::read(query)?;
        let limit = asked
            .limit
            .unwrap_or(self.settings.max_limit)
            .min(self.settings.max_limit);
        let crawl = Cursor::of(query, asked.offset).and_then(|cursor| {
            let place = MirrorPlace::Range {
                after: cursor.after,
                until: cursor.until?,
            };
            Some((place, cursor.total))
        });
        let parties: Vec<(PartyId, Role)> = readers.iter().map(|one| (one.party.clone(), one.role)).collect();
        let listing = Listing {
            module: incoming.module,
            readers: &parties,
            query: asked,
            crawl,
            limit,
        };
        let listed = self.mirror.list(incoming.caller.directory(), listing).await?;
        let shown = u32::try_from(listed.bodies.len()).unwrap_or(limit);
        // P-07: as many as there could be here. Whoever counts by itself goes on where this page ends, also when weight ended it.
        let most = if listed.is_cut { shown } else { limit };
        let mut headers = vec![
            (headers::X_TOTAL_COUNT, listed.total.to_string()),
            (headers::X_LIMIT, most.to_string()),
        ];
        if let Some(MirrorPlace::Range { after, until }) = listed.next {
            let cursor = Cursor {
                offset: asked.offset.saturating_add(u64::from(shown)),
                total: listed.total,
                after,
                until: Some(until),
            };
            let (public_url, path) = (&self.settings.public_url, incoming.interface.path);
            let next = next_url(public_url, incoming.version, path, query, limit, &cursor);
            headers.push((headers::LINK, page::next_link(&next)));
        }
        Ok(Reply {
            http: 200,
            words: Words::Own {
                code: StatusCode::SUCCESS,
                message: None,
                data: Some(written(listed.bodies.iter())),
            },
            to: match parties.as_slice() {
                [(only, _)] => Some(only.clone()),
                _ => incoming.routing.from.clone(),
            },
            from: self.settings.hub.clone(),
            headers,
        })
    }

    /// The hub's own copy: to its owner at the RECEIVER interface (D-18), by its id alone at the SENDER interface.
    pub(super) async fn own(
        &self,
        incoming: &Incoming,
        owner: Option<&PartyId>,
        from: &Speaker,
    ) -> Result<Reply, Failure> {
        let named = named(incoming, owner, &from.party)?;
        let data = match incoming.interface.role {
            InterfaceRole::Receiver => self.mirror.read_own(&named).await?,
            InterfaceRole::Sender => {
                let reader = (from.party.clone(), from.role);
                let directory = incoming.caller.directory();
                self.mirror
                    .read_any(directory, named.module, reader, &named.ids)
                    .await?
            }
        };
        Ok(Reply::success(
            200,
            from.party.clone(),
            self.settings.hub.clone(),
            Some(data),
        ))
    }
}
