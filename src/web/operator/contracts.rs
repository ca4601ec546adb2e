//! Contracts of smart charging: who lets which provider steer, where and how long (smart-charging.md 2.1).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::{Value, json};

use super::{Members, Page, Problem, Query, page};
use crate::profiles::{Agreed, Contract};
use crate::web::{Document, Doors, Route};

const ONE: &str = "/operator/v1/contracts/{id}";

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/operator/v1/contracts", Document::Operator, list),
        Route::get(ONE, Document::Operator, show),
        Route::put(ONE, Document::Operator, agree),
        Route::delete(ONE, Document::Operator, end),
    ]
}

async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let page = Page::read(&query)?;
    let (contracts, next) = doors.profiles.contracts(page.after.as_deref(), page.limit).await?;
    let items = contracts.iter().map(shown).collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

async fn show(id: Path<String>, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let found = if is_id(&id) {
        doors.profiles.contract(&id).await?
    } else {
        None
    };
    let contract = found.ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().json(shown(&contract)))
}

/// It holds from its next request on, and what stood under that id does no more.
async fn agree(id: Path<String>, wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    // What is shown can be written.
    let mut document = wish.raw().clone();
    if document.get("configured") == Some(&Value::Bool(false)) {
        document.remove("configured");
    }
    let agreed = doors.profiles.agree(&id, &document).await?;
    let (contract, is_new) = match agreed.map_err(|wrong| Problem::invalid(&wrong.pointer, wrong.reason))? {
        Agreed::Kept { contract, is_new } => (contract, is_new),
        Agreed::Configured => return Err(configured()),
    };
    let mut answer = if is_new {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    Ok(answer.json(shown(&contract)))
}

/// From now on nobody may steer by it; what somebody holds by it counts as free.
async fn end(id: Path<String>, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    if !is_id(&id) {
        return Err(nothing());
    }
    if doors.profiles.end_contract(&id).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(match doors.profiles.contract(&id).await? {
        Some(contract) if contract.is_configured => configured(),
        _ => nothing(),
    })
}

fn shown(contract: &Contract) -> Value {
    let mut document = contract.document();
    document["configured"] = json!(contract.is_configured);
    document
}

/// What no contract can be called is not looked for: not every text is one to a database.
fn is_id(id: &str) -> bool {
    id.bytes().all(|one| one.is_ascii_graphic())
}

fn configured() -> Problem {
    Problem::conflict("this contract stands in the configuration file, and changes there")
}

fn nothing() -> Problem {
    Problem::not_found("there is no such contract")
}
