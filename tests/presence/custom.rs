//! Custom modules: announced to those with an agreement, routed by headers alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde_json::json;

use crate::neighbours::{Neighbour, deaf, with_custom_modules};
use crate::world::Method::{Get, Put};
use crate::world::{Method, Said, World};

const PARKING: &str = "/ocpi/2.2.1/receiver/nltst-parking";

stories! {
    // U-09, V-09, V-10, R-13, R-23, R-40
    async fn a_custom_module_is_announced_and_routed_by_headers_alone(world: World) {
        let user = with_custom_modules(&world, &["EMSP NL/MSA"], &[]).await;
        let stranger = deaf(&world, &["EMSP NL/MSB"]).await;
        user.peer.hand_out("the-users-next-token");
        assert_eq!(send(&world, &user, Put, PARKING, Some("DE/ABC"), "{}").await.outcome(), (404, 2000), "nobody has it yet");
        let offers = ["RECEIVER nltst-parking /told/p%41rk/?k=v", "SENDER nltst-parking /told/other"];
        let owner = with_custom_modules(&world, &["CPO DE/ABC"], &offers).await;

        world.clock.advance(TimeDelta::seconds(61));
        world.until("the PUT", async |_| user.peer.heard_of("PUT", "/handshake").len() == 1).await;
        let token = user.peer.heard_of("PUT", "/handshake")[0].body["token"].as_str().unwrap().to_owned();
        let user = Neighbour { token, ..user };
        // The peer has it before the hub's commit.
        let list = "/ocpi/2.2.1/hubclientinfo";
        world.until("the new token", async |world| world.ocpi(Get, list, &user.token, None).await.http == 200).await;
        let listed = async |who: &Neighbour| {
            let said = world.ocpi(Get, "/ocpi/2.2.1", &who.token, None).await;
            let endpoints = said.body["data"]["endpoints"].as_array().unwrap().clone();
            let custom = endpoints.into_iter().filter(|one| one["identifier"] == "nltst-parking");
            custom.map(|one| format!("{} {}", one["role"].as_str().unwrap(), one["url"].as_str().unwrap())).collect::<Vec<_>>()
        };
        let base = format!("{}/ocpi/2.2.1", world.url);
        assert_eq!(listed(&user).await, [format!("RECEIVER {base}/receiver/nltst-parking"), format!("SENDER {base}/sender/nltst-parking")]);
        assert!(listed(&stranger).await.is_empty(), "V-09: not without the operator's word");
        assert!(listed(&owner).await.is_empty(), "its own it knows");

        owner.peer.forget_what_was_heard();
        let body = "{ \"b\" : 1.50,\n \"a\":\"\\u00e4\" }";
        let path = format!("{PARKING}/x%2Fy/z?from=%2B1&b");
        let said = send(&world, &user, Put, &path, Some("de/abc"), body).await;
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        assert_eq!((said.header("OCPI-from-party-id"), said.header("OCPI-to-party-id")), (Some("ABC"), Some("MSA")));
        let heard = owner.peer.heard();
        let got = heard.iter().find(|heard| heard.method == "PUT").unwrap();
        assert_eq!((got.path.as_str(), got.query.as_str()), ("/told/p%41rk/x%2Fy/z", "k=v&from=%2B1&b"));
        assert_eq!((got.text.as_str(), &got.parties), (body, &("DE/ABC".to_owned(), "NL/MSA".to_owned())));

        let deleted = send(&world, &user, Method::Delete, &format!("{PARKING}/1"), Some("DE/ABC"), "").await;
        assert_eq!((deleted.outcome(), deleted.message().as_str()), ((404, 2000), "the peer says no"), "any method; the answer is the peer's");
        for to in [None, Some("DE/TWH"), Some("XX/YYY")] {
            assert_eq!(send(&world, &user, Put, PARKING, to, "{}").await.outcome(), (200, 4001), "{to:?}");
        }
        assert_eq!(send(&world, &stranger, Put, PARKING, Some("DE/ABC"), "{}").await.outcome(), (404, 2000));
        assert_eq!(send(&world, &user, Put, "/ocpi/2.2.1/receiver/nltst-other", Some("DE/ABC"), "{}").await.outcome(), (404, 2000));
        assert_eq!(world.ocpi(Put, PARKING, "nobody", Some(json!({}))).await.outcome(), (401, 2000));

        let rule = json!({"parties": ["*", "DE/ABC"], "modules": ["nltst-parking"], "allow": false});
        world.operator(Put, "/agreements", Some(json!({"default": "allow", "rules": [rule]}))).await;
        assert!(listed(&user).await.is_empty());
        assert_eq!(send(&world, &user, Put, PARKING, Some("DE/ABC"), "{}").await.outcome(), (404, 2000));
    }
}

async fn send(world: &World, who: &Neighbour, method: Method, path: &str, to: Option<&str>, body: &str) -> Said {
    let authorization = format!("Token {}", STANDARD.encode(&who.token));
    let mut headers = vec![
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    if let Some((country_code, party_id)) = to.and_then(|to| to.split_once('/')) {
        headers.push(("OCPI-to-country-code", country_code));
        headers.push(("OCPI-to-party-id", party_id));
    }
    let body = Some(body).filter(|body| !body.is_empty()).map(str::as_bytes);
    world
        .send(method, &format!("{}{path}", world.url), &headers, body)
        .await
}
