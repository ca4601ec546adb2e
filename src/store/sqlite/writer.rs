//! The one thread that writes.
//!
//! It takes what is in the queue, runs every job, commits once, and only then answers. While it commits, the next group fills by itself:
//! waiting for a fuller one was measured to lose half the throughput. When a job fails, the group is taken back and run again with a
//! savepoint around each job, so that the failure is that job's alone; on a good day nobody pays for savepoints, which copy every page
//! they touch.

use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use diesel::connection::SimpleConnection;
use tokio::sync::{mpsc, oneshot};

use super::{Connection, StoreError};
use crate::seeing::Sizes;

/// A group ends at this many jobs: beyond it, latency grows and throughput does not.
const GROUP_JOBS: usize = 256;
/// And at about this many bytes, so that a burst of large bodies does not become one large commit.
const GROUP_BYTES: usize = 1 << 20;
/// So many jobs may wait before their senders do.
const QUEUE: usize = 4096;

pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Errand>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread can be asked to do.
enum Errand {
    /// A change that may share its commit with others.
    Change { weight: usize, job: Box<dyn Job> },
    /// Something that brings its own transaction.
    Alone(Box<dyn Job>),
}

/// Some work and the one who waits for its outcome.
trait Job: Send {
    /// Does the work; whether it may be kept. May be called again after a rollback.
    fn run(&mut self, connection: &mut Connection) -> bool;
    /// Tells the outcome, given how the commit went.
    fn answer(self: Box<Self>, commit: &Result<(), StoreError>);
}

impl Writer {
    pub(super) fn start(connection: Connection, groups: Sizes) -> Result<Writer, StoreError> {
        let (queue, errands) = mpsc::channel(QUEUE);
        let thread = Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write(connection, errands, &groups))
            .map_err(|cause| StoreError::unavailable_because("starting the thread that writes", cause))?;
        Ok(Writer {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) async fn change<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl Fn(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, outcome) = job(work);
        self.send(Errand::Change { weight, job }, outcome).await
    }

    pub(super) async fn alone<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, outcome) = job(work);
        self.send(Errand::Alone(job), outcome).await
    }

    /// Writes what is queued and ends the thread. Blocks until it has ended.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // An end by panic has already been answered to everyone who waited.
            let _ = thread.join();
        }
    }

    async fn send<T>(
        &self,
        errand: Errand,
        outcome: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::unavailable("the database is closed");
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or_else(closed)?.send(errand).await.map_err(|_| closed())?;
        outcome.await.unwrap_or_else(|_| Err(closed()))
    }
}

/// The life of the thread: until the last sender is gone.
fn write(mut connection: Connection, mut errands: mpsc::Receiver<Errand>, groups: &Sizes) {
    let mut next = None;
    while let Some(errand) = next.take().or_else(|| errands.blocking_recv()) {
        match errand {
            Errand::Alone(mut job) => {
                job.run(&mut connection);
                job.answer(&Ok(()));
            }
            Errand::Change { weight, job } => {
                let mut group = vec![job];
                let mut bytes = weight;
                while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
                    match errands.try_recv() {
                        Ok(Errand::Change { weight, job }) => {
                            bytes += weight;
                            group.push(job);
                        }
                        Ok(alone) => {
                            next = Some(alone);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                groups.had(group.len());
                commit(&mut connection, group);
            }
        }
    }
}

/// Runs a group and answers everyone in it after the commit.
fn commit(connection: &mut Connection, mut group: Vec<Box<dyn Job>>) {
    let committed = match together(connection, &mut group) {
        Ok(true) => Ok(()),
        Ok(false) => one_by_one(connection, &mut group),
        Err(fault) => Err(fault),
    };
    if committed.is_err() {
        // Whatever state it is in, the next group starts from none. There may be no transaction to end, and that is fine.
        let _ = connection.batch_execute("ROLLBACK");
    }
    for job in group {
        job.answer(&committed);
    }
}

/// The good day. `false`, and nothing kept, when one of them failed.
fn together(connection: &mut Connection, group: &mut [Box<dyn Job>]) -> Result<bool, StoreError> {
    connection.batch_execute("BEGIN IMMEDIATE")?;
    let good = group.iter_mut().all(|job| job.run(connection));
    connection.batch_execute(if good { "COMMIT" } else { "ROLLBACK" })?;
    Ok(good)
}

fn one_by_one(connection: &mut Connection, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    connection.batch_execute("BEGIN IMMEDIATE")?;
    for job in group {
        connection.batch_execute("SAVEPOINT job")?;
        if !job.run(connection) {
            connection.batch_execute("ROLLBACK TO job")?;
        }
        connection.batch_execute("RELEASE job")?;
    }
    connection.batch_execute("COMMIT")?;
    Ok(())
}

struct Asked<T, W> {
    work: W,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

fn job<T, W>(work: W) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    W: Fn(&mut Connection) -> Result<T, StoreError> + Send + 'static,
{
    let (answer, outcome) = oneshot::channel();
    (
        Box::new(Asked {
            work,
            outcome: None,
            answer,
        }),
        outcome,
    )
}

impl<T, W> Job for Asked<T, W>
where
    T: Send,
    W: Fn(&mut Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, connection: &mut Connection) -> bool {
        let outcome = (self.work)(connection);
        let good = outcome.is_ok();
        self.outcome = Some(outcome);
        good
    }

    fn answer(self: Box<Self>, commit: &Result<(), StoreError>) {
        let outcome = match (self.outcome, commit) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(own)), _) => Err(own),
            (_, Err(fault)) => Err(fault.clone()),
            (None, Ok(())) => Err(StoreError::unavailable("the database passed a change over")),
        };
        // Whoever hung up does not want to know.
        let _ = self.answer.send(outcome);
    }
}
