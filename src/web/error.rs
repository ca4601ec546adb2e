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
        Situation::NotFound => Http::NOT_FOUND,
        Situation::MethodNotAllowed => Http::METHOD_NOT_ALLOWED,
        Situation::TooLarge => Http::PAYLOAD_TOO_LARGE,
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
            Reply::of(StatusCode::SERVER_ERROR).message("internal error").send(now)
        }
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
