//! What an attempt leaves behind.
//!
//! Everything hangs on one condition: the duty is still there and still asks for the revision that was sent. A lease that ran out while the
//! receiver thought about it changes nothing about what the receiver said.

use std::sync::Arc;

use diesel::sql_types::{BigInt, Nullable, Text};

use super::records::{AttemptRecord, Settle};
use super::{AttemptRow, Settled, Settlement};
use crate::store::schema::{attempts, cdrs, journal, outbox};
use crate::store::value::{Weight, micros};
use crate::store::{Engine, Store, StoreError, ask, both, change, sqlite as engine};

impl Store {
    /// Settles a duty on condition that it is still the one and the revision that was sent; otherwise `false`, and nothing is written.
    pub async fn cdr_settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        let settle = Arc::new(Settle::new(settlement)?);
        match &self.engine {
            Engine::Sqlite(db) => {
                let settled = db.change(settle.weight(), move |c| engine::now(sqlite::settle(c, &settle)));
                self.noting(settled.await)
            }
            // A good day is full of deliveries, and they share a statement; the rest has a transaction of its own.
            Engine::Postgres(db) if settle.result == Settled::Delivered => db.settle(settle).await,
            Engine::Postgres(_) => change!(self, settle(settle)),
        }
    }

    /// The attempts made for a CDR, oldest first.
    pub async fn attempts(&self, row_id: &str) -> Result<Vec<AttemptRow>, StoreError> {
        let row_id = row_id.to_owned();
        ask!(self, attempts(row_id))?
            .into_iter()
            .map(AttemptRecord::read)
            .collect()
    }
}

diesel::define_sql_function! {
    /// The first of the two that is there.
    #[sql_name = "COALESCE"]
    fn text_or(one: Nullable<Text>, other: Nullable<Text>) -> Nullable<Text>;
}

diesel::define_sql_function! {
    /// The first of the two that is there.
    #[sql_name = "COALESCE"]
    fn instant_or(one: Nullable<BigInt>, other: Nullable<BigInt>) -> Nullable<BigInt>;
}

both! {
    pub(super) async fn settle(c: &mut Connection, settle: &Settle) -> Result<bool, StoreError> {
        let duty = outbox::table
            .filter(outbox::id.eq(&settle.duty_id))
            .filter(outbox::revision.eq(settle.duty_revision))
            .filter(outbox::object_id.eq(&settle.row_id));
        let last_outcome = match &settle.result {
            Settled::Postponed { outcome, .. } => outcome,
            _ => &settle.attempt.outcome,
        };
        let tried = (
            outbox::attempts.eq(outbox::attempts + 1),
            outbox::lease_owner.eq(None::<String>),
            outbox::lease_until.eq(0),
            outbox::last_outcome.eq(last_outcome),
        );
        let (settled, delivery) = match &settle.result {
            Settled::Delivered => (diesel::delete(duty).execute(c).await?, "delivered"),
            Settled::Rejected => (diesel::delete(duty).execute(c).await?, "rejected"),
            Settled::Unanswered => (diesel::delete(duty).execute(c).await?, "pending"),
            Settled::Postponed { next_attempt_at, .. } => {
                let next = outbox::next_attempt_at.eq(micros(*next_attempt_at));
                (diesel::update(duty).set((tried, next)).execute(c).await?, "in_custody")
            }
            Settled::Dead => (diesel::update(duty).set((tried, outbox::state.eq("dead"))).execute(c).await?, "dead"),
        };
        if settled == 0 {
            return Ok(false);
        }
        mark(c, settle, delivery).await?;
        if settle.result == Settled::Rejected {
            credits::give_back(c, &settle.row_id).await?;
        }
        diesel::insert_into(attempts::table).values(&settle.attempt).execute(c).await?;
        if let Some(journal) = &settle.journal {
            diesel::insert_into(journal::table).values(journal).execute(c).await?;
        }
        Ok(true)
    }

    /// The CDR's own row, in one statement. What was kept from an earlier attempt stays.
    async fn mark(c: &mut Connection, settle: &Settle, delivery: &str) -> Result<(), StoreError> {
        let row = cdrs::table.filter(cdrs::id.eq(&settle.row_id));
        let said = (
            cdrs::delivery.eq(delivery),
            cdrs::receiver_location.eq(text_or(&settle.receiver_location, cdrs::receiver_location)),
            cdrs::first_answer.eq(text_or(cdrs::first_answer, &settle.first_answer)),
        );
        if settle.result == Settled::Delivered {
            // Now at the latest its eMSP has it. A rejection shows nothing that was not shown before (design 3.6.5, without
            // custody).
            let at = settle.attempt.at;
            let later = diesel::dsl::case_when(cdrs::last_updated.gt(at), cdrs::last_updated).otherwise(at);
            let seen = (
                cdrs::visible_at.eq(instant_or(cdrs::visible_at, at)),
                cdrs::listed_at.eq(instant_or(cdrs::listed_at, later.nullable())),
            );
            diesel::update(row).set((said, seen)).execute(c).await?;
        } else {
            diesel::update(row).set(said).execute(c).await?;
        }
        Ok(())
    }

    pub(super) async fn attempts(c: &mut Connection, row_id: &str) -> Result<Vec<AttemptRecord>, StoreError> {
        let query = attempts::table.filter(attempts::cdr.eq(row_id)).order(attempts::id.asc());
        Ok(query.select(AttemptRecord::as_select()).load(c).await?)
    }
}
