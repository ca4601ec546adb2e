//! What a new handshake changes for everybody else: where requests go, with which token, and who can be reached at all.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::peer::{self, Instead, Peer, role};
use crate::world::Method::{Delete, Get, Post, Put};
use crate::world::{OPEN, Said, World, cpo};

const CREDENTIALS: &str = "/ocpi/2.2.1/credentials";

/// A tariff of DE/ABC, pushed to a party by name.
async fn push(world: &World, token: &str, to: &str) -> Said {
    let tariff = json!({"country_code": "DE", "party_id": "ABC", "id": "T1", "currency": "EUR",
        "elements": [{"price_components": [{"type": "FLAT", "price": 1, "step_size": 0}]}], "last_updated": "2026-11-21T08:00:00Z"});
    let authorization = format!("Token {}", STANDARD.encode(token));
    let (country_code, party_id) = to.split_once('/').unwrap();
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
        ("OCPI-to-country-code", country_code),
        ("OCPI-to-party-id", party_id),
    ];
    let url = format!("{}/ocpi/2.2.1/receiver/tariffs/DE/ABC/T1", world.url);
    let body = tariff.to_string();
    world.send(Put, &url, &headers, Some(body.as_bytes())).await
}

/// Takes tariffs at this path.
fn takes_tariffs(peer: &Peer, path: &str) {
    peer.list_only(json!({"identifier": "tariffs", "role": "RECEIVER", "url": format!("{}{path}", peer.url)}));
}

fn pushes(peer: &Peer) -> Vec<(String, String, String)> {
    let puts = peer.heard_of("PUT", "/DE/ABC/T1").into_iter();
    puts.map(|heard| (heard.path, heard.authorization, heard.parties.0))
        .collect()
}

stories! {
    /// CR-36: what is under way ends as it began; what comes next goes where the peer said last
    async fn a_call_in_flight_ends_with_the_old_token_and_the_next_one_has_the_new_token_and_endpoint(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let token = Peer::start(peer::cpo()).registered(&world, &token_a).await;
        let (_, token_a) = world.plan(json!([{"country_code": "NL", "party_id": "MSA", "roles": ["EMSP"]}])).await;
        let emsp = Peer::start(json!([role("EMSP", "NL", "MSA")]));
        takes_tariffs(&emsp, "/told/first/?tenant=1");
        let first = emsp.registered(&world, &token_a).await;

        emsp.once("/DE/ABC/T1", Instead::Stall(Duration::from_millis(900)));
        let rotation = async {
            world.until("the call under way", async |_| pushes(&emsp).len() == 1).await;
            takes_tariffs(&emsp, "/told/second");
            world.ocpi(Put, CREDENTIALS, &first, Some(emsp.credentials("second-b"))).await
        };
        let (said, rotated) = futures_util::future::join(push(&world, &token, "NL/MSA"), rotation).await;
        assert_eq!(rotated.outcome(), (200, 1000));
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        assert_eq!(push(&world, &token, "NL/MSA").await.outcome(), (200, 1000));
        let with = |token: &str| format!("Token {}", STANDARD.encode(token));
        assert_eq!(pushes(&emsp), [
            ("/told/first/DE/ABC/T1".to_owned(), with("peer-token-b"), "NL/MSA".to_owned()),
            ("/told/second/DE/ABC/T1".to_owned(), with("second-b"), "NL/MSA".to_owned()),
        ]);
    }

    /// CR-41: routable at once, and no longer
    async fn a_party_is_reached_from_the_put_that_names_it_to_the_put_that_does_not(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let token = Peer::start(peer::cpo()).registered(&world, &token_a).await;
        let both = json!([{"country_code": "NL", "party_id": "MSA", "roles": ["EMSP"]}, {"country_code": "NL", "party_id": "MSB", "roles": ["EMSP"]}]);
        let (_, token_a) = world.plan(both).await;
        let emsp = Peer::start(json!([role("EMSP", "NL", "MSA")]));
        takes_tariffs(&emsp, "/told/tariffs");
        let first = emsp.registered(&world, &token_a).await;
        let reached = async || {
            let mut codes = Vec::new();
            for party in ["NL/MSA", "NL/MSB"] {
                codes.push(push(&world, &token, party).await.outcome().1);
            }
            codes
        };
        assert_eq!(reached().await, [1000, 4003], "PLANNED");
        emsp.play(json!([role("EMSP", "NL", "MSA"), role("EMSP", "NL", "MSB")]));
        let said = world.ocpi(Put, CREDENTIALS, &first, Some(emsp.credentials("second-b"))).await;
        assert_eq!(reached().await, [1000, 1000], "in the very moment of the answer");
        emsp.play(json!([role("EMSP", "NL", "MSB")]));
        let said = world.ocpi(Put, CREDENTIALS, &said.text("/data/token"), Some(emsp.credentials("third-b"))).await;
        assert_eq!(said.outcome(), (200, 1000));
        emsp.forget_what_was_heard();
        assert_eq!(reached().await, [4003, 1000], "SUSPENDED");
        assert_eq!(pushes(&emsp).into_iter().map(|(_, _, to)| to).collect::<Vec<_>>(), ["NL/MSB"]);
    }

    /// CR-09, N-09: what was handed out can be taken back before it is used
    async fn an_invitation_ends_with_the_next_one_and_with_its_platform(world: World) {
        let (id, first) = world.plan(cpo()).await;
        let second = world.operator(Post, &format!("/platforms/{id}/token"), None).await.text("/token_a");
        let peer = Peer::start(peer::cpo());
        assert_eq!(peer.register(&world, &first, "b").await.outcome(), (401, 2000));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &second, None).await.outcome(), (200, 1000));
        assert_eq!(world.operator(Post, &format!("/platforms/{id}/suspend"), None).await.http, 200);
        assert_eq!(peer.register(&world, &second, "b").await.outcome(), (403, 2000));
        assert_eq!(world.operator(Delete, &format!("/platforms/{id}"), None).await.http, 204);
        assert_eq!(peer.register(&world, &second, "b").await.outcome(), (401, 2000));
        assert!(peer.heard().is_empty());
    }

    /// N-09, CR-38: who the hub is among the parties is the operator's choice
    async fn the_hub_is_the_party_that_the_operator_says(world: World) {
        let mut world = world;
        let settings = format!("{OPEN}[hub]\ncountry_code = \"AT\"\nparty_id = \"ROM\"\nname = \"Durchfahrt\"\n");
        world.restart_with(&settings).await;
        let (_, token_a) = world.plan(cpo()).await;
        let token = Peer::start(peer::cpo()).registered(&world, &token_a).await;
        let shown = world.ocpi(Get, CREDENTIALS, &token, None).await;
        assert_eq!(shown.body["data"]["roles"], json!([{"role": "HUB", "country_code": "AT", "party_id": "ROM",
            "business_details": {"name": "Durchfahrt"}}]));
        let said = push(&world, &token, "XX/YYY").await;
        assert_eq!((said.outcome().1, said.header("OCPI-from-country-code"), said.header("OCPI-from-party-id")), (4001, Some("AT"), Some("ROM")));
    }

    /// N-01: tokens others show to us are kept as hashes only
    async fn no_token_that_opens_our_doors_can_be_read_in_the_database(world: World) {
        let (_, invitation) = world.plan(json!([{"country_code": "NL", "party_id": "NEW", "roles": ["EMSP"]}])).await;
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let first = peer.registered(&world, &token_a).await;
        let said = world.ocpi(Put, CREDENTIALS, &first, Some(peer.credentials("second-b"))).await;
        let second = said.text("/data/token");
        assert!(world.has_written(&id).await, "what is looked for is found where it is");
        for token in [&invitation, &token_a, &first, &second] {
            assert!(!world.has_written(token).await);
            assert!(!world.has_written(&STANDARD.encode(token)).await);
        }
    }
}
