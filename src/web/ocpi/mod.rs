//! The door for parties: OCPI 2.2.1 and 2.2.
//!
//! The [`frame`] is around everything below `/ocpi`, also around what fails: it knows the message ids before anything else
//! happens and puts them on every answer, writes errors as envelopes, and names the parties on functional modules. A handler
//! starts with [`Asked`] or [`Registered`], which is where 401 and 403 come from.
//!
//! Decisions of this room: an unknown path is 404 for everybody, since there is nothing to protect; on a path that exists an
//! unknown token is 401 before a wrong method is 405 (D-06).

mod absent;
pub mod body;
pub mod callbacks;
pub mod caller;
pub mod cdrs;
pub mod credentials;
pub mod custom;
mod framing;
pub mod hubclientinfo;
pub mod links;
pub mod modules;
pub mod versions;

use actix_web::http::StatusCode as Http;
use actix_web::http::header::{ContentType, HeaderName, HeaderValue};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};

pub use caller::{Asked, Registered};
pub use framing::frame;

use super::error::OcpiError;
use crate::ocpi::headers::Routing;
use crate::ocpi::ids::PartyId;
use crate::ocpi::refusal::{Refusal, Situation};
use crate::ocpi::status::StatusCode;

/// The answer to a path that is not served, or to a method its interface does not have (U-08).
///
/// # Errors
/// 404, or 405 for a known caller (D-06); what a custom module's receiver says, where the path is that of one (U-09).
pub async fn nothing_here(request: HttpRequest, payload: Payload) -> Result<HttpResponse, OcpiError> {
    if let Some(answer) = custom::answer(&request, payload.into_inner()).await {
        return answer;
    }
    let refusal = absent::why_not(request.uri().path(), request.method());
    if refusal.situation == Situation::MethodNotAllowed {
        caller::ask(&request).await?.caller.must_be_registered()?;
    }
    Err(refusal.into())
}

/// The answer of a party as it came (design.md promise 1); only the headers are ours.
fn relayed(
    http: u16,
    body: Bytes,
    code: Option<StatusCode>,
    to: Option<PartyId>,
    from: PartyId,
    headers: Vec<(&'static str, String)>,
) -> HttpResponse {
    let mut response = HttpResponse::build(Http::from_u16(http).unwrap_or(Http::OK));
    response.insert_header(ContentType::json());
    let routing = Routing { to, from: Some(from) };
    for (name, value) in routing.headers().into_iter().chain(headers) {
        match (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(value)) => {
                response.append_header((name, value));
            }
            _ => log::warn!("the header {name} of an answer cannot be sent"),
        }
    }
    let mut response = response.body(body);
    if let Some(code) = code {
        response.extensions_mut().insert(code);
    }
    response
}

/// The answer to a method a path does not have (U-08, CR-24): only a known caller learns so much (D-06).
pub(super) fn wrong_method(allow: String) -> actix_web::Route {
    actix_web::web::to(move |request: HttpRequest, payload: Payload| {
        let allow = allow.clone();
        async move {
            // A custom module of another party may have a name of that shape and any methods, and where nobody has it, it has none.
            if custom::is_below_one(request.path()) {
                return nothing_here(request, payload).await;
            }
            let asked = caller::ask(&request).await?;
            if framing::is_functional(request.path()) {
                asked.caller.must_be_registered()?;
            }
            let message = format!("{} is not possible here; possible: {allow}", request.method());
            Err::<HttpResponse, OcpiError>(Refusal::method_not_allowed(message).into())
        }
    })
}
