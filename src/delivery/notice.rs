//! Telling a platform something through one of the hub's own custom modules: a key that was published, a verdict that does not hold.
//!
//! The message was composed by whoever knows what it is about and lies beside its duty ([`crate::store::notices`]); here it is sent as it
//! is, in the hub's name. What ends the duty is what ends that of a ClientInfo: an answer about the object, whatever it says.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Delivery;
use super::carry::span;
use super::told::{MAX_ANSWER, statuses};
use super::worker::Attempt;
use crate::client::Method;
use crate::client::outcome::Outcome;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::url;
use crate::parties::Fault;
use crate::parties::line::{Call, Target};
use crate::routing::custom::OwnModule;
use crate::routing::directory::{Directory, Platform, PlatformStatus};
use crate::seeing::Module;
use crate::store::journal::JournalEntry;
use crate::store::outbox::{DutyRow, NewDuty};
use crate::store::{Message, NewNotice, Told};

/// The URL at which a platform listens to one of the hub's own modules; `None` where it does not, or is not to be told.
#[must_use]
pub fn listener<'p>(directory: &Directory, platform: &'p Platform, module: OwnModule) -> Option<&'p str> {
    let is_told = platform.status.is_registered() && module.is_for(directory, platform);
    let identifier = module.identifier(&directory.hub);
    is_told
        .then(|| platform.endpoint(&identifier, InterfaceRole::Receiver))
        .flatten()
}

impl Delivery {
    /// A message to be owed to a platform from `now` on. `object_id` is what a newer message takes the place by.
    #[must_use]
    pub fn new_notice(
        &self,
        module: OwnModule,
        platform: &PlatformId,
        object_id: &str,
        message: Message,
        now: DateTime<Utc>,
    ) -> NewNotice {
        NewNotice {
            duty: NewDuty {
                id: Uuid::now_v7().to_string(),
                platform_id: platform.to_string(),
                kind: module.name().to_owned(),
                object_id: object_id.to_owned(),
                revision: 1,
                lease_owner: String::new(),
                lease_until: DateTime::UNIX_EPOCH,
                next_attempt_at: now,
                give_up_at: now + span(self.horizons.custody),
                created_at: now,
            },
            message,
        }
    }

    /// Makes one attempt and settles it.
    pub(super) async fn notify(&self, duty: &DutyRow) -> Result<Attempt, Fault> {
        let now = self.clock.now();
        let owed = self.store.notice(&duty.id).await;
        let Some(owed) = owed.map_err(|error| Fault::new("reading a notice", error))? else {
            // Forgiven since it was leased.
            return Ok(Attempt::Nothing);
        };
        let (message, revision) = (owed.message, owed.revision);
        let snapshot = self.parties.snapshot();
        let directory = snapshot.directory();
        let id = PlatformId::from(duty.platform_id.as_str());
        let platform = directory.platform(&id);
        let module = OwnModule::named(&directory.hub, &message.identifier);
        let way = platform
            .as_ref()
            .zip(module)
            .and_then(|(platform, module)| listener(directory, platform, module).map(|endpoint| (platform, endpoint)));
        let Some((platform, endpoint)) = way else {
            // It left, or nobody wants it told any more.
            return self.settle_told(duty, revision, Told::Ended, None).await;
        };
        if platform.status == PlatformStatus::Offline {
            let settled = self.settle_told(duty, revision, self.until_it_is_back(), None).await;
            self.nudge_if_back(&id).await;
            return settled;
        }
        let correlation_id = Uuid::new_v4().to_string();
        let segments = message.path.iter().map(String::as_str).collect::<Vec<_>>();
        let call = Call {
            method: match message.method.as_str() {
                "PUT" => Method::PUT,
                _ => Method::POST,
            },
            to: Target::Url(Module::named(&duty.kind), url::join(endpoint, &segments)),
            query: None,
            routing: Some(Routing {
                to: PartyId::from_slash(&message.to_party).ok(),
                from: Some(directory.hub.clone()),
            }),
            ids: MessageIds {
                request_id: None,
                correlation_id: Some(correlation_id.clone()),
            },
            body: Some(message.body.clone().into()),
            headers: Vec::new(),
            timeout: None,
            max_answer: Some(MAX_ANSWER),
        };
        let outcome = match self.parties.line().send(platform, call).await {
            Ok(outcome) => outcome,
            Err(_) => return self.settle_told(duty, revision, Told::Ended, None).await,
        };
        let ended = self.clock.now();
        let (told, attempt) = self.read_told(duty, "a notice", &outcome, ended);
        let line = Line {
            message: &message,
            hub: &directory.hub,
            correlation_id,
            took: (ended - now).num_milliseconds(),
        };
        let entry = line.journal(duty, &outcome, &told, ended);
        self.settle_told(duty, revision, told, Some(entry)).await?;
        Ok(attempt)
    }
}

/// What the journal says about an attempt.
struct Line<'a> {
    message: &'a Message,
    hub: &'a PartyId,
    correlation_id: String,
    took: i64,
}

impl Line<'_> {
    fn journal(self, duty: &DutyRow, outcome: &Outcome, told: &Told, at: DateTime<Utc>) -> JournalEntry {
        let (http_status, status_code) = statuses(outcome);
        JournalEntry {
            id: Uuid::now_v7().to_string(),
            at,
            correlation_id: self.correlation_id,
            request_id: None,
            from_party: Some(self.hub.key()),
            to_party: Some(self.message.to_party.clone()),
            platform: Some(duty.platform_id.clone()),
            module: self.message.identifier.clone(),
            method: self.message.method.clone(),
            object: Some(self.message.object.clone()),
            http_status,
            status_code,
            outcome: match told {
                Told::Ended => "told".to_owned(),
                Told::Postponed { outcome, .. } => outcome.clone(),
            },
            duration_ms: Some(self.took),
        }
    }
}
