//! Which EVSEs claim in their location to be calibrated, and whether the registry confirms it: for the CPO whose location it is and for
//! every eMSP that may see it (key-registry.md SAF-13, SAF-38).

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::Partner;
use crate::ocpi::ids::PartyId;
use crate::ocpi::modules::LOCATIONS;
use crate::ocpi::role::Role;
use crate::ocpi::time;
use crate::parties::Fault;
use crate::registry::conformity::{self, EvseClaim, NOT_CONFIRMED, Upheld};
use crate::routing::audience::visible_owners;
use crate::web::operator::{Page, Problem, Query, page};
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/partner/v1/conformity", Document::Partner, list)]
}

async fn list(partner: Partner, query: Query, doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    query.only(&["state"])?;
    let mut owners = partner.asking.cpo_keys;
    // What an eMSP may not see in a location it does not learn here.
    let emsps = partner.asking.emsp_keys.iter();
    let readers: Vec<(PartyId, Role)> = emsps
        .filter_map(|key| Some((PartyId::from_slash(key).ok()?, Role::Emsp)))
        .collect();
    let seen = visible_owners(doors.parties.snapshot().directory(), &LOCATIONS, &readers);
    owners.extend(seen.iter().map(PartyId::key));
    listed(&query, &doors, Some(&owners)).await
}

/// Locations read at once.
const PORTION: u32 = 200;

/// A page of the claims in locations of these owners, or of all. The EVSEs of one location are never on two pages.
pub async fn listed(query: &Query, doors: &Doors, owners: Option<&[String]>) -> Result<HttpResponse, Problem> {
    let page = Page::read(query)?;
    let wanted = match query.get("state") {
        None => None,
        Some("confirmed") => Some(true),
        Some("unconfirmed") => Some(false),
        Some(_) => return Err(Problem::bad_request("state", "must be confirmed or unconfirmed")),
    };
    let refreshed = doors.registry.refresh().await;
    refreshed.map_err(|error| Fault::new("reading the key registry", error))?;
    let (now, limit) = (doors.clock.now(), usize::try_from(page.limit).unwrap_or(usize::MAX));
    let mut after = page.after.unwrap_or_default();
    let mut items: Vec<Value> = Vec::new();
    loop {
        let locations = doors.store.locations_claiming(owners, &after, PORTION).await;
        let locations = locations.map_err(|error| Fault::new("listing locations", error))?;
        if locations.is_empty() {
            return Ok(page::list(&items, None));
        }
        for location in locations {
            if items.len() >= limit {
                return Ok(page::list(&items, Some(&after)));
            }
            let index = doors.registry.index();
            let held = conformity::claims_of(&location).into_iter().map(|claim| {
                let upheld = conformity::hold(&claim, &index, now);
                (claim, upheld)
            });
            let fits = |upheld: &Upheld| wanted.is_none_or(|wanted| upheld.is_confirmed == wanted);
            items.extend(
                held.filter(|(_, upheld)| fits(upheld))
                    .map(|(claim, upheld)| shown(&claim, &upheld)),
            );
            after = location.id;
        }
    }
}

fn shown(claim: &EvseClaim, upheld: &Upheld) -> Value {
    let (country_code, party_id) = claim.cpo_key.split_once('/').unwrap_or_default();
    // A registration that is not published is its operator's business; its state says enough.
    let registration = upheld.registration.as_ref().map(|one| {
        let id = one.state.is_public().then_some(&one.id);
        json!({"id": id, "state": one.state.as_str(), "confirmed_at": one.confirmed_at.map(time::write)})
    });
    json!({
        "cpo": {"country_code": country_code, "party_id": party_id},
        "location_id": claim.location_id,
        "evse_uid": claim.evse_uid,
        "evse_id": claim.evse_id,
        "claimed_at": time::write(claim.claimed_at),
        "confirmed": upheld.is_confirmed,
        "registration": registration,
        "finding": upheld.complaint().map(|message| json!({"code": NOT_CONFIRMED, "severity": "WARNING", "message": message})),
    })
}
