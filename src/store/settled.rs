//! How an attempt at telling a platform a state ended: a ClientInfo, a key that was published, a verdict that does not hold.
//!
//! A state is not an event: while one is owed, a newer one takes its place. So an attempt ends a duty, or puts it off, on condition that what
//! was sent is still what is to be told.

use chrono::{DateTime, Utc};

use super::journal::{JournalEntry, JournalRecord};
use super::schema::{journal, outbox};
use super::value::micros;
use super::{Store, StoreError, both, change};

/// How an attempt at telling ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The duty is done, or will never be.
    Ended,
    /// To be tried again.
    Postponed {
        /// When.
        next_attempt_at: DateTime<Utc>,
        /// What was wrong.
        outcome: String,
    },
}

impl Store {
    /// Settles an attempt on condition that the revision is the one that was sent. `false` when there is something newer to tell: the lease
    /// of `owner` then ends, and the duty is due.
    pub async fn told_settle(
        &self,
        duty_id: &str,
        owner: &str,
        revision: i64,
        told: Told,
        journal: Option<JournalEntry>,
    ) -> Result<bool, StoreError> {
        let settle = Settle {
            duty_id: duty_id.to_owned(),
            owner: owner.to_owned(),
            revision,
            told,
            line: journal.map(JournalRecord::from),
        };
        change!(self, settle(settle))
    }
}

struct Settle {
    duty_id: String,
    owner: String,
    revision: i64,
    told: Told,
    line: Option<JournalRecord>,
}

both! {
    pub(super) async fn settle(c: &mut Connection, settle: &Settle) -> Result<bool, StoreError> {
        if let Some(line) = &settle.line {
            diesel::insert_into(journal::table).values(line).execute(c).await?;
        }
        let sent = outbox::table.filter(outbox::id.eq(&settle.duty_id)).filter(outbox::revision.eq(settle.revision));
        let settled = match &settle.told {
            Told::Ended => {
                let ended = diesel::delete(sent).execute(c).await?;
                if ended == 1 {
                    telling::forget(c, &settle.duty_id).await?;
                }
                ended
            }
            Told::Postponed { next_attempt_at, outcome } => {
                let tried = (
                    outbox::attempts.eq(outbox::attempts + 1),
                    outbox::lease_owner.eq(None::<String>),
                    outbox::lease_until.eq(0),
                    outbox::next_attempt_at.eq(micros(*next_attempt_at)),
                    outbox::last_outcome.eq(outcome),
                );
                diesel::update(sent).set(tried).execute(c).await?
            }
        };
        if settled == 0 {
            let mine = outbox::table.filter(outbox::id.eq(&settle.duty_id)).filter(outbox::lease_owner.eq(&settle.owner));
            let free = (outbox::lease_owner.eq(None::<String>), outbox::lease_until.eq(0));
            diesel::update(mine).set(free).execute(c).await?;
        }
        Ok(settled == 1)
    }
}
