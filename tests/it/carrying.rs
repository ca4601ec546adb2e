//! A CDR passes through: the same octets, one delivery, one Location, and a verdict everybody hears of.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::sync::Arc;
use truewatt::client::Method;
use truewatt::sandbox::cpo::To;
use truewatt::sandbox::{Behaviour, Door};

use crate::world::hub::foreign_meter;
use crate::world::{Database, Hub, Keys, charge, party, plain_http};

on_both_databases!(
    a_billable_cdr_arrives_octet_by_octet_as_posted,
    a_cdr_that_is_not_billable_differs_by_exactly_the_marker,
    every_kind_of_doubt_has_its_own_verdict,
    fifty_posts_of_one_cdr_are_one_cdr,
    another_body_under_the_same_id_is_refused_until_the_receiver_rejects,
    a_caller_who_hangs_up_changes_nothing,
    a_signed_block_serves_one_cdr_until_it_is_credited,
    without_an_addressee_the_token_decides,
    the_location_leads_to_the_receiver_and_only_for_who_posted,
    version_2_2_leaves_the_payer_to_the_headers,
);

/// Odd but valid: whatever is parsed and printed again comes out different.
const ODD_MEMBERS: [(&str, &str); 4] = [
    ("x_number", "0.10000000000000000001"),
    ("x_exponent", "1.0E+2"),
    ("x_text", r#""\u00e4\/ ä""#),
    ("x_object", "{ \"b\" : 1 ,\t\"a\" : [ ] }"),
];

async fn a_billable_cdr_arrives_octet_by_octet_as_posted(database: Database) {
    // Promise 1; T-40, T-48, T-49, M-03, M-04, R-23
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let mut draft = cpo.cdr("C-1", &emsp.party, &charge(12_345));
    for (name, raw) in ODD_MEMBERS {
        draft = draft.with(name, raw);
    }
    let body = format!(" {}\n", draft.json());
    let url = cpo
        .platform
        .hub_endpoint("cdrs", truewatt::ocpi::role::InterfaceRole::Receiver)
        .unwrap();
    let mut headers = truewatt::sandbox::party::routing(&cpo.party, Some(&emsp.party));
    headers.push(("x-request-id".to_owned(), "request-1".to_owned()));
    headers.push(("x-correlation-id".to_owned(), "correlation-1".to_owned()));
    let reply = cpo
        .platform
        .call(Method::POST, &url, &headers, Some(body.as_bytes()))
        .await
        .unwrap();
    assert!(reply.accepted(), "{reply:?}");
    assert_eq!(reply.header("x-request-id"), Some("request-1"), "M-05");
    assert_eq!(reply.header("x-correlation-id"), Some("correlation-1"), "M-05");

    let got = emsp.platform.got_cdrs();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].text(), body);
    assert_eq!(got[0].header("truewatt-metering"), Some("VERIFIED"));
    assert_eq!(got[0].header("x-correlation-id"), Some("correlation-1"), "M-04");
    assert_ne!(got[0].header("x-request-id"), Some("request-1"), "M-03");
    assert_eq!(got[0].query, "tenant=7", "the endpoint's own query stays (U-04)");
    assert_eq!(
        hub.cdr_body(&cpo.party, "C-1").await,
        body.trim(),
        "the operator reads it verbatim"
    );
    let listed = emsp.pull("").await.unwrap();
    assert_eq!(listed.objects, [body.trim()]);
}

async fn a_cdr_that_is_not_billable_differs_by_exactly_the_marker(database: Database) {
    // design.md 3.5, Marker
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let mut draft = cpo.cdr("C-1", &emsp.party, &charge(12_345));
    draft.signed = draft.signed.map(|signed| signed.with_one_digit_changed());
    for (name, raw) in ODD_MEMBERS {
        draft = draft.with(name, raw);
    }
    let body = draft.json();
    let reply = cpo.post_cdr(&draft).await.unwrap();
    assert!(reply.accepted(), "{reply:?}");
    let message = reply.message.unwrap_or_default();
    assert!(
        message.contains("metering INVALID: SIGNATURE_MISMATCH"),
        "the operator learns it at once: {message}"
    );

    let got = emsp.platform.got_cdrs().remove(0);
    assert_eq!(got.header("truewatt-metering"), Some("INVALID"));
    assert_differs_by_the_marker(&body, &got.text(), "INVALID", "SIGNATURE_MISMATCH");
    assert_differs_by_the_marker(
        &body,
        &emsp.pull("").await.unwrap().objects[0],
        "INVALID",
        "SIGNATURE_MISMATCH",
    );
    assert_eq!(hub.cdr_body(&cpo.party, "C-1").await, body.trim(), "kept as posted");

    let marker: Value = serde_json::from_str(&got.marker().unwrap()).unwrap();
    assert_eq!(marker["billable"], false);
    for reader in [&cpo.platform, &emsp.platform] {
        let report = reader
            .call(Method::GET, marker["report_url"].as_str().unwrap(), &[], None)
            .await
            .unwrap();
        let report: Value = serde_json::from_slice(&report.body).unwrap();
        assert_eq!(
            (&report["status"], &report["goals"]["integrity"]),
            (&json!("INVALID"), &json!("FAIL"))
        );
    }

    let marked = cpo
        .cdr("C-2", &emsp.party, &charge(1_000))
        .with("metering_validation", r#"{"status":"VERIFIED","billable":true}"#);
    assert_eq!(
        cpo.post_cdr(&marked).await.unwrap().code,
        Some(2001),
        "nobody brings a marker of his own"
    );
    assert_eq!(emsp.platform.got_cdrs().len(), 1);
}

fn assert_differs_by_the_marker(posted: &str, seen: &str, status: &str, finding: &str) {
    let stem = posted.trim_end().strip_suffix('}').unwrap().trim_end();
    let marker = seen
        .strip_prefix(stem)
        .unwrap_or_else(|| panic!("other octets than posted:\n{seen}"));
    let marker = marker
        .trim_start_matches([',', ' '])
        .strip_prefix(r#""metering_validation":"#)
        .unwrap()
        .trim_end();
    let marker: Value = serde_json::from_str(marker.strip_suffix('}').unwrap()).unwrap();
    assert_eq!(marker["status"], status);
    assert!(
        marker["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|code| code == finding),
        "{marker}"
    );
}

async fn every_kind_of_doubt_has_its_own_verdict(database: Database) {
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let stranger = hub.cpo_with("DE/STR", Keys::Unknown).await;
    let to = &emsp.party;
    let verdict = async |id: &str, who: &truewatt::sandbox::SandboxCpo, draft: &truewatt::sandbox::CdrDraft| {
        assert!(who.post_cdr(draft).await.unwrap().accepted(), "{id}");
        let seen = hub.cdr(&who.party, id).await;
        (
            seen["metering_status"].as_str().unwrap().to_owned(),
            seen["billable"].as_bool().unwrap(),
        )
    };

    let good = cpo.cdr("GOOD", to, &charge(10_001));
    assert_eq!(verdict("GOOD", &cpo, &good).await, ("VERIFIED".to_owned(), true));

    let mut single = cpo.cdr("SINGLE", to, &charge(10_002));
    single.signed = Some(cpo.meter.single(&charge(10_002)));
    assert_eq!(verdict("SINGLE", &cpo, &single).await, ("VERIFIED".to_owned(), true));

    let mut keyless = cpo.cdr("KEYLESS", to, &charge(10_003));
    keyless.signed = keyless.signed.map(|signed| signed.without_key());
    assert_eq!(
        verdict("KEYLESS", &cpo, &keyless).await,
        ("VERIFIED".to_owned(), true),
        "the registry knows the key"
    );

    let unregistered = stranger.cdr("UNREGISTERED", to, &charge(10_004));
    assert_eq!(
        verdict("UNREGISTERED", &stranger, &unregistered).await,
        ("INTEGRITY_ONLY".to_owned(), false)
    );

    let other = foreign_meter(cpo.meter.serial(), cpo.meter.evse_id());
    let mut foreign = cpo.cdr("FOREIGN", to, &charge(10_005));
    foreign.signed = Some(other.pair(&charge(10_005)));
    assert_eq!(verdict("FOREIGN", &cpo, &foreign).await, ("INVALID".to_owned(), false));

    let inflated = cpo
        .cdr("INFLATED", to, &charge(10_006))
        .billing(Decimal::new(11_006, 3));
    assert_eq!(
        verdict("INFLATED", &cpo, &inflated).await,
        ("INVALID".to_owned(), false)
    );

    let mut unsigned = cpo.cdr("UNSIGNED", to, &charge(10_007));
    unsigned.signed = None;
    assert_eq!(
        verdict("UNSIGNED", &cpo, &unsigned).await,
        ("MISSING".to_owned(), false)
    );

    let mut elsewhere = stranger.cdr("ELSEWHERE", to, &charge(10_008));
    elsewhere.signed = None;
    assert_eq!(
        verdict("ELSEWHERE", &stranger, &elsewhere).await,
        ("NOT_APPLICABLE".to_owned(), true)
    );

    let carried = |id: &str, watt_hours: i64, label: &str, record: &str| {
        let mut cdr = cpo.cdr(id, to, &charge(watt_hours));
        if let Some(signed) = &mut cdr.signed {
            label.clone_into(&mut signed.encoding_method);
            for value in &mut signed.values {
                value.plain_data.clear();
                record.clone_into(&mut value.signed_data);
            }
        }
        cdr
    };
    let context = r#"{"@context":"https://open.charging.cloud/contexts/CTR+json"}"#;
    let unread = carried("UNREAD", 10_009, "GraphDefined", context);
    assert_eq!(
        verdict("UNREAD", &cpo, &unread).await,
        ("UNVERIFIABLE".to_owned(), false),
        "what is known by name only is named"
    );
    let broken = "AP;0;3;AJ2J7LYMGCIWT4AHUJPPFIIVB3FGRV2JQ2HVZG2I;BIHEIWSHAAA2W2V7OYYDCNQAAFAAHGIA;";
    let broken = carried("BROKEN", 10_010, "Alfen Eichrecht", broken);
    assert_eq!(
        verdict("BROKEN", &cpo, &broken).await,
        ("INVALID".to_owned(), false),
        "a record of a format that is read, and is none"
    );
    assert_eq!(
        emsp.platform.got_cdrs().len(),
        10,
        "marked, every one of them, and carried"
    );
}

async fn fifty_posts_of_one_cdr_are_one_cdr(database: Database) {
    // CDR-11, D-23
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (Arc::new(hub.cpo("DE/ABC").await), hub.emsp("DE/EMS").await);
    emsp.platform.behave(
        Door::CdrReceiver,
        Behaviour::Slow(std::time::Duration::from_millis(300)),
    );
    let draft = cpo.cdr("C-1", &emsp.party, &charge(12_345));
    let posts: Vec<_> = (0..50)
        .map(|_| {
            let (cpo, draft) = (Arc::clone(&cpo), draft.clone());
            tokio::spawn(async move { cpo.post_cdr(&draft).await.unwrap() })
        })
        .collect();
    let mut locations = std::collections::HashSet::new();
    for post in posts {
        let reply = post.await.unwrap();
        assert!(reply.accepted(), "{reply:?}");
        locations.insert(reply.header("location").unwrap().to_owned());
    }
    assert_eq!(locations.len(), 1, "one Location");
    assert_eq!(emsp.platform.got_cdrs().len(), 1, "one delivery");
    assert_eq!(hub.cdrs().await.len(), 1, "one stored");
}

async fn another_body_under_the_same_id_is_refused_until_the_receiver_rejects(database: Database) {
    // CDR-11; design.md 3.6.2, table 3.6.5
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let first = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    let location = cpo
        .post_cdr(&first)
        .await
        .unwrap()
        .header("location")
        .unwrap()
        .to_owned();
    let other = first.clone().with("remark", "\"something else\"");
    assert_eq!(cpo.post_cdr(&other).await.unwrap().code, Some(2001));
    let lower_case = first.clone().renamed("c-1").with("remark", "\"something else\"");
    assert_eq!(
        cpo.post_cdr(&lower_case).await.unwrap().code,
        Some(2001),
        "ids are compared without case (T-42)"
    );
    assert_eq!(hub.cdr_body(&cpo.party, "C-1").await, first.json(), "nothing changed");
    // Equal as JSON values, written differently.
    let reordered: Value = serde_json::from_str(&first.json()).unwrap();
    let again = cpo
        .post_body(reordered.to_string().as_bytes(), &To::Party(emsp.party.clone()))
        .await
        .unwrap();
    assert!(again.accepted(), "{again:?}");
    assert_eq!(again.header("location"), Some(location.as_str()));
    assert_eq!(emsp.platform.got_cdrs().len(), 1);

    emsp.platform.behave_once(
        Door::CdrReceiver,
        Behaviour::Envelope {
            http: 200,
            code: 2001,
            message: "contract unknown here".to_owned(),
        },
    );
    let rejected = cpo.cdr("C-2", &emsp.party, &charge(1_001));
    let reply = cpo.post_cdr(&rejected).await.unwrap();
    assert_eq!(
        (reply.code, reply.message.as_deref()),
        (Some(2001), Some("contract unknown here")),
        "the receiver's own words"
    );
    assert_eq!(hub.cdr(&cpo.party, "C-2").await["delivery"], "rejected");
    let corrected = rejected.with("remark", "\"corrected\"");
    assert!(cpo.post_cdr(&corrected).await.unwrap().accepted());
    assert_eq!(
        emsp.platform.got_cdrs().last().unwrap().text(),
        corrected.json(),
        "the new revision was carried"
    );
    assert_eq!(hub.cdr(&cpo.party, "C-2").await["delivery"], "delivered");
}

async fn a_caller_who_hangs_up_changes_nothing(database: Database) {
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let url = cpo
        .platform
        .hub_endpoint("cdrs", truewatt::ocpi::role::InterfaceRole::Receiver)
        .unwrap();
    let token = truewatt::ocpi::headers::authorization(
        &cpo.platform.token().unwrap(),
        truewatt::ocpi::headers::TokenForm::Base64,
    );
    let mut headers = truewatt::sandbox::party::routing(&cpo.party, Some(&emsp.party));
    headers.push(("authorization".to_owned(), token));
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();

    // In the middle of the body: never asked for.
    let half = cpo.cdr("HALF", &emsp.party, &charge(1_000));
    let (mut connection, octets) = plain_http::open("POST", &url, &headers, half.json().as_bytes()).await;
    connection.write(&octets[..octets.len() - 100]).await.unwrap();
    drop(connection);

    // After the body, while the receiver still thinks: the work goes on.
    emsp.platform.behave_once(
        Door::CdrReceiver,
        Behaviour::Slow(std::time::Duration::from_millis(500)),
    );
    let whole = cpo.cdr("WHOLE", &emsp.party, &charge(1_001));
    let (mut connection, octets) = plain_http::open("POST", &url, &headers, whole.json().as_bytes()).await;
    connection.write(&octets).await.unwrap();
    let arrived = async {
        while hub.cdrs().await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), arrived)
        .await
        .unwrap();
    drop(connection);

    hub.wait_for_delivery(&cpo.party, "WHOLE", "delivered").await;
    assert_eq!(emsp.platform.got_cdrs().len(), 1);
    assert_eq!(hub.operator("GET", "/cdrs/DE/ABC/HALF", None).await.0, 404);
}

async fn a_signed_block_serves_one_cdr_until_it_is_credited(database: Database) {
    // design.md 3.5, Replay
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let original = cpo.cdr("C-1", &emsp.party, &charge(5_000));
    assert!(cpo.post_cdr(&original).await.unwrap().accepted());
    let replayed = original.clone().renamed("C-2");
    let reply = cpo.post_cdr(&replayed).await.unwrap();
    assert!(
        reply.message.clone().unwrap_or_default().contains("REPLAYED_RECORD"),
        "{reply:?}"
    );
    assert_eq!(hub.cdr(&cpo.party, "C-2").await["metering_status"], "INVALID");
    let credit = original.clone().credited_by("C-1-X");
    assert!(cpo.post_cdr(&credit).await.unwrap().accepted());
    assert_eq!(
        hub.cdr(&cpo.party, "C-1-X").await["metering_status"],
        "VERIFIED",
        "a credit CDR brings the same records"
    );
    assert!(cpo.post_cdr(&original.renamed("C-3")).await.unwrap().accepted());
    assert_eq!(
        hub.cdr(&cpo.party, "C-3").await["metering_status"],
        "VERIFIED",
        "free again"
    );
}

async fn without_an_addressee_the_token_decides(database: Database) {
    // R-59, R-70, R-71, R-72, CDR-18
    let hub = Hub::start(&database).await;
    let (cpo, emsp, other) = (
        hub.cpo("DE/ABC").await,
        hub.emsp("DE/EMS").await,
        hub.emsp("DE/OTH").await,
    );
    let open = cpo.cdr("OPEN", &emsp.party, &charge(1_000));
    assert!(
        cpo.post_body(open.json().as_bytes(), &To::Open)
            .await
            .unwrap()
            .accepted()
    );
    let to_hub = cpo.cdr("HUB", &emsp.party, &charge(1_001));
    assert!(
        cpo.post_body(to_hub.json().as_bytes(), &To::Party(party("DE/TWH")))
            .await
            .unwrap()
            .accepted()
    );
    let nobody = cpo.cdr("NOBODY", &party("NL/XXX"), &charge(1_002));
    assert_eq!(
        cpo.post_body(nobody.json().as_bytes(), &To::Open).await.unwrap().code,
        Some(4001)
    );
    assert_eq!(cpo.post_cdr(&nobody).await.unwrap().code, Some(4001));
    let crossed = cpo.cdr("CROSSED", &emsp.party, &charge(1_003));
    let reply = cpo
        .post_body(crossed.json().as_bytes(), &To::Party(other.party.clone()))
        .await
        .unwrap();
    assert_eq!(
        reply.code,
        Some(2001),
        "addressed to another platform than the token's party: {reply:?}"
    );
    assert_eq!(emsp.platform.got_cdrs().len(), 2);
    assert!(
        other.platform.got_cdrs().is_empty(),
        "nothing was forwarded to anybody else"
    );
    assert_eq!(hub.cdrs().await.len(), 2);
}

async fn the_location_leads_to_the_receiver_and_only_for_who_posted(database: Database) {
    // CDR-02, CDR-03, CDR-05 … CDR-07, F-07
    let hub = Hub::start(&database).await;
    let (cpo, emsp, stranger) = (
        hub.cpo("DE/ABC").await,
        hub.emsp("DE/EMS").await,
        hub.cpo_with("DE/STR", Keys::Unknown).await,
    );
    let tempers = [
        Behaviour::Proper,
        Behaviour::RelativeLocation,
        Behaviour::LocationInData,
        Behaviour::NoLocation,
    ];
    for (number, temper) in tempers.into_iter().enumerate() {
        emsp.platform.behave_once(Door::CdrReceiver, temper.clone());
        let draft = cpo.cdr(
            &format!("C-{number}"),
            &emsp.party,
            &charge(1_000 + i64::try_from(number).unwrap()),
        );
        let reply = cpo.post_cdr(&draft).await.unwrap();
        let location = reply
            .header("location")
            .unwrap_or_else(|| panic!("{temper:?}: no Location (CDR-07)"))
            .to_owned();
        assert!(
            location.starts_with(&format!("{}/ocpi/p/", hub.url)) && location.len() <= 255,
            "{location}"
        );
        let before = emsp.platform.got().len();
        let read = cpo.read_back(&location).await.unwrap();
        assert!(read.accepted(), "{temper:?}: {read:?}");
        assert_eq!(read.data.as_deref(), Some(draft.json().as_str()), "{temper:?}");
        let asked = emsp.platform.got().len() > before;
        assert_eq!(
            asked,
            temper != Behaviour::NoLocation,
            "{temper:?}: the receiver's URL is asked when it gave one"
        );
        assert_eq!(stranger.read_back(&location).await.unwrap().http, 404, "CDR-06");
        assert_eq!(emsp.get(&location).await.unwrap().http, 404, "CDR-06");
    }
}

async fn version_2_2_leaves_the_payer_to_the_headers(database: Database) {
    // design.md 3.6.8
    let hub = Hub::start(&database).await;
    let emsp = hub.emsp("DE/EMS").await;
    let id = party("DE/OLD");
    let plan = truewatt::sandbox::Plan {
        versions: vec![truewatt::ocpi::versions::Version::V2_2],
        ..truewatt::sandbox::Plan::cpo("Old", id.clone())
    };
    let meter = foreign_meter("OLD-1", "DE*OLD*E0001");
    let cpo = truewatt::sandbox::SandboxCpo::with(plan, id, meter, crate::world::clock())
        .await
        .unwrap();
    hub.admit(&cpo.platform, json!({})).await;
    hub.register_key(&cpo.meter, &cpo.party).await;
    let mut draft = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    draft.payer = None;
    let reply = cpo
        .post_body(draft.json().as_bytes(), &To::Party(emsp.party.clone()))
        .await
        .unwrap();
    assert!(reply.accepted(), "{reply:?}");
    assert_eq!(emsp.platform.got_cdrs()[0].text(), draft.json());
    let lost = draft.renamed("C-2");
    assert_eq!(
        cpo.post_body(lost.json().as_bytes(), &To::Open).await.unwrap().code,
        Some(4001)
    );
}
