//! How the hub treats a receiver that is in trouble, and those beside it.

use std::time::{Duration, Instant};

use serde_json::json;
use truewatt::sandbox::{Behaviour, Door};

use crate::databases::arrived;
use crate::world::{Database, Hub, charge};

on_both_databases!(a_receiver_that_takes_nothing_is_left_alone_visibly_probed_and_served_when_it_is_well);

//
async fn a_receiver_that_takes_nothing_is_left_alone_visibly_probed_and_served_when_it_is_well(database: Database) {
    let hub = Hub::start_with(&database, &[("duties.max_retry_s", "600")]).await;
    let cpo = hub.cpo("DE/ABC").await;
    let (ill, platform) = hub.emsp_with("DE/ILL", json!({})).await;
    let well = hub.emsp("DE/EMS").await;
    ill.platform.behave(Door::CdrReceiver, Behaviour::Plain(500));
    for number in 0..60 {
        let draft = cpo.cdr(&format!("ILL-{number}"), &ill.party, &charge(10_000 + number));
        assert!(cpo.post_cdr(&draft).await.unwrap().accepted(), "it is in custody");
    }
    let path = format!("/platforms/{platform}");
    let started = Instant::now();
    loop {
        let breaker = hub.operator_ok("GET", &path, None).await["breaker"].clone();
        if breaker["failures"].as_i64() >= Some(3) {
            assert!(
                ["open", "half-open"].contains(&breaker["state"].as_str().unwrap()),
                "{breaker}"
            );
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{breaker}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // 60 first attempts, whose senders waited, and then probes: one at a time, not sixty.
    let asked = ill.platform.got_cdrs().len();
    assert!((60..90).contains(&asked), "asked {asked} times");
    let draft = cpo.cdr("WELL", &well.party, &charge(9_000));
    assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
    assert!(arrived(&well, 1).await, "nobody else waits for it");
    ill.platform.behave(Door::CdrReceiver, Behaviour::Proper);
    assert!(
        arrived(&ill, 60).await,
        "a probe was taken, and then the rest need not wait its ten minutes: {}",
        hub.said()
    );
    let started = Instant::now();
    while !hub.operator_ok("GET", &path, None).await["breaker"].is_null() {
        assert!(started.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
