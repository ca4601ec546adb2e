//! PostgreSQL: a pool for everything, and two queues that write the hot rows in groups.
//!
//! Several processes share one database, so nothing here is decided by what one process remembers: unique indexes and conditional updates
//! are the truth. A lost connection ends in `Unavailable` for whoever used it; the pool opens another.

mod company;
mod connect;
pub(super) mod group;
mod lane;

use std::time::Duration;

use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, AsyncPgConnection, TransactionManager};
use futures_util::FutureExt;
use tokio::sync::watch;

use super::StoreError;
use super::evidence::records::{Settle, Take};
use crate::seeing::Sizes;
use company::Company;
use lane::Lane;

pub(super) use diesel_async::RunQueryDsl;

/// What the queries written once for both databases call their connection here.
pub(super) type Connection = AsyncPgConnection;

/// How a chosen row is kept from other workers: they skip what one of them has just locked instead of waiting for it.
pub(super) const LOCKING: &str = "FOR UPDATE SKIP LOCKED";

/// Connections of one process. A hub waits for partners, not for its database: eight were as fast as thirty-two.
const CONNECTIONS: usize = 8;
/// How long a caller waits for a free connection.
const PATIENCE: Duration = Duration::from_secs(9);
/// A URL with more addresses than this is nobody's.
const MOST_ADDRESSES: Duration = Duration::from_secs(9);
/// How often a change that met another one is made again.
const RETRIES: u32 = 5;

/// A pool of connections to one database.
#[derive(Clone)]
pub(super) struct Postgres {
    pool: Pool<AsyncPgConnection>,
    takes: Lane<Take, ()>,
    settles: Lane<Settle, bool>,
    company: Company,
}

impl Postgres {
    pub(super) async fn open(url: &str, groups: &Sizes) -> Result<Postgres, StoreError> {
        let target = connect::Target::read(url)?;
        if target.patience() > MOST_ADDRESSES {
            return Err(StoreError::unavailable(
                "the URL of the database names more than three addresses",
            ));
        }
        let company = Company::new(target.clone());
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let target = target.clone();
            async move { target.connect().await }.boxed()
        });
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config("", config);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .build()
            .map_err(|cause| StoreError::unavailable_because("building the pool of connections", cause))?;
        let takes = Lane::open(pool.clone(), group::WRITERS, group::take, groups);
        let settles = Lane::open(pool.clone(), 1, group::settle, groups);
        let postgres = Postgres {
            pool,
            takes,
            settles,
            company,
        };
        // The first connection tells whether the address, the password and the certificate are right: now, not at the first CDR.
        drop(postgres.connection().await?);
        Ok(postgres)
    }

    pub(super) async fn connection(&self) -> Result<Object<AsyncPgConnection>, StoreError> {
        connection(&self.pool).await
    }

    /// Begins a transaction. Dropping it half-way loses the connection, not the pool: recycling refuses one with an open transaction.
    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        let mut connection = self.connection().await?;
        Manager::begin_transaction(&mut *connection).await?;
        Ok(Transaction { connection })
    }

    /// Queues a CDR for the next group.
    pub(super) async fn take(&self, take: std::sync::Arc<Take>) -> Result<(), StoreError> {
        self.takes.send(take).await
    }

    /// Queues the end of a delivery for the next group.
    pub(super) async fn settle(&self, settle: std::sync::Arc<Settle>) -> Result<bool, StoreError> {
        self.settles.send(settle).await
    }

    pub(super) async fn join(&self, public_url: &str) -> Result<(), StoreError> {
        self.company.join(public_url).await
    }

    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.company.news()
    }

    pub(super) async fn close(&self) {
        self.company.leave();
        self.takes.close().await;
        self.settles.close().await;
        self.pool.close();
    }
}

type Manager = <AsyncPgConnection as AsyncConnection>::TransactionManager;

/// An open transaction and the connection it is on.
pub(super) struct Transaction {
    pub(super) connection: Object<AsyncPgConnection>,
}

impl Transaction {
    /// Commits what went well and takes back what did not.
    pub(super) async fn end<T>(mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match outcome {
            Ok(value) => {
                Manager::commit_transaction(&mut *self.connection).await?;
                Ok(value)
            }
            Err(error) => {
                // Should this fail too, the pool throws the connection away and the server takes back what was open.
                let _ = Manager::rollback_transaction(&mut *self.connection).await;
                Err(error)
            }
        }
    }
}

/// Whether a change that met another one should be made again: a few times, a little later each time.
pub(super) async fn again<T>(outcome: &Result<T, StoreError>, tries: &mut u32) -> bool {
    let met = matches!(outcome, Err(StoreError::Busy)) && *tries < RETRIES;
    if met {
        *tries += 1;
        tokio::time::sleep(Duration::from_millis(5 << *tries)).await;
    }
    met
}

async fn connection(pool: &Pool<AsyncPgConnection>) -> Result<Object<AsyncPgConnection>, StoreError> {
    match tokio::time::timeout(PATIENCE, pool.get()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(cause)) => Err(StoreError::unavailable_because("connecting to PostgreSQL", cause)),
        Err(_) => Err(StoreError::unavailable("no connection to PostgreSQL came free in time")),
    }
}
