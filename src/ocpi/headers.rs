//! The headers of OCPI: who speaks to whom, with which token, in which exchange.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::ids::PartyId;
use super::refusal::Refusal;

/// Carries the token (T-01).
pub const AUTHORIZATION: &str = "Authorization";
/// Identifies one request on one leg (M-01).
pub const X_REQUEST_ID: &str = "X-Request-ID";
/// Identifies one exchange over all its legs (M-02).
pub const X_CORRELATION_ID: &str = "X-Correlation-ID";
/// Country code of the party addressed.
pub const OCPI_TO_COUNTRY_CODE: &str = "OCPI-to-country-code";
/// Party id of the party addressed.
pub const OCPI_TO_PARTY_ID: &str = "OCPI-to-party-id";
/// Country code of the party that speaks.
pub const OCPI_FROM_COUNTRY_CODE: &str = "OCPI-from-country-code";
/// Party id of the party that speaks.
pub const OCPI_FROM_PARTY_ID: &str = "OCPI-from-party-id";
/// The next page (P-05).
pub const LINK: &str = "Link";
/// Where a posted CDR can be read (CDR-02).
pub const LOCATION: &str = "Location";
/// How many objects match in all (P-06).
pub const X_TOTAL_COUNT: &str = "X-Total-Count";
/// How many objects a page holds at most (P-07).
pub const X_LIMIT: &str = "X-Limit";

/// Who is addressed and who speaks, as far as the headers say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// The party addressed.
    pub to: Option<PartyId>,
    /// The party that speaks.
    pub from: Option<PartyId>,
}

impl Routing {
    /// Reads both pairs. `get` finds a header by name without case (T-08); an empty value counts as none.
    ///
    /// # Errors
    /// 2001 when half a pair is there (R-05, D-12) or a pair names no party.
    pub fn read<'h>(get: impl Fn(&str) -> Option<&'h str>) -> Result<Self, Refusal> {
        Ok(Self {
            to: pair(&get, OCPI_TO_COUNTRY_CODE, OCPI_TO_PARTY_ID)?,
            from: pair(&get, OCPI_FROM_COUNTRY_CODE, OCPI_FROM_PARTY_ID)?,
        })
    }

    /// The headers to send, in the spelling the parties were registered with.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::with_capacity(4);
        if let Some(to) = &self.to {
            headers.push((OCPI_TO_COUNTRY_CODE, to.country_code().to_owned()));
            headers.push((OCPI_TO_PARTY_ID, to.party_id().to_owned()));
        }
        if let Some(from) = &self.from {
            headers.push((OCPI_FROM_COUNTRY_CODE, from.country_code().to_owned()));
            headers.push((OCPI_FROM_PARTY_ID, from.party_id().to_owned()));
        }
        headers
    }
}

fn pair<'h>(get: &impl Fn(&str) -> Option<&'h str>, country: &str, party: &str) -> Result<Option<PartyId>, Refusal> {
    let value = |name| get(name).map(str::trim).filter(|value| !value.is_empty());
    match (value(country), value(party)) {
        (None, None) => Ok(None),
        (Some(country_code), Some(party_id)) => PartyId::new(country_code, party_id)
            .map(Some)
            .map_err(|error| Refusal::invalid_parameter(format!("headers {country} and {party}: {error}"))),
        (Some(_), None) => Err(Refusal::invalid_parameter(format!(
            "header {party} is missing beside {country}"
        ))),
        (None, Some(_)) => Err(Refusal::invalid_parameter(format!(
            "header {country} is missing beside {party}"
        ))),
    }
}

/// How a token is written into the header (D-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenForm {
    /// Base64 of its UTF-8 bytes: 2.2-d2, 2.2.1 and later (T-02).
    Base64,
    /// As it is: 2.1.1 and the first edition of 2.2 (T-06).
    Raw,
}

impl TokenForm {
    /// `base64` or `raw`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Raw => "raw",
        }
    }

    /// Reads `base64` or `raw`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Base64, Self::Raw].into_iter().find(|form| form.as_str() == text)
    }
}

/// The value of our `Authorization` header: exactly one blank, no line feed (T-02).
#[must_use]
pub fn authorization(token: &str, form: TokenForm) -> String {
    match form {
        TokenForm::Base64 => format!("Token {}", STANDARD.encode(token)),
        TokenForm::Raw => format!("Token {token}"),
    }
}

/// The tokens an `Authorization` header may mean, most likely first. Look up `decoded`, then `raw` (D-01).
#[derive(Clone, PartialEq, Eq)]
pub struct TokenCandidates {
    /// The value decoded from Base64, if it is Base64 of a text.
    pub decoded: Option<String>,
    /// The value as it stands.
    pub raw: String,
}

impl fmt::Debug for TokenCandidates {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenCandidates(***, decoded: {})", self.decoded.is_some())
    }
}

/// Reads an `Authorization` header: the word `Token` in any case, blanks, the value (T-08, D-01).
///
/// `None` for another scheme or an empty value: that is a 401 (T-03).
#[must_use]
pub fn token_candidates(authorization: &str) -> Option<TokenCandidates> {
    let (scheme, value) = authorization.trim().split_once([' ', '\t'])?;
    let value = value.trim();
    if !scheme.eq_ignore_ascii_case("Token") || value.is_empty() {
        return None;
    }
    Some(TokenCandidates {
        decoded: decoded(value),
        raw: value.to_owned(),
    })
}

fn decoded(value: &str) -> Option<String> {
    // Padding is optional on the way in, and the specification's own examples decode to a token and a line feed (D-01).
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let text = String::from_utf8(LENIENT.decode(value).ok()?).ok()?;
    let token = text.trim_end_matches(['\r', '\n']);
    (!token.is_empty()).then(|| token.to_owned())
}

/// The two ids of a request. Either may be missing and is then made by us (M-08, D-09).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageIds {
    /// `X-Request-ID`.
    pub request_id: Option<String>,
    /// `X-Correlation-ID`.
    pub correlation_id: Option<String>,
}

impl MessageIds {
    /// Reads both. A value of more than 255 characters, or with anything but printable ASCII, counts as missing (M-07).
    #[must_use]
    pub fn read<'h>(get: impl Fn(&str) -> Option<&'h str>) -> Self {
        let usable = |value: &&str| {
            !value.is_empty() && value.len() <= 255 && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        };
        let id = |name| get(name).map(str::trim).filter(usable).map(str::to_owned);
        Self {
            request_id: id(X_REQUEST_ID),
            correlation_id: id(X_CORRELATION_ID),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::Situation;
    use super::*;

    fn getter<'h>(headers: &'h [(&'h str, &'h str)]) -> impl Fn(&str) -> Option<&'h str> {
        move |name| {
            headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| *value)
        }
    }

    //
    #[test]
    fn both_pairs_are_read_and_written_as_they_are_spelled() {
        let headers = [
            ("ocpi-TO-country-code", "de"),
            ("OCPI-to-party-id", " eMs "),
            ("OCPI-from-country-code", "NL"),
            ("OCPI-from-party-id", "TNM"),
        ];
        let routing = Routing::read(getter(&headers)).unwrap();
        assert_eq!(routing.to.as_ref().unwrap().to_string(), "de/eMs");
        assert_eq!(routing.from.as_ref().unwrap(), &PartyId::new("nl", "tnm").unwrap());
        let sent = routing.headers();
        let again: Vec<_> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(Routing::read(getter(&again)).unwrap(), routing);
        assert_eq!(Routing::read(|_| None).unwrap(), Routing::default());
    }

    // R-05, D-12
    #[test]
    fn half_a_pair_is_refused_and_the_missing_half_named() {
        for (present, missing) in [
            (OCPI_TO_PARTY_ID, OCPI_TO_COUNTRY_CODE),
            (OCPI_TO_COUNTRY_CODE, OCPI_TO_PARTY_ID),
            (OCPI_FROM_PARTY_ID, OCPI_FROM_COUNTRY_CODE),
            (OCPI_FROM_COUNTRY_CODE, OCPI_FROM_PARTY_ID),
        ] {
            let refusal = Routing::read(getter(&[(present, "DE"), (missing, " ")])).unwrap_err();
            assert_eq!(refusal.situation, Situation::InvalidParameter);
            assert!(
                refusal.message.starts_with(&format!("header {missing} is missing")),
                "{}",
                refusal.message
            );
        }
        let refusal = Routing::read(getter(&[(OCPI_TO_COUNTRY_CODE, "DEU"), (OCPI_TO_PARTY_ID, "ABC")])).unwrap_err();
        assert!(refusal.message.contains("country_code must have 2 characters"));
    }

    // T-02, T-06, T-08, D-01
    #[test]
    fn a_token_is_recognised_in_every_form_that_occurs_in_the_field() {
        for (header, decoded, raw) in [
            ("Token YWJjLWRlZg==", Some("abc-def"), "YWJjLWRlZg=="),
            ("Token YWJjLWRlZg", Some("abc-def"), "YWJjLWRlZg"),
            ("TOKEN   YWJjLWRlZg== ", Some("abc-def"), "YWJjLWRlZg=="),
            ("token YWJjLWRlZgo=", Some("abc-def"), "YWJjLWRlZgo="),
            ("Token YWJjLWRlZg0K", Some("abc-def"), "YWJjLWRlZg0K"),
            ("Token abc-def", None, "abc-def"),
            ("Token //79", None, "//79"),
            ("Token a b", None, "a b"),
        ] {
            let found = token_candidates(header).unwrap();
            assert_eq!(
                (found.decoded.as_deref(), found.raw.as_str()),
                (decoded, raw),
                "{header}"
            );
        }
    }

    // T-03
    #[test]
    fn another_scheme_or_an_empty_value_is_no_token() {
        for header in [
            "",
            "Token",
            "Token ",
            "Bearer YWJj",
            "YWJjLWRlZg==",
            "Token:YWJj",
            "Basic Token YWJj",
        ] {
            assert_eq!(token_candidates(header), None, "{header}");
        }
    }

    #[test]
    fn a_token_never_shows_in_debug_output() {
        let found = token_candidates("Token YWJjLWRlZg==").unwrap();
        let shown = format!("{found:?}");
        assert!(!shown.contains("YWJj") && !shown.contains("abc"), "{shown}");
    }

    // M-07, D-09
    #[test]
    fn message_ids_may_be_missing_and_unusable_ones_count_as_missing() {
        let long = "x".repeat(256);
        let ids = MessageIds::read(getter(&[("x-request-id", &long), ("x-correlation-id", "a\u{7}")]));
        assert_eq!(ids, MessageIds::default());
        let ids = MessageIds::read(getter(&[
            ("x-request-id", &long[1..]),
            ("X-Correlation-ID", " no uuid "),
        ]));
        assert_eq!(ids.request_id.unwrap().len(), 255);
        assert_eq!(ids.correlation_id.as_deref(), Some("no uuid"));
    }

    proptest! {
        #[test]
        fn what_we_send_a_peer_recognises(token in "[!-~]{1,64}") {
            let encoded = token_candidates(&authorization(&token, TokenForm::Base64)).unwrap();
            prop_assert_eq!(encoded.decoded.as_deref(), Some(token.as_str()));
            let raw = token_candidates(&authorization(&token, TokenForm::Raw)).unwrap();
            prop_assert_eq!(raw.raw, token);
        }

        #[test]
        fn no_header_makes_the_reader_of_tokens_panic(header in ".{0,60}") {
            let _ = token_candidates(&header);
            let _ = token_candidates(&format!("Token {header}"));
        }
    }
}
