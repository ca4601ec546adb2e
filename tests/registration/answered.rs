//! The peer begins: POST, PUT and DELETE of its credentials at the hub.

use crate::world::Method::{Delete, Get, Patch, Post, Put};
use serde_json::json;
use std::time::Duration;

use crate::peer::{self, Instead, Peer, role};
use crate::world::{GUARDED, cpo};

const CREDENTIALS: &str = "/ocpi/2.2.1/credentials";

stories! {
    /// CR-01 to CR-04, CR-44, CR-03, R-03, M-01, M-02
    async fn a_peer_registers_and_both_sides_have_a_token_for_the_other(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        assert_eq!(world.status(&id).await, "PLANNED");
        let peer = Peer::start(peer::cpo());
        let said = peer.register(&world, &token_a, "peer-token-b").await;
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        let token_c = said.text("/data/token");
        assert!(token_c.len() <= 64 && token_c.contains('-') && token_c != token_a);
        assert_eq!(said.text("/data/url"), format!("{}/ocpi/versions", world.url));

        let asked = peer.heard();
        let paths = asked.iter().map(|heard| format!("{} {}", heard.method, heard.path)).collect::<Vec<_>>();
        assert_eq!(paths, ["GET /somewhere/versions", "GET /about/2.2.1"], "fetched with B inside the open POST");
        assert!(asked.iter().all(|heard| !heard.routing && heard.ids == (true, true)));

        let platform = world.platform(&id).await;
        assert_eq!(platform["status"], "CONNECTED");
        assert_eq!(platform["peer"]["version"], "2.2.1");
        assert_eq!(platform["peer"]["versions_url"], peer.versions_url());
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED"]);
        let versions = world.ocpi(Get, "/ocpi/versions", &token_c, None).await;
        assert_eq!(versions.outcome(), (200, 1000));
    }

    /// CR-05
    async fn token_a_is_dead_after_success(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        Peer::start(peer::cpo()).registered(&world, &token_a).await;
        for method in [Get, Post, Put, Delete] {
            assert_eq!(world.ocpi(method, CREDENTIALS, &token_a, None).await.outcome(), (401, 2000));
        }
    }

    /// CR-28, CR-34, CR-05, S-08, S-15, D-25: whatever the peer does wrong, 3001, and everything stays as it was
    async fn a_peer_whose_api_cannot_be_used_is_told_3001_and_may_try_again(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        const JSON: &str = "application/json";
        let faults = [
            ("/versions", Instead::Answer(500, JSON, r#"{"status_code":3000,"timestamp":"2026-11-21T10:00:00Z"}"#)),
            ("/versions", Instead::Answer(200, "text/html", "<html>Welcome</html>")),
            ("/versions", Instead::Answer(200, JSON, r#"{"data":[],"timestamp":"2026-11-21T10:00:00Z"}"#)),
            ("/versions", Instead::Answer(200, JSON, r#"{"data":{"version":"2.2.1"},"status_code":1000}"#)),
            ("/versions", Instead::Answer(200, JSON, r#"{"status_code":1000,"timestamp":"2026-11-21T10:00:00Z"}"#)),
            ("/versions", Instead::Answer(200, JSON, r#"{"data":[],"status_code":2001}"#)),
            ("/versions", Instead::RedirectTo(format!("{}/other/versions", peer.url))),
            ("/versions", Instead::Stall(Duration::from_secs(4))),
            ("/2.2.1", Instead::Answer(404, JSON, "{}")),
            ("/2.2.1", Instead::Answer(200, JSON, r#"{"data":{"version":"2.2","endpoints":[]},"status_code":1000}"#)),
            ("/2.2.1", Instead::Answer(200, JSON, r#"{"data":[],"status_code":1000}"#)),
        ];
        for (segment, fault) in faults {
            let described = format!("{fault:?}");
            peer.once(segment, fault);
            let said = peer.register(&world, &token_a, "peer-token-b").await;
            assert_eq!(said.outcome(), (200, 3001), "{described}: {said:?}");
            assert_eq!(world.status(&id).await, "PLANNED", "{described}");
        }
        peer.go_away().await;
        assert_eq!(peer.register(&world, &token_a, "peer-token-b").await.outcome(), (200, 3001), "nobody there");

        let peer = Peer::start(peer::cpo());
        peer.registered(&world, &token_a).await;
        assert_eq!(world.status(&id).await, "CONNECTED");
    }

    /// CR-29, CR-03, S-08: the version of the endpoint that was called counts
    async fn a_peer_without_the_version_called_is_told_3002(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.speak(&["2.1.1", "2.2", "9.9"]);
        assert_eq!(peer.register(&world, &token_a, "peer-token-b").await.outcome(), (200, 3002));
        assert_eq!(world.status(&id).await, "PLANNED");
    }

    /// CR-30, S-08
    async fn a_peer_without_a_credentials_endpoint_is_told_3003(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.hide_credentials();
        assert_eq!(peer.register(&world, &token_a, "peer-token-b").await.outcome(), (200, 3003));
        assert_eq!(world.status(&id).await, "PLANNED");
    }

    /// F-02, F-03, V-04: credentials listed twice, an entry listed twice, modules nobody knows
    async fn an_untidy_endpoint_list_is_read_as_meant(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let cdrs = format!("{}/first", peer.url);
        peer.list(json!({"identifier": "credentials", "role": "RECEIVER", "url": format!("{}/wrong", peer.url)}));
        peer.list(json!({"identifier": "cdrs", "role": "RECEIVER", "url": cdrs}));
        peer.list(json!({"identifier": "cdrs", "role": "RECEIVER", "url": format!("{}/second", peer.url)}));
        peer.list(json!({"identifier": "nltnm-custom", "role": "SENDER", "url": "https://example.com"}));
        peer.list(json!("nonsense"));
        peer.registered(&world, &token_a).await;
        let platform = world.platform(&id).await;
        let listed = platform["peer"]["endpoints"].as_array().unwrap();
        let of = |module: &str| listed.iter().filter(|e| e["identifier"] == module).map(|e| e["url"].clone()).collect::<Vec<_>>();
        assert_eq!(of("cdrs"), [json!(cdrs)]);
        assert_eq!(of("credentials"), [json!(format!("{}/my/handshake", peer.url))]);
    }

    /// CR-07, D-06
    async fn the_hub_answers_its_peer_while_the_peers_post_is_open(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.ask_back(format!("{}/ocpi/versions", world.url), &token_a);
        peer.registered(&world, &token_a).await;
        assert_eq!(peer.asked_back(), [200]);
    }

    /// CR-09: only what the operator listed, and nobody is called for the rest
    async fn a_role_that_was_not_listed_is_refused_by_its_pointer(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        for (stranger, why) in [
            (role("EMSP", "DE", "ABC"), "another role"),
            (role("CPO", "DE", "ABD"), "another party"),
            (role("CPO", "NL", "ABC"), "another country"),
            (role("HUB", "DE", "TWH"), "the hub itself"),
        ] {
            let peer = Peer::start(json!([role("CPO", "DE", "ABC"), stranger]));
            let said = peer.register(&world, &token_a, "peer-token-b").await;
            assert_eq!(said.outcome(), (200, 2001), "{why}");
            assert!(said.message().starts_with("/roles/1: "), "{}", said.message());
            assert!(peer.heard().is_empty(), "{why}: nobody is called for a list that cannot be accepted");
        }
        assert_eq!(world.roles("DE/ABC").await, ["CPO PLANNED"]);
        let said = world.operator(Patch, &format!("/platforms/{id}"), Some(json!({"parties": [
            {"country_code": "DE", "party_id": "ABC", "roles": ["CPO", "EMSP"]}]}))).await;
        assert_eq!(said.http, 200, "{said:?}");
        let peer = Peer::start(json!([role("CPO", "DE", "ABC"), role("EMSP", "de", "abc")]));
        peer.registered(&world, &token_a).await;
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED"]);
        assert_eq!(world.roles("de/abc").await, ["EMSP CONNECTED"], "each in the spelling registered (D-04)");
    }

    /// CR-33
    async fn a_role_of_another_platform_is_refused_and_the_other_stays(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let token = Peer::start(peer::cpo()).registered(&world, &token_a).await;
        let wish = json!({"name": "Impostor", "parties": [{"country_code": "de", "party_id": "aBC", "roles": ["CPO"]}]});
        let said = world.operator(Post, "/platforms", Some(wish)).await;
        assert_eq!(said.http, 409, "{said:?}");

        let (_, other_a) = world.plan(json!([{"country_code": "DE", "party_id": "XYZ", "roles": ["CPO"]}])).await;
        let said = Peer::start(peer::cpo()).register(&world, &other_a, "impostor-token").await;
        assert_eq!(said.outcome(), (200, 2001));
        assert!(said.message().starts_with("/roles/0: "));
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED"]);
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (200, 1000));
    }

    /// CR-31, CR-32, T-22, T-20, D-19
    async fn a_body_that_cannot_be_used_changes_nothing_and_calls_nobody(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let good = peer.credentials("peer-token-b");
        let with = |pointer: &str, value: serde_json::Value| {
            let mut body = good.clone();
            *body.pointer_mut(pointer).unwrap() = value;
            body
        };
        let without = |name: &str| {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(name);
            body
        };
        let twice = json!([role("CPO", "DE", "ABC"), role("CPO", "de", "abc")]);
        for (body, pointer) in [
            (without("token"), "/token"),
            (without("url"), "/url"),
            (without("roles"), "/roles"),
            (with("/token", json!("x".repeat(65))), "/token"),
            (with("/token", json!("")), "/token"),
            (with("/url", json!("not a url")), "/url"),
            (with("/url", json!(format!("{}/{}", peer.url, "x".repeat(255)))), "/url"),
            (with("/roles", json!([])), "/roles"),
            (with("/roles", twice), "/roles/1"),
            (with("/roles/0/role", json!("cpo")), "/roles/0/role"),
            (with("/roles/0/party_id", json!("ABCD")), "/roles/0/party_id"),
            (with("/roles/0/country_code", json!("D")), "/roles/0/country_code"),
            (with("/roles/0/business_details", json!(null)), "/roles/0/business_details"),
        ] {
            let said = world.ocpi(Post, CREDENTIALS, &token_a, Some(body)).await;
            assert_eq!(said.outcome(), (200, 2001), "{pointer}: {said:?}");
            assert!(said.message().starts_with(pointer), "{pointer}: {}", said.message());
        }
        let authorization = format!("Token {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &token_a));
        let url = format!("{}{CREDENTIALS}", world.url);
        let send = async |kind: &str, body: &[u8]| {
            world.send(Post, &url, &[("Authorization", &authorization), ("Content-Type", kind)], Some(body)).await.outcome()
        };
        assert_eq!(send("application/json", b"{\"token\":").await, (400, 2000));
        assert_eq!(send("application/json", b"").await, (400, 2000));
        assert_eq!(send("text/plain", good.to_string().as_bytes()).await, (415, 2000));
        assert_eq!(send("application/json", &vec![b' '; 11_000_000]).await, (413, 2000));
        assert!(peer.heard().is_empty());
        assert_eq!(world.status(&id).await, "PLANNED");
        assert_eq!(send("application/json; charset=utf-8", good.to_string().as_bytes()).await, (200, 1000));
    }

    /// CR-21, CR-22, CR-23, CR-24
    async fn a_method_that_does_not_fit_the_state_is_405(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let body = peer.credentials("peer-token-b");
        assert_eq!(world.ocpi(Put, CREDENTIALS, &token_a, Some(body.clone())).await.outcome(), (405, 2000));
        assert_eq!(world.ocpi(Delete, CREDENTIALS, &token_a, None).await.outcome(), (405, 2000));
        assert_eq!(world.ocpi(Patch, CREDENTIALS, &token_a, Some(body.clone())).await.outcome(), (405, 2000));
        let token = peer.registered(&world, &token_a).await;
        assert_eq!(world.ocpi(Post, CREDENTIALS, &token, Some(body.clone())).await.outcome(), (405, 2000));
        assert_eq!(world.ocpi(Patch, CREDENTIALS, &token, Some(body)).await.outcome(), (405, 2000));
    }

    /// CR-20, CR-38, D-06
    async fn the_credentials_shown_echo_the_token_presented_and_name_the_hub_alone(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let before = world.ocpi(Get, CREDENTIALS, &token_a, None).await;
        assert_eq!(before.outcome(), (200, 1000));
        assert_eq!(before.text("/data/token"), token_a);
        let token = Peer::start(peer::cpo()).registered(&world, &token_a).await;
        let after = world.ocpi(Get, CREDENTIALS, &token, None).await;
        assert_eq!(after.body["data"], json!({"token": token, "url": format!("{}/ocpi/versions", world.url),
            "roles": [{"role": "HUB", "country_code": "DE", "party_id": "TWH", "business_details": {"name": "Truewatt"}}]}));
    }

    /// CR-37: many roles, the same role with several parties
    async fn several_parties_share_one_platform(world: World) {
        let (id, token_a) = world.plan(json!([
            {"country_code": "DE", "party_id": "ABC", "roles": ["CPO", "EMSP"]},
            {"country_code": "NL", "party_id": "XYZ", "roles": ["CPO"]},
            {"country_code": "BE", "party_id": "NEW", "roles": ["NSP"]}])).await;
        let peer = Peer::start(json!([role("CPO", "DE", "ABC"), role("EMSP", "DE", "ABC"), role("CPO", "NL", "XYZ")]));
        peer.registered(&world, &token_a).await;
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED", "EMSP CONNECTED"]);
        assert_eq!(world.roles("NL/XYZ").await, ["CPO CONNECTED"]);
        assert_eq!(world.roles("BE/NEW").await, ["NSP PLANNED"], "listed and not claimed");
        let platform = world.platform(&id).await;
        assert_eq!(platform["parties"].as_array().unwrap().len(), 3);
        assert!(platform["parties"].as_array().unwrap().iter().any(|p| p["name"] == "XYZ GmbH"), "CR-43: its own name");
    }

    /// CR-41
    async fn roles_come_and_go_by_put(world: World) {
        let (_, token_a) = world.plan(json!([
            {"country_code": "DE", "party_id": "ABC", "roles": ["CPO", "EMSP"]}, {"country_code": "NL", "party_id": "XYZ", "roles": ["CPO"]}])).await;
        let peer = Peer::start(json!([role("CPO", "DE", "ABC"), role("EMSP", "DE", "ABC")]));
        let token = peer.registered(&world, &token_a).await;
        peer.play(json!([role("CPO", "DE", "ABC"), role("CPO", "NL", "XYZ")]));
        let said = world.ocpi(Put, CREDENTIALS, &token, Some(peer.credentials("second"))).await;
        assert_eq!(said.outcome(), (200, 1000));
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED", "EMSP SUSPENDED"]);
        assert_eq!(world.roles("NL/XYZ").await, ["CPO CONNECTED"]);
        peer.play(json!([role("EMSP", "DE", "ABC")]));
        let token = said.text("/data/token");
        let said = world.ocpi(Put, CREDENTIALS, &token, Some(peer.credentials("third"))).await;
        assert_eq!(said.outcome(), (200, 1000));
        assert_eq!(world.roles("DE/ABC").await, ["CPO SUSPENDED", "EMSP CONNECTED"]);
        peer.play(json!([role("EMSP", "DE", "ABC"), role("EMSP", "FR", "ABC")]));
        let said = world.ocpi(Put, CREDENTIALS, &said.text("/data/token"), Some(peer.credentials("fourth"))).await;
        assert_eq!(said.outcome(), (200, 2001), "not listed");
        assert_eq!(world.roles("DE/ABC").await, ["CPO SUSPENDED", "EMSP CONNECTED"]);
    }

    /// CR-25, CR-26, CR-44: nothing has changed, and everything is read again
    async fn a_put_that_changes_nothing_reads_the_peers_api_all_the_same(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let token = peer.registered(&world, &token_a).await;
        let before = world.platform(&id).await;
        peer.forget_what_was_heard();
        let said = world.ocpi(Put, CREDENTIALS, &token, Some(peer.credentials("peer-token-b"))).await;
        assert_eq!(said.outcome(), (200, 1000));
        assert_ne!(said.text("/data/token"), token);
        assert_eq!(said.body["data"]["roles"][0]["role"], "HUB");
        let paths = peer.heard().into_iter().map(|heard| heard.path).collect::<Vec<_>>();
        assert_eq!(paths, ["/somewhere/versions", "/about/2.2.1"]);
        assert_eq!(world.platform(&id).await["peer"], before["peer"]);
    }

    /// CR-25: the version of the endpoint called
    async fn put_reads_the_peers_api_again_and_switches_the_version(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.speak(&["2.2", "2.2.1"]);
        let token = peer.registered(&world, &token_a).await;
        peer.forget_what_was_heard();
        peer.list(json!({"identifier": "cdrs", "role": "SENDER", "url": format!("{}/cdrs", peer.url)}));
        let said = world.ocpi(Put, "/ocpi/2.2/credentials", &token, Some(peer.credentials("second"))).await;
        assert_eq!(said.outcome(), (200, 1000));
        let paths = peer.heard().into_iter().map(|heard| heard.path).collect::<Vec<_>>();
        assert_eq!(paths, ["/somewhere/versions", "/about/2.2"]);
        let platform = world.platform(&id).await;
        assert_eq!(platform["peer"]["version"], "2.2");
        assert!(platform["peer"]["endpoints"].to_string().contains("/cdrs"));
    }

    /// CR-34: also the old outbound token and the old endpoints
    async fn a_put_that_fails_leaves_everything_working_in_both_directions(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let token = peer.registered(&world, &token_a).await;
        let before = world.platform(&id).await;
        let elsewhere = Peer::start(peer::cpo());
        elsewhere.once("/versions", Instead::Answer(500, "text/plain", "broken"));
        let said = world.ocpi(Put, CREDENTIALS, &token, Some(elsewhere.credentials("never-kept"))).await;
        assert_eq!(said.outcome(), (200, 3001));
        assert_eq!(world.platform(&id).await, before);
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (200, 1000));
        peer.forget_what_was_heard();
        let said = world.operator(Post, &format!("/platforms/{id}/register"), Some(json!({}))).await;
        assert_eq!(said.http, 200, "the hub still reaches the peer with the old token: {said:?}");
        let authorization = format!("Token {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "peer-token-b"));
        assert_eq!(peer.heard().first().unwrap().authorization, authorization);
    }

    /// CR-27, CR-42, CR-44, HCI-17
    async fn delete_ends_everything_at_once_until_a_new_token_a(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let token = peer.registered(&world, &token_a).await;
        let said = world.ocpi(Delete, CREDENTIALS, &token, None).await;
        assert_eq!(said.outcome(), (200, 1000));
        assert!(said.body.get("data").is_none(), "S-02");
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (401, 2000));
        assert_eq!(world.ocpi(Delete, CREDENTIALS, &token, None).await.outcome(), (401, 2000));
        assert_eq!(world.status(&id).await, "SUSPENDED");
        assert_eq!(world.roles("DE/ABC").await, ["CPO SUSPENDED"]);

        peer.forget_what_was_heard();
        world.clock.advance(chrono::TimeDelta::hours(1));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(peer.heard().is_empty(), "no alive checks either");

        let fresh = world.operator(Post, &format!("/platforms/{id}/token"), None).await;
        assert_eq!(world.status(&id).await, "PLANNED");
        peer.registered(&world, &fresh.text("/token_a")).await;
        assert_eq!(world.status(&id).await, "CONNECTED");
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED"]);
    }

    /// CR-34: one TOKEN_A, one registration
    async fn of_many_registrations_with_one_token_a_exactly_one_succeeds(world: World) {
        let (_, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let all = (0..12).map(|n| {
            let (peer, world, token_a) = (peer.clone(), &world, token_a.clone());
            async move { peer.register(world, &token_a, &format!("peer-token-{n}")).await }
        });
        let all = futures_util::future::join_all(all).await;
        let good = all.iter().filter(|said| said.outcome() == (200, 1000)).collect::<Vec<_>>();
        assert_eq!(good.len(), 1, "{all:?}");
        // Those that came late were told 405 on the way in or at the end, or 401 when the token was already gone.
        assert!(all.iter().all(|said| matches!(said.outcome(), (200, 1000) | (405, 2000) | (401, 2000))), "{all:?}");
        let token = good.first().unwrap().text("/data/token");
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (200, 1000));
    }

    /// N-04, D-25, N-09
    async fn an_address_the_guard_forbids_is_not_called(world: World) {
        let mut world = world;
        world.restart_with(GUARDED).await;
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let said = peer.register(&world, &token_a, "peer-token-b").await;
        assert_eq!(said.outcome(), (200, 3001));
        assert!(peer.heard().is_empty());
        let wish = json!({"versions_url": peer.versions_url(), "token_a": "given"});
        let said = world.operator(Post, &format!("/platforms/{id}/register"), Some(wish)).await;
        assert_eq!((said.http, said.text("/field")), (422, "/versions_url".to_owned()));
        assert!(peer.heard().is_empty());
    }

    /// N-05, N-09: the token goes to hosts of the platform that issued it
    async fn a_token_is_not_shown_to_another_host(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let (peer, other) = (Peer::start(peer::cpo()), Peer::start(peer::cpo()));
        other.accept("peer-token-b");
        peer.be_elsewhere(&other.url);
        let said = peer.register(&world, &token_a, "peer-token-b").await;
        assert_eq!(said.outcome(), (200, 3001), "{said:?}");
        assert!(other.heard().is_empty());
        let host = other.url.strip_prefix("http://").unwrap();
        let said = world.operator(Patch, &format!("/platforms/{id}"), Some(json!({"options": {"allowed_hosts": [host]}}))).await;
        assert_eq!(said.http, 200, "{said:?}");
        assert_eq!(peer.register(&world, &token_a, "peer-token-b").await.outcome(), (200, 1000));
        assert_eq!(other.heard().len(), 1);
    }

    /// N-01, N-10
    async fn a_registration_survives_a_restart(world: World) {
        let mut world = world;
        let (id, token_a) = world.plan(cpo()).await;
        let token = Peer::start(peer::cpo()).registered(&world, &token_a).await;
        let before = world.platform(&id).await;
        world.restart().await;
        assert_eq!(world.platform(&id).await, before);
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (200, 1000));
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token_a, None).await.outcome(), (401, 2000));
    }
}
