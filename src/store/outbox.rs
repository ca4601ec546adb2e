//! What is owed, and who is at work on it.
//!
//! A duty says "platform P has not yet seen revision R of object O". A lease saves double work and nothing depends on it: settling asks
//! for the duty and the revision that was sent, whoever sent it.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// A duty to write down. It is born leased to the one who makes the first attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDuty {
    /// Client-made id (UUIDv7).
    pub id: String,
    /// The platform that must see the object.
    pub platform_id: String,
    /// What the object is: `cdr`.
    pub kind: String,
    /// The object: for a CDR its row id.
    pub object_id: String,
    /// The object's revision.
    pub revision: i64,
    /// Who makes the first attempt.
    pub lease_owner: String,
    /// Until when nobody else will.
    pub lease_until: DateTime<Utc>,
    /// When it is due.
    pub next_attempt_at: DateTime<Utc>,
    /// When trying ends.
    pub give_up_at: DateTime<Utc>,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
}

/// A duty as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyRow {
    /// Its id.
    pub id: String,
    /// The platform that must see the object.
    pub platform_id: String,
    /// What the object is: `cdr`.
    pub kind: String,
    /// The object: for a CDR its row id.
    pub object_id: String,
    /// The object's revision.
    pub revision: i64,
    /// `owed` or `dead`.
    pub state: String,
    /// How many attempts have failed.
    pub attempts: i64,
    /// Who is at work on it.
    pub lease_owner: Option<String>,
    /// Until when.
    pub lease_until: Option<DateTime<Utc>>,
    /// When it is due.
    pub next_attempt_at: DateTime<Utc>,
    /// When trying ends.
    pub give_up_at: DateTime<Utc>,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
    /// How the last attempt ended.
    pub last_outcome: Option<String>,
}

impl Store {
    /// Leases up to `limit` duties that are due and nobody's, longest due first. Two workers never get the same one.
    pub async fn duty_lease(
        &self,
        owner: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<DutyRow>, StoreError> {
        self.later((owner, now, lease_until, limit))
    }

    /// Makes a platform's waiting duties due now, because it is back, and returns how many. Leased ones are already being worked on.
    pub async fn duties_nudge(&self, platform_id: &str, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.later((platform_id, now))
    }

    /// Duties in `state` (all when `None`) in the order they were written down, after `cursor`, and where to go on.
    pub async fn duty_list(
        &self,
        state: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<DutyRow>, Option<String>), StoreError> {
        self.later((state, cursor, limit))
    }

    /// One duty.
    pub async fn duty_get(&self, id: &str) -> Result<Option<DutyRow>, StoreError> {
        self.later(id)
    }

    /// Makes a duty owed and due now. One whose time is over gets the same time once more. `false` when there is none, or when it is
    /// leased, for then somebody is at it.
    pub async fn duty_retry(&self, id: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.later((id, now))
    }

    /// Removes a duty because an operator says so; the CDR stays `available` for pull, and the journal keeps the reason. `false` when
    /// there is none.
    pub async fn duty_forgive(&self, id: &str, reason: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.later((id, reason, now))
    }

    /// When the next duty falls due or the next lease ends, whichever comes first; an instant in the past means now.
    pub async fn next_due(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.later(now)
    }
}
