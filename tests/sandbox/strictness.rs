//! What a strict neighbour does not take, and that it remembers it.

use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Draft, EndpointShape, Errand, Plan, To};

use crate::{at, complete, met, neighbours, party};

#[tokio::test]
async fn a_request_without_what_it_owes_is_refused_and_remembered() {
    let (cpo, emsp) = neighbours().await;
    let tariff = Draft::tariff(&cpo.id, "T-1", at()).json();
    let put = || {
        let errand = cpo.voice.errand(Method::PUT, "tariffs", Receiver);
        errand.of(&cpo.id).at(&["T-1"]).to(&emsp.to).body(&tariff)
    };
    let wrong: [(Errand, u16, u16, &str); 9] = [
        (put().without("x-request-id"), 200, 2001, "M-01"),
        (put().without("x-correlation-id"), 200, 2001, "M-02"),
        (put().without("content-type"), 200, 2001, "T-20"),
        (put().to(&To::Open), 200, 2001, "R-23"),
        (put().from(None), 200, 2001, "R-23"),
        (put().to(&To::Party(party("de/ems"))), 200, 2001, "R-04"),
        (put().header("authorization", "Token abc"), 401, 2000, "token"),
        (put().body("{"), 400, 2000, "JSON"),
        (put().body(&tariff.replace("T-1", "T-2")), 200, 2001, "T-27"),
    ];
    let count = wrong.len();
    for (errand, http, code, reason) in wrong {
        let reply = errand.send().await.unwrap();
        assert_eq!((reply.http, reply.code), (http, Some(code)), "{reason}");
        let got = emsp.platform.got_for("tariffs").pop().unwrap();
        assert!(got.refused.unwrap().contains(reason), "{reason}");
    }
    assert_eq!(emsp.platform.got_for("tariffs").len(), count);
    assert_eq!(emsp.platform.kept("tariffs", &cpo.id, &["T-1"]), None);
    let reply = put().send().await.unwrap();
    assert_eq!(reply.http, 201);
    //
    assert_eq!(reply.header("ocpi-to-party-id"), Some("ABC"));
    assert_eq!(reply.header("ocpi-from-party-id"), Some("EMS"));
}

#[tokio::test]
async fn urls_are_irregular_and_whoever_loses_their_query_is_told() {
    // U-01, U-04
    let plan = || complete("DE/EMS", Role::Emsp);
    let (cpo, emsp) = met(complete("DE/ABC", Role::Cpo), plan().shaped(EndpointShape::WithQuery)).await;
    let listed = cpo.platform.hub_endpoint("tariffs", Receiver).unwrap();
    let (path, _) = listed.split_once('?').unwrap();
    assert!(!path.contains("tariffs") && !path.contains("/receiver/"));
    let guessed = format!("{}/tariffs", emsp.platform.versions_url());
    let headers = truewatt::sandbox::party::routing(&cpo.id, Some(&emsp.id));
    let call = async |url: &str| cpo.platform.call(Method::GET, url, &headers, None).await.unwrap();
    assert_eq!(call(&guessed).await.http, 404);
    assert_eq!(call(&format!("{path}/DE/ABC/T-1")).await.code, Some(2001));
    assert_eq!(call(&format!("{path}/DE/ABC/T-1?tenant=7")).await.http, 404);
}

#[tokio::test]
async fn a_module_left_out_of_the_plan_is_not_listed_and_not_served() {
    let without = complete("DE/EMS", Role::Emsp).without("locations", Receiver);
    let (cpo, _) = met(complete("DE/ABC", Role::Cpo), without).await;
    assert!(cpo.platform.hub_endpoint("locations", Receiver).is_err());
    assert!(cpo.platform.hub_endpoint("tariffs", Receiver).is_ok());
    let (cpo, _) = met(
        complete("DE/ABC", Role::Cpo),
        Plan::complete(
            "Four",
            vec![(party("DE/SCS"), Role::Scsp), (party("DE/NSP"), Role::Nsp)],
        ),
    )
    .await;
    for (module, listed) in [
        ("sessions", true),
        ("locations", true),
        ("tokens", false),
        ("hubclientinfo", true),
    ] {
        assert_eq!(cpo.platform.hub_endpoint(module, Receiver).is_ok(), listed, "{module}");
    }
}

#[tokio::test]
async fn platforms_of_2_2_do_everything_with_bare_tokens() {
    // T-06
    let (cpo, emsp) = met(
        complete("DE/OLD", Role::Cpo).of_2_2(),
        complete("DE/EMS", Role::Emsp).of_2_2(),
    )
    .await;
    assert_eq!(cpo.platform.hub_version().unwrap().as_str(), "2.2");
    let session = Draft::session(&cpo.id, "S-1", "04A1", None, at()).odd();
    let reply = cpo
        .voice
        .push(Method::PUT, "sessions", &cpo.id, &["S-1"], &session, &emsp.to)
        .await
        .unwrap();
    assert!(reply.accepted());
    let token = emsp.platform.got_for("sessions")[0]
        .header("authorization")
        .unwrap()
        .to_owned();
    assert!(token.starts_with("Token sandbox-"));
}
