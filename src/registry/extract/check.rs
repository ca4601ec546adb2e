//! Does an extract hold? Asked of the file alone: no hub, no database, no network.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::FORMAT;
use crate::metering::key::PublicKey;
use crate::registry::log::chain::Chained as _;
use crate::registry::log::checkpoint::Checkpoint;
use crate::registry::log::entry::Entry;
use crate::registry::log::{Hash, canonical, tree};
use crate::registry::record::{Key, Presentation, Registration, kind};

/// The text is no extract: nothing can be said about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no extract of a registration")]
pub struct NoExtract;

/// What an extract proves, in sentences.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What holds.
    pub holds: Vec<String>,
    /// What does not. An extract that holds has none.
    pub wrong: Vec<String>,
    /// The checkpoint all of it rests on, as far as it could be read.
    pub checkpoint: Option<Checkpoint>,
    /// The newest version, as far as the versions could be read.
    pub newest: Option<Registration>,
}

/// The file, its documents and entries as the octets that were hashed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    format: String,
    registration: String,
    checkpoint: Checkpoint,
    #[serde(borrow)]
    entries: Vec<Proven<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proven<'a> {
    #[serde(borrow)]
    document: &'a RawValue,
    #[serde(borrow)]
    entry: &'a RawValue,
    path: Vec<String>,
}

/// Reads an extract and says everything that can be said about it. One line end behind it is not part of it.
///
/// # Errors
/// [`NoExtract`] when the text does not even say that it is one.
pub fn check(text: &str) -> Result<Checked, NoExtract> {
    if !text.contains(FORMAT) {
        return Err(NoExtract);
    }
    let mut checked = Checked::default();
    let text = text.strip_suffix('\n').unwrap_or(text);
    let Ok(file) = serde_json::from_str::<File<'_>>(text) else {
        checked.wrong("It cannot be read: members are missing, unknown or of another type.");
        return Ok(checked);
    };
    if file.format != FORMAT {
        checked.wrong("It says that it is of another format.");
    }
    let spelled = serde_json::from_str::<Value>(text).ok();
    if spelled.and_then(|value| canonical::write(&value).ok()).as_deref() != Some(text) {
        checked.wrong("It is not spelled as it was written: an extract has one spelling, without blanks.");
    }
    let root = checked.rest_on(&file.checkpoint);
    let entries = checked.in_the_log(&file, root);
    checked.documents(&file, &entries);
    checked.checkpoint = Some(file.checkpoint);
    Ok(checked)
}

impl Checked {
    fn wrong(&mut self, sentence: impl Into<String>) {
        self.wrong.push(sentence.into());
    }

    /// Whether the checkpoint is signed; the root it vouches for.
    fn rest_on(&mut self, checkpoint: &Checkpoint) -> Option<Hash> {
        let root = checkpoint.root_hash();
        // Signed is what its members say; how the signature and the key are spelled is not.
        let is_spelled = [&checkpoint.key, &checkpoint.signature, &checkpoint.root]
            .into_iter()
            .all(|text| is_lower_hex(text));
        if !(checkpoint.is_signed() && is_spelled && root.is_some()) {
            self.wrong("The checkpoint is not signed by the key it names.");
            return None;
        }
        self.holds.push(format!(
            "{} vouched on {} for a log of {} entries, with the key {}.",
            checkpoint.origin, checkpoint.time, checkpoint.size, checkpoint.key
        ));
        root
    }

    /// The entries, each proven to be where it says it is.
    fn in_the_log(&mut self, file: &File<'_>, root: Option<Hash>) -> Vec<Option<Entry>> {
        let mut entries = Vec::new();
        let mut last = 0;
        for (at, one) in file.entries.iter().enumerate() {
            let text = one.entry.get();
            let Some(entry) = Entry::read(text) else {
                self.wrong(format!("The entry at position {} is no entry of a log.", at + 1));
                entries.push(None);
                continue;
            };
            let path = one.path.iter().map(|hash| hash_of(hash)).collect::<Option<Vec<_>>>();
            let is_in = match (root, path) {
                (Some(root), Some(path)) => tree::includes(&root, file.checkpoint.size, entry.seq, text, &path),
                _ => false,
            };
            if !is_in {
                self.wrong(format!("Entry {} is not proven to be in the log.", entry.seq));
            }
            if entry.seq <= last {
                self.wrong(format!("Entry {} does not stand in the order of the log.", entry.seq));
            }
            last = entry.seq;
            entries.push(Some(entry));
        }
        if file.entries.is_empty() {
            self.wrong("It has no entries.");
        } else if self.wrong.is_empty() {
            let places: Vec<String> = entries.iter().flatten().map(|entry| entry.seq.to_string()).collect();
            self.holds
                .push(format!("The entries {} are in that log.", places.join(", ")));
        }
        entries
    }

    /// The documents, each the one its entry was written about, and together one registration.
    fn documents(&mut self, file: &File<'_>, entries: &[Option<Entry>]) {
        let before = self.wrong.len();
        let mut found = Found::default();
        for (entry, one) in entries.iter().zip(&file.entries) {
            let Some(entry) = entry else { continue };
            if canonical::digest(one.document.get()) != entry.digest {
                self.wrong(format!(
                    "The document of entry {} is not the one it was written about.",
                    entry.seq
                ));
            } else if let Err(why) = found.enter(entry, one.document.get(), &file.registration) {
                self.wrong(format!("The document of entry {} {why}.", entry.seq));
            }
        }
        found.agree(self);
        if self.wrong.len() == before {
            self.holds
                .push("Every document is the one its entry was written about.".to_owned());
            if let Some(newest) = found.versions.last() {
                self.holds.push(told(newest, &found.events));
            }
        }
        self.newest = found.versions.pop();
    }
}

/// What stands in the documents of one extract.
#[derive(Default)]
struct Found {
    versions: Vec<Registration>,
    /// Each with its record time.
    events: Vec<String>,
    key: Option<Key>,
    presentations: usize,
}

impl Found {
    fn enter(&mut self, entry: &Entry, document: &str, registration: &str) -> Result<(), &'static str> {
        const UNREADABLE: &str = "cannot be read";
        const OTHER: &str = "is about something else than its entry says";
        const FOREIGN: &str = "is of another registration";
        match entry.kind.as_str() {
            kind::REGISTRATION => {
                let version = Registration::read(document).map_err(|_| UNREADABLE)?;
                if (&version.id, version.version) != (&entry.id, entry.version) {
                    return Err(OTHER);
                }
                if version.id != registration {
                    return Err(FOREIGN);
                }
                self.events.push(format!(
                    "{} on {} by {}",
                    entry.event,
                    entry.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                    entry.actor
                ));
                self.versions.push(version);
            }
            kind::KEY => {
                let key: Key = serde_json::from_str(document).map_err(|_| UNREADABLE)?;
                if key.fingerprint != entry.id || entry.version != 1 {
                    return Err(OTHER);
                }
                if self.key.replace(key).is_some() {
                    return Err("is there twice");
                }
            }
            kind::PRESENTATION => {
                let presentation: Presentation = serde_json::from_str(document).map_err(|_| UNREADABLE)?;
                if presentation.registration != entry.id || entry.version != 1 {
                    return Err(OTHER);
                }
                if presentation.registration != registration {
                    return Err(FOREIGN);
                }
                self.presentations += 1;
                if self.presentations > 1 {
                    return Err("is there twice");
                }
            }
            _ => return Err("is of a kind that belongs to no extract"),
        }
        Ok(())
    }

    /// Whether the versions are all there are, and about one key.
    fn agree(&self, checked: &mut Checked) {
        let Some(newest) = self.versions.last() else {
            checked.wrong("It has no version of the registration.");
            return;
        };
        let numbers = self.versions.iter().map(|version| version.version);
        if !numbers.eq(1..=self.versions.len() as u64) {
            checked.wrong("Versions of the registration are missing, or not in their order.");
        }
        let is_one_key = self
            .versions
            .iter()
            .all(|version| (&version.fingerprint, &version.public_key) == (&newest.fingerprint, &newest.public_key));
        let is_that_key = self
            .key
            .as_ref()
            .is_some_and(|key| (&key.fingerprint, &key.public_key) == (&newest.fingerprint, &newest.public_key));
        if !(is_one_key && is_that_key) {
            checked.wrong("Its versions and its key are not about one key.");
        }
        let der = hex::decode(&newest.public_key).ok();
        let key = der.and_then(|der| PublicKey::from_bytes(&der, None).ok());
        if key.is_none_or(|key| key.fingerprint() != newest.fingerprint) {
            checked.wrong("The fingerprint is not that of the key.");
        }
    }
}

/// What was registered, for a person.
fn told(newest: &Registration, events: &[String]) -> String {
    let day = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let until = match newest.valid_to {
        Some(end) => format!("until {}", day(end)),
        None => "without an end so far".to_owned(),
    };
    format!(
        "The key {} ({}) was registered for meter {} at EVSE {} of {}, valid from {} {until}; {}: {}.",
        newest.fingerprint,
        newest.curve,
        newest
            .unit
            .meter_serial
            .as_deref()
            .unwrap_or("without a number of its own"),
        newest.evse_id,
        newest.cpo,
        day(newest.valid_from),
        newest.state,
        events.join(", ")
    )
}

/// A hash in the one spelling it has in an extract.
fn hash_of(text: &str) -> Option<Hash> {
    if !is_lower_hex(text) {
        return None;
    }
    hex::decode(text).ok()?.try_into().ok()
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
pub(in crate::registry) mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::{DateTime, Utc};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::registry::lifecycle::State;
    use crate::registry::log::chain::Head;
    use crate::registry::log::checkpoint::Signer;
    use crate::registry::log::entry::NOTHING;
    use crate::registry::log::tree::Tree;
    use crate::registry::record::tests::{at, key, registration};
    use crate::registry::record::text;

    /// A log of ten other entries with this registration among them, ended at last, and its extract.
    fn extract_of(versions: &[Registration], more: &[(&str, &str, String)]) -> String {
        let (mut head, mut tree, mut kept) = (Head::default(), Tree::default(), Vec::new());
        let mut write = |kind: &str, id: &str, version: u64, document: String, keep: bool| {
            let line = head.next(Entry {
                seq: 0,
                at: at("2026-11-21T12:00:00Z"),
                actor: "DE/ABC".to_owned(),
                event: "STEP".to_owned(),
                kind: kind.to_owned(),
                id: id.to_owned(),
                version,
                digest: canonical::digest(&document),
                previous: hex::encode(NOTHING),
            });
            head.follow::<Entry>(&line).unwrap();
            tree.push(&line.text);
            if keep {
                kept.push((line.seq, line.text, document));
            }
        };
        for (kind, id, document) in more {
            write(kind, id, 1, document.clone(), true);
        }
        for version in versions {
            write("key", "somebody else's", 1, "{}".to_owned(), false);
            write(
                "registration",
                &version.id,
                version.version,
                text(version).unwrap(),
                true,
            );
        }
        write("key", "the last", 1, "{}".to_owned(), false);
        let (size, root) = (tree.size(), tree.root(tree.size()).unwrap());
        let checkpoint = Signer::from_seed(&[7; 32]).unwrap().sign("DE/TWH", size, &root, noon());
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let entries: Vec<Value> = kept
            .iter()
            .map(|(seq, entry, document)| {
                let path = tree.inclusion(*seq, size).unwrap();
                let path = path.iter().map(hex::encode).collect::<Vec<_>>();
                json!({"entry": value(entry), "document": value(document), "path": path})
            })
            .collect();
        let extract = json!({"format": FORMAT, "registration": "r", "checkpoint": checkpoint, "entries": entries});
        canonical::write(&extract).unwrap()
    }

    fn noon() -> DateTime<Utc> {
        at("2026-11-21T12:00:00Z")
    }

    fn versions() -> Vec<Registration> {
        let made = registration("r", &key(1));
        let ended = Registration {
            version: 2,
            state: State::Deactivated,
            valid_to: Some(noon()),
            deactivated_at: Some(noon()),
            note: Some("scrapped: \"ü\"\u{1f600}".to_owned()),
            ..made.clone()
        };
        vec![made, ended]
    }

    fn documents() -> Vec<(&'static str, String, String)> {
        let key = key(1);
        let seen = Key {
            fingerprint: key.fingerprint(),
            curve: key.curve().name().to_owned(),
            public_key: hex::encode(key.to_spki_der()),
            first_seen: noon(),
        };
        let presentation = Presentation {
            fingerprint: key.fingerprint(),
            text: "04 AB".to_owned(),
            registration: "r".to_owned(),
        };
        vec![
            ("key", key.fingerprint(), text(&seen).unwrap()),
            ("presentation", "r".to_owned(), text(&presentation).unwrap()),
        ]
    }

    fn good() -> String {
        of(&versions(), &documents())
    }

    fn of(versions: &[Registration], documents: &[(&'static str, String, String)]) -> String {
        let more: Vec<_> = documents
            .iter()
            .map(|(kind, id, document)| (*kind, id.as_str(), document.clone()))
            .collect();
        extract_of(versions, &more)
    }

    fn wrong(text: &str) -> Vec<String> {
        check(text).unwrap().wrong
    }

    // SAF-33, SAF-40
    #[test]
    fn saf_33_the_extract_of_a_key_that_ended_holds_and_tells_its_story() {
        for text in [good(), good() + "\n"] {
            let checked = check(&text).unwrap();
            assert_eq!(checked.wrong, Vec::<String>::new());
            let story = checked.holds.join(" ");
            for part in [
                "DE/TWH vouched on 2026-11-21T12:00:00Z",
                "meter 1ABC0000000001 at EVSE DE*ABC*E1",
                "until 2026-11-21T12:00:00Z; DEACTIVATED",
            ] {
                assert!(story.contains(part), "{story}");
            }
            assert_eq!(checked.newest.unwrap().version, 2);
        }
    }

    #[test]
    fn what_does_not_say_that_it_is_an_extract_is_none() {
        for text in ["", "{}", "[1]", "no JSON"] {
            assert_eq!(check(text).err(), Some(NoExtract), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        // SAF-33: there is no octet that could be another one.
        #[test]
        fn saf_33_one_changed_byte_anywhere_in_an_extract_is_found(at in any::<prop::sample::Index>(), other: u8) {
            let mut bytes = (good() + "\n").into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != other);
            bytes[at] = other;
            let holds = std::str::from_utf8(&bytes).is_ok_and(|text| check(text).is_ok_and(|checked| checked.wrong.is_empty()));
            prop_assert!(!holds, "{at}");
        }

        #[test]
        fn nothing_that_is_read_as_an_extract_makes_the_check_panic(text in "\\PC{0,40}", at in any::<prop::sample::Index>()) {
            let mut extract = good();
            let mut at = at.index(extract.len());
            while !extract.is_char_boundary(at) {
                at -= 1;
            }
            extract.insert_str(at, &text);
            let _ = check(&extract);
        }
    }

    #[test]
    fn every_bit_of_hex_and_every_blank_has_one_spelling() {
        let good = good();
        let value: Value = serde_json::from_str(&good).unwrap();
        let signature = value["checkpoint"]["signature"].as_str().unwrap();
        let key = value["checkpoint"]["key"].as_str().unwrap();
        let path = value["entries"][0]["path"][0].as_str().unwrap();
        for hex in [signature, key, path] {
            assert!(!wrong(&good.replace(hex, &hex.to_uppercase())).is_empty(), "{hex}");
        }
        for other in [
            good.replacen(':', ": ", 1),
            format!(" {good}"),
            format!("{good}\n\n"),
            serde_json::to_string_pretty(&value).unwrap(),
        ] {
            assert!(!wrong(&other).is_empty());
        }
    }

    #[test]
    fn a_version_left_out_repeated_or_of_another_registration_is_named() {
        let [made, ended] = <[Registration; 2]>::try_from(versions()).unwrap();
        let cases = [
            (vec![ended.clone()], "Versions of the registration are missing"),
            (
                vec![made.clone(), made.clone()],
                "Versions of the registration are missing",
            ),
            (vec![], "It has no version of the registration"),
            (
                vec![
                    made.clone(),
                    Registration {
                        id: "s".to_owned(),
                        ..ended.clone()
                    },
                ],
                "is of another registration",
            ),
            (
                vec![
                    made.clone(),
                    Registration {
                        public_key: "00".to_owned(),
                        ..ended.clone()
                    },
                ],
                "not about one key",
            ),
        ];
        for (versions, sentence) in cases {
            let wrong = wrong(&of(&versions, &documents())).join(" ");
            assert!(wrong.contains(sentence), "{sentence}: {wrong}");
        }
        let keyless = documents().split_off(1);
        assert!(
            wrong(&of(&versions(), &keyless))
                .join(" ")
                .contains("not about one key")
        );
        let other = Registration {
            fingerprint: "00".repeat(32),
            ..made
        };
        assert!(
            wrong(&of(&[other], &documents()))
                .join(" ")
                .contains("not that of the key")
        );
    }

    #[test]
    fn a_document_or_an_entry_that_is_exchanged_for_another_good_one_is_named() {
        let value: Value = serde_json::from_str(&good()).unwrap();
        let mut exchanged = value.clone();
        exchanged["entries"][2]["document"] = value["entries"][3]["document"].clone();
        let text = canonical::write(&exchanged).unwrap();
        assert!(
            wrong(&text).join(" ").contains("is not the one it was written about"),
            "{text}"
        );
        let mut exchanged = value.clone();
        exchanged["entries"][2]["path"] = value["entries"][3]["path"].clone();
        assert!(
            wrong(&canonical::write(&exchanged).unwrap())
                .join(" ")
                .contains("is not proven to be in the log")
        );
        let mut turned = value.clone();
        turned["entries"].as_array_mut().unwrap().swap(2, 3);
        assert!(
            wrong(&canonical::write(&turned).unwrap())
                .join(" ")
                .contains("order of the log")
        );
        let mut smaller = value;
        smaller["checkpoint"]["size"] = json!(3);
        assert!(
            wrong(&canonical::write(&smaller).unwrap())
                .join(" ")
                .contains("not signed")
        );
    }
}
