//! Platforms, their parties and the tokens they may show us.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// A platform: one partner's backend, whatever parties live on it.
#[derive(Clone, PartialEq, Eq)]
pub struct PlatformRow {
    /// Client-made id (UUIDv7).
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// `PLANNED`, `CONNECTED` or `SUSPENDED`.
    pub status: String,
    /// The operator's options for it, as JSON.
    pub options: String,
    /// The OCPI version agreed on, once registered.
    pub version: Option<String>,
    /// Where its versions endpoint is, once known.
    pub versions_url: Option<String>,
    /// The token this platform gave us. Secret: never logged, never in `Debug`.
    pub token_out: Option<String>,
    /// How it wants that token written: `base64` or `raw` (D-01).
    pub token_form: String,
    /// Its endpoints as a JSON list.
    pub endpoints: String,
    /// When the operator listed it.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Moves with every change; see [`PlatformChange::expected_revision`].
    pub revision: i64,
}

impl fmt::Debug for PlatformRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformRow")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("status", &self.status)
            .field("version", &self.version)
            .field("versions_url", &self.versions_url)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// A party in one role. Party and role exist on one platform only (CR-33).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyRow {
    /// The platform it lives on.
    pub platform_id: String,
    /// Country code as written by the party.
    pub country_code: String,
    /// Party id as written by the party; compared without case.
    pub party_id: String,
    /// `CPO`, `EMSP`, …
    pub role: String,
    /// Its name.
    pub name: String,
    /// `business_details` as JSON, where it gave some.
    pub business_details: Option<String>,
    /// `PLANNED`, `CONNECTED` or `SUSPENDED`.
    pub status: String,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A token a platform may show us, by its hash: the token itself is not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the token in lower-case hex.
    pub hash: String,
    /// Whose it is.
    pub platform_id: String,
    /// `registration`, `pending`, `current` or `previous`.
    pub kind: String,
    /// When it stops working; `None` is never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl fmt::Debug for TokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRow")
            .field("platform_id", &self.platform_id)
            .field("kind", &self.kind)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A platform the operator lists: it starts as `PLANNED`, revision 1.
#[derive(Clone, Debug)]
pub struct NewPlatform {
    /// Client-made id.
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// Its options as JSON.
    pub options: String,
    /// Who may register from it.
    pub parties: Vec<PartyRow>,
    /// The registration token it may show, if one was made.
    pub token: Option<TokenRow>,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// A change of one platform, all or nothing (CR-34). `None` leaves a member as it is.
#[derive(Clone, Default)]
pub struct PlatformChange {
    /// Which platform.
    pub id: String,
    /// Refuse with `Conflict` when the platform is not at this revision any more.
    pub expected_revision: Option<i64>,
    /// What the operator calls it.
    pub name: Option<String>,
    /// `PLANNED`, `CONNECTED` or `SUSPENDED`.
    pub status: Option<String>,
    /// Its options as JSON.
    pub options: Option<String>,
    /// The OCPI version agreed on.
    pub version: Option<String>,
    /// Where its versions endpoint is.
    pub versions_url: Option<String>,
    /// The token it gave us; `Some(None)` forgets it.
    pub token_out: Option<Option<String>>,
    /// `base64` or `raw`.
    pub token_form: Option<String>,
    /// Its endpoints as a JSON list.
    pub endpoints: Option<String>,
    /// The full new list of its parties.
    pub parties: Option<Vec<PartyRow>>,
    /// The full new list of its tokens.
    pub tokens: Option<Vec<TokenRow>>,
    /// When this happens, for `updated_at`.
    pub at: Option<DateTime<Utc>>,
}

impl fmt::Debug for PlatformChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformChange")
            .field("id", &self.id)
            .field("expected_revision", &self.expected_revision)
            .field("status", &self.status)
            .field("parties", &self.parties)
            .finish_non_exhaustive()
    }
}

/// Everything needed to know who is connected, as of one revision.
#[derive(Clone, Debug)]
pub struct DirectoryRows {
    /// All platforms, by id.
    pub platforms: Vec<PlatformRow>,
    /// All parties, by key and role.
    pub parties: Vec<PartyRow>,
    /// All tokens, by hash.
    pub tokens: Vec<TokenRow>,
    /// The revision they belong to; see [`Store::directory_revision`].
    pub revision: i64,
}

impl Store {
    /// Lists a platform with the parties that may register from it. `Conflict` names a party that lives on another platform; nothing is written then.
    pub async fn platform_create(&self, new: NewPlatform) -> Result<(), StoreError> {
        self.later(new)
    }

    /// Changes a platform in one commit and returns its new revision. `NotFound` for an unknown platform, `Conflict` when it has moved on
    /// from `expected_revision` or a party lives on another platform; nothing is written then.
    pub async fn platform_change(&self, change: PlatformChange) -> Result<i64, StoreError> {
        self.later(change)
    }

    /// Forgets a platform, its parties and its tokens. What it sent and what it is owed stays.
    pub async fn platform_delete(&self, id: &str) -> Result<(), StoreError> {
        self.later(id)
    }

    /// Forgets tokens whose time is over and returns how many.
    pub async fn tokens_forget_expired(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.later(now)
    }

    /// Everything about platforms, parties and tokens, all of one revision.
    pub async fn directory_load(&self) -> Result<DirectoryRows, StoreError> {
        self.later(())
    }

    /// A number that moves with every change of platforms, parties or tokens. Cheap to ask.
    pub async fn directory_revision(&self) -> Result<i64, StoreError> {
        self.later(())
    }
}
