//! What is owed, and who is at work on it.
//!
//! A duty says "platform P has not yet seen revision R of object O". A lease saves double work and nothing depends on it: settling asks
//! for the duty and the revision that was sent, whoever sent it.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, QueryableByName, Selectable};

use super::journal::{JournalEntry, JournalRecord};
use super::schema::{cdrs, journal, outbox};
use super::value::{id_at, instant, micros, page, record};
use super::{Store, StoreError, ask, both, change};

/// A duty to write down. It is born leased to the one who makes the first attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDuty {
    /// Client-made id (UUIDv7).
    pub id: String,
    /// The platform that must see the object.
    pub platform_id: String,
    /// What the object is: `cdr`, `clientinfo`, `confirmation`, `publickeys`, `cdrvalidations`.
    pub kind: String,
    /// The object: for a CDR its row id.
    pub object_id: String,
    /// The object's revision.
    pub revision: i64,
    /// Who makes the first attempt.
    pub lease_owner: String,
    /// Until when nobody else will.
    pub lease_until: DateTime<Utc>,
    /// When it is due.
    pub next_attempt_at: DateTime<Utc>,
    /// When trying ends.
    pub give_up_at: DateTime<Utc>,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
}

/// A duty as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyRow {
    /// Its id.
    pub id: String,
    /// The platform that must see the object.
    pub platform_id: String,
    /// What the object is: `cdr`, `clientinfo`, `confirmation`.
    pub kind: String,
    /// The object: for a CDR its row id.
    pub object_id: String,
    /// The object's revision.
    pub revision: i64,
    /// `owed` or `dead`.
    pub state: String,
    /// How many attempts have failed.
    pub attempts: i64,
    /// Who is at work on it.
    pub lease_owner: Option<String>,
    /// Until when.
    pub lease_until: Option<DateTime<Utc>>,
    /// When it is due.
    pub next_attempt_at: DateTime<Utc>,
    /// When trying ends.
    pub give_up_at: DateTime<Utc>,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
    /// How the last attempt ended.
    pub last_outcome: Option<String>,
}

/// How what is due is shared out among platforms.
#[derive(Clone, Debug)]
pub struct Portions {
    /// At most so much for each.
    pub each: u32,
    /// Platforms that get nothing now.
    pub except: Vec<String>,
}

impl Store {
    /// Leases up to `limit` duties that are due and nobody's, longest due first. Two workers never get the same one.
    pub async fn duty_lease(
        &self,
        owner: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<DutyRow>, StoreError> {
        let everything = Portions {
            each: limit,
            except: Vec::new(),
        };
        self.duty_lease_fairly(owner, now, lease_until, limit, &everything)
            .await
    }

    /// The same, of each platform a portion, and nothing of those left out. What it costs grows with the number of platforms that are owed
    /// something, not with what they are owed.
    pub async fn duty_lease_fairly(
        &self,
        owner: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
        portions: &Portions,
    ) -> Result<Vec<DutyRow>, StoreError> {
        let lease = Lease {
            owner: owner.to_owned(),
            now: micros(now),
            until: micros(lease_until),
            rows: limit.into(),
            each: portions.each.into(),
            except: serde_json::Value::from(portions.except.clone()).to_string(),
        };
        let mut duties: Vec<DutyRow> = change!(self, lease(lease))?
            .into_iter()
            .map(DutyRecord::read)
            .collect::<Result<_, _>>()?;
        // `RETURNING` promises no order.
        duties.sort_by(|one, other| (one.next_attempt_at, &one.id).cmp(&(other.next_attempt_at, &other.id)));
        Ok(duties)
    }

    /// Gives back every lease of `owner`, which is going.
    pub async fn duties_give_away(&self, owner: &str) -> Result<u64, StoreError> {
        let owner = owner.to_owned();
        change!(self, give_away(owner))
    }

    /// Gives back a lease without an attempt: the duty is due again at `next_attempt_at`. `false` when it is not `owner`'s any more.
    pub async fn duty_give_back(
        &self,
        id: &str,
        owner: &str,
        next_attempt_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (id, owner, next_attempt_at) = (id.to_owned(), owner.to_owned(), micros(next_attempt_at));
        change!(self, give_back(id, owner, next_attempt_at))
    }

    /// Makes a platform's waiting duties due now, because it is back, and returns how many. Leased ones are already being worked on.
    pub async fn duties_nudge(&self, platform_id: &str, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let (platform_id, now) = (platform_id.to_owned(), micros(now));
        change!(self, nudge(platform_id, now))
    }

    /// Duties in `state` (all when `None`) in the order they were written down, after `cursor`, and where to go on.
    pub async fn duty_list(
        &self,
        state: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<DutyRow>, Option<String>), StoreError> {
        let (state, after) = (state.map(str::to_owned), cursor.unwrap_or_default().to_owned());
        let rows = i64::from(limit) + 1;
        let (records, next) = page(ask!(self, list(state, after, rows))?, limit, |record| &record.id);
        Ok((
            records.into_iter().map(DutyRecord::read).collect::<Result<_, _>>()?,
            next,
        ))
    }

    /// One duty.
    pub async fn duty_get(&self, id: &str) -> Result<Option<DutyRow>, StoreError> {
        let id = id.to_owned();
        ask!(self, get(id))?.map(DutyRecord::read).transpose()
    }

    /// Makes a duty owed and due now. One whose time is over gets the same time once more. `false` when there is none, or when it is
    /// leased, for then somebody is at it. The journal keeps who asked for it.
    pub async fn duty_retry(&self, id: &str, by: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let (id, by) = (id.to_owned(), by.to_owned());
        change!(self, retry(id, by, now))
    }

    /// Removes a duty because an operator says so; the CDR stays `available` for pull, a confirmation is marked, and the journal keeps who it
    /// was and the reason. `false` when there is none.
    pub async fn duty_forgive(&self, id: &str, reason: &str, by: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let (id, reason, by) = (id.to_owned(), reason.to_owned(), by.to_owned());
        change!(self, forgive(id, reason, by, now))
    }
}

record! {
    /// A duty as the table has it.
    #[derive(QueryableByName)]
    DutyRecord, many DutyRecords, in outbox {
        id: String => Text,
        platform_id: String => Text,
        kind: String => Text,
        object_id: String => Text,
        revision: i64 => BigInt,
        state: String => Text,
        attempts: i64 => BigInt,
        lease_owner: Option<String> => Nullable<Text>,
        lease_until: i64 => BigInt,
        next_attempt_at: i64 => BigInt,
        give_up_at: i64 => BigInt,
        created_at: i64 => BigInt,
        last_outcome: Option<String> => Nullable<Text>,
    }
}

const OWED: &str = "owed";

struct Lease {
    owner: String,
    now: i64,
    until: i64,
    rows: i64,
    each: i64,
    /// A JSON list of platforms.
    except: String,
}

/// One conditional update. Who is owed anything is found by hopping through the index from platform to platform, then each one's longest
/// due are looked up: 10 000 duties of one platform are not looked at to find the one of another.
///
/// `lease_until + 0` keeps the planners from the index on leases: most of what is owed is nobody's, and the order is that of the other
/// index. `MATERIALIZED`: the choice is made once, whatever plan the database finds for the rest. SQLite takes `$1` for a name and numbers
/// names as they first appear, so this order serves both; it knows no `LATERAL`, and what it knows instead PostgreSQL would plan badly.
fn lease_statement(locking: &str) -> String {
    let portion = format!(
        "SELECT o.id, o.next_attempt_at FROM outbox o WHERE o.state = 'owed' AND o.platform_id = debtors.platform \
         AND o.next_attempt_at <= $1 AND o.lease_until + 0 <= $1 ORDER BY o.next_attempt_at, o.id LIMIT $2 {locking}"
    );
    let (portions, listed) = if locking.is_empty() {
        let ids = portion.replace("o.id, o.next_attempt_at", "o.id");
        (
            format!("JOIN outbox one ON one.id IN ({ids})"),
            "SELECT value FROM json_each($3)",
        )
    } else {
        (
            format!("CROSS JOIN LATERAL ({portion}) one"),
            "SELECT jsonb_array_elements_text(CAST($3 AS jsonb))",
        )
    };
    format!(
        "WITH RECURSIVE debtors (platform) AS ( \
         SELECT MIN(platform_id) FROM outbox WHERE state = 'owed' \
         UNION ALL \
         SELECT (SELECT MIN(o.platform_id) FROM outbox o WHERE o.state = 'owed' AND o.platform_id > debtors.platform) \
         FROM debtors WHERE debtors.platform IS NOT NULL), \
         due AS MATERIALIZED (SELECT one.id FROM debtors {portions} \
         WHERE debtors.platform IS NOT NULL AND debtors.platform NOT IN ({listed}) \
         ORDER BY one.next_attempt_at, one.id LIMIT $4) \
         UPDATE outbox SET lease_owner = $5, lease_until = $6 WHERE id IN (SELECT id FROM due) RETURNING *"
    )
}

both! {
    pub(super) async fn lease(c: &mut Connection, lease: &Lease) -> Result<Vec<DutyRecord>, StoreError> {
        use diesel::sql_types::Text;
        let leased = diesel::sql_query(lease_statement(LOCKING))
            .bind::<BigInt, _>(lease.now)
            .bind::<BigInt, _>(lease.each)
            .bind::<Text, _>(&lease.except)
            .bind::<BigInt, _>(lease.rows)
            .bind::<Text, _>(&lease.owner)
            .bind::<BigInt, _>(lease.until)
            .load(c)
            .await?;
        Ok(leased)
    }

    pub(super) async fn give_back(
        c: &mut Connection,
        id: &str,
        owner: &str,
        next_attempt_at: &i64,
    ) -> Result<bool, StoreError> {
        let leased = outbox::table.filter(outbox::id.eq(id)).filter(outbox::lease_owner.eq(owner));
        let given_back = (
            outbox::lease_owner.eq(None::<String>),
            outbox::lease_until.eq(0),
            outbox::next_attempt_at.eq(*next_attempt_at),
        );
        Ok(diesel::update(leased).set(given_back).execute(c).await? == 1)
    }

    pub(super) async fn give_away(c: &mut Connection, owner: &str) -> Result<u64, StoreError> {
        let leased = outbox::table.filter(outbox::state.eq(OWED)).filter(outbox::lease_until.gt(0)).filter(outbox::lease_owner.eq(owner));
        let given_back = (outbox::lease_owner.eq(None::<String>), outbox::lease_until.eq(0));
        Ok(diesel::update(leased).set(given_back).execute(c).await? as u64)
    }

    pub(super) async fn nudge(c: &mut Connection, platform_id: &str, now: &i64) -> Result<u64, StoreError> {
        let waiting = outbox::table
            .filter(outbox::platform_id.eq(platform_id))
            .filter(outbox::state.eq(OWED))
            .filter(outbox::lease_until.le(*now))
            .filter(outbox::next_attempt_at.gt(*now));
        Ok(diesel::update(waiting).set(outbox::next_attempt_at.eq(*now)).execute(c).await? as u64)
    }

    pub(super) async fn list(
        c: &mut Connection,
        state: &Option<String>,
        after: &str,
        rows: &i64,
    ) -> Result<Vec<DutyRecord>, StoreError> {
        let mut query = outbox::table
            .filter(outbox::id.gt(after))
            .order(outbox::id.asc())
            .limit(*rows)
            .select(DutyRecord::as_select())
            .into_boxed();
        if let Some(state) = state {
            query = query.filter(outbox::state.eq(state));
        }
        Ok(query.load(c).await?)
    }

    pub(super) async fn get(c: &mut Connection, id: &str) -> Result<Option<DutyRecord>, StoreError> {
        Ok(outbox::table.filter(outbox::id.eq(id)).select(DutyRecord::as_select()).first(c).await.optional()?)
    }

    pub(super) async fn retry(c: &mut Connection, id: &str, by: &str, at: &DateTime<Utc>) -> Result<bool, StoreError> {
        let Some(duty) = get(c, id).await? else { return Ok(false) };
        let now = micros(*at);
        let give_up_at = if duty.give_up_at > now { duty.give_up_at } else { now + (duty.give_up_at - duty.created_at) };
        let idle = outbox::table.filter(outbox::id.eq(id)).filter(outbox::lease_until.le(now));
        let changed = diesel::update(idle)
            .set((outbox::state.eq(OWED), outbox::next_attempt_at.eq(now), outbox::give_up_at.eq(give_up_at)))
            .execute(c)
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        let given_up = cdrs::table.filter(cdrs::id.eq(&duty.object_id)).filter(cdrs::delivery.eq("dead"));
        diesel::update(given_up).set(cdrs::delivery.eq("in_custody")).execute(c).await?;
        owed::mark(c, id, "pending").await?;
        let line = Decision { method: "RETRY", outcome: format!("to be tried again, by operator {by}"), at: *at };
        decided(c, &duty, line).await?;
        Ok(true)
    }

    /// What an operator decided about a duty, in the journal: with what is known of the CDR, where it is one.
    async fn decided(c: &mut Connection, duty: &DutyRecord, line: Decision) -> Result<(), StoreError> {
        let cdr: Option<(String, String, String)> = cdrs::table
            .filter(cdrs::id.eq(&duty.object_id))
            .select((cdrs::correlation_id, cdrs::cpo_key, cdrs::cdr_key))
            .first(c)
            .await
            .optional()?;
        let record = JournalRecord::from(line.entry(duty, cdr));
        diesel::insert_into(journal::table).values(&record).execute(c).await?;
        Ok(())
    }

    pub(super) async fn forgive(
        c: &mut Connection,
        id: &str,
        reason: &str,
        by: &str,
        now: &DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let Some(duty) = get(c, id).await? else { return Ok(false) };
        if diesel::delete(outbox::table.filter(outbox::id.eq(id))).execute(c).await? == 0 {
            return Ok(false);
        }
        telling::forget(c, id).await?;
        let undelivered = cdrs::delivery.eq_any(["pending", "in_custody", "dead"]);
        let forgiven = cdrs::table.filter(cdrs::id.eq(&duty.object_id)).filter(undelivered);
        diesel::update(forgiven).set(cdrs::delivery.eq("available")).execute(c).await?;
        owed::mark(c, id, "forgiven").await?;
        let line = Decision { method: "FORGIVE", outcome: format!("forgiven by operator {by}: {reason}"), at: *now };
        decided(c, &duty, line).await?;
        Ok(true)
    }
}

/// What an operator decided about a duty.
struct Decision {
    method: &'static str,
    outcome: String,
    at: DateTime<Utc>,
}

impl Decision {
    /// `cdr` is its correlation id, its operator and its key.
    fn entry(self, duty: &DutyRecord, cdr: Option<(String, String, String)>) -> JournalEntry {
        let (correlation_id, object) = match cdr {
            Some((correlation_id, cpo_key, cdr_key)) => (correlation_id, Some(format!("{cpo_key}/{cdr_key}"))),
            None => (duty.id.clone(), None),
        };
        JournalEntry {
            id: id_at(self.at),
            at: self.at,
            correlation_id,
            request_id: None,
            from_party: None,
            to_party: None,
            platform: Some(duty.platform_id.clone()),
            module: if duty.kind == "cdr" { "cdrs" } else { &duty.kind }.to_owned(),
            method: self.method.to_owned(),
            object,
            http_status: None,
            status_code: None,
            outcome: self.outcome,
            duration_ms: None,
        }
    }
}

impl From<NewDuty> for DutyRecord {
    fn from(duty: NewDuty) -> DutyRecord {
        DutyRecord {
            id: duty.id,
            platform_id: duty.platform_id,
            kind: duty.kind,
            object_id: duty.object_id,
            revision: duty.revision,
            state: OWED.to_owned(),
            attempts: 0,
            lease_owner: Some(duty.lease_owner),
            lease_until: micros(duty.lease_until),
            next_attempt_at: micros(duty.next_attempt_at),
            give_up_at: micros(duty.give_up_at),
            created_at: micros(duty.created_at),
            last_outcome: None,
        }
    }
}

impl DutyRecord {
    fn read(self) -> Result<DutyRow, StoreError> {
        Ok(DutyRow {
            id: self.id,
            platform_id: self.platform_id,
            kind: self.kind,
            object_id: self.object_id,
            revision: self.revision,
            state: self.state,
            attempts: self.attempts,
            lease_owner: self.lease_owner,
            lease_until: if self.lease_until == 0 {
                None
            } else {
                Some(instant(self.lease_until)?)
            },
            next_attempt_at: instant(self.next_attempt_at)?,
            give_up_at: instant(self.give_up_at)?,
            created_at: instant(self.created_at)?,
            last_outcome: self.last_outcome,
        })
    }
}
