//! Versions: which ones are spoken, and what each of them offers (1.8). Free of side effects: peers use it as an alive check (V-11).

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::Asked;
use crate::ocpi::versions::Version;
use crate::web::error::OcpiError;
use crate::web::reply::Reply;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/ocpi/versions", Document::Ocpi, versions),
        Route::get("/ocpi/{version}", Document::Ocpi, details),
    ]
}

async fn versions(_asked: Asked, doors: Data<Doors>) -> HttpResponse {
    let base = &doors.parties.settings().public_url;
    let list = Version::ALL
        .iter()
        .map(|version| json!({"version": version.as_str(), "url": format!("{base}/ocpi/{}", version.as_str())}))
        .collect::<Vec<_>>();
    Reply::success().data(json!(list).to_string()).send(doors.clock.now())
}

async fn details(asked: Asked, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    let version = asked.version()?;
    // Exactly what the table of modules has (V-05): a module that is not served is not listed.
    let endpoints = doors.parties.endpoints_for(&asked.caller.platform, version);
    let data = json!({"version": version.as_str(), "endpoints": endpoints});
    Ok(Reply::success().data(data.to_string()).send(doors.clock.now()))
}
