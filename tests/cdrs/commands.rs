//! `truewatt key`, `cdr` and `duty` as an operator types them, against a running hub.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use truewatt::client::Method;

use crate::common::site::OPERATOR;
use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, cdr, meter, plain, signed_data};

/// What a command printed, and its exit code.
async fn truewatt(world: &World, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_truewatt"))
        .args(arguments)
        .env("TRUEWATT_URL", &world.hub.url)
        .env("TRUEWATT_TOKEN", OPERATOR)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

async fn json_of(world: &World, arguments: &[&str]) -> Value {
    let (code, text) = truewatt(world, &[arguments, &["--json"]].concat()).await;
    assert_eq!(code, 0, "{text}");
    serde_json::from_str(&text).unwrap()
}

on_both! {
    async fn an_operator_registers_a_key_releases_a_cdr_and_settles_duties_from_a_shell(on) {
        let world = World::start(on, "[metering]\ninvalid_cdrs = \"hold\"\n").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.post(&cpo, &cdr("C 1/2", "DE/MSP", &signed_data(&meter, 1, None), "")).await;

        let (code, text) = truewatt(&world, &["cdr", "list", "--delivery", "held"]).await;
        assert!(code == 0 && text.contains("DE/ABC/C 1/2") && text.contains("UNVERIFIABLE"), "{text}");
        let shown = json_of(&world, &["cdr", "show", "DE/ABC/C 1/2"]).await;
        assert_eq!((&shown["delivery"], &shown["body"]["id"]), (&json!("held"), &json!("C 1/2")));

        let hex = hex::encode(meter.public_key().to_spki_der());
        let register = [
            "key", "register", "--public-key", &hex, "--meter-serial", "M1", "--evse-id", "DE*ABC*E1", "--cpo", "DE/ABC",
            "--valid-from", "2026-01-01T00:00:00Z",
        ];
        let key = json_of(&world, &register).await;
        assert_eq!(json_of(&world, &["key", "list"]).await[0]["id"], key["id"]);
        assert_eq!(json_of(&world, &["cdr", "recheck", "DE/ABC/C 1/2"]).await["metering_status"], "VERIFIED");
        let (code, text) = truewatt(&world, &["cdr", "release", "DE/ABC/C 1/2"]).await;
        assert!(code == 1 && text.contains("not held"), "the re-check has released it: {text}");
        let id = key["id"].as_str().unwrap();
        assert_eq!(json_of(&world, &["key", "deactivate", id]).await["state"], "DEACTIVATED");

        emsp.answers(Answer::plain(500, ""));
        for id in ["C-2", "C-3"] {
            world.post(&cpo, &plain(id).replace("DE*ABC*E1", "DE*ABC*E2")).await;
        }
        let owed = json_of(&world, &["duty", "list", "--state", "owed"]).await;
        let of = |name: &str| {
            let found = owed.as_array().unwrap().iter().find(|duty| duty["object"] == name);
            found.unwrap()["id"].as_str().unwrap().to_owned()
        };
        emsp.answers(Answer::envelope(200, 1000, "fine"));
        let (code, text) = truewatt(&world, &["duty", "retry", &of("DE/ABC/C-2")]).await;
        assert!(code == 0 && text.contains("DE/ABC/C-2"), "{text}");
        world.until_delivery("C-2", "delivered").await;
        let third = of("DE/ABC/C-3");
        let (code, text) = truewatt(&world, &["duty", "forgive", &third, "--reason", "agreed"]).await;
        assert!(matches!(code, 0 | 1), "{text}");

        for (arguments, code) in [
            (&["cdr", "show", "DE/ABC/C-9"][..], 1),
            (&["cdr", "show", "C-1"], 64),
            (&["duty", "list", "--state", "lost"], 64),
            (&["key", "show", "nobody"], 1),
            (&["key", "register"], 64),
        ] {
            let (heard, text) = truewatt(&world, arguments).await;
            assert_eq!(heard, code, "{arguments:?}: {text}");
        }
        Some(())
    }

    async fn an_operator_sees_from_a_shell_what_is_said_about_keys(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        let id = "0b0e1f6e-58a1-4c4d-9d4e-4a8ad4b5a001";
        let wish = json!({"scope": {"tariff_id": "FLAT"}, "from": "2026-11-21T00:00:00Z"}).to_string();
        let place = format!("/partner/v1/waivers/{id}");
        world.call(&msp, Method::PUT, &place, &[("Idempotency-Key", "w")], &wish).await;
        let (code, text) = truewatt(&world, &["key", "waivers"]).await;
        assert!(code == 0 && text.contains("DE/MSP") && text.contains("tariff FLAT") && text.contains(id), "{text}");
        assert_eq!(json_of(&world, &["key", "waivers", "--emsp", "de/oth"]).await, json!([]));

        let key = hex::encode(meter("mine").public_key().to_spki_der());
        let wish = json!({"evse_id": "DE*ABC*E1", "public_key": key, "source": "OCPP"}).to_string();
        world.call(&cpo, Method::POST, "/partner/v1/observations", &[("Idempotency-Key", "o")], &wish).await;
        let (code, text) = truewatt(&world, &["key", "observations", "--cpo", "DE/ABC", "--source", "OCPP"]).await;
        assert!(code == 0 && text.contains(&meter("mine").public_key().fingerprint()), "{text}");
        assert_eq!(json_of(&world, &["key", "observations", "--source", "CDR"]).await, json!([]));
        assert_eq!(truewatt(&world, &["key", "observations", "--source", "RADIO"]).await.0, 64);
        assert_eq!(json_of(&world, &["key", "conformity", "--unconfirmed"]).await, json!([]));
        assert_eq!(truewatt(&world, &["key", "conformity", "--cpo", "nobody"]).await.0, 64);
        Some(())
    }
}
