//! The line about a hop: both ids, the parties, what was asked, how it ended and how long it took; never a body or a token (M-09, N-07).

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::reply::{Reply, Words};
use crate::ocpi::headers::MessageIds;
use crate::ocpi::ids::{PartyId, PlatformId};
use crate::parties::Failure;
use crate::store::journal::JournalEntry;

/// A request as far as a line tells of it.
pub struct Hop<'a> {
    /// Who called.
    pub caller: &'a PlatformId,
    /// The ids of the request.
    pub ids: &'a MessageIds,
    /// The module.
    pub module: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// What it was about, as `DE/ABC/S-1`.
    pub object: Option<String>,
    /// Who spoke, as far as the request says.
    pub from: Option<&'a PartyId>,
    /// Who was meant, as far as the request says.
    pub to: Option<&'a PartyId>,
}

impl Hop<'_> {
    /// The line, ready for the journal; that of the log is written where the request came in ([`crate::seeing`]).
    #[must_use]
    pub fn line(self, outcome: &Result<Reply, Failure>, took: Duration, at: DateTime<Utc>) -> JournalEntry {
        let reply = outcome.as_ref().ok();
        let (status_code, said) = match outcome {
            Ok(reply) => (reply.code(), answered(reply)),
            Err(Failure::Refused(refusal)) => (Some(refusal.code()), format!("refused: {}", refusal.message)),
            Err(Failure::Ours(_)) => (None, "failed here".to_owned()),
        };
        // The answer goes back the way the request came, and knows the parties also where no header named them.
        let from = reply.and_then(|reply| reply.to.as_ref()).or(self.from);
        let to = reply.map(|reply| &reply.from).or(self.to);
        JournalEntry {
            id: Uuid::now_v7().to_string(),
            at,
            correlation_id: self.ids.correlation_id.clone().unwrap_or_default(),
            request_id: self.ids.request_id.clone(),
            from_party: from.map(PartyId::key),
            to_party: to.map(PartyId::key),
            platform: Some(self.caller.to_string()),
            module: self.module.to_owned(),
            method: self.method.to_owned(),
            object: self.object,
            http_status: reply.map(|reply| i64::from(reply.http)),
            status_code: status_code.map(|code| i64::from(code.0)),
            outcome: said,
            duration_ms: i64::try_from(took.as_millis()).ok(),
        }
    }
}

/// What the hub itself had to say stands in the line too.
fn answered(reply: &Reply) -> String {
    match &reply.words {
        Words::Own {
            message: Some(message), ..
        } => format!("answered: {message}"),
        _ => "answered".to_owned(),
    }
}
