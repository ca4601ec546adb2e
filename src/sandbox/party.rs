//! A platform for rent: one server, one token, one or more parties, connected to one hub.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::behaviour::{Behaviour, Door, Trigger};
use super::doors::Words;
use super::got::Got;
use super::inner::{Book, Inner, mint};
pub use super::plan::{EndpointShape, Plan};
pub use super::reply::{Reply, SandboxError};
use super::server;
use super::voice::Voice;
use crate::client::{Http, HttpSettings, Method};
use crate::clock::SharedClock;
use crate::ocpi::ids::PartyId;
use crate::ocpi::page;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::url;
use crate::ocpi::versions::Version;

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
            errands: Mutex::new(JoinSet::new()),
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
        self.inner.url(&self.inner.path("versions"))
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
        self.tell_of(Door::CdrReceiver, trigger);
    }

    /// Who is told around the answers of a door.
    pub fn tell_of(&self, door: Door, trigger: Option<Trigger>) {
        let mut book = self.inner.book();
        match trigger {
            Some(trigger) => book.triggers.insert(door, trigger),
            None => book.triggers.remove(&door),
        };
    }

    /// One of its parties, to speak in its name.
    #[must_use]
    pub fn voice_of(&self, party: &PartyId) -> Voice {
        Voice::new(Arc::clone(&self.inner), party.clone())
    }

    /// Everything it got so far, in order.
    #[must_use]
    pub fn got(&self) -> Vec<Got> {
        self.inner.book().got.clone()
    }

    /// What its CDR receiver got by POST so far, in order, taken or not.
    #[must_use]
    pub fn got_cdrs(&self) -> Vec<Got> {
        self.got_where(|got| got.door == Some(Door::CdrReceiver) && got.method == "POST")
    }

    /// Everything it got for a module so far, on both interfaces and at the response URLs it lent out, in order, taken or not.
    #[must_use]
    pub fn got_for(&self, module: &str) -> Vec<Got> {
        self.got_where(|got| got.door.is_some_and(|door| door.module() == module))
    }

    /// Everything it got at one door so far, in order, taken or not.
    #[must_use]
    pub fn got_at(&self, door: Door) -> Vec<Got> {
        self.got_where(|got| got.door == Some(door))
    }

    fn got_where(&self, fits: impl Fn(&Got) -> bool) -> Vec<Got> {
        self.inner.book().got.iter().filter(|got| fits(got)).cloned().collect()
    }

    /// Waits until `enough` holds for what the CDR receiver got; false when `within` ends first.
    pub async fn wait_for_cdrs(&self, within: Duration, enough: impl Fn(&[Got]) -> bool) -> bool {
        self.inner.wait_until(within, || enough(&self.got_cdrs())).await
    }

    /// Waits until `enough` holds for what was got for a module; false when `within` ends first.
    pub async fn wait_for(&self, module: &str, within: Duration, enough: impl Fn(&[Got]) -> bool) -> bool {
        self.inner.wait_until(within, || enough(&self.got_for(module))).await
    }

    /// Waits until at least so many requests came for a module, without looking at them; false when `within` ends first.
    pub async fn wait_for_count(&self, module: &str, count: usize, within: Duration) -> bool {
        let come = || {
            let book = self.inner.book();
            let of_module = book
                .got
                .iter()
                .filter(|got| got.door.is_some_and(|door| door.module() == module));
            of_module.count() >= count
        };
        self.inner.wait_until(within, come).await
    }

    /// Forgets what it got and what it posted; its registration, what it offers and the URLs it lent out stay.
    pub fn forget(&self) {
        let mut book = self.inner.book();
        book.got.clear();
        book.cdrs.clear();
        book.kept.clear();
        book.taken.clear();
        book.sent.clear();
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

    /// The hub's own party, as its credentials name it.
    #[must_use]
    pub fn hub_party(&self) -> Option<PartyId> {
        self.inner.book().hub.as_ref().and_then(|hub| hub.party.clone())
    }

    /// The hub's URL of a module's interface.
    ///
    /// # Errors
    /// [`SandboxError::NotConnected`] before the handshake, or when the hub does not list it.
    pub fn hub_endpoint(&self, module: &str, interface: InterfaceRole) -> Result<String, SandboxError> {
        self.inner.hub_endpoint(module, interface)
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
            if next.as_deref() == Some(url.as_str()) {
                return Err(SandboxError::Refused {
                    step: format!("page {} of a list", pages.len() + 1),
                    http: page.http,
                    code: page.code,
                    said: "the page names itself as the next one".to_owned(),
                });
            }
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
        self.inner
            .errands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        if let DoorState::Open(open) = &*self.door() {
            open.serving.abort();
        }
    }
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

/// A URL with one more query part; its own query stays in front.
#[must_use]
pub fn with_query(base: &str, query: &str) -> String {
    if query.is_empty() {
        base.to_owned()
    } else {
        url::with_query(base, query)
    }
}
