//! Sessions for those who steer: who is shown one, in whose name, and how much of it (ECI-08, ECI-12, ECI-14, ECI-25).

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Got, To};

use crate::delegating::relayed;
use crate::on_both;
use crate::orders::session_of;
use crate::scene::{Scene, t3};
use crate::world::{Neighbour, SOON, at, complete};

fn with(mut contract: Value, member: &str, value: Value) -> Value {
    contract[member] = value;
    contract
}

/// The Sessions that came to somebody, as soon as there are so many; nothing more comes in the time that another takes.
async fn shown(scene: &Scene, who: &Neighbour, count: usize) -> Vec<Got> {
    assert!(
        who.platform.wait_for_count("sessions", count, SOON).await,
        "{:?}",
        who.got("sessions")
    );
    // Whatever was owed with it or before it has been sent by now.
    for _ in 0..200 {
        if owed(scene).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let got = who.got("sessions");
    assert_eq!(got.len(), count, "{got:?}");
    got
}

/// The Sessions that somebody is owed.
async fn owed(scene: &Scene) -> Vec<Value> {
    let duties = scene.world.operator(Method::GET, "/duties", None).await;
    let mut duties = duties["items"].as_array().unwrap().clone();
    duties.retain(|duty| duty["kind"] == "session");
    duties
}

/// Waits until an attempt was made in vain and is to be made again.
async fn postponed(scene: &Scene) {
    for _ in 0..400 {
        if owed(scene).await.iter().any(|duty| duty["attempts"] != 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing was tried in vain");
}

/// The one who steers is in trouble, and the session S1 was tried at it in vain.
async fn in_vain(scene: &Scene) {
    let Scene { cpo, emsp, scsp, .. } = scene;
    scsp.platform.behave(Door::Receiver("sessions"), Behaviour::Plain(503));
    push(cpo, Method::PUT, "S1", &session(cpo, emsp, "S1"), &emsp.to).await;
    postponed(scene).await;
}

/// A session whose driver is known by name, as the operator wrote it.
fn session(cpo: &Neighbour, emsp: &Neighbour, id: &str) -> String {
    Draft::session(&cpo.id, id, "04A2B3C4D5E6F7", Some(&emsp.id), at())
        .with("authorization_reference", "\"AUTH-77\"")
        .with("total_cost", "{\"excl_vat\":4.00}")
        .with("x_driver", "\"Ada Lovelace\"")
        .json()
}

async fn push(by: &Neighbour, method: Method, id: &str, body: &str, to: &To) {
    let reply = by
        .voice
        .push(method, "sessions", &by.id, &[id], body, to)
        .await
        .unwrap();
    assert!(reply.accepted(), "{reply:?}");
}

fn json_of(got: &Got) -> Value {
    serde_json::from_slice(&got.body).unwrap()
}

on_both! {
    // ECI-08
    async fn eci_08_a_session_is_shown_under_a_contract_and_with_as_much_of_the_driver_as_that_allows(on) {
        let scene = Scene::start(on).await?;
        let (cpo, emsp) = (&scene.cpo, &scene.emsp);
        let nobody = scene.world.join(complete("BE/NON", Role::Scsp)).await;
        let full = scene.world.join(complete("BE/FUL", Role::Scsp)).await;
        scene.agree("some", t3()).await;
        scene.agree("all", with(with(t3(), "scsp", json!("BE/FUL")), "privacy", json!("full"))).await;
        let body = session(cpo, emsp, "S1");
        push(cpo, Method::PUT, "S1", &body, &emsp.to).await;
        let got = shown(&scene, &full, 1).await;
        assert_eq!(got[0].text(), body, "in full: octet for octet");
        let got = shown(&scene, &scene.scsp, 1).await;
        let text = got[0].text();
        for hidden in ["04A2B3C4D5E6F7", "AUTH-77", "4.00", "Ada", "x_driver", "total_cost"] {
            assert!(body.contains(hidden) && !text.contains(hidden), "{hidden} in {text}");
        }
        let (original, copy): (Value, Value) = (serde_json::from_str(&body).unwrap(), json_of(&got[0]));
        for member in ["id", "country_code", "party_id", "kwh", "location_id", "evse_uid", "status", "charging_periods", "last_updated"] {
            assert_eq!(copy[member], original[member], "{member}");
        }
        assert!(text.contains("0.10"), "numbers are not written anew");
        let (token, was) = (&copy["cdr_token"], &original["cdr_token"]);
        for same in ["country_code", "party_id", "type"] {
            assert_eq!(token[same], was[same]);
        }
        let length = |token: &Value, name: &str| token[name].as_str().unwrap().len();
        for other in ["uid", "contract_id"] {
            assert_ne!(token[other], was[other]);
            assert_eq!(length(token, other), length(was, other));
        }
        // The same driver at another time is the same pseudonym, also behind a restart, and no other provider's.
        let Scene { world, clock, cpo, emsp, scsp } = scene;
        let scene = Scene { world: world.restarted().await, clock, cpo, emsp, scsp };
        push(&scene.cpo, Method::PUT, "S2", &session(&scene.cpo, &scene.emsp, "S2"), &scene.emsp.to).await;
        assert_eq!(json_of(&shown(&scene, &scene.scsp, 2).await[1])["cdr_token"], *token);
        assert!(nobody.got("sessions").is_empty());
        // The eMSP's own never changed.
        assert_eq!(scene.emsp.got("sessions")[0].text(), body);
        Some(())
    }

    // ECI-12
    async fn eci_12_a_session_comes_once_to_the_emsp_and_once_to_who_acts_for_it(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("t2", relayed()).await;
        let body = session(cpo, emsp, "S1");
        push(cpo, Method::PUT, "S1", &body, &emsp.to).await;
        let got = shown(&scene, scsp, 1).await;
        assert_eq!((got[0].method.as_str(), got[0].pair("from"), got[0].pair("to")), ("PUT", Some("DE/MSA".into()), Some("BE/SCS".into())));
        assert!(got[0].path.ends_with("/NL/CPA/S1"), "whose it is: {}", got[0].path);
        let patch = Draft::session_patch("0.30", at() + TimeDelta::minutes(1)).odd();
        push(cpo, Method::PATCH, "S1", &patch, &emsp.to).await;
        let got = shown(&scene, scsp, 2).await;
        assert_eq!((got[1].method.as_str(), json_of(&got[1])["kwh"].to_string().as_str()), ("PATCH", "0.30"));
        // Routed by its content it is the same.
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.40", at() + TimeDelta::minutes(2)).odd(), &To::Open).await;
        assert_eq!(json_of(&shown(&scene, scsp, 3).await[2])["kwh"].to_string(), "0.40");
        let at_emsp = emsp.got("sessions");
        assert_eq!((at_emsp.len(), at_emsp[0].text(), at_emsp[1].text()), (3, body, patch), "octet for octet");
        // Without relay by the hub it is the eMSP's business.
        scene.agree("t2", with(relayed(), "relay", json!("none"))).await;
        push(cpo, Method::PUT, "S2", &session(cpo, emsp, "S2"), &emsp.to).await;
        assert_eq!(shown(&scene, scsp, 3).await.len(), 3);
        Some(())
    }

    // ECI-12
    async fn a_change_for_who_has_not_seen_the_session_comes_behind_all_of_it(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        // The contract begins when the session runs; it was kept for its payer's lists.
        push(cpo, Method::PUT, "S1", &session(cpo, emsp, "S1"), &To::Open).await;
        scene.agree("all", t3()).await;
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.30", at() + TimeDelta::minutes(1)).odd(), &To::Open).await;
        let got = shown(&scene, scsp, 1).await;
        let whole = json_of(&got[0]);
        assert_eq!((got[0].method.as_str(), whole["kwh"].to_string().as_str(), whole["status"].as_str()), ("PUT", "0.30", Some("ACTIVE")));
        assert_eq!(whole["charging_periods"].as_array().unwrap().len(), 2, "SES-12");
        // One that lost it says so, and gets it whole at once.
        scsp.platform.behave_once(Door::Receiver("sessions"), Behaviour::Plain(404));
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.50", at() + TimeDelta::minutes(2)).odd(), &To::Open).await;
        let got = shown(&scene, scsp, 3).await;
        assert_eq!((got[1].method.as_str(), got[2].method.as_str()), ("PATCH", "PUT"));
        assert_eq!(json_of(&got[2])["charging_periods"].as_array().unwrap().len(), 3);
        Some(())
    }

    // ECI-14
    async fn eci_14_an_operator_shows_its_sessions_where_it_lets_steer(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("here", with(t3(), "scope", json!({"locations": ["LOC-1"]}))).await;
        push(cpo, Method::PUT, "S1", &session(cpo, emsp, "S1"), &emsp.to).await;
        let got = shown(&scene, scsp, 1).await;
        assert_eq!((got[0].method.as_str(), got[0].pair("from"), got[0].pair("to")), ("PUT", Some("NL/CPA".into()), Some("BE/SCS".into())));
        scene.agree("here", with(t3(), "scope", json!({"locations": ["LOC-2"]}))).await;
        push(cpo, Method::PUT, "S2", &session(cpo, emsp, "S2"), &emsp.to).await;
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.30", at()).odd(), &emsp.to).await;
        assert_eq!(shown(&scene, scsp, 1).await.len(), 1, "not there any more");
        // An end is shown, and nothing behind it.
        scene.agree("here", t3()).await;
        let over = format!(r#"{{"status":"COMPLETED","last_updated":"{}"}}"#, "2026-11-21T13:00:00Z");
        push(cpo, Method::PUT, "S2", &session(cpo, emsp, "S2"), &emsp.to).await;
        push(cpo, Method::PATCH, "S2", &over, &emsp.to).await;
        push(cpo, Method::PATCH, "S2", &over, &emsp.to).await;
        let got = scsp.platform.wait_for_count("sessions", 3, SOON).await;
        assert!(got && json_of(&shown(&scene, scsp, 3).await[2])["status"] == "COMPLETED");
        Some(())
    }

    // ECI-12, design.md promise 3
    async fn who_is_shown_a_session_and_is_not_there_changes_nothing_for_the_emsp_and_gets_the_newest_state(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("all", t3()).await;
        in_vain(&scene).await;
        for kwh in ["0.20", "0.30"] {
            push(cpo, Method::PATCH, "S1", &Draft::session_patch(kwh, at()).odd(), &emsp.to).await;
        }
        assert_eq!(emsp.got("sessions").len(), 3);
        let owed = owed(&scene).await;
        assert_eq!((owed.len(), &owed[0]["object"]), (1, &json!("NL/CPA/S1")), "a state, not messages");
        scsp.platform.forget();
        scsp.platform.behave(Door::Receiver("sessions"), Behaviour::Proper);
        scene.clock.advance(TimeDelta::minutes(30));
        let got = shown(&scene, scsp, 1).await;
        let whole = json_of(&got[0]);
        assert_eq!((got[0].method.as_str(), whole["kwh"].to_string().as_str(), whole["charging_periods"].as_array().unwrap().len()), ("PUT", "0.30", 3));
        Some(())
    }

    // ECI-08
    async fn what_is_owed_under_a_contract_is_not_shown_when_it_has_ended(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("all", t3()).await;
        in_vain(&scene).await;
        scene.world.operator(Method::DELETE, "/contracts/all", None).await;
        assert!(owed(&scene).await.is_empty());
        scsp.platform.behave(Door::Receiver("sessions"), Behaviour::Proper);
        scene.clock.advance(TimeDelta::minutes(30));
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.30", at()).odd(), &emsp.to).await;
        // Somebody else's comes, so what was to come would have come.
        scene.agree("other", with(t3(), "scope", json!({"locations": ["LOC-1"]}))).await;
        push(cpo, Method::PUT, "S2", &session(cpo, emsp, "S2"), &emsp.to).await;
        let got = shown(&scene, scsp, 2).await;
        assert!(got[1].path.ends_with("/S2"));
        Some(())
    }

    // ECI-25
    async fn eci_25_each_session_shown_stands_in_the_journal_with_the_contract_that_allowed_it(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("acts-for-msa", relayed()).await;
        push(cpo, Method::PUT, "S1", &session(cpo, emsp, "S1"), &emsp.to).await;
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.30", at()).odd(), &emsp.to).await;
        shown(&scene, scsp, 2).await;
        let lines = scene.world.operator(Method::GET, "/journal?object=NL/CPA/S1&party=BE/SCS", None).await;
        let lines = lines["items"].as_array().unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in lines {
            assert_eq!((&line["from"], &line["to"], &line["module"]), (&json!("DE/MSA"), &json!("BE/SCS"), &json!("sessions")));
            assert!(line["outcome"].as_str().unwrap().contains("under contract acts-for-msa"), "{line}");
            assert!(!line.to_string().contains("04A2B3C4D5E6F7"));
        }
        Some(())
    }

    // ECI-12
    async fn a_session_that_the_emsp_refuses_is_shown_to_nobody(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("all", t3()).await;
        emsp.platform.behave_once(Door::Receiver("sessions"), Behaviour::Envelope { http: 200, code: 2001, message: "no".to_owned() });
        let body = session(cpo, emsp, "S1");
        let reply = cpo.voice.push(Method::PUT, "sessions", &cpo.id, &["S1"], &body, &emsp.to).await.unwrap();
        assert!(!reply.accepted());
        session_of(cpo, emsp, "S2").await;
        assert!(shown(&scene, scsp, 1).await[0].path.ends_with("/S2"));
        Some(())
    }

    // ECI-08
    async fn a_session_is_shown_to_nobody_after_its_contracts_last_instant_and_owed_no_longer_than_a_day(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("short", with(t3(), "to", json!("2026-11-21T12:10:00Z"))).await;
        in_vain(&scene).await;
        scsp.platform.behave(Door::Receiver("sessions"), Behaviour::Proper);
        scene.clock.advance(TimeDelta::minutes(11));
        assert_eq!(shown(&scene, scsp, 1).await.len(), 1, "too late");
        // One that went away for good: the driver's data does not lie around for it.
        scene.agree("long", t3()).await;
        scsp.platform.go_away().await.unwrap();
        push(cpo, Method::PUT, "S2", &session(cpo, emsp, "S2"), &emsp.to).await;
        for _ in 0..3 {
            // Somebody asks it something, and the hub sees that it is not there.
            cpo.voice.push(Method::PUT, "sessions", &cpo.id, &["S3"], &session(cpo, emsp, "S3"), &scsp.to).await.unwrap();
        }
        scene.world.until_status(scsp, "OFFLINE").await;
        assert_eq!(owed(&scene).await.len(), 1);
        scene.clock.advance(TimeDelta::hours(25));
        shown(&scene, scsp, 1).await;
        assert!(owed(&scene).await.is_empty(), "{:?}", owed(&scene).await);
        scsp.platform.come_back().unwrap();
        Some(())
    }

    // ECI-14, SES-19
    async fn a_session_that_an_operator_sends_to_a_provider_itself_is_carried_as_it_is(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        let body = session(cpo, emsp, "S1");
        push(cpo, Method::PUT, "S1", &body, &scsp.to).await;
        let got = shown(&scene, scsp, 1).await;
        assert_eq!((got[0].text(), emsp.got("sessions").len()), (body, 0));
        Some(())
    }

    // smart-charging.md: `control = "relay"`
    async fn without_a_ledger_no_session_is_copied(on) {
        let scene = Scene::start_with(on, "[smart_charging]\ncontrol = \"relay\"\n").await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("all", t3()).await;
        push(cpo, Method::PUT, "S1", &session(cpo, emsp, "S1"), &emsp.to).await;
        assert!(owed(&scene).await.is_empty() && scsp.got("sessions").is_empty());
        Some(())
    }

    // ECI-08, SES-12
    async fn what_a_provider_missed_between_two_contracts_it_is_shown_whole(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("all", t3()).await;
        push(cpo, Method::PUT, "S1", &session(cpo, emsp, "S1"), &To::Open).await;
        shown(&scene, scsp, 1).await;
        scene.world.operator(Method::DELETE, "/contracts/all", None).await;
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.20", at()).odd(), &To::Open).await;
        scene.agree("all", t3()).await;
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.30", at()).odd(), &To::Open).await;
        let got = shown(&scene, scsp, 2).await;
        assert_eq!((got[1].method.as_str(), json_of(&got[1])["charging_periods"].as_array().unwrap().len()), ("PUT", 3));
        Some(())
    }

    // ECI-12
    async fn a_change_whose_answer_was_lost_is_told_again_as_the_whole(on) {
        let scene = Scene::start(on).await?;
        let Scene { cpo, emsp, scsp, .. } = &scene;
        scene.agree("all", t3()).await;
        push(cpo, Method::PUT, "S1", &session(cpo, emsp, "S1"), &emsp.to).await;
        shown(&scene, scsp, 1).await;
        scsp.platform.behave_once(Door::Receiver("sessions"), Behaviour::HangUp);
        push(cpo, Method::PATCH, "S1", &Draft::session_patch("0.20", at()).odd(), &emsp.to).await;
        postponed(&scene).await;
        scene.clock.advance(TimeDelta::minutes(30));
        let got = shown(&scene, scsp, 3).await;
        assert_eq!((got[1].method.as_str(), got[2].method.as_str()), ("PATCH", "PUT"), "whether it was taken nobody knows");
        assert_eq!(json_of(&got[2])["charging_periods"].as_array().unwrap().len(), 2);
        Some(())
    }
}
