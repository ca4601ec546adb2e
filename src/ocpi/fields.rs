//! The members of an object we compute on, found in one pass, and what is wrong with them by JSON pointer.
//!
//! No tree is built and no member that nobody asked for is decoded. `null` is the same as absent (T-38). A member that is
//! asked for and appears twice is refused: readers differ in which of the two they believe, so nobody may depend on it.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json;
use super::refusal::{Refusal, Violation};
use super::{number, time};

/// `N` named members of one object.
pub struct Fields<'a, const N: usize> {
    pointer: String,
    names: [&'static str; N],
    values: [Option<&'a RawValue>; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// Reads a whole body.
    ///
    /// # Errors
    /// Malformed (400) when it is no JSON, 2001 when it is no object or one of the members appears twice.
    pub fn of_body(body: &'a [u8], names: [&'static str; N]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body).map_err(|error| json::JsonError::NotUtf8(error.valid_up_to()))?;
        Self::of_text(text, String::new(), names).map_err(|violation| {
            // A body can be two things at once, not an object and not JSON; the second is said first (T-22).
            match json::check_syntax(body) {
                Ok(()) => violation.into(),
                Err(error) => error.into(),
            }
        })
    }

    /// Reads the text of one JSON value that stands at `pointer` of the document.
    ///
    /// # Errors
    /// [`Violation`] when it is no object or one of the members appears twice.
    pub fn of_text(text: &'a str, pointer: String, names: [&'static str; N]) -> Result<Self, Violation> {
        let mut members = serde_json::Deserializer::from_str(text);
        let found = members
            .deserialize_map(Members { names: &names })
            .and_then(|found| members.end().map(|()| found));
        let Ok(found) = found else {
            return Err(Violation::new(pointer, "must be an object"));
        };
        if let Some(name) = found.twice.and_then(|index| names.get(index)) {
            return Err(Violation::new(format!("{pointer}/{name}"), "appears twice"));
        }
        Ok(Self {
            pointer,
            names,
            values: found.values,
        })
    }

    /// The JSON pointer of a member.
    fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    fn wrong(&self, name: &str, reason: impl Into<String>) -> Violation {
        Violation::new(self.pointer(name), reason)
    }

    /// The raw value of a member, if it is there and not null. `name` is one of those given when reading.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let index = self.names.iter().position(|known| *known == name)?;
        self.values
            .get(index)
            .copied()
            .flatten()
            .filter(|value| value.get() != "null")
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Violation> {
        value.ok_or_else(|| self.wrong(name, "is missing"))
    }

    /// A string, if there is one.
    ///
    /// # Errors
    /// [`Violation`] when the member is something else.
    pub fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Violation> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        string(raw)
            .map(Some)
            .ok_or_else(|| self.wrong(name, "must be a string"))
    }

    /// A string that must be there.
    ///
    /// # Errors
    /// [`Violation`] when it is missing or something else.
    pub fn required_text(&self, name: &str) -> Result<Cow<'a, str>, Violation> {
        let text = self.text(name)?;
        self.required(name, text)
    }

    /// A string that must be there, with `least` to `most` characters, none of them a control character (T-43).
    ///
    /// # Errors
    /// [`Violation`] when it is missing, something else, too short, too long or not printable.
    pub fn limited_text(&self, name: &str, least: usize, most: usize) -> Result<Cow<'a, str>, Violation> {
        let text = self.required_text(name)?;
        let length = text.chars().count();
        if length < least {
            return Err(self.wrong(name, "is empty"));
        }
        if length > most {
            return Err(self.wrong(name, format!("is longer than {most} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(self.wrong(name, "contains a control character"));
        }
        Ok(text)
    }

    /// An instant that must be there.
    ///
    /// # Errors
    /// [`Violation`] when it is missing or no instant (T-44, D-08).
    pub fn required_time(&self, name: &str) -> Result<DateTime<Utc>, Violation> {
        let text = self.required_text(name)?;
        time::parse(&text).map_err(|error| self.wrong(name, error.to_string()))
    }

    /// The text of a number that must be there, as it is spelled.
    ///
    /// # Errors
    /// [`Violation`] when it is missing or something else.
    pub fn required_number(&self, name: &str) -> Result<&'a str, Violation> {
        let raw = self.required(name, self.raw(name))?.get();
        if number::same_number(raw, raw) {
            Ok(raw)
        } else {
            Err(self.wrong(name, "must be a number"))
        }
    }

    /// A boolean, if there is one.
    ///
    /// # Errors
    /// [`Violation`] when the member is something else.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Violation> {
        match self.raw(name).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    /// Members of an object inside this one, if it is there.
    ///
    /// # Errors
    /// [`Violation`] when the member is something else.
    pub fn object<const M: usize>(
        &self,
        name: &str,
        names: [&'static str; M],
    ) -> Result<Option<Fields<'a, M>>, Violation> {
        self.raw(name)
            .map(|raw| Fields::of_text(raw.get(), self.pointer(name), names))
            .transpose()
    }

    /// Members of an object inside this one, which must be there.
    ///
    /// # Errors
    /// [`Violation`] when it is missing or something else.
    pub fn required_object<const M: usize>(
        &self,
        name: &str,
        names: [&'static str; M],
    ) -> Result<Fields<'a, M>, Violation> {
        let object = self.object(name, names)?;
        self.required(name, object)
    }

    /// The objects of a list inside this one; `None` when the member is absent.
    ///
    /// # Errors
    /// [`Violation`] when the member is no list, or the first of its elements that is no object.
    pub fn objects<const M: usize>(
        &self,
        name: &str,
        names: [&'static str; M],
    ) -> Result<Option<Vec<Fields<'a, M>>>, Violation> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        let pointer = self.pointer(name);
        let elements = elements(raw.get(), &pointer)?;
        let read = |(index, element): (usize, &&'a RawValue)| {
            Fields::of_text(element.get(), format!("{pointer}/{index}"), names)
        };
        elements
            .iter()
            .enumerate()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A violation at one of the members, for checks of the caller's own.
    #[must_use]
    pub fn violation(&self, name: &str, reason: impl Into<String>) -> Violation {
        self.wrong(name, reason)
    }

    /// A violation at the object itself.
    #[must_use]
    pub fn violation_here(&self, reason: impl Into<String>) -> Violation {
        Violation::new(self.pointer.clone(), reason)
    }
}

/// The elements of the list that `text` is.
pub(crate) fn elements<'a>(text: &'a str, pointer: &str) -> Result<Vec<&'a RawValue>, Violation> {
    serde_json::from_str(text).map_err(|_| Violation::new(pointer, "must be a list"))
}

/// The string a value is, borrowed where nothing in it is escaped.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = raw.get();
    let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
    // RawValue holds valid JSON, so without a backslash the text between the quotes is the string.
    if inside.contains('\\') {
        serde_json::from_str::<String>(quoted).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inside))
    }
}

struct Members<'n, const N: usize> {
    names: &'n [&'static str; N],
}

struct Found<'a, const N: usize> {
    values: [Option<&'a RawValue>; N],
    twice: Option<usize>,
}

impl<'a, const N: usize> Visitor<'a> for Members<'_, N> {
    type Value = Found<'a, N>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = Found {
            values: [None; N],
            twice: None,
        };
        while let Some(which) = map.next_key_seed(Name { names: self.names })? {
            let Some((index, slot)) = which.and_then(|index| Some((index, found.values.get_mut(index)?))) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if slot.replace(map.next_value()?).is_some() {
                found.twice.get_or_insert(index);
            }
        }
        Ok(found)
    }
}

/// Recognises a member's name without keeping it.
struct Name<'n, const N: usize> {
    names: &'n [&'static str; N],
}

impl<'a, const N: usize> DeserializeSeed<'a> for Name<'_, N> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Name<'_, N> {
    type Value = Option<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.names.iter().position(|known| *known == name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Situation;
    use super::*;

    fn read(body: &str) -> Result<Fields<'_, 3>, Refusal> {
        Fields::of_body(body.as_bytes(), ["a", "b", "c"])
    }

    // T-38, T-39
    #[test]
    fn members_are_found_by_exact_name_and_null_is_absent() {
        let fields = read(r#"{"A":1,"\u0061":"x\ty","b":null,"z":[{}]}"#).unwrap();
        assert_eq!(fields.text("a").unwrap().unwrap(), "x\ty");
        assert_eq!(fields.text("b").unwrap(), None);
        assert_eq!(fields.text("c").unwrap(), None);
        assert_eq!(fields.required_text("b").unwrap_err().to_string(), "/b: is missing");
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named_by_its_pointer() {
        let fields = read(r#"{"a":1,"b":{"a":[true,{"a":"1"}]},"c":"x"}"#).unwrap();
        assert_eq!(fields.text("a").unwrap_err().to_string(), "/a: must be a string");
        assert_eq!(
            fields.boolean("c").unwrap_err().to_string(),
            "/c: must be true or false"
        );
        assert_eq!(
            fields.required_number("c").unwrap_err().to_string(),
            "/c: must be a number"
        );
        assert!(
            fields
                .required_time("c")
                .unwrap_err()
                .to_string()
                .starts_with("/c: is no RFC 3339")
        );
        assert_eq!(
            fields.object("a", ["x"]).err().unwrap().to_string(),
            "/a: must be an object"
        );
        let inner = fields.required_object("b", ["a"]).unwrap();
        assert_eq!(
            inner.objects("a", ["a"]).err().unwrap().to_string(),
            "/b/a/0: must be an object"
        );
        assert_eq!(
            fields.objects("c", ["a"]).err().unwrap().to_string(),
            "/c: must be a list"
        );
    }

    #[test]
    fn a_member_somebody_depends_on_must_not_appear_twice() {
        assert_eq!(read(r#"{"a":1,"a":1}"#).err().unwrap().message, "/a: appears twice");
        assert_eq!(read(r#"{"a":null,"a":1}"#).err().unwrap().message, "/a: appears twice");
        assert!(read(r#"{"z":1,"z":2}"#).is_ok());
    }

    // T-22
    #[test]
    fn broken_json_is_malformed_even_when_it_also_is_no_object() {
        for body in [
            "",
            "[1",
            "{",
            "{\"a\":1}}",
            "{\"z\":nul}",
            "{\"a\":\"\u{1}\"}",
            "\u{feff}{}",
        ] {
            assert_eq!(read(body).err().unwrap().situation, Situation::Malformed, "{body}");
        }
        assert_eq!(
            Fields::of_body(b"{\"z\":\"\xff\"}", ["a"]).err().unwrap().situation,
            Situation::Malformed
        );
        for body in ["[]", "1", "null", "\"{}\""] {
            assert_eq!(
                read(body).err().unwrap().situation,
                Situation::InvalidParameter,
                "{body}"
            );
        }
    }

    // T-43
    #[test]
    fn lengths_count_characters_and_not_bytes() {
        let fields = read(r#"{"a":"äöü","b":"","c":"x\u0007"}"#).unwrap();
        assert_eq!(fields.limited_text("a", 1, 3).unwrap(), "äöü");
        assert_eq!(
            fields.limited_text("a", 1, 2).unwrap_err().to_string(),
            "/a: is longer than 2 characters"
        );
        assert_eq!(fields.limited_text("b", 1, 3).unwrap_err().to_string(), "/b: is empty");
        assert_eq!(
            fields.limited_text("c", 1, 3).unwrap_err().to_string(),
            "/c: contains a control character"
        );
    }
}
