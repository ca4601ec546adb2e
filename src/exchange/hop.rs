//! The line about a hop: both ids, the parties, what was asked, how it ended and how long it took; never a body or a token (M-09, N-07).

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::reply::Reply;
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
    /// Which side of the module, or what else was asked for.
    pub place: &'a str,
    /// What it was about, as `DE/ABC/S-1`.
    pub object: Option<String>,
    /// Who spoke, as far as the request says.
    pub from: Option<&'a PartyId>,
    /// Who was meant, as far as the request says.
    pub to: Option<&'a PartyId>,
}

impl Hop<'_> {
    /// The line, logged and ready for the journal.
    #[must_use]
    pub fn line(self, outcome: &Result<Reply, Failure>, took: Duration, at: DateTime<Utc>) -> JournalEntry {
        let reply = outcome.as_ref().ok();
        let (status_code, said) = match outcome {
            Ok(reply) => (reply.code(), "answered".to_owned()),
            Err(Failure::Refused(refusal)) => (Some(refusal.code()), format!("refused: {}", refusal.message)),
            Err(Failure::Ours(_)) => (None, "failed here".to_owned()),
        };
        // The answer goes back the way the request came, and knows the parties also where no header named them.
        let from = reply.and_then(|reply| reply.to.as_ref()).or(self.from);
        let to = reply.map(|reply| &reply.from).or(self.to);
        let entry = JournalEntry {
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
        };
        log::info!(
            request_id = entry.request_id.as_deref().unwrap_or_default(),
            correlation_id = entry.correlation_id.as_str();
            "{} {} {}, {} to {}: {}, HTTP {}, OCPI {}, {} ms",
            entry.method,
            entry.module,
            self.place,
            entry.from_party.as_deref().unwrap_or("-"),
            entry.to_party.as_deref().unwrap_or("-"),
            entry.outcome,
            entry.http_status.map_or("-".to_owned(), |status| status.to_string()),
            entry.status_code.map_or("-".to_owned(), |code| code.to_string()),
            took.as_millis()
        );
        entry
    }
}
