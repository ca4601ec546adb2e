//! Platforms that listen to what the hub tells them, at a URL no convention would guess.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::peer::{self, Peer};
use crate::world::Method::Get;
use crate::world::World;

/// A registered platform.
pub struct Neighbour {
    pub id: String,
    pub token: String,
    pub peer: Peer,
}

/// Registers `parties` (`CPO DE/ABC`), which listen, and forgets what was heard so far.
pub async fn listening(world: &World, parties: &[&str]) -> Neighbour {
    let peer = Peer::start(roles(parties));
    let url = format!("{}/told/of/them/?who=hub", peer.url);
    peer.list(json!({"identifier": "hubclientinfo", "role": "RECEIVER", "url": url}));
    registered(world, parties, peer).await
}

/// Registers parties that have no such interface.
pub async fn deaf(world: &World, parties: &[&str]) -> Neighbour {
    registered(world, parties, Peer::start(roles(parties))).await
}

/// Registers parties with custom modules at these URLs below the peer's own: `RECEIVER nltst-parking /told/p`.
pub async fn with_custom_modules(world: &World, parties: &[&str], modules: &[&str]) -> Neighbour {
    let peer = Peer::start(roles(parties));
    for module in modules {
        let [role, identifier, path] = module.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{module}")
        };
        peer.list(json!({"identifier": identifier, "role": role, "url": format!("{}{path}", peer.url)}));
    }
    registered_with(world, parties, peer, json!({"custom_modules": true})).await
}

async fn registered(world: &World, parties: &[&str], peer: Peer) -> Neighbour {
    registered_with(world, parties, peer, json!({})).await
}

async fn registered_with(world: &World, parties: &[&str], peer: Peer, options: Value) -> Neighbour {
    let (id, token_a) = world.plan_with(listed(parties), options).await;
    // Else PLANNED would be replaced by CONNECTED before anybody was told.
    world
        .until("all are told", async |world| {
            let duties = world.operator(Get, "/duties", None).await.body;
            duties["items"].as_array().unwrap().is_empty()
        })
        .await;
    // Every token of this world is another one.
    let said = peer.register(world, &token_a, &format!("token-b-of-{id}")).await;
    assert_eq!(said.outcome(), (200, 1000), "{said:?}");
    let token = said.text("/data/token");
    settled(world).await;
    peer.forget_what_was_heard();
    Neighbour { id, token, peer }
}

impl Neighbour {
    /// What it was told, as `DE/ABC CPO OFFLINE`, in the order in which it was told.
    pub fn told(&self) -> Vec<String> {
        let puts = self.peer.heard().into_iter().filter(|heard| heard.method == "PUT");
        puts.filter_map(|heard| {
            let party = heard.path.strip_prefix("/told/of/them/")?.to_owned();
            assert!(!heard.routing, "HCI-04: no routing headers: {heard:?}");
            assert_eq!(
                party,
                format!(
                    "{}/{}",
                    text(&heard.body, "country_code"),
                    text(&heard.body, "party_id")
                )
            );
            assert!(text(&heard.body, "last_updated").ends_with('Z'));
            assert_eq!(heard.query, "who=hub", "U-04: its own query stays");
            let members: Vec<&String> = heard.body.as_object().unwrap().keys().collect();
            assert_eq!(
                members.len(),
                5,
                "HCI-02: the full object and nothing else: {members:?}"
            );
            Some(format!(
                "{party} {} {}",
                text(&heard.body, "role"),
                text(&heard.body, "status")
            ))
        })
        .collect()
    }

    /// What it reads of the others.
    pub async fn reads(&self, world: &World) -> Vec<String> {
        let said = self.list(world, "").await;
        let items = said["data"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| {
                let party = format!("{}/{}", text(item, "country_code"), text(item, "party_id"));
                format!("{party} {} {}", text(item, "role"), text(item, "status"))
            })
            .collect()
    }

    /// A page of its list.
    pub async fn list(&self, world: &World, query: &str) -> Value {
        let said = world
            .ocpi(Get, &format!("/ocpi/2.2.1/hubclientinfo{query}"), &self.token, None)
            .await;
        assert_eq!(said.outcome(), (200, 1000), "{said:?}");
        said.body
    }

    /// It is heard, so that nobody has to look after it.
    pub async fn says_hello(&self, world: &World) {
        world.ocpi(Get, "/ocpi/versions", &self.token, None).await;
    }
}

/// Waits until it has been told exactly this: of every party in this order. Different parties are told side by side.
pub async fn hears(world: &World, who: &Neighbour, what: &[&str]) {
    let what = by_party(what.iter().map(|line| (*line).to_owned()).collect());
    for _ in 0..200 {
        if by_party(who.told()) == what {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    settled(world).await;
    assert_eq!(by_party(who.told()), what);
}

/// PLANNED that CONNECTED follows may be heard or not: a newer state takes the place of one nobody was told yet.
fn by_party(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_by(|one, other| one.split(' ').next().cmp(&other.split(' ').next()));
    let followed = |at: usize| {
        let (line, next) = (&lines[at], lines.get(at + 1));
        line.strip_suffix("PLANNED")
            .is_some_and(|who| next.is_some_and(|next| *next == format!("{who}CONNECTED")))
    };
    let kept = (0..lines.len()).filter(|at| !followed(*at)).map(|at| lines[at].clone());
    kept.collect()
}

/// Lets the hub do what it has to do, and time enough to do it twice.
pub async fn settled(world: &World) {
    tokio::time::sleep(Duration::from_millis(1300)).await;
    world.hub().delivery.nudge();
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Time passes until a platform that does not answer is OFFLINE; all others are heard meanwhile.
pub async fn goes_away(world: &World, who: &Neighbour, others: &[&Neighbour]) {
    who.peer.go_away().await;
    world.clock.advance(TimeDelta::seconds(300));
    for _ in 0..3 {
        for other in others {
            other.says_hello(world).await;
        }
        tokio::time::sleep(Duration::from_millis(1300)).await;
        world.clock.advance(TimeDelta::seconds(5));
    }
    world
        .until("OFFLINE", async |world| world.status(&who.id).await == "OFFLINE")
        .await;
}

pub fn listed(parties: &[&str]) -> Value {
    let one = |text: &&str| {
        let (role, party) = text.split_once(' ').unwrap();
        let (country_code, party_id) = party.split_once('/').unwrap();
        json!({"country_code": country_code, "party_id": party_id, "roles": [role]})
    };
    parties.iter().map(one).collect()
}

pub fn roles(parties: &[&str]) -> Value {
    let one = |text: &&str| {
        let (role, party) = text.split_once(' ').unwrap();
        let (country_code, party_id) = party.split_once('/').unwrap();
        peer::role(role, country_code, party_id)
    };
    parties.iter().map(one).collect()
}

fn text(value: &Value, member: &str) -> String {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {value}"))
        .to_owned()
}
