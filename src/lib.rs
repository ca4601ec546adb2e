//! Truewatt: an OCPI roaming hub that only lets a kilowatt-hour travel together with the proof of it.

pub mod ocpi;
pub mod metering;
pub mod config;
pub mod clock;
pub mod routing;
pub mod store;
pub mod client;
pub mod parties;
pub mod delivery;
pub mod registry;
pub mod evidence;
pub mod links;
pub mod exchange;
pub mod web;
pub mod cli;
pub mod sandbox;
