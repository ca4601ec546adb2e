//! The journal of what was carried, written behind: nobody who waits for an answer waits for a line about it.
//!
//! Lines are written in groups, in order. When the database cannot keep up, lines are lost and not requests: what must not be
//! lost (CDRs, duties) writes its own line in its own commit and does not pass here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{Mutex, mpsc, oneshot};

use super::passing::Passed;
use crate::store::Store;
use crate::store::journal::JournalEntry;

/// Lines that may wait: at 500 bytes each a few MB, and seconds of the busiest hub.
const WAITING: usize = 8192;

/// Lines in one commit.
const GROUP: usize = 256;

/// Octets of bodies that may wait to be looked at (N-08). What comes when they are used up is not looked at.
const HELD: usize = 4_000_000;

/// Where lines are handed in.
pub struct Journal {
    lines: mpsc::Sender<Line>,
    waiting: Mutex<Option<mpsc::Receiver<Line>>>,
    lost: AtomicU64,
    held: AtomicUsize,
    store: Store,
}

enum Line {
    Entry(Box<JournalEntry>, Option<Passed>),
    Flush(oneshot::Sender<()>),
}

impl Journal {
    /// A journal; its lines wait until [`Journal::write`] runs.
    #[must_use]
    pub fn new(store: Store) -> Arc<Journal> {
        let (lines, waiting) = mpsc::channel(WAITING);
        Arc::new(Journal {
            lines,
            waiting: Mutex::new(Some(waiting)),
            lost: AtomicU64::new(0),
            held: AtomicUsize::new(0),
            store,
        })
    }

    /// Hands in a line. Never waits.
    pub fn note(&self, entry: JournalEntry) {
        self.hand_in(entry, None);
    }

    /// Hands in a line about a body that passed through; what is odd about it is found out when the line is written (N-08).
    pub fn note_passed(&self, entry: JournalEntry, passed: Passed) {
        let held = self.held.fetch_add(passed.octets(), Ordering::Relaxed);
        if held.saturating_add(passed.octets()) > HELD {
            self.held.fetch_sub(passed.octets(), Ordering::Relaxed);
            return self.hand_in(entry, None);
        }
        self.hand_in(entry, Some(passed));
    }

    fn hand_in(&self, entry: JournalEntry, passed: Option<Passed>) {
        let octets = passed.as_ref().map_or(0, Passed::octets);
        if self.lines.try_send(Line::Entry(Box::new(entry), passed)).is_err() {
            self.held.fetch_sub(octets, Ordering::Relaxed);
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                log::warn!("the journal cannot keep up: {lost} lines lost since the start");
            }
        }
    }

    /// How many lines were lost since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything handed in before is written.
    pub async fn flush(&self) {
        let (done, waiting) = oneshot::channel();
        if self.lines.send(Line::Flush(done)).await.is_ok() {
            // An error means that nobody writes any more, so there is nothing to wait for.
            let _ = waiting.await;
        }
    }

    /// Writes what is handed in. Runs until the process ends or the task is aborted; a second call returns at once.
    pub async fn write(self: Arc<Journal>) {
        let Some(mut waiting) = self.waiting.lock().await.take() else {
            return;
        };
        let mut group = Vec::with_capacity(GROUP);
        while waiting.recv_many(&mut group, GROUP).await > 0 {
            let mut flushed = Vec::new();
            let mut entries = Vec::new();
            for line in group.drain(..) {
                match line {
                    Line::Entry(entry, passed) => entries.push(self.looked_at(*entry, passed)),
                    Line::Flush(done) => flushed.push(done),
                }
            }
            if !entries.is_empty()
                && let Err(error) = self.store.journal_add_all(entries).await
            {
                log::error!("writing the journal: {error}");
            }
            for done in flushed {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    fn looked_at(&self, mut entry: JournalEntry, passed: Option<Passed>) -> JournalEntry {
        let Some(passed) = passed else { return entry };
        self.held.fetch_sub(passed.octets(), Ordering::Relaxed);
        if let Some(odd) = passed.oddities() {
            log::info!(
                correlation_id = entry.correlation_id.as_str();
                "odd in what {} sent to {} of {}: {odd}",
                entry.from_party.as_deref().unwrap_or("-"), entry.to_party.as_deref().unwrap_or("-"), entry.module
            );
            entry.outcome = format!("{}; odd: {odd}", entry.outcome);
        }
        entry
    }
}
