//! A hub that can be restarted where it was, and the platforms around it, registered without the handshake (which has its own tests).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use truewatt::cli::serve::{Hub, Running};
use truewatt::client::{Answer, Http, HttpSettings, Method, Outcome, Outgoing};
use truewatt::clock::{Clock, ManualClock};
use truewatt::config::Config;
use truewatt::links::{Between, Kind, Lending, LentAnswer, PageLending};
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::ids::{PartyId, PlatformId};
use truewatt::parties::{Failure, tokens};
use truewatt::store::parties::{NewPlatform, PartyRow, PlatformChange, TokenRow};
use uuid::Uuid;

use crate::peer::Peer;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

pub struct World {
    pub hub: Running,
    pub clock: Arc<ManualClock>,
    http: Http,
    database: String,
    _files: TempDir,
}

/// A platform with one party, as the hub knows it, with the token it calls the hub with.
pub struct Platform {
    pub id: PlatformId,
    pub party: PartyId,
    token: String,
}

/// What the hub answered.
#[derive(Debug)]
pub struct Heard {
    pub http: u16,
    pub code: u64,
    pub message: String,
    pub answer: Answer,
}

pub const NOON: &str = "2026-11-21T12:00:00Z";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl World {
    /// `None` where the database is not there; one line says so.
    pub async fn start(on: On) -> Option<World> {
        let files = tempfile::tempdir().unwrap();
        let database = match on {
            On::Sqlite => format!("sqlite://{}", files.path().join("hub.db").display()),
            On::Postgres => fresh_postgres().await?,
        };
        let clock = ManualClock::at(at(NOON));
        let hub = start(&database, "127.0.0.1:0", clock.clone()).await;
        let http = Http::new(HttpSettings {
            connect: Duration::from_secs(3),
            allow_http: true,
            allow_private_networks: true,
            max_body: 50_000_000,
            user_agent: "test".into(),
        });
        Some(World {
            hub,
            clock,
            http: http.unwrap(),
            database,
            _files: files,
        })
    }

    /// The process ends and another one begins at the same address.
    pub async fn restarted(self) -> World {
        let address = self.hub.url.trim_start_matches("http://").to_owned();
        self.hub.stop().await;
        let hub = start(&self.database, &address, self.clock.clone()).await;
        World { hub, ..self }
    }

    /// A platform with one party ("DE/ABC:CPO"), which has an endpoint at `peer`.
    pub async fn platform(&self, party: &str, peer: &Peer) -> Platform {
        self.platform_with(party, peer, json!({}), "2.2.1").await
    }

    pub async fn platform_with(&self, spec: &str, peer: &Peer, options: Value, version: &str) -> Platform {
        let (id, token) = (Uuid::now_v7().to_string(), format!("tw-{}", Uuid::new_v4()));
        let (party, role) = spec.split_once(':').unwrap();
        let party = PartyId::from_slash(party).unwrap();
        let row = |status: &str| PartyRow {
            platform_id: id.clone(),
            country_code: party.country_code().into(),
            party_id: party.party_id().into(),
            role: role.into(),
            name: spec.into(),
            business_details: None,
            status: status.into(),
            updated_at: self.clock.now(),
        };
        let store = &self.hub.store;
        let new = NewPlatform {
            id: id.clone(),
            name: spec.into(),
            options: options.to_string(),
            parties: vec![row("PLANNED")],
            token: None,
            created_at: self.clock.now(),
        };
        store.platform_create(new).await.unwrap();
        let endpoints = json!([
            {"identifier": "commands", "role": "RECEIVER", "url": peer.url("/cmd//x/?tenant=1")},
            {"identifier": "locations", "role": "SENDER", "url": peer.url("/loc/?tenant=1")},
        ]);
        let change = PlatformChange {
            id: id.clone(),
            status: Some("CONNECTED".into()),
            version: Some(version.into()),
            versions_url: Some(peer.url("/versions")),
            token_out: Some(Some(format!("token of {spec}"))),
            token_form: Some("base64".into()),
            endpoints: Some(endpoints.to_string()),
            parties: Some(vec![row("CONNECTED")]),
            tokens: Some(vec![self.token_row(&id, &token)]),
            ..PlatformChange::default()
        };
        self.change(change).await;
        let id = PlatformId::from(id.as_str());
        Platform { id, party, token }
    }

    /// Both sides get new tokens, as after PUT credentials.
    pub async fn rotate(&self, platform: &mut Platform, token_out: &str) {
        platform.token = format!("tw-{}", Uuid::new_v4());
        self.change(PlatformChange {
            id: platform.id.as_str().into(),
            token_out: Some(Some(token_out.into())),
            tokens: Some(vec![self.token_row(platform.id.as_str(), &platform.token)]),
            ..PlatformChange::default()
        })
        .await;
    }

    /// What the operator does to a platform.
    pub async fn set(&self, platform: &Platform, status: &str) {
        self.change(PlatformChange {
            id: platform.id.as_str().into(),
            status: Some(status.into()),
            ..PlatformChange::default()
        })
        .await;
    }

    async fn change(&self, change: PlatformChange) {
        self.hub.store.platform_change(change).await.unwrap();
        self.hub.parties.reload().await.unwrap();
    }

    fn token_row(&self, platform: &str, token: &str) -> TokenRow {
        TokenRow {
            hash: tokens::hash_hex(token),
            platform_id: platform.into(),
            kind: "current".into(),
            expires_at: None,
            created_at: self.clock.now(),
        }
    }

    /// Lends an answer's address as the hall does for a command or profile of `requester` to `receiver`.
    pub async fn lend(
        &self,
        kind: &Kind,
        url: &str,
        requester: &Platform,
        receiver: &Platform,
    ) -> Result<LentAnswer, Failure> {
        let snapshot = self.hub.parties.snapshot();
        let lending = Lending {
            object: "S 1",
            kind,
            url,
            between: Between {
                requester: &snapshot.directory().platform(&requester.id).unwrap(),
                requester_party: &requester.party,
                receiver: &snapshot.directory().platform(&receiver.id).unwrap(),
                receiver_party: &receiver.party,
            },
        };
        self.hub.links.lend_answer(lending).await
    }

    /// Lends a next page as the hall does for a list `requester` asked `receiver` for.
    pub async fn lend_page(&self, next: &str, asked: &str, requester: &Platform, receiver: &Platform) -> String {
        let snapshot = self.hub.parties.snapshot();
        let lending = PageLending {
            module: "locations",
            next,
            asked,
            between: Between {
                requester: &snapshot.directory().platform(&requester.id).unwrap(),
                requester_party: &requester.party,
                receiver: &snapshot.directory().platform(&receiver.id).unwrap(),
                receiver_party: &receiver.party,
            },
        };
        self.hub.links.lend_page(lending).await.unwrap()
    }

    pub async fn post(&self, by: &Platform, url: &str, headers: &[(&str, &str)], body: &str) -> Heard {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend(headers);
        self.ask(by, Method::POST, url, &all, Some(body)).await
    }

    pub async fn get(&self, by: &Platform, url: &str, headers: &[(&str, &str)]) -> Heard {
        self.ask(by, Method::GET, url, headers, None).await
    }

    pub async fn ask(
        &self,
        by: &Platform,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Heard {
        let mut all = vec![("Authorization".to_owned(), authorization(&by.token, TokenForm::Base64))];
        let more = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        all.extend(more);
        Heard::of(self.send(method, url, all, body).await)
    }

    pub async fn send(&self, method: Method, url: &str, headers: Vec<(String, String)>, body: Option<&str>) -> Answer {
        let outgoing = Outgoing {
            method,
            url: url.to_owned(),
            headers,
            body: body.map(|body| body.to_owned().into()),
            timeout: Duration::from_secs(60),
            allowed_hosts: None,
        };
        match self.http.send(outgoing).await {
            Outcome::Answered(answer) => answer,
            other => panic!("{url}: {other}"),
        }
    }

    /// The octets of a POST on a bare connection, for callers who hang up, and where to write them.
    pub fn raw_post(&self, by: &Platform, url: &str, body: &str) -> (String, String) {
        let host = self.hub.url.trim_start_matches("http://").to_owned();
        let (path, token) = (&url[self.hub.url.len()..], authorization(&by.token, TokenForm::Base64));
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        (host, request)
    }
}

impl Heard {
    pub fn of(answer: Answer) -> Heard {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        Heard {
            http: answer.status,
            code: json["status_code"].as_u64().unwrap_or(0),
            message: json["status_message"].as_str().unwrap_or_default().to_owned(),
            answer,
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.answer.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.header(name)
    }

    /// The next page, from the `Link` header.
    pub fn next(&self) -> Option<String> {
        truewatt::ocpi::page::next_of(self.header("link")?)
    }

    /// `to` and `from` of the answer, as `DE/ABC > NL/EMS`.
    pub fn parties(&self) -> String {
        parties(|name| self.header(name))
    }
}

/// From whom to whom, according to headers.
pub fn parties<'h>(header: impl Fn(&str) -> Option<&'h str>) -> String {
    let part = |name: &str| header(name).unwrap_or("-").to_owned();
    format!(
        "{}/{} > {}/{}",
        part("ocpi-from-country-code"),
        part("ocpi-from-party-id"),
        part("ocpi-to-country-code"),
        part("ocpi-to-party-id")
    )
}

async fn start(database: &str, bind: &str, clock: Arc<ManualClock>) -> Running {
    let file = format!(
        "[server]\nbind = \"{bind}\"\npublic_url = \"http://{bind}\"\n[database]\nurl = \"{database}\"\n\
         [operator]\ntoken = \"operator-token\"\n[outbound]\nallow_http = true\nallow_private_networks = true\n"
    );
    let config = Config::from_parts(Some(&file), &HashMap::new()).unwrap();
    Hub::start(config, clock).await.unwrap()
}

/// A database of its own on the server of `TRUEWATT_TEST_POSTGRES`.
async fn fresh_postgres() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the test server is, only the environment knows"
    )]
    let Ok(server) = std::env::var("TRUEWATT_TEST_POSTGRES") else {
        println!("skipped on PostgreSQL: TRUEWATT_TEST_POSTGRES is not set");
        return None;
    };
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let name = format!("links_{}", Uuid::new_v4().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{name}"))
}
