//! Pseudonyms: a Session without what leads to its driver (smart-charging.md 2.1, ECI-08).
//!
//! | In the Session | Shown |
//! | --- | --- |
//! | `uid` and `contract_id` of `cdr_token` | a pseudonym of the same syntax, the same for the same token under one contract |
//! | what OCPI knows, and has nothing to do with who or how much | as the CPO wrote it, octet for octet |
//! | `total_cost`, `authorization_reference`, and what OCPI does not know | nothing |
//!
//! A pseudonym cannot be undone without the contract's secret, and two providers cannot compare theirs. Everything here is pure.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::value::RawValue;
use sha2::Sha256;

use crate::ocpi::ids::fold;
use crate::ocpi::json;
use crate::ocpi::splice::json_string;

/// What a provider is shown of a Session as it stands there.
const SHOWN: [&str; 16] = [
    "country_code",
    "party_id",
    "id",
    "start_date_time",
    "end_date_time",
    "kwh",
    "auth_method",
    "location_id",
    "evse_uid",
    "connector_id",
    "meter_id",
    "currency",
    "charging_periods",
    "status",
    "last_updated",
    "cdr_token",
];
/// The same of its `cdr_token`.
const OF_THE_TOKEN: [&str; 5] = ["country_code", "party_id", "uid", "type", "contract_id"];
/// The same of a charging period.
const OF_A_PERIOD: [&str; 3] = ["start_date_time", "dimensions", "tariff_id"];
/// The same of what was measured in one.
const OF_A_DIMENSION: [&str; 2] = ["type", "volume"];

/// A Session, whole or in part, as it is shown under a contract with that secret. `None` for what is no JSON object.
#[must_use]
pub fn session(body: &str, secret: &str) -> Option<String> {
    object(body, &SHOWN, |name, value| match name {
        "cdr_token" => token(value, secret),
        "charging_periods" => list(value, |period| {
            object(period, &OF_A_PERIOD, |name, value| match name {
                "dimensions" => list(value, |one| {
                    object(one, &OF_A_DIMENSION, |_, value| Some(value.to_owned()))
                }),
                _ => Some(value.to_owned()),
            })
        }),
        _ => Some(value.to_owned()),
    })
}

/// The elements of a list, each as `show` says; null stays null, and what is no list is nothing.
fn list(value: &str, show: impl Fn(&str) -> Option<String>) -> Option<String> {
    let elements: Option<Vec<&RawValue>> = serde_json::from_str(value).ok()?;
    let Some(elements) = elements else {
        return Some(value.to_owned());
    };
    let shown: Vec<String> = elements.iter().filter_map(|one| show(one.get())).collect();
    Some(format!("[{}]", shown.join(",")))
}

fn token(value: &str, secret: &str) -> Option<String> {
    if value == "null" {
        return Some(value.to_owned());
    }
    let members = json::top_level(value.as_bytes()).ok()?;
    let of = |wanted: &str| {
        let found = members.iter().rfind(|(name, _)| name == wanted);
        found.and_then(|(_, text)| serde_json::from_str::<String>(text.get()).ok())
    };
    let party = of("country_code").zip(of("party_id"));
    object(value, &OF_THE_TOKEN, |name, value| match name {
        "uid" | "contract_id" => {
            let text: String = serde_json::from_str(value).ok()?;
            let kept = if name == "contract_id" {
                issuer(&text, party.as_ref())
            } else {
                0
            };
            let (issuer, rest) = text.split_at(kept);
            Some(json_string(&format!("{issuer}{}", pseudonym(rest, name, secret))))
        }
        _ => Some(value.to_owned()),
    })
}

/// The members of an object that are shown, each as `show` says; one of which it says nothing is left out.
fn object(body: &str, shown: &[&str], show: impl Fn(&str, &str) -> Option<String>) -> Option<String> {
    let members = json::top_level(body.as_bytes()).ok()?;
    let members = members.iter().filter(|(name, _)| shown.contains(&name.as_str()));
    let written = members.filter_map(|(name, value)| {
        let value = show(name, value.get())?;
        Some(format!("{}:{value}", json_string(name)))
    });
    Some(format!("{{{}}}", written.collect::<Vec<_>>().join(",")))
}

/// How many octets of a contract's id name the token's own party, `DE-ABC-` or `DEABC`: that stands beside it in any case.
fn issuer(contract: &str, party: Option<&(String, String)>) -> usize {
    let Some((country, party)) = party else { return 0 };
    for hyphen in ["-", ""] {
        let prefix = format!("{country}{hyphen}{party}{hyphen}");
        let there = contract.get(..prefix.len());
        if there.is_some_and(|there| fold(there) == fold(&prefix)) && contract.len() > prefix.len() {
            return prefix.len();
        }
    }
    0
}

/// A text of the same syntax: digits for digits, letters for letters in the same case, hexadecimal digits where there are no others; everything
/// else stays. Texts that differ in case only have pseudonyms that do (T-39).
fn pseudonym(text: &str, what: &str, secret: &str) -> String {
    let folded = fold(text);
    let is_hex = folded.bytes().any(|one| one.is_ascii_alphabetic())
        && folded
            .bytes()
            .all(|one| one.is_ascii_hexdigit() || !one.is_ascii_alphanumeric());
    let is_lower = text.bytes().any(|one| one.is_ascii_lowercase());
    let mut random = (0_u32..).flat_map(|block| digest(&[what, &folded, &block.to_string()], secret));
    let mut draw = |from: &[u8]| {
        let number = usize::from(random.next().unwrap_or(0)) % from.len().max(1);
        char::from(from.get(number).copied().unwrap_or(b'0'))
    };
    let replaced = |one: char| match one {
        _ if is_hex && one.is_ascii_hexdigit() => {
            let drawn = draw(b"0123456789ABCDEF");
            if is_lower { drawn.to_ascii_lowercase() } else { drawn }
        }
        '0'..='9' => draw(b"0123456789"),
        'a'..='z' => draw(b"abcdefghijklmnopqrstuvwxyz"),
        'A'..='Z' => draw(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        other => other,
    };
    text.chars().map(replaced).collect()
}

fn digest(parts: &[&str], secret: &str) -> Vec<u8> {
    // Never fails: HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return Vec::new();
    };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const SESSION: &str = r#"{ "country_code":"NL","party_id":"CPA","id":"S1","kwh":1.50,
        "cdr_token":{"country_code":"DE","party_id":"MSA","uid":"04A2B3C4D5E6F7","type":"RFID","contract_id":"DE-MSA-C00012345-X","name":"Ada"},
        "auth_method":"WHITELIST","authorization_reference":"A-1","total_cost":{"excl_vat":4.00},"x_driver":"Ada Lovelace",
        "charging_periods":[{"dimensions":[{"type":"ENERGY","volume":1.50,"by":"Ada"}],"x_note":"Ada"}],"status":"ACTIVE" }"#;

    fn token_of(session: &str) -> Value {
        serde_json::from_str::<Value>(session).unwrap()["cdr_token"].clone()
    }

    // ECI-08
    #[test]
    fn nothing_that_leads_to_the_driver_is_shown_and_everything_else_as_it_was_written() {
        let shown = session(SESSION, "secret").unwrap();
        for hidden in [
            "04A2B3C4D5E6F7",
            "00012345",
            "Ada",
            "A-1",
            "total_cost",
            "4.00",
            "authorization_reference",
        ] {
            assert!(!shown.contains(hidden), "{hidden} in {shown}");
        }
        for there in [
            r#""kwh":1.50"#,
            r#""charging_periods":[{"dimensions":[{"type":"ENERGY","volume":1.50}]}]"#,
            r#""status":"ACTIVE""#,
        ] {
            assert!(shown.contains(there), "{there} in {shown}");
        }
        let token = token_of(&shown);
        assert_eq!(
            (&token["country_code"], &token["party_id"], &token["type"]),
            (&"DE".into(), &"MSA".into(), &"RFID".into())
        );
        let (uid, contract) = (token["uid"].as_str().unwrap(), token["contract_id"].as_str().unwrap());
        assert!(
            uid.len() == 14
                && uid
                    .bytes()
                    .all(|one| one.is_ascii_digit() || (b'A'..=b'F').contains(&one)),
            "{uid}"
        );
        assert!(contract.starts_with("DE-MSA-") && contract.len() == 18, "{contract}");
        assert_eq!(
            session(r#"{"cdr_token":null,"kwh":2}"#, "secret").unwrap(),
            r#"{"cdr_token":null,"kwh":2}"#
        );
        assert_eq!(session("[]", "secret"), None);
    }

    // ECI-08
    #[test]
    fn a_pseudonym_is_the_same_under_one_contract_and_another_under_another() {
        let once = token_of(&session(SESSION, "secret").unwrap());
        assert_eq!(
            once,
            token_of(&session(&SESSION.replace("1.50", "2"), "secret").unwrap())
        );
        let elsewhere = token_of(&session(SESSION, "other").unwrap());
        assert!(once["uid"] != elsewhere["uid"] && once["contract_id"] != elsewhere["contract_id"]);
        // One token, however it is spelled.
        // What begins like an issuer and is not the token's is no issuer.
        let other = token_of(&session(&SESSION.replace("DE-MSA-C00012345-X", "AB1234567"), "secret").unwrap());
        assert_ne!(&other["contract_id"].as_str().unwrap()[..5], "AB123");
        let lower = token_of(&session(&SESSION.replace("04A2B3C4D5E6F7", "04a2b3c4d5e6f7"), "secret").unwrap());
        assert!(
            once["uid"]
                .as_str()
                .unwrap()
                .eq_ignore_ascii_case(lower["uid"].as_str().unwrap())
        );
    }

    fn class(one: char) -> u8 {
        match one {
            '0'..='9' => 0,
            'a'..='z' => 1,
            'A'..='Z' => 2,
            _ => 3,
        }
    }

    proptest! {
        // ECI-08
        #[test]
        fn a_pseudonym_has_the_syntax_of_what_it_stands_for(text in "[0-9A-Za-z*_é-]{0,36}") {
            let made = pseudonym(&text, "uid", "secret");
            prop_assert_eq!(made.chars().count(), text.chars().count());
            let is_hex = text.chars().filter(char::is_ascii_alphanumeric).all(|one| one.is_ascii_hexdigit());
            for (one, other) in text.chars().zip(made.chars()) {
                prop_assert_eq!(one.is_ascii_alphanumeric(), other.is_ascii_alphanumeric());
                let is_alike = match is_hex {
                    true => one == other || other.is_ascii_hexdigit(),
                    false => class(one) == class(other),
                };
                prop_assert!(is_alike, "{}", made);
            }
        }

        // ECI-08
        #[test]
        fn whatever_stands_where_a_session_should_is_shown_without_its_token_or_not_at_all(body in ".{0,80}", uid in "[0-9A-Z]{12,36}") {
            let _ = session(&body, "secret");
            let with = format!(r#"{{"cdr_token":{{"uid":"{uid}","contract_id":"{uid}"}},"note":"{uid}"}}"#);
            prop_assert!(!session(&with, "secret").unwrap().contains(&uid));
        }
    }
}
