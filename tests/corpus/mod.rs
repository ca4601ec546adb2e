//! The shared corpus: signed records, keys, examples, checklists. It lies beside the repository and is not part of it, because licences differ.
//!
//! `TRUEWATT_SHARED` says where, `../shared` is the default. Where a file is not there, one line says so and the test has nothing to prove.

#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test takes what it reads")]

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Where the corpus is, or would be.
pub fn folder() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the corpus lies is the tester's business, not a setting of the program"
    )]
    let named = std::env::var_os("TRUEWATT_SHARED");
    named.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    )
}

/// A text of the corpus.
pub fn text(path: &str) -> Option<String> {
    let path = folder().join(path);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        missing(&path);
    }
    text
}

/// The rows of a file of vectors.
pub fn rows<T: DeserializeOwned>(file: &str) -> Option<Vec<T>> {
    Some(serde_json::from_str(&text(&format!("vectors/{file}"))?).unwrap())
}

/// Says that a test has nothing to read.
pub fn missing(path: &Path) {
    println!(
        "skipped: {} is not here (set TRUEWATT_SHARED to the corpus)",
        path.display()
    );
}
