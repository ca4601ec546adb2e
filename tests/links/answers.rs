//! Results of commands and charging profiles, posted to the URL the hub gave with the order.

use chrono::TimeDelta;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use truewatt::client::Method;
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::page::next_of;
use truewatt::ocpi::role::InterfaceRole::Sender;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Execution, Later, Order};

use crate::common::site::owned;
use crate::on_both;
use crate::orders::{EVERY, lent_to, place};
use crate::scene::{RESULT, Scene, is_nothing, keeps_its_results, place_in, post};
use crate::world::{SOON, at, codes, complete, named};

const CANCELED: &str = "{\"result\":\"CANCELED_RESERVATION\"}";

on_both! {
    // CMD-04, CMD-06, CMD-08, CMD-10, CMD-11, CMD-12, CMD-13, CP-01, CP-02, CP-03, CP-05, CP-07, R-38, D-14, N-01, F-17
    async fn every_call_ends_in_exactly_the_results_the_receiver_sent_also_when_hub_and_receiver_restart_in_between(on) {
        let Scene { world, clock, cpo, emsp } = Scene::start(on).await?;
        let scsp = world.join(complete("BE/ScS", Role::Scsp)).await;
        for (requester, module) in [(&emsp, "commands"), (&scsp, "chargingprofiles")] {
            requester.platform.behave(Door::Results(module), Behaviour::OtherStatus(202));
        }
        let mut placed = Vec::new();
        for order in EVERY {
            let by = if order.module() == "commands" { &emsp } else { &scsp };
            let ordered = place(&by.voice, order, &cpo.to).await;
            assert_eq!(codes(&ordered.reply), (200, 1000), "{order:?}");
            let lent = lent_to(&cpo, order);
            assert!(lent.len() <= 255 && lent.starts_with(&world.hub.url), "T-46: {lent}");
            placed.push((by, ordered, lent));
        }

        let _world = world.restarted().await;
        for one in [&cpo, &emsp, &scsp] {
            let before = one.platform.token();
            one.platform.go_away().await.unwrap();
            one.platform.come_back().unwrap();
            // New tokens for both sides, and the old ones are nobody's at the neighbour at once.
            one.platform.renew().await.unwrap();
            assert_ne!(one.platform.token(), before);
        }
        // Long after any timeout, and at the end of what was promised.
        clock.advance(TimeDelta::seconds(86_399));

        let enveloped = format!("{{\"data\":{RESULT},\"status_code\":1000,\"timestamp\":\"2026-11-21T12:00:00Z\"}}");
        let bodies = [RESULT, CANCELED, RESULT, enveloped.as_str()];
        let headers = [
            ("X-Request-ID", "the CPO's request"),
            ("X-Correlation-ID", "the CPO's exchange"),
            // Somebody else's names, and half a pair: of no account.
            ("OCPI-from-country-code", "FR"),
            ("OCPI-from-party-id", "XXX"),
            ("OCPI-to-country-code", "FR"),
        ];
        for (by, ordered, lent) in &placed {
            for body in bodies {
                let heard = post(&cpo, lent, &headers, body).await;
                // The requester's own word, whatever it is: it does not take a result in an envelope.
                let word = if body == enveloped { (200, 2001) } else { (202, 1000) };
                assert_eq!(codes(&heard), word, "{heard:?}");
                assert_eq!(named(&heard), ["NL/cPa".to_owned(), by.id.to_string()]);
                assert_eq!(heard.header("x-request-id"), Some("the CPO's request"));
            }
            let got = by.platform.results(ordered);
            assert_eq!(got.iter().map(|one| one.text()).collect::<Vec<_>>(), bodies);
            for one in &got {
                assert_eq!(format!("{}?{}", one.path, one.query), place_in(&ordered.response_url));
                assert_eq!((one.pair("to"), one.pair("from")), (Some(by.id.to_string()), Some("NL/cPa".into())));
                assert_eq!(one.header("x-correlation-id"), Some("the CPO's exchange"));
                assert!(one.header("x-request-id").is_some_and(|id| id != "the CPO's request"), "M-03");
                assert_eq!(one.header("content-type"), Some("application/json"));
            }
        }
        assert_eq!((emsp.got("commands").len(), scsp.got("chargingprofiles").len()), (20, 12));
        assert!(emsp.got("chargingprofiles").is_empty() && scsp.got("commands").is_empty());
        Some(())
    }

    // CMD-08, CMD-11, CMD-12, D-14
    async fn a_reservation_is_answered_as_often_as_its_cpo_has_news_of_it(on) {
        let Scene { world, cpo, emsp, .. } = Scene::start(on).await?;
        let news = ["ACCEPTED", "EVSE_INOPERATIVE", "CANCELED_RESERVATION"].map(Later::word);
        cpo.platform.execute(Order::ReserveNow, Execution::with_results([news[0].clone()]));
        let ordered = place(&emsp.voice, Order::ReserveNow, &cpo.to).await;
        assert!(emsp.platform.wait_for_results(&ordered, 1, SOON).await);
        assert!(cpo.platform.wait_for_sent(SOON, |sent| sent.len() == 1).await);
        let taken = cpo.platform.taken().pop().unwrap();
        let _world = world.restarted().await;
        for later in &news[1..] {
            cpo.platform.go_away().await.unwrap();
            cpo.platform.come_back().unwrap();
            assert!(cpo.platform.post_result(&taken, later).await.unwrap().accepted());
        }
        let sent: Vec<_> = cpo.platform.sent().into_iter().map(|one| one.body).collect();
        let got: Vec<_> = emsp.platform.results(&ordered).iter().map(|one| one.text()).collect();
        assert_eq!((got.len(), got), (3, sent));
        Some(())
    }

    // CMD-10, D-14, T-03, T-04
    async fn a_guessed_or_foreign_callback_id_gets_404_and_nothing_happens(on) {
        let Scene { world, cpo, emsp, .. } = Scene::start(on).await?;
        let third = world.join(complete("FR/CPO", Role::Cpo)).await;
        let ordered = place(&emsp.voice, Order::StartSession, &cpo.to).await;
        let lent = lent_to(&cpo, Order::StartSession);
        let id = lent.rsplit('/').next().unwrap();
        for number in 0..2 {
            cpo.platform.offer("locations", &Draft::location(&cpo.id, &format!("L{number}"), at()).json()).unwrap();
        }
        let listed = emsp.voice.list("locations", "limit=1", &cpo.to).await.unwrap();
        let page = next_of(listed.header("link").unwrap()).unwrap();

        for by in [&third, &emsp] {
            is_nothing(&post(by, &lent, &[], RESULT).await);
        }
        let url = |id: &str| format!("{}/ocpi/2.2.1/callbacks/{id}", world.hub.url);
        let truncated = &id[..id.len() - 1];
        let swapped: String = id.chars().map(|one| if one.is_ascii_lowercase() { one.to_ascii_uppercase() } else { one.to_ascii_lowercase() }).collect();
        let page_id = page.rsplit('/').next().unwrap();
        for id in [truncated, &swapped, page_id, "x", "%00", "%ff", "'--", &"y".repeat(5000)] {
            is_nothing(&post(&cpo, &url(id), &[], RESULT).await);
        }
        // And what answers is not a page either.
        is_nothing(&emsp.platform.call(Method::GET, &format!("{}/ocpi/p/{id}", world.hub.url), &[], None).await.unwrap());
        let nobody = world.send(Method::POST, &lent, owned(&[("Content-Type", "application/json")]), Some(RESULT.as_bytes())).await;
        assert_eq!(nobody.status, 401);
        assert_eq!(cpo.platform.call(Method::GET, &lent, &[], None).await.unwrap().http, 405);
        assert_eq!(post(&cpo, &lent.replace("/2.2.1/", "/2.1.1/"), &[], RESULT).await.http, 404);

        assert!(emsp.got("commands").is_empty());
        assert_eq!((cpo.got("commands").len(), cpo.got("locations").len()), (1, 1), "the order, and the first page");
        assert!(third.got("commands").is_empty() && third.got("locations").is_empty());
        // It still works for the one it is for.
        assert_eq!(codes(&post(&cpo, &lent, &[], RESULT).await), (200, 1000));
        assert_eq!(emsp.platform.results(&ordered).len(), 1);
        Some(())
    }

    // CMD-10, CP-05, CP-12, D-14, R-38
    async fn a_result_is_also_taken_where_the_sender_interface_has_its_id(on) {
        let Scene { world, cpo, emsp, .. } = Scene::start(on).await?;
        let third = world.join(complete("FR/CPO", Role::Cpo)).await;
        for order in EVERY {
            let ordered = place(&emsp.voice, order, &cpo.to).await;
            let lent = lent_to(&cpo, order);
            let id = lent.rsplit('/').next().unwrap();
            let answer = async |by: &crate::world::Neighbour, id: &str| {
                let errand = by.voice.errand(Method::POST, order.module(), Sender);
                errand.at(&[id]).to(&emsp.to).body(RESULT).send().await.unwrap()
            };
            is_nothing(&answer(&third, id).await);
            is_nothing(&answer(&emsp, id).await);
            is_nothing(&answer(&cpo, "S 1").await);
            is_nothing(&answer(&cpo, &id[1..]).await);
            assert!(emsp.platform.results(&ordered).is_empty(), "{order:?}");
            let heard = answer(&cpo, id).await;
            assert_eq!((codes(&heard), named(&heard)), ((200, 1000), ["NL/cPa".into(), "DE/MsA".into()]), "{order:?}");
            let got = emsp.platform.results(&ordered);
            assert_eq!(got.iter().map(|one| one.text()).collect::<Vec<_>>(), [RESULT]);
            assert_eq!(format!("{}?{}", got[0].path, got[0].query), place_in(&ordered.response_url));
            assert_eq!((got[0].pair("to"), got[0].pair("from")), (Some("DE/MsA".into()), Some("NL/cPa".into())));
        }
        Some(())
    }

    // CMD-10, U-02
    async fn the_version_of_the_callback_url_is_the_receivers_and_either_works(on) {
        let Scene { world, emsp, .. } = Scene::start(on).await?;
        let cpo = world.join(complete("FR/OLD", Role::Cpo).of_2_2()).await;
        keeps_its_results(&cpo);
        let ordered = place(&emsp.voice, Order::ClearProfile, &cpo.to).await;
        let lent = lent_to(&cpo, Order::ClearProfile);
        assert!(lent.contains("/ocpi/2.2/callbacks/"), "{lent}");
        for url in [lent.clone(), lent.replace("/2.2/", "/2.2.1/"), format!("{lent}/"), format!("{lent}?x=y")] {
            assert_eq!(codes(&post(&cpo, &url, &[], RESULT).await), (200, 1000), "{url}");
        }
        let got = emsp.platform.results(&ordered);
        assert!(got.len() == 4 && got.iter().all(|one| one.refused.is_none()), "{got:?}");
        Some(())
    }

    // T-20, T-22
    async fn what_is_no_json_goes_nowhere(on) {
        let Scene { cpo, emsp, world: _world, .. } = Scene::start(on).await?;
        place(&emsp.voice, Order::SetProfile, &cpo.to).await;
        let lent = lent_to(&cpo, Order::SetProfile);
        for body in ["", "{\"result\":\"ACCEPTED\"", "result=ACCEPTED"] {
            assert_eq!(codes(&post(&cpo, &lent, &[], body).await), (400, 2000), "{body}");
        }
        assert_eq!(post(&cpo, &lent, &[("Content-Type", "text/plain")], RESULT).await.http, 415);
        assert!(emsp.got("chargingprofiles").is_empty());
        Some(())
    }

    // CMD-04, CMD-10
    async fn a_receiver_that_does_not_wait_for_the_answer_is_heard_all_the_same(on) {
        let Scene { world, cpo, emsp, .. } = Scene::start(on).await?;
        emsp.platform.behave(Door::Results("commands"), Behaviour::Slow(std::time::Duration::from_millis(300)));
        let ordered = place(&emsp.voice, Order::UnlockConnector, &cpo.to).await;
        let lent = lent_to(&cpo, Order::UnlockConnector);
        let host = world.hub.url.trim_start_matches("http://").to_owned();
        let token = authorization(&cpo.platform.token().unwrap(), TokenForm::Base64);
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {host}\r\nauthorization: {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{RESULT}",
            place_in(&lent), RESULT.len()
        );
        let mut connection = TcpStream::connect(host).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        // Read by the hub, and not answered by anybody yet.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        drop(connection);
        assert!(emsp.platform.wait_for_results(&ordered, 1, SOON).await);
        // The journal has the end of it.
        for _ in 0..200 {
            let journal = world.operator(Method::GET, "/journal?party=DE/MsA&limit=100", None).await;
            let line = journal["items"].as_array().unwrap().iter().find(|line| line["object"] == "result of UNLOCK_CONNECTOR").cloned();
            if let Some(line) = line {
                assert_eq!((&line["module"], &line["status_code"], &line["http_status"]), (&"commands".into(), &1000.into(), &200.into()));
                assert_eq!(emsp.platform.results(&ordered).len(), 1);
                return Some(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("no line in the journal");
    }
}
