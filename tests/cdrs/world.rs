//! A hub on a database of its own, and the platforms around it, registered without the handshake (which has its own tests).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use truewatt::cli::serve::{Hub, Running};
use truewatt::client::{Answer, Http, HttpSettings, Method, Outcome, Outgoing};
use truewatt::clock::{Clock, ManualClock};
use truewatt::config::Config;
use truewatt::metering::key::Curve;
use truewatt::metering::sign::SigningMeter;
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
    files: Arc<TempDir>,
}

/// A platform as the hub knows it, with the token it calls the hub with.
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
    pub location: Option<String>,
    pub answer: Answer,
}

/// The operator token of every hub here.
pub const OPERATOR: &str = "operator-token";

pub const NOON: &str = "2026-11-21T12:00:00Z";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl World {
    /// `None` where the database is not there; one line says so.
    pub async fn start(on: On, more: &str) -> Option<World> {
        let files = Arc::new(tempfile::tempdir().unwrap());
        let database = match on {
            On::Sqlite => format!("sqlite://{}", files.path().join("hub.db").display()),
            On::Postgres => fresh_postgres().await?,
        };
        let clock = ManualClock::at(at(NOON));
        Some(World::on(database, "http://127.0.0.1:0", more, clock, files).await)
    }

    /// A hub that says it is at an address where nobody answers.
    pub async fn start_unreachable(on: On) -> Option<World> {
        let files = Arc::new(tempfile::tempdir().unwrap());
        let database = match on {
            On::Sqlite => format!("sqlite://{}", files.path().join("hub.db").display()),
            On::Postgres => fresh_postgres().await?,
        };
        let clock = ManualClock::at(at(NOON));
        Some(World::on(database, "http://127.0.0.1:9", "", clock, files).await)
    }

    /// A statement behind the hub's back.
    pub async fn execute(&self, sql: &str) {
        use diesel::Connection;
        use diesel::connection::SimpleConnection;
        match self.database.strip_prefix("sqlite://") {
            Some(path) => {
                let mut connection = diesel::SqliteConnection::establish(path).unwrap();
                connection
                    .batch_execute(&format!("PRAGMA busy_timeout = 5000; {sql}"))
                    .unwrap();
            }
            None => {
                let (client, connection) = tokio_postgres::connect(&self.database, tokio_postgres::NoTls)
                    .await
                    .unwrap();
                let driver = tokio::spawn(connection);
                client.batch_execute(sql).await.unwrap();
                drop(client);
                let _ = driver.await;
            }
        }
    }

    /// The address the hub is bound to, whatever it says of itself.
    pub async fn anybody(&self, path: &str) -> Heard {
        let url = format!("{}{path}", self.hub.url);
        Heard::of(self.send(Method::GET, &url, Vec::new(), None).await)
    }

    /// A second process on the same database.
    pub async fn beside(&self) -> World {
        World::on(
            self.database.clone(),
            "http://127.0.0.1:0",
            "",
            self.clock.clone(),
            self.files.clone(),
        )
        .await
    }

    async fn on(database: String, public_url: &str, more: &str, clock: Arc<ManualClock>, files: Arc<TempDir>) -> World {
        let file = format!(
            "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"{public_url}\"\n[database]\nurl = \"{database}\"\n\
             [operator]\ntoken = \"{OPERATOR}\"\n[outbound]\nallow_http = true\nallow_private_networks = true\n\
             [paging]\nmax_limit = 5\n{more}"
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
            files,
        }
    }

    /// A platform with these parties ("DE/ABC:CPO"), reachable at `peer` where it has a CDR RECEIVER interface.
    pub async fn platform(&self, parties: &[&str], peer: Option<&Peer>) -> Platform {
        self.platform_with(parties, peer, json!({}), "2.2.1").await
    }

    pub async fn platform_with(
        &self,
        parties: &[&str],
        peer: Option<&Peer>,
        options: Value,
        version: &str,
    ) -> Platform {
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
        let endpoints = match peer {
            Some(peer) => {
                json!([{"identifier": "cdrs", "role": "RECEIVER", "url": peer.url("/in/box?tenant=1")}])
            }
            None => json!([]),
        };
        let store = &self.hub.store;
        store
            .platform_create(NewPlatform {
                id: id.clone(),
                name: parties.join(" "),
                options: options.to_string(),
                parties: parties.iter().map(|spec| row(spec, "PLANNED")).collect(),
                token: None,
                created_at: now,
            })
            .await
            .unwrap();
        let versions_url = peer.map_or("http://127.0.0.1:9/versions".to_owned(), |peer| peer.url("/versions"));
        store
            .platform_change(PlatformChange {
                id: id.clone(),
                status: Some("CONNECTED".into()),
                version: Some(version.into()),
                versions_url: Some(versions_url),
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

    pub async fn post(&self, by: &Platform, body: &str) -> Heard {
        self.post_with(by, &[], body, "2.2.1").await
    }

    pub async fn post_with(&self, by: &Platform, headers: &[(&str, &str)], body: &str, version: &str) -> Heard {
        let url = format!("{}/ocpi/{version}/receiver/cdrs", self.hub.url);
        self.ask(by, Method::POST, &url, headers, Some(body.to_owned())).await
    }

    /// GET of a path or of an absolute URL.
    pub async fn get(&self, by: &Platform, place: &str, headers: &[(&str, &str)]) -> Heard {
        let url = if place.starts_with('/') {
            format!("{}{place}", self.hub.url)
        } else {
            place.to_owned()
        };
        self.ask(by, Method::GET, &url, headers, None).await
    }

    pub async fn list(&self, by: &Platform, query: &str) -> Heard {
        self.get(by, &format!("/ocpi/2.2.1/sender/cdrs{query}"), &[]).await
    }

    pub async fn ask(
        &self,
        by: &Platform,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Heard {
        let mut all = vec![("Authorization".to_owned(), authorization(&by.token, TokenForm::Base64))];
        if body.is_some() {
            all.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        all.extend(
            headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Heard::of(self.send(method, url, all, body).await)
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

    /// How the operator sees a CDR of DE/ABC.
    pub async fn cdr(&self, id: &str) -> Value {
        let (status, cdr) = self
            .operator(Method::GET, &format!("/operator/v1/cdrs/DE/ABC/{id}"), None)
            .await;
        if status == 200 { cdr } else { Value::Null }
    }

    pub async fn delivery(&self, id: &str) -> String {
        self.cdr(id).await["delivery"].as_str().unwrap_or("gone").to_owned()
    }

    /// Time passes, and the hub notices: until the CDR is in that state.
    pub async fn until_delivery(&self, id: &str, wanted: &str) {
        for _ in 0..200 {
            if self.delivery(id).await == wanted {
                return;
            }
            self.clock.advance(TimeDelta::seconds(2));
            self.hub.delivery.nudge();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{id} is {} and never became {wanted}", self.delivery(id).await);
    }

    pub async fn register(&self, meter: &SigningMeter) -> String {
        let (status, key) = self
            .operator(
                Method::POST,
                "/operator/v1/keys",
                Some(json!({
                    "public_key": hex::encode(meter.public_key().to_spki_der()),
                    "meter_serial": "M1",
                    "evse_id": "DE*ABC*E1",
                    "cpo": {"country_code": "DE", "party_id": "ABC"},
                    "valid_from": "2026-01-01T00:00:00Z",
                })),
            )
            .await;
        assert_eq!(status, 201, "{key}");
        key["id"].as_str().unwrap().to_owned()
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
            other => panic!("{url}: {}", other),
        }
    }

    /// A request on a bare connection, for callers who hang up.
    pub fn raw_post(&self, by: &Platform, body: &str) -> (String, String) {
        let token = authorization(&by.token, TokenForm::Base64);
        let host = self.hub.url.trim_start_matches("http://").to_owned();
        let request = format!(
            "POST /ocpi/2.2.1/receiver/cdrs HTTP/1.1\r\nhost: {host}\r\nauthorization: {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        (host, request)
    }
}

impl Heard {
    fn of(answer: Answer) -> Heard {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        Heard {
            http: answer.status,
            code: json["status_code"].as_u64().unwrap_or(0),
            message: json["status_message"].as_str().unwrap_or_default().to_owned(),
            location: answer.header("location").map(str::to_owned),
            answer,
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.answer.body.to_vec()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.answer.body).unwrap()
    }

    /// The ids of the CDRs on a page.
    pub fn ids(&self) -> Vec<String> {
        let json = self.json();
        json["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cdr| cdr["id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.header(name)
    }

    /// The next page, from the `Link` header.
    pub fn next(&self) -> Option<String> {
        truewatt::ocpi::page::next_of(self.header("link")?)
    }
}

pub fn meter(seed: &str) -> SigningMeter {
    SigningMeter::from_seed(Curve::Secp256r1, seed.as_bytes()).unwrap()
}

/// A CDR of DE/ABC for DE/MSP, without signed data and with spellings that a parser would lose.
pub fn plain(id: &str) -> String {
    cdr(id, "DE/MSP", "null", "")
}

/// A CDR with a begin and an end record of `meter`; `page` tells sessions of one meter apart.
pub fn signed(id: &str, meter: &SigningMeter, page: u32) -> String {
    cdr(id, "DE/MSP", &signed_data(meter, page, Some(meter)), "")
}

pub fn signed_data(meter: &SigningMeter, page: u32, delivered: Option<&SigningMeter>) -> String {
    let record = |number: u32, marker: &str, hour: u32, value: &str| {
        meter.ocmf(&format!(
            r#"{{"FV":"1.0","MS":"M1","PG":"T{number}","ID":"04AA","RD":[{{"TM":"2026-11-21T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        ))
    };
    let value = |nature: &str, record: String| json!({"nature": nature, "plain_data": "", "signed_data": record});
    let mut signed = json!({
        "encoding_method": "OCMF",
        "signed_values": [
            value("Start", record(2 * page, "B", 9, "10.000")),
            value("End", record(2 * page + 1, "E", 10, "17.500"))
        ],
    });
    if let Some(delivered) = delivered {
        signed["public_key"] = json!(hex::encode(delivered.public_key().to_spki_der()));
    }
    signed.to_string()
}

pub fn cdr(id: &str, emsp: &str, signed_data: &str, more: &str) -> String {
    let (country_code, party_id) = emsp.split_once('/').unwrap();
    format!(
        "{{ \"zz_first\" : [1, 2,3 ],\n\"country_code\":\"DE\",\"party_id\":\"ABC\",\"id\":\"{id}\",\
         \"start_date_time\":\"2026-11-21T09:00:00Z\",\"end_date_time\":\"2026-11-21T10:00:00Z\",\
         \"cdr_token\":{{\"country_code\":\"{country_code}\",\"party_id\":\"{party_id}\",\"uid\":\"04AA\",\"type\":\"RFID\",\"contract_id\":\"C1\"}},\
         \"auth_method\":\"WHITELIST\",\"cdr_location\":{{\"id\":\"L1\",\"evse_uid\":\"1\",\"evse_id\":\"DE*ABC*E1\"}},\
         \"meter_id\":\"M1\",\"currency\":\"EUR\",\"total_cost\":{{\"excl_vat\":0.10000000000000000001}},\
         \"signed_data\":{signed_data},\"total_energy\":7.500,{more}\"last_updated\":\"2026-11-21T10:00:01Z\"}}\n"
    )
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
    let name = format!("cdrs_{}", Uuid::new_v4().simple());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{name}"))
}
