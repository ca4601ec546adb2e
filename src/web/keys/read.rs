//! Keys by fingerprint, and registrations by EVSE or serial number at an instant (CAL-IF06).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::view;
use crate::metering::key::PublicKey;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::registry::index::Index;
use crate::registry::record::{Registration, kind};
use crate::web::operator::{Problem, Query};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/keys", Document::Partner, find),
        Route::get("/keys/{fingerprint}/history", Document::Partner, history),
        Route::get("/keys/{fingerprint}", Document::Partner, show),
    ]
}

/// How a key is written.
enum Form {
    Json,
    Pem,
    Hex,
    Chargy,
}

async fn show(name: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let (fingerprint, form) = match name.rsplit_once('.') {
        None => (name.as_str(), Form::Json),
        Some((fingerprint, "json")) => (fingerprint, Form::Json),
        Some((fingerprint, "pem")) => (fingerprint, Form::Pem),
        Some((fingerprint, "hex")) => (fingerprint, Form::Hex),
        Some((fingerprint, "chargy")) => (fingerprint, Form::Chargy),
        Some(_) => return Err(nothing()),
    };
    refresh(&doors).await?;
    let index = doors.registry.index();
    let registrations = of_key(&index, fingerprint);
    let key = registrations.first().ok_or_else(nothing)?;
    Ok(match form {
        Form::Hex => HttpResponse::Ok()
            .content_type("text/plain")
            .body(key.public_key.clone()),
        Form::Pem => HttpResponse::Ok()
            .content_type("application/x-pem-file")
            .body(pem(&key.public_key)),
        Form::Chargy => HttpResponse::Ok().json(chargy(key)?),
        Form::Json => HttpResponse::Ok().json(json!({
            "fingerprint": key.fingerprint,
            "curve": key.curve,
            "public_key": key.public_key,
            "pem": pem(&key.public_key),
            "registrations": registrations.iter().map(view::public).collect::<Vec<_>>(),
        })),
    })
}

/// The key as Chargy reads it from a file of its own (`…-publicKey.chargy`): the meter it is of, the curve, and the point in hex.
fn chargy(one: &Registration) -> Result<Value, Fault> {
    let der = hex::decode(&one.public_key).map_err(|error| Fault::new("reading a published key", error))?;
    let key = PublicKey::from_bytes(&der, None).map_err(|error| Fault::new("reading a published key", error))?;
    let meter = one.unit.meter_serial.as_ref().or(one.unit.gateway_serial.as_ref());
    Ok(json!({
        "@id": one.fingerprint,
        "@context": "https://open.charging.cloud/contexts/publicKey+json",
        "subject": meter,
        "type": {"oid": EC_PUBLIC_KEY, "name": "EC public key"},
        "algorithm": {"oid": key.curve().oid(), "name": key.curve().name()},
        "encoding": "hex",
        "value": hex::encode(key.sec1_uncompressed()),
    }))
}

/// id-ecPublicKey (RFC 5480, 2.1.1).
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";

/// Every version that was public, of every registration of the key, in the order the registry learned of them.
async fn history(fingerprint: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    refresh(&doors).await?;
    let ids: Vec<String> = of_key(&doors.registry.index(), &fingerprint)
        .iter()
        .map(|one| one.id.clone())
        .collect();
    if ids.is_empty() {
        return Err(nothing());
    }
    let mut versions = Vec::new();
    for id in ids {
        let found = doors.store.registry_history(kind::REGISTRATION, &id).await;
        for document in found.map_err(|error| Fault::new("reading the history of a key", error))? {
            let read = Registration::read(&document.document);
            let one = read.map_err(|error| Fault::new("reading the history of a key", error))?;
            if one.state.is_public() {
                versions.push((document.seq, document.recorded_at, one));
            }
        }
    }
    versions.sort_by_key(|(seq, ..)| *seq);
    let versions: Vec<Value> = versions
        .iter()
        .map(
            |(seq, at, one)| json!({"seq": seq, "recorded_at": view::recorded(*at), "registration": view::public(one)}),
        )
        .collect();
    Ok(HttpResponse::Ok().json(json!({"fingerprint": fingerprint.as_str(), "versions": versions})))
}

async fn find(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["evse_id", "meter_serial", "gateway_serial", "at", "known_at"])?;
    refresh(&doors).await?;
    let now = doors.clock.now();
    let (at, known_at) = (instant(&query, "at")?.unwrap_or(now), instant(&query, "known_at")?);
    let index = doors.registry.index();
    let known_at = known_at.unwrap_or_else(|| index.record_time(now));
    let asked = ["evse_id", "meter_serial", "gateway_serial"]
        .into_iter()
        .filter_map(|name| query.get(name).map(|value| (name, value)))
        .collect::<Vec<_>>();
    let found: Vec<_> = match asked.as_slice() {
        [("evse_id", id)] => index.of_evse(id).cloned().collect(),
        [("meter_serial", serial)] => index.of_serial(serial).cloned().collect(),
        [(_, serial)] => index.of_gateway(serial).cloned().collect(),
        _ => {
            let reason = "exactly one of evse_id, meter_serial and gateway_serial must be given";
            return Err(Problem::bad_request("evse_id", reason));
        }
    };
    drop(index);
    let shown: Vec<Value> = found
        .iter()
        .filter_map(|one| one.known_at(known_at))
        .filter(|one| one.state.is_public() && one.covers(at))
        .map(view::public)
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "at": time::write(at),
        "known_at": view::recorded(known_at),
        "registrations": shown,
    })))
}

/// The registrations of a key that everybody may see, in the order they were made.
pub(super) fn of_key(index: &Index, fingerprint: &str) -> Vec<Registration> {
    let mut found: Vec<Registration> = index
        .of_fingerprint(&fingerprint.to_ascii_lowercase())
        .map(|one| one.now())
        .filter(|one| one.state.is_public())
        .cloned()
        .collect();
    found.sort_by(|one, other| one.id.cmp(&other.id));
    found
}

/// Other processes publish too, and what they have published must be readable here at once.
pub(super) async fn refresh(doors: &Doors) -> Result<(), Fault> {
    let refreshed = doors.registry.refresh().await;
    refreshed.map_err(|error| Fault::new("reading the key registry", error))
}

fn instant(query: &Query, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = query.get(name) else { return Ok(None) };
    time::parse(text)
        .map(Some)
        .map_err(|error| Problem::bad_request(name, error))
}

/// RFC 7468, 13.
fn pem(spki_hex: &str) -> String {
    let text = STANDARD.encode(hex::decode(spki_hex).unwrap_or_default());
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for (at, one) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(one);
    }
    pem + "\n-----END PUBLIC KEY-----\n"
}

fn nothing() -> Problem {
    Problem::not_found("no such key was published here")
}
