//! Documents in JSON, as the readers of containers need them: one object, no member twice, members by path.

use super::FormatName;
use super::signed_record::Malformed;
use crate::metering::json::{self, Kind, Value};

/// Reads a document.
///
/// # Errors
/// What is no text, no JSON, no object, or has a member twice: which of the two counts decides what was signed.
pub(super) fn read(format: FormatName, content: &[u8]) -> Result<Value<'_>, Malformed> {
    let malformed = |message: String| Malformed::new(format, message);
    let text = std::str::from_utf8(content).map_err(|_| malformed("the document is not text".to_owned()))?;
    let document = json::read(text).map_err(|error| malformed(format!("the document is not JSON: {error}")))?;
    if document.kind() != Kind::Object {
        return Err(malformed("the document is not a JSON object".to_owned()));
    }
    match document.first_duplicate() {
        Some(name) => Err(malformed(format!(
            "a member stands twice ({})",
            name.chars().take(40).collect::<String>()
        ))),
        None => Ok(document),
    }
}

/// The member at the end of a path.
pub(super) fn at<'v>(value: Value<'v>, path: &[&str]) -> Option<Value<'v>> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// A member that is text, or a number as written; empty means absent.
pub(super) fn text(value: Value<'_>, path: &[&str]) -> Option<String> {
    let found = at(value, path)?;
    let text = match found.kind() {
        Kind::Number => found.number()?.to_owned(),
        _ => found.text()?.into_owned(),
    };
    Some(text).filter(|text| !text.trim().is_empty())
}

/// A whole number, written as one or as text.
pub(super) fn whole(value: Value<'_>, path: &[&str]) -> Option<i64> {
    text(value, path)?.trim().parse().ok()
}

/// The label of a value in a list of one session, whose order is the order of the session: nothing else says which value is the begin. `None`
/// for a lone one.
pub(super) fn place_in_list(index: usize, count: usize) -> Option<&'static str> {
    match index {
        _ if count < 2 => None,
        0 => Some("Start"),
        _ if index == count - 1 => Some("End"),
        _ => Some("Intermediate"),
    }
}
