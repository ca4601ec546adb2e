//! What went wrong, for people and scripts: `application/problem+json` (RFC 9457).

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode as Http;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::ocpi::refusal::{Refusal, Situation};
use crate::parties::handshake::HandshakeFailure;
use crate::parties::operate::Declined;
use crate::parties::{Failure, Fault};
use crate::web::error::http_status;

/// A problem document on its way out.
#[derive(Debug, Clone)]
pub struct Problem {
    status: Http,
    detail: String,
    field: Option<String>,
    allow: Option<String>,
    retry_after: Option<u32>,
    more: Map<String, Value>,
}

impl Problem {
    fn new(status: Http, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            detail: detail.into(),
            field: None,
            allow: None,
            retry_after: None,
            more: Map::new(),
        }
    }

    /// 400: a query parameter, or a body that is not JSON. `field` is the parameter's name, empty for the body.
    #[must_use]
    pub fn bad_request(field: &str, reason: impl fmt::Display) -> Problem {
        Problem::named(Http::BAD_REQUEST, field, reason)
    }

    /// 422: a member of the body, by JSON pointer; empty for the body as a whole.
    #[must_use]
    pub fn invalid(pointer: &str, reason: impl fmt::Display) -> Problem {
        Problem::named(Http::UNPROCESSABLE_ENTITY, pointer, reason)
    }

    /// 401.
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>) -> Problem {
        Problem::new(Http::UNAUTHORIZED, detail)
    }

    /// 403.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(Http::FORBIDDEN, detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(Http::NOT_FOUND, detail)
    }

    /// 405, with the methods that are possible.
    #[must_use]
    pub fn method_not_allowed(method: &str, allow: &str) -> Problem {
        let detail = format!("{method} is not possible here; possible: {allow}");
        Problem {
            allow: Some(allow.to_owned()),
            ..Problem::new(Http::METHOD_NOT_ALLOWED, detail)
        }
    }

    /// 409: it contradicts what is already there.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(Http::CONFLICT, detail)
    }

    /// 413.
    #[must_use]
    pub fn too_large(detail: impl Into<String>) -> Problem {
        Problem::new(Http::PAYLOAD_TOO_LARGE, detail)
    }

    /// 429, with how long to wait (RFC 6585, 4).
    #[must_use]
    pub fn too_often(wait: Duration) -> Problem {
        Refusal::too_often("too many requests", wait).into()
    }

    /// 503: not now, and nothing was done.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Problem {
        Problem::new(Http::SERVICE_UNAVAILABLE, detail)
    }

    /// 415.
    #[must_use]
    pub fn unsupported_media_type() -> Problem {
        Problem::new(
            Http::UNSUPPORTED_MEDIA_TYPE,
            "the Content-Type must be application/json",
        )
    }

    /// 502: the peer did not play along; the step, and what it said.
    #[must_use]
    pub fn handshake(failure: &HandshakeFailure) -> Problem {
        let mut problem = Problem::new(Http::BAD_GATEWAY, failure.to_string());
        problem.more.insert("step".to_owned(), json!(failure.step.as_str()));
        let peer = failure.said.as_ref().map(|said| {
            json!({
                "http_status": said.http_status,
                "status_code": said.status_code.map(|code| code.0),
                "status_message": said.status_message,
            })
        });
        problem.more.insert("peer".to_owned(), json!(peer));
        problem
    }

    /// 500: it was us. Logged here, once; the operator is told to look there.
    #[must_use]
    pub fn ours(fault: &Fault) -> Problem {
        log::error!("{}", fault.chain());
        Problem::new(Http::INTERNAL_SERVER_ERROR, "internal error: the log has the details")
    }

    /// The document itself, JSON.
    #[must_use]
    pub fn document(&self) -> String {
        let mut document = self.more.clone();
        document.insert("type".to_owned(), json!("about:blank"));
        document.insert(
            "title".to_owned(),
            json!(self.status.canonical_reason().unwrap_or("Problem")),
        );
        document.insert("status".to_owned(), json!(self.status.as_u16()));
        document.insert("detail".to_owned(), json!(self.detail));
        if let Some(field) = &self.field {
            document.insert("field".to_owned(), json!(field));
        }
        Value::Object(document).to_string()
    }

    /// One more member, such as the list of everything that was found.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Problem {
        self.more.insert(name.to_owned(), value);
        self
    }

    fn named(status: Http, field: &str, reason: impl fmt::Display) -> Problem {
        let place = if field.is_empty() { "the body" } else { field };
        Problem {
            field: Some(field.to_owned()),
            ..Problem::new(status, format!("{place}: {reason}"))
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> Http {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header(("Content-Type", "application/problem+json"));
        if self.status == Http::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        if let Some(allow) = &self.allow {
            response.insert_header(("Allow", allow.as_str()));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header(("Retry-After", seconds));
        }
        response.body(self.document())
    }
}

impl From<Declined> for Problem {
    fn from(declined: Declined) -> Problem {
        match declined {
            Declined::Unknown => Problem::not_found(declined.to_string()),
            Declined::Conflict(why) => Problem::conflict(why),
            Declined::Field { pointer, reason } => Problem::invalid(&pointer, reason),
            Declined::Handshake(failure) => Problem::handshake(&failure),
            Declined::Ours(fault) => Problem::ours(&fault),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        Problem::ours(&fault)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Ours(fault) => Problem::ours(&fault),
            Failure::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<Refusal> for Problem {
    /// For the doors that speak OCPI's words for refusals in problem documents. What OCPI calls an outcome rather than an HTTP
    /// error is 422 here.
    fn from(refusal: Refusal) -> Problem {
        let status = match http_status(refusal.situation) {
            Http::OK => Http::UNPROCESSABLE_ENTITY,
            status => status,
        };
        let mut problem = Problem::new(status, refusal.message);
        if let Situation::TooOften(seconds) = refusal.situation {
            problem.retry_after = Some(seconds);
        }
        problem
    }
}
