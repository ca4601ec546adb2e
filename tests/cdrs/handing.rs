//! The proof of sessions handed on as files: to the two parties of a CDR, and to the operator (key-registry.md CAL-IF05).

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;
use truewatt::client::{Answer, Method};

use super::following::session;
use crate::common::site::{OPERATOR, owned};
use crate::on_both;
use crate::peer::Peer;
use crate::world::{World, cdr, meter, plain, signed_data};

async fn truewatt(world: &World, arguments: &[&str]) -> (i32, Vec<u8>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_truewatt"))
        .args(arguments)
        .env("TRUEWATT_URL", &world.hub.url)
        .env("TRUEWATT_TOKEN", OPERATOR)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), output.stdout, said)
}

async fn ask(world: &World, path: &str) -> Answer {
    let token = format!("Bearer {OPERATOR}");
    world
        .send(Method::GET, path, owned(&[("Authorization", &token)]), None)
        .await
}

on_both! {
    // SAF-21, CAL-IF05, CAL-R5: from delivery on, the same octets, also after the process ended.
    async fn saf_21_the_link_of_a_cdr_leads_its_two_parties_to_its_proof_and_stays(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let (cpo, msp) = (world.platform(&["DE/ABC:CPO"], None).await, world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await);
        let stranger = world.platform(&["DE/XYZ:EMSP"], None).await;
        let mine = meter("mine");
        world.register(&mine).await;
        let body = session("C-1", &mine, 1, 3, "1.0", "2.5");
        assert_eq!(world.post(&cpo, &body).await.code, 1000);
        let posted: serde_json::Value = serde_json::from_str(&body).unwrap();
        let record = posted["signed_data"]["signed_values"][1]["signed_data"].as_str().unwrap();
        let link = "/partner/v1/cdrs/DE/ABC/C-1/transparency";
        let mut files = Vec::new();
        for (ending, media) in [("xml", "application/xml"), ("json", "application/json"), ("raw", "text/plain; charset=utf-8")] {
            for who in [&cpo, &msp] {
                let heard = world.get(who, &format!("{link}.{ending}"), &[]).await;
                assert_eq!((heard.http, heard.header("content-type")), (200, Some(media)), "{ending}");
                files.push(heard.text());
            }
            assert_eq!(world.get(&stranger, &format!("{link}.{ending}"), &[]).await.http, 404);
        }
        assert!(files[0].contains("<values") && files[0] == files[1]);
        assert!(files[4].lines().any(|line| line == record), "{}", files[4]);
        assert!(files[0].contains("<publicKey"), "{}", files[0]);
        // What another process says of it is the same.
        let next = world.beside().await;
        for (ending, at) in [("xml", 0), ("json", 2), ("raw", 4)] {
            assert_eq!(next.get(&msp, &format!("{link}.{ending}"), &[]).await.text(), files[at], "{ending}");
        }
        world.post(&cpo, &plain("C-2")).await;
        assert_eq!(world.get(&cpo, "/partner/v1/cdrs/DE/ABC/C-2/transparency.xml", &[]).await.http, 404, "nothing signed");
        Some(())
    }

    async fn the_proof_of_a_held_cdr_is_for_its_cpo_alone(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform_with(&["DE/MSP:EMSP"], None, json!({"invalid_cdrs": "hold"}), "2.2.1").await;
        world.post(&cpo, &cdr("C-1", "DE/MSP", &signed_data(&meter("mine"), 1, None), "")).await;
        for (who, http, sessions) in [(&cpo, 200, "1"), (&msp, 404, "0")] {
            assert_eq!(world.get(who, "/partner/v1/cdrs/DE/ABC/C-1/transparency.xml", &[]).await.http, http);
            let many = world.get(who, "/partner/v1/transparency", &[]).await;
            assert_eq!((many.http, many.header("truewatt-sessions")), (200, Some(sessions)));
        }
        Some(())
    }

    // SAF-22
    async fn saf_22_one_and_five_hundred_sessions_go_into_one_file(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        let mine = meter("mine");
        for number in 0..500 {
            let body = cdr(&format!("C-{number}"), "DE/MSP", &signed_data(&mine, number + 1, Some(&mine)), "");
            assert_eq!(world.post(&cpo, &body).await.code, 1000);
        }
        world.post(&cpo, &plain("P-1")).await;
        for (path, sessions, without) in [
            ("/operator/v1/transparency".to_owned(), 500, "1"),
            ("/operator/v1/transparency?cpo=DE/ABC&emsp=DE/MSP&from=2026-01-01T00:00:00Z".to_owned(), 500, "1"),
            ("/operator/v1/transparency?cdrs=DE/ABC/C-7,DE/ABC/C-3".to_owned(), 2, "0"),
            ("/operator/v1/transparency?emsp=DE/XYZ".to_owned(), 0, "0"),
            ("/operator/v1/cdrs/DE/ABC/C-9/transparency".to_owned(), 1, "0"),
        ] {
            let answer = ask(&world, &path).await;
            let text = String::from_utf8(answer.body.to_vec()).unwrap();
            assert_eq!(answer.status, 200, "{path}: {text}");
            assert_eq!(answer.header("truewatt-sessions"), Some(sessions.to_string().as_str()), "{path}");
            assert_eq!(answer.header("truewatt-without-signed-values"), Some(without), "{path}");
            assert_eq!(text.matches("<value ").count() + text.matches("<value>").count(), 2 * sessions, "{path}");
        }
        for (path, status) in [("?format=pdf", 400), ("?cdrs=C-1", 400), ("?cdrs=DE/ABC/none", 404), ("?cdrs=DE/ABC/C-1&cpo=DE/ABC", 400)] {
            assert_eq!(ask(&world, &format!("/operator/v1/transparency{path}")).await.status, status, "{path}");
        }
        // Its two parties get their own, in one file as well.
        for who in [&cpo, &msp] {
            let many = world.get(who, "/partner/v1/transparency?format=raw", &[]).await;
            assert_eq!((many.http, many.header("truewatt-sessions")), (200, Some("500")));
            assert_eq!(many.text().matches("OCMF|").count(), 1000);
        }
        // From a shell, and what comes out is proof: every session of it verifies again.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.xml");
        let (code, _, said) = truewatt(&world, &["cdr", "export", "--cpo", "DE/ABC", "--output", file.to_str().unwrap()]).await;
        assert!(code == 0 && said.contains("500 sessions written, 1 CDRs have no signed values"), "{said}");
        let (code, said, wrong) = truewatt(&world, &["verify", file.to_str().unwrap()]).await;
        assert_eq!(code, 0, "{wrong}{}", String::from_utf8_lossy(&said).chars().take(2000).collect::<String>());
        let (code, one, _) = truewatt(&world, &["cdr", "export", "DE/ABC/C-5", "--format", "raw"]).await;
        assert_eq!((code, String::from_utf8(one).unwrap().lines().count()), (0, 2));
        assert_eq!(truewatt(&world, &["cdr", "export", "DE/ABC/none"]).await.0, 1);
        let odd = "C%2C 1,/2";
        assert_eq!(world.post(&cpo, &cdr(odd, "DE/MSP", &signed_data(&mine, 600, Some(&mine)), "")).await.code, 1000);
        let (code, two, said) = truewatt(&world, &["cdr", "export", &format!("DE/ABC/{odd}"), "DE/ABC/C-5", "--format", "raw"]).await;
        assert_eq!((code, String::from_utf8(two).unwrap().matches("OCMF|").count()), (0, 4), "{said}");
        Some(())
    }
}
