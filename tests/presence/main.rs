//! Who is connected, and who is told: neighbours that come, go away and come back, as the others see it (1.10), on every database.
//!
//! World and peers are those of the registration stories; [`neighbours`] says who lives where.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "../registration/world.rs"]
#[allow(dead_code, reason = "shared with the registration stories")]
mod world;
#[path = "../registration/peer.rs"]
#[allow(dead_code, reason = "shared with the registration stories")]
mod peer;

mod agreed;
mod announced;
mod custom;
mod neighbours;
mod older;
mod told;
