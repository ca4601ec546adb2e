//! What a platform's server and its own hands share: the plan, the book of everything that changes, one way to call.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::behaviour::{Behaviour, Door, Trigger};
use super::doors::Words;
use super::execution::{Execution, Order, Sent, Taken};
use super::got::Got;
use super::offering::Shelf;
use super::plan::Plan;
use super::reply::{Reply, SandboxError};
use super::results::Lent;
use super::tokens::Decision;
use crate::client::{Http, Method, Outcome, Outgoing};
use crate::clock::SharedClock;
use crate::ocpi::headers;
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::{InterfaceRole, Role};
use crate::ocpi::versions::{self, Endpoint, Version};

/// How long a neighbour waits for the hub. Longer than the hub waits for anybody, so that the hub's own answer is what is seen.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Inner {
    pub(super) plan: Plan,
    pub(super) address: SocketAddr,
    pub(super) words: Words,
    pub(super) clock: SharedClock,
    pub(super) http: Http,
    /// Counts what arrived and what was sent on its own account.
    pub(super) arrivals: watch::Sender<usize>,
    /// Results on their way; they end with the platform.
    pub(super) errands: Mutex<JoinSet<()>>,
    pub(super) book: Mutex<Book>,
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
    pub(super) cdrs: HashMap<String, Vec<u8>>,
    /// What was pushed here, by module, owner and id in one folded key.
    pub(super) kept: HashMap<String, String>,
    /// What this platform offers on its SENDER interfaces, by module.
    pub(super) shelves: HashMap<String, Shelf>,
    pub(super) tempers: HashMap<Door, Behaviour>,
    pub(super) moods: HashMap<Door, VecDeque<Behaviour>>,
    pub(super) triggers: HashMap<Door, Trigger>,
    /// How orders are carried out here, where it is not the usual way.
    pub(super) executions: HashMap<Order, Execution>,
    /// Orders that came here.
    pub(super) taken: Vec<Taken>,
    /// Results this platform posted, and what it heard.
    pub(super) sent: Vec<Sent>,
    /// The charging profile set on a session, as raw JSON.
    pub(super) profiles: HashMap<String, String>,
    /// Response URLs this platform gave away, by their id.
    pub(super) lent: HashMap<String, Lent>,
    /// What is answered for a token, where it is not the usual answer.
    pub(super) decisions: HashMap<String, Decision>,
    /// What is answered to charging preferences, where it is not ACCEPTED.
    pub(super) preferences: Option<String>,
}

/// The hub, seen from here.
#[derive(Clone)]
pub(super) struct HubPeer {
    pub(super) versions_url: String,
    pub(super) version: Version,
    pub(super) token: String,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) credentials_url: String,
    /// The first of its parties with the role HUB.
    pub(super) party: Option<PartyId>,
}

impl Inner {
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has happened that somebody may wait for.
    pub(super) fn announce(&self) {
        self.arrivals.send_modify(|count| *count += 1);
    }

    /// Waits until `enough` holds; false when `within` ends first. It is asked again whenever something has happened here.
    pub(super) async fn wait_until(&self, within: Duration, enough: impl Fn() -> bool) -> bool {
        let mut arrivals = self.arrivals.subscribe();
        let watching = async {
            while !enough() {
                if arrivals.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(within, watching).await.is_ok()
    }

    /// Lets something go on after the answer; it ends when the platform is dropped.
    pub(super) fn on_the_side(&self, errand: impl Future<Output = ()> + Send + 'static) {
        let mut errands = self.errands.lock().unwrap_or_else(PoisonError::into_inner);
        while errands.try_join_next().is_some() {}
        errands.spawn(errand);
    }

    pub(super) fn hub(&self) -> Result<HubPeer, SandboxError> {
        let hub = self.book().hub.clone();
        hub.ok_or_else(|| SandboxError::NotConnected("registration".to_owned()))
    }

    /// The hub's URL of a module's interface, as its version details say.
    pub(super) fn hub_endpoint(&self, module: &str, interface: InterfaceRole) -> Result<String, SandboxError> {
        versions::endpoint(&self.hub()?.endpoints, module, interface)
            .map(str::to_owned)
            .ok_or_else(|| SandboxError::NotConnected(format!("{module} endpoint")))
    }

    /// A request with everything a request must have, and the given headers besides.
    pub(super) async fn call(
        &self,
        method: Method,
        url: &str,
        token: &str,
        more_headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<Reply, SandboxError> {
        let has = |name: &str| more_headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut headers = vec![self.authorization(token)];
        for name in ["x-request-id", "x-correlation-id"] {
            if !has(name) {
                headers.push((name.to_owned(), uuid::Uuid::new_v4().to_string()));
            }
        }
        if body.is_some() && !has("content-type") {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend_from_slice(more_headers);
        self.send(method, url, headers, body).await
    }

    pub(super) fn authorization(&self, token: &str) -> (String, String) {
        (
            "authorization".to_owned(),
            headers::authorization(token, self.plan.token_form),
        )
    }

    /// A request with these headers and no others.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: Vec<(String, String)>,
        body: Option<&[u8]>,
    ) -> Result<Reply, SandboxError> {
        // A query may hold a cursor or an id; an error message need not.
        let what = format!("{method} {}", url.split('?').next().unwrap_or(url));
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
            other => Err(SandboxError::NoAnswer {
                what,
                how: other.to_string(),
            }),
        }
    }
}

impl HubPeer {
    /// The party that is the hub itself, as its credentials name it.
    pub(super) fn party_among(roles: impl Iterator<Item = (PartyId, Role)>) -> Option<PartyId> {
        let mut hubs = roles.filter(|(_, role)| *role == Role::Hub);
        hubs.next().map(|(party, _)| party)
    }
}

/// A token as T-07 wants it: 122 random bits, printable, with a `-` so that it cannot be taken for its own Base64 form (D-01).
pub(super) fn mint() -> String {
    format!("sandbox-{}", uuid::Uuid::new_v4())
}
