//! The numbers of a start page.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};

use super::{Problem, Query};
use crate::evidence::assess::Status;
use crate::evidence::intake::word;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::routing::directory::PlatformStatus;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/operator/v1/overview", Document::Operator, show)]
}

/// A start page has room for so many; the list of platforms has them all.
const MOST_OFFLINE: usize = 100;

async fn show(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let seen = doors
        .store
        .overview()
        .await
        .map_err(|error| Fault::new("counting", error))?;
    let snapshot = doors.parties.snapshot();
    let count = |status| {
        snapshot
            .directory()
            .platforms()
            .filter(|one| one.status == status)
            .count()
    };
    let platforms = [
        PlatformStatus::Planned,
        PlatformStatus::Connected,
        PlatformStatus::Offline,
        PlatformStatus::Suspended,
    ]
    .map(|status| (status.as_str().to_owned(), json!(count(status))));
    let offline = snapshot
        .directory()
        .platforms()
        .filter(|one| one.status == PlatformStatus::Offline);
    let offline = offline
        .take(MOST_OFFLINE)
        .map(|one| json!({"id": one.id.as_str(), "name": one.name, "since": snapshot.since(&one.id).map(time::write)}))
        .collect::<Vec<_>>();
    Ok(HttpResponse::Ok().json(json!({
        "offline": offline,
        "platforms": Value::Object(platforms.into_iter().collect()),
        "parties": seen.parties,
        "keys": seen.keys,
        "cdrs": {
            "by_delivery": every(&word::ALL, &seen.cdrs_by_delivery),
            "by_metering_status": every(&Status::ALL.map(Status::as_str), &seen.cdrs_by_metering_status),
        },
        "duties": {
            "owed": seen.duties_owed,
            "dead": seen.duties_dead,
            "oldest_owed": seen.oldest_owed.map(time::write),
        },
        "under_way": doors.exchange.under_way(),
    })))
}

/// Every word with its count, also those that never occurred: a script need not guess.
fn every(words: &[&str], counted: &[(String, u64)]) -> Map<String, Value> {
    let count = |word: &str| {
        counted
            .iter()
            .find(|(known, _)| known == word)
            .map_or(0, |(_, count)| *count)
    };
    words
        .iter()
        .map(|word| ((*word).to_owned(), json!(count(word))))
        .collect()
}
