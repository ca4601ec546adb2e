//! Who has ended its registration is left alone until it comes again; who renews it loses nothing (CR-27, CR-36, CR-42).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Door, Draft, Got, Moment, To};

use crate::world::{SOON, World, at, codes, complete, named};

// CR-27, CR-42, HCI-13, R-42, R-43
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_deleted_its_registration_hears_nothing_until_it_comes_with_a_new_token_a() {
    let world = World::start_with("[presence]\nidle_check_s = 1\ncheck_interval_s = 1\n").await;
    let (cpo, emsp) = world.pair().await;
    let other = world.join(complete("DE/MSB", Role::Emsp)).await;
    let versions_url = emsp.platform.hub_versions_url().unwrap();
    let (token, own_token) = (
        emsp.platform.token().unwrap(),
        Draft::token(&emsp.id, "04A1", "RFID", at()).json(),
    );
    emsp.voice
        .push(Method::PUT, "tokens", &emsp.id, &["04A1"], &own_token, &To::Hub)
        .await
        .unwrap();
    let seen = Draft::session(&cpo.id, "S0", "04A1", Some(&emsp.id), at()).json();
    cpo.voice
        .push(Method::PUT, "sessions", &cpo.id, &["S0"], &seen, &emsp.to)
        .await
        .unwrap();
    emsp.platform.unregister().await.unwrap();
    emsp.platform.forget();

    let tariff = |id: &str| Draft::tariff(&cpo.id, id, at()).json();
    let directed = cpo
        .voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T1"], &tariff("T1"), &emsp.to)
        .await
        .unwrap();
    assert_eq!(
        (codes(&directed), named(&directed)[1].as_str()),
        ((200, 4003), "DE/TWH")
    );
    let list = cpo.voice.list("tokens", "", &emsp.to).await.unwrap();
    assert_eq!(codes(&list), (200, 4003));
    for to in [To::Open, To::Hub] {
        let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at()).json();
        let reply = cpo
            .voice
            .push(Method::PUT, "sessions", &cpo.id, &["S1"], &session, &to)
            .await
            .unwrap();
        assert_eq!(codes(&reply), (200, 4003), "{to:?}");
        let patch = Draft::session_patch("2.50", at()).json();
        let reply = cpo
            .voice
            .push(Method::PATCH, "sessions", &cpo.id, &["S0"], &patch, &to)
            .await
            .unwrap();
        assert_eq!(codes(&reply), (200, 4003), "a session it has seen: {to:?}");
    }
    let everybody = cpo
        .voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T2"], &tariff("T2"), &To::Hub)
        .await
        .unwrap();
    assert_eq!(codes(&everybody), (201, 1000));
    assert!(other.platform.wait_for_count("tariffs", 1, SOON).await);
    // News about a third party, and time for several alive checks.
    world.join(complete("FR/CPB", Role::Cpo)).await;
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert!(
        emsp.platform.got().is_empty(),
        "{:?}",
        emsp.platform.got().iter().map(|got| &got.path).collect::<Vec<_>>()
    );
    world.until_status(&emsp, "SUSPENDED").await;
    let authorization = truewatt::ocpi::headers::authorization(&token, truewatt::ocpi::headers::TokenForm::Base64);
    let answer = world
        .ask(Method::GET, "/ocpi/versions", &[("Authorization", &authorization)], b"")
        .await;
    assert_eq!(answer.status, 401);

    let path = format!("/platforms/{}/token", emsp.at_hub);
    let fresh = world.operator(Method::POST, &path, Some(json!({}))).await;
    emsp.platform
        .register_at(&versions_url, fresh["token_a"].as_str().unwrap())
        .await
        .unwrap();
    let directed = cpo
        .voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T1"], &tariff("T1"), &emsp.to)
        .await
        .unwrap();
    assert_eq!(codes(&directed), (201, 1000), "{directed:?}");
    let everybody = cpo
        .voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T3"], &tariff("T3"), &To::Hub)
        .await
        .unwrap();
    assert_eq!(codes(&everybody), (201, 1000));
    assert!(emsp.platform.wait_for_count("tariffs", 2, SOON).await);
}

// CR-36, CR-35
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_under_way_in_both_directions_when_tokens_change_arrives_and_is_answered() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    // Read and let in at once, answered when the tokens have changed.
    let slowly = |moment: Moment, _: &Got| {
        if moment == Moment::BeforeAnswer {
            std::thread::sleep(Duration::from_millis(900));
        }
    };
    emsp.platform.tell_of(Door::Receiver("tariffs"), Some(Arc::new(slowly)));
    cpo.platform.tell_of(Door::Receiver("tokens"), Some(Arc::new(slowly)));
    let tariff = Draft::tariff(&cpo.id, "T1", at()).json();
    let token = Draft::token(&emsp.id, "04A1", "RFID", at()).json();
    let to_emsp = || {
        cpo.voice
            .push(Method::PUT, "tariffs", &cpo.id, &["T1"], &tariff, &emsp.to)
    };
    let from_emsp = || {
        emsp.voice
            .push(Method::PUT, "tokens", &emsp.id, &["04A1"], &token, &cpo.to)
    };
    let before = emsp.platform.token();
    let rotation = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        emsp.platform.renew().await.unwrap();
        (emsp.got("tariffs").len(), cpo.got("tokens").len())
    };
    let (to, from, under_way) = futures_util::future::join3(to_emsp(), from_emsp(), rotation).await;
    assert_eq!(under_way, (1, 1));
    assert_ne!(emsp.platform.token(), before);
    assert_eq!((codes(&to.unwrap()), codes(&from.unwrap())), ((201, 1000), (201, 1000)));
    emsp.platform.tell_of(Door::Receiver("tariffs"), None);
    cpo.platform.tell_of(Door::Receiver("tokens"), None);
    assert_eq!(
        (codes(&to_emsp().await.unwrap()), codes(&from_emsp().await.unwrap())),
        ((200, 1000), (200, 1000))
    );
    let got = emsp.got("tariffs");
    let shown: Vec<_> = got.iter().map(|got| got.header("authorization").unwrap()).collect();
    assert!(
        shown.len() == 2 && shown[0] != shown[1],
        "the next one shows the new token"
    );
    assert!(got.iter().all(|got| got.refused.is_none()));
}
