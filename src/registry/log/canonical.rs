//! One text for one JSON value, so that a hash means something (after RFC 8785).
//!
//! Members in the order of their UTF-16 code units, no blanks, UTF-8, only the escapes that JSON demands. Numbers are whole numbers:
//! everything with a fraction is kept as text in this house, and the one difficult chapter of the RFC is not needed.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Hash;

/// The value has a number that is not a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only whole numbers have one spelling")]
pub struct NotCanonical;

/// The canonical text of a value.
///
/// # Errors
/// [`NotCanonical`] for a number with a fraction or an exponent.
pub fn write(value: &Value) -> Result<String, NotCanonical> {
    let mut text = String::new();
    append(value, &mut text)?;
    Ok(text)
}

/// SHA-256 over a canonical text, in lower-case hex.
#[must_use]
pub fn digest(text: &str) -> String {
    hex::encode(Hash::from(Sha256::digest(text)))
}

fn append(value: &Value, out: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => out.push_str(&whole.to_string()),
            (None, Some(whole)) => out.push_str(&whole.to_string()),
            (None, None) => return Err(NotCanonical),
        },
        Value::String(text) => append_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                append(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            out.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                append_text(name, out);
                out.push(':');
                append(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// RFC 8785, 3.2.2.2.
fn append_text(text: &str, out: &mut String) {
    out.push('"');
    for one in text.chars() {
        match one {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_and_nothing_is_blank() {
        let value = json!({"b": [1, null, true], "a": {"z": -1, "y": "ü"}, "": false});
        assert_eq!(
            write(&value).unwrap(),
            r#"{"":false,"a":{"y":"ü","z":-1},"b":[1,null,true]}"#
        );
    }

    #[test]
    fn names_are_sorted_as_the_rfc_sorts_them() {
        // RFC 8785, 3.2.3: by UTF-16, where a character beyond the first plane comes before U+FB33.
        let value = json!({"\u{20ac}": "g", "\r": "a", "\u{fb33}": "i", "1": "b", "\u{1f600}": "h", "\u{80}": "c", "\u{f6}": "d"});
        let text = write(&value).unwrap();
        let order: String = text.chars().filter(|one| ('a'..='i').contains(one)).collect();
        assert_eq!(order, "abcdghi");
    }

    #[test]
    fn a_fraction_has_no_canonical_text() {
        assert_eq!(write(&json!({"a": [0.5]})), Err(NotCanonical));
    }

    proptest! {
        #[test]
        fn a_canonical_text_reads_as_the_same_value_and_is_its_own_canonical_text(text: String, number: i64) {
            let value = json!({text.clone(): [text, number]});
            let written = write(&value).unwrap();
            let read: Value = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(&read, &value);
            prop_assert_eq!(write(&read).unwrap(), written);
        }
    }
}
