//! S.A.F.E. XML, written so that the S.A.F.E. software, Chargy, pyocmf and our own reader take it: no namespace, attributes first, one line a value.

use std::collections::HashSet;

use super::{Record, RecordText, Session};
use crate::metering::formats::FormatName;
use crate::metering::record::Nature;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

pub(super) fn write(sessions: &[Session<'_>]) -> String {
    let mut file = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<values>\n");
    for (session, transaction) in sessions.iter().zip(transactions(sessions)) {
        let records = session.records();
        // A lone record says itself what it holds; S.A.F.E. waits for the other half of anything that is called a begin or an end.
        let alone = records.len() == 1;
        for record in &records {
            write_value(&mut file, &transaction, record, alone);
        }
    }
    file.push_str("</values>\n");
    file
}

/// The transaction of each session. S.A.F.E. reads a number here and nothing else, and two sessions with one number would be one: if the senders'
/// numbers are none, or meet, the sessions of the file are counted instead.
fn transactions(sessions: &[Session<'_>]) -> Vec<String> {
    let is_number = |text: &&str| (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let own: Option<Vec<&str>> = sessions
        .iter()
        .map(|session| session.transaction.map(str::trim).filter(is_number))
        .collect();
    match own {
        Some(own) if own.iter().collect::<HashSet<_>>().len() == own.len() => {
            own.into_iter().map(str::to_owned).collect()
        }
        _ => (1..=sessions.len()).map(|number| number.to_string()).collect(),
    }
}

fn write_value(file: &mut String, transaction: &str, record: &Record, alone: bool) {
    file.push_str(&format!("  <value transactionId=\"{transaction}\""));
    let context = match record.place() {
        _ if alone => None,
        Some(Nature::Start) => Some("Transaction.Begin"),
        Some(Nature::End) => Some("Transaction.End"),
        Some(Nature::Intermediate) => Some("Transaction.Intermediate"),
        None => None,
    };
    if let Some(context) = context {
        file.push_str(&format!(" context=\"{context}\""));
    }
    file.push_str("><signedData");
    if let Some(format) = record.format.and_then(format_name) {
        file.push_str(&format!(" format=\"{format}\""));
    }
    let (encoding, text) = match &record.text {
        RecordText::Text(text) if survives_xml(text) => ("plain", escaped(text)),
        RecordText::Text(text) => ("base64", BASE64_STANDARD.encode(text)),
        RecordText::Binary(octets) => ("hex", hex::encode_upper(octets)),
    };
    file.push_str(&format!(" encoding=\"{encoding}\">{text}</signedData>"));
    if let Some(key) = &record.public_key {
        file.push_str(&format!("<publicKey encoding=\"plain\">{}</publicKey>", escaped(key)));
    }
    file.push_str("</value>\n");
}

/// The names that the S.A.F.E. software knows; others are left for the reader to recognise.
fn format_name(format: FormatName) -> Option<&'static str> {
    match format {
        FormatName::Ocmf => Some("OCMF"),
        FormatName::Alfen => Some("ALFEN"),
        FormatName::Edl40P => Some("SML_EDL40_P"),
        FormatName::IsaEdl40P => Some("ISA_EDL_40_P"),
        FormatName::Edl40Sig => Some("EDL_40_SIG"),
        FormatName::Mennekes => Some("EDL_40_MENNEKES"),
        FormatName::Pcdf => Some("PCDF"),
        _ => None,
    }
}

/// Whether a reader of XML gets the same octets back: XML has no control characters, and what stands outside of the record is trimmed.
fn survives_xml(text: &str) -> bool {
    let is_allowed =
        |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\t' | '\n' | '\r');
    text.chars().all(is_allowed) && text.trim() == text
}

/// Characters that would be markup, and the carriage return, which XML turns into a line feed when it stands there as such (XML 1.0, 2.11).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_xml_gives_back_unchanged_is_written_as_text() {
        for text in ["OCMF|{}|{}", "a\r\nb\tc", "<a>&amp;</a>", "ä\u{fffd}"] {
            assert!(survives_xml(text), "{text:?}");
        }
        for text in ["\u{2}128.8.0(\u{3}", " a", "a\n", "a\u{85}b", "a\u{0}"] {
            assert!(!survives_xml(text), "{text:?}");
        }
        assert_eq!(escaped("a<b>&\r\n\""), "a&lt;b&gt;&amp;&#13;\n\"");
    }

    #[test]
    fn transactions_are_numbers_and_never_meet() {
        let of = |named: &[Option<&str>]| {
            let sessions: Vec<Session<'_>> = named
                .iter()
                .map(|transaction| Session {
                    transaction: *transaction,
                    ..Session::default()
                })
                .collect();
            transactions(&sessions)
        };
        assert_eq!(of(&[Some("4711"), Some(" 815 ")]), ["4711", "815"]);
        for others in [
            [Some("2"), None],
            [Some("2"), Some("f8c9-44b1")],
            [Some("7"), Some("7")],
            [Some("7"), Some("98765432109876543210987")],
        ] {
            assert_eq!(of(&others), ["1", "2"]);
        }
    }
}
