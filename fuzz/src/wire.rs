//! What stands around a message: the envelope, headers, tokens, URLs, and the instants and numbers in it.

use truewatt::client::guard::Guard;
use truewatt::ocpi::envelope;
use truewatt::ocpi::headers::{self, MessageIds, Routing, TokenForm, token_candidates};
use truewatt::ocpi::number::{NumberError, decimal, same_number};
use truewatt::ocpi::page::{PageQuery, next_link, next_of};
use truewatt::ocpi::v2_2_1::credentials::Credentials;
use truewatt::ocpi::{json, time, url, versions};

/// Whatever a peer answers: what is unwrapped stood there, and what we write of it is unwrapped to the same.
pub fn envelope(data: &[u8]) {
    let Ok(read) = envelope::read(data) else { return };
    let payload = read.data.as_ref().map(|payload| payload.get());
    if let Some(payload) = payload {
        assert!(std::str::from_utf8(data).is_ok_and(|text| text.contains(payload)));
        let _ = versions::read_versions(payload);
        let _ = versions::read_details(payload);
        credentials(payload.as_bytes());
    }
    let kept = envelope::shortened(read.status_message.as_deref().unwrap_or_default());
    assert!(kept.chars().count() <= 255 && !kept.chars().any(char::is_control));

    let now = time::parse("1970-01-01").expect("an instant");
    let written = envelope::write(payload, read.status_code, read.status_message.as_deref(), now);
    let again = envelope::read(written.as_bytes()).expect("an envelope of our own");
    assert_eq!(again.data.as_ref().map(|payload| payload.get()), payload);
    assert_eq!(again.status_code, read.status_code);
    assert_eq!(again.status_message, read.status_message);
}

/// Whatever somebody registers with is refused or written and read again to the same, and its token does not show.
fn credentials(body: &[u8]) {
    let Ok(read) = Credentials::read(body) else { return };
    assert!(!read.roles.is_empty());
    let written = read.write();
    let again = Credentials::read(written.as_bytes()).expect("credentials of our own");
    assert_eq!((&again.token, &again.url), (&read.token, &read.url));
    assert_eq!(format!("{:?}", again.roles), format!("{:?}", read.roles));
}

/// Whatever the headers say: parties and ids are refused, made up, or sent on to be read the same.
///
/// One header a line, name and value on the two sides of the first colon.
pub fn headers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let get = |name: &str| {
        let line = lines.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        line.map(|(_, value)| *value)
    };
    if let Ok(routing) = Routing::read(get) {
        let written = routing.headers();
        let again = |name: &str| {
            let header = written.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            header.map(|(_, value)| value.as_str())
        };
        assert_eq!(Routing::read(again).as_ref(), Ok(&routing));
    }
    let ids = MessageIds::read(get);
    for id in [ids.request_id, ids.correlation_id].into_iter().flatten() {
        assert!((1..=255).contains(&id.len()) && id.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
    }
}

/// Whatever is taken for a token was in the header and does not show; and every token that we send is understood in either form.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(found) = token_candidates(text) {
        assert!(!found.raw.is_empty() && text.contains(&found.raw));
        assert!(found.decoded.as_ref().is_none_or(|decoded| !decoded.is_empty()));
        let shown = format!("{found:?}");
        assert_eq!(
            shown,
            format!("TokenCandidates(***, decoded: {})", found.decoded.is_some())
        );
    }
    if !text.trim().is_empty() {
        let raw = token_candidates(&headers::authorization(text, TokenForm::Raw)).expect("a token");
        assert_eq!(raw.raw, text.trim());
        let base64 = token_candidates(&headers::authorization(text, TokenForm::Base64)).expect("a token");
        assert_eq!(base64.decoded.as_deref(), Some(text.trim_end_matches(['\r', '\n'])));
    }
}

/// Whatever is joined to whatever, it is the same host that is called; and no address that is not public is.
///
/// The base and what is put behind it are the two sides of the first zero octet.
pub fn url(data: &[u8]) {
    let Some((base, rest)) = two_texts(data) else { return };
    if !matches!(rest, "." | "..") {
        assert_eq!(url::decoded(&url::encoded(rest)).as_deref(), Some(rest));
    }
    if url::is_web_url(base) {
        let host = url::host_and_port(base).expect("a web URL has a host");
        for called in [
            url::join(base, &[rest, "1"]),
            url::join_as_came(base, &[rest, "1"]),
            url::with_query(base, rest),
        ] {
            assert_eq!(url::host_and_port(&called).as_ref(), Some(&host), "{called}");
        }
        if let Ok(called) = guard().check(rest, Some(std::slice::from_ref(&host))) {
            assert_eq!(url::host_and_port(called.as_str()).as_deref(), Some(host.as_str()));
        }
    }
    let meant = url::resolve(base, rest);
    for called in [Some(rest), meant.as_deref()].into_iter().flatten() {
        let Ok(called) = guard().check(called, None) else {
            continue;
        };
        assert_eq!(called.scheme(), "https");
        assert!(called.username().is_empty() && called.password().is_none() && called.fragment().is_none());
        let host = called.host_str().expect("a host").trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<std::net::IpAddr>() {
            assert!(!address.is_loopback() && !address.is_unspecified() && !address.is_multicast());
            if let std::net::IpAddr::V4(address) = address.to_canonical() {
                assert!(!address.is_loopback() && !address.is_private() && !address.is_link_local());
            }
        }
    }
}

fn guard() -> Guard {
    Guard {
        allow_http: false,
        allow_private_networks: false,
        allowed_networks: Vec::new(),
    }
}

/// Whatever is an instant is one that we can write and read again.
pub fn time(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(instant) = time::parse(text) else { return };
    let written = time::write(instant);
    let again = time::parse(&written).expect("an instant of our own");
    assert_eq!(time::write(again), written);
    assert_eq!(again.timestamp_millis(), instant.timestamp_millis());
}

/// Whatever is a number is one to JSON too, and calculated with exactly or not at all.
///
/// Two numbers are the two sides of the first zero octet.
pub fn number(data: &[u8]) {
    let Some((one, other)) = two_texts(data) else { return };
    let is_number = one.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && one.ends_with(|last: char| last.is_ascii_digit())
        && json::check_syntax(one.as_bytes()).is_ok();
    assert_eq!(decimal(one) != Err(NumberError::NotANumber), is_number);
    assert_eq!(same_number(one, one), is_number);
    assert_eq!(same_number(one, other), same_number(other, one));
    if let Ok(exact) = decimal(one) {
        assert!(same_number(one, &exact.to_string()));
        if let Ok(second) = decimal(other) {
            assert_eq!(same_number(one, other), exact == second);
        }
    }
}

/// Whatever a list is asked with, what is understood can be counted with; whatever stands in a `Link` header, the next page was in it.
pub fn page(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(query) = PageQuery::read(text) {
        assert!(query.limit.is_none_or(|limit| limit >= 1));
        assert!(i64::try_from(query.offset).is_ok());
    }
    if let Some(next) = next_of(text) {
        assert!(text.contains(&next));
    }
    if !text.contains(['<', '>']) {
        assert_eq!(next_of(&next_link(text)).as_deref(), Some(text.trim()));
    }
}

/// Whatever is JSON to one of the readers is JSON to all, taken apart without a change, and says the same with white space around it.
pub fn json(data: &[u8]) {
    let syntax = json::check_syntax(data);
    assert_eq!(json::digest(data).is_ok(), syntax.is_ok());
    let members = json::top_level(data);
    assert!(members.is_err() || syntax.is_ok());
    for (_, value) in members.unwrap_or_default() {
        assert_eq!(json::check_syntax(value.get().as_bytes()), Ok(()));
    }
    if syntax.is_ok() {
        let spaced = [b" \n", data, b"\t\r\n"].concat();
        assert_eq!(json::digest(&spaced).ok(), json::digest(data).ok());
        assert_eq!(json::check_lengths(data), Ok(()), "none is this long here");
    }
    credentials(data);
}

/// The two sides of the first zero octet.
fn two_texts(data: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(data).ok()?;
    Some(text.split_once('\0').unwrap_or((text, "")))
}
