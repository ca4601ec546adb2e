//! Operators only: the bearer token before anything else is looked at, then what its owner may do, and a line in the audit trail before
//! anything is changed.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, LOCATION};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, ResponseError};

use super::Problem;
use super::people::Operator;
use crate::audit::Change;
use crate::config::OperatorRole;
use crate::parties::Fault;
use crate::web::Doors;

/// Wraps one request below `/operator`.
///
/// # Errors
/// Never: a stranger gets his 401 as an answer.
pub async fn operators_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let operator = match recognised(request.request()) {
        Ok(operator) => operator,
        Err(problem) => return Ok(request.into_response(problem.error_response())),
    };
    let doors = request.app_data::<Data<Doors>>().cloned();
    let change = change_asked_for(&request, &operator);
    request.extensions_mut().insert(operator.clone());
    let (Some(doors), Some(change)) = (doors, change) else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    if operator.role != OperatorRole::Operator {
        let problem = Problem::forbidden("an auditor reads everything and changes nothing");
        if let Err(error) = doors.audit.denied(change, 403).await {
            log::error!("{}", Fault::new("noting a change that was denied", error).chain());
        }
        return Ok(request.into_response(problem.error_response()));
    }
    let about = match doors.audit.asked(change.clone()).await {
        Ok(about) => about,
        Err(error) => {
            log::error!("{}", Fault::new("noting a change that was asked for", error).chain());
            let problem = Problem::unavailable("the audit trail cannot be written, so nothing was changed");
            return Ok(request.into_response(problem.error_response()));
        }
    };
    let response = next.call(request).await.map(ServiceResponse::map_into_boxed_body)?;
    let change = Change {
        object: change.object.or_else(|| made(&response)),
        ..change
    };
    if let Err(error) = doors.audit.answered(change, about, response.status().as_u16()).await {
        log::error!("{}", Fault::new("noting what was answered", error).chain());
    }
    Ok(response)
}

/// Whose token a request carries, whatever its owner may do.
///
/// # Errors
/// 401 without one that is known.
pub(in crate::web) fn recognised(request: &HttpRequest) -> Result<Operator, Problem> {
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
    let known = request
        .app_data::<Data<Doors>>()
        .and_then(|doors| doors.operators.recognise(presented).cloned());
    known.ok_or_else(|| Problem::unauthorized("this is not the operator token"))
}

/// The change a request asks for; `None` for one that only reads, or that nothing serves.
fn change_asked_for(request: &ServiceRequest, operator: &Operator) -> Option<Change> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return None;
    }
    let route = request.match_pattern()?;
    Some(Change {
        actor: operator.name.clone(),
        role: operator.role.as_str(),
        method: request.method().as_str().to_owned(),
        object: object(&route, request.path()),
        route,
    })
}

/// What stands in a path where its template has names; a path is not looked at elsewhere, whatever was typed there.
fn object(route: &str, path: &str) -> Option<String> {
    let mut named = route
        .split('/')
        .zip(path.split('/'))
        .filter(|(template, _)| template.starts_with('{'));
    let first = named.next()?.1.to_owned();
    let all = named.fold(first, |all, (_, one)| format!("{all}/{one}"));
    Some(all.chars().take(MAX_OBJECT).collect())
}

/// The longest object a line names: three identifiers of OCPI.
const MAX_OBJECT: usize = 128;

/// The id of what was made: the end of its URL.
fn made(response: &ServiceResponse<BoxBody>) -> Option<String> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    location
        .rsplit('/')
        .next()
        .map(|id| id.chars().take(MAX_OBJECT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_what_stands_where_the_template_has_names() {
        let of = |route: &str, path: &str| object(route, path);
        assert_eq!(of("/operator/v1/platforms", "/operator/v1/platforms"), None);
        assert_eq!(
            of(
                "/operator/v1/platforms/{id}/suspend",
                "/operator/v1/platforms/p1/suspend"
            )
            .as_deref(),
            Some("p1")
        );
        assert_eq!(
            of(
                "/operator/v1/cdrs/{country_code}/{party_id}/{id}/release",
                "/operator/v1/cdrs/DE/ABC/C-1/release"
            )
            .as_deref(),
            Some("DE/ABC/C-1")
        );
    }
}
