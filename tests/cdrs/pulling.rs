//! Reading: lists page by page, the Location, reports; and that a party reads only its own (checklist 1.6, design.md 3.6.6, 3.6.7).

use serde_json::json;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, cdr, plain};

on_both! {
    /// CDR-01
    async fn a_crawl_shows_every_cdr_once_in_the_order_of_arrival(on) {
        // P-03, P-05, P-06, P-07, P-08, D-10; pages hold 5 at most here
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        let ids: Vec<String> = (0..12).map(|number| format!("C-{number:02}")).collect();
        for id in &ids {
            world.post(&cpo, &plain(id)).await;
        }
        let (mut seen, mut page) = (Vec::new(), world.list(&msp, "?date_from=2026-11-21T10:00:01%2B00:00&limit=100").await);
        loop {
            assert_eq!((page.http, page.code), (200, 1000));
            assert_eq!((page.header("x-total-count"), page.header("x-limit")), (Some("12"), Some("5")));
            seen.extend(page.ids());
            let Some(next) = page.next() else { break };
            assert!(next.starts_with(&format!("{}/ocpi/2.2.1/sender/cdrs?", world.hub.url)), "{next}");
            assert!(next.contains("date_from=2026-11-21T10%3A00%3A01%2B00%3A00&"), "{next}");
            assert!(next.contains(&format!("offset={}&limit=5", seen.len())) && next.len() <= 255, "{next}");
            assert!(page.header("link").unwrap().ends_with(">; rel=\"next\""));
            page = world.get(&msp, &next, &[]).await;
        }
        assert_eq!(seen, ids);
        // A client that counts offsets itself is served as well, also when it keeps the rest of a Link.
        let first = world.list(&msp, "?limit=5").await;
        let meddled = first.next().unwrap().replace("offset=5", "offset=7");
        for place in ["/ocpi/2.2.1/sender/cdrs?offset=7&limit=3", &meddled] {
            assert_eq!(world.get(&msp, place, &[]).await.ids()[..3], ids[7..10]);
        }
        Some(())
    }

    async fn odd_pages_are_answered_as_the_checklist_says(on) {
        // P-09, P-10, D-10
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        for id in ["C-1", "C-2"] {
            world.post(&cpo, &plain(id)).await;
        }
        for query in ["?limit=0", "?limit=-1", "?limit=x", "?offset=-1", "?offset=1.5", "?date_from=yesterday", "?date_to=2026-11-21"] {
            let heard = world.list(&msp, query).await;
            assert_eq!((heard.http, heard.code), (200, 2001), "{query}");
        }
        for query in ["?offset=2", "?offset=99999999999999999999"] {
            let heard = world.list(&msp, query).await;
            assert_eq!((heard.ids().len(), heard.header("x-total-count"), heard.header("link")), (0, Some("2"), None), "{query}");
        }
        for query in ["?date_from=2026-11-22T00:00:00Z&date_to=2026-11-21T00:00:00Z", "?date_to=2026-11-21T10:00:01Z"] {
            assert_eq!(world.list(&msp, query).await.header("x-total-count"), Some("0"), "{query}");
        }
        // date_to is exclusive, date_from inclusive, with and without a zone, and with the blank of a lost plus.
        for query in ["?date_to=2026-11-21T10:00:01.001Z", "?date_from=2026-11-21T12:00:00", "?date_from=2026-11-21T13:00:00+01:00"] {
            assert_eq!(world.list(&msp, query).await.ids().len(), 2, "{query}");
        }
        let full = world.list(&msp, "?limit=2").await;
        assert_eq!((full.ids().len(), full.next()), (2, None), "a last page that is full has no next");
        Some(())
    }

    async fn a_party_reads_only_its_own(on) {
        // R-77, design.md 3.4; each refusal like that of something that does not exist
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let other_cpo = world.platform(&["DE/XYZ:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP", "DE/MSQ:EMSP"], Some(&emsp)).await;
        let rival = world.platform(&["FR/RIV:EMSP"], Some(&emsp)).await;
        let mine = world.post(&cpo, &plain("C-1")).await.location.unwrap();
        world.post(&cpo, &cdr("C-2", "DE/MSQ", "null", "")).await;
        world.post(&cpo, &cdr("C-3", "FR/RIV", "null", "")).await;
        assert_eq!(world.list(&msp, "").await.ids(), ["C-1", "C-2"], "any party of the platform");
        let as_q = [("OCPI-from-country-code", "de"), ("OCPI-from-party-id", "msq")];
        assert_eq!(world.get(&msp, "/ocpi/2.2.1/sender/cdrs", &as_q).await.ids(), ["C-2"]);
        assert_eq!(world.list(&rival, "").await.ids(), ["C-3"]);
        assert_eq!(world.list(&cpo, "").await.ids(), Vec::<String>::new(), "a CPO pays for nothing");
        assert_eq!(world.get(&rival, "/ocpi/2.2.1/sender/cdrs", &as_q).await.http, 403);
        // The list is the hub's own, also when it names a CPO: what a CPO would answer, nobody has verified.
        let to = |country: &'static str, party: &'static str| [("OCPI-to-country-code", country), ("OCPI-to-party-id", party)];
        assert_eq!(world.get(&msp, "/ocpi/2.2.1/sender/cdrs", &to("de", "abc")).await.ids(), ["C-1", "C-2"]);
        assert_eq!(world.get(&msp, "/ocpi/2.2.1/sender/cdrs", &to("DE", "XYZ")).await.ids(), Vec::<String>::new());
        assert_eq!(world.get(&msp, "/ocpi/2.2.1/sender/cdrs", &to("XX", "YYY")).await.code, 4001);
        assert_eq!(world.get(&msp, "/ocpi/2.2.1/receiver/cdrs", &to("DE", "ABC")).await.http, 405, "nor is a GET on the RECEIVER side relayed");
        for stranger in [&rival, &msp, &other_cpo] {
            assert_eq!(world.get(stranger, &mine, &[]).await.http, 404);
        }
        assert_eq!(world.get(&cpo, &mine, &[]).await.http, 200);
        let cross = ["/partner/v1/cdrs/DE/ABC/C-1/report", "/partner/v1/cdrs/DE/ABC/C-1/delivery"];
        for place in cross {
            for stranger in [&rival, &other_cpo] {
                let heard = world.get(stranger, place, &[]).await;
                assert_eq!((heard.http, heard.header("content-type")), (404, Some("application/problem+json")));
            }
            assert_eq!(world.get(&msp, place, &as_q).await.http, 404, "not as the wrong party");
            for party in [&cpo, &msp] {
                assert_eq!(world.get(party, place, &[]).await.http, 200);
            }
        }
        let reports = |heard: crate::common::listed::Heard| heard.json()["items"].as_array().unwrap().len();
        for (who, count) in [(&cpo, 3), (&msp, 2), (&rival, 1), (&other_cpo, 0)] {
            assert_eq!(reports(world.get(who, "/partner/v1/reports?since=2026-11-21T12:00:00Z", &[]).await), count);
        }
        assert_eq!(reports(world.get(&cpo, "/partner/v1/reports?since=2026-11-21T12:00:01Z", &[]).await), 0);
        // A cursor of one list opens nothing in another's.
        assert_eq!(world.list(&rival, "?offset=0&limit=5&cursor=0.99.00000000-0000-7000-8000-000000000000").await.ids(), ["C-3"]);
        Some(())
    }

    async fn the_location_leads_to_the_receiver_when_it_answers_and_else_reads_the_copy(on) {
        // CDR-03, CDR-05, CDR-06, CDR-07, D-11, S-14
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        emsp.answers(Answer::envelope(201, 1000, "thanks").header("location", "77?x=1"));
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let body = plain("C-1");
        let location = world.post(&cpo, &body).await.location.unwrap();
        let theirs = "{\"data\":{\"id\":\"C-1\", \"as\":\"they keep it\"} ,\"status_code\":1000,\"timestamp\":\"2026-11-21T10:00:00Z\"}";
        emsp.answers_get(Answer::plain(203, theirs));
        let heard = world.get(&cpo, &location, &[("X-Correlation-ID", "corr-9")]).await;
        assert_eq!((heard.http, heard.text().as_str()), (203, theirs));
        assert_eq!((heard.header("ocpi-from-party-id"), heard.header("x-correlation-id")), (Some("MSP"), Some("corr-9")));
        let got = emsp.gets().pop().unwrap();
        assert_eq!(got.path, "/in/77?x=1", "relative to the endpoint");
        assert_eq!((got.header("ocpi-to-party-id"), got.header("ocpi-from-party-id")), (Some("MSP"), Some("ABC")));
        assert_eq!(got.header("x-correlation-id"), Some("corr-9"));
        emsp.answers_get(Answer::envelope(404, 2003, "lost it"));
        assert_eq!(world.get(&cpo, &location, &[]).await.http, 404, "no is an answer");
        for none in [Answer::envelope(401, 2000, "who"), Answer::plain(500, "<html>"), Answer::envelope(200, 3000, "ill")] {
            emsp.answers_get(none);
            let heard = world.get(&cpo, &location, &[]).await;
            assert_eq!((heard.http, heard.code, heard.header("ocpi-from-party-id")), (200, 1000, Some("TWH")));
            assert!(heard.text().contains(body.trim_end()));
        }
        emsp.close().await;
        assert!(world.get(&cpo, &location, &[]).await.text().contains(body.trim_end()));
        assert_eq!(world.get(&cpo, &format!("{}/ocpi/p/nothing", world.hub.url), &[]).await.http, 404);
        Some(())
    }

    async fn a_location_on_a_foreign_host_never_sees_the_token(on) {
        // N-05
        let world = World::start(on, "").await?;
        let (emsp, foreign) = (Peer::open().await, Peer::open().await);
        emsp.answers(Answer::envelope(201, 1000, "thanks").header("Location", &foreign.url("/trap")));
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let location = world.post(&cpo, &plain("C-1")).await.location.unwrap();
        assert_eq!(world.get(&cpo, &location, &[]).await.json()["data"]["id"], json!("C-1"));
        assert!(foreign.gets().is_empty());
        Some(())
    }
}
