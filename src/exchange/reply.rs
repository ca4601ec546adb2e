//! What a requester hears: the receiver's envelope as it came, or the hub's own words, and always from whom to whom.

use bytes::Bytes;

use crate::links::{Behind, Content};
use crate::ocpi::ids::PartyId;
use crate::ocpi::status::StatusCode;

/// An answer to a request on a functional module.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub http: u16,
    /// What it says.
    pub words: Words,
    /// The requester; several of its parties may have asked at once.
    pub to: Option<PartyId>,
    /// Whose answer it is: the receiver's, or the hub's.
    pub from: PartyId,
    /// Headers that belong to it: `Link`, `X-Total-Count`, `X-Limit`.
    pub headers: Vec<(&'static str, String)>,
}

/// Whose words an answer holds.
#[derive(Clone)]
pub enum Words {
    /// The receiver's envelope, octet by octet, and its status code.
    Relayed(Bytes, Option<StatusCode>),
    /// The hub's.
    Own {
        /// The status code.
        code: StatusCode,
        /// What the hub says about it.
        message: Option<String>,
        /// JSON text; absent where the module defines none (S-02).
        data: Option<String>,
    },
}

/// Answers hold what drivers do: their length is told.
impl std::fmt::Debug for Words {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Words::Relayed(body, _) => write!(out, "Relayed({} bytes)", body.len()),
            Words::Own { code, .. } => write!(out, "Own({code})"),
        }
    }
}

impl Reply {
    /// The hub's own success.
    #[must_use]
    pub fn success(http: u16, to: PartyId, from: PartyId, data: Option<String>) -> Reply {
        Reply {
            http,
            words: Words::Own {
                code: StatusCode::SUCCESS,
                message: None,
                data,
            },
            to: Some(to),
            from,
            headers: Vec::new(),
        }
    }
}

impl Reply {
    /// The status code it says; `None` where nobody could read one.
    #[must_use]
    pub fn code(&self) -> Option<StatusCode> {
        match &self.words {
            Words::Own { code, .. } => Some(*code),
            Words::Relayed(_, code) => *code,
        }
    }

    /// Whether it says 1xxx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code().is_some_and(StatusCode::is_success)
    }
}

impl From<Behind> for Reply {
    fn from(behind: Behind) -> Reply {
        let (http, words) = match behind.content {
            Content::Relayed { http, body, code } => (http, Words::Relayed(body, code)),
            Content::Copy(data) => (
                200,
                Words::Own {
                    code: StatusCode::SUCCESS,
                    message: None,
                    data: Some(data),
                },
            ),
        };
        Reply {
            http,
            words,
            to: Some(behind.to),
            from: behind.from,
            headers: behind.headers,
        }
    }
}
