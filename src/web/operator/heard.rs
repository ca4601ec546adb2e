//! What parties and charge points say about keys, for the people who run the hub: waivers, observations, claims of conformity.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::{Problem, Query, cdrs};
use crate::web::partner::{conformity, observations, waivers};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/operator/v1/waivers", Document::Operator, all_waivers),
        Route::get("/operator/v1/observations", Document::Operator, all_observations),
        Route::get("/operator/v1/conformity", Document::Operator, all_claims),
    ]
}

async fn all_waivers(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["emsp"])?;
    let emsp = cdrs::party(&query, "emsp")?;
    waivers::listed(&query, &doors, |told| {
        emsp.as_ref().is_none_or(|emsp| told.waiver.emsp == *emsp)
    })
    .await
}

async fn all_observations(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["cpo", "source"])?;
    let cpo = cdrs::party(&query, "cpo")?;
    observations::listed(&query, &doors, cpo.as_ref().map(std::slice::from_ref)).await
}

async fn all_claims(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["cpo", "state"])?;
    let cpo = cdrs::party(&query, "cpo")?;
    conformity::listed(&query, &doors, cpo.as_ref().map(std::slice::from_ref)).await
}
