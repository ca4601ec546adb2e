//! The tempers of a neighbour: how it answers, per door, and who is told when it does.

use std::sync::Arc;
use std::time::Duration;

use super::got::Got;

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
}

/// The two instants around an answer that somebody may want to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request is read and remembered, not one octet of the answer has left.
    BeforeAnswer,
    /// The last octet of the answer has been handed to the network.
    AfterAnswer,
}

/// Told at both [`Moment`]s of every request on the CDR receiver. It may block: nothing is answered meanwhile, and that is the point.
pub type Trigger = Arc<dyn Fn(Moment, &Got) + Send + Sync>;
