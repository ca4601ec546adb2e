//! What changed since somebody looked last, and whom it may concern: the seam by which verdicts follow the registry.
//!
//! A number orders all changes. Who remembers the last one it dealt with misses none, whichever process made them.

use chrono::{DateTime, Utc};

use super::Registry;
use crate::store::StoreError;

/// A change of one registration, in the names by which CDRs ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the order of changes, from 1.
    pub number: i64,
    /// The registration.
    pub registration: String,
    /// The key.
    pub fingerprint: String,
    /// The meter.
    pub meter_serial: String,
    /// The gateway that signs for it.
    pub gateway_serial: Option<String>,
    /// The EVSE.
    pub evse_id: String,
    /// The EVSE by the operator's own id.
    pub evse_uid: Option<String>,
    /// The operator, `DE/ABC`.
    pub cpo: String,
    /// Charging that ended before is not touched by it; `None` for "at any time".
    pub from: Option<DateTime<Utc>>,
    /// Charging that began then or later is not touched by it; `None` for "at any time".
    pub to: Option<DateTime<Utc>>,
}

impl Registry {
    /// The next changes behind number `after`, in order.
    ///
    /// The whole time of a registration counts, and all time around it: also that a key was not registered yet is something a verdict
    /// says (KEY_DEACTIVATED_AT_TIME).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changes_since(&self, after: i64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let changes = self.store.keys_changed_since(after, limit).await?;
        let told = |(number, row): (i64, crate::store::registry::KeyRow)| Change {
            number,
            registration: row.id,
            fingerprint: row.fingerprint,
            meter_serial: row.meter_serial,
            gateway_serial: row.gateway_serial,
            evse_id: row.evse_id,
            evse_uid: row.evse_uid,
            cpo: row.cpo_key,
            from: None,
            to: None,
        };
        Ok(changes.into_iter().map(told).collect())
    }

    /// Takes over what other processes have changed by now: one small question to the database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let mut revision = self.revision.lock().await;
        self.catch_up(&mut revision).await
    }
}
