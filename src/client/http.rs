//! The one HTTP client of the program: deadlines, size limits, our name on every call.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, redirect};

use super::guard::Guard;
use super::outcome::{Answer, Outcome};
use crate::ocpi::url::host_and_port;

/// How this program calls others.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How long a connection may take to come about, TLS included (D-15).
    pub connect: Duration,
    /// Which addresses may be called.
    pub guard: Guard,
    /// The largest answer that is read, in bytes (D-19: 50 MB).
    pub max_body: usize,
    /// What we call ourselves.
    pub user_agent: String,
}

/// The methods OCPI knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Hand in.
    Post,
    /// Put in place.
    Put,
    /// Change in part.
    Patch,
    /// Remove.
    Delete,
}

/// A request on its way out.
#[derive(Clone)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The absolute URL, used exactly as it is.
    pub url: String,
    /// All headers, the `Authorization` included.
    pub headers: Vec<(String, String)>,
    /// The octets to send.
    pub body: Option<Bytes>,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// The `host:port` pairs that may see this request's token (N-05); `None` where it carries none.
    pub allowed_hosts: Option<Vec<String>>,
}

/// The client; clones share its connections.
#[derive(Clone)]
pub struct Http {
    client: Client,
    guard: Guard,
    max_body: usize,
}

impl Http {
    /// Builds the client.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(settings: HttpSettings) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .connect_timeout(settings.connect)
            .user_agent(settings.user_agent)
            // A redirect would carry the token to wherever the peer points (D-25).
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver { guard: settings.guard }))
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            client,
            guard: settings.guard,
            max_body: settings.max_body,
        })
    }

    /// Carries one request to its receiver, once. A kept-alive connection that the peer closed before it took a byte of the
    /// request is replaced silently (F-20); nothing else is ever repeated.
    pub async fn send(&self, outgoing: Outgoing) -> Outcome {
        let url = match self.guard.url(&outgoing.url) {
            Ok(url) => url,
            Err(forbidden) => return Outcome::NotAllowed(forbidden.to_string()),
        };
        if let Some(hosts) = &outgoing.allowed_hosts {
            let host = host_and_port(&outgoing.url).unwrap_or_default();
            if !hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host)) {
                return Outcome::NotAllowed(format!("{host} is not a host of this platform"));
            }
        }
        let mut request = self
            .client
            .request(outgoing.method.into(), url)
            .timeout(outgoing.timeout);
        for (name, value) in &outgoing.headers {
            request = match header(request, name, value) {
                Ok(request) => request,
                Err(why) => return Outcome::NotAllowed(why),
            };
        }
        if let Some(body) = outgoing.body {
            request = request.body(body);
        }
        match request.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => failed(&error),
        }
    }

    async fn read(&self, mut response: Response) -> Outcome {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > self.max_body => {
                    return Outcome::Nonsense(format!("the answer is larger than {} bytes", self.max_body));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => {
                    return Outcome::Answered(Answer {
                        status,
                        headers,
                        body: body.freeze(),
                    });
                }
                Err(error) if error.is_timeout() => return Outcome::TimedOut,
                Err(error) => return Outcome::Nonsense(format!("the answer broke off: {}", root(&error))),
            }
        }
    }
}

fn header(request: RequestBuilder, name: &str, value: &str) -> Result<RequestBuilder, String> {
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a header name"))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| format!("the header {name} has an unsendable value"))?;
    value.set_sensitive(header == reqwest::header::AUTHORIZATION);
    Ok(request.header(header, value))
}

fn failed(error: &reqwest::Error) -> Outcome {
    if error.is_connect() {
        // Also the connect deadline: the peer has not seen the request (D-15).
        return Outcome::Unreachable(root(error));
    }
    if error.is_timeout() {
        return Outcome::TimedOut;
    }
    Outcome::Nonsense(root(error))
}

/// The innermost reason. The outer texts repeat the URL, which may hold what no log should.
fn root(error: &reqwest::Error) -> String {
    let mut reason: &dyn Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

/// Resolves names and drops every address that may not be called.
struct GuardedResolver {
    guard: Guard,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| guard.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("{} resolves to no public address", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
