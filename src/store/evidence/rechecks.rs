//! Changes of the registry whose CDRs are still to be judged again: a queue with a persistent cursor.
//!
//! Entered once, whichever process sees the change first; worked off by one process at a time, place by place, so that another goes on
//! where one was killed.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use super::{TracePlace, TraceQuery};
use crate::store::schema::{rechecks, revisions};
use crate::store::value::{count, instant, later, micros};
use crate::store::{Store, StoreError, ask, both, change};

/// A change to enter.
#[derive(Clone, Debug)]
pub struct NewRecheck {
    /// Its number.
    pub change: i64,
    /// The registration it is about.
    pub subject: String,
    /// The CDRs it is about.
    pub affected: TraceQuery,
}

/// A change, and how far its CDRs have been judged again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecheckRow {
    /// Its id (UUIDv7).
    pub id: String,
    /// The number of the change.
    pub change: i64,
    /// The registration it is about.
    pub subject: String,
    /// The CDRs it is about.
    pub affected: TraceQuery,
    /// 1, or 2 for what was on its way in when the change was made.
    pub pass: i64,
    /// The last CDR that was judged again.
    pub place: TracePlace,
    /// How many were judged again.
    pub checked: u64,
    /// How many of them got another verdict.
    pub changed: u64,
    /// When it is worked on.
    pub due_at: DateTime<Utc>,
    /// When the change was seen.
    pub created_at: DateTime<Utc>,
    /// When the last one was done.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A step forward.
#[derive(Clone, Debug)]
pub struct RecheckProgress {
    /// The last CDR that was judged again.
    pub place: TracePlace,
    /// How many more were judged again.
    pub checked: u64,
    /// How many of them got another verdict.
    pub changed: u64,
    /// Until when the next portion is ours.
    pub lease_until: DateTime<Utc>,
}

/// The counter up to which changes were entered.
const CURSOR: &str = "rechecks";

impl Store {
    /// The number of the last change that was entered.
    pub async fn recheck_cursor(&self) -> Result<i64, StoreError> {
        ask!(self, cursor())
    }

    /// Enters the changes from behind `after` up to and including `to`. `false` when somebody else did: then nothing is written.
    pub async fn recheck_enter(
        &self,
        after: i64,
        to: i64,
        new: Vec<NewRecheck>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let records: Result<Vec<RecheckRecord>, StoreError> =
            new.into_iter().map(|new| RecheckRecord::new(new, now)).collect();
        let records = records?;
        change!(self, enter(after, to, records))
    }

    /// Takes the change that is due longest and nobody else's, until `lease_until`.
    pub async fn recheck_lease(
        &self,
        owner: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Option<RecheckRow>, StoreError> {
        let (owner, now, until) = (owner.to_owned(), micros(now), micros(lease_until));
        change!(self, lease(owner, now, until))?
            .map(RecheckRecord::read)
            .transpose()
    }

    /// Notes how far it is. `false` when it is not `owner`'s any more: then nothing is written.
    pub async fn recheck_advance(&self, id: &str, owner: &str, step: RecheckProgress) -> Result<bool, StoreError> {
        let (id, owner) = (id.to_owned(), owner.to_owned());
        change!(self, advance(id, owner, step))
    }

    /// Ends the first pass: what arrives behind this id is looked through once more from `due_at` on. `false` as above.
    pub async fn recheck_again(
        &self,
        row: &RecheckRow,
        owner: &str,
        arrived_after: String,
        due_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let affected = TraceQuery {
            arrived_after,
            ..row.affected.clone()
        };
        let (id, owner, affected, due) = (row.id.clone(), owner.to_owned(), write(&affected)?, micros(due_at));
        change!(self, again(id, owner, affected, due))
    }

    /// Ends it. `false` as above.
    pub async fn recheck_finish(&self, id: &str, owner: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let (id, owner, now) = (id.to_owned(), owner.to_owned(), micros(now));
        change!(self, finish(id, owner, now))
    }

    /// The newest changes, and how many are not finished.
    pub async fn recheck_list(&self, limit: u32) -> Result<(Vec<RecheckRow>, u64), StoreError> {
        let rows = i64::from(limit);
        let (records, unfinished) = ask!(self, list(rows))?;
        let rows = records.into_iter().map(RecheckRecord::read).collect::<Result<_, _>>()?;
        Ok((rows, count(unfinished)))
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = rechecks, treat_none_as_default_value = false)]
pub(in crate::store) struct RecheckRecord {
    id: String,
    change: i64,
    subject: String,
    affected: String,
    pass: i64,
    after_end: i64,
    after_cdr: String,
    checked: i64,
    changed: i64,
    due_at: i64,
    lease_owner: Option<String>,
    lease_until: i64,
    created_at: i64,
    finished_at: Option<i64>,
}

macro_rules! ours {
    ($id:expr, $owner:expr) => {
        rechecks::table
            .filter(rechecks::id.eq($id))
            .filter(rechecks::lease_owner.eq($owner))
            .filter(rechecks::finished_at.is_null())
    };
}

both! {
    pub(super) async fn cursor(c: &mut Connection) -> Result<i64, StoreError> {
        Ok(revisions::table.filter(revisions::name.eq(CURSOR)).select(revisions::value).first(c).await?)
    }

    pub(super) async fn enter(
        c: &mut Connection,
        after: &i64,
        to: &i64,
        records: &[RecheckRecord],
    ) -> Result<bool, StoreError> {
        let cursor = revisions::table.filter(revisions::name.eq(CURSOR)).filter(revisions::value.eq(*after));
        if diesel::update(cursor).set(revisions::value.eq(*to)).execute(c).await? == 0 {
            return Ok(false);
        }
        for record in records {
            diesel::insert_into(rechecks::table).values(record).execute(c).await?;
        }
        Ok(true)
    }

    pub(super) async fn lease(
        c: &mut Connection,
        owner: &str,
        now: &i64,
        until: &i64,
    ) -> Result<Option<RecheckRecord>, StoreError> {
        let due: Vec<String> = rechecks::table
            .filter(rechecks::finished_at.is_null())
            .filter(rechecks::due_at.le(*now))
            .filter(rechecks::lease_until.le(*now))
            .order((rechecks::due_at.asc(), rechecks::id.asc()))
            .limit(8)
            .select(rechecks::id)
            .load(c)
            .await?;
        for id in due {
            // Asked again in the change itself: somebody else may have been quicker.
            let free = rechecks::table
                .filter(rechecks::id.eq(&id))
                .filter(rechecks::finished_at.is_null())
                .filter(rechecks::lease_until.le(*now));
            let ours = (rechecks::lease_owner.eq(owner), rechecks::lease_until.eq(*until));
            if diesel::update(free).set(ours).execute(c).await? == 1 {
                let leased = rechecks::table.filter(rechecks::id.eq(&id));
                return Ok(leased.select(RecheckRecord::as_select()).first(c).await.optional()?);
            }
        }
        Ok(None)
    }

    pub(super) async fn advance(
        c: &mut Connection,
        id: &str,
        owner: &str,
        step: &RecheckProgress,
    ) -> Result<bool, StoreError> {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let further = (
            rechecks::after_end.eq(step.place.ended_at),
            rechecks::after_cdr.eq(&step.place.row_id),
            rechecks::checked.eq(rechecks::checked + number(step.checked)),
            rechecks::changed.eq(rechecks::changed + number(step.changed)),
            rechecks::lease_until.eq(micros(step.lease_until)),
        );
        Ok(diesel::update(ours!(id, owner)).set(further).execute(c).await? == 1)
    }

    pub(super) async fn again(
        c: &mut Connection,
        id: &str,
        owner: &str,
        affected: &str,
        due: &i64,
    ) -> Result<bool, StoreError> {
        let start = TracePlace::start();
        let again = (
            rechecks::affected.eq(affected),
            rechecks::pass.eq(rechecks::pass + 1),
            rechecks::after_end.eq(start.ended_at),
            rechecks::after_cdr.eq(start.row_id),
            rechecks::due_at.eq(*due),
            rechecks::lease_owner.eq(None::<String>),
            rechecks::lease_until.eq(0),
        );
        Ok(diesel::update(ours!(id, owner)).set(again).execute(c).await? == 1)
    }

    pub(super) async fn finish(c: &mut Connection, id: &str, owner: &str, now: &i64) -> Result<bool, StoreError> {
        let done = (
            rechecks::finished_at.eq(Some(*now)),
            rechecks::lease_owner.eq(None::<String>),
            rechecks::lease_until.eq(0),
        );
        Ok(diesel::update(ours!(id, owner)).set(done).execute(c).await? == 1)
    }

    pub(super) async fn list(c: &mut Connection, rows: &i64) -> Result<(Vec<RecheckRecord>, i64), StoreError> {
        // Counted first: what is finished stays so, and whoever hears "none" sees none.
        let unfinished = rechecks::table.filter(rechecks::finished_at.is_null()).count().get_result(c).await?;
        let newest = rechecks::table.order(rechecks::id.desc()).limit(*rows);
        let newest = newest.select(RecheckRecord::as_select()).load(c).await?;
        Ok((newest, unfinished))
    }
}

impl RecheckRecord {
    fn new(new: NewRecheck, now: DateTime<Utc>) -> Result<RecheckRecord, StoreError> {
        let start = TracePlace::start();
        Ok(RecheckRecord {
            id: Uuid::now_v7().to_string(),
            change: new.change,
            subject: new.subject,
            affected: write(&new.affected)?,
            pass: 1,
            after_end: start.ended_at,
            after_cdr: start.row_id,
            checked: 0,
            changed: 0,
            due_at: micros(now),
            lease_owner: None,
            lease_until: 0,
            created_at: micros(now),
            finished_at: None,
        })
    }

    fn read(self) -> Result<RecheckRow, StoreError> {
        Ok(RecheckRow {
            id: self.id,
            change: self.change,
            subject: self.subject,
            affected: serde_json::from_str(&self.affected)
                .map_err(|cause| StoreError::corrupt_because("reading what a change is about", cause))?,
            pass: self.pass,
            place: TracePlace {
                ended_at: self.after_end,
                row_id: self.after_cdr,
            },
            checked: count(self.checked),
            changed: count(self.changed),
            due_at: instant(self.due_at)?,
            created_at: instant(self.created_at)?,
            finished_at: later(self.finished_at)?,
        })
    }
}

fn write(affected: &TraceQuery) -> Result<String, StoreError> {
    serde_json::to_string(affected)
        .map_err(|cause| StoreError::corrupt_because("writing what a change is about", cause))
}
