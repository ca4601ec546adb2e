//! Every list of the hub's own takes the same questions and pages alike (1.6).

use chrono::TimeDelta;
use serde_json::Value;
use truewatt::client::Method;
use truewatt::ocpi::page::{next_of, parameter};
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Draft, Plan, Reply, To};

use crate::world::{Neighbour, World, at, codes, named, party};

const MODULES: [&str; 4] = ["locations", "sessions", "tariffs", "tokens"];

fn draft(module: &str, by: &Neighbour, reader: &Neighbour, number: i64, later: i64) -> (String, String) {
    let (id, when) = (format!("O{number}"), at() + TimeDelta::seconds(later));
    let draft = match module {
        "locations" => Draft::location(&by.id, &id, when),
        "sessions" => Draft::session(&by.id, &id, "04A1", Some(&reader.id), when),
        "tariffs" => Draft::tariff(&by.id, &id, when),
        _ => Draft::token(&by.id, &id, "RFID", when),
    };
    (id, draft.json())
}

/// The ids on a page, in order.
fn ids(page: &Reply) -> Vec<String> {
    let objects: Vec<Value> = serde_json::from_str(page.data.as_deref().unwrap()).unwrap();
    let id = |one: &Value| one["id"].as_str().or(one["uid"].as_str()).unwrap().to_owned();
    objects.iter().map(id).collect()
}

fn next(page: &Reply) -> Option<String> {
    page.header("link").map(|link| next_of(link).unwrap())
}

fn counts(page: &Reply) -> (&str, &str) {
    (page.header("x-total-count").unwrap(), page.header("x-limit").unwrap())
}

// P-01, P-02, P-03, P-05, P-06, P-07, P-08, P-09, P-10, R-21, R-34, R-35, R-79, LOC-01, SES-01, TAR-01, TOK-01, D-10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_takes_the_same_questions_and_keeps_the_order_of_creation() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let both = vec![(party("BE/ALL"), Role::Emsp), (party("BE/ALL"), Role::Cpo)];
    let reader = world.join(Plan::complete("BE/ALL", both)).await;
    for module in MODULES {
        let by = if module == "tokens" { &emsp } else { &cpo };
        let push = async |number, later| {
            let (id, body) = draft(module, by, &reader, number, later);
            let said = by
                .voice
                .push(Method::PUT, module, &by.id, &[&id], &body, &To::Hub)
                .await
                .unwrap();
            assert!(said.accepted(), "{module}: {said:?}");
        };
        for number in 0..5 {
            push(number, number).await;
        }
        // The first one changes last, and stays the first.
        push(0, 100).await;
        let list = async |query: &str, to: &To| {
            let page = reader.voice.list(module, query, to).await.unwrap();
            assert_eq!(codes(&page), (200, 1000), "{module} {query}: {page:?}");
            page
        };
        for to in [To::Hub, To::Open] {
            let whole = list("", &to).await;
            assert_eq!(ids(&whole), ["O0", "O1", "O2", "O3", "O4"], "{module}");
            assert_eq!((counts(&whole), next(&whole)), (("5", "100"), None));
            assert_eq!(named(&whole), ["BE/ALL", "DE/TWH"]);
        }

        let moment = |later: i64| {
            (at() + TimeDelta::seconds(later))
                .format("%Y-%m-%dT%H:%M:%SZ")
                .to_string()
        };
        let window = format!("date_from={}&date_to={}&limit=2", moment(1), moment(101));
        let mut page = list(&window, &To::Hub).await;
        let mut crawled = Vec::new();
        for (number, expected) in [&["O0", "O1"][..], &["O2", "O3"], &["O4"]].into_iter().enumerate() {
            assert_eq!(
                (ids(&page), counts(&page)),
                (expected.iter().map(|id| (*id).to_owned()).collect(), ("5", "2")),
                "{module}"
            );
            crawled.extend(ids(&page));
            let Some(url) = next(&page) else {
                assert_eq!(number, 2, "only the last page has no Link");
                break;
            };
            assert!(
                url.starts_with(&world.hub.url) && page.header("link").unwrap().ends_with("; rel=\"next\""),
                "{url}"
            );
            let asked = |name| parameter(url.split_once('?').unwrap().1, name);
            assert_eq!(
                (asked("date_from"), asked("date_to")),
                (Some(moment(1)), Some(moment(101))),
                "{url}"
            );
            assert_eq!(
                (asked("offset"), asked("limit")),
                (Some((2 * (number + 1)).to_string()), Some("2".to_owned())),
                "{url}"
            );
            page = reader.voice.follow(&url, &To::Hub).await.unwrap();
        }
        assert_eq!(crawled.len(), 5, "{module}");

        for (query, expected, total) in [
            (
                format!("date_from={}&date_to={}", moment(2), moment(4)),
                &["O2", "O3"][..],
                "2",
            ),
            (format!("date_from={}", moment(100)), &["O0"], "1"),
            (format!("date_to={}", moment(1)), &[], "0"),
            ("offset=1&limit=3".to_owned(), &["O1", "O2", "O3"], "5"),
            ("offset=4".to_owned(), &["O4"], "5"),
            ("offset=5".to_owned(), &[], "5"),
            ("offset=500&limit=7".to_owned(), &[], "5"),
        ] {
            let page = list(&query, &To::Hub).await;
            assert_eq!(
                (ids(&page), counts(&page).0),
                (expected.iter().map(|id| (*id).to_owned()).collect(), total),
                "{module} {query}"
            );
            assert_eq!(next(&page).is_some(), query == "offset=1&limit=3", "{module} {query}");
        }
        for nonsense in [
            "limit=0",
            "limit=-1",
            "limit=two",
            "limit=1.5",
            "offset=-1",
            "offset=x",
            "date_from=today",
            "date_to=1",
        ] {
            let said = reader.voice.list(module, nonsense, &To::Hub).await.unwrap();
            assert_eq!((codes(&said), said.data), ((200, 2001), None), "{module} {nonsense}");
        }
    }
}
