//! Custom modules: whoever speaks is one party however many roles it has, and a peer hub speaks for those it carries (U-09).

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Plan, To};

use crate::world::{Neighbour, World, codes, complete, named, party};

const PARKING: &str = "nltst-parking";

async fn owner(world: &World) -> Neighbour {
    let plan = complete("DE/ABC", Role::Cpo).also(PARKING, Receiver);
    world.join_with(plan, &[], json!({"custom_modules": true})).await
}

async fn user(world: &World, plan: Plan, carried: &[(&str, Role)]) -> Neighbour {
    world.join_with(plan, carried, json!({"custom_modules": true})).await
}

// U-09, R-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_with_several_roles_is_one_party_and_needs_not_say_who_it_is() {
    let world = World::start().await;
    let owner = owner(&world).await;
    let roles = [Role::Cpo, Role::Emsp, Role::Nsp];
    let plan = Plan::complete("NL/CPA", roles.map(|role| (party("NL/CPA"), role)).to_vec());
    let user = user(&world, plan, &[]).await;
    let errand = user.voice.errand(Method::PUT, PARKING, Receiver).at(&["x"]);
    let reply = errand
        .to(&owner.to)
        .from(None)
        .body("{ \"b\" : 1.50 }")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((200, 1000), ["NL/CPA".into(), "DE/ABC".into()])
    );
    let got = owner
        .platform
        .got()
        .into_iter()
        .rfind(|got| got.method == "PUT" && got.path.ends_with("/x"))
        .unwrap();
    assert_eq!(
        (got.pair("from").unwrap(), got.text()),
        ("NL/CPA".into(), "{ \"b\" : 1.50 }".into())
    );

    let two = vec![(party("FR/ONE"), Role::Emsp), (party("FR/TWO"), Role::Emsp)];
    let two = self::user(&world, Plan::complete("two", two), &[]).await;
    let errand = two
        .voice
        .errand(Method::PUT, PARKING, Receiver)
        .to(&owner.to)
        .from(None)
        .body("{}");
    assert_eq!(
        codes(&errand.send().await.unwrap()),
        (200, 2001),
        "one of two has to say who it is"
    );
}

// U-09, R-06, D-26, N-06
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_hub_uses_and_offers_custom_modules_for_the_parties_it_carries() {
    let world = World::start().await;
    let owner = owner(&world).await;
    let plan = complete("SE/HUB", Role::Hub).also(PARKING, Receiver);
    let hub = user(&world, plan, &[("SE/FAR", Role::Emsp), ("SE/NEA", Role::Cpo)]).await;
    let put = |voice: &truewatt::sandbox::Voice, to: &To| {
        voice
            .errand(Method::PUT, PARKING, Receiver)
            .at(&["x"])
            .to(to)
            .body("{}")
    };
    let far = hub.platform.voice_of(&party("SE/FAR"));
    let reply = put(&far, &owner.to).send().await.unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((200, 1000), ["SE/FAR".into(), "DE/ABC".into()])
    );

    let late = user(&world, complete("NL/CPB", Role::Cpo), &[]).await;
    let there = To::Party(party("SE/FAR"));
    let reply = put(&late.voice, &there).send().await.unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)),
        ((200, 1000), ["NL/CPB".into(), "SE/FAR".into()])
    );
    let got = hub
        .platform
        .got()
        .into_iter()
        .rfind(|got| got.method == "PUT" && got.path.ends_with("/x"))
        .unwrap();
    assert_eq!(
        (got.pair("to").unwrap(), got.pair("from").unwrap()),
        ("SE/FAR".into(), "NL/CPB".into())
    );
    let back = put(&far, &To::Party(party("SE/NEA"))).send().await.unwrap();
    assert_eq!(codes(&back), (200, 4000), "a hub gets nothing of its own back");
    let stranger = put(&far, &owner.to).from(Some(&party("XX/YYY"))).send().await.unwrap();
    assert_eq!(stranger.http, 403);
}
