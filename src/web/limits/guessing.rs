//! Guessing tokens: too many wrong ones from an address, and for a while it is refused without a look at what it sends.
//!
//! A token of ours has 192 random bits and is found by its hash: this is not what keeps it from being guessed. It keeps those who try from
//! costing anything, and tells the operator about them. A platform at another address is not concerned.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::SharedClock;
use crate::config;
use crate::seeing::Tally;

/// Who sent wrong tokens lately.
pub struct Guessing {
    /// After how many an address is locked out; `None` where nobody is.
    most: Option<u32>,
    window: TimeDelta,
    lockout: TimeDelta,
    clock: SharedClock,
    /// At most [`MANY`].
    tried: Mutex<HashMap<IpAddr, Tries>>,
    seen: Tally,
}

/// What is counted here.
const COUNTED: [&str; 2] = ["wrong_token", "lock_out"];

/// So many addresses are remembered; of more, those are forgotten that would be forgotten first anyway.
const MANY: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Tries {
    wrong: u32,
    /// They are forgotten then; of one that is locked out, the end of that.
    until: DateTime<Utc>,
    locked: bool,
}

impl Guessing {
    /// As configured.
    #[must_use]
    pub fn new(limits: &config::Limits, clock: SharedClock) -> Guessing {
        let delta = |duration: Duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        Guessing {
            most: limits.wrong_tokens,
            window: delta(limits.wrong_tokens_window),
            lockout: delta(limits.lockout),
            clock,
            tried: Mutex::default(),
            seen: Tally::of(&COUNTED),
        }
    }

    /// Wrong tokens, and addresses that were locked out, since the start.
    #[must_use]
    pub fn seen(&self) -> &Tally {
        &self.seen
    }

    /// Whether an address may present a token.
    ///
    /// # Errors
    /// How long it is locked out.
    pub fn may_try(&self, address: IpAddr) -> Result<(), Duration> {
        let seen = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tries) = seen.get(&address).filter(|tries| tries.locked) else {
            return Ok(());
        };
        // A clock that was set back locks nobody out for longer than was said.
        let left = (tries.until - self.clock.now()).min(self.lockout);
        match left.to_std() {
            Ok(left) if !left.is_zero() => Err(left),
            _ => Ok(()),
        }
    }

    /// An address presented a token that opens nothing.
    pub fn wrong(&self, address: IpAddr) {
        self.seen.count("wrong_token");
        let Some(most) = self.most else { return };
        let now = self.clock.now();
        let mut seen = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(&address).is_some_and(|tries| tries.until <= now) {
            seen.remove(&address);
        }
        if seen.len() >= MANY && !seen.contains_key(&address) {
            make_room(&mut seen, now);
        }
        let tries = seen.entry(address).or_insert(Tries {
            wrong: 0,
            until: now + self.window,
            locked: false,
        });
        tries.wrong = tries.wrong.saturating_add(1);
        if tries.wrong >= most && !tries.locked {
            tries.locked = true;
            self.seen.count("lock_out");
            tries.until = now + self.lockout;
            log::warn!(
                "{address} sent {most} wrong tokens within {} s and is not listened to for {} s",
                self.window.num_seconds(),
                self.lockout.num_seconds()
            );
        }
    }
}

fn make_room(seen: &mut HashMap<IpAddr, Tries>, now: DateTime<Utc>) {
    seen.retain(|_, tries| tries.until > now);
    if seen.len() < MANY {
        return;
    }
    // Whoever is locked out stays so as long as others can be forgotten.
    let first = seen.iter().min_by_key(|(_, tries)| (tries.locked, tries.until));
    if let Some(first) = first.map(|(address, _)| *address) {
        seen.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::ManualClock;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    const GUESSER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10));

    fn guessing(most: Option<u32>) -> (Guessing, Arc<ManualClock>) {
        let clock = ManualClock::at(DateTime::from_timestamp(1_795_000_000, 0).unwrap());
        let guessing = Guessing {
            most,
            window: TimeDelta::seconds(60),
            lockout: TimeDelta::seconds(300),
            clock: clock.clone(),
            tried: Mutex::default(),
            seen: Tally::of(&COUNTED),
        };
        (guessing, clock)
    }

    #[test]
    fn too_many_wrong_tokens_lock_an_address_out_for_a_while_and_nobody_else() {
        let (guessing, clock) = guessing(Some(3));
        for _ in 0..2 {
            guessing.wrong(GUESSER);
            assert_eq!(guessing.may_try(GUESSER), Ok(()));
        }
        guessing.wrong(GUESSER);
        assert_eq!(guessing.may_try(GUESSER), Err(Duration::from_secs(300)));
        assert_eq!(guessing.may_try(NEIGHBOUR), Ok(()));
        clock.advance(TimeDelta::seconds(299));
        assert_eq!(guessing.may_try(GUESSER), Err(Duration::from_secs(1)));
        clock.advance(TimeDelta::seconds(-1000));
        assert_eq!(
            guessing.may_try(GUESSER),
            Err(Duration::from_secs(300)),
            "a clock set back adds nothing to what was said"
        );
        clock.advance(TimeDelta::seconds(1001));
        assert_eq!(guessing.may_try(GUESSER), Ok(()));
        guessing.wrong(GUESSER);
        assert_eq!(guessing.may_try(GUESSER), Ok(()), "and counting begins anew");
    }

    #[test]
    fn wrong_tokens_now_and_then_lock_nobody_out() {
        let (guessing, clock) = guessing(Some(3));
        for _ in 0..20 {
            guessing.wrong(GUESSER);
            guessing.wrong(GUESSER);
            assert_eq!(guessing.may_try(GUESSER), Ok(()));
            clock.advance(TimeDelta::seconds(60));
        }
        let (unlimited, _) = self::guessing(None);
        (0..1000).for_each(|_| unlimited.wrong(GUESSER));
        assert_eq!(unlimited.may_try(GUESSER), Ok(()));
    }

    #[test]
    fn who_guesses_from_everywhere_fills_no_memory_and_frees_nobody() {
        let (guessing, _) = guessing(Some(2));
        guessing.wrong(GUESSER);
        guessing.wrong(GUESSER);
        for number in 0..u32::try_from(MANY).unwrap() + 500 {
            guessing.wrong(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)));
        }
        assert_eq!(guessing.tried.lock().unwrap().len(), MANY);
        assert!(guessing.may_try(GUESSER).is_err());
    }
}
