//! Truewatt: an OCPI roaming hub that only lets a kilowatt-hour travel together with the proof of it.

pub mod cli;
pub mod evidence;
pub mod metering;
