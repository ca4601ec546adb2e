//! 1xxx to 4xxx by name (S-07, S-08, S-09).

use std::fmt;

/// An OCPI status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(pub u16);

impl StatusCode {
    /// 1000: success.
    pub const SUCCESS: Self = Self(1000);
    /// 2000: generic client error.
    pub const CLIENT_ERROR: Self = Self(2000);
    /// 2001: invalid or missing parameters.
    pub const INVALID_PARAMETER: Self = Self(2001);
    /// 2002: not enough information.
    pub const NOT_ENOUGH_INFORMATION: Self = Self(2002);
    /// 2003: unknown location.
    pub const UNKNOWN_LOCATION: Self = Self(2003);
    /// 2004: unknown token.
    pub const UNKNOWN_TOKEN: Self = Self(2004);
    /// 3000: generic server error.
    pub const SERVER_ERROR: Self = Self(3000);
    /// 3001: the client's API cannot be used.
    pub const UNUSABLE_CLIENT_API: Self = Self(3001);
    /// 3002: unsupported version.
    pub const UNSUPPORTED_VERSION: Self = Self(3002);
    /// 3003: no matching endpoints, or expected ones missing.
    pub const NO_MATCHING_ENDPOINTS: Self = Self(3003);
    /// 4000: generic error of a hub.
    pub const HUB_ERROR: Self = Self(4000);
    /// 4001: unknown receiver.
    pub const UNKNOWN_RECEIVER: Self = Self(4001);
    /// 4002: the forwarded request timed out.
    pub const TIMED_OUT: Self = Self(4002);
    /// 4003: the receiver is not connected.
    pub const NOT_CONNECTED: Self = Self(4003);

    /// The thousand it belongs to, which is all that is known of an unknown code (S-12).
    #[must_use]
    pub fn class(self) -> Class {
        match self.0 {
            1000..=1999 => Class::Success,
            2000..=2999 => Class::ClientError,
            3000..=3999 => Class::ServerError,
            4000..=4999 => Class::HubError,
            _ => Class::Unknown,
        }
    }

    /// True for 1xxx.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.class() == Class::Success
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// The thousands of OCPI status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 1xxx
    Success,
    /// 2xxx: the client sent something that cannot be served.
    ClientError,
    /// 3xxx: the server could not serve it.
    ServerError,
    /// 4xxx: a hub could not carry it.
    HubError,
    /// Outside the ranges OCPI defines.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-10
    #[test]
    fn no_code_of_ours_is_in_a_range_for_custom_modules() {
        for code in [
            StatusCode::SUCCESS,
            StatusCode::CLIENT_ERROR,
            StatusCode::INVALID_PARAMETER,
            StatusCode::NOT_ENOUGH_INFORMATION,
            StatusCode::UNKNOWN_LOCATION,
            StatusCode::UNKNOWN_TOKEN,
            StatusCode::SERVER_ERROR,
            StatusCode::UNUSABLE_CLIENT_API,
            StatusCode::UNSUPPORTED_VERSION,
            StatusCode::NO_MATCHING_ENDPOINTS,
            StatusCode::HUB_ERROR,
            StatusCode::UNKNOWN_RECEIVER,
            StatusCode::TIMED_OUT,
            StatusCode::NOT_CONNECTED,
        ] {
            assert_ne!(code.0 / 100 % 10, 9, "{code}");
        }
    }

    // S-12
    #[test]
    fn an_unknown_code_is_judged_by_its_thousand() {
        for (code, class) in [
            (0, Class::Unknown),
            (999, Class::Unknown),
            (1000, Class::Success),
            (1999, Class::Success),
            (2000, Class::ClientError),
            (2999, Class::ClientError),
            (3017, Class::ServerError),
            (4900, Class::HubError),
            (5000, Class::Unknown),
            (u16::MAX, Class::Unknown),
        ] {
            assert_eq!(StatusCode(code).class(), class, "{code}");
        }
        assert!(StatusCode::SUCCESS.is_success());
        assert!(!StatusCode::HUB_ERROR.is_success());
    }
}
