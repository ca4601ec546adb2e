//! URLs lent out in place of other people's, followed: a next page, and the `Location` of a CDR (CDR-05, CDR-06, P-12).

use actix_web::HttpResponse;
use actix_web::http::StatusCode as Http;
use actix_web::http::header::{ContentType, HeaderName, HeaderValue};
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};

use super::Registered;
use crate::links::{Behind, Content};
use crate::ocpi::headers::Routing;
use crate::web::error::OcpiError;
use crate::web::reply::Reply;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/ocpi/p/{id}", Document::Ocpi, follow)]
}

/// The request's own query is not read: the URL that was kept rules (D-11).
async fn follow(asked: Registered, id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    let behind = doors
        .links
        .follow(&asked.caller, &asked.routing, &asked.ids, &id)
        .await?;
    Ok(answer(behind, doors.clock.now()))
}

/// What stands behind a lent URL, as an answer.
pub(super) fn answer(behind: Behind, now: DateTime<Utc>) -> HttpResponse {
    match behind.content {
        Content::Copy(body) => Reply::success()
            .data(body)
            .routing(Some(&behind.to), Some(&behind.from))
            .send(now),
        Content::Relayed { http, body } => {
            // The envelope as it came (design.md promise 1); only the headers are ours.
            let mut response = HttpResponse::build(Http::from_u16(http).unwrap_or(Http::OK));
            response.insert_header(ContentType::json());
            let routing = Routing {
                to: Some(behind.to),
                from: Some(behind.from),
            };
            for (name, value) in routing.headers().into_iter().chain(behind.headers) {
                match (HeaderName::try_from(name), HeaderValue::from_str(&value)) {
                    (Ok(name), Ok(value)) => response.append_header((name, value)),
                    _ => continue,
                };
            }
            response.body(body)
        }
    }
}
