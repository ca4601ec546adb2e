//! A few connections that only read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{Connection, READING, StoreError, blocking, connect};

/// More readers than this only fight for the same cores; each keeps up to 4 MB of pages.
const READERS: usize = 4;

pub(super) struct Readers {
    path: PathBuf,
    seats: Semaphore,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Readers {
        Readers {
            path,
            seats: Semaphore::new(READERS),
            idle: Arc::default(),
        }
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _seat = self
            .seats
            .acquire()
            .await
            .map_err(|_| StoreError::unavailable("the database is closed"))?;
        let idle = self.idle.clone();
        let known = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let path = known.is_none().then(|| self.path.clone());
        blocking(move || {
            let mut connection = match (known, path) {
                (Some(connection), _) => connection,
                (None, path) => connect(&path.unwrap_or_default(), READING)?,
            };
            let answer = question(&mut connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            answer
        })
        .await
    }

    pub(super) fn close(&self) {
        self.seats.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
