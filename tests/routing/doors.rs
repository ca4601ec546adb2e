//! Paths and methods: what is there, and what is not (U-05, U-08).

use truewatt::client::Method;
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::modules::MODULES;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::Draft;
use truewatt::sandbox::party::routing;

use crate::world::{World, at, party};

fn code_of(body: &[u8]) -> u16 {
    truewatt::ocpi::envelope::read(body).unwrap().status_code.0
}

// U-08, LOC-06, SES-06, TAR-02, TOK-07, TOK-09, CMD-01, CP-02, T-10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_is_none_is_405_an_unknown_path_404_and_both_come_in_an_envelope() {
    let world = World::start().await;
    let (cpo, _) = world.pair().await;
    let token = authorization(&cpo.platform.token().unwrap(), TokenForm::Base64);
    for (method, path, http) in [
        ("POST", "receiver/locations/NL/CPA/L1", 405),
        ("DELETE", "receiver/locations/NL/CPA/L1", 405),
        ("POST", "receiver/locations", 405),
        ("PUT", "sender/locations/L1", 405),
        ("DELETE", "receiver/sessions/NL/CPA/S1", 405),
        ("GET", "receiver/commands/START_SESSION", 405),
        ("PATCH", "receiver/tariffs/NL/CPA/T1", 405),
        ("POST", "receiver/tariffs/NL/CPA/T1", 405),
        ("DELETE", "receiver/tokens/NL/CPA/T1", 405),
        ("POST", "receiver/chargingprofiles/S1", 405),
        ("PATCH", "sender/chargingprofiles/S1", 405),
        ("GET", "sender/tokens/T1/authorize", 405),
        ("GET", "sender/sessions/S1", 404),
        ("PUT", "receiver/locations/NL/CPA", 404),
        ("PUT", "receiver/locations/NL/CPA/L1/E1/1/more", 404),
        ("GET", "sender/bookings", 404),
        ("POST", "sender/tokens/T1", 404),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = world
            .ask(
                method.clone(),
                &format!("/ocpi/2.2.1/{path}"),
                &[("Authorization", &token)],
                b"",
            )
            .await;
        assert_eq!((answer.status, code_of(&answer.body)), (http, 2000), "{method} {path}");
        assert!(answer.header("x-request-id").is_some() && answer.header("x-correlation-id").is_some());
        let stranger = world
            .ask(method.clone(), &format!("/ocpi/2.2.1/{path}"), &[], b"")
            .await;
        assert_eq!(stranger.status, if http == 405 { 401 } else { 404 }, "{method} {path}");
    }
}

// U-05, D-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slashes_too_many_lead_to_the_same_door_and_never_away_from_it() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let listed = cpo.platform.hub_endpoint("tariffs", Receiver).unwrap();
    let headers = routing(&cpo.id, Some(&emsp.id));
    let body = Draft::tariff(&cpo.id, "T-1", at()).json();
    for tail in ["/NL/CPA/T-1", "/NL/CPA/T-1/", "//NL//CPA///T-1//", "/NL/CPA/T-1/?x=1"] {
        let url = format!("{listed}{tail}");
        let reply = cpo
            .platform
            .call(Method::PUT, &url, &headers, Some(body.as_bytes()))
            .await
            .unwrap();
        assert!(reply.accepted(), "{tail}: {reply:?}");
        let got = emsp.last("tariffs");
        assert!(got.path.ends_with("/NL/CPA/T-1"), "{}", got.path);
    }
    assert!(emsp.last("tariffs").query.ends_with("x=1"));
}

// T-01, T-03, T-04, HCI-04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_door_of_any_module_opens_to_a_stranger_or_a_registration_token() {
    let world = World::start_with("[limits]\nwrong_tokens = 0\n").await;
    let (cpo, emsp) = world.pair().await;
    let expected = [(party("DE/NEW"), Role::Emsp)].into_iter();
    let platform = world.expect("new", expected, serde_json::json!({})).await;
    let token_a = authorization(platform["token_a"].as_str().unwrap(), TokenForm::Base64);
    let known = authorization(&cpo.platform.token().unwrap(), TokenForm::Base64);
    let doors = MODULES
        .iter()
        .filter(|module| !matches!(module.identifier, "versions" | "credentials"));
    let doors = doors.flat_map(|module| {
        module
            .interfaces
            .iter()
            .flat_map(|interface| interface.routes.iter().map(move |line| (interface, line)))
    });
    let mut tried = 0;
    for (interface, line) in doors {
        let tail = line.path.replace("{country_code}", "NL").replace("{party_id}", "CPA");
        let tail: Vec<_> = tail
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part })
            .collect();
        let paths = [
            format!("/ocpi/2.2.1{}{}", interface.path, tail.join("/")),
            format!("/ocpi/2.2{}{}/", interface.path, tail.join("/")),
        ];
        for path in paths {
            for value in [
                None,
                Some(""),
                Some("Token"),
                Some("Token bm9ib2R5"),
                Some("Bearer x"),
                Some(token_a.as_str()),
                Some(known.trim_start_matches("Token ")),
                known.get(..known.len() - 5),
            ] {
                let mut headers = vec![
                    ("content-type", "application/json"),
                    ("ocpi-from-country-code", "NL"),
                    ("ocpi-from-party-id", "CPA"),
                    ("ocpi-to-country-code", "DE"),
                    ("ocpi-to-party-id", "MSA"),
                ];
                headers.extend(value.map(|value| ("authorization", value)));
                let method = Method::from_bytes(line.method.as_bytes()).unwrap();
                let answer = world.ask(method, &path, &headers, br#"{"id":"x"}"#).await;
                assert_eq!(
                    (answer.status, code_of(&answer.body)),
                    (401, 2000),
                    "{} {path}",
                    line.method
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
    for neighbour in [&cpo, &emsp] {
        let got = neighbour.platform.got();
        let strangers = got
            .iter()
            .filter(|got| got.pair("from").is_some_and(|from| from != "DE/TWH"));
        assert_eq!(strangers.count(), 0, "nobody was asked anything");
    }
}
