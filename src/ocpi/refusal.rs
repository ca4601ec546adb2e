//! Saying no to a peer: in which situation, and in words it can act on.
//!
//! A refusal is for the peer; a fault of ours is another type, in the room where it happens. No HTTP here: the front door
//! maps a [`Situation`] to a status line in one place.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::status::StatusCode;

/// A no, with the situation it belongs to and a sentence for the peer's developer.
///
/// The sentence names headers, parameters and JSON pointers, never the values found there: those may be driver data.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of no.
    pub situation: Situation,
    /// What exactly, in one sentence.
    pub message: String,
}

/// The kinds of no. Behind each the HTTP status its name suggests (200 where none is given) and the OCPI code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Situation {
    /// 401, 2000: no token, or one of nobody we know (T-03).
    Unauthenticated,
    /// 403, 2000: known, but not allowed to do this (D-12).
    Forbidden,
    /// 405, 2000: the interface has no such method (U-08).
    MethodNotAllowed,
    /// 404, 2000: no such thing, or none that concerns the caller (D-07).
    NotFound,
    /// 404, 2003: no such location, EVSE or connector (D-07).
    UnknownLocation,
    /// 404, 2004: no such token (TOK-04, D-07).
    UnknownToken,
    /// 400, 2000: not JSON (T-22).
    Malformed,
    /// 408, 2000: it did not arrive in time.
    TooSlow,
    /// 413, 2000: more than we read (D-19).
    TooLarge,
    /// 431, 2000: more before the body than we read.
    HeadTooLarge,
    /// 429, 2000: asked too often; possible again after so many seconds (N-03, D-24).
    TooOften(u32),
    /// 415, 2000: a body that does not claim to be JSON (T-20).
    UnsupportedMediaType,
    /// 2001: a missing or invalid parameter, header or member.
    InvalidParameter,
    /// 2002: not enough information.
    NotEnoughInformation,
    /// 3001: the caller's own API could not be used (CR-28).
    UnusableClientApi,
    /// 3002: the caller does not offer the version (CR-29).
    UnsupportedVersion,
    /// 3003: the caller lacks endpoints that are needed (CR-30).
    NoMatchingEndpoints,
    /// 4000: the hub cannot carry this.
    HubError,
    /// 4001: nobody here answers to that name.
    UnknownReceiver,
    /// 4002: carried, but no answer in time.
    TimedOut,
    /// 4003: known, but not connected.
    NotConnected,
}

impl Situation {
    /// The OCPI status code of the answer.
    #[must_use]
    pub fn code(self) -> StatusCode {
        match self {
            Self::Unauthenticated
            | Self::Forbidden
            | Self::MethodNotAllowed
            | Self::NotFound
            | Self::Malformed
            | Self::TooSlow
            | Self::TooLarge
            | Self::HeadTooLarge
            | Self::TooOften(_)
            | Self::UnsupportedMediaType => StatusCode::CLIENT_ERROR,
            Self::UnknownLocation => StatusCode::UNKNOWN_LOCATION,
            Self::UnknownToken => StatusCode::UNKNOWN_TOKEN,
            Self::InvalidParameter => StatusCode::INVALID_PARAMETER,
            Self::NotEnoughInformation => StatusCode::NOT_ENOUGH_INFORMATION,
            Self::UnusableClientApi => StatusCode::UNUSABLE_CLIENT_API,
            Self::UnsupportedVersion => StatusCode::UNSUPPORTED_VERSION,
            Self::NoMatchingEndpoints => StatusCode::NO_MATCHING_ENDPOINTS,
            Self::HubError => StatusCode::HUB_ERROR,
            Self::UnknownReceiver => StatusCode::UNKNOWN_RECEIVER,
            Self::TimedOut => StatusCode::TIMED_OUT,
            Self::NotConnected => StatusCode::NOT_CONNECTED,
        }
    }
}

impl Refusal {
    /// A no of the given kind.
    #[must_use]
    pub fn new(situation: Situation, message: impl Into<String>) -> Self {
        Self {
            situation,
            message: message.into(),
        }
    }

    /// 2001 for a member of a document, named by its JSON pointer: `/roles/0/role: …`.
    #[must_use]
    pub fn invalid(pointer: &str, reason: impl fmt::Display) -> Self {
        Violation::new(pointer, reason.to_string()).into()
    }

    /// 429, 2000: whose patience ended, and after how long to ask again, at least a second.
    #[must_use]
    pub fn too_often(whose: &str, wait: Duration) -> Self {
        // Whole seconds, and never sooner than it helps.
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).max(1);
        let message = format!("{whose}; ask again in {seconds} s");
        Self::new(Situation::TooOften(seconds), message)
    }

    /// The OCPI status code of the answer.
    #[must_use]
    pub fn code(&self) -> StatusCode {
        self.situation.code()
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $situation:ident;)*) => {
        impl Refusal {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(Situation::$situation, message)
            })*
        }
    };
}

constructors! {
    /// 401, 2000.
    unauthenticated => Unauthenticated;
    /// 403, 2000.
    forbidden => Forbidden;
    /// 405, 2000.
    method_not_allowed => MethodNotAllowed;
    /// 404, 2000.
    not_found => NotFound;
    /// 404, 2003.
    unknown_location => UnknownLocation;
    /// 404, 2004.
    unknown_token => UnknownToken;
    /// 400, 2000.
    malformed => Malformed;
    /// 408, 2000.
    too_slow => TooSlow;
    /// 413, 2000.
    too_large => TooLarge;
    /// 431, 2000.
    head_too_large => HeadTooLarge;
    /// 415, 2000.
    unsupported_media_type => UnsupportedMediaType;
    /// 2001 for a header or query parameter, named in the message.
    invalid_parameter => InvalidParameter;
    /// 2002.
    not_enough_information => NotEnoughInformation;
    /// 3001.
    unusable_client_api => UnusableClientApi;
    /// 3002.
    unsupported_version => UnsupportedVersion;
    /// 3003.
    no_matching_endpoints => NoMatchingEndpoints;
    /// 4000.
    hub_error => HubError;
    /// 4001.
    unknown_receiver => UnknownReceiver;
    /// 4002.
    timed_out => TimedOut;
    /// 4003.
    not_connected => NotConnected;
}

/// A document that is not what OCPI says it is: where, and why. As a refusal it is a 2001.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Violation {
    /// JSON pointer (RFC 6901) of the member; empty for the document as a whole.
    pub pointer: String,
    /// What is wrong there, without repeating what was found.
    pub reason: String,
}

impl Violation {
    /// A violation at `pointer`.
    #[must_use]
    pub fn new(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() {
            "the document"
        } else {
            &self.pointer
        };
        write!(out, "{place}: {}", self.reason)
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::new(Situation::InvalidParameter, violation.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_member_is_named_by_its_pointer() {
        let refusal = Refusal::invalid("/roles/0/role", "is no role of OCPI 2.2.1");
        assert_eq!(refusal.code(), StatusCode::INVALID_PARAMETER);
        assert_eq!(refusal.message, "/roles/0/role: is no role of OCPI 2.2.1");
        assert_eq!(
            Refusal::invalid("", "must be an object").message,
            "the document: must be an object"
        );
    }

    // N-03
    #[test]
    fn whoever_asks_too_often_is_told_whole_seconds_and_at_least_one() {
        for (wait_ms, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (60_000, 60)] {
            let refusal = Refusal::too_often("too many requests", Duration::from_millis(wait_ms));
            assert_eq!(refusal.situation, Situation::TooOften(seconds));
            assert_eq!(refusal.message, format!("too many requests; ask again in {seconds} s"));
        }
    }

    // S-07, S-08, S-09, S-10, D-07
    #[test]
    fn every_situation_has_the_code_of_the_checklist() {
        for (refusal, code) in [
            (Refusal::unauthenticated("x"), 2000),
            (Refusal::forbidden("x"), 2000),
            (Refusal::method_not_allowed("x"), 2000),
            (Refusal::not_found("x"), 2000),
            (Refusal::unknown_location("x"), 2003),
            (Refusal::unknown_token("x"), 2004),
            (Refusal::malformed("x"), 2000),
            (Refusal::too_slow("x"), 2000),
            (Refusal::too_large("x"), 2000),
            (Refusal::head_too_large("x"), 2000),
            (Refusal::too_often("x", Duration::ZERO), 2000),
            (Refusal::unsupported_media_type("x"), 2000),
            (Refusal::invalid_parameter("x"), 2001),
            (Refusal::not_enough_information("x"), 2002),
            (Refusal::unusable_client_api("x"), 3001),
            (Refusal::unsupported_version("x"), 3002),
            (Refusal::no_matching_endpoints("x"), 3003),
            (Refusal::hub_error("x"), 4000),
            (Refusal::unknown_receiver("x"), 4001),
            (Refusal::timed_out("x"), 4002),
            (Refusal::not_connected("x"), 4003),
        ] {
            assert_eq!(refusal.code(), StatusCode(code), "{refusal:?}");
            assert!(code % 1000 < 900, "{code} is for custom modules");
        }
    }
}
