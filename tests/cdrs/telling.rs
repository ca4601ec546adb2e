//! The hub's own custom modules, `publickeys` and `cdrvalidations`, as its partners use them and are told (key-registry.md 4.5).

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;

use crate::common::listed::{Heard, Listing, Platform, bare};
use crate::common::place::On;
use crate::on_both;
use crate::peer::{Answer, Got, Peer};
use crate::world::{World, at, meter, plain, signed};

const KEYS: &str = "/ocpi/2.2.1/receiver/detwh-publickeys/DE/ABC";
const PUBLISHED: &str = "/ocpi/2.2.1/sender/detwh-publickeys";
const VERDICTS: &str = "/ocpi/2.2.1/sender/detwh-cdrvalidations";
const REPORTS: &str = "/ocpi/2.2.1/receiver/detwh-cdrvalidations";

fn both() -> Value {
    json!({"custom_modules": true, "publickeys": true, "cdrvalidations": true})
}

/// A platform with these options, which listens on both modules where there is a peer.
async fn platform(world: &World, parties: &[&str], peer: Option<&Peer>, options: Value) -> Platform {
    let listing = match peer {
        Some(peer) => Listing {
            endpoints: json!([
                {"identifier": "cdrs", "role": "RECEIVER", "url": peer.url("/cdrs")},
                {"identifier": "detwh-publickeys", "role": "RECEIVER", "url": peer.url("/told/keys/?who=hub")},
                {"identifier": "detwh-cdrvalidations", "role": "RECEIVER", "url": peer.url("/told/verdicts")},
            ]),
            versions_url: peer.url("/versions"),
            ..bare(parties)
        },
        None => bare(parties),
    };
    world.site.list(Listing { options, ..listing }).await
}

fn claim(seed: &str) -> Value {
    json!({
        "public_key": hex::encode(meter(seed).public_key().to_spki_der()),
        "meter_serial": "M1",
        "evse_id": "DE*ABC*E1",
        "valid_from": "2026-01-01T00:00:00Z",
        "manufacturer": "ACME",
        "model": "Post 1",
        "key_pair": "GENERATED",
    })
}

/// A hub that knows a unit of ACME: of a manufacturer it never met, a person would have to look at the first.
async fn start(on: On) -> Option<World> {
    let world = World::start(on, "").await?;
    let whose = json!({"cpo": {"country_code": "DE", "party_id": "OLD"}, "meter_serial": "M0", "evse_id": "DE*OLD*E0"});
    let (status, known) = world
        .operate(
            Method::POST,
            "/operator/v1/keys",
            Some(with(claim("of the operator"), whose)),
        )
        .await;
    assert_eq!((status, &known["state"]), (201, &json!("CONFIRMED")), "{known}");
    Some(world)
}

fn with(mut claim: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        claim[name] = value.clone();
    }
    claim
}

async fn put(world: &World, by: &Platform, id: &str, claim: &Value) -> Heard {
    world
        .call(by, Method::PUT, &format!("{KEYS}/{id}"), &[], &claim.to_string())
        .await
}

fn data(heard: &Heard) -> Value {
    heard.json()["data"].clone()
}

/// What a platform was told through a module, in order; of the unit that [`start`] registers aside.
fn told(peer: &Peer, module: &str) -> Vec<Got> {
    let prefix = format!("/told/{module}");
    peer.got()
        .into_iter()
        .filter(|got| got.path.starts_with(&prefix) && !got.path.contains("/DE/OLD/"))
        .collect()
}

/// Time passes, and the hub works, until a platform was told so much.
async fn until_told(world: &World, peer: &Peer, module: &str, is_enough: impl Fn(&[Got]) -> bool) -> Vec<Got> {
    for _ in 0..400 {
        let told = told(peer, module);
        if is_enough(&told) {
            return told;
        }
        world.clock.advance(TimeDelta::seconds(1));
        world.hub.delivery.nudge();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("told only {:?}", told(peer, module));
}

fn body(got: &Got) -> Value {
    serde_json::from_str(&got.body).unwrap()
}

on_both! {
    // V-09, U-09: key-registry.md 4.5.
    async fn the_modules_of_the_hub_are_listed_for_whom_the_operator_wants_them(on) {
        let world = World::start(on, "").await?;
        let wanted = platform(&world, &["DE/ABC:CPO"], None, both()).await;
        let one = platform(&world, &["DE/XYZ:CPO"], None, json!({"custom_modules": true, "publickeys": true})).await;
        let none = platform(&world, &["DE/MSP:EMSP"], None, json!({"custom_modules": true})).await;
        let listed = async |by: &Platform| {
            let heard = world.get(by, "/ocpi/2.2.1", &[]).await;
            let endpoints = data(&heard)["endpoints"].as_array().unwrap().clone();
            let own = endpoints.into_iter().filter(|one| one["identifier"].as_str().unwrap().starts_with("detwh-"));
            own.map(|one| {
                let url = one["url"].as_str().unwrap().to_owned();
                assert!(url.starts_with(&world.hub.url), "{url}");
                format!("{} {}", one["role"].as_str().unwrap(), url.rsplit('/').next().unwrap())
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(listed(&wanted).await, ["SENDER detwh-cdrvalidations", "RECEIVER detwh-publickeys", "SENDER detwh-publickeys"]);
        assert_eq!(listed(&one).await, ["RECEIVER detwh-publickeys", "SENDER detwh-publickeys"]);
        assert!(listed(&none).await.is_empty());
        for path in [PUBLISHED, VERDICTS] {
            assert_eq!(world.get(&none, path, &[]).await.http, 404, "{path}");
            assert_eq!(world.anybody(path).await.http, 401, "{path}");
        }
        assert_eq!(world.get(&one, VERDICTS, &[]).await.http, 404);
        assert_eq!(world.get(&one, PUBLISHED, &[]).await.http, 200);
        // What the hub serves is nobody's to be carried to.
        let to = [("OCPI-to-country-code", "DE"), ("OCPI-to-party-id", "ABC")];
        assert_eq!(world.get(&one, PUBLISHED, &to).await.code, 4001);
        // By agreement as well: the last rule wins.
        let rule = json!({"parties": ["DE/TWH", "DE/ABC"], "modules": ["detwh-publickeys"], "allow": false});
        let agreements = json!({"default": "allow", "rules": [rule]});
        assert_eq!(world.operate(Method::PUT, "/operator/v1/agreements", Some(agreements)).await.0, 200);
        assert_eq!(listed(&wanted).await, ["SENDER detwh-cdrvalidations"]);
        Some(())
    }

    // SAF-11, SAF-31, SAF-40, PC-09, PC-17.
    async fn an_operator_registers_under_its_own_id_reads_how_it_stands_and_ends_it(on) {
        let world = start(on).await?;
        let cpo = platform(&world, &["DE/ABC:CPO"], None, both()).await;
        let other = platform(&world, &["DE/XYZ:CPO", "DE/ABC:EMSP"], None, both()).await;
        let heard = put(&world, &cpo, "My-1", &claim("mine")).await;
        let made = data(&heard);
        assert_eq!((heard.http, heard.code, &made["state"], &made["id"]), (201, 1000, &json!("CONFIRMED"), &json!("My-1")), "{made}");
        assert_eq!(made["submitted_by"], "DE/ABC");
        let again = put(&world, &cpo, "MY-1", &with(claim("mine"), json!({"id": "my-1", "state": "whatever"}))).await;
        assert_eq!((again.http, again.code, &data(&again)["registration_id"]), (200, 1000, &made["registration_id"]), "PC-09");
        let read = world.get(&cpo, &format!("{KEYS}/my-1"), &[]).await;
        assert_eq!((read.http, &data(&read)["registration_id"]), (200, &made["registration_id"]));

        // Everybody who may reads it, by either id, and less of it.
        let registry_id = made["registration_id"].as_str().unwrap();
        for id in ["my-1", registry_id] {
            let read = data(&world.get(&other, &format!("{PUBLISHED}/DE/ABC/{id}"), &[]).await);
            assert_eq!((&read["fingerprint"], read.get("submitted_by")), (&made["fingerprint"], None));
        }
        for (path, http) in [("DE/XYZ/my-1", 404), ("DE/ABC/my-2", 404), ("DE/ABC", 404)] {
            assert_eq!(world.get(&other, &format!("{PUBLISHED}/{path}"), &[]).await.http, http, "{path}");
        }

        // Nobody speaks for somebody else.
        for method in [Method::GET, Method::PUT, Method::PATCH] {
            let sent = if method == Method::GET { String::new() } else { claim("mine").to_string() };
            let heard = world.call(&other, method.clone(), &format!("{KEYS}/my-1"), &[], &sent).await;
            assert_eq!((heard.http, heard.code), (200, 2001), "{method}");
        }
        let stranger = [("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", "XYZ")];
        assert_eq!(world.get(&cpo, &format!("{KEYS}/my-1"), &stranger).await.http, 403);

        // What is wrong is said with every reason, and nothing of a key is repeated.
        let private = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----";
        for (id, claim, reason) in [
            ("my-1", claim("other"), "/id"),
            ("my-2", claim("other"), "METER_HAS_ACTIVE_KEY"),
            ("my-2", with(claim("other"), json!({"evse_id": "DE*XYZ*E1"})), "EVSE_ID_OF_OTHER_OPERATOR"),
            ("my-3", with(claim("other"), json!({"public_key": private})), "PRIVATE_KEY_SUBMITTED"),
            ("my-3", with(claim("other"), json!({"party_id": "XYZ"})), "/party_id"),
            ("my-3", with(claim("other"), json!({"meter_serial": null})), "/meter_serial"),
            // SAF-10
            ("my-3", with(claim("other"), json!({"manufacturer": null})), "/manufacturer"),
            ("my-3", with(claim("other"), json!({"key_pair": null})), "/key_pair"),
        ] {
            let heard = put(&world, &cpo, id, &claim).await;
            assert_eq!((heard.http, heard.code), (200, 2001), "{id} {reason}");
            assert!(heard.message.contains(reason) && !heard.message.contains("MIGHAgEA"), "{reason}: {}", heard.message);
        }
        assert_eq!(data(&world.get(&cpo, &format!("{KEYS}/my-2"), &[]).await)["state"], "REFUSED");
        // A refused one leaves its id free.
        let elsewhere = with(claim("other"), json!({"meter_serial": "M2", "evse_id": "DE*ABC*E2"}));
        assert_eq!(put(&world, &cpo, "my-2", &elsewhere).await.http, 201);

        for (method, path) in [
            (Method::DELETE, format!("{KEYS}/my-1")),
            (Method::POST, format!("{KEYS}/my-1")),
            (Method::POST, PUBLISHED.to_owned()),
            (Method::DELETE, VERDICTS.to_owned()),
        ] {
            assert_eq!(world.call(&cpo, method.clone(), &path, &[], "").await.http, 405, "{method} {path}");
        }
        let patch = async |body: Value| {
            world.call(&cpo, Method::PATCH, &format!("{KEYS}/my-1"), &[], &body.to_string()).await
        };
        assert_eq!(patch(json!({"meter_serial": "M9"})).await.code, 2001);
        assert_eq!(patch(json!({"state": "WITHDRAWN"})).await.code, 2001, "it is published");
        assert_eq!(patch(json!({"valid_to": "2027-01-01T00:00:00Z"})).await.code, 2001, "not an instant to come");
        let ended = patch(json!({"state": "DEACTIVATED", "valid_to": "2026-11-21T11:00:00Z"})).await;
        assert_eq!((ended.http, &data(&ended)["state"], &data(&ended)["valid_to"]), (200, &json!("DEACTIVATED"), &json!("2026-11-21T11:00:00Z")));
        assert_eq!(put(&world, &cpo, "my-1", &claim("mine")).await.code, 2001, "what ended is not begun again");
        assert_eq!(data(&world.get(&other, &format!("{PUBLISHED}/DE/ABC/my-1"), &[]).await)["state"], "DEACTIVATED");
        assert_eq!(put(&world, &cpo, &"x".repeat(37), &claim("mine")).await.code, 2001);
        Some(())
    }

    // PC-09: what the hub's operator registered, its CPO names.
    async fn a_key_that_was_registered_before_gets_the_name_its_operator_puts_it_under(on) {
        let world = start(on).await?;
        let cpo = platform(&world, &["DE/ABC:CPO"], None, both()).await;
        let id = world.register(&meter("mine")).await;
        let heard = put(&world, &cpo, "MINE", &claim("mine")).await;
        assert_eq!((heard.http, &data(&heard)["registration_id"]), (200, &json!(id)));
        assert_eq!(data(&world.get(&cpo, &format!("{KEYS}/mine"), &[]).await)["registration_id"], json!(id));
        // Of many at once, in two processes, there is one.
        let beside = world.beside().await;
        let more = with(claim("more"), json!({"meter_serial": "M2", "evse_id": "DE*ABC*E2"}));
        let puts = (0..6).map(|n| put(if n % 2 == 0 { &world } else { &beside }, &cpo, "MORE", &more));
        let ids: std::collections::HashSet<String> = futures_util::future::join_all(puts).await.iter()
            .map(|heard| data(heard)["registration_id"].as_str().unwrap_or_else(|| panic!("{}", heard.text())).to_owned())
            .collect();
        assert_eq!(ids.len(), 1);
        Some(())
    }

    // PC-18: what was agreed with one operator holds at every door.
    async fn pc_18_a_sample_that_is_required_is_required_here_too(on) {
        let world = start(on).await?;
        let strict = json!({"custom_modules": true, "publickeys": true, "require_sample": true});
        let cpo = platform(&world, &["DE/ABC:CPO"], None, strict).await;
        let heard = put(&world, &cpo, "mine", &claim("mine")).await;
        assert_eq!(heard.code, 2001);
        assert!(heard.message.contains("SAMPLE_MISSING"), "{}", heard.message);
        let body: Value = serde_json::from_str(&signed("C-1", &meter("mine"), 1)).unwrap();
        let sample = body["signed_data"]["signed_values"][0]["signed_data"].clone();
        let heard = put(&world, &cpo, "mine", &with(claim("mine"), json!({"sample": sample}))).await;
        assert_eq!((heard.http, &data(&heard)["state"]), (201, &json!("CONFIRMED")), "{}", heard.text());
        Some(())
    }

    // P-02, P-05, P-06, P-07: the published ones, page by page.
    async fn the_list_of_published_keys_has_pages_and_no_unpublished_ones(on) {
        let world = start(on).await?;
        let cpo = platform(&world, &["DE/ABC:CPO"], None, both()).await;
        for number in 1..=12 {
            let claim = with(claim(&format!("key {number}")), json!({"meter_serial": format!("M{number}"), "evse_id": format!("DE*ABC*E{number}")}));
            assert_eq!(put(&world, &cpo, &format!("k{number}"), &claim).await.http, 201);
        }
        put(&world, &cpo, "bad", &with(claim("bad"), json!({"evse_id": "DE*ABC*E1"}))).await;
        let (mut next, mut seen) = (Some(PUBLISHED.to_owned()), Vec::new());
        while let Some(url) = next {
            let page = world.get(&cpo, &url, &[]).await;
            assert_eq!((page.http, page.header("x-total-count"), page.header("x-limit")), (200, Some("13"), Some("5")));
            seen.extend(page.json()["data"].as_array().unwrap().iter().map(|one| one["meter_serial"].as_str().unwrap().to_owned()));
            next = page.next();
        }
        assert_eq!(seen, (0..=12).map(|number| format!("M{number}")).collect::<Vec<_>>());
        // By offset alone, as clients count that follow no links.
        let page = world.get(&cpo, &format!("{PUBLISHED}?offset=10&limit=5"), &[]).await;
        assert_eq!((page.json()["data"].as_array().unwrap().len(), page.next()), (3, None));
        world.clock.set(at("2026-11-22T12:00:00Z"));
        let end = json!({"state": "DEACTIVATED"}).to_string();
        world.call(&cpo, Method::PATCH, &format!("{KEYS}/k3"), &[], &end).await;
        let changed = world.get(&cpo, &format!("{PUBLISHED}?date_from=2026-11-22T00:00:00Z"), &[]).await;
        assert_eq!((changed.header("x-total-count"), &data(&changed)[0]["meter_serial"]), (Some("1"), &json!("M3")));
        assert_eq!(world.get(&cpo, &format!("{PUBLISHED}?limit=0"), &[]).await.code, 2001);
        Some(())
    }

    // SAF-31: to its operator the push is the confirmation.
    async fn saf_31_every_platform_that_listens_is_told_of_a_key_as_it_stands_also_after_a_restart(on) {
        let world = start(on).await?;
        let (owner, reader) = (Peer::open().await, Peer::open().await);
        for peer in [&owner, &reader] {
            peer.answers_get(Answer::envelope(200, 1000, "noted"));
        }
        let cpo = platform(&world, &["DE/ABC:CPO"], Some(&owner), both()).await;
        platform(&world, &["DE/MSP:EMSP"], Some(&reader), both()).await;
        let unasked = Peer::open().await;
        platform(&world, &["NL/MSP:EMSP"], Some(&unasked), json!({"custom_modules": true})).await;
        let made = data(&put(&world, &cpo, "My 1", &claim("mine")).await);
        let to_owner = until_told(&world, &owner, "keys", |told| !told.is_empty()).await;
        let got = to_owner.last().unwrap();
        assert_eq!((got.method.as_str(), got.path.as_str()), ("PUT", "/told/keys/DE/ABC/My%201?who=hub"));
        assert_eq!(got.parties(), ("DE/ABC".to_owned(), "DE/TWH".to_owned()));
        assert_eq!((&body(got)["state"], &body(got)["id"], &body(got)["submitted_by"]), (&json!("CONFIRMED"), &json!("My 1"), &json!("DE/ABC")));
        let to_reader = until_told(&world, &reader, "keys", |told| !told.is_empty()).await;
        let got = to_reader.last().unwrap();
        assert_eq!(got.path, format!("/told/keys/DE/ABC/{}?who=hub", made["registration_id"].as_str().unwrap()));
        assert_eq!((&body(got)["state"], body(got).get("submitted_by")), (&json!("CONFIRMED"), None));
        assert_eq!(got.parties(), ("DE/MSP".to_owned(), "DE/TWH".to_owned()));

        // What was refused is its operator's business alone.
        assert_eq!(put(&world, &cpo, "bad", &claim("another")).await.code, 2001);
        until_told(&world, &owner, "keys", |told| told.iter().any(|got| body(got)["state"] == "REFUSED")).await;
        assert!(told(&reader, "keys").iter().all(|got| body(got)["state"] != "REFUSED"));
        reader.forget();

        // In trouble, then away over a restart of the hub: told once it is back, and the newest state only.
        reader.answers_get(Answer::plain(503, ""));
        let exchanged = json!({"manufacturer": "ACME"});
        let path = format!("/operator/v1/keys/{}/hardware", made["registration_id"].as_str().unwrap());
        assert_eq!(world.operate(Method::POST, &path, Some(exchanged)).await.0, 200);
        let before = until_told(&world, &reader, "keys", |told| !told.is_empty()).await;
        assert_eq!(body(before.last().unwrap())["manufacturer"], "ACME");
        let end = json!({"state": "DEACTIVATED"}).to_string();
        assert_eq!(world.call(&cpo, Method::PATCH, &format!("{KEYS}/my%201"), &[], &end).await.http, 200);
        let (site, clock) = (world.site, world.clock);
        let world = World { site: site.restarted().await, clock };
        reader.answers_get(Answer::envelope(200, 1000, "noted"));
        reader.forget();
        let after = until_told(&world, &reader, "keys", |told| told.iter().any(|got| body(got)["state"] == "DEACTIVATED")).await;
        assert_eq!(body(after.last().unwrap())["state"], "DEACTIVATED");
        until_told(&world, &owner, "keys", |told| told.iter().any(|got| body(got)["state"] == "DEACTIVATED")).await;
        for _ in 0..100 {
            let owed = world.operate(Method::GET, "/operator/v1/duties", None).await.1;
            if owed["items"].as_array().unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let owed = world.operate(Method::GET, "/operator/v1/duties", None).await.1;
        assert_eq!(owed["items"], json!([]), "nothing is owed any more");
        assert!(told(&unasked, "keys").is_empty());
        Some(())
    }

    // SAF-46.
    async fn saf_46_a_cpo_is_told_of_a_verdict_that_does_not_hold_and_of_what_takes_its_place(on) {
        let world = World::start(on, "").await?;
        let (own, emsp) = (Peer::open().await, Peer::open().await);
        let cpo = platform(&world, &["DE/ABC:CPO"], Some(&own), both()).await;
        platform(&world, &["DE/MSP:EMSP"], Some(&emsp), json!({})).await;
        let meter = meter("mine");
        let posted = signed("C-1", &meter, 1).replacen("\"auth_method\"", "\"session_id\":\"S-1\",\"auth_method\"", 1);
        assert_eq!(world.post(&cpo, &posted).await.http, 201);
        let got = until_told(&world, &own, "verdicts", |told| !told.is_empty()).await.pop().unwrap();
        let report = body(&got);
        assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/told/verdicts"));
        assert_eq!(got.parties(), ("DE/ABC".to_owned(), "DE/TWH".to_owned()));
        assert_eq!(
            (&report["cdr_id"], &report["session_id"], &report["verdict"], &report["billable"], &report["reporter"]["party_id"]),
            (&json!("C-1"), &json!("S-1"), &json!("INTEGRITY_ONLY"), &json!(false), &json!("TWH"))
        );
        assert_eq!(report["findings"][0]["code"], "KEY_NOT_REGISTERED");
        assert!(!got.body.contains("04AA"), "whose card it was stands in the CDR");
        // Registered afterwards, the CDR is judged again, and its CPO hears that nothing is left to do.
        world.register(&meter).await;
        let got = until_told(&world, &own, "verdicts", |told| told.len() >= 2).await.pop().unwrap();
        assert_eq!((&body(&got)["verdict"], &body(&got)["billable"]), (&json!("VERIFIED"), &json!(true)));
        // What holds from the beginning is no news.
        assert_eq!(world.post(&cpo, &signed("C-2", &meter, 2)).await.http, 201);
        assert_eq!(world.post(&cpo, &plain("C-3")).await.http, 201);
        let got = until_told(&world, &own, "verdicts", |told| told.len() >= 3).await.pop().unwrap();
        assert_eq!((&body(&got)["cdr_id"], &body(&got)["verdict"]), (&json!("C-3"), &json!("MISSING")));
        assert!(told(&emsp, "verdicts").is_empty());
        Some(())
    }

    // SAF-46, P-05.
    async fn a_cpo_without_a_receiver_reads_the_verdicts_on_its_own_cdrs_page_by_page(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = platform(&world, &["DE/ABC:CPO"], None, both()).await;
        let other = platform(&world, &["DE/XYZ:CPO"], None, both()).await;
        let payer = platform(&world, &["DE/MSP:EMSP"], Some(&emsp), both()).await;
        for number in 0..7 {
            let posted = signed(&format!("C-{number}"), &meter("mine"), number);
            assert_eq!(world.post(&cpo, &posted).await.http, 201);
            world.clock.advance(TimeDelta::seconds(1));
        }
        let (mut next, mut seen) = (Some(VERDICTS.to_owned()), Vec::new());
        while let Some(url) = next {
            let page = world.get(&cpo, &url, &[]).await;
            assert_eq!((page.http, page.header("x-total-count")), (200, Some("7")));
            let ids = page.json()["data"].as_array().unwrap().iter().map(|one| one["cdr_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
            seen.extend(ids);
            next = page.next();
        }
        assert_eq!(seen, (0..7).map(|number| format!("C-{number}")).collect::<Vec<_>>());
        let late = world.get(&cpo, &format!("{VERDICTS}?date_from=2026-11-21T12:00:05Z"), &[]).await;
        assert_eq!(late.header("x-total-count"), Some("2"));
        for by in [&other, &payer] {
            let page = world.get(by, VERDICTS, &[]).await;
            assert_eq!((page.http, page.header("x-total-count"), data(&page)), (200, Some("0"), json!([])));
        }
        Some(())
    }

    // SAF-46, U-09: SAF-03, two parties look at one CDR.
    async fn an_emsps_report_is_carried_to_the_cpo_octet_for_octet(on) {
        let world = World::start(on, "").await?;
        let own = Peer::open().await;
        platform(&world, &["DE/ABC:CPO"], Some(&own), both()).await;
        let emsp = platform(&world, &["DE/MSP:EMSP"], None, both()).await;
        let to = [("OCPI-to-country-code", "DE"), ("OCPI-to-party-id", "ABC")];
        let report = "{ \"cdr_id\" : \"C-1\", \"verdict\":\"INVALID\",  \"n\": 1.50 }";
        let heard = world.call(&emsp, Method::POST, REPORTS, &to, report).await;
        assert_eq!((heard.http, heard.code, heard.message.as_str()), (201, 1000, "thanks"));
        let got = told(&own, "verdicts").pop().unwrap();
        assert_eq!((got.body.as_str(), got.parties()), (report, ("DE/ABC".to_owned(), "DE/MSP".to_owned())));
        assert_eq!(world.call(&emsp, Method::POST, REPORTS, &[], report).await.code, 4001, "to whom?");
        // Keys go to the registry, and to nobody through the hub.
        let keys = KEYS.replace("DE/ABC", "DE/MSP");
        assert_eq!(world.call(&emsp, Method::PUT, &format!("{keys}/1"), &to, "{}").await.code, 4001);
        assert!(told(&own, "keys").is_empty());
        Some(())
    }
}
