//! Who hears a push to everybody, who does not, and what those who were away find when they are back.

use std::time::Duration;

use truewatt::client::Method;

use crate::objects::{connector, evse, location, tariff, token};
use crate::on_both;
use crate::peer::{Got, Peer};
use crate::world::{Platform, RECEIVES, World};

const EIGHT: &str = "2026-11-21T08:00:00Z";

/// A party of every role that there is, one platform each; everybody would take everything.
const EVERYBODY: [&str; 8] = [
    "DE/CP1:CPO",
    "DE/CP2:CPO",
    "DE/MS1:EMSP",
    "DE/MS2:EMSP",
    "DE/NSP:NSP",
    "DE/NAP:NAP",
    "DE/OTH:OTHER",
    "DE/SCS:SCSP",
];

fn named(party: &'static str) -> [(&'static str, &'static str); 2] {
    [
        ("OCPI-from-country-code", &party[..2]),
        ("OCPI-from-party-id", &party[3..]),
    ]
}

const TO_THE_HUB: [(&str, &str); 2] = [("OCPI-to-country-code", "DE"), ("OCPI-to-party-id", "TWH")];

on_both! {
    // D-18, D-20
    async fn what_one_side_pushes_is_heard_by_the_whole_other_side_and_by_nobody_else(on) {
        let world = World::start(on, "").await?;
        let mut neighbours: Vec<(&str, Platform, Peer)> = Vec::new();
        for spec in EVERYBODY {
            let peer = Peer::open().await;
            let platform = world.platform(&[spec], Some((&peer, RECEIVES))).await;
            neighbours.push((&spec[..6], platform, peer));
        }
        let (to_cpo_side, to_driver_side) = (&["DE/CP1", "DE/CP2"][..], &["DE/MS1", "DE/MS2", "DE/NSP", "DE/NAP", "DE/OTH"][..]);
        for (by, module, id, body, hear) in [
            ("DE/CP1", "locations", "L1", location("DE/CP1", "L1", EIGHT), to_driver_side),
            ("DE/CP1", "tariffs", "T1", tariff("DE/CP1", "T1", EIGHT), to_driver_side),
            ("DE/NAP", "locations", "L2", location("DE/NAP", "L2", EIGHT), &["DE/MS1", "DE/MS2", "DE/NSP", "DE/OTH"]),
            ("DE/MS1", "tokens", "04", token("DE/MS1", "04", "RFID", EIGHT), to_cpo_side),
            ("DE/NSP", "tokens", "05", token("DE/NSP", "05", "RFID", EIGHT), to_cpo_side),
            ("DE/OTH", "tokens", "06", token("DE/OTH", "06", "RFID", EIGHT), to_cpo_side),
        ] {
            for to in [&TO_THE_HUB[..], &[]] {
                for (_, _, peer) in &neighbours {
                    peer.forget();
                }
                let sender = &neighbours.iter().find(|(name, ..)| *name == by).unwrap().1;
                let headers = [&named(by)[..], to].concat();
                let heard = world.ask(sender, Method::PUT, &format!("receiver/{module}/{by}/{id}"), &headers, &body).await;
                assert_eq!(heard.code, 1000, "{by} {module}: {}", heard.text());
                world.hub.copies.all_ended().await;
                for (name, _, peer) in &neighbours {
                    let got = peer.got();
                    let expected: &[(&str, String, String)] = &match hear.contains(name) {
                        true => vec![("PUT", (*name).to_owned(), "DE/TWH".to_owned())],
                        false => Vec::new(),
                    };
                    let is: Vec<_> = got.iter().map(|one| (one.method.as_str(), one.parties().0, one.parties().1)).collect();
                    assert_eq!(is, expected, "{module} of {by} at {name}");
                    assert!(got.iter().all(|one| one.body == body && one.path.split('?').next().unwrap().ends_with(&format!("/{by}/{id}"))), "{got:?}");
                }
            }
        }
        // Who has no such objects has nobody to tell of them.
        for (by, module, body) in [("DE/MS1", "tariffs", tariff("DE/MS1", "T9", EIGHT)), ("DE/CP1", "tokens", token("DE/CP1", "09", "RFID", EIGHT))] {
            let sender = &neighbours.iter().find(|(name, ..)| *name == by).unwrap().1;
            for (_, _, peer) in &neighbours {
                peer.forget();
            }
            let headers = [&named(by)[..], &TO_THE_HUB].concat();
            let id = if module == "tokens" { "09" } else { "T9" };
            let heard = world.ask(sender, Method::PUT, &format!("receiver/{module}/{by}/{id}"), &headers, &body).await;
            assert_ne!(heard.code, 1000, "{by} {module}");
            world.hub.copies.all_ended().await;
            assert!(neighbours.iter().all(|(_, _, peer)| peer.got().is_empty()));
        }
        Some(())
    }

    // HCI-13, T-34, D-18
    async fn who_was_away_is_told_nothing_afterwards_and_finds_it_in_the_list(on) {
        let world = World::start(on, "").await?;
        let (here, offline, suspended) = (Peer::open().await, Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        world.platform(&["NL/HER:EMSP"], Some((&here, RECEIVES))).await;
        let was_offline = world.platform(&["NL/OFF:EMSP"], Some((&offline, RECEIVES))).await;
        let was_suspended = world.platform(&["NL/SUS:EMSP"], Some((&suspended, RECEIVES))).await;
        world.goes_away(&was_offline);
        let path = format!("/operator/v1/platforms/{}", was_suspended.id);
        assert_eq!(world.operate(Method::POST, &format!("{path}/suspend"), None).await.0, 200);
        for number in 0..3 {
            let id = format!("L{number}");
            let body = location("DE/ABC", &id, EIGHT);
            assert_eq!(world.push(&cpo, Method::PUT, &format!("receiver/locations/DE/ABC/{id}"), &body).await.code, 1000);
        }
        assert_eq!(here.until(3).await.len(), 3);
        world.hub.copies.all_ended().await;
        assert_eq!(world.hub.store.copies_count().await.unwrap(), 0, "nothing is kept for anybody");

        world.hub.parties.presence().heard(&was_offline.id.as_str().into());
        assert_eq!(world.operate(Method::POST, &format!("{path}/resume"), None).await.0, 200);
        for reader in [&was_offline, &was_suspended] {
            assert_eq!(world.get(reader, "sender/locations").await.ids(), ["L0", "L1", "L2"]);
        }
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let news = |peer: &Peer| -> Vec<Got> { peer.got() };
        assert!(news(&offline).is_empty() && news(&suspended).is_empty(), "{:?} {:?}", news(&offline), news(&suspended));
        // From now on they hear what is new.
        let body = location("DE/ABC", "L3", EIGHT);
        world.push(&cpo, Method::PUT, "receiver/locations/DE/ABC/L3", &body).await;
        for peer in [&offline, &suspended] {
            assert_eq!(peer.until(1).await[0].body, body);
        }
        Some(())
    }

    // D-18
    async fn what_is_pushed_to_one_party_is_in_nobodys_list(on) {
        let world = World::start(on, "").await?;
        let (one, other) = (Peer::open().await, Peer::open().await);
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let receiver = world.platform(&["NL/ONE:EMSP"], Some((&one, RECEIVES))).await;
        let stranger = world.platform(&["NL/OTH:EMSP"], Some((&other, RECEIVES))).await;
        let to = [("OCPI-to-country-code", "NL"), ("OCPI-to-party-id", "ONE")];
        for (module, id, body) in [("locations", "L1", location("DE/ABC", "L1", EIGHT)), ("tariffs", "T1", tariff("DE/ABC", "T1", EIGHT))] {
            assert_eq!(world.ask(&cpo, Method::PUT, &format!("receiver/{module}/DE/ABC/{id}"), &to, &body).await.code, 1000);
            for reader in [&receiver, &stranger] {
                assert!(world.get(reader, &format!("sender/{module}")).await.ids().is_empty(), "{module}");
            }
            assert_eq!(world.get(&cpo, &format!("receiver/{module}/DE/ABC/{id}")).await.http, 404, "the hub has no copy");
        }
        assert_eq!((one.got().len(), other.got().len()), (2, 0));
        Some(())
    }

    // T-23, T-24, T-38, T-39, T-43, T-47, R-63
    async fn what_everybody_is_to_get_has_what_it_must_have_and_may_lack_the_rest(on) {
        let world = World::start(on, "").await?;
        let emsp = Peer::open().await;
        let cpo = world.platform(&["DE/ABC:CPO"], None).await;
        let reader = world.platform(&["DE/MSP:EMSP"], Some((&emsp, RECEIVES))).await;
        let put = async |id: &str, body: &str| world.push(&cpo, Method::PUT, &format!("receiver/locations/DE/ABC/{id}"), body).await;
        let good = location("DE/ABC", "L1", EIGHT);
        let plug = connector("1", "16", EIGHT);
        for (body, pointer) in [
            (good.replace("\"city\":\"B\"", "\"city\":null"), "/city"),
            (good.replace("\"city\":\"B\"", "\"City\":\"B\""), "/city"),
            (good.replace("\"time_zone\"", "\"timeZone\""), "/time_zone"),
            (good.replace("\"last_updated\" :", "\"lastUpdated\" :"), "/last_updated"),
            (good.replace(&format!("[{plug}]"), "[]"), "/evses/0/connectors"),
            (good.replace(&format!("[{plug}]"), "null"), "/evses/0/connectors"),
            (good.replace("\"publish\":true", "\"publish\":1"), "/publish"),
        ] {
            assert_ne!(body, good, "{pointer}");
            let heard = put("L1", &body).await;
            assert_eq!((heard.http, heard.code), (200, 2001), "{pointer}: {}", heard.text());
            assert!(heard.message.starts_with(&format!("{pointer}: ")), "{pointer}: {}", heard.message);
        }
        // An id that no string of OCPI can be: refused here, not in the database.
        let odd = location("DE/ABC", "a\\u0000b", EIGHT);
        let heard = put("a%00b", &odd).await;
        assert!(heard.code == 2001 || (heard.http, heard.code) == (404, 2003), "{}", heard.text());
        assert!(emsp.got().is_empty());

        // What may be absent may be null and may be empty, and lengths are counted in characters.
        let evses = format!("\"evses\":[{}]", evse("E1", "AVAILABLE", EIGHT));
        let long = format!("\"name\":\"{}\",\"zz\"", "\u{fc}".repeat(255));
        let bodies = [good.clone(), good.replace(&evses, "\"evses\":[]"), good.replace(&evses, "\"evses\":null,\"name\":null"),
            good.replace(&format!("{evses},\n"), ""), good.replace("\"zz\"", &long)];
        for (number, body) in bodies.iter().enumerate() {
            let heard = put("L1", body).await;
            assert_eq!((heard.http, heard.code), (if number == 0 { 201 } else { 200 }, 1000), "{body}: {}", heard.text());
            let listed = world.get(&reader, "sender/locations").await;
            assert!(listed.text().contains(&format!("\"data\":[{}", body.trim())), "the newest and nothing of the one before: {}", listed.text());
        }
        let got = emsp.until(bodies.len()).await;
        assert_eq!(got.iter().map(|one| &one.body).collect::<Vec<_>>(), bodies.iter().collect::<Vec<_>>());
        Some(())
    }
}
