//! The primary dies, its synchronous replica takes over, and the hub goes on with the second address of its URL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, End};
use crate::databases::{arrived, until_ready};
use crate::posting::Posting;
use crate::world::{Database, Hub};

/// From the promotion to the first CDR that is taken again (README).
const GOES_ON_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_synchronous_replica_nothing_acknowledged_is_lost_when_the_primary_dies() {
    let Some(cluster) = Cluster::start(&[]).await else {
        return;
    };
    cluster.replicate("one", "two").await;
    let primary = cluster.client("one").await.unwrap();
    primary
        .batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        .await
        .unwrap();
    primary.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    while cluster
        .number(
            "one",
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
        )
        .await
        == 0
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let url = format!(
        "postgres://truewatt@{},{}/postgres?target_session_attrs=read-write",
        cluster.address("one"),
        cluster.address("two")
    );
    let hub = Hub::start(&Database::at(&url)).await;
    let cpo = Arc::new(hub.cpo("DE/ABC").await);
    let emsp = Arc::new(hub.emsp("DE/EMS").await);
    let posting = Posting::begin(&cpo, &emsp);
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.end("one", End::Killed).await;
    assert_eq!(until_ready(&hub, false).await["checks"]["database"], false);
    cluster.promote("two").await;
    let promoted = Instant::now();
    until_ready(&hub, true).await;
    let before = posting.begun();
    while posting.begun() < before + 20 {
        assert!(
            promoted.elapsed() < GOES_ON_WITHIN,
            "the hub does not go on: {}",
            hub.said()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eprintln!("20 CDRs were taken {:?} after the promotion", promoted.elapsed());
    let (posted, _) = posting.end().await;
    assert!(
        arrived(&emsp, posted).await,
        "not all of {posted} arrived: {}",
        hub.said()
    );
    let kept = cluster.number("two", "SELECT count(*) FROM cdrs").await;
    assert_eq!(
        usize::try_from(kept).unwrap(),
        posted,
        "every acknowledged CDR is there, once"
    );
}
