//! `truewatt key log verify`: is the registry what it was? Asked of the database itself, so that no hub has to be believed.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::{NotDone, with_causes};
use crate::config::Config;
use crate::registry::log::checkpoint::Checkpoint;
use crate::registry::proof::{self, Against};
use crate::store::Store;

/// What to hold the log against.
#[derive(Debug, Args)]
pub struct Verify {
    /// A checkpoint somebody kept: shows a log that was rewritten or set back since.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The public key the checkpoint must be signed with, in hex.
    #[arg(long, value_name = "HEX", requires = "checkpoint")]
    signed_by: Option<String>,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn verify(wish: Verify, config: Config) -> Result<(), NotDone> {
    let kept = wish.checkpoint.as_deref().map(read).transpose()?;
    let store = Store::open(config.database.url.expose())
        .await
        .map_err(|error| NotDone::failed(format!("opening the database: {}", with_causes(&error))))?;
    let verified = proof::verify(&store).await;
    let checkpoints = store.registry_checkpoints(u32::MAX).await;
    store.close().await;
    let verified = verified.map_err(|error| NotDone::failed(format!("reading the log: {}", with_causes(&error))))?;
    let own = checkpoints.map_err(|error| NotDone::failed(format!("reading checkpoints: {}", with_causes(&error))))?;
    let size = verified.tree.size();
    let mut wrong = verified.bad.map(|bad| bad.to_string());
    if wrong.is_none() {
        // The hub's own, then the one from outside: only that shows a database that was set back as a whole.
        let own = own.iter().filter_map(|text| serde_json::from_str(text).ok());
        wrong = own
            .map(|one: Checkpoint| ("the hub's own checkpoint", one))
            .chain(kept.map(|one| ("the checkpoint", one)))
            .find_map(|(whose, one)| {
                let is_somebody_elses = wish
                    .signed_by
                    .as_ref()
                    .is_some_and(|key| !key.eq_ignore_ascii_case(&one.key));
                if is_somebody_elses && whose == "the checkpoint" {
                    return Some("the checkpoint is signed with another key than --signed-by".to_owned());
                }
                complaint(whose, &one, proof::against(&one, &verified.tree), size)
            });
    }
    let root = verified.tree.root(size).map(hex::encode);
    if wish.json {
        println!("{}", json!({"entries": verified.entries, "root": root, "wrong": wrong}));
    } else if wrong.is_none() {
        println!(
            "{size} entries, all as they were written; root {}",
            root.unwrap_or_default()
        );
    }
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(NotDone::failed(wrong)),
    }
}

/// What is to be said when a log does not agree with a checkpoint.
pub(super) fn complaint(whose: &str, checkpoint: &Checkpoint, against: Against, size: u64) -> Option<String> {
    let (then, when) = (checkpoint.size, &checkpoint.time);
    match against {
        Against::Agrees => None,
        Against::NotSigned => Some(format!("{whose} of {then} entries is not signed by the key it names")),
        Against::SetBack => Some(format!(
            "the log was set back: it has {size} entries, and {whose} of {when} vouches for {then}"
        )),
        Against::Rewritten => Some(format!(
            "the log was rewritten: its first {then} entries are not those that {whose} of {when} vouches for"
        )),
    }
}

/// Reads a checkpoint that was kept.
pub(super) fn read(file: &std::path::Path) -> Result<Checkpoint, NotDone> {
    let unusable = |why: String| NotDone::usage(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| unusable(format!("is no checkpoint: {error}")))
}
