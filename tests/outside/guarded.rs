//! Every URL that a peer can supply, pointed at the hub's own machine: refused in so many words, and not connected to.
//!
//! The hub runs with its guard on; only 127.0.0.2 may be called, where the neighbours live. The trap is at 127.0.0.1, and whoever may
//! say so lists it as a host of the platform: it is the guard that refuses, not the list of hosts (D-25).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;
use truewatt::ocpi::headers::{TokenForm, authorization};

use crate::common::listed::{Heard, Listing, Platform};
use crate::common::place::On;
use crate::common::site::{Site, owned};
use crate::peer::{Answer, Got, Peer};
use crate::trap::Trap;

const NEIGHBOURS: &str = "127.0.0.2:0";

struct Street {
    site: Site,
    trap: Trap,
    clock: Arc<ManualClock>,
}

impl Street {
    async fn open() -> Street {
        let clock = ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap());
        let place = On::Sqlite.place().await.unwrap();
        Street {
            site: Site::open_guarded(place, "127.0.0.2/32", clock.clone()).await,
            trap: Trap::set(),
            clock,
        }
    }

    /// A platform whose server is a neighbour, and which may be answered in the trap as far as lists of hosts go.
    async fn platform(&self, party: &str, peer: &Peer, modules: &[(&str, &str)]) -> Platform {
        let endpoints: Vec<_> = modules
            .iter()
            .map(|(module, role)| json!({"identifier": module, "role": role, "url": peer.url(&format!("/{module}"))}))
            .collect();
        let hosts = [self.trap.host(), format!("localhost:{}", self.trap.port)];
        let listing = Listing {
            parties: &[party],
            endpoints: json!(endpoints),
            versions_url: peer.url("/versions"),
            version: "2.2.1",
            options: json!({"allowed_hosts": hosts}),
        };
        self.site.list(listing).await
    }

    /// Lists a platform for the handshake; its id and its TOKEN_A.
    async fn planned(&self) -> (String, String) {
        let hosts = [self.trap.host(), format!("localhost:{}", self.trap.port)];
        let wish = json!({"name": "Newcomer", "options": {"allowed_hosts": hosts},
            "parties": [{"country_code": "DE", "party_id": "NEW", "roles": ["CPO"], "name": "New"}]});
        let (status, created) = self
            .site
            .operate(Method::POST, "/operator/v1/platforms", Some(wish))
            .await;
        assert_eq!(status, 201, "{created}");
        (
            created["id"].as_str().unwrap().to_owned(),
            created["token_a"].as_str().unwrap().to_owned(),
        )
    }

    async fn forget(&self, id: &str) {
        let (status, _) = self
            .site
            .operate(Method::DELETE, &format!("/operator/v1/platforms/{id}"), None)
            .await;
        assert_eq!(status, 204);
    }

    /// A peer registers with these credentials URL.
    async fn register(&self, token_a: &str, url: &str) -> (u64, String) {
        let credentials = json!({"token": "token-of-the-newcomer", "url": url,
            "roles": [{"role": "CPO", "country_code": "DE", "party_id": "NEW", "business_details": {"name": "New"}}]});
        let headers = owned(&[
            ("Authorization", &authorization(token_a, TokenForm::Base64)),
            ("Content-Type", "application/json"),
        ]);
        let body = credentials.to_string();
        let answer = self
            .site
            .send(Method::POST, "/ocpi/2.2.1/credentials", headers, Some(body.as_bytes()))
            .await;
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        let message = said["status_message"].as_str().unwrap_or_default().to_owned();
        (said["status_code"].as_u64().unwrap(), message)
    }

    #[track_caller]
    fn nobody_came(&self) {
        assert_eq!(self.trap.caught(), 0);
    }
}

/// A newcomer's server: versions, details and credentials, each where it says.
fn api(details: String, credentials: String, more: Vec<Value>) -> impl Fn(&Got) -> Answer + Send + Sync {
    move |got| {
        let data = match got.path.as_str() {
            "/versions" => json!([{"version": "2.2.1", "url": details}]),
            "/2.2.1" => {
                let mut endpoints = vec![json!({"identifier": "credentials", "role": "SENDER", "url": credentials})];
                endpoints.extend(more.clone());
                json!({"version": "2.2.1", "endpoints": endpoints})
            }
            _ => return Answer::envelope(404, 2000, "nothing here"),
        };
        let body = json!({"status_code": 1000, "timestamp": "2026-11-21T10:00:00Z", "data": data});
        Answer::plain(200, &body.to_string())
    }
}

#[track_caller]
fn says_why(said: &str) {
    assert!(
        said.contains("is not a public address") || said.contains("leads to no public address"),
        "{said}"
    );
}

// N-04, D-25, CR-03
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_handshake_no_url_leads_inside() {
    let street = Street::open().await;
    let peer = Peer::open_at(NEIGHBOURS).await;
    let own = |path: &str| peer.url(path);
    let (id, token_a) = street.planned().await;

    // The credentials URL of a peer that registers.
    for url in [
        street.trap.url("/versions"),
        format!("http://localhost:{}/versions", street.trap.port),
        format!("http://[::ffff:127.0.0.1]:{}/versions", street.trap.port),
        format!("http://0x7f.1:{}/versions", street.trap.port),
    ] {
        let (code, message) = street.register(&token_a, &url).await;
        assert_eq!(code, 3001, "{url}: {message}");
        says_why(&message);
    }
    // The URL of the version's details, that of the credentials module, and that of any other module.
    let module = |url: String| json!({"identifier": "locations", "role": "SENDER", "url": url});
    for (details, credentials, more) in [
        (street.trap.url("/2.2.1"), own("/credentials"), vec![]),
        (
            format!("http://localhost:{}/2.2.1", street.trap.port),
            own("/credentials"),
            vec![],
        ),
        (own("/2.2.1"), street.trap.url("/credentials"), vec![]),
        (
            own("/2.2.1"),
            own("/credentials"),
            vec![module(street.trap.url("/locations"))],
        ),
        (
            own("/2.2.1"),
            own("/credentials"),
            vec![module("http://169.254.169.254/latest".to_owned())],
        ),
    ] {
        peer.acts(api(details.clone(), credentials.clone(), more.clone()));
        let (code, message) = street.register(&token_a, &own("/versions")).await;
        assert_eq!(code, 3001, "{details} {credentials} {more:?}: {message}");
        says_why(&message);
    }
    // The same when the hub begins.
    let begin = |url: String| {
        let wish = json!({"versions_url": url, "token_a": "given-by-the-peer"});
        let path = format!("/operator/v1/platforms/{id}/register");
        let site = &street.site;
        async move { site.operate(Method::POST, &path, Some(wish)).await }
    };
    let (status, problem) = begin(street.trap.url("/versions")).await;
    assert_eq!((status, &problem["field"]), (422, &json!("/versions_url")), "{problem}");
    says_why(problem["detail"].as_str().unwrap());
    for (details, credentials) in [
        (street.trap.url("/2.2.1"), own("/credentials")),
        (own("/2.2.1"), street.trap.url("/credentials")),
    ] {
        peer.acts(api(details, credentials, vec![]));
        let (status, problem) = begin(own("/versions")).await;
        assert_eq!(status, 502, "{problem}");
        says_why(problem["detail"].as_str().unwrap());
    }
    // A redirect is an answer, and not a good one.
    for path in ["/versions", "/2.2.1"] {
        let to = street.trap.url("/");
        let ordinary = api(own("/2.2.1"), own("/credentials"), vec![]);
        peer.acts(move |got| match got.path == path {
            true => Answer::plain(307, "").header("Location", &to),
            false => ordinary(got),
        });
        let (code, message) = street.register(&token_a, &own("/versions")).await;
        assert_eq!(code, 3001, "{message}");
    }
    street.nobody_came();

    // With all of them where the peer lives, it is registered.
    peer.acts(api(own("/2.2.1"), own("/credentials"), vec![module(own("/locations"))]));
    let (code, message) = street.register(&token_a, &own("/versions")).await;
    assert_eq!(code, 1000, "{message}");
    street.forget(&id).await;
    street.nobody_came();
}

const ROUTED: [(&str, &str); 4] = [
    ("OCPI-from-country-code", "DE"),
    ("OCPI-from-party-id", "MSA"),
    ("OCPI-to-country-code", "DE"),
    ("OCPI-to-party-id", "CPA"),
];

// N-04, D-25
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_response_url_leads_inside() {
    let street = Street::open().await;
    let (owner, reader) = (Peer::open_at(NEIGHBOURS).await, Peer::open_at(NEIGHBOURS).await);
    let _cpo = street.platform("DE/CPA:CPO", &owner, &[("commands", "RECEIVER")]).await;
    let emsp = street.platform("DE/MSA:EMSP", &reader, &[]).await;
    let order = |url: &str| json!({"response_url": url, "reservation_id": "R1"}).to_string();
    let place = "/ocpi/2.2.1/receiver/commands/CANCEL_RESERVATION";
    for url in [
        street.trap.url("/told"),
        format!("http://2130706433:{}/told", street.trap.port),
        format!("http://[::1]:{}/told", street.trap.port),
        format!("http://user@{}/told", street.trap.host()),
        "http://169.254.169.254/told".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let heard = street
            .site
            .call(&emsp, Method::POST, place, &ROUTED, &order(&url))
            .await;
        assert_eq!(heard.code, 2001, "{url}: {}", heard.message);
        assert!(heard.message.contains("response_url"), "{}", heard.message);
    }
    assert_eq!(owner.got().len(), 0, "and nobody was sent anything");

    // A name is only looked up when it is called: whoever posts the result is told that nobody is there.
    let accepted = json!({"status_code": 1000, "timestamp": "2026-11-21T10:00:00Z", "data": {"result": "ACCEPTED", "timeout": 30}});
    owner.answers(Answer::plain(200, &accepted.to_string()));
    let name = format!("http://localhost:{}/told", street.trap.port);
    let heard = street
        .site
        .call(&emsp, Method::POST, place, &ROUTED, &order(&name))
        .await;
    assert_eq!(heard.code, 1000, "{}", heard.message);
    let sent: Value = serde_json::from_str(&owner.posted()[0].body).unwrap();
    let lent = sent["response_url"].as_str().unwrap();
    let result = street
        .site
        .call(&_cpo, Method::POST, lent, &[], r#"{"result":"ACCEPTED"}"#)
        .await;
    assert!(![1000, 0].contains(&result.code), "{}", result.text());
    street.nobody_came();
}

// N-04, P-12, D-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_next_page_leads_inside() {
    let street = Street::open().await;
    let (owner, reader) = (Peer::open_at(NEIGHBOURS).await, Peer::open_at(NEIGHBOURS).await);
    let next = [
        street.trap.url("/next"),
        format!("http://localhost:{}/next", street.trap.port),
        format!("//{}/next", street.trap.host()),
        format!("http://017700000001:{}/next", street.trap.port),
    ];
    owner.answers_get(Answer::page(&[], 17, Some(&next[0])));
    let _cpo = street.platform("DE/CPA:CPO", &owner, &[("locations", "SENDER")]).await;
    let emsp = street.platform("DE/MSA:EMSP", &reader, &[]).await;
    for next in &next {
        owner.answers_get(Answer::page(&[], 17, Some(next)));
        let first = street
            .site
            .call(&emsp, Method::GET, "/ocpi/2.2.1/sender/locations?limit=5", &ROUTED, "")
            .await;
        assert_eq!(first.code, 1000, "{}", first.text());
        // Either the hub lends no such page, or it answers for it that nobody is there.
        if let Some(lent) = first.next() {
            assert!(lent.starts_with(&street.site.hub.url), "{lent}");
            let second = street.site.call(&emsp, Method::GET, &lent, &[], "").await;
            assert!(second.code >= 2000, "{next}: {}", second.text());
        }
    }
    // The hub reads for itself what an owner offers: long enough for many tries, by the hub's clock.
    for _ in 0..20 {
        street.clock.advance(chrono::TimeDelta::minutes(30));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let own = owner
        .got()
        .into_iter()
        .filter(|got| got.header("ocpi-from-party-id") == Some("TWH"));
    assert!(own.count() > 0, "the hub did not read for itself");
    street.nobody_came();
}

// N-04, D-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_location_of_a_cdr_leads_inside() {
    let street = Street::open().await;
    let (owner, reader) = (Peer::open_at(NEIGHBOURS).await, Peer::open_at(NEIGHBOURS).await);
    let cpo = street.platform("DE/CPA:CPO", &owner, &[]).await;
    let _emsp = street.platform("DE/MSA:EMSP", &reader, &[("cdrs", "RECEIVER")]).await;
    let locations = [
        street.trap.url("/cdr"),
        format!("http://localhost:{}/cdr", street.trap.port),
        format!("http://0177.0.0.1:{}/cdr", street.trap.port),
    ];
    for (number, location) in locations.iter().enumerate() {
        reader.answers(Answer::envelope(201, 1000, "thanks").header("Location", location));
        let posted = street
            .site
            .call(&cpo, Method::POST, "/ocpi/2.2.1/receiver/cdrs", &[], &cdr(number))
            .await;
        assert_eq!(posted.code, 1000, "{}", posted.text());
        let at = posted.location.clone().unwrap();
        assert!(at.starts_with(&street.site.hub.url), "{at}");
        let read: Heard = street.site.call(&cpo, Method::GET, &at, &[], "").await;
        assert_eq!(read.code, 1000, "{}", read.text());
        assert_eq!(
            read.json()["data"]["id"],
            json!(format!("C-{number}")),
            "the hub's own copy"
        );
    }
    // A receiver that sends the hub elsewhere instead of taking the CDR has not taken it.
    reader.answers(Answer::plain(308, "").header("Location", &street.trap.url("/moved")));
    let posted = street
        .site
        .call(&cpo, Method::POST, "/ocpi/2.2.1/receiver/cdrs", &[], &cdr(99))
        .await;
    assert_eq!(posted.http, 201, "{}", posted.text());
    assert!(
        posted.message.starts_with("in custody, receiver not reachable"),
        "{}",
        posted.message
    );
    street.nobody_came();
}

fn cdr(number: usize) -> String {
    json!({
        "country_code": "DE", "party_id": "CPA", "id": format!("C-{number}"),
        "start_date_time": "2026-11-21T09:00:00Z", "end_date_time": "2026-11-21T10:00:00Z",
        "cdr_token": {"country_code": "DE", "party_id": "MSA", "uid": "04AA", "type": "RFID", "contract_id": "C1"},
        "auth_method": "WHITELIST", "cdr_location": {"id": "L1", "evse_uid": "1", "evse_id": "DE*CPA*E1"},
        "currency": "EUR", "total_cost": {"excl_vat": 1}, "total_energy": 7, "last_updated": "2026-11-21T10:00:01Z"
    })
    .to_string()
}

// N-04, SAF-31
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_confirmation_url_leads_inside() {
    let street = Street::open().await;
    let owner = Peer::open_at(NEIGHBOURS).await;
    let cpo = street.platform("DE/CPA:CPO", &owner, &[]).await;
    for url in [
        street.trap.url("/told"),
        format!("http://0x7f000001:{}/told", street.trap.port),
        format!("http://[::ffff:7f00:1]:{}/told", street.trap.port),
        "http://169.254.169.254/told".to_owned(),
        "gopher://127.0.0.1/told".to_owned(),
    ] {
        let claim = json!({
            "public_key": KEY, "key_pair": "GENERATED", "meter_serial": "M1", "manufacturer": "ACME", "model": "Post 1",
            "evse_id": "DE*CPA*E1", "valid_from": "2026-01-01T00:00:00Z", "confirmation_url": url,
        });
        let headers = [("Idempotency-Key", url.as_str())];
        let heard = street
            .site
            .call(
                &cpo,
                Method::POST,
                "/partner/v1/registrations",
                &headers,
                &claim.to_string(),
            )
            .await;
        assert_eq!(
            (heard.http, &heard.json()["field"]),
            (422, &json!("/confirmation_url")),
            "{}",
            heard.text()
        );
    }
    street.nobody_came();
}

/// The SPKI of the base point of secp256r1: nobody gets so far as to look at it.
const KEY: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
