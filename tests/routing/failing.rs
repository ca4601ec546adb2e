//! What the requester hears when the receiver cannot be asked, or answers with something that cannot be passed on.

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Reply, To};

use crate::world::{Neighbour, World, at, codes, complete, named, party};

async fn push(cpo: &Neighbour, to: &To) -> Reply {
    let body = Draft::tariff(&cpo.id, "T-1", at()).json();
    cpo.voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T-1"], &body, to)
        .await
        .unwrap()
}

// S-09, S-13, D-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_of_that_name_is_4001_in_the_hubs_own_name() {
    let world = World::start().await;
    let (cpo, _) = world.pair().await;
    let reply = push(&cpo, &To::Party(party("XX/YYY"))).await;
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((200, 4001), ["NL/CPA".into(), "DE/TWH".into()])
    );
}

// R-48, D-17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_one_may_not_talk_to_is_unknown() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let rule = |modules: &[&str]| json!({"default": "allow", "rules": [{"parties": ["DE/MSA", "NL/CPA"], "modules": modules, "allow": false}]});
    world
        .operator(Method::PUT, "/agreements", Some(rule(&["tariffs"])))
        .await;
    assert_eq!(codes(&push(&cpo, &emsp.to).await), (200, 4001));
    let body = Draft::location(&cpo.id, "L1", at()).json();
    let other = cpo
        .voice
        .push(Method::PUT, "locations", &cpo.id, &["L1"], &body, &emsp.to)
        .await
        .unwrap();
    assert!(other.accepted(), "another module is allowed");
    world.operator(Method::PUT, "/agreements", Some(rule(&["*"]))).await;
    let other = cpo
        .voice
        .push(Method::PUT, "locations", &cpo.id, &["L1"], &body, &emsp.to)
        .await
        .unwrap();
    assert_eq!(codes(&other), (200, 4001));
    assert!(emsp.got("tariffs").is_empty());
    let unknown = push(&cpo, &To::Party(party("XX/YYY"))).await;
    let not_allowed = push(&cpo, &emsp.to).await;
    assert_eq!(
        unknown.message.unwrap().replace("XX/YYY", "?"),
        not_allowed.message.unwrap().replace("DE/MSA", "?")
    );
}

// S-09, HCI-13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planned_suspended_and_offline_parties_are_4003_and_hear_nothing() {
    let world = World::start_with("[presence]\ncheck_interval_s = 600\n").await;
    let (cpo, emsp) = world.pair().await;
    world
        .expect("later", [(party("DE/LAT"), Role::Emsp)].into_iter(), json!({}))
        .await;
    assert_eq!(codes(&push(&cpo, &To::Party(party("DE/LAT"))).await), (200, 4003));
    world
        .operator(Method::POST, &format!("/platforms/{}/suspend", emsp.at_hub), None)
        .await;
    assert_eq!(codes(&push(&cpo, &emsp.to).await), (200, 4003));
    world
        .operator(Method::POST, &format!("/platforms/{}/resume", emsp.at_hub), None)
        .await;
    emsp.platform.go_away().await.unwrap();
    for _ in 0..2 {
        let reply = push(&cpo, &emsp.to).await;
        assert_eq!((codes(&reply), named(&reply)[1].as_str()), ((200, 4003), "DE/TWH"));
    }
    world.until_status(&emsp, "OFFLINE").await;
    emsp.platform.come_back().unwrap();
    assert_eq!(codes(&push(&cpo, &emsp.to).await), (200, 4003));
    assert!(emsp.got("tariffs").is_empty());
}

// R-44, S-09, D-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_without_that_interface_is_4000_with_the_reason() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
    let emsp = world
        .join(complete("DE/MSA", Role::Emsp).without("tariffs", Receiver))
        .await;
    let reply = push(&cpo, &emsp.to).await;
    assert_eq!(codes(&reply), (200, 4000));
    assert!(reply.message.unwrap().contains("RECEIVER interface of tariffs"));
    let mine = cpo.voice.list("tokens", "", &cpo.to).await.unwrap();
    assert_eq!(codes(&mine), (200, 4001), "nobody of one's own side");
}

// S-03, S-09, S-11, S-12, S-14, S-15, D-07, F-04, F-05, F-09, F-19
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_passes_as_it_came_and_nothing_else_passes() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let envelope = |http, code| Behaviour::Envelope {
        http,
        code,
        message: "so \u{20ac}".into(),
    };
    for (behaviour, expected, from) in [
        (envelope(200, 2001), (200, 2001), "DE/MSA"),
        (envelope(200, 3000), (200, 3000), "DE/MSA"),
        (envelope(500, 3000), (500, 3000), "DE/MSA"),
        (envelope(404, 2999), (404, 2999), "DE/MSA"),
        (envelope(400, 2000), (400, 2000), "DE/MSA"),
        (envelope(401, 2000), (200, 4003), "DE/TWH"),
        (envelope(403, 1000), (200, 4003), "DE/TWH"),
        (Behaviour::Unauthorised, (200, 4003), "DE/TWH"),
        (Behaviour::OtherStatus(202), (202, 1000), "DE/MSA"),
        (Behaviour::NoTimestamp, (200, 1000), "DE/MSA"),
        (Behaviour::NullData, (200, 1000), "DE/MSA"),
        (Behaviour::Html, (200, 4000), "DE/TWH"),
        (Behaviour::Plain(404), (404, 2000), "DE/TWH"),
        (Behaviour::Plain(405), (405, 2000), "DE/TWH"),
        (Behaviour::Plain(502), (200, 4000), "DE/TWH"),
        (Behaviour::HalfAnswer, (200, 4002), "DE/TWH"),
        (Behaviour::Redirect("http://127.0.0.1:9/".into()), (200, 4000), "DE/TWH"),
    ] {
        emsp.platform.behave(Door::Receiver("tariffs"), Behaviour::Proper);
        push(&cpo, &emsp.to).await;
        emsp.platform.behave(Door::Receiver("tariffs"), behaviour.clone());
        let reply = push(&cpo, &emsp.to).await;
        assert_eq!(codes(&reply), expected, "{behaviour:?}: {reply:?}");
        assert_eq!(named(&reply), ["NL/CPA", from], "{behaviour:?}");
        assert_eq!(
            reply
                .header("content-type")
                .map(|value| value.starts_with("application/json")),
            Some(true)
        );
        assert!(
            !reply
                .headers
                .iter()
                .any(|(name, _)| name == "location" || name == "www-authenticate")
        );
    }
}

// S-09, T-34, F-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_in_time_is_4002_and_nothing_is_tried_again() {
    let world = World::start_with("[timeouts]\nconnect_s = 1\nrelay_s = 2\n").await;
    let (cpo, emsp) = world.pair().await;
    for behaviour in [Behaviour::Stall, Behaviour::HangUp] {
        emsp.platform.forget();
        emsp.platform.behave_once(Door::Receiver("tariffs"), behaviour.clone());
        let reply = push(&cpo, &emsp.to).await;
        assert_eq!(
            (codes(&reply), named(&reply)[1].as_str()),
            ((200, 4002), "DE/TWH"),
            "{behaviour:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(emsp.got("tariffs").len(), 1, "{behaviour:?}");
    }
}

// S-05, TAR-04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_delete_is_the_receivers_404() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    push(&cpo, &emsp.to).await;
    let delete = || {
        cpo.voice
            .push(Method::DELETE, "tariffs", &cpo.id, &["T-1"], "", &emsp.to)
    };
    assert_eq!(codes(&delete().await.unwrap()), (200, 1000));
    let again = delete().await.unwrap();
    assert_eq!((codes(&again), named(&again)[1].as_str()), ((404, 2000), "DE/MSA"));
}
