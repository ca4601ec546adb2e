//! The credentials handshake, whoever begins it.
//!
//! ```text
//!  the peer begins ([`answered`])                      the hub begins ([`begun`])
//!  peer → hub  GET versions, details   TOKEN_A         hub → peer  GET versions, details   TOKEN_A
//!  peer → hub  POST credentials {B}    TOKEN_A         hub → peer  POST credentials {B}    TOKEN_A
//!     hub → peer  GET versions, details   B               peer → hub  GET versions, details   B
//!     one commit: C current, B kept                    hub ← peer  {C'}
//!  peer ← hub  {C}                                     one commit: B current, C' kept
//! ```
//!
//! Nothing is locked while a peer is called: it calls back before it answers, perhaps through another process (CR-07). The
//! commit carries the platform's revision instead; if that moved, the decision is made again from what is now true. Until
//! the commit everything stays as it was, in both directions (CR-34), also the old outbound token.
//!
//! Decisions of this room:
//! - What the hub needs of a peer is its `credentials` endpoint, nothing else: an eMSP without a CDR receiver pulls, a CPO
//!   without a CDR sender pushes. A list without it is 3003 (CR-30), or ends the hub's own attempt before POST (CR-08).
//! - A POST with a fresh TOKEN_A is a new registration even when the platform is connected: the operator made that token for
//!   a peer that lost its own. The old tokens die with its success. With its current token the peer gets 405 (CR-21).
//! - Every token replaced by PUT lives until the newest is used or its grace ends (CR-35), so that a peer that lost two
//!   answers in a row is not locked out either.
//! - When a peer accepted the hub's POST and its answer cannot be used, the hub says DELETE with the token it just got.
//! - When the answer to the hub's PUT is lost, the token it carried stays good beside the old one: the peer may have switched.

pub mod answered;
pub mod begun;
mod claim;
mod discover;

use std::fmt;

use crate::ocpi::refusal::{Refusal, Situation};
use crate::ocpi::status::StatusCode;

/// A step of a handshake, as operators read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// GET of the peer's versions URL.
    Versions,
    /// GET of the details of the version agreed on.
    VersionDetails,
    /// POST or PUT of the hub's credentials, and reading the peer's.
    Credentials,
    /// Making it true here.
    Commit,
}

/// Why a handshake did not come about.
#[derive(Clone, Debug)]
pub struct HandshakeFailure {
    /// How far it got.
    pub step: Step,
    /// The kind of failure: 3001, 3002 or 3003 when the peer began (CR-28, CR-29, CR-30).
    pub situation: Situation,
    /// What went wrong, as a sentence.
    pub message: String,
    /// Whether the address guard forbade the call, so that nobody was asked (N-04, N-05).
    pub not_called: bool,
    /// What the peer said, if it said anything.
    pub said: Option<PeerSaid>,
}

/// An answer as it can be shown to an operator: never a body, never a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerSaid {
    /// The HTTP status.
    pub http_status: u16,
    /// The `status_code` of the envelope, if there was one.
    pub status_code: Option<StatusCode>,
    /// The `status_message` of the envelope, shortened.
    pub status_message: Option<String>,
}

impl Step {
    /// The word in the operator's problem document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Versions => "versions",
            Step::VersionDetails => "version_details",
            Step::Credentials => "credentials",
            Step::Commit => "commit",
        }
    }
}

impl HandshakeFailure {
    fn new(step: Step, situation: Situation, message: impl Into<String>) -> HandshakeFailure {
        HandshakeFailure {
            step,
            situation,
            message: message.into(),
            not_called: false,
            said: None,
        }
    }
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step.as_str(), self.message)?;
        if let Some(said) = &self.said {
            write!(f, " ({said})")?;
        }
        Ok(())
    }
}

impl fmt::Display for PeerSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.http_status)?;
        if let Some(code) = self.status_code {
            write!(f, ", status_code {code}")?;
        }
        if let Some(message) = &self.status_message {
            write!(f, ", {message:?}")?;
        }
        Ok(())
    }
}

impl From<HandshakeFailure> for Refusal {
    fn from(failure: HandshakeFailure) -> Refusal {
        Refusal::new(failure.situation, failure.to_string())
    }
}
