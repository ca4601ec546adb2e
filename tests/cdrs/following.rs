//! Verdicts follow the registry: what it learns later is held against the CDRs it is about, and against no others.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::metering::key::Curve;
use truewatt::metering::sign::SigningMeter;
use truewatt::registry::lifecycle::State;
use truewatt::registry::{Actor, Submitted};

use crate::on_both;
use crate::peer::Peer;
use crate::world::{World, at, cdr, meter, new_key, plain, signed, signed_data};

/// A session of an hour at DE*ABC*E{place}, of meter M{place}, signed with this key.
pub fn session(id: &str, meter: &SigningMeter, place: u32, hour: u32, begin: &str, end: &str) -> String {
    let record = |number: u32, marker: &str, hour: u32, value: &str| {
        meter.ocmf(&format!(
            r#"{{"FV":"1.0","MS":"M{place}","PG":"T{number}","ID":"04AA","RD":[{{"TM":"2026-11-21T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
        ))
    };
    let value = |nature: &str, record: String| json!({"nature": nature, "plain_data": "", "signed_data": record});
    let signed = json!({
        "encoding_method": "OCMF",
        "public_key": hex::encode(meter.public_key().to_spki_der()),
        "signed_values": [
            value("Start", record(2 * hour, "B", hour, begin)),
            value("End", record(2 * hour + 1, "E", hour + 1, end)),
        ],
    });
    let [begin, end] = [begin, end].map(|text| text.parse::<rust_decimal::Decimal>().unwrap());
    cdr(id, "DE/MSP", &signed.to_string(), "")
        .replace("2026-11-21T09:00:00Z", &format!("2026-11-21T{hour:02}:00:00Z"))
        .replace("2026-11-21T10:00:00Z", &format!("2026-11-21T{:02}:00:00Z", hour + 1))
        .replace("DE*ABC*E1", &format!("DE*ABC*E{place}"))
        .replace("\"evse_uid\":\"1\"", &format!("\"evse_uid\":\"{place}\""))
        .replace("\"meter_id\":\"M1\"", &format!("\"meter_id\":\"M{place}\""))
        .replace("\"total_energy\":7.500", &format!("\"total_energy\":{}", end - begin))
}

impl World {
    /// Waits until the registry's log has been read to its end and all it says worked off; so many changes, newest first.
    pub async fn until_followed(&self, changes: usize) -> Vec<Value> {
        let store = &self.hub.store;
        for _ in 0..400 {
            let (read, size) = (
                store.recheck_cursor().await.unwrap(),
                store.registry_size().await.unwrap(),
            );
            // Asked afterwards: what was read stands there by now.
            let (_, standing) = self.operate(Method::GET, "/operator/v1/rechecks", None).await;
            let seen = standing["changes"].as_array().cloned().unwrap_or_default();
            if u64::try_from(read).unwrap() == size && seen.iter().all(|change| change["state"] != "running") {
                assert_eq!(seen.len(), changes, "{standing}");
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", self.operate(Method::GET, "/operator/v1/rechecks", None).await.1);
    }

    /// The verdicts on a CDR, oldest first.
    pub async fn verdicts(&self, id: &str) -> Vec<Value> {
        self.cdr(id).await["reports"].as_array().cloned().unwrap_or_default()
    }

    /// Why they are no better, as far as the key is the reason.
    async fn reasons(&self, id: &str) -> Vec<String> {
        let verdicts = self.verdicts(id).await;
        let codes = verdicts.iter().flat_map(|one| one["findings"].as_array().unwrap());
        let codes = codes.map(|finding| finding["code"].as_str().unwrap().to_owned());
        codes.filter(|code| code.starts_with("KEY_NOT_")).collect()
    }

    /// The operator of the meter submits its key, and a person must look at it: the id of what waits.
    async fn claim_as_its_operator(&self, meter: &SigningMeter) -> String {
        let claim = new_key(meter);
        let party = claim.cpo.clone();
        match self.hub.registry.submit(claim, &Actor::Party(party)).await.unwrap() {
            Submitted::New(one) if one.state == State::OnHold => one.id,
            other => panic!("{other:?}"),
        }
    }

    async fn statuses(&self, id: &str) -> Vec<String> {
        let verdicts = self.verdicts(id).await;
        verdicts
            .iter()
            .map(|one| one["status"].as_str().unwrap().to_owned())
            .collect()
    }
}

on_both! {
    // SAF-03, SAF-45: a registration that comes later.
    async fn only_the_cdrs_a_registration_is_about_get_another_verdict_and_the_old_ones_stay(on) {
        let world = World::start(on, "").await?;
        let (cpo, msp) = (world.platform(&["DE/ABC:CPO"], None).await, world.platform(&["DE/MSP:EMSP"], None).await);
        let (mine, other) = (meter("mine"), meter("other"));
        world.post(&cpo, &session("C-1", &mine, 1, 1, "1.0", "2.5")).await;
        world.post(&cpo, &session("C-2", &mine, 1, 3, "2.5", "3.5")).await;
        world.post(&cpo, &session("C-3", &other, 3, 3, "2.5", "3.5")).await;
        assert!(world.list(&msp, "").await.text().contains("INTEGRITY_ONLY"));
        world.clock.advance(TimeDelta::minutes(5));
        let since = world.clock_text();
        world.register(&mine).await;
        let followed = world.until_followed(1).await;
        assert_eq!((&followed[0]["looked_at"], &followed[0]["changed"]), (&json!(2), &json!(2)), "{followed:?}");
        for id in ["C-1", "C-2"] {
            assert_eq!(world.statuses(id).await, ["INTEGRITY_ONLY", "VERIFIED"], "{id}");
        }
        assert_eq!(world.statuses("C-3").await, ["INTEGRITY_ONLY"]);
        // Told by pull and by report, to both; nothing is pushed.
        let listed = world.list(&msp, "").await.text();
        assert_eq!(listed.matches("metering_validation").count(), 1, "{listed}");
        for who in [&cpo, &msp] {
            let reports = world.get(who, &format!("/partner/v1/reports?since={since}"), &[]).await.json();
            let mut ids: Vec<&str> = reports["items"].as_array().unwrap().iter().map(|one| one["cdr"]["id"].as_str().unwrap()).collect();
            ids.sort_unstable();
            assert_eq!(ids, ["C-1", "C-2"]);
        }
        Some(())
    }

    async fn a_second_look_that_says_the_same_is_not_written_again(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let mine = meter("mine");
        let key = world.register(&mine).await;
        world.until_followed(1).await;
        world.post(&cpo, &signed("C-1", &mine, 1)).await;
        // The meter moves on after the session: the same key and meter, so the CDR is looked at, and nothing else is to be said of it.
        let moved = json!({"evse_id": "DE*ABC*E9", "reason": "REASSIGNMENT", "valid_from": "2026-11-21T11:00:00Z"});
        let moved = world.register_as(&mine, moved).await;
        let followed = world.until_followed(3).await;
        let looks = |registration: &str| {
            let of_it = followed.iter().find(|change| change["registration"] == registration).unwrap();
            (of_it["looked_at"].as_u64().unwrap(), of_it["changed"].as_u64().unwrap())
        };
        assert_eq!((looks(&moved), looks(&key)), ((1, 0), (0, 0)), "the end of the first, at eleven, is not about it: {followed:?}");
        assert_eq!(world.statuses("C-1").await, ["VERIFIED"]);
        // An operator who asks gets an answer with a date, whatever it says.
        world.clock.advance(TimeDelta::minutes(1));
        world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-1/recheck", None).await;
        assert_eq!(world.statuses("C-1").await, ["VERIFIED", "VERIFIED"]);
        Some(())
    }

    // 4.6: KEY_NOT_YET_CONFIRMED is pending, and judged again when it is decided.
    async fn a_claim_gives_no_earlier_cdr_another_verdict_until_it_is_decided(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        // A curve of old, so that what its operator submits waits for a person.
        let mine = SigningMeter::from_seed(Curve::Secp192r1, b"mine").unwrap();
        let decide = async |id: &str, what: &str| {
            let (path, reason) = (format!("/operator/v1/keys/{id}/{what}"), json!({"reason": "seen"}));
            let (status, decided) = world.operate(Method::POST, &path, Some(reason)).await;
            assert_eq!(status, 200, "{decided}");
        };
        world.post(&cpo, &signed("C-1", &mine, 1)).await;
        let first = world.claim_as_its_operator(&mine).await;
        assert_eq!(world.until_followed(0).await, Vec::<Value>::new());
        world.post(&cpo, &signed("C-2", &mine, 2)).await;
        decide(&first, "refuse").await;
        let followed = world.until_followed(1).await;
        assert_eq!((&followed[0]["looked_at"], &followed[0]["changed"]), (&json!(2), &json!(1)), "{followed:?}");
        assert_eq!(world.reasons("C-1").await, ["KEY_NOT_REGISTERED"]);
        assert_eq!(world.reasons("C-2").await, ["KEY_NOT_YET_CONFIRMED", "KEY_NOT_REGISTERED"]);
        let second = world.claim_as_its_operator(&mine).await;
        world.post(&cpo, &signed("C-3", &mine, 3)).await;
        world.until_followed(1).await;
        decide(&second, "accept").await;
        let followed = world.until_followed(2).await;
        assert_eq!((&followed[0]["looked_at"], &followed[0]["changed"]), (&json!(3), &json!(3)), "{followed:?}");
        assert_eq!(world.statuses("C-1").await, ["INTEGRITY_ONLY", "VERIFIED"]);
        assert_eq!(world.statuses("C-2").await, ["INTEGRITY_ONLY", "INTEGRITY_ONLY", "VERIFIED"]);
        assert_eq!(world.statuses("C-3").await, ["INTEGRITY_ONLY", "VERIFIED"]);
        Some(())
    }

    // 4.6: the record time of the lookup stands in each verdict, and the registry answers for it as it did.
    async fn the_record_time_of_a_verdict_brings_back_what_the_registry_said(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let mine = meter("mine");
        world.post(&cpo, &signed("C-1", &mine, 1)).await;
        world.clock.advance(TimeDelta::minutes(5));
        // From here on the clock stands still: what is learned later is recorded later all the same.
        let key = world.register(&mine).await;
        world.until_followed(1).await;
        let end = json!({"at": "2026-11-21T09:30:00Z"});
        let (status, ended) = world.operate(Method::POST, &format!("/operator/v1/keys/{key}/deactivate"), Some(end)).await;
        assert_eq!(status, 200, "{ended}");
        world.until_followed(2).await;
        assert_eq!(world.statuses("C-1").await, ["INTEGRITY_ONLY", "VERIFIED", "INVALID"]);
        let ends = [None, Some(Value::Null), Some(json!("2026-11-21T09:30:00Z"))];
        for (verdict, end) in world.verdicts("C-1").await.iter().zip(ends) {
            let known_at = verdict["key"]["known_at"].as_str().unwrap();
            let told = world.anybody(&format!("/keys?meter_serial=M1&at=2026-11-21T09:00:00Z&known_at={known_at}")).await.json();
            assert_eq!(told["known_at"], known_at);
            assert_eq!(told["registrations"].get(0).map(|one| one["valid_to"].clone()), end, "{verdict}");
        }
        // A question without a record time says for which it was answered, and that one brings the same back.
        let now = world.anybody("/keys?meter_serial=M1&at=2026-11-21T09:00:00Z").await.json();
        let path = format!("/keys?meter_serial=M1&at=2026-11-21T09:00:00Z&known_at={}", now["known_at"].as_str().unwrap());
        assert_eq!(world.anybody(&path).await.json(), now);
        Some(())
    }

    // design.md 3.5, "Replay": what a credit frees is free for the new bill.
    async fn a_replay_of_before_does_not_get_the_record_that_a_credit_freed(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let mine = meter("mine");
        world.post(&cpo, &signed("C-1", &mine, 1)).await;
        assert!(world.post(&cpo, &signed("C-2", &mine, 1)).await.message.contains("REPLAYED_RECORD"));
        let credit = "\"credit\":true,\"credit_reference_id\":\"C-1\",";
        world.post(&cpo, &cdr("C-1-CR", "DE/MSP", &signed_data(&mine, 1, Some(&mine)), credit)).await;
        world.clock.advance(TimeDelta::minutes(5));
        world.register(&mine).await;
        world.until_followed(1).await;
        assert_eq!(world.statuses("C-2").await, ["INVALID"]);
        world.post(&cpo, &signed("C-3", &mine, 1)).await;
        assert_eq!(world.statuses("C-3").await, ["VERIFIED"]);
        Some(())
    }

    async fn a_held_cdr_goes_to_its_receiver_when_the_key_is_registered(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform_with(&["DE/MSP:EMSP"], Some(&emsp), json!({"invalid_cdrs": "hold"}), "2.2.1").await;
        let mine = meter("mine");
        let silent = signed_data(&mine, 1, None);
        assert!(world.post(&cpo, &cdr("C-1", "DE/MSP", &silent, "")).await.message.starts_with("held"));
        assert!(emsp.posted().is_empty());
        world.clock.advance(TimeDelta::minutes(5));
        world.register(&mine).await;
        world.until_followed(1).await;
        world.until_delivery("C-1", "delivered").await;
        assert_eq!(emsp.posted()[0].header("truewatt-metering"), Some("VERIFIED"));
        Some(())
    }

    async fn two_processes_give_each_cdr_one_new_verdict(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let other = world.beside().await;
        let mine = meter("mine");
        for number in 0..20 {
            world.post(&cpo, &signed(&format!("C-{number}"), &mine, number + 1)).await;
        }
        world.clock.advance(TimeDelta::minutes(5));
        other.register(&mine).await;
        world.until_followed(1).await;
        for number in 0..20 {
            assert_eq!(world.statuses(&format!("C-{number}")).await, ["INTEGRITY_ONLY", "VERIFIED"], "{number}");
        }
        // What was on its way in when the change was made is looked for once more, and then it is done.
        world.clock.advance(TimeDelta::minutes(5));
        for _ in 0..200 {
            let (_, standing) = world.operate(Method::GET, "/operator/v1/rechecks", None).await;
            if standing["unfinished"] == 0 {
                assert_eq!(standing["changes"][0]["state"], "finished");
                return Some(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the second pass never ended");
    }

    async fn cdrs_of_the_time_before_are_found_too(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let mine = meter("mine");
        world.post(&cpo, &signed("C-1", &mine, 1)).await;
        world.forget_traces().await;
        // The next process enters what has none.
        let next = world.beside().await;
        for _ in 0..200 {
            if world.hub.store.traces_of(&world.row_id("C-1").await).await.unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.clock.advance(TimeDelta::minutes(5));
        next.register(&mine).await;
        next.until_followed(1).await;
        assert_eq!(world.statuses("C-1").await, ["INTEGRITY_ONLY", "VERIFIED"]);
        Some(())
    }

    // SAF-47, SAF-48
    async fn saf_48_a_missing_proof_says_who_claims_that_the_evse_is_calibrated(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        world.post(&cpo, &plain("C-1")).await;
        assert_eq!(world.statuses("C-1").await, ["NOT_APPLICABLE"]);
        world.clock.advance(TimeDelta::minutes(5));
        let registered_at = world.clock_text();
        let registration = world.register(&meter("mine")).await;
        world.until_followed(1).await;
        let verdicts = world.verdicts("C-1").await;
        assert_eq!((verdicts.len(), &verdicts[1]["status"]), (2, &json!("MISSING")));
        let finding = &verdicts[1]["findings"][0];
        assert_eq!((&finding["code"], &finding["severity"]), (&json!("SIGNED_DATA_MISSING"), &json!("ERROR")));
        let source = &finding["sources"][0];
        assert_eq!((&source["source"], &source["reference"]), (&json!("REGISTRY"), &json!(registration)));
        let instant = |name: &str| at(source[name].as_str().unwrap());
        assert_eq!((instant("valid_from"), instant("recorded_at")), (at("2026-01-01T00:00:00Z"), at(&registered_at)));
        // A CDR that comes now hears it at once, and its eMSP by the marker.
        let heard = world.post(&cpo, &plain("C-2")).await;
        assert!(heard.message.ends_with("metering MISSING: SIGNED_DATA_MISSING"), "{}", heard.message);
        Some(())
    }

    // SAF-03, SAF-04: who looked, when, with which program and key; five goals.
    async fn saf_03_saf_04_every_look_at_a_cdr_is_a_verdict_with_who_when_program_key_and_five_goals(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let mine = meter("mine");
        world.post(&cpo, &signed("C-1", &mine, 1)).await;
        world.clock.advance(TimeDelta::minutes(5));
        world.register(&mine).await;
        world.until_followed(1).await;
        world.clock.advance(TimeDelta::minutes(5));
        world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-1/recheck", None).await;
        let verdicts = world.verdicts("C-1").await;
        let told: Vec<_> = verdicts.iter().map(|one| (one["checked_by"].as_str().unwrap(), one["occasion"].as_str().unwrap())).collect();
        assert_eq!(told, [("DE/TWH", "RECEIVED"), ("DE/TWH", "REGISTRY"), ("operator", "OPERATOR")]);
        let instants: Vec<_> = verdicts.iter().map(|one| at(one["checked_at"].as_str().unwrap())).collect();
        assert!(instants.is_sorted() && instants[0] < instants[1] && instants[1] < instants[2]);
        for one in &verdicts {
            assert_eq!(one["software"], concat!("truewatt ", env!("CARGO_PKG_VERSION")));
            assert_eq!(one["key"]["fingerprint"], mine.public_key().fingerprint());
            let goals = one["goals"].as_object().unwrap();
            assert_eq!(goals.len(), 5);
            for goal in ["truthfulness", "integrity", "authenticity", "imputability", "availability"] {
                assert!(["PASS", "FAIL", "UNKNOWN"].contains(&goals[goal].as_str().unwrap()), "{goal}");
            }
        }
        assert_eq!((&verdicts[0]["key"]["trust"], &verdicts[1]["key"]["trust"]), (&json!("DELIVERED"), &json!("REGISTERED")));
        Some(())
    }

    // SAF-43, SAF-46: a CDR without the proof it owes, under each receiver's policy.
    async fn a_missing_proof_is_marked_held_or_rejected_as_each_receiver_wishes(on) {
        let world = World::start(on, "").await?;
        let (marks, holds, rejects) = (Peer::open().await, Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform_with(&["DE/MSP:EMSP"], Some(&marks), json!({"invalid_cdrs": "mark"}), "2.2.1").await;
        world.platform_with(&["DE/HLD:EMSP"], Some(&holds), json!({"invalid_cdrs": "hold"}), "2.2.1").await;
        world.platform_with(&["DE/RJT:EMSP"], Some(&rejects), json!({"invalid_cdrs": "reject"}), "2.2.1").await;
        world.register(&meter("mine")).await;
        let heard = world.post(&cpo, &cdr("C-1", "DE/MSP", "null", "")).await;
        assert_eq!((heard.http, heard.message.as_str()), (201, "thanks; metering MISSING: SIGNED_DATA_MISSING"));
        assert!(marks.posted()[0].text().contains("\"status\":\"MISSING\",\"billable\":false"));
        let heard = world.post(&cpo, &cdr("C-2", "DE/HLD", "null", "")).await;
        assert_eq!((heard.code, heard.message.as_str()), (1000, "held: not verified; metering MISSING: SIGNED_DATA_MISSING"));
        let heard = world.post(&cpo, &cdr("C-3", "DE/RJT", "null", "")).await;
        assert_eq!(heard.code, 2001);
        assert!(heard.message.contains("SIGNED_DATA_MISSING"), "{}", heard.message);
        assert!(holds.posted().is_empty() && rejects.posted().is_empty());
        // By report as well, for what was kept.
        for (id, http) in [("C-1", 200), ("C-2", 200), ("C-3", 404)] {
            let report = world.get(&cpo, &format!("/partner/v1/cdrs/DE/ABC/{id}/report"), &[]).await;
            assert_eq!(report.http, http, "{id}");
            if http == 200 {
                assert_eq!(report.json()["status"], "MISSING");
            }
        }
        Some(())
    }
}
