//! `truewatt migrate`: bring the schema to this version, or show where it stands.

use serde_json::json;

use super::{NotDone, with_causes};
use crate::config::Config;
use crate::store::Store;

/// What to do with the schema.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Change nothing; exit code 1 when something is to be done.
    #[arg(long)]
    status: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<(), NotDone> {
    let failed = |doing: &str| {
        let doing = doing.to_owned();
        move |error| NotDone::failed(format!("{doing}: {}", with_causes(&error)))
    };
    let store = Store::open(config.database.url.expose())
        .await
        .map_err(failed("opening the database"))?;
    if !arguments.status {
        store.migrate().await.map_err(failed("migrating the database"))?;
    }
    let state = store.schema_state().await.map_err(failed("reading the schema"))?;
    store.close().await;
    if arguments.json {
        let state = json!({"current": state.current, "latest": state.latest, "pending": state.pending});
        println!("{state}");
    } else {
        println!(
            "{}: schema {}",
            config.database.masked_url(),
            state.current.as_deref().unwrap_or("empty")
        );
        for version in &state.pending {
            println!("pending: {version}");
        }
    }
    match state.pending.is_empty() {
        true => Ok(()),
        false => Err(NotDone::failed(
            "the schema is not that of this version: run `truewatt migrate`",
        )),
    }
}
