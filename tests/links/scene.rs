//! An operator and a provider at a hub whose clock is the test's.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Execution, Reply};

use crate::common::place::On;
use crate::common::site::owned;
use crate::orders::EVERY;
use crate::peer::Peer;
use crate::world::{Neighbour, World, codes, complete};

pub const NOON: &str = "2026-11-21T12:00:00Z";

pub const RESULT: &str =
    "{ \"message\":[ {\"language\":\"de\",\"text\":\"L\\u00e4uft\"}],\r\n\"result\" :\"ACCEPTED\",\"x\":1.50 }\n";

pub struct Scene {
    pub world: World,
    pub clock: Arc<ManualClock>,
    /// NL/cPa, who accepts every order and posts no result by itself.
    pub cpo: Neighbour,
    /// DE/MsA.
    pub emsp: Neighbour,
}

impl Scene {
    /// `None` where the database is not there; one line says so.
    pub async fn start(on: On) -> Option<Scene> {
        Scene::start_with(on, json!({}), json!({})).await
    }

    /// With options of the operator's and of the provider's platform.
    pub async fn start_with(on: On, cpos: Value, emsps: Value) -> Option<Scene> {
        let clock = ManualClock::at(instant(NOON));
        let world = World::on(on, "", clock.clone()).await?;
        let cpo = world.join_with(complete("NL/cPa", Role::Cpo), &[], cpos).await;
        let emsp = world.join_with(complete("DE/MsA", Role::Emsp), &[], emsps).await;
        keeps_its_results(&cpo);
        Some(Scene {
            world,
            clock,
            cpo,
            emsp,
        })
    }
}

/// Accepts every order and posts no result by itself.
pub fn keeps_its_results(cpo: &Neighbour) {
    for order in EVERY {
        cpo.platform.execute(order, Execution::with_results([]));
    }
}

/// Options of a platform whose token may also be sent to this neighbour.
pub fn may_be_answered_at(peer: &Peer) -> Value {
    json!({"allowed_hosts": [peer.address.to_string()], "timeouts": {"relay_s": 1}})
}

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A result, posted with this platform's token.
pub async fn post(by: &Neighbour, url: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let heard = by
        .platform
        .call(Method::POST, url, &owned(headers), Some(body.as_bytes()))
        .await;
    heard.unwrap()
}

/// The same 404 for everything that is not the caller's.
pub fn is_nothing(heard: &Reply) {
    assert_eq!(codes(heard), (404, 2000), "{heard:?}");
}

/// A URL without its host: what a server sees of it.
pub fn place_in(url: &str) -> String {
    format!("/{}", url.splitn(4, '/').nth(3).unwrap())
}
