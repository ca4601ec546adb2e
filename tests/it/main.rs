//! The hub as its neighbours see it: the real program, a real database, rented parties on real sockets.
//!
//! Every story runs on SQLite and, when `TRUEWATT_TEST_POSTGRES` names a server where databases may be made, on PostgreSQL.
//! `TRUEWATT_LONG=1` turns the loops that need patience up. Start with [`world`].

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

#[macro_use]
mod world;

mod available;
mod bad_input;
mod carrying;
mod crash;
mod custody;
mod following;
mod holding;
mod lines;
mod manners;
mod privacy;
mod registration;
