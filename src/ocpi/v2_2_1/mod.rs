//! Typed views of OCPI 2.2.1, for what we compute on; 2.2 has the same objects and what it lacks is optional here.
//!
//! A view is read from a body and never turned back into one: the octets stay beside it. Only [`credentials`] are also
//! written, because those are our own word.

pub mod cdr;
pub mod credentials;
pub mod heads;
pub mod structure;
