//! `truewatt audit`: who changed what, and whether anybody was at it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Common, text};
use super::{NotDone, with_causes};
use crate::audit;
use crate::config::Config;
use crate::registry::log::checkpoint::Checkpoint;
use crate::store::Store;

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every change that operators asked for, and what was answered.
    List(Common),
    /// Whether the trail is what it was. Asked of the database itself, so that no hub has to be believed.
    Verify(Verify),
}

#[derive(Debug, Args)]
struct Verify {
    /// A signed word about the trail that somebody kept (`checkpoint` of an earlier answer): shows a trail that was rewritten or set back.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The public key that words about the trail must be signed with, in hex.
    #[arg(long, value_name = "HEX")]
    signed_by: Option<String>,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, load: impl Fn() -> Result<Config, NotDone>) -> Result<(), NotDone> {
    match arguments.action {
        Action::List(common) => list(common).await,
        Action::Verify(wish) => verify(wish, load()?).await,
    }
}

async fn list(common: Common) -> Result<(), NotDone> {
    let row = |entry: &Value| {
        let number = |name: &str| {
            entry
                .get(name)
                .filter(|value| !value.is_null())
                .map(Value::to_string)
                .unwrap_or_default()
        };
        let [at, actor, event, method, route, object] =
            ["at", "actor", "event", "method", "route", "object"].map(|name| text(entry, name).to_owned());
        vec![number("seq"), at, actor, event, method, route, object, number("status")]
    };
    let heading = ["SEQ", "AT", "ACTOR", "EVENT", "METHOD", "ROUTE", "OBJECT", "STATUS"];
    common.list("/operator/v1/audit", &heading, row).await
}

async fn verify(wish: Verify, config: Config) -> Result<(), NotDone> {
    let kept = wish.checkpoint.as_deref().map(read).transpose()?;
    let store = Store::open(config.database.url.expose())
        .await
        .map_err(|error| NotDone::failed(format!("opening the database: {}", with_causes(&error))))?;
    let verified = audit::verify(&store, kept.as_ref()).await;
    store.close().await;
    let verified =
        verified.map_err(|error| NotDone::failed(format!("reading the audit trail: {}", with_causes(&error))))?;
    let mut wrong = verified.bad.map(|bad| bad.to_string());
    let words = || verified.checkpoint.iter().chain(&kept);
    if let Some(key) = &wish.signed_by
        && words().any(|word| !word.key.eq_ignore_ascii_case(key))
    {
        wrong =
            wrong.or_else(|| Some("the word about the trail is signed with another key than --signed-by".to_owned()));
    }
    let signed_by = verified.checkpoint.as_ref().map(|word| word.key.clone());
    if wish.json {
        let answer = json!({"entries": verified.entries, "wrong": wrong, "checkpoint": verified.checkpoint});
        println!("{answer}");
    } else if wrong.is_none() {
        println!("{} entries, all as they were written", verified.entries);
        if let Some(key) = signed_by {
            println!("the number of them is signed with {key}");
        }
    }
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(NotDone::failed(wrong)),
    }
}

/// A word that was kept: itself, or the answer it came in.
fn read(file: &std::path::Path) -> Result<Checkpoint, NotDone> {
    let unusable = |why: String| NotDone::usage(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let word = value.get("checkpoint").unwrap_or(&value).clone();
    serde_json::from_value(word).map_err(|error| unusable(format!("holds no signed word: {error}")))
}
