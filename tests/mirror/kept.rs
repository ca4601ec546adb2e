//! What pushes leave behind for the lists: every module page by page, and exactly what was said last.

use truewatt::client::Method;

use crate::objects::{evse, location, session, tariff, token};
use crate::on_both;
use crate::peer::Peer;
use crate::world::{Heard, Platform, RECEIVES, World};

const EIGHT: &str = "2026-11-21T08:00:00Z";
const NINE: &str = "2026-11-21T09:00:00Z";

/// All pages along the `Link`s.
async fn crawl(world: &World, reader: &Platform, first: &str) -> Vec<Heard> {
    let mut pages = vec![world.get(reader, first).await];
    while let Some(next) = pages.last().unwrap().next() {
        pages.push(world.get(reader, &next).await);
    }
    pages
}

/// The raw text between the brackets of `data`.
fn objects(page: &Heard) -> String {
    let text = page.text();
    let data = text.split_once("\"data\":[").unwrap().1;
    data.rsplit_once("],\"status_code\"").unwrap().0.to_owned()
}

on_both! {
    // TAR-01, TOK-01, SES-01, LOC-01, P-02, P-04
    async fn every_module_is_read_page_by_page_and_by_date(on) {
        let world = World::start(on, "[paging]\nmax_limit = 2\n").await?;
        let payer = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let emsp = world.platform(&["DE/MSP:EMSP"], Some((&payer, RECEIVES))).await;
        let at = |number: usize| format!("2026-11-21T0{number}:00:00Z");
        for (module, by, owner, reader) in
            [("tariffs", &cpo, "DE/ABC", &emsp), ("sessions", &cpo, "DE/ABC", &emsp), ("locations", &cpo, "DE/ABC", &emsp), ("tokens", &emsp, "DE/MSP", &cpo)]
        {
            let object = |number: usize| match module {
                "tariffs" => tariff(owner, &format!("O{number}"), &at(number)),
                "sessions" => session(owner, &format!("O{number}"), "DE/MSP", &at(number)),
                "locations" => location(owner, &format!("O{number}"), &at(number)),
                _ => token(owner, &format!("O{number}"), "RFID", &at(number)),
            };
            for number in 0..5 {
                let path = format!("receiver/{module}/{owner}/O{number}");
                assert_eq!(world.push(by, Method::PUT, &path, &object(number)).await.code, 1000, "{path}");
            }
            let first = format!("sender/{module}");
            for (query, numbers) in [("", 0..5), ("?date_from=2026-11-21T01:00:00Z&date_to=2026-11-21T04:00:00Z", 1..4), ("?date_from=2026-11-21T04:00:01Z", 0..0)] {
                let numbers: Vec<usize> = numbers.collect();
                let pages = crawl(&world, reader, &format!("{first}{query}")).await;
                assert_eq!(pages.len(), numbers.len().div_ceil(2).max(1), "{module}{query}");
                let total = numbers.len().to_string();
                assert!(pages.iter().all(|page| (page.http, page.code) == (200, 1000)));
                assert!(pages.iter().all(|page| (page.header("x-total-count"), page.header("x-limit")) == (Some(total.as_str()), Some("2"))), "{module}{query}");
                for (page, numbers) in pages.iter().zip(numbers.chunks(2)) {
                    let expected: Vec<String> = numbers.iter().map(|number| object(*number)).collect();
                    assert_eq!(objects(page), expected.join(","), "{module}{query}");
                }
            }
        }
        Some(())
    }

    // TAR-03, TAR-04, TAR-13
    async fn a_tariff_is_what_was_put_last_until_it_is_deleted_and_then_in_no_list(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let put = async |id: &str, body: &str| world.push(&cpo, Method::PUT, &format!("receiver/tariffs/DE/ABC/{id}"), body).await.http;
        let first = tariff("DE/ABC", "T1", EIGHT).replace("\"currency\"", "\"type\":\"REGULAR\",\"min_price\":{\"excl_vat\":0.50},\"currency\"");
        let second = tariff("DE/ABC", "T1", NINE);
        let other = tariff("DE/ABC", "T2", EIGHT);
        assert_eq!((put("T1", &first).await, put("T2", &other).await, put("T1", &second).await), (201, 201, 200));
        assert_eq!(objects(&world.get(&reader, "sender/tariffs").await), format!("{second},{other}"));
        let read = world.get(&cpo, "receiver/tariffs/DE/ABC/T1").await;
        assert!(read.text().contains(&format!("\"data\":{second},")), "{}", read.text());

        let delete = async || world.push(&cpo, Method::DELETE, "receiver/tariffs/DE/ABC/T1", "").await;
        assert_eq!(delete().await.http, 200);
        assert_eq!((delete().await.http, delete().await.code), (404, 2000));
        assert_eq!(world.get(&cpo, "receiver/tariffs/DE/ABC/T1").await.http, 404);
        assert_eq!(objects(&world.get(&reader, "sender/tariffs").await), other);
        assert_eq!(objects(&world.get(&reader, "sender/tariffs?date_from=2026-11-21T08:30:00Z").await), "");
        let got = emsp.until(4).await;
        world.hub.copies.all_ended().await;
        let of_t1 = |one: &&crate::peer::Got| one.path.contains("/DE/ABC/T1");
        let of_t1: Vec<_> = got.iter().filter(of_t1).map(|one| (one.method.as_str(), one.body.as_str())).collect();
        assert_eq!(of_t1, [("PUT", first.as_str()), ("PUT", &second), ("DELETE", "")]);
        assert_eq!(emsp.got().len(), 4);
        assert_eq!(put("T1", &first).await, 201, "its id is free again");
        Some(())
    }

    // SES-10, SES-11, SES-12
    async fn a_patch_adds_charging_periods_and_a_put_begins_anew(on) {
        let world = World::start(on, "").await?;
        let payer = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], Some((&payer, RECEIVES))).await;
        let period = |start: &str| format!("{{\"start_date_time\":\"{start}\", \"dimensions\":[{{\"type\":\"ENERGY\",\"volume\":1.50}}]}}");
        let with = |periods: &str| session("DE/ABC", "S1", "DE/MSP", EIGHT).replace("\"currency\"", &format!("{periods}\"currency\""));
        let younger = |body: &str| body.replace(&format!("\"last_updated\":\"{EIGHT}\""), &format!("\"last_updated\":\"{NINE}\""));
        let (one, two) = (period(EIGHT), period(NINE));
        let listed = async || objects(&world.get(&reader, "sender/sessions?date_from=2026-11-21T00:00:00Z").await);
        let send = async |method: Method, body: &str| world.push(&cpo, method, "receiver/sessions/DE/ABC/S1", body).await.code;

        let whole = with(&format!("\"charging_periods\":[{one}],"));
        assert_eq!(send(Method::PUT, &whole).await, 1000);
        assert_eq!(listed().await, whole);
        let more = format!("{{\"charging_periods\":[{two}],\"last_updated\":\"{NINE}\"}}");
        assert_eq!(send(Method::PATCH, &more).await, 1000);
        let grown = younger(&with(&format!("\"charging_periods\":[{one},{two}],")));
        assert_eq!(listed().await, grown);
        let nothing = [format!("{{\"charging_periods\":[],\"last_updated\":\"{NINE}\"}}"), format!("{{\"last_updated\":\"{NINE}\"}}")];
        for body in &nothing {
            assert_eq!(send(Method::PATCH, body).await, 1000);
            assert_eq!(listed().await, grown);
        }
        let undated = world.push(&cpo, Method::PATCH, "receiver/sessions/DE/ABC/S1", "{\"kwh\":9.9}").await;
        assert_eq!((undated.code, undated.message.starts_with("/last_updated: ")), (2001, true), "{}", undated.message);
        assert_eq!(listed().await, grown);
        for periods in ["\"charging_periods\":[],", ""] {
            let empty = younger(&with(periods));
            assert_eq!(send(Method::PUT, &empty).await, 1000);
            assert_eq!(listed().await, empty);
        }
        let methods: Vec<String> = payer.until(6).await.into_iter().map(|got| got.method).collect();
        assert_eq!(methods, ["PUT", "PATCH", "PATCH", "PATCH", "PUT", "PUT"], "and not what had no date");
        Some(())
    }

    // LOC-11, T-22
    async fn an_evse_that_lacks_what_it_needs_is_refused_by_name_and_goes_nowhere(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let whole = location("DE/ABC", "L1", EIGHT);
        assert_eq!(world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", &whole).await.http, 201);
        emsp.until(1).await;
        let good = evse("E2", "AVAILABLE", NINE);
        for (body, place) in [
            (good.replace("\"status\":\"AVAILABLE\",", ""), "/status: "),
            (good.replace("\"uid\":\"E2\" , ", ""), "/uid: "),
            (good.replace(&format!(",\"last_updated\":\"{NINE}\"}}"), "}"), "/connectors/0/last_updated: "),
            (format!("{}}}", good.rsplit_once(",\"last_updated\"").unwrap().0), "/last_updated: "),
            (good.replace("\"connectors\":[", "\"x\":["), "/connectors: "),
        ] {
            let heard = world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1/E2", &body).await;
            assert_eq!((heard.http, heard.code), (200, 2001), "{body}");
            assert!(heard.message.starts_with(place), "{place} {}", heard.message);
        }
        world.hub.copies.all_ended().await;
        assert_eq!(emsp.got().len(), 1);
        assert_eq!(objects(&world.get(&reader, "sender/locations").await), whole);
        Some(())
    }

    // N-01, N-10, D-18
    async fn what_was_broadcast_is_in_the_lists_of_the_next_process(on) {
        let world = World::start(on, "").await?;
        let payer = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let emsp = world.platform(&["DE/MSP:EMSP"], Some((&payer, RECEIVES))).await;
        for (module, by, owner, body) in [
            ("locations", &cpo, "DE/ABC", location("DE/ABC", "O1", EIGHT)),
            ("tariffs", &cpo, "DE/ABC", tariff("DE/ABC", "O1", EIGHT)),
            ("sessions", &cpo, "DE/ABC", session("DE/ABC", "O1", "DE/MSP", EIGHT)),
            ("tokens", &emsp, "DE/MSP", token("DE/MSP", "O1", "RFID", EIGHT)),
        ] {
            assert_eq!(world.push(by, Method::PUT, &format!("receiver/{module}/{owner}/O1"), &body).await.code, 1000, "{module}");
        }
        let lists = async |world: &World| {
            let mut lists = Vec::new();
            for (module, reader) in [("locations", &emsp), ("tariffs", &emsp), ("sessions", &emsp), ("tokens", &cpo)] {
                lists.push(objects(&world.get(reader, &format!("sender/{module}")).await));
            }
            lists
        };
        let before = lists(&world).await;
        assert!(before.iter().all(|list| list.contains("\"O1\"")), "{before:?}");
        payer.until(3).await;
        let next = world.beside().await;
        world.stop().await;
        assert_eq!(lists(&next).await, before);
        Some(())
    }
}
