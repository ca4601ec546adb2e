//! A party changes its state, and those concerned are told: once, and nobody else.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use truewatt::ocpi::ids::PlatformId;

use crate::neighbours::{deaf, goes_away, hears, listed, listening, roles, settled};
use crate::peer::Instead;
use crate::world::Method::{Delete, Get, Patch, Post, Put};

const NOTHING: [&str; 0] = [];

stories! {
    // HCI-02, HCI-04, HCI-06, HCI-09, HCI-10, HCI-11, HCI-12, HCI-17, D-21
    async fn a_party_goes_away_and_comes_back_and_those_concerned_are_told_once_each(world: World) {
        let mut cpo = listening(&world, &["CPO DE/ABC", "CPO DE/ABD"]).await;
        let one = listening(&world, &["EMSP NL/MSA", "EMSP NL/MSB"]).await;
        let other = listening(&world, &["NSP NL/NSP"]).await;
        let silent = deaf(&world, &["EMSP FR/MSC"]).await;
        let rival = listening(&world, &["CPO FR/CPO"]).await;
        hears(&world, &cpo, &["NL/MSA EMSP PLANNED", "NL/MSB EMSP PLANNED", "NL/MSA EMSP CONNECTED", "NL/MSB EMSP CONNECTED",
            "NL/NSP NSP PLANNED", "NL/NSP NSP CONNECTED", "FR/MSC EMSP PLANNED", "FR/MSC EMSP CONNECTED"]).await;
        for heard in [&cpo, &one, &other, &silent, &rival] {
            heard.peer.forget_what_was_heard();
        }

        goes_away(&world, &cpo, &[&one, &other, &silent, &rival]).await;
        for concerned in [&one, &other] {
            hears(&world, concerned, &["DE/ABC CPO OFFLINE", "DE/ABD CPO OFFLINE"]).await;
        }
        assert!(silent.told().is_empty() && silent.peer.heard().iter().all(|heard| heard.method == "GET"));
        assert_eq!(rival.told(), NOTHING, "nobody of the same side");
        assert_eq!(one.reads(&world).await, ["DE/ABC CPO OFFLINE", "DE/ABD CPO OFFLINE", "FR/CPO CPO CONNECTED"]);
        assert_eq!(world.operator(Get, "/overview", None).await.body["offline"][0]["id"], cpo.id.as_str());
        assert!(world.platform(&cpo.id).await["since"].as_str().unwrap() > "2026-11-21T10:05:00");

        cpo.peer.come_back();
        cpo.peer.forget_what_was_heard();
        world.clock.advance(TimeDelta::seconds(5));
        let back = ["DE/ABC CPO OFFLINE", "DE/ABD CPO OFFLINE", "DE/ABC CPO CONNECTED", "DE/ABD CPO CONNECTED"];
        for concerned in [&one, &other] {
            hears(&world, concerned, &back).await;
        }
        assert_eq!(cpo.told(), NOTHING, "never about itself");
        assert_eq!(rival.told(), NOTHING);
    }

    // HCI-10, N-01, N-10
    async fn a_restart_begins_with_what_was_known(world: World) {
        let mut world = world;
        let mut cpo = listening(&world, &["CPO DE/ABC"]).await;
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        goes_away(&world, &cpo, &[&emsp]).await;
        hears(&world, &emsp, &["DE/ABC CPO OFFLINE"]).await;
        let since = world.platform(&cpo.id).await["since"].clone();
        world.restart().await;
        assert_eq!(world.status(&cpo.id).await, "OFFLINE");
        assert_eq!(world.platform(&cpo.id).await["since"], since);
        settled(&world).await;
        hears(&world, &emsp, &["DE/ABC CPO OFFLINE"]).await;
        cpo.peer.come_back();
        world.clock.advance(TimeDelta::seconds(5));
        hears(&world, &emsp, &["DE/ABC CPO OFFLINE", "DE/ABC CPO CONNECTED"]).await;
    }

    // HCI-10, HCI-12, N-10
    async fn two_processes_tell_once(world: World) {
        let second = world.twin().await;
        let mut cpo = listening(&world, &["CPO DE/ABC"]).await;
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        goes_away(&world, &cpo, &[&emsp]).await;
        hears(&world, &emsp, &["DE/ABC CPO OFFLINE"]).await;
        let id = PlatformId::from(cpo.id.as_str());
        let seen = second.parties.snapshot().directory().platform(&id).unwrap().status;
        assert_eq!(seen.as_str(), "OFFLINE", "what one process learns the other knows");
        cpo.peer.come_back();
        world.clock.advance(TimeDelta::seconds(5));
        hears(&world, &emsp, &["DE/ABC CPO OFFLINE", "DE/ABC CPO CONNECTED"]).await;
        second.stop().await;
    }

    // HCI-10, D-21
    async fn flapping_is_nobodys_news(world: World) {
        let cpo = listening(&world, &["CPO DE/ABC"]).await;
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        let before = emsp.list(&world, "").await["data"].clone();
        let id = PlatformId::from(cpo.id.as_str());
        for _ in 0..3 {
            for _ in 0..2 {
                world.hub().parties.presence().unreachable(&id);
            }
            assert_eq!(world.roles("DE/ABC").await, ["CPO OFFLINE"], "this process spares itself the attempt");
            settled(&world).await;
            cpo.says_hello(&world).await;
            assert_eq!(world.roles("DE/ABC").await, ["CPO CONNECTED"]);
            settled(&world).await;
        }
        assert_eq!(emsp.told(), NOTHING);
        assert_eq!(emsp.list(&world, "").await["data"], before, "not even last_updated has moved");
    }

    // D-15, D-21, HCI-08
    async fn a_call_that_times_out_makes_the_check_due_and_only_failed_checks_count(world: World) {
        let cpo = listening(&world, &["CPO DE/ABC"]).await;
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        let id = PlatformId::from(cpo.id.as_str());
        world.clock.advance(TimeDelta::seconds(10));
        emsp.says_hello(&world).await;
        cpo.says_hello(&world).await;
        cpo.peer.forget_what_was_heard();
        for _ in 0..5 {
            world.hub().parties.presence().stalled(&id);
        }
        world.until("the check", async |_| cpo.peer.heard_of("GET", "/versions").len() == 1).await;
        settled(&world).await;
        assert_eq!(world.status(&cpo.id).await, "CONNECTED", "it answers checks");
        for _ in 0..2 {
            cpo.peer.once("/versions", Instead::Stall(Duration::from_secs(4)));
        }
        for _ in 0..2 {
            world.hub().parties.presence().stalled(&id);
            world.clock.advance(TimeDelta::seconds(5));
            tokio::time::sleep(Duration::from_millis(3500)).await;
        }
        world.until("OFFLINE", async |world| world.status(&cpo.id).await == "OFFLINE").await;
    }

    // HCI-03, HCI-05, HCI-16, HCI-17, CR-41, CR-42
    async fn what_operator_and_peer_change_is_told_and_nothing_is_ever_deleted(world: World) {
        let emsp = listening(&world, &["EMSP NL/MSA"]).await;
        let cpo = listening(&world, &["CPO DE/ABC", "CPO DE/ABD"]).await;
        hears(&world, &emsp, &["DE/ABC CPO PLANNED", "DE/ABD CPO PLANNED", "DE/ABC CPO CONNECTED", "DE/ABD CPO CONNECTED"]).await;

        emsp.peer.forget_what_was_heard();
        cpo.peer.play(roles(&["CPO DE/ABC"]));
        let said = world.ocpi(Put, "/ocpi/2.2.1/credentials", &cpo.token, Some(cpo.peer.credentials("another-token-b"))).await;
        assert_eq!(said.outcome(), (200, 1000));
        let token = said.text("/data/token");
        hears(&world, &emsp, &["DE/ABD CPO SUSPENDED"]).await;

        let wish = json!({"parties": listed(&["CPO DE/ABC", "CPO DE/ABD", "CPO DE/NEW"])});
        assert_eq!(world.operator(Patch, &format!("/platforms/{}", cpo.id), Some(wish)).await.http, 200);
        hears(&world, &emsp, &["DE/ABD CPO SUSPENDED", "DE/NEW CPO PLANNED"]).await;

        cpo.peer.play(roles(&["CPO DE/ABC", "CPO DE/NEW"]));
        let said = world.ocpi(Put, "/ocpi/2.2.1/credentials", &token, Some(cpo.peer.credentials("third-token-b"))).await;
        let token = said.text("/data/token");
        hears(&world, &emsp, &["DE/ABD CPO SUSPENDED", "DE/NEW CPO PLANNED", "DE/NEW CPO CONNECTED"]).await;

        emsp.peer.forget_what_was_heard();
        world.operator(Post, &format!("/platforms/{}/suspend", cpo.id), None).await;
        hears(&world, &emsp, &["DE/ABC CPO SUSPENDED", "DE/NEW CPO SUSPENDED"]).await;
        world.operator(Post, &format!("/platforms/{}/resume", cpo.id), None).await;
        hears(&world, &emsp, &["DE/ABC CPO SUSPENDED", "DE/NEW CPO SUSPENDED", "DE/ABC CPO CONNECTED", "DE/NEW CPO CONNECTED"]).await;

        emsp.peer.forget_what_was_heard();
        assert_eq!(world.ocpi(Delete, "/ocpi/2.2.1/credentials", &token, None).await.outcome(), (200, 1000));
        hears(&world, &emsp, &["DE/ABC CPO SUSPENDED", "DE/NEW CPO SUSPENDED"]).await;
        assert_eq!(world.operator(Delete, &format!("/platforms/{}", cpo.id), None).await.http, 204);
        settled(&world).await;
        assert_eq!(emsp.reads(&world).await, ["DE/ABC CPO SUSPENDED", "DE/ABD CPO SUSPENDED", "DE/NEW CPO SUSPENDED"]);
        assert_eq!(emsp.told().len(), 2, "SUSPENDED is said once");
    }

    // HCI-13, R-43
    async fn a_platform_that_is_away_is_told_the_newest_state_when_it_is_back(world: World) {
        let mut emsp = listening(&world, &["EMSP NL/MSA"]).await;
        let cpo = listening(&world, &["CPO DE/ABC"]).await;
        hears(&world, &emsp, &["DE/ABC CPO PLANNED", "DE/ABC CPO CONNECTED"]).await;
        goes_away(&world, &emsp, &[&cpo]).await;
        for _ in 0..2 {
            world.operator(Post, &format!("/platforms/{}/suspend", cpo.id), None).await;
            world.operator(Post, &format!("/platforms/{}/resume", cpo.id), None).await;
        }
        world.operator(Post, &format!("/platforms/{}/suspend", cpo.id), None).await;
        settled(&world).await;
        let duties = world.operator(Get, "/duties", None).await.body;
        assert_eq!(duties["items"].as_array().unwrap().len(), 1, "a newer state replaces the older one: {duties}");
        assert_eq!(duties["items"][0]["object"], "DE/ABC/CPO");
        emsp.peer.forget_what_was_heard();
        emsp.peer.come_back();
        world.clock.advance(TimeDelta::seconds(5));
        hears(&world, &emsp, &["DE/ABC CPO SUSPENDED"]).await;

        world.operator(Post, &format!("/platforms/{}/suspend", emsp.id), None).await;
        emsp.peer.forget_what_was_heard();
        world.operator(Post, &format!("/platforms/{}/resume", cpo.id), None).await;
        settled(&world).await;
        assert_eq!(emsp.told(), NOTHING, "a suspended platform is told nothing");
        let duties = world.operator(Get, "/duties", None).await.body;
        assert!(duties["items"].as_array().unwrap().iter().all(|duty| duty["platform"] != emsp.id.as_str()), "{duties}");
        world.operator(Post, &format!("/platforms/{}/resume", emsp.id), None).await;
        hears(&world, &emsp, &["DE/ABC CPO CONNECTED"]).await;
    }

    // HCI-02, HCI-12, D-21
    async fn the_cpo_role_of_a_party_is_told_first_and_a_receiver_in_trouble_is_told_again(world: World) {
        let emsp = listening(&world, &["EMSP NL/MSA", "SCSP NL/MSA"]).await;
        let both = listening(&world, &["EMSP DE/ABC", "CPO DE/ABC"]).await;
        let planned = ["DE/ABC CPO PLANNED", "DE/ABC EMSP PLANNED", "DE/ABC CPO CONNECTED", "DE/ABC EMSP CONNECTED"];
        hears(&world, &emsp, &planned).await;
        emsp.peer.forget_what_was_heard();
        emsp.peer.once("/DE/ABC", Instead::Answer(500, "text/html", "oops"));
        world.operator(Post, &format!("/platforms/{}/suspend", both.id), None).await;
        world.until("the first attempt", async |_| emsp.told().len() == 1).await;
        for _ in 0..5 {
            world.clock.advance(TimeDelta::seconds(11));
            emsp.says_hello(&world).await;
            settled(&world).await;
        }
        hears(&world, &emsp, &["DE/ABC CPO SUSPENDED", "DE/ABC CPO SUSPENDED", "DE/ABC EMSP SUSPENDED"]).await;
        let journal = world.operator(Get, "/journal?object=DE/ABC/CPO", None).await.body;
        assert_eq!(journal["items"][0]["outcome"], "told SUSPENDED");
        assert_eq!(journal["items"][1]["http_status"], 500);
    }

    // HCI-01, HCI-03, HCI-18, R-03, P-02, P-04, P-05, P-06, P-10, D-10
    async fn the_list_is_paged_filtered_and_read_only(world: World) {
        let emsp = deaf(&world, &["EMSP NL/MSA"]).await;
        let cpo = deaf(&world, &["CPO DE/C01", "CPO DE/C02", "CPO DE/C03"]).await;
        let url = "/ocpi/2.2.1/hubclientinfo";
        let first = world.ocpi(Get, &format!("{url}?limit=2"), &emsp.token, None).await;
        assert_eq!((first.header("X-Total-Count"), first.header("X-Limit")), (Some("3"), Some("2")));
        assert!(first.headers.iter().all(|(name, _)| !name.to_ascii_lowercase().starts_with("ocpi-")));
        let link = first.header("Link").unwrap().to_owned();
        let next = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
        let rest = world.ocpi(Get, next.strip_prefix(&world.url).unwrap(), &emsp.token, None).await;
        assert_eq!(rest.body["data"].as_array().unwrap().len(), 1);
        assert_eq!(rest.header("Link"), None);
        assert_eq!(rest.body["data"][0]["party_id"], "C03", "in the order of creation");

        world.clock.advance(TimeDelta::seconds(60));
        world.operator(Post, &format!("/platforms/{}/suspend", cpo.id), None).await;
        let pushed = emsp.list(&world, "?date_from=2026-11-21T10:01:00Z").await;
        assert_eq!(pushed["data"].as_array().unwrap().len(), 3);
        assert_eq!(pushed["data"][0], json!({"party_id": "C01", "country_code": "DE", "role": "CPO", "status": "SUSPENDED",
            "last_updated": "2026-11-21T10:01:00Z"}));
        assert_eq!(emsp.list(&world, "?date_to=2026-11-21T10:01:00Z").await["data"], json!([]));
        assert_eq!(world.ocpi(Get, &format!("{url}?limit=0"), &emsp.token, None).await.outcome(), (200, 2001));
        for method in [Put, Post, Patch, Delete] {
            let said = world.ocpi(method, url, &emsp.token, Some(json!({}))).await;
            assert_eq!(said.outcome().0, 405, "{method:?}");
        }
        let authorization = format!("Token {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &emsp.token));
        let headers = [("Authorization", authorization.as_str()), ("OCPI-to-party-id", "X")];
        let said = world.send(Get, &format!("{}{url}", world.url), &headers, None).await;
        assert_eq!(said.outcome(), (200, 1000), "half a pair of routing headers is none of this module's business");
        let (_, token_a) = world.plan(listed(&["EMSP NL/MSX"])).await;
        assert_eq!(world.ocpi(Get, url, &token_a, None).await.outcome(), (401, 2000));
    }
}
