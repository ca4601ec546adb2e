//! Truewatt: an OCPI roaming hub that only lets a kilowatt-hour travel together with the proof of it.
//!
//! The map, from the ground up. A room uses rooms on lower floors; `ARCHITECTURE.md` draws the floors and the walls.

// Ground and thought: no I/O, no clock, no async.
pub mod clock;
pub mod config;
pub mod metering;
pub mod ocpi;
pub mod routing;

// Outside: the database, and other people's servers.
pub mod client;
pub mod store;

// People and post.
pub mod delivery;
pub mod parties;

// Work and hall.
pub mod evidence;
pub mod exchange;
pub mod links;
pub mod registry;

// Doors and roof.
pub mod cli;
pub mod web;
