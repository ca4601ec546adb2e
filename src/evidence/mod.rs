//! What is done with the proof: a CDR taken is never lost, never silently altered, and always has a verdict.
//!
//! A CDR comes in as octets. [`claim`] reads from them what a verdict needs and nothing else; [`assess`] holds the signed values against the keys
//! a registry knows and the bill against the readings; [`report`] writes the verdict down; [`marker`] puts a word about it into the body that
//! travels on, and every other octet stays.
//!
//! The rule everything else follows from: a verdict is a pure function of the octets, of what the registry knew, of the policy, and of which
//! signed blocks were used before. The same question has the same answer later. What is taken is committed at once with its verdict and everything
//! that follows from it ([`intake`]), or leaves no trace but a line in the journal.
//!
//! A verdict is never changed, and it does not stay wrong: what the registry learns later is held against the CDRs it is about
//! ([`rechecks`]), and what casts doubt on earlier values of a meter is collected for a person to look at ([`doubts`]). Keys that nobody
//! registered are noted for those who should ([`sightings`]). What must stay, and until when, says [`retention`].
//!
//! Never here: the arithmetic of signatures and readings (see `metering`), and who may send what to whom (see `routing`).
//! Start with [`assess::assess`], then [`intake`].

pub mod asking;
pub mod assess;
pub mod claim;
pub mod doubts;
pub mod export;
pub mod intake;
mod knowledge;
pub mod marker;
pub mod packing;
pub mod policy;
pub mod receipts;
pub mod handing;
pub mod recheck;
pub mod rechecks;
pub mod report;
pub mod retention;
pub mod sightings;
pub mod traces;
pub mod validation;
mod verdict;
