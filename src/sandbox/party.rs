//! A platform for rent: one server, one token, one or more parties, connected to one hub.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::behaviour::{Behaviour, Door, Trigger};
use super::got::Got;
use super::server;
use crate::client::{Http, HttpSettings, Method, Outcome, Outgoing};
use crate::clock::SharedClock;
use crate::ocpi::envelope;
use crate::ocpi::headers::{self, TokenForm};
use crate::ocpi::ids::PartyId;
use crate::ocpi::page;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::url;
use crate::ocpi::versions::{self, Endpoint, Version};

/// How long a neighbour waits for the hub. Longer than the hub waits for anybody, so that the hub's own answer is what is seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a platform is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name in `business_details`.
    pub name: String,
    /// Its parties and their roles, as registered.
    pub parties: Vec<(PartyId, Role)>,
    /// The versions it serves.
    pub versions: Vec<Version>,
    /// Whether it has a RECEIVER interface for CDRs.
    pub receives_cdrs: bool,
    /// Where that interface is, when it is not served by the party itself but by somebody who counts faster.
    pub receives_at: Option<String>,
    /// Whether it has a SENDER interface for CDRs.
    pub sends_cdrs: bool,
    /// The form of its endpoint URLs.
    pub shape: EndpointShape,
    /// The form in which it writes tokens, and insists on reading them.
    pub token_form: TokenForm,
}

/// Endpoint URLs as they occur: whoever joins them by convention instead of by U-01 and U-04 is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointShape {
    /// `…/cdrs`
    Plain,
    /// `…/cdrs/`
    TrailingSlash,
    /// `…/cdrs?tenant=7`
    WithQuery,
}

impl Plan {
    /// A charge point operator: sends CDRs.
    #[must_use]
    pub fn cpo(name: &str, party: PartyId) -> Plan {
        Plan {
            sends_cdrs: true,
            ..Plan::bare(name, vec![(party, Role::Cpo)])
        }
    }

    /// A mobility provider: receives CDRs.
    #[must_use]
    pub fn emsp(name: &str, party: PartyId) -> Plan {
        Plan {
            receives_cdrs: true,
            ..Plan::bare(name, vec![(party, Role::Emsp)])
        }
    }

    /// A platform with these parties and no functional module.
    #[must_use]
    pub fn bare(name: &str, parties: Vec<(PartyId, Role)>) -> Plan {
        Plan {
            name: name.to_owned(),
            parties,
            versions: vec![Version::V2_2_1],
            receives_cdrs: false,
            receives_at: None,
            sends_cdrs: false,
            shape: EndpointShape::WithQuery,
            token_form: TokenForm::Base64,
        }
    }
}

/// What went wrong for a neighbour.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port could not be had.
    #[error("a sandbox party could not listen: {0}")]
    Listen(#[from] std::io::Error),
    /// The HTTP client could not be made.
    #[error("a sandbox party has no HTTP client: {0}")]
    Client(String),
    /// The meter could not be made.
    #[error("a sandbox meter could not be made: {0}")]
    Meter(#[from] crate::metering::sign::SigningError),
    /// The hub did not answer.
    #[error("no answer from the hub to {what}: {how}")]
    NoAnswer {
        /// What was asked.
        what: String,
        /// What happened instead.
        how: String,
    },
    /// The hub answered, but not as the step needs it.
    #[error("{step}: the hub answered {http}, status {code:?}: {said}")]
    Refused {
        /// The step of the handshake or the call.
        step: String,
        /// The HTTP status.
        http: u16,
        /// The OCPI status, when there was an envelope.
        code: Option<u16>,
        /// The message, or what could not be read.
        said: String,
    },
    /// The party is not registered, or the hub does not list that module.
    #[error("this party knows no {0} at the hub")]
    NotConnected(String),
}

/// The hub's answer to a neighbour.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub http: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
    /// `status_code`, when the body is an envelope.
    pub code: Option<u16>,
    /// `status_message`.
    pub message: Option<String>,
    /// The raw text of `data`.
    pub data: Option<String>,
}

impl Reply {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// HTTP 2xx with an OCPI status of 1xxx.
    #[must_use]
    pub fn accepted(&self) -> bool {
        (200..300).contains(&self.http) && self.code.is_some_and(|code| (1000..2000).contains(&code))
    }

    pub(super) fn of(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Reply {
        let read = envelope::read(&body).ok();
        Reply {
            http: status,
            headers,
            code: read.as_ref().map(|envelope| envelope.status_code.0),
            message: read.as_ref().and_then(|envelope| envelope.status_message.clone()),
            data: read.and_then(|envelope| envelope.data.map(|data| data.get().to_owned())),
            body,
        }
    }
}

impl std::fmt::Debug for Reply {
    /// Without the body: the answer to a handshake holds a token, a list holds drivers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("http", &self.http)
            .field("code", &self.code)
            .field("message", &self.message)
            .finish()
    }
}

/// A running platform. Dropping it closes its port.
pub struct SandboxParty {
    pub(super) inner: Arc<Inner>,
    door: Mutex<DoorState>,
}

enum DoorState {
    Open(Open),
    /// The port stays ours, but nobody listens: callers are refused.
    Away(TcpSocket),
    Closed,
}

/// A door that is served.
struct Open {
    serving: JoinHandle<()>,
    leave: oneshot::Sender<()>,
}

impl Open {
    fn at(inner: &Arc<Inner>, listener: TcpListener) -> DoorState {
        let (leave, told) = oneshot::channel();
        let serving = tokio::spawn(server::listen(Arc::clone(inner), listener, told));
        DoorState::Open(Open { serving, leave })
    }
}

/// What the server and the party's own hands share.
pub(super) struct Inner {
    pub(super) plan: Plan,
    pub(super) address: SocketAddr,
    pub(super) words: Words,
    pub(super) clock: SharedClock,
    pub(super) http: Http,
    pub(super) arrivals: watch::Sender<usize>,
    book: Mutex<Book>,
}

/// The irregular parts of the URLs.
pub(super) struct Words {
    pub(super) root: &'static str,
    pub(super) cdrs: &'static str,
}

/// Everything that changes.
#[derive(Default)]
pub(super) struct Book {
    /// TOKEN_A, while it waits for the hub.
    pub(super) invitation: Option<String>,
    /// Tokens the hub may present: the current one, and during a handshake the next.
    pub(super) valid: Vec<String>,
    /// The hub as it presented itself.
    pub(super) hub: Option<HubPeer>,
    pub(super) got: Vec<Got>,
    /// CDRs taken, by the last segment of their URL.
    pub(super) kept: HashMap<String, Vec<u8>>,
    /// CDRs this party offers on its SENDER interface, in the order they were made.
    pub(super) offered: Vec<(DateTime<Utc>, String)>,
    pub(super) tempers: HashMap<Door, Behaviour>,
    pub(super) moods: HashMap<Door, VecDeque<Behaviour>>,
    pub(super) trigger: Option<Trigger>,
}

/// The hub, seen from here.
#[derive(Clone)]
pub(super) struct HubPeer {
    pub(super) versions_url: String,
    pub(super) version: Version,
    pub(super) token: String,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) credentials_url: String,
}

impl SandboxParty {
    /// Opens a server on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(plan: Plan, clock: SharedClock) -> Result<SandboxParty, SandboxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let http = Http::new(HttpSettings {
            connect: Duration::from_secs(5),
            allow_http: true,
            allow_private_networks: true,
            max_body: 64 * 1024 * 1024,
            user_agent: format!("truewatt-sandbox/{}", env!("CARGO_PKG_VERSION")),
        })
        .map_err(|error| SandboxError::Client(error.to_string()))?;
        let inner = Arc::new(Inner {
            words: Words::of(address.port()),
            plan,
            address,
            clock,
            http,
            arrivals: watch::Sender::new(0),
            book: Mutex::new(Book::default()),
        });
        let door = Mutex::new(Open::at(&inner, listener));
        Ok(SandboxParty { inner, door })
    }

    /// What it was asked to be.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.inner.plan
    }

    /// The URL a hub needs to register here.
    #[must_use]
    pub fn versions_url(&self) -> String {
        self.inner.url("versions")
    }

    /// Its host and port, as an operator would put it on an allow list.
    #[must_use]
    pub fn host(&self) -> String {
        self.inner.address.to_string()
    }

    /// A TOKEN_A with which a hub may register here; the former one is void.
    #[must_use]
    pub fn invite(&self) -> String {
        let token = mint();
        self.inner.book().invitation = Some(token.clone());
        token
    }

    /// How a door answers from now on.
    pub fn behave(&self, door: Door, behaviour: Behaviour) {
        self.inner.book().tempers.insert(door, behaviour);
    }

    /// How a door answers its next request; several calls queue up. Then the lasting temper counts again.
    pub fn behave_once(&self, door: Door, behaviour: Behaviour) {
        self.inner.book().moods.entry(door).or_default().push_back(behaviour);
    }

    /// Who is told around the answers of the CDR receiver.
    pub fn tell(&self, trigger: Option<Trigger>) {
        self.inner.book().trigger = trigger;
    }

    /// Everything it got so far, in order.
    #[must_use]
    pub fn got(&self) -> Vec<Got> {
        self.inner.book().got.clone()
    }

    /// What its CDR receiver got by POST so far, in order, taken or not.
    #[must_use]
    pub fn got_cdrs(&self) -> Vec<Got> {
        let receiver = self.inner.path("cdrs-in");
        let book = self.inner.book();
        book.got
            .iter()
            .filter(|got| got.method == "POST" && got.path.trim_end_matches('/') == receiver)
            .cloned()
            .collect()
    }

    /// Waits until `enough` holds for what the CDR receiver got; false when `within` ends first.
    pub async fn wait_for_cdrs(&self, within: Duration, enough: impl Fn(&[Got]) -> bool) -> bool {
        let mut arrivals = self.inner.arrivals.subscribe();
        let watching = async {
            while !enough(&self.got_cdrs()) {
                if arrivals.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(within, watching).await.is_ok()
    }

    /// Forgets what it got; its registration stays.
    pub fn forget(&self) {
        let mut book = self.inner.book();
        book.got.clear();
        book.kept.clear();
    }

    /// Closes the port and every connection; callers are refused until [`SandboxParty::come_back`]. The port stays reserved.
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub async fn go_away(&self) -> Result<(), SandboxError> {
        let DoorState::Open(open) = std::mem::replace(&mut *self.door(), DoorState::Closed) else {
            return Ok(());
        };
        // The task owns listener and connections; only when it is over is the port free to be kept by somebody who does not listen.
        let _ = open.leave.send(());
        let _ = open.serving.await;
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.inner.address)?;
        *self.door() = DoorState::Away(socket);
        Ok(())
    }

    /// Opens the same port again.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn come_back(&self) -> Result<(), SandboxError> {
        let mut door = self.door();
        match std::mem::replace(&mut *door, DoorState::Closed) {
            DoorState::Away(socket) => {
                let listener = socket.listen(1024)?;
                *door = Open::at(&self.inner, listener);
            }
            other => *door = other,
        }
        Ok(())
    }

    /// The token this party presents to the hub, for whoever wants to write a request by hand.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.inner.book().hub.as_ref().map(|hub| hub.token.clone())
    }

    /// Whether the party is registered.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.inner.book().hub.is_some()
    }

    /// The URL of the hub's own versions endpoint, as the hub gave it.
    #[must_use]
    pub fn hub_versions_url(&self) -> Option<String> {
        self.inner.book().hub.as_ref().map(|hub| hub.versions_url.clone())
    }

    /// The version agreed with the hub.
    #[must_use]
    pub fn hub_version(&self) -> Option<Version> {
        self.inner.book().hub.as_ref().map(|hub| hub.version)
    }

    /// The hub's URL of a module's interface.
    ///
    /// # Errors
    /// [`SandboxError::NotConnected`] before the handshake, or when the hub does not list it.
    pub fn hub_endpoint(&self, module: &str, interface: InterfaceRole) -> Result<String, SandboxError> {
        let book = self.inner.book();
        let hub = book
            .hub
            .as_ref()
            .ok_or_else(|| SandboxError::NotConnected("registration".to_owned()))?;
        versions::endpoint(&hub.endpoints, module, interface)
            .map(str::to_owned)
            .ok_or_else(|| SandboxError::NotConnected(format!("{module} endpoint")))
    }

    /// One request to the hub, with this party's token, fresh message ids and the given headers besides.
    ///
    /// # Errors
    /// [`SandboxError::NoAnswer`] when the hub cannot be reached or does not answer.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        more_headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<Reply, SandboxError> {
        let token = self
            .token()
            .ok_or_else(|| SandboxError::NotConnected("registration".to_owned()))?;
        self.inner.call(method, url, &token, more_headers, body).await
    }

    /// Follows a list from `url` page by page along `Link: …; rel="next"` until there is none (P-11).
    ///
    /// # Errors
    /// When a page is refused or does not come.
    pub async fn crawl(&self, url: &str, more_headers: &[(String, String)]) -> Result<Vec<Reply>, SandboxError> {
        let mut pages = Vec::new();
        let mut next = Some(url.to_owned());
        while let Some(url) = next {
            let page = self.call(Method::GET, &url, more_headers, None).await?;
            if !page.accepted() {
                return Err(SandboxError::Refused {
                    step: format!("page {} of a list", pages.len() + 1),
                    http: page.http,
                    code: page.code,
                    said: page.message.unwrap_or_default(),
                });
            }
            next = page.header("link").and_then(page::next_of);
            pages.push(page);
        }
        Ok(pages)
    }

    fn door(&self) -> MutexGuard<'_, DoorState> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SandboxParty {
    fn drop(&mut self) {
        if let DoorState::Open(open) = &*self.door() {
            open.serving.abort();
        }
    }
}

impl Inner {
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of one of this platform's doors, without query and trailing slash.
    pub(super) fn path(&self, which: &str) -> String {
        let Words { root, cdrs } = self.words;
        match which {
            "versions" => format!("/{root}/versions"),
            "cdrs-in" => format!("/{root}/{cdrs}/inbox"),
            "cdrs-out" => format!("/{root}/{cdrs}/outbox"),
            other => format!("/{root}/{other}"),
        }
    }

    /// The same as an absolute URL.
    pub(super) fn url(&self, which: &str) -> String {
        format!("http://{}{}", self.address, self.path(which))
    }

    /// The URL of a functional endpoint, in the shape of the plan.
    pub(super) fn endpoint_url(&self, which: &str) -> String {
        let plain = self.url(which);
        match self.plan.shape {
            EndpointShape::Plain => plain,
            EndpointShape::TrailingSlash => plain + "/",
            EndpointShape::WithQuery => plain + "?tenant=7",
        }
    }

    /// What this platform lists for a version.
    pub(super) fn endpoints(&self, version: Version) -> Vec<(&'static str, InterfaceRole, String)> {
        let mut endpoints = vec![(
            "credentials",
            InterfaceRole::Sender,
            self.url(&format!("{}/credentials", version.as_str())),
        )];
        if self.plan.receives_cdrs {
            let own = || self.endpoint_url("cdrs-in");
            let url = self.plan.receives_at.clone().unwrap_or_else(own);
            endpoints.push(("cdrs", InterfaceRole::Receiver, url));
        }
        if self.plan.sends_cdrs {
            endpoints.push(("cdrs", InterfaceRole::Sender, self.endpoint_url("cdrs-out")));
        }
        endpoints
    }

    pub(super) async fn call(
        &self,
        method: Method,
        url: &str,
        token: &str,
        more_headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<Reply, SandboxError> {
        let what = format!("{method} {}", without_query(url));
        let no_answer = |how: String| SandboxError::NoAnswer { what, how };
        let mut headers = vec![(
            "authorization".to_owned(),
            headers::authorization(token, self.plan.token_form),
        )];
        for name in ["x-request-id", "x-correlation-id"] {
            if !more_headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                headers.push((name.to_owned(), uuid::Uuid::new_v4().to_string()));
            }
        }
        if body.is_some()
            && !more_headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case("content-type"))
        {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend_from_slice(more_headers);
        let outgoing = Outgoing {
            method,
            url: url.to_owned(),
            headers,
            body: body.map(|octets| octets.to_vec().into()),
            timeout: PATIENCE,
            allowed_hosts: None,
        };
        match self.http.send(outgoing).await {
            Outcome::Answered(answer) => Ok(Reply::of(answer.status, answer.headers, answer.body.to_vec())),
            other => Err(no_answer(other.to_string())),
        }
    }
}

impl Words {
    /// Different for every port, the same for one: nothing about these URLs can be guessed from another party's.
    fn of(port: u16) -> Words {
        const ROOTS: [&str; 7] = [
            "amber/ocpi",
            "birch",
            "api/v7/roaming",
            "delta/emobility/ocpi",
            "elm/x",
            "fjord/peer",
            "gate",
        ];
        const CDRS: [&str; 5] = ["records", "charge-detail", "bills/ocpi", "cdr_store", "river/cdrs"];
        let pick =
            |words: &[&'static str], by: u16| words.get(usize::from(by) % words.len().max(1)).copied().unwrap_or("x");
        Words {
            root: pick(&ROOTS, port),
            cdrs: pick(&CDRS, port / 7),
        }
    }
}

/// A token as T-07 wants it: 122 random bits, printable, with a `-` so that it cannot be taken for its own Base64 form (D-01).
pub(super) fn mint() -> String {
    format!("sandbox-{}", uuid::Uuid::new_v4())
}

/// The four routing headers of a request; `to` left out for open routing.
#[must_use]
pub fn routing(from: &PartyId, to: Option<&PartyId>) -> Vec<(String, String)> {
    let mut headers = vec![
        ("ocpi-from-country-code".to_owned(), from.country_code().to_owned()),
        ("ocpi-from-party-id".to_owned(), from.party_id().to_owned()),
    ];
    if let Some(to) = to {
        headers.push(("ocpi-to-country-code".to_owned(), to.country_code().to_owned()));
        headers.push(("ocpi-to-party-id".to_owned(), to.party_id().to_owned()));
    }
    headers
}

/// A query may hold a cursor or an id; an error message need not.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// A URL with one more query part; its own query stays in front.
#[must_use]
pub fn with_query(base: &str, query: &str) -> String {
    if query.is_empty() {
        base.to_owned()
    } else {
        url::with_query(base, query)
    }
}
