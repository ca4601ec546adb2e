//! One text replaced inside a body or a query, every other octet as it was sent: how a `response_url` becomes ours (D-14, CMD-09,
//! CP-11).
//!
//! Serialising a command again would turn 1.0 into 1 and move members nobody knows. Here a place is found, and only what stands at
//! that place is exchanged. A name that appears twice is refused: its receiver might believe the one we left alone.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use super::json::Walk;
use super::refusal::{Refusal, Violation};
use super::spans::{self, Object, cut};

/// A string member of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it says, without quotes and escapes.
    pub text: String,
    /// Where it stands in the body, quotes included.
    pub range: Range<usize>,
}

/// The top-level member `name` of a body; `None` when it is absent or null (T-38).
///
/// # Errors
/// Malformed (400) when the body is no JSON; 2001 when it is no object, or the member appears twice or is no string.
pub fn string_member(body: &[u8], name: &str) -> Result<Option<Found>, Refusal> {
    let object = Object::read(body)?;
    let mut named = object.members.iter().filter(|member| member.name == name);
    let Some(member) = named.next() else { return Ok(None) };
    let wrong = |reason: &str| Refusal::from(Violation::new(format!("/{name}"), reason));
    if named.next().is_some() {
        return Err(wrong("appears twice"));
    }
    let value = cut(body, &member.value);
    if value == b"null" {
        return Ok(None);
    }
    let text = Walk::over(value)?.string().map_err(|_| wrong("must be a string"))?;
    Ok(Some(Found {
        text: text.into_owned(),
        range: member.value.clone(),
    }))
}

/// `text` as a JSON string, with its quotes.
#[must_use]
pub fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The body with other octets at a place found by [`string_member`] in this same body. `new_json_string` has its quotes, see
/// [`json_string`]. What of a range lies beyond the end of the body is ignored.
#[must_use]
pub fn replace_range(body: &[u8], range: &Range<usize>, new_json_string: &str) -> Vec<u8> {
    let start = range.start.min(body.len());
    let place = start..range.end.clamp(start, body.len());
    spans::replaced(body, [(place, Cow::Borrowed(new_json_string.as_bytes()))])
}

/// A parameter of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundQuery {
    /// Its value, decoded.
    pub decoded: String,
    /// Where the value stands in the query, behind its `=`.
    pub range: Range<usize>,
}

/// The parameter `name` of a query, with or without its question mark. In names and values `+` is a blank, and so is `%20`.
///
/// # Errors
/// 2001 naming the parameter when it is given twice, has no `=`, or its value is no UTF-8.
pub fn query_parameter(query: &str, name: &str) -> Result<Option<FoundQuery>, Refusal> {
    let wrong = |reason: &str| Refusal::invalid_parameter(format!("the query parameter {name} {reason}"));
    let mut found = None;
    let mut start = query.len() - query.strip_prefix('?').unwrap_or(query).len();
    for pair in query.get(start..).unwrap_or_default().split('&') {
        let (key, value) = pair
            .split_once('=')
            .map_or((pair, None), |(key, value)| (key, Some(value)));
        if decoded(key) == name.as_bytes() {
            let value = value.ok_or_else(|| wrong("has no value"))?;
            let decoded = String::from_utf8(decoded(value)).map_err(|_| wrong("is no UTF-8"))?;
            let end = start + pair.len();
            let range = end - value.len()..end;
            if found.replace(FoundQuery { decoded, range }).is_some() {
                return Err(wrong("is given twice"));
            }
        }
        start += pair.len() + 1;
    }
    Ok(found)
}

/// The parameter `name` of a query, a URL that may stand there as it is, with a query of its own, as in OCPI's own example of a
/// `response_url` (smart-charging.md 2.5). Then everything behind it belongs to it, up to one of its `siblings` that has not come before; and as
/// it was not encoded it is not decoded.
///
/// # Errors
/// As [`query_parameter`], of a value that does not stand there so.
pub fn nested_url(query: &str, name: &str, siblings: &[&str]) -> Result<Option<FoundQuery>, Refusal> {
    let mut start = query.len() - query.strip_prefix('?').unwrap_or(query).len();
    let mut before: Vec<&str> = Vec::new();
    for pair in query.get(start..).unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // An encoded one has no `=` left in it, whatever else its writer left.
        let own_query = value.split_once("://").and_then(|(_, behind)| behind.split_once('?'));
        let is_nested = own_query.is_some_and(|(_, own)| own.contains('='));
        if key == name && is_nested {
            let range = start + key.len() + 1..query.len();
            let value = query.get(range.clone()).unwrap_or_default();
            let siblings = siblings.iter().filter(|sibling| !before.contains(sibling));
            let end = siblings.filter_map(|sibling| value.find(&format!("&{sibling}="))).min();
            let value = value.get(..end.unwrap_or(value.len())).unwrap_or(value);
            return Ok(Some(FoundQuery {
                decoded: value.to_owned(),
                range: range.start..range.start + value.len(),
            }));
        }
        before.push(key);
        start += pair.len() + 1;
    }
    query_parameter(query, name)
}

/// The query with another value at a place found by [`query_parameter`] or [`nested_url`] in this same query. `value` is text and gets encoded here.
#[must_use]
pub fn replace_parameter(query: &str, range: &Range<usize>, value: &str) -> String {
    let before = query.get(..range.start).unwrap_or(query);
    let behind = query.get(range.end..).unwrap_or_default();
    format!("{before}{}{behind}", utf8_percent_encode(value, VALUE))
}

/// Everything but the unreserved characters of RFC 3986: nobody reads anything else into those.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn decoded(text: &str) -> Vec<u8> {
    // Before the percent signs: an encoded plus stays one.
    percent_decode(text.replace('+', " ").as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::{Situation, json};
    use super::*;

    // D-14, CMD-09
    #[test]
    fn everything_but_the_response_url_stays_octet_for_octet() {
        let body = " {\n\"token\":{\"response_url\":\"inner\"}, \"a\":1.0,\"response\\u005furl\" : \"https:\\/\\/x.example/\\u00e4?a=1\" ,\"z\":[1e0] }\r\n";
        let found = string_member(body.as_bytes(), "response_url").unwrap().unwrap();
        assert_eq!(found.text, "https://x.example/ä?a=1");
        assert_eq!(
            replace_range(body.as_bytes(), &found.range, "\"https://hub.example/r/1\""),
            body.replace("\"https:\\/\\/x.example/\\u00e4?a=1\"", "\"https://hub.example/r/1\"")
                .as_bytes()
        );
    }

    // smart-charging.md 2.5
    #[test]
    fn a_url_that_nobody_encoded_is_taken_with_its_own_query_and_as_it_is() {
        let taken = |query: &str| nested_url(query, "response_url", &["duration"]).unwrap().unwrap();
        for (query, url, put) in [
            (
                "duration=900&response_url=https://x.example/r?request_id=5678",
                "https://x.example/r?request_id=5678",
                "duration=900&response_url=NEW",
            ),
            (
                "?duration=900&response_url=https://x.example/r?a=1&b=%2B+2&duration=7",
                "https://x.example/r?a=1&b=%2B+2&duration=7",
                "?duration=900&response_url=NEW",
            ),
            (
                "response_url=https://x.example/r?a=1&b=2&duration=900",
                "https://x.example/r?a=1&b=2",
                "response_url=NEW&duration=900",
            ),
            (
                "response_url=https%3A%2F%2Fx.example%2Fr%3Fa%3D1%26b%3D2&duration=900",
                "https://x.example/r?a=1&b=2",
                "response_url=NEW&duration=900",
            ),
            (
                "response_url=https://x.example/r?a%3D1%26b%3D2&duration=900",
                "https://x.example/r?a=1&b=2",
                "response_url=NEW&duration=900",
            ),
            (
                "response_url=https://x.example/r%3Fa%3D1%26b&duration=900",
                "https://x.example/r?a=1&b",
                "response_url=NEW&duration=900",
            ),
        ] {
            let found = taken(query);
            assert_eq!(found.decoded, url, "{query}");
            assert_eq!(replace_parameter(query, &found.range, "NEW"), put, "{query}");
        }
        assert_eq!(nested_url("duration=900", "response_url", &["duration"]), Ok(None));
        assert!(nested_url("response_url=a&response_url=b", "response_url", &[]).is_err());
    }

    #[test]
    fn a_member_that_is_absent_ambiguous_or_no_string_is_not_replaced() {
        for body in ["{}", "{\"u\":null}", "{\"U\":\"x\"}", "{\"a\":{\"u\":\"x\"}}"] {
            assert_eq!(string_member(body.as_bytes(), "u"), Ok(None), "{body}");
        }
        for (body, message) in [
            ("{\"u\":\"x\",\"\\u0075\":\"y\"}", "/u: appears twice"),
            ("{\"u\":null,\"u\":\"y\"}", "/u: appears twice"),
            ("{\"u\":[\"x\"]}", "/u: must be a string"),
            ("{\"u\":7}", "/u: must be a string"),
            ("[\"u\"]", "the document: must be an object"),
        ] {
            assert_eq!(string_member(body.as_bytes(), "u").unwrap_err().message, message);
        }
        let broken = string_member(b"{\"u\":\"x\"", "u").unwrap_err();
        assert_eq!(broken.situation, Situation::Malformed);
    }

    // CP-11, D-14
    #[test]
    fn a_query_keeps_every_other_octet_however_it_was_encoded() {
        for (query, value, replaced) in [
            (
                "duration=900&response_url=https%3A%2F%2Fx.example%2Fr%3Fa%3D1%26b%3D2&x=a+b%20c&&y",
                "https://x.example/r?a=1&b=2",
                "duration=900&response_url=https%3A%2F%2Fhub.example%2Fr%2F1%3Fq%3Da%2Bb%20c&x=a+b%20c&&y",
            ),
            (
                "?response_url=https://x.example/?a=1",
                "https://x.example/?a=1",
                "?response_url=https%3A%2F%2Fhub.example%2Fr%2F1%3Fq%3Da%2Bb%20c",
            ),
            (
                "%72esponse_url=a+b%2Bc%zz&",
                "a b+c%zz",
                "%72esponse_url=https%3A%2F%2Fhub.example%2Fr%2F1%3Fq%3Da%2Bb%20c&",
            ),
            (
                "a&response_url=",
                "",
                "a&response_url=https%3A%2F%2Fhub.example%2Fr%2F1%3Fq%3Da%2Bb%20c",
            ),
        ] {
            let found = query_parameter(query, "response_url").unwrap().unwrap();
            assert_eq!(found.decoded, value);
            assert_eq!(
                replace_parameter(query, &found.range, "https://hub.example/r/1?q=a+b c"),
                replaced
            );
        }
        for absent in ["", "?", "duration=1", "Response_url=x", "x=response_url=1"] {
            assert_eq!(query_parameter(absent, "response_url"), Ok(None), "{absent}");
        }
        for (query, message) in [
            ("u=1&u=1", "the query parameter u is given twice"),
            ("u=1&%75=2", "the query parameter u is given twice"),
            ("a=1&u", "the query parameter u has no value"),
            ("u=%ff", "the query parameter u is no UTF-8"),
        ] {
            assert_eq!(query_parameter(query, "u").unwrap_err().message, message);
        }
    }

    proptest! {
        #[test]
        fn a_spliced_text_reads_back_and_nothing_else_moves(
            before in "[ \n]{0,3}(\"[a-t]{1}\":(1\\.0|\"u\"|\\[ \\]|\\{\"u\":1\\}) ,){0,3}", name in "( |\n)?\"(u|\\\\u0075)\"( |\n)?",
            old in "\\PC{0,8}", new in "\\PC{0,8}", behind in "( ,\"[v-z]{1}\":(1e0|null)){0,3}[ \n]{0,2}",
        ) {
            let head = format!("{{{before}{name}: ");
            let tail = format!("{behind}}}\n");
            let body = format!("{head}{}{tail}", json_string(&old));
            let found = string_member(body.as_bytes(), "u").unwrap().unwrap();
            prop_assert_eq!(&found.text, &old);
            let spliced = replace_range(body.as_bytes(), &found.range, &json_string(&new));
            prop_assert_eq!(String::from_utf8(spliced.clone()).unwrap(), format!("{head}{}{tail}", json_string(&new)));
            prop_assert_eq!(json::check_syntax(&spliced), Ok(()));
            prop_assert_eq!(string_member(&spliced, "u").unwrap().unwrap().text, new);
        }

        #[test]
        fn a_replaced_parameter_reads_back_and_nothing_else_moves(
            before in "\\??([a-t+%]{1,3}(=[a-z+%2]{0,4})?&){0,3}", old in "[g-z+%2]{0,6}", new in "\\PC{0,12}", behind in "(&[a-t+%]{1,3}(=[a-z+%0]{0,4})?){0,3}",
        ) {
            let query = format!("{before}u={old}{behind}");
            let found = query_parameter(&query, "u").unwrap().unwrap();
            let replaced = replace_parameter(&query, &found.range, &new);
            let kept = replaced.starts_with(&format!("{before}u=")) && replaced.ends_with(&behind);
            prop_assert!(kept);
            prop_assert!(replaced.is_ascii());
            prop_assert_eq!(query_parameter(&replaced, "u").unwrap().unwrap().decoded, new);
            prop_assert_eq!(replaced.split('&').count(), query.split('&').count());
        }

        #[test]
        fn no_octets_make_a_splice_panic(bytes in prop::collection::vec(any::<u8>(), 0..48), query in "[?&=u%+ä2f]{0,16}", start in any::<usize>(), end in any::<usize>()) {
            if let Ok(Some(found)) = string_member(&bytes, "u") {
                prop_assert!(json::check_syntax(&replace_range(&bytes, &found.range, "\"\"")).is_ok());
            }
            if let Ok(Some(found)) = query_parameter(&query, "u") {
                prop_assert_eq!(query_parameter(&replace_parameter(&query, &found.range, "%"), "u").unwrap().unwrap().decoded, "%");
            }
            let _ = (replace_range(&bytes, &(start..end), ""), replace_parameter(&query, &(start % 9..end % 9), "x"));
        }
    }
}
