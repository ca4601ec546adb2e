//! Requesters whose `response_url` is odd, and who answer a result in every way there is.

use std::time::Duration;

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::Order;

use crate::on_both;
use crate::orders::{lent_to, place_at};
use crate::peer::{Answer, Peer};
use crate::scene::{RESULT, Scene, may_be_answered_at, post};
use crate::world::{codes, complete, named};

/// A path and a query that no rule of ours would make, with escapes, an empty value and a plus.
const OWN_URL: &str = "/no//endpoint/of/OCPI/?session=a%2Fb%20c&x=1+2&empty=&empty=&%C3%A4=%3D";

on_both! {
    // CMD-06, CMD-13, R-41, R-42, R-43, S-11, S-14, S-15
    async fn the_requesters_answer_is_relayed_and_its_silence_is_named(on) {
        let theirs = Peer::open().await;
        let Scene { world, cpo, emsp, .. } = Scene::start_with(on, json!({}), may_be_answered_at(&theirs)).await?;
        let placed = place_at(&emsp.voice, Order::StopSession, &theirs.url(OWN_URL), &cpo.to).await;
        assert_eq!(codes(&placed), (200, 1000));
        let lent = lent_to(&cpo, Order::StopSession);
        let thanks = "{ \"status_code\" :1000, \"x\":[1,  2],\"timestamp\":\"2026-11-21T10:00:00Z\"}";
        let late = Answer::envelope(200, 1000, "late").after(Duration::from_millis(1500));
        for (answer, http, code) in [
            (Answer::plain(202, thanks), 202, 1000),
            (Answer::envelope(200, 2001, "what?"), 200, 2001),
            (Answer::envelope(404, 2000, "gone"), 404, 2000),
            (Answer::envelope(500, 3000, "ouch"), 500, 3000),
            (Answer::envelope(401, 2000, "who?"), 200, 4003),
            (Answer::plain(403, ""), 200, 4003),
            (Answer::plain(404, "<html>"), 404, 2000),
            (Answer::plain(200, "<html>"), 200, 4000),
            (Answer::plain(302, "").header("Location", &theirs.url("/elsewhere")), 200, 4000),
            (late, 200, 4002),
        ] {
            theirs.answers(answer.clone());
            let before = theirs.posted().len();
            let heard = post(&cpo, &lent, &[], RESULT).await;
            assert_eq!(codes(&heard), (http, code), "{answer:?}: {heard:?}");
            // R-08, R-37: in the requester's name only what it said itself.
            let from = if heard.body == answer.body.as_bytes() { "DE/MsA" } else { "DE/TWH" };
            assert_eq!(named(&heard)[1], from, "{answer:?}");
            let got = theirs.posted();
            assert_eq!(got.len(), before + 1, "sent once, and to nobody else: {answer:?}");
            assert_eq!((got[before].path.as_str(), got[before].text().as_str()), (OWN_URL, RESULT));
        }

        theirs.answers(Answer::envelope(200, 1000, "thanks"));
        let before = theirs.posted().len();
        // Two calls in a row that reach nobody, and it is not tried any more.
        theirs.close().await;
        emsp.platform.go_away().await.unwrap();
        for _ in 0..2 {
            assert_eq!(codes(&post(&cpo, &lent, &[], RESULT).await), (200, 4003));
        }
        theirs.reopen().await;
        assert_eq!(codes(&post(&cpo, &lent, &[], RESULT).await), (200, 4003));
        emsp.platform.come_back().unwrap();
        emsp.voice.client_info("").await.unwrap();
        let platform = format!("/platforms/{}", emsp.at_hub);
        world.operator(Method::POST, &format!("{platform}/suspend"), None).await;
        assert_eq!(codes(&post(&cpo, &lent, &[], RESULT).await), (200, 4003));
        world.operator(Method::POST, &format!("{platform}/resume"), None).await;
        world.until_status(&emsp, "CONNECTED").await;
        // Nothing is queued: what was not taken then does not come later (CMD-07). What the receiver sends again does.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(theirs.posted().len(), before);
        assert_eq!(codes(&post(&cpo, &lent, &[], RESULT).await), (200, 1000));
        assert_eq!(theirs.posted().len(), before + 1);
        Some(())
    }

    // N-04, N-05, T-46, CMD-09, CP-11
    async fn a_response_url_that_may_not_see_the_requesters_token_is_refused_at_once(on) {
        let (theirs, elsewhere) = (Peer::open().await, Peer::open().await);
        let Scene { world, cpo, emsp, .. } = Scene::start_with(on, json!({}), may_be_answered_at(&theirs)).await?;
        let long = theirs.url(&format!("/r?{}", "x".repeat(160)));
        for (order, place) in [
            (Order::StartSession, "/response_url: "),
            (Order::SetProfile, "/response_url: "),
            (Order::GetProfile, "the query parameter response_url: "),
            (Order::ClearProfile, "the query parameter response_url: "),
        ] {
            let before = cpo.got(order.module()).len();
            for url in [
                elsewhere.url("/r"),
                theirs.url("/r").replace("http://", "http://user:secret@"),
                "/relative".into(),
                "ftp://127.0.0.1/r".into(),
                "".into(),
                theirs.url("/r\u{0}"),
                theirs.url("/r\tr"),
            ] {
                let refused = place_at(&emsp.voice, order, &url, &cpo.to).await;
                assert_eq!(codes(&refused), (200, 2001), "{url}");
                let said = refused.message.unwrap();
                assert!(said.starts_with(place) && !said.contains("secret"), "{said}");
            }
            assert_eq!(cpo.got(order.module()).len(), before, "and goes no further");
            let blank = place_at(&emsp.voice, order, &theirs.url("/r?a+b c"), &cpo.to).await;
            // In a query a plus reads as a blank, in a body nothing does.
            let in_query = matches!(order, Order::GetProfile | Order::ClearProfile);
            assert_eq!(blank.accepted(), in_query, "{order:?}: {blank:?}");
            if in_query {
                post(&cpo, &lent_to(&cpo, order), &[], RESULT).await;
                assert_eq!(theirs.posted().pop().unwrap().path, "/r?a+b+c");
            }
            let longish = place_at(&emsp.voice, order, &long, &cpo.to).await;
            assert!(longish.accepted() && lent_to(&cpo, order).len() <= 255, "{order:?}: {longish:?}");
        }
        let other = world.join_with(complete("DE/OTH", Role::Emsp), &[], may_be_answered_at(&elsewhere)).await;
        let placed = place_at(&other.voice, Order::SetProfile, &elsewhere.url("/r?1"), &cpo.to).await;
        assert!(placed.accepted(), "{placed:?}");
        assert!(elsewhere.posted().is_empty());
        post(&cpo, &lent_to(&cpo, Order::SetProfile), &[], RESULT).await;
        assert_eq!(elsewhere.posted()[0].path, "/r?1");
        Some(())
    }
}
