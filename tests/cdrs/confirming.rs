//! Who submitted a registration is told what became of it: key-registry.md 4.2 and 4.5, SAF-31.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;

use crate::common::listed::{Listing, Platform, bare};
use crate::desk::{DESK, Desk, claim, id, with};
use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, meter};

/// DE/ABC again, with a server of its own.
async fn with_server(desk: &mut Desk) -> Peer {
    let server = Peer::open().await;
    let listing = Listing {
        versions_url: server.url("/versions"),
        ..bare(&["NL/OPS:CPO"])
    };
    desk.cpo = desk.world.site.list(listing).await;
    server
}

fn theirs(server: &Peer, seed: &str) -> Value {
    let place = json!({"evse_id": "NL*OPS*E1", "confirmation_url": server.url("/told?secret=s3cret")});
    with(claim(&meter(seed)), place)
}

/// Time passes, and the hub notices.
async fn until(desk: &Desk, by: &Platform, one: &Value, state: &str) -> Value {
    for _ in 0..200 {
        let shown = desk.show(by, one).await;
        if shown["confirmation"]["state"] == state {
            return shown;
        }
        desk.world.clock.advance(TimeDelta::seconds(2));
        desk.world.hub.delivery.nudge();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came to {state}: {}", desk.show(by, one).await);
}

async fn duties(desk: &Desk) -> Vec<Value> {
    let (status, list) = desk.world.operate(Method::GET, "/operator/v1/duties", None).await;
    assert_eq!(status, 200);
    list["items"].as_array().unwrap().clone()
}

on_both! {
    // SAF-31.
    async fn saf_31_every_registration_is_confirmed_to_its_operator(on) {
        let mut desk = Desk::of(World::start(on, "").await?).await;
        let server = with_server(&mut desk).await;
        let one = desk.submit(&desk.cpo, &theirs(&server, "one")).await;
        assert_eq!(one["confirmation_url"], json!(server.url("/told?secret=s3cret")));
        let told = server.until(1).await.remove(0);
        assert_eq!((told.method.as_str(), told.path.as_str()), ("POST", "/told?secret=s3cret"));
        let body: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!((&body["id"], &body["state"], &body["fingerprint"]), (&one["id"], &json!("CONFIRMED"), &one["fingerprint"]));
        assert_eq!(told.header("authorization"), Some("Token dGhlaXItdG9rZW4="), "who is told knows the hub by it");
        let shown = until(&desk, &desk.cpo, &one, "delivered").await;
        assert_eq!((&shown["confirmation"]["attempts"], &shown["confirmation"]["last"]["outcome"]), (&json!(1), &json!("delivered")));
        assert!(duties(&desk).await.is_empty());
        let (_, journal) = desk.world.operate(Method::GET, &format!("/operator/v1/journal?object={}", id(&one)), None).await;
        assert_eq!(journal["items"][0]["outcome"], "delivered", "{journal}");
        assert!(!journal.to_string().contains("s3cret"));
        Some(())
    }

    // key-registry.md 4.2: a delivery that fails changes no state and stays visible.
    async fn a_confirmation_nobody_takes_stays_pending_and_the_key_counts(on) {
        let mut desk = Desk::of(World::start(on, "").await?).await;
        let server = with_server(&mut desk).await;
        server.answers(Answer::plain(503, "not now"));
        let one = desk.submit(&desk.cpo, &theirs(&server, "one")).await;
        let pending = desk.until_shown(&desk.cpo, &one, |shown| shown["confirmation"]["attempts"] == 1).await;
        assert_eq!((&pending["state"], &pending["confirmation"]["state"]), (&json!("CONFIRMED"), &json!("pending")));
        assert!(pending["confirmation"]["last"]["outcome"].as_str().unwrap().contains("503"), "{pending}");
        let owed = duties(&desk).await;
        assert_eq!((owed.len(), &owed[0]["kind"], &owed[0]["object"]), (1, &json!("confirmation"), &json!(format!("registrations/{}", id(&one)))));
        // Another process takes it up, and the operator's server is better.
        server.answers(Answer::plain(204, ""));
        until(&desk, &desk.cpo, &one, "delivered").await;
        assert!(duties(&desk).await.is_empty());
        Some(())
    }

    async fn a_confirmation_is_tried_for_a_day_and_then_dead_until_somebody_retries_or_forgives_it(on) {
        let mut desk = Desk::of(World::start(on, "").await?).await;
        let server = with_server(&mut desk).await;
        server.answers(Answer::plain(302, "").header("location", "/elsewhere"));
        let one = desk.submit(&desk.cpo, &theirs(&server, "one")).await;
        desk.until_shown(&desk.cpo, &one, |shown| shown["confirmation"]["attempts"] == 1).await;
        desk.world.clock.advance(TimeDelta::hours(25));
        let dead = until(&desk, &desk.cpo, &one, "dead").await;
        assert_eq!(dead["state"], "CONFIRMED");
        assert!(server.posted().iter().all(|got| got.path.starts_with("/told")), "a redirect is not followed");
        let duty = duties(&desk).await.remove(0);
        assert_eq!(duty["state"], "dead");
        server.answers(Answer::plain(200, "{}"));
        let path = format!("/operator/v1/duties/{}", id(&duty));
        assert_eq!(desk.world.operate(Method::POST, &format!("{path}/retry"), None).await.0, 200);
        until(&desk, &desk.cpo, &one, "delivered").await;
        // And one that is forgiven.
        server.answers(Answer::plain(500, ""));
        let two = with(theirs(&server, "two"), json!({"meter_serial": "M2", "evse_id": "NL*OPS*E2"}));
        let two = desk.submit(&desk.cpo, &two).await;
        desk.until_shown(&desk.cpo, &two, |shown| shown["confirmation"]["state"] == "pending").await;
        let path = format!("/operator/v1/duties/{}/forgive", id(&duties(&desk).await[0]));
        assert_eq!(desk.world.operate(Method::POST, &path, Some(json!({"reason": "told by phone"}))).await.0, 204);
        assert_eq!(desk.show(&desk.cpo, &two).await["confirmation"]["state"], "forgiven");
        Some(())
    }

    async fn whoever_waited_for_a_person_is_told_of_a_no_as_well(on) {
        let mut desk = Desk::of(World::start(on, "").await?).await;
        let server = with_server(&mut desk).await;
        let new = with(theirs(&server, "one"), json!({"manufacturer": "Newcomer Ltd"}));
        let held = desk.submit(&desk.cpo, &new).await;
        assert_eq!(desk.show(&desk.cpo, &held).await["confirmation"], json!({"state": "awaited", "attempts": 0, "last": null}));
        desk.decide(&held, "refuse").await;
        let told = server.until(1).await.remove(0);
        let body: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!((&body["id"], &body["state"], &body["note"]), (&held["id"], &json!("REFUSED"), &json!("seen")));
        until(&desk, &desk.cpo, &held, "delivered").await;
        // What was refused or taken back at once, its submitter knows already.
        let heard = desk.write(&desk.cpo, DESK, &with(new.clone(), json!({"evse_id": "NL*ABC*E1"}))).await;
        assert_eq!(heard.http, 422);
        let again = desk.submit(&desk.cpo, &new).await;
        assert_eq!(desk.act(&desk.cpo, &again, "withdraw", json!({})).await.http, 200);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(duties(&desk).await.is_empty());
        assert_eq!(server.posted().len(), 1);
        Some(())
    }

    // N-04, N-05, D-25.
    async fn a_confirmation_url_is_on_a_host_of_the_platform_or_refused_at_once(on) {
        let mut desk = Desk::of(World::start(on, "").await?).await;
        let server = with_server(&mut desk).await;
        let elsewhere = Peer::open().await;
        for url in [elsewhere.url("/told"), "ftp://127.0.0.1/told".to_owned(), "told".to_owned(), server.url("/told").replace("http://", "http://me:you@")] {
            let heard = desk.write(&desk.cpo, DESK, &with(theirs(&server, "one"), json!({"confirmation_url": url}))).await;
            assert_eq!((heard.http, &heard.json()["field"]), (422, &json!("/confirmation_url")), "{url}: {}", heard.text());
        }
        assert!(desk.list(&desk.cpo, "").await.is_empty() && elsewhere.got().is_empty());
        Some(())
    }
}
