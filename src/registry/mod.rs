//! Which key belongs to which meter, at which EVSE, since when, on whose word.
//!
//! An operator registers a key for a meter, an EVSE and a time; what is implausible is refused with every reason at once
//! ([`checks`]). Registrations are never changed and never deleted: a deactivation ends one, and what it said about the time
//! before stays true. All of them are held in memory ([`index`]), because every CDR asks and none may wait.
//!
//! No signature is checked here, and no key is answered without an instant: a key without one is a guess. The rule all follows
//! from: **one key, one meter, one EVSE at a time** (PC-08, PC-10, PC-11). Start with [`Registry::register`].
//!
//! Design notes: the submit-publish-confirm lifecycle of key-registry.md 4.2 is not here yet; what an operator registers
//! counts at once. Checks and insert are serialised within a process; two processes that register contradicting keys in the
//! same second both succeed, and the verdict then goes by the key that verifies.

pub mod changes;
pub mod checks;
pub mod evse_id;
pub mod index;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::Mutex;
use uuid::Uuid;

use crate::clock::SharedClock;
use crate::store::registry::KeyRow;
use crate::store::{Store, StoreError};
use checks::{Checked, NewKey, RegistryFinding};
use index::Index;

/// The registry: the database behind it, and everything it says in memory.
pub struct Registry {
    store: Store,
    clock: SharedClock,
    index: RwLock<Index>,
    /// The revision the index is at. Held while registering, so that a check and its insert see the same registrations.
    revision: Mutex<i64>,
}

/// A registration made, found again, or refused.
#[derive(Debug)]
pub enum Registration {
    /// New, with remarks of the checks.
    New(Box<KeyRow>, Vec<RegistryFinding>),
    /// It existed (PC-09).
    Existing(Box<KeyRow>),
    /// Refused, with every reason.
    Refused(Vec<RegistryFinding>),
}

impl Registry {
    /// Reads all registrations.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open(store: Store, clock: SharedClock) -> Result<Arc<Registry>, StoreError> {
        let revision = store.keys_revision().await?;
        let index = Index::new(store.keys_all().await?);
        Ok(Arc::new(Registry {
            store,
            clock,
            index: RwLock::new(index),
            revision: Mutex::new(revision),
        }))
    }

    /// What is registered now. Hold it for a lookup only, never across an await.
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a key, if it is plausible.
    ///
    /// # Errors
    /// When the database cannot be reached. A claim that is refused is no error: see [`Registration`].
    pub async fn register(&self, claim: NewKey) -> Result<Registration, StoreError> {
        let mut revision = self.revision.lock().await;
        self.catch_up(&mut revision).await?;
        let now = self.clock.now();
        let checked = checks::check(&claim, &self.index(), now);
        let plausible = match checked {
            Checked::Refused(findings) => return Ok(Registration::Refused(findings)),
            Checked::Exists(id) => {
                let row = self.store.key_get(&id).await?.ok_or(StoreError::NotFound)?;
                return Ok(Registration::Existing(Box::new(row)));
            }
            Checked::Plausible(plausible) => plausible,
        };
        let row = KeyRow {
            id: Uuid::now_v7().to_string(),
            fingerprint: plausible.key.fingerprint(),
            curve: plausible.key.curve().name().to_owned(),
            spki_hex: hex::encode(plausible.key.to_spki_der()),
            meter_serial: claim.meter_serial,
            gateway_serial: claim.gateway_serial,
            evse_id: plausible.evse.to_string(),
            evse_uid: claim.evse_uid,
            cpo_key: claim.cpo.key(),
            valid_from: claim.valid_from,
            valid_to: claim.valid_to,
            calibrated: claim.calibrated,
            state: ACTIVE.to_owned(),
            created_at: now,
            deactivated_at: None,
        };
        let row = self.store.key_register(row).await?;
        self.changed(row.clone(), &mut revision).await?;
        Ok(Registration::New(Box::new(row), plausible.remarks))
    }

    /// Ends a registration now. It stays readable, and right for the time before (SAF-40). Ending it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such registration; others when the database cannot be reached.
    pub async fn deactivate(&self, id: &str) -> Result<KeyRow, StoreError> {
        let mut revision = self.revision.lock().await;
        let row = self.store.key_deactivate(id, self.clock.now()).await?;
        self.changed(row.clone(), &mut revision).await?;
        Ok(row)
    }

    /// Keeps the index equal to the database: other processes register too. Runs until aborted, which is safe at any point.
    pub async fn follow(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let mut revision = self.revision.lock().await;
            if let Err(error) = self.catch_up(&mut revision).await {
                log::error!("reading the key registry: {error}");
            }
        }
    }

    async fn catch_up(&self, revision: &mut i64) -> Result<(), StoreError> {
        let current = self.store.keys_revision().await?;
        if current != *revision {
            let index = Index::new(self.store.keys_all().await?);
            *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
            *revision = current;
        }
        Ok(())
    }

    /// Takes over a change of our own without reading everything again, unless somebody else changed something too.
    async fn changed(&self, row: KeyRow, revision: &mut i64) -> Result<(), StoreError> {
        self.index.write().unwrap_or_else(PoisonError::into_inner).put(row);
        let current = self.store.keys_revision().await?;
        if current <= *revision + 1 {
            *revision = current;
        }
        Ok(())
    }
}

/// The state of a registration that was not ended by hand.
pub const ACTIVE: &str = "ACTIVE";
