//! The five ways in which a call to another server ends, and the 4xxx they become.

use std::fmt;

use bytes::Bytes;

use crate::ocpi::Situation;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An HTTP answer was read completely, whatever its status; redirects too.
    Answered(Answer),
    /// The request left and no answer came: the deadline passed or the connection closed. Whether it was acted on is not
    /// known.
    TimedOut,
    /// The request never left: no such name, nobody there, no TLS, or no connection in time.
    Unreachable(String),
    /// The guard did not let it go (D-25).
    NotAllowed(String),
    /// What came back was no HTTP, broke off, or was larger than we read.
    Nonsense(String),
}

impl Outcome {
    /// What the requester of a relay is told, unless there is an answer to tell (R-41, R-42, D-15).
    #[must_use]
    pub fn situation(&self) -> Option<Situation> {
        match self {
            Self::Answered(_) => None,
            Self::TimedOut => Some(Situation::TimedOut),
            // A receiver that may not be called is, to everybody else, one that is not there.
            Self::Unreachable(_) | Self::NotAllowed(_) => Some(Situation::NotConnected),
            Self::Nonsense(_) => Some(Situation::HubError),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => write!(out, "answered with HTTP {}", answer.status),
            Self::TimedOut => out.write_str("no answer"),
            Self::Unreachable(reason) => write!(out, "not reachable: {reason}"),
            Self::NotAllowed(reason) => write!(out, "not allowed: {reason}"),
            Self::Nonsense(reason) => write!(out, "no usable answer: {reason}"),
        }
    }
}

/// An HTTP answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, values as text, in their order.
    pub headers: Vec<(String, String)>,
    /// The body, as it came.
    pub body: Bytes,
}

impl Answer {
    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// True for 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

// By hand: bodies hold tokens and driver data.
impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn every_end_without_an_answer_has_its_4xxx() {
        let answer = Answer {
            status: 302,
            headers: vec![("location".into(), "/x".into()), ("location".into(), "/y".into())],
            body: Bytes::from_static(b"secret"),
        };
        assert_eq!(
            (answer.header("Location"), answer.header("Link"), answer.is_success()),
            (Some("/x"), None, false)
        );
        assert!(!format!("{:?}", Outcome::Answered(answer.clone())).contains("secret"));
        for (outcome, code) in [
            (Outcome::TimedOut, 4002),
            (Outcome::Unreachable(String::new()), 4003),
            (Outcome::NotAllowed(String::new()), 4003),
            (Outcome::Nonsense(String::new()), 4000),
        ] {
            assert_eq!(outcome.situation().map(|situation| situation.code().0), Some(code));
        }
        assert_eq!(Outcome::Answered(answer).situation(), None);
    }
}
