//! Who is told of the active profile: exactly those who set one and may still ask, until the session ends (smart-charging.md 2.6).

use serde_json::json;
use truewatt::client::Method;
use truewatt::sandbox::To;

use crate::on_both;
use crate::scene::{ACTIVE, Scene, said, set, told};

on_both! {
    // ECI-04, CP-08, CP-07
    async fn eci_04_an_operator_tells_a_change_of_the_active_profile_to_who_set_it(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        for to in [&scene.scsp.to, &To::Open, &To::Hub] {
            assert_eq!(scene.report("S1", ACTIVE, to).await, (200, 1000));
        }
        let got = told(&scene.scsp);
        assert_eq!(got.len(), 3);
        for one in &got {
            assert_eq!((one.text().as_str(), one.pair("from"), one.pair("to")), (ACTIVE, Some("NL/CPA".into()), Some("BE/SCS".into())));
        }
        let active = scene.seen("S1").await["active"].clone();
        assert_eq!((&active["profile"]["start_date_time"], &active["age_s"]), (&json!("2026-11-21T12:00:00Z"), &json!(0)));
        Some(())
    }

    // ECI-17, CP-13
    async fn eci_17_updates_go_on_until_the_session_ends_also_behind_a_removal(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        scene.scsp.voice.clear_profile("S1", &scene.cpo.to).await.unwrap();
        scene.result("ACCEPTED").await;
        scene.steers(&scene.emsp, "S1").await;
        // Both had one accepted.
        assert_eq!(scene.report("S1", ACTIVE, &To::Open).await, (200, 1000));
        assert_eq!((told(&scene.scsp).len(), told(&scene.emsp).len()), (1, 1));
        scene.patch("S1", r#""kwh":1.0"#).await;
        assert_eq!(scene.report("S1", ACTIVE, &scene.scsp.to).await, (200, 1000));
        scene.patch("S1", r#""status":"COMPLETED""#).await;
        assert_eq!(scene.report("S1", ACTIVE, &To::Open).await, (200, 4001));
        assert_eq!(scene.report("S1", ACTIVE, &scene.scsp.to).await, (200, 2001));
        assert_eq!((told(&scene.scsp).len(), told(&scene.emsp).len()), (2, 1));
        assert_eq!(scene.seen("S1").await, json!(null), "what is over is in no list");
        // A straggler does not bring it back.
        scene.session("S1").await;
        assert_eq!(scene.report("S1", ACTIVE, &To::Open).await, (200, 4001));
        Some(())
    }

    // ECI-18, CP-08
    async fn eci_18_whoever_never_had_a_profile_accepted_is_told_nothing(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        // One only reads, the other's profile is refused.
        scene.emsp.voice.get_profile("S1", 300, &scene.cpo.to).await.unwrap();
        scene.result("ACCEPTED").await;
        set(&scene.scsp, "S1", &scene.cpo.to).await;
        assert_eq!(scene.report("S1", ACTIVE, &scene.scsp.to).await, (200, 2001), "ACCEPTED at once is no profile yet");
        scene.result("REJECTED").await;
        for to in [&scene.emsp.to, &scene.scsp.to] {
            assert_eq!(scene.report("S1", ACTIVE, to).await, (200, 2001));
        }
        assert_eq!(scene.report("S1", ACTIVE, &To::Open).await, (200, 4001));
        assert_eq!((told(&scene.scsp).len(), told(&scene.emsp).len()), (0, 0));
        Some(())
    }

    // ECI-18: exactly the entitled parties
    async fn whose_contract_has_ended_is_told_no_more(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        scene.world.operator(Method::DELETE, "/contracts/all", None).await;
        assert_eq!(scene.report("S1", ACTIVE, &scene.scsp.to).await, (200, 2001));
        assert_eq!(scene.report("S1", ACTIVE, &To::Open).await, (200, 4001));
        assert!(told(&scene.scsp).is_empty());
        Some(())
    }

    // ECI-19
    async fn eci_19_what_an_operator_revokes_is_told_and_the_session_is_free(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        let revoked = ACTIVE.replacen('{', "{ \"revoked\":true,", 1);
        assert_eq!(scene.report("S1", &revoked, &To::Open).await, (200, 1000));
        assert_eq!(told(&scene.scsp).pop().unwrap().text(), revoked, "octet for octet");
        assert_eq!(scene.seen("S1").await["state"], "FREE");
        assert_eq!(said(&set(&scene.emsp, "S1", &scene.cpo.to).await), "ACCEPTED");
        Some(())
    }

    // smart-charging.md 2.6
    async fn who_may_ask_about_a_session_reads_what_was_last_active_and_how_old_that_is(on) {
        let scene = Scene::with_contract(on).await?;
        let stranger = scene.world.join(crate::world::complete("DE/OTH", truewatt::ocpi::role::Role::Emsp)).await;
        scene.session("S1").await;
        let reads = async |by: &crate::world::Neighbour, session: &str| {
            let at = format!("/partner/v1/sessions/nl/CPA/{session}/profile");
            let url = format!("{}{at}", scene.world.hub.url);
            let reply = by.platform.call(Method::GET, &url, &[], None).await.unwrap();
            (reply.http, serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap())
        };
        assert_eq!(reads(&scene.scsp, "S1").await.0, 404, "nothing was told");
        scene.steers(&scene.scsp, "S1").await;
        assert_eq!(scene.report("S1", ACTIVE, &To::Open).await, (200, 1000));
        scene.clock.advance(chrono::TimeDelta::seconds(90));
        for by in [&scene.scsp, &scene.emsp, &scene.cpo] {
            let (status, told) = reads(by, "S1").await;
            assert_eq!((status, &told["age_s"], &told["told_at"]), (200, &json!(90), &json!("2026-11-21T12:00:00Z")));
            assert_eq!(told["profile"]["charging_profile"]["charging_rate_unit"], "W");
        }
        assert_eq!((reads(&stranger, "S1").await.0, reads(&scene.scsp, "S2").await.0), (404, 404));
        scene.world.operator(Method::DELETE, "/contracts/all", None).await;
        assert_eq!(reads(&scene.scsp, "S1").await.0, 404);
        scene.patch("S1", r#""status":"COMPLETED""#).await;
        assert_eq!(reads(&scene.emsp, "S1").await.0, 404, "what is over has no active profile");
        Some(())
    }

    // ECI-05
    async fn eci_05_a_car_that_draws_less_than_it_may_is_no_event_and_no_failure(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        let before = scene.seen("S1").await;
        let reached = scene.reached();
        for kwh in ["0.10", "0.10", "0.11"] {
            scene.patch("S1", &format!(r#""kwh":{kwh},"charging_periods":[{{"start_date_time":"2026-11-21T12:30:00Z","dimensions":[{{"type":"POWER","volume":0.0}}]}}]"#)).await;
        }
        assert_eq!(scene.seen("S1").await, before, "a limit is kept by drawing less");
        assert_eq!((told(&scene.scsp).len(), told(&scene.emsp).len(), scene.reached()), (0, 0, reached));
        let journal = scene.world.operator(Method::GET, "/journal?object=NL/CPA/S1", None).await;
        let lines = journal["items"].as_array().unwrap();
        assert!(lines.iter().all(|line| line["status_code"] == 1000), "{lines:?}");
        Some(())
    }

    // R-42, ECI-17
    async fn a_report_to_who_is_told_and_away_is_a_4003_and_not_an_unknown_one(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        scene.steers(&scene.scsp, "S1").await;
        scene.scsp.platform.go_away().await.unwrap();
        for _ in 0..3 {
            scene.report("S1", ACTIVE, &To::Open).await;
        }
        scene.world.until_status(&scene.scsp, "OFFLINE").await;
        assert_eq!(scene.report("S1", ACTIVE, &To::Open).await, (200, 4003));
        scene.scsp.platform.come_back().unwrap();
        Some(())
    }

    // ECI-17
    async fn a_session_is_over_when_it_is_invalid_or_a_day_after_the_end_it_announced(on) {
        let scene = Scene::with_contract(on).await?;
        for session in ["S1", "S2"] {
            scene.session(session).await;
            scene.steers(&scene.scsp, session).await;
        }
        scene.patch("S1", r#""status":"INVALID""#).await;
        assert_eq!(scene.seen("S1").await, json!(null));
        assert_eq!(scene.report("S1", ACTIVE, &To::Open).await, (200, 4001));
        scene.patch("S2", r#""end_date_time":"2026-11-21T14:00:00Z""#).await;
        scene.clock.advance(chrono::TimeDelta::hours(25));
        assert_eq!(scene.seen("S2").await["state"], "HELD");
        scene.clock.advance(chrono::TimeDelta::hours(2));
        assert_eq!(scene.seen("S2").await, json!(null));
        assert_eq!(scene.report("S2", ACTIVE, &To::Open).await, (200, 4001));
        Some(())
    }
}
