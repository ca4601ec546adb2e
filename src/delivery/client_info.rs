//! Telling a platform the state of a party: PUT of one ClientInfo to its RECEIVER interface (HCI-02), the state as it is now.
//!
//! No routing headers: this is between platforms (HCI-04). A receiver that answers at all ends the duty, unless it says that it is in
//! trouble: telling the same state again to one who does not want it helps nobody. A platform that is away waits for its return
//! and is then told the newest state only (HCI-13, design.md promise 3).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Delivery;
use super::carry::{jitter, span};
use super::worker::Attempt;
use crate::client::Method;
use crate::client::backoff;
use crate::client::outcome::Outcome;
use crate::ocpi::envelope;
use crate::ocpi::headers::MessageIds;
use crate::ocpi::ids::PlatformId;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::status::Class;
use crate::parties::line::{Call, Target};
use crate::parties::{Fault, client_info};
use crate::routing::directory::PlatformStatus;
use crate::store::journal::JournalEntry;
use crate::store::outbox::DutyRow;
use crate::store::{ClientInfoTold, Shown};

const HUB_CLIENT_INFO: &str = "hubclientinfo";
/// The answer has no data: what is larger is not read.
pub(super) const MAX_ANSWER: usize = 64 * 1024;

impl Delivery {
    /// Until when a state waits for another role of its party that goes first. Asked before it takes a place in the lane: it would be the one
    /// probe of a platform in trouble, and keep the one it waits for from going.
    pub(super) async fn waits_until(&self, duty: &DutyRow) -> Result<Option<DateTime<Utc>>, Fault> {
        let owed = self.store.client_info_duty(&duty.id).await;
        let owed = owed.map_err(|error| Fault::new("reading what is to be told", error))?;
        Ok(owed.and_then(|owed| owed.waits_for))
    }

    /// Makes one attempt at telling and settles it.
    pub(super) async fn tell(&self, duty: &DutyRow) -> Result<Attempt, Fault> {
        let now = self.clock.now();
        let owed = self.store.client_info_duty(&duty.id).await;
        let Some(owed) = owed.map_err(|error| Fault::new("reading what is to be told", error))? else {
            // Replaced or dropped since it was leased.
            return Ok(Attempt::Nothing);
        };
        if let Some(first) = owed.waits_for {
            return Ok(Attempt::Later(first.max(now)));
        }
        let id = PlatformId::from(duty.platform_id.as_str());
        let platform = self.parties.snapshot().directory().platform(&id);
        let Some(platform) = platform.filter(|platform| {
            platform.status.is_registered() && platform.endpoint(HUB_CLIENT_INFO, InterfaceRole::Receiver).is_some()
        }) else {
            // The comparison of the directory drops these duties; this process has just seen it earlier.
            return self.settle_told(duty, owed.revision, ClientInfoTold::Ended, None).await;
        };
        if platform.status == PlatformStatus::Offline {
            let told = ClientInfoTold::Postponed {
                next_attempt_at: now + span(self.horizons.max_retry),
                outcome: "the platform is OFFLINE".to_owned(),
            };
            let settled = self.settle_told(duty, owed.revision, told, None).await;
            self.nudge_if_back(&id).await;
            return settled;
        }
        let correlation_id = Uuid::new_v4().to_string();
        let call = Call {
            method: Method::PUT,
            to: Target::Module(
                HUB_CLIENT_INFO,
                InterfaceRole::Receiver,
                vec![owed.shown.country_code.clone(), owed.shown.party_id.clone()],
            ),
            query: None,
            routing: None,
            ids: MessageIds {
                request_id: None,
                correlation_id: Some(correlation_id.clone()),
            },
            body: Some(client_info::write(&owed.shown).into()),
            headers: Vec::new(),
            timeout: None,
            max_answer: Some(MAX_ANSWER),
        };
        let outcome = match self.parties.line().send(&platform, call).await {
            Ok(outcome) => outcome,
            Err(_) => return self.settle_told(duty, owed.revision, ClientInfoTold::Ended, None).await,
        };
        let ended = self.clock.now();
        let (told, attempt) = self.read_told(duty, &outcome, ended);
        let took = (ended - now).num_milliseconds();
        let entry = journal_of(duty, &owed.shown, correlation_id, &outcome, &told, ended, took);
        self.settle_told(duty, owed.revision, told, Some(entry)).await?;
        Ok(attempt)
    }

    fn read_told(&self, duty: &DutyRow, outcome: &Outcome, now: DateTime<Utc>) -> (ClientInfoTold, Attempt) {
        if is_heard(outcome) {
            return (ClientInfoTold::Ended, Attempt::Taken);
        }
        if now >= duty.give_up_at {
            log::warn!(
                "platform {} has not taken a ClientInfo for days and is told it no more: {outcome}",
                duty.platform_id
            );
            return (ClientInfoTold::Ended, Attempt::NotTaken);
        }
        let told = ClientInfoTold::Postponed {
            next_attempt_at: self.again(duty, outcome, now),
            outcome: outcome.to_string(),
        };
        (told, Attempt::NotTaken)
    }

    /// When to tell again after an attempt that nobody took.
    pub(super) fn again(&self, duty: &DutyRow, outcome: &Outcome, now: DateTime<Utc>) -> DateTime<Utc> {
        let retry_after = match outcome {
            Outcome::Answered(answer) => answer
                .header("Retry-After")
                .and_then(|value| backoff::retry_after(value, now)),
            _ => None,
        };
        let attempts = u32::try_from(duty.attempts.saturating_add(1)).unwrap_or(u32::MAX);
        let horizons = &self.horizons;
        let delay = backoff::next_delay(
            attempts,
            retry_after,
            horizons.first_retry,
            horizons.max_retry,
            jitter(),
        );
        now + span(delay)
    }

    async fn settle_told(
        &self,
        duty: &DutyRow,
        revision: i64,
        told: ClientInfoTold,
        entry: Option<JournalEntry>,
    ) -> Result<Attempt, Fault> {
        let ended = told == ClientInfoTold::Ended;
        let settled = self
            .store
            .client_info_settle(&duty.id, &self.owner, revision, told, entry)
            .await
            .map_err(|error| Fault::new("settling what was told", error))?;
        if !settled || ended {
            // There is a newer state to tell, or another role of the party waits for its turn.
            self.nudge();
        }
        Ok(Attempt::Nothing)
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

fn journal_of(
    duty: &DutyRow,
    shown: &Shown,
    correlation_id: String,
    outcome: &Outcome,
    told: &ClientInfoTold,
    at: DateTime<Utc>,
    took: i64,
) -> JournalEntry {
    let (http_status, status_code) = match outcome {
        Outcome::Answered(answer) => (
            Some(i64::from(answer.status)),
            envelope::read(&answer.body)
                .ok()
                .map(|read| i64::from(read.status_code.0)),
        ),
        _ => (None, None),
    };
    JournalEntry {
        id: Uuid::now_v7().to_string(),
        at,
        correlation_id,
        request_id: None,
        from_party: None,
        to_party: None,
        platform: Some(duty.platform_id.clone()),
        module: HUB_CLIENT_INFO.to_owned(),
        method: "PUT".to_owned(),
        object: Some(format!("{}/{}/{}", shown.country_code, shown.party_id, shown.role)),
        http_status,
        status_code,
        outcome: match told {
            ClientInfoTold::Ended => format!("told {}", shown.status),
            ClientInfoTold::Postponed { outcome, .. } => outcome.clone(),
        },
        duration_ms: Some(took),
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
