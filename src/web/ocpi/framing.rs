//! What is around every answer below `/ocpi`: message ids, envelopes for errors, the parties on functional modules.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse};
use chrono::{DateTime, Utc};

use crate::ocpi::headers::{self, MessageIds, Routing};
use crate::web::error::{self, OcpiError};
use crate::web::passing::Passing;
use crate::web::{Doors, reply};
use uuid::Uuid;

/// Wraps one request, and turns it away before anything is read when its address asks too often (N-03).
///
/// # Errors
/// None of our own: what fails inside comes out as an answer.
pub async fn frame(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // M-08, D-09: what is missing is made here, so that log lines and answer agree on it.
    let said = MessageIds::read(|name| text(request.headers(), name));
    let request_id = said.request_id.unwrap_or_else(|| Uuid::new_v4().to_string());
    let correlation_id = said.correlation_id.unwrap_or_else(|| Uuid::new_v4().to_string());
    let ids = MessageIds {
        request_id: Some(request_id.clone()),
        correlation_id: Some(correlation_id.clone()),
    };
    Passing::is_called(&request, &ids);
    request.extensions_mut().insert(ids);
    let doors = request.app_data::<Data<Doors>>().cloned();
    let requester = is_functional(request.path()).then(|| Routing {
        to: Routing::read(|name| text(request.headers(), name))
            .ok()
            .and_then(|said| said.from),
        from: doors.as_ref().map(|doors| doors.parties.settings().hub.clone()),
    });

    let admitted = match &doors {
        Some(doors) => doors.limits.admit(request.request()),
        None => Ok(()),
    };
    if let (Some(doors), Ok(())) = (&doors, &admitted) {
        doors
            .parties
            .look_around(text(request.headers(), headers::AUTHORIZATION))
            .await;
    }
    let response = match admitted {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(refusal) => request.error_response(OcpiError::from(refusal)),
    };
    let now = doors.map_or(DateTime::UNIX_EPOCH, |doors| doors.clock.now());
    let failed = response.response().error().map(|failure| in_envelope(failure, now));
    let mut response = match failed {
        Some(answer) => response.into_response(answer),
        None => response,
    };
    let headers = response.headers_mut();
    put(headers, headers::X_REQUEST_ID, &request_id);
    put(headers, headers::X_CORRELATION_ID, &correlation_id);
    if let Some(routing) = requester.filter(|_| reply::ROUTING.iter().all(|name| !headers.contains_key(*name))) {
        // to the requester; in the hub's own name unless the handler knew better.
        for (name, value) in routing.headers() {
            put(headers, name, &value);
        }
    }
    Ok(response)
}

/// Whether a path belongs to a functional module: the two prefixes of D-03, and what is lent out (design.md 3.3).
pub(super) fn is_functional(path: &str) -> bool {
    let mut segments = path.split('/').skip(2);
    match segments.next() {
        Some("p") => true,
        _ => matches!(segments.next(), Some("sender" | "receiver" | "callbacks")),
    }
}

fn in_envelope(failure: &Error, now: DateTime<Utc>) -> HttpResponse {
    match failure.as_error::<OcpiError>() {
        Some(OcpiError(failure)) => error::answer(failure, now),
        None => error::bare(failure.as_response_error().status_code(), now),
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A routing header as text. One that is none names nobody, and is not absent either: then a push to one party would become a push
/// to everybody.
pub(super) fn naming<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}
