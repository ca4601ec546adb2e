//! The handshake, CDRs, and the meter that signs them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rust_decimal::Decimal;
use truewatt::client::Method;
use truewatt::metering::key::{Curve, PublicKey};
use truewatt::metering::signature::{self, Check};
use truewatt::ocpi::headers::TokenForm;
use truewatt::ocpi::versions::Version;
use truewatt::sandbox::{
    Behaviour, Charge, Door, EndpointShape, Moment, Plan, SandboxCpo, SandboxEmsp, SandboxError, SandboxMeter,
    SandboxParty, To,
};

use crate::{clock, party};

fn charge() -> Charge {
    let end = clock().now();
    Charge {
        start: end - chrono::TimeDelta::minutes(20),
        end,
        energy_kwh: Decimal::new(12_345, 3),
        identification: "04A1".to_owned(),
    }
}

/// A provider and an operator that is registered at it.
async fn neighbours(shape: EndpointShape) -> (SandboxCpo, SandboxEmsp) {
    let plan = Plan {
        shape,
        ..Plan::emsp("Provider", party("DE/EMS"))
    };
    let emsp = SandboxEmsp::with(plan, party("DE/EMS"), clock()).await.unwrap();
    let cpo = SandboxCpo::start("Operator", party("DE/ABC"), clock()).await.unwrap();
    cpo.platform
        .register_at(&emsp.platform.versions_url(), &emsp.platform.invite())
        .await
        .unwrap();
    (cpo, emsp)
}

#[tokio::test]
async fn a_cdr_arrives_octet_by_octet_and_can_be_read_back() {
    for shape in [
        EndpointShape::Plain,
        EndpointShape::TrailingSlash,
        EndpointShape::WithQuery,
    ] {
        let (cpo, emsp) = neighbours(shape).await;
        let draft = cpo.cdr("C-1", &emsp.party, &charge());
        let reply = cpo.post_cdr(&draft).await.unwrap();
        assert!(reply.accepted(), "{shape:?}: {reply:?}");
        assert_eq!(emsp.platform.got_cdrs()[0].text(), draft.json());
        let read = cpo.read_back(reply.header("location").unwrap()).await.unwrap();
        assert_eq!(read.data.as_deref(), Some(draft.json().as_str()));
    }
}

#[tokio::test]
async fn tokens_change_with_every_handshake_and_end_with_it() {
    // CR-05, CR-21, CR-26, CR-27
    let host = SandboxParty::start(Plan::emsp("Host", party("DE/EMS")), clock())
        .await
        .unwrap();
    let guest = SandboxParty::start(Plan::cpo("Guest", party("DE/ABC")), clock())
        .await
        .unwrap();
    let invitation = host.invite();
    guest.register_at(&host.versions_url(), &invitation).await.unwrap();
    assert_eq!(guest.hub_version(), Some(Version::V2_2_1));
    assert!(matches!(
        guest.register_at(&host.versions_url(), &invitation).await,
        Err(SandboxError::Refused { http: 401, .. })
    ));
    let (first, first_of_host) = (guest.token(), host.token());
    guest.renew().await.unwrap();
    assert_ne!((first, first_of_host), (guest.token(), host.token()));
    guest.unregister().await.unwrap();
    assert!(!guest.is_registered() && !host.is_registered());
}

#[tokio::test]
async fn a_platform_of_2_2_with_bare_tokens_insists_on_them() {
    let plan = |name: &str, id: &str, form| Plan {
        versions: vec![Version::V2_2],
        token_form: form,
        ..Plan::emsp(name, party(id))
    };
    let host = SandboxParty::start(plan("Host", "DE/AAA", TokenForm::Raw), clock())
        .await
        .unwrap();
    let modern = SandboxParty::start(plan("Modern", "DE/BBB", TokenForm::Base64), clock())
        .await
        .unwrap();
    let refused = modern.register_at(&host.versions_url(), &host.invite()).await;
    assert!(
        matches!(refused, Err(SandboxError::Refused { http: 401, .. })),
        "{refused:?}"
    );
    let old = SandboxParty::start(plan("Old", "DE/CCC", TokenForm::Raw), clock())
        .await
        .unwrap();
    old.register_at(&host.versions_url(), &host.invite()).await.unwrap();
    assert_eq!(old.hub_version(), Some(Version::V2_2));
}

#[tokio::test]
async fn every_temper_is_seen_by_the_caller_and_ends_when_told() {
    let (cpo, emsp) = neighbours(EndpointShape::Plain).await;
    let draft = cpo.cdr("C-1", &emsp.party, &charge());
    let post = async |temper: Behaviour| {
        emsp.platform.behave_once(Door::CdrReceiver, temper);
        cpo.post_cdr(&draft).await
    };
    assert_eq!(post(Behaviour::Plain(503)).await.unwrap().http, 503);
    assert_eq!(post(Behaviour::Html).await.unwrap().code, None);
    assert_eq!(
        post(Behaviour::Redirect("http://127.0.0.1:1/".to_owned()))
            .await
            .unwrap()
            .http,
        307
    );
    assert_eq!(post(Behaviour::Unauthorised).await.unwrap().http, 401);
    let busy = post(Behaviour::TooManyRequests(Some(7))).await.unwrap();
    assert_eq!((busy.http, busy.header("retry-after")), (429, Some("7")));
    let refused = post(Behaviour::Envelope {
        http: 200,
        code: 2004,
        message: "unknown token".to_owned(),
    })
    .await
    .unwrap();
    assert_eq!(
        (refused.code, refused.message.as_deref()),
        (Some(2004), Some("unknown token"))
    );
    assert!(post(Behaviour::HangUp).await.is_err());
    assert!(post(Behaviour::HalfAnswer).await.is_err());
    assert_eq!(post(Behaviour::NoLocation).await.unwrap().header("location"), None);
    assert!(
        post(Behaviour::RelativeLocation)
            .await
            .unwrap()
            .header("location")
            .unwrap()
            .starts_with('/')
    );
    assert!(
        post(Behaviour::LocationInData)
            .await
            .unwrap()
            .data
            .unwrap()
            .starts_with("\"http://")
    );
    assert!(
        post(Behaviour::Slow(Duration::from_millis(20)))
            .await
            .unwrap()
            .accepted()
    );
    emsp.platform.behave_once(Door::CdrReceiver, Behaviour::Stall);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), cpo.post_cdr(&draft))
            .await
            .is_err()
    );
    assert!(post(Behaviour::Proper).await.unwrap().accepted());
    assert_eq!(
        emsp.platform.got_cdrs().len(),
        14,
        "whatever was answered, every request is remembered"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_away_is_refused_at_the_door_and_comes_back_to_the_same_port() {
    let (cpo, emsp) = neighbours(EndpointShape::Plain).await;
    let draft = cpo.cdr("C-1", &emsp.party, &charge());
    for _ in 0..3 {
        emsp.platform.go_away().await.unwrap();
        assert!(matches!(cpo.post_cdr(&draft).await, Err(SandboxError::NoAnswer { .. })));
        emsp.platform.come_back().unwrap();
        assert!(cpo.post_cdr(&draft).await.unwrap().accepted());
    }
    assert_eq!(emsp.platform.got_cdrs().len(), 3);
}

#[tokio::test]
async fn the_trigger_is_pulled_before_and_after_the_answer() {
    let (cpo, emsp) = neighbours(EndpointShape::Plain).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    emsp.platform.tell(Some(Arc::new(move |moment, got| {
        telling.lock().unwrap().push((moment, got.object_id()))
    })));
    cpo.post_cdr(&cpo.cdr("C-1", &emsp.party, &charge())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let id = Some("C-1".to_owned());
    assert_eq!(
        *told.lock().unwrap(),
        [(Moment::BeforeAnswer, id.clone()), (Moment::AfterAnswer, id)]
    );
}

#[tokio::test]
async fn nothing_is_turned_away_without_a_reason() {
    let (cpo, emsp) = neighbours(EndpointShape::Plain).await;
    let draft = cpo.cdr("C-1", &party("DE/XXX"), &charge());
    let reply = cpo.post_cdr(&draft).await.unwrap();
    assert_eq!(reply.code, Some(2001));
    let got = emsp.platform.got_cdrs();
    assert_eq!(got[0].refused.as_deref(), reply.message.as_deref());
    let lost = cpo
        .platform
        .call(
            Method::GET,
            &format!("http://{}/nowhere", emsp.platform.host()),
            &[],
            None,
        )
        .await
        .unwrap();
    assert_eq!((lost.http, lost.code), (404, Some(2000)));
}

#[tokio::test]
async fn an_operators_list_comes_in_pages_and_can_be_crawled() {
    let (cpo, emsp) = neighbours(EndpointShape::WithQuery).await;
    for number in 0..120 {
        cpo.offer(&cpo.cdr(&format!("C-{number}"), &emsp.party, &charge()))
            .unwrap();
    }
    let pulled = emsp
        .platform
        .voice_of(&emsp.party)
        .crawl("cdrs", "", &To::Party(cpo.party.clone()))
        .await
        .unwrap();
    let pages = pulled.pages;
    assert_eq!(pages.len(), 3);
    assert!(pages.iter().all(|page| page.header("x-total-count") == Some("120")));
    let all: String = pages.iter().filter_map(|page| page.data.clone()).collect();
    assert!((0..120).all(|number| all.contains(&format!("\"C-{number}\""))));
}

#[test]
fn what_the_meter_signs_verifies_on_every_curve_until_a_digit_is_changed() {
    use base64::Engine as _;
    for curve in [
        Curve::Secp192k1,
        Curve::Secp192r1,
        Curve::Secp256k1,
        Curve::Secp256r1,
        Curve::BrainpoolP256r1,
        Curve::Secp384r1,
        Curve::BrainpoolP384r1,
    ] {
        let meter = SandboxMeter::from_seed("TW-1", "DE*ABC*E1", curve, b"seed").unwrap();
        let key = PublicKey::read(&meter.public_key(), None).unwrap();
        let fits = |signed_data: &str| {
            let record = base64::engine::general_purpose::STANDARD.decode(signed_data).unwrap();
            let record = String::from_utf8(record).unwrap();
            let mut parts = record.splitn(3, '|');
            let (_, payload, section) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            let section: serde_json::Value = serde_json::from_str(section).unwrap();
            let signed = hex::decode(section["SD"].as_str().unwrap()).unwrap();
            let digest = <sha2::Sha256 as sha2::Digest>::digest(payload.as_bytes());
            signature::verify(&key, &digest, &signature::read_der(&signed, curve).unwrap()) == Check::Fits
        };
        let pair = meter.pair(&charge());
        assert!(pair.values.iter().all(|value| fits(&value.signed_data)), "{curve:?}");
        let forged = pair.with_one_digit_changed();
        assert!(
            fits(&forged.values[0].signed_data) && !fits(&forged.values[1].signed_data),
            "{curve:?}"
        );
    }
}
