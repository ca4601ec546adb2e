//! Reading the audit trail along: is every line what it was, and is the end of it still there?

use super::entry::Entry;
use crate::registry::log::chain::{BadEntry, Head, Line};
use crate::registry::log::checkpoint::Checkpoint;
use crate::store::audit::AuditLine;
use crate::store::{Store, StoreError};

/// How many lines are read at once.
const PORTION: u32 = 2000;

/// What the whole trail looks like.
#[derive(Debug)]
pub struct Verified {
    /// How many entries were found whole.
    pub entries: u64,
    /// The hub's signed word about the newest of them. Whose key signed it, it cannot say: compare [`Checkpoint::key`].
    pub checkpoint: Option<Checkpoint>,
    /// The first entry that is not what it was.
    pub bad: Option<BadEntry>,
}

/// Reads everything along and holds it against the hub's own signed word, and against one that somebody kept. Needs nothing but the
/// database.
///
/// # Errors
/// When the database cannot be read. What it says is no error: see [`Verified::bad`].
pub async fn verify(store: &Store, kept: Option<&Checkpoint>) -> Result<Verified, StoreError> {
    // Before the lines, so that what is added meanwhile is more than it vouches for and not less.
    let own = store.audit_checkpoint().await?;
    let own: Option<Checkpoint> = own.and_then(|text| serde_json::from_str(&text).ok());
    let vouching: Vec<&Checkpoint> = own.iter().chain(kept).collect();
    let mut head = Head::default();
    let mut bad = vouching.iter().find_map(|one| unsigned(one));
    while bad.is_none() {
        let lines = store.audit_lines(head.size, PORTION).await?;
        if lines.is_empty() {
            break;
        }
        for line in lines {
            let followed = head.follow::<Entry>(&as_line(line));
            let against = || vouching.iter().find_map(|one| contradicted(one, &head));
            bad = followed.err().or_else(against);
            if bad.is_some() {
                break;
            }
        }
    }
    let missing = |one: &&Checkpoint| {
        (one.size > head.size).then(|| BadEntry {
            seq: head.size + 1,
            why: format!("is missing: {} entries were signed for at {}", one.size, one.time),
        })
    };
    let bad = bad.or_else(|| vouching.iter().find_map(missing)).or_else(|| {
        (own.is_none() && head.size > 0).then(|| BadEntry {
            seq: head.size,
            why: "the signed word about the newest entry is missing, so nobody knows whether there were more"
                .to_owned(),
        })
    });
    Ok(Verified {
        entries: head.size,
        checkpoint: own,
        bad,
    })
}

fn unsigned(checkpoint: &Checkpoint) -> Option<BadEntry> {
    (!checkpoint.is_signed()).then(|| BadEntry {
        seq: checkpoint.size,
        why: "the word about it is not signed by the key it names".to_owned(),
    })
}

fn contradicted(checkpoint: &Checkpoint, head: &Head) -> Option<BadEntry> {
    (checkpoint.size == head.size && checkpoint.root_hash() != Some(head.hash)).then(|| BadEntry {
        seq: head.size,
        why: format!("is not the one that was signed for at {}", checkpoint.time),
    })
}

pub(super) fn as_line(line: AuditLine) -> Line {
    Line {
        seq: line.seq,
        text: line.entry,
        hash: line.hash,
    }
}
