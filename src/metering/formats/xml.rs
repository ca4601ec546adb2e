//! XML as the formats need it: small documents, looked at by local name.
//!
//! Never here: a document type, an entity beyond the five of XML itself, a document larger or deeper than any record. Both are refused before
//! the parser sees the text, so that a billion laughs is one search for `<!`. Namespaces are ignored, because the field writes none, empty ones
//! and four different ones for the same elements.

use roxmltree::{Document, Node};

use crate::metering::record::MAX_CARRIED_TEXT;

/// Deepest nesting that is read. The deepest format (S.A.F.E. XML around a `signedMeterValue`) has five levels.
const MAX_DEPTH: usize = 32;

/// Most nodes of one document, texts included. The largest container of the corpus has a few hundred.
const MAX_NODES: u32 = 20_000;

/// Longest file that is read, in bytes. The largest container of the corpus has 8 KiB; this is two thousand sessions of it.
pub const MAX_FILE: usize = 16 * 1024 * 1024;

/// Most nodes of one file: sixteen for each of ten thousand values. A value of the corpus has eight, indentation included.
const MAX_FILE_NODES: u32 = 160_000;

/// Longest tag, in bytes: the parser compares every attribute of a tag with every other. The longest in the corpus has 120.
const MAX_TAG: usize = 2 * 1024;

/// Most namespaces that are declared around one place: every element looks through all of them. The corpus has two.
const MAX_NAMESPACES: usize = 32;

/// Why a text is not looked at as XML. The sentence never repeats any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Longer than any record.
    #[error("the XML is longer than any record")]
    TooLong,
    /// It declares a document type, which no format has and which could make it mean anything.
    #[error("the XML declares a document type")]
    DocumentType,
    /// Deeper than any record, with longer tags, or with more namespaces.
    #[error("the XML is nested deeper or tagged longer than any record")]
    TooDeep,
    /// Not well formed.
    #[error("the XML is not well formed")]
    NotWellFormed,
}

/// Parses a document.
///
/// # Errors
/// [`XmlError`], before anything is expanded or allocated for it.
pub fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    parse_within(text, MAX_CARRIED_TEXT, MAX_NODES)
}

/// Parses a file that a person has at hand: it may hold a whole year of sessions.
///
/// # Errors
/// As [`parse`].
pub fn parse_file(text: &str) -> Result<Document<'_>, XmlError> {
    parse_within(text, MAX_FILE, MAX_FILE_NODES)
}

fn parse_within(text: &str, longest: usize, nodes_limit: u32) -> Result<Document<'_>, XmlError> {
    if text.len() > longest {
        return Err(XmlError::TooLong);
    }
    look_over(text, nodes_limit)?;
    let options = roxmltree::ParsingOptions {
        allow_dtd: false,
        nodes_limit,
        ..roxmltree::ParsingOptions::default()
    };
    // A byte order mark in front of the declaration is transport.
    Document::parse_with_options(text.trim_start_matches('\u{feff}').trim_start(), options)
        .map_err(|_| XmlError::NotWellFormed)
}

/// Walks over the markup without building anything: no document type, no endless nesting, nothing on which the parser would take longer than the
/// text is long.
fn look_over(text: &str, nodes_limit: u32) -> Result<(), XmlError> {
    // Every element is a node and has at most two tags.
    let mut tags_left = nodes_limit.saturating_mul(2);
    // The namespaces that each open element declares.
    let mut open: Vec<usize> = Vec::new();
    let mut namespaces = 0;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = if rest.starts_with("!--") {
            "-->"
        } else if rest.starts_with("![CDATA[") {
            "]]>"
        } else if rest.starts_with('?') {
            "?>"
        } else if rest.starts_with('!') {
            return Err(XmlError::DocumentType);
        } else {
            let tag = end_of_tag(rest).ok_or(XmlError::NotWellFormed)?;
            if tag > MAX_TAG {
                return Err(XmlError::TooDeep);
            }
            tags_left = tags_left.checked_sub(1).ok_or(XmlError::TooLong)?;
            if rest.starts_with('/') {
                namespaces -= open.pop().unwrap_or_default();
            } else {
                let declared = rest[..tag].matches("xmlns").count();
                if open.len() == MAX_DEPTH || namespaces + declared > MAX_NAMESPACES {
                    return Err(XmlError::TooDeep);
                }
                if !rest[..tag].ends_with('/') {
                    open.push(declared);
                    namespaces += declared;
                }
            }
            rest = &rest[tag..];
            continue;
        };
        rest = rest.split_once(end).ok_or(XmlError::NotWellFormed)?.1;
    }
    Ok(())
}

/// Where the `>` of a tag stands; one inside a quoted attribute does not count.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.bytes().position(|byte| match (quote, byte) {
        (None, b'>') => true,
        (None, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        (Some(open), _) if open == byte => {
            quote = None;
            false
        }
        _ => false,
    })
}

/// The child elements of this local name, whatever their namespace.
pub fn children<'d, 'i: 'd>(node: Node<'d, 'i>, name: &str) -> impl Iterator<Item = Node<'d, 'i>> {
    node.children().filter(move |child| is(*child, name))
}

/// Whether a node is an element of this local name.
pub fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// All text directly inside an element, comments left out, CDATA and the five entities resolved; untrimmed.
pub fn text(node: Node<'_, '_>) -> String {
    node.children()
        .filter(|child| child.is_text())
        .filter_map(|child| child.text())
        .collect()
}

/// An attribute by its local name.
pub fn attribute<'d>(node: Node<'d, '_>, name: &str) -> Option<&'d str> {
    node.attributes()
        .find(|attribute| attribute.name() == name)
        .map(|attribute| attribute.value())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_are_found_by_local_name_whatever_their_namespace() {
        for document in [
            "<a><b c='1'>x<!-- y --><![CDATA[<z>]]></b></a>",
            "<n:a xmlns:n='urn:x'><n:b n:c='1'>x<![CDATA[<z>]]></n:b></n:a>",
            "\u{feff}<?xml version='1.0'?><a xmlns='urn:x'><b c=\"1\">x&lt;z></b></a>",
        ] {
            let document = parse(document).unwrap();
            let element = children(document.root_element(), "b").next().unwrap();
            assert_eq!((text(element).as_str(), attribute(element, "c")), ("x<z>", Some("1")));
            assert_eq!(children(document.root_element(), "b").count(), 1);
            assert_eq!(children(document.root_element(), "c").count(), 0);
        }
    }

    #[test]
    fn a_document_type_is_refused_before_anything_is_expanded() {
        let laughs = "<!DOCTYPE a [<!ENTITY l \"ha\"><!ENTITY m \"&l;&l;&l;\">]><a>&m;</a>";
        assert_eq!(parse(laughs).unwrap_err(), XmlError::DocumentType);
        assert_eq!(
            parse("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>").unwrap_err(),
            XmlError::DocumentType
        );
        assert_eq!(parse("<a>&unknown;</a>").unwrap_err(), XmlError::NotWellFormed);
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(parse(&nested(MAX_DEPTH + 1)).unwrap_err(), XmlError::TooDeep);
        assert_eq!(parse(&nested(8000)).unwrap_err(), XmlError::TooDeep);
        assert_eq!(parse(&" ".repeat(MAX_CARRIED_TEXT + 1)).unwrap_err(), XmlError::TooLong);
        let wide = format!("<a b='>'>{}</a>", "<c d='>'/>".repeat(1000));
        assert!(parse(&wide).is_ok());
        assert_eq!(parse(&format!("<a>{}</a>", "<c/>".repeat(16_000))).map(|_| ()), Ok(()));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[<>a-c/!?\\[\\]\"'&; =-]{0,80}") {
            let _ = parse(&text);
        }
    }
}
