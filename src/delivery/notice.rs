//! Telling a platform a state: through one of the hub's own custom modules a key that was published, or a verdict that does not hold; or a
//! Session, to a provider that a contract lets see it.
//!
//! The message was composed by whoever knows what it is about and lies beside its duty ([`crate::store::notices`]); here it is sent as it
//! is, in the hub's name or in that of whose object it is. What ends the duty is what ends that of a ClientInfo: an answer about the object,
//! whatever it says. Only one that is told a change, and does not know of what, is told the whole at once.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Delivery;
use super::carry::span;
use super::told::{MAX_ANSWER, statuses};
use super::worker::Attempt;
use crate::client::Method;
use crate::client::outcome::Outcome;
use crate::ocpi::envelope;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::status::StatusCode;
use crate::ocpi::url;
use crate::parties::Fault;
use crate::parties::line::{Call, Target};
use crate::routing::custom::OwnModule;
use crate::routing::directory::{Directory, Platform, PlatformStatus};
use crate::seeing::Module;
use crate::store::journal::JournalEntry;
use crate::store::outbox::{DutyRow, NewDuty};
use crate::store::{Message, NewNotice, Told, UnderContract};

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
        let way = platform
            .as_ref()
            .and_then(|platform| listens(directory, platform, &message).map(|endpoint| (platform, endpoint)));
        let Some((platform, endpoint)) = way else {
            // It left, or nobody wants it told any more.
            return self.settle_told(duty, revision, Told::Ended, None).await;
        };
        let shown = message.shown.as_ref();
        if let Some(shown) = shown
            && (now >= duty.give_up_at || !self.is_allowed(shown).await?)
        {
            return self.settle_told(duty, revision, Told::Ended, None).await;
        }
        if platform.status == PlatformStatus::Offline {
            let settled = self.settle_told(duty, revision, self.until_it_is_back(), None).await;
            self.nudge_if_back(&id).await;
            return settled;
        }
        let correlation_id = Uuid::new_v4().to_string();
        let segments = message.path.iter().map(String::as_str).collect::<Vec<_>>();
        let from = shown.map_or(Some(directory.hub.clone()), |shown| {
            PartyId::from_slash(&shown.from_party).ok()
        });
        let to = PartyId::from_slash(&message.to_party).ok();
        let call = |method: &str, body: &str| Call {
            method: match method {
                "PUT" => Method::PUT,
                "PATCH" => Method::PATCH,
                _ => Method::POST,
            },
            to: Target::Url(Module::named(&duty.kind), url::join(endpoint, &segments)),
            query: None,
            routing: Some(Routing {
                to: to.clone(),
                from: from.clone(),
            }),
            ids: MessageIds {
                request_id: None,
                correlation_id: Some(correlation_id.clone()),
            },
            body: Some(body.to_owned().into()),
            headers: Vec::new(),
            timeout: None,
            max_answer: Some(MAX_ANSWER),
        };
        let line = self.parties.line();
        let whole = shown.and_then(|shown| shown.whole.as_ref());
        let mut outcome = match whole {
            // Nobody knows whether an attempt before this one changed something; the whole is the same however often it comes.
            Some(whole) if duty.attempts > 0 => line.send(platform, call("PUT", whole)).await,
            _ => line.send(platform, call(&message.method, &message.body)).await,
        };
        if let (Ok(answered), Some(whole)) = (&outcome, whole)
            && does_not_know_it(answered)
        {
            outcome = line.send(platform, call("PUT", whole)).await;
        }
        let Ok(outcome) = outcome else {
            return self.settle_told(duty, revision, Told::Ended, None).await;
        };
        let ended = self.clock.now();
        let (told, attempt) = self.read_told(duty, "a notice", &outcome, ended);
        let line = Line {
            message: &message,
            from: from.as_ref(),
            to: to.as_ref(),
            correlation_id,
            took: (ended - now).num_milliseconds(),
        };
        let entry = line.journal(duty, &outcome, &told, ended);
        self.settle_told(duty, revision, told, Some(entry)).await?;
        Ok(attempt)
    }

    /// Whether the contract is still there; what it said may have changed, and what is owed under it went with that.
    async fn is_allowed(&self, shown: &UnderContract) -> Result<bool, Fault> {
        let contract = self.store.contract_get(&shown.contract).await;
        Ok(contract
            .map_err(|error| Fault::new("reading a contract", error))?
            .is_some())
    }
}

/// Where a platform listens to a message; `None` where it does not any more.
fn listens<'p>(directory: &Directory, platform: &'p Platform, message: &Message) -> Option<&'p str> {
    if message.shown.is_none() {
        return listener(
            directory,
            platform,
            OwnModule::named(&directory.hub, &message.identifier)?,
        );
    }
    let party = PartyId::from_slash(&message.to_party).ok()?;
    let is_told = platform.status.is_registered() && platform.carries(&party);
    is_told
        .then(|| platform.endpoint(&message.identifier, InterfaceRole::Receiver))
        .flatten()
}

/// Whether a receiver says that it has nothing of which this would be a change (T-26).
fn does_not_know_it(outcome: &Outcome) -> bool {
    let Outcome::Answered(answer) = outcome else {
        return false;
    };
    let code = envelope::read(&answer.body).ok().map(|read| read.status_code);
    answer.status == 404 || code == Some(StatusCode::UNKNOWN_LOCATION)
}

/// What the journal says about an attempt.
struct Line<'a> {
    message: &'a Message,
    from: Option<&'a PartyId>,
    to: Option<&'a PartyId>,
    correlation_id: String,
    took: i64,
}

impl Line<'_> {
    fn journal(self, duty: &DutyRow, outcome: &Outcome, told: &Told, at: DateTime<Utc>) -> JournalEntry {
        let (http_status, status_code) = statuses(outcome);
        let said = match told {
            Told::Ended => "told".to_owned(),
            Told::Postponed { outcome, .. } => outcome.clone(),
        };
        JournalEntry {
            id: Uuid::now_v7().to_string(),
            at,
            correlation_id: self.correlation_id,
            request_id: None,
            from_party: self.from.map(PartyId::key),
            to_party: self.to.map(PartyId::key),
            platform: Some(duty.platform_id.clone()),
            module: self.message.identifier.clone(),
            method: self.message.method.clone(),
            object: Some(self.message.object.clone()),
            http_status,
            status_code,
            // ECI-25: whose word it was that let the provider see it.
            outcome: match &self.message.shown {
                Some(shown) => format!("{said}, under contract {}", shown.contract),
                None => said,
            },
            duration_ms: Some(self.took),
        }
    }
}
