//! What submitters of registrations are to be told, and whether they were.
//!
//! A confirmation is committed with the state it tells of ([`super::registry`]), together with the duty to deliver it. What is posted and
//! how that went stays here when the duty is gone: who submitted may look.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::journal::{JournalEntry, JournalRecord};
use super::outbox::NewDuty;
use super::schema::{confirmations, journal, outbox};
use super::value::{instant, later, micros};
use super::{Store, StoreError, ask, both, change};

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConfirmation {
    /// The duty to deliver it.
    pub duty: NewDuty,
    /// Of which registration.
    pub registration: String,
    /// Where it is posted.
    pub url: String,
    /// What is posted.
    pub body: String,
}

/// The same, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmationRow {
    /// The duty to deliver it, done or not.
    pub duty: String,
    /// Of which registration.
    pub registration: String,
    /// Where it is posted.
    pub url: String,
    /// What is posted.
    pub body: String,
    /// `pending`, `delivered`, `dead` or `forgiven`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When the last time.
    pub last_at: Option<DateTime<Utc>>,
    /// How that ended.
    pub last_outcome: Option<String>,
    /// When it came to be told.
    pub created_at: DateTime<Utc>,
}

/// How an attempt at delivering ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfirmationEnd {
    /// It was taken.
    Delivered,
    /// It was not, and is tried again at this instant.
    Postponed(DateTime<Utc>),
    /// It was not, and its time is over.
    Dead,
}

impl Store {
    /// What a duty is to deliver.
    pub async fn confirmation_of_duty(&self, duty: &str) -> Result<Option<ConfirmationRow>, StoreError> {
        let duty = duty.to_owned();
        ask!(self, of_duty(duty))?.map(ConfirmationRecord::read).transpose()
    }

    /// What was or is to be told of these registrations, oldest first.
    pub async fn confirmations_of(&self, registrations: &[String]) -> Result<Vec<ConfirmationRow>, StoreError> {
        let registrations = registrations.to_vec();
        ask!(self, of_registrations(registrations))?
            .into_iter()
            .map(ConfirmationRecord::read)
            .collect()
    }

    /// Settles an attempt: the duty, what is shown of it, and the line in the journal. `false`, and nothing is written, when the duty is
    /// gone: somebody else has settled it.
    pub async fn confirmation_settle(
        &self,
        duty: &str,
        end: ConfirmationEnd,
        outcome: &str,
        journal: JournalEntry,
    ) -> Result<bool, StoreError> {
        let settle = Settle {
            duty: duty.to_owned(),
            end,
            outcome: outcome.to_owned(),
            at: micros(journal.at),
            line: JournalRecord::from(journal),
        };
        change!(self, settle(settle))
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = confirmations, treat_none_as_default_value = false)]
pub(super) struct ConfirmationRecord {
    duty: String,
    registration: String,
    url: String,
    body: String,
    state: String,
    attempts: i64,
    last_at: Option<i64>,
    last_outcome: Option<String>,
    created_at: i64,
}

struct Settle {
    duty: String,
    end: ConfirmationEnd,
    outcome: String,
    at: i64,
    line: JournalRecord,
}

both! {
    pub(super) async fn of_duty(c: &mut Connection, duty: &str) -> Result<Option<ConfirmationRecord>, StoreError> {
        let query = confirmations::table.filter(confirmations::duty.eq(duty));
        Ok(query.select(ConfirmationRecord::as_select()).first(c).await.optional()?)
    }

    pub(super) async fn of_registrations(
        c: &mut Connection,
        registrations: &[String],
    ) -> Result<Vec<ConfirmationRecord>, StoreError> {
        let query = confirmations::table.filter(confirmations::registration.eq_any(registrations));
        Ok(query.order(confirmations::duty.asc()).select(ConfirmationRecord::as_select()).load(c).await?)
    }

    pub(super) async fn settle(c: &mut Connection, settle: &Settle) -> Result<bool, StoreError> {
        let duty = outbox::table.filter(outbox::id.eq(&settle.duty)).filter(outbox::state.eq("owed"));
        let tried = (
            outbox::attempts.eq(outbox::attempts + 1),
            outbox::lease_owner.eq(None::<String>),
            outbox::lease_until.eq(0),
            outbox::last_outcome.eq(&settle.outcome),
        );
        let (settled, state) = match &settle.end {
            ConfirmationEnd::Delivered => (diesel::delete(duty).execute(c).await?, "delivered"),
            ConfirmationEnd::Postponed(next) => {
                let next = outbox::next_attempt_at.eq(micros(*next));
                (diesel::update(duty).set((tried, next)).execute(c).await?, "pending")
            }
            ConfirmationEnd::Dead => {
                (diesel::update(duty).set((tried, outbox::state.eq("dead"))).execute(c).await?, "dead")
            }
        };
        if settled == 0 {
            return Ok(false);
        }
        let shown = (
            confirmations::state.eq(state),
            confirmations::attempts.eq(confirmations::attempts + 1),
            confirmations::last_at.eq(settle.at),
            confirmations::last_outcome.eq(&settle.outcome),
        );
        let of_duty = confirmations::table.filter(confirmations::duty.eq(&settle.duty));
        diesel::update(of_duty).set(shown).execute(c).await?;
        diesel::insert_into(journal::table).values(&settle.line).execute(c).await?;
        Ok(true)
    }

    /// The operator has retried or forgiven the duty.
    pub(in crate::store) async fn mark(c: &mut Connection, duty: &str, state: &str) -> Result<(), StoreError> {
        let undelivered = confirmations::table.filter(confirmations::duty.eq(duty)).filter(confirmations::state.ne("delivered"));
        diesel::update(undelivered).set(confirmations::state.eq(state)).execute(c).await?;
        Ok(())
    }

    pub(in crate::store) async fn owe(c: &mut Connection, new: &ConfirmationRecord) -> Result<(), StoreError> {
        diesel::insert_into(confirmations::table).values(new).execute(c).await?;
        Ok(())
    }
}

impl ConfirmationRecord {
    pub(super) fn of(new: NewConfirmation) -> ConfirmationRecord {
        ConfirmationRecord {
            duty: new.duty.id,
            registration: new.registration,
            url: new.url,
            body: new.body,
            state: "pending".to_owned(),
            attempts: 0,
            last_at: None,
            last_outcome: None,
            created_at: micros(new.duty.created_at),
        }
    }

    fn read(self) -> Result<ConfirmationRow, StoreError> {
        Ok(ConfirmationRow {
            duty: self.duty,
            registration: self.registration,
            url: self.url,
            body: self.body,
            state: self.state,
            attempts: self.attempts,
            last_at: later(self.last_at)?,
            last_outcome: self.last_outcome,
            created_at: instant(self.created_at)?,
        })
    }
}
