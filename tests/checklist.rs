//! Every requirement and the test that proves it, as tables: `tests/checklist/proofs.md` for OCPI, `tests/checklist/registry.md` for keys
//! and evidence.
//!
//! The requirements are not part of this repository; they are found as `tests/corpus` says. The tables hold their ids, levels or parts, and
//! the names of our tests, and nobody writes them by hand: `WRITE_PROOFS=1 cargo test --test checklist` does.

#![allow(clippy::unwrap_used, reason = "a test says what must be there")]

#[path = "checklist/cited.rs"]
mod cited;
mod corpus;
#[path = "checklist/elsewhere.rs"]
mod elsewhere;
#[path = "house/files.rs"]
mod files;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use cited::{by_id, ids_in, tests_in};
use elsewhere::{LATER_OR_OTHERS, OTHER_VERSION, PEERS_ONLY, STATED};
use files::{read, rust_files};

const TABLE: &str = "tests/checklist/proofs.md";
const REGISTRY_TABLE: &str = "tests/checklist/registry.md";

/// One requirement.
struct Row {
    id: String,
    /// `MUST`, …; of the registry's rows, the parts that it binds.
    level: String,
}

#[allow(
    clippy::disallowed_methods,
    reason = "where the checklist is, the tester knows, not config"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The rows of sections 1.1 to 1.18; `None`, with a line, when the checklist is not here.
fn rows() -> Option<Vec<Row>> {
    let text = corpus::text("ocpi-checklist.md")?;
    let from = text.find("\n## 1.1 ").unwrap();
    let to = text.find("\n## 1.19 ").unwrap();
    let rows = text[from..to].lines().filter_map(row).collect::<Vec<_>>();
    assert!(rows.len() > 300, "the checklist has {} rows", rows.len());
    Some(rows)
}

/// `| ID | level | …`; the header cases of 1.7.2 have no level, and no choice either.
fn row(line: &str) -> Option<Row> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    let id = cells.next().filter(|id| ids_in(id) == [*id])?.to_owned();
    let level = cells.next()?.trim();
    let level = if ["MUST", "MUST NOT", "SHOULD", "MAY"].contains(&level) {
        level
    } else {
        "MUST"
    };
    Some(Row {
        id,
        level: level.to_owned(),
    })
}

/// The rows about calibration law, best practices, interfaces and plausibility, with the parts they bind.
fn registry_rows() -> Option<Vec<Row>> {
    let text = corpus::text("key-registry.md")?;
    let rows: Vec<Row> = text.lines().filter_map(registry_row).collect();
    assert!(rows.len() > 70, "key-registry.md has {} rows", rows.len());
    Some(rows)
}

/// `| SAF-10 | requirement | parts | proof |`; of calibration law `| CAL-R1 Precision | …`. The checks are the registry's all of them.
fn registry_row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
    let id = cells.first()?.split(' ').next()?;
    let parts = match id.split_once('-')?.0 {
        "SAF" => cells.get(2)?,
        "CAL" if !id.starts_with("CAL-IF") => cells.get(2)?,
        "CAL" | "PC" => "PKR",
        _ => return None,
    };
    (ids_in(id) == [id]).then(|| Row {
        id: id.to_owned(),
        level: parts.to_owned(),
    })
}

/// Whether a row binds what this hub has: the registry, the validation, or the hub itself.
fn is_ours(row: &Row) -> bool {
    row.level.split(' ').any(|part| ["PKR", "MV", "HUB"].contains(&part))
}

fn proofs() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "tests"]
        .into_iter()
        .flat_map(|folder| rust_files(&root.join(folder)));
    // This file only shows what citing looks like.
    let files = files.filter(|path| !path.ends_with("tests/checklist.rs"));
    by_id(files.map(|path| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let source = fs::read_to_string(&path).unwrap();
        (name, source)
    }))
}

#[test]
fn no_requirement_is_without_its_proof_or_its_reason() {
    let Some(rows) = rows() else { return };
    let proofs = proofs();
    let reason = |list: &[(&str, &str)], id: &str| list.iter().any(|(known, _)| *known == id);
    let bare: Vec<&str> = rows
        .iter()
        .filter(|row| !proofs.contains_key(&row.id))
        .filter(|row| !reason(PEERS_ONLY, &row.id) && !reason(OTHER_VERSION, &row.id))
        .filter(|row| row.level.starts_with("MUST") || !reason(STATED, &row.id))
        .map(|row| row.id.as_str())
        .collect();
    assert!(bare.is_empty(), "{} without a proof: {}", bare.len(), bare.join(" "));
}

#[test]
fn no_requirement_is_proven_by_the_rented_neighbours_alone() {
    let Some(rows) = rows() else { return };
    let proofs = proofs();
    let beside = |proof: &&String| proof.starts_with("`src/sandbox/") || proof.starts_with("`tests/sandbox/");
    let alone: Vec<&str> = rows
        .iter()
        .filter(|row| row.level.starts_with("MUST"))
        .filter(|row| {
            proofs
                .get(&row.id)
                .is_some_and(|proofs| proofs.iter().all(|proof| beside(&proof)))
        })
        .map(|row| row.id.as_str())
        .collect();
    assert!(alone.is_empty(), "a neighbour is no hub: {}", alone.join(" "));
}

#[test]
fn a_reason_is_given_only_where_it_is_needed() {
    let Some(rows) = rows() else { return };
    let proofs = proofs();
    for (id, _) in PEERS_ONLY.iter().chain(OTHER_VERSION).chain(STATED) {
        assert!(rows.iter().any(|row| row.id == *id), "{id} is no row of the checklist");
        assert!(!proofs.contains_key(*id), "{id} has a proof and needs no reason");
    }
}

#[test]
fn every_row_of_the_registry_that_is_ours_has_a_test_named_after_it() {
    let Some(rows) = registry_rows() else { return };
    let ours = rows
        .iter()
        .filter(|row| is_ours(row) && !LATER_OR_OTHERS.iter().any(|(id, _)| *id == row.id));
    have_a_test_of_their_name(ours.map(|row| row.id.as_str()));
}

// ECI-24 is the bridge's, to version 2.1.1.
#[test]
fn every_row_of_smart_charging_that_is_ours_has_a_test_named_after_it() {
    let Some(text) = corpus::text("smart-charging.md") else {
        return;
    };
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
        let id = cells.first().filter(|id| id.starts_with("ECI-") && **id != "ECI-24")?;
        let parts = cells.get(2)?.split(' ').any(|part| ["HUB", "CPR"].contains(&part));
        parts.then_some(*id)
    });
    let ours: Vec<&str> = rows.collect();
    assert!(ours.len() > 20, "smart-charging.md has {} rows for us", ours.len());
    have_a_test_of_their_name(ours.into_iter());
}

fn have_a_test_of_their_name<'a>(ids: impl Iterator<Item = &'a str>) {
    let proofs = proofs();
    let bare: Vec<&str> = ids
        .filter(|id| {
            let name = format!("{}_", id.to_lowercase().replace('-', "_"));
            let of_row = proofs.get(*id).into_iter().flatten();
            !of_row.into_iter().any(|proof| proof.contains(&name))
        })
        .collect();
    assert!(
        bare.is_empty(),
        "{} without a test of their name: {}",
        bare.len(),
        bare.join(" ")
    );
}

#[test]
fn the_tables_in_the_repository_are_the_ones_the_tests_give() {
    let (Some(rows), Some(registry)) = (rows(), registry_rows()) else {
        return;
    };
    let proofs = proofs();
    for (file, table) in [
        (TABLE, table(&rows, &proofs)),
        (REGISTRY_TABLE, registry_table(&registry, &proofs)),
    ] {
        if environment("WRITE_PROOFS").is_some() {
            fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), &table).unwrap();
        }
        assert!(
            read(file) == table,
            "{file} is out of date: WRITE_PROOFS=1 cargo test --test checklist"
        );
    }
}

fn registry_table(rows: &[Row], proofs: &BTreeMap<String, Vec<String>>) -> String {
    let mut text = "# Which test proves which requirement of keys and evidence\n\n\
        Written by `tests/checklist.rs` from the ids that tests cite; never by hand. Parts: HUB hub core, MV validation of metering data, \
        PKR registry, CLI, CON console (later), OGW gateway (later).\n\n\
        | ID | Part | Proven by |\n| --- | --- | --- |\n"
        .to_owned();
    for row in rows {
        let why = LATER_OR_OTHERS.iter().find(|(id, _)| *id == row.id);
        let proof = proofs
            .get(&row.id)
            .map(|proofs| proofs.join("<br>"))
            .or_else(|| why.map(|(_, why)| format!("not here: {why}")))
            .unwrap_or_default();
        writeln!(text, "| {} | {} | {proof} |", row.id, row.level).unwrap();
    }
    text
}

fn table(rows: &[Row], proofs: &BTreeMap<String, Vec<String>>) -> String {
    let mut text = "# Which test proves which requirement\n\n\
        Written by `tests/checklist.rs` from the ids that tests cite; never by hand. A test named here fails when its requirement is not met.\n\n\
        | ID | Level | Proven by |\n| --- | --- | --- |\n"
        .to_owned();
    for row in rows {
        let said = |list: &[(&str, &str)], word: &str| {
            let (_, why) = list.iter().find(|(id, _)| *id == row.id)?;
            Some(format!("{word}: {why}"))
        };
        let proof = proofs
            .get(&row.id)
            .map(|proofs| proofs.join("<br>"))
            .or_else(|| said(PEERS_ONLY, "peers only"))
            .or_else(|| said(OTHER_VERSION, "not spoken"))
            .or_else(|| said(STATED, "not done"))
            .unwrap_or_default();
        writeln!(text, "| {} | {} | {proof} |", row.id, row.level).unwrap();
    }
    text
}

#[test]
fn a_test_cites_in_the_comment_above_it_or_in_its_first_one() {
    let source = "
    // R-20…R-22, D-12
    #[test]
    fn above() {}

    /// HCI-02: told
    #[tokio::test(flavor = \"multi_thread\")]
    async fn documented() {
        // T-01
        // and X-01
        let later = (); // T-02
    }

    // R-30
    fn no_test() {}

on_both_databases!(
    listed_one,
);
async fn listed_one(database: Database) {
    // CMD-09, D-14
}
stories! {
    /// CR-01
    async fn told(world: World) {
    }
}
";
    let found: Vec<(String, Vec<String>)> = tests_in(source).into_iter().map(|one| (one.test, one.ids)).collect();
    let expected = [
        ("above", vec!["R-20", "R-21", "R-22"]),
        ("documented", vec!["HCI-02", "T-01"]),
        ("listed_one", vec!["CMD-09"]),
        ("told", vec!["CR-01"]),
    ];
    let expected: Vec<(String, Vec<String>)> = expected
        .into_iter()
        .map(|(test, ids)| (test.to_owned(), ids.into_iter().map(str::to_owned).collect()))
        .collect();
    assert_eq!(found, expected);
}
