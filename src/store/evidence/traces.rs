//! What CDRs would ask the registry for, so that those a change is about are found without reading the others.
//!
//! Written with the CDR in its one commit. CDRs of the time before this table are entered by a walk ([`Store::traces_missing`]), whose
//! position is kept: until it has reached the end once, what is found is not complete, and says so.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use serde::{Deserialize, Serialize};

use super::CdrRow;
use crate::store::schema::{cdrs, traces, walks};
use crate::store::value::{count, micros, record};
use crate::store::{Store, StoreError, ask, both, change};

/// The names in the octets of a CDR by which a registry is asked, folded by whoever writes them, and when it charged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The EVSE by its eMI3 id.
    pub evse: Option<String>,
    /// The EVSE by the operator's own id, with the operator.
    pub uid: Option<String>,
    /// The meters the records name.
    pub meters: Vec<String>,
    /// The gateways the records name.
    pub gateways: Vec<String>,
    /// Fingerprint of the key that came along.
    pub fingerprint: Option<String>,
    /// When charging began; `None` counts as "at any time".
    pub began: Option<DateTime<Utc>>,
    /// When it ended, the same.
    pub ended: Option<DateTime<Utc>>,
}

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TraceKind {
    /// An EVSE by its eMI3 id.
    Evse,
    /// An EVSE by the operator's own id.
    Uid,
    /// A meter.
    Meter,
    /// A gateway.
    Gateway,
    /// A key.
    Fingerprint,
}

/// CDRs that are looked for: each that has one of the names and charged at some time of the window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceQuery {
    /// The names, folded.
    pub names: Vec<(TraceKind, String)>,
    /// Not what ended before.
    #[serde(with = "as_micros")]
    pub from: Option<DateTime<Utc>>,
    /// Not what began at or after.
    #[serde(with = "as_micros")]
    pub to: Option<DateTime<Utc>>,
    /// Only rows that arrived after this id; empty for all.
    pub arrived_after: String,
}

/// An instant as the tables keep it.
mod as_micros {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Option<DateTime<Utc>>, out: S) -> Result<S::Ok, S::Error> {
        at.map(|at| at.timestamp_micros()).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
        let micros: Option<i64> = Option::deserialize(from)?;
        Ok(micros.and_then(DateTime::from_timestamp_micros))
    }
}

/// The place of a CDR in the order of a walk over traces: by the end of charging.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TracePlace {
    /// The end of charging in microseconds since 1970; the greatest number where nobody knows.
    pub ended_at: i64,
    /// The row id of the CDR.
    pub row_id: String,
}

impl TracePlace {
    /// Before everything.
    #[must_use]
    pub fn start() -> TracePlace {
        TracePlace {
            ended_at: i64::MIN,
            row_id: String::new(),
        }
    }
}

/// How far CDRs of the time before are entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceWalk {
    /// The row id up to which everything is entered.
    pub position: String,
    /// How often the end was reached; before the first time, traces are not complete.
    pub rounds: u64,
}

/// The name of the walk in `walks`.
const WALK: &str = "traces";

impl Store {
    /// A page of the CDRs that are looked for, in order, after `after`.
    pub async fn traces_find(
        &self,
        query: &TraceQuery,
        after: &TracePlace,
        limit: u32,
    ) -> Result<Vec<TracePlace>, StoreError> {
        let mut found = Vec::new();
        // Each name has its own stretch of its own index, read in order and merged here.
        for (kind, name) in &query.names {
            let (kind, name, query, after) = (*kind, name.clone(), query.clone(), after.clone());
            let rows = i64::from(limit);
            found.extend(ask!(self, of_name(kind, name, query, after, rows))?);
        }
        let mut found: Vec<TracePlace> = found
            .into_iter()
            .map(|(ended_at, row_id)| TracePlace { ended_at, row_id })
            .collect();
        found.sort_unstable();
        found.dedup();
        found.truncate(limit as usize);
        Ok(found)
    }

    /// The names a CDR was entered under; `None` when it was not yet.
    pub async fn traces_of(&self, row_id: &str) -> Result<Option<Traces>, StoreError> {
        let row_id = row_id.to_owned();
        Ok(Traces::read(ask!(self, of_cdr(row_id))?))
    }

    /// How far the walk has come.
    pub async fn traces_walk(&self) -> Result<TraceWalk, StoreError> {
        let (position, rounds) = ask!(self, walk())?;
        Ok(TraceWalk {
            position,
            rounds: count(rounds),
        })
    }

    /// How many CDRs lie before the walk. Counts them: for a page, not for a loop.
    pub async fn traces_ahead(&self) -> Result<u64, StoreError> {
        Ok(count(ask!(self, ahead())?))
    }

    /// The next `limit` CDRs after `position`: where they end (`None` at the end of everything), and those of them that are not entered.
    pub async fn traces_missing(
        &self,
        position: &str,
        limit: u32,
    ) -> Result<(Option<String>, Vec<CdrRow>), StoreError> {
        let (position, rows) = (position.to_owned(), i64::from(limit));
        let mut ids = ask!(self, next_ids(position, rows))?;
        let end = ids.last().cloned();
        let wanted = ids.clone();
        let entered = ask!(self, entered(wanted))?;
        ids.retain(|id| !entered.contains(id));
        let mut missing = Vec::with_capacity(ids.len());
        for row_id in ids {
            missing.extend(self.cdr_by_row(&row_id).await?);
        }
        Ok((end, missing))
    }

    /// Enters CDRs (by row id) and moves the walk to `position`, or, without one, notes that it has reached the end.
    pub async fn traces_enter(&self, missing: &[(String, Traces)], position: Option<&str>) -> Result<(), StoreError> {
        let rows: Vec<TraceRecord> = missing
            .iter()
            .flat_map(|(row_id, traces)| TraceRecord::of(row_id, traces))
            .collect();
        let position = position.map(str::to_owned);
        change!(self, enter(rows, position))
    }
}

record! {
    /// Names of one CDR.
    TraceRecord, many TraceRecords, in traces {
        cdr: String => Text,
        nth: i64 => BigInt,
        evse: Option<String> => Nullable<Text>,
        uid: Option<String> => Nullable<Text>,
        meter: Option<String> => Nullable<Text>,
        gateway: Option<String> => Nullable<Text>,
        fingerprint: Option<String> => Nullable<Text>,
        began_at: i64 => BigInt,
        ended_at: i64 => BigInt,
    }
}

impl Traces {
    /// From the rows of one CDR, in their order; `None` when there are none.
    pub(super) fn read(rows: Vec<TraceRecord>) -> Option<Traces> {
        if rows.is_empty() {
            return None;
        }
        let known = |micros: i64| DateTime::from_timestamp_micros(micros);
        let mut traces = Traces::default();
        for row in rows {
            traces.evse = traces.evse.or(row.evse);
            traces.uid = traces.uid.or(row.uid);
            traces.fingerprint = traces.fingerprint.or(row.fingerprint);
            traces.meters.extend(row.meter);
            traces.gateways.extend(row.gateway);
            traces.began = known(row.began_at);
            traces.ended = known(row.ended_at);
        }
        Some(traces)
    }
}

impl TraceRecord {
    /// At least one row, also where there are no names: it says that the CDR was entered.
    pub(super) fn of(row_id: &str, traces: &Traces) -> Vec<TraceRecord> {
        let (began, ended) = match (traces.began.map(micros), traces.ended.map(micros)) {
            // Clocks may run backwards; a window does not.
            (Some(one), Some(other)) => (one.min(other), one.max(other)),
            (began, ended) => (began.unwrap_or(i64::MIN), ended.unwrap_or(i64::MAX)),
        };
        let rows = traces.meters.len().max(traces.gateways.len()).max(1);
        let first = |nth: usize, name: &Option<String>| name.clone().filter(|_| nth == 0);
        (0..rows)
            .map(|nth| TraceRecord {
                cdr: row_id.to_owned(),
                nth: i64::try_from(nth).unwrap_or(i64::MAX),
                evse: first(nth, &traces.evse),
                uid: first(nth, &traces.uid),
                meter: traces.meters.get(nth).cloned(),
                gateway: traces.gateways.get(nth).cloned(),
                fingerprint: first(nth, &traces.fingerprint),
                began_at: began,
                ended_at: ended,
            })
            .collect()
    }
}

both! {
    pub(super) async fn of_name(
        c: &mut Connection,
        kind: &TraceKind,
        name: &str,
        query: &TraceQuery,
        after: &TracePlace,
        rows: &i64,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let later = traces::ended_at
            .gt(after.ended_at)
            .or(traces::ended_at.eq(after.ended_at).and(traces::cdr.gt(&after.row_id)));
        // The first condition is part of the second; it is what an index understands.
        let mut found = traces::table.filter(traces::ended_at.ge(after.ended_at)).filter(later).into_boxed();
        found = match kind {
            TraceKind::Evse => found.filter(traces::evse.eq(name)),
            TraceKind::Uid => found.filter(traces::uid.eq(name)),
            TraceKind::Meter => found.filter(traces::meter.eq(name)),
            TraceKind::Gateway => found.filter(traces::gateway.eq(name)),
            TraceKind::Fingerprint => found.filter(traces::fingerprint.eq(name)),
        };
        if let Some(from) = query.from {
            found = found.filter(traces::ended_at.ge(micros(from)));
        }
        if let Some(to) = query.to {
            found = found.filter(traces::began_at.lt(micros(to)));
        }
        if !query.arrived_after.is_empty() {
            found = found.filter(traces::cdr.gt(&query.arrived_after));
        }
        let found = found.order((traces::ended_at.asc(), traces::cdr.asc())).limit(*rows);
        Ok(found.select((traces::ended_at, traces::cdr)).load(c).await?)
    }

    pub(super) async fn of_cdr(c: &mut Connection, row_id: &str) -> Result<Vec<TraceRecord>, StoreError> {
        let rows = traces::table.filter(traces::cdr.eq(row_id)).order(traces::nth.asc());
        Ok(rows.select(TraceRecord::as_select()).load(c).await?)
    }

    pub(super) async fn walk(c: &mut Connection) -> Result<(String, i64), StoreError> {
        let walk = walks::table.filter(walks::name.eq(WALK));
        Ok(walk.select((walks::position, walks::rounds)).first(c).await?)
    }

    pub(super) async fn ahead(c: &mut Connection) -> Result<i64, StoreError> {
        let (position, _) = walk(c).await?;
        Ok(cdrs::table.filter(cdrs::id.gt(position)).count().get_result(c).await?)
    }

    pub(super) async fn next_ids(c: &mut Connection, position: &str, rows: &i64) -> Result<Vec<String>, StoreError> {
        let next = cdrs::table.filter(cdrs::id.gt(position)).order(cdrs::id.asc()).limit(*rows);
        Ok(next.select(cdrs::id).load(c).await?)
    }

    pub(super) async fn entered(c: &mut Connection, ids: &[String]) -> Result<Vec<String>, StoreError> {
        let entered = traces::table.filter(traces::cdr.eq_any(ids)).filter(traces::nth.eq(0));
        Ok(entered.select(traces::cdr).load(c).await?)
    }

    pub(super) async fn enter(
        c: &mut Connection,
        rows: &[TraceRecord],
        position: &Option<String>,
    ) -> Result<(), StoreError> {
        for row in rows {
            diesel::insert_into(traces::table).values(row).on_conflict_do_nothing().execute(c).await?;
        }
        let walk = walks::table.filter(walks::name.eq(WALK));
        match position {
            // Another process may be further by now.
            Some(position) => {
                let behind = walk.filter(walks::position.lt(position));
                diesel::update(behind).set(walks::position.eq(position)).execute(c).await?
            }
            None => diesel::update(walk).set(walks::rounds.eq(walks::rounds + 1)).execute(c).await?,
        };
        Ok(())
    }
}
