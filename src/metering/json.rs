//! JSON the way a signer wrote it: slices of the text, never a tree and never written again.
//!
//! A signature covers octets, a bill depends on every digit. So a value here is the slice it was read from: numbers stay text, members stay
//! in order, a member that appears twice is seen twice. Only the levels somebody asks for are taken apart, which also keeps a hostile
//! document from costing more memory than its own length.
//!
//! Recursion is bounded by [`MAX_DEPTH`]; nothing here panics on any input. The reader of message bodies is another one, in `ocpi`: the two rooms do
//! not know each other, and where they would have to agree a fuzz target (`metering_json`) holds one against the other.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// How deep objects and arrays may nest. The deepest record or CDR seen in the field nests six levels.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not JSON, and the byte where that became clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {at}")]
pub struct JsonError {
    /// Byte offset in the text that was read.
    pub at: usize,
    /// What was found there.
    pub problem: &'static str,
}

/// What a value is, seen from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// a number, still text
    Number,
    /// a string
    Text,
    /// an array
    List,
    /// an object
    Object,
}

/// One well-formed JSON value: exactly its slice of the text, no white space around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

/// Documents hold tokens and identifications of drivers: the kind and the length are shown, the content is not.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} of {} bytes", self.kind(), self.0.len())
    }
}

/// One member of an object, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name, escapes resolved.
    pub name: Cow<'a, str>,
    /// The value as written.
    pub value: Value<'a>,
}

/// The members of one object, taken apart once: for whoever asks for more than one of them.
#[derive(Debug, Clone)]
pub struct Object<'a>(Vec<Member<'a>>);

impl<'a> Object<'a> {
    /// The member of that name; of several the last, which is what most readers of JSON take.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.0
            .iter()
            .rev()
            .find(|member| member.name == name)
            .map(|member| member.value)
    }
}

/// Reads a text that is one JSON value and nothing else but white space.
pub fn read(text: &str) -> Result<Value<'_>, JsonError> {
    let (value, end) = read_prefix(text)?;
    match text[end..].find(|c: char| !is_blank(c)) {
        None => Ok(value),
        Some(stray) => Err(JsonError {
            at: end + stray,
            problem: "something follows the value",
        }),
    }
}

/// Reads the JSON value at the beginning of a text; the second part is the byte offset just behind it.
pub fn read_prefix(text: &str) -> Result<(Value<'_>, usize), JsonError> {
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: 0,
    };
    scanner.blanks();
    let start = scanner.at;
    scanner.value(0)?;
    Ok((Value(&text[start..scanner.at]), scanner.at))
}

/// The first name that stands twice in one object.
pub fn duplicate<'m>(members: &'m [Member<'_>]) -> Option<&'m str> {
    let mut seen = HashSet::with_capacity(members.len());
    members
        .iter()
        .map(|member| member.name.as_ref())
        .find(|name| !seen.insert(*name))
}

impl<'a> Value<'a> {
    /// The text of the value as it was written.
    pub fn as_written(self) -> &'a str {
        self.0
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The members of an object; none for any other kind.
    pub fn members(self) -> Vec<Member<'a>> {
        let mut members = Vec::new();
        self.each_member(|name, value| members.push(Member { name, value }));
        members
    }

    /// The members of an object, to be asked for by name; none for any other kind.
    pub fn object(self) -> Object<'a> {
        Object(self.members())
    }

    /// Visits the members of an object one by one, in order, without keeping them: for documents as large as a peer likes.
    pub fn each_member(self, mut visit: impl FnMut(Cow<'a, str>, Value<'a>)) {
        self.each_child(b'{', |name, value| {
            visit(name.map(unescape).unwrap_or_default(), value);
            true
        });
    }

    /// The elements of an array; none for any other kind.
    pub fn elements(self) -> Vec<Value<'a>> {
        self.first_elements(usize::MAX)
    }

    /// The first so many elements of an array; none for any other kind. For lists as long as a peer likes.
    pub fn first_elements(self, most: usize) -> Vec<Value<'a>> {
        let mut elements = Vec::new();
        self.each_child(b'[', |_, value| {
            elements.push(value);
            elements.len() < most
        });
        elements
    }

    /// The one member somebody wants of an object; of several with that name the last, as with [`Object::get`].
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        let mut found = None;
        self.each_child(b'{', |raw, value| {
            if raw.is_some_and(|raw| unescape(raw) == name) {
                found = Some(value);
            }
            true
        });
        found
    }

    /// The content of a string, escapes resolved; `None` for any other kind.
    pub fn text(self) -> Option<Cow<'a, str>> {
        (self.kind() == Kind::Text).then(|| unescape(self.0))
    }

    /// The digits of a number as written; `None` for any other kind.
    pub fn number(self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then_some(self.0)
    }

    /// `true` or `false`; `None` for any other kind.
    pub fn boolean(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A name that stands twice in one object, at any depth.
    pub fn first_duplicate(self) -> Option<String> {
        match self.kind() {
            Kind::Object => {
                let members = self.members();
                duplicate(&members)
                    .map(str::to_owned)
                    .or_else(|| members.iter().find_map(|member| member.value.first_duplicate()))
            }
            Kind::List => self.elements().into_iter().find_map(Value::first_duplicate),
            _ => None,
        }
    }

    /// Whether two values mean the same: members in any order, `1.0` equal to `1.00` and `10e-1` exactly, strings after resolving escapes.
    pub fn same_as(self, other: Value<'_>) -> bool {
        if self.0 == other.0 {
            return true;
        }
        if self.kind() != other.kind() {
            return false;
        }
        match self.kind() {
            Kind::Null | Kind::Bool => false,
            Kind::Text => self.text() == other.text(),
            Kind::Number => exact_number(self.0) == exact_number(other.0),
            Kind::List => {
                let (mine, theirs) = (self.elements(), other.elements());
                mine.len() == theirs.len() && mine.iter().zip(&theirs).all(|(a, b)| a.same_as(*b))
            }
            Kind::Object => {
                let (mine, theirs) = (self.members(), other.members());
                if mine.len() != theirs.len() || duplicate(&mine).is_some() || duplicate(&theirs).is_some() {
                    return false;
                }
                let theirs: HashMap<&str, Value<'_>> = theirs
                    .iter()
                    .map(|member| (member.name.as_ref(), member.value))
                    .collect();
                mine.iter().all(|member| {
                    theirs
                        .get(member.name.as_ref())
                        .is_some_and(|value| member.value.same_as(*value))
                })
            }
        }
    }

    /// Walks the children of an object (`{`) or array (`[`) until the visitor says `false`. The value is known to be well formed, so an error cannot occur; if one did, the
    /// walk would end early instead of panicking.
    fn each_child(self, opening: u8, mut visit: impl FnMut(Option<&'a str>, Value<'a>) -> bool) {
        if self.0.as_bytes().first() != Some(&opening) {
            return;
        }
        let mut scanner = Scanner {
            text: self.0.as_bytes(),
            at: 1,
        };
        loop {
            scanner.blanks();
            match scanner.peek() {
                None | Some(b'}' | b']') => return,
                Some(b',') => scanner.at += 1,
                Some(_) => {}
            }
            scanner.blanks();
            let mut name = None;
            if opening == b'{' {
                let start = scanner.at;
                if scanner.string().is_err() {
                    return;
                }
                name = Some(&self.0[start..scanner.at]);
                scanner.blanks();
                scanner.at += 1;
                scanner.blanks();
            }
            let start = scanner.at;
            if scanner.value(0).is_err() {
                return;
            }
            if !visit(name, Value(&self.0[start..scanner.at])) {
                return;
            }
        }
    }
}

/// A number as sign, digits without outer zeros, and power of ten: equal exactly when the numbers are.
fn exact_number(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent.parse().unwrap_or(if exponent.starts_with('-') {
                i64::MIN / 2
            } else {
                i64::MAX / 2
            }),
        ),
        None => (text, 0),
    };
    let negative = mantissa.starts_with('-');
    let (whole, fraction) = mantissa
        .trim_start_matches('-')
        .split_once('.')
        .unwrap_or((mantissa.trim_start_matches('-'), ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let trimmed = significant.trim_end_matches('0');
    if trimmed.is_empty() {
        return (false, String::new(), 0);
    }
    let zeros = (significant.len() - trimmed.len()) as i64;
    (
        negative,
        trimmed.to_owned(),
        exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros),
    )
}

/// The content of a string literal (quotes included in `literal`). A surrogate without its other half cannot be a Rust string; it becomes
/// U+FFFD, which is enough for comparing and showing; signed octets are never taken from here.
fn unescape(literal: &str) -> Cow<'_, str> {
    let inner = literal
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(literal);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut units: Vec<u16> = Vec::new();
    let flush = |units: &mut Vec<u16>, out: &mut String| {
        out.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    };
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        if !plain.is_empty() {
            flush(&mut units, &mut out);
            out.push_str(plain);
        }
        let mut chars = escape.chars();
        let escaped = chars.next().unwrap_or('\\');
        if escaped == 'u' {
            let unit = chars
                .by_ref()
                .take(4)
                .fold(0u32, |unit, digit| unit * 16 + digit.to_digit(16).unwrap_or(0));
            units.push(unit as u16);
        } else {
            flush(&mut units, &mut out);
            out.push(match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other => other,
            });
        }
        rest = chars.as_str();
    }
    flush(&mut units, &mut out);
    out.push_str(rest);
    Cow::Owned(out)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Walks over JSON text and knows only where it stands.
struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fail<T>(&self, problem: &'static str) -> Result<T, JsonError> {
        Err(JsonError { at: self.at, problem })
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => self.children(depth, b'}'),
            Some(b'[') => self.children(depth, b']'),
            Some(b'"') => self.string(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.fail("no JSON value begins like this"),
            None => self.fail("the text ends where a value should stand"),
        }
    }

    fn children(&mut self, depth: usize, closing: u8) -> Result<(), JsonError> {
        if depth >= MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(closing) {
            self.at += 1;
            return Ok(());
        }
        loop {
            if closing == b'}' {
                self.string()?;
                self.blanks();
                if self.peek() != Some(b':') {
                    return self.fail("a member name without a colon");
                }
                self.at += 1;
                self.blanks();
            }
            self.value(depth + 1)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(c) if c == closing => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("neither a comma nor the closing bracket"),
            }
            self.blanks();
        }
    }

    fn string(&mut self) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return self.fail("a string should begin here");
        }
        self.at += 1;
        loop {
            match self.peek() {
                None => return self.fail("the text ends inside a string"),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return self.fail("a control character inside a string"),
                Some(_) => self.at += self.plain_run(),
            }
        }
    }

    /// How many bytes from here on need no look of their own: most of a record is plain text.
    fn plain_run(&self) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let run = memchr::memchr2(b'"', b'\\', rest).map_or(rest, |end| &rest[..end]);
        // Looked at as a whole, which takes many octets at a time; where one is found, once more.
        let is_control = |byte: &u8| *byte <= 0x1f;
        match run.iter().fold(false, |has, byte| has | is_control(byte)) {
            true => run.iter().position(is_control).unwrap_or(run.len()),
            false => run.len(),
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|digit| digit.is_ascii_hexdigit()) {
                        return self.fail("an escape without its four digits");
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => self.fail("an escape that JSON does not know"),
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return self.fail("a number without digits"),
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
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            self.fail("a digit is missing")
        } else {
            Ok(())
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), JsonError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            self.fail("no JSON value begins like this")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_strings_and_order_stay_as_written() {
        let text = r#" { "b" : 0.10000000000000000001 , "a":[1e3,"x\u00e4\n"], "b":null } "#;
        let members = read(text).unwrap().members();
        assert_eq!(
            members.iter().map(|m| m.name.as_ref()).collect::<Vec<_>>(),
            ["b", "a", "b"]
        );
        assert_eq!(members[0].value.number(), Some("0.10000000000000000001"));
        assert_eq!(members[1].value.elements()[1].text().unwrap(), "xä\n");
        assert_eq!(duplicate(&members), Some("b"));
    }

    #[test]
    fn a_name_written_with_an_escape_is_the_same_name() {
        let members = read(r#"{"RV":1,"R\u0056":2}"#).unwrap().members();
        assert_eq!(duplicate(&members), Some("RV"));
    }

    #[test]
    fn a_duplicate_is_found_at_any_depth() {
        assert_eq!(
            read(r#"{"a":[{"b":1,"c":{"d":1,"d":1}}]}"#)
                .unwrap()
                .first_duplicate()
                .as_deref(),
            Some("d")
        );
        assert_eq!(read(r#"{"a":[{"b":1},{"b":1}]}"#).unwrap().first_duplicate(), None);
    }

    #[test]
    fn nesting_is_bounded_and_does_not_use_up_the_stack() {
        assert!(read(&"[".repeat(1_000_000)).is_err());
        let deep = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(read(&deep).is_ok());
        assert!(read(&format!("[{deep}]")).is_err());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "{\"a\"}",
            "{\"a\":1,}",
            "[1,]",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "\"\u{1}\"",
            "\"\\x\"",
            "nul",
            "{}x",
            "'a'",
            "\u{feff}{}",
        ] {
            assert!(read(text).is_err(), "{text:?} was taken for JSON");
        }
    }

    #[test]
    fn equality_is_of_meaning_not_of_spelling() {
        let same = |a: &str, b: &str| read(a).unwrap().same_as(read(b).unwrap());
        assert!(same(r#"{"a":1.0,"b":[true]}"#, r#"{ "b":[true], "a":10e-1 }"#));
        assert!(same("0.0", "-0e7"));
        assert!(same(r#""\u00e4""#, r#""ä""#));
        assert!(!same("0.1", "0.10000000000000000001"));
        assert!(!same(r#"{"a":1}"#, r#"{"a":1,"b":null}"#));
        assert!(!same("1", "\"1\""));
    }

    #[test]
    fn half_a_surrogate_does_not_panic() {
        assert_eq!(read(r#""\ud800x""#).unwrap().text().unwrap(), "\u{fffd}x");
        assert_eq!(read(r#""\ud83d\ude00""#).unwrap().text().unwrap(), "😀");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[\\[\\]{}\",:\\\\0-9a-u.eE+ -]{0,80}") {
            if let Ok(value) = read(&text) {
                value.members();
                value.elements();
                value.first_duplicate();
                prop_assert!(value.same_as(value));
            }
        }

        #[test]
        fn what_serde_json_writes_is_read_with_the_same_meaning(text in ".{0,40}", number in any::<i64>()) {
            let written = serde_json::json!({ "t": text, "n": number }).to_string();
            let value = read(&written).unwrap();
            prop_assert_eq!(value.get("t").unwrap().text().unwrap(), text);
            prop_assert_eq!(value.get("n").unwrap().number().unwrap(), number.to_string());
        }
    }
}
