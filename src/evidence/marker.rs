//! The one member we append: `"metering_validation": {…}`, spliced in as the last one so that every other octet stays.
//!
//! design.md 3.5, "Marker". Nothing is parsed and written again: the place is found, the octets before and behind it are copied.

use chrono::{DateTime, SecondsFormat, Utc};
use memchr::memmem;
use serde::Serialize;

use super::assess::Verdict;
use crate::metering::json::{self, Kind, Value};

/// The name of the member.
pub const MEMBER: &str = "metering_validation";

/// The body is no JSON object: nothing can be appended to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object")]
pub struct NotAnObject;

/// The value of the member for a verdict.
pub fn marker(verdict: &Verdict, validated_by: &str, validated_at: DateTime<Utc>, report_url: &str) -> String {
    #[derive(Serialize)]
    struct Marker<'v> {
        status: &'static str,
        billable: bool,
        findings: Vec<&'static str>,
        validated_by: &'v str,
        validated_at: String,
        report_url: &'v str,
    }
    let marker = Marker {
        status: verdict.status.as_str(),
        billable: verdict.billable,
        findings: verdict.reasons(),
        validated_by,
        validated_at: validated_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        report_url,
    };
    // Strings and booleans only: there is nothing in it that could fail to be written.
    serde_json::to_string(&marker).unwrap_or_default()
}

/// The body with the member as its last one. White space around the object and inside it stays where it was.
pub fn splice(body: &[u8], marker: &str) -> Result<Vec<u8>, NotAnObject> {
    let text = std::str::from_utf8(body).map_err(|_| NotAnObject)?;
    let closing = closing_brace(text)?;
    let inside = text[..closing].trim_end();
    // Only in an empty object can an opening brace be the last thing before the closing one.
    let comma = if inside.ends_with('{') { "" } else { "," };
    let member = format!("{comma}\"{MEMBER}\":{marker}");
    Ok([
        &text.as_bytes()[..inside.len()],
        member.as_bytes(),
        &text.as_bytes()[inside.len()..],
    ]
    .concat())
}

/// Whether the body already has the member, however its name is escaped.
pub fn has_marker(body: &[u8]) -> bool {
    // A letter of a name is written as it is or as `\u…`: a body with neither need not be read once more.
    let may = memmem::find(body, MEMBER.as_bytes()).is_some() || memmem::find(body, br"\u").is_some();
    if !may {
        return false;
    }
    let mut found = false;
    if let Some(object) = object(body) {
        object.each_member(|name, _| found |= name == MEMBER);
    }
    found
}

fn object(body: &[u8]) -> Option<Value<'_>> {
    let value = json::read(std::str::from_utf8(body).ok()?).ok()?;
    (value.kind() == Kind::Object).then_some(value)
}

/// Byte offset of the brace that closes the object.
fn closing_brace(text: &str) -> Result<usize, NotAnObject> {
    let value = json::read(text).map_err(|_| NotAnObject)?;
    if value.kind() != Kind::Object {
        return Err(NotAnObject);
    }
    text.rfind('}').ok_or(NotAnObject)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn spliced(body: &str) -> String {
        String::from_utf8(splice(body.as_bytes(), "{\"status\":\"INVALID\"}").unwrap()).unwrap()
    }

    #[test]
    fn the_marker_is_the_last_member_and_nothing_else_moves() {
        assert_eq!(
            spliced(r#"{"a":1.0}"#),
            r#"{"a":1.0,"metering_validation":{"status":"INVALID"}}"#
        );
        assert_eq!(spliced("{}"), r#"{"metering_validation":{"status":"INVALID"}}"#);
        assert_eq!(
            spliced(" { \n} \n"),
            " {\"metering_validation\":{\"status\":\"INVALID\"} \n} \n"
        );
        assert_eq!(
            spliced("{\n  \"a\": \"}\"\n}\n"),
            "{\n  \"a\": \"}\",\"metering_validation\":{\"status\":\"INVALID\"}\n}\n"
        );
        assert_eq!(
            spliced(r#"{"a":{}}"#),
            r#"{"a":{},"metering_validation":{"status":"INVALID"}}"#
        );
    }

    #[test]
    fn what_is_no_object_gets_no_marker() {
        for body in ["", "[]", "1", "{", "{}}", "{} x"] {
            assert_eq!(splice(body.as_bytes(), "{}"), Err(NotAnObject), "{body:?}");
        }
        assert_eq!(splice(b"\xff{}", "{}"), Err(NotAnObject));
    }

    #[test]
    fn an_existing_marker_is_seen_however_it_is_escaped_and_only_at_the_top() {
        assert!(has_marker(br#"{"a":1,"metering_validation":null}"#));
        assert!(has_marker(br#"{"metering\u005fvalidation":{}}"#));
        assert!(!has_marker(br#"{"a":{"metering_validation":{}}}"#));
        assert!(!has_marker(b"metering_validation"));
    }

    /// Any JSON object, with white space wherever JSON allows it.
    fn any_object() -> impl Strategy<Value = String> {
        let blank = "[ \\n\\r\\t]{0,3}";
        let scalar = prop_oneof![
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
            Just("null".to_owned()),
            Just("\"a}\\\"b{ä\"".to_owned()),
            "\"[a-zA-Z{}\\[\\],: ]{0,12}\"",
        ];
        let value = scalar.prop_recursive(4, 24, 4, move |inner| {
            (proptest::collection::vec((blank, inner, blank), 0..4), any::<bool>()).prop_map(|(items, is_list)| {
                let join = |items: Vec<String>| items.join(",");
                if is_list {
                    format!(
                        "[{}]",
                        join(items.into_iter().map(|(b, v, a)| format!("{b}{v}{a}")).collect())
                    )
                } else {
                    format!(
                        "{{{}}}",
                        join(
                            items
                                .into_iter()
                                .enumerate()
                                .map(|(i, (b, v, a))| format!("{b}\"k{i}\"{a}:{b}{v}{a}"))
                                .collect()
                        )
                    )
                }
            })
        });
        (
            proptest::collection::vec((blank, value, blank), 0..6),
            blank,
            blank,
            blank,
        )
            .prop_map(|(members, before, inside, after)| {
                let members: Vec<String> = members
                    .into_iter()
                    .enumerate()
                    .map(|(i, (b, v, a))| format!("{b}\"m{i}\"{a}:{b}{v}{a}"))
                    .collect();
                format!("{before}{{{inside}{}}}{after}", members.join(","))
            })
    }

    proptest! {
        #[test]
        fn taking_the_marker_out_again_gives_the_body_as_it_was(body in any_object()) {
            let marker = r#"{"status":"INVALID","findings":["SIGNATURE_MISMATCH"]}"#;
            let with = String::from_utf8(splice(body.as_bytes(), marker).unwrap()).unwrap();
            let members = json::read(&with).unwrap().members();
            prop_assert_eq!(members.last().unwrap().name.as_ref(), MEMBER);
            prop_assert_eq!(members.last().unwrap().value.as_written(), marker);
            prop_assert_eq!(members.len(), json::read(&body).unwrap().members().len() + 1);
            let member = format!("\"{MEMBER}\":{marker}");
            let at = with.rfind(&member).unwrap();
            let start = if members.len() > 1 { at - 1 } else { at };
            let without = format!("{}{}", &with[..start], &with[at + member.len()..]);
            prop_assert_eq!(without, body.clone());
            prop_assert!(has_marker(with.as_bytes()) && !has_marker(body.as_bytes()));
        }

        #[test]
        fn no_octets_make_the_splice_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = splice(&body, "{}");
            has_marker(&body);
        }
    }
}
