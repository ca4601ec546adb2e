//! The audit trail's memory: lines that are only added to, and the signed word about the newest of them.
//!
//! The room `audit` composes both; here they are committed together, and only if the log is as long as the composer believed.

use diesel::{Insertable, Queryable, Selectable};

use super::schema::{audit_checkpoints, audit_log};
use super::{Store, StoreError, ask, both, change};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Its place, from 1.
    pub seq: u64,
    /// The entry, canonical JSON.
    pub entry: String,
    /// SHA-256 of the entry in hex.
    pub hash: String,
}

impl Store {
    /// Adds a line, and the word about the log that ends with it. `None` leaves the word that is there.
    ///
    /// A word is put in the place of the one before; where there should be one and is none, somebody took it, and none is put there.
    ///
    /// # Errors
    /// `Conflict` when there is a line at that place: another process was quicker.
    pub async fn audit_append(&self, line: AuditLine, checkpoint: Option<String>) -> Result<(), StoreError> {
        let line = LineRecord {
            seq: i64::try_from(line.seq).unwrap_or(i64::MAX),
            entry: line.entry,
            hash: line.hash,
        };
        change!(self, append(line, checkpoint))
    }

    /// Up to `limit` lines behind a place of the log, in its order.
    pub async fn audit_lines(&self, after: u64, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let (after, limit) = (i64::try_from(after).unwrap_or(i64::MAX), i64::from(limit));
        Ok(ask!(self, lines(after, limit))?
            .into_iter()
            .map(LineRecord::read)
            .collect())
    }

    /// The newest line.
    pub async fn audit_newest(&self) -> Result<Option<AuditLine>, StoreError> {
        Ok(ask!(self, newest())?.map(LineRecord::read))
    }

    /// The word about the newest line.
    pub async fn audit_checkpoint(&self) -> Result<Option<String>, StoreError> {
        ask!(self, checkpoint())
    }
}

const NEWEST: &str = "newest";

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
struct LineRecord {
    seq: i64,
    entry: String,
    hash: String,
}

impl LineRecord {
    fn read(self) -> AuditLine {
        AuditLine {
            seq: u64::try_from(self.seq).unwrap_or(0),
            entry: self.entry,
            hash: self.hash,
        }
    }
}

both! {
    pub(super) async fn append(c: &mut Connection, line: &LineRecord, checkpoint: &Option<String>) -> Result<(), StoreError> {
        diesel::insert_into(audit_log::table).values(line).execute(c).await?;
        let Some(document) = checkpoint else {
            return Ok(());
        };
        if line.seq == 1 {
            let first = (audit_checkpoints::name.eq(NEWEST), audit_checkpoints::document.eq(document));
            diesel::insert_into(audit_checkpoints::table).values(first).on_conflict_do_nothing().execute(c).await?;
        } else {
            diesel::update(audit_checkpoints::table.filter(audit_checkpoints::name.eq(NEWEST)))
                .set(audit_checkpoints::document.eq(document))
                .execute(c)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn lines(c: &mut Connection, after: &i64, limit: &i64) -> Result<Vec<LineRecord>, StoreError> {
        let query = audit_log::table.filter(audit_log::seq.gt(*after)).order(audit_log::seq.asc()).limit(*limit);
        Ok(query.select(LineRecord::as_select()).load(c).await?)
    }

    pub(super) async fn newest(c: &mut Connection) -> Result<Option<LineRecord>, StoreError> {
        let query = audit_log::table.order(audit_log::seq.desc()).limit(1);
        Ok(query.select(LineRecord::as_select()).first(c).await.optional()?)
    }

    pub(super) async fn checkpoint(c: &mut Connection) -> Result<Option<String>, StoreError> {
        let query = audit_checkpoints::table.filter(audit_checkpoints::name.eq(NEWEST));
        Ok(query.select(audit_checkpoints::document).first(c).await.optional()?)
    }
}
