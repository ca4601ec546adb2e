//! Other people's servers: carry a request there and say plainly what happened.
//!
//! One client makes every call of the program ([`http`]). It follows no redirect, asks no proxy, waits no longer and reads no
//! more than it was told, and calls no address that [`guard`] forbids. What came of it is an [`outcome::Outcome`]; an HTTP
//! error of the peer is an answer, not an error of ours.
//!
//! Nothing here knows what a CDR or a token is, and nothing is ever repeated here: whether and when to try again is decided
//! by whoever owes the message, with the arithmetic of [`backoff`]. Start with [`http::Http::send`].

pub mod backoff;
pub mod guard;
pub mod http;
pub mod outcome;
