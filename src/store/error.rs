//! What can go wrong between us and the database, by what a caller can do about it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A fault of the store. Which one it is tells what to do next; the chain behind it tells a human why.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing. Asking again will not help.
    #[error("not found")]
    NotFound,
    /// Something else is there already, or has changed since it was read. Nothing was written. The text names the thing, never its content.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Others kept the database busy for longer than we wait. Nothing was written; the same call may succeed later.
    #[error("the database is busy")]
    Busy,
    /// The database cannot be reached or cannot write. Whether a change was kept is unknown; repeating it is safe.
    #[error("the database is not available")]
    Unavailable(#[source] Trouble),
    /// What is stored, or what was asked, does not make sense to this program. A human has to look.
    #[error("the database holds or was asked something impossible")]
    Corrupt(#[source] Trouble),
}

/// What we were told about a fault: a sentence, and the error below it.
#[derive(Clone)]
pub struct Trouble {
    sentence: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl StoreError {
    pub(super) fn unavailable(sentence: impl Into<String>) -> StoreError {
        StoreError::Unavailable(Trouble {
            sentence: sentence.into(),
            cause: None,
        })
    }

    pub(super) fn unavailable_because(
        sentence: impl Into<String>,
        cause: impl Error + Send + Sync + 'static,
    ) -> StoreError {
        StoreError::Unavailable(Trouble {
            sentence: sentence.into(),
            cause: Some(Arc::new(cause)),
        })
    }

    /// Whether it passes by itself: the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, StoreError::Busy | StoreError::Unavailable(_))
    }

    /// The words of [`StoreError::trouble`].
    pub const TROUBLES: [&'static str; 3] = ["busy", "unavailable", "corrupt"];

    /// In a word what is wrong with the database; `None` where nothing is, and only the answer was no.
    #[must_use]
    pub fn trouble(&self) -> Option<&'static str> {
        match self {
            StoreError::NotFound | StoreError::Conflict(_) => None,
            StoreError::Busy => Some("busy"),
            StoreError::Unavailable(_) => Some("unavailable"),
            StoreError::Corrupt(_) => Some("corrupt"),
        }
    }

    /// Whether the database found its own pages damaged. Nothing but a good copy of them helps.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        const DAMAGED: [&str; 4] = [
            "malformed",
            "file is not a database",
            "invalid page in block",
            "could not read block",
        ];
        let StoreError::Corrupt(trouble) = self else {
            return false;
        };
        let below = trouble.cause.as_ref().map(ToString::to_string).unwrap_or_default();
        DAMAGED.iter().any(|words| below.contains(words))
    }

    pub(crate) fn corrupt(sentence: impl Into<String>) -> StoreError {
        StoreError::Corrupt(Trouble {
            sentence: sentence.into(),
            cause: None,
        })
    }

    pub(crate) fn corrupt_because(
        sentence: impl Into<String>,
        cause: impl Error + Send + Sync + 'static,
    ) -> StoreError {
        StoreError::Corrupt(Trouble {
            sentence: sentence.into(),
            cause: Some(Arc::new(cause)),
        })
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> StoreError {
        match &error {
            DieselError::NotFound => StoreError::NotFound,
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, about) => {
                // The constraint's name or SQLite's "UNIQUE constraint failed: table.column": neither carries a value.
                StoreError::Conflict(about.constraint_name().unwrap_or(about.message()).to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => StoreError::Busy,
            DieselError::DatabaseError(
                DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection,
                _,
            )
            | DieselError::BrokenTransactionManager => {
                StoreError::unavailable_because("the connection to the database is lost", error)
            }
            DieselError::DatabaseError(_, about) => by_message(&about.message().to_ascii_lowercase(), error),
            _ => StoreError::corrupt_because("a query could not be made or understood", error),
        }
    }
}

/// Neither driver hands over the database's own code for these, only its words. They have been the same for a decade, and a
/// miss costs a retry, not a CDR.
fn by_message(words: &str, error: DieselError) -> StoreError {
    const BUSY: [&str; 4] = [
        "database is locked",
        "database table is locked",
        "deadlock detected",
        "lock timeout",
    ];
    const DOWN: [&str; 13] = [
        "disk i/o error",
        "is full",
        "readonly database",
        "unable to open",
        "no space left",
        "terminating connection",
        "is shutting down",
        "is starting up",
        "is in recovery mode",
        "too many clients",
        "remaining connection slots",
        "read-only transaction",
        "statement timeout",
    ];
    if BUSY.iter().any(|busy| words.contains(busy)) {
        StoreError::Busy
    } else if DOWN.iter().any(|down| words.contains(down)) {
        StoreError::unavailable_because("the database refuses to work", error)
    } else {
        StoreError::corrupt_because("the database refused a query", error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.sentence)?;
        match &self.cause {
            Some(cause) => write!(f, " because {cause:?}"),
            None => Ok(()),
        }
    }
}

impl Error for Trouble {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
