//! URLs the hub lends out in place of other people's: where an answer is to go, where a list goes on, where a CDR is read.
//!
//! A peer has no token for another peer's server, so it never sees that server's URL (D-11, D-14). It gets one of the hub's, with
//! an unguessable id, which works only for the platform it was given to. The rule all follows from: **a lent URL tells nothing
//! to anybody else**, not even that it exists: a wrong id, somebody else's and an expired one are the same 404.
//!
//! | Lent | To whom | Stands for | Until |
//! |---|---|---|---|
//! | an answer's address ([`answer`]) | the receiver of a command or profile | the requester's `response_url` | [`lend`] |
//! | a next page ([`page`]) | the requester of a list | the receiver's `Link` | 24 hours after it was last lent |
//! | a CDR's `Location` ([`cdr`]) | the CPO that posted it | the receiver's `Location`, or the hub's copy | as long as the CDR |
//!
//! Nothing is queued here, nothing is sent twice and no answer is made up: what passes through a lent URL is somebody's
//! request and fails together with it (CMD-12). Nothing here decides whose turn it is (see [`crate::routing`]).
//! Start with [`lend`].
//!
//! Design notes: ids are random and rows are in the database, also for pages, where a signed id would do: a hub that restarts or
//! runs in several processes needs no secret to share, and a row can be withdrawn. A page lent again is the same row, so a
//! crawl repeated every hour does not grow the table.

pub mod answer;
pub mod cdr;
pub mod lend;
pub mod page;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::SharedClock;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::{PartyId, PlatformId, key_of};
use crate::ocpi::modules::CDRS;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::status::StatusCode;
use crate::parties::{Caller, Failure, Fault, Parties};
use crate::routing::directory::{Platform, PlatformStatus};
use crate::store::{LentRow, Store};

pub use answer::{Carried, ProfileResult};
pub use lend::{Between, Kind, Lending, LentAnswer, LentPage, PageLending};

/// The lent URLs of one hub.
pub struct Links {
    store: Store,
    parties: Arc<Parties>,
    clock: SharedClock,
    timeouts: Timeouts,
}

/// How long is waited for what stands behind a lent URL, unless a platform's own options say otherwise (D-15).
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a page of a list.
    pub list: Duration,
    /// For a requester to take the answer to its command.
    pub answer: Duration,
}

/// What a URL was lent in place of.
pub enum Lent {
    /// A next page.
    Page(Box<page::LentList>),
    /// The `Location` of a CDR.
    Cdr(Box<cdr::LentCdr>),
}

impl Lent {
    /// The module it belongs to.
    #[must_use]
    pub fn module(&self) -> &str {
        match self {
            Lent::Page(page) => &page.row.module,
            Lent::Cdr(_) => CDRS.identifier,
        }
    }

    /// The object it leads to, as `DE/ABC/C-1`; a page has none.
    #[must_use]
    pub fn object(&self) -> Option<String> {
        match self {
            Lent::Page(_) => None,
            Lent::Cdr(cdr) => Some(format!("{}/{}", cdr.cpo, cdr.row.cdr_id)),
        }
    }

    /// Who reads, and whose it is.
    #[must_use]
    pub fn parties(&self) -> (&PartyId, &PartyId) {
        match self {
            Lent::Page(page) => (&page.reader, &page.owner),
            Lent::Cdr(cdr) => (&cdr.cpo, &cdr.emsp),
        }
    }
}

/// What stands behind a lent URL.
#[derive(Clone, Debug)]
pub struct Behind {
    /// What it is.
    pub content: Content,
    /// The requester.
    pub to: PartyId,
    /// Who answers: the receiver, or the hub with its copy.
    pub from: PartyId,
    /// Headers that belong to it: `Link`, `X-Total-Count`, `X-Limit`.
    pub headers: Vec<(&'static str, String)>,
}

/// A receiver's answer or the hub's copy.
#[derive(Clone, Debug)]
pub enum Content {
    /// The other side's answer as it came.
    Relayed {
        /// The HTTP status.
        http: u16,
        /// The octets of the envelope.
        body: Bytes,
        /// Its status code.
        code: Option<StatusCode>,
    },
    /// The CDR as it was posted, as JSON text.
    Copy(String),
}

impl Links {
    /// The links of a hub.
    #[must_use]
    pub fn new(store: Store, parties: Arc<Parties>, clock: SharedClock, timeouts: Timeouts) -> Arc<Links> {
        Arc::new(Links {
            store,
            parties,
            clock,
            timeouts,
        })
    }

    /// What stands at `/ocpi/p/{id}`: a next page or the `Location` of a CDR.
    ///
    /// # Errors
    /// 404 for an id nobody has, for one that has expired and for every platform but the one it was lent to (P-13, CDR-06);
    /// 403 when `from` is not the caller's.
    pub async fn find(&self, caller: &Caller, routing: &Routing, id: &str) -> Result<Lent, Failure> {
        if let Some(from) = &routing.from
            && !caller.platform.carries(from)
        {
            return Err(
                Refusal::forbidden(format!("OCPI-from names {from}, which is not a party of this platform")).into(),
            );
        }
        match self.lent(id, lend::PAGE).await? {
            Some(row) => page::open(caller, row).map(|page| Lent::Page(Box::new(page))),
            None => self.find_cdr(caller, id).await.map(|cdr| Lent::Cdr(Box::new(cdr))),
        }
    }

    /// Follows what was found.
    ///
    /// # Errors
    /// 4001, 4002, 4003 or 4000 as for any relay.
    pub async fn follow(&self, caller: &Caller, ids: &MessageIds, lent: Lent) -> Result<Behind, Failure> {
        match lent {
            Lent::Page(page) => self.page(caller, ids, &page).await,
            Lent::Cdr(cdr) => self.cdr(ids, *cdr).await,
        }
    }

    /// Deletes what has expired, every minute. Runs until the process ends or the task is aborted; safe to abort at any point.
    pub async fn tend(self: Arc<Links>) {
        let mut tick = tokio::time::interval(Duration::from_secs(60));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(fault) = self.forget_expired().await {
                log::error!("{}", fault.chain());
            }
        }
    }

    /// Deletes what has expired and returns how many: a URL of a peer, and what its query says, is kept no longer (N-07).
    ///
    /// # Errors
    /// When the database cannot be written; what was deleted before stays deleted.
    pub async fn forget_expired(&self) -> Result<u64, Fault> {
        /// Few enough for others to write in between.
        const AT_ONCE: u32 = 500;
        let now = self.clock.now();
        let mut forgotten = 0;
        loop {
            let deleted = self
                .store
                .lent_forget_expired(now, AT_ONCE)
                .await
                .map_err(|error| Fault::new("forgetting expired links", error))?;
            forgotten += deleted;
            if deleted < u64::from(AT_ONCE) {
                return Ok(forgotten);
            }
        }
    }

    /// What was lent under this id, if it is of that kind and has not expired.
    async fn lent(&self, id: &str, kind: &str) -> Result<Option<LentRow>, Failure> {
        key_of(id).ok_or_else(nothing_here)?;
        let found = self.store.lent_find(id, self.clock.now()).await;
        let found = found.map_err(|error| Fault::new("following a link", error))?;
        Ok(found.filter(|row| row.kind == kind))
    }

    /// The platform a lent URL leads to, if the party is still there and may be called.
    fn connected(&self, platform: &str, party: &PartyId) -> Result<Arc<Platform>, Refusal> {
        let platform = self
            .parties
            .snapshot()
            .directory()
            .platform(&PlatformId::from(platform));
        let platform = platform
            .filter(|platform| platform.carries(party))
            .ok_or_else(|| Refusal::not_connected(format!("{party} is not connected any more")))?;
        if platform.status == PlatformStatus::Connected {
            Ok(platform)
        } else {
            let why = format!("{party} is {}", platform.status.as_str());
            Err(Refusal::not_connected(why))
        }
    }
}

/// The same for everything that is not the caller's.
fn nothing_here() -> Refusal {
    Refusal::not_found("there is nothing at this URL")
}

/// A party of a row, in the spelling that was kept.
fn party(country_code: &str, party_id: &str) -> Result<PartyId, Fault> {
    PartyId::new(country_code, party_id).map_err(|error| Fault::new("reading the parties of a link", error))
}
