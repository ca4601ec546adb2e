//! Requests that are too slow, too long, too deep or too many: each has its refusal, and nobody else notices.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use truewatt::sandbox::wire::{Connection, Response};

use crate::common::listed::{Platform, bare};
use crate::common::site::Site;
use crate::raw::{PATIENCE, answer, ask, connect, head, is_well, rest, said};
use crate::{hub, hub_with};

const CDRS: &str = "/ocpi/2.2.1/receiver/cdrs";

async fn post(site: &Site, by: &Platform, body: &[u8]) -> Response {
    let (authorization, length) = (by.authorization(), body.len().to_string());
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
    ];
    let mut octets = (head("POST", CDRS, &headers) + "\r\n").into_bytes();
    octets.extend_from_slice(body);
    ask(&site.hub, &octets).await
}

// T-10
#[tokio::test]
async fn a_head_that_never_ends_is_cut_off_with_a_reason() {
    let (hub, _place) = hub_with("", "[limits]\nhead_s = 1").await;
    let octets = head("GET", "/health/live", &[]);

    let mut first = connect(&hub).await;
    first.write_all(octets.as_bytes()).await.unwrap();
    let mut silent = connect(&hub).await;

    // The second request of a connection is a head like any other.
    let mut second = connect(&hub).await;
    second.write_all((octets.clone() + "\r\n").as_bytes()).await.unwrap();
    let mut some = [0; 16];
    second.read_exact(&mut some).await.unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200"));
    second.write_all(octets.as_bytes()).await.unwrap();

    // Octet by octet, each in time, is not in time.
    let mut slow = connect(&hub).await;
    let trickle = tokio::spawn(async move {
        slow.write_all(b"GET /health/live HTTP/1.1\r\nX-Slow: ").await.unwrap();
        for _ in 0..600 {
            if slow.write_all(b"a").await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut said = Vec::new();
        // What the hub said may be lost when it closed while we still wrote; that it closed is what counts here.
        let _ = slow.read_to_end(&mut said).await;
    });

    for said in [rest(&mut first).await, rest(&mut second).await] {
        assert!(said.contains("HTTP/1.1 408 Request Timeout"), "{said}");
        assert!(
            said.contains("the head of the request did not arrive within 1 s") && said.contains("2000"),
            "{said}"
        );
    }
    assert_eq!(rest(&mut silent).await, "", "who asked nothing hears nothing");
    tokio::time::timeout(PATIENCE, trickle).await.unwrap().unwrap();
    is_well(&hub).await;
    hub.stop().await;
}

// T-10
#[tokio::test]
async fn a_body_that_never_arrives_is_not_waited_for() {
    let (site, _) = hub("[limits]\nbody_s = 1").await;
    let one = site.list(bare(&["DE/ABC:CPO"])).await;
    let authorization = one.authorization();
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let operator = format!("Bearer {}", crate::common::site::OPERATOR);
    let mut lines = Vec::new();
    for (path, token, framing) in [
        (CDRS, authorization.as_str(), "Content-Length: 100\r\n\r\n{\"id\":"),
        (
            CDRS,
            &authorization,
            "Transfer-Encoding: chunked\r\n\r\n6\r\n{\"id\":\r\n",
        ),
        ("/operator/v1/platforms", &operator, "Content-Length: 100\r\n\r\n{"),
    ] {
        let mut line = connect(&site.hub).await;
        let octets = head("POST", path, &[("Authorization", token), headers[1]]) + framing;
        line.write_all(octets.as_bytes()).await.unwrap();
        lines.push((path, Connection::new(line)));
    }
    for (path, mut line) in lines {
        let refused = answer(&mut line).await;
        assert_eq!(refused.status, 408, "{path}");
        let text = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(text.contains("the body did not arrive within 1 s"), "{text}");
    }
    is_well(&site.hub).await;
}

// D-19, T-22
#[tokio::test]
async fn a_body_that_is_too_long_too_deep_or_too_many_is_refused_by_name() {
    let (site, _) = hub("").await;
    let one = site.list(bare(&["DE/ABC:CPO"])).await;
    let long = vec![b' '; 10 * 1024 * 1024 + 1];
    let list = format!("{{\"id\":[{}1]}}", "1,".repeat(100_000));
    let object = format!(
        "{{{}\"z\":1}}",
        (0..60_000).map(|at| format!("\"a{at}\":1,")).collect::<String>()
    );
    let deep = format!("{{\"id\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let endless = "[".repeat(10_000_000);
    for (what, body, status, words) in [
        (
            "a long body",
            long.as_slice(),
            413,
            "a body may have at most 10485760 bytes",
        ),
        ("a long list", list.as_bytes(), 413, "more than 50000 elements"),
        ("a long object", object.as_bytes(), 413, "more than 50000 elements"),
        ("a deep body", deep.as_bytes(), 400, "nested deeper than 127 levels"),
        (
            "an endless body",
            endless.as_bytes(),
            400,
            "nested deeper than 127 levels",
        ),
    ] {
        let (http, code, message) = said(&post(&site, &one, body).await);
        assert_eq!((http, code), (status, 2000), "{what}: {message}");
        assert!(message.contains(words), "{what}: {message}");
    }
    let operator = format!("Bearer {}", crate::common::site::OPERATOR);
    let list = format!("{{\"name\":[{}1]}}", "1,".repeat(100_000));
    let length = list.len().to_string();
    let headers = [
        ("Authorization", operator.as_str()),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
    ];
    let octets = head("POST", "/operator/v1/platforms", &headers) + "\r\n" + &list;
    assert_eq!(ask(&site.hub, octets.as_bytes()).await.status, 413);
    is_well(&site.hub).await;
}

// T-10
#[tokio::test]
async fn a_head_with_too_much_in_it_is_refused_by_name() {
    let (hub, _place) = hub_with("", "").await;
    let many: String = (0..70).map(|number| format!("X-{number}: 1\r\n")).collect();
    let octets = head("GET", "/ocpi/versions", &[]) + &many + "\r\n";
    let (http, code, message) = said(&ask(&hub, octets.as_bytes()).await);
    assert_eq!(
        (http, code, message.as_str()),
        (431, 2000, "a request may have at most 64 headers")
    );

    let long = head("GET", "/ocpi/versions", &[("X-Long", &"a".repeat(60_000))]) + "\r\n";
    let (http, code, message) = said(&ask(&hub, long.as_bytes()).await);
    assert_eq!(
        (http, code, message.as_str()),
        (431, 2000, "the head of a request may have at most 32768 octets")
    );

    let endless = head("GET", "/ocpi/versions", &[("X-Long", &"a".repeat(10_000_000))]);
    assert_eq!(ask(&hub, endless.as_bytes()).await.status, 431);

    for strange in [
        "GET\r\n\r\n",
        "\u{0}\u{1}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\n: x\r\n\r\n",
    ] {
        assert_eq!(ask(&hub, strange.as_bytes()).await.status, 400, "{strange:?}");
    }
    is_well(&hub).await;
    hub.stop().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_not_kept() {
    let (site, _) = hub("[limits]\nanswer_s = 1").await;
    // Answers that fill every buffer on the way, asked for by somebody who reads none of them.
    let one = head("GET", "/openapi/partner.yaml", &[]) + "\r\n";
    let mut line = connect(&site.hub).await;
    let asked = tokio::time::timeout(PATIENCE, async {
        while line.write_all(one.repeat(16).as_bytes()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    asked.await.expect("the hub closes, before patience ends");
    is_well(&site.hub).await;
}
