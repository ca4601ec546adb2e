//! A 2.2 platform beside 2.2.1 ones (checklist 2.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::neighbours::{hears, listed, listening, roles, settled};
use crate::peer::Peer;
use crate::world::Method::{Get, Post, Put};
use crate::world::{Said, World};

/// DE/OLD, which speaks 2.2 and understands raw tokens only, and its id at the hub and the TOKEN_A it may register with.
async fn old_peer(world: &World) -> (Peer, String, String) {
    let (id, token_a) = world.plan(listed(&["CPO DE/OLD"])).await;
    let old = Peer::start(roles(&["CPO DE/OLD"]));
    old.speak(&["2.2"]);
    old.understand_raw_tokens_only();
    old.list(json!({"identifier": "hubclientinfo", "role": "RECEIVER", "url": format!("{}/told/of/them", old.url)}));
    (old, id, token_a)
}

/// A call whose token is written as given.
async fn ask(world: &World, method: crate::world::Method, path: &str, written: &str, body: Option<String>) -> Said {
    let authorization = format!("Token {written}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let url = format!("{}{path}", world.url);
    world
        .send(method, &url, &headers, body.as_deref().map(str::as_bytes))
        .await
}

stories! {
    // X-001, V-12, T-02, D-01
    async fn a_2_2_peer_with_raw_tokens_lives_beside_the_others(world: World) {
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        let (old, id, token_a) = old_peer(&world).await;
        let details = ask(&world, Get, "/ocpi/2.2", &token_a, None).await;
        assert_eq!(details.outcome(), (200, 1000));
        assert_eq!(details.text("/data/version"), "2.2");
        let urls = details.body["data"]["endpoints"].as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap().to_owned());
        assert!(urls.into_iter().all(|url| url.starts_with(&format!("{}/ocpi/2.2/", world.url))));

        let said = ask(&world, Post, "/ocpi/2.2/credentials", &token_a, Some(old.credentials("old-token-b").to_string())).await;
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        let token = said.text("/data/token");
        assert_eq!(world.platform(&id).await["peer"]["version"], "2.2");
        hears(&world, &emsp, &["DE/OLD CPO PLANNED", "DE/OLD CPO CONNECTED"]).await;
        let list = ask(&world, Get, "/ocpi/2.2/hubclientinfo", &token, None).await;
        assert_eq!(list.body["data"][0]["party_id"], "MSA");

        world.operator(Post, &format!("/platforms/{}/suspend", emsp.id), None).await;
        settled(&world).await;
        let told = old.heard_of("PUT", "/told/of/them/NL/MSA");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].authorization, "Token old-token-b", "raw, as it wants it");
        assert_eq!(told[0].body["status"], "SUSPENDED");

        // Whoever offers 2.2.1 has to read what 2.2.1 writes.
        old.speak(&["2.2", "2.2.1"]);
        let moved = ask(&world, Put, "/ocpi/2.2.1/credentials", &token, Some(old.credentials("newer-token-b").to_string())).await;
        assert_eq!(moved.outcome().1, 3001, "it still refuses Base64, which 2.2.1 leaves no choice about");
        assert_eq!(world.platform(&id).await["peer"]["version"], "2.2", "and the former state works on");
    }

    // X-017, V-12, T-02, CR-25, CR-26
    async fn a_2_2_peer_moves_up_by_a_put_of_its_credentials_at_the_newer_version(world: World) {
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        let (old, id, token_a) = old_peer(&world).await;
        let said = ask(&world, Post, "/ocpi/2.2/credentials", &token_a, Some(old.credentials("old-token-b").to_string())).await;
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        let raw = said.text("/data/token");

        // What it has learned moves nobody: it says so itself, where 2.2.1 is spoken.
        old.speak(&["2.2", "2.2.1"]);
        old.understand_encoded_tokens();
        assert_eq!(world.platform(&id).await["peer"]["version"], "2.2");
        assert!(old.heard_of("GET", "/about/2.2.1").is_empty());
        let credentials = old.credentials("newer-token-b").to_string();
        let moved = ask(&world, Put, "/ocpi/2.2.1/credentials", &STANDARD.encode(&raw), Some(credentials)).await;
        assert_eq!(moved.outcome(), (200, 1000), "{moved:?}");
        let encoded = STANDARD.encode(moved.text("/data/token"));
        assert_eq!(world.platform(&id).await["peer"]["version"], "2.2.1");
        assert_eq!(old.heard_of("GET", "/about/2.2.1").len(), 1, "its endpoints there were read");

        // From then on 2.2.1 is spoken in both directions.
        let list = ask(&world, Get, "/ocpi/2.2.1/hubclientinfo", &encoded, None).await;
        assert_eq!(list.body["data"][0]["party_id"], "MSA");
        let details = ask(&world, Get, "/ocpi/2.2.1", &encoded, None).await;
        assert_eq!(details.text("/data/version"), "2.2.1");
        old.forget_what_was_heard();
        world.operator(Post, &format!("/platforms/{}/suspend", emsp.id), None).await;
        settled(&world).await;
        let told = old.heard_of("PUT", "/told/of/them/NL/MSA");
        let written: Vec<_> = told.iter().map(|one| one.authorization.clone()).collect();
        assert_eq!(written, [format!("Token {}", STANDARD.encode("newer-token-b"))]);
    }
}
