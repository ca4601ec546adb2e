//! An operator, a provider and one who steers, at a hub that keeps the ledger and whose clock is the test's.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Door, Draft, Execution, Got, Later, Ordered, Plan, To};

use crate::common::place::On;
use crate::orders::{EVERY, session_of};
use crate::world::{Neighbour, SOON, World, codes, complete};

pub const NOON: &str = "2026-11-21T12:00:00Z";

/// The configuration of a hub that keeps the ledger.
pub const LEDGER: &str = "[smart_charging]\ncontrol = \"ledger\"\n";

pub const ACTIVE: &str =
    r#"{ "start_date_time":"2026-11-21T12:00:00Z","charging_profile":{"charging_rate_unit":"W","x":1.50} }"#;

pub struct Scene {
    pub world: World,
    pub clock: Arc<ManualClock>,
    /// NL/CPA, who accepts every order and posts no result by itself.
    pub cpo: Neighbour,
    /// DE/MSA.
    pub emsp: Neighbour,
    /// BE/SCS.
    pub scsp: Neighbour,
}

impl Scene {
    /// `None` where the database is not there; one line says so.
    pub async fn start(on: On) -> Option<Scene> {
        Scene::start_with(on, LEDGER).await
    }

    /// With this in the configuration file.
    pub async fn start_with(on: On, more: &str) -> Option<Scene> {
        let clock = ManualClock::at(instant(NOON));
        let world = World::on(on, more, clock.clone()).await?;
        let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
        keeps_its_results(&cpo);
        let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
        let scsp = world.join(complete("BE/SCS", Role::Scsp)).await;
        Some(Scene {
            world,
            clock,
            cpo,
            emsp,
            scsp,
        })
    }

    /// The same; the operator has a contract with the one who steers, for all of its places.
    pub async fn with_contract(on: On) -> Option<Scene> {
        let scene = Scene::start(on).await?;
        scene.agree("all", t3()).await;
        Some(scene)
    }

    pub async fn agree(&self, id: &str, contract: Value) {
        self.world
            .operator(Method::PUT, &format!("/contracts/{id}"), Some(contract))
            .await;
    }

    /// The operator pushes a session of the provider's driver, to the provider.
    pub async fn session(&self, id: &str) {
        session_of(&self.cpo, &self.emsp, id).await;
    }

    /// A change of a session goes by.
    pub async fn patch(&self, id: &str, members: &str) {
        let body = format!(r#"{{{members},"last_updated":"2026-11-21T13:00:00Z"}}"#);
        let reply = self
            .cpo
            .voice
            .push(Method::PATCH, "sessions", &self.cpo.id, &[id], &body, &self.emsp.to)
            .await
            .unwrap();
        assert!(reply.accepted(), "{reply:?}");
    }

    /// The result of the last order, posted by the operator.
    pub async fn result(&self, word: &str) {
        let taken = self.cpo.platform.taken().pop().unwrap();
        let reply = self.cpo.platform.post_result(&taken, &Later::word(word)).await.unwrap();
        assert!(reply.accepted(), "{reply:?}");
    }

    /// A profile set, accepted at once and by its result.
    pub async fn steers(&self, by: &Neighbour, session: &str) {
        let ordered = set(by, session, &self.cpo.to).await;
        assert_eq!(said(&ordered), "ACCEPTED", "{:?}", ordered.reply);
        self.result("ACCEPTED").await;
    }

    /// What the operator of the hub sees of a session.
    pub async fn seen(&self, session: &str) -> Value {
        let all = self.world.operator(Method::GET, "/controls?limit=1000", None).await;
        let items = all["items"].as_array().unwrap();
        let found = items.iter().find(|one| one["session"] == session);
        found.cloned().unwrap_or(Value::Null)
    }

    /// How many requests about profiles came to the operator.
    pub fn reached(&self) -> usize {
        self.cpo.got("chargingprofiles").len()
    }

    /// The operator says what is active.
    pub async fn report(&self, session: &str, body: &str, to: &To) -> (u16, u16) {
        codes(&self.cpo.voice.report_profile(session, body, to).await.unwrap())
    }
}

pub async fn set(by: &Neighbour, session: &str, to: &To) -> Ordered {
    by.voice
        .set_profile(session, &Draft::charging_profile().odd(), to)
        .await
        .unwrap()
}

/// The `result` of a first answer: HTTP 200 and 1000 whoever gives it.
pub fn said(ordered: &Ordered) -> String {
    assert_eq!(codes(&ordered.reply), (200, 1000), "{:?}", ordered.reply);
    let data: Value = serde_json::from_str(ordered.reply.data.as_deref().unwrap()).unwrap();
    data["result"].as_str().unwrap().to_owned()
}

/// A no of the hub's own: in its name, with nothing to follow, and not a word about who steers.
pub fn is_the_hubs_no(ordered: &Ordered, result: &str, others: &[&Neighbour]) {
    assert_eq!(said(ordered), result);
    let data: Value = serde_json::from_str(ordered.reply.data.as_deref().unwrap()).unwrap();
    assert_eq!(data, json!({"result": result, "timeout": 0}));
    assert_eq!(crate::world::named(&ordered.reply)[1], "DE/TWH");
    let all = format!(
        "{} {:?}",
        String::from_utf8_lossy(&ordered.reply.body),
        ordered.reply.headers
    );
    for other in others {
        assert!(!all.contains(other.id.party_id()), "{all}");
    }
    assert!(
        ordered
            .reply
            .message
            .as_deref()
            .is_some_and(|message| !message.is_empty())
    );
}

/// A contract of the operator's with the one who steers, for all places.
pub fn t3() -> Value {
    json!({"kind": "T3", "grantor": "NL/CPA", "scsp": "BE/SCS", "from": "2026-01-01T00:00:00Z"})
}

/// A provider that also takes orders about profiles, from whoever acts for it (S-40).
pub fn provider_in_the_path(id: &str) -> Plan {
    complete(id, Role::Emsp).also("chargingprofiles", truewatt::ocpi::role::InterfaceRole::Receiver)
}

/// What somebody was told about active profiles.
pub fn told(neighbour: &Neighbour) -> Vec<Got> {
    neighbour.platform.got_at(Door::Sender("chargingprofiles"))
}

/// Accepts every order and posts no result by itself.
pub fn keeps_its_results(cpo: &Neighbour) {
    for order in EVERY {
        cpo.platform.execute(order, Execution::with_results([]));
    }
}

/// The first result of an order, at whoever placed it.
pub async fn result_at(by: &Neighbour, ordered: &Ordered) -> Got {
    by.platform.wait_for_result(ordered, SOON).await.unwrap()
}

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
