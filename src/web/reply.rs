//! The OCPI answer: envelope, status and headers (S-01).

use actix_web::HttpResponse;
use actix_web::http::StatusCode as Http;
use actix_web::http::header::{ContentType, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};

use crate::ocpi::envelope;
use crate::ocpi::headers::{self, Routing};
use crate::ocpi::ids::PartyId;
use crate::ocpi::status::StatusCode;

/// An answer in the making. The message ids are added by the frame, whoever answers (M-01, M-05).
#[derive(Debug)]
pub struct Reply {
    http: u16,
    code: StatusCode,
    message: Option<String>,
    data: Option<String>,
    headers: Vec<(String, String)>,
}

impl Reply {
    /// HTTP 200 and 1000.
    #[must_use]
    pub fn success() -> Reply {
        Reply::of(StatusCode::SUCCESS)
    }

    /// HTTP 200 and that status code.
    #[must_use]
    pub fn of(code: StatusCode) -> Reply {
        Reply {
            http: 200,
            code,
            message: None,
            data: None,
            headers: Vec::new(),
        }
    }

    /// Another HTTP status. Numbers HTTP does not have become 200.
    #[must_use]
    pub fn http(mut self, status: u16) -> Reply {
        self.http = status;
        self
    }

    /// `data`, as JSON text; left out otherwise (S-02).
    #[must_use]
    pub fn data(mut self, json: impl Into<String>) -> Reply {
        self.data = Some(json.into());
        self
    }

    /// The `status_message`.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Reply {
        self.message = Some(message.into());
        self
    }

    /// A header. One that HTTP cannot carry is left out and reported.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The parties of the answer: to the requester, from whom it answers for.
    #[must_use]
    pub fn routing(mut self, to: Option<&PartyId>, from: Option<&PartyId>) -> Reply {
        let routing = Routing {
            to: to.cloned(),
            from: from.cloned(),
        };
        self.headers.extend(
            routing
                .headers()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        self
    }

    /// The response, stamped with `now`.
    #[must_use]
    pub fn send(self, now: DateTime<Utc>) -> HttpResponse {
        let body = envelope::write(self.data.as_deref(), self.code, self.message.as_deref(), now);
        let mut response = HttpResponse::build(Http::from_u16(self.http).unwrap_or(Http::OK));
        response.insert_header(ContentType::json());
        for (name, value) in &self.headers {
            match (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
                (Ok(name), Ok(value)) => {
                    response.append_header((name, value));
                }
                _ => log::warn!("the header {name} of an answer cannot be sent"),
            }
        }
        let mut response = response.body(body);
        response.extensions_mut().insert(self.code);
        response
    }
}

/// The headers that name the parties of an answer.
pub(super) const ROUTING: [&str; 4] = [
    headers::OCPI_TO_COUNTRY_CODE,
    headers::OCPI_TO_PARTY_ID,
    headers::OCPI_FROM_COUNTRY_CODE,
    headers::OCPI_FROM_PARTY_ID,
];
