//! Verdicts that are new or changed, for a party to keep up with.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::value::RawValue;

use super::Partner;
use crate::evidence::receipts::Asking;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::web::operator::{Page, Problem, Query, page};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/partner/v1/reports", Document::Partner, list)]
}

/// Verdicts checked at or after `since`, in the order of checking. Without `since` all of them.
async fn list(partner: Partner, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["since"])?;
    let page = Page::read(&query)?;
    let since = match query.get("since") {
        None => chrono::DateTime::UNIX_EPOCH,
        Some(text) => time::parse(text).map_err(|error| Problem::bad_request("since", error))?,
    };
    // Never merged: a party may be a CPO on this platform and an eMSP on another.
    let Asking { cpo_keys, emsp_keys } = partner.asking;
    let found = doors
        .store
        .reports_since(&cpo_keys, &emsp_keys, since, page.after.as_deref(), page.limit)
        .await;
    let (items, next) = found.map_err(|error| Fault::new("listing verdicts", error))?;
    let items = items
        .into_iter()
        .map(|item| RawValue::from_string(item.report))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Fault::new("reading a verdict", error))?;
    Ok(page::list(&items, next.as_deref()))
}
