//! The tempers of a neighbour: how it answers, per door, and who is told when it does.

use std::sync::Arc;
use std::time::Duration;

use super::got::Got;
use crate::ocpi::role::InterfaceRole;

/// How a door answers the next request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// As the specification asks.
    Proper,
    /// Properly, after a while.
    Slow(Duration),
    /// Takes the request and never answers.
    Stall,
    /// Takes the request and closes the connection.
    HangUp,
    /// Announces a whole answer, sends half of it and closes the connection.
    HalfAnswer,
    /// An HTTP status with a line of plain text, no envelope.
    Plain(u16),
    /// HTTP 200 with a web page: a captive portal, a login form, a balancer's apology.
    Html,
    /// HTTP 307 to another URL.
    Redirect(String),
    /// An envelope with this HTTP status, OCPI status and message; nothing is stored.
    Envelope {
        /// The HTTP status.
        http: u16,
        /// The OCPI status code.
        code: u16,
        /// The `status_message`.
        message: String,
    },
    /// HTTP 401 with an envelope, as if the token were unknown.
    Unauthorised,
    /// HTTP 429, with `Retry-After` in seconds when given.
    TooManyRequests(Option<u64>),
    /// Stores the CDR, answers without a `Location`.
    NoLocation,
    /// Stores the CDR, answers with a `Location` relative to the endpoint.
    RelativeLocation,
    /// Stores the CDR, gives its URL as `data` instead of in a header (F-07).
    LocationInData,
    /// Properly, but with another HTTP status: 202 where 200 is meant (F-19), 200 where 201 is (F-09).
    OtherStatus(u16),
    /// Properly, but the message ids are not those of the request, and the routing headers name strangers (M-05, R-08).
    ForeignIds,
    /// Properly, but without message ids and routing headers.
    NoIds,
    /// Properly, but `data` comes without its envelope.
    NoEnvelope,
    /// Properly, but the envelope has no `timestamp` (F-05).
    NoTimestamp,
    /// Properly, but `data` is null (F-04).
    NullData,
    /// A list whose `data` is its first object instead of an array (F-06).
    ListAsObject,
    /// A list with things between its objects that are none: a number, an object without id, one with the wrong types (T-32).
    BadObjects,
    /// A list whose `Link` is relative to the page.
    RelativeLink,
    /// A list whose `Link` says `rel=next` without quotes (F-08).
    UnquotedLink,
    /// A list whose `Link` header names three links, the next page in the middle (F-08).
    SeveralLinks,
    /// A list whose first page is proper and whose every later page is an HTTP 502.
    BrokenNextPage,
    /// A list that loses its first object whenever a later page is asked for: `X-Total-Count` drops and the rest moves up (P-11).
    Shrinking,
    /// A list whose every page names itself as the next one.
    EndlessPage,
}

/// A door of a neighbour that can have a temper of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// `GET` versions.
    Versions,
    /// `GET` version details.
    Details,
    /// The credentials module.
    Credentials,
    /// `POST` and `GET` on the RECEIVER interface of `cdrs`.
    CdrReceiver,
    /// `GET` on the SENDER interface of `cdrs`.
    CdrSender,
    /// The SENDER interface of another module, by its id: lists and single objects.
    Sender(&'static str),
    /// The RECEIVER interface of another module, by its id.
    Receiver(&'static str),
    /// `POST …/authorize` on the SENDER interface of `tokens`.
    Authorize,
    /// `PUT …/charging_preferences` on the SENDER interface of `sessions`.
    Preferences,
    /// The `response_url`s this platform lent out for `commands` or `chargingprofiles`.
    Results(&'static str),
}

impl Door {
    /// The door of one interface of a module.
    #[must_use]
    pub fn of(module: &'static str, interface: InterfaceRole) -> Door {
        match (module, interface) {
            ("credentials", _) => Door::Credentials,
            ("cdrs", InterfaceRole::Receiver) => Door::CdrReceiver,
            ("cdrs", InterfaceRole::Sender) => Door::CdrSender,
            (module, InterfaceRole::Sender) => Door::Sender(module),
            (module, InterfaceRole::Receiver) => Door::Receiver(module),
        }
    }

    /// The module it belongs to.
    #[must_use]
    pub fn module(self) -> &'static str {
        match self {
            Door::Versions | Door::Details => "versions",
            Door::Credentials => "credentials",
            Door::CdrReceiver | Door::CdrSender => "cdrs",
            Door::Authorize => "tokens",
            Door::Preferences => "sessions",
            Door::Sender(module) | Door::Receiver(module) | Door::Results(module) => module,
        }
    }

    /// Whether requests here are between parties, with routing headers, and not between platforms, without.
    pub(super) fn is_functional(self) -> bool {
        !matches!(self.module(), "versions" | "credentials" | "hubclientinfo")
    }
}

/// The two instants around an answer that somebody may want to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request is read and remembered, not one octet of the answer has left.
    BeforeAnswer,
    /// The last octet of the answer has been handed to the network.
    AfterAnswer,
}

/// Told at both [`Moment`]s of every request at a door. It may block: nothing is answered meanwhile, and that is the point.
pub type Trigger = Arc<dyn Fn(Moment, &Got) + Send + Sync>;
