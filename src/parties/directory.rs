//! Keeps routing's snapshot current and hands out the latest.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};

use super::agreements;
use super::options;
use super::presence::Presence;
use super::tokens::{self, TokenHash, kind};
use crate::config::Secret;
use crate::ocpi::headers::TokenForm;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::role::Role;
use crate::ocpi::versions::{Endpoint, Version};
use crate::routing::agreements::Agreements;
use crate::routing::directory::{Directory, PartyRole, Platform, PlatformOptions, PlatformStatus};
use crate::store::PresenceRow;
use crate::store::parties::{DirectoryRows, PartyRow, PlatformRow, TokenRow};

/// The directory and the tokens that open it, as of one revision.
pub struct Snapshot {
    directory: Directory,
    tokens: Arc<HashMap<TokenHash, TokenEntry>>,
    since: Arc<HashMap<PlatformId, DateTime<Utc>>>,
    revision: i64,
}

/// What a token is good for.
#[derive(Clone, Debug)]
pub(super) struct TokenEntry {
    pub platform: PlatformId,
    pub kind: TokenKind,
    pub expires_at: Option<DateTime<Utc>>,
    /// On a current token: whether a previous one is still alive beside it.
    pub has_previous: bool,
}

/// What kind of token a caller presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// TOKEN_A, made by the operator: versions and credentials only (T-04).
    Registration,
    /// TOKEN_B of a handshake the hub started and the peer has not answered yet: like a TOKEN_A, but it registers nothing.
    Pending,
    /// The token of a registered platform.
    Current,
    /// The one before, until the new one is used or the grace ends (CR-35).
    Previous,
}

/// Everything stored about one platform: what a change is decided on.
#[derive(Clone)]
pub(super) struct PlatformFile {
    pub platform: PlatformRow,
    pub parties: Vec<PartyRow>,
    pub tokens: Vec<TokenRow>,
}

/// The latest snapshot, shared by everyone who needs it.
#[derive(Clone)]
pub(super) struct Current(Arc<ArcSwap<Snapshot>>);

impl Current {
    pub fn new(snapshot: Snapshot) -> Current {
        Current(Arc::new(ArcSwap::from_pointee(snapshot)))
    }

    pub fn get(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Replaces the snapshot by a newer one, keeping what this process knows better about who is asleep, and tells who has woken up,
    /// gone to sleep or registered.
    pub fn replace(&self, snapshot: Snapshot, presence: &Presence) {
        let before = self.get();
        // Two reloads may finish in the wrong order; the older one must not win.
        if before.revision > snapshot.revision {
            return;
        }
        let mut next = snapshot;
        for (id, offline) in presence.adopt(&next.directory) {
            next.directory = next.directory.with_liveness(&id, offline);
        }
        let next = Arc::new(next);
        self.0.rcu(|now| {
            if now.revision > next.revision {
                now.clone()
            } else {
                next.clone()
            }
        });
        for platform in next.directory.platforms().filter(|one| one.status.is_registered()) {
            let was = before.directory.platform(&platform.id).map(|was| was.status);
            if was != Some(platform.status) {
                presence.tell(&platform.id, platform.status);
            }
        }
    }

    /// The same snapshot with one platform asleep or awake.
    pub fn set_liveness(&self, id: &PlatformId, offline: bool) {
        self.0.rcu(|now| Snapshot {
            directory: now.directory.with_liveness(id, offline),
            tokens: now.tokens.clone(),
            since: now.since.clone(),
            revision: now.revision,
        });
    }
}

impl Snapshot {
    /// The snapshot the rows describe. A row this version cannot read is reported and left out; the others still work.
    pub(super) fn new(hub: PartyId, rows: DirectoryRows) -> Snapshot {
        let mut parties: HashMap<String, Vec<PartyRow>> = HashMap::new();
        for row in rows.parties {
            parties.entry(row.platform_id.clone()).or_default().push(row);
        }
        let seen: HashMap<&str, &PresenceRow> = rows
            .presence
            .iter()
            .map(|row| (row.platform_id.as_str(), row))
            .collect();
        let mut platforms = Vec::new();
        let mut since = HashMap::new();
        for row in &rows.platforms {
            let mut platform = platform(row, &parties.remove(&row.id).unwrap_or_default());
            let seen = seen.get(row.id.as_str());
            if seen.is_some_and(|seen| seen.status == PlatformStatus::Offline.as_str()) {
                platform.set_liveness(true);
            }
            let noted = seen.filter(|seen| seen.status == platform.status.as_str());
            since.insert(platform.id.clone(), noted.map_or(row.updated_at, |seen| seen.since));
            platforms.push(platform);
        }
        let mut tokens = HashMap::new();
        for row in &rows.tokens {
            let Some((hash, kind)) = read_token(row) else {
                log::error!(
                    "a token of platform {} is not readable and opens nothing",
                    row.platform_id
                );
                continue;
            };
            let has_previous = kind == TokenKind::Current
                && rows
                    .tokens
                    .iter()
                    .any(|t| t.platform_id == row.platform_id && t.kind == kind::PREVIOUS);
            let platform = PlatformId::from(row.platform_id.as_str());
            tokens.insert(
                hash,
                TokenEntry {
                    platform,
                    kind,
                    expires_at: row.expires_at,
                    has_previous,
                },
            );
        }
        Snapshot {
            directory: Directory::new(hub, platforms).under(read_agreements(rows.agreements.as_deref())),
            tokens: Arc::new(tokens),
            since: Arc::new(since),
            revision: rows.revision,
        }
    }

    /// Who is connected.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Since when a platform is in the state that is written down.
    #[must_use]
    pub fn since(&self, id: &PlatformId) -> Option<DateTime<Utc>> {
        self.since.get(id).copied()
    }

    /// The revision of the directory this snapshot shows.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision
    }

    pub(super) fn token(&self, token: &str, now: DateTime<Utc>) -> Option<&TokenEntry> {
        self.tokens
            .get(&tokens::hash(token))
            .filter(|entry| entry.expires_at.is_none_or(|end| now < end))
    }

    pub(super) fn has_expired_tokens(&self, now: DateTime<Utc>) -> bool {
        self.tokens
            .values()
            .any(|entry| entry.expires_at.is_some_and(|end| end <= now))
    }
}

impl PlatformFile {
    pub fn pick(rows: DirectoryRows, id: &PlatformId) -> Option<PlatformFile> {
        let id = id.to_string();
        let platform = rows.platforms.into_iter().find(|row| row.id == id)?;
        Some(PlatformFile {
            platform,
            parties: rows.parties.into_iter().filter(|row| row.platform_id == id).collect(),
            tokens: rows.tokens.into_iter().filter(|row| row.platform_id == id).collect(),
        })
    }

    /// The platform as the snapshot would show it.
    pub fn read(&self) -> Platform {
        platform(&self.platform, &self.parties)
    }

    /// The token row with that hash, if it still opens something at `now`.
    pub fn token(&self, hash: &str, now: DateTime<Utc>) -> Option<&TokenRow> {
        self.tokens
            .iter()
            .find(|row| row.hash == hash && row.expires_at.is_none_or(|end| now < end))
    }
}

/// The endpoints as the store keeps them.
pub(super) fn write_endpoints(endpoints: &[Endpoint]) -> String {
    serde_json::json!(endpoints).to_string()
}

fn platform(row: &PlatformRow, parties: &[PartyRow]) -> Platform {
    let status = PlatformStatus::parse(&row.status).unwrap_or_else(|| {
        log::error!(
            "platform {} has the unknown status {:?} and counts as SUSPENDED",
            row.id,
            row.status
        );
        PlatformStatus::Suspended
    });
    let mut parties = parties
        .iter()
        .filter_map(|party| party_role(party, status))
        .collect::<Vec<_>>();
    parties.sort_by(|a, b| (a.party.key(), a.role.as_str()).cmp(&(b.party.key(), b.role.as_str())));
    Platform {
        id: PlatformId::from(row.id.as_str()),
        name: row.name.clone(),
        status,
        version: row.version.as_deref().and_then(Version::parse),
        versions_url: row.versions_url.clone(),
        endpoints: read_endpoints(row),
        parties,
        options: read_options(row),
        token_out: row.token_out.clone().map(Secret::new),
        token_form: TokenForm::parse(&row.token_form).unwrap_or(TokenForm::Base64),
    }
}

fn party_role(row: &PartyRow, platform: PlatformStatus) -> Option<PartyRole> {
    let read = PartyId::new(&row.country_code, &row.party_id)
        .ok()
        .zip(Role::parse(&row.role))
        .zip(PlatformStatus::parse(&row.status));
    let Some(((party, role), own)) = read else {
        log::error!(
            "a party of platform {} is not readable: {}/{}",
            row.platform_id,
            row.country_code,
            row.party_id
        );
        return None;
    };
    Some(PartyRole {
        party,
        role,
        name: row.name.clone(),
        status: own.lowered_to(platform),
    })
}

fn read_options(row: &PlatformRow) -> PlatformOptions {
    options::read_text(&row.options).unwrap_or_else(|wrong| {
        log::error!(
            "the options of platform {} are not readable ({wrong}); the defaults apply",
            row.id
        );
        PlatformOptions::default()
    })
}

/// Agreements that cannot be read deny everything: a restriction must not vanish by an accident.
fn read_agreements(document: Option<&str>) -> Agreements {
    let Some(document) = document else {
        return Agreements::default();
    };
    agreements::read_text(document).unwrap_or_else(|wrong| {
        log::error!("the agreements are not readable ({wrong}); nothing is allowed until they are put anew");
        Agreements {
            allow_by_default: false,
            rules: Vec::new(),
        }
    })
}

fn read_endpoints(row: &PlatformRow) -> Vec<Endpoint> {
    serde_json::from_str(&row.endpoints).unwrap_or_else(|e| {
        log::error!("the endpoints of platform {} are not readable: {e}", row.id);
        Vec::new()
    })
}

fn read_token(row: &TokenRow) -> Option<(TokenHash, TokenKind)> {
    let hash = hex::decode(&row.hash).ok()?.try_into().ok()?;
    let kind = match row.kind.as_str() {
        kind::REGISTRATION => TokenKind::Registration,
        kind::PENDING => TokenKind::Pending,
        kind::CURRENT => TokenKind::Current,
        kind::PREVIOUS => TokenKind::Previous,
        _ => return None,
    };
    Some((hash, kind))
}
