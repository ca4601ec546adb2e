//! Pages of a list: what was asked for, and where the next one is (checklist 1.6, D-10).

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::refusal::Refusal;
use super::time;

/// What a list request asks for. Parameters we do not know are not our business.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// Only what changed at or after this instant (P-02).
    pub date_from: Option<DateTime<Utc>>,
    /// Only what changed before this instant (P-02).
    pub date_to: Option<DateTime<Utc>>,
    /// How many matching objects to pass over; 0 when not given. At most `i64::MAX`: past any end.
    pub offset: u64,
    /// How many objects at most, at least 1. The server's own maximum is the caller's to apply (P-04).
    pub limit: Option<u32>,
}

impl PageQuery {
    /// Reads a query string, with or without its question mark.
    ///
    /// # Errors
    /// 2001 naming the parameter that is no date, no whole number, or a limit below 1 (P-10, D-10).
    pub fn read(query_string: &str) -> Result<Self, Refusal> {
        let instant = |name| match parameter(query_string, name) {
            None => Ok(None),
            Some(text) => time::parse(&text)
                .map(Some)
                .map_err(|error| Refusal::invalid_parameter(format!("parameter {name} {error}"))),
        };
        let number = |name, least: u64, most: u64| match parameter(query_string, name) {
            None => Ok(None),
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                // More digits than fit are past any end, and over-large limits are clamped, not refused (D-10).
                let value = text.parse().unwrap_or(u64::MAX).min(most);
                if value < least {
                    return Err(Refusal::invalid_parameter(format!(
                        "parameter {name} must be at least {least}"
                    )));
                }
                Ok(Some(value))
            }
            Some(_) => Err(Refusal::invalid_parameter(format!(
                "parameter {name} must be a whole number from {least} up"
            ))),
        };
        Ok(Self {
            date_from: instant("date_from")?,
            date_to: instant("date_to")?,
            offset: number("offset", 0, i64::MAX.unsigned_abs())?.unwrap_or(0),
            limit: number("limit", 1, u64::from(u32::MAX))?.and_then(|limit| u32::try_from(limit).ok()),
        })
    }
}

/// The first value of a query parameter, decoded; a plus is a blank there.
#[must_use]
pub fn parameter(query_string: &str, name: &str) -> Option<String> {
    let query = query_string.strip_prefix('?').unwrap_or(query_string);
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(known, _): &(Cow<'_, str>, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// The value of our `Link` header (P-05, D-10).
#[must_use]
pub fn next_link(url: &str) -> String {
    format!("<{url}>; rel=\"next\"")
}

/// The next page according to a peer's `Link` header, as it is written there: several links, a `rel` without quotes or
/// with several words are all understood (F-08, RFC 8288). It may be relative; resolve it against the URL that was asked.
#[must_use]
pub fn next_of(link_header: &str) -> Option<String> {
    let mut rest = link_header;
    while let Some((_, link)) = rest.split_once('<') {
        let (target, behind) = link.split_once('>')?;
        let (parameters, others) = split_unquoted(behind, ',');
        rest = others;
        if relations(parameters).any(|relation| relation.eq_ignore_ascii_case("next")) {
            return Some(target.trim().to_owned());
        }
    }
    None
}

/// The words of the first `rel` parameter; later ones do not count (RFC 8288, 3.3).
fn relations(parameters: &str) -> impl Iterator<Item = &str> {
    let mut rest = parameters;
    let mut words = "";
    while !rest.is_empty() {
        let (parameter, others) = split_unquoted(rest, ';');
        rest = others;
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("rel")
        {
            words = value.trim().trim_matches('"');
            break;
        }
    }
    words.split_ascii_whitespace()
}

/// Splits at the first `separator` that does not stand between quotes.
fn split_unquoted(text: &str, separator: char) -> (&str, &str) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                let (before, behind) = text.split_at(at);
                return (before, behind.strip_prefix(separator).unwrap_or(behind));
            }
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::StatusCode;
    use super::*;

    // P-01
    #[test]
    fn a_query_is_read_and_unknown_parameters_are_left_alone() {
        let query = PageQuery::read("?date_from=2026-11-21T10:00:00%2B01:00&date_to=2026-11-22&x=%zz&limit=7&offset=3")
            .unwrap_err();
        assert!(query.message.starts_with("parameter date_to "), "{}", query.message);
        let query = PageQuery::read("date_from=2026-11-21T10:00:00+01:00&x=%zz&limit=7&offset=3&limit=9").unwrap();
        assert_eq!(query.date_from.unwrap().to_rfc3339(), "2026-11-21T09:00:00+00:00");
        assert_eq!((query.offset, query.limit, query.date_to), (3, Some(7), None));
        assert_eq!(PageQuery::read("").unwrap(), PageQuery::default());
    }

    // P-10, D-10
    #[test]
    fn nonsense_in_a_query_is_2001_and_names_the_parameter() {
        for (query, name) in [
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=", "limit"),
            ("limit=1.5", "limit"),
            ("offset=-1", "offset"),
            ("offset=ten", "offset"),
            ("offset=%2B1", "offset"),
            ("date_from=yesterday", "date_from"),
            ("date_from=", "date_from"),
            ("date_to=2026-11-21", "date_to"),
        ] {
            let refusal = PageQuery::read(query).unwrap_err();
            assert_eq!(refusal.code(), StatusCode::INVALID_PARAMETER, "{query}");
            assert!(
                refusal.message.starts_with(&format!("parameter {name} ")),
                "{}",
                refusal.message
            );
        }
    }

    // D-10
    #[test]
    fn numbers_beyond_any_list_are_clamped_and_not_refused() {
        let query = PageQuery::read("limit=99999999999999999999999&offset=99999999999999999999999").unwrap();
        assert_eq!((query.limit, query.offset), (Some(u32::MAX), i64::MAX.unsigned_abs()));
    }

    // F-08
    #[test]
    fn the_next_page_is_found_in_every_form_of_link_header() {
        for (header, next) in [
            (
                r#"<https://a/b?offset=5&limit=5>; rel="next""#,
                Some("https://a/b?offset=5&limit=5"),
            ),
            ("<https://a/b>;rel=next", Some("https://a/b")),
            (
                r#"<https://a/b> ; title="x, y; <z>" ; REL = "prev NEXT""#,
                Some("https://a/b"),
            ),
            (
                r#"<https://a/1>; rel="prev", <https://a/2>; rel="next", <https://a/3>; rel="last""#,
                Some("https://a/2"),
            ),
            (r#"<https://a/x,y>; rel="next""#, Some("https://a/x,y")),
            (r#"</b?c=d>; rel="next""#, Some("/b?c=d")),
            (r#"<https://a/b>; rel="nextish""#, None),
            (r#"<https://a/b>; rel="prev"; rel="next""#, None),
            (r#"<https://a/b>; title="rel=next""#, None),
            ("https://a/b; rel=next", None),
            ("<https://a/b; rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_of(header).as_deref(), next, "{header}");
        }
        assert_eq!(next_of(&next_link("https://a/b?c=d")).unwrap(), "https://a/b?c=d");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_of_pages_panic(text in ".{0,60}", near in "[<>;,=\" \\\\relnxta]{0,40}") {
            let _ = (PageQuery::read(&text), next_of(&text), next_of(&near));
        }
    }
}
