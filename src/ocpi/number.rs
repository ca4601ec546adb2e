//! Numbers stay text until someone must calculate, and then they are exact decimals (T-45). Binary floats do not exist here.

use std::borrow::Cow;
use std::io::Write;

use rust_decimal::Decimal;
use thiserror::Error;

/// Why a number cannot be calculated with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NumberError {
    /// Not the text of a JSON number.
    #[error("is no JSON number")]
    NotANumber,
    /// A number that 28 decimal places and 96 bits cannot hold exactly.
    #[error("is a number with more digits than can be calculated with exactly")]
    OutOfRange,
}

/// The exact value of a JSON number's text, exponents included. Trailing zeros do not matter.
///
/// # Errors
/// [`NumberError::OutOfRange`] rather than a rounded value.
pub fn decimal(text: &str) -> Result<Decimal, NumberError> {
    let number = Canonical::read(text).ok_or(NumberError::NotANumber)?;
    let Exponent::Known(exponent) = number.exponent else {
        return Err(NumberError::OutOfRange);
    };
    // 29 digits is the most a 96-bit mantissa holds, 28 the most places after the point.
    let zeros = usize::try_from(exponent.max(0)).map_err(|_| NumberError::OutOfRange)?;
    let scale = u32::try_from((-exponent).max(0)).map_err(|_| NumberError::OutOfRange)?;
    if zeros.saturating_add(number.digits.len()) > 29 || scale > Decimal::MAX_SCALE {
        return Err(NumberError::OutOfRange);
    }
    let digits = format!(
        "{}{}{}",
        if number.negative { "-" } else { "" },
        number.digits,
        "0".repeat(zeros)
    );
    let mantissa: i128 = digits.parse().map_err(|_| NumberError::OutOfRange)?;
    Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| NumberError::OutOfRange)
}

/// True when two texts are JSON numbers of the same value, however many digits they have: `1.0`, `1` and `10e-1` are.
#[must_use]
pub fn same_number(one: &str, other: &str) -> bool {
    match (Canonical::read(one), Canonical::read(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// Appends the one spelling that all texts of the same value share: digits, exponent. `None` when `text` is no JSON number.
pub(crate) fn write_canonical(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let number = Canonical::read(text)?;
    let sign = if number.negative { "-" } else { "" };
    // Writing into memory cannot fail.
    match number.exponent {
        Exponent::Known(exponent) => write!(out, "{sign}{}^{exponent}", number.digits).ok(),
        Exponent::AsWritten(exponent) => write!(out, "{sign}{}x{exponent}", number.digits).ok(),
    }
}

/// `digits × 10^exponent` with neither leading nor trailing zeros in the digits; zero is `0e0` and has no sign.
#[derive(Debug, PartialEq, Eq)]
struct Canonical<'a> {
    negative: bool,
    digits: Cow<'a, str>,
    exponent: Exponent,
}

#[derive(Debug, PartialEq, Eq)]
enum Exponent {
    Known(i128),
    /// More than 36 digits. Such numbers are compared as they are written: no meter has counted that far.
    AsWritten(String),
}

impl<'a> Canonical<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if leading_zero || !is_digits(whole) || !fraction.is_none_or(is_digits) {
            return None;
        }
        let fraction = fraction.unwrap_or("");
        let written = exponent.unwrap_or("0");
        let exponent_digits = written.strip_prefix(['+', '-']).unwrap_or(written);
        if !is_digits(exponent_digits) {
            return None;
        }

        // Most numbers have digits on one side of the point only, or none behind it.
        let all = match (whole.trim_start_matches('0'), fraction.trim_end_matches('0')) {
            ("", _) => Cow::Borrowed(fraction),
            (_, "") => Cow::Borrowed(whole),
            _ => Cow::Owned([whole, fraction].concat()),
        };
        // Zeros that were left out of `all` count as trimmed like those that are trimmed here.
        let left_out = if fraction.trim_end_matches('0').is_empty() {
            fraction.len()
        } else {
            0
        };
        let (digits, trailing) = trimmed_zeros(all);
        if digits.is_empty() {
            return Some(Self {
                negative: false,
                digits: Cow::Borrowed("0"),
                exponent: Exponent::Known(0),
            });
        }
        // usize to i128 loses nothing on any machine we run on, and 36 digits leave room for the sum.
        let moved = i128::try_from(trailing + left_out).ok()? - i128::try_from(fraction.len()).ok()?;
        let negative_exponent = written.starts_with('-');
        let exponent = match exponent_digits.trim_start_matches('0') {
            "" => Exponent::Known(moved),
            // The place of the point travels along, so that 1e… and 1.5e… stay what they are.
            long if long.len() > 36 => Exponent::AsWritten(format!("{negative_exponent}{long}/{moved}")),
            size => {
                let size: i128 = size.parse().ok()?;
                Exponent::Known(if negative_exponent { moved - size } else { moved + size })
            }
        };
        Some(Self {
            negative,
            digits,
            exponent,
        })
    }
}

/// The digits without zeros at either end, and how many there were behind.
fn trimmed_zeros(digits: Cow<'_, str>) -> (Cow<'_, str>, usize) {
    match digits {
        Cow::Borrowed(text) => {
            let significant = text.trim_start_matches('0');
            let digits = significant.trim_end_matches('0');
            (Cow::Borrowed(digits), significant.len() - digits.len())
        }
        Cow::Owned(text) => {
            let (digits, trailing) = trimmed_zeros(Cow::Borrowed(&text));
            (Cow::Owned(digits.into_owned()), trailing)
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    // T-45
    #[test]
    fn a_number_becomes_exactly_the_decimal_it_spells() {
        for (text, value) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.000e7", "0"),
            ("12.345", "12.345"),
            ("12.3450", "12.345"),
            ("1e3", "1000"),
            ("1E+3", "1000"),
            ("10e-1", "1"),
            ("-2.50e-2", "-0.025"),
            ("0.1000000000000000000000000001", "0.1000000000000000000000000001"),
            ("79228162514264337593543950335", "79228162514264337593543950335"),
        ] {
            let expected: Decimal = value.parse().unwrap();
            assert_eq!(decimal(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_an_error_and_never_rounded() {
        for text in [
            "79228162514264337593543950336",
            "1e29",
            "1e-29",
            "0.12345678901234567890123456789",
            "1e999999999999999999999999999999999999999",
            "1e-9999999999",
        ] {
            assert_eq!(decimal(text), Err(NumberError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn only_the_grammar_of_json_makes_a_number() {
        for text in [
            "", "-", "+1", "01", "1.", ".5", "1e", "1e+", "1e1.0", "0x1", "NaN", "1 ", " 1", "1_0", "--1", "١",
        ] {
            assert_eq!(decimal(text), Err(NumberError::NotANumber), "{text}");
            assert!(!same_number(text, text), "{text}");
        }
    }

    #[test]
    fn the_same_value_is_the_same_number_however_long_it_is() {
        let long = "123456789012345678901234567890123456789012345678901234567890";
        for (one, other, same) in [
            ("1.0", "1", true),
            ("1", "10e-1", true),
            ("1.5", "15E-1", true),
            ("0.0", "-0e9", true),
            ("0.10000000000000000001", "0.1", false),
            ("1", "-1", false),
            (long, &format!("{long}.000"), true),
            (long, &format!("{long}1"), false),
            ("1e1000000", "10e999999", true),
            ("1e1000000", "1e1000001", false),
            (&format!("1.0e{long}"), &format!("1E+0{long}"), true),
            (&format!("1.5e{long}"), &format!("1.5e-{long}"), false),
        ] {
            assert_eq!(same_number(one, other), same, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn moving_the_point_and_correcting_the_exponent_changes_nothing(
            digits in "[1-9][0-9]{0,40}", places in 0_usize..40, zeros in 0_usize..5, exponent in -50_i64..50,
        ) {
            let plain = format!("{digits}e{exponent}");
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            let whole = match whole.trim_start_matches('0') { "" => "0", whole => whole };
            let point = if places + zeros > 0 { "." } else { "" };
            let moved = format!("{whole}{point}{fraction}{}e{}", "0".repeat(zeros), exponent + places as i64);
            prop_assert!(same_number(&plain, &moved), "{} {}", plain, moved);
            prop_assert_eq!(decimal(&plain), decimal(&moved));
        }

        #[test]
        fn a_decimal_reads_back_exactly(mantissa in any::<i64>(), scale in 0_u32..28) {
            let value = Decimal::from_i128_with_scale(i128::from(mantissa), scale);
            prop_assert_eq!(decimal(&value.to_string()), Ok(value));
        }

        #[test]
        fn no_text_makes_the_reader_of_numbers_panic(text in ".{0,40}", near in "[-+0-9.eE]{0,40}") {
            let _ = decimal(&text);
            let _ = decimal(&near);
            prop_assert_eq!(write_canonical(&near, &mut Vec::new()).is_some(), same_number(&near, &near));
        }
    }
}
