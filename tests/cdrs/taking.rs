//! One CDR, taken once: repeats, other contents, concurrency, callers who hang up.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, plain};

on_both! {
    async fn a_cdr_arrives_byte_for_byte_and_its_sender_hears_the_receivers_own_answer(on) {
        // design.md promise 1, 3.6.5, R-23, M-03, M-04, CDR-02, CDR-05
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        emsp.answers(Answer::envelope(202, 1000, "thanks").header("Location", "/in/box/77"));
        let cpo = world.platform(&["DE/aBc:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let body = plain("C-1");
        let heard = world.post_with(&cpo, &[("X-Correlation-ID", "corr-1"), ("X-Request-ID", "req-1"), ("Truewatt-Metering", "VERIFIED, honestly")], &body, "2.2.1").await;
        assert_eq!((heard.http, heard.code, heard.message.as_str()), (202, 1000, "thanks"));
        assert_eq!(heard.header("x-request-id"), Some("req-1"));
        assert_eq!(heard.header("x-correlation-id"), Some("corr-1"));
        assert_eq!((heard.header("ocpi-to-party-id"), heard.header("ocpi-from-party-id")), (Some("aBc"), Some("MSP")));
        assert!(heard.location.unwrap().starts_with(&format!("{}/ocpi/p/", world.hub.url)));
        let got = emsp.posted();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].text(), body);
        assert_eq!(got[0].path, "/in/box?tenant=1");
        assert_eq!(got[0].header("ocpi-to-party-id"), Some("MSP"));
        assert_eq!(got[0].header("ocpi-from-party-id"), Some("aBc"));
        assert_eq!(got[0].header("x-correlation-id"), Some("corr-1"));
        assert_ne!(got[0].header("x-request-id"), Some("req-1"));
        assert_eq!(got[0].header("truewatt-metering"), Some("NOT_APPLICABLE"));
        assert_eq!(got[0].headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("truewatt-metering")).count(), 1);
        assert_eq!(world.delivery("C-1").await, "delivered");
        Some(())
    }

    async fn the_same_cdr_again_gets_the_same_location_and_is_carried_once(on) {
        // design.md 3.6.2, CDR-11, D-23
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let first = world.post(&cpo, &plain("C-1")).await;
        // Equal as JSON values: another order, another spelling of numbers, and the id in other letters is the same id.
        let respelled = plain("C-1").replace("7.500", "75e-1").replace(" : [1, 2,3 ]", ":[1,2.0,3]");
        for body in [plain("C-1"), respelled] {
            let again = world.post(&cpo, &body).await;
            assert_eq!((again.http, again.code, again.message.as_str()), (200, 1000, "thanks"));
            assert_eq!(again.location, first.location);
        }
        assert_eq!(emsp.posted().len(), 1);
        Some(())
    }

    async fn another_content_under_a_known_id_is_2001_and_changes_nothing(on) {
        // design.md 3.6.2, CDR-08
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        world.post(&cpo, &plain("C-1")).await;
        for other in [plain("C-1").replace("7.500", "7.501"), plain("c-1")] {
            let heard = world.post(&cpo, &other).await;
            assert_eq!((heard.http, heard.code), (200, 2001), "{}", heard.message);
            assert!(heard.message.starts_with("/id: "), "{}", heard.message);
            assert_eq!(heard.location, None);
        }
        assert_eq!(emsp.posted().len(), 1);
        assert!(world.list(&msp, "").await.text().contains("7.500"));
        Some(())
    }

    async fn fifty_posts_of_one_cdr_at_once_are_one_cdr_one_delivery_one_location(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        emsp.answers(Answer::envelope(200, 1000, "thanks").after(Duration::from_millis(300)));
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let body = plain("C-1");
        let posts = (0..50).map(|_| world.post(&cpo, &body));
        let heard = futures_util::future::join_all(posts).await;
        let location = heard[0].location.clone().unwrap();
        for one in &heard {
            assert_eq!((one.code, one.message.as_str(), one.location.as_ref()), (1000, "thanks", Some(&location)));
        }
        assert_eq!(emsp.posted().len(), 1);
        assert_eq!(world.list(&msp, "").await.ids(), ["C-1"]);
        Some(())
    }

    async fn two_processes_on_one_database_take_a_cdr_once_and_tell_the_same(on) {
        // design.md promise 7: the commit decides, also between processes
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        emsp.answers(Answer::envelope(200, 1000, "thanks").after(Duration::from_millis(300)));
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let other = world.beside().await;
        let body = plain("C-1");
        let (here, there) = futures_util::future::join(
            futures_util::future::join_all((0..5).map(|_| world.post(&cpo, &body))),
            futures_util::future::join_all((0..5).map(|_| other.post(&cpo, &body))),
        )
        .await;
        let place = |location: &Option<String>| location.as_ref().unwrap().rsplit('/').next().unwrap().to_owned();
        let first = place(&here[0].location);
        for one in here.iter().chain(&there) {
            assert_eq!((one.code, one.message.as_str(), place(&one.location)), (1000, "thanks", first.clone()));
        }
        assert_eq!(emsp.posted().len(), 1);
        Some(())
    }

    async fn a_caller_that_hangs_up_changes_nothing(on) {
        // design.md 3.6.4
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        emsp.answers(Answer::envelope(200, 1000, "late").after(Duration::from_millis(400)));
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let (host, request) = world.raw_post(&cpo, &plain("C-1"));
        let mut connection = tokio::net::TcpStream::connect(&host).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        emsp.until(1).await;
        drop(connection);
        for _ in 0..100 {
            if world.delivery("C-1").await == "delivered" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The clock stood still: no lease ended, so it was the first attempt itself that went on.
        assert_eq!(world.delivery("C-1").await, "delivered");
        assert_eq!(emsp.posted().len(), 1);
        assert_eq!(world.post(&cpo, &plain("C-1")).await.message, "late");
        Some(())
    }

    async fn a_2_2_cdr_goes_where_to_says_and_stays_as_it_is(on) {
        // design.md 3.6.8, X-002
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform_with(&["DE/ABC:CPO"], None, serde_json::json!({}), "2.2").await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let body = plain("C-1").replace("\"country_code\":\"DE\",\"party_id\":\"MSP\",", "");
        let to = [("OCPI-to-country-code", "DE"), ("OCPI-to-party-id", "MSP")];
        assert_eq!(world.post_with(&cpo, &[], &body, "2.2").await.code, 4001);
        assert_eq!(world.post_with(&cpo, &to, &body, "2.2").await.code, 1000);
        assert_eq!(emsp.posted()[0].text(), body);
        Some(())
    }
}
