//! CDRs, their octets, verdicts, used blocks and attempts; and what follows from them: the names they are found by, second looks, cases.
//!
//! [`take`](super::Store::cdr_take) is the one commit of the house: octets, verdict, duty, used blocks and journal, or nothing. After it the octets
//! are never written again; what changes (delivery word, verdict in force, visibility) lives in a row of its own.
//! Start with [`NewCdr`] and [`Taken`], then [`Settlement`].

pub(super) mod credits;
mod cases;
mod contradicting;
mod look;
mod pull;
mod rechecks;
pub(super) mod records;
mod settle;
pub(super) mod take;
pub(super) mod traces;
mod unhold;
pub(super) mod verdicts;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::journal::JournalEntry;
use super::notices::NewNotice;
use super::outbox::NewDuty;

pub use cases::{CaseDoubt, CaseFinding, CaseMember, CaseRow, CaseSubject, Examined, MeterNeighbour, MeterSpan};
pub use contradicting::VerifiedQuery;
pub use look::{CdrBrief, CdrFilter};
pub use pull::{CdrListItem, CdrPage, CdrPull};
pub use rechecks::{NewRecheck, RecheckProgress, RecheckRow};
pub use traces::{TraceKind, TracePlace, TraceQuery, TraceWalk, Traces};
pub use verdicts::{NewVerdict, NewestVerdict, ReportItem, VerdictPull};

/// A CDR as it stands, one revision of it.
#[derive(Clone, PartialEq, Eq)]
pub struct CdrRow {
    /// UUIDv7 made on arrival: the order of arrival.
    pub id: String,
    /// Country code of the CPO as written.
    pub country_code: String,
    /// Party id of the CPO as written.
    pub party_id: String,
    /// The CPO as `DE/ABC`, upper case.
    pub cpo_key: String,
    /// The CDR's id as written.
    pub cdr_id: String,
    /// The CDR's id, folded: ids are compared without case.
    pub cdr_key: String,
    /// 1, and one more after each rejection by the receiver.
    pub revision: i64,
    /// Country code of the eMSP.
    pub emsp_country_code: String,
    /// Party id of the eMSP.
    pub emsp_party_id: String,
    /// The eMSP as `NL/EMS`, upper case.
    pub emsp_key: String,
    /// The platform it came from.
    pub cpo_platform: String,
    /// The platform it goes to.
    pub emsp_platform: String,
    /// The OCPI version it was posted in.
    pub version: String,
    /// The octets as posted.
    pub body: String,
    /// Digest of its content in hex: equal content, equal digest.
    pub content_digest: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The instant its `last_updated` means.
    pub last_updated: DateTime<Utc>,
    /// Since when its eMSP may see it; `None` while held, or not in custody and not delivered.
    pub visible_at: Option<DateTime<Utc>>,
    /// Status of the verdict in force: `VERIFIED`, …
    pub metering_status: String,
    /// Whether it may be billed as it is.
    pub billable: bool,
    /// `pending`, `in_custody`, `held`, `available`, `delivered`, `rejected` or `dead`.
    pub delivery: String,
    /// The unguessable part of its `Location` at the hub.
    pub location_id: String,
    /// The `Location` its receiver gave.
    pub receiver_location: Option<String>,
    /// `X-Correlation-ID` of the request that brought it.
    pub correlation_id: String,
    /// The folded id of the CDR it credits.
    pub credit_reference: Option<String>,
    /// The JSON text of `metering_validation`; `None` where a peer hub put its own.
    pub marker: Option<String>,
    /// What the receiver said to the first attempt, for a repeat to hear the same.
    pub first_answer: Option<FirstAnswer>,
}

/// Driver data is in the body: `Debug` shows which CDR it is and how it stands, not what is in it.
impl CdrRow {
    /// Whether its octets are no longer kept (see [`crate::store::retention`]).
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.body.is_empty()
    }
}

impl fmt::Debug for CdrRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CdrRow")
            .field("id", &self.id)
            .field("cpo_key", &self.cpo_key)
            .field("cdr_id", &self.cdr_id)
            .field("revision", &self.revision)
            .field("metering_status", &self.metering_status)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

/// What a receiver answered to a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstAnswer {
    /// HTTP status.
    pub http_status: i64,
    /// OCPI status code.
    pub status_code: i64,
    /// OCPI status message.
    pub message: Option<String>,
}

/// A CDR to take, with everything that is committed together with it.
#[derive(Clone)]
pub struct NewCdr {
    /// The CDR.
    pub row: CdrRow,
    /// The verdict as JSON.
    pub report: String,
    /// When it was checked.
    pub checked_at: DateTime<Utc>,
    /// The signed blocks it uses up.
    pub blocks: Vec<BlockClaim>,
    /// For a credit CDR: (cpo_key, cdr_key) of the CDR whose blocks are free again.
    pub frees_blocks_of: Option<(String, String)>,
    /// What is owed for it, leased to whoever makes the first attempt.
    pub duty: Option<NewDuty>,
    /// The journal's line about it.
    pub journal: JournalEntry,
    /// The rejected revision this one succeeds, when it does.
    pub replaces_rejected: Option<i64>,
    /// What it would ask the registry for.
    pub traces: Traces,
    /// What its sender is told of the verdict, beside the answer.
    pub notice: Option<NewNotice>,
}

/// A signed block, by the digest of its bytes and the key that signed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlockClaim {
    /// Digest of the signed bytes in hex.
    pub digest: String,
    /// Fingerprint of the key.
    pub fingerprint: String,
}

/// A signed block that serves a CDR already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockUse {
    /// Digest of the signed bytes in hex.
    pub digest: String,
    /// Fingerprint of the key.
    pub fingerprint: String,
    /// The CPO of the CDR it serves.
    pub cpo_key: String,
    /// The folded id of that CDR.
    pub cdr_key: String,
}

/// What became of a [`NewCdr`]. Unless it is `New`, nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is stored, and so is everything that came with it.
    New,
    /// There is a CDR of that id already; this is its newest revision.
    Known(Box<CdrRow>),
    /// Some of its blocks serve another CDR.
    BlocksUsed(Vec<BlockUse>),
}

/// One attempt to bring a CDR to its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Client-made id (UUIDv7): the order of attempts.
    pub id: String,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// HTTP status, if there was an answer.
    pub http_status: Option<i64>,
    /// OCPI status code, if there was an envelope.
    pub status_code: Option<i64>,
    /// How it ended, in words.
    pub outcome: String,
}

/// The end of one attempt, and what follows from it.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The CDR.
    pub row_id: String,
    /// The duty the attempt was made for.
    pub duty_id: String,
    /// The revision that was sent. When the duty has moved on to another one, nothing is settled.
    pub duty_revision: i64,
    /// The attempt.
    pub attempt: AttemptRow,
    /// What follows from it.
    pub result: Settled,
    /// The `Location` the receiver gave.
    pub receiver_location: Option<String>,
    /// What the receiver said, if nothing was kept yet.
    pub first_answer: Option<FirstAnswer>,
    /// The journal's line about it.
    pub journal: Option<JournalEntry>,
}

/// What follows from an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The receiver has it: the duty is done.
    Delivered,
    /// The receiver does not want it: the duty is closed, the CDR's blocks are free, what it freed as a credit is not, and its id
    /// may be used for another revision.
    Rejected,
    /// Nobody answered as agreed: the lease is given back and the CDR is in custody.
    Postponed {
        /// When to try again.
        next_attempt_at: DateTime<Utc>,
        /// Why, in words.
        outcome: String,
    },
    /// Trying ends. The duty stays, as `dead`.
    Dead,
    /// Nobody answered as agreed, and the receiver does not want custody: the duty is gone, the CDR stays `pending` and unseen.
    Unanswered,
}
