//! The numbers are those of what happened: as many as the neighbours sent and got, and nothing in them that a stranger made up.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use serde_json::json;
use truewatt::client::Method;
use truewatt::clock::SystemClock;
use truewatt::ocpi::role::InterfaceRole::Receiver;
use truewatt::sandbox::meter::Charge;
use truewatt::sandbox::{Behaviour, Door, Order};

use crate::common::site::OPERATOR;
use crate::common::world::{Neighbour, SOON, World};
use crate::common::{listed, orders};
use crate::on_both;
use crate::scrape::{Numbers, fetch};

const SECRETS: [&str; 2] = ["DRIVERS-TOKEN-04A1", "DE-DRIVER-CONTRACT-7"];

/// A CDR of a charge nobody has to prove, or with signed data nobody can read.
pub fn cdr(cpo: &Neighbour, emsp: &Neighbour, id: &str, unreadable: bool) -> String {
    let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let charge = Charge {
        start,
        end: start + TimeDelta::hours(1),
        energy_kwh: "10.5".parse().unwrap(),
        identification: SECRETS[0].to_owned(),
    };
    let mut draft = truewatt::sandbox::cdr::CdrDraft::of(cpo.id.clone(), emsp.id.clone(), id, "NL*CPA*E1", &charge);
    draft.contract_id = SECRETS[1].to_owned();
    if unreadable {
        let signed =
            r#"{"encoding_method":"NOBODYS","signed_values":[{"nature":"Start","plain_data":"x","signed_data":"x"}]}"#;
        draft = draft.with("signed_data", signed);
    }
    draft.json()
}

pub async fn post(cpo: &Neighbour, emsp: &Neighbour, id: &str, unreadable: bool) -> (u16, u16) {
    let body = cdr(cpo, emsp, id, unreadable);
    let errand = cpo.voice.errand(Method::POST, "cdrs", Receiver).body(&body);
    let reply = errand.to(&emsp.to).send().await.unwrap();
    (reply.http, reply.code.unwrap())
}

/// The numbers at a moment at which nothing was on its way: what the neighbours had got was the same before and after.
async fn quiet(world: &World, neighbours: &[&Neighbour]) -> Numbers {
    let got = || {
        neighbours
            .iter()
            .map(|one| one.platform.got().len())
            .collect::<Vec<_>>()
    };
    let out = |numbers: &Numbers, one: &Neighbour| {
        numbers.count("truewatt_requests_out_total", &[("platform", &one.at_hub)]) as usize
    };
    let started = Instant::now();
    loop {
        let before = got();
        let numbers = Numbers::of(world).await;
        let counted: Vec<usize> = neighbours.iter().map(|one| out(&numbers, one)).collect();
        if before == got() && before == counted {
            return numbers;
        }
        assert!(started.elapsed() < SOON * 2, "got {before:?}, counted {counted:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

on_both! {
    // M-09, N-07
    async fn what_is_counted_is_what_the_neighbours_sent_and_got(on) {
        let more = "[duties]\nfirst_retry_s = 3600\n";
        let world = World::on(on, more, SystemClock::shared()).await?;
        let (cpo, emsp) = world.pair().await;
        for number in 0..3 {
            assert_eq!(post(&cpo, &emsp, &format!("C-{number}"), false).await, (201, 1000));
        }
        assert_eq!(post(&cpo, &emsp, "C-2", false).await, (200, 1000), "a repeat is a request and no CDR");
        for number in 0..2 {
            assert_eq!(post(&cpo, &emsp, &format!("U-{number}"), true).await, (201, 1000));
        }
        let nobody = cpo.voice.errand(Method::POST, "cdrs", Receiver).body("{}").to(&emsp.to).send().await.unwrap();
        assert_eq!(nobody.code, Some(2001));
        emsp.platform.behave(Door::CdrReceiver, Behaviour::Plain(500));
        assert_eq!(post(&cpo, &emsp, "D-0", false).await, (201, 1000), "in custody");
        let ordered = orders::place(&emsp.voice, Order::StartSession, &cpo.to).await;
        assert!(emsp.platform.wait_for_result(&ordered, SOON).await.is_some(), "the result came home");

        // A result is at home before the one who brought it has heard so.
        until(&world, |numbers| numbers.count("truewatt_requests_in_total", &[("module", "callbacks")]) == 1).await;
        let numbers = quiet(&world, &[&cpo, &emsp]).await;
        let (at_cpo, at_emsp) = (cpo.at_hub.as_str(), emsp.at_hub.as_str());
        let came = |platform, module| {
            numbers.count("truewatt_requests_in_total", &[("platform", platform), ("module", module)])
        };
        // Requests to the hub: what was sent above.
        assert_eq!((came(at_cpo, "cdrs"), came(at_emsp, "commands"), came(at_cpo, "callbacks")), (8, 1, 1));
        let answers = |platform, module, http, ocpi| {
            let labels = [("platform", platform), ("module", module), ("http", http), ("ocpi", ocpi)];
            numbers.count("truewatt_requests_in_total", &labels)
        };
        assert_eq!(answers(at_cpo, "cdrs", "2xx", "1xxx"), 7);
        assert_eq!(answers(at_cpo, "cdrs", "2xx", "2xxx"), 1);
        // Requests of the hub: what each neighbour got, module by module, handshakes and reading of lists included.
        for one in [&cpo, &emsp] {
            let mut modules = std::collections::BTreeMap::<&str, u64>::new();
            for got in one.platform.got() {
                *modules.entry(got.door.unwrap().module()).or_default() += 1;
            }
            for (module, got) in &modules {
                let labels = [("platform", one.at_hub.as_str()), ("module", *module)];
                assert_eq!(numbers.count("truewatt_requests_out_total", &labels), *got, "{module} of {}", one.id);
                assert_eq!(numbers.count("truewatt_request_out_seconds_count", &labels), *got, "{module}");
            }
            assert!(modules.contains_key("versions") && modules.contains_key("commands"), "{modules:?}");
        }
        let failed = [("platform", at_emsp), ("module", "cdrs"), ("http", "5xx"), ("ocpi", "none")];
        let took = [("platform", at_emsp), ("module", "cdrs"), ("http", "2xx"), ("ocpi", "1xxx")];
        assert_eq!(numbers.count("truewatt_requests_out_total", &took), 5);
        assert_eq!(numbers.count("truewatt_requests_out_total", &failed), 1);
        assert_eq!(numbers.count("truewatt_request_in_seconds_count", &[("platform", at_cpo), ("module", "cdrs")]), 8);
        // Duties, verdicts, presence, breaker.
        let owed = [("platform", at_emsp), ("kind", "cdr"), ("state", "owed")];
        let numbers = until(&world, |numbers| numbers.count("truewatt_duties", &owed) == 1).await;
        assert!(numbers.sum("truewatt_oldest_duty_seconds", &[]) > 0.0);
        assert!(numbers.sum("truewatt_platform_oldest_duty_seconds", &[("platform", at_emsp)]) > 0.0);
        let verdicts = |status| numbers.count("truewatt_verdicts_total", &[("status", status)]);
        assert_eq!((verdicts("NOT_APPLICABLE"), verdicts("UNVERIFIABLE"), verdicts("VERIFIED")), (4, 2, 0));
        let state = |name, label, word| numbers.count(name, &[("platform", at_emsp), (label, word)]);
        assert_eq!(state("truewatt_platform_breaker", "state", "open"), 1);
        assert_eq!(state("truewatt_platform_breaker", "state", "closed"), 0);
        assert_eq!(state("truewatt_platform_status", "status", "CONNECTED"), 1);
        assert!(numbers.count("truewatt_commit_group_size_count", &[]) >= 6);
        assert_eq!(numbers.count("truewatt_database_answers", &[]), 1);
        assert_eq!(numbers.count("truewatt_database_intact", &[]), 1);
        // Nothing in any label is a driver's, a token or a CDR's.
        let mut secrets = SECRETS.to_vec();
        let tokens = [&cpo, &emsp].map(|one| one.platform.token().unwrap());
        secrets.extend(tokens.iter().map(String::as_str));
        secrets.extend(["C-0", "U-1", "04A1", OPERATOR]);
        for secret in secrets {
            assert!(!numbers.text.contains(secret), "{secret} in {}", numbers.text);
        }

        // Forgiven, nothing waits; removed, nothing of the platform is left.
        let duties = world.operator(Method::GET, "/duties?state=owed", None).await;
        let duties = duties["items"].as_array().unwrap().clone();
        for duty in duties.iter().filter(|duty| duty["kind"] == "cdr") {
            let path = format!("/duties/{}/forgive", duty["id"].as_str().unwrap());
            world.operator(Method::POST, &path, Some(json!({"reason": "the story ends"}))).await;
        }
        until(&world, |numbers| numbers.count("truewatt_duties", &owed) == 0).await;
        world.operator(Method::DELETE, &format!("/platforms/{at_emsp}"), None).await;
        until(&world, |numbers| !numbers.text.contains(at_emsp)).await;
        Some(())
    }
}

async fn until(world: &World, holds: impl Fn(&Numbers) -> bool) -> Numbers {
    let started = Instant::now();
    loop {
        let numbers = Numbers::of(world).await;
        if holds(&numbers) {
            return numbers;
        }
        assert!(started.elapsed() < SOON * 2, "{}", numbers.text);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

// N-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_make_no_new_series_whatever_they_write() {
    let world = World::start_with("[limits]\nwrong_tokens = 0\n").await;
    let cpo = world
        .join(crate::common::world::complete(
            "NL/CPA",
            truewatt::ocpi::role::Role::Cpo,
        ))
        .await;
    let own = cpo.platform.token().unwrap();
    let own = truewatt::ocpi::headers::authorization(&own, truewatt::ocpi::headers::TokenForm::Base64);
    let knock = async |round: usize| {
        for number in 0..40 {
            let mark = format!("hostile{round}x{number}");
            let paths = [
                format!("/ocpi/2.2.1/receiver/{mark}/DE/ABC/1"),
                format!("/ocpi/{mark}/sender/cdrs"),
                format!("/ocpi/2.2.1/receiver/tokens/DE/ABC/{mark}"),
                format!("/ocpi/p/{mark}"),
                format!("/{mark}"),
                format!("/partner/v1/cdrs/DE/ABC/{mark}/report"),
                format!("/operator/v1/{mark}"),
                format!("/keys/{mark}"),
            ];
            for path in &paths {
                for authorization in [format!("Token {mark}"), own.clone()] {
                    let headers = [
                        ("Authorization", authorization.as_str()),
                        ("X-Correlation-ID", mark.as_str()),
                        ("OCPI-from-country-code", "XX"),
                        ("OCPI-from-party-id", &mark[..3]),
                    ];
                    let method = Method::from_bytes(["GET", "POST", "BREW"][number % 3].as_bytes()).unwrap();
                    world.ask(method, path, &headers, b"").await;
                }
            }
        }
        // To be asked for numbers is a request, too, and counted when it is answered.
        Numbers::of(&world).await;
        Numbers::of(&world).await
    };
    let first = knock(0).await;
    let second = knock(1).await;
    assert!(
        !second.text.contains("hostile") && !second.text.contains("BREW"),
        "{}",
        second.text
    );
    // What the hub asks of its neighbour meanwhile is none of theirs.
    assert_eq!(
        first.series_but("truewatt_request_out"),
        second.series_but("truewatt_request_out")
    );
    let platforms = second.values_of("platform");
    assert_eq!(
        platforms,
        [cpo.at_hub.clone(), "none".to_owned()].into(),
        "{platforms:?}"
    );
    let none = second.count(
        "truewatt_requests_in_total",
        &[("platform", "none"), ("module", "links")],
    );
    assert_eq!(none, 80, "and each of them was counted");
}

// N-03, D-24
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_turned_away_is_counted_by_reason() {
    let more = "[limits]\nplatform_rate = 1\nwrong_tokens = 3\n";
    let world = World::start_with(more).await;
    let platform = world.list(listed::bare(&["DE/ABC:CPO"])).await;
    let mut refused = 0;
    for _ in 0..20 {
        let heard = world.call(&platform, Method::GET, "/ocpi/versions", &[], "").await;
        refused += u64::from(heard.http == 429);
    }
    let numbers = Numbers::of(&world).await;
    assert!(refused > 10);
    assert_eq!(
        numbers.count("truewatt_turned_away_total", &[("reason", "platform_rate")]),
        refused
    );
    let labels = [
        ("platform", platform.id.as_str()),
        ("module", "versions"),
        ("http", "4xx"),
    ];
    assert_eq!(numbers.count("truewatt_requests_in_total", &labels), refused);
    for _ in 0..3 {
        let headers = [("Authorization", "Token d3Jvbmc=")];
        assert_eq!(
            world.ask(Method::GET, "/ocpi/versions", &headers, b"").await.status,
            401
        );
    }
    // The numbers of the one who is locked out are read through the store's own process: nobody at this address is listened to.
    let answer = fetch(&world, Some(&format!("Bearer {OPERATOR}")), None).await;
    assert_eq!(answer.status, 429, "also at /metrics, where a token could be guessed");
}

// R-43
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_platform_is_turned_away_and_counted_under_its_own_name() {
    let world = World::start_with("").await;
    let platform = world.list(listed::bare(&["DE/ABC:CPO"])).await;
    let suspend = format!("/operator/v1/platforms/{}/suspend", platform.id);
    let (status, said) = world.operate(Method::POST, &suspend, None).await;
    assert_eq!(status, 200, "{said}");
    let heard = world.call(&platform, Method::GET, "/ocpi/versions", &[], "").await;
    assert_eq!(heard.http, 403);
    let numbers = Numbers::of(&world).await;
    let labels = [
        ("platform", platform.id.as_str()),
        ("module", "versions"),
        ("http", "4xx"),
    ];
    assert_eq!(numbers.count("truewatt_requests_in_total", &labels), 1);
}

// design.md 3.4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_are_for_operators_and_auditors_unless_they_were_opened() {
    let grace = "[[operator.tokens]]\nname = \"Grace\"\nrole = \"auditor\"\ntoken = \"graces-token-graces-token\"\n";
    let world = World::start_with(grace).await;
    let platform = world.list(listed::bare(&["DE/ABC:CPO"])).await;
    for stranger in [
        None,
        Some("Bearer nobodys"),
        Some(platform.authorization().as_str()),
        Some("Bearer "),
    ] {
        let answer = fetch(&world, stranger, None).await;
        assert_eq!(answer.status, 401, "{stranger:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(!String::from_utf8_lossy(&answer.body).contains("truewatt_"));
    }
    let older = fetch(&world, Some("Bearer graces-token-graces-token"), None).await;
    assert_eq!(
        (older.status, older.header("content-type")),
        (200, Some("text/plain; version=0.0.4; charset=utf-8"))
    );
    Numbers::read(&older);
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3";
    let modern = fetch(&world, Some(&format!("Bearer {OPERATOR}")), Some(accept)).await;
    assert_eq!(
        modern.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let modern = String::from_utf8(modern.body.to_vec()).unwrap();
    assert!(modern.contains("# TYPE truewatt_requests_in counter\n") && modern.ends_with("\n# EOF\n"));

    let open = World::start_with("[metrics]\npublic = true\n").await;
    assert_eq!(fetch(&open, None, None).await.status, 200);
}
