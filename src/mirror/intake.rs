//! What is pushed to everybody: checked, merged with what is here, and committed with the copies it causes.
//!
//! | Pushed | Becomes |
//! | --- | --- |
//! | PUT of an object | the object, nothing kept of the one before (T-23, TAR-03) |
//! | PUT of an EVSE or a connector | that part of its location, new or replaced; timestamps above it raised (LOC-04, LOC-08) |
//! | PATCH | the members it names; charging periods of a session are added (T-24, SES-12) |
//! | DELETE of a tariff | a gap (TAR-04) |
//!
//! An object grows by what is pushed of it, and may become as large as a body that is pushed whole, no larger ([`LARGEST`]).
//!
//! What does not fit the grammar is refused with its JSON pointer, because it is kept for others; what is only odd is kept, carried,
//! and told in the journal (D-05). Start with [`next`], which is pure.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Mirror;
use super::named::{DEFAULT_TOKEN_TYPE, Named};
use super::parents::{self, raised};
use crate::ocpi::fields::Fields;
use crate::ocpi::ids::{PartyId, PlatformId, fold};
use crate::ocpi::json::JsonError;
use crate::ocpi::modules::{LOCATIONS, Module, SESSIONS, TARIFFS, TOKENS};
use crate::ocpi::patch;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::Role;
use crate::ocpi::v2_2_1::structure::{self, Finding, Severity, Structure};
use crate::ocpi::versions::Version;
use crate::parties::{Failure, Fault};
use crate::routing::audience::hearers;
use crate::store::{CopyRow, MirrorRow, MirrorWrite, NewCopy, NewMissed, Written};

/// The largest object that is kept, in octets: as large as the largest body that is taken (D-19), so that whatever is kept could have been
/// pushed whole.
pub const LARGEST: usize = 10 * 1024 * 1024;

/// A change of an object, as its owner pushed it.
#[derive(Clone)]
pub struct Push {
    /// What of.
    pub named: Named,
    /// `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// The OCPI version it came in.
    pub version: Version,
    /// The body as it came.
    pub body: Option<Bytes>,
}

/// Where a push came from, and what its copies look like.
#[derive(Clone)]
pub struct Origin {
    /// The platform.
    pub platform: PlatformId,
    /// The party that speaks, as registered.
    pub party: PartyId,
    /// In which role.
    pub role: Role,
    /// The path behind a receiver's endpoint, encoded; the owner in it.
    pub tail: String,
    /// The query as it came.
    pub query: Option<String>,
    /// `X-Correlation-ID`, the same on every leg (M-06).
    pub correlation_id: String,
}

/// A push that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Whether the object, or the part of it, was not here before (S-06).
    pub is_new: bool,
    /// How many parties get a copy.
    pub hearers: usize,
    /// What was odd about it, by JSON pointer.
    pub warnings: Vec<Finding>,
}

/// Writers of one object that meet are few; one that loses this often meets a fault of ours.
const TRIES: usize = 12;

impl Mirror {
    /// Keeps what was pushed to everybody, and sends it on. Answers after the commit, waits for no receiver.
    ///
    /// # Errors
    /// 2001 with the pointer for what does not fit the grammar, the URL, or lacks `last_updated` (R-63, T-25, D-13), and for what would
    /// make the object larger than [`LARGEST`]; 404 with 2003 or 2004 for a part of, or a change to, what is not here (T-26, LOC-10, D-18). Nothing is sent on then.
    pub async fn tell_all(&self, push: Push, origin: Origin) -> Result<Accepted, Failure> {
        let snapshot = self.parties.snapshot();
        let audience = hearers(
            snapshot.directory(),
            push.named.module,
            &origin.platform,
            &origin.party,
            origin.role,
        );
        let missed = self.copies.missed(
            snapshot.directory(),
            push.named.module,
            &origin.platform,
            &origin.party,
            origin.role,
        );
        let (lease_owner, lease_until) = self.copies.lease();
        let copy = (!audience.is_empty()).then(|| NewCopy {
            id: Uuid::now_v7().to_string(),
            platform_id: origin.platform.to_string(),
            sender: origin.party.to_string(),
            sender_role: origin.role.as_str().to_owned(),
            version: push.version.as_str().to_owned(),
            method: push.method.to_owned(),
            tail: origin.tail,
            query: origin.query,
            body: push
                .body
                .as_ref()
                .map(|body| String::from_utf8_lossy(body).into_owned()),
            correlation_id: origin.correlation_id,
            lease_owner,
            lease_until,
            created_at: self.clock.now(),
        });
        // From the look at what is here to the place in line: the order of commits is the order of copies (D-16).
        let key = push.named.object_key()?;
        let _turn = self
            .copies
            .turn(push.named.module.identifier, &push.named.owner.key(), &key)
            .await;
        let kept = self.keep(&push, None, copy.as_ref(), &missed).await?;
        self.copies
            .nudge_who_is_back(missed.iter().map(|missed| missed.duty.platform_id.as_str()))
            .await;
        let accepted = Accepted {
            is_new: kept.is_new,
            hearers: audience.len(),
            warnings: kept.warnings,
        };
        if let Some(copy) = copy {
            let row = CopyRow {
                copy,
                module: push.named.module.identifier.to_owned(),
                owner_key: push.named.owner.key(),
                object_key: key,
                revision: kept.revision,
            };
            self.copies.carry(row, audience, kept.behind);
        }
        Ok(accepted)
    }

    /// Keeps a session that was routed by its content, for the lists of the one party it concerns (SES-20, D-18). A PATCH of one
    /// that is not here is not kept: what it would be a change of, nobody knows.
    ///
    /// # Errors
    /// As [`Mirror::tell_all`]; the session has been carried all the same.
    pub async fn keep_session(&self, push: Push, reader: &PartyId) -> Result<(), Failure> {
        if !self.settings.sessions || push.named.module != &SESSIONS {
            return Ok(());
        }
        let key = push.named.object_key()?;
        let _turn = self
            .copies
            .turn(SESSIONS.identifier, &push.named.owner.key(), &key)
            .await;
        self.keep(&push, Some(reader), None, &[]).await?;
        Ok(())
    }

    async fn keep(
        &self,
        push: &Push,
        reader: Option<&PartyId>,
        copy: Option<&NewCopy>,
        missed: &[NewMissed],
    ) -> Result<Kept, Failure> {
        let (module, owner_key) = (push.named.module.identifier, push.named.owner.key());
        let object_key = push.named.object_key()?;
        for _ in 0..TRIES {
            let current = self
                .store
                .mirror_get(module, &owner_key, &object_key)
                .await
                .map_err(|error| Fault::new("reading an object of the mirror", error))?;
            let state = next(push, current.as_ref().filter(|row| row.deleted_at.is_none()))?;
            let (is_new, is_gone, warnings) = (state.is_new, state.is_gone, state.warnings.clone());
            let first = state.first(push)?;
            let row = MirrorRow {
                id: current.as_ref().map_or(first.id, |row| row.id.clone()),
                shelf: reader.map_or(first.shelf, PartyId::key),
                revision: current.as_ref().map_or(first.revision, |row| row.revision + 1),
                deleted_at: is_gone.then(|| self.clock.now()),
                listed: current.as_ref().is_some_and(|row| row.listed),
                ..first
            };
            let write = MirrorWrite {
                replaces: current.map(|row| row.revision),
                copy: copy.cloned(),
                missed: missed.to_vec(),
                row,
            };
            let revision = write.row.revision;
            let written = self.store.mirror_write(write).await;
            match written.map_err(|error| Fault::new("keeping an object in the mirror", error))? {
                Written::Kept { behind } => {
                    return Ok(Kept {
                        is_new,
                        warnings,
                        revision,
                        behind,
                    });
                }
                // Another process was faster: look again.
                Written::Overtaken => {}
            }
        }
        Err(Fault::found("an object of the mirror changed each time it was about to be written").into())
    }
}

/// What was written.
struct Kept {
    is_new: bool,
    warnings: Vec<Finding>,
    revision: i64,
    behind: bool,
}

/// An object as it is to be kept.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    /// Its owner, as spelled in it.
    pub owner: PartyId,
    /// Its id, as spelled in it.
    pub object_id: String,
    /// When its owner last changed it.
    pub last_updated: DateTime<Utc>,
    /// Its octets.
    pub body: String,
    /// Whether it is no more.
    pub is_gone: bool,
    /// Whether it, or the part that was pushed, was not here before.
    pub is_new: bool,
    /// What is odd about what was pushed.
    pub warnings: Vec<Finding>,
}

/// What a push makes of what is here.
///
/// # Errors
/// As [`Mirror::tell_all`].
pub fn next(push: &Push, current: Option<&MirrorRow>) -> Result<State, Refusal> {
    let named = &push.named;
    if push.method == "DELETE" {
        let current = current.ok_or_else(|| named.unknown())?;
        return Ok(State {
            is_gone: true,
            ..State::of(named, current.body.clone().into_bytes())?
        });
    }
    let body = push
        .body
        .as_deref()
        .ok_or_else(|| Refusal::malformed("the body is missing"))?;
    let is_patch = push.method == "PATCH";
    let part = grammar(named.module, named.ids.len()).ok_or_else(|| named.unknown())?;
    let findings = if is_patch {
        structure::validate_patch(part, body)?
    } else {
        structure::validate(part, body)?
    };
    let warnings = without_errors(push, findings)?;
    let (document, is_new) = match (named.ids.as_slice(), current) {
        ([_], None) if !is_patch => (body.to_vec(), true),
        ([_], Some(_)) if !is_patch => (body.to_vec(), false),
        (_, None) => return Err(named.unknown()),
        ([_], Some(current)) => (patched(named.module, current.body.as_bytes(), body)?, false),
        ([_, evse], Some(current)) => with_evse(push, current.body.as_bytes(), evse, body)?,
        ([_, evse, connector], Some(current)) => with_connector(push, current.body.as_bytes(), evse, connector, body)?,
        _ => return Err(named.unknown()),
    };
    if is_patch || named.ids.len() > 1 {
        // The parts may be good and the whole not: an emptied list, a rule between two members.
        if let Some(whole) = grammar(named.module, 1) {
            without_errors(push, structure::validate(whole, &document)?)?;
        }
    }
    if document.len() > LARGEST {
        return Err(Refusal::invalid_parameter(format!(
            "with this the object would have {} octets, and the hub keeps none of more than {LARGEST}",
            document.len()
        )));
    }
    Ok(State {
        is_new,
        warnings,
        ..State::of(named, document)?
    })
}

impl State {
    /// The row of an object that was not here before: first revision, in its owner's lists, not known to be listed there.
    ///
    /// # Errors
    /// As [`Named::object_key`].
    pub fn first(self, push: &Push) -> Result<MirrorRow, Refusal> {
        let owner_key = push.named.owner.key();
        Ok(MirrorRow {
            id: Uuid::now_v7().to_string(),
            module: push.named.module.identifier.to_owned(),
            country_code: self.owner.country_code().to_owned(),
            party_id: self.owner.party_id().to_owned(),
            object_id: self.object_id,
            object_key: push.named.object_key()?,
            shelf: owner_key.clone(),
            owner_key,
            version: push.version.as_str().to_owned(),
            last_updated: self.last_updated,
            revision: 1,
            deleted_at: None,
            listed: false,
            body: self.body,
        })
    }

    /// A whole document; whose it is and what it is called must be what the URL says (T-27, T-28, D-13, TOK-08).
    fn of(named: &Named, document: Vec<u8>) -> Result<State, Refusal> {
        let id_member = if named.module == &TOKENS { "uid" } else { "id" };
        let fields = Fields::of_body(
            &document,
            ["country_code", "party_id", id_member, "type", "last_updated"],
        )?;
        let (country_code, party_id) = (fields.required_text("country_code")?, fields.required_text("party_id")?);
        for (member, said, expected) in [
            ("country_code", &country_code, named.owner.country_code()),
            ("party_id", &party_id, named.owner.party_id()),
        ] {
            if !said.eq_ignore_ascii_case(expected) {
                return Err(fields.violation(member, "differs from the owner in the URL").into());
            }
        }
        let object_id = fields.required_text(id_member)?;
        if named.ids.first().is_none_or(|id| fold(id) != fold(&object_id)) {
            return Err(fields.violation(id_member, "differs from the id in the URL").into());
        }
        if named.module == &TOKENS {
            let asked = named.token_type.as_deref().unwrap_or(DEFAULT_TOKEN_TYPE);
            if !fields.required_text("type")?.eq_ignore_ascii_case(asked) {
                return Err(fields
                    .violation(
                        "type",
                        "differs from the type in the URL, which is RFID where none is given",
                    )
                    .into());
            }
        }
        let owner = PartyId::new(&country_code, &party_id)
            .map_err(|error| fields.violation(error.member().unwrap_or("party_id"), error.to_string()))?;
        Ok(State {
            owner,
            object_id: object_id.into_owned(),
            last_updated: fields.required_time("last_updated")?,
            body: String::from_utf8(document).map_err(|_| Refusal::malformed("the body is not UTF-8"))?,
            is_gone: false,
            is_new: false,
            warnings: Vec::new(),
        })
    }
}

/// The table that a pushed object, EVSE or connector is held against.
#[must_use]
pub fn grammar(module: &Module, depth: usize) -> Option<&'static Structure> {
    let is = |known: &Module| module.identifier == known.identifier;
    match depth {
        1 if is(&LOCATIONS) => Some(&structure::LOCATION),
        2 if is(&LOCATIONS) => Some(&structure::EVSE),
        3 if is(&LOCATIONS) => Some(&structure::CONNECTOR),
        1 if is(&TARIFFS) => Some(&structure::TARIFF),
        1 if is(&TOKENS) => Some(&structure::TOKEN),
        1 if is(&SESSIONS) => Some(&structure::SESSION),
        _ => None,
    }
}

/// The findings that count in a version: OCPI 2.2 does not say whose a `cdr_token` is.
#[must_use]
pub fn of_version(version: Version, mut findings: Vec<Finding>) -> Vec<Finding> {
    if version == Version::V2_2 {
        findings.retain(|finding| {
            !matches!(
                finding.pointer.as_str(),
                "/cdr_token/country_code" | "/cdr_token/party_id"
            )
        });
    }
    findings
}

/// The warnings, or the first error as a refusal (D-05).
fn without_errors(push: &Push, findings: Vec<Finding>) -> Result<Vec<Finding>, Refusal> {
    let mut findings = of_version(push.version, findings);
    match structure::first_error(&findings) {
        Some(refusal) => Err(refusal),
        None => {
            findings.retain(|finding| finding.severity == Severity::Warning);
            Ok(findings)
        }
    }
}

/// T-24; charging periods are added to those a session has (SES-12).
fn patched(module: &Module, document: &[u8], body: &[u8]) -> Result<Vec<u8>, JsonError> {
    if module == &SESSIONS {
        patch::apply_appending(document, body, "charging_periods")
    } else {
        patch::apply(document, body)
    }
}

fn with_evse(push: &Push, location: &[u8], evse: &str, body: &[u8]) -> Result<(Vec<u8>, bool), Refusal> {
    is_called(body, "uid", evse)?;
    let (location, is_new) = put_in(push, location, EVSES, evse, body)?;
    Ok((follow(location, body)?, is_new))
}

fn with_connector(
    push: &Push,
    location: &[u8],
    evse: &str,
    connector: &str,
    body: &[u8],
) -> Result<(Vec<u8>, bool), Refusal> {
    is_called(body, "id", connector)?;
    let (list, id_member) = EVSES;
    let parent = patch::element(location, list, id_member, evse).ok_or_else(|| push.named.unknown())?;
    let (parent, is_new) = put_in(push, parent, CONNECTORS, connector, body)?;
    let parent = follow(parent, body)?;
    let location = patch::replace_element(location, list, id_member, evse, &parent)?;
    Ok((follow(location.document, body)?, is_new))
}

/// The list a part stands in, and the member it is called by.
type Place = (&'static str, &'static str);
const EVSES: Place = ("evses", "uid");
const CONNECTORS: Place = ("connectors", "id");

/// A part put into its parent, or changed there (T-26: a change needs something to change).
fn put_in(push: &Push, parent: &[u8], place: Place, id: &str, body: &[u8]) -> Result<(Vec<u8>, bool), Refusal> {
    let (list, id_member) = place;
    if push.method == "PATCH" {
        let changed = patch::patch_element(parent, list, id_member, id, body)?;
        return changed
            .map(|document| (document, false))
            .ok_or_else(|| push.named.unknown());
    }
    let replaced = patch::replace_element(parent, list, id_member, id, body)?;
    Ok((replaced.document, !replaced.existed))
}

/// The id in the body of a part, where there is one, is that of the URL (T-27).
fn is_called(body: &[u8], id_member: &'static str, id: &str) -> Result<(), Refusal> {
    let fields = Fields::of_body(body, [id_member])?;
    match fields.text(id_member)? {
        Some(said) if fold(&said) != fold(id) => {
            Err(fields.violation(id_member, "differs from the id in the URL").into())
        }
        _ => Ok(()),
    }
}

fn follow(parent: Vec<u8>, pushed: &[u8]) -> Result<Vec<u8>, Refusal> {
    match parents::last_updated(pushed) {
        Some(pushed) => Ok(raised(parent, &pushed)?),
        None => Err(Refusal::invalid("/last_updated", "is missing")),
    }
}

/// Without octets and ids: those of a token are a driver's.
impl std::fmt::Debug for Push {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Push({} {:?})", self.method, self.named)
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
