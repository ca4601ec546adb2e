//! When to try again: attempt, what the peer asked for, and chance in; a delay out. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest wait that a `Retry-After` may ask of us: a day. A peer that is away for longer is asked again all the same.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// The delay before the next attempt.
///
/// `attempts` is the number of attempts made, `first` the delay after the first of them; it doubles up to `max`. `jitter`
/// (0 to 1) spreads the delay over its upper half, so that duties which failed together do not come back together. What the
/// peer asked for by `Retry-After` is the least that is waited.
#[must_use]
pub fn next_delay(
    attempts: u32,
    retry_after: Option<Duration>,
    first: Duration,
    max: Duration,
    jitter: f64,
) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let grown = first.saturating_mul(1u32 << doublings).min(max);
    let spread = grown.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
    spread.max(retry_after.unwrap_or_default())
}

/// Reads a `Retry-After` header (RFC 9110 10.2.3): seconds or an HTTP date, at most [`MAX_RETRY_AFTER`].
#[must_use]
pub fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = header.trim();
    let wait = if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        text.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        let until = DateTime::<Utc>::from(httpdate::parse_http_date(text).ok()?);
        (until - now).to_std().unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const FIRST: Duration = Duration::from_secs(5);
    const MAX: Duration = Duration::from_secs(3600);

    #[test]
    fn the_delay_doubles_until_it_reaches_the_longest() {
        let delays: Vec<u64> = (1..=12)
            .map(|n| next_delay(n, None, FIRST, MAX, 1.0).as_secs())
            .collect();
        assert_eq!(delays, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
    }

    #[test]
    fn retry_after_is_the_least_that_is_waited() {
        assert_eq!(
            next_delay(1, Some(Duration::from_secs(60)), FIRST, MAX, 0.3),
            Duration::from_secs(60)
        );
        assert_eq!(
            next_delay(9, Some(Duration::from_secs(60)), FIRST, MAX, 1.0),
            Duration::from_secs(1280)
        );
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(
            retry_after("Tue, 14 Nov 2023 22:14:20 GMT", now),
            Some(Duration::from_secs(60))
        );
        assert_eq!(retry_after("Tue, 14 Nov 2000 22:14:20 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999999", now), Some(MAX_RETRY_AFTER));
        for nonsense in ["", "soon", "-1", "1.5"] {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn no_delay_leaves_its_bounds(attempts: u32, jitter in -1.0f64..2.0, seconds in 0u64..100_000) {
            let asked = Duration::from_secs(seconds);
            let delay = next_delay(attempts, Some(asked), FIRST, MAX, jitter);
            prop_assert!(delay >= FIRST / 2 && delay >= asked);
            prop_assert!(delay <= MAX.max(asked));
        }

        #[test]
        fn no_header_makes_the_reader_stumble(header: String) {
            let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
            let _ = retry_after(&header, now);
        }
    }
}
