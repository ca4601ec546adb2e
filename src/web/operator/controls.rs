//! Who steers which session, since when, and what the CPO last said is active (smart-charging.md 2.2).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::people::Operator;
use super::{Members, Page, Problem, Query, cdrs, page};
use crate::ocpi::ids::{PartyId, key_of};
use crate::ocpi::time;
use crate::profiles::session::{Active, Basis};
use crate::profiles::{Hold, Released, Session, State};
use crate::store::ControlFilter;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    let release = "/operator/v1/controls/{country_code}/{party_id}/{session_id}/release";
    vec![
        Route::get("/operator/v1/controls", Document::Operator, list),
        Route::post(release, Document::Operator, self::release),
    ]
}

/// Sessions that are not over, in the order in which they came to be known.
async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["cpo", "state"])?;
    let page = Page::read(&query)?;
    let state = cdrs::one_of(&query, "state", &["steered", "free"])?;
    let filter = ControlFilter {
        cpo_key: cdrs::party(&query, "cpo")?,
        is_steered: state.map(|state| state == "steered"),
    };
    let (sessions, next) = doors.profiles.list(filter, page.after.as_deref(), page.limit).await?;
    let now = doors.clock.now();
    let items = sessions.iter().map(|session| shown(session, now)).collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

/// Nobody steers it any more, because an operator says so and says why. The CPO is not told: what it does is its own.
async fn release(
    place: Path<(String, String, String)>,
    wish: Members,
    operator: Operator,
    doors: Data<Doors>,
) -> Result<HttpResponse, Problem> {
    wish.only(&["reason"])?;
    let reason = wish.required_text("reason", 500)?;
    let (country_code, party_id, session) = place.into_inner();
    let nothing = || Problem::not_found("there is no such session");
    let cpo = PartyId::new(&country_code, &party_id).map_err(|_| nothing())?;
    key_of(&session).ok_or_else(nothing)?;
    match doors
        .profiles
        .release((&cpo, &session), &operator.name, &reason)
        .await?
    {
        Released::Freed => Ok(HttpResponse::NoContent().finish()),
        Released::WasFree => Err(Problem::conflict("nobody steers this session")),
        Released::Unknown => Err(nothing()),
    }
}

fn shown(session: &Session, now: DateTime<Utc>) -> Value {
    let (state, holder, pending) = match &session.state {
        State::Free => ("FREE", None, None),
        State::Held(hold) => ("HELD", Some(hold), None),
        State::Pending { asked, before } => {
            let pending = json!({"party": asked.party.to_string(), "until": time::write(asked.until)});
            ("PENDING", before.as_ref(), Some(pending))
        }
    };
    json!({
        "cpo": session.cpo.to_string(),
        "session": session.id,
        "emsp": session.emsp.as_ref().map(PartyId::to_string),
        "location": session.location,
        "evse_uid": session.evse,
        "state": state,
        "holder": holder.map(|hold| held(hold, session.emsp.as_ref())),
        "pending": pending,
        "subscribers": session.subscribers.iter().map(|one| one.party.to_string()).collect::<Vec<_>>(),
        "active": session.active.as_ref().map(|active| told(active, now)),
    })
}

/// The last known active profile and how old it is.
pub(crate) fn told(active: &Active, now: DateTime<Utc>) -> Value {
    let profile = serde_json::from_str::<Value>(&active.profile).unwrap_or(Value::Null);
    json!({
        "told_at": time::write(active.at),
        "age_s": (now - active.at).num_seconds().max(0),
        "profile": profile,
    })
}

fn held(hold: &Hold, emsp: Option<&PartyId>) -> Value {
    let kind = match hold.basis {
        Basis::Token => "T1",
        Basis::Contract => "T3",
        Basis::Delegate => "T2",
    };
    // To the CPO it is the eMSP that steers, whoever does so for it.
    let (party, delegate) = match emsp.filter(|_| hold.basis == Basis::Delegate) {
        Some(emsp) => (emsp, Some(hold.party.to_string())),
        None => (&hold.party, None),
    };
    json!({"party": party.to_string(), "delegate": delegate, "kind": kind, "since": time::write(hold.since)})
}
