//! Every answer of the hub has one form, whatever it says (1.5).

use chrono::{DateTime, Utc};
use serde_json::Value;
use truewatt::client::{Answer, Method};
use truewatt::clock::{Clock, SystemClock};
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::ids::PartyId;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::party::routing;
use truewatt::sandbox::{Draft, To};

use crate::world::{World, at, complete, party};

/// What `data` is in an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Data {
    Absent,
    List,
    Object,
}

/// One call: what is called, how, by whom and with what; then what is answered.
type Line<'a> = (&'a str, &'a str, Option<&'a PartyId>, &'a str, u16, u64, Data);

fn judge(answer: &Answer, (http, code, data): (u16, u64, Data), what: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    let said = said.as_object().unwrap_or_else(|| panic!("{what}: {text}"));
    assert_eq!(
        (answer.status, said["status_code"].as_u64()),
        (http, Some(code)),
        "{what}: {text}"
    );
    let timestamp = said["timestamp"].as_str().unwrap();
    let instant: DateTime<Utc> = timestamp.parse().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.len() <= 25, "{what}: {timestamp}");
    assert!(
        (SystemClock.now() - instant).num_seconds().abs() < 60,
        "{what}: the time of the answer, {timestamp}"
    );
    assert!(
        said.get("status_message").is_none_or(Value::is_string),
        "{what}: {text}"
    );
    let found = match said.get("data") {
        None => Data::Absent,
        Some(Value::Array(_)) => Data::List,
        Some(Value::Object(_)) => Data::Object,
        Some(other) => panic!("{what}: {other}"),
    };
    assert_eq!(found, data, "{what}: {text}");
    let known = ["data", "status_code", "status_message", "timestamp"];
    assert!(
        said.keys().all(|member| known.contains(&member.as_str())),
        "{what}: {text}"
    );
    assert!(
        answer.header("x-request-id").is_some() && answer.header("x-correlation-id").is_some(),
        "{what}"
    );
    let named = |which: &str| answer.header(&format!("ocpi-{which}-party-id")).is_some();
    let functional = ["sender/", "receiver/", "callbacks/", "/p/"]
        .iter()
        .any(|part| what.contains(part));
    assert_eq!(named("from"), functional, "{what}: named exactly between parties");
}

// T-10, T-21, T-44, S-01, S-02, S-04, S-05, S-06, S-07, S-09, S-13, R-01, R-03, V-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_json_in_an_envelope_with_the_time_and_only_the_data_there_is() {
    use Data::{Absent, List, Object};
    let world = World::start_with("[presence]\ncheck_interval_s = 600\n").await;
    let (cpo, emsp) = world.pair().await;
    let away = world.join(complete("DE/AWY", Role::Emsp)).await;
    away.platform.go_away().await.unwrap();
    let (hub, nobody) = (party("DE/TWH"), party("XX/YYY"));
    let token = |of: &crate::world::Neighbour| authorization(&of.platform.token().unwrap(), TokenForm::Base64);
    let (as_cpo, as_emsp) = (token(&cpo), token(&emsp));
    let location = Draft::location(&cpo.id, "L1", at()).json();
    let tariff = Draft::tariff(&cpo.id, "T1", at()).json();
    let (l1, t1, huge) = (
        "receiver/locations/NL/CPA/L1",
        "receiver/tariffs/NL/CPA/T1",
        "x".repeat(11_000_000),
    );
    let own: &[Line<'_>] = &[
        ("GET", "/ocpi/versions", None, "", 200, 1000, List),
        ("GET", "/ocpi/2.2.1", None, "", 200, 1000, Object),
        ("GET", "/ocpi/2.2.1/credentials", None, "", 200, 1000, Object),
        ("GET", "/ocpi/2.2.1/hubclientinfo", None, "", 200, 1000, List),
        ("PUT", l1, Some(&hub), &location, 201, 1000, Absent),
        ("PUT", l1, Some(&hub), &location, 200, 1000, Absent),
        ("GET", l1, Some(&hub), "", 200, 1000, Object),
        (
            "GET",
            "receiver/locations/NL/CPA/L1/EVSE-1/1",
            Some(&hub),
            "",
            200,
            1000,
            Object,
        ),
        ("PATCH", l1, Some(&hub), r#"{"name":"x"}"#, 200, 2001, Absent),
        ("GET", "receiver/locations/NL/CPA/L9", Some(&hub), "", 404, 2003, Absent),
        ("GET", "sender/tokens", None, "", 200, 1000, List),
        ("GET", "sender/tokens?limit=0", None, "", 200, 2001, Absent),
        ("PUT", t1, Some(&nobody), &tariff, 200, 4001, Absent),
        ("PUT", t1, Some(&away.id), &tariff, 200, 4003, Absent),
        ("PUT", t1, Some(&hub), &tariff, 201, 1000, Absent),
        ("DELETE", t1, Some(&hub), "", 200, 1000, Absent),
        ("DELETE", t1, Some(&hub), "", 404, 2000, Absent),
        (
            "PUT",
            "receiver/tariffs/NL/CPB/T1",
            Some(&emsp.id),
            &tariff,
            404,
            2000,
            Absent,
        ),
        ("PUT", t1, Some(&emsp.id), "{", 400, 2000, Absent),
        ("PUT", t1, Some(&emsp.id), &huge, 413, 2000, Absent),
        ("POST", t1, Some(&emsp.id), &tariff, 405, 2000, Absent),
        ("GET", "sender/nothing", None, "", 404, 2000, Absent),
        ("POST", "callbacks/none", None, "{}", 404, 2000, Absent),
        ("GET", "/ocpi/p/none", None, "", 404, 2000, Absent),
        ("POST", "sender/tokens/99/authorize", None, "", 404, 2004, Absent),
        ("PUT", "/ocpi/2.2.1/credentials", None, "{}", 200, 2001, Absent),
        ("PATCH", "/ocpi/2.2.1/credentials", None, "{}", 405, 2000, Absent),
    ];
    let call = async |token: &str, (method, path, to, body, http, code, data): Line<'_>, from: Option<&PartyId>| {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/ocpi/2.2.1/{path}")
        };
        let mut headers = vec![("authorization".to_owned(), token.to_owned())];
        headers.extend(from.map(|from| routing(from, to)).unwrap_or_default());
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let what = format!("{method} {path}");
        judge(
            &world.ask(method, &path, &headers, body.as_bytes()).await,
            (http, code, data),
            &what,
        );
    };
    for line in own {
        call(&as_cpo, *line, Some(&cpo.id)).await;
    }
    call(
        &as_emsp,
        ("GET", "sender/locations", Some(&hub), "", 200, 1000, List),
        Some(&emsp.id),
    )
    .await;
    call(
        &as_emsp,
        ("GET", "sender/locations/L1", Some(&hub), "", 200, 1000, Object),
        Some(&emsp.id),
    )
    .await;
    call(
        &as_emsp,
        ("GET", "sender/locations/L1/EVSE-1", Some(&hub), "", 200, 1000, Object),
        Some(&emsp.id),
    )
    .await;
    call(
        &as_emsp,
        ("GET", "sender/cdrs", None, "", 200, 1000, List),
        Some(&emsp.id),
    )
    .await;
    call(
        &as_emsp,
        ("GET", "sender/locations", None, "", 403, 2000, Absent),
        Some(&cpo.id),
    )
    .await;
    for stranger in ["", "Token bm9ib2R5"] {
        for path in [
            "/ocpi/versions",
            "/ocpi/2.2.1/credentials",
            "sender/locations",
            l1,
            "/ocpi/p/none",
        ] {
            call(stranger, ("GET", path, None, "", 401, 2000, Absent), None).await;
        }
    }
    let half = [
        ("authorization", as_cpo.as_str()),
        ("ocpi-to-party-id", "MSA"),
        ("content-type", "application/json"),
    ];
    let half = world
        .ask(Method::PUT, &format!("/ocpi/2.2.1/{t1}"), &half, tariff.as_bytes())
        .await;
    judge(&half, (200, 2001, Absent), t1);
    assert!(
        emsp.voice
            .list("locations", "", &To::Hub)
            .await
            .unwrap()
            .data
            .unwrap()
            .contains("L1")
    );
}
