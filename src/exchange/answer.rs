//! What the CPO hears about its CDR: the receiver's own words or the hub's, and always what the metering data is worth.

use crate::delivery::reception::Said;
use crate::ocpi::ids::PartyId;
use crate::ocpi::status::StatusCode;

/// The answer to a posted CDR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdrAnswer {
    /// The HTTP status.
    pub http_status: u16,
    /// The OCPI status code.
    pub code: StatusCode,
    /// The OCPI status message.
    pub message: Option<String>,
    /// The hub's URL of the CDR (design.md 3.6.6); none where the CDR was not accepted.
    pub location: Option<String>,
    /// The requester, as registered.
    pub to: PartyId,
    /// The receiver where these are its words, else the hub (D-12).
    pub from: PartyId,
}

/// The hub's own words for a CDR it accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Owed to a receiver that did not answer.
    InCustody,
    /// For the eMSP to fetch.
    KeptForPull,
    /// Kept from the eMSP.
    Held,
    /// Given up after the custody period.
    Dead,
}

impl Words {
    fn text(self) -> &'static str {
        match self {
            Words::InCustody => "in custody, receiver not reachable",
            Words::KeptForPull => "kept for pull",
            Words::Held => "held: not verified",
            Words::Dead => "not delivered: the receiver took it at no time of the custody period",
        }
    }
}

/// Who answers whom about which CDR.
#[derive(Clone, Debug)]
pub struct Correspondents {
    /// The requester.
    pub cpo: PartyId,
    /// The receiver.
    pub emsp: PartyId,
    /// The hub.
    pub hub: PartyId,
    /// The hub's URL of the CDR.
    pub location: String,
    /// What the metering data is worth, where something is left to be desired.
    pub remark: Option<String>,
}

impl Correspondents {
    /// The receiver decided: its HTTP status, code and message, and the remark behind.
    #[must_use]
    pub fn receiver_said(self, said: &Said) -> CdrAnswer {
        CdrAnswer {
            http_status: said.http_status,
            code: said.code,
            message: with_remark(said.message.as_deref(), self.remark),
            location: said.code.is_success().then_some(self.location),
            to: self.cpo,
            from: self.emsp,
        }
    }

    /// The hub accepted it: 201 where it is new, 200 where it was here (S-06).
    #[must_use]
    pub fn hub_says(self, words: Words, is_new: bool) -> CdrAnswer {
        CdrAnswer {
            http_status: if is_new { 201 } else { 200 },
            code: StatusCode::SUCCESS,
            message: with_remark(Some(words.text()), self.remark),
            location: Some(self.location),
            to: self.cpo,
            from: self.hub,
        }
    }
}

/// design.md 3.5: the message, then "; metering INVALID: …".
fn with_remark(message: Option<&str>, remark: Option<String>) -> Option<String> {
    match (message.filter(|message| !message.is_empty()), remark) {
        (Some(message), Some(remark)) => Some(format!("{message}; {remark}")),
        (Some(message), None) => Some(message.to_owned()),
        (None, remark) => remark,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn correspondents(remark: Option<&str>) -> Correspondents {
        Correspondents {
            cpo: PartyId::from_slash("DE/ABC").unwrap(),
            emsp: PartyId::from_slash("DE/MSP").unwrap(),
            hub: PartyId::from_slash("DE/TWH").unwrap(),
            location: "https://hub/ocpi/p/1".into(),
            remark: remark.map(str::to_owned),
        }
    }

    #[test]
    fn the_message_is_the_receivers_or_the_hubs_and_then_the_verdict() {
        // design.md 3.5
        let said = |code, message: Option<&str>| Said {
            http_status: 202,
            code: StatusCode(code),
            message: message.map(str::to_owned),
        };
        let bad = "metering INVALID: SIGNATURE_MISMATCH";
        let message = |answer: CdrAnswer| answer.message;
        assert_eq!(
            message(correspondents(None).receiver_said(&said(1000, Some("thanks")))).as_deref(),
            Some("thanks")
        );
        assert_eq!(message(correspondents(None).receiver_said(&said(1000, None))), None);
        assert_eq!(
            message(correspondents(Some(bad)).receiver_said(&said(1000, None))).as_deref(),
            Some(bad)
        );
        assert_eq!(
            message(correspondents(Some(bad)).receiver_said(&said(1000, Some("")))).as_deref(),
            Some(bad)
        );
        assert_eq!(
            message(correspondents(Some(bad)).receiver_said(&said(2001, Some("no")))).as_deref(),
            Some("no; metering INVALID: SIGNATURE_MISMATCH")
        );
        assert_eq!(
            message(correspondents(Some(bad)).hub_says(Words::InCustody, true)).as_deref(),
            Some("in custody, receiver not reachable; metering INVALID: SIGNATURE_MISMATCH")
        );
    }

    #[test]
    fn from_is_whoever_speaks() {
        // R-08, D-12
        let said = Said {
            http_status: 200,
            code: StatusCode::SUCCESS,
            message: None,
        };
        assert_eq!(correspondents(None).receiver_said(&said).from.to_string(), "DE/MSP");
        let own = correspondents(None).hub_says(Words::Held, true);
        assert_eq!(
            (own.from.to_string(), own.to.to_string(), own.http_status),
            ("DE/TWH".into(), "DE/ABC".into(), 201)
        );
        assert_eq!(
            correspondents(None).hub_says(Words::KeptForPull, false).http_status,
            200
        );
    }

    #[test]
    fn a_rejected_cdr_has_no_location() {
        let said = Said {
            http_status: 200,
            code: StatusCode(2001),
            message: None,
        };
        assert_eq!(correspondents(None).receiver_said(&said).location, None);
    }
}
