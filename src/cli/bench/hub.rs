//! The hub under load: started as a child, or somebody's; and the neighbours that are registered there for the run.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Process, Usage};
use crate::cli::NotDone;
use crate::cli::api::Api;
use crate::clock::SystemClock;
use crate::config::Secret;
use crate::ocpi::headers::{self, TokenForm};
use crate::ocpi::ids::PartyId;
use crate::sandbox::party::routing;
use crate::sandbox::wire::Request;
use crate::sandbox::{Plan, SandboxParty};

/// A running hub, seen by its operator.
pub struct Hub {
    process: Option<Process>,
    /// Its operator API.
    pub api: Api,
    platforms: Vec<String>,
}

/// Longer than any first start on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

impl Hub {
    /// Starts a hub as a child on this database; `more` are settings as `("SECTION__KEY", value)`.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn start(directory: &Path, database: &str, more: &[(&str, &str)]) -> Result<Hub, NotDone> {
        let token = Secret::new(format!("bench-{}", uuid::Uuid::new_v4()));
        let port = super::free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let bind = format!("127.0.0.1:{port}");
        let environment: Vec<(String, String)> = [
            ("SERVER__BIND", bind.as_str()),
            ("SERVER__PUBLIC_URL", url.as_str()),
            ("DATABASE__URL", database),
            ("OPERATOR__TOKEN", token.expose()),
            ("OUTBOUND__ALLOW_HTTP", "true"),
            ("OUTBOUND__ALLOW_PRIVATE_NETWORKS", "true"),
            ("PAGING__MAX_LIMIT", "1000"),
            // Counted, and never reached: what is measured is the hub and not its limits.
            ("LIMITS__PLATFORM_RATE", "1000000"),
            ("LIMITS__ADDRESS_RATE", "1000000"),
        ]
        .iter()
        .chain(more)
        .map(|(key, value)| (format!("TRUEWATT__{key}"), (*value).to_owned()))
        .collect();
        let mut process = Process::start(&["serve"], &environment, directory, "hub.log")
            .map_err(|error| NotDone::failed(format!("the hub cannot be started: {error}")))?;
        let started = Instant::now();
        while Api::public(&url)?.get("/health/ready").await.is_err() {
            if process.has_ended() || started.elapsed() > READY_WITHIN {
                let said = std::fs::read_to_string(directory.join("hub.log")).unwrap_or_default();
                return Err(NotDone::failed(format!("the hub did not get ready; it said:\n{said}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Hub {
            process: Some(process),
            ..Hub::running(&url, &token)?
        })
    }

    /// A hub that runs already.
    ///
    /// # Errors
    /// With the sentence to print.
    pub fn running(url: &str, token: &Secret) -> Result<Hub, NotDone> {
        Ok(Hub {
            process: None,
            api: Api::with_token(url, token.clone())?,
            platforms: Vec::new(),
        })
    }

    /// Opens a platform and registers it by the handshake.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn join(&mut self, plan: Plan) -> Result<SandboxParty, NotDone> {
        let platform = SandboxParty::start(plan, SystemClock::shared()).await;
        let platform = platform.map_err(|error| NotDone::failed(error.to_string()))?;
        self.admit(&platform).await?;
        Ok(platform)
    }

    /// Registers a platform by the handshake.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn admit(&mut self, platform: &SandboxParty) -> Result<(), NotDone> {
        let name = &platform.plan().name;
        let parties: Vec<Value> = platform
            .plan()
            .parties
            .iter()
            .map(|(party, role)| {
                json!({
                    "country_code": party.country_code(), "party_id": party.party_id(), "roles": [role.as_str()], "name": name,
                })
            })
            .collect();
        let planned = json!({"name": name, "options": {}, "parties": parties});
        let planned = self.api.post("/operator/v1/platforms", Some(planned)).await?;
        self.platforms.push(text(&planned, "id")?);
        platform
            .register_at(&text(&planned, "versions_url")?, &text(&planned, "token_a")?)
            .await
            .map_err(|error| NotDone::failed(error.to_string()))
    }

    /// What the process has used so far; unknown when it is not our child.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.process.as_ref().and_then(Process::usage)
    }

    /// Takes the neighbours away again from a hub that goes on without us; ours ends with its database.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn leave(&self) -> Result<(), NotDone> {
        if self.process.is_none() {
            for platform in &self.platforms {
                self.api.delete(&format!("/operator/v1/platforms/{platform}")).await?;
            }
        }
        Ok(())
    }
}

/// An absolute URL as host and port, and path with query.
///
/// # Errors
/// When it is not plain HTTP.
pub fn plain(url: &str) -> Result<(String, String), NotDone> {
    let rest = url.strip_prefix("http://");
    let rest = rest.ok_or_else(|| NotDone::usage("the load generator speaks plain HTTP only"))?;
    Ok(match rest.find('/') {
        Some(at) => (rest[..at].to_owned(), rest[at..].to_owned()),
        None => (rest.to_owned(), "/".to_owned()),
    })
}

/// The headers of a request of this party to another: token, type, routing. Message ids come with each request.
#[must_use]
pub fn headers_of(platform: &SandboxParty, from: &PartyId, to: &PartyId) -> Vec<(String, String)> {
    let token = platform.token().unwrap_or_default();
    let mut all = routing(from, Some(to));
    all.push((
        "authorization".to_owned(),
        headers::authorization(&token, TokenForm::Base64),
    ));
    all.push(("content-type".to_owned(), "application/json".to_owned()));
    all
}

/// The same with the two ids of one message.
#[must_use]
pub fn with_ids(headers: &[(String, String)], correlation_id: String) -> Vec<(String, String)> {
    let mut all = headers.to_vec();
    all.push(("x-request-id".to_owned(), uuid::Uuid::new_v4().to_string()));
    all.push(("x-correlation-id".to_owned(), correlation_id));
    all
}

/// Whether what arrived has a token, message ids, and exactly these two parties in its routing headers.
#[must_use]
pub fn is_between(request: &Request, from: &PartyId, to: &PartyId) -> bool {
    let said = |name: &str| request.header(name).unwrap_or_default();
    said("ocpi-from-country-code") == from.country_code()
        && said("ocpi-from-party-id") == from.party_id()
        && said("ocpi-to-country-code") == to.country_code()
        && said("ocpi-to-party-id") == to.party_id()
        && said("authorization").starts_with("Token ")
        && !said("x-request-id").is_empty()
}

/// A party nobody has, probably: a second run on the same database must not meet the first one's. ZZ is no country: a bench on
/// somebody's hub gets into nobody's way.
///
/// # Errors
/// Never, unless ids get other rules.
pub fn a_party(initial: char) -> Result<PartyId, NotDone> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = uuid::Uuid::new_v4().into_bytes();
    let rest = random
        .iter()
        .take(2)
        .filter_map(|octet| LETTERS.get(usize::from(octet % 32)));
    let id: String = std::iter::once(initial)
        .chain(rest.map(|letter| char::from(*letter)))
        .collect();
    PartyId::new("ZZ", &id).map_err(|error| NotDone::failed(error.to_string()))
}

/// Eight characters that tell this run's ids from those of every other.
#[must_use]
pub fn a_run() -> String {
    let run = uuid::Uuid::new_v4().simple().to_string();
    run.get(..8).unwrap_or(&run).to_owned()
}

fn text(document: &Value, member: &str) -> Result<String, NotDone> {
    let value = document.get(member).and_then(Value::as_str);
    let value = value.ok_or_else(|| NotDone::failed(format!("the hub's answer has no {member}")))?;
    Ok(value.to_owned())
}
