//! Commands and charging profiles: answered at once, and again later.

use std::time::Duration;

use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Execution, Later, Order};

use crate::{Neighbour, SOON, at, complete, met, neighbours};

fn fields(emsp: &Neighbour, order: Order) -> String {
    let token = Draft::token(&emsp.id, "04A1", "RFID", at());
    match order {
        Order::StartSession => Draft::start_session(&token, "L1", Some("E1")).odd(),
        Order::ReserveNow => Draft::reserve_now(&token, "R1", "L1", at()).odd(),
        Order::CancelReservation => r#"{ "reservation_id":"R1" }"#.to_owned(),
        Order::StopSession => r#"{"session_id" : "S1"}"#.to_owned(),
        _ => r#"{"location_id":"L1","evse_uid":"E1","connector_id":"1"}"#.to_owned(),
    }
}

#[tokio::test]
async fn every_command_is_answered_and_its_result_comes_to_the_url_as_given() {
    // CMD-01, CMD-02, CMD-04, CMD-06
    let (cpo, emsp) = neighbours().await;
    for order in Order::COMMANDS {
        let ordered = emsp.voice.command(order, &fields(&emsp, order), &cpo.to).await.unwrap();
        assert_eq!(
            ordered.reply.data.as_deref(),
            Some(r#"{"result":"ACCEPTED","timeout":30}"#),
            "{order:?}"
        );
        let taken = cpo.platform.got_for("commands").pop().unwrap();
        assert!(taken.path.ends_with(order.as_str()) && taken.text() == ordered.body);
        let result = emsp.platform.wait_for_result(&ordered, SOON).await.unwrap();
        assert_eq!(
            (result.method.as_str(), result.text().as_str()),
            ("POST", r#"{"result":"ACCEPTED"}"#)
        );
        assert!(
            ordered
                .response_url
                .ends_with(&format!("{}?{}", result.path, result.query))
        );
        assert_eq!(
            (result.pair("from"), result.pair("to")),
            (Some("DE/ABC".into()), Some("DE/EMS".into()))
        );
        assert_eq!((result.answered, result.refused), (200, None));
    }
    assert!(cpo.platform.wait_for_sent(SOON, |sent| sent.len() == 5).await);
    assert!(
        cpo.platform
            .sent()
            .iter()
            .all(|sent| sent.heard.as_ref().unwrap().accepted())
    );
}

#[tokio::test]
async fn results_come_never_twice_late_and_after_a_change_of_mind() {
    // CMD-04, CMD-07, CMD-08, F-17
    let (cpo, emsp) = neighbours().await;
    let soon = Duration::from_millis(5);
    let order = async |execution: Execution| {
        cpo.platform.execute(Order::ReserveNow, execution);
        let body = fields(&emsp, Order::ReserveNow);
        emsp.voice.command(Order::ReserveNow, &body, &cpo.to).await.unwrap()
    };
    let twice = order(Execution::with_results([Later::word("FAILED"), Later::word("FAILED")])).await;
    assert!(emsp.platform.wait_for_results(&twice, 2, SOON).await);
    let changed = [Later::word("ACCEPTED"), Later::word("CANCELED_RESERVATION").after(soon)];
    let changed = order(Execution::with_results(changed)).await;
    assert!(emsp.platform.wait_for_results(&changed, 2, SOON).await);
    assert!(
        emsp.platform.results(&changed)[1]
            .text()
            .contains("CANCELED_RESERVATION")
    );
    let odd = r#"{ "result" : "EVSE_OCCUPIED", "message":[ ] }"#;
    let late = order(Execution::with_results([Later::exactly(odd).after(Duration::from_millis(300))]).timeout(0)).await;
    assert!(
        !emsp
            .platform
            .wait_for_results(&late, 1, Duration::from_millis(100))
            .await
    );
    assert_eq!(emsp.platform.wait_for_result(&late, SOON).await.unwrap().text(), odd);
    let refused = order(Execution::refused("REJECTED").saying(2003)).await;
    assert_eq!(refused.reply.code, Some(2003));
    let never = order(Execution::with_results([])).await;
    let unaddressed = order(Execution::with_results([Later::word("ACCEPTED").without_headers()])).await;
    let result = emsp.platform.wait_for_result(&unaddressed, SOON).await.unwrap();
    assert!(result.refused.as_deref().unwrap().contains("R-23") && result.pair("to").is_none());
    let wrapped = order(Execution::with_results([Later::word("ACCEPTED").enveloped()])).await;
    let result = emsp.platform.wait_for_result(&wrapped, SOON).await.unwrap();
    assert!(result.text().starts_with(r#"{"data":{"result":"ACCEPTED"},"#) && result.refused.is_some());
    for silent in [&refused, &never] {
        assert!(emsp.platform.results(silent).is_empty());
    }
}

#[tokio::test]
async fn a_command_without_what_it_needs_and_a_result_elsewhere_are_refused() {
    // CMD-01, CMD-06
    let (cpo, emsp) = neighbours().await;
    let missing = emsp.voice.command(Order::StopSession, "{}", &cpo.to).await.unwrap();
    assert_eq!(missing.reply.code, Some(2001));
    let unknown = emsp
        .voice
        .errand(Method::POST, "commands", Receiver)
        .at(&["DANCE"])
        .to(&cpo.to);
    assert_eq!(unknown.body("{}").send().await.unwrap().http, 404);
    let body = fields(&emsp, Order::StopSession);
    let ordered = emsp.voice.command(Order::StopSession, &body, &cpo.to).await.unwrap();
    emsp.platform.wait_for_result(&ordered, SOON).await.unwrap();
    let mut taken = cpo.platform.taken().pop().unwrap();
    assert_eq!(taken.response_url, ordered.response_url);
    let again = cpo
        .platform
        .post_result(&taken, &Later::word("ACCEPTED"))
        .await
        .unwrap();
    assert!(again.accepted());
    taken.response_url = taken.response_url.replace("%2F", "/");
    let altered = cpo
        .platform
        .post_result(&taken, &Later::word("ACCEPTED"))
        .await
        .unwrap();
    assert_eq!(altered.http, 404);
}

#[tokio::test]
async fn a_profile_is_set_read_reported_and_cleared() {
    // CP-01 to CP-08
    let scsp = complete("DE/SCS", Role::Scsp);
    let (cpo, scsp) = met(complete("DE/ABC", Role::Cpo), scsp).await;
    let profile = Draft::charging_profile().odd();
    let set = scsp.voice.set_profile("S 1", &profile, &cpo.to).await.unwrap();
    assert!(set.body.contains(&profile));
    assert!(set.reply.data.as_deref().unwrap().contains("ACCEPTED"));
    let result = scsp.platform.wait_for_result(&set, SOON).await.unwrap();
    assert_eq!(result.text(), r#"{"result":"ACCEPTED"}"#);
    let asked = scsp.voice.get_profile("S 1", 900, &cpo.to).await.unwrap();
    let got = cpo.platform.got_for("chargingprofiles").pop().unwrap();
    assert!(got.path.ends_with("/S%201") && got.query.contains("duration=900&response_url=http%3A%2F%2F"));
    let result = scsp.platform.wait_for_result(&asked, SOON).await.unwrap().text();
    assert!(result.contains(profile.trim()) && result.contains(r#""profile":{"start_date_time":"#));
    let cleared = scsp.voice.clear_profile("S 1", &cpo.to).await.unwrap();
    assert!(scsp.platform.wait_for_result(&cleared, SOON).await.is_some());
    let asked = scsp.voice.get_profile("S 1", 900, &cpo.to).await.unwrap();
    let result = scsp.platform.wait_for_result(&asked, SOON).await.unwrap().text();
    assert!(result.contains("11000.0"), "CP-09: {result}");
    cpo.platform.execute(Order::SetProfile, Execution::refused("TOO_OFTEN"));
    let refused = scsp.voice.set_profile("S 1", &profile, &cpo.to).await.unwrap();
    assert_eq!(
        (refused.reply.code, refused.reply.data.unwrap().contains("TOO_OFTEN")),
        (Some(1000), true)
    );
    let active = format!(r#"{{"start_date_time":"2026-11-21T10:00:00Z","charging_profile":{profile}}}"#);
    let told = cpo.voice.report_profile("S 1", &active, &scsp.to).await.unwrap();
    assert_eq!((told.code, told.data), (Some(1000), None));
    let report = scsp.platform.got_at(Door::Sender("chargingprofiles")).pop().unwrap();
    assert_eq!((report.method.as_str(), report.text()), ("PUT", active));
}

#[tokio::test]
async fn a_result_meets_whatever_temper_the_receiver_has() {
    let (cpo, emsp) = neighbours().await;
    emsp.platform
        .behave_once(Door::Results("commands"), Behaviour::Plain(503));
    cpo.platform
        .behave_once(Door::Receiver("commands"), Behaviour::OtherStatus(202));
    let body = fields(&emsp, Order::StartSession);
    let ordered = emsp.voice.command(Order::StartSession, &body, &cpo.to).await.unwrap();
    assert_eq!((ordered.reply.http, ordered.reply.code), (202, Some(1000)), "F-19");
    assert!(cpo.platform.wait_for_sent(SOON, |sent| sent.len() == 1).await);
    assert_eq!(cpo.platform.sent()[0].heard.as_ref().unwrap().http, 503);
    assert!(emsp.platform.wait_for("commands", SOON, |got| got.len() == 1).await);
}
