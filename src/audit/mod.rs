//! Who changed what at this hub: a trail that shows when somebody was at it.
//!
//! Every change an operator asks for leaves a line before it is made, or is not made; what was answered leaves another. A line names the
//! one before by its hash, as in the registry's log, whose chain this is: one that was changed, removed or put in between is found by
//! reading along ([`proof`]). So that an end which was cut off shows as well, each line is committed with a signed word about how many
//! there are. That word is the hub's, made with its registry's key; who wants to rewrite everything needs that key, and whoever kept an
//! earlier word, or the hub's log, still notices.
//!
//! Nothing of a request's content is written here: who, when, which route, which object, what came of it. Nothing here decides who may do
//! what; the door does.
//!
//! Start with [`Audit::asked`].

pub mod entry;
pub mod proof;

use tokio::sync::Mutex;

use crate::clock::SharedClock;
use crate::registry::log::chain::{Chained, Head};
use crate::registry::log::checkpoint::{Checkpoint, Signer};
use crate::store::audit::AuditLine;
use crate::store::{Store, StoreError};
pub use entry::{Entry, Event};
pub use proof::{Verified, verify};

/// Writes the trail.
pub struct Audit {
    store: Store,
    clock: SharedClock,
    signer: Signer,
    origin: String,
    state: Mutex<State>,
}

/// What is known of the trail.
#[derive(Clone, Copy, Debug)]
struct State {
    head: Head,
    /// Whether the word about it is ours to replace: one that somebody tampered with stays, as evidence.
    seals: bool,
}

/// Who asks for what.
#[derive(Clone, Debug)]
pub struct Change {
    /// The name of the operator.
    pub actor: String,
    /// Their role.
    pub role: &'static str,
    /// The HTTP method.
    pub method: String,
    /// The described path.
    pub route: String,
    /// Which object.
    pub object: Option<String>,
}

/// More often than this in a row nobody is quicker by chance.
const TRIES: u32 = 50;

impl Audit {
    /// Looks how far the trail goes. `hub` is the hub's own party, whose trail it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(store: Store, clock: SharedClock, signer: Signer, hub: &str) -> Result<Audit, StoreError> {
        let audit = Audit {
            origin: format!("{hub}/audit"),
            state: Mutex::new(State {
                head: Head::default(),
                seals: true,
            }),
            store,
            clock,
            signer,
        };
        let (state, signed_by) = audit.read().await?;
        *audit.state.lock().await = state;
        if let Some(key) = signed_by.filter(|key| *key != audit.signer.public_key()) {
            log::warn!("audit: words about the trail were signed with another key until now: {key}");
            let change = Change {
                actor: "hub".to_owned(),
                role: "hub",
                method: String::new(),
                route: String::new(),
                object: Some(key),
            };
            audit.write(change, Event::KeyChanged, None, None).await?;
        }
        Ok(audit)
    }

    /// A change is asked for, and made once this is written. Its place, for [`Audit::answered`].
    ///
    /// # Errors
    /// When it could not be written: then the change must not be made.
    pub async fn asked(&self, change: Change) -> Result<u64, StoreError> {
        self.write(change, Event::Asked, None, None).await
    }

    /// What was answered to it.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn answered(&self, change: Change, about: u64, status: u16) -> Result<u64, StoreError> {
        self.write(change, Event::Answered, Some(about), Some(status)).await
    }

    /// A change was asked for by somebody who may make none.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn denied(&self, change: Change, status: u16) -> Result<u64, StoreError> {
        self.write(change, Event::Denied, None, Some(status)).await
    }

    /// Up to `limit` lines behind a place, each with its hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lines(&self, after: u64, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        self.store.audit_lines(after, limit).await
    }

    /// Reads the whole trail along.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verified(&self) -> Result<Verified, StoreError> {
        proof::verify(&self.store, None).await
    }

    /// The key that words about the trail are signed with, in hex.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.signer.public_key()
    }

    async fn write(
        &self,
        change: Change,
        event: Event,
        about: Option<u64>,
        status: Option<u16>,
    ) -> Result<u64, StoreError> {
        let entry = Entry {
            seq: 0,
            at: self.clock.now(),
            actor: change.actor,
            role: change.role.to_owned(),
            event,
            method: change.method,
            route: change.route,
            object: change.object,
            about,
            status,
            previous: String::new(),
        };
        for _ in 0..TRIES {
            let mut state = self.state.lock().await;
            let line = state.head.next(entry.clone());
            let mut head = state.head;
            let followed = head.follow::<Entry>(&line);
            followed.map_err(|bad| StoreError::corrupt(bad.to_string()))?;
            let word = state.seals.then(|| self.word(&head)).transpose()?;
            let kept = AuditLine {
                seq: line.seq,
                entry: line.text,
                hash: line.hash,
            };
            let hash = kept.hash.clone();
            match self.store.audit_append(kept, word).await {
                Ok(()) => {
                    state.head = head;
                    // A second witness, wherever the hub's log goes.
                    log::info!(
                        "audit {} {} {} {} {}: {hash}",
                        head.size,
                        entry.actor,
                        event.as_str(),
                        entry.method,
                        entry.route
                    );
                    return Ok(head.size);
                }
                // Another process was quicker.
                Err(StoreError::Conflict(_)) => *state = self.read().await?.0,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Busy)
    }

    fn word(&self, head: &Head) -> Result<String, StoreError> {
        let word = self.signer.sign(&self.origin, head.size, &head.hash, self.clock.now());
        serde_json::to_string(&word).map_err(|error| StoreError::corrupt(error.to_string()))
    }

    /// How far the trail goes by its newest line and by the word about it, and who signed that.
    async fn read(&self) -> Result<(State, Option<String>), StoreError> {
        // The word first: a line that is added meanwhile is one more, never one less.
        let word = self.store.audit_checkpoint().await?;
        let newest = self.store.audit_newest().await?;
        let of_line = newest.map_or(Head::default(), |line| Head {
            size: line.seq,
            hash: hex::decode(&line.hash)
                .ok()
                .and_then(|hash| hash.try_into().ok())
                .unwrap_or_default(),
        });
        let word: Option<Checkpoint> = word.and_then(|text| serde_json::from_str(&text).ok());
        let word = word.filter(|word| word.origin == self.origin && word.is_signed());
        let Some((word, root)) = word.as_ref().and_then(|word| Some((word, word.root_hash()?))) else {
            if of_line.size > 0 {
                log::error!(
                    "audit: the signed word about the trail is missing or forged; the trail goes on without one"
                );
            }
            let seals = of_line.size == 0;
            return Ok((State { head: of_line, seals }, None));
        };
        let head = if word.size > of_line.size {
            // The gap stays where lines were taken out: what comes next does not fill it.
            log::error!(
                "audit: the trail ends with entry {}, and {} were signed for: somebody cut it off",
                of_line.size,
                word.size
            );
            Head {
                size: word.size,
                hash: root,
            }
        } else {
            of_line
        };
        Ok((State { head, seals: true }, Some(word.key.clone())))
    }
}

/// Reads an entry of the trail.
#[must_use]
pub fn read(text: &str) -> Option<Entry> {
    Entry::read(text)
}
