//! Platforms, their parties and the tokens they may show us.

use std::fmt;

use chrono::{DateTime, Utc};

use diesel::{AsChangeset, Insertable, Queryable, Selectable};

use super::agreements::IN_FORCE;
use super::presence::{PresenceRecord, PresenceRow};
use super::schema::{agreements, parties, platforms, presence, revisions, tokens};
use super::sealed::of_platform;
use super::value::{instant, later, micros};
use super::{Store, StoreError, ask, both, change};

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
    /// A digest of the endpoints the platform was told with this handshake, and when it may be told others at the earliest (V-10).
    pub announced: Option<(String, DateTime<Utc>)>,
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
    /// The state every platform was last seen in.
    pub presence: Vec<PresenceRow>,
    /// The agreements in force, as JSON; `None` before the first.
    pub agreements: Option<String>,
    /// The revision they belong to; see [`Store::directory_revision`].
    pub revision: i64,
}

impl Store {
    /// Lists a platform with the parties that may register from it. `Conflict` names a party that lives on another platform; nothing is written then.
    pub async fn platform_create(&self, new: NewPlatform) -> Result<(), StoreError> {
        change!(self, create(new))
    }

    /// Changes a platform in one commit and returns its new revision. `NotFound` for an unknown platform, `Conflict` when it has moved on
    /// from `expected_revision` or a party lives on another platform; nothing is written then.
    pub async fn platform_change(&self, change: PlatformChange) -> Result<i64, StoreError> {
        let kept = match &change.token_out {
            None => None,
            Some(None) => Some(KeptToken::default()),
            Some(Some(token)) => Some(self.kept(&change.id, token)?),
        };
        change!(self, change(change, kept))
    }

    fn kept(&self, platform: &str, token: &str) -> Result<KeptToken, StoreError> {
        let kept = self.closed(&of_platform(platform), token)?;
        Ok(match self.has_keys() {
            true => KeptToken {
                token_sealed: Some(kept),
                ..KeptToken::default()
            },
            false => KeptToken {
                token_out: Some(kept),
                ..KeptToken::default()
            },
        })
    }

    /// Forgets a platform, its parties and its tokens. What it sent and what it is owed stays.
    pub async fn platform_delete(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        change!(self, delete(id))
    }

    /// Forgets tokens whose time is over and returns how many.
    pub async fn tokens_forget_expired(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let now = micros(now);
        change!(self, forget_expired(now))
    }

    /// Everything about platforms, parties and tokens, all of one revision.
    pub async fn directory_load(&self) -> Result<DirectoryRows, StoreError> {
        // Tables read one after the other belong together when nothing has moved meanwhile. Changes are rare; ten in a row mean
        // that something else is wrong.
        for _ in 0..10 {
            if let Some(records) = ask!(self, load())? {
                return records.read(self);
            }
        }
        Err(StoreError::Busy)
    }

    /// A number that moves with every change of platforms, parties or tokens. Cheap to ask.
    pub async fn directory_revision(&self) -> Result<i64, StoreError> {
        ask!(self, revision())
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = platforms, treat_none_as_default_value = false)]
struct PlatformRecord {
    id: String,
    name: String,
    status: String,
    options: String,
    version: Option<String>,
    versions_url: Option<String>,
    token_out: Option<String>,
    token_form: String,
    endpoints: String,
    created_at: i64,
    updated_at: i64,
    revision: i64,
    token_sealed: Option<String>,
}

/// A platform's token as the two columns for it hold it: closed in one, or as it is in the other.
#[derive(Default)]
struct KeptToken {
    token_out: Option<String>,
    token_sealed: Option<String>,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = parties, treat_none_as_default_value = false)]
struct PartyRecord {
    party_key: String,
    role: String,
    platform_id: String,
    country_code: String,
    party_id: String,
    name: String,
    business_details: Option<String>,
    status: String,
    updated_at: i64,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = tokens, treat_none_as_default_value = false)]
struct TokenRecord {
    hash: String,
    platform_id: String,
    kind: String,
    expires_at: Option<i64>,
    created_at: i64,
}

/// What a change sets; `None` is left alone.
#[derive(AsChangeset)]
#[diesel(table_name = platforms)]
struct PlatformUpdate<'a> {
    name: Option<&'a str>,
    status: Option<&'a str>,
    options: Option<&'a str>,
    version: Option<&'a str>,
    versions_url: Option<&'a str>,
    token_out: Option<Option<&'a str>>,
    token_form: Option<&'a str>,
    endpoints: Option<&'a str>,
    updated_at: Option<i64>,
    revision: i64,
    token_sealed: Option<Option<&'a str>>,
}

struct DirectoryRecords {
    platforms: Vec<PlatformRecord>,
    parties: Vec<PartyRecord>,
    tokens: Vec<TokenRecord>,
    presence: Vec<PresenceRecord>,
    agreements: Option<String>,
    revision: i64,
}

/// Country and party without case, as they are compared (CR-33).
pub(super) fn party_key(country_code: &str, party_id: &str) -> String {
    format!("{country_code}/{party_id}").to_ascii_uppercase()
}

both! {
    pub(super) async fn create(c: &mut Connection, new: &NewPlatform) -> Result<(), StoreError> {
        moved(c).await?;
        let record = PlatformRecord {
            id: new.id.clone(),
            name: new.name.clone(),
            status: "PLANNED".to_owned(),
            options: new.options.clone(),
            version: None,
            versions_url: None,
            token_out: None,
            token_form: "base64".to_owned(),
            endpoints: "[]".to_owned(),
            created_at: micros(new.created_at),
            updated_at: micros(new.created_at),
            revision: 1,
            token_sealed: None,
        };
        diesel::insert_into(platforms::table).values(&record).execute(c).await?;
        liveness::note(c, &new.id, "PLANNED", &record.created_at).await?;
        settle_in(c, &new.id, &new.parties).await?;
        match &new.token {
            Some(token) => admit(c, &new.id, std::slice::from_ref(token)).await,
            None => Ok(()),
        }
    }

    pub(super) async fn change(c: &mut Connection, change: &PlatformChange, kept: &Option<KeptToken>) -> Result<i64, StoreError> {
        moved(c).await?;
        let found: Option<i64> =
            platforms::table.filter(platforms::id.eq(&change.id)).select(platforms::revision).first(c).await.optional()?;
        let revision = found.ok_or(StoreError::NotFound)?;
        if let Some(expected) = change.expected_revision && expected != revision {
            return Err(StoreError::Conflict(format!("platform {} is at revision {revision}, not {expected}", change.id)));
        }
        let update = PlatformUpdate {
            name: change.name.as_deref(),
            status: change.status.as_deref(),
            options: change.options.as_deref(),
            version: change.version.as_deref(),
            versions_url: change.versions_url.as_deref(),
            token_out: kept.as_ref().map(|kept| kept.token_out.as_deref()),
            token_sealed: kept.as_ref().map(|kept| kept.token_sealed.as_deref()),
            token_form: change.token_form.as_deref(),
            endpoints: change.endpoints.as_deref(),
            updated_at: change.at.map(micros),
            revision: revision + 1,
        };
        diesel::update(platforms::table.filter(platforms::id.eq(&change.id))).set(update).execute(c).await?;
        if let (Some(status), Some(at)) = (&change.status, change.at) {
            liveness::note(c, &change.id, status, &micros(at)).await?;
        }
        if let Some((digest, not_before)) = &change.announced {
            announcements::told(c, &change.id, digest, &micros(*not_before)).await?;
        }
        if let Some(parties) = &change.parties {
            diesel::delete(parties::table.filter(parties::platform_id.eq(&change.id))).execute(c).await?;
            settle_in(c, &change.id, parties).await?;
        }
        if let Some(tokens) = &change.tokens {
            diesel::delete(tokens::table.filter(tokens::platform_id.eq(&change.id))).execute(c).await?;
            admit(c, &change.id, tokens).await?;
        }
        Ok(revision + 1)
    }

    pub(super) async fn delete(c: &mut Connection, id: &str) -> Result<(), StoreError> {
        moved(c).await?;
        diesel::delete(parties::table.filter(parties::platform_id.eq(id))).execute(c).await?;
        diesel::delete(tokens::table.filter(tokens::platform_id.eq(id))).execute(c).await?;
        liveness::forget(c, id).await?;
        announcements::forget(c, id).await?;
        match diesel::delete(platforms::table.filter(platforms::id.eq(id))).execute(c).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    pub(super) async fn forget_expired(c: &mut Connection, now: &i64) -> Result<u64, StoreError> {
        let expired: i64 = tokens::table.filter(tokens::expires_at.le(*now)).count().get_result(c).await?;
        if expired == 0 {
            return Ok(0);
        }
        moved(c).await?;
        let gone = diesel::delete(tokens::table.filter(tokens::expires_at.le(*now))).execute(c).await?;
        Ok(gone as u64)
    }

    pub(super) async fn revision(c: &mut Connection) -> Result<i64, StoreError> {
        Ok(revisions::table.filter(revisions::name.eq("directory")).select(revisions::value).first(c).await?)
    }

    /// `None` when something moved between the first table and the last.
    pub(super) async fn load(c: &mut Connection) -> Result<Option<DirectoryRecords>, StoreError> {
        let before = revision(c).await?;
        let records = DirectoryRecords {
            platforms: platforms::table.order(platforms::id).select(PlatformRecord::as_select()).load(c).await?,
            parties: parties::table
                .order((parties::party_key, parties::role))
                .select(PartyRecord::as_select())
                .load(c)
                .await?,
            tokens: tokens::table.order(tokens::hash).select(TokenRecord::as_select()).load(c).await?,
            presence: presence::table.order(presence::platform_id).select(PresenceRecord::as_select()).load(c).await?,
            agreements: agreements::table
                .filter(agreements::name.eq(IN_FORCE))
                .select(agreements::document)
                .first(c)
                .await
                .optional()?,
            revision: before,
        };
        Ok((revision(c).await? == before).then_some(records))
    }

    /// Moves the counter. Always first: the row it locks makes changes of the directory wait for each other, between processes too, so
    /// that what is read after it cannot change under our hands.
    async fn moved(c: &mut Connection) -> Result<(), StoreError> {
        let counter = revisions::table.filter(revisions::name.eq("directory"));
        diesel::update(counter).set(revisions::value.eq(revisions::value + 1)).execute(c).await?;
        Ok(())
    }

    async fn settle_in(c: &mut Connection, platform: &str, rows: &[PartyRow]) -> Result<(), StoreError> {
        for row in rows {
            let record = PartyRecord::new(platform, row);
            let taken: Option<String> = parties::table
                .filter(parties::party_key.eq(&record.party_key))
                .filter(parties::role.eq(&record.role))
                .select(parties::platform_id)
                .first(c)
                .await
                .optional()?;
            if let Some(other) = taken {
                let twice = if other == platform { "listed twice" } else { "registered by another platform" };
                return Err(StoreError::Conflict(format!("{} {} is {twice}", record.party_key, record.role)));
            }
            diesel::insert_into(parties::table).values(&record).execute(c).await?;
        }
        Ok(())
    }

    async fn admit(c: &mut Connection, platform: &str, rows: &[TokenRow]) -> Result<(), StoreError> {
        for row in rows {
            let record = TokenRecord {
                hash: row.hash.clone(),
                platform_id: platform.to_owned(),
                kind: row.kind.clone(),
                expires_at: row.expires_at.map(micros),
                created_at: micros(row.created_at),
            };
            diesel::insert_into(tokens::table).values(&record).execute(c).await?;
        }
        Ok(())
    }
}

impl PartyRecord {
    fn new(platform: &str, row: &PartyRow) -> PartyRecord {
        PartyRecord {
            party_key: party_key(&row.country_code, &row.party_id),
            role: row.role.clone(),
            platform_id: platform.to_owned(),
            country_code: row.country_code.clone(),
            party_id: row.party_id.clone(),
            name: row.name.clone(),
            business_details: row.business_details.clone(),
            status: row.status.clone(),
            updated_at: micros(row.updated_at),
        }
    }

    fn read(self) -> Result<PartyRow, StoreError> {
        Ok(PartyRow {
            platform_id: self.platform_id,
            country_code: self.country_code,
            party_id: self.party_id,
            role: self.role,
            name: self.name,
            business_details: self.business_details,
            status: self.status,
            updated_at: instant(self.updated_at)?,
        })
    }
}

impl DirectoryRecords {
    fn read(self, store: &Store) -> Result<DirectoryRows, StoreError> {
        Ok(DirectoryRows {
            platforms: self
                .platforms
                .into_iter()
                .map(|record| record.read(store))
                .collect::<Result<_, _>>()?,
            parties: self
                .parties
                .into_iter()
                .map(PartyRecord::read)
                .collect::<Result<_, _>>()?,
            tokens: self
                .tokens
                .into_iter()
                .map(TokenRecord::read)
                .collect::<Result<_, _>>()?,
            presence: self
                .presence
                .into_iter()
                .map(PresenceRecord::read)
                .collect::<Result<_, _>>()?,
            agreements: self.agreements,
            revision: self.revision,
        })
    }
}

impl PlatformRecord {
    fn read(self, store: &Store) -> Result<PlatformRow, StoreError> {
        // What stands there as it is was written by a program that knew no keys, and so after whatever was closed.
        let token_out = match (self.token_out, self.token_sealed) {
            (Some(plain), _) => Some(plain),
            (None, closed) => closed
                .map(|closed| store.opened(&of_platform(&self.id), closed))
                .transpose()?,
        };
        Ok(PlatformRow {
            id: self.id,
            name: self.name,
            status: self.status,
            options: self.options,
            version: self.version,
            versions_url: self.versions_url,
            token_out,
            token_form: self.token_form,
            endpoints: self.endpoints,
            created_at: instant(self.created_at)?,
            updated_at: instant(self.updated_at)?,
            revision: self.revision,
        })
    }
}

impl TokenRecord {
    fn read(self) -> Result<TokenRow, StoreError> {
        Ok(TokenRow {
            hash: self.hash,
            platform_id: self.platform_id,
            kind: self.kind,
            expires_at: later(self.expires_at)?,
            created_at: instant(self.created_at)?,
        })
    }
}
