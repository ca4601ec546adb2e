//! The language our neighbours speak: words and grammar of OCPI, and no opinions.
//!
//! Here bytes become values and values become bytes. Nothing here opens a connection, asks the time or decides who may talk
//! to whom, and nothing here knows what a meter is.
//!
//! The rule everything else follows from: *permissive in, strict out, nothing thrown away.* What a peer wrote is read as
//! liberally as the decisions `D-…` and pitfalls `F-…` of the checklist allow, what we write is exact, and a typed view is
//! never turned back into a body: the bytes stay beside it. Clauses are cited by their checklist id (`T-44`, `CR-32`).
//!
//! Start with [`modules`], the table of what is served, then [`refusal`], the words in which we say no.

pub mod envelope;
pub mod fields;
pub mod headers;
pub mod ids;
pub mod json;
pub mod modules;
pub mod number;
pub mod page;
pub mod patch;
pub mod refusal;
pub mod role;
mod spans;
pub mod splice;
pub mod status;
pub mod time;
pub mod url;
pub mod v2_2_1;
pub mod versions;

pub use ids::{CiString, PartyId, PlatformId};
pub use refusal::{Refusal, Situation, Violation};
pub use role::{InterfaceRole, Role};
pub use status::StatusCode;
pub use versions::Version;
