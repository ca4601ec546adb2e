//! Reading along the log: is every entry what it was, and where it was?

use super::Hash;
use super::entry::{NOTHING, hash};

/// What a chain is made of: whatever has one text, and knows its place and the hash of what came before.
pub trait Chained: Sized {
    /// The same at that place, behind whatever has that hash.
    #[must_use]
    fn placed(self, seq: u64, previous: String) -> Self;

    /// Its place, and the hash of what came before in lower-case hex.
    fn place(&self) -> (u64, &str);

    /// The text that is kept and hashed.
    fn text(&self) -> String;

    /// Reads it back. `None` for whatever is not exactly that text.
    fn read(text: &str) -> Option<Self>;
}

/// A line of the log as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its place, as kept beside the text.
    pub seq: u64,
    /// The canonical text of the entry.
    pub text: String,
    /// The hash of the text, as kept beside it.
    pub hash: String,
}

/// How far the log was read and found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of entries.
    pub size: u64,
    /// The hash of the last one.
    pub hash: Hash,
}

impl Default for Head {
    fn default() -> Head {
        Head { size: 0, hash: NOTHING }
    }
}

/// The first entry that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {why}")]
pub struct BadEntry {
    /// Its place.
    pub seq: u64,
    /// What is wrong with it.
    pub why: String,
}

impl Head {
    /// The line that comes next.
    #[must_use]
    pub fn next(&self, entry: impl Chained) -> Line {
        let seq = self.size + 1;
        let text = entry.placed(seq, hex::encode(self.hash)).text();
        Line {
            seq,
            hash: hex::encode(hash(&text)),
            text,
        }
    }

    /// Goes one line further.
    ///
    /// # Errors
    /// [`BadEntry`] when the line is not the one that was written after the last.
    pub fn follow<E: Chained>(&mut self, line: &Line) -> Result<E, BadEntry> {
        let expected = self.size + 1;
        let bad = |why: &str| BadEntry {
            seq: expected,
            why: why.to_owned(),
        };
        if line.seq != expected {
            return Err(bad("is missing"));
        }
        let found = hash(&line.text);
        if hex::encode(found) != line.hash {
            return Err(bad("does not have the hash it was written with"));
        }
        let entry = E::read(&line.text).ok_or_else(|| bad("is no entry of a log"))?;
        let (seq, previous) = entry.place();
        if seq != expected {
            return Err(bad("stands in another place than it was written to"));
        }
        if previous != hex::encode(self.hash) {
            return Err(bad("does not follow the entry before it"));
        }
        *self = Head {
            size: expected,
            hash: found,
        };
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::super::entry::{Entry, tests::entry};
    use super::*;

    fn log(size: u64) -> Vec<Line> {
        let mut head = Head::default();
        (0..size)
            .map(|_| {
                let line = head.next(entry(0, NOTHING));
                head.follow::<Entry>(&line).unwrap();
                line
            })
            .collect()
    }

    fn first_bad(lines: &[Line]) -> Option<u64> {
        let mut head = Head::default();
        lines
            .iter()
            .find_map(|line| head.follow::<Entry>(line).err())
            .map(|bad| bad.seq)
    }

    #[test]
    fn a_log_as_written_is_whole() {
        assert_eq!(first_bad(&log(20)), None);
    }

    // key-registry.md 4.3: one byte flipped names the entry.
    proptest! {
        #[test]
        fn one_byte_changed_anywhere_is_named(at in 0usize..10, byte in 0usize..400, other in 0x20u8..0x7f, in_hash: bool) {
            let mut lines = log(10);
            let line = &mut lines[at];
            let text = if in_hash { &mut line.hash } else { &mut line.text };
            let mut bytes = text.clone().into_bytes();
            let byte = byte % bytes.len();
            prop_assume!(bytes[byte] != other);
            bytes[byte] = other;
            *text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(first_bad(&lines), Some(at as u64 + 1));
        }
    }

    #[test]
    fn a_line_removed_swapped_or_rewritten_with_its_hash_is_named() {
        let mut gone = log(5);
        gone.remove(2);
        assert_eq!(first_bad(&gone), Some(3));
        let mut swapped = log(5);
        swapped.swap(1, 2);
        assert_eq!(first_bad(&swapped), Some(2));
        let mut rewritten = log(5);
        let text = rewritten[1].text.replace("DE/ABC", "DE/XYZ");
        rewritten[1].hash = hex::encode(hash(&text));
        rewritten[1].text = text;
        assert_eq!(first_bad(&rewritten), Some(3), "its successor no longer follows");
    }
}
