//! The hub: the real program in a process of its own, and the operator at its keyboard.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::metering::key::Curve;
use truewatt::ocpi::ids::PartyId;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::cpo::SandboxCpo;
use truewatt::sandbox::wire::Response;
use truewatt::sandbox::{Plan, SandboxEmsp, SandboxMeter, SandboxParty};

use super::{Database, clock, key_registration, now, party, plain_http};

/// What opens the operator API.
pub const OPERATOR_TOKEN: &str = "story-operator-token-1f6c2a";

/// Long enough for a debug build on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A hub under test. Dropping it kills the process.
pub struct Hub {
    /// `http://127.0.0.1:…`
    pub url: String,
    port: u16,
    environment: Vec<(String, String)>,
    directory: std::path::PathBuf,
    process: Arc<Mutex<Option<Child>>>,
}

/// Whether a new operator's meter key is registered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Registered,
    Unknown,
}

impl Hub {
    /// Starts a hub on a database and waits until it is ready.
    pub async fn start(database: &Database) -> Hub {
        Hub::start_with(database, &[]).await
    }

    /// The same with settings: `("metering.invalid_cdrs", "hold")`.
    pub async fn start_with(database: &Database, settings: &[(&str, &str)]) -> Hub {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let bind = format!("127.0.0.1:{port}");
        let standard = [
            ("server.bind", bind.as_str()),
            ("server.public_url", url.as_str()),
            ("database.url", database.url.as_str()),
            ("operator.token", OPERATOR_TOKEN),
            ("outbound.allow_http", "true"),
            ("outbound.allow_private_networks", "true"),
            ("timeouts.connect_s", "1"),
            ("timeouts.relay_s", "2"),
            ("duties.lease_s", "3"),
            ("duties.first_retry_s", "1"),
            ("duties.max_retry_s", "2"),
            ("presence.check_interval_s", "1"),
        ];
        let environment = standard
            .iter()
            .chain(settings)
            .map(|(key, value)| {
                (
                    format!("TRUEWATT__{}", key.to_uppercase().replace('.', "__")),
                    (*value).to_owned(),
                )
            })
            .collect();
        let hub = Hub {
            url,
            port,
            environment,
            directory: database.directory().to_owned(),
            process: Arc::new(Mutex::new(None)),
        };
        hub.restart().await;
        hub
    }

    /// Starts the process again after [`Hub::kill`]; the database is what it was.
    pub async fn restart(&self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_truewatt"))
            .arg("serve")
            .current_dir(&self.directory)
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        *self.process.lock().unwrap() = Some(child);
        let started = Instant::now();
        while !self.is_ready().await {
            let ended = self
                .process
                .lock()
                .unwrap()
                .as_mut()
                .and_then(|child| child.try_wait().unwrap());
            if ended.is_some() || started.elapsed() > READY_WITHIN {
                panic!("the hub did not get ready ({ended:?}); it said:\n{}", self.said());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_ready(&self) -> bool {
        if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            return false;
        }
        plain_http::send("GET", &format!("{}/health/ready", self.url), &[], b"")
            .await
            .status
            == 200
    }

    /// `kill -9`, now; returns when the process is gone.
    pub fn kill(&self) {
        (self.killer())();
    }

    /// What kills the process when called, from any thread, also in the middle of somebody's answer.
    pub fn killer(&self) -> Arc<dyn Fn() + Send + Sync> {
        let process = Arc::clone(&self.process);
        Arc::new(move || {
            if let Some(mut child) = process.lock().unwrap().take() {
                child.kill().unwrap();
                child.wait().unwrap();
            }
        })
    }

    /// The number of the process.
    #[allow(dead_code, reason = "for stories that harm it from outside")]
    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap().as_ref().unwrap().id()
    }

    /// Whether the process still runs.
    pub fn runs(&self) -> bool {
        self.process
            .lock()
            .unwrap()
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// SIGTERM; returns the exit code.
    pub async fn stop(&self) -> Option<i32> {
        let mut child = self.process.lock().unwrap().take()?;
        assert!(
            Command::new("kill")
                .arg("-TERM")
                .arg(child.id().to_string())
                .status()
                .unwrap()
                .success()
        );
        tokio::task::spawn_blocking(move || child.wait().unwrap().code())
            .await
            .unwrap()
    }

    /// Everything the process wrote.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> std::path::PathBuf {
        self.directory.join("hub.log")
    }

    // -- the operator ---------------------------------------------------------------------------------------------------------

    /// A call of the operator API; the answer's status and document (`null` without one).
    pub async fn operator(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.ask(method, path, body).await;
        (
            answer.status,
            serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
        )
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        let authorization = format!("Bearer {OPERATOR_TOKEN}");
        let mut headers = vec![("authorization", authorization.as_str())];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let octets = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        plain_http::send(method, &format!("{}/operator/v1{path}", self.url), &headers, &octets).await
    }

    /// The same, for a call that must succeed.
    pub async fn operator_ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, document) = self.operator(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {document}");
        document
    }

    /// Creates a platform for these parties; the answer has `id`, `token_a`, `versions_url`.
    pub async fn plan_platform(&self, name: &str, parties: &[(PartyId, Role)], options: Value) -> Value {
        let parties: Vec<Value> = parties
            .iter()
            .map(|(party, role)| {
                json!({"country_code": party.country_code(), "party_id": party.party_id(), "roles": [role.as_str()], "name": name})
            })
            .collect();
        self.operator_ok(
            "POST",
            "/platforms",
            Some(json!({"name": name, "parties": parties, "options": options})),
        )
        .await
    }

    /// Lets a platform register with the real handshake; returns the hub's id of it.
    pub async fn admit(&self, platform: &SandboxParty, options: Value) -> String {
        let plan = platform.plan();
        let created = self.plan_platform(&plan.name, &plan.parties, options).await;
        platform
            .register_at(
                created["versions_url"].as_str().unwrap(),
                created["token_a"].as_str().unwrap(),
            )
            .await
            .unwrap_or_else(|error| panic!("{error}; the hub said:\n{}", self.said()));
        created["id"].as_str().unwrap().to_owned()
    }

    /// An operator, registered, its meter's key too.
    pub async fn cpo(&self, id: &str) -> SandboxCpo {
        self.cpo_with(id, Keys::Registered).await
    }

    /// An operator, registered; its meter's key as said.
    pub async fn cpo_with(&self, id: &str, keys: Keys) -> SandboxCpo {
        let cpo = SandboxCpo::start(&format!("CPO {id}"), party(id), clock())
            .await
            .unwrap();
        self.admit(&cpo.platform, json!({})).await;
        if keys == Keys::Registered {
            self.register_key(&cpo.meter, &cpo.party).await;
        }
        cpo
    }

    /// A provider, registered.
    pub async fn emsp(&self, id: &str) -> SandboxEmsp {
        self.emsp_with(id, json!({})).await.0
    }

    /// A provider whose platform has options; with the hub's id of the platform.
    pub async fn emsp_with(&self, id: &str, options: Value) -> (SandboxEmsp, String) {
        self.emsp_of(Plan::emsp(&format!("eMSP {id}"), party(id)), options)
            .await
    }

    /// A provider of any plan; its first party is the provider.
    pub async fn emsp_of(&self, plan: Plan, options: Value) -> (SandboxEmsp, String) {
        let id = plan.parties[0].0.clone();
        let emsp = SandboxEmsp::with(plan, id, clock()).await.unwrap();
        let platform = self.admit(&emsp.platform, options).await;
        (emsp, platform)
    }

    /// Registers a meter's key for the EVSE it is built into, valid for the last thirty days.
    pub async fn register_key(&self, meter: &SandboxMeter, cpo: &PartyId) -> Value {
        let registration = key_registration(meter, cpo, now() - TimeDelta::days(30));
        self.operator_ok("POST", "/keys", Some(registration)).await
    }

    /// What the operator sees of a CDR.
    pub async fn cdr(&self, cpo: &PartyId, id: &str) -> Value {
        self.operator_ok(
            "GET",
            &format!("/cdrs/{}/{}/{id}", cpo.country_code(), cpo.party_id()),
            None,
        )
        .await
    }

    /// The body of a CDR as the operator's document holds it, octet by octet.
    pub async fn cdr_body(&self, cpo: &PartyId, id: &str) -> String {
        #[derive(serde::Deserialize)]
        struct Document {
            body: Box<serde_json::value::RawValue>,
        }
        let path = format!("/cdrs/{}/{}/{id}", cpo.country_code(), cpo.party_id());
        let answer = self.ask("GET", &path, None).await;
        assert_eq!(answer.status, 200, "{path}");
        serde_json::from_slice::<Document>(&answer.body)
            .unwrap()
            .body
            .get()
            .to_owned()
    }

    /// Every CDR the hub keeps, as the operator's list shows them, all pages.
    pub async fn cdrs(&self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut path = "/cdrs?limit=1000".to_owned();
        loop {
            let page = self.operator_ok("GET", &path, None).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else {
                return items;
            };
            path = format!("/cdrs?limit=1000&cursor={cursor}");
        }
    }

    /// Waits until a CDR's delivery has this word; fails after fifteen seconds.
    pub async fn wait_for_delivery(&self, cpo: &PartyId, id: &str, word: &str) {
        let started = Instant::now();
        loop {
            let seen = self.cdr(cpo, id).await["delivery"].clone();
            if seen == word {
                return;
            }
            assert!(
                started.elapsed() < Duration::from_secs(15),
                "{id} is {seen}, not {word}; the hub said:\n{}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the hub said:\n{}", self.said());
        }
    }
}

/// A meter that nobody has registered, at this EVSE.
pub fn foreign_meter(serial: &str, evse_id: &str) -> SandboxMeter {
    SandboxMeter::generate(serial, evse_id, Curve::Secp256r1).unwrap()
}

/// A port below the range the system hands out by itself, so that nobody gets it while the hub is being restarted.
fn free_port() -> u16 {
    loop {
        let port = 18_000 + u16::try_from(super::random_below(14_000)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
