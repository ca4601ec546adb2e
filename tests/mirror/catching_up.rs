//! A platform with `catch_up` is told what it missed: each object once, as it is when the platform can hear it again.

use chrono::TimeDelta;
use serde_json::json;
use truewatt::client::Method;
use truewatt::clock::Clock;
use truewatt::routing::directory::PlatformStatus;

use crate::common::listed::{Listing, Platform, bare};
use crate::objects::{evse, location, tariff, token};
use crate::on_both;
use crate::peer::{Answer, Got, Peer};
use crate::world::{HUB, World};

const EIGHT: &str = "2026-11-21T08:00:00Z";

async fn listener(world: &World, parties: &[&str], peer: &Peer, catch_up: bool) -> Platform {
    let endpoint =
        |module: &str| json!({"identifier": module, "role": "RECEIVER", "url": peer.url(&format!("/{module}"))});
    let listing = Listing {
        endpoints: json!([endpoint("locations"), endpoint("tariffs"), endpoint("tokens")]),
        versions_url: peer.url("/versions"),
        options: if catch_up { json!({"catch_up": true}) } else { json!({}) },
        ..bare(parties)
    };
    world.list(listing).await
}

async fn push(world: &World, cpo: &Platform, id: &str, second: usize) -> String {
    let body = location("DE/ABC", id, &format!("2026-11-21T08:00:{second:02}Z"));
    let encoded = id.replace("/", "%2F").replace(" ", "%20").replace("ü", "%C3%BC");
    said(world, cpo, Method::PUT, &format!("locations/DE/ABC/{encoded}"), &body).await;
    body
}

async fn said(world: &World, by: &Platform, method: Method, path: &str, body: &str) {
    let heard = world.push(by, method, &format!("receiver/{path}"), body).await;
    assert_eq!(heard.code, 1000, "{}", heard.text());
}

/// What is owed to a platform, as the operator reads it.
async fn owed(world: &World, platform: &Platform) -> Vec<(String, String)> {
    let (status, duties) = world.operate(Method::GET, "/operator/v1/duties?limit=100", None).await;
    assert_eq!(status, 200, "{duties}");
    let of_platform = duties["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|duty| duty["platform"] == platform.id);
    let mut objects: Vec<_> = of_platform
        .filter(|duty| duty["kind"] == "broadcast")
        .map(|duty| {
            (
                duty["object"].as_str().unwrap_or("null").to_owned(),
                duty["id"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    objects.sort();
    objects
}

async fn names(world: &World, platform: &Platform) -> Vec<String> {
    owed(world, platform)
        .await
        .into_iter()
        .map(|(object, _)| object)
        .collect()
}

async fn until_nothing_is_owed(world: &World, platform: &Platform) {
    world
        .until("the end of what is owed", async || {
            owed(world, platform).await.is_empty()
        })
        .await;
    world.hub.copies.all_ended().await;
}

fn is_away(world: &World, platform: &Platform) -> bool {
    let snapshot = world.hub.parties.snapshot();
    let platform = snapshot.directory().platform(&platform.id.as_str().into());
    platform.is_some_and(|platform| platform.status == PlatformStatus::Offline)
}

fn is_back(world: &World, platform: &Platform) {
    world.hub.parties.presence().heard(&platform.id.as_str().into());
}

fn told(peer: &Peer) -> Vec<(String, String, String, (String, String))> {
    let said = |one: Got| (one.method.clone(), one.path.clone(), one.text(), one.parties());
    let mut told: Vec<_> = peer.got().into_iter().map(said).collect();
    told.sort();
    told
}

on_both! {
    // R-61, D-16, D-18, T-34
    async fn a_platform_that_wants_to_catch_up_is_told_each_object_once_as_it_is_when_it_is_back(on) {
        let world = World::start(on, "").await?;
        let (missing, deaf) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let wants = listener(&world, &["DE/MSA:EMSP"], &missing, true).await;
        let reads = listener(&world, &["DE/MSB:EMSP"], &deaf, false).await;
        for platform in [&wants, &reads] {
            assert!(world.hub.store.presence_move(&platform.id, "OFFLINE", world.clock.now()).await.unwrap());
        }
        world.until("the word that both are away", async || is_away(&world, &wants) && is_away(&world, &reads)).await;
        push(&world, &cpo, "L1", 1).await;
        let second = push(&world, &cpo, "L/2 ü", 2).await;
        push(&world, &cpo, "L1", 3).await;
        let newest = push(&world, &cpo, "L1", 4).await;
        said(&world, &cpo, Method::PUT, "tariffs/DE/ABC/T1", &tariff("DE/ABC", "T1", EIGHT)).await;
        said(&world, &cpo, Method::DELETE, "tariffs/DE/ABC/T1", "").await;

        // One duty for each object, whatever the number of changes; and it is there for the next process.
        assert_eq!(names(&world, &wants).await, ["locations/DE/ABC/L/2 ü", "locations/DE/ABC/L1", "tariffs/DE/ABC/T1"]);
        assert!(names(&world, &reads).await.is_empty() && missing.got().is_empty());
        let beside = world.beside().await;
        world.stop().await;
        let world = beside;

        for platform in [&wants, &reads] {
            is_back(&world, platform);
        }
        until_nothing_is_owed(&world, &wants).await;
        let parties = ("DE/MSA".to_owned(), HUB.to_owned());
        assert_eq!(told(&missing), [
            ("DELETE".to_owned(), "/tariffs/DE/ABC/T1".to_owned(), String::new(), parties.clone()),
            ("PUT".to_owned(), "/locations/DE/ABC/L%2F2%20%C3%BC".to_owned(), second, parties.clone()),
            ("PUT".to_owned(), "/locations/DE/ABC/L1".to_owned(), newest, parties),
        ]);
        for one in missing.got() {
            assert!(one.header("x-request-id").is_some() && one.header("x-correlation-id").is_some());
            assert_eq!(one.header("authorization"), Some("Token dGhlaXItdG9rZW4="));
        }
        assert!(deaf.got().is_empty(), "who does not want it reads the lists");
        assert_eq!(world.hub.store.copies_count().await.unwrap(), 0);
        Some(())
    }

    // R-57, D-16, T-26
    async fn a_platform_that_did_not_take_its_copy_is_told_again_and_what_it_takes_later_counts(on) {
        let world = World::start(on, "").await?;
        let peer = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let platform = listener(&world, &["DE/MSA:EMSP", "DE/MSB:EMSP"], &peer, true).await;
        // One of its two parties is in trouble: the platform has not heard it.
        peer.acts(|got| match got.parties().0.as_str() {
            "DE/MSB" => Answer::plain(500, "no"),
            _ => Answer::envelope(200, 1000, ""),
        });
        push(&world, &cpo, "L1", 1).await;
        world.until("the duty", async || names(&world, &platform).await == ["locations/DE/ABC/L1"]).await;
        // A later push of the whole that everybody took ends it.
        peer.acts(|_| Answer::envelope(200, 1000, ""));
        push(&world, &cpo, "L1", 2).await;
        until_nothing_is_owed(&world, &platform).await;

        // A part of what is not known there: the whole is owed, and told.
        peer.acts(|got| match got.method.as_str() {
            "PATCH" => Answer::envelope(404, 2003, ""),
            _ => Answer::envelope(200, 1000, ""),
        });
        let before = peer.got().len();
        let change = r#"{"city":"X","last_updated":"2026-11-21T09:00:00Z"}"#;
        said(&world, &cpo, Method::PATCH, "locations/DE/ABC/L1", change).await;
        world.until("the whole", async || {
            world.clock.advance(TimeDelta::seconds(10));
            peer.got().iter().skip(before).filter(|one| one.method == "PUT" && one.text().contains("\"X\"")).count() == 2
        }).await;
        until_nothing_is_owed(&world, &platform).await;
        Some(())
    }

    // R-62, D-16
    async fn what_is_pushed_while_a_platform_catches_up_comes_behind_what_it_missed(on) {
        let world = World::start(on, "").await?;
        let peer = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let platform = listener(&world, &["DE/MSA:EMSP"], &peer, true).await;
        world.goes_away(&platform);
        for second in 1..4 {
            push(&world, &cpo, "L1", second).await;
        }
        let beside = world.beside().await;
        peer.acts(|_| Answer::envelope(200, 1000, "").after(std::time::Duration::from_millis(100)));
        is_back(&world, &platform);
        let mut newest = String::new();
        for second in 4..12 {
            let process = if second % 2 == 0 { &world } else { &beside };
            newest = push(process, &cpo, "L1", second).await;
        }
        until_nothing_is_owed(&world, &platform).await;
        let store = &world.hub.store;
        world.until("the end of all copies", async || store.copies_count().await.unwrap() == 0).await;
        world.until("the newest", async || peer.got().last().is_some_and(|last| last.text() == newest)).await;
        let bodies: Vec<String> = peer.got().iter().map(Got::text).collect();
        assert!(bodies.is_sorted(), "{bodies:?}");
        assert_eq!(bodies.iter().filter(|body| body.contains("08:00:01Z") || body.contains("08:00:02Z")).count(), 0);
        Some(())
    }

    // R-48, D-17, D-18, CR-30
    async fn nothing_is_told_that_was_withdrawn_meanwhile(on) {
        let world = World::start(on, "").await?;
        let peers = [Peer::open().await, Peer::open().await, Peer::open().await];
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let denied = listener(&world, &["DE/MSA:EMSP"], &peers[0], true).await;
        let unwilling = listener(&world, &["DE/MSB:EMSP"], &peers[1], true).await;
        let gone = listener(&world, &["DE/MSC:EMSP"], &peers[2], true).await;
        for platform in [&denied, &unwilling, &gone] {
            world.goes_away(platform);
        }
        push(&world, &cpo, "L1", 1).await;
        for platform in [&denied, &unwilling, &gone] {
            assert_eq!(names(&world, platform).await, ["locations/DE/ABC/L1"]);
        }
        let rule = json!({"parties": ["DE/ABC", "DE/MSA"], "modules": ["*"], "allow": false});
        let agreements = json!({"default": "allow", "rules": [rule]});
        assert_eq!(world.operate(Method::PUT, "/operator/v1/agreements", Some(agreements)).await.0, 200);
        let path = format!("/operator/v1/platforms/{}", unwilling.id);
        assert_eq!(world.operate(Method::PATCH, &path, Some(json!({"options": {"catch_up": false}}))).await.0, 200);
        assert_eq!(world.operate(Method::DELETE, &format!("/operator/v1/platforms/{}", gone.id), None).await.0, 204);
        for platform in [&denied, &unwilling, &gone] {
            is_back(&world, platform);
        }
        world.until("the end of what is owed", async || {
            world.clock.advance(TimeDelta::hours(1));
            owed(&world, &denied).await.is_empty() && owed(&world, &unwilling).await.is_empty() && owed(&world, &gone).await.is_empty()
        }).await;
        world.hub.copies.all_ended().await;
        assert!(peers.iter().all(|peer| peer.got().is_empty()));
        Some(())
    }

    // D-16, N-07, TOK-08, D-26
    async fn what_was_missed_is_forgiven_or_tried_by_an_operator_and_dies_like_any_duty(on) {
        let world = World::start(on, "").await?;
        let peer = Peer::open().await;
        let emsp = world.platform(&["DE/MSP:EMSP"], None).await;
        let cpo = listener(&world, &["DE/ABC:CPO"], &peer, true).await;
        peer.close().await;
        world.goes_away(&cpo);
        for uid in ["04AA", "04BB"] {
            let path = format!("tokens/DE/MSP/{uid}?type=app_user");
            said(&world, &emsp, Method::PUT, &path, &token("DE/MSP", uid, "APP_USER", EIGHT)).await;
        }
        let missed = owed(&world, &cpo).await;
        assert!(missed.iter().all(|(object, _)| object == "tokens/DE/MSP"), "which token is nobody's business");
        assert_eq!(missed.len(), 2);
        let forgive = format!("/operator/v1/duties/{}/forgive", missed[1].1);
        assert_eq!(world.operate(Method::POST, &forgive, Some(json!({"reason": "read the list"}))).await.0, 204);
        // A month away is too long; then a person may still have it told.
        let retry = format!("/operator/v1/duties/{}/retry", missed[0].1);
        world.clock.advance(TimeDelta::days(31));
        world.until("the end of its time", async || {
            let (_, dead) = world.operate(Method::GET, "/operator/v1/duties?state=dead", None).await;
            dead["items"].as_array().unwrap().len() == 1
        }).await;
        peer.reopen().await;
        is_back(&world, &cpo);
        assert_eq!(world.operate(Method::POST, &retry, Some(json!({}))).await.0, 200);
        until_nothing_is_owed(&world, &cpo).await;
        let told = told(&peer);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].0.as_str(), told[0].1.starts_with("/tokens/DE/MSP/04")), ("PUT", true));
        assert!(told[0].1.ends_with("?type=APP_USER"), "{}", told[0].1);
        Some(())
    }

    // R-61, N-01, N-10
    async fn a_copy_that_its_process_left_behind_for_too_long_is_owed(on) {
        let world = World::start(on, "").await?;
        let (peer, away) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let there = listener(&world, &["DE/MSA:EMSP"], &peer, true).await;
        let absent = listener(&world, &["DE/MSB:EMSP"], &away, true).await;
        let body = crate::leaving::left_behind(&world, &cpo, 1, "a process that died", TimeDelta::seconds(20)).await;
        away.close().await;
        world.goes_away(&absent);
        world.clock.advance(TimeDelta::minutes(5));
        peer.until(1).await;
        until_nothing_is_owed(&world, &there).await;
        assert_eq!(peer.got().iter().map(Got::text).collect::<Vec<_>>(), std::slice::from_ref(&body));
        world.until("the duty", async || names(&world, &absent).await == ["locations/DE/ABC/L1"]).await;
        away.reopen().await;
        is_back(&world, &absent);
        until_nothing_is_owed(&world, &absent).await;
        assert_eq!(away.got().len(), 1);
        let part = evse("E1", "CHARGING", "2026-11-21T12:30:00Z");
        said(&world, &cpo, Method::PUT, "locations/DE/ABC/L1/E1", &part).await;
        away.until(2).await;
        assert!(names(&world, &absent).await.is_empty());
        Some(())
    }
}
