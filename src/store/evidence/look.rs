//! Finding CDRs: by name, by row, by Location, and the operator's list.

use chrono::{DateTime, Utc};

use super::CdrRow;
use super::records::{CdrRecord, read_row, read_whole_or_not};
use crate::store::schema::{cdrs, octets};
use crate::store::value::{instant, micros, page};
use crate::store::{Store, StoreError, ask, both};

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
    /// The newest revision of a CDR, also when its octets were removed ([`CdrRow::is_removed`]).
    pub async fn cdr_find(&self, cpo_key: &str, cdr_key: &str) -> Result<Option<CdrRow>, StoreError> {
        Ok(self.cdr_revisions(cpo_key, cdr_key).await?.pop())
    }

    /// All revisions of a CDR, oldest first, also those whose octets were removed.
    pub async fn cdr_revisions(&self, cpo_key: &str, cdr_key: &str) -> Result<Vec<CdrRow>, StoreError> {
        let (cpo_key, cdr_key) = (cpo_key.to_owned(), cdr_key.to_owned());
        ask!(self, revisions(cpo_key, cdr_key))?
            .into_iter()
            .map(read_whole_or_not)
            .collect()
    }

    /// A CDR by its row id, as long as its octets are here.
    pub async fn cdr_by_row(&self, row_id: &str) -> Result<Option<CdrRow>, StoreError> {
        let row_id = row_id.to_owned();
        ask!(self, by_row(row_id))?.map(read_row).transpose()
    }

    /// A CDR by the unguessable part of its Location.
    pub async fn cdr_by_location(&self, location_id: &str) -> Result<Option<CdrRow>, StoreError> {
        let location_id = location_id.to_owned();
        ask!(self, by_location(location_id))?.map(read_row).transpose()
    }

    /// The operator's list, newest first, after `cursor` (a row id), and where to go on.
    pub async fn cdr_list(
        &self,
        filter: CdrFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<CdrBrief>, Option<String>), StoreError> {
        let (before, rows) = (cursor.map(str::to_owned), i64::from(limit) + 1);
        let (records, next) = page(ask!(self, list(filter, before, rows))?, limit, |record| &record.id);
        Ok((records.into_iter().map(CdrBrief::new).collect::<Result<_, _>>()?, next))
    }
}

both! {
    pub(super) async fn revisions(
        c: &mut Connection,
        cpo_key: &str,
        cdr_key: &str,
    ) -> Result<Vec<(CdrRecord, Option<String>)>, StoreError> {
        Ok(cdrs::table
            .left_join(octets::table)
            .filter(cdrs::cpo_key.eq(cpo_key))
            .filter(cdrs::cdr_key.eq(cdr_key))
            .order(cdrs::revision.asc())
            .select((CdrRecord::as_select(), octets::body.nullable()))
            .load(c)
            .await?)
    }

    pub(super) async fn by_row(c: &mut Connection, row_id: &str) -> Result<Option<(CdrRecord, String)>, StoreError> {
        Ok(cdrs::table
            .inner_join(octets::table)
            .filter(cdrs::id.eq(row_id))
            .select((CdrRecord::as_select(), octets::body))
            .first(c)
            .await
            .optional()?)
    }

    pub(super) async fn by_location(
        c: &mut Connection,
        location_id: &str,
    ) -> Result<Option<(CdrRecord, String)>, StoreError> {
        Ok(cdrs::table
            .inner_join(octets::table)
            .filter(cdrs::location_id.eq(location_id))
            .select((CdrRecord::as_select(), octets::body))
            .first(c)
            .await
            .optional()?)
    }

    pub(super) async fn list(
        c: &mut Connection,
        filter: &CdrFilter,
        before: &Option<String>,
        rows: &i64,
    ) -> Result<Vec<CdrRecord>, StoreError> {
        let mut query = cdrs::table.select(CdrRecord::as_select()).order(cdrs::id.desc()).limit(*rows).into_boxed();
        if let Some(status) = &filter.metering_status {
            query = query.filter(cdrs::metering_status.eq(status));
        }
        if let Some(delivery) = &filter.delivery {
            query = query.filter(cdrs::delivery.eq(delivery));
        }
        if let Some(cpo_key) = &filter.cpo_key {
            query = query.filter(cdrs::cpo_key.eq(cpo_key));
        }
        if let Some(emsp_key) = &filter.emsp_key {
            query = query.filter(cdrs::emsp_key.eq(emsp_key));
        }
        if let Some(from) = filter.from {
            query = query.filter(cdrs::received_at.ge(micros(from)));
        }
        if let Some(to) = filter.to {
            query = query.filter(cdrs::received_at.lt(micros(to)));
        }
        if let Some(before) = before {
            query = query.filter(cdrs::id.lt(before));
        }
        Ok(query.load(c).await?)
    }
}

impl CdrBrief {
    fn new(cdr: CdrRecord) -> Result<CdrBrief, StoreError> {
        Ok(CdrBrief {
            id: cdr.id,
            country_code: cdr.country_code,
            party_id: cdr.party_id,
            cdr_id: cdr.cdr_id,
            cpo_key: cdr.cpo_key,
            cdr_key: cdr.cdr_key,
            revision: cdr.revision,
            emsp_key: cdr.emsp_key,
            received_at: instant(cdr.received_at)?,
            metering_status: cdr.metering_status,
            billable: cdr.billable != 0,
            delivery: cdr.delivery,
        })
    }
}
