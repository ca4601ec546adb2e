//! CDRs at the hub as its neighbours see them: design.md 3.5 and 3.6, on both databases.
#![allow(clippy::unwrap_used)]

mod carrying;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod commands;
mod credits;
mod doubting;
mod extracting;
mod following;
mod handing;
mod kept;
mod lifecycle;
mod pulling;
mod refusing;
mod registering;
mod taking;
mod telling;
mod verdicts;
mod world;

use common::{on_both, peer};
