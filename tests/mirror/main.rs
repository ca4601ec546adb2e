//! What is meant for everybody, as the neighbours of a hub see it: broadcasts, lists of all owners, pulls. On both databases.
#![allow(clippy::unwrap_used)]

mod asking;
mod audience;
mod broadcasting;
mod catching_up;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod crawling;
mod kept;
mod leaving;
mod objects;
mod pulling;
mod reading;
mod world;

use common::{on_both, peer};
