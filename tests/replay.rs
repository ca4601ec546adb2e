//! What the fuzz targets start from and what they ever found, given to the same functions in the ordinary run.
//!
//! `fuzz/seeds/TARGET/` holds the inputs of a target: those that `fuzz/src/seeds.rs` signs, written by `WRITE_SEEDS=1 cargo test --test replay`, and
//! every input that once broke something. `fuzz/corpora/TARGET` holds what a search of ten minutes needed to reach every branch it reached, one
//! input a line in Base64, written by `fuzz/keep-corpus TARGET`.

#![allow(clippy::unwrap_used)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fuzz::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_seed_and_every_finding_passes_through_its_target() {
    let mut broken = Vec::new();
    for (target, check) in TARGETS {
        let seeds = folder("seeds").join(target);
        for name in names_in(&seeds) {
            let octets = std::fs::read(seeds.join(&name)).unwrap();
            if std::panic::catch_unwind(|| check(&octets)).is_err() {
                broken.push(format!("{target}/{name}"));
            }
        }
    }
    assert_eq!(broken, [""; 0], "the sentences of the panics stand above");
}

#[test]
fn what_a_search_has_reached_passes_through_its_target() {
    let mut broken = Vec::new();
    for (target, check) in TARGETS {
        let corpus = std::fs::read_to_string(folder("corpora").join(target)).unwrap();
        assert!(corpus.lines().count() >= 20, "{target}: no search was kept");
        for (number, line) in corpus.lines().enumerate() {
            let octets = BASE64_STANDARD.decode(line).unwrap();
            if std::panic::catch_unwind(|| check(&octets)).is_err() {
                broken.push(format!("{target}, line {}", number + 1));
            }
        }
    }
    assert_eq!(broken, [""; 0], "the sentences of the panics stand above");
}

#[test]
fn what_the_signer_makes_for_a_target_lies_in_its_folder() {
    #[expect(clippy::disallowed_methods, reason = "whether to write, the tester knows")]
    let writes = std::env::var_os("WRITE_SEEDS").is_some();
    for seed in fuzz::seeds::all() {
        let file = folder("seeds").join(seed.target).join(&seed.name);
        if writes {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &seed.octets).unwrap();
        }
        assert_eq!(
            std::fs::read(&file).ok().as_ref(),
            Some(&seed.octets),
            "{} (WRITE_SEEDS=1 writes it)",
            file.display()
        );
    }
}

#[test]
fn every_target_has_a_file_a_binary_seeds_and_a_corpus_and_nothing_else_has() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len());
    assert_eq!(names_in(&folder("seeds")), names);
    assert_eq!(names_in(&folder("corpora")), names);
    let files: BTreeSet<String> = names.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names_in(&folder("fuzz_targets")), files);
    let manifest = std::fs::read_to_string(folder("Cargo.toml")).unwrap();
    let binaries: BTreeSet<String> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .filter(|name| *name != "truewatt-fuzz")
        .map(str::to_owned)
        .collect();
    assert_eq!(binaries, names);
}

#[test]
fn the_seeds_stay_small() {
    let sizes: Vec<u64> = TARGETS
        .iter()
        .flat_map(|(target, _)| {
            let seeds = folder("seeds").join(target);
            names_in(&seeds)
                .into_iter()
                .map(move |name| std::fs::metadata(seeds.join(name)).unwrap().len())
        })
        .collect();
    assert!(sizes.len() <= 200, "{} files", sizes.len());
    assert!(sizes.iter().all(|size| *size <= 4096), "{:?} bytes", sizes.iter().max());
}
