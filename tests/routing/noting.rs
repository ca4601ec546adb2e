//! What is written down about a request: who, whom, what, and how it ended; never a body, a token or a driver.

use std::time::Duration;

use serde_json::Value;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Draft, To};

use crate::world::{World, at, codes, complete, party};

/// The lines about one exchange, once there are as many; the journal is written behind.
async fn lines(world: &World, correlation_id: &str, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let path = format!("/journal?correlation_id={correlation_id}");
        let found = world.operator(Method::GET, &path, None).await["items"]
            .as_array()
            .unwrap()
            .clone();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the journal has no {count} lines about {correlation_id}");
}

// M-09, N-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_leaves_one_line_with_ids_parties_and_outcome_and_no_driver() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let tariff = Draft::tariff(&cpo.id, "t-1", at()).json();
    let put = |to: &To, id: &str| {
        let errand = cpo
            .voice
            .errand(Method::PUT, "tariffs", Receiver)
            .of(&cpo.id)
            .at(&["t-1"])
            .to(to)
            .body(&tariff);
        errand.header("x-correlation-id", id).header("x-request-id", "R-1")
    };
    put(&emsp.to, "C-1").send().await.unwrap();
    let line = lines(&world, "C-1", 1).await.pop().unwrap();
    for (name, value) in [
        ("request_id", "R-1"),
        ("from", "NL/CPA"),
        ("to", "DE/MSA"),
        ("module", "tariffs"),
        ("method", "PUT"),
        ("object", "NL/CPA/T-1"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(
        (line["http_status"].as_u64(), line["status_code"].as_u64()),
        (Some(201), Some(1000))
    );
    assert!(line["duration_ms"].is_u64());
    put(&To::Party(party("XX/YYY")), "C-2").from(None).send().await.unwrap();
    let line = lines(&world, "C-2", 1).await.pop().unwrap();
    assert_eq!(
        (line["status_code"].as_u64(), line["to"].as_str()),
        (Some(4001), Some("XX/YYY"))
    );
    let token = Draft::token(&emsp.id, "SECRETUID", "RFID", at()).json();
    let errand = emsp
        .voice
        .errand(Method::PUT, "tokens", Receiver)
        .of(&emsp.id)
        .at(&["SECRETUID"])
        .to(&cpo.to);
    errand
        .body(&token)
        .header("x-correlation-id", "C-3")
        .send()
        .await
        .unwrap();
    let line = lines(&world, "C-3", 1).await.pop().unwrap();
    assert!(
        !line.to_string().contains("SECRETUID") && line["module"] == "tokens",
        "{line}"
    );
}

// X-001, R-13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_of_2_2_and_one_of_2_2_1_exchange_the_same_octets() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo).of_2_2()).await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    let session = Draft::session(&cpo.id, "S1", "04A1", None, at()).odd();
    let reply = cpo
        .voice
        .push(Method::PUT, "sessions", &cpo.id, &["S1"], &session, &emsp.to)
        .await
        .unwrap();
    assert_eq!((codes(&reply), emsp.last("sessions").text()), ((201, 1000), session));
    let token = Draft::token(&emsp.id, "04A1", "RFID", at()).odd();
    let reply = emsp
        .voice
        .push(Method::PUT, "tokens", &emsp.id, &["04A1"], &token, &cpo.to)
        .await
        .unwrap();
    assert_eq!((codes(&reply), cpo.last("tokens").text()), ((201, 1000), token));
    let stop = emsp
        .voice
        .command(
            truewatt::sandbox::Order::StopSession,
            r#"{"session_id":"S1"}"#,
            &To::Open,
        )
        .await
        .unwrap();
    assert_eq!(
        codes(&stop.reply),
        (200, 1000),
        "the session was seen: {:?}",
        stop.reply
    );
    assert!(
        cpo.platform
            .taken()
            .pop()
            .unwrap()
            .response_url
            .contains("/ocpi/2.2/callbacks/")
    );
    let result = emsp.platform.wait_for_result(&stop, crate::world::SOON).await.unwrap();
    assert_eq!(result.refused, None);
}
