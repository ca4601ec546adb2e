//! How far the hub has read what data owners offer, and who is reading now.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::schema::pulls;
use super::value::{instant, later, micros};
use super::{Store, StoreError, ask, both, change};

/// What is read: one party's objects of one module, from one platform.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PullKey {
    /// The platform asked.
    pub platform_id: String,
    /// `locations`, `tariffs`, `tokens`.
    pub module: String,
    /// The owner as `DE/ABC`, upper case.
    pub party_key: String,
}

/// How far it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRow {
    /// What.
    pub key: PullKey,
    /// The endpoint it was read at.
    pub url: String,
    /// What changed since is still unread; `None` before everything was read once.
    pub date_from: Option<DateTime<Utc>>,
    /// How many times in a row it went wrong.
    pub failures: i64,
    /// When it is read again.
    pub due_at: DateTime<Utc>,
    /// How it ended last time.
    pub last_outcome: Option<String>,
    /// When.
    pub ended_at: Option<DateTime<Utc>>,
}

/// How reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullEnd {
    /// The endpoint it was read at.
    pub url: String,
    /// From where the next reading goes on.
    pub date_from: Option<DateTime<Utc>>,
    /// How many times in a row it went wrong by now.
    pub failures: i64,
    /// When it is read again.
    pub due_at: DateTime<Utc>,
    /// In words, without what was read.
    pub outcome: String,
    /// Now.
    pub ended_at: DateTime<Utc>,
}

impl Store {
    /// Begins to read what is due, or was never read, and is nobody else's; it is then `owner`'s until `lease_until`.
    pub async fn pull_begin(
        &self,
        key: PullKey,
        owner: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Option<PullRow>, StoreError> {
        let (owner, now, until) = (owner.to_owned(), micros(now), micros(lease_until));
        change!(self, begin(key, owner, now, until))?
            .map(PullRecord::read)
            .transpose()
    }

    /// Keeps what is being read. `false` when it is not `owner`'s any more.
    pub async fn pull_renew(&self, key: PullKey, owner: &str, lease_until: DateTime<Utc>) -> Result<bool, StoreError> {
        let (owner, until) = (owner.to_owned(), micros(lease_until));
        change!(self, renew(key, owner, until))
    }

    /// Writes down how far it was read. `false` when it is not `owner`'s any more; then nothing is written.
    pub async fn pull_end(&self, key: PullKey, owner: &str, end: PullEnd) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        change!(self, end(key, owner, end))
    }

    /// Everything of a platform is to be read again at `at`, unless it is due before.
    pub async fn pulls_due(&self, platform_id: &str, at: DateTime<Utc>) -> Result<u64, StoreError> {
        let (platform_id, at) = (platform_id.to_owned(), micros(at));
        change!(self, due(platform_id, at))
    }

    /// How far one thing was read.
    pub async fn pull_get(&self, key: PullKey) -> Result<Option<PullRow>, StoreError> {
        ask!(self, get(key))?.map(PullRecord::read).transpose()
    }
}

macro_rules! the_one {
    ($key:expr) => {
        pulls::table
            .filter(pulls::platform_id.eq(&$key.platform_id))
            .filter(pulls::module.eq(&$key.module))
            .filter(pulls::party_key.eq(&$key.party_key))
    };
}

both! {
    pub(super) async fn begin(
        c: &mut Connection,
        key: &PullKey,
        owner: &str,
        now: &i64,
        until: &i64,
    ) -> Result<Option<PullRecord>, StoreError> {
        let fresh = PullRecord {
            platform_id: key.platform_id.clone(),
            module: key.module.clone(),
            party_key: key.party_key.clone(),
            url: String::new(),
            date_from: None,
            failures: 0,
            due_at: *now,
            lease_owner: None,
            lease_until: 0,
            last_outcome: None,
            ended_at: None,
        };
        diesel::insert_into(pulls::table).values(&fresh).on_conflict_do_nothing().execute(c).await?;
        let idle = the_one!(key).filter(pulls::due_at.le(*now)).filter(pulls::lease_until.le(*now));
        let ours = (pulls::lease_owner.eq(Some(owner)), pulls::lease_until.eq(*until));
        if diesel::update(idle).set(ours).execute(c).await? == 0 {
            return Ok(None);
        }
        get(c, key).await
    }

    pub(super) async fn renew(c: &mut Connection, key: &PullKey, owner: &str, until: &i64) -> Result<bool, StoreError> {
        let own = the_one!(key).filter(pulls::lease_owner.eq(owner));
        Ok(diesel::update(own).set(pulls::lease_until.eq(*until)).execute(c).await? == 1)
    }

    pub(super) async fn end(c: &mut Connection, key: &PullKey, owner: &str, end: &PullEnd) -> Result<bool, StoreError> {
        let own = the_one!(key).filter(pulls::lease_owner.eq(owner));
        let ended = (
            pulls::url.eq(&end.url),
            pulls::date_from.eq(end.date_from.map(micros)),
            pulls::failures.eq(end.failures),
            pulls::due_at.eq(micros(end.due_at)),
            pulls::lease_owner.eq(None::<String>),
            pulls::lease_until.eq(0),
            pulls::last_outcome.eq(Some(&end.outcome)),
            pulls::ended_at.eq(Some(micros(end.ended_at))),
        );
        Ok(diesel::update(own).set(ended).execute(c).await? == 1)
    }

    pub(super) async fn due(c: &mut Connection, platform_id: &str, at: &i64) -> Result<u64, StoreError> {
        let later = pulls::table.filter(pulls::platform_id.eq(platform_id)).filter(pulls::due_at.gt(*at));
        Ok(diesel::update(later).set(pulls::due_at.eq(*at)).execute(c).await? as u64)
    }

    pub(super) async fn get(c: &mut Connection, key: &PullKey) -> Result<Option<PullRecord>, StoreError> {
        Ok(the_one!(key).select(PullRecord::as_select()).first(c).await.optional()?)
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = pulls, treat_none_as_default_value = false)]
pub(in crate::store) struct PullRecord {
    platform_id: String,
    module: String,
    party_key: String,
    url: String,
    date_from: Option<i64>,
    failures: i64,
    due_at: i64,
    lease_owner: Option<String>,
    lease_until: i64,
    last_outcome: Option<String>,
    ended_at: Option<i64>,
}

impl PullRecord {
    fn read(self) -> Result<PullRow, StoreError> {
        Ok(PullRow {
            key: PullKey {
                platform_id: self.platform_id,
                module: self.module,
                party_key: self.party_key,
            },
            url: self.url,
            date_from: later(self.date_from)?,
            failures: self.failures,
            due_at: instant(self.due_at)?,
            last_outcome: self.last_outcome,
            ended_at: later(self.ended_at)?,
        })
    }
}
