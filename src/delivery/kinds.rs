//! What leaves the house, of which kind, and why.
//!
//! | Message | Kind | Reason | Until |
//! | --- | --- | --- | --- |
//! | a CDR the hub took | duty | its sender was told 1000: it is the hub's word now (design.md promise 2) | `cdrs.custody_days`, then dead, never deleted |
//! | the same with `custody = false` | one attempt | the operator of the receiver wants a relay: the sender is told 4002 or 4003 and repeats | the attempt |
//! | ClientInfo (HubClientInfo) | duty | the hub owns it (HCI-01): whoever may know is told the newest state, once | a week of refusals; a platform that is away is waited for |
//! | what became of a registration | duty | its submitter was told 202 and a `confirmation_url` was given (SAF-31) | a day, then dead |
//! | a published key, a verdict that does not hold | duty | the hub's own word (key-registry.md SAF-31, SAF-46), for platforms that listen on its custom modules | `cdrs.custody_days` |
//! | a Session, to a provider whose contract says so | duty | the hub forwards it for its CPO or eMSP (ECI-12, ECI-14); a newer state takes its place | a day, or the contract's end |
//! | a push to everybody | copy | its sender was told 1000 at the commit; a receiver that is away or says no catches up by asking (R-57, R-61, T-34) | one attempt per party; again only if this process dies |
//! | what a receiver with `catch_up` missed of such pushes | duty | that receiver wants it (design.md 3.7): each object once, as it is when the receiver is back | 30 days, then dead |
//! | GET on a CDR's `Location` | relay | the requester waits for it; the hub's copy answers when nobody else does | the request |
//!
//! Nothing else is sent for a CDR. A re-check that changes its verdict is shown in pulls, never pushed (design.md 3.5).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::ocpi::ids::PlatformId;
use crate::store::NewMissed;
use crate::store::outbox::NewDuty;

/// The kinds of duties, as the outbox names them.
pub const CDR: &str = "cdr";
/// The state of a party, told to a platform.
pub const CLIENT_INFO: &str = crate::parties::client_info::DUTY;
/// A registration of a meter key as it stands, told through the hub's own module of that name.
pub const PUBLIC_KEYS: &str = "publickeys";
/// A verdict, told to the CDR's CPO through the hub's own module of that name.
pub const CDR_VALIDATIONS: &str = "cdrvalidations";

/// A Session, shown to a provider under a contract.
pub const SESSION: &str = "session";

/// What became of a registration, told to whoever submitted it.
pub const CONFIRMATION: &str = "confirmation";

/// An object that was pushed to everybody and that a platform has not heard of.
pub const BROADCAST: &str = "broadcast";

/// How long a missed object is owed; who was away for longer reads the lists.
const CAUGHT_UP_WITHIN: TimeDelta = TimeDelta::days(30);
/// Objects that one platform is owed: more than the largest operator known has locations, and, without bodies, some 10 MB of rows. Whoever missed
/// more reads the lists sooner than it is told one by one.
const CATCH_UP_AT_MOST: u32 = 20_000;
/// When what a platform missed is looked at, if nobody notices that it comes back: whoever thought it was away may have been alone with that.
const AWAY: TimeDelta = TimeDelta::minutes(1);

/// The duty to tell a platform what it has just missed, due at once and nobody's yet.
#[must_use]
pub fn missed(platform: &PlatformId, now: DateTime<Utc>) -> NewMissed {
    NewMissed {
        duty: NewDuty {
            id: Uuid::now_v7().to_string(),
            platform_id: platform.to_string(),
            kind: BROADCAST.to_owned(),
            object_id: String::new(),
            revision: 0,
            lease_owner: String::new(),
            lease_until: DateTime::UNIX_EPOCH,
            next_attempt_at: now,
            give_up_at: now + CAUGHT_UP_WITHIN,
            created_at: now,
        },
        at_most: CATCH_UP_AT_MOST,
    }
}

/// The same for one that is away: its return makes it due.
#[must_use]
pub fn missed_while_away(platform: &PlatformId, now: DateTime<Utc>) -> NewMissed {
    let mut missed = missed(platform, now);
    missed.duty.next_attempt_at = now + AWAY;
    missed
}

/// How long a Session is owed to a provider: who was away for longer is shown the next state of those that still run.
const SHOWN_WITHIN: TimeDelta = TimeDelta::days(1);

/// The duty to show a provider a Session, due at once and nobody's yet; no longer than its contract holds.
#[must_use]
pub fn session(platform: &PlatformId, object: &str, ends: Option<DateTime<Utc>>, now: DateTime<Utc>) -> NewDuty {
    let within = now + SHOWN_WITHIN;
    NewDuty {
        id: Uuid::now_v7().to_string(),
        platform_id: platform.to_string(),
        kind: SESSION.to_owned(),
        object_id: object.to_owned(),
        revision: 1,
        lease_owner: String::new(),
        lease_until: DateTime::UNIX_EPOCH,
        next_attempt_at: now,
        give_up_at: ends.map_or(within, |ends| ends.min(within)),
        created_at: now,
    }
}

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
