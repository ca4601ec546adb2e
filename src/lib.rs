//! Truewatt: an OCPI roaming hub that only lets a kilowatt-hour travel together with the proof of it.

pub mod clock;
pub mod config;
pub mod metering;
pub mod ocpi;

pub mod routing;

pub mod client;
pub mod store;

pub mod parties;

pub mod evidence;

pub mod web;

pub mod cli;
