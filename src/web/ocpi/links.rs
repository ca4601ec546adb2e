//! URLs lent out in place of other people's, followed: a next page, and the `Location` of a CDR (CDR-05, CDR-06, P-12).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};

use super::{Registered, relayed};
use crate::links::{Behind, Content};
use crate::web::error::OcpiError;
use crate::web::reply::Reply;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/ocpi/p/{id}", Document::Ocpi, follow)]
}

/// The request's own query is not read: the URL that was kept rules (D-11).
async fn follow(asked: Registered, id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    let behind = doors
        .links
        .follow(&asked.caller, &asked.routing, &asked.ids, &id)
        .await?;
    Ok(answer(behind, doors.clock.now()))
}

/// What stands behind a lent URL, as an answer.
pub(super) fn answer(behind: Behind, now: DateTime<Utc>) -> HttpResponse {
    match behind.content {
        Content::Copy(body) => Reply::success()
            .data(body)
            .routing(Some(&behind.to), Some(&behind.from))
            .send(now),
        Content::Relayed { http, body } => relayed(http, body, Some(behind.to), behind.from, behind.headers),
    }
}
