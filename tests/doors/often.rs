//! Too often: 429 and how long to wait, before anything is done (N-03, D-24).

use chrono::TimeDelta;
use serde_json::json;
use truewatt::cli::serve::Running;
use truewatt::client::Method;

use crate::common::listed::{Listing, bare};
use crate::common::site::OPERATOR;
use crate::raw::{ask, head, said};
use crate::{hub, hub_with};

// N-03, D-24
#[tokio::test]
async fn a_platform_that_asks_too_often_hears_429_and_another_nothing_of_it() {
    let (site, clock) = hub("[limits]\nplatform_rate = 2").await;
    let one = site.list(bare(&["DE/ABC:CPO"])).await;
    let other = site.list(bare(&["DE/XYZ:CPO"])).await;
    let ask = async |by, path| site.call(by, Method::GET, path, &[], "").await;
    for _ in 0..10 {
        assert_eq!(ask(&one, "/ocpi/versions").await.code, 1000);
    }
    let refused = ask(&one, "/ocpi/2.2.1").await;
    assert_eq!(
        (refused.http, refused.code, refused.header("retry-after")),
        (429, 2000, Some("1"))
    );
    assert!(
        refused.message.starts_with("too many requests of this platform"),
        "{}",
        refused.message
    );
    assert!(refused.header("x-request-id").is_some(), "M-01");
    let door = ask(&one, "/partner/v1/reports").await;
    assert_eq!(
        (door.http, door.header("retry-after")),
        (429, Some("1")),
        "its own limit, by any door"
    );
    assert_eq!(door.header("content-type"), Some("application/problem+json"));
    assert_eq!(ask(&other, "/ocpi/versions").await.code, 1000);

    clock.advance(TimeDelta::milliseconds(500));
    assert_eq!(ask(&one, "/ocpi/versions").await.code, 1000);
    assert_eq!(ask(&one, "/ocpi/versions").await.http, 429);
}

// N-03
#[tokio::test]
async fn what_is_asked_too_often_leaves_no_trace_and_is_not_read() {
    let (site, _) = hub("[limits]\nplatform_rate = 1").await;
    let one = site.list(bare(&["DE/ABC:CPO"])).await;
    let post = async |body: &str| {
        site.call(&one, Method::POST, "/ocpi/2.2.1/receiver/cdrs", &[], body)
            .await
    };
    for _ in 0..5 {
        assert_eq!(post("{}").await.code, 2001);
    }
    // The answer comes although the body never does: nobody waits for it.
    let authorization = one.authorization();
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Length", "10000000"),
    ];
    let unfinished =
        head("POST", "/ocpi/2.2.1/receiver/cdrs", &headers) + "Content-Type: application/json\r\n\r\n{\"id\":";
    let refused = ask(&site.hub, unfinished.as_bytes()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let kept = site.operate(Method::GET, "/operator/v1/cdrs", None).await.1;
    assert_eq!(kept["items"], json!([]));
}

// N-03
#[tokio::test]
async fn an_address_that_asks_too_often_is_not_even_looked_at() {
    let (site, clock) = hub("[limits]\naddress_rate = 1").await;
    let one = site.list(bare(&["DE/ABC:CPO"])).await;
    let bearer = format!("Bearer {OPERATOR}");
    let asks = [
        ("/ocpi/versions", ("Authorization", one.authorization())),
        ("/ocpi/nothing", ("Authorization", "Token bm9uZQ==".to_owned())),
        ("/partner/v1/reports", ("Authorization", one.authorization())),
        ("/operator/v1/platforms", ("Authorization", bearer)),
        ("/keys/v1/log/checkpoint", ("X-Nothing", "x".to_owned())),
    ];
    let tried = async |(path, (name, value)): &(&str, (&str, String))| {
        ask(&site.hub, (head("GET", path, &[(name, value)]) + "\r\n").as_bytes()).await
    };
    for one in &asks {
        assert_ne!(tried(one).await.status, 429, "{one:?}");
    }
    for one in &asks {
        let refused = tried(one).await;
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (429, Some("1")),
            "{one:?}"
        );
        match one.0.starts_with("/ocpi") {
            true => assert_eq!(said(&refused).1, 2000),
            false => assert_eq!(refused.header("content-type"), Some("application/problem+json")),
        }
    }
    let live = ask(&site.hub, (head("GET", "/health/live", &[]) + "\r\n").as_bytes()).await;
    assert_eq!(live.status, 200, "whoever watches the process is answered");
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(tried(&asks[0]).await.status, 200);
}

// N-03
#[tokio::test]
async fn behind_a_proxy_of_ours_addresses_are_told_apart_and_nobody_elses_header_counts() {
    let asked = async |hub: &Running, by: &str| {
        let octets = head("GET", "/health/ready", &[("X-Forwarded-For", by)]) + "\r\n";
        ask(hub, octets.as_bytes()).await.status
    };
    let limits = "[limits]\naddress_rate = 1\n";
    let (hub, _place) = hub_with("", limits).await;
    for number in 0..5 {
        assert_eq!(asked(&hub, &format!("203.0.113.{number}")).await, 200);
    }
    assert_eq!(asked(&hub, "203.0.113.9").await, 429, "anybody can write a header");
    hub.stop().await;

    let (hub, _place) = hub_with("trusted_proxies = \"127.0.0.0/8\"\n", limits).await;
    for _ in 0..5 {
        assert_eq!(asked(&hub, "192.0.2.1, 203.0.113.9").await, 200);
    }
    assert_eq!(
        asked(&hub, "192.0.2.2, 203.0.113.9").await,
        429,
        "what he wrote himself makes nobody else of him"
    );
    assert_eq!(asked(&hub, "203.0.113.10").await, 200);
    hub.stop().await;
}

// PC-20, T-20
#[tokio::test]
async fn pc_20_the_door_of_keys_has_the_pace_of_registrations_and_wants_json() {
    let (site, clock) = hub("[registry]\nsubmissions_per_minute = 2\n").await;
    let options = json!({"custom_modules": true, "publickeys": true});
    let listing = |parties| Listing {
        options: options.clone(),
        ..bare(parties)
    };
    let cpo = site.list(listing(&["DE/ABC:CPO", "DE/XYZ:CPO"])).await;
    let put = async |by, party: &str| {
        let path = format!("/ocpi/2.2.1/receiver/detwh-publickeys/{party}/K-1");
        site.call(
            by,
            Method::PUT,
            &path,
            &[("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", &party[3..])],
            "{}",
        )
        .await
    };
    let typed = [
        ("Authorization", cpo.authorization()),
        ("Content-Type", "text/plain".to_owned()),
    ];
    let typed: Vec<(&str, &str)> = typed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let text = head("PUT", "/ocpi/2.2.1/receiver/detwh-publickeys/DE/XYZ/K-1", &typed) + "Content-Length: 2\r\n\r\n{}";
    let refused = ask(&site.hub, text.as_bytes()).await;
    assert_eq!((refused.status, said(&refused).1), (415, 2000), "T-20");

    for _ in 0..2 {
        assert_eq!(put(&cpo, "DE/ABC").await.code, 2001);
    }
    let refused = put(&cpo, "DE/ABC").await;
    assert_eq!(
        (refused.http, refused.code, refused.header("retry-after")),
        (429, 2000, Some("30"))
    );
    assert_eq!(put(&cpo, "DE/XYZ").await.code, 2001, "another party has its own");
    clock.advance(TimeDelta::seconds(30));
    assert_eq!(put(&cpo, "DE/ABC").await.code, 2001);
}
