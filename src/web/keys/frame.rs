//! What surrounds every answer here: any origin may read it, caches may keep it for a minute, and nobody may ask too often.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse, ResponseError};

use crate::web::Doors;
use crate::web::operator::Problem;

/// Answers preflights (Fetch, 3.2), turns away who asks too often, and adds the headers.
pub async fn frame(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() == Method::OPTIONS {
        let mut answer = HttpResponse::NoContent();
        answer.insert_header(("Access-Control-Allow-Methods", "GET, POST"));
        answer.insert_header(("Access-Control-Allow-Headers", "Content-Type"));
        answer.insert_header(("Access-Control-Max-Age", "86400"));
        return Ok(open(request.into_response(answer.finish())));
    }
    if let Err(problem) = may_ask(&request) {
        return Ok(open(request.into_response(problem.error_response())));
    }
    let may_be_cached = request.method() == Method::GET;
    let mut answer = next.call(request).await?.map_into_boxed_body();
    let cache = match may_be_cached && answer.status() == StatusCode::OK {
        true => "public, max-age=60",
        false => "no-store",
    };
    answer.headers_mut().insert(
        HeaderName::from_static("cache-control"),
        HeaderValue::from_static(cache),
    );
    Ok(open(answer))
}

fn may_ask(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(doors) = request.app_data::<Data<Doors>>() else {
        return Ok(());
    };
    doors.limits.admit(request.request())?;
    match doors.limits.address(request.request()) {
        Some(address) => doors.pace.ask(&address).map_err(Problem::too_often),
        None => Ok(()),
    }
}

fn open(mut answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    answer.headers_mut().insert(
        HeaderName::from_static("access-control-allow-origin"),
        HeaderValue::from_static("*"),
    );
    answer
}
