//! Who is calling: from the Authorization header to a platform, without a database read for anybody we know.

use std::convert::Infallible;
use std::sync::Arc;

use super::directory::TokenEntry;
pub use super::directory::TokenKind;
use super::tokens::kind;
use super::{Parties, Snapshot};
use crate::config::Secret;
use crate::ocpi::headers::token_candidates;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::versions::Version;
use crate::routing::directory::{Directory, Platform, PlatformStatus, TokenEncoding};
use crate::store::parties::PlatformChange;

/// A platform that presented a token we know.
#[derive(Clone)]
pub struct Caller {
    /// The platform the token names. The acting *party* is a matter of the routing headers (T-05).
    pub platform: Arc<Platform>,
    /// What the token is good for.
    pub token: TokenKind,
    /// The token as presented: GET credentials echoes it, since only its hash is kept (D-06).
    pub presented: Secret,
    /// The token before this one still works: until this caller is welcomed.
    replaces_another: bool,
    snapshot: Arc<Snapshot>,
}

impl Caller {
    /// The directory this caller was recognised in: one request sees one state of the world.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        self.snapshot.directory()
    }

    /// One that is SUSPENDED is known, and nothing is done for it.
    ///
    /// # Errors
    /// 403 for such a platform, whatever its token.
    pub fn must_not_be_suspended(&self) -> Result<(), Refusal> {
        match self.platform.status {
            PlatformStatus::Suspended => Err(Refusal::forbidden("this platform is suspended")),
            _ => Ok(()),
        }
    }

    /// Only a registered platform may go beyond versions and credentials.
    ///
    /// # Errors
    /// 401 for a TOKEN_A, however valid (T-04).
    pub fn must_be_registered(&self) -> Result<(), Refusal> {
        match self.token {
            TokenKind::Current | TokenKind::Previous => Ok(()),
            TokenKind::Registration | TokenKind::Pending => Err(Refusal::unauthenticated(
                "a registration token opens versions and credentials only",
            )),
        }
    }
}

impl Parties {
    /// The platform that presents this Authorization header at a URL of `version` (`None` where the URL has none).
    ///
    /// Nothing is done for it yet: who is known may still ask too often ([`Parties::welcome`]).
    ///
    /// # Errors
    /// 401 when the header is missing, unusable or of nobody (T-03).
    pub fn recognise(&self, authorization: Option<&str>, version: Option<Version>) -> Result<Caller, Refusal> {
        let snapshot = self.snapshot();
        let Some(authorization) = authorization else {
            // F-01: some peers forget the header on GET versions; the log line says which header it was.
            log::info!("refused: no Authorization header");
            return Err(Refusal::unauthenticated("the Authorization header is missing"));
        };
        let Some((presented, entry, platform)) = self.bearer(&snapshot, authorization, version) else {
            log::info!("refused: the Authorization header carries no token of a known platform");
            return Err(Refusal::unauthenticated(
                "the Authorization header carries no known token",
            ));
        };
        Ok(Caller {
            platform,
            token: entry.kind,
            presented,
            replaces_another: entry.kind == TokenKind::Current && entry.has_previous,
            snapshot,
        })
    }

    /// Looks whether the directory has moved on, where a header carries a token nobody here has heard of: another process may have agreed on
    /// it a moment ago. The only case in which a stranger makes the hub ask its database; before the request is read any further, so that who
    /// it is stands when somebody asks.
    pub async fn look_around(&self, authorization: Option<&str>) {
        let Some(candidates) = authorization.and_then(token_candidates) else {
            return;
        };
        let (snapshot, now) = (self.snapshot(), self.now());
        let is_known = |token: &str| snapshot.token(token, now).is_some();
        if !candidates.decoded.as_deref().is_some_and(is_known) && !is_known(&candidates.raw) {
            self.is_behind().await;
        }
    }

    /// Takes note that this platform speaks. Being heard is evidence of life (HCI-09). The first use of a new token ends the one
    /// before (CR-35); that is the only case in which the database is touched.
    pub async fn welcome(&self, caller: &Caller) {
        if caller.replaces_another {
            self.retire_previous(&caller.platform).await;
        }
        self.presence().heard(&caller.platform.id);
    }

    fn bearer(
        &self,
        snapshot: &Snapshot,
        authorization: &str,
        version: Option<Version>,
    ) -> Option<(Secret, TokenEntry, Arc<Platform>)> {
        let candidates = token_candidates(authorization)?;
        let known = |token: String, raw: bool| {
            let entry = snapshot.token(&token, self.now())?.clone();
            let platform = snapshot.directory().platform(&entry.platform)?;
            (!raw || may_be_raw(&platform, version)).then(|| (Secret::new(token), entry, platform))
        };
        candidates
            .decoded
            .and_then(|token| known(token, false))
            .or_else(|| known(candidates.raw, true))
    }

    /// Ends the tokens before the current one. A failure costs nothing but that they live until their grace ends.
    async fn retire_previous(&self, platform: &Platform) {
        let retired = self
            .change(&platform.id, |file| {
                let tokens = file
                    .tokens
                    .iter()
                    .filter(|row| row.kind != kind::PREVIOUS)
                    .cloned()
                    .collect::<Vec<_>>();
                let fewer = tokens.len() < file.tokens.len();
                Ok::<_, Infallible>(fewer.then(|| PlatformChange {
                    tokens: Some(tokens),
                    ..PlatformChange::default()
                }))
            })
            .await;
        if let Err(not) = retired {
            log::warn!(
                "the previous token of platform {} lives on until its grace ends: {not:?}",
                platform.id
            );
        }
    }
}

/// Whether a token may arrive unencoded (D-01): from a peer the operator flagged, from one registered with 2.2, and from
/// one not registered yet unless it is calling a 2.2.1 URL, whose edition knows Base64 only (T-02).
fn may_be_raw(platform: &Platform, called: Option<Version>) -> bool {
    match platform.options.token_encoding {
        TokenEncoding::Raw => true,
        TokenEncoding::Base64 => false,
        TokenEncoding::Auto => match platform.version {
            Some(registered) => registered == Version::V2_2,
            None => called != Some(Version::V2_2_1),
        },
    }
}
