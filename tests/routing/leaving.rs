//! Everything the hub sends, on every occasion it has: whose token, which ids, whose names.

use std::collections::{BTreeSet, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use truewatt::client::Method;
use truewatt::ocpi::ids::PartyId;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Door, Draft, Got, Order, Reply, To};

use crate::world::{Neighbour, SOON, World, at, complete, party};

/// A day of a CPO and its eMSPs; what they heard.
async fn a_day(cpo: &Neighbour, emsp: &Neighbour) -> Vec<Reply> {
    let tariff = Draft::tariff(&cpo.id, "T1", at()).json();
    let location = Draft::location(&cpo.id, "L1", at()).json();
    let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at()).json();
    let token = Draft::token(&emsp.id, "04A1", "RFID", at()).json();
    for (module, object) in [("tariffs", &tariff), ("locations", &location), ("sessions", &session)] {
        cpo.platform.offer(module, object).unwrap();
    }
    emsp.platform.offer("tokens", &token).unwrap();
    let mut heard = Vec::new();
    for (by, module, id, body, to) in [
        (cpo, "tariffs", "T1", &tariff, &emsp.to),
        (cpo, "locations", "L1", &location, &To::Hub),
        (cpo, "sessions", "S1", &session, &To::Open),
        (emsp, "tokens", "04A1", &token, &To::Open),
    ] {
        heard.push(
            by.voice
                .push(Method::PUT, module, &by.id, &[id], body, to)
                .await
                .unwrap(),
        );
    }
    let patch = Draft::session_patch("1.5", at()).json();
    let push = |method, module, id: &'static str, body| async move {
        let ids = [id];
        cpo.voice
            .push(method, module, &cpo.id, &ids, body, &emsp.to)
            .await
            .unwrap()
    };
    heard.push(push(Method::PATCH, "sessions", "S1", &patch).await);
    heard.push(push(Method::DELETE, "tariffs", "T1", "").await);
    let place = r#"{"location_id":"L1"}"#;
    heard.push(cpo.voice.authorize("04A1", None, Some(place), &emsp.to).await.unwrap());
    heard.push(emsp.voice.list("locations", "limit=1", &cpo.to).await.unwrap());
    heard.push(
        emsp.voice
            .get_one("locations", &["L1", "EVSE-1"], &cpo.to)
            .await
            .unwrap(),
    );
    let preferences = r#"{"profile_type":"FAST"}"#;
    heard.push(
        emsp.voice
            .charging_preferences("S1", preferences, &cpo.to)
            .await
            .unwrap(),
    );
    let stop = emsp
        .voice
        .command(Order::StopSession, r#"{"session_id":"S1"}"#, &cpo.to)
        .await
        .unwrap();
    let profile = Draft::charging_profile().json();
    let profile = emsp.voice.set_profile("S1", &profile, &cpo.to).await.unwrap();
    for ordered in [stop, profile] {
        emsp.platform.wait_for_result(&ordered, SOON).await.unwrap();
        heard.push(ordered.reply);
    }
    heard
}

/// The token a request brought, as the form of its platform writes it.
fn token_in(got: &Got, is_raw: bool) -> String {
    let value = got.header("authorization").unwrap().strip_prefix("Token ").unwrap();
    let token = if is_raw {
        value.to_owned()
    } else {
        String::from_utf8(STANDARD.decode(value).unwrap()).unwrap()
    };
    assert!(
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "no newline, no blank"
    );
    token
}

// T-01, T-02, T-12, T-20, M-01, M-02, M-03, M-07, R-01, R-02, R-03, R-07, HCI-04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_leaves_has_the_addressees_token_ids_of_its_own_and_names_only_between_parties() {
    let world = World::start_with("[presence]\nidle_check_s = 1\ncheck_interval_s = 1\n").await;
    let (cpo, emsp) = world.pair().await;
    let old = world.join(complete("FR/OLD", Role::Emsp).of_2_2()).await;
    let heard = a_day(&cpo, &emsp).await;
    assert!(heard.iter().all(Reply::accepted), "{heard:?}");
    world
        .operator(
            Method::POST,
            &format!("/platforms/{}/register", emsp.at_hub),
            Some(serde_json::json!({})),
        )
        .await;
    let enquiries = |got: &[Got]| got.iter().filter(|got| got.door == Some(Door::Versions)).count() > 1;
    for neighbour in [&cpo, &old] {
        assert!(
            neighbour.platform.wait_for("versions", SOON, enquiries).await,
            "is it still there?"
        );
    }

    let all = [&cpo, &emsp, &old];
    let theirs: HashSet<String> = all.iter().map(|one| one.platform.token().unwrap()).collect();
    let of_requesters: HashSet<&str> = heard
        .iter()
        .map(|reply| reply.header("x-request-id").unwrap())
        .collect();
    let hub: PartyId = party("DE/TWH");
    let (mut ids, mut tokens, mut occasions, mut in_base64) = (HashSet::new(), HashSet::new(), BTreeSet::new(), 0);
    for neighbour in all {
        let mut here = HashSet::new();
        for got in neighbour.platform.got() {
            let what = format!("{} {} {:?}", got.method, got.path, got.door);
            if got.refused.is_some() {
                // D-01: a peer of 2.2 is tried in Base64 first, once, and never again.
                assert_eq!(
                    (&neighbour.id, got.door),
                    (&old.id, Some(Door::Versions)),
                    "{what}: {:?}",
                    got.refused
                );
                in_base64 += 1;
                continue;
            }
            here.insert(token_in(&got, neighbour.id == old.id));
            let request_id = got.header("x-request-id").unwrap().to_owned();
            assert!(!of_requesters.contains(request_id.as_str()) && uuid::Uuid::try_parse(&request_id).is_ok());
            assert!(ids.insert(request_id), "{what}: an id of its own");
            assert!(
                got.header("x-correlation-id").is_some_and(|id| !id.is_empty()),
                "{what}"
            );
            let announced = got.header("content-type");
            assert_eq!(
                announced,
                (!got.body.is_empty()).then_some("application/json"),
                "{what}"
            );
            let module = got.door.unwrap().module();
            if ["versions", "credentials", "hubclientinfo"].contains(&module) {
                assert!(!got.headers.iter().any(|(name, _)| name.starts_with("ocpi-")), "{what}");
            } else {
                assert_eq!(got.pair("to"), Some(neighbour.id.to_string()), "{what}");
                let from = got.pair("from").unwrap();
                assert!(
                    [&hub, &cpo.id, &emsp.id].iter().any(|party| party.to_string() == from),
                    "{what}: {from}"
                );
            }
            occasions.insert(format!("{} {module}", got.method));
        }
        assert!(here.is_disjoint(&theirs), "a requester's own token goes nowhere");
        for token in here {
            assert!(tokens.insert(token), "no two platforms are called with one token");
        }
    }
    assert_eq!(in_base64, 1);
    for occasion in [
        "DELETE tariffs",
        "GET locations",
        "GET versions",
        "PATCH sessions",
        "POST commands",
        "POST chargingprofiles",
        "POST tokens",
        "PUT chargingprofiles",
        "PUT credentials",
        "PUT hubclientinfo",
        "PUT locations",
        "PUT sessions",
        "PUT tariffs",
        "PUT tokens",
    ] {
        assert!(occasions.contains(occasion), "{occasion} is missing in {occasions:?}");
    }
    assert!(
        cpo.platform
            .got()
            .iter()
            .any(|got| got.pair("from").as_deref() == Some("DE/TWH")),
        "the hub's own pull"
    );
}
