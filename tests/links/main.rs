//! Lent URLs as the neighbours of a hub see them: results of commands and profiles, next pages; on both databases.
//!
//! Every URL here was lent by the hub to somebody who was asked something over HTTP, and is used over HTTP by whoever got it.
#![allow(clippy::unwrap_used)]

mod answers;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod hubs;
mod lifetime;
mod pages;
mod requesters;
mod scene;

use common::{on_both, orders, peer, world};
