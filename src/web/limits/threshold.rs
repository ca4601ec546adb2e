//! The first step over the threshold: around every request, before any door.

use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};

use crate::web::Doors;
use crate::web::doorstep::Presence;
use crate::web::operator::Problem;
use crate::web::passing::Passing;
use crate::web::route::below;

/// Wraps one request: the line it came by knows that it is being worked on, who asks too often is turned away, and how it ends is seen.
///
/// # Errors
/// None of our own.
pub async fn cross(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let presence = request.request().conn_data::<Rc<Presence>>().cloned();
    let _inside = presence.as_ref().map(|presence| presence.inside());
    let Some(doors) = request.app_data::<Data<Doors>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let path = super::path_of(request.request());
    let watched = Passing::begin(request.request(), path, doors.parties.hops().clone());
    // These doors have frames that know how to say no in their own words.
    let says_it_itself = ["/ocpi", "/keys"].iter().any(|door| below(path, door).is_some());
    // Nothing is carried below here: a 401 is about the token that was presented. The doors of parties tell it themselves.
    let is_for_operators = ["/operator", "/metrics"].iter().any(|door| below(path, door).is_some());
    let presents_a_key = is_for_operators && request.headers().contains_key(AUTHORIZATION);
    if !says_it_itself && let Err(refusal) = doors.limits.admit(request.request()) {
        let response = request.into_response(Problem::from(refusal).error_response());
        watched.answered(&response);
        return Ok(response);
    }
    if below(path, "/partner").is_some() {
        let authorization = request.headers().get(AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok()).map(str::to_owned);
        doors.parties.look_around(authorization.as_deref()).await;
    }
    let response = match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => {
            watched.failed(&error);
            return Err(error);
        }
    };
    watched.answered(&response);
    if presents_a_key && response.status() == StatusCode::UNAUTHORIZED {
        doors.limits.wrong_token(response.request());
    }
    Ok(response)
}
