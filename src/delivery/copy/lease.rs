//! What this process really works on, and until when each copy is its own. Nothing else is renewed: a row whose process lost sight of it
//! runs out and is taken over.
//!
//! A copy that is found to be somebody else's is lost: its legs that have not begun are let go, and its row is left alone. Whoever has it now
//! tells everybody. Pure bookkeeping; the database is asked by [`super::Copies`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

/// One copy this process works on.
pub(super) struct Lease {
    /// The row.
    pub(super) id: String,
    /// In microseconds.
    until: AtomicI64,
    lost: AtomicBool,
}

impl Lease {
    /// Whether it is certainly ours at that instant, without asking.
    pub(super) fn lasts_until(&self, instant: DateTime<Utc>) -> bool {
        !self.is_lost() && self.until.load(Ordering::Acquire) > instant.timestamp_micros()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

/// Everything this process works on, by row.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<String, Arc<Lease>>>);

impl Leases {
    pub(super) fn begin(&self, id: &str, until: DateTime<Utc>) -> Arc<Lease> {
        let lease = Arc::new(Lease {
            id: id.to_owned(),
            until: AtomicI64::new(until.timestamp_micros()),
            lost: AtomicBool::new(false),
        });
        self.all().insert(id.to_owned(), lease.clone());
        lease
    }

    /// It has ended. One of the same row that was begun since is another.
    pub(super) fn end(&self, lease: &Arc<Lease>) {
        let mut all = self.all();
        if all.get(&lease.id).is_some_and(|known| Arc::ptr_eq(known, lease)) {
            all.remove(&lease.id);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    /// Rows whose lease ends before that instant.
    pub(super) fn ending_before(&self, instant: DateTime<Utc>) -> Vec<String> {
        let instant = instant.timestamp_micros();
        let all = self.all();
        let ending = all
            .values()
            .filter(|lease| lease.until.load(Ordering::Acquire) < instant);
        ending.map(|lease| lease.id.clone()).collect()
    }

    /// Of the rows asked for these are still ours; the others are lost.
    pub(super) fn renewed(&self, asked: &[String], ours: &[String], until: DateTime<Utc>) {
        let mut all = self.all();
        for id in asked {
            if ours.contains(id) {
                if let Some(lease) = all.get(id) {
                    lease.until.store(until.timestamp_micros(), Ordering::Release);
                }
            } else if let Some(lease) = all.remove(id) {
                lease.lost.store(true, Ordering::Release);
            }
        }
    }

    /// Whether this process works on that row; it then does so until that instant.
    pub(super) fn goes_on(&self, id: &str, until: DateTime<Utc>) -> bool {
        let all = self.all();
        let Some(lease) = all.get(id) else {
            return false;
        };
        lease.until.store(until.timestamp_micros(), Ordering::Release);
        true
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Lease>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    // D-16
    #[test]
    fn what_is_not_ours_any_more_is_lost_and_what_is_begun_again_is_another() {
        let leases = Leases::default();
        let (one, two) = (leases.begin("one", at(30)), leases.begin("two", at(50)));
        assert!(one.lasts_until(at(29)) && !one.lasts_until(at(30)));
        assert_eq!(leases.ending_before(at(40)), ["one"]);
        leases.renewed(&["one".into(), "two".into()], &["two".into()], at(90));
        assert!(one.is_lost() && !one.lasts_until(at(0)) && two.lasts_until(at(89)));
        assert!(!leases.goes_on("one", at(100)) && leases.goes_on("two", at(100)));
        let again = leases.begin("one", at(120));
        leases.end(&one);
        assert_eq!(
            leases.count(),
            2,
            "the end of the lost one is not the end of the new one"
        );
        leases.end(&again);
        leases.end(&two);
        assert_eq!(leases.count(), 0);
    }
}
