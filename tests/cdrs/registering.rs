//! Keys over the operator API: every refusal by name, and the same key twice (key-registry.md 4.4).

use serde_json::{Value, json};
use truewatt::client::Method;

use crate::on_both;
use crate::world::{World, meter};

const KEYS: &str = "/operator/v1/keys";

fn claim(seed: &str) -> Value {
    json!({
        "public_key": hex::encode(meter(seed).public_key().to_spki_der()),
        "meter_serial": "M1",
        "evse_id": "DEABCE1",
        "evse_uid": "e-1",
        "cpo": {"country_code": "de", "party_id": "abc"},
        "valid_from": "2026-01-01T00:00:00Z",
        "calibrated": true,
    })
}

fn with(mut claim: Value, member: &str, value: Value) -> Value {
    claim[member] = value;
    claim
}

on_both! {
    async fn a_key_is_registered_shown_listed_and_ended(on) {
        let world = World::start(on, "").await?;
        let (status, key) = world.operate(Method::POST, KEYS, Some(claim("one"))).await;
        assert_eq!(status, 201, "{key}");
        assert_eq!((&key["curve"], &key["state"], &key["evse_id"]), (&json!("secp256r1"), &json!("CONFIRMED"), &json!("DE*ABC*E1")));
        assert_eq!(key["fingerprint"], json!(meter("one").public_key().fingerprint()));
        let id = key["id"].as_str().unwrap();
        let (status, again) = world.operate(Method::POST, KEYS, Some(claim("one"))).await;
        assert_eq!((status, &again["id"]), (200, &key["id"]), "PC-09");
        assert_eq!(world.operate(Method::GET, &format!("{KEYS}/{id}"), None).await.1["meter_serial"], "M1");
        assert_eq!(world.operate(Method::GET, KEYS, None).await.1["items"].as_array().unwrap().len(), 1);
        for _ in 0..2 {
            let (status, ended) = world.operate(Method::POST, &format!("{KEYS}/{id}/deactivate"), None).await;
            assert_eq!((status, &ended["state"], &ended["deactivated_at"]), (200, &json!("DEACTIVATED"), &json!("2026-11-21T12:00:00Z")));
        }
        // What ended is in nobody's way: the meter gets another key from now on.
        let next = with(claim("two"), "valid_from", json!("2026-11-21T12:00:00Z"));
        assert_eq!(world.operate(Method::POST, KEYS, Some(next)).await.0, 201);
        for place in [format!("{KEYS}/nobody"), format!("{KEYS}/%00")] {
            assert_eq!(world.operate(Method::GET, &place, None).await.0, 404, "{place}");
        }
        assert_eq!(world.operate(Method::POST, &format!("{KEYS}/nobody/deactivate"), None).await.0, 404);
        Some(())
    }

    async fn what_is_implausible_is_refused_with_every_reason(on) {
        let world = World::start(on, "").await?;
        assert_eq!(world.operate(Method::POST, KEYS, Some(claim("one"))).await.0, 201);
        let private = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----";
        let cases = [
            (with(claim("two"), "public_key", json!(private)), 422, "PRIVATE_KEY_SUBMITTED"),
            (with(claim("two"), "public_key", json!("zz")), 422, "PUBLIC_KEY_UNREADABLE"),
            (with(claim("two"), "evse_id", json!("DE*XYZ*E1")), 422, "EVSE_ID_OF_OTHER_OPERATOR"),
            (with(claim("two"), "evse_id", json!("no evse")), 422, "EVSE_ID_MALFORMED"),
            (with(claim("two"), "valid_from", json!("2027-06-01T00:00:00Z")), 422, "VALIDITY_TOO_FAR_AHEAD"),
            (with(claim("two"), "valid_to", json!("2026-01-01T00:00:00Z")), 422, "VALIDITY_EMPTY"),
            (with(claim("one"), "evse_id", json!("DE*ABC*E2")), 409, "KEY_ACTIVE_ELSEWHERE"),
            (claim("two"), 409, "METER_HAS_ACTIVE_KEY"),
            (with(claim("two"), "meter_serial", json!("M2")), 409, "EVSE_HAS_ACTIVE_METER"),
        ];
        for (claim, status, code) in cases {
            let (heard, problem) = world.operate(Method::POST, KEYS, Some(claim)).await;
            assert_eq!(heard, status, "{code}: {problem}");
            assert!(problem["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == code), "{code}: {problem}");
            assert!(!problem.to_string().contains("MIGHAgEA"));
        }
        for (claim, field) in [
            (with(claim("two"), "calibrated", json!("yes")), "/calibrated"),
            (with(claim("two"), "cpo", json!({"country_code": "DEU", "party_id": "ABC"})), "/cpo/country_code"),
            (with(claim("two"), "valid_from", json!("soon")), "/valid_from"),
            (with(claim("two"), "surprise", json!(1)), "/surprise"),
            (with(claim("two"), "meter_serial", json!(null)), "/meter_serial"),
        ] {
            let (status, problem) = world.operate(Method::POST, KEYS, Some(claim)).await;
            assert_eq!((status, &problem["field"]), (422, &json!(field)), "{problem}");
        }
        // What was refused is kept with its reasons, and counts for nothing.
        let listed = |state: &str| format!("{KEYS}?state={state}&limit=100");
        let confirmed = world.operate(Method::GET, &listed("CONFIRMED"), None).await.1;
        assert_eq!(confirmed["items"].as_array().unwrap().len(), 1);
        let refused = world.operate(Method::GET, &listed("REFUSED"), None).await.1;
        let refused = refused["items"].as_array().unwrap();
        assert_eq!(refused.len(), 7, "all but those without a readable key");
        assert!(refused.iter().all(|one| !one["findings"].as_array().unwrap().is_empty()));
        Some(())
    }
}
