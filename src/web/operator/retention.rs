//! What is old: how much of it would be removed, and removing it now.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};

use super::{Problem, Query};
use crate::evidence::retention::Planned;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/operator/v1/retention", Document::Operator, show),
        Route::post("/operator/v1/retention", Document::Operator, run),
    ]
}

/// Changes nothing.
async fn show(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let plan = doors.retention.plan().await?;
    let so_far = doors.store.retention_so_far().await;
    let (ended_at, removed) = so_far.map_err(|error| Fault::new("reading what was removed", error))?;
    let removed: Map<String, Value> = removed
        .into_iter()
        .map(|(kind, number)| (kind, json!(number)))
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "items": plan.iter().map(shown).collect::<Vec<_>>(),
        "last_run_at": ended_at.map(time::write),
        "removed_so_far": removed,
    })))
}

async fn run(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let Some(removed) = doors.retention.run().await? else {
        return Err(Problem::conflict("another process is at it"));
    };
    let removed: Map<String, Value> = removed
        .into_iter()
        .map(|(kind, number)| (kind.as_str().to_owned(), json!(number)))
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "removed": removed })))
}

fn shown(planned: &Planned) -> Value {
    json!({
        "kind": planned.kind.as_str(),
        "kept_days": planned.days,
        "goes": planned.goes,
        "oldest": planned.oldest.map(time::write),
        "newest": planned.newest.map(time::write),
        "stays": planned.stays,
    })
}
