//! Verdicts are added, never changed; the newest is in force.

use chrono::{DateTime, Utc};

use crate::store::{Store, StoreError};

/// A verdict in the list of those that are new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportItem {
    /// The verdict's id: the cursor of the list.
    pub id: String,
    /// The CDR it is about.
    pub row_id: String,
    /// The CDR's CPO as `DE/ABC`.
    pub cpo_key: String,
    /// The CDR's eMSP as `NL/EMS`.
    pub emsp_key: String,
    /// When it was checked.
    pub checked_at: DateTime<Utc>,
    /// The verdict as JSON.
    pub report: String,
}

impl Store {
    /// Adds a verdict and puts it in force. `NotFound` when there is no such CDR.
    pub async fn verdict_add(
        &self,
        row_id: &str,
        report: &str,
        status: &str,
        billable: bool,
        marker: Option<&str>,
        checked_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.later((row_id, report, status, billable, marker, checked_at))
    }

    /// All verdicts on a CDR as JSON, oldest first.
    pub async fn verdicts(&self, row_id: &str) -> Result<Vec<String>, StoreError> {
        self.later(row_id)
    }

    /// Verdicts since an instant on CDRs these parties sent, or may see, in the order of checking, after `cursor`, and where to go on.
    pub async fn reports_since(
        &self,
        party_keys: &[String],
        since: DateTime<Utc>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<ReportItem>, Option<String>), StoreError> {
        self.later((party_keys, since, cursor, limit))
    }
}
