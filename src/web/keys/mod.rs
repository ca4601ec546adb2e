//! The door for everybody: published meter keys and the log about them, without login.
//!
//! A driver at a station, transparency software, another hub: all read the same here, and the hub itself reads back here what it has
//! published before it confirms it. Only what was published once is shown, and of that only what concerns everybody: no notes, no
//! findings, no addresses. Answers may be cached for a while and used by pages of any origin ([`frame`]); nobody may ask too often
//! ([`crate::web::pace`]).
//!
//! Never here: a change of anything. Start with [`read`]; [`claim`], [`view`] and [`paper`] are shared with the doors that register.

pub mod claim;
pub mod compare;
pub mod export;
pub mod frame;
pub mod log;
pub mod paper;
pub mod read;
pub mod view;
