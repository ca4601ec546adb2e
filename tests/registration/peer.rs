//! A small OCPI platform: versions, details and credentials, which behaves or misbehaves as told, and remembers what it heard.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::{Method, StatusCode};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use truewatt::client::{Outcome, Outgoing};

use crate::world::Method as Ask;

use crate::world::{Said, World, client};

/// A running peer.
#[derive(Clone)]
pub struct Peer {
    pub url: String,
    state: Arc<Mutex<State>>,
    server: ServerHandle,
}

/// What the peer does and what it saw.
struct State {
    /// Tokens it accepts.
    tokens: Vec<String>,
    /// Whether it understands raw tokens only, as the first edition of 2.2.
    raw_only: bool,
    versions: Vec<&'static str>,
    roles: Value,
    /// Endpoints beside credentials.
    endpoints: Vec<Value>,
    lists_credentials: bool,
    /// Where its details and endpoints are said to be, when not here.
    elsewhere: Option<String>,
    /// What it answers instead, by the last segment of the path, once each.
    instead: VecDeque<(&'static str, Instead)>,
    heard: Vec<Heard>,
    /// A question to the hub that it asks while it is asked for its versions: URL and Authorization.
    asks_back: Option<(String, String)>,
    asked_back: Vec<u16>,
    /// The token it hands out when the hub registers with it.
    hands_out: String,
    /// Whether it fetches the hub's versions before it answers a registration.
    fetches: bool,
    fetched: Vec<u16>,
}

/// Something else than the right answer.
#[derive(Clone, Debug)]
pub enum Instead {
    Answer(u16, &'static str, &'static str),
    RedirectTo(String),
    Stall(Duration),
}

/// A request the peer got.
#[derive(Clone, Debug)]
pub struct Heard {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: String,
    pub body: Value,
    pub text: String,
    /// `to` and `from`, as `DE/ABC`.
    pub parties: (String, String),
    pub routing: bool,
    pub ids: (bool, bool),
}

impl Peer {
    pub fn start(roles: Value) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Peer::on(listener, roles)
    }

    fn on(listener: TcpListener, roles: Value) -> Peer {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            tokens: vec![],
            raw_only: false,
            versions: vec!["2.2.1"],
            roles,
            endpoints: vec![],
            lists_credentials: true,
            elsewhere: None,
            instead: VecDeque::new(),
            heard: vec![],
            asks_back: None,
            asked_back: vec![],
            hands_out: "peer-token-c".to_owned(),
            fetches: true,
            fetched: vec![],
        }));
        let server = serve(listener, &url, state.clone());
        Peer { url, state, server }
    }

    /// The peer's own versions URL, spelled as no convention would have it (U-01).
    pub fn versions_url(&self) -> String {
        format!("{}/somewhere/versions", self.url)
    }

    /// What the peer puts into its credentials, with a token it accepts from now on.
    pub fn credentials(&self, token: &str) -> Value {
        self.accept(token);
        json!({"token": token, "url": self.versions_url(), "roles": self.with(|state| state.roles.clone())})
    }

    pub fn accept(&self, token: &str) {
        self.with(|state| state.tokens.push(token.to_owned()));
    }

    pub fn speak(&self, versions: &[&'static str]) {
        self.with(|state| state.versions = versions.to_vec());
    }

    pub fn play(&self, roles: Value) {
        self.with(|state| state.roles = roles);
    }

    pub fn understand_raw_tokens_only(&self) {
        self.with(|state| state.raw_only = true);
    }

    /// As 2.2.1 writes them, as everybody else here.
    pub fn understand_encoded_tokens(&self) {
        self.with(|state| state.raw_only = false);
    }

    pub fn hide_credentials(&self) {
        self.with(|state| state.lists_credentials = false);
    }

    pub fn list(&self, endpoint: Value) {
        self.with(|state| state.endpoints.push(endpoint));
    }

    /// From now on this, and only this, beside credentials.
    pub fn list_only(&self, endpoint: Value) {
        self.with(|state| state.endpoints = vec![endpoint]);
    }

    pub fn be_elsewhere(&self, url: &str) {
        self.with(|state| state.elsewhere = Some(url.to_owned()));
    }

    /// The next request whose path ends in `segment` is answered otherwise.
    pub fn once(&self, segment: &'static str, instead: Instead) {
        self.with(|state| state.instead.push_back((segment, instead)));
    }

    pub fn ask_back(&self, url: String, token: &str) {
        self.with(|state| state.asks_back = Some((url, format!("Token {}", STANDARD.encode(token)))));
    }

    pub fn asked_back(&self) -> Vec<u16> {
        self.with(|state| state.asked_back.clone())
    }

    /// What the hub answered when the peer fetched its versions and details while being registered with.
    pub fn fetched(&self) -> Vec<u16> {
        self.with(|state| state.fetched.clone())
    }

    pub fn hand_out(&self, token: &str) {
        self.with(|state| state.hands_out = token.to_owned());
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.with(|state| state.heard.clone())
    }

    pub fn heard_of(&self, method: &str, segment: &str) -> Vec<Heard> {
        self.heard()
            .into_iter()
            .filter(|heard| heard.method == method && heard.path.ends_with(segment))
            .collect()
    }

    pub fn forget_what_was_heard(&self) {
        self.with(|state| state.heard.clear());
    }

    /// Closes the door; nobody answers any more.
    pub async fn go_away(&self) {
        self.server.stop(false).await;
    }

    /// Opens the door again where it was, with everything it knew.
    pub fn come_back(&mut self) {
        let listener = TcpListener::bind(self.url.strip_prefix("http://").unwrap()).unwrap();
        self.server = serve(listener, &self.url, self.state.clone());
    }

    /// Registers at the hub with a TOKEN_A; the answer, and the token to use.
    pub async fn register(&self, world: &World, token_a: &str, token_b: &str) -> Said {
        world
            .ocpi(
                Ask::Post,
                "/ocpi/2.2.1/credentials",
                token_a,
                Some(self.credentials(token_b)),
            )
            .await
    }

    /// Registers and expects it to succeed; the token to use.
    pub async fn registered(&self, world: &World, token_a: &str) -> String {
        let said = self.register(world, token_a, "peer-token-b").await;
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        said.text("/data/token")
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }
}

fn serve(listener: TcpListener, url: &str, state: Arc<Mutex<State>>) -> ServerHandle {
    let me = web::Data::new((url.to_owned(), state));
    let server = HttpServer::new(move || App::new().app_data(me.clone()).default_service(web::to(answer)))
        .workers(1)
        .shutdown_timeout(0)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
    let handle = server.handle();
    tokio::spawn(server);
    handle
}

type Me = web::Data<(String, Arc<Mutex<State>>)>;

async fn answer(request: HttpRequest, body: web::Bytes, me: Me) -> HttpResponse {
    let (url, state) = me.get_ref();
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let authorization = header("authorization").unwrap_or_default();
    let path = request.path().to_owned();
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let party = |side: &str| {
        let part = |part: &str| header(&format!("ocpi-{side}-{part}")).unwrap_or_default();
        format!("{}/{}", part("country-code"), part("party-id"))
    };
    let (instead, known, asks_back, fetches) = {
        let mut state = state.lock().unwrap();
        state.heard.push(Heard {
            method: request.method().to_string(),
            path: path.clone(),
            query: request.query_string().to_owned(),
            text,
            parties: (party("to"), party("from")),
            authorization: authorization.clone(),
            body: body.clone(),
            routing: request.headers().keys().any(|name| name.as_str().starts_with("ocpi-")),
            ids: (header("x-request-id").is_some(), header("x-correlation-id").is_some()),
        });
        let at = state.instead.iter().position(|(segment, _)| path.ends_with(segment));
        let instead = at.and_then(|at| state.instead.remove(at)).map(|(_, instead)| instead);
        let presented = authorization.strip_prefix("Token ").unwrap_or_default();
        let known = state.tokens.iter().any(|token| match state.raw_only {
            true => presented == token,
            false => presented == STANDARD.encode(token),
        });
        (instead, known, state.asks_back.clone(), state.fetches)
    };
    match instead {
        Some(Instead::Answer(status, kind, text)) => {
            return HttpResponse::build(StatusCode::from_u16(status).unwrap())
                .content_type(kind)
                .body(text);
        }
        Some(Instead::RedirectTo(target)) => {
            return HttpResponse::Found().insert_header(("Location", target)).finish();
        }
        Some(Instead::Stall(time)) => tokio::time::sleep(time).await,
        None => {}
    }
    if !known {
        return enveloped(401, 2000, None);
    }
    if path.ends_with("/versions")
        && let Some((target, authorization)) = asks_back
    {
        let status = get(&target, &authorization).await;
        state.lock().unwrap().asked_back.push(status);
    }
    if fetches && path.ends_with("/handshake") && matches!(*request.method(), Method::POST | Method::PUT) {
        let token = body["token"].as_str().unwrap_or_default();
        let authorization = format!("Token {}", STANDARD.encode(token));
        let versions = body["url"].as_str().unwrap_or_default().to_owned();
        for target in [versions.clone(), versions.replace("/versions", "/2.2.1")] {
            let status = get(&target, &authorization).await;
            state.lock().unwrap().fetched.push(status);
        }
    }
    let state = &mut *state.lock().unwrap();
    let elsewhere = state.elsewhere.clone().unwrap_or_else(|| url.clone());
    match (request.method().as_str(), path.rsplit('/').next().unwrap_or_default()) {
        ("GET", "versions") => {
            let list = state
                .versions
                .iter()
                .map(|v| json!({"version": v, "url": format!("{elsewhere}/about/{v}")}));
            enveloped(200, 1000, Some(Value::Array(list.collect())))
        }
        ("GET", version @ ("2.2" | "2.2.1" | "2.1.1")) => {
            let mut endpoints = state.endpoints.clone();
            if state.lists_credentials {
                let url = format!("{elsewhere}/my/handshake");
                endpoints.push(json!({"identifier": "credentials", "role": "SENDER", "url": url}));
            }
            enveloped(200, 1000, Some(json!({"version": version, "endpoints": endpoints})))
        }
        ("POST" | "PUT", "handshake") => {
            let token = state.hands_out.clone();
            state.tokens = vec![token.clone()];
            let own = json!({"token": token, "url": format!("{url}/somewhere/versions"), "roles": state.roles});
            enveloped(200, 1000, Some(own))
        }
        ("PUT", _) if path.contains("/told/") => enveloped(200, 1000, None),
        ("DELETE", "handshake") => {
            state.tokens.clear();
            enveloped(200, 1000, None)
        }
        _ => enveloped(404, 2000, None),
    }
}

fn enveloped(status: u16, code: u16, data: Option<Value>) -> HttpResponse {
    let mut envelope = json!({"status_code": code, "timestamp": "2026-11-21T10:00:00Z"});
    if let Some(data) = data {
        envelope["data"] = data;
    }
    if code != 1000 {
        envelope["status_message"] = json!("the peer says no");
    }
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(envelope)
}

async fn get(url: &str, authorization: &str) -> u16 {
    let outgoing = Outgoing {
        method: Ask::Get.word(),
        url: url.to_owned(),
        headers: vec![("Authorization".to_owned(), authorization.to_owned())],
        body: None,
        timeout: Duration::from_secs(2),
        allowed_hosts: None,
    };
    match client().send(outgoing).await {
        Outcome::Answered(answer) => answer.status,
        _ => 0,
    }
}

/// The roles of a peer that plays one CPO.
pub fn cpo() -> Value {
    json!([role("CPO", "DE", "ABC")])
}

/// One role of a credentials object.
pub fn role(role: &str, country_code: &str, party_id: &str) -> Value {
    json!({"role": role, "country_code": country_code, "party_id": party_id,
        "business_details": {"name": format!("{party_id} GmbH"), "website": "https://example.com"}})
}
