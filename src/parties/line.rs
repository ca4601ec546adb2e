//! Speaking to one platform: its token in its form, fresh message ids, routing headers, and only to its own hosts.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use super::presence::Presence;
use crate::client::guard::Forbidden;
use crate::client::outcome::{Answer, Outcome};
use crate::client::{Http, Method, Outgoing};
use crate::config::Secret;
use crate::ocpi::headers::{self, MessageIds, Routing, TokenForm};
use crate::ocpi::ids::PlatformId;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::{envelope, url};
use crate::routing::directory::Platform;
use crate::seeing::{Direction, Ended, Hop, Hops, Module};

/// The way to every platform.
pub struct Line {
    http: Http,
    relay: Duration,
    presence: Arc<Presence>,
    hops: Arc<Hops>,
}

/// One request to a platform.
#[derive(Clone, Debug)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// Where to.
    pub to: Target,
    /// The request's own query, without `?`; it follows a query the endpoint URL already has (U-04).
    pub query: Option<String>,
    /// The parties to name, on functional modules; `None` on configuration modules.
    pub routing: Option<Routing>,
    /// Only the correlation id travels on: every hop has a new request id (M-03, M-04).
    pub ids: MessageIds,
    /// The octets to send, as JSON.
    pub body: Option<Bytes>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// A deadline other than the platform's.
    pub timeout: Option<Duration>,
    /// The largest answer that is read, in bytes, where that is less than the client's own limit.
    pub max_answer: Option<usize>,
}

/// What a call is aimed at.
#[derive(Clone, Debug)]
pub enum Target {
    /// A module's interface at the URL the peer listed, with segments to append (each one path segment, U-06).
    Module(&'static str, InterfaceRole, Vec<String>),
    /// The same with segments as they came, percent-encoded by whoever sent them: they leave as they are (R-13, U-06).
    AsCame(&'static str, InterfaceRole, Vec<String>),
    /// An absolute URL the peer gave, such as a `Location`, and what it is about.
    Url(Module, String),
}

/// The platform is connected and does not offer that interface.
#[derive(Debug, thiserror::Error)]
#[error("platform {platform} has no {interface} interface of {module}")]
pub struct NoEndpoint {
    /// Which platform.
    pub platform: PlatformId,
    /// The module asked for.
    pub module: &'static str,
    /// Which side of it.
    pub interface: &'static str,
}

impl Line {
    pub(super) fn new(http: Http, relay: Duration, presence: Arc<Presence>, hops: Arc<Hops>) -> Line {
        Line {
            http,
            relay,
            presence,
            hops,
        }
    }

    /// Sends one request to a platform, once, and reports to [`Presence`] whether anybody was there.
    ///
    /// A platform that is PLANNED or SUSPENDED is not called: the outcome is `Unreachable`, which an OCPI answer calls
    /// 4003. Whether an OFFLINE one is called is the caller's decision.
    ///
    /// # Errors
    /// [`NoEndpoint`] when the platform never listed that interface.
    pub async fn send(&self, platform: &Platform, call: Call) -> Result<Outcome, NoEndpoint> {
        let Some(token) = platform.token_out.as_ref().filter(|_| platform.status.is_registered()) else {
            return Ok(Outcome::Unreachable(format!(
                "platform {} is {}",
                platform.id,
                platform.status.as_str()
            )));
        };
        let url = Line::address(platform, &call.to, call.query.as_deref())?;
        let module = match &call.to {
            Target::Module(module, ..) | Target::AsCame(module, ..) => Module::identified(module),
            Target::Url(module, _) => *module,
        };
        let outcome = self
            .exchange(Exchange {
                platform: &platform.id,
                module,
                method: call.method,
                url,
                token,
                form: platform.token_form,
                hosts: hosts_of(platform),
                correlation_id: call.ids.correlation_id.unwrap_or_else(|| Uuid::new_v4().to_string()),
                routing: call.routing,
                headers: call.headers,
                body: call.body,
                timeout: call.timeout.or(platform.options.timeouts.relay).unwrap_or(self.relay),
                max_answer: call.max_answer,
                identity: platform.options.client_certificate.as_deref(),
            })
            .await;
        match &outcome {
            // A server that only says it is broken is no evidence that deliveries will succeed.
            Outcome::Answered(answer) if answer.status < 500 => self.presence.heard(&platform.id),
            Outcome::Unreachable(_) => self.presence.unreachable(&platform.id),
            Outcome::TimedOut => self.presence.stalled(&platform.id),
            _ => {}
        }
        Ok(outcome)
    }

    /// The URL a call goes to: what a relative address in its answer is relative to (D-11).
    ///
    /// # Errors
    /// [`NoEndpoint`] when the platform never listed that interface.
    pub fn address(platform: &Platform, to: &Target, query: Option<&str>) -> Result<String, NoEndpoint> {
        let url = match to {
            Target::Url(_, url) => url.clone(),
            Target::Module(module, interface, segments) => {
                url::join(endpoint(platform, module, *interface)?, &texts(segments))
            }
            Target::AsCame(module, interface, segments) => {
                url::join_as_came(endpoint(platform, module, *interface)?, &texts(segments))
            }
        };
        Ok(query.map_or(url.clone(), |query| url::with_query(&url, query)))
    }

    /// Whether a URL this platform gave may be called with its token (N-04, N-05). A call asks again by itself; this is for
    /// saying no while the platform is listening.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn may_call(&self, platform: &Platform, url: &str) -> Result<(), Forbidden> {
        self.http.check(url, &hosts_of(platform))
    }

    /// Whether the platform answers GET on its versions URL (HCI-08): free of side effects there (V-11).
    pub(super) async fn is_alive(&self, platform: &Platform) -> bool {
        let (Some(token), Some(url)) = (&platform.token_out, &platform.versions_url) else {
            return false;
        };
        let outcome = self
            .exchange(Exchange {
                platform: &platform.id,
                module: Module::named("versions"),
                method: Method::GET,
                url: url.clone(),
                token,
                form: platform.token_form,
                hosts: hosts_of(platform),
                correlation_id: Uuid::new_v4().to_string(),
                routing: None,
                headers: Vec::new(),
                body: None,
                timeout: platform.options.timeouts.relay.unwrap_or(self.relay),
                max_answer: None,
                identity: platform.options.client_certificate.as_deref(),
            })
            .await;
        matches!(&outcome, Outcome::Answered(answer) if says_success(answer))
    }

    /// One request with everything OCPI wants on it (T-01, M-01, M-02, T-20, R-01).
    pub(super) async fn exchange(&self, exchange: Exchange<'_>) -> Outcome {
        let (request_id, correlation_id) = (Uuid::new_v4().to_string(), exchange.correlation_id);
        let mut headers = vec![
            (
                headers::AUTHORIZATION.to_owned(),
                headers::authorization(exchange.token.expose(), exchange.form),
            ),
            (headers::X_REQUEST_ID.to_owned(), request_id.clone()),
            (headers::X_CORRELATION_ID.to_owned(), correlation_id.clone()),
        ];
        if exchange.body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        if let Some(routing) = &exchange.routing {
            headers.extend(
                routing
                    .headers()
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value)),
            );
        }
        headers.extend(exchange.headers);
        let outgoing = Outgoing {
            method: exchange.method,
            url: exchange.url,
            headers,
            body: exchange.body,
            timeout: exchange.timeout,
            allowed_hosts: Some(exchange.hosts),
        };
        let method = outgoing.method.clone();
        let begun = Instant::now();
        let outcome = match (self.http_showing(exchange.identity).await, exchange.max_answer) {
            (Err(missing), _) => Outcome::NotAllowed(missing),
            (Ok(http), Some(max_answer)) => http.send_for(outgoing, max_answer).await,
            (Ok(http), None) => http.send(outgoing).await,
        };
        // The hop behind the hub has a request id of its own (M-03); the correlation id ties it to the one in front (M-09).
        self.hops.saw(&Hop {
            direction: Direction::Out,
            platform: Some(exchange.platform),
            from: exchange.routing.as_ref().and_then(|routing| routing.from.as_ref()),
            to: exchange.routing.as_ref().and_then(|routing| routing.to.as_ref()),
            module: exchange.module,
            method: method.as_str(),
            ended: seen(&outcome),
            took: begun.elapsed(),
            correlation_id: &correlation_id,
            request_id: &request_id,
        });
        if !matches!(outcome, Outcome::Answered(_) | Outcome::TimedOut) {
            // The reason is of as many kinds as there are networks, so it stands beside the line.
            log::info!(platform = exchange.platform.as_str(), request_id = request_id.as_str(); "{outcome}");
        }
        outcome
    }

    /// Never without the certificate the operator wants shown: a peer that asks for none would be spoken to as anybody.
    async fn http_showing(&self, identity: Option<&str>) -> Result<Cow<'_, Http>, String> {
        let Some(name) = identity else {
            return Ok(Cow::Borrowed(&self.http));
        };
        let showing = self.http.showing(name).await.map(Cow::Owned);
        showing.ok_or_else(|| format!("there is no outbound.identities.{name} to show"))
    }

    /// Whether there is an identity of that name to show.
    pub(super) fn has_identity(&self, name: &str) -> bool {
        self.http.knows(name)
    }

    /// Whether a URL that a peer lists could be called at all (N-04). The hosts that may see its token are its own affair.
    ///
    /// # Errors
    /// The rule it breaks.
    pub(super) fn may_be_listed(&self, url: &str) -> Result<(), Forbidden> {
        self.http.check_alone(url)
    }

    /// The deadline for a platform without one of its own.
    pub(super) fn relay(&self) -> Duration {
        self.relay
    }
}

/// How a call ended, as far as it is counted.
fn seen(outcome: &Outcome) -> Ended {
    match outcome {
        Outcome::Answered(answer) => Ended::Answered {
            http: answer.status,
            code: envelope::read(&answer.body).ok().map(|envelope| envelope.status_code),
        },
        Outcome::TimedOut => Ended::TimedOut,
        Outcome::Unreachable(_) => Ended::Unreachable,
        Outcome::NotAllowed(_) => Ended::NotAllowed,
        Outcome::Nonsense(_) => Ended::Nonsense,
    }
}

fn endpoint<'a>(platform: &'a Platform, module: &'static str, interface: InterfaceRole) -> Result<&'a str, NoEndpoint> {
    platform.endpoint(module, interface).ok_or_else(|| NoEndpoint {
        platform: platform.id.clone(),
        module,
        interface: interface.as_str(),
    })
}

fn texts(segments: &[String]) -> Vec<&str> {
    segments.iter().map(String::as_str).collect()
}

/// Everything about one request.
pub(super) struct Exchange<'a> {
    /// Whom it is for, also while it is not registered yet.
    pub platform: &'a PlatformId,
    pub module: Module,
    pub method: Method,
    pub url: String,
    pub token: &'a Secret,
    pub form: TokenForm,
    /// Who may see the token (N-05).
    pub hosts: Vec<String>,
    pub correlation_id: String,
    pub routing: Option<Routing>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Bytes>,
    pub timeout: Duration,
    pub max_answer: Option<usize>,
    /// What is shown to whoever wants to see a certificate.
    pub identity: Option<&'a str>,
}

/// The hosts that may see a platform's token: of its versions URL, its endpoints, and what the operator added (N-05).
fn hosts_of(platform: &Platform) -> Vec<String> {
    let own = platform
        .versions_url
        .iter()
        .chain(platform.endpoints.iter().map(|e| &e.url));
    let mut hosts = own.filter_map(|url| url::host_and_port(url)).collect::<Vec<_>>();
    hosts.extend(spelled_out(&platform.options.allowed_hosts));
    hosts
}

/// `name:port` for every host an operator allowed; a bare name means its HTTPS port, and HTTP's (D-25: a host is name and port).
pub(super) fn spelled_out(allowed: &[String]) -> impl Iterator<Item = String> {
    allowed.iter().flat_map(|host| {
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(name, port)| port.parse::<u16>().is_ok() && (!name.contains(':') || name.ends_with(']')));
        let host = host.to_ascii_lowercase();
        if has_port {
            vec![host]
        } else {
            vec![format!("{host}:443"), format!("{host}:80")]
        }
    })
}

/// A success in HTTP and in the envelope (D-07: any 2xx with 1xxx).
pub(super) fn says_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
        && envelope::read(&answer.body).is_ok_and(|envelope| envelope.status_code.is_success())
}
