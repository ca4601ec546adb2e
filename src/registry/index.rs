//! Every registration in memory, found by fingerprint, meter serial, EVSE-ID or the operator's own EVSE id.
//!
//! A lookup reads memory only and never waits for I/O (key-registry.md 4.6): it happens for every CDR.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use super::evse_id::EvseId;
use crate::metering::key::PublicKey;
use crate::ocpi::ids::fold;
use crate::store::registry::KeyRow;

/// One registration, and its key once somebody needed it.
pub struct Registered {
    row: KeyRow,
    /// Read on first use: proving a point costs more than a lookup, and most keys of a large registry sleep.
    key: OnceLock<Option<PublicKey>>,
}

impl Registered {
    /// The registration as stored.
    #[must_use]
    pub fn row(&self) -> &KeyRow {
        &self.row
    }

    /// The key. `None` would mean that the database was tampered with: only keys that were read get in.
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        self.key
            .get_or_init(|| {
                hex::decode(&self.row.spki_hex)
                    .ok()
                    .and_then(|der| PublicKey::from_bytes(&der, None).ok())
            })
            .as_ref()
    }

    /// The end of its validity: `valid_to` or the deactivation, whichever came first; exclusive.
    #[must_use]
    pub fn until(&self) -> Option<DateTime<Utc>> {
        match (self.row.valid_to, self.row.deactivated_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Whether the registration held at that instant.
    #[must_use]
    pub fn held_at(&self, at: DateTime<Utc>) -> bool {
        self.row.valid_from <= at && self.until().is_none_or(|end| at < end)
    }

    /// Whether it held at any time of `[from, to)`.
    #[must_use]
    pub fn overlaps(&self, from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> bool {
        to.is_none_or(|to| self.row.valid_from < to)
            && self.until().is_none_or(|until| from < until)
            // A registration deactivated before it began never held.
            && self.until().is_none_or(|until| self.row.valid_from < until)
    }
}

/// All registrations as of one revision.
#[derive(Default)]
pub struct Index {
    fingerprints: Places,
    serials: Places,
    serials_of_gateways: Places,
    evses: Places,
    uids: Places,
}

type Places = HashMap<String, Vec<Arc<Registered>>>;

impl Index {
    /// An index of these registrations.
    pub fn new(rows: impl IntoIterator<Item = KeyRow>) -> Index {
        let mut index = Index::default();
        for row in rows {
            index.add(row);
        }
        index
    }

    /// Adds a registration, or puts its new state in place of the old one.
    pub fn put(&mut self, row: KeyRow) {
        for (places, name) in [
            (&mut self.fingerprints, row.fingerprint.clone()),
            (&mut self.serials, fold(&row.meter_serial)),
            (
                &mut self.serials_of_gateways,
                row.gateway_serial.as_deref().map(fold).unwrap_or_default(),
            ),
            (&mut self.evses, row.evse_id.clone()),
            (
                &mut self.uids,
                row.evse_uid
                    .as_deref()
                    .map(|uid| uid_name(&row.cpo_key, uid))
                    .unwrap_or_default(),
            ),
        ] {
            if let Some(list) = places.get_mut(&name) {
                list.retain(|one| one.row.id != row.id);
            }
        }
        self.add(row);
    }

    fn add(&mut self, row: KeyRow) {
        let one = Arc::new(Registered {
            row,
            key: OnceLock::new(),
        });
        let row = &one.row;
        let enter = |places: &mut Places, name: String| places.entry(name).or_default().push(one.clone());
        enter(&mut self.fingerprints, row.fingerprint.clone());
        enter(&mut self.serials, fold(&row.meter_serial));
        if let Some(gateway) = &row.gateway_serial {
            enter(&mut self.serials_of_gateways, fold(gateway));
        }
        enter(&mut self.evses, row.evse_id.clone());
        if let Some(uid) = &row.evse_uid {
            enter(&mut self.uids, uid_name(&row.cpo_key, uid));
        }
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

    /// Registrations at the EVSE of a CDR: by EVSE-ID, or, when none stands there, by the operator's own id (key-registry.md 4.6).
    #[must_use]
    pub fn at_evse(&self, cpo_key: &str, evse_id: Option<&str>, evse_uid: Option<&str>) -> Vec<Arc<Registered>> {
        let by_id: Vec<_> = evse_id.into_iter().flat_map(|id| self.of_evse(id)).cloned().collect();
        if !by_id.is_empty() {
            return by_id;
        }
        evse_uid
            .into_iter()
            .flat_map(|uid| self.of_uid(cpo_key, uid))
            .cloned()
            .collect()
    }
}

fn found<'a>(places: &'a Places, name: &str) -> impl Iterator<Item = &'a Arc<Registered>> + use<'a> {
    places.get(name).map(Vec::as_slice).unwrap_or_default().iter()
}

fn uid_name(cpo_key: &str, uid: &str) -> String {
    format!("{cpo_key}/{}", fold(uid))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metering::key::Curve;
    use crate::metering::sign::SigningMeter;

    pub(in super::super) fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    pub(in super::super) fn row(id: &str, key: &PublicKey) -> KeyRow {
        KeyRow {
            id: id.to_owned(),
            fingerprint: key.fingerprint(),
            curve: key.curve().name().to_owned(),
            spki_hex: hex::encode(key.to_spki_der()),
            meter_serial: "1ABC0000000001".to_owned(),
            gateway_serial: None,
            evse_id: "DE*ABC*E1".to_owned(),
            evse_uid: Some("e-1".to_owned()),
            cpo_key: "DE/ABC".to_owned(),
            valid_from: at("2026-01-01T00:00:00Z"),
            valid_to: None,
            calibrated: true,
            state: "ACTIVE".to_owned(),
            created_at: at("2026-01-01T00:00:00Z"),
            deactivated_at: None,
        }
    }

    fn key() -> PublicKey {
        SigningMeter::from_seed(Curve::Secp256r1, &[1; 32])
            .unwrap()
            .public_key()
            .clone()
    }

    #[test]
    fn a_registration_is_found_by_each_of_its_names_in_any_case() {
        let index = Index::new([row("1", &key())]);
        assert_eq!(index.of_fingerprint(&key().fingerprint()).count(), 1);
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
        assert_eq!(found.key(), Some(&key()));
    }

    #[test]
    fn the_evse_uid_is_asked_only_when_the_evse_id_says_nothing() {
        let index = Index::new([row("1", &key())]);
        assert_eq!(index.at_evse("DE/ABC", Some("DE*ABC*E1"), None).len(), 1);
        assert_eq!(index.at_evse("DE/ABC", None, Some("e-1")).len(), 1);
        assert_eq!(index.at_evse("DE/ABC", Some("#NA"), Some("e-1")).len(), 1);
        assert_eq!(index.at_evse("DE/ABC", None, None).len(), 0);
    }

    #[test]
    fn validity_begins_inclusive_and_ends_exclusive_or_with_the_deactivation() {
        let mut one = row("1", &key());
        one.valid_to = Some(at("2026-03-01T00:00:00Z"));
        one.deactivated_at = Some(at("2026-02-01T00:00:00Z"));
        let index = Index::new([one]);
        let one = index.of_serial("1ABC0000000001").next().unwrap();
        assert!(!one.held_at(at("2025-12-31T23:59:59Z")));
        assert!(one.held_at(at("2026-01-01T00:00:00Z")));
        assert!(one.held_at(at("2026-01-31T23:59:59Z")));
        assert!(!one.held_at(at("2026-02-01T00:00:00Z")));
        assert!(one.overlaps(at("2026-01-31T00:00:00Z"), None));
        assert!(!one.overlaps(at("2026-02-01T00:00:00Z"), None));
        assert!(!one.overlaps(at("2025-01-01T00:00:00Z"), Some(at("2026-01-01T00:00:00Z"))));
    }

    #[test]
    fn a_changed_registration_replaces_the_old_one_everywhere() {
        let mut index = Index::new([row("1", &key())]);
        let mut changed = row("1", &key());
        changed.deactivated_at = Some(at("2026-02-01T00:00:00Z"));
        index.put(changed);
        for found in [
            index.of_serial("1ABC0000000001").collect::<Vec<_>>(),
            index.of_evse("DE*ABC*E1").collect(),
        ] {
            assert_eq!(found.len(), 1);
            assert!(found.iter().all(|one| one.until().is_some()));
        }
        assert_eq!(index.of_uid("DE/ABC", "e-1").count(), 1);
        assert_eq!(index.of_fingerprint(&key().fingerprint()).count(), 1);
    }

    #[test]
    fn a_key_of_a_tampered_row_is_no_key() {
        let mut odd = row("1", &key());
        odd.spki_hex = "zz".to_owned();
        assert!(
            Index::new([odd])
                .of_serial("1ABC0000000001")
                .next()
                .unwrap()
                .key()
                .is_none()
        );
    }
}
