//! What can be done with a registration: submit, decide, withdraw, release, end, note exchanged hardware.
//!
//! An operator of the hub who registers is also the person who looks at warnings, so its registration is checked, published and read
//! back at once. A party's waits for a person where a warning asks for one, and a take-over for the release of who had the meter before.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Registry;
use super::checks::{self, Checked, Circumstances, Judged, NewKey, RegistryFinding};
use super::commit::{Draft, Plan};
use super::index::Index;
use super::lifecycle::{State, Step, after};
use super::record::{Key, Presentation, Reason, Registration, Unit, kind};
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
    fn speaks_for(&self, cpo: &str) -> bool {
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
    /// The checks say no by now.
    #[error("the registration contradicts others by now")]
    Contradicts(Vec<RegistryFinding>),
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
        self.submit_as(&Uuid::now_v7().to_string(), claim, actor).await
    }

    /// The same under an id (UUIDv7) that the caller has written down before, so that it finds what became of it. An id that is taken is
    /// answered like a claim that is: with the registration that stands.
    ///
    /// # Errors
    /// As [`Registry::submit`].
    pub async fn submit_as(&self, id: &str, claim: NewKey, actor: &Actor) -> Result<Submitted, StoreError> {
        let evse_is_in_location = self.evse_is_in_location(&claim).await?;
        let submitted = self
            .commit(|index, now| {
                let circumstances = Circumstances {
                    test_keys: self.settings.test_keys,
                    is_entitled: actor.speaks_for(&claim.cpo.key()),
                    evse_is_in_location,
                    sample_is_required: self.settings.require_sample,
                    ..Circumstances::at(now)
                };
                Ok::<_, StoreError>(plan_submission(id, &claim, actor, index, &circumstances))
            })
            .await?;
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

    /// A person decides about a registration that waits for one.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn decide(&self, id: &str, decision: Decision, reason: &str) -> Result<Registration, Declined> {
        self.change(id, &Actor::Operator, |old, index, now| {
            // A take-over without release waits as SUBMITTED; the operator's word stands in for it.
            let (step, event) = match (decision, old.state) {
                (Decision::Refuse, _) => (Step::Refuse, "REFUSED"),
                (Decision::Accept, State::Submitted) => (Step::Pass, "CHECKED"),
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

    /// The submitter takes a registration back that was not published yet.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn withdraw(&self, id: &str, actor: &Actor) -> Result<Registration, Declined> {
        self.change(id, actor, |old, _, now| {
            Ok(vec![(stepped(old, Step::Withdraw, now)?, "WITHDRAWN")])
        })
        .await
    }

    /// Ends a registration, now or at an instant gone by. It stays readable, and right for the time before (SAF-40). Ending it again
    /// changes nothing.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn deactivate(
        &self,
        id: &str,
        at: Option<DateTime<Utc>>,
        actor: &Actor,
    ) -> Result<Registration, Declined> {
        self.change(id, actor, |old, _, now| {
            if old.state == State::Deactivated {
                return Ok(Vec::new());
            }
            let ended = Registration {
                deactivated_at: Some(now),
                ..stepped(old, Step::Deactivate, now)?
            };
            let end = match at {
                Some(at) if at < old.valid_from || at > now => return Err(Declined::NotThen),
                Some(at) => at,
                // What was to begin later never begins.
                None => now.max(old.valid_from),
            };
            let valid_to = Some(old.valid_to.map_or(end, |other| other.min(end)));
            Ok(vec![(Registration { valid_to, ..ended }, "DEACTIVATED")])
        })
        .await
    }

    /// The operator of a meter lets another take it over (SAF-54). Take-overs by that party that waited for it go on.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn release(&self, id: &str, to: &PartyId, actor: &Actor) -> Result<Registration, Declined> {
        let released = self
            .change(id, actor, |old, _, now| {
                let released_to = Some(to.key());
                if old.released_to == released_to {
                    return Ok(Vec::new());
                }
                let released = stepped(old, Step::Amend, now)?;
                Ok(vec![(
                    Registration {
                        released_to,
                        ..released
                    },
                    "RELEASED",
                )])
            })
            .await?;
        let waiting: Vec<String> = {
            let index = self.index();
            let waits = |one: &Registration| {
                one.state == State::Submitted && one.cpo == to.key() && one.supersedes.as_deref() == Some(id)
            };
            let of_key = index.of_fingerprint(&released.fingerprint).map(|one| one.now());
            of_key.filter(|one| waits(one)).map(|one| one.id.clone()).collect()
        };
        for id in waiting {
            let gone_on = self
                .change(&id, &Actor::Hub, |old, index, now| {
                    let warned = old.findings.iter().any(|one| one.severity == "WARNING");
                    if warned {
                        return Ok(vec![(stepped(old, Step::Hold, now)?, "ON_HOLD")]);
                    }
                    go_on(old, stepped(old, Step::Pass, now)?, "CHECKED", index, now)
                })
                .await;
            match gone_on {
                Ok(_) => self.read_back(&id).await?,
                // Somebody decided otherwise in the meantime; that stands.
                Err(Declined::NotNow(_) | Declined::Contradicts(_) | Declined::Unknown) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(released)
    }

    /// The station around the meter was exchanged, or described better: key, meter, EVSE and interval stay (SAF-34).
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn exchange_hardware(&self, id: &str, unit: &Unit, actor: &Actor) -> Result<Registration, Declined> {
        self.change(id, actor, |old, _, now| {
            let unit = Unit {
                meter_serial: old.unit.meter_serial.clone(),
                gateway_serial: old.unit.gateway_serial.clone(),
                signs: old.unit.signs,
                ..unit.clone()
            };
            let exchanged = stepped(old, Step::Amend, now)?;
            Ok(vec![(Registration { unit, ..exchanged }, "STATION_HARDWARE_EXCHANGED")])
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
                duties: Vec::new(),
                outcome: newest,
            })
        })
        .await
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

/// The next version after a step.
pub(super) fn stepped(old: &Registration, step: Step, now: DateTime<Utc>) -> Result<Registration, Declined> {
    let state = after(old.state, step).ok_or(Declined::NotNow(old.state))?;
    let mut new = Registration {
        version: old.version + 1,
        state,
        ..old.clone()
    };
    match state {
        State::Checked => new.checked_at = Some(now),
        State::Published => new.published_at = Some(now),
        State::Confirmed if old.state == State::Published => new.confirmed_at = Some(now),
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
            .is_some_and(|old| old.now().released_to.as_deref() == Some(party.key().as_str())),
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
        duties: Vec::new(),
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
        submitted_by: actor.name(),
        submitted_at: now,
        checked_at: None,
        published_at: None,
        confirmed_at: None,
        deactivated_at: None,
    }
}
