//! The arithmetic of trust.

mod curves;
mod der;
pub mod key;
mod known_answers;
pub mod limits;
pub mod sign;
pub mod signature;
