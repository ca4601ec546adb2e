//! From what was carried to what can be read.
//!
//! The content decides which format a record has; the label is only compared with it ([`known`]). Transport encodings are peeled off first
//! ([`transport`]); what lies below them is never changed, because its octets are signed. [`ocmf`] can be read, the others are called by name:
//! "I know what this is and cannot check it" is an honest answer, "wrong" would not be.

pub mod known;
pub mod ocmf;
pub mod transport;

pub use known::FormatName;
