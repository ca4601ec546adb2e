//! SML, version 1: a transport with escapes and a checksum, messages in it, and typed values in those (signed-metering-formats.md 7.2, 7.3).
//!
//! Nothing in here is signed as it stands; the readers of the formats take values out and put the signed block together. Everything is bounded by
//! the octets that arrived: a length past their end is an error, never an allocation. The checksum of the transport is compared and remarked on;
//! those of the messages are not looked at, because the signature says more than they could.
//!
//! Start with [`ListResponse::read`].

use crate::metering::record::MAX_CARRIED_TEXT;

/// The sequence that announces begin, end, and itself.
const ESCAPE: [u8; 4] = [0x1B; 4];

/// What follows the first escape: version 1.
const VERSION: [u8; 4] = [0x01; 4];

/// First octet behind the escape that ends the file.
const END: u8 = 0x1A;

/// Deepest nesting of lists. A list response has five levels.
const MAX_DEPTH: usize = 16;

/// Tag of a get-list response.
const LIST_RESPONSE: u64 = 0x0701;

/// Why octets are not SML that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmlError {
    /// Longer than any record.
    #[error("the SML file is longer than any record")]
    TooLong,
    /// No beginning, or no end.
    #[error("the SML file has no begin or no end")]
    Frame,
    /// A value ends beyond the file, or is of no known type.
    #[error("the SML file is cut or broken")]
    Broken,
    /// Lists in lists in lists.
    #[error("the SML file is nested deeper than any record")]
    TooDeep,
    /// It has no list of values, or more than one.
    #[error("the SML file does not hold exactly one list of values")]
    NoList,
    /// The list is not built as the standard says.
    #[error("the list of values in the SML file is not built as one")]
    ListForm,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An optional one that is absent.
    Absent,
    /// The end of a message.
    EndOfMessage,
    /// Octets.
    Octets(Vec<u8>),
    /// A truth value.
    Boolean(bool),
    /// A signed integer.
    Signed(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A list.
    List(Vec<Value>),
}

impl Value {
    /// Its octets, if it is some.
    pub fn octets(&self) -> Option<&[u8]> {
        match self {
            Value::Octets(octets) => Some(octets),
            _ => None,
        }
    }

    /// Its number, if it is an integer of either kind.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Signed(number) => Some(*number),
            Value::Unsigned(number) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    fn list(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) => Some(values),
            _ => None,
        }
    }
}

/// A point in time as SML writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Operating seconds of the meter.
    SecondIndex(u32),
    /// Seconds since 1970, UTC, and the offset of local time in minutes: none for a time that is UTC itself.
    Clock {
        /// Seconds since 1970.
        utc: u32,
        /// Offset of the zone plus that of the season.
        offset_minutes: i32,
    },
}

impl Time {
    fn read(value: &Value) -> Option<Time> {
        let [tag, time] = value.list()? else { return None };
        match (tag.integer()?, time) {
            (1, seconds) => Some(Time::SecondIndex(u32::try_from(seconds.integer()?).ok()?)),
            (2, seconds) => Some(Time::Clock {
                utc: u32::try_from(seconds.integer()?).ok()?,
                offset_minutes: 0,
            }),
            (3, local) => {
                let [utc, zone, season] = local.list()? else {
                    return None;
                };
                let minutes = |value: &Value| value.integer().and_then(|minutes| i16::try_from(minutes).ok());
                Some(Time::Clock {
                    utc: u32::try_from(utc.integer()?).ok()?,
                    offset_minutes: i32::from(minutes(zone)?) + i32::from(minutes(season)?),
                })
            }
            _ => None,
        }
    }
}

/// One entry of the list: a register and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The OBIS code.
    pub name: [u8; 6],
    /// Status bits.
    pub status: Option<u64>,
    /// When.
    pub time: Option<Time>,
    /// Code of the unit.
    pub unit: Option<u8>,
    /// Power of ten.
    pub scaler: Option<i8>,
    /// The value.
    pub value: Value,
    /// The signature of the value alone.
    pub signature: Option<Vec<u8>>,
}

impl Entry {
    fn read(value: &Value) -> Option<Entry> {
        let [name, status, time, unit, scaler, value, signature] = value.list()? else {
            return None;
        };
        // What is there must be of its type; what is not there may be missing.
        fn optional<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
            match value {
                Value::Absent => Some(None),
                there => read(there).map(Some),
            }
        }
        Some(Entry {
            name: name.octets()?.try_into().ok()?,
            status: optional(status, |value| match value {
                Value::Unsigned(bits) => Some(*bits),
                _ => None,
            })?,
            time: optional(time, Time::read)?,
            unit: optional(unit, |value| u8::try_from(value.integer()?).ok())?,
            scaler: optional(scaler, |value| i8::try_from(value.integer()?).ok())?,
            value: value.clone(),
            signature: optional(signature, |value| value.octets().map(<[u8]>::to_vec))?,
        })
    }

    /// The time in the value itself, as the entry of the second index has it: a choice, whose second half is the time.
    pub fn time_in_value(&self) -> Option<Time> {
        let [_, time] = self.value.list()? else { return None };
        Time::read(time).or_else(|| Time::read(&self.value))
    }
}

/// The list of values of a meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListResponse {
    /// Serial number of the meter.
    pub server_id: Vec<u8>,
    /// What list it is.
    pub name: Vec<u8>,
    /// The values.
    pub entries: Vec<Entry>,
    /// The signature of the list, log counter included.
    pub signature: Vec<u8>,
    /// Whether the checksum of the transport is right.
    pub checksum_fits: bool,
}

impl ListResponse {
    /// Reads the one list of an SML file, wherever in the octets it begins.
    ///
    /// # Errors
    /// [`SmlError`]; a register that stands twice is one, because which of the two is meant would be undefined.
    pub fn read(octets: &[u8]) -> Result<ListResponse, SmlError> {
        if octets.len() > MAX_CARRIED_TEXT {
            return Err(SmlError::TooLong);
        }
        let frame = Frame::read(octets)?;
        let mut lists = Vec::new();
        let mut rest = frame.body.as_slice();
        while rest.iter().any(|octet| *octet != 0) {
            let message = next_value(&mut rest, MAX_DEPTH)?;
            let Some([_, _, _, body, _, Value::EndOfMessage]) = message.list() else {
                return Err(SmlError::Broken);
            };
            let Some([tag, content]) = body.list() else {
                return Err(SmlError::Broken);
            };
            if *tag == Value::Unsigned(LIST_RESPONSE) {
                lists.push(content.clone());
            }
        }
        let [list] = lists.as_slice() else {
            return Err(SmlError::NoList);
        };
        ListResponse::of(list, frame.checksum_fits).ok_or(SmlError::ListForm)
    }

    fn of(list: &Value, checksum_fits: bool) -> Option<ListResponse> {
        let [_, server_id, name, _, entries, signature, _] = list.list()? else {
            return None;
        };
        let entries: Vec<Entry> = entries.list()?.iter().map(Entry::read).collect::<Option<_>>()?;
        let mut names: Vec<[u8; 6]> = entries.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        Some(ListResponse {
            server_id: server_id.octets()?.to_vec(),
            name: name.octets().unwrap_or_default().to_vec(),
            entries,
            signature: signature.octets().unwrap_or_default().to_vec(),
            checksum_fits,
        })
    }

    /// The entry of this register.
    pub fn entry(&self, name: [u8; 6]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The integer in the entry of this register.
    pub fn integer(&self, name: [u8; 6]) -> Option<i64> {
        self.entry(name)?.value.integer()
    }
}

/// The transport: what is between the escapes, doubled ones undone.
struct Frame {
    body: Vec<u8>,
    checksum_fits: bool,
}

impl Frame {
    fn read(octets: &[u8]) -> Result<Frame, SmlError> {
        let start = [ESCAPE, VERSION].concat();
        let at = octets
            .windows(start.len())
            .position(|window| window == start)
            .ok_or(SmlError::Frame)?;
        let file = &octets[at..];
        let (words, _) = file.as_chunks::<4>();
        let mut body = Vec::new();
        let mut escaped = false;
        for (index, word) in words.iter().enumerate().skip(2) {
            match (escaped, word) {
                (false, &ESCAPE) => escaped = true,
                (true, &ESCAPE) => {
                    body.extend(ESCAPE);
                    escaped = false;
                }
                (true, &[END, padding, low, high]) => {
                    let kept = body.len().checked_sub(usize::from(padding)).filter(|_| padding < 4);
                    body.truncate(kept.ok_or(SmlError::Frame)?);
                    let checked = &file[..4 * index + 2];
                    return Ok(Frame {
                        body,
                        checksum_fits: checksum(checked) == u16::from_le_bytes([low, high]),
                    });
                }
                (true, _) => return Err(SmlError::Frame),
                (false, word) => body.extend(word),
            }
        }
        Err(SmlError::Frame)
    }
}

/// CRC-16/X-25.
pub fn checksum(octets: &[u8]) -> u16 {
    !octets.iter().fold(0xFFFF, |register, octet| {
        (0..8).fold(register ^ u16::from(*octet), |register: u16, _| {
            (register >> 1) ^ if register & 1 == 1 { 0x8408 } else { 0 }
        })
    })
}

/// Takes one value off the front.
fn next_value(rest: &mut &[u8], depth: usize) -> Result<Value, SmlError> {
    let depth = depth.checked_sub(1).ok_or(SmlError::TooDeep)?;
    let take = |rest: &mut &[u8]| {
        let (first, others) = rest.split_first().ok_or(SmlError::Broken)?;
        *rest = others;
        Ok(*first)
    };
    let first: u8 = take(rest)?;
    if first == 0 {
        return Ok(Value::EndOfMessage);
    }
    let kind = first >> 4 & 0b111;
    let mut length = usize::from(first & 0x0F);
    let mut header = 1;
    let mut more = first & 0x80 != 0;
    while more {
        let next: u8 = take(rest)?;
        if next & 0x70 != 0 {
            return Err(SmlError::Broken);
        }
        length = length << 4 | usize::from(next & 0x0F);
        header += 1;
        more = next & 0x80 != 0;
        if length > MAX_CARRIED_TEXT {
            return Err(SmlError::Broken);
        }
    }
    if kind == 7 {
        // Every element has an octet at least, so a list cannot be longer than what is left.
        if length > rest.len() {
            return Err(SmlError::Broken);
        }
        let mut values = Vec::new();
        for _ in 0..length {
            values.push(next_value(rest, depth)?);
        }
        return Ok(Value::List(values));
    }
    let content = length.checked_sub(header).ok_or(SmlError::Broken)?;
    let (content, others) = rest.split_at_checked(content).ok_or(SmlError::Broken)?;
    *rest = others;
    match (kind, content) {
        (0, []) => Ok(Value::Absent),
        (0, octets) => Ok(Value::Octets(octets.to_vec())),
        (4, [truth]) => Ok(Value::Boolean(*truth != 0)),
        (5, octets) => Ok(Value::Signed(signed(octets).ok_or(SmlError::Broken)?)),
        (6, octets) => Ok(Value::Unsigned(unsigned(octets).ok_or(SmlError::Broken)?)),
        _ => Err(SmlError::Broken),
    }
}

/// A big-endian integer of one to eight octets.
fn unsigned(octets: &[u8]) -> Option<u64> {
    if !(1..=8).contains(&octets.len()) {
        return None;
    }
    Some(octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
}

/// The same with a sign, which a shortened integer has in its own first bit.
fn signed(octets: &[u8]) -> Option<i64> {
    let unused = 64 - 8 * u32::try_from(octets.len()).ok()?.min(8);
    Some((unsigned(octets)? << unused) as i64 >> unused)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// A file around messages that are already encoded.
    fn file(body: &[u8]) -> Vec<u8> {
        crate::metering::sign::records::sml_file(body)
    }

    fn value(octets: &[u8]) -> Result<Value, SmlError> {
        let mut rest = octets;
        let value = next_value(&mut rest, MAX_DEPTH)?;
        assert!(rest.is_empty());
        Ok(value)
    }

    #[test]
    fn the_checksum_is_that_of_x25() {
        assert_eq!(checksum(b"123456789"), 0x906E);
    }

    #[test]
    fn values_are_read_by_their_type_and_length() {
        assert_eq!(value(&[0x01]), Ok(Value::Absent));
        assert_eq!(value(&[0x03, 7, 8]), Ok(Value::Octets(vec![7, 8])));
        assert_eq!(value(&[0x52, 0xFF]), Ok(Value::Signed(-1)));
        assert_eq!(value(&[0x53, 0x80, 0x00]), Ok(Value::Signed(-32768)));
        assert_eq!(value(&[0x62, 0xFF]), Ok(Value::Unsigned(255)));
        assert_eq!(value(&[0x42, 1]), Ok(Value::Boolean(true)));
        assert_eq!(
            value(&[0x72, 0x01, 0x62, 3]),
            Ok(Value::List(vec![Value::Absent, Value::Unsigned(3)]))
        );
        let mut long = vec![0x81, 0x04];
        long.extend([9; 18]);
        assert_eq!(value(&long), Ok(Value::Octets(vec![9; 18])));
    }

    #[test]
    fn a_length_past_the_end_is_an_error_and_not_an_allocation() {
        for broken in [
            &[][..],
            &[0x05, 1],
            &[0x7F],
            &[0xFF, 0x8F, 0x8F, 0x8F, 0x8F, 0x8F, 0x8F, 0x8F, 0x0F],
            &[0x61],
            &[0x6A, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x80],
            &[0x80, 0x00],
            &[0x12, 0],
            &[0x43, 0, 0],
        ] {
            assert!(value(broken).is_err(), "{broken:?}");
        }
        assert_eq!(value(&[0x71; 100]), Err(SmlError::TooDeep));
    }

    #[test]
    fn escapes_inside_are_undone_and_junk_around_is_skipped() {
        let inside = [0x05, 1, 2, 3, 0x1B, 0x1B, 0x1B, 0x1B, 4, 0, 0, 0];
        let written = file(&inside);
        assert_eq!(written.windows(8).filter(|window| *window == [0x1B; 8]).count(), 1);
        let frame = Frame::read(&[b"junk".as_slice(), &written, b"junk"].concat()).unwrap();
        assert!(frame.checksum_fits);
        assert_eq!(frame.body, inside);
        let mut wrong = written.clone();
        *wrong.last_mut().unwrap() ^= 1;
        assert!(!Frame::read(&wrong).unwrap().checksum_fits);
        for end in 0..written.len() {
            assert!(Frame::read(&written[..end]).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_the_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ListResponse::read(&octets);
            let _ = ListResponse::read(&file(&octets));
        }

        #[test]
        fn whatever_is_framed_is_read_back(octets in proptest::collection::vec(prop_oneof![Just(0x1B_u8), any::<u8>()], 0..100)) {
            prop_assert_eq!(Frame::read(&file(&octets)).unwrap().body, octets);
        }
    }
}
