//! `kill -9` in the middle of a walk over the CDRs that a registration is about: another process goes on, and none is judged twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use truewatt::sandbox::SandboxEmsp;
use truewatt::sandbox::cpo::SandboxCpo;

use crate::world::{Database, Hub, Keys, charge, long, random_below};

on_both_databases!(every_affected_cdr_has_exactly_one_new_verdict_whenever_the_hub_dies);

/// CDRs of the meter: more than are looked at while somebody notices and kills.
const AFFECTED: usize = 300;
/// CDRs of another operator, whose key nobody registers.
const OTHERS: usize = 5;
/// Posts at the same time.
const HANDS: usize = 6;
/// Longer than a lease and a restart on a busy machine.
const GOES_ON_WITHIN: Duration = Duration::from_secs(60);

async fn every_affected_cdr_has_exactly_one_new_verdict_whenever_the_hub_dies(database: Database) {
    // 4.6: verdicts are append-only, and a new registration triggers the re-check of the affected CDRs.
    let hub = Hub::start(&database).await;
    let cpo = Arc::new(hub.cpo_with("DE/ABC", Keys::Unknown).await);
    let other = Arc::new(hub.cpo_with("DE/XYZ", Keys::Unknown).await);
    let emsp = hub.emsp("DE/EMS").await;
    post(&cpo, &emsp, AFFECTED).await;
    post(&other, &emsp, OTHERS).await;
    assert_eq!(verified(&hub).await, 0);

    hub.register_key(&cpo.meter, &cpo.party).await;
    let mut done = 0;
    for death in 0..if long() { 20 } else { 3 } {
        more_than(done, &hub).await;
        tokio::time::sleep(Duration::from_micros(random_below(20_000))).await;
        hub.kill();
        hub.restart().await;
        done = verified(&hub).await;
        assert!(
            done > 0 && (done < AFFECTED || death > 0),
            "it was to die on the way, not at {done}"
        );
        if done == AFFECTED {
            break;
        }
    }
    more_than(AFFECTED - 1, &hub).await;
    until_at_rest(&hub).await;
    for (cpo, count, wanted) in [
        (&cpo, AFFECTED, vec!["INTEGRITY_ONLY", "VERIFIED"]),
        (&other, OTHERS, vec!["INTEGRITY_ONLY"]),
    ] {
        for number in 0..count {
            let cdr = hub.cdr(&cpo.party, &id(number)).await;
            let reports = cdr["reports"].as_array().unwrap();
            let statuses: Vec<&str> = reports.iter().map(|one| one["status"].as_str().unwrap()).collect();
            assert_eq!(statuses, wanted, "{number}");
        }
    }
}

fn id(number: usize) -> String {
    format!("C-{number}")
}

/// So many sessions of the operator's meter, from several hands.
async fn post(cpo: &Arc<SandboxCpo>, emsp: &SandboxEmsp, count: usize) {
    let hands: Vec<_> = (0..HANDS)
        .map(|hand| {
            let (cpo, payer) = (Arc::clone(cpo), emsp.party.clone());
            tokio::spawn(async move {
                for number in (hand..count).step_by(HANDS) {
                    let watt_hours = 10_000 + i64::try_from(number).unwrap();
                    let draft = cpo.cdr(&id(number), &payer, &charge(watt_hours));
                    assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
                }
            })
        })
        .collect();
    for hand in hands {
        hand.await.unwrap();
    }
}

/// How many CDRs have the verdict that the registration brings.
async fn verified(hub: &Hub) -> usize {
    let found = hub
        .operator_ok("GET", "/cdrs?metering_status=VERIFIED&limit=1000", None)
        .await;
    found["items"].as_array().unwrap().len()
}

async fn more_than(done: usize, hub: &Hub) {
    let started = Instant::now();
    while verified(hub).await <= done {
        assert!(
            started.elapsed() < GOES_ON_WITHIN,
            "stopped at {done}; the hub said:\n{}",
            hub.said()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Until the whole walk is noted as done.
async fn until_at_rest(hub: &Hub) {
    let started = Instant::now();
    loop {
        let standing = hub.operator_ok("GET", "/rechecks", None).await;
        let changes = standing["changes"].as_array().unwrap();
        if changes.iter().all(|change| change["state"] != "running") {
            return;
        }
        assert!(started.elapsed() < GOES_ON_WITHIN, "{standing}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
