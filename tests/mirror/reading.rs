//! GET all and its neighbours: what is on which page, who sees what, and one object alone.

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::page::parameter;
use truewatt::store::{MirrorRow, MirrorWrite};

use crate::objects::{location, tariff, token};
use crate::on_both;
use crate::world::{World, at};

const EIGHT: &str = "2026-11-21T08:00:00Z";

/// As if it had been pushed.
fn kept(owner: &str, id: &str, updated: &str) -> MirrorWrite {
    let (country_code, party_id) = owner.split_once('/').unwrap();
    MirrorWrite {
        row: MirrorRow {
            id: uuid::Uuid::now_v7().to_string(),
            module: "locations".into(),
            country_code: country_code.into(),
            party_id: party_id.into(),
            owner_key: owner.into(),
            object_id: id.into(),
            object_key: id.into(),
            shelf: owner.into(),
            version: "2.2.1".into(),
            last_updated: at(updated),
            revision: 1,
            deleted_at: None,
            listed: false,
            body: location(owner, id, updated),
        },
        replaces: None,
        copy: None,
        missed: Vec::new(),
    }
}

on_both! {
    // P-02, P-04, P-05, P-06, P-07, P-09, P-10, D-10, LOC-01
    async fn every_filter_and_every_odd_value_is_understood(on) {
        let world = World::start(on, "[paging]\nmax_limit = 4\n").await?;
        world.platform(&["DE/ONE:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], None).await;
        for (number, micros) in ["999999", "000000", "000001", "000002", "5", "6", "7"].iter().enumerate() {
            let second = if number == 0 { "07:59:59" } else { "08:00:00" };
            let updated = format!("2026-11-21T{second}.{micros}Z");
            world.hub.store.mirror_write(kept("DE/ONE", &format!("L{number}"), &updated)).await.unwrap();
        }
        let list = async |query: &str| world.get(&reader, &format!("sender/locations{query}")).await;
        for (query, ids, total, limit) in [
            ("", &["L0", "L1", "L2", "L3"][..], "7", "4"),
            ("?offset=6", &["L6"], "7", "4"),
            ("?offset=7", &[], "7", "4"),
            ("?offset=99999999999999999999", &[], "7", "4"),
            ("?limit=100", &["L0", "L1", "L2", "L3"], "7", "4"),
            ("?limit=2&offset=1", &["L1", "L2"], "7", "2"),
            ("?date_from=2026-11-21T08:00:00.000001Z&date_to=2026-11-21T08:00:00.5Z", &["L2", "L3"], "2", "4"),
            ("?date_to=2026-11-21T08:00:00Z", &["L0"], "1", "4"),
            ("?date_from=2026-11-21T09:00:00%2B01:00&limit=3", &["L1", "L2", "L3"], "6", "3"),
            ("?date_from=2026-11-21T09:00:00Z&date_to=2026-11-21T08:00:00Z", &[], "0", "4"),
        ] {
            let page = list(query).await;
            assert_eq!((page.ids(), page.header("x-total-count"), page.header("x-limit")), (ids.iter().map(|id| (*id).to_owned()).collect(), Some(total), Some(limit)), "{query}");
            let more = ids.len() > 1 && total.parse::<usize>().unwrap() > ids.len();
            assert_eq!(page.next().is_some(), more, "{query}");
        }
        let page = list("?date_from=2026-11-21T09:00:00%2B01:00&limit=3").await;
        let next = page.next().unwrap();
        let told = |name| parameter(next.split_once('?').unwrap().1, name).unwrap();
        assert_eq!((told("date_from"), told("offset"), told("limit")), ("2026-11-21T09:00:00+01:00".into(), "3".into(), "3".into()));
        let last = world.get(&reader, &next).await;
        assert_eq!((last.ids(), last.next(), last.header("x-total-count"), last.header("x-limit")), (vec!["L4".into(), "L5".into(), "L6".into()], None, Some("6"), Some("3")));
        for bad in ["?limit=0", "?offset=-1", "?limit=x", "?date_from=yesterday"] {
            let heard = list(bad).await;
            assert_eq!((heard.http, heard.code), (200, 2001), "{bad}");
        }
        Some(())
    }

    // P-03, P-05, P-06, P-07, P-08
    async fn a_page_of_large_objects_ends_early_and_whoever_counts_loses_none(on) {
        let world = World::start(on, "").await?;
        world.platform(&["DE/ONE:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], None).await;
        for number in 0..6 {
            let mut write = kept("DE/ONE", &format!("L{number}"), EIGHT);
            // One of them is too large for any page, and stands alone.
            let filling = "x".repeat(if number == 3 { 5_000_000 } else { 1_900_000 });
            write.row.body = write.row.body.replacen("{ ", &format!("{{\"filling\":\"{filling}\","), 1);
            world.hub.store.mirror_write(write).await.unwrap();
        }
        let (mut pages, mut url) = (Vec::new(), Some("sender/locations".to_owned()));
        while let Some(place) = url {
            let (page, again) = (world.get(&reader, &place).await, world.get(&reader, &place).await);
            assert_eq!((page.ids(), page.next()), (again.ids(), again.next()), "the same URL gives the same page");
            assert_eq!(page.header("x-total-count"), Some("6"));
            url = page.next();
            pages.push(page);
        }
        let ids: Vec<Vec<String>> = pages.iter().map(|page| page.ids()).collect();
        assert_eq!(ids, [vec!["L0", "L1"], vec!["L2"], vec!["L3"], vec!["L4", "L5"]]);
        assert_eq!(pages[0].header("x-limit"), Some("2"), "as many as there could be");
        assert_eq!(parameter(pages[1].next().unwrap().split_once('?').unwrap().1, "offset").as_deref(), Some("3"));
        // Without a look at the links: on by what the hub said it would give.
        let (mut seen, mut offset) = (Vec::new(), 0);
        while offset < 6 {
            let page = world.get(&reader, &format!("sender/locations?offset={offset}&limit=100")).await;
            seen.extend(page.ids());
            offset += page.header("x-limit").unwrap().parse::<usize>().unwrap();
        }
        assert_eq!(seen, ids.concat());
        Some(())
    }

    // R-77, D-17, R-53, T-33
    async fn one_sees_what_the_other_side_owns_where_there_is_an_agreement(on) {
        let world = World::start(on, "").await?;
        let one = world.platform(&["DE/ONE:CPO"], None).await;
        let two = world.platform(&["NL/TWO:CPO", "NL/TWO:EMSP", "NL/TRE:EMSP"], None).await;
        let reader = world.platform(&["DE/MSA:EMSP", "DE/MSB:EMSP", "DE/MSA:CPO"], None).await;
        let from = |party: &'static str| [("OCPI-from-country-code", &party[..2]), ("OCPI-from-party-id", &party[3..])];
        for (by, owner) in [(&one, "DE/ONE"), (&two, "NL/TWO")] {
            let path = format!("receiver/tariffs/{owner}/T-{}", &owner[3..]);
            let headers = from(owner);
            let body = tariff(owner, &format!("T-{}", &owner[3..]), EIGHT);
            assert_eq!(world.ask(by, Method::PUT, &path, &headers, &body).await.http, 201);
        }
        let path = "receiver/tokens/NL/TRE/04";
        assert_eq!(world.ask(&two, Method::PUT, path, &from("NL/TRE"), &token("NL/TRE", "04", "RFID", EIGHT)).await.http, 201);
        let list = async |by, module: &str, headers: &[(&str, &str)]| {
            let mut ids = world.ask(by, Method::GET, &format!("sender/{module}"), headers, "").await.ids();
            ids.sort();
            ids
        };
        assert_eq!(list(&reader, "tariffs", &from("DE/MSA")).await, ["T-ONE", "T-TWO"]);
        assert_eq!(list(&one, "tariffs", &[]).await, [""; 0], "a CPO sees no CPO's");
        assert_eq!(list(&two, "tariffs", &from("NL/TWO")).await, ["T-ONE", "T-TWO"], "as eMSP it does");
        assert_eq!(list(&one, "tokens", &[]).await, ["04"]);
        let rules = json!({"default": "allow", "rules": [
            {"parties": ["DE/ONE", "DE/MSA"], "modules": ["tariffs"], "allow": false},
            {"parties": ["NL/TWO", "DE/MSB"], "modules": ["*"], "allow": false},
        ]});
        let (status, said) = world.operate(Method::PUT, "/operator/v1/agreements", Some(rules)).await;
        assert_eq!(status, 200, "{said}");
        assert_eq!(list(&reader, "tariffs", &from("DE/MSA")).await, ["T-TWO"]);
        assert_eq!(list(&reader, "tariffs", &from("DE/MSB")).await, ["T-ONE"]);
        assert_eq!(list(&reader, "tariffs", &[]).await, ["T-ONE", "T-TWO"], "without from, as whoever of its parties may");
        assert_eq!(world.ask(&reader, Method::GET, "sender/tariffs", &from("DE/ONE"), "").await.http, 403);
        Some(())
    }

    // R-80, LOC-02, D-20, TOK-16
    async fn one_object_by_its_id_is_found_when_it_is_the_only_one(on) {
        let world = World::start(on, "").await?;
        let reader = world.platform(&["DE/MSP:EMSP"], None).await;
        for owner in ["DE/ONE", "NL/TWO"] {
            let cpo = world.platform(&[&format!("{owner}:CPO")], None).await;
            for id in ["both", &owner[3..]] {
                let path = format!("receiver/locations/{owner}/{id}");
                assert_eq!(world.push(&cpo, Method::PUT, &path, &location(owner, id, EIGHT)).await.http, 201);
            }
        }
        let found = world.get(&reader, "sender/locations/one").await;
        assert!(found.text().contains(location("DE/ONE", "ONE", EIGHT).trim()), "{}", found.text());
        assert!(world.get(&reader, "sender/locations/TWO/e1/1").await.text().contains("\"max_amperage\" : 16"));
        let both = world.get(&reader, "sender/locations/BOTH").await;
        assert_eq!((both.http, both.code), (200, 2001));
        for nothing in ["sender/locations/none", "sender/locations/one/E9", "sender/locations/one/E1/9"] {
            let heard = world.get(&reader, nothing).await;
            assert_eq!((heard.http, heard.code), (404, 2003), "{nothing}");
        }
        let owners = world.hub.mirror.owners_of("locations", "Both").await.unwrap();
        assert_eq!(owners.iter().map(ToString::to_string).collect::<Vec<_>>(), ["DE/ONE", "NL/TWO"]);
        Some(())
    }
}
