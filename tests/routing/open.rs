//! Without an addressee: the content says to whom it goes, or nobody is guessed (R-70 … R-72).

use truewatt::client::Method;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Draft, To};

use crate::world::{World, at, codes, complete, named};

// SES-18, R-30, R-31, R-32, R-33, R-59, R-70, R-71, D-18, D-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_to_the_party_of_its_token_and_to_nobody_else() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let other = world.join(complete("DE/MSB", Role::Emsp)).await;
    for (number, to) in [To::Open, To::Hub].iter().enumerate() {
        let id = format!("S{number}");
        let session = Draft::session(&cpo.id, &id, "04A1", Some(&emsp.id), at()).odd();
        let reply = cpo
            .voice
            .push(Method::PUT, "sessions", &cpo.id, &[&id], &session, to)
            .await
            .unwrap();
        assert_eq!(
            (codes(&reply), named(&reply)),
            ((201, 1000), ["NL/CPA".into(), "DE/MSA".into()])
        );
        let got = emsp.last("sessions");
        assert_eq!(
            (got.text(), got.pair("to").unwrap(), got.pair("from").unwrap()),
            (session, "DE/MSA".into(), "NL/CPA".into())
        );
        // What follows is known by the session.
        let patch = Draft::session_patch("2.50", at()).odd();
        let reply = cpo
            .voice
            .push(Method::PATCH, "sessions", &cpo.id, &[&id], &patch, to)
            .await
            .unwrap();
        assert_eq!((codes(&reply), emsp.last("sessions").text()), ((200, 1000), patch));
        let copy = cpo.voice.read_copy("sessions", &cpo.id, &[&id], to).await.unwrap();
        assert_eq!((codes(&copy), named(&copy)[1].as_str()), ((200, 1000), "DE/MSA"));
    }
    assert!(other.got("sessions").is_empty());
}

// R-72, SES-18, R-48
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_nobody_is_known_to_pay_for_is_4001() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let stranger = crate::world::party("XX/YYY");
    let of_stranger = Draft::session(&cpo.id, "S1", "04A1", Some(&stranger), at()).json();
    let of_itself = Draft::session(&cpo.id, "S1", "04A1", None, at()).json();
    for body in [of_stranger, of_itself] {
        let reply = cpo
            .voice
            .push(Method::PUT, "sessions", &cpo.id, &["S1"], &body, &To::Open)
            .await
            .unwrap();
        assert_eq!(
            (codes(&reply), named(&reply)[1].as_str()),
            ((200, 4001), "DE/TWH"),
            "{reply:?}"
        );
    }
    let patch = Draft::session_patch("2.50", at()).json();
    let reply = cpo
        .voice
        .push(Method::PATCH, "sessions", &cpo.id, &["S9"], &patch, &To::Open)
        .await
        .unwrap();
    assert_eq!(codes(&reply), (200, 4001));
    assert!(emsp.got("sessions").is_empty());
}

// SES-02, SES-19, R-71, R-60
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_without_an_addressee_find_the_cpo_of_the_session() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let body = r#"{"profile_type":"FAST"}"#;
    let unknown = emsp.voice.charging_preferences("S1", body, &To::Open).await.unwrap();
    assert_eq!(codes(&unknown), (200, 4001));
    let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at()).json();
    cpo.voice
        .push(Method::PUT, "sessions", &cpo.id, &["S1"], &session, &To::Open)
        .await
        .unwrap();
    cpo.platform.offer("sessions", &session).unwrap();
    for to in [To::Open, To::Hub] {
        let reply = emsp.voice.charging_preferences("s1", body, &to).await.unwrap();
        assert_eq!((codes(&reply), named(&reply)[1].as_str()), ((200, 1000), "NL/CPA"));
        assert!(cpo.last("sessions").path.ends_with("/s1/charging_preferences"));
    }
}

// SES-19, CP-13, R-71
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_also_sent_to_who_steers_it_still_belongs_to_its_payer() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let scsp = world.join(complete("BE/SCS", Role::Scsp)).await;
    let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at()).json();
    for to in [&emsp.to, &scsp.to] {
        cpo.voice
            .push(Method::PUT, "sessions", &cpo.id, &["S1"], &session, to)
            .await
            .unwrap();
    }
    let patch = Draft::session_patch("2.50", at()).json();
    cpo.voice
        .push(Method::PATCH, "sessions", &cpo.id, &["S1"], &patch, &scsp.to)
        .await
        .unwrap();
    let reply = cpo
        .voice
        .push(Method::PATCH, "sessions", &cpo.id, &["S1"], &patch, &To::Open)
        .await
        .unwrap();
    assert_eq!((codes(&reply), named(&reply)[1].as_str()), ((200, 1000), "DE/MSA"));
}
