//! The peer begins: what the hub does when its credentials module is called.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::claim::claim;
use super::discover::{Discovered, Peer, Wanted, discover};
use crate::config::Secret;
use crate::ocpi::headers::MessageIds;
use crate::ocpi::ids::PartyId;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::Role;
use crate::ocpi::v2_2_1::credentials::{Credentials, CredentialsRole};
use crate::ocpi::versions::Version;
use crate::parties::directory::{PlatformFile, write_endpoints};
use crate::parties::tokens::{self, kind};
use crate::parties::{Caller, Failure, Parties, TokenKind};
use crate::routing::directory::PlatformStatus;
use crate::store::parties::{PartyRow, PlatformChange, TokenRow};

/// Which of the two ways a peer hands over its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// POST with a TOKEN_A.
    Register,
    /// PUT with its current token.
    Update,
}

/// More lost answers in a row than a patient peer produces within one grace; the oldest are given up first.
const MAX_PREVIOUS: usize = 8;

impl Parties {
    /// GET credentials: what the caller uses to reach this hub, with the token it presented (CR-20, D-06).
    #[must_use]
    pub fn credentials_shown_to(&self, caller: &Caller) -> String {
        self.own_credentials(&caller.presented)
    }

    /// POST or PUT of a peer's credentials: learns its API, and if everything is right makes it true in one commit.
    /// Returns the hub's credentials with the token the peer uses from now on.
    ///
    /// # Errors
    /// 405 when the method does not fit what the caller is (CR-21, CR-22); 400 and 2001 for the body (CR-31, CR-32, CR-09);
    /// 3001, 3002, 3003 when the peer's API does not do (CR-28 to CR-30). Whatever the error, nothing changed (CR-34).
    pub async fn take_credentials(
        &self,
        caller: &Caller,
        handover: Handover,
        version: Version,
        ids: &MessageIds,
        body: &[u8],
    ) -> Result<String, Failure> {
        may(caller.token, handover)?;
        let theirs = Credentials::read(body)?;
        let token_b = Secret::new(theirs.token.clone());
        let hash = tokens::hash_hex(caller.presented.expose());
        let file = self.file(&caller.platform.id).await?.ok_or_else(no_longer_known)?;
        self.still_may(&file, &hash, handover)?;
        // Before anybody is called: a list of roles that cannot be accepted needs no look at the peer's API.
        claim(&file.parties, &theirs.roles, self.now())?;

        let correlation_id = ids.correlation_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
        let peer = Peer {
            line: self.line(),
            platform: &caller.platform.id,
            versions_url: &theirs.url,
            token: &token_b,
            options: &caller.platform.options,
            correlation_id: &correlation_id,
        };
        let found = discover(&peer, Wanted::Exactly(version)).await.map_err(|failure| {
            log::warn!("platform {} could not register: {failure}", caller.platform.id);
            Refusal::from(failure)
        })?;

        let token = tokens::mint()?;
        self.change(&caller.platform.id, |file| {
            self.still_may(file, &hash, handover)?;
            let now = self.now();
            let parties = claim(&file.parties, &theirs.roles, now)?;
            let tokens = self.tokens_after(file, handover, &hash, &token, now);
            let announced = self.announced_to(&file.read(), version);
            Ok::<_, Refusal>(Some(connected(&theirs, &found, parties, tokens, announced)))
        })
        .await?;
        self.presence().begin_anew(&caller.platform.id);
        log::info!(
            "platform {} registered with OCPI {}",
            caller.platform.id,
            version.as_str()
        );
        Ok(self.own_credentials(&token))
    }

    /// DELETE credentials: the connection ends at once in both directions; the parties become SUSPENDED (CR-27, CR-42).
    ///
    /// # Errors
    /// 405 when the caller is not registered (CR-23).
    pub async fn forget_credentials(&self, caller: &Caller) -> Result<(), Failure> {
        let hash = tokens::hash_hex(caller.presented.expose());
        may_leave(caller.token)?;
        self.change(&caller.platform.id, |file| {
            let row = file.token(&hash, self.now()).ok_or_else(no_longer_known)?;
            may_leave(kind_of(row))?;
            Ok::<_, Refusal>(Some(left(file, self.now())))
        })
        .await?;
        self.presence().begin_anew(&caller.platform.id);
        log::info!("platform {} ended its registration", caller.platform.id);
        Ok(())
    }

    /// The hub's credentials with the token a peer shall use: one role, HUB (CR-38).
    pub(super) fn own_credentials(&self, token: &Secret) -> String {
        let settings = self.settings();
        let roles = vec![hub_role(&settings.hub, &settings.hub_name)];
        Credentials {
            token: token.expose().to_owned(),
            url: self.versions_url(),
            roles,
        }
        .write()
    }

    /// The same question as [`may`], asked of what is stored: somebody else may have been faster, or the operator may have
    /// said no meanwhile.
    fn still_may(&self, file: &PlatformFile, hash: &str, handover: Handover) -> Result<(), Refusal> {
        let platform = file.read();
        match file.token(hash, self.now()) {
            _ if platform.status == PlatformStatus::Suspended => Err(Refusal::forbidden("this platform is suspended")),
            Some(row) => may(kind_of(row), handover),
            // The TOKEN_A was used up by a registration that finished while this one was on its way.
            None if handover == Handover::Register && platform.status.is_registered() => Err(already_registered()),
            None => Err(no_longer_known()),
        }
    }

    /// The token list with a new current token: after POST nothing else, after PUT the replaced ones for their grace (CR-35).
    pub(super) fn tokens_after(
        &self,
        file: &PlatformFile,
        handover: Handover,
        presented: &str,
        token: &Secret,
        now: DateTime<Utc>,
    ) -> Vec<TokenRow> {
        let platform_id = file.platform.id.clone();
        let current = TokenRow {
            hash: tokens::hash_hex(token.expose()),
            platform_id,
            kind: kind::CURRENT.to_owned(),
            expires_at: None,
            created_at: now,
        };
        if handover == Handover::Register {
            return vec![current];
        }
        let end = now + self.settings().grace;
        let (replaced, kept): (Vec<_>, Vec<_>) = file
            .tokens
            .iter()
            .filter(|row| row.hash != current.hash)
            .cloned()
            .partition(|row| row.kind == kind::CURRENT || row.kind == kind::PREVIOUS);
        let mut replaced = replaced
            .into_iter()
            .map(|row| {
                let starts_now = row.kind == kind::CURRENT || row.hash == presented;
                let expires_at = if starts_now { Some(end) } else { row.expires_at };
                TokenRow {
                    kind: kind::PREVIOUS.to_owned(),
                    expires_at,
                    ..row
                }
            })
            .collect::<Vec<_>>();
        // The presented one first, then the youngest.
        replaced.sort_by_key(|row| (row.hash != presented, std::cmp::Reverse(row.created_at)));
        replaced.truncate(MAX_PREVIOUS);
        std::iter::once(current).chain(replaced).chain(kept).collect()
    }
}

/// The change that makes a platform CONNECTED. `announced` is the digest of what it read of our endpoints meanwhile (V-10).
pub(super) fn connected(
    theirs: &Credentials,
    found: &Discovered,
    parties: Vec<PartyRow>,
    tokens: Vec<TokenRow>,
    announced: (String, DateTime<Utc>),
) -> PlatformChange {
    PlatformChange {
        announced: Some(announced),
        status: Some(PlatformStatus::Connected.as_str().to_owned()),
        version: Some(found.version.as_str().to_owned()),
        versions_url: Some(theirs.url.clone()),
        token_out: Some(Some(theirs.token.clone())),
        token_form: Some(found.form.as_str().to_owned()),
        endpoints: Some(write_endpoints(&found.endpoints)),
        parties: Some(parties),
        tokens: Some(tokens),
        ..PlatformChange::default()
    }
}

/// The change that ends a registration.
fn left(file: &PlatformFile, now: DateTime<Utc>) -> PlatformChange {
    let suspended = |row: &PartyRow| {
        let mut row = row.clone();
        if row.status == PlatformStatus::Connected.as_str() {
            row.status = PlatformStatus::Suspended.as_str().to_owned();
            row.updated_at = now;
        }
        row
    };
    PlatformChange {
        status: Some(PlatformStatus::Suspended.as_str().to_owned()),
        token_out: Some(None),
        parties: Some(file.parties.iter().map(suspended).collect()),
        tokens: Some(Vec::new()),
        ..PlatformChange::default()
    }
}

fn hub_role(hub: &PartyId, name: &str) -> CredentialsRole {
    CredentialsRole {
        role: Role::Hub,
        party: hub.clone(),
        business_details: None,
        name: name.to_owned(),
    }
}

fn may(token: TokenKind, handover: Handover) -> Result<(), Refusal> {
    match (handover, token) {
        (Handover::Register, TokenKind::Registration) => Ok(()),
        (Handover::Update, TokenKind::Current | TokenKind::Previous) => Ok(()),
        (Handover::Register, TokenKind::Current | TokenKind::Previous) => Err(already_registered()),
        (Handover::Register, TokenKind::Pending) => Err(Refusal::method_not_allowed(
            "this token belongs to a registration the hub began: answer that one",
        )),
        (Handover::Update, TokenKind::Registration | TokenKind::Pending) => {
            Err(Refusal::method_not_allowed("not registered yet: use POST"))
        }
    }
}

fn may_leave(token: TokenKind) -> Result<(), Refusal> {
    match token {
        TokenKind::Current | TokenKind::Previous => Ok(()),
        TokenKind::Registration | TokenKind::Pending => {
            Err(Refusal::method_not_allowed("not registered: nothing to delete"))
        }
    }
}

fn kind_of(row: &TokenRow) -> TokenKind {
    match row.kind.as_str() {
        kind::CURRENT => TokenKind::Current,
        kind::PREVIOUS => TokenKind::Previous,
        kind::PENDING => TokenKind::Pending,
        _ => TokenKind::Registration,
    }
}

fn already_registered() -> Refusal {
    Refusal::method_not_allowed("already registered: use PUT")
}

fn no_longer_known() -> Refusal {
    Refusal::unauthenticated("this token is no longer known")
}
