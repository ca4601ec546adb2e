//! Verdicts are added, never changed; the newest is in force.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::records::{BlockRecord, VerdictRecord};
use super::{BlockClaim, BlockUse};
use crate::store::notices::{self, NewNotice, NoticeRecord};
use crate::store::outbox::DutyRecord;
use crate::store::schema::{cdrs, unexamined, used_blocks, verdicts};
use crate::store::value::{count, instant, micros, page};
use crate::store::{Store, StoreError, ask, both, change};

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

/// A verdict to add.
#[derive(Clone, Debug)]
pub struct NewVerdict {
    /// The CDR it is about.
    pub row_id: String,
    /// The verdict as JSON.
    pub report: String,
    /// Its status.
    pub status: String,
    /// Whether the CDR may be billed as it is.
    pub billable: bool,
    /// The JSON text of `metering_validation`, where there is to be one.
    pub marker: Option<String>,
    /// When it was checked.
    pub checked_at: DateTime<Utc>,
    /// The signed blocks the CDR uses; those it used before are no conflict.
    pub blocks: Vec<BlockClaim>,
    /// The verdict that was in force when this one was made (its id): when another is by now, nothing is written.
    pub instead_of: Option<String>,
    /// What the CDR's sender is told of it.
    pub notice: Option<NewNotice>,
}

/// The verdict in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestVerdict {
    /// Its id.
    pub id: String,
    /// When it was checked.
    pub checked_at: DateTime<Utc>,
    /// The verdict as JSON.
    pub report: String,
}

impl Store {
    /// Adds a verdict, puts it in force, and uses up the blocks it verified for the first time. When some of them serve another CDR they
    /// are returned and nothing is written. `NotFound` when there is no such CDR.
    pub async fn verdict_add(&self, new: NewVerdict) -> Result<Vec<BlockUse>, StoreError> {
        let verdict = VerdictRecord::new(&new.row_id, new.report, new.checked_at);
        let (blocks, claims) = (new.blocks.clone(), new.blocks);
        let force = Force {
            status: new.status,
            billable: new.billable,
            marker: new.marker,
            instead_of: new.instead_of,
            notice: new.notice.map(notices::records).transpose()?,
        };
        match change!(self, add(verdict, force, claims)) {
            Ok(()) => Ok(Vec::new()),
            // Another CDR has one of the blocks: which, the caller needs to know before it judges again.
            Err(StoreError::Conflict(what)) => match self.blocks_used(&blocks).await? {
                used if used.is_empty() => Err(StoreError::Conflict(what)),
                used => Ok(used),
            },
            Err(fault) => Err(fault),
        }
    }

    /// The verdict in force.
    pub async fn verdict_newest(&self, row_id: &str) -> Result<Option<NewestVerdict>, StoreError> {
        let row_id = row_id.to_owned();
        let Some(newest) = ask!(self, newest(row_id))? else {
            return Ok(None);
        };
        Ok(Some(NewestVerdict {
            id: newest.id,
            checked_at: instant(newest.checked_at)?,
            report: newest.report,
        }))
    }

    /// All verdicts on a CDR as JSON, oldest first.
    pub async fn verdicts(&self, row_id: &str) -> Result<Vec<String>, StoreError> {
        let row_id = row_id.to_owned();
        ask!(self, all(row_id))
    }

    /// Verdicts since an instant on CDRs that `cpo_keys` sent or `emsp_keys` may see, in the order of checking, after `cursor`, and where
    /// to go on.
    pub async fn reports_since(
        &self,
        cpo_keys: &[String],
        emsp_keys: &[String],
        since: DateTime<Utc>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<ReportItem>, Option<String>), StoreError> {
        let (cpo_keys, emsp_keys, since) = (cpo_keys.to_vec(), emsp_keys.to_vec(), micros(since));
        let (after, rows) = (cursor.unwrap_or_default().to_owned(), i64::from(limit) + 1);
        let (records, next) = page(
            ask!(self, since(cpo_keys, emsp_keys, since, after, rows))?,
            limit,
            |(verdict, ..)| &verdict.id,
        );
        let items = records.into_iter().map(ReportItem::read);
        Ok((items.collect::<Result<_, StoreError>>()?, next))
    }
}

/// Verdicts on what some CPOs sent.
#[derive(Clone, Debug, Default)]
pub struct VerdictPull {
    /// The CPOs as `DE/ABC`.
    pub cpo_keys: Vec<String>,
    /// Checked at or after.
    pub from: Option<DateTime<Utc>>,
    /// Checked before.
    pub to: Option<DateTime<Utc>>,
}

impl Store {
    /// How many verdicts match.
    pub async fn verdict_count(&self, pull: VerdictPull) -> Result<u64, StoreError> {
        Ok(count(ask!(self, number(pull))?))
    }

    /// Verdicts that match, in the order of checking: those behind `after`, or behind `offset` others; and whether there are more.
    pub async fn verdict_page(
        &self,
        pull: VerdictPull,
        after: Option<&str>,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<ReportItem>, bool), StoreError> {
        let offset = if after.is_some() {
            0
        } else {
            i64::try_from(offset).unwrap_or(i64::MAX)
        };
        let (after, rows) = (after.unwrap_or_default().to_owned(), i64::from(limit) + 1);
        let (records, next) = page(
            ask!(self, pulled(pull, after, offset, rows))?,
            limit,
            |(verdict, ..)| &verdict.id,
        );
        let items = records.into_iter().map(ReportItem::read);
        Ok((items.collect::<Result<_, StoreError>>()?, next.is_some()))
    }
}

impl ReportItem {
    fn read((verdict, cpo_key, emsp_key): (VerdictRecord, String, String)) -> Result<ReportItem, StoreError> {
        Ok(ReportItem {
            id: verdict.id,
            row_id: verdict.cdr,
            cpo_key,
            emsp_key,
            checked_at: instant(verdict.checked_at)?,
            report: verdict.report,
        })
    }
}

/// What a verdict changes about its CDR.
struct Force {
    status: String,
    billable: bool,
    marker: Option<String>,
    instead_of: Option<String>,
    notice: Option<(DutyRecord, NoticeRecord)>,
}

both! {
    pub(super) async fn add(
        c: &mut Connection,
        verdict: &VerdictRecord,
        force: &Force,
        claims: &[BlockClaim],
    ) -> Result<(), StoreError> {
        let this = || cdrs::table.filter(cdrs::id.eq(&verdict.cdr));
        let name: Option<(String, String)> = this().select((cdrs::cpo_key, cdrs::cdr_key)).first(c).await.optional()?;
        let Some((cpo_key, cdr_key)) = name else { return Err(StoreError::NotFound) };
        for claim in claims {
            let held = used_blocks::table
                .filter(used_blocks::digest.eq(&claim.digest))
                .filter(used_blocks::fingerprint.eq(&claim.fingerprint));
            let holder: Option<String> = held.select(used_blocks::cdr).first(c).await.optional()?;
            match holder {
                Some(holder) if holder == verdict.cdr => continue,
                Some(_) => return Err(StoreError::Conflict("a block serves another CDR".to_owned())),
                None => {}
            }
            let block = BlockRecord {
                digest: claim.digest.clone(),
                fingerprint: claim.fingerprint.clone(),
                cdr: verdict.cdr.clone(),
                cpo_key: cpo_key.clone(),
                cdr_key: cdr_key.clone(),
            };
            // Whoever commits first has it; the primary key tells the other.
            diesel::insert_into(used_blocks::table).values(&block).execute(c).await?;
        }
        diesel::update(this())
            .set((
                cdrs::metering_status.eq(&force.status),
                cdrs::billable.eq(i64::from(force.billable)),
                cdrs::marker.eq(&force.marker),
            ))
            .execute(c)
            .await?;
        // The change above holds the CDR's row: whoever comes second waits there, and sees here what the first one wrote.
        if let Some(known) = &force.instead_of {
            let newest = newest(c, &verdict.cdr).await?;
            if newest.is_none_or(|newest| newest.id != *known) {
                return Err(StoreError::Conflict("the CDR has another verdict by now".to_owned()));
            }
        }
        diesel::insert_into(verdicts::table).values(verdict).execute(c).await?;
        let unexamined = diesel::insert_into(unexamined::table).values(unexamined::cdr.eq(&verdict.cdr));
        unexamined.on_conflict_do_nothing().execute(c).await?;
        if let Some((duty, notice)) = &force.notice {
            telling::owe(c, duty, notice).await?;
        }
        Ok(())
    }

    pub(super) async fn newest(c: &mut Connection, row_id: &str) -> Result<Option<VerdictRecord>, StoreError> {
        let query = verdicts::table.filter(verdicts::cdr.eq(row_id)).order(verdicts::id.desc());
        Ok(query.select(VerdictRecord::as_select()).first(c).await.optional()?)
    }

    /// The newest verdict on each of these CDRs, in one question.
    pub(in crate::store) async fn newest_reports(
        c: &mut Connection,
        row_ids: &[&str],
    ) -> Result<HashMap<String, String>, StoreError> {
        let all = verdicts::table.filter(verdicts::cdr.eq_any(row_ids)).order((verdicts::cdr.asc(), verdicts::id.asc()));
        let all: Vec<(String, String)> = all.select((verdicts::cdr, verdicts::report)).load(c).await?;
        // The last of each is the newest, and the one that stays.
        Ok(all.into_iter().collect())
    }

    /// The same, beside CDRs and the ends of their charging.
    pub(in crate::store) async fn beside(
        c: &mut Connection,
        found: Vec<(String, i64)>,
    ) -> Result<Vec<(String, i64, String)>, StoreError> {
        let ids: Vec<&str> = found.iter().map(|(row_id, _)| row_id.as_str()).collect();
        let mut newest = newest_reports(c, &ids).await?;
        let judged = |(row_id, ended_at): (String, i64)| {
            let report = newest.remove(&row_id).unwrap_or_default();
            (row_id, ended_at, report)
        };
        Ok(found.into_iter().map(judged).collect())
    }

    pub(super) async fn all(c: &mut Connection, row_id: &str) -> Result<Vec<String>, StoreError> {
        let query = verdicts::table.filter(verdicts::cdr.eq(row_id)).order(verdicts::id.asc());
        Ok(query.select(verdicts::report).load(c).await?)
    }

    /// A CPO hears of everything it sent; an eMSP of nothing it may not see yet (design 3.6.3, `hold`).
    pub(super) async fn since(
        c: &mut Connection,
        cpo_keys: &[String],
        emsp_keys: &[String],
        since: &i64,
        after: &str,
        rows: &i64,
    ) -> Result<Vec<(VerdictRecord, String, String)>, StoreError> {
        let sent = cdrs::cpo_key.eq_any(cpo_keys);
        let seen = cdrs::emsp_key.eq_any(emsp_keys).and(cdrs::visible_at.is_not_null());
        Ok(verdicts::table
            .inner_join(cdrs::table)
            .filter(verdicts::id.gt(after))
            .filter(verdicts::checked_at.ge(*since))
            .filter(sent.or(seen))
            .order(verdicts::id.asc())
            .limit(*rows)
            .select((VerdictRecord::as_select(), cdrs::cpo_key, cdrs::emsp_key))
            .load(c)
            .await?)
    }

    pub(super) async fn number(c: &mut Connection, pull: &VerdictPull) -> Result<i64, StoreError> {
        let query = verdicts::table
            .inner_join(cdrs::table)
            .filter(cdrs::cpo_key.eq_any(&pull.cpo_keys))
            .filter(verdicts::checked_at.ge(pull.from.map_or(i64::MIN, micros)))
            .filter(verdicts::checked_at.lt(pull.to.map_or(i64::MAX, micros)));
        Ok(query.count().get_result(c).await?)
    }

    pub(super) async fn pulled(
        c: &mut Connection,
        pull: &VerdictPull,
        after: &str,
        offset: &i64,
        rows: &i64,
    ) -> Result<Vec<(VerdictRecord, String, String)>, StoreError> {
        let query = verdicts::table
            .inner_join(cdrs::table)
            .filter(verdicts::id.gt(after))
            .filter(cdrs::cpo_key.eq_any(&pull.cpo_keys))
            .filter(verdicts::checked_at.ge(pull.from.map_or(i64::MIN, micros)))
            .filter(verdicts::checked_at.lt(pull.to.map_or(i64::MAX, micros)))
            .order(verdicts::id.asc())
            .offset(*offset)
            .limit(*rows);
        Ok(query.select((VerdictRecord::as_select(), cdrs::cpo_key, cdrs::emsp_key)).load(c).await?)
    }
}
