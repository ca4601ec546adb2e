//! Who may steer: entitled, first, with a profile that makes sense, at the one operator that has the session.

use chrono::TimeDelta;
use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Execution, Order, To};

use crate::on_both;
use crate::orders::session_of;
use crate::scene::{Scene, instant, is_the_hubs_no, keeps_its_results, said, set, t3};
use crate::world::{codes, complete};

on_both! {
    // ECI-07, CP-15
    async fn eci_07_whoever_has_neither_token_nor_contract_is_refused_and_nothing_is_forwarded(on) {
        let scene = Scene::start(on).await?;
        let stranger = scene.world.join(complete("DE/OTH", Role::Emsp)).await;
        scene.session("S1").await;
        for by in [&stranger, &scene.scsp] {
            for (number, ordered) in [
                set(by, "S1", &scene.cpo.to).await,
                by.voice.get_profile("S1", 300, &scene.cpo.to).await.unwrap(),
                by.voice.clear_profile("S1", &scene.cpo.to).await.unwrap(),
                set(by, "S1", &To::Open).await,
            ].into_iter().enumerate() {
                is_the_hubs_no(&ordered, "REJECTED", &[&scene.emsp]);
                assert!(by.platform.results(&ordered).is_empty(), "{number}: no result is made up");
            }
        }
        assert_eq!(scene.reached(), 0);
        assert_eq!(scene.seen("S1").await["state"], "FREE");
        // A request that makes no sense is a 2001 for everybody alike, and one that is refused has nothing lent for it.
        assert_eq!(scene.world.hub.store.lent_forget_expired(instant("2027-01-01T00:00:00Z"), 100).await.unwrap(), 0);
        Some(())
    }

    // ECI-09, CP-15
    async fn eci_09_while_one_steers_no_other_topology_comes_in_between(on) {
        let scene = Scene::with_contract(on).await?;
        for (session, first, second) in [("S1", &scene.emsp, &scene.scsp), ("S2", &scene.scsp, &scene.emsp)] {
            scene.session(session).await;
            let ordered = set(first, session, &scene.cpo.to).await;
            assert_eq!(said(&ordered), "ACCEPTED");
            let reached = scene.reached();
            is_the_hubs_no(&set(second, session, &scene.cpo.to).await, "REJECTED", &[first]);
            scene.result("ACCEPTED").await;
            is_the_hubs_no(&set(second, session, &scene.cpo.to).await, "REJECTED", &[first]);
            is_the_hubs_no(&second.voice.clear_profile(session, &scene.cpo.to).await.unwrap(), "REJECTED", &[first]);
            assert_eq!(scene.reached(), reached);
            // It may look.
            assert_eq!(said(&second.voice.get_profile(session, 300, &scene.cpo.to).await.unwrap()), "ACCEPTED");
            // The one who holds it may change its mind.
            scene.steers(first, session).await;
            assert_eq!(said(&first.voice.clear_profile(session, &scene.cpo.to).await.unwrap()), "ACCEPTED");
            scene.result("ACCEPTED").await;
            scene.steers(second, session).await;
            let holder = scene.seen(session).await["holder"]["party"].clone();
            assert_eq!(holder, second.id.to_string());
        }
        Some(())
    }

    // ECI-09, CP-04, CMD-12
    async fn control_goes_back_unless_the_operator_took_the_profile(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        let state = async || scene.seen("S1").await["state"].clone();
        for no in ["REJECTED", "NOT_SUPPORTED", "UNKNOWN_SESSION"] {
            scene.cpo.platform.execute(Order::SetProfile, Execution::refused(no));
            assert_eq!(said(&set(&scene.scsp, "S1", &scene.cpo.to).await), no, "in the operator's own words");
            assert_eq!(state().await, "FREE", "{no}");
        }
        keeps_its_results(&scene.cpo);
        for word in ["REJECTED", "UNKNOWN"] {
            scene.clock.advance(TimeDelta::minutes(5));
            set(&scene.scsp, "S1", &scene.cpo.to).await;
            scene.result(word).await;
            assert_eq!(state().await, "FREE", "{word}");
        }
        // Nobody there: it never got it.
        scene.clock.advance(TimeDelta::minutes(5));
        scene.cpo.platform.go_away().await.unwrap();
        assert_eq!(codes(&set(&scene.scsp, "S1", &scene.cpo.to).await.reply), (200, 4003));
        assert_eq!(state().await, "FREE");
        scene.cpo.platform.come_back().unwrap();
        Some(())
    }

    // ECI-09, CMD-12
    async fn of_a_lost_answer_nobody_knows_whether_the_operator_acted_so_its_result_decides(on) {
        let scene = Scene::with_contract(on).await?;
        for session in ["S1", "S2"] {
            scene.session(session).await;
            scene.cpo.platform.behave_once(Door::Receiver("chargingprofiles"), Behaviour::Html);
            let lost = set(&scene.scsp, session, &scene.cpo.to).await;
            assert_eq!(codes(&lost.reply), (200, 4000));
            assert_eq!(scene.seen(session).await["state"], "PENDING");
            is_the_hubs_no(&set(&scene.emsp, session, &scene.cpo.to).await, "REJECTED", &[&scene.scsp]);
            scene.clock.advance(TimeDelta::seconds(75));
            assert_eq!(scene.seen(session).await["state"], "FREE");
            // The operator had done it all the same.
            let got = scene.cpo.last("chargingprofiles");
            let url = serde_json::from_slice::<serde_json::Value>(&got.body).unwrap()["response_url"].as_str().unwrap().to_owned();
            if session == "S2" {
                set(&scene.emsp, session, &scene.cpo.to).await;
            }
            let headers = crate::common::site::owned(&[("Content-Type", "application/json")]);
            let heard = scene.cpo.platform.call(Method::POST, &url, &headers, Some(br#"{"result":"ACCEPTED"}"#)).await.unwrap();
            assert_eq!(codes(&heard), (200, 1000));
            let seen = scene.seen(session).await;
            match session {
                "S1" => assert_eq!(seen["holder"]["party"], "BE/SCS"),
                _ => assert_eq!((&seen["holder"], &seen["pending"]["party"]), (&json!(null), &json!("DE/MSA")), "another steers by then"),
            }
            assert!(scene.scsp.platform.wait_for_results(&lost, 1, crate::world::SOON).await);
        }
        Some(())
    }

    // ECI-07, CP-15: the operator of the session knows better what there is; who may ask at all is decided here.
    async fn of_a_session_nobody_has_seen_an_emsp_may_ask_and_who_steers_needs_a_contract_for_all_places(on) {
        let scene = Scene::start(on).await?;
        scene.agree("some", json!({"kind": "T3", "grantor": "NL/CPA", "scsp": "BE/SCS", "from": "2026-01-01T00:00:00Z", "scope": {"locations": ["LOC-1"]}})).await;
        is_the_hubs_no(&set(&scene.scsp, "unseen", &scene.cpo.to).await, "REJECTED", &[]);
        assert_eq!(scene.reached(), 0);
        scene.cpo.platform.execute(Order::SetProfile, Execution::refused("UNKNOWN_SESSION"));
        assert_eq!(said(&set(&scene.emsp, "unseen", &scene.cpo.to).await), "UNKNOWN_SESSION");
        assert_eq!(scene.reached(), 1);
        keeps_its_results(&scene.cpo);
        // At LOC-1 the contract is enough.
        scene.session("seen").await;
        assert_eq!(said(&set(&scene.scsp, "seen", &scene.cpo.to).await), "ACCEPTED");
        scene.agree("all", t3()).await;
        assert_eq!(said(&set(&scene.scsp, "unseen", &scene.cpo.to).await), "ACCEPTED");
        Some(())
    }

    // S-41, CP-16, ECI-09
    async fn a_request_to_nobody_finds_the_one_operator_that_has_the_session_and_never_guesses(on) {
        let scene = Scene::with_contract(on).await?;
        let other = scene.world.join(complete("NL/CPB", Role::Cpo)).await;
        scene.session("S1").await;
        scene.session("both").await;
        session_of(&other, &scene.emsp, "both").await;
        assert_eq!(said(&set(&scene.emsp, "S1", &To::Open).await), "ACCEPTED");
        for (by, session) in [(&scene.emsp, "both"), (&scene.scsp, "both"), (&scene.emsp, "none"), (&scene.scsp, "none")] {
            let ordered = set(by, session, &To::Open).await;
            assert_eq!(codes(&ordered.reply), (200, 4001), "{session}");
        }
        assert_eq!((scene.reached(), other.got("chargingprofiles").len()), (1, 0));
        Some(())
    }

    // ECI-06, SES-18: sessions that went by before there was a ledger are known from what is kept for their payers.
    async fn whose_token_it_is_is_known_from_what_the_hub_kept_before(on) {
        let scene = Scene::start(on).await?;
        let session = Draft::session(&scene.cpo.id, "S1", "04A1", Some(&scene.emsp.id), crate::world::at()).json();
        let push = scene.cpo.voice.push(Method::PUT, "sessions", &scene.cpo.id, &["S1"], &session, &To::Hub);
        assert!(push.await.unwrap().accepted());
        scene.world.execute("DELETE FROM controls").await;
        let stranger = scene.world.join(complete("DE/OTH", Role::Emsp)).await;
        is_the_hubs_no(&set(&stranger, "S1", &scene.cpo.to).await, "REJECTED", &[&scene.emsp]);
        assert_eq!(said(&set(&scene.emsp, "S1", &scene.cpo.to).await), "ACCEPTED");
        assert_eq!(scene.seen("S1").await["location"], "LOC-1");
        Some(())
    }

    // ECI-05, CP-14
    async fn a_profile_that_makes_no_sense_is_2001_by_name_and_the_operator_never_sees_it(on) {
        let scene = Scene::start(on).await?;
        scene.session("S1").await;
        let periods = "/charging_profile/charging_profile_period";
        for (periods_of, place) in [
            (r#"{"start_period":60,"limit":8}"#, format!("{periods}/0/start_period")),
            (r#"{"start_period":0,"limit":8},{"start_period":0,"limit":8}"#, format!("{periods}/1/start_period")),
            (r#"{"start_period":0,"limit":-8}"#, format!("{periods}/0/limit")),
            (r#"{"start_period":0,"limit":8.25}"#, format!("{periods}/0/limit")),
        ] {
            let profile = format!(r#"{{"charging_rate_unit":"A","charging_profile_period":[{periods_of}]}}"#);
            let ordered = scene.emsp.voice.set_profile("S1", &profile, &scene.cpo.to).await.unwrap();
            assert_eq!(codes(&ordered.reply), (200, 2001), "{periods_of}");
            assert!(ordered.reply.message.unwrap().starts_with(&place));
        }
        assert_eq!((scene.reached(), &scene.seen("S1").await["state"]), (0, &json!("FREE")));
        // And costs nothing: three at once are still there.
        for _ in 0..3 {
            assert_eq!(said(&set(&scene.emsp, "S1", &scene.cpo.to).await), "ACCEPTED");
        }
        Some(())
    }

    // ECI-09, CP-01, CP-02: the switch
    async fn without_a_ledger_the_hub_only_carries_and_the_operator_decides(on) {
        let scene = Scene::start_with(on, "[smart_charging]\ncontrol = \"relay\"\n").await?;
        scene.session("S1").await;
        for _ in 0..5 {
            for by in [&scene.emsp, &scene.scsp] {
                assert_eq!(said(&set(by, "S1", &scene.cpo.to).await), "ACCEPTED");
                scene.result("ACCEPTED").await;
            }
        }
        let nonsense = r#"{"charging_profile_period":[{"start_period":7,"limit":-1.25}]}"#;
        let ordered = scene.scsp.voice.set_profile("S1", nonsense, &scene.cpo.to).await.unwrap();
        assert_eq!(said(&ordered), "ACCEPTED");
        assert_eq!((scene.reached(), scene.seen("S1").await), (11, json!(null)));
        // By name everybody may be told.
        let stranger = scene.world.join(complete("DE/OTH", Role::Emsp)).await;
        assert_eq!(scene.report("S1", crate::scene::ACTIVE, &stranger.to).await, (200, 1000));
        Some(())
    }

    // ECI-08: the operator's own Session to who steers is carried, and gives it no right to steer.
    async fn a_session_told_to_who_steers_makes_it_no_owner(on) {
        let scene = Scene::start(on).await?;
        let session = Draft::session(&scene.cpo.id, "S1", "04A1", Some(&scene.emsp.id), crate::world::at()).json();
        let push = scene.cpo.voice.push(Method::PUT, "sessions", &scene.cpo.id, &["S1"], &session, &scene.scsp.to);
        assert!(push.await.unwrap().accepted());
        is_the_hubs_no(&set(&scene.scsp, "S1", &scene.cpo.to).await, "REJECTED", &[&scene.emsp]);
        assert_eq!(said(&set(&scene.emsp, "S1", &scene.cpo.to).await), "ACCEPTED");
        Some(())
    }

    // CP-01, CP-03, ECI-09
    async fn without_an_address_for_its_result_nothing_is_taken_and_nothing_asked(on) {
        let scene = Scene::start(on).await?;
        scene.session("S1").await;
        for method in [Method::GET, Method::DELETE] {
            let errand = scene.emsp.voice.errand(method, "chargingprofiles", Receiver).at(&["S1"]).query("duration=300");
            assert_eq!(codes(&errand.to(&scene.cpo.to).send().await.unwrap()), (200, 2001));
        }
        let body = format!(r#"{{"charging_profile":{}}}"#, Draft::charging_profile().json());
        let errand = scene.emsp.voice.errand(Method::PUT, "chargingprofiles", Receiver).at(&["S1"]).body(&body);
        assert_eq!(codes(&errand.to(&scene.cpo.to).send().await.unwrap()), (200, 2001));
        assert_eq!((scene.reached(), &scene.seen("S1").await["state"]), (0, &json!("FREE")));
        Some(())
    }
}
