//! The three topologies: the token's owner steers, somebody steers through the owner, the operator lets somebody steer.

use chrono::TimeDelta;
use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Door, Execution, Later, Order};

use crate::on_both;
use crate::orders::{place_at, session_of};
use crate::scene::{ACTIVE, Scene, keeps_its_results, provider_in_the_path, result_at, said, set, told};
use crate::world::{World, codes, complete, named};

on_both! {
    // ECI-01, ECI-06, CP-02, CP-05
    async fn eci_01_a_provider_and_one_who_steers_set_a_profile_through_the_hub_and_hear_what_became_of_it(on) {
        let scene = Scene::with_contract(on).await?;
        for (by, session) in [(&scene.emsp, "S1"), (&scene.scsp, "S2")] {
            scene.session(session).await;
            let ordered = set(by, session, &scene.cpo.to).await;
            assert_eq!((said(&ordered), named(&ordered.reply)[1].as_str()), ("ACCEPTED".to_owned(), "NL/CPA"));
            let got = scene.cpo.last("chargingprofiles");
            let ours = scene.cpo.platform.taken().pop().unwrap().response_url;
            assert_eq!((got.method.as_str(), got.pair("from")), ("PUT", Some(by.id.to_string())));
            assert_eq!(got.text(), ordered.body.replace(&ordered.response_url, &ours), "every other octet as it was");
            assert!(ours.starts_with(&scene.world.hub.url));
            scene.result("ACCEPTED").await;
            let result = result_at(by, &ordered).await;
            assert!(result.text().contains("ACCEPTED") && result.refused.is_none());
            assert_eq!(scene.seen(session).await["holder"]["party"], by.id.to_string());
        }
        Some(())
    }

    // ECI-02, CP-01, CP-06
    async fn eci_02_a_sender_asks_for_the_active_profile(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.cpo.platform.execute(Order::GetProfile, Execution::proper());
        for by in [&scene.emsp, &scene.scsp] {
            let ordered = by.voice.get_profile("S1", 900, &scene.cpo.to).await.unwrap();
            assert_eq!(said(&ordered), "ACCEPTED");
            assert!(scene.cpo.last("chargingprofiles").query.contains("duration=900"));
            assert!(result_at(by, &ordered).await.text().contains("charging_profile_period"));
        }
        // What the CPO said last is kept with its age.
        let seen = scene.seen("S1").await;
        assert_eq!((&seen["state"], &seen["active"]["age_s"]), (&json!("FREE"), &json!(0)));
        assert_eq!(seen["active"]["profile"]["charging_profile"]["charging_rate_unit"], "W");
        scene.clock.advance(TimeDelta::seconds(90));
        assert_eq!(scene.seen("S1").await["active"]["age_s"], 90);
        Some(())
    }

    // ECI-03, CP-03
    async fn eci_03_a_sender_removes_its_profile_and_the_session_is_free(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        let ordered = scene.scsp.voice.clear_profile("S1", &scene.cpo.to).await.unwrap();
        assert_eq!((said(&ordered), scene.cpo.last("chargingprofiles").method.as_str()), ("ACCEPTED".to_owned(), "DELETE"));
        assert_eq!(scene.seen("S1").await["state"], "HELD", "not before the CPO says so");
        scene.result("ACCEPTED").await;
        assert!(result_at(&scene.scsp, &ordered).await.text().contains("ACCEPTED"));
        assert_eq!(scene.seen("S1").await["state"], "FREE");
        scene.steers(&scene.emsp, "S1").await;
        Some(())
    }

    // ECI-06
    async fn eci_06_the_owner_of_the_sessions_token_may_set_a_profile(on) {
        let scene = Scene::start(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.emsp, "S1").await;
        let holder = scene.seen("S1").await["holder"].clone();
        assert_eq!((&holder["party"], &holder["kind"], &holder["since"]), (&json!("DE/MSA"), &json!("T1"), &json!("2026-11-21T12:00:00Z")));
        Some(())
    }

    // ECI-10
    async fn eci_10_topology_1_is_between_provider_and_operator_alone(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        let set = set(&scene.emsp, "S1", &scene.cpo.to).await;
        scene.result("ACCEPTED").await;
        let get = scene.emsp.voice.get_profile("S1", 300, &scene.cpo.to).await.unwrap();
        scene.result("ACCEPTED").await;
        assert_eq!(scene.report("S1", ACTIVE, &scene.emsp.to).await, (200, 1000));
        let clear = scene.emsp.voice.clear_profile("S1", &scene.cpo.to).await.unwrap();
        scene.result("ACCEPTED").await;
        for ordered in [&set, &get, &clear] {
            assert_eq!(scene.emsp.platform.results(ordered).len(), 1);
        }
        assert_eq!(told(&scene.emsp).len(), 1);
        assert!(scene.scsp.got("chargingprofiles").is_empty(), "whoever has a contract hears nothing of it");
        Some(())
    }

    // ECI-11, S-40
    async fn eci_11_topology_2_is_two_requests_and_the_operator_cannot_tell_who_is_behind_the_provider(on) {
        let world = World::on(on, crate::scene::LEDGER, truewatt::clock::SystemClock::shared()).await?;
        let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
        keeps_its_results(&cpo);
        let emsp = world.join(provider_in_the_path("DE/MSA")).await;
        keeps_its_results(&emsp);
        let scsp = world.join(complete("BE/SCS", Role::Scsp)).await;
        session_of(&cpo, &emsp, "S1").await;

        let refused = set(&scsp, "S1", &emsp.to).await;
        assert_eq!(said(&refused), "REJECTED", "without a contract not even to the provider");
        assert!(emsp.platform.taken().is_empty());
        let contract = json!({"kind": "T2", "grantor": "DE/MSA", "scsp": "BE/SCS", "from": "2020-01-01T00:00:00Z"});
        world.operator(truewatt::client::Method::PUT, "/contracts/t2", Some(contract)).await;

        // The first request: the provider is asked, and nobody steers yet.
        let outer = set(&scsp, "S1", &emsp.to).await;
        assert_eq!((said(&outer), named(&outer.reply)[1].as_str()), ("ACCEPTED".to_owned(), "DE/MSA"));
        let asked = emsp.platform.taken().pop().unwrap();
        assert!(cpo.got("chargingprofiles").is_empty());
        // The second: the provider asks in its own name, and holds the session.
        let inner = set(&emsp, "S1", &cpo.to).await;
        assert_eq!(said(&inner), "ACCEPTED");
        let taken = cpo.platform.taken().pop().unwrap();
        cpo.platform.post_result(&taken, &Later::word("ACCEPTED")).await.unwrap();
        result_at(&emsp, &inner).await;
        emsp.platform.post_result(&asked, &Later::word("ACCEPTED")).await.unwrap();
        assert!(result_at(&scsp, &outer).await.text().contains("ACCEPTED"));
        let controls = world.operator(truewatt::client::Method::GET, "/controls", None).await;
        let items = controls["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["holder"]["party"], &items[0]["cpo"]), (1, &json!("DE/MSA"), &json!("NL/CPA")));

        // Updates take the same way back, and only it.
        assert_eq!(codes(&cpo.voice.report_profile("S1", ACTIVE, &scsp.to).await.unwrap()), (200, 2001));
        assert_eq!(codes(&cpo.voice.report_profile("S1", ACTIVE, &emsp.to).await.unwrap()), (200, 1000));
        assert_eq!(codes(&emsp.voice.report_profile("S1", ACTIVE, &scsp.to).await.unwrap()), (200, 1000));
        assert_eq!((told(&emsp).len(), told(&scsp).len()), (1, 1));
        // Also where the provider names nobody: it is for who set one through it.
        assert_eq!(codes(&emsp.voice.report_profile("S1", ACTIVE, &truewatt::sandbox::To::Open).await.unwrap()), (200, 1000));
        assert_eq!(told(&scsp).len(), 2);
        // Itself it may not ask the operator: the contract is the provider's.
        assert_eq!(said(&set(&scsp, "S1", &cpo.to).await), "REJECTED");

        let names = ["SCS".to_owned(), scsp.platform.host(), scsp.platform.host().replace(':', "%3A")];
        for got in cpo.platform.got() {
            let everything = format!("{} {} {} {:?} {}", got.method, got.path, got.query, got.headers, got.text());
            // That the hub tells its partners who is connected to it is another thing.
            if !matches!(got.door, Some(Door::Receiver("hubclientinfo"))) && !got.path.contains("clientinfo") {
                assert!(names.iter().all(|name| !everything.contains(name.as_str())), "{everything}");
            }
        }
        Some(())
    }

    // ECI-13
    async fn eci_13_topology_3_is_between_the_operator_and_the_one_it_lets_steer_and_no_provider_knows(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        let get = scene.scsp.voice.get_profile("S1", 300, &scene.cpo.to).await.unwrap();
        scene.result("ACCEPTED").await;
        result_at(&scene.scsp, &get).await;
        assert_eq!(scene.report("S1", ACTIVE, &truewatt::sandbox::To::Open).await, (200, 1000));
        let holder = scene.seen("S1").await["holder"].clone();
        assert_eq!((&holder["party"], &holder["kind"]), (&json!("BE/SCS"), &json!("T3")));
        assert_eq!(told(&scene.scsp).len(), 1);
        assert!(scene.emsp.got("chargingprofiles").is_empty());
        Some(())
    }

    // ECI-15, CP-04, CP-05
    async fn eci_15_the_first_answer_says_only_that_it_can_be_asked_and_the_result_comes_when_it_comes(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        let ordered = set(&scene.scsp, "S1", &scene.cpo.to).await;
        assert_eq!(said(&ordered), "ACCEPTED");
        assert!(scene.scsp.platform.results(&ordered).is_empty());
        let seen = scene.seen("S1").await;
        // timeout 30, and sixty seconds
        let pending = json!({"party": "BE/SCS", "until": "2026-11-21T12:01:30Z"});
        assert_eq!((&seen["state"], &seen["holder"], &seen["pending"]), (&json!("PENDING"), &json!(null), &pending));
        scene.clock.advance(TimeDelta::seconds(20));
        scene.result("REJECTED").await;
        assert!(result_at(&scene.scsp, &ordered).await.text().contains("REJECTED"));
        assert_eq!(scene.seen("S1").await["state"], "FREE");
        assert_eq!(scene.scsp.platform.results(&ordered).len(), 1, "the hub makes up none");
        Some(())
    }

    // ECI-16, CMD-06, T-46
    async fn eci_16_a_result_goes_to_the_very_url_it_was_asked_for(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S 1").await;
        for order in [Order::SetProfile, Order::GetProfile, Order::ClearProfile] {
            let lent = format!("{}&u=https%3A%2F%2Fx.example%2F%3Fa%3D1%26b&f=%23frag&p=%2B+%20x&pad=", scene.scsp.platform.lend(order));
            let url = format!("{lent}{}", "y".repeat(255 - lent.len()));
            let reply = place_at(&scene.scsp.voice, order, &url, &scene.cpo.to).await;
            assert_eq!(codes(&reply), (200, 1000), "{reply:?}");
            let taken = scene.cpo.platform.taken().pop().unwrap();
            scene.cpo.platform.post_result(&taken, &Later::word("ACCEPTED")).await.unwrap();
            let came = |got: &truewatt::sandbox::Got| format!("http://{}{}?{}", scene.scsp.platform.host(), got.path, got.query);
            let got = scene.scsp.platform.got();
            assert!(got.iter().any(|got| got.method == "POST" && came(got) == url), "{url}");
        }
        Some(())
    }

    // ECI-16, smart-charging.md 2.5
    async fn a_response_url_that_nobody_encoded_is_taken_with_its_own_query(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        for (order, method) in [(Order::GetProfile, Method::GET), (Order::ClearProfile, Method::DELETE)] {
            let lent = scene.scsp.platform.lend(order);
            let url = format!("{lent}{}request_id=5678&part=%2B+2", if lent.contains('?') { "&" } else { "?" });
            let duration = if order == Order::GetProfile { "duration=900&" } else { "" };
            let errand = scene.scsp.voice.errand(method, "chargingprofiles", truewatt::ocpi::role::InterfaceRole::Receiver);
            let errand = errand.at(&["S1"]).query(&format!("{duration}response_url={url}")).to(&scene.cpo.to);
            let reply = errand.send().await.unwrap();
            assert_eq!(codes(&reply), (200, 1000), "{reply:?}");
            let got = scene.cpo.last("chargingprofiles");
            assert!(!got.query.contains("://") && !got.query.contains("5678"), "ours, encoded: {}", got.query);
            let taken = scene.cpo.platform.taken().pop().unwrap();
            scene.cpo.platform.post_result(&taken, &Later::word("ACCEPTED")).await.unwrap();
            let came = |got: &truewatt::sandbox::Got| format!("http://{}{}?{}", scene.scsp.platform.host(), got.path, got.query);
            assert!(scene.scsp.platform.got().iter().any(|got| got.method == "POST" && came(got) == url), "{url}");
        }
        Some(())
    }
}
