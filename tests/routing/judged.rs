//! A foreign judge: somebody else's program looks at the hub and finds nothing that fails.
//!
//! The judge is the command line of `ocpi-kit`, which is not part of this repository. `TRUEWATT_FOREIGN_JUDGE` names its program:
//! `cargo install ocpi-kit --version 0.4.0 --features cli --ignore-rust-version --root FOLDER`, then `FOLDER/bin/ocpi`.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use truewatt::client::Method;
use truewatt::clock::{Clock, SystemClock};
use truewatt::metering::key::Curve;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Charge, Draft, Plan, SandboxCpo, SandboxMeter, To};

use crate::world::{World, at, complete, party};

/// More than one page of what the judge asks for.
const OBJECTS: usize = 25;

/// V-01…V-06, P-01…P-09, T-21, S-01, M-01, M-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_judge_finds_nothing_that_fails() {
    #[allow(
        clippy::disallowed_methods,
        reason = "where the judge is, the tester knows, not config"
    )]
    let Ok(judge) = std::env::var("TRUEWATT_FOREIGN_JUDGE") else {
        println!("skipped: the judgement of a foreign program needs TRUEWATT_FOREIGN_JUDGE");
        return;
    };
    let world = World::start().await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    // Of both sides, so that every list has something for it.
    let both = vec![(party("BE/JDG"), Role::Emsp), (party("BE/JDG"), Role::Cpo)];
    let judged = world.join(Plan::complete("judge", both)).await;
    for number in 0..OBJECTS {
        let id = |what: &str| format!("{what}-{number}");
        let pushed = [
            ("locations", id("L"), Draft::location(&cpo.id, &id("L"), at())),
            ("tariffs", id("T"), Draft::tariff(&cpo.id, &id("T"), at())),
            (
                "sessions",
                id("S"),
                Draft::session(&cpo.id, &id("S"), "UID-1", Some(&judged.id), at()),
            ),
        ];
        for (module, id, draft) in pushed {
            let body = draft.json();
            let reply = cpo
                .voice
                .push(Method::PUT, module, &cpo.id, &[&id], &body, &To::Hub)
                .await;
            let reply = reply.unwrap();
            assert!(reply.accepted(), "{module}: {reply:?}");
        }
        let uid = id("UID");
        let body = Draft::token(&emsp.id, &uid, "RFID", at()).json();
        let reply = emsp
            .voice
            .push(Method::PUT, "tokens", &emsp.id, &[&uid], &body, &To::Hub)
            .await;
        assert!(reply.unwrap().accepted());
    }
    post_cdrs(&world).await;

    let versions = format!("{}/ocpi/versions", world.hub.url);
    let token = judged.platform.token().unwrap();
    let judging = tokio::process::Command::new(judge)
        .args(["--insecure", "conformance", &versions, "--token", &token])
        .output();
    let judged = judging.await.unwrap();
    let said = String::from_utf8_lossy(&judged.stdout);
    println!("{said}{}", String::from_utf8_lossy(&judged.stderr));
    assert!(judged.status.success() && said.contains("0 failed"), "{said}");
}

/// Bills for the judge, from an operator with a meter.
async fn post_cdrs(world: &World) {
    let owner = party("FR/CDR");
    let plan = Plan::complete("FR/CDR", vec![(owner.clone(), Role::Cpo)]);
    let meter = SandboxMeter::generate("M-1", "FR*CDR*E0001", Curve::Secp256r1).unwrap();
    let created = world
        .expect("FR/CDR", plan.parties.iter().cloned(), serde_json::json!({}))
        .await;
    let cpo = SandboxCpo::with(plan, owner, meter, SystemClock::shared())
        .await
        .unwrap();
    let [versions_url, token_a] = ["versions_url", "token_a"].map(|name| created[name].as_str().unwrap());
    cpo.platform.register_at(versions_url, token_a).await.unwrap();
    // By a clock a little ahead: the hub lists a bill also by the instant it became visible (design.md 3.6.7), and the judge asks for
    // what is newer than the newest `last_updated`.
    let now = SystemClock.now() + TimeDelta::minutes(1);
    let charge = Charge {
        start: now - TimeDelta::hours(1),
        end: now,
        energy_kwh: Decimal::from(13),
        identification: "CONTRACT-1".to_owned(),
    };
    for number in 0..OBJECTS {
        let cdr = cpo.cdr(&format!("C-{number}"), &party("BE/JDG"), &charge);
        let reply = cpo.post_cdr(&cdr).await.unwrap();
        assert!(reply.accepted(), "{reply:?}");
    }
}
