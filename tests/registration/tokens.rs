//! Tokens: which form, how long, and what they open.

use crate::world::Method::{Get, Post, Put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::peer::{self, Peer};
use crate::world::{Said, World, cpo};

const CREDENTIALS: &str = "/ocpi/2.2.1/credentials";

/// GET of a path with an Authorization header written exactly so.
async fn get_with(world: &World, path: &str, authorization: &str) -> Said {
    world
        .send(
            Get,
            &format!("{}{path}", world.url),
            &[("Authorization", authorization)],
            None,
        )
        .await
}

stories! {
    /// CR-26, CR-35
    async fn the_old_token_lives_until_the_new_one_is_used(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let first = peer.registered(&world, &token_a).await;
        let said = world.ocpi(Put, CREDENTIALS, &first, Some(peer.credentials("second-b"))).await;
        let second = said.text("/data/token");
        assert_ne!(first, second);
        for _ in 0..3 {
            assert_eq!(world.ocpi(Get, "/ocpi/versions", &first, None).await.outcome(), (200, 1000));
        }
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &second, None).await.outcome(), (200, 1000));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &first, None).await.outcome(), (401, 2000));
    }

    /// CR-35, default five minutes
    async fn the_old_token_dies_when_the_grace_ends(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let first = peer.registered(&world, &token_a).await;
        let second = world.ocpi(Put, CREDENTIALS, &first, Some(peer.credentials("second-b"))).await.text("/data/token");
        world.clock.advance(chrono::TimeDelta::seconds(299));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &first, None).await.outcome(), (200, 1000));
        world.clock.advance(chrono::TimeDelta::seconds(1));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &first, None).await.outcome(), (401, 2000));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &second, None).await.outcome(), (200, 1000));
    }

    /// CR-35: the answer was lost, and the next one too
    async fn a_peer_that_lost_its_new_token_puts_again_with_the_old_one(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let first = peer.registered(&world, &token_a).await;
        for attempt in ["lost", "lost again", "kept"] {
            let said = world.ocpi(Put, CREDENTIALS, &first, Some(peer.credentials(&format!("b-{}", attempt.len())))).await;
            assert_eq!(said.outcome(), (200, 1000), "{attempt}");
            if attempt == "kept" {
                assert_eq!(world.ocpi(Get, "/ocpi/versions", &said.text("/data/token"), None).await.outcome(), (200, 1000));
            }
        }
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &first, None).await.outcome(), (401, 2000));
    }

    /// T-02, T-08, D-01
    async fn base64_is_read_leniently(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let token = Peer::start(peer::cpo()).registered(&world, &token_a).await;
        let encoded = STANDARD.encode(&token);
        let with_line_feed = STANDARD.encode(format!("{token}\n"));
        for good in [
            format!("Token {encoded}"),
            format!("token {encoded}"),
            format!("TOKEN   {encoded}"),
            format!("Token {}", encoded.trim_end_matches('=')),
            format!("Token {with_line_feed}"),
        ] {
            assert_eq!(get_with(&world, "/ocpi/versions", &good).await.outcome(), (200, 1000), "{good}");
        }
        for bad in [format!("Bearer {encoded}"), "Token".to_owned(), "Token ".to_owned(), encoded, "Token AAAA".to_owned()] {
            assert_eq!(get_with(&world, "/ocpi/versions", &bad).await.outcome(), (401, 2000), "{bad}");
        }
    }

    /// D-01, T-06: raw only from peers of 2.2, and from those the operator flagged
    async fn a_raw_token_is_accepted_from_whom_it_may_come(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        assert_eq!(get_with(&world, "/ocpi/versions", &format!("Token {token_a}")).await.outcome(), (200, 1000), "not known yet");
        assert_eq!(get_with(&world, "/ocpi/2.2", &format!("Token {token_a}")).await.outcome(), (200, 1000));
        assert_eq!(get_with(&world, "/ocpi/2.2.1", &format!("Token {token_a}")).await.outcome(), (401, 2000), "T-02");
        let token = Peer::start(peer::cpo()).registered(&world, &token_a).await;
        assert_eq!(get_with(&world, "/ocpi/versions", &format!("Token {token}")).await.outcome(), (401, 2000), "a 2.2.1 peer");

        for (party, encoding, expected) in [("RAW", "raw", (200, 1000)), ("B64", "base64", (401, 2000))] {
            let parties = json!([{"country_code": "NL", "party_id": party, "roles": ["EMSP"]}]);
            let (_, token_a) = world.plan_with(parties, json!({"token_encoding": encoding})).await;
            for path in ["/ocpi/versions", "/ocpi/2.2.1"] {
                assert_eq!(get_with(&world, path, &format!("Token {token_a}")).await.outcome(), expected, "{encoding} {path}");
            }
            let encoded = format!("Token {}", STANDARD.encode(&token_a));
            assert_eq!(get_with(&world, "/ocpi/2.2.1", &encoded).await.outcome(), (200, 1000), "{encoding}");
        }
    }

    /// D-01: for 2.2 Base64, on 401 during registration one retry raw, remembered
    async fn a_peer_of_the_first_2_2_edition_registers_raw_in_both_directions(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.speak(&["2.2"]);
        peer.understand_raw_tokens_only();
        let url = format!("{}/ocpi/2.2/credentials", world.url);
        let body = peer.credentials("raw-token-b").to_string();
        let headers = [("Authorization", format!("Token {token_a}")), ("Content-Type", "application/json".to_owned())];
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
        let said = world.send(Post, &url, &headers, Some(body.as_bytes())).await;
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        let presented = peer.heard().into_iter().map(|heard| heard.authorization).collect::<Vec<_>>();
        let encoded = format!("Token {}", STANDARD.encode("raw-token-b"));
        assert_eq!(presented, [encoded.as_str(), "Token raw-token-b", "Token raw-token-b"], "once Base64, then raw, remembered");
        assert_eq!(world.platform(&id).await["peer"]["token_encoding"], "raw");
        let token = said.text("/data/token");
        assert_eq!(get_with(&world, "/ocpi/versions", &format!("Token {token}")).await.outcome(), (200, 1000));
    }

    /// T-02: 2.2.1 knows Base64 only
    async fn a_2_2_1_peer_is_never_sent_a_raw_token(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.understand_raw_tokens_only();
        let said = peer.register(&world, &token_a, "raw-token-b").await;
        assert_eq!(said.outcome(), (200, 3001));
        assert!(peer.heard().iter().all(|heard| heard.authorization == format!("Token {}", STANDARD.encode("raw-token-b"))));
    }

    /// D-01, N-09: the operator knows better
    async fn a_flagged_peer_is_sent_raw_tokens_from_the_start(world: World) {
        let (_, token_a) = world.plan_with(cpo(), json!({"token_encoding": "raw"})).await;
        let peer = Peer::start(peer::cpo());
        peer.understand_raw_tokens_only();
        assert_eq!(peer.register(&world, &token_a, "raw-token-b").await.outcome(), (200, 1000));
        assert!(peer.heard().iter().all(|heard| heard.authorization == "Token raw-token-b"));
    }

    /// T-04, CR-21: a fresh TOKEN_A beside a registration that stands
    async fn a_fresh_token_a_lets_a_connected_peer_begin_anew(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let lost = peer.registered(&world, &token_a).await;
        let fresh = world.operator(Post, &format!("/platforms/{id}/token"), None).await;
        assert_eq!(fresh.http, 200, "{fresh:?}");
        let token_a = fresh.text("/token_a");
        assert_eq!(world.status(&id).await, "CONNECTED");
        assert_eq!(world.ocpi(Put, CREDENTIALS, &token_a, Some(peer.credentials("x"))).await.outcome(), (405, 2000));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &lost, None).await.outcome(), (200, 1000), "goes on until then");
        let said = peer.register(&world, &token_a, "new-token-b").await;
        assert_eq!(said.outcome(), (200, 1000));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &lost, None).await.outcome(), (401, 2000), "no grace for what was lost");
        let older = world.operator(Post, &format!("/platforms/{id}/token"), None).await.text("/token_a");
        let newer = world.operator(Post, &format!("/platforms/{id}/token"), None).await.text("/token_a");
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &older, None).await.outcome(), (401, 2000));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &newer, None).await.outcome(), (200, 1000));
    }

    /// CR-36, CR-35: rotation under traffic loses nobody
    async fn requests_in_flight_while_tokens_rotate_are_answered(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let first = peer.registered(&world, &token_a).await;
        let traffic = async {
            for _ in 0..40 {
                assert_eq!(world.ocpi(Get, "/ocpi/versions", &first, None).await.outcome(), (200, 1000));
            }
        };
        let rotation = world.ocpi(Put, CREDENTIALS, &first, Some(peer.credentials("second-b")));
        let ((), rotated) = futures_util::future::join(traffic, rotation).await;
        assert_eq!(rotated.outcome(), (200, 1000));
    }
}
