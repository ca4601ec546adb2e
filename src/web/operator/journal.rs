//! Who sent what when: headers and outcome, never bodies or tokens.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::cdrs::{instant, party};
use super::{Page, Problem, Query, page};
use crate::ocpi::ids::fold;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::store::journal::{JournalEntry, JournalFilter};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/operator/v1/journal", Document::Operator, list)]
}

/// Newest first. `object` is written `DE/ABC/C-1`, in any case; `from` counts and `to` does not.
async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["correlation_id", "party", "object", "from", "to"])?;
    let page = Page::read(&query)?;
    let filter = JournalFilter {
        correlation_id: query.get("correlation_id").map(str::to_owned),
        party: party(&query, "party")?,
        object: query.get("object").map(fold),
        from: instant(&query, "from")?,
        to: instant(&query, "to")?,
    };
    let found = doors
        .store
        .journal_find(filter, page.after.as_deref(), page.limit)
        .await;
    let (entries, next) = found.map_err(|error| Fault::new("reading the journal", error))?;
    let items = entries.iter().map(view).collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

fn view(entry: &JournalEntry) -> Value {
    json!({
        "id": entry.id,
        "at": time::write(entry.at),
        "correlation_id": entry.correlation_id,
        "request_id": entry.request_id,
        "from": entry.from_party,
        "to": entry.to_party,
        "platform": entry.platform,
        "module": entry.module,
        "method": entry.method,
        "object": entry.object,
        "http_status": entry.http_status,
        "status_code": entry.status_code,
        "outcome": entry.outcome,
        "duration_ms": entry.duration_ms,
    })
}
