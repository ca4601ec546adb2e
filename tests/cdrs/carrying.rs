//! What a receiver's answer means, and what happens when there is none: the table of design.md 3.6.5.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use truewatt::client::Method;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, plain};

const IN_CUSTODY: &str = "in custody, receiver not reachable";

on_both! {
    async fn whatever_is_no_word_about_the_cdr_leaves_it_in_custody(on) {
        // S-14, S-15, D-07
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let answers = [
            Answer::envelope(200, 3000, "my trouble"),
            Answer::envelope(200, 4001, "no hub of mine"),
            Answer::envelope(401, 2000, "who are you"),
            Answer::envelope(403, 2001, "not you"),
            Answer::envelope(429, 2000, "slowly"),
            Answer::envelope(302, 1000, "there").header("Location", "http://127.0.0.1:1/"),
            Answer::plain(200, "<html>fine</html>"),
            Answer::plain(500, "oops"),
            Answer::plain(204, ""),
        ];
        for (number, answer) in answers.into_iter().enumerate() {
            emsp.answers(answer);
            let id = format!("C-{number}");
            let heard = world.post(&cpo, &plain(&id)).await;
            assert_eq!((heard.http, heard.code, heard.message.as_str()), (201, 1000, IN_CUSTODY), "{id}");
            assert!(heard.location.is_some());
            assert_eq!(world.delivery(&id).await, "in_custody");
        }
        assert_eq!(world.list(&msp, "").await.header("x-total-count"), Some("9"), "custody is no reason to hide a CDR");
        let again = world.post(&cpo, &plain("C-0")).await;
        assert_eq!((again.http, again.code, again.message.as_str()), (200, 1000, IN_CUSTODY));
        Some(())
    }

    /// CDR-19
    async fn a_cdr_in_custody_is_delivered_when_the_receiver_is_back(on) {
        // design.md 3.6.5: refused, then OFFLINE without an attempt, then nudged
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        emsp.close().await;
        let bodies = [plain("C-1"), plain("C-2"), plain("C-3")];
        for body in &bodies {
            let heard = world.post(&cpo, body).await;
            assert_eq!((heard.http, heard.code, heard.message.as_str()), (201, 1000, IN_CUSTODY));
        }
        let (_, parties) = world.operate(Method::GET, "/operator/v1/parties", None).await;
        assert!(parties.to_string().contains("OFFLINE"), "two failed attempts in a row: {parties}");
        let (_, duties) = world.operate(Method::GET, "/operator/v1/duties?state=owed", None).await;
        assert_eq!(duties["items"].as_array().unwrap().len(), 3);
        assert_eq!(duties["items"][0]["object"], "DE/ABC/C-1");
        emsp.reopen().await;
        for id in ["C-1", "C-2", "C-3"] {
            world.until_delivery(id, "delivered").await;
        }
        let mut got: Vec<String> = emsp.posted().iter().map(|got| got.text()).collect();
        got.sort();
        assert_eq!(got, bodies, "each exactly once, each as it was posted");
        let (_, duties) = world.operate(Method::GET, "/operator/v1/duties", None).await;
        assert_eq!(duties["items"], json!([]));
        let repeat = world.post(&cpo, &bodies[0]).await;
        assert_eq!((repeat.http, repeat.message.as_str()), (200, "thanks"));
        Some(())
    }

    async fn an_offline_receiver_gets_no_attempt_and_its_return_nudges(on) {
        // R-43; the clock stands still, so it is not the retry that delivers
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let id = truewatt::ocpi::ids::PlatformId::from(msp.id.as_str());
        for _ in 0..2 {
            world.hub.parties.presence().unreachable(&id);
        }
        let heard = world.post(&cpo, &plain("C-1")).await;
        assert_eq!((heard.http, heard.code, heard.message.as_str()), (201, 1000, IN_CUSTODY));
        assert!(emsp.posted().is_empty());
        assert_eq!(world.delivery("C-1").await, "in_custody");
        // Any request of theirs is a sign of life (HCI-09).
        world.list(&msp, "").await;
        for _ in 0..100 {
            if !emsp.posted().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(emsp.posted().len(), 1);
        Some(())
    }

    async fn retry_after_is_obeyed_and_after_the_custody_period_the_duty_is_dead_but_not_gone(on) {
        let world = World::start(on, "[cdrs]\ncustody_days = 1\n").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        emsp.answers(Answer::plain(503, "later").header("Retry-After", "7200"));
        world.post(&cpo, &plain("C-1")).await;
        world.clock.advance(TimeDelta::seconds(7100));
        world.hub.delivery.nudge();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(emsp.posted().len(), 1, "not before the receiver asked for it");
        world.clock.advance(TimeDelta::days(2));
        world.hub.delivery.nudge();
        for _ in 0..100 {
            if world.delivery("C-1").await == "dead" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.delivery("C-1").await, "dead");
        let (_, dead) = world.operate(Method::GET, "/operator/v1/duties?state=dead", None).await;
        let duty = dead["items"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(dead["items"][0]["last_outcome"], "HTTP 503, no OCPI envelope");
        emsp.answers(Answer::envelope(200, 1000, "at last"));
        let (status, _) = world.operate(Method::POST, &format!("/operator/v1/duties/{duty}/retry"), None).await;
        assert_eq!(status, 200);
        world.until_delivery("C-1", "delivered").await;
        Some(())
    }

    async fn a_rejected_cdr_closes_the_duty_and_another_content_is_carried(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        emsp.answers(Answer::envelope(400, 2002, "tariff missing"));
        let heard = world.post(&cpo, &plain("C-1")).await;
        assert_eq!((heard.http, heard.code, heard.message.as_str()), (400, 2002, "tariff missing"));
        assert_eq!((heard.location.as_deref(), heard.header("ocpi-from-party-id")), (None, Some("MSP")));
        assert_eq!(world.delivery("C-1").await, "rejected");
        let (_, duties) = world.operate(Method::GET, "/operator/v1/duties", None).await;
        assert_eq!(duties["items"], json!([]));
        let same = world.post(&cpo, &plain("C-1")).await;
        assert_eq!((same.http, same.code), (400, 2002), "the same content was carried and is not carried again");
        assert_eq!(emsp.posted().len(), 1);
        emsp.answers(Answer::envelope(200, 1000, "fine"));
        let corrected = plain("C-1").replace("7.500", "7.501");
        let heard = world.post(&cpo, &corrected).await;
        assert_eq!((heard.code, heard.message.as_str()), (1000, "fine"));
        assert_eq!(emsp.posted()[1].text(), corrected);
        assert_eq!(world.cdr("C-1").await["revision"], 2);
        let listed = world.list(&msp, "").await;
        assert_eq!(listed.ids(), ["C-1"]);
        assert!(listed.text().contains("7.501"));
        assert_eq!(world.post(&cpo, &plain("C-1")).await.code, 2001, "what was delivered is final");
        Some(())
    }

    async fn a_receiver_without_an_interface_finds_it_in_its_list(on) {
        let world = World::start(on, "").await?;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], None).await;
        let heard = world.post(&cpo, &plain("C-1")).await;
        assert_eq!((heard.http, heard.code, heard.message.as_str()), (201, 1000, "kept for pull"));
        assert_eq!(world.delivery("C-1").await, "available");
        assert_eq!(world.list(&msp, "").await.ids(), ["C-1"]);
        Some(())
    }

    async fn without_custody_no_answer_is_the_senders_to_hear_and_a_repeat_carries_again(on) {
        // design.md 3.6.5
        let world = World::start(on, "[timeouts]\nconnect_s = 1\nrelay_s = 2\n").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform_with(&["DE/MSP:EMSP"], Some(&emsp), json!({"custody": false}), "2.2.1").await;
        emsp.answers(Answer::envelope(200, 1000, "too late").after(Duration::from_secs(5)));
        let heard = world.post(&cpo, &plain("C-1")).await;
        assert_eq!((heard.http, heard.code, heard.location.as_deref()), (200, 4002, None), "{}", heard.message);
        assert_eq!(world.delivery("C-1").await, "pending");
        assert_eq!(world.list(&msp, "").await.ids(), Vec::<String>::new());
        emsp.close().await;
        assert_eq!(world.post(&cpo, &plain("C-1")).await.code, 4003);
        let (_, duties) = world.operate(Method::GET, "/operator/v1/duties", None).await;
        assert_eq!(duties["items"], json!([]), "nothing is owed");
        emsp.answers(Answer::envelope(201, 1000, "fine"));
        emsp.reopen().await;
        let heard = world.post(&cpo, &plain("C-1")).await;
        assert_eq!((heard.http, heard.code, heard.message.as_str()), (201, 1000, "fine"));
        assert_eq!(world.list(&msp, "").await.ids(), ["C-1"]);
        Some(())
    }

    async fn an_operator_may_forgive_a_duty_and_the_cdr_stays_to_be_pulled(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        emsp.answers(Answer::plain(500, ""));
        world.post(&cpo, &plain("C-1")).await;
        let (_, duties) = world.operate(Method::GET, "/operator/v1/duties", None).await;
        let duty = duties["items"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/operator/v1/duties/{duty}/forgive");
        assert_eq!(world.operate(Method::POST, &path, Some(json!({}))).await.0, 422);
        assert_eq!(world.operate(Method::POST, &path, Some(json!({"reason": "agreed by telephone"}))).await.0, 204);
        assert_eq!(world.operate(Method::POST, &path, Some(json!({"reason": "again"}))).await.0, 404);
        assert_eq!(world.delivery("C-1").await, "available");
        assert_eq!(world.list(&msp, "").await.ids(), ["C-1"]);
        Some(())
    }
}
