//! How long a receiver may take: by what is asked, and by what the operator says of its platform (D-15).

use std::time::{Duration, Instant};

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Sender;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Order};

use crate::world::{World, at, codes, complete};

const SHORT: &str = "[timeouts]\nconnect_s = 1\nrelay_s = 2\nauthorize_s = 3\ncommand_s = 4\nlist_s = 5\n";

/// The seconds until something was answered, rounded down.
async fn seconds<T>(asking: impl Future<Output = T>) -> (u64, T) {
    let begun = Instant::now();
    let answer = asking.await;
    (begun.elapsed().as_secs(), answer)
}

// R-45, D-15, R-41
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_request_has_the_deadline_of_its_kind() {
    let world = World::start_with(SHORT).await;
    let (cpo, emsp) = world.pair().await;
    emsp.platform.behave(Door::Receiver("tariffs"), Behaviour::Stall);
    emsp.platform.behave(Door::Authorize, Behaviour::Stall);
    for door in [
        Door::Receiver("commands"),
        Door::Receiver("chargingprofiles"),
        Door::Sender("locations"),
    ] {
        cpo.platform.behave(door, Behaviour::Stall);
    }
    let tariff = Draft::tariff(&cpo.id, "T-1", at()).json();
    let ids = ["T-1"];
    let push = cpo.voice.push(Method::PUT, "tariffs", &cpo.id, &ids, &tariff, &emsp.to);
    let authorize = cpo.voice.authorize("04A1", None, None, &emsp.to);
    let stop = emsp
        .voice
        .command(Order::StopSession, r#"{"session_id":"S1"}"#, &cpo.to);
    let profile = emsp.voice.clear_profile("S1", &cpo.to);
    let list = emsp.voice.errand(Method::GET, "locations", Sender).to(&cpo.to).send();
    let (push, authorize, stop, profile, list) = tokio::join!(
        seconds(push),
        seconds(authorize),
        seconds(stop),
        seconds(profile),
        seconds(list)
    );
    assert_eq!((push.0, codes(&push.1.unwrap())), (2, (200, 4002)));
    assert_eq!((authorize.0, codes(&authorize.1.unwrap())), (3, (200, 4002)));
    assert_eq!((stop.0, codes(&stop.1.unwrap().reply)), (4, (200, 4002)));
    assert_eq!((profile.0, codes(&profile.1.unwrap().reply)), (4, (200, 4002)));
    assert_eq!((list.0, codes(&list.1.unwrap())), (5, (200, 4002)));
}

// D-15, N-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platforms_own_deadline_comes_first() {
    let world = World::start_with("[timeouts]\nconnect_s = 1\n").await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
    let options = json!({"timeouts": {"relay_s": 2}});
    let emsp = world.join_with(complete("DE/MSA", Role::Emsp), &[], options).await;
    emsp.platform.behave(Door::Authorize, Behaviour::Stall);
    let (took, reply) = seconds(cpo.voice.authorize("04A1", None, None, &emsp.to)).await;
    assert_eq!((took, codes(&reply.unwrap())), (2, (200, 4002)));
}

// R-47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_never_answers_delays_nobody_else() {
    let world = World::start_with("[timeouts]\nconnect_s = 1\nrelay_s = 5\n").await;
    let (cpo, emsp) = world.pair().await;
    let stuck = world.join(complete("DE/MSB", Role::Emsp)).await;
    stuck.platform.behave(Door::Receiver("tariffs"), Behaviour::Stall);
    let push = async |number: usize, to| {
        let id = format!("T-{number}");
        let body = Draft::tariff(&cpo.id, &id, at()).json();
        cpo.voice
            .push(Method::PUT, "tariffs", &cpo.id, &[&id], &body, to)
            .await
            .unwrap()
    };
    let waiting = futures_util::future::join_all((0..20).map(|number| push(number, &stuck.to)));
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        for number in 0..20 {
            assert!(push(number, &emsp.to).await.accepted());
        }
        begun.elapsed()
    };
    let (waited, took) = tokio::join!(waiting, others);
    assert!(waited.iter().all(|reply| codes(reply) == (200, 4002)));
    assert!(took < Duration::from_secs(4), "{took:?}");
}
