//! The operator's agreements: one document, part of the directory and moving its revision, so that every process follows.

use chrono::{DateTime, Utc};

use super::journal::{JournalEntry, JournalRecord};
use super::schema::{agreements, journal, revisions};
use super::value::micros;
use super::{Store, StoreError, both, change};

impl Store {
    /// Replaces the agreements by this document (JSON) and writes who did so into the journal, in one commit.
    pub async fn agreements_put(
        &self,
        document: String,
        journal: JournalEntry,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (line, now) = (JournalRecord::from(journal), micros(now));
        change!(self, put(document, line, now))
    }
}

/// There is one document; the name leaves room for drafts.
pub(super) const IN_FORCE: &str = "in force";

both! {
    pub(super) async fn put(
        c: &mut Connection,
        document: &str,
        line: &JournalRecord,
        now: &i64,
    ) -> Result<(), StoreError> {
        let directory = revisions::table.filter(revisions::name.eq("directory"));
        diesel::update(directory).set(revisions::value.eq(revisions::value + 1)).execute(c).await?;
        diesel::delete(agreements::table.filter(agreements::name.eq(IN_FORCE))).execute(c).await?;
        diesel::insert_into(agreements::table)
            .values((agreements::name.eq(IN_FORCE), agreements::document.eq(document), agreements::updated_at.eq(*now)))
            .execute(c)
            .await?;
        diesel::insert_into(journal::table).values(line).execute(c).await?;
        Ok(())
    }
}
