//! The world the stories happen in: a hub that can be started, stopped and killed, and characters that act.
//!
//! ```ignore
//! let hub = Hub::start(&database).await;
//! let cpo = hub.cpo("DE/ABC").await;
//! let emsp = hub.emsp("DE/EMS").await;
//! cpo.post_cdr(&cpo.cdr("C-1", &emsp.party, &charge(12_345))).await.unwrap();
//! ```
//!
//! The hub is the real binary in a process of its own. Nothing here knows how it works inside.

pub mod database;
pub mod hub;
pub mod plain_http;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rust_decimal::Decimal;
use std::sync::Arc;
use truewatt::clock::{Clock, SharedClock, SystemClock};
use truewatt::ocpi::ids::PartyId;
use truewatt::sandbox::{Charge, SandboxMeter};

pub use database::Database;
pub use hub::{Hub, Keys};

/// Runs each named story once per database.
macro_rules! on_both_databases {
    ($($story:ident),* $(,)?) => {
        mod on_sqlite {
            use crate::world::Database;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story(Database::sqlite()).await;
                }
            )*
        }
        mod on_postgres {
            use crate::world::Database;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    if let Some(database) = Database::postgres().await {
                        super::$story(database).await;
                    }
                }
            )*
        }
    };
}

/// The clock the characters read.
pub fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

/// Now, in whole seconds.
pub fn now() -> DateTime<Utc> {
    SystemClock.now().trunc_subsecs(0)
}

/// A charge of so many watt-hours that ended a minute ago and took half an hour.
pub fn charge(watt_hours: i64) -> Charge {
    charge_ending(now() - TimeDelta::minutes(1), watt_hours)
}

/// A charge of so many watt-hours and half an hour, with this end.
pub fn charge_ending(end: DateTime<Utc>, watt_hours: i64) -> Charge {
    Charge {
        start: end - TimeDelta::minutes(30),
        end,
        energy_kwh: Decimal::new(watt_hours, 3),
        identification: "04A1B2C3D4".to_owned(),
    }
}

/// `DE/ABC`.
pub fn party(text: &str) -> PartyId {
    PartyId::from_slash(text).unwrap()
}

/// The operator's words for a meter, as `POST /operator/v1/keys` wants them.
pub fn key_registration(meter: &SandboxMeter, cpo: &PartyId, valid_from: DateTime<Utc>) -> serde_json::Value {
    serde_json::json!({
        "public_key": meter.public_key(),
        "meter_serial": meter.serial(),
        "evse_id": meter.evse_id(),
        "cpo": {"country_code": cpo.country_code(), "party_id": cpo.party_id()},
        "valid_from": valid_from.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "calibrated": true,
    })
}

/// Whether the long loops are wanted.
#[allow(
    clippy::disallowed_methods,
    reason = "how long the tests may take, the tester knows, not config"
)]
pub fn long() -> bool {
    std::env::var("TRUEWATT_LONG").is_ok_and(|value| value == "1")
}

/// A number nobody expects, below `bound`.
pub fn random_below(bound: u64) -> u64 {
    (uuid::Uuid::new_v4().as_u128() % u128::from(bound.max(1))) as u64
}
