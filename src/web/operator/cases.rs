//! Cases: doubts about earlier values of a meter, for a person to clear up (key-registry.md SAF-44).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::{Value, json};

use super::{Members, Page, Problem, Query, cdrs, page};
use crate::ocpi::ids::key_of;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::store::evidence::{CaseMember, CaseRow};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/operator/v1/cases", Document::Operator, list),
        Route::get("/operator/v1/cases/{id}", Document::Operator, show),
        Route::post("/operator/v1/cases/{id}/close", Document::Operator, close),
    ]
}

async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["state", "cpo"])?;
    let page = Page::read(&query)?;
    let state = cdrs::one_of(&query, "state", &["open", "closed"])?;
    let cpo = cdrs::party(&query, "cpo")?;
    let open = state.map(|state| state == "open");
    let found = doors
        .store
        .case_list(open, cpo.as_deref(), page.after.as_deref(), page.limit)
        .await;
    let (rows, next) = found.map_err(|error| Fault::new("listing cases", error))?;
    let items = rows.iter().map(item).collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

/// One case: what was found, and a page of the CDRs it touches.
async fn show(id: Path<String>, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let page = Page::read(&query)?;
    let case = find(&id, &doors).await?;
    let reading = |error| Fault::new("reading a case", error);
    let findings = doors.store.case_findings(&case.id).await.map_err(reading)?;
    let members = doors
        .store
        .case_members(&case.id, page.after.as_deref(), page.limit)
        .await;
    let (members, next) = members.map_err(reading)?;
    let last_good = match &case.last_good {
        Some(row_id) => doors.store.cdr_by_row(row_id).await.map_err(reading)?,
        None => None,
    };
    let mut document = item(&case);
    document["last_good"] = json!(last_good.map(|cdr| {
        json!({"country_code": cdr.country_code, "party_id": cdr.party_id, "id": cdr.cdr_id, "metering_status": cdr.metering_status})
    }));
    document["findings"] = findings
        .iter()
        .map(|one| json!({"cdr": member(&one.cdr), "code": one.code, "message": one.message, "found_at": time::write(one.found_at)}))
        .collect();
    document["cdrs"] = json!({
        "items": members.iter().map(member).collect::<Vec<_>>(),
        "next_cursor": next.as_deref().map(page::closed),
    });
    Ok(HttpResponse::Ok().json(document))
}

/// Cleared up, because somebody says so and says why. What was found stays readable.
async fn close(id: Path<String>, wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    wish.only(&["reason", "actor"])?;
    let reason = wish.required_text("reason", 500)?;
    let actor = wish.required_text("actor", 100)?;
    let case = find(&id, &doors).await?;
    let closed = doors
        .store
        .case_close(&case.id, &actor, &reason, doors.clock.now())
        .await;
    if !closed.map_err(|error| Fault::new("closing a case", error))? {
        return Err(Problem::conflict("the case is closed"));
    }
    Ok(HttpResponse::Ok().json(item(&find(&id, &doors).await?)))
}

async fn find(id: &str, doors: &Doors) -> Result<CaseRow, Problem> {
    let nothing = || Problem::not_found("there is no such case");
    key_of(id).ok_or_else(nothing)?;
    let found = doors.store.case_get(id).await;
    found
        .map_err(|error| Fault::new("reading a case", error))?
        .ok_or_else(nothing)
}

fn item(case: &CaseRow) -> Value {
    json!({
        "id": case.id,
        "cpo": case.cpo_key,
        "subject": {"kind": case.subject_kind, "name": case.shown_as},
        "state": if case.closed_at.is_some() { "closed" } else { "open" },
        "opened_at": time::write(case.opened_at),
        "closed_at": case.closed_at.map(time::write),
        "closed_by": case.closed_by,
        "reason": case.reason,
        "cdr_count": case.cdrs,
    })
}

fn member(one: &CaseMember) -> Value {
    json!({
        "country_code": one.country_code,
        "party_id": one.party_id,
        "id": one.cdr_id,
        "metering_status": one.metering_status,
    })
}
