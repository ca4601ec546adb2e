//! A 2.2 platform beside 2.2.1 ones (checklist 2.1).

use serde_json::json;

use crate::neighbours::{hears, listed, listening, roles, settled};
use crate::peer::Peer;
use crate::world::Method::{Get, Post, Put};

stories! {
    // V-12, T-02, D-01
    async fn a_2_2_peer_with_raw_tokens_lives_beside_the_others(world: World) {
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        let (id, token_a) = world.plan(listed(&["CPO DE/OLD"])).await;
        let old = Peer::start(roles(&["CPO DE/OLD"]));
        old.speak(&["2.2"]);
        old.understand_raw_tokens_only();
        old.list(json!({"identifier": "hubclientinfo", "role": "RECEIVER", "url": format!("{}/told/of/them", old.url)}));
        let raw = |token: &str| format!("Token {token}");
        let headers = |authorization: &str| vec![("Authorization".to_owned(), authorization.to_owned()), ("Content-Type".to_owned(), "application/json".to_owned())];
        let ask = async |method, path: &str, token: &str, body: Option<String>| {
            let headers = headers(&raw(token));
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>();
            world.send(method, &format!("{}{path}", world.url), &headers, body.as_deref().map(str::as_bytes)).await
        };
        let details = ask(Get, "/ocpi/2.2", &token_a, None).await;
        assert_eq!(details.outcome(), (200, 1000));
        assert_eq!(details.text("/data/version"), "2.2");
        let urls = details.body["data"]["endpoints"].as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap().to_owned());
        assert!(urls.into_iter().all(|url| url.starts_with(&format!("{}/ocpi/2.2/", world.url))));

        let said = ask(Post, "/ocpi/2.2/credentials", &token_a, Some(old.credentials("old-token-b").to_string())).await;
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        let token = said.text("/data/token");
        assert_eq!(world.platform(&id).await["peer"]["version"], "2.2");
        hears(&world, &emsp, &["DE/OLD CPO PLANNED", "DE/OLD CPO CONNECTED"]).await;
        let list = ask(Get, "/ocpi/2.2/hubclientinfo", &token, None).await;
        assert_eq!(list.body["data"][0]["party_id"], "MSA");

        world.operator(Post, &format!("/platforms/{}/suspend", emsp.id), None).await;
        settled(&world).await;
        let told = old.heard_of("PUT", "/told/of/them/NL/MSA");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].authorization, "Token old-token-b", "raw, as it wants it");
        assert_eq!(told[0].body["status"], "SUSPENDED");

        // it moves up by PUT on the newer endpoint.
        old.speak(&["2.2", "2.2.1"]);
        let moved = ask(Put, "/ocpi/2.2.1/credentials", &token, Some(old.credentials("newer-token-b").to_string())).await;
        assert_eq!(moved.outcome().1, 3001, "it still refuses Base64, which 2.2.1 leaves no choice about");
        assert_eq!(world.platform(&id).await["peer"]["version"], "2.2", "and the former state works on");
    }
}
