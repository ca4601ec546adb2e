//! The hub begins: the operator gives it a versions URL and a TOKEN_A.

use crate::world::Method::{Delete, Get, Post};
use serde_json::{Value, json};
use std::time::Duration;

use crate::peer::{self, Instead, Peer, role};
use crate::world::{Said, World, cpo};

const THEIR_TOKEN_A: &str = "token-a-of-the-peer";

async fn register(world: &World, id: &str, peer: &Peer) -> Said {
    peer.accept(THEIR_TOKEN_A);
    let wish = json!({"versions_url": peer.versions_url(), "token_a": THEIR_TOKEN_A});
    world
        .operator(Post, &format!("/platforms/{id}/register"), Some(wish))
        .await
}

/// The token the hub handed out in its last POST or PUT.
fn token_handed_out(peer: &Peer) -> String {
    let mut heard = peer.heard();
    heard.retain(|heard| heard.path.ends_with("/handshake") && heard.body.is_object());
    heard.last().unwrap().body["token"].as_str().unwrap().to_owned()
}

stories! {
    /// CR-02, CR-06, CR-07, V-08, N-09
    async fn the_hub_registers_with_a_peer(world: World) {
        let (id, our_token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.speak(&["2.1.1", "2.2", "2.2.1", "7.0"]);
        let said = register(&world, &id, &peer).await;
        assert_eq!(said.http, 200, "{said:?}");
        assert_eq!(said.body["status"], "CONNECTED");
        assert_eq!(said.body["peer"]["version"], "2.2.1");

        let steps = peer.heard().into_iter().map(|heard| format!("{} {}", heard.method, heard.path)).collect::<Vec<_>>();
        assert_eq!(steps, ["GET /somewhere/versions", "GET /about/2.2.1", "POST /my/handshake"]);
        let sent = peer.heard_of("POST", "/handshake").remove(0);
        assert_eq!(sent.body["url"], format!("{}/ocpi/versions", world.url));
        assert_eq!(sent.body["roles"].as_array().unwrap().len(), 1);
        assert_eq!(sent.body["roles"][0]["role"], "HUB");
        assert_eq!(peer.fetched(), [200, 200], "the peer was let in with B before it answered");

        let token = token_handed_out(&peer);
        assert_eq!(world.ocpi(Get, "/ocpi/2.2.1/credentials", &token, None).await.text("/data/token"), token);
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &our_token_a, None).await.outcome(), (401, 2000), "CR-05");
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED"]);
        let body = world.platform(&id).await.to_string();
        assert!(!body.contains(&token) && !body.contains("peer-token-c"), "no token is ever shown again");
    }

    /// CR-08, CR-34: the step, what the peer said, and nothing left behind
    async fn a_handshake_that_fails_names_the_step_and_leaves_nothing(world: World) {
        let (id, our_token_a) = world.plan(cpo()).await;
        const JSON: &str = "application/json";
        const NO: &str = r#"{"status_code":2001,"status_message":"we do not know you","timestamp":"2026-11-21T10:00:00Z"}"#;
        let cases: Vec<(&str, Instead, &str, Value)> = vec![
            ("/versions", Instead::Answer(401, JSON, NO), "versions", json!({"http_status": 401, "status_code": 2001, "status_message": "we do not know you"})),
            ("/versions", Instead::Answer(200, "text/html", "<html>"), "versions", json!({"http_status": 200, "status_code": null, "status_message": null})),
            ("/versions", Instead::Stall(Duration::from_secs(4)), "versions", Value::Null),
            ("/versions", Instead::Answer(200, JSON, r#"{"data":[{"version":"2.1.1","url":"https://x"}],"status_code":1000}"#), "versions", Value::Null),
            ("/2.2.1", Instead::Answer(503, "text/plain", "down"), "version_details", json!({"http_status": 503, "status_code": null, "status_message": null})),
            ("/2.2.1", Instead::Answer(200, JSON, r#"{"data":{"version":"2.2.1","endpoints":[]},"status_code":1000}"#), "version_details", Value::Null),
            ("/handshake", Instead::Answer(405, JSON, NO), "credentials", json!({"http_status": 405, "status_code": 2001, "status_message": "we do not know you"})),
            ("/handshake", Instead::Answer(200, JSON, NO), "credentials", json!({"http_status": 200, "status_code": 2001, "status_message": "we do not know you"})),
            ("/handshake", Instead::Answer(200, JSON, r#"{"status_code":1000}"#), "credentials", json!({"http_status": 200, "status_code": 1000, "status_message": null})),
            ("/handshake", Instead::Answer(200, JSON, r#"{"data":{"token":"x"},"status_code":1000}"#), "credentials", Value::Null),
            ("/handshake", Instead::RedirectTo("https://example.com".to_owned()), "credentials", json!({"http_status": 302, "status_code": null, "status_message": null})),
        ];
        for (segment, instead, step, said_by_peer) in cases {
            let case = format!("{segment} {instead:?}");
            let peer = Peer::start(peer::cpo());
            // A 401 is tried once more with the raw token: the peer may be one of 2.2 (D-01).
            peer.once(segment, instead.clone());
            if matches!(instead, Instead::Answer(401, ..)) {
                peer.once(segment, instead);
            }
            let said = register(&world, &id, &peer).await;
            assert_eq!((said.http, said.text("/step")), (502, step.to_owned()), "{case}: {said:?}");
            assert!(said.header("content-type").unwrap().starts_with("application/problem+json"));
            assert_eq!(said.body["peer"], said_by_peer, "{case}");
            assert_eq!(world.status(&id).await, "PLANNED", "{case}");
            assert_eq!(peer.heard_of("POST", "/handshake").len(), usize::from(step == "credentials"), "CR-08: {case}");
            if step == "credentials" {
                let lent = token_handed_out(&peer);
                assert_eq!(world.ocpi(Get, "/ocpi/versions", &lent, None).await.outcome(), (401, 2000), "{case}");
            }
        }
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &our_token_a, None).await.outcome(), (200, 1000), "still good");
        let peer = Peer::start(peer::cpo());
        peer.go_away().await;
        let said = register(&world, &id, &peer).await;
        assert_eq!((said.http, said.text("/step"), said.body["peer"].clone()), (502, "versions".to_owned(), Value::Null));
    }

    /// CR-09 in the other direction; what the peer already believes is undone
    async fn a_peer_that_claims_more_than_was_listed_is_told_goodbye(world: World) {
        let (id, _) = world.plan(cpo()).await;
        let peer = Peer::start(json!([role("CPO", "DE", "ABC"), role("EMSP", "DE", "EVL")]));
        let said = register(&world, &id, &peer).await;
        assert_eq!((said.http, said.text("/step")), (502, "credentials".to_owned()));
        assert!(said.text("/detail").contains("/roles/1"), "{said:?}");
        let goodbye = peer.heard_of("DELETE", "/handshake");
        assert_eq!(goodbye.len(), 1);
        assert!(goodbye[0].authorization.ends_with(&base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "peer-token-c")));
        assert_eq!(world.status(&id).await, "PLANNED");
    }

    /// V-10, T-11: without a TOKEN_A the hub renews what stands
    async fn the_hub_renews_a_registration_by_put(world: World) {
        let (id, _) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        assert_eq!(register(&world, &id, &peer).await.http, 200);
        let first = token_handed_out(&peer);
        peer.forget_what_was_heard();
        peer.hand_out("peer-token-d");
        peer.play(json!([role("CPO", "DE", "ABC"), role("EMSP", "DE", "EVL")]));
        let said = world.operator(Post, &format!("/platforms/{id}/register"), Some(json!({}))).await;
        assert_eq!(said.http, 200, "{said:?}");
        assert_eq!(peer.heard_of("PUT", "/handshake").len(), 1);
        assert!(world.roles("DE/EVL").await.is_empty(), "a role nobody listed is not registered by the way");
        let second = token_handed_out(&peer);
        assert_ne!(first, second);
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &first, None).await.outcome(), (200, 1000), "grace");
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &second, None).await.outcome(), (200, 1000));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &first, None).await.outcome(), (401, 2000), "CR-35");
        peer.forget_what_was_heard();
        assert_eq!(world.operator(Post, &format!("/platforms/{id}/register"), Some(json!({}))).await.http, 200);
        let expected = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "peer-token-d");
        assert_eq!(peer.heard()[0].authorization, format!("Token {expected}"), "CR-36: the new token at once");
    }

    /// CR-34: the peer may have switched although its answer was lost; it must not be locked out
    async fn after_a_put_whose_answer_was_lost_both_tokens_are_good(world: World) {
        let (id, _) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        assert_eq!(register(&world, &id, &peer).await.http, 200);
        let first = token_handed_out(&peer);
        peer.once("/handshake", Instead::Stall(Duration::from_secs(4)));
        let said = world.operator(Post, &format!("/platforms/{id}/register"), Some(json!({}))).await;
        assert_eq!((said.http, said.text("/step")), (502, "credentials".to_owned()));
        let second = token_handed_out(&peer);
        assert_ne!(first, second);
        for token in [&first, &second, &first] {
            assert_eq!(world.ocpi(Get, "/ocpi/versions", token, None).await.outcome(), (200, 1000));
        }
        assert_eq!(world.status(&id).await, "CONNECTED");
    }

    async fn a_handshake_that_makes_no_sense_is_a_conflict(world: World) {
        let (id, _) = world.plan(cpo()).await;
        let path = format!("/platforms/{id}/register");
        assert_eq!(world.operator(Post, &path, Some(json!({}))).await.http, 409, "no token");
        assert_eq!(world.operator(Post, &path, Some(json!({"token_a": "x"}))).await.http, 409, "no URL");
        assert_eq!(world.operator(Post, &format!("/platforms/{id}/suspend"), None).await.http, 200);
        let peer = Peer::start(peer::cpo());
        assert_eq!(register(&world, &id, &peer).await.http, 409, "suspended");
        assert!(peer.heard().is_empty(), "a suspended platform is not called (R-43)");
        let own = json!({"versions_url": format!("{}/ocpi/versions", world.url), "token_a": "x"});
        assert_eq!(world.operator(Post, &path, Some(own)).await.http, 409, "the hub itself");
        assert_eq!(register(&world, "no-such-platform", &peer).await.http, 404);
        for (wish, field) in [
            (json!({"versions_url": "ftp://example.com", "token_a": "x"}), "/versions_url"),
            (json!({"versions_url": 1, "token_a": "x"}), "/versions_url"),
            (json!({"versions_url": "https://example.com", "token_a": "two words"}), "/token_a"),
            (json!({"versions_url": "https://example.com", "token_a": "x".repeat(65)}), "/token_a"),
            (json!({"versions_url": "https://example.com", "token": "x"}), "/token"),
        ] {
            let said = world.operator(Post, &path, Some(wish)).await;
            assert_eq!((said.http, said.text("/field")), (422, field.to_owned()));
        }
    }

    /// CR-27
    async fn a_deleted_platform_is_told_and_forgotten(world: World) {
        let (id, _) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        assert_eq!(register(&world, &id, &peer).await.http, 200);
        let token = token_handed_out(&peer);
        assert_eq!(world.operator(Delete, &format!("/platforms/{id}"), None).await.http, 204);
        assert_eq!(world.operator(Get, &format!("/platforms/{id}"), None).await.http, 404);
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (401, 2000));
        world.until("the peer hears DELETE", async |_| peer.heard_of("DELETE", "/handshake").len() == 1).await;
        let (again, _) = world.plan(cpo()).await;
        assert_ne!(again, id, "its parties are free for another platform");
    }

    /// CR-06: both began at the same time; whoever commits first is right, and the directory is whole
    async fn two_handshakes_that_cross_leave_one_registration(world: World) {
        let (id, our_token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let (theirs, ours) = futures_util::future::join(peer.register(&world, &our_token_a, "peer-token-b"), register(&world, &id, &peer)).await;
        let (they_did, we_did) = (theirs.outcome() == (200, 1000), ours.http == 200);
        assert!(they_did || we_did, "{theirs:?} {ours:?}");
        assert_eq!(world.status(&id).await, "CONNECTED");
        let token = if we_did { token_handed_out(&peer) } else { theirs.text("/data/token") };
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (200, 1000));
    }
}
