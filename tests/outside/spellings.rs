//! Every way to spell an address inside our own walls, and names that change their mind: none is connected to.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use truewatt::client::guard::Names;
use truewatt::client::{Furnishing, Http, HttpSettings, Method, Outcome, Outgoing};

use crate::trap::Trap;

/// Where a spelling leads when nobody guards: to this machine, or anywhere else it has no business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Here,
    Elsewhere,
}
use To::{Elsewhere, Here};

/// `{p}` is the port of the trap.
const SPELLINGS: &[(To, &str)] = &[
    // IPv4: dotted, short, decimal, hexadecimal, octal, mixed, padded, with a dot at the end.
    (Here, "http://127.0.0.1:{p}/"),
    (Here, "http://127.0.0.1.:{p}/"),
    (Here, "http://127.1:{p}/"),
    (Here, "http://127.0.1:{p}/"),
    (Here, "http://2130706433:{p}/"),
    (Here, "http://0x7f000001:{p}/"),
    (Here, "http://0X7F000001:{p}/"),
    (Here, "http://0x7f.1:{p}/"),
    (Here, "http://0x7f.0x0.0x0.0x1:{p}/"),
    (Here, "http://0177.0.0.1:{p}/"),
    (Here, "http://017700000001:{p}/"),
    (Here, "http://0177.0x0.1:{p}/"),
    (Here, "http://00000177.0.0.01:{p}/"),
    (Here, "http://127.0.0.0x1:{p}/"),
    (Elsewhere, "http://127.255.255.254:{p}/"),
    (Here, "http://0:{p}/"),
    (Here, "http://0.0.0.0:{p}/"),
    (Here, "http://0x0:{p}/"),
    // Characters that mean the same to a host as digits, dots and letters do.
    (Here, "http://%31%32%37.0.0.1:{p}/"),
    (Here, "http://127%2e0%2E0%2e1:{p}/"),
    (Here, "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1:{p}/"),
    (Here, "http://127\u{3002}0\u{ff0e}0\u{ff61}1:{p}/"),
    (Here, "http://\u{2460}\u{2461}\u{2466}.0.0.1:{p}/"),
    (Here, "http://\u{ff10}x7f.1:{p}/"),
    // White space, slashes and back slashes that a URL library takes out or turns round.
    (Here, " http://127.0.0.1:{p}/ "),
    (Here, "http://127.\t0.0\n.1:{p}/"),
    (Here, "ht\ntp://127.0.0.1:{p}/"),
    (Here, "http:\\\\127.0.0.1:{p}\\"),
    (Here, "http:127.0.0.1:{p}/"),
    (Here, "http:/127.0.0.1:{p}/"),
    (Here, "http:////127.0.0.1:{p}/"),
    (Here, "HTTP://127.0.0.1:{p}/"),
    (Here, "http://127.0.0.1:{p}\\@example.com/"),
    (Here, "http://127.0.0.1:{p}#@example.com/"),
    (Here, "http://127.0.0.1:{p}?@example.com/"),
    (Here, "http://127.0.0.1:0{p}/"),
    // IPv6, and IPv4 inside it: mapped, compatible, translated, NAT64, 6to4, Teredo.
    (Here, "http://[::1]:{p}/"),
    (Here, "http://[0:0:0:0:0:0:0:1]:{p}/"),
    (Here, "http://[0000::0001]:{p}/"),
    (Here, "http://[::0.0.0.1]:{p}/"),
    (Here, "http://[::]:{p}/"),
    (Here, "http://[::ffff:127.0.0.1]:{p}/"),
    (Here, "http://[::ffff:7f00:1]:{p}/"),
    (Here, "http://[::FFFF:7F00:0001]:{p}/"),
    (Here, "http://[0:0:0:0:0:ffff:127.0.0.1]:{p}/"),
    (Elsewhere, "http://[::127.0.0.1]:{p}/"),
    (Elsewhere, "http://[::ffff:0:127.0.0.1]:{p}/"),
    (Elsewhere, "http://[64:ff9b::127.0.0.1]:{p}/"),
    (Elsewhere, "http://[64:ff9b:1::127.0.0.1]:{p}/"),
    (Elsewhere, "http://[2002:7f00:1::]:{p}/"),
    (Elsewhere, "http://[2001:0:7f00:1::]:{p}/"),
    (Elsewhere, "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{p}/"),
    // Zones.
    (Elsewhere, "http://[fe80::1%25lo]:{p}/"),
    (Elsewhere, "http://[::1%25lo]:{p}/"),
    (Elsewhere, "http://[::1%lo]:{p}/"),
    // Private, shared, link-local, unique local, site-local, multicast, reserved, documentation.
    (Elsewhere, "http://10.0.0.1:{p}/"),
    (Elsewhere, "http://172.16.0.1:{p}/"),
    (Elsewhere, "http://192.168.1.1:{p}/"),
    (Elsewhere, "http://0xc0.0xa8.1:{p}/"),
    (Elsewhere, "http://100.64.0.1:{p}/"),
    (Elsewhere, "http://198.18.0.1:{p}/"),
    (Elsewhere, "http://203.0.113.9:{p}/"),
    (Elsewhere, "http://224.0.0.1:{p}/"),
    (Elsewhere, "http://255.255.255.255:{p}/"),
    (Elsewhere, "http://[fe80::1]:{p}/"),
    (Elsewhere, "http://[fc00::1]:{p}/"),
    (Elsewhere, "http://[fec0::1]:{p}/"),
    (Elsewhere, "http://[ff02::1]:{p}/"),
    (Elsewhere, "http://[2001:db8::1]:{p}/"),
    // Metadata services.
    (Elsewhere, "http://169.254.169.254/latest/meta-data/"),
    (Elsewhere, "http://2852039166/latest/meta-data/"),
    (Elsewhere, "http://0xa9fea9fe/computeMetadata/v1/"),
    (Elsewhere, "http://[::ffff:169.254.169.254]/"),
    (Elsewhere, "http://[fd00:ec2::254]/"),
    (Elsewhere, "http://100.100.100.200/"),
    (Elsewhere, "http://192.0.0.192/"),
    // Somebody's name in front.
    (Here, "http://example.com@127.0.0.1:{p}/"),
    (Here, "http://example.com:443@127.0.0.1:{p}/"),
    (Here, "http://:secret@127.0.0.1:{p}/"),
    (Here, "http://example.com%2f@127.0.0.1:{p}/"),
    (Elsewhere, "http://secret@example.com:{p}/"),
    // Other schemes, and none.
    (Elsewhere, "ftp://127.0.0.1:{p}/"),
    (Elsewhere, "gopher://127.0.0.1:{p}/_GET"),
    (Elsewhere, "dict://127.0.0.1:{p}/d"),
    (Elsewhere, "ws://127.0.0.1:{p}/"),
    (Elsewhere, "unix://127.0.0.1:{p}/"),
    (Elsewhere, "file:///etc/passwd"),
    (Elsewhere, "data:text/plain,x"),
    (Elsewhere, "javascript:alert(1)"),
    (Elsewhere, "//127.0.0.1:{p}/"),
    (Elsewhere, "127.0.0.1:{p}"),
    (Elsewhere, "http://127.0.0.1:99999/"),
    (Elsewhere, "http://:{p}/"),
    (Elsewhere, "http://"),
    (Elsewhere, ""),
    // A name reaches the resolver, which drops what it finds.
    (Here, "http://localhost:{p}/"),
    (Here, "http://LOCALHOST:{p}/"),
    (Here, "http://LocalHo\u{17f}t:{p}/"),
    (Here, "http://localhos%74:{p}/"),
    (Here, "http://%6cocalhost:{p}/"),
];

fn settings(allow_private_networks: bool) -> HttpSettings {
    HttpSettings {
        connect: Duration::from_millis(500),
        allow_http: true,
        allow_private_networks,
        max_body: 1000,
        user_agent: "truewatt/test".to_owned(),
    }
}

fn get(url: &str) -> Outgoing {
    Outgoing {
        method: Method::GET,
        url: url.to_owned(),
        headers: vec![("Authorization".to_owned(), "Token secret".to_owned())],
        body: None,
        timeout: Duration::from_secs(2),
        allowed_hosts: None,
    }
}

// N-04, D-25
#[tokio::test]
async fn no_spelling_of_an_address_inside_our_walls_is_connected_to() {
    let trap = Trap::set();
    let guarded = Http::new(settings(false)).unwrap();
    for (_, spelling) in SPELLINGS {
        let url = spelling.replace("{p}", &trap.port.to_string());
        let outcome = guarded.send(get(&url)).await;
        assert!(
            matches!(&outcome, Outcome::NotAllowed(why) if !why.is_empty() && !why.contains("secret")),
            "{url:?}: {outcome:?}"
        );
    }
    assert_eq!(trap.caught(), 0);
    assert!(SPELLINGS.len() >= 40);

    // The trap is no blind one: without the guard most of them lead there.
    let open = Http::new(settings(true)).unwrap();
    let mut harmless = Vec::new();
    for (_, spelling) in SPELLINGS.iter().filter(|(to, _)| *to == Here) {
        let before = trap.caught();
        open.send(get(&spelling.replace("{p}", &trap.port.to_string()))).await;
        for _ in 0..20 {
            if trap.caught() > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if trap.caught() == before {
            harmless.push(*spelling);
        }
    }
    // A user name is refused whatever it is for; and IPv6 is not everywhere.
    let explained = |spelling: &&str| !spelling.contains('@') && !spelling.contains('[');
    let unexplained: Vec<_> = harmless.iter().copied().filter(explained).collect();
    assert_eq!(unexplained, [""; 0]);
}

// D-25: what was looked up for the call is what is called
#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let trap = Trap::set();
    // An address of the public Internet that this machine does not reach.
    const PUBLIC: &str = "203.0.114.1";
    let answers: [&[&str]; 6] = [
        &[PUBLIC],
        &["127.0.0.1"],
        &[PUBLIC, "127.0.0.1"],
        &["127.0.0.1", PUBLIC],
        &["::ffff:127.0.0.1", "::1", "0.0.0.0"],
        &[],
    ];
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = asked.clone();
    let names = Names::Of(Arc::new(move |name| {
        assert_eq!(name, "rebinding.example");
        let turn = counting.fetch_add(1, Ordering::SeqCst);
        let addresses = answers[turn % answers.len()].iter();
        addresses.map(|text| text.parse::<IpAddr>().unwrap()).collect()
    }));
    let furnishing = Furnishing {
        names: names.clone(),
        ..Furnishing::default()
    };
    let guarded = Http::furnished(settings(false), furnishing).unwrap();
    let url = format!("http://rebinding.example:{}/", trap.port);
    for answer in answers {
        let outcome = guarded.send(get(&url)).await;
        match answer.contains(&PUBLIC) {
            true => assert!(
                matches!(outcome, Outcome::Unreachable(_)),
                "only {PUBLIC} was tried: {answer:?}: {outcome:?}"
            ),
            false => assert!(matches!(outcome, Outcome::NotAllowed(_)), "{answer:?}: {outcome:?}"),
        }
    }
    assert_eq!(
        asked.load(Ordering::SeqCst),
        answers.len(),
        "the name is looked up for each connection"
    );
    assert_eq!(trap.caught(), 0);

    // Nobody guards: the second answer leads into the trap.
    let furnishing = Furnishing {
        names,
        ..Furnishing::default()
    };
    let open = Http::furnished(settings(true), furnishing).unwrap();
    open.send(get(&url)).await;
    open.send(get(&url)).await;
    for _ in 0..100 {
        if trap.caught() > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody came, although nobody was kept from it");
}
