//! From kept back to owed: releasing what was held, owing again what nobody answered.

use chrono::{DateTime, Utc};

use crate::store::outbox::NewDuty;
use crate::store::{Store, StoreError};

impl Store {
    /// Releases a held CDR: from `now` on its eMSP sees it, its delivery word becomes `delivery`, and the duty is written down. `false`
    /// when it is not held any more.
    pub async fn cdr_release(
        &self,
        row_id: &str,
        now: DateTime<Utc>,
        duty: Option<NewDuty>,
        delivery: &str,
    ) -> Result<bool, StoreError> {
        self.later((row_id, now, duty, delivery))
    }

    /// Owes a CDR that is `pending` and for which nothing is owed. `false` when either is not so.
    pub async fn cdr_owe(&self, row_id: &str, duty: NewDuty) -> Result<bool, StoreError> {
        self.later((row_id, duty))
    }
}
