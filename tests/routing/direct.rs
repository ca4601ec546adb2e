//! From party to party: what leaves the requester is what reaches the receiver.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use truewatt::client::Method;
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, EndpointShape, Errand, To};

use crate::world::{Neighbour, World, at, codes, complete, named, party};

/// A request together with the octets it carries and the path behind the receiver's endpoint.
struct Sent<'a> {
    by: &'a Neighbour,
    there: &'a Neighbour,
    method: Method,
    module: &'static str,
    ids: &'a [&'a str],
    body: String,
    tail: &'static str,
}

async fn arrives(sent: Sent<'_>) {
    let Sent {
        by,
        there,
        method,
        module,
        ids,
        body,
        tail,
    } = sent;
    let errand = by
        .voice
        .errand(method.clone(), module, Receiver)
        .of(&by.id)
        .at(ids)
        .body(&body);
    let errand = errand
        .to(&there.to)
        .header("x-request-id", "R-1")
        .header("x-correlation-id", "C-1");
    let reply = errand.send().await.unwrap();
    assert!(reply.accepted(), "{method} {module} {ids:?}: {reply:?}");
    let got = there.last(module);
    assert_eq!(got.refused, None, "{method} {module}");
    assert_eq!(got.method, method.as_str());
    assert_eq!(got.text(), body, "octet by octet");
    // T-30: the endpoint as it was listed, the owner, the ids; of the same octets.
    let owner = format!("/{}/{}", by.id.country_code(), by.id.party_id());
    assert!(got.path.ends_with(&format!("{owner}{tail}")), "{}", got.path);
    assert_eq!(got.door, Some(Door::Receiver(module)));
    assert_eq!(got.pair("to"), Some(there.id.to_string()));
    assert_eq!(got.pair("from"), Some(by.id.to_string()));
    assert_eq!(got.header("x-correlation-id"), Some("C-1"));
    assert_ne!(got.header("x-request-id"), Some("R-1"));
    assert_eq!(named(&reply), [by.id.to_string(), there.id.to_string()]);
    assert_eq!(reply.header("x-request-id"), Some("R-1"));
    assert_eq!(reply.header("x-correlation-id"), Some("C-1"));
}

// R-01, R-13, R-22, R-23, R-24, R-25, R-09, T-12, T-30, T-40, T-41, T-48, T-49, M-03, M-04, M-05, U-01, U-04, LOC-04, LOC-05, LOC-21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directed_push_reaches_the_receivers_own_url_with_every_octet_as_it_was_sent() {
    let world = World::start().await;
    for (number, shape) in [
        EndpointShape::Plain,
        EndpointShape::TrailingSlash,
        EndpointShape::WithQuery,
        EndpointShape::Mixed,
    ]
    .into_iter()
    .enumerate()
    {
        let cpo = world
            .join(complete(&format!("NL/C{number}A"), Role::Cpo).shaped(shape))
            .await;
        let emsp = world
            .join(complete(&format!("DE/M{number}A"), Role::Emsp).shaped(shape))
            .await;
        let (method, put, patch) = (Method::PUT, Method::PUT, Method::PATCH);
        let location = |ids, method, body: Draft, tail| {
            arrives(Sent {
                by: &cpo,
                there: &emsp,
                method,
                module: "locations",
                ids,
                body: body.odd(),
                tail,
            })
        };
        location(
            &["L 1/x"],
            put.clone(),
            Draft::location(&cpo.id, "L 1/x", at()),
            "/L%201%2Fx",
        )
        .await;
        location(
            &["L 1/x", "E*1"],
            put.clone(),
            Draft::evse(&cpo.id, "E*1", at()),
            "/L%201%2Fx/E*1",
        )
        .await;
        location(
            &["L 1/x", "E*1", "2"],
            put,
            Draft::connector("2", at()),
            "/L%201%2Fx/E*1/2",
        )
        .await;
        let change = || Draft::connector("2", at());
        location(&["L 1/x", "E*1", "2"], patch.clone(), change(), "/L%201%2Fx/E*1/2").await;
        let session = Draft::session(&cpo.id, "S-1", "04A1", Some(&emsp.id), at()).text("status", "MELTING");
        let of_session = |method, body: Draft| {
            let ids = &["S-1"];
            arrives(Sent {
                by: &cpo,
                there: &emsp,
                method,
                module: "sessions",
                ids,
                body: body.odd(),
                tail: "/S-1",
            })
        };
        of_session(method.clone(), session).await;
        of_session(patch.clone(), Draft::session_patch("1.50", at())).await;
        let tariff = Draft::tariff(&cpo.id, "T-1", at());
        let of_tariff = |method, body| {
            arrives(Sent {
                by: &cpo,
                there: &emsp,
                method,
                module: "tariffs",
                ids: &["T-1"],
                body,
                tail: "/T-1",
            })
        };
        of_tariff(method.clone(), tariff.odd()).await;
        of_tariff(Method::DELETE, String::new()).await;
        let token = Draft::token(&emsp.id, "04 A1%", "RFID", at());
        let of_token = |method, body: Draft| {
            let ids = &["04 A1%"];
            let tail = "/04%20A1%25";
            arrives(Sent {
                by: &emsp,
                there: &cpo,
                method,
                module: "tokens",
                ids,
                body: body.odd(),
                tail,
            })
        };
        of_token(method, token.clone()).await;
        of_token(patch, token).await;
    }
}

// TAR-02, R-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_stored_is_read_back_from_the_receiver() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let body = Draft::tariff(&cpo.id, "T-1", at()).odd();
    cpo.voice
        .push(Method::PUT, "tariffs", &cpo.id, &["T-1"], &body, &emsp.to)
        .await
        .unwrap();
    let copy = cpo
        .voice
        .read_copy("tariffs", &cpo.id, &["T-1"], &emsp.to)
        .await
        .unwrap();
    assert_eq!(copy.data.as_deref(), Some(body.trim()));
    let got = emsp.last("tariffs");
    assert_eq!(
        (got.method.as_str(), got.body.len(), got.header("content-type")),
        ("GET", 0, None)
    );
    let none = cpo
        .voice
        .read_copy("tariffs", &cpo.id, &["T-2"], &emsp.to)
        .await
        .unwrap();
    assert_eq!(codes(&none), (404, 2000), "the receiver's own answer");
    assert_eq!(named(&none)[1], emsp.id.to_string());
}

// LOC-02, R-09, U-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_location_its_evse_and_its_connector_are_read_from_the_owner() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    cpo.platform
        .offer("locations", &Draft::location(&cpo.id, "DE/ABC", at()).json())
        .unwrap();
    for ids in [&["DE/ABC"][..], &["DE/ABC", "EVSE-1"], &["DE/ABC", "EVSE-1", "1"]] {
        let one = emsp.voice.get_one("locations", ids, &cpo.to).await.unwrap();
        assert_eq!(codes(&one), (200, 1000), "{ids:?} {one:?}");
        let got = cpo.last("locations");
        assert_eq!(got.door, Some(Door::Sender("locations")));
        assert!(
            got.path.ends_with(&ids.join("/").replace("DE/ABC", "DE%2FABC")),
            "{}",
            got.path
        );
    }
}

// R-13, U-06, F-13, F-18, TOK-08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_and_queries_arrive_as_they_were_written() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    for uid in [
        "a/b",
        "a%2Fb",
        "DE*ABC*E1",
        "ä€",
        "a b+c",
        "..",
        "...",
        "q?x=1#y",
        "1;2=3",
    ] {
        let token = Draft::token(&emsp.id, uid, "app_user", at()).json();
        let errand = emsp
            .voice
            .errand(Method::PUT, "tokens", Receiver)
            .of(&emsp.id)
            .at(&[uid]);
        let errand = errand.query("type=app_user&x=%2F+%41&x").to(&cpo.to).body(&token);
        let reply = errand.send().await.unwrap();
        assert!(reply.accepted() || uid == "..", "{uid}: {reply:?}");
        let got = cpo.last("tokens");
        assert!(got.query.ends_with("type=app_user&x=%2F+%41&x"), "{}", got.query);
        if uid != ".." {
            assert!(
                cpo.platform.kept("tokens", &emsp.id, &[uid, "app_user"]).is_some(),
                "{uid}: {}",
                got.path
            );
        }
    }
}

// U-06
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_segment_walks_up_the_receivers_path() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let token = authorization(&cpo.platform.token().unwrap(), TokenForm::Base64);
    for segment in ["%2e%2e", "%2E%2E", ".%2e", "%2e", "..", "."] {
        // Written by hand: every URL library walks up by itself.
        let request = format!(
            "GET /ocpi/2.2.1/receiver/tariffs/NL/CPA/{segment} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nAuthorization: {token}\r\n\
             OCPI-from-country-code: NL\r\nOCPI-from-party-id: CPA\r\nOCPI-to-country-code: DE\r\nOCPI-to-party-id: MSA\r\n\r\n"
        );
        let mut line = TcpStream::connect(world.hub.url.trim_start_matches("http://"))
            .await
            .unwrap();
        line.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{segment}: {answer}");
        let got = emsp.last("tariffs");
        assert!(got.path.contains("/NL/CPA/%252E"), "{segment}: {}", got.path);
    }
}

// R-04, D-04, T-42, R-12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parties_in_any_case_are_known_and_written_on_as_they_registered() {
    let world = World::start().await;
    let cpo = world.join(complete("NL/cPa", Role::Cpo)).await;
    let emsp = world.join(complete("DE/MsA", Role::Emsp)).await;
    let body = Draft::tariff(&cpo.id, "T-1", at()).odd();
    let errand = cpo
        .voice
        .errand(Method::PUT, "tariffs", Receiver)
        .of(&party("nl/CPA"))
        .at(&["T-1"]);
    let errand = errand
        .from(Some(&party("nl/cpa")))
        .to(&To::Party(party("de/msa")))
        .body(&body);
    let reply = errand.send().await.unwrap();
    assert_eq!(codes(&reply), (201, 1000), "{reply:?}");
    let got = emsp.last("tariffs");
    assert_eq!(
        (got.pair("to").unwrap(), got.pair("from").unwrap()),
        ("DE/MsA".into(), "NL/cPa".into())
    );
    assert!(got.path.ends_with("/NL/cPa/T-1"), "{}", got.path);
    assert_eq!(named(&reply), ["NL/cPa", "DE/MsA"]);
}

// M-05, R-08, R-24, R-25, M-01, M-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_has_the_requesters_ids_and_names_the_receiver_whatever_that_one_wrote() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    for behaviour in [Behaviour::Proper, Behaviour::ForeignIds, Behaviour::NoIds] {
        emsp.platform.behave(Door::Receiver("tariffs"), behaviour);
        let body = Draft::tariff(&cpo.id, "T-1", at()).json();
        let errand = cpo
            .voice
            .errand(Method::PUT, "tariffs", Receiver)
            .of(&cpo.id)
            .at(&["T-1"]);
        let errand = errand
            .to(&emsp.to)
            .body(&body)
            .header("x-request-id", "R-7")
            .header("x-correlation-id", "C-7");
        let reply = errand.send().await.unwrap();
        assert_eq!(reply.header("x-request-id"), Some("R-7"));
        assert_eq!(reply.header("x-correlation-id"), Some("C-7"));
        assert_eq!(named(&reply), ["NL/CPA", "DE/MSA"]);
        assert_eq!(
            reply
                .headers
                .iter()
                .filter(|(name, _)| name.starts_with("ocpi-"))
                .count(),
            4
        );
    }
}

// M-08, D-09, M-01, M-02, M-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_are_missing_are_made_up_and_used_onward_and_in_the_answer() {
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
    let reply = put()
        .without("x-request-id")
        .without("x-correlation-id")
        .send()
        .await
        .unwrap();
    assert!(reply.accepted());
    let made = reply.header("x-correlation-id").unwrap();
    assert!(
        uuid::Uuid::try_parse(made).is_ok() && uuid::Uuid::try_parse(reply.header("x-request-id").unwrap()).is_ok()
    );
    assert_eq!(emsp.last("tariffs").header("x-correlation-id"), Some(made));
    let odd = format!("{}~ {}", "x".repeat(250), "yz");
    let reply = put().header("x-correlation-id", &odd).send().await.unwrap();
    assert_eq!(reply.header("x-correlation-id"), Some(odd.as_str()));
    assert_eq!(emsp.last("tariffs").header("x-correlation-id"), Some(odd.as_str()));
}

// R-10, R-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_party_of_a_platform_is_addressed_by_its_own_name_also_from_the_same_platform() {
    let world = World::start().await;
    let mut plan = complete("DE/MSA", Role::Emsp);
    for (id, role) in [("DE/MSB", Role::Emsp), ("DE/CPX", Role::Cpo)] {
        plan.parties.push((party(id), role));
    }
    let host = world.join(plan).await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
    for to in ["DE/MSA", "DE/MSB"] {
        let body = Draft::tariff(&cpo.id, "T-1", at()).json();
        let to = To::Party(party(to));
        cpo.voice
            .push(Method::PUT, "tariffs", &cpo.id, &["T-1"], &body, &to)
            .await
            .unwrap();
    }
    let addressed: Vec<_> = host.got("tariffs").iter().map(|got| got.pair("to").unwrap()).collect();
    assert_eq!(addressed, ["DE/MSA", "DE/MSB"]);
    let sibling = party("DE/CPX");
    let voice = host.platform.voice_of(&sibling);
    let body = Draft::tariff(&sibling, "T-2", at()).json();
    let reply = voice
        .push(Method::PUT, "tariffs", &sibling, &["T-2"], &body, &host.to)
        .await
        .unwrap();
    assert_eq!(codes(&reply), (201, 1000));
    let got = host.last("tariffs");
    assert_eq!(
        (got.pair("from").unwrap(), got.pair("to").unwrap()),
        ("DE/CPX".into(), "DE/MSA".into())
    );
}

// R-49, D-18, R-53
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directed_push_is_nobody_elses_business() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let other = world.join(complete("DE/MSB", Role::Emsp)).await;
    let body = Draft::location(&cpo.id, "L1", at()).json();
    cpo.voice
        .push(Method::PUT, "locations", &cpo.id, &["L1"], &body, &emsp.to)
        .await
        .unwrap();
    assert_eq!((emsp.got("locations").len(), other.got("locations").len()), (1, 0));
}

// T-40, T-41, T-45, F-10, F-14, D-05, N-08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_wrong_in_what_the_hub_does_not_depend_on_goes_through() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    // `country` of two letters, no coordinates, a number as text, members nobody knows: the sandbox reads only what it keeps it by.
    let body = format!(
        "\u{20}{{\"id\":\"L1\",\"party_id\":\"{}\",\"country_code\":\"{}\",\"country\":\"NL\",\"evses\":\"none\",\"kwh\":1e-2,\
         \"last_updated\":\"2026-11-21T10:00:00Z\" , \"x\":{{\"x\":[]}} }}\n",
        cpo.id.party_id(),
        cpo.id.country_code()
    );
    for _ in 0..2 {
        let reply = cpo
            .voice
            .push(Method::PUT, "locations", &cpo.id, &["L1"], &body, &emsp.to)
            .await
            .unwrap();
        assert!(reply.accepted(), "{reply:?}");
    }
    let got = emsp.got("locations");
    assert!(got.len() == 2 && got.iter().all(|got| got.text() == body));
}

// LOC-13, LOC-23, SES-16, T-37
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_published_not_known_yet_or_not_to_be_had_goes_its_way() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let hidden = Draft::location(&cpo.id, "L1", at()).with("publish", "false");
    let connector = Draft::connector("1", at()).with("tariff_ids", r#"["NOT-YET"]"#);
    let hidden = hidden.with(
        "evses",
        &format!(
            "[{}]",
            Draft::evse(&cpo.id, "E1", at())
                .with("connectors", &format!("[{}]", connector.json()))
                .json()
        ),
    );
    let reserved = Draft::session(&cpo.id, "S1", "UID-1", Some(&emsp.id), at());
    let reserved = reserved
        .text("status", "RESERVATION")
        .text("evse_uid", "#NA")
        .text("connector_id", "#NA");
    for (module, id, draft, to) in [
        ("locations", "L1", &hidden, &emsp.to),
        ("locations", "L1", &hidden, &To::Hub),
        ("sessions", "S1", &reserved, &emsp.to),
        ("sessions", "S1", &reserved, &To::Hub),
    ] {
        let before = emsp.got(module).len();
        let body = draft.json();
        let reply = cpo
            .voice
            .push(Method::PUT, module, &cpo.id, &[id], &body, to)
            .await
            .unwrap();
        assert!(reply.accepted(), "{module}: {reply:?}");
        let arrived = emsp
            .platform
            .wait_for_count(module, before + 1, crate::world::SOON)
            .await;
        assert!(arrived && emsp.last(module).text() == body, "{module}");
    }
}

// SES-02, SES-03, SES-04, R-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charging_preferences_and_every_answer_to_them_pass() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let body = r#"{ "profile_type" : "FAST","energy_need":10.50 }"#;
    let session = Draft::session(&cpo.id, "S 1", "04A1", Some(&emsp.id), at()).json();
    cpo.platform.offer("sessions", &session).unwrap();
    for word in ["ACCEPTED", "DEPARTURE_REQUIRED", "NOT_POSSIBLE"] {
        cpo.platform.prefer(word);
        let reply = emsp.voice.charging_preferences("S 1", body, &cpo.to).await.unwrap();
        assert_eq!(reply.data, Some(format!("\"{word}\"")), "{reply:?}");
        let got = cpo.last("sessions");
        assert_eq!((got.text().as_str(), got.method.as_str()), (body, "PUT"));
        assert!(got.path.ends_with("/S%201/charging_preferences"), "{}", got.path);
    }
    let incapable = emsp.voice.charging_preferences("S2", body, &cpo.to).await.unwrap();
    assert_eq!(codes(&incapable), (404, 2001));
    let incapable = Behaviour::Envelope {
        http: 404,
        code: 2001,
        message: "not capable".into(),
    };
    cpo.platform.behave(Door::Preferences, incapable);
    let reply = emsp.voice.charging_preferences("S1", body, &cpo.to).await.unwrap();
    assert_eq!(codes(&reply), (404, 2001));
    assert_eq!(reply.message.as_deref(), Some("not capable"));
}

// SES-13, SES-16, SES-21, T-37, D-22, T-41
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_any_status_passes_and_keeps_the_ids_it_has() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    for status in ["PENDING", "RESERVATION", "RESERVED", "ACTIVE", "COMPLETED", "INVALID"] {
        let session = Draft::session(&cpo.id, "Sess-1", "04A1", Some(&emsp.id), at()).text("status", status);
        let session = session.text("evse_uid", "#NA").text("connector_id", "#NA").odd();
        for to in [&emsp.to, &To::Open] {
            let reply = cpo
                .voice
                .push(Method::PUT, "sessions", &cpo.id, &["sESS-1"], &session, to)
                .await
                .unwrap();
            assert!(reply.accepted(), "{status}: {reply:?}");
            let got = emsp.last("sessions");
            assert_eq!(got.text(), session);
            assert!(got.path.ends_with("/sESS-1"), "{}", got.path);
        }
    }
}
