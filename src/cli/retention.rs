//! `truewatt retention`: what is old, over the operator API.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::NotDone;
use super::api::{Access, table, text};

/// What to do.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only say what would be removed, and what stays although it is old.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Remove it now instead of at its time.
    Run(Common),
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    access: Access,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

const RETENTION: &str = "/operator/v1/retention";

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.action {
        Some(Action::Run(common)) => {
            let answer = common.access.open()?.post(RETENTION, None).await?;
            if common.json {
                println!("{answer}");
            } else {
                for (kind, number) in answer["removed"].as_object().into_iter().flatten() {
                    println!("removed: {kind} {number}");
                }
            }
            Ok(())
        }
        None if arguments.dry_run => dry_run(arguments.common).await,
        None => Err(NotDone::usage(
            "say --dry-run to see what would be removed, or run to remove it",
        )),
    }
}

async fn dry_run(common: Common) -> Result<(), NotDone> {
    let plan = common.access.open()?.get(RETENTION).await?;
    if common.json {
        println!("{plan}");
        return Ok(());
    }
    let row = |item: &Value| {
        let days = item["kept_days"]
            .as_u64()
            .map(|days| days.to_string())
            .unwrap_or_default();
        let stays = item["stays"].as_object().into_iter().flatten();
        let stays: Vec<String> = stays.map(|(why, number)| format!("{why} {number}")).collect();
        let [kind, oldest, newest] = ["kind", "oldest", "newest"].map(|name| text(item, name).to_owned());
        vec![kind, days, item["goes"].to_string(), oldest, newest, stays.join(", ")]
    };
    let rows: Vec<_> = plan["items"].as_array().into_iter().flatten().map(row).collect();
    println!(
        "{}",
        table(&["KIND", "DAYS", "GOES", "OLDEST", "NEWEST", "STAYS"], &rows)
    );
    Ok(())
}
