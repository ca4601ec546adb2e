//! What an eMSP pulls: its own visible CDRs, newest revision only, in order of arrival, page by page.

use chrono::{DateTime, Utc};

use crate::store::{Store, StoreError};

/// What an eMSP asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CdrPull {
    /// The eMSPs it speaks for, as `NL/EMS`.
    pub emsp_keys: Vec<String>,
    /// Only of this CPO, as `DE/ABC`.
    pub cpo_key: Option<String>,
    /// `last_updated`, or the instant the hub made it visible, is at or after this.
    pub date_from: Option<DateTime<Utc>>,
    /// The same instant is before this.
    pub date_to: Option<DateTime<Utc>>,
}

/// One CDR on a page.
#[derive(Clone, PartialEq, Eq)]
pub struct CdrListItem {
    /// Row id: what the next page continues after.
    pub id: String,
    /// The octets as posted.
    pub body: String,
    /// The JSON text of `metering_validation`; `None` when billable.
    pub marker: Option<String>,
    /// The OCPI version it was posted in.
    pub version: String,
}

/// A page of CDRs.
#[derive(Clone, PartialEq, Eq)]
pub struct CdrPage {
    /// The CDRs, in order of arrival.
    pub rows: Vec<CdrListItem>,
    /// Whether there are more after the last one.
    pub more: bool,
}

impl Store {
    /// A page of at most `limit` CDRs: those after row `after`, when given, else those after the first `offset`. Going on by `after` costs
    /// the same at any depth; by `offset` it costs more the deeper it goes.
    pub async fn cdr_page(
        &self,
        pull: CdrPull,
        after: Option<&str>,
        offset: u64,
        limit: u32,
    ) -> Result<CdrPage, StoreError> {
        self.later((pull, after, offset, limit))
    }

    /// How many CDRs all pages together hold.
    pub async fn cdr_count(&self, pull: CdrPull) -> Result<u64, StoreError> {
        self.later(pull)
    }
}
