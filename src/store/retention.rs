//! What is old: looked at, and removed in small portions by one process at a time.
//!
//! Looking and removing ask the same question, the second within its transaction, so that what a look promised is what goes. Of a CDR go its
//! octets, the names it asked the registry by, and what others said of it in words; that it was taken, its verdicts and the signed blocks it used
//! up stay, so that neither its id nor its blocks serve another one.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{Insertable, Queryable, Selectable};

use super::schema::{
    attempts, case_cdrs, cases, cdrs, copies, journal, lent, mirror, notices, octets, outbox, rechecks, retention,
    traces, unexamined,
};
use super::value::{count, id_at, instant, micros};
use super::{Store, StoreError, ask, both, change};

/// What is kept for a while only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OldKind {
    /// The octets of CDRs.
    Cdrs,
    /// Lines of the journal.
    Journal,
    /// Sessions kept for their providers' lists.
    Sessions,
    /// The traces of objects that were deleted.
    Deleted,
    /// Duties that were given up, CDRs excepted.
    Duties,
    /// URLs lent out that have expired.
    Links,
}

impl OldKind {
    /// All of them.
    pub const ALL: [OldKind; 6] = [
        OldKind::Cdrs,
        OldKind::Journal,
        OldKind::Sessions,
        OldKind::Deleted,
        OldKind::Duties,
        OldKind::Links,
    ];

    /// As operators read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OldKind::Cdrs => "cdrs",
            OldKind::Journal => "journal",
            OldKind::Sessions => "sessions",
            OldKind::Deleted => "deleted",
            OldKind::Duties => "duties",
            OldKind::Links => "links",
        }
    }
}

/// Something old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    /// Its row.
    pub id: String,
    /// Since when it is what it is.
    pub at: DateTime<Utc>,
    /// Why it must stay all the same: `held`, `undelivered`, `case`, `credit`, `recheck`.
    pub stays: Option<&'static str>,
}

/// A portion that was looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion {
    /// How many rows went.
    pub removed: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// Where one is, who removes, until when.
#[derive(Clone, Debug)]
pub struct Removing {
    /// What.
    pub kind: OldKind,
    /// Older than this.
    pub before: DateTime<Utc>,
    /// Behind this row.
    pub after: String,
    /// Rows looked at.
    pub rows: u32,
    /// The process that has the lease.
    pub owner: String,
    /// Until when it has it from now on.
    pub until: DateTime<Utc>,
}

impl Store {
    /// What is older than `before`, in order, behind the row `after`; not more than `rows`.
    pub async fn old(
        &self,
        kind: OldKind,
        before: DateTime<Utc>,
        after: &str,
        rows: u32,
    ) -> Result<Vec<Old>, StoreError> {
        let (after, rows) = (after.to_owned(), i64::from(rows));
        ask!(self, look(kind, before, after, rows))?
            .into_iter()
            .map(Seen::read)
            .collect()
    }

    /// Removes a portion of what is old and need not stay.
    ///
    /// # Errors
    /// `Busy` when the lease is another's by now.
    pub async fn old_remove(&self, removing: Removing) -> Result<Portion, StoreError> {
        change!(self, remove(removing))
    }

    /// Asks to be the one who removes, until then. With `unless_since` only if nobody has finished since.
    pub async fn retention_lease(
        &self,
        owner: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        unless_since: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        let (owner, now, until) = (owner.to_owned(), micros(now), micros(until));
        let since = unless_since.map(micros);
        change!(self, lease(owner, now, until, since))
    }

    /// All is removed that was to be.
    pub async fn retention_end(&self, owner: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let (owner, now) = (owner.to_owned(), micros(now));
        change!(self, end(owner, now))
    }

    /// When everything was last gone through, and how much of each kind was removed so far.
    pub async fn retention_so_far(&self) -> Result<(Option<DateTime<Utc>>, Vec<(String, u64)>), StoreError> {
        let rows = ask!(self, so_far())?;
        let run = rows.iter().find(|row| row.name == RUN).and_then(|row| row.ended_at);
        let kinds = rows.into_iter().filter(|row| row.name != RUN);
        Ok((
            run.map(instant).transpose()?,
            kinds.map(|row| (row.name, count(row.removed))).collect(),
        ))
    }
}

/// The row that says who is at it.
const RUN: &str = "run";

/// Delivery words of a CDR that its receiver does not have, and that is owed to it or waits for a person.
const UNDELIVERED: [&str; 3] = ["pending", "in_custody", "dead"];

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = retention, treat_none_as_default_value = false)]
struct RetentionRecord {
    name: String,
    owner: String,
    until: i64,
    ended_at: Option<i64>,
    removed: i64,
}

struct Seen {
    id: String,
    at: i64,
    stays: Option<&'static str>,
}

impl Seen {
    fn of((id, at): (String, i64)) -> Seen {
        Seen { id, at, stays: None }
    }

    fn read(self) -> Result<Old, StoreError> {
        Ok(Old {
            id: self.id,
            at: instant(self.at)?,
            stays: self.stays,
        })
    }
}

/// Ids begin with an instant. Clocks of processes differ, and rows are made a moment before they are written: two days are enough for both, and
/// keep a look from walking through what is young.
fn not_made_after(before: &DateTime<Utc>) -> String {
    id_at(*before + TimeDelta::days(2))
}

/// What a receiver said to a CDR, without its words.
fn without_words(answer: &str) -> Option<String> {
    let mut answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    *answer.get_mut("message")? = serde_json::Value::Null;
    Some(answer.to_string())
}

both! {
    pub(super) async fn look(
        c: &mut Connection,
        kind: &OldKind,
        before: &DateTime<Utc>,
        after: &str,
        rows: &i64,
    ) -> Result<Vec<Seen>, StoreError> {
        let then = micros(*before);
        let seen = match kind {
            OldKind::Cdrs => return old_cdrs(c, before, after, rows).await,
            OldKind::Deleted => return deleted(c, then, after, rows).await,
            OldKind::Journal => {
                let query = journal::table.filter(journal::id.gt(after)).filter(journal::id.lt(not_made_after(before)));
                let query = query.filter(journal::at.lt(then)).order(journal::id.asc()).limit(*rows);
                query.select((journal::id, journal::at)).load(c).await?
            }
            OldKind::Sessions => {
                let query = mirror::table.filter(mirror::deleted_at.is_null()).filter(mirror::module.eq("sessions"));
                let query = query.filter(mirror::id.gt(after)).filter(mirror::last_updated.lt(then));
                query.order(mirror::id.asc()).limit(*rows).select((mirror::id, mirror::last_updated)).load(c).await?
            }
            OldKind::Duties => {
                let query = outbox::table.filter(outbox::state.eq("dead")).filter(outbox::kind.ne("cdr"));
                let query = query.filter(outbox::id.gt(after)).filter(outbox::give_up_at.lt(then));
                query.order(outbox::id.asc()).limit(*rows).select((outbox::id, outbox::give_up_at)).load(c).await?
            }
            OldKind::Links => {
                let query = lent::table.filter(lent::id.gt(after)).filter(lent::expires_at.lt(then));
                query.order(lent::id.asc()).limit(*rows).select((lent::id, lent::expires_at)).load(c).await?
            }
        };
        let seen: Vec<(String, i64)> = seen;
        Ok(seen.into_iter().map(Seen::of).collect())
    }

    /// One that a platform has missed, or that is on its way, is still told to be gone.
    async fn deleted(c: &mut Connection, then: i64, after: &str, rows: &i64) -> Result<Vec<Seen>, StoreError> {
        let query = mirror::table.filter(mirror::deleted_at.lt(then)).filter(mirror::id.gt(after));
        let names = (mirror::id, mirror::deleted_at.assume_not_null(), mirror::module, mirror::owner_key, mirror::object_key);
        let found: Vec<(String, i64, String, String, String)> =
            query.order(mirror::id.asc()).limit(*rows).select(names).load(c).await?;
        let mut seen = Vec::with_capacity(found.len());
        for (id, at, module, owner_key, object_key) in found {
            let missed: i64 = outbox::table.filter(outbox::object_id.eq(&id)).count().get_result(c).await?;
            let on_its_way: i64 = copies::table
                .filter(copies::module.eq(module))
                .filter(copies::owner_key.eq(owner_key))
                .filter(copies::object_key.eq(object_key))
                .count()
                .get_result(c)
                .await?;
            let stays = (missed + on_its_way > 0).then_some("undelivered");
            seen.push(Seen { id, at, stays });
        }
        Ok(seen)
    }

    /// Those that still have their octets: the table of octets is in the order of arrival too.
    async fn old_cdrs(
        c: &mut Connection,
        before: &DateTime<Utc>,
        after: &str,
        rows: &i64,
    ) -> Result<Vec<Seen>, StoreError> {
        let then = micros(*before);
        let query = octets::table
            .inner_join(cdrs::table)
            .filter(octets::cdr.gt(after))
            .filter(octets::cdr.lt(not_made_after(before)))
            .filter(cdrs::received_at.lt(then))
            .order(octets::cdr.asc())
            .limit(*rows);
        let found: Vec<(String, i64, String, String, String)> = query
            .select((cdrs::id, cdrs::received_at, cdrs::delivery, cdrs::cpo_key, cdrs::cdr_key))
            .load(c)
            .await?;
        let ids: Vec<&String> = found.iter().map(|one| &one.0).collect();
        let open = cases::table.filter(cases::closed_at.is_null()).select(cases::id);
        let in_case = case_cdrs::table.filter(case_cdrs::cdr.eq_any(&ids)).filter(case_cdrs::case_id.eq_any(open));
        let in_case: Vec<String> = in_case.select(case_cdrs::cdr).load(c).await?;
        let owed: Vec<String> = outbox::table.filter(outbox::object_id.eq_any(&ids)).select(outbox::object_id).load(c).await?;
        let unseen: Vec<String> = unexamined::table.filter(unexamined::cdr.eq_any(&ids)).select(unexamined::cdr).load(c).await?;
        // Which CDRs a change is about is known when it has been worked off, which takes minutes: until then everything stays.
        let changes: i64 = rechecks::table.filter(rechecks::finished_at.is_null()).count().get_result(c).await?;
        // A credit that is still kept names what it takes back.
        let cpos: Vec<&String> = found.iter().map(|one| &one.3).collect();
        let keys: Vec<&String> = found.iter().map(|one| &one.4).collect();
        let credits: Vec<(String, Option<String>)> = cdrs::table
            .filter(cdrs::cpo_key.eq_any(cpos))
            .filter(cdrs::credit_reference.eq_any(keys))
            .filter(cdrs::received_at.ge(then))
            .select((cdrs::cpo_key, cdrs::credit_reference))
            .load(c)
            .await?;
        let credited: HashSet<(String, String)> =
            credits.into_iter().filter_map(|(cpo, key)| Some((cpo, key?))).collect();
        let seen = found.into_iter().map(|(id, at, delivery, cpo, key)| {
            let stays = if delivery == "held" {
                Some("held")
            } else if UNDELIVERED.contains(&delivery.as_str()) || owed.contains(&id) {
                Some("undelivered")
            } else if in_case.contains(&id) {
                Some("case")
            } else if credited.contains(&(cpo, key)) {
                Some("credit")
            } else if changes > 0 || unseen.contains(&id) {
                Some("recheck")
            } else {
                None
            };
            Seen { id, at, stays }
        });
        Ok(seen.collect())
    }

    pub(super) async fn remove(c: &mut Connection, removing: &Removing) -> Result<Portion, StoreError> {
        let ours = retention::table.filter(retention::name.eq(RUN)).filter(retention::owner.eq(&removing.owner));
        if diesel::update(ours).set(retention::until.eq(micros(removing.until))).execute(c).await? == 0 {
            return Err(StoreError::Busy);
        }
        let rows = i64::from(removing.rows);
        let seen = look(c, &removing.kind, &removing.before, &removing.after, &rows).await?;
        let next = seen.last().filter(|_| seen.len() >= removing.rows as usize).map(|last| last.id.clone());
        let going: Vec<String> = seen.into_iter().filter(|one| one.stays.is_none()).map(|one| one.id).collect();
        let mut removed = 0;
        if !going.is_empty() {
            removed = match removing.kind {
                OldKind::Cdrs => remove_octets(c, &going).await?,
                OldKind::Journal => diesel::delete(journal::table.filter(journal::id.eq_any(&going))).execute(c).await?,
                OldKind::Sessions | OldKind::Deleted => {
                    diesel::delete(mirror::table.filter(mirror::id.eq_any(&going))).execute(c).await?
                }
                OldKind::Duties => {
                    diesel::delete(notices::table.filter(notices::duty.eq_any(&going))).execute(c).await?;
                    let dead = outbox::table.filter(outbox::id.eq_any(&going)).filter(outbox::state.eq("dead"));
                    diesel::delete(dead).execute(c).await?
                }
                OldKind::Links => {
                    let still = lent::table.filter(lent::id.eq_any(&going)).filter(lent::expires_at.lt(micros(removing.before)));
                    diesel::delete(still).execute(c).await?
                }
            };
            let kind = retention::table.filter(retention::name.eq(removing.kind.as_str()));
            let more = i64::try_from(removed).unwrap_or(0);
            if diesel::update(kind).set(retention::removed.eq(retention::removed + more)).execute(c).await? == 0 {
                let name = removing.kind.as_str().to_owned();
                let first = RetentionRecord { name, owner: String::new(), until: 0, ended_at: None, removed: more };
                diesel::insert_into(retention::table).values(&first).execute(c).await?;
            }
        }
        Ok(Portion { removed: removed as u64, next })
    }

    async fn remove_octets(c: &mut Connection, going: &Vec<String>) -> Result<usize, StoreError> {
        let rows = || cdrs::table.filter(cdrs::id.eq_any(going));
        // Locked by being written. Whoever made one of them owed in between was quicker, and the portion is looked at again.
        let hidden = (cdrs::listed_at.eq(None::<i64>), cdrs::receiver_location.eq(None::<String>), cdrs::marker.eq(None::<String>));
        let settled = rows().filter(cdrs::delivery.ne_all([UNDELIVERED[0], UNDELIVERED[1], UNDELIVERED[2], "held"]));
        if diesel::update(settled).set(hidden).execute(c).await? != going.len() {
            return Err(StoreError::Busy);
        }
        let answers: Vec<(String, Option<String>)> = rows().select((cdrs::id, cdrs::first_answer)).load(c).await?;
        for (id, answer) in answers {
            let Some(answer) = answer else { continue };
            let row = cdrs::table.filter(cdrs::id.eq(id));
            diesel::update(row).set(cdrs::first_answer.eq(without_words(&answer))).execute(c).await?;
        }
        diesel::delete(traces::table.filter(traces::cdr.eq_any(going))).execute(c).await?;
        // Who, when and with which result stays (CDR-19).
        let said = attempts::table.filter(attempts::cdr.eq_any(going));
        diesel::update(said).set(attempts::outcome.eq("no longer kept")).execute(c).await?;
        Ok(diesel::delete(octets::table.filter(octets::cdr.eq_any(going))).execute(c).await?)
    }

    pub(super) async fn lease(
        c: &mut Connection,
        owner: &str,
        now: &i64,
        until: &i64,
        since: &Option<i64>,
    ) -> Result<bool, StoreError> {
        let first = RetentionRecord { name: RUN.to_owned(), owner: String::new(), until: 0, ended_at: None, removed: 0 };
        diesel::insert_into(retention::table).values(&first).on_conflict_do_nothing().execute(c).await?;
        let free = retention::table.filter(retention::name.eq(RUN)).filter(retention::until.le(*now));
        let ours = (retention::owner.eq(owner), retention::until.eq(*until));
        let leased = match since {
            None => diesel::update(free).set(ours).execute(c).await?,
            Some(since) => {
                let due = retention::ended_at.is_null().or(retention::ended_at.lt(*since));
                diesel::update(free.filter(due)).set(ours).execute(c).await?
            }
        };
        Ok(leased == 1)
    }

    pub(super) async fn end(c: &mut Connection, owner: &str, now: &i64) -> Result<(), StoreError> {
        let ours = retention::table.filter(retention::name.eq(RUN)).filter(retention::owner.eq(owner));
        diesel::update(ours).set((retention::until.eq(0), retention::ended_at.eq(*now))).execute(c).await?;
        Ok(())
    }

    pub(super) async fn so_far(c: &mut Connection) -> Result<Vec<RetentionRecord>, StoreError> {
        Ok(retention::table.order(retention::name.asc()).select(RetentionRecord::as_select()).load(c).await?)
    }
}
