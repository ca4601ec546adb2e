//! A hub on a database of its own, and neighbours that registered at it.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use truewatt::cli::serve::{Hub, Running};
use truewatt::client::{Answer, Bytes, Http, HttpSettings, Method, Outcome, Outgoing};
use truewatt::clock::SystemClock;
use truewatt::config::Config;
use truewatt::ocpi::ids::PartyId;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Got, Plan, Reply, SandboxParty, To, Voice};

/// Far longer than anything here takes; only a test that fails waits for it.
pub const SOON: Duration = Duration::from_secs(20);

pub struct World {
    pub hub: Running,
    http: Http,
    _files: TempDir,
}

/// A platform, the first of its parties, and how others address it.
pub struct Neighbour {
    pub platform: SandboxParty,
    pub voice: Voice,
    pub to: To,
    pub id: PartyId,
    /// The hub's id of the platform.
    pub at_hub: String,
}

pub fn party(text: &str) -> PartyId {
    PartyId::from_slash(text).unwrap()
}

pub fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

/// A platform with one party and everything its role asks for, at endpoint URLs of every shape.
pub fn complete(id: &str, role: Role) -> Plan {
    Plan::complete(id, vec![(party(id), role)])
}

impl World {
    pub async fn start() -> World {
        World::start_with("").await
    }

    /// With more of a configuration file.
    pub async fn start_with(more: &str) -> World {
        let files = tempfile::tempdir().unwrap();
        let file = format!(
            "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:0\"\n\
             [database]\nurl = \"sqlite://{}\"\n[operator]\ntoken = \"operator-token\"\n\
             [outbound]\nallow_http = true\nallow_private_networks = true\n{more}",
            files.path().join("hub.db").display()
        );
        let config = Config::from_parts(Some(&file), &HashMap::new()).unwrap();
        let hub = Hub::start(config, SystemClock::shared()).await.unwrap();
        let http = Http::new(HttpSettings {
            connect: Duration::from_secs(3),
            allow_http: true,
            allow_private_networks: true,
            max_body: 50_000_000,
            user_agent: "test".into(),
        });
        World {
            hub,
            http: http.unwrap(),
            _files: files,
        }
    }

    /// An operator and a provider.
    pub async fn pair(&self) -> (Neighbour, Neighbour) {
        let cpo = self.join(complete("NL/CPA", Role::Cpo)).await;
        (cpo, self.join(complete("DE/MSA", Role::Emsp)).await)
    }

    /// A platform that has registered.
    pub async fn join(&self, plan: Plan) -> Neighbour {
        self.join_with(plan, &[], json!({})).await
    }

    /// The same; the operator expects more parties of it than it registers.
    pub async fn join_with(&self, plan: Plan, more: &[(&str, Role)], options: Value) -> Neighbour {
        let expected = plan.parties.iter().cloned();
        let expected = expected.chain(more.iter().map(|(id, role)| (party(id), *role)));
        let created = self.expect(&plan.name, expected, options).await;
        let platform = SandboxParty::start(plan, SystemClock::shared()).await.unwrap();
        let [versions_url, token_a] = ["versions_url", "token_a"].map(|name| created[name].as_str().unwrap());
        platform.register_at(versions_url, token_a).await.unwrap();
        let id = platform.plan().parties[0].0.clone();
        Neighbour {
            voice: platform.voice_of(&id),
            to: To::Party(id.clone()),
            id,
            at_hub: created["id"].as_str().unwrap().to_owned(),
            platform,
        }
    }

    /// A platform the operator knows of and that has not registered: PLANNED.
    pub async fn expect(&self, name: &str, parties: impl Iterator<Item = (PartyId, Role)>, options: Value) -> Value {
        let parties: Vec<Value> = parties
            .map(|(party, role)| {
                json!({"country_code": party.country_code(), "party_id": party.party_id(), "roles": [role.as_str()], "name": name})
            })
            .collect();
        let platform = json!({"name": name, "parties": parties, "options": options});
        self.operator(Method::POST, "/platforms", Some(platform)).await
    }

    /// A call of the operator API that must succeed.
    pub async fn operator(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let answer = self
            .ask(
                method,
                &format!("/operator/v1{path}"),
                &[
                    ("Authorization", "Bearer operator-token"),
                    ("Content-Type", "application/json"),
                ],
                body.map(|body| body.to_string()).unwrap_or_default().as_bytes(),
            )
            .await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.is_success(), "{path}: {} {text}", answer.status);
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Any call of the hub.
    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let outgoing = Outgoing {
            method,
            url: format!("{}{path}", self.hub.url),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: (!body.is_empty()).then(|| Bytes::copy_from_slice(body)),
            timeout: Duration::from_secs(60),
            allowed_hosts: None,
        };
        match self.http.send(outgoing).await {
            Outcome::Answered(answer) => answer,
            other => panic!("{other}"),
        }
    }

    /// Waits until the hub holds a platform for this.
    pub async fn until_status(&self, neighbour: &Neighbour, status: &str) {
        for _ in 0..400 {
            let seen = self
                .operator(Method::GET, &format!("/platforms/{}", neighbour.at_hub), None)
                .await;
            if seen["status"] == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} never became {status}", neighbour.id);
    }
}

impl Neighbour {
    /// What came to a module here from other parties, in order; the hub's own pulls are not theirs.
    pub fn got(&self, module: &str) -> Vec<Got> {
        let mut got = self.platform.got_for(module);
        got.retain(|got| got.pair("from").as_deref() != Some("DE/TWH"));
        got
    }

    /// The last that came to a module here.
    pub fn last(&self, module: &str) -> Got {
        self.got(module).pop().unwrap()
    }
}

/// HTTP status and OCPI code.
pub fn codes(reply: &Reply) -> (u16, u16) {
    (reply.http, reply.code.unwrap_or_default())
}

/// The parties an answer names, `to` and `from`.
pub fn named(reply: &Reply) -> [String; 2] {
    ["to", "from"].map(|which| {
        let part = |name: &str| reply.header(&format!("ocpi-{which}-{name}")).unwrap_or("-").to_owned();
        format!("{}/{}", part("country-code"), part("party-id"))
    })
}
