//! The hub and what is outside of it: strangers' URLs, the secrets in its database, certificates, and the people who run it.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod auditing;
mod guarded;
mod heard;
mod mutual;
mod operators;
mod secrets;
mod spellings;
mod strangers;
mod trap;

use common::{on_both, peer};
