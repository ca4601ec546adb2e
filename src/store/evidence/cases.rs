//! Doubts about earlier values of a meter, collected in cases (key-registry.md SAF-44), and the CDRs that are still to be looked through.
//!
//! One open case for each meter of an operator, whoever finds the doubt: a unique index says so. What was found and which CDRs it touches is
//! only added; a case ends when a person closes it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};
use uuid::Uuid;

use super::traces::{TraceKind, TraceRecord, Traces};
use crate::store::schema::{case_cdrs, case_findings, cases, cdrs, traces, unexamined};
use crate::store::value::{count, instant, later, micros, page};
use crate::store::{Store, StoreError, ask, both, change};

/// What a case is about: a meter, or for want of a serial number what stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CaseSubject {
    /// The CPO as `DE/ABC`.
    pub cpo_key: String,
    /// What the name is the name of.
    pub kind: TraceKind,
    /// The name, folded as in traces.
    pub name: String,
}

/// A CDR to be looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Its row.
    pub row_id: String,
    /// The CPO as `DE/ABC`.
    pub cpo_key: String,
    /// Its delivery word.
    pub delivery: String,
    /// The newest verdict as JSON.
    pub report: String,
    /// The names it was entered under; `None` when it was not yet.
    pub traces: Option<Traces>,
}

/// A stretch of a meter's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterSpan {
    /// The meter.
    pub subject: CaseSubject,
    /// From, in microseconds since 1970.
    pub began_at: i64,
    /// To, the same.
    pub ended_at: i64,
}

/// A CDR of the same meter, before or after in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterNeighbour {
    /// Its row.
    pub row_id: String,
    /// The end of charging in microseconds since 1970.
    pub ended_at: i64,
    /// The newest verdict as JSON.
    pub report: String,
}

/// What opens a case, or goes into the one that is open.
#[derive(Clone, Debug)]
pub struct CaseDoubt {
    /// What it is about.
    pub subject: CaseSubject,
    /// The name as people write it.
    pub shown_as: String,
    /// What was found, by finding code: a sentence for each.
    pub findings: Vec<(String, String)>,
    /// The last CDR of the meter that is beyond doubt: row, and end of charging in microseconds.
    pub last_good: Option<(String, i64)>,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Its id (UUIDv7).
    pub id: String,
    /// The CPO as `DE/ABC`.
    pub cpo_key: String,
    /// `METER`, `GATEWAY` or `EVSE`.
    pub subject_kind: String,
    /// The name as people write it.
    pub shown_as: String,
    /// The last CDR beyond doubt (row id).
    pub last_good: Option<String>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// By whom.
    pub closed_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// How many CDRs it touches.
    pub cdrs: u64,
}

/// A finding of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFinding {
    /// The CDR it was found at.
    pub cdr: CaseMember,
    /// The finding code.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// When it was found.
    pub found_at: DateTime<Utc>,
}

/// A CDR as cases name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseMember {
    /// Its row.
    pub row_id: String,
    /// Country code of the CPO.
    pub country_code: String,
    /// Party id of the CPO.
    pub party_id: String,
    /// Its id.
    pub cdr_id: String,
    /// Status of the verdict in force.
    pub metering_status: String,
}

/// The most CDRs that one opening puts into a case.
const MEMBERS: i64 = 100_000;

impl TraceKind {
    /// The word of a case.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            TraceKind::Evse => "EVSE",
            TraceKind::Uid => "EVSE_UID",
            TraceKind::Meter => "METER",
            TraceKind::Gateway => "GATEWAY",
            TraceKind::Fingerprint => "KEY",
        }
    }
}

impl Store {
    /// CDRs whose newest verdict was not looked through yet, in the order of arrival.
    pub async fn unexamined(&self, limit: u32) -> Result<Vec<Examined>, StoreError> {
        let rows = i64::from(limit);
        let Unexamined {
            waiting,
            mut reports,
            traces,
        } = ask!(self, unexamined_rows(rows))?;
        let mut named: HashMap<String, Vec<TraceRecord>> = HashMap::new();
        for trace in traces {
            named.entry(trace.cdr.clone()).or_default().push(trace);
        }
        let read = |(row_id, cpo_key, delivery): (String, String, String)| Examined {
            report: reports.remove(&row_id).unwrap_or_default(),
            traces: named.remove(&row_id).and_then(Traces::read),
            row_id,
            cpo_key,
            delivery,
        };
        Ok(waiting.into_iter().map(read).collect())
    }

    /// CDRs of a meter that ended charging at or before an instant, latest first, after `skip` of them; rejected ones aside.
    pub async fn meter_before(
        &self,
        subject: &CaseSubject,
        ended_at: i64,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<MeterNeighbour>, StoreError> {
        let (subject, skip, rows) = (subject.clone(), i64::from(skip), i64::from(limit));
        let found = ask!(self, before(subject, ended_at, skip, rows))?;
        Ok(found.into_iter().map(MeterNeighbour::of).collect())
    }

    /// For each stretch, what stands beside it at its meter, the nearest first: CDRs that ended charging at its begin or before, and those
    /// that ended after its end; `limit` of each, rejected ones aside.
    pub async fn meter_neighbours(
        &self,
        spans: Vec<MeterSpan>,
        limit: u32,
    ) -> Result<Vec<[Vec<MeterNeighbour>; 2]>, StoreError> {
        let rows = i64::from(limit);
        let found = ask!(self, beside(spans, rows))?;
        let read = |side: Vec<_>| side.into_iter().map(MeterNeighbour::of).collect();
        Ok(found.into_iter().map(|sides| sides.map(read)).collect())
    }

    /// Notes that these were looked through without a doubt. Those of a meter with an open case join it.
    pub async fn examined(&self, clean: Vec<(String, Option<CaseSubject>)>) -> Result<(), StoreError> {
        if clean.is_empty() {
            return Ok(());
        }
        change!(self, pass(clean))
    }

    /// Notes a doubt found at a CDR: it goes into the open case of the meter, or opens one for all its CDRs since the last good value.
    /// Returns the id of the case.
    pub async fn case_doubt(&self, row_id: &str, doubt: CaseDoubt, now: DateTime<Utc>) -> Result<String, StoreError> {
        let (row_id, now) = (row_id.to_owned(), micros(now));
        for _ in 0..3 {
            let (row, doubt) = (row_id.clone(), doubt.clone());
            match change!(self, doubted(row, doubt, now)) {
                // Somebody opened a case for the meter in this moment: now it is there to be found.
                Err(StoreError::Conflict(_)) => {}
                done => return done,
            }
        }
        Err(StoreError::Busy)
    }

    /// Cases, newest first, after `cursor` (an id), and where to go on.
    pub async fn case_list(
        &self,
        open: Option<bool>,
        cpo_key: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<CaseRow>, Option<String>), StoreError> {
        let (cpo_key, before, rows) = (
            cpo_key.map(str::to_owned),
            cursor.map(str::to_owned),
            i64::from(limit) + 1,
        );
        let (records, next) = page(ask!(self, list(open, cpo_key, before, rows))?, limit, |(case, _)| {
            &case.id
        });
        Ok((
            records.into_iter().map(CaseRecord::read).collect::<Result<_, _>>()?,
            next,
        ))
    }

    /// One case.
    pub async fn case_get(&self, id: &str) -> Result<Option<CaseRow>, StoreError> {
        let id = id.to_owned();
        ask!(self, get(id))?.map(CaseRecord::read).transpose()
    }

    /// What was found, in the order in which it was.
    pub async fn case_findings(&self, id: &str) -> Result<Vec<CaseFinding>, StoreError> {
        let id = id.to_owned();
        let found = ask!(self, findings(id))?;
        let read = |(code, message, found_at, member): (String, String, i64, Member)| {
            Ok(CaseFinding {
                cdr: CaseMember::of(member),
                code,
                message,
                found_at: instant(found_at)?,
            })
        };
        found.into_iter().map(read).collect()
    }

    /// The CDRs it touches, in the order of arrival, after `cursor` (a row id), and where to go on.
    pub async fn case_members(
        &self,
        id: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<CaseMember>, Option<String>), StoreError> {
        let (id, after, rows) = (
            id.to_owned(),
            cursor.unwrap_or_default().to_owned(),
            i64::from(limit) + 1,
        );
        let (found, next) = page(ask!(self, members(id, after, rows))?, limit, |member| &member.0);
        Ok((found.into_iter().map(CaseMember::of).collect(), next))
    }

    /// Closes a case. `false` when it is closed already: then nothing is written. `NotFound` when there is no such case.
    pub async fn case_close(&self, id: &str, by: &str, reason: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let (id, by, reason, now) = (id.to_owned(), by.to_owned(), reason.to_owned(), micros(now));
        change!(self, close(id, by, reason, now))
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = cases, treat_none_as_default_value = false)]
pub(in crate::store) struct CaseRecord {
    id: String,
    cpo_key: String,
    subject_kind: String,
    subject: String,
    shown_as: String,
    last_good: Option<String>,
    opened_at: i64,
    closed_at: Option<i64>,
    closed_by: Option<String>,
    reason: Option<String>,
}

/// CDRs to be looked through, and in no order what there is to know of them: the newest verdict of each, and its names.
pub(in crate::store) struct Unexamined {
    waiting: Vec<(String, String, String)>,
    reports: HashMap<String, String>,
    traces: Vec<TraceRecord>,
}

/// Row, end of charging, newest verdict.
type Judged = (String, i64, String);

/// Row, country code, party id, id, status.
type Member = (String, String, String, String, String);

/// Traces of what a case is about. A macro because the type of a boxed query names its database.
macro_rules! of_subject {
    ($subject:expr) => {{
        let found = traces::table
            .inner_join(cdrs::table)
            .filter(cdrs::cpo_key.eq(&$subject.cpo_key))
            .into_boxed();
        match $subject.kind {
            TraceKind::Evse => found.filter(traces::evse.eq(&$subject.name)),
            TraceKind::Uid => found.filter(traces::uid.eq(&$subject.name)),
            TraceKind::Meter => found.filter(traces::meter.eq(&$subject.name)),
            TraceKind::Gateway => found.filter(traces::gateway.eq(&$subject.name)),
            TraceKind::Fingerprint => found.filter(traces::fingerprint.eq(&$subject.name)),
        }
    }};
}

both! {
    pub(super) async fn unexamined_rows(c: &mut Connection, rows: &i64) -> Result<Unexamined, StoreError> {
        let waiting = unexamined::table.inner_join(cdrs::table).order(unexamined::cdr.asc()).limit(*rows);
        let waiting: Vec<(String, String, String)> =
            waiting.select((cdrs::id, cdrs::cpo_key, cdrs::delivery)).load(c).await?;
        let ids: Vec<&str> = waiting.iter().map(|(row_id, ..)| row_id.as_str()).collect();
        let reports = judgements::newest_reports(c, &ids).await?;
        let names = traces::table.filter(traces::cdr.eq_any(&ids)).order((traces::cdr.asc(), traces::nth.asc()));
        let traces = names.select(TraceRecord::as_select()).load(c).await?;
        Ok(Unexamined { waiting, reports, traces })
    }

    pub(super) async fn before(
        c: &mut Connection,
        subject: &CaseSubject,
        ended_at: &i64,
        skip: &i64,
        rows: &i64,
    ) -> Result<Vec<Judged>, StoreError> {
        let found = ended_by(c, subject, ended_at, skip, rows).await?;
        judgements::beside(c, found).await
    }

    async fn ended_by(
        c: &mut Connection,
        subject: &CaseSubject,
        ended_at: &i64,
        skip: &i64,
        rows: &i64,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let found = of_subject!(subject)
            .filter(cdrs::delivery.ne("rejected"))
            .filter(traces::ended_at.le(*ended_at))
            .order((traces::ended_at.desc(), traces::cdr.desc()))
            .offset(*skip)
            .limit(*rows);
        Ok(found.select((traces::cdr, traces::ended_at)).load(c).await?)
    }

    async fn ended_after(
        c: &mut Connection,
        subject: &CaseSubject,
        ended_at: &i64,
        rows: &i64,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let found = of_subject!(subject)
            .filter(cdrs::delivery.ne("rejected"))
            .filter(traces::ended_at.gt(*ended_at))
            // What ended nobody knows when is neither before nor after.
            .filter(traces::ended_at.lt(i64::MAX))
            .order((traces::ended_at.asc(), traces::cdr.asc()))
            .limit(*rows);
        Ok(found.select((traces::cdr, traces::ended_at)).load(c).await?)
    }

    pub(super) async fn beside(
        c: &mut Connection,
        spans: &[MeterSpan],
        rows: &i64,
    ) -> Result<Vec<[Vec<Judged>; 2]>, StoreError> {
        // All places first: then the verdicts on all of them are one question.
        let mut places = Vec::with_capacity(spans.len());
        for span in spans {
            places.push([
                ended_by(c, &span.subject, &span.began_at, &0, rows).await?,
                ended_after(c, &span.subject, &span.ended_at, rows).await?,
            ]);
        }
        let ids: Vec<&str> = places.iter().flatten().flatten().map(|(row_id, _)| row_id.as_str()).collect();
        let reports = judgements::newest_reports(c, &ids).await?;
        let judged = |(row_id, ended_at): (String, i64)| {
            let report = reports.get(&row_id).cloned().unwrap_or_default();
            (row_id, ended_at, report)
        };
        let side = |side: Vec<(String, i64)>| side.into_iter().map(judged).collect();
        Ok(places.into_iter().map(|sides| sides.map(side)).collect())
    }

    pub(super) async fn pass(c: &mut Connection, clean: &[(String, Option<CaseSubject>)]) -> Result<(), StoreError> {
        let ids: Vec<&String> = clean.iter().map(|(row_id, _)| row_id).collect();
        diesel::delete(unexamined::table.filter(unexamined::cdr.eq_any(ids))).execute(c).await?;
        let names: Vec<&String> = clean.iter().filter_map(|(_, subject)| Some(&subject.as_ref()?.name)).collect();
        let open = cases::table.filter(cases::closed_at.is_null()).filter(cases::subject.eq_any(names));
        let open: Vec<CaseRecord> = open.select(CaseRecord::as_select()).load(c).await?;
        for case in open {
            for (row_id, subject) in clean {
                if subject.as_ref().is_some_and(|subject| case.is_about(subject)) {
                    join(c, &case.id, row_id).await?;
                }
            }
        }
        Ok(())
    }

    async fn join(c: &mut Connection, case: &str, row_id: &str) -> Result<(), StoreError> {
        let member = (case_cdrs::case_id.eq(case), case_cdrs::cdr.eq(row_id));
        diesel::insert_into(case_cdrs::table).values(member).on_conflict_do_nothing().execute(c).await?;
        Ok(())
    }

    pub(super) async fn doubted(
        c: &mut Connection,
        row_id: &str,
        doubt: &CaseDoubt,
        now: &i64,
    ) -> Result<String, StoreError> {
        diesel::delete(unexamined::table.filter(unexamined::cdr.eq(row_id))).execute(c).await?;
        let subject = &doubt.subject;
        let open: Option<String> = cases::table
            .filter(cases::cpo_key.eq(&subject.cpo_key))
            .filter(cases::subject_kind.eq(subject.kind.word()))
            .filter(cases::subject.eq(&subject.name))
            .filter(cases::closed_at.is_null())
            .select(cases::id)
            .first(c)
            .await
            .optional()?;
        let case = match open {
            Some(case) => case,
            None => {
                // One that a person closed about this very CDR and code is not opened again for nothing new.
                let known = case_findings::table.filter(case_findings::cdr.eq(row_id));
                let known: Vec<String> = known.select(case_findings::code).load(c).await?;
                if let Some(closed) = closed_about(c, row_id, doubt, &known).await? {
                    return Ok(closed);
                }
                let case = CaseRecord {
                    id: Uuid::now_v7().to_string(),
                    cpo_key: subject.cpo_key.clone(),
                    subject_kind: subject.kind.word().to_owned(),
                    subject: subject.name.clone(),
                    shown_as: doubt.shown_as.clone(),
                    last_good: doubt.last_good.as_ref().map(|(row_id, _)| row_id.clone()),
                    opened_at: *now,
                    closed_at: None,
                    closed_by: None,
                    reason: None,
                };
                diesel::insert_into(cases::table).values(&case).execute(c).await?;
                case.id
            }
        };
        for (code, message) in &doubt.findings {
            let finding = (
                case_findings::case_id.eq(&case),
                case_findings::cdr.eq(row_id),
                case_findings::code.eq(code),
                case_findings::message.eq(message),
                case_findings::found_at.eq(*now),
            );
            diesel::insert_into(case_findings::table).values(finding).on_conflict_do_nothing().execute(c).await?;
        }
        let since = doubt.last_good.as_ref().map_or(i64::MIN, |(_, ended_at)| *ended_at);
        let good = doubt.last_good.as_ref().map(|(row_id, _)| row_id.clone()).unwrap_or_default();
        let touched = of_subject!(subject)
            .filter(traces::ended_at.ge(since))
            .filter(traces::cdr.ne(good))
            .order((traces::ended_at.desc(), traces::cdr.desc()))
            .limit(MEMBERS);
        let touched: Vec<String> = touched.select(traces::cdr).load(c).await?;
        for member in &touched {
            join(c, &case, member).await?;
        }
        join(c, &case, row_id).await?;
        Ok(case)
    }

    async fn closed_about(
        c: &mut Connection,
        row_id: &str,
        doubt: &CaseDoubt,
        known: &[String],
    ) -> Result<Option<String>, StoreError> {
        if !doubt.findings.iter().all(|(code, _)| known.contains(code)) {
            return Ok(None);
        }
        let last = case_findings::table.filter(case_findings::cdr.eq(row_id)).order(case_findings::found_at.desc());
        Ok(last.select(case_findings::case_id).first(c).await.optional()?)
    }

    pub(super) async fn list(
        c: &mut Connection,
        open: &Option<bool>,
        cpo_key: &Option<String>,
        before: &Option<String>,
        rows: &i64,
    ) -> Result<Vec<(CaseRecord, i64)>, StoreError> {
        let mut query = cases::table.select(CaseRecord::as_select()).order(cases::id.desc()).limit(*rows).into_boxed();
        match open {
            Some(true) => query = query.filter(cases::closed_at.is_null()),
            Some(false) => query = query.filter(cases::closed_at.is_not_null()),
            None => {}
        }
        if let Some(cpo_key) = cpo_key {
            query = query.filter(cases::cpo_key.eq(cpo_key));
        }
        if let Some(before) = before {
            query = query.filter(cases::id.lt(before));
        }
        let found: Vec<CaseRecord> = query.load(c).await?;
        let mut counted = Vec::with_capacity(found.len());
        for case in found {
            let cdrs = size(c, &case.id).await?;
            counted.push((case, cdrs));
        }
        Ok(counted)
    }

    async fn size(c: &mut Connection, case: &str) -> Result<i64, StoreError> {
        Ok(case_cdrs::table.filter(case_cdrs::case_id.eq(case)).count().get_result(c).await?)
    }

    pub(super) async fn get(c: &mut Connection, id: &str) -> Result<Option<(CaseRecord, i64)>, StoreError> {
        let case: Option<CaseRecord> =
            cases::table.filter(cases::id.eq(id)).select(CaseRecord::as_select()).first(c).await.optional()?;
        match case {
            None => Ok(None),
            Some(case) => {
                let cdrs = size(c, &case.id).await?;
                Ok(Some((case, cdrs)))
            }
        }
    }

    pub(super) async fn findings(
        c: &mut Connection,
        id: &str,
    ) -> Result<Vec<(String, String, i64, Member)>, StoreError> {
        let found = case_findings::table.inner_join(cdrs::table.on(cdrs::id.eq(case_findings::cdr)));
        let found = found
            .filter(case_findings::case_id.eq(id))
            .order((case_findings::found_at.asc(), case_findings::cdr.asc(), case_findings::code.asc()));
        let member = (cdrs::id, cdrs::country_code, cdrs::party_id, cdrs::cdr_id, cdrs::metering_status);
        Ok(found
            .select((case_findings::code, case_findings::message, case_findings::found_at, member))
            .load(c)
            .await?)
    }

    pub(super) async fn members(
        c: &mut Connection,
        id: &str,
        after: &str,
        rows: &i64,
    ) -> Result<Vec<Member>, StoreError> {
        let found = case_cdrs::table.inner_join(cdrs::table.on(cdrs::id.eq(case_cdrs::cdr)));
        let found = found
            .filter(case_cdrs::case_id.eq(id))
            .filter(case_cdrs::cdr.gt(after))
            .order(case_cdrs::cdr.asc())
            .limit(*rows);
        let member = (cdrs::id, cdrs::country_code, cdrs::party_id, cdrs::cdr_id, cdrs::metering_status);
        Ok(found.select(member).load(c).await?)
    }

    pub(super) async fn close(
        c: &mut Connection,
        id: &str,
        by: &str,
        reason: &str,
        now: &i64,
    ) -> Result<bool, StoreError> {
        let open = cases::table.filter(cases::id.eq(id)).filter(cases::closed_at.is_null());
        let closed = (cases::closed_at.eq(Some(*now)), cases::closed_by.eq(Some(by)), cases::reason.eq(Some(reason)));
        if diesel::update(open).set(closed).execute(c).await? == 1 {
            return Ok(true);
        }
        let there: i64 = cases::table.filter(cases::id.eq(id)).count().get_result(c).await?;
        if there == 0 { Err(StoreError::NotFound) } else { Ok(false) }
    }
}

impl CaseRecord {
    fn is_about(&self, subject: &CaseSubject) -> bool {
        self.cpo_key == subject.cpo_key && self.subject_kind == subject.kind.word() && self.subject == subject.name
    }

    fn read((case, cdrs): (CaseRecord, i64)) -> Result<CaseRow, StoreError> {
        Ok(CaseRow {
            id: case.id,
            cpo_key: case.cpo_key,
            subject_kind: case.subject_kind,
            shown_as: case.shown_as,
            last_good: case.last_good,
            opened_at: instant(case.opened_at)?,
            closed_at: later(case.closed_at)?,
            closed_by: case.closed_by,
            reason: case.reason,
            cdrs: count(cdrs),
        })
    }
}

impl MeterNeighbour {
    pub(super) fn of((row_id, ended_at, report): (String, i64, String)) -> MeterNeighbour {
        MeterNeighbour {
            row_id,
            ended_at,
            report,
        }
    }
}

impl CaseMember {
    fn of((row_id, country_code, party_id, cdr_id, metering_status): Member) -> CaseMember {
        CaseMember {
            row_id,
            country_code,
            party_id,
            cdr_id,
            metering_status,
        }
    }
}
