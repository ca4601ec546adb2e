//! `truewatt key extract` fetches the extract of a registration for the commissioning file, `check-extract` reads one without any hub.
//!
//! The exit code of the second is its answer, as that of `truewatt verify`: 0 it holds, 1 it does not, 2 it cannot be decided.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::log::{self, complaint};
use super::{KEYS, OfKey};
use crate::cli::NotDone;
use crate::registry::extract::check::{Checked, check};
use crate::registry::log::checkpoint::Checkpoint;
use crate::registry::proof::{Consistency, Undecided, between};

/// What to check, and against what.
#[derive(Debug, Args)]
pub struct Check {
    /// The extract.
    file: PathBuf,
    /// A checkpoint of the log that somebody kept, older or newer: shows a log that was rewritten or set back.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The answer of /keys/log/consistency for the sizes of both checkpoints: shows that the log between them only grew.
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    consistency: Option<PathBuf>,
    /// The public key of the registry's log, in hex.
    #[arg(long, value_name = "HEX")]
    log_key: Option<String>,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the extract, octet for octet, so that it can be kept.
pub(super) async fn fetch(of: OfKey) -> Result<(), NotDone> {
    let path = format!("{KEYS}/{}/extract", of.id);
    let answer = of.common.access.open()?.file(&path).await?;
    let text =
        std::str::from_utf8(&answer.body).map_err(|_| NotDone::failed("the hub answered something that is no text"))?;
    println!("{text}");
    Ok(())
}

pub(super) fn verify(wish: &Check) -> Result<(), NotDone> {
    let text = text_of(&wish.file)?;
    let kept = wish.checkpoint.as_deref().map(log::read).transpose()?;
    let proof = wish.consistency.as_deref().map(proof_of).transpose()?;
    let mut checked = check(&text).map_err(|error| NotDone::undecided(format!("{}: {error}", wish.file.display())))?;
    let mut open = Vec::new();
    if let Some(own) = checked.checkpoint.clone() {
        hold_against_key(&mut checked, &own, wish.log_key.as_deref(), &mut open);
        if let Some(kept) = &kept {
            hold_against_kept(&mut checked, &own, kept, proof.as_ref(), &mut open);
        }
    }
    if wish.json {
        println!(
            "{}",
            json!({
                "registration": checked.newest.as_ref().map(|one| &one.id),
                "state": checked.newest.as_ref().map(|one| one.state.as_str()),
                "checkpoint": checked.checkpoint,
                "holds": checked.holds,
                "wrong": checked.wrong,
                "open": open,
            })
        );
    } else {
        for (sign, sentences) in [("holds", &checked.holds), ("WRONG", &checked.wrong), ("open", &open)] {
            for sentence in sentences {
                println!("{sign}: {sentence}");
            }
        }
    }
    match (checked.wrong.first(), kept.is_some() && !open.is_empty()) {
        (Some(wrong), _) => Err(NotDone::failed(wrong.clone())),
        (None, true) => Err(NotDone::undecided(open.join(" "))),
        (None, false) => Ok(()),
    }
}

/// Anybody can sign a checkpoint with some key: whose it is, the file cannot say.
fn hold_against_key(checked: &mut Checked, own: &Checkpoint, log_key: Option<&str>, open: &mut Vec<String>) {
    match log_key {
        Some(key) if key.eq_ignore_ascii_case(&own.key) => {
            checked
                .holds
                .push("That is the key of the log that was given.".to_owned());
        }
        Some(_) => checked
            .wrong
            .push("The checkpoint is signed with another key than --log-key.".to_owned()),
        None => open.push("Whose key signed the checkpoint: give --log-key, or a checkpoint that was kept.".to_owned()),
    }
}

fn hold_against_kept(
    checked: &mut Checked,
    own: &Checkpoint,
    kept: &Checkpoint,
    proof: Option<&Consistency>,
    open: &mut Vec<String>,
) {
    let size = own.size;
    match between(own, kept, proof) {
        // Signed with the same key, it says whose the key is as far as the one who kept it knows.
        Ok(against) => match complaint("the checkpoint", kept, against, size) {
            Some(wrong) => checked.wrong.push(wrong),
            None => {
                open.clear();
                checked.holds.push(format!(
                    "The checkpoint that was kept, of {} and {} entries, is of the same log.",
                    kept.time, kept.size
                ));
            }
        },
        Err(why @ Undecided::OtherKey) => checked.wrong.push(format!("It cannot be trusted: {why}.")),
        Err(why) => {
            open.clear();
            open.push(format!("{why}."));
        }
    }
}

fn proof_of(file: &Path) -> Result<Consistency, NotDone> {
    let text = text_of(file)?;
    serde_json::from_str(&text)
        .map_err(|error| NotDone::usage(format!("{}: is no proof of consistency: {error}", file.display())))
}

fn text_of(file: &Path) -> Result<String, NotDone> {
    let unusable = |why: String| NotDone::usage(format!("{}: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| NotDone::undecided(format!("{}: is no text", file.display())))
}
