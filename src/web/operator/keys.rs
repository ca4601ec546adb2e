//! Meter keys for the people who run the hub: register, look at, decide, end (design.md 3.4, key-registry.md 4).

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data, Path};

use super::{Members, Page, Problem, Query, page};
use crate::ocpi::ids::key_of;
use crate::parties::Fault;
use crate::registry::lifecycle::State;
use crate::registry::record::Registration;
use crate::registry::{Actor, Decision, Declined, Submitted, Wish};
use crate::web::keys::{claim, paper, view};
use crate::web::{Document, Doors, Route};

const ALL: &str = "/operator/v1/keys";

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::post(ALL, Document::Operator, register),
        Route::get(ALL, Document::Operator, list),
        Route::post("/operator/v1/keys/checkpoint", Document::Operator, checkpoint),
        Route::get("/operator/v1/keys/{id}", Document::Operator, show),
        Route::get("/operator/v1/keys/{id}/evidence/{hash}", Document::Operator, evidence),
        Route::post("/operator/v1/keys/{id}/accept", Document::Operator, accept),
        Route::post("/operator/v1/keys/{id}/refuse", Document::Operator, refuse),
        Route::post("/operator/v1/keys/{id}/withdraw", Document::Operator, withdraw),
        Route::post("/operator/v1/keys/{id}/release", Document::Operator, release),
        Route::post("/operator/v1/keys/{id}/hardware", Document::Operator, hardware),
        Route::post("/operator/v1/keys/{id}/deactivate", Document::Operator, deactivate),
    ]
}

async fn register(wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let claim = claim::read(&wish, None)?;
    let submitted = doors.registry.submit(claim, &Actor::Operator).await;
    match submitted.map_err(|error| Fault::new("registering a key", error))? {
        Submitted::New(one) => {
            let location = format!("{}{ALL}/{}", doors.parties.settings().public_url, one.id);
            Ok(HttpResponse::Created()
                .insert_header(("Location", location))
                .json(view::whole(&one)))
        }
        // PC-09: the registration that stands.
        Submitted::Existing(one) => Ok(HttpResponse::Ok().json(view::whole(&one))),
        Submitted::Refused(kept, findings) => Err(view::refused(kept.as_deref(), &findings)),
    }
}

async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["state"])?;
    let page = Page::read(&query)?;
    let state = match query.get("state") {
        None => None,
        Some(word) => {
            Some(State::parse(word).ok_or_else(|| Problem::bad_request("state", "is no state of a registration"))?)
        }
    };
    refresh(&doors).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut found: Vec<Registration> = doors
        .registry
        .index()
        .after(page.after.as_deref().unwrap_or_default())
        .map(|one| one.now())
        .filter(|one| state.is_none_or(|state| one.state == state))
        .take(limit.saturating_add(1))
        .cloned()
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|one| one.id.clone());
    let items = found.iter().map(view::whole).collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

async fn show(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    refresh(&doors).await?;
    let found = doors.registry.latest(&known(&id)?).ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().json(view::whole(&found)))
}

async fn evidence(name: Path<(String, String)>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let (id, hash) = name.into_inner();
    refresh(&doors).await?;
    let found = doors.registry.latest(&known(&id)?).ok_or_else(nothing)?;
    paper::hand_out(&found, &hash, &doors).await
}

async fn accept(id: Path<String>, wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    decide(&id, Decision::Accept, &wish, &doors).await
}

async fn refuse(id: Path<String>, wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    decide(&id, Decision::Refuse, &wish, &doors).await
}

async fn decide(id: &str, decision: Decision, wish: &Members, doors: &Doors) -> Result<HttpResponse, Problem> {
    wish.only(&["reason"])?;
    let reason = wish.required_text("reason", 500)?;
    answer(doors.registry.decide(&known(id)?, decision, &reason).await)
}

async fn withdraw(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    answer(
        doors
            .registry
            .wish(&known(&id)?, &Wish::Withdraw, &Actor::Operator)
            .await,
    )
}

async fn release(id: Path<String>, wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    wish.only(&["to"])?;
    let to = claim::party(&wish, "to")?.ok_or_else(|| wish.missing("to"))?;
    answer(
        doors
            .registry
            .wish(&known(&id)?, &Wish::Release(to), &Actor::Operator)
            .await,
    )
}

async fn hardware(id: Path<String>, wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let described: Vec<&str> = claim::UNIT.into_iter().skip(3).collect();
    wish.only(&described)?;
    let wish = Wish::Exchange(Box::new(claim::description(&wish)?));
    answer(doors.registry.wish(&known(&id)?, &wish, &Actor::Operator).await)
}

/// Without a body, now.
async fn deactivate(id: Path<String>, body: Bytes, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let at = claim::optional(&body)?.map_or(Ok(None), |wish| {
        wish.only(&["at"])?;
        claim::instant(&wish, "at")
    })?;
    let wish = Wish::Deactivate(at);
    answer(doors.registry.wish(&known(&id)?, &wish, &Actor::Operator).await)
}

async fn checkpoint(doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let signed = doors.registry.checkpoint().await;
    Ok(HttpResponse::Ok().json(signed.map_err(|error| Fault::new("signing a checkpoint", error))?))
}

async fn refresh(doors: &Doors) -> Result<(), Fault> {
    let refreshed = doors.registry.refresh().await;
    refreshed.map_err(|error| Fault::new("reading the key registry", error))
}

/// What is no id finds nothing.
fn known(id: &str) -> Result<String, Problem> {
    key_of(id).ok_or_else(nothing)?;
    Ok(id.to_owned())
}

fn answer(outcome: Result<Registration, Declined>) -> Result<HttpResponse, Problem> {
    match outcome {
        Ok(one) => Ok(HttpResponse::Ok().json(view::whole(&one))),
        Err(declined) => Err(declined.into()),
    }
}

impl From<Declined> for Problem {
    fn from(declined: Declined) -> Problem {
        match declined {
            Declined::Unknown => nothing(),
            Declined::NotThen => Problem::invalid("/at", declined),
            Declined::NotNow(_) | Declined::TooMuch | Declined::Unproven => Problem::conflict(declined.to_string()),
            Declined::Contradicts(findings) => view::refused(None, &findings),
            Declined::Failed(error) => Fault::new("changing a registration", error).into(),
        }
    }
}

fn nothing() -> Problem {
    Problem::not_found("there is no such key")
}
