//! A party of 2.2 among parties of 2.2.1: nothing on the way to it is rewritten, and it reaches whatever there is (checklist 2.1).

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Execution, Order, To};

use crate::world::{Neighbour, SOON, World, at, codes, complete, named};

async fn old_provider(world: &World) -> Neighbour {
    let plan = complete("DE/OLD", Role::Emsp).of_2_2();
    let unmarked = json!({"metering_marker": "never"});
    world.join_with(plan, &[], unmarked).await
}

// X-002, X-003, X-004, X-005, X-006, X-007
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cdr_reaches_a_2_2_provider_with_every_member_it_does_not_know() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
    let emsp = old_provider(&world).await;
    // Far beyond the 512 characters that 2.2 allows: cut, it would prove nothing any more.
    let record = format!("OCMF|{}", "x".repeat(4900));
    let cdr = format!(
        "{{ \"country_code\":\"NL\",\"party_id\":\"CPA\",\"id\":\"C1\",\"start_date_time\":\"2026-11-21T09:00:00Z\",\
         \"end_date_time\":\"2026-11-21T10:00:00Z\",\"cdr_token\":{{\"country_code\":\"DE\",\"party_id\":\"OLD\",\"uid\":\"04AA\",\
         \"type\":\"RFID\",\"contract_id\":\"C1\"}},\"auth_method\":\"WHITELIST\",\"cdr_location\":{{\"id\":\"L1\",\"state\":\"NI\",\
         \"evse_uid\":\"1\",\"evse_id\":\"NL*CPA*E1\"}},\"home_charging_compensation\":true,\"currency\":\"EUR\",\
         \"signed_data\":{{\"encoding_method\":\"OCMF\",\"public_key\":\"aBcD\",\"url\":\"https://Example.com/Verify\",\
         \"signed_values\":[{{\"nature\":\"End\",\"plain_data\":\"Ab\",\"signed_data\":\"{record}\"}}]}},\
         \"total_cost\":{{\"excl_vat\":1.50}},\"total_energy\":7.500,\"last_updated\":\"2026-11-21T10:00:01Z\"}}\n"
    );
    for to in [&emsp.to, &To::Open] {
        let errand = cpo.voice.errand(Method::POST, "cdrs", Receiver).to(to);
        let reply = errand.body(&cdr).send().await.unwrap();
        assert_eq!(reply.code, Some(1000), "{reply:?}");
    }
    let got = emsp.platform.got_cdrs();
    assert_eq!((got.len(), got[0].text()), (1, cdr.clone()), "octet by octet, and once");
    let listed = emsp.voice.list("cdrs", "", &To::Hub).await.unwrap();
    assert!(listed.data.unwrap().contains(cdr.trim()));
}

// X-009, X-010, X-011, X-013, T-49
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_and_lengths_of_2_2_1_reach_a_2_2_party_unchanged_pushed_and_listed() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
    let emsp = old_provider(&world).await;
    let connector = |id: &str, standard: &str, power: &str| {
        let connector = Draft::connector(id, at());
        connector.text("standard", standard).text("power_type", power).json()
    };
    let connectors = [
        connector("1", "CHAOJI", "DC"),
        connector("2", "NEMA_14_50", "AC_2_PHASE_SPLIT"),
        connector("3", "GBT_AC", "AC_2_PHASE"),
    ];
    let evse = Draft::evse(&cpo.id, "E1", at())
        .with("capabilities", r#"["START_SESSION_CONNECTOR_REQUIRED"]"#)
        .with("connectors", &format!("[{}]", connectors.join(" , ")));
    let location = Draft::location(&cpo.id, "L1", at())
        .text("address", &"ä".repeat(255))
        .text("state", &"s".repeat(45))
        .with("evses", &format!("[{}]", evse.json()))
        .odd();
    for to in [&emsp.to, &To::Hub] {
        let before = emsp.got("locations").len();
        let reply = cpo
            .voice
            .push(Method::PUT, "locations", &cpo.id, &["L1"], &location, to)
            .await
            .unwrap();
        assert!(reply.accepted(), "{reply:?}");
        assert!(emsp.platform.wait_for_count("locations", before + 1, SOON).await);
        assert_eq!(emsp.last("locations").text(), location);
    }
    let all = emsp.voice.get_all("locations", "").await.unwrap();
    assert_eq!(all.objects, [location.trim()]);
    cpo.platform.offer("locations", &location).unwrap();
    let one = emsp.voice.get_one("locations", &["L1"], &cpo.to).await.unwrap();
    assert_eq!(one.data.as_deref(), Some(location.trim()));
}

// X-008, X-012
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_2_2_operator_gets_the_connector_that_was_asked_for_and_a_2_2_provider_hears_4000() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/OLD", Role::Cpo).of_2_2()).await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    cpo.platform
        .execute(Order::StartSession, Execution::refused("NOT_SUPPORTED"));
    let token = Draft::token(&emsp.id, "04A1", "RFID", at());
    let fields = Draft::start_session(&token, "L1", Some("E1")).json();
    let ordered = emsp.voice.command(Order::StartSession, &fields, &cpo.to).await.unwrap();
    let ours = cpo.platform.taken().pop().unwrap().response_url;
    let got = cpo.last("commands").text();
    assert_eq!(got, ordered.body.replace(&ordered.response_url, &ours));
    assert!(got.contains("\"connector_id\":\"1\""));
    assert!(ordered.reply.data.unwrap().contains("NOT_SUPPORTED"), "its own answer");

    let dumb = world
        .join(complete("DE/DUM", Role::Emsp).without("tariffs", Receiver))
        .await;
    let tariff = Draft::tariff(&cpo.id, "T1", at()).json();
    let reply = cpo
        .voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T1"], &tariff, &dumb.to)
        .await
        .unwrap();
    assert_eq!(codes(&reply), (200, 4000));
}

// X-014, SES-04, S-15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_2_2_operators_bare_404_to_preferences_is_heard_in_an_envelope() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/OLD", Role::Cpo).of_2_2()).await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    cpo.platform.behave(Door::Preferences, Behaviour::Plain(404));
    let body = r#"{"profile_type":"FAST"}"#;
    let reply = emsp.voice.charging_preferences("S1", body, &cpo.to).await.unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)[1].as_str()),
        ((404, 2000), "DE/TWH"),
        "{reply:?}"
    );
    assert!(cpo.last("sessions").path.ends_with("/S1/charging_preferences"));
}
