//! What is kept until when: what a dry run promises is what goes, and what must stay stays.

use chrono::TimeDelta;
use serde_json::{Value, json};
use truewatt::client::Method;

use crate::on_both;
use crate::peer::{Answer, Peer};
use crate::world::{World, cdr, meter, signed, signed_data};

const RETENTION: &str = "/operator/v1/retention";
const DRIVER: [&str; 3] = ["UID-OF-A-DRIVER", "CONTRACT-OF-A-DRIVER", "the words of a receiver"];

fn driven(body: &str) -> String {
    body.replace("\"uid\":\"04AA\"", "\"uid\":\"UID-OF-A-DRIVER\"")
        .replace("\"contract_id\":\"C1\"", "\"contract_id\":\"CONTRACT-OF-A-DRIVER\"")
}

async fn plan(world: &World) -> Value {
    let (status, plan) = world.site.operate(Method::GET, RETENTION, None).await;
    assert_eq!(status, 200, "{plan}");
    plan
}

fn of<'a>(plan: &'a Value, kind: &str) -> &'a Value {
    plan["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["kind"] == kind)
        .unwrap()
}

/// Until nothing is to be looked at again.
async fn settled(world: &World) {
    for _ in 0..600 {
        let (_, rechecks) = world.site.operate(Method::GET, "/operator/v1/rechecks", None).await;
        let seen = of(&plan(world).await, "cdrs")["stays"].get("recheck").is_none();
        if rechecks["unfinished"] == 0 && seen {
            return;
        }
        world.clock.advance(TimeDelta::seconds(1));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("there is always something to look at");
}

on_both! {
    // CAL-R5, N-07, CDR-08, CDR-19, SAF-44
    async fn what_is_old_goes_as_promised_and_what_must_stay_stays(on) {
        let world = World::start(on, "").await?;
        let (emsp, away) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let msp = world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        world.platform_with(&["DE/HLD:EMSP"], Some(&emsp), json!({"invalid_cdrs": "hold"}), "2.2.1").await;
        world.platform(&["DE/AWY:EMSP"], Some(&away)).await;
        let meter = meter("mine");
        world.register(&meter).await;
        emsp.answers(Answer::envelope(201, 1000, "the words of a receiver").header("Location", "/theirs/UID-OF-A-DRIVER"));
        away.answers(Answer::plain(500, ""));
        let first = driven(&signed("C-1", &meter, 1));
        let taken = world.post(&cpo, &first).await;
        assert_eq!(taken.code, 1000, "{}", taken.message);
        let broken = signed_data(&meter, 2, Some(&meter)).replace("RV", "VR");
        for body in [
            driven(&cdr("C-HELD", "DE/HLD", &broken, "")),
            driven(&cdr("C-OWED", "DE/AWY", "null", "")),
            driven(&cdr("C-CASE", "DE/MSP", "null", "")),
            driven(&cdr("C-CREDITED", "DE/MSP", "null", "")),
        ] {
            let heard = world.post(&cpo, &body).await;
            assert_eq!(heard.code, 1000, "{}", heard.message);
        }
        let row = world.row_id("C-CASE").await;
        let case = format!(
            "INSERT INTO cases (id, cpo_key, subject_kind, subject, shown_as, opened_at) VALUES ('case', 'DE/ABC', 'METER', 'M9', 'M9', 0); \
             INSERT INTO case_cdrs (case_id, cdr) VALUES ('case', '{row}')"
        );
        world.site.execute(&case).await;
        settled(&world).await;
        let young = plan(&world).await;
        assert_eq!((of(&young, "cdrs")["goes"].as_u64(), of(&young, "journal")["goes"].as_u64()), (Some(0), Some(0)), "{young}");
        assert_eq!(of(&young, "cdrs")["kept_days"], 730);

        world.clock.advance(TimeDelta::days(700));
        let credit = cdr("C-CREDIT", "DE/MSP", "null", "\"credit\":true,\"credit_reference_id\":\"C-CREDITED\",");
        let credit = world.post(&cpo, &driven(&credit)).await;
        assert_eq!(credit.code, 1000, "{}", credit.message);
        world.clock.advance(TimeDelta::days(31));
        settled(&world).await;
        let promised = plan(&world).await;
        let cdrs = of(&promised, "cdrs");
        assert_eq!((cdrs["goes"].as_u64(), &cdrs["oldest"]), (Some(1), &cdrs["newest"]), "{promised}");
        assert_eq!(cdrs["stays"], json!({"held": 1, "undelivered": 1, "case": 1, "credit": 1}), "{promised}");
        assert!(of(&promised, "journal")["goes"].as_u64() > Some(4));
        for driver in DRIVER {
            assert!(!promised.to_string().contains(driver));
        }

        let (status, ran) = world.site.operate(Method::POST, RETENTION, None).await;
        assert_eq!(status, 200, "{ran}");
        for item in promised["items"].as_array().unwrap() {
            assert_eq!(ran["removed"][item["kind"].as_str().unwrap()], item["goes"], "{item}");
        }
        let after = plan(&world).await;
        assert!(after["items"].as_array().unwrap().iter().all(|item| item["goes"] == 0), "{after}");
        assert_eq!((&of(&after, "cdrs")["stays"], after["removed_so_far"]["cdrs"].as_u64()), (&cdrs["stays"], Some(1)));

        // That it was taken is known, and what was proven.
        let kept = world.cdr("C-1").await;
        assert_eq!((&kept["body"], &kept["metering_status"], kept["attempts"][0]["http_status"].as_u64()), (&Value::Null, &json!("VERIFIED"), Some(201)));
        assert_eq!(kept["reports"][0]["status"], "VERIFIED");
        let (again, _) = world.site.operate(Method::POST, "/operator/v1/cdrs/DE/ABC/C-1/recheck", None).await;
        assert_eq!(again, 409);
        assert_eq!(world.site.operate(Method::GET, "/operator/v1/cdrs/DE/ABC/C-1/transparency", None).await.0, 404);
        assert_eq!(world.list(&msp, "").await.ids(), ["C-CASE", "C-CREDITED", "C-CREDIT"]);
        for id in ["C-HELD", "C-OWED", "C-CASE", "C-CREDITED"] {
            assert_eq!(world.cdr(id).await["body"]["id"], id);
        }
        // In no table is anything of the driver whose CDR it was; so the others' must go too, to see that.
        let others = "DELETE FROM octets; DELETE FROM outbox; DELETE FROM hints; DELETE FROM traces; \
                      UPDATE cdrs SET first_answer = NULL, receiver_location = NULL WHERE cdr_key <> 'C-1'; \
                      DELETE FROM attempts WHERE outcome <> 'no longer kept'";
        world.site.execute(others).await;
        for (table, rows) in world.site.place().tables().await {
            let young = table == "journal";
            for driver in DRIVER.iter().filter(|_| !young) {
                assert!(!rows.contains(driver), "{driver} in {table}");
            }
        }

        // Neither its id nor its records serve another.
        let before = emsp.posted().len();
        let repeated = world.post(&cpo, &first).await;
        assert_eq!((repeated.code, &repeated.location), (1000, &taken.location), "{}", repeated.message);
        assert_eq!(emsp.posted().len(), before, "it is not carried again");
        assert_eq!(world.post(&cpo, &first.replace("7.500", "7.600")).await.code, 2001);
        let replayed = world.post(&cpo, &signed("C-9", &meter, 1)).await;
        assert!(replayed.message.contains("REPLAYED_RECORD"), "{}", replayed.message);
        Some(())
    }

    // N-07, N-10
    async fn one_of_all_processes_removes_what_is_old_once_a_day_and_the_trail_says_so(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["DE/MSP:EMSP"], Some(&emsp)).await;
        assert_eq!(world.post(&cpo, &crate::world::plain("C-1")).await.code, 1000);
        let beside = world.beside().await;
        settled(&world).await;
        world.clock.advance(TimeDelta::days(731));
        settled(&world).await;
        let (one, other) = (&world.site.hub, &beside.site.hub);
        let (first, second) = tokio::join!(one.remove_what_is_old(), other.remove_what_is_old());
        assert_eq!((first, second), (Ok(()), Ok(())));
        assert_eq!(world.cdr("C-1").await["body"], Value::Null);
        assert_eq!(one.retention.run_if_due().await.unwrap(), None, "once a day");
        world.clock.advance(TimeDelta::hours(25));
        assert!(other.retention.run_if_due().await.unwrap().is_some());
        let (_, trail) = world.site.operate(Method::GET, "/operator/v1/audit?limit=100", None).await;
        let lines: Vec<&Value> = trail["items"].as_array().unwrap().iter().filter(|line| line["actor"] == "hub").collect();
        let said = |event: &str| lines.iter().find(|line| line["event"] == event && line["route"] == RETENTION);
        assert!(said("ASKED").unwrap()["object"].as_str().unwrap().contains("cdrs 1"), "{lines:?}");
        assert!(lines.iter().any(|line| line["event"] == "ANSWERED" && line["status"] == 200), "{lines:?}");
        Some(())
    }
}
