//! Memory: what must survive the process, in the words of the rooms that ask for it.
//!
//! One [`Store`], two databases. SQL lives here and nowhere else; others receive values, never connections. Every change is one commit:
//! what follows from a fact is written together with it, and what may not happen twice is refused by a unique index, so the promises hold
//! between processes too. Nothing here reads a clock or decides anything about a CDR.
//!
//! Start with [`evidence`]; `tests/store.rs` is the list of promises.

pub mod error;
pub mod evidence;
pub mod journal;
mod migrate;
pub mod outbox;
pub mod parties;
pub mod registry;
#[allow(dead_code)]
mod schema;
pub mod views;

pub use error::StoreError;
pub use evidence::{
    AttemptRow, BlockClaim, BlockUse, CdrBrief, CdrFilter, CdrListItem, CdrPage, CdrPull, CdrRow, FirstAnswer, NewCdr,
    ReportItem, Settled, Settlement, Taken,
};
pub use journal::JournalEntry;
pub use migrate::SchemaState;
pub use outbox::{DutyRow, NewDuty};
pub use parties::{DirectoryRows, NewPlatform, PartyRow, PlatformChange, PlatformRow, TokenRow};
pub use registry::KeyRow;
pub use views::Overview;

/// The database. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens `sqlite://path` or `postgres://…`. Creates the SQLite file if it is not there, does not migrate, and refuses a database whose
    /// schema is newer than this program.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let _ = url;
        Ok(Store {})
    }

    /// Which of the two it is: `sqlite` or `postgres`.
    pub fn kind(&self) -> &'static str {
        "sqlite"
    }

    /// Brings the schema to this program's version. Two processes may start at once: one migrates, the other waits.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.later(())
    }

    /// Where the schema stands.
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        self.later(())
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.later(())
    }

    /// Finishes what is queued and closes. Calls after it end with `Unavailable`.
    pub async fn close(&self) {}

    fn later<A, T>(&self, _asked: A) -> Result<T, StoreError> {
        Err(StoreError::unavailable(
            "this part of the store comes with the next commit",
        ))
    }
}
