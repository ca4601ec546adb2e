//! Peers are told when our list of endpoints has changed (V-10).

use std::time::Duration;

use chrono::TimeDelta;

use crate::neighbours::{deaf, settled};
use crate::peer::Instead;
use crate::world::OPEN;

stories! {
    // V-10, CR-25, CR-34
    async fn a_changed_list_of_endpoints_is_announced_by_a_put_of_credentials(world: World) {
        let mut world = world;
        let willing = deaf(&world, &["CPO DE/ABC"]).await;
        let unwilling = deaf(&world, &["EMSP NL/MSA"]).await;
        unwilling.peer.once("/handshake", Instead::Answer(500, "text/plain", "not now"));
        willing.peer.hand_out("the-willing-ones-next-token");
        unwilling.peer.hand_out("the-unwilling-ones-next-token");
        settled(&world).await;
        let puts = |who: &crate::neighbours::Neighbour| who.peer.heard_of("PUT", "/handshake");
        assert!(puts(&willing).is_empty() && puts(&unwilling).is_empty(), "who has just registered knows the list");

        world.clock.advance(TimeDelta::seconds(61));
        // The same hub at another address: every endpoint has another URL.
        world.restart_with(OPEN).await;
        world.until("the PUT", async |_| puts(&willing).len() == 1 && puts(&unwilling).len() == 1).await;
        assert!(puts(&willing)[0].body["url"].as_str().unwrap().starts_with(&world.url));
        assert_eq!(willing.peer.fetched(), [200, 200], "the peer has read our versions and details again");
        let of = async |world: &crate::world::World, id: &str| world.platform(id).await["status"].clone();
        assert_eq!((of(&world, &willing.id).await, of(&world, &unwilling.id).await), ("CONNECTED".into(), "CONNECTED".into()));
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!((puts(&willing).len(), puts(&unwilling).len()), (1, 1), "no storm");

        world.clock.advance(TimeDelta::seconds(301));
        world.until("the second attempt", async |_| puts(&unwilling).len() == 2).await;
        world.restart().await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!((puts(&willing).len(), puts(&unwilling).len()), (1, 2), "what was told is remembered");
    }
}
