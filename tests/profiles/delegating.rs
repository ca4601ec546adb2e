//! Topology 2 through the hub: a provider steers in the name of an eMSP that has no connection to it (smart-charging.md 2.5).

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Door, Later, Order, To};

use crate::common::place::On;
use crate::on_both;
use crate::orders::session_of;
use crate::scene::{ACTIVE, Scene, is_the_hubs_no, keeps_its_results, result_at, said, set, told};
use crate::world::{Neighbour, codes, complete, named};

/// The provider's word that another acts for it, and that the hub asks the CPO.
pub fn relayed() -> Value {
    json!({"kind": "T2", "grantor": "DE/MSA", "scsp": "BE/SCS", "relay": "hub", "from": "2020-01-01T00:00:00Z"})
}

/// DE/MSA takes no orders about profiles; BE/SCS acts for it.
async fn delegated(on: On) -> Option<Scene> {
    let scene = Scene::start(on).await?;
    scene.agree("t2", relayed()).await;
    scene.session("S1").await;
    Some(scene)
}

/// Nothing that ever came to somebody names another, be it in a header, a URL or a body.
fn names_nowhere(who: &Neighbour, other: &Neighbour) {
    let host = other.platform.host();
    let names = [other.id.party_id().to_owned(), host.replace(':', "%3A"), host];
    for got in who.platform.got() {
        // That the hub tells its partners who is connected to it is another thing.
        if matches!(got.door, Some(Door::Receiver("hubclientinfo"))) || got.path.contains("clientinfo") {
            continue;
        }
        let everything = format!(
            "{} {} {} {:?} {}",
            got.method,
            got.path,
            got.query,
            got.headers,
            got.text()
        );
        assert!(
            names.iter().all(|name| !everything.contains(name.as_str())),
            "{everything}"
        );
    }
}

on_both! {
    // ECI-11
    async fn eci_11_the_hub_asks_in_the_emsps_name_and_the_operator_cannot_tell(on) {
        let scene = delegated(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        // As OCPI draws it, or straight to the operator, or to whoever has the session: it is the eMSP that asks.
        for (number, to) in [&emsp.to, &cpo.to, &To::Open].into_iter().enumerate() {
            let ordered = set(scsp, "S1", to).await;
            let answered = if number == 0 { "DE/MSA" } else { "NL/CPA" };
            assert_eq!((said(&ordered), named(&ordered.reply)), ("ACCEPTED".to_owned(), ["BE/SCS".to_owned(), answered.to_owned()]));
            let got = cpo.last("chargingprofiles");
            assert_eq!((got.pair("from"), got.pair("to")), (Some("DE/MSA".into()), Some("NL/CPA".into())));
            let ours = cpo.platform.taken().pop().unwrap().response_url;
            assert_eq!(got.text(), ordered.body.replace(&ordered.response_url, &ours), "every other octet as it was");
            assert_eq!(scene.seen("S1").await["state"], "PENDING");
            // The operator hears the eMSP take its result.
            let taken = cpo.platform.taken().pop().unwrap();
            let heard = cpo.platform.post_result(&taken, &Later::word("ACCEPTED")).await.unwrap();
            assert_eq!((codes(&heard), named(&heard)), ((200, 1000), ["NL/CPA".to_owned(), "DE/MSA".to_owned()]));
            let result = result_at(scsp, &ordered).await;
            assert!(result.text().contains("ACCEPTED"));
            assert_eq!((result.pair("from"), result.pair("to")), (Some("DE/MSA".into()), Some("BE/SCS".into())));
            let holder = scene.seen("S1").await["holder"].clone();
            assert_eq!((&holder["party"], &holder["delegate"], &holder["kind"]), (&json!("DE/MSA"), &json!("BE/SCS"), &json!("T2")));
            for clears in [false, true] {
                let ordered = match clears {
                    false => scsp.voice.get_profile("S1", 300, to).await.unwrap(),
                    true => scsp.voice.clear_profile("S1", to).await.unwrap(),
                };
                assert_eq!(said(&ordered), "ACCEPTED");
                assert_eq!(cpo.last("chargingprofiles").pair("from"), Some("DE/MSA".into()));
                scene.result("ACCEPTED").await;
                result_at(scsp, &ordered).await;
            }
            assert_eq!(scene.seen("S1").await["state"], "FREE");
            scene.clock.advance(chrono::TimeDelta::minutes(5));
        }
        // Updates: to the eMSP, as the operator knows it, or to whoever is told.
        for to in [&emsp.to, &To::Open] {
            let reply = cpo.voice.report_profile("S1", ACTIVE, to).await.unwrap();
            assert_eq!((codes(&reply), named(&reply)), ((200, 1000), ["NL/CPA".to_owned(), "DE/MSA".to_owned()]));
        }
        let updates = told(scsp);
        assert_eq!(updates.len(), 2);
        for update in updates {
            assert_eq!((update.text().as_str(), update.pair("from")), (ACTIVE, Some("DE/MSA".into())));
        }
        assert_eq!(codes(&cpo.voice.report_profile("S1", ACTIVE, &scsp.to).await.unwrap()), (200, 2001), "it never heard of it");
        names_nowhere(cpo, scsp);
        assert!(emsp.got("chargingprofiles").is_empty(), "the hub does it all");
        Some(())
    }

    // ECI-09, ECI-11
    async fn eci_09_an_emsp_and_who_acts_for_it_are_two_controllers(on) {
        let scene = delegated(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.steers(scsp, "S1").await;
        is_the_hubs_no(&set(emsp, "S1", &cpo.to).await, "REJECTED", &[scsp]);
        assert_eq!(said(&emsp.voice.get_profile("S1", 300, &cpo.to).await.unwrap()), "ACCEPTED");
        scsp.voice.clear_profile("S1", &emsp.to).await.unwrap();
        scene.result("ACCEPTED").await;
        scene.steers(emsp, "S1").await;
        is_the_hubs_no(&set(scsp, "S1", &emsp.to).await, "REJECTED", &[cpo]);
        // Both had one accepted: each is told once, the operator hears one eMSP.
        assert_eq!(codes(&cpo.voice.report_profile("S1", ACTIVE, &To::Open).await.unwrap()), (200, 1000));
        assert_eq!((told(scsp).len(), told(emsp).len()), (1, 1));
        // The contract ends: what it holds is nobody's, and it hears no more.
        emsp.voice.clear_profile("S1", &cpo.to).await.unwrap();
        scene.result("ACCEPTED").await;
        scene.steers(scsp, "S1").await;
        scene.world.operator(Method::DELETE, "/contracts/t2", None).await;
        is_the_hubs_no(&set(scsp, "S1", &cpo.to).await, "REJECTED", &[emsp]);
        scene.steers(emsp, "S1").await;
        assert_eq!(codes(&cpo.voice.report_profile("S1", ACTIVE, &To::Open).await.unwrap()), (200, 1000));
        assert_eq!((told(scsp).len(), told(emsp).len()), (1, 2));
        Some(())
    }

    // S-41
    async fn of_an_emsps_sessions_of_one_id_none_is_picked_and_another_emsps_are_not_looked_at(on) {
        let scene = delegated(on).await?;
        let Scene { emsp, scsp, .. } = &scene;
        let other_cpo = scene.world.join(complete("NL/CPB", Role::Cpo)).await;
        keeps_its_results(&other_cpo);
        let other_emsp = scene.world.join(complete("DE/OTH", Role::Emsp)).await;
        session_of(&other_cpo, &other_emsp, "S1").await;
        assert_eq!(said(&set(scsp, "S1", &emsp.to).await), "ACCEPTED", "the other one is not this eMSP's");
        assert!(other_cpo.got("chargingprofiles").is_empty());
        session_of(&other_cpo, emsp, "S2").await;
        scene.session("S2").await;
        let reached = scene.reached();
        assert_eq!(codes(&set(scsp, "S2", &emsp.to).await.reply), (200, 4001));
        assert_eq!(codes(&set(scsp, "never seen", &emsp.to).await.reply), (200, 4001));
        assert_eq!((scene.reached(), other_cpo.got("chargingprofiles").len()), (reached, 0));
        // With the operator named there is one.
        assert_eq!(said(&set(scsp, "S2", &other_cpo.to).await), "ACCEPTED");
        assert_eq!(other_cpo.last("chargingprofiles").pair("from"), Some("DE/MSA".into()));
        is_the_hubs_no(&set(scsp, "S1", &other_cpo.to).await, "REJECTED", &[&other_emsp]);
        Some(())
    }

    // ECI-16, CMD-11
    async fn a_result_comes_home_in_the_emsps_name_also_behind_a_restart(on) {
        let scene = delegated(on).await?;
        let ordered = set(&scene.scsp, "S1", &scene.emsp.to).await;
        let Scene { world, clock, cpo, emsp, scsp } = scene;
        let scene = Scene { world: world.restarted().await, clock, cpo, emsp, scsp };
        let taken = scene.cpo.platform.taken().pop().unwrap();
        let heard = scene.cpo.platform.post_result(&taken, &Later::word("ACCEPTED")).await.unwrap();
        assert_eq!(named(&heard)[1], "DE/MSA");
        assert!(result_at(&scene.scsp, &ordered).await.text().contains("ACCEPTED"));
        let holder = scene.seen("S1").await["holder"].clone();
        assert_eq!((&holder["party"], &holder["delegate"]), (&json!("DE/MSA"), &json!("BE/SCS")));
        names_nowhere(&scene.cpo, &scene.scsp);
        Some(())
    }

    // ECI-21
    async fn what_the_operator_refuses_goes_back_in_the_emsps_name(on) {
        let scene = delegated(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        cpo.platform.execute(Order::SetProfile, truewatt::sandbox::Execution::refused("TOO_OFTEN"));
        let ordered = set(scsp, "S1", &emsp.to).await;
        assert_eq!((said(&ordered), named(&ordered.reply)[1].as_str()), ("TOO_OFTEN".to_owned(), "DE/MSA"));
        assert_eq!(scene.seen("S1").await["state"], "FREE");
        Some(())
    }

    // ECI-11
    async fn nothing_the_operator_hears_in_answer_names_who_acts_for_the_emsp(on) {
        let scene = delegated(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        let host = scsp.platform.host();
        let quiet = |reply: &truewatt::sandbox::Reply| {
            let all = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body));
            assert!(!all.contains("SCS") && !all.contains(&host), "{all}");
            assert_eq!(named(reply), ["NL/CPA".to_owned(), "DE/MSA".to_owned()], "{all}");
        };
        let telling = |message: &str| truewatt::sandbox::Behaviour::Envelope { http: 200, code: 1000, message: message.to_owned() };
        scsp.platform.behave(Door::Sender("chargingprofiles"), telling("hello from BE/SCS"));
        set(scsp, "S1", &emsp.to).await;
        let taken = cpo.platform.taken().pop().unwrap();
        let heard = cpo.platform.post_result(&taken, &Later::word("ACCEPTED")).await.unwrap();
        assert!(heard.accepted());
        quiet(&heard);
        let reported = cpo.voice.report_profile("S1", ACTIVE, &emsp.to).await.unwrap();
        assert!(reported.accepted());
        quiet(&reported);
        // Nor when it is not there: known to be away, or found to be.
        scsp.platform.go_away().await.unwrap();
        for _ in 0..2 {
            let heard = cpo.platform.post_result(&taken, &Later::word("ACCEPTED")).await.unwrap();
            assert!(!heard.accepted() && !format!("{heard:?} {}", String::from_utf8_lossy(&heard.body)).contains("SCS"), "{heard:?}");
            let reported = cpo.voice.report_profile("S1", ACTIVE, &emsp.to).await.unwrap();
            assert!(!reported.accepted() && !String::from_utf8_lossy(&reported.body).contains("SCS"), "{reported:?}");
            scene.world.until_status(scsp, "OFFLINE").await;
        }
        scsp.platform.come_back().unwrap();
        Some(())
    }

    // ECI-17
    async fn an_emsp_that_set_a_profile_itself_is_told_beside_who_acts_for_it(on) {
        let scene = delegated(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.steers(scsp, "S1").await;
        scsp.voice.clear_profile("S1", &emsp.to).await.unwrap();
        scene.result("ACCEPTED").await;
        scene.steers(emsp, "S1").await;
        assert_eq!(codes(&cpo.voice.report_profile("S1", ACTIVE, &emsp.to).await.unwrap()), (200, 1000));
        assert_eq!((told(scsp).len(), told(emsp).len()), (1, 1));
        Some(())
    }
}
