//! Orders whose result comes later: what there is to order, how it is carried out here, and what became of it.

use std::time::Duration;

use super::inner::Inner;
use super::meter::json_text;
use super::party::SandboxParty;
use super::reply::Reply;
use crate::ocpi::ids::PartyId;

/// A command (CMD-01) or a request about a charging profile (CP-01 to CP-03): answered at once, its result comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// `POST …/CANCEL_RESERVATION`
    CancelReservation,
    /// `POST …/RESERVE_NOW`
    ReserveNow,
    /// `POST …/START_SESSION`
    StartSession,
    /// `POST …/STOP_SESSION`
    StopSession,
    /// `POST …/UNLOCK_CONNECTOR`
    UnlockConnector,
    /// `GET …/{session_id}` on charging profiles
    GetProfile,
    /// `PUT …/{session_id}` on charging profiles
    SetProfile,
    /// `DELETE …/{session_id}` on charging profiles
    ClearProfile,
}

impl Order {
    /// The five commands.
    pub const COMMANDS: [Order; 5] = [
        Order::CancelReservation,
        Order::ReserveNow,
        Order::StartSession,
        Order::StopSession,
        Order::UnlockConnector,
    ];

    /// A command as its URL spells it; the three about profiles by a name of the sandbox.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Order::CancelReservation => "CANCEL_RESERVATION",
            Order::ReserveNow => "RESERVE_NOW",
            Order::StartSession => "START_SESSION",
            Order::StopSession => "STOP_SESSION",
            Order::UnlockConnector => "UNLOCK_CONNECTOR",
            Order::GetProfile => "get-profile",
            Order::SetProfile => "set-profile",
            Order::ClearProfile => "clear-profile",
        }
    }

    /// `commands` or `chargingprofiles`.
    #[must_use]
    pub fn module(self) -> &'static str {
        if Order::COMMANDS.contains(&self) {
            "commands"
        } else {
            "chargingprofiles"
        }
    }
}

/// How an order is carried out: the answer at once, and the results later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The OCPI status of the answer.
    pub code: u16,
    /// The `result` of the answer: `ACCEPTED`, `REJECTED`, `NOT_SUPPORTED`, `UNKNOWN_SESSION`, `TOO_OFTEN`.
    pub answer: String,
    /// The `timeout` of the answer, in seconds.
    pub timeout_s: u32,
    /// The results, one after the other. Only after `ACCEPTED` (CMD-04, CP-05), unless somebody wants it otherwise.
    pub results: Vec<Later>,
}

/// One result on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// How long after the answer, or after the result before it.
    pub after: Duration,
    /// What it says.
    pub says: Says,
    /// Without routing headers: the hub knows whom it concerns (D-14).
    pub without_headers: bool,
    /// Wrapped in an envelope, as some do (F-17).
    pub enveloped: bool,
}

/// What a result says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// An object with this `result`; that of a profile asked for has the profile, when it is `ACCEPTED` (CP-06).
    Word(String),
    /// These octets, whatever they are.
    Exactly(String),
}

/// An order that came here, for whoever wants to post a result by hand.
#[derive(Clone)]
pub struct Taken {
    /// What was ordered.
    pub order: Order,
    /// The `response_url` as given.
    pub response_url: String,
    /// The party that was addressed, as in the headers.
    pub to: PartyId,
    /// The party that ordered, as in the headers.
    pub from: PartyId,
}

/// A result that was posted, and what came of it.
#[derive(Clone)]
pub struct Sent {
    /// What had been ordered.
    pub order: Order,
    /// Where it went.
    pub response_url: String,
    /// The octets of the body.
    pub body: String,
    /// What was heard, or why nothing was.
    pub heard: Result<Reply, String>,
}

impl Later {
    /// A result soon after what came before.
    #[must_use]
    pub fn word(word: &str) -> Later {
        Later {
            after: Duration::from_millis(20),
            says: Says::Word(word.to_owned()),
            without_headers: false,
            enveloped: false,
        }
    }

    /// These octets as the result.
    #[must_use]
    pub fn exactly(body: &str) -> Later {
        Later {
            says: Says::Exactly(body.to_owned()),
            ..Later::word("")
        }
    }

    /// Later than usual. Zero races with the answer.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Later {
        self.after = delay;
        self
    }

    /// Without routing headers.
    #[must_use]
    pub fn without_headers(mut self) -> Later {
        self.without_headers = true;
        self
    }

    /// In an envelope (F-17).
    #[must_use]
    pub fn enveloped(mut self) -> Later {
        self.enveloped = true;
        self
    }
}

impl Execution {
    /// `ACCEPTED` at once, `ACCEPTED` again as the one result.
    #[must_use]
    pub fn proper() -> Execution {
        Execution {
            code: 1000,
            answer: "ACCEPTED".to_owned(),
            timeout_s: 30,
            results: vec![Later::word("ACCEPTED")],
        }
    }

    /// `ACCEPTED` at once, and these results: none for never, two for twice, a late one for after the timeout,
    /// `CANCELED_RESERVATION` behind `ACCEPTED` for a reservation taken back (CMD-08).
    #[must_use]
    pub fn with_results(results: impl IntoIterator<Item = Later>) -> Execution {
        Execution {
            results: results.into_iter().collect(),
            ..Execution::proper()
        }
    }

    /// Another word at once, and no result (CMD-04).
    #[must_use]
    pub fn refused(word: &str) -> Execution {
        Execution {
            answer: word.to_owned(),
            results: Vec::new(),
            ..Execution::proper()
        }
    }

    /// With another OCPI status: 2003 for a location nobody knows (CMD-03).
    #[must_use]
    pub fn saying(mut self, code: u16) -> Execution {
        self.code = code;
        self
    }

    /// With another `timeout`, in seconds.
    #[must_use]
    pub fn timeout(mut self, seconds: u32) -> Execution {
        self.timeout_s = seconds;
        self
    }

    /// `CommandResponse` or `ChargingProfileResponse` (OBJ-47, OBJ-53).
    pub(super) fn answer_json(&self) -> String {
        format!(
            r#"{{"result":{},"timeout":{}}}"#,
            json_text(&self.answer),
            self.timeout_s
        )
    }
}

impl SandboxParty {
    /// How this kind of order is carried out here from now on.
    pub fn execute(&self, order: Order, execution: Execution) {
        self.inner.book().executions.insert(order, execution);
    }

    /// The orders that came here and were not refused for their form, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        self.inner.book().taken.clone()
    }

    /// The results posted from here so far, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.inner.book().sent.clone()
    }

    /// Waits until `enough` holds for the results posted from here; false when `within` ends first.
    pub async fn wait_for_sent(&self, within: Duration, enough: impl Fn(&[Sent]) -> bool) -> bool {
        self.inner.wait_until(within, || enough(&self.sent())).await
    }
}

impl Inner {
    pub(super) fn execution(&self, order: Order) -> Execution {
        let known = self.book().executions.get(&order).cloned();
        known.unwrap_or_else(Execution::proper)
    }
}
