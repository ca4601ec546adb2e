//! Commands: answered at once, and again later at the requester's own URL (1.16, D-14).

use serde_json::Value;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Execution, Later, Order, To};

use crate::orders::fields;
use crate::world::{SOON, World, at, codes, complete, named};

// CMD-01, CMD-02, CMD-03, CMD-04, CMD-06, CMD-09, CMD-10, D-14, R-38, T-49
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_reaches_the_cpo_with_only_its_response_url_exchanged_and_the_result_comes_home() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    for order in Order::COMMANDS {
        let ordered = emsp
            .voice
            .command(order, &fields(order, &emsp.id), &cpo.to)
            .await
            .unwrap();
        assert_eq!(
            (codes(&ordered.reply), named(&ordered.reply)),
            ((200, 1000), ["DE/MSA".into(), "NL/CPA".into()])
        );
        let data: Value = serde_json::from_str(ordered.reply.data.as_deref().unwrap()).unwrap();
        assert_eq!(
            (data["result"].as_str(), data["timeout"].as_u64()),
            (Some("ACCEPTED"), Some(30))
        );
        let got = cpo.last("commands");
        assert!(got.path.ends_with(order.as_str()), "{}", got.path);
        let ours = cpo.platform.taken().pop().unwrap().response_url;
        assert!(ours.starts_with(&world.hub.url) && ours.len() <= 255, "{ours}");
        assert_eq!(
            got.text(),
            ordered.body.replace(&ordered.response_url, &ours),
            "nothing else is touched"
        );
        let result = emsp.platform.wait_for_result(&ordered, SOON).await.unwrap();
        assert_eq!((result.refused, result.answered), (None, 200));
        assert_eq!(format!("{}?{}", result.path, result.query), {
            let url = ordered.response_url.splitn(4, '/').nth(3).unwrap();
            format!("/{url}")
        });
        let got = emsp.platform.results(&ordered).pop().unwrap();
        assert_eq!(
            (got.pair("to").unwrap(), got.pair("from").unwrap()),
            ("DE/MSA".into(), "NL/CPA".into())
        );
    }
}

// CMD-03, CMD-07, S-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_refused_is_heard_as_the_cpo_said_it() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    for (word, code) in [("REJECTED", 2003), ("NOT_SUPPORTED", 1000), ("UNKNOWN_SESSION", 1000)] {
        cpo.platform
            .execute(Order::StopSession, Execution::refused(word).saying(code));
        let ordered = emsp
            .voice
            .command(Order::StopSession, r#"{"session_id":"S1"}"#, &cpo.to)
            .await
            .unwrap();
        assert_eq!(codes(&ordered.reply), (200, code));
        assert!(ordered.reply.data.unwrap().contains(word));
    }
    assert!(emsp.got("commands").is_empty(), "no result is made up (CMD-12)");
}

// CMD-09, N-04, N-05, D-25
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_without_a_usable_response_url_is_2001_and_goes_no_further() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let errand = || {
        use truewatt::ocpi::role::InterfaceRole::Receiver;
        emsp.voice
            .errand(truewatt::client::Method::POST, "commands", Receiver)
            .at(&["STOP_SESSION"])
            .to(&cpo.to)
    };
    for body in [
        r#"{"session_id":"S1"}"#,
        r#"{"session_id":"S1","response_url":null}"#,
        r#"{"session_id":"S1","response_url":7}"#,
        r#"{"session_id":"S1","response_url":"here"}"#,
        r#"{"session_id":"S1","response_url":"http://stranger.example/"}"#,
        r#"{"response_url":"http://127.0.0.1:1/","session_id":"S1"}"#,
    ] {
        let reply = errand().body(body).send().await.unwrap();
        assert_eq!(codes(&reply), (200, 2001), "{body}: {reply:?}");
        assert!(reply.message.unwrap().contains("response_url"), "{body}");
    }
    assert!(cpo.got("commands").is_empty());
}

// CMD-08, CMD-12, CMD-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_result_that_is_sent_comes_home_in_order_once() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let results = ["ACCEPTED", "CANCELED_RESERVATION"].map(Later::word);
    cpo.platform
        .execute(Order::ReserveNow, Execution::with_results(results));
    let ordered = emsp
        .voice
        .command(Order::ReserveNow, &fields(Order::ReserveNow, &emsp.id), &cpo.to)
        .await
        .unwrap();
    assert!(emsp.platform.wait_for_results(&ordered, 2, SOON).await);
    assert!(cpo.platform.wait_for_sent(SOON, |sent| sent.len() == 2).await);
    let said: Vec<_> = emsp.platform.results(&ordered).iter().map(|got| got.text()).collect();
    assert!(
        said.len() == 2 && said[0].contains("ACCEPTED") && said[1].contains("CANCELED_RESERVATION"),
        "{said:?}"
    );
}

// CMD-19, R-71, R-60, R-72, R-30, R-31, D-20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_without_an_addressee_finds_the_cpo_that_has_session_reservation_or_location() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let other = world.join(complete("NL/CPB", Role::Cpo)).await;
    let order = async |order: Order, to: &To| {
        let ordered = emsp.voice.command(order, &fields(order, &emsp.id), to).await.unwrap();
        (codes(&ordered.reply), named(&ordered.reply)[1].clone())
    };
    for unknown in Order::COMMANDS {
        assert_eq!(
            order(unknown, &To::Open).await,
            ((200, 4001), "DE/TWH".into()),
            "{unknown:?}"
        );
        assert_eq!(order(unknown, &To::Hub).await.0, (200, 4001), "{unknown:?}");
    }
    assert!(cpo.got("commands").is_empty() && other.got("commands").is_empty());
    // A session that was seen teaches whose it is and where; a reservation is known from its making.
    let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at())
        .text("location_id", "L1")
        .json();
    cpo.voice
        .push(
            truewatt::client::Method::PUT,
            "sessions",
            &cpo.id,
            &["S1"],
            &session,
            &emsp.to,
        )
        .await
        .unwrap();
    assert_eq!(order(Order::ReserveNow, &cpo.to).await.0, (200, 1000));
    for known in Order::COMMANDS {
        assert_eq!(
            order(known, &To::Open).await,
            ((200, 1000), "NL/CPA".into()),
            "{known:?}"
        );
        assert_eq!(
            order(known, &To::Hub).await,
            ((200, 1000), "NL/CPA".into()),
            "{known:?}"
        );
        assert_eq!(cpo.last("commands").pair("to").unwrap(), "NL/CPA");
    }
    // Another CPO with a session of the same id: nobody is picked at random.
    let twin = Draft::session(&other.id, "s1", "04A1", Some(&emsp.id), at())
        .text("location_id", "L1")
        .json();
    other
        .voice
        .push(
            truewatt::client::Method::PUT,
            "sessions",
            &other.id,
            &["s1"],
            &twin,
            &emsp.to,
        )
        .await
        .unwrap();
    let before = cpo.got("commands").len();
    assert_eq!(order(Order::StopSession, &To::Open).await.0, (200, 4001));
    assert_eq!((cpo.got("commands").len(), other.got("commands").len()), (before, 0));
    assert_eq!(
        order(Order::StopSession, &cpo.to).await.0,
        (200, 1000),
        "a name decides"
    );
}

// R-41, CMD-12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_comes_although_the_command_was_never_answered_is_carried_home() {
    let world = World::start_with("[timeouts]\nconnect_s = 1\ncommand_s = 2\n").await;
    let (cpo, emsp) = world.pair().await;
    cpo.platform.behave_once(
        Door::Receiver("commands"),
        Behaviour::Slow(std::time::Duration::from_secs(3)),
    );
    let ordered = emsp
        .voice
        .command(Order::StopSession, r#"{"session_id":"S1"}"#, &cpo.to)
        .await
        .unwrap();
    assert_eq!(codes(&ordered.reply), (200, 4002));
    let result = emsp.platform.wait_for_result(&ordered, SOON).await.unwrap();
    assert!(result.text().contains("ACCEPTED"));
}

// CMD-05, ENUM-07, T-41
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_of_any_word_comes_home_as_it_was_said() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let words = [
        "ACCEPTED",
        "CANCELED_RESERVATION",
        "EVSE_OCCUPIED",
        "EVSE_INOPERATIVE",
        "FAILED",
        "NOT_SUPPORTED",
        "REJECTED",
        "TIMEOUT",
        "UNKNOWN_RESERVATION",
        "MELTED",
    ];
    let said = words.map(|word| format!("{{ \"result\" : \"{word}\",\"x\":1.50 }}"));
    cpo.platform.execute(
        Order::StopSession,
        Execution::with_results(said.iter().map(|body| Later::exactly(body))),
    );
    let ordered = emsp
        .voice
        .command(Order::StopSession, r#"{"session_id":"S1"}"#, &cpo.to)
        .await
        .unwrap();
    assert!(emsp.platform.wait_for_results(&ordered, said.len(), SOON).await);
    let heard: Vec<_> = emsp.platform.results(&ordered).iter().map(|got| got.text()).collect();
    assert_eq!(heard, said);
}

// CMD-17, R-71, R-72
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_is_known_by_its_id_and_the_emsp_that_made_it() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let (other_cpo, other) = (
        world.join(complete("NL/CPB", Role::Cpo)).await,
        world.join(complete("DE/MSB", Role::Emsp)).await,
    );
    let cancel = r#"{"reservation_id":"r1"}"#;
    for (who, there) in [(&emsp, &cpo), (&other, &other_cpo)] {
        let made = who
            .voice
            .command(Order::ReserveNow, &fields(Order::ReserveNow, &who.id), &there.to)
            .await
            .unwrap();
        assert!(made.reply.accepted(), "{:?}", made.reply);
    }
    for (who, there) in [(&emsp, &cpo), (&other, &other_cpo)] {
        let ordered = who
            .voice
            .command(Order::CancelReservation, cancel, &To::Open)
            .await
            .unwrap();
        assert_eq!(
            (codes(&ordered.reply), &named(&ordered.reply)[1]),
            ((200, 1000), &there.id.to_string())
        );
    }
}
