//! The members of an object we compute on, found in one pass, and what is wrong with them by JSON pointer.
//!
//! No tree is built and no member that nobody asked for is decoded. `null` is the same as absent (T-38). A member that is
//! asked for and appears twice is refused: readers differ in which of the two they believe, so nobody may depend on it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::json::{JsonError, Walk};
use super::refusal::{Refusal, Violation};
use super::{number, time};

/// `N` named members of one object.
pub struct Fields<'a, const N: usize> {
    pointer: String,
    names: [&'static str; N],
    values: [Option<&'a str>; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// Reads a whole body.
    ///
    /// # Errors
    /// Malformed (400) when it is no JSON, 2001 when it is no object or one of the members appears twice. A body that is
    /// neither is malformed (T-22).
    pub fn of_body(body: &'a [u8], names: [&'static str; N]) -> Result<Self, Refusal> {
        let mut walk = Walk::over(body)?;
        let read = Self::read(&mut walk, String::new(), names)?;
        walk.end()?;
        Ok(read?)
    }

    /// Reads the text of one JSON value that stands at `pointer` of the document.
    ///
    /// # Errors
    /// [`Violation`] when it is no object or one of the members appears twice.
    pub fn of_text(text: &'a str, pointer: String, names: [&'static str; N]) -> Result<Self, Violation> {
        let mut walk = Walk::over_text(text);
        let broken = |error: JsonError| Violation::new(String::new(), error.to_string());
        let read = Self::read(&mut walk, pointer, names).map_err(broken)?;
        walk.end().map_err(broken)?;
        read
    }

    /// Reads one value: past its end even if it is not what it should be, so that broken JSON is always found.
    fn read(
        walk: &mut Walk<'a>,
        pointer: String,
        names: [&'static str; N],
    ) -> Result<Result<Self, Violation>, JsonError> {
        if walk.peek() != Some(b'{') {
            walk.skip()?;
            return Ok(Err(Violation::new(pointer, "must be an object")));
        }
        let mut values = [None; N];
        let mut twice = None;
        walk.object(|walk, name| {
            let known = names.iter().position(|known| *known == name);
            let Some((name, slot)) = known.and_then(|index| Some((names.get(index)?, values.get_mut(index)?))) else {
                return walk.skip();
            };
            if slot.replace(walk.value()?).is_some() {
                twice.get_or_insert(*name);
            }
            Ok(())
        })?;
        Ok(match twice {
            Some(name) => Err(Violation::new(format!("{pointer}/{name}"), "appears twice")),
            None => Ok(Self { pointer, names, values }),
        })
    }

    /// The JSON pointer of a member.
    fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    fn wrong(&self, name: &str, reason: impl Into<String>) -> Violation {
        Violation::new(self.pointer(name), reason)
    }

    /// The JSON text of a member, if it is there and not null. `name` is one of those given when reading.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        let index = self.names.iter().position(|known| *known == name);
        debug_assert!(index.is_some(), "{name} is asked for and was not read");
        self.values
            .get(index?)
            .copied()
            .flatten()
            .filter(|value| *value != "null")
    }

    /// The same, to keep.
    pub fn raw_value(&self, name: &str) -> Option<Box<RawValue>> {
        RawValue::from_string(self.raw(name)?.to_owned()).ok()
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
        Walk::over_text(raw)
            .string()
            .map(Some)
            .map_err(|_| self.wrong(name, "must be a string"))
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
        let raw = self.required(name, self.raw(name))?;
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
        match self.raw(name) {
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
            .map(|raw| Fields::of_text(raw, self.pointer(name), names))
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
        let mut found = Vec::new();
        each_element(raw, &pointer, |walk| {
            found.push(Fields::read(walk, format!("{pointer}/{}", found.len()), names)?);
            Ok(())
        })?;
        found.into_iter().collect::<Result<_, _>>().map(Some)
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

/// The texts of the elements of the list that `text` is.
pub(crate) fn elements<'a>(text: &'a str, pointer: &str) -> Result<Vec<&'a str>, Violation> {
    let mut found = Vec::new();
    each_element(text, pointer, |walk| {
        found.push(walk.value()?);
        Ok(())
    })?;
    Ok(found)
}

fn each_element<'a>(
    text: &'a str,
    pointer: &str,
    element: impl FnMut(&mut Walk<'a>) -> Result<(), JsonError>,
) -> Result<(), Violation> {
    let mut walk = Walk::over_text(text);
    if walk.peek() != Some(b'[') {
        return Err(Violation::new(pointer, "must be a list"));
    }
    let broken = |error: JsonError| Violation::new(pointer, error.to_string());
    walk.array(element).map_err(broken)?;
    walk.end().map_err(broken)
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
