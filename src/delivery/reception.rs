//! What a receiver's answer to a CDR means: taken, rejected, or not taken yet (the table of design.md 3.6.5). Pure.
//!
//! Only an envelope decides. One with 1xxx or 2xxx is the receiver's word about this CDR, whatever the HTTP status, with three
//! exceptions: 401, 403 and 429 speak of the hub's token or pace, and a redirect speaks of an address. Nothing of these says
//! anything about the CDR, and OCPI servers put 2xxx into their 401 (S-14, D-07).

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::client::backoff;
use crate::client::outcome::{Answer, Outcome};
use crate::ocpi::envelope::{self, Envelope};
use crate::ocpi::headers::LOCATION;
use crate::ocpi::refusal::Situation;
use crate::ocpi::status::{Class, StatusCode};

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// 1xxx: the receiver has it.
    Taken {
        /// Its own words.
        said: Said,
        /// The URL under which it keeps the CDR, as it wrote it; perhaps relative, perhaps none (CDR-07).
        location: Option<String>,
    },
    /// 2xxx: the receiver looked at it and said no.
    Rejected(Said),
    /// Anything else: try again.
    NotTaken(NotTaken),
}

/// A receiver's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The HTTP status.
    pub http_status: u16,
    /// The OCPI status code.
    pub code: StatusCode,
    /// The OCPI status message, shortened: it is kept with the CDR and repeated to its sender.
    pub message: Option<String>,
}

/// Why a CDR is still owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// What a relay would have to say about it: 4000, 4002 or 4003.
    pub situation: Situation,
    /// What the receiver said, when that was an envelope of 3xxx or 4xxx.
    pub said: Option<Said>,
    /// The HTTP status, if there was an answer.
    pub http_status: Option<u16>,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
    /// In a few words, for journal and operator.
    pub why: String,
}

/// Reads an outcome.
#[must_use]
pub fn read(outcome: &Outcome, now: DateTime<Utc>) -> Reception {
    let answer = match outcome {
        Outcome::Answered(answer) => answer,
        _ => {
            return not_taken(
                outcome.situation().unwrap_or(Situation::HubError),
                None,
                outcome.to_string(),
            );
        }
    };
    let envelope = envelope::read(&answer.body).ok();
    let said = envelope.as_ref().map(|read| Said {
        http_status: answer.status,
        code: read.status_code,
        message: read.status_message.as_deref().map(envelope::shortened),
    });
    let class = said.as_ref().map(|said| said.code.class());
    match (said, envelope, class) {
        (Some(said), Some(envelope), Some(Class::Success)) if speaks_of_the_cdr(answer) => Reception::Taken {
            said,
            location: location(answer, &envelope),
        },
        (Some(said), _, Some(Class::ClientError)) if speaks_of_the_cdr(answer) => Reception::Rejected(said),
        (said, _, class) => answered_otherwise(answer, said, class, now),
    }
}

fn speaks_of_the_cdr(answer: &Answer) -> bool {
    !matches!(answer.status, 300..=399 | 401 | 403 | 429)
}

fn answered_otherwise(answer: &Answer, said: Option<Said>, class: Option<Class>, now: DateTime<Utc>) -> Reception {
    let situation = match answer.status {
        // S-14: it is the hub's token that was refused, not the requester's.
        401 | 403 => Situation::NotConnected,
        _ => Situation::HubError,
    };
    let code = said
        .as_ref()
        .map(|said| format!(", OCPI {}", said.code))
        .unwrap_or_default();
    let envelope = if said.is_some() { "" } else { ", no OCPI envelope" };
    let why = format!("HTTP {}{code}{envelope}", answer.status);
    let passes = matches!(class, Some(Class::ServerError | Class::HubError)) && speaks_of_the_cdr(answer);
    Reception::NotTaken(NotTaken {
        situation,
        said: said.filter(|_| passes),
        http_status: Some(answer.status),
        retry_after: answer
            .header("Retry-After")
            .and_then(|value| backoff::retry_after(value, now)),
        why,
    })
}

fn not_taken(situation: Situation, http_status: Option<u16>, why: String) -> Reception {
    Reception::NotTaken(NotTaken {
        situation,
        said: None,
        http_status,
        retry_after: None,
        why,
    })
}

/// The `Location` header; or a URL as the only thing in `data`, which some libraries send instead (F-07).
fn location(answer: &Answer, envelope: &Envelope) -> Option<String> {
    if let Some(header) = answer.header(LOCATION).map(str::trim).filter(|value| !value.is_empty()) {
        return Some(header.to_owned());
    }
    let data: String = serde_json::from_str(envelope.data.as_ref()?.get()).ok()?;
    (data.starts_with("http://") || data.starts_with("https://")).then_some(data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bytes::Bytes;

    fn answered(status: u16, headers: &[(&str, &str)], body: &str) -> Reception {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        read(
            &Outcome::Answered(Answer {
                status,
                headers,
                body: Bytes::from(body.to_owned()),
            }),
            DateTime::UNIX_EPOCH,
        )
    }

    fn envelope(code: u16) -> String {
        format!(r#"{{"status_code":{code},"status_message":"m"}}"#)
    }

    fn kept(reception: Reception) -> NotTaken {
        match reception {
            Reception::NotTaken(kept) => kept,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_envelope_with_1xxx_is_the_receivers_yes_whatever_the_http_status() {
        // design.md 3.6.5, D-07, F-09, S-12
        for (status, code) in [(200, 1000), (201, 1000), (202, 1999), (404, 1000), (500, 1000)] {
            let Reception::Taken { said, location } = answered(status, &[], &envelope(code)) else {
                panic!("{status} {code}")
            };
            assert_eq!(
                said,
                Said {
                    http_status: status,
                    code: StatusCode(code),
                    message: Some("m".into())
                }
            );
            assert_eq!(location, None);
        }
    }

    #[test]
    fn an_envelope_with_2xxx_is_the_receivers_no_whatever_the_http_status() {
        for (status, code) in [(200, 2001), (400, 2000), (404, 2999), (422, 2002), (500, 2001)] {
            let Reception::Rejected(said) = answered(status, &[], &envelope(code)) else {
                panic!("{status} {code}")
            };
            assert_eq!((said.http_status, said.code.0), (status, code));
        }
    }

    #[test]
    fn a_refused_token_a_throttle_and_a_redirect_say_nothing_about_the_cdr() {
        // S-14
        for status in [301, 302, 307, 308, 401, 403, 429] {
            for code in [1000, 2000, 2001] {
                let kept = kept(answered(status, &[], &envelope(code)));
                assert_eq!(kept.http_status, Some(status));
                assert_eq!(kept.said, None);
                assert_eq!(
                    kept.situation == Situation::NotConnected,
                    status == 401 || status == 403
                );
            }
        }
    }

    #[test]
    fn anything_else_leaves_the_cdr_owed() {
        for (status, body) in [
            (200, "<html>fine</html>".to_owned()),
            (200, String::new()),
            (204, String::new()),
            (200, envelope(3000)),
            (200, envelope(4003)),
            (200, envelope(999)),
            (200, envelope(5000)),
            (200, "{\"status_code\":\"1000\"}".to_owned()),
            (500, "oops".to_owned()),
            (502, "<html>".to_owned()),
            (404, "not here".to_owned()),
        ] {
            kept(answered(status, &[], &body));
        }
        for outcome in [
            Outcome::TimedOut,
            Outcome::Unreachable("refused".into()),
            Outcome::NotAllowed("private".into()),
            Outcome::Nonsense("half".into()),
        ] {
            assert_eq!(
                kept(read(&outcome, DateTime::UNIX_EPOCH)).situation,
                outcome.situation().unwrap()
            );
        }
    }

    #[test]
    fn without_custody_an_envelope_of_the_receivers_own_trouble_is_passed_on() {
        // S-11
        assert_eq!(kept(answered(200, &[], &envelope(3000))).said.unwrap().code.0, 3000);
        assert_eq!(kept(answered(200, &[], "<html>")).said, None);
    }

    #[test]
    fn of_a_receivers_words_255_characters_are_kept_and_no_control_characters() {
        for (code, words) in [
            (1000, "ä".repeat(300)),
            (2001, format!("\\u0000{}", "€".repeat(100_000))),
        ] {
            let body = format!(r#"{{"status_code":{code},"status_message":"{words}"}}"#);
            let (Reception::Taken { said, .. } | Reception::Rejected(said)) = answered(200, &[], &body) else {
                panic!("{code}")
            };
            let kept = said.message.unwrap();
            assert_eq!(kept.chars().count(), 255);
            assert!(!kept.contains('\0'));
        }
    }

    #[test]
    fn retry_after_is_heard() {
        let kept = kept(answered(429, &[("retry-after", "120")], ""));
        assert_eq!(kept.retry_after, Some(Duration::from_secs(120)));
    }

    #[test]
    fn the_location_is_taken_from_the_header_or_from_a_url_in_data() {
        // CDR-02, F-07
        for (headers, body, expected) in [
            (
                &[("location", "https://a/c/1")][..],
                r#"{"status_code":1000}"#,
                Some("https://a/c/1"),
            ),
            (
                &[("location", "/c/1")],
                r#"{"status_code":1000,"data":"https://b/2"}"#,
                Some("/c/1"),
            ),
            (
                &[("location", " ")],
                r#"{"status_code":1000,"data":"https://b/2"}"#,
                Some("https://b/2"),
            ),
            (&[], r#"{"status_code":1000,"data":"C-1"}"#, None),
            (&[], r#"{"status_code":1000,"data":{"url":"https://b"}}"#, None),
            (&[], r#"{"status_code":1000,"data":null}"#, None),
        ] {
            let Reception::Taken { location, .. } = answered(200, headers, body) else {
                panic!("{body}")
            };
            assert_eq!(location.as_deref(), expected, "{body}");
        }
    }
}
