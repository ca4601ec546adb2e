//! Agreements: who may exchange what with whom (D-17).

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::{Members, Problem, Query};
use crate::parties::agreements;
use crate::web::{Document, Doors, Route};

const AGREEMENTS: &str = "/operator/v1/agreements";

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get(AGREEMENTS, Document::Operator, show),
        Route::put(AGREEMENTS, Document::Operator, agree),
    ]
}

async fn show(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    Ok(HttpResponse::Ok().json(agreements::write(&doors.parties.agreements())))
}

/// The whole document is replaced: what is not in it does not hold any more.
async fn agree(wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let agreed = doors.parties.agree(wish.raw()).await?;
    Ok(HttpResponse::Ok().json(agreements::write(&agreed)))
}
