//! Two platforms get to know each other, in either direction, and part again.

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::headers::TokenForm;
use truewatt::ocpi::role::{InterfaceRole, Role};
use truewatt::ocpi::versions::Version;
use truewatt::sandbox::{Behaviour, Door, EndpointShape, Plan, SandboxError, SandboxParty};

use crate::world::{Database, Hub, charge, clock, party, plain_http};

on_both_databases!(
    a_party_registers_at_the_hub,
    the_hub_registers_at_a_party,
    a_failed_handshake_changes_nothing_and_can_be_repeated,
    a_renewed_token_replaces_the_old_one,
    who_left_is_not_called_and_can_come_again,
    nobody_registers_a_party_it_was_not_invited_for,
    several_parties_share_one_platform,
);

async fn a_party_registers_at_the_hub(database: Database) {
    let hub = Hub::start(&database).await;
    for (number, version) in [Version::V2_2, Version::V2_2_1].into_iter().enumerate() {
        let id = party(&format!("DE/A0{number}"));
        let plan = Plan {
            versions: vec![version],
            ..Plan::emsp("Provider", id.clone())
        };
        let guest = SandboxParty::start(plan, clock()).await.unwrap();
        hub.admit(&guest, json!({})).await;
        assert!(
            guest.hub_endpoint("cdrs", InterfaceRole::Sender).is_ok(),
            "the hub lists what it serves (V-02, V-05)"
        );
        let seen = hub.operator_ok("GET", "/parties", None).await;
        let item = seen["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["party_id"] == id.party_id())
            .unwrap()
            .clone();
        assert_eq!((&item["status"], &item["role"]), (&json!("CONNECTED"), &json!("EMSP")));
    }
}

async fn the_hub_registers_at_a_party(database: Database) {
    // CR-06
    let hub = Hub::start(&database).await;
    for (number, shape) in [
        EndpointShape::Plain,
        EndpointShape::TrailingSlash,
        EndpointShape::WithQuery,
    ]
    .into_iter()
    .enumerate()
    {
        let id = party(&format!("DE/B0{number}"));
        let host = SandboxParty::start(
            Plan {
                shape,
                ..Plan::emsp("Host", id.clone())
            },
            clock(),
        )
        .await
        .unwrap();
        let planned = hub.plan_platform("Host", &host.plan().parties, json!({})).await;
        let token_a = host.invite();
        let registration = json!({"versions_url": host.versions_url(), "token_a": token_a});
        let path = format!("/platforms/{}/register", planned["id"].as_str().unwrap());
        hub.operator_ok("POST", &path, Some(registration)).await;
        assert!(host.is_registered());
        let reply = host
            .call(Method::GET, &host.hub_versions_url().unwrap(), &[], None)
            .await
            .unwrap();
        assert!(
            reply.accepted(),
            "the token the hub gave opens the hub (CR-02): {reply:?}"
        );
    }
}

async fn a_failed_handshake_changes_nothing_and_can_be_repeated(database: Database) {
    // CR-05, CR-28, CR-34
    let hub = Hub::start(&database).await;
    let guest = SandboxParty::start(Plan::emsp("Provider", party("DE/EMS")), clock())
        .await
        .unwrap();
    let planned = hub.plan_platform("Provider", &guest.plan().parties, json!({})).await;
    let (url, token_a) = (
        planned["versions_url"].as_str().unwrap(),
        planned["token_a"].as_str().unwrap(),
    );
    for door in [Door::Versions, Door::Details] {
        for temper in [
            Behaviour::Plain(500),
            Behaviour::Html,
            Behaviour::HangUp,
            Behaviour::HalfAnswer,
        ] {
            guest.behave_once(door, temper.clone());
            match guest.register_at(url, token_a).await {
                Err(SandboxError::Refused { code: Some(3001), .. }) => {}
                other => panic!("{door:?} answering {temper:?}: 3001 was expected (CR-28), not {other:?}"),
            }
            let platform = hub
                .operator_ok("GET", &format!("/platforms/{}", planned["id"].as_str().unwrap()), None)
                .await;
            assert_eq!(platform["status"], "PLANNED");
        }
    }
    guest.register_at(url, token_a).await.unwrap();
    let again = guest.register_at(url, token_a).await;
    assert!(
        matches!(again, Err(SandboxError::Refused { http: 401, .. })),
        "TOKEN_A is dead after success (CR-05): {again:?}"
    );
}

async fn a_renewed_token_replaces_the_old_one(database: Database) {
    // CR-25, CR-26, CR-35
    let hub = Hub::start(&database).await;
    let emsp = hub.emsp("DE/EMS").await;
    let old = emsp.platform.token().unwrap();
    emsp.platform.renew().await.unwrap();
    assert_ne!(old, emsp.platform.token().unwrap());
    assert!(emsp.pull("").await.is_ok(), "the new token opens the hub");
    let header = truewatt::ocpi::headers::authorization(&old, TokenForm::Base64);
    let url = emsp.platform.hub_versions_url().unwrap();
    let answer = plain_http::send("GET", &url, &[("authorization", &header)], b"").await;
    assert_eq!(answer.status, 401, "the first use of the new token ends the old one");
    let cpo = hub.cpo("DE/ABC").await;
    cpo.post_cdr(&cpo.cdr("C-1", &emsp.party, &charge(1_000)))
        .await
        .unwrap();
    assert_eq!(
        emsp.platform.got_cdrs().len(),
        1,
        "and the hub calls with the new one of ours (CR-36)"
    );
    assert!(emsp.platform.got_cdrs().iter().all(|got| got.answered == 201));
}

async fn who_left_is_not_called_and_can_come_again(database: Database) {
    // CR-27, CR-42
    let hub = Hub::start(&database).await;
    let (emsp, platform) = hub.emsp_with("DE/EMS", json!({})).await;
    let cpo = hub.cpo("DE/ABC").await;
    emsp.platform.unregister().await.unwrap();
    let reply = cpo
        .post_cdr(&cpo.cdr("C-1", &emsp.party, &charge(1_000)))
        .await
        .unwrap();
    assert_eq!(reply.code, Some(4003), "{reply:?}");
    assert!(emsp.platform.got_cdrs().is_empty());
    let fresh = hub
        .operator_ok("POST", &format!("/platforms/{platform}/token"), None)
        .await;
    emsp.platform
        .register_at(
            &format!("{}/ocpi/versions", hub.url),
            fresh["token_a"].as_str().unwrap(),
        )
        .await
        .unwrap();
    let reply = cpo
        .post_cdr(&cpo.cdr("C-2", &emsp.party, &charge(1_001)))
        .await
        .unwrap();
    assert!(reply.accepted(), "{reply:?}");
    assert_eq!(emsp.platform.got_cdrs().len(), 1);
}

async fn nobody_registers_a_party_it_was_not_invited_for(database: Database) {
    // CR-09, CR-33
    let hub = Hub::start(&database).await;
    let honest = hub.emsp("DE/EMS").await;
    let thief = SandboxParty::start(Plan::emsp("Thief", party("DE/EMS")), clock())
        .await
        .unwrap();
    let planned = hub
        .plan_platform("Thief", &[(party("DE/THF"), Role::Emsp)], json!({}))
        .await;
    let refused = thief
        .register_at(
            planned["versions_url"].as_str().unwrap(),
            planned["token_a"].as_str().unwrap(),
        )
        .await;
    assert!(
        matches!(refused, Err(SandboxError::Refused { code: Some(2001), .. })),
        "{refused:?}"
    );
    assert!(honest.pull("").await.is_ok(), "the existing registration is untouched");
}

async fn several_parties_share_one_platform(database: Database) {
    // R-10, CR-37
    let hub = Hub::start(&database).await;
    let plan = Plan {
        receives_cdrs: true,
        ..Plan::bare(
            "Two providers",
            vec![(party("DE/EM1"), Role::Emsp), (party("NL/EM2"), Role::Emsp)],
        )
    };
    let (both, _) = hub.emsp_of(plan, json!({})).await;
    let cpo = hub.cpo("DE/ABC").await;
    for (number, id) in ["DE/EM1", "NL/EM2"].into_iter().enumerate() {
        let draft = cpo.cdr(
            &format!("C-{number}"),
            &party(id),
            &charge(1_000 + i64::try_from(number).unwrap()),
        );
        assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
    }
    let to: Vec<_> = both
        .platform
        .got_cdrs()
        .iter()
        .map(|got| got.header("ocpi-to-party-id").unwrap().to_owned())
        .collect();
    assert_eq!(to, ["EM1", "EM2"]);
}
