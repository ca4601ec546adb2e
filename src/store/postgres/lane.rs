//! A queue whose writers drain it without waiting and answer after the commit.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Pool;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::StoreError;
use crate::seeing::Sizes;
use crate::store::value::Weight;

/// A group ends at this many jobs, or at about this many bytes (see the writer of SQLite).
const GROUP_JOBS: usize = 256;
const GROUP_BYTES: usize = 1 << 20;
const QUEUE: usize = 4096;

/// Longer than a statement may take on its own: behind a slow database nobody waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// One job and the one who waits for it.
pub(super) struct Waiting<J, T> {
    pub(super) job: Arc<J>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<J, T> Waiting<J, T> {
    /// Tells the outcome. Whoever hung up does not want to know.
    pub(super) fn answer(self, outcome: Result<T, StoreError>) {
        let _ = self.answer.send(outcome);
    }
}

/// Writes a group and answers everyone in it.
pub(super) type Write<J, T> =
    fn(Pool<AsyncPgConnection>, Vec<Waiting<J, T>>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

type Queue<J, T> = mpsc::Sender<Waiting<J, T>>;

/// A queue of jobs of one kind.
pub(super) struct Lane<J, T> {
    queue: Arc<Lock<Option<Queue<J, T>>>>,
    writers: Arc<Lock<Vec<JoinHandle<()>>>>,
}

impl<J, T> Clone for Lane<J, T> {
    fn clone(&self) -> Self {
        Lane {
            queue: self.queue.clone(),
            writers: self.writers.clone(),
        }
    }
}

impl<J: Weight + Send + Sync + 'static, T: Send + 'static> Lane<J, T> {
    pub(super) fn open(
        pool: Pool<AsyncPgConnection>,
        writers: usize,
        write: Write<J, T>,
        groups: &Sizes,
    ) -> Lane<J, T> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        let writers = (0..writers)
            .map(|_| tokio::spawn(work(pool.clone(), jobs.clone(), write, groups.clone())))
            .collect();
        Lane {
            queue: Arc::new(Lock::new(Some(queue))),
            writers: Arc::new(Lock::new(writers)),
        }
    }

    pub(super) async fn send(&self, job: Arc<J>) -> Result<T, StoreError> {
        let closed = || StoreError::unavailable("the database is closed");
        let (answer, outcome) = oneshot::channel();
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let queue = queue.ok_or_else(closed)?;
        let written = async {
            queue.send(Waiting { job, answer }).await.map_err(|_| closed())?;
            outcome
                .await
                .unwrap_or_else(|_| Err(StoreError::unavailable("the writer of the database ended early")))
        };
        // Whether it will be kept nobody knows then, as when a connection is lost.
        tokio::time::timeout(PATIENCE, written)
            .await
            .unwrap_or_else(|_| Err(StoreError::unavailable("the database did not write in time")))
    }

    /// Writes what is queued, then ends.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writers = std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        for writer in writers {
            let _ = writer.await;
        }
    }
}

async fn work<J: Weight, T>(
    pool: Pool<AsyncPgConnection>,
    jobs: Arc<Mutex<mpsc::Receiver<Waiting<J, T>>>>,
    write: Write<J, T>,
    groups: Sizes,
) {
    loop {
        let mut group = Vec::new();
        {
            // One writer fills its group at a time; the other is writing meanwhile.
            let mut jobs = jobs.lock().await;
            let Some(first) = jobs.recv().await else {
                return;
            };
            let mut bytes = first.job.weight();
            group.push(first);
            while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
                let Ok(next) = jobs.try_recv() else { break };
                bytes += next.job.weight();
                group.push(next);
            }
        }
        groups.had(group.len());
        write(pool.clone(), group).await;
    }
}
