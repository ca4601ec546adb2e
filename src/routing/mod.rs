//! Deciding, without doing: who is meant, who may speak, and which clause says no.
//!
//! Everything here is a function of plain values: a [`directory::Directory`] is an immutable snapshot of who is connected,
//! a request is its headers and a few members of its body. Nothing in this room performs I/O, reads a clock or awaits.
//!
//! The rule all follows from: the token names a platform, and whatever a message claims about *parties* must fit that
//! platform (T-05, R-06). Start with [`directory`], then [`scenario`].

pub mod agreements;
pub mod arrangement;
pub mod audience;
pub mod custom;
pub mod directory;
pub mod scenario;
pub mod sides;
