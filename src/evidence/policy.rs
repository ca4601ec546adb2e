//! What a bad verdict means for a receiver: mark, hold or reject (design.md 3.6.3). Pure.

use super::assess::Status;
use crate::routing::directory::InvalidCdrs;

/// The receiver's own option decides, else the hub's setting; and both only about a CDR whose metering data does not hold.
///
/// A signature that fits, even under a key that only came along, is not for this policy: such a CDR is carried, and what is
/// missing stands in its marker.
#[must_use]
pub fn consequence(status: Status, receiver: Option<InvalidCdrs>, hub: InvalidCdrs) -> InvalidCdrs {
    match status {
        Status::Invalid | Status::Unverifiable | Status::Missing => receiver.unwrap_or(hub),
        Status::Verified | Status::IntegrityOnly | Status::NotApplicable => InvalidCdrs::Mark,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidCdrs::{Hold, Mark, Reject};

    const BAD: [Status; 3] = [Status::Invalid, Status::Unverifiable, Status::Missing];
    const GOOD: [Status; 3] = [Status::Verified, Status::IntegrityOnly, Status::NotApplicable];

    #[test]
    fn the_receivers_option_wins_over_the_hubs_setting() {
        for status in BAD {
            for hub in [Mark, Hold, Reject] {
                assert_eq!(consequence(status, None, hub), hub);
                for own in [Mark, Hold, Reject] {
                    assert_eq!(consequence(status, Some(own), hub), own);
                }
            }
        }
    }

    #[test]
    fn a_signature_that_fits_is_always_carried() {
        for status in GOOD {
            for policy in [Mark, Hold, Reject] {
                assert_eq!(consequence(status, Some(policy), policy), Mark);
            }
        }
    }
}
