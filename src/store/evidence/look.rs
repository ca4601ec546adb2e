//! Finding CDRs: by name, by row, by Location, and the operator's list.

use chrono::{DateTime, Utc};

use super::CdrRow;
use crate::store::{Store, StoreError};

/// A CDR as the operator's list shows it: how it stands, without its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdrBrief {
    /// Row id.
    pub id: String,
    /// Country code of the CPO as written.
    pub country_code: String,
    /// Party id of the CPO as written.
    pub party_id: String,
    /// The CDR's id as written.
    pub cdr_id: String,
    /// The CPO as `DE/ABC`.
    pub cpo_key: String,
    /// The CDR's id, folded.
    pub cdr_key: String,
    /// Its revision.
    pub revision: i64,
    /// The eMSP as `NL/EMS`.
    pub emsp_key: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Status of the verdict in force.
    pub metering_status: String,
    /// Whether it may be billed as it is.
    pub billable: bool,
    /// Its delivery word.
    pub delivery: String,
}

/// What the operator asks for; `None` asks for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CdrFilter {
    /// Status of the verdict in force.
    pub metering_status: Option<String>,
    /// Delivery word.
    pub delivery: Option<String>,
    /// CPO as `DE/ABC`.
    pub cpo_key: Option<String>,
    /// eMSP as `NL/EMS`.
    pub emsp_key: Option<String>,
    /// Arrived at or after.
    pub from: Option<DateTime<Utc>>,
    /// Arrived before.
    pub to: Option<DateTime<Utc>>,
}

impl Store {
    /// The newest revision of a CDR.
    pub async fn cdr_find(&self, cpo_key: &str, cdr_key: &str) -> Result<Option<CdrRow>, StoreError> {
        self.later((cpo_key, cdr_key))
    }

    /// All revisions of a CDR, oldest first.
    pub async fn cdr_revisions(&self, cpo_key: &str, cdr_key: &str) -> Result<Vec<CdrRow>, StoreError> {
        self.later((cpo_key, cdr_key))
    }

    /// A CDR by its row id.
    pub async fn cdr_by_row(&self, row_id: &str) -> Result<Option<CdrRow>, StoreError> {
        self.later(row_id)
    }

    /// A CDR by the unguessable part of its Location.
    pub async fn cdr_by_location(&self, location_id: &str) -> Result<Option<CdrRow>, StoreError> {
        self.later(location_id)
    }

    /// The operator's list, newest first, after `cursor` (a row id), and where to go on.
    pub async fn cdr_list(
        &self,
        filter: CdrFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<CdrBrief>, Option<String>), StoreError> {
        self.later((filter, cursor, limit))
    }
}
