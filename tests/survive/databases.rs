//! PostgreSQL goes away, has no connection left, or crawls: the hub says so, loses nothing it acknowledged, and goes on by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use truewatt::sandbox::cpo::SandboxCpo;
use truewatt::sandbox::{CdrDraft, Got, Reply, SandboxEmsp};

use crate::cluster::{Cluster, End};
use crate::posting::Posting;
use crate::world::{Database, Hub, charge, plain_http};

/// Waits for the hub's word about itself.
pub async fn until_ready(hub: &Hub, ready: bool) -> Value {
    let started = Instant::now();
    loop {
        let answer = plain_http::send("GET", &format!("{}/health/ready", hub.url), &[], b"").await;
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        if (answer.status == 200) == ready {
            return said;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "ready={ready} never came: {said}; {}",
            hub.said()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Posts until it is answered with 1000; how often the hub said that it cannot just now.
pub async fn post_until_taken(cpo: &SandboxCpo, emsp: &SandboxEmsp, id: &str) -> usize {
    repeat_until_taken(cpo, &cpo.cdr(id, &emsp.party, &charge(10_000))).await
}

/// The same octets again and again; how often they were refused.
async fn repeat_until_taken(cpo: &SandboxCpo, draft: &CdrDraft) -> usize {
    let started = Instant::now();
    let mut refusals = 0;
    loop {
        let reply = cpo.post_cdr(draft).await.unwrap();
        if reply.accepted() {
            return refusals;
        }
        says_that_it_cannot_now(&reply);
        refusals += 1;
        assert!(started.elapsed() < Duration::from_secs(60), "{}: {reply:?}", draft.id);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// 3000 and a sentence that tells to come back, and nothing of what is behind it.
pub fn says_that_it_cannot_now(reply: &Reply) {
    assert_eq!((reply.http, reply.code), (200, Some(3000)), "{reply:?}");
    let said = reply.message.as_deref().unwrap();
    assert!(
        said.contains("later") && !said.contains("postgres") && !said.contains("sqlite"),
        "{said}"
    );
}

pub async fn arrived(emsp: &SandboxEmsp, ids: usize) -> bool {
    let all = |got: &[Got]| {
        let seen: std::collections::HashSet<_> = got
            .iter()
            .filter(|one| one.refused.is_none())
            .filter_map(Got::object_id)
            .collect();
        seen.len() >= ids
    };
    emsp.platform.wait_for_cdrs(Duration::from_secs(60), all).await
}

// S-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_may_restart_in_the_middle_of_posts() {
    let Some(cluster) = Cluster::start(&[]).await else {
        return;
    };
    let hub = Hub::start(&Database::at(&cluster.url("one"))).await;
    let cpo = Arc::new(hub.cpo("DE/ABC").await);
    let emsp = Arc::new(hub.emsp("DE/EMS").await);
    let posting = Posting::begin(&cpo, &emsp);
    for how in [End::Fast, End::Immediate, End::Killed] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.end("one", how).await;
        assert_eq!(until_ready(&hub, false).await["checks"]["database"], false);
        cluster.serve("one", &[]).await;
        until_ready(&hub, true).await;
    }
    let (posted, refusals) = posting.end().await;
    assert!(refusals > 0, "nobody noticed anything");
    assert!(
        arrived(&emsp, posted).await,
        "not all of {posted} arrived: {}",
        hub.said()
    );
    assert_eq!(hub.cdrs().await.len(), posted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_postgresql_has_no_connection_left_the_hub_says_so_and_goes_on_when_it_has() {
    let Some(cluster) = Cluster::start(&["max_connections=14"]).await else {
        return;
    };
    let hub = Hub::start(&Database::at(&cluster.url("one"))).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    assert_eq!(post_until_taken(&cpo, &emsp, "C-1").await, 0);
    // Somebody else takes every place, also those of the hub.
    let mut crowd = vec![cluster.client("one").await.unwrap()];
    while let Some(one) = {
        let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'truewatt'";
        crowd[0].batch_execute(ended).await.unwrap();
        cluster.client("one").await
    } {
        crowd.push(one);
    }
    says_that_it_cannot_now(
        &cpo.post_cdr(&cpo.cdr("C-2", &emsp.party, &charge(11_000)))
            .await
            .unwrap(),
    );
    until_ready(&hub, false).await;
    drop(crowd);
    post_until_taken(&cpo, &emsp, "C-2").await;
    until_ready(&hub, true).await;
    assert!(arrived(&emsp, 2).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_database_that_crawls_nobody_waits_for_ever() {
    let Some(cluster) = Cluster::start(&[]).await else {
        return;
    };
    let hub = Hub::start(&Database::at(&cluster.url("one"))).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let outside = cluster.client("one").await.unwrap();
    outside
        .batch_execute("BEGIN; LOCK TABLE cdrs, outbox IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let draft = cpo.cdr("C-1", &emsp.party, &charge(10_000));
    let reply = tokio::time::timeout(Duration::from_secs(90), cpo.post_cdr(&draft))
        .await
        .expect("an answer")
        .unwrap();
    says_that_it_cannot_now(&reply);
    outside.batch_execute("ROLLBACK").await.unwrap();
    repeat_until_taken(&cpo, &draft).await;
    assert!(arrived(&emsp, 1).await);
    assert_eq!(
        hub.cdrs().await.len(),
        1,
        "told once that it may not be kept, kept once"
    );
}
