//! Contracts of smart charging, and who steers which session.
//!
//! A row of control is written on condition that it still is as it was read: of two who found a session free, one is told that somebody was
//! quicker, also where they are two processes. What a document means is not known here (see `profiles`).

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::notices::{self, NewNotice, NoticeRecord};
use super::outbox::DutyRecord;
use super::schema::{contracts, controls};
use super::value::{self, instant, micros};
use super::{Store, StoreError, ask, both, change};

/// A contract as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractRow {
    /// The operator's name for it.
    pub id: String,
    /// Who gives its word, as `DE/ABC` in upper case.
    pub grantor_key: String,
    /// What was agreed, as JSON.
    pub document: String,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
    /// What its pseudonyms are made with.
    pub secret: String,
    /// Whether it stands in the configuration file.
    pub is_configured: bool,
}

/// Who steers a session, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlRow {
    /// The CPO as `DE/ABC`, upper case.
    pub cpo_key: String,
    /// The session's id, folded.
    pub session_key: String,
    /// Client-made id (UUIDv7): its place in the list, for good.
    pub id: String,
    /// 1 for the first state, one more with every other.
    pub revision: i64,
    /// Whether somebody steers it, or is about to.
    pub is_steered: bool,
    /// Whether the session is over.
    pub is_over: bool,
    /// Everything else, as JSON.
    pub document: String,
    /// When it counts no more.
    pub expires_at: DateTime<Utc>,
    /// The Session, while a provider is to see it.
    pub copy: Option<String>,
    /// Until when, if nothing more is said of it.
    pub copy_until: DateTime<Utc>,
}

/// What became of a contract that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractKept {
    /// There was none of that id.
    New,
    /// It took another's place.
    Replaced,
    /// It is what it was, and nothing was written.
    Unchanged,
    /// The configuration file says what stands under that id; nothing was written.
    Configured,
}

/// Which sessions a list is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlFilter {
    /// Only those of this CPO, as `DE/ABC` in upper case.
    pub cpo_key: Option<String>,
    /// Only those that somebody steers, or only those that nobody does.
    pub is_steered: Option<bool>,
}

impl Store {
    /// Keeps a contract in place of any other of that id. What was owed to its provider under the other is owed no more.
    pub async fn contract_put(&self, row: ContractRow) -> Result<ContractKept, StoreError> {
        let record = ContractRecord::from(row);
        change!(self, put_contract(record))
    }

    /// Ends the contracts of the configuration file that are not among these any more, and returns their ids.
    pub async fn contracts_configured(&self, ids: Vec<String>) -> Result<Vec<String>, StoreError> {
        change!(self, keep_configured(ids))
    }

    /// The contract of that id.
    pub async fn contract_get(&self, id: &str) -> Result<Option<ContractRow>, StoreError> {
        let id = id.to_owned();
        ask!(self, contract(id))?.map(ContractRecord::read).transpose()
    }

    /// Removes a contract that is not in the configuration file, and what is owed under it. `false` where there is none.
    pub async fn contract_delete(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        change!(self, delete_contract(id))
    }

    /// Contracts in the order of their ids, behind the id `after`, and where the next page begins after.
    pub async fn contract_list(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<ContractRow>, Option<String>), StoreError> {
        let (after, rows) = (after.unwrap_or_default().to_owned(), i64::from(limit).saturating_add(1));
        let found = ask!(self, contracts_after(after, rows))?;
        let rows = found.into_iter().map(ContractRecord::read).collect::<Result<_, _>>()?;
        Ok(value::page(rows, limit, |row: &ContractRow| &row.id))
    }

    /// All contracts in which one of these parties (as `DE/ABC`, upper case) gives its word, in the order of their ids.
    pub async fn contracts_of(&self, grantor_keys: Vec<String>) -> Result<Vec<ContractRow>, StoreError> {
        let found = ask!(self, contracts_of_grantors(grantor_keys))?;
        found.into_iter().map(ContractRecord::read).collect()
    }

    /// Who steers a session; also one whose time is over and that nobody has cleared away yet.
    pub async fn control_get(&self, cpo_key: &str, session_key: &str) -> Result<Option<ControlRow>, StoreError> {
        let (cpo_key, session_key) = (cpo_key.to_owned(), session_key.to_owned());
        ask!(self, control(cpo_key, session_key))?
            .map(ControlRecord::read)
            .transpose()
    }

    /// Writes who steers a session, on condition that its row still has the revision `replaces`, or that there is none; and owes what follows
    /// from it. `false`: somebody was quicker, and nothing was written.
    pub async fn control_put(
        &self,
        row: ControlRow,
        replaces: Option<i64>,
        owed: Vec<NewNotice>,
    ) -> Result<bool, StoreError> {
        let record = ControlRecord::from(row);
        let owed: Vec<(DutyRecord, NoticeRecord)> = owed
            .into_iter()
            .map(notices::records)
            .collect::<Result<_, StoreError>>()?;
        change!(self, put_control(record, replaces, owed))
    }

    /// The rows of all sessions of that id, whoever the CPO is, in the order of their CPOs; without copies.
    pub async fn controls_of_session(&self, session_key: &str) -> Result<Vec<ControlRow>, StoreError> {
        let session_key = session_key.to_owned();
        let found = ask!(self, controls_of(session_key))?;
        found.into_iter().map(ControlRecord::read).collect()
    }

    /// Sessions that are not over, without copies, in the order in which they came to be known, behind the id `after`, and where the next page begins after.
    pub async fn control_list(
        &self,
        filter: ControlFilter,
        after: Option<&str>,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<(Vec<ControlRow>, Option<String>), StoreError> {
        let (after, rows) = (after.unwrap_or_default().to_owned(), i64::from(limit).saturating_add(1));
        let now = micros(now);
        let found = ask!(self, controls_after(filter, after, rows, now))?;
        let rows = found.into_iter().map(ControlRecord::read).collect::<Result<_, _>>()?;
        Ok(value::page(rows, limit, |row: &ControlRow| &row.id))
    }

    /// Forgets the Sessions of which nothing was said for so long, and returns how many.
    pub async fn controls_forget_copies(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let now = micros(now);
        change!(self, forget_copies(now))
    }

    /// Deletes up to `limit` rows whose time is over, and returns how many: fewer than `limit` means all.
    pub async fn controls_forget_expired(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let (now, limit) = (micros(now), i64::from(limit));
        change!(self, forget_controls(now, limit))
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = contracts)]
pub(in crate::store) struct ContractRecord {
    id: String,
    grantor_key: String,
    document: String,
    updated_at: i64,
    secret: String,
    is_configured: i64,
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = controls)]
pub(in crate::store) struct ControlRecord {
    cpo_key: String,
    session_key: String,
    id: String,
    revision: i64,
    is_steered: i64,
    is_over: i64,
    document: String,
    expires_at: i64,
    copy: Option<String>,
    copy_until: i64,
}

/// The columns of a [`ControlRecord`] where many are read: a Session may be large, and nobody looks at it there.
#[allow(clippy::type_complexity, reason = "the columns of a row")]
fn without_copy() -> (
    controls::cpo_key,
    controls::session_key,
    controls::id,
    controls::revision,
    controls::is_steered,
    controls::is_over,
    controls::document,
    controls::expires_at,
    diesel::expression::SqlLiteral<diesel::sql_types::Nullable<diesel::sql_types::Text>>,
    controls::copy_until,
) {
    (
        controls::cpo_key,
        controls::session_key,
        controls::id,
        controls::revision,
        controls::is_steered,
        controls::is_over,
        controls::document,
        controls::expires_at,
        diesel::dsl::sql("NULL"),
        controls::copy_until,
    )
}

both! {
    pub(super) async fn put_contract(c: &mut Connection, record: &ContractRecord) -> Result<ContractKept, StoreError> {
        let there = || contracts::table.filter(contracts::id.eq(&record.id));
        let Some(old) = contract(c, &record.id).await? else {
            diesel::insert_into(contracts::table).values(record).execute(c).await?;
            return Ok(ContractKept::New);
        };
        if old.is_configured != 0 && record.is_configured == 0 {
            return Ok(ContractKept::Configured);
        }
        if old.document == record.document && old.is_configured == record.is_configured {
            return Ok(ContractKept::Unchanged);
        }
        diesel::update(there())
            .set((
                contracts::grantor_key.eq(&record.grantor_key),
                contracts::document.eq(&record.document),
                contracts::updated_at.eq(record.updated_at),
                contracts::is_configured.eq(record.is_configured),
                contracts::secret.eq(&record.secret),
            ))
            .execute(c)
            .await?;
        telling::forget_under(c, &record.id).await?;
        Ok(ContractKept::Replaced)
    }

    pub(super) async fn keep_configured(c: &mut Connection, ids: &[String]) -> Result<Vec<String>, StoreError> {
        let all: Vec<String> =
            contracts::table.filter(contracts::is_configured.eq(1)).select(contracts::id).load(c).await?;
        let gone: Vec<String> = all.into_iter().filter(|id| !ids.contains(id)).collect();
        for id in &gone {
            diesel::delete(contracts::table.filter(contracts::id.eq(id))).execute(c).await?;
            telling::forget_under(c, id).await?;
        }
        Ok(gone)
    }

    pub(super) async fn contract(c: &mut Connection, id: &str) -> Result<Option<ContractRecord>, StoreError> {
        let one = contracts::table.filter(contracts::id.eq(id));
        Ok(one.select(ContractRecord::as_select()).first(c).await.optional()?)
    }

    pub(super) async fn delete_contract(c: &mut Connection, id: &str) -> Result<bool, StoreError> {
        let own = contracts::table.filter(contracts::id.eq(id)).filter(contracts::is_configured.eq(0));
        let is_deleted = diesel::delete(own).execute(c).await? == 1;
        if is_deleted {
            telling::forget_under(c, id).await?;
        }
        Ok(is_deleted)
    }

    pub(super) async fn contracts_after(
        c: &mut Connection,
        after: &str,
        rows: &i64,
    ) -> Result<Vec<ContractRecord>, StoreError> {
        let behind = contracts::table.filter(contracts::id.gt(after)).order(contracts::id.asc()).limit(*rows);
        Ok(behind.select(ContractRecord::as_select()).load(c).await?)
    }

    pub(super) async fn contracts_of_grantors(
        c: &mut Connection,
        keys: &[String],
    ) -> Result<Vec<ContractRecord>, StoreError> {
        let of = contracts::table.filter(contracts::grantor_key.eq_any(keys)).order(contracts::id.asc());
        Ok(of.select(ContractRecord::as_select()).load(c).await?)
    }

    pub(super) async fn control(
        c: &mut Connection,
        cpo_key: &str,
        session_key: &str,
    ) -> Result<Option<ControlRecord>, StoreError> {
        let one = controls::table.filter(controls::cpo_key.eq(cpo_key)).filter(controls::session_key.eq(session_key));
        Ok(one.select(ControlRecord::as_select()).first(c).await.optional()?)
    }

    pub(super) async fn put_control(
        c: &mut Connection,
        record: &ControlRecord,
        replaces: &Option<i64>,
        owed: &[(DutyRecord, NoticeRecord)],
    ) -> Result<bool, StoreError> {
        let written = match replaces {
            None => {
                let new = diesel::insert_into(controls::table)
                    .values(record)
                    .on_conflict((controls::cpo_key, controls::session_key))
                    .do_nothing();
                new.execute(c).await?
            }
            Some(replaces) => {
                let there = controls::table
                    .filter(controls::cpo_key.eq(&record.cpo_key))
                    .filter(controls::session_key.eq(&record.session_key))
                    .filter(controls::revision.eq(*replaces));
                let new = (
                    controls::revision.eq(record.revision),
                    controls::is_steered.eq(record.is_steered),
                    controls::is_over.eq(record.is_over),
                    controls::document.eq(&record.document),
                    controls::expires_at.eq(record.expires_at),
                    controls::copy.eq(&record.copy),
                    controls::copy_until.eq(record.copy_until),
                );
                diesel::update(there).set(new).execute(c).await?
            }
        };
        if written == 1 {
            for (duty, notice) in owed {
                telling::owe(c, duty, notice).await?;
            }
        }
        Ok(written == 1)
    }

    pub(super) async fn controls_of(c: &mut Connection, key: &str) -> Result<Vec<ControlRecord>, StoreError> {
        let of = controls::table.filter(controls::session_key.eq(key)).order(controls::cpo_key.asc());
        Ok(of.select(without_copy()).load(c).await?)
    }

    pub(super) async fn controls_after(
        c: &mut Connection,
        filter: &ControlFilter,
        after: &str,
        rows: &i64,
        now: &i64,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let mut behind = controls::table
            .filter(controls::id.gt(after))
            .filter(controls::is_over.eq(0))
            .filter(controls::expires_at.gt(*now))
            .into_boxed();
        if let Some(cpo) = &filter.cpo_key {
            behind = behind.filter(controls::cpo_key.eq(cpo));
        }
        if let Some(is_steered) = filter.is_steered {
            behind = behind.filter(controls::is_steered.eq(i64::from(is_steered)));
        }
        Ok(behind.order(controls::id.asc()).limit(*rows).select(without_copy()).load(c).await?)
    }

    pub(super) async fn forget_copies(c: &mut Connection, now: &i64) -> Result<u64, StoreError> {
        let old = controls::table.filter(controls::copy.is_not_null()).filter(controls::copy_until.le(*now));
        Ok(diesel::update(old).set(controls::copy.eq(None::<String>)).execute(c).await? as u64)
    }

    /// The condition stands on the deletion too: what was written between the choice and the deletion stays.
    pub(super) async fn forget_controls(c: &mut Connection, now: &i64, limit: &i64) -> Result<u64, StoreError> {
        let expired: Vec<String> = controls::table
            .filter(controls::expires_at.le(*now))
            .order(controls::expires_at.asc())
            .limit(*limit)
            .select(controls::id)
            .load(c)
            .await?;
        let still = controls::table.filter(controls::id.eq_any(&expired)).filter(controls::expires_at.le(*now));
        diesel::delete(still).execute(c).await?;
        Ok(expired.len() as u64)
    }
}

impl From<ContractRow> for ContractRecord {
    fn from(row: ContractRow) -> ContractRecord {
        ContractRecord {
            id: row.id,
            grantor_key: row.grantor_key,
            document: row.document,
            updated_at: micros(row.updated_at),
            secret: row.secret,
            is_configured: i64::from(row.is_configured),
        }
    }
}

impl ContractRecord {
    fn read(self) -> Result<ContractRow, StoreError> {
        Ok(ContractRow {
            id: self.id,
            grantor_key: self.grantor_key,
            document: self.document,
            updated_at: instant(self.updated_at)?,
            secret: self.secret,
            is_configured: self.is_configured != 0,
        })
    }
}

impl From<ControlRow> for ControlRecord {
    fn from(row: ControlRow) -> ControlRecord {
        ControlRecord {
            cpo_key: row.cpo_key,
            session_key: row.session_key,
            id: row.id,
            revision: row.revision,
            is_steered: i64::from(row.is_steered),
            is_over: i64::from(row.is_over),
            document: row.document,
            expires_at: micros(row.expires_at),
            copy: row.copy,
            copy_until: micros(row.copy_until),
        }
    }
}

impl ControlRecord {
    fn read(self) -> Result<ControlRow, StoreError> {
        Ok(ControlRow {
            cpo_key: self.cpo_key,
            session_key: self.session_key,
            id: self.id,
            revision: self.revision,
            is_steered: self.is_steered != 0,
            is_over: self.is_over != 0,
            document: self.document,
            expires_at: instant(self.expires_at)?,
            copy: self.copy,
            copy_until: instant(self.copy_until)?,
        })
    }
}
