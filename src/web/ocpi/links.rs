//! URLs lent out in place of other people's, followed: a next page, and the `Location` of a CDR (CDR-05, CDR-06, P-12).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::{Registered, modules};
use crate::web::error::OcpiError;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/ocpi/p/{id}", Document::Ocpi, follow)]
}

/// The request's own query is not read: the URL that was kept rules (D-11).
async fn follow(asked: Registered, id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    let heard = doors
        .hall
        .follow(&asked.caller, &asked.routing, &asked.ids, &id)
        .await?;
    Ok(modules::answer(heard, doors.clock.now()))
}
