//! A mobility provider: receives CDRs, pulls its list, reads reports.

use serde_json::value::RawValue;

use super::party::{Plan, Reply, SandboxError, SandboxParty, routing, with_query};
use crate::client::Method;
use crate::clock::SharedClock;
use crate::ocpi::ids::PartyId;
use crate::ocpi::role::InterfaceRole;

/// A mobility provider.
pub struct SandboxEmsp {
    /// Its platform: server, token, what it got.
    pub platform: SandboxParty,
    /// Who it is.
    pub party: PartyId,
}

/// A list as it was pulled, page after page.
pub struct Pulled {
    /// The objects, as raw text, in the order of the pages.
    pub objects: Vec<String>,
    /// Every page's answer.
    pub pages: Vec<Reply>,
}

impl SandboxEmsp {
    /// Opens the provider's platform.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(name: &str, party: PartyId, clock: SharedClock) -> Result<SandboxEmsp, SandboxError> {
        SandboxEmsp::with(Plan::emsp(name, party.clone()), party, clock).await
    }

    /// Opens a platform of any plan with this party.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn with(plan: Plan, party: PartyId, clock: SharedClock) -> Result<SandboxEmsp, SandboxError> {
        Ok(SandboxEmsp {
            platform: SandboxParty::start(plan, clock).await?,
            party,
        })
    }

    /// Pulls its CDRs from the hub's SENDER interface, all pages; `query` without question mark, may be empty.
    ///
    /// # Errors
    /// When a page is refused, does not come, or is not a list.
    pub async fn pull(&self, query: &str) -> Result<Pulled, SandboxError> {
        let url = with_query(&self.platform.hub_endpoint("cdrs", InterfaceRole::Sender)?, query);
        let pages = self.platform.crawl(&url, &routing(&self.party, None)).await?;
        let mut objects = Vec::new();
        for page in &pages {
            let list: Vec<&RawValue> =
                serde_json::from_str(page.data.as_deref().unwrap_or_default()).map_err(|error| {
                    SandboxError::Refused {
                        step: "GET cdrs".to_owned(),
                        http: page.http,
                        code: page.code,
                        said: format!("data is not a list: {error}"),
                    }
                })?;
            objects.extend(list.into_iter().map(|object| object.get().to_owned()));
        }
        Ok(Pulled { objects, pages })
    }

    /// One request to any of the hub's URLs in this party's name.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn get(&self, url: &str) -> Result<Reply, SandboxError> {
        self.platform
            .call(Method::GET, url, &routing(&self.party, None), None)
            .await
    }
}
