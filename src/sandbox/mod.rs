//! Neighbours for rent: a charge point operator, a mobility provider and a signing meter that behave, or misbehave on request.
//!
//! They are small real HTTP servers and clients on loopback: they register with the real handshake, in either direction, push
//! and pull real CDRs and sign with real keys. `demo`, `bench` and the tests rent them; the hub itself never does.
//!
//! Two rules everything else follows from. *A neighbour remembers what it got*, octet by octet, so that whoever asks can compare
//! instead of trusting. *A neighbour says why*: whatever it does not take is answered with a reason and remembered too; tokens
//! are in no log line and in no `Debug` output.
//!
//! Nothing here is lenient on the hub's behalf: a token in the wrong form or a missing message id is an error, because a strict
//! neighbour is the better test.
//!
//! Start with [`SandboxParty`] in [`party`]; [`SandboxCpo`] and [`SandboxEmsp`] give it a trade, [`behaviour`] a temper.

pub mod behaviour;
pub mod cdr;
pub mod cpo;
pub mod emsp;
pub mod got;
pub mod handshake;
pub mod meter;
pub mod party;
pub mod server;
pub mod wire;

pub use behaviour::{Behaviour, Door, Moment};
pub use cdr::CdrDraft;
pub use cpo::SandboxCpo;
pub use emsp::SandboxEmsp;
pub use got::Got;
pub use meter::{Charge, SandboxMeter, SignedValue};
pub use party::{EndpointShape, Plan, Reply, SandboxError, SandboxParty};
