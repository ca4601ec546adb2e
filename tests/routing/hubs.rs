//! Through two hubs: the parties stay who they are on every leg, and nothing goes round (R-36, D-26, N-06).

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Draft, To};

use crate::world::{Neighbour, World, at, codes, complete, named, party};

/// A peer hub that carries these parties.
async fn hub(world: &World, id: &str, carried: &[(&str, Role)]) -> Neighbour {
    world.join_with(complete(id, Role::Hub), carried, json!({})).await
}

// D-13, D-26, M-04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_hub_carries_the_words_of_its_parties_and_gets_what_is_for_them() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let far = party("SE/FAR");
    let peer = hub(&world, "SE/HUB", &[("SE/FAR", Role::Cpo), ("SE/MSP", Role::Emsp)]).await;
    let voice = peer.platform.voice_of(&far);
    let tariff = Draft::tariff(&far, "T-1", at()).odd();
    let errand = voice
        .errand(Method::PUT, "tariffs", Receiver)
        .of(&far)
        .at(&["T-1"])
        .to(&emsp.to)
        .body(&tariff);
    let reply = errand.header("x-correlation-id", "C-9").send().await.unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((201, 1000), ["SE/FAR".into(), "DE/MSA".into()])
    );
    let got = emsp.last("tariffs");
    assert_eq!(
        (got.pair("from").unwrap(), got.pair("to").unwrap()),
        ("SE/FAR".into(), "DE/MSA".into())
    );
    assert!(got.path.ends_with("/SE/FAR/T-1") && got.header("x-correlation-id") == Some("C-9"));

    let there = To::Party(party("SE/MSP"));
    let tariff = Draft::tariff(&cpo.id, "T-2", at()).odd();
    let reply = cpo
        .voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T-2"], &tariff, &there)
        .await
        .unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((201, 1000), ["NL/CPA".into(), "SE/MSP".into()])
    );
    let got = peer.last("tariffs");
    assert_eq!(
        (got.pair("from").unwrap(), got.pair("to").unwrap(), got.text()),
        ("NL/CPA".into(), "SE/MSP".into(), tariff)
    );

    let stranger = voice
        .errand(Method::PUT, "tariffs", Receiver)
        .of(&cpo.id)
        .at(&["T-1"])
        .to(&emsp.to);
    let stolen = stranger
        .from(Some(&cpo.id))
        .body(&Draft::tariff(&cpo.id, "T-1", at()).json())
        .send()
        .await
        .unwrap();
    assert_eq!(codes(&stolen), (403, 2000), "only parties it announced");
}

// N-06, D-26
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_go_back_or_round_is_4000() {
    let world = World::start().await;
    let (_, emsp) = world.pair().await;
    let one = hub(&world, "SE/HUB", &[("SE/FAR", Role::Cpo), ("SE/MSP", Role::Emsp)]).await;
    let other = hub(&world, "NO/HUB", &[("NO/FAR", Role::Cpo)]).await;
    let push = |by: &Neighbour, from: &str, to: &To, message: &str| {
        let from = party(from);
        let errand = by.platform.voice_of(&from).errand(Method::DELETE, "tariffs", Receiver);
        errand.of(&from).at(&["T-1"]).to(to).header("x-correlation-id", message)
    };
    let back = push(&one, "SE/FAR", &To::Party(party("SE/MSP")), "C-0")
        .send()
        .await
        .unwrap();
    assert_eq!(codes(&back), (200, 4000));
    assert!(one.got("tariffs").is_empty());
    push(&one, "SE/FAR", &emsp.to, "C-1").send().await.unwrap();
    push(&one, "SE/FAR", &emsp.to, "C-1").send().await.unwrap();
    assert_eq!(emsp.got("tariffs").len(), 2, "a repeat of its own is a repeat");
    let round = push(&other, "NO/FAR", &emsp.to, "C-1").send().await.unwrap();
    assert_eq!(
        (codes(&round), emsp.got("tariffs").len()),
        ((200, 4000), 2),
        "{round:?}"
    );
    let fresh = push(&other, "NO/FAR", &emsp.to, "C-2").send().await.unwrap();
    assert_eq!(
        codes(&fresh),
        (404, 2000),
        "another message is the receiver's to answer"
    );
}
