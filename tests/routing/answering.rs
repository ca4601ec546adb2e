//! Every word a receiver may answer to profiles and preferences is heard as it was said, and the hub adds none of its own.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::sandbox::{Draft, Execution, Later, Order, To};

use crate::world::{SOON, World, at, codes, named};

// CP-04, CP-05, CP-10, S-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_about_a_profile_is_heard_and_only_accepted_is_followed_by_a_result() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let profile = Draft::charging_profile().json();
    for order in [Order::SetProfile, Order::GetProfile, Order::ClearProfile] {
        let mut refused = Vec::new();
        for word in ["NOT_SUPPORTED", "REJECTED", "TOO_OFTEN", "UNKNOWN_SESSION", "ACCEPTED"] {
            let execution = match word {
                "ACCEPTED" => Execution::proper(),
                _ => Execution::refused(word),
            };
            cpo.platform.execute(order, execution.timeout(7));
            let ordered = match order {
                Order::SetProfile => emsp.voice.set_profile("S1", &profile, &cpo.to).await,
                Order::GetProfile => emsp.voice.get_profile("S1", 900, &cpo.to).await,
                _ => emsp.voice.clear_profile("S1", &cpo.to).await,
            };
            let ordered = ordered.unwrap();
            assert_eq!(codes(&ordered.reply), (200, 1000), "{order:?} {word}");
            assert_eq!(named(&ordered.reply), ["DE/MSA", "NL/CPA"]);
            let said = format!(r#"{{"result":"{word}","timeout":7}}"#);
            assert_eq!(ordered.reply.data, Some(said), "{order:?}");
            if word == "ACCEPTED" {
                assert!(
                    emsp.platform.wait_for_result(&ordered, SOON).await.is_some(),
                    "{order:?}"
                );
            } else {
                refused.push(ordered);
            }
        }
        assert!(
            refused.iter().all(|refused| emsp.platform.results(refused).is_empty()),
            "{order:?}"
        );
    }
}

// CP-05, CP-06, CP-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_of_any_word_comes_home_and_its_sender_hears_an_envelope_without_data() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let active = r#"{ "start_date_time":"2026-11-21T10:00:00Z","charging_profile":{"charging_rate_unit":"W"} }"#;
    let accepted = format!(r#"{{ "profile":{active} , "result":"ACCEPTED","x":1.50}}"#);
    for (order, said) in [
        (
            Order::GetProfile,
            [&accepted, r#"{"result" : "REJECTED"}"#, r#"{"result":"UNKNOWN"} "#],
        ),
        (
            Order::SetProfile,
            [
                r#"{"result" :"ACCEPTED"}"#,
                r#"{"result" : "REJECTED"}"#,
                r#"{"result":"UNKNOWN"} "#,
            ],
        ),
        (
            Order::ClearProfile,
            [
                r#"{"result" :"ACCEPTED"}"#,
                r#"{"result" : "REJECTED"}"#,
                r#"{"result":"UNKNOWN"} "#,
            ],
        ),
    ] {
        cpo.platform
            .execute(order, Execution::with_results(said.map(Later::exactly)));
        let sent_before = cpo.platform.sent().len();
        let ordered = match order {
            Order::SetProfile => {
                let profile = Draft::charging_profile().json();
                emsp.voice.set_profile("S1", &profile, &cpo.to).await
            }
            Order::GetProfile => emsp.voice.get_profile("S1", 900, &cpo.to).await,
            _ => emsp.voice.clear_profile("S1", &cpo.to).await,
        };
        let ordered = ordered.unwrap();
        assert!(
            cpo.platform
                .wait_for_sent(SOON, |sent| sent.len() == sent_before + said.len())
                .await
        );
        let results = emsp.platform.results(&ordered);
        assert_eq!(
            results.iter().map(|got| got.text()).collect::<Vec<_>>(),
            said,
            "{order:?}"
        );
        assert!(results.iter().all(|got| got.method == "POST"));
        for sent in &cpo.platform.sent()[sent_before..] {
            let heard = sent.heard.as_ref().unwrap();
            let envelope: Value = serde_json::from_slice(&heard.body).unwrap();
            assert_eq!((codes(heard), envelope.get("data")), ((200, 1000), None), "{order:?}");
        }
    }
    let report = cpo.voice.report_profile("S1", active, &emsp.to).await.unwrap();
    let envelope: Value = serde_json::from_slice(&report.body).unwrap();
    assert_eq!((codes(&report), envelope.get("data")), ((200, 1000), None));
}

// CP-11, CP-01, CP-03, D-14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_query_only_the_response_url_is_exchanged_and_it_is_encoded_whole() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    for (method, order) in [(Method::GET, Order::GetProfile), (Method::DELETE, Order::ClearProfile)] {
        let own = emsp.platform.lend(order);
        let encoded = utf8_percent_encode(&own, NON_ALPHANUMERIC).to_string();
        let (before, after) = ("x=%2F+%41&response_url=", "&&duration=0900&dur%61tion2=%C3%A4&x");
        let errand = emsp.voice.errand(method.clone(), "chargingprofiles", Receiver);
        let errand = errand
            .at(&["S1"])
            .query(&format!("{before}{encoded}{after}"))
            .to(&cpo.to);
        let reply = errand.send().await.unwrap();
        assert_eq!(codes(&reply), (200, 1000), "{method}: {reply:?}");
        let got = cpo.last("chargingprofiles");
        let query = got.query.strip_suffix(after).unwrap_or_else(|| panic!("{}", got.query));
        let (front, ours) = query.split_once("response_url=").unwrap();
        assert!(front.ends_with("x=%2F+%41&"), "{front}");
        let plain = ours
            .bytes()
            .all(|one| one.is_ascii_alphanumeric() || b"%-._~".contains(&one));
        assert!(plain, "{ours}");
        let ours = percent_decode_str(ours).decode_utf8().unwrap();
        assert!(
            ours.starts_with(&format!("{}/ocpi/2.2.1/callbacks/", world.hub.url)),
            "{ours}"
        );
        assert_eq!(cpo.platform.taken().pop().unwrap().response_url, ours);
        assert!(
            emsp.platform
                .wait_for("chargingprofiles", SOON, |got| got
                    .iter()
                    .any(|got| own.ends_with(&format!("{}?{}", got.path, got.query))))
                .await,
            "{method}: the result came to the URL as it was given"
        );
    }
}

// CP-01, D-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_duration_is_the_receivers_to_refuse() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let own = utf8_percent_encode(&emsp.platform.lend(Order::GetProfile), NON_ALPHANUMERIC).to_string();
    let errand = emsp.voice.errand(Method::GET, "chargingprofiles", Receiver).at(&["S1"]);
    let reply = errand
        .query(&format!("response_url={own}"))
        .to(&cpo.to)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)[1].as_str()),
        ((200, 2001), "NL/CPA"),
        "{reply:?}"
    );
    assert!(reply.message.unwrap().contains("duration"));
}

// SES-02, SES-03, S-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_to_a_drivers_preferences_is_heard_as_it_was_said() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at()).json();
    cpo.platform.offer("sessions", &session).unwrap();
    cpo.voice
        .push(Method::PUT, "sessions", &cpo.id, &["S1"], &session, &emsp.to)
        .await
        .unwrap();
    let wish = r#"{ "profile_type":"CHEAP" ,"departure_time":"2026-11-21T18:00:00Z"}"#;
    for word in [
        "ACCEPTED",
        "DEPARTURE_REQUIRED",
        "ENERGY_NEED_REQUIRED",
        "NOT_POSSIBLE",
        "PROFILE_TYPE_NOT_SUPPORTED",
    ] {
        cpo.platform.prefer(word);
        for to in [&cpo.to, &To::Open] {
            let reply = emsp.voice.charging_preferences("S1", wish, to).await.unwrap();
            assert_eq!((codes(&reply), reply.data), ((200, 1000), Some(format!("\"{word}\""))));
            assert_eq!(cpo.last("sessions").text(), wish);
        }
    }
}
