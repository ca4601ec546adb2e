//! Whether a driver may charge: asked by an operator, answered by a provider while somebody stands at the charger (TOK-02).

use super::answer::Answer;
use super::inner::Inner;
use super::meter::json_text;
use super::party::SandboxParty;
use super::server::Asked;
use super::splice;
use crate::ocpi::ids::fold;
use crate::ocpi::page;
use crate::ocpi::status::StatusCode;

/// What a provider says about one of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// `ALLOWED`, `BLOCKED`, `EXPIRED`, `NO_CREDIT`, `NOT_ALLOWED`: HTTP 200 and 1000 whatever it is (TOK-03).
    Word(String),
    /// As if nobody knew it: HTTP 404 with 2004 (TOK-04).
    Unknown,
    /// 2002 unless the request says where the driver is (TOK-05).
    OnlyWithLocation,
    /// These octets as `data`.
    Exactly(String),
}

impl SandboxParty {
    /// What is answered for a token from now on, whatever its type. Without a word: `ALLOWED` for those offered here.
    pub fn decide(&self, uid: &str, decision: Decision) {
        self.inner.book().decisions.insert(fold(uid), decision);
    }
}

/// `POST {uid}/authorize?type=…`, with or without `LocationReferences`.
pub(super) fn authorize(inner: &Inner, asked: &Asked<'_>) -> Answer {
    let rest = asked.rest();
    let uid = rest.first().copied().unwrap_or_default();
    let kind = page::parameter(asked.query, "type").unwrap_or_else(|| "RFID".to_owned());
    let unknown = || Answer::refusal(404, StatusCode::UNKNOWN_TOKEN, "unknown token (TOK-04)");
    let place = (!asked.request.body.is_empty()).then(|| asked.text());
    if place.is_some_and(|place| splice::text(place, "location_id").is_none()) {
        return Answer::invalid("location_id is missing");
    }
    let decision = inner.book().decisions.get(&fold(uid)).cloned();
    let word = match decision {
        Some(Decision::Unknown) => return unknown(),
        Some(Decision::Exactly(data)) => return Answer::data(data),
        Some(Decision::OnlyWithLocation) if place.is_none() => {
            return Answer::refusal(200, StatusCode::NOT_ENOUGH_INFORMATION, "where is the driver? (TOK-05)");
        }
        Some(Decision::Word(word)) => word,
        Some(Decision::OnlyWithLocation) | None => "ALLOWED".to_owned(),
    };
    let Some(token) = inner.offered("tokens", asked.pair("to"), uid, Some(&kind)) else {
        return unknown();
    };
    // TOK-06
    let location = place
        .filter(|_| word == "ALLOWED")
        .map(|place| format!(r#","location":{place}"#));
    Answer::data(format!(
        r#"{{"allowed":{},"token":{token}{},"authorization_reference":"AUTH-{}"}}"#,
        json_text(&word),
        location.unwrap_or_default(),
        uuid::Uuid::new_v4().simple().to_string().get(..8).unwrap_or_default()
    ))
}
