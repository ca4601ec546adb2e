//! The log as others see it: its lines, proofs, checkpoints; and the whole of it read along against the documents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use super::Registry;
use super::log::chain::{BadEntry, Head, Line};
use super::log::checkpoint::Checkpoint;
use super::log::tree::{Tree, is_consistent};
use super::log::{Hash, canonical, entry::Entry};
use super::record::{Registration, digest_of, kind};
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

/// Reads the whole log along, every document against the line about it, and the files beside registrations against the documents that name
/// them. Needs nothing but the database.
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
            let followed = next.follow::<Entry>(&line).and_then(|entry| {
                let document = documents.next_if(|document| document.seq == entry.seq);
                agree(&entry, document.as_ref())?;
                Ok(document)
            });
            let followed = match followed {
                Ok(Some(document)) => files_agree(store, &document).await?,
                Ok(None) => Ok(()),
                Err(bad) => Err(bad),
            };
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

/// Whether the files kept beside a registration are those that this version of it was the first to name.
async fn files_agree(store: &Store, document: &RegistryDocument) -> Result<Result<(), BadEntry>, StoreError> {
    if document.kind != kind::REGISTRATION {
        return Ok(Ok(()));
    }
    let Ok(registration) = Registration::read(&document.document) else {
        return Ok(Ok(()));
    };
    // Each version adds one at the end; the others were looked at with the version that added them.
    let Some(named) = registration.evidence.last().filter(|named| named.kept) else {
        return Ok(Ok(()));
    };
    let content = store.registry_file(&document.id, &named.sha256).await?;
    let is_whole = content
        .and_then(|content| STANDARD.decode(content).ok())
        .is_some_and(|octets| digest_of(&octets) == named.sha256);
    Ok(is_whole.then_some(()).ok_or_else(|| BadEntry {
        seq: document.seq,
        why: "the file it names is not the one that was laid beside it".to_owned(),
    }))
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

/// What `GET /keys/log/consistency` answers: that the log of `to` entries begins with that of `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The size of the shorter log.
    pub from: u64,
    /// The size of the longer one.
    pub to: u64,
    /// The root of the shorter one in hex.
    pub from_root: String,
    /// The root of the longer one in hex.
    pub to_root: String,
    /// The hashes in between, in hex.
    pub path: Vec<String>,
}

/// Why two checkpoints alone do not say whether the log between them only grew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// They are of different logs.
    #[error("the two checkpoints are of different logs")]
    OtherLog,
    /// They are signed with different keys.
    #[error("the two checkpoints are signed with different keys")]
    OtherKey,
    /// They have different sizes, and there is no proof.
    #[error(
        "the log grew between the two checkpoints; whether it only grew, /keys/log/consistency?from={0}&to={1} proves"
    )]
    NoProof(u64, u64),
    /// There is one, and it proves nothing about these two.
    #[error("the proof is not one of the log of {0} and of {1} entries")]
    WrongProof(u64, u64),
}

/// Processes that sign for one log may have clocks apart. Only a log that is shorter this much later was set back for certain.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);

/// Holds two checkpoints of one log against each other, with nothing else at hand.
///
/// # Errors
/// [`Undecided`] when they do not say enough.
pub fn between(one: &Checkpoint, other: &Checkpoint, proof: Option<&Consistency>) -> Result<Against, Undecided> {
    if !one.is_signed() || !other.is_signed() {
        return Ok(Against::NotSigned);
    }
    if one.origin != other.origin {
        return Err(Undecided::OtherLog);
    }
    if !one.key.eq_ignore_ascii_case(&other.key) {
        return Err(Undecided::OtherKey);
    }
    let (old, new) = if one.size <= other.size {
        (one, other)
    } else {
        (other, one)
    };
    if old.size == new.size {
        return Ok(match old.root_hash() == new.root_hash() {
            true => Against::Agrees,
            false => Against::Rewritten,
        });
    }
    let signed = |one: &Checkpoint| DateTime::parse_from_rfc3339(&one.time).map(|at| at.to_utc());
    if let (Ok(shorter), Ok(longer)) = (signed(old), signed(new))
        && shorter > longer + CLOCKS_APART
    {
        // The hub vouched for fewer entries than before.
        return Ok(Against::SetBack);
    }
    let proof = proof.ok_or(Undecided::NoProof(old.size, new.size))?;
    let hash = |text: &String| hex::decode(text).ok().and_then(|bytes| Hash::try_from(bytes).ok());
    let is_about_these = (proof.from, proof.to) == (old.size, new.size);
    let roots = hash(&proof.from_root).zip(hash(&proof.to_root));
    let path = proof.path.iter().map(hash).collect::<Option<Vec<_>>>();
    let (Some((from, to)), Some(path), true) = (roots, path, is_about_these) else {
        return Err(Undecided::WrongProof(old.size, new.size));
    };
    if !is_consistent(old.size, &from, new.size, &to, &path) {
        return Err(Undecided::WrongProof(old.size, new.size));
    }
    // A log that has such a proof has these roots at these sizes: one with others is another log.
    match (Some(from), Some(to)) == (old.root_hash(), new.root_hash()) {
        true => Ok(Against::Agrees),
        false => Ok(Against::Rewritten),
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
            let signed = DateTime::parse_from_rfc3339(&kept.time).ok();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::log::checkpoint::Signer;
    use super::super::record::tests::at;
    use super::*;

    fn log(size: u64, seed: &str) -> Tree {
        let mut tree = Tree::default();
        for number in 1..=size {
            tree.push(&format!("{seed}{number}"));
        }
        tree
    }

    fn signed(tree: &Tree, size: u64, time: &str) -> Checkpoint {
        let signer = Signer::from_seed(&[7; 32]).unwrap();
        signer.sign("DE/TWH", size, &tree.root(size).unwrap(), at(time))
    }

    fn proof(tree: &Tree, from: u64, to: u64) -> Consistency {
        Consistency {
            from,
            to,
            from_root: hex::encode(tree.root(from).unwrap()),
            to_root: hex::encode(tree.root(to).unwrap()),
            path: tree.consistency(from, to).unwrap().iter().map(hex::encode).collect(),
        }
    }

    const MORNING: &str = "2026-11-21T08:00:00Z";
    const NOON: &str = "2026-11-21T12:00:00Z";

    // SAF-33
    #[test]
    fn a_log_that_was_set_back_is_seen_by_two_checkpoints_alone_and_one_that_grew_by_a_proof() {
        let tree = log(9, "a");
        let (early, late) = (signed(&tree, 4, MORNING), signed(&tree, 9, NOON));
        assert_eq!(between(&early, &late, None), Err(Undecided::NoProof(4, 9)));
        for (one, other) in [(&early, &late), (&late, &early)] {
            assert_eq!(between(one, other, Some(&proof(&tree, 4, 9))), Ok(Against::Agrees));
        }
        assert_eq!(between(&late, &late, None), Ok(Against::Agrees));
        let shorter = signed(&log(7, "b"), 7, NOON);
        let longer = signed(&tree, 9, MORNING);
        assert_eq!(
            between(&shorter, &longer, None),
            Ok(Against::SetBack),
            "7 entries at noon, 9 in the morning"
        );
        let at_once = signed(&tree, 9, "2026-11-21T11:59:30Z");
        assert_eq!(
            between(&shorter, &at_once, None),
            Err(Undecided::NoProof(7, 9)),
            "clocks may differ so much"
        );
    }

    #[test]
    fn a_log_that_was_rewritten_is_seen_at_the_same_size_and_by_the_proof_of_the_log_of_today() {
        let (tree, other) = (log(9, "a"), log(9, "b"));
        let kept = signed(&tree, 4, MORNING);
        assert_eq!(between(&kept, &signed(&other, 4, NOON), None), Ok(Against::Rewritten));
        let late = signed(&other, 9, NOON);
        assert_eq!(
            between(&kept, &late, Some(&proof(&other, 4, 9))),
            Ok(Against::Rewritten)
        );
        assert_eq!(
            between(&kept, &late, Some(&proof(&other, 5, 9))),
            Err(Undecided::WrongProof(4, 9))
        );
        let mut broken = proof(&other, 4, 9);
        broken.path.pop();
        assert_eq!(between(&kept, &late, Some(&broken)), Err(Undecided::WrongProof(4, 9)));
    }

    #[test]
    fn what_is_not_signed_or_by_somebody_else_is_called_so() {
        let tree = log(4, "a");
        let good = signed(&tree, 4, NOON);
        let forged = Checkpoint {
            size: 3,
            ..good.clone()
        };
        assert_eq!(between(&good, &forged, None), Ok(Against::NotSigned));
        let stranger = Signer::from_seed(&[8; 32]).unwrap();
        let root = tree.root(4).unwrap();
        assert_eq!(
            between(&good, &stranger.sign("DE/TWH", 4, &root, at(NOON)), None),
            Err(Undecided::OtherKey)
        );
        assert_eq!(
            between(&good, &stranger.sign("DE/XYZ", 4, &root, at(NOON)), None),
            Err(Undecided::OtherLog)
        );
    }
}
