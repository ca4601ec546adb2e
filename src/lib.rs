//! Truewatt: an OCPI roaming hub that only lets a kilowatt-hour travel together with the proof of it.

pub mod client;
pub mod clock;
pub mod metering;
pub mod ocpi;
