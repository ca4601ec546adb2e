//! Next pages of routed lists, read at the URL the hub lent.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{On, World, parties};

const PAGE: &str =
    "{\"status_code\" : 1000, \"data\":[ {\"id\":\"L1\",\"x\":1.50} ],\r\n\"timestamp\":\"2026-11-21T10:00:00Z\"}";

on_both! {
    // P-12, D-11, R-14, R-22, R-23, R-24, R-25, F-08, T-46
    async fn a_crawl_goes_on_at_the_same_receivers_exact_urls_page_by_page(on) {
        let mut world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/aBc:CPO", &their_cpo).await;
        let emsp = world.platform("NL/eMs:EMSP", &their_emsp).await;
        let asked = their_cpo.url("/deep/er/loc/?tenant=1&limit=5");
        // As receivers write it, and what is meant (design.md 3.7: the stored URL rules).
        let steps = [
            (their_cpo.url("/x//y/?cursor=a%2Fb+c&empty="), "/x//y/?cursor=a%2Fb+c&empty="),
            ("../here?offset=5".to_owned(), "/x//here?offset=5"),
            ("?offset=10&limit=5".to_owned(), "/x//here?offset=10&limit=5"),
            ("/from/the/root".to_owned(), "/from/the/root"),
        ];
        let mut url = world.lend_page(&steps[0].0, &asked, &emsp, &cpo).await;
        for (n, (_, meant)) in steps.iter().enumerate() {
            assert!(url.len() <= 255 && url.starts_with(&format!("{}/ocpi/p/", world.hub.url)), "{url}");
            assert!(!url.contains('?'), "nothing of the receiver shows: {url}");
            let mut page = Answer::plain(200, PAGE).header("X-Total-Count", "17").header("x-limit", "5");
            if let Some((next, _)) = steps.get(n + 1) {
                page = page.header("Link", "</up>; rel=up");
                page = page.header("link", &format!("</first>; rel=\"first\", <{next}>;rel=next"));
            }
            their_cpo.answers_get(page);
            if n == 1 {
                world = world.restarted().await;
            }
            let headers = [
                ("OCPI-from-country-code", "nl"),
                ("OCPI-from-party-id", "EMS"),
                ("OCPI-to-country-code", "DE"),
                ("OCPI-to-party-id", "ABC"),
                ("X-Correlation-ID", "the crawl"),
                ("X-Request-ID", "page"),
            ];
            let heard = world.get(&emsp, &format!("{url}?offset=999&limit=1"), &headers).await;
            assert_eq!((heard.http, heard.text()), (200, PAGE));
            assert_eq!(heard.parties(), "DE/aBc > NL/eMs");
            assert_eq!((heard.header("x-total-count"), heard.header("x-limit")), (Some("17"), Some("5")));
            let got = their_cpo.gets().pop().unwrap();
            assert_eq!((got.path.as_str(), their_cpo.gets().len()), (*meant, n + 1));
            assert_eq!(parties(|name| got.header(name)), "NL/eMs > DE/aBc");
            assert_eq!(got.header("x-correlation-id"), Some("the crawl"));
            assert!(got.header("x-request-id").is_some_and(|id| id != "page"));
            match heard.next() {
                Some(next) => url = next,
                None => assert_eq!(n + 1, steps.len(), "the last page has no Link"),
            }
        }
        Some(())
    }

    // D-11
    async fn a_crawl_repeated_is_lent_the_same_urls(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/ABC:CPO", &their_cpo).await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        let other = world.platform("NL/OTH:EMSP", &their_emsp).await;
        let asked = their_cpo.url("/loc");
        let first = world.lend_page("/loc?offset=5", &asked, &emsp, &cpo).await;
        world.clock.advance(TimeDelta::hours(23));
        assert_eq!(world.lend_page("/loc?offset=5", &asked, &emsp, &cpo).await, first);
        assert_ne!(world.lend_page("/loc?offset=6", &asked, &emsp, &cpo).await, first);
        assert_ne!(world.lend_page("/loc?offset=5", &asked, &other, &cpo).await, first);
        // 24 hours from when it was last lent.
        world.clock.advance(TimeDelta::hours(23));
        their_cpo.answers_get(Answer::plain(200, PAGE));
        assert_eq!(world.get(&emsp, &first, &[]).await.http, 200);
        world.clock.advance(TimeDelta::hours(1));
        let gone = world.get(&emsp, &first, &[]).await;
        assert_eq!((gone.http, gone.code), (404, 2000));
        assert_eq!(their_cpo.gets().len(), 1);
        Some(())
    }

    // P-13, D-11
    async fn a_page_is_nobodys_but_the_readers(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform("DE/ABC:CPO", &their_cpo).await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        let other = world.platform("NL/OTH:EMSP", &their_emsp).await;
        let page = world.lend_page("/loc?offset=5", &their_cpo.url("/loc"), &emsp, &cpo).await;
        for by in [&other, &cpo] {
            let heard = world.get(by, &page, &[]).await;
            assert_eq!((heard.http, heard.code), (404, 2000));
        }
        let answers_id = page.replace("/ocpi/p/", "/ocpi/2.2.1/callbacks/");
        let heard = world.post(&cpo, &answers_id, &[], "{}").await;
        assert_eq!((heard.http, heard.code), (404, 2000));
        // D-12
        let foreign = [("OCPI-from-country-code", "NL"), ("OCPI-from-party-id", "OTH")];
        assert_eq!(world.get(&emsp, &page, &foreign).await.http, 403);
        assert!(their_cpo.gets().is_empty());
        Some(())
    }

    // D-11, N-04, N-05, R-41, R-42, S-15
    async fn a_page_whose_receiver_is_gone_or_may_not_be_called_is_named(on) {
        let world = World::start(on).await?;
        let (their_cpo, their_emsp, elsewhere) = (Peer::open().await, Peer::open().await, Peer::open().await);
        let options = json!({"timeouts": {"relay_s": 1}});
        let cpo = world.platform_with("DE/ABC:CPO", &their_cpo, options, "2.2.1").await;
        let emsp = world.platform("NL/EMS:EMSP", &their_emsp).await;
        let asked = their_cpo.url("/loc");
        for next in [elsewhere.url("/loc?2"), "ftp://127.0.0.1/x".to_owned(), "http://[".to_owned()] {
            // Lent all the same: without a Link the list would look complete.
            let page = world.lend_page(&next, &asked, &emsp, &cpo).await;
            let heard = world.get(&emsp, &page, &[]).await;
            assert_eq!((heard.http, heard.code), (200, 4003), "{next}: {}", heard.message);
        }
        assert!(elsewhere.gets().is_empty(), "the token goes to hosts of its platform only");

        let page = world.lend_page("?2", &asked, &emsp, &cpo).await;
        for (answer, http, code) in [
            (Answer::plain(200, PAGE).after(Duration::from_millis(1500)), 200, 4002),
            (Answer::plain(200, "<html>"), 200, 4000),
            (Answer::plain(404, ""), 404, 2000),
            (Answer::envelope(401, 2000, "who?"), 200, 4003),
            (Answer::envelope(200, 2001, "no"), 200, 2001),
            (Answer::plain(200, PAGE), 200, 1000),
        ] {
            their_cpo.answers_get(answer.clone());
            let heard = world.get(&emsp, &page, &[]).await;
            assert_eq!((heard.http, heard.code), (http, code), "{answer:?}");
        }
        let before = their_cpo.gets().len();
        for status in ["OFFLINE", "SUSPENDED"] {
            world.set(&cpo, status).await;
            assert_eq!(world.get(&emsp, &page, &[]).await.code, 4003, "{status}");
        }
        assert_eq!(their_cpo.gets().len(), before);
        Some(())
    }
}
