//! The states of a registration and the steps between them (key-registry.md 4.2): a pure table.
//!
//! ```text
//!             refuse                        withdraw
//! SUBMITTED ─────────► REFUSED   SUBMITTED/CHECKED/ON_HOLD ─────► WITHDRAWN
//!     │ pass                 └─ hold ─► ON_HOLD ─ accept ─► CHECKED
//!     ▼
//!  CHECKED ──publish──► PUBLISHED ──confirm──► CONFIRMED ──deactivate──► DEACTIVATED
//!                                              │ ▲  └──────supersede──► SUPERSEDED
//!                                              └─┘ amend
//! ```
//!
//! A document may be laid beside a registration in every state from SUBMITTED to CONFIRMED, which stays what it is.

use std::fmt;

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Received, not yet judged.
    Submitted,
    /// Implausible, or declined by a person. Final.
    Refused,
    /// A person must look at a warning.
    OnHold,
    /// Plausible.
    Checked,
    /// On the public interface, not yet read back.
    Published,
    /// Published, read back, and said so to its operator: it counts.
    Confirmed,
    /// Ended by its operator, or at the end of its validity; counts for the time before. Final.
    Deactivated,
    /// Another registration took its place; counts for the time before. Final.
    Superseded,
    /// Taken back before it was published. Final.
    Withdrawn,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The checks or a person say no.
    Refuse,
    /// A warning needs a person.
    Hold,
    /// The checks say yes.
    Pass,
    /// A person says yes to a warning.
    Accept,
    /// The submitter takes it back.
    Withdraw,
    /// It becomes visible to everybody.
    Publish,
    /// It was read back through the public path.
    Confirm,
    /// It ends.
    Deactivate,
    /// Another takes its place.
    Supersede,
    /// Something about it is noted that does not touch what it says of key, meter and EVSE: a release, hardware exchanged.
    Amend,
    /// A document is laid beside it while it is open: proof for whoever decides, papers for the commissioning file.
    Document,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 11] = [
        Step::Refuse,
        Step::Hold,
        Step::Pass,
        Step::Accept,
        Step::Withdraw,
        Step::Publish,
        Step::Confirm,
        Step::Deactivate,
        Step::Supersede,
        Step::Amend,
        Step::Document,
    ];
}

/// Where a step leads; `None` where it is not possible.
#[must_use]
pub fn after(state: State, step: Step) -> Option<State> {
    use State::*;
    match (state, step) {
        (Submitted | OnHold, Step::Refuse) => Some(Refused),
        (Submitted, Step::Hold) => Some(OnHold),
        (Submitted, Step::Pass) | (OnHold, Step::Accept) => Some(Checked),
        (Submitted | OnHold | Checked, Step::Withdraw) => Some(Withdrawn),
        (Checked, Step::Publish) => Some(Published),
        (Published, Step::Confirm) => Some(Confirmed),
        (Confirmed, Step::Amend) => Some(Confirmed),
        (Submitted | OnHold | Checked | Published | Confirmed, Step::Document) => Some(state),
        (Confirmed, Step::Deactivate) => Some(Deactivated),
        (Confirmed, Step::Supersede) => Some(Superseded),
        _ => None,
    }
}

/// What a registration in a state is worth to whoever looks for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may come to count: somebody says so, and the registry has not confirmed it.
    Pending,
    /// It counts, for the time of its validity.
    Held,
    /// It never counted.
    Nothing,
}

impl State {
    /// Every state.
    pub const ALL: [State; 9] = [
        State::Submitted,
        State::Refused,
        State::OnHold,
        State::Checked,
        State::Published,
        State::Confirmed,
        State::Deactivated,
        State::Superseded,
        State::Withdrawn,
    ];

    /// The word of key-registry.md 4.2.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Submitted => "SUBMITTED",
            State::Refused => "REFUSED",
            State::OnHold => "ON_HOLD",
            State::Checked => "CHECKED",
            State::Published => "PUBLISHED",
            State::Confirmed => "CONFIRMED",
            State::Deactivated => "DEACTIVATED",
            State::Superseded => "SUPERSEDED",
            State::Withdrawn => "WITHDRAWN",
        }
    }

    /// Reads the exact word.
    #[must_use]
    pub fn parse(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// What it is worth.
    #[must_use]
    pub fn standing(self) -> Standing {
        match self {
            State::Submitted | State::OnHold | State::Checked | State::Published => Standing::Pending,
            State::Confirmed | State::Deactivated | State::Superseded => Standing::Held,
            State::Refused | State::Withdrawn => Standing::Nothing,
        }
    }

    /// Whether everybody may read it: it was published once.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(
            self,
            State::Published | State::Confirmed | State::Deactivated | State::Superseded
        )
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// The arrows of key-registry.md 4.2, without the names of the steps.
    const DIAGRAM: [(State, State); 17] = [
        // A document laid beside it.
        (State::Submitted, State::Submitted),
        (State::OnHold, State::OnHold),
        (State::Checked, State::Checked),
        (State::Published, State::Published),
        (State::Submitted, State::Refused),
        (State::Submitted, State::OnHold),
        (State::Submitted, State::Checked),
        (State::Submitted, State::Withdrawn),
        (State::OnHold, State::Refused),
        (State::OnHold, State::Checked),
        (State::OnHold, State::Withdrawn),
        (State::Checked, State::Withdrawn),
        (State::Checked, State::Published),
        (State::Published, State::Confirmed),
        (State::Confirmed, State::Confirmed),
        (State::Confirmed, State::Deactivated),
        (State::Confirmed, State::Superseded),
    ];

    #[test]
    fn the_steps_are_exactly_the_arrows_of_the_diagram() {
        for from in State::ALL {
            for to in State::ALL {
                let leads = Step::ALL.iter().any(|step| after(from, *step) == Some(to));
                assert_eq!(leads, DIAGRAM.contains(&(from, to)), "{from} to {to}");
            }
        }
    }

    proptest! {
        // SAF-32: nothing is confirmed that was not published before.
        #[test]
        fn no_sequence_of_steps_leaves_the_diagram(steps in proptest::collection::vec(0usize..11, 0..40)) {
            let mut state = State::Submitted;
            let (mut was_checked, mut was_published) = (false, false);
            for step in steps {
                let Some(next) = after(state, Step::ALL[step]) else { continue };
                prop_assert!(DIAGRAM.contains(&(state, next)));
                was_checked |= next == State::Checked;
                prop_assert!(next != State::Published || was_checked);
                was_published |= next == State::Published;
                prop_assert!(next.standing() != Standing::Held || was_published);
                prop_assert!(!next.is_public() || was_published);
                state = next;
            }
        }
    }

    #[test]
    fn every_state_is_read_back_by_its_word() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("ACTIVE"), None);
    }
}
