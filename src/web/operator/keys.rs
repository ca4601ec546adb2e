//! Meter keys: register, look at, deactivate (design.md 3.4; the checks are those of key-registry.md 4.4).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Members, Page, Problem, Query, page};
use crate::metering::limits::MAX_KEY_TEXT;
use crate::ocpi::ids::{PartyId, key_of};
use crate::ocpi::time;
use crate::parties::Fault;
use crate::registry::Registration;
use crate::registry::checks::{Level, NewKey, RegistryFinding};
use crate::store::StoreError;
use crate::store::registry::KeyRow;
use crate::web::{Document, Doors, Route};

const ALL: &str = "/operator/v1/keys";

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::post(ALL, Document::Operator, register),
        Route::get(ALL, Document::Operator, list),
        Route::get("/operator/v1/keys/{id}", Document::Operator, show),
        Route::post("/operator/v1/keys/{id}/deactivate", Document::Operator, deactivate),
    ]
}

const MEMBERS: [&str; 9] = [
    "public_key",
    "meter_serial",
    "gateway_serial",
    "evse_id",
    "evse_uid",
    "cpo",
    "valid_from",
    "valid_to",
    "calibrated",
];

async fn register(wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let claim = read(&wish)?;
    let registration = doors.registry.register(claim).await;
    match registration.map_err(|error| Fault::new("registering a key", error))? {
        Registration::New(row, remarks) => {
            let location = format!("{}{ALL}/{}", doors.parties.settings().public_url, row.id);
            Ok(HttpResponse::Created()
                .insert_header(("Location", location))
                .json(view(&row, &remarks)))
        }
        // PC-09: the registration that stands.
        Registration::Existing(row) => Ok(HttpResponse::Ok().json(view(&row, &[]))),
        Registration::Refused(findings) => Err(refused(&findings)),
    }
}

async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let page = Page::read(&query)?;
    let found = doors.store.key_list(page.after.as_deref(), page.limit).await;
    let (rows, next) = found.map_err(|error| Fault::new("listing keys", error))?;
    let items = rows.iter().map(|row| view(row, &[])).collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

async fn show(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    key_of(&id).ok_or_else(nothing)?;
    let found = doors
        .store
        .key_get(&id)
        .await
        .map_err(|error| Fault::new("reading a key", error))?;
    let row = found.ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().json(view(&row, &[])))
}

async fn deactivate(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    key_of(&id).ok_or_else(nothing)?;
    match doors.registry.deactivate(&id).await {
        Ok(row) => Ok(HttpResponse::Ok().json(view(&row, &[]))),
        Err(StoreError::NotFound) => Err(nothing()),
        Err(error) => Err(Fault::new("deactivating a key", error).into()),
    }
}

fn nothing() -> Problem {
    Problem::not_found("there is no such key")
}

fn read(wish: &Members) -> Result<NewKey, Problem> {
    wish.only(&MEMBERS)?;
    let cpo = wish.object("cpo")?.ok_or_else(|| wish.missing("cpo"))?;
    cpo.only(&["country_code", "party_id"])?;
    let party = PartyId::new(
        &cpo.required_text("country_code", 2)?,
        &cpo.required_text("party_id", 3)?,
    )
    .map_err(|error| Problem::invalid("/cpo", error))?;
    Ok(NewKey {
        public_key: public_key(wish)?,
        meter_serial: wish.required_text("meter_serial", 64)?,
        gateway_serial: wish.text("gateway_serial", 64)?,
        evse_id: wish.required_text("evse_id", 48)?,
        evse_uid: wish.text("evse_uid", 36)?,
        cpo: party,
        valid_from: instant(wish, "valid_from")?.ok_or_else(|| wish.missing("valid_from"))?,
        valid_to: instant(wish, "valid_to")?,
        calibrated: wish.switch("calibrated")?.unwrap_or(true),
    })
}

/// A key may come as PEM, with line breaks. Nothing of it is ever repeated: it may be a private one (PC-17).
fn public_key(wish: &Members) -> Result<String, Problem> {
    let value = wish.get("public_key").ok_or_else(|| wish.missing("public_key"))?;
    let text = value
        .as_str()
        .ok_or_else(|| Problem::invalid("/public_key", "must be a text"))?;
    if text.is_empty() || text.len() > MAX_KEY_TEXT {
        return Err(Problem::invalid(
            "/public_key",
            format!("must have 1 to {MAX_KEY_TEXT} characters"),
        ));
    }
    Ok(text.to_owned())
}

fn instant(wish: &Members, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = wish.text(name, 40)? else {
        return Ok(None);
    };
    time::parse(&text)
        .map(Some)
        .map_err(|error| Problem::invalid(&wish.at(name), error))
}

fn refused(findings: &[RegistryFinding]) -> Problem {
    let errors = findings.iter().filter(|one| one.level != Level::Warning);
    let problem = match errors
        .clone()
        .find(|one| one.level == Level::Error)
        .or_else(|| errors.clone().next())
    {
        Some(first) if first.level == Level::Conflict => {
            Problem::conflict(format!("{}: {}", first.pointer, first.message))
        }
        Some(first) => Problem::invalid(first.pointer, &first.message),
        None => Problem::conflict("the registration was refused"),
    };
    problem.with("findings", json!(findings.iter().map(finding).collect::<Vec<_>>()))
}

fn finding(one: &RegistryFinding) -> Value {
    json!({"code": one.code, "severity": one.level.as_str(), "pointer": one.pointer, "message": one.message})
}

fn view(row: &KeyRow, remarks: &[RegistryFinding]) -> Value {
    let (country_code, party_id) = row.cpo_key.split_once('/').unwrap_or_default();
    json!({
        "id": row.id,
        "fingerprint": row.fingerprint,
        "curve": row.curve,
        "state": row.state,
        "public_key": row.spki_hex,
        "meter_serial": row.meter_serial,
        "gateway_serial": row.gateway_serial,
        "evse_id": row.evse_id,
        "evse_uid": row.evse_uid,
        "cpo": {"country_code": country_code, "party_id": party_id},
        "valid_from": time::write(row.valid_from),
        "valid_to": row.valid_to.map(time::write),
        "calibrated": row.calibrated,
        "created_at": time::write(row.created_at),
        "deactivated_at": row.deactivated_at.map(time::write),
        "findings": remarks.iter().map(finding).collect::<Vec<_>>(),
    })
}
