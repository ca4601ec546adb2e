//! Results of commands and charging profiles, posted to the URL the hub lent.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use truewatt::client::Method;
use truewatt::links::Kind;

use crate::on_both;
use crate::peer::{Answer, Got, Peer};
use crate::world::{Heard, NOON, On, World, at, parties};

/// A path and a query that no rule of ours would make, with escapes, an empty value and a plus.
const OWN_URL: &str = "/no//endpoint/of/OCPI/?session=a%2Fb%20c&x=1+2&empty=&empty=&%C3%A4=%3D";

const RESULT: &str =
    "{ \"message\":[ {\"language\":\"de\",\"text\":\"L\\u00e4uft\"}],\r\n\"result\" :\"ACCEPTED\",\"x\":1.50 }\n";

fn command(name: &str) -> Kind {
    Kind::Command {
        name: name.to_owned(),
        reserved_until: None,
    }
}

fn every_kind() -> Vec<Kind> {
    let commands = [
        "CANCEL_RESERVATION",
        "RESERVE_NOW",
        "START_SESSION",
        "STOP_SESSION",
        "UNLOCK_CONNECTOR",
    ];
    let mut kinds: Vec<Kind> = commands.iter().map(|name| command(name)).collect();
    kinds.extend([Kind::GetProfile, Kind::SetProfile, Kind::ClearProfile]);
    kinds
}

fn posted(peer: &Peer) -> Vec<Got> {
    peer.cdrs()
}

fn is_nothing(heard: &Heard) {
    assert_eq!((heard.http, heard.code), (404, 2000), "{}", heard.message);
}

on_both! {
    // CMD-04, CMD-06, CMD-08, CMD-10, CMD-11, CMD-12, CMD-13, CP-05, CP-07, R-38, D-14, N-01, F-17
    async fn every_call_ends_in_exactly_the_results_the_receiver_sent_also_when_hub_and_receiver_restart_in_between(on) {
        let mut world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let mut cpo = world.platform("DE/aBc:CPO", &their_cpo).await;
        let mut emsp = world.platform("NL/eMs:EMSP", &their_emsp).await;
        let thanks = "{ \"status_code\" :1000, \"x\":[1,  2],\"timestamp\":\"2026-11-21T10:00:00Z\"}";
        their_emsp.answers(Answer::plain(202, thanks));
        let mut lent = Vec::new();
        for (n, kind) in every_kind().iter().enumerate() {
            let own = format!("{OWN_URL}&n={n}");
            let answer = world.lend(kind, &their_emsp.url(&own), &emsp, &cpo).await.unwrap();
            assert!(answer.url.len() <= 255 && answer.url.starts_with(&world.hub.url), "T-46");
            lent.push((own, answer));
        }

        world = world.restarted().await;
        their_cpo.close().await;
        their_cpo.reopen().await;
        world.rotate(&mut cpo, "new token of the CPO").await;
        world.rotate(&mut emsp, "new token of the eMSP").await;
        // Long after any timeout, and at the end of what was promised.
        world.clock.advance(TimeDelta::seconds(86_399));

        let enveloped = format!("{{\"data\":{RESULT},\"status_code\":1000,\"timestamp\":\"2026-11-21T12:00:00Z\"}}");
        let canceled = "{\"result\":\"CANCELED_RESERVATION\"}";
        let mut expected = Vec::new();
        for (own, answer) in &lent {
            for body in [RESULT, canceled, RESULT, enveloped.as_str()] {
                let headers = [
                    ("X-Request-ID", "the CPO's request"),
                    ("X-Correlation-ID", "the CPO's exchange"),
                    // Somebody else's names, and half a pair: of no account (R-38).
                    ("OCPI-from-country-code", "FR"),
                    ("OCPI-from-party-id", "XXX"),
                    ("OCPI-to-country-code", "FR"),
                ];
                let heard = world.post(&cpo, &answer.url, &headers, body).await;
                assert_eq!((heard.http, heard.text()), (202, thanks));
                assert_eq!(heard.parties(), "NL/eMs > DE/aBc");
                assert_eq!(heard.header("x-request-id"), Some("the CPO's request"));
                expected.push((own.clone(), body.to_owned()));
            }
        }
        let got = posted(&their_emsp);
        let arrived: Vec<_> = got.iter().map(|got| (got.path.clone(), got.text())).collect();
        assert_eq!(arrived, expected);
        for one in &got {
            assert_eq!(parties(|name| one.header(name)), "DE/aBc > NL/eMs");
            assert_eq!(one.header("authorization"), Some("Token bmV3IHRva2VuIG9mIHRoZSBlTVNQ"));
            assert_eq!(one.header("x-correlation-id"), Some("the CPO's exchange"));
            assert!(one.header("x-request-id").is_some_and(|id| id != "the CPO's request"), "M-03");
            assert_eq!(one.header("content-type"), Some("application/json"));
        }
        assert!(posted(&their_cpo).is_empty());
        Some(())
    }

    // CMD-10, D-14, T-03, T-04
    async fn a_guessed_or_foreign_callback_id_gets_404_and_nothing_happens(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/ABC:CPO", &their_cpo).await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        let third = world.platform("FR/CPO:CPO", &their_cpo).await;
        let lent = world.lend(&command("START_SESSION"), &their_emsp.url("/r"), &emsp, &cpo).await.unwrap();
        let page = world.lend_page("/loc?2", &their_cpo.url("/loc"), &emsp, &cpo).await;
        let page_id = page.rsplit('/').next().unwrap();

        for by in [&third, &emsp] {
            is_nothing(&world.post(by, &lent.url, &[], RESULT).await);
        }
        let at = |id: &str| format!("{}/ocpi/2.2.1/callbacks/{id}", world.hub.url);
        let mut truncated = lent.id.clone();
        truncated.pop();
        let swapped: String = lent.id.chars().map(|one| if one.is_ascii_lowercase() { one.to_ascii_uppercase() } else { one.to_ascii_lowercase() }).collect();
        for id in [truncated.as_str(), &swapped, page_id, "x", "%00", "%ff", "'--", &"y".repeat(5000)] {
            is_nothing(&world.post(&cpo, &at(id), &[], RESULT).await);
        }
        // And what answers is not a page either.
        is_nothing(&world.get(&emsp, &format!("{}/ocpi/p/{}", world.hub.url, lent.id), &[]).await);
        let nobody = Heard::of(world.send(Method::POST, &lent.url, vec![("Content-Type".into(), "application/json".into())], Some(RESULT)).await);
        assert_eq!((nobody.http, nobody.code), (401, 2000));
        assert_eq!(world.get(&cpo, &lent.url, &[]).await.http, 405);
        let other_version = lent.url.replace("/2.2.1/", "/2.1.1/");
        assert_eq!(world.post(&cpo, &other_version, &[], RESULT).await.http, 404);

        assert!(posted(&their_emsp).is_empty() && their_cpo.gets().is_empty());
        // It still works for the one it is for.
        assert_eq!(world.post(&cpo, &lent.url, &[], RESULT).await.code, 1000);
        assert_eq!(posted(&their_emsp).len(), 1);
        Some(())
    }

    // CMD-11, D-14
    async fn an_address_ends_a_day_later_or_when_the_reservation_does_or_an_hour_after_a_no(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/ABC:CPO", &their_cpo).await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        let answer = |result: &str, timeout: u32| {
            format!("{{\"status_code\":1000,\"data\":{{\"result\":\"{result}\",\"timeout\":{timeout}}},\"timestamp\":\"{NOON}\"}}")
        };
        let reservation = Kind::Command {
            name: "RESERVE_NOW".into(),
            reserved_until: Some(at("2026-11-23T08:00:00Z")),
        };
        let start = command("START_SESSION");
        let cases = [
            ("unanswered", &start, None, "2026-11-22T12:00:00Z"),
            ("accepted", &start, Some(answer("ACCEPTED", 30)), "2026-11-22T12:00:00Z"),
            ("accepted for longer", &start, Some(answer("ACCEPTED", 2 * 86_400)), "2026-11-23T12:00:00Z"),
            ("rejected", &start, Some(answer("REJECTED", 30)), "2026-11-21T13:00:00Z"),
            ("too often", &Kind::SetProfile, Some(answer("TOO_OFTEN", 30)), "2026-11-21T13:00:00Z"),
            ("no answer of OCPI", &Kind::GetProfile, Some("<html>".into()), "2026-11-21T13:00:00Z"),
            ("reserved", &reservation, Some(answer("ACCEPTED", 30)), "2026-11-24T08:00:00Z"),
            ("not reserved", &reservation, Some(answer("REJECTED", 30)), "2026-11-21T13:00:00Z"),
        ];
        let mut lent = Vec::new();
        for (name, kind, answer, end) in &cases {
            let one = world.lend(kind, &their_emsp.url("/r"), &emsp, &cpo).await.unwrap();
            if let Some(answer) = answer {
                world.hub.links.answered(&one, answer.as_bytes()).await;
            }
            lent.push((*name, one, at(end)));
        }
        lent.sort_by_key(|(_, _, end)| *end);
        for (name, one, end) in &lent {
            world.clock.set(*end - TimeDelta::milliseconds(1));
            assert_eq!(world.post(&cpo, &one.url, &[], RESULT).await.code, 1000, "{name}");
            world.clock.set(*end);
            is_nothing(&world.post(&cpo, &one.url, &[], RESULT).await);
        }
        assert_eq!(posted(&their_emsp).len(), cases.len());
        // N-07: what has ended is not kept. The hub's own tick may have been faster.
        world.hub.links.forget_expired().await.unwrap();
        assert_eq!(world.hub.store.lent_find(&lent[0].1.id, at(NOON)).await.unwrap(), None);
        Some(())
    }

    // CMD-13, R-41, R-42, R-43, S-11, S-14, S-15
    async fn the_requesters_answer_is_relayed_and_its_silence_is_named(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/ABC:CPO", &their_cpo).await;
        let options = json!({"timeouts": {"relay_s": 1}});
        let emsp = world.platform_with("NL/EMS:EMSP", &their_emsp, options, "2.2.1").await;
        let lent = world.lend(&command("STOP_SESSION"), &their_emsp.url("/r"), &emsp, &cpo).await.unwrap();
        let late = Answer::envelope(200, 1000, "late").after(Duration::from_millis(1500));
        for (answer, http, code) in [
            (Answer::envelope(200, 2001, "what?"), 200, 2001),
            (Answer::envelope(404, 2000, "gone"), 404, 2000),
            (Answer::envelope(500, 3000, "ouch"), 500, 3000),
            (Answer::envelope(401, 2000, "who?"), 200, 4003),
            (Answer::plain(403, ""), 200, 4003),
            (Answer::plain(404, "<html>"), 404, 2000),
            (Answer::plain(200, "<html>"), 200, 4000),
            (Answer::plain(302, "").header("Location", &their_emsp.url("/elsewhere")), 200, 4000),
            (late, 200, 4002),
        ] {
            their_emsp.answers(answer.clone());
            let before = posted(&their_emsp).len();
            let heard = world.post(&cpo, &lent.url, &[], RESULT).await;
            assert_eq!((heard.http, heard.code), (http, code), "{answer:?}: {}", heard.message);
            // R-08, R-37: in the requester's name only what it said itself.
            if heard.text() == answer.body {
                assert_eq!(heard.parties(), "NL/EMS > DE/ABC", "{answer:?}");
            } else {
                assert!(heard.parties().starts_with("DE/TWH > "), "{answer:?}");
            }
            assert_eq!(posted(&their_emsp).len(), before + 1, "sent once, and to nobody else: {answer:?}");
        }

        their_emsp.answers(Answer::envelope(200, 1000, "thanks"));
        let before = posted(&their_emsp).len();
        their_emsp.close().await;
        assert_eq!(world.post(&cpo, &lent.url, &[], RESULT).await.code, 4003);
        their_emsp.reopen().await;
        for status in ["SUSPENDED", "OFFLINE"] {
            world.set(&emsp, status).await;
            let heard = world.post(&cpo, &lent.url, &[], RESULT).await;
            assert_eq!((heard.http, heard.code), (200, 4003), "{}", heard.message);
        }
        // Nothing is queued: what was not taken then does not come later (CMD-07). What the receiver sends again does.
        world.set(&emsp, "CONNECTED").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(posted(&their_emsp).len(), before);
        assert_eq!(world.post(&cpo, &lent.url, &[], RESULT).await.code, 1000);
        assert_eq!(posted(&their_emsp).len(), before + 1);
        Some(())
    }

    // N-04, N-05, T-46
    async fn a_response_url_that_may_not_see_the_requesters_token_is_refused_at_once(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp, elsewhere) = (Peer::open().await, Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/ABC:CPO", &their_cpo).await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        let long = their_emsp.url(&format!("/r?{}", "x".repeat(400)));
        for (kind, place) in [(command("START_SESSION"), "/response_url: "), (Kind::GetProfile, "the query parameter response_url: ")] {
            for url in [
                elsewhere.url("/r"),
                their_emsp.url("/r").replace("http://", "http://user:secret@"),
                "/relative".into(),
                "ftp://127.0.0.1/r".into(),
                "".into(),
                their_emsp.url("/r\u{0}"),
                their_emsp.url("/r\tr"),
            ] {
                let refused = world.lend(&kind, &url, &emsp, &cpo).await.unwrap_err();
                let truewatt::parties::Failure::Refused(refusal) = refused else { panic!("{refused:?}") };
                assert_eq!(refusal.code().0, 2001, "{url}");
                assert!(refusal.message.starts_with(place) && !refusal.message.contains("secret"), "{}", refusal.message);
            }
            let blank = world.lend(&kind, &their_emsp.url("/r?a+b c"), &emsp, &cpo).await;
            // In a query a plus reads as a blank, in a body nothing does.
            assert_eq!(blank.is_ok(), kind == Kind::GetProfile);
            if let Ok(lent) = blank {
                world.post(&cpo, &lent.url, &[], RESULT).await;
                assert_eq!(posted(&their_emsp)[0].path, "/r?a+b+c");
            }
            // Too long for OCPI, and not for us (D-05).
            world.lend(&kind, &long, &emsp, &cpo).await.unwrap();
        }
        let generous = json!({"allowed_hosts": [elsewhere.address.to_string()]});
        let other = world.platform_with("NL/OTH:EMSP", &their_emsp, generous, "2.2.1").await;
        let lent = world.lend(&Kind::SetProfile, &elsewhere.url("/r?1"), &other, &cpo).await.unwrap();
        assert_eq!(world.post(&cpo, &lent.url, &[], RESULT).await.code, 1000);
        assert_eq!(posted(&elsewhere)[0].path, "/r?1");
        Some(())
    }

    // CMD-10, U-02
    async fn the_version_of_the_callback_url_is_the_receivers_and_either_works(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform_with("DE/ABC:CPO", &their_cpo, json!({}), "2.2").await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        let lent = world.lend(&Kind::ClearProfile, &their_emsp.url("/r"), &emsp, &cpo).await.unwrap();
        assert!(lent.url.contains("/ocpi/2.2/callbacks/"), "{}", lent.url);
        for url in [lent.url.clone(), lent.url.replace("/2.2/", "/2.2.1/"), format!("{}/", lent.url), format!("{}?x=y", lent.url)] {
            assert_eq!(world.post(&cpo, &url, &[], RESULT).await.code, 1000, "{url}");
        }
        assert!(posted(&their_emsp).iter().all(|got| got.path == "/r") && posted(&their_emsp).len() == 4);
        Some(())
    }

    // T-20, T-22
    async fn what_is_no_json_goes_nowhere(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/ABC:CPO", &their_cpo).await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        let lent = world.lend(&Kind::SetProfile, &their_emsp.url("/r"), &emsp, &cpo).await.unwrap();
        for body in ["", "{\"result\":\"ACCEPTED\"", "result=ACCEPTED"] {
            let heard = world.post(&cpo, &lent.url, &[], body).await;
            assert_eq!((heard.http, heard.code), (400, 2000), "{body}");
        }
        let form = [("Content-Type", "text/plain")];
        assert_eq!(world.ask(&cpo, Method::POST, &lent.url, &form, Some(RESULT)).await.http, 415);
        assert!(posted(&their_emsp).is_empty());
        Some(())
    }

    // CMD-04, CMD-10
    async fn a_receiver_that_does_not_wait_for_the_answer_is_heard_all_the_same(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/ABC:CPO", &their_cpo).await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        their_emsp.answers(Answer::envelope(200, 1000, "slow").after(Duration::from_millis(300)));
        let lent = world.lend(&command("UNLOCK_CONNECTOR"), &their_emsp.url("/r"), &emsp, &cpo).await.unwrap();
        let (host, request) = world.raw_post(&cpo, &lent.url, RESULT);
        let mut connection = TcpStream::connect(host).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        for _ in 0..100 {
            if !posted(&their_emsp).is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(connection);
        // The journal has the end of it.
        for _ in 0..100 {
            let (lines, _) = world.hub.store.journal_find(None, Some("NL/EMS"), None, None, 10).await.unwrap();
            if let [line] = lines.as_slice() {
                assert_eq!((line.module.as_str(), line.status_code, line.http_status), ("commands", Some(1000), Some(200)));
                assert_eq!(line.object.as_deref(), Some("result of UNLOCK_CONNECTOR"));
                assert_eq!(posted(&their_emsp).len(), 1);
                return Some(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no line in the journal");
    }
}
