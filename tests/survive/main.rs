//! What may happen to a hub without anybody losing money: processes that die, databases that go away, receivers that misbehave.
//!
//! The hubs are the real program in processes of their own; servers of PostgreSQL are made for a test and stopped, killed, copied and
//! promoted by it (`scripts/lib/postgres-cluster`), where `TRUEWATT_TEST_POSTGRES` says that PostgreSQL is wanted at all. Start with
//! [`faults`].

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with the other stories, which need all of it"
)]
#[path = "../it/world/mod.rs"]
#[macro_use]
mod world;

mod balancer;
mod beside;
mod books;
mod cluster;
mod databases;
mod dice;
mod disk;
mod failover;
mod faults;
mod manners;
mod posting;
