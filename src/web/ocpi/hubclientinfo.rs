//! HubClientInfo: who is connected, as far as the caller may know (1.10). A configuration module: routing headers are ignored.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::Data;

use super::Asked;
use crate::ocpi::{headers, page};
use crate::web::error::OcpiError;
use crate::web::reply::Reply;
use crate::web::{Document, Doors, Route};

/// What this file serves: the list, and nothing can be written (HCI-18).
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/ocpi/{version}/hubclientinfo", Document::Ocpi, list)]
}

async fn list(asked: Asked, request: HttpRequest, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    asked.caller.must_be_registered()?;
    let version = asked.version()?;
    let found = doors
        .parties
        .client_info(&asked.caller, version, request.query_string(), doors.max_limit)
        .await?;
    let mut reply = Reply::success()
        .data(found.data)
        .header(headers::X_TOTAL_COUNT, found.total.to_string())
        .header(headers::X_LIMIT, found.limit.to_string());
    if let Some(next) = found.next {
        reply = reply.header(headers::LINK, page::next_link(&next));
    }
    Ok(reply.send(doors.clock.now()))
}
