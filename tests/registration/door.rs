//! The door itself: who is let in, what every answer carries, how forgiving URLs are.

use crate::world::Method::{Delete, Get, Patch, Post, Put};
use serde_json::json;

use crate::peer::{self, Peer};
use crate::world::cpo;

stories! {
    /// T-01, T-03, T-10, D-06: 401 before 405
    async fn a_stranger_gets_401_with_an_envelope_whatever_he_asks(world: World) {
        for path in ["/ocpi/versions", "/ocpi/2.2.1", "/ocpi/2.2", "/ocpi/2.2.1/credentials", "/ocpi/2.2/credentials", "/ocpi/9.9"] {
            for method in [Get, Post, Put, Patch, Delete] {
                let url = format!("{}{path}", world.url);
                assert_eq!(world.send(method, &url, &[], None).await.outcome(), (401, 2000), "{method:?} {path}");
                assert_eq!(world.ocpi(method, path, "nobody's", None).await.outcome(), (401, 2000), "{method:?} {path}");
            }
        }
    }

    /// V-01, V-02, V-04, U-02, U-03, T-46
    async fn versions_and_details_list_what_is_served(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let said = world.ocpi(Get, "/ocpi/versions", &token_a, None).await;
        assert_eq!(said.outcome(), (200, 1000));
        assert_eq!(said.body["data"], json!([
            {"version": "2.2", "url": format!("{}/ocpi/2.2", world.url)},
            {"version": "2.2.1", "url": format!("{}/ocpi/2.2.1", world.url)}]));
        for version in ["2.2", "2.2.1"] {
            let said = world.ocpi(Get, &format!("/ocpi/{version}"), &token_a, None).await;
            assert_eq!(said.text("/data/version"), version);
            let endpoints = said.body["data"]["endpoints"].as_array().unwrap().clone();
            let credentials = endpoints.iter().filter(|e| e["identifier"] == "credentials").collect::<Vec<_>>();
            assert_eq!(credentials, [&json!({"identifier": "credentials", "role": "SENDER", "url": format!("{}/ocpi/{version}/credentials", world.url)})]);
            for endpoint in &endpoints {
                let url = endpoint["url"].as_str().unwrap();
                assert!(url.starts_with(&world.url) && url.contains(version) && url.len() <= 255 && !url.ends_with('/'));
            }
        }
        assert_eq!(world.ocpi(Get, "/ocpi/2.1.1", &token_a, None).await.outcome(), (404, 2000));
    }

    /// U-05, D-02
    async fn slashes_are_forgiven_and_never_redirected(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        for path in ["/ocpi/versions/", "/ocpi//versions", "//ocpi/versions//", "/ocpi/2.2.1/", "/ocpi/2.2.1//credentials/"] {
            assert_eq!(world.ocpi(Get, path, &token_a, None).await.outcome(), (200, 1000), "{path}");
        }
    }

    /// U-08, T-10
    async fn what_is_not_there_is_404_with_an_envelope(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        for path in ["/ocpi", "/ocpi/2.2.1/locations", "/ocpi/2.2.1/credentials/x", "/ocpi/2.2.1/sender/nonsense", "/ocpi/%00", "/ocpi/2.2.1%2Fcredentials"] {
            assert_eq!(world.ocpi(Get, path, &token_a, None).await.outcome(), (404, 2000), "{path}");
        }
        let said = world.send(Get, &format!("{}/nowhere", world.url), &[], None).await;
        assert_eq!((said.http, said.header("content-type")), (404, Some("application/problem+json")));
    }

    /// M-01, M-02, M-07, M-08, D-09
    async fn every_answer_repeats_the_message_ids_or_makes_them(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let authorization = format!("Token {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &token_a));
        let given = [("Authorization", authorization.as_str()), ("X-Request-ID", "r-1"), ("x-correlation-id", "c 1/ü".trim_end_matches("ü"))];
        for (path, status) in [("/ocpi/versions", 200), ("/ocpi/nowhere/at/all", 404)] {
            let said = world.send(Get, &format!("{}{path}", world.url), &given, None).await;
            assert_eq!(said.http, status);
            assert_eq!((said.header("x-request-id"), said.header("x-correlation-id")), (Some("r-1"), Some("c 1/")));
        }
        let stranger = world.send(Get, &format!("{}/ocpi/versions", world.url), &given[1..], None).await;
        assert_eq!((stranger.http, stranger.header("x-request-id")), (401, Some("r-1")));
        let without = world.send(Get, &format!("{}/ocpi/versions", world.url), &given[..1], None).await;
        assert!(without.header("x-request-id").is_some_and(|id| id.len() == 36));
        assert!(without.header("x-correlation-id").is_some_and(|id| id.len() == 36));
        let long = "x".repeat(256);
        let said = world.send(Get, &format!("{}/ocpi/versions", world.url), &[given[0], ("X-Request-ID", &long)], None).await;
        assert_eq!(said.header("x-request-id").unwrap().len(), 36, "more than 255 characters count as missing");
    }

    /// configuration modules ignore routing headers, also half ones, and answer without
    async fn routing_headers_mean_nothing_here(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let authorization = format!("Token {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &token_a));
        let headers = [("Authorization", authorization.as_str()), ("OCPI-to-party-id", "XXXXX"), ("OCPI-from-country-code", "Q")];
        let said = world.send(Get, &format!("{}/ocpi/2.2.1/credentials", world.url), &headers, None).await;
        assert_eq!(said.outcome(), (200, 1000));
        assert!(said.headers.iter().all(|(name, _)| !name.starts_with("ocpi-")));
    }

    /// design.md 3.4: HTTP 403 with envelope 2000, and back
    async fn a_suspended_platform_is_let_in_nowhere(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let token = peer.registered(&world, &token_a).await;
        assert_eq!(world.operator(Post, &format!("/platforms/{id}/suspend"), None).await.text("/status"), "SUSPENDED");
        for (method, path) in [(Get, "/ocpi/versions"), (Get, "/ocpi/2.2.1"), (Delete, "/ocpi/2.2.1/credentials"), (Patch, "/ocpi/2.2.1/credentials")] {
            assert_eq!(world.ocpi(method, path, &token, None).await.outcome(), (403, 2000), "{path}");
        }
        assert_eq!(world.roles("DE/ABC").await, ["CPO SUSPENDED"]);
        let fresh = world.operator(Post, &format!("/platforms/{id}/token"), None).await.text("/token_a");
        assert_eq!(peer.register(&world, &fresh, "b").await.outcome(), (403, 2000), "a new token is no way around it");
        assert_eq!(world.operator(Post, &format!("/platforms/{id}/resume"), None).await.text("/status"), "CONNECTED");
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (200, 1000));
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED"]);
    }

    /// CR-34: the operator said no while the handshake was under way
    async fn a_platform_suspended_during_its_handshake_is_not_registered(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.once("/2.2.1", crate::peer::Instead::Stall(std::time::Duration::from_millis(800)));
        let suspend = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            world.operator(Post, &format!("/platforms/{id}/suspend"), None).await
        };
        let (said, suspended) = futures_util::future::join(peer.register(&world, &token_a, "peer-token-b"), suspend).await;
        assert_eq!(suspended.http, 200);
        assert_eq!(said.outcome(), (403, 2000));
        assert_eq!(world.status(&id).await, "SUSPENDED");
        assert_eq!(world.operator(Post, &format!("/platforms/{id}/resume"), None).await.text("/status"), "PLANNED");
        assert_eq!(peer.register(&world, &token_a, "peer-token-b").await.outcome(), (200, 1000), "CR-05");
    }

    async fn health_and_descriptions_are_open_to_anybody(world: World) {
        let get = async |path: &str| world.send(Get, &format!("{}{path}", world.url), &[], None).await;
        assert_eq!(get("/health/live").await.body, json!({"status": "live"}));
        assert_eq!(get("/health/ready").await.body, json!({"status": "ready", "checks": {"database": true, "schema": true, "intact": true}}));
        for name in ["ocpi", "partner", "operator"] {
            let said = get(&format!("/openapi/{name}.yaml")).await;
            assert_eq!((said.http, said.header("content-type")), (200, Some("application/yaml")));
            assert!(said.text.starts_with("openapi: 3.1.0"));
        }
    }
}
