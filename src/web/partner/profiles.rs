//! The active charging profile of a session as the CPO last told it, and how old that is (smart-charging.md 2.6).

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::Partner;
use crate::ocpi::ids::{PartyId, key_of};
use crate::web::operator::Problem;
use crate::web::operator::controls::told;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    let active = "/partner/v1/sessions/{country_code}/{party_id}/{session_id}/profile";
    vec![Route::get(active, Document::Partner, self::active)]
}

/// For the CPO, the owner of the token, and whom a contract lets ask: the hub asks nobody, and answers with what it heard.
async fn active(
    partner: Partner,
    place: Path<(String, String, String)>,
    doors: Data<Doors>,
) -> Result<HttpResponse, Problem> {
    let nothing = || Problem::not_found("of no such session of yours is a profile known");
    let (country_code, party_id, session) = place.into_inner();
    let cpo = PartyId::new(&country_code, &party_id).map_err(|_| nothing())?;
    key_of(&session).ok_or_else(nothing)?;
    let parties: Vec<PartyId> = match &partner.from {
        Some(from) => vec![from.clone()],
        None => partner.platform.live().map(|entry| entry.party.clone()).collect(),
    };
    let active = doors.profiles.active_for((&cpo, &session), &parties).await?;
    let active = active.ok_or_else(nothing)?;
    Ok(HttpResponse::Ok().json(told(&active, doors.clock.now())))
}
