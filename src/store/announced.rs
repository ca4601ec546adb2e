//! Which list of endpoints a platform was told, and whose turn it is to tell it the present one (V-10).

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::schema::announced;
use super::value::{instant, micros};
use super::{Store, StoreError, ask, both, change};

/// What a platform was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncedRow {
    /// Which platform.
    pub platform_id: String,
    /// Of the list it was told with its last handshake.
    pub digest: String,
    /// How often telling it a newer one has failed since.
    pub failures: i64,
    /// Not to be tried before then.
    pub not_before: DateTime<Utc>,
}

impl Store {
    /// What every platform was told. One that is missing registered before this was kept.
    pub async fn announced(&self) -> Result<Vec<AnnouncedRow>, StoreError> {
        ask!(self, all())?.into_iter().map(AnnouncedRecord::read).collect()
    }

    /// Takes the turn to tell a platform: counts an attempt and keeps others off until `not_before`. `false` when somebody else has it.
    pub async fn announced_attempt(
        &self,
        platform_id: &str,
        now: DateTime<Utc>,
        not_before: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (platform_id, now, not_before) = (platform_id.to_owned(), micros(now), micros(not_before));
        change!(self, attempt(platform_id, now, not_before))
    }
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = announced)]
pub(super) struct AnnouncedRecord {
    platform_id: String,
    digest: String,
    failures: i64,
    not_before: i64,
}

impl AnnouncedRecord {
    fn read(self) -> Result<AnnouncedRow, StoreError> {
        Ok(AnnouncedRow {
            platform_id: self.platform_id,
            digest: self.digest,
            failures: self.failures,
            not_before: instant(self.not_before)?,
        })
    }
}

both! {
    pub(super) async fn all(c: &mut Connection) -> Result<Vec<AnnouncedRecord>, StoreError> {
        Ok(announced::table.select(AnnouncedRecord::as_select()).load(c).await?)
    }

    pub(super) async fn attempt(
        c: &mut Connection,
        platform_id: &str,
        now: &i64,
        not_before: &i64,
    ) -> Result<bool, StoreError> {
        let unknown = AnnouncedRecord { platform_id: platform_id.to_owned(), digest: String::new(), failures: 0, not_before: 0 };
        diesel::insert_into(announced::table).values(&unknown).on_conflict_do_nothing().execute(c).await?;
        let mine = announced::table.filter(announced::platform_id.eq(platform_id)).filter(announced::not_before.le(*now));
        let taken = (announced::failures.eq(announced::failures + 1), announced::not_before.eq(*not_before));
        Ok(diesel::update(mine).set(taken).execute(c).await? == 1)
    }

    /// A handshake told it this list.
    pub(in crate::store) async fn told(
        c: &mut Connection,
        platform_id: &str,
        digest: &str,
        not_before: &i64,
    ) -> Result<(), StoreError> {
        forget(c, platform_id).await?;
        let row = AnnouncedRecord {
            platform_id: platform_id.to_owned(),
            digest: digest.to_owned(),
            failures: 0,
            not_before: *not_before,
        };
        diesel::insert_into(announced::table).values(&row).execute(c).await?;
        Ok(())
    }

    pub(in crate::store) async fn forget(c: &mut Connection, platform_id: &str) -> Result<(), StoreError> {
        diesel::delete(announced::table.filter(announced::platform_id.eq(platform_id))).execute(c).await?;
        Ok(())
    }
}
