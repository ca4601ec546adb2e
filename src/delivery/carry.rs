//! One attempt at carrying a CDR: the same function for the first attempt, while the sender waits, and for every later one.
//!
//! ```text
//!  the CDR as stored ──pack──► POST to (cdrs, RECEIVER) ──► what the receiver means ──settle──► delivered
//!                                                          (see `reception`)                    rejected
//!                                                                                               in custody, or unanswered
//! ```

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::Delivery;
use super::kinds::{self, Horizons};
use super::reception::{self, NotTaken, Reception, Said};
use crate::client::Method;
use crate::client::backoff;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::refusal::Situation;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::url;
use crate::parties::Fault;
use crate::parties::line::{Call, Target};
use crate::routing::directory::{Platform, PlatformStatus};
use crate::store::evidence::{AttemptRow, CdrRow, FirstAnswer, Settled, Settlement};
use crate::store::journal::JournalEntry;
use crate::store::outbox::{DutyRow, NewDuty};

/// The header that tells the receiver what was proven (design.md 3.5, "Marker").
pub const TRUEWATT_METERING: &str = "Truewatt-Metering";

/// A duty in the hands of whoever leased it.
#[derive(Clone, Debug)]
pub struct Owed {
    /// Its id in the outbox.
    pub id: String,
    /// What is settled is the duty at this revision; a newer one is somebody else's.
    pub revision: i64,
    /// Attempts made so far.
    pub attempts: i64,
    /// The platform it is owed to.
    pub platform: PlatformId,
    /// When it is given up.
    pub give_up_at: DateTime<Utc>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The receiver has it.
    Delivered(Said),
    /// The receiver does not want it.
    Rejected(Said),
    /// The receiver did not take it; the hub keeps it and tries again, or gave up.
    Kept,
    /// The receiver did not take it, and without custody that is the sender's to deal with.
    Unanswered(NotTaken),
}

impl Owed {
    /// The duty as inserted together with its CDR.
    #[must_use]
    pub fn of_new(duty: &NewDuty) -> Owed {
        Owed {
            id: duty.id.clone(),
            revision: duty.revision,
            attempts: 0,
            platform: PlatformId::from(duty.platform_id.as_str()),
            give_up_at: duty.give_up_at,
        }
    }

    /// The duty as leased.
    #[must_use]
    pub fn of_row(duty: &DutyRow) -> Owed {
        Owed {
            id: duty.id.clone(),
            revision: duty.revision,
            attempts: duty.attempts,
            platform: PlatformId::from(duty.platform_id.as_str()),
            give_up_at: duty.give_up_at,
        }
    }
}

impl Delivery {
    /// A duty for a CDR, leased to this process until an attempt made now must have ended.
    #[must_use]
    pub fn new_duty(&self, cdr_row: &str, platform: &Platform, now: DateTime<Utc>) -> NewDuty {
        NewDuty {
            id: Uuid::now_v7().to_string(),
            platform_id: platform.id.to_string(),
            kind: kinds::CDR.to_owned(),
            object_id: cdr_row.to_owned(),
            revision: 1,
            lease_owner: self.owner.clone(),
            lease_until: now + self.lease_for(platform),
            next_attempt_at: now,
            give_up_at: now + span(self.horizons.custody),
            created_at: now,
        }
    }

    /// A duty nobody makes an attempt at now: for a platform known to be away, or released from hold.
    #[must_use]
    pub fn new_waiting_duty(&self, cdr_row: &str, platform: &Platform, now: DateTime<Utc>) -> NewDuty {
        let wait = if platform.status == PlatformStatus::Connected {
            TimeDelta::zero()
        } else {
            span(self.horizons.max_retry)
        };
        NewDuty {
            lease_owner: String::new(),
            lease_until: now,
            next_attempt_at: now + wait,
            ..self.new_duty(cdr_row, platform, now)
        }
    }

    /// A lease outlives the longest attempt at this platform: else another process would make it again meanwhile.
    pub(super) fn lease_for(&self, platform: &Platform) -> TimeDelta {
        let attempt = platform.options.timeouts.relay.unwrap_or(self.parties.settings().relay);
        span(self.horizons.lease.max(attempt + Duration::from_secs(5)))
    }

    /// Makes one attempt and settles the duty.
    ///
    /// # Errors
    /// When the outcome cannot be written down; the lease then ends and the attempt is made again.
    pub async fn carry(&self, cdr: &CdrRow, owed: &Owed) -> Result<Carried, Fault> {
        let Some(platform) = self.parties.snapshot().directory().platform(&owed.platform) else {
            return self
                .settle(cdr, owed, None, nobody("the platform is gone"), Duration::ZERO)
                .await;
        };
        if platform.status != PlatformStatus::Connected {
            // R-43: OFFLINE, PLANNED and SUSPENDED platforms get no request.
            let why = format!("the platform is {}", platform.status.as_str());
            let carried = self
                .settle(cdr, owed, Some(&platform), nobody(&why), Duration::ZERO)
                .await;
            self.nudge_if_back(&platform.id).await;
            return carried;
        }
        let begun = self.clock.now();
        let reception = self.send(cdr, &platform, begun).await;
        match &reception {
            Reception::NotTaken(not) => self.went_wrong(&platform.id, not.retry_after),
            Reception::Taken { .. } | Reception::Rejected(_) => self.went_well(&platform.id).await,
        }
        let took = (self.clock.now() - begun).to_std().unwrap_or_default();
        self.settle(cdr, owed, Some(&platform), reception, took).await
    }

    async fn send(&self, cdr: &CdrRow, platform: &Platform, now: DateTime<Utc>) -> Reception {
        let call = Call {
            method: Method::POST,
            to: Target::Module("cdrs", InterfaceRole::Receiver, Vec::new()),
            query: None,
            routing: routing(cdr),
            ids: MessageIds {
                request_id: None,
                correlation_id: Some(cdr.correlation_id.clone()),
            },
            body: Some((self.pack)(cdr, &platform.options)),
            headers: vec![(TRUEWATT_METERING.to_owned(), cdr.metering_status.clone())],
            timeout: None,
            max_answer: Some(MAX_ANSWER),
        };
        match self.parties.line().send(platform, call).await {
            Ok(outcome) => reception::read(&outcome, now),
            Err(gone) => nobody(&gone.to_string()),
        }
    }

    async fn settle(
        &self,
        cdr: &CdrRow,
        owed: &Owed,
        platform: Option<&Platform>,
        reception: Reception,
        took: Duration,
    ) -> Result<Carried, Fault> {
        let now = self.clock.now();
        let (carried, result) = self.conclude(cdr, owed, platform, &reception, now);
        let entry = Written::of(&reception);
        let settlement = Settlement {
            row_id: cdr.id.clone(),
            duty_id: owed.id.clone(),
            duty_revision: owed.revision,
            attempt: AttemptRow {
                id: Uuid::now_v7().to_string(),
                at: now,
                http_status: entry.http_status,
                status_code: entry.status_code,
                outcome: entry.outcome.clone(),
            },
            result,
            receiver_location: platform.and_then(|platform| location(platform, &reception)),
            first_answer: first_answer(&reception),
            journal: Some(journal_of(cdr, owed, &entry, now, took)),
        };
        if !self.write_down(settlement).await? {
            // Somebody else settled this duty after our lease ended. The receiver heard it twice and knows the id.
            log::info!(cdr = cdr.id.as_str(); "the duty was settled by somebody else meanwhile");
        }
        Ok(carried)
    }

    /// What follows from the receiver's answer, for the one who waits and for the outbox.
    fn conclude(
        &self,
        cdr: &CdrRow,
        owed: &Owed,
        platform: Option<&Platform>,
        reception: &Reception,
        now: DateTime<Utc>,
    ) -> (Carried, Settled) {
        match reception {
            Reception::Taken { said, .. } => (Carried::Delivered(said.clone()), Settled::Delivered),
            Reception::Rejected(said) => (Carried::Rejected(said.clone()), Settled::Rejected),
            // What its eMSP may see is the hub's word, given at the commit or at the release. Without custody nobody sees
            // a CDR before it is delivered, and its sender deals with what was not answered.
            Reception::NotTaken(not) if cdr.visible_at.is_none() => {
                (Carried::Unanswered(not.clone()), Settled::Unanswered)
            }
            Reception::NotTaken(_) if now >= owed.give_up_at => (Carried::Kept, Settled::Dead),
            Reception::NotTaken(not) => {
                let delay = self.delay(owed, platform, not);
                (
                    Carried::Kept,
                    Settled::Postponed {
                        next_attempt_at: now + delay,
                        outcome: not.why.clone(),
                    },
                )
            }
        }
    }

    fn delay(&self, owed: &Owed, platform: Option<&Platform>, not: &NotTaken) -> TimeDelta {
        let Horizons {
            first_retry, max_retry, ..
        } = &self.horizons;
        if platform.is_none_or(|platform| platform.status != PlatformStatus::Connected) {
            // The change to CONNECTED nudges it; this is only for a nudge that was lost.
            return span(*max_retry);
        }
        let attempts = u32::try_from(owed.attempts.saturating_add(1)).unwrap_or(u32::MAX);
        span(backoff::next_delay(
            attempts,
            not.retry_after,
            *first_retry,
            *max_retry,
            jitter(),
        ))
    }

    /// Tries a little against a busy database: what the receiver said is worth it.
    async fn write_down(&self, settlement: Settlement) -> Result<bool, Fault> {
        let mut pause = Duration::from_millis(50);
        for _ in 0..3 {
            match self.store.cdr_settle(settlement.clone()).await {
                Ok(settled) => return Ok(settled),
                Err(error) => log::warn!("settling a duty, to be tried again: {error}"),
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
        self.store
            .cdr_settle(settlement)
            .await
            .map_err(|error| Fault::new("settling a duty", error))
    }
}

/// An attempt in the words of the store.
struct Written {
    http_status: Option<i64>,
    status_code: Option<i64>,
    outcome: String,
}

impl Written {
    fn of(reception: &Reception) -> Written {
        let (outcome, said, http_status) = match reception {
            Reception::Taken { said, .. } => ("delivered".to_owned(), Some(said), Some(said.http_status)),
            Reception::Rejected(said) => ("rejected".to_owned(), Some(said), Some(said.http_status)),
            Reception::NotTaken(not) => (not.why.clone(), not.said.as_ref(), not.http_status),
        };
        Written {
            http_status: http_status.map(i64::from),
            status_code: said.map(|said| i64::from(said.code.0)),
            outcome,
        }
    }
}

fn journal_of(cdr: &CdrRow, owed: &Owed, entry: &Written, at: DateTime<Utc>, took: Duration) -> JournalEntry {
    JournalEntry {
        id: Uuid::now_v7().to_string(),
        at,
        correlation_id: cdr.correlation_id.clone(),
        request_id: None,
        from_party: Some(cdr.cpo_key.clone()),
        to_party: Some(cdr.emsp_key.clone()),
        platform: Some(owed.platform.to_string()),
        module: "cdrs".to_owned(),
        method: "POST".to_owned(),
        object: Some(format!("{}/{}", cdr.cpo_key, cdr.cdr_key)),
        http_status: entry.http_status,
        status_code: entry.status_code,
        outcome: entry.outcome.clone(),
        duration_ms: i64::try_from(took.as_millis()).ok(),
    }
}

/// What a repeat of the post is told once the receiver has decided.
fn first_answer(reception: &Reception) -> Option<FirstAnswer> {
    match reception {
        Reception::Taken { said, .. } | Reception::Rejected(said) => Some(FirstAnswer {
            http_status: i64::from(said.http_status),
            status_code: i64::from(said.code.0),
            message: said.message.clone(),
        }),
        Reception::NotTaken(_) => None,
    }
}

/// The receiver's own URL of the CDR, absolute (CDR-05, D-11). Whether it may be called is asked when it is.
fn location(platform: &Platform, reception: &Reception) -> Option<String> {
    let Reception::Taken {
        location: Some(location),
        ..
    } = reception
    else {
        return None;
    };
    let endpoint = platform.endpoint("cdrs", InterfaceRole::Receiver)?;
    url::resolve(endpoint, location).filter(|url| url.len() <= MAX_LOCATION && !url.chars().any(char::is_control))
}

/// An answer to a pushed CDR is an envelope without data: a few hundred bytes. What is larger is no answer, and many of the
/// kind at once, each as large as a page of CDRs may be, would cost the memory of the house.
const MAX_ANSWER: usize = 1024 * 1024;

/// A URL longer than this is not kept; OCPI allows 255 (T-46), the field is not always so strict.
const MAX_LOCATION: usize = 2048;

/// R-23: `to` is the eMSP, `from` the CPO, also when the hub repeats it a week later.
fn routing(cdr: &CdrRow) -> Option<Routing> {
    let to = PartyId::new(&cdr.emsp_country_code, &cdr.emsp_party_id).ok()?;
    let from = PartyId::new(&cdr.country_code, &cdr.party_id).ok()?;
    Some(Routing {
        to: Some(to),
        from: Some(from),
    })
}

fn nobody(why: &str) -> Reception {
    Reception::NotTaken(NotTaken {
        situation: Situation::NotConnected,
        said: None,
        http_status: None,
        retry_after: None,
        why: why.to_owned(),
    })
}

pub(super) fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// A number from 0 to 1, different for every duty: what failed together must not come back together.
pub(super) fn jitter() -> f64 {
    let (high, _) = Uuid::new_v4().as_u64_pair();
    f64::from(u32::try_from(high >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
