//! Records as they are, one a line: for scripts, and for software that nobody wrote a form for yet.

use super::{RecordText, Session};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

pub(super) fn write(sessions: &[Session<'_>]) -> String {
    let sessions: Vec<String> = sessions
        .iter()
        .map(|session| {
            session
                .records()
                .iter()
                .map(|record| line(&record.text) + "\n")
                .collect()
        })
        .collect();
    sessions.join("\n")
}

/// A record with line breaks or control characters, or with blanks at its ends, would not come back from a line of text as it was.
fn line(text: &RecordText) -> String {
    match text {
        RecordText::Text(text) if !text.chars().any(char::is_control) && text.trim() == text => text.clone(),
        RecordText::Text(text) => BASE64_STANDARD.encode(text),
        RecordText::Binary(octets) => hex::encode_upper(octets),
    }
}
