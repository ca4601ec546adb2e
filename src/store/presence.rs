//! In which state a platform was last seen, and since when.
//!
//! `platforms` says what was agreed (PLANNED, CONNECTED, SUSPENDED); here stands what was observed, so that a restart begins with what was
//! known and several processes agree. A transition is one conditional update: of any number of processes that notice it, one wins.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::schema::{platforms, presence, revisions};
use super::value::{instant, micros};
use super::{Store, StoreError, both, change};

/// The state a platform is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceRow {
    /// Which platform.
    pub platform_id: String,
    /// `PLANNED`, `CONNECTED`, `OFFLINE` or `SUSPENDED`.
    pub status: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Store {
    /// Moves a registered platform between `CONNECTED` and `OFFLINE`. `true` for the one who moved it: the directory then has a new revision.
    /// `false` when it is in that state already, or not registered (HCI-17).
    pub async fn presence_move(
        &self,
        platform_id: &str,
        status: &str,
        since: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let seen = PresenceRecord {
            platform_id: platform_id.to_owned(),
            status: status.to_owned(),
            since: micros(since),
        };
        change!(self, observe(seen))
    }
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = presence)]
pub(super) struct PresenceRecord {
    platform_id: String,
    status: String,
    since: i64,
}

impl PresenceRecord {
    pub(super) fn read(self) -> Result<PresenceRow, StoreError> {
        Ok(PresenceRow {
            platform_id: self.platform_id,
            status: self.status,
            since: instant(self.since)?,
        })
    }
}

both! {
    pub(super) async fn observe(c: &mut Connection, seen: &PresenceRecord) -> Result<bool, StoreError> {
        // The row all changes of the directory queue up behind; it moves only if something did.
        let directory = revisions::table.filter(revisions::name.eq("directory"));
        diesel::update(directory).set(revisions::value.eq(revisions::value + 0)).execute(c).await?;
        let agreed: Option<String> = platforms::table
            .filter(platforms::id.eq(&seen.platform_id))
            .select(platforms::status)
            .first(c)
            .await
            .optional()?;
        if agreed.as_deref() != Some("CONNECTED") || !note(c, &seen.platform_id, &seen.status, &seen.since).await? {
            return Ok(false);
        }
        diesel::update(directory).set(revisions::value.eq(revisions::value + 1)).execute(c).await?;
        Ok(true)
    }

    /// Writes down a state, unless it is the one already there. The caller holds the directory's row.
    pub(in crate::store) async fn note(
        c: &mut Connection,
        platform_id: &str,
        status: &str,
        since: &i64,
    ) -> Result<bool, StoreError> {
        let row = presence::table.filter(presence::platform_id.eq(platform_id));
        let before: Option<String> = row.select(presence::status).first(c).await.optional()?;
        match before {
            Some(before) if before == status => return Ok(false),
            Some(_) => {
                diesel::update(row).set((presence::status.eq(status), presence::since.eq(*since))).execute(c).await?;
            }
            None => {
                let seen = PresenceRecord { platform_id: platform_id.to_owned(), status: status.to_owned(), since: *since };
                diesel::insert_into(presence::table).values(&seen).execute(c).await?;
                // Nobody has looked yet: what is agreed was true until now.
                return Ok(status != "CONNECTED");
            }
        }
        Ok(true)
    }

    pub(in crate::store) async fn forget(c: &mut Connection, platform_id: &str) -> Result<(), StoreError> {
        diesel::delete(presence::table.filter(presence::platform_id.eq(platform_id))).execute(c).await?;
        Ok(())
    }
}
