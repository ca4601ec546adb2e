//! GET all over thousands of objects of three owners, who have them on lists of their own and go on changing them while it is read.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;
use truewatt::ocpi::page::next_of;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Plan, Reply, To};

use crate::common::place::On;
use crate::common::world::{Neighbour, World, codes, complete, named};
use crate::objects::{location, tariff};
use crate::on_both;

const OWNERS: [&str; 3] = ["DE/ONE", "NL/TWO", "FR/TRE"];
const NOON: &str = "2026-11-21T12:00:00Z";
const EIGHT: &str = "2026-11-21T08:00:00Z";
const NINE: &str = "2026-11-21T09:00:00Z";
/// The owners are always this far ahead of the reader: so many calls for each page.
const CALLS_A_PAGE: usize = 6;

on_both! {
    // P-01, P-03, P-05, P-06, P-07, P-08, R-34, R-35, R-75, R-76, R-78, N-02, TAR-02, TAR-04
    async fn a_crawl_over_ten_thousand_objects_that_change_has_each_exactly_once(on) {
        Story { module: "tariffs", count: 10_000 }.told(on).await
    }

    // P-01, P-05, P-08, R-34, R-75, N-02, LOC-03, LOC-05
    async fn a_crawl_over_locations_that_are_put_and_patched_has_each_exactly_once(on) {
        Story { module: "locations", count: 1_500 }.told(on).await
    }
}

#[derive(Clone, Copy)]
struct Story {
    module: &'static str,
    count: usize,
}

/// How far the crawl is, for everybody who takes part.
#[derive(Default)]
struct Progress {
    /// What the owners called so far.
    calls: AtomicUsize,
    /// The reader has the last page.
    is_over: AtomicBool,
}

impl Story {
    async fn told(self, on: On) -> Option<()> {
        let world = World::on(on, "", ManualClock::at(NOON.parse().unwrap())).await?;
        let owners = self.owners(&world).await;
        let reads = complete("DE/MSP", Role::Emsp)
            .without("locations", Receiver)
            .without("tariffs", Receiver);
        let reader = world.join(reads).await;
        self.until_fetched(&reader).await;

        let progress = Progress::default();
        let (pages, ..) = tokio::join!(
            self.crawl(&reader, &progress),
            self.change(&owners[0], 0, &progress),
            self.change(&owners[1], 1, &progress),
            self.change(&owners[2], 2, &progress),
        );
        assert!(
            progress.calls.load(Ordering::SeqCst) >= CALLS_A_PAGE * (pages.len() - 1),
            "hundreds of changes"
        );

        let seen: Vec<String> = pages.iter().flat_map(|(_, page)| ids(page)).collect();
        let once: HashSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "nothing twice");
        let missing = (0..self.count).filter(|number| !self.leaves(*number) && !once.contains(&id(*number)));
        assert_eq!(missing.count(), 0, "nothing missing");

        // The same URL gives the same page, less what is gone by now.
        let leaving: HashSet<String> = (0..self.count).filter(|number| self.leaves(*number)).map(id).collect();
        for (url, before) in pages.iter().skip(1).step_by(9) {
            assert!(url.len() <= 255);
            let again = reader.voice.follow(url, &To::Hub).await.unwrap();
            let (before_ids, again_ids) = (ids(before), ids(&again));
            assert!(again_ids.iter().all(|id| before_ids.contains(id)));
            assert!(
                before_ids
                    .iter()
                    .all(|id| again_ids.contains(id) || leaving.contains(id))
            );
            assert_eq!(before.header("x-total-count"), again.header("x-total-count"));
        }
        // What nobody touched is there as its owner spelled it.
        let untouched = self.count / 2;
        let owner = &owners[untouched % 3];
        let own = owner
            .voice
            .read_copy(self.module, &owner.id, &[&id(untouched)], &To::Hub)
            .await
            .unwrap();
        let written = self.object(&owner.id.to_string(), &id(untouched), EIGHT);
        assert_eq!(own.data.as_deref(), Some(written.trim()), "{own:?}");
        Some(())
    }

    /// Every third object is of the same owner, who has them all on its list when it registers.
    async fn owners(self, world: &World) -> Vec<Neighbour> {
        let mut owners = Vec::new();
        for (place, owner) in OWNERS.into_iter().enumerate() {
            let own = (place..self.count).step_by(3);
            let offered: Vec<_> = own
                .map(|number| (self.module, self.object(owner, &id(number), EIGHT)))
                .collect();
            let plan = Plan {
                page: 100,
                ..complete(owner, Role::Cpo)
            };
            owners.push(world.join_offering(plan, &[], json!({}), &offered).await);
        }
        owners
    }

    /// The hub reads the lists of all owners by itself.
    async fn until_fetched(self, reader: &Neighbour) {
        let mut known = String::new();
        for _ in 0..600 {
            let first = reader.voice.list(self.module, "limit=1", &To::Hub).await.unwrap();
            first.header("x-total-count").unwrap_or_default().clone_into(&mut known);
            if known == self.count.to_string() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{known} of {} were fetched", self.count);
    }

    /// All pages along their `Link`s, each with its URL.
    async fn crawl(self, reader: &Neighbour, progress: &Progress) -> Vec<(String, Reply)> {
        let mut pages = Vec::new();
        let mut page = reader.voice.list(self.module, "limit=100", &To::Hub).await.unwrap();
        let mut url = String::new();
        loop {
            assert_eq!((codes(&page), page.header("x-limit")), ((200, 1000), Some("100")));
            assert_eq!(named(&page), ["DE/MSP", "DE/TWH"]);
            assert!(ids(&page).len() <= 100);
            let next = page.header("link").and_then(next_of);
            pages.push((url, page));
            let Some(next) = next else {
                progress.is_over.store(true, Ordering::SeqCst);
                return pages;
            };
            while progress.calls.load(Ordering::SeqCst) < CALLS_A_PAGE * pages.len() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            page = reader.voice.follow(&next, &To::Hub).await.unwrap();
            url = next;
        }
    }

    /// Changes what an owner has from both ends, so that pages before and behind the reader change, and adds to it.
    async fn change(self, owner: &Neighbour, place: usize, progress: &Progress) {
        let mut own: VecDeque<usize> = (place..self.count).step_by(3).collect();
        let name = owner.id.to_string();
        for turn in 0.. {
            // Left alone: what stands in the middle.
            if progress.is_over.load(Ordering::SeqCst) || own.len() < 9 {
                return;
            }
            let number = if turn % 2 == 0 { own.pop_front() } else { own.pop_back() }.unwrap();
            let (method, path, body) = match (self.module, self.leaves(number), turn % 3) {
                (_, true, _) => (Method::DELETE, vec![id(number)], String::new()),
                ("locations", _, 0) => (
                    Method::PATCH,
                    vec![id(number)],
                    format!("{{\"city\":\"C{turn}\",\"last_updated\":\"{NINE}\"}}"),
                ),
                ("locations", _, 1) => {
                    let change = format!("{{\"status\":\"CHARGING\",\"last_updated\":\"{NINE}\"}}");
                    (Method::PATCH, vec![id(number), "E1".to_owned()], change)
                }
                _ => (Method::PUT, vec![id(number)], self.object(&name, &id(number), NINE)),
            };
            let new = format!("N{place}-{turn}");
            let added = self.object(&name, &new, NINE);
            for (method, path, body) in [(method, path, body), (Method::PUT, vec![new], added)] {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let reply = owner
                    .voice
                    .push(method, self.module, &owner.id, &path, &body, &To::Hub)
                    .await
                    .unwrap();
                assert!(reply.accepted(), "{path:?}: {reply:?}");
                progress.calls.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Whether its owner may delete it while the crawl goes on; only tariffs can be.
    fn leaves(self, number: usize) -> bool {
        self.module == "tariffs" && number.is_multiple_of(5)
    }

    fn object(self, owner: &str, id: &str, updated: &str) -> String {
        if self.module == "tariffs" {
            tariff(owner, id, updated)
        } else {
            location(owner, id, updated)
        }
    }
}

fn id(number: usize) -> String {
    format!("O{number}")
}

/// The ids on a page.
fn ids(page: &Reply) -> Vec<String> {
    let objects: Vec<Value> = serde_json::from_str(page.data.as_deref().unwrap()).unwrap();
    objects
        .iter()
        .map(|object| object["id"].as_str().unwrap().to_owned())
        .collect()
}
