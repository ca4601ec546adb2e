//! The binary as an operator uses it: start it, speak to it from a shell, stop it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use diesel::Connection;
use diesel::connection::SimpleConnection;
use serde_json::Value;

/// A hub in a process and a folder of its own.
struct Served {
    process: Child,
    url: String,
    token: String,
    database: String,
}

impl Served {
    fn start(folder: &Path) -> Served {
        let mut process = truewatt(folder)
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut said = |name: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(name)
                .unwrap_or_else(|| panic!("{line}"))
                .trim()
                .to_owned()
        };
        let (url, database, token) = (said("listening:"), said("database:"), said("operator token:"));
        Served {
            process,
            url,
            token,
            database,
        }
    }

    fn command(&self, folder: &Path, arguments: &[&str]) -> Output {
        let access = ["--url", &self.url, "--token", &self.token];
        truewatt(folder).args(arguments).args(access).output().unwrap()
    }

    fn stop(mut self) -> Option<i32> {
        let stopped = Command::new("kill")
            .arg("-TERM")
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(stopped.success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn truewatt(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truewatt"));
    command
        .current_dir(folder)
        .env_clear()
        .env("TRUEWATT__SERVER__BIND", "127.0.0.1:0");
    command.env("TRUEWATT__SERVER__PUBLIC_URL", "http://127.0.0.1:0");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_operator_starts_the_hub_lists_a_platform_and_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hub = Served::start(folder);
    assert_eq!(hub.database, "sqlite sqlite://truewatt.db");
    let health = truewatt(folder).args(["health", "--url", &hub.url]).output().unwrap();
    assert_eq!((health.status.code(), text(&health.stdout).trim()), (Some(0), "ready"));

    let create = [
        "party",
        "create",
        "--name",
        "ABC",
        "--party",
        "DE/ABC:CPO,EMSP",
        "--option",
        "custody=false",
        "--json",
    ];
    let created = json(&hub.command(folder, &create));
    let id = created["id"].as_str().unwrap();
    assert!(created["token_a"].as_str().unwrap().contains('-'));
    assert_eq!(created["versions_url"], format!("{}/ocpi/versions", hub.url));
    assert_eq!(created["options"]["custody"], false);

    let listed = json(&hub.command(folder, &["party", "list", "--json"]));
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let shown = hub.command(folder, &["party", "list"]);
    assert!(
        text(&shown.stdout).starts_with("PARTY   ROLE  STATUS   PLATFORM"),
        "{}",
        text(&shown.stdout)
    );

    for (action, status) in [("suspend", "SUSPENDED"), ("show", "SUSPENDED"), ("resume", "PLANNED")] {
        let done = json(&hub.command(folder, &["party", action, "de/abc", "--json"]));
        assert_eq!((done["id"].as_str(), done["status"].as_str()), (Some(id), Some(status)));
    }
    let fresh = json(&hub.command(folder, &["party", "token", id, "--json"]));
    assert_ne!(fresh["token_a"], created["token_a"]);
    let nobody = [
        "party",
        "register",
        id,
        "--versions-url",
        "https://127.0.0.1:1/versions",
        "--token-a",
        "x",
    ];
    let refused = hub.command(folder, &nobody);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("/versions_url"),
        "{}",
        text(&refused.stderr)
    );
    assert!(hub.command(folder, &["party", "delete", id]).status.success());
    assert_eq!(
        json(&hub.command(folder, &["party", "list", "--json"])),
        Value::Array(vec![])
    );

    let stranger = truewatt(folder)
        .args(["party", "list", "--url", &hub.url, "--token", "wrong"])
        .output()
        .unwrap();
    assert_eq!(
        (stranger.status.code(), text(&stranger.stdout)),
        (Some(1), String::new())
    );
    assert!(text(&stranger.stderr).contains("401"));

    let url = hub.url.clone();
    assert_eq!(hub.stop(), Some(0), "SIGTERM is no accident");
    let health = truewatt(folder).args(["health", "--url", &url]).output().unwrap();
    assert_eq!(health.status.code(), Some(1));
}

#[test]
fn migrate_shows_where_the_schema_stands_and_brings_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| truewatt(folder.path()).arg("migrate").args(arguments).output().unwrap();
    let before = run(&["--status", "--json"]);
    assert_eq!(before.status.code(), Some(1), "something is to be done");
    let before: Value = serde_json::from_slice(&before.stdout).unwrap();
    assert!(before["current"].is_null() && !before["pending"].as_array().unwrap().is_empty());
    let after = json(&run(&["--json"]));
    assert_eq!(after["current"], after["latest"]);
    assert_eq!(run(&["--status"]).status.code(), Some(0));
}

#[test]
fn the_configuration_is_printed_with_secrets_masked() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = truewatt(folder.path());
        command.env("TRUEWATT__OPERATOR__TOKEN", "a-very-secret-token");
        command.env("TRUEWATT__DATABASE__URL", "postgres://hub:hunter2@db.example.com/hub");
        command.arg("config").args(arguments).output().unwrap()
    };
    let shown = json(&run(&["--json"]));
    assert_eq!(shown["hub"]["party_id"], "TWH");
    for output in [run(&[]), run(&["--json"])] {
        let text = text(&output.stdout);
        assert!(
            text.contains("db.example.com") && !text.contains("hunter2") && !text.contains("very-secret"),
            "{text}"
        );
    }
}

// D-17
#[test]
fn an_operator_adds_and_ends_agreements_and_the_last_rule_is_the_strongest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hub = Served::start(folder);
    let run = |words: &str| {
        let arguments: Vec<&str> = ["party", "agreements"].into_iter().chain(words.split(' ')).collect();
        hub.command(folder, &arguments)
    };
    let nothing = serde_json::json!({"default": "allow", "rules": []});
    assert_eq!(json(&run("list --json")), nothing);
    run("default deny");
    json(&run("add NL/CPA DE/MSA --json"));
    let agreed = json(&run(
        "add DE/MSA NL/CPA --module tariffs --module nltst-parking --deny --json",
    ));
    let rules = serde_json::json!([
        {"parties": ["NL/CPA", "DE/MSA"], "modules": ["*"], "allow": true},
        {"parties": ["DE/MSA", "NL/CPA"], "modules": ["tariffs", "nltst-parking"], "allow": false},
    ]);
    assert_eq!(agreed, serde_json::json!({"default": "deny", "rules": rules}));
    assert_eq!(json(&run("list --json")), agreed);
    let shown = text(&run("list").stdout);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines,
        [
            "PARTIES        MODULES                RULE",
            "* *            *                      deny",
            "NL/CPA DE/MSA  *                      allow",
            "DE/MSA NL/CPA  tariffs nltst-parking  deny",
        ]
    );
    // What the hub does not take is said in its words, and nothing changes.
    for (words, code, says) in [
        ("add NL/CPA DE/MSA --module a/b", 1, "module id"),
        ("end NL/CPA DE/MSB", 1, "no such rule"),
        ("end NL/CPA DE/MSA --module tariffs", 1, "no such rule"),
        ("add NL/CPA nonsense", 64, "DE/ABC"),
    ] {
        let refused = run(words);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(code), "{words}: {said}");
        assert!(said.contains(says), "{words}: {said}");
    }
    assert_eq!(json(&run("list --json")), agreed);
    let ended = json(&run("end nl/cpa de/msa --module nltst-parking --module tariffs --json"));
    assert_eq!(ended["rules"], serde_json::json!([rules[0]]));
    run("default allow");
    assert_eq!(json(&run("end DE/MSA NL/CPA --json")), nothing);
    assert_eq!(hub.stop(), Some(0));
}

// ECI-07
#[test]
fn an_operator_writes_and_ends_contracts_and_sees_who_steers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hub = Served::start(folder);
    let run = |words: &str| hub.command(folder, &words.split(' ').collect::<Vec<_>>());
    let from = "--from 2026-11-21T12:00:00Z";
    let scoped = format!("contract put roof t3 NL/CPA BE/SCS {from} --location L1 --location L2 --evse E7 --json");
    let made = json(&run(&scoped));
    let places = serde_json::json!({"locations": ["L1", "L2"], "evse_uids": ["E7"]});
    assert_eq!(
        (&made["id"], &made["kind"], &made["scope"]),
        (&"roof".into(), &"T3".into(), &places)
    );
    json(&run(&format!(
        "contract put all T2 DE/MSA BE/SCS {from} --to 2027-11-21T12:00:00Z --relay-by-hub --full --json"
    )));
    assert_eq!(json(&run("contract show roof")), made);
    let shown = text(&run("contract list").stdout);
    let lines: Vec<_> = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines[1..],
        [
            "all T2 DE/MSA BE/SCS hub full 2026-11-21T12:00:00Z 2027-11-21T12:00:00Z everywhere",
            "roof T3 NL/CPA BE/SCS none pseudonymous 2026-11-21T12:00:00Z - L1 L2 E7",
        ]
    );
    assert_eq!(
        json(&run("control list --steered --cpo NL/CPA --json")),
        serde_json::json!([])
    );
    for (words, code, says) in [
        ("contract put x T3 NL/CPA BE/SCS --from soon".to_owned(), 1, "instant"),
        (
            format!("contract put x T2 DE/MSA BE/SCS {from} --precedence cpo"),
            1,
            "precedence",
        ),
        (
            format!("contract put x T2 DE/MSA BE/SCS {from} --location L1"),
            1,
            "scope",
        ),
        (format!("contract put x T3 nonsense BE/SCS {from}"), 64, "DE/ABC"),
        (format!("contract put a/b T3 NL/CPA BE/SCS {from}"), 64, "an id has"),
        ("contract end other".to_owned(), 1, "no such contract"),
        (
            "control release NL/CPA S%1 --reason because".to_owned(),
            1,
            "no such session",
        ),
        ("control release NL-CPA S1 --reason because".to_owned(), 64, "DE/ABC"),
    ] {
        let refused = run(&words);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(code), "{words}: {said}");
        assert!(said.contains(says), "{words}: {said}");
    }
    let first = json(&run(&format!(
        "contract put roof t3 NL/CPA BE/SCS {from} --precedence emsp --json"
    )));
    assert_eq!(
        (&first["precedence"], &first["scope"]),
        (&"emsp".into(), &serde_json::Value::Null)
    );
    json(&run("contract end roof --json"));
    assert_eq!(json(&run("contract list --json")).as_array().unwrap().len(), 1);
    assert_eq!(hub.stop(), Some(0));
}

#[test]
fn what_makes_no_sense_is_exit_code_64_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| truewatt(folder.path()).args(arguments).output().unwrap();
    for arguments in [
        &["fly"][..],
        &[],
        &["serve", "--fast"],
        &["party", "list"],
        &["--config", "missing.toml", "config"],
        &["party", "create", "--name", "x", "--party", "nonsense", "--token", "t"],
        &["bench", "--what", "everything"],
        &["bench", "--what", "pages", "--floor"],
        &["bench", "--what", "broadcast", "--cdrs", "9"],
        &["bench", "--objects", "1000"],
        &["bench", "--what", "relay", "--url", "http://127.0.0.1:1"],
    ] {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert!(!output.stderr.is_empty());
    }
    let wrong = truewatt(folder.path())
        .arg("serve")
        .env("TRUEWATT__TIMEOUTS__RELAY_S", "soon")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert!(
        text(&wrong.stderr).contains("timeouts.relay_s"),
        "{}",
        text(&wrong.stderr)
    );
    assert_eq!(run(&["--help"]).status.code(), Some(0));
    assert_eq!(run(&["--version"]).status.code(), Some(0));
}

#[test]
fn a_severity_nobody_can_have_stops_serve_before_anything_is_created() {
    // design.md 3.2: unknown to the catalogue, and one that decides what was proven
    for code in ["NO_SUCH_CODE", "SIGNATURE_MISMATCH"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("truewatt.toml"),
            format!("[metering.severity]\n{code} = \"info\"\n"),
        )
        .unwrap();
        let output = truewatt(folder.path()).arg("serve").output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{code}: {said}");
        assert!(said.contains(&format!("metering.severity.{code} ")), "{said}");
        let names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["truewatt.toml"], "nothing was created");
    }
}

// key-registry.md 4.3: one byte changed names the entry; an old backup is noticed by whoever kept a newer checkpoint.
#[test]
fn one_changed_byte_of_the_registry_is_named_and_an_old_backup_is_noticed() {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};
    use truewatt::metering::key::Curve;
    use truewatt::metering::sign::SigningMeter;

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let register = |hub: &Served, number: u8| {
        let meter = SigningMeter::from_seed(Curve::Secp256r1, &[number; 32]).unwrap();
        let key = hex::encode(meter.public_key().to_spki_der());
        let (serial, evse) = (format!("M{number}"), format!("DE*ABC*E{number}"));
        let wish = [
            "key",
            "register",
            "--public-key",
            &key,
            "--meter-serial",
            &serial,
            "--evse-id",
            &evse,
            "--cpo",
            "DE/ABC",
            "--valid-from",
            "2026-01-01T00:00:00Z",
            "--json",
        ];
        let key = json(&hub.command(folder, &wish));
        assert_eq!(key["state"], "CONFIRMED", "{key}");
    };
    let verify = |more: &[&str]| {
        let verified = truewatt(folder)
            .args(["key", "log", "verify"])
            .args(more)
            .output()
            .unwrap();
        (verified.status.code(), text(&verified.stdout) + &text(&verified.stderr))
    };
    let database = folder.join("truewatt.db");
    let forget_the_rest = || {
        for tail in ["truewatt.db-wal", "truewatt.db-shm"] {
            let _ = std::fs::remove_file(folder.join(tail));
        }
    };
    let change = |sql: &str| {
        let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
        connection
            .batch_execute(&format!("{sql}; PRAGMA wal_checkpoint(TRUNCATE);"))
            .unwrap();
    };

    let hub = Served::start(folder);
    register(&hub, 1);
    hub.stop();
    change("SELECT 1");
    let backup = std::fs::read(&database).unwrap();

    let hub = Served::start(folder);
    register(&hub, 2);
    let checkpoint = hub.command(folder, &["key", "log", "checkpoint"]);
    let kept = folder.join("kept.json");
    std::fs::write(&kept, &checkpoint.stdout).unwrap();
    let signed_by = json(&checkpoint)["key"].as_str().unwrap().to_owned();
    hub.stop();
    let with_checkpoint = ["--checkpoint", "kept.json", "--signed-by", &signed_by];
    let (code, said) = verify(&with_checkpoint);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = verify(&["--checkpoint", "kept.json", "--signed-by", "00"]);
    assert!(code == Some(1) && said.contains("another key"), "{said}");
    change("SELECT 1");
    let whole = std::fs::read(&database).unwrap();

    std::fs::write(&database, &backup).unwrap();
    forget_the_rest();
    assert_eq!(verify(&[]).0, Some(0), "an old backup is whole in itself");
    let (code, said) = verify(&with_checkpoint);
    assert!(code == Some(1) && said.contains("set back"), "{said}");

    for (column, table) in [
        ("entry", "registry_log"),
        ("hash", "registry_log"),
        ("document", "registry_documents"),
    ] {
        std::fs::write(&database, &whole).unwrap();
        forget_the_rest();
        change("DROP TRIGGER registry_log_is_not_changed; DROP TRIGGER registry_documents_are_not_changed");
        // One character, wherever it stands.
        change(&format!(
            "UPDATE {table} SET {column} = substr({column}, 1, 20) || char(unicode(substr({column}, 21, 1)) + 1) || substr({column}, 22) \
             WHERE seq = 4"
        ));
        let (code, said) = verify(&[]);
        assert!(code == Some(1) && said.contains("entry 4:"), "{table}.{column}: {said}");
    }
}

#[test]
fn what_is_old_is_shown_before_it_is_removed_and_gone_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hub = Served::start(folder);
    let mut database = diesel::SqliteConnection::establish(folder.join("truewatt.db").to_str().unwrap()).unwrap();
    database
        .batch_execute(
            "PRAGMA busy_timeout = 10000; INSERT INTO journal (id, at, correlation_id, module, method, outcome) \
             VALUES ('00000000-0000-7000-8000-000000000000', 0, 'old', 'cdrs', 'POST', 'taken')",
        )
        .unwrap();

    let asked_for_nothing = hub.command(folder, &["retention"]);
    assert_eq!(asked_for_nothing.status.code(), Some(64));
    assert!(
        text(&asked_for_nothing.stderr).contains("--dry-run"),
        "{asked_for_nothing:?}"
    );
    let journal = |hub: &Served| {
        let plan = json(&hub.command(folder, &["retention", "--dry-run", "--json"]));
        let items = plan["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["kind"] == "journal").unwrap()
    };
    assert_eq!(journal(&hub)["goes"], 1);
    let shown = text(&hub.command(folder, &["retention", "--dry-run"]).stdout);
    let line = shown.lines().find(|line| line.starts_with("journal")).unwrap();
    assert!(line.contains("180") && line.contains("1970-01-01"), "{shown}");

    let removed = text(&hub.command(folder, &["retention", "run"]).stdout);
    assert!(removed.lines().any(|line| line == "removed: journal 1"), "{removed}");
    assert_eq!(journal(&hub)["goes"], 0);
}
