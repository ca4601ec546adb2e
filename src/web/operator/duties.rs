//! What the hub owes: look at it, try it now, or forgive it.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::{Value, json};

use super::people::Operator;
use super::{Members, Page, Problem, Query, page};
use crate::delivery::kinds;
use crate::ocpi::ids::{PlatformId, key_of};
use crate::ocpi::modules::TOKENS;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::store::outbox::DutyRow;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/operator/v1/duties", Document::Operator, list),
        Route::post("/operator/v1/duties/{id}/retry", Document::Operator, retry),
        Route::post("/operator/v1/duties/{id}/forgive", Document::Operator, forgive),
    ]
}

async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["state"])?;
    let page = Page::read(&query)?;
    let state = query.get("state");
    if state.is_some_and(|state| !["owed", "dead"].contains(&state)) {
        return Err(Problem::bad_request("state", "must be one of owed, dead"));
    }
    let found = doors.store.duty_list(state, page.after.as_deref(), page.limit).await;
    let (rows, next) = found.map_err(|error| Fault::new("listing duties", error))?;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        items.push(view(row, &doors).await?);
    }
    Ok(page::list(&items, next.as_deref()))
}

/// Due now, also when it was dead.
async fn retry(id: Path<String>, operator: Operator, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let duty = get(&id, &doors).await?;
    let again = doors.store.duty_retry(&id, &operator.name, doors.clock.now()).await;
    if !again.map_err(|error| Fault::new("retrying a duty", error))? {
        return Err(Problem::conflict("an attempt is under way"));
    }
    doors.delivery.wake(&PlatformId::from(duty.platform_id.as_str()));
    // It may be done by now: then it is told as it was.
    let duty = doors
        .store
        .duty_get(&id)
        .await
        .map_err(|error| Fault::new("reading a duty", error))?
        .unwrap_or(duty);
    Ok(HttpResponse::Ok().json(view(&duty, &doors).await?))
}

/// No longer owed, because an operator says so and says why. The CDR stays, to be pulled. Who it was says the token; whom they name beside
/// it is a part of the reason.
async fn forgive(
    id: Path<String>,
    wish: Members,
    operator: Operator,
    doors: Data<Doors>,
) -> Result<HttpResponse, Problem> {
    wish.only(&["reason", "by"])?;
    let mut reason = wish.required_text("reason", 500)?;
    if let Some(by) = wish.text("by", 100)? {
        reason = format!("{reason} (for {by})");
    }
    get(&id, &doors).await?;
    let forgiven = doors
        .store
        .duty_forgive(&id, &reason, &operator.name, doors.clock.now())
        .await;
    if !forgiven.map_err(|error| Fault::new("forgiving a duty", error))? {
        return Err(nothing());
    }
    Ok(HttpResponse::NoContent().finish())
}

async fn get(id: &str, doors: &Doors) -> Result<DutyRow, Problem> {
    key_of(id).ok_or_else(nothing)?;
    let found = doors
        .store
        .duty_get(id)
        .await
        .map_err(|error| Fault::new("reading a duty", error))?;
    found.ok_or_else(nothing)
}

fn nothing() -> Problem {
    Problem::not_found("there is no such duty")
}

async fn view(duty: &DutyRow, doors: &Doors) -> Result<Value, Problem> {
    let object = if duty.kind == kinds::CLIENT_INFO {
        let owed = doors.store.client_info_duty(&duty.id).await;
        let owed = owed.map_err(|error| Fault::new("reading a ClientInfo", error))?;
        owed.map(|owed| {
            format!(
                "{}/{}/{}",
                owed.shown.country_code, owed.shown.party_id, owed.shown.role
            )
        })
    } else if duty.kind == kinds::BROADCAST {
        let missed = doors.store.mirror_at(&duty.object_id).await;
        let missed = missed.map_err(|error| Fault::new("reading an object of the mirror", error))?;
        missed.map(|missed| match missed.module == TOKENS.identifier {
            // Whose it is and not which: a token is a driver's (N-07).
            true => format!("{}/{}", missed.module, missed.owner_key),
            false => format!("{}/{}/{}", missed.module, missed.owner_key, missed.object_id),
        })
    } else if duty.kind == kinds::CONFIRMATION {
        Some(format!("registrations/{}", duty.object_id))
    } else if [kinds::PUBLIC_KEYS, kinds::CDR_VALIDATIONS, kinds::SESSION].contains(&duty.kind.as_str()) {
        let owed = doors.store.notice(&duty.id).await;
        let owed = owed.map_err(|error| Fault::new("reading a notice", error))?;
        owed.map(|owed| owed.message.object)
    } else {
        let cdr = doors.store.cdr_by_row(&duty.object_id).await;
        let cdr = cdr.map_err(|error| Fault::new("reading a CDR", error))?;
        cdr.map(|cdr| format!("{}/{}", cdr.cpo_key, cdr.cdr_id))
    };
    Ok(json!({
        "id": duty.id,
        "kind": duty.kind,
        "state": duty.state,
        "platform": duty.platform_id,
        "object": object,
        "attempts": duty.attempts,
        "next_attempt_at": time::write(duty.next_attempt_at),
        "give_up_at": time::write(duty.give_up_at),
        "created_at": time::write(duty.created_at),
        "last_outcome": duty.last_outcome,
    }))
}
