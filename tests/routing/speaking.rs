//! Who may speak, for whom, and about what: refused before anything is forwarded.

use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::{Receiver, Sender};
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Draft, Errand};

use crate::world::{World, at, codes, complete, named, party};

// R-05, R-06, R-07, D-12, R-37, T-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_is_a_party_of_the_platform_or_can_only_mean_one() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let put = || -> Errand {
        let body = Draft::tariff(&cpo.id, "T-1", at()).json();
        cpo.voice
            .errand(Method::PUT, "tariffs", Receiver)
            .of(&cpo.id)
            .at(&["T-1"])
            .to(&emsp.to)
            .body(&body)
    };
    for (errand, expected) in [
        (put().without("ocpi-from-party-id"), (200, 2001)),
        (put().without("ocpi-from-country-code"), (200, 2001)),
        (put().without("ocpi-to-party-id"), (200, 2001)),
        (put().header("ocpi-to-country-code", ""), (200, 2001)),
        (put().from(Some(&party("DE/MSA"))), (403, 2000)),
        (put().from(Some(&party("XX/YYY"))), (403, 2000)),
        (put().from(Some(&party("DE/TWH"))), (403, 2000)),
    ] {
        let reply = errand.send().await.unwrap();
        assert_eq!(codes(&reply), expected, "{reply:?}");
        assert_eq!(named(&reply)[1], "DE/TWH", "the hub speaks for itself");
    }
    assert!(emsp.got("tariffs").is_empty(), "nothing was forwarded");
    let reply = put().from(None).send().await.unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((201, 1000), ["NL/CPA".into(), "DE/MSA".into()])
    );
    assert_eq!(
        emsp.last("tariffs").pair("from").unwrap(),
        "NL/CPA",
        "always sent onward"
    );
}

// R-07, D-12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_several_parties_fit_from_is_needed() {
    let world = World::start().await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    let mut plan = complete("NL/CPA", Role::Cpo);
    plan.parties.push((party("NL/CPB"), Role::Cpo));
    plan.parties.push((party("NL/MSX"), Role::Emsp));
    let host = world.join(plan).await;
    let body = Draft::tariff(&host.id, "T-1", at()).json();
    let errand = host
        .voice
        .errand(Method::PUT, "tariffs", Receiver)
        .of(&host.id)
        .at(&["T-1"])
        .to(&emsp.to);
    let reply = errand.from(None).body(&body).send().await.unwrap();
    assert_eq!(codes(&reply), (200, 2001));
    let errand = host
        .voice
        .errand(Method::GET, "tariffs", Sender)
        .to(&emsp.to)
        .from(None);
    // Only NL/MSX reads tariffs.
    assert_eq!(
        codes(&errand.send().await.unwrap()),
        (200, 4001),
        "and DE/MSA is of its own side"
    );
    assert!(emsp.got("tariffs").is_empty());
}

// R-12, T-27, T-28, T-29, T-25, D-13, F-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_push_says_of_owner_and_id_agrees_or_nothing_is_forwarded() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let foreign = party("NL/CPB");
    let own = Draft::location(&cpo.id, "L1", at());
    let put = |of: &truewatt::ocpi::ids::PartyId, ids: &[&str], body: &Draft| {
        cpo.voice
            .errand(Method::PUT, "locations", Receiver)
            .of(of)
            .at(ids)
            .to(&emsp.to)
            .body(&body.json())
    };
    let patch = |module: &str, ids: &[&str], body: &str| {
        cpo.voice
            .errand(Method::PATCH, module, Receiver)
            .of(&cpo.id)
            .at(ids)
            .to(&emsp.to)
            .body(body)
    };
    for (errand, expected, why) in [
        (put(&foreign, &["L1"], &own), (404, 2000), "URL owner"),
        (
            put(&cpo.id, &["L1"], &Draft::location(&foreign, "L1", at())),
            (200, 2001),
            "body owner",
        ),
        (put(&cpo.id, &["L2"], &own), (200, 2001), "id"),
        (
            put(&cpo.id, &["L1", "E2"], &Draft::evse(&cpo.id, "E1", at())),
            (200, 2001),
            "uid",
        ),
        (
            put(&cpo.id, &["L1", "E1", "2"], &Draft::connector("1", at())),
            (200, 2001),
            "connector",
        ),
        (patch("locations", &["L1"], r#"{"name":"x"}"#), (200, 2001), "undated"),
        (
            patch("locations", &["L1", "E1", "1"], r#"{"name":"x"}"#),
            (200, 2001),
            "undated",
        ),
        (patch("sessions", &["S1"], r#"{"kwh":1}"#), (200, 2001), "undated"),
        (
            patch("sessions", &["S1"], r#"{"kwh":1,"last_updated":"soon"}"#),
            (200, 2001),
            "undated",
        ),
        (
            patch(
                "locations",
                &["L1"],
                r#"{"id":"L2","last_updated":"2026-11-21T10:00:00Z"}"#,
            ),
            (200, 2001),
            "id",
        ),
    ] {
        let reply = errand.send().await.unwrap();
        assert_eq!(codes(&reply), expected, "{why}: {reply:?}");
    }
    let undated = emsp
        .voice
        .errand(Method::PATCH, "tokens", Receiver)
        .of(&emsp.id)
        .at(&["T"])
        .to(&cpo.to);
    assert_eq!(
        codes(&undated.body(r#"{"valid":false}"#).send().await.unwrap()),
        (200, 2001)
    );
    assert!(emsp.got("locations").is_empty() && emsp.got("sessions").is_empty() && cpo.got("tokens").is_empty());
    // F-11: half a location is the receiver's to judge, and ids are compared without case.
    let half = r#"{"id":"l1","last_updated":"2026-11-21T10:00:00Z"}"#;
    let errand = cpo
        .voice
        .errand(Method::PUT, "locations", Receiver)
        .of(&cpo.id)
        .at(&["L1"])
        .to(&emsp.to);
    errand.body(half).send().await.unwrap();
    assert_eq!(emsp.last("locations").text(), half);
}

// T-20, T-22, D-19
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_json_goes_no_further() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let put = || {
        cpo.voice
            .errand(Method::PUT, "tariffs", Receiver)
            .of(&cpo.id)
            .at(&["T-1"])
            .to(&emsp.to)
    };
    let good = Draft::tariff(&cpo.id, "T-1", at()).json();
    let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    for (errand, expected) in [
        (put().body("{"), (400, 2000)),
        (put().body("<xml/>"), (400, 2000)),
        (put().octets(b"{\"id\":\"\xff\"}"), (400, 2000)),
        (put(), (400, 2000)),
        (put().body(&good).without("content-type"), (415, 2000)),
        (put().body(&good).header("content-type", "text/plain"), (415, 2000)),
        (put().body(&huge), (413, 2000)),
    ] {
        let reply = errand.send().await.unwrap();
        assert_eq!(codes(&reply), expected, "{reply:?}");
    }
    assert!(emsp.got("tariffs").is_empty());
    let with_charset = put()
        .body(&good)
        .header("content-type", "application/json; charset=utf-8");
    assert!(with_charset.send().await.unwrap().accepted());
    assert_eq!(emsp.last("tariffs").text(), good);
}

// T-50, D-19
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_nine_megabytes_arrives_whole() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let body = Draft::tariff(&cpo.id, "T-1", at())
        .text("note", &"x".repeat(9 * 1024 * 1024))
        .json();
    let reply = cpo
        .voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T-1"], &body, &emsp.to)
        .await
        .unwrap();
    assert!(reply.accepted(), "{reply:?}");
    assert_eq!(emsp.last("tariffs").body.len(), body.len());
}
