//! `truewatt party`: platforms and the parties on them, and what they agreed, over the operator API.

mod agreements;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::NotDone;
use super::api::{Api, Common, table, text};

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// All parties, one line per role.
    List(Common),
    /// One platform with its parties, options and endpoints.
    Show(OfPlatform),
    /// List a new platform; prints the TOKEN_A and the versions URL to hand over.
    Create(Create),
    /// Let the hub register at a platform.
    Register(Register),
    /// Stop all traffic with a platform.
    Suspend(OfPlatform),
    /// End a suspension.
    Resume(OfPlatform),
    /// A fresh TOKEN_A for a platform.
    Token(OfPlatform),
    /// Remove a platform.
    Delete(OfPlatform),
    /// Who may exchange what with whom.
    Agreements(agreements::Arguments),
}

#[derive(Debug, Args)]
struct OfPlatform {
    /// The platform's id, or one of its parties as DE/ABC.
    platform: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Create {
    /// What to call the platform.
    #[arg(long)]
    name: String,
    /// A party it may register, with its roles: DE/ABC:CPO or NL/XYZ:EMSP,NSP. May be given several times.
    #[arg(long = "party", required = true, value_name = "CC/PID:ROLE,…")]
    parties: Vec<String>,
    /// An option, for example token_encoding=raw or invalid_cdrs=hold. May be given several times.
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Register {
    /// The platform's id, or one of its parties as DE/ABC.
    platform: String,
    /// The platform's versions URL. May be left out to renew a registration.
    #[arg(long)]
    versions_url: Option<String>,
    /// The TOKEN_A the platform gave. Without it a registration that stands is renewed.
    #[arg(long)]
    token_a: Option<String>,
    #[command(flatten)]
    common: Common,
}

const PLATFORMS: &str = "/operator/v1/platforms";

pub(super) async fn run(arguments: Arguments) -> Result<(), NotDone> {
    match arguments.action {
        Action::List(common) => list(common).await,
        Action::Create(create) => self::create(create).await,
        Action::Register(register) => self::register(register).await,
        Action::Show(one) => on_platform(one, "").await,
        Action::Suspend(one) => on_platform(one, "/suspend").await,
        Action::Resume(one) => on_platform(one, "/resume").await,
        Action::Token(one) => on_platform(one, "/token").await,
        Action::Delete(one) => delete(one).await,
        Action::Agreements(arguments) => agreements::run(arguments).await,
    }
}

async fn list(common: Common) -> Result<(), NotDone> {
    let parties = common.access.open()?.all("/operator/v1/parties").await?;
    if common.json {
        println!("{}", json!(parties));
        return Ok(());
    }
    let row = |party: &Value| {
        let party_id = format!("{}/{}", text(party, "country_code"), text(party, "party_id"));
        let rest = ["role", "status", "platform", "name"].map(|member| text(party, member).to_owned());
        std::iter::once(party_id).chain(rest).collect::<Vec<_>>()
    };
    let rows = parties.iter().map(row).collect::<Vec<_>>();
    println!("{}", table(&["PARTY", "ROLE", "STATUS", "PLATFORM", "NAME"], &rows));
    Ok(())
}

async fn create(create: Create) -> Result<(), NotDone> {
    let parties = create
        .parties
        .iter()
        .map(|text| party(text))
        .collect::<Result<Vec<_>, _>>()?;
    let options = create
        .options
        .iter()
        .map(|text| option(text))
        .collect::<Result<Map<_, _>, _>>()?;
    let api = create.common.access.open()?;
    let wish = json!({"name": create.name, "parties": parties, "options": options});
    show(&api.post(PLATFORMS, Some(wish)).await?, create.common.json);
    Ok(())
}

async fn register(register: Register) -> Result<(), NotDone> {
    let api = register.common.access.open()?;
    let path = format!("{}/register", path_of(&api, &register.platform).await?);
    let mut wish = Map::new();
    for (name, value) in [("versions_url", register.versions_url), ("token_a", register.token_a)] {
        if let Some(value) = value {
            wish.insert(name.to_owned(), json!(value));
        }
    }
    show(&api.post(&path, Some(Value::Object(wish))).await?, register.common.json);
    Ok(())
}

async fn on_platform(one: OfPlatform, action: &str) -> Result<(), NotDone> {
    let api = one.common.access.open()?;
    let path = path_of(&api, &one.platform).await?;
    let answer = match action {
        "" => api.get(&path).await?,
        action => api.post(&format!("{path}{action}"), None).await?,
    };
    show(&answer, one.common.json);
    Ok(())
}

async fn delete(one: OfPlatform) -> Result<(), NotDone> {
    let api = one.common.access.open()?;
    let path = path_of(&api, &one.platform).await?;
    api.delete(&path).await?;
    if !one.common.json {
        println!("deleted");
    }
    Ok(())
}

/// The URL path of a platform, named by its id or by one of its parties.
async fn path_of(api: &Api, named: &str) -> Result<String, NotDone> {
    let id = match named.split_once('/') {
        None => named.to_owned(),
        Some((country_code, party_id)) => {
            let parties = api.all("/operator/v1/parties").await?;
            let is_named = |party: &&Value| {
                text(party, "country_code").eq_ignore_ascii_case(country_code)
                    && text(party, "party_id").eq_ignore_ascii_case(party_id)
            };
            let mut platforms = parties
                .iter()
                .filter(is_named)
                .map(|party| text(party, "platform"))
                .collect::<Vec<_>>();
            platforms.dedup();
            match platforms.as_slice() {
                [one] => (*one).to_owned(),
                [] => return Err(NotDone::failed(format!("no platform lists {named}"))),
                _ => {
                    return Err(NotDone::failed(format!(
                        "several platforms list {named}: name one by its id"
                    )));
                }
            }
        }
    };
    Ok(crate::ocpi::url::join(PLATFORMS, &[&id]))
}

fn show(platform: &Value, as_json: bool) {
    if as_json {
        println!("{platform}");
        return;
    }
    for member in ["id", "name", "status", "versions_url", "token_a"] {
        if let Some(value) = platform.get(member).and_then(Value::as_str) {
            println!("{:<14}{value}", format!("{member}:"));
        }
    }
    for party in platform.get("parties").and_then(Value::as_array).into_iter().flatten() {
        let roles = party.get("roles").and_then(Value::as_array).into_iter().flatten();
        let roles = roles.filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        let (country_code, party_id) = (text(party, "country_code"), text(party, "party_id"));
        println!(
            "{:<14}{country_code}/{party_id} {roles} {} {}",
            "party:",
            text(party, "status"),
            text(party, "name")
        );
    }
    if let Some(peer) = platform.get("peer").filter(|peer| peer.is_object()) {
        println!(
            "{:<14}OCPI {} at {}",
            "peer:",
            text(peer, "version"),
            text(peer, "versions_url")
        );
        for endpoint in peer.get("endpoints").and_then(Value::as_array).into_iter().flatten() {
            let (module, role) = (text(endpoint, "identifier"), text(endpoint, "role"));
            println!("{:<14}{module} {role} {}", "endpoint:", text(endpoint, "url"));
        }
    }
}

fn party(written: &str) -> Result<Value, NotDone> {
    let parts = written
        .split_once(':')
        .and_then(|(party, roles)| Some((party.split_once('/')?, roles)));
    let Some(((country_code, party_id), roles)) = parts else {
        return Err(NotDone::usage(format!(
            "--party {written}: write it as DE/ABC:CPO or NL/XYZ:EMSP,NSP"
        )));
    };
    let roles = roles
        .split(',')
        .map(|role| role.trim().to_ascii_uppercase())
        .collect::<Vec<_>>();
    Ok(json!({"country_code": country_code, "party_id": party_id, "roles": roles}))
}

/// `name=value`; a value that is JSON is taken as such, so that `custody=false` is no text.
fn option(written: &str) -> Result<(String, Value), NotDone> {
    let (name, value) = written
        .split_once('=')
        .ok_or_else(|| NotDone::usage(format!("--option {written}: write it as token_encoding=raw")))?;
    Ok((
        name.to_owned(),
        serde_json::from_str(value).unwrap_or_else(|_| json!(value)),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_party_is_written_with_its_roles() {
        let expected = json!({"country_code": "NL", "party_id": "XYZ", "roles": ["EMSP", "NSP"]});
        assert_eq!(party("NL/XYZ:emsp, NSP").unwrap(), expected);
        for nonsense in ["", "DE", "DE/ABC", "DE:CPO"] {
            assert_eq!(party(nonsense).unwrap_err().code, 64, "{nonsense}");
        }
    }

    #[test]
    fn an_option_keeps_its_type() {
        assert_eq!(option("custody=false").unwrap(), ("custody".to_owned(), json!(false)));
        assert_eq!(
            option("token_encoding=raw").unwrap(),
            ("token_encoding".to_owned(), json!("raw"))
        );
        assert_eq!(
            option("timeouts={\"relay_s\":5}").unwrap(),
            ("timeouts".to_owned(), json!({"relay_s": 5}))
        );
        assert!(option("custody").is_err());
    }
}
