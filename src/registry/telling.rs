//! Published keys are told: every platform that listens on the hub's module `publickeys` is owed each registration as it stands.
//!
//! ```text
//!  the registry's log, from where it was told ──► one commit: how far it was told, and a notice for each who listens
//! ```
//!
//! Takes no input: the place in the log is in the database, so nothing is lost with a process and nothing told by two. To the operator
//! of a registration this is the confirmation (SAF-31). What was in the log before a platform listened it reads from the list.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Registry;
use super::index::Registered;
use super::lifecycle::State;
use super::shown::object;
use crate::clock::SharedClock;
use crate::delivery::Delivery;
use crate::delivery::notice::listener;
use crate::ocpi::ids::PartyId;
use crate::parties::Fault;
use crate::routing::custom::OwnModule;
use crate::routing::directory::{Directory, Platform};
use crate::store::{Message, NewNotice};

/// Changes that are entered at once.
const PORTION: u32 = 500;

/// Between two looks.
const TICK: Duration = Duration::from_secs(1);

/// Tells what the registry publishes.
pub struct Telling {
    registry: Arc<Registry>,
    delivery: Arc<Delivery>,
    clock: SharedClock,
}

impl Telling {
    /// For this process.
    #[must_use]
    pub fn new(registry: Arc<Registry>, delivery: Arc<Delivery>, clock: SharedClock) -> Arc<Telling> {
        Arc::new(Telling {
            registry,
            delivery,
            clock,
        })
    }

    /// Works until aborted, which is safe at any point.
    pub async fn follow(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(fault) = self.round().await {
                ::log::error!("{}", fault.chain());
            }
        }
    }

    /// Owes everything that was logged since, to everybody who listens now.
    ///
    /// # Errors
    /// When the database fails; what was done is noted.
    pub async fn round(&self) -> Result<(), Fault> {
        let telling = |error| Fault::new("telling of changes of the key registry", error);
        loop {
            let after = self.registry.store().publickeys_cursor().await.map_err(telling)?;
            let (last, changed) = self.registry.versions_since(after, PORTION).await.map_err(telling)?;
            if last == after {
                return Ok(());
            }
            self.registry.refresh().await.map_err(telling)?;
            let snapshot = self.delivery.directory();
            let directory = snapshot.directory();
            let mut notices = Vec::new();
            let listeners: Vec<_> = directory
                .platforms()
                .filter(|platform| listener(directory, platform, OwnModule::PublicKeys).is_some())
                .collect();
            if !listeners.is_empty() {
                for registration in &changed {
                    let found = self.registry.index().get(registration).cloned();
                    let Some(found) = found else { continue };
                    let own_id = self.registry.store().name_of_registration(registration).await;
                    let own_id = own_id.map_err(telling)?;
                    let now = self.clock.now();
                    let to = listeners
                        .iter()
                        .filter_map(|platform| self.notice(directory, platform, &found, own_id.as_deref(), now));
                    notices.extend(to);
                }
            }
            let is_some = !notices.is_empty();
            let entered = self.registry.store().publickeys_enter(after, last, notices).await;
            if entered.map_err(telling)? && is_some {
                self.delivery.nudge();
            }
        }
    }

    /// What a platform is owed of a registration; `None` where it is none of its business yet.
    fn notice(
        &self,
        directory: &Directory,
        platform: &Platform,
        found: &Registered,
        own_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Option<NewNotice> {
        let one = found.now();
        let owner = PartyId::from_slash(&one.cpo).ok()?;
        let is_own = platform.carries(&owner);
        // That a person refused what had waited, its operator hears nowhere else.
        let concerns_it = one.state.is_public() || (is_own && one.state == State::Refused);
        if !concerns_it {
            return None;
        }
        let id = own_id.filter(|_| is_own).unwrap_or(&one.id);
        let to_party = match is_own {
            true => one.cpo.clone(),
            false => platform.live().next().map(|entry| entry.party.key())?,
        };
        let message = Message {
            identifier: OwnModule::PublicKeys.identifier(&directory.hub),
            method: "PUT".to_owned(),
            path: vec![
                owner.country_code().to_owned(),
                owner.party_id().to_owned(),
                id.to_owned(),
            ],
            to_party,
            object: format!("{}/{id}", one.cpo),
            body: object(one, id, found.learned_at(), is_own).to_string(),
            shown: None,
        };
        Some(
            self.delivery
                .new_notice(OwnModule::PublicKeys, &platform.id, &one.id, message, now),
        )
    }
}
