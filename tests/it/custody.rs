//! The receiver is away, ill, or rude: the CDR stays in custody and arrives.

use std::time::Duration;

use serde_json::json;
use truewatt::sandbox::{Behaviour, Door};

use crate::world::{Database, Hub, charge};

on_both_databases!(
    whatever_is_no_answer_leaves_the_cdr_in_custody_until_there_is_one,
    while_the_receiver_is_down_cdrs_wait_and_arrive_when_it_is_back,
    a_rejection_closes_the_case_whatever_the_http_status,
    without_a_receiver_interface_the_cdr_is_kept_for_pull,
    without_custody_the_caller_hears_4002_or_4003_and_may_try_again,
);

async fn whatever_is_no_answer_leaves_the_cdr_in_custody_until_there_is_one(database: Database) {
    // Table 3.6.5, third row
    let hub = Hub::start_with(&database, &[("presence.failures_until_offline", "1000")]).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let envelope = |http, code| Behaviour::Envelope {
        http,
        code,
        message: "not now".to_owned(),
    };
    let tempers = [
        Behaviour::Plain(500),
        Behaviour::Plain(404),
        Behaviour::Html,
        Behaviour::Redirect("http://127.0.0.1:1/".to_owned()),
        Behaviour::HangUp,
        Behaviour::HalfAnswer,
        Behaviour::Stall,
        Behaviour::Unauthorised,
        Behaviour::TooManyRequests(Some(1)),
        envelope(200, 3000),
        envelope(200, 4003),
        envelope(503, 3000),
    ];
    for (number, temper) in tempers.into_iter().enumerate() {
        let id = format!("C-{number}");
        emsp.platform.behave_once(Door::CdrReceiver, temper.clone());
        let draft = cpo.cdr(&id, &emsp.party, &charge(1_000 + i64::try_from(number).unwrap()));
        let reply = cpo.post_cdr(&draft).await.unwrap();
        assert_eq!((reply.http, reply.code), (201, Some(1000)), "{temper:?}: {reply:?}");
        assert!(
            reply
                .message
                .clone()
                .unwrap_or_default()
                .starts_with("in custody, receiver not reachable"),
            "{temper:?}: {reply:?}"
        );
        assert!(reply.header("location").is_some(), "{temper:?}");
        hub.wait_for_delivery(&cpo.party, &id, "delivered").await;
        let attempts = hub.cdr(&cpo.party, &id).await["attempts"].as_array().unwrap().len();
        assert!(
            attempts >= 2,
            "{temper:?}: the operator sees both attempts, not {attempts}"
        );
        assert_eq!(
            emsp.platform.got_cdrs().last().unwrap().text(),
            draft.json(),
            "{temper:?}"
        );
    }
}

async fn while_the_receiver_is_down_cdrs_wait_and_arrive_when_it_is_back(database: Database) {
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    emsp.platform.go_away().await.unwrap();
    let drafts: Vec<_> = (0..5)
        .map(|number| cpo.cdr(&format!("C-{number}"), &emsp.party, &charge(1_000 + number)))
        .collect();
    for draft in &drafts {
        let reply = cpo.post_cdr(draft).await.unwrap();
        assert_eq!((reply.http, reply.code), (201, Some(1000)), "{reply:?}");
        assert_eq!(hub.cdr(&cpo.party, &draft.id).await["delivery"], "in_custody");
        let duties = hub.operator_ok("GET", "/duties?state=owed", None).await;
        assert!(!duties["items"].as_array().unwrap().is_empty());
    }
    emsp.platform.come_back().unwrap();
    for draft in &drafts {
        hub.wait_for_delivery(&cpo.party, &draft.id, "delivered").await;
    }
    assert_eq!(emsp.platform.got_cdrs().len(), 5, "each once");
    assert!(
        hub.operator_ok("GET", "/duties?state=owed", None).await["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

async fn a_rejection_closes_the_case_whatever_the_http_status(database: Database) {
    // Table 3.6.5, second row
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    for (number, http) in [200, 400, 404, 500].into_iter().enumerate() {
        let id = format!("C-{number}");
        emsp.platform.behave_once(
            Door::CdrReceiver,
            Behaviour::Envelope {
                http,
                code: 2004,
                message: "unknown token".to_owned(),
            },
        );
        let reply = cpo
            .post_cdr(&cpo.cdr(&id, &emsp.party, &charge(1_000 + i64::try_from(number).unwrap())))
            .await
            .unwrap();
        assert_eq!(
            (reply.http, reply.code, reply.message.as_deref()),
            (http, Some(2004), Some("unknown token"))
        );
        assert_eq!(hub.cdr(&cpo.party, &id).await["delivery"], "rejected");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(emsp.platform.got_cdrs().len(), 4, "never carried again by itself");
}

async fn without_a_receiver_interface_the_cdr_is_kept_for_pull(database: Database) {
    // Table 3.6.5, last row
    let hub = Hub::start(&database).await;
    let cpo = hub.cpo("DE/ABC").await;
    let id = crate::world::party("DE/PUL");
    let plan = truewatt::sandbox::Plan {
        receives_cdrs: false,
        ..truewatt::sandbox::Plan::emsp("Puller", id)
    };
    let (emsp, _) = hub.emsp_of(plan, json!({})).await;
    let draft = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    let reply = cpo.post_cdr(&draft).await.unwrap();
    assert_eq!(
        (reply.http, reply.code, reply.message.as_deref()),
        (201, Some(1000), Some("kept for pull"))
    );
    assert_eq!(hub.cdr(&cpo.party, "C-1").await["delivery"], "available");
    assert_eq!(emsp.pull("").await.unwrap().objects, [draft.json()]);
}

async fn without_custody_the_caller_hears_4002_or_4003_and_may_try_again(database: Database) {
    // design.md 3.6.5, custody = false
    let hub = Hub::start_with(&database, &[("presence.failures_until_offline", "1000")]).await;
    let cpo = hub.cpo("DE/ABC").await;
    let (emsp, _) = hub.emsp_with("DE/EMS", json!({"custody": false})).await;
    let draft = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    emsp.platform.go_away().await.unwrap();
    assert_eq!(cpo.post_cdr(&draft).await.unwrap().code, Some(4003));
    emsp.platform.come_back().unwrap();
    emsp.platform.behave_once(Door::CdrReceiver, Behaviour::Stall);
    assert_eq!(cpo.post_cdr(&draft).await.unwrap().code, Some(4002));
    assert!(
        emsp.pull("").await.unwrap().objects.is_empty(),
        "not listed until delivered"
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        emsp.platform.got_cdrs().len(),
        1,
        "and nothing is carried behind the caller's back"
    );
    assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
    assert_eq!(emsp.pull("").await.unwrap().objects, [draft.json()]);
}
