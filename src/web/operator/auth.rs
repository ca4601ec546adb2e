//! Operators only: the bearer token, before anything else is looked at.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, ResponseError};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Problem;
use crate::web::Doors;

/// Wraps one request below `/operator`.
///
/// # Errors
/// Never: a stranger gets his 401 as an answer.
pub async fn operators_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match check(request.request()) {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(problem) => Ok(request.into_response(problem.error_response())),
    }
}

fn check(request: &HttpRequest) -> Result<(), Problem> {
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some(header) = header else {
        return Err(Problem::unauthorized("the Authorization header is missing"));
    };
    let presented = match header.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim(),
        _ => {
            return Err(Problem::unauthorized(
                "the Authorization header must be: Bearer, a blank, the operator token",
            ));
        }
    };
    let expected = request
        .app_data::<Data<Doors>>()
        .map(|doors| doors.operator_token.expose());
    match expected {
        Some(expected) if !expected.is_empty() && is_same(presented, expected) => Ok(()),
        _ => Err(Problem::unauthorized("this is not the operator token")),
    }
}

/// Compares hashes of equal length in constant time, so that neither length nor a common beginning shows.
fn is_same(presented: &str, expected: &str) -> bool {
    Sha256::digest(presented).ct_eq(&Sha256::digest(expected)).into()
}
