//! What leaves the house, of which kind, and why.
//!
//! | Message | Kind | Reason | Until |
//! | --- | --- | --- | --- |
//! | a CDR the hub took | duty | its sender was told 1000: it is the hub's word now (design.md promise 2) | `cdrs.custody_days`, then dead, never deleted |
//! | the same with `custody = false` | one attempt | the operator of the receiver wants a relay: the sender is told 4002 or 4003 and repeats | the attempt |
//! | ClientInfo (HubClientInfo) | duty | the hub owns it (HCI-01): whoever may know is told the newest state, once | a week of refusals; a platform that is away is waited for |
//! | what became of a registration | duty | its submitter was told 202 and a `confirmation_url` was given (SAF-31) | a day, then dead |
//! | a push to everybody | copy | its sender was told 1000 at the commit; a receiver that is away or says no catches up by asking (R-57, R-61, T-34) | one attempt per party; again only if this process dies |
//! | GET on a CDR's `Location` | relay | the requester waits for it; the hub's copy answers when nobody else does | the request |
//!
//! Nothing else is sent for a CDR. A re-check that changes its verdict is shown in pulls, never pushed (design.md 3.5).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::store::outbox::NewDuty;

/// The kinds of duties, as the outbox names them.
pub const CDR: &str = "cdr";
/// The state of a party, told to a platform.
pub const CLIENT_INFO: &str = crate::parties::client_info::DUTY;

/// What became of a registration, told to whoever submitted it.
pub const CONFIRMATION: &str = "confirmation";

/// How long a confirmation is tried (key-registry.md 4.5); who missed it asks.
const CONFIRMED_WITHIN: TimeDelta = TimeDelta::days(1);

/// The duty to tell it, due at once and nobody's yet.
#[must_use]
pub fn confirmation(registration: &str, platform: &str, now: DateTime<Utc>) -> NewDuty {
    NewDuty {
        id: Uuid::now_v7().to_string(),
        platform_id: platform.to_owned(),
        kind: CONFIRMATION.to_owned(),
        object_id: registration.to_owned(),
        revision: 1,
        lease_owner: String::new(),
        lease_until: now,
        next_attempt_at: now,
        give_up_at: now + CONFIRMED_WITHIN,
        created_at: now,
    }
}

/// When duties are retried, and when a lease may be taken over (`[duties]`, `[cdrs]`).
#[derive(Clone, Debug)]
pub struct Horizons {
    /// How long an attempt may take before somebody else may make it again.
    pub lease: Duration,
    /// The delay after the first failed attempt; doubles from there.
    pub first_retry: Duration,
    /// The longest delay between two attempts, unless the receiver asks for more.
    pub max_retry: Duration,
    /// How long a CDR is owed before the duty is dead.
    pub custody: Duration,
}
