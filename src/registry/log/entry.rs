//! One line of the log: who did what to which document, and what came before.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::chain::Chained;
use super::{Hash, canonical};

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place, counted from 1.
    pub seq: u64,
    /// When the registry learned of it: the record time.
    pub at: DateTime<Utc>,
    /// On whose word: `operator`, `hub`, or a party as `DE/ABC`.
    pub actor: String,
    /// What happened, in capitals.
    pub event: String,
    /// The kind of the document it added.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its version, counted from 1.
    pub version: u64,
    /// SHA-256 over the canonical text of the document, in lower-case hex.
    pub digest: String,
    /// The hash of the entry before, in lower-case hex; zeros for the first.
    pub previous: String,
}

/// What the first entry follows.
pub const NOTHING: Hash = [0; 32];

impl Chained for Entry {
    fn placed(self, seq: u64, previous: String) -> Entry {
        Entry { seq, previous, ..self }
    }

    fn place(&self) -> (u64, &str) {
        (self.seq, &self.previous)
    }

    /// The entry as the log keeps and hashes it.
    fn text(&self) -> String {
        let value = json!({
            "seq": self.seq,
            "at": self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "actor": self.actor,
            "event": self.event,
            "kind": self.kind,
            "id": self.id,
            "version": self.version,
            "digest": self.digest,
            "previous": self.previous,
        });
        // Whole numbers and texts only: it has a canonical text.
        canonical::write(&value).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Entry> {
        let value: Value = serde_json::from_str(text).ok()?;
        let member = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let entry = Entry {
            seq: value.get("seq")?.as_u64()?,
            at: DateTime::parse_from_rfc3339(&member("at")?).ok()?.to_utc(),
            actor: member("actor")?,
            event: member("event")?,
            kind: member("kind")?,
            id: member("id")?,
            version: value.get("version")?.as_u64()?,
            digest: member("digest")?,
            previous: member("previous")?,
        };
        (entry.text() == text).then_some(entry)
    }
}

/// The hash by which the next entry names this one.
#[must_use]
pub fn hash(text: &str) -> Hash {
    Sha256::digest(text).into()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    pub(in super::super) fn entry(seq: u64, previous: Hash) -> Entry {
        Entry {
            seq,
            at: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
            actor: "DE/ABC".to_owned(),
            event: "SUBMITTED".to_owned(),
            kind: "registration".to_owned(),
            id: format!("r{seq}"),
            version: 1,
            digest: canonical::digest("{}"),
            previous: hex::encode(previous),
        }
    }

    #[test]
    fn an_entry_is_read_back_as_it_was_written_and_in_no_other_spelling() {
        let text = entry(1, NOTHING).text();
        assert_eq!(Entry::read(&text), Some(entry(1, NOTHING)));
        assert_eq!(Entry::read(&text.replace(':', ": ")), None);
        assert_eq!(Entry::read(&text.replace("\"seq\":1", "\"seq\":1,\"more\":1")), None);
        assert_eq!(Entry::read("{}"), None);
    }
}
