//! A hub on a database of its own, and the hands of its operator and of its peers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use truewatt::cli::serve::{Hub, Running};
use truewatt::client::{Http, HttpSettings, Outcome, Outgoing};
use truewatt::clock::ManualClock;
use truewatt::config::Config;
use uuid::Uuid;

/// Tells each story on every database.
macro_rules! stories {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: World) $story:block)*) => {
        $($(#[$doc])* async fn $name($world: $crate::world::World) $story)*

        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::world::World::on_sqlite().await).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = $crate::world::World::on_postgres().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}

/// A hub and where it keeps things.
pub struct World {
    pub hub: Option<Running>,
    pub clock: Arc<ManualClock>,
    pub url: String,
    settings: String,
    database: Database,
    http: Http,
}

enum Database {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, name: String },
}

/// An answer, read.
#[derive(Debug)]
pub struct Said {
    pub http: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
    pub text: String,
}

const OPERATOR: &str = "operator-token-of-the-tests";

impl World {
    pub async fn on_sqlite() -> World {
        World::start(Database::Sqlite(tempfile::tempdir().unwrap()), OPEN).await
    }

    /// `None`, and a line that says so, where there is no PostgreSQL.
    #[allow(clippy::disallowed_methods, reason = "the test run says where PostgreSQL is")]
    pub async fn on_postgres() -> Option<World> {
        let Ok(server) = std::env::var("TRUEWATT_TEST_POSTGRES") else {
            eprintln!("skipped on PostgreSQL: TRUEWATT_TEST_POSTGRES names no server");
            return None;
        };
        let name = format!("truewatt_{}", Uuid::new_v4().simple());
        let database = Database::Postgres { server, name };
        database.execute(|name| format!("CREATE DATABASE {name}")).await;
        Some(World::start(database, OPEN).await)
    }

    async fn start(database: Database, settings: &str) -> World {
        let clock = ManualClock::at("2026-11-21T10:00:00Z".parse::<DateTime<Utc>>().unwrap());
        let mut world = World {
            hub: None,
            clock,
            url: String::new(),
            settings: settings.to_owned(),
            database,
            http: client(),
        };
        world.wake().await;
        world
    }

    /// Starts the hub, again if need be.
    async fn wake(&mut self) {
        let hub = Hub::start(self.config(), self.clock.clone()).await.unwrap();
        self.url = hub.url.clone();
        self.hub = Some(hub);
    }

    /// Stops the hub and starts it on the same database and the same port.
    pub async fn restart(&mut self) {
        let port = self.url.rsplit(':').next().unwrap().to_owned();
        self.hub.take().unwrap().stop().await;
        self.settings = self.settings.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
        self.wake().await;
    }

    /// The same database under stricter or looser settings.
    pub async fn restart_with(&mut self, settings: &str) {
        self.hub.take().unwrap().stop().await;
        self.settings = settings.to_owned();
        self.wake().await;
    }

    /// A second hub on the same database.
    pub async fn second_hub(&self) -> Running {
        Hub::start(self.config(), self.clock.clone()).await.unwrap()
    }

    /// The same, behind the same address: two processes of one hub.
    pub async fn twin(&self) -> Running {
        let settings = self.settings.replace(
            "public_url = \"http://127.0.0.1:0\"",
            &format!("public_url = {:?}", self.url),
        );
        Hub::start(self.config_of(&settings), self.clock.clone()).await.unwrap()
    }

    fn config(&self) -> Config {
        self.config_of(&self.settings)
    }

    fn config_of(&self, settings: &str) -> Config {
        let database = self.database.url();
        let environment = HashMap::from([("TRUEWATT__DATABASE__URL".to_owned(), database)]);
        Config::from_parts(Some(settings), &environment).unwrap()
    }

    pub fn hub(&self) -> &Running {
        self.hub.as_ref().unwrap()
    }

    /// One request; headers as given.
    pub async fn send(&self, method: Method, url: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Said {
        let outgoing = Outgoing {
            method: method.word(),
            url: url.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.map(Bytes::copy_from_slice),
            timeout: Duration::from_secs(30),
            allowed_hosts: None,
        };
        match self.http.send(outgoing).await {
            Outcome::Answered(answer) => Said {
                http: answer.status,
                body: serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
                text: String::from_utf8_lossy(&answer.body).into_owned(),
                headers: answer.headers,
            },
            other => panic!("{url}: {}", other),
        }
    }

    /// A request of a peer, its token in Base64.
    pub async fn ocpi(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Said {
        let authorization = format!("Token {}", STANDARD.encode(token));
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = body.map(|body| body.to_string());
        let headers = if body.is_some() { &headers[..] } else { &headers[..1] };
        self.send(
            method,
            &format!("{}{path}", self.url),
            headers,
            body.as_deref().map(str::as_bytes),
        )
        .await
    }

    /// A request of the operator.
    pub async fn operator(&self, method: Method, path: &str, body: Option<Value>) -> Said {
        let authorization = format!("Bearer {OPERATOR}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = body.map(|body| body.to_string());
        let headers = if body.is_some() { &headers[..] } else { &headers[..1] };
        let url = format!("{}/operator/v1{path}", self.url);
        self.send(method, &url, headers, body.as_deref().map(str::as_bytes))
            .await
    }

    /// Lists a platform; its id and TOKEN_A.
    pub async fn plan(&self, parties: Value) -> (String, String) {
        self.plan_with(parties, json!({})).await
    }

    pub async fn plan_with(&self, parties: Value, options: Value) -> (String, String) {
        let wish = json!({"name": "A platform", "parties": parties, "options": options});
        let said = self.operator(Method::Post, "/platforms", Some(wish)).await;
        assert_eq!(said.http, 201, "{said:?}");
        (said.text("/id"), said.text("/token_a"))
    }

    pub async fn platform(&self, id: &str) -> Value {
        let said = self.operator(Method::Get, &format!("/platforms/{id}"), None).await;
        assert_eq!(said.http, 200, "{said:?}");
        said.body
    }

    pub async fn status(&self, id: &str) -> String {
        self.platform(id).await["status"].as_str().unwrap().to_owned()
    }

    /// The states of a party's roles, as `CPO CONNECTED`.
    pub async fn roles(&self, party: &str) -> Vec<String> {
        let said = self.operator(Method::Get, "/parties?limit=1000", None).await;
        let items = said.body["items"].as_array().unwrap().clone();
        let named = items.iter().filter(|item| {
            format!(
                "{}/{}",
                item["country_code"].as_str().unwrap(),
                item["party_id"].as_str().unwrap()
            ) == party
        });
        named
            .map(|item| {
                format!(
                    "{} {}",
                    item["role"].as_str().unwrap(),
                    item["status"].as_str().unwrap()
                )
            })
            .collect()
    }

    /// Whether a text stands anywhere in the database, whatever the table.
    pub async fn has_written(&self, text: &str) -> bool {
        self.database.contains(text).await
    }

    /// Waits until something holds; ten seconds of real time at most.
    pub async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&World) -> bool) {
        for _ in 0..200 {
            if holds(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("did not happen within ten seconds: {what}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(hub) = self.hub.take() else { return };
        let Database::Postgres { server, name } = &self.database else {
            return;
        };
        let (server, name) = (server.clone(), name.clone());
        let drop_database = async move {
            hub.stop().await;
            let database = Database::Postgres { server, name };
            database
                .execute(|name| format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                .await;
        };
        // A panicking test cleans up as well, so this must not depend on the runtime it fails in.
        let cleaner = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(drop_database);
        });
        let _ = cleaner.join();
    }
}

impl Database {
    fn url(&self) -> String {
        match self {
            Database::Sqlite(folder) => {
                format!("sqlite://{}", folder.path().join("hub.db").display())
            }
            Database::Postgres { server, name } => {
                format!("{}/{name}", server.rsplit_once('/').unwrap().0)
            }
        }
    }

    async fn contains(&self, text: &str) -> bool {
        match self {
            Database::Sqlite(folder) => std::fs::read_dir(folder.path()).unwrap().any(|file| {
                let octets = std::fs::read(file.unwrap().path()).unwrap();
                octets.windows(text.len()).any(|some| some == text.as_bytes())
            }),
            Database::Postgres { server, name } => {
                let database = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
                let (client, connection) = tokio_postgres::connect(&database, tokio_postgres::NoTls).await.unwrap();
                let connected = tokio::spawn(connection);
                let all = "SELECT database_to_xml(true, false, '')::text";
                let rows = client.query(all, &[]).await.unwrap();
                drop(client);
                let _ = connected.await;
                rows[0].get::<_, String>(0).contains(text)
            }
        }
    }

    async fn execute(&self, statement: impl Fn(&str) -> String) {
        let Database::Postgres { server, name } = self else {
            return;
        };
        let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
        let connected = tokio::spawn(connection);
        client.batch_execute(&statement(name)).await.unwrap();
        drop(client);
        let _ = connected.await;
    }
}

impl Said {
    /// A text in the body, by JSON pointer.
    pub fn text(&self, pointer: &str) -> String {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer} in {self:?}"))
            .to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// HTTP status and OCPI status code, of an answer that has the whole envelope.
    #[track_caller]
    pub fn outcome(&self) -> (u16, i64) {
        let code = self.body["status_code"].as_i64();
        let stamped = self.body["timestamp"].as_str().is_some_and(|at| at.ends_with('Z'));
        assert!(
            stamped
                && self
                    .header("Content-Type")
                    .is_some_and(|it| it.starts_with("application/json")),
            "{self:?}"
        );
        (self.http, code.unwrap_or_else(|| panic!("no envelope: {self:?}")))
    }

    #[track_caller]
    pub fn message(&self) -> String {
        self.text("/status_message")
    }
}

/// The methods, short enough to be read in passing.
#[derive(Clone, Copy, Debug)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn word(self) -> truewatt::client::Method {
        use truewatt::client::Method as Word;
        match self {
            Method::Get => Word::GET,
            Method::Post => Word::POST,
            Method::Put => Word::PUT,
            Method::Patch => Word::PATCH,
            Method::Delete => Word::DELETE,
        }
    }
}

/// A client that may go anywhere.
pub fn client() -> Http {
    Http::new(HttpSettings {
        connect: Duration::from_secs(3),
        allow_http: true,
        allow_private_networks: true,
        max_body: 50 * 1024 * 1024,
        user_agent: "neighbour".to_owned(),
    })
    .unwrap()
}

/// Ports of the system's choice, short deadlines, everything on this machine.
pub const OPEN: &str = r#"
[server]
bind = "127.0.0.1:0"
public_url = "http://127.0.0.1:0"
[operator]
token = "operator-token-of-the-tests"
[outbound]
allow_http = true
allow_private_networks = true
[timeouts]
connect_s = 1
relay_s = 2
[presence]
check_interval_s = 5
"#;

/// The same with the address guard on.
pub const GUARDED: &str = r#"
[server]
bind = "127.0.0.1:0"
public_url = "http://127.0.0.1:0"
[operator]
token = "operator-token-of-the-tests"
"#;

/// One party with one role, as an operator lists it.
pub fn cpo() -> Value {
    json!([{"country_code": "DE", "party_id": "ABC", "roles": ["CPO"], "name": "ABC Laden"}])
}
