//! What defaults, file and environment literally say, one above the other, by full name: `server.bind`.
//!
//! Values keep their type here; whether they make sense is for the room's `mod.rs`. A name nobody knows is an error, because a
//! setting that silently does nothing is worse than none.

use std::collections::{BTreeMap, HashMap};

use config::{FileFormat, Map, Source, Value, ValueKind};

use super::ConfigError;

/// The documented defaults, compiled in.
pub(super) const DEFAULT: &str = include_str!("default.toml");

/// What the environment's names begin with.
const PREFIX: &str = "TRUEWATT__";

/// The section whose keys are finding codes, which this room does not know.
pub(super) const SEVERITY: &str = "metering.severity.";

/// The section whose names the operator chooses: `outbound.identities.NAME.certificate`.
pub(super) const IDENTITIES: &str = "outbound.identities.";

/// What an identity consists of.
pub(super) const OF_IDENTITY: [&str; 3] = ["certificate", "private_key", "ca"];

/// Keys that will have an effect one day. They are accepted so that one file serves several versions.
const WITHOUT_EFFECT: [&str; 0] = [];

/// All settings by full name.
#[derive(Debug)]
pub(super) struct Raw {
    values: BTreeMap<String, Value>,
    /// Keys that were given and change nothing.
    pub(super) without_effect: Vec<String>,
}

impl Raw {
    /// Lays `file` over the defaults and `environment` over both.
    pub(super) fn merge(file: Option<&str>, environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let known = flat(&read(DEFAULT)?);
        let mut builder = config::Config::builder().add_source(config::File::from_str(DEFAULT, FileFormat::Toml));
        if let Some(text) = file {
            check_toml(text)?;
            builder = builder.add_source(config::File::from_str(text, FileFormat::Toml));
        }
        for (name, value) in environment {
            let Some(key) = key(name) else { continue };
            builder = builder.set_override(&key, value.as_str()).map_err(|_| {
                ConfigError::key(
                    name,
                    "is no name of a setting; it must look like TRUEWATT__SECTION__KEY",
                )
            })?;
        }
        let merged = builder
            .build()
            .and_then(|merged| merged.collect())
            .map_err(ConfigError::Merge)?;

        let mut raw = Self {
            values: flat(&merged),
            without_effect: Vec::new(),
        };
        for key in raw.values.keys() {
            if WITHOUT_EFFECT.contains(&key.as_str()) {
                raw.without_effect.push(key.clone());
            } else if !known.contains_key(key) && !key.starts_with(SEVERITY) && !is_of_identity(key) {
                return Err(ConfigError::key(key, "is no setting of this program"));
            }
        }
        Ok(raw)
    }

    fn value(&self, key: &str) -> Result<&ValueKind, ConfigError> {
        let value = self
            .values
            .get(key)
            .ok_or_else(|| ConfigError::key(key, "is missing or not a single value"))?;
        Ok(&value.kind)
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<String, ConfigError> {
        match self.value(key)? {
            ValueKind::String(text) => Ok(text.trim().to_owned()),
            _ => Err(ConfigError::key(key, "must be a text in quotes")),
        }
    }

    /// A whole number within limits. The environment knows only texts, so a text of digits is one too.
    pub(super) fn whole(&self, key: &str, least: u64, most: u64) -> Result<u64, ConfigError> {
        let number = match self.value(key)? {
            ValueKind::I64(number) => u64::try_from(*number).ok(),
            ValueKind::U64(number) => Some(*number),
            ValueKind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| ConfigError::key(key, format!("must be a whole number from {least} to {most}")))
    }

    /// The text of a number, as it was typed as far as TOML lets us know.
    pub(super) fn decimal(&self, key: &str) -> Result<String, ConfigError> {
        match self.value(key)? {
            ValueKind::I64(number) => Ok(number.to_string()),
            // The shortest text that means this float is what was typed, up to fifteen digits.
            ValueKind::Float(number) => Ok(number.to_string()),
            ValueKind::String(text) => Ok(text.trim().to_owned()),
            _ => Err(ConfigError::key(key, "must be a decimal number")),
        }
    }

    /// Yes or no.
    pub(super) fn truth(&self, key: &str) -> Result<bool, ConfigError> {
        match self.value(key)? {
            ValueKind::Boolean(truth) => Ok(*truth),
            ValueKind::String(text) if text.trim() == "true" => Ok(true),
            ValueKind::String(text) if text.trim() == "false" => Ok(false),
            _ => Err(ConfigError::key(key, "must be true or false")),
        }
    }

    /// The entries of a list. The environment knows only texts, so the text of a TOML list is one too.
    pub(super) fn list(&self, key: &str) -> Result<Vec<Value>, ConfigError> {
        let no_list = || ConfigError::key(key, "must be a list in square brackets");
        match self.value(key)? {
            ValueKind::Array(entries) => Ok(entries.clone()),
            ValueKind::String(text) if text.trim().is_empty() => Ok(Vec::new()),
            ValueKind::String(text) => match read(&format!("it = {text}")).map(|mut table| table.remove("it")) {
                Ok(Some(Value {
                    kind: ValueKind::Array(entries),
                    ..
                })) => Ok(entries),
                // Whatever is wrong with it, there may be a token in it: it is not repeated.
                _ => Err(no_list()),
            },
            _ => Err(no_list()),
        }
    }

    /// The texts of a list.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let text = |entry: Value| match entry.kind {
            ValueKind::String(text) => Ok(text.trim().to_owned()),
            _ => Err(ConfigError::key(key, "must be a list of texts in quotes")),
        };
        self.list(key)?.into_iter().map(text).collect()
    }

    /// Full names that begin with `section`.
    pub(super) fn keys_of(&self, section: &str) -> Vec<String> {
        self.values
            .keys()
            .filter(|key| key.starts_with(section))
            .cloned()
            .collect()
    }
}

/// The full name an environment variable sets, if it sets one.
fn key(name: &str) -> Option<String> {
    let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
    // Finding codes are written in capitals everywhere; the environment has no other way to say so.
    Some(match key.strip_prefix(SEVERITY) {
        Some(code) => format!("{SEVERITY}{}", code.to_ascii_uppercase()),
        None => key,
    })
}

/// `outbound.identities.NAME.certificate` and its siblings.
fn is_of_identity(key: &str) -> bool {
    let rest = key.strip_prefix(IDENTITIES).and_then(|rest| rest.split_once('.'));
    rest.is_some_and(|(_, member)| OF_IDENTITY.contains(&member))
}

fn read(text: &str) -> Result<Map<String, Value>, ConfigError> {
    config::File::from_str(text, FileFormat::Toml)
        .collect()
        .map_err(ConfigError::Merge)
}

/// Finds errors of writing first, because the message of the other reader repeats the line, and there may be a token in it.
fn check_toml(text: &str) -> Result<(), ConfigError> {
    let Err(error) = toml::from_str::<toml::Table>(text) else {
        return Ok(());
    };
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    Err(ConfigError::Syntax {
        line: before.lines().count().max(1),
    })
}

fn flat(table: &Map<String, Value>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in table {
        match &value.kind {
            ValueKind::Table(inner) => {
                found.extend(
                    flat(inner)
                        .into_iter()
                        .map(|(key, value)| (format!("{name}.{key}"), value)),
                );
            }
            _ => {
                found.insert(name.clone(), value.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    // design.md 3.2
    #[test]
    fn every_default_is_explained_by_a_sentence_in_front_of_it() {
        let mut explained = false;
        for line in DEFAULT.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                explained = comment.ends_with(['.', ':']) || explained;
            } else if line.contains('=') {
                assert!(explained, "{line}");
                explained = false;
            }
        }
    }
}
