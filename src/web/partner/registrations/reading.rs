//! Reading one's own registrations: what became of them, whether their submitter was told, and who asks for a release.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::{Value, json};

use super::{ALL, Partner, find, is_of, operators_only, refresh};
use crate::ocpi::time;
use crate::parties::Fault;
use crate::registry::index::Index;
use crate::registry::lifecycle::State;
use crate::registry::record::{Reason, Registration};
use crate::store::confirmations::ConfirmationRow;
use crate::web::keys::view;
use crate::web::operator::{Page, Problem, Query, page};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get(ALL, Document::Partner, list),
        Route::get("/partner/v1/registrations/{id}", Document::Partner, show),
    ]
}

/// In the order they were made. `awaiting=release`: those that another operator asks to be released to it (SAF-54).
async fn list(partner: Partner, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    operators_only(&partner)?;
    query.only(&["state", "awaiting"])?;
    let page = Page::read(&query)?;
    let state = query
        .get("state")
        .map(|word| State::parse(word).ok_or_else(|| Problem::bad_request("state", "is no state of a registration")))
        .transpose()?;
    let is_awaited = match query.get("awaiting") {
        None => false,
        Some("release") => true,
        Some(_) => return Err(Problem::bad_request("awaiting", "must be release")),
    };
    refresh(&doors).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let (mut found, asked) = {
        let index = doors.registry.index();
        let asked = asked_for(&index);
        let found: Vec<Registration> = index
            .after(page.after.as_deref().unwrap_or_default())
            .map(|one| one.now())
            .filter(|one| is_of(one, &partner) && state.is_none_or(|state| one.state == state))
            .filter(|one| !is_awaited || asked.contains_key(&one.id))
            .take(limit.saturating_add(1))
            .cloned()
            .collect();
        (found, asked)
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|one| one.id.clone());
    Ok(page::list(&shown(&found, &asked, &doors).await?, next.as_deref()))
}

async fn show(partner: Partner, id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    operators_only(&partner)?;
    let one = find(&partner, &id, &doors).await?;
    let asked = asked_for(&doors.registry.index());
    let shown = shown(&[one], &asked, &doors).await?;
    Ok(HttpResponse::Ok().json(shown.first()))
}

/// Which operators ask for the release of which registration: take-overs that wait for it.
fn asked_for(index: &Index) -> HashMap<String, Vec<String>> {
    let mut asked: HashMap<String, Vec<String>> = HashMap::new();
    let waiting = index.waiting().map(|one| one.now());
    for one in waiting.filter(|one| one.state == State::Submitted && one.reason == Reason::TakeOver) {
        let old = one
            .supersedes
            .as_deref()
            .and_then(|old| index.get(old))
            .map(|old| old.now());
        if let Some(old) = old.filter(|old| old.state == State::Confirmed && !old.is_released_to(&one.cpo)) {
            asked.entry(old.id.clone()).or_default().push(one.cpo.clone());
        }
    }
    asked
}

async fn shown(
    registrations: &[Registration],
    asked: &HashMap<String, Vec<String>>,
    doors: &Doors,
) -> Result<Vec<Value>, Problem> {
    let ids: Vec<String> = registrations.iter().map(|one| one.id.clone()).collect();
    let told = doors.store.confirmations_of(&ids).await;
    let told = told.map_err(|error| Fault::new("reading confirmations", error))?;
    let shown = registrations.iter().map(|one| {
        let mut shown = view::whole(one);
        // The newest, where there are several.
        let told = told.iter().rev().find(|told| told.registration == one.id);
        shown["confirmation"] = confirmation(one, told);
        shown["release_asked_by"] = asked.get(&one.id).into_iter().flatten().map(|cpo| party(cpo)).collect();
        shown
    });
    Ok(shown.collect())
}

/// Whether whoever submitted it was told: null where nobody wants to be.
fn confirmation(one: &Registration, told: Option<&ConfirmationRow>) -> Value {
    match (told, &one.confirm_to) {
        (Some(told), _) => json!({
            "state": told.state,
            "attempts": told.attempts,
            "last": told.last_at.map(|at| json!({"at": time::write(at), "outcome": told.last_outcome})),
        }),
        (None, Some(_)) => json!({"state": "awaited", "attempts": 0, "last": null}),
        (None, None) => Value::Null,
    }
}

fn party(key: &str) -> Value {
    let (country_code, party_id) = key.split_once('/').unwrap_or_default();
    json!({"country_code": country_code, "party_id": party_id})
}
