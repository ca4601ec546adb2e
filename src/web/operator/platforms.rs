//! Platforms: list, register, amend, suspend, resume, a fresh TOKEN_A, delete.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::{Map, json};

use super::view::PlatformView;
use super::{Members, Page, Problem, Query, page};
use crate::config::Secret;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::role::Role;
use crate::ocpi::url;
use crate::parties::operate::Listed;
use crate::routing::directory::{Platform, PlatformStatus};
use crate::web::{Document, Doors, Route};

const ALL: &str = "/operator/v1/platforms";
const ONE: &str = "/operator/v1/platforms/{id}";

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::post(ALL, Document::Operator, plan),
        Route::get(ALL, Document::Operator, list),
        Route::get(ONE, Document::Operator, show),
        Route::patch(ONE, Document::Operator, amend),
        Route::delete(ONE, Document::Operator, remove),
        Route::post("/operator/v1/platforms/{id}/register", Document::Operator, register),
        Route::post("/operator/v1/platforms/{id}/suspend", Document::Operator, suspend),
        Route::post("/operator/v1/platforms/{id}/resume", Document::Operator, resume),
        Route::post("/operator/v1/platforms/{id}/token", Document::Operator, fresh_token),
    ]
}

/// The longest name of a platform: that of a business in OCPI.
const MAX_NAME: usize = 100;
/// The most entries in one list of parties. The largest known platforms host a few hundred.
const MAX_PARTIES: usize = 1000;

async fn plan(wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    wish.only(&["name", "parties", "options"])?;
    let name = wish.required_text("name", MAX_NAME)?;
    let listed = listed(&wish, &name)?.ok_or_else(|| wish.missing("parties"))?;
    let options = wish
        .object("options")?
        .map_or_else(Map::new, |options| options.raw().clone());
    let (platform, token) = doors.parties.plan(name, listed, &options).await?;
    let mut answer = json!(view(&doors, &platform));
    if let Some(members) = answer.as_object_mut() {
        members.insert("token_a".to_owned(), json!(token.expose()));
    }
    let location = format!("{}{ALL}/{}", doors.parties.settings().public_url, platform.id);
    Ok(HttpResponse::Created()
        .insert_header(("Location", location))
        .json(answer))
}

async fn list(query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&[])?;
    let page = Page::read(&query)?;
    let snapshot = doors.parties.snapshot();
    let all = snapshot.directory().platforms().cloned().collect::<Vec<_>>();
    let (platforms, next) = page.cut(all, |platform| platform.id.to_string());
    let items = platforms
        .iter()
        .map(|platform| view(&doors, platform))
        .collect::<Vec<_>>();
    Ok(page::list(&items, next.as_deref()))
}

async fn show(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let platform = doors
        .parties
        .snapshot()
        .directory()
        .platform(&PlatformId::from(id.into_inner()));
    let platform = platform.ok_or_else(|| Problem::not_found("there is no such platform"))?;
    Ok(HttpResponse::Ok().json(view(&doors, &platform)))
}

async fn amend(id: Path<String>, wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    wish.only(&["name", "parties", "options"])?;
    let id = PlatformId::from(id.into_inner());
    let name = wish.text("name", MAX_NAME)?;
    // A party listed without a name goes by that of its platform.
    let fallback = name
        .clone()
        .or_else(|| Some(doors.parties.snapshot().directory().platform(&id)?.name.clone()));
    let listed = listed(&wish, &fallback.unwrap_or_default())?;
    let options = wish.object("options")?;
    let platform = doors
        .parties
        .amend(&id, name, listed, options.as_ref().map(Members::raw))
        .await?;
    Ok(HttpResponse::Ok().json(view(&doors, &platform)))
}

async fn remove(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    doors.parties.remove(&PlatformId::from(id.into_inner())).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The hub starts the handshake. It goes on when the operator hangs up: a peer may already have said yes.
async fn register(id: Path<String>, wish: Members, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    wish.only(&["versions_url", "token_a"])?;
    let id = PlatformId::from(id.into_inner());
    let versions_url = wish.text("versions_url", 255)?;
    if versions_url.as_deref().is_some_and(|text| !url::is_web_url(text)) {
        return Err(Problem::invalid(
            "/versions_url",
            "must be an absolute http or https URL of at most 255 characters",
        ));
    }
    // At most 64 characters, and none that a header could not carry (T-07).
    let token_a = wish.text("token_a", 64)?;
    if token_a
        .as_deref()
        .is_some_and(|token| !token.chars().all(|c| c.is_ascii_graphic()))
    {
        return Err(Problem::invalid(
            "/token_a",
            "must consist of printable ASCII characters without blanks",
        ));
    }
    let parties = doors.parties.clone();
    let handshake = tokio::spawn(async move { parties.register(&id, versions_url, token_a.map(Secret::new)).await });
    let platform = match handshake.await {
        Ok(done) => done?,
        Err(broken) => {
            return Err(crate::parties::Fault::new("a handshake ended halfway", broken).into());
        }
    };
    Ok(HttpResponse::Ok().json(view(&doors, &platform)))
}

async fn suspend(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let platform = doors.parties.suspend(&PlatformId::from(id.into_inner())).await?;
    Ok(HttpResponse::Ok().json(view(&doors, &platform)))
}

async fn resume(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let platform = doors.parties.resume(&PlatformId::from(id.into_inner())).await?;
    Ok(HttpResponse::Ok().json(view(&doors, &platform)))
}

async fn fresh_token(id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    let id = PlatformId::from(id.into_inner());
    let token = doors.parties.fresh_token(&id).await?;
    let answer = json!({"id": id.as_str(), "token_a": token.expose(), "versions_url": doors.parties.versions_url()});
    Ok(HttpResponse::Ok().json(answer))
}

fn view(doors: &Doors, platform: &Platform) -> PlatformView {
    let since = doors.parties.snapshot().since(&platform.id);
    let breaker = doors.delivery.breaker(&platform.id);
    PlatformView::new(platform, doors.parties.versions_url(), since, breaker)
}

/// The parties of a request, one entry per role.
fn listed(wish: &Members, fallback: &str) -> Result<Option<Vec<Listed>>, Problem> {
    let Some(entries) = wish.list("parties", 1, MAX_PARTIES)? else {
        return Ok(None);
    };
    let mut listed = Vec::new();
    for (pointer, value) in entries {
        let entry = Members::of(value, &pointer)?;
        // `status` is in every answer of ours: what was read may be sent back.
        entry.only(&["country_code", "party_id", "roles", "name", "status"])?;
        if entry
            .text("status", 9)?
            .is_some_and(|word| PlatformStatus::parse(&word).is_none())
        {
            return Err(Problem::invalid(
                &entry.at("status"),
                "must be one of PLANNED, CONNECTED, OFFLINE, SUSPENDED",
            ));
        }
        let country_code = entry.required_text("country_code", 2)?;
        let party_id = entry.required_text("party_id", 3)?;
        let party = PartyId::new(&country_code, &party_id)
            .map_err(|e| Problem::invalid(&e.member().map_or(pointer, |member| entry.at(member)), e))?;
        let name = entry.text("name", MAX_NAME)?.unwrap_or_else(|| fallback.to_owned());
        let roles = entry
            .list("roles", 1, Role::ALL.len())?
            .ok_or_else(|| entry.missing("roles"))?;
        for (pointer, role) in roles {
            let role = role
                .as_str()
                .and_then(Role::parse)
                .ok_or_else(|| Problem::invalid(&pointer, "must be one of CPO, EMSP, HUB, NAP, NSP, OTHER, SCSP"))?;
            listed.push(Listed {
                party: party.clone(),
                role,
                name: name.clone(),
                pointer,
            });
        }
    }
    Ok(Some(listed))
}
