//! What telling a platform a state comes to: a ClientInfo, or a notice of the hub's own modules. One call may end the duty, or put it off.
//!
//! A receiver that answers about the object at all ends the duty, unless it says that it is in trouble: telling the same state again to one
//! who does not want it helps nobody.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Delivery;
use super::carry::{jitter, span};
use super::worker::Attempt;
use crate::client::backoff;
use crate::client::outcome::Outcome;
use crate::ocpi::envelope;
use crate::ocpi::status::Class;
use crate::parties::Fault;
use crate::store::Told;
use crate::store::journal::JournalEntry;
use crate::store::outbox::DutyRow;

/// The answer has no data: what is larger is not read.
pub(super) const MAX_ANSWER: usize = 64 * 1024;

impl Delivery {
    /// What an attempt comes to. `what` is for the log, where nobody will ever hear it.
    pub(super) fn read_told(
        &self,
        duty: &DutyRow,
        what: &str,
        outcome: &Outcome,
        now: DateTime<Utc>,
    ) -> (Told, Attempt) {
        if is_heard(outcome) {
            return (Told::Ended, Attempt::Taken);
        }
        if now >= duty.give_up_at {
            log::warn!(
                "platform {} has not taken {what} for days and is told it no more: {outcome}",
                duty.platform_id
            );
            return (Told::Ended, Attempt::NotTaken);
        }
        let told = Told::Postponed {
            next_attempt_at: self.again(duty, patience(outcome, now), now),
            outcome: outcome.to_string(),
        };
        (told, Attempt::NotTaken)
    }

    /// For one that is away: its return nudges the duty, this is only for a nudge that was lost.
    pub(super) fn until_it_is_back(&self) -> Told {
        Told::Postponed {
            next_attempt_at: self.clock.now() + span(self.horizons.max_retry),
            outcome: "the platform is OFFLINE".to_owned(),
        }
    }

    /// When to try again after an attempt that nobody took.
    pub(super) fn again(&self, duty: &DutyRow, wish: Option<Duration>, now: DateTime<Utc>) -> DateTime<Utc> {
        let attempts = u32::try_from(duty.attempts.saturating_add(1)).unwrap_or(u32::MAX);
        let horizons = &self.horizons;
        let delay = backoff::next_delay(attempts, wish, horizons.first_retry, horizons.max_retry, jitter());
        now + span(delay)
    }

    pub(super) async fn settle_told(
        &self,
        duty: &DutyRow,
        revision: i64,
        told: Told,
        entry: Option<JournalEntry>,
    ) -> Result<Attempt, Fault> {
        let ended = told == Told::Ended;
        let settled = self
            .store
            .told_settle(&duty.id, &self.owner, revision, told, entry)
            .await
            .map_err(|error| Fault::new("settling what was told", error))?;
        if !settled || ended {
            // There is a newer state to tell, or another role of the party waits for its turn.
            self.nudge();
        }
        Ok(Attempt::Nothing)
    }
}

/// How long the receiver wants to be left alone.
pub(super) fn patience(outcome: &Outcome, now: DateTime<Utc>) -> Option<Duration> {
    match outcome {
        Outcome::Answered(answer) => backoff::retry_after(answer.header("Retry-After")?, now),
        _ => None,
    }
}

/// HTTP status and OCPI status code of an outcome, for the journal.
pub(super) fn statuses(outcome: &Outcome) -> (Option<i64>, Option<i64>) {
    match outcome {
        Outcome::Answered(answer) => (
            Some(i64::from(answer.status)),
            envelope::read(&answer.body)
                .ok()
                .map(|read| i64::from(read.status_code.0)),
        ),
        _ => (None, None),
    }
}

/// Whether the receiver has it, or has said that it does not want it: D-21, a module that is off is skipped silently.
pub(super) fn is_heard(outcome: &Outcome) -> bool {
    let Outcome::Answered(answer) = outcome else {
        return false;
    };
    let class = envelope::read(&answer.body).ok().map(|read| read.status_code.class());
    match answer.status {
        // These speak of the hub's token, its pace or an address (S-14).
        300..=399 | 401 | 403 | 429 => false,
        404 | 405 => true,
        _ => matches!(class, Some(Class::Success | Class::ClientError)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::client::outcome::Answer;

    fn answered(status: u16, code: u16) -> Outcome {
        Outcome::Answered(Answer {
            status,
            headers: Vec::new(),
            body: Bytes::from(format!("{{\"status_code\":{code}}}")),
        })
    }

    // HCI-02, D-21, S-14
    #[test]
    fn whoever_answers_about_the_object_is_told_and_whoever_is_in_trouble_is_told_again() {
        for (status, code) in [
            (200, 1000),
            (201, 1999),
            (200, 2001),
            (400, 2000),
            (404, 2003),
            (405, 2000),
        ] {
            assert!(is_heard(&answered(status, code)), "{status} {code}");
        }
        for (status, code) in [
            (200, 3000),
            (500, 3000),
            (401, 2000),
            (403, 1000),
            (429, 2000),
            (302, 1000),
        ] {
            assert!(!is_heard(&answered(status, code)), "{status} {code}");
        }
        assert!(!is_heard(&Outcome::TimedOut));
        assert!(!is_heard(&Outcome::Unreachable("refused".to_owned())));
    }
}
