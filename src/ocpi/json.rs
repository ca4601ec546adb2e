//! JSON as text: is it JSON at all, what are its top-level members, and do two documents say the same?
//!
//! One walk over the bytes, no tree. Nesting is limited, so that no body can exhaust the stack. serde_json's own number type
//! cannot serve here: with exact numbers switched on it mistakes an object with a certain member name for a number.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::number;
use super::refusal::Refusal;

/// Containers may be nested this deep, less one: the depth serde_json stops at, 30 times that of any OCPI object.
pub const DEPTH_LIMIT: usize = 128;

/// A list or an object may have this many elements: the charging periods of a day if one begins every other second.
pub const MOST_ELEMENTS: usize = 50_000;

/// Why a body is not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonError {
    /// Not valid UTF-8, counted in bytes from the start.
    #[error("the body is not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// Not valid JSON, counted in bytes from the start.
    #[error("the body is not valid JSON at byte {0}")]
    Syntax(usize),
    /// Valid so far, but nested too deep.
    #[error("the body is nested deeper than {} levels", DEPTH_LIMIT - 1)]
    TooDeep,
    /// A list or an object with more elements than [`MOST_ELEMENTS`].
    #[error("a list or an object of the body has more than {} elements", MOST_ELEMENTS)]
    TooLong,
    /// JSON, but not an object where one is needed.
    #[error("the document must be an object")]
    NotAnObject,
    /// JSON, but something else stands where a list is needed.
    #[error("something else stands where a list is needed")]
    NotAList,
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::NotAnObject => Refusal::invalid("", "must be an object"),
            JsonError::NotAList => Refusal::invalid("", error.to_string()),
            JsonError::TooLong => Refusal::too_large(error.to_string()),
            _ => Refusal::malformed(error.to_string()),
        }
    }
}

/// The members of the object that `body` is, in their order, repeated names included.
///
/// # Errors
/// [`JsonError`]; nothing is returned of a document that is broken further down.
pub fn top_level(body: &[u8]) -> Result<Vec<(String, &RawValue)>, JsonError> {
    let mut members = Vec::new();
    each_member(body, |walk, name| {
        let start = walk.at;
        let value = serde_json::from_str(walk.value()?).map_err(|_| JsonError::Syntax(start))?;
        members.push((name.into_owned(), value));
        Ok(())
    })?;
    Ok(members)
}

/// The names of the members of the object that `body` is, sorted, repeated ones included.
pub(crate) fn sorted_names(body: &[u8]) -> Result<Vec<Cow<'_, str>>, JsonError> {
    let mut names = Vec::with_capacity(32);
    each_member(body, |walk, name| {
        names.push(name);
        walk.skip()
    })?;
    names.sort_unstable();
    Ok(names)
}

fn each_member<'a>(
    body: &'a [u8],
    member: impl FnMut(&mut Walk<'a>, Cow<'a, str>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    let mut walk = Walk::over(body)?;
    if walk.peek() != Some(b'{') {
        walk.document()?;
        return Err(JsonError::NotAnObject);
    }
    walk.object(member)?;
    walk.end()
}

/// Checks that `body` is one JSON value and nothing else.
///
/// # Errors
/// [`JsonError`], never [`JsonError::NotAnObject`].
pub fn check_syntax(body: &[u8]) -> Result<(), JsonError> {
    Walk::over(body)?.document()
}

/// Checks that no list and no object in `body` is longer than [`MOST_ELEMENTS`]. Whether it is JSON is for others to say; for what is none,
/// the answer means nothing.
///
/// # Errors
/// [`JsonError::TooLong`], and [`JsonError::TooDeep`].
pub fn check_lengths(body: &[u8]) -> Result<(), JsonError> {
    // An element and its comma are two octets: most bodies need no look.
    if body.len() < 2 * MOST_ELEMENTS {
        return Ok(());
    }
    let mut commas = [0_usize; DEPTH_LIMIT];
    let mut depth = 0;
    let mut octets = body.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'"' => {
                while let Some(inner) = octets.next() {
                    match inner {
                        b'\\' => drop(octets.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'[' | b'{' => {
                depth += 1;
                *commas.get_mut(depth).ok_or(JsonError::TooDeep)? = 0;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => {
                if let Some(commas) = commas.get_mut(depth) {
                    *commas += 1;
                    if *commas >= MOST_ELEMENTS {
                        return Err(JsonError::TooLong);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// SHA-256 over what `body` says rather than how it is written: equal JSON values have equal digests.
///
/// Order of members, white space, escapes in strings and the spelling of numbers do not matter. Numbers are compared exactly.
/// A repeated member counts with every one of its values, in their order, because readers differ in which one they take.
///
/// # Errors
/// [`JsonError`], never [`JsonError::NotAnObject`].
pub fn digest(body: &[u8]) -> Result<[u8; 32], JsonError> {
    let mut walk = Walk::over(body)?;
    let mut content = Vec::with_capacity(body.len().saturating_mul(2).min(16_384));
    walk.content(&mut content)?;
    walk.end()?;
    Ok(Sha256::digest(&content).into())
}

/// A place in a JSON text. All readers start behind white space and end behind it.
pub(super) struct Walk<'a> {
    text: &'a str,
    at: usize,
    /// Where the last token ended, before the white space behind it.
    token_end: usize,
    /// Where the name of the member began whose value is next.
    name_start: usize,
    depth: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn over(body: &'a [u8]) -> Result<Self, JsonError> {
        std::str::from_utf8(body)
            .map(Self::over_text)
            .map_err(|error| JsonError::NotUtf8(error.valid_up_to()))
    }

    pub(super) fn over_text(text: &'a str) -> Self {
        let mut walk = Self {
            text,
            at: 0,
            token_end: 0,
            name_start: 0,
            depth: 0,
        };
        walk.blank();
        walk
    }

    fn document(mut self) -> Result<(), JsonError> {
        self.skip()?;
        self.end()
    }

    pub(super) fn end(&self) -> Result<(), JsonError> {
        if self.at == self.text.len() {
            Ok(())
        } else {
            self.wrong()
        }
    }

    fn wrong<T>(&self) -> Result<T, JsonError> {
        Err(JsonError::Syntax(self.at))
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Where the reader stands, in bytes from the start.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Where the name of a member began; to be asked before its value is read.
    pub(super) fn name_start(&self) -> usize {
        self.name_start
    }

    /// The text of the value that began at `start` and has just been read, without the white space behind it.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.token_end).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The end of a token: goes past the white space behind it.
    fn blank(&mut self) {
        self.token_end = self.at;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes `byte` if it is next, with the white space behind it.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
            self.blank();
        }
        found
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.rest().starts_with(word.as_bytes()) {
            return self.wrong();
        }
        self.at += word.len();
        self.blank();
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), JsonError> {
        self.depth += 1;
        if self.depth < DEPTH_LIMIT {
            Ok(())
        } else {
            Err(JsonError::TooDeep)
        }
    }

    /// The text of one value of any kind, without the white space behind it.
    pub(super) fn value(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        self.skip()?;
        Ok(self.since(start))
    }

    /// Goes past one value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => self.object(|walk, _| walk.skip()),
            Some(b'[') => self.array(Self::skip),
            Some(b'"') => self.skip_string(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.number().map(drop),
        }
    }

    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.deeper()?;
        self.take(b'{');
        if !self.take(b'}') {
            loop {
                self.name_start = self.at;
                let name = self.string()?;
                if !self.take(b':') {
                    return self.wrong();
                }
                member(self, name)?;
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return self.wrong();
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.deeper()?;
        self.take(b'[');
        if !self.take(b']') {
            loop {
                element(self)?;
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return self.wrong();
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        // A zero is a whole part by itself: 01 is two tokens, and the second one is out of place.
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        self.blank();
        Ok(text)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return self.wrong();
        }
        self.at += digits;
        Ok(())
    }

    /// Goes past a string without decoding it.
    fn skip_string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            self.at += plain_length(self.rest());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                _ => return self.wrong(),
            }
        }
        self.at += 1;
        self.blank();
        Ok(())
    }

    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        if self.peek() != Some(b'"') {
            return self.wrong();
        }
        self.at += 1;
        let plain = self.plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            self.blank();
            return Ok(Cow::Borrowed(plain));
        }
        // At most what is left, and no more than a signed reading: growing step by step would copy it several times.
        let mut value = String::with_capacity(plain.len() + self.rest().len().min(4096));
        value.push_str(plain);
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    value.push(self.escape()?);
                }
                _ => return self.wrong(),
            }
            value.push_str(self.plain());
        }
        self.at += 1;
        self.blank();
        Ok(Cow::Owned(value))
    }

    /// Characters up to the next quote, escape or control character. All three are ASCII, so the cut is between characters.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        self.at += plain_length(self.rest());
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let Some(letter) = self.peek() else {
            return self.wrong();
        };
        let character = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return self.wrong(),
        };
        self.at += 1;
        Ok(character)
    }

    /// Behind `\u`: four hex digits, or two times four for a character beyond the basic plane.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.rest().starts_with(b"\\u") {
                return self.wrong();
            }
            self.at += 2;
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return self.wrong();
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        // Half a surrogate pair stands for no character and is refused here.
        char::from_u32(code).ok_or(JsonError::Syntax(self.at))
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self
            .rest()
            .get(..4)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(text) = digits.and_then(|digits| std::str::from_utf8(digits).ok()) else {
            return self.wrong();
        };
        let code = u32::from_str_radix(text, 16).map_err(|_| JsonError::Syntax(self.at))?;
        self.at += 4;
        Ok(code)
    }

    /// Appends the canonical content of one value. Each begins with a letter for its kind and says where it ends, so that no
    /// two values share a spelling.
    fn content(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => {
                let start = out.len();
                let mut members: Vec<(Cow<'a, str>, Range<usize>)> = Vec::with_capacity(8);
                out.push(b'o');
                self.object(|walk, name| {
                    let member = out.len();
                    measured(out, b'm', name.as_bytes());
                    walk.content(out)?;
                    members.push((name, member..out.len()));
                    Ok(())
                })?;
                sort(out, start + 1, members);
                out.push(b'e');
                fold(out, start);
            }
            Some(b'[') => {
                let start = out.len();
                out.push(b'a');
                self.array(|walk| walk.content(out))?;
                out.push(b'e');
                fold(out, start);
            }
            Some(b'"') => measured(out, b's', self.string()?.as_bytes()),
            Some(word @ (b't' | b'f' | b'n')) => {
                out.push(word);
                self.skip()?;
            }
            _ => {
                let at = self.at;
                let number = self.number()?;
                out.push(b'd');
                number::write_canonical(number, out).ok_or(JsonError::Syntax(at))?;
                out.push(b'e');
            }
        }
        Ok(())
    }
}

/// How many bytes from the start are neither quote nor backslash nor control character, eight at a time: most of a CDR is
/// strings.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The lowest high bit set marks the first byte that is zero; only bytes above it may be marked wrongly.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let special = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        let marked = (control | special) & (ONES * 0x80);
        if marked != 0 {
            return index * 8 + marked.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8
        + tail
            .iter()
            .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f))
            .count()
}

fn measured(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&(content.len() as u64).to_be_bytes());
    out.extend_from_slice(content);
}

/// Puts the members written from `start` on in the order of their names. Repeated members stay in the order in which a
/// reader meets them.
fn sort(out: &mut Vec<u8>, start: usize, mut members: Vec<(Cow<'_, str>, Range<usize>)>) {
    if members.is_sorted_by(|one, other| one.0 <= other.0) {
        return;
    }
    members.sort_by(|one, other| one.0.cmp(&other.0));
    let mut sorted = Vec::with_capacity(out.len() - start);
    for (_, member) in members {
        sorted.extend_from_slice(out.get(member).unwrap_or_default());
    }
    out.truncate(start);
    out.append(&mut sorted);
}

/// Containers of more than 1 KiB are represented by their hash: sorting a large body again at every level would otherwise cost
/// its size times its depth.
fn fold(out: &mut Vec<u8>, start: usize) {
    let content = out.get(start..).unwrap_or_default();
    if content.len() > 1024 {
        let hash = Sha256::digest(content);
        out.truncate(start);
        out.push(b'h');
        out.extend_from_slice(&hash);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::ocpi::refusal::Situation;

    fn same(one: &str, other: &str) -> bool {
        digest(one.as_bytes()).unwrap() == digest(other.as_bytes()).unwrap()
    }

    #[test]
    fn lists_and_objects_have_a_longest_length_wherever_they_stand() {
        let list = |elements: usize| format!("[{}1]", "1,".repeat(elements - 1));
        let object = |members: usize| format!("{{{}\"z\":1}}", "\"a\":1,".repeat(members - 1));
        for made in [list, object] {
            assert_eq!(check_lengths(made(MOST_ELEMENTS).as_bytes()), Ok(()));
            let long = made(MOST_ELEMENTS + 1);
            for around in [
                long.clone(),
                format!("{{\"a\":[1,{long}]}}"),
                format!("[[1,2],{{}},{long},1]"),
            ] {
                assert_eq!(check_lengths(around.as_bytes()), Err(JsonError::TooLong));
            }
        }
        // Each by itself is short, and a comma in a text separates nothing.
        let many = format!("[{},{}]", list(MOST_ELEMENTS), list(MOST_ELEMENTS));
        assert_eq!(check_lengths(many.as_bytes()), Ok(()));
        let text = format!("[\"{}\\\",[{{\",2]", ",".repeat(4 * MOST_ELEMENTS));
        assert_eq!(check_lengths(text.as_bytes()), Ok(()));
        let deep = "[".repeat(4 * MOST_ELEMENTS);
        assert_eq!(check_lengths(deep.as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(Refusal::from(JsonError::TooLong).situation, Situation::TooLarge);
    }

    // CDR-11, design.md 3.6.2
    #[test]
    fn documents_that_say_the_same_have_the_same_digest() {
        for (one, other) in [
            (
                r#"{"a":1,"b":[true,null]}"#,
                "{ \"b\" : [ true , null ] ,\n\t\"a\" : 1.0 }",
            ),
            (r#"{"a":"\u00e4\/\n"}"#, "{\"a\":\"ä/\\n\"}"),
            (r#""\ud83d\ude00""#, "\"😀\""),
            ("[10e-1]", "[1]"),
            ("-0", "0.000"),
            (r#"{"a":{"c":1,"b":2}}"#, r#"{"a":{"b":2,"c":1}}"#),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn documents_that_say_something_else_have_another_digest() {
        for (one, other) in [
            ("1", "\"1\""),
            ("[1,2]", "[2,1]"),
            ("[[1],2]", "[[1,2]]"),
            ("[]", "{}"),
            ("[\"\"]", "[]"),
            ("null", "false"),
            (r#"{"a":1}"#, r#"{"A":1}"#),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
            ("0.10000000000000000001", "0.1"),
            ("1e400", "1e401"),
            (r#"{"$serde_json::private::Number":"1"}"#, "1"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_large_part_is_compared_like_a_small_one() {
        let long = "x".repeat(3000);
        let one = format!(r#"{{"a":["{long}",1],"b":2}}"#);
        assert!(same(&one, &format!(r#"{{"b":2.0,"a":["{long}",1e0]}}"#)));
        assert!(!same(&one, &format!(r#"{{"b":2,"a":["{long}",1.5]}}"#)));
    }

    #[test]
    fn top_level_members_keep_order_text_and_repetitions() {
        let body = br#" { "b" : 1.50 , "\u0061":[1, 2],"b":{"c": null} } "#;
        let members = top_level(body).unwrap();
        let seen: Vec<_> = members
            .iter()
            .map(|(name, value)| (name.as_str(), value.get()))
            .collect();
        assert_eq!(seen, [("b", "1.50"), ("a", "[1, 2]"), ("b", r#"{"c": null}"#)]);
        assert!(top_level(b"{}").unwrap().is_empty());
    }

    // T-22
    #[test]
    fn what_is_not_json_is_told_apart_from_what_is_no_object() {
        assert_eq!(top_level(b"[1]").unwrap_err(), JsonError::NotAnObject);
        assert_eq!(top_level(b"[1").unwrap_err(), JsonError::Syntax(2));
        assert_eq!(top_level(b"{\"a\":}").unwrap_err(), JsonError::Syntax(5));
        assert_eq!(top_level(b"{\"a\":1} x").unwrap_err(), JsonError::Syntax(8));
        assert_eq!(top_level(b"{\"a\":\"\xff\"}").unwrap_err(), JsonError::NotUtf8(6));
        assert_eq!(
            Refusal::from(JsonError::Syntax(2)).situation,
            super::super::Situation::Malformed
        );
        assert_eq!(
            Refusal::from(JsonError::NotAnObject).situation,
            super::super::Situation::InvalidParameter
        );
    }

    #[test]
    fn a_body_nested_without_end_is_refused_and_does_not_exhaust_the_stack() {
        for depth in [127, 128, 1_000_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let body = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let expected = if depth < DEPTH_LIMIT {
                    Ok(())
                } else {
                    Err(JsonError::TooDeep)
                };
                assert_eq!(check_syntax(body.as_bytes()), expected, "{depth}");
                assert_eq!(digest(body.as_bytes()).map(drop), expected, "{depth}");
            }
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[a-e\"\\\\\n]{0,2}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same value written backwards, with blanks and with every character escaped.
    fn differently(value: &Value) -> String {
        let escaped = |text: &str| {
            let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            format!("\"{units}\"")
        };
        match value {
            Value::Object(members) => {
                let members: Vec<_> = members
                    .iter()
                    .rev()
                    .map(|(name, value)| format!(" {} : {}", escaped(name), differently(value)))
                    .collect();
                format!("{{{} }}", members.join(" ,"))
            }
            Value::Array(elements) => {
                format!(
                    "[ {}\n]",
                    elements.iter().map(differently).collect::<Vec<_>>().join("\r,\t")
                )
            }
            Value::String(text) => escaped(text),
            Value::Number(number) => format!("{number}.00E+0"),
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn eight_bytes_at_a_time_find_the_same_end_as_one(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'x'), Just(b'"'), 0x1e_u8..0x24, 0x5b_u8..0x5e], 0..40),
            plain in 0_usize..40,
        ) {
            let bytes = [vec![0xa2; plain], bytes].concat();
            let one_by_one = bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            prop_assert_eq!(plain_length(&bytes), one_by_one);
        }

        #[test]
        fn writing_a_value_differently_does_not_change_its_digest(value in json_value()) {
            prop_assert!(same(&value.to_string(), &differently(&value)));
        }

        #[test]
        fn digests_agree_exactly_when_values_do(one in json_value(), other in json_value()) {
            prop_assert_eq!(same(&one.to_string(), &other.to_string()), one == other);
        }

        #[test]
        fn we_accept_exactly_the_documents_serde_json_accepts(
            text in "[\\[\\]{}:,\"\\\\a-fnrtu0-9eE.+ -]{0,12}", value in json_value(), cut in any::<prop::sample::Index>(),
        ) {
            let whole = value.to_string();
            let mut damaged = whole.clone().into_bytes();
            damaged.truncate(cut.index(damaged.len() + 1));
            for body in [text.as_bytes(), whole.as_bytes(), &damaged] {
                let theirs = serde_json::from_slice::<Value>(body).is_ok();
                prop_assert_eq!(check_syntax(body).is_ok(), theirs, "{:?}", String::from_utf8_lossy(body));
                prop_assert_eq!(digest(body).is_ok(), theirs);
            }
        }

        #[test]
        fn no_bytes_make_the_walk_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = (check_syntax(&bytes), digest(&bytes), top_level(&bytes));
        }
    }
}
