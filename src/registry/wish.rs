//! What may be wished for with a registration that is there: take it back, end it, release it, note hardware or a document.
//!
//! Whoever wishes speaks for its operator; for everybody else it is not there. A wish that is granted already changes nothing.

use chrono::{DateTime, Utc};

use super::act::{Actor, Declined, stepped};
use super::commit::{Asked, Plan, Told};
use super::lifecycle::{State, Step};
use super::record::{Evidence, Found, Registration, Unit};
use super::{Draft, Registry};
use crate::ocpi::ids::PartyId;
use crate::store::StoreError;
use crate::store::files::NewFile;

/// A wish.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Its submitter takes it back before it is published.
    Withdraw,
    /// It ends, now or at an instant gone by. It stays readable, and right for the time before (SAF-40).
    Deactivate(Option<DateTime<Utc>>),
    /// Its operator lets another take the meter over (SAF-54).
    Release(PartyId),
    /// The station around the meter was exchanged, or described better: key, meter, EVSE and interval stay (SAF-34). What is not
    /// described stays as it was.
    Exchange(Box<Unit>),
    /// A document is laid beside it.
    AddEvidence(Box<NewEvidence>),
}

/// A document to be laid beside a registration.
#[derive(Clone)]
pub struct NewEvidence {
    /// SHA-256 of its octets, lower-case hex.
    pub sha256: String,
    /// Its media type.
    pub media_type: String,
    /// What it is called.
    pub name: String,
    /// How many octets it has.
    pub size: u64,
    /// What it is, in words.
    pub note: Option<String>,
    /// The octets in Base64, where they are to be kept.
    pub content: Option<String>,
}

// By hand: a document is nobody else's business.
impl std::fmt::Debug for NewEvidence {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "NewEvidence({}, {} octets)", self.sha256, self.size)
    }
}

/// Every version of a registration repeats the list.
const MOST_EVIDENCE: usize = 50;

type Versions = Vec<(Registration, &'static str)>;

impl Registry {
    /// Grants a wish.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn wish(&self, id: &str, wish: &Wish, actor: &Actor) -> Result<Registration, Declined> {
        let granted = self.wish_once(id, wish, actor, None).await?;
        Ok(granted.now()?)
    }

    /// The same for somebody who may ask twice.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn wish_once(
        &self,
        id: &str,
        wish: &Wish,
        actor: &Actor,
        asked: Option<&Asked<'_, Registration>>,
    ) -> Result<Told<Registration>, Declined> {
        let told = self
            .commit_once(asked, |index, now| {
                let old = index.get(id).map(|one| one.now()).ok_or(Declined::Unknown)?;
                if !actor.speaks_for(&old.cpo) {
                    return Err(Declined::Unknown);
                }
                let name = actor.name();
                let versions = wish.versions(old, &name, now)?;
                let outcome = versions.last().map_or(old, |(newest, _)| newest).clone();
                let drafts = versions
                    .into_iter()
                    .map(|(version, event)| Draft::of(version, event, &name));
                Ok(Plan {
                    drafts: drafts.collect(),
                    files: wish.files(id, now),
                    outcome,
                })
            })
            .await?;
        if matches!((wish, &told), (Wish::Release(_), Told::Now(_))) {
            self.go_on_with_what_was_released().await?;
        }
        Ok(told)
    }

    /// Take-overs that waited for a release go on when it is there. Also looked after in the background: whoever was told of a release
    /// may have died before this.
    pub(super) async fn go_on_with_what_was_released(&self) -> Result<(), StoreError> {
        let released: Vec<String> = {
            let index = self.index();
            let is_released = |one: &&Registration| {
                let old = one.supersedes.as_deref().and_then(|old| index.get(old));
                one.state == State::Submitted && old.is_some_and(|old| old.now().is_released_to(&one.cpo))
            };
            let waiting = index.waiting().map(|one| one.now()).filter(is_released);
            waiting.map(|one| one.id.clone()).collect()
        };
        for id in released {
            match self.go_on_or_hold(&id).await {
                Ok(_) => self.read_back(&id).await?,
                Err(Declined::Failed(error)) => return Err(error),
                // Somebody decided otherwise in the meantime; that stands.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

impl Wish {
    fn versions(&self, old: &Registration, actor: &str, now: DateTime<Utc>) -> Result<Versions, Declined> {
        match self {
            Wish::Withdraw => Ok(vec![(stepped(old, Step::Withdraw, now)?, "WITHDRAWN")]),
            Wish::Deactivate(at) => ended(old, *at, now),
            Wish::Release(to) => released(old, to, now),
            Wish::Exchange(unit) => exchanged(old, unit, now),
            Wish::AddEvidence(new) => documented(old, new, actor, now),
        }
    }

    fn files(&self, registration: &str, now: DateTime<Utc>) -> Vec<NewFile> {
        let Wish::AddEvidence(new) = self else {
            return Vec::new();
        };
        let file = |content: &String| NewFile {
            registration: registration.to_owned(),
            sha256: new.sha256.clone(),
            content: content.clone(),
            kept_at: now,
        };
        new.content.iter().map(file).collect()
    }
}

fn ended(old: &Registration, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Versions, Declined> {
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
}

fn released(old: &Registration, to: &PartyId, now: DateTime<Utc>) -> Result<Versions, Declined> {
    if old.is_released_to(&to.key()) {
        return Ok(Vec::new());
    }
    let released = Registration {
        released_to: Some(to.key()),
        ..stepped(old, Step::Amend, now)?
    };
    Ok(vec![(released, "RELEASED")])
}

fn exchanged(old: &Registration, described: &Unit, now: DateTime<Utc>) -> Result<Versions, Declined> {
    let was = &old.unit;
    let or = |new: &Option<String>, was: &Option<String>| new.clone().or_else(|| was.clone());
    let unit = Unit {
        meter_serial: was.meter_serial.clone(),
        gateway_serial: was.gateway_serial.clone(),
        signs: was.signs,
        manufacturer: or(&described.manufacturer, &was.manufacturer),
        model: or(&described.model, &was.model),
        manufactured: described.manufactured.or(was.manufactured),
        type_approval: or(&described.type_approval, &was.type_approval),
        calibrated_until: described.calibrated_until.or(was.calibrated_until),
        firmware: or(&described.firmware, &was.firmware),
    };
    let mut exchanged = stepped(old, Step::Amend, now)?;
    exchanged.findings.retain(|one| one.code != "MODEL_DIFFERS");
    if !was.is_same_make(&unit) {
        // Expected is the same model; another is worth a remark and no interruption.
        exchanged.findings.push(Found {
            code: "MODEL_DIFFERS".to_owned(),
            severity: "WARNING".to_owned(),
            pointer: "/model".to_owned(),
            message: "the hardware it was exchanged for is of another manufacturer or model".to_owned(),
        });
    }
    Ok(vec![(Registration { unit, ..exchanged }, "STATION_HARDWARE_EXCHANGED")])
}

fn documented(old: &Registration, new: &NewEvidence, actor: &str, now: DateTime<Utc>) -> Result<Versions, Declined> {
    let known = old.evidence.iter().position(|one| one.sha256 == new.sha256);
    let is_kept = known.and_then(|at| old.evidence.get(at)).is_some_and(|one| one.kept);
    if known.is_some() && (is_kept || new.content.is_none()) {
        return Ok(Vec::new());
    }
    if known.is_none() && old.evidence.len() >= MOST_EVIDENCE {
        return Err(Declined::TooMuch);
    }
    let mut documented = stepped(old, Step::Document, now)?;
    match known.and_then(|at| documented.evidence.get_mut(at)) {
        // Its octets come later than its SHA-256.
        Some(one) => one.kept = true,
        None => documented.evidence.push(Evidence {
            sha256: new.sha256.clone(),
            media_type: new.media_type.clone(),
            name: new.name.clone(),
            size: new.size,
            note: new.note.clone(),
            kept: new.content.is_some(),
            added_by: actor.to_owned(),
            added_at: now,
        }),
    }
    Ok(vec![(documented, "EVIDENCE_ADDED")])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::record::tests::{at, key, registration};
    use super::*;

    fn now() -> DateTime<Utc> {
        at("2026-06-01T00:00:00Z")
    }

    fn paper(sha256: &str, content: Option<&str>) -> Wish {
        Wish::AddEvidence(Box::new(NewEvidence {
            sha256: sha256.to_owned(),
            media_type: "application/pdf".to_owned(),
            name: "handover.pdf".to_owned(),
            size: 3,
            note: None,
            content: content.map(str::to_owned),
        }))
    }

    // SAF-54: documented proof.
    #[test]
    fn a_document_is_laid_beside_once_and_its_octets_may_follow() {
        let one = registration("r1", &key(1));
        let named = paper("aa", None).versions(&one, "DE/ABC", now()).unwrap();
        let [(named, "EVIDENCE_ADDED")] = named.as_slice() else {
            panic!("{named:?}")
        };
        assert_eq!(
            (named.version, named.state, named.evidence.len()),
            (2, State::Confirmed, 1)
        );
        assert!(paper("aa", None).versions(named, "DE/ABC", now()).unwrap().is_empty());
        let kept = paper("aa", Some("AAAA")).versions(named, "DE/ABC", now()).unwrap();
        assert_eq!((kept[0].0.evidence.len(), kept[0].0.evidence[0].kept), (1, true));
        assert!(
            paper("aa", Some("AAAA"))
                .versions(&kept[0].0, "DE/ABC", now())
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn documents_beside_a_registration_are_bounded_and_a_closed_one_takes_none() {
        let mut one = registration("r1", &key(1));
        for number in 0..MOST_EVIDENCE {
            one = paper(&number.to_string(), None)
                .versions(&one, "DE/ABC", now())
                .unwrap()
                .remove(0)
                .0;
        }
        assert!(matches!(
            paper("one more", None).versions(&one, "DE/ABC", now()),
            Err(Declined::TooMuch)
        ));
        let closed = Wish::Deactivate(None)
            .versions(&registration("r1", &key(1)), "DE/ABC", now())
            .unwrap()
            .remove(0)
            .0;
        assert!(matches!(
            paper("aa", None).versions(&closed, "DE/ABC", now()),
            Err(Declined::NotNow(_))
        ));
    }

    // SAF-34: the same model is expected.
    #[test]
    fn another_model_is_remarked_on_and_what_is_not_described_stays() {
        let described = |manufacturer: Option<&str>, model: &str| {
            Wish::Exchange(Box::new(Unit {
                manufacturer: manufacturer.map(str::to_owned),
                model: Some(model.to_owned()),
                ..Unit::default()
            }))
        };
        let step = |wish: Wish, one: &Registration| wish.versions(one, "DE/ABC", now()).unwrap().remove(0).0;
        let one = step(described(Some("ACME"), "Post 1"), &registration("r1", &key(1)));
        assert_eq!(one.findings, []);
        let two = step(described(None, "Post 2"), &one);
        assert_eq!(
            (two.unit.manufacturer.as_deref(), two.findings[0].code.as_str()),
            (Some("ACME"), "MODEL_DIFFERS")
        );
        assert_eq!(
            (two.valid_from, two.valid_to, two.state),
            (one.valid_from, one.valid_to, State::Confirmed)
        );
        assert_eq!(step(described(None, "post 2"), &two).findings, []);
    }
}
