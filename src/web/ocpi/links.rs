//! URLs lent out in place of other people's: here the `Location` of a CDR is followed (CDR-05, CDR-06).

use actix_web::HttpResponse;
use actix_web::http::StatusCode as Http;
use actix_web::http::header::ContentType;
use actix_web::web::{Data, Path};

use super::Registered;
use crate::links::Content;
use crate::ocpi::headers::Routing;
use crate::web::error::OcpiError;
use crate::web::reply::Reply;
use crate::web::{Document, Doors, Route};

/// What this file serves.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![Route::get("/ocpi/p/{id}", Document::Ocpi, follow)]
}

async fn follow(asked: Registered, id: Path<String>, doors: Data<Doors>) -> Result<HttpResponse, OcpiError> {
    let behind = doors.links.cdr(&asked.caller, &asked.routing, &asked.ids, &id).await?;
    match behind.content {
        Content::Copy(body) => {
            let reply = Reply::success()
                .data(body)
                .routing(Some(&behind.to), Some(&behind.from));
            Ok(reply.send(doors.clock.now()))
        }
        Content::Relayed(answer) => {
            // The receiver's envelope as it came (design.md promise 1); only the headers are ours.
            let mut response = HttpResponse::build(Http::from_u16(answer.status).unwrap_or(Http::OK));
            response.insert_header(ContentType::json());
            let routing = Routing {
                to: Some(behind.to),
                from: Some(behind.from),
            };
            for header in routing.headers() {
                response.append_header(header);
            }
            Ok(response.body(answer.body))
        }
    }
}
