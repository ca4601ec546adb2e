//! The extract of a registration for the commissioning file: fetched from the hub, read without it (key-registry.md SAF-33, 4.3).

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use truewatt::client::Method;

use crate::common::listed::Platform;
use crate::common::place::On;
use crate::common::site::OPERATOR;
use crate::on_both;
use crate::world::{World, at, meter};

const KEYS: &str = "/operator/v1/keys";

/// A key of DE/ABC that lived and ended, known by its id.
async fn ended(world: &World) -> String {
    let id = world.register(&meter("mine")).await;
    let exchanged = json!({"manufacturer": "ACME", "model": "Post 2"});
    assert_eq!(
        world
            .operate(Method::POST, &format!("{KEYS}/{id}/hardware"), Some(exchanged))
            .await
            .0,
        200
    );
    assert_eq!(
        world
            .operate(Method::POST, &format!("{KEYS}/{id}/deactivate"), None)
            .await
            .0,
        200
    );
    id
}

async fn checkpoint(world: &World) -> Value {
    world.operate(Method::POST, &format!("{KEYS}/checkpoint"), None).await.1
}

async fn register_another(world: &World, number: u32) {
    let claim = json!({
        "public_key": hex::encode(meter(&format!("meter {number}")).public_key().to_spki_der()),
        "meter_serial": format!("M{number}"),
        "evse_id": format!("DE*ABC*E{number}"),
        "cpo": {"country_code": "DE", "party_id": "ABC"},
        "valid_from": "2026-01-01T00:00:00Z",
    });
    assert_eq!(world.operate(Method::POST, KEYS, Some(claim)).await.0, 201);
}

/// The extract as the operator's door hands it out.
async fn extract(world: &World, id: &str) -> String {
    let (status, extract) = world.operate(Method::GET, &format!("{KEYS}/{id}/extract"), None).await;
    assert_eq!(status, 200, "{extract}");
    extract.to_string()
}

/// The command as somebody types it who has nothing but files: no hub, no database, no configuration.
async fn check(folder: &Path, arguments: &[&str]) -> (i32, String) {
    run(folder, &[&["key", "check-extract"], arguments].concat(), &[]).await
}

async fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_truewatt"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

async fn as_partner(world: &World, by: &Platform, id: &str) -> crate::common::listed::Heard {
    world
        .get(by, &format!("/partner/v1/registrations/{id}/extract"), &[])
        .await
}

on_both! {
    // SAF-33, SAF-40
    async fn saf_33_an_extract_verifies_offline_also_after_its_key_ended(on) {
        let world = World::start(on, "").await?;
        let id = ended(&world).await;
        let kept = checkpoint(&world).await;
        let folder = tempfile::tempdir().unwrap();
        let access = [("TRUEWATT_URL", world.hub.url.as_str()), ("TRUEWATT_TOKEN", OPERATOR)];
        let (code, extract) = run(folder.path(), &["key", "extract", &id], &access).await;
        assert_eq!(code, 0, "{extract}");
        // The hub is gone, and with it its database.
        world.site.hub.stop().await;
        std::fs::write(folder.path().join("extract.json"), &extract).unwrap();
        std::fs::write(folder.path().join("kept.json"), kept.to_string()).unwrap();

        let (code, told) = check(folder.path(), &["extract.json"]).await;
        assert_eq!(code, 0, "{told}");
        for part in ["meter M1 at EVSE DE*ABC*E1 of DE/ABC", "DEACTIVATED", "STATION_HARDWARE_EXCHANGED on 2026-11-21", "open: Whose key"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let key = kept["key"].as_str().unwrap();
        for more in [&["--checkpoint", "kept.json"][..], &["--log-key", key]] {
            let (code, told) = check(folder.path(), &[&["extract.json"], more].concat()).await;
            assert!(code == 0 && !told.contains("open:"), "{told}");
        }
        let (code, told) = check(folder.path(), &["extract.json", "--log-key", &"00".repeat(32)]).await;
        assert!(code == 1 && told.contains("another key than --log-key"), "{told}");

        let (code, answer) = check(folder.path(), &["extract.json", "--json"]).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((code, &answer["state"], &answer["wrong"]), (0, &json!("DEACTIVATED"), &json!([])));

        // One byte, in a document.
        std::fs::write(folder.path().join("forged.json"), extract.replacen("DE*ABC*E1", "DE*ABC*E2", 1)).unwrap();
        let (code, told) = check(folder.path(), &["forged.json"]).await;
        assert!(code == 1 && told.contains("is not the one it was written about"), "{told}");
        for (arguments, wanted) in [
            (&["kept.json"][..], 2),
            (&["nowhere.json"], 64),
            (&["extract.json", "--checkpoint", "extract.json"], 64),
            (&[], 64),
        ] {
            let (code, told) = check(folder.path(), arguments).await;
            assert_eq!(code, wanted, "{arguments:?}: {told}");
        }
        Some(())
    }

    // SAF-33, key-registry.md 4.3
    async fn an_extract_of_a_log_that_was_set_back_is_noticed_by_whoever_kept_another_checkpoint(on) {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let seed = "[registry]\nsigning_key = \"0707070707070707070707070707070707070707070707070707070707070707\"\n";
        let world = World::start(on, seed).await?;
        let id = ended(&world).await;
        register_another(&world, 2).await;
        let early = extract(&world, &id).await;
        file("early.json", &early);
        let small = serde_json::from_str::<Value>(&early).unwrap()["checkpoint"]["size"].as_u64().unwrap();
        world.clock.set(at("2026-11-21T13:00:00Z"));
        register_another(&world, 3).await;
        let late = checkpoint(&world).await;
        file("late.json", &late.to_string());
        let (code, told) = check(folder.path(), &["early.json", "--checkpoint", "late.json"]).await;
        assert!(code == 2 && told.contains("/keys/log/consistency?from="), "{told}");
        let large = late["size"].as_u64().unwrap();
        let proof = world.anybody(&format!("/keys/log/consistency?from={small}&to={large}")).await.text();
        file("proof.json", &proof);
        let proven = ["early.json", "--checkpoint", "late.json", "--consistency", "proof.json"];
        let (code, told) = check(folder.path(), &proven).await;
        assert!(code == 0 && told.contains("is of the same log"), "{told}");

        // The same hub, from a backup that knew less.
        let set_back = World::start(on, seed).await?;
        set_back.clock.set(at("2026-11-22T12:00:00Z"));
        let other = set_back.register(&meter("mine")).await;
        file("later.json", &extract(&set_back, &other).await);
        let (code, told) = check(folder.path(), &["later.json"]).await;
        assert_eq!(code, 0, "of itself it holds: {told}");
        let (code, told) = check(folder.path(), &["later.json", "--checkpoint", "late.json"]).await;
        assert!(code == 1 && told.contains("set back"), "{told}");
        file("now.json", &checkpoint(&set_back).await.to_string());
        let (code, told) = check(folder.path(), &["early.json", "--checkpoint", "now.json"]).await;
        assert!(code == 1 && told.contains("set back"), "{told}");
        Some(())
    }

    // SAF-41
    async fn saf_41_a_key_used_again_elsewhere_has_an_extract_for_each_place_under_one_log(on) {
        let world = World::start(on, "").await?;
        let first = ended(&world).await;
        world.clock.set(at("2026-11-22T12:00:00Z"));
        let claim = json!({
            "public_key": hex::encode(meter("mine").public_key().to_spki_der()),
            "meter_serial": "M1",
            "evse_id": "DE*ABC*E7",
            "cpo": {"country_code": "DE", "party_id": "ABC"},
            "valid_from": "2026-11-22T11:00:00Z",
        });
        let (status, second) = world.operate(Method::POST, KEYS, Some(claim)).await;
        assert_eq!(status, 201, "{second}");
        let mut places = Vec::new();
        for id in [&first, second["id"].as_str().unwrap()] {
            let (_, extract) = world.operate(Method::GET, &format!("{KEYS}/{id}/extract"), None).await;
            let text = truewatt::registry::log::canonical::write(&extract).unwrap();
            let checked = truewatt::registry::extract::check::check(&text).unwrap();
            assert_eq!(checked.wrong, Vec::<String>::new());
            let newest = checked.newest.unwrap();
            places.push((newest.evse_id, newest.fingerprint, checked.checkpoint.unwrap().root));
        }
        assert_eq!((places[0].0.as_str(), places[1].0.as_str()), ("DE*ABC*E1", "DE*ABC*E7"));
        assert_eq!((&places[0].1, &places[0].2), (&places[1].1, &places[1].2));
        Some(())
    }

    // SAF-33
    async fn an_extract_is_for_its_operator_and_no_part_of_it_for_anybody_else(on) {
        let world = World::start(on, "").await?;
        let id = ended(&world).await;
        let owner = world.platform(&["DE/ABC:CPO"], None).await;
        let others = world.platform(&["DE/XYZ:CPO", "DE/ABC:EMSP"], None).await;
        let heard = as_partner(&world, &owner, &id).await;
        assert_eq!((heard.http, heard.header("content-type")), (200, Some("application/json")));
        let checked = truewatt::registry::extract::check::check(&heard.text()).unwrap();
        assert_eq!(checked.wrong, Vec::<String>::new());
        assert_eq!(as_partner(&world, &others, &id).await.http, 404);
        assert_eq!(as_partner(&world, &owner, "nobody").await.http, 404);
        for path in [format!("/partner/v1/registrations/{id}/extract"), format!("{KEYS}/{id}/extract")] {
            assert_eq!(world.anybody(&path).await.http, 401, "{path}");
        }
        assert_eq!(world.anybody(&format!("/keys/registrations/{id}/extract")).await.http, 404);
        assert_eq!(world.operate(Method::GET, &format!("{KEYS}/nobody/extract"), None).await.0, 404);
        Some(())
    }

    // SAF-33, key-registry.md 4.3: what the database says is proven before it is handed out.
    async fn of_a_registry_that_was_tampered_with_nobody_gets_an_extract(on) {
        let world = World::start(on, "").await?;
        let id = ended(&world).await;
        let guard = match on {
            On::Sqlite => "registry_documents_are_not_changed",
            On::Postgres => "registry_documents_are_only_added ON registry_documents",
        };
        let forge = format!("UPDATE registry_documents SET document = replace(document, 'ACME', 'ACMF') WHERE id = '{id}'");
        world.execute(&format!("DROP TRIGGER {guard}; {forge}")).await;
        let (status, problem) = world.operate(Method::GET, &format!("{KEYS}/{id}/extract"), None).await;
        assert_eq!(status, 500, "{problem}");
        Some(())
    }
}
