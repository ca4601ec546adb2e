//! One line in the log for each hop, and nothing in it of what the hop carried.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use truewatt::client::Method;
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::role::{InterfaceRole, Role};
use truewatt::sandbox::cpo::{SandboxCpo, To};
use truewatt::sandbox::{Draft, Order, Plan, SandboxMeter};

use crate::world::hub::OPERATOR_TOKEN;
use crate::world::{Database, Hub, charge, clock, party, plain_http};

on_both_databases!(each_hop_is_one_line_that_names_its_matter_and_nothing_of_its_content);

/// The pairs of a line about a hop.
type Line = BTreeMap<String, String>;

/// All lines about hops so far.
fn hops(hub: &Hub) -> Vec<Line> {
    let said = hub.said();
    let lines = said.lines().filter(|line| line.contains("truewatt::hop]"));
    let pairs = |line: &str| {
        let (_, hop) = line.split_once("] hop ").expect(line);
        hop.split(' ')
            .map(|pair| {
                let (name, value) = pair.split_once('=').expect(line);
                assert!(!value.is_empty(), "{line}");
                (name.to_owned(), value.to_owned())
            })
            .collect::<Line>()
    };
    lines.map(pairs).collect()
}

/// Those of one direction, platform and module.
fn of(hub: &Hub, direction: &str, platform: &str, module: &str) -> Vec<Line> {
    let mut found = hops(hub);
    found.retain(|line| line["direction"] == direction && line["platform"] == platform && line["module"] == module);
    found
}

// M-03, M-04, M-09, N-07
async fn each_hop_is_one_line_that_names_its_matter_and_nothing_of_its_content(database: Database) {
    const NAMES: [&str; 12] = [
        "direction",
        "platform",
        "from",
        "to",
        "module",
        "method",
        "outcome",
        "http",
        "ocpi",
        "ms",
        "correlation_id",
        "request_id",
    ];
    let hub = Hub::start(&database).await;
    let operator = party("DE/ABC");
    let meter = SandboxMeter::generate("TW-ABC-1", "DE*ABC*E0001", truewatt::metering::key::Curve::Secp256r1).unwrap();
    let plan = Plan::complete("CPO", vec![(operator.clone(), Role::Cpo)]);
    let cpo = SandboxCpo::with(plan, operator, meter, clock()).await.unwrap();
    let at_cpo = hub.admit(&cpo.platform, json!({})).await;
    hub.register_key(&cpo.meter, &cpo.party).await;
    let plan = Plan::complete("EMSP", vec![(party("DE/EMS"), Role::Emsp)]);
    let (emsp, at_emsp) = hub.emsp_of(plan, json!({})).await;

    // A CDR: one hop in, one out.
    let mut draft = cpo.cdr("Secret-CDR-77", &emsp.party, &charge(12_345));
    draft.contract_id = "DE-DRIVER-C00112233".to_owned();
    let body = draft.json();
    let errand = cpo.voice().errand(Method::POST, "cdrs", InterfaceRole::Receiver);
    let errand = errand.body(&body).to(&To::Party(emsp.party.clone()));
    let errand = errand
        .without("x-correlation-id")
        .header("X-Correlation-ID", "matter of=a cdr");
    let errand = errand.without("x-request-id").header("X-Request-ID", "leg-one");
    let reply = errand.send().await.unwrap();
    assert_eq!((reply.http, reply.code), (201, Some(1000)));
    // A command, and its result on the way back.
    let token = Draft::token(&emsp.party, "04SECRETUID99", "RFID", charge(1).start);
    let command = Draft::start_session(&token, "Secret-Location-7", Some("Secret-Evse-7")).odd();
    let (asking, at) = (emsp.voice(), To::Party(cpo.party.clone()));
    let ordered = asking.command(Order::StartSession, &command, &at).await.unwrap();
    assert_eq!(ordered.reply.code, Some(1000));
    assert!(
        emsp.platform
            .wait_for_result(&ordered, Duration::from_secs(20))
            .await
            .is_some()
    );
    // A broadcast: one hop in, and a copy to everybody.
    let location = Draft::location(&cpo.party, "Secret-Location-7", charge(1).start).odd();
    let (telling, ids) = (cpo.voice(), ["Secret-Location-7"]);
    let pushed = telling.push(Method::PUT, "locations", &cpo.party, &ids, &location, &To::Hub);
    assert_eq!(pushed.await.unwrap().code, Some(1000));
    // A stranger, whose requests are nobody's line.
    plain_http::send(
        "GET",
        &format!("{}/ocpi/versions", hub.url),
        &[("authorization", "Token d3Jvbmc=")],
        b"",
    )
    .await;

    let started = Instant::now();
    loop {
        let all_here = of(&hub, "in", &at_cpo, "callbacks").len() == 1
            && of(&hub, "out", &at_emsp, "locations")
                .iter()
                .any(|line| line["method"] == "PUT");
        if all_here {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{:#?}", hops(&hub));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for line in hops(&hub) {
        assert_eq!(line.len(), NAMES.len(), "{line:?}");
        assert!(NAMES.iter().all(|name| line.contains_key(*name)), "{line:?}");
        assert!(line["platform"] == at_cpo || line["platform"] == at_emsp, "{line:?}");
        line["ms"].parse::<u64>().unwrap();
    }
    let [came] = &of(&hub, "in", &at_cpo, "cdrs")[..] else {
        panic!("{:#?}", hops(&hub));
    };
    let expected = [
        ("from", "DE/ABC"),
        ("to", "DE/EMS"),
        ("method", "POST"),
        ("outcome", "answered"),
        ("http", "201"),
        ("ocpi", "1000"),
    ];
    for (name, value) in expected {
        assert_eq!(came[name], value, "{came:?}");
    }
    // What a peer calls a matter is one word, whatever it wrote.
    assert_eq!(
        (came["correlation_id"].as_str(), came["request_id"].as_str()),
        ("matter?of?a?cdr", "leg-one")
    );
    let posts = of(&hub, "out", &at_emsp, "cdrs")
        .into_iter()
        .filter(|line| line["method"] == "POST");
    let posts: Vec<Line> = posts.collect();
    let [went] = &posts[..] else { panic!("{posts:#?}") };
    let got = emsp.platform.got_cdrs().pop().unwrap();
    assert_eq!(went["correlation_id"], "matter?of?a?cdr", "the matter is the same");
    assert_eq!(
        Some(went["request_id"].as_str()),
        got.header("x-request-id"),
        "and the leg another"
    );
    assert_eq!((went["ocpi"].as_str(), went["to"].as_str()), ("1000", "DE/EMS"));

    let [asked] = &of(&hub, "in", &at_emsp, "commands")[..] else {
        panic!("{:#?}", hops(&hub))
    };
    let [carried] = &of(&hub, "out", &at_cpo, "commands")[..] else {
        panic!("{:#?}", hops(&hub))
    };
    assert_eq!(asked["correlation_id"], carried["correlation_id"]);
    let [result] = &of(&hub, "in", &at_cpo, "callbacks")[..] else {
        panic!("{:#?}", hops(&hub))
    };
    let [home] = &of(&hub, "out", &at_emsp, "commands")[..] else {
        panic!("{:#?}", hops(&hub))
    };
    assert_eq!(result["correlation_id"], home["correlation_id"]);
    assert_eq!((result["http"].as_str(), home["ocpi"].as_str()), ("200", "1000"));
    let copies = of(&hub, "out", &at_emsp, "locations")
        .into_iter()
        .filter(|line| line["method"] == "PUT");
    let puts = of(&hub, "in", &at_cpo, "locations")
        .into_iter()
        .filter(|line| line["method"] == "PUT");
    let (copies, puts): (Vec<Line>, Vec<Line>) = (copies.collect(), puts.collect());
    assert_eq!((copies.len(), puts.len()), (1, 1));
    assert_eq!(copies[0]["correlation_id"], puts[0]["correlation_id"]);
    // As many lines as each neighbour got requests: none is told twice, and none is missing.
    for (neighbour, platform) in [(&cpo.platform, &at_cpo), (&emsp.platform, &at_emsp)] {
        let started = Instant::now();
        loop {
            let got = neighbour.got().len();
            let told = hops(&hub);
            let told = told
                .iter()
                .filter(|line| line["direction"] == "out" && line["platform"] == *platform);
            let told: Vec<&Line> = told.collect();
            if told.len() == got && neighbour.got().len() == got {
                break;
            }
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "got {got}, told {}: {told:#?}",
                told.len()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    // No token of anybody's, plain or as it travels, and nothing of the driver, anywhere in the log.
    let said = hub.said();
    let mut secrets: Vec<String> = [
        "04SECRETUID99",
        "04A1B2C3D4",
        "DE-DRIVER-C00112233",
        "Secret-Location-7",
        "Secret-Evse-7",
    ]
    .map(str::to_owned)
    .to_vec();
    for platform in [&cpo.platform, &emsp.platform] {
        let theirs = platform.token().unwrap();
        secrets.push(authorization(&theirs, TokenForm::Base64));
        secrets.push(authorization(&theirs, TokenForm::Base64)["Token ".len()..].to_owned());
        secrets.push(theirs);
        for got in platform.got() {
            let shown = got.header("authorization").unwrap().to_owned();
            secrets.push(shown["Token ".len()..].to_owned());
        }
    }
    secrets.push(OPERATOR_TOKEN.to_owned());
    for secret in &secrets {
        assert!(
            secret.len() > 8 && !said.contains(secret.as_str()),
            "{secret} is in the log"
        );
    }
    for line in said.lines().filter(|line| line.contains("truewatt::hop]")) {
        assert!(!line.contains("Secret-"), "{line}");
    }
}
