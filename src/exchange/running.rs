//! Which CDRs are being taken or carried by this process right now: a repeat waits for the outcome instead of causing another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The rows under way. Clones share them.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<HashMap<String, watch::Receiver<()>>>>);

/// Held while a row is under way; dropping it, by whatever end, tells everybody who waits.
pub struct UnderWay {
    row: String,
    running: Running,
    _ended: watch::Sender<()>,
}

impl Running {
    /// A row gets under way.
    #[must_use]
    pub fn begin(&self, row: &str) -> UnderWay {
        let (ended, waiting) = watch::channel(());
        self.rows().insert(row.to_owned(), waiting);
        UnderWay {
            row: row.to_owned(),
            running: self.clone(),
            _ended: ended,
        }
    }

    /// Waits until the row is no longer under way. False at once when it is not.
    pub async fn wait(&self, row: &str) -> bool {
        let Some(mut waiting) = self.rows().get(row).cloned() else {
            return false;
        };
        // Nothing is ever sent: the only news is that the sender is gone.
        while waiting.changed().await.is_ok() {}
        true
    }

    /// How many rows are under way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows().len()
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, HashMap<String, watch::Receiver<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.running.rows().remove(&self.row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_hears_the_end_also_when_it_was_no_good_end() {
        let running = Running::default();
        assert!(!running.wait("a").await);
        let under_way = running.begin("a");
        assert_eq!(running.count(), 1);
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let running = running.clone();
                tokio::spawn(async move { running.wait("a").await })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(under_way);
        for one in waiting {
            assert!(one.await.is_ok_and(|waited| waited));
        }
        assert_eq!(running.count(), 0);
    }
}
