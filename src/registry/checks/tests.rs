//! One test for each row of key-registry.md 4.4, named after it.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::metering::key::Curve;
use crate::metering::sign::SigningMeter;
use crate::registry::lifecycle::State;
use crate::registry::record::tests::{at, key, registration};
use crate::registry::record::{Registration, Signs};

fn claim(seed: u8) -> NewKey {
    let unit = Unit {
        meter_serial: Some("1ABC0000000001".into()),
        ..Unit::default()
    };
    let cpo = PartyId::from_slash("de/abc").unwrap();
    NewKey {
        evse_uid: Some("E1".into()),
        ..NewKey::of(
            hex::encode(key(seed).to_spki_der()),
            unit,
            "DE*ABC*E1".into(),
            cpo,
            at("2026-01-01T00:00:00Z"),
        )
    }
}

fn on_curve(curve: Curve) -> NewKey {
    let meter = SigningMeter::from_seed(curve, b"some meter").unwrap();
    NewKey {
        public_key: hex::encode(meter.public_key().to_spki_der()),
        ..claim(1)
    }
}

/// The index after these claims were confirmed, with the ids 0, 1, …
fn after(claims: &[NewKey]) -> Index {
    let mut index = Index::default();
    for (number, claim) in claims.iter().enumerate() {
        let one = Registration {
            unit: claim.unit.clone(),
            evse_id: EvseId::read(&claim.evse_id).unwrap().to_string(),
            cpo: claim.cpo.key(),
            valid_from: claim.valid_from,
            valid_to: claim.valid_to,
            parallel_units: claim.parallel_units,
            ..registration(&number.to_string(), &PublicKey::read(&claim.public_key, None).unwrap())
        };
        index.put(one, claim.valid_from);
    }
    index
}

fn now() -> DateTime<Utc> {
    at("2026-06-01T00:00:00Z")
}

fn usual() -> Circumstances {
    Circumstances::at(now())
}

fn found(claim: &NewKey, index: &Index, circumstances: &Circumstances) -> Vec<(&'static str, Level)> {
    let findings = match check(claim, index, circumstances) {
        Checked::NoKey(findings) => findings,
        Checked::Exists(_) => return vec![("exists", Level::Note)],
        Checked::Judged(judged) => judged.findings,
    };
    findings.iter().map(|one| (one.code, one.level)).collect()
}

/// What the claim is told on an empty registry.
fn alone(claim: &NewKey) -> Vec<(&'static str, Level)> {
    found(claim, &Index::default(), &usual())
}

fn with_text(text: impl Into<String>) -> NewKey {
    NewKey {
        public_key: text.into(),
        ..claim(1)
    }
}

#[test]
fn a_plain_registration_is_plausible_without_a_remark() {
    assert_eq!(alone(&claim(1)), []);
}

// PC-01
#[test]
fn pc_01_a_text_in_no_known_encoding_is_refused_and_every_known_one_is_the_same_key() {
    for text in ["", "no key at all", "zz", "3059", "{\"nothing\":1}"] {
        assert_eq!(
            alone(&with_text(text)),
            [("PUBLIC_KEY_UNREADABLE", Level::Error)],
            "{text}"
        );
    }
    let spki = key(1).to_spki_der();
    let upper = format!("0x{}", hex::encode_upper(&spki));
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD.encode(&spki);
    for text in [
        upper,
        base64.clone(),
        format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----"),
    ] {
        match check(&with_text(text), &Index::default(), &usual()) {
            Checked::Judged(judged) => assert_eq!(judged.key, key(1)),
            other => panic!("{other:?}"),
        }
    }
}

// PC-02
#[test]
fn pc_02_explicit_parameters_and_trailing_octets_are_refused() {
    // SubjectPublicKeyInfo { { id-ecPublicKey, SpecifiedECDomain {} }, BIT STRING }
    let explicit = "3010300b06072a8648ce3d02013000030100";
    assert_eq!(alone(&with_text(explicit)), [("CURVE_NOT_NAMED", Level::Error)]);
    let longer = hex::encode(key(1).to_spki_der()) + "00";
    assert!(
        alone(&with_text(longer))
            .iter()
            .any(|(_, level)| *level == Level::Error)
    );
}

// PC-03
#[test]
fn pc_03_eight_curves_are_taken_one_is_known_and_not_verified_and_no_other_is_read() {
    // One of the nine is read and not verified: a person decides whether such a key is worth registering. The key is the base point, which
    // nobody may register for another reason (PC-16).
    let digits = 4 * Curve::Secp224k1.field_bytes();
    let point = super::key::WELL_KNOWN
        .iter()
        .find(|point| point.len() == digits)
        .unwrap();
    assert_eq!(
        alone(&with_text(format!(
            "304e301006072a8648ce3d020106052b81040020033a0004{point}"
        ))),
        [
            ("CURVE_NOT_VERIFIABLE", Level::Warning),
            ("WELL_KNOWN_TEST_KEY", Level::Error)
        ]
    );
    assert_eq!(Curve::SUPPORTED.len(), Curve::ALL.len() - 1);
    for curve in Curve::SUPPORTED {
        let meter = SigningMeter::from_seed(curve, b"m").unwrap();
        let text = hex::encode(meter.public_key().to_spki_der());
        assert!(!refuses(&match check(&with_text(text), &Index::default(), &usual()) {
            Checked::Judged(judged) => judged.findings,
            other => panic!("{other:?}"),
        }));
    }
    // Ed25519 (RFC 8410, 10.1).
    let ed25519 = "302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    assert_eq!(alone(&with_text(ed25519)), [("UNSUPPORTED_ALGORITHM", Level::Error)]);
}

// PC-04
#[test]
fn pc_04_a_point_off_its_curve_is_refused() {
    let mut off = key(1).sec1_uncompressed().to_vec();
    *off.last_mut().unwrap() ^= 1;
    // A coordinate that is not below p, and the point at infinity.
    let mut large = key(1).sec1_uncompressed().to_vec();
    large[1..33].fill(0xff);
    for point in [off, large] {
        assert_eq!(
            alone(&with_text(hex::encode(&point))),
            [("PUBLIC_KEY_NOT_ON_CURVE", Level::Error)],
            "{}",
            hex::encode(&point)
        );
    }
    let spki = hex::encode(key(1).to_spki_der());
    let infinity = "3019301306072a8648ce3d020106082a8648ce3d03010703020000";
    assert!(
        alone(&with_text(infinity))
            .iter()
            .any(|(_, level)| *level == Level::Error)
    );
    // Compressed it is the same key.
    let whole = key(1).sec1_uncompressed().to_vec();
    let compressed = hex::encode([&[2 + (whole[64] & 1)], &whole[1..33]].concat());
    let compressed = format!("3039301306072a8648ce3d020106082a8648ce3d030107032200{compressed}");
    match check(&with_text(compressed), &Index::default(), &usual()) {
        Checked::Judged(judged) => assert_eq!(hex::encode(judged.key.to_spki_der()), spki),
        other => panic!("{other:?}"),
    }
}

// PC-05
#[test]
fn pc_05_a_192_bit_key_needs_a_look() {
    for curve in [Curve::Secp192r1, Curve::Secp192k1] {
        assert_eq!(alone(&on_curve(curve)), [("LEGACY_STRENGTH", Level::Warning)]);
    }
}

// PC-06
#[test]
fn pc_06_format_method_and_curve_must_fit() {
    let said = |curve, encoding: Option<&str>, method: Option<&str>| {
        let claim = NewKey {
            encoding_method: encoding.map(Into::into),
            signing_method: method.map(Into::into),
            ..on_curve(curve)
        };
        let errors = alone(&claim).into_iter().filter(|(_, level)| *level == Level::Error);
        errors.map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(
        said(Curve::Secp256r1, Some("OCMF"), Some("ECDSA-secp256r1-SHA256")),
        Vec::<&str>::new()
    );
    assert_eq!(
        said(Curve::Secp192r1, Some("Alfen Eichrecht"), Some("secp192r1")),
        Vec::<&str>::new()
    );
    assert_eq!(
        said(Curve::Secp256r1, Some("Alfen Eichrecht"), None),
        ["CURVE_DOES_NOT_FIT_FORMAT"]
    );
    assert_eq!(
        said(Curve::Secp192r1, Some("PCDF"), None),
        ["CURVE_DOES_NOT_FIT_FORMAT"]
    );
    assert_eq!(said(Curve::Secp256r1, Some("Morse"), None), ["ENCODING_METHOD_UNKNOWN"]);
    assert_eq!(
        said(Curve::Secp256r1, None, Some("secp384r1")),
        ["CURVE_DOES_NOT_FIT_METHOD"]
    );
    assert_eq!(said(Curve::Secp256r1, None, Some("rot13")), ["SIGNING_METHOD_UNKNOWN"]);
}

// PC-07
#[test]
fn pc_07_a_serial_no_record_can_carry_is_refused_and_an_odd_one_needs_a_look() {
    let with = |serial: &str| {
        alone(&NewKey {
            unit: Unit {
                meter_serial: Some(serial.into()),
                ..Unit::default()
            },
            ..claim(1)
        })
    };
    for serial in ["", " 1", "1\n2", &"x".repeat(65)] {
        assert_eq!(with(serial), [("SERIAL_MALFORMED", Level::Error)], "{serial:?}");
    }
    for serial in ["1EBZ0300034628", "1", "K-7", "1ISK0000000A", "ACME 1"] {
        let odd = serial == "1ISK0000000A";
        assert_eq!(with(serial).is_empty(), !odd, "{serial}");
    }
    assert_eq!(with("1EBZ030003462"), [("SERIAL_ODD", Level::Warning)]);
}

// PC-08
#[test]
fn pc_08_one_key_serves_one_meter_at_one_evse_at_a_time_but_for_a_shared_gateway() {
    let index = after(&[claim(1)]);
    let moved = NewKey {
        evse_id: "DE*ABC*E2".into(),
        ..claim(1)
    };
    assert_eq!(
        found(&moved, &index, &usual()),
        [("KEY_ACTIVE_ELSEWHERE", Level::Conflict)]
    );

    let behind = |gateway: &str, meter: &str, evse: &str| NewKey {
        unit: Unit {
            meter_serial: Some(meter.into()),
            gateway_serial: Some(gateway.into()),
            ..Unit::default()
        },
        evse_id: evse.into(),
        ..claim(1)
    };
    let index = after(&[behind("GW1", "M1", "DE*ABC*E1")]);
    assert_eq!(found(&behind("gw1", "M2", "DE*ABC*E2"), &index, &usual()), []);
    let stranger = behind("GW2", "M2", "DE*ABC*E2");
    assert_eq!(
        found(&stranger, &index, &usual()),
        [("KEY_ACTIVE_ELSEWHERE", Level::Conflict)]
    );
}

// PC-09
#[test]
fn pc_09_the_same_claim_again_is_the_same_registration() {
    let index = after(&[claim(1)]);
    let mut again = NewKey {
        evse_id: "deabce1".into(),
        ..claim(1)
    };
    again.unit.meter_serial = Some("1abc0000000001".into());
    assert!(matches!(check(&again, &index, &usual()), Checked::Exists(id) if id == "0"));
}

// PC-10
#[test]
fn pc_10_a_meter_has_one_key_at_a_time_unless_the_claim_says_why() {
    let index = after(&[claim(1)]);
    assert_eq!(
        found(&claim(2), &index, &usual()),
        [("METER_HAS_ACTIVE_KEY", Level::Conflict)]
    );
    for reason in [Reason::Firmware, Reason::Replacement] {
        let claim = NewKey {
            reason,
            valid_from: at("2026-05-01T00:00:00Z"),
            ..claim(2)
        };
        match check(&claim, &index, &usual()) {
            Checked::Judged(judged) => {
                assert_eq!((judged.supersedes.as_deref(), judged.findings.len()), (Some("0"), 0));
            }
            other => panic!("{other:?}"),
        }
    }
}

// PC-11
#[test]
fn pc_11_an_evse_has_one_meter_at_a_time_unless_replaced_or_parallel() {
    let index = after(&[claim(1)]);
    let mut second = claim(2);
    second.unit.meter_serial = Some("1ABC0000000002".into());
    assert_eq!(
        found(&second, &index, &usual()),
        [("EVSE_HAS_ACTIVE_METER", Level::Conflict)]
    );
    let replacing = NewKey {
        reason: Reason::Replacement,
        ..second.clone()
    };
    assert_eq!(found(&replacing, &index, &usual()), []);
    let parallel = |claim: NewKey| NewKey {
        parallel_units: true,
        ..claim
    };
    let index = after(&[parallel(claim(1))]);
    assert_eq!(found(&parallel(second.clone()), &index, &usual()), []);
    assert_eq!(
        found(&second, &index, &usual()),
        [("EVSE_HAS_ACTIVE_METER", Level::Conflict)]
    );
}

// PC-12
#[test]
fn pc_12_the_evse_id_is_one_and_of_the_operator() {
    let with = |evse: &str| {
        alone(&NewKey {
            evse_id: evse.into(),
            ..claim(1)
        })
    };
    assert_eq!(with("no evse"), [("EVSE_ID_MALFORMED", Level::Error)]);
    assert_eq!(with("NL*ABC*E1"), [("EVSE_ID_OF_OTHER_OPERATOR", Level::Error)]);
}

// PC-13
#[test]
fn pc_13_an_evse_its_location_does_not_have_is_noted() {
    let with = |known| {
        found(
            &claim(1),
            &Index::default(),
            &Circumstances {
                evse_is_in_location: known,
                ..usual()
            },
        )
    };
    assert_eq!(with(Some(false)), [("EVSE_NOT_IN_LOCATION", Level::Note)]);
    assert_eq!(with(Some(true)), []);
    assert_eq!(with(None), []);
}

// PC-14
#[test]
fn pc_14_a_validity_begins_in_time_and_ends_after_it_began_and_overlaps_nothing() {
    let with = |from: &str, to: Option<&str>, made: Option<i32>| {
        let mut claim = claim(1);
        (claim.valid_from, claim.valid_to, claim.unit.manufactured) = (at(from), to.map(at), made);
        alone(&claim)
    };
    assert_eq!(with("2026-07-01T00:00:00Z", None, None), []);
    assert_eq!(
        with("2026-07-01T00:00:01Z", None, None),
        [("VALIDITY_TOO_FAR_AHEAD", Level::Error)]
    );
    let begin = "2026-01-01T00:00:00Z";
    assert_eq!(with(begin, Some(begin), None), [("VALIDITY_EMPTY", Level::Error)]);
    assert_eq!(with(begin, None, Some(2026)), []);
    assert_eq!(
        with(begin, None, Some(2027)),
        [("VALIDITY_BEFORE_MANUFACTURE", Level::Error)]
    );

    // S-22: the next begins where the last ended.
    let ended = NewKey {
        valid_to: Some(at("2026-05-01T00:00:00Z")),
        ..claim(1)
    };
    let index = after(&[ended]);
    let next = |from: &str| {
        let claim = NewKey {
            valid_from: at(from),
            ..claim(2)
        };
        found(&claim, &index, &usual())
    };
    assert_eq!(next("2026-05-01T00:00:00Z"), []);
    assert_eq!(
        next("2026-04-30T23:59:59Z"),
        [("METER_HAS_ACTIVE_KEY", Level::Conflict)]
    );
}

// PC-15
#[test]
fn pc_15_a_calibration_that_ended_or_lasts_too_long_needs_a_look() {
    let with = |until: &str| {
        let mut claim = claim(1);
        claim.unit.calibrated_until = Some(at(until));
        alone(&claim)
    };
    assert_eq!(with("2034-01-01T00:00:00Z"), []);
    assert_eq!(with("2026-06-01T00:00:00Z"), [("CALIBRATION_ENDED", Level::Warning)]);
    assert_eq!(with("2042-12-31T00:00:00Z"), [("CALIBRATION_TOO_LONG", Level::Warning)]);
}

// PC-16
#[test]
fn pc_16_a_key_everybody_knows_is_refused_but_in_tests() {
    for point in super::key::WELL_KNOWN {
        // Each is a point of a curve we read: nobody mistyped it.
        let claim = with_text(format!("04{point}"));
        assert!(
            alone(&claim).contains(&("WELL_KNOWN_TEST_KEY", Level::Error)),
            "{point}"
        );
        let testing = Circumstances {
            test_keys: true,
            ..usual()
        };
        let told = found(&claim, &Index::default(), &testing);
        assert!(told.contains(&("WELL_KNOWN_TEST_KEY", Level::Warning)), "{point}");
    }
}

// PC-17
#[test]
fn pc_17_a_private_key_is_refused_and_nothing_of_it_is_repeated() {
    let secret = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIJ0U7Ck5fqMAGICSECRETMATERIAL\n-----END EC PRIVATE KEY-----";
    let checked = check(&with_text(secret), &Index::default(), &usual());
    assert!(!format!("{checked:?}").contains("MAGICSECRET"));
    // Without a key nothing is kept: there is nothing the text could be kept with.
    assert!(matches!(checked, Checked::NoKey(findings) if findings[0].code == "PRIVATE_KEY_SUBMITTED"));
}

// PC-18
#[test]
fn pc_18_a_sample_must_be_signed_with_the_key_by_the_meter() {
    let meter = SigningMeter::from_seed(Curve::Secp256r1, &[1; 32]).unwrap();
    let sample = |by: &SigningMeter, serial: &str| {
        by.ocmf(&format!(
            r#"{{"FV":"1.0","MS":"{serial}","PG":"T1","RD":[{{"TM":"2026-01-01T09:00:00,000+0000 S","TX":"B","RV":1.5,"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        ))
    };
    let with = |sample: Option<String>, required| {
        let claim = NewKey { sample, ..claim(1) };
        let circumstances = Circumstances {
            sample_is_required: required,
            ..usual()
        };
        found(&claim, &Index::default(), &circumstances)
    };
    assert_eq!(with(Some(sample(&meter, "1ABC0000000001")), true), []);
    assert_eq!(
        with(Some(sample(&meter, "1ABC0000000002")), false),
        [("SAMPLE_OF_OTHER_METER", Level::Error)]
    );
    let stranger = SigningMeter::from_seed(Curve::Secp256r1, &[2; 32]).unwrap();
    let forged = sample(&stranger, "1ABC0000000001");
    assert_eq!(with(Some(forged), false), [("SAMPLE_DOES_NOT_FIT", Level::Error)]);
    assert_eq!(with(None, true), [("SAMPLE_MISSING", Level::Error)]);
}

// PC-19
#[test]
fn pc_19_a_claim_against_verified_history_needs_a_look() {
    let told = Circumstances {
        verified_with_another_key: Some(true),
        ..usual()
    };
    assert_eq!(
        found(&claim(1), &Index::default(), &told),
        [("CONTRADICTS_VERIFIED_CDRS", Level::Warning)]
    );
}

// PC-20
#[test]
fn pc_20_who_does_not_speak_for_the_operator_registers_nothing() {
    let stranger = Circumstances {
        is_entitled: false,
        ..usual()
    };
    assert_eq!(
        found(&claim(1), &Index::default(), &stranger),
        [("NOT_ENTITLED", Level::Error)]
    );
}

// key-registry.md 4.1: a gateway that serves one point.
#[test]
fn a_gateway_without_a_meters_number_serves_one_point_with_one_key() {
    let gateway = |seed: u8, meter: Option<&str>, evse: &str| NewKey {
        unit: Unit {
            meter_serial: meter.map(str::to_owned),
            gateway_serial: Some("GW1".into()),
            signs: Signs::Gateway,
            ..Unit::default()
        },
        evse_id: evse.into(),
        ..claim(seed)
    };
    let alone = gateway(1, None, "DE*ABC*E1");
    assert_eq!(self::alone(&alone), []);
    let index = after(std::slice::from_ref(&alone));
    let found = |claim: NewKey| found(&claim, &index, &usual());
    assert_eq!(found(alone), [("exists", Level::Note)]);
    let active_key = ("METER_HAS_ACTIVE_KEY", Level::Conflict);
    assert_eq!(found(gateway(2, None, "DE*ABC*E2")), [active_key]);
    assert_eq!(found(gateway(2, Some("M2"), "DE*ABC*E2")), [active_key]);
    let elsewhere = ("KEY_ACTIVE_ELSEWHERE", Level::Conflict);
    assert_eq!(found(gateway(1, Some("M2"), "DE*ABC*E2")), [elsewhere]);
    let mut nothing = claim(1);
    nothing.unit.meter_serial = None;
    assert_eq!(self::alone(&nothing), [("SERIAL_MISSING", Level::Error)]);
}

// key-registry.md 4.2, SAF-50: a person looks at a new manufacturer and at another model.
#[test]
fn a_make_nobody_knows_and_another_make_than_before_need_a_look() {
    let made_by = |seed: u8, manufacturer: &str, model: &str| {
        let mut made = claim(seed);
        (made.unit.manufacturer, made.unit.model) = (Some(manufacturer.into()), Some(model.into()));
        made
    };
    let index = after(&[made_by(1, "ACME", "Post 1")]);
    let of_a_party = Circumstances {
        manufacturer_must_be_known: true,
        ..usual()
    };
    let replacement = |manufacturer: &str, model: &str| NewKey {
        reason: Reason::Replacement,
        valid_from: at("2026-05-01T00:00:00Z"),
        ..made_by(2, manufacturer, model)
    };
    assert_eq!(found(&replacement(" acme", "post 1"), &index, &of_a_party), []);
    let model = ("MODEL_DIFFERS", Level::Warning);
    assert_eq!(found(&replacement("ACME", "Post 2"), &index, &of_a_party), [model]);
    let new = ("MANUFACTURER_NEW", Level::Warning);
    assert_eq!(
        found(&replacement("Other", "Post 1"), &index, &of_a_party),
        [new, model]
    );
    assert_eq!(found(&replacement("Other", "Post 1"), &index, &usual()), [model]);
}

// PC-21
#[test]
fn pc_21_a_key_the_charge_point_does_not_report_needs_a_look() {
    let reporting = |seed: u8| Circumstances {
        reported_fingerprint: Some(key(seed).fingerprint()),
        ..usual()
    };
    assert_eq!(found(&claim(1), &Index::default(), &reporting(1)), []);
    assert_eq!(
        found(&claim(1), &Index::default(), &reporting(2)),
        [("KEY_DIFFERS_FROM_CHARGE_POINT", Level::Warning)]
    );
}

#[test]
fn every_fault_of_a_claim_is_named_at_once() {
    let mut odd = NewKey {
        public_key: "zz".into(),
        evse_id: "NL*ABC*E1".into(),
        evse_uid: Some("x".repeat(37)),
        valid_from: at("2026-07-02T00:00:00Z"),
        valid_to: Some(at("2026-07-02T00:00:00Z")),
        ..claim(1)
    };
    odd.unit.meter_serial = Some(" 1".into());
    let codes: Vec<_> = alone(&odd).into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            "PUBLIC_KEY_UNREADABLE",
            "EVSE_ID_OF_OTHER_OPERATOR",
            "SERIAL_MALFORMED",
            "EVSE_UID_MALFORMED",
            "VALIDITY_TOO_FAR_AHEAD",
            "VALIDITY_EMPTY"
        ]
    );
}

#[test]
fn a_reason_takes_only_the_place_it_can_mean() {
    let index = after(&[claim(1)]);
    let said = |reason, supersedes: Option<&str>, claim: NewKey| {
        let claim = NewKey {
            reason,
            supersedes: supersedes.map(Into::into),
            ..claim
        };
        found(&claim, &index, &usual())
            .into_iter()
            .map(|(code, _)| code)
            .collect::<Vec<_>>()
    };
    let elsewhere = NewKey {
        evse_id: "DE*ABC*E2".into(),
        ..claim(1)
    };
    let taken_over = NewKey {
        evse_id: "DE*XYZ*E1".into(),
        cpo: PartyId::from_slash("DE/XYZ").unwrap(),
        ..claim(1)
    };
    assert_eq!(said(Reason::Reassignment, None, elsewhere.clone()), Vec::<&str>::new());
    assert_eq!(said(Reason::TakeOver, None, taken_over.clone()), Vec::<&str>::new());
    assert_eq!(
        said(Reason::Correction, Some("0"), elsewhere.clone()),
        Vec::<&str>::new()
    );
    assert!(said(Reason::Commissioning, Some("0"), claim(2)).contains(&"REASON_MISSING"));
    assert!(said(Reason::Firmware, Some("9"), claim(2)).contains(&"SUPERSEDED_UNKNOWN"));
    assert!(said(Reason::Firmware, Some("0"), elsewhere.clone()).contains(&"CANNOT_SUPERSEDE"));
    assert!(said(Reason::TakeOver, None, elsewhere).contains(&"NOTHING_TO_SUPERSEDE"));
}

#[test]
fn a_strangers_submission_keeps_nobody_from_its_own_meter() {
    let mut submitted = registration("0", &key(9));
    submitted.state = State::Submitted;
    let mut index = Index::default();
    index.put(submitted, now());
    assert_eq!(found(&claim(1), &index, &usual()), []);
}
