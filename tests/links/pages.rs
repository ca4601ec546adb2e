//! Next pages of routed lists, read at the URL the hub gave in its `Link`.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::ocpi::page::next_of;
use truewatt::ocpi::role::InterfaceRole::Sender;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::Reply;

use crate::common::place::On;
use crate::common::site::owned;
use crate::on_both;
use crate::peer::{Answer, Got, Peer};
use crate::scene::{RESULT, Scene, is_nothing, post};
use crate::world::{Neighbour, codes, complete, named};

const PAGE: &str =
    "{\"status_code\" : 1000, \"data\":[ {\"id\":\"L1\",\"x\":1.50} ],\r\n\"timestamp\":\"2026-11-21T10:00:00Z\"}";

/// Somebody who reads, and an operator whose list is on a server of a test's own.
struct Library {
    scene: Scene,
    /// FR/lib.
    owner: Neighbour,
    theirs: Peer,
}

impl Library {
    async fn open(on: On, options: Value) -> Option<Library> {
        let scene = Scene::start(on).await?;
        let theirs = Peer::open().await;
        let plan = complete("FR/lib", Role::Cpo).served_at("locations", Sender, &theirs.url("/deep/er/loc/?tenant=1"));
        let owner = scene.world.join_with(plan, &[], options).await;
        Some(Library { scene, owner, theirs })
    }

    /// The first page of a list whose next one the owner says is there, and that page as the hub lends it.
    async fn lent(&self, reader: &Neighbour, next: &str) -> String {
        self.theirs.answers_get(page_with(Some(next)));
        let first = reader.voice.list("locations", "limit=5", &self.owner.to).await.unwrap();
        assert_eq!(codes(&first), (200, 1000), "{first:?}");
        next_in(&first).unwrap()
    }

    /// What was asked of the list by others than the hub, the last of it.
    fn last(&self) -> Got {
        self.theirs.gets().pop().unwrap()
    }
}

fn page_with(next: Option<&str>) -> Answer {
    let page = Answer::plain(200, PAGE)
        .header("X-Total-Count", "17")
        .header("x-limit", "5");
    match next {
        None => page,
        Some(next) => {
            let page = page.header("Link", "</up>; rel=up");
            page.header("link", &format!("</first>; rel=\"first\", <{next}>;rel=next"))
        }
    }
}

fn next_in(page: &Reply) -> Option<String> {
    next_of(page.header("link")?)
}

async fn follow(by: &Neighbour, url: &str, headers: &[(&str, &str)]) -> Reply {
    by.platform.call(Method::GET, url, &owned(headers), None).await.unwrap()
}

on_both! {
    // P-12, D-11, R-14, R-22, R-23, R-24, R-25, F-08, T-46
    async fn a_crawl_goes_on_at_the_same_receivers_exact_urls_page_by_page(on) {
        let mut library = Library::open(on, json!({})).await?;
        let hub = library.scene.world.hub.url.clone();
        // As receivers write it, and what is meant (design.md 3.7: the stored URL rules).
        let steps = [
            ("more?tenant=1&page=2".to_owned(), "/deep/er/loc/more?tenant=1&page=2"),
            (library.theirs.url("/x//y/?cursor=a%2Fb+c&empty="), "/x//y/?cursor=a%2Fb+c&empty="),
            ("../here?offset=5".to_owned(), "/x//here?offset=5"),
            ("?offset=10&limit=5".to_owned(), "/x//here?offset=10&limit=5"),
            ("/from/the/root".to_owned(), "/from/the/root"),
        ];
        let emsp = &library.scene.emsp;
        let mut url = library.lent(emsp, &steps[0].0).await;
        assert_eq!(library.last().path, "/deep/er/loc/?tenant=1&limit=5");
        for (n, (_, meant)) in steps.iter().enumerate() {
            assert!(url.len() <= 255 && url.starts_with(&format!("{hub}/ocpi/p/")), "{url}");
            assert!(!url.contains('?'), "nothing of the receiver shows: {url}");
            library.theirs.answers_get(page_with(steps.get(n + 1).map(|(next, _)| next.as_str())));
            if n == 1 {
                library.scene.world = library.scene.world.restarted().await;
                for one in [&library.owner, &library.scene.emsp] {
                    one.platform.renew().await.unwrap();
                }
            }
            let headers = [
                ("OCPI-from-country-code", "de"),
                ("OCPI-from-party-id", "MSA"),
                ("OCPI-to-country-code", "FR"),
                ("OCPI-to-party-id", "LIB"),
                ("X-Correlation-ID", "the crawl"),
                ("X-Request-ID", "page"),
            ];
            let heard = follow(&library.scene.emsp, &format!("{url}?offset=999&limit=1"), &headers).await;
            assert_eq!((heard.http, heard.body.as_slice()), (200, PAGE.as_bytes()));
            assert_eq!(named(&heard), ["DE/MsA", "FR/lib"]);
            assert_eq!((heard.header("x-total-count"), heard.header("x-limit")), (Some("17"), Some("5")));
            let got = library.last();
            assert_eq!((got.path.as_str(), library.theirs.gets().len()), (*meant, n + 2));
            assert_eq!(got.parties(), ("FR/lib".to_owned(), "DE/MsA".to_owned()));
            assert_eq!(got.header("x-correlation-id"), Some("the crawl"));
            assert!(got.header("x-request-id").is_some_and(|id| id != "page"));
            match next_in(&heard) {
                Some(next) => url = next,
                None => assert_eq!(n + 1, steps.len(), "the last page has no Link"),
            }
        }
        Some(())
    }

    // D-11
    async fn a_crawl_repeated_is_lent_the_same_urls(on) {
        let library = Library::open(on, json!({})).await?;
        let (clock, emsp) = (&library.scene.clock, &library.scene.emsp);
        let other = library.scene.world.join(complete("DE/OTH", Role::Emsp)).await;
        let first = library.lent(emsp, "/loc?offset=5").await;
        clock.advance(TimeDelta::hours(23));
        assert_eq!(library.lent(emsp, "/loc?offset=5").await, first);
        assert_ne!(library.lent(emsp, "/loc?offset=6").await, first);
        assert_ne!(library.lent(&other, "/loc?offset=5").await, first);
        // 24 hours from when it was last lent.
        clock.advance(TimeDelta::hours(23));
        library.theirs.answers_get(page_with(None));
        let before = library.theirs.gets().len();
        assert_eq!(follow(emsp, &first, &[]).await.http, 200);
        clock.advance(TimeDelta::hours(1));
        is_nothing(&follow(emsp, &first, &[]).await);
        assert_eq!(library.theirs.gets().len(), before + 1);
        Some(())
    }

    // P-13, D-11
    async fn a_page_is_nobodys_but_the_readers(on) {
        let library = Library::open(on, json!({})).await?;
        let emsp = &library.scene.emsp;
        let other = library.scene.world.join(complete("DE/OTH", Role::Emsp)).await;
        let page = library.lent(emsp, "/loc?offset=5").await;
        let before = library.theirs.gets().len();
        for by in [&other, &library.owner] {
            is_nothing(&follow(by, &page, &[]).await);
        }
        let answers_id = page.replace("/ocpi/p/", "/ocpi/2.2.1/callbacks/");
        is_nothing(&post(&library.owner, &answers_id, &[], RESULT).await);
        // D-12
        let foreign = [("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", "OTH")];
        assert_eq!(follow(emsp, &page, &foreign).await.http, 403);
        assert_eq!(library.theirs.gets().len(), before);
        Some(())
    }

    // D-11, N-04, N-05, R-41, R-42, S-15
    async fn a_page_whose_receiver_is_gone_or_may_not_be_called_is_named(on) {
        let library = Library::open(on, json!({"timeouts": {"relay_s": 1}})).await?;
        let (world, emsp, elsewhere) = (&library.scene.world, &library.scene.emsp, Peer::open().await);
        for next in [elsewhere.url("/loc?2"), "ftp://127.0.0.1/x".to_owned(), "http://[".to_owned()] {
            // Lent all the same: without a Link the list would look complete.
            let page = library.lent(emsp, &next).await;
            let heard = follow(emsp, &page, &[]).await;
            assert_eq!(codes(&heard), (200, 4003), "{next}: {heard:?}");
        }
        assert!(elsewhere.gets().is_empty(), "the token goes to hosts of its platform only");

        let page = library.lent(emsp, "?2").await;
        for (answer, http, code) in [
            (Answer::plain(200, PAGE).after(Duration::from_millis(1500)), 200, 4002),
            (Answer::plain(200, "<html>"), 200, 4000),
            (Answer::plain(404, ""), 404, 2000),
            (Answer::envelope(401, 2000, "who?"), 200, 4003),
            (Answer::envelope(200, 2001, "no"), 200, 2001),
            (Answer::plain(200, PAGE), 200, 1000),
        ] {
            library.theirs.answers_get(answer.clone());
            let heard = follow(emsp, &page, &[]).await;
            assert_eq!(codes(&heard), (http, code), "{answer:?}");
        }
        let before = library.theirs.gets().len();
        let suspended = format!("/platforms/{}/suspend", library.owner.at_hub);
        world.operator(Method::POST, &suspended, None).await;
        assert_eq!(codes(&follow(emsp, &page, &[]).await), (200, 4003));
        world.operator(Method::POST, &suspended.replace("suspend", "resume"), None).await;
        // Nobody is there: two calls in a row find out (a check that was under way before may still say otherwise for a moment), and it
        // is not tried any more.
        library.theirs.close().await;
        library.owner.platform.go_away().await.unwrap();
        for _ in 0..2 {
            assert_eq!(codes(&follow(emsp, &page, &[]).await), (200, 4003));
        }
        world.until_status(&library.owner, "OFFLINE").await;
        library.theirs.reopen().await;
        assert_eq!(codes(&follow(emsp, &page, &[]).await), (200, 4003));
        assert_eq!(library.theirs.gets().len(), before);
        Some(())
    }
}
