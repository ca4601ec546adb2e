//! How often each of a few words was the one: words of ours, known when the counting begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts words of a list. Clones count together.
#[derive(Clone, Debug)]
pub struct Tally(Arc<[(&'static str, AtomicU64)]>);

impl Tally {
    /// Nothing was counted yet.
    #[must_use]
    pub fn of(words: &[&'static str]) -> Tally {
        Tally(words.iter().map(|word| (*word, AtomicU64::new(0))).collect())
    }

    /// One more. A word that is not on the list is not counted.
    pub fn count(&self, word: &str) {
        if let Some((_, number)) = self.0.iter().find(|(known, _)| *known == word) {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every word and how often it was the one.
    #[must_use]
    pub fn numbers(&self) -> Vec<(&'static str, u64)> {
        let read = |(word, number): &(&'static str, AtomicU64)| (*word, number.load(Ordering::Relaxed));
        self.0.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_and_others_are_not_learned() {
        let tally = Tally::of(&["GOOD", "BAD"]);
        for word in ["GOOD", "GOOD", "UGLY"] {
            tally.clone().count(word);
        }
        assert_eq!(tally.numbers(), [("GOOD", 2), ("BAD", 0)]);
    }
}
