//! What a verdict does to a CDR: marker, header, remark; mark, hold, reject; replay and re-check (design.md 3.5, 3.6.3).

use chrono::TimeDelta;
use serde_json::json;
use truewatt::client::Method;
use truewatt::store::parties::PlatformChange;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, cdr, meter, plain, signed, signed_data};

/// The body without the one member the hub may append.
fn without_marker(body: &str) -> String {
    let (before, rest) = body.split_once(",\"metering_validation\":{").unwrap();
    let (_, after) = rest.split_once('}').unwrap();
    format!("{before}{after}")
}

on_both! {
    async fn a_verified_cdr_is_not_touched_and_nothing_is_remarked(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let (cpo, msp) = (world.platform(&["DE/ABC:CPO"], None).await, world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await);
        let meter = meter("mine");
        world.register(&meter).await;
        let body = signed("C-1", &meter, 1);
        let heard = world.post(&cpo, &body).await;
        assert_eq!((heard.code, heard.message.as_str()), (1000, "thanks"));
        assert_eq!(emsp.posted()[0].text(), body);
        assert_eq!(emsp.posted()[0].header("truewatt-metering"), Some("VERIFIED"));
        assert!(world.list(&msp, "").await.text().contains(body.trim_end()));
        for who in [&cpo, &msp] {
            let report = world.get(who, "/partner/v1/cdrs/DE/ABC/c-1/report", &[]).await.json();
            assert_eq!((&report["status"], &report["billable"], &report["key"]["trust"]), (&json!("VERIFIED"), &json!(true), &json!("REGISTERED")));
            assert_eq!((&report["signed_energy_kwh"], &report["cdr_energy_kwh"]), (&json!("7.500"), &json!("7.500")));
        }
        Some(())
    }

    async fn a_cdr_with_a_problem_differs_by_exactly_one_member_and_everybody_hears_why(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let (cpo, msp) = (world.platform(&["DE/ABC:CPO"], None).await, world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await);
        let meter = meter("mine");
        world.register(&meter).await;
        let body = signed("C-1", &meter, 1).replace("17.500", "17.600");
        let heard = world.post(&cpo, &body).await;
        assert_eq!(heard.message, "thanks; metering INVALID: SIGNATURE_MISMATCH");
        let got = &emsp.posted()[0];
        assert_eq!(got.header("truewatt-metering"), Some("INVALID"));
        assert_eq!(without_marker(&got.text()), body);
        let pushed: serde_json::Value = serde_json::from_str(&got.body).unwrap();
        let marker = &pushed["metering_validation"];
        assert_eq!(marker["status"], "INVALID");
        assert_eq!(marker["findings"], json!(["SIGNATURE_MISMATCH"]));
        assert_eq!(marker["validated_by"], "DE/TWH");
        let url = marker["report_url"].as_str().unwrap();
        assert_eq!(url, format!("{}/partner/v1/cdrs/DE/ABC/C-1/report", world.hub.url));
        assert_eq!(world.get(&msp, url, &[]).await.json()["status"], "INVALID");
        // Pulled alike, and the Location reads what was posted.
        assert!(world.list(&msp, "").await.text().contains(got.text().trim_end()));
        let read = world.get(&cpo, &heard.location.unwrap(), &[]).await;
        assert!(read.text().contains(body.trim_end()) && !read.text().contains("metering_validation"));
        assert_eq!(world.post(&cpo, &body).await.message, "thanks; metering INVALID: SIGNATURE_MISMATCH", "a repeat hears the same");
        Some(())
    }

    async fn a_platform_lists_no_verdict_that_a_party_may_see_on_another_platform_only(on) {
        // One party, its two roles on two platforms: each platform hears of its own role's CDRs.
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let sends = world.platform(&["DE/TWO:CPO"], None).await;
        let pays = world.platform(&["DE/TWO:EMSP"], Some(&emsp)).await;
        assert_eq!(world.post(&cpo, &cdr("C-1", "DE/TWO", "null", "")).await.code, 1000);
        for (who, count) in [(&cpo, 1), (&sends, 0), (&pays, 1)] {
            let reports = world.get(who, "/partner/v1/reports", &[]).await.json();
            assert_eq!(reports["items"].as_array().unwrap().len(), count, "{reports}");
        }
        assert_eq!(world.get(&sends, "/partner/v1/cdrs/DE/ABC/C-1/report", &[]).await.http, 404);
        Some(())
    }

    async fn the_marker_follows_the_receivers_wish(on) {
        let world = World::start(on, "").await?;
        let (always, never) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform_with(&["DE/MSP:EMSP"], Some(&always), json!({"metering_marker": "always"}), "2.2.1").await;
        let msn = world.platform_with(&["DE/MSN:EMSP"], Some(&never), json!({"metering_marker": "never"}), "2.2.1").await;
        let body = plain("C-1");
        world.post(&cpo, &body).await;
        assert_eq!(without_marker(&always.posted()[0].text()), body);
        assert!(always.posted()[0].text().contains("\"status\":\"NOT_APPLICABLE\",\"billable\":true"));
        let meter = meter("mine");
        let bad = cdr("C-2", "DE/MSN", &signed_data(&meter, 1, None), "");
        let heard = world.post(&cpo, &bad).await;
        assert_eq!(heard.message, "thanks; metering UNVERIFIABLE: NO_PUBLIC_KEY");
        assert_eq!(never.posted()[0].text(), bad);
        assert_eq!(never.posted()[0].header("truewatt-metering"), Some("UNVERIFIABLE"));
        assert!(!world.list(&msn, "").await.text().contains("metering_validation"));
        Some(())
    }

    async fn the_marker_follows_the_receivers_wish_of_today_and_not_of_the_day_it_was_taken(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform_with(&["DE/MSP:EMSP"], None, json!({"metering_marker": "always"}), "2.2.1").await;
        world.post(&cpo, &plain("C-1")).await;
        for (wish, marked) in [("always", true), ("on_problem", false), ("always", true), ("never", false)] {
            let change = PlatformChange {
                id: msp.id.clone(),
                options: Some(json!({"metering_marker": wish}).to_string()),
                ..PlatformChange::default()
            };
            world.hub.store.platform_change(change).await.unwrap();
            world.hub.parties.reload().await.unwrap();
            if wish == "on_problem" {
                world.post(&cpo, &plain("C-2")).await;
            }
            let markers = world.list(&msp, "").await.text().matches("metering_validation").count();
            let cdrs = world.list(&msp, "").await.ids().len();
            assert_eq!(markers, if marked { cdrs } else { 0 }, "{wish}");
        }
        Some(())
    }

    async fn a_held_cdr_is_invisible_to_its_emsp_until_released_and_then_found_by_a_crawl_of_that_day(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform_with(&["DE/MSP:EMSP"], Some(&emsp), json!({"invalid_cdrs": "hold"}), "2.2.1").await;
        let meter = meter("mine");
        let body = cdr("C-1", "DE/MSP", &signed_data(&meter, 1, None), "");
        let heard = world.post(&cpo, &body).await;
        assert_eq!((heard.http, heard.code), (201, 1000));
        assert_eq!(heard.message, "held: not verified; metering UNVERIFIABLE: NO_PUBLIC_KEY");
        let location = heard.location.unwrap();
        assert_eq!(world.post(&cpo, &body).await.location.as_ref(), Some(&location));
        assert!(emsp.posted().is_empty());
        assert_eq!(world.list(&msp, "").await.ids(), Vec::<String>::new());
        assert_eq!(world.list(&msp, "").await.header("x-total-count"), Some("0"));
        for place in [location.as_str(), "/partner/v1/cdrs/DE/ABC/C-1/report", "/partner/v1/cdrs/DE/ABC/C-1/delivery"] {
            assert_eq!(world.get(&msp, place, &[]).await.http, 404, "{place}");
            assert_eq!(world.get(&cpo, place, &[]).await.http, 200, "{place}");
        }
        assert_eq!(world.get(&msp, "/partner/v1/reports", &[]).await.json()["items"], json!([]));
        world.clock.advance(TimeDelta::days(7));
        let (status, released) = world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-1/release", None).await;
        assert_eq!(status, 200, "{released}");
        assert_eq!(world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-1/release", None).await.0, 409);
        world.until_delivery("C-1", "delivered").await;
        assert_eq!(emsp.posted().len(), 1);
        assert_eq!(world.list(&msp, "?date_from=2026-11-28T00:00:00Z").await.ids(), ["C-1"], "what came late is not missed");
        assert_eq!(world.list(&msp, "?date_from=2026-11-21T00:00:00Z&date_to=2026-11-22T00:00:00Z").await.ids(), ["C-1"]);
        assert_eq!(world.list(&msp, "?date_from=2026-11-22T00:00:00Z&date_to=2026-11-28T00:00:00Z").await.ids(), Vec::<String>::new());
        assert_eq!(world.get(&msp, "/partner/v1/cdrs/DE/ABC/C-1/report", &[]).await.http, 200);
        Some(())
    }

    async fn a_cdr_released_from_hold_is_the_hubs_word_even_without_custody(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let options = json!({"invalid_cdrs": "hold", "custody": false});
        let msp = world.platform_with(&["DE/MSP:EMSP"], Some(&emsp), options, "2.2.1").await;
        world.post(&cpo, &cdr("C-1", "DE/MSP", &signed_data(&meter("mine"), 1, None), "")).await;
        emsp.answers(Answer::plain(500, ""));
        assert_eq!(world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-1/release", None).await.0, 200);
        emsp.until(1).await;
        emsp.answers(Answer::envelope(200, 1000, "fine"));
        world.until_delivery("C-1", "delivered").await;
        assert_eq!(world.list(&msp, "").await.ids(), ["C-1"]);
        Some(())
    }

    async fn a_recheck_that_verifies_releases_what_was_held_and_keeps_the_old_verdict(on) {
        let world = World::start(on, "[metering]\ninvalid_cdrs = \"hold\"\n").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        let body = cdr("C-1", "DE/MSP", &signed_data(&meter, 1, None), "");
        world.post(&cpo, &body).await;
        let recheck = "/operator/v1/cdrs/DE/ABC/C-1/recheck";
        world.clock.advance(TimeDelta::hours(1));
        assert_eq!(world.operate(Method::POST, recheck, None).await.1["delivery"], "held", "nothing new is known");
        world.register(&meter).await;
        world.clock.advance(TimeDelta::hours(1));
        let (status, cdr) = world.operate(Method::POST, recheck, None).await;
        assert_eq!((status, &cdr["metering_status"]), (200, &json!("VERIFIED")), "{cdr}");
        let statuses: Vec<_> = cdr["reports"].as_array().unwrap().iter().map(|report| report["status"].clone()).collect();
        // The hub follows its registry by itself, and may have been quicker than the operator who asked.
        assert_eq!(statuses[..2], ["UNVERIFIABLE", "UNVERIFIABLE"]);
        assert!(statuses.len() > 2 && statuses[2..].iter().all(|status| status == "VERIFIED"), "{statuses:?}");
        world.until_delivery("C-1", "delivered").await;
        assert_eq!(emsp.posted()[0].text(), body);
        assert_eq!(emsp.posted()[0].header("truewatt-metering"), Some("VERIFIED"));
        // The block it verified for the first time is used up from now on.
        let replay = body.replace("\"C-1\"", "\"C-2\"");
        assert!(world.post(&cpo, &replay).await.message.contains("REPLAYED_RECORD"));
        Some(())
    }

    async fn a_recheck_after_the_receiver_left_is_answered_with_the_new_verdict(on) {
        let world = World::start(on, "[metering]\ninvalid_cdrs = \"hold\"\n").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.post(&cpo, &cdr("C-1", "DE/MSP", &signed_data(&meter, 1, None), "")).await;
        world.register(&meter).await;
        world.hub.store.platform_delete(&msp.id).await.unwrap();
        world.hub.parties.reload().await.unwrap();
        let (status, cdr) = world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-1/recheck", None).await;
        assert_eq!((status, &cdr["metering_status"], &cdr["delivery"]), (200, &json!("VERIFIED"), &json!("held")), "{cdr}");
        Some(())
    }

    async fn reject_leaves_the_id_free_and_only_verdict_and_digest_in_the_journal(on) {
        let world = World::start(on, "[metering]\ninvalid_cdrs = \"reject\"\n").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.register(&meter).await;
        let forged = signed("C-1", &meter, 1).replace("17.500", "17.600");
        let heard = world.post(&cpo, &forged).await;
        assert_eq!((heard.http, heard.code, heard.location.as_deref()), (200, 2001, None));
        assert_eq!(heard.message, "rejected: metering INVALID: SIGNATURE_MISMATCH");
        assert!(emsp.posted().is_empty());
        assert_eq!(world.list(&msp, "").await.ids(), Vec::<String>::new());
        assert_eq!(world.delivery("C-1").await, "gone");
        let (_, journal) = world.operate(Method::GET, "/operator/v1/journal?object=de/abc/c-1", None).await;
        let kept: Vec<_> = journal["items"].as_array().unwrap().iter().filter(|entry| entry["outcome"].as_str().unwrap().contains("sha256:")).collect();
        assert_eq!(kept.len(), 1, "{journal}");
        assert!(kept[0]["outcome"].as_str().unwrap().contains("INVALID"));
        // The blocks are free as well: the honest record verifies under the same id.
        assert_eq!(world.post(&cpo, &signed("C-1", &meter, 1)).await.message, "thanks");
        Some(())
    }

    async fn a_signed_record_serves_one_cdr_also_when_both_are_posted_at_once(on) {
        // design.md 3.5, "Replay"
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.register(&meter).await;
        let bodies: Vec<String> = (0..8).map(|number| signed(&format!("C-{number}"), &meter, 1)).collect();
        let heard = futures_util::future::join_all(bodies.iter().map(|body| world.post(&cpo, body))).await;
        let good = heard.iter().filter(|one| one.message == "thanks").count();
        let replayed = heard.iter().filter(|one| one.message == "thanks; metering INVALID: REPLAYED_RECORD").count();
        assert_eq!((good, replayed), (1, 7), "{:?}", heard.iter().map(|one| &one.message).collect::<Vec<_>>());
        Some(())
    }

    async fn a_rejected_cdr_uses_up_no_record(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.register(&meter).await;
        emsp.answers(Answer::envelope(200, 2001, "no"));
        assert_eq!(world.post(&cpo, &signed("C-1", &meter, 1)).await.message, "no");
        emsp.answers(Answer::envelope(200, 1000, "yes"));
        assert_eq!(world.post(&cpo, &signed("C-2", &meter, 1)).await.message, "yes");
        Some(())
    }

    async fn a_calibrated_evse_without_signed_data_is_missing_it(on) {
        // SAF-47
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        let key = world.register(&meter).await;
        assert_eq!(world.post(&cpo, &plain("C-1")).await.message, "thanks; metering MISSING: SIGNED_DATA_MISSING");
        // A deactivation ends the registration now; charging was before, so it still holds for that CDR.
        assert_eq!(world.operate(Method::POST, &format!("/operator/v1/keys/{key}/deactivate"), None).await.0, 200);
        assert_eq!(world.post(&cpo, &signed("C-2", &meter, 1)).await.message, "thanks", "SAF-40");
        Some(())
    }

    async fn an_unregistered_key_proves_integrity_only_and_the_key_policy_says_what_that_is_worth(on) {
        let world = World::start(on, "[metering]\nkey_policy = \"delivered\"\n").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let body = signed("C-1", &meter("mine"), 1);
        assert_eq!(world.post(&cpo, &body).await.message, "thanks; metering INTEGRITY_ONLY: KEY_NOT_REGISTERED");
        assert_eq!(emsp.posted()[0].text(), body, "billable by policy: not touched");
        assert_eq!(emsp.posted()[0].header("truewatt-metering"), Some("INTEGRITY_ONLY"));
        Some(())
    }
}
