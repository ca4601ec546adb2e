//! Credit CDRs: they take back a CDR, and with it the use of its records (CDR-09, design.md 3.5, 3.6.2).

use serde_json::json;
use truewatt::client::Method;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, cdr, meter, signed, signed_data};

fn credit(id: &str, of: &str, emsp: &str, signed_data: &str) -> String {
    cdr(
        id,
        emsp,
        signed_data,
        &format!("\"credit\":true,\"credit_reference_id\":\"{of}\","),
    )
}

on_both! {
    async fn a_credit_cdr_is_no_replay_and_frees_the_records_of_what_it_credits(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.register(&meter).await;
        let data = signed_data(&meter, 1, Some(&meter));
        assert_eq!(world.post(&cpo, &signed("C-1", &meter, 1)).await.message, "thanks");
        assert!(world.post(&cpo, &signed("C-2", &meter, 1)).await.message.contains("REPLAYED_RECORD"));
        // The reference is an id like any other: compared without case.
        assert_eq!(world.post(&cpo, &credit("C-1-CR", "c-1", "DE/MSP", &data)).await.message, "thanks");
        assert_eq!(world.post(&cpo, &signed("C-3", &meter, 1)).await.message, "thanks");
        Some(())
    }

    async fn a_credit_of_an_unknown_cdr_is_taken_with_a_warning(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        assert_eq!(world.post(&cpo, &credit("C-9", "nobody", "DE/MSP", "null")).await.message, "thanks");
        let finding = &world.cdr("C-9").await["reports"][0]["findings"][0];
        assert_eq!((&finding["code"], &finding["severity"]), (&json!("CREDIT_REFERENCE_UNKNOWN"), &json!("WARNING")));
        assert_eq!(finding["pointer"], "/credit_reference_id");
        // A reference no id can be is unknown as well, and no trouble of ours.
        let odd = credit("C-10", "x\\u0000y", "DE/MSP", "null");
        assert_eq!(world.post(&cpo, &odd).await.message, "thanks");
        Some(())
    }

    async fn a_credit_that_its_payer_rejects_gives_back_what_it_freed(on) {
        // design.md 3.5, "Replay": the original stands, so its records serve it and nothing else.
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.register(&meter).await;
        let data = signed_data(&meter, 1, Some(&meter));
        assert_eq!(world.post(&cpo, &signed("C-1", &meter, 1)).await.message, "thanks");
        emsp.answers(Answer::envelope(200, 2001, "no"));
        assert_eq!(world.post(&cpo, &credit("C-1-CR", "C-1", "DE/MSP", &data)).await.code, 2001);
        emsp.answers(Answer::envelope(200, 1000, "yes"));
        assert!(world.post(&cpo, &signed("C-2", &meter, 1)).await.message.contains("REPLAYED_RECORD"));
        // A credit that is in custody when somebody else bills again has given away what it freed.
        emsp.answers(Answer::plain(500, ""));
        assert_eq!(world.post(&cpo, &credit("C-1-CX", "C-1", "DE/MSP", &data)).await.http, 201);
        emsp.answers(Answer::envelope(200, 1000, "yes"));
        assert_eq!(world.post(&cpo, &signed("C-3", &meter, 1)).await.message, "yes");
        Some(())
    }

    async fn a_second_look_at_a_credited_cdr_neither_takes_its_records_again_nor_calls_it_a_replay(on) {
        // design.md 3.5, "Replay": the proof is free for the corrected bill.
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.register(&meter).await;
        let data = signed_data(&meter, 1, Some(&meter));
        world.post(&cpo, &signed("C-1", &meter, 1)).await;
        assert_eq!(world.post(&cpo, &credit("C-1-CR", "C-1", "DE/MSP", &data)).await.message, "thanks");
        let recheck = "/operator/v1/cdrs/DE/ABC/C-1/recheck";
        assert_eq!(world.operate(Method::POST, recheck, None).await.1["metering_status"], "VERIFIED");
        assert_eq!(world.post(&cpo, &signed("C-2", &meter, 1)).await.message, "thanks");
        assert_eq!(world.operate(Method::POST, recheck, None).await.1["metering_status"], "VERIFIED");
        Some(())
    }

    async fn a_second_look_at_a_credit_of_an_unknown_cdr_still_warns(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        world.post(&cpo, &credit("C-9", "nobody", "DE/MSP", "null")).await;
        let (_, cdr) = world.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-9/recheck", None).await;
        assert_eq!(cdr["reports"][1]["findings"][0]["code"], "CREDIT_REFERENCE_UNKNOWN", "{cdr}");
        Some(())
    }

    async fn a_credit_that_its_payer_never_sees_frees_nothing(on) {
        // Else the same records could be billed to the same payer twice, with the credit sent to somebody else.
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        world.platform(&["DE/OTH:EMSP"], Some(&emsp)).await;
        let meter = meter("mine");
        world.register(&meter).await;
        world.post(&cpo, &signed("C-1", &meter, 1)).await;
        world.post(&cpo, &credit("C-1-CR", "C-1", "DE/OTH", "null")).await;
        assert!(world.post(&cpo, &signed("C-2", &meter, 1)).await.message.contains("REPLAYED_RECORD"));
        Some(())
    }
}
