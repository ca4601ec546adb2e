//! `truewatt key`: meter keys, over the operator API; and the proof that nobody rewrote their log, over the database itself.

mod heard;
mod extract;
mod log;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::NotDone;
use super::api::{Common, table, text};
use crate::config::Config;
use crate::ocpi::ids::PartyId;

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Register the key of a meter at an EVSE.
    Register(Box<Register>),
    /// All registrations.
    List(List),
    /// One key.
    Show(OfKey),
    /// Let a registration go on that waits for a person.
    Accept(Decide),
    /// Refuse a registration that waits for a person.
    Refuse(Decide),
    /// Take a registration back that was not published yet.
    Withdraw(OfKey),
    /// Let another operator take a meter over.
    Release(Release),
    /// End a registration, now or at an instant gone by.
    Deactivate(Deactivate),
    /// For whom eMSPs do without conformity.
    Waivers(heard::Waivers),
    /// Keys and serial numbers heard of that nobody has registered, or had not.
    Observations(heard::Observations),
    /// EVSEs that claim in their location to be calibrated, and whether the registry confirms it.
    Conformity(heard::Conformity),
    /// The extract of a registration for the commissioning file, with the proof that it was logged. Keep it.
    Extract(OfKey),
    /// Check an extract without any hub; exit code 0 it holds, 1 it does not, 2 it cannot be decided.
    CheckExtract(extract::Check),
    /// The log of all this.
    Log(Log),
}

#[derive(Debug, Args)]
struct List {
    /// Only those in this state, such as ON_HOLD.
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Decide {
    #[command(flatten)]
    of: OfKey,
    /// Why.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct Release {
    #[command(flatten)]
    of: OfKey,
    /// The operator that takes it over, as DE/ABC.
    #[arg(long)]
    to: String,
}

#[derive(Debug, Args)]
struct Deactivate {
    #[command(flatten)]
    of: OfKey,
    /// When it ended (RFC 3339); now, without.
    #[arg(long)]
    at: Option<String>,
}

#[derive(Debug, Args)]
struct Log {
    #[command(subcommand)]
    action: LogAction,
}

#[derive(Debug, Subcommand)]
enum LogAction {
    /// Read the whole log along in the configured database; exit code 1 names the first entry that is not what it was.
    Verify(log::Verify),
    /// Have the hub sign a checkpoint of the log. Keep it where nobody who can write the database can write.
    Checkpoint(Common),
}

#[derive(Debug, Args)]
struct OfKey {
    /// The id of the registration.
    id: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Register {
    /// The public key, in any spelling of the field.
    #[arg(long, required_unless_present = "public_key_file")]
    public_key: Option<String>,
    /// A file with the public key.
    #[arg(long, value_name = "FILE", conflicts_with = "public_key")]
    public_key_file: Option<PathBuf>,
    /// The serial number of the meter, as it stands in its records; not needed where a gateway signs that serves one point.
    #[arg(long, required_unless_present = "gateway_serial")]
    meter_serial: Option<String>,
    /// The serial number of the gateway that signs for the meter.
    #[arg(long)]
    gateway_serial: Option<String>,
    /// The EVSE-ID, for example DE*ABC*E100001.
    #[arg(long)]
    evse_id: String,
    /// The operator's own id of the EVSE.
    #[arg(long)]
    evse_uid: Option<String>,
    /// The operator as DE/ABC.
    #[arg(long)]
    cpo: String,
    /// From when on it holds (RFC 3339).
    #[arg(long)]
    valid_from: String,
    /// Until when it holds, exclusive.
    #[arg(long)]
    valid_to: Option<String>,
    /// Why: COMMISSIONING, REPLACEMENT, FIRMWARE, REASSIGNMENT, TAKE_OVER or CORRECTION.
    #[arg(long)]
    reason: Option<String>,
    /// The registration that ends where this one begins, where the reason can mean several.
    #[arg(long)]
    supersedes: Option<String>,
    /// The format the unit signs in, as `encoding_method` names it.
    #[arg(long)]
    encoding_method: Option<String>,
    /// CDRs of this EVSE need no signed data.
    #[arg(long)]
    not_calibrated: bool,
    #[command(flatten)]
    common: Common,
}

const KEYS: &str = "/operator/v1/keys";

pub(super) async fn run(arguments: Arguments, config: impl FnOnce() -> Result<Config, NotDone>) -> Result<(), NotDone> {
    match arguments.action {
        Action::Register(register) => self::register(*register).await,
        Action::List(wish) => list(wish).await,
        Action::Show(one) => {
            let answer = one.common.access.open()?.get(&format!("{KEYS}/{}", one.id)).await?;
            print(&answer, one.common.json);
            Ok(())
        }
        Action::Accept(wish) => act(wish.of, "accept", Some(json!({"reason": wish.reason}))).await,
        Action::Refuse(wish) => act(wish.of, "refuse", Some(json!({"reason": wish.reason}))).await,
        Action::Withdraw(of) => act(of, "withdraw", None).await,
        Action::Release(wish) => {
            let to = party("--to", &wish.to)?;
            act(wish.of, "release", Some(json!({"to": to}))).await
        }
        Action::Deactivate(wish) => act(wish.of, "deactivate", wish.at.map(|at| json!({"at": at}))).await,
        Action::Waivers(wish) => heard::waivers(wish).await,
        Action::Observations(wish) => heard::observations(wish).await,
        Action::Conformity(wish) => heard::conformity(wish).await,
        Action::Extract(of) => extract::fetch(of).await,
        Action::CheckExtract(wish) => extract::verify(&wish),
        Action::Log(Log {
            action: LogAction::Verify(wish),
        }) => log::verify(wish, config()?).await,
        Action::Log(Log {
            action: LogAction::Checkpoint(common),
        }) => {
            // Always JSON: it is kept and read by a program.
            let signed = common.access.open()?.post(&format!("{KEYS}/checkpoint"), None).await?;
            println!("{signed}");
            Ok(())
        }
    }
}

async fn act(of: OfKey, what: &str, wish: Option<Value>) -> Result<(), NotDone> {
    let answer = of
        .common
        .access
        .open()?
        .post(&format!("{KEYS}/{}/{what}", of.id), wish)
        .await?;
    print(&answer, of.common.json);
    Ok(())
}

fn party(option: &str, text: &str) -> Result<Value, NotDone> {
    let party = PartyId::from_slash(text).map_err(|error| NotDone::usage(format!("{option}: {error}")))?;
    Ok(json!({"country_code": party.country_code(), "party_id": party.party_id()}))
}

async fn register(register: Register) -> Result<(), NotDone> {
    let public_key = match (&register.public_key, &register.public_key_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => std::fs::read_to_string(file)
            .map_err(|error| NotDone::usage(format!("{} cannot be read: {error}", file.display())))?,
        (None, None) => return Err(NotDone::usage("give --public-key or --public-key-file")),
    };
    let mut wish = Map::new();
    wish.insert("public_key".to_owned(), json!(public_key));
    wish.insert("evse_id".to_owned(), json!(register.evse_id));
    wish.insert("cpo".to_owned(), party("--cpo", &register.cpo)?);
    wish.insert("valid_from".to_owned(), json!(register.valid_from));
    wish.insert("calibrated".to_owned(), json!(!register.not_calibrated));
    let optional = [
        ("meter_serial", register.meter_serial),
        ("gateway_serial", register.gateway_serial),
        ("evse_uid", register.evse_uid),
        ("valid_to", register.valid_to),
        ("reason", register.reason),
        ("supersedes", register.supersedes),
        ("encoding_method", register.encoding_method),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            wish.insert(name.to_owned(), json!(value));
        }
    }
    let answer = register
        .common
        .access
        .open()?
        .post(KEYS, Some(Value::Object(wish)))
        .await?;
    print(&answer, register.common.json);
    Ok(())
}

async fn list(List { state, common }: List) -> Result<(), NotDone> {
    let path = state.map_or_else(|| KEYS.to_owned(), |state| format!("{KEYS}?state={state}"));
    let keys = common.access.open()?.all(&path).await?;
    if common.json {
        println!("{}", json!(keys));
        return Ok(());
    }
    let row = |key: &Value| {
        ["id", "state", "curve", "meter_serial", "evse_id", "valid_from"]
            .map(|name| text(key, name).to_owned())
            .to_vec()
    };
    let rows = keys.iter().map(row).collect::<Vec<_>>();
    println!(
        "{}",
        table(&["ID", "STATE", "CURVE", "METER", "EVSE", "VALID FROM"], &rows)
    );
    Ok(())
}

fn print(key: &Value, as_json: bool) {
    if as_json {
        println!("{key}");
        return;
    }
    for name in [
        "id",
        "state",
        "fingerprint",
        "curve",
        "meter_serial",
        "evse_id",
        "valid_from",
        "valid_to",
    ] {
        let value = text(key, name);
        if value != "-" {
            println!("{name}: {value}");
        }
    }
    for finding in key["findings"].as_array().into_iter().flatten() {
        println!(
            "{} {}: {}",
            text(finding, "severity"),
            text(finding, "code"),
            text(finding, "message")
        );
    }
}
