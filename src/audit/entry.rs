//! One line of the audit trail: who asked for which change of what, or what was answered. Nothing of what was in the request.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::registry::log::canonical;
use crate::registry::log::chain::Chained;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place, counted from 1.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: the name of an operator's token, or `hub`.
    pub actor: String,
    /// What they may do: `operator`, `auditor`, or `hub`.
    pub role: String,
    /// What happened.
    pub event: Event,
    /// The HTTP method.
    pub method: String,
    /// The path as the interface describes it: `/operator/v1/platforms/{id}`.
    pub route: String,
    /// Which of them: what stood in its place, or the id of what was made.
    pub object: Option<String>,
    /// What an answer answers: the place of the question.
    pub about: Option<u64>,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// The hash of the entry before, in lower-case hex; zeros for the first.
    pub previous: String,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A change was asked for, and is made from now on.
    Asked,
    /// The answer to it. One that is missing was never given: what came of the change, only the thing itself shows.
    Answered,
    /// A change was asked for by somebody who may not make any. Nothing was changed.
    Denied,
    /// Words about the log were signed with another key until here; it stands as the object.
    KeyChanged,
}

const WORDS: [(Event, &str); 4] = [
    (Event::Asked, "ASKED"),
    (Event::Answered, "ANSWERED"),
    (Event::Denied, "DENIED"),
    (Event::KeyChanged, "KEY_CHANGED"),
];

impl Event {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        WORDS
            .iter()
            .find(|(event, _)| *event == self)
            .map_or("", |(_, word)| word)
    }

    fn parse(text: &str) -> Option<Event> {
        WORDS.iter().find(|(_, word)| *word == text).map(|(event, _)| *event)
    }
}

impl Entry {
    /// The entry as JSON.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "seq": self.seq,
            "at": self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "actor": self.actor,
            "role": self.role,
            "event": self.event.as_str(),
            "method": self.method,
            "route": self.route,
            "object": self.object,
            "about": self.about,
            "status": self.status,
            "previous": self.previous,
        })
    }
}

impl Chained for Entry {
    fn placed(self, seq: u64, previous: String) -> Entry {
        Entry { seq, previous, ..self }
    }

    fn place(&self) -> (u64, &str) {
        (self.seq, &self.previous)
    }

    fn text(&self) -> String {
        // Whole numbers and texts only: it has a canonical text.
        canonical::write(&self.document()).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Entry> {
        let value: Value = serde_json::from_str(text).ok()?;
        let member = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        let entry = Entry {
            seq: number("seq")?,
            at: DateTime::parse_from_rfc3339(&member("at")?).ok()?.to_utc(),
            actor: member("actor")?,
            role: member("role")?,
            event: Event::parse(&member("event")?)?,
            method: member("method")?,
            route: member("route")?,
            object: member("object"),
            about: number("about"),
            status: number("status").and_then(|status| u16::try_from(status).ok()),
            previous: member("previous")?,
        };
        (entry.text() == text).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_entry_is_read_back_as_it_was_written_and_in_no_other_spelling() {
        let asked = Entry {
            seq: 1,
            at: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
            actor: "Ada".to_owned(),
            role: "operator".to_owned(),
            event: Event::Asked,
            method: "POST".to_owned(),
            route: "/operator/v1/platforms/{id}/suspend".to_owned(),
            object: Some("p1".to_owned()),
            about: None,
            status: None,
            previous: "00".to_owned(),
        };
        let answered = Entry {
            event: Event::Answered,
            object: None,
            about: Some(1),
            status: Some(200),
            ..asked.clone()
        };
        for entry in [asked, answered] {
            let text = entry.text();
            assert_eq!(Entry::read(&text), Some(entry));
            assert_eq!(Entry::read(&text.replace(':', ": ")), None);
            assert_eq!(Entry::read(&text.replace("\"seq\":1", "\"more\":1,\"seq\":1")), None);
        }
    }
}
