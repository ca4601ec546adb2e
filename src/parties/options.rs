//! What an operator may decide for one platform: read strictly, so that a misspelt option is an error and not a silence.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::routing::directory::{InvalidCdrs, MarkerWhen, PlatformOptions, PlatformTimeouts, TokenEncoding};

/// A member that cannot be accepted, by JSON pointer relative to the options object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {reason}")]
pub struct WrongOption {
    /// Where, for example `/timeouts/relay_s`.
    pub pointer: String,
    /// Why, as a sentence.
    pub reason: String,
}

/// The longest deadline an operator may give one platform: two minutes, longer than any client is known to wait.
const MAX_RELAY_S: u64 = 120;
/// More hosts than any known peer uses (CDN for images not counted: those are never called).
const MAX_HOSTS: usize = 20;

/// Applies the members present in `patch` to `options`; `null` returns a member to its default (RFC 7396).
///
/// # Errors
/// The first member that is unknown, of the wrong type or out of range.
pub fn patch(mut options: PlatformOptions, patch: &Map<String, Value>) -> Result<PlatformOptions, WrongOption> {
    for (name, value) in patch {
        match name.as_str() {
            "token_encoding" => options.token_encoding = word(name, value, ENCODINGS)?.unwrap_or_default(),
            "metering_marker" => options.metering_marker = word(name, value, MARKERS)?.unwrap_or_default(),
            "invalid_cdrs" => options.invalid_cdrs = word(name, value, POLICIES)?,
            "allowed_hosts" => options.allowed_hosts = hosts(value)?,
            "custody" => options.custody = switch(name, value)?,
            "timeouts" => options.timeouts = timeouts(options.timeouts, value)?,
            "custom_modules" => options.custom_modules = switch(name, value)?.unwrap_or_default(),
            "require_sample" => options.require_sample = switch(name, value)?,
            "publickeys" => options.publickeys = switch(name, value)?.unwrap_or_default(),
            "cdrvalidations" => options.cdrvalidations = switch(name, value)?.unwrap_or_default(),
            "client_certificate" => options.client_certificate = identity(name, value)?,
            "strict" => options.strict = switch(name, value)?.unwrap_or_default(),
            "catch_up" => options.catch_up = switch(name, value)?.unwrap_or_default(),
            _ => return Err(wrong(name, "is no option of a platform")),
        }
    }
    // A wish without effect must not look granted.
    for (name, on) in [
        ("publickeys", options.publickeys),
        ("cdrvalidations", options.cdrvalidations),
    ] {
        if on && !options.custom_modules {
            return Err(wrong(name, "is a custom module: it needs custom_modules"));
        }
    }
    Ok(options)
}

/// The options as the store keeps them: without what the version before does not know and nobody asked for. It may be serving beside this one,
/// and reads nothing of a document with a member that is strange to it.
#[must_use]
pub fn kept(options: &PlatformOptions) -> Value {
    let mut members = write(options);
    if let Some(members) = members.as_object_mut().filter(|_| !options.catch_up) {
        members.remove("catch_up");
    }
    members
}

/// The options as the operator reads them: every member, undecided ones as `null`.
#[must_use]
pub fn write(options: &PlatformOptions) -> Value {
    json!({
        "token_encoding": word_of(ENCODINGS, &options.token_encoding),
        "allowed_hosts": options.allowed_hosts,
        "metering_marker": word_of(MARKERS, &options.metering_marker),
        "invalid_cdrs": options.invalid_cdrs.as_ref().map(|policy| word_of(POLICIES, policy)),
        "custody": options.custody,
        "custom_modules": options.custom_modules,
        "publickeys": options.publickeys,
        "cdrvalidations": options.cdrvalidations,
        "strict": options.strict,
        "catch_up": options.catch_up,
        "require_sample": options.require_sample,
        "client_certificate": options.client_certificate,
        "timeouts": { "relay_s": options.timeouts.relay.map(|relay| relay.as_secs()) },
    })
}

/// Reads what [`write()`] or [`kept`] wrote.
///
/// # Errors
/// What is wrong with it.
pub fn read_text(text: &str) -> Result<PlatformOptions, WrongOption> {
    let value: Map<String, Value> = serde_json::from_str(text).map_err(|e| WrongOption {
        pointer: String::new(),
        reason: e.to_string(),
    })?;
    patch(PlatformOptions::default(), &value)
}

type Words<T> = &'static [(&'static str, T)];

const ENCODINGS: Words<TokenEncoding> = &[
    ("auto", TokenEncoding::Auto),
    ("base64", TokenEncoding::Base64),
    ("raw", TokenEncoding::Raw),
];
const MARKERS: Words<MarkerWhen> = &[
    ("on_problem", MarkerWhen::OnProblem),
    ("always", MarkerWhen::Always),
    ("never", MarkerWhen::Never),
];
const POLICIES: Words<InvalidCdrs> = &[
    ("mark", InvalidCdrs::Mark),
    ("hold", InvalidCdrs::Hold),
    ("reject", InvalidCdrs::Reject),
];

fn word<T: Copy>(name: &str, value: &Value, words: Words<T>) -> Result<Option<T>, WrongOption> {
    if value.is_null() {
        return Ok(None);
    }
    let found = value
        .as_str()
        .and_then(|text| words.iter().find(|(word, _)| *word == text));
    let choices = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    found
        .map(|(_, meaning)| Some(*meaning))
        .ok_or_else(|| wrong(name, &format!("must be one of {}", choices())))
}

fn word_of<T: PartialEq>(words: Words<T>, meaning: &T) -> &'static str {
    words
        .iter()
        .find(|(_, known)| known == meaning)
        .map_or("", |(word, _)| word)
}

fn switch(name: &str, value: &Value) -> Result<Option<bool>, WrongOption> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(on) => Ok(Some(*on)),
        _ => Err(wrong(name, "must be true or false")),
    }
}

/// The name of an identity. Whether there is one of that name, the room's door asks.
fn identity(name: &str, value: &Value) -> Result<Option<String>, WrongOption> {
    let fits = |text: &str| {
        (1..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    match value {
        Value::Null => Ok(None),
        Value::String(text) if fits(text) => Ok(Some(text.clone())),
        _ => Err(wrong(
            name,
            "must be the NAME of an [outbound.identities.NAME] of the configuration",
        )),
    }
}

fn hosts(value: &Value) -> Result<Vec<String>, WrongOption> {
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) if list.len() <= MAX_HOSTS => list,
        Value::Array(_) => {
            return Err(wrong("allowed_hosts", &format!("may have at most {MAX_HOSTS} entries")));
        }
        _ => return Err(wrong("allowed_hosts", "must be a list of hosts")),
    };
    let host = |(at, entry): (usize, &Value)| match entry.as_str() {
        Some(text) if is_host(text) => Ok(text.to_owned()),
        _ => Err(wrong(
            &format!("allowed_hosts/{at}"),
            "must be a host name or address, with a port if it is not the usual one",
        )),
    };
    list.iter().enumerate().map(host).collect()
}

/// A name of labels, or an IPv6 address in brackets; then perhaps a port. A name nobody has harms nobody.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') && (!host.contains(':') || host.ends_with(']')) => {
            (host, Some(port))
        }
        _ => (text, None),
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let is_address = |inside: &str| {
        (2..=45).contains(&inside.len()) && inside.bytes().all(|b| b.is_ascii_hexdigit() || b":.".contains(&b))
    };
    let named = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => is_address(inside),
        None => host.split('.').all(is_label),
    };
    let ported = port.is_none_or(|port| {
        port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0') && port.parse::<u16>().is_ok()
    });
    text.len() <= 255 && named && ported
}

fn timeouts(mut timeouts: PlatformTimeouts, value: &Value) -> Result<PlatformTimeouts, WrongOption> {
    let members = match value {
        Value::Null => return Ok(PlatformTimeouts::default()),
        Value::Object(members) => members,
        _ => return Err(wrong("timeouts", "must be an object")),
    };
    for (name, value) in members {
        let pointer = format!("timeouts/{name}");
        match name.as_str() {
            "relay_s" => timeouts.relay = seconds(&pointer, value)?,
            _ => {
                return Err(wrong(&pointer, "is no deadline of a platform in this version"));
            }
        }
    }
    Ok(timeouts)
}

fn seconds(pointer: &str, value: &Value) -> Result<Option<Duration>, WrongOption> {
    if value.is_null() {
        return Ok(None);
    }
    // JSON knows one kind of number: 5 and 5.0 are the same.
    let whole = |number: f64| (number.fract() == 0.0 && (1.0..=120.0).contains(&number)).then_some(number as u64);
    match value.as_u64().or_else(|| value.as_f64().and_then(whole)) {
        Some(seconds @ 1..=MAX_RELAY_S) => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(wrong(
            pointer,
            &format!("must be a whole number of seconds from 1 to {MAX_RELAY_S}"),
        )),
    }
}

fn wrong(name: &str, reason: &str) -> WrongOption {
    let name = if name.starts_with("timeouts/") || name.starts_with("allowed_hosts/") {
        name.to_owned()
    } else {
        name.replace('~', "~0").replace('/', "~1")
    };
    WrongOption {
        pointer: format!("/{name}"),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn patched(value: Value) -> Result<PlatformOptions, WrongOption> {
        patch(PlatformOptions::default(), value.as_object().unwrap())
    }

    #[test]
    fn options_survive_the_store() {
        let all = json!({"token_encoding": "raw", "allowed_hosts": ["files.example.com", "10.0.0.1:8080", "[::1]:99", "[2001:db8::]"],
            "metering_marker": "always", "invalid_cdrs": "hold", "custody": false, "custom_modules": true, "publickeys": true,
            "cdrvalidations": true, "strict": true, "catch_up": true, "require_sample": true, "client_certificate": "roaming-2026",
            "timeouts": {"relay_s": 7}});
        let options = patched(all.clone()).unwrap();
        assert_eq!(write(&options), all);
        assert_eq!(read_text(&kept(&options).to_string()).unwrap(), options);
        let plain = PlatformOptions::default();
        assert!(kept(&plain).get("catch_up").is_none() && write(&plain)["catch_up"] == false);
        assert_eq!(read_text(&kept(&plain).to_string()).unwrap(), plain);
        assert_eq!(read_text("{}").unwrap(), PlatformOptions::default());
    }

    #[test]
    fn a_patch_changes_only_what_it_names_and_null_returns_to_the_default() {
        let before = patched(json!({"custody": true, "invalid_cdrs": "reject", "timeouts": {"relay_s": 3}})).unwrap();
        let after = patch(before, json!({"invalid_cdrs": null}).as_object().unwrap()).unwrap();
        assert_eq!(after.custody, Some(true));
        assert_eq!(after.invalid_cdrs, None);
        assert_eq!(after.timeouts.relay, Some(Duration::from_secs(3)));
    }

    #[test]
    fn nonsense_is_named_by_its_pointer() {
        let cases = [
            (json!({"catch_up": "yes"}), "/catch_up"),
            (json!({"custom_modules": "yes"}), "/custom_modules"),
            (json!({"strict": 1}), "/strict"),
            (json!({"client_certificate": "../etc"}), "/client_certificate"),
            (json!({"client_certificate": true}), "/client_certificate"),
            (json!({"require_sample": "always"}), "/require_sample"),
            (json!({"publickeys": "yes", "custom_modules": true}), "/publickeys"),
            (json!({"publickeys": true}), "/publickeys"),
            (
                json!({"cdrvalidations": true, "custom_modules": false}),
                "/cdrvalidations",
            ),
            (json!({"tokenencoding": "raw"}), "/tokenencoding"),
            (json!({"a/b~": 1}), "/a~1b~0"),
            (json!({"token_encoding": "RAW"}), "/token_encoding"),
            (json!({"token_encoding": 1}), "/token_encoding"),
            (json!({"custody": "yes"}), "/custody"),
            (json!({"allowed_hosts": "example.com"}), "/allowed_hosts"),
            (
                json!({"allowed_hosts": ["example.com", "https://x"]}),
                "/allowed_hosts/1",
            ),
            (json!({"allowed_hosts": [""]}), "/allowed_hosts/0"),
            (json!({"allowed_hosts": ["a@b"]}), "/allowed_hosts/0"),
            (json!({"allowed_hosts": ["a..b"]}), "/allowed_hosts/0"),
            (json!({"allowed_hosts": ["a:0"]}), "/allowed_hosts/0"),
            (json!({"allowed_hosts": ["a:65536"]}), "/allowed_hosts/0"),
            (json!({"allowed_hosts": ["::1"]}), "/allowed_hosts/0"),
            (json!({"allowed_hosts": ["[::1"]}), "/allowed_hosts/0"),
            (json!({"timeouts": 3}), "/timeouts"),
            (json!({"timeouts": {"relay_s": 0}}), "/timeouts/relay_s"),
            (json!({"timeouts": {"relay_s": 1.5}}), "/timeouts/relay_s"),
            (json!({"timeouts": {"connect_s": 1}}), "/timeouts/connect_s"),
        ];
        for (value, pointer) in cases {
            assert_eq!(patched(value.clone()).unwrap_err().pointer, pointer, "{value}");
        }
    }
}
