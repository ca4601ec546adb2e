//! The operator API for platforms and parties: strict about what it is told, helpful about what is wrong.

use std::collections::BTreeSet;

use crate::world::Method::{Delete, Get, Patch, Post, Put};
use serde_json::{Value, json};

use crate::peer::{self, Peer, role};
use crate::world::cpo;

stories! {
    /// N-09
    async fn an_operator_needs_the_operator_token(world: World) {
        for path in ["/operator/v1/platforms", "/operator/v1/parties", "/operator/v1/nowhere", "/operator"] {
            let url = format!("{}{path}", world.url);
            for headers in [vec![], vec![("Authorization", "Bearer wrong")], vec![("Authorization", "Bearer ")],
                vec![("Authorization", "Token operator-token-of-the-tests")], vec![("Authorization", "operator-token-of-the-tests")]] {
                let said = world.send(Get, &url, &headers, None).await;
                assert_eq!((said.http, said.header("content-type")), (401, Some("application/problem+json")), "{path} {headers:?}");
                assert_eq!(said.header("www-authenticate"), Some("Bearer"));
                assert_eq!(said.body["status"], 401);
            }
        }
        let said = world.send(Get, &format!("{}/operator/v1/parties", world.url), &[("authorization", "bearer operator-token-of-the-tests")], None).await;
        assert_eq!(said.http, 200);
    }

    /// CR-01, CR-09, T-07, N-09
    async fn a_listed_platform_is_planned_and_gets_a_token_a_once(world: World) {
        let wish = json!({"name": "Müller & Söhne", "parties": [
            {"country_code": "DE", "party_id": "ABC", "roles": ["CPO", "EMSP"], "name": "ABC"},
            {"country_code": "nl", "party_id": "xyz", "roles": ["NSP"]}], "options": {"custody": false}});
        let said = world.operator(Post, "/platforms", Some(wish)).await;
        assert_eq!(said.http, 201, "{said:?}");
        let id = said.text("/id");
        assert_eq!(said.header("location").unwrap(), format!("{}/operator/v1/platforms/{id}", world.url));
        assert_eq!((said.text("/status").as_str(), said.text("/versions_url")), ("PLANNED", format!("{}/ocpi/versions", world.url)));
        assert!(said.text("/token_a").len() <= 64);
        assert_eq!(said.body["parties"], json!([
            {"country_code": "DE", "party_id": "ABC", "roles": ["CPO", "EMSP"], "name": "ABC", "status": "PLANNED"},
            {"country_code": "nl", "party_id": "xyz", "roles": ["NSP"], "name": "Müller & Söhne", "status": "PLANNED"}]));
        let mut shown = said.body.clone();
        shown.as_object_mut().unwrap().remove("token_a");
        assert_eq!(world.platform(&id).await, shown, "everything but the token can be read again");
        assert_eq!(world.operator(Get, "/platforms", None).await.body, json!({"items": [shown], "next_cursor": null}));
        assert_eq!(world.operator(Get, "/parties?limit=1", None).await.body["items"], json!([
            {"country_code": "DE", "party_id": "ABC", "role": "CPO", "name": "ABC", "platform": id, "status": "PLANNED"}]));
    }

    /// N-09
    async fn nonsense_is_refused_by_the_name_of_what_is_wrong(world: World) {
        let party = json!({"country_code": "DE", "party_id": "ABC", "roles": ["CPO"]});
        let with = |name: &str, value: Value| {
            let mut party = party.clone();
            party[name] = value;
            json!({"name": "N", "parties": [party]})
        };
        for (wish, status, field) in [
            (json!([]), 422, ""),
            (json!("x"), 422, ""),
            (json!({}), 422, "/name"),
            (json!({"name": null, "parties": [party]}), 422, "/name"),
            (json!({"name": "", "parties": [party]}), 422, "/name"),
            (json!({"name": "x".repeat(101), "parties": [party]}), 422, "/name"),
            (json!({"name": "a\u{0}b", "parties": [party]}), 422, "/name"),
            (json!({"name": 7, "parties": [party]}), 422, "/name"),
            (json!({"name": "N"}), 422, "/parties"),
            (json!({"name": "N", "parties": []}), 422, "/parties"),
            (json!({"name": "N", "parties": {}}), 422, "/parties"),
            (json!({"name": "N", "parties": ["DE/ABC"]}), 422, "/parties/0"),
            (json!({"name": "N", "parties": [party], "surprise": 1}), 422, "/surprise"),
            (json!({"name": "N", "parties": [party], "a/b": 1}), 422, "/a~1b"),
            (with("country_code", json!("DEU")), 422, "/parties/0/country_code"),
            (with("country_code", json!("D")), 422, "/parties/0/country_code"),
            (with("country_code", json!("D/")), 422, "/parties/0/country_code"),
            (with("party_id", json!("ABCD")), 422, "/parties/0/party_id"),
            (with("party_id", json!("A B")), 422, "/parties/0/party_id"),
            (with("party_id", json!("Ä")), 422, "/parties/0/party_id"),
            (with("roles", json!([])), 422, "/parties/0/roles"),
            (with("roles", json!("CPO")), 422, "/parties/0/roles"),
            (with("roles", json!(["cpo"])), 422, "/parties/0/roles/0"),
            (with("roles", json!(["CPO", null])), 422, "/parties/0/roles/1"),
            (with("status", json!("HAPPY")), 422, "/parties/0/status"),
            (with("role", json!("CPO")), 422, "/parties/0/role"),
            (json!({"name": "N", "parties": [party], "options": []}), 422, "/options"),
            (json!({"name": "N", "parties": [party], "options": {"catch_up": "yes"}}), 422, "/options/catch_up"),
            (json!({"name": "N", "parties": [party], "options": {"timeouts": {"relay_s": 0}}}), 422, "/options/timeouts/relay_s"),
        ] {
            let said = world.operator(Post, "/platforms", Some(wish.clone())).await;
            assert_eq!((said.http, said.text("/field").as_str()), (status, field), "{wish}: {said:?}");
            assert!(said.header("content-type").is_some_and(|it| it.starts_with("application/problem+json")));
            assert!(said.text("/detail").len() > field.len() + 5, "a reason: {said:?}");
        }
        for (wish, why) in [
            (with("party_id", json!("TWH")), "the hub itself"),
            (with("roles", json!(["CPO", "CPO"])), "twice"),
            (json!({"name": "N", "parties": [party, {"country_code": "de", "party_id": "abc", "roles": ["CPO"]}]}), "twice in two spellings"),
        ] {
            assert_eq!(world.operator(Post, "/platforms", Some(wish)).await.http, 409, "{why}");
        }
        assert_eq!(world.operator(Get, "/parties", None).await.body["items"], json!([]), "nothing was kept");
    }

    async fn a_body_must_be_json_and_of_reasonable_size(world: World) {
        let url = format!("{}/operator/v1/platforms", world.url);
        let send = async |kind: &str, body: &[u8]| {
            let headers = [("Authorization", "Bearer operator-token-of-the-tests"), ("Content-Type", kind)];
            let said = world.send(Post, &url, &headers, Some(body)).await;
            assert_eq!(said.header("content-type"), Some("application/problem+json"));
            assert_eq!(said.body["status"], said.http);
            said.http
        };
        assert_eq!(send("application/json", b"{").await, 400);
        assert_eq!(send("application/json", b"").await, 400);
        assert_eq!(send("application/json", b"\xff\xfe").await, 400);
        assert_eq!(send("application/json", "[".repeat(100_000).as_bytes()).await, 400);
        assert_eq!(send("text/plain", b"{}").await, 415);
        assert_eq!(send("application/json", &vec![b' '; 2_000_000]).await, 413);
    }

    async fn a_wrong_method_names_the_right_ones(world: World) {
        let said = world.operator(Put, "/platforms", Some(json!({}))).await;
        assert_eq!((said.http, said.header("allow")), (405, Some("POST, GET")));
        assert_eq!(world.operator(Delete, "/parties", None).await.http, 405);
        assert_eq!(world.operator(Get, "/platforms/x/suspend", None).await.http, 405);
        assert_eq!(world.operator(Get, "/nowhere", None).await.http, 404);
    }

    async fn an_unknown_platform_is_404_everywhere(world: World) {
        for id in ["nothing", "00000000-0000-0000-0000-000000000000", "%00", "..%2F..", "%F0%9F%92%A9"] {
            assert_eq!(world.operator(Get, &format!("/platforms/{id}"), None).await.http, 404, "{id}");
            assert_eq!(world.operator(Patch, &format!("/platforms/{id}"), Some(json!({"name": "N"}))).await.http, 404, "{id}");
            assert_eq!(world.operator(Delete, &format!("/platforms/{id}"), None).await.http, 404, "{id}");
            for action in ["suspend", "resume", "token"] {
                assert_eq!(world.operator(Post, &format!("/platforms/{id}/{action}"), None).await.http, 404, "{id}");
            }
        }
    }

    /// N-09
    async fn lists_are_cut_into_pages_by_cursor(world: World) {
        for n in 0..7 {
            let parties = json!([{"country_code": "DE", "party_id": format!("P{n}"), "roles": ["CPO", "EMSP"]}]);
            world.plan(parties).await;
        }
        for (list, total) in [("platforms", 7usize), ("parties", 14)] {
            let (mut seen, mut cursor, mut pages) = (BTreeSet::new(), String::new(), 0usize);
            loop {
                let page = world.operator(Get, &format!("/{list}?limit=3{cursor}"), None).await;
                assert_eq!(page.http, 200, "{page:?}");
                let items = page.body["items"].as_array().unwrap();
                assert!(items.len() <= 3);
                assert!(items.iter().all(|item| seen.insert(item.to_string())), "none twice");
                pages += 1;
                match page.body["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!((seen.len(), pages), (total, total.div_ceil(3)));
        }
        for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"),
            ("limit=%2B5", "limit"), ("limit=", "limit"), ("cursor=", "cursor"), ("cursor=!", "cursor"), ("nonsense=1", "nonsense"), ("limit=1&limit=2", "limit"), ("cursor=%00", "cursor")] {
            let said = world.operator(Get, &format!("/platforms?{query}"), None).await;
            assert_eq!((said.http, said.text("/field").as_str()), (400, field), "{query}");
        }
    }

    /// N-09
    async fn a_patch_changes_what_it_names(world: World) {
        let (id, _) = world.plan_with(cpo(), json!({"custody": true, "timeouts": {"relay_s": 9}})).await;
        let before = world.platform(&id).await;
        let path = format!("/platforms/{id}");
        assert_eq!(world.operator(Patch, &path, Some(json!({}))).await.body, before);
        assert_eq!(world.operator(Patch, &path, Some(json!({"name": null, "parties": null, "options": null}))).await.body, before);
        let said = world.operator(Patch, &path, Some(json!({"name": "Other", "options": {"custody": null, "invalid_cdrs": "hold"}}))).await;
        assert_eq!(said.text("/name"), "Other");
        assert_eq!(said.body["options"], json!({"token_encoding": "auto", "allowed_hosts": [], "metering_marker": "on_problem",
            "invalid_cdrs": "hold", "custody": null, "custom_modules": false, "strict": false, "catch_up": false, "require_sample": null, "publickeys": false,
            "cdrvalidations": false, "client_certificate": null,
            "timeouts": {"relay_s": 9}}));
        assert_eq!(said.body["parties"], before["parties"]);
        for wish in [json!({"name": "Third", "options": {"custody": 1}}), json!({"name": "Third", "parties": [{}]}), json!({"name": "Third", "nme": 1})] {
            assert_eq!(world.operator(Patch, &path, Some(wish)).await.http, 422);
        }
        assert_eq!(world.platform(&id).await, said.body, "a patch with one wrong member changes nothing");
        let read_and_sent_back = json!({"parties": said.body["parties"], "options": said.body["options"], "name": "Other"});
        assert_eq!(world.operator(Patch, &path, Some(read_and_sent_back)).await.body, said.body);
    }

    /// CR-41: a registered role is dropped by its platform, not by a list
    async fn a_new_list_of_parties_does_not_cut_off_a_registered_one(world: World) {
        let (id, token_a) = world.plan(json!([{"country_code": "DE", "party_id": "ABC", "roles": ["CPO"]},
            {"country_code": "DE", "party_id": "OLD", "roles": ["CPO"]}])).await;
        let peer = Peer::start(peer::cpo());
        let token = peer.registered(&world, &token_a).await;
        let path = format!("/platforms/{id}");
        let new = json!({"parties": [{"country_code": "DE", "party_id": "NEW", "roles": ["CPO"]}]});
        assert_eq!(world.operator(Patch, &path, Some(new)).await.http, 200);
        assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED"]);
        assert_eq!(world.roles("DE/NEW").await, ["CPO PLANNED"]);
        assert!(world.roles("DE/OLD").await.is_empty());
        peer.play(json!([role("CPO", "DE", "NEW")]));
        assert_eq!(world.ocpi(Put, "/ocpi/2.2.1/credentials", &token, Some(peer.credentials("second"))).await.outcome(), (200, 1000));
        assert_eq!(world.roles("DE/ABC").await, ["CPO SUSPENDED"]);
        let (other, _) = world.plan(json!([{"country_code": "DE", "party_id": "OTH", "roles": ["CPO"]}])).await;
        let taken = json!({"parties": [{"country_code": "de", "party_id": "new", "roles": ["CPO"]}]});
        assert_eq!(world.operator(Patch, &format!("/platforms/{other}"), Some(taken)).await.http, 409, "CR-33");
    }

    /// N-09
    async fn suspending_and_resuming_twice_changes_nothing(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        for _ in 0..2 {
            assert_eq!(world.operator(Post, &format!("/platforms/{id}/suspend"), None).await.text("/status"), "SUSPENDED");
        }
        for _ in 0..2 {
            assert_eq!(world.operator(Post, &format!("/platforms/{id}/resume"), None).await.text("/status"), "PLANNED");
        }
        Peer::start(peer::cpo()).registered(&world, &token_a).await;
    }
}
