//! A request on its way through the hub: who may speak, whom it reaches, what the receiver got and what the requester heard.
//!
//! The hub is the real one on a real socket; around it stand rented neighbours that registered by the real handshake, whose URLs
//! cannot be guessed and who refuse whatever a hub may not do. What is asserted is what receivers *got*.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answering;
mod answers;
mod authorizing;
mod chained;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod commanding;
mod custom;
mod details;
mod direct;
mod doors;
mod failing;
mod gone;
mod hubs;
mod judged;
mod leaving;
mod listing;
mod noting;
mod older;
mod open;
mod ordering;
mod paging;
mod reading_back;
mod speaking;
mod steering;
mod waiting;
mod wire;

use common::{orders, world};
