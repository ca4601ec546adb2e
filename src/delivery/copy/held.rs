//! Copies that wait for earlier ones of their object in other processes, by object, in the order of their revisions.
//!
//! Bounded like a lane: what a later one made superfluous is let go first, then the oldest; whoever missed it catches up by asking.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::again::{first_to_go, supersedes};
use super::catching_up::Waiter;
use super::lease::Lease;
use crate::routing::audience::Hearer;
use crate::store::CopyRow;

/// Copies that wait for one object, as in a lane.
const PER_OBJECT: usize = 32;
/// Octets that wait in all: six of the largest bodies, or sixteen thousand usual ones, which is more than a hub accepts while a lease lasts.
const BYTES: usize = 64 * 1024 * 1024;
/// What a copy takes beside its body.
const ENTRY: usize = 1024;

/// Module, owner, object.
pub(super) type ObjectName = (String, String, String);

/// One that waits.
pub(super) struct Held {
    pub(super) row: CopyRow,
    pub(super) hearers: Vec<Hearer>,
    pub(super) lease: Arc<Lease>,
    /// Who waits for its end, if anybody does.
    pub(super) done: Option<Waiter>,
}

impl Held {
    pub(super) fn name(&self) -> ObjectName {
        let row = &self.row;
        (row.module.clone(), row.owner_key.clone(), row.object_key.clone())
    }

    fn weight(&self) -> usize {
        ENTRY + self.row.copy.body.as_ref().map_or(0, String::len)
    }
}

/// All that wait in one process.
#[derive(Default)]
pub(super) struct Waiting {
    lines: HashMap<ObjectName, VecDeque<Held>>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn has(&self, name: &ObjectName) -> bool {
        self.lines.contains_key(name)
    }

    /// Lines one up by its revision. What had to be let go for it is returned.
    pub(super) fn add(&mut self, held: Held) -> Vec<Held> {
        let name = held.name();
        self.bytes += held.weight();
        let line = self.lines.entry(name.clone()).or_default();
        let place = line.partition_point(|other| other.row.revision <= held.row.revision);
        line.insert(place, held);
        let mut dropped = Vec::new();
        while self
            .lines
            .get(&name)
            .is_some_and(|line| line.len() > PER_OBJECT || self.bytes > BYTES)
            && let Some(one) = self.let_go(&name)
        {
            dropped.push(one);
        }
        dropped
    }

    /// The revision of the first; an object of which nothing waits is forgotten.
    pub(super) fn first(&mut self, name: &ObjectName) -> Option<i64> {
        let first = self.lines.get(name).and_then(VecDeque::front);
        let revision = first.map(|held| held.row.revision);
        if revision.is_none() {
            self.lines.remove(name);
        }
        revision
    }

    /// Takes the first, if it is the one of that revision.
    pub(super) fn take(&mut self, name: &ObjectName, revision: i64) -> Option<Held> {
        let line = self.lines.get_mut(name)?;
        let held = line.pop_front_if(|held| held.row.revision == revision)?;
        self.bytes -= held.weight();
        Some(held)
    }

    fn let_go(&mut self, name: &ObjectName) -> Option<Held> {
        let line = self.lines.get_mut(name)?;
        let place = first_to_go(line, |later, held| supersedes(&later.row, &held.row));
        let held = line.remove(place)?;
        self.bytes -= held.weight();
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::DateTime;

    use super::super::again::tests::row;
    use super::super::lease::Leases;
    use super::*;

    fn held(object: &str, revision: i64, method: &str, body: usize) -> Held {
        let mut row = row(revision, method, &format!("/DE/ABC/{object}"));
        row.copy.body = Some("x".repeat(body));
        object.clone_into(&mut row.object_key);
        Held {
            lease: Leases::default().begin(&row.copy.id, DateTime::UNIX_EPOCH),
            hearers: Vec::new(),
            done: None,
            row,
        }
    }

    fn revisions(held: &[Held]) -> Vec<i64> {
        held.iter().map(|one| one.row.revision).collect()
    }

    // D-16
    #[test]
    fn what_waits_for_another_process_is_in_order_and_bounded_by_number_and_weight() {
        let mut waiting = Waiting::default();
        let name = held("L1", 0, "PUT", 0).name();
        for revision in [7, 5, 6] {
            assert!(waiting.add(held("L1", revision, "PATCH", 10)).is_empty());
        }
        assert_eq!(waiting.first(&name), Some(5));
        assert!(waiting.take(&name, 6).is_none(), "not the first");
        assert_eq!(waiting.take(&name, 5).unwrap().row.revision, 5);
        for revision in 8..=37 {
            assert!(waiting.add(held("L1", revision, "PATCH", 10)).is_empty());
        }
        assert_eq!(revisions(&waiting.add(held("L1", 38, "PATCH", 10))), [6], "the oldest");
        let dropped = waiting.add(held("L1", 39, "PUT", 10));
        assert_eq!(revisions(&dropped), [7], "made superfluous, the oldest first");
        let large = 16 * 1024 * 1024;
        for revision in 0..3 {
            assert!(waiting.add(held("L2", revision, "PATCH", large)).is_empty());
        }
        assert_eq!(revisions(&waiting.add(held("L2", 3, "PATCH", large))), [0]);
        assert!(waiting.bytes <= BYTES && waiting.has(&name));
        while let Some(first) = waiting.first(&name) {
            waiting.take(&name, first);
        }
        assert!(!waiting.has(&name));
    }
}
