//! `truewatt key`: meter keys, over the operator API.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::NotDone;
use super::api::{Access, table, text};
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
    /// All keys.
    List(Common),
    /// One key.
    Show(OfKey),
    /// End a registration now.
    Deactivate(OfKey),
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    access: Access,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
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
    /// The serial number of the meter, as it stands in its records.
    #[arg(long)]
    meter_serial: String,
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
    /// CDRs of this EVSE need no signed data.
    #[arg(long)]
    not_calibrated: bool,
    #[command(flatten)]
    common: Common,
}

const KEYS: &str = "/operator/v1/keys";

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.action {
        Action::Register(register) => self::register(*register).await,
        Action::List(common) => list(common).await,
        Action::Show(one) => {
            let answer = one.common.access.open()?.get(&format!("{KEYS}/{}", one.id)).await?;
            print(&answer, one.common.json);
            Ok(())
        }
        Action::Deactivate(one) => {
            let answer = one
                .common
                .access
                .open()?
                .post(&format!("{KEYS}/{}/deactivate", one.id), None)
                .await?;
            print(&answer, one.common.json);
            Ok(())
        }
    }
}

async fn register(register: Register) -> Result<(), NotDone> {
    let public_key = match (&register.public_key, &register.public_key_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => std::fs::read_to_string(file)
            .map_err(|error| NotDone::usage(format!("{} cannot be read: {error}", file.display())))?,
        (None, None) => return Err(NotDone::usage("give --public-key or --public-key-file")),
    };
    let cpo = PartyId::from_slash(&register.cpo).map_err(|error| NotDone::usage(format!("--cpo: {error}")))?;
    let mut wish = Map::new();
    wish.insert("public_key".to_owned(), json!(public_key));
    wish.insert("meter_serial".to_owned(), json!(register.meter_serial));
    wish.insert("evse_id".to_owned(), json!(register.evse_id));
    wish.insert(
        "cpo".to_owned(),
        json!({"country_code": cpo.country_code(), "party_id": cpo.party_id()}),
    );
    wish.insert("valid_from".to_owned(), json!(register.valid_from));
    wish.insert("calibrated".to_owned(), json!(!register.not_calibrated));
    let optional = [
        ("gateway_serial", register.gateway_serial),
        ("evse_uid", register.evse_uid),
        ("valid_to", register.valid_to),
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

async fn list(common: Common) -> Result<(), NotDone> {
    let keys = common.access.open()?.all(KEYS).await?;
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
