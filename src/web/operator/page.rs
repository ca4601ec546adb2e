//! Lists of the operator API: `{"items": […], "next_cursor": …|null}` with `limit` and `cursor`.

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::json;

use super::{Problem, Query};

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many items at most; from 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// Where the page before ended: the key of its last item.
    pub after: Option<String>,
}

/// The most items on a page.
pub const MAX_LIMIT: u32 = 1000;
const DEFAULT_LIMIT: u32 = 100;

impl Page {
    /// Reads `limit` and `cursor`.
    ///
    /// # Errors
    /// 400 naming the parameter.
    pub fn read(query: &Query) -> Result<Page, Problem> {
        let limit = match query.get("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => match text.parse() {
                Ok(limit @ 1..=MAX_LIMIT) if text.bytes().all(|b| b.is_ascii_digit()) => limit,
                _ => {
                    let reason = format!("must be a whole number from 1 to {MAX_LIMIT}");
                    return Err(Problem::bad_request("limit", reason));
                }
            },
        };
        Ok(Page {
            limit,
            after: query.get("cursor").map(open).transpose()?,
        })
    }

    /// One page out of everything, in the order of `key`: the items after the cursor, and the cursor of the next page.
    pub fn cut<T>(&self, mut all: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        all.sort_by_cached_key(&key);
        if let Some(after) = &self.after {
            all.retain(|item| key(item) > *after);
        }
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| more).map(key);
        (all, next)
    }
}

/// The answer: the items, and where the next page begins after (a key, closed into a cursor here).
#[must_use]
pub fn list(items: &[impl Serialize], next_after: Option<&str>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"items": items, "next_cursor": next_after.map(closed)}))
}

/// A key as a cursor: opaque to clients, so that it may change its form. Keys are printable ASCII, as all ids are.
#[must_use]
pub fn closed(key: &str) -> String {
    hex::encode(key)
}

fn open(cursor: &str) -> Result<String, Problem> {
    let key = hex::decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.filter(|key| !key.is_empty() && key.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
        .ok_or_else(|| Problem::bad_request("cursor", "must be the next_cursor of another page"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn following_the_cursors_shows_every_item_once_and_in_order() {
        let all = (0..25).map(|n| format!("{n:02}")).rev().collect::<Vec<_>>();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = Page { limit: 10, after };
            let (items, next) = page.cut(all.clone(), Clone::clone);
            seen.extend(items);
            match next {
                Some(key) => after = Some(open(&closed(&key)).unwrap()),
                None => break,
            }
        }
        assert_eq!(seen, (0..25).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_last_page_that_is_full_has_no_next() {
        let page = Page { limit: 2, after: None };
        assert_eq!(page.cut(vec!["a", "b"], |s| (*s).to_owned()), (vec!["a", "b"], None));
    }

    #[test]
    fn a_cursor_of_somebody_elses_making_is_refused() {
        for nonsense in ["", "=", "äö", "0", "00", "7f", "c3a4", "zz"] {
            assert!(open(nonsense).is_err(), "{nonsense:?}");
        }
    }
}
