//! Is this registration plausible? Each check of key-registry.md 4.4 that an operator's registration can touch, with its code.
//!
//! Pure: the claim, the registrations that exist, and the instant go in; the key and the remarks, or every error found, come
//! out. PC-13 (Locations), PC-16, PC-18 to PC-21 wait for the rooms they ask. No message repeats any of the key's text: it may
//! have been a private key (PC-17).

use chrono::{DateTime, TimeDelta, Utc};

use super::evse_id::EvseId;
use super::index::{Index, Registered};
use crate::metering::key::{Curve, KeyError, PublicKey};
use crate::ocpi::ids::PartyId;

/// A claim: this key signs for this meter at this EVSE of this operator, for this time.
#[derive(Clone)]
pub struct NewKey {
    /// The key in any spelling.
    pub public_key: String,
    /// The serial number of the meter, as it stands in signed records.
    pub meter_serial: String,
    /// The serial number of the gateway that signs for the meter, if one does.
    pub gateway_serial: Option<String>,
    /// The EVSE-ID (eMI3).
    pub evse_id: String,
    /// The operator's own id of the EVSE, as in `cdr_location.evse_uid`.
    pub evse_uid: Option<String>,
    /// The operator.
    pub cpo: PartyId,
    /// From when on the claim holds, inclusive.
    pub valid_from: DateTime<Utc>,
    /// Until when, exclusive; open-ended when absent.
    pub valid_to: Option<DateTime<Utc>>,
    /// Whether a CDR of this EVSE must bring signed data.
    pub calibrated: bool,
}

/// What a check has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryFinding {
    /// Its name, stable for scripts.
    pub code: &'static str,
    /// Refuse, or tell.
    pub level: Level,
    /// The member of the registration it is about, as a JSON pointer.
    pub pointer: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The registration is refused, because of what it says.
    Error,
    /// The registration is refused, because of what is registered already.
    Conflict,
    /// The registration stands; somebody should look.
    Warning,
}

impl Level {
    /// `ERROR` or `WARNING`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Error | Level::Conflict => "ERROR",
            Level::Warning => "WARNING",
        }
    }
}

/// A claim that may be registered.
#[derive(Debug)]
pub struct Plausible {
    /// The key.
    pub key: PublicKey,
    /// The EVSE in canonical spelling.
    pub evse: EvseId,
    /// Remarks, none of which refuses.
    pub remarks: Vec<RegistryFinding>,
}

/// What became of the checks.
#[derive(Debug)]
pub enum Checked {
    /// May be registered.
    Plausible(Box<Plausible>),
    /// Is registered: same key, meter, EVSE and operator (PC-09). The id of that registration.
    Exists(String),
    /// May not; every reason found, errors first.
    Refused(Vec<RegistryFinding>),
}

/// How far ahead a validity may begin (PC-14).
const AHEAD: TimeDelta = TimeDelta::days(30);

/// Holds a claim against itself and against what is registered.
#[must_use]
pub fn check(claim: &NewKey, index: &Index, now: DateTime<Utc>) -> Checked {
    let mut found = Findings(Vec::new());
    let key = check_key(&claim.public_key, &mut found);
    let evse = check_evse(claim, &mut found);
    check_serial("/meter_serial", Some(&claim.meter_serial), &mut found);
    check_serial("/gateway_serial", claim.gateway_serial.as_deref(), &mut found);
    check_uid(claim.evse_uid.as_deref(), &mut found);
    check_validity(claim, now, &mut found);
    let (Some(key), Some(evse)) = (key, evse) else {
        return Checked::Refused(found.0);
    };
    if found.refuses() {
        return Checked::Refused(found.0);
    }
    let fingerprint = key.fingerprint();
    if let Some(same) = index
        .of_fingerprint(&fingerprint)
        .find(|one| one.overlaps(claim.valid_from, claim.valid_to) && is_same(one, claim, &evse))
    {
        return Checked::Exists(same.row().id.clone());
    }
    check_neighbours(claim, &fingerprint, &evse, index, &mut found);
    if found.refuses() {
        return Checked::Refused(found.0);
    }
    Checked::Plausible(Box::new(Plausible {
        key,
        evse,
        remarks: found.0,
    }))
}

struct Findings(Vec<RegistryFinding>);

impl Findings {
    fn add(&mut self, code: &'static str, level: Level, pointer: &'static str, message: impl Into<String>) {
        self.0.push(RegistryFinding {
            code,
            level,
            pointer,
            message: message.into(),
        });
    }

    fn refuses(&self) -> bool {
        self.0.iter().any(|one| one.level != Level::Warning)
    }
}

/// PC-01 to PC-05, PC-17.
fn check_key(text: &str, found: &mut Findings) -> Option<PublicKey> {
    let key = match PublicKey::read(text, None) {
        Ok(key) => key,
        Err(error) => {
            let code = match error {
                KeyError::PrivateKey => "PRIVATE_KEY_SUBMITTED",
                KeyError::NotOnCurve => "PUBLIC_KEY_NOT_ON_CURVE",
                KeyError::UnsupportedAlgorithm(_) => "UNSUPPORTED_ALGORITHM",
                _ => "PUBLIC_KEY_UNREADABLE",
            };
            found.add(code, Level::Error, "/public_key", error.to_string());
            return None;
        }
    };
    if matches!(key.curve(), Curve::Secp192k1 | Curve::Secp192r1) {
        found.add(
            "LEGACY_STRENGTH",
            Level::Warning,
            "/public_key",
            format!("{} is a 192-bit curve", key.curve().name()),
        );
    }
    if !key.curve().is_supported() {
        let text = format!(
            "signatures on {} cannot be verified by this version",
            key.curve().name()
        );
        found.add("CURVE_NOT_VERIFIABLE", Level::Warning, "/public_key", text);
    }
    Some(key)
}

/// PC-12.
fn check_evse(claim: &NewKey, found: &mut Findings) -> Option<EvseId> {
    let Some(evse) = EvseId::read(&claim.evse_id) else {
        found.add(
            "EVSE_ID_MALFORMED",
            Level::Error,
            "/evse_id",
            "is no EVSE-ID like DE*ABC*E100001",
        );
        return None;
    };
    if evse.operator() != claim.cpo.key() {
        let text = format!(
            "names the operator {}, but the key is registered for {}",
            evse.operator(),
            claim.cpo
        );
        found.add("EVSE_ID_OF_OTHER_OPERATOR", Level::Error, "/evse_id", text);
    }
    Some(evse)
}

/// PC-07.
fn check_serial(pointer: &'static str, serial: Option<&str>, found: &mut Findings) {
    let Some(serial) = serial else { return };
    let good = (1..=64).contains(&serial.chars().count())
        && serial.trim() == serial
        && serial.chars().all(|one| !one.is_control());
    if !good {
        found.add(
            "SERIAL_MALFORMED",
            Level::Error,
            pointer,
            "must be 1 to 64 printable characters without blanks around them",
        );
    }
}

fn check_uid(uid: Option<&str>, found: &mut Findings) {
    let Some(uid) = uid else { return };
    if !(1..=36).contains(&uid.chars().count()) || !uid.bytes().all(|one| one.is_ascii_graphic()) {
        found.add(
            "EVSE_UID_MALFORMED",
            Level::Error,
            "/evse_uid",
            "must be 1 to 36 printable ASCII characters",
        );
    }
}

/// PC-14, as far as an instant alone can tell.
fn check_validity(claim: &NewKey, now: DateTime<Utc>, found: &mut Findings) {
    if claim.valid_from > now + AHEAD {
        found.add(
            "VALIDITY_TOO_FAR_AHEAD",
            Level::Error,
            "/valid_from",
            "is more than 30 days ahead",
        );
    }
    if claim.valid_to.is_some_and(|end| end <= claim.valid_from) {
        found.add("VALIDITY_EMPTY", Level::Error, "/valid_to", "must be after valid_from");
    }
}

/// PC-09: serials and ids are compared as records compare them, without case.
fn is_same(one: &Registered, claim: &NewKey, evse: &EvseId) -> bool {
    let row = one.row();
    row.meter_serial.eq_ignore_ascii_case(&claim.meter_serial)
        && row.evse_id == evse.as_str()
        && row.cpo_key == claim.cpo.key()
}

/// PC-08, PC-10, PC-11: one key, one meter, one EVSE at a time, with the gateway that signs for several meters as the exception.
fn check_neighbours(claim: &NewKey, fingerprint: &str, evse: &EvseId, index: &Index, found: &mut Findings) {
    let overlapping = |one: &&std::sync::Arc<Registered>| one.overlaps(claim.valid_from, claim.valid_to);
    if let Some(other) = index
        .of_fingerprint(fingerprint)
        .filter(overlapping)
        .find(|one| !shares_gateway(one, claim))
    {
        let row = other.row();
        let text = format!(
            "the key is registered for meter {} at {} ({})",
            row.meter_serial, row.evse_id, row.id
        );
        found.add("KEY_ACTIVE_ELSEWHERE", Level::Conflict, "/public_key", text);
    }
    if let Some(other) = index
        .of_serial(&claim.meter_serial)
        .filter(overlapping)
        .find(|one| one.row().fingerprint != fingerprint)
    {
        let text = format!(
            "the meter has another key in that time ({}): end that registration first",
            other.row().id
        );
        found.add("METER_HAS_ACTIVE_KEY", Level::Conflict, "/meter_serial", text);
    }
    let other_meter =
        |one: &&std::sync::Arc<Registered>| !one.row().meter_serial.eq_ignore_ascii_case(&claim.meter_serial);
    if let Some(other) = index.of_evse(evse.as_str()).filter(overlapping).find(other_meter) {
        let text = format!(
            "the EVSE has another meter in that time ({}): end that registration first",
            other.row().id
        );
        found.add("EVSE_HAS_ACTIVE_METER", Level::Conflict, "/evse_id", text);
    }
}

fn shares_gateway(one: &Registered, claim: &NewKey) -> bool {
    match (&one.row().gateway_serial, &claim.gateway_serial) {
        (Some(theirs), Some(ours)) => {
            theirs.eq_ignore_ascii_case(ours) && !one.row().meter_serial.eq_ignore_ascii_case(&claim.meter_serial)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metering::sign::SigningMeter;
    use crate::registry::index::tests::{at, row};

    fn key(seed: u8) -> PublicKey {
        SigningMeter::from_seed(Curve::Secp256r1, &[seed; 32])
            .unwrap()
            .public_key()
            .clone()
    }

    fn claim(seed: u8) -> NewKey {
        NewKey {
            public_key: hex::encode(key(seed).to_spki_der()),
            meter_serial: "1ABC0000000001".into(),
            gateway_serial: None,
            evse_id: "DE*ABC*E1".into(),
            evse_uid: Some("E1".into()),
            cpo: PartyId::from_slash("de/abc").unwrap(),
            valid_from: at("2026-01-01T00:00:00Z"),
            valid_to: None,
            calibrated: true,
        }
    }

    /// The index after `claim` was registered.
    fn after(claims: &[NewKey]) -> Index {
        Index::new(claims.iter().enumerate().map(|(number, claim)| {
            let mut row = row(&number.to_string(), &PublicKey::read(&claim.public_key, None).unwrap());
            row.meter_serial.clone_from(&claim.meter_serial);
            row.gateway_serial.clone_from(&claim.gateway_serial);
            row.evse_id = EvseId::read(&claim.evse_id).unwrap().to_string();
            row.cpo_key = claim.cpo.key();
            row.valid_from = claim.valid_from;
            row.valid_to = claim.valid_to;
            row
        }))
    }

    fn codes(checked: &Checked) -> Vec<&'static str> {
        match checked {
            Checked::Plausible(plausible) => plausible.remarks.iter().map(|one| one.code).collect(),
            Checked::Exists(_) => vec!["exists"],
            Checked::Refused(found) => found
                .iter()
                .filter(|one| one.level != Level::Warning)
                .map(|one| one.code)
                .collect(),
        }
    }

    fn now() -> DateTime<Utc> {
        at("2026-06-01T00:00:00Z")
    }

    #[test]
    fn a_plain_registration_is_plausible_without_a_remark() {
        assert_eq!(codes(&check(&claim(1), &Index::default(), now())), Vec::<&str>::new());
    }

    #[test]
    fn a_private_key_is_refused_and_nothing_of_it_is_repeated() {
        // PC-17
        let secret =
            "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIJ0U7Ck5fqMAGICSECRETMATERIAL\n-----END EC PRIVATE KEY-----";
        let checked = check(
            &NewKey {
                public_key: secret.into(),
                ..claim(1)
            },
            &Index::default(),
            now(),
        );
        assert_eq!(codes(&checked), ["PRIVATE_KEY_SUBMITTED"]);
        assert!(!format!("{checked:?}").contains("MAGICSECRET"));
    }

    #[test]
    fn what_is_no_key_is_refused_by_name() {
        // PC-01 to PC-04
        let mut off_curve = key(1).sec1_uncompressed().to_vec();
        let last = off_curve.len() - 1;
        off_curve[last] ^= 1;
        for (text, code) in [
            ("".to_owned(), "PUBLIC_KEY_UNREADABLE"),
            ("no key at all".to_owned(), "PUBLIC_KEY_UNREADABLE"),
            (hex::encode(off_curve), "PUBLIC_KEY_NOT_ON_CURVE"),
        ] {
            assert_eq!(
                codes(&check(
                    &NewKey {
                        public_key: text,
                        ..claim(1)
                    },
                    &Index::default(),
                    now()
                )),
                [code]
            );
        }
    }

    #[test]
    fn a_192_bit_key_is_taken_with_a_remark() {
        // PC-05
        let old = SigningMeter::from_seed(Curve::Secp192r1, &[7; 32]).unwrap();
        let text = hex::encode(old.public_key().to_spki_der());
        assert_eq!(
            codes(&check(
                &NewKey {
                    public_key: text,
                    ..claim(1)
                },
                &Index::default(),
                now()
            )),
            ["LEGACY_STRENGTH"]
        );
    }

    #[test]
    fn every_fault_of_a_claim_is_named_at_once() {
        // PC-07, PC-12, PC-14
        let odd = NewKey {
            meter_serial: " 1".into(),
            evse_id: "NL*ABC*E1".into(),
            evse_uid: Some("x".repeat(37)),
            valid_from: at("2026-07-02T00:00:00Z"),
            valid_to: Some(at("2026-07-02T00:00:00Z")),
            ..claim(1)
        };
        assert_eq!(
            codes(&check(&odd, &Index::default(), now())),
            [
                "EVSE_ID_OF_OTHER_OPERATOR",
                "SERIAL_MALFORMED",
                "EVSE_UID_MALFORMED",
                "VALIDITY_TOO_FAR_AHEAD",
                "VALIDITY_EMPTY"
            ]
        );
    }

    #[test]
    fn the_same_claim_again_is_the_same_registration() {
        // PC-09
        let index = after(&[claim(1)]);
        let again = NewKey {
            evse_id: "deabce1".into(),
            meter_serial: "1abc0000000001".into(),
            ..claim(1)
        };
        assert!(matches!(check(&again, &index, now()), Checked::Exists(id) if id == "0"));
    }

    #[test]
    fn one_key_serves_one_meter_at_one_evse_at_a_time() {
        // PC-08, PC-10, PC-11
        let index = after(&[claim(1)]);
        let moved = NewKey {
            evse_id: "DE*ABC*E2".into(),
            ..claim(1)
        };
        assert_eq!(codes(&check(&moved, &index, now())), ["KEY_ACTIVE_ELSEWHERE"]);
        let rekeyed = claim(2);
        assert_eq!(codes(&check(&rekeyed, &index, now())), ["METER_HAS_ACTIVE_KEY"]);
        let second_meter = NewKey {
            meter_serial: "1ABC0000000002".into(),
            ..claim(2)
        };
        assert_eq!(codes(&check(&second_meter, &index, now())), ["EVSE_HAS_ACTIVE_METER"]);
    }

    #[test]
    fn an_interval_that_ended_is_in_nobodys_way() {
        // PC-14, S-22: the next begins where the last ended
        let ended = NewKey {
            valid_to: Some(at("2026-05-01T00:00:00Z")),
            ..claim(1)
        };
        let index = after(&[ended]);
        let next = NewKey {
            valid_from: at("2026-05-01T00:00:00Z"),
            ..claim(2)
        };
        assert_eq!(codes(&check(&next, &index, now())), Vec::<&str>::new());
        let too_early = NewKey {
            valid_from: at("2026-04-30T23:59:59Z"),
            ..claim(2)
        };
        assert_eq!(codes(&check(&too_early, &index, now())), ["METER_HAS_ACTIVE_KEY"]);
    }

    #[test]
    fn a_gateway_may_sign_for_several_meters() {
        // key-registry.md 4.1: shared gateway
        let first = NewKey {
            gateway_serial: Some("GW1".into()),
            ..claim(1)
        };
        let index = after(&[first]);
        let second = NewKey {
            gateway_serial: Some("gw1".into()),
            meter_serial: "1ABC0000000002".into(),
            evse_id: "DE*ABC*E2".into(),
            ..claim(1)
        };
        assert_eq!(codes(&check(&second, &index, now())), Vec::<&str>::new());
        let stranger = NewKey {
            gateway_serial: Some("GW2".into()),
            ..second
        };
        assert_eq!(codes(&check(&stranger, &index, now())), ["KEY_ACTIVE_ELSEWHERE"]);
    }
}
