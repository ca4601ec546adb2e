//! Which key belongs to which meter, at which EVSE, since when, on whose word.
//!
//! Somebody submits that a key signs for a meter, an EVSE and a time. What is implausible is refused with every reason at once
//! ([`checks`]); what is plausible is published, read back through the public path, and only then confirmed: from then on it counts
//! ([`publish`]). Nothing is ever changed or deleted: every step of a registration is a new version of a [`record`], written in one
//! commit with its line in the [`log`], and what ended stays right for the time before. The steps there are stand in [`lifecycle`], what may be wished for in [`wish`].
//! Everything is held in memory ([`index`]), because every CDR asks and none may wait.
//!
//! Beside registrations stand what an eMSP does without ([`waivers`]), keys and serial numbers heard of that nobody registered
//! ([`observations`]), and what EVSEs say of themselves ([`conformity`]): none of it makes a key count.
//!
//! No signature of a CDR is checked here, and no key is answered without an instant: a key without one is a guess. The rule all follows
//! from: **one key, one meter, one EVSE at a time** (PC-08, PC-10, PC-11). Start with [`Registry::submit`] in [`act`].
//!
//! # Design notes
//!
//! A change is composed from what the index knows, and the commit refuses it when the log has grown since; then it is composed again
//! ([`commit`]). So no two processes register what contradicts each other, and the log is one chain whoever writes it.

pub mod act;
pub mod changes;
pub mod checks;
mod commit;
pub mod conformity;
pub mod evse_id;
pub mod index;
pub mod lifecycle;
pub mod log;
pub mod observations;
pub mod proof;
pub mod publish;
pub mod record;
pub mod waivers;
pub mod wish;

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::client::Http;
use crate::clock::SharedClock;
use crate::store::{Store, StoreError};
pub use act::{Actor, Decision, Declined, Submitted};
use commit::Draft;
pub use commit::{Asked, Request, Said, Told};
use index::Index;
use lifecycle::State;
use log::chain::Head;
use log::checkpoint::Signer;
use log::tree::Tree;
use publish::Attempts;
use record::{Key, Registration, kind};
use waivers::Waiver;
pub use wish::{NewEvidence, Wish};

/// What this room needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    /// Where everybody reaches the hub, without a trailing slash: there a published key is read back.
    pub public_url: String,
    /// Whose log it is: the hub's party, as `DE/TWH`.
    pub origin: String,
    /// Whether keys that everybody knows may be registered (PC-16).
    pub test_keys: bool,
    /// Whether a registration must come with a signed sample (PC-18).
    pub require_sample: bool,
    /// Between two checkpoints of a log that grows.
    pub checkpoint_every: Duration,
    /// How a registration is shown to whoever submitted it: the door knows.
    pub show: fn(&Registration) -> Value,
}

/// The registry: the database behind it, and everything it says in memory.
pub struct Registry {
    store: Store,
    clock: SharedClock,
    /// Calls nobody but our own public URL.
    mirror: Http,
    settings: RegistrySettings,
    signer: Signer,
    index: RwLock<Index>,
    /// How far the log was read. Held while changing, so that a check and its commit see the same registrations.
    head: Mutex<Head>,
    tree: Mutex<Tree>,
    attempts: Attempts,
    /// When answers too old to count were last forgotten, in seconds since 1970.
    forgot_at: AtomicI64,
}

/// An answer is repeated for a week; then its key is as good as new.
#[must_use]
pub fn answers_count_since(now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::days(7)
}

/// How many documents are read at once.
const PORTION: u32 = 5000;

impl Registry {
    /// Reads all registrations, and enters those made before there was a log.
    ///
    /// `mirror` is a client that may call the public URL, wherever that is; `signer` signs checkpoints.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open(
        store: Store,
        clock: SharedClock,
        mirror: Http,
        settings: RegistrySettings,
        signer: Signer,
    ) -> Result<Arc<Registry>, StoreError> {
        let registry = Registry {
            store,
            clock,
            mirror,
            settings,
            signer,
            index: RwLock::default(),
            head: Mutex::default(),
            tree: Mutex::default(),
            attempts: Attempts::default(),
            forgot_at: AtomicI64::default(),
        };
        registry.adopt().await?;
        Ok(Arc::new(registry))
    }

    /// What is registered now. Hold it for a lookup only, never across an await.
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what other processes have changed by now: one small question to the database. For readers who must not be told less
    /// than what was already confirmed elsewhere.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let mut head = self.head.lock().await;
        self.catch_up(&mut head).await
    }

    /// Keeps the index equal to the database, reads back what was published, ends what is over, and signs checkpoints. Runs until
    /// aborted, which is safe at any point.
    pub async fn follow(self: Arc<Self>) {
        // A public path that hangs must not keep this process from what others have confirmed.
        tokio::join!(
            every_second("following the key registry", || self.refresh()),
            every_second("looking after the key registry", || self.look_after()),
        );
    }

    async fn look_after(&self) -> Result<(), StoreError> {
        self.go_on_with_what_was_released().await?;
        self.read_back_what_is_due().await?;
        self.end_what_is_over().await?;
        self.forget_old_answers().await?;
        self.checkpoint_when_due().await
    }

    /// Once in ten minutes.
    async fn forget_old_answers(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let last = self.forgot_at.load(Ordering::Relaxed);
        if (last..last + 600).contains(&now.timestamp()) {
            return Ok(());
        }
        self.store.answers_forget(answers_count_since(now)).await?;
        self.forgot_at.store(now.timestamp(), Ordering::Relaxed);
        Ok(())
    }

    async fn catch_up(&self, head: &mut Head) -> Result<(), StoreError> {
        let size = self.store.registry_size().await?;
        if size == head.size {
            return Ok(());
        }
        let last = self.store.registry_lines(size.saturating_sub(1), 1).await?;
        let hash = last
            .first()
            .and_then(|line| hex::decode(&line.hash).ok()?.try_into().ok())
            .ok_or_else(|| proof::broken("the last line of the registry's log cannot be read"))?;
        let mut after = head.size;
        while after < size {
            let documents = self.store.registry_documents(after, PORTION).await?;
            let Some(last) = documents.last() else { break };
            after = last.seq;
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            // What came after `size` is read next time, with the line that belongs to it.
            for document in documents.into_iter().filter(|document| document.seq <= size) {
                match document.kind.as_str() {
                    kind::REGISTRATION => index.put(Registration::read(&document.document)?, document.recorded_at),
                    waivers::KIND => index.put_waiver(Waiver::read(&document.document)?, document.recorded_at),
                    _ => {}
                }
            }
        }
        *head = Head { size, hash };
        Ok(())
    }

    /// Enters registrations of the time before the log as what they were: confirmed when they were made, and ended when they ended.
    async fn adopt(&self) -> Result<(), StoreError> {
        loop {
            let mut head = self.head.lock().await;
            self.catch_up(&mut head).await?;
            let rows = self.store.keys_before_the_log().await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut drafts = Vec::new();
            let mut seen = HashSet::new();
            for row in rows.iter().take(1000) {
                let is_new = self.index().of_fingerprint(&row.fingerprint).next().is_none();
                if is_new && seen.insert(row.fingerprint.clone()) {
                    let key = Key {
                        fingerprint: row.fingerprint.clone(),
                        curve: row.curve.clone(),
                        public_key: row.spki_hex.clone(),
                        first_seen: row.created_at,
                    };
                    let draft = Draft::once(kind::KEY, row.fingerprint.clone(), &key, "KEY_SEEN", "operator");
                    drafts.push(draft.recorded(row.created_at)?);
                }
                let made = Registration {
                    state: State::Confirmed,
                    checked_at: Some(row.created_at),
                    published_at: Some(row.created_at),
                    confirmed_at: Some(row.created_at),
                    ..Registration::of_row(row)
                };
                let ended = row.deactivated_at.map(|at| Registration {
                    version: 2,
                    state: State::Deactivated,
                    deactivated_at: Some(at),
                    valid_to: Some(made.valid_to.map_or(at, |end| end.min(at)).max(made.valid_from)),
                    ..made.clone()
                });
                drafts.push(Draft::of(made, "ADOPTED", "operator").recorded(row.created_at)?);
                if let (Some(ended), Some(at)) = (ended, row.deactivated_at) {
                    drafts.push(Draft::of(ended, "DEACTIVATED", "operator").recorded(at)?);
                }
            }
            drafts.sort_by_key(commit::Recorded::at);
            match self.write(&mut head, drafts, Vec::new(), None).await {
                // Another process adopts too: look again.
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn every_second<F>(doing: &str, work: impl Fn() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = work().await {
            ::log::error!("{doing}: {error}");
        }
    }
}
