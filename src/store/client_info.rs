//! ClientInfo: what the hub knows of every party and role, and what each platform is told of it.
//!
//! A record is never deleted and keeps its place (HCI-03). What one platform sees is a row of its own, because agreements make it differ
//! from platform to platform. A change is committed together with the duties to tell it, on condition that nobody else has compared the
//! directory meanwhile: of any number of processes one commits the comparison of a revision.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::outbox::{DutyRecord, NewDuty};
use super::schema::{client_info, client_readers, client_views, outbox, revisions};
use super::value::{count, instant, later, micros};
use super::{Store, StoreError, ask, both, change};

/// A party in one role, as the hub knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfoRow {
    /// Client-made id (UUIDv7): the order of creation.
    pub id: String,
    /// Country code as written by the party.
    pub country_code: String,
    /// Party id as written by the party; compared without case.
    pub party_id: String,
    /// `CPO`, `EMSP`, …
    pub role: String,
    /// `PLANNED`, `CONNECTED`, `OFFLINE` or `SUSPENDED`.
    pub status: String,
    /// When the status last changed.
    pub last_updated: DateTime<Utc>,
}

/// What one platform is told of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientViewRow {
    /// The platform that is told.
    pub platform_id: String,
    /// Id of the record.
    pub client_info: String,
    /// The status it is told.
    pub status: String,
    /// When that status last changed for this platform.
    pub last_updated: DateTime<Utc>,
    /// Moves with every change; what a duty is about.
    pub revision: i64,
}

/// Everything there is, as of one comparison.
#[derive(Clone, Debug, Default)]
pub struct ClientInfoState {
    /// The revision of the directory it was compared with; -1 before the first.
    pub compared: i64,
    /// All records, in the order of creation.
    pub records: Vec<ClientInfoRow>,
    /// What everybody is told.
    pub views: Vec<ClientViewRow>,
    /// The platforms that were given the list.
    pub readers: Vec<String>,
}

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct ClientInfoChange {
    /// The revision it started from; another one means that somebody else was faster.
    pub expected: i64,
    /// The revision of the directory it compared with.
    pub compared: i64,
    /// Records that are new or have changed.
    pub records: Vec<ClientInfoRow>,
    /// Views that are new or have changed.
    pub views: Vec<ClientViewRow>,
    /// Platforms that are given the list from now on.
    pub readers: Vec<String>,
    /// What is to be told. A duty about the same record for the same platform is replaced.
    pub duties: Vec<NewDuty>,
    /// Platforms that may not be told anything any more: their duties are dropped.
    pub untold: Vec<String>,
    /// Platforms that are no more: what they were told is forgotten too.
    pub gone: Vec<String>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// A record as one platform sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Country code.
    pub country_code: String,
    /// Party id.
    pub party_id: String,
    /// Role.
    pub role: String,
    /// Status.
    pub status: String,
    /// When that status last changed.
    pub last_updated: DateTime<Utc>,
}

/// What a duty to tell is about, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfoDuty {
    /// What to tell.
    pub shown: Shown,
    /// Its revision: what is settled.
    pub revision: i64,
    /// Another role of the same party is to be told to the same platform first, CPO before all others (D-21): when that is due.
    pub waits_for: Option<DateTime<Utc>>,
}

impl Store {
    /// The revision of the directory that was last compared with. Cheap to ask.
    pub async fn client_info_compared(&self) -> Result<i64, StoreError> {
        ask!(self, compared())
    }

    /// Everything, all of one comparison.
    pub async fn client_info_state(&self) -> Result<ClientInfoState, StoreError> {
        for _ in 0..10 {
            if let Some(records) = ask!(self, load())? {
                return records.read();
            }
        }
        Err(StoreError::Busy)
    }

    /// All records, in the order of creation.
    pub async fn client_info_records(&self) -> Result<Vec<ClientInfoRow>, StoreError> {
        ask!(self, records())?.into_iter().map(InfoRecord::read).collect()
    }

    /// Commits a comparison, or nothing of it: `false` when somebody else committed one since.
    pub async fn client_info_commit(&self, change: ClientInfoChange) -> Result<bool, StoreError> {
        change!(self, commit(change))
    }

    /// How many records a platform sees whose `last_updated` is within the dates (from inclusive, to exclusive; P-02).
    pub async fn client_info_count(
        &self,
        platform_id: &str,
        date_from: Option<DateTime<Utc>>,
        date_to: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        let asked = Asked::new(platform_id, date_from, date_to, 0, 0);
        Ok(count(ask!(self, number(asked))?))
    }

    /// A page of what a platform sees, in the order of creation.
    pub async fn client_info_page(
        &self,
        platform_id: &str,
        date_from: Option<DateTime<Utc>>,
        date_to: Option<DateTime<Utc>>,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<Shown>, StoreError> {
        let asked = Asked::new(platform_id, date_from, date_to, offset, limit);
        ask!(self, page(asked))?.into_iter().map(ShownRecord::read).collect()
    }

    /// What a duty is about. `None` when it is owed no more.
    pub async fn client_info_duty(&self, duty_id: &str) -> Result<Option<ClientInfoDuty>, StoreError> {
        let duty_id = duty_id.to_owned();
        let Some((record, revision, waits_for)) = ask!(self, duty(duty_id))? else {
            return Ok(None);
        };
        Ok(Some(ClientInfoDuty {
            shown: record.read()?,
            revision,
            waits_for: later(waits_for)?,
        }))
    }
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = client_info)]
struct InfoRecord {
    id: String,
    party_key: String,
    role: String,
    country_code: String,
    party_id: String,
    status: String,
    last_updated: i64,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = client_views)]
struct ViewRecord {
    platform_id: String,
    client_info: String,
    status: String,
    last_updated: i64,
    revision: i64,
}

#[derive(Queryable)]
struct ShownRecord {
    country_code: String,
    party_id: String,
    role: String,
    status: String,
    last_updated: i64,
}

struct StateRecords {
    compared: i64,
    records: Vec<InfoRecord>,
    views: Vec<ViewRecord>,
    readers: Vec<String>,
}

struct Asked {
    platform_id: String,
    from: i64,
    to: i64,
    offset: i64,
    limit: i64,
}

/// What is to be told, its revision, and when what goes before it is due.
type Waiting = (ShownRecord, i64, Option<i64>);

/// The name of the counter, and the kind of the duties.
const CLIENT_INFO: &str = "client_info";
const KIND: &str = "clientinfo";

both! {
    pub(super) async fn compared(c: &mut Connection) -> Result<i64, StoreError> {
        Ok(revisions::table.filter(revisions::name.eq(CLIENT_INFO)).select(revisions::value).first(c).await?)
    }

    pub(super) async fn records(c: &mut Connection) -> Result<Vec<InfoRecord>, StoreError> {
        Ok(client_info::table.order(client_info::id).select(InfoRecord::as_select()).load(c).await?)
    }

    /// `None` when a comparison was committed between the first table and the last.
    pub(super) async fn load(c: &mut Connection) -> Result<Option<StateRecords>, StoreError> {
        let before = compared(c).await?;
        let state = StateRecords {
            compared: before,
            records: records(c).await?,
            views: client_views::table.select(ViewRecord::as_select()).load(c).await?,
            readers: client_readers::table.select(client_readers::platform_id).load(c).await?,
        };
        Ok((compared(c).await? == before).then_some(state))
    }

    pub(super) async fn commit(c: &mut Connection, change: &ClientInfoChange) -> Result<bool, StoreError> {
        let mine = revisions::table.filter(revisions::name.eq(CLIENT_INFO)).filter(revisions::value.eq(change.expected));
        if diesel::update(mine).set(revisions::value.eq(change.compared)).execute(c).await? == 0 {
            return Ok(false);
        }
        for row in &change.records {
            let record = InfoRecord::new(row);
            diesel::delete(client_info::table.filter(client_info::id.eq(&row.id))).execute(c).await?;
            diesel::insert_into(client_info::table).values(&record).execute(c).await?;
        }
        for platform in &change.gone {
            diesel::delete(client_views::table.filter(client_views::platform_id.eq(platform))).execute(c).await?;
            diesel::delete(client_readers::table.filter(client_readers::platform_id.eq(platform))).execute(c).await?;
        }
        for row in &change.views {
            let record = ViewRecord::new(row);
            let there = client_views::table
                .filter(client_views::platform_id.eq(&row.platform_id))
                .filter(client_views::client_info.eq(&row.client_info));
            diesel::delete(there).execute(c).await?;
            diesel::insert_into(client_views::table).values(&record).execute(c).await?;
        }
        for platform in &change.readers {
            diesel::insert_into(client_readers::table)
                .values((client_readers::platform_id.eq(platform), client_readers::since.eq(micros(change.at))))
                .execute(c)
                .await?;
        }
        for platform in change.untold.iter().chain(&change.gone) {
            let owed = outbox::table.filter(outbox::platform_id.eq(platform)).filter(outbox::kind.eq(KIND));
            diesel::delete(owed).execute(c).await?;
        }
        for duty in &change.duties {
            owe(c, duty).await?;
        }
        Ok(true)
    }

    /// A newer state takes the place of the older one. An attempt under way keeps its lease, so that the older state cannot arrive after the
    /// newer one.
    async fn owe(c: &mut Connection, duty: &NewDuty) -> Result<(), StoreError> {
        let older = outbox::table
            .filter(outbox::platform_id.eq(&duty.platform_id))
            .filter(outbox::kind.eq(&duty.kind))
            .filter(outbox::object_id.eq(&duty.object_id));
        let newer = (
            outbox::revision.eq(duty.revision),
            outbox::state.eq("owed"),
            outbox::attempts.eq(0),
            outbox::next_attempt_at.eq(micros(duty.next_attempt_at)),
            outbox::give_up_at.eq(micros(duty.give_up_at)),
            outbox::last_outcome.eq(None::<String>),
        );
        if diesel::update(older).set(newer).execute(c).await? == 0 {
            diesel::insert_into(outbox::table).values(&DutyRecord::from(duty.clone())).execute(c).await?;
        }
        Ok(())
    }

    pub(super) async fn number(c: &mut Connection, asked: &Asked) -> Result<i64, StoreError> {
        let seen = client_views::table
            .filter(client_views::platform_id.eq(&asked.platform_id))
            .filter(client_views::last_updated.ge(asked.from))
            .filter(client_views::last_updated.lt(asked.to));
        Ok(seen.count().get_result(c).await?)
    }

    pub(super) async fn page(c: &mut Connection, asked: &Asked) -> Result<Vec<ShownRecord>, StoreError> {
        let seen = client_views::table
            .inner_join(client_info::table)
            .filter(client_views::platform_id.eq(&asked.platform_id))
            .filter(client_views::last_updated.ge(asked.from))
            .filter(client_views::last_updated.lt(asked.to))
            .order(client_info::id.asc())
            .offset(asked.offset)
            .limit(asked.limit)
            .select((
                client_info::country_code,
                client_info::party_id,
                client_info::role,
                client_views::status,
                client_views::last_updated,
            ));
        Ok(seen.load(c).await?)
    }

    pub(super) async fn duty(c: &mut Connection, id: &str) -> Result<Option<Waiting>, StoreError> {
        let owed: Option<(String, String)> = outbox::table
            .filter(outbox::id.eq(id))
            .filter(outbox::kind.eq(KIND))
            .select((outbox::platform_id, outbox::object_id))
            .first(c)
            .await
            .optional()?;
        let Some((platform, object)) = owed else { return Ok(None) };
        let view: Option<ViewRecord> = client_views::table
            .filter(client_views::platform_id.eq(&platform))
            .filter(client_views::client_info.eq(&object))
            .select(ViewRecord::as_select())
            .first(c)
            .await
            .optional()?;
        let info: Option<InfoRecord> =
            client_info::table.filter(client_info::id.eq(&object)).select(InfoRecord::as_select()).first(c).await.optional()?;
        let Some((view, info)) = view.zip(info) else { return Ok(None) };
        let siblings: Vec<(String, String)> = client_info::table
            .filter(client_info::party_key.eq(&info.party_key))
            .filter(client_info::id.ne(&info.id))
            .select((client_info::id, client_info::role))
            .load(c)
            .await?;
        let earlier: Vec<String> = siblings
            .into_iter()
            .filter(|(id, role)| before(role, id, &info))
            .map(|(id, _)| id)
            .collect();
        let waits_for: Option<i64> = outbox::table
            .filter(outbox::platform_id.eq(&platform))
            .filter(outbox::kind.eq(KIND))
            .filter(outbox::object_id.eq_any(earlier))
            .select(diesel::dsl::max(outbox::next_attempt_at))
            .get_result(c)
            .await?;
        let revision = view.revision;
        let shown = ShownRecord {
            country_code: info.country_code,
            party_id: info.party_id,
            role: info.role,
            status: view.status,
            last_updated: view.last_updated,
        };
        Ok(Some((shown, revision, waits_for)))
    }
}

/// D-21: the CPO role first, the others in the order of creation.
fn before(role: &str, id: &str, info: &InfoRecord) -> bool {
    (role != "CPO", id) < (info.role != "CPO", info.id.as_str())
}

impl Asked {
    fn new(
        platform_id: &str,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        offset: u64,
        limit: u32,
    ) -> Asked {
        Asked {
            platform_id: platform_id.to_owned(),
            from: from.map_or(i64::MIN, micros),
            to: to.map_or(i64::MAX, micros),
            offset: i64::try_from(offset).unwrap_or(i64::MAX),
            limit: limit.into(),
        }
    }
}

impl InfoRecord {
    fn new(row: &ClientInfoRow) -> InfoRecord {
        InfoRecord {
            id: row.id.clone(),
            party_key: super::parties::party_key(&row.country_code, &row.party_id),
            role: row.role.clone(),
            country_code: row.country_code.clone(),
            party_id: row.party_id.clone(),
            status: row.status.clone(),
            last_updated: micros(row.last_updated),
        }
    }

    fn read(self) -> Result<ClientInfoRow, StoreError> {
        Ok(ClientInfoRow {
            id: self.id,
            country_code: self.country_code,
            party_id: self.party_id,
            role: self.role,
            status: self.status,
            last_updated: instant(self.last_updated)?,
        })
    }
}

impl ViewRecord {
    fn new(row: &ClientViewRow) -> ViewRecord {
        ViewRecord {
            platform_id: row.platform_id.clone(),
            client_info: row.client_info.clone(),
            status: row.status.clone(),
            last_updated: micros(row.last_updated),
            revision: row.revision,
        }
    }

    fn read(self) -> Result<ClientViewRow, StoreError> {
        Ok(ClientViewRow {
            platform_id: self.platform_id,
            client_info: self.client_info,
            status: self.status,
            last_updated: instant(self.last_updated)?,
            revision: self.revision,
        })
    }
}

impl ShownRecord {
    fn read(self) -> Result<Shown, StoreError> {
        Ok(Shown {
            country_code: self.country_code,
            party_id: self.party_id,
            role: self.role,
            status: self.status,
            last_updated: instant(self.last_updated)?,
        })
    }
}

impl StateRecords {
    fn read(self) -> Result<ClientInfoState, StoreError> {
        Ok(ClientInfoState {
            compared: self.compared,
            records: self
                .records
                .into_iter()
                .map(InfoRecord::read)
                .collect::<Result<_, _>>()?,
            views: self.views.into_iter().map(ViewRecord::read).collect::<Result<_, _>>()?,
            readers: self.readers,
        })
    }
}
