//! What the people who run a hub see of it: numbers, lines, the journal, and who did what.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod counted;
mod decided;
mod scrape;
mod trouble;

use common::on_both;
