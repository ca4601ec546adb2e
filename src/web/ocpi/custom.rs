//! The door of custom modules: `/ocpi/{version}/{side}/{id}/…` where a platform offers a module of that id (U-09).
//!
//! What exists depends on who is registered, so this is no line of the table of routes: it is looked for where nothing else is.

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::body::{MAX_BODY, read};
use super::caller::ask_registered;
use super::modules;
use crate::client::Method;
use crate::exchange::custom::CustomRequest;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::versions::Version;
use crate::parties::Fault;
use crate::routing::custom;
use crate::web::Doors;
use crate::web::error::OcpiError;

/// The side and the id a path names, when somebody offers such a module.
fn named(request: &HttpRequest, doors: &Doors) -> Option<(InterfaceRole, String)> {
    let mut segments = request.uri().path().split('/').skip(2);
    let (version, side, identifier) = (segments.next()?, segments.next()?, segments.next()?);
    Version::parse(version)?;
    let role = match side {
        "sender" => InterfaceRole::Sender,
        "receiver" => InterfaceRole::Receiver,
        _ => return None,
    };
    let exists = custom::exists(doors.parties.snapshot().directory(), identifier);
    exists.then(|| (role, identifier.to_owned()))
}

/// Answers a request to a custom module; `None` when it is to none.
pub(super) async fn answer(request: &HttpRequest, payload: Payload) -> Option<Result<HttpResponse, OcpiError>> {
    let doors = request.app_data::<Data<Doors>>()?.clone();
    let (interface, identifier) = named(request, &doors)?;
    Some(asked(request, payload, &doors, interface, identifier).await)
}

async fn asked(
    request: &HttpRequest,
    payload: Payload,
    doors: &Doors,
    interface: InterfaceRole,
    identifier: String,
) -> Result<HttpResponse, OcpiError> {
    let asked = ask_registered(request).await?;
    let body = read(payload, MAX_BODY).await?;
    let method = Method::from_bytes(request.method().as_str().as_bytes())
        .map_err(|error| Fault::new("reading a method", error))?;
    let request = CustomRequest {
        caller: asked.caller,
        identifier,
        interface,
        method,
        // "", "ocpi", the version, the side, the id.
        segments: request.uri().path().split('/').skip(5).map(str::to_owned).collect(),
        query: request.uri().query().map(str::to_owned),
        routing: asked.routing,
        ids: asked.ids,
        body: Some(body).filter(|body| !body.is_empty()),
    };
    let heard = doors.hall.custom(request).await?;
    Ok(modules::answer(heard, doors.clock.now()))
}
