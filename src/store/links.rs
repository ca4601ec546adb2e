//! URLs lent out in place of other people's: for whom, in place of which, until when.
//!
//! An id is only ever found before its end: what has expired is not there, also before anybody has cleared it away (N-07).

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};

use super::schema::lent;
use super::value::{instant, micros};
use super::{Store, StoreError, ask, both, change};

/// One lent URL.
#[derive(Clone, PartialEq, Eq)]
pub struct LentRow {
    /// The unguessable part of the hub's URL.
    pub id: String,
    /// What makes it the same as another: lent again, it is this row that lives on.
    pub digest: String,
    /// `answer` or `page`.
    pub kind: String,
    /// The module it belongs to.
    pub module: String,
    /// What was asked: `RESERVE_NOW`, `GET`, …
    pub what: String,
    /// The id of the object that was asked about, where it has one: `S-1`. Empty otherwise.
    pub object: String,
    /// The platform whose request it belongs to.
    pub requester_platform: String,
    /// The party that asked, as registered.
    pub requester_country_code: String,
    /// The party that asked, as registered.
    pub requester_party_id: String,
    /// The platform that was asked.
    pub receiver_platform: String,
    /// The party that was asked, as registered.
    pub receiver_country_code: String,
    /// The party that was asked, as registered.
    pub receiver_party_id: String,
    /// The eMSP in whose name the requester asks, as registered: `DE/ABC`; to the receiver it is the requester.
    pub acts_for: Option<String>,
    /// The URL it stands for, exactly as given.
    pub url: String,
    /// When it was first lent.
    pub created_at: DateTime<Utc>,
    /// From when on it is not there any more.
    pub expires_at: DateTime<Utc>,
}

// By hand: the id opens the URL, and the URL may hold a secret in its query.
impl std::fmt::Debug for LentRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "LentRow({} {} {}, {} to {}, until {})",
            self.kind, self.module, self.what, self.requester_platform, self.receiver_platform, self.expires_at
        )
    }
}

impl Store {
    /// Writes down a lent URL, or, where one with its `digest` is there already, lets that one live until the new end. Returns the id
    /// to hand out.
    pub async fn lent_add(&self, row: LentRow) -> Result<String, StoreError> {
        let record = LentRecord::from(row);
        change!(self, add(record))
    }

    /// The lent URL with this id, unless it has expired.
    pub async fn lent_find(&self, id: &str, now: DateTime<Utc>) -> Result<Option<LentRow>, StoreError> {
        let (id, now) = (id.to_owned(), micros(now));
        ask!(self, find(id, now))?.map(LentRecord::read).transpose()
    }

    /// Lets one end no later than this. `false` when it ends earlier anyway, or is not there.
    pub async fn lent_shorten(&self, id: &str, expires_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let (id, expires_at) = (id.to_owned(), micros(expires_at));
        change!(self, shorten(id, expires_at))
    }

    /// Lets one end no earlier than this. `false` when it ends later anyway, or is not there.
    pub async fn lent_extend(&self, id: &str, expires_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let (id, expires_at) = (id.to_owned(), micros(expires_at));
        change!(self, extend(id, expires_at))
    }

    /// Deletes up to `limit` of those that have expired, and returns how many: fewer than `limit` means all.
    pub async fn lent_forget_expired(&self, now: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        let (now, limit) = (micros(now), i64::from(limit));
        change!(self, forget(now, limit))
    }
}

/// A lent URL as the table has it.
#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = lent)]
pub(in crate::store) struct LentRecord {
    id: String,
    digest: String,
    kind: String,
    module: String,
    what: String,
    requester_platform: String,
    requester_country_code: String,
    requester_party_id: String,
    receiver_platform: String,
    receiver_country_code: String,
    receiver_party_id: String,
    url: String,
    created_at: i64,
    expires_at: i64,
    object: String,
    acts_for: Option<String>,
}

both! {
    pub(super) async fn add(c: &mut Connection, record: &LentRecord) -> Result<String, StoreError> {
        diesel::insert_into(lent::table)
            .values(record)
            .on_conflict(lent::digest)
            .do_update()
            .set(lent::expires_at.eq(record.expires_at))
            .execute(c)
            .await?;
        Ok(lent::table.filter(lent::digest.eq(&record.digest)).select(lent::id).first(c).await?)
    }

    pub(super) async fn find(c: &mut Connection, id: &str, now: &i64) -> Result<Option<LentRecord>, StoreError> {
        Ok(lent::table
            .filter(lent::id.eq(id))
            .filter(lent::expires_at.gt(*now))
            .select(LentRecord::as_select())
            .first(c)
            .await
            .optional()?)
    }

    pub(super) async fn shorten(c: &mut Connection, id: &str, expires_at: &i64) -> Result<bool, StoreError> {
        let longer = lent::table.filter(lent::id.eq(id)).filter(lent::expires_at.gt(*expires_at));
        Ok(diesel::update(longer).set(lent::expires_at.eq(*expires_at)).execute(c).await? == 1)
    }

    pub(super) async fn extend(c: &mut Connection, id: &str, expires_at: &i64) -> Result<bool, StoreError> {
        let shorter = lent::table.filter(lent::id.eq(id)).filter(lent::expires_at.lt(*expires_at));
        Ok(diesel::update(shorter).set(lent::expires_at.eq(*expires_at)).execute(c).await? == 1)
    }

    /// The condition stands on the deletion too: a page lent again between the choice and the deletion stays.
    pub(super) async fn forget(c: &mut Connection, now: &i64, limit: &i64) -> Result<u64, StoreError> {
        let expired: Vec<String> = lent::table
            .filter(lent::expires_at.le(*now))
            .order(lent::expires_at.asc())
            .limit(*limit)
            .select(lent::id)
            .load(c)
            .await?;
        let still = lent::table.filter(lent::id.eq_any(&expired)).filter(lent::expires_at.le(*now));
        diesel::delete(still).execute(c).await?;
        Ok(expired.len() as u64)
    }
}

impl From<LentRow> for LentRecord {
    fn from(row: LentRow) -> LentRecord {
        LentRecord {
            id: row.id,
            digest: row.digest,
            kind: row.kind,
            module: row.module,
            what: row.what,
            requester_platform: row.requester_platform,
            requester_country_code: row.requester_country_code,
            requester_party_id: row.requester_party_id,
            receiver_platform: row.receiver_platform,
            receiver_country_code: row.receiver_country_code,
            receiver_party_id: row.receiver_party_id,
            url: row.url,
            created_at: micros(row.created_at),
            expires_at: micros(row.expires_at),
            object: row.object,
            acts_for: row.acts_for,
        }
    }
}

impl LentRecord {
    fn read(self) -> Result<LentRow, StoreError> {
        Ok(LentRow {
            id: self.id,
            digest: self.digest,
            kind: self.kind,
            module: self.module,
            what: self.what,
            requester_platform: self.requester_platform,
            requester_country_code: self.requester_country_code,
            requester_party_id: self.requester_party_id,
            receiver_platform: self.receiver_platform,
            receiver_country_code: self.receiver_country_code,
            receiver_party_id: self.receiver_party_id,
            url: self.url,
            created_at: instant(self.created_at)?,
            expires_at: instant(self.expires_at)?,
            object: self.object,
            acts_for: self.acts_for,
        })
    }
}
