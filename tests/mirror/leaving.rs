//! Copies outlive the process that accepted them, and two processes keep the order of one object.

use chrono::TimeDelta;
use truewatt::client::Method;
use truewatt::clock::Clock;
use truewatt::store::{MirrorRow, MirrorWrite, NewCopy, Written};
use uuid::Uuid;

use crate::objects::location;
use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{HUB, Platform, RECEIVES, World, at};

/// A broadcast of a process that died after the commit.
async fn left_behind(world: &World, cpo: &Platform, revision: i64, lease: TimeDelta) -> String {
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
            lease_owner: "a process that died".into(),
            lease_until: now + lease,
            created_at: now,
        }),
    };
    assert!(matches!(
        world.hub.store.mirror_write(write).await.unwrap(),
        Written::Kept { .. }
    ));
    body
}

on_both! {
    // N-01, N-10, R-28, R-54, R-55, R-62
    async fn what_a_dead_process_accepted_is_sent_by_another_in_order(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let mut bodies = Vec::new();
        for revision in 1..=4 {
            bodies.push(left_behind(&world, &cpo, revision, TimeDelta::seconds(20)).await);
        }
        // Pushed again meanwhile, through the process that lives: it waits for what was before it.
        let newest = location("DE/ABC", "L1", "2026-11-21T09:00:00Z");
        assert_eq!(world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L1", &newest).await.code, 1000);
        bodies.push(newest);
        assert!(emsp.got().is_empty());
        world.clock.advance(TimeDelta::seconds(21));
        let got = emsp.until(5).await;
        world.hub.copies.all_ended().await;
        assert_eq!(got.iter().map(|one| &one.body).collect::<Vec<_>>(), bodies.iter().collect::<Vec<_>>());
        assert_eq!((got[0].parties(), got[0].header("x-correlation-id")), (("DE/MSP".to_owned(), HUB.to_owned()), Some("corr-9")));
        assert!(got[0].path.ends_with("/DE/ABC/L1?tenant=1&a=%2F"), "{}", got[0].path);
        assert_eq!((emsp.got().len(), world.hub.store.copies_count().await.unwrap()), (5, 0));
        Some(())
    }

    // R-62, D-16, N-10
    async fn two_processes_keep_the_order_of_one_object(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let beside = world.beside().await;
        emsp.acts(|_| Answer::envelope(200, 1000, "").after(std::time::Duration::from_millis(60)));
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
        world.stop().await;
        emsp.forget();
        emsp.acts(|_| Answer::envelope(200, 1000, ""));
        let got = emsp.until(2).await;
        next.hub.copies.all_ended().await;
        assert_eq!(got.iter().map(|one| &one.body).collect::<Vec<_>>(), bodies[1..].iter().collect::<Vec<_>>());
        Some(())
    }
}
