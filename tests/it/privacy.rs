//! A party reads and writes only what is its own; each refusal has its code and forwards nothing.

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::{InterfaceRole, Role};
use truewatt::sandbox::party::routing;
use truewatt::sandbox::{Plan, Reply};

use crate::world::{Database, Hub, Keys, charge, party};

on_both_databases!(
    a_provider_never_sees_anothers_cdrs,
    two_providers_on_one_platform_each_read_their_own,
    an_operator_speaks_only_for_itself,
    a_suspended_platform_is_turned_away_and_not_called,
    the_operator_api_opens_to_the_operator_only,
);

async fn a_provider_never_sees_anothers_cdrs(database: Database) {
    // R-77, CDR-06; by list, id, Location, report, receipt and page
    let hub = Hub::start_with(&database, &[("paging.max_limit", "2")]).await;
    let (cpo, owner, curious) = (
        hub.cpo("DE/ABC").await,
        hub.emsp("DE/EMS").await,
        hub.emsp("DE/CUR").await,
    );
    let mut location = String::new();
    for number in 0..5 {
        let reply = cpo
            .post_cdr(&cpo.cdr(&format!("C-{number}"), &owner.party, &charge(1_000 + number)))
            .await
            .unwrap();
        location = reply.header("location").unwrap().to_owned();
    }
    let mine = owner.pull("").await.unwrap();
    assert_eq!((mine.objects.len(), mine.pages.len()), (5, 3));
    assert_eq!(mine.pages[0].header("x-total-count"), Some("5"), "P-06");
    assert_eq!(mine.pages[2].header("x-limit"), Some("2"), "P-07");

    let theirs = curious.pull("").await.unwrap();
    assert!(theirs.objects.is_empty());
    assert_eq!(theirs.pages[0].header("x-total-count"), Some("0"));
    // A page link lent to the owner opens nothing of the owner's to anybody else (P-13).
    let page = truewatt::ocpi::page::next_of(mine.pages[0].header("link").unwrap()).unwrap();
    let stolen = curious.get(&page).await.unwrap();
    assert!(!String::from_utf8_lossy(&stolen.body).contains("C-2"), "{stolen:?}");
    for path in ["report", "delivery"] {
        let url = format!("{}/partner/v1/cdrs/DE/ABC/C-0/{path}", hub.url);
        assert_eq!(owner.get(&url).await.unwrap().http, 200, "{path}");
        assert_eq!(curious.get(&url).await.unwrap().http, 404, "{path}");
    }
    assert_eq!(curious.get(&location).await.unwrap().http, 404);
    let reports = curious
        .get(&format!("{}/partner/v1/reports?since=2000-01-01T00:00:00Z", hub.url))
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&reports.body).contains("C-0"));
}

async fn two_providers_on_one_platform_each_read_their_own(database: Database) {
    let hub = Hub::start(&database).await;
    let cpo = hub.cpo("DE/ABC").await;
    let plan = Plan {
        receives_cdrs: true,
        ..Plan::bare(
            "Two",
            vec![(party("DE/EM1"), Role::Emsp), (party("DE/EM2"), Role::Emsp)],
        )
    };
    let (both, _) = hub.emsp_of(plan, json!({})).await;
    for (number, id) in ["DE/EM1", "DE/EM2"].into_iter().enumerate() {
        let draft = cpo.cdr(
            &format!("C-{id}").replace('/', "-"),
            &party(id),
            &charge(1_000 + i64::try_from(number).unwrap()),
        );
        assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
    }
    let url = both.platform.hub_endpoint("cdrs", InterfaceRole::Sender).unwrap();
    for (id, other) in [("DE/EM1", "C-DE-EM2"), ("DE/EM2", "C-DE-EM1")] {
        let list = both
            .platform
            .call(Method::GET, &url, &routing(&party(id), None), None)
            .await
            .unwrap();
        assert_eq!(list.header("x-total-count"), Some("1"), "{id}");
        assert!(!list.data.unwrap().contains(other), "{id}");
    }
}

async fn an_operator_speaks_only_for_itself(database: Database) {
    // R-06, D-12, D-13; design.md 3.6.1
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let impostor = hub.cpo_with("DE/IMP", Keys::Unknown).await;
    let url = impostor.platform.hub_endpoint("cdrs", InterfaceRole::Receiver).unwrap();
    let stolen = cpo.cdr("C-1", &emsp.party, &charge(1_000)).json();
    let post = async |from: &str| -> Reply {
        impostor
            .platform
            .call(
                Method::POST,
                &url,
                &routing(&party(from), Some(&emsp.party)),
                Some(stolen.as_bytes()),
            )
            .await
            .unwrap()
    };
    let foreign_from = post("DE/ABC").await;
    assert_eq!(
        (foreign_from.http, foreign_from.code),
        (403, Some(2000)),
        "from another platform's party (R-06)"
    );
    let foreign_body = post("DE/IMP").await;
    assert_eq!(foreign_body.code, Some(2001), "a body of another party than from");
    let provider = emsp.platform.hub_endpoint("cdrs", InterfaceRole::Receiver).unwrap();
    let wrong_role = emsp
        .platform
        .call(
            Method::POST,
            &provider,
            &routing(&emsp.party, Some(&emsp.party)),
            Some(stolen.as_bytes()),
        )
        .await
        .unwrap();
    assert_eq!(wrong_role.code, Some(2001), "from has no CPO role: {wrong_role:?}");
    assert!(emsp.platform.got_cdrs().is_empty(), "nothing was forwarded");
    assert!(hub.cdrs().await.is_empty(), "nothing was kept");
}

async fn a_suspended_platform_is_turned_away_and_not_called(database: Database) {
    // design.md 3.4
    let hub = Hub::start(&database).await;
    let cpo = hub.cpo("DE/ABC").await;
    let (emsp, platform) = hub.emsp_with("DE/EMS", json!({})).await;
    hub.operator_ok("POST", &format!("/platforms/{platform}/suspend"), None)
        .await;
    let url = emsp.platform.hub_endpoint("cdrs", InterfaceRole::Sender).unwrap();
    let turned_away = emsp.get(&url).await.unwrap();
    assert_eq!((turned_away.http, turned_away.code), (403, Some(2000)));
    let draft = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    assert_eq!(cpo.post_cdr(&draft).await.unwrap().code, Some(4003));
    assert!(emsp.platform.got_cdrs().is_empty());
    hub.operator_ok("POST", &format!("/platforms/{platform}/resume"), None)
        .await;
    assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
}

async fn the_operator_api_opens_to_the_operator_only(database: Database) {
    let hub = Hub::start(&database).await;
    let emsp = hub.emsp("DE/EMS").await;
    let url = format!("{}/operator/v1/platforms", hub.url);
    let partner = truewatt::ocpi::headers::authorization(
        &emsp.platform.token().unwrap(),
        truewatt::ocpi::headers::TokenForm::Base64,
    );
    for authorization in ["", "Bearer", "Bearer wrong", "Basic eDp5", partner.as_str()] {
        let answer = crate::world::plain_http::send("GET", &url, &[("authorization", authorization)], b"").await;
        assert_eq!(answer.status, 401, "{authorization:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}
