//! The grammar of OCPI 2.2.1's objects: what the specification's tables say, as tables, and one reader that holds a document
//! against them.
//!
//! A finding says where (JSON pointer), what, and how bad. An *error* is what makes a document unfit to be kept for others: a
//! required member missing, a value of another type. A *warning* is what a receiver may stumble over: too long, an unknown
//! enumeration value, an odd pattern (D-05). What we do not know is never a finding (T-40), and nothing is ever changed.
//!
//! Nobody is refused here: whoever validates decides what a finding means. Start with [`objects`], which is read beside the
//! specification, then [`validate`].

pub mod enumerations;
pub mod grammar;
pub mod objects;
mod rules;
mod validator;

pub use enumerations::ENUMERATIONS;
pub use grammar::{Cardinality, Enumeration, Field, Kind, Rule, Shape, Structure};
pub use objects::*;
pub use validator::{Finding, Members, Severity, first_error, validate, validate_patch};
