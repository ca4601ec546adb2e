//! The hub's own version details: both sides of every module, each at the URL that is listed for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use truewatt::client::Method;
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Plan, Reply};

use crate::world::{World, codes, party};

const MODULES: [&str; 7] = [
    "cdrs",
    "chargingprofiles",
    "commands",
    "locations",
    "sessions",
    "tariffs",
    "tokens",
];

fn data(reply: &Reply) -> Value {
    assert_eq!(codes(reply), (200, 1000), "{reply:?}");
    serde_json::from_str(reply.data.as_deref().unwrap()).unwrap()
}

// V-01, V-02, V-03, V-04, V-05, V-06, V-07, U-02, U-03, U-07, T-46, HCI-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_of_every_module_are_listed_and_each_url_is_the_side_it_says() {
    let world = World::start().await;
    let both = vec![(party("BE/ALL"), Role::Emsp), (party("BE/ALL"), Role::Cpo)];
    let here = world.join(Plan::complete("BE/ALL", both)).await;
    let get = async |url: &str| here.platform.call(Method::GET, url, &[], None).await.unwrap();
    let versions = data(&get(&format!("{}/ocpi/versions", world.hub.url)).await);
    let versions: BTreeMap<&str, &str> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["version"].as_str().unwrap(), one["url"].as_str().unwrap()))
        .collect();
    assert_eq!(versions.keys().copied().collect::<Vec<_>>(), ["2.2", "2.2.1"]);
    let mut urls = BTreeSet::new();
    for (version, details) in versions {
        let said = data(&get(details).await);
        assert_eq!(said["version"], version);
        let listed: BTreeMap<(&str, &str), &str> = said["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let member = |name: &str| one[name].as_str().unwrap();
                ((member("identifier"), member("role")), member("url"))
            })
            .collect();
        let sides = MODULES
            .iter()
            .flat_map(|module| [(*module, "RECEIVER"), (*module, "SENDER")]);
        let expected: BTreeSet<_> = sides
            .chain([("credentials", "SENDER"), ("hubclientinfo", "SENDER")])
            .collect();
        assert_eq!(listed.keys().copied().collect::<BTreeSet<_>>(), expected, "{version}");
        assert_eq!(said["endpoints"].as_array().unwrap().len(), expected.len(), "each once");
        for url in listed.values() {
            assert!(
                url.starts_with(&format!("{}/ocpi/{version}/", world.hub.url)) && url.len() <= 255,
                "{url}"
            );
            assert!(urls.insert((*url).to_owned()), "{url} twice");
        }

        for module in ["cdrs", "locations", "sessions", "tariffs", "tokens", "hubclientinfo"] {
            let list = data(&get(listed[&(module, "SENDER")]).await);
            assert!(list.is_array(), "{module}");
        }
        for module in MODULES {
            let no_list = get(listed[&(module, "RECEIVER")]).await;
            assert!(
                [404, 405].contains(&no_list.http) && no_list.code == Some(2000),
                "{module}: {no_list:?}"
            );
        }
        // The same method and path mean something else on either side (CP-12): only who executes wants a response_url.
        let put = async |side| {
            let url = format!("{}/S1", listed[&("chargingprofiles", side)]);
            here.platform.call(Method::PUT, &url, &[], Some(b"{}")).await.unwrap()
        };
        let own = [
            ("ocpi-to-country-code".to_owned(), "XX".to_owned()),
            ("ocpi-to-party-id".to_owned(), "YYY".to_owned()),
        ];
        assert_eq!(
            codes(&put("SENDER").await),
            (200, 4001),
            "nobody has set a profile there"
        );
        let url = format!("{}/START_SESSION", listed[&("commands", "RECEIVER")]);
        let executed = here.platform.call(Method::POST, &url, &own, Some(b"{}")).await.unwrap();
        assert_eq!(codes(&executed), (200, 4001), "{executed:?}");
    }
}
