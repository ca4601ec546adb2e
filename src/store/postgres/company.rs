//! The other processes on the same database: who they say they are, and when they changed the directory.
//!
//! One connection per process that is only listened to. It holds an advisory lock named after the process's public URL, so that the server
//! itself knows which URLs are being served: a lock ends with its session, and no process has to clean up after a dead one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::StoreError;
use super::connect::Target;

/// A trigger on `revisions` speaks here (migration 000015).
const LISTEN: &str = "LISTEN truewatt";

/// The kind of our advisory locks; any number nobody else uses.
const KIND: i32 = i32::from_be_bytes(*b"twhb");

const BEFORE_THE_NEXT_TRY: Duration = Duration::from_secs(1);

/// What one process hears of the others.
#[derive(Clone)]
pub(super) struct Company {
    target: Arc<Target>,
    news: watch::Sender<u64>,
    listening: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Company {
    pub(super) fn new(target: Target) -> Company {
        Company {
            target: Arc::new(target),
            news: watch::Sender::new(0),
            listening: Arc::default(),
        }
    }

    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Says who we are, looks who else is there, and listens from then on.
    pub(super) async fn join(&self, public_url: &str) -> Result<(), StoreError> {
        let unheard = |cause| StoreError::unavailable_because("listening to PostgreSQL", cause);
        let (client, line) = self.listen(public_url).await.map_err(unheard)?;
        let others = client
            .query_one(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND classid::bigint = $1 \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                 AND objid::bigint <> (hashtext($2)::bigint & 4294967295)",
                &[&i64::from(KIND), &public_url],
            )
            .await
            .map_err(unheard)?;
        if others.get::<_, i64>(0) > 0 {
            log::error!(
                "another process on this database serves under another server.public_url than {public_url}: all processes of one hub need the \
                 same, what one of them lends the others could not honour"
            );
        }
        let (company, public_url) = (self.clone(), public_url.to_owned());
        let task = tokio::spawn(async move { company.stay(public_url, client, line).await });
        let before = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(task);
        if let Some(before) = before {
            before.abort();
        }
        Ok(())
    }

    pub(super) fn leave(&self) {
        if let Some(task) = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }

    async fn listen(&self, public_url: &str) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let news = self.news.clone();
        let (client, line) = self
            .target
            .listen(move || news.send_modify(|count| *count += 1))
            .await?;
        client.batch_execute(LISTEN).await?;
        client
            .execute(
                "SELECT pg_advisory_lock_shared($1, hashtext($2))",
                &[&KIND, &public_url],
            )
            .await?;
        Ok((client, line))
    }

    async fn stay(&self, public_url: String, mut client: Client, mut line: JoinHandle<()>) {
        loop {
            // It ends with the connection; that is all there is to know.
            let _ = line.await;
            drop(client);
            log::warn!("PostgreSQL hung up on who listens to it");
            (client, line) = loop {
                tokio::time::sleep(BEFORE_THE_NEXT_TRY).await;
                match self.listen(&public_url).await {
                    Ok(again) => break again,
                    Err(error) => log::debug!("listening to PostgreSQL again: {error}"),
                }
            };
            // What was said meanwhile nobody heard.
            self.news.send_modify(|count| *count += 1);
        }
    }
}
