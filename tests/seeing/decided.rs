//! What operators decide about duties has their name on it; and the journal, as it is searched.

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::SystemClock;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::time;
use truewatt::sandbox::{Behaviour, Door};

use crate::common::site::owned;
use crate::common::world::World;
use crate::counted::{cdr, post};
use crate::on_both;

const PEOPLE: &str = "[[operator.tokens]]\nname = \"Ada\"\nrole = \"operator\"\ntoken = \"adas-token-adas-token\"\n\
     [[operator.tokens]]\nname = \"Grace\"\nrole = \"auditor\"\ntoken = \"graces-token-graces-token\"\n\
     [duties]\nfirst_retry_s = 3600\n";

/// A call with somebody's token.
async fn call(world: &World, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let authorization = format!("Bearer {token}");
    let headers = owned(&[
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ]);
    let text = body.map(|body| body.to_string());
    let path = format!("/operator/v1{path}");
    let answer = world
        .send(method, &path, headers, text.as_deref().map(str::as_bytes))
        .await;
    (
        answer.status,
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
    )
}

async fn journal(world: &World, query: &str) -> Vec<Value> {
    let (mut items, mut path) = (Vec::new(), format!("/journal?limit=2&{query}"));
    loop {
        let (status, page) = call(world, "graces-token-graces-token", Method::GET, &path, None).await;
        assert_eq!(status, 200, "{page}");
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/journal?limit=2&{query}&cursor={cursor}"),
            None => return items,
        }
    }
}

on_both! {
    async fn who_decides_about_a_duty_stands_in_the_journal_by_name(on) {
        let world = World::on(on, PEOPLE, SystemClock::shared()).await?;
        let (cpo, emsp) = world.pair().await;
        emsp.platform.behave(Door::CdrReceiver, Behaviour::Plain(500));
        assert_eq!(post(&cpo, &emsp, "c-Lower", false).await, (201, 1000));
        let (_, duties) = call(&world, "adas-token-adas-token", Method::GET, "/duties?state=owed", None).await;
        let duty = duties["items"].as_array().unwrap().iter().find(|duty| duty["kind"] == "cdr").unwrap().clone();
        let path = |what: &str| format!("/duties/{}/{what}", duty["id"].as_str().unwrap());
        assert_eq!(call(&world, "graces-token-graces-token", Method::POST, &path("retry"), None).await.0, 403);
        assert_eq!(call(&world, "adas-token-adas-token", Method::POST, &path("retry"), None).await.0, 200);
        let started = std::time::Instant::now();
        while emsp.platform.got_cdrs().len() < 2 {
            assert!(started.elapsed() < crate::common::world::SOON);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        // Who wants to be somebody else is not: the name is the token's, what is written beside it a part of the reason.
        let wish = json!({"reason": "agreed by telephone", "by": "Grace"});
        assert_eq!(call(&world, "adas-token-adas-token", Method::POST, &path("forgive"), Some(wish)).await.0, 204);
        // In any case, as everywhere.
        let lines = journal(&world, "object=nl/cpa/C-lower").await;
        let of = |method: &str| lines.iter().filter(|line| line["method"] == method).collect::<Vec<_>>();
        assert_eq!(of("RETRY").len(), 1, "{lines:?}");
        assert_eq!(of("RETRY")[0]["outcome"], "to be tried again, by operator Ada");
        assert_eq!(of("FORGIVE").len(), 1, "{lines:?}");
        assert_eq!(of("FORGIVE")[0]["outcome"], "forgiven by operator Ada: agreed by telephone (for Grace)");
        assert!(!of("POST").is_empty(), "beside what was carried");
        let correlation = of("FORGIVE")[0]["correlation_id"].as_str().unwrap().to_owned();
        assert!(lines.iter().all(|line| line["correlation_id"] == correlation.as_str()), "one matter, one id: {lines:?}");
        let (_, trail) = call(&world, "graces-token-graces-token", Method::GET, "/audit?limit=1000", None).await;
        for what in ["retry", "forgive"] {
            let route = format!("/operator/v1/duties/{{id}}/{what}");
            let items = trail["items"].as_array().unwrap();
            assert!(items.iter().any(|item| item["route"] == route && item["actor"] == "Ada" && item["event"] == "ANSWERED"));
        }
        Some(())
    }

    // M-09, N-07
    async fn the_journal_is_searched_by_correlation_party_object_and_time(on) {
        let world = World::on(on, PEOPLE, SystemClock::shared()).await?;
        let (cpo, emsp) = world.pair().await;
        let before = time::write(world.clock.now());
        for number in 0..3 {
            let body = cdr(&cpo, &emsp, &format!("J-{number}"), false);
            let errand = cpo.voice.errand(Method::POST, "cdrs", Receiver).body(&body).to(&emsp.to);
            let reply = errand.without("x-correlation-id").header("X-Correlation-ID", &format!("matter-{number}")).send().await.unwrap();
            assert_eq!(reply.code, Some(1000));
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let after = time::write(world.clock.now());
        let one = journal(&world, "correlation_id=matter-1").await;
        assert_eq!(one.len(), 2, "taken and carried: {one:?}");
        assert!(one.iter().all(|line| line["object"] == "NL/CPA/J-1" && line["from"] == "NL/CPA" && line["to"] == "DE/MSA"));
        assert_eq!(journal(&world, "object=NL/CPA/J-2").await.len(), 2);
        assert_eq!(journal(&world, "object=NL/CPA/J-2&correlation_id=matter-1").await.len(), 0);
        let of_party = journal(&world, "party=de/msa").await;
        assert!(of_party.len() >= 6 && of_party.windows(2).all(|two| two[0]["id"].as_str() > two[1]["id"].as_str()));
        let between = format!("party=DE/MSA&from={before}&to={after}");
        let of_cdrs = journal(&world, &between).await;
        assert_eq!(of_cdrs.iter().filter(|line| line["module"] == "cdrs").count(), 6, "{of_cdrs:?}");
        assert_eq!(journal(&world, &format!("object=NL/CPA/J-2&to={before}")).await.len(), 0);
        assert_eq!(journal(&world, &format!("object=NL/CPA/J-2&from={after}")).await.len(), 0);
        for nonsense in ["from=yesterday", "to=", "party=DE", "since=2026-01-01T00:00:00Z"] {
            let (status, said) = call(&world, "adas-token-adas-token", Method::GET, &format!("/journal?{nonsense}"), None).await;
            assert_eq!(status, 400, "{nonsense}: {said}");
        }
        Some(())
    }
}
