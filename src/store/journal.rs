//! Who sent what when: headers and outcome, never bodies or tokens.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// One message that was answered, or refused, or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Client-made id (UUIDv7): the order of entries.
    pub id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// `X-Correlation-ID`.
    pub correlation_id: String,
    /// `X-Request-ID`.
    pub request_id: Option<String>,
    /// The party it came from, as `DE/ABC`.
    pub from_party: Option<String>,
    /// The party it went to, as `DE/ABC`.
    pub to_party: Option<String>,
    /// The platform at the other end of the line.
    pub platform: Option<String>,
    /// `cdrs`, `credentials`, …
    pub module: String,
    /// HTTP method, or the name of what the hub did by itself.
    pub method: String,
    /// What it was about, as `DE/ABC/C-1`.
    pub object: Option<String>,
    /// HTTP status of the answer.
    pub http_status: Option<i64>,
    /// OCPI status code of the answer.
    pub status_code: Option<i64>,
    /// What became of it, in words.
    pub outcome: String,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
}

impl Store {
    /// Adds an entry.
    pub async fn journal_add(&self, entry: JournalEntry) -> Result<(), StoreError> {
        self.later(entry)
    }

    /// Entries that match all that is given, newest first, after `cursor`, and where to go on. `party` matches sender or receiver.
    pub async fn journal_find(
        &self,
        correlation_id: Option<&str>,
        party: Option<&str>,
        object: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<JournalEntry>, Option<String>), StoreError> {
        self.later((correlation_id, party, object, cursor, limit))
    }
}
