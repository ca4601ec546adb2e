//! Neighbours for rent: operators, providers, who steers and who navigates, and a signing meter, that behave, or misbehave on
//! request, in every module of OCPI.
//!
//! They are small real HTTP servers and clients on loopback: they register with the real handshake, in either direction, push
//! and pull real objects, carry out orders and post the results later, and sign with real keys. `demo`, `bench` and the tests
//! rent them; the hub itself never does.
//!
//! Two rules everything else follows from. *A neighbour remembers what it got*, octet by octet, so that whoever asks can compare
//! instead of trusting. *A neighbour says why*: whatever it does not take is answered with a reason and remembered too; tokens
//! are in no log line and in no `Debug` output.
//!
//! Nothing here is lenient on the hub's behalf: a token in the wrong form, a missing message id, a routing header too few or too
//! many, or an endpoint's lost query is an error, because a strict neighbour is the better test. Nothing here can be guessed
//! either: URLs are irregular and only read in version details.
//!
//! Start with [`Plan`], which says what a platform is, and [`SandboxParty`], which is one. A [`Voice`] speaks for one of its
//! parties; [`Draft`] writes what it says; [`behaviour`] gives each door a temper and [`execution`] says what becomes of orders.
//! [`SandboxCpo`] and [`SandboxEmsp`] are platforms with one party and CDRs.

mod answer;
pub mod behaviour;
pub mod cdr;
mod commands;
mod configuration;
pub mod cpo;
mod doors;
pub mod emsp;
pub mod execution;
pub mod got;
pub mod handshake;
mod inner;
pub mod meter;
pub mod objects;
mod offering;
pub mod party;
pub mod plan;
mod profiles;
mod receiving;
pub mod reply;
pub mod results;
pub mod server;
mod sessions;
mod splice;
mod steering;
pub mod tokens;
pub mod voice;
pub mod wire;

pub use behaviour::{Behaviour, Door, Moment};
pub use cdr::CdrDraft;
pub use cpo::SandboxCpo;
pub use emsp::SandboxEmsp;
pub use execution::{Execution, Later, Order, Says, Sent, Taken};
pub use got::Got;
pub use meter::{Charge, SandboxMeter, SignedValue};
pub use objects::Draft;
pub use party::SandboxParty;
pub use plan::{EndpointShape, Plan};
pub use reply::{Reply, SandboxError};
pub use results::Ordered;
pub use tokens::Decision;
pub use voice::{Errand, Pulled, To, Voice};
