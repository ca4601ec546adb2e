//! The log for everybody: its entries, proofs, and the newest signed checkpoint (key-registry.md 4.3).

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use crate::parties::Fault;
use crate::registry::log::Hash;
use crate::registry::proof::Consistency;
use crate::web::operator::{Problem, Query};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/keys/log", Document::Partner, list),
        Route::get("/keys/log/proof", Document::Partner, inclusion),
        Route::get("/keys/log/consistency", Document::Partner, consistency),
        Route::get("/keys/checkpoint", Document::Partner, checkpoint),
    ]
}

const MOST: u32 = 1000;

/// Each entry as text: it is hashed octet for octet.
async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["from"])?;
    let from = number(&query, "from")?.unwrap_or(1).max(1);
    let limit = number(&query, "limit")?.unwrap_or(100).clamp(1, u64::from(MOST));
    let limit = u32::try_from(limit).unwrap_or(MOST);
    let lines = doors.registry.entries(from, limit).await.map_err(fault)?;
    let next = lines.last().map(|line| line.seq + 1);
    let entries: Vec<Value> = lines
        .into_iter()
        .map(|line| json!({"seq": line.seq, "entry": line.text, "hash": line.hash}))
        .collect();
    Ok(HttpResponse::Ok().json(json!({"entries": entries, "next": next})))
}

async fn inclusion(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["seq", "size"])?;
    let seq = number(&query, "seq")?.ok_or_else(|| Problem::bad_request("seq", "is missing"))?;
    let size = number(&query, "size")?;
    let proven = doors.registry.inclusion(seq, size).await.map_err(fault)?;
    let lines = doors.registry.entries(seq, 1).await.map_err(fault)?;
    let ((size, root, path), line) = proven.zip(lines.into_iter().next()).ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().json(json!({
        "seq": seq, "size": size, "entry": line.text, "root": hex::encode(root), "path": texts(&path),
    })))
}

async fn consistency(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["from", "to"])?;
    let from = number(&query, "from")?.ok_or_else(|| Problem::bad_request("from", "is missing"))?;
    let to = number(&query, "to")?.ok_or_else(|| Problem::bad_request("to", "is missing"))?;
    let proven = doors.registry.consistency(from, to).await.map_err(fault)?;
    let (old, new, path) = proven.ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().json(Consistency {
        from,
        to,
        from_root: hex::encode(old),
        to_root: hex::encode(new),
        path: texts(&path),
    }))
}

async fn checkpoint(doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(doors.registry.latest_checkpoint().await.map_err(fault)?))
}

fn texts(path: &[Hash]) -> Vec<String> {
    path.iter().map(hex::encode).collect()
}

fn number(query: &Query, name: &str) -> Result<Option<u64>, Problem> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let number = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    number
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or_else(|| Problem::bad_request(name, "must be a whole number"))
}

fn fault(error: crate::store::StoreError) -> Problem {
    Fault::new("reading the log of the key registry", error).into()
}

fn nothing() -> Problem {
    Problem::not_found("the log has no such entry or size")
}
