//! The credentials handshake from the neighbour's side, in both directions (checklist 1.9.1).

use super::configuration::credentials_json;
use super::inner::{HubPeer, Inner, mint};
use super::party::SandboxParty;
use super::reply::{Reply, SandboxError};
use crate::client::Method;
use crate::ocpi::v2_2_1::credentials::Credentials;
use crate::ocpi::versions::{self, Endpoint, Version};

impl SandboxParty {
    /// Registers at a hub: this party is the Sender (CR-02).
    ///
    /// # Errors
    /// The step that failed and what the hub said. TOKEN_A stays usable then (CR-05).
    pub async fn register_at(&self, versions_url: &str, token_a: &str) -> Result<(), SandboxError> {
        let found = discover(&self.inner, versions_url, token_a, None).await?;
        self.exchange(Method::POST, &found, versions_url, token_a).await
    }

    /// Renews token and endpoints at the hub (`PUT`, CR-25, CR-26).
    ///
    /// # Errors
    /// The step that failed and what the hub said; the former registration stays.
    pub async fn renew(&self) -> Result<(), SandboxError> {
        let hub = self.inner.hub()?;
        let found = discover(&self.inner, &hub.versions_url, &hub.token, None).await?;
        self.exchange(Method::PUT, &found, &hub.versions_url, &hub.token).await
    }

    /// Ends the registration (`DELETE`, CR-27).
    ///
    /// # Errors
    /// When the hub does not agree; the registration stays then.
    pub async fn unregister(&self) -> Result<(), SandboxError> {
        let hub = self.inner.hub()?;
        let reply = self
            .inner
            .call(Method::DELETE, &hub.credentials_url, &hub.token, &[], None)
            .await?;
        accepted("DELETE credentials", reply)?;
        let mut book = self.inner.book();
        book.hub = None;
        book.valid.clear();
        Ok(())
    }

    /// The one exchange of credentials, with `POST` or `PUT`. The new token of ours must work while the request is still open:
    /// the hub calls back before it answers (CR-03).
    async fn exchange(
        &self,
        method: Method,
        found: &Discovered,
        versions_url: &str,
        token: &str,
    ) -> Result<(), SandboxError> {
        let ours = mint();
        self.inner.book().valid.push(ours.clone());
        let body = credentials_json(&self.inner, &ours);
        let answered = self
            .inner
            .call(
                method.clone(),
                &found.credentials_url,
                token,
                &[],
                Some(body.as_bytes()),
            )
            .await;
        let outcome = answered
            .and_then(|reply| accepted(&format!("{method} credentials"), reply))
            .and_then(|reply| {
                let data = reply.data.unwrap_or_default();
                Credentials::read(data.as_bytes()).map_err(|refusal| SandboxError::Refused {
                    step: format!("{method} credentials, the answer"),
                    http: reply.http,
                    code: reply.code,
                    said: refusal.message,
                })
            });
        let mut book = self.inner.book();
        match outcome {
            Ok(theirs) => {
                book.valid = vec![ours];
                book.hub = Some(HubPeer {
                    versions_url: versions_url.to_owned(),
                    version: found.version,
                    party: HubPeer::party_among(theirs.roles.iter().map(|role| (role.party.clone(), role.role))),
                    token: theirs.token,
                    endpoints: found.endpoints.clone(),
                    credentials_url: found.credentials_url.clone(),
                });
                Ok(())
            }
            Err(error) => {
                book.valid.retain(|known| *known != ours);
                Err(error)
            }
        }
    }
}

/// What discovery found.
pub(super) struct Discovered {
    pub(super) version: Version,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) credentials_url: String,
}

/// GET versions, pick the highest mutual version (or the given one), GET its details (CR-02, CR-03, V-08).
pub(super) async fn discover(
    inner: &Inner,
    versions_url: &str,
    token: &str,
    only: Option<Version>,
) -> Result<Discovered, SandboxError> {
    let unusable = |step: &str, said: String| SandboxError::Refused {
        step: step.to_owned(),
        http: 200,
        code: None,
        said,
    };
    let listed = accepted(
        "GET versions",
        inner.call(Method::GET, versions_url, token, &[], None).await?,
    )?;
    let listed = versions::read_versions(listed.data.as_deref().unwrap_or_default())
        .map_err(|error| unusable("GET versions", error.to_string()))?;
    let (version, details_url) = listed
        .iter()
        .filter_map(|entry| Some((Version::parse(&entry.version)?, entry.url.as_str())))
        .filter(|(version, _)| only.map_or_else(|| inner.plan.versions.contains(version), |wanted| wanted == *version))
        .max_by_key(|(version, _)| *version)
        .ok_or_else(|| unusable("GET versions", "no version in common".to_owned()))?;
    let details = accepted(
        "GET version details",
        inner.call(Method::GET, details_url, token, &[], None).await?,
    )?;
    let details = versions::read_details(details.data.as_deref().unwrap_or_default())
        .map_err(|error| unusable("GET version details", error.to_string()))?;
    let credentials_url = details
        .endpoints
        .iter()
        .find(|endpoint| endpoint.identifier == "credentials")
        .map(|endpoint| endpoint.url.clone())
        .ok_or_else(|| unusable("GET version details", "no credentials endpoint".to_owned()))?;
    Ok(Discovered {
        version,
        endpoints: details.endpoints,
        credentials_url,
    })
}

fn accepted(step: &str, reply: Reply) -> Result<Reply, SandboxError> {
    if reply.accepted() {
        Ok(reply)
    } else {
        Err(SandboxError::Refused {
            step: step.to_owned(),
            http: reply.http,
            code: reply.code,
            said: reply.message.unwrap_or_else(|| "no envelope".to_owned()),
        })
    }
}
