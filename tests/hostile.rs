//! Input made to hurt: it is refused or judged within memory and work that grow with its length and no faster, and it is never valid.
//!
//! Bytes asked of the allocator are counted: nothing of that depends on the machine; of seconds only, whether it ends at all. Every input is given to `truewatt verify`, and as
//! signed value, as readable copy and as key of a CDR; each in two sizes, because what doubles must not cost four times as much.

#![allow(clippy::unwrap_used)]

#[path = "counting/mod.rs"]
mod counting;

use std::time::{Duration, Instant};

use counting::{Cost, Counting, measured};
use truewatt::cli::verify::{EXIT_VALID, VerifyArgs, run};
use truewatt::evidence::assess::{KeyKnowledge, Policy, assess};
use truewatt::metering::formats::safe_xml::MAX_CONTAINED;
use truewatt::metering::key::PublicKey;
use truewatt::metering::limits::MAX_KEY_TEXT;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What may be held at one time for each byte that arrived, beside [`ALLOWANCE`]: a tree of JSON members or of XML nodes is larger than its text.
const HELD_PER_BYTE: usize = 24;

/// What may be asked for in all for each byte that arrived, beside [`ALLOWANCE`]: every nesting level is looked through by itself.
const ASKED_PER_BYTE: usize = 400;

/// What the answer about one value of a file or one document of a list may hold: of values a file has at most [`MAX_CONTAINED`], however short
/// they are.
const HELD_PER_ANSWER: usize = 4 * 1024;

/// How long one input may take in all: many times what the slowest needs where nothing is optimised and others share the machine. What takes
/// this long asks for no memory and goes in circles.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a small input may cost however small it is.
const ALLOWANCE: usize = 4 * 1024 * 1024;

/// An input by its name. `size` is 1 or 2: of the second everything is double, and as large as its name says with `TRUEWATT_LONG=1`, a quarter
/// of that otherwise: nothing is optimised here, and what grows too fast does so from the first hundred kilobytes on.
struct Hostile {
    name: &'static str,
    octets: Vec<u8>,
}

/// The part of what the names say that an input is.
#[allow(clippy::disallowed_methods, reason = "how long a test may take, the tester knows")]
fn parts() -> usize {
    match std::env::var("TRUEWATT_LONG").is_ok_and(|value| value == "1") {
        true => 1,
        false => 4,
    }
}

fn hostile(size: usize) -> Vec<Hostile> {
    let mut all = Vec::new();
    let mut add = |name: &'static str, octets: Vec<u8>| all.push(Hostile { name, octets });
    xml(size, &mut add);
    json(size, &mut add);
    sml(size, &mut add);
    lines(size, &mut add);
    numbers(size, &mut add);
    all
}

fn xml(size: usize, add: &mut impl FnMut(&'static str, Vec<u8>)) {
    let laughs: String = (1..=9)
        .map(|level| {
            let inner = format!("&l{};", level - 1).repeat(10);
            format!("<!ENTITY l{level} \"{inner}\">")
        })
        .collect();
    for (name, root, inside) in [
        (
            "a billion laughs in a S.A.F.E. file",
            "values",
            "<value><signedData>&l9;</signedData></value>",
        ),
        (
            "a billion laughs in a signedMeterValue",
            "signedMeterValue",
            "<publicKey>&l9;</publicKey>",
        ),
        (
            "a billion laughs in a ChargingProcess",
            "ChargingProcess",
            "<ServerId>&l9;</ServerId>",
        ),
    ] {
        let text =
            format!("<?xml version=\"1.0\"?><!DOCTYPE {root} [<!ENTITY l0 \"lol\">{laughs}]><{root}>{inside}</{root}>");
        add(name, text.into_bytes());
    }
    let quadratic = format!(
        "<!DOCTYPE values [<!ENTITY a \"{}\">]><values>{}</values>",
        "a".repeat(20_000 * size / parts()),
        "&a;".repeat(1000 * size / parts())
    );
    add("a long entity used many times", quadratic.into_bytes());
    for (name, declared) in [
        ("an external entity", "<!ENTITY a SYSTEM \"file:///etc/passwd\">"),
        (
            "an external parameter entity",
            "<!ENTITY % a SYSTEM \"file:///etc/passwd\"> %a;",
        ),
    ] {
        let text =
            format!("<!DOCTYPE values [{declared}]><values><value><signedData>&a;</signedData></value></values>");
        add(name, text.into_bytes());
    }
    let deep = |open: &str, close: &str| {
        format!(
            "<values>{}{}</values>",
            open.repeat(5000 * size / parts()),
            close.repeat(5000 * size / parts())
        )
    };
    add("elements 10 000 deep", deep("<value>", "</value>").into_bytes());
    add("elements 10 000 deep, never closed", deep("<value>", "").into_bytes());
    let many =
        |inside: &str, times: usize| format!("<values>{}</values>", inside.repeat(times * size / parts())).into_bytes();
    add(
        "100 000 values of a S.A.F.E. file",
        many("<value><signedData>AP;0;3;X</signedData></value>", 50_000),
    );
    add("100 000 empty elements", many("<value/>", 50_000));
    add(
        "9 000 values of a S.A.F.E. file",
        many("<value><signedData>AP;0;3;X</signedData></value>", 4500),
    );
    let attributes: String = (0..5000 * size / parts()).map(|at| format!(" a{at}=\"\"")).collect();
    add("10 000 attributes", format!("<values{attributes}/>").into_bytes());
    let namespaces: String = (0..5000 * size / parts())
        .map(|at| format!(" xmlns:a{at}=\"u\""))
        .collect();
    add("10 000 namespaces", format!("<values{namespaces}/>").into_bytes());
    add(
        "a megabyte in a tag",
        format!("<values {}", "a".repeat(500_000 * size / parts())).into_bytes(),
    );
}

fn json(size: usize, add: &mut impl FnMut(&'static str, Vec<u8>)) {
    let times = |text: &str, count: usize| text.repeat(count * size / parts());
    add("lists 10 000 deep", times("[", 5000).into_bytes());
    add("objects 10 000 deep", times("{\"a\":", 5000).into_bytes());
    let closed = format!("{{\"signedMeterValues\":{}{}}}", times("[", 5000), times("]", 5000));
    add("lists 10 000 deep in a document", closed.into_bytes());
    add(
        "OCMF 10 000 deep",
        format!("OCMF|{}", times("{\"RD\":[", 5000)).into_bytes(),
    );
    for (name, open, element, close) in [
        (
            "100 000 values of a chargeIT document",
            "{\"signedMeterValues\":[",
            "{}",
            "]}",
        ),
        (
            "100 000 sessions of a transparency record",
            "{\"@context\":\"CTR\",\"chargingSessions\":[",
            "{}",
            "]}",
        ),
        (
            "100 000 measured values",
            "{\"@context\":\"GDFCrypt01\",\"chargingSessions\":[{\"measurements\":[{\"values\":[",
            "{}",
            "]}]}]}",
        ),
        (
            "100 000 signed values of a CDR",
            "{\"total_energy\":1,\"signed_data\":{\"encoding_method\":\"OCMF\",\"signed_values\":[",
            "{\"nature\":\"End\",\"plain_data\":\"\",\"signed_data\":\"\"}",
            "]}}",
        ),
        ("100 000 documents", "[", "{\"format\":\"ptb\"}", "]"),
        (
            "100 000 readings of an OCMF record",
            "OCMF|{\"RD\":[",
            "{\"RV\":1}",
            "]}|{\"SD\":\"30\"}",
        ),
        (
            "4 000 readings of an OCMF record",
            "OCMF|{\"RD\":[",
            "{\"RV\":1}",
            "]}|{\"SD\":\"30\"}",
        ),
        (
            "100 000 meters",
            "{\"@context\":\"GDFCrypt01\",\"chargingStations\":[{\"meters\":[",
            "{}",
            "]}]}",
        ),
        (
            "100 000 energies of a receipt",
            "{\"additional_info\":{\"meter_startreading\":1},\"energy\":[",
            "{\"start_time_utc\":1}",
            "]}",
        ),
    ] {
        let count = if name.starts_with("4 000") { 2000 } else { 50_000 };
        let list = vec![element; count * size / parts()].join(",");
        add(name, format!("{open}{list}{close}").into_bytes());
    }
    let members: Vec<String> = (0..50_000 * size / parts()).map(|at| format!("\"a{at}\":1")).collect();
    add(
        "100 000 members",
        format!("{{\"signedMeterValues\":[],{}}}", members.join(",")).into_bytes(),
    );
    let same = vec!["\"signedMeterValues\":[]"; 50_000 * size / parts()].join(",");
    add("one member 100 000 times", format!("{{{same}}}").into_bytes());
}

fn sml(size: usize, add: &mut impl FnMut(&'static str, Vec<u8>)) {
    const START: [u8; 8] = [0x1B, 0x1B, 0x1B, 0x1B, 1, 1, 1, 1];
    let file = |body: Vec<u8>| [&START[..], &body].concat();
    add("10 MB of SML", file(vec![0x77; 5_000_000 * size / parts()]));
    add("a megabyte of escape sequences", START.repeat(62_500 * size / parts()));
    add("SML lists 10 000 deep", file(vec![0x72; 5000 * size / parts()]));
    add(
        "SML that claims four gigabytes",
        file(vec![0x8F, 0x8F, 0x8F, 0x8F, 0x8F, 0x8F, 0x8F, 0x0F, 0x41]),
    );
    // A list of 100 000 elements: 0xF1 0x88 0x86 0x8A 0x00 and as many absent values.
    let head = [0xF1, 0x88, 0x86, 0x8A, 0x00];
    add(
        "100 000 elements of an SML list",
        file([&head[..], &vec![1; 50_000 * size / parts()]].concat()),
    );
    add(
        "20 000 elements of an SML list",
        file([&head[..], &vec![1; 10_000 * size / parts()]].concat()),
    );
}

fn lines(size: usize, add: &mut impl FnMut(&'static str, Vec<u8>)) {
    add(
        "100 000 lines",
        "AP;0;3;X\n".repeat(50_000 * size / parts()).into_bytes(),
    );
    add(
        "100 000 records behind each other",
        "OCMF|{}|{}".repeat(50_000 * size / parts()).into_bytes(),
    );
    add(
        "100 000 openings of a record",
        "OCMF|".repeat(50_000 * size / parts()).into_bytes(),
    );
    add(
        "a megabyte of semicolons",
        format!("AP{}", ";".repeat(500_000 * size / parts())).into_bytes(),
    );
    add(
        "a megabyte of parentheses",
        format!("128.8.0{}", "(ST:".repeat(125_000 * size / parts())).into_bytes(),
    );
    add(
        "a megabyte of Base64",
        "QUFB".repeat(125_000 * size / parts()).into_bytes(),
    );
    add(
        "a megabyte of hex",
        "1b1b".repeat(125_000 * size / parts()).into_bytes(),
    );
    add("60 KB of Base64", "QUFB".repeat(7500 * size / parts()).into_bytes());
    add(
        "a megabyte of escaped markup",
        "&lt;".repeat(125_000 * size / parts()).into_bytes(),
    );
    add(
        "a megabyte of blanks",
        " ".repeat(500_000 * size / parts()).into_bytes(),
    );
    add(
        "a megabyte of quotes",
        "\"".repeat(500_000 * size / parts()).into_bytes(),
    );
    add("a megabyte of nothing", vec![0; 500_000 * size / parts()]);
}

fn numbers(size: usize, add: &mut impl FnMut(&'static str, Vec<u8>)) {
    let digits = "9".repeat(500_000 * size / parts());
    let few = "9".repeat(10_000 * size / parts());
    for (name, number) in [
        ("an exponent of a billion", "1e999999999"),
        ("an exponent of minus a billion", "1e-999999999"),
        ("an exponent of many digits", "1e99999999999999999999999999"),
        ("a number of a megabyte", digits.as_str()),
        ("a number of 20 000 digits", few.as_str()),
    ] {
        let ocmf = format!(
            "OCMF|{{\"FV\":\"1.0\",\"PG\":\"T1\",\"MS\":\"M\",\"RD\":[{{\"TM\":\"2026-01-01T10:00:00,000+0100 S\",\"TX\":\"E\",\"RV\":{number},\"CL\":{number},\"RI\":\"1-0:1.8.0\",\"RU\":\"kWh\",\"ST\":\"G\"}}]}}|{{\"SD\":\"3006020101020101\"}}"
        );
        add(name, ocmf.into_bytes());
        let cdr = format!(
            "{{\"total_energy\":{number},\"cdr_token\":{{}},\"signed_data\":{{\"encoding_method\":\"OCMF\",\"signed_values\":[]}}}}"
        );
        add(name, cdr.into_bytes());
        let receipt = format!(
            "{{\"additional_info\":{{\"meter_startreading\":{number},\"meter_endreading\":{number},\"energy_units\":\"Wh\"}},\"energy\":[{{\"start_time_utc\":{number}}}]}}"
        );
        add(name, receipt.into_bytes());
        let emh = format!(
            "{{\"signedMeterValues\":[{{\"signature\":\"00\",\"measuredValue\":{{\"value\":\"{number}\",\"timestampLocal\":{{\"timestamp\":{number},\"localOffset\":{number}}}}}}}]}}"
        );
        add(name, emh.into_bytes());
    }
}

/// The ways in: by itself, and inside a CDR.
fn ways(octets: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    // A carried text is looked at up to 64 KiB; more than a megabyte of it would show nothing new, but for what no JSON could carry otherwise.
    let is_long = octets.len() > 1_200_000;
    if is_long && std::str::from_utf8(octets).is_ok_and(|text| !text.starts_with('\u{1b}')) {
        return vec![("itself", octets.to_vec())];
    }
    let text = String::from_utf8(octets.to_vec()).unwrap_or_else(|_| hex::encode(octets));
    let quoted = serde_json::to_string(&text).unwrap();
    let cdr = |signed: &str, plain: &str, key: &str| {
        format!(
            r#"{{"country_code":"DE","party_id":"ABC","id":"C-1","start_date_time":"2026-01-01T09:00:00Z","end_date_time":"2026-01-01T10:00:00Z","cdr_token":{{"uid":"04AA"}},"total_energy":1,"signed_data":{{"encoding_method":"Other","public_key":{key},"signed_values":[{{"nature":"End","plain_data":{plain},"signed_data":{signed}}}]}}}}"#
        )
        .into_bytes()
    };
    let mut ways = vec![
        ("itself", octets.to_vec()),
        ("the signed value of a CDR", cdr(&quoted, "\"\"", "\"\"")),
    ];
    if is_long {
        return ways;
    }
    ways.extend([
        (
            "the readable copy of a CDR",
            cdr("\"3006020101020101\"", &quoted, "\"\""),
        ),
        ("the key of a CDR", cdr("\"OCMF|{}|{}\"", "\"\"", &quoted)),
    ]);
    ways
}

/// Gives an input to `truewatt verify` and to the judging of a CDR.
fn judge(input: &[u8]) -> (Cost, Vec<u8>) {
    let ((), cost) = measured(|| {
        if let Ok(assessment) = assess(input, |_| KeyKnowledge::default(), &Policy::default()) {
            let verdict = assessment.verdict(&assessment.blocks());
            assert!(!verdict.billable || verdict.status.as_str() == "NOT_APPLICABLE");
        }
    });
    let mut out = Vec::new();
    let (code, of_command) = measured(|| run(&VerifyArgs::default(), input, &mut out));
    assert_ne!(code, EXIT_VALID);
    let worse = Cost {
        peak: cost.peak.max(of_command.peak),
        asked: cost.asked.max(of_command.asked),
        kept: cost.kept,
    };
    (worse, out)
}

#[test]
fn hostile_input_is_never_valid_and_costs_no_more_than_its_length_allows() {
    let (small, large) = (hostile(1), hostile(2));
    assert!(small.len() > 60);
    let mut excesses = Vec::new();
    for (half, whole) in small.iter().zip(&large) {
        for ((way, half), (_, octets)) in ways(&half.octets).into_iter().zip(ways(&whole.octets)) {
            let (before, _) = judge(&half);
            let begun = Instant::now();
            let (cost, out) = judge(&octets);
            let took = begun.elapsed();
            if took > PATIENCE {
                excesses.push(format!("{} as {way}: took {took:?}", whole.name));
            }
            let shown = String::from_utf8_lossy(&out);
            assert!(!shown.contains("root:"), "{} as {way}", whole.name);
            let is_many = whole.name.ends_with("values of a S.A.F.E. file") || whole.name == "100 000 documents";
            let answers = if is_many && way == "itself" { MAX_CONTAINED } else { 0 };
            println!("{} as {way}, {} bytes: {cost:?}", whole.name, octets.len());
            let limits = [
                (
                    "held",
                    cost.peak,
                    octets.len() * HELD_PER_BYTE + answers * HELD_PER_ANSWER + ALLOWANCE,
                ),
                ("asked for", cost.asked, octets.len() * ASKED_PER_BYTE + ALLOWANCE),
                (
                    "asked for, after half of it",
                    cost.asked,
                    before.asked * 5 / 2 + ALLOWANCE,
                ),
            ];
            for (what, found, limit) in limits {
                if found > limit {
                    excesses.push(format!(
                        "{} as {way}: {found} bytes {what}, {limit} allowed",
                        whole.name
                    ));
                }
            }
        }
    }
    assert!(excesses.is_empty(), "{}", excesses.join("\n"));
}

#[test]
fn what_is_longer_than_any_key_is_not_looked_at() {
    for text in [
        "A".repeat(MAX_KEY_TEXT + 1),
        "4".repeat(10_000_000),
        "QUFB".repeat(2_500_000),
    ] {
        let (read, cost) = measured(|| PublicKey::read(&text, None));
        assert!(read.is_err());
        assert_eq!(cost.asked, 0, "{} bytes", text.len());
    }
}
