//! A Merkle tree over the entries (RFC 6962, section 2): short proofs that an entry is in the log, and that a log only grew.
//!
//! All complete subtrees are kept, level by level, so that appending costs two hashes and any root or proof of a size ever reached some
//! dozens: about 64 bytes for an entry.

use sha2::{Digest, Sha256};

use super::Hash;

/// The tree of a log.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// `levels[h][i]` is the hash of the entries from `i · 2^h` on, 2^h of them.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Adds the text of an entry.
    pub fn push(&mut self, text: &str) {
        let mut hash = leaf(text);
        for height in 0.. {
            if self.levels.len() == height {
                self.levels.push(Vec::new());
            }
            let Some(level) = self.levels.get_mut(height) else {
                return;
            };
            level.push(hash);
            match level.as_slice() {
                [.., left, right] if level.len().is_multiple_of(2) => hash = node(left, right),
                _ => return,
            }
        }
    }

    /// The root over the first `size` entries; `None` when there are not that many.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Hash> {
        match size {
            0 => Some(Sha256::digest([]).into()),
            size => (size <= self.size()).then(|| self.over(0, size)).flatten(),
        }
    }

    /// The proof that entry `seq` (counted from 1) is in the tree of the first `size` entries (RFC 6962, 2.1.1).
    #[must_use]
    pub fn inclusion(&self, seq: u64, size: u64) -> Option<Vec<Hash>> {
        if seq == 0 || seq > size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut from, mut to, index) = (0, size, seq - 1);
        let mut outside = Vec::new();
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                outside.push((middle, to));
                to = middle;
            } else {
                outside.push((from, middle));
                from = middle;
            }
        }
        for (from, to) in outside.into_iter().rev() {
            path.push(self.over(from, to)?);
        }
        Some(path)
    }

    /// The proof that the tree of the first `new` entries begins with that of the first `old` (RFC 6962, 2.1.2).
    #[must_use]
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old == 0 || old > new || new > self.size() {
            return None;
        }
        let mut outside = Vec::new();
        let (mut from, mut to, mut is_whole) = (0, new, true);
        while old != to {
            let middle = from + split(to - from);
            if old <= middle {
                outside.push((middle, to));
                to = middle;
            } else {
                outside.push((from, middle));
                from = middle;
                is_whole = false;
            }
        }
        let mut path = Vec::new();
        if !is_whole {
            path.push(self.over(from, to)?);
        }
        for (from, to) in outside.into_iter().rev() {
            path.push(self.over(from, to)?);
        }
        Some(path)
    }

    /// The hash over `[from, to)`, which begins where RFC 6962 lets a subtree begin.
    fn over(&self, from: u64, to: u64) -> Option<Hash> {
        let length = to.checked_sub(from).filter(|length| *length > 0)?;
        if length.is_power_of_two() {
            let height = length.trailing_zeros();
            let index = usize::try_from(from >> height).ok()?;
            return self.levels.get(height as usize)?.get(index).copied();
        }
        let middle = from + split(length);
        Some(node(&self.over(from, middle)?, &self.over(middle, to)?))
    }
}

/// Whether `path` proves that `text` is entry `seq` of the `size` entries under `root`.
#[must_use]
pub fn includes(root: &Hash, size: u64, seq: u64, text: &str, path: &[Hash]) -> bool {
    if seq == 0 || seq > size {
        return false;
    }
    let (mut index, mut last, mut hash) = (seq - 1, size - 1, leaf(text));
    for beside in path {
        if last == 0 {
            return false;
        }
        if index % 2 == 1 || index == last {
            hash = node(beside, &hash);
            while index.is_multiple_of(2) && index != 0 {
                (index, last) = (index / 2, last / 2);
            }
        } else {
            hash = node(&hash, beside);
        }
        (index, last) = (index / 2, last / 2);
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the log of `new` entries under `new_root` begins with that of `old` entries under `old_root`.
#[must_use]
pub fn is_consistent(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    let (mut index, mut last) = (old - 1, new - 1);
    while index % 2 == 1 {
        (index, last) = (index / 2, last / 2);
    }
    let mut rest = path.iter();
    // A complete subtree is not repeated in the proof: the verifier has its root.
    let begin = if index == 0 { Some(old_root) } else { rest.next() };
    let Some(begin) = begin else { return false };
    let (mut of_old, mut of_new) = (*begin, *begin);
    for beside in rest {
        if last == 0 {
            return false;
        }
        if index % 2 == 1 || index == last {
            of_old = node(beside, &of_old);
            of_new = node(beside, &of_new);
            while index.is_multiple_of(2) && index != 0 {
                (index, last) = (index / 2, last / 2);
            }
        } else {
            of_new = node(&of_new, beside);
        }
        (index, last) = (index / 2, last / 2);
    }
    last == 0 && of_old == *old_root && of_new == *new_root
}

/// The largest power of two smaller than `length`, which is at least 2.
fn split(length: u64) -> u64 {
    length.next_power_of_two() / 2
}

fn leaf(text: &str) -> Hash {
    Sha256::new_with_prefix([0]).chain_update(text).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn tree(size: u64) -> Tree {
        let mut tree = Tree::default();
        for number in 1..=size {
            tree.push(&number.to_string());
        }
        tree
    }

    /// RFC 6962, 2.1, word for word.
    fn by_the_book(texts: &[String]) -> Hash {
        match texts {
            [] => Sha256::digest([]).into(),
            [one] => leaf(one),
            many => {
                let (left, right) = many.split_at(split(many.len() as u64) as usize);
                node(&by_the_book(left), &by_the_book(right))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_rfc_for_every_size() {
        let tree = tree(70);
        let texts: Vec<String> = (1..=70).map(|number: u64| number.to_string()).collect();
        for size in 0..=70 {
            assert_eq!(tree.root(size).unwrap(), by_the_book(&texts[..size as usize]), "{size}");
        }
        assert_eq!(tree.root(71), None);
    }

    #[test]
    fn every_entry_is_proven_in_every_size_and_nothing_else_is() {
        let tree = tree(33);
        for size in 1..=33 {
            let root = tree.root(size).unwrap();
            for seq in 1..=size {
                let path = tree.inclusion(seq, size).unwrap();
                assert!(includes(&root, size, seq, &seq.to_string(), &path), "{seq} of {size}");
                assert!(!includes(&root, size, seq, "another", &path));
                assert!(!includes(&root, size, seq % size + 1, &seq.to_string(), &path) || size == 1);
                let mut longer = path.clone();
                longer.push(root);
                assert!(!includes(&root, size, seq, &seq.to_string(), &longer));
            }
            assert_eq!(tree.inclusion(size + 1, size), None);
            assert_eq!(tree.inclusion(0, size), None);
        }
    }

    #[test]
    fn every_earlier_size_is_proven_and_a_rewritten_past_is_not() {
        let (tree, mut other) = (tree(33), Tree::default());
        for number in 1..=33 {
            other.push(if number == 1 { "rewritten" } else { "2" });
        }
        for new in 1..=33 {
            for old in 1..=new {
                let path = tree.consistency(old, new).unwrap();
                let (old_root, new_root) = (tree.root(old).unwrap(), tree.root(new).unwrap());
                assert!(is_consistent(old, &old_root, new, &new_root, &path), "{old} of {new}");
                assert!(!is_consistent(old, &other.root(old).unwrap(), new, &new_root, &path));
                assert!(!is_consistent(old, &old_root, new, &other.root(new).unwrap(), &path));
            }
        }
    }

    proptest! {
        #[test]
        fn a_proof_of_somebody_elses_making_proves_nothing(
            size in 1u64..40, seq in 0u64..45, path in proptest::collection::vec(any::<Hash>(), 0..8)
        ) {
            let tree = tree(size);
            let root = tree.root(size).unwrap();
            prop_assert!(!includes(&root, size, seq, "forged", &path));
        }
    }
}
