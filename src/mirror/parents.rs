//! A connector changes, its EVSE follows; an EVSE changes, its location follows: `last_updated` of what is above becomes the pushed one,
//! unless it is later already (LOC-07, LOC-08). Every other octet stays.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::ocpi::fields::Fields;
use crate::ocpi::json::JsonError;
use crate::ocpi::patch;
use crate::ocpi::time;

/// The `last_updated` of a document: the instant, and how it is written there, with its quotes.
#[must_use]
pub fn last_updated(document: &[u8]) -> Option<(DateTime<Utc>, String)> {
    let fields = Fields::of_body(document, ["last_updated"]).ok()?;
    let written: Cow<'_, str> = fields.text("last_updated").ok()??;
    Some((time::parse(&written).ok()?, fields.raw("last_updated")?.to_owned()))
}

/// The document with the pushed timestamp, written as it was pushed, where its own is earlier or missing.
///
/// # Errors
/// [`JsonError`] when the document is no object.
pub fn raised(document: Vec<u8>, pushed: &(DateTime<Utc>, String)) -> Result<Vec<u8>, JsonError> {
    match last_updated(&document) {
        Some((own, _)) if own >= pushed.0 => Ok(document),
        _ => patch::set_text_member(&document, "last_updated", &pushed.1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn after(document: &str, pushed: &str) -> String {
        let pushed = last_updated(format!("{{\"last_updated\":\"{pushed}\"}}").as_bytes()).unwrap();
        String::from_utf8(raised(document.into(), &pushed).unwrap()).unwrap()
    }

    // LOC-07, LOC-08, T-48
    #[test]
    fn a_parent_gets_the_pushed_timestamp_as_it_was_written_and_never_an_earlier_one() {
        let parent = "{ \"n\":1.0, \"last_updated\" : \"2026-11-21T10:00:00Z\" }";
        assert_eq!(
            after(parent, "2026-11-21T10:00:00.5"),
            parent.replace("10:00:00Z", "10:00:00.5")
        );
        assert_eq!(after(parent, "2026-11-21T09:59:59Z"), parent);
        assert_eq!(after(parent, "2026-11-21T11:00:00+01:00"), parent, "the same instant");
        assert_eq!(
            after("{}", "2026-11-21T10:00:00Z"),
            "{\"last_updated\":\"2026-11-21T10:00:00Z\"}"
        );
    }
}
