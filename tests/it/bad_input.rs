//! What a stranger may send: each has its answer, and none stops the hub.

use serde_json::Value;
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::role::InterfaceRole;
use truewatt::sandbox::cpo::{SandboxCpo, To};
use truewatt::sandbox::wire::Response;

use crate::world::plain_http::{envelope, send};
use crate::world::{Database, Hub, charge, clock};

on_both_databases!(
    bad_bodies_are_refused_by_name,
    bad_envelopes_of_a_request_are_refused,
    bad_pages_are_refused_and_odd_ones_served,
    the_shape_of_a_path_does_not_matter,
);

struct Caller {
    url: String,
    token: String,
}

impl Caller {
    fn of(cpo: &SandboxCpo, interface: InterfaceRole) -> Caller {
        Caller {
            url: cpo.platform.hub_endpoint("cdrs", interface).unwrap(),
            token: authorization(&cpo.platform.token().unwrap(), TokenForm::Base64),
        }
    }

    async fn post(&self, body: &[u8]) -> Response {
        send(
            "POST",
            &self.url,
            &[("authorization", &self.token), ("content-type", "application/json")],
            body,
        )
        .await
    }
}

async fn bad_bodies_are_refused_by_name(database: Database) {
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let caller = Caller::of(&cpo, InterfaceRole::Receiver);
    let good = cpo.cdr("C-1", &emsp.party, &charge(1_000)).json();

    for malformed in [
        "",
        "{",
        "[1,",
        "nonsense",
        "{\"a\":1}}",
        &good[..good.len() / 2],
        "\u{0}\u{1}\u{2}",
    ] {
        let answer = caller.post(malformed.as_bytes()).await;
        assert_eq!(
            (answer.status, envelope(&answer).status_code.0),
            (400, 2000),
            "{malformed:?} (T-22)"
        );
    }
    let nested = "[".repeat(200_000);
    assert_eq!(caller.post(nested.as_bytes()).await.status, 400, "depth is bounded");
    assert_eq!(caller.post(b"\xff\xfe{}").await.status, 400, "not UTF-8");

    for pointer in [
        "/country_code",
        "/party_id",
        "/id",
        "/cdr_token",
        "/start_date_time",
        "/end_date_time",
        "/last_updated",
    ] {
        let mut document: Value = serde_json::from_str(&good).unwrap();
        document.as_object_mut().unwrap().remove(&pointer[1..]);
        let answer = caller.post(document.to_string().as_bytes()).await;
        let said = envelope(&answer);
        assert_eq!((answer.status, said.status_code.0), (200, 2001), "{pointer} missing");
        let message = said.status_message.unwrap_or_default();
        assert!(message.contains(pointer), "{pointer} is named, not {message:?}");
    }
    let mistyped = good.replacen("\"signed_data\":{", "\"signed_data\":\"text\",\"x\":{", 1);
    let answer = caller.post(mistyped.as_bytes()).await;
    let said = envelope(&answer);
    assert_eq!(said.status_code.0, 2001);
    assert!(said.status_message.unwrap_or_default().contains("/signed_data"));
    let twice = good.replacen('{', "{\"id\":\"C-1\",", 1);
    assert_eq!(
        envelope(&caller.post(twice.as_bytes()).await).status_code.0,
        2001,
        "a top-level member twice"
    );

    let huge = vec![b' '; 11 * 1024 * 1024];
    let answer = caller.post(&huge).await;
    assert_eq!((answer.status, envelope(&answer).status_code.0), (413, 2000), "D-19");
    let mut roomy = good.clone().into_bytes();
    roomy.resize(9 * 1024 * 1024, b' ');
    assert_eq!(
        envelope(&caller.post(&roomy).await).status_code.0,
        1000,
        "nine megabytes are fine (T-50)"
    );
    assert_eq!(emsp.platform.got_cdrs().len(), 1);
    assert_eq!(hub.cdrs().await.len(), 1);
}

async fn bad_envelopes_of_a_request_are_refused(database: Database) {
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let caller = Caller::of(&cpo, InterfaceRole::Receiver);
    let body = cpo.cdr("C-1", &emsp.party, &charge(1_000)).json();

    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = send(
            method,
            &caller.url,
            &[("authorization", &caller.token), ("content-type", "application/json")],
            body.as_bytes(),
        )
        .await;
        assert_eq!(
            (answer.status, envelope(&answer).status_code.0),
            (405, 2000),
            "{method} (CDR-04, U-08)"
        );
    }
    let nowhere = send(
        "GET",
        &format!("{}/ocpi/2.2.1/nothing", hub.url),
        &[("authorization", &caller.token)],
        b"",
    )
    .await;
    assert_eq!((nowhere.status, envelope(&nowhere).status_code.0), (404, 2000), "U-08");

    let unknown = authorization("no-such-token-anywhere", TokenForm::Base64);
    for header in [
        None,
        Some(""),
        Some("Token"),
        Some("Token "),
        Some("Bearer x"),
        Some("Token %%%"),
        Some(unknown.as_str()),
    ] {
        let headers: Vec<(&str, &str)> = header.iter().map(|value| ("authorization", *value)).collect();
        let answer = send("POST", &caller.url, &headers, body.as_bytes()).await;
        assert_eq!(
            (answer.status, envelope(&answer).status_code.0),
            (401, 2000),
            "{header:?} (T-03)"
        );
    }
    let planned = hub
        .plan_platform(
            "Guest",
            &[(crate::world::party("DE/GST"), truewatt::ocpi::role::Role::Cpo)],
            serde_json::json!({}),
        )
        .await;
    let token_a = authorization(planned["token_a"].as_str().unwrap(), TokenForm::Base64);
    let answer = send("POST", &caller.url, &[("authorization", &token_a)], body.as_bytes()).await;
    assert_eq!(
        (answer.status, envelope(&answer).status_code.0),
        (401, 2000),
        "TOKEN_A elsewhere (T-04)"
    );
    let versions = send(
        "GET",
        &format!("{}/ocpi/versions", hub.url),
        &[("authorization", &token_a)],
        b"",
    )
    .await;
    assert_eq!(envelope(&versions).status_code.0, 1000, "and where it belongs");

    for half in [
        ("ocpi-from-country-code", "DE"),
        ("ocpi-from-party-id", "ABC"),
        ("ocpi-to-country-code", "DE"),
        ("ocpi-to-party-id", "EMS"),
    ] {
        let headers = [
            ("authorization", caller.token.as_str()),
            ("content-type", "application/json"),
            half,
        ];
        let answer = send("POST", &caller.url, &headers, body.as_bytes()).await;
        assert_eq!(
            (answer.status, envelope(&answer).status_code.0),
            (200, 2001),
            "{half:?} (R-05)"
        );
    }
    assert!(
        emsp.platform.got_cdrs().is_empty() && hub.cdrs().await.is_empty(),
        "nothing was kept or forwarded"
    );

    // D-01: a raw token is for peers of older versions; message ids may be missing (D-09).
    let answer = caller.post(body.as_bytes()).await;
    assert_eq!(envelope(&answer).status_code.0, 1000);
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "M-08");
    assert!(
        answer.header("x-correlation-id").is_some_and(|id| !id.is_empty()),
        "M-08"
    );
}

async fn bad_pages_are_refused_and_odd_ones_served(database: Database) {
    // P-09, P-10, D-08, D-10
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    for number in 0..3 {
        cpo.post_body(
            cpo.cdr(&format!("C-{number}"), &emsp.party, &charge(1_000 + number))
                .json()
                .as_bytes(),
            &To::Open,
        )
        .await
        .unwrap();
    }
    let url = emsp.platform.hub_endpoint("cdrs", InterfaceRole::Sender).unwrap();
    let ask = async |query: &str| emsp.get(&format!("{url}?{query}")).await.unwrap();
    for bad in [
        "limit=0",
        "limit=-1",
        "limit=ten",
        "limit=1.5",
        "offset=-1",
        "offset=x",
        "date_from=yesterday",
        "date_to=2026-13-01T00:00:00Z",
        "date_from=2026-01-01",
    ] {
        let answer = ask(bad).await;
        assert_eq!((answer.http, answer.code), (200, Some(2001)), "{bad}");
    }
    let today = clock().now().format("%Y-%m-%d").to_string();
    for (odd, expected) in [
        ("offset=3".to_owned(), 0),
        ("offset=99999999999".to_owned(), 0),
        ("limit=1000000".to_owned(), 3),
        (
            "date_from=2026-01-02T00:00:00Z&date_to=2026-01-01T00:00:00Z".to_owned(),
            0,
        ),
        (format!("date_from={today}T00:00:00"), 3),
        (format!("date_from={today}T00:00:00.123456z"), 3),
        (format!("date_from={today}T00:00:00+00:00"), 3),
        (format!("date_from={today}T00:00:00%2B00:00"), 3),
        ("date_from=1970-1-1T00:00:00Z".to_owned(), 3),
        ("unknown=1".to_owned(), 3),
    ] {
        let answer = ask(&odd).await;
        assert!(answer.accepted(), "{odd}: {answer:?}");
        let list: Vec<Value> = serde_json::from_str(answer.data.as_deref().unwrap()).unwrap();
        assert_eq!(list.len(), expected, "{odd}");
        assert!(
            answer.header("x-total-count").is_some() && answer.header("x-limit").is_some(),
            "{odd}"
        );
        if expected == 0 {
            assert!(answer.header("link").is_none(), "{odd}: no next page (P-09)");
        }
    }
    let by_offset = ask("offset=1&limit=1").await;
    assert_eq!(by_offset.header("x-total-count"), Some("3"), "P-06");
    assert!(
        by_offset
            .header("link")
            .is_some_and(|link| link.contains("rel=\"next\"")),
        "P-05"
    );
}

async fn the_shape_of_a_path_does_not_matter(database: Database) {
    // U-05, D-02
    let hub = Hub::start(&database).await;
    let cpo = hub.cpo("DE/ABC").await;
    let token = authorization(&cpo.platform.token().unwrap(), TokenForm::Base64);
    for path in [
        "/ocpi/versions",
        "/ocpi/versions/",
        "/ocpi//versions",
        "/ocpi/2.2.1",
        "/ocpi/2.2.1/",
        "/ocpi/2.2",
        "/ocpi/2.2.1/credentials/",
    ] {
        let answer = send("GET", &format!("{}{path}", hub.url), &[("authorization", &token)], b"").await;
        assert_eq!((answer.status, envelope(&answer).status_code.0), (200, 1000), "{path}");
    }
    // The header's name and scheme in any case, Base64 without padding (T-08, D-01).
    let bare = token.trim_end_matches('=').replace("Token", "tOKEN");
    let answer = send(
        "GET",
        &format!("{}/ocpi/versions", hub.url),
        &[("AUTHORIZATION", &bare)],
        b"",
    )
    .await;
    assert_eq!(answer.status, 200);
}
