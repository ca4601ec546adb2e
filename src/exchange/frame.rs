//! The frame of every list the hub answers itself: which page, how many in all, where the next one is (checklist 1.6).
//!
//! The `Link` carries `offset` and `limit` as OCPI wants them, and beside them a cursor: how many objects match, counted once per crawl,
//! and where the page begins (and, where the list has fixed pages, ends), so that a page is found at any depth in the same time. The
//! cursor counts only together with the offset it was made for, so a client that computes offsets itself is served as well.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::ocpi::page;
use crate::ocpi::url;
use crate::ocpi::versions::Version;

/// Where a crawl is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The offset it belongs to.
    pub(super) offset: u64,
    /// How many objects match.
    pub(super) total: u64,
    /// The last object before the page.
    pub(super) after: String,
    /// The last object of the page, where pages are fixed ranges.
    pub(super) until: Option<String>,
}

const CURSOR: &str = "cursor";

impl Cursor {
    /// The cursor of a request, if it brings one that was made for this offset. `None` for anything we did not write: the offset
    /// then decides.
    pub(super) fn of(query: &str, offset: u64) -> Option<Cursor> {
        let cursor = Cursor::read(&page::parameter(query, CURSOR)?)?;
        (cursor.offset == offset).then_some(cursor)
    }

    fn write(&self) -> String {
        let mut text = format!("{}.{}.{}", self.offset, self.total, short(&self.after));
        if let Some(until) = &self.until {
            text.push('.');
            text.push_str(&short(until));
        }
        text
    }

    fn read(text: &str) -> Option<Cursor> {
        let mut parts = text.split('.');
        let (offset, total) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let after = long(parts.next()?)?;
        let until = match parts.next() {
            Some(until) => Some(long(until)?),
            None => None,
        };
        parts.next().is_none().then_some(Cursor {
            offset,
            total,
            after,
            until,
        })
    }
}

/// An id in 22 characters instead of 36: a URL has 255 in all (T-46).
fn short(id: &str) -> String {
    Uuid::try_parse(id).map_or_else(|_| id.to_owned(), |id| URL_SAFE_NO_PAD.encode(id.as_bytes()))
}

fn long(text: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(Uuid::from_slice(&bytes).ok()?.to_string())
}

/// Absolute, with every filter of the request as it was written, explicit offset and limit (P-05, D-10).
pub(super) fn next_url(
    public_url: &str,
    version: Version,
    path: &str,
    query: &str,
    limit: u32,
    cursor: &Cursor,
) -> String {
    let base = format!("{}{path}", url::join(public_url, &["ocpi", version.as_str()]));
    let mut next = ::url::form_urlencoded::Serializer::new(String::new());
    for filter in ["date_from", "date_to"] {
        if let Some(value) = page::parameter(query, filter) {
            next.append_pair(filter, &value);
        }
    }
    next.append_pair("offset", &cursor.offset.to_string());
    next.append_pair("limit", &limit.to_string());
    next.append_pair(CURSOR, &cursor.write());
    url::with_query(&base, &next.finish())
}

/// A JSON list of bodies, each octet by octet.
pub(super) fn written<B: AsRef<[u8]>>(bodies: impl Iterator<Item = B>) -> String {
    let mut list = Vec::from(*b"[");
    for (number, body) in bodies.enumerate() {
        if number > 0 {
            list.push(b',');
        }
        list.extend_from_slice(body.as_ref());
    }
    list.push(b']');
    // Every body was read as JSON, so it is UTF-8.
    String::from_utf8(list).unwrap_or_else(|_| "[]".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn cursor(until: Option<&str>) -> Cursor {
        Cursor {
            offset: 20,
            total: 105,
            after: "0198c0de-0000-7000-8000-000000000001".into(),
            until: until.map(str::to_owned),
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        for cursor in [cursor(None), cursor(Some("0198c0de-0000-7000-8000-00000000ffff"))] {
            assert_eq!(Cursor::read(&cursor.write()), Some(cursor.clone()));
            let query = format!("limit=1&cursor={}&offset=20", cursor.write());
            assert_eq!(Cursor::of(&query, 20), Some(cursor));
            assert_eq!(Cursor::of(&query, 21), None);
        }
        for other in [
            "",
            "20",
            "20.105",
            "20.105.x",
            "20.105.AZjA3gAAcACAAAAAAAAAAQ.x",
            "20.105.AZjA3gAAcACAAAAAAAAAAQ.AZjA3gAAcACAAAAAAAAAAQ.",
            "-1.5.AZjA3gAAcACAAAAAAAAAAQ",
            "x.5.AZjA3gAAcACAAAAAAAAAAQ",
        ] {
            assert_eq!(Cursor::read(other), None, "{other}");
        }
    }

    // T-46, P-05
    #[test]
    fn the_url_of_a_next_page_has_all_filters_and_fits_in_255_characters() {
        let cursor = Cursor {
            offset: 9_999_900,
            total: 10_000_000,
            ..cursor(Some("0198c0de-0000-7000-8000-00000000ffff"))
        };
        let query = "date_to=2026-11-22T00:00:00.123Z&limit=500&date_from=2026-11-21T00:00:00%2B01:00&else=1";
        let next = next_url(
            "https://roaming-hub.example",
            Version::V2_2_1,
            "/sender/locations",
            query,
            100,
            &cursor,
        );
        assert!(next.len() <= 255, "{} {next}", next.len());
        let (place, asked) = next.split_once('?').unwrap();
        assert_eq!(place, "https://roaming-hub.example/ocpi/2.2.1/sender/locations");
        let told = |name| page::parameter(asked, name);
        assert_eq!(told("date_from").as_deref(), Some("2026-11-21T00:00:00+01:00"));
        assert_eq!(told("date_to").as_deref(), Some("2026-11-22T00:00:00.123Z"));
        assert_eq!(
            (told("offset").as_deref(), told("limit").as_deref(), told("else")),
            (Some("9999900"), Some("100"), None)
        );
    }

    #[test]
    fn a_list_holds_every_body_as_it_is() {
        let bodies = ["{ \"a\":1.0}\n", "{}"].map(bytes::Bytes::from);
        assert_eq!(written(bodies.into_iter()), "[{ \"a\":1.0}\n,{}]");
        assert_eq!(written(std::iter::empty::<&str>()), "[]");
    }
}
