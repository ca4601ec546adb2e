//! What a platform with `catch_up` has missed: who is owed the state of an object, and telling it, to that platform alone.
//!
//! A state is told as a copy like any other, so that the order of one object holds between processes too: what is on its way is before it,
//! what comes later is behind it. Only how it ended is told to whoever carries the duty. A copy of this kind that was left behind is not
//! taken over but forgotten: the duty it was made for is still there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::held::Held;
use super::{Carried, Copies, lock};
use crate::delivery::kinds;
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::modules::{self, Module, TARIFFS, TOKENS};
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::url;
use crate::parties::Fault;
use crate::routing::audience::{Hearer, absent, hearers};
use crate::routing::directory::{Directory, Platform, PlatformStatus};
use crate::store::{CopyRow, MirrorRow, NewCopy, ObjectRevision};

/// The method such a copy is written down with. It is sent as PUT or DELETE; this is none, so that whoever takes the row for another copy
/// cannot send it.
pub(super) const CATCH_UP: &str = "CATCH UP";

/// What became of a copy at one of its receivers.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It answered about the object.
    Heard,
    /// It did not.
    Unheard(Unheard),
    /// Another process has the copy by now, and tells everybody.
    Elsewhere,
}

/// Why something was not heard.
#[derive(Clone, Debug)]
pub(crate) struct Unheard {
    /// In words, for the duty.
    pub(crate) said: String,
    /// How long the receiver wants to be left alone.
    pub(crate) patience: Option<Duration>,
}

impl Unheard {
    /// Its turn did not come, or its answer, before somebody else may try.
    pub(crate) fn too_long() -> Unheard {
        Unheard::because("it took too long")
    }

    pub(super) fn because(said: impl Into<String>) -> Unheard {
        Unheard {
            said: said.into(),
            patience: None,
        }
    }
}

/// How telling a state went.
pub(crate) enum StateTold {
    /// The platform knows the object at this revision.
    Heard(i64),
    /// It does not.
    Unheard(Unheard),
    /// There is nothing to tell, or nobody to tell it.
    Nothing,
}

/// Who waits for the end of a state that was missed: it hears why it was not heard, or nothing.
pub(super) type Waiter = oneshot::Sender<Option<Unheard>>;

/// What is to be known of the legs of a copy, beside that they have ended.
#[derive(Default)]
pub(super) struct Watched {
    /// Of each platform that wants to catch up: legs that have not ended, and whether one was not heard.
    platforms: Mutex<HashMap<PlatformId, (usize, bool)>>,
    /// Where the copy is a state that was missed: who waits for its end, and why it was not heard.
    state: Option<Mutex<(Option<Waiter>, Option<Unheard>)>>,
}

impl Watched {
    pub(super) fn of(hearers: &[Hearer], done: Option<Waiter>) -> Watched {
        let mut platforms: HashMap<PlatformId, (usize, bool)> = HashMap::new();
        if done.is_none() {
            for hearer in hearers.iter().filter(|hearer| hearer.platform.options.catch_up) {
                platforms.entry(hearer.platform.id.clone()).or_default().0 += 1;
            }
        }
        Watched {
            platforms: Mutex::new(platforms),
            state: done.map(|done| Mutex::new((Some(done), None))),
        }
    }

    /// Whether the platform has heard the copy in each of its parties; `None` while legs are under way there, or nobody cares.
    fn ended(&self, platform: &PlatformId, is_heard: bool) -> Option<bool> {
        let mut platforms = lock(&self.platforms);
        let (left, is_missed) = platforms.get_mut(platform)?;
        *left = left.saturating_sub(1);
        *is_missed |= !is_heard;
        (*left == 0).then_some(!*is_missed)
    }

    fn not_heard(&self, why: Unheard) {
        if let Some(state) = &self.state {
            lock(state).1 = Some(why);
        }
    }

    /// The last leg has ended.
    pub(super) fn all_ended(&self) {
        if let Some(state) = &self.state {
            let (done, why) = &mut *lock(state);
            if let Some(done) = done.take() {
                // Whoever asked may have stopped waiting.
                let _ = done.send(why.take());
            }
        }
    }
}

impl Copies {
    /// The platforms that are away while an object is pushed to everybody, and want to catch up: the duties to be committed with it.
    #[must_use]
    pub fn missed(
        &self,
        directory: &Directory,
        module: &Module,
        from: &PlatformId,
        sender: &PartyId,
        role: Role,
    ) -> Vec<crate::store::NewMissed> {
        let now = self.clock.now();
        let away = absent(directory, module, from, sender, role);
        away.iter()
            .map(|platform| kinds::missed_while_away(platform, now))
            .collect()
    }

    /// A platform may come back while it is written down that it was away; its return then found no duty to nudge.
    pub async fn nudge_who_is_back<'p>(&self, platforms: impl Iterator<Item = &'p str>) {
        let snapshot = self.parties.snapshot();
        for id in platforms {
            let platform = snapshot.directory().platform(&PlatformId::from(id));
            if platform.is_some_and(|platform| platform.status == PlatformStatus::Connected)
                && let Err(error) = self.store.duties_nudge(id, self.clock.now()).await
            {
                log::error!("nudging the duties of platform {id}: {error}");
            }
        }
    }

    /// Tells one platform the state of an object, by its place in the mirror, behind everything of it that is on its way. Waits until it was told.
    pub(crate) async fn tell_state(self: &Arc<Self>, platform: &Platform, place: &str) -> Result<StateTold, Fault> {
        let fault = |error| Fault::new("telling the state of an object", error);
        loop {
            let Some(named) = self.store.mirror_at(place).await.map_err(fault)? else {
                return Ok(StateTold::Nothing);
            };
            // From the look at what is kept to the place in line, as for what is pushed.
            let turn = self.turn(&named.module, &named.owner_key, &named.object_key).await;
            let Some(kept) = self.store.mirror_at(place).await.map_err(fault)? else {
                return Ok(StateTold::Nothing);
            };
            let Some((owner, hearers)) = self.who_hears(&kept, platform) else {
                return Ok(StateTold::Nothing);
            };
            let Some(method) = method(&kept) else {
                return Ok(StateTold::Nothing);
            };
            let mut row = self.state_copy(&kept, owner);
            let of = object_of(&row);
            let Some(behind) = self.store.copy_again(row.copy.clone(), of).await.map_err(fault)? else {
                // It has changed meanwhile.
                continue;
            };
            method.clone_into(&mut row.copy.method);
            row.copy.body = (method == "PUT").then_some(kept.body);
            let (done, told) = oneshot::channel();
            let lease = self.leases.begin(&row.copy.id, row.copy.lease_until);
            let held = Held {
                row,
                hearers,
                lease,
                done: Some(done),
            };
            self.wait_or_line_up(held, behind);
            drop(turn);
            return Ok(match told.await {
                Ok(None) => StateTold::Heard(kept.revision),
                Ok(Some(why)) => StateTold::Unheard(why),
                Err(_) => StateTold::Unheard(Unheard::because("it was let go of on its way")),
            });
        }
    }

    /// In whose name an object is told, and which parties of a platform hear it by what is agreed now; `None` where none does.
    fn who_hears(&self, kept: &MirrorRow, platform: &Platform) -> Option<(Owner, Vec<Hearer>)> {
        let snapshot = self.parties.snapshot();
        let directory = snapshot.directory();
        let module = modules::module(&kept.module)?;
        let owner = owner(directory, module, kept)?;
        let mut all = hearers(directory, module, &owner.0.id, &owner.1, owner.2);
        all.retain(|hearer| hearer.platform.id == platform.id);
        (!all.is_empty()).then_some((owner, all))
    }

    fn state_copy(&self, kept: &MirrorRow, (platform, party, role): Owner) -> CopyRow {
        let (lease_owner, lease_until) = self.lease();
        CopyRow {
            copy: NewCopy {
                id: Uuid::now_v7().to_string(),
                platform_id: platform.id.to_string(),
                sender: party.to_string(),
                sender_role: role.as_str().to_owned(),
                version: kept.version.clone(),
                method: CATCH_UP.to_owned(),
                tail: url::join("", &[&kept.country_code, &kept.party_id, &kept.object_id]),
                query: query(kept),
                body: None,
                correlation_id: Uuid::new_v4().to_string(),
                lease_owner,
                lease_until,
                created_at: self.clock.now(),
            },
            module: kept.module.clone(),
            owner_key: kept.owner_key.clone(),
            object_key: kept.object_key.clone(),
            revision: kept.revision,
        }
    }

    /// A leg has ended, or was let go: where its platform wants to catch up, the state is owed from here on, or no longer.
    pub(super) async fn catch_up(&self, carried: &Carried, platform: &PlatformId, fate: Fate) {
        let is_heard = match fate {
            Fate::Heard => true,
            Fate::Unheard(why) => {
                carried.watched.not_heard(why);
                false
            }
            Fate::Elsewhere => {
                carried
                    .watched
                    .not_heard(Unheard::because("another process has it by now"));
                return;
            }
        };
        let owed = match carried.watched.ended(platform, is_heard) {
            None => return,
            Some(false) => self.owe(&carried.row, vec![platform.clone()]).await,
            // A change of a part says nothing about the whole that was missed before.
            Some(true) if !is_whole(&carried.row) => return,
            Some(true) => {
                let object = object_of(&carried.row);
                let heard = self
                    .store
                    .missed_heard(kinds::BROADCAST, platform.as_str(), object)
                    .await;
                heard.map_err(|error| Fault::new("settling what was missed", error))
            }
        };
        if let Err(fault) = owed {
            log::error!(platform = platform.as_str(); "{}", fault.chain());
        }
    }

    /// These platforms have missed an object, up to the revision of a copy.
    pub(super) async fn owe(&self, row: &CopyRow, platforms: Vec<PlatformId>) -> Result<(), Fault> {
        if platforms.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let missed = platforms.iter().map(|platform| kinds::missed(platform, now)).collect();
        let owed = self.store.missed_owe(object_of(row), missed).await;
        owed.map_err(|error| Fault::new("owing what was missed", error))?;
        self.nudge_who_is_back(platforms.iter().map(PlatformId::as_str)).await;
        Ok(())
    }

    /// Of everybody a copy was for, those that want to catch up: who is away, and, unless it is `away_only`, who is there.
    pub(super) fn who_catches_up(&self, row: &CopyRow, away_only: bool) -> Vec<PlatformId> {
        let snapshot = self.parties.snapshot();
        let sender = PartyId::from_slash(&row.copy.sender).ok();
        let (Some(module), Some(sender), Some(role)) =
            (modules::module(&row.module), sender, Role::parse(&row.copy.sender_role))
        else {
            return Vec::new();
        };
        let from = PlatformId::from(row.copy.platform_id.as_str());
        let mut found = absent(snapshot.directory(), module, &from, &sender, role);
        if !away_only {
            let there = self.hearers_of(row);
            let wanting = there.iter().filter(|hearer| hearer.platform.options.catch_up);
            found.extend(wanting.map(|hearer| hearer.platform.id.clone()));
            found.dedup();
        }
        found
    }
}

/// Where an owner lives, its name as registered, and in which role it owns.
type Owner = (Arc<Platform>, PartyId, Role);

fn owner(directory: &Directory, module: &Module, kept: &MirrorRow) -> Option<Owner> {
    let owning = module.interface(InterfaceRole::Sender)?.offered_by;
    directory.platforms().find_map(|platform| {
        let found = platform
            .live()
            .find(|one| one.party.key() == kept.owner_key && owning.contains(&one.role))?;
        Some((platform.clone(), found.party.clone(), found.role))
    })
}

/// How a state is told; nothing but a tariff can be told to be gone (TAR-04, LOC-06).
fn method(kept: &MirrorRow) -> Option<&'static str> {
    match kept.deleted_at {
        None => Some("PUT"),
        Some(_) => (kept.module == TARIFFS.identifier).then_some("DELETE"),
    }
}

/// The type of a token, as its owner spells it, where it is not the one that goes without saying (TOK-08).
fn query(kept: &MirrorRow) -> Option<String> {
    if kept.module != TOKENS.identifier || kept.object_key.starts_with("RFID/") {
        return None;
    }
    let fields = Fields::of_body(kept.body.as_bytes(), ["type"]).ok()?;
    let of_type = fields.required_text("type").ok()?;
    let encoded = url::join("", &[&of_type]);
    Some(format!("type={}", encoded.trim_start_matches('/')))
}

pub(super) fn object_of(row: &CopyRow) -> ObjectRevision {
    ObjectRevision {
        module: row.module.clone(),
        owner_key: row.owner_key.clone(),
        object_key: row.object_key.clone(),
        revision: row.revision,
    }
}

/// Whether a copy says all there is to say about its object.
pub(super) fn is_whole(row: &CopyRow) -> bool {
    matches!(row.copy.method.as_str(), "PUT" | "DELETE") && row.copy.tail.split('/').count() == OWNER_AND_ID
}

/// The empty one before the first slash, country code, party id, object id.
const OWNER_AND_ID: usize = 4;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::again::tests::row;
    use super::*;
    use crate::client::Method;

    // T-26, D-16
    #[test]
    fn only_a_whole_object_says_all_and_the_mark_of_a_state_cannot_be_sent() {
        assert!(is_whole(&row(1, "PUT", "/DE/ABC/T1")) && is_whole(&row(1, "DELETE", "/DE/ABC/T1")));
        assert!(!is_whole(&row(1, "PATCH", "/DE/ABC/T1")) && !is_whole(&row(1, "PUT", "/DE/ABC/L1/E1")));
        assert!(Method::from_bytes(CATCH_UP.as_bytes()).is_err());
    }

    #[tokio::test]
    async fn who_waits_for_a_state_hears_why_it_was_not_heard() {
        let (done, told) = oneshot::channel();
        let watched = Watched::of(&[], Some(done));
        watched.not_heard(Unheard::because("answered with HTTP 500"));
        watched.all_ended();
        assert_eq!(told.await.unwrap().unwrap().said, "answered with HTTP 500");
        let (done, told) = oneshot::channel();
        Watched::of(&[], Some(done)).all_ended();
        assert!(told.await.unwrap().is_none());
    }
}
