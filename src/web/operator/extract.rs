//! The extract of a registration for the commissioning file (key-registry.md SAF-33), for the people who run the hub.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::Problem;
use crate::ocpi::ids::key_of;
use crate::parties::Fault;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get(
        "/operator/v1/keys/{id}/extract",
        Document::Operator,
        extract,
    )]
}

async fn extract(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    key_of(&id).ok_or_else(nothing)?;
    file_of(&id, &doors).await
}

/// The extract as a file: its octets are what is proven.
pub(in crate::web) async fn file_of(id: &str, doors: &Doors) -> Result<HttpResponse, Problem> {
    let extract = doors.registry.extract(id).await;
    let extract = extract.map_err(|error| Fault::new("making the extract of a registration", error))?;
    let name = format!("attachment; filename=\"registration-{id}.json\"");
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("Content-Disposition", name))
        .body(extract.ok_or_else(nothing)?))
}

fn nothing() -> Problem {
    Problem::not_found("there is no such registration")
}
