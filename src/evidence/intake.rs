//! Taking a CDR: judged, then committed with its verdict and everything that follows from it, or refused without a trace.
//!
//! ```text
//!  assess ──► verdict ──► policy ──► ONE commit: octets, verdict, duty (already leased), used blocks, journal
//!     ▲                     │          │
//!     │                     ▼          ├─► Known: that id is here already   ─► repeat, new revision, or 2001
//!     └── used blocks ◄── reject       └─► BlocksUsed: a replay was found   ─► judged again, with it
//! ```
//!
//! The usual CDR costs no read: the commit itself says whether the id or a signed block is known, and only then is there a
//! second look. That is also what makes it right between processes.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::assess::{Assessment, Inquiry, PointedFinding, Policy, Source, Status, UsedBlock, Verdict};
use super::claim::Claim;
use super::report::{Check, Occasion};
use super::sightings::Sightings;
use super::{asking, marker, policy, report, traces};
use crate::delivery::Delivery;
use crate::metering::finding::{Code, Severity};
use crate::metering::key::Curve;
use crate::metering::plausible::folded;
use crate::ocpi::ids::{PartyId, fold, key_of};
use crate::ocpi::refusal::Refusal;
use crate::ocpi::role::InterfaceRole;
use crate::ocpi::v2_2_1::cdr::CdrHead;
use crate::ocpi::versions::Version;
use crate::parties::{Failure, Fault};
use crate::registry::Registry;
use crate::registry::conformity::{self, EvseClaim};
use crate::routing::directory::{InvalidCdrs, Platform, PlatformStatus};
use crate::routing::scenario::CdrRoute;
use crate::seeing::Tally;
use crate::store::Store;
use crate::store::evidence::{BlockClaim, BlockUse, CdrRow, NewCdr, Taken, Traces};
use crate::store::journal::JournalEntry;
use crate::store::outbox::NewDuty;

/// What this room needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct EvidenceSettings {
    /// The hub's own party: who validated.
    pub hub: PartyId,
    /// Where parties reach the hub, without a trailing slash: reports are read there.
    pub public_url: String,
    /// Tolerances, severities, and which keys are good enough to bill on.
    pub policy: Policy,
    /// What a bad verdict means where the receiver's options say nothing.
    pub invalid_cdrs: InvalidCdrs,
}

/// Judges CDRs and takes them.
pub struct Intake {
    store: Store,
    registry: Arc<Registry>,
    delivery: Arc<Delivery>,
    settings: EvidenceSettings,
    sightings: Arc<Sightings>,
    verdicts: Tally,
}

/// A CDR that was posted, understood, and routed.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The id its row will have; chosen by the caller, who may want to be found under it before the commit.
    pub row_id: String,
    /// What the hub depends on.
    pub head: Arc<CdrHead>,
    /// The octets.
    pub body: Bytes,
    /// SHA-256 over the content, in hex: equal for equal JSON values.
    pub digest: String,
    /// From whom, for whom.
    pub route: CdrRoute,
    /// The platform that posted.
    pub cpo_platform: String,
    /// The version it was posted in.
    pub version: Version,
    /// The correlation id of the exchange.
    pub correlation_id: String,
    /// The request id of this leg.
    pub request_id: Option<String>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// What became of a posted CDR.
#[derive(Debug)]
pub enum Intaken {
    /// It is here now, and what is to be done with it.
    New(Box<New>),
    /// It was here already, with the same content.
    Known(Box<CdrRow>),
}

/// A CDR just committed.
#[derive(Debug)]
pub struct New {
    /// As stored.
    pub row: CdrRow,
    /// What the CPO hears about the verdict.
    pub remark: Option<String>,
    /// What is done with it.
    pub plan: Plan,
}

/// What happens to a CDR after its commit.
#[derive(Clone, Debug)]
pub enum Plan {
    /// An attempt is made now; the duty is leased to us.
    Carry(NewDuty),
    /// The receiver is away: no attempt, the duty waits for its return.
    Wait,
    /// The receiver is away, and without custody nothing waits.
    NotConnected,
    /// The receiver has no CDR RECEIVER interface: it is there to be pulled.
    Pull,
    /// The eMSP sees nothing until somebody releases it.
    Hold,
}

impl Intake {
    /// A new intake.
    #[must_use]
    pub fn new(store: Store, registry: Arc<Registry>, delivery: Arc<Delivery>, settings: EvidenceSettings) -> Intake {
        Intake {
            sightings: Sightings::new(store.clone()),
            verdicts: Tally::of(&Status::ALL.map(Status::as_str)),
            store,
            registry,
            delivery,
            settings,
        }
    }

    /// How often each verdict was given since the start: over CDRs taken, over those rejected for it, and where a second look said
    /// something else.
    #[must_use]
    pub fn verdicts(&self) -> &Tally {
        &self.verdicts
    }

    /// Judges and takes.
    ///
    /// # Errors
    /// 2001 when another content stands under that id, or when the receiver's policy rejects the verdict; ours when the
    /// database fails, in which case nothing was kept.
    pub async fn take(&self, posted: &Posted) -> Result<Intaken, Failure> {
        let assessment = self
            .assess(&posted.body, &posted.route.emsp.key(), posted.received_at)
            .await?;
        let credited = self
            .credited(&posted.head, &posted.route.cpo.key(), &posted.route.emsp.key())
            .await?;
        let mut used = if credited.is_some() {
            self.used(&assessment).await?
        } else {
            Vec::new()
        };
        let mut succeeds = None;
        // A replay, then a known id, then a revision that somebody else was quicker to add: no honest case needs a fourth round.
        for _ in 0..8 {
            let verdict = self.conclude(&assessment, &posted.route.cpo.key(), credited.as_ref(), &used);
            let consequence = self.consequence(&verdict, posted);
            if consequence == InvalidCdrs::Reject {
                return self.reject(posted, &verdict).await;
            }
            let mut new = self.compose(posted, &verdict, consequence, credited.as_ref(), succeeds);
            new.traces = traces::of(assessment.question());
            let (row, remark, plan) = (new.row.clone(), remark(&verdict), plan_of(&new, &posted.route.platform));
            match self
                .store
                .cdr_take(new)
                .await
                .map_err(|error| Fault::new("taking a CDR", error))?
            {
                Taken::New => {
                    self.verdicts.count(verdict.status.as_str());
                    self.sightings.note(&assessment, &row);
                    return Ok(Intaken::New(Box::new(New { row, remark, plan })));
                }
                Taken::BlocksUsed(uses) => used.extend(uses.into_iter().map(UsedBy::of)),
                Taken::Known(known) => match known_id(posted, *known)? {
                    OfKnown::Same(row) => return Ok(Intaken::Known(row)),
                    OfKnown::Succeeds(revision) => succeeds = Some(revision),
                },
            }
        }
        Err(Fault::found("taking a CDR: its id or its blocks kept changing hands").into())
    }

    /// Reads, asks the registry what it knows `now`, verifies, for the eMSP that pays. Where proof is missing that had to come, the location is
    /// read for who else said so: one question to the database, asked of nobody who sends what he must.
    ///
    /// # Errors
    /// 400 when the body is no JSON object; ours when the database fails.
    pub async fn assess(&self, body: &Bytes, emsp_key: &str, now: DateTime<Utc>) -> Result<Assessment, Failure> {
        let mut assessment = self.verified(body, emsp_key, now).await?;
        if assessment.is_missing_proof()
            && let Some(claimed) = self.claimed_by_location(body).await?
        {
            assessment.also_expected_by(claimed);
        }
        Ok(assessment)
    }

    /// Slow curves leave the async threads.
    async fn verified(&self, body: &Bytes, emsp_key: &str, now: DateTime<Utc>) -> Result<Assessment, Failure> {
        let not_a_cdr = |_| Failure::from(Refusal::malformed("the body is not a JSON object"));
        {
            let claim = Claim::read(body).map_err(not_a_cdr)?;
            let inquiry = Inquiry::of(&claim, &self.settings.policy.tolerances).paid_by(emsp_key);
            let knowledge = asking::answer(&self.registry.index(), inquiry.question(), now);
            let curves = inquiry
                .curve()
                .into_iter()
                .chain(knowledge.for_evse.iter().map(|one| one.key.curve()));
            if !curves.clone().any(is_slow) {
                return Ok(inquiry.assess(&knowledge, &self.settings.policy));
            }
        }
        let (body, registry, policy) = (body.clone(), self.registry.clone(), self.settings.policy.clone());
        let emsp_key = emsp_key.to_owned();
        let elsewhere = tokio::task::spawn_blocking(move || {
            let claim = Claim::read(&body)?;
            let inquiry = Inquiry::of(&claim, &policy.tolerances).paid_by(&emsp_key);
            let knowledge = asking::answer(&registry.index(), inquiry.question(), now);
            Ok(inquiry.assess(&knowledge, &policy))
        });
        elsewhere
            .await
            .map_err(|error| Fault::new("verifying signatures", error))?
            .map_err(not_a_cdr)
    }

    /// The location of a CDR, where it claims that the EVSE is calibrated (key-registry.md SAF-48).
    async fn claimed_by_location(&self, body: &Bytes) -> Result<Option<Source>, Failure> {
        let Ok(claim) = Claim::read(body) else { return Ok(None) };
        let Some(location_key) = claim.location_id.as_deref().and_then(key_of) else {
            return Ok(None);
        };
        let location = self
            .store
            .mirror_get("locations", &claim.identity.owner_key(), &location_key)
            .await
            .map_err(|error| Fault::new("reading a location", error))?;
        let claims = location.filter(|one| one.deleted_at.is_none());
        let claims = claims.as_ref().map(conformity::claims_of).unwrap_or_default();
        let is_the_evse = |one: &&EvseClaim| match (&one.evse_id, &claim.evse_id, &one.evse_uid, &claim.evse_uid) {
            (Some(claimed), Some(billed), _, _) => folded(claimed) == folded(billed),
            (_, _, Some(claimed), Some(billed)) => claimed.eq_ignore_ascii_case(billed),
            _ => false,
        };
        Ok(claims.iter().find(is_the_evse).map(|one| Source {
            source: Source::LOCATION,
            reference: match &one.evse_uid {
                Some(uid) => format!("{}/{uid}", one.location_id),
                None => one.location_id.clone(),
            },
            valid_from: one.claimed_at,
            valid_to: None,
            recorded_at: None,
        }))
    }

    /// The CDR that this one credits, if it is a credit CDR (CDR-09).
    pub(super) async fn credited(
        &self,
        head: &CdrHead,
        cpo_key: &str,
        emsp_key: &str,
    ) -> Result<Option<Credited>, Failure> {
        if !head.credit {
            return Ok(None);
        }
        let reference = head.credit_reference_id.as_deref().and_then(key_of);
        let original = match &reference {
            None => None,
            Some(reference) => self
                .store
                .cdr_find(cpo_key, reference)
                .await
                .map_err(|error| Fault::new("reading the CDR that is credited", error))?,
        };
        // A credit that its payer never hears of must not let the same proof be billed to that payer again.
        let original = original.filter(|original| original.emsp_key == emsp_key);
        Ok(Some(Credited {
            reference,
            is_known: original.is_some(),
        }))
    }

    async fn used(&self, assessment: &Assessment) -> Result<Vec<UsedBy>, Failure> {
        let uses = self
            .store
            .blocks_used(&as_claims(&assessment.blocks()))
            .await
            .map_err(|error| Fault::new("reading used blocks", error))?;
        Ok(uses.into_iter().map(UsedBy::of).collect())
    }

    /// The verdict, given which blocks serve which CDR: another one's are replayed, but not those of the CDR it credits.
    pub(super) fn conclude(
        &self,
        assessment: &Assessment,
        cpo_key: &str,
        credited: Option<&Credited>,
        used: &[UsedBy],
    ) -> Verdict {
        let by_another = |use_: &&UsedBy| {
            let own = credited.and_then(|credited| credited.reference.as_deref());
            !(use_.cpo_key == cpo_key && own == Some(use_.cdr_key.as_str()))
        };
        let replayed: Vec<UsedBlock> = used.iter().filter(by_another).map(|use_| use_.block.clone()).collect();
        let mut verdict = assessment.verdict(&replayed);
        if credited.is_some_and(|credited| !credited.is_known) {
            verdict.findings.push(PointedFinding {
                code: Code::CreditReferenceUnknown,
                severity: Severity::Warning,
                pointer: "/credit_reference_id".to_owned(),
                message: "no CDR of this CPO for this eMSP is known under that id".to_owned(),
                sources: Vec::new(),
            });
        }
        verdict
    }

    fn consequence(&self, verdict: &Verdict, posted: &Posted) -> InvalidCdrs {
        policy::consequence(
            verdict.status,
            posted.route.platform.options.invalid_cdrs,
            self.settings.invalid_cdrs,
        )
    }

    /// Rejected by policy: the id stays free and nothing is kept but the verdict and the digest in the journal. Unless the
    /// very same CDR was taken before, under another policy: then it stays taken.
    async fn reject(&self, posted: &Posted, verdict: &Verdict) -> Result<Intaken, Failure> {
        let known = self
            .store
            .cdr_find(&posted.route.cpo.key(), &fold(&posted.head.id))
            .await
            .map_err(|error| Fault::new("reading a CDR", error))?;
        if let Some(known) = known
            && let OfKnown::Same(row) = known_id(posted, known)?
        {
            return Ok(Intaken::Known(row));
        }
        self.verdicts.count(verdict.status.as_str());
        let what = remark(verdict).unwrap_or_else(|| verdict.status.as_str().to_owned());
        let refusal = Refusal::invalid_parameter(format!("rejected: {what}"));
        let entry = JournalEntry {
            http_status: Some(200),
            status_code: Some(i64::from(refusal.code().0)),
            outcome: format!("rejected by policy: {what}; content sha256:{}", posted.digest),
            ..posted.journal()
        };
        self.store
            .journal_add(entry)
            .await
            .map_err(|error| Fault::new("writing the journal", error))?;
        Err(Failure::Refused(refusal))
    }

    fn compose(
        &self,
        posted: &Posted,
        verdict: &Verdict,
        consequence: InvalidCdrs,
        credited: Option<&Credited>,
        succeeds: Option<i64>,
    ) -> NewCdr {
        let (head, route, now) = (&posted.head, &posted.route, posted.received_at);
        let keeps = self.delivery.keeps_for(&route.platform.options);
        let state = Start::of(consequence == InvalidCdrs::Hold, &route.platform, keeps);
        let row = CdrRow {
            id: posted.row_id.clone(),
            country_code: route.cpo.country_code().to_owned(),
            party_id: route.cpo.party_id().to_owned(),
            cpo_key: route.cpo.key(),
            cdr_id: head.id.clone(),
            cdr_key: fold(&head.id),
            revision: succeeds.map_or(1, |revision| revision + 1),
            emsp_country_code: route.emsp.country_code().to_owned(),
            emsp_party_id: route.emsp.party_id().to_owned(),
            emsp_key: route.emsp.key(),
            cpo_platform: posted.cpo_platform.clone(),
            emsp_platform: route.platform.id.to_string(),
            version: posted.version.as_str().to_owned(),
            // Only valid UTF-8 was read as JSON.
            body: String::from_utf8_lossy(&posted.body).into_owned(),
            content_digest: posted.digest.clone(),
            received_at: now,
            last_updated: head.last_updated,
            visible_at: state.is_visible().then_some(now),
            metering_status: verdict.status.as_str().to_owned(),
            billable: verdict.billable,
            delivery: state.word().to_owned(),
            location_id: Uuid::new_v4().simple().to_string(),
            receiver_location: None,
            correlation_id: posted.correlation_id.clone(),
            credit_reference: credited.and_then(|credited| credited.reference.clone()),
            marker: self.marker(verdict, &posted.body, now),
            first_answer: None,
        };
        let duty = match state {
            Start::Carry { .. } => Some(self.delivery.new_duty(&row.id, &route.platform, now)),
            Start::Wait => Some(self.delivery.new_waiting_duty(&row.id, &route.platform, now)),
            Start::NotConnected | Start::Pull | Start::Hold => None,
        };
        let entry = JournalEntry {
            outcome: format!("taken: {}, {}", verdict.status.as_str(), row.delivery),
            ..posted.journal()
        };
        let report = report::document(verdict, &self.check(now, Occasion::Received));
        NewCdr {
            // The answer says so too, to whoever posts; this reaches whoever listens, and waits for them.
            notice: (!verdict.billable).then(|| self.notice(&row, &report, now)).flatten(),
            report,
            checked_at: now,
            blocks: if credited.is_some() {
                Vec::new()
            } else {
                claims(verdict)
            },
            frees_blocks_of: credited
                .filter(|credited| credited.is_known && !matches!(state, Start::Hold))
                .and_then(|credited| Some((row.cpo_key.clone(), credited.reference.clone()?))),
            duty,
            journal: entry,
            replaces_rejected: succeeds,
            traces: Traces::default(),
            row,
        }
    }

    /// A look at a CDR by this hub, or by its operator.
    pub(super) fn check(&self, at: DateTime<Utc>, occasion: Occasion) -> Check {
        let by = match occasion {
            Occasion::Received | Occasion::Registry => self.settings.hub.to_string(),
            Occasion::Operator => "operator".to_owned(),
        };
        Check { at, by, occasion }
    }

    /// The marker a receiver gets where it is to have one (design.md 3.5), which is decided when the octets leave: its option may
    /// change until then. None beside one that a peer hub put there.
    pub(super) fn marker(&self, verdict: &Verdict, body: &[u8], at: DateTime<Utc>) -> Option<String> {
        (!marker::has_marker(body)).then(|| {
            let cdr = &verdict.cdr;
            let segments = [
                "partner",
                "v1",
                "cdrs",
                &cdr.country_code,
                &cdr.party_id,
                &cdr.id,
                "report",
            ];
            let report_url = crate::ocpi::url::join(&self.settings.public_url, &segments);
            marker::marker(verdict, &self.settings.hub.to_string(), at, &report_url)
        })
    }

    /// Keys and serial numbers that nobody registered, as CDRs name them.
    #[must_use]
    pub fn sightings(&self) -> &Arc<Sightings> {
        &self.sightings
    }

    pub(super) fn settings(&self) -> &EvidenceSettings {
        &self.settings
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.settings.policy
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn delivery(&self) -> &Arc<Delivery> {
        &self.delivery
    }
}

impl Posted {
    /// An entry about this post, to be completed with what became of it.
    #[must_use]
    pub fn journal(&self) -> JournalEntry {
        JournalEntry {
            id: Uuid::now_v7().to_string(),
            at: self.received_at,
            correlation_id: self.correlation_id.clone(),
            request_id: self.request_id.clone(),
            from_party: Some(self.route.cpo.key()),
            to_party: Some(self.route.emsp.key()),
            platform: Some(self.cpo_platform.clone()),
            module: "cdrs".to_owned(),
            method: "POST".to_owned(),
            object: Some(format!("{}/{}", self.route.cpo.key(), fold(&self.head.id))),
            http_status: None,
            status_code: None,
            outcome: String::new(),
            duration_ms: None,
        }
    }
}

/// The CDR that a credit CDR takes back.
pub(super) struct Credited {
    /// Its id, folded.
    reference: Option<String>,
    /// Whether the hub took it, for the same eMSP.
    is_known: bool,
}

/// A block and the CDR it serves.
pub(super) struct UsedBy {
    block: UsedBlock,
    cpo_key: String,
    cdr_key: String,
}

impl UsedBy {
    pub(super) fn of(use_: BlockUse) -> UsedBy {
        UsedBy {
            block: UsedBlock {
                digest: use_.digest,
                fingerprint: use_.fingerprint,
            },
            cpo_key: use_.cpo_key,
            cdr_key: use_.cdr_key,
        }
    }
}

/// What a known id means for a post (design.md 3.6.2).
enum OfKnown {
    /// A repeat.
    Same(Box<CdrRow>),
    /// The receiver rejected what stands there: this one takes its place, as the next revision.
    Succeeds(i64),
}

fn known_id(posted: &Posted, known: CdrRow) -> Result<OfKnown, Refusal> {
    if known.content_digest == posted.digest {
        return Ok(OfKnown::Same(Box::new(known)));
    }
    if known.delivery == word::REJECTED {
        return Ok(OfKnown::Succeeds(known.revision));
    }
    // CDR-08, CDR-11: a CDR is never changed after sending; a correction is a credit CDR and a new CDR with a new id.
    Err(Refusal::invalid(
        "/id",
        "another CDR with this id was taken before; a CDR cannot be changed, only credited",
    ))
}

/// The delivery words of design.md 3.4.
pub mod word {
    /// The first attempt is under way, or waits for a repeat where there is no custody.
    pub const PENDING: &str = "pending";
    /// Owed to the receiver.
    pub const IN_CUSTODY: &str = "in_custody";
    /// Kept from the eMSP until released.
    pub const HELD: &str = "held";
    /// Kept for pull.
    pub const AVAILABLE: &str = "available";
    /// The receiver has it.
    pub const DELIVERED: &str = "delivered";
    /// The receiver said no.
    pub const REJECTED: &str = "rejected";
    /// Given up.
    pub const DEAD: &str = "dead";
    /// All of them.
    pub const ALL: [&str; 7] = [PENDING, IN_CUSTODY, HELD, AVAILABLE, DELIVERED, REJECTED, DEAD];
}

/// How the life of a taken CDR begins (the table of design.md 3.6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Carry { keeps: bool },
    Wait,
    NotConnected,
    Pull,
    Hold,
}

impl Start {
    pub(super) fn of(hold: bool, receiver: &Platform, keeps: bool) -> Start {
        if hold {
            Start::Hold
        } else if receiver.endpoint("cdrs", InterfaceRole::Receiver).is_none() {
            Start::Pull
        } else if receiver.status == PlatformStatus::Connected {
            Start::Carry { keeps }
        } else if keeps {
            Start::Wait
        } else {
            Start::NotConnected
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Start::Carry { .. } | Start::NotConnected => word::PENDING,
            Start::Wait => word::IN_CUSTODY,
            Start::Pull => word::AVAILABLE,
            Start::Hold => word::HELD,
        }
    }

    /// Whether the eMSP may list it from the commit on: not what is held, and without custody not before it was delivered.
    fn is_visible(self) -> bool {
        matches!(self, Start::Carry { keeps: true } | Start::Wait | Start::Pull)
    }
}

fn plan_of(new: &NewCdr, receiver: &Platform) -> Plan {
    match (new.row.delivery.as_str(), &new.duty) {
        (word::PENDING, Some(duty)) => Plan::Carry(duty.clone()),
        (word::IN_CUSTODY, _) => Plan::Wait,
        (word::HELD, _) => Plan::Hold,
        _ if receiver.endpoint("cdrs", InterfaceRole::Receiver).is_none() => Plan::Pull,
        _ => Plan::NotConnected,
    }
}

/// The blocks a CDR uses up, each once. Not those of a key that belongs to another operator: else anybody who saw a record
/// could use it up for the one whose meter made it.
pub(super) fn claims(verdict: &Verdict) -> Vec<BlockClaim> {
    if verdict
        .findings
        .iter()
        .any(|finding| finding.code == Code::KeyForOtherCpo)
    {
        return Vec::new();
    }
    let replayed = verdict
        .findings
        .iter()
        .any(|finding| finding.code == Code::ReplayedRecord);
    // Nor one more block by a CDR that lives on others' blocks: it proves nothing.
    if replayed {
        Vec::new()
    } else {
        as_claims(&verdict.blocks)
    }
}

/// Each block once, in the words of the store.
pub(super) fn as_claims(blocks: &[UsedBlock]) -> Vec<BlockClaim> {
    let mut claims: Vec<BlockClaim> = Vec::new();
    for block in blocks {
        let claim = BlockClaim {
            digest: block.digest.clone(),
            fingerprint: block.fingerprint.clone(),
        };
        if !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    claims
}

/// "metering INVALID: SIGNATURE_MISMATCH, …", whenever something is left to be desired (design.md 3.5).
#[must_use]
pub fn remark(verdict: &Verdict) -> Option<String> {
    written_remark(verdict.status, &verdict.reasons())
}

pub(super) fn written_remark(status: Status, reasons: &[&str]) -> Option<String> {
    if status.is_settled() {
        return None;
    }
    let codes = if reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", reasons.join(", "))
    };
    Some(format!("metering {}{codes}", status.as_str()))
}

/// Curves whose verification takes more than half a millisecond with the verifiers compiled in (design.md section 4).
fn is_slow(curve: Curve) -> bool {
    match curve {
        Curve::Secp256r1 | Curve::Secp256k1 | Curve::Secp192r1 | Curve::Secp192k1 => false,
        Curve::Secp384r1 => !cfg!(feature = "fast-ecdsa"),
        _ => true,
    }
}
