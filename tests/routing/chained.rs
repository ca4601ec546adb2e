//! Two hubs in a row, both real: the parties at either end see each other and nothing in between (R-36).

use serde_json::{Value, json};
use truewatt::client::Method;
use truewatt::ocpi::page::next_of;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Draft, Order, To};

use crate::world::{Neighbour, SOON, World, at, codes, complete, named, party};

fn role(party: &str, role: &str) -> Value {
    json!({"country_code": &party[..2], "party_id": &party[3..], "roles": [role], "name": party})
}

/// A hub in the Netherlands with a CPO and one in Germany with an eMSP, each a party of the other's.
async fn chain() -> (World, Neighbour, World, Neighbour) {
    let near = World::start_with("[hub]\ncountry_code = \"NL\"\nparty_id = \"HUB\"\nname = \"near\"\n").await;
    let far = World::start_with("[hub]\ncountry_code = \"DE\"\nparty_id = \"TWH\"\nname = \"far\"\n").await;
    let listed = |parties: Vec<Value>| json!({"name": "the other hub", "parties": parties, "options": {}});
    let from_near = listed(vec![role("NL/HUB", "HUB"), role("NL/CPA", "CPO")]);
    let from_far = listed(vec![role("DE/TWH", "HUB"), role("DE/MSA", "EMSP")]);
    let invited = far.operator(Method::POST, "/platforms", Some(from_near)).await;
    let expected = near.operator(Method::POST, "/platforms", Some(from_far)).await;
    let wish = json!({"versions_url": invited["versions_url"], "token_a": invited["token_a"]});
    let path = format!("/platforms/{}/register", expected["id"].as_str().unwrap());
    near.operator(Method::POST, &path, Some(wish)).await;
    let cpo = near.join(complete("NL/CPA", Role::Cpo)).await;
    let mut plan = complete("DE/MSA", Role::Emsp);
    plan.page = 2;
    let emsp = far.join(plan).await;
    (near, cpo, far, emsp)
}

// R-36, R-22, R-23, R-24, R-25, R-38, M-03, M-04, M-05, P-12, D-14, D-26
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_two_hubs_the_parties_stay_who_they_are_on_every_leg() {
    let (near, cpo, far, emsp) = chain().await;
    let session = Draft::session(&cpo.id, "S 1/x", "04A1", Some(&emsp.id), at()).odd();
    let errand = cpo
        .voice
        .errand(Method::PUT, "sessions", truewatt::ocpi::role::InterfaceRole::Receiver);
    let errand = errand
        .of(&cpo.id)
        .at(&["S 1/x"])
        .query("x=%2F")
        .to(&emsp.to)
        .body(&session);
    let reply = errand
        .header("x-request-id", "R-1")
        .header("x-correlation-id", "C-1")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((201, 1000), ["NL/CPA".into(), "DE/MSA".into()]),
        "{reply:?}"
    );
    assert_eq!(
        (reply.header("x-request-id"), reply.header("x-correlation-id")),
        (Some("R-1"), Some("C-1"))
    );
    let got = emsp.last("sessions");
    assert_eq!(
        (got.pair("from").unwrap(), got.pair("to").unwrap()),
        ("NL/CPA".into(), "DE/MSA".into())
    );
    assert_eq!((got.text(), got.header("x-correlation-id")), (session, Some("C-1")));
    assert!(
        got.path.ends_with("/NL/CPA/S%201%2Fx") && got.query.ends_with("x=%2F"),
        "{} {}",
        got.path,
        got.query
    );
    assert_ne!(got.header("x-request-id"), Some("R-1"));

    // A command from the far side, and its result by both hubs' callbacks back to the far side's own URL.
    let stop = emsp
        .voice
        .command(Order::StopSession, r#"{"session_id":"S 1/x" }"#, &cpo.to)
        .await
        .unwrap();
    assert_eq!(
        (codes(&stop.reply), named(&stop.reply)),
        ((200, 1000), ["DE/MSA".into(), "NL/CPA".into()]),
        "{:?}",
        stop.reply
    );
    let ours = cpo.platform.taken().pop().unwrap().response_url;
    assert!(ours.starts_with(&near.hub.url), "{ours}");
    assert_eq!(
        cpo.last("commands").text(),
        stop.body.replace(&stop.response_url, &ours)
    );
    let result = emsp.platform.wait_for_result(&stop, SOON).await.unwrap();
    assert_eq!(result.refused, None);
    assert_eq!(
        (result.pair("from").unwrap(), result.pair("to").unwrap()),
        ("NL/CPA".into(), "DE/MSA".into())
    );
    assert!(
        stop.response_url
            .ends_with(&format!("{}?{}", result.path, result.query))
    );

    // A list of the far side, page by page: the near hub's URL leads to the far hub's, and that one to the owner's.
    let tokens: Vec<String> = (0..5)
        .map(|n| Draft::token(&emsp.id, &format!("T{n}"), "RFID", at()).odd())
        .collect();
    for token in &tokens {
        emsp.platform.offer("tokens", token).unwrap();
    }
    let pulled = cpo.voice.crawl("tokens", "limit=2", &emsp.to).await.unwrap();
    assert_eq!(
        pulled.objects,
        tokens.iter().map(|one| one.trim().to_owned()).collect::<Vec<_>>()
    );
    assert_eq!(pulled.pages.len(), 3);
    for page in &pulled.pages {
        assert_eq!(
            (named(page), page.header("x-total-count")),
            (["NL/CPA".into(), "DE/MSA".into()], Some("5"))
        );
        let next = page.header("link").and_then(next_of);
        assert!(next.is_none_or(|next| next.starts_with(&near.hub.url) && !next.contains(&far.hub.url)));
    }

    // What the far end says no to is heard at the near end as it was said; what nobody knows is the near hub's own word.
    let none = cpo
        .voice
        .read_copy("sessions", &cpo.id, &["S9"], &emsp.to)
        .await
        .unwrap();
    assert_eq!((codes(&none).0, named(&none)[1].as_str()), (404, "DE/MSA"));
    let nobody = cpo
        .voice
        .read_copy("sessions", &cpo.id, &["S9"], &To::Party(party("XX/YYY")))
        .await
        .unwrap();
    assert_eq!((codes(&nobody), named(&nobody)[1].as_str()), ((200, 4001), "NL/HUB"));
}

// R-36, R-51, R-54, R-55, R-71, R-76, M-06, D-26
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_goes_through_two_hubs_once_and_does_not_come_back() {
    let (near, cpo, far, emsp) = chain().await;
    let neighbour = near.join(complete("NL/MSN", Role::Emsp)).await;
    let location = Draft::location(&cpo.id, "L1", at()).odd();
    let errand = cpo
        .voice
        .errand(Method::PUT, "locations", truewatt::ocpi::role::InterfaceRole::Receiver);
    let errand = errand.of(&cpo.id).at(&["L1"]).to(&To::Hub).body(&location);
    let reply = errand.header("x-correlation-id", "C-1").send().await.unwrap();
    assert_eq!((codes(&reply), named(&reply)[1].as_str()), ((201, 1000), "NL/HUB"));
    for (there, hub) in [(&neighbour, "NL/HUB"), (&emsp, "DE/TWH")] {
        let pushed = |got: &[truewatt::sandbox::Got]| got.iter().any(|got| got.method == "PUT");
        assert!(there.platform.wait_for("locations", SOON, pushed).await, "{}", there.id);
        let got = there
            .platform
            .got_for("locations")
            .into_iter()
            .find(pushed_alone)
            .unwrap();
        assert_eq!(
            (got.pair("from").unwrap(), got.pair("to").unwrap()),
            (hub.to_owned(), there.id.to_string())
        );
        assert_eq!(
            (got.text(), got.header("x-correlation-id")),
            (location.clone(), Some("C-1"))
        );
        assert!(got.path.ends_with("/NL/CPA/L1"), "{}", got.path);
    }
    near.hub.copies.all_ended().await;
    far.hub.copies.all_ended().await;
    for there in [&neighbour, &emsp] {
        let pushes = there.platform.got_for("locations").into_iter().filter(pushed_alone);
        assert_eq!(pushes.count(), 1, "{}: once", there.id);
    }
    let listed = emsp.voice.get_all("locations", "").await.unwrap();
    assert_eq!(
        listed.objects,
        [location.trim()],
        "in the far hub's list as it was pushed at the near one"
    );
    // Without an addressee: the session's token leads through both.
    let session = Draft::session(&cpo.id, "S1", "04A1", Some(&emsp.id), at()).odd();
    let reply = cpo
        .voice
        .push(Method::PUT, "sessions", &cpo.id, &["S1"], &session, &To::Open)
        .await
        .unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((201, 1000), ["NL/CPA".into(), "DE/MSA".into()])
    );
    assert_eq!(
        (emsp.last("sessions").text(), neighbour.got("sessions").len()),
        (session, 0)
    );
}

fn pushed_alone(got: &truewatt::sandbox::Got) -> bool {
    got.method == "PUT"
}
