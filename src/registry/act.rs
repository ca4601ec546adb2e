//! How a registration begins and who decides about it: submit, accept, refuse. What else may be wished for: [`super::wish`].
//!
//! An operator of the hub who registers is also the person who looks at warnings, so its registration is checked, published and read
//! back at once. A party's waits for a person where a warning asks for one, and a take-over for the release of who had the meter before.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Registry;
use super::checks::{self, Checked, Circumstances, Judged, NewKey, RegistryFinding};
use super::commit::{Asked, Draft, Plan, Told};
use super::index::Index;
use super::lifecycle::{State, Step, after};
use super::record::{Key, Presentation, Reason, Registration, kind};
use crate::metering::key::PublicKey;
use crate::ocpi::ids::{PartyId, fold};
use crate::store::StoreError;

/// On whose word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The people who run the hub.
    Operator,
    /// The hub itself.
    Hub,
    /// A party, `DE/ABC`.
    Party(PartyId),
}

impl Actor {
    /// As the log names it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Actor::Operator => "operator".to_owned(),
            Actor::Hub => "hub".to_owned(),
            Actor::Party(party) => party.key(),
        }
    }

    /// Whether it may act on registrations of this operator.
    #[must_use]
    pub fn speaks_for(&self, cpo: &str) -> bool {
        match self {
            Actor::Operator | Actor::Hub => true,
            Actor::Party(party) => party.key() == cpo,
        }
    }
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// A new registration, as it stands now.
    New(Box<Registration>),
    /// It existed (PC-09).
    Existing(Box<Registration>),
    /// Refused. It is kept with its findings where a key could be read, else nothing is.
    Refused(Option<Box<Registration>>, Vec<RegistryFinding>),
}

/// A person's word about what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may go on.
    Accept,
    /// It must not.
    Refuse,
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Declined {
    /// There is no such registration, or it is none of the actor's business.
    #[error("there is no such registration")]
    Unknown,
    /// The state does not allow it.
    #[error("a registration that is {0} does not allow this")]
    NotNow(State),
    /// The instant makes no sense.
    #[error("the instant must be between the begin of the registration and now")]
    NotThen,
    /// As many documents lie beside it as may.
    #[error("no more documents can be laid beside this registration")]
    TooMuch,
    /// The checks say no by now.
    #[error("the registration contradicts others by now")]
    Contradicts(Vec<RegistryFinding>),
    /// A take-over is neither released nor documented (SAF-54).
    #[error("the other operator has not released the meter, and no document is laid beside the take-over")]
    Unproven,
    /// Ours.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl Registry {
    /// Submits a claim. What is plausible is published and read back before this returns, as far as that works at once.
    ///
    /// # Errors
    /// When the database cannot be reached. A claim that is refused is no error: see [`Submitted`].
    pub async fn submit(&self, claim: NewKey, actor: &Actor) -> Result<Submitted, StoreError> {
        self.submit_as(&Uuid::now_v7().to_string(), claim, actor, None).await
    }

    /// The same under an id (UUIDv7) that the caller has written down before, so that it finds what became of it. An id that is taken is
    /// answered like a claim that is: with the registration that stands. `sample_is_required` is what the operator of the hub agreed with
    /// the submitter (PC-18); `None` leaves it to the configuration.
    ///
    /// # Errors
    /// As [`Registry::submit`].
    pub async fn submit_as(
        &self,
        id: &str,
        claim: NewKey,
        actor: &Actor,
        sample_is_required: Option<bool>,
    ) -> Result<Submitted, StoreError> {
        let sample_is_required = sample_is_required.unwrap_or(self.settings.require_sample);
        let submitted = self.enter(id, &claim, actor, sample_is_required, None).await?.now()?;
        if let Submitted::New(registration) = &submitted
            && registration.state == State::Published
        {
            self.read_back(&registration.id).await?;
            return Ok(match self.latest(&registration.id) {
                Some(latest) => Submitted::New(Box::new(latest)),
                None => submitted,
            });
        }
        Ok(submitted)
    }

    /// The same for a party that may ask twice: what is published is read back behind its answer.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn submit_once(
        self: &Arc<Self>,
        claim: &NewKey,
        actor: &Actor,
        sample_is_required: Option<bool>,
        asked: &Asked<'_, Submitted>,
    ) -> Result<Told<Submitted>, StoreError> {
        let sample_is_required = sample_is_required.unwrap_or(self.settings.require_sample);
        let id = Uuid::now_v7().to_string();
        let told = self.enter(&id, claim, actor, sample_is_required, Some(asked)).await?;
        if let Told::Now(Submitted::New(registration)) = &told
            && registration.state == State::Published
        {
            let (registry, id) = (self.clone(), registration.id.clone());
            tokio::spawn(async move {
                // If it fails it is tried again in the background.
                if let Err(error) = registry.read_back(&id).await {
                    ::log::warn!(registration = id.as_str(); "reading back a published key: {error}");
                }
            });
        }
        Ok(told)
    }

    async fn enter(
        &self,
        id: &str,
        claim: &NewKey,
        actor: &Actor,
        sample_is_required: bool,
        asked: Option<&Asked<'_, Submitted>>,
    ) -> Result<Told<Submitted>, StoreError> {
        let heard = self.heard_about(claim).await?;
        self.commit_once(asked, |index, now| {
            let circumstances = Circumstances {
                test_keys: self.settings.test_keys,
                is_entitled: actor.speaks_for(&claim.cpo.key()),
                evse_is_in_location: heard.evse_is_in_location,
                verified_with_another_key: heard.verified_with_another_key,
                reported_fingerprint: heard.reported_fingerprint.clone(),
                sample_is_required,
                manufacturer_must_be_known: matches!(actor, Actor::Party(_)),
                ..Circumstances::at(now)
            };
            Ok::<_, StoreError>(plan_submission(id, claim, actor, index, &circumstances))
        })
        .await
    }

    /// A person decides about a registration that waits for one.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn decide(&self, id: &str, decision: Decision, reason: &str) -> Result<Registration, Declined> {
        self.change(id, &Actor::Operator, |old, index, now| {
            // A take-over without release waits as SUBMITTED; the operator's word stands in for it.
            let (step, event) = match (decision, old.state) {
                (Decision::Refuse, _) => (Step::Refuse, "REFUSED"),
                (Decision::Accept, State::Submitted) if is_proven(old, index) => (Step::Pass, "CHECKED"),
                (Decision::Accept, State::Submitted) => return Err(Declined::Unproven),
                (Decision::Accept, _) => (Step::Accept, "CHECKED"),
            };
            let decided = Registration {
                note: Some(reason.to_owned()),
                ..stepped(old, step, now)?
            };
            if decision == Decision::Refuse {
                return Ok(vec![(decided, event)]);
            }
            go_on(old, decided, event, index, now)
        })
        .await?;
        self.read_back(id).await?;
        self.latest(id).ok_or(Declined::Unknown)
    }

    /// A registration that waited goes on, or waits for a person where a warning or a neighbour asks for one.
    pub(super) async fn go_on_or_hold(&self, id: &str) -> Result<Registration, Declined> {
        self.change(id, &Actor::Hub, |old, index, now| {
            let warned = old.findings.iter().any(|one| one.severity == "WARNING");
            let mut held = stepped(old, Step::Hold, now)?;
            if !warned {
                match go_on(old, stepped(old, Step::Pass, now)?, "CHECKED", index, now) {
                    Err(Declined::Contradicts(found)) => held.findings.extend(found.iter().map(RegistryFinding::kept)),
                    gone_on => return gone_on,
                }
            }
            Ok(vec![(held, "ON_HOLD")])
        })
        .await
    }

    /// The newest version of a registration.
    #[must_use]
    pub fn latest(&self, id: &str) -> Option<Registration> {
        self.index().get(id).map(|one| one.now().clone())
    }

    /// Changes one registration by one or more versions.
    pub(super) async fn change(
        &self,
        id: &str,
        actor: &Actor,
        versions: impl Fn(&Registration, &Index, DateTime<Utc>) -> Result<Vec<(Registration, &'static str)>, Declined>,
    ) -> Result<Registration, Declined> {
        self.commit(|index, now| {
            let old = index.get(id).map(|one| one.now()).ok_or(Declined::Unknown)?;
            if !actor.speaks_for(&old.cpo) {
                return Err(Declined::Unknown);
            }
            let versions = versions(old, index, now)?;
            let newest = versions.last().map_or(old, |(newest, _)| newest).clone();
            let name = actor.name();
            Ok(Plan {
                drafts: versions
                    .into_iter()
                    .map(|(version, event)| Draft::of(version, event, &name))
                    .collect(),
                files: Vec::new(),
                outcome: newest,
            })
        })
        .await
    }

    /// What others have said about the key, the meter and the EVSE of a claim. Asked before the commit: it is no part of what the commit
    /// keeps true.
    async fn heard_about(&self, claim: &NewKey) -> Result<HeardAbout, StoreError> {
        let evse_is_in_location = self.evse_is_in_location(claim).await?;
        let Ok(key) = checks::key::read(claim) else {
            return Ok(HeardAbout {
                evse_is_in_location,
                ..HeardAbout::default()
            });
        };
        let fingerprint = key.fingerprint();
        Ok(HeardAbout {
            evse_is_in_location,
            verified_with_another_key: Some(self.verified_with_another_key(claim, &fingerprint).await?),
            reported_fingerprint: self.reported_fingerprint(claim, &fingerprint).await?,
        })
    }

    /// PC-13: whether the location the claim names is known, and has the EVSE.
    async fn evse_is_in_location(&self, claim: &NewKey) -> Result<Option<bool>, StoreError> {
        let Some(location) = &claim.location_id else {
            return Ok(None);
        };
        let found = self
            .store()
            .mirror_get("locations", &claim.cpo.key(), &fold(location))
            .await?;
        Ok(Some(found.is_some_and(|row| has_evse(&row.body, &claim.evse_id))))
    }
}

/// What is known beside the claim and the registry, as [`Circumstances`] takes it.
#[derive(Default)]
struct HeardAbout {
    evse_is_in_location: Option<bool>,
    verified_with_another_key: Option<bool>,
    reported_fingerprint: Option<String>,
}

/// Whether a Location document has an EVSE of that id, in any spelling.
fn has_evse(location: &str, evse_id: &str) -> bool {
    let spelled = |id: &str| super::evse_id::EvseId::read(id).map_or_else(|| fold(id), |id| id.to_string());
    let Ok(location) = serde_json::from_str::<serde_json::Value>(location) else {
        return false;
    };
    let evses = location.get("evses").and_then(|evses| evses.as_array());
    evses
        .into_iter()
        .flatten()
        .filter_map(|evse| evse.get("evse_id")?.as_str())
        .any(|id| spelled(id) == spelled(evse_id))
}

/// SAF-54: a take-over needs the word of the operator who had the meter, or a document that proves it. What nobody has to release is proven.
fn is_proven(one: &Registration, index: &Index) -> bool {
    let had = one.supersedes.as_deref().and_then(|id| index.get(id));
    let is_released =
        PartyId::from_slash(&one.cpo).is_ok_and(|cpo| had.is_none_or(|had| had.now().is_released_to(&cpo.key())));
    one.reason != Reason::TakeOver || is_released || !one.evidence.is_empty()
}

/// The next version after a step.
pub(super) fn stepped(old: &Registration, step: Step, now: DateTime<Utc>) -> Result<Registration, Declined> {
    let state = after(old.state, step).ok_or(Declined::NotNow(old.state))?;
    let mut new = Registration {
        version: old.version + 1,
        state,
        ..old.clone()
    };
    match state {
        // A document laid beside it.
        state if state == old.state => {}
        State::Checked => new.checked_at = Some(now),
        State::Published => new.published_at = Some(now),
        State::Confirmed => new.confirmed_at = Some(now),
        _ => {}
    }
    Ok(new)
}

/// From CHECKED to PUBLISHED in the same commit, if nothing stands in the way by now.
fn go_on(
    old: &Registration,
    checked: Registration,
    event: &'static str,
    index: &Index,
    now: DateTime<Utc>,
) -> Result<Vec<(Registration, &'static str)>, Declined> {
    let key = hex::decode(&old.public_key)
        .ok()
        .and_then(|der| PublicKey::from_bytes(&der, None).ok());
    let (Some(key), Some(claim)) = (key, claim_of(old)) else {
        return Err(super::proof::broken("a registration cannot be read back").into());
    };
    let found = checks::check_again(&claim, &key, &old.id, old.supersedes.as_deref(), index);
    if checks::refuses(&found) {
        return Err(Declined::Contradicts(found));
    }
    let published = stepped(&checked, Step::Publish, now)?;
    Ok(vec![(checked, event), (published, "PUBLISHED")])
}

/// The claim of a registration, for checking it again.
fn claim_of(registration: &Registration) -> Option<NewKey> {
    Some(NewKey {
        public_key: registration.public_key.clone(),
        unit: registration.unit.clone(),
        evse_id: registration.evse_id.clone(),
        evse_uid: registration.evse_uid.clone(),
        location_id: registration.location_id.clone(),
        parallel_units: registration.parallel_units,
        cpo: PartyId::from_slash(&registration.cpo).ok()?,
        valid_from: registration.valid_from,
        valid_to: registration.valid_to,
        calibrated: registration.calibrated,
        reason: registration.reason,
        supersedes: registration.supersedes.clone(),
        encoding_method: None,
        signing_method: None,
        sample: None,
        key_pair: registration.key_pair,
        confirm_to: None,
    })
}

fn plan_submission(
    id: &str,
    claim: &NewKey,
    actor: &Actor,
    index: &Index,
    circumstances: &Circumstances,
) -> Plan<Submitted> {
    if let Some(taken) = index.get(id) {
        return Plan::nothing(Submitted::Existing(Box::new(taken.now().clone())));
    }
    let judged = match checks::check(claim, index, circumstances) {
        Checked::NoKey(findings) => return Plan::nothing(Submitted::Refused(None, findings)),
        Checked::Exists(id) => match index.get(&id) {
            Some(one) => return Plan::nothing(Submitted::Existing(Box::new(one.now().clone()))),
            // Found in this very index.
            None => return Plan::nothing(Submitted::Refused(None, Vec::new())),
        },
        Checked::Judged(judged) => *judged,
    };
    let now = circumstances.now;
    let submitted = submitted(id, claim, &judged, actor, now);
    let name = actor.name();
    let mut drafts = Vec::new();
    if index.of_fingerprint(&submitted.fingerprint).next().is_none() {
        let key = Key {
            fingerprint: submitted.fingerprint.clone(),
            curve: submitted.curve.clone(),
            public_key: submitted.public_key.clone(),
            first_seen: now,
        };
        drafts.push(Draft::once(
            kind::KEY,
            submitted.fingerprint.clone(),
            &key,
            "KEY_SEEN",
            &name,
        ));
    }
    let presentation = Presentation {
        fingerprint: submitted.fingerprint.clone(),
        text: claim.public_key.clone(),
        registration: submitted.id.clone(),
    };
    drafts.push(Draft::once(
        kind::PRESENTATION,
        submitted.id.clone(),
        &presentation,
        "PRESENTED",
        &name,
    ));
    let mut steps = vec![("SUBMITTED", None)];
    let may_go_on = |index: &Index| match (claim.reason, actor) {
        (Reason::TakeOver, Actor::Party(party)) => judged
            .supersedes
            .as_deref()
            .and_then(|id| index.get(id))
            .is_some_and(|old| old.now().is_released_to(&party.key())),
        _ => true,
    };
    if judged.is_refused() {
        steps.push(("REFUSED", Some(Step::Refuse)));
    } else if may_go_on(index) {
        if judged.needs_a_person() && *actor != Actor::Operator {
            steps.push(("ON_HOLD", Some(Step::Hold)));
        } else {
            steps.push(("CHECKED", Some(Step::Pass)));
            steps.push(("PUBLISHED", Some(Step::Publish)));
        }
    }
    let mut newest = submitted;
    for (event, step) in steps {
        // The steps are those of the diagram, so each leads somewhere; one that would not is simply not made.
        if let Some(next) = step.and_then(|step| stepped(&newest, step, now).ok()) {
            newest = next;
        }
        drafts.push(Draft::of(
            newest.clone(),
            event,
            if event == "SUBMITTED" { &name } else { "hub" },
        ));
    }
    let outcome = match newest.state {
        State::Refused => Submitted::Refused(Some(Box::new(newest)), judged.findings),
        _ => Submitted::New(Box::new(newest)),
    };
    Plan {
        drafts,
        files: Vec::new(),
        outcome,
    }
}

fn submitted(id: &str, claim: &NewKey, judged: &Judged, actor: &Actor, now: DateTime<Utc>) -> Registration {
    Registration {
        id: id.to_owned(),
        version: 1,
        state: State::Submitted,
        fingerprint: judged.key.fingerprint(),
        curve: judged.key.curve().name().to_owned(),
        public_key: hex::encode(judged.key.to_spki_der()),
        unit: claim.unit.clone(),
        evse_id: judged.evse_id.clone(),
        evse_uid: claim.evse_uid.clone(),
        location_id: claim.location_id.clone(),
        parallel_units: claim.parallel_units,
        calibrated: claim.calibrated,
        cpo: claim.cpo.key(),
        valid_from: claim.valid_from,
        valid_to: claim.valid_to,
        reason: claim.reason,
        supersedes: judged.supersedes.clone(),
        superseded_by: None,
        released_to: None,
        note: None,
        findings: judged.findings.iter().map(RegistryFinding::kept).collect(),
        key_pair: claim.key_pair,
        evidence: Vec::new(),
        confirm_to: claim.confirm_to.clone(),
        submitted_by: actor.name(),
        submitted_at: now,
        checked_at: None,
        published_at: None,
        confirmed_at: None,
        deactivated_at: None,
    }
}
