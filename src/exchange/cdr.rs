//! A CDR at the hub: verdict first, commit, then carry; the one module with custody (design.md 3.6).
//!
//! ```text
//!  body ─head─► route ─► │ judge, commit ─► carry ─► settle │ ─► answer
//!        2001     4001   └──── goes on whoever hangs up ────┘
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use uuid::Uuid;

use super::answer::{CdrAnswer, Correspondents, Words};
use super::running::Running;
use crate::clock::SharedClock;
use crate::delivery::Delivery;
use crate::delivery::carry::{Carried, Owed};
use crate::delivery::reception::{NotTaken, Said};
use crate::evidence::intake::{Intake, Intaken, New, Plan, Posted, word};
use crate::evidence::receipts;
use crate::ocpi::headers::{MessageIds, Routing};
use crate::ocpi::ids::PartyId;
use crate::ocpi::refusal::Refusal;
use crate::ocpi::status::StatusCode;
use crate::ocpi::v2_2_1::cdr::{self, CdrHead};
use crate::ocpi::versions::Version;
use crate::ocpi::{json, url};
use crate::parties::{Caller, Failure, Fault};
use crate::routing::directory::PlatformStatus;
use crate::routing::scenario::{self, CdrParties};
use crate::store::Store;
use crate::store::evidence::CdrRow;
use crate::store::journal::JournalEntry;

/// Everything the exchange of CDRs needs.
pub struct CdrExchange {
    pub(super) store: Store,
    intake: Arc<Intake>,
    delivery: Arc<Delivery>,
    clock: SharedClock,
    pub(super) settings: CdrSettings,
    running: Running,
}

/// What this room needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct CdrSettings {
    /// The hub's own party.
    pub hub: PartyId,
    /// Where parties reach the hub, without a trailing slash.
    pub public_url: String,
    /// The most CDRs on one page of a list.
    pub max_limit: u32,
}

/// A posted CDR as the front door read it.
#[derive(Clone, Debug)]
pub struct CdrPost {
    /// Who is addressed and who speaks.
    pub routing: Routing,
    /// The ids of the request; both are there, made by the door where the peer sent none (M-08).
    pub ids: MessageIds,
    /// The version of the URL.
    pub version: Version,
    /// The body as it came.
    pub body: Bytes,
}

impl CdrExchange {
    /// A new exchange.
    #[must_use]
    pub fn new(
        store: Store,
        intake: Arc<Intake>,
        delivery: Arc<Delivery>,
        clock: SharedClock,
        settings: CdrSettings,
    ) -> Arc<CdrExchange> {
        Arc::new(CdrExchange {
            store,
            intake,
            delivery,
            clock,
            settings,
            running: Running::default(),
        })
    }

    /// Takes a CDR, or refuses it.
    ///
    /// # Errors
    /// A refusal before anything was stored is in the journal only: the table of design.md 3.6.1, and 2001 for another
    /// content under a known id or a verdict the receiver does not want. Without custody 4002 or 4003 when the receiver does
    /// not answer.
    pub async fn post(self: &Arc<Self>, caller: &Caller, post: CdrPost) -> Result<CdrAnswer, Failure> {
        let posted = match self.understand(caller, &post) {
            Ok(posted) => posted,
            Err(refusal) => {
                self.write_refusal(caller, &post, &refusal).await;
                return Err(refusal.into());
            }
        };
        let exchange = self.clone();
        let task = tokio::spawn(async move { exchange.take(posted).await });
        task.await.map_err(|error| Fault::new("taking a CDR", error))?
    }

    /// How many CDRs are being taken or carried for a sender right now.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.running.count()
    }

    /// Everything that can be refused without a look into the database (design.md 3.6.1).
    fn understand(&self, caller: &Caller, post: &CdrPost) -> Result<Posted, Refusal> {
        let head = CdrHead::read(&post.body)?;
        // A peer hub is exempt: the marker in its CDRs is its own word, and stays (design.md 3.5).
        if !caller.platform.is_hub_peer() {
            cdr::check_top_level(&post.body)?;
        }
        let parties = CdrParties {
            owner: &head.party,
            payer: head.cdr_token.party.as_ref(),
        };
        let route = scenario::cdr_receiver(
            caller.directory(),
            &caller.platform,
            &post.routing,
            post.version,
            parties,
        )?;
        Ok(Posted {
            row_id: Uuid::now_v7().to_string(),
            digest: hex::encode(json::digest(&post.body)?),
            head: Arc::new(head),
            body: post.body.clone(),
            route,
            cpo_platform: caller.platform.id.to_string(),
            version: post.version,
            correlation_id: post
                .ids
                .correlation_id
                .clone()
                .unwrap_or_else(|| Uuid::new_v4().to_string()),
            request_id: post.ids.request_id.clone(),
            received_at: self.clock.now(),
        })
    }

    async fn take(&self, posted: Posted) -> Result<CdrAnswer, Failure> {
        // Before the commit, so that whoever finds the row by its id also finds that it is under way.
        let under_way = self.running.begin(&posted.row_id);
        match self.intake.take(&posted).await {
            Ok(Intaken::New(new)) => self.first(*new, &posted).await,
            Ok(Intaken::Known(row)) => {
                drop(under_way);
                self.repeat(*row, &posted).await
            }
            Err(failure) => {
                if let Failure::Refused(refusal) = &failure {
                    self.write(JournalEntry {
                        status_code: Some(i64::from(refusal.code().0)),
                        outcome: format!("refused: {}", refusal.message),
                        ..posted.journal()
                    })
                    .await;
                }
                Err(failure)
            }
        }
    }

    /// The first attempt, and what the sender hears of it (design.md 3.6.5).
    async fn first(&self, new: New, posted: &Posted) -> Result<CdrAnswer, Failure> {
        let New { row, remark, plan } = new;
        let them = self.correspondents(&row, posted, remark);
        match plan {
            Plan::Carry(duty) => self.carry(&row, &Owed::of_new(&duty), them, true).await,
            Plan::Wait => {
                self.delivery.nudge_if_back(&row.emsp_platform.as_str().into()).await;
                Ok(them.hub_says(Words::InCustody, true))
            }
            Plan::NotConnected => Err(not_connected(posted)),
            Plan::Pull => Ok(them.hub_says(Words::KeptForPull, true)),
            Plan::Hold => Ok(them.hub_says(Words::Held, true)),
        }
    }

    async fn carry(&self, row: &CdrRow, owed: &Owed, them: Correspondents, is_new: bool) -> Result<CdrAnswer, Failure> {
        match self.delivery.carry(row, owed).await {
            Ok(Carried::Delivered(said) | Carried::Rejected(said)) => Ok(them.receiver_said(&said)),
            Ok(Carried::Kept) => Ok(them.hub_says(Words::InCustody, is_new)),
            Ok(Carried::Unanswered(not)) => unanswered(not, them),
            // The CDR is committed and its lease will end: that it is in custody is true whatever could not be written down.
            Err(fault) if row.visible_at.is_some() => {
                log::error!("{}", fault.chain());
                Ok(them.hub_says(Words::InCustody, is_new))
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// The same CDR again: it is told what became of it, after waiting for an attempt that is under way (design.md 3.6.2).
    async fn repeat(&self, mut row: CdrRow, posted: &Posted) -> Result<CdrAnswer, Failure> {
        let patience = self.clock.now() + self.patience();
        loop {
            let them = self.correspondents(&row, posted, self.remark(&row).await?);
            let words = match row.delivery.as_str() {
                word::PENDING => {
                    if let Some(answer) = self.wait_or_carry(&row, posted, &them).await? {
                        return Ok(answer);
                    }
                    if self.clock.now() >= patience {
                        return if row.visible_at.is_some() {
                            Ok(them.hub_says(Words::InCustody, false))
                        } else {
                            Err(timed_out())
                        };
                    }
                    row = self.again(row).await?;
                    continue;
                }
                word::DELIVERED | word::REJECTED => return Ok(them.receiver_said(&said(&row))),
                word::HELD => Words::Held,
                word::AVAILABLE => Words::KeptForPull,
                word::DEAD => Words::Dead,
                _ => Words::InCustody,
            };
            return Ok(them.hub_says(words, false));
        }
    }

    /// A CDR whose outcome is open: wait for whoever carries it, or, when nobody does and nobody will, carry it.
    async fn wait_or_carry(
        &self,
        row: &CdrRow,
        posted: &Posted,
        them: &Correspondents,
    ) -> Result<Option<CdrAnswer>, Failure> {
        if self.running.wait(&row.id).await {
            return Ok(None);
        }
        if row.visible_at.is_none() {
            // Without custody an unanswered CDR is owed to nobody: the repeat is what carries it again.
            if posted.route.platform.status != PlatformStatus::Connected {
                return Err(not_connected(posted));
            }
            let _under_way = self.running.begin(&row.id);
            let duty = self
                .delivery
                .new_duty(&row.id, &posted.route.platform, self.clock.now());
            let owed = Owed::of_new(&duty);
            if self
                .store
                .cdr_owe(&row.id, duty)
                .await
                .map_err(|error| Fault::new("owing a CDR again", error))?
            {
                return self.carry(row, &owed, them.clone(), false).await.map(Some);
            }
        }
        // Another process carries it.
        tokio::time::sleep(POLL).await;
        Ok(None)
    }

    /// Longer than any lease: by then another process has settled the duty or lost it.
    fn patience(&self) -> TimeDelta {
        TimeDelta::from_std(self.delivery.horizons().lease + Duration::from_secs(5)).unwrap_or(TimeDelta::MAX)
    }

    async fn again(&self, row: CdrRow) -> Result<CdrRow, Failure> {
        let found = self
            .store
            .cdr_by_row(&row.id)
            .await
            .map_err(|error| Fault::new("reading a CDR again", error))?;
        Ok(found.unwrap_or(row))
    }

    async fn remark(&self, row: &CdrRow) -> Result<Option<String>, Failure> {
        let reports = self
            .store
            .verdicts(&row.id)
            .await
            .map_err(|error| Fault::new("reading a verdict", error))?;
        Ok(reports.last().and_then(|report| receipts::remark_of(report)))
    }

    fn correspondents(&self, row: &CdrRow, posted: &Posted, remark: Option<String>) -> Correspondents {
        Correspondents {
            cpo: posted.route.cpo.clone(),
            emsp: posted.route.emsp.clone(),
            hub: self.settings.hub.clone(),
            location: url::join(&self.settings.public_url, &["ocpi", "p", &row.location_id]),
            remark,
        }
    }

    async fn write_refusal(&self, caller: &Caller, post: &CdrPost, refusal: &Refusal) {
        self.write(JournalEntry {
            id: Uuid::now_v7().to_string(),
            at: self.clock.now(),
            correlation_id: post.ids.correlation_id.clone().unwrap_or_default(),
            request_id: post.ids.request_id.clone(),
            from_party: post.routing.from.as_ref().map(PartyId::key),
            to_party: post.routing.to.as_ref().map(PartyId::key),
            platform: Some(caller.platform.id.to_string()),
            module: "cdrs".to_owned(),
            method: "POST".to_owned(),
            object: None,
            http_status: None,
            status_code: Some(i64::from(refusal.code().0)),
            outcome: format!("refused: {}", refusal.message),
            duration_ms: None,
        })
        .await;
    }

    /// A refusal stands whether or not it could be written down.
    async fn write(&self, entry: JournalEntry) {
        if let Err(error) = self.store.journal_add(entry).await {
            log::error!("writing the journal: {error}");
        }
    }
}

/// How often the outcome of another process's attempt is looked for.
const POLL: Duration = Duration::from_millis(100);

/// Without custody the sender deals with it, as for any relay (R-41, R-42, S-11).
fn unanswered(not: NotTaken, them: Correspondents) -> Result<CdrAnswer, Failure> {
    match not.said {
        Some(said) => Ok(them.receiver_said(&said)),
        None => Err(Refusal::new(not.situation, format!("{}: {}", them.emsp, not.why)).into()),
    }
}

fn not_connected(posted: &Posted) -> Failure {
    let Posted { route, .. } = posted;
    Refusal::not_connected(format!("{} is {}", route.emsp, route.platform.status.as_str())).into()
}

fn timed_out() -> Failure {
    Refusal::timed_out("the first attempt has not ended yet").into()
}

/// The receiver's words as kept. The HTTP status of a repeat is 200 where the CDR existed (S-06).
fn said(row: &CdrRow) -> Said {
    let Some(first) = &row.first_answer else {
        return Said {
            http_status: 200,
            code: StatusCode::SUCCESS,
            message: None,
        };
    };
    let code = StatusCode(u16::try_from(first.status_code).unwrap_or(StatusCode::SUCCESS.0));
    let http_status = if code.is_success() {
        200
    } else {
        u16::try_from(first.http_status).unwrap_or(200)
    };
    Said {
        http_status,
        code,
        message: first.message.clone(),
    }
}
