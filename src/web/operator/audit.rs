//! Who changed what, and whether anybody was at it.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::{Page, Problem, Query, page};
use crate::audit::{self, Entry};
use crate::parties::Fault;
use crate::store::StoreError;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/operator/v1/audit", Document::Operator, list),
        Route::get("/operator/v1/audit/verify", Document::Operator, verify),
    ]
}

/// In the order of the trail. A line that is no entry any more is shown as such: somebody was at it.
async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let page = Page::read(&query)?;
    let after = match &page.after {
        None => 0,
        Some(after) => after
            .parse()
            .map_err(|_| Problem::bad_request("cursor", "must be the next_cursor of another page"))?,
    };
    let mut lines = doors
        .audit
        .lines(after, page.limit.saturating_add(1))
        .await
        .map_err(fault)?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(|line| line.seq.to_string());
    let items: Vec<Value> = lines
        .iter()
        .map(|line| match audit::read(&line.entry) {
            Some(entry) => shown(&entry, &line.hash),
            None => json!({"seq": line.seq, "event": "UNREADABLE", "hash": line.hash}),
        })
        .collect();
    Ok(page::list(&items, next.as_deref()))
}

async fn verify(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let verified = doors.audit.verified().await.map_err(fault)?;
    let own = doors.audit.public_key();
    let is_ours = verified.checkpoint.as_ref().is_none_or(|word| word.key == own);
    let bad = verified.bad.map(|bad| json!({"seq": bad.seq, "why": bad.why}));
    Ok(HttpResponse::Ok().json(json!({
        "whole": bad.is_none() && is_ours,
        "entries": verified.entries,
        "bad": bad,
        "signed_by_this_hub": is_ours,
        "checkpoint": verified.checkpoint,
    })))
}

fn shown(entry: &Entry, hash: &str) -> Value {
    let mut document = entry.document();
    if let Some(members) = document.as_object_mut() {
        members.insert("hash".to_owned(), json!(hash));
    }
    document
}

fn fault(error: StoreError) -> Problem {
    Fault::new("reading the audit trail", error).into()
}
