//! Readings as binary formats carry them: a register in six octets, a unit code, a power of ten, an integer.

use crate::metering::reading::{Marker, Obis, Reading, SignedTime, exact_decimal};

/// Code of the unit watt-hour (DLMS/COSEM, table of units).
pub const WATT_HOUR: u8 = 30;

/// The value of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinaryReading {
    /// The OBIS code.
    pub obis: [u8; 6],
    /// The code of the unit.
    pub unit: u8,
    /// The power of ten.
    pub scaler: i8,
    /// The value, to be multiplied with that power.
    pub value: i64,
}

impl BinaryReading {
    /// The reading it stands for: exact, its text in the unit itself (`-1` and `248490` are `24849.0`).
    pub fn at(&self, time: SignedTime, marker: Option<Marker>) -> Reading {
        let value = exact_decimal(&format!("{}e{}", self.value, self.scaler));
        let value_text = value.map_or_else(|| format!("{}e{}", self.value, self.scaler), |value| value.to_string());
        Reading {
            obis: Some(Obis::from_octets(self.obis)),
            value,
            marker,
            ..Reading::plain(hex::encode_upper(self.obis), value_text, unit(self.unit), time)
        }
    }
}

/// The name of a unit (signed-metering-formats.md 17); codes without one keep their number.
fn unit(code: u8) -> String {
    match code {
        WATT_HOUR => "Wh".to_owned(),
        27 => "W".to_owned(),
        7 => "s".to_owned(),
        6 => "min".to_owned(),
        255 => String::new(),
        other => format!("unit {other}"),
    }
}

/// A fixed number of octets at a place of a block; `None` past its end.
pub fn octets_at<const N: usize>(block: &[u8], at: usize) -> Option<[u8; N]> {
    block.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// What a field of octets names, without the zeros that fill it: text where it is printable, otherwise upper-case hex.
pub fn name(field: &[u8]) -> String {
    let filled = field.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    let field = &field[..filled];
    match std::str::from_utf8(field) {
        Ok(text) if field.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ') => text.trim().to_owned(),
        _ => hex::encode_upper(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaler_moves_the_point_and_invents_no_digit() {
        let reading = |value, scaler| {
            BinaryReading {
                obis: [1, 0, 1, 8, 0, 255],
                unit: WATT_HOUR,
                scaler,
                value,
            }
            .at(SignedTime::utc(0), None)
        };
        assert_eq!(reading(248_490, -1).value_text, "24849.0");
        assert_eq!(reading(5, 3).value_text, "5000");
        assert_eq!(reading(i64::MIN, 0).value_text, i64::MIN.to_string());
        assert_eq!(reading(1, 100).value, None);
        assert_eq!(reading(1, -128).value, None);
        assert_eq!(
            reading(1, -1).kilowatt_hours().map(|value| value.to_string()),
            Some("0.0001".to_owned())
        );
        assert_eq!(reading(7, 0).register, "0100010800FF");
    }

    #[test]
    fn names_are_text_where_they_can_be_read_and_hex_where_not() {
        assert_eq!(name(b"04A1B2\0\0\0"), "04A1B2");
        assert_eq!(name(&[0x91, 0x10, 0, 0x05, 0, 0]), "91100005");
        assert_eq!(name(&[0; 20]), "");
    }
}
