//! Results of commands and charging profiles, posted to a `response_url` the hub lent out (CMD-10, CP-05).
//!
//! The version in the URL is that of the caller's tongue and changes nothing, and the routing headers are not read: the lent URL knows
//! who asked whom.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::body::JsonBody;
use super::{Asked, modules};
use crate::web::error::OcpiError;
use crate::web::{Document, Doors, Route};

/// What this file serves: the URL the hub writes into `response_url`. The result routes of the two modules end in [`result`] too.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::post(
        "/ocpi/{version}/callbacks/{answer_id}",
        Document::Ocpi,
        result,
    )]
}

/// Takes a result; the path is a version and the id that was lent.
pub(super) async fn result(
    asked: Asked,
    path: Path<(String, String)>,
    JsonBody(body): JsonBody,
    doors: Data<Doors>,
) -> Result<HttpResponse, OcpiError> {
    asked.caller.must_be_registered()?;
    let (_, id) = path.into_inner();
    let heard = doors.hall.result(&asked.caller, &asked.ids, &id, body).await?;
    Ok(modules::answer(heard, doors.clock.now()))
}
