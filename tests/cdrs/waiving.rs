//! Waivers: an eMSP does without conformity for a customer, a tariff, or everybody (key-registry.md 4.1, SAF-37).

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::registry::proof;

use crate::common::listed::{Heard, Platform};
use crate::on_both;
use crate::peer::Peer;
use crate::world::{World, cdr, meter, plain, signed, signed_data};

const PLACE: &str = "/partner/v1/waivers";
const ONE: &str = "0b0e1f6e-58a1-4c4d-9d4e-4a8ad4b5a001";
const TWO: &str = "0b0e1f6e-58a1-4c4d-9d4e-4a8ad4b5a002";

impl World {
    async fn waive(&self, by: &Platform, id: &str, wish: Value) -> Heard {
        let headers = [("Idempotency-Key", "w-1")];
        self.call(by, Method::PUT, &format!("{PLACE}/{id}"), &headers, &wish.to_string())
            .await
    }

    /// The newest verdict, as the CPO reads it.
    async fn verdict(&self, by: &Platform, id: &str) -> Value {
        self.get(by, &format!("/partner/v1/cdrs/DE/ABC/{id}/report"), &[])
            .await
            .json()
    }
}

fn waiver_in(report: &Value) -> Option<&Value> {
    let mut findings = report["findings"].as_array().unwrap().iter();
    findings.find(|one| one["code"] == "CONFORMITY_WAIVED")
}

fn of_contract(contract: &str) -> Value {
    json!({"scope": {"contract_id": contract}, "from": "2026-11-21T00:00:00Z"})
}

on_both! {
    // SAF-37, key-registry.md 4.6
    async fn saf_37_a_waiver_makes_the_charge_of_its_customer_billable_and_of_nobody_else(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let other = world.platform(&["DE/OTH:EMSP"], None).await;
        let meter = meter("mine");
        let heard = world.post(&cpo, &signed("C-1", &meter, 1)).await;
        assert!(heard.message.contains("INTEGRITY_ONLY"), "{}", heard.message);
        assert_eq!(world.verdict(&cpo, "C-1").await["billable"], false);

        // Another eMSP's waiver, one for another contract, and one that began after charging did.
        assert_eq!(world.waive(&other, ONE, json!({"scope": {"all": true}, "from": "2026-11-01T00:00:00Z"})).await.http, 201);
        assert_eq!(world.waive(&msp, ONE, of_contract("C9")).await.http, 201);
        let late = json!({"scope": {"all": true}, "from": "2026-11-21T09:30:00Z"});
        assert_eq!(world.waive(&msp, TWO, late).await.http, 201);
        world.post(&cpo, &signed("C-2", &meter, 2)).await;
        let report = world.verdict(&cpo, "C-2").await;
        assert_eq!((&report["billable"], waiver_in(&report)), (&json!(false), None));

        // For this contract, in another spelling.
        let three = "0b0e1f6e-58a1-4c4d-9d4e-4a8ad4b5a003";
        assert_eq!(world.waive(&msp, three, of_contract("c1")).await.http, 201);
        let third = signed("C-3", &meter, 3);
        world.post(&cpo, &third).await;
        let report = world.verdict(&cpo, "C-3").await;
        assert_eq!((&report["status"], &report["billable"]), (&json!("INTEGRITY_ONLY"), &json!(true)));
        let said = waiver_in(&report).unwrap();
        assert_eq!((&said["severity"], &said["pointer"]), (&json!("INFO"), &json!("/cdr_token")));
        assert_eq!((&said["sources"][0]["source"], &said["sources"][0]["reference"]), (&json!("WAIVER"), &json!(three)));
        let bodies: Vec<String> = emsp.posted().iter().map(|got| got.text()).collect();
        assert!(bodies[1].contains("metering_validation"), "{}", bodies[1]);
        assert_eq!(bodies[2], third, "a billable CDR is not touched");
        // It starts no second look, and one that happens takes it into account.
        assert_eq!(world.verdict(&cpo, "C-1").await["billable"], false);
        world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-1/recheck", None).await;
        assert_eq!(world.verdict(&cpo, "C-1").await["billable"], true);

        // Where the EVSE is calibrated, proof that is missing or wrong stays so; where it is verified, nothing is waived.
        world.register(&meter).await;
        world.post(&cpo, &plain("C-4")).await;
        let report = world.verdict(&cpo, "C-4").await;
        assert_eq!((&report["status"], &report["billable"]), (&json!("MISSING"), &json!(false)));
        assert!(waiver_in(&report).is_some(), "{report}");
        world.post(&cpo, &signed("C-5", &crate::world::meter("forged"), 5)).await;
        let report = world.verdict(&cpo, "C-5").await;
        assert_eq!((&report["status"], &report["billable"], waiver_in(&report)), (&json!("INVALID"), &json!(false), None));
        world.post(&cpo, &signed("C-6", &meter, 6)).await;
        let report = world.verdict(&cpo, "C-6").await;
        assert_eq!((&report["status"], waiver_in(&report)), (&json!("VERIFIED"), None));
        Some(())
    }

    // SAF-37
    async fn saf_37_a_tariff_is_waived_wherever_the_cdr_names_it(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        let meter = meter("mine");
        let scope = |cpo: &str| json!({"tariff_id": "flat", "cpo": {"country_code": "de", "party_id": cpo}});
        for (id, party) in [(ONE, "xyz"), (TWO, "abc")] {
            let wish = json!({"scope": scope(party), "from": "2026-11-21T00:00:00Z"});
            assert_eq!(world.waive(&msp, id, wish).await.http, 201);
        }
        let cases = [
            ("C-1", "", false),
            ("C-2", r#""tariffs":[{"id":"OTHER"},{"id":"FLAT"}],"#, true),
            ("C-3", r#""charging_periods":[{"tariff_id":"FLAT"}],"#, true),
            ("C-4", r#""charging_periods":[{"tariff_id":"FLAT2"}],"tariffs":"FLAT","#, false),
        ];
        for (page, (id, more, billable)) in (1u32..).zip(cases) {
            world.post(&cpo, &cdr(id, "DE/MSP", &signed_data(&meter, page, Some(&meter)), more)).await;
            let report = world.verdict(&cpo, id).await;
            assert_eq!(report["billable"], billable, "{id}: {report}");
            assert_eq!(waiver_in(&report).map(|one| &one["sources"][0]["reference"]), billable.then_some(&json!(TWO)));
        }
        Some(())
    }

    // key-registry.md 4.1: waiver
    async fn a_waiver_is_ended_never_taken_back_and_never_deleted(on) {
        let world = World::start(on, "").await?;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        let made = world.waive(&msp, ONE, of_contract("C1")).await;
        assert_eq!((made.http, &made.json()["version"], &made.json()["to"]), (201, &json!(1), &Value::Null));
        assert_eq!(made.location.as_deref(), Some(&*format!("{}{PLACE}/{ONE}", world.hub.url)));
        let same = world.waive(&msp, ONE, of_contract("C1")).await;
        assert_eq!((same.http, &same.json()["version"]), (200, &json!(1)));
        let ending = |to: &str| { let mut wish = of_contract("C1"); wish["to"] = json!(to); wish };
        // Later; then in the past, which is now.
        let later = world.waive(&msp, ONE, ending("2026-12-01T00:00:00Z")).await.json();
        assert_eq!((&later["version"], &later["to"]), (&json!(2), &json!("2026-12-01T00:00:00Z")));
        let ended = world.waive(&msp, ONE, ending("2026-11-21T03:00:00Z")).await.json();
        assert_eq!((&ended["version"], &ended["to"]), (&json!(3), &json!("2026-11-21T12:00:00Z")));
        world.clock.advance(TimeDelta::minutes(1));
        let again = world.waive(&msp, ONE, ending("2026-11-21T03:00:00Z")).await;
        assert_eq!((again.http, &again.json()["version"]), (200, &json!(3)));
        for wish in [of_contract("C1"), ending("2026-12-01T00:00:00Z"), of_contract("C2")] {
            assert_eq!(world.waive(&msp, ONE, wish).await.http, 409);
        }
        // Another process, and the next start, know all of it.
        let beside = world.beside().await;
        let shown = beside.get(&msp, &format!("{PLACE}/{ONE}"), &[]).await.json();
        assert_eq!((&shown["version"], &shown["scope"]), (&json!(3), &json!({"contract_id": "C1"})));
        let kept = world.hub.store.registry_history("waiver", &format!("DE/MSP/{ONE}")).await.unwrap();
        assert_eq!(kept.len(), 3);
        assert_eq!(proof::verify(&world.hub.store).await.unwrap().bad, None);
        Some(())
    }

    // key-registry.md 4.5
    async fn a_waiver_is_read_strictly_and_is_nobody_elses_business(on) {
        let world = World::start(on, "").await?;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        let other = world.platform(&["DE/OTH:EMSP"], None).await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let two = world.platform(&["DE/M1:EMSP", "DE/M2:EMSP"], None).await;
        let from = "2026-11-21T00:00:00Z";
        for (wish, status, field) in [
            (json!({"scope": {}, "from": from}), 422, "/scope"),
            (json!({"scope": {"all": true, "contract_id": "C1"}, "from": from}), 422, "/scope"),
            (json!({"scope": {"all": false}, "from": from}), 422, "/scope"),
            (json!({"from": from}), 422, "/scope"),
            (json!({"scope": {"all": true}}), 422, "/from"),
            (json!({"scope": {"all": true}, "from": from, "to": from}), 422, "/to"),
            (json!({"scope": {"all": true, "more": 1}, "from": from}), 422, "/scope/more"),
            (json!({"scope": {"contract_id": "x".repeat(37)}, "from": from}), 422, "/scope/contract_id"),
        ] {
            let heard = world.waive(&msp, ONE, wish).await;
            assert_eq!((heard.http, &heard.json()["field"]), (status, &json!(field)), "{}", heard.text());
        }
        let body = of_contract("C1").to_string();
        assert_eq!(world.waive(&msp, "not-a-uuid", of_contract("C1")).await.http, 400);
        assert_eq!(world.call(&msp, Method::PUT, &format!("{PLACE}/{ONE}"), &[], &body).await.http, 400, "no Idempotency-Key");
        assert_eq!(world.waive(&cpo, ONE, of_contract("C1")).await.http, 403, "a CPO has no customers");
        assert_eq!(world.waive(&two, ONE, of_contract("C1")).await.http, 400, "which of the two?");
        let headers = [("Idempotency-Key", "w"), ("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", "M2")];
        let made = world.call(&two, Method::PUT, &format!("{PLACE}/{ONE}"), &headers, &body).await;
        assert_eq!((made.http, &made.json()["emsp"]["party_id"]), (201, &json!("M2")));
        // The same id is another waiver of another eMSP.
        assert_eq!(world.waive(&msp, ONE, of_contract("C1")).await.http, 201);
        assert_eq!(world.waive(&msp, TWO, json!({"scope": {"all": true}, "from": from})).await.http, 201);
        for (by, status, listed) in [(&msp, 200, 2), (&other, 404, 0), (&cpo, 404, 0)] {
            assert_eq!(world.get(by, &format!("{PLACE}/{ONE}"), &[]).await.http, status);
            assert_eq!(world.get(by, PLACE, &[]).await.json()["items"].as_array().unwrap().len(), listed);
        }
        let first = world.get(&msp, &format!("{PLACE}?limit=1"), &[]).await.json();
        let next = first["next_cursor"].as_str().unwrap();
        let second = world.get(&msp, &format!("{PLACE}?limit=1&cursor={next}"), &[]).await.json();
        assert_eq!((&second["items"][0]["id"], &second["next_cursor"]), (&json!(TWO), &Value::Null));
        assert_eq!(world.anybody(PLACE).await.http, 401);
        let nobody = world.site.send(Method::PUT, &format!("{PLACE}/{ONE}"), Vec::new(), Some(body.as_bytes())).await;
        assert_eq!(nobody.status, 401, "before anything else is looked at");
        for (query, count) in [("", 3), ("?emsp=DE/MSP", 2), ("?emsp=DE/OTH", 0)] {
            let (_, all) = world.operate(Method::GET, &format!("/operator/v1/waivers{query}"), None).await;
            assert_eq!(all["items"].as_array().unwrap().len(), count, "{query}");
        }
        Some(())
    }

    async fn a_contract_stands_in_no_public_place(on) {
        let world = World::start(on, "").await?;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        world.waive(&msp, ONE, of_contract("DE-MSP-SECRET-1")).await;
        world.register(&meter("mine")).await;
        let log = world.anybody("/keys/log").await.text();
        assert!(log.contains("WAIVED") && log.contains(ONE), "{log}");
        for place in ["/keys/log", "/keys/export.json", "/keys/export.csv", "/keys/checkpoint", "/keys?meter_serial=M1"] {
            let shown = world.anybody(place).await.text();
            assert!(!shown.contains("SECRET"), "{place}: {shown}");
        }
        // Who guesses the contract cannot hold the guess against the digest: the document has a part nobody was told.
        let kept = world.hub.store.registry_history("waiver", &format!("DE/MSP/{ONE}")).await.unwrap();
        let document: Value = serde_json::from_str(&kept[0].document).unwrap();
        assert_eq!(document["salt"].as_str().unwrap().len(), 32);
        let shown = world.get(&msp, &format!("{PLACE}/{ONE}"), &[]).await.json();
        assert_eq!(shown["salt"], Value::Null);
        Some(())
    }
}
