//! What changed since somebody looked last, and whom it may concern: the seam by which verdicts follow the registry.
//!
//! The log orders everything that was written. Who remembers the place of the last line it dealt with misses none, whichever process
//! wrote them. Most lines change no verdict: a claim that nobody has confirmed, hardware exchanged, an end that was foreseen. What
//! does is told with the time of the charging it may touch, so that nobody looks at the rest.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Registry;
use super::lifecycle::{Standing, State};
use super::record::{Registration, kind};
use crate::store::StoreError;

/// A change of one registration, in the names by which CDRs ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the log, from 1.
    pub number: i64,
    /// The registration.
    pub registration: String,
    /// The key.
    pub fingerprint: String,
    /// The meter, where it has a number of its own.
    pub meter_serial: Option<String>,
    /// The gateway that signs for it.
    pub gateway_serial: Option<String>,
    /// The EVSE.
    pub evse_id: String,
    /// The EVSE by the operator's own id.
    pub evse_uid: Option<String>,
    /// The operator, `DE/ABC`.
    pub cpo: String,
    /// Charging that ended before is not touched by it; `None` for "at any time".
    pub from: Option<DateTime<Utc>>,
    /// Charging that began then or later is not touched by it; `None` for "at any time".
    pub to: Option<DateTime<Utc>>,
}

/// What a stretch of the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The place of its last line, from which it goes on; where it was asked from when there is nothing behind.
    pub up_to: i64,
    /// The changes in it, in order; most stretches have few.
    pub changes: Vec<Change>,
}

impl Registry {
    /// The changes in the next `limit` lines behind place `after` of the log. Of one registration there is at most one in a stretch.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changes_since(&self, after: i64, limit: u32) -> Result<Changes, StoreError> {
        let place = u64::try_from(after).unwrap_or_default();
        let documents = self.store.registry_documents(place, limit).await?;
        let up_to = documents.last().map_or(after, |document| number(document.seq));
        let mut before: HashMap<String, Registration> = HashMap::new();
        let mut changes: Vec<Change> = Vec::new();
        for document in documents {
            if document.kind != kind::REGISTRATION {
                continue;
            }
            let version = Registration::read(&document.document)?;
            let earlier = match before.remove(&version.id) {
                Some(earlier) => Some(earlier),
                None => self.version_before(&version).await?,
            };
            if let Some(touched) = touched(earlier.as_ref(), &version) {
                let same = changes.iter().position(|change| change.registration == version.id);
                // Both are dealt with at once, when the later is known.
                let touched = match same.map(|place| changes.remove(place)) {
                    Some(same) => touched.and(&Window::of(&same)),
                    None => touched,
                };
                changes.push(Change::told(document.seq, &version, touched));
            }
            before.insert(version.id.clone(), version);
        }
        Ok(Changes { up_to, changes })
    }

    async fn version_before(&self, version: &Registration) -> Result<Option<Registration>, StoreError> {
        // What is only claimed changes nothing, whatever was before.
        if version.version == 1 || version.state.standing() == Standing::Pending {
            return Ok(None);
        }
        let history = self.store.registry_history(kind::REGISTRATION, &version.id).await?;
        let before = history.iter().find(|one| one.version + 1 == version.version);
        before.map(|before| Registration::read(&before.document)).transpose()
    }
}

/// Charging from an instant until before another; `None` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

impl Window {
    const ALWAYS: Window = Window { from: None, to: None };

    fn of(change: &Change) -> Window {
        Window {
            from: change.from,
            to: change.to,
        }
    }

    /// The shortest that holds both.
    fn and(self, other: &Window) -> Window {
        Window {
            from: self.from.zip(other.from).map(|(one, other)| one.min(other)),
            to: self.to.zip(other.to).map(|(one, other)| one.max(other)),
        }
    }
}

/// The charging whose verdicts a step of a registration may touch; `None` where it touches none.
///
/// A claim touches none that was made: before it, no registry vouched for the key, and until it is confirmed none does. Who was judged
/// while it waited is judged again when it is confirmed, and also when it is refused or taken back (KEY_NOT_YET_CONFIRMED). What begins
/// to count touches all time, also around its validity: that a key was not registered yet is something a verdict says
/// (KEY_DEACTIVATED_AT_TIME).
fn touched(before: Option<&Registration>, after: &Registration) -> Option<Window> {
    let Some(before) = before else {
        // A first version is a claim, or adopted from the time before the log: verdicts rest on that already. A later one has one before,
        // unless somebody took it out of the database.
        return (after.version > 1 && after.state.standing() != Standing::Pending).then_some(Window::ALWAYS);
    };
    match (before.state.standing(), after.state.standing()) {
        (Standing::Held, Standing::Held) if is_moved_end(before, after) => {
            ends_between(before.valid_to, after.valid_to)
        }
        (Standing::Held, Standing::Held) => Some(Window::ALWAYS),
        (one, other) if one == other => None,
        // Refused in the commit it came in: nobody was told of it in between.
        (Standing::Pending, Standing::Nothing) if is_implausible(after) => None,
        _ => Some(Window::ALWAYS),
    }
}

/// Whether all that verdicts ask for but the end of validity is the same.
fn is_moved_end(before: &Registration, after: &Registration) -> bool {
    (before.valid_from, before.calibrated) == (after.valid_from, after.calibrated)
}

/// An end that moves touches what lies between the two.
fn ends_between(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<Window> {
    (one != other).then(|| Window {
        from: one.into_iter().chain(other).min(),
        to: one.zip(other).map(|(one, other)| one.max(other)),
    })
}

/// Whether the checks refused it: nothing with an error in its findings goes on.
fn is_implausible(registration: &Registration) -> bool {
    registration.state == State::Refused && registration.findings.iter().any(|found| found.severity == "ERROR")
}

impl Change {
    fn told(place: u64, registration: &Registration, touched: Window) -> Change {
        Change {
            number: number(place),
            registration: registration.id.clone(),
            fingerprint: registration.fingerprint.clone(),
            meter_serial: registration.unit.meter_serial.clone(),
            gateway_serial: registration.unit.gateway_serial.clone(),
            evse_id: registration.evse_id.clone(),
            evse_uid: registration.evse_uid.clone(),
            cpo: registration.cpo.clone(),
            from: touched.from,
            to: touched.to,
        }
    }
}

fn number(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::record::Found;
    use super::super::record::tests::{at, key, registration};
    use super::*;

    fn version(number: u64, state: State) -> Registration {
        Registration {
            version: number,
            state,
            ..registration("1", &key(1))
        }
    }

    fn between(from: &str, to: Option<&str>) -> Option<Window> {
        Some(Window {
            from: Some(at(from)),
            to: to.map(at),
        })
    }

    #[test]
    fn a_claim_touches_nothing_until_it_is_confirmed_refused_or_withdrawn() {
        use State::{Checked, Confirmed, OnHold, Published, Refused, Submitted, Withdrawn};
        let step = |before, after| touched(Some(&version(1, before)), &version(2, after));
        assert_eq!(touched(None, &version(1, Submitted)), None);
        for (before, after) in [
            (Submitted, OnHold),
            (Submitted, Checked),
            (OnHold, Checked),
            (Checked, Published),
        ] {
            assert_eq!(step(before, after), None, "{before} to {after}");
        }
        for (before, after) in [
            (Published, Confirmed),
            (Submitted, Refused),
            (OnHold, Refused),
            (Submitted, Withdrawn),
            (OnHold, Withdrawn),
            (Checked, Withdrawn),
        ] {
            assert_eq!(step(before, after), Some(Window::ALWAYS), "{before} to {after}");
        }
    }

    #[test]
    fn what_the_checks_refused_was_never_told_to_anybody() {
        let mut refused = version(2, State::Refused);
        refused.findings.push(Found {
            code: "KEY_ACTIVE_ELSEWHERE".to_owned(),
            severity: "ERROR".to_owned(),
            pointer: "/public_key".to_owned(),
            message: "elsewhere".to_owned(),
        });
        assert_eq!(touched(Some(&version(1, State::Submitted)), &refused), None);
    }

    #[test]
    fn what_was_adopted_is_no_change() {
        assert_eq!(touched(None, &version(1, State::Confirmed)), None);
    }

    #[test]
    fn a_version_whose_predecessor_somebody_took_away_is_a_change_of_everything() {
        assert_eq!(touched(None, &version(3, State::Deactivated)), Some(Window::ALWAYS));
    }

    #[test]
    fn an_end_that_moves_touches_the_charging_between_and_any_other_difference_all() {
        let ended = |to: Option<&str>| Registration {
            valid_to: to.map(at),
            ..version(2, State::Deactivated)
        };
        let (early, late) = ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z");
        let step = |before: Option<&str>, after: Option<&str>| touched(Some(&ended(before)), &ended(after));
        assert_eq!(step(None, Some(early)), between(early, None));
        assert_eq!(step(Some(late), Some(early)), between(early, Some(late)));
        assert_eq!(step(Some(early), Some(early)), None, "ended when it was to end");
        assert_eq!(
            touched(Some(&version(1, State::Confirmed)), &version(2, State::Confirmed)),
            None
        );
        let mut other = version(2, State::Confirmed);
        other.calibrated = !other.calibrated;
        assert_eq!(
            touched(Some(&version(1, State::Confirmed)), &other),
            Some(Window::ALWAYS)
        );
        let both = between(early, Some(late)).unwrap().and(&between(late, None).unwrap());
        assert_eq!(Some(both), between(early, None));
    }
}
