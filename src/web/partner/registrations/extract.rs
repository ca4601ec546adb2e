//! The extract of a registration for the commissioning file of its operator (key-registry.md SAF-33).
//!
//! It holds the documents as they were logged, with what is nobody else's business; for everybody there are the log and its proofs.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::{find, operators_only};
use crate::web::operator::Problem;
use crate::web::operator::extract::file_of;
use crate::web::partner::Partner;
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
    operators_only(&partner)?;
    let own = find(&partner, &id, &doors).await?;
    file_of(&own.id, &doors).await
}
