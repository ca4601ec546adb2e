//! Lists of one party, page by page, through the hub (P-12, P-13, D-11).

use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Sender;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft};

use crate::world::{World, at, codes, complete, named};

// P-12, P-13, R-14, R-22, D-11, U-04, T-46
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directed_list_is_the_owners_own_page_by_page_under_urls_of_the_hub() {
    let world = World::start().await;
    let mut plan = complete("NL/CPA", Role::Cpo);
    plan.page = 2;
    let cpo = world.join(plan).await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    let stranger = world.join(complete("DE/MSB", Role::Emsp)).await;
    let objects: Vec<String> = (0..5)
        .map(|n| Draft::location(&cpo.id, &format!("L{n}"), at()).odd())
        .collect();
    for object in &objects {
        cpo.platform.offer("locations", object).unwrap();
    }
    for behaviour in [
        Behaviour::Proper,
        Behaviour::RelativeLink,
        Behaviour::UnquotedLink,
        Behaviour::SeveralLinks,
    ] {
        cpo.platform.behave(Door::Sender("locations"), behaviour.clone());
        let query = "date_from=2020-01-01T00:00:00Z&limit=2&x=%2F";
        let pulled = emsp.voice.crawl("locations", query, &cpo.to).await.unwrap();
        assert_eq!(
            pulled.objects,
            objects.iter().map(|one| one.trim().to_owned()).collect::<Vec<_>>(),
            "{behaviour:?}"
        );
        assert_eq!(pulled.pages.len(), 3);
        for page in &pulled.pages {
            assert_eq!(
                (page.header("x-total-count"), page.header("x-limit")),
                (Some("5"), Some("2"))
            );
            assert_eq!(named(page), ["DE/MSA", "NL/CPA"]);
        }
        let first = &pulled.pages[0];
        let next = truewatt::ocpi::page::next_of(first.header("link").unwrap()).unwrap();
        assert!(
            next.starts_with(&format!("{}/ocpi/p/", world.hub.url)) && next.len() <= 255,
            "{next}"
        );
        let foreign = stranger.voice.follow(&next, &cpo.to).await.unwrap();
        assert_eq!(codes(&foreign), (404, 2000));
        assert!(
            cpo.platform
                .got_at(Door::Sender("locations"))
                .iter()
                .any(|got| got.query.ends_with(query))
        );
    }
}

// F-06, S-15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_no_list_is_4000() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    cpo.platform
        .offer("tariffs", &Draft::tariff(&cpo.id, "T-1", at()).json())
        .unwrap();
    cpo.platform.behave(Door::Sender("tariffs"), Behaviour::ListAsObject);
    let reply = emsp.voice.list("tariffs", "", &cpo.to).await.unwrap();
    assert_eq!(codes(&reply), (200, 4000), "{reply:?}");
}

// D-10, P-10, SES-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_directed_list_is_asked_with_is_the_owners_to_judge() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let errand = emsp
        .voice
        .errand(Method::GET, "sessions", Sender)
        .to(&cpo.to)
        .query("limit=-1&offset=ten");
    errand.send().await.unwrap();
    assert!(cpo.last("sessions").query.ends_with("limit=-1&offset=ten"));
}
