//! What a party is, and which side of a module is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The role of a party (ENUM-31). Case-sensitive on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Charge point operator.
    Cpo,
    /// E-mobility service provider.
    Emsp,
    /// Roaming hub.
    Hub,
    /// National access point: a national database of locations.
    Nap,
    /// Navigation service provider.
    Nsp,
    /// Anything else.
    Other,
    /// Smart-charging service provider.
    Scsp,
}

impl Role {
    /// Every role of the enumeration.
    pub const ALL: [Self; 7] = [
        Self::Cpo,
        Self::Emsp,
        Self::Hub,
        Self::Nap,
        Self::Nsp,
        Self::Other,
        Self::Scsp,
    ];

    /// As written in OCPI: `CPO`, `EMSP`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpo => "CPO",
            Self::Emsp => "EMSP",
            Self::Hub => "HUB",
            Self::Nap => "NAP",
            Self::Nsp => "NSP",
            Self::Other => "OTHER",
            Self::Scsp => "SCSP",
        }
    }

    /// Reads the exact spelling; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Which side of a module stands behind a URL (V-03, ENUM-32).
///
/// The sender owns the data; in commands and charging profiles the receiver executes and the sender hears the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InterfaceRole {
    /// Implemented by the owner of the data.
    Sender,
    /// Implemented by whoever is told.
    Receiver,
}

impl InterfaceRole {
    /// As written in OCPI: `SENDER` or `RECEIVER`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "SENDER",
            Self::Receiver => "RECEIVER",
        }
    }

    /// Reads the exact spelling; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sender, Self::Receiver]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

impl fmt::Display for InterfaceRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // ENUM-31, ENUM-32
    #[test]
    fn every_role_reads_back_as_it_is_written_and_in_no_other_case() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(Role::parse(&role.as_str().to_lowercase()), None);
        }
        assert_eq!(InterfaceRole::parse("SENDER"), Some(InterfaceRole::Sender));
        assert_eq!(InterfaceRole::parse("RECEIVER"), Some(InterfaceRole::Receiver));
        assert_eq!(InterfaceRole::parse("Sender"), None);
    }
}
