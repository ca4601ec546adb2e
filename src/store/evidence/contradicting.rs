//! CDRs of a meter that were verified, though not with the key that came to be claimed for it (key-registry.md PC-19).

use chrono::{DateTime, Utc};

use super::cases::MeterNeighbour;
use super::traces::TracePlace;
use crate::store::schema::{cdrs, traces};
use crate::store::value::micros;
use crate::store::{Store, StoreError, ask, both};

/// Which CDRs are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedQuery {
    /// The CPO as `DE/ABC`.
    pub cpo_key: String,
    /// The meter, folded as in traces.
    pub meter: String,
    /// Not those that came with this key: they were verified with it. What came without a key is found.
    pub but_fingerprint: String,
    /// Charging that ended after this,
    pub from: DateTime<Utc>,
    /// and began before that.
    pub to: Option<DateTime<Utc>>,
}

impl Store {
    /// A page of such CDRs with their newest verdicts, in the order of the end of charging, after `after`.
    pub async fn verified_of_meter(
        &self,
        query: &VerifiedQuery,
        after: &TracePlace,
        limit: u32,
    ) -> Result<Vec<MeterNeighbour>, StoreError> {
        let (query, after, rows) = (query.clone(), after.clone(), i64::from(limit));
        let found = ask!(self, verified(query, after, rows))?;
        Ok(found.into_iter().map(MeterNeighbour::of).collect())
    }
}

both! {
    pub(super) async fn verified(
        c: &mut Connection,
        query: &VerifiedQuery,
        after: &TracePlace,
        rows: &i64,
    ) -> Result<Vec<(String, i64, String)>, StoreError> {
        let later = traces::ended_at
            .gt(after.ended_at)
            .or(traces::ended_at.eq(after.ended_at).and(traces::cdr.gt(&after.row_id)));
        let from = micros(query.from);
        let mut found = traces::table
            .inner_join(cdrs::table)
            .filter(traces::meter.eq(&query.meter))
            // The first condition is part of the second; it is what an index understands.
            .filter(traces::ended_at.ge(after.ended_at))
            .filter(later)
            .filter(traces::ended_at.gt(from))
            .filter(traces::fingerprint.is_null().or(traces::fingerprint.ne(&query.but_fingerprint)))
            .filter(cdrs::cpo_key.eq(&query.cpo_key))
            .filter(cdrs::metering_status.eq("VERIFIED"))
            .into_boxed();
        if let Some(to) = query.to {
            found = found.filter(traces::began_at.lt(micros(to)));
        }
        let found = found.order((traces::ended_at.asc(), traces::cdr.asc())).limit(*rows);
        let found: Vec<(String, i64)> = found.select((traces::cdr, traces::ended_at)).load(c).await?;
        judgements::beside(c, found).await
    }
}
