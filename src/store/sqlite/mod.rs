//! SQLite: one thread writes, a few connections read, and nobody waits for a clock.
//!
//! All changes go to [`writer`], which commits whatever has queued up in one go. Readers see the last commit and are never in its way (WAL).
//! An acknowledged change is on disk (`synchronous=FULL`), not only in the operating system's memory.
//!
//! Memory grows with traffic up to a bound, whatever is stored: 24 MB of pages for the writer and 4 MB for each of the four readers, plus
//! what is queued, 4096 changes at most and groups of 1 MB.

mod readers;
mod writer;

use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::query_dsl::methods::{ExecuteDsl, LimitDsl, LoadQuery};
use diesel::{Connection as _, QueryResult, SqliteConnection};

use super::StoreError;
use crate::seeing::Sizes;
use readers::Readers;
use writer::Writer;

/// What the queries written once for both databases call their connection here.
pub(super) type Connection = SqliteConnection;

/// How a chosen row is kept from other workers: there is one writer, so nobody else can choose it.
pub(super) const LOCKING: &str = "";

/// How long a statement waits for another process that is writing to the same file before it is refused as busy.
const BUSY_AFTER: Duration = Duration::from_secs(10);

const MEANWHILE: Duration = Duration::from_millis(20);

/// A database file and the connections to it.
#[derive(Clone)]
pub(super) struct Sqlite {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
}

impl Sqlite {
    pub(super) async fn open(path: &str, groups: Sizes) -> Result<Sqlite, StoreError> {
        let path = PathBuf::from(path);
        let opening = move || {
            create_private(&path)?;
            let writer = Writer::start(connect(&path, WRITING)?, groups)?;
            Ok(Sqlite {
                writer: Arc::new(writer),
                readers: Arc::new(Readers::new(path)),
            })
        };
        blocking(opening).await
    }

    /// Runs a change in the next group commit. It answers after the commit; when the change ends in an error, nothing of it is kept. It may
    /// be run twice before it is kept once.
    /// `weight` is about how many bytes it writes.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl Fn(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.change(weight, work).await
    }

    /// Runs statements outside of any transaction of ours, on the writing connection and alone. For migrations, which bring their own.
    pub(super) async fn alone<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.alone(work).await
    }

    /// Asks one of the readers.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.ask(question).await
    }

    pub(super) async fn close(&self) {
        self.readers.close();
        let writer = self.writer.clone();
        // Joining the thread blocks; a runtime that is going away has nobody left to block.
        let _ = blocking(move || {
            writer.close();
            Ok(())
        })
        .await;
    }
}

/// Sent to a query's `execute`, `load`, … instead of diesel's own, so that one query text serves both databases: here the answer is
/// there at once, and awaiting it never waits. See [`now`].
pub(super) trait RunQueryDsl: diesel::RunQueryDsl<SqliteConnection> + Sized {
    fn execute(self, c: &mut SqliteConnection) -> Ready<QueryResult<usize>>
    where
        Self: ExecuteDsl<SqliteConnection>,
    {
        ready(diesel::RunQueryDsl::execute(self, c))
    }

    fn load<'query, U>(self, c: &mut SqliteConnection) -> Ready<QueryResult<Vec<U>>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::load(self, c))
    }

    fn get_result<'query, U>(self, c: &mut SqliteConnection) -> Ready<QueryResult<U>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::get_result(self, c))
    }

    fn first<'query, U>(self, c: &mut SqliteConnection) -> Ready<QueryResult<U>>
    where
        Self: LimitDsl,
        diesel::dsl::Limit<Self>: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(diesel::RunQueryDsl::first(self, c))
    }
}

impl<Q: diesel::RunQueryDsl<SqliteConnection>> RunQueryDsl for Q {}

/// The value of a query written as `async` for both databases. On SQLite every step of it is ready, so it is polled once.
pub(super) fn now<T>(query: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match pin!(query).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(StoreError::corrupt("a query on SQLite waited for something")),
    }
}

const WRITING: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 16000;
    PRAGMA journal_size_limit = 134217728; PRAGMA cache_size = -24576; PRAGMA temp_store = MEMORY;";
const READING: &str = "PRAGMA query_only = ON; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;";

fn connect(path: &Path, pragmas: &str) -> Result<SqliteConnection, StoreError> {
    let cannot_open = |cause| StoreError::unavailable_because(format!("opening {}", path.display()), cause);
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).map_err(cannot_open)?;
    // First of all the patience: the pragmas after it may already meet another process.
    connection.batch_execute(&format!("PRAGMA busy_timeout = {};", BUSY_AFTER.as_millis()))?;
    // Turning WAL on needs the file for itself and does not wait for it, whatever the patience: two processes starting at once meet here.
    let mut waited = Duration::ZERO;
    loop {
        match connection.batch_execute(pragmas).map_err(StoreError::from) {
            Err(StoreError::Busy) if waited < BUSY_AFTER => {
                std::thread::sleep(MEANWHILE);
                waited += MEANWHILE;
            }
            outcome => return outcome.map(|()| connection),
        }
    }
}

/// The file holds tokens of partners: when we make it, only we may read it.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(cause) => Err(StoreError::unavailable_because(
            format!("opening {}", path.display()),
            cause,
        )),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(cause) => Err(StoreError::unavailable_because("a database task ended early", cause)),
    }
}
