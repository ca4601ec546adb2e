//! Keys and serial numbers heard of without a registration, and what they say about one that is submitted (key-registry.md 4.1, PC-19, PC-21).

use std::time::Duration;

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::metering::sign::SigningMeter;
use truewatt::registry::checks::NewKey;
use truewatt::registry::lifecycle::State;
use truewatt::registry::record::{Reason, Registration};
use truewatt::registry::{Actor, Submitted, Wish};

use super::following::session;
use crate::common::listed::{Heard, Platform};
use crate::on_both;
use crate::world::{World, at, cdr, meter, new_key, plain, signed_data};

const PLACE: &str = "/partner/v1/observations";

impl World {
    /// A CPO's own observations, once there are so many.
    async fn observations(&self, by: &Platform, count: usize) -> Vec<Value> {
        let mut heard = Vec::new();
        for _ in 0..200 {
            heard = self.get(by, PLACE, &[]).await.json()["items"]
                .as_array()
                .unwrap()
                .clone();
            if heard.len() == count {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{count} expected: {heard:?}");
    }

    async fn reported(&self, by: &Platform, wish: Value) -> Heard {
        self.call(
            by,
            Method::POST,
            PLACE,
            &[("Idempotency-Key", "r-1")],
            &wish.to_string(),
        )
        .await
    }

    /// What becomes of a key that DE/ABC submits for M1 at DE*ABC*E1.
    async fn submitted(&self, key: &SigningMeter, reason: Reason, since: &str) -> Registration {
        let claim = NewKey {
            valid_from: at(since),
            reason,
            ..new_key(key)
        };
        let cpo = claim.cpo.clone();
        match self.hub.registry.submit(claim, &Actor::Party(cpo)).await.unwrap() {
            Submitted::New(one) => *one,
            other => panic!("{other:?}"),
        }
    }
}

fn spki(key: &SigningMeter) -> String {
    hex::encode(key.public_key().to_spki_der())
}

fn warned_of(one: &Registration, code: &str) -> bool {
    one.findings
        .iter()
        .any(|found| found.code == code && found.severity == "WARNING")
}

on_both! {
    // key-registry.md 4.1: observation
    async fn what_cdrs_name_and_nobody_registered_is_noted_once_and_says_so_when_it_is_registered(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let other = world.platform(&["DE/XYZ:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let (mine, silent) = (meter("mine"), meter("silent"));
        for (id, hour) in [("C-1", 1), ("C-2", 3), ("C-3", 5)] {
            world.post(&cpo, &session(id, &mine, 1, hour, "1.0", "2.0")).await;
        }
        // A repeat is no other CDR.
        world.post(&cpo, &session("C-3", &mine, 1, 5, "1.0", "2.0")).await;
        // Without a key, the serial number is what is heard of.
        world.post(&cpo, &cdr("C-4", "DE/MSP", &signed_data(&silent, 9, None), "")).await;
        world.post(&cpo, &plain("C-5")).await;
        let heard = world.observations(&cpo, 2).await;
        assert_eq!((&heard[0]["kind"], &heard[0]["name"], &heard[0]["public_key"]), (&json!("METER"), &json!("M1"), &Value::Null));
        let key = &heard[1];
        assert_eq!((&key["kind"], &key["name"]), (&json!("KEY"), &json!(mine.public_key().fingerprint())));
        assert_eq!(
            (&key["source"], &key["evse_id"], &key["meter_serial"], &key["public_key"]),
            (&json!("CDR"), &json!("DE*ABC*E1"), &json!("M1"), &json!(spki(&mine)))
        );
        assert_eq!((&key["last_cdr"], &key["registration"]), (&json!("C-3"), &Value::Null));
        let counted = async || world.observations(&cpo, 2).await[1]["count"].as_u64().unwrap();
        for _ in 0..100 {
            if counted().await == 3 { break }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(counted().await, 3, "one row, however often");

        // Nobody else's, and pages.
        assert_eq!(world.get(&other, PLACE, &[]).await.json()["items"], json!([]));
        let first = world.get(&cpo, &format!("{PLACE}?limit=1"), &[]).await.json();
        let next = first["next_cursor"].as_str().unwrap();
        let second = world.get(&cpo, &format!("{PLACE}?limit=1&cursor={next}"), &[]).await.json();
        assert_eq!((&second["items"][0]["kind"], &second["next_cursor"]), (&json!("KEY"), &Value::Null));
        for (query, count) in [("?source=CDR", 2), ("?source=OCPP", 0)] {
            let found = world.get(&cpo, &format!("{PLACE}{query}"), &[]).await.json();
            assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
        }
        for (query, count) in [("", 2), ("?cpo=DE/ABC", 2), ("?cpo=DE/XYZ", 0)] {
            let (_, all) = world.operate(Method::GET, &format!("/operator/v1/observations{query}"), None).await;
            assert_eq!(all["items"].as_array().unwrap().len(), count, "{query}");
        }

        let id = world.register(&mine).await;
        for one in world.observations(&cpo, 2).await {
            assert_eq!((&one["registration"]["id"], &one["registration"]["state"]), (&json!(id), &json!("CONFIRMED")), "{one}");
        }
        // From now on it is registered, and no more is noted.
        world.post(&cpo, &session("C-6", &mine, 1, 7, "2.0", "3.0")).await;
        world.hub.store.observe(Vec::new()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(counted().await, 3);
        Some(())
    }

    async fn what_was_seen_last_is_written_down_when_the_hub_stops(on) {
        let mut world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        world.post(&cpo, &session("C-1", &meter("mine"), 1, 1, "1.0", "2.0")).await;
        world.site = world.site.restarted().await;
        assert_eq!(world.observations(&cpo, 1).await[0]["count"], 1);
        Some(())
    }

    // PC-12, PC-17, key-registry.md 4.5
    async fn a_report_of_a_charge_point_is_read_strictly_and_only_of_ones_own_evse(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let emsp = world.platform(&["DE/MSP:EMSP"], None).await;
        let report = json!({"evse_id": "deabce1", "public_key": spki(&meter("mine")), "source": "OCPP", "meter_serial": "M1"});
        let with = |member: &str, value: Value| { let mut report = report.clone(); report[member] = value; report };
        let private = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----";
        for (wish, field) in [
            (with("evse_id", json!("DE*XYZ*E1")), "/evse_id"),
            (with("evse_id", json!("E1")), "/evse_id"),
            (with("source", json!("CDR")), "/source"),
            (with("public_key", json!("zz")), "/public_key"),
            (with("public_key", json!(private)), "/public_key"),
            (with("observed_at", json!("2027-01-01T00:00:00Z")), "/observed_at"),
            (with("surprise", json!(1)), "/surprise"),
        ] {
            let heard = world.reported(&cpo, wish).await;
            assert_eq!((heard.http, &heard.json()["field"]), (422, &json!(field)), "{}", heard.text());
            assert!(!heard.text().contains("MIGHAgEA"));
        }
        assert_eq!(world.reported(&emsp, report.clone()).await.http, 422, "an eMSP has no EVSEs");
        for headers in [&[][..], &[("Idempotency-Key", "")], &[("Idempotency-Key", &*"x".repeat(65))]] {
            let heard = world.call(&cpo, Method::POST, PLACE, headers, &report.to_string()).await;
            assert_eq!((heard.http, &heard.json()["field"]), (400, &json!("Idempotency-Key")));
        }
        assert_eq!(world.observations(&cpo, 0).await, Vec::<Value>::new());
        let noted = world.reported(&cpo, report.clone()).await;
        assert_eq!((noted.http, &noted.json()["count"], &noted.json()["source"]), (200, &json!(1), &json!("OCPP")), "{}", noted.text());
        let again = world.reported(&cpo, with("source", json!("OCPP"))).await.json();
        assert_eq!((&again["id"], &again["count"]), (&noted.json()["id"], &json!(2)));
        assert_eq!(world.anybody(PLACE).await.http, 401);
        assert_eq!(world.get(&emsp, PLACE, &[]).await.json()["items"], json!([]));
        Some(())
    }

    // PC-21
    async fn pc_21_a_key_that_differs_from_the_charge_points_waits_for_a_person(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let (mine, other) = (meter("mine"), meter("other"));
        let report = |key: &SigningMeter, more: Value| {
            let mut report = json!({"evse_id": "DE*ABC*E1", "public_key": spki(key), "source": "GET_CONFIGURATION"});
            report.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            report
        };
        world.reported(&cpo, report(&other, json!({}))).await;
        // What another meter's charge point says, or said at another time, is about something else.
        world.clock.advance(chrono::TimeDelta::minutes(1));
        world.reported(&cpo, report(&mine, json!({"meter_serial": "M2"}))).await;
        let held = world.submitted(&mine, Reason::Commissioning, "2026-11-01T00:00:00Z").await;
        assert!(held.state == State::OnHold && warned_of(&held, "KEY_DIFFERS_FROM_CHARGE_POINT"), "{held:?}");
        world.hub.registry.wish(&held.id, &Wish::Withdraw, &Actor::Operator).await.unwrap();
        // The charge point reports the new one: the latest word counts.
        world.clock.advance(chrono::TimeDelta::minutes(1));
        world.reported(&cpo, report(&mine, json!({}))).await;
        let good = world.submitted(&mine, Reason::Commissioning, "2026-11-01T00:00:00Z").await;
        assert_eq!((good.state, good.findings.len()), (State::Confirmed, 0), "{good:?}");
        Some(())
    }

    // PC-19
    async fn pc_19_a_key_that_contradicts_verified_cdrs_waits_for_a_person(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let (mine, new) = (meter("mine"), meter("new"));
        world.register(&mine).await;
        // One with its key beside it, one without, and one that proves nothing.
        world.post(&cpo, &session("C-1", &mine, 1, 1, "1.0", "2.0")).await;
        world.post(&cpo, &cdr("C-2", "DE/MSP", &signed_data(&mine, 40, None), "")).await;
        world.post(&cpo, &session("C-3", &new, 1, 11, "1.0", "2.0")).await;
        assert_eq!(world.cdr("C-1").await["metering_status"], "VERIFIED");
        assert_eq!(world.cdr("C-2").await["metering_status"], "VERIFIED");
        assert_eq!(world.cdr("C-3").await["metering_status"], "INVALID");
        // C-2 charged from nine to ten, and says only in its verdict by which key it was proven.
        for (since, is_held) in [("2026-11-21T00:30:00Z", true), ("2026-11-21T09:30:00Z", true), ("2026-11-21T10:00:00Z", false)] {
            let one = world.submitted(&new, Reason::Firmware, since).await;
            assert_eq!(warned_of(&one, "CONTRADICTS_VERIFIED_CDRS"), is_held, "{since}: {one:?}");
            assert_eq!(one.state == State::OnHold, is_held, "{since}");
            if is_held {
                world.hub.registry.wish(&one.id, &Wish::Withdraw, &Actor::Operator).await.unwrap();
            }
        }
        Some(())
    }
}
