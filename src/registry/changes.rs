//! What changed since somebody looked last, and whom it may concern: the seam by which verdicts follow the registry.
//!
//! The log orders all changes. Who remembers the place of the last one it dealt with misses none, whichever process made them.

use chrono::{DateTime, Utc};

use super::Registry;
use super::record::{Registration, kind};
use crate::store::StoreError;

/// A change of one registration, in the names by which CDRs ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the log, from 1.
    pub number: i64,
    /// The registration.
    pub registration: String,
    /// The key.
    pub fingerprint: String,
    /// The meter, where it has a number of its own.
    pub meter_serial: Option<String>,
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
    /// The next changes behind place `after` of the log, in order. Of several versions of one registration in the same portion the last
    /// one counts: whoever registers with the operator goes through four at once.
    ///
    /// The whole time of a registration counts, and all time around it: also that a key was not registered yet is something a verdict
    /// says (KEY_DEACTIVATED_AT_TIME).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changes_since(&self, after: i64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let mut after = u64::try_from(after).unwrap_or_default();
        loop {
            let documents = self.store.registry_documents(after, limit).await?;
            // A portion without a registration is no end: keys and their spellings stand in the log too.
            let Some(last) = documents.last().map(|document| document.seq) else {
                return Ok(Vec::new());
            };
            let mut changes: Vec<Change> = Vec::new();
            for document in documents.iter().filter(|document| document.kind == kind::REGISTRATION) {
                let change = Change::told(document.seq, Registration::read(&document.document)?);
                changes.retain(|earlier| earlier.registration != change.registration);
                changes.push(change);
            }
            if !changes.is_empty() {
                return Ok(changes);
            }
            after = last;
        }
    }
}

impl Change {
    fn told(place: u64, registration: Registration) -> Change {
        Change {
            number: i64::try_from(place).unwrap_or(i64::MAX),
            registration: registration.id,
            fingerprint: registration.fingerprint,
            meter_serial: registration.unit.meter_serial,
            gateway_serial: registration.unit.gateway_serial,
            evse_id: registration.evse_id,
            evse_uid: registration.evse_uid,
            cpo: registration.cpo,
            from: None,
            to: None,
        }
    }
}
