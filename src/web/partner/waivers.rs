//! Waivers: for whom of its customers an eMSP does without conformity (key-registry.md 4.1, SAF-37).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Partner;
use super::repeat::Repeatable;
use crate::ocpi::ids::PartyId;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::registry::waivers::{NewWaiver, NotWaived, Scope, Told, Waived};
use crate::web::keys::claim;
use crate::web::operator::{Members, Page, Problem, Query, page};
use crate::web::{Document, Doors, Route};

const ALL: &str = "/partner/v1/waivers";

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get(ALL, Document::Partner, list),
        Route::get("/partner/v1/waivers/{id}", Document::Partner, show),
        Route::put("/partner/v1/waivers/{id}", Document::Partner, put),
    ]
}

/// A new one, or another end of one that is there.
async fn put(
    partner: Partner,
    id: Path<String>,
    _repeatable: Repeatable,
    wish: Members,
    doors: Data<Doors>,
) -> Result<HttpResponse, Problem> {
    let emsp = acting(&partner)?;
    wish.only(&["scope", "from", "to"])?;
    let new = NewWaiver {
        // Ids stand in a log that is for everybody: one that is a UUID names no driver.
        id: Uuid::parse_str(&id).map_err(|_| Problem::bad_request("id", "must be a UUID"))?,
        emsp,
        scope: scope(&wish)?,
        from: claim::instant(&wish, "from")?.ok_or_else(|| wish.missing("from"))?,
        to: claim::instant(&wish, "to")?,
    };
    match doors.registry.waive(new).await? {
        Waived::New(told) => {
            let location = format!("{}{ALL}/{}", doors.parties.settings().public_url, told.waiver.id);
            Ok(HttpResponse::Created()
                .insert_header(("Location", location))
                .json(shown(&told)))
        }
        Waived::Changed(told) | Waived::Same(told) => Ok(HttpResponse::Ok().json(shown(&told))),
    }
}

/// Exactly one member says for whom.
fn scope(wish: &Members) -> Result<Scope, Problem> {
    let scope = wish.object("scope")?.ok_or_else(|| wish.missing("scope"))?;
    scope.only(&["contract_id", "tariff_id", "cpo", "all"])?;
    let contract_id = scope.text("contract_id", 36)?;
    let tariff_id = scope.text("tariff_id", 36)?;
    let cpo = claim::party(&scope, "cpo")?.map(|party| party.key());
    let all = scope.switch("all")?.unwrap_or(false);
    match (contract_id, tariff_id, cpo, all) {
        (Some(contract_id), None, None, false) => Ok(Scope::Contract { contract_id }),
        (None, Some(tariff_id), cpo, false) => Ok(Scope::Tariff { tariff_id, cpo }),
        (None, None, None, true) => Ok(Scope::All),
        _ => Err(Problem::invalid(
            "/scope",
            "must have contract_id, or tariff_id with or without its cpo, or all: true",
        )),
    }
}

async fn list(partner: Partner, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let emsps = partner.asking.emsp_keys;
    listed(&query, &doors, |told| emsps.contains(&told.waiver.emsp)).await
}

/// A page of the waivers that fit, in the order of eMSPs and ids.
pub async fn listed(query: &Query, doors: &Doors, fits: impl Fn(&Told) -> bool) -> Result<HttpResponse, Problem> {
    let page = Page::read(query)?;
    refresh(doors).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut found: Vec<Told> = {
        let index = doors.registry.index();
        let behind = index.waivers().after(page.after.as_deref().unwrap_or_default());
        behind
            .filter(|told| fits(told))
            .take(limit.saturating_add(1))
            .cloned()
            .collect()
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|told| told.waiver.name());
    let items = found.iter().map(shown).collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

async fn show(partner: Partner, id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let nothing = || Problem::not_found("there is no such waiver");
    let id = Uuid::parse_str(&id).map_err(|_| nothing())?.to_string();
    refresh(&doors).await?;
    let index = doors.registry.index();
    let mut own = partner.asking.emsp_keys.iter();
    let found = own
        .find_map(|emsp| index.waivers().get(emsp, &id))
        .ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().json(shown(found)))
}

/// The one eMSP that speaks: with several on a platform, `OCPI-from-*` must say which.
fn acting(partner: &Partner) -> Result<PartyId, Problem> {
    match partner.asking.emsp_keys.as_slice() {
        [only] => PartyId::from_slash(only).map_err(|_| Problem::forbidden("this party cannot speak here")),
        [] => Err(Problem::forbidden("only an eMSP can do without conformity")),
        _ => Err(Problem::bad_request(
            "OCPI-from-party-id",
            "must name one of the eMSPs of this platform, with OCPI-from-country-code",
        )),
    }
}

async fn refresh(doors: &Doors) -> Result<(), Fault> {
    let refreshed = doors.registry.refresh().await;
    refreshed.map_err(|error| Fault::new("reading the key registry", error))
}

/// A waiver as its eMSP and the people of the hub may see it.
#[must_use]
pub fn shown(told: &Told) -> Value {
    let waiver = &told.waiver;
    let party = |key: &str| {
        let (country_code, party_id) = key.split_once('/').unwrap_or_default();
        json!({"country_code": country_code, "party_id": party_id})
    };
    let scope = match &waiver.scope {
        Scope::Contract { contract_id } => json!({"contract_id": contract_id}),
        Scope::Tariff { tariff_id, cpo: None } => json!({"tariff_id": tariff_id}),
        Scope::Tariff {
            tariff_id,
            cpo: Some(cpo),
        } => json!({"tariff_id": tariff_id, "cpo": party(cpo)}),
        Scope::All => json!({"all": true}),
    };
    json!({
        "id": waiver.id,
        "version": waiver.version,
        "emsp": party(&waiver.emsp),
        "scope": scope,
        "from": time::write(waiver.from),
        "to": waiver.to.map(time::write),
        "created_at": time::write(waiver.made_at),
        "updated_at": time::write(told.at),
    })
}

impl From<NotWaived> for Problem {
    fn from(why: NotWaived) -> Problem {
        match why {
            NotWaived::Empty => Problem::invalid("/to", why),
            NotWaived::Another | NotWaived::Ended => Problem::conflict(why.to_string()),
            NotWaived::Failed(error) => Fault::new("entering a waiver", error).into(),
        }
    }
}
