//! A second look at a CDR that was taken, and the release of one that was held.
//!
//! A re-check adds a verdict and never changes one. Pulls show the newest; nothing is pushed for it (design.md 3.5). Only what
//! was held is carried by it: when the new verdict is one the receiver's policy lets pass.

use chrono::{DateTime, TimeDelta, Utc};

use super::assess::Status;
use super::intake::{Intake, Start, UsedBy, claims, word};
use super::report::Occasion;
use super::{policy, report, validation};
use crate::metering::finding::Code;
use crate::ocpi::ids::PlatformId;
use crate::ocpi::v2_2_1::cdr::CdrHead;
use crate::parties::{Failure, Fault};
use crate::routing::directory::{InvalidCdrs, Platform};
use crate::store::StoreError;
use crate::store::evidence::{BlockUse, CdrRow, NewVerdict, NewestVerdict};

/// Why a CDR could not be released or checked again.
#[derive(Debug, thiserror::Error)]
pub enum NotNow {
    /// It is not held, or no longer.
    #[error("the CDR is not held")]
    NotHeld,
    /// Its receiver left the hub.
    #[error("the receiver's platform is no longer connected to this hub")]
    NoReceiver,
    /// The body or the hub failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<Fault> for NotNow {
    fn from(fault: Fault) -> NotNow {
        NotNow::Failed(fault.into())
    }
}

impl Intake {
    /// Lets a held CDR go: visible to its eMSP from now on, and owed to it.
    ///
    /// # Errors
    /// See [`NotNow`].
    pub async fn release(&self, cdr: &CdrRow, now: DateTime<Utc>) -> Result<(), NotNow> {
        let receiver = self.receiver(cdr)?;
        // It was accepted long ago: the hub's word holds, whatever the receiver's custody option.
        let start = Start::of(false, &receiver, true);
        let (delivery, duty) = match start {
            Start::Pull => (word::AVAILABLE, None),
            _ => (
                word::IN_CUSTODY,
                Some(self.delivery().new_waiting_duty(&cdr.id, &receiver, now)),
            ),
        };
        let frees = cdr
            .credit_reference
            .clone()
            .map(|reference| (cdr.cpo_key.clone(), reference));
        let frees = self.credit_of_the_same_payer(cdr, frees).await?;
        let released = self.store().cdr_release(&cdr.id, now, duty, delivery, frees).await;
        if !released.map_err(|error| Fault::new("releasing a CDR", error))? {
            return Err(NotNow::NotHeld);
        }
        self.delivery().nudge();
        Ok(())
    }

    /// Judges a CDR again with what is known now, and releases it if it was held and need not be any longer. An operator asked for it: the
    /// verdict is added also where it says nothing new.
    ///
    /// # Errors
    /// See [`NotNow`]; never `NotHeld` or `NoReceiver`.
    pub async fn recheck(&self, cdr: &CdrRow, now: DateTime<Utc>) -> Result<(), NotNow> {
        self.judge_again(cdr, now, Occasion::Operator).await.map(|_| ())
    }

    /// The same because the registry changed: a verdict that says the same is not written again. Whether there is a new one.
    ///
    /// # Errors
    /// See [`NotNow`]; never `NotHeld` or `NoReceiver`.
    pub(super) async fn follow_registry(&self, cdr: &CdrRow, now: DateTime<Utc>) -> Result<bool, NotNow> {
        self.judge_again(cdr, now, Occasion::Registry).await
    }

    async fn judge_again(&self, cdr: &CdrRow, now: DateTime<Utc>, occasion: Occasion) -> Result<bool, NotNow> {
        let head = CdrHead::read(cdr.body.as_bytes()).map_err(Failure::from)?;
        let assessment = self
            .assess(&bytes::Bytes::from(cdr.body.clone()), &cdr.emsp_key, now)
            .await?;
        let blocks = super::intake::as_claims(&assessment.blocks());
        let credited = self.credited(&head, &cdr.cpo_key, &cdr.emsp_key).await?;
        // Taken back: its records are free for a new bill, which must neither be hindered by this one nor speak against it.
        let is_taken_back = self
            .store()
            .cdr_is_credited(&cdr.id)
            .await
            .map_err(|error| Fault::new("looking for a credit CDR", error))?;
        for _ in 0..8 {
            let used = self
                .store()
                .blocks_used(&blocks)
                .await
                .map_err(|error| Fault::new("reading used blocks", error))?;
            let by_others: Vec<UsedBy> = if is_taken_back {
                Vec::new()
            } else {
                used_by_others(&used, cdr)
            };
            let before = self
                .store()
                .verdict_newest(&cdr.id)
                .await
                .map_err(|error| Fault::new("reading a verdict", error))?;
            // It lives on a record of another, and no registry changes that. Where the other was credited since, the record is for the new
            // bill, not for this one: only a person gives it back.
            let is_replay = |before: &NewestVerdict| report::names(&before.report, Code::ReplayedRecord);
            if occasion == Occasion::Registry && before.as_ref().is_some_and(is_replay) {
                return Ok(false);
            }
            // Later than the one before, also where that was made by a clock ahead of ours: the newest is in force.
            let at = match &before {
                Some(before) => now.max(before.checked_at + TimeDelta::milliseconds(1)),
                None => now,
            };
            let verdict = self.conclude(&assessment, &cdr.cpo_key, credited.as_ref(), &by_others);
            let report = report::document(&verdict, &self.check(at, occasion));
            let says_the_same = before
                .as_ref()
                .is_some_and(|before| report::says_the_same(&before.report, &report));
            let status = verdict.status;
            let was_billable = before
                .as_ref()
                .is_none_or(|before| validation::is_billable(&before.report));
            let is_to_be_told = !verdict.billable || !was_billable;
            if occasion == Occasion::Registry && says_the_same {
                // Whoever wrote that verdict may have been killed before it let the CDR go.
                self.let_go_if_it_passes(cdr, status, at).await?;
                return Ok(false);
            }
            let added = self
                .store()
                .verdict_add(NewVerdict {
                    row_id: cdr.id.clone(),
                    notice: is_to_be_told.then(|| self.notice(cdr, &report, at)).flatten(),
                    report,
                    status: status.as_str().to_owned(),
                    billable: verdict.billable,
                    marker: self.marker(&verdict, cdr.body.as_bytes(), at),
                    checked_at: at,
                    blocks: if head.credit || is_taken_back || cdr.delivery == word::REJECTED {
                        Vec::new()
                    } else {
                        claims(&verdict)
                    },
                    instead_of: before.map(|before| before.id),
                })
                .await;
            match added {
                Ok(used) if used.is_empty() => self.verdicts().count(status.as_str()),
                // Another CDR was quicker to use a block, or another process to judge: once more, knowing it.
                Ok(_) | Err(StoreError::Conflict(_)) => continue,
                Err(error) => return Err(Fault::new("adding a verdict", error).into()),
            }
            self.let_go_if_it_passes(cdr, status, at).await?;
            return Ok(true);
        }
        Err(Fault::found("checking a CDR again: its blocks kept changing hands").into())
    }

    async fn let_go_if_it_passes(&self, cdr: &CdrRow, status: Status, at: DateTime<Utc>) -> Result<(), NotNow> {
        let receiver = self.receiver(cdr).ok();
        let option = receiver.and_then(|receiver| receiver.options.invalid_cdrs);
        let passes = policy::consequence(status, option, self.settings().invalid_cdrs) == InvalidCdrs::Mark;
        if cdr.delivery != word::HELD || !passes {
            return Ok(());
        }
        match self.release(cdr, at).await {
            // The verdict is in force all the same; without a receiver it is held on.
            Ok(()) | Err(NotNow::NotHeld | NotNow::NoReceiver) => Ok(()),
            Err(other) => Err(other),
        }
    }

    fn receiver(&self, cdr: &CdrRow) -> Result<std::sync::Arc<Platform>, NotNow> {
        let id = PlatformId::from(cdr.emsp_platform.as_str());
        self.delivery()
            .directory()
            .directory()
            .platform(&id)
            .ok_or(NotNow::NoReceiver)
    }

    /// The CDR a held credit CDR takes back, if the same eMSP pays both.
    async fn credit_of_the_same_payer(
        &self,
        cdr: &CdrRow,
        original: Option<(String, String)>,
    ) -> Result<Option<(String, String)>, Fault> {
        let Some((cpo_key, cdr_key)) = original else {
            return Ok(None);
        };
        let found = self
            .store()
            .cdr_find(&cpo_key, &cdr_key)
            .await
            .map_err(|error| Fault::new("reading a credited CDR", error))?;
        Ok(found
            .filter(|one| one.emsp_key == cdr.emsp_key)
            .map(|_| (cpo_key, cdr_key)))
    }
}

fn used_by_others(used: &[BlockUse], cdr: &CdrRow) -> Vec<UsedBy> {
    used.iter()
        .filter(|use_| use_.cpo_key != cdr.cpo_key || use_.cdr_key != cdr.cdr_key)
        .cloned()
        .map(UsedBy::of)
        .collect()
}
