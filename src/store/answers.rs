//! Answers to requests that may come twice: the first answer to a key is the answer to it, for every process and after a restart.
//!
//! An answer is kept in the commit of what it is the answer to ([`super::registry`]), or alone where nothing was changed. Whose the key
//! is and when an answer is too old is the caller's business.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::schema::answers;
use super::value::{instant, micros};
use super::{Store, StoreError, ask, both, change};

/// What was answered to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRow {
    /// Who made the request: keys of different holders have nothing to do with each other.
    pub holder: String,
    /// The `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the request, hex: another request under the same key is noticed by it.
    pub digest: String,
    /// HTTP status.
    pub status: i64,
    /// `Location` header.
    pub location: Option<String>,
    /// Body, JSON.
    pub body: String,
    /// When it was answered.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// What was answered at or after `since` to this key.
    pub async fn answer_find(
        &self,
        holder: &str,
        key: &str,
        since: DateTime<Utc>,
    ) -> Result<Option<AnswerRow>, StoreError> {
        let (holder, key, since) = (holder.to_owned(), key.to_owned(), micros(since));
        ask!(self, find(holder, key, since))?
            .map(AnswerRecord::read)
            .transpose()
    }

    /// Keeps an answer, unless one was kept at or after `since`: then that one is returned and stays.
    pub async fn answer_keep(&self, answer: AnswerRow, since: DateTime<Utc>) -> Result<Option<AnswerRow>, StoreError> {
        let (answer, since) = (AnswerRecord::from(answer), micros(since));
        change!(self, keep(answer, since))?.map(AnswerRecord::read).transpose()
    }

    /// Forgets answers from before `since`, and returns how many.
    pub async fn answers_forget(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        let since = micros(since);
        change!(self, forget(since))
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = answers, treat_none_as_default_value = false)]
pub(super) struct AnswerRecord {
    holder: String,
    key: String,
    digest: String,
    status: i64,
    location: Option<String>,
    body: String,
    created_at: i64,
}

both! {
    pub(super) async fn find(c: &mut Connection, holder: &str, key: &str, since: &i64) -> Result<Option<AnswerRecord>, StoreError> {
        let query = answers::table
            .filter(answers::holder.eq(holder))
            .filter(answers::key.eq(key))
            .filter(answers::created_at.ge(*since));
        Ok(query.select(AnswerRecord::as_select()).first(c).await.optional()?)
    }

    pub(in crate::store) async fn keep(
        c: &mut Connection,
        answer: &AnswerRecord,
        since: &i64,
    ) -> Result<Option<AnswerRecord>, StoreError> {
        let same = answers::table.filter(answers::holder.eq(&answer.holder)).filter(answers::key.eq(&answer.key));
        diesel::delete(same.filter(answers::created_at.lt(*since))).execute(c).await?;
        // Waits for whoever is about to keep one for this key, and then sees it.
        let kept = diesel::insert_into(answers::table).values(answer).on_conflict_do_nothing().execute(c).await?;
        if kept == 1 {
            return Ok(None);
        }
        find(c, &answer.holder, &answer.key, since).await
    }

    pub(super) async fn forget(c: &mut Connection, since: &i64) -> Result<u64, StoreError> {
        Ok(diesel::delete(answers::table.filter(answers::created_at.lt(*since))).execute(c).await? as u64)
    }
}

impl From<AnswerRow> for AnswerRecord {
    fn from(answer: AnswerRow) -> AnswerRecord {
        AnswerRecord {
            holder: answer.holder,
            key: answer.key,
            digest: answer.digest,
            status: answer.status,
            location: answer.location,
            body: answer.body,
            created_at: micros(answer.created_at),
        }
    }
}

impl AnswerRecord {
    pub(super) fn read(self) -> Result<AnswerRow, StoreError> {
        Ok(AnswerRow {
            holder: self.holder,
            key: self.key,
            digest: self.digest,
            status: self.status,
            location: self.location,
            body: self.body,
            created_at: instant(self.created_at)?,
        })
    }
}
