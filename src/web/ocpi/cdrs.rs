//! CDRs: posted to the RECEIVER interface, listed on the SENDER interface (1.13). What happens behind is `exchange`'s.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::Data;

use super::Registered;
use super::body::JsonBody;
use crate::exchange::cdr::CdrPost;
use crate::ocpi::{headers, page};
use crate::web::error::OcpiError;
use crate::web::reply::Reply;
use crate::web::{Document, Doors, Route};

/// What this file serves. A CDR is never changed or removed (CDR-04), and where one can be read its `Location` says.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/ocpi/{version}/receiver/cdrs", Document::Ocpi, post),
        Route::get("/ocpi/{version}/sender/cdrs", Document::Ocpi, list),
    ]
}

async fn post(asked: Registered, JsonBody(body): JsonBody, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    let version = asked.version()?;
    let post = CdrPost {
        routing: asked.routing,
        ids: asked.ids,
        version,
        body,
    };
    let answer = doors.exchange.post(&asked.caller, post).await?;
    let mut reply = Reply::of(answer.code)
        .http(answer.http_status)
        .routing(Some(&answer.to), Some(&answer.from));
    if let Some(message) = answer.message {
        reply = reply.message(message);
    }
    if let Some(location) = answer.location {
        reply = reply.header(headers::LOCATION, location);
    }
    Ok(reply.send(doors.clock.now()))
}

async fn list(asked: Registered, request: HttpRequest, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    let version = asked.version()?;
    let found = doors
        .exchange
        .list(&asked.caller, &asked.routing, version, request.query_string())
        .await?;
    let mut reply = Reply::success()
        .data(found.data)
        .header(headers::X_TOTAL_COUNT, found.total.to_string())
        .header(headers::X_LIMIT, found.limit.to_string())
        .routing(found.to.as_ref(), Some(&found.from));
    if let Some(next) = found.next {
        reply = reply.header(headers::LINK, page::next_link(&next));
    }
    Ok(reply.send(doors.clock.now()))
}
