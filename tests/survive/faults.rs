//! Everything at once: `kill -9` of any process, databases that restart or are locked, receivers in every bad mood, and 5 000 CDRs
//! through the middle of it (25 000 with `TRUEWATT_LONG=1`). What was answered with 1000 is delivered at least once and stored exactly
//! once, every duplicate at a receiver is explained by an attempt nobody could write down, no receiver sees an older state of an object
//! after a newer one, and the books are balanced at the end.
//!
//! Chance comes from one seed, which is printed: what happens, to whom, and after how long is the same in the next run with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::json;
use tokio::sync::watch;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole;
use truewatt::sandbox::cpo::{SandboxCpo, To};
use truewatt::sandbox::{Behaviour, Door, Plan, SandboxEmsp};

use crate::balancer::Balancer;
use crate::books::{Books, Trouble};
use crate::cluster::{Cluster, End};
use crate::dice::{Dice, seed};
use crate::world::{Database, Hub, charge, long, party};

/// Posts at the same time.
const HANDS: u64 = 40;
/// Objects that are broadcast again and again.
const OBJECTS: [&str; 4] = ["LOC1", "LOC2", "LOC3", "LOC4"];
const RECEIVERS: [&str; 4] = ["DE/EMA", "DE/EMB", "NL/EMC", "FR/EMD"];

// CDR-11, R-43, R-47, D-16, D-18, S-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_postgresql_lose_nothing_whatever_happens() {
    let Some(cluster) = Cluster::start(&[]).await else {
        return;
    };
    let database = Database::at(&cluster.url("one"));
    let (balancer, behind) = Balancer::open().await;
    let settings = [
        ("server.public_url", balancer.url.as_str()),
        ("paging.max_limit", "1000"),
        ("duties.lease_s", "10"),
        ("timeouts.list_s", "30"),
    ];
    let hubs = [
        Hub::start_with(&database, &settings).await,
        Hub::start_with(&database, &settings).await,
    ];
    behind.send_replace(hubs.iter().map(|hub| hub.url.replace("http://", "")).collect());
    run(hubs.map(Arc::new).to_vec(), Harm::Postgres(cluster)).await;
}

// CDR-11, R-43, R-47, D-16, D-18, S-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_on_sqlite_loses_nothing_whatever_happens() {
    let database = Database::sqlite();
    let hub = Hub::start_with(
        &database,
        &[
            ("paging.max_limit", "1000"),
            ("duties.lease_s", "10"),
            ("timeouts.list_s", "30"),
        ],
    )
    .await;
    let path = database.url.strip_prefix("sqlite://").unwrap().to_owned();
    run(vec![Arc::new(hub)], Harm::Sqlite(path)).await;
}

/// What can be done to a database.
enum Harm {
    Postgres(Cluster),
    Sqlite(String),
}

async fn run(hubs: Vec<Arc<Hub>>, harm: Harm) {
    let (seed, started) = (seed(), Instant::now());
    let count = if long() { 25_000 } else { 5_000 };
    let cpo = Arc::new(hubs[0].cpo("DE/ABC").await);
    let mut emsps = Vec::new();
    for name in RECEIVERS {
        let plan = Plan::emsp(&format!("eMSP {name}"), party(name)).also("locations", InterfaceRole::Receiver);
        emsps.push(Arc::new(hubs[0].emsp_of(plan, json!({})).await.0));
    }

    let (over, done) = watch::channel(false);
    let troubles = Arc::new(Mutex::new(Vec::new()));
    let deaths = tokio::spawn(kill_and_harm(
        hubs.clone(),
        harm,
        Dice::of(seed, 1),
        done.clone(),
        troubles.clone(),
    ));
    let moods: Vec<_> = (0_u64..)
        .zip(&emsps)
        .map(|(number, emsp)| tokio::spawn(change_moods(emsp.clone(), Dice::of(seed, 100 + number), done.clone())))
        .collect();
    let told = tokio::spawn(broadcast(cpo.clone(), done.clone()));
    let posted = post(&cpo, &emsps, count, seed).await;

    // Enough of everything, however fast the posts went.
    while troubles.lock().unwrap().len() < 6 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    over.send_replace(true);
    let harm = deaths.await.unwrap();
    for mood in moods {
        mood.await.unwrap();
    }
    let revisions = told.await.unwrap();
    let disturbed = started.elapsed();

    let books = Books {
        hubs: &hubs,
        cpo: &cpo,
        emsps: &emsps,
        posted: &posted,
        troubles: std::mem::take(&mut *troubles.lock().unwrap()),
    };
    books.everything_is_delivered().await;
    books
        .every_object_ends_with_its_last_state(&OBJECTS, revisions + 1)
        .await;
    let duplicates = books.everything_is_stored_once_and_every_duplicate_is_explained().await;
    let told = books.no_receiver_saw_an_older_state_after_a_newer_one(&OBJECTS);
    assert!(
        revisions > 10 && told > 10,
        "{revisions} revisions, {told} told: nothing was broadcast"
    );
    eprintln!(
        "survived (seed {seed}): {count} CDRs, {}; {revisions} revisions of {} objects told {told} times; {duplicates}; {:?} of trouble, {:?} in all",
        books.summary(),
        OBJECTS.len(),
        disturbed,
        started.elapsed()
    );
    drop(harm);
}

/// Posts until every CDR has been answered with 1000, as a real operator does: what was not, is posted again.
async fn post(
    cpo: &Arc<SandboxCpo>,
    emsps: &[Arc<SandboxEmsp>],
    count: usize,
    seed: u64,
) -> HashMap<String, (usize, String)> {
    let number = Arc::new(AtomicUsize::new(0));
    let payers: Vec<_> = emsps.iter().map(|emsp| emsp.party.clone()).collect();
    let hands: Vec<_> = (0..HANDS)
        .map(|hand| {
            let (cpo, payers, number) = (cpo.clone(), payers.clone(), number.clone());
            let mut dice = Dice::of(seed, 1000 + hand);
            tokio::spawn(async move {
                let mut posted = Vec::new();
                loop {
                    let number = number.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return posted;
                    }
                    let payer = usize::try_from(dice.below(payers.len() as u64)).unwrap();
                    let watt_hours = 10_000 + i64::try_from(number).unwrap();
                    let draft = cpo.cdr(&format!("C-{number}"), &payers[payer], &charge(watt_hours));
                    loop {
                        match tokio::time::timeout(Duration::from_secs(60), cpo.post_cdr(&draft)).await {
                            Ok(Ok(reply)) if reply.accepted() => break,
                            // The hub says that it cannot just now, and says so in a sentence.
                            Ok(Ok(reply)) => assert!(
                                reply.code == Some(3000)
                                    && reply.message.as_ref().is_some_and(|said| said.contains("later")),
                                "{}: {reply:?}",
                                draft.id
                            ),
                            // Nobody was there, or died over it.
                            Ok(Err(_)) => {}
                            Err(_) => panic!("{}: a minute without an answer", draft.id),
                        }
                        tokio::time::sleep(dice.pause(20, 200)).await;
                    }
                    posted.push((draft.id.clone(), (payer, draft.json())));
                }
            })
        })
        .collect();
    let mut all = HashMap::new();
    for hand in hands {
        all.extend(hand.await.unwrap());
    }
    all
}

/// Kills processes and harms the database, one thing after the other, until it is over.
async fn kill_and_harm(
    hubs: Vec<Arc<Hub>>,
    harm: Harm,
    mut dice: Dice,
    mut over: watch::Receiver<bool>,
    troubles: Arc<Mutex<Vec<Trouble>>>,
) -> Harm {
    while !rest(&mut over, dice.pause(2_500, 6_000)).await {
        let from = Instant::now();
        let kind = if dice.below(3) < 2 { "death" } else { "database" };
        match (kind, &harm) {
            ("death", _) => {
                let hub = dice.one_of(&hubs).clone();
                let kill = hub.killer();
                tokio::task::spawn_blocking(move || kill()).await.unwrap();
                tokio::time::sleep(dice.pause(0, 1_500)).await;
                hub.restart().await;
            }
            (_, Harm::Postgres(cluster)) => {
                cluster
                    .end("one", *dice.one_of(&[End::Fast, End::Immediate, End::Killed]))
                    .await;
                tokio::time::sleep(dice.pause(0, 2_000)).await;
                cluster.serve("one", &[]).await;
            }
            (_, Harm::Sqlite(path)) => {
                let (path, held) = (path.clone(), dice.pause(500, 4_000));
                tokio::task::spawn_blocking(move || {
                    let mut outside = SqliteConnection::establish(&path).unwrap();
                    outside
                        .batch_execute("PRAGMA busy_timeout = 10000; BEGIN EXCLUSIVE")
                        .unwrap();
                    std::thread::sleep(held);
                    outside.batch_execute("ROLLBACK").unwrap();
                })
                .await
                .unwrap();
            }
        }
        let to = Instant::now();
        troubles.lock().unwrap().push(Trouble { kind, from, to });
    }
    harm
}

/// One receiver, now well, now not.
async fn change_moods(emsp: Arc<SandboxEmsp>, mut dice: Dice, mut over: watch::Receiver<bool>) {
    let envelope = |http, code| Behaviour::Envelope {
        http,
        code,
        message: "not now".to_owned(),
    };
    let moods = [
        Behaviour::Plain(500),
        Behaviour::Plain(503),
        Behaviour::Html,
        Behaviour::HangUp,
        Behaviour::HalfAnswer,
        Behaviour::Unauthorised,
        Behaviour::TooManyRequests(Some(1)),
        Behaviour::TooManyRequests(Some(2)),
        Behaviour::TooManyRequests(None),
        envelope(200, 3000),
        envelope(500, 3000),
        Behaviour::Slow(Duration::from_millis(300)),
    ];
    while !rest(&mut over, dice.pause(500, 3_000)).await {
        let door = if dice.below(4) == 0 {
            Door::Receiver("locations")
        } else {
            Door::CdrReceiver
        };
        match dice.below(8) {
            0 => {
                emsp.platform.go_away().await.unwrap();
                rest(&mut over, dice.pause(200, 2_500)).await;
                emsp.platform.come_back().unwrap();
            }
            1 => (0..4).for_each(|_| emsp.platform.behave_once(door, Behaviour::Stall)),
            _ => {
                emsp.platform.behave(door, dice.one_of(&moods).clone());
                rest(&mut over, dice.pause(300, 1_500)).await;
                emsp.platform.behave(door, Behaviour::Proper);
            }
        }
    }
}

/// Tells the states of some objects to everybody, one after the other; how many each has had.
async fn broadcast(cpo: Arc<SandboxCpo>, mut over: watch::Receiver<bool>) -> usize {
    let ended = AtomicBool::new(false);
    let mut revision = 0;
    while !ended.load(Ordering::Relaxed) {
        revision += 1;
        for object in OBJECTS {
            tell(&cpo, object, revision).await;
        }
        let is_over = rest(&mut over, Duration::from_millis(100)).await;
        ended.store(is_over, Ordering::Relaxed);
    }
    revision
}

/// One state of one object to everybody, until the hub has it.
pub async fn tell(cpo: &SandboxCpo, object: &str, revision: usize) {
    let minutes = chrono::TimeDelta::seconds(i64::try_from(revision).unwrap());
    let updated = (crate::world::now() - chrono::TimeDelta::days(1) + minutes).format("%Y-%m-%dT%H:%M:%SZ");
    let body = json!({
        "country_code": "DE", "party_id": "ABC", "id": object, "publish": true, "name": format!("revision {revision}"),
        "address": "A 1", "city": "B", "country": "DEU", "coordinates": {"latitude": "52.520000", "longitude": "13.404000"},
        "time_zone": "Europe/Berlin", "last_updated": updated.to_string(),
    })
    .to_string();
    let started = Instant::now();
    loop {
        let (voice, name) = (cpo.voice(), [object]);
        let pushing = voice.push(Method::PUT, "locations", &cpo.party, &name, &body, &To::Hub);
        if let Ok(Ok(reply)) = tokio::time::timeout(Duration::from_secs(60), pushing).await {
            if reply.accepted() {
                return;
            }
            assert_eq!(reply.code, Some(3000), "{object} {revision}: {reply:?}");
        }
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "{object} {revision}: never taken"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits; true when it is over.
async fn rest(over: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    let _ = tokio::time::timeout(pause, over.wait_for(|over| *over)).await;
    *over.borrow()
}
