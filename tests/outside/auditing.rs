//! The audit trail: who changed what, and that nobody was at it.

use std::process::Command;

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::clock::ManualClock;

use crate::common::place::{On, Place};
use crate::common::site::Site;
use crate::on_both;
use crate::operators::{ADA, GRACE, PEOPLE, call};

async fn as_(who: &str, site: &Site, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    call(
        site,
        &method,
        &format!("/operator/v1{path}"),
        Some(&format!("Bearer {who}")),
        body.as_ref(),
    )
    .await
}

async fn trail(site: &Site) -> Vec<Value> {
    let (mut items, mut path) = (Vec::new(), "/audit?limit=3".to_owned());
    loop {
        let (status, page) = as_(GRACE, site, Method::GET, &path, None).await;
        assert_eq!(status, 200, "{page}");
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/audit?limit=3&cursor={cursor}"),
            None => return items,
        }
    }
}

async fn verified(site: &Site) -> Value {
    let (status, said) = as_(GRACE, site, Method::GET, "/audit/verify", None).await;
    assert_eq!(status, 200, "{said}");
    said
}

fn platform() -> Value {
    json!({"name": "One", "parties": [{"country_code": "DE", "party_id": "ABC", "roles": ["CPO"], "name": "One"}]})
}

/// `truewatt audit verify` on that database: its exit code and what it said.
fn verify_from_the_shell(place: &Place, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_truewatt"))
        .args(["audit", "verify"])
        .args(more)
        .env_clear()
        .env("TRUEWATT__DATABASE__URL", &place.url)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn unguarded(on: On) -> &'static str {
    match on {
        On::Sqlite => "DROP TRIGGER audit_log_is_not_changed; DROP TRIGGER audit_log_is_not_shortened",
        On::Postgres => "DROP TRIGGER audit_log_is_only_added_to ON audit_log",
    }
}

on_both! {
    // design.md 3.4: who, when, what, and what came of it
    async fn every_change_is_in_the_trail_with_its_author_and_without_its_content(on) {
        let clock = ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap());
        let site = Site::open(on.place().await?, PEOPLE, clock.clone()).await;
        assert_eq!(verified(&site).await["whole"], true);
        let (status, made) = as_(ADA, &site, Method::POST, "/platforms", Some(platform())).await;
        assert_eq!(status, 201, "{made}");
        let (id, token_a) = (made["id"].as_str().unwrap(), made["token_a"].as_str().unwrap());
        let one = format!("/platforms/{id}");
        assert_eq!(as_(ADA, &site, Method::POST, &format!("{one}/suspend"), None).await.0, 200);
        assert_eq!(as_(GRACE, &site, Method::POST, &format!("{one}/resume"), None).await.0, 403);
        assert_eq!(as_("operator-token", &site, Method::PATCH, &one, Some(json!({"options": {"strict": "a-secret-word"}}))).await.0, 422);
        assert_eq!(as_(ADA, &site, Method::GET, &one, None).await.0, 200);
        let items = trail(&site).await;
        let told: Vec<_> = items.iter().map(|item| {
            let text = |name: &str| item[name].as_str().unwrap_or("-").to_owned();
            (text("actor"), text("event"), text("method"), text("route"), text("object"), item["status"].as_u64(), item["about"].as_u64())
        }).collect();
        let line = |actor: &str, event: &str, method: &str, route: &str, object: &str, status: Option<u64>, about: Option<u64>| {
            (actor.to_owned(), event.to_owned(), method.to_owned(), format!("/operator/v1/platforms{route}"), object.to_owned(), status, about)
        };
        assert_eq!(told, [
            line("Ada", "ASKED", "POST", "", "-", None, None),
            line("Ada", "ANSWERED", "POST", "", id, Some(201), Some(1)),
            line("Ada", "ASKED", "POST", "/{id}/suspend", id, None, None),
            line("Ada", "ANSWERED", "POST", "/{id}/suspend", id, Some(200), Some(3)),
            line("Grace", "DENIED", "POST", "/{id}/resume", id, Some(403), None),
            line("operator", "ASKED", "PATCH", "/{id}", id, None, None),
            line("operator", "ANSWERED", "PATCH", "/{id}", id, Some(422), Some(6)),
        ]);
        assert!(items.iter().all(|item| item["at"] == "2026-11-21T12:00:00.000000Z"));
        let tables = site.place().tables().await;
        for table in ["audit_log", "audit_checkpoints"] {
            for secret in [token_a, ADA, GRACE, "a-secret-word"] {
                assert!(!tables[table].contains(secret), "{table}: {secret}");
            }
        }
        // Two processes write one trail.
        let other = site.beside().await;
        for _ in 0..3 {
            for hub in [&site, &other] {
                assert_eq!(as_(ADA, hub, Method::POST, &format!("{one}/token"), None).await.0, 200);
            }
        }
        let said = verified(&other).await;
        assert_eq!((&said["whole"], &said["entries"], &said["signed_by_this_hub"]), (&json!(true), &json!(19), &json!(true)), "{said}");
        Some(())
    }

    // A changed, a removed and a cut-off row shows, also after the trail has gone on.
    async fn whoever_was_at_the_trail_is_noticed(on) {
        let clock = ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap());
        let site = Site::open(on.place().await?, PEOPLE, clock.clone()).await;
        let (_, made) = as_(ADA, &site, Method::POST, "/platforms", Some(platform())).await;
        let id = made["id"].as_str().unwrap();
        for _ in 0..4 {
            as_(ADA, &site, Method::POST, &format!("/platforms/{id}/token"), None).await;
        }
        let kept = verified(&site).await;
        assert_eq!((&kept["whole"], &kept["entries"]), (&json!(true), &json!(10)));
        let folder = tempfile::tempdir().unwrap();
        let word = folder.path().join("kept.json");
        std::fs::write(&word, kept.to_string()).unwrap();
        let (word, key) = (word.to_str().unwrap(), kept["checkpoint"]["key"].as_str().unwrap());

        // The database itself refuses to change a line.
        for sql in ["UPDATE audit_log SET entry = 'x' WHERE seq = 3", "DELETE FROM audit_log WHERE seq = 10"] {
            let refused = site.place().attempt(sql).await.unwrap_err();
            assert!(refused.contains("audit log is only added to") || refused.contains("db error"), "{refused}");
        }
        let place = site.ended().await;
        assert_eq!(verify_from_the_shell(&place, &["--checkpoint", word, "--signed-by", key]).0, Some(0));
        place.execute(unguarded(on)).await;
        place.execute("CREATE TABLE kept_log AS SELECT * FROM audit_log; CREATE TABLE kept_word AS SELECT * FROM audit_checkpoints").await;
        let restore = "DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM kept_log; \
                       DELETE FROM audit_checkpoints; INSERT INTO audit_checkpoints SELECT * FROM kept_word";
        let one_byte = |column: &str| format!(
            "UPDATE audit_log SET {column} = substr({column}, 1, 30) || CASE substr({column}, 31, 1) WHEN '0' THEN '1' ELSE '0' END || substr({column}, 32) WHERE seq = 4"
        );
        for (sql, named) in [
            (one_byte("entry"), "entry 4:"),
            (one_byte("hash"), "entry 4:"),
            ("DELETE FROM audit_log WHERE seq = 6".to_owned(), "entry 6: is missing"),
            ("DELETE FROM audit_log WHERE seq = 1".to_owned(), "entry 1: is missing"),
            ("DELETE FROM audit_log WHERE seq > 8".to_owned(), "entry 9: is missing"),
            ("DELETE FROM audit_log".to_owned(), "entry 1: is missing"),
            ("DELETE FROM audit_checkpoints".to_owned(), "entry 10: the signed word"),
            ("UPDATE audit_checkpoints SET document = replace(document, '\"size\":10', '\"size\":9')".to_owned(), "not signed"),
            ("UPDATE audit_log SET seq = 11 WHERE seq = 10".to_owned(), "entry 10: is missing"),
        ] {
            place.execute(&sql).await;
            let (code, said) = verify_from_the_shell(&place, &[]);
            assert!(code == Some(1) && said.contains(named), "{sql}: {said}");
            place.execute(restore).await;
            assert_eq!(verify_from_the_shell(&place, &[]).0, Some(0), "{sql}");
        }

        // Cut off, and the hub goes on: the gap stays.
        place.execute("DELETE FROM audit_log WHERE seq > 8").await;
        let site = Site::again(place, PEOPLE, clock.clone()).await;
        as_(ADA, &site, Method::POST, &format!("/platforms/{id}/token"), None).await;
        let said = verified(&site).await;
        assert_eq!((&said["whole"], &said["bad"]["seq"]), (&json!(false), &json!(9)), "{said}");
        let place = site.ended().await;
        assert!(verify_from_the_shell(&place, &[]).1.contains("entry 9: is missing"));

        // Everything set back to an earlier day is whole in itself; who kept a word, notices.
        place.execute(restore).await;
        place.execute("DELETE FROM audit_log; DELETE FROM audit_checkpoints").await;
        let (code, said) = verify_from_the_shell(&place, &[]);
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = verify_from_the_shell(&place, &["--checkpoint", word]);
        assert!(code == Some(1) && said.contains("entry 1: is missing"), "{said}");
        Some(())
    }

    // A change that cannot be written down is not made.
    async fn no_change_is_made_that_the_trail_does_not_hold(on) {
        let clock = ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap());
        let site = Site::open(on.place().await?, PEOPLE, clock).await;
        site.place().execute("ALTER TABLE audit_log RENAME TO elsewhere").await;
        let (status, said) = as_(ADA, &site, Method::POST, "/platforms", Some(platform())).await;
        assert_eq!(status, 503, "{said}");
        let (_, list) = as_(ADA, &site, Method::GET, "/platforms", None).await;
        assert_eq!(list["items"], json!([]));
        site.place().execute("ALTER TABLE elsewhere RENAME TO audit_log").await;
        assert_eq!(as_(ADA, &site, Method::POST, "/platforms", Some(platform())).await.0, 201);
        Some(())
    }
}
