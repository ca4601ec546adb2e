//! Whose token is it? What announcements say about whom to ask, and that a named eMSP is asked without looking anything up.

use std::time::Duration;

use truewatt::client::Method;

use crate::common::place::On;
use crate::objects::token;
use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{Heard, Offers, Platform, World};

const EIGHT: &str = "2026-11-21T08:00:00Z";
const ISSUES: Offers = &[("tokens", "SENDER")];
const ALLOWED: &str =
    r#"{"data":{ "allowed" : "ALLOWED","token":{}},"status_code":1000,"timestamp":"2026-11-21T10:00:00Z"}"#;
const UNKNOWN: &str = r#"{"status_code":2004,"timestamp":"2026-11-21T10:00:00Z"}"#;

/// An eMSP that answers this when it is asked about a token, and has no list.
async fn issuer(world: &World, party: &str, status: u16, body: &'static str) -> (Peer, Platform) {
    let peer = Peer::open().await;
    peer.acts(move |got| match got.path.contains("/authorize") {
        true => Answer::plain(status, body),
        false => Answer::page(&[], 0, None),
    });
    let platform = world.platform(&[&format!("{party}:EMSP")], Some((&peer, ISSUES))).await;
    (peer, platform)
}

fn asked(peer: &Peer) -> Vec<String> {
    let asked = peer.got().into_iter().filter(|got| got.path.contains("/authorize"));
    asked.map(|got| got.path).collect()
}

async fn announces(world: &World, emsp: &Platform, owner: &str, uid: &str, kind: &str) {
    let path = format!("receiver/tokens/{owner}/{uid}?type={kind}");
    let heard = world
        .push(emsp, Method::PUT, &path, &token(owner, uid, kind, EIGHT))
        .await;
    assert_eq!(heard.code, 1000, "{}", heard.text());
}

async fn authorize(world: &World, cpo: &Platform, query: &str, headers: &[(&str, &str)]) -> Heard {
    let path = format!("sender/tokens/04AA/authorize{query}");
    world.ask(cpo, Method::POST, &path, headers, "").await
}

on_both! {
    // TOK-16, TOK-02, TOK-08, R-73, D-20
    async fn a_uid_that_several_announced_is_asked_of_each_of_them_and_of_nobody_else(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/CPO:CPO"], None).await;
        let (one, first) = issuer(&world, "DE/ONE", 404, UNKNOWN).await;
        let (two, second) = issuer(&world, "NL/TWO", 200, ALLOWED).await;
        let (app, third) = issuer(&world, "FR/APP", 200, ALLOWED).await;
        announces(&world, &first, "DE/ONE", "04AA", "RFID").await;
        announces(&world, &second, "NL/TWO", "04aa", "RFID").await;
        announces(&world, &third, "FR/APP", "04AA", "APP_USER").await;

        let heard = authorize(&world, &cpo, "", &[]).await;
        assert_eq!((heard.http, heard.text().as_str()), (200, ALLOWED), "the one that knows it answers");
        assert_eq!((heard.header("ocpi-from-country-code"), heard.header("ocpi-from-party-id")), (Some("NL"), Some("TWO")));
        let path = "/q7x/toks/04AA/authorize?tenant=1".to_owned();
        assert_eq!((asked(&one), asked(&two)), (vec![path.clone()], vec![path]));
        assert!(asked(&app).is_empty(), "RFID where no type is said");

        let heard = authorize(&world, &cpo, "?type=app_user", &[]).await;
        assert_eq!((heard.http, heard.code, heard.header("ocpi-from-party-id")), (200, 1000, Some("APP")));
        assert_eq!(asked(&app), ["/q7x/toks/04AA/authorize?tenant=1&type=app_user"]);
        assert_eq!((asked(&one).len(), asked(&two).len()), (1, 1));

        two.acts(|_| Answer::plain(404, UNKNOWN));
        let heard = authorize(&world, &cpo, "?type=RFID", &[]).await;
        assert_eq!((heard.http, heard.code, heard.header("ocpi-from-party-id")), (404, 2004, Some("TWH")));
        let listed = world.get(&cpo, "sender/tokens").await.ids();
        assert_eq!(listed, ["04AA", "04aa", "04AA"], "all of them are kept");
        Some(())
    }

    // TOK-14
    async fn a_named_emsp_is_asked_alone_and_while_nobody_can_read_the_database(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/CPO:CPO"], None).await;
        let (one, first) = issuer(&world, "DE/ONE", 200, ALLOWED).await;
        let (two, second) = issuer(&world, "NL/TWO", 200, ALLOWED).await;
        announces(&world, &first, "DE/ONE", "04AA", "RFID").await;
        announces(&world, &second, "NL/TWO", "04AA", "RFID").await;
        let to_two = [("OCPI-to-country-code", "NL"), ("OCPI-to-party-id", "TWO")];
        assert_eq!(authorize(&world, &cpo, "", &to_two).await.text(), ALLOWED);
        assert_eq!((asked(&one).len(), asked(&two).len()), (0, 1));
        // SQLite has no lock that keeps readers out.
        let On::Postgres = on else { return Some(()) };
        let locked = world.lock_every_table().await;
        let named = authorize(&world, &cpo, "", &to_two);
        let heard = tokio::time::timeout(Duration::from_secs(2), named).await.unwrap();
        assert_eq!(heard.text(), ALLOWED);
        let open = authorize(&world, &cpo, "", &[]);
        assert!(tokio::time::timeout(Duration::from_millis(700), open).await.is_err(), "the lock holds: who is not named must be looked up");
        assert_eq!((asked(&one).len(), asked(&two).len()), (0, 2));
        drop(locked);
        Some(())
    }
}
