//! Lists in pages, and how they go wrong.

use std::time::Duration;

use truewatt::ocpi::page;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Reply};

use crate::{Neighbour, SOON, at, complete, met, neighbours};

const TARIFFS: Door = Door::Sender("tariffs");

/// An operator with seven tariffs, an hour between any two, and who reads them.
async fn seven() -> (Neighbour, Neighbour) {
    let (cpo, emsp) = neighbours().await;
    for number in 0..7 {
        let tariff = Draft::tariff(&cpo.id, &format!("T-{number}"), at() + chrono::TimeDelta::hours(number));
        cpo.platform.offer("tariffs", &tariff.odd()).unwrap();
    }
    (cpo, emsp)
}

/// The ids of a page's objects, in order.
fn ids(page: &[String]) -> Vec<String> {
    let read = |object: &String| serde_json::from_str::<serde_json::Value>(object).unwrap()["id"].to_string();
    page.iter().map(read).collect()
}

#[tokio::test]
async fn a_list_comes_in_pages_with_all_its_filters_and_in_the_order_of_making() {
    // P-01 to P-09
    let (cpo, emsp) = seven().await;
    let renewed = Draft::tariff(&cpo.id, "T-3", at() + chrono::TimeDelta::hours(9)).odd();
    cpo.platform.offer("tariffs", &renewed).unwrap();
    let crawl = async |query: &str| emsp.voice.crawl("tariffs", query, &cpo.to).await.unwrap();
    let all = crawl("limit=3&x=%2F").await;
    assert_eq!(all.pages.len(), 3);
    assert_eq!(
        ids(&all.objects).join(" "),
        r#""T-0" "T-1" "T-2" "T-3" "T-4" "T-5" "T-6""#
    );
    assert_eq!(all.objects[3], renewed.trim());
    let header = |page: &Reply, name| page.header(name).map(str::to_owned);
    for page in &all.pages {
        assert_eq!(header(page, "x-total-count").as_deref(), Some("7"));
        assert_eq!(header(page, "x-limit").as_deref(), Some("3"));
    }
    assert!(
        header(&all.pages[0], "link")
            .unwrap()
            .contains("x=%2F&offset=3&limit=3")
    );
    let some = crawl("date_from=2026-09-21T15%3A13%3A20Z&date_to=2026-09-21T17:13:20Z").await;
    assert_eq!(ids(&some.objects).join(" "), r#""T-1" "T-2""#);
    let behind = emsp.voice.list("tariffs", "offset=99", &cpo.to).await.unwrap();
    assert_eq!(
        (behind.data.as_deref(), behind.header("x-total-count")),
        (Some("[]"), Some("7"))
    );
    assert_eq!(
        emsp.voice.list("tariffs", "limit=0", &cpo.to).await.unwrap().code,
        Some(2001)
    );
    assert!(cpo.platform.withdraw("tariffs", &cpo.id, "t-0") && !cpo.platform.withdraw("tariffs", &cpo.id, "T-0"));
    assert_eq!(crawl("").await.objects.len(), 6);
    let undated = emsp.voice.list("sessions", "", &cpo.to).await.unwrap();
    assert_eq!(undated.code, Some(2001), "SES-01");
}

#[tokio::test]
async fn two_requests_at_a_time_can_be_told_from_one_after_the_other() {
    // R-46
    let (cpo, emsp) = seven().await;
    cpo.platform
        .behave(TARIFFS, Behaviour::Slow(Duration::from_millis(300)));
    let list = || emsp.voice.list("tariffs", "", &cpo.to);
    let (one, other) = tokio::join!(list(), list());
    assert!(one.unwrap().accepted() && other.unwrap().accepted());
    list().await.unwrap();
    assert!(cpo.platform.wait_for_count("tariffs", 3, SOON).await);
    let got = cpo.platform.got_for("tariffs");
    assert!(got[0].overlaps(&got[1]) && !got[1].overlaps(&got[2]));
}

#[tokio::test]
async fn two_parties_of_one_platform_show_their_own_objects() {
    // R-10
    let two = crate::Plan::complete(
        "Two",
        vec![(crate::party("DE/ABC"), Role::Cpo), (crate::party("DE/XYZ"), Role::Cpo)],
    );
    let (cpo, emsp) = met(two, complete("DE/EMS", Role::Emsp)).await;
    let other = crate::party("DE/XYZ");
    for owner in [&cpo.id, &other] {
        cpo.platform
            .offer("locations", &Draft::location(owner, "L1", at()).json())
            .unwrap();
    }
    let pulled = emsp
        .voice
        .crawl("locations", "", &crate::To::Party(other))
        .await
        .unwrap();
    assert_eq!(pulled.objects.len(), 1);
    assert!(pulled.objects[0].contains(r#""party_id":"XYZ""#));
}

#[tokio::test]
async fn every_way_a_link_is_written_leads_on_or_is_seen_to_be_broken() {
    // F-08, P-05
    let (cpo, emsp) = seven().await;
    let link = async |temper| {
        cpo.platform.behave_once(TARIFFS, temper);
        let page = emsp.voice.list("tariffs", "limit=4", &cpo.to).await.unwrap();
        page.header("link").unwrap().to_owned()
    };
    let host = cpo.platform.host();
    let relative = link(Behaviour::RelativeLink).await;
    assert!(relative.starts_with("</") && relative.ends_with("offset=4&limit=4>; rel=\"next\""));
    let unquoted = link(Behaviour::UnquotedLink).await;
    assert!(unquoted.ends_with(";rel=next"));
    let several = link(Behaviour::SeveralLinks).await;
    assert_eq!(several.matches("rel=").count(), 3);
    for written in [unquoted, several] {
        let next = page::next_of(&written).unwrap();
        assert!(next.starts_with(&format!("http://{host}/")));
        let rest = emsp.voice.follow(&next, &cpo.to).await.unwrap();
        assert_eq!(rest.header("link"), None);
        assert_eq!(rest.data.unwrap().matches("\"EUR\"").count(), 3);
    }
    cpo.platform.behave(TARIFFS, Behaviour::BrokenNextPage);
    let broken = emsp.voice.crawl("tariffs", "limit=4", &cpo.to).await;
    assert!(matches!(
        broken,
        Err(truewatt::sandbox::SandboxError::Refused { http: 502, .. })
    ));
    cpo.platform.behave(TARIFFS, Behaviour::EndlessPage);
    let endless = emsp.voice.crawl("tariffs", "limit=4", &cpo.to).await.err().unwrap();
    assert!(endless.to_string().contains("names itself"), "{endless}");
}

#[tokio::test]
async fn a_list_that_shrinks_while_it_is_crawled_hides_an_object_from_who_does_not_look_back() {
    // P-11
    let (cpo, emsp) = seven().await;
    cpo.platform.behave(TARIFFS, Behaviour::Shrinking);
    let first = emsp.voice.list("tariffs", "limit=4", &cpo.to).await.unwrap();
    let next = page::next_of(first.header("link").unwrap()).unwrap();
    let second = emsp.voice.follow(&next, &cpo.to).await.unwrap();
    assert_eq!(
        (first.header("x-total-count"), second.header("x-total-count")),
        (Some("7"), Some("6"))
    );
    assert!(
        !second.data.unwrap().contains("T-4"),
        "it moved to the first page behind our back"
    );
}

#[tokio::test]
async fn envelopes_and_elements_can_be_wrong_in_every_way_that_occurs() {
    // F-04, F-05, F-06, F-19, T-32, M-05, R-08
    let (cpo, emsp) = seven().await;
    let ask = async |temper| {
        cpo.platform.behave_once(TARIFFS, temper);
        emsp.voice.list("tariffs", "limit=2", &cpo.to).await.unwrap()
    };
    let proper = ask(Behaviour::Proper).await;
    assert!(proper.header("x-request-id").is_some() && String::from_utf8_lossy(&proper.body).contains("timestamp"));
    assert!(ask(Behaviour::ListAsObject).await.data.unwrap().starts_with('{'));
    let text = |reply: &Reply| String::from_utf8_lossy(&reply.body).into_owned();
    let timeless = ask(Behaviour::NoTimestamp).await;
    assert_eq!(timeless.code, Some(1000));
    assert!(!text(&timeless).contains("timestamp") && timeless.data == proper.data);
    assert!(text(&ask(Behaviour::NullData).await).starts_with(r#"{"data":null,"#));
    let bare = ask(Behaviour::NoEnvelope).await;
    assert_eq!((bare.code, Some(text(&bare))), (None, proper.data));
    assert_eq!(ask(Behaviour::OtherStatus(202)).await.http, 202);
    let foreign = ask(Behaviour::ForeignIds).await;
    assert_eq!(foreign.header("ocpi-from-party-id"), Some("XXX"));
    let asked = cpo.platform.got_at(TARIFFS).pop().unwrap();
    assert_ne!(foreign.header("x-request-id"), asked.header("x-request-id"));
    assert_eq!(ask(Behaviour::NoIds).await.header("x-request-id"), None);
    let spoilt: Vec<serde_json::Value> = serde_json::from_str(&ask(Behaviour::BadObjects).await.data.unwrap()).unwrap();
    let good = spoilt.iter().filter(|object| object.get("elements").is_some());
    assert_eq!((spoilt.len(), good.count()), (5, 2));
}
