//! What must stay, until when; and removing the rest.
//!
//! | Kept | Until | And stays longer where |
//! | --- | --- | --- |
//! | octets of a CDR, the names in them | `retention.cdrs_days` after it came; ten weeks at least (CAL-R5: a billing month and six weeks) | it is held, not delivered, in an open case, credited by one that is kept, or to be looked at again |
//! | that a CDR was taken, its digest, verdicts and used blocks | for ever: neither its id nor its blocks serve another (design.md 3.5, "Replay") | |
//! | lines of the journal | `retention.journal_days` | |
//! | sessions kept for lists (N-07) | `retention.sessions_days` after their last change | |
//! | that an object was deleted | `retention.deleted_days` | somebody is still to be told |
//! | duties that were given up, CDRs excepted | `retention.duties_days` after their end | |
//! | URLs lent out | their own end | |
//!
//! The octets a signature covers are never rebuilt without the driver in them: they go as a whole. One process at a time removes, in portions
//! small enough for others to write in between; a portion is a commit, so whoever goes on after a crash finds the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::clock::SharedClock;
use crate::parties::Fault;
use crate::store::{OldKind, Removing, Store, StoreError};

/// For how many days each kind is kept; 0 is for ever.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    /// Octets of CDRs.
    pub cdrs: u32,
    /// Lines of the journal.
    pub journal: u32,
    /// Sessions in the mirror.
    pub sessions: u32,
    /// Objects that were deleted.
    pub deleted: u32,
    /// Duties that were given up.
    pub duties: u32,
}

/// Removes what is old.
pub struct Retention {
    store: Store,
    clock: SharedClock,
    periods: Periods,
    owner: String,
}

/// What would be removed of one kind, and what stays although it is old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Which kind.
    pub kind: OldKind,
    /// For how many days it is kept; `None` where it has an end of its own, or none.
    pub days: Option<u32>,
    /// How many go.
    pub goes: u64,
    /// Since when the oldest of these is what it is.
    pub oldest: Option<DateTime<Utc>>,
    /// And the newest.
    pub newest: Option<DateTime<Utc>>,
    /// How many stay, by reason.
    pub stays: BTreeMap<&'static str, u64>,
}

/// How much went of each kind.
pub type Removed = Vec<(OldKind, u64)>;

/// Rows looked at in one commit.
const PORTION: u32 = 200;
/// Rows looked at in one question.
const LOOK: u32 = 1000;
/// How long a process that died keeps others from going on.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// How long after everything was gone through it is again.
const EVERY: TimeDelta = TimeDelta::days(1);

impl Retention {
    /// For one process.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, periods: Periods) -> Arc<Retention> {
        Arc::new(Retention {
            store,
            clock,
            periods,
            owner: Uuid::new_v4().to_string(),
        })
    }

    /// What would be removed now. Changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan(&self) -> Result<Vec<Planned>, Fault> {
        let mut plan = Vec::new();
        for kind in OldKind::ALL {
            let mut planned = Planned {
                kind,
                days: self.days(kind).filter(|days| *days > 0),
                goes: 0,
                oldest: None,
                newest: None,
                stays: BTreeMap::new(),
            };
            if let Some(before) = self.before(kind) {
                let looked = self.look(&mut planned, before).await;
                looked.map_err(|error| Fault::new("looking for what is old", error))?;
            }
            plan.push(planned);
        }
        Ok(plan)
    }

    /// Removes what is old, unless another process is at it: then `None`.
    ///
    /// # Errors
    /// When the database fails, or another process went on because this one was too slow. What was removed stays removed.
    pub async fn run(&self) -> Result<Option<Removed>, Fault> {
        self.leased(None).await
    }

    /// The same, unless somebody did within the last day.
    ///
    /// # Errors
    /// As [`Retention::run`].
    pub async fn run_if_due(&self) -> Result<Option<Removed>, Fault> {
        self.leased(Some(self.clock.now() - EVERY)).await
    }

    /// Whether there is anything for [`Retention::run_if_due`] to do: nobody did it within a day.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_due(&self) -> Result<bool, Fault> {
        let so_far = self.store.retention_so_far().await;
        let (ended, _) = so_far.map_err(|error| Fault::new("reading when what is old was removed", error))?;
        Ok(ended.is_none_or(|ended| ended < self.clock.now() - EVERY))
    }

    async fn leased(&self, unless_since: Option<DateTime<Utc>>) -> Result<Option<Removed>, Fault> {
        let fault = |error: StoreError| Fault::new("removing what is old", error);
        let now = self.clock.now();
        let leased = self
            .store
            .retention_lease(&self.owner, now, now + LEASE, unless_since)
            .await;
        if !leased.map_err(fault)? {
            return Ok(None);
        }
        let mut removed = Removed::new();
        for kind in OldKind::ALL {
            removed.push((kind, self.remove(kind).await.map_err(fault)?));
        }
        self.store
            .retention_end(&self.owner, self.clock.now())
            .await
            .map_err(fault)?;
        let told: Vec<String> = removed
            .iter()
            .map(|(kind, number)| format!("{} {number}", kind.as_str()))
            .collect();
        log::info!("removed what is old: {}", told.join(", "));
        Ok(Some(removed))
    }

    async fn remove(&self, kind: OldKind) -> Result<u64, StoreError> {
        let Some(before) = self.before(kind) else {
            return Ok(0);
        };
        let (mut removed, mut after) = (0, String::new());
        loop {
            let removing = Removing {
                kind,
                before,
                after,
                rows: PORTION,
                owner: self.owner.clone(),
                until: self.clock.now() + LEASE,
            };
            let portion = self.store.old_remove(removing).await?;
            removed += portion.removed;
            match portion.next {
                Some(next) => after = next,
                None => return Ok(removed),
            }
            // Others want to write, too.
            tokio::task::yield_now().await;
        }
    }

    async fn look(&self, planned: &mut Planned, before: DateTime<Utc>) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let seen = self.store.old(planned.kind, before, &after, LOOK).await?;
            let is_last = seen.len() < LOOK as usize;
            if let Some(last) = seen.last() {
                after.clone_from(&last.id);
            }
            for one in seen {
                match one.stays {
                    Some(why) => *planned.stays.entry(why).or_default() += 1,
                    None => {
                        planned.goes += 1;
                        planned.oldest = Some(planned.oldest.map_or(one.at, |oldest| oldest.min(one.at)));
                        planned.newest = Some(planned.newest.map_or(one.at, |newest| newest.max(one.at)));
                    }
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn days(&self, kind: OldKind) -> Option<u32> {
        match kind {
            OldKind::Cdrs => Some(self.periods.cdrs),
            OldKind::Journal => Some(self.periods.journal),
            OldKind::Sessions => Some(self.periods.sessions),
            OldKind::Deleted => Some(self.periods.deleted),
            OldKind::Duties => Some(self.periods.duties),
            OldKind::Links => None,
        }
    }

    /// What is older than this is old; `None` where it is kept for ever.
    fn before(&self, kind: OldKind) -> Option<DateTime<Utc>> {
        let now = self.clock.now();
        match self.days(kind) {
            None => Some(now),
            Some(0) => None,
            Some(days) => Some(now - TimeDelta::days(days.into())),
        }
    }
}
