//! What is kept of a CDR beyond its delivery: its address, whose it is, and who was given it when.

use serde_json::Value;
use truewatt::client::Method;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{NOON, World, plain};

on_both! {
    // CDR-05, CDR-06, CDR-07, N-01, N-10, D-11
    async fn a_location_leads_where_it_led_after_the_process_has_changed(on) {
        let world = World::start(on, "").await?;
        let (emsp, silent) = (Peer::open().await, Peer::open().await);
        emsp.answers(Answer::envelope(201, 1000, "thanks").header("Location", "../kept//77/?x=%2F"));
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let other = world.platform(&["DE/XYZ:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        world.platform(&["NL/MSB:EMSP"], Some(&silent)).await;
        let theirs = world.post(&cpo, &plain("C-1")).await.location.unwrap();
        let for_silent = crate::world::cdr("C-2", "NL/MSB", "null", "");
        let ours = world.post(&cpo, &for_silent).await.location.unwrap();
        let path = |location: &str| format!("/ocpi/p/{}", location.rsplit('/').next().unwrap());
        let next = world.beside().await;
        world.site.hub.stop().await;

        let said = "{\"data\":{\"id\":\"C-1\", \"as\":\"they keep it\"} ,\"status_code\":1000,\"timestamp\":\"2026-11-21T10:00:00Z\"}";
        emsp.answers_get(Answer::plain(200, said));
        let heard = next.get(&cpo, &path(&theirs), &[]).await;
        assert_eq!((heard.http, heard.text().as_str()), (200, said));
        let got = emsp.gets().pop().unwrap();
        assert_eq!(got.path, "/kept//77/?x=%2F");
        assert_eq!((got.header("ocpi-to-party-id"), got.header("ocpi-from-party-id")), (Some("MSP"), Some("ABC")));
        for stranger in [&other, &msp] {
            assert_eq!(next.get(stranger, &path(&theirs), &[]).await.http, 404);
        }
        let copy = next.get(&cpo, &path(&ours), &[]).await;
        assert!(copy.text().contains(for_silent.trim_end()), "{}", copy.text());
        assert_eq!(emsp.gets().len(), 1);
        Some(())
    }

    // CDR-10, CDR-11
    async fn one_id_of_two_operators_is_two_cdrs(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let other = world.platform(&["DE/XYZ:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let theirs = plain("C-1").replacen("\"party_id\":\"ABC\"", "\"party_id\":\"XYZ\"", 1).replace("7.500", "9.25");
        let (first, second) = (world.post(&cpo, &plain("C-1")).await, world.post(&other, &theirs).await);
        assert_eq!((first.code, second.code), (1000, 1000), "{}", second.message);
        assert_ne!(first.location, second.location);
        let got: Vec<String> = emsp.posted().iter().map(|got| got.text()).collect();
        assert_eq!(got, [plain("C-1"), theirs.clone()]);
        let list = world.list(&msp, "").await;
        assert_eq!(list.ids(), ["C-1", "C-1"]);
        assert!(list.text().contains(plain("C-1").trim_end()) && list.text().contains(theirs.trim_end()));
        Some(())
    }

    // CDR-11, CDR-01, CDR-18, R-77
    async fn every_cdr_is_in_its_payers_list_however_it_was_addressed(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let rival = world.platform(&["FR/RIV:EMSP"], Some(&emsp)).await;
        let to = |country: &'static str, party: &'static str| vec![("OCPI-to-country-code", country), ("OCPI-to-party-id", party)];
        for (id, headers) in [("NAMED", to("DE", "MSP")), ("HUB", to("DE", "TWH")), ("OPEN", vec![])] {
            assert_eq!(world.post_with(&cpo, &headers, &plain(id), "2.2.1").await.code, 1000, "{id}");
        }
        let list = world.list(&msp, "").await;
        assert_eq!(list.ids(), ["NAMED", "HUB", "OPEN"]);
        for id in ["NAMED", "HUB", "OPEN"] {
            assert!(list.text().contains(plain(id).trim_end()), "octet by octet: {id}");
        }
        assert!(emsp.posted().iter().all(|got| got.header("ocpi-to-party-id") == Some("MSP")));
        assert_eq!(world.list(&rival, "").await.ids(), Vec::<String>::new());
        Some(())
    }

    // CDR-16
    async fn a_reservation_never_used_is_billed_without_evse_and_session(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let nowhere = "\"evse_uid\":\"#NA\",\"evse_id\":\"#NA\",\"connector_id\":\"#NA\",\"connector_standard\":\"NONE_AT_ALL\"";
        let body = plain("C-1").replace("\"evse_uid\":\"1\",\"evse_id\":\"DE*ABC*E1\"", nowhere).replace("7.500", "0");
        assert!(body.contains("#NA") && !body.contains("session_id"));
        let heard = world.post(&cpo, &body).await;
        assert_eq!(heard.code, 1000, "{}", heard.message);
        assert_eq!(emsp.posted()[0].text(), body);
        Some(())
    }

    // CDR-19
    async fn the_journal_says_who_was_given_a_cdr_when_and_with_what_result_and_nothing_of_its_content(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        emsp.answers(Answer::envelope(500, 3000, "busy"));
        world.post(&cpo, &plain("C-1")).await;
        emsp.answers(Answer::envelope(202, 1000, "thanks"));
        world.until_delivery("C-1", "delivered").await;
        let (_, journal) = world.operate(Method::GET, "/operator/v1/journal?object=DE/ABC/C-1&limit=100", None).await;
        let lines = journal["items"].as_array().unwrap();
        let with = |http: u64, code: u64| {
            lines.iter().filter(|line| (line["http_status"].as_u64(), line["status_code"].as_u64()) == (Some(http), Some(code))).collect::<Vec<&Value>>()
        };
        for line in [with(500, 3000)[0], with(202, 1000)[0]] {
            assert_eq!((&line["from"], &line["to"], &line["module"]), (&"DE/ABC".into(), &"DE/MSP".into(), &"cdrs".into()), "{line}");
            assert!(line["at"].as_str().is_some_and(|at| at >= NOON), "{line}");
        }
        for secret in ["04AA", "\"C1\"", "zz_first", "7.500"] {
            assert!(!journal.to_string().contains(secret), "{secret}: {journal}");
        }
        Some(())
    }
}
