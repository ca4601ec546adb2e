//! Telling a platform with `catch_up` what it has missed: the state of an object as it is now, once it can hear it (design.md 3.7).
//!
//! It is told as a copy to that platform alone (see [`super::copy`]), so that it stands in line with everything else that is said about the
//! object. What ends the duty is an answer about the object, whatever it says, as for a ClientInfo.

use super::Delivery;
use super::carry::span;
use super::copy::{StateTold, Unheard};
use super::worker::Attempt;
use crate::ocpi::ids::PlatformId;
use crate::parties::Fault;
use crate::routing::directory::PlatformStatus;
use crate::store::MissedTold;
use crate::store::outbox::DutyRow;

impl Delivery {
    /// Makes one attempt and settles it.
    pub(super) async fn catch_up(&self, duty: &DutyRow) -> Result<Attempt, Fault> {
        let id = PlatformId::from(duty.platform_id.as_str());
        let platform = self.parties.snapshot().directory().platform(&id);
        let Some(platform) = platform.filter(|platform| platform.options.catch_up && platform.status.is_registered())
        else {
            // It left, or does not want to any more.
            return self.settle_missed(duty, duty.revision, MissedTold::Ended).await;
        };
        let now = self.clock.now();
        if platform.status == PlatformStatus::Offline {
            if now >= duty.give_up_at {
                let outcome = "the platform was OFFLINE for too long".to_owned();
                return self
                    .settle_missed(duty, duty.revision, MissedTold::Dead { outcome })
                    .await;
            }
            self.give_back(duty, now + span(self.horizons.max_retry)).await?;
            self.nudge_if_back(&id).await;
            return Ok(Attempt::Nothing);
        }
        // No longer than the lease: then somebody else may try.
        let lease = self.lease_for(&platform).to_std().unwrap_or_default();
        let told = tokio::time::timeout(lease, self.copies.tell_state(&platform, &duty.object_id)).await;
        match told.unwrap_or_else(|_| Ok(StateTold::Unheard(Unheard::too_long())))? {
            StateTold::Heard(revision) => {
                self.settle_missed(duty, revision, MissedTold::Ended).await?;
                Ok(Attempt::Taken)
            }
            StateTold::Nothing => self.settle_missed(duty, duty.revision, MissedTold::Ended).await,
            StateTold::Unheard(why) => {
                self.went_wrong(&id, why.patience);
                self.settle_missed(duty, duty.revision, self.after(duty, why)).await
            }
        }
    }

    fn after(&self, duty: &DutyRow, why: Unheard) -> MissedTold {
        let now = self.clock.now();
        if now >= duty.give_up_at {
            return MissedTold::Dead { outcome: why.said };
        }
        MissedTold::Postponed {
            next_attempt_at: self.again(duty, why.patience, now),
            outcome: why.said,
        }
    }

    async fn settle_missed(&self, duty: &DutyRow, revision: i64, told: MissedTold) -> Result<Attempt, Fault> {
        let settled = self.store.missed_settle(&duty.id, &self.owner, revision, told).await;
        if !settled.map_err(|error| Fault::new("settling what was missed", error))? {
            // There is more to tell, or nothing any more.
            self.nudge();
        }
        Ok(Attempt::Nothing)
    }
}
