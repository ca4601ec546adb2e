//! Questions about the whole: does it answer, and the numbers of a start page.

use chrono::{DateTime, Utc};

use super::schema::{cdrs, outbox, parties, platforms, revisions};
use super::value::{count, instant};
use super::{Store, StoreError, ask, both, change};

/// How much of everything there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Platforms.
    pub platforms: u64,
    /// Parties, once per role.
    pub parties: u64,
    /// Registrations of keys that count and have not ended.
    pub keys: u64,
    /// CDRs by delivery word.
    pub cdrs_by_delivery: Vec<(String, u64)>,
    /// CDRs by metering status.
    pub cdrs_by_metering_status: Vec<(String, u64)>,
    /// Duties that are owed.
    pub duties_owed: u64,
    /// Duties given up.
    pub duties_dead: u64,
    /// When the oldest owed duty was written down.
    pub oldest_owed: Option<DateTime<Utc>>,
}

/// Duties of one kind, in one state, for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyTotal {
    /// `owed` or `dead`.
    pub state: String,
    /// What is owed.
    pub kind: String,
    /// To whom.
    pub platform: String,
    /// How many there are.
    pub number: u64,
    /// When the oldest was written down.
    pub oldest: DateTime<Utc>,
}

impl Store {
    /// Whether the database answers and, with SQLite, whether the writer is alive.
    pub async fn ping(&self) -> Result<(), StoreError> {
        change!(self, ping())
    }

    /// Whether it can be written: a database with a full disk, or one that became a replica, still answers.
    pub async fn writes(&self) -> Result<(), StoreError> {
        change!(self, writes())
    }

    /// What is owed and what was given up. Reads what waits to be carried, once, and nothing of what was.
    pub async fn duty_totals(&self) -> Result<Vec<DutyTotal>, StoreError> {
        let totals = ask!(self, duty_totals())?.into_iter();
        totals
            .map(|(state, kind, platform, number, oldest)| {
                Ok(DutyTotal {
                    state,
                    kind,
                    platform,
                    number: count(number),
                    oldest: instant(oldest.unwrap_or_default())?,
                })
            })
            .collect()
    }

    /// Counts everything. Reads indexes only, but all of them: for a page, not for a loop.
    pub async fn overview(&self) -> Result<Overview, StoreError> {
        ask!(self, overview())
    }
}

/// State, kind, platform, how many, and since when.
type Totalled = (String, String, String, i64, Option<i64>);

both! {
    pub(super) async fn ping(c: &mut Connection) -> Result<(), StoreError> {
        let _: i64 = diesel::select(1_i64.into_sql::<BigInt>()).get_result(c).await?;
        Ok(())
    }

    pub(super) async fn writes(c: &mut Connection) -> Result<(), StoreError> {
        let ping = revisions::table.filter(revisions::name.eq("ping"));
        diesel::update(ping).set(revisions::value.eq(revisions::value + 1)).execute(c).await?;
        Ok(())
    }

    pub(super) async fn duty_totals(c: &mut Connection) -> Result<Vec<Totalled>, StoreError> {
        let totals = outbox::table
            .group_by((outbox::state, outbox::kind, outbox::platform_id))
            .select((
                outbox::state,
                outbox::kind,
                outbox::platform_id,
                diesel::dsl::count_star(),
                diesel::dsl::min(outbox::created_at),
            ))
            .order((outbox::state, outbox::kind, outbox::platform_id))
            .load(c)
            .await?;
        Ok(totals)
    }

    pub(super) async fn overview(c: &mut Connection) -> Result<Overview, StoreError> {
        let platforms: i64 = platforms::table.count().get_result(c).await?;
        let parties: i64 = parties::table.count().get_result(c).await?;
        let keys: i64 = registrations::counting(c).await?;
        let by_delivery: Vec<(String, i64)> = cdrs::table
            .group_by(cdrs::delivery)
            .select((cdrs::delivery, diesel::dsl::count_star()))
            .order(cdrs::delivery)
            .load(c)
            .await?;
        let by_status: Vec<(String, i64)> = cdrs::table
            .group_by(cdrs::metering_status)
            .select((cdrs::metering_status, diesel::dsl::count_star()))
            .order(cdrs::metering_status)
            .load(c)
            .await?;
        let owed: i64 = outbox::table.filter(outbox::state.eq("owed")).count().get_result(c).await?;
        let dead: i64 = outbox::table.filter(outbox::state.eq("dead")).count().get_result(c).await?;
        let oldest: Option<i64> = outbox::table
            .filter(outbox::state.eq("owed"))
            .select(diesel::dsl::min(outbox::created_at))
            .get_result(c)
            .await?;
        Ok(Overview {
            platforms: count(platforms),
            parties: count(parties),
            keys: count(keys),
            cdrs_by_delivery: by_delivery.into_iter().map(|(word, number)| (word, count(number))).collect(),
            cdrs_by_metering_status: by_status.into_iter().map(|(word, number)| (word, count(number))).collect(),
            duties_owed: count(owed),
            duties_dead: count(dead),
            oldest_owed: oldest.map(instant).transpose()?,
        })
    }
}
