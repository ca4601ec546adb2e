//! Who is awake, and that several processes on one database agree on who is connected.

use crate::world::Method::{Get, Post};
use chrono::TimeDelta;
use std::time::Duration;
use truewatt::routing::directory::PlatformStatus;

use crate::peer::{self, Peer};
use crate::world::cpo;

stories! {
    /// HCI-08, HCI-09, HCI-10, HCI-11, D-21, V-11
    /// HCI-07
    async fn a_silent_peer_is_asked_and_goes_offline_and_comes_back(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let mut peer = Peer::start(peer::cpo());
        let token = peer.registered(&world, &token_a).await;
        peer.forget_what_was_heard();
        let mut changes = world.hub().parties.presence().changes();

        world.clock.advance(TimeDelta::seconds(299));
        tokio::time::sleep(Duration::from_millis(1300)).await;
        assert!(peer.heard().is_empty(), "not before five minutes of silence");
        world.clock.advance(TimeDelta::seconds(1));
        world.until("the alive check", async |_| peer.heard_of("GET", "/versions").len() == 1).await;
        assert_eq!(world.status(&id).await, "CONNECTED");

        peer.go_away().await;
        world.clock.advance(TimeDelta::seconds(300));
        tokio::time::sleep(Duration::from_millis(1300)).await;
        assert_eq!(world.status(&id).await, "CONNECTED", "one failed check is no proof");
        // The next one is due five seconds after the first, whenever that was.
        world.until("OFFLINE after the second", async |world| {
            world.clock.advance(TimeDelta::seconds(5));
            world.status(&id).await == "OFFLINE"
        }).await;
        assert_eq!(world.roles("DE/ABC").await, ["CPO OFFLINE"]);
        let change = changes.recv().await.unwrap();
        assert_eq!((change.platform.as_str(), change.status), (id.as_str(), PlatformStatus::Offline));

        peer.come_back();
        world.clock.advance(TimeDelta::seconds(5));
        world.until("CONNECTED on the first success", async |world| world.status(&id).await == "CONNECTED").await;
        assert_eq!(changes.recv().await.unwrap().status, PlatformStatus::Connected);

        peer.go_away().await;
        world.clock.advance(TimeDelta::seconds(300));
        world.until("OFFLINE again", async |world| {
            world.clock.advance(TimeDelta::seconds(5));
            world.status(&id).await == "OFFLINE"
        }).await;
        assert_eq!(world.ocpi(Get, "/ocpi/versions", &token, None).await.outcome(), (200, 1000));
        assert_eq!(world.status(&id).await, "CONNECTED", "any request of theirs is evidence of life");
    }

    /// R-43, CR-42
    async fn a_suspended_peer_is_never_called(world: World) {
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        peer.registered(&world, &token_a).await;
        world.operator(Post, &format!("/platforms/{id}/suspend"), None).await;
        peer.forget_what_was_heard();
        world.clock.advance(TimeDelta::hours(2));
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!(peer.heard().is_empty());
    }

    /// N-10
    async fn what_one_process_learns_the_other_knows(world: World) {
        let other = world.second_hub().await;
        let (id, token_a) = world.plan(cpo()).await;
        let peer = Peer::start(peer::cpo());
        let token = peer.registered(&world, &token_a).await;
        let ask = async |token: &str| {
            let authorization = format!("Token {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, token));
            let url = format!("{}/ocpi/versions", other.url);
            world.send(Get, &url, &[("Authorization", &authorization)], None).await.outcome()
        };
        world.until("the other lets the peer in", async |_| ask(&token).await == (200, 1000)).await;
        assert_eq!(ask(&token_a).await, (401, 2000));
        world.operator(Post, &format!("/platforms/{id}/suspend"), None).await;
        world.until("the other heard of the suspension", async |_| ask(&token).await == (403, 2000)).await;
        other.stop().await;
    }
}
