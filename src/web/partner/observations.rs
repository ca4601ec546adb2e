//! Keys and serial numbers heard of without a registration, for the operator who should register them; and what its charge points report.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::Partner;
use super::repeat::Repeatable;
use crate::metering::key::{KeyError, PublicKey};
use crate::metering::limits::MAX_KEY_TEXT;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::registry::Registry;
use crate::registry::evse_id::EvseId;
use crate::registry::observations::{Heard, HeardIn, Subject};
use crate::store::ObservationRow;
use crate::web::keys::claim;
use crate::web::operator::{Members, Page, Problem, Query, page};
use crate::web::{Document, Doors, Route};

const ALL: &str = "/partner/v1/observations";

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get(ALL, Document::Partner, list),
        Route::post(ALL, Document::Partner, report),
    ]
}

async fn list(partner: Partner, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["source"])?;
    listed(&query, &doors, Some(&partner.asking.cpo_keys)).await
}

/// A page of the observations of these operators, or of all.
pub async fn listed(query: &Query, doors: &Doors, cpo_keys: Option<&[String]>) -> Result<HttpResponse, Problem> {
    let page = Page::read(query)?;
    let source = match query.get("source") {
        None => None,
        Some(word) => Some(
            HeardIn::parse(word)
                .ok_or_else(|| Problem::bad_request("source", SOURCES))?
                .as_str(),
        ),
    };
    let refreshed = doors.registry.refresh().await;
    refreshed.map_err(|error| Fault::new("reading the key registry", error))?;
    let found = doors
        .store
        .observation_list(cpo_keys, source, page.after.as_deref(), page.limit)
        .await;
    let (rows, next) = found.map_err(|error| Fault::new("listing observations", error))?;
    let items = rows.iter().map(|row| shown(row, &doors.registry)).collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

const SOURCES: &str = "must be CDR, OCPP or GET_CONFIGURATION";

/// What a charge point reported: the text of `MeterPublicKeyN`, in any spelling.
async fn report(
    partner: Partner,
    _repeatable: Repeatable,
    wish: Members,
    doors: Data<Doors>,
) -> Result<HttpResponse, Problem> {
    wish.only(&["evse_id", "public_key", "meter_serial", "source", "observed_at"])?;
    let now = doors.clock.now();
    let evse_id = wish.required_text("evse_id", 48)?;
    let evse =
        EvseId::read(&evse_id).ok_or_else(|| Problem::invalid("/evse_id", "is no EVSE-ID like DE*ABC*E100001"))?;
    // PC-12
    if !partner.asking.cpo_keys.contains(&evse.operator()) {
        return Err(Problem::invalid(
            "/evse_id",
            "names an operator that the caller does not speak for",
        ));
    }
    let source = match HeardIn::parse(&wish.required_text("source", 20)?) {
        Some(source @ (HeardIn::Ocpp | HeardIn::GetConfiguration)) => source,
        _ => return Err(Problem::invalid("/source", "must be OCPP or GET_CONFIGURATION")),
    };
    let at = claim::instant(&wish, "observed_at")?.unwrap_or(now);
    if at > now {
        return Err(Problem::invalid("/observed_at", "must not be in the future"));
    }
    let heard = Heard {
        cpo_key: evse.operator(),
        evse_id: Some(evse_id),
        evse_uid: None,
        subject: Subject::Key(Box::new(key(&wish)?)),
        meter_serial: wish.text("meter_serial", 64)?,
        gateway_serial: None,
        source,
        at,
        cdr: None,
    };
    let noted = doors.registry.report(heard).await;
    let noted = noted.map_err(|error| Fault::new("noting an observation", error))?;
    let noted = noted.ok_or_else(|| Fault::found("an observation was noted and is not there"))?;
    Ok(HttpResponse::Ok().json(shown(&noted, &doors.registry)))
}

/// Nothing of the text is ever repeated: it may have been a private key (PC-17).
fn key(wish: &Members) -> Result<PublicKey, Problem> {
    let text = claim::long_text(wish, "public_key", MAX_KEY_TEXT)?.ok_or_else(|| wish.missing("public_key"))?;
    PublicKey::read(&text, None).map_err(|error| {
        let code = match error {
            KeyError::PrivateKey => "PRIVATE_KEY_SUBMITTED",
            _ => "PUBLIC_KEY_UNREADABLE",
        };
        Problem::invalid("/public_key", &error).with("code", json!(code))
    })
}

fn shown(row: &ObservationRow, registry: &Registry) -> Value {
    let (country_code, party_id) = row.cpo_key.split_once('/').unwrap_or_default();
    let registered = registry.registered_meanwhile(row);
    json!({
        "id": row.id,
        "cpo": {"country_code": country_code, "party_id": party_id},
        "source": row.source,
        "kind": row.kind,
        "name": row.name,
        "evse_id": row.evse_id,
        "evse_uid": row.evse_uid,
        "public_key": row.public_key,
        "curve": row.curve,
        "meter_serial": row.meter_serial,
        "gateway_serial": row.gateway_serial,
        "first_seen": time::write(row.first_seen),
        "last_seen": time::write(row.last_seen),
        "count": row.times,
        "last_cdr": row.last_cdr,
        "registration": registered.map(|one| json!({"id": one.id, "state": one.state.as_str(), "evse_id": one.evse_id})),
    })
}
