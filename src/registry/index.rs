//! Every registration in memory, found by fingerprint, meter serial, gateway serial, EVSE-ID or the operator's own EVSE id.
//!
//! A lookup reads memory only and never waits for I/O (key-registry.md 4.6): it happens for every CDR. Two times matter: when something
//! held (`at`), and when the registry knew it ([`Registered::known_at`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};

use super::evse_id::EvseId;
use super::lifecycle::State;
use super::record::Registration;
use super::waivers::{Waiver, Waivers};
use crate::metering::key::PublicKey;
use crate::ocpi::ids::fold;

/// A registration: its newest version, and what the registry said before.
pub struct Registered {
    newest: Known,
    /// Older versions, oldest first. Of several learned in one instant the last, for nobody could have been told the others.
    earlier: Vec<Known>,
    /// Read on first use: proving a point costs more than a lookup, and most keys of a large registry sleep.
    key: OnceLock<Option<PublicKey>>,
}

/// A version, and when the registry learned of it.
#[derive(Clone)]
struct Known {
    since: DateTime<Utc>,
    registration: Arc<Registration>,
}

impl Registered {
    fn new(registration: Registration, since: DateTime<Utc>) -> Registered {
        Registered {
            newest: Known {
                since,
                registration: Arc::new(registration),
            },
            earlier: Vec::new(),
            key: OnceLock::new(),
        }
    }

    /// The same, one version later.
    fn followed_by(&self, registration: Registration, since: DateTime<Utc>) -> Registered {
        let mut earlier = self.earlier.clone();
        if self.newest.since < since {
            earlier.push(self.newest.clone());
        }
        Registered {
            earlier,
            key: self.key.clone(),
            ..Registered::new(registration, since)
        }
    }

    /// The newest version.
    #[must_use]
    pub fn now(&self) -> &Registration {
        &self.newest.registration
    }

    /// When the registry learned of the newest version.
    #[must_use]
    pub fn learned_at(&self) -> DateTime<Utc> {
        self.newest.since
    }

    /// The version the registry would have shown at `instant`; `None` when it knew nothing yet.
    #[must_use]
    pub fn known_at(&self, instant: DateTime<Utc>) -> Option<&Registration> {
        if self.newest.since <= instant {
            return Some(self.now());
        }
        let known = self.earlier.iter().rev().find(|one| one.since <= instant)?;
        Some(&known.registration)
    }

    /// The key. `None` would mean that the database was tampered with: only keys that were read get in.
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        self.key
            .get_or_init(|| {
                hex::decode(&self.now().public_key)
                    .ok()
                    .and_then(|der| PublicKey::from_bytes(&der, None).ok())
            })
            .as_ref()
    }
}

/// All registrations as of one place of the log.
#[derive(Default)]
pub struct Index {
    /// By id, which is the order in which they were made.
    all: BTreeMap<String, Arc<Registered>>,
    fingerprints: Places,
    serials: Places,
    serials_of_gateways: Places,
    evses: Places,
    uids: Places,
    /// Those that wait for something: for another's release, to be read back, or for the end of their validity.
    waiting: BTreeSet<String>,
    /// Who made units of which a registration was confirmed once.
    manufacturers: HashSet<String>,
    waivers: Waivers,
    /// The latest record time of all.
    learned_at: Option<DateTime<Utc>>,
}

type Places = HashMap<String, Vec<Arc<Registered>>>;

impl Index {
    /// Enters a version the registry learned of at `since`. Versions come in the order of the log.
    pub fn put(&mut self, registration: Registration, since: DateTime<Utc>) {
        let id = registration.id.clone();
        self.learned_at = self.learned_at.max(Some(since));
        let one = Arc::new(match self.all.get(&id) {
            Some(known) => known.followed_by(registration, since),
            None => Registered::new(registration, since),
        });
        let now = one.now();
        let waits = match now.state {
            State::Submitted | State::Published => true,
            State::Confirmed => now.valid_to.is_some(),
            _ => false,
        };
        if let (State::Confirmed, Some(manufacturer)) = (now.state, &now.unit.manufacturer) {
            self.manufacturers.insert(fold(manufacturer.trim()));
        }
        match waits {
            true => self.waiting.insert(id.clone()),
            false => self.waiting.remove(&id),
        };
        // What a registration is found by is the same in all its versions.
        let enter = |places: &mut Places, name: String| {
            let list = places.entry(name).or_default();
            match list.iter_mut().find(|other| other.now().id == id) {
                Some(place) => *place = one.clone(),
                None => list.push(one.clone()),
            }
        };
        enter(&mut self.fingerprints, now.fingerprint.clone());
        if let Some(meter) = &now.unit.meter_serial {
            enter(&mut self.serials, fold(meter));
        }
        if let Some(gateway) = &now.unit.gateway_serial {
            enter(&mut self.serials_of_gateways, fold(gateway));
        }
        enter(&mut self.evses, now.evse_id.clone());
        if let Some(uid) = &now.evse_uid {
            enter(&mut self.uids, uid_name(&now.cpo, uid));
        }
        self.all.insert(id.clone(), one.clone());
    }

    /// Enters a version of a waiver, likewise.
    pub fn put_waiver(&mut self, waiver: Waiver, since: DateTime<Utc>) {
        self.learned_at = self.learned_at.max(Some(since));
        self.waivers.put(waiver, since);
    }

    /// What eMSPs have waived.
    #[must_use]
    pub fn waivers(&self) -> &Waivers {
        &self.waivers
    }

    /// The record time of all that is known here: asked with it as `known_at` later, the registry says the same again. Not simply `now`:
    /// what another process has just confirmed was recorded before now, and is not known here yet. `now` only where nothing is known.
    #[must_use]
    pub fn record_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.learned_at.unwrap_or(now)
    }

    /// The record time of what is written next: `now`, but behind all that is known, also what was written by a clock ahead of ours.
    #[must_use]
    pub fn next_record_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.learned_at {
            Some(learned) if learned >= now => learned + TimeDelta::microseconds(1),
            _ => now,
        }
    }

    /// One registration.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Registered>> {
        self.all.get(id)
    }

    /// Registrations behind one, in the order they were made.
    pub fn after(&self, id: &str) -> impl Iterator<Item = &Arc<Registered>> {
        self.all
            .range::<str, _>((Bound::Excluded(id), Bound::Unbounded))
            .map(|(_, one)| one)
    }

    /// Whether a registration of a unit of this manufacturer was ever confirmed.
    #[must_use]
    pub fn knows_manufacturer(&self, name: &str) -> bool {
        self.manufacturers.contains(&fold(name.trim()))
    }

    /// Those that wait for another's release, to be read back, or for the end of their validity.
    pub fn waiting(&self) -> impl Iterator<Item = &Arc<Registered>> {
        self.waiting.iter().filter_map(|id| self.all.get(id))
    }

    /// Registrations of a key.
    pub fn of_fingerprint(&self, fingerprint: &str) -> impl Iterator<Item = &Arc<Registered>> {
        found(&self.fingerprints, fingerprint)
    }

    /// Registrations of a meter. Serials are compared without case.
    pub fn of_serial(&self, serial: &str) -> impl Iterator<Item = &Arc<Registered>> {
        found(&self.serials, &fold(serial))
    }

    /// Registrations of the meters a gateway signs for.
    pub fn of_gateway(&self, serial: &str) -> impl Iterator<Item = &Arc<Registered>> {
        found(&self.serials_of_gateways, &fold(serial))
    }

    /// Registrations at an EVSE, in any spelling of its id.
    pub fn of_evse(&self, evse_id: &str) -> impl Iterator<Item = &Arc<Registered>> {
        let name = EvseId::read(evse_id).map_or_else(|| fold(evse_id), |evse| evse.to_string());
        found(&self.evses, &name)
    }

    /// Registrations at an EVSE, by the operator's own id of it.
    pub fn of_uid(&self, cpo_key: &str, evse_uid: &str) -> impl Iterator<Item = &Arc<Registered>> {
        found(&self.uids, &uid_name(cpo_key, evse_uid))
    }

    /// Registrations at the EVSE of a CDR, as far as they were known at `known_at`: by EVSE-ID, or, when none stood there, by the operator's
    /// own id (key-registry.md 4.6).
    #[must_use]
    pub fn at_evse(
        &self,
        cpo_key: &str,
        evse_id: Option<&str>,
        evse_uid: Option<&str>,
        known_at: DateTime<Utc>,
    ) -> Vec<Arc<Registered>> {
        let is_known = |one: &&Arc<Registered>| one.known_at(known_at).is_some();
        let by_id = evse_id.into_iter().flat_map(|id| self.of_evse(id)).filter(is_known);
        let by_id: Vec<_> = by_id.cloned().collect();
        if !by_id.is_empty() {
            return by_id;
        }
        let by_uid = evse_uid.into_iter().flat_map(|uid| self.of_uid(cpo_key, uid));
        by_uid.filter(is_known).cloned().collect()
    }
}

fn found<'a>(places: &'a Places, name: &str) -> impl Iterator<Item = &'a Arc<Registered>> + use<'a> {
    places.get(name).map(Vec::as_slice).unwrap_or_default().iter()
}

fn uid_name(cpo_key: &str, uid: &str) -> String {
    format!("{cpo_key}/{}", fold(uid))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::record::tests::{at, key, registration};
    use super::*;

    fn index(registrations: impl IntoIterator<Item = Registration>) -> Index {
        let mut index = Index::default();
        for one in registrations {
            let since = one.submitted_at;
            index.put(one, since);
        }
        index
    }

    #[test]
    fn a_registration_is_found_by_each_of_its_names_in_any_case() {
        let index = index([registration("1", &key(1))]);
        assert_eq!(index.of_fingerprint(&key(1).fingerprint()).count(), 1);
        assert_eq!(index.of_serial("1abc0000000001").count(), 1);
        assert_eq!(index.of_evse("deabce1").count(), 1);
        assert_eq!(index.of_uid("DE/ABC", "E-1").count(), 1);
        assert_eq!(
            index.of_uid("DE/XYZ", "E-1").count(),
            0,
            "an operator's own id means nothing at another operator"
        );
        assert_eq!(index.of_serial("other").count(), 0);
        assert_eq!(index.of_evse("#NA").count(), 0);
        let found = index.of_evse("DE*ABC*E1").next().unwrap();
        assert_eq!(found.key(), Some(&key(1)));
    }

    #[test]
    fn the_evse_uid_is_asked_only_when_the_evse_id_says_nothing() {
        let index = index([registration("1", &key(1))]);
        let known_at = at("2027-01-01T00:00:00Z");
        let found = |id, uid| index.at_evse("DE/ABC", id, uid, known_at).len();
        assert_eq!(found(Some("DE*ABC*E1"), None), 1);
        assert_eq!(found(None, Some("e-1")), 1);
        assert_eq!(found(Some("#NA"), Some("e-1")), 1);
        assert_eq!(found(None, None), 0);
    }

    #[test]
    fn a_new_version_replaces_the_old_one_everywhere_and_the_old_one_is_still_known() {
        let mut index = index([registration("1", &key(1))]);
        let mut ended = registration("1", &key(1));
        ended.version = 2;
        ended.state = State::Deactivated;
        ended.valid_to = Some(at("2026-02-01T00:00:00Z"));
        index.put(ended, at("2026-02-03T00:00:00Z"));
        for found in [
            index.of_serial("1ABC0000000001").collect::<Vec<_>>(),
            index.of_evse("DE*ABC*E1").collect(),
            index.of_uid("DE/ABC", "e-1").collect(),
            index.of_fingerprint(&key(1).fingerprint()).collect(),
            index.after("").collect(),
        ] {
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].now().version, 2);
        }
        let one = index.get("1").unwrap();
        let version = |text| one.known_at(at(text)).map(|known| known.version);
        assert_eq!(version("2025-12-31T00:00:00Z"), None, "nobody knew of it");
        assert_eq!(version("2026-02-02T00:00:00Z"), Some(1), "ended, but nobody knew of it");
        assert_eq!(version("2026-02-03T00:00:00Z"), Some(2));
    }

    #[test]
    fn what_was_learned_in_one_instant_is_one_knowledge() {
        let mut index = Index::default();
        for version in 1..=3 {
            let one = Registration {
                version,
                ..registration("1", &key(1))
            };
            index.put(one, at("2026-01-01T00:00:00Z"));
        }
        let one = index.get("1").unwrap();
        assert!(one.earlier.is_empty());
        assert_eq!(one.known_at(at("2026-01-01T00:00:00Z")).unwrap().version, 3);
    }

    #[test]
    fn what_is_learned_later_is_recorded_later_whatever_the_clock_says() {
        let (before, learned, after) = ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        let nothing = Index::default();
        assert_eq!(nothing.record_time(at(after)), at(after));
        assert_eq!(nothing.next_record_time(at(after)), at(after));
        let index = index([registration("1", &key(1))]);
        for now in [before, learned, after] {
            assert_eq!(index.record_time(at(now)), at(learned), "{now}");
            assert!(index.next_record_time(at(now)) > at(learned), "{now}");
        }
        assert_eq!(index.next_record_time(at(after)), at(after));
    }

    #[test]
    fn what_waits_is_found_without_a_look_at_the_rest() {
        let mut pending = registration("1", &key(1));
        pending.state = State::Published;
        let mut ending = registration("2", &key(2));
        ending.valid_to = Some(at("2027-01-01T00:00:00Z"));
        let mut index = index([pending, ending, registration("3", &key(3))]);
        assert_eq!(index.waiting().count(), 2);
        index.put(registration("1", &key(1)), at("2026-01-02T00:00:00Z"));
        assert_eq!(
            index.waiting().map(|one| one.now().id.as_str()).collect::<Vec<_>>(),
            ["2"]
        );
    }

    #[test]
    fn a_key_of_a_tampered_row_is_no_key() {
        let mut odd = registration("1", &key(1));
        odd.public_key = "zz".to_owned();
        assert!(index([odd]).of_serial("1ABC0000000001").next().unwrap().key().is_none());
    }
}
