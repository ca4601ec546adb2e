//! What an operator does with platforms: list who may register, stop, resume, hand out a TOKEN_A, remove.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::change::NotChanged;
use super::directory::PlatformFile;
use super::failure::Fault;
use super::handshake::HandshakeFailure;
use super::tokens::{self, kind};
use super::{Parties, options};
use crate::config::Secret;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::role::Role;
use crate::routing::directory::{Platform, PlatformOptions, PlatformStatus};
use crate::store::error::StoreError;
use crate::store::parties::{NewPlatform, PartyRow, PlatformChange, TokenRow};

/// A party and a role the operator lists for a platform, and where in the request it stood.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The party.
    pub party: PartyId,
    /// In this role.
    pub role: Role,
    /// What to call it until it registers with a name of its own.
    pub name: String,
    /// JSON pointer of the role in the operator's request.
    pub pointer: String,
}

/// Why an operator's wish was not granted.
#[derive(Debug, thiserror::Error)]
pub enum Declined {
    /// No such platform.
    #[error("there is no such platform")]
    Unknown,
    /// It contradicts what is already there.
    #[error("{0}")]
    Conflict(String),
    /// One member of the request cannot be accepted.
    #[error("{pointer}: {reason}")]
    Field {
        /// JSON pointer into the request.
        pointer: String,
        /// Why, as a sentence.
        reason: String,
    },
    /// The peer did not play along.
    #[error("{0}")]
    Handshake(Box<HandshakeFailure>),
    /// It was us.
    #[error("{}", .0.chain())]
    Ours(Fault),
}

impl Declined {
    /// A member of the request that cannot be accepted.
    pub fn field(pointer: impl Into<String>, reason: impl Into<String>) -> Declined {
        Declined::Field {
            pointer: pointer.into(),
            reason: reason.into(),
        }
    }
}

impl Parties {
    /// Lists a new platform with the parties and roles it may register, and makes its TOKEN_A (CR-01, CR-09).
    ///
    /// # Errors
    /// [`Declined::Field`] for an option out of range; [`Declined::Conflict`] for the hub's own party, a role listed twice, or
    /// one that another platform has.
    pub async fn plan(
        &self,
        name: String,
        listed: Vec<Listed>,
        wishes: &Map<String, Value>,
    ) -> Result<(Arc<Platform>, Secret), Declined> {
        self.check(&listed)?;
        let options = self.patched(PlatformOptions::default(), wishes)?;
        let id = PlatformId::from(Uuid::now_v7().to_string());
        let now = self.now();
        let token = tokens::mint()?;
        let new = NewPlatform {
            id: id.to_string(),
            name,
            options: options::kept(&options).to_string(),
            parties: listed.iter().map(|entry| planned(&id, entry, now)).collect(),
            token: Some(registration(&id, &token, now)),
            created_at: now,
        };
        match self.store.platform_create(new).await {
            Ok(()) => {}
            Err(StoreError::Conflict(why)) => return Err(Declined::Conflict(why)),
            Err(error) => return Err(Fault::new("keeping a new platform", error).into()),
        }
        self.reload().await?;
        Ok((self.known(&id)?, token))
    }

    /// Changes what is said about a platform. `listed` replaces the list of parties it may register; `wishes` changes the
    /// options it names.
    ///
    /// A role that is registered stays until its platform drops it (CR-41), is suspended or deleted: a slip of the pen in a
    /// list must not cut off traffic.
    ///
    /// # Errors
    /// As [`Parties::plan`], and [`Declined::Unknown`].
    pub async fn amend(
        &self,
        id: &PlatformId,
        name: Option<String>,
        listed: Option<Vec<Listed>>,
        wishes: Option<&Map<String, Value>>,
    ) -> Result<Arc<Platform>, Declined> {
        if let Some(listed) = &listed {
            self.check(listed)?;
        }
        self.change(id, |file| {
            let options = wishes
                .map(|wishes| self.patched(file.read().options, wishes))
                .transpose()?;
            Ok::<_, Declined>(Some(PlatformChange {
                name: name.clone(),
                options: options.map(|options| options::kept(&options).to_string()),
                parties: listed.as_ref().map(|listed| relisted(file, id, listed, self.now())),
                ..PlatformChange::default()
            }))
        })
        .await?;
        self.known(id)
    }

    /// No request to or from the platform any more, until resumed. What it registered stays (HCI-17).
    ///
    /// # Errors
    /// [`Declined::Unknown`].
    pub async fn suspend(&self, id: &PlatformId) -> Result<Arc<Platform>, Declined> {
        self.change(id, |file| {
            let suspended = file.read().status == PlatformStatus::Suspended;
            Ok::<_, Declined>((!suspended).then(|| to_status(PlatformStatus::Suspended)))
        })
        .await?;
        self.presence.begin_anew(id);
        self.known(id)
    }

    /// Ends a suspension: CONNECTED when the registration still stands, PLANNED when there is none.
    ///
    /// # Errors
    /// [`Declined::Unknown`].
    pub async fn resume(&self, id: &PlatformId) -> Result<Arc<Platform>, Declined> {
        self.change(id, |file| {
            let platform = file.read();
            Ok::<_, Declined>(match platform.status {
                PlatformStatus::Suspended if platform.token_out.is_some() => Some(to_status(PlatformStatus::Connected)),
                PlatformStatus::Suspended => Some(back_to_planned(file, self.now())),
                _ => None,
            })
        })
        .await?;
        self.known(id)
    }

    /// A fresh TOKEN_A; the one before is dead. A registration that stands goes on until the new one is used (CR-05).
    ///
    /// A platform that left by DELETE becomes PLANNED: it may register again (CR-42). One that the operator suspended stays so.
    ///
    /// # Errors
    /// [`Declined::Unknown`].
    pub async fn fresh_token(&self, id: &PlatformId) -> Result<Secret, Declined> {
        let token = tokens::mint()?;
        self.change(id, |file| {
            let now = self.now();
            let mut tokens = file.tokens.clone();
            tokens.retain(|row| row.kind != kind::REGISTRATION);
            tokens.push(registration(id, &token, now));
            let base = if file.read().has_left() {
                back_to_planned(file, now)
            } else {
                PlatformChange::default()
            };
            Ok::<_, Declined>(Some(PlatformChange {
                tokens: Some(tokens),
                ..base
            }))
        })
        .await?;
        Ok(token)
    }

    /// Removes a platform and tells it so, if it may be called (CR-27).
    ///
    /// # Errors
    /// [`Declined::Unknown`].
    pub async fn remove(&self, id: &PlatformId) -> Result<(), Declined> {
        let file = self.file(id).await?.ok_or(Declined::Unknown)?;
        match self.store.platform_delete(id.as_str()).await {
            Ok(()) => {}
            Err(StoreError::NotFound) => return Err(Declined::Unknown),
            Err(StoreError::Conflict(why)) => return Err(Declined::Conflict(why)),
            Err(error) => return Err(Fault::new(format!("deleting platform {id}"), error).into()),
        }
        self.presence.forget(id);
        self.reload().await?;
        let platform = file.read();
        if platform.status.is_registered() {
            self.say_goodbye(Arc::new(platform));
        }
        Ok(())
    }

    fn patched(&self, options: PlatformOptions, wishes: &Map<String, Value>) -> Result<PlatformOptions, Declined> {
        let options = options::patch(options, wishes)
            .map_err(|wrong| Declined::field(format!("/options{}", wrong.pointer), wrong.reason))?;
        match &options.client_certificate {
            Some(name) if wishes.contains_key("client_certificate") && !self.line.has_identity(name) => {
                Err(Declined::field(
                    "/options/client_certificate",
                    format!("the configuration has no [outbound.identities.{name}]"),
                ))
            }
            _ => Ok(options),
        }
    }

    fn known(&self, id: &PlatformId) -> Result<Arc<Platform>, Declined> {
        self.snapshot().directory().platform(id).ok_or(Declined::Unknown)
    }

    fn check(&self, listed: &[Listed]) -> Result<(), Declined> {
        for (at, entry) in listed.iter().enumerate() {
            if entry.party == self.settings.hub {
                return Err(Declined::Conflict(format!(
                    "{}: {} is the hub itself",
                    entry.pointer, entry.party
                )));
            }
            if listed
                .iter()
                .take(at)
                .any(|other| other.party == entry.party && other.role == entry.role)
            {
                return Err(Declined::Conflict(format!(
                    "{}: {} {} is listed twice",
                    entry.pointer, entry.role, entry.party
                )));
            }
        }
        Ok(())
    }
}

fn planned(id: &PlatformId, entry: &Listed, now: DateTime<Utc>) -> PartyRow {
    PartyRow {
        platform_id: id.to_string(),
        country_code: entry.party.country_code().to_owned(),
        party_id: entry.party.party_id().to_owned(),
        role: entry.role.as_str().to_owned(),
        name: entry.name.clone(),
        business_details: None,
        status: PlatformStatus::Planned.as_str().to_owned(),
        updated_at: now,
    }
}

/// The new list: what it names, what it names and is already there as it is there, and what is registered anyway.
fn relisted(file: &PlatformFile, id: &PlatformId, listed: &[Listed], now: DateTime<Utc>) -> Vec<PartyRow> {
    let is = |row: &PartyRow, entry: &Listed| {
        row.role == entry.role.as_str()
            && row.country_code.eq_ignore_ascii_case(entry.party.country_code())
            && row.party_id.eq_ignore_ascii_case(entry.party.party_id())
    };
    let is_planned = |row: &PartyRow| row.status == PlatformStatus::Planned.as_str();
    let registered = |row: &&PartyRow| row.status == PlatformStatus::Connected.as_str();
    let named = listed
        .iter()
        .map(|entry| match file.parties.iter().find(|row| is(row, entry)) {
            // What a party registered with is its own word; the operator's stands until then.
            Some(row) if !is_planned(row) => row.clone(),
            _ => planned(id, entry, now),
        });
    let anyway = file
        .parties
        .iter()
        .filter(registered)
        .filter(|row| !listed.iter().any(|entry| is(row, entry)));
    named.chain(anyway.cloned()).collect()
}

fn registration(id: &PlatformId, token: &Secret, now: DateTime<Utc>) -> TokenRow {
    TokenRow {
        hash: tokens::hash_hex(token.expose()),
        platform_id: id.to_string(),
        kind: kind::REGISTRATION.to_owned(),
        expires_at: None,
        created_at: now,
    }
}

fn to_status(status: PlatformStatus) -> PlatformChange {
    PlatformChange {
        status: Some(status.as_str().to_owned()),
        ..PlatformChange::default()
    }
}

/// A platform without registration that may begin again, and every role it once had with it.
fn back_to_planned(file: &PlatformFile, now: DateTime<Utc>) -> PlatformChange {
    let parties = file.parties.iter().map(|row| {
        let mut row = row.clone();
        if row.status != PlatformStatus::Planned.as_str() {
            row.status = PlatformStatus::Planned.as_str().to_owned();
            row.updated_at = now;
        }
        row
    });
    PlatformChange {
        parties: Some(parties.collect()),
        ..to_status(PlatformStatus::Planned)
    }
}

impl From<NotChanged<std::convert::Infallible>> for Declined {
    fn from(not: NotChanged<std::convert::Infallible>) -> Declined {
        match not {
            NotChanged::Vanished => Declined::Unknown,
            NotChanged::Refused(never) => match never {},
            NotChanged::Taken(why) => Declined::Conflict(why),
            NotChanged::Ours(fault) => Declined::Ours(fault),
        }
    }
}
