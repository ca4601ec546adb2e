//! What an attempt leaves behind.

use super::{AttemptRow, Settlement};
use crate::store::{Store, StoreError};

impl Store {
    /// Settles a duty on condition that it is still the one and the revision that was sent; otherwise `false`, and nothing is written.
    pub async fn cdr_settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        self.later(settlement)
    }

    /// The attempts made for a CDR, oldest first.
    pub async fn attempts(&self, row_id: &str) -> Result<Vec<AttemptRow>, StoreError> {
        self.later(row_id)
    }
}
