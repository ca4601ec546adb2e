//! Charging profiles: set, read, removed, and reported when they change (1.17).

use std::time::Duration;

use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Execution, Later, Order, To};

use crate::orders::session_of;
use crate::world::{SOON, World, codes, complete, named};

const ACTIVE: &str =
    r#"{ "start_date_time":"2026-11-21T10:00:00Z","charging_profile":{"charging_rate_unit":"W","x":1.0} }"#;

// CP-01, CP-02, CP-03, CP-04, CP-05, CP-06, CP-07, CP-11, CP-12, D-14, R-38
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_is_set_read_and_removed_and_each_result_comes_home() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
    let scsp = world.join(complete("BE/SCS", Role::Scsp)).await;
    let profile = Draft::charging_profile().odd();

    let set = scsp.voice.set_profile("S 1", &profile, &cpo.to).await.unwrap();
    assert_eq!(
        (codes(&set.reply), named(&set.reply)),
        ((200, 1000), ["BE/SCS".into(), "NL/CPA".into()])
    );
    let got = cpo.last("chargingprofiles");
    let ours = cpo.platform.taken().pop().unwrap().response_url;
    assert!(ours.starts_with(&world.hub.url));
    assert_eq!(got.text(), set.body.replace(&set.response_url, &ours));
    assert!(got.path.ends_with("/S%201") && got.door == Some(Door::Receiver("chargingprofiles")));
    assert!(
        scsp.platform
            .wait_for_result(&set, SOON)
            .await
            .unwrap()
            .text()
            .contains("ACCEPTED")
    );

    let get = scsp.voice.get_profile("S 1", 900, &cpo.to).await.unwrap();
    assert_eq!(codes(&get.reply), (200, 1000), "{:?}", get.reply);
    let got = cpo.last("chargingprofiles");
    assert!(
        got.query.contains("duration=900") && !got.query.contains("%253A"),
        "{}",
        got.query
    );
    assert!(
        cpo.platform
            .taken()
            .pop()
            .unwrap()
            .response_url
            .starts_with(&world.hub.url)
    );
    assert!(
        scsp.platform
            .wait_for_result(&get, SOON)
            .await
            .unwrap()
            .text()
            .contains("profile")
    );

    let clear = scsp.voice.clear_profile("S 1", &cpo.to).await.unwrap();
    assert_eq!(codes(&clear.reply), (200, 1000));
    assert_eq!(cpo.last("chargingprofiles").method, "DELETE");
    let result = scsp.platform.wait_for_result(&clear, SOON).await.unwrap();
    assert_eq!((result.pair("from").unwrap(), result.refused), ("NL/CPA".into(), None));
}

// CP-01, CP-03, CP-10, D-14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_response_url_nothing_is_asked_and_too_often_is_passed_on() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    for (method, query) in [
        (Method::GET, "duration=900"),
        (Method::DELETE, ""),
        (Method::DELETE, "response_url"),
    ] {
        let errand = emsp
            .voice
            .errand(method, "chargingprofiles", Receiver)
            .at(&["S1"])
            .query(query)
            .to(&cpo.to);
        let reply = errand.send().await.unwrap();
        assert_eq!(codes(&reply), (200, 2001), "{query}: {reply:?}");
    }
    assert!(cpo.got("chargingprofiles").is_empty());
    cpo.platform
        .execute(Order::ClearProfile, Execution::refused("TOO_OFTEN"));
    let clear = emsp.voice.clear_profile("S1", &cpo.to).await.unwrap();
    assert_eq!(
        (codes(&clear.reply), clear.reply.data.unwrap().contains("TOO_OFTEN")),
        ((200, 1000), true)
    );
}

// CP-08, CP-12, CP-13, CP-16, SES-19, R-71, R-72, D-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_addressee_a_profile_finds_the_sessions_cpo_and_a_report_whoever_set_one() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let scsp = world.join(complete("BE/SCS", Role::Scsp)).await;
    let profile = Draft::charging_profile().json();
    for to in [To::Open, To::Hub] {
        let unknown = scsp.voice.set_profile("S1", &profile, &to).await.unwrap();
        assert_eq!(codes(&unknown.reply), (200, 4001));
        assert_eq!(
            codes(&cpo.voice.report_profile("S1", ACTIVE, &to).await.unwrap()),
            (200, 4001)
        );
    }
    session_of(&cpo, &emsp, "S1").await;
    let set = scsp.voice.set_profile("S1", &profile, &To::Open).await.unwrap();
    assert_eq!(
        (codes(&set.reply), named(&set.reply)),
        ((200, 1000), ["BE/SCS".into(), "NL/CPA".into()])
    );
    scsp.platform.wait_for_result(&set, SOON).await.unwrap();
    let report = cpo.voice.report_profile("s1", ACTIVE, &To::Open).await.unwrap();
    assert_eq!(
        (codes(&report), named(&report)),
        ((200, 1000), ["NL/CPA".into(), "BE/SCS".into()])
    );
    let got = scsp.platform.got_at(Door::Sender("chargingprofiles")).pop().unwrap();
    assert_eq!((got.text().as_str(), got.method.as_str()), (ACTIVE, "PUT"));
    assert!(got.path.ends_with("/s1"));
    assert!(
        emsp.platform.got_at(Door::Sender("chargingprofiles")).is_empty(),
        "the eMSP set none"
    );
    // Still after DELETE, and no more when the session has ended.
    scsp.voice.clear_profile("S1", &To::Open).await.unwrap();
    assert_eq!(
        codes(&cpo.voice.report_profile("S1", ACTIVE, &To::Open).await.unwrap()),
        (200, 1000)
    );
    let body = r#"{"status":"COMPLETED","last_updated":"2026-11-21T11:00:00Z"}"#;
    cpo.voice
        .push(Method::PATCH, "sessions", &cpo.id, &["S1"], body, &emsp.to)
        .await
        .unwrap();
    assert_eq!(
        codes(&cpo.voice.report_profile("S1", ACTIVE, &To::Open).await.unwrap()),
        (200, 4001)
    );
    assert_eq!(
        codes(&cpo.voice.report_profile("S1", ACTIVE, &scsp.to).await.unwrap()),
        (200, 1000),
        "by name"
    );
}

// CP-13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_that_was_not_accepted_makes_nobody_a_reader_of_reports() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    session_of(&cpo, &emsp, "S1").await;
    let later = |word| Execution::with_results([Later::word(word)]);
    for (execution, has_result) in [
        (Execution::refused("REJECTED"), false),
        (Execution::with_results([]), false),
        (later("REJECTED"), true),
        (later("UNKNOWN"), true),
    ] {
        cpo.platform.execute(Order::SetProfile, execution);
        let profile = Draft::charging_profile().json();
        let set = emsp.voice.set_profile("S1", &profile, &cpo.to).await.unwrap();
        assert_eq!(codes(&set.reply), (200, 1000));
        if has_result {
            emsp.platform.wait_for_result(&set, SOON).await.unwrap();
        }
        let report = cpo.voice.report_profile("S1", ACTIVE, &To::Open).await.unwrap();
        assert_eq!(codes(&report), (200, 4001), "{}", set.reply.data.unwrap_or_default());
    }
    // A result that says ACCEPTED is one of setting a profile, or it tells nothing about one.
    let clear = emsp.voice.clear_profile("S1", &cpo.to).await.unwrap();
    emsp.platform.wait_for_result(&clear, SOON).await.unwrap();
    let report = cpo.voice.report_profile("S1", ACTIVE, &To::Open).await.unwrap();
    assert_eq!(codes(&report), (200, 4001));
}

// CP-05, CP-08, CP-13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_set_a_profile_is_known_from_its_result_also_when_nobody_takes_that() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    session_of(&cpo, &emsp, "S1").await;
    let late = Later::word("ACCEPTED").after(Duration::from_millis(700));
    cpo.platform.execute(Order::SetProfile, Execution::with_results([late]));
    emsp.platform
        .behave(Door::Results("chargingprofiles"), Behaviour::Plain(500));
    let set = emsp
        .voice
        .set_profile("S1", &Draft::charging_profile().json(), &cpo.to)
        .await
        .unwrap();
    assert_eq!(codes(&set.reply), (200, 1000));
    let report = async || codes(&cpo.voice.report_profile("S1", ACTIVE, &To::Open).await.unwrap());
    assert_eq!(
        report().await,
        (200, 4001),
        "ACCEPTED at once only says that a result will follow"
    );
    for _ in 0..100 {
        if report().await == (200, 1000) {
            let got = emsp.platform.got_at(Door::Sender("chargingprofiles")).pop().unwrap();
            assert_eq!(
                (got.text().as_str(), got.pair("to").unwrap()),
                (ACTIVE, "DE/MSA".into())
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody is ever told");
}
