//! One session, one boss, and every party told: smart charging through a hub, as its neighbours see it (smart-charging.md).
//!
//! Provider, smart charging provider and operator are platforms of their own, and what is asserted is what each *received*. Start with
//! [`scene`].
#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod contracts;
mod deciding;
mod delegating;
mod often;
mod operating;
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with stories that need all of it"
)]
#[path = "../it/world/mod.rs"]
mod process;
mod racing;
mod scene;
mod showing;
mod surviving;
mod telling;
mod topologies;

use common::{on_both, orders, world};
