//! SQLite's disk is full, its file is locked by somebody else, or one of its pages is damaged.

use std::process::Command;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole;
use truewatt::sandbox::Plan;
use truewatt::sandbox::cpo::To;

use crate::databases::{arrived, post_until_taken, says_that_it_cannot_now, until_ready};
use crate::world::{Database, Hub, charge, party};

fn path(database: &Database) -> String {
    database.url.strip_prefix("sqlite://").unwrap().to_owned()
}

/// No file of the process may grow beyond this many bytes: to it, a disk that is full. `None` lifts it.
fn limit_files(hub: &Hub, bytes: Option<u64>) -> bool {
    let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let set = Command::new("prlimit")
        .arg(format!("--pid={}", hub.pid()))
        .arg(format!("--fsize={limit}:unlimited"))
        .status();
    set.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_the_hub_says_so_and_goes_on_when_there_is_room_again() {
    let database = Database::sqlite();
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    post_until_taken(&cpo, &emsp, "C-1").await;
    let written = std::fs::metadata(format!("{}-wal", path(&database))).unwrap().len();
    if !limit_files(&hub, Some(written + 4096)) {
        eprintln!("SKIPPED: a full disk needs prlimit (util-linux)");
        return;
    }
    let said = until_ready(&hub, false).await;
    assert_eq!(
        (&said["checks"]["database"], &said["checks"]["intact"]),
        (&json!(false), &json!(true)),
        "{said}"
    );
    says_that_it_cannot_now(
        &cpo.post_cdr(&cpo.cdr("C-2", &emsp.party, &charge(11_000)))
            .await
            .unwrap(),
    );
    // What was acknowledged can still be read.
    assert_eq!(hub.cdrs().await.len(), 1);
    assert!(limit_files(&hub, None));
    until_ready(&hub, true).await;
    post_until_taken(&cpo, &emsp, "C-2").await;
    assert!(arrived(&emsp, 2).await);
    assert_eq!(hub.cdrs().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_else_locks_is_waited_for_a_while_and_then_said_to_be_busy() {
    let database = Database::sqlite();
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let mut outside = SqliteConnection::establish(&path(&database)).unwrap();
    outside
        .batch_execute("PRAGMA busy_timeout = 10000; BEGIN EXCLUSIVE")
        .unwrap();
    let draft = cpo.cdr("C-1", &emsp.party, &charge(10_000));
    let reply = tokio::time::timeout(Duration::from_secs(90), cpo.post_cdr(&draft))
        .await
        .expect("an answer")
        .unwrap();
    says_that_it_cannot_now(&reply);
    until_ready(&hub, false).await;
    outside.batch_execute("ROLLBACK").unwrap();
    until_ready(&hub, true).await;
    post_until_taken(&cpo, &emsp, "C-1").await;
    assert!(arrived(&emsp, 1).await);
}

#[derive(QueryableByName)]
struct Page {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_is_named_in_the_readiness_and_the_rest_goes_on() {
    let database = Database::sqlite();
    let hub = Hub::start(&database).await;
    let cpo = hub.cpo("DE/ABC").await;
    let (emsp, _) = hub
        .emsp_of(
            Plan::emsp("eMSP", party("DE/EMS")).also("locations", InterfaceRole::Receiver),
            json!({}),
        )
        .await;
    post_until_taken(&cpo, &emsp, "C-1").await;
    assert_eq!(hub.stop().await, Some(0));

    // The first page of the table of locations and the like; no CDR touches it.
    let mut outside = SqliteConnection::establish(&path(&database)).unwrap();
    outside.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let page: Page = diesel::sql_query(
        "SELECT CAST(rootpage AS BIGINT) AS number FROM sqlite_master WHERE type = 'table' AND name = 'mirror'",
    )
    .get_result(&mut outside)
    .unwrap();
    drop(outside);
    let mut file = std::fs::read(path(&database)).unwrap();
    let at = usize::try_from(page.number - 1).unwrap() * 4096;
    file[at] ^= 0xFF;
    std::fs::write(path(&database), &file).unwrap();

    hub.restart().await;
    let body = json!({
        "country_code": "DE", "party_id": "ABC", "id": "LOC1", "publish": true, "address": "A 1", "city": "B", "country": "DEU",
        "coordinates": {"latitude": "52.520000", "longitude": "13.404000"}, "time_zone": "Europe/Berlin",
        "last_updated": "2026-11-21T08:00:00Z",
    })
    .to_string();
    let reply = cpo
        .voice()
        .push(Method::PUT, "locations", &cpo.party, &["LOC1"], &body, &To::Hub)
        .await
        .unwrap();
    assert_eq!(
        (reply.http, reply.code, reply.message.as_deref()),
        (200, Some(3000), Some("internal error"))
    );
    let said = until_ready(&hub, false).await;
    assert_eq!(
        (&said["checks"]["database"], &said["checks"]["intact"]),
        (&json!(true), &json!(false)),
        "{said}"
    );
    // What is whole is served, and what was acknowledged is there.
    post_until_taken(&cpo, &emsp, "C-2").await;
    assert!(arrived(&emsp, 2).await);
    assert_eq!(hub.cdrs().await.len(), 2);
    assert!(hub.said().contains("the database is damaged"), "{}", hub.said());
}
