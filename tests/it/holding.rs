//! A receiver who wants no unverified CDR: held until released, or rejected and forgotten.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::json;
use truewatt::client::Method;
use truewatt::sandbox::CdrDraft;
use truewatt::sandbox::meter::SignedSession;

use crate::world::{Database, Hub, Keys, charge, charge_ending, now};

on_both_databases!(
    a_held_cdr_is_invisible_to_its_emsp,
    what_was_held_for_a_week_is_found_by_a_crawl_from_the_day_of_its_release,
    a_recheck_that_verifies_releases_by_itself,
    a_rejected_cdr_leaves_its_id_free,
);

fn forged(mut draft: CdrDraft) -> CdrDraft {
    draft.signed = draft.signed.map(|signed| signed.with_one_digit_changed());
    draft
}

async fn a_held_cdr_is_invisible_to_its_emsp(database: Database) {
    // design.md 3.6.3
    let hub = Hub::start(&database).await;
    let cpo = hub.cpo("DE/ABC").await;
    let (emsp, _) = hub.emsp_with("DE/EMS", json!({"invalid_cdrs": "hold"})).await;
    let draft = forged(cpo.cdr("C-1", &emsp.party, &charge(1_000)));
    let reply = cpo.post_cdr(&draft).await.unwrap();
    assert_eq!((reply.http, reply.code), (201, Some(1000)));
    assert!(
        reply.message.clone().unwrap_or_default().contains("held: not verified"),
        "{reply:?}"
    );
    assert_eq!(hub.cdr(&cpo.party, "C-1").await["delivery"], "held");
    assert!(emsp.platform.got_cdrs().is_empty());
    assert!(emsp.pull("").await.unwrap().objects.is_empty());
    let report = format!("{}/partner/v1/cdrs/DE/ABC/C-1/report", hub.url);
    assert_eq!(emsp.get(&report).await.unwrap().http, 404);
    assert_eq!(emsp.get(reply.header("location").unwrap()).await.unwrap().http, 404);
    assert_eq!(
        cpo.platform.call(Method::GET, &report, &[], None).await.unwrap().http,
        200,
        "its sender may know why"
    );

    hub.operator_ok("POST", "/cdrs/DE/ABC/C-1/release", None).await;
    hub.wait_for_delivery(&cpo.party, "C-1", "delivered").await;
    assert_eq!(emsp.platform.got_cdrs().len(), 1);
    assert!(
        emsp.platform.got_cdrs()[0].marker().is_some(),
        "released is not verified"
    );
    assert_eq!(emsp.get(&report).await.unwrap().http, 200);
}

async fn what_was_held_for_a_week_is_found_by_a_crawl_from_the_day_of_its_release(database: Database) {
    // design.md 3.6.7; P-02
    let hub = Hub::start_with(&database, &[("metering.invalid_cdrs", "hold")]).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let week_ago = now() - TimeDelta::days(7);
    let draft = forged(cpo.cdr("C-1", &emsp.party, &charge_ending(week_ago, 1_000)));
    assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
    let before_release = now() - TimeDelta::seconds(1);
    hub.operator_ok("POST", "/cdrs/DE/ABC/C-1/release", None).await;
    hub.wait_for_delivery(&cpo.party, "C-1", "delivered").await;
    let at = |instant: chrono::DateTime<chrono::Utc>| instant.to_rfc3339_opts(SecondsFormat::Secs, true);
    let crawl = async |query: String| emsp.pull(&query).await.unwrap().objects.len();
    assert_eq!(
        crawl(format!("date_from={}", at(before_release))).await,
        1,
        "the day it became visible"
    );
    assert_eq!(
        crawl(format!(
            "date_from={}&date_to={}",
            at(week_ago),
            at(week_ago + TimeDelta::days(1))
        ))
        .await,
        1,
        "and its own date"
    );
    assert_eq!(
        crawl(format!(
            "date_from={}&date_to={}",
            at(week_ago + TimeDelta::days(1)),
            at(before_release)
        ))
        .await,
        0
    );
}

async fn a_recheck_that_verifies_releases_by_itself(database: Database) {
    // design.md 3.6.3. Nobody knows the key, and the CDR does not bring it: nothing can be proven until it is registered.
    let hub = Hub::start_with(&database, &[("metering.invalid_cdrs", "hold")]).await;
    let cpo = hub.cpo_with("DE/ABC", Keys::Unknown).await;
    let emsp = hub.emsp("DE/EMS").await;
    let mut draft = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    draft.signed = draft.signed.map(SignedSession::without_key);
    assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
    let seen = hub.cdr(&cpo.party, "C-1").await;
    assert_eq!(
        (&seen["metering_status"], &seen["delivery"]),
        (&json!("UNVERIFIABLE"), &json!("held"))
    );
    hub.register_key(&cpo.meter, &cpo.party).await;
    hub.operator_ok("POST", "/cdrs/DE/ABC/C-1/recheck", None).await;
    hub.wait_for_delivery(&cpo.party, "C-1", "delivered").await;
    let seen = hub.cdr(&cpo.party, "C-1").await;
    let statuses = seen["reports"].as_array().unwrap().iter().map(|one| &one["status"]);
    let mut statuses: Vec<_> = statuses.collect();
    // The hub follows its registry by itself, and may have been quicker than the operator who asked.
    statuses.dedup();
    assert_eq!(statuses, ["UNVERIFIABLE", "VERIFIED"], "verdicts are append-only");
    assert_eq!(
        emsp.platform.got_cdrs()[0].text(),
        draft.json(),
        "billable now, so untouched"
    );
}

async fn a_rejected_cdr_leaves_its_id_free(database: Database) {
    // design.md 3.6.3, reject
    let hub = Hub::start_with(&database, &[("metering.invalid_cdrs", "reject")]).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let genuine = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    let reply = cpo.post_cdr(&forged(genuine.clone())).await.unwrap();
    assert_eq!(reply.code, Some(2001));
    assert!(
        reply.message.clone().unwrap_or_default().contains("SIGNATURE_MISMATCH"),
        "{reply:?}"
    );
    assert_eq!(hub.operator("GET", "/cdrs/DE/ABC/C-1", None).await.0, 404);
    assert!(emsp.platform.got_cdrs().is_empty());
    assert!(
        cpo.post_cdr(&genuine).await.unwrap().accepted(),
        "the id is free, and so are the records"
    );
    assert_eq!(hub.cdr(&cpo.party, "C-1").await["metering_status"], "VERIFIED");
}
