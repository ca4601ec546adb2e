//! What an eMSP pulls: its own visible CDRs, newest revision only, in order of arrival, page by page.

use chrono::{DateTime, Utc};

use crate::store::schema::{cdrs, octets};
use crate::store::value::{count, micros};
use crate::store::{Store, StoreError, ask, both};

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
    /// The JSON text of `metering_validation`; `None` where a peer hub put its own.
    pub marker: Option<String>,
    /// Whether it may be billed as it is.
    pub billable: bool,
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
        let (after, rows) = (after.map(str::to_owned), i64::from(limit) + 1);
        // Beyond this there is nothing to be skipped.
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let mut ids = match (pull.emsp_keys.len(), &after) {
            (0, _) => Vec::new(),
            // Several eMSPs and a place to go on from: each of them has its own stretch of the index, read in order and merged here.
            (2.., Some(_)) => {
                let mut ids = Vec::new();
                for emsp_key in &pull.emsp_keys {
                    let (one, after) = (
                        CdrPull {
                            emsp_keys: vec![emsp_key.clone()],
                            ..pull.clone()
                        },
                        after.clone(),
                    );
                    ids.extend(ask!(self, ids(one, after, offset, rows))?);
                }
                ids.sort_unstable();
                ids.dedup();
                ids
            }
            _ => ask!(self, ids(pull, after, offset, rows))?,
        };
        let more = ids.len() > limit as usize;
        ids.truncate(limit as usize);
        let rows = ask!(self, items(ids))?;
        let item = |(id, body, marker, billable, version): Item| CdrListItem {
            id,
            body,
            marker,
            billable: billable != 0,
            version,
        };
        Ok(CdrPage {
            rows: rows.into_iter().map(item).collect(),
            more,
        })
    }

    /// How many CDRs all pages together hold.
    pub async fn cdr_count(&self, pull: CdrPull) -> Result<u64, StoreError> {
        Ok(count(ask!(self, total(pull))?))
    }
}

/// The query of all pages. A macro because the type of a boxed query names its database.
///
/// `listed_at` is the later of `last_updated` and `visible_at`, and empty for what is not listed: with it, "one of the two is at or after
/// `date_from`" is one range of one index.
macro_rules! listed {
    ($pull:expr) => {{
        let mut query = cdrs::table.filter(cdrs::listed_at.is_not_null()).into_boxed();
        query = match &$pull.emsp_keys[..] {
            [emsp_key] => query.filter(cdrs::emsp_key.eq(emsp_key)),
            emsp_keys => query.filter(cdrs::emsp_key.eq_any(emsp_keys)),
        };
        if let Some(cpo_key) = &$pull.cpo_key {
            query = query.filter(cdrs::cpo_key.eq(cpo_key));
        }
        let from = $pull.date_from.map(micros);
        if let Some(from) = from {
            query = query.filter(cdrs::listed_at.ge(from));
        }
        if let Some(to) = $pull.date_to.map(micros) {
            // Either instant must lie in the window as a whole: not one after its begin and the other before its end.
            let from = from.unwrap_or(i64::MIN);
            let updated = cdrs::last_updated.ge(from).and(cdrs::last_updated.lt(to));
            let seen = cdrs::visible_at.ge(from).and(cdrs::visible_at.lt(to));
            query = query.filter(updated.nullable().or(seen));
        }
        query
    }};
}
type Item = (String, String, Option<String>, i64, String);

both! {
    pub(super) async fn ids(
        c: &mut Connection,
        pull: &CdrPull,
        after: &Option<String>,
        offset: &i64,
        rows: &i64,
    ) -> Result<Vec<String>, StoreError> {
        let query = listed!(pull).select(cdrs::id).limit(*rows);
        let query = match after {
            Some(after) => query.filter(cdrs::id.gt(after)).order(cdrs::id.asc()),
            // The first page of "what is new since": few of many. Sorting by an expression keeps both planners from walking all ids in
            // order until they have found a page of them, and leaves them the index that begins with the instant.
            None if pull.date_from.is_some() => {
                query.order(diesel::dsl::sql::<diesel::sql_types::Text>("cdrs.id || ''")).offset(*offset)
            }
            None => query.order(cdrs::id.asc()).offset(*offset),
        };
        Ok(query.load(c).await?)
    }

    pub(super) async fn items(c: &mut Connection, ids: &Vec<String>) -> Result<Vec<Item>, StoreError> {
        let query = cdrs::table.inner_join(octets::table).filter(cdrs::id.eq_any(ids)).order(cdrs::id.asc());
        Ok(query.select((cdrs::id, octets::body, cdrs::marker, cdrs::billable, cdrs::version)).load(c).await?)
    }

    pub(super) async fn total(c: &mut Connection, pull: &CdrPull) -> Result<i64, StoreError> {
        Ok(listed!(pull).count().get_result(c).await?)
    }
}
