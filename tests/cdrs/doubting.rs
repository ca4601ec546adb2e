//! Doubts about earlier values of a meter end in a case, and a person closes it (key-registry.md SAF-44).

use std::time::Duration;

use serde_json::{Value, json};
use truewatt::client::Method;

use super::following::session;
use crate::on_both;
use crate::world::{World, meter, plain};

impl World {
    /// Waits until everything is looked through; the cases, newest first.
    async fn cases(&self) -> Vec<Value> {
        for _ in 0..400 {
            if self.hub.store.unexamined(1).await.unwrap().is_empty() {
                let (status, cases) = self.operate(Method::GET, "/operator/v1/cases", None).await;
                assert_eq!(status, 200, "{cases}");
                return cases["items"].as_array().unwrap().clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("verdicts are not looked through");
    }
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect()
}

on_both! {
    // SAF-44
    async fn saf_44_a_counter_that_goes_backwards_opens_a_case_for_all_cdrs_since_the_last_good_value(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], None).await;
        let (mine, other) = (meter("mine"), meter("other"));
        world.register(&mine).await;
        for (id, hour, begin, end) in [("C-0", 1, "1.0", "4.0"), ("C-1", 3, "10.0", "17.5"), ("C-2", 5, "17.5", "20.0")] {
            assert_eq!(world.post(&cpo, &session(id, &mine, 1, hour, begin, end)).await.code, 1000);
        }
        // Another meter may stand where it likes, and a CDR without proof says nothing.
        world.post(&cpo, &session("O-1", &other, 2, 6, "2.0", "3.0")).await;
        world.post(&cpo, &plain("P-1")).await;
        assert_eq!(world.cases().await, Vec::<Value>::new());

        world.post(&cpo, &session("C-3", &mine, 1, 7, "5.0", "9.0")).await;
        let cases = world.cases().await;
        assert_eq!(cases.len(), 1, "{cases:?}");
        assert_eq!((&cases[0]["cpo"], &cases[0]["subject"]), (&json!("DE/ABC"), &json!({"kind": "METER", "name": "M1"})));
        let place = format!("/operator/v1/cases/{}", cases[0]["id"].as_str().unwrap());
        let (_, case) = world.operate(Method::GET, &place, None).await;
        assert_eq!(case["last_good"]["id"], "C-0", "{case}");
        assert_eq!(ids(&case["cdrs"]["items"]), ["C-1", "C-2", "C-3"]);
        let finding = &case["findings"][0];
        assert_eq!((&finding["code"], &finding["cdr"]["id"]), (&json!("METER_WENT_BACKWARDS"), &json!("C-3")));
        assert!(finding["message"].as_str().unwrap().contains("20.0 kWh"), "{finding}");
        // Verdicts stay: what was verified is doubted, not disproven.
        assert_eq!(world.cdr("C-2").await["metering_status"], "VERIFIED");

        // While it is open, what follows belongs to it, and another doubt opens no other.
        world.post(&cpo, &session("C-4", &mine, 1, 9, "9.0", "9.5")).await;
        world.post(&cpo, &session("C-5", &other, 1, 11, "9.5", "9.9")).await;
        assert_eq!(world.cases().await.len(), 1);
        let (_, case) = world.operate(Method::GET, &place, None).await;
        assert_eq!(ids(&case["cdrs"]["items"]), ["C-1", "C-2", "C-3", "C-4", "C-5"]);
        let codes: Vec<&str> = case["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
        assert!(codes.contains(&"KEY_CONFLICT"), "{codes:?}");

        // A page of its CDRs, and the filters.
        let (_, page) = world.operate(Method::GET, &format!("{place}?limit=2"), None).await;
        let cursor = page["cdrs"]["next_cursor"].as_str().unwrap();
        let (_, rest) = world.operate(Method::GET, &format!("{place}?limit=5&cursor={cursor}"), None).await;
        assert_eq!(ids(&rest["cdrs"]["items"]), ["C-3", "C-4", "C-5"]);
        for (query, count) in [("?state=open", 1), ("?state=closed", 0), ("?cpo=DE/ABC", 1), ("?cpo=DE/XYZ", 0)] {
            let (_, list) = world.operate(Method::GET, &format!("/operator/v1/cases{query}"), None).await;
            assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
        }

        // Closed by somebody, for a reason, once.
        let close = format!("{place}/close");
        for (wish, status) in [
            (json!({"reason": "meter replaced"}), 422),
            (json!({"reason": "", "actor": "ann"}), 422),
            (json!({"reason": "meter replaced", "actor": "ann"}), 200),
            (json!({"reason": "again", "actor": "bob"}), 409),
        ] {
            let (heard, answer) = world.operate(Method::POST, &close, Some(wish)).await;
            assert_eq!(heard, status, "{answer}");
        }
        let (_, closed) = world.operate(Method::GET, &place, None).await;
        assert_eq!((&closed["state"], &closed["closed_by"], &closed["reason"]), (&json!("closed"), &json!("ann"), &json!("meter replaced")));
        // A new doubt is a new case; a second look at the old one is not.
        world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-3/recheck", None).await;
        assert_eq!(world.cases().await.len(), 1);
        world.post(&cpo, &session("C-6", &mine, 1, 13, "0.5", "0.9")).await;
        assert_eq!(world.cases().await.len(), 2);
        for nobody in ["/operator/v1/cases/nobody", "/operator/v1/cases/%00"] {
            assert_eq!(world.operate(Method::GET, nobody, None).await.0, 404, "{nobody}");
        }
        Some(())
    }
}
