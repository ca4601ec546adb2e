//! The door of custom modules: `/ocpi/{version}/{side}/{id}/…` where the hub or a platform offers a module of that id (U-09).
//!
//! What exists depends on who is registered, so others' modules are no lines of the table of routes: they are looked for where nothing
//! else is. The hub's own have lines there, to be described, and the same door: its party is part of their ids.

use actix_web::dev::Payload;
use actix_web::http::Method as HttpMethod;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::body::{MAX_BODY, is_json, read};
use super::caller::{Registered, ask_registered};
use super::{modules, nothing_here};
use crate::client::Method;
use crate::exchange::custom::CustomRequest;
use crate::ocpi::ids::PartyId;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::versions::Version;
use crate::parties::Fault;
use crate::routing::custom::{self, OwnModule};
use crate::web::error::OcpiError;
use crate::web::{Document, Doors, Route};

/// What this file serves: the modules of the hub's own party, `detwh-publickeys`. Another hub's of such a name comes the same way.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/ocpi/{version}/sender/{hub}-publickeys", Document::Ocpi, nothing_here),
        Route::get(
            "/ocpi/{version}/sender/{hub}-publickeys/{country_code}/{party_id}/{id}",
            Document::Ocpi,
            nothing_here,
        ),
        Route::get(OWN_KEY, Document::Ocpi, nothing_here),
        Route::put(OWN_KEY, Document::Ocpi, nothing_here),
        Route::patch(OWN_KEY, Document::Ocpi, nothing_here),
        Route::get(
            "/ocpi/{version}/sender/{hub}-cdrvalidations",
            Document::Ocpi,
            nothing_here,
        ),
        Route::post(
            "/ocpi/{version}/receiver/{hub}-cdrvalidations",
            Document::Ocpi,
            nothing_here,
        ),
    ]
}

const OWN_KEY: &str = "/ocpi/{version}/receiver/{hub}-publickeys/{country_code}/{party_id}/{id}";

/// Whether a path names a module that no version of the specification knows.
pub(super) fn is_below_one(path: &str) -> bool {
    let mut segments = path.split('/').skip(3);
    matches!(segments.next(), Some("sender" | "receiver")) && segments.next().is_some_and(custom::is_custom)
}

/// The version, the side and the id a path names, when somebody offers such a module.
fn named(request: &HttpRequest, doors: &Doors) -> Option<(Version, InterfaceRole, String)> {
    let mut segments = request.uri().path().split('/').skip(2);
    let (version, side, identifier) = (segments.next()?, segments.next()?, segments.next()?);
    let version = Version::parse(version)?;
    let role = match side {
        "sender" => InterfaceRole::Sender,
        "receiver" => InterfaceRole::Receiver,
        _ => return None,
    };
    let exists = custom::exists(doors.parties.snapshot().directory(), identifier);
    exists.then(|| (version, role, identifier.to_owned()))
}

/// Answers a request to a custom module; `None` when it is to none.
pub(super) async fn answer(request: &HttpRequest, payload: Payload) -> Option<Result<HttpResponse, OcpiError>> {
    let doors = request.app_data::<Data<Doors>>()?.clone();
    let named = named(request, &doors)?;
    Some(asked(request, payload, &doors, named).await)
}

async fn asked(
    request: &HttpRequest,
    payload: Payload,
    doors: &Doors,
    (version, interface, identifier): (Version, InterfaceRole, String),
) -> Result<HttpResponse, OcpiError> {
    let asked = ask_registered(request).await?;
    // "", "ocpi", the version, the side, the id.
    let segments: Vec<String> = request.uri().path().split('/').skip(5).map(str::to_owned).collect();
    let own =
        OwnModule::named(&doors.parties.settings().hub, &identifier).filter(|own| own.served().contains(&interface));
    if own == Some(OwnModule::PublicKeys) && interface == InterfaceRole::Receiver {
        may_submit(doors, &asked, request.method(), &segments)?;
    }
    let body = read(payload, MAX_BODY, &doors.limits.reading()).await?;
    // T-20; of what is for somebody else the type is nobody's business here.
    if own.is_some() && !body.is_empty() && !is_json(request) {
        return Err(Refusal::unsupported_media_type("the Content-Type must be application/json").into());
    }
    let method = Method::from_bytes(request.method().as_str().as_bytes())
        .map_err(|error| Fault::new("reading a method", error))?;
    let request = CustomRequest {
        caller: asked.caller,
        version,
        identifier,
        interface,
        method,
        segments,
        query: request.uri().query().map(str::to_owned),
        routing: asked.routing,
        ids: asked.ids,
        body: Some(body).filter(|body| !body.is_empty()),
    };
    let heard = doors.hall.custom(request).await?;
    Ok(modules::answer(heard, doors.clock.now()))
}

/// PC-20: each operator submits and changes so many registrations a minute, by whichever door. Who names somebody else's is refused
/// behind this door, and uses up nothing of theirs.
fn may_submit(doors: &Doors, asked: &Registered, method: &HttpMethod, segments: &[String]) -> Result<(), Refusal> {
    let [country_code, party_id, _] = segments else {
        return Ok(());
    };
    let platform = &asked.caller.platform;
    match PartyId::new(country_code, party_id) {
        Ok(owner) if platform.has_role(&owner, Role::Cpo) && matches!(*method, HttpMethod::PUT | HttpMethod::PATCH) => {
            let holder = format!("{} {}", platform.id, owner.key());
            let asked = doors.submissions.ask(&holder);
            asked.map_err(|wait| Refusal::too_often("too many registrations of this party", wait))
        }
        _ => Ok(()),
    }
}
