//! Keys and serial numbers heard of without a registration: one row for each at each EVSE, however often it was heard.
//!
//! Rows are only added and counted up; what a registration means for one is said by whoever reads it (`registry::observations`).

use chrono::{DateTime, Utc};

use diesel::upsert::excluded;
use diesel::{Insertable, Queryable, Selectable};

use super::schema::observations;
use super::value::{count, instant, micros, page};
use super::{Store, StoreError, ask, both, change};

/// What was heard, once or often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservationRow {
    /// Client-made id (UUIDv7) of the first time.
    pub id: String,
    /// The operator as `DE/ABC`, upper case.
    pub cpo_key: String,
    /// Where from: `CDR`, `OCPP` or `GET_CONFIGURATION`.
    pub source: String,
    /// `KEY`, `METER` or `GATEWAY`.
    pub kind: String,
    /// The fingerprint of a key; a serial number as written.
    pub name: String,
    /// The EVSE it is found by: the EVSE-ID in canonical spelling, else the operator's own id, else empty.
    pub evse: String,
    /// The EVSE-ID as written.
    pub evse_id: Option<String>,
    /// The operator's own id of the EVSE.
    pub evse_uid: Option<String>,
    /// The key itself: SPKI in hex.
    pub public_key: Option<String>,
    /// Its curve by its OCMF name.
    pub curve: Option<String>,
    /// The meter it was heard with last.
    pub meter_serial: Option<String>,
    /// The gateway it was heard with last.
    pub gateway_serial: Option<String>,
    /// When it was heard first.
    pub first_seen: DateTime<Utc>,
    /// When it was heard last.
    pub last_seen: DateTime<Utc>,
    /// How often.
    pub times: u64,
    /// The id of the operator's CDR it was seen in last.
    pub last_cdr: Option<String>,
}

impl Store {
    /// Notes what was heard: new rows, or more of what is there. All in one commit.
    pub async fn observe(&self, heard: Vec<ObservationRow>) -> Result<(), StoreError> {
        if heard.is_empty() {
            return Ok(());
        }
        let mut records: Vec<ObservationRecord> = heard.into_iter().map(ObservationRecord::from).collect();
        // Two processes that note the same wait for each other instead of both being refused.
        records.sort_by(|one, other| one.place().cmp(&other.place()));
        change!(self, note(records))
    }

    /// Observations, newest first, of these operators or of all, after `cursor` (an id), and where to go on.
    pub async fn observation_list(
        &self,
        cpo_keys: Option<&[String]>,
        source: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<ObservationRow>, Option<String>), StoreError> {
        let (cpo_keys, source) = (cpo_keys.map(<[String]>::to_vec), source.map(str::to_owned));
        let (before, rows) = (cursor.map(str::to_owned), i64::from(limit) + 1);
        let (records, next) = page(ask!(self, list(cpo_keys, source, before, rows))?, limit, |one| &one.id);
        let rows = records.into_iter().map(ObservationRecord::read);
        Ok((rows.collect::<Result<_, _>>()?, next))
    }

    /// One observation by what it is about.
    pub async fn observation_of(&self, like: &ObservationRow) -> Result<Option<ObservationRow>, StoreError> {
        let like = ObservationRecord::from(like.clone());
        ask!(self, same(like))?.map(ObservationRecord::read).transpose()
    }

    /// Keys that the charge point at an EVSE reported itself, last heard first.
    pub async fn keys_reported(&self, cpo_key: &str, evse: &str) -> Result<Vec<ObservationRow>, StoreError> {
        let (cpo_key, evse) = (cpo_key.to_owned(), evse.to_owned());
        let records = ask!(self, reported(cpo_key, evse))?;
        records.into_iter().map(ObservationRecord::read).collect()
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = observations, treat_none_as_default_value = false)]
struct ObservationRecord {
    id: String,
    cpo_key: String,
    source: String,
    kind: String,
    name: String,
    evse: String,
    evse_id: Option<String>,
    evse_uid: Option<String>,
    public_key: Option<String>,
    curve: Option<String>,
    meter_serial: Option<String>,
    gateway_serial: Option<String>,
    first_seen: i64,
    last_seen: i64,
    times: i64,
    last_cdr: Option<String>,
}

/// A charge point has few keys at once; of many it once had the latest are what matters.
const REPORTED: i64 = 100;

both! {
    pub(super) async fn note(c: &mut Connection, records: &[ObservationRecord]) -> Result<(), StoreError> {
        for record in records {
            diesel::insert_into(observations::table)
                .values(record)
                .on_conflict((
                    observations::cpo_key,
                    observations::evse,
                    observations::kind,
                    observations::name,
                    observations::source,
                ))
                .do_update()
                .set((
                    observations::times.eq(observations::times + excluded(observations::times)),
                    // Told in any order.
                    observations::first_seen.eq(
                        diesel::dsl::case_when(
                            excluded(observations::first_seen).lt(observations::first_seen),
                            excluded(observations::first_seen),
                        )
                        .otherwise(observations::first_seen),
                    ),
                    observations::last_seen.eq(
                        diesel::dsl::case_when(
                            excluded(observations::last_seen).gt(observations::last_seen),
                            excluded(observations::last_seen),
                        )
                        .otherwise(observations::last_seen),
                    ),
                    observations::meter_serial.eq(excluded(observations::meter_serial)),
                    observations::gateway_serial.eq(excluded(observations::gateway_serial)),
                    observations::last_cdr.eq(excluded(observations::last_cdr)),
                ))
                .execute(c)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn list(
        c: &mut Connection,
        cpo_keys: &Option<Vec<String>>,
        source: &Option<String>,
        before: &Option<String>,
        rows: &i64,
    ) -> Result<Vec<ObservationRecord>, StoreError> {
        let all = observations::table.select(ObservationRecord::as_select());
        let mut query = all.order(observations::id.desc()).limit(*rows).into_boxed();
        if let Some(cpo_keys) = cpo_keys {
            query = query.filter(observations::cpo_key.eq_any(cpo_keys));
        }
        if let Some(source) = source {
            query = query.filter(observations::source.eq(source));
        }
        if let Some(before) = before {
            query = query.filter(observations::id.lt(before));
        }
        Ok(query.load(c).await?)
    }

    pub(super) async fn same(
        c: &mut Connection,
        like: &ObservationRecord,
    ) -> Result<Option<ObservationRecord>, StoreError> {
        let query = observations::table
            .filter(observations::cpo_key.eq(&like.cpo_key))
            .filter(observations::evse.eq(&like.evse))
            .filter(observations::kind.eq(&like.kind))
            .filter(observations::name.eq(&like.name))
            .filter(observations::source.eq(&like.source));
        Ok(query.select(ObservationRecord::as_select()).first(c).await.optional()?)
    }

    pub(super) async fn reported(
        c: &mut Connection,
        cpo_key: &str,
        evse: &str,
    ) -> Result<Vec<ObservationRecord>, StoreError> {
        let query = observations::table
            .filter(observations::cpo_key.eq(cpo_key))
            .filter(observations::evse.eq(evse))
            .filter(observations::kind.eq("KEY"))
            .filter(observations::source.ne("CDR"))
            .order((observations::last_seen.desc(), observations::id.desc()))
            .limit(REPORTED);
        Ok(query.select(ObservationRecord::as_select()).load(c).await?)
    }
}

impl From<ObservationRow> for ObservationRecord {
    fn from(row: ObservationRow) -> ObservationRecord {
        ObservationRecord {
            id: row.id,
            cpo_key: row.cpo_key,
            source: row.source,
            kind: row.kind,
            name: row.name,
            evse: row.evse,
            evse_id: row.evse_id,
            evse_uid: row.evse_uid,
            public_key: row.public_key,
            curve: row.curve,
            meter_serial: row.meter_serial,
            gateway_serial: row.gateway_serial,
            first_seen: micros(row.first_seen),
            last_seen: micros(row.last_seen),
            times: i64::try_from(row.times).unwrap_or(i64::MAX),
            last_cdr: row.last_cdr,
        }
    }
}

impl ObservationRecord {
    /// What makes it another row.
    fn place(&self) -> [&str; 5] {
        [&self.cpo_key, &self.evse, &self.kind, &self.name, &self.source].map(String::as_str)
    }

    fn read(self) -> Result<ObservationRow, StoreError> {
        Ok(ObservationRow {
            id: self.id,
            cpo_key: self.cpo_key,
            source: self.source,
            kind: self.kind,
            name: self.name,
            evse: self.evse,
            evse_id: self.evse_id,
            evse_uid: self.evse_uid,
            public_key: self.public_key,
            curve: self.curve,
            meter_serial: self.meter_serial,
            gateway_serial: self.gateway_serial,
            first_seen: instant(self.first_seen)?,
            last_seen: instant(self.last_seen)?,
            times: count(self.times),
            last_cdr: self.last_cdr,
        })
    }
}
