//! The registry's memory: a log, and the documents its lines are about. Both are only added to; triggers say so to everybody else.
//!
//! The room `registry` composes lines and documents; here they are committed together, and only if the log is as long as the composer
//! believed: then what it checked before is still true. Registrations of the time before the log are read from `keys`.

use chrono::{DateTime, Utc};

use diesel::{AggregateExpressionMethods, Insertable, Queryable, Selectable};

use super::answers::{AnswerRecord, AnswerRow};
use super::confirmations::{ConfirmationRecord, NewConfirmation};
use super::files::{FileRecord, NewFile};
use super::outbox::{DutyRecord, NewDuty};
use super::schema::{keys, outbox, registry_checkpoints, registry_documents, registry_log, registry_signer, revisions};
use super::sealed::OF_SEED;
use super::value::{instant, later, micros};
use super::{Store, StoreError, ask, both, change};

/// One version of a document, and the line that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryDocument {
    /// Its place in the log, from 1.
    pub seq: u64,
    /// `registration`, `key`, `presentation`, …
    pub kind: String,
    /// Which one.
    pub id: String,
    /// From 1.
    pub version: u64,
    /// When the registry learned of it.
    pub recorded_at: DateTime<Utc>,
    /// The state it says the thing is in, where it has one.
    pub state: Option<String>,
    /// The document, canonical JSON.
    pub document: String,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryLine {
    /// Its place, from 1.
    pub seq: u64,
    /// The entry, canonical JSON.
    pub entry: String,
    /// SHA-256 of the entry in hex.
    pub hash: String,
}

/// What is committed together.
#[derive(Clone, Debug, Default)]
pub struct RegistryBatch {
    /// How many lines the log had when this was composed.
    pub after: u64,
    /// Each with the line of the same place.
    pub documents: Vec<RegistryDocument>,
    /// The lines that follow.
    pub lines: Vec<RegistryLine>,
    /// What is owed because of it.
    pub duties: Vec<NewDuty>,
    /// What submitters are to be told of it.
    pub confirmations: Vec<NewConfirmation>,
    /// Documents that the versions name.
    pub files: Vec<NewFile>,
    /// The answer to the request that asked for it, and since when another answer to that request would count.
    pub answer: Option<(AnswerRow, DateTime<Utc>)>,
}

/// A registration of the time before the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Client-made id (UUIDv7).
    pub id: String,
    /// SHA-256 of the SPKI in hex.
    pub fingerprint: String,
    /// The curve by its OCMF name.
    pub curve: String,
    /// The key itself: SPKI in hex.
    pub spki_hex: String,
    /// Serial number of the meter.
    pub meter_serial: String,
    /// Serial number of the gateway that signs for it, if there is one.
    pub gateway_serial: Option<String>,
    /// The EVSE the meter belongs to.
    pub evse_id: String,
    /// Its OCPI uid, where the operator gave one.
    pub evse_uid: Option<String>,
    /// The CPO as `DE/ABC`, upper case.
    pub cpo_key: String,
    /// From this instant on, inclusive.
    pub valid_from: DateTime<Utc>,
    /// Until this instant, exclusive; `None` is open.
    pub valid_to: Option<DateTime<Utc>>,
    /// Whether the EVSE is under calibration law: its CDRs must bring signed data.
    pub calibrated: bool,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was deactivated.
    pub deactivated_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Adds to the log, all or nothing. Nothing is added where the request was answered before: then that answer is returned.
    ///
    /// # Errors
    /// `Conflict` when the log has another length than `after`: read what is new, and compose again.
    pub async fn registry_append(&self, batch: RegistryBatch) -> Result<Option<AnswerRow>, StoreError> {
        let confirmed = batch.confirmations.iter().map(|one| one.duty.clone());
        let duties: Vec<DutyRecord> = confirmed.chain(batch.duties).map(DutyRecord::from).collect();
        let confirmations = batch.confirmations.into_iter().map(ConfirmationRecord::of);
        let files = batch.files.into_iter().map(FileRecord::from);
        let answer = batch
            .answer
            .map(|(answer, since)| (AnswerRecord::from(answer), micros(since)));
        let beside = Beside {
            duties,
            confirmations: confirmations.collect(),
            files: files.collect(),
            answer,
        };
        let documents = batch
            .documents
            .into_iter()
            .map(DocumentRecord::from)
            .collect::<Vec<_>>();
        let lines = batch.lines.into_iter().map(LineRecord::from).collect::<Vec<_>>();
        let after = number(batch.after);
        let before = change!(self, append(after, documents, lines, beside))?;
        before.map(AnswerRecord::read).transpose()
    }

    /// How many lines the log has. Cheap to ask.
    pub async fn registry_size(&self) -> Result<u64, StoreError> {
        Ok(place(ask!(self, size())?))
    }

    /// Up to `limit` documents behind a place of the log, in its order.
    pub async fn registry_documents(&self, after: u64, limit: u32) -> Result<Vec<RegistryDocument>, StoreError> {
        let (after, limit) = (number(after), i64::from(limit));
        ask!(self, documents(after, limit))?
            .into_iter()
            .map(DocumentRecord::read)
            .collect()
    }

    /// Every version of one document, oldest first.
    pub async fn registry_history(&self, kind: &str, id: &str) -> Result<Vec<RegistryDocument>, StoreError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        ask!(self, history(kind, id))?
            .into_iter()
            .map(DocumentRecord::read)
            .collect()
    }

    /// Up to `limit` lines behind a place of the log, in its order.
    pub async fn registry_lines(&self, after: u64, limit: u32) -> Result<Vec<RegistryLine>, StoreError> {
        let (after, limit) = (number(after), i64::from(limit));
        Ok(ask!(self, lines(after, limit))?
            .into_iter()
            .map(RegistryLine::from)
            .collect())
    }

    /// Keeps a checkpoint. One for each size: the first stays.
    pub async fn registry_checkpoint_keep(&self, size: u64, document: &str) -> Result<(), StoreError> {
        let (size, document) = (number(size), document.to_owned());
        change!(self, keep_checkpoint(size, document))
    }

    /// The checkpoints, largest first.
    pub async fn registry_checkpoints(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let limit = i64::from(limit);
        ask!(self, checkpoints(limit))
    }

    /// The secret seed checkpoints are signed with: the one that is there, or this one from now on, between processes too.
    pub async fn registry_seed(&self, fresh: &str, at: DateTime<Utc>) -> Result<String, StoreError> {
        let (fresh, at) = (self.closed(OF_SEED, fresh)?, micros(at));
        let kept = match self.seed(fresh.clone(), at).await {
            // Somebody made one in this very moment.
            Err(StoreError::Conflict(_)) => self.seed(fresh, at).await?,
            kept => kept?,
        };
        self.opened(OF_SEED, kept)
    }

    async fn seed(&self, fresh: String, at: i64) -> Result<String, StoreError> {
        change!(self, seed(fresh, at))
    }

    /// Registrations of the time before the log that are not in it, in the order they were made.
    pub async fn keys_before_the_log(&self) -> Result<Vec<KeyRow>, StoreError> {
        ask!(self, before_the_log())?.into_iter().map(KeyRecord::read).collect()
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = registry_documents, treat_none_as_default_value = false)]
struct DocumentRecord {
    seq: i64,
    kind: String,
    id: String,
    version: i64,
    recorded_at: i64,
    state: Option<String>,
    document: String,
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = registry_log)]
struct LineRecord {
    seq: i64,
    entry: String,
    hash: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = keys)]
struct KeyRecord {
    id: String,
    fingerprint: String,
    curve: String,
    spki_hex: String,
    meter_serial: String,
    gateway_serial: Option<String>,
    evse_id: String,
    evse_uid: Option<String>,
    cpo_key: String,
    valid_from: i64,
    valid_to: Option<i64>,
    calibrated: i64,
    created_at: i64,
    deactivated_at: Option<i64>,
}

/// What is committed with documents and lines.
#[derive(Clone)]
struct Beside {
    duties: Vec<DutyRecord>,
    confirmations: Vec<ConfirmationRecord>,
    files: Vec<FileRecord>,
    answer: Option<(AnswerRecord, i64)>,
}

/// There is one key; the name leaves room for its successor.
const IN_USE: &str = "in use";

both! {
    pub(super) async fn append(
        c: &mut Connection,
        after: &i64,
        documents: &[DocumentRecord],
        lines: &[LineRecord],
        beside: &Beside,
    ) -> Result<Option<AnswerRecord>, StoreError> {
        // First the counter: changes queue up behind each other, so the length read next is the length written to.
        let counter = revisions::table.filter(revisions::name.eq("keys"));
        diesel::update(counter).set(revisions::value.eq(revisions::value + 1)).execute(c).await?;
        if let Some((answer, since)) = &beside.answer
            && let Some(before) = told::keep(c, answer, since).await?
        {
            return Ok(Some(before));
        }
        if size(c).await? != *after {
            return Err(StoreError::Conflict("the log of the registry has grown".to_owned()));
        }
        for document in documents {
            diesel::insert_into(registry_documents::table).values(document).execute(c).await?;
        }
        for line in lines {
            diesel::insert_into(registry_log::table).values(line).execute(c).await?;
        }
        for duty in &beside.duties {
            diesel::insert_into(outbox::table).values(duty).execute(c).await?;
        }
        for confirmation in &beside.confirmations {
            owed::owe(c, confirmation).await?;
        }
        for file in &beside.files {
            papers::keep(c, file).await?;
        }
        Ok(None)
    }

    pub(super) async fn size(c: &mut Connection) -> Result<i64, StoreError> {
        let last = registry_log::table.select(registry_log::seq).order(registry_log::seq.desc());
        Ok(last.first::<i64>(c).await.optional()?.unwrap_or(0))
    }

    pub(super) async fn documents(c: &mut Connection, after: &i64, limit: &i64) -> Result<Vec<DocumentRecord>, StoreError> {
        let query = registry_documents::table.filter(registry_documents::seq.gt(*after));
        let query = query.order(registry_documents::seq.asc()).limit(*limit);
        Ok(query.select(DocumentRecord::as_select()).load(c).await?)
    }

    pub(super) async fn history(c: &mut Connection, kind: &str, id: &str) -> Result<Vec<DocumentRecord>, StoreError> {
        let query = registry_documents::table
            .filter(registry_documents::kind.eq(kind))
            .filter(registry_documents::id.eq(id))
            .order(registry_documents::version.asc());
        Ok(query.select(DocumentRecord::as_select()).load(c).await?)
    }

    pub(super) async fn lines(c: &mut Connection, after: &i64, limit: &i64) -> Result<Vec<LineRecord>, StoreError> {
        let query = registry_log::table.filter(registry_log::seq.gt(*after)).order(registry_log::seq.asc()).limit(*limit);
        Ok(query.select(LineRecord::as_select()).load(c).await?)
    }

    pub(super) async fn keep_checkpoint(c: &mut Connection, size: &i64, document: &str) -> Result<(), StoreError> {
        diesel::insert_into(registry_checkpoints::table)
            .values((registry_checkpoints::size.eq(*size), registry_checkpoints::document.eq(document)))
            .on_conflict_do_nothing()
            .execute(c)
            .await?;
        Ok(())
    }

    pub(super) async fn checkpoints(c: &mut Connection, limit: &i64) -> Result<Vec<String>, StoreError> {
        let query = registry_checkpoints::table.order(registry_checkpoints::size.desc()).limit(*limit);
        Ok(query.select(registry_checkpoints::document).load(c).await?)
    }

    pub(super) async fn seed(c: &mut Connection, fresh: &str, at: &i64) -> Result<String, StoreError> {
        let kept = registry_signer::table.filter(registry_signer::name.eq(IN_USE)).select(registry_signer::seed);
        if let Some(seed) = kept.first::<String>(c).await.optional()? {
            return Ok(seed);
        }
        let new = (
            registry_signer::name.eq(IN_USE),
            registry_signer::seed.eq(fresh),
            registry_signer::created_at.eq(*at),
        );
        diesel::insert_into(registry_signer::table).values(new).execute(c).await?;
        Ok(fresh.to_owned())
    }

    pub(super) async fn before_the_log(c: &mut Connection) -> Result<Vec<KeyRecord>, StoreError> {
        let entered = registry_documents::table
            .filter(registry_documents::kind.eq("registration"))
            .filter(registry_documents::version.eq(1))
            .select(registry_documents::id);
        let query = keys::table.filter(diesel::dsl::not(keys::id.eq_any(entered))).order(keys::id.asc());
        Ok(query.select(KeyRecord::as_select()).load(c).await?)
    }

    /// Registrations that count and have not ended.
    pub(in crate::store) async fn counting(c: &mut Connection) -> Result<i64, StoreError> {
        let registrations = || registry_documents::table.filter(registry_documents::kind.eq("registration"));
        let confirmed: i64 = registrations()
            .filter(registry_documents::state.eq("CONFIRMED"))
            .select(diesel::dsl::count(registry_documents::id).aggregate_distinct())
            .first(c)
            .await?;
        let ended: i64 = registrations()
            .filter(registry_documents::state.eq_any(["DEACTIVATED", "SUPERSEDED"]))
            .count()
            .get_result(c)
            .await?;
        Ok(confirmed - ended)
    }
}

/// A place of the log as the tables keep it. No log gets near the end of either.
fn number(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

fn place(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl From<RegistryDocument> for DocumentRecord {
    fn from(document: RegistryDocument) -> DocumentRecord {
        DocumentRecord {
            seq: number(document.seq),
            kind: document.kind,
            id: document.id,
            version: number(document.version),
            recorded_at: micros(document.recorded_at),
            state: document.state,
            document: document.document,
        }
    }
}

impl DocumentRecord {
    fn read(self) -> Result<RegistryDocument, StoreError> {
        Ok(RegistryDocument {
            seq: place(self.seq),
            kind: self.kind,
            id: self.id,
            version: place(self.version),
            recorded_at: instant(self.recorded_at)?,
            state: self.state,
            document: self.document,
        })
    }
}

impl From<RegistryLine> for LineRecord {
    fn from(line: RegistryLine) -> LineRecord {
        LineRecord {
            seq: number(line.seq),
            entry: line.entry,
            hash: line.hash,
        }
    }
}

impl From<LineRecord> for RegistryLine {
    fn from(line: LineRecord) -> RegistryLine {
        RegistryLine {
            seq: place(line.seq),
            entry: line.entry,
            hash: line.hash,
        }
    }
}

impl KeyRecord {
    fn read(self) -> Result<KeyRow, StoreError> {
        Ok(KeyRow {
            id: self.id,
            fingerprint: self.fingerprint,
            curve: self.curve,
            spki_hex: self.spki_hex,
            meter_serial: self.meter_serial,
            gateway_serial: self.gateway_serial,
            evse_id: self.evse_id,
            evse_uid: self.evse_uid,
            cpo_key: self.cpo_key,
            valid_from: instant(self.valid_from)?,
            valid_to: later(self.valid_to)?,
            calibrated: self.calibrated != 0,
            created_at: instant(self.created_at)?,
            deactivated_at: later(self.deactivated_at)?,
        })
    }
}
