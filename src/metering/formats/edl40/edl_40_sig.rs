//! EDL_40_SIG, "signature only": the 320-octet block as it is, beside its signature, in XML (signed-metering-formats.md 10).
//!
//! The block is hashed as it was sent, unused octets included. Its time is local and no offset comes with it, so that it can be held against other
//! records of the meter and against nothing else. The labels in the XML and the key inside it are unsigned.

use std::borrow::Cow;

use roxmltree::Node;

use super::block::Block;
use super::{LogSignature, malformed};
use crate::metering::formats::signed_record::{SignedBlock, SignedRecord};
use crate::metering::formats::xml;
use crate::metering::formats::{FormatName, ReadRecord};
use crate::metering::key::{base32_bytes, base64_bytes};
use crate::metering::reading::SignedTime;

/// Reads a `signedMeterValue` element whose transport encoding is already removed.
///
/// # Errors
/// XML that is none or declares a document type, an element missing, not decodable or of the wrong size, a value that is no energy.
pub fn read(content: &[u8]) -> ReadRecord<'static> {
    let broken = malformed(FormatName::Edl40Sig);
    let text = std::str::from_utf8(content).map_err(|_| broken("the record is not text"))?;
    let document = xml::parse(text).map_err(|error| broken(&error.to_string()))?;
    let root = document.root_element();
    let element = |name: &str| {
        let mut elements = xml::children(root, name);
        let first = elements.next();
        match elements.next() {
            Some(_) => Err(broken(&format!("the element {name} stands twice"))),
            None => Ok(first),
        }
    };
    let octets = |name: &str| {
        let element = element(name)?.ok_or_else(|| broken(&format!("the element {name} is missing")))?;
        decode(element).ok_or_else(|| broken(&format!("the element {name} is not encoded as it says")))
    };
    let octets_of_block = octets("encodedMeterValue")?;
    let signature = octets("meterValueSignature")?;
    let block = Block::read(&octets_of_block).ok_or_else(|| broken("the signed block does not have 320 octets"))?;
    if !block.is_energy() {
        return Err(broken("the value is not in watt-hours"));
    }
    let signature = LogSignature::read(&signature);
    let mut statement = block.statement(SignedTime::local(block.local_time));
    if !signature.is_of_emoc() {
        statement.readings.truncate(1);
    }
    let signed = SignedBlock {
        octets: Cow::Owned(octets_of_block),
        signature: signature.block,
    };
    let mut record = SignedRecord::new(FormatName::Edl40Sig, signed, statement);
    record.embedded_key = element("publicKey")?
        .map(xml::text)
        .filter(|key| !key.trim().is_empty())
        .map(Cow::Owned);
    Ok(record)
}

/// The octets of an element. What its attribute says is how they are read; without one, hex where it can be hex and otherwise base64.
fn decode(element: Node<'_, '_>) -> Option<Vec<u8>> {
    let text: String = xml::text(element).split_whitespace().collect();
    let from_hex = || hex::decode(&text).ok();
    let encoding = xml::attribute(element, "encoding").unwrap_or_default();
    match encoding.trim().to_ascii_lowercase().as_str() {
        "hex" | "base16" => from_hex(),
        "base64" => base64_bytes(&text),
        "base32" => base32_bytes(&text),
        _ => from_hex().or_else(|| base64_bytes(&text)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::metering::key::Curve;
    use crate::metering::reading::TimeStatus;
    use crate::metering::sign::SigningMeter;
    use crate::metering::sign::records::{Edl40Fields, edl_40_sig};
    use proptest::prelude::*;

    fn record(curve: Curve) -> String {
        edl_40_sig(
            &SigningMeter::from_seed(curve, b"a wallbox").unwrap(),
            &Edl40Fields::default(),
        )
    }

    #[test]
    fn the_block_is_what_was_sent_and_its_time_has_no_zone() {
        for curve in [Curve::Secp192r1, Curve::Secp256r1] {
            let text = record(curve);
            let read = read(text.as_bytes()).unwrap();
            assert_eq!(read.blocks[0].octets.len(), super::super::block::BLOCK);
            assert_eq!(read.blocks[0].signature.as_ref().unwrap().curve, curve);
            let time = &read.statement.readings[0].time;
            assert_eq!(
                (time.text.as_str(), time.status),
                ("2026-07-01T10:00:00", TimeStatus::Unzoned)
            );
            assert!(read.embedded_key.is_some());
        }
    }

    #[test]
    fn prefixes_namespaces_and_layout_mean_nothing_and_doubled_elements_are_refused() {
        let text = record(Curve::Secp192r1);
        let prefixed = text
            .replacen("<signedMeterValue>", "<n:signedMeterValue xmlns:n='urn:x'>", 1)
            .replacen("</signedMeterValue>", "\n</n:signedMeterValue>", 1)
            .replace("<encodedMeterValue", "<n:encodedMeterValue")
            .replace("</encodedMeterValue", " \n</n:encodedMeterValue");
        assert!(read(prefixed.as_bytes()).is_ok());
        let doubled = text.replacen("<publicKey", "<publicKey>AA</publicKey><publicKey", 1);
        assert!(read(doubled.as_bytes()).is_err());
        let typed = format!("<!DOCTYPE signedMeterValue>{text}");
        assert!(read(typed.as_bytes()).is_err());
        let relabelled = text.replace("encoding=\"base64\"", "encoding=\"hex\"");
        assert!(read(relabelled.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_changed_character_makes_the_reader_panic(at in any::<proptest::sample::Index>(), octet in any::<u8>()) {
            let mut octets = record(Curve::Secp192r1).into_bytes();
            let at = at.index(octets.len());
            octets[at] = octet;
            let _ = read(&octets);
        }
    }
}
