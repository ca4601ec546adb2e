//! What is done with the proof: a CDR taken is never lost, never silently altered, and always has a verdict.
//!
//! A CDR comes in as octets. [`claim`] reads from them what a verdict needs and nothing else; [`assess`] holds the signed values against the keys
//! a registry knows and the bill against the readings; [`report`] writes the verdict down; [`marker`] puts a word about it into the body that
//! travels on, and every other octet stays.
//!
//! The rule everything else follows from: a verdict is a pure function of the octets, of what the registry knew, of the policy, and of which
//! signed blocks were used before. The same question has the same answer later. Nothing here fetches, waits or asks the time.
//!
//! Never here: the arithmetic of signatures and readings (see `metering`), and who may send what to whom (see `routing`).
//! Start with [`assess::assess`].

pub mod assess;
pub mod claim;
mod knowledge;
pub mod marker;
pub mod report;
mod verdict;
