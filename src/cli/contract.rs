//! `truewatt contract`: who lets which provider steer, over the operator API.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::NotDone;
use super::api::{Common, done, party, text};

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// All contracts.
    List(Common),
    /// One contract as JSON.
    Show(OfContract),
    /// Write a contract, in place of any other of that id.
    Put(Put),
    /// End a contract now.
    End(OfContract),
}

#[derive(Debug, Args)]
struct OfContract {
    /// The id of the contract.
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Put {
    /// The id of the contract.
    id: String,
    /// T2: an eMSP lets a provider act for it. T3: a CPO lets a provider steer at its places.
    #[arg(ignore_case = true)]
    kind: Kind,
    /// Who gives its word: the eMSP (T2) or the CPO (T3), as DE/ABC.
    grantor: String,
    /// The provider, as DE/ABC.
    scsp: String,
    /// From when on, as 2026-11-21T12:00:00Z.
    #[arg(long)]
    from: String,
    /// Until when; without it for good.
    #[arg(long)]
    to: Option<String>,
    /// Only at this location. May be given several times.
    #[arg(long = "location", value_name = "ID")]
    locations: Vec<String>,
    /// Only at this EVSE, by its uid. May be given several times.
    #[arg(long = "evse", value_name = "UID")]
    evses: Vec<String>,
    /// T2: the hub asks the CPO in the eMSP's name, and shows the provider its Sessions.
    #[arg(long)]
    relay_by_hub: bool,
    /// Show the provider Sessions as the CPO wrote them, without pseudonyms.
    #[arg(long)]
    full: bool,
    /// T3: who is not to steer where the other does: nobody, the eMSP (cpo), or the provider once the eMSP has (emsp).
    #[arg(long, value_name = "first|cpo|emsp")]
    precedence: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    T2,
    T3,
}

const CONTRACTS: &str = "/operator/v1/contracts";

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.action {
        Action::List(common) => {
            let heading = [
                "ID", "KIND", "GRANTOR", "SCSP", "RELAY", "PRIVACY", "FROM", "TO", "WHERE",
            ];
            common.list(CONTRACTS, &heading, row).await
        }
        Action::Show(one) => {
            let contract = one.common.access.open()?.get(&at(&one.id)?).await?;
            println!("{contract}");
            Ok(())
        }
        Action::Put(put) => {
            let wish = put.wish()?;
            let path = at(&put.id)?;
            let contract = put.common.access.open()?.put(&path, Some(wish)).await?;
            if put.common.json {
                println!("{contract}");
            } else {
                println!("agreed: {}", text(&contract, "id"));
            }
            Ok(())
        }
        Action::End(one) => {
            one.common.access.open()?.delete(&at(&one.id)?).await?;
            done(one.common.json, "ended", &one.id);
            Ok(())
        }
    }
}

/// The path of a contract; ids are such that a path can hold them as they are.
fn at(id: &str) -> Result<String, NotDone> {
    let is_id = !id.is_empty()
        && id
            .bytes()
            .all(|one| one.is_ascii_alphanumeric() || b"-_.".contains(&one));
    if !is_id {
        return Err(NotDone::usage(
            "an id has letters, digits, dots, hyphens and underscores",
        ));
    }
    Ok(format!("{CONTRACTS}/{id}"))
}

impl Put {
    fn wish(&self) -> Result<Value, NotDone> {
        for one in [&self.grantor, &self.scsp] {
            party(one)?;
        }
        let kind = match self.kind {
            Kind::T2 => "T2",
            Kind::T3 => "T3",
        };
        let mut wish =
            json!({"kind": kind, "grantor": self.grantor, "scsp": self.scsp, "from": self.from, "to": self.to});
        if !self.locations.is_empty() || !self.evses.is_empty() {
            wish["scope"] = json!({"locations": self.locations, "evse_uids": self.evses});
        }
        if self.relay_by_hub {
            wish["relay"] = json!("hub");
        }
        if self.full {
            wish["privacy"] = json!("full");
        }
        if let Some(precedence) = &self.precedence {
            wish["precedence"] = json!(precedence);
        }
        Ok(wish)
    }
}

fn row(contract: &Value) -> Vec<String> {
    let mut cells: Vec<String> = ["id", "kind", "grantor", "scsp", "relay", "privacy", "from", "to"]
        .map(|name| text(contract, name).to_owned())
        .into();
    let places = ["locations", "evse_uids"].map(|name| {
        let ids = contract["scope"][name].as_array().into_iter().flatten();
        ids.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    });
    let places = places.join(" ").trim().to_owned();
    cells.push(if places.is_empty() {
        "everywhere".to_owned()
    } else {
        places
    });
    cells
}
