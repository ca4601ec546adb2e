//! What calibration law and the S.A.F.E. best practices ask of a hub, row by row of key-registry.md 1 and 2: each test is named after its row.
//! Rows that a longer story proves are named there.

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::metering::sign::SigningMeter;

use crate::common::listed::{Heard, Platform};
use crate::on_both;
use crate::peer::Peer;
use crate::world::{World, cdr, meter, plain, signed};

/// One signed value: its nature, the hour of that day, the reading in kWh and the identification.
struct Signed<'a>(&'a str, u32, &'a str, &'a str);

/// Signed values of meter M1, numbered from `first`; the key comes along.
fn values(meter: &SigningMeter, first: u32, values: &[Signed<'_>]) -> String {
    let numbered = (first..).zip(values);
    let records: Vec<Value> = numbered
        .map(|(number, Signed(nature, hour, reading, id))| {
            let marker = match *nature {
                "Start" => "B",
                "End" => "E",
                _ => "C",
            };
            let record = meter.ocmf(&format!(
                r#"{{"FV":"1.0","MS":"M1","PG":"T{number}","ID":"{id}","RD":[{{"TM":"2026-11-21T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{reading},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}]}}"#
            ));
            json!({"nature": nature, "plain_data": "", "signed_data": record})
        })
        .collect();
    let key = hex::encode(meter.public_key().to_spki_der());
    json!({"encoding_method": "OCMF", "public_key": key, "signed_values": records}).to_string()
}

/// A CPO, an eMSP that takes what it is sent, and the key of one meter, registered.
struct Three {
    world: World,
    cpo: Platform,
    msp: Platform,
    emsp: Peer,
    meter: SigningMeter,
}

impl Three {
    async fn meet(world: World) -> Three {
        let three = Three::strangers(world).await;
        three.world.register(&three.meter).await;
        three
    }

    /// The key is registered nowhere.
    async fn strangers(world: World) -> Three {
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        Three {
            world,
            cpo,
            msp,
            emsp,
            meter,
        }
    }

    async fn post(&self, body: &str) -> Heard {
        self.world.post(&self.cpo, body).await
    }

    async fn report(&self, id: &str) -> Value {
        let path = format!("/partner/v1/cdrs/DE/ABC/{id}/report");
        self.world.get(&self.msp, &path, &[]).await.json()
    }

    async fn register(&self, meter: &SigningMeter, serial: &str, evse_id: &str) -> (u16, Value) {
        let claim = json!({
            "public_key": hex::encode(meter.public_key().to_spki_der()),
            "meter_serial": serial,
            "evse_id": evse_id,
            "location_id": "L1",
            "cpo": {"country_code": "DE", "party_id": "ABC"},
            "valid_from": "2026-01-01T00:00:00Z",
        });
        self.world.operate(Method::POST, "/operator/v1/keys", Some(claim)).await
    }
}

impl Three {
    async fn end(&self, key: &Value, at: &str) -> (u16, Value) {
        let path = format!("/operator/v1/keys/{}/deactivate", key["id"].as_str().unwrap());
        self.world.operate(Method::POST, &path, Some(json!({"at": at}))).await
    }

    /// Another key for M1 at DE*ABC*E1.
    async fn replace(&self, meter: &SigningMeter, reason: &str, from: &str) -> (u16, Value) {
        let claim = json!({
            "public_key": hex::encode(meter.public_key().to_spki_der()),
            "meter_serial": "M1",
            "evse_id": "DE*ABC*E1",
            "cpo": {"country_code": "DE", "party_id": "ABC"},
            "valid_from": from,
            "reason": reason,
        });
        self.world.operate(Method::POST, "/operator/v1/keys", Some(claim)).await
    }
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|one| one["code"].as_str().unwrap()).collect()
}

on_both! {
    // CAL-R1
    async fn cal_r1_every_digit_of_a_quantity_arrives_and_sums_are_exact(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        // Binary fractions would make 0.30000000000000004 of it.
        let signed = values(&three.meter, 1, &[Signed("Start", 9, "0.100000001", "04AA"), Signed("End", 10, "0.400000004", "04AA")]);
        let body = cdr("C-1", "DE/MSP", &signed, "\"total_time\":1.000000000,").replace("7.500", "0.300000003000");
        assert_eq!(three.post(&body).await.message, "thanks");
        assert_eq!(three.emsp.posted()[0].text(), body, "octet by octet");
        let report = three.report("C-1").await;
        assert_eq!((&report["signed_energy_kwh"], &report["cdr_energy_kwh"]), (&json!("0.300000003"), &json!("0.300000003000")));
        assert!(three.world.list(&three.msp, "").await.text().contains(body.trim_end()), "and when it is pulled");
        // One unit of the ninth place too much is a difference that is seen.
        let strict = World::start(on, "[metering]\nenergy_tolerance_kwh = \"0\"\n").await?;
        let three = Three::meet(strict).await;
        let more = cdr("C-2", "DE/MSP", &signed, "").replace("7.500", "0.300000004");
        assert!(three.post(&more).await.message.ends_with("metering INVALID: ENERGY_MISMATCH"));
        Some(())
    }

    // CAL-R2
    async fn cal_r2_a_value_counts_with_the_key_its_meter_had_at_its_evse_at_that_time(on) {
        let three = Three::strangers(World::start(on, "").await?).await;
        assert_eq!(three.post(&signed("C-1", &three.meter, 1)).await.message, "thanks; metering INTEGRITY_ONLY: KEY_NOT_REGISTERED");
        let (status, key) = three.register(&three.meter, "M1", "DE*ABC*E1").await;
        assert_eq!(status, 201, "{key}");
        assert_eq!(three.post(&signed("C-2", &three.meter, 2)).await.message, "thanks");
        let elsewhere = signed("C-3", &three.meter, 3).replace("DE*ABC*E1", "DE*ABC*E2").replace("\"evse_uid\":\"1\"", "\"evse_uid\":\"2\"");
        assert!(three.post(&elsewhere).await.message.ends_with("metering INVALID: KEY_FOR_OTHER_EVSE"));
        let report = three.report("C-2").await;
        assert_eq!((&report["key"]["trust"], &report["key"]["registration"]), (&json!("REGISTERED"), &key["id"]));
        Some(())
    }

    // CAL-R3b
    async fn cal_r3b_records_added_lost_swapped_or_used_twice_are_named(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let of = |first, list: &[Signed<'_>]| values(&three.meter, first, list);
        let (begin, end) = (Signed("Start", 9, "10.000", "04AA"), Signed("End", 10, "17.500", "04AA"));
        let pair = |first| of(first, &[Signed("Start", 9, "10.000", "04AA"), Signed("End", 10, "17.500", "04AA")]);
        // Each under the other's name.
        let mut swapped: Value = serde_json::from_str(&pair(40)).unwrap();
        let list = swapped["signed_values"].as_array_mut().unwrap();
        let first = list[0]["signed_data"].take();
        list[0]["signed_data"] = list[1]["signed_data"].take();
        list[1]["signed_data"] = first;
        for (id, data, code) in [
            ("LOST-BEGIN", of(10, &[Signed("End", 10, "17.500", "04AA")]), "MISSING_BEGIN"),
            ("LOST-END", of(20, &[Signed("Start", 9, "10.000", "04AA")]), "MISSING_END"),
            ("TWO-BEGINS", of(30, &[Signed("Start", 9, "10.000", "04AA"), begin, end]), "MULTIPLE_BEGIN"),
            ("SWAPPED", swapped.to_string(), "NATURE_MISMATCH"),
        ] {
            let heard = three.post(&cdr(id, "DE/MSP", &data, "")).await;
            assert!(heard.message.contains("INVALID") && heard.message.contains(code), "{id}: {}", heard.message);
            assert!(codes(&three.report(id).await).contains(&code), "{id}");
        }
        let honest = pair(1);
        assert_eq!(three.post(&cdr("HONEST", "DE/MSP", &honest, "")).await.message, "thanks");
        let heard = three.post(&cdr("AGAIN", "DE/MSP", &honest, "")).await;
        assert_eq!(heard.message, "thanks; metering INVALID: REPLAYED_RECORD");
        Some(())
    }

    // CAL-R4
    async fn cal_r4_the_identification_under_the_signature_is_held_against_the_payers(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        for (number, id, goal, finding) in [(1, "04AA", "PASS", false), (2, "04BB", "FAIL", true), (3, "", "UNKNOWN", false)] {
            let signed = values(&three.meter, 10 * number, &[Signed("Start", 9, "10.000", id), Signed("End", 10, "17.500", id)]);
            let name = format!("C-{number}");
            assert_eq!(three.post(&cdr(&name, "DE/MSP", &signed, "")).await.code, 1000);
            let report = three.report(&name).await;
            assert_eq!(report["goals"]["imputability"], goal, "{id}: {report}");
            assert_eq!(codes(&report).contains(&"CONTRACT_MISMATCH"), finding, "{id}");
            // Whose card it was is nobody's business but that of the two who know.
            assert!(!report["findings"].to_string().contains("04"), "{report}");
        }
        Some(())
    }

    // SAF-01
    async fn saf_01_every_role_of_the_data_flow_has_its_door_and_no_other(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        three.post(&signed("C-1", &three.meter, 1)).await;
        let stranger = three.world.platform(&["DE/XYZ:EMSP"], None).await;
        let (report, file) = ("/partner/v1/cdrs/DE/ABC/C-1/report", "/partner/v1/cdrs/DE/ABC/C-1/transparency.xml");
        for path in [report, file] {
            for (who, http) in [(&three.cpo, 200), (&three.msp, 200), (&stranger, 404)] {
                assert_eq!(three.world.get(who, path, &[]).await.http, http, "{path}");
            }
            assert_eq!(three.world.anybody(path).await.http, 401, "{path}");
        }
        // Any user of measuring data, transparency software included, reads keys and nothing about sessions.
        let key = three.world.anybody(&format!("/keys/{}", three.meter.public_key().fingerprint())).await;
        assert_eq!(key.http, 200);
        assert!(!key.text().contains("C-1") && !key.text().contains("04AA"));
        let (status, cdr) = three.world.operate(Method::GET, "/operator/v1/cdrs/DE/ABC/C-1", None).await;
        assert_eq!((status, &cdr["metering_status"]), (200, &json!("VERIFIED")), "the roaming platform");
        Some(())
    }

    // SAF-02
    async fn saf_02_keys_hang_on_the_charge_point_and_not_on_the_station(on) {
        let three = Three::strangers(World::start(on, "").await?).await;
        let second = meter("second");
        for (meter, serial, evse) in [(&three.meter, "M1", "DE*ABC*E1"), (&second, "M2", "DE*ABC*E2")] {
            let (status, key) = three.register(meter, serial, evse).await;
            assert_eq!((status, &key["location_id"]), (201, &json!("L1")), "{key}");
        }
        // Its records name meter M1 in both cases: the charge points of one location are not exchanged for each other.
        assert_eq!(three.post(&signed("C-1", &three.meter, 1)).await.message, "thanks");
        let other = signed("C-2", &three.meter, 2).replace("DE*ABC*E1", "DE*ABC*E2").replace("\"evse_uid\":\"1\"", "\"evse_uid\":\"2\"");
        assert!(three.post(&other).await.message.contains("INVALID"));
        let shown = three.world.anybody("/keys?evse_id=DE*ABC*E2").await.json();
        assert_eq!(shown["registrations"].as_array().unwrap().len(), 1);
        assert_eq!(shown["registrations"][0]["fingerprint"], second.public_key().fingerprint());
        Some(())
    }

    // SAF-12, SAF-35, SAF-36: what the hub itself says of conformity follows the confirmation.
    async fn saf_12_saf_35_saf_36_until_it_is_confirmed_nothing_says_that_the_evse_is_calibrated(on) {
        let mut world = World::start_unreachable(on).await?;
        world.site.hub.url = world.site.hub.bound.clone();
        let three = Three::strangers(world).await;
        let (status, key) = three.register(&three.meter, "M1", "DE*ABC*E1").await;
        assert_eq!((status, &key["state"]), (201, &json!("PUBLISHED")));
        let shown = three.world.anybody("/keys?evse_id=DE*ABC*E1").await.json();
        let states: Vec<&str> = shown["registrations"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["PUBLISHED"], "{shown}");
        // No proof is owed by an EVSE that nobody confirmed to have a calibrated meter.
        assert_eq!(three.post(&plain("C-1")).await.message, "thanks");
        assert_eq!(three.report("C-1").await["status"], "NOT_APPLICABLE");
        assert_eq!(three.post(&signed("C-2", &three.meter, 1)).await.message, "thanks; metering INTEGRITY_ONLY: KEY_NOT_YET_CONFIRMED");
        Some(())
    }

    // SAF-14
    async fn saf_14_values_from_the_middle_of_a_session_are_kept_and_checked(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let list = [Signed("Start", 9, "10.000", "04AA"), Signed("Intermediate", 9, "12.250", "04AA"), Signed("End", 10, "17.500", "04AA")];
        let body = cdr("C-1", "DE/MSP", &values(&three.meter, 1, &list), "");
        assert_eq!(three.post(&body).await.message, "thanks");
        assert_eq!(three.report("C-1").await["readings"].as_array().unwrap().len(), 3);
        let file = three.world.get(&three.msp, "/partner/v1/cdrs/DE/ABC/C-1/transparency.raw", &[]).await;
        assert_eq!(file.text().matches("OCMF|").count(), 3);
        let forged = cdr("C-2", "DE/MSP", &values(&three.meter, 11, &list).replace("12.250", "12.251"), "");
        assert!(three.post(&forged).await.message.ends_with("metering INVALID: SIGNATURE_MISMATCH"));
        Some(())
    }

    // SAF-15
    async fn saf_15_a_session_has_a_signed_begin_and_a_signed_end_in_two_records_or_in_one(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let only_end = values(&three.meter, 1, &[Signed("End", 10, "17.500", "04AA")]);
        assert!(three.post(&cdr("C-1", "DE/MSP", &only_end, "")).await.message.contains("MISSING_BEGIN"));
        let reading = |marker, hour, value| {
            format!(r#"{{"TM":"2026-11-21T{hour:02}:00:00,000+0000 S","TX":"{marker}","RV":{value},"RI":"1-0:1.8.0","RU":"kWh","ST":"G"}}"#)
        };
        let both = three.meter.ocmf(&format!(
            r#"{{"FV":"1.0","MS":"M1","PG":"T9","ID":"04AA","RD":[{},{}]}}"#,
            reading("B", 9, "10.000"),
            reading("E", 10, "17.500")
        ));
        let data = json!({"encoding_method": "OCMF", "signed_values": [{"nature": "End", "plain_data": "", "signed_data": both}]});
        assert_eq!(three.post(&cdr("C-2", "DE/MSP", &data.to_string(), "")).await.message, "thanks");
        assert_eq!(three.report("C-2").await["signed_energy_kwh"], "7.500");
        Some(())
    }

    // SAF-17
    async fn saf_17_the_emsp_gets_the_signed_values_as_the_meter_made_them(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let body = signed("C-1", &three.meter, 1);
        three.post(&body).await;
        let sent: Value = serde_json::from_str(&body).unwrap();
        let got: Value = serde_json::from_str(&three.emsp.posted()[0].text()).unwrap();
        assert_eq!(got["signed_data"], sent["signed_data"]);
        let pulled = three.world.list(&three.msp, "").await.json();
        assert_eq!(pulled["data"][0]["signed_data"], sent["signed_data"]);
        Some(())
    }

    // SAF-18, SAF-42: every CDR that passes has been looked at before it is sent.
    async fn saf_18_saf_42_no_cdr_passes_without_a_verdict(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let foreign = cdr("C-4", "DE/MSP", r#"{"encoding_method":"Something else","signed_values":[{"nature":"End","plain_data":"","signed_data":"???"}]}"#, "");
        let forged = signed("C-2", &three.meter, 2).replace("17.500", "17.600");
        for (body, verdict) in [
            (signed("C-1", &three.meter, 1), "VERIFIED"),
            (forged, "INVALID"),
            (plain("C-3"), "MISSING"),
            (foreign, "UNVERIFIABLE"),
            (plain("C-5").replace("DE*ABC*E1", "DE*ABC*E9").replace("\"evse_uid\":\"1\"", "\"evse_uid\":\"9\""), "NOT_APPLICABLE"),
        ] {
            assert_eq!(three.post(&body).await.code, 1000);
            // The header came with the CDR: it was known before it went on.
            let got = three.emsp.posted().pop().unwrap();
            assert_eq!(got.header("truewatt-metering"), Some(verdict), "{}", got.text());
        }
        let verdicts = three.world.get(&three.msp, "/partner/v1/reports", &[]).await.json();
        assert_eq!(verdicts["items"].as_array().unwrap().len(), 5);
        Some(())
    }

    // SAF-30
    async fn saf_30_an_implausible_key_is_refused_with_every_reason_and_published_nowhere(on) {
        let three = Three::strangers(World::start(on, "").await?).await;
        let claim = json!({
            "public_key": hex::encode(three.meter.public_key().to_spki_der()),
            "meter_serial": "M1",
            "evse_id": "DE*XYZ*E1",
            "cpo": {"country_code": "DE", "party_id": "ABC"},
            "valid_from": "2027-06-01T00:00:00Z",
        });
        let (status, problem) = three.world.operate(Method::POST, "/operator/v1/keys", Some(claim)).await;
        assert_eq!(status, 422, "{problem}");
        let found = codes(&problem);
        assert!(found.len() >= 2 && found.contains(&"VALIDITY_TOO_FAR_AHEAD"), "{problem}");
        assert_eq!(three.world.anybody(&format!("/keys/{}", three.meter.public_key().fingerprint())).await.http, 404);
        Some(())
    }

    // SAF-43: forged data is passed on, marked.
    async fn saf_43_what_fails_is_sent_all_the_same_and_says_so(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let forged = signed("C-1", &three.meter, 1).replace("17.500", "17.600");
        let heard = three.post(&forged).await;
        assert_eq!((heard.http, heard.code), (201, 1000));
        let got: Value = serde_json::from_str(&three.emsp.posted()[0].text()).unwrap();
        assert_eq!((&got["metering_validation"]["status"], &got["metering_validation"]["billable"]), (&json!("INVALID"), &json!(false)));
        Some(())
    }

    // SAF-45
    async fn saf_45_what_fails_is_shown_and_not_billable(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        for (body, id, billable) in [
            (signed("C-1", &three.meter, 1), "C-1", true),
            (signed("C-2", &three.meter, 2).replace("17.500", "17.600"), "C-2", false),
            (plain("C-3"), "C-3", false),
        ] {
            three.post(&body).await;
            assert_eq!(three.report(id).await["billable"], billable, "{id}");
            assert!(three.world.list(&three.msp, "").await.ids().contains(&id.to_owned()), "shown");
        }
        Some(())
    }

    // SAF-46
    async fn saf_46_the_operator_of_the_charge_points_hears_what_failed_in_the_answer_and_by_report(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let since = three.world.clock_text();
        three.world.clock.advance(TimeDelta::minutes(1));
        let heard = three.post(&signed("C-1", &three.meter, 1).replace("17.500", "17.600")).await;
        assert_eq!(heard.message, "thanks; metering INVALID: SIGNATURE_MISMATCH");
        let reports = three.world.get(&three.cpo, &format!("/partner/v1/reports?since={since}"), &[]).await.json();
        let report = &reports["items"][0];
        assert_eq!((&report["cdr"]["id"], &report["status"]), (&json!("C-1"), &json!("INVALID")));
        assert!(codes(report).contains(&"SIGNATURE_MISMATCH"), "{report}");
        Some(())
    }

    // SAF-47
    async fn saf_47_a_calibrated_evse_owes_signed_data_and_another_does_not(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        assert_eq!(three.post(&plain("C-1")).await.message, "thanks; metering MISSING: SIGNED_DATA_MISSING");
        let empty = cdr("C-2", "DE/MSP", &json!({"encoding_method": "OCMF", "signed_values": []}).to_string(), "");
        assert!(three.post(&empty).await.message.contains("MISSING"));
        let elsewhere = plain("C-3").replace("DE*ABC*E1", "DE*ABC*E9").replace("\"evse_uid\":\"1\"", "\"evse_uid\":\"9\"");
        assert_eq!(three.post(&elsewhere).await.message, "thanks");
        // A registration that says so owes none.
        let (status, _) = three.world.operate(Method::POST, "/operator/v1/keys", Some(json!({
            "public_key": hex::encode(meter("second").public_key().to_spki_der()),
            "meter_serial": "M5", "evse_id": "DE*ABC*E5", "calibrated": false,
            "cpo": {"country_code": "DE", "party_id": "ABC"}, "valid_from": "2026-01-01T00:00:00Z",
        }))).await;
        assert_eq!(status, 201);
        let uncalibrated = plain("C-5").replace("DE*ABC*E1", "DE*ABC*E5").replace("\"evse_uid\":\"1\"", "\"evse_uid\":\"5\"");
        assert_eq!(three.post(&uncalibrated).await.message, "thanks");
        Some(())
    }

    // SAF-40
    async fn saf_40_a_key_that_was_deactivated_stays_readable_and_right_for_the_time_before(on) {
        let three = Three::strangers(World::start(on, "").await?).await;
        let (_, key) = three.register(&three.meter, "M1", "DE*ABC*E1").await;
        three.world.clock.advance(TimeDelta::hours(1));
        let (status, ended) = three.end(&key, "2026-11-21T12:30:00Z").await;
        assert_eq!((status, &ended["state"], &ended["valid_to"]), (200, &json!("DEACTIVATED"), &json!("2026-11-21T12:30:00Z")));
        let shown = three.world.anybody(&format!("/keys/{}", three.meter.public_key().fingerprint())).await;
        assert_eq!((shown.http, &shown.json()["registrations"][0]["state"]), (200, &json!("DEACTIVATED")));
        // Charged from nine to ten.
        assert_eq!(three.post(&signed("C-1", &three.meter, 1)).await.message, "thanks");
        let (status, _) = three.world.operate(Method::DELETE, &format!("/operator/v1/keys/{}", key["id"].as_str().unwrap()), None).await;
        assert!([404, 405].contains(&status), "nothing is ever deleted: {status}");
        Some(())
    }

    // SAF-41
    async fn saf_41_a_meter_used_again_elsewhere_has_both_places_in_its_history(on) {
        let three = Three::strangers(World::start(on, "").await?).await;
        let (_, first) = three.register(&three.meter, "M1", "DE*ABC*E1").await;
        let elsewhere = three.register(&three.meter, "M1", "DE*ABC*E2").await;
        assert_eq!(elsewhere.0, 409, "while it is in use: {}", elsewhere.1);
        three.world.clock.advance(TimeDelta::hours(2));
        three.end(&first, "2026-11-21T12:30:00Z").await;
        let claim = json!({
            "public_key": hex::encode(three.meter.public_key().to_spki_der()),
            "meter_serial": "M1",
            "evse_id": "DE*ABC*E2",
            "cpo": {"country_code": "DE", "party_id": "ABC"},
            "valid_from": "2026-11-21T13:00:00Z",
        });
        let (status, second) = three.world.operate(Method::POST, "/operator/v1/keys", Some(claim)).await;
        assert_eq!(status, 201, "{second}");
        let history = three.world.anybody(&format!("/keys/{}/history", three.meter.public_key().fingerprint())).await.json();
        for place in ["DE*ABC*E1", "DE*ABC*E2"] {
            assert!(history.to_string().contains(place), "{history}");
        }
        // Revision-safe: every version is an entry of the log, and the log is whole.
        let verified = truewatt::registry::proof::verify(&three.world.hub.store).await.unwrap();
        assert_eq!(verified.bad, None);
        assert!(verified.entries >= history["versions"].as_array().unwrap().len() as u64);
        Some(())
    }

    // SAF-51
    async fn saf_51_a_replaced_module_counts_from_its_own_begin_and_not_without_being_submitted(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let module = meter("module");
        let with_module = |id, page| {
            let list = [Signed("Start", 9, "10.000", "04AA"), Signed("End", 10, "17.500", "04AA")];
            cdr(id, "DE/MSP", &values(&module, page, &list), "")
        };
        let heard = three.post(&with_module("C-1", 1)).await;
        assert!(heard.message.contains("INVALID") && heard.message.contains("KEY_CONFLICT"), "{}", heard.message);
        let (status, key) = three.replace(&module, "REPLACEMENT", "2026-11-21T08:00:00Z").await;
        assert_eq!(status, 201, "{key}");
        assert_eq!(three.post(&with_module("C-2", 11)).await.message, "thanks");
        assert!(three.post(&signed("C-3", &three.meter, 50)).await.message.contains("INVALID"), "the old one is out");
        Some(())
    }

    // SAF-52
    async fn saf_52_a_firmware_that_makes_a_new_key_leaves_each_session_to_the_key_of_its_time(on) {
        let three = Three::meet(World::start(on, "").await?).await;
        let after = meter("after the update");
        three.world.clock.advance(TimeDelta::days(1));
        let (status, key) = three.replace(&after, "FIRMWARE", "2026-11-21T12:00:00Z").await;
        assert_eq!((status, &key["meter_serial"]), (201, &json!("M1")), "{key}");
        // From nine to ten the old one, from thirteen to fourteen the new one.
        assert_eq!(three.post(&signed("C-1", &three.meter, 1)).await.message, "thanks");
        let list = [Signed("Start", 13, "17.500", "04AA"), Signed("End", 14, "25.000", "04AA")];
        let later = cdr("C-2", "DE/MSP", &values(&after, 1, &list), "").replace("T09:00:00Z", "T13:00:00Z").replace("T10:00:00Z", "T14:00:00Z");
        assert_eq!(three.post(&later).await.message, "thanks");
        let list = [Signed("Start", 13, "17.500", "04AA"), Signed("End", 14, "25.000", "04AA")];
        let stale = cdr("C-3", "DE/MSP", &values(&three.meter, 90, &list), "").replace("T09:00:00Z", "T13:00:00Z").replace("T10:00:00Z", "T14:00:00Z");
        assert!(three.post(&stale).await.message.contains("INVALID"));
        Some(())
    }
}
