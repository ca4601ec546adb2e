//! Objects pushed, kept and read back, octet by octet.

use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::{Receiver, Sender};
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Decision, Door, Draft, EndpointShape};

use crate::{Neighbour, at, complete, met, neighbours};

#[tokio::test]
async fn whatever_is_pushed_is_kept_octet_by_octet_at_urls_of_every_shape() {
    for shape in [
        EndpointShape::Plain,
        EndpointShape::TrailingSlash,
        EndpointShape::WithQuery,
        EndpointShape::Mixed,
    ] {
        let host = complete("DE/ABC", Role::Cpo).shaped(shape);
        let (cpo, emsp) = met(host, complete("DE/EMS", Role::Emsp).shaped(shape)).await;
        let pushed = async |from: &Neighbour, there: &Neighbour, module: &str, id: &str, draft: Draft| {
            let odd = draft.odd();
            let reply = from
                .voice
                .push(Method::PUT, module, &from.id, &[id], &odd, &there.to)
                .await
                .unwrap();
            assert_eq!((reply.http, reply.code), (201, Some(1000)), "{module} {reply:?}");
            let got = there.platform.got_for(module).pop().unwrap();
            assert_eq!((got.method.as_str(), got.text()), ("PUT", odd.clone()));
            assert_eq!(got.pair("to"), Some(there.id.to_string()));
            assert_eq!(got.pair("from"), Some(from.id.to_string()));
            let kept = there.platform.kept(module, &from.id, &[id]).unwrap();
            assert_eq!(kept, odd);
            let again = from
                .voice
                .push(Method::PUT, module, &from.id, &[id], &odd, &there.to)
                .await
                .unwrap();
            assert_eq!(again.http, 200);
            let copy = from.voice.read_copy(module, &from.id, &[id], &there.to).await.unwrap();
            assert_eq!(copy.data.as_deref(), Some(odd.trim()));
        };
        pushed(
            &cpo,
            &emsp,
            "locations",
            "L 1/x",
            Draft::location(&cpo.id, "L 1/x", at()),
        )
        .await;
        pushed(&cpo, &emsp, "tariffs", "T-1", Draft::tariff(&cpo.id, "T-1", at())).await;
        let session = Draft::session(&cpo.id, "S-1", "04A1", Some(&emsp.id), at());
        pushed(&cpo, &emsp, "sessions", "S-1", session).await;
        pushed(
            &emsp,
            &cpo,
            "tokens",
            "04A1",
            Draft::token(&emsp.id, "04A1", "RFID", at()),
        )
        .await;
    }
}

#[tokio::test]
async fn an_evse_and_a_connector_find_their_place_and_make_the_location_younger() {
    // LOC-03, LOC-04, LOC-05, LOC-08, LOC-10
    let (cpo, emsp) = neighbours().await;
    let push = async |method: Method, ids: &[&str], draft: Draft| {
        cpo.voice
            .push(method, "locations", &cpo.id, ids, &draft.json(), &emsp.to)
            .await
            .unwrap()
    };
    let later = at() + chrono::TimeDelta::hours(1);
    assert_eq!(
        push(Method::PUT, &["L1", "E9"], Draft::evse(&cpo.id, "E9", later))
            .await
            .http,
        404
    );
    push(Method::PUT, &["L1"], Draft::location(&cpo.id, "L1", at())).await;
    assert_eq!(
        push(Method::PUT, &["L1", "E9"], Draft::evse(&cpo.id, "E9", at()))
            .await
            .http,
        201
    );
    let connector = Draft::connector("2", later).with("max_amperage", "32");
    assert_eq!(push(Method::PUT, &["L1", "E9", "2"], connector.clone()).await.http, 201);
    assert_eq!(
        emsp.platform.kept("locations", &cpo.id, &["l1", "e9", "2"]),
        Some(connector.json())
    );
    let location = emsp.platform.kept("locations", &cpo.id, &["L1"]).unwrap();
    assert!(location.ends_with(&format!(
        "\"last_updated\":\"{}\"}}",
        later.format("%Y-%m-%dT%H:%M:%SZ")
    )));
    let undated = Draft::evse(&cpo.id, "E9", later).without("last_updated");
    assert_eq!(
        push(Method::PATCH, &["L1", "E9"], undated).await.code,
        Some(2001),
        "T-25"
    );
    let read = cpo
        .voice
        .read_copy("locations", &cpo.id, &["L1", "E9", "2"], &emsp.to)
        .await
        .unwrap();
    assert_eq!(read.data, Some(connector.json()));
    cpo.platform.offer("locations", &location).unwrap();
    let one = emsp
        .voice
        .get_one("locations", &["L1", "E9", "2"], &cpo.to)
        .await
        .unwrap();
    assert_eq!(one.data, Some(connector.json()));
    assert_eq!(
        emsp.voice
            .get_one("locations", &["L1", "E7"], &cpo.to)
            .await
            .unwrap()
            .http,
        404
    );
}

#[tokio::test]
async fn a_patched_session_grows_by_its_new_periods_and_a_deleted_tariff_is_gone() {
    // SES-12, TAR-04, T-26
    let (cpo, emsp) = neighbours().await;
    let push = async |method: Method, module: &str, id: &str, body: &str| {
        cpo.voice
            .push(method, module, &cpo.id, &[id], body, &emsp.to)
            .await
            .unwrap()
    };
    let patch = Draft::session_patch("1E1", at()).json();
    assert_eq!(push(Method::PATCH, "sessions", "S-1", &patch).await.http, 404);
    let session = Draft::session(&cpo.id, "S-1", "04A1", Some(&emsp.id), at()).json();
    push(Method::PUT, "sessions", "S-1", &session).await;
    assert_eq!(push(Method::PATCH, "sessions", "S-1", &patch).await.http, 200);
    let kept = emsp.platform.kept("sessions", &cpo.id, &["S-1"]).unwrap();
    assert!(kept.contains(r#""kwh":1E1"#) && kept.contains(r#""volume":1E-1}"#) && kept.contains(r#""volume":1E1}"#));
    assert_eq!(push(Method::DELETE, "sessions", "S-1", "").await.http, 405);
    push(
        Method::PUT,
        "tariffs",
        "T-1",
        &Draft::tariff(&cpo.id, "T-1", at()).json(),
    )
    .await;
    assert_eq!(push(Method::DELETE, "tariffs", "T-1", "").await.http, 200);
    assert_eq!(push(Method::DELETE, "tariffs", "T-1", "").await.http, 404);
}

#[tokio::test]
async fn a_driver_is_judged_by_the_providers_word() {
    // TOK-02 to TOK-06, TOK-13
    let (cpo, emsp) = neighbours().await;
    let token = Draft::token(&emsp.id, "04 A1", "APP_USER", at()).odd();
    emsp.platform.offer("tokens", &token).unwrap();
    let ask = async |kind, place| cpo.voice.authorize("04 A1", kind, place, &emsp.to).await.unwrap();
    let place = r#"{ "location_id" : "L1","evse_uids":["E1"]}"#;
    let allowed = ask(Some("APP_USER"), Some(place)).await;
    let data = allowed.data.unwrap();
    assert!(
        data.starts_with(r#"{"allowed":"ALLOWED","token":{"#) && data.contains(token.trim()) && data.contains(place)
    );
    let bare = emsp.platform.got_at(Door::Authorize);
    assert!(bare[0].path.ends_with("/04%20A1/authorize") && bare[0].query.ends_with("type=APP_USER"));
    let unknown = ask(None, None).await;
    assert_eq!((unknown.http, unknown.code), (404, Some(2004)), "no RFID of that uid");
    emsp.platform.decide("04 a1", Decision::Word("BLOCKED".to_owned()));
    let blocked = ask(Some("APP_USER"), Some(place)).await.data.unwrap();
    assert!(blocked.contains("BLOCKED") && !blocked.contains("location"));
    emsp.platform.decide("04 A1", Decision::OnlyWithLocation);
    assert_eq!(ask(Some("APP_USER"), None).await.code, Some(2002));
    let without_body = emsp.platform.got_at(Door::Authorize).pop().unwrap();
    assert!(without_body.body.is_empty() && without_body.header("content-type").is_none());
}

#[tokio::test]
async fn a_driver_may_have_preferences_for_a_session_that_is_known() {
    // SES-02 to SES-04
    let (cpo, emsp) = neighbours().await;
    let wish = async || {
        let body = r#"{"profile_type": "GREEN", "energy_need":1E1}"#;
        emsp.voice.charging_preferences("S-1", body, &cpo.to).await.unwrap()
    };
    let unknown = wish().await;
    assert_eq!((unknown.http, unknown.code), (404, Some(2001)));
    let session = Draft::session(&cpo.id, "S-1", "04A1", Some(&emsp.id), at()).json();
    cpo.platform.offer("sessions", &session).unwrap();
    assert_eq!(wish().await.data.as_deref(), Some(r#""ACCEPTED""#));
    cpo.platform.prefer("NOT_POSSIBLE");
    assert_eq!(wish().await.data.as_deref(), Some(r#""NOT_POSSIBLE""#));
    assert!(
        cpo.platform.got_at(Door::Preferences)[2]
            .path
            .ends_with("/S-1/charging_preferences")
    );
}

#[tokio::test]
async fn a_custom_module_takes_what_it_is_told() {
    // U-09
    let cpo = complete("DE/ABC", Role::Cpo).also("nltnm-tips", Receiver);
    let (cpo, emsp) = met(cpo, complete("DE/EMS", Role::Emsp)).await;
    let tip = |method| {
        emsp.voice
            .errand(method, "nltnm-tips", Receiver)
            .at(&["today", "x/y"])
            .to(&cpo.to)
    };
    assert!(tip(Method::PATCH).body("[ 1.0 ]").send().await.unwrap().accepted());
    let got = cpo.platform.got_for("nltnm-tips");
    assert!(got[0].path.ends_with("/today/x%2Fy") && got[0].text() == "[ 1.0 ]");
    assert_eq!(tip(Method::GET).send().await.unwrap().data.as_deref(), Some("[ 1.0 ]"));
    assert!(emsp.platform.hub_endpoint("nltnm-tips", Sender).is_err());
}

#[tokio::test]
async fn a_hub_tells_who_is_there_without_routing_headers() {
    // HCI-01, HCI-02, HCI-04
    let (hub, cpo) = met(complete("DE/HUB", Role::Hub), complete("DE/ABC", Role::Cpo)).await;
    let info = Draft::client_info(&crate::party("DE/EMS"), "EMSP", "CONNECTED", at());
    hub.platform.offer("hubclientinfo", &info.odd()).unwrap();
    let listed = cpo.voice.client_info("").await.unwrap();
    assert_eq!(listed.objects, [info.odd().trim()]);
    let push = hub
        .voice
        .errand(Method::PUT, "hubclientinfo", Receiver)
        .at(&["DE", "EMS"]);
    let push = push.from(None).body(&info.json());
    assert_eq!(push.send().await.unwrap().http, 201);
    assert_eq!(cpo.platform.kept_all("hubclientinfo"), [info.json()]);
    let routed = hub
        .voice
        .errand(Method::PUT, "hubclientinfo", Receiver)
        .at(&["DE", "EMS"]);
    assert_eq!(routed.body(&info.json()).send().await.unwrap().code, Some(2001), "R-03");
    let everybody = crate::To::Hub;
    let location = Draft::location(&cpo.id, "L1", at()).json();
    let reply = cpo
        .voice
        .push(Method::PUT, "locations", &cpo.id, &["L1"], &location, &everybody)
        .await
        .unwrap();
    assert!(reply.accepted());
    assert_eq!(
        hub.platform.got_for("locations")[0].pair("to").as_deref(),
        Some("DE/HUB")
    );
    // R-36: a peer that is a hub itself takes what is for somebody behind it.
    let behind = crate::To::Party(crate::party("NL/FAR"));
    let owner = &cpo.id;
    let reply = cpo
        .voice
        .push(Method::PUT, "locations", owner, &["L1"], &location, &behind);
    assert!(reply.await.unwrap().accepted());
    hub.platform.offer("locations", &location).unwrap();
    assert_eq!(cpo.voice.get_all("locations", "").await.unwrap().objects, [location]);
}
