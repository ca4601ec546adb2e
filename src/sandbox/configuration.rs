//! From platform to platform: versions, details and the handshake, seen from the side that is called.

use std::sync::Arc;

use super::answer::Answer;
use super::handshake;
use super::inner::{HubPeer, Inner, mint};
use super::meter::json_text;
use super::server::Caller;
use super::wire::Request;
use crate::ocpi::status::StatusCode;
use crate::ocpi::v2_2_1::credentials::Credentials;

/// The hub registers here: this party is the Receiver (CR-03, CR-04).
pub(super) async fn be_registered(
    inner: &Arc<Inner>,
    method: &str,
    caller: Caller,
    path: &str,
    request: &Request,
) -> Answer {
    let registered = inner.book().hub.is_some();
    if (method == "POST") == registered {
        let said = if registered {
            "already registered: PUT (CR-21)"
        } else {
            "not registered: POST (CR-22)"
        };
        return Answer::refusal(405, StatusCode::CLIENT_ERROR, said);
    }
    let theirs = match Credentials::read(&request.body) {
        Ok(theirs) => theirs,
        Err(refusal) => return Answer::refusal(200, StatusCode::INVALID_PARAMETER, &refusal.message),
    };
    let Some(version) = inner
        .plan
        .versions
        .iter()
        .copied()
        .find(|version| path.contains(version.as_str()))
    else {
        return Answer::refusal(200, StatusCode::UNSUPPORTED_VERSION, "this version is not served here");
    };
    let found = match handshake::discover(inner, &theirs.url, &theirs.token, Some(version)).await {
        Ok(found) => found,
        Err(error) => return Answer::refusal(200, StatusCode::UNUSABLE_CLIENT_API, &error.to_string()),
    };
    let ours = mint();
    let answer = Answer::data(credentials_json(inner, &ours));
    let mut book = inner.book();
    book.valid = vec![ours];
    if caller == Caller::Invited {
        book.invitation = None;
    }
    book.hub = Some(HubPeer {
        versions_url: theirs.url,
        version: found.version,
        party: HubPeer::party_among(theirs.roles.iter().map(|role| (role.party.clone(), role.role))),
        token: theirs.token,
        endpoints: found.endpoints,
        credentials_url: found.credentials_url,
    });
    answer
}

/// This platform's credentials object.
pub(super) fn credentials_json(inner: &Inner, token: &str) -> String {
    let roles: Vec<String> = inner
        .plan
        .parties
        .iter()
        .map(|(party, role)| {
            format!(
                r#"{{"role":{},"business_details":{{"name":{}}},"party_id":{},"country_code":{}}}"#,
                json_text(role.as_str()),
                json_text(&inner.plan.name),
                json_text(party.party_id()),
                json_text(party.country_code())
            )
        })
        .collect();
    let url = json_text(&inner.url(&inner.path("versions")));
    format!(
        r#"{{"token":{},"url":{url},"roles":[{}]}}"#,
        json_text(token),
        roles.join(",")
    )
}

impl Inner {
    pub(super) fn versions_json(&self) -> String {
        let entries: Vec<String> = self
            .plan
            .versions
            .iter()
            .map(|version| {
                let url = json_text(&self.url(&self.path(version.as_str())));
                format!(r#"{{"version":{},"url":{url}}}"#, json_text(version.as_str()))
            })
            .collect();
        format!("[{}]", entries.join(","))
    }

    pub(super) fn details(&self, path: &str) -> Answer {
        let path = path.trim_end_matches('/');
        let Some(version) = self
            .plan
            .versions
            .iter()
            .find(|version| self.path(version.as_str()) == path)
        else {
            return Answer::refusal(404, StatusCode::CLIENT_ERROR, "no such version");
        };
        let endpoints: Vec<String> = self
            .endpoints(*version)
            .iter()
            .map(|(module, role, url)| {
                let role = role.as_str();
                format!(
                    r#"{{"identifier":"{module}","role":"{role}","url":{}}}"#,
                    json_text(url)
                )
            })
            .collect();
        Answer::data(format!(
            r#"{{"version":{},"endpoints":[{}]}}"#,
            json_text(version.as_str()),
            endpoints.join(",")
        ))
    }
}
