//! How the process behaves as a guest on somebody's machine.

use truewatt::sandbox::cpo::To;

use crate::world::{Database, Hub, charge};

on_both_databases!(
    it_stops_when_asked_and_leaves_nothing_behind,
    secrets_and_drivers_are_in_no_log_line
);

async fn it_stops_when_asked_and_leaves_nothing_behind(database: Database) {
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    cpo.post_cdr(&cpo.cdr("C-1", &emsp.party, &charge(1_000)))
        .await
        .unwrap();
    assert_eq!(
        hub.stop().await,
        Some(0),
        "SIGTERM is a request, not an accident; it said:\n{}",
        hub.said()
    );
    let mut left: Vec<String> = std::fs::read_dir(database.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "hub.log" && !name.starts_with("truewatt.db"))
        .collect();
    left.sort();
    assert!(left.is_empty(), "{left:?}");
    hub.restart().await;
    assert_eq!(
        emsp.pull("").await.unwrap().objects.len(),
        1,
        "and knows everything when it comes again"
    );
}

async fn secrets_and_drivers_are_in_no_log_line(database: Database) {
    let hub = Hub::start_with(&database, &[]).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    emsp.platform.go_away().await.unwrap();
    let draft = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    cpo.post_cdr(&draft).await.unwrap();
    cpo.post_body(b"{\"id\":\"broken\"", &To::Open).await.unwrap();
    emsp.platform.come_back().unwrap();
    hub.wait_for_delivery(&cpo.party, "C-1", "delivered").await;
    let said = hub.said();
    for (what, secret) in [
        ("a token of the operator", cpo.platform.token().unwrap()),
        ("a token of the provider", emsp.platform.token().unwrap()),
        ("a driver's card", draft.token_uid.clone()),
        ("a contract", draft.contract_id.clone()),
        ("the operator's own token", "story-operator-token-1f6c2a".to_owned()),
    ] {
        assert!(!said.contains(&secret), "{what} is in the log");
    }
}

/// Runs a command of the program in an empty directory of its own that is also its temporary directory; everything it left is returned.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (std::process::Output, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_truewatt"))
        .args(arguments)
        .current_dir(directory.path())
        .env_clear()
        .env("TMPDIR", directory.path())
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let left = std::fs::read_dir(directory.path()).unwrap();
    let left = left
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    (output, left)
}

#[test]
fn the_demo_comes_out_as_expected_and_leaves_nothing_behind() {
    // Whatever the shell is set up for: a demo runs on a database of its own.
    let elsewhere = [
        ("TRUEWATT__DATABASE__URL", "sqlite://precious.db"),
        ("TRUEWATT__SERVER__BIND", "127.0.0.1:1"),
    ];
    let (output, left) = run(&["demo", "--exit"], &elsewhere);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("21 steps") && said.trim_end().ends_with("all as expected."),
        "{said}"
    );
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_bench_balances_its_books_and_leaves_nothing_behind() {
    let small = [
        "bench",
        "--floor",
        "--cdrs",
        "50",
        "--rounds",
        "1",
        "--connections",
        "8",
        "--json",
    ];
    let (output, left) = run(&small, &[]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{report}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(report["balanced"], true, "{report}");
    for books in report["books"].as_array().unwrap() {
        // 400 to warm up, 50 to measure.
        for count in ["sent", "answered", "stored", "delivered"] {
            assert_eq!(books[count], 450, "{books}");
        }
    }
    assert!(
        report["rate_ratio"].is_number() && report["rounds"].as_array().unwrap().len() == 2,
        "{report}"
    );
    assert!(left.is_empty(), "{left:?}");
}

/// A bench that balances, as its JSON document.
fn balanced_bench(arguments: &[&str]) -> serde_json::Value {
    let (output, left) = run(&[&["bench", "--json", "--rounds", "1"], arguments].concat(), &[]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{report}\n{said}");
    assert_eq!(report["balanced"], true, "{report}");
    assert!(left.is_empty(), "{left:?}");
    report
}

#[test]
fn the_relay_bench_balances_for_puts_and_gets_on_both_paths() {
    let report = balanced_bench(&["--what", "relay", "--floor", "--requests", "50", "--connections", "8"]);
    for books in report["books"].as_array().unwrap() {
        // 400 PUTs and 400 GETs to warm up, 50 of each to measure.
        for count in ["sent", "answered", "received"] {
            assert_eq!(books[count], 900, "{books}");
        }
    }
    for method in ["put", "get"] {
        assert!(report[method]["rate_ratio"].is_number(), "{report}");
    }
}

//
#[test]
fn the_broadcast_bench_balances_with_one_receiver_that_never_answers_and_one_that_refuses() {
    let report = balanced_bench(&[
        "--what",
        "broadcast",
        "--receivers",
        "5",
        "--pushes",
        "50",
        "--rate",
        "50",
    ]);
    let books = &report["books"][0];
    // Fifty locations at three receivers that stay in order, whatever the other two do.
    assert_eq!(books["newest_held"], 150, "{books}");
    assert_eq!(
        (&books["sent"], &books["answered"]),
        (&200.into(), &200.into()),
        "{books}"
    );
    let parts: Vec<&str> = report["parts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|part| part["what"].as_str())
        .collect();
    assert_eq!(parts, ["burst", "all good", "two bad"]);
}

#[test]
fn the_pages_bench_finds_every_object_once_at_every_depth() {
    let report = balanced_bench(&["--what", "pages", "--objects", "1000"]);
    assert_eq!(report["books"][0]["listed"], 1000, "{report}");
    assert_eq!(report["rounds"][0]["pages"], 10);
    assert!(report["last_ratio"].is_number(), "{report}");
}
