//! Instants as OCPI writes them (T-44), and as peers really write them (D-08).
//!
//! Read: no designator means UTC, `Z` and `z`, any offset (also with a blank where a query string lost its `+`), up to nine
//! fraction digits, one-digit months and days. Written: `2026-11-21T10:00:00Z`, with milliseconds only where there are some.
//! Documents that pass through are not rewritten; this is for what we compute on and for what we say ourselves.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};
use thiserror::Error;

/// A text that is no instant. What it said is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is no RFC 3339 date and time such as 2026-11-21T10:00:00Z")]
pub struct TimeError;

/// The instant `text` means.
///
/// A date without a time is refused (D-08), except the two spellings of "unknown by agreement", `1970-1-1` and
/// `1970-01-01` (CDR-17). A leap second is the first second of the next minute.
///
/// # Errors
/// [`TimeError`] for anything else, without saying what was there.
pub fn parse(text: &str) -> Result<DateTime<Utc>, TimeError> {
    if matches!(text, "1970-1-1" | "1970-01-01") {
        return Ok(DateTime::UNIX_EPOCH);
    }
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4, 4)?;
    rest.one_of(b"-")?;
    let month = rest.number(1, 2)?;
    rest.one_of(b"-")?;
    let day = rest.number(1, 2)?;
    rest.one_of(b"Tt ")?;
    let hour = rest.number(2, 2)?;
    rest.one_of(b":")?;
    let minute = rest.number(2, 2)?;
    rest.one_of(b":")?;
    let second = rest.number(2, 2)?;
    let nanosecond = rest.fraction()?;
    let offset = rest.offset()?;

    let (second, carry) = if second == 60 { (59, 1) } else { (second, 0) };
    NaiveDate::from_ymd_opt(i32::try_from(year).map_err(|_| TimeError)?, month, day)
        .and_then(|date| date.and_hms_nano_opt(hour, minute, second, nanosecond))
        .and_then(|local| local.checked_add_signed(TimeDelta::seconds(carry)))
        .and_then(|local| local.checked_sub_signed(offset))
        .map(|utc| utc.and_utc())
        // An offset may lead out of the four digits that a year has.
        .filter(|utc| (0..=9999).contains(&utc.year()))
        .ok_or(TimeError)
}

/// The instant in UTC with `Z`; milliseconds appear only where they are not zero, finer digits never.
#[must_use]
pub fn write(instant: DateTime<Utc>) -> String {
    let has_millis = instant.nanosecond() / 1_000_000 != 0;
    instant
        .format(if has_millis {
            "%Y-%m-%dT%H:%M:%S%.3fZ"
        } else {
            "%Y-%m-%dT%H:%M:%SZ"
        })
        .to_string()
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn one_of(&mut self, allowed: &[u8]) -> Result<(), TimeError> {
        self.next()
            .filter(|byte| allowed.contains(byte))
            .map(|_| ())
            .ok_or(TimeError)
    }

    fn number(&mut self, least: usize, most: usize) -> Result<u32, TimeError> {
        let digits = self
            .0
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits < least {
            return Err(TimeError);
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        Ok(number
            .iter()
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
    }

    /// Nanoseconds; nothing or one to nine digits after a point.
    fn fraction(&mut self) -> Result<u32, TimeError> {
        if self.0.first() != Some(&b'.') {
            return Ok(0);
        }
        self.next();
        let before = self.0.len();
        let digits = self.number(1, 9)?;
        let read = before - self.0.len();
        Ok((read..9).fold(digits, |value, _| value * 10))
    }

    /// How far local time is ahead of UTC: nothing, `Z`, `+01:00`, `+0100`, `+01`, or a blank for the plus (D-08).
    fn offset(&mut self) -> Result<TimeDelta, TimeError> {
        let sign = match self.next() {
            None => return Ok(TimeDelta::zero()),
            Some(b'Z' | b'z') if self.0.is_empty() => return Ok(TimeDelta::zero()),
            Some(b'+' | b' ') => 1,
            Some(b'-') => -1,
            Some(_) => return Err(TimeError),
        };
        let hours = self.number(2, 2)?;
        let minutes = if self.0.is_empty() {
            0
        } else {
            if self.0.first() == Some(&b':') {
                self.next();
            }
            self.number(2, 2)?
        };
        if !self.0.is_empty() || hours > 23 || minutes > 59 {
            return Err(TimeError);
        }
        Ok(TimeDelta::minutes(sign * i64::from(hours * 60 + minutes)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    // T-44, D-08
    #[test]
    fn every_spelling_of_an_instant_that_occurs_in_the_field_is_understood() {
        for (text, meant) in [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00z", "2026-11-21T10:00:00Z"),
            ("2026-11-21t10:00:00", "2026-11-21T10:00:00Z"),
            ("2026-11-21 10:00:00", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00+00:00", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00-00:00", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00+01:00", "2026-11-21T09:00:00Z"),
            ("2026-11-21T10:00:00 01:00", "2026-11-21T09:00:00Z"),
            ("2026-11-21T10:00:00+0130", "2026-11-21T08:30:00Z"),
            ("2026-11-21T10:00:00-05", "2026-11-21T15:00:00Z"),
            ("2026-11-21T23:30:00-01:00", "2026-11-22T00:30:00Z"),
            ("2026-11-21T10:00:00.5Z", "2026-11-21T10:00:00.500Z"),
            ("2026-11-21T10:00:00.123", "2026-11-21T10:00:00.123Z"),
            ("2026-11-21T10:00:00.123456789Z", "2026-11-21T10:00:00.123Z"),
            ("2026-11-21T10:00:00.000Z", "2026-11-21T10:00:00Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("2024-2-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("1970-1-1", "1970-01-01T00:00:00Z"),
            ("1970-01-01", "1970-01-01T00:00:00Z"),
            ("1970-1-1T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(write(parse(text).unwrap()), meant, "{text}");
        }
    }

    // D-08
    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "now",
            "2026-11-21",
            "2026-11-21T",
            "2026-11-21T10:00",
            "2026-11-21T10:00:00.Z",
            "2026-11-21T10:00:00.1234567890Z",
            "2026-11-21T10:00:00ZZ",
            "2026-11-21T10:00:00Z ",
            " 2026-11-21T10:00:00Z",
            "2026-11-21T10:00:00+1",
            "2026-11-21T10:00:00+24:00",
            "2026-11-21T10:00:00+01:60",
            "2026-11-21T10:00:00+01:00x",
            "2026-02-30T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:60:00Z",
            "2026-11-21T10:00:61Z",
            "20261121T100000Z",
            "+2026-11-21T10:00:00Z",
            "２026-11-21T10:00:00Z",
            "1763719200",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00:00+01:00",
        ] {
            assert_eq!(parse(text), Err(TimeError), "{text}");
        }
    }

    #[test]
    fn the_finer_digits_are_kept_for_comparison() {
        let instant = parse("2026-11-21T10:00:00.123456789Z").unwrap();
        assert_eq!(instant.nanosecond(), 123_456_789);
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back_as_the_same_instant(millis in -62_135_596_800_000_i64..253_402_300_800_000) {
            let instant = DateTime::from_timestamp_millis(millis).unwrap();
            prop_assert_eq!(parse(&write(instant)), Ok(instant));
        }

        #[test]
        fn no_text_makes_the_reader_of_instants_panic(text in ".{0,40}", near in "[0-9TtZz:+. -]{0,32}") {
            let _ = parse(&text);
            let _ = parse(&near);
        }
    }
}
