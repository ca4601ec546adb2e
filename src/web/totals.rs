//! What is owed in all, counted for whoever looks at the numbers: seldom, and without keeping the one who looks.
//!
//! Counting reads everything that is owed, and that is little while all is well and much in a bad week. So the next counting waits fifty times as
//! long as the last one took: it never costs more than a fiftieth of one reader, however often numbers are fetched and by however many.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::{DutyTotal, Store};

/// What was counted last.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The duties; `None` before the database answered for the first time.
    pub duties: Option<Vec<DutyTotal>>,
    /// When it answered.
    pub counted: Option<Instant>,
    /// Whether it answered when it was last asked.
    pub answers: bool,
    took: Duration,
    ended: Option<Instant>,
}

/// Counts, and remembers.
pub struct Totals {
    store: Store,
    known: Arc<Mutex<Known>>,
    is_counting: Arc<AtomicBool>,
}

/// Two countings are at least so far apart.
const SELDOM: Duration = Duration::from_secs(2);

/// Of its time counting may take one part in so many.
const SHARE: u32 = 50;

/// Whoever fetches numbers waits ten seconds by default; a database that takes half of that is in trouble, and the rest is told without it.
const PATIENCE: Duration = Duration::from_secs(5);

impl Totals {
    /// Nothing is counted before somebody asks.
    #[must_use]
    pub fn new(store: Store) -> Totals {
        Totals {
            store,
            known: Arc::default(),
            is_counting: Arc::default(),
        }
    }

    /// What is known now, counted anew where that is due.
    pub async fn known(&self) -> Known {
        if self.is_due() && !self.is_counting.swap(true, Ordering::AcqRel) {
            // It goes on when whoever asked has gone, and ends the counting whatever becomes of it.
            let counting = Counting(self.is_counting.clone());
            let (store, known) = (self.store.clone(), self.known.clone());
            let task = tokio::spawn(async move {
                let _counting = counting;
                count(&store, &known).await;
            });
            if tokio::time::timeout(PATIENCE, task).await.is_err() {
                lock(&self.known).answers = false;
            }
        }
        lock(&self.known).clone()
    }

    fn is_due(&self) -> bool {
        let known = lock(&self.known);
        let pause = SELDOM.max(known.took * SHARE);
        known.ended.is_none_or(|ended| ended.elapsed() >= pause)
    }
}

async fn count(store: &Store, known: &Mutex<Known>) {
    let begun = Instant::now();
    let counted = store.duty_totals().await;
    let now = Instant::now();
    let mut known = lock(known);
    known.took = now - begun;
    known.ended = Some(now);
    known.answers = counted.is_ok();
    match counted {
        Ok(duties) => {
            known.duties = Some(duties);
            known.counted = Some(now);
        }
        // A failing database is asked again soon: what it took to fail says nothing about counting.
        Err(error) => {
            known.took = Duration::ZERO;
            log::warn!("counting what is owed: {error}");
        }
    }
}

/// Held while something is counted.
struct Counting(Arc<AtomicBool>);

impl Drop for Counting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn lock(known: &Mutex<Known>) -> std::sync::MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
