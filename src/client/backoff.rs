//! When to try again: a schedule one can read, some jitter, and the wish of the other side. Pure.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

/// A wish for patience is respected up to a day; whoever asks for more is asked again tomorrow.
const LONGEST_WISH: Duration = Duration::from_secs(86_400);

/// How long to wait after `attempts` failed ones.
///
/// `first` after the first, twice as long after each further one, at most `max`. Of that between half and all is waited, by
/// `jitter` from 0 to 1, so that what failed together does not come back together. `retry_after` is obeyed: never sooner.
#[must_use]
pub fn next_delay(
    attempts: u32,
    retry_after: Option<Duration>,
    first: Duration,
    max: Duration,
    jitter: f64,
) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let whole = first.saturating_mul(1 << doublings).min(max);
    let share = if jitter.is_finite() {
        jitter.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let delay = whole / 2 + (whole / 2).mul_f64(share);
    delay.max(retry_after.unwrap_or_default())
}

/// What a `Retry-After` header asks for: seconds, or an HTTP date (RFC 9110, 10.2.3). A date gone by asks for nothing.
#[must_use]
pub fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = header.trim();
    let wish = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit ask for more than anybody waits.
        text.parse().map_or(LONGEST_WISH, Duration::from_secs)
    } else {
        let instant = httpdate::parse_http_date(text).ok()?;
        instant.duration_since(SystemTime::from(now)).unwrap_or_default()
    };
    Some(wish.min(LONGEST_WISH))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const FIRST: Duration = Duration::from_secs(5);
    const MAX: Duration = Duration::from_secs(3600);

    #[test]
    fn each_wait_is_twice_as_long_until_the_longest() {
        let waits: Vec<_> = (0..13)
            .map(|attempts| next_delay(attempts, None, FIRST, MAX, 1.0).as_secs())
            .collect();
        assert_eq!(waits, [5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        assert_eq!(next_delay(u32::MAX, None, FIRST, MAX, 0.0), MAX / 2);
    }

    #[test]
    fn the_wish_of_the_other_side_is_obeyed_within_reason() {
        let now = DateTime::from_timestamp(784_111_777, 0).unwrap(); // Sun, 06 Nov 1994 08:49:37 GMT
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(header, now).map(|wish| wish.as_secs()), seconds, "{header}");
        }
        assert_eq!(
            next_delay(1, Some(Duration::from_secs(120)), FIRST, MAX, 0.5),
            Duration::from_secs(120)
        );
        assert_eq!(next_delay(1, Some(Duration::ZERO), FIRST, MAX, 1.0), FIRST);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_half_and_never_longer_than_the_whole(
            attempts in any::<u32>(), jitter in any::<f64>(), first in 0_u64..100_000, max in 0_u64..100_000,
        ) {
            let (first, max) = (Duration::from_millis(first), Duration::from_millis(max));
            let delay = next_delay(attempts, None, first, max, jitter);
            prop_assert!(delay <= max);
            prop_assert!(delay >= first.min(max) / 2);
        }

        #[test]
        fn no_header_makes_the_reader_of_wishes_panic(header in ".{0,40}", digits in "[0-9]{0,40}", seconds in any::<u32>()) {
            let now = DateTime::from_timestamp(seconds.into(), 0).unwrap();
            let _ = (retry_after(&header, now), retry_after(&digits, now));
        }
    }
}
