//! An answer before it is octets, and what a temper does to it on the way out.

use super::behaviour::Behaviour;
use super::inner::Inner;
use super::wire::{self, Request};
use crate::ocpi::envelope;
use crate::ocpi::status::StatusCode;

/// An answer before it is octets.
pub(super) struct Answer {
    pub(super) http: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    /// Why the request was not taken, for whoever reads the log or the list of what was got.
    pub(super) refused: Option<String>,
}

pub(super) enum Body {
    /// `data`, OCPI status, message.
    Envelope(Option<String>, StatusCode, Option<String>),
    /// Anything, written as it is.
    Text(String),
}

impl Answer {
    /// HTTP 200, 1000 and this JSON as `data`.
    pub(super) fn data(json: String) -> Answer {
        Answer {
            http: 200,
            headers: Vec::new(),
            body: Body::Envelope(Some(json), StatusCode::SUCCESS, None),
            refused: None,
        }
    }

    /// 1000 without `data` (S-02).
    pub(super) fn nothing(http: u16) -> Answer {
        Answer {
            http,
            headers: Vec::new(),
            body: Body::Envelope(None, StatusCode::SUCCESS, None),
            refused: None,
        }
    }

    pub(super) fn refusal(http: u16, code: StatusCode, why: &str) -> Answer {
        Answer {
            http,
            headers: Vec::new(),
            body: Body::Envelope(None, code, Some(why.to_owned())),
            refused: Some(why.to_owned()),
        }
    }

    /// HTTP 200 with 2001, for what is reached and cannot be taken (S-04).
    pub(super) fn invalid(why: &str) -> Answer {
        Answer::refusal(200, StatusCode::INVALID_PARAMETER, why)
    }

    /// The same where there is no such method (U-08).
    pub(super) fn no_method() -> Answer {
        Answer::refusal(405, StatusCode::CLIENT_ERROR, "this method is not for this path")
    }

    pub(super) fn page(http: u16, kind: &str, text: &str) -> Answer {
        Answer {
            http,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: Body::Text(text.to_owned()),
            refused: Some(format!("HTTP {http} on purpose")),
        }
    }

    /// With another OCPI status.
    pub(super) fn saying(mut self, status: u16) -> Answer {
        if let Body::Envelope(_, code, _) = &mut self.body {
            *code = StatusCode(status);
        }
        self
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What the temper makes of it.
    pub(super) fn in_temper(mut self, temper: &Behaviour) -> Answer {
        match (temper, &mut self.body) {
            (Behaviour::OtherStatus(status), _) if self.refused.is_none() => self.http = *status,
            (Behaviour::NullData, Body::Envelope(data, ..)) => *data = Some("null".to_owned()),
            (Behaviour::ListAsObject, Body::Envelope(Some(data), ..)) => {
                let first = super::splice::elements(data).and_then(|list| list.into_iter().next());
                *data = first.unwrap_or_else(|| "{}".to_owned());
            }
            (Behaviour::NoEnvelope, Body::Envelope(data, ..)) => {
                let bare = data.take().unwrap_or_else(|| "{}".to_owned());
                self.body = Body::Text(bare);
                self.headers.push(json_type());
            }
            (Behaviour::NoTimestamp, Body::Envelope(data, code, message)) => {
                let whole = envelope::write(data.as_deref(), *code, message.as_deref(), chrono::DateTime::UNIX_EPOCH);
                let cut = whole.rfind(",\"timestamp\":").unwrap_or(whole.len());
                let text = format!("{}}}", whole.get(..cut).unwrap_or_default());
                self.body = Body::Text(text);
                self.headers.push(json_type());
            }
            _ => {}
        }
        self
    }

    /// As it goes over the wire.
    pub(super) fn octets(mut self, inner: &Inner, echoed: &[(String, String)]) -> Vec<u8> {
        self.headers.extend_from_slice(echoed);
        match &self.body {
            Body::Text(text) => wire::response(self.http, &self.headers, text.as_bytes()),
            Body::Envelope(data, code, message) => {
                self.headers.push(json_type());
                let body = envelope::write(data.as_deref(), *code, message.as_deref(), inner.clock.now());
                wire::response(self.http, &self.headers, body.as_bytes())
            }
        }
    }
}

fn json_type() -> (String, String) {
    ("content-type".to_owned(), "application/json".to_owned())
}

/// The headers an answer owes its request: both ids (M-01, M-02), and between parties `to` and `from` turned around.
pub(super) fn echoed(request: &Request, functional: bool, temper: &Behaviour) -> Vec<(String, String)> {
    const IDS: [&str; 2] = ["x-request-id", "x-correlation-id"];
    const TURNED: [(&str, &str); 4] = [
        ("ocpi-to-country-code", "ocpi-from-country-code"),
        ("ocpi-to-party-id", "ocpi-from-party-id"),
        ("ocpi-from-country-code", "ocpi-to-country-code"),
        ("ocpi-from-party-id", "ocpi-to-party-id"),
    ];
    let turned = TURNED.iter().filter(|_| functional);
    match temper {
        Behaviour::NoIds => Vec::new(),
        Behaviour::ForeignIds => IDS
            .iter()
            .map(|name| ((*name).to_owned(), uuid::Uuid::new_v4().to_string()))
            .chain(turned.map(|(name, _)| {
                let stranger = if name.ends_with("party-id") { "XXX" } else { "XX" };
                ((*name).to_owned(), stranger.to_owned())
            }))
            .collect(),
        _ => IDS
            .iter()
            .map(|name| (*name, *name))
            .chain(turned.copied())
            .filter_map(|(name, of)| Some((name.to_owned(), request.header(of)?.to_owned())))
            .collect(),
    }
}
