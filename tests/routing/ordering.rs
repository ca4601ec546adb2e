//! One request at a time about one object, in the order in which they came (D-16).

use std::time::Duration;

use futures_util::future::join_all;
use truewatt::client::Method;
use truewatt::sandbox::{Behaviour, Door, Draft};

use crate::world::{World, at};

// R-46, D-16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_about_one_object_arrive_one_by_one_in_order_and_others_beside_them() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    emsp.platform
        .behave(Door::Receiver("sessions"), Behaviour::Slow(Duration::from_millis(100)));
    let session = |id: &str| Draft::session(&cpo.id, id, "04A1", Some(&emsp.id), at()).json();
    for id in ["S1", "S2"] {
        cpo.voice
            .push(Method::PUT, "sessions", &cpo.id, &[id], &session(id), &emsp.to)
            .await
            .unwrap();
    }
    let before = emsp.got("sessions").len();
    let patch = async |id: &str, number: usize| {
        // So far apart that the hub has read one before the next is sent.
        tokio::time::sleep(Duration::from_millis(30 * number as u64)).await;
        let body = Draft::session_patch(&format!("{number}.5"), at()).json();
        let spelled = if number % 2 == 0 {
            id.to_owned()
        } else {
            id.to_lowercase()
        };
        let ids = [spelled.as_str()];
        cpo.voice
            .push(Method::PATCH, "sessions", &cpo.id, &ids, &body, &emsp.to)
            .await
            .unwrap()
    };
    let replies = join_all((0..6).flat_map(|number| [patch("S1", number), patch("S2", number)])).await;
    assert!(replies.iter().all(|reply| reply.accepted()), "{replies:?}");
    let got = emsp.got("sessions").split_off(before);
    let about = |id: &str| {
        got.iter()
            .filter(|got| got.path.to_uppercase().ends_with(id))
            .collect::<Vec<_>>()
    };
    for id in ["S1", "S2"] {
        let line = about(id);
        let said: Vec<_> = line
            .iter()
            .map(|got| got.text().split(['.', ':']).nth(1).unwrap().trim().to_owned())
            .collect();
        assert_eq!(said, ["0", "1", "2", "3", "4", "5"], "{id}");
        for pair in line.windows(2) {
            assert!(!pair[0].overlaps(pair[1]), "two at a time about {id}");
        }
    }
    let beside = about("S1")
        .iter()
        .any(|one| about("S2").iter().any(|other| one.overlaps(other)));
    assert!(beside, "different objects wait for nobody");
}

// D-16, R-41, R-47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_too_long_behind_a_stalled_request_is_told_and_never_sent() {
    let world = World::start_with("[timeouts]\nconnect_s = 1\nrelay_s = 2\n").await;
    let (cpo, emsp) = world.pair().await;
    emsp.platform.behave(Door::Receiver("tariffs"), Behaviour::Stall);
    let put = async |number: u64| {
        tokio::time::sleep(Duration::from_millis(20 * number)).await;
        let body = Draft::tariff(&cpo.id, "T-1", at()).json();
        cpo.voice
            .push(Method::PUT, "tariffs", &cpo.id, &["T-1"], &body, &emsp.to)
            .await
            .unwrap()
    };
    let begun = std::time::Instant::now();
    let replies = join_all((0..80).map(put)).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let count = |code| replies.iter().filter(|reply| reply.code == Some(code)).count();
    assert!(
        count(4002) >= 64 && count(4000) >= 1 && count(4002) + count(4000) == 80,
        "{} {}",
        count(4002),
        count(4000)
    );
    assert!(emsp.got("tariffs").len() <= 4, "{}", emsp.got("tariffs").len());
}
