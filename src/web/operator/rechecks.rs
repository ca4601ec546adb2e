//! How far verdicts have followed the registry.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::{Problem, Query};
use crate::ocpi::time;
use crate::store::evidence::RecheckRow;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/operator/v1/rechecks", Document::Operator, show)]
}

/// Changes shown, newest first.
const SHOWN: u32 = 100;

async fn show(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let standing = doors.rechecks.standing(SHOWN).await?;
    Ok(HttpResponse::Ok().json(json!({
        "complete": standing.is_complete,
        "cdrs_to_be_entered": standing.to_be_entered,
        "unfinished": standing.unfinished,
        "changes": standing.changes.iter().map(change).collect::<Vec<_>>(),
    })))
}

fn change(row: &RecheckRow) -> Value {
    let state = match (row.finished_at, row.pass) {
        (Some(_), _) => "finished",
        (None, 1) => "running",
        // All CDRs were looked at; those that were on their way in are looked at once more.
        (None, _) => "looked_at",
    };
    json!({
        "change": row.change,
        "registration": row.subject,
        "state": state,
        "looked_at": row.checked,
        "changed": row.changed,
        "seen_at": time::write(row.created_at),
        "finished_at": row.finished_at.map(time::write),
    })
}
