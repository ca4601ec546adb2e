//! Read-only questions about the whole: the numbers of a start page.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// How much of everything there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Platforms.
    pub platforms: u64,
    /// Parties, once per role.
    pub parties: u64,
    /// Active keys.
    pub keys: u64,
    /// CDRs by delivery word.
    pub cdrs_by_delivery: Vec<(String, u64)>,
    /// CDRs by metering status.
    pub cdrs_by_metering_status: Vec<(String, u64)>,
    /// Duties that are owed.
    pub duties_owed: u64,
    /// Duties given up.
    pub duties_dead: u64,
    /// When the oldest owed duty was written down.
    pub oldest_owed: Option<DateTime<Utc>>,
}

impl Store {
    /// Counts everything. Reads indexes only, but all of them: for a page, not for a loop.
    pub async fn overview(&self) -> Result<Overview, StoreError> {
        self.later(())
    }
}
