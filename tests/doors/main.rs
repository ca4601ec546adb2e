//! Everything that comes in, as strangers and careless neighbours try the doors: too much, too often, too slowly, or with a token that is none.
//!
//! The hub is the real one on a real socket; [`raw`] speaks to it in octets nobody else would send. Times that matter are the hub's own
//! clock's where the hub asks it, and generous bounds elsewhere: what is asserted is what happened, never how fast.
#![allow(clippy::unwrap_used)]

mod crowds;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other binaries tell other stories with it")]
mod common;
mod guessing;
mod hostile;
mod often;
mod raw;
mod secret;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use common::place::{On, Place};
use common::site::Site;
use truewatt::cli::serve::{Hub, Running};
use truewatt::clock::{ManualClock, SystemClock};
use truewatt::config::Config;

/// A hub with a clock that stands until it is moved.
async fn hub(more: &str) -> (Site, Arc<ManualClock>) {
    let clock = ManualClock::at(DateTime::from_timestamp(1_795_000_000, 0).unwrap());
    let place = On::Sqlite.place().await.unwrap();
    (Site::open(place, more, clock.clone()).await, clock)
}

/// A hub with more of `[server]`, and where its database is.
async fn hub_with(server: &str, more: &str) -> (Running, Place) {
    let place = On::Sqlite.place().await.unwrap();
    let file = format!(
        "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:0\"\n{server}\n[database]\nurl = \"{}\"\n{more}",
        place.url
    );
    let config = Config::from_parts(Some(&file), &HashMap::new()).unwrap();
    (Hub::start(config, SystemClock::shared()).await.unwrap(), place)
}
