//! The post: what the hub owes to a platform is carried there, again and again if need be, and never twice by intention.
//!
//! A *relay* is somebody's request and fails together with it. A *duty* is the hub's own word: it was committed together with
//! the CDR it is about, already leased to the process that took the CDR, so the first attempt is made while the sender waits
//! ("insert leased"). If that process dies, the lease ends and a [`worker`] of any process goes on with the same function,
//! [`Delivery::carry`]. Good day and bad day share one path.
//!
//! A *copy* is a push to everybody that the hub accepted: committed with its object, sent once to each who hears it, and taken over
//! only from a process that died ([`copy`]).
//!
//! At least once is the guarantee. The lease saves work, correctness does not depend on it: a receiver that answers after
//! the lease has ended may be asked again, and recognises the CDR by its id.
//!
//! Nothing here decides *who* must be told (see [`crate::routing`]), whether a CDR is billable, or what its sender hears.
//! Start with [`kinds`]; [`relay`] carries somebody's request and reads the answer. For a duty [`reception`] reads it, [`carry`]
//! makes one attempt with a CDR, `catch_up` one with a broadcast that was missed, `client_info` one with the state of a party, `confirmation` one with a registration, [`notice`] one with
//! what the hub tells through its own modules, and [`worker`] repeats. [`order`] keeps requests about
//! one object in line.
//!
//! Design notes: nobody waits for a dead neighbour. A platform known to be OFFLINE gets no attempt, its duties wait for the
//! change to CONNECTED. One that fails attempt after attempt is left alone for a while as a whole ([`lanes`]), and only
//! a few of its duties are in the air at once. What is due is leased platform by platform, a portion each.

pub mod carry;
mod catch_up;
pub mod copy;
mod client_info;
mod confirmation;
pub mod kinds;
pub mod lanes;
pub mod notice;
pub mod order;
pub mod reception;
pub mod relay;
mod told;
pub mod worker;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::SharedClock;
use crate::ocpi::ids::PlatformId;
use crate::parties::{Parties, Snapshot};
use crate::routing::directory::{PlatformOptions, PlatformStatus};
use crate::store::Store;
use crate::store::evidence::CdrRow;
use copy::Copies;
use kinds::Horizons;
use lanes::{Breaker, Lanes};

/// The octets a receiver gets for a stored CDR: as posted, or with the marker behind (the `evidence` room knows which).
pub type Pack = fn(&CdrRow, &PlatformOptions) -> Bytes;

/// Everything needed to carry what is owed.
pub struct Delivery {
    store: Store,
    parties: Arc<Parties>,
    copies: Arc<Copies>,
    clock: SharedClock,
    horizons: Horizons,
    custody: bool,
    pack: Pack,
    /// Who leases: this process, as long as it lives.
    owner: String,
    lanes: Lanes,
    nudge: Notify,
}

impl Delivery {
    /// The post of one process; `copies` tell what was missed. `custody` is the hub's own setting, used where a receiver's options say nothing.
    #[must_use]
    pub fn new(
        store: Store,
        parties: Arc<Parties>,
        copies: Arc<Copies>,
        clock: SharedClock,
        horizons: Horizons,
        custody: bool,
        pack: Pack,
    ) -> Arc<Delivery> {
        let owner = Uuid::new_v4().to_string();
        let lanes = Lanes::new(horizons.first_retry, horizons.max_retry);
        Arc::new(Delivery {
            store,
            parties,
            copies,
            clock,
            horizons,
            custody,
            pack,
            owner,
            lanes,
            nudge: Notify::new(),
        })
    }

    /// Whether the hub keeps CDRs for this receiver while it does not answer.
    #[must_use]
    pub fn keeps_for(&self, options: &PlatformOptions) -> bool {
        options.custody.unwrap_or(self.custody)
    }

    /// When duties are retried and leases end.
    #[must_use]
    pub fn horizons(&self) -> &Horizons {
        &self.horizons
    }

    /// Who is connected right now.
    #[must_use]
    pub fn directory(&self) -> Arc<Snapshot> {
        self.parties.snapshot()
    }

    /// The name under which this process leases.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What is owed to this platform is tried now, even if it was to be left alone for a while.
    pub fn wake(&self, platform: &PlatformId) {
        self.lanes.wake(platform);
        self.nudge();
    }

    /// Whether this process makes attempts at a platform of its own accord.
    #[must_use]
    pub fn breaker(&self, platform: &PlatformId) -> Breaker {
        self.lanes.breaker(platform, self.clock.now())
    }

    /// A platform took something, or said no to it: it is well.
    async fn went_well(&self, platform: &PlatformId) {
        if self.lanes.wake(platform) {
            // As after a change to CONNECTED.
            self.nudge_if_back(platform).await;
        }
    }

    /// A platform that was called did not take what it was to take.
    fn went_wrong(&self, platform: &PlatformId, wish: Option<Duration>) {
        self.lanes.failed(platform, wish, self.clock.now(), carry::jitter());
    }

    /// Gives back what this process has leased: it is going, and whoever stays need not wait for its leases to end.
    pub async fn give_away(&self) {
        if let Err(error) = self.store.duties_give_away(&self.owner).await {
            log::error!("giving away duties: {error}");
        }
    }

    /// A platform may come back between the decision to wait for it and the moment that was written down; the nudge of its
    /// return then found no duty to nudge.
    pub(crate) async fn nudge_if_back(&self, platform: &PlatformId) {
        let now = self.parties.snapshot().directory().platform(platform);
        if now.is_none_or(|platform| platform.status != PlatformStatus::Connected) {
            return;
        }
        match self.store.duties_nudge(platform.as_str(), self.clock.now()).await {
            Ok(0) => {}
            Ok(_) => self.nudge(),
            Err(error) => log::error!("nudging the duties of platform {platform}: {error}"),
        }
    }

    /// Something became due: look now instead of at the next tick.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }
}
