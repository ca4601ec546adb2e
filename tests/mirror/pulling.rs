//! What the hub fetches: after a registration, after an absence, from servers that behave and from others.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use truewatt::client::Method;

use crate::common::place::On;
use crate::objects::{location, tariff, token};
use crate::on_both;
use crate::peer::{Answer, Got, Peer};
use crate::world::{HUB, RECEIVES, SENDS, World};

const EIGHT: &str = "2026-11-21T08:00:00Z";

/// A server of lists: what it offers can be changed while it serves.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<String>>>);

impl Shelf {
    fn put(&self, objects: &[String]) {
        *self.0.lock().unwrap() = objects.to_vec();
    }

    /// Two on a page, the next one under a relative URL.
    fn page(&self, got: &Got) -> Answer {
        let objects = self.0.lock().unwrap().clone();
        let query = got.path.split_once('?').map_or("", |(_, query)| query);
        let offset: usize =
            truewatt::ocpi::page::parameter(query, "offset").map_or(0, |offset| offset.parse().unwrap());
        let end = (offset + 2).min(objects.len());
        let next =
            (end < objects.len()).then(|| format!("{}?offset={end}&secret=1", got.path.split('?').next().unwrap()));
        Answer::page(
            objects.get(offset..end).unwrap_or_default(),
            objects.len(),
            next.as_deref(),
        )
    }
}

fn is_about(got: &Got, module: &str) -> bool {
    got.path.contains(&format!("{}s", &module[..3]))
}

fn lists(peer: &Peer, module: &str) -> Vec<Got> {
    peer.got().into_iter().filter(|got| is_about(got, module)).collect()
}

on_both! {
    // N-02, D-18, R-20, R-78, T-31, T-32, T-34, T-36, F-08, P-11, P-14, TOK-15, T-12, TAR-13
    async fn what_a_partner_offers_is_fetched_once_and_again_after_an_absence(on) {
        let world = World::start(on, "").await?;
        let (cpo, emsp) = (Peer::open().await, Peer::open().await);
        let (locations, tariffs) = (Shelf::default(), Shelf::default());
        locations.put(&[
            location("DE/ABC", "L1", EIGHT),
            "{\"country_code\":\"DE\",\"party_id\":\"ABC\",\"id\":\"broken\"}".into(),
            location("DE/abc", "L2", EIGHT),
            location("NL/XYZ", "foreign", EIGHT),
            "17".into(),
            location("DE/ABC", "L3", EIGHT),
        ]);
        tariffs.put(&[tariff("DE/ABC", "T1", EIGHT), tariff("DE/ABC", "T2", EIGHT), tariff("DE/ABC", "T3", EIGHT)]);
        {
            let (locations, tariffs) = (locations.clone(), tariffs.clone());
            cpo.acts(move |got| match got.header("ocpi-to-party-id") {
                Some("ABC") if is_about(got, "locations") => locations.page(got),
                Some("ABC") if is_about(got, "tariffs") => tariffs.page(got),
                _ => Answer::page(&[], 0, None),
            });
        }
        let reader = world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let platform = world.platform(&["DE/ABC:CPO", "DE/ABD:CPO"], Some((&cpo, SENDS))).await;
        let listed = async |module: &str| world.get(&reader, &format!("sender/{module}")).await.ids();
        world.until("the first pull", || async { listed("locations").await.len() == 3 && listed("tariffs").await.len() == 3 }).await;
        assert_eq!(listed("locations").await, ["L1", "L2", "L3"]);
        // Both modules of both owners, the first one's in two pages or more.
        let asked = |party: &str, module: &str| lists(&cpo, module).iter().any(|got| got.parties().0 == party);
        world.until("every owner was asked", || async { asked("DE/ABD", "locations") && asked("DE/ABD", "tariffs") }).await;
        let first = lists(&cpo, "locations");
        assert_eq!(first[0].path, "/q7x/locs/?tenant=1&offset=0&limit=100".replace("/?", "?").replace("locs?", "locs/?"), "as it was listed");
        assert_eq!(first[0].parties(), ("DE/ABC".to_owned(), HUB.to_owned()));
        assert_eq!(first[0].header("authorization"), Some("Token dGhlaXItdG9rZW4="));
        assert!(first[1].path.ends_with("?offset=2&secret=1"));
        assert!(first.iter().any(|got| got.parties().0 == "DE/ABD"), "every owner is asked for itself");
        assert!(emsp.got().is_empty(), "what is fetched is not sent on");

        // Nothing more, however often the clock is looked at.
        let calls = cpo.got().len();
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        assert_eq!(cpo.got().len(), calls);

        // What its owner pushes and does not list is nobody's to remove.
        let from = [("OCPI-from-country-code", "DE"), ("OCPI-from-party-id", "ABC")];
        let pushed = tariff("DE/ABC", "pushed", EIGHT);
        assert_eq!(world.ask(&platform, Method::PUT, "receiver/tariffs/DE/ABC/pushed", &from, &pushed).await.http, 201);

        // Away and back: only what changed, tariffs as a whole.
        cpo.forget();
        locations.put(&[location("DE/ABC", "L4", "2026-11-21T11:59:30Z")]);
        tariffs.put(&[tariff("DE/ABC", "T1", EIGHT), tariff("DE/ABC", "T3", "2026-11-21T11:00:00Z")]);
        world.goes_away(&platform);
        world.hub.parties.presence().heard(&platform.id.as_str().into());
        world.until("the pull after the absence", || async { listed("locations").await.len() == 4 && listed("tariffs").await.len() == 3 }).await;
        assert_eq!((listed("locations").await, listed("tariffs").await), (vec!["L1".into(), "L2".into(), "L3".into(), "L4".into()], vec!["T1".into(), "T3".into(), "pushed".into()]));
        let again = lists(&cpo, "locations").into_iter().find(|got| got.parties().0 == "DE/ABC").unwrap();
        assert!(again.path.contains("date_from=2026-11-21T11:58:59Z"), "one second before its server began to answer: {}", again.path);
        assert!(lists(&cpo, "tariffs").iter().all(|got| !got.path.contains("date_from")));

        // And a day later, give or take.
        cpo.forget();
        world.clock.advance(TimeDelta::hours(27));
        cpo.until(4).await;
        Some(())
    }

    // N-02
    async fn what_a_peer_of_ocpi_2_2_lists_is_kept_as_of_that_version(on) {
        let world = World::start(on, "").await?;
        let peer = Peer::open().await;
        let body = tariff("DE/ABC", "T1", EIGHT);
        let page = Answer::page(std::slice::from_ref(&body), 1, None);
        peer.acts(move |_| page.clone());
        let endpoints = serde_json::json!([{"identifier": "tariffs", "role": "SENDER", "url": peer.url("/x")}]);
        world.platform_of("2.2", &["DE/ABC:CPO"], endpoints, &peer.url("/versions")).await;
        let row = async || world.hub.store.mirror_get("tariffs", "DE/ABC", "T1").await.unwrap();
        world.until("the pull", || async { row().await.is_some() }).await;
        let row = row().await.unwrap();
        assert_eq!((row.version.as_str(), row.body == body), ("2.2", true));
        Some(())
    }

    // TOK-15, TOK-16, N-02, D-22
    async fn tokens_are_only_added_and_a_later_push_is_not_overwritten(on) {
        let world = World::start(on, "").await?;
        let peer = Peer::open().await;
        let tokens = Shelf::default();
        tokens.put(&[token("DE/MSP", "01", "RFID", EIGHT), token("DE/MSP", "01", "APP_USER", EIGHT), token("DE/MSP", "02", "RFID", EIGHT)]);
        {
            let tokens = tokens.clone();
            peer.acts(move |got| tokens.page(got));
        }
        let cpo = world.platform(&["DE/CPO:CPO"], None).await;
        let emsp = world.platform(&["DE/MSP:EMSP"], Some((&peer, SENDS))).await;
        let listed = async || world.get(&cpo, "sender/tokens").await;
        world.until("the pull", || async { listed().await.ids().len() == 3 }).await;
        let change = r#"{"valid":false,"last_updated":"2026-11-21T10:00:00Z"}"#;
        assert_eq!(world.push(&emsp, Method::PATCH, "receiver/tokens/DE/MSP/01", change).await.http, 200);
        // The list has not heard of it, and no longer shows another.
        tokens.put(&[token("DE/MSP", "01", "RFID", EIGHT), token("DE/MSP", "03", "RFID", EIGHT)]);
        world.goes_away(&emsp);
        world.hub.parties.presence().heard(&emsp.id.as_str().into());
        world.until("the second pull", || async { listed().await.ids().len() == 4 }).await;
        let page = listed().await;
        assert_eq!(page.ids(), ["01", "01", "02", "03"]);
        assert!(page.text().contains("\"valid\":false ,"), "{}", page.text());
        let owners = world.hub.mirror.owners_of_token("01", "app_user").await.unwrap();
        assert_eq!(owners.len(), 1);
        Some(())
    }

    // F-06, P-11, P-14, T-32, N-02
    async fn a_broken_list_ends_the_pull_and_what_was_read_stays(on) {
        let world = World::start(on, "").await?;
        let peer = Peer::open().await;
        peer.acts(|got| match (is_about(got, "locations"), got.path.contains("page=2")) {
            (true, false) => Answer::page(&[location("DE/ABC", "L1", EIGHT)], 3, Some("?page=2")),
            (true, true) => Answer::plain(200, "{\"data\":{\"id\":\"L2\"},\"status_code\":1000}"),
            // Every page leads to the next, for ever.
            _ => Answer::page(&[], 0, Some(&format!("?after={}", got.header("x-request-id").unwrap_or_default()))),
        });
        let reader = world.platform(&["DE/MSP:EMSP"], None).await;
        let platform = world.platform(&["DE/ABC:CPO"], Some((&peer, &[("locations", "SENDER")]))).await;
        let key = truewatt::store::PullKey { platform_id: platform.id.clone(), module: "locations".into(), party_key: "DE/ABC".into() };
        let row = async || world.hub.store.pull_get(key.clone()).await.unwrap();
        world.until("the broken pull", || async { row().await.is_some_and(|row| row.failures == 1) }).await;
        assert_eq!(world.get(&reader, "sender/locations").await.ids(), ["L1"]);
        let broken = row().await.unwrap();
        assert!(broken.date_from.is_none() && broken.last_outcome.unwrap().starts_with("broke off"));
        // Some minutes later it is tried again, and the server has been mended.
        peer.acts(|got| match got.path.contains("offset=") {
            true => Answer::page(&[location("DE/ABC", "L2", EIGHT)], 1, None),
            false => Answer::envelope(200, 1000, ""),
        });
        world.clock.advance(TimeDelta::minutes(6));
        world.until("the mended pull", || async { row().await.is_some_and(|row| row.failures == 0) }).await;
        assert_eq!(world.get(&reader, "sender/locations").await.ids(), ["L2"], "all pages together are the truth");
        Some(())
    }
}

// N-02, F-08, R-47
#[tokio::test(flavor = "multi_thread")]
async fn slow_owners_give_way_after_their_turn_and_are_read_on_where_it_ended() {
    // A turn is two slow pages.
    let world = World::start(On::Sqlite, "[timeouts]\nconnect_s = 1\nlist_s = 2\n")
        .await
        .unwrap();
    let reader = world.platform(&["DE/MSP:EMSP"], None).await;
    let mut slow = Vec::new();
    for number in 0..4 {
        let peer = Peer::open().await;
        let owner = format!("NL/SL{number}");
        let count = Arc::new(Mutex::new(0));
        let of = owner.clone();
        peer.acts(move |_| {
            let mut count = count.lock().unwrap();
            *count += 1;
            let object = tariff(&of, &format!("T{count}"), EIGHT);
            Answer::page(&[object], 1_000_000, Some(&format!("?n={count}")))
                .after(std::time::Duration::from_millis(400))
        });
        let parties = format!("{owner}:CPO");
        let platform = world
            .platform(&[&parties], Some((&peer, &[("tariffs", "SENDER")])))
            .await;
        peer.until(1).await;
        slow.push((peer, platform, owner));
    }
    let quick = Peer::open().await;
    quick.acts(|got| match is_about(got, "locations") {
        true => Answer::page(&[location("DE/ABC", "L1", EIGHT)], 1, None),
        false => Answer::page(&[], 0, None),
    });
    world.platform(&["DE/ABC:CPO"], Some((&quick, SENDS))).await;
    let listed = async || world.get(&reader, "sender/locations").await.ids();
    world
        .until("the quick one's turn", || async { listed().await == ["L1"] })
        .await;
    for (peer, platform, owner) in &slow {
        let pages = peer.got().len();
        peer.until(pages + 6).await;
        let paths: Vec<String> = peer.got().into_iter().map(|got| got.path).collect();
        let once: std::collections::HashSet<&String> = paths.iter().collect();
        assert_eq!(once.len(), paths.len(), "no page is read again: {paths:?}");
        let key = truewatt::store::PullKey {
            platform_id: platform.id.clone(),
            module: "tariffs".into(),
            party_key: owner.clone(),
        };
        let row = world.hub.store.pull_get(key).await.unwrap().unwrap();
        assert!(row.ended_at.is_none(), "still at it: {row:?}");
    }
}

// N-02, F-08
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_empty_pages_is_left_after_a_hundred() {
    let world = World::start(On::Sqlite, "").await.unwrap();
    let peer = Peer::open().await;
    let count = Arc::new(Mutex::new(0));
    peer.acts(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        Answer::page(&[], 1, Some(&format!("?n={count}")))
    });
    let platform = world
        .platform(&["DE/ABC:CPO"], Some((&peer, &[("tariffs", "SENDER")])))
        .await;
    let key = truewatt::store::PullKey {
        platform_id: platform.id,
        module: "tariffs".into(),
        party_key: "DE/ABC".into(),
    };
    let row = async || world.hub.store.pull_get(key.clone()).await.unwrap();
    world
        .until("the end", || async { row().await.is_some_and(|row| row.failures == 1) })
        .await;
    assert_eq!(peer.got().len(), 100);
    assert!(row().await.unwrap().last_outcome.unwrap().contains("pages are empty"));
}

// P-11
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_slips_past_a_page_boundary_is_fetched_all_the_same() {
    let world = World::start(On::Sqlite, "").await.unwrap();
    let peer = Peer::open().await;
    let shelf = Shelf::default();
    let all: Vec<String> = (0..6)
        .map(|number| tariff("DE/ABC", &format!("T{number}"), EIGHT))
        .collect();
    shelf.put(&all);
    {
        let (shelf, mut rest) = (shelf.clone(), all.clone());
        rest.remove(0);
        peer.acts(move |got| {
            let page = shelf.page(got);
            // After the first page its first object is deleted: what was third is now on no page.
            shelf.put(&rest);
            page
        });
    }
    let reader = world.platform(&["DE/MSP:EMSP"], None).await;
    world
        .platform(&["DE/ABC:CPO"], Some((&peer, &[("tariffs", "SENDER")])))
        .await;
    let listed = async || world.get(&reader, "sender/tariffs").await.ids();
    world.until("the pull", || async { listed().await.len() == 6 }).await;
    assert!(
        peer.got().iter().any(|got| got.path.contains("offset=1&")),
        "one object earlier"
    );
}

// N-02, F-08
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_never_end_are_left() {
    let world = World::start(On::Sqlite, "").await.unwrap();
    let peer = Peer::open().await;
    let count = Arc::new(Mutex::new(0));
    peer.acts(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        Answer::page(&[tariff("DE/ABC", "T1", EIGHT)], 1, Some(&format!("?n={count}")))
    });
    let platform = world
        .platform(&["DE/ABC:CPO"], Some((&peer, &[("tariffs", "SENDER")])))
        .await;
    let key = truewatt::store::PullKey {
        platform_id: platform.id,
        module: "tariffs".into(),
        party_key: "DE/ABC".into(),
    };
    let row = async || world.hub.store.pull_get(key.clone()).await.unwrap();
    world
        .until("the end", || async { row().await.is_some_and(|row| row.failures == 1) })
        .await;
    assert!(peer.got().len() < 10);
}
