//! The rows behind a CDR as the tables have them, and the way there and back.

use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable};

use super::traces::TraceRecord;
use super::{AttemptRow, BlockUse, CdrRow, FirstAnswer, NewCdr, Settled, Settlement};
use crate::store::StoreError;
use crate::store::journal::JournalRecord;
use crate::store::notices::{self, NoticeRecord};
use crate::store::outbox::DutyRecord;
use crate::store::schema::{attempts, cdrs, octets, unexamined, used_blocks, verdicts};
use crate::store::value::{Weight, id_at, instant, later, micros, record};

record! {
    /// A CDR without its octets.
    CdrRecord, many CdrRecords, in cdrs {
        id: String => Text,
        country_code: String => Text,
        party_id: String => Text,
        cpo_key: String => Text,
        cdr_id: String => Text,
        cdr_key: String => Text,
        revision: i64 => BigInt,
        emsp_country_code: String => Text,
        emsp_party_id: String => Text,
        emsp_key: String => Text,
        cpo_platform: String => Text,
        emsp_platform: String => Text,
        version: String => Text,
        content_digest: String => Text,
        received_at: i64 => BigInt,
        last_updated: i64 => BigInt,
        visible_at: Option<i64> => Nullable<BigInt>,
        listed_at: Option<i64> => Nullable<BigInt>,
        metering_status: String => Text,
        billable: i64 => BigInt,
        delivery: String => Text,
        location_id: String => Text,
        receiver_location: Option<String> => Nullable<Text>,
        correlation_id: String => Text,
        credit_reference: Option<String> => Nullable<Text>,
        marker: Option<String> => Nullable<Text>,
        first_answer: Option<String> => Nullable<Text>,
    }
}

record! {
    /// The octets of a CDR as posted.
    OctetsRecord, many OctetsRecords, in octets {
        cdr: String => Text,
        body: String => Text,
    }
}

record! {
    /// A verdict.
    VerdictRecord, many VerdictRecords, in verdicts {
        id: String => Text,
        cdr: String => Text,
        report: String => Text,
        checked_at: i64 => BigInt,
    }
}

record! {
    /// A signed block and the CDR it serves.
    BlockRecord, many BlockRecords, in used_blocks {
        digest: String => Text,
        fingerprint: String => Text,
        cdr: String => Text,
        cpo_key: String => Text,
        cdr_key: String => Text,
    }
}

record! {
    /// An attempt.
    AttemptRecord, many AttemptRecords, in attempts {
        id: String => Text,
        cdr: String => Text,
        at: i64 => BigInt,
        http_status: Option<i64> => Nullable<BigInt>,
        status_code: Option<i64> => Nullable<BigInt>,
        outcome: String => Text,
    }
}

record! {
    /// A CDR that is to be looked through for doubts.
    UnexaminedRecord, many UnexaminedRecords, in unexamined {
        cdr: String => Text,
    }
}

/// A [`NewCdr`] as rows.
pub(in crate::store) struct Take {
    pub(in crate::store) cdr: CdrRecord,
    pub(in crate::store) octets: OctetsRecord,
    pub(in crate::store) verdict: VerdictRecord,
    pub(in crate::store) blocks: Vec<BlockRecord>,
    pub(in crate::store) duty: Option<DutyRecord>,
    pub(in crate::store) journal: JournalRecord,
    pub(in crate::store) frees_blocks_of: Option<(String, String)>,
    pub(in crate::store) replaces_rejected: Option<i64>,
    pub(in crate::store) traces: Vec<TraceRecord>,
    pub(in crate::store) unexamined: UnexaminedRecord,
    pub(in crate::store) notice: Option<(DutyRecord, NoticeRecord)>,
}

impl Take {
    pub(super) fn new(new: NewCdr) -> Result<Take, StoreError> {
        let id = new.row.id.clone();
        let mut blocks: Vec<BlockRecord> = Vec::with_capacity(new.blocks.len());
        for block in new.blocks {
            // A CDR may carry one block twice; it uses it up once.
            if !blocks
                .iter()
                .any(|known| known.digest == block.digest && known.fingerprint == block.fingerprint)
            {
                blocks.push(BlockRecord {
                    digest: block.digest,
                    fingerprint: block.fingerprint,
                    cdr: id.clone(),
                    cpo_key: new.row.cpo_key.clone(),
                    cdr_key: new.row.cdr_key.clone(),
                });
            }
        }
        let verdict = VerdictRecord::new(&id, new.report, new.checked_at);
        let (cdr, octets) = write_row(new.row)?;
        Ok(Take {
            traces: TraceRecord::of(&id, &new.traces),
            unexamined: UnexaminedRecord { cdr: id },
            cdr,
            octets,
            verdict,
            blocks,
            duty: new.duty.map(DutyRecord::from),
            journal: new.journal.into(),
            frees_blocks_of: new.frees_blocks_of,
            replaces_rejected: new.replaces_rejected,
            notice: new.notice.map(notices::records).transpose()?,
        })
    }

    /// Whether it only adds rows that every CDR has, so that it can share one statement with others.
    pub(super) fn only_adds(&self) -> bool {
        self.frees_blocks_of.is_none() && self.replaces_rejected.is_none() && self.notice.is_none()
    }
}

impl Weight for Take {
    fn weight(&self) -> usize {
        // The rows around the octets are about a kilobyte.
        self.octets.body.len() + self.verdict.report.len() + 1024
    }
}

/// A [`Settlement`] as rows.
pub(in crate::store) struct Settle {
    pub(in crate::store) row_id: String,
    pub(in crate::store) duty_id: String,
    pub(in crate::store) duty_revision: i64,
    pub(in crate::store) attempt: AttemptRecord,
    pub(in crate::store) result: Settled,
    pub(in crate::store) receiver_location: Option<String>,
    pub(in crate::store) first_answer: Option<String>,
    pub(in crate::store) journal: Option<JournalRecord>,
}

impl Settle {
    pub(super) fn new(settlement: Settlement) -> Result<Settle, StoreError> {
        Ok(Settle {
            attempt: AttemptRecord::new(&settlement.row_id, settlement.attempt),
            row_id: settlement.row_id,
            duty_id: settlement.duty_id,
            duty_revision: settlement.duty_revision,
            result: settlement.result,
            receiver_location: settlement.receiver_location,
            first_answer: settlement
                .first_answer
                .map(|answer| write_answer(&answer))
                .transpose()?,
            journal: settlement.journal.map(JournalRecord::from),
        })
    }
}

impl Weight for Settle {
    fn weight(&self) -> usize {
        1024
    }
}

impl VerdictRecord {
    /// Its id begins with the instant of the check: the order of ids is the order of checks.
    pub(super) fn new(cdr: &str, report: String, checked_at: DateTime<Utc>) -> VerdictRecord {
        VerdictRecord {
            id: id_at(checked_at),
            cdr: cdr.to_owned(),
            report,
            checked_at: micros(checked_at),
        }
    }
}

impl AttemptRecord {
    fn new(cdr: &str, attempt: AttemptRow) -> AttemptRecord {
        AttemptRecord {
            id: attempt.id,
            cdr: cdr.to_owned(),
            at: micros(attempt.at),
            http_status: attempt.http_status,
            status_code: attempt.status_code,
            outcome: attempt.outcome,
        }
    }

    pub(super) fn read(self) -> Result<AttemptRow, StoreError> {
        Ok(AttemptRow {
            id: self.id,
            at: instant(self.at)?,
            http_status: self.http_status,
            status_code: self.status_code,
            outcome: self.outcome,
        })
    }
}

impl BlockRecord {
    pub(super) fn read(self) -> BlockUse {
        BlockUse {
            digest: self.digest,
            fingerprint: self.fingerprint,
            cpo_key: self.cpo_key,
            cdr_key: self.cdr_key,
        }
    }
}

fn write_row(row: CdrRow) -> Result<(CdrRecord, OctetsRecord), StoreError> {
    let octets = OctetsRecord {
        cdr: row.id.clone(),
        body: row.body,
    };
    let cdr = CdrRecord {
        id: row.id,
        country_code: row.country_code,
        party_id: row.party_id,
        cpo_key: row.cpo_key,
        cdr_id: row.cdr_id,
        cdr_key: row.cdr_key,
        revision: row.revision,
        emsp_country_code: row.emsp_country_code,
        emsp_party_id: row.emsp_party_id,
        emsp_key: row.emsp_key,
        cpo_platform: row.cpo_platform,
        emsp_platform: row.emsp_platform,
        version: row.version,
        content_digest: row.content_digest,
        received_at: micros(row.received_at),
        last_updated: micros(row.last_updated),
        visible_at: row.visible_at.map(micros),
        listed_at: row.visible_at.map(|visible| micros(visible.max(row.last_updated))),
        metering_status: row.metering_status,
        billable: row.billable.into(),
        delivery: row.delivery,
        location_id: row.location_id,
        receiver_location: row.receiver_location,
        correlation_id: row.correlation_id,
        credit_reference: row.credit_reference,
        marker: row.marker,
        first_answer: row.first_answer.map(|answer| write_answer(&answer)).transpose()?,
    };
    Ok((cdr, octets))
}

/// A CDR from its two rows.
/// One whose octets may have been removed since: then they are empty, which none is that was posted.
pub(super) fn read_whole_or_not((cdr, body): (CdrRecord, Option<String>)) -> Result<CdrRow, StoreError> {
    read_row((cdr, body.unwrap_or_default()))
}

pub(super) fn read_row((cdr, body): (CdrRecord, String)) -> Result<CdrRow, StoreError> {
    Ok(CdrRow {
        id: cdr.id,
        country_code: cdr.country_code,
        party_id: cdr.party_id,
        cpo_key: cdr.cpo_key,
        cdr_id: cdr.cdr_id,
        cdr_key: cdr.cdr_key,
        revision: cdr.revision,
        emsp_country_code: cdr.emsp_country_code,
        emsp_party_id: cdr.emsp_party_id,
        emsp_key: cdr.emsp_key,
        cpo_platform: cdr.cpo_platform,
        emsp_platform: cdr.emsp_platform,
        version: cdr.version,
        body,
        content_digest: cdr.content_digest,
        received_at: instant(cdr.received_at)?,
        last_updated: instant(cdr.last_updated)?,
        visible_at: later(cdr.visible_at)?,
        metering_status: cdr.metering_status,
        billable: cdr.billable != 0,
        delivery: cdr.delivery,
        location_id: cdr.location_id,
        receiver_location: cdr.receiver_location,
        correlation_id: cdr.correlation_id,
        credit_reference: cdr.credit_reference,
        marker: cdr.marker,
        first_answer: cdr.first_answer.map(|answer| read_answer(&answer)).transpose()?,
    })
}

fn write_answer(answer: &FirstAnswer) -> Result<String, StoreError> {
    serde_json::to_string(answer).map_err(|cause| StoreError::corrupt_because("writing a receiver's answer", cause))
}

fn read_answer(text: &str) -> Result<FirstAnswer, StoreError> {
    serde_json::from_str(text).map_err(|cause| StoreError::corrupt_because("reading a receiver's answer", cause))
}
