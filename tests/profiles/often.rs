//! How often anybody may ask (smart-charging.md 2.4).

use chrono::TimeDelta;
use truewatt::client::Method;
use truewatt::sandbox::{Execution, Order};

use crate::on_both;
use crate::scene::{Scene, is_the_hubs_no, said, set};

/// How often a reason was counted.
async fn counted(scene: &Scene, reason: &str) -> u64 {
    let answer = scene
        .world
        .ask(
            Method::GET,
            "/metrics",
            &[("Authorization", "Bearer operator-token")],
            b"",
        )
        .await;
    let page = String::from_utf8(answer.body.to_vec()).unwrap();
    let name = format!("truewatt_profile_requests_refused_total{{reason=\"{reason}\"}} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("{name} is not in\n{page}"))
        .parse()
        .unwrap()
}

on_both! {
    // ECI-21, CP-10, N-03
    async fn eci_21_who_asks_too_often_is_told_when_to_ask_again_and_the_operator_is_spared(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S1").await;
        for _ in 0..3 {
            assert_eq!(said(&set(&scene.scsp, "S1", &scene.cpo.to).await), "ACCEPTED");
        }
        let fourth = set(&scene.scsp, "S1", &scene.cpo.to).await;
        is_the_hubs_no(&fourth, "TOO_OFTEN", &[]);
        assert_eq!((fourth.reply.header("retry-after"), scene.reached()), (Some("60"), 3));
        // One removal is free for each, and reading has a bucket of its own.
        for _ in 0..3 {
            assert_eq!(said(&scene.scsp.voice.clear_profile("S1", &scene.cpo.to).await.unwrap()), "ACCEPTED");
            assert_eq!(said(&scene.scsp.voice.get_profile("S1", 300, &scene.cpo.to).await.unwrap()), "ACCEPTED");
        }
        for ordered in [
            scene.scsp.voice.clear_profile("S1", &scene.cpo.to).await.unwrap(),
            scene.scsp.voice.get_profile("S1", 300, &scene.cpo.to).await.unwrap(),
        ] {
            is_the_hubs_no(&ordered, "TOO_OFTEN", &[]);
        }
        assert_eq!(scene.reached(), 9);
        // Whoever else may ask has its own, also while it hears no for another reason.
        for _ in 0..4 {
            is_the_hubs_no(&set(&scene.emsp, "S1", &scene.cpo.to).await, "REJECTED", &[&scene.scsp]);
        }
        scene.clock.advance(TimeDelta::seconds(60));
        assert_eq!(said(&set(&scene.scsp, "S1", &scene.cpo.to).await), "ACCEPTED");
        is_the_hubs_no(&set(&scene.scsp, "S1", &scene.cpo.to).await, "TOO_OFTEN", &[]);
        assert_eq!((counted(&scene, "too_often").await, counted(&scene, "controlled").await), (4, 4));
        Some(())
    }

    // ECI-21, CP-10
    async fn an_operators_own_too_often_is_passed_on_as_it_came_and_counted(on) {
        let scene = Scene::start(on).await?;
        scene.session("S1").await;
        scene.cpo.platform.execute(Order::SetProfile, Execution::refused("TOO_OFTEN").timeout(30));
        let ordered = set(&scene.emsp, "S1", &scene.cpo.to).await;
        assert_eq!(said(&ordered), "TOO_OFTEN");
        assert_eq!((crate::world::named(&ordered.reply)[1].as_str(), ordered.reply.header("retry-after")), ("NL/CPA", None));
        assert!(ordered.reply.data.unwrap().contains("\"timeout\":30"));
        assert_eq!((counted(&scene, "too_often_by_cpo").await, counted(&scene, "too_often").await), (1, 0));
        assert_eq!(scene.seen("S1").await["state"], "FREE");
        Some(())
    }

    // ECI-21: the operator of the hub decides how often.
    async fn how_often_is_configuration_and_counts_across_a_restart(on) {
        let scene = Scene::start_with(on, "[smart_charging]\nput_burst = 1\nput_interval_s = 600\n").await?;
        scene.session("S1").await;
        assert_eq!(said(&set(&scene.emsp, "S1", &scene.cpo.to).await), "ACCEPTED");
        scene.clock.advance(TimeDelta::seconds(100));
        let Scene { world, clock, cpo, emsp, scsp } = scene;
        let scene = Scene { world: world.restarted().await, clock, cpo, emsp, scsp };
        let again = set(&scene.emsp, "S1", &scene.cpo.to).await;
        is_the_hubs_no(&again, "TOO_OFTEN", &[]);
        assert_eq!(again.reply.header("retry-after"), Some("500"));
        Some(())
    }
}
