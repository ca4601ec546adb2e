//! A mobility provider: receives CDRs, pulls its list, reads reports.

use super::party::{Plan, Reply, SandboxError, SandboxParty, routing};
pub use super::voice::Pulled;
use super::voice::{To, Voice};
use crate::client::Method;
use crate::clock::SharedClock;
use crate::ocpi::ids::PartyId;

/// A mobility provider.
pub struct SandboxEmsp {
    /// Its platform: server, token, what it got.
    pub platform: SandboxParty,
    /// Who it is.
    pub party: PartyId,
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
        self.voice().crawl("cdrs", query, &To::Open).await
    }

    /// This provider, to speak for itself in every module.
    #[must_use]
    pub fn voice(&self) -> Voice {
        self.platform.voice_of(&self.party)
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
