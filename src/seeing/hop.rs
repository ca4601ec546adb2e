//! One request that came or went, as far as it may be seen: who and whom, what about, how it ended and how long that took (M-09, N-07).

use std::borrow::Cow;
use std::time::Duration;

use crate::ocpi::ids::{PartyId, PlatformId};
use crate::ocpi::status::{Class, StatusCode};

use super::Module;

/// The name under which the lines stand in the log: `RUST_LOG=info,truewatt::hop=off` writes none.
pub const TARGET: &str = "truewatt::hop";

/// Whose request it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A request to the hub.
    In,
    /// A request of the hub.
    Out,
}

/// How a hop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an answer: its HTTP status, and its OCPI status code where it has one.
    Answered {
        /// The HTTP status.
        http: u16,
        /// The OCPI status code.
        code: Option<StatusCode>,
    },
    /// Nobody waited for the answer: the caller hung up.
    CallerGone,
    /// No answer came in time.
    TimedOut,
    /// Nobody was there.
    Unreachable,
    /// The guard did not let it go.
    NotAllowed,
    /// What came back was no answer.
    Nonsense,
}

/// A hop.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// Whose request it was.
    pub direction: Direction,
    /// The platform at the other end, from the directory; `None` for a stranger.
    pub platform: Option<&'a PlatformId>,
    /// Who spoke.
    pub from: Option<&'a PartyId>,
    /// Who was spoken to.
    pub to: Option<&'a PartyId>,
    /// What about.
    pub module: Module,
    /// The HTTP method.
    pub method: &'a str,
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub took: Duration,
    /// What ties hops together (M-04).
    pub correlation_id: &'a str,
    /// The id of this hop alone (M-03).
    pub request_id: &'a str,
}

impl Ended {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Ended::Answered { .. } => "answered",
            Ended::CallerGone => "caller_gone",
            Ended::TimedOut => "timed_out",
            Ended::Unreachable => "unreachable",
            Ended::NotAllowed => "not_allowed",
            Ended::Nonsense => "nonsense",
        }
    }

    /// The class of the HTTP status, `none` without one.
    #[must_use]
    pub fn http_class(self) -> &'static str {
        match self {
            Ended::Answered { http: 100..=199, .. } => "1xx",
            Ended::Answered { http: 200..=299, .. } => "2xx",
            Ended::Answered { http: 300..=399, .. } => "3xx",
            Ended::Answered { http: 400..=499, .. } => "4xx",
            Ended::Answered { http: 500..=599, .. } => "5xx",
            _ => "none",
        }
    }

    /// The class of the OCPI status code, `none` without one that is known.
    #[must_use]
    pub fn code_class(self) -> &'static str {
        let Ended::Answered { code: Some(code), .. } = self else {
            return "none";
        };
        match code.class() {
            Class::Success => "1xxx",
            Class::ClientError => "2xxx",
            Class::ServerError => "3xxx",
            Class::HubError => "4xxx",
            Class::Unknown => "none",
        }
    }
}

impl Hop<'_> {
    /// The line, unless nobody wants lines. What is absent is `-`.
    pub(super) fn tell(&self) {
        if !log::log_enabled!(target: TARGET, log::Level::Info) {
            return;
        }
        let (http, code) = match self.ended {
            Ended::Answered { http, code } => (Some(http), code.map(|code| code.0)),
            _ => (None, None),
        };
        let (direction, method) = (self.direction.word(), known_method(self.method));
        log::info!(
            target: TARGET,
            direction = direction,
            platform = self.platform.map_or("-", PlatformId::as_str),
            from = party(self.from),
            to = party(self.to),
            module = self.module.name(),
            method = method,
            outcome = self.ended.word(),
            http = number(http),
            ocpi = number(code),
            ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            correlation_id = plain(self.correlation_id).as_ref(),
            request_id = plain(self.request_id).as_ref();
            "hop"
        );
    }
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

fn party(party: Option<&PartyId>) -> String {
    party.map_or("-".to_owned(), PartyId::key)
}

fn number(number: Option<u16>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

/// A method is what HTTP calls one: the rest is what a stranger typed.
fn known_method(method: &str) -> &'static str {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    METHODS.into_iter().find(|known| *known == method).unwrap_or("other")
}

/// An id is a peer's text: in a line it is one word of at most 64 characters, and is nothing but an id.
fn plain(id: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/+".contains(c);
    match id {
        "" => Cow::Borrowed("-"),
        _ if id.len() <= LONGEST && id.chars().all(is_plain) => Cow::Borrowed(id),
        _ => id
            .chars()
            .take(LONGEST)
            .map(|c| if is_plain(c) { c } else { '?' })
            .collect(),
    }
}

/// A UUID has 36 characters, as long as OCPI allows them to be; some peers have longer ideas.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_word_whatever_a_peer_made_of_it() {
        assert_eq!(plain("0198-a_b.c"), "0198-a_b.c");
        assert_eq!(plain(""), "-");
        assert_eq!(plain("x platform=p9\noutcome"), "x?platform?p9?outcome");
        assert_eq!(plain(&"y".repeat(300)).len(), LONGEST);
        assert_eq!(plain("täg"), "t?g");
    }

    // S-12
    #[test]
    fn what_is_unknown_has_no_class() {
        let answered = |http, code: u16| Ended::Answered {
            http,
            code: Some(StatusCode(code)),
        };
        assert_eq!(
            (answered(201, 1000).http_class(), answered(201, 1000).code_class()),
            ("2xx", "1xxx")
        );
        assert_eq!(
            (answered(999, 9000).http_class(), answered(999, 9000).code_class()),
            ("none", "none")
        );
        assert_eq!(
            (Ended::TimedOut.http_class(), Ended::TimedOut.word()),
            ("none", "timed_out")
        );
        assert_eq!((known_method("PUT"), known_method("012345678")), ("PUT", "other"));
    }
}
