//! Results and pages of parties that are reached through another hub: its platform carries them (R-36, D-26).

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::page::next_of;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Draft, To};

use crate::common::site::owned;
use crate::on_both;
use crate::orders::{EVERY, lent_to, place};
use crate::scene::{RESULT, Scene, is_nothing, keeps_its_results, place_in, post};
use crate::world::{Neighbour, World, at, codes, complete, named, party};

/// SE/HUB, which carries an operator and a provider, and another hub.
async fn peer_hubs(world: &World) -> (Neighbour, Neighbour) {
    let carried = [("SE/FAR", Role::Cpo), ("SE/MSP", Role::Emsp)];
    let one = world
        .join_with(complete("SE/HUB", Role::Hub), &carried, json!({}))
        .await;
    let other = world
        .join_with(complete("NO/HUB", Role::Hub), &[("NO/FAR", Role::Cpo)], json!({}))
        .await;
    keeps_its_results(&one);
    (one, other)
}

on_both! {
    // CMD-06, CMD-10, CP-05, D-14, D-26
    async fn a_result_of_an_operator_behind_a_peer_hub_comes_home_through_that_hub_alone(on) {
        let Scene { world, cpo, emsp, .. } = Scene::start(on).await?;
        let (peer, other) = peer_hubs(&world).await;
        let far = To::Party(party("SE/FAR"));
        let mut placed = Vec::new();
        for order in EVERY {
            let ordered = place(&emsp.voice, order, &far).await;
            assert_eq!((codes(&ordered.reply), named(&ordered.reply)), ((200, 1000), ["DE/MsA".into(), "SE/FAR".into()]));
            placed.push((ordered, lent_to(&peer, order)));
        }
        let _world = world.restarted().await;
        for (ordered, lent) in &placed {
            for by in [&other, &cpo, &emsp] {
                is_nothing(&post(by, lent, &[], RESULT).await);
            }
            // In whoever's name it posts: the hub knows who was asked.
            for from in [&[][..], &[("OCPI-from-country-code", "SE"), ("OCPI-from-party-id", "FAR")]] {
                let heard = post(&peer, lent, from, RESULT).await;
                assert_eq!((codes(&heard), named(&heard)), ((200, 1000), ["SE/FAR".into(), "DE/MsA".into()]));
            }
            let got = emsp.platform.results(ordered);
            assert_eq!(got.iter().map(|one| one.text()).collect::<Vec<_>>(), [RESULT, RESULT]);
            for one in &got {
                assert_eq!(format!("{}?{}", one.path, one.query), place_in(&ordered.response_url));
                assert_eq!((one.pair("to"), one.pair("from")), (Some("DE/MsA".into()), Some("SE/FAR".into())));
            }
        }
        Some(())
    }

    // CMD-06, CMD-10, CP-05, D-14, D-26
    async fn what_a_provider_behind_a_peer_hub_ordered_is_answered_through_that_hub_while_it_carries_it(on) {
        let Scene { world, cpo, .. } = Scene::start(on).await?;
        let (peer, _) = peer_hubs(&world).await;
        let voice = peer.platform.voice_of(&party("SE/MSP"));
        let mut lent = Vec::new();
        for order in EVERY {
            let ordered = place(&voice, order, &cpo.to).await;
            assert_eq!((codes(&ordered.reply), named(&ordered.reply)), ((200, 1000), ["SE/MSP".into(), "NL/cPa".into()]));
            lent.push(lent_to(&cpo, order));
            is_nothing(&post(&peer, lent.last().unwrap(), &[], RESULT).await);
            let heard = post(&cpo, lent.last().unwrap(), &[], RESULT).await;
            assert_eq!((codes(&heard), named(&heard)), ((200, 1000), ["NL/cPa".into(), "SE/MSP".into()]));
            let got = peer.platform.results(&ordered);
            assert_eq!(got.iter().map(|one| one.text()).collect::<Vec<_>>(), [RESULT]);
            assert_eq!(format!("{}?{}", got[0].path, got[0].query), place_in(&ordered.response_url));
            assert_eq!((got[0].pair("to"), got[0].pair("from")), (Some("SE/MSP".into()), Some("NL/cPa".into())));
        }
        let before = peer.platform.got().len();
        let fewer = json!({"parties": [
            {"country_code": "SE", "party_id": "HUB", "roles": ["HUB"], "name": "SE/HUB"},
            {"country_code": "SE", "party_id": "FAR", "roles": ["CPO"], "name": "SE/HUB"},
        ]});
        world.operator(Method::PATCH, &format!("/platforms/{}", peer.at_hub), Some(fewer)).await;
        for url in &lent {
            assert_eq!(codes(&post(&cpo, url, &[], RESULT).await), (200, 4003));
        }
        let results = peer.platform.got().split_off(before).into_iter().filter(|got| got.text() == RESULT);
        assert_eq!(results.count(), 0, "it does not carry that party any more");
        Some(())
    }

    // R-36, P-12, P-13, D-11, D-26
    async fn a_list_is_read_to_its_end_through_a_peer_hub_from_either_side(on) {
        let Scene { world, emsp, .. } = Scene::start(on).await?;
        let mut plan = complete("SE/HUB", Role::Hub);
        plan.page = 2;
        let peer = world.join_with(plan, &[("SE/FAR", Role::Cpo), ("SE/MSP", Role::Emsp)], json!({})).await;
        let mut plan = complete("FR/CPO", Role::Cpo);
        plan.page = 2;
        let near = world.join(plan).await;
        let (far, msp) = (party("SE/FAR"), party("SE/MSP"));
        for (owner, at_server, reader, by) in [
            (&far, &peer, &emsp.voice, &emsp),
            (&near.id, &near, &peer.platform.voice_of(&msp), &peer),
        ] {
            let objects: Vec<String> = (0..5).map(|n| Draft::location(owner, &format!("L{n}"), at()).odd()).collect();
            for object in &objects {
                at_server.platform.offer("locations", object).unwrap();
            }
            let to = To::Party(owner.clone());
            let pulled = reader.crawl("locations", "x=%2F", &to).await.unwrap();
            assert_eq!(pulled.objects, objects.iter().map(|one| one.trim().to_owned()).collect::<Vec<_>>());
            assert_eq!(pulled.pages.len(), 3);
            for page in &pulled.pages {
                assert_eq!(named(page), [reader.party().to_string(), owner.to_string()]);
                if let Some(next) = page.header("link").and_then(next_of) {
                    assert!(next.starts_with(&format!("{}/ocpi/p/", world.hub.url)), "{next}");
                    for stranger in [&near, &peer, &emsp].into_iter().filter(|one| one.at_hub != by.at_hub) {
                        is_nothing(&stranger.platform.call(Method::GET, &next, &owned(&[]), None).await.unwrap());
                    }
                }
            }
            let got = at_server.got("locations");
            let from: Vec<_> = got.iter().map(|one| (one.pair("from"), one.pair("to"))).collect();
            assert_eq!(from, vec![(Some(reader.party().to_string()), Some(owner.to_string())); 3]);
        }
        Some(())
    }
}
