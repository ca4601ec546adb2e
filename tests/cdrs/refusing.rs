//! What is refused before anything is stored (design.md 3.6.1), with which code, and that nothing is forwarded.

use serde_json::json;
use truewatt::client::Method;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, cdr, plain};

/// Name, headers, body; HTTP status, OCPI code, and a word of the message.
type Case = (
    &'static str,
    Vec<(&'static str, &'static str)>,
    String,
    u16,
    u64,
    &'static str,
);

on_both! {
    async fn what_cannot_be_taken_is_refused_by_name_and_leaves_nothing_but_a_line_in_the_journal(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        world.platform(&["FR/OTH:EMSP"], Some(&emsp)).await;
        let (status, _) = world.operate(Method::POST, "/operator/v1/platforms", Some(json!({
            "name": "planned", "parties": [{"country_code": "FR", "party_id": "PLA", "roles": ["EMSP"], "name": "p"}]
        }))).await;
        assert_eq!(status, 201);
        let to = |country: &'static str, party: &'static str| vec![("OCPI-to-country-code", country), ("OCPI-to-party-id", party)];
        let from = |country: &'static str, party: &'static str| vec![("OCPI-from-country-code", country), ("OCPI-from-party-id", party)];
        let body = plain("C-1");
        let cases: Vec<Case> = vec![
            ("unknown to", to("XX", "YYY"), body.clone(), 200, 4001, "XX/YYY"),
            ("unknown payer", vec![], cdr("C-1", "XX/YYY", "null", ""), 200, 4001, "XX/YYY"),
            ("planned receiver", vec![], cdr("C-1", "FR/PLA", "null", ""), 200, 4003, "PLANNED"),
            ("to on another platform", to("FR", "OTH"), body.clone(), 200, 2001, "OCPI-to"),
            ("from of somebody else", from("FR", "OTH"), body.clone(), 403, 2000, "OCPI-from"),
            ("owner is not from", vec![], body.replace("\"party_id\":\"ABC\"", "\"party_id\":\"XYZ\""), 200, 2001, "/party_id: "),
            ("half a pair", vec![("OCPI-to-party-id", "MSP")], body.clone(), 200, 2001, "OCPI-to-country-code"),
            ("no id", vec![], body.replace("\"id\":\"C-1\",", ""), 200, 2001, "/id: "),
            ("token of the wrong type", vec![], body.replace("\"cdr_token\":{", "\"cdr_token\":7,\"x\":{"), 200, 2001, "/cdr_token: "),
            ("no date", vec![], body.replace("2026-11-21T09:00:00Z", "yesterday"), 200, 2001, "/start_date_time: "),
            ("signed data of the wrong type", vec![], body.replace("\"signed_data\":null", "\"signed_data\":[]"), 200, 2001, "/signed_data: "),
            ("a marker of its own", vec![], body.replace("\"currency\"", "\"metering_validation\":{},\"currency\""), 200, 2001, "/metering_validation: "),
            ("a member twice", vec![], body.replace("\"currency\"", "\"zz_first\":1,\"currency\""), 200, 2001, "/zz_first: "),
            ("no json", vec![], body.replace("}\n", ""), 400, 2000, "JSON"),
        ];
        for (name, headers, body, http, code, word) in &cases {
            let heard = world.post_with(&cpo, headers, body, "2.2.1").await;
            assert_eq!((heard.http, heard.code), (*http, *code), "{name}: {}", heard.message);
            assert!(heard.message.contains(word), "{name}: {}", heard.message);
            assert_eq!(heard.location, None, "{name}");
        }
        // An eMSP is no CPO, and a CPO is no other CPO.
        assert_eq!(world.post(&msp, &body).await.code, 2001);
        assert!(emsp.posted().is_empty());
        assert_eq!(world.operate(Method::GET, "/operator/v1/cdrs", None).await.1["items"], json!([]));
        let (_, journal) = world.operate(Method::GET, "/operator/v1/journal?limit=1000", None).await;
        let refused = journal["items"].as_array().unwrap().iter().filter(|entry| entry["outcome"].as_str().unwrap().starts_with("refused"));
        // Half a pair is refused before the request is understood as anybody's.
        assert_eq!(refused.count(), cases.len());
        assert_eq!(world.post(&cpo, &body).await.code, 1000, "the id stayed free");
        Some(())
    }

    async fn a_control_character_in_a_members_name_costs_no_line_of_the_journal(on) {
        // PostgreSQL keeps no NUL in a text; a peer could have silenced the journal, and made us log errors at its will.
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let twice = r#""z\u0000\u001bz":1,"z\u0000\u001bz":1,"currency""#;
        let heard = world.post(&cpo, &plain("C-1").replace("\"currency\"", twice)).await;
        assert_eq!((heard.code, heard.message.as_str()), (2001, "/zz: appears twice"));
        let (_, journal) = world.operate(Method::GET, "/operator/v1/journal", None).await;
        let lines = journal["items"].as_array().unwrap();
        assert_eq!(lines.len(), 1, "{journal}");
        assert!(lines[0]["outcome"].as_str().unwrap().contains("/zz: appears twice"), "{journal}");
        Some(())
    }

    async fn an_answer_larger_than_a_megabyte_is_none_and_a_long_message_is_cut(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let padding = "x".repeat(1024 * 1024);
        emsp.answers(Answer::plain(200, &format!(r#"{{"status_code":1000,"data":"{padding}","timestamp":"2026-11-21T10:00:00Z"}}"#)));
        world.post(&cpo, &plain("C-1")).await;
        assert_ne!(world.delivery("C-1").await, "delivered");
        emsp.answers(Answer::envelope(200, 1000, "thanks"));
        world.until_delivery("C-1", "delivered").await;
        emsp.answers(Answer::envelope(200, 2001, &"ä".repeat(400_000)));
        let heard = world.post(&cpo, &plain("C-2")).await;
        assert_eq!(heard.code, 2001);
        assert_eq!(heard.message.chars().filter(|c| *c == 'ä').count(), 255, "{}", heard.message);
        Some(())
    }

    async fn a_cdr_is_never_changed_or_removed(on) {
        // CDR-04, U-08
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        for interface in ["receiver", "sender"] {
            for method in [Method::PUT, Method::PATCH, Method::DELETE] {
                let path = format!("/ocpi/2.2.1/{interface}/cdrs");
                let heard = world.call(&cpo, method.clone(), &path, &[], &plain("C-1")).await;
                assert_eq!((heard.http, heard.code), (405, 2000), "{method} {interface}");
            }
        }
        Some(())
    }

    async fn empty_and_undecodable_signed_data_is_a_finding_and_no_refusal(on) {
        // design.md 3.6.1, CDR-20
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let long = "x".repeat(200_000);
        for (number, (data, code)) in [
            ("{}".to_owned(), "UNDECODABLE_SIGNED_DATA"),
            (r#"{"encoding_method":"OCMF","signed_values":[]}"#.to_owned(), "NO_SIGNED_DATA"),
            (r#"{"encoding_method":"X","signed_values":[{"nature":"End","plain_data":"","signed_data":"?"}]}"#.to_owned(), "UNSUPPORTED_ENCODING_METHOD"),
            (format!(r#"{{"encoding_method":"OCMF","signed_values":[{{"nature":"End","plain_data":"","signed_data":"{long}"}}]}}"#), ""),
        ]
        .into_iter()
        .enumerate()
        {
            let heard = world.post(&cpo, &cdr(&format!("C-{number}"), "DE/MSP", &data, "")).await;
            assert_eq!(heard.code, 1000, "{}", heard.message);
            assert!(heard.message.contains(code), "{code}: {}", heard.message);
        }
        assert_eq!(emsp.posted().len(), 4);
        Some(())
    }

    async fn a_peer_hub_keeps_its_own_marker_and_gets_none_of_ours(on) {
        // design.md 3.5, "Marker"
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let hub = world.platform(&["SE/HUB:HUB", "DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let data = r#"{"encoding_method":"OCMF","signed_values":[]}"#;
        let marked = cdr("C-1", "DE/MSP", data, "\"metering_validation\":{\"status\":\"INVALID\"},");
        assert_eq!(world.post(&hub, &marked).await.code, 1000);
        assert_eq!(emsp.posted()[0].text(), marked);
        assert_eq!(emsp.posted()[0].header("truewatt-metering"), Some("UNVERIFIABLE"));
        Some(())
    }
}
