//! Settings that are lists: operators with their tokens, keys, networks, identities.

use std::collections::BTreeSet;
use std::path::PathBuf;

use config::ValueKind;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use toml::Value;

use super::raw::{self, Raw};
use super::{ConfigError, DEFAULT_OPERATOR, Identity, Network, OperatorRole, OperatorToken, Secret};

/// Everybody with a token of their own. No message repeats what was typed: it may be a token.
pub(super) fn operator_tokens(raw: &Raw) -> Result<Vec<OperatorToken>, ConfigError> {
    const KEY: &str = "operator.tokens";
    let mut found: Vec<OperatorToken> = Vec::new();
    for (at, entry) in raw.list(KEY)?.into_iter().enumerate() {
        let wrong = |reason: &str| ConfigError::key(&format!("{KEY}[{at}]"), reason);
        let mut members = entry.into_table().map_err(|_| wrong("must be a table"))?;
        let mut text = |name: &str| match members.remove(name).map(|value| value.kind) {
            None => Ok(None),
            Some(ValueKind::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(&format!("{name} must be a text in quotes"))),
        };
        let (name, role) = (text("name")?.unwrap_or_default(), text("role")?.unwrap_or_default());
        let (token, hash) = (text("token")?, text("token_sha256")?);
        if let Some(unknown) = members.keys().next() {
            return Err(wrong(&format!("{unknown} is no member of it")));
        }
        let is_name =
            (1..=100).contains(&name.chars().count()) && name.trim() == name && !name.contains(char::is_control);
        if !is_name || name == DEFAULT_OPERATOR || found.iter().any(|other| other.name == name) {
            return Err(wrong(
                "name must have 1 to 100 printable characters, differ from all others, and not be \"operator\"",
            ));
        }
        let role = OperatorRole::parse(&role)
            .ok_or_else(|| wrong(&format!("role must be one of {}", OperatorRole::WORDS.join(", "))))?;
        let sha256 = match (token, hash) {
            (Some(token), None) if token.len() >= 16 && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                hex::encode(Sha256::digest(token))
            }
            (Some(_), None) => {
                return Err(wrong(
                    "token must be at least 16 printable ASCII characters without blanks",
                ));
            }
            (None, Some(hash)) if is_hex_of_32_bytes(&hash) => hash.to_ascii_lowercase(),
            (None, Some(_)) => return Err(wrong("token_sha256 must be 64 hexadecimal digits")),
            _ => return Err(wrong("must have either token or token_sha256")),
        };
        if found.iter().any(|other| other.sha256 == sha256) {
            return Err(wrong("has the token of another one"));
        }
        found.push(OperatorToken { name, role, sha256 });
    }
    Ok(found)
}

/// Contracts as they were written; only that each is a table with a text as its `id`, and that no two have the same, is looked at here.
pub(super) fn contracts(raw: &Raw) -> Result<Vec<Map<String, Json>>, ConfigError> {
    const KEY: &str = "smart_charging.contracts";
    let mut found: Vec<Map<String, Json>> = Vec::new();
    for (at, entry) in raw.list(KEY)?.into_iter().enumerate() {
        let wrong = |reason: &str| ConfigError::key(&format!("{KEY}[{at}]"), reason);
        let contract: Map<String, Json> = entry.try_deserialize().map_err(|_| wrong("must be a table"))?;
        if !contract.get("id").is_some_and(Json::is_string) {
            return Err(wrong("id must be a text in quotes"));
        }
        if found.iter().any(|other| other.get("id") == contract.get("id")) {
            return Err(wrong("has the id of another one"));
        }
        found.push(contract);
    }
    Ok(found)
}

pub(super) fn written_contracts(contracts: &[Map<String, Json>]) -> Value {
    let written = contracts.iter().filter_map(|contract| Value::try_from(contract).ok());
    Value::Array(written.collect())
}

/// 32 secret bytes in hexadecimal digits; `None` where there are none.
pub(super) fn key_of_32_bytes(key: &str, text: String) -> Result<Option<Secret>, ConfigError> {
    match text.as_str() {
        "" => Ok(None),
        text if is_hex_of_32_bytes(text) => Ok(Some(Secret::new(text))),
        _ => Err(ConfigError::key(key, "must be 64 hexadecimal digits, or empty")),
    }
}

fn is_hex_of_32_bytes(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn previous_keys(raw: &Raw) -> Result<Vec<Secret>, ConfigError> {
    const KEY: &str = "secrets.previous_keys";
    let texts = raw.texts(KEY)?;
    match texts.iter().all(|text| is_hex_of_32_bytes(text)) {
        true => Ok(texts.into_iter().map(Secret::new).collect()),
        false => Err(ConfigError::key(KEY, "must be a list of keys of 64 hexadecimal digits")),
    }
}

pub(super) fn allowed_networks(raw: &Raw) -> Result<Vec<Network>, ConfigError> {
    const KEY: &str = "outbound.allowed_networks";
    // How many bits count is said, and not none: what is not public is opened on purpose.
    let network = |text: String| {
        let named = Network::parse(&text).filter(|_| text.contains('/'))?;
        (!named.is_everybody()).then_some(named)
    };
    let wrong = || ConfigError::key(KEY, "must be a list of networks such as \"10.8.0.0/16\"");
    raw.texts(KEY)?
        .into_iter()
        .map(|text| network(text).ok_or_else(wrong))
        .collect()
}

pub(super) fn identities(raw: &Raw) -> Result<Vec<Identity>, ConfigError> {
    let keys = raw.keys_of(raw::IDENTITIES);
    let names: BTreeSet<&str> = keys
        .iter()
        .filter_map(|key| key.strip_prefix(raw::IDENTITIES)?.split_once('.'))
        .map(|(name, _)| name)
        .collect();
    let identity = |name: &str| {
        let [certificate, private_key, ca] = raw::OF_IDENTITY.map(|member| {
            let key = format!("{}{name}.{member}", raw::IDENTITIES);
            match keys.contains(&key) {
                true => raw
                    .text(&key)
                    .map(|path| (!path.is_empty()).then(|| PathBuf::from(path))),
                false => Ok(None),
            }
        });
        let (certificate, ca) = (certificate?.zip(private_key?), ca?);
        let is_name = name.len() <= 50
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let is_whole = certificate.is_some() == keys.iter().any(|key| key.ends_with(&format!(".{name}.certificate")))
            && certificate.is_some() == keys.iter().any(|key| key.ends_with(&format!(".{name}.private_key")));
        if !is_name || !is_whole || (certificate.is_none() && ca.is_none()) {
            return Err(ConfigError::key(
                &format!("{}{name}", raw::IDENTITIES),
                "must be named with letters, digits, - and _, and have certificate and private_key, or ca, or all three",
            ));
        }
        Ok(Identity {
            name: name.to_owned(),
            certificate,
            ca,
        })
    };
    names.into_iter().map(identity).collect()
}

impl Identity {
    pub(super) fn table(&self) -> Value {
        let files = [
            (
                "certificate",
                self.certificate.as_ref().map(|(certificate, _)| certificate),
            ),
            (
                "private_key",
                self.certificate.as_ref().map(|(_, private_key)| private_key),
            ),
            ("ca", self.ca.as_ref()),
        ];
        let named = files.into_iter().filter_map(|(name, file)| {
            let path = file?.display().to_string();
            Some((name.to_owned(), Value::String(path)))
        });
        Value::Table(named.collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use super::super::Config;
    use super::*;

    fn from(file: &str) -> Result<Config, ConfigError> {
        Config::from_parts(Some(file), &HashMap::new())
    }

    const TOKEN: &str = "a-token-of-twenty-signs";

    #[test]
    fn operators_are_known_by_the_hash_of_their_token() {
        let hash = hex::encode_upper(Sha256::digest("another-token-entirely"));
        let file = format!(
            "[[operator.tokens]]\nname = \"Ada\"\nrole = \"operator\"\ntoken = \"{TOKEN}\"\n\
             [[operator.tokens]]\nname = \"Grace\"\nrole = \"auditor\"\ntoken_sha256 = \"{hash}\""
        );
        let config = from(&file).unwrap();
        let known: Vec<_> = config
            .operator
            .tokens
            .iter()
            .map(|one| (one.name.as_str(), one.role))
            .collect();
        assert_eq!(
            known,
            [("Ada", OperatorRole::Operator), ("Grace", OperatorRole::Auditor)]
        );
        assert_eq!(config.operator.tokens[0].sha256, hex::encode(Sha256::digest(TOKEN)));
        assert_eq!(config.operator.tokens[1].sha256, hash.to_lowercase());
        for printed in [config.to_toml(), config.to_json(), format!("{config:?}")] {
            assert!(!printed.contains(TOKEN) && printed.contains("Grace"), "{printed}");
        }
    }

    #[test]
    fn a_list_may_come_from_the_environment_as_toml() {
        let named = |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
        let text = format!("[{{name = \"Ada\", role = \"auditor\", token = \"{TOKEN}\"}}]");
        let config = Config::from_parts(None, &named("TRUEWATT__OPERATOR__TOKENS", &text)).unwrap();
        assert_eq!(config.operator.tokens[0].role, OperatorRole::Auditor);
        let nonsense = Config::from_parts(None, &named("TRUEWATT__OPERATOR__TOKENS", TOKEN)).unwrap_err();
        assert!(!format!("{nonsense} {nonsense:?}").contains(TOKEN), "{nonsense}");
    }

    #[test]
    fn nonsense_in_a_list_is_named_and_no_token_is_repeated() {
        let one = |members: &str| format!("[[operator.tokens]]\n{members}");
        for (file, key) in [
            (one("name = \"Ada\"\nrole = \"operator\""), "operator.tokens[0]"),
            (
                one(&format!("name = \"Ada\"\nrole = \"root\"\ntoken = \"{TOKEN}\"")),
                "role",
            ),
            (
                one(&format!(
                    "name = \"operator\"\nrole = \"operator\"\ntoken = \"{TOKEN}\""
                )),
                "name",
            ),
            (
                one(&format!(
                    "name = \"Ada\"\nrole = \"operator\"\ntoken = \"{TOKEN}\"\nmay = \"all\""
                )),
                "may",
            ),
            (
                one("name = \"Ada\"\nrole = \"operator\"\ntoken = \"short\""),
                "at least 16",
            ),
            (
                one("name = \"Ada\"\nrole = \"operator\"\ntoken_sha256 = \"abc\""),
                "64 hex",
            ),
            ("[operator]\ntokens = \"Ada\"".to_owned(), "operator.tokens"),
            ("[secrets]\nkey = \"a-key-that-is-none\"".to_owned(), "secrets.key"),
            (
                "[secrets]\nprevious_keys = [\"a-key-that-is-none\"]".to_owned(),
                "secrets.previous_keys",
            ),
            (
                "[outbound]\nallowed_networks = [\"10.0.0.0\"]".to_owned(),
                "outbound.allowed_networks",
            ),
            (
                "[outbound]\nallowed_networks = [\"10.0.0.0/33\"]".to_owned(),
                "outbound.allowed_networks",
            ),
            (
                "[outbound.identities.a]\ncertificate = \"x\"".to_owned(),
                "outbound.identities.a",
            ),
            (
                "[outbound.identities.a]\nkey = \"x\"".to_owned(),
                "outbound.identities.a.key",
            ),
        ] {
            let refused = from(&file).unwrap_err().to_string();
            assert!(refused.contains(key), "{file}: {refused}");
            assert!(!refused.contains(TOKEN) && !refused.contains("a-key-that"), "{refused}");
        }
    }

    #[test]
    fn an_identity_is_a_certificate_with_its_key_or_a_root_or_both() {
        let file = "[outbound.identities.roaming]\ncertificate = \"c.pem\"\nprivate_key = \"k.pem\"\nca = \"r.pem\"\n\
                    [outbound.identities.root-only]\nca = \"r.pem\"";
        let config = from(file).unwrap();
        let [both, root] = config.outbound.identities.as_slice() else {
            panic!("{:?}", config.outbound.identities)
        };
        assert_eq!((both.name.as_str(), root.name.as_str()), ("roaming", "root-only"));
        assert_eq!(both.certificate, Some(("c.pem".into(), "k.pem".into())));
        assert_eq!((root.certificate.as_ref(), &root.ca), (None, &Some("r.pem".into())));
        assert_eq!(
            from(&config.to_toml()).unwrap().outbound.identities,
            config.outbound.identities
        );
    }
}
