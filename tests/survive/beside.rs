//! Two processes on one PostgreSQL: what one agrees, the other knows; one goes and the other has its work; one migrates while the other serves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use truewatt::sandbox::{Behaviour, Door, SandboxEmsp};

use crate::cluster::Cluster;
use crate::databases::arrived;
use crate::posting::Posting;
use crate::world::{Database, Hub, charge, clock, party, plain_http};

/// Two processes, each with its own door, and one name for both.
async fn two(cluster: &Cluster) -> (Hub, Hub) {
    let database = Database::at(&cluster.url("one"));
    let one = Hub::start(&database).await;
    let other = Hub::start_with(&database, &[("server.public_url", one.url.as_str())]).await;
    (one, other)
}

// CR-01, CR-35
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_one_process_gave_opens_the_other_at_once() {
    let Some(cluster) = Cluster::start(&[]).await else {
        return;
    };
    let (one, other) = two(&cluster).await;
    for number in 0..5 {
        let emsp = SandboxEmsp::start("eMSP", party(&format!("DE/E0{number}")), clock())
            .await
            .unwrap();
        one.admit(&emsp.platform, json!({})).await;
        let token = emsp.platform.token().unwrap();
        let authorization = format!("Token {}", base64(&token));
        let versions = format!("{}/ocpi/versions", other.url);
        let answer = plain_http::send("GET", &versions, &[("authorization", &authorization)], b"").await;
        assert_eq!(
            answer.status,
            200,
            "number {number}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_under_another_public_url_than_the_others_says_so_when_it_starts() {
    let Some(cluster) = Cluster::start(&[]).await else {
        return;
    };
    // Each with a directory, and a log, of its own.
    let places = [(); 4].map(|()| Database::at(&cluster.url("one")));
    let one = Hub::start(&places[0]).await;
    let same = Hub::start_with(&places[1], &[("server.public_url", one.url.as_str())]).await;
    let another = Hub::start(&places[2]).await;
    let complaint = "another process on this database serves under another server.public_url";
    assert!(another.said().contains(complaint), "{}", another.said());
    assert!(!one.said().contains(complaint) && !same.said().contains(complaint));
    // A name is taken for as long as its processes live.
    for hub in [&one, &same, &another] {
        hub.kill();
    }
    while cluster
        .number("one", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        .await
        > 0
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let renamed = Hub::start(&places[3]).await;
    assert!(!renamed.said().contains(complaint), "{}", renamed.said());
}

//
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_stop_finishes_what_it_began_and_leaves_no_lease_behind() {
    let Some(cluster) = Cluster::start(&[]).await else {
        return;
    };
    let (one, other) = two(&cluster).await;
    let (cpo, emsp) = (Arc::new(one.cpo("DE/ABC").await), one.emsp("DE/EMS").await);
    emsp.platform
        .behave(Door::CdrReceiver, Behaviour::Slow(Duration::from_millis(1500)));
    let posts: Vec<_> = (0..4)
        .map(|number| {
            let (cpo, payer) = (cpo.clone(), emsp.party.clone());
            tokio::spawn(async move {
                cpo.post_cdr(&cpo.cdr(&format!("C-{number}"), &payer, &charge(10_000 + number)))
                    .await
            })
        })
        .collect();
    assert!(emsp.platform.wait_for_cdrs(Duration::from_secs(30), |_| true).await);
    while cluster
        .number("one", "SELECT count(*) FROM outbox WHERE lease_until > 0")
        .await
        < 4
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(one.stop().await, Some(0), "{}", one.said());
    for post in posts {
        let reply = post.await.unwrap().expect("a request under way is answered");
        assert!(reply.accepted(), "{reply:?}");
    }
    assert_eq!(
        cluster
            .number("one", "SELECT count(*) FROM outbox WHERE lease_until > 0")
            .await,
        0
    );
    assert_eq!(other.cdrs().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_migrates_while_another_serves_on_the_schema_before() {
    let Some(cluster) = Cluster::start(&[]).await else {
        return;
    };
    let database = Database::at(&cluster.url("one"));
    let one = Hub::start(&database).await;
    let (cpo, emsp) = (Arc::new(one.cpo("DE/ABC").await), Arc::new(one.emsp("DE/EMS").await));
    // As if the newest migration had never been: what serves now must do without it, as the program before it does.
    let folder = newest_migration();
    let version = folder
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .split('_')
        .next()
        .unwrap()
        .to_owned();
    let down = std::fs::read_to_string(folder.join("down.sql")).unwrap();
    let back = format!("BEGIN; {down} DELETE FROM schema_versions WHERE version = '{version}'; COMMIT");
    cluster.client("one").await.unwrap().batch_execute(&back).await.unwrap();

    let posting = Posting::begin(&cpo, &emsp);
    while posting.begun() < 40 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let other = Hub::start_with(&database, &[("server.public_url", one.url.as_str())]).await;
    let before = posting.begun();
    while posting.begun() < before + 40 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (posted, refusals) = posting.end().await;
    assert_eq!(refusals, 0, "somebody was turned away: {}", one.said());
    assert!(arrived(&emsp, posted).await);
    assert_eq!(other.cdrs().await.len(), posted);
    let applied = format!("SELECT count(*) FROM schema_versions WHERE version = '{version}'");
    assert_eq!(cluster.number("one", &applied).await, 1);
}

fn newest_migration() -> std::path::PathBuf {
    let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    all.map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .max()
        .unwrap()
}
