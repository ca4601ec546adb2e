//! A record as somebody claims it: the strings that arrived, and the keys it may be held against.
//!
//! Nothing is decoded here and nothing is changed. What a label says is a hint, what a key says depends on who says it ([`KeyTrust`]).

use std::fmt;

use super::key::PublicKey;

/// Longest carried text (record, readable copy, container) that is looked at, in bytes. The longest genuine record in the corpus has 5579 bytes
/// (an ML-DSA signature in hex), OCPI stops at 5000 characters a field (2.2.1 `SignedValue`), whole containers stay below 40 KiB.
pub const MAX_CARRIED_TEXT: usize = 64 * 1024;

/// Most signed values that are looked at in one go. The corpus has three in a session; every one may cost a signature verification.
pub const MAX_RECORDS: usize = 50;

/// Most readings in one record. The corpus has at most eight; four a quarter of an hour over a whole day are 384.
pub const MAX_READINGS: usize = 500;

/// One signed value as it was carried, octet for octet.
#[derive(Clone, Copy, Default)]
pub struct SignedValue<'a> {
    /// What the sender says about its place in the session (`Start`, `End`, `Intermediate`); not signed.
    pub nature: Option<&'a str>,
    /// The readable copy; no evidence.
    pub plain_data: &'a str,
    /// The record, in whatever transport encoding.
    pub signed_data: &'a str,
    /// A key that came with this very value (containers have one each); otherwise [`Given::delivered_key`] holds for all.
    pub delivered_key: Option<&'a str>,
}

/// Records carry identifications of drivers: only their lengths are shown.
impl fmt::Debug for SignedValue<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SignedValue")
            .field("nature", &self.nature)
            .field("plain_data", &self.plain_data.len())
            .field("signed_data", &self.signed_data.len())
            .finish_non_exhaustive()
    }
}

/// The identification in a record: a card number, a contract. Compared, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Identification(String);

impl Identification {
    /// Wraps what the record says.
    pub fn new(text: String) -> Identification {
        Identification(text)
    }

    /// The identification itself, for comparing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Identification {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Identification(hidden)")
    }
}

/// What is known beside the records.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// The sender's name of the format; a hint, the content decides.
    pub encoding_method: Option<&'a str>,
    /// The text of the key that came along with the records.
    pub delivered_key: Option<&'a str>,
    /// The key that a registry holds for this meter: anchored outside of the message.
    pub registered_key: Option<&'a PublicKey>,
    /// The text of a key that the person asking has from elsewhere, e.g. from the print on the station.
    pub given_key: Option<&'a str>,
}

/// On whose word a key rests. The better one wins; two that differ contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyTrust {
    /// A registry holds it for this meter.
    Registered,
    /// It came along with the record: whoever forges the record also chooses the key.
    Delivered,
    /// The person who asks has it from elsewhere.
    Given,
    /// There is none.
    None,
}

impl KeyTrust {
    /// The word for verdicts.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyTrust::Registered => "REGISTERED",
            KeyTrust::Delivered => "DELIVERED",
            KeyTrust::Given => "GIVEN",
            KeyTrust::None => "NONE",
        }
    }
}

/// What is asked of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgedAs {
    /// Each for itself: a begin without an end is fine.
    Record,
    /// One charging session: begin and end, once each, of one meter under one key.
    Session,
}

/// The place in a session that a label claims. Unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nature {
    /// `Start`, also `Begin`, `Transaction.Begin`
    Start,
    /// `Intermediate`
    Intermediate,
    /// `End`, also `Stop`, `Transaction.End`
    End,
}

impl Nature {
    /// Reads the label in the spellings of the field; `None` if it says nothing about the place.
    pub fn read(label: &str) -> Option<Nature> {
        let label = label.trim().to_ascii_lowercase();
        match label.rsplit('.').next().unwrap_or_default() {
            "start" | "begin" => Some(Nature::Start),
            "end" | "stop" => Some(Nature::End),
            "intermediate" | "charging" | "update" => Some(Nature::Intermediate),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natures_are_read_in_any_letter_case_and_by_their_other_names() {
        assert_eq!(Nature::read("START"), Some(Nature::Start));
        assert_eq!(Nature::read("Transaction.Begin"), Some(Nature::Start));
        assert_eq!(Nature::read(" Stop "), Some(Nature::End));
        assert_eq!(Nature::read("Intermediate"), Some(Nature::Intermediate));
        assert_eq!(Nature::read("whatever"), None);
    }
}
