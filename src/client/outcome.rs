//! What came of a call, in five words, and the hub's own answer that each of them becomes.

use bytes::Bytes;

use crate::ocpi::refusal::Situation;

/// What happened when a request was carried to a peer.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The peer answered, whatever it said.
    Answered(Answer),
    /// The request left, and no whole answer came in time: what the peer did with it is unknown.
    TimedOut,
    /// No connection came about (refused, unknown name, TLS, connect deadline): the peer has seen nothing of the request.
    Unreachable(String),
    /// The guard forbids this address, or this host may not see the token (N-04, N-05): nothing was sent.
    NotAllowed(String),
    /// Something came back that is no HTTP answer, broke off, or is larger than we read.
    Nonsense(String),
}

/// An HTTP answer as it arrived.
#[derive(Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers in their order, names in lower case; values that are not text are left out.
    pub headers: Vec<(String, String)>,
    /// The octets of the body.
    pub body: Bytes,
}

impl Outcome {
    /// The hub's own word for an exchange that brought no answer (D-07, D-15); `None` when there is one.
    #[must_use]
    pub fn situation(&self) -> Option<Situation> {
        match self {
            Self::Answered(_) => None,
            Self::TimedOut => Some(Situation::TimedOut),
            Self::Unreachable(_) | Self::NotAllowed(_) => Some(Situation::NotConnected),
            Self::Nonsense(_) => Some(Situation::HubError),
        }
    }

    /// The outcome in a few words, for the journal and the operator. Never contains a body.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Answered(answer) => format!("HTTP {}", answer.status),
            Self::TimedOut => "no answer in time".to_owned(),
            Self::Unreachable(why) => format!("not reachable: {why}"),
            Self::NotAllowed(why) => format!("not called: {why}"),
            Self::Nonsense(why) => format!("unusable answer: {why}"),
        }
    }
}

impl Answer {
    /// The first header of that name, compared without case (T-08).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

// A body may hold driver data and a header a token: neither belongs into a log.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Answer {{ status: {}, body: {} bytes }}",
            self.status,
            self.body.len()
        )
    }
}
