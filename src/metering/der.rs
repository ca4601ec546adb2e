//! As much DER as a public key and a signature need, read strictly: definite lengths in their shortest form, one-byte tags.
//!
//! Strictness is the point. Where two readers take the same bytes for different keys or different signatures, somebody forges;
//! BER's freedoms (X.690, 8.1.3) are therefore errors here, and what the field really gets wrong is forgiven by name in
//! `signature`, not by a loose reader.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// One element: its tag and its content octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
}

/// Walks over the elements of a constructed value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(crate) fn of(content: &'a [u8]) -> Self {
        Self { rest: content }
    }

    /// The next element, or `None` if what follows is not one (an end is not one either: ask [`Self::is_at_end`]).
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.rest.split_first()?;
        // Tag number 31 announces a longer tag: nothing we read has one.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Element { tag, content })
    }

    /// The content of the next element if it has this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|element| element.tag == tag)
            .map(|element| element.content)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

/// The content of a SEQUENCE that covers these bytes exactly: nothing may follow it.
pub(crate) fn whole_sequence(bytes: &[u8]) -> Option<&[u8]> {
    let mut elements = Elements::of(bytes);
    let content = elements.expect(SEQUENCE)?;
    elements.is_at_end().then_some(content)
}

/// Writes one element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + 4);
    bytes.push(tag);
    let length = content.len();
    match length {
        0..0x80 => bytes.push(length as u8),
        0x80..0x100 => bytes.extend([0x81, length as u8]),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend_from_slice(content);
    bytes
}

/// Writes a non-negative INTEGER from big-endian octets.
pub(crate) fn unsigned_integer(octets: &[u8]) -> Vec<u8> {
    let significant = without_leading_zeros(octets);
    let mut content = Vec::with_capacity(significant.len() + 1);
    if significant.first().is_none_or(|first| first & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(significant);
    element(INTEGER, &content)
}

/// The same number without leading zero octets; zero is the empty slice.
pub(crate) fn without_leading_zeros(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    octets.get(zeros..).unwrap_or_default()
}

/// A definite length in its shortest form, up to 65535 (X.690, 10.1).
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [short, ref rest @ ..] if short < 0x80 => Some((usize::from(short), rest)),
        [0x81, long, ref rest @ ..] if long >= 0x80 => Some((usize::from(long), rest)),
        [0x82, high, low, ref rest @ ..] if high > 0 => {
            Some((usize::from(u16::from_be_bytes([high, low])), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_has_one_spelling() {
        assert!(whole_sequence(&[0x30, 0x02, 0x05, 0x00]).is_some());
        // X.690 10.1: the long form for a short length, the indefinite form, a length that promises too much or too little.
        for refused in [
            &[0x30, 0x81, 0x02, 0x05, 0x00][..],
            &[0x30, 0x82, 0x00, 0x02, 0x05, 0x00],
            &[0x30, 0x80, 0x05, 0x00, 0x00, 0x00],
            &[0x30, 0x03, 0x05, 0x00],
            &[0x30, 0x02, 0x05, 0x00, 0x00],
            &[0x30],
            &[],
        ] {
            assert!(whole_sequence(refused).is_none(), "{refused:02x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(tag in 0u8..31, content in proptest::collection::vec(any::<u8>(), 0..700)) {
            let bytes = element(tag, &content);
            let mut elements = Elements::of(&bytes);
            prop_assert_eq!(elements.next(), Some(Element { tag, content: &content }));
            prop_assert!(elements.is_at_end());
        }
    }
}
