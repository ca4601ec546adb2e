//! What a neighbour hears when it calls: an answer, or why there was none.

use crate::ocpi::envelope;

/// What went wrong for a neighbour.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port could not be had.
    #[error("a sandbox party could not listen: {0}")]
    Listen(#[from] std::io::Error),
    /// The HTTP client could not be made.
    #[error("a sandbox party has no HTTP client: {0}")]
    Client(String),
    /// The meter could not be made.
    #[error("a sandbox meter could not be made: {0}")]
    Meter(#[from] crate::metering::sign::SigningError),
    /// The hub did not answer.
    #[error("no answer from the hub to {what}: {how}")]
    NoAnswer {
        /// What was asked.
        what: String,
        /// What happened instead.
        how: String,
    },
    /// The hub answered, but not as the step needs it.
    #[error("{step}: the hub answered {http}, status {code:?}: {said}")]
    Refused {
        /// The step of the handshake or the call.
        step: String,
        /// The HTTP status.
        http: u16,
        /// The OCPI status, when there was an envelope.
        code: Option<u16>,
        /// The message, or what could not be read.
        said: String,
    },
    /// The party is not registered, or the hub does not list that module.
    #[error("this party knows no {0} at the hub")]
    NotConnected(String),
    /// What the caller handed over cannot be sent.
    #[error("this cannot be sent: {0}")]
    Unsendable(String),
}

/// The hub's answer to a neighbour.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub http: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
    /// `status_code`, when the body is an envelope.
    pub code: Option<u16>,
    /// `status_message`.
    pub message: Option<String>,
    /// The raw text of `data`.
    pub data: Option<String>,
}

impl Reply {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// HTTP 2xx with an OCPI status of 1xxx.
    #[must_use]
    pub fn accepted(&self) -> bool {
        (200..300).contains(&self.http) && self.code.is_some_and(|code| (1000..2000).contains(&code))
    }

    pub(super) fn of(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Reply {
        let read = envelope::read(&body).ok();
        Reply {
            http: status,
            headers,
            code: read.as_ref().map(|envelope| envelope.status_code.0),
            message: read.as_ref().and_then(|envelope| envelope.status_message.clone()),
            data: read.and_then(|envelope| envelope.data.map(|data| data.get().to_owned())),
            body,
        }
    }
}

impl std::fmt::Debug for Reply {
    /// Without the body: the answer to a handshake holds a token, a list holds drivers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("http", &self.http)
            .field("code", &self.code)
            .field("message", &self.message)
            .finish()
    }
}
