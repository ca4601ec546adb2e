//! What time it is: the only place in the house that asks the machine.
//!
//! Every other room is handed a [`SharedClock`] (or, better, the instant itself), so that tests decide what time it is
//! instead of waiting for it.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// Something that knows the time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that many rooms look at.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, ready to be handed around.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the door through which everybody else asks"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn at(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(start)))
    }

    /// Shows `instant` from now on, also when that is earlier than before.
    pub fn set(&self, instant: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = instant;
    }

    /// Moves forward (or, with a negative delta, back) and shows the new time. Stays put where the calendar ends.
    pub fn advance(&self, by: TimeDelta) -> DateTime<Utc> {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = shown.checked_add_signed(by).unwrap_or(*shown);
        *shown
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(DateTime::UNIX_EPOCH);
        let shared: SharedClock = clock.clone();
        assert_eq!(shared.now(), DateTime::UNIX_EPOCH);
        assert_eq!(clock.advance(TimeDelta::hours(2)).timestamp(), 7200);
        assert_eq!(shared.now().timestamp(), 7200);
        clock.set(DateTime::UNIX_EPOCH);
        assert_eq!(shared.now(), DateTime::UNIX_EPOCH);
    }

    #[test]
    fn a_manual_clock_does_not_run_off_the_calendar() {
        let clock = ManualClock::at(DateTime::<Utc>::MAX_UTC);
        assert_eq!(clock.advance(TimeDelta::days(1)), DateTime::<Utc>::MAX_UTC);
    }
}
