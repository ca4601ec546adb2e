//! `truewatt duty`: what the hub owes, over the operator API.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::NotDone;
use super::api::{Common, done, text};

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Everything that is owed or was given up.
    List(List),
    /// Try a duty now, also a dead one.
    Retry(OfDuty),
    /// Owe it no longer; the CDR stays to be pulled.
    Forgive(Forgive),
}

#[derive(Debug, Args)]
struct List {
    /// Only `owed` or only `dead`.
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct OfDuty {
    /// The id of the duty.
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Forgive {
    /// The id of the duty.
    id: String,
    /// Why, for the journal.
    #[arg(long)]
    reason: String,
    /// For whom, where somebody else decided it; who you are says your token.
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    common: Common,
}

const DUTIES: &str = "/operator/v1/duties";

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.action {
        Action::List(list) => self::list(list).await,
        Action::Retry(one) => {
            let duty = one
                .common
                .access
                .open()?
                .post(&format!("{DUTIES}/{}/retry", one.id), None)
                .await?;
            if one.common.json {
                println!("{duty}");
            } else {
                println!("due now: {}", text(&duty, "object"));
            }
            Ok(())
        }
        Action::Forgive(one) => {
            let mut wish = json!({"reason": one.reason});
            if let Some(by) = one.by {
                wish["by"] = json!(by);
            }
            one.common
                .access
                .open()?
                .post(&format!("{DUTIES}/{}/forgive", one.id), Some(wish))
                .await?;
            done(one.common.json, "forgiven", &one.id);
            Ok(())
        }
    }
}

async fn list(list: List) -> Result<(), NotDone> {
    let path = match &list.state {
        Some(state) if ["owed", "dead"].contains(&state.as_str()) => {
            format!("{DUTIES}?state={state}")
        }
        Some(_) => return Err(NotDone::usage("--state must be owed or dead")),
        None => DUTIES.to_owned(),
    };
    let row = |duty: &Value| {
        let attempts = duty["attempts"].to_string();
        let [id, state, object] = ["id", "state", "object"].map(|name| text(duty, name).to_owned());
        let [next, outcome] = ["next_attempt_at", "last_outcome"].map(|name| text(duty, name).to_owned());
        vec![id, state, object, attempts, next, outcome]
    };
    let heading = ["ID", "STATE", "OBJECT", "ATTEMPTS", "NEXT ATTEMPT", "LAST OUTCOME"];
    list.common.list(&path, &heading, row).await
}
