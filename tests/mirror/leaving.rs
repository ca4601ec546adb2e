//! Copies outlive the process that accepted them, and two processes keep the order of one object.

use std::time::Duration;

use chrono::TimeDelta;
use truewatt::client::Method;
use truewatt::clock::Clock;
use truewatt::store::{MirrorRow, MirrorWrite, NewCopy, Written};
use uuid::Uuid;

use crate::objects::location;
use crate::on_both;
use crate::peer::{Answer, Got, Peer};
use crate::world::{HUB, Platform, RECEIVES, World, at};

const DEAD: &str = "a process that died";

/// A broadcast that its process committed and then lost sight of.
pub async fn left_behind(world: &World, cpo: &Platform, revision: i64, by: &str, lease: TimeDelta) -> String {
    let updated = format!("2026-11-21T08:00:0{revision}Z");
    let body = location("DE/ABC", "L1", &updated);
    let now = world.clock.now();
    let before = world.hub.store.mirror_get("locations", "DE/ABC", "L1").await.unwrap();
    let write = MirrorWrite {
        row: MirrorRow {
            id: before
                .as_ref()
                .map_or_else(|| Uuid::now_v7().to_string(), |row| row.id.clone()),
            module: "locations".into(),
            country_code: "DE".into(),
            party_id: "ABC".into(),
            owner_key: "DE/ABC".into(),
            object_id: "L1".into(),
            object_key: "L1".into(),
            shelf: "DE/ABC".into(),
            version: "2.2.1".into(),
            last_updated: at(&updated),
            revision,
            deleted_at: None,
            listed: false,
            body: body.clone(),
        },
        replaces: before.map(|row| row.revision),
        copy: Some(NewCopy {
            id: Uuid::now_v7().to_string(),
            platform_id: cpo.id.clone(),
            sender: "DE/ABC".into(),
            sender_role: "CPO".into(),
            version: "2.2.1".into(),
            method: "PUT".into(),
            tail: "/DE/ABC/L1".into(),
            query: Some("a=%2F".into()),
            body: Some(body.clone()),
            correlation_id: "corr-9".into(),
            lease_owner: by.into(),
            lease_until: now + lease,
            created_at: now,
        }),
        missed: Vec::new(),
    };
    assert!(matches!(
        world.hub.store.mirror_write(write).await.unwrap(),
        Written::Kept { .. }
    ));
    body
}

on_both! {
    // N-01, N-10, R-28, R-54, R-55, R-62
    async fn what_a_dead_process_accepted_is_told_by_another_once_and_as_it_is_now(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let mut bodies = Vec::new();
        for revision in 1..=4 {
            bodies.push(left_behind(&world, &cpo, revision, DEAD, TimeDelta::seconds(20)).await);
        }
        assert!(emsp.got().is_empty());
        world.clock.advance(TimeDelta::seconds(21));
        let got = emsp.until(1).await;
        world.hub.copies.all_ended().await;
        assert_eq!(got[0].body, bodies[3], "who had heard it already sees nothing go back");
        assert_eq!((got[0].parties(), got[0].header("x-correlation-id")), (("DE/MSP".to_owned(), HUB.to_owned()), Some("corr-9")));
        assert!(got[0].path.ends_with("/DE/ABC/L1?tenant=1&a=%2F"), "{}", got[0].path);
        assert_eq!((emsp.got().len(), world.hub.store.copies_count().await.unwrap()), (1, 0));

        // Pushed again meanwhile, through a process that lives: that is the newest, and waits for what was before it.
        left_behind(&world, &cpo, 5, DEAD, TimeDelta::seconds(20)).await;
        let newest = location("DE/ABC", "L1", "2026-11-21T09:00:00Z");
        assert_eq!(world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", &newest).await.code, 1000);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(emsp.got().len(), 1);
        world.clock.advance(TimeDelta::seconds(21));
        let got = emsp.until(2).await;
        world.hub.copies.all_ended().await;
        assert_eq!((got[1].body.as_str(), emsp.got().len()), (newest.as_str(), 2));
        Some(())
    }

    // R-62, D-16, N-10
    async fn an_orphan_of_a_living_process_is_taken_over_and_blocks_nobody(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let beside = world.beside().await;
        let (living, _) = world.hub.copies.lease();
        left_behind(&world, &cpo, 1, &living, TimeDelta::seconds(30)).await;
        let newest = location("DE/ABC", "L1", "2026-11-21T09:00:00Z");
        assert_eq!(beside.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", &newest).await.code, 1000);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(emsp.got().is_empty(), "it waits for the other process");
        world.clock.advance(TimeDelta::seconds(31));
        emsp.until(1).await;
        let store = &world.hub.store;
        world.until("the end of both", || async { store.copies_count().await.unwrap() == 0 }).await;
        assert!(emsp.got().iter().all(|one| one.body == newest), "and no older one after it");
        Some(())
    }

    // R-62, D-16, N-10
    async fn an_older_state_never_follows_a_newer_one_when_leases_change_hands(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let beside = world.beside().await;
        // Slow enough that leases end, and are taken over, while there are legs that have not begun.
        emsp.acts(|_| Answer::envelope(200, 1000, "").after(Duration::from_millis(1500)));
        let mut newest = String::new();
        for phase in 0..3 {
            for number in 0..6 {
                newest = location("DE/ABC", "L1", &format!("2026-11-21T08:0{phase}:0{number}Z"));
                let process = if number == 3 { &beside } else { &world };
                assert_eq!(process.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", &newest).await.code, 1000);
            }
            if phase < 2 {
                world.clock.advance(TimeDelta::seconds(31));
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        }
        let store = &world.hub.store;
        world.until("the end", || async { store.copies_count().await.unwrap() == 0 }).await;
        let got: Vec<String> = emsp.got().into_iter().map(|one| one.body).collect();
        // They differ in their timestamps only, so their order as texts is the order in time.
        assert!(got.is_sorted(), "{got:?}");
        assert_eq!(got.last(), Some(&newest));
        Some(())
    }

    // R-62, D-16, N-10
    async fn two_processes_keep_the_order_of_one_object(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let beside = world.beside().await;
        emsp.acts(|_| Answer::envelope(200, 1000, "").after(Duration::from_millis(60)));
        let mut bodies = Vec::new();
        for number in 0..10 {
            let body = location("DE/ABC", "L1", &format!("2026-11-21T08:00:{number:02}Z"));
            let process = if number % 3 == 1 { &beside } else { &world };
            let heard = process.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", &body).await;
            assert_eq!(heard.code, 1000, "{}", heard.text());
            bodies.push(body);
        }
        let got = emsp.until(10).await;
        assert_eq!(got.iter().map(|one| &one.body).collect::<Vec<_>>(), bodies.iter().collect::<Vec<_>>());
        Some(())
    }

    // N-10
    async fn a_hub_that_stops_gives_its_copies_away_and_the_next_one_sends_them(on) {
        let world = World::start(on, "[timeouts]\nconnect_s = 1\nrelay_s = 2\n").await?;
        let emsp = Peer::open().await;
        emsp.acts(|_| Answer::never());
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let bodies: Vec<String> = (0..3).map(|n| location("DE/ABC", "L1", &format!("2026-11-21T08:00:0{n}Z"))).collect();
        for body in &bodies {
            world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", body).await;
        }
        emsp.until(1).await;
        let next = world.beside().await;
        emsp.acts(|_| Answer::envelope(200, 1000, ""));
        world.stop().await;
        // On a busy machine the first is given up before the hub stops, and the second is still its own.
        let newest = |got: &[Got]| got.last().is_some_and(|last| last.body == bodies[2]);
        for _ in 0..600 {
            if newest(&emsp.got()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        next.hub.copies.all_ended().await;
        let got = emsp.got();
        assert_eq!(got[0].body, bodies[0]);
        assert!(newest(&got), "the newest comes last: {}", got.len());
        assert!(got.iter().filter(|one| one.body == bodies[2]).count() == 1, "as it is now, once");
        Some(())
    }
}
