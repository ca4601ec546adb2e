//! The extract of a registration for the commissioning file of its operator (key-registry.md SAF-33).
//!
//! It holds the documents as they were logged, with what is nobody else's business; for everybody there are the log and its proofs.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::Partner;
use crate::parties::Fault;
use crate::web::operator::Problem;
use crate::web::operator::extract::file_of;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get(
        "/partner/v1/registrations/{id}/extract",
        Document::Partner,
        extract,
    )]
}

async fn extract(partner: Partner, id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let refreshed = doors.registry.refresh().await;
    refreshed.map_err(|error| Fault::new("reading the key registry", error))?;
    let found = doors.registry.latest(&id);
    let own = found.filter(|one| partner.asking.cpo_keys.contains(&one.cpo));
    let own = own.ok_or_else(|| Problem::not_found("there is no such registration"))?;
    file_of(&own.id, &doors).await
}
