//! Down to the octets on the line: header names in any case, headers that stay where they are, answers of any size, nobody there.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use truewatt::client::Method;
use truewatt::ocpi::headers::{TokenForm, authorization};
use truewatt::ocpi::role::InterfaceRole::{Receiver, Sender};
use truewatt::ocpi::role::Role;
use truewatt::sandbox::{Behaviour, Door, Draft, Plan};

use crate::world::{World, at, codes, complete, named, party};

/// A server that says the same octets to everybody, and tells what it was asked.
struct Parrot {
    address: String,
    asked: mpsc::UnboundedReceiver<String>,
}

impl Parrot {
    async fn saying(octets: Vec<u8>) -> Parrot {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 16 * 1024];
                let length = stream.read(&mut head).await.unwrap_or(0);
                let _ = tell.send(String::from_utf8_lossy(head.get(..length).unwrap_or_default()).into_owned());
                let _ = stream.write_all(&octets).await;
                let _ = stream.shutdown().await;
            }
        });
        Parrot { address, asked }
    }

    /// The same as an HTTP answer; `{here}` in its headers is the server itself.
    async fn answering(headers: &str, body: &[u8]) -> Parrot {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        Parrot::saying([head.as_bytes(), body].concat()).await
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/odd/p%61th/", self.address)
    }

    /// The names of the headers of the last request, as written.
    fn last(&mut self) -> String {
        let mut last = String::new();
        while let Ok(next) = self.asked.try_recv() {
            last = next;
        }
        last
    }
}

const EMPTY: &[u8] = br#"{"data":[],"status_code":1000,"timestamp":"2026-11-21T10:00:00Z"}"#;

fn with(plan: Plan, module: &'static str, interface: truewatt::ocpi::role::InterfaceRole, url: &str) -> Plan {
    plan.without(module, interface).served_at(module, interface, url)
}

/// A request written by hand, and its whole answer.
async fn by_hand(world: &World, request: &str) -> String {
    let mut line = TcpStream::connect(world.hub.url.trim_start_matches("http://"))
        .await
        .unwrap();
    line.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

// T-08, R-04, P-12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_names_mean_the_same_in_any_case_whoever_writes_them() {
    let world = World::start().await;
    let headers =
        "lInK: <?page=2>; ReL=\"next\"\r\nX-TOTAL-count: 5\r\nx-LiMiT: 1\r\nCONTENT-type: application/json\r\n";
    let parrot = Parrot::answering(headers, EMPTY).await;
    let cpo = world
        .join(with(
            complete("NL/CPA", Role::Cpo),
            "tariffs",
            Sender,
            &parrot.url("http"),
        ))
        .await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    let token = authorization(&emsp.platform.token().unwrap(), TokenForm::Base64).replace("Token", "tOkEn");
    let answer = by_hand(
        &world,
        &format!(
            "GET /ocpi/2.2.1/sender/tariffs HTTP/1.1\r\nhOsT: hub\r\nCONNECTION: close\r\naUTHORIZATION: {token}\r\n\
             OCPI-TO-COUNTRY-CODE: nl\r\nocpi-to-party-id: cpa\r\nOcpi-From-Country-Code: DE\r\noCPI-fROM-pARTY-iD: msa\r\n\
             x-request-ID: R-1\r\nX-CORRELATION-id: C-1\r\n\r\n"
        ),
    )
    .await;
    let lines = answer.to_lowercase();
    assert!(lines.starts_with("http/1.1 200"), "{answer}");
    for line in [
        "x-total-count: 5",
        "x-limit: 1",
        "x-request-id: r-1",
        "x-correlation-id: c-1",
        "ocpi-from-party-id: cpa",
    ] {
        assert!(lines.contains(&format!("\r\n{line}\r\n")), "{line}: {answer}");
    }
    assert!(
        lines.contains("\r\nlink: <http") && lines.contains("/ocpi/p/"),
        "{answer}"
    );
    assert_eq!(cpo.id, party("NL/CPA"));
}

// R-14, T-12, D-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_no_module_defines_go_neither_there_nor_back() {
    let world = World::start().await;
    let headers = "Set-Cookie: a=b\r\nServer: theirs\r\nVia: 1.1 them\r\nX-Powered-By: y\r\nKeep-Alive: timeout=9\r\n\
                   Location: http://theirs.example/1\r\nWWW-Authenticate: Basic\r\nTruewatt-Metering: VERIFIED\r\nETag: \"1\"\r\n\
                   X-Total-Count: 7\r\nX-Limit: 3\r\nContent-Type: text/plain\r\n";
    let mut parrot = Parrot::answering(headers, EMPTY).await;
    let cpo = world
        .join(with(
            complete("NL/CPA", Role::Cpo),
            "tariffs",
            Sender,
            &parrot.url("http"),
        ))
        .await;
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    let mut errand = emsp.voice.errand(Method::GET, "tariffs", Sender).to(&cpo.to);
    for (name, value) in [
        ("cookie", "a=b"),
        ("x-forwarded-for", "10.0.0.1"),
        ("via", "1.0 us"),
        ("if-none-match", "\"1\""),
        ("te", "trailers"),
        ("proxy-authorization", "Basic eDp5"),
        ("truewatt-metering", "VERIFIED"),
        ("x-secret", "s"),
        ("referer", "http://us.example/"),
    ] {
        errand = errand.header(name, value);
    }
    let reply = errand.send().await.unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)[1].as_str()),
        ((200, 1000), "NL/CPA"),
        "{reply:?}"
    );
    let mut back: Vec<&str> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
    back.retain(|name| !["content-length", "date"].contains(name));
    back.sort_unstable();
    assert_eq!(
        back,
        [
            "content-type",
            "ocpi-from-country-code",
            "ocpi-from-party-id",
            "ocpi-to-country-code",
            "ocpi-to-party-id",
            "x-correlation-id",
            "x-limit",
            "x-request-id",
            "x-total-count",
        ]
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let asked = parrot.last();
    let mut there: Vec<String> = asked
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.to_lowercase())
        .collect();
    there.retain(|name| !["host", "user-agent", "accept", "accept-encoding", "connection"].contains(&name.as_str()));
    there.sort_unstable();
    assert_eq!(
        there,
        [
            "authorization",
            "ocpi-from-country-code",
            "ocpi-from-party-id",
            "ocpi-to-country-code",
            "ocpi-to-party-id",
            "x-correlation-id",
            "x-request-id",
        ],
        "{asked}"
    );
    assert!(asked.starts_with("GET /odd/p%61th/ HTTP/1.1\r\n"), "{asked}");
}

// T-50, D-19, S-15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_many_megabytes_comes_back_octet_by_octet_and_one_beyond_all_measure_is_4000() {
    let world = World::start().await;
    let page = |megabytes: usize| {
        let object = format!(
            "{{\"id\":\"T\",\"x\": 1.50 ,\"text\":\"{}\"}}",
            "\\u00e9 ".repeat(140_000)
        );
        let objects = vec![object; megabytes].join(",\n");
        format!("{{ \"data\":[{objects}],\"status_code\" : 1000,\"timestamp\":\"2026-11-21T10:00:00Z\"}}")
    };
    let (big, beyond) = (page(24), page(56));
    assert!(big.len() > 20_000_000 && beyond.len() > 52_000_000);
    let (one, other) = (
        Parrot::answering("", big.as_bytes()).await,
        Parrot::answering("", beyond.as_bytes()).await,
    );
    let owner = async |id, parrot: &Parrot| {
        let plan = with(complete(id, Role::Cpo), "tariffs", Sender, &parrot.url("http"));
        world.join(plan).await
    };
    let (big_one, too_big_one) = (owner("NL/CPA", &one).await, owner("NL/CPB", &other).await);
    let emsp = world.join(complete("DE/MSA", Role::Emsp)).await;
    let reply = emsp.voice.list("tariffs", "", &big_one.to).await.unwrap();
    assert!(
        reply.body == big.as_bytes(),
        "{} of {} octets",
        reply.body.len(),
        big.len()
    );
    let reply = emsp.voice.list("tariffs", "", &too_big_one.to).await.unwrap();
    assert_eq!(
        (codes(&reply), named(&reply)[1].as_str()),
        ((200, 4000), "DE/TWH"),
        "{:?}",
        reply.message
    );
}

// R-42, T-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_nobody_has_and_a_line_that_is_not_secure_are_4003() {
    let world = World::start_with("[presence]\ncheck_interval_s = 600\n").await;
    let cpo = world.join(complete("NL/CPA", Role::Cpo)).await;
    // It answers, but in clear text where TLS was promised.
    let mut clear = Parrot::answering("", EMPTY).await;
    for (id, url) in [
        ("DE/TLS", clear.url("https")),
        ("DE/DNS", "http://nobody-has-this-name.invalid/x".to_owned()),
    ] {
        let emsp = world
            .join(with(complete(id, Role::Emsp), "tariffs", Receiver, &url))
            .await;
        let body = Draft::tariff(&cpo.id, "T-1", at()).json();
        let reply = cpo
            .voice
            .push(Method::PUT, "tariffs", &cpo.id, &["T-1"], &body, &emsp.to)
            .await
            .unwrap();
        assert_eq!(
            (codes(&reply), named(&reply)[1].as_str()),
            ((200, 4003), "DE/TWH"),
            "{id}: {reply:?}"
        );
        let why = reply.message.as_deref();
        assert_eq!(
            why,
            Some("the receiver cannot be reached"),
            "{id} is there, its endpoint is not"
        );
    }
    let seen = clear.last();
    assert!(seen.starts_with('\u{16}'), "a TLS greeting: {seen}");
    assert!(
        !seen.contains("oken") && !seen.contains("PUT"),
        "nothing was said in clear text: {seen}"
    );
}

// R-41, T-34
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_too_late_is_nobodys_and_nothing_is_sent_again() {
    let world = World::start_with("[timeouts]\nconnect_s = 1\nrelay_s = 2\n").await;
    let (cpo, emsp) = world.pair().await;
    emsp.platform
        .behave_once(Door::Receiver("tariffs"), Behaviour::Slow(Duration::from_secs(3)));
    let put = async |id: &str| {
        let body = Draft::tariff(&cpo.id, id, at()).json();
        cpo.voice
            .push(Method::PUT, "tariffs", &cpo.id, &[id], &body, &emsp.to)
            .await
            .unwrap()
    };
    let late = put("T-1").await;
    assert_eq!((codes(&late), named(&late)[1].as_str()), ((200, 4002), "DE/TWH"));
    assert_eq!(
        codes(&put("T-2").await),
        (201, 1000),
        "another object does not wait for it"
    );
    assert!(emsp.platform.wait_for_count("tariffs", 2, crate::world::SOON).await);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let said: Vec<String> = emsp
        .got("tariffs")
        .iter()
        .map(|got| got.path.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(said.iter().filter(|id| *id == "T-1").count(), 1, "{said:?}");
    assert_eq!(
        codes(&put("T-3").await),
        (201, 1000),
        "and the late answer is taken for no other's"
    );
}

// R-01, R-05, R-70, D-12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_addressee_that_cannot_be_read_is_refused_and_not_taken_for_everybody() {
    let world = World::start().await;
    let (cpo, emsp) = world.pair().await;
    let token = authorization(&cpo.platform.token().unwrap(), TokenForm::Base64);
    let body = Draft::tariff(&cpo.id, "T-1", at()).json();
    for (country, id) in [
        ("\u{e4}\u{f6}", "\u{fc}bc"),
        ("DE", "\u{fc}bc"),
        ("\u{e4}", "MSA"),
        ("DEU", "MSA"),
        ("DE", "MSAA"),
        ("D", "MSA"),
        ("DE", "M A"),
        ("DE", "M/A"),
    ] {
        let answer = by_hand(
            &world,
            &format!(
                "PUT /ocpi/2.2.1/receiver/tariffs/NL/CPA/T-1 HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nAuthorization: {token}\r\n\
                 OCPI-from-country-code: NL\r\nOCPI-from-party-id: CPA\r\nOCPI-to-country-code: {country}\r\nOCPI-to-party-id: {id}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("\"status_code\":2001"),
            "{country}/{id}: {answer}"
        );
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(emsp.got("tariffs").is_empty(), "nobody got it");
}
