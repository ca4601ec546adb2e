//! What is pushed to everybody: who gets it, what exactly, in which order, and what the sender hears.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;
use truewatt::client::Method;

use crate::common::place::On;
use crate::objects::{connector, evse, location, session, tariff, token};
use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{HUB, RECEIVES, World};

const EIGHT: &str = "2026-11-21T08:00:00Z";
const NINE: &str = "2026-11-21T09:00:00.250Z";

on_both! {
    // R-10, R-13, R-26, R-27, R-28, R-50, R-51, R-52, R-53, R-54, R-55, R-61, M-03, M-04, M-05, M-06, S-06, U-01, U-04, U-06, T-12, T-48, T-49, LOC-21
    async fn a_location_reaches_every_party_of_the_other_side_octet_by_octet(on) {
        let world = World::start(on, "").await?;
        let (two, nsp, rival, own, deaf, away) =
            (Peer::open().await, Peer::open().await, Peer::open().await, Peer::open().await, Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["de/AbC:CPO", "DE/OWN:EMSP"], Some((&own, RECEIVES))).await;
        world.platform(&["DE/MSA:EMSP", "DE/MSA:NSP", "DE/MSB:EMSP"], Some((&two, RECEIVES))).await;
        world.platform(&["NL/NAV:NSP"], Some((&nsp, RECEIVES))).await;
        world.platform(&["NL/CPO:CPO"], Some((&rival, RECEIVES))).await;
        world.platform(&["NL/DEF:EMSP"], Some((&deaf, &[("tokens", "RECEIVER")]))).await;
        let offline = world.platform(&["NL/OFF:EMSP"], Some((&away, RECEIVES))).await;
        world.goes_away(&offline);

        let body = location("DE/ABC", "L/1 ü", EIGHT);
        let headers = [
            ("OCPI-to-country-code", "de"), ("OCPI-to-party-id", "twh"), ("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", "ABC"),
            ("X-Request-ID", "req-1"), ("X-Correlation-ID", "corr-1"),
        ];
        let heard = world.ask(&cpo, Method::PUT, "receiver/locations/DE/ABC/L%2F1%20%C3%BC?x=%2Fy&z", &headers, &body).await;
        assert_eq!((heard.http, heard.code), (201, 1000), "{}", heard.text());
        assert_eq!((heard.header("ocpi-to-party-id"), heard.header("ocpi-from-party-id")), (Some("AbC"), Some("TWH")));
        assert_eq!((heard.header("x-request-id"), heard.header("x-correlation-id")), (Some("req-1"), Some("corr-1")));

        let mut got = two.until(2).await;
        got.extend(nsp.until(1).await);
        world.hub.copies.all_ended().await;
        let mut receivers: Vec<String> = got.iter().map(|one| one.parties().0).collect();
        receivers.sort();
        assert_eq!(receivers, ["DE/MSA", "DE/MSB", "NL/NAV"]);
        let mut requests = HashSet::from(["req-1".to_owned()]);
        for one in &got {
            assert_eq!((one.method.as_str(), one.body == body, one.parties().1), ("PUT", true, HUB.to_owned()));
            assert_eq!(one.path, "/q7x/locr/de/AbC/L%2F1%20%C3%BC?tenant=1&x=%2Fy&z");
            assert_eq!((one.header("x-correlation-id"), one.header("content-type")), (Some("corr-1"), Some("application/json")));
            assert!(requests.insert(one.header("x-request-id").unwrap().to_owned()), "one id for each leg");
            assert_eq!(one.header("authorization"), Some("Token dGhlaXItdG9rZW4="));
        }
        assert_eq!((two.got().len(), nsp.got().len()), (2, 1));
        for nobody in [&own, &rival, &deaf, &away] {
            assert!(nobody.got().is_empty());
        }
        assert_eq!(world.ask(&cpo, Method::PUT, "receiver/locations/DE/ABC/l%2F1%20%C3%BC", &headers, &body).await.http, 200, "T-42");
        Some(())
    }

    // R-74, D-20, TOK-07, TOK-08, R-52, N-07
    async fn a_token_pushed_to_nobody_in_particular_reaches_every_cpo(on) {
        let world = World::start(on, "").await?;
        let (cpos, other) = (Peer::open().await, Peer::open().await);
        world.platform(&["DE/CPA:CPO", "DE/CPB:CPO"], Some((&cpos, RECEIVES))).await;
        world.platform(&["NL/MSP:EMSP"], Some((&other, RECEIVES))).await;
        let emsp = world.platform(&["DE/MSP:EMSP"], None).await;
        let body = token("DE/MSP", "04 AA/1", "APP_USER", EIGHT);
        let path = "receiver/tokens/DE/MSP/04%20AA%2F1";
        let wrong = world.ask(&emsp, Method::PUT, path, &[], &body).await;
        assert_eq!((wrong.http, wrong.code, wrong.message.starts_with("/type: ")), (200, 2001, true), "RFID where none is said");
        let right = world.ask(&emsp, Method::PUT, &format!("{path}?type=app_user"), &[], &body).await;
        assert_eq!((right.http, right.code), (201, 1000), "{}", right.text());
        let change = r#"{ "valid" : false,"last_updated":"2026-11-21T09:00:00Z"}"#;
        assert_eq!(world.ask(&emsp, Method::PATCH, path, &[], change).await.code, 2004);
        assert_eq!(world.ask(&emsp, Method::PATCH, &format!("{path}?type=APP_USER"), &[], change).await.http, 200);
        let got = cpos.until(4).await;
        world.hub.copies.all_ended().await;
        assert_eq!(got.iter().map(|one| one.method.as_str()).collect::<Vec<_>>().iter().filter(|one| **one == "PATCH").count(), 2);
        assert!(got.iter().all(|one| one.body == body || one.body == change));
        assert!(got.iter().all(|one| one.path.contains("/DE/MSP/04%20AA%2F1?") && one.path.to_lowercase().contains("type=app_user")));
        assert!(other.got().is_empty());
        let (_, journal) = world.operate(Method::GET, "/operator/v1/journal?limit=100", None).await;
        assert!(!journal.to_string().contains("04 AA"), "a token is no journal's business");
        Some(())
    }

    // R-57, R-63, S-05, S-07, T-22, T-25, T-26, T-27, T-28, R-12, D-13, D-18, LOC-10, TAR-04, TAR-13, R-50
    async fn what_is_refused_stops_there_and_what_a_receiver_says_stays_there(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        emsp.acts(|_| Answer::envelope(200, 2001, ""));
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let good = location("DE/ABC", "L1", EIGHT);
        for (method, path, body, http, code, says) in [
            (Method::PUT, "locations/DE/ABC/L1", good.replace("\"city\":\"B\",", ""), 200, 2001, "/city: "),
            (Method::PUT, "locations/DE/ABC/L1", good.replace("true", "\"true\""), 200, 2001, "/publish: "),
            (Method::PUT, "locations/DE/ABC/L1", good.replace("\"L1\"", "\"L2\""), 200, 2001, "/id: "),
            (Method::PUT, "locations/DE/ABC/L1", good.replace("\"ABC\"", "\"XYZ\""), 200, 2001, "/party_id: "),
            (Method::PUT, "locations/DE/XYZ/L1", good.clone(), 404, 2000, ""),
            (Method::PUT, "locations/DE/ABC/L1", "{".into(), 400, 2000, ""),
            (Method::PUT, "locations/DE/ABC/L1/E1", evse("E1", "AVAILABLE", EIGHT), 404, 2003, ""),
            (Method::PATCH, "locations/DE/ABC/L1", r#"{"last_updated":"2026-11-21T08:00:00Z"}"#.into(), 404, 2003, ""),
            (Method::PATCH, "locations/DE/ABC/L1", r#"{"city":"X"}"#.into(), 200, 2001, "/last_updated: "),
            (Method::DELETE, "tariffs/DE/ABC/T1", String::new(), 404, 2000, ""),
            (Method::DELETE, "locations/DE/ABC/L1", String::new(), 405, 2000, ""),
        ] {
            let heard = world.push(&cpo, method.clone(), &format!("receiver/{path}"), &body).await;
            assert_eq!((heard.http, heard.code), (http, code), "{method} {path}: {}", heard.text());
            assert!(heard.message.starts_with(says), "{says} {}", heard.message);
        }
        // A sender hears nothing of what its receivers say.
        let tariff = tariff("DE/ABC", "T1", EIGHT);
        assert_eq!(world.push(&cpo, Method::PUT, "receiver/tariffs/DE/ABC/T1", &tariff).await.http, 201);
        assert_eq!(world.push(&cpo, Method::DELETE, "receiver/tariffs/DE/ABC/t1", "").await.http, 200);
        assert_eq!(world.push(&cpo, Method::DELETE, "receiver/tariffs/DE/ABC/T1", "").await.http, 404);
        emsp.until(2).await;
        world.hub.copies.all_ended().await;
        let got: Vec<(String, String)> = emsp.got().into_iter().map(|one| (one.method, one.body)).collect();
        assert_eq!(got, [("PUT".to_owned(), tariff), ("DELETE".to_owned(), String::new())], "and nothing of what was refused");
        assert_eq!(world.hub.store.copies_count().await.unwrap(), 0);
        let (_, journal) = world.operate(Method::GET, "/operator/v1/journal?object=DE/ABC/T1&limit=100", None).await;
        let lines = journal["items"].as_array().unwrap();
        assert!(lines.iter().any(|line| line["outcome"].as_str().unwrap().starts_with("copy not taken") && line["status_code"] == 2001), "{journal}");
        Some(())
    }

    // LOC-03, LOC-04, LOC-05, LOC-07, LOC-08, LOC-22, D-18, R-58
    async fn evses_and_connectors_are_merged_and_the_owner_reads_what_the_hub_keeps(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let first = location("DE/ABC", "L1", EIGHT);
        world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", &first).await;
        let second = evse("E2", "BLOCKED", EIGHT);
        assert_eq!(world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1/E2", &second).await.http, 201);
        let plug = connector("1", "3.2e1", NINE);
        assert_eq!(world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1/e2/1", &plug).await.http, 200);
        let status = format!("{{\"status\":\"CHARGING\",\"last_updated\":\"{NINE}\"}}");
        assert_eq!(world.push(&cpo, Method::PATCH, "receiver/locations/DE/ABC/L1/E1", &status).await.http, 200);

        let changed = evse("E1", "CHARGING", EIGHT);
        let changed = format!("{}\"last_updated\":\"{NINE}\"}}", changed.rsplit_once("\"last_updated\"").unwrap().0);
        let with_plug = format!("{}\"last_updated\":\"{NINE}\"}}", second.replace(&connector("1", "16", EIGHT), &plug).rsplit_once("\"last_updated\"").unwrap().0);
        let expected = first
            .replace(&evse("E1", "AVAILABLE", EIGHT), &format!("{changed},{with_plug}"))
            .replace(&format!("\"last_updated\" : \"{EIGHT}\""), &format!("\"last_updated\" : \"{NINE}\""));
        let read = world.get(&cpo, "receiver/locations/DE/ABC/L1").await;
        assert!(read.text().contains(expected.trim()), "{}\n{expected}", read.text());
        let read = world.get(&cpo, "receiver/locations/DE/ABC/L1/E2").await;
        assert!(read.text().contains(&format!("\"data\":{with_plug},")), "{}", read.text());
        assert!(world.get(&cpo, "receiver/locations/DE/ABC/L1/E2/1").await.text().contains(&format!("\"data\":{plug},")));
        for (who, path) in [(&cpo, "L9"), (&cpo, "L1/E9"), (&cpo, "L1/E1/9"), (&reader, "L1")] {
            let from = if who.id == cpo.id { "ABC" } else { "MSP" };
            let headers = [("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", from)];
            let heard = world.ask(who, Method::GET, &format!("receiver/locations/DE/ABC/{path}"), &headers, "").await;
            assert_eq!(heard.http, 404, "{path}");
        }
        assert_eq!(world.get(&cpo, "receiver/locations/DE/ABC/L1/E9").await.code, 2003);
        let got = emsp.until(4).await;
        world.hub.copies.all_ended().await;
        assert_eq!(got.iter().map(|one| one.body.as_str()).collect::<Vec<_>>(), [first.as_str(), &second, &plug, &status]);
        assert!(got[2].path.starts_with("/q7x/locr/DE/ABC/L1/e2/1?"), "{}", got[2].path);
        Some(())
    }

    // D-05, D-19, R-63
    async fn an_object_grows_to_the_size_of_a_body_and_no_further(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let filled = |mega: usize| format!("{{\"filling\":\"{}\",", "x".repeat(mega * 1024 * 1024));
        let body = location("DE/ABC", "L1", EIGHT).replacen("{ ", &filled(6), 1);
        assert_eq!(world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", &body).await.http, 201);
        let change = format!("{}\"last_updated\":\"{NINE}\"}}", filled(5).replace("filling", "more"));
        let second = evse("E2", "AVAILABLE", NINE).replacen('{', &filled(5), 1);
        for (method, path, more) in [(Method::PATCH, "L1", &change), (Method::PUT, "L1/E2", &second), (Method::PATCH, "L1/E1", &change)] {
            let heard = world.push(&cpo, method, &format!("receiver/locations/DE/ABC/{path}"), more).await;
            assert_eq!((heard.http, heard.code), (200, 2001), "{path}");
            assert!(heard.message.contains("octets") && heard.message.ends_with("10485760"), "{}", heard.message);
        }
        let kept = world.hub.store.mirror_get("locations", "DE/ABC", "L1").await.unwrap().unwrap();
        assert!(kept.body == body && kept.revision == 1, "nothing has changed");
        // What replaces makes it no larger.
        let change = change.replace("\"more\"", "\"filling\"");
        assert_eq!(world.push(&cpo, Method::PATCH, "receiver/locations/DE/ABC/L1", &change).await.http, 200);
        let got = emsp.until(2).await;
        world.hub.copies.all_ended().await;
        assert!(emsp.got().len() == 2 && got[0].body == body && got[1].body == change);
        Some(())
    }

    // R-47, R-56, R-57, R-62, D-16
    async fn of_a_hundred_receivers_one_never_answers_one_is_not_there_and_98_have_all_in_order(on) {
        let world = World::start(on, "[timeouts]\nconnect_s = 1\nrelay_s = 4\n[duties]\nlease_s = 30\n").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let mut peers = Vec::new();
        for number in 0..100 {
            let peer = Peer::open().await;
            let party = format!("NL/{number:03}:EMSP");
            world.platform(&[&party], Some((&peer, RECEIVES))).await;
            match number {
                0 => peer.acts(|_| Answer::never()),
                1 => peer.close().await,
                _ => peer.acts(|got| {
                    // A delay that looks random and is the same in every run.
                    let lot = got.header("x-request-id").unwrap_or_default().bytes().fold(0_u64, |sum, byte| sum * 31 % 997 + u64::from(byte));
                    Answer::envelope(200, 1000, "").after(Duration::from_millis(lot % 20))
                }),
            }
            peers.push(peer);
        }
        let mut told: HashMap<String, Vec<String>> = HashMap::new();
        for round in 0..6 {
            for object in 0..3 {
                let id = format!("L{object}");
                let body = location("DE/ABC", &id, &format!("2026-11-21T08:00:0{round}Z"));
                let heard = world.push(&cpo, Method::PUT, &format!("receiver/locations/DE/ABC/{id}"), &body).await;
                assert_eq!(heard.code, 1000);
                told.entry(id).or_default().push(body);
            }
        }
        for (number, peer) in peers.iter().enumerate().skip(2) {
            let got = peer.until(18).await;
            assert_eq!(got.len(), 18, "{number}");
            for (id, bodies) in &told {
                let here: Vec<&String> = got.iter().filter(|one| one.path.contains(&format!("/{id}?"))).map(|one| &one.body).collect();
                assert_eq!(here, bodies.iter().collect::<Vec<_>>(), "{number} {id}");
            }
        }
        assert!(world.hub.copies.on_their_way() > 0, "the one that never answers is still waited for");
        assert!(peers[1].got().is_empty());
        Some(())
    }

    // R-59, SES-18, SES-20, R-77, N-07
    async fn a_session_is_for_its_payer_alone_and_in_its_list(on) {
        let world = World::start(on, "").await?;
        let (payer, other) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], Some((&payer, RECEIVES))).await;
        let rival = world.platform(&["NL/MSP:EMSP"], Some((&other, RECEIVES))).await;
        let body = session("DE/ABC", "S1", "DE/MSP", EIGHT);
        let heard = world.push(&cpo, Method::PUT, "receiver/sessions/DE/ABC/S1", &body).await;
        assert_eq!(heard.code, 1000, "{}", heard.text());
        let period = r#"{"start_date_time":"2026-11-21T08:00:00Z","dimensions":[{"type":"ENERGY","volume":1.0}]}"#;
        let more = format!("{{\"charging_periods\":[{period}],\"last_updated\":\"{NINE}\"}}");
        assert_eq!(world.push(&cpo, Method::PATCH, "receiver/sessions/DE/ABC/S1", &more).await.code, 1000);
        assert_eq!((payer.until(2).await.len(), other.got().len()), (2, 0));
        let listed = world.get(&reader, "sender/sessions?date_from=2026-11-21T09:00:00.250Z").await;
        assert_eq!(listed.ids(), ["S1"], "{}", listed.text());
        assert!(listed.text().contains(period));
        assert!(world.get(&rival, "sender/sessions").await.ids().is_empty());
        assert!(world.get(&cpo, "sender/sessions").await.ids().is_empty(), "a CPO has its own");
        Some(())
    }
}

on_both! {
    // R-77, SES-20, D-17
    async fn sessions_kept_under_another_agreement_are_shown_by_the_one_that_holds_now(on) {
        let world = World::start(on, "").await?;
        let payer = Peer::open().await;
        let reader = world.platform(&["DE/MSP:EMSP", "DE/MSQ:EMSP"], Some((&payer, RECEIVES))).await;
        for owner in ["DE/ABC", "NL/CPB"] {
            let cpo = world.platform(&[&format!("{owner}:CPO")], None).await;
            for reader in ["DE/MSP", "DE/MSQ"] {
                let id = format!("{}-{}", &owner[3..], &reader[3..]);
                let path = format!("receiver/sessions/{owner}/{id}");
                assert_eq!(world.push(&cpo, Method::PUT, &path, &session(owner, &id, reader, EIGHT)).await.code, 1000);
            }
        }
        let list = async |headers: &[(&str, &str)]| {
            let page = world.ask(&reader, Method::GET, "sender/sessions?date_from=2026-11-21T00:00:00Z", headers, "").await;
            let mut ids = page.ids();
            ids.sort();
            assert_eq!(page.header("x-total-count"), Some(ids.len().to_string().as_str()));
            ids
        };
        let msp = [("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", "MSP")];
        assert_eq!(list(&[]).await, ["ABC-MSP", "ABC-MSQ", "CPB-MSP", "CPB-MSQ"]);
        let rules = |allow: bool| json!({"default": "allow", "rules": [
            {"parties": ["DE/ABC", "DE/MSP"], "modules": ["sessions"], "allow": allow},
            {"parties": ["NL/CPB", "DE/MSQ"], "modules": ["tariffs"], "allow": false},
        ]});
        let (status, said) = world.operate(Method::PUT, "/operator/v1/agreements", Some(rules(false))).await;
        assert_eq!(status, 200, "{said}");
        assert_eq!(list(&msp).await, ["CPB-MSP"]);
        assert_eq!(list(&[]).await, ["ABC-MSQ", "CPB-MSP", "CPB-MSQ"], "what one may not see does not come by the other");
        world.operate(Method::PUT, "/operator/v1/agreements", Some(rules(true))).await;
        assert_eq!(list(&msp).await, ["ABC-MSP", "CPB-MSP"]);
        Some(())
    }

    // SES-18, SES-20, R-71, R-72, R-77
    async fn a_session_whose_token_changes_moves_to_who_pays_now(on) {
        let world = World::start(on, "").await?;
        let (first, second) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let one = world.platform(&["DE/MSP:EMSP"], Some((&first, RECEIVES))).await;
        let two = world.platform(&["NL/MSP:EMSP"], Some((&second, RECEIVES))).await;
        let path = "receiver/sessions/DE/ABC/S1";
        let put = session("DE/ABC", "S1", "DE/MSP", EIGHT);
        assert_eq!(world.push(&cpo, Method::PUT, path, &put).await.code, 1000);
        let list = async |by| world.get(by, "sender/sessions?date_from=2026-11-21T00:00:00Z").await.ids();
        assert_eq!((list(&one).await.len(), list(&two).await.len()), (1, 0));
        let token = r#"{"country_code":"NL","party_id":"MSP","uid":"04BB","type":"RFID","contract_id":"C2"}"#;
        let patch = format!("{{\"cdr_token\":{token},\"last_updated\":\"{NINE}\"}}");
        let heard = world.push(&cpo, Method::PATCH, path, &patch).await;
        assert_eq!((heard.code, heard.header("ocpi-from-country-code")), (1000, Some("NL")), "{}", heard.text());
        assert_eq!(second.until(1).await[0].body, patch);
        assert_eq!((list(&one).await.len(), list(&two).await.len()), (0, 1));
        // What says nothing about the token goes where the session is now.
        let more = format!("{{\"kwh\":2.5,\"last_updated\":\"{NINE}\"}}");
        assert_eq!(world.push(&cpo, Method::PATCH, path, &more).await.code, 1000);
        assert_eq!((second.until(2).await[1].body.clone(), first.got().len()), (more, 1));
        Some(())
    }

    // D-16, R-46, SES-20
    async fn what_is_kept_of_a_session_is_what_its_receiver_got_last(on) {
        let world = World::start(on, "").await?;
        let payer = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], Some((&payer, RECEIVES))).await;
        let path = "receiver/sessions/DE/ABC/S1";
        assert_eq!(world.push(&cpo, Method::PUT, path, &session("DE/ABC", "S1", "DE/MSP", EIGHT)).await.code, 1000);
        for round in 0..4 {
            let bodies: Vec<String> = (0..12).map(|number| format!("{{\"kwh\":{round}.{number:03},\"last_updated\":\"{NINE}\"}}")).collect();
            let pushes = bodies.iter().map(|body| world.push(&cpo, Method::PATCH, path, body));
            for heard in futures_util::future::join_all(pushes).await {
                assert_eq!(heard.code, 1000);
            }
            let last = payer.got().last().unwrap().body.clone();
            let kwh = last.split_once(',').unwrap().0.trim_start_matches('{').to_owned();
            let kept = world.get(&reader, "sender/sessions?date_from=2026-11-21T00:00:00Z").await;
            assert!(kept.text().contains(&kwh), "{kwh}: {}", kept.text());
        }
        Some(())
    }
}

// N-07
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_kept_for_lists_only_where_the_operator_wants_it() {
    let world = World::start(On::Sqlite, "[mirror]\nsessions = false\n").await.unwrap();
    let payer = Peer::open().await;
    let cpo = world.platform(&["DE/ABC:CPO"], None).await;
    let reader = world.platform(&["DE/MSP:EMSP"], Some((&payer, RECEIVES))).await;
    let body = session("DE/ABC", "S1", "DE/MSP", EIGHT);
    assert_eq!(
        world
            .push(&cpo, Method::PUT, "receiver/sessions/DE/ABC/S1", &body)
            .await
            .code,
        1000
    );
    assert!(
        world
            .get(&reader, "sender/sessions?date_from=2026-11-21T00:00:00Z")
            .await
            .ids()
            .is_empty()
    );
    assert!(
        world
            .hub
            .store
            .mirror_get("sessions", "DE/ABC", "S1")
            .await
            .unwrap()
            .is_none()
    );
}
