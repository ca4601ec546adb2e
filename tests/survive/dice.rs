//! Chance that can be had again: SplitMix64, because a run must be repeatable from one printed number.

use std::time::Duration;

/// A stream of decisions.
pub struct Dice(u64);

impl Dice {
    /// One of several streams of a seed.
    pub fn of(seed: u64, stream: u64) -> Dice {
        let mut dice = Dice(seed ^ stream.wrapping_mul(0xA076_1D64_78BD_642F));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, them: &'a [T]) -> &'a T {
        let number = usize::try_from(self.below(them.len() as u64)).unwrap();
        &them[number]
    }

    /// Between these many milliseconds.
    pub fn pause(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// The seed of this run: `TRUEWATT_SEED`, else a fresh one. It is printed either way.
#[allow(
    clippy::disallowed_methods,
    reason = "which run to repeat, the tester knows, not config"
)]
pub fn seed() -> u64 {
    let given = std::env::var("TRUEWATT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| crate::world::random_below(1_000_000_000));
    eprintln!("seed: repeat this run with TRUEWATT_SEED={seed}");
    seed
}
