//! Seeing: what a process counts of what it does, and the one line it writes about each hop.
//!
//! Rooms above count where it happens and ask nobody: a [`Tally`] of words, [`Sizes`] of things, and [`hops::Hops`], where a request that came
//! or went is counted and told in one act, so that numbers and log cannot say different things. What is counted is a number in memory;
//! nothing here waits, and nothing a peer wrote ever becomes a name: platforms are those of the directory, modules and outcomes are lists.
//!
//! The rule everything follows from: **what is seen of a message is that it passed.** No body, no token, no driver, no part of a path.
//!
//! Nothing here knows HTTP or the database; who may read it all, and what else is shown beside it, is the door's. Start with [`hop`].
//!
//! Design notes: `prometheus-client` and not `metrics` with its exporter. There a recorder is global, so two hubs in one program (a demo, a
//! test) would count together; distributions are kept as single values until somebody reads them, so a hub nobody watches would grow; and
//! a platform that is removed could not be forgotten.

pub mod hop;
pub mod hops;
pub mod module;
pub mod page;
pub mod sizes;
pub mod tally;

pub use hop::{Direction, Ended, Hop};
pub use hops::Hops;
pub use module::Module;
pub use page::Page;
pub use sizes::Sizes;
pub use tally::Tally;
