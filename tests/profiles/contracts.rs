//! Contracts: written by the operator of the hub, and what they let through.

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;

use crate::on_both;
use crate::scene::{LEDGER, Scene, instant, is_the_hubs_no, said, set, t3};

fn with(member: &str, value: Value) -> Value {
    let mut contract = t3();
    contract[member] = value;
    contract
}

on_both! {
    // ECI-07, design.md 3.4
    async fn a_contract_is_written_read_replaced_and_ended(on) {
        let scene = Scene::start(on).await?;
        let at = |id: &str| format!("/operator/v1/contracts/{id}");
        let (status, made) = scene.world.operate(Method::PUT, &at("one"), Some(t3())).await;
        assert_eq!((status, &made["kind"], &made["to"], &made["relay"]), (201, &json!("T3"), &json!(null), &json!("none")));
        let scoped = with("scope", json!({"locations": ["LOC-1"], "evse_uids": ["E7"]}));
        let (status, replaced) = scene.world.operate(Method::PUT, &at("one"), Some(scoped)).await;
        assert_eq!((status, &replaced["scope"]["evse_uids"]), (200, &json!(["E7"])));
        assert_eq!(scene.world.operate(Method::GET, &at("one"), None).await, (200, replaced.clone()));
        // What was read can be written.
        assert_eq!(scene.world.operate(Method::PUT, &at("one"), Some(replaced.clone())).await, (200, replaced));
        scene.agree("two", t3()).await;
        let page = scene.world.operator(Method::GET, "/contracts?limit=1", None).await;
        let next = page["next_cursor"].as_str().unwrap();
        let rest = scene.world.operator(Method::GET, &format!("/contracts?limit=1&cursor={next}"), None).await;
        assert_eq!((&page["items"][0]["id"], &rest["items"][0]["id"], &rest["next_cursor"]), (&json!("one"), &json!("two"), &json!(null)));
        for (status, times) in [(204, 1), (404, 2)] {
            for _ in 0..times {
                assert_eq!(scene.world.operate(Method::DELETE, &at("one"), None).await.0, status);
            }
        }
        assert_eq!(scene.world.operate(Method::GET, &at("one"), None).await.0, 404);
        Some(())
    }

    // ECI-07
    async fn what_is_no_contract_is_refused_by_the_name_of_its_member(on) {
        let scene = Scene::start(on).await?;
        for (contract, member) in [
            (with("relay", json!("scsp")), "/relay"),
            (with("privacy", json!("none")), "/privacy"),
            (with("precedence", json!("scsp")), "/precedence"),
            (with("costs", json!(true)), "/costs"),
            (with("kind", json!("T1")), "/kind"),
            (with("from", json!("soon")), "/from"),
            (json!({"kind": "T2", "grantor": "DE/MSA", "scsp": "BE/SCS", "from": "2026-01-01T00:00:00Z", "scope": {"locations": ["L"]}}), "/scope"),
        ] {
            let (status, problem) = scene.world.operate(Method::PUT, "/operator/v1/contracts/x", Some(contract)).await;
            assert_eq!((status, &problem["field"]), (422, &json!(member)), "{problem}");
        }
        assert_eq!(scene.world.operate(Method::PUT, "/operator/v1/contracts/a%20b", Some(t3())).await.0, 422);
        assert!(scene.world.operator(Method::GET, "/contracts", None).await["items"].as_array().unwrap().is_empty());
        Some(())
    }

    // ECI-09, smart-charging.md 2.3
    async fn precedence_keeps_one_out_where_the_other_may_steer(on) {
        let scene = Scene::start(on).await?;
        let (cpo, emsp, scsp) = (&scene.cpo.to, &scene.emsp, &scene.scsp);
        scene.agree("c", with("precedence", json!("cpo"))).await;
        scene.session("S1").await;
        let reached = scene.reached();
        is_the_hubs_no(&set(emsp, "S1", cpo).await, "REJECTED", &[scsp]);
        is_the_hubs_no(&emsp.voice.clear_profile("S1", cpo).await.unwrap(), "REJECTED", &[scsp]);
        assert_eq!(scene.reached(), reached);
        assert_eq!(said(&emsp.voice.get_profile("S1", 300, cpo).await.unwrap()), "ACCEPTED", "it may look");
        scene.steers(scsp, "S1").await;
        // The other way round: the provider steers what the eMSP has not.
        scene.agree("c", with("precedence", json!("emsp"))).await;
        for session in ["S2", "S3"] {
            scene.session(session).await;
        }
        scene.steers(scsp, "S2").await;
        is_the_hubs_no(&set(emsp, "S2", cpo).await, "REJECTED", &[scsp]);
        scene.steers(emsp, "S3").await;
        emsp.voice.clear_profile("S3", cpo).await.unwrap();
        scene.result("ACCEPTED").await;
        is_the_hubs_no(&set(scsp, "S3", cpo).await, "REJECTED", &[emsp]);
        scene.steers(emsp, "S3").await;
        Some(())
    }

    // ECI-07, design.md 3.4
    async fn a_contract_of_the_configuration_holds_as_long_as_it_stands_there_and_changes_only_there(on) {
        let configured = "[[smart_charging.contracts]]\nid = \"file\"\nkind = \"T3\"\ngrantor = \"NL/CPA\"\nscsp = \"BE/SCS\"\n\
                          from = 2020-01-01T00:00:00Z\nscope = { locations = [\"LOC-1\"] }\n";
        let scene = Scene::start_with(on, &format!("{LEDGER}{configured}")).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        let at = "/operator/v1/contracts/file";
        let (status, kept) = scene.world.operate(Method::GET, at, None).await;
        assert_eq!((status, &kept["configured"], &kept["scope"]["locations"]), (200, &json!(true), &json!(["LOC-1"])));
        for (method, body) in [(Method::PUT, Some(t3())), (Method::DELETE, None)] {
            assert_eq!(scene.world.operate(method, at, body).await.0, 409);
        }
        assert_eq!(scene.world.operate(Method::GET, at, None).await.1, kept);
        scene.agree("own", with("scsp", json!("BE/OTH"))).await;
        let Scene { world, clock, cpo, emsp, scsp } = scene;
        let scene = Scene { world: world.restarted_with(LEDGER).await, clock, cpo, emsp, scsp };
        let left = scene.world.operator(Method::GET, "/contracts", None).await;
        let ids: Vec<&Value> = left["items"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, [&json!("own")], "gone with the file, and only what stood in it");
        is_the_hubs_no(&set(&scene.scsp, "S1", &scene.cpo.to).await, "REJECTED", &[&scene.emsp]);
        scene.steers(&scene.emsp, "S1").await;
        Some(())
    }

    // ECI-07
    async fn a_contract_counts_where_and_while_it_holds(on) {
        let scene = Scene::start(on).await?;
        scene.session("S1").await;
        let asks = async || said(&scene.scsp.voice.get_profile("S1", 300, &scene.cpo.to).await.unwrap());
        scene.agree("c", with("scope", json!({"locations": ["LOC-2"]}))).await;
        assert_eq!(asks().await, "REJECTED", "another place");
        scene.agree("c", with("scope", json!({"evse_uids": ["evse-1"]}))).await;
        assert_eq!(asks().await, "ACCEPTED");
        scene.agree("c", with("grantor", json!("NL/CPB"))).await;
        assert_eq!(asks().await, "REJECTED", "another operator's word");
        let mut day = with("from", json!("2026-11-21T13:00:00Z"));
        day["to"] = json!("2026-11-21T14:00:00Z");
        scene.agree("c", day).await;
        for (now, word) in [("12:59:59", "REJECTED"), ("13:00:00", "ACCEPTED"), ("13:59:59", "ACCEPTED"), ("14:00:00", "REJECTED")] {
            scene.clock.set(instant(&format!("2026-11-21T{now}Z")));
            assert_eq!(asks().await, word, "{now}");
        }
        Some(())
    }

    // ECI-09: what is held rests on being entitled to it.
    async fn what_is_held_by_a_contract_is_free_when_that_ends(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        is_the_hubs_no(&set(&scene.emsp, "S1", &scene.cpo.to).await, "REJECTED", &[&scene.scsp]);
        scene.agree("all", with("to", json!("2026-11-21T12:30:00Z"))).await;
        scene.clock.advance(TimeDelta::minutes(30));
        is_the_hubs_no(&set(&scene.scsp, "S1", &scene.cpo.to).await, "REJECTED", &[&scene.emsp]);
        scene.steers(&scene.emsp, "S1").await;
        assert_eq!(scene.seen("S1").await["holder"]["party"], "DE/MSA");
        Some(())
    }

    // ECI-06, SES-18: another token, another owner
    async fn who_steers_follows_the_token_of_the_session(on) {
        let scene = Scene::start(on).await?;
        let other = scene.world.join(crate::world::complete("DE/NEW", truewatt::ocpi::role::Role::Emsp)).await;
        scene.session("S1").await;
        scene.steers(&scene.emsp, "S1").await;
        is_the_hubs_no(&set(&other, "S1", &scene.cpo.to).await, "REJECTED", &[&scene.emsp]);
        crate::orders::session_of(&scene.cpo, &other, "S1").await;
        scene.steers(&other, "S1").await;
        is_the_hubs_no(&set(&scene.emsp, "S1", &scene.cpo.to).await, "REJECTED", &[&other]);
        Some(())
    }
}
