//! The hub begins: registering at a peer with the TOKEN_A it gave, renewing that registration, and saying goodbye.

use std::sync::Arc;

use chrono::TimeDelta;
use uuid::Uuid;

use super::answered::{Handover, connected};
use super::claim::{claim, only_listed};
use super::discover::{Peer, Wanted, credentials_endpoint, data_of, discover};
use super::{HandshakeFailure, Step};
use crate::client::Method;
use crate::client::outcome::Outcome;
use crate::config::Secret;
use crate::ocpi::envelope;
use crate::ocpi::ids::PlatformId;
use crate::ocpi::refusal::Situation;
use crate::ocpi::url;
use crate::ocpi::v2_2_1::credentials::Credentials;
use crate::parties::change::NotChanged;
use crate::parties::directory::PlatformFile;
use crate::parties::operate::Declined;
use crate::parties::tokens::{self, kind};
use crate::parties::{Fault, Parties};
use crate::routing::directory::{Platform, PlatformStatus};
use crate::store::parties::{PlatformChange, TokenRow};

/// How long a token handed out in a handshake the hub began opens the versions endpoint: four requests of the longest
/// deadline, then whoever crashed meanwhile left nothing behind.
const PENDING_FOR: TimeDelta = TimeDelta::minutes(8);

impl Parties {
    /// Starts a handshake with a platform and returns it registered.
    ///
    /// With a `token_a` the hub registers anew (POST). Without one it renews a registration that stands: endpoints are read
    /// again and both tokens change (PUT; V-10, T-11).
    ///
    /// # Errors
    /// [`Declined::Handshake`] with the step and what the peer said; the former state then still works (CR-34).
    pub async fn register(
        &self,
        id: &PlatformId,
        versions_url: Option<String>,
        token_a: Option<Secret>,
    ) -> Result<Arc<Platform>, Declined> {
        let file = self.file(id).await?.ok_or(Declined::Unknown)?;
        let platform = file.read();
        if platform.status == PlatformStatus::Suspended && !platform.has_left() {
            return Err(Declined::Conflict(
                "the platform is suspended: resume it first".to_owned(),
            ));
        }
        let handover = if token_a.is_some() {
            Handover::Register
        } else {
            Handover::Update
        };
        let token = token_a
            .or_else(|| platform.token_out.clone().filter(|_| platform.status.is_registered()))
            .ok_or_else(|| Declined::Conflict("the platform is not registered, so token_a is required".to_owned()))?;
        let versions_url = versions_url.or_else(|| platform.versions_url.clone()).ok_or_else(|| {
            Declined::Conflict("no versions URL is known yet, so versions_url is required".to_owned())
        })?;

        if url::host_and_port(&versions_url) == url::host_and_port(&self.settings().public_url) {
            return Err(Declined::Conflict("versions_url is this hub's own".to_owned()));
        }

        let ours = tokens::mint()?;
        self.lend(id, &ours).await?;
        let begun = Begun {
            parties: self,
            platform: &platform,
            handover,
            ours: &ours,
        };
        let correlation_id = Uuid::new_v4().to_string();
        let peer = Peer {
            line: self.line(),
            platform: &platform.id,
            versions_url: &versions_url,
            token: &token,
            options: &platform.options,
            correlation_id: &correlation_id,
        };
        let done = begun.run(&peer).await;
        if let Err(not) = &done {
            log::warn!("the handshake with platform {id} failed: {not}");
            self.take_back(id, &ours, begun.keep_token(not)).await;
        }
        done?;
        self.presence().begin_anew(id);
        self.snapshot().directory().platform(id).ok_or(Declined::Unknown)
    }

    /// Makes a token valid for the versions endpoint, because the peer will use it before it answers (CR-07).
    async fn lend(&self, id: &PlatformId, token: &Secret) -> Result<(), Declined> {
        self.change(id, |file| {
            let now = self.now();
            let mut tokens = file.tokens.clone();
            tokens.push(TokenRow {
                hash: tokens::hash_hex(token.expose()),
                platform_id: file.platform.id.clone(),
                kind: kind::PENDING.to_owned(),
                expires_at: Some(now + PENDING_FOR),
                created_at: now,
            });
            Ok::<_, Declined>(Some(PlatformChange {
                tokens: Some(tokens),
                ..PlatformChange::default()
            }))
        })
        .await
        .map_err(Declined::from)
    }

    /// Undoes [`Parties::lend`]; with `keep` the token stays as good as the current one instead.
    async fn take_back(&self, id: &PlatformId, token: &Secret, keep: bool) {
        let hash = tokens::hash_hex(token.expose());
        let done = self
            .change(id, |file| {
                let mut tokens = file.tokens.clone();
                if keep {
                    for row in tokens.iter_mut().filter(|row| row.hash == hash) {
                        row.kind = kind::CURRENT.to_owned();
                        row.expires_at = None;
                    }
                } else {
                    tokens.retain(|row| row.hash != hash);
                }
                let changed = tokens != file.tokens;
                Ok::<_, Declined>(changed.then(|| PlatformChange {
                    tokens: Some(tokens),
                    ..PlatformChange::default()
                }))
            })
            .await;
        match done {
            Ok(()) | Err(NotChanged::Vanished) => {}
            Err(_) => log::warn!("a token lent to platform {id} lives on until it expires"),
        }
    }

    /// Tells a peer that the hub ends the registration (CR-27). Nobody waits for the answer, and none changes anything.
    pub(crate) fn say_goodbye(&self, platform: Arc<Platform>) {
        let line = self.line().clone();
        tokio::spawn(async move {
            let (Some(token), Some(url)) = (&platform.token_out, &platform.versions_url) else {
                return;
            };
            let correlation_id = Uuid::new_v4().to_string();
            let peer = Peer {
                line: &line,
                platform: &platform.id,
                versions_url: url,
                token,
                options: &platform.options,
                correlation_id: &correlation_id,
            };
            if let Some(endpoint) = credentials_endpoint(&platform.endpoints) {
                peer.call_at(Method::DELETE, endpoint, platform.token_form, None, &platform.endpoints)
                    .await;
            }
        });
    }
}

/// One handshake on its way.
struct Begun<'a> {
    parties: &'a Parties,
    platform: &'a Platform,
    handover: Handover,
    ours: &'a Secret,
}

/// How a handshake the hub began ended badly.
enum Ended {
    /// Before the peer could have accepted anything.
    Before(Declined),
    /// The peer's answer is not known, or not usable.
    Unclear(Declined),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Ended::Before(why) | Ended::Unclear(why)) = self;
        why.fmt(f)
    }
}

impl From<Ended> for Declined {
    fn from(ended: Ended) -> Declined {
        let (Ended::Before(why) | Ended::Unclear(why)) = ended;
        why
    }
}

impl Begun<'_> {
    async fn run(&self, peer: &Peer<'_>) -> Result<(), Ended> {
        let found = discover(peer, Wanted::Highest).await.map_err(|failure| match failure {
            // The operator's own URL, not something a peer said.
            HandshakeFailure {
                step: Step::Versions,
                not_called: true,
                message,
                ..
            } => Ended::Before(Declined::field("/versions_url", message)),
            failure => before(failure),
        })?;
        let Some(url) = credentials_endpoint(&found.endpoints) else {
            let missing = "the credentials endpoint is not listed";
            return Err(before(HandshakeFailure::new(
                Step::VersionDetails,
                Situation::NoMatchingEndpoints,
                missing,
            )));
        };
        let method = if self.handover == Handover::Register {
            Method::POST
        } else {
            Method::PUT
        };
        let body = self.parties.own_credentials(self.ours);
        let outcome = peer
            .call_at(method, url, found.form, Some(body), &found.endpoints)
            .await;
        let is_known = is_clearly_no(&outcome);
        let data = data_of(Step::Credentials, outcome).map_err(|failure| match is_known {
            true => before(failure),
            false => unclear(failure),
        })?;
        let theirs = Credentials::read(data.get().as_bytes()).map_err(|refusal| {
            unclear(HandshakeFailure::new(
                Step::Credentials,
                Situation::UnusableClientApi,
                refusal.message,
            ))
        })?;
        let committed = self.commit(&theirs, &found).await;
        if committed.is_err() && self.handover == Handover::Register {
            // The peer believes in a registration that does not exist here: undo it with the token it just gave.
            let token = Secret::new(theirs.token.clone());
            let undo = Peer { token: &token, ..*peer };
            undo.call_at(Method::DELETE, url, found.form, None, &found.endpoints)
                .await;
        }
        committed.map_err(Ended::Unclear)
    }

    async fn commit(&self, theirs: &Credentials, found: &super::discover::Discovered) -> Result<(), Declined> {
        let hash = tokens::hash_hex(self.ours.expose());
        let id = &self.platform.id;
        let changed = self.parties.change(id, |file| {
            self.still_wanted(file, &hash)?;
            let now = self.parties.now();
            let mut theirs = theirs.clone();
            if self.handover == Handover::Update {
                theirs.roles = only_listed(&file.parties, theirs.roles);
            }
            let parties = claim(&file.parties, &theirs.roles, now)
                .map_err(|no| failed(HandshakeFailure::new(Step::Credentials, no.situation, no.message)))?;
            let tokens = self.parties.tokens_after(file, self.handover, &hash, self.ours, now);
            let announced = self.parties.announced_to(&file.read(), found.version);
            Ok::<_, Declined>(Some(connected(&theirs, found, parties, tokens, announced)))
        });
        changed.await.map_err(|not| match not {
            NotChanged::Vanished => failed(commit_failure("the platform was deleted meanwhile")),
            not => not.into(),
        })
    }

    fn still_wanted(&self, file: &PlatformFile, hash: &str) -> Result<(), Declined> {
        let platform = file.read();
        if platform.status == PlatformStatus::Suspended && !platform.has_left() {
            return Err(failed(commit_failure("the platform was suspended meanwhile")));
        }
        match file.token(hash, self.parties.now()) {
            Some(_) => Ok(()),
            None => Err(failed(commit_failure(
                "the platform registered or left by itself meanwhile",
            ))),
        }
    }

    /// After a PUT whose answer is not known the peer may be using the token it carried: locking it out would be worse than
    /// accepting two tokens of the same peer.
    fn keep_token(&self, ended: &Ended) -> bool {
        self.handover == Handover::Update && matches!(ended, Ended::Unclear(_))
    }
}

/// Whether the peer certainly did not accept: not reached, or answered with a refusal of its own.
fn is_clearly_no(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) => match envelope::read(&answer.body) {
            Ok(envelope) => !envelope.status_code.is_success(),
            Err(_) => (300..500).contains(&answer.status),
        },
        Outcome::Unreachable(_) | Outcome::NotAllowed(_) => true,
        Outcome::TimedOut | Outcome::Nonsense(_) => false,
    }
}

fn before(failure: HandshakeFailure) -> Ended {
    Ended::Before(failed(failure))
}

fn unclear(failure: HandshakeFailure) -> Ended {
    Ended::Unclear(failed(failure))
}

fn failed(failure: HandshakeFailure) -> Declined {
    Declined::Handshake(Box::new(failure))
}

fn commit_failure(message: &str) -> HandshakeFailure {
    HandshakeFailure::new(Step::Commit, Situation::HubError, message)
}

impl From<NotChanged<Declined>> for Declined {
    fn from(not: NotChanged<Declined>) -> Declined {
        match not {
            NotChanged::Vanished => Declined::Unknown,
            NotChanged::Refused(declined) => declined,
            NotChanged::Taken(why) => Declined::Conflict(why),
            NotChanged::Ours(fault) => Declined::Ours(fault),
        }
    }
}

impl From<Fault> for Declined {
    fn from(fault: Fault) -> Declined {
        Declined::Ours(fault)
    }
}
