//! The two ways a request can fail: a refusal is for the peer, a fault is ours.

use std::error::Error;

use crate::ocpi::refusal::Refusal;
use crate::store::StoreError;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The peer can do something about it, and is told what.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// It was us. The peer learns only that.
    #[error(transparent)]
    Ours(#[from] Fault),
}

/// Something of ours did not work. Its text is for the log, never for a peer.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct Fault {
    doing: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault with the noun it happened to: "reading the directory".
    pub fn new(doing: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Fault {
        Fault {
            doing: doing.into(),
            source: Some(Box::new(source)),
        }
    }

    /// A fault found by ourselves, with nothing beneath it.
    pub fn found(doing: impl Into<String>) -> Fault {
        Fault {
            doing: doing.into(),
            source: None,
        }
    }

    /// Whether it passes by itself, because the database is away or busy: then it is worth while to ask again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let mut next = self.source();
        while let Some(cause) = next {
            if let Some(error) = cause.downcast_ref::<StoreError>() {
                return error.is_passing();
            }
            next = cause.source();
        }
        false
    }

    /// The fault and everything that caused it, on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.doing.clone();
        let mut next = self.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}
