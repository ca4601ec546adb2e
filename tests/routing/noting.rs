//! What is written down about a request: who, whom, what, and how it ended; never a body, a token or a driver.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{CdrDraft, Charge, Draft, To};

use crate::world::{World, at, codes, complete, party};

/// The lines about one exchange, once there are as many; the journal is written behind.
async fn lines(world: &World, correlation_id: &str, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let path = format!("/journal?correlation_id={correlation_id}");
        let found = world.operator(Method::GET, &path, None).await["items"]
            .as_array()
            .unwrap()
            .clone();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the journal has no {count} lines about {correlation_id}");
}

// M-09, N-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_leaves_one_line_with_ids_parties_and_outcome_and_no_driver() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let tariff = Draft::tariff(&cpo.id, "t-1", at()).json();
    let put = |to: &To, id: &str| {
        let errand = cpo
            .voice
            .errand(Method::PUT, "tariffs", Receiver)
            .of(&cpo.id)
            .at(&["t-1"])
            .to(to)
            .body(&tariff);
        errand.header("x-correlation-id", id).header("x-request-id", "R-1")
    };
    put(&emsp.to, "C-1").send().await.unwrap();
    let line = lines(&world, "C-1", 1).await.pop().unwrap();
    for (name, value) in [
        ("request_id", "R-1"),
        ("from", "NL/CPA"),
        ("to", "DE/MSA"),
        ("module", "tariffs"),
        ("method", "PUT"),
        ("object", "NL/CPA/T-1"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(
        (line["http_status"].as_u64(), line["status_code"].as_u64()),
        (Some(201), Some(1000))
    );
    assert!(line["duration_ms"].is_u64());
    put(&To::Party(party("XX/YYY")), "C-2").from(None).send().await.unwrap();
    let line = lines(&world, "C-2", 1).await.pop().unwrap();
    assert_eq!(
        (line["status_code"].as_u64(), line["to"].as_str()),
        (Some(4001), Some("XX/YYY"))
    );
    let token = Draft::token(&emsp.id, "SECRETUID", "RFID", at()).json();
    let errand = emsp
        .voice
        .errand(Method::PUT, "tokens", Receiver)
        .of(&emsp.id)
        .at(&["SECRETUID"])
        .to(&cpo.to);
    errand
        .body(&token)
        .header("x-correlation-id", "C-3")
        .send()
        .await
        .unwrap();
    let line = lines(&world, "C-3", 1).await.pop().unwrap();
    assert!(
        !line.to_string().contains("SECRETUID") && line["module"] == "tokens",
        "{line}"
    );
}

// M-09, P-12, CDR-05, U-09, N-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_or_location_followed_and_a_custom_module_leave_a_line_each() {
    let world = World::start().await;
    let options = serde_json::json!({"custom_modules": true});
    let mut plan = complete("NL/CPA", Role::Cpo).also("nltst-parking", Receiver);
    plan.page = 1;
    let cpo = world.join_with(plan, &[], options.clone()).await;
    let emsp = world.join_with(complete("DE/MSA", Role::Emsp), &[], options).await;
    for id in ["L1", "L2"] {
        let location = Draft::location(&cpo.id, id, at()).json();
        cpo.platform.offer("locations", &location).unwrap();
    }
    let first = emsp.voice.list("locations", "limit=1", &cpo.to).await.unwrap();
    let next = truewatt::ocpi::page::next_of(first.header("link").unwrap()).unwrap();
    let id = next.rsplit('/').next().unwrap();
    let token = STANDARD.encode(emsp.platform.token().unwrap());
    let follow = async |correlation_id: &str, path: &str| {
        let authorization = format!("Token {token}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("X-Correlation-ID", correlation_id),
            ("X-Request-ID", "R-7"),
        ];
        world.ask(Method::GET, path, &headers, b"").await.status
    };
    assert_eq!(follow("C-7", &format!("/ocpi/p/{id}")).await, 200);
    let line = lines(&world, "C-7", 1).await.pop().unwrap();
    for (name, value) in [
        ("request_id", "R-7"),
        ("from", "DE/MSA"),
        ("to", "NL/CPA"),
        ("module", "locations"),
        ("method", "GET"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(
        (line["http_status"].as_u64(), line["status_code"].as_u64()),
        (Some(200), Some(1000))
    );
    assert!(line["duration_ms"].is_u64() && !line.to_string().contains(id), "{line}");
    assert_eq!(follow("C-8", "/ocpi/p/nothing-is-here").await, 404);
    assert_eq!(lines(&world, "C-8", 1).await[0]["status_code"].as_u64(), Some(2000));

    let (start, end) = (at(), at() + chrono::TimeDelta::hours(1));
    let charge = Charge {
        start,
        end,
        energy_kwh: rust_decimal::Decimal::new(12_345, 3),
        identification: "SECRETUID".to_owned(),
    };
    let cdr = CdrDraft::of(cpo.id.clone(), emsp.id.clone(), "CDR-1", "NL*CPA*E1", &charge).json();
    let posted = cpo
        .voice
        .errand(Method::POST, "cdrs", Receiver)
        .to(&emsp.to)
        .body(&cdr)
        .send()
        .await
        .unwrap();
    let location = posted.header("location").unwrap().to_owned();
    let headers = [("x-correlation-id".to_owned(), "C-10".to_owned())];
    let read = cpo.platform.call(Method::GET, &location, &headers, None).await.unwrap();
    assert_eq!(codes(&read).1, 1000, "{read:?}");
    let line = lines(&world, "C-10", 1).await.pop().unwrap();
    for (name, value) in [
        ("from", "NL/CPA"),
        ("module", "cdrs"),
        ("method", "GET"),
        ("object", "NL/CPA/CDR-1"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert!(!line.to_string().contains("SECRETUID"));

    let errand = emsp
        .voice
        .errand(Method::PUT, "nltst-parking", Receiver)
        .at(&["SECRETUID"])
        .to(&cpo.to);
    let reply = errand
        .body("{\"secret\":1}")
        .header("x-correlation-id", "C-9")
        .send()
        .await
        .unwrap();
    assert_eq!(codes(&reply), (200, 1000));
    let line = lines(&world, "C-9", 1).await.pop().unwrap();
    for (name, value) in [
        ("from", "DE/MSA"),
        ("to", "NL/CPA"),
        ("module", "nltst-parking"),
        ("method", "PUT"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert!(!line.to_string().to_lowercase().contains("secret"), "{line}");
}

// N-08, D-05, N-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_body_passes_unaltered_and_its_oddity_is_noted() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let good = Draft::session(&cpo.id, "S1", "SECRETUID", Some(&emsp.id), at()).odd();
    let odd = good.replacen("\"kwh\"", "\"kWh\"", 1);
    assert_ne!(good, odd);
    for (number, (body, to)) in [(&good, &emsp.to), (&odd, &emsp.to), (&odd, &To::Open)]
        .into_iter()
        .enumerate()
    {
        let id = format!("C-{number}");
        let errand = cpo
            .voice
            .errand(Method::PUT, "sessions", Receiver)
            .of(&cpo.id)
            .at(&["S1"])
            .to(to);
        let reply = errand.body(body).header("x-correlation-id", &id).send().await.unwrap();
        assert_eq!((codes(&reply).1, emsp.last("sessions").text()), (1000, body.clone()));
        let line = lines(&world, &id, 1).await.pop().unwrap();
        let outcome = line["outcome"].as_str().unwrap();
        let expected = if number == 0 {
            "answered"
        } else {
            "answered; odd: /kwh: is missing"
        };
        assert_eq!(outcome, expected);
        assert!(!line.to_string().contains("SECRETUID"));
    }
}

// N-09, N-08, D-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_held_to_the_letter_is_told_what_is_missing_and_nobody_gets_it() {
    let world = World::start().await;
    let options = serde_json::json!({"strict": true});
    let cpo = world.join_with(complete("NL/CPA", Role::Cpo), &[], options).await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    let good = Draft::session(&cpo.id, "S1", "SECRETUID", Some(&emsp.id), at()).odd();
    for (body, expected) in [(good.replacen("\"kwh\"", "\"kWh\"", 1), 2001), (good, 1000)] {
        for to in [&emsp.to, &To::Open] {
            let errand = cpo.voice.errand(Method::PUT, "sessions", Receiver);
            let reply = errand.of(&cpo.id).at(&["S1"]).to(to).body(&body).send().await.unwrap();
            assert_eq!(codes(&reply).1, expected);
            let message = reply.message.unwrap_or_default();
            assert_eq!(message.contains("/kwh: is missing"), expected == 2001, "{message}");
        }
    }
    assert_eq!(emsp.got("sessions").len(), 2, "what passed, and nothing else");
}

// X-001, R-13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_of_2_2_and_one_of_2_2_1_exchange_the_same_octets() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo).of_2_2()).await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    let session = Draft::session(&cpo.id, "S1", "04A1", None, at()).odd();
    let reply = cpo
        .voice
        .push(Method::PUT, "sessions", &cpo.id, &["S1"], &session, &emsp.to)
        .await
        .unwrap();
    assert_eq!((codes(&reply), emsp.last("sessions").text()), ((201, 1000), session));
    let token = Draft::token(&emsp.id, "04A1", "RFID", at()).odd();
    let reply = emsp
        .voice
        .push(Method::PUT, "tokens", &emsp.id, &["04A1"], &token, &cpo.to)
        .await
        .unwrap();
    assert_eq!((codes(&reply), cpo.last("tokens").text()), ((201, 1000), token));
    let stop = emsp
        .voice
        .command(
            truewatt::sandbox::Order::StopSession,
            r#"{"session_id":"S1"}"#,
            &To::Open,
        )
        .await
        .unwrap();
    assert_eq!(
        codes(&stop.reply),
        (200, 1000),
        "the session was seen: {:?}",
        stop.reply
    );
    assert!(
        cpo.platform
            .taken()
            .pop()
            .unwrap()
            .response_url
            .contains("/ocpi/2.2/callbacks/")
    );
    let result = emsp.platform.wait_for_result(&stop, crate::world::SOON).await.unwrap();
    assert_eq!(result.refused, None);
}
