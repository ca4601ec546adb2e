//! Telling whoever submitted a registration what became of it: a POST of the registration to the URL it gave.
//!
//! The URL is the submitter's own and absolute; it is called with its platform's token, and so only on that platform's hosts (N-05).
//! Any 2xx takes it. What does not take it is told again for a day and never changes the registration (key-registry.md 4.2): who missed
//! it asks.

use uuid::Uuid;

use super::Delivery;
use super::carry::span;
use super::told::patience;
use super::worker::Attempt;
use crate::client::Method;
use crate::client::outcome::Outcome;
use crate::ocpi::headers::MessageIds;
use crate::ocpi::ids::{PlatformId, fold};
use crate::parties::Fault;
use crate::parties::line::{Call, Target};
use crate::routing::directory::{Platform, PlatformStatus};
use crate::seeing::Module;
use crate::store::confirmations::{ConfirmationEnd, ConfirmationRow};
use crate::store::journal::JournalEntry;
use crate::store::outbox::DutyRow;

/// Nobody reads the answer beyond its status.
const MAX_ANSWER: usize = 64 * 1024;

impl Delivery {
    /// Makes one attempt at telling and settles it.
    pub(super) async fn confirm(&self, duty: &DutyRow) -> Result<Attempt, Fault> {
        let owed = self.store.confirmation_of_duty(&duty.id).await;
        let Some(owed) = owed.map_err(|error| Fault::new("reading a confirmation", error))? else {
            return Err(Fault::found("a duty names a confirmation that is not there"));
        };
        let id = PlatformId::from(duty.platform_id.as_str());
        let platform = self.parties.snapshot().directory().platform(&id);
        let Some(platform) = platform.filter(|platform| platform.status == PlatformStatus::Connected) else {
            self.settle_confirmation(duty, &owed, None, "the platform is not connected", 0)
                .await?;
            self.nudge_if_back(&id).await;
            return Ok(Attempt::Nothing);
        };
        let begun = self.clock.now();
        let outcome = self.post_confirmation(&platform, &owed).await;
        let took = (self.clock.now() - begun).num_milliseconds();
        self.settle_confirmation(duty, &owed, Some(&outcome), &outcome.to_string(), took)
            .await?;
        Ok(match is_taken(&outcome) {
            true => Attempt::Taken,
            false => Attempt::NotTaken,
        })
    }

    async fn post_confirmation(&self, platform: &Platform, owed: &ConfirmationRow) -> Outcome {
        let call = Call {
            method: Method::POST,
            to: Target::Url(Module::named("confirmations"), owed.url.clone()),
            query: None,
            // Between the hub and a platform: no party speaks to another.
            routing: None,
            ids: MessageIds {
                request_id: None,
                correlation_id: Some(owed.duty.clone()),
            },
            body: Some(owed.body.clone().into()),
            headers: Vec::new(),
            timeout: None,
            max_answer: Some(MAX_ANSWER),
        };
        match self.parties.line().send(platform, call).await {
            Ok(outcome) => outcome,
            Err(gone) => Outcome::Unreachable(gone.to_string()),
        }
    }

    /// `outcome` is `None` where nobody was called.
    async fn settle_confirmation(
        &self,
        duty: &DutyRow,
        owed: &ConfirmationRow,
        outcome: Option<&Outcome>,
        said: &str,
        took: i64,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let end = match outcome {
            Some(outcome) if is_taken(outcome) => ConfirmationEnd::Delivered,
            _ if now >= duty.give_up_at => ConfirmationEnd::Dead,
            // One last attempt when the time is over, then it is dead.
            Some(outcome) => {
                ConfirmationEnd::Postponed(self.again(duty, patience(outcome, now), now).min(duty.give_up_at))
            }
            // Its return nudges the duty; this is only for a nudge that was lost.
            None => ConfirmationEnd::Postponed((now + span(self.horizons.max_retry)).min(duty.give_up_at)),
        };
        let http_status = match outcome {
            Some(Outcome::Answered(answer)) => Some(i64::from(answer.status)),
            _ => None,
        };
        let said = match &end {
            ConfirmationEnd::Delivered => "delivered",
            _ => said,
        };
        let entry = JournalEntry {
            id: Uuid::now_v7().to_string(),
            at: now,
            correlation_id: owed.duty.clone(),
            request_id: None,
            from_party: None,
            to_party: None,
            platform: Some(duty.platform_id.clone()),
            module: "registrations".to_owned(),
            method: "POST".to_owned(),
            object: Some(fold(&owed.registration)),
            http_status,
            status_code: None,
            outcome: said.to_owned(),
            duration_ms: Some(took),
        };
        let settled = self.store.confirmation_settle(&duty.id, end, said, entry).await;
        settled
            .map(drop)
            .map_err(|error| Fault::new("settling a confirmation", error))
    }
}

fn is_taken(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answered(answer) if (200..300).contains(&answer.status))
}
