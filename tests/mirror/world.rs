//! A hub on a database of its own, and the platforms around it, registered without the handshake (which has its own tests).

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
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::parties::tokens;
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
    more: String,
    files: Arc<TempDir>,
}

/// A platform as the hub knows it, with the token it calls the hub with.
#[derive(Clone)]
pub struct Platform {
    pub id: String,
    token: String,
}

/// What the hub answered.
#[derive(Clone, Debug)]
pub struct Heard {
    pub http: u16,
    pub code: u64,
    pub message: String,
    pub answer: Answer,
}

pub const NOON: &str = "2026-11-21T12:00:00Z";
pub const HUB: &str = "DE/TWH";
const OPERATOR: &str = "operator-token";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What of a module a platform offers: `locations:SENDER`.
pub type Offers<'a> = &'a [(&'a str, &'a str)];

pub const RECEIVES: Offers = &[
    ("locations", "RECEIVER"),
    ("tariffs", "RECEIVER"),
    ("tokens", "RECEIVER"),
    ("sessions", "RECEIVER"),
];
pub const SENDS: Offers = &[("locations", "SENDER"), ("tariffs", "SENDER"), ("tokens", "SENDER")];

impl World {
    /// `None` where the database is not there; one line says so.
    pub async fn start(on: On, more: &str) -> Option<World> {
        let files = Arc::new(tempfile::tempdir().unwrap());
        let database = match on {
            On::Sqlite => format!("sqlite://{}", files.path().join("hub.db").display()),
            On::Postgres => fresh_postgres().await?,
        };
        Some(World::on(database, more, ManualClock::at(at(NOON)), files).await)
    }

    /// A second process on the same database.
    pub async fn beside(&self) -> World {
        World::on(
            self.database.clone(),
            &self.more,
            self.clock.clone(),
            self.files.clone(),
        )
        .await
    }

    async fn on(database: String, more: &str, clock: Arc<ManualClock>, files: Arc<TempDir>) -> World {
        let file = format!(
            "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:0\"\n[database]\nurl = \"{database}\"\n\
             [operator]\ntoken = \"{OPERATOR}\"\n[outbound]\nallow_http = true\nallow_private_networks = true\n{more}"
        );
        let config = Config::from_parts(Some(&file), &HashMap::new()).unwrap();
        let hub = Hub::start(config, clock.clone()).await.unwrap();
        let http = Http::new(HttpSettings {
            connect: Duration::from_secs(3),
            allow_http: true,
            allow_private_networks: true,
            max_body: 50_000_000,
            user_agent: "test".into(),
        });
        World {
            hub,
            clock,
            http: http.unwrap(),
            database,
            more: more.to_owned(),
            files,
        }
    }

    /// A platform with these parties ("DE/ABC:CPO"), reachable at `peer` under irregular URLs.
    pub async fn platform(&self, parties: &[&str], peer: Option<(&Peer, Offers<'_>)>) -> Platform {
        let endpoints = peer.map_or(Vec::new(), |(peer, offers)| {
            let irregular = |(number, (module, role)): (usize, &(&str, &str))| {
                let form = ["/q7x/{}/?tenant=1", "/{}-zz/", "/a/{}.do?k=%20v"][number % 3];
                let word = format!("{}{}", &module[..3], &role[..1]).to_lowercase();
                json!({"identifier": module, "role": role, "url": peer.url(&form.replace("{}", &word))})
            };
            offers.iter().enumerate().map(irregular).collect()
        });
        let versions = peer.map_or("http://127.0.0.1:9/versions".to_owned(), |(peer, _)| {
            peer.url("/versions")
        });
        self.platform_at(parties, json!(endpoints), &versions).await
    }

    pub async fn platform_at(&self, parties: &[&str], endpoints: Value, versions_url: &str) -> Platform {
        let (id, token) = (Uuid::now_v7().to_string(), format!("tw-{}", Uuid::new_v4()));
        let now = self.clock.now();
        let row = |spec: &&str, status: &str| {
            let (party, role) = spec.split_once(':').unwrap();
            let (country_code, party_id) = party.split_once('/').unwrap();
            PartyRow {
                platform_id: id.clone(),
                country_code: country_code.into(),
                party_id: party_id.into(),
                role: role.into(),
                name: party.into(),
                business_details: None,
                status: status.into(),
                updated_at: now,
            }
        };
        let store = &self.hub.store;
        store
            .platform_create(NewPlatform {
                id: id.clone(),
                name: parties.join(" "),
                options: "{}".to_owned(),
                parties: parties.iter().map(|spec| row(spec, "PLANNED")).collect(),
                token: None,
                created_at: now,
            })
            .await
            .unwrap();
        store
            .platform_change(PlatformChange {
                id: id.clone(),
                status: Some("CONNECTED".into()),
                version: Some("2.2.1".into()),
                versions_url: Some(versions_url.to_owned()),
                token_out: Some(Some("their-token".into())),
                token_form: Some("base64".into()),
                endpoints: Some(endpoints.to_string()),
                parties: Some(parties.iter().map(|spec| row(spec, "CONNECTED")).collect()),
                tokens: Some(vec![TokenRow {
                    hash: tokens::hash_hex(&token),
                    platform_id: id.clone(),
                    kind: "current".into(),
                    expires_at: None,
                    created_at: now,
                }]),
                ..PlatformChange::default()
            })
            .await
            .unwrap();
        self.hub.parties.reload().await.unwrap();
        Platform { id, token }
    }

    /// A push to everybody: `receiver/locations/DE/ABC/L1`, the hub addressed.
    pub async fn push(&self, by: &Platform, method: Method, path: &str, body: &str) -> Heard {
        let headers = [("OCPI-to-country-code", "DE"), ("OCPI-to-party-id", "TWH")];
        self.ask(by, method, path, &headers, body).await
    }

    /// GET of a path or of an absolute URL, the hub addressed.
    pub async fn get(&self, by: &Platform, place: &str) -> Heard {
        self.push(by, Method::GET, place, "").await
    }

    pub async fn ask(&self, by: &Platform, method: Method, place: &str, headers: &[(&str, &str)], body: &str) -> Heard {
        let url = if place.starts_with("http") {
            place.to_owned()
        } else {
            format!("{}/ocpi/2.2.1/{place}", self.hub.url)
        };
        let mut all = vec![("Authorization".to_owned(), authorization(&by.token, TokenForm::Base64))];
        if !body.is_empty() {
            all.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        all.extend(
            headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let body = (!body.is_empty()).then(|| body.to_owned());
        Heard::of(self.send(method, &url, all, body).await)
    }

    /// The operator API: status and JSON.
    pub async fn operator(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut headers = vec![("Authorization".to_owned(), format!("Bearer {OPERATOR}"))];
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let url = format!("{}{path}", self.hub.url);
        let answer = self
            .send(method, &url, headers, body.map(|body| body.to_string()))
            .await;
        (
            answer.status,
            serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
        )
    }

    async fn send(&self, method: Method, url: &str, headers: Vec<(String, String)>, body: Option<String>) -> Answer {
        let outgoing = Outgoing {
            method,
            url: url.to_owned(),
            headers,
            body: body.map(Into::into),
            timeout: Duration::from_secs(60),
            allowed_hosts: None,
        };
        match self.http.send(outgoing).await {
            Outcome::Answered(answer) => answer,
            other => panic!("{url}: {other}"),
        }
    }

    /// On PostgreSQL: until the answer is dropped, nobody else reads or writes anything.
    pub async fn lock_every_table(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.database, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let tables = "SELECT string_agg(format('%I', tablename), ',') FROM pg_tables WHERE schemaname = 'public'";
        let tables: String = client.query_one(tables, &[]).await.unwrap().get(0);
        let lock = format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE");
        client.batch_execute(&lock).await.unwrap();
        client
    }

    /// Nobody is there any more, as two calls in a row found out.
    pub fn goes_away(&self, platform: &Platform) {
        for _ in 0..2 {
            self.hub.parties.presence().unreachable(&platform.id.as_str().into());
        }
    }

    /// Waits until something is so, for half a minute.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, mut is_so: impl FnMut() -> F) {
        for _ in 0..600 {
            if is_so().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what} never came");
    }
}

impl Heard {
    fn of(answer: Answer) -> Heard {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        Heard {
            http: answer.status,
            code: json["status_code"].as_u64().unwrap_or(0),
            message: json["status_message"].as_str().unwrap_or_default().to_owned(),
            answer,
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.answer.body.to_vec()).unwrap()
    }

    /// The ids on a page.
    pub fn ids(&self) -> Vec<String> {
        let json: Value = serde_json::from_slice(&self.answer.body).unwrap();
        let objects = json["data"].as_array().unwrap_or_else(|| panic!("{json}"));
        let id = |object: &Value| object["id"].as_str().or(object["uid"].as_str()).unwrap().to_owned();
        objects.iter().map(id).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.answer.header(name).unwrap_or_default()
    }

    /// The next page, from the `Link` header.
    pub fn next(&self) -> Option<String> {
        truewatt::ocpi::page::next_of(self.answer.header("link")?)
    }
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
    let name = format!("mirror_{}", Uuid::new_v4().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{name}"))
}
