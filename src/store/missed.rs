//! Broadcasts that platforms with `catch_up` have missed: one duty for each object and platform, however often the object changes.
//!
//! The duty names the object by its row in the mirror and says up to which revision it was missed; the octets are kept once, there. So the
//! outbox holds neither bodies nor anybody's ids, and what is told is always the state of the moment (design promise 3).

use chrono::{DateTime, Utc};

use super::copies::{CopyRecord, NewCopy};
use super::outbox::{DutyRecord, NewDuty};
use super::schema::{mirror, outbox};
use super::value::micros;
use super::{Store, StoreError, ask, both, change};

/// A broadcast that a platform has missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMissed {
    /// To whom it is owed and until when. Object and revision are filled in by what it is written down with.
    pub duty: NewDuty,
    /// Where the platform is owed so many objects already, another one is not: it reads the lists (T-34).
    pub at_most: u32,
}

/// How an attempt to tell a state ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissedTold {
    /// It was heard, or there is nothing to tell, or nobody to tell it.
    Ended,
    /// It was not: it is tried again.
    Postponed {
        /// When.
        next_attempt_at: DateTime<Utc>,
        /// Why.
        outcome: String,
    },
    /// It was not, for too long.
    Dead {
        /// Why, the last time.
        outcome: String,
    },
}

/// An object at one of its revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRevision {
    /// The module.
    pub module: String,
    /// The owner as `DE/ABC`, upper case.
    pub owner_key: String,
    /// The object, as it is found by.
    pub object_key: String,
    /// The revision.
    pub revision: i64,
}

impl Store {
    /// Owes an object to platforms that have missed it up to a revision. Where it is owed already, it is owed up to the later of the two, and
    /// is due as it was.
    pub async fn missed_owe(&self, object: ObjectRevision, missed: Vec<NewMissed>) -> Result<(), StoreError> {
        let missed: Vec<MissedRecord> = missed.into_iter().map(MissedRecord::from).collect();
        change!(self, owe_named(object, missed))
    }

    /// A platform has heard of an object as a whole, at a revision: what it missed before is no longer owed. Nothing is written where nothing is owed.
    pub async fn missed_heard(&self, kind: &str, platform: &str, object: ObjectRevision) -> Result<(), StoreError> {
        let owed = Owed {
            kind: kind.to_owned(),
            platform: platform.to_owned(),
            object,
        };
        let asked = owed.clone();
        if ask!(self, is_owed(asked))? {
            change!(self, heard(owed))?;
        }
        Ok(())
    }

    /// Settles an attempt that told a revision, on condition that nothing newer was missed meanwhile; otherwise `false`, and the duty is due as
    /// it was. What was not heard is settled by who has the lease.
    pub async fn missed_settle(
        &self,
        duty: &str,
        owner: &str,
        revision: i64,
        told: MissedTold,
    ) -> Result<bool, StoreError> {
        let settle = Settle {
            duty: duty.to_owned(),
            owner: owner.to_owned(),
            revision,
            told,
        };
        change!(self, settle(settle))
    }

    /// Writes down one more copy of an object, on condition that it is still at this revision; `None` when it is not. Otherwise whether an
    /// earlier copy of it is on its way in another process.
    pub async fn copy_again(&self, copy: NewCopy, of: ObjectRevision) -> Result<Option<bool>, StoreError> {
        let record = CopyRecord::of(copy, &of.module, &of.owner_key, &of.object_key, of.revision);
        change!(self, again(record))
    }
}

#[derive(Clone)]
struct Owed {
    kind: String,
    platform: String,
    object: ObjectRevision,
}

struct Settle {
    duty: String,
    owner: String,
    revision: i64,
    told: MissedTold,
}

/// As [`NewMissed`], for the tables.
pub(in crate::store) struct MissedRecord {
    duty: DutyRecord,
    at_most: i64,
}

impl From<NewMissed> for MissedRecord {
    fn from(missed: NewMissed) -> MissedRecord {
        MissedRecord {
            duty: DutyRecord::from(missed.duty),
            at_most: missed.at_most.into(),
        }
    }
}

both! {
    /// Owed with the object, in its commit.
    pub(in crate::store) async fn owe(
        c: &mut Connection,
        object: &str,
        revision: i64,
        missed: &[MissedRecord],
    ) -> Result<(), StoreError> {
        for one in missed {
            let duty = DutyRecord { object_id: object.to_owned(), revision, ..one.duty.clone() };
            let known = || outbox::table
                .filter(outbox::platform_id.eq(&duty.platform_id))
                .filter(outbox::kind.eq(&duty.kind))
                .filter(outbox::object_id.eq(&duty.object_id))
                .filter(outbox::revision.le(duty.revision));
            // An attempt under way keeps its lease, and will not settle the newer one.
            let newer = || (outbox::revision.eq(duty.revision), outbox::give_up_at.eq(duty.give_up_at));
            let owed = known().filter(outbox::state.eq("owed"));
            if diesel::update(owed).set(newer()).execute(c).await? > 0 {
                continue;
            }
            let anew = (
                newer(),
                outbox::state.eq("owed"),
                outbox::attempts.eq(0),
                outbox::next_attempt_at.eq(duty.next_attempt_at),
            );
            if diesel::update(known()).set(anew).execute(c).await? > 0 {
                continue;
            }
            let all: i64 = outbox::table
                .filter(outbox::platform_id.eq(&duty.platform_id))
                .filter(outbox::kind.eq(&duty.kind))
                .count()
                .get_result(c)
                .await?;
            if all < one.at_most {
                diesel::insert_into(outbox::table).values(&duty).on_conflict_do_nothing().execute(c).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn owe_named(
        c: &mut Connection,
        object: &ObjectRevision,
        missed: &[MissedRecord],
    ) -> Result<(), StoreError> {
        match row_of(c, object).await? {
            Some(id) => owe(c, &id, object.revision, missed).await,
            None => Ok(()),
        }
    }

    async fn row_of(c: &mut Connection, object: &ObjectRevision) -> Result<Option<String>, StoreError> {
        let row = mirror::table
            .filter(mirror::module.eq(&object.module))
            .filter(mirror::owner_key.eq(&object.owner_key))
            .filter(mirror::object_key.eq(&object.object_key));
        Ok(row.select(mirror::id).first(c).await.optional()?)
    }

    pub(super) async fn is_owed(c: &mut Connection, owed: &Owed) -> Result<bool, StoreError> {
        let Some(id) = row_of(c, &owed.object).await? else { return Ok(false) };
        let duty = outbox::table
            .filter(outbox::platform_id.eq(&owed.platform))
            .filter(outbox::kind.eq(&owed.kind))
            .filter(outbox::object_id.eq(&id))
            .filter(outbox::revision.le(owed.object.revision));
        Ok(duty.select(outbox::id).first::<String>(c).await.optional()?.is_some())
    }

    pub(super) async fn heard(c: &mut Connection, owed: &Owed) -> Result<(), StoreError> {
        let Some(id) = row_of(c, &owed.object).await? else { return Ok(()) };
        let duty = outbox::table
            .filter(outbox::platform_id.eq(&owed.platform))
            .filter(outbox::kind.eq(&owed.kind))
            .filter(outbox::object_id.eq(&id))
            .filter(outbox::revision.le(owed.object.revision));
        diesel::delete(duty).execute(c).await?;
        Ok(())
    }

    pub(super) async fn settle(c: &mut Connection, settle: &Settle) -> Result<bool, StoreError> {
        let duty = || outbox::table.filter(outbox::id.eq(&settle.duty));
        let idle = || (outbox::lease_owner.eq(None::<String>), outbox::lease_until.eq(0));
        let ours = || duty().filter(outbox::lease_owner.eq(&settle.owner));
        let settled = match &settle.told {
            MissedTold::Ended => diesel::delete(duty().filter(outbox::revision.le(settle.revision))).execute(c).await?,
            MissedTold::Postponed { next_attempt_at, outcome } => {
                let later = (
                    outbox::attempts.eq(outbox::attempts + 1),
                    outbox::next_attempt_at.eq(micros(*next_attempt_at)),
                    outbox::last_outcome.eq(outcome),
                    idle(),
                );
                diesel::update(ours()).set(later).execute(c).await?
            }
            MissedTold::Dead { outcome } => {
                let dead = (
                    outbox::attempts.eq(outbox::attempts + 1),
                    outbox::state.eq("dead"),
                    outbox::last_outcome.eq(outcome),
                    idle(),
                );
                diesel::update(ours()).set(dead).execute(c).await?
            }
        };
        if settled == 0 {
            diesel::update(ours()).set(idle()).execute(c).await?;
        }
        Ok(settled == 1)
    }

    pub(super) async fn again(c: &mut Connection, copy: &CopyRecord) -> Result<Option<bool>, StoreError> {
        let object = mirror::table
            .filter(mirror::module.eq(&copy.module))
            .filter(mirror::owner_key.eq(&copy.owner_key))
            .filter(mirror::object_key.eq(&copy.object_key))
            .filter(mirror::revision.eq(copy.revision));
        // Held until the commit: whoever writes the next revision sees this copy and waits for it.
        if diesel::update(object).set(mirror::revision.eq(mirror::revision + 0)).execute(c).await? == 0 {
            return Ok(None);
        }
        Ok(Some(following::enter(c, copy).await?))
    }
}
