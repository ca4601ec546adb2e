//! Truewatt: an OCPI roaming hub that only lets a kilowatt-hour travel together with the proof of it.
//!
//! The map, from the ground up; `ARCHITECTURE.md` draws the floors and the walls, and every room has a sign at its door.

// Ground: the language, the arithmetic of trust, what the operator decided, what time it is.
pub mod clock;
pub mod config;
pub mod metering;
pub mod ocpi;

// Thought: where a message goes.
pub mod routing;

// Seeing: what is counted, and the line about each hop.
pub mod seeing;

// Outside: the database, and other people's servers.
pub mod client;
pub mod store;

// People: who is connected, and how to speak to them.
pub mod parties;

// Post: what is owed and carried.
pub mod delivery;

// Work: what is done with the proof, which key belongs to which meter, URLs lent out, who steers a session, who changed what.
pub mod audit;
pub mod evidence;
pub mod links;
pub mod mirror;
pub mod profiles;
pub mod registry;

// Hall: the life of one request.
pub mod exchange;

// Doors.
pub mod web;

// Roof.
pub mod cli;

// Beside the house: neighbours for rent.
pub mod sandbox;
