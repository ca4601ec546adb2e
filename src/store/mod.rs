//! Memory: what must survive the process, in the words of the rooms that ask for it.
//!
//! One [`Store`], two databases. SQL lives here and nowhere else; others receive values, never connections. Every change is one commit:
//! what follows from a fact is written together with it, and what may not happen twice is refused by a unique index, so the promises hold
//! between processes too. Nothing here reads a clock or decides anything about a CDR.
//!
//! Start with [`evidence`]; `tests/store.rs` is the list of promises.
//!
//! # Design notes
//!
//! Queries are written once, as `async fn`s inside `both!`, and compiled for SQLite and for PostgreSQL. SQLite has nothing to wait for, so
//! its futures are polled once on the thread that owns the connection. What differs, and why:
//!
//! - leasing duties: PostgreSQL skips rows another worker has just locked, SQLite has one writer and no such words (`outbox`);
//! - taking and settling CDRs: PostgreSQL is handed a whole group in one statement (`postgres::group`); SQLite runs the plain statements of
//!   a group in one transaction (`sqlite::writer`).
//!
//! Generic functions over both backends were tried first: the bounds repeat diesel's internals per query and column.

pub mod copies;
pub mod agreements;
pub mod announced;
pub mod answers;
pub mod audit;
pub mod client_info;
pub mod confirmations;
pub mod error;
pub mod evidence;
pub mod files;
pub mod hints;
pub mod journal;
pub mod links;
mod migrate;
pub mod missed;
pub mod notices;
pub mod mirror;
pub mod observations;
pub mod outbox;
pub mod parties;
mod postgres;
pub mod profiles;
pub mod pulls;
pub mod presence;
pub mod registry;
pub mod retention;
mod schema;
pub mod sealed;
pub mod settled;
mod sqlite;
mod value;
pub mod views;

pub use announced::AnnouncedRow;
pub use answers::AnswerRow;
pub use audit::AuditLine;
pub use client_info::{ClientInfoChange, ClientInfoDuty, ClientInfoRow, ClientInfoState, ClientViewRow, Shown};
pub use confirmations::{ConfirmationEnd, ConfirmationRow, NewConfirmation};
pub use copies::{CopyRow, NewCopy};
pub use error::StoreError;
pub use evidence::{
    AttemptRow, BlockClaim, BlockUse, CaseDoubt, CaseFinding, CaseMember, CaseRow, CaseSubject, CdrBrief, CdrFilter,
    CdrListItem, CdrPage, CdrPull, CdrRow, Examined, FirstAnswer, MeterNeighbour, MeterSpan, NewCdr, NewRecheck,
    NewVerdict, NewestVerdict, RecheckProgress, RecheckRow, ReportItem, Settled, Settlement, Taken, TraceKind,
    TracePlace, TraceQuery, TraceWalk, Traces, VerdictPull, VerifiedQuery,
};
pub use files::NewFile;
pub use hints::{HintChange, HintRow};
pub use journal::{JournalEntry, JournalFilter};
pub use links::LentRow;
pub use migrate::SchemaState;
pub use mirror::{MirrorFilter, MirrorItem, MirrorPage, MirrorPlace, MirrorRow, MirrorWrite, PageSize, Written};
pub use missed::{MissedTold, NewMissed, ObjectRevision};
pub use notices::{Message, NewNotice, NoticeRow, UnderContract};
pub use observations::ObservationRow;
pub use outbox::{DutyRow, NewDuty, Portions};
pub use parties::{DirectoryRows, NewPlatform, PartyRow, PlatformChange, PlatformRow, TokenRow};
pub use presence::{Checked, PresenceRow};
pub use profiles::{ContractKept, ContractRow, ControlFilter, ControlRow};
pub use pulls::{PullEnd, PullKey, PullRow};
pub use registry::{KeyRow, RegistryBatch, RegistryDocument, RegistryLine};
pub use retention::{Old, OldKind, Portion, Removing};
pub use sealed::{BadKey, Keyring, NotSettled, SettledSecrets};
pub use settled::Told;
pub use views::{DutyTotal, Overview};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::seeing::{Sizes, Tally};
use postgres::Postgres;
use sqlite::Sqlite;

/// The database. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
    /// What secrets are kept under; see [`sealed`].
    keys: Option<Arc<Keyring>>,
    damaged: Arc<AtomicBool>,
    seen: Seen,
}

/// What is counted here: how many changes each commit held, and what went wrong by what a caller can do about it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Changes in each group commit.
    pub groups: Sizes,
    /// Calls that failed, by [`StoreError::TROUBLES`].
    pub troubles: Tally,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Store {
    /// Opens `sqlite://path` or `postgres://…` (`postgresql://…`). Creates the SQLite file if it is not there, does not migrate, and
    /// refuses a database whose schema is newer than this program. Must be called on the runtime that lives as long as the store.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let seen = Seen {
            groups: Sizes::of_groups(),
            troubles: Tally::of(&StoreError::TROUBLES),
        };
        let engine = if let Some(path) = url.strip_prefix("sqlite://") {
            Engine::Sqlite(Sqlite::open(path, seen.groups.clone()).await?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Engine::Postgres(Postgres::open(url, &seen.groups).await?)
        } else {
            // Without the URL: it may hold a password.
            return Err(StoreError::unavailable(
                "the URL of the database begins neither with sqlite:// nor with postgres://",
            ));
        };
        let store = Store {
            engine,
            keys: None,
            damaged: Arc::default(),
            seen,
        };
        store.schema_state().await?.refuse_newer()?;
        Ok(store)
    }

    /// Which of the two it is: `sqlite` or `postgres`.
    pub fn kind(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }

    /// Tells the other processes on this database that this one serves under `public_url`, for as long as it lives, and hears from them when
    /// the directory has changed (see [`Store::news`]). With SQLite there is one process and nothing to tell.
    ///
    /// When another living process serves under another URL, the log says so: what one of them lends, the other could not honour.
    pub async fn join(&self, public_url: &str) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(db) => db.join(public_url).await,
        }
    }

    /// Changes whenever another process may have changed the directory. It saves waiting and nothing depends on it: what was missed is found
    /// by who looks from time to time.
    pub fn news(&self) -> watch::Receiver<u64> {
        match &self.engine {
            Engine::Sqlite(_) => watch::channel(0).1,
            Engine::Postgres(db) => db.news(),
        }
    }

    /// Whether this process has met a damaged page since it started. What does not touch it goes on.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// What was counted since the start.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Counts trouble and remembers damage on its way to the caller.
    fn noting<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Some(trouble) = outcome.as_ref().err().and_then(StoreError::trouble) {
            self.seen.troubles.count(trouble);
        }
        if outcome.as_ref().is_err_and(StoreError::is_damage) && !self.damaged.swap(true, Ordering::Relaxed) {
            log::error!("the database is damaged: bring back a good copy of it");
        }
        outcome
    }

    /// Finishes what is queued and closes. Calls after it end with `Unavailable`.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(db) => db.close().await,
            Engine::Postgres(db) => db.close().await,
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.kind())
    }
}

/// What queries are made of. Not diesel's prelude: its `RunQueryDsl` is another one than ours.
mod words {
    pub(super) use diesel::sql_types::BigInt;
    pub(super) use diesel::{
        BoolExpressionMethods, ExpressionMethods, IntoSql, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
        QueryDsl, SelectableHelper,
    };
}

/// Compiles queries for both databases, in a module `sqlite` and a module `postgres` beside the caller. In the text, `Connection`,
/// `RunQueryDsl`, `LOCKING`, `credits`, `judgements` (verdicts), `announcements`, `telling`, `liveness`, `registrations`, `told` (answers), `owed` (confirmations),
/// `absences` (missed), `following` (copies) and `papers` (files) are those of the database.
macro_rules! both {
    ($($queries:tt)*) => {
        pub(in crate::store) mod sqlite {
            #[allow(unused_imports, reason = "one list of words for all queries")]
            use {super::*, crate::store::words::*, crate::store::sqlite::{Connection, LOCKING, RunQueryDsl}};
            #[allow(unused_imports, reason = "as above")]
            use crate::store::evidence::{credits::sqlite as credits, verdicts::sqlite as judgements};
            #[allow(unused_imports, reason = "as above")]
            use crate::store::{announced::sqlite as announcements, presence::sqlite as liveness, registry::sqlite as registrations};
            #[allow(unused_imports, reason = "as above")]
            use crate::store::{answers::sqlite as told, confirmations::sqlite as owed, files::sqlite as papers, copies::sqlite as following, missed::sqlite as absences, notices::sqlite as telling};
            $($queries)*
        }
        pub(in crate::store) mod postgres {
            #[allow(unused_imports, reason = "one list of words for all queries")]
            use {super::*, crate::store::words::*, crate::store::postgres::{Connection, LOCKING, RunQueryDsl}};
            #[allow(unused_imports, reason = "as above")]
            use crate::store::evidence::{credits::postgres as credits, verdicts::postgres as judgements};
            #[allow(unused_imports, reason = "as above")]
            use crate::store::{announced::postgres as announcements, presence::postgres as liveness, registry::postgres as registrations};
            #[allow(unused_imports, reason = "as above")]
            use crate::store::{answers::postgres as told, confirmations::postgres as owed, files::postgres as papers, copies::postgres as following, missed::postgres as absences, notices::postgres as telling};
            $($queries)*
        }
    };
}

/// Asks a query written in [`both!`]. Arguments are owned variables and reach it as references.
macro_rules! ask {
    ($store:expr, $query:ident($($argument:ident),*)) => {
        $store.noting(match &$store.engine {
            crate::store::Engine::Sqlite(db) => {
                db.read(move |c| crate::store::sqlite::now(sqlite::$query(c, $(&$argument),*))).await
            }
            crate::store::Engine::Postgres(db) => match db.connection().await {
                Ok(mut c) => postgres::$query(&mut c, $(&$argument),*).await,
                Err(error) => Err(error),
            },
        })
    };
}

/// Makes a change written in [`both!`] in a transaction of its own: it is kept when it ends well and taken back when not. One that met
/// another process is made again a few times before it is `Busy`.
macro_rules! change {
    ($store:expr, $query:ident($($argument:ident),*)) => {
        $store.noting(match &$store.engine {
            crate::store::Engine::Sqlite(db) => {
                const ABOUT_A_ROW: usize = 1024;
                db.change(ABOUT_A_ROW, move |c| crate::store::sqlite::now(sqlite::$query(c, $(&$argument),*))).await
            }
            crate::store::Engine::Postgres(db) => {
                let mut tries = 0;
                loop {
                    let outcome = match db.begin().await {
                        Ok(mut transaction) => {
                            let outcome = postgres::$query(&mut transaction.connection, $(&$argument),*).await;
                            transaction.end(outcome).await
                        }
                        Err(error) => Err(error),
                    };
                    if !crate::store::postgres::again(&outcome, &mut tries).await {
                        break outcome;
                    }
                }
            }
        })
    };
}
use {ask, both, change};
