//! The octets that leave for a receiver: as posted, or with the marker behind. Pushed and pulled alike.

use bytes::Bytes;

use super::marker;
use crate::routing::directory::{MarkerWhen, PlatformOptions};
use crate::store::evidence::CdrRow;

/// What is pushed for a stored CDR.
#[must_use]
pub fn pushed(cdr: &CdrRow, receiver: &PlatformOptions) -> Bytes {
    packed(&cdr.body, cdr.marker.as_deref(), cdr.billable, receiver)
}

/// The body a receiver gets. It is byte for byte the posted one, unless there is a marker and the receiver, by its option of
/// today, takes one for such a CDR.
#[must_use]
pub fn packed(body: &str, marker: Option<&str>, billable: bool, receiver: &PlatformOptions) -> Bytes {
    let wanted = match receiver.metering_marker {
        MarkerWhen::Always => true,
        MarkerWhen::OnProblem => !billable,
        MarkerWhen::Never => false,
    };
    match marker.filter(|_| wanted) {
        // Only an object was stored, so there is always a place for the marker; were there none, the octets as posted and
        // the header would have to do.
        Some(marker) => {
            marker::splice(body.as_bytes(), marker).map_or_else(|_| Bytes::from(body.to_owned()), Bytes::from)
        }
        None => Bytes::from(body.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_gets_the_posted_octets_or_one_member_more() {
        let body = "{ \"b\" : 1.10,\"a\":\"\\u0041\"}\n";
        let options = |metering_marker| PlatformOptions {
            metering_marker,
            ..PlatformOptions::default()
        };
        assert_eq!(packed(body, None, false, &options(MarkerWhen::OnProblem)), body);
        assert_eq!(packed(body, Some("{}"), false, &options(MarkerWhen::Never)), body);
        assert_eq!(packed(body, Some("{}"), true, &options(MarkerWhen::OnProblem)), body);
        assert_eq!(
            packed(body, Some("{}"), false, &options(MarkerWhen::OnProblem)),
            "{ \"b\" : 1.10,\"a\":\"\\u0041\",\"metering_validation\":{}}\n"
        );
    }
}
