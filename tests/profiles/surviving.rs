//! What a restart, a kill and a second process change in who steers what: nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use truewatt::ocpi::role::Role;
use truewatt::sandbox::behaviour::Moment;
use truewatt::sandbox::{Door, Draft, Execution, Later, Order, Plan, SandboxParty, To};

use crate::common::place::On;
use crate::on_both;
use crate::process::{Database, Hub, clock, party};
use crate::scene::{ACTIVE, Scene, is_the_hubs_no, result_at, set, t3, told};
use crate::world::SOON;

on_both! {
    // ECI-09, ECI-17, CMD-11
    async fn a_restart_changes_nothing_in_who_holds_what_and_who_is_told(on) {
        let scene = Scene::with_contract(on).await?;
        for session in ["held", "pending"] {
            scene.session(session).await;
        }
        scene.steers(&scene.scsp, "held").await;
        let under_way = set(&scene.emsp, "pending", &scene.cpo.to).await;
        let before = [scene.seen("held").await, scene.seen("pending").await];
        let Scene { world, clock, cpo, emsp, scsp } = scene;
        let scene = Scene { world: world.restarted().await, clock, cpo, emsp, scsp };
        assert_eq!([scene.seen("held").await, scene.seen("pending").await], before);
        is_the_hubs_no(&set(&scene.emsp, "held", &scene.cpo.to).await, "REJECTED", &[&scene.scsp]);
        is_the_hubs_no(&set(&scene.scsp, "pending", &scene.cpo.to).await, "REJECTED", &[&scene.emsp]);
        scene.result("ACCEPTED").await;
        assert!(result_at(&scene.emsp, &under_way).await.text().contains("ACCEPTED"));
        assert_eq!(scene.seen("pending").await["holder"]["party"], "DE/MSA");
        assert_eq!(scene.report("held", ACTIVE, &To::Open).await, (200, 1000));
        assert_eq!(told(&scene.scsp).len(), 1);
        Some(())
    }
}

/// A hub in a process of its own, and who is around it.
struct Street {
    hub: Hub,
    cpo: SandboxParty,
    emsp: SandboxParty,
    scsp: SandboxParty,
}

impl Street {
    async fn build(database: &Database) -> Street {
        let hub = Hub::start(database).await;
        let mut neighbours = Vec::new();
        for (id, role) in [("NL/CPA", Role::Cpo), ("DE/MSA", Role::Emsp), ("BE/SCS", Role::Scsp)] {
            let platform = SandboxParty::start(Plan::complete(id, vec![(party(id), role)]), clock())
                .await
                .unwrap();
            hub.admit(&platform, json!({})).await;
            neighbours.push(platform);
        }
        hub.operator_ok("PUT", "/contracts/all", Some(t3())).await;
        let [cpo, emsp, scsp] = neighbours.try_into().unwrap_or_else(|_| panic!("three neighbours"));
        cpo.execute(Order::SetProfile, Execution::with_results([]));
        Street { hub, cpo, emsp, scsp }
    }

    async fn word(&self, by: &SandboxParty, session: &str) -> Option<String> {
        let voice = by.voice_of(&by.plan().parties[0].0.clone());
        let to = To::Party(party("NL/CPA"));
        let ordered = voice
            .set_profile(session, &Draft::charging_profile().json(), &to)
            .await
            .ok()?;
        let data: Value = serde_json::from_str(ordered.reply.data.as_deref()?).ok()?;
        data["result"].as_str().map(str::to_owned)
    }

    async fn seen(&self, session: &str) -> Value {
        let all = self.hub.operator_ok("GET", "/controls", None).await;
        all["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["session"] == session)
            .cloned()
            .unwrap_or_default()
    }
}

/// When the process dies.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// The operator has the request, and has not answered.
    WhileAsking,
    /// The operator's ACCEPTED is on its way.
    AtTheAnswer,
    /// The requester has the ACCEPTED.
    BeforeTheResult,
}

async fn a_kill_between_the_operators_accepted_and_its_result(database: Database) {
    let street = Street::build(&database).await;
    let door = Door::Receiver("chargingprofiles");
    for (number, death) in [Death::WhileAsking, Death::AtTheAnswer, Death::BeforeTheResult]
        .into_iter()
        .enumerate()
    {
        let session = format!("K-{number}");
        let (kill, died) = (street.hub.killer(), Arc::new(AtomicBool::new(false)));
        let moment = match death {
            Death::WhileAsking => Some(Moment::BeforeAnswer),
            Death::AtTheAnswer => Some(Moment::AfterAnswer),
            Death::BeforeTheResult => None,
        };
        let trigger_died = died.clone();
        street.cpo.tell_of(
            door,
            Some(Arc::new(move |now, _| {
                if Some(now) == moment && !trigger_died.swap(true, Ordering::SeqCst) {
                    kill();
                }
            })),
        );
        let heard = street.word(&street.emsp, &session).await;
        if moment.is_none() {
            assert_eq!(heard.as_deref(), Some("ACCEPTED"));
            street.hub.kill();
        }
        street.cpo.tell_of(door, None);
        assert!(!street.hub.runs(), "{death:?}");
        street.hub.restart().await;
        // Until the result is there nobody else comes in between.
        assert_eq!(street.seen(&session).await["state"], "PENDING", "{death:?}");
        assert_eq!(
            street.word(&street.scsp, &session).await.as_deref(),
            Some("REJECTED"),
            "{death:?}"
        );

        let results = |platform: &SandboxParty| platform.got_at(Door::Results("chargingprofiles")).len();
        let (before, others) = (results(&street.emsp), results(&street.scsp));
        let taken = street.cpo.taken().pop().unwrap();
        let reply = street.cpo.post_result(&taken, &Later::word("ACCEPTED")).await.unwrap();
        assert!(reply.accepted(), "{death:?}: {reply:?}");
        let enough = |got: &[truewatt::sandbox::Got]| {
            got.iter()
                .filter(|one| one.door == Some(Door::Results("chargingprofiles")))
                .count()
                == before + 1
        };
        assert!(
            street.emsp.wait_for("chargingprofiles", SOON, enough).await,
            "{death:?}: the result is the requester's"
        );
        assert_eq!(results(&street.scsp), others, "and nobody else's");
        assert_eq!(street.seen(&session).await["holder"]["party"], "DE/MSA", "{death:?}");
        assert_eq!(
            street.word(&street.scsp, &session).await.as_deref(),
            Some("REJECTED"),
            "{death:?}"
        );
        let asked = street
            .cpo
            .got_at(door)
            .iter()
            .filter(|got| got.path.ends_with(&session))
            .count();
        assert_eq!(asked, 1, "{death:?}: nothing is asked twice");
    }
}

// ECI-09, ECI-16, CMD-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_killed_before_the_result_still_brings_it_home_and_knows_who_holds_on_sqlite() {
    a_kill_between_the_operators_accepted_and_its_result(Database::sqlite()).await;
}

// ECI-09, ECI-16, CMD-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_killed_before_the_result_still_brings_it_home_and_knows_who_holds_on_postgresql() {
    if let Some(database) = Database::postgres().await {
        a_kill_between_the_operators_accepted_and_its_result(database).await;
    }
}

// ECI-09, ECI-17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_knows_who_holds_what_and_what_was_agreed() {
    let Some(scene) = Scene::start_with(On::Postgres, crate::scene::LEDGER).await else {
        return;
    };
    let beside = scene.world.beside().await;
    scene.agree("all", t3()).await;
    scene.session("S1").await;
    scene.steers(&scene.scsp, "S1").await;
    let (status, controls) = beside
        .operate(truewatt::client::Method::GET, "/operator/v1/controls", None)
        .await;
    assert_eq!(
        (status, &controls["items"][0]["holder"]["party"]),
        (200, &json!("BE/SCS"))
    );
    let (status, contract) = beside
        .operate(truewatt::client::Method::GET, "/operator/v1/contracts/all", None)
        .await;
    assert_eq!((status, &contract["scsp"]), (200, &json!("BE/SCS")));
    beside.ended().await;
}
