//! CDRs at the hub as its neighbours see them: design.md 3.5 and 3.6, on both databases.
#![allow(clippy::unwrap_used)]

mod carrying;
mod claiming;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod commands;
mod confirming;
mod credits;
mod desk;
mod doubting;
mod extracting;
mod following;
mod handing;
mod hearing;
mod kept;
mod lifecycle;
mod pulling;
mod refusing;
mod registering;
mod requirements;
mod retaining;
mod submitting;
mod taking;
mod telling;
mod verdicts;
mod waiving;
mod world;

use common::{on_both, peer};
