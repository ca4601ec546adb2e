//! The arithmetic of trust: what a signed meter reading proves, and what it does not.
//!
//! Here records are read, signatures verified, sessions held against the rules of calibration law, and readings against a bill given as plain
//! values. Never here: files, a network, a clock, a database, or a word of OCPI.
//!
//! The rule everything else follows from: **signed octets are a slice of what arrived.** They are cut out, hashed and left alone; nothing is
//! parsed and written again, nothing is rounded, no number passes through binary floating point.
//!
//! A verified signature proves that the holder of this key signed these octets. It does not prove whose key it is (that is a registry's
//! knowledge, hence [`KeyTrust`](record::KeyTrust)), that no record is missing, or that the record was not used before
//! (hence [`block_digest`](verdict::block_digest)).
//!
//! Start with [`session::examine`]; [`finding`] lists everything it can say, [`formats`] what it can read.

mod curves;
mod der;
pub mod deviation;
mod examined;
pub mod finding;
pub mod formats;
pub mod json;
pub mod key;
mod known_answers;
pub mod limits;
mod pairing;
pub mod plausible;
pub mod reading;
pub mod record;
pub mod session;
pub mod sign;
pub mod signature;
pub mod verdict;
