//! EVSEs that claim in their location to be calibrated, held against the registry (key-registry.md SAF-13, SAF-36, SAF-38, SAF-48).

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::metering::key::Curve;
use truewatt::metering::sign::SigningMeter;
use truewatt::ocpi::ids::PartyId;
use truewatt::registry::{Actor, Decision, Submitted, Wish};

use crate::common::listed::Platform;
use crate::on_both;
use crate::world::{World, meter, new_key, plain};

const PLACE: &str = "/partner/v1/conformity";

fn location(id: &str, claims: Value) -> Value {
    json!({
        "country_code": "DE", "party_id": "ABC", "id": id, "publish": true, "address": "Street 1", "city": "Town", "country": "DEU",
        "coordinates": {"latitude": "51.047599", "longitude": "3.729944"}, "time_zone": "Europe/Berlin",
        "evses": [{
            "uid": "1", "evse_id": "DE*ABC*E1", "status": "AVAILABLE", "metering_conformity": claims,
            "connectors": [{"id": "1", "standard": "IEC_62196_T2", "format": "SOCKET", "power_type": "AC_3_PHASE",
                            "max_voltage": 230, "max_amperage": 16, "last_updated": "2026-11-20T10:00:00Z"}],
            "last_updated": "2026-11-20T10:00:00Z",
        }],
        "last_updated": "2026-11-20T11:00:00Z",
    })
}

impl World {
    async fn push(&self, by: &Platform, location: &Value) {
        let id = location["id"].as_str().unwrap();
        let place = format!("/ocpi/2.2.1/receiver/locations/DE/ABC/{id}");
        let headers = [("OCPI-to-country-code", "DE"), ("OCPI-to-party-id", "TWH")];
        let heard = self
            .call(by, Method::PUT, &place, &headers, &location.to_string())
            .await;
        assert_eq!(heard.code, 1000, "{}", heard.text());
    }

    async fn claims(&self, by: &Platform, query: &str) -> Vec<Value> {
        let heard = self.get(by, &format!("{PLACE}{query}"), &[]).await;
        assert_eq!(heard.http, 200, "{}", heard.text());
        heard.json()["items"].as_array().unwrap().clone()
    }
}

fn finding(claims: &[Value]) -> Option<String> {
    let [only] = claims else { panic!("{claims:?}") };
    assert_eq!(only["confirmed"], json!(only["finding"].is_null()));
    only["finding"]["code"].as_str().map(str::to_owned)
}

on_both! {
    // SAF-38
    async fn saf_38_a_location_that_claims_conformity_without_a_confirmed_key_is_a_finding_for_both_parties(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        let stranger = world.platform(&["DE/XYZ:CPO"], None).await;
        let claiming = location("L1", json!({"calibrated": true}));
        world.push(&cpo, &claiming).await;
        world.push(&cpo, &location("L2", json!({"calibrated": false}))).await;
        for by in [&cpo, &msp] {
            let found = world.claims(by, "").await;
            assert_eq!(finding(&found).as_deref(), Some("CONFORMITY_NOT_CONFIRMED"));
            assert_eq!((&found[0]["location_id"], &found[0]["evse_id"]), (&json!("L1"), &json!("DE*ABC*E1")));
            assert_eq!(found[0]["claimed_at"], "2026-11-20T10:00:00Z");
            assert_eq!(world.claims(by, "?state=unconfirmed").await.len(), 1);
        }
        assert_eq!(world.claims(&stranger, "").await, Vec::<Value>::new(), "its own side sees no locations of its neighbours");
        assert_eq!(world.anybody(PLACE).await.http, 401);

        // Once the key is confirmed, both see that it is.
        world.register(&meter("mine")).await;
        for by in [&cpo, &msp] {
            assert_eq!(finding(&world.claims(by, "").await), None);
            assert_eq!(world.claims(by, "?state=unconfirmed").await, Vec::<Value>::new());
            assert_eq!(world.claims(by, "?state=confirmed").await[0]["registration"]["state"], "CONFIRMED");
        }
        let (_, all) = world.operate(Method::GET, "/operator/v1/conformity?cpo=DE/ABC", None).await;
        assert_eq!(all["items"].as_array().unwrap().len(), 1);
        // What is passed on is what was pushed; a claim taken back is none.
        let to_hub = [("OCPI-to-country-code", "DE"), ("OCPI-to-party-id", "TWH")];
        let seen = world.get(&msp, "/ocpi/2.2.1/sender/locations", &to_hub).await;
        assert!(seen.text().contains(&claiming.to_string()), "{}", seen.text());
        world.push(&cpo, &location("L1", Value::Null)).await;
        assert_eq!(world.claims(&msp, "").await, Vec::<Value>::new());
        Some(())
    }

    // SAF-13
    async fn saf_13_an_emsp_sees_by_lists_and_by_lookup_whether_an_evse_is_confirmed(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        world.push(&cpo, &location("L1", json!({"calibrated": true}))).await;
        let lookup = async || world.anybody("/keys?evse_id=DEABCE1").await.json()["registrations"].clone();
        assert_eq!((&world.claims(&msp, "").await[0]["confirmed"], lookup().await), (&json!(false), json!([])));
        let id = world.register(&meter("mine")).await;
        assert_eq!(world.claims(&msp, "").await[0]["confirmed"], true);
        let found = lookup().await;
        assert_eq!((&found[0]["id"], &found[0]["state"], &found[0]["calibrated"]), (&json!(id), &json!("CONFIRMED"), &json!(true)));
        Some(())
    }

    // SAF-36
    async fn saf_36_a_claim_is_a_finding_in_every_state_but_confirmed(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        world.push(&cpo, &location("L1", json!({"calibrated": true}))).await;
        let abc = PartyId::from_slash("DE/ABC").unwrap();
        // An old curve waits for a person.
        let old = SigningMeter::from_seed(Curve::Secp192r1, b"old").unwrap();
        let claim = new_key(&old);
        let registry = &world.hub.registry;
        let state = async || {
            let claims = world.claims(&msp, "").await;
            (claims[0]["registration"]["state"].clone(), finding(&claims).is_some())
        };
        assert_eq!(state().await, (Value::Null, true));
        let Submitted::New(held) = registry.submit(claim, &Actor::Party(abc)).await.unwrap() else { panic!() };
        assert_eq!(state().await, (json!("ON_HOLD"), true));
        assert_eq!(world.claims(&msp, "").await[0]["registration"]["id"], Value::Null, "not published: its operator's business");
        registry.decide(&held.id, Decision::Accept, "an Alfen").await.unwrap();
        assert_eq!(state().await, (json!("CONFIRMED"), false));
        registry.wish(&held.id, &Wish::Deactivate(None), &Actor::Operator).await.unwrap();
        assert_eq!(state().await, (json!("DEACTIVATED"), true));
        Some(())
    }

    // SAF-36, SAF-32
    async fn saf_36_a_key_that_cannot_be_read_back_confirms_no_claim(on) {
        let mut world = World::start_unreachable(on).await?;
        world.site.hub.url = world.site.hub.bound.clone();
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.push(&cpo, &location("L1", json!({"calibrated": true}))).await;
        world.register(&meter("mine")).await;
        let claims = world.claims(&cpo, "").await;
        assert_eq!((finding(&claims).as_deref(), &claims[0]["registration"]["state"]), (Some("CONFORMITY_NOT_CONFIRMED"), &json!("PUBLISHED")));
        Some(())
    }

    // SAF-48
    async fn saf_48_a_missing_proof_names_registry_and_location_as_who_claimed_calibration(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        world.push(&cpo, &location("L1", json!({"calibrated": true}))).await;
        // The location alone makes nothing missing.
        assert_eq!(world.post(&cpo, &plain("C-1")).await.code, 1000);
        assert_eq!(world.cdr("C-1").await["metering_status"], "NOT_APPLICABLE");
        let id = world.register(&meter("mine")).await;
        world.post(&cpo, &plain("C-2")).await;
        let report = world.get(&cpo, "/partner/v1/cdrs/DE/ABC/C-2/report", &[]).await.json();
        assert_eq!(report["status"], "MISSING");
        let sources = report["findings"][0]["sources"].as_array().unwrap();
        let told: Vec<_> = sources.iter().map(|one| (one["source"].as_str().unwrap(), one["reference"].as_str().unwrap())).collect();
        assert_eq!(told, [("REGISTRY", id.as_str()), ("LOCATION", "L1/1")]);
        assert_eq!(sources[0]["valid_from"], "2026-01-01T00:00:00Z");
        assert_eq!((&sources[1]["valid_from"], &sources[1]["recorded_at"]), (&json!("2026-11-20T10:00:00Z"), &Value::Null));
        // A location that claims nothing for this EVSE is no source.
        world.push(&cpo, &location("L1", json!({"calibrated": false}))).await;
        world.post(&cpo, &plain("C-3")).await;
        let report = world.get(&cpo, "/partner/v1/cdrs/DE/ABC/C-3/report", &[]).await.json();
        assert_eq!(report["findings"][0]["sources"].as_array().unwrap().len(), 1);
        Some(())
    }

    // SAF-38: pages.
    async fn claims_of_many_locations_come_page_by_page(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        for nth in 1..=5 {
            let mut one = location(&format!("L{nth}"), json!({"calibrated": true}));
            one["evses"][0]["evse_id"] = json!(format!("DE*ABC*E{nth}"));
            world.push(&cpo, &one).await;
        }
        world.register(&meter("mine")).await;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.get(&cpo, &format!("{PLACE}?state=unconfirmed&limit=2{cursor}"), &[]).await.json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["location_id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, ["L2", "L3", "L4", "L5"]);
        Some(())
    }
}
