//! One party of a platform, speaking to the hub: every call OCPI has, at the URL the hub lists for it.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::inner::Inner;
use super::party::{routing, with_query};
use super::reply::{Reply, SandboxError};
use crate::client::Method;
use crate::ocpi::ids::PartyId;
use crate::ocpi::page;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::url;

/// Whom a request is addressed to in the headers.
#[derive(Debug, Clone)]
pub enum To {
    /// Another party.
    Party(PartyId),
    /// The hub itself: to everybody, or from everybody.
    Hub,
    /// Nobody: the hub reads the content.
    Open,
}

/// A party of a platform. Cheap to clone.
#[derive(Clone)]
pub struct Voice {
    pub(super) inner: Arc<Inner>,
    party: PartyId,
}

/// A list as it was pulled, page after page.
pub struct Pulled {
    /// The objects, as raw text, in the order of the pages.
    pub objects: Vec<String>,
    /// Every page's answer.
    pub pages: Vec<Reply>,
}

/// One request being put together.
pub struct Errand {
    voice: Voice,
    method: Method,
    module: String,
    interface: InterfaceRole,
    segments: Vec<String>,
    query: String,
    to: To,
    from: Option<PartyId>,
    more: Vec<(String, String)>,
    without: Vec<String>,
    body: Option<Vec<u8>>,
}

impl Voice {
    pub(super) fn new(inner: Arc<Inner>, party: PartyId) -> Voice {
        Voice { inner, party }
    }

    /// Who speaks.
    #[must_use]
    pub fn party(&self) -> &PartyId {
        &self.party
    }

    /// A request to one of the hub's interfaces, to be completed and sent. Without more it is addressed to nobody.
    #[must_use]
    pub fn errand(&self, method: Method, module: &str, interface: InterfaceRole) -> Errand {
        Errand {
            voice: self.clone(),
            method,
            module: module.to_owned(),
            interface,
            segments: Vec::new(),
            query: String::new(),
            to: To::Open,
            from: Some(self.party.clone()),
            more: Vec::new(),
            without: Vec::new(),
            body: None,
        }
    }

    /// PUT, PATCH or DELETE of an owner's object on the RECEIVER interface (T-30); `ids` go down to EVSE and connector. An empty
    /// body is none. A token of another type than RFID needs `?type=` (TOK-08): see [`Voice::errand`].
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn push(
        &self,
        method: Method,
        module: &str,
        owner: &PartyId,
        ids: &[&str],
        body: &str,
        to: &To,
    ) -> Result<Reply, SandboxError> {
        self.errand(method, module, InterfaceRole::Receiver)
            .of(owner)
            .at(ids)
            .body(body)
            .to(to)
            .send()
            .await
    }

    /// What the receiver keeps of an owner's object: GET on the RECEIVER interface.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn read_copy(&self, module: &str, owner: &PartyId, ids: &[&str], to: &To) -> Result<Reply, SandboxError> {
        let errand = self.errand(Method::GET, module, InterfaceRole::Receiver);
        errand.of(owner).at(ids).to(to).send().await
    }

    /// One page of a list on the SENDER interface; `query` without question mark, may be empty.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn list(&self, module: &str, query: &str, to: &To) -> Result<Reply, SandboxError> {
        let errand = self.errand(Method::GET, module, InterfaceRole::Sender);
        errand.query(query).to(to).send().await
    }

    /// The page a `Link` or another URL of the hub leads to, in this party's name.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn follow(&self, url: &str, to: &To) -> Result<Reply, SandboxError> {
        let headers = self.routing_to(to)?;
        let hub = self.inner.hub()?;
        self.inner.call(Method::GET, url, &hub.token, &headers, None).await
    }

    /// All pages of everybody's objects, along the `Link`s as they are given.
    ///
    /// # Errors
    /// When a page is refused, does not come, is no list, or names itself as the next one.
    pub async fn get_all(&self, module: &str, query: &str) -> Result<Pulled, SandboxError> {
        self.crawl(module, query, &To::Hub).await
    }

    /// All pages of a list of the addressed party.
    ///
    /// # Errors
    /// As [`Voice::get_all`].
    pub async fn crawl(&self, module: &str, query: &str, to: &To) -> Result<Pulled, SandboxError> {
        let mut pulled = Pulled {
            objects: Vec::new(),
            pages: Vec::new(),
        };
        let mut page = self.list(module, query, to).await?;
        let mut here = String::new();
        loop {
            pulled.objects.extend(objects_of(&page, pulled.pages.len() + 1)?);
            let next = page.header("link").and_then(page::next_of);
            pulled.pages.push(page);
            match next {
                None => return Ok(pulled),
                Some(next) if next == here => {
                    return Err(SandboxError::Refused {
                        step: format!("page {} of {module}", pulled.pages.len()),
                        http: 200,
                        code: None,
                        said: "the page names itself as the next one".to_owned(),
                    });
                }
                Some(next) => {
                    page = self.follow(&next, to).await?;
                    here = next;
                }
            }
        }
    }

    /// One object on the SENDER interface: a location, with EVSE and connector if wanted (LOC-02).
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn get_one(&self, module: &str, ids: &[&str], to: &To) -> Result<Reply, SandboxError> {
        let errand = self.errand(Method::GET, module, InterfaceRole::Sender);
        errand.at(ids).to(to).send().await
    }

    /// Asks whether a driver may charge (TOK-02): `kind` as in `?type=`, `location` a `LocationReferences` object or no body.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn authorize(
        &self,
        uid: &str,
        kind: Option<&str>,
        location: Option<&str>,
        to: &To,
    ) -> Result<Reply, SandboxError> {
        let errand = self.errand(Method::POST, "tokens", InterfaceRole::Sender);
        let query = kind.map(|kind| format!("type={kind}")).unwrap_or_default();
        let errand = errand.at(&[uid, "authorize"]).query(&query);
        errand.body(location.unwrap_or_default()).to(to).send().await
    }

    /// A driver's wish for a running session (SES-02).
    ///
    /// # Errors
    /// When the party is not registered or the hub does not answer.
    pub async fn charging_preferences(&self, session_id: &str, body: &str, to: &To) -> Result<Reply, SandboxError> {
        let errand = self.errand(Method::PUT, "sessions", InterfaceRole::Sender);
        let errand = errand.at(&[session_id, "charging_preferences"]);
        errand.body(body).to(to).send().await
    }

    /// The hub's ClientInfo, all pages (HCI-01); no routing headers on this module (HCI-04).
    ///
    /// # Errors
    /// As [`Voice::get_all`].
    pub async fn client_info(&self, query: &str) -> Result<Pulled, SandboxError> {
        let mut pulled = Pulled {
            objects: Vec::new(),
            pages: Vec::new(),
        };
        let hub = self.inner.hub()?;
        let listed = self.inner.hub_endpoint("hubclientinfo", InterfaceRole::Sender)?;
        let mut next = Some(with_query(&listed, query));
        while let Some(url) = next {
            let page = self.inner.call(Method::GET, &url, &hub.token, &[], None).await?;
            pulled.objects.extend(objects_of(&page, pulled.pages.len() + 1)?);
            next = page.header("link").and_then(page::next_of).filter(|next| *next != url);
            pulled.pages.push(page);
        }
        Ok(pulled)
    }

    fn routing_to(&self, to: &To) -> Result<Vec<(String, String)>, SandboxError> {
        let to = self.receiver(to)?;
        Ok(routing(&self.party, to.as_ref()))
    }

    fn receiver(&self, to: &To) -> Result<Option<PartyId>, SandboxError> {
        match to {
            To::Party(party) => Ok(Some(party.clone())),
            To::Open => Ok(None),
            To::Hub => match self.inner.hub()?.party {
                Some(party) => Ok(Some(party)),
                None => Err(SandboxError::NotConnected("party with the role HUB".to_owned())),
            },
        }
    }
}

impl Errand {
    /// Behind the endpoint: the owner's country code and party id (T-30).
    #[must_use]
    pub fn of(self, owner: &PartyId) -> Errand {
        self.at(&[owner.country_code(), owner.party_id()])
    }

    /// Behind that: these segments, each encoded as one (U-06).
    #[must_use]
    pub fn at(mut self, segments: &[&str]) -> Errand {
        self.segments
            .extend(segments.iter().map(|segment| (*segment).to_owned()));
        self
    }

    /// A query, encoded, without question mark.
    #[must_use]
    pub fn query(mut self, query: &str) -> Errand {
        query.clone_into(&mut self.query);
        self
    }

    /// Addressed to somebody.
    #[must_use]
    pub fn to(mut self, to: &To) -> Errand {
        self.to = to.clone();
        self
    }

    /// In the name of somebody else; `None` leaves the headers out.
    #[must_use]
    pub fn from(mut self, from: Option<&PartyId>) -> Errand {
        self.from = from.cloned();
        self
    }

    /// A body; an empty one is none.
    #[must_use]
    pub fn body(self, body: &str) -> Errand {
        if body.is_empty() {
            self
        } else {
            self.octets(body.as_bytes())
        }
    }

    /// A body that need not be text, and may be empty.
    #[must_use]
    pub fn octets(mut self, body: &[u8]) -> Errand {
        self.body = Some(body.to_vec());
        self
    }

    /// One more header, or another value for one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Errand {
        self.more.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Without a header it would have: `x-request-id`, `content-type`, half a pair of routing headers …
    #[must_use]
    pub fn without(mut self, name: &str) -> Errand {
        self.without.push(name.to_ascii_lowercase());
        self
    }

    /// The URL it goes to.
    ///
    /// # Errors
    /// When the party is not registered or the hub does not list the interface.
    pub fn url(&self) -> Result<String, SandboxError> {
        let listed = self.voice.inner.hub_endpoint(&self.module, self.interface)?;
        let segments: Vec<&str> = self.segments.iter().map(String::as_str).collect();
        Ok(with_query(&url::join(&listed, &segments), &self.query))
    }

    /// Sends it.
    ///
    /// # Errors
    /// When the party is not registered, the hub does not list the interface, or does not answer.
    pub async fn send(self) -> Result<Reply, SandboxError> {
        let inner = &self.voice.inner;
        let url = self.url()?;
        let to = self.voice.receiver(&self.to)?;
        let id = || uuid::Uuid::new_v4().to_string();
        let mut headers = vec![
            inner.authorization(&inner.hub()?.token),
            ("x-request-id".to_owned(), id()),
            ("x-correlation-id".to_owned(), id()),
        ];
        if self.body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let addressed = routing(self.from.as_ref().unwrap_or(&self.voice.party), to.as_ref());
        let has_from = self.from.is_some();
        headers.extend(
            addressed
                .into_iter()
                .filter(|(name, _)| has_from || !name.starts_with("ocpi-from-")),
        );
        headers.retain(|(name, _)| !self.without.contains(name) && !self.more.iter().any(|(more, _)| more == name));
        headers.extend(self.more.iter().cloned());
        inner
            .send(self.method.clone(), &url, headers, self.body.as_deref())
            .await
    }
}

fn objects_of(page: &Reply, number: usize) -> Result<Vec<String>, SandboxError> {
    let refused = |said: String| SandboxError::Refused {
        step: format!("page {number} of a list"),
        http: page.http,
        code: page.code,
        said,
    };
    if !page.accepted() {
        return Err(refused(page.message.clone().unwrap_or_default()));
    }
    let list: Vec<&RawValue> = serde_json::from_str(page.data.as_deref().unwrap_or_default())
        .map_err(|error| refused(format!("data is not a list: {error}")))?;
    Ok(list.into_iter().map(|object| object.get().to_owned()).collect())
}
