//! What a receiver stored, read by whoever sent it: from the receiver itself, at every depth (LOC-03, SES-05, TAR-02, TOK-07).

use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::sandbox::{Door, Draft};

use crate::world::{Neighbour, World, at, codes, named};

/// PUT and read back: the octets, and what the receiver was asked.
async fn comes_back(by: &Neighbour, there: &Neighbour, module: &'static str, ids: &[&str], query: &str, body: &str) {
    let errand = |method| {
        let errand = by.voice.errand(method, module, Receiver).of(&by.id).at(ids);
        errand.query(query).to(&there.to)
    };
    let put = errand(Method::PUT).body(body).send().await.unwrap();
    assert!(put.accepted(), "{module} {ids:?}: {put:?}");
    let copy = errand(Method::GET).send().await.unwrap();
    assert_eq!(codes(&copy), (200, 1000), "{module} {ids:?}: {copy:?}");
    assert_eq!(copy.data.as_deref(), Some(body.trim()), "octet by octet");
    assert_eq!(named(&copy), [by.id.to_string(), there.id.to_string()]);
    let got = there.last(module);
    assert_eq!(
        (got.method.as_str(), got.body.len(), got.header("content-type")),
        ("GET", 0, None)
    );
    assert_eq!(got.door, Some(Door::Receiver(module)));
    let owner = by.id.to_string();
    assert!(
        got.path.ends_with(&format!("/{owner}/{}", ids.join("/"))),
        "{}",
        got.path
    );
    assert!(got.query.ends_with(query), "{}", got.query);
}

// LOC-03, SES-05, TAR-02, TOK-07, TOK-08, R-09, R-22
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_object_and_every_part_of_one_is_read_back_as_it_was_pushed() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let to_emsp =
        async |module, ids: &[&str], draft: Draft| comes_back(&cpo, &emsp, module, ids, "", &draft.odd()).await;
    to_emsp("locations", &["L1"], Draft::location(&cpo.id, "L1", at())).await;
    to_emsp("locations", &["L1", "E2"], Draft::evse(&cpo.id, "E2", at())).await;
    to_emsp("locations", &["L1", "E2", "1"], Draft::connector("1", at())).await;
    let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at());
    to_emsp("sessions", &["S1"], session).await;
    to_emsp("tariffs", &["T1"], Draft::tariff(&cpo.id, "T1", at())).await;
    for (kind, query) in [("RFID", ""), ("APP_USER", "type=APP_USER")] {
        let token = Draft::token(&emsp.id, "04A1", kind, at()).odd();
        comes_back(&emsp, &cpo, "tokens", &["04A1"], query, &token).await;
    }
    let other = emsp.voice.errand(Method::GET, "tokens", Receiver).of(&emsp.id);
    let other = other
        .at(&["04A1"])
        .query("type=OTHER")
        .to(&cpo.to)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (codes(&other), named(&other)[1].as_str()),
        ((404, 2004), "NL/CPA"),
        "the receiver's own word"
    );
}

// SES-05, T-30
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_has_no_parts_that_could_be_pushed() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at()).json();
    cpo.voice
        .push(Method::PUT, "sessions", &cpo.id, &["S1"], &session, &emsp.to)
        .await
        .unwrap();
    let before = emsp.got("sessions").len();
    let part = Draft::session_patch("2.50", at()).json();
    for method in [Method::PUT, Method::PATCH, Method::GET] {
        let body = if method == Method::GET { "" } else { part.as_str() };
        let ids = ["S1", "charging_periods"];
        let reply = cpo
            .voice
            .push(method.clone(), "sessions", &cpo.id, &ids, body, &emsp.to)
            .await
            .unwrap();
        assert_eq!(
            (codes(&reply), named(&reply)[1].as_str()),
            ((404, 2000), "DE/TWH"),
            "{method}"
        );
    }
    assert_eq!(emsp.got("sessions").len(), before);
}
