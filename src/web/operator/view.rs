//! Platforms and parties as the operator API shows them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::delivery::lanes::{Breaker, BreakerState};
use crate::ocpi::time;
use crate::parties::options;
use crate::routing::directory::{PartyRole, Platform, PlatformStatus};
use crate::store::ClientInfoRow;

/// A platform.
#[derive(Serialize)]
pub(super) struct PlatformView {
    id: String,
    name: String,
    status: &'static str,
    /// Since when it is OFFLINE, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// The hub's own versions URL: what to hand out with a `token_a`.
    versions_url: String,
    parties: Vec<ListedView>,
    options: Value,
    peer: Option<PeerView>,
    /// Why nothing that is owed is carried there just now, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<BreakerView>,
}

/// A breaker that is not closed, in the process that was asked.
#[derive(Serialize)]
struct BreakerView {
    state: &'static str,
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// A party with the roles it is listed for, in the shape in which it is listed; roles in different states stand apart.
#[derive(Serialize)]
struct ListedView {
    country_code: String,
    party_id: String,
    roles: Vec<&'static str>,
    name: String,
    status: &'static str,
}

/// What a registered peer said about itself. Never its token.
#[derive(Serialize)]
struct PeerView {
    version: Option<&'static str>,
    versions_url: String,
    token_encoding: &'static str,
    endpoints: Vec<crate::ocpi::versions::Endpoint>,
}

/// One party in one role.
#[derive(Serialize)]
pub(super) struct PartyView {
    country_code: String,
    party_id: String,
    role: &'static str,
    name: String,
    platform: String,
    status: &'static str,
    /// Since when others are told that it is OFFLINE, where it is and they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

impl PlatformView {
    pub fn new(
        platform: &Platform,
        versions_url: String,
        since: Option<DateTime<Utc>>,
        breaker: Breaker,
    ) -> PlatformView {
        PlatformView {
            id: platform.id.to_string(),
            name: platform.name.clone(),
            status: platform.status.as_str(),
            since: since
                .filter(|_| platform.status == PlatformStatus::Offline)
                .map(time::write),
            versions_url,
            parties: listed(&platform.parties),
            options: options::write(&platform.options),
            peer: platform.versions_url.clone().map(|versions_url| PeerView {
                version: platform.version.map(crate::ocpi::versions::Version::as_str),
                versions_url,
                token_encoding: platform.token_form.as_str(),
                endpoints: platform.endpoints.clone(),
            }),
            breaker: (breaker.state != BreakerState::Closed).then(|| BreakerView {
                state: breaker.state.as_str(),
                failures: breaker.failures,
                until: breaker.until.map(time::write),
            }),
        }
    }
}

impl PartyView {
    pub fn new(platform: &Platform, entry: &PartyRole, told: &[ClientInfoRow]) -> PartyView {
        let since = told.iter().find(|row| {
            entry.status == PlatformStatus::Offline
                && row.role == entry.role.as_str()
                && row.status == entry.status.as_str()
                && row.country_code.eq_ignore_ascii_case(entry.party.country_code())
                && row.party_id.eq_ignore_ascii_case(entry.party.party_id())
        });
        PartyView {
            country_code: entry.party.country_code().to_owned(),
            party_id: entry.party.party_id().to_owned(),
            role: entry.role.as_str(),
            name: entry.name.clone(),
            platform: platform.id.to_string(),
            status: entry.status.as_str(),
            since: since.map(|row| time::write(row.last_updated)),
        }
    }

    /// What the list is ordered by, and what a cursor carries.
    pub fn key(entry: &PartyRole) -> String {
        format!("{}/{}", entry.party.key(), entry.role.as_str()).to_ascii_uppercase()
    }
}

fn listed(parties: &[PartyRole]) -> Vec<ListedView> {
    let mut views: Vec<ListedView> = Vec::new();
    for entry in parties {
        let (country_code, party_id) = (entry.party.country_code(), entry.party.party_id());
        let same = |view: &&mut ListedView| {
            view.country_code == country_code
                && view.party_id == party_id
                && view.name == entry.name
                && view.status == entry.status.as_str()
        };
        match views.iter_mut().find(same) {
            Some(view) => view.roles.push(entry.role.as_str()),
            None => views.push(ListedView {
                country_code: country_code.to_owned(),
                party_id: party_id.to_owned(),
                roles: vec![entry.role.as_str()],
                name: entry.name.clone(),
                status: entry.status.as_str(),
            }),
        }
    }
    views
}
