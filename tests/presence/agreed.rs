//! Agreements: who may know of whom.

use serde_json::json;

use crate::neighbours::{deaf, hears, listening, settled};
use crate::world::Method::{Get, Put};

stories! {
    // D-17, R-48, HCI-06, N-09
    async fn who_may_not_talk_to_a_party_does_not_know_it(world: World) {
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        let other = listening(&world, &["EMSP NL/MSB"]).await;
        let agreed = world.operator(Get, "/agreements", None).await.body;
        assert_eq!(agreed, json!({"default": "allow", "rules": []}));
        let cpo = deaf(&world, &["CPO DE/ABC"]).await;
        hears(&world, &emsp, &["DE/ABC CPO PLANNED", "DE/ABC CPO CONNECTED"]).await;
        other.peer.forget_what_was_heard();

        let rule = json!({"parties": ["de/abc", "NL/MSA"], "modules": ["*"], "allow": false});
        let said = world.operator(Put, "/agreements", Some(json!({"default": "allow", "rules": [rule]}))).await;
        assert_eq!(said.http, 200, "{said:?}");
        assert_eq!(world.operator(Get, "/agreements", None).await.body, said.body);
        hears(&world, &emsp, &["DE/ABC CPO PLANNED", "DE/ABC CPO CONNECTED", "DE/ABC CPO SUSPENDED"]).await;
        assert!(other.told().is_empty(), "nothing changed for the other");
        assert_eq!(emsp.reads(&world).await, ["DE/ABC CPO SUSPENDED"]);
        let late = deaf(&world, &["CPO DE/LAT"]).await;
        assert!(late.reads(&world).await.len() == 2);

        let cdr = cdr_for("MSA");
        let refused = world.ocpi(crate::world::Method::Post, "/ocpi/2.2.1/receiver/cdrs", &cpo.token, Some(cdr)).await;
        assert_eq!(refused.outcome(), (200, 4001), "{refused:?}");
        let taken = world.ocpi(crate::world::Method::Post, "/ocpi/2.2.1/receiver/cdrs", &cpo.token, Some(cdr_for("MSB"))).await;
        assert_eq!(taken.body["status_code"], 1000, "{taken:?}");

        let allowed = json!({"parties": ["DE/ABC", "NL/MSA"], "modules": ["tokens"], "allow": true});
        let said = world.operator(Put, "/agreements", Some(json!({"default": "deny", "rules": [allowed]}))).await;
        assert_eq!(said.http, 200);
        settled(&world).await;
        assert_eq!(emsp.reads(&world).await, ["DE/ABC CPO CONNECTED", "DE/LAT CPO SUSPENDED"], "one module is enough to know each other");
        assert_eq!(other.reads(&world).await, ["DE/ABC CPO SUSPENDED", "DE/LAT CPO SUSPENDED"]);
        let journal = world.operator(Get, "/journal", None).await.body;
        let line = journal["items"].as_array().unwrap().iter().find(|line| line["module"] == "agreements").unwrap().clone();
        assert_eq!(line["outcome"], "the operator agreed: default deny, rules 1");
    }

    // D-17, N-09, N-10
    async fn agreements_are_read_strictly_and_hold_in_every_process(world: World) {
        let second = world.twin().await;
        for (wish, pointer) in [
            (json!({"default": "allow"}), "/rules"),
            (json!({"default": "allow", "rules": [{"parties": ["NL/CPA"], "modules": ["*"], "allow": true}]}), "/rules/0/parties"),
        ] {
            let said = world.operator(Put, "/agreements", Some(wish)).await;
            assert_eq!((said.http, said.text("/field").as_str()), (422, pointer), "{said:?}");
        }
        let wish = json!({"default": "deny", "rules": [{"parties": ["*", "NL/CPA"], "modules": ["*"], "allow": true}]});
        assert_eq!(world.operator(Put, "/agreements", Some(wish.clone())).await.body, wish);
        world.until("the other process follows", async |_| {
            !second.parties.snapshot().directory().agreements.allow_by_default
        }).await;
        second.stop().await;
    }
}

fn cdr_for(emsp: &str) -> serde_json::Value {
    json!({"country_code": "DE", "party_id": "ABC", "id": format!("C-{emsp}"), "start_date_time": "2026-11-21T08:00:00Z",
        "end_date_time": "2026-11-21T09:00:00Z", "session_id": "S", "cdr_token": {"country_code": "NL", "party_id": emsp, "uid": "U",
        "type": "RFID", "contract_id": "C"}, "auth_method": "WHITELIST", "cdr_location": {"id": "L", "address": "A", "city": "C",
        "country": "DEU", "coordinates": {"latitude": "1.0", "longitude": "2.0"}, "evse_uid": "E", "evse_id": "DE*ABC*E1",
        "connector_id": "1", "connector_standard": "IEC_62196_T2", "connector_format": "SOCKET", "connector_power_type": "AC_3_PHASE"},
        "currency": "EUR", "charging_periods": [{"start_date_time": "2026-11-21T08:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 1}]}],
        "total_cost": {"excl_vat": 1}, "total_energy": 1, "total_time": 1, "last_updated": "2026-11-21T09:00:00Z"})
}
