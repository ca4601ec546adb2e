//! Who sent what when: headers and outcome, never bodies or tokens.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::schema::journal;
use super::value::{instant, micros, page, record};
use super::{Store, StoreError, ask, both, change};

/// One message that was answered, or refused, or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Client-made id (UUIDv7): the order of entries.
    pub id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// `X-Correlation-ID`.
    pub correlation_id: String,
    /// `X-Request-ID`.
    pub request_id: Option<String>,
    /// The party it came from, as `DE/ABC`.
    pub from_party: Option<String>,
    /// The party it went to, as `DE/ABC`.
    pub to_party: Option<String>,
    /// The platform at the other end of the line.
    pub platform: Option<String>,
    /// `cdrs`, `credentials`, …
    pub module: String,
    /// HTTP method, or the name of what the hub did by itself.
    pub method: String,
    /// What it was about, as `DE/ABC/C-1`.
    pub object: Option<String>,
    /// HTTP status of the answer.
    pub http_status: Option<i64>,
    /// OCPI status code of the answer.
    pub status_code: Option<i64>,
    /// What became of it, in words.
    pub outcome: String,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
}

impl Store {
    /// Adds an entry.
    pub async fn journal_add(&self, entry: JournalEntry) -> Result<(), StoreError> {
        let record = JournalRecord::from(entry);
        change!(self, add(record))
    }

    /// Adds several entries in one commit.
    pub async fn journal_add_all(&self, entries: Vec<JournalEntry>) -> Result<(), StoreError> {
        let records: Vec<JournalRecord> = entries.into_iter().map(JournalRecord::from).collect();
        change!(self, add_all(records))
    }

    /// Entries that match all that is given, newest first, after `cursor`, and where to go on. `party` matches sender or receiver.
    pub async fn journal_find(
        &self,
        correlation_id: Option<&str>,
        party: Option<&str>,
        object: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<JournalEntry>, Option<String>), StoreError> {
        let asked = Asked {
            correlation_id: correlation_id.map(str::to_owned),
            party: party.map(str::to_owned),
            object: object.map(str::to_owned),
            before: cursor.map(str::to_owned),
            rows: i64::from(limit) + 1,
        };
        let (records, next) = page(ask!(self, find(asked))?, limit, |record| &record.id);
        Ok((
            records.into_iter().map(JournalRecord::read).collect::<Result<_, _>>()?,
            next,
        ))
    }
}

record! {
    /// An entry as the table has it.
    JournalRecord, many JournalRecords, in journal {
        id: String => Text,
        at: i64 => BigInt,
        correlation_id: String => Text,
        request_id: Option<String> => Nullable<Text>,
        from_party: Option<String> => Nullable<Text>,
        to_party: Option<String> => Nullable<Text>,
        platform: Option<String> => Nullable<Text>,
        module: String => Text,
        method: String => Text,
        object: Option<String> => Nullable<Text>,
        http_status: Option<i64> => Nullable<BigInt>,
        status_code: Option<i64> => Nullable<BigInt>,
        outcome: String => Text,
        duration_ms: Option<i64> => Nullable<BigInt>,
    }
}

struct Asked {
    correlation_id: Option<String>,
    party: Option<String>,
    object: Option<String>,
    before: Option<String>,
    rows: i64,
}

both! {
    pub(super) async fn add(c: &mut Connection, record: &JournalRecord) -> Result<(), StoreError> {
        diesel::insert_into(journal::table).values(record).execute(c).await?;
        Ok(())
    }

    pub(super) async fn add_all(c: &mut Connection, records: &Vec<JournalRecord>) -> Result<(), StoreError> {
        diesel::insert_into(journal::table).values(records).execute(c).await?;
        Ok(())
    }

    /// A party is looked for twice, as sender and as receiver: each way has its index, an OR over both would have none.
    pub(super) async fn find(c: &mut Connection, asked: &Asked) -> Result<Vec<JournalRecord>, StoreError> {
        let Some(party) = &asked.party else {
            return Ok(matching!(asked).load(c).await?);
        };
        let mut found: Vec<JournalRecord> = matching!(asked).filter(journal::from_party.eq(party)).load(c).await?;
        let received: Vec<JournalRecord> = matching!(asked).filter(journal::to_party.eq(party)).load(c).await?;
        found.extend(received);
        found.sort_by(|one, other| other.id.cmp(&one.id));
        found.dedup_by(|one, other| one.id == other.id);
        found.truncate(usize::try_from(asked.rows).unwrap_or(usize::MAX));
        Ok(found)
    }
}

/// The query without the party. A macro because the type of a boxed query names its database.
macro_rules! matching {
    ($asked:expr) => {{
        let mut query = journal::table
            .select(JournalRecord::as_select())
            .order(journal::id.desc())
            .limit($asked.rows)
            .into_boxed();
        if let Some(correlation_id) = &$asked.correlation_id {
            query = query.filter(journal::correlation_id.eq(correlation_id));
        }
        if let Some(object) = &$asked.object {
            query = query.filter(journal::object.eq(object));
        }
        if let Some(before) = &$asked.before {
            query = query.filter(journal::id.lt(before));
        }
        query
    }};
}
use matching;

impl From<JournalEntry> for JournalRecord {
    fn from(entry: JournalEntry) -> JournalRecord {
        JournalRecord {
            id: entry.id,
            at: micros(entry.at),
            correlation_id: entry.correlation_id,
            request_id: entry.request_id,
            from_party: entry.from_party,
            to_party: entry.to_party,
            platform: entry.platform,
            module: entry.module,
            method: entry.method,
            object: entry.object,
            http_status: entry.http_status,
            status_code: entry.status_code,
            // PostgreSQL takes no NUL: a peer's text that reached this far must not cost the line.
            outcome: entry.outcome.replace(char::is_control, ""),
            duration_ms: entry.duration_ms,
        }
    }
}

impl JournalRecord {
    fn read(self) -> Result<JournalEntry, StoreError> {
        Ok(JournalEntry {
            id: self.id,
            at: instant(self.at)?,
            correlation_id: self.correlation_id,
            request_id: self.request_id,
            from_party: self.from_party,
            to_party: self.to_party,
            platform: self.platform,
            module: self.module,
            method: self.method,
            object: self.object,
            http_status: self.http_status,
            status_code: self.status_code,
            outcome: self.outcome,
            duration_ms: self.duration_ms,
        })
    }
}
