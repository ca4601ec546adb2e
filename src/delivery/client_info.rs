//! Telling a platform the state of a party: PUT of one ClientInfo to its RECEIVER interface (HCI-02), the state as it is now.
//!
//! No routing headers: this is between platforms (HCI-04). A receiver that answers at all ends the duty, unless it says that it is in
//! trouble: telling the same state again to one who does not want it helps nobody. A platform that is away waits for its return
//! and is then told the newest state only (HCI-13, design.md promise 3).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Delivery;
use super::told::{MAX_ANSWER, statuses};
use super::worker::Attempt;
use crate::client::Method;
use crate::client::outcome::Outcome;
use crate::ocpi::headers::MessageIds;
use crate::ocpi::ids::PlatformId;
use crate::ocpi::role::InterfaceRole;
use crate::parties::line::{Call, Target};
use crate::parties::{Fault, client_info};
use crate::routing::directory::PlatformStatus;
use crate::store::journal::JournalEntry;
use crate::store::outbox::DutyRow;
use crate::store::{Shown, Told};

const HUB_CLIENT_INFO: &str = "hubclientinfo";

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
            return self.settle_told(duty, owed.revision, Told::Ended, None).await;
        };
        if platform.status == PlatformStatus::Offline {
            let settled = self
                .settle_told(duty, owed.revision, self.until_it_is_back(), None)
                .await;
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
            Err(_) => return self.settle_told(duty, owed.revision, Told::Ended, None).await,
        };
        let ended = self.clock.now();
        let (told, attempt) = self.read_told(duty, "a ClientInfo", &outcome, ended);
        let took = (ended - now).num_milliseconds();
        let entry = journal_of(duty, &owed.shown, correlation_id, &outcome, &told, ended, took);
        self.settle_told(duty, owed.revision, told, Some(entry)).await?;
        Ok(attempt)
    }
}

fn journal_of(
    duty: &DutyRow,
    shown: &Shown,
    correlation_id: String,
    outcome: &Outcome,
    told: &Told,
    at: DateTime<Utc>,
    took: i64,
) -> JournalEntry {
    let (http_status, status_code) = statuses(outcome);
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
            Told::Ended => format!("told {}", shown.status),
            Told::Postponed { outcome, .. } => outcome.clone(),
        },
        duration_ms: Some(took),
    }
}
