//! Credentials: the door to the handshake (1.9). What happens behind it is `parties::handshake`'s.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::Asked;
use super::body::JsonBody;
use crate::parties::handshake::answered::Handover;
use crate::web::error::OcpiError;
use crate::web::reply::Reply;
use crate::web::{Document, Doors, Route};

const PATH: &str = "/ocpi/{version}/credentials";

/// What this file serves. There is no PATCH (CR-24).
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get(PATH, Document::Ocpi, show),
        Route::post(PATH, Document::Ocpi, register),
        Route::put(PATH, Document::Ocpi, update),
        Route::delete(PATH, Document::Ocpi, forget),
    ]
}

async fn show(asked: Asked, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    asked.version()?;
    let data = doors.parties.credentials_shown_to(&asked.caller);
    Ok(Reply::success().data(data).send(doors.clock.now()))
}

async fn register(asked: Asked, body: JsonBody, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    take(Handover::Register, asked, body, doors).await
}

async fn update(asked: Asked, body: JsonBody, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    take(Handover::Update, asked, body, doors).await
}

/// A peer that hangs up before the commit ends the handshake with it: it would never learn its token, and its TOKEN_A is
/// still good for another attempt (CR-05).
async fn take(
    handover: Handover,
    asked: Asked,
    JsonBody(body): JsonBody,
    doors: Data<Doors>,
) -> Result<HttpResponse, OcpiError> {
    let version = asked.version()?;
    let data = doors
        .parties
        .take_credentials(&asked.caller, handover, version, &asked.ids, &body)
        .await?;
    // D-06, CR-44: HTTP 200, also when the registration is new.
    Ok(Reply::success().data(data).send(doors.clock.now()))
}

async fn forget(asked: Asked, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    asked.version()?;
    doors.parties.forget_credentials(&asked.caller).await?;
    Ok(Reply::success().send(doors.clock.now()))
}
