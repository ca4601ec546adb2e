//! In which state a platform was last seen, and since when.
//!
//! `platforms` says what was agreed (PLANNED, CONNECTED, SUSPENDED); here stands what was observed, so that a restart begins with what was
//! known and several processes agree. A transition is one conditional update: of any number of processes that notice it, one wins.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::schema::{platforms, presence, presence_checks, revisions};
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

/// Who looks after a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// You do, and say what you found.
    ByYou,
    /// Somebody else does, and found out this much last time: whether it was alive, and when.
    ByOthers(Option<(DateTime<Utc>, bool)>),
}

impl Store {
    /// Asks for the alive check of a platform. Of any number of processes one gets it until `until`, at `now`.
    pub async fn presence_check(
        &self,
        platform_id: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Checked, StoreError> {
        let (platform_id, now, until) = (platform_id.to_owned(), micros(now), micros(until));
        match change!(self, check(platform_id, now, until))? {
            None => Ok(Checked::ByYou),
            Some((None, _)) => Ok(Checked::ByOthers(None)),
            Some((Some(ended_at), alive)) => Ok(Checked::ByOthers(Some((instant(ended_at)?, alive != 0)))),
        }
    }

    /// Says what an alive check found, for those who did not make it.
    pub async fn presence_checked(
        &self,
        platform_id: &str,
        at: DateTime<Utc>,
        is_alive: bool,
    ) -> Result<(), StoreError> {
        let (platform_id, at, alive) = (platform_id.to_owned(), micros(at), i64::from(is_alive));
        change!(self, checked(platform_id, at, alive))
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
        diesel::delete(presence_checks::table.filter(presence_checks::platform_id.eq(platform_id))).execute(c).await?;
        Ok(())
    }

    pub(super) async fn check(
        c: &mut Connection,
        platform_id: &str,
        now: &i64,
        until: &i64,
    ) -> Result<Option<(Option<i64>, i64)>, StoreError> {
        let row = presence_checks::table.filter(presence_checks::platform_id.eq(platform_id));
        let mine = diesel::update(row.filter(presence_checks::until.le(*now)))
            .set(presence_checks::until.eq(*until))
            .execute(c)
            .await?;
        if mine == 1 {
            return Ok(None);
        }
        let first = (
            presence_checks::platform_id.eq(platform_id),
            presence_checks::until.eq(*until),
            presence_checks::alive.eq(0),
        );
        let mine = diesel::insert_into(presence_checks::table).values(first).on_conflict_do_nothing().execute(c).await?;
        if mine == 1 {
            return Ok(None);
        }
        let theirs = row.select((presence_checks::ended_at, presence_checks::alive)).first(c).await?;
        Ok(Some(theirs))
    }

    pub(super) async fn checked(c: &mut Connection, platform_id: &str, at: &i64, alive: &i64) -> Result<(), StoreError> {
        let row = presence_checks::table.filter(presence_checks::platform_id.eq(platform_id));
        let found = (presence_checks::ended_at.eq(*at), presence_checks::alive.eq(*alive));
        diesel::update(row).set(found).execute(c).await?;
        Ok(())
    }
}
