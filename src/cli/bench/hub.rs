//! The hub under load: started as a child, or somebody's; with an operator and a provider registered for the run.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::Process;
use crate::cli::NotDone;
use crate::cli::api::Api;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Secret;
use crate::ocpi::headers::{self, TokenForm};
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::time;
use crate::sandbox::party::routing;
use crate::sandbox::{Plan, SandboxCpo, SandboxEmsp};

/// A hub with two registered neighbours.
pub struct HubUnderLoad {
    /// The child, when the bench started it.
    pub process: Option<Process>,
    /// The operator who sends.
    pub cpo: SandboxCpo,
    /// The provider who receives.
    pub emsp: SandboxEmsp,
    api: Api,
    platforms: Vec<String>,
    since: String,
}

/// What the hub says it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubBooks {
    /// CDRs it keeps for the provider of this run.
    pub stored: usize,
    /// Ids it keeps more than once.
    pub stored_twice: usize,
    /// Those whose delivery word is `delivered`.
    pub delivered: usize,
}

/// Longer than any first start on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

impl HubUnderLoad {
    /// Starts a hub as a child on this database and registers the neighbours.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn start(directory: &Path, database: &str, receiver: String) -> Result<HubUnderLoad, NotDone> {
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
        ]
        .iter()
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
        HubUnderLoad::admit(&url, &token, Some(process), receiver).await
    }

    /// Registers the neighbours at a hub that runs already.
    ///
    /// # Errors
    /// With the sentence to print.
    pub async fn admit(
        url: &str,
        token: &Secret,
        process: Option<Process>,
        receiver: String,
    ) -> Result<HubUnderLoad, NotDone> {
        let api = Api::with_token(url, token.clone())?;
        let clock: SharedClock = SystemClock::shared();
        // ZZ is no country: a bench on somebody's hub gets into nobody's way.
        let (sender, payer) = (a_party('C')?, a_party('E')?);
        let cpo = SandboxCpo::start("Bench CPO", sender, clock.clone()).await;
        let cpo = cpo.map_err(|error| NotDone::failed(error.to_string()))?;
        let plan = Plan {
            receives_at: Some(receiver),
            ..Plan::emsp("Bench eMSP", payer.clone())
        };
        let emsp = SandboxEmsp::with(plan, payer, clock.clone()).await;
        let emsp = emsp.map_err(|error| NotDone::failed(error.to_string()))?;
        let mut platforms = Vec::new();
        for (platform, party, role) in [
            (&cpo.platform, &cpo.party, Role::Cpo),
            (&emsp.platform, &emsp.party, Role::Emsp),
        ] {
            let name = platform.plan().name.clone();
            let planned = json!({"name": name, "options": {}, "parties": [{
                "country_code": party.country_code(), "party_id": party.party_id(), "roles": [role.as_str()], "name": name,
            }]});
            let planned = api.post("/operator/v1/platforms", Some(planned)).await?;
            platforms.push(text(&planned, "id")?);
            platform
                .register_at(&text(&planned, "versions_url")?, &text(&planned, "token_a")?)
                .await
                .map_err(|error| NotDone::failed(error.to_string()))?;
        }
        let valid_from = time::write(clock.now() - chrono::TimeDelta::days(365));
        let key = json!({
            "public_key": cpo.meter.public_key(), "meter_serial": cpo.meter.serial(), "evse_id": cpo.meter.evse_id(),
            "cpo": {"country_code": cpo.party.country_code(), "party_id": cpo.party.party_id()},
            "valid_from": valid_from, "calibrated": true,
        });
        api.post("/operator/v1/keys", Some(key)).await?;
        Ok(HubUnderLoad {
            process,
            cpo,
            emsp,
            api,
            platforms,
            since: time::write(clock.now()),
        })
    }

    /// Where CDRs are posted: host and port, path with query.
    ///
    /// # Errors
    /// When the hub lists no such endpoint, or not over plain HTTP.
    pub fn target(&self) -> Result<(String, String), NotDone> {
        let url = self.cpo.platform.hub_endpoint("cdrs", InterfaceRole::Receiver);
        let url = url.map_err(|error| NotDone::failed(error.to_string()))?;
        let rest = url.strip_prefix("http://");
        let rest = rest.ok_or_else(|| NotDone::usage("the load generator speaks plain HTTP only"))?;
        Ok(match rest.find('/') {
            Some(at) => (rest[..at].to_owned(), rest[at..].to_owned()),
            None => (rest.to_owned(), "/".to_owned()),
        })
    }

    /// The headers of a post: token, type, routing. Message ids come with each request.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let token = self.cpo.platform.token().unwrap_or_default();
        let mut all = routing(&self.cpo.party, Some(&self.emsp.party));
        all.push((
            "authorization".to_owned(),
            headers::authorization(&token, TokenForm::Base64),
        ));
        all.push(("content-type".to_owned(), "application/json".to_owned()));
        all
    }

    /// Reads the hub's books for the provider of this run, until `expected` are delivered or ten seconds have passed.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn books(&self, expected: usize) -> Result<HubBooks, NotDone> {
        let path = format!("/operator/v1/cdrs?emsp={}&from={}", self.emsp.party, self.since);
        let started = Instant::now();
        loop {
            let items = self.api.all(&path).await?;
            let member =
                |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let ids: std::collections::HashSet<String> = items.iter().map(|item| member(item, "id")).collect();
            let books = HubBooks {
                stored: items.len(),
                stored_twice: items.len() - ids.len(),
                delivered: items
                    .iter()
                    .filter(|item| member(item, "delivery") == "delivered")
                    .count(),
            };
            if books.delivered >= expected || started.elapsed() > Duration::from_secs(10) {
                return Ok(books);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Takes the neighbours away again from a hub that goes on without us.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn leave(&self) -> Result<(), NotDone> {
        for platform in &self.platforms {
            self.api.delete(&format!("/operator/v1/platforms/{platform}")).await?;
        }
        Ok(())
    }
}

/// A party nobody has, probably: a second run on the same database must not meet the first one's.
fn a_party(initial: char) -> Result<PartyId, NotDone> {
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

fn text(document: &Value, member: &str) -> Result<String, NotDone> {
    let value = document.get(member).and_then(Value::as_str);
    let value = value.ok_or_else(|| NotDone::failed(format!("the hub's answer has no {member}")))?;
    Ok(value.to_owned())
}
