//! `cdrvalidations`, SENDER: every verdict on the caller's own CDRs, page by page, for a CPO that has no receiver.

use super::super::custom::CustomRequest;
use super::super::frame::{Cursor, written};
use super::super::relay::Exchange;
use super::super::reply::Reply;
use super::{not_possible, nothing, segments};
use crate::client::Method;
use crate::evidence::validation;
use crate::ocpi::ids::PartyId;
use crate::ocpi::page::PageQuery;
use crate::ocpi::role::Role;
use crate::parties::{Failure, Fault};
use crate::routing::scenario::acting;
use crate::store::VerdictPull;

impl Exchange {
    pub(super) async fn cdrvalidations(&self, request: &CustomRequest) -> Result<Reply, Failure> {
        if !segments(request)?.is_empty() {
            return Err(nothing().into());
        }
        if request.method != Method::GET {
            return Err(not_possible(&request.method, "GET").into());
        }
        let query = request.query.as_deref().unwrap_or_default();
        let asked = PageQuery::read(query)?;
        let limit = asked
            .limit
            .unwrap_or(self.settings.max_limit)
            .min(self.settings.max_limit);
        let cpos = acting(&request.caller.platform, request.routing.from.as_ref(), Role::Cpo)?;
        let pull = VerdictPull {
            cpo_keys: cpos.iter().map(PartyId::key).collect(),
            from: asked.date_from,
            to: asked.date_to,
        };
        let fault = |error| Fault::new("listing verdicts", error);
        let cursor = Cursor::of(query, asked.offset);
        let total = match &cursor {
            Some(cursor) => cursor.total,
            None => self.store.verdict_count(pull.clone()).await.map_err(fault)?,
        };
        let after = cursor.as_ref().map(|cursor| cursor.after.as_str());
        let found = self.store.verdict_page(pull, after, asked.offset, limit).await;
        let (items, more) = found.map_err(fault)?;
        let mut objects = Vec::new();
        for item in &items {
            // One body after another: some are large.
            let cdr = self.store.cdr_by_row(&item.row_id).await.map_err(fault)?;
            let object = cdr.and_then(|cdr| validation::object(&cdr, &item.report, &self.settings.hub));
            let object = object.ok_or_else(|| Fault::found("a verdict cannot be read"))?;
            objects.push(object.to_string());
        }
        let next = items.last().filter(|_| more).map(|last| Cursor {
            offset: asked.offset.saturating_add(u64::from(limit)),
            total,
            after: last.id.clone(),
            until: None,
        });
        Ok(self.page(request, written(objects.iter()), total, limit, next.as_ref()))
    }
}
