//! The rented neighbours among themselves: without a hub in between, one registers at the other and each speaks straight to the
//! other one's endpoints. What holds here is what the stories about the hub may rely on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cdrs;
mod lists;
mod objects;
mod orders;
mod strictness;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use truewatt::clock::{SharedClock, SystemClock};
use truewatt::ocpi::ids::PartyId;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Plan, SandboxParty, To, Voice};

/// Far longer than anything here takes; only a test that fails waits for it.
const SOON: Duration = Duration::from_secs(10);

fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

fn party(text: &str) -> PartyId {
    PartyId::from_slash(text).unwrap()
}

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

/// One platform with one party, and how others address it.
struct Neighbour {
    platform: SandboxParty,
    voice: Voice,
    to: To,
    id: PartyId,
}

impl Neighbour {
    async fn of(plan: Plan) -> Neighbour {
        let id = plan.parties[0].0.clone();
        let platform = SandboxParty::start(plan, clock()).await.unwrap();
        Neighbour {
            voice: platform.voice_of(&id),
            to: To::Party(id.clone()),
            id,
            platform,
        }
    }
}

/// An operator and a provider with everything their roles ask for; the provider has registered at the operator.
async fn neighbours() -> (Neighbour, Neighbour) {
    met(complete("DE/ABC", Role::Cpo), complete("DE/EMS", Role::Emsp)).await
}

fn complete(id: &str, role: Role) -> Plan {
    Plan::complete(&format!("{role} {id}"), vec![(party(id), role)])
}

/// Two platforms of these plans; the second has registered at the first.
async fn met(host: Plan, guest: Plan) -> (Neighbour, Neighbour) {
    let (host, guest) = (Neighbour::of(host).await, Neighbour::of(guest).await);
    guest
        .platform
        .register_at(&host.platform.versions_url(), &host.platform.invite())
        .await
        .unwrap();
    (host, guest)
}
