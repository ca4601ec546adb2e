//! The envelope around every answer: `data`, `status_code`, `status_message`, `timestamp` (S-01, OBJ-01).

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use thiserror::Error;

use super::fields::Fields;
use super::refusal::Refusal;
use super::status::StatusCode;
use super::time;

/// A peer's answer, unwrapped. `data` is kept as it was written.
#[derive(Clone)]
pub struct Envelope {
    /// The OCPI status code.
    pub status_code: StatusCode,
    /// What the peer says about it.
    pub status_message: Option<String>,
    /// The payload, if there is one; null counts as none (F-04).
    pub data: Option<Box<RawValue>>,
    /// When the peer says it answered. May be missing (F-05) or nonsense; nothing depends on it.
    pub timestamp: Option<String>,
}

// By hand: `data` may hold tokens and driver data.
impl std::fmt::Debug for Envelope {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Envelope")
            .field("status_code", &self.status_code)
            .field("status_message", &self.status_message)
            .field(
                "data",
                &self.data.as_ref().map(|data| format!("{} bytes", data.get().len())),
            )
            .field("timestamp", &self.timestamp)
            .finish()
    }
}

/// An answer that is no envelope, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the answer has no usable OCPI envelope: {0}")]
pub struct EnvelopeError(String);

/// Unwraps a peer's answer.
///
/// # Errors
/// [`EnvelopeError`] when it is no JSON object or has no integer `status_code` (S-15).
pub fn read(body: &[u8]) -> Result<Envelope, EnvelopeError> {
    let names = ["data", "status_code", "status_message", "timestamp"];
    let fields = Fields::of_body(body, names).map_err(|refusal: Refusal| EnvelopeError(refusal.message))?;
    let number = fields
        .required_number("status_code")
        .map_err(|violation| EnvelopeError(violation.to_string()))?;
    let status_code = number
        .parse()
        .map_err(|_| EnvelopeError("/status_code: must be an integer of four digits".to_owned()))?;
    Ok(Envelope {
        status_code: StatusCode(status_code),
        // A message of the wrong type is no reason to lose the answer.
        status_message: fields.text("status_message").ok().flatten().map(Into::into),
        data: fields.raw_value("data"),
        timestamp: fields.text("timestamp").ok().flatten().map(Into::into),
    })
}

/// A peer's words as we keep and repeat them, without control characters. 255 characters: what OCPI allows for most texts,
/// enough to understand, too little to flood a page.
#[must_use]
pub fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(255).collect()
}

/// Wraps an answer of ours. `data` is JSON text and goes in byte for byte; `None` leaves the member out (S-02).
#[must_use]
pub fn write(data: Option<&str>, code: StatusCode, message: Option<&str>, now: DateTime<Utc>) -> String {
    let mut text = String::with_capacity(data.map_or(0, str::len) + message.map_or(0, str::len) + 96);
    text.push('{');
    if let Some(data) = data {
        text.push_str("\"data\":");
        text.push_str(data);
        text.push(',');
    }
    text.push_str(&format!("\"status_code\":{code},"));
    if let Some(message) = message {
        text.push_str(&format!("\"status_message\":{},", serde_json::Value::from(message)));
    }
    text.push_str(&format!("\"timestamp\":\"{}\"}}", time::write(now)));
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    // S-01, S-02
    #[test]
    fn our_envelope_has_a_code_and_a_timestamp_and_data_only_when_there_is_some() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(
            write(None, StatusCode::SUCCESS, None, now),
            r#"{"status_code":1000,"timestamp":"1970-01-01T00:00:00Z"}"#
        );
        assert_eq!(
            write(Some(r#"[ 1.0 ]"#), StatusCode(2001), Some("/a: \"x\""), now),
            r#"{"data":[ 1.0 ],"status_code":2001,"status_message":"/a: \"x\"","timestamp":"1970-01-01T00:00:00Z"}"#
        );
    }

    // F-04, F-05, S-03
    #[test]
    fn a_peers_envelope_may_lack_everything_but_the_code() {
        let bare = read(br#"{"status_code":1000}"#).unwrap();
        assert_eq!((bare.status_code, bare.data.is_none()), (StatusCode::SUCCESS, true));
        let odd = read(br#"{"status_code":3999,"data":null,"status_message":7,"timestamp":"soon","more":{}}"#).unwrap();
        assert_eq!(
            (odd.status_code.0, odd.data.is_none(), odd.status_message),
            (3999, true, None)
        );
        let empty = read(br#"{"data": [ ],"status_code":1000}"#).unwrap();
        assert_eq!(empty.data.unwrap().get(), "[ ]");
    }

    // S-15
    #[test]
    fn what_has_no_code_is_no_envelope() {
        for body in [
            "<html>",
            "",
            "[]",
            "{}",
            r#"{"status_code":"1000"}"#,
            r#"{"status_code":1000.5}"#,
            r#"{"status_code":-1}"#,
            r#"{"status_code":70000}"#,
            r#"{"status_code":1000,"status_code":2000}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_envelope_does_not_show_its_data_in_logs() {
        let envelope = read(br#"{"status_code":1000,"data":{"token":"secret"}}"#).unwrap();
        assert!(!format!("{envelope:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn what_we_wrap_a_peer_can_unwrap(code in 1000_u16..5000, message in ".{0,40}", text in "\\PC{0,20}") {
            let data = serde_json::Value::from(text).to_string();
            let wrapped = write(Some(&data), StatusCode(code), Some(&message), DateTime::UNIX_EPOCH);
            let unwrapped = read(wrapped.as_bytes()).unwrap();
            prop_assert_eq!(unwrapped.status_code, StatusCode(code));
            prop_assert_eq!(unwrapped.status_message.unwrap(), message);
            prop_assert_eq!(unwrapped.data.as_deref().map(RawValue::get), Some(data.as_str()));
        }

        #[test]
        fn no_bytes_make_the_unwrapping_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }
    }
}
