//! May this token charge? Asked of the eMSP that is named, or of everybody who could know (TOK-02).

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Decision, Door, Draft, To};

use crate::world::{Neighbour, World, at, codes, complete, named};

fn issue(emsp: &Neighbour, uid: &str) {
    emsp.platform
        .offer("tokens", &Draft::token(&emsp.id, uid, "RFID", at()).json())
        .unwrap();
}

fn asked(emsp: &Neighbour) -> usize {
    emsp.platform.got_at(Door::Authorize).len()
}

// TOK-02, TOK-03, TOK-04, TOK-05, TOK-13, R-13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_named_emsp_is_asked_exactly_as_it_was_put_and_its_answer_comes_back() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    issue(&emsp, "04 A1/x");
    let reply = cpo.voice.authorize("04 A1/x", None, None, &emsp.to).await.unwrap();
    assert_eq!(codes(&reply), (200, 1000), "{reply:?}");
    let got = emsp.last("tokens");
    assert_eq!((got.body.len(), got.header("content-type")), (0, None), "TOK-13");
    assert!(got.path.ends_with("/04%20A1%2Fx/authorize"), "{}", got.path);
    let place = r#"{ "location_id" : "L\u0031" }"#;
    let reply = cpo
        .voice
        .authorize("04 A1/x", Some("RFID"), Some(place), &emsp.to)
        .await
        .unwrap();
    assert_eq!(codes(&reply), (200, 1000));
    let got = emsp.last("tokens");
    assert_eq!((got.text().as_str(), got.query.ends_with("type=RFID")), (place, true));
    for word in ["BLOCKED", "EXPIRED", "NO_CREDIT", "NOT_ALLOWED"] {
        emsp.platform.decide("04 A1/x", Decision::Word(word.into()));
        let reply = cpo.voice.authorize("04 A1/x", None, None, &emsp.to).await.unwrap();
        assert_eq!(codes(&reply), (200, 1000));
        let data: Value = serde_json::from_str(reply.data.as_deref().unwrap()).unwrap();
        assert_eq!(data["allowed"], word);
    }
    emsp.platform.decide("04 A1/x", Decision::OnlyWithLocation);
    let reply = cpo.voice.authorize("04 A1/x", None, None, &emsp.to).await.unwrap();
    assert_eq!(codes(&reply), (200, 2002));
    let unknown = cpo.voice.authorize("99", None, None, &emsp.to).await.unwrap();
    assert_eq!((codes(&unknown), unknown.data.as_deref()), ((404, 2004), None));
    emsp.platform.behave(Door::Authorize, Behaviour::Plain(404));
    let unknown = cpo.voice.authorize("99", None, None, &emsp.to).await.unwrap();
    assert_eq!(
        (codes(&unknown), named(&unknown)[1].as_str()),
        ((404, 2004), "DE/TWH"),
        "D-07"
    );
}

// R-30, R-31, R-33, R-73, D-20, TOK-16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_nobody_announced_is_asked_for_everywhere_and_the_first_that_knows_it_answers() {
    let world = World::start().await;
    let (cpo, stranger) = world.pair().await;
    let issuer = world.join(complete("DE/MSB", Role::Emsp)).await;
    let excluded = world.join(complete("DE/MSC", Role::Emsp)).await;
    for emsp in [&issuer, &excluded] {
        issue(emsp, "04A1");
    }
    let rule = json!({"parties": ["NL/CPA", "DE/MSC"], "modules": ["tokens"], "allow": false});
    world
        .operator(
            Method::PUT,
            "/agreements",
            Some(json!({"default": "allow", "rules": [rule]})),
        )
        .await;
    for to in [To::Open, To::Hub] {
        let reply = cpo.voice.authorize("04A1", None, None, &to).await.unwrap();
        assert_eq!(
            (codes(&reply), named(&reply)),
            ((200, 1000), ["NL/CPA".into(), "DE/MSB".into()])
        );
        let got = issuer.last("tokens");
        assert_eq!(
            (got.pair("to").unwrap(), got.pair("from").unwrap()),
            ("DE/MSB".into(), "NL/CPA".into())
        );
    }
    assert_eq!((asked(&issuer), asked(&excluded)), (2, 0));
    assert!(asked(&stranger) <= 2);
    let nobody = cpo.voice.authorize("99", None, None, &To::Open).await.unwrap();
    assert_eq!((codes(&nobody), named(&nobody)[1].as_str()), ((404, 2004), "DE/TWH"));
}

// R-73, R-47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emsp_that_does_not_answer_does_not_hide_one_that_does() {
    let world = World::start_with("[timeouts]\nconnect_s = 1\nauthorize_s = 2\n").await;
    let (cpo, stuck) = world.pair().await;
    let issuer = world.join(complete("DE/MSB", Role::Emsp)).await;
    issue(&issuer, "04A1");
    stuck.platform.behave(Door::Authorize, Behaviour::Stall);
    let begun = std::time::Instant::now();
    let reply = cpo.voice.authorize("04A1", None, None, &To::Open).await.unwrap();
    assert_eq!(codes(&reply), (200, 1000));
    assert!(begun.elapsed().as_secs_f32() < 1.5, "{:?}", begun.elapsed());
}

// R-42, R-48, R-71, D-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_whose_issuer_is_known_is_asked_of_that_one_only_and_is_not_unknown_while_it_is_away() {
    let world = World::start_with("[presence]\ncheck_interval_s = 600\n").await;
    let (cpo, emsp) = world.pair().await;
    let other = world.join(complete("DE/MSB", Role::Emsp)).await;
    issue(&emsp, "04A1");
    let token = Draft::token(&emsp.id, "04A1", "RFID", at()).json();
    let told = emsp
        .voice
        .push(Method::PUT, "tokens", &emsp.id, &["04A1"], &token, &To::Hub)
        .await
        .unwrap();
    assert!(told.accepted(), "{told:?}");
    let reply = cpo.voice.authorize("04a1", None, None, &To::Open).await.unwrap();
    assert_eq!((codes(&reply), named(&reply)[1].as_str()), ((200, 1000), "DE/MSA"));
    assert_eq!((asked(&emsp), asked(&other)), (1, 0));
    emsp.platform.go_away().await.unwrap();
    let reply = cpo.voice.authorize("04A1", None, None, &To::Open).await.unwrap();
    assert_eq!((codes(&reply), asked(&other)), ((200, 4003), 0));
}
