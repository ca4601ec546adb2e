//! A request on its way through the hub: who may speak, whom it reaches, what the receiver got and what the requester heard.
//!
//! The hub is the real one on a real socket; around it stand rented neighbours that registered by the real handshake, whose URLs
//! cannot be guessed and who refuse whatever a hub may not do. What is asserted is what receivers *got*.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authorizing;
mod commanding;
mod custom;
mod direct;
mod doors;
mod failing;
mod hubs;
mod judged;
mod noting;
mod open;
mod ordering;
mod paging;
mod speaking;
mod steering;
mod waiting;
mod world;
