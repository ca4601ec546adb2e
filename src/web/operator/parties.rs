//! Parties: one item per party and role, over all platforms.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::view::PartyView;
use super::{Page, Problem, Query, page};
use crate::parties::Fault;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/operator/v1/parties", Document::Operator, list)]
}

async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let page = Page::read(&query)?;
    let told = doors
        .store
        .client_info_records()
        .await
        .map_err(|error| Fault::new("reading ClientInfo", error))?;
    let snapshot = doors.parties.snapshot();
    let all = snapshot
        .directory()
        .platforms()
        .flat_map(|platform| platform.parties.iter().map(move |entry| (platform, entry)))
        .collect::<Vec<_>>();
    let (parties, next) = page.cut(all, |(_, entry)| PartyView::key(entry));
    let items = parties
        .into_iter()
        .map(|(platform, entry)| PartyView::new(platform, entry, &told))
        .collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}
