//! A relay: somebody's request carried to one platform, once, and its answer read. Never stored, never repeated (R-41).
//!
//! | The receiver | The requester hears |
//! | --- | --- |
//! | an envelope, whatever the HTTP status | the same HTTP status and octets (S-11, D-07) |
//! | 401 or 403 | 4003: it was the hub's token that was refused (S-14) |
//! | a redirect | 4000 (D-07) |
//! | 404 or 405 without an envelope | the same HTTP status, an envelope of the hub (S-15); 2004 for an authorize (TOK-04) |
//! | anything else without an envelope, a list that is no list | 4000 (S-15, F-06) |
//! | nothing in time / nobody there | 4002 / 4003 (R-41, R-42) |
//!
//! Start with [`relay`]; [`read`] is its pure half.

use bytes::Bytes;

use crate::client::outcome::{Answer, Outcome};
use crate::ocpi::envelope::{self, Envelope};
use crate::ocpi::headers::{LINK, LOCATION, X_LIMIT, X_TOTAL_COUNT};
use crate::ocpi::refusal::{Refusal, Situation};
use crate::ocpi::status::{Class, StatusCode};
use crate::parties::line::{Call, Line};
use crate::routing::directory::{Platform, PlatformStatus};

/// What is asked, as far as the reading of an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// One object, or nothing.
    Object,
    /// A page of a list.
    List,
    /// Whether a token may charge: a bare 404 means that it is unknown (TOK-04).
    Authorization,
}

/// A receiver's answer, fit to be passed on.
#[derive(Clone)]
pub struct Relayed {
    /// The HTTP status.
    pub http: u16,
    /// The envelope, octets as they came.
    pub body: Bytes,
    /// The end-to-end headers that modules define, as they came: `Location`, `Link`, `X-Total-Count`, `X-Limit` (R-14). The
    /// first two name the receiver's server; whoever passes them on replaces them (D-11).
    pub headers: Vec<(&'static str, String)>,
    /// The OCPI status code in the envelope.
    pub code: StatusCode,
}

// By hand: the body may hold tokens and driver data.
impl std::fmt::Debug for Relayed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Relayed({}, {}, {} bytes)", self.http, self.code, self.body.len())
    }
}

impl Relayed {
    /// A header that was kept.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Carries one request to one platform and reads its answer.
///
/// # Errors
/// 4003 for a platform that is not CONNECTED (R-43) or not reachable; 4002 when no answer came in time; 4000 when the platform
/// lacks the interface (R-44) or answered with nothing that can be passed on; 404 and 405 as the receiver's own.
pub async fn relay(line: &Line, platform: &Platform, call: Call, expects: Expects) -> Result<Relayed, Refusal> {
    if platform.status != PlatformStatus::Connected {
        return Err(Refusal::not_connected(format!(
            "the receiver is {}",
            platform.status.as_str()
        )));
    }
    let outcome = line.send(platform, call).await.map_err(|missing| {
        Refusal::hub_error(format!(
            "the receiver has no {} interface of {}",
            missing.interface, missing.module
        ))
    })?;
    if let Outcome::Answered(Answer { status: 401 | 403, .. }) = outcome {
        log::error!(platform = platform.id.as_str(); "refuses the token it gave us: it must send credentials again");
    }
    read(outcome, expects)
}

/// What an outcome means for the requester.
///
/// # Errors
/// Everything that is no answer of the receiver's own, as the table above says.
pub fn read(outcome: Outcome, expects: Expects) -> Result<Relayed, Refusal> {
    let situation = outcome.situation();
    let answer = match outcome {
        Outcome::Answered(answer) => answer,
        // The reason may name addresses behind the receiver's firewall: the line has logged it.
        _ => {
            let situation = situation.unwrap_or(Situation::HubError);
            return Err(Refusal::new(situation, in_words(situation)));
        }
    };
    match answer.status {
        401 | 403 => return Err(Refusal::not_connected("the receiver does not accept the hub's token")),
        300..=399 => return Err(Refusal::hub_error("the receiver answered with a redirect")),
        _ => {}
    }
    let envelope = envelope::read(&answer.body).ok();
    match envelope.filter(|envelope| envelope.status_code.class() != Class::Unknown) {
        None => Err(without_envelope(&answer, expects)),
        Some(envelope) if expects == Expects::List && is_no_list(&envelope) => Err(Refusal::hub_error(
            "the receiver answered with something else than a list",
        )),
        Some(envelope) => Ok(Relayed {
            http: answer.status,
            headers: kept(&answer),
            code: envelope.status_code,
            body: answer.body,
        }),
    }
}

fn in_words(situation: Situation) -> &'static str {
    match situation {
        Situation::TimedOut => "the receiver did not answer in time; whether it acted is not known",
        Situation::NotConnected => "the receiver cannot be reached",
        _ => "the receiver's answer cannot be used",
    }
}

/// S-15: such an answer never reaches the requester raw.
fn without_envelope(answer: &Answer, expects: Expects) -> Refusal {
    match (answer.status, expects) {
        (404, Expects::Authorization) => Refusal::unknown_token("the receiver does not know this token"),
        (404, _) => Refusal::not_found("the receiver has nothing at this URL"),
        (405, _) => Refusal::method_not_allowed("the receiver has no such method"),
        (status, _) => Refusal::hub_error(format!("the receiver answered with HTTP {status} and no OCPI envelope")),
    }
}

/// F-06. No data at all is an empty list (F-04, T-38), and an error has no list in it.
fn is_no_list(envelope: &Envelope) -> bool {
    let data = envelope.data.as_ref().map(|data| data.get().trim_start());
    envelope.status_code.is_success() && data.is_some_and(|data| !data.starts_with('['))
}

fn kept(answer: &Answer) -> Vec<(&'static str, String)> {
    // All of a name: the next page may be in the second `Link` (F-08).
    let all_of = |name: &'static str| {
        let of_that_name = answer
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_that_name.map(|(_, value)| (name, value.clone())).collect::<Vec<_>>()
    };
    [LOCATION, LINK, X_TOTAL_COUNT, X_LIMIT]
        .into_iter()
        .flat_map(all_of)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn answered(status: u16, body: &str) -> Outcome {
        Outcome::Answered(Answer {
            status,
            headers: Vec::new(),
            body: Bytes::from(body.to_owned()),
        })
    }

    fn refused(outcome: Outcome, expects: Expects) -> (Situation, u16) {
        let refusal = read(outcome, expects).unwrap_err();
        (refusal.situation, refusal.code().0)
    }

    // S-11, D-07, F-09, F-19, TOK-04, SES-04
    #[test]
    fn an_envelope_is_passed_on_with_its_http_status_and_its_octets() {
        for (status, code) in [
            (200, 1000),
            (201, 1000),
            (202, 1000),
            (200, 2001),
            (404, 2004),
            (404, 2001),
            (400, 2000),
            (405, 2000),
            (429, 2000),
            (500, 3000),
            (200, 4003),
            (200, 1999),
        ] {
            let body = format!("{{ \"status_code\" : {code}, \"x\": 1.50 }}\n");
            let relayed = read(answered(status, &body), Expects::Object).unwrap();
            assert_eq!((relayed.http, relayed.code.0), (status, code));
            assert_eq!(relayed.body, body.as_bytes());
        }
    }

    // S-14
    #[test]
    fn a_refused_token_of_the_hub_never_accuses_the_requesters() {
        for status in [401, 403] {
            for body in ["", "no", r#"{"status_code":2000}"#, r#"{"status_code":1000}"#] {
                assert_eq!(
                    refused(answered(status, body), Expects::Object),
                    (Situation::NotConnected, 4003)
                );
            }
        }
    }

    // S-15, D-07, TOK-04
    #[test]
    fn an_answer_without_an_envelope_never_reaches_the_requester_raw() {
        for body in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"status_code":"1000"}"#,
            r#"{"status_code":7}"#,
        ] {
            assert_eq!(
                refused(answered(404, body), Expects::Object),
                (Situation::NotFound, 2000)
            );
            assert_eq!(
                refused(answered(404, body), Expects::Authorization),
                (Situation::UnknownToken, 2004)
            );
            assert_eq!(
                refused(answered(405, body), Expects::Authorization),
                (Situation::MethodNotAllowed, 2000)
            );
            for status in [200, 201, 204, 400, 410, 429, 500, 502, 503] {
                assert_eq!(
                    refused(answered(status, body), Expects::Object),
                    (Situation::HubError, 4000),
                    "{status} {body}"
                );
            }
        }
    }

    // D-07
    #[test]
    fn a_redirect_is_4000_also_with_an_envelope() {
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(
                refused(answered(status, r#"{"status_code":1000}"#), Expects::Object).1,
                4000
            );
        }
    }

    // R-41, R-42, F-20
    #[test]
    fn no_answer_is_4002_or_4003_and_says_nothing_of_addresses() {
        for (outcome, code) in [
            (Outcome::TimedOut, 4002),
            (Outcome::Unreachable("10.0.0.7 refused".into()), 4003),
            (Outcome::NotAllowed("10.0.0.7 is private".into()), 4003),
            (Outcome::Nonsense("10.0.0.7 broke off".into()), 4000),
        ] {
            let refusal = read(outcome, Expects::Object).unwrap_err();
            assert_eq!(refusal.code().0, code);
            assert!(!refusal.message.contains("10.0.0.7"), "{}", refusal.message);
        }
    }

    // F-04, F-05, F-06
    #[test]
    fn a_list_is_a_list_or_nothing() {
        for data in [r#""data":[],"#, r#""data": [{"id":"1"}],"#, r#""data":null,"#, ""] {
            let body = format!(r#"{{{data}"status_code":1000}}"#);
            assert!(read(answered(200, &body), Expects::List).is_ok(), "{data}");
        }
        for data in [r#"{"id":"1"}"#, r#""[]""#, "1"] {
            let body = format!(r#"{{"data":{data},"status_code":1000}}"#);
            assert_eq!(
                refused(answered(200, &body), Expects::List),
                (Situation::HubError, 4000)
            );
            assert!(read(answered(200, &body), Expects::Object).is_ok());
            let error = format!(r#"{{"data":{data},"status_code":2000}}"#);
            assert_eq!(read(answered(200, &error), Expects::List).unwrap().code.0, 2000);
        }
    }

    // R-14
    #[test]
    fn the_headers_modules_define_are_kept_and_no_others() {
        let headers = [
            ("link", r#"</x>; rel="next""#),
            ("x-total-count", "7"),
            ("X-Limit", "2"),
            ("location", "/c/1"),
            ("connection", "close"),
            ("x-request-id", "theirs"),
            ("ocpi-from-party-id", "XXX"),
            ("set-cookie", "a=b"),
        ];
        let answer = Answer {
            status: 200,
            headers: headers.map(|(name, value)| (name.into(), value.into())).to_vec(),
            body: Bytes::from_static(br#"{"data":[],"status_code":1000}"#),
        };
        let relayed = read(Outcome::Answered(answer), Expects::List).unwrap();
        let names: Vec<_> = relayed.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["Location", "Link", "X-Total-Count", "X-Limit"]);
        assert_eq!(relayed.header("x-total-count"), Some("7"));
    }
}
