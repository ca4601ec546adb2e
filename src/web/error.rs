//! The only place where a failure becomes an HTTP status.
//!
//! Once a request is JSON, authenticated and aimed at something that exists, OCPI wants no HTTP error: the outcome is in
//! `status_code` (S-04, S-13). The few situations below that line are the table in [`http_status`]; each of them carries the
//! envelope as well (T-10).

use std::fmt;

use actix_web::http::StatusCode as Http;
use actix_web::{HttpResponse, ResponseError};
use chrono::{DateTime, Utc};

use super::reply::Reply;
use crate::ocpi::refusal::{Refusal, Situation};
use crate::ocpi::status::StatusCode;
use crate::parties::{Failure, Fault};

/// A failure on its way out of a handler under `/ocpi`. The frame there turns it into an answer.
#[derive(Debug)]
pub struct OcpiError(pub Failure);

/// The HTTP status of a refusal (S-04, S-05, S-13, D-07).
#[must_use]
pub fn http_status(situation: Situation) -> Http {
    match situation {
        Situation::Malformed => Http::BAD_REQUEST,
        Situation::Unauthenticated => Http::UNAUTHORIZED,
        Situation::Forbidden => Http::FORBIDDEN,
        Situation::NotFound | Situation::UnknownLocation | Situation::UnknownToken => Http::NOT_FOUND,
        Situation::MethodNotAllowed => Http::METHOD_NOT_ALLOWED,
        Situation::TooSlow => Http::REQUEST_TIMEOUT,
        Situation::TooLarge => Http::PAYLOAD_TOO_LARGE,
        Situation::HeadTooLarge => Http::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Situation::TooOften(_) => Http::TOO_MANY_REQUESTS,
        Situation::UnsupportedMediaType => Http::UNSUPPORTED_MEDIA_TYPE,
        Situation::InvalidParameter
        | Situation::NotEnoughInformation
        | Situation::UnknownReceiver
        | Situation::TimedOut
        | Situation::NotConnected
        | Situation::HubError
        | Situation::UnusableClientApi
        | Situation::UnsupportedVersion
        | Situation::NoMatchingEndpoints => Http::OK,
    }
}

/// The answer to a failure. A fault of ours is logged here, once, with everything that caused it.
#[must_use]
pub fn answer(failure: &Failure, now: DateTime<Utc>) -> HttpResponse {
    match failure {
        Failure::Refused(refusal) => refused(refusal, now),
        Failure::Ours(fault) => {
            log::error!("{}", fault.chain());
            Reply::of(StatusCode::SERVER_ERROR).message(sentence(fault)).send(now)
        }
    }
}

/// What a peer learns of a fault of ours: nothing but whether it is worth while to ask again.
fn sentence(fault: &Fault) -> &'static str {
    match fault.is_passing() {
        true => "the hub's database does not answer at the moment; please send this again later",
        false => "internal error",
    }
}

/// The envelope for an HTTP error that came up before any of our code: nothing but its name is known.
#[must_use]
pub fn bare(status: Http, now: DateTime<Utc>) -> HttpResponse {
    let code = if status.is_server_error() {
        StatusCode::SERVER_ERROR
    } else {
        StatusCode::CLIENT_ERROR
    };
    Reply::of(code)
        .http(status.as_u16())
        .message(status.canonical_reason().unwrap_or("not possible"))
        .send(now)
}

fn refused(refusal: &Refusal, now: DateTime<Utc>) -> HttpResponse {
    let status = http_status(refusal.situation);
    let reply = Reply::of(refusal.code())
        .http(status.as_u16())
        .message(&refusal.message);
    match refusal.situation {
        // RFC 9110, 11.6.1: a 401 names the scheme.
        Situation::Unauthenticated => reply.header("WWW-Authenticate", "Token").send(now),
        // RFC 6585, 4.
        Situation::TooOften(seconds) => reply.header("Retry-After", seconds.to_string()).send(now),
        _ => reply.send(now),
    }
}

impl fmt::Display for OcpiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for OcpiError {
    fn status_code(&self) -> Http {
        match &self.0 {
            Failure::Refused(refusal) => http_status(refusal.situation),
            Failure::Ours(_) => Http::INTERNAL_SERVER_ERROR,
        }
    }

    // Without a body: the frame knows the time and the message ids, and writes the envelope.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

impl From<Failure> for OcpiError {
    fn from(failure: Failure) -> OcpiError {
        OcpiError(failure)
    }
}

impl From<Refusal> for OcpiError {
    fn from(refusal: Refusal) -> OcpiError {
        OcpiError(refusal.into())
    }
}

impl From<Fault> for OcpiError {
    fn from(fault: Fault) -> OcpiError {
        OcpiError(fault.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_reached_ocpi_is_an_http_error() {
        // S-04, S-07, S-08, S-09, S-13, D-07
        let table = [
            (Situation::Malformed, 400, 2000),
            (Situation::Unauthenticated, 401, 2000),
            (Situation::Forbidden, 403, 2000),
            (Situation::NotFound, 404, 2000),
            (Situation::UnknownLocation, 404, 2003),
            (Situation::UnknownToken, 404, 2004),
            (Situation::MethodNotAllowed, 405, 2000),
            (Situation::TooSlow, 408, 2000),
            (Situation::TooLarge, 413, 2000),
            (Situation::HeadTooLarge, 431, 2000),
            (Situation::TooOften(1), 429, 2000),
            (Situation::UnsupportedMediaType, 415, 2000),
            (Situation::InvalidParameter, 200, 2001),
            (Situation::NotEnoughInformation, 200, 2002),
            (Situation::UnusableClientApi, 200, 3001),
            (Situation::UnsupportedVersion, 200, 3002),
            (Situation::NoMatchingEndpoints, 200, 3003),
            (Situation::HubError, 200, 4000),
            (Situation::UnknownReceiver, 200, 4001),
            (Situation::TimedOut, 200, 4002),
            (Situation::NotConnected, 200, 4003),
        ];
        for (situation, http, code) in table {
            assert_eq!(
                (http_status(situation).as_u16(), situation.code().0),
                (http, code),
                "{situation:?}"
            );
        }
    }

    #[test]
    fn a_fault_of_ours_tells_the_peer_only_that_it_was_us() {
        let fault = Failure::Ours(Fault::found("the password of the database is hunter2"));
        let answer = answer(&fault, DateTime::UNIX_EPOCH);
        assert_eq!(answer.status(), Http::OK);
        let body = actix_web::body::MessageBody::try_into_bytes(answer.into_body()).unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(
            body.contains("3000") && body.contains("internal error") && !body.contains("hunter2"),
            "{body}"
        );
    }
}
