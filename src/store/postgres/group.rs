//! Many CDRs in one statement.
//!
//! A group of takes, or of deliveries, is one statement with one `WITH` part per table: one round trip, one flush, all or nothing. When a
//! member meets something unusual (a known id, a used block), the statement fails as a whole and its members are made one by one with the
//! plain queries, which know what to say about it.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::lane::Waiting;
use super::{Manager, StoreError, Transaction, again, connection};
use crate::store::evidence::records::{
    AttemptRecords, BlockRecords, CdrRecords, OctetsRecords, Settle, Take, UnexaminedRecords, VerdictRecords,
};
use crate::store::evidence::traces::TraceRecords;
use crate::store::journal::JournalRecords;
use crate::store::outbox::DutyRecords;
use diesel_async::TransactionManager;

/// Writers of CDRs. While one waits for the disk the other fills its group: 24 k rows/s with two, 21 k with one, no more with three.
pub(super) const WRITERS: usize = 2;

type Written = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes a group of CDRs.
pub(super) fn take(pool: Pool<AsyncPgConnection>, group: Vec<Waiting<Take, ()>>) -> Written {
    Box::pin(async move {
        match take_together(&pool, &group).await {
            Ok(()) => group.into_iter().for_each(|waiting| waiting.answer(Ok(()))),
            // Nobody knows whether it was kept. Repeating a take is safe, but that is the sender's to decide.
            Err(StoreError::Unavailable(why)) => {
                group
                    .into_iter()
                    .for_each(|waiting| waiting.answer(Err(StoreError::Unavailable(why.clone()))));
            }
            // Away from the queue, which must not wait for what is unusual.
            Err(_) => drop(tokio::spawn(async move {
                for waiting in group {
                    let outcome = take_alone(&pool, waiting.job.clone()).await;
                    waiting.answer(outcome);
                }
            })),
        }
    })
}

/// Settles a group of deliveries.
pub(super) fn settle(pool: Pool<AsyncPgConnection>, group: Vec<Waiting<Settle, bool>>) -> Written {
    Box::pin(async move {
        let mut tries = 0;
        let settled = loop {
            let outcome = settle_together(&pool, &group).await;
            if !again(&outcome, &mut tries).await {
                break outcome;
            }
        };
        match settled {
            Ok(mut settled) => {
                for waiting in group {
                    // `remove`: when one duty is settled twice in a group, the first one did it.
                    let done = settled.remove(&waiting.job.duty_id);
                    waiting.answer(Ok(done));
                }
            }
            Err(error) => group.into_iter().for_each(|waiting| waiting.answer(Err(error.clone()))),
        }
    })
}

async fn take_together(pool: &Pool<AsyncPgConnection>, group: &[Waiting<Take, ()>]) -> Result<(), StoreError> {
    let takes: Vec<&Take> = group.iter().map(|waiting| &*waiting.job).collect();
    let query = TakeTogether {
        cdrs: CdrRecords::of(takes.iter().map(|take| &take.cdr)),
        octets: OctetsRecords::of(takes.iter().map(|take| &take.octets)),
        verdicts: VerdictRecords::of(takes.iter().map(|take| &take.verdict)),
        blocks: BlockRecords::of(takes.iter().flat_map(|take| &take.blocks)),
        duties: DutyRecords::of(takes.iter().filter_map(|take| take.duty.as_ref())),
        traces: TraceRecords::of(takes.iter().flat_map(|take| &take.traces)),
        unexamined: UnexaminedRecords::of(takes.iter().map(|take| &take.unexamined)),
        journal: JournalRecords::of(takes.iter().map(|take| &take.journal)),
    };
    // A statement outside of a transaction is one: no BEGIN, no COMMIT to travel.
    query.execute(&mut *connection(pool).await?).await?;
    Ok(())
}

async fn take_alone(pool: &Pool<AsyncPgConnection>, take: Arc<Take>) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        let mut connection = connection(pool).await?;
        Manager::begin_transaction(&mut *connection).await?;
        let mut transaction = Transaction { connection };
        let outcome = crate::store::evidence::take::postgres::insert(&mut transaction.connection, &take).await;
        let outcome = transaction.end(outcome).await;
        if !again(&outcome, &mut tries).await {
            return outcome;
        }
    }
}

async fn settle_together(
    pool: &Pool<AsyncPgConnection>,
    group: &[Waiting<Settle, bool>],
) -> Result<HashSet<String>, StoreError> {
    // One duty twice in one statement would be joined twice; the second one is answered `false` anyway.
    let mut seen = HashSet::new();
    let settles: Vec<&Settle> = group
        .iter()
        .map(|waiting| &*waiting.job)
        .filter(|settle| seen.insert(&settle.duty_id))
        .collect();
    let query = SettleTogether {
        duties: settles.iter().map(|settle| &settle.duty_id).collect(),
        revisions: settles.iter().map(|settle| &settle.duty_revision).collect(),
        cdrs: settles.iter().map(|settle| &settle.row_id).collect(),
        instants: settles.iter().map(|settle| &settle.attempt.at).collect(),
        locations: settles.iter().map(|settle| &settle.receiver_location).collect(),
        answers: settles.iter().map(|settle| &settle.first_answer).collect(),
        attempts: AttemptRecords::of(settles.iter().map(|settle| &settle.attempt)),
        journal_duties: settles
            .iter()
            .filter(|settle| settle.journal.is_some())
            .map(|settle| &settle.duty_id)
            .collect(),
        journal: JournalRecords::of(settles.iter().filter_map(|settle| settle.journal.as_ref())),
    };
    let settled: Vec<String> = query.load(&mut *connection(pool).await?).await?;
    Ok(settled.into_iter().collect())
}

/// One statement that takes many CDRs.
struct TakeTogether<'a> {
    cdrs: CdrRecords<'a>,
    octets: OctetsRecords<'a>,
    verdicts: VerdictRecords<'a>,
    blocks: BlockRecords<'a>,
    duties: DutyRecords<'a>,
    traces: TraceRecords<'a>,
    unexamined: UnexaminedRecords<'a>,
    journal: JournalRecords<'a>,
}

impl QueryFragment<Pg> for TakeTogether<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let insert = |table: &str, columns: String| format!("INSERT INTO {table} ({columns}) SELECT * FROM ");
        out.push_sql("WITH taken AS (");
        out.push_sql(&insert("cdrs", CdrRecords::columns()));
        self.cdrs.unnest(&mut out)?;
        out.push_sql("), kept AS (");
        out.push_sql(&insert("octets", OctetsRecords::columns()));
        self.octets.unnest(&mut out)?;
        out.push_sql("), judged AS (");
        out.push_sql(&insert("verdicts", VerdictRecords::columns()));
        self.verdicts.unnest(&mut out)?;
        out.push_sql("), used AS (");
        out.push_sql(&insert("used_blocks", BlockRecords::columns()));
        self.blocks.unnest(&mut out)?;
        out.push_sql("), owed AS (");
        out.push_sql(&insert("outbox", DutyRecords::columns()));
        self.duties.unnest(&mut out)?;
        out.push_sql("), traced AS (");
        out.push_sql(&insert("traces", TraceRecords::columns()));
        self.traces.unnest(&mut out)?;
        out.push_sql("), asked AS (");
        out.push_sql(&insert("unexamined", UnexaminedRecords::columns()));
        self.unexamined.unnest(&mut out)?;
        out.push_sql(") ");
        out.push_sql(&insert("journal", JournalRecords::columns()));
        self.journal.unnest(&mut out)
    }
}

/// The text never changes, whatever is bound: it is prepared once per connection.
impl QueryId for TakeTogether<'_> {
    type QueryId = TakeTogether<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

/// One statement that settles many deliveries, each on condition that its duty is still the one that was sent.
struct SettleTogether<'a> {
    duties: Vec<&'a String>,
    revisions: Vec<&'a i64>,
    cdrs: Vec<&'a String>,
    instants: Vec<&'a i64>,
    locations: Vec<&'a Option<String>>,
    answers: Vec<&'a Option<String>>,
    attempts: AttemptRecords<'a>,
    journal_duties: Vec<&'a String>,
    journal: JournalRecords<'a>,
}

impl QueryFragment<Pg> for SettleTogether<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH asked AS (SELECT * FROM UNNEST(");
        out.push_bind_param::<Array<Text>, _>(&self.duties)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.revisions)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.cdrs)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.instants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.locations)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.answers)?;
        out.push_sql(
            ") AS a (duty, revision, cdr, at, location, answer)), \
             done AS (DELETE FROM outbox USING asked \
             WHERE outbox.id = asked.duty AND outbox.revision = asked.revision AND outbox.object_id = asked.cdr \
             RETURNING asked.duty, asked.cdr, asked.at, asked.location, asked.answer), \
             marked AS (UPDATE cdrs SET delivery = 'delivered', \
             visible_at = COALESCE(visible_at, done.at), \
             listed_at = COALESCE(listed_at, GREATEST(last_updated, done.at)), \
             receiver_location = COALESCE(done.location, receiver_location), \
             first_answer = COALESCE(first_answer, done.answer) \
             FROM done WHERE cdrs.id = done.cdr), \
             tried AS (INSERT INTO attempts (",
        );
        out.push_sql(&AttemptRecords::columns());
        out.push_sql(") SELECT a.* FROM ");
        self.attempts.unnest(&mut out)?;
        out.push_sql(" AS a (");
        out.push_sql(&AttemptRecords::columns());
        out.push_sql(") JOIN done ON done.cdr = a.cdr), written AS (INSERT INTO journal (");
        out.push_sql(&JournalRecords::columns());
        out.push_sql(") SELECT ");
        out.push_sql(
            &JournalRecords::columns()
                .split(", ")
                .map(|name| format!("j.{name}"))
                .collect::<Vec<_>>()
                .join(", "),
        );
        out.push_sql(" FROM ");
        self.journal.unnest(&mut out)?;
        out.push_sql(" WITH ORDINALITY AS j (");
        out.push_sql(&JournalRecords::columns());
        // The ordinal is how a journal line finds its duty: the line itself does not name it.
        out.push_sql(", nth) JOIN UNNEST(");
        out.push_bind_param::<Array<Text>, _>(&self.journal_duties)?;
        out.push_sql(
            ") WITH ORDINALITY AS d (duty, nth) USING (nth) JOIN done ON done.duty = d.duty) \
             SELECT duty FROM done",
        );
        Ok(())
    }
}

impl QueryId for SettleTogether<'_> {
    type QueryId = SettleTogether<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for SettleTogether<'_> {
    type SqlType = Text;
}
