//! `truewatt control`: who steers which session, over the operator API.

use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::NotDone;
use super::api::{Common, done, party, text, with_query};

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Sessions that are not over, and who steers them.
    List(List),
    /// Take control away from whoever has it; the CPO is not told.
    Release(Release),
}

#[derive(Debug, Args)]
struct List {
    /// Only those of this CPO, as DE/ABC.
    #[arg(long)]
    cpo: Option<String>,
    /// Only those that somebody steers.
    #[arg(long)]
    steered: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Release {
    /// The CPO, as DE/ABC.
    cpo: String,
    /// The id of the session.
    session: String,
    /// Why, for the journal.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    common: Common,
}

const CONTROLS: &str = "/operator/v1/controls";

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.action {
        Action::List(list) => self::list(list).await,
        Action::Release(one) => {
            let cpo = party(&one.cpo)?;
            let session = utf8_percent_encode(&one.session, NON_ALPHANUMERIC);
            let path = format!("{CONTROLS}/{}/{session}/release", cpo.key());
            let wish = json!({"reason": one.reason});
            one.common.access.open()?.post(&path, Some(wish)).await?;
            done(one.common.json, "released", &one.session);
            Ok(())
        }
    }
}

async fn list(list: List) -> Result<(), NotDone> {
    let cpo = list.cpo.as_deref().map(party).transpose()?;
    let filters = [
        ("cpo", cpo.map(|cpo| cpo.key())),
        ("state", list.steered.then(|| "steered".to_owned())),
    ];
    let row = |one: &Value| {
        let [cpo, session, emsp, state] = ["cpo", "session", "emsp", "state"].map(|name| text(one, name).to_owned());
        let [holder, delegate, since] =
            ["party", "delegate", "since"].map(|name| text(&one["holder"], name).to_owned());
        let age = one["active"]["age_s"].as_i64();
        let age = age.map_or_else(String::new, |age| format!("{age} s"));
        vec![cpo, session, emsp, state, holder, delegate, since, age]
    };
    let heading = [
        "CPO",
        "SESSION",
        "EMSP",
        "STATE",
        "HOLDER",
        "BY",
        "SINCE",
        "PROFILE'S AGE",
    ];
    list.common.list(&with_query(CONTROLS, &filters), &heading, row).await
}
