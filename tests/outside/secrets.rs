//! No token of anybody stands in the database, in a log, or in an answer that is not the one it belongs in.

use std::collections::{BTreeSet, HashMap};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use truewatt::cli::serve::Hub;
use truewatt::client::Method;
use truewatt::clock::SystemClock;
use truewatt::config::Config;
use truewatt::sandbox::Got;

use crate::common::orders::{EVERY, place};
use crate::common::place::{On, Place};
use crate::common::site::{OPERATOR, Site};
use crate::common::world::{Neighbour, World};
use crate::peer::{Answer, Peer};
use crate::{heard, on_both};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

fn under(key: &str, previous: &[&str]) -> String {
    format!("[secrets]\nkey = \"{key}\"\nprevious_keys = {previous:?}\n")
}

/// The token in an `Authorization` header, as it was given.
fn token_of(header: &str) -> String {
    let presented = header.strip_prefix("Token ").unwrap();
    match STANDARD
        .decode(presented)
        .ok()
        .and_then(|octets| String::from_utf8(octets).ok())
    {
        Some(token) => token,
        None => presented.to_owned(),
    }
}

/// What the hub showed this neighbour.
fn shown_to(neighbour: &Neighbour) -> BTreeSet<String> {
    let of = |got: &Got| {
        got.headers
            .iter()
            .find(|(name, _)| name == "authorization")
            .map(|(_, value)| token_of(value))
    };
    neighbour.platform.got().iter().filter_map(of).collect()
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|some| some == needle.as_bytes())
}

#[track_caller]
fn none_of(tokens: &BTreeSet<String>, where_: &str, text: &[u8]) {
    for token in tokens {
        for spelled in [token.clone(), STANDARD.encode(token), hex::encode(token)] {
            assert!(!contains(text, &spelled), "{where_} holds the token {token}");
        }
    }
}

on_both! {
    // N-01, N-05, T-12: at rest and in passing
    async fn no_token_is_found_in_a_dump_of_the_database_or_in_any_log(on) {
        heard::listen();
        let world = World::on(on, &under(KEY, &[]), SystemClock::shared()).await?;
        let mut tokens = BTreeSet::from([OPERATOR.to_owned()]);

        // A handshake that the peer begins, with everything that follows from it.
        let (cpo, emsp) = world.pair().await;
        for one in [&cpo, &emsp] {
            tokens.extend(one.platform.token());
            tokens.extend(shown_to(one));
        }
        // One that the hub begins.
        let planned = json!({"name": "Third", "parties": [{"country_code": "FR", "party_id": "HUB", "roles": ["CPO"], "name": "Third"}]});
        let third = world.operator(Method::POST, "/platforms", Some(planned)).await;
        tokens.insert(third["token_a"].as_str().unwrap().to_owned());
        let peer = Peer::open().await;
        let (theirs, given) = ("token-c-of-the-third-party", "token-a-given-by-the-third");
        tokens.extend([theirs.to_owned(), given.to_owned()]);
        let (details, credentials, versions) = (peer.url("/2.2.1"), peer.url("/credentials"), peer.url("/versions"));
        peer.acts(move |got| {
            let data = match got.path.as_str() {
                "/versions" => json!([{"version": "2.2.1", "url": details}]),
                "/2.2.1" => json!({"version": "2.2.1", "endpoints": [
                    {"identifier": "credentials", "role": "SENDER", "url": credentials}]}),
                _ => json!({"token": theirs, "url": versions, "roles": [{"role": "CPO", "country_code": "FR", "party_id": "HUB",
                    "business_details": {"name": "Third"}}]}),
            };
            Answer::plain(200, &json!({"status_code": 1000, "timestamp": "2026-11-21T10:00:00Z", "data": data}).to_string())
        });
        let id = third["id"].as_str().unwrap();
        let wish = json!({"versions_url": peer.url("/versions"), "token_a": given});
        world.operator(Method::POST, &format!("/platforms/{id}/register"), Some(wish)).await;
        for got in peer.got() {
            tokens.insert(token_of(got.header("authorization").unwrap()));
            // The token the hub made for the peer.
            if let Ok(body) = serde_json::from_str::<serde_json::Value>(&got.body) {
                tokens.extend(body["token"].as_str().map(str::to_owned));
            }
        }
        // Rotation, a fresh TOKEN_A, commands and charging profiles, a CDR that is taken, one that waits in custody.
        cpo.platform.renew().await.unwrap();
        emsp.platform.renew().await.unwrap();
        let fresh = world.operator(Method::POST, &format!("/platforms/{id}/token"), None).await;
        tokens.insert(fresh["token_a"].as_str().unwrap().to_owned());
        for order in EVERY {
            place(&emsp.voice, order, &cpo.to).await;
        }
        for number in 0..2 {
            let cdr = json!({
                "country_code": "NL", "party_id": "CPA", "id": format!("C-{number}"),
                "start_date_time": "2026-09-21T09:00:00Z", "end_date_time": "2026-09-21T10:00:00Z",
                "cdr_token": {"country_code": "DE", "party_id": "MSA", "uid": "04AA", "type": "RFID", "contract_id": "C1"},
                "auth_method": "WHITELIST", "cdr_location": {"id": "L1", "evse_uid": "1", "evse_id": "NL*CPA*E1"},
                "currency": "EUR", "total_cost": {"excl_vat": 1}, "total_energy": 7, "last_updated": "2026-09-21T10:00:01Z"
            });
            let url = format!("{}/ocpi/2.2.1/receiver/cdrs", world.hub.url);
            let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
            let posted = cpo.platform.call(Method::POST, &url, &headers, Some(cdr.to_string().as_bytes())).await.unwrap();
            assert_eq!(posted.http, 201, "{posted:?}");
            emsp.platform.go_away().await.unwrap();
        }
        for one in [&cpo, &emsp] {
            tokens.extend(one.platform.token());
            tokens.extend(shown_to(one));
        }
        assert!(tokens.len() >= 12, "a story with few tokens proves little: {tokens:?}");

        // Wrong tokens, nonsense in their place, and whatever an answer might repeat.
        let mut said = Vec::new();
        for path in ["/health/live", "/health/ready", "/operator/v1/platforms", "/operator/v1/journal", "/operator/v1/audit",
            "/operator/v1/duties", "/operator/v1/overview"] {
            said.extend(world.operate(Method::GET, path, None).await.1.to_string().into_bytes());
        }
        for header in [format!("Bearer {OPERATOR}x"), format!("Token {}x", STANDARD.encode(theirs)), format!("Bearer {theirs}"), format!("Basic {theirs}")] {
            for path in ["/ocpi/versions", "/ocpi/2.2.1/credentials", "/operator/v1/platforms", "/partner/v1/reports"] {
                let answer = world.ask(Method::GET, path, &[("Authorization", &header)], b"").await;
                assert_eq!(answer.status, 401, "{path}");
                said.extend(answer.body);
            }
        }
        none_of(&tokens, "an answer", &said);
        let rows = world.hub.store.directory_load().await.unwrap();
        let shown = format!("{rows:?} {:?} {:?}", world.hub.store, world.hub.operator_token);
        none_of(&tokens, "Debug", shown.as_bytes());
        let snapshot = world.hub.parties.snapshot();
        let shown: String = snapshot.directory().platforms().map(|platform| format!("{platform:?}")).collect();
        none_of(&tokens, "Debug of a platform", shown.as_bytes());
        let crashed = std::thread::spawn(move || panic!("a crash that prints what it has: {rows:?}")).join();
        assert!(crashed.is_err());

        // The search finds what is there.
        let dump = world.place().dump().await;
        assert!(contains(&dump, "NL/CPA") && contains(&dump, "sealed."), "the dump is no dump");
        none_of(&tokens, "the database", &dump);
        let log = heard::all();
        assert!(log.contains("a crash that prints") && log.contains("TRACE") && log.contains("truewatt::hop"));
        none_of(&tokens, "the log", log.as_bytes());
        let seed = world.hub.store.registry_seed("unused", SystemClock::shared().now()).await.unwrap();
        assert_eq!(seed.len(), 64);
        none_of(&BTreeSet::from([seed, KEY.to_owned()]), "the database", &dump);
        Some(())
    }

    // N-05, N-10: an upgrade, a rotation, and the way back
    async fn what_stood_there_plain_is_closed_and_a_key_can_be_changed_and_a_wrong_one_changes_nothing(on) {
        let clock = SystemClock::shared();
        let site = Site::open(on.place().await?, &under(KEY, &[]), clock.clone()).await;
        let peer = Peer::open().await;
        let listing = crate::common::listed::Listing {
            versions_url: peer.url("/versions"),
            ..crate::common::listed::bare(&["DE/ABC:CPO"])
        };
        let platform = site.list(listing).await;
        let seed = site.hub.store.registry_seed("unused", clock.now()).await.unwrap();
        let token = |site: &Site| {
            let found = site.hub.parties.snapshot();
            let one = found.directory().platforms().find(|one| one.id.as_str() == platform.id).unwrap().token_out.clone();
            one.unwrap().expose().to_owned()
        };
        assert_eq!(token(&site), "their-token");
        let place = site.ended().await;

        // As the program before this one wrote it: twice, so that something old lies about in the file as well.
        let plain = "a-token-that-stood-there-plain";
        for token in ["an-even-older-plain-token", plain] {
            place.execute(&format!("UPDATE platforms SET token_out = '{token}', token_sealed = NULL")).await;
        }
        place.execute(&format!("UPDATE registry_signer SET seed = '{seed}'; DELETE FROM secret_keys")).await;
        let secrets = BTreeSet::from([plain.to_owned(), "an-even-older-plain-token".to_owned(), seed.clone()]);
        assert!(contains(&place.dump().await, plain));
        let site = Site::again(place, &under(KEY, &[]), clock.clone()).await;
        assert_eq!(token(&site), plain);
        assert_eq!(site.hub.store.registry_seed("unused", clock.now()).await.unwrap(), seed);
        let place = site.ended().await;
        none_of(&secrets, "the database", &place.dump().await);

        // A wrong key, and none: nothing is changed, the sentence says which it is, and the exit code is that of nonsense.
        let before = place.tables().await;
        for more in [under(OTHER, &[]), under(OTHER, &[OTHER])] {
            let refused = refusal(&place, &more).await;
            assert!(refused.contains("secrets.key") && !refused.contains(KEY) && !refused.contains(OTHER), "{refused}");
            assert_eq!(place.tables().await, before);
        }
        let served = serve(&place, &[("SECRETS__KEY", OTHER)]);
        assert_eq!(served.0, Some(64), "{}", served.1);
        assert!(served.1.contains("secrets.key") && !served.1.contains(OTHER), "{}", served.1);
        let served = serve(&place, &[]);
        assert_eq!(served.0, Some(64), "{}", served.1);
        assert!(served.1.contains("secrets.key is not set"), "{}", served.1);
        assert_eq!(place.tables().await, before);

        // Another key: what the old one closed is closed anew, and then the old one is not needed any more.
        let site = Site::again(place, &under(OTHER, &[KEY]), clock.clone()).await;
        assert_eq!(token(&site), plain);
        let place = site.ended().await;
        none_of(&secrets, "the database", &place.dump().await);
        let site = Site::again(place, &under(OTHER, &[]), clock.clone()).await;
        assert_eq!(token(&site), plain);
        assert_eq!(site.hub.store.registry_seed("unused", clock.now()).await.unwrap(), seed);
        let place = site.ended().await;
        let refused = refusal(&place, &under(KEY, &[])).await;
        assert!(refused.contains("closed with the key"), "{refused}");

        // A token that somebody moved to another platform's row opens nothing there.
        let other = "UPDATE platforms SET token_sealed = (SELECT proof FROM secret_keys)";
        place.execute(other).await;
        let refused = refusal(&place, &under(OTHER, &[])).await;
        assert!(refused.contains("platforms/"), "{refused}");
        Some(())
    }
}

/// Why a hub does not start there.
async fn refusal(place: &Place, more: &str) -> String {
    let file = format!(
        "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:0\"\n[database]\nurl = \"{}\"\n{more}",
        place.url
    );
    let config = Config::from_parts(Some(&file), &HashMap::new()).unwrap();
    match Hub::start(config, SystemClock::shared()).await {
        Ok(hub) => {
            hub.stop().await;
            panic!("it started")
        }
        Err(error) => error.to_string(),
    }
}

/// The exit code of `truewatt serve`, and what it said.
fn serve(place: &Place, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_truewatt"));
    command.arg("serve").current_dir(folder.path()).env_clear();
    command
        .env("TRUEWATT__SERVER__BIND", "127.0.0.1:0")
        .env("TRUEWATT__DATABASE__URL", &place.url);
    for (name, value) in settings {
        command.env(format!("TRUEWATT__{name}"), value);
    }
    let output = command.output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

// A hub that is not configured keeps the tokens closed all the same, where it can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_configured_key_one_lies_beside_the_sqlite_file_and_goes_over_into_a_configured_one() {
    let clock = SystemClock::shared();
    let site = Site::open(On::Sqlite.place().await.unwrap(), "", clock.clone()).await;
    site.list(crate::common::listed::bare(&["DE/ABC:CPO"])).await;
    let place = site.ended().await;
    assert!(!contains(&place.dump().await, "their-token"));
    let path = format!("{}.key", place.url.trim_start_matches("sqlite://"));
    let made = std::fs::read_to_string(&path).unwrap();
    assert!(
        !contains(&place.dump().await, made.trim()),
        "the key stands in the database"
    );
    // Lost: a clear sentence, and no second key is made.
    std::fs::remove_file(&path).unwrap();
    let refused = refusal(&place, "").await;
    assert!(
        refused.contains("hub.db.key") && refused.contains("secrets.key is not set"),
        "{refused}"
    );
    assert!(!std::path::Path::new(&path).exists());
    // Back again, and then a configured one: it takes over.
    std::fs::write(&path, made).unwrap();
    let place = Site::again(place, &under(KEY, &[]), clock.clone()).await.ended().await;
    std::fs::remove_file(&path).unwrap();
    let site = Site::again(place, &under(KEY, &[]), clock).await;
    let snapshot = site.hub.parties.snapshot();
    let token = snapshot
        .directory()
        .platforms()
        .next()
        .unwrap()
        .token_out
        .clone()
        .unwrap();
    assert_eq!(token.expose(), "their-token");
}

// design 3.2: nonsense ends with 64
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_in_earnest_does_not_keep_tokens_as_they_are() {
    let Some(place) = On::Postgres.place().await else {
        return;
    };
    let served = serve(&place, &[("SERVER__PUBLIC_URL", "https://hub.example")]);
    assert_eq!(served.0, Some(64), "{}", served.1);
    assert!(served.1.contains("secrets.key must be set"), "{}", served.1);
}
