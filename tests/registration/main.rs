//! Versions and credentials as neighbours see them: real HTTP in both directions, on every database there is.
//!
//! [`peer`] is a small OCPI platform that behaves or misbehaves as told, [`world`] a hub on a database of its own. Every story
//! is told on SQLite, and on PostgreSQL where `TRUEWATT_TEST_POSTGRES` names a server.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[allow(dead_code, reason = "shared with the stories of presence")]
mod world;
mod answered;
mod begun;
mod door;
mod operator;
#[allow(dead_code, reason = "shared with the stories of presence")]
mod peer;
mod presence;
mod rotating;
mod tokens;
