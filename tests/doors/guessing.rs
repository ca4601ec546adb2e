//! Guessing tokens: whoever tries many is not listened to for a while, and nobody else is concerned.

use chrono::TimeDelta;
use truewatt::client::Method;

use crate::common::listed::bare;
use crate::common::site::OPERATOR;
use crate::raw::{ask, head, said};
use crate::{hub, hub_with};

// T-03
#[tokio::test]
async fn who_guesses_tokens_is_not_listened_to_for_a_while() {
    let (site, clock) = hub("[limits]\nwrong_tokens = 4\nwrong_tokens_window_s = 60\nlockout_s = 300").await;
    let one = site.list(bare(&["DE/ABC:CPO"])).await;
    let right = one.authorization();
    let present = async |path: &str, token: &str| {
        let octets = head("GET", path, &[("Authorization", token)]) + "\r\n";
        ask(&site.hub, octets.as_bytes()).await
    };
    let operator = format!("Bearer {OPERATOR}");
    assert_eq!(present("/ocpi/versions", "Token bm9uZQ==").await.status, 401);
    assert_eq!(present("/partner/v1/reports", "Token bm9uZQ==").await.status, 401);
    assert_eq!(present("/operator/v1/platforms", "Bearer none").await.status, 401);
    for _ in 0..5 {
        assert_eq!(site.anybody("/ocpi/versions").await.http, 401, "no token is no guess");
        assert_eq!(
            present("/ocpi/versions", &right).await.status,
            200,
            "nor is a right one"
        );
    }
    assert_eq!(present("/ocpi/nothing/here", "Token bm9uZQ==").await.status, 404);
    assert_eq!(present("/ocpi/2.2.1/sender/cdrs", "Token bm9uZQ==").await.status, 401);

    for (path, token) in [
        ("/ocpi/versions", right.as_str()),
        ("/ocpi/versions", "Token bm9uZQ=="),
        ("/partner/v1/reports", &right),
        ("/operator/v1/platforms", &operator),
        ("//%6Fperator//v1/platforms/", &operator),
        ("/%6Fcpi/versions", &right),
    ] {
        let refused = present(path, token).await;
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (429, Some("300")),
            "{path}"
        );
    }
    assert_eq!(said(&present("/ocpi/versions", &right).await).1, 2000);
    assert_eq!(
        present("/health/ready", "").await.status,
        200,
        "what wants no token is open"
    );
    clock.advance(TimeDelta::seconds(300));
    assert_eq!(present("/ocpi/versions", &right).await.status, 200);
    assert_eq!(site.operate(Method::GET, "/operator/v1/platforms", None).await.0, 200);
}

// T-03
#[tokio::test]
async fn a_token_from_another_address_is_not_concerned() {
    let (hub, _place) = hub_with(
        "trusted_proxies = \"127.0.0.1\"\nproxy_header = \"forwarded\"",
        "[operator]\ntoken = \"right\"\n[limits]\nwrong_tokens = 3",
    )
    .await;
    let present = async |by: &str, token: &str| {
        let by = format!("for=\"{by}\"");
        let headers = [("Forwarded", by.as_str()), ("Authorization", token)];
        let octets = head("GET", "/operator/v1/platforms", &headers) + "\r\n";
        ask(&hub, octets.as_bytes()).await.status
    };
    for number in 1..=3 {
        assert_eq!(present(&format!("[2001:db8::{number}]"), "Bearer wrong").await, 401);
    }
    assert_eq!(
        present("[2001:db8::9]", "Bearer right").await,
        429,
        "one network of IPv6 is one guesser"
    );
    assert_eq!(present("[2001:db8:0:1::9]", "Bearer right").await, 200);
    assert_eq!(present("203.0.113.9", "Bearer right").await, 200);
    hub.stop().await;
}
