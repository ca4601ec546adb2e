//! Registered meter keys. Rows are only added and deactivated, never changed or removed.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// A key, and the meter, EVSE, operator and time it is registered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Client-made id (UUIDv7).
    pub id: String,
    /// SHA-256 of the SPKI in hex.
    pub fingerprint: String,
    /// The curve by its OCMF name.
    pub curve: String,
    /// The key itself: SPKI in hex.
    pub spki_hex: String,
    /// Serial number of the meter.
    pub meter_serial: String,
    /// Serial number of the gateway that signs for it, if there is one.
    pub gateway_serial: Option<String>,
    /// The EVSE the meter belongs to.
    pub evse_id: String,
    /// Its OCPI uid, where the operator gave one.
    pub evse_uid: Option<String>,
    /// The CPO as `DE/ABC`, upper case.
    pub cpo_key: String,
    /// From this instant on, inclusive.
    pub valid_from: DateTime<Utc>,
    /// Until this instant, exclusive; `None` is open.
    pub valid_to: Option<DateTime<Utc>>,
    /// Whether the EVSE is under calibration law: its CDRs must bring signed data.
    pub calibrated: bool,
    /// `ACTIVE` or `DEACTIVATED`.
    pub state: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was deactivated.
    pub deactivated_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Registers a key. When an active row says exactly the same, that one is returned and nothing is written (PC-09).
    pub async fn key_register(&self, key: KeyRow) -> Result<KeyRow, StoreError> {
        self.later(key)
    }

    /// Keys in the order of their registration, after `cursor` (a key id), and where to go on.
    pub async fn key_list(
        &self,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<KeyRow>, Option<String>), StoreError> {
        self.later((cursor, limit))
    }

    /// One key.
    pub async fn key_get(&self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        self.later(id)
    }

    /// Deactivates a key and returns it as it is then. Deactivating it again changes nothing.
    pub async fn key_deactivate(&self, id: &str, at: DateTime<Utc>) -> Result<KeyRow, StoreError> {
        self.later((id, at))
    }

    /// Every key there ever was, for the index in memory.
    pub async fn keys_all(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.later(())
    }

    /// A number that moves with every change of a key. Cheap to ask.
    pub async fn keys_revision(&self) -> Result<i64, StoreError> {
        self.later(())
    }
}
