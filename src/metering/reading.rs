//! What every format yields in the end: a register, a value, a unit, and a time with how far that time is trusted.
//!
//! Values are exact decimals, and the text they were read from stays beside them. Times are kept as signed and as the instant they mean.

use chrono::{DateTime, FixedOffset, NaiveDate};
use rust_decimal::Decimal;

/// One reading of one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The register as written, e.g. `1-b:1.8.0` (OCMF `RI`).
    pub register: String,
    /// The register as understood; `None` if the text is no OBIS code.
    pub obis: Option<Obis>,
    /// The value as written, without the blanks around it.
    pub value_text: String,
    /// The value; `None` if it is not a number or does not fit a decimal of 28 digits.
    pub value: Option<Decimal>,
    /// The unit as written, e.g. `kWh`.
    pub unit: String,
    /// When, and how sure the meter is about that.
    pub time: SignedTime,
    /// What happened at that moment.
    pub marker: Option<Marker>,
    /// The state of the meter as written (OCMF `ST`); in hex where it is bits.
    pub status: Option<String>,
    /// What that state means.
    pub condition: Condition,
    /// The meter calls the energy unusable (OCMF `EF` contains `E`).
    pub energy_unusable: bool,
    /// The meter calls the time unusable (OCMF `EF` contains `t`).
    pub time_unusable: bool,
    /// A counter of events at the meter, as written (OCMF before 0.5).
    pub event_counter: Option<String>,
    /// How long the meter had been running, in seconds: a clock that nobody can set (EDL40, Alfen).
    pub operating_seconds: Option<u32>,
    /// Whether this reading is of the register that is billed.
    pub billed: bool,
}

impl Reading {
    /// What a meter without a complaint reads: register, value and unit as written, and nothing else said.
    pub fn plain(
        register: impl Into<String>,
        value_text: impl Into<String>,
        unit: impl Into<String>,
        time: SignedTime,
    ) -> Reading {
        let (register, value_text) = (register.into(), value_text.into());
        Reading {
            obis: Obis::read(&register),
            register,
            value: exact_decimal(&value_text),
            value_text,
            unit: unit.into(),
            time,
            marker: None,
            status: None,
            condition: Condition::Good,
            energy_unusable: false,
            time_unusable: false,
            event_counter: None,
            operating_seconds: None,
            billed: false,
        }
    }

    /// The value in kWh; `None` if it is no energy, no number, or too long to convert exactly.
    pub fn kilowatt_hours(&self) -> Option<Decimal> {
        let exponent = energy_exponent(&self.unit)?;
        let value = self.value?;
        match exponent {
            0 => Some(value),
            // A shift of the decimal point where the scale allows it, so that 1.0 Wh becomes 0.0010 kWh and no digit is invented.
            negative if negative < 0 => {
                let mut shifted = value;
                shifted.set_scale(value.scale() + negative.unsigned_abs()).ok()?;
                Some(shifted)
            }
            positive => value.checked_mul(Decimal::from(10i64.checked_pow(positive.unsigned_abs())?)),
        }
    }

    /// Whether the unit is one of energy.
    pub fn is_energy(&self) -> bool {
        energy_exponent(&self.unit).is_some()
    }
}

/// Whether the meter calls itself well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// It does, or the format lets it report faults and it reports none.
    Good,
    /// It reports a fault.
    Faulty,
    /// The format asks for a word and there is none.
    #[default]
    Unstated,
}

impl Condition {
    /// Reads OCMF's `ST`: `G` is good, in whatever letter case, and every other letter an error.
    pub fn read(status: Option<&str>) -> Condition {
        match status.map(str::trim) {
            None | Some("") => Condition::Unstated,
            Some(status) if status.eq_ignore_ascii_case("G") => Condition::Good,
            Some(_) => Condition::Faulty,
        }
    }
}

/// The power of ten that turns the unit into kWh.
fn energy_exponent(unit: &str) -> Option<i32> {
    match unit.trim().to_ascii_lowercase().as_str() {
        "wh" => Some(-3),
        "kwh" => Some(0),
        "mwh" => Some(3),
        _ => None,
    }
}

/// Reads a decimal number exactly: JSON numbers with or without exponent, and the blank-padded strings some meters write. `None` if it is
/// no number or needs more than the 28 digits a [`Decimal`] holds; never a rounded value.
pub fn exact_decimal(text: &str) -> Option<Decimal> {
    let text = text.trim_matches(' ');
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let mut digits = format!("{whole}{fraction}");
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if digits.bytes().all(|digit| digit == b'0') {
        // Zero keeps its places as far as they can be kept: `0.00` is shown as `0.00`.
        return Some(Decimal::new(0, u32::try_from(scale.clamp(0, 28)).ok()?));
    }
    // More places than fit are dropped only while they are zeros: the value stays exact.
    while scale > 28 && digits.ends_with('0') {
        digits.pop();
        scale -= 1;
    }
    let significant = digits.trim_start_matches('0');
    let padding = usize::try_from(-scale).unwrap_or(0);
    if !(0..=28).contains(&scale.max(0)) || significant.len().checked_add(padding)? > 29 {
        return None;
    }
    let mut number: i128 = significant.parse().ok()?;
    for _ in 0..padding {
        number = number.checked_mul(10)?;
    }
    Decimal::try_from_i128_with_scale(
        if negative { -number } else { number },
        u32::try_from(scale.max(0)).ok()?,
    )
    .ok()
}

/// An OBIS code `A-B:C.D.E*F`. `None` stands for a group that is missing or a placeholder letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obis {
    /// Medium; 1 is electricity.
    pub a: u8,
    /// Channel.
    pub b: Option<u8>,
    /// Quantity.
    pub c: u8,
    /// Kind of measurement; 8 is an integral over time.
    pub d: u8,
    /// Tariff or phase.
    pub e: Option<u8>,
    /// Storage.
    pub f: Option<u8>,
}

impl Obis {
    /// Reads the spellings of the field (signed-metering-formats.md 5.4): `1-0:1.8.0`, `01-00:01.08.00*FF`, `01-00:98.08.00.FF`, `1-b:1.8.e`,
    /// `1-0:1.8.0*198`, `0100010800FF`. Groups are hexadecimal, except a last group of three digits.
    pub fn read(text: &str) -> Option<Obis> {
        let text = text.trim();
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let group = |index: usize| u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok();
            return Some(Obis {
                a: group(0)?,
                b: group(1),
                c: group(2)?,
                d: group(3)?,
                e: group(4),
                f: group(5),
            });
        }
        let (medium, rest) = text.split_once('-')?;
        let (channel, rest) = rest.split_once(':')?;
        let mut groups = rest.split(['.', '*']);
        let (quantity, kind) = (groups.next()?, groups.next()?);
        let (tariff, storage) = (groups.next(), groups.next());
        if groups.next().is_some() {
            return None;
        }
        Some(Obis {
            a: hexadecimal(medium)?,
            b: optional(channel, "b")?,
            c: hexadecimal(quantity)?,
            d: hexadecimal(kind)?,
            e: optional(tariff.unwrap_or_default(), "e")?,
            f: storage_group(storage.unwrap_or_default())?,
        })
    }

    /// The code in its six octets.
    pub fn from_octets([a, b, c, d, e, f]: [u8; 6]) -> Obis {
        Obis {
            a,
            b: Some(b),
            c,
            d,
            e: Some(e),
            f: Some(f),
        }
    }

    /// Whether energy of this register may be billed (signed-metering-formats.md 5.4, 17): electricity, an energy total, and one of import,
    /// compensated import, the mains and device registers of OCMF 1.4, or the import that EMH signs. Export (`2.8.0`) is not.
    pub fn may_be_billed(self) -> bool {
        let is_total = self.d == 8 && matches!(self.c, 0x01 | 0x98 | 0x9E | 0xB0..=0xC7);
        self.a == 1 && (is_total || self.is_emh_import())
    }

    /// `1-0:1.17.0`: what EMH meters sign, with the compensated value in storage 200 (8, 17).
    fn is_emh_import(self) -> bool {
        self.c == 0x01 && self.d == 0x11
    }

    /// Whether losses of the cable are already taken out. Such a register is billed before any other.
    pub fn is_compensated(self) -> bool {
        matches!(self.c, 0x98 | 0xB1 | 0xB3 | 0xC1 | 0xC3) || (self.is_emh_import() && self.f == Some(0xC8))
    }

    /// Whether it counts what flows out of the vehicle.
    pub fn is_export(self) -> bool {
        matches!(self.c, 0xC0..=0xC7)
    }

    /// Whether it starts from zero with every transaction.
    pub fn is_of_transaction(self) -> bool {
        matches!(self.c, 0xB2 | 0xB3 | 0xC2 | 0xC3)
    }

    /// Whether two codes can mean the same register: a group that one of them leaves open does not tell them apart.
    pub fn is_same_register(self, other: Obis) -> bool {
        let open_or_equal = |mine: Option<u8>, theirs: Option<u8>| mine.is_none() || theirs.is_none() || mine == theirs;
        (self.a, self.c, self.d) == (other.a, other.c, other.d)
            && open_or_equal(self.b, other.b)
            && open_or_equal(self.e, other.e)
            && open_or_equal(self.f, other.f)
    }
}

fn hexadecimal(group: &str) -> Option<u8> {
    (matches!(group.len(), 1 | 2) && group.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| u8::from_str_radix(group, 16).ok())
        .flatten()
}

/// A group that may be absent or a placeholder letter. The outer `None` means: not an OBIS code at all.
fn optional(group: &str, placeholder: &str) -> Option<Option<u8>> {
    if group.is_empty() || group.eq_ignore_ascii_case(placeholder) {
        Some(None)
    } else {
        hexadecimal(group).map(Some)
    }
}

/// `*255` and `*198` are decimal although every other group is hexadecimal: a group of three digits cannot be anything else.
fn storage_group(group: &str) -> Option<Option<u8>> {
    match group.len() {
        3 => group.parse::<u8>().ok().map(Some),
        _ => optional(group, "f"),
    }
}

/// How far the meter vouches for its clock (OCMF `TM`, last letter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeStatus {
    /// `U`: the clock was never set.
    Unknown,
    /// `I`: for information only.
    Informative,
    /// `S`: synchronised.
    Synchronised,
    /// `R`: counted from the begin; the duration is exact, the instant informative.
    Relative,
    /// No letter, or one that the format does not know.
    Unstated,
    /// The format has no grades: the time stands in the record like everything else.
    Ungraded,
    /// Local time without an offset: which instant it means is not said.
    Unzoned,
}

impl TimeStatus {
    /// The word for verdicts.
    pub fn as_str(self) -> &'static str {
        match self {
            TimeStatus::Unknown => "UNKNOWN",
            TimeStatus::Informative => "INFORMATIVE",
            TimeStatus::Synchronised => "SYNCHRONISED",
            TimeStatus::Relative => "RELATIVE",
            TimeStatus::Unstated => "UNSTATED",
            TimeStatus::Ungraded => "UNGRADED",
            TimeStatus::Unzoned => "UNZONED",
        }
    }
}

/// A time as it was signed, and the instant it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTime {
    /// As written, status letter included.
    pub text: String,
    /// The instant; `None` if the text is not a time.
    pub instant: Option<DateTime<FixedOffset>>,
    /// How far it is trusted.
    pub status: TimeStatus,
}

impl SignedTime {
    /// Reads OCMF's `YYYY-MM-DDThh:mm:ss,mmm±hhmm S`; a point instead of the comma, a colon in the offset, `Z`, fewer or more places and a
    /// missing status letter are forgiven.
    pub fn read(text: &str) -> SignedTime {
        let trimmed = text.trim();
        let (moment, letter) = trimmed.rsplit_once(' ').unwrap_or((trimmed, ""));
        let status = match letter.trim() {
            "U" => TimeStatus::Unknown,
            "I" => TimeStatus::Informative,
            "S" => TimeStatus::Synchronised,
            "R" => TimeStatus::Relative,
            _ => TimeStatus::Unstated,
        };
        SignedTime {
            text: text.to_owned(),
            instant: instant(moment.trim()),
            status,
        }
    }

    /// Seconds since 1970 in UTC, of a format that has no grades.
    pub fn utc(seconds: u32) -> SignedTime {
        SignedTime::with_offset(i64::from(seconds), 0)
    }

    /// Seconds since 1970 in UTC with the offset of local time in minutes, of a format that has no grades.
    pub fn with_offset(seconds: i64, offset_minutes: i32) -> SignedTime {
        let instant = offset_minutes
            .checked_mul(60)
            .and_then(FixedOffset::east_opt)
            .zip(DateTime::from_timestamp(seconds, 0))
            .map(|(offset, instant)| instant.with_timezone(&offset));
        SignedTime {
            text: instant.map_or_else(|| seconds.to_string(), |instant| instant.to_rfc3339()),
            instant,
            status: TimeStatus::Ungraded,
        }
    }

    /// Seconds of local time since 1970, wherever that is. The instant is that of UTC: good for comparing with each other, for nothing else.
    pub fn local(seconds: u32) -> SignedTime {
        let mut time = SignedTime::utc(seconds);
        if let Some(instant) = time.instant {
            time.text = instant.format("%Y-%m-%dT%H:%M:%S").to_string();
        }
        time.status = TimeStatus::Unzoned;
        time
    }

    /// Whether the time can be held against another clock: the meter vouches for it, or the format has nothing by which it could not.
    pub fn is_dependable(&self) -> bool {
        matches!(
            self.status,
            TimeStatus::Synchronised | TimeStatus::Relative | TimeStatus::Ungraded
        )
    }
}

fn instant(text: &str) -> Option<DateTime<FixedOffset>> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let mut date = date.splitn(3, '-').map(number);
    let date = NaiveDate::from_ymd_opt(i32::try_from(date.next()??).ok()?, date.next()??, date.next()??)?;
    let zone_at = rest.find(['+', '-', 'Z', 'z'])?;
    let (clock, zone) = rest.split_at(zone_at);
    let (clock, fraction) = clock.split_once([',', '.']).unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let nanoseconds = match fraction.len() {
        0 => 0,
        places @ 1..=9 => number(fraction)?.checked_mul(10u32.pow(9 - places as u32))?,
        _ => return None,
    };
    let local = date.and_hms_nano_opt(hour, minute, second, nanoseconds)?;
    local.and_local_timezone(offset(zone)?).single()
}

fn offset(zone: &str) -> Option<FixedOffset> {
    if zone.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let digits: String = zone.chars().skip(1).filter(|c| *c != ':').collect();
    if digits.len() != 4 {
        return None;
    }
    let digits = number(&digits)?;
    let (hours, minutes) = (digits / 100, digits % 100);
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    FixedOffset::east_opt(if zone.starts_with('-') { -seconds } else { seconds })
}

fn number(digits: &str) -> Option<u32> {
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

/// What happened when the reading was taken (OCMF `TX`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// `B`
    Begin,
    /// `C`
    Charging,
    /// `X`: from here on energy or time cannot be used.
    Exception,
    /// `E`
    End,
    /// `L`: ended at the station.
    LocalEnd,
    /// `R`: ended from afar.
    RemoteEnd,
    /// `A`
    Abort,
    /// `P`: ended by a power failure.
    PowerFailure,
    /// `S`
    Suspended,
    /// `T`
    TariffChange,
    /// Anything else, as written.
    Other(String),
}

impl Marker {
    /// Reads the letter.
    pub fn read(text: &str) -> Marker {
        match text.trim() {
            "B" => Marker::Begin,
            "C" => Marker::Charging,
            "X" => Marker::Exception,
            "E" => Marker::End,
            "L" => Marker::LocalEnd,
            "R" => Marker::RemoteEnd,
            "A" => Marker::Abort,
            "P" => Marker::PowerFailure,
            "S" => Marker::Suspended,
            "T" => Marker::TariffChange,
            _ => Marker::Other(text.to_owned()),
        }
    }

    /// Whether the session ended here, in whatever way.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Marker::End | Marker::LocalEnd | Marker::RemoteEnd | Marker::Abort | Marker::PowerFailure
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_exact_or_not_there() {
        let shown = |text: &str| exact_decimal(text).map(|number| number.to_string());
        assert_eq!(shown("      49.440").as_deref(), Some("49.440"));
        assert_eq!(shown("1.0e3").as_deref(), Some("1000"));
        assert_eq!(shown("1.0105E3").as_deref(), Some("1010.5"));
        assert_eq!(shown("25e-2").as_deref(), Some("0.25"));
        assert_eq!(shown("-0.5").as_deref(), Some("-0.5"));
        assert_eq!(shown("0.00").as_deref(), Some("0.00"));
        assert_eq!(
            shown("0.10000000000000000001").as_deref(),
            Some("0.10000000000000000001")
        );
        assert_eq!(
            shown("79228162514264337593543950335").as_deref(),
            Some("79228162514264337593543950335")
        );
        for too_long in [
            "79228162514264337593543950336",
            "0.12345678901234567890123456789",
            "1e40",
            "1e-40",
            "1e2147483647",
            "1e-2147483648",
        ] {
            assert_eq!(exact_decimal(too_long), None, "{too_long}");
        }
        for nonsense in ["", ".", "-", "1,5", "0x10", "NaN", "1e", "1e1.5", "٣", "1 2"] {
            assert_eq!(exact_decimal(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn watt_hours_become_kilowatt_hours_without_losing_a_digit() {
        let reading = |value: &str, unit: &str| Reading::plain("1-0:1.8.0", value, unit, SignedTime::read(""));
        assert_eq!(
            reading("2850685", "Wh").kilowatt_hours().unwrap().to_string(),
            "2850.685"
        );
        assert_eq!(reading("3.988", "kWh").kilowatt_hours().unwrap().to_string(), "3.988");
        assert_eq!(reading("0.0015", "MWh").kilowatt_hours().unwrap().to_string(), "1.5000");
        assert_eq!(reading("5400", "sec").kilowatt_hours(), None);
    }

    #[test]
    fn every_spelling_of_a_register_in_the_field_is_read() {
        let active_import = Obis::read("1-0:1.8.0").unwrap();
        for spelling in [
            "1-b:1.8.0",
            "1-b:1.8.e",
            "01-00:01.08.00.FF",
            "01-00:01.08.00*FF",
            "1-0:1.8.0*255",
            "0100010800FF",
            "1-0:1.8.0*198",
        ] {
            let obis = Obis::read(spelling).unwrap();
            assert!(
                obis.may_be_billed() && obis.is_same_register(active_import),
                "{spelling}"
            );
        }
        assert_eq!(Obis::read("1-0:1.8.0*198").unwrap().f, Some(198));
        assert!(
            !Obis::read("1-0:1.8.0*198")
                .unwrap()
                .is_same_register(Obis::read("1-0:1.8.0*255").unwrap())
        );
        assert!(Obis::read("01-00:B1.08.00*FF").unwrap().is_compensated());
        assert!(!Obis::read("1-0:2.8.0").unwrap().may_be_billed());
        assert!(!Obis::read("00-00:01.08.FF*FF").unwrap().may_be_billed());
        for nonsense in [
            "1-b",
            "",
            "-:..",
            "1-0:1",
            "1-0:1.8.0.255.7",
            "1-0:001.8.0",
            "1-0:ß.8.0",
            "0100010800Fß",
        ] {
            assert_eq!(Obis::read(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn wall_clocks_become_instants() {
        let time = SignedTime::read("2025-10-26T02:50:00,000+0200 S");
        assert_eq!(time.instant.unwrap().to_rfc3339(), "2025-10-26T02:50:00+02:00");
        assert_eq!(time.status, TimeStatus::Synchronised);
        assert!(time.instant < SignedTime::read("2025-10-26T02:10:00,000+0100 S").instant);
        assert_eq!(SignedTime::read("2025-05-01T08:00:00Z").status, TimeStatus::Unstated);
        assert!(SignedTime::read("2025-05-01T08:00:00.5+02:00 R").instant.is_some());
        for nonsense in [
            "",
            "S",
            "2025-13-01T08:00:00,000+0200 S",
            "2025-05-01T25:00:00,000+0200 S",
            "2025-05-01T08:00:00,000+9900 S",
            "T+",
        ] {
            assert_eq!(SignedTime::read(nonsense).instant, None, "{nonsense:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,40}", numeric in "[-+0-9.eE ]{0,45}", obis in "[-0-9a-fA-Fbe:.*]{0,20}", time in "[-0-9T:,.+Z USIR]{0,40}") {
            for text in [&text, &numeric, &obis, &time] {
                exact_decimal(text);
                Obis::read(text);
                SignedTime::read(text);
            }
        }

        #[test]
        fn a_decimal_that_is_read_is_the_number_that_was_written(number in any::<i64>(), scale in 0u32..19) {
            let written = Decimal::new(number, scale).to_string();
            prop_assert_eq!(exact_decimal(&written).unwrap().to_string(), written);
        }
    }
}
