//! The octets that leave for a receiver: as posted, or with the marker behind. Pushed and pulled alike.

use bytes::Bytes;

use super::marker;
use crate::routing::directory::{MarkerWhen, PlatformOptions};
use crate::store::evidence::CdrRow;

/// What is pushed for a stored CDR.
#[must_use]
pub fn pushed(cdr: &CdrRow, receiver: &PlatformOptions) -> Bytes {
    packed(&cdr.body, cdr.marker.as_deref(), receiver)
}

/// The body a receiver gets. It is byte for byte the posted one, unless there is a marker and the receiver takes markers.
#[must_use]
pub fn packed(body: &str, marker: Option<&str>, receiver: &PlatformOptions) -> Bytes {
    match marker.filter(|_| receiver.metering_marker != MarkerWhen::Never) {
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
        assert_eq!(packed(body, None, &options(MarkerWhen::OnProblem)), body);
        assert_eq!(packed(body, Some("{}"), &options(MarkerWhen::Never)), body);
        assert_eq!(
            packed(body, Some("{}"), &options(MarkerWhen::OnProblem)),
            "{ \"b\" : 1.10,\"a\":\"\\u0041\",\"metering_validation\":{}}\n"
        );
    }
}
