//! The log as others see it: its lines, proofs, checkpoints; and the whole of it read along against the documents.

use chrono::TimeDelta;

use super::Registry;
use super::log::chain::{BadEntry, Head, Line};
use super::log::checkpoint::Checkpoint;
use super::log::tree::Tree;
use super::log::{Hash, canonical, entry::Entry};
use crate::store::registry::RegistryDocument;
use crate::store::{Store, StoreError};

/// How many lines are read at once.
const PORTION: u32 = 2000;

/// What the whole log looks like.
#[derive(Debug)]
pub struct Verified {
    /// How many entries were found whole.
    pub entries: u64,
    /// The tree over them.
    pub tree: Tree,
    /// The first entry that is not what it was.
    pub bad: Option<BadEntry>,
}

/// Reads the whole log along, and every document against the line about it. Needs nothing but the database.
///
/// # Errors
/// When the database cannot be read. What it says is no error: see [`Verified::bad`].
pub async fn verify(store: &Store) -> Result<Verified, StoreError> {
    let (mut head, mut tree) = (Head::default(), Tree::default());
    loop {
        let after = head.size;
        let lines = store.registry_lines(after, PORTION).await?;
        let mut documents = store.registry_documents(after, PORTION).await?.into_iter().peekable();
        if lines.is_empty() {
            // A document nobody wrote a line about was put there behind the registry's back.
            let bad = documents.next().map(|stray| BadEntry {
                seq: stray.seq,
                why: "has a document and no line in the log".to_owned(),
            });
            return Ok(Verified {
                entries: head.size,
                tree,
                bad,
            });
        }
        for line in lines {
            let line = Line {
                seq: line.seq,
                text: line.entry,
                hash: line.hash,
            };
            let mut next = head;
            let followed = next.follow(&line).and_then(|entry| {
                let document = documents.next_if(|document| document.seq == entry.seq);
                agree(&entry, document.as_ref())
            });
            if let Err(bad) = followed {
                return Ok(Verified {
                    entries: head.size,
                    tree,
                    bad: Some(bad),
                });
            }
            head = next;
            tree.push(&line.text);
        }
    }
}

/// Whether the document kept for an entry is the one the entry was written about.
fn agree(entry: &Entry, document: Option<&RegistryDocument>) -> Result<(), BadEntry> {
    let bad = |why: &str| BadEntry {
        seq: entry.seq,
        why: why.to_owned(),
    };
    let document = document.ok_or_else(|| bad("its document is missing"))?;
    if canonical::digest(&document.document) != entry.digest {
        return Err(bad("its document is not the one it was written about"));
    }
    let state = serde_json::from_str::<serde_json::Value>(&document.document)
        .ok()
        .and_then(|document| {
            document
                .get("state")
                .and_then(|state| state.as_str())
                .map(str::to_owned)
        });
    let columns_agree = document.kind == entry.kind
        && document.id == entry.id
        && document.version == entry.version
        && document.recorded_at == entry.at
        && document.state == state;
    columns_agree
        .then_some(())
        .ok_or_else(|| bad("the columns beside its document say something else"))
}

/// What a checkpoint that somebody kept says about the log of today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The log begins with what was signed.
    Agrees,
    /// Nobody with the key it names signed this.
    NotSigned,
    /// The log is shorter than it was: it was set back.
    SetBack,
    /// The log is long enough and begins differently: it was rewritten.
    Rewritten,
}

/// Holds a checkpoint against a log.
#[must_use]
pub fn against(checkpoint: &Checkpoint, tree: &Tree) -> Against {
    if !checkpoint.is_signed() {
        return Against::NotSigned;
    }
    match tree.root(checkpoint.size) {
        None => Against::SetBack,
        Some(root) if Some(root) == checkpoint.root_hash() => Against::Agrees,
        Some(_) => Against::Rewritten,
    }
}

impl Registry {
    /// A signed word about the log as it is now. Kept, so that later ones can be held against it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let (size, root) = {
            let tree = self.grown_tree().await?;
            let size = tree.size();
            (size, tree.root(size).unwrap_or_default())
        };
        let checkpoint = self.signer.sign(&self.settings.origin, size, &root, self.clock.now());
        let text = serde_json::to_string(&checkpoint).map_err(|error| broken(&error.to_string()))?;
        self.store.registry_checkpoint_keep(size, &text).await?;
        Ok(checkpoint)
    }

    /// The newest checkpoint that was kept; a new one where there is none, or where the log has grown for longer than configured.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest_checkpoint(&self) -> Result<Checkpoint, StoreError> {
        match self.kept_checkpoint().await? {
            Some(kept) => Ok(kept),
            None => self.checkpoint().await,
        }
    }

    async fn kept_checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        let kept = self.store.registry_checkpoints(1).await?;
        Ok(kept.first().and_then(|text| serde_json::from_str(text).ok()))
    }

    pub(super) async fn checkpoint_when_due(&self) -> Result<(), StoreError> {
        let size = self.head.lock().await.size;
        if size == 0 {
            return Ok(());
        }
        let every = TimeDelta::from_std(self.settings.checkpoint_every).unwrap_or(TimeDelta::MAX);
        if let Some(kept) = self.kept_checkpoint().await? {
            let signed = chrono::DateTime::parse_from_rfc3339(&kept.time).ok();
            let is_young = signed.is_some_and(|at| self.clock.now() - at.to_utc() < every);
            if kept.size == size || is_young {
                return Ok(());
            }
        }
        self.checkpoint().await.map(drop)
    }

    /// Up to `limit` entries from place `from` on (counted from 1), as they are hashed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn entries(&self, from: u64, limit: u32) -> Result<Vec<Line>, StoreError> {
        let lines = self.store.registry_lines(from.saturating_sub(1), limit).await?;
        Ok(lines
            .into_iter()
            .map(|line| Line {
                seq: line.seq,
                text: line.entry,
                hash: line.hash,
            })
            .collect())
    }

    /// The proof that an entry is in the log of `size` entries (of all, without): the size, the root, the path.
    ///
    /// # Errors
    /// When the database fails. `None` when there is no such entry or size.
    pub async fn inclusion(&self, seq: u64, size: Option<u64>) -> Result<Option<(u64, Hash, Vec<Hash>)>, StoreError> {
        let tree = self.grown_tree().await?;
        let size = size.unwrap_or_else(|| tree.size());
        Ok(tree
            .root(size)
            .zip(tree.inclusion(seq, size))
            .map(|(root, path)| (size, root, path)))
    }

    /// The proof that the log of `to` entries begins with that of `from`: both roots, and the path.
    ///
    /// # Errors
    /// When the database fails. `None` when there are no such sizes.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Option<(Hash, Hash, Vec<Hash>)>, StoreError> {
        let tree = self.grown_tree().await?;
        let roots = tree.root(from).zip(tree.root(to));
        Ok(roots
            .zip(tree.consistency(from, to))
            .map(|((old, new), path)| (old, new, path)))
    }

    /// The tree, with everything that was written by now.
    async fn grown_tree(&self) -> Result<tokio::sync::MutexGuard<'_, Tree>, StoreError> {
        let mut tree = self.tree.lock().await;
        loop {
            let lines = self.store.registry_lines(tree.size(), PORTION).await?;
            if lines.is_empty() {
                return Ok(tree);
            }
            for line in lines {
                if line.seq != tree.size() + 1 {
                    return Err(broken("a line of the registry's log is missing"));
                }
                tree.push(&line.entry);
            }
        }
    }
}

/// Something in the database that this program did not put there.
pub(super) fn broken(what: &str) -> StoreError {
    StoreError::corrupt(what)
}
