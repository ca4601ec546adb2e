//! Who sent what when: headers and outcome, never bodies or tokens.

use chrono::{DateTime, TimeDelta, Utc};

use diesel::{Insertable, Queryable, Selectable};

use uuid::Uuid;

use super::schema::journal;
use super::value::{instant, micros, page, record};
use super::{Store, StoreError, ask, both, change};

/// One message that was answered, or refused, or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Client-made id (UUIDv7). It is kept with the time of [`JournalEntry::at`] in it: the order of entries.
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

/// Which entries are looked for; all of what is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalFilter {
    /// What ties hops together.
    pub correlation_id: Option<String>,
    /// Sender or receiver, as `DE/ABC`.
    pub party: Option<String>,
    /// What it was about, as `DE/ABC/C-1`.
    pub object: Option<String>,
    /// This instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub to: Option<DateTime<Utc>>,
}

/// Entries of programs before this one have ids of the moment in which they were made, a little off the instant they tell of.
const SLACK: TimeDelta = TimeDelta::minutes(1);

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

    /// Entries that match all that is given, newest first, after `cursor`, and where to go on.
    pub async fn journal_find(
        &self,
        filter: JournalFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<JournalEntry>, Option<String>), StoreError> {
        let asked = Asked {
            first: filter.from.map(|from| earliest(from - SLACK)),
            past: filter.to.map(|to| earliest(to + SLACK)),
            from: filter.from.map(micros),
            to: filter.to.map(micros),
            correlation_id: filter.correlation_id,
            party: filter.party,
            object: filter.object,
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
    /// The time bounds as a range of ids, which every index goes on with, and exactly.
    first: Option<String>,
    past: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
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
        if let (Some(first), Some(from)) = (&$asked.first, $asked.from) {
            query = query.filter(journal::id.ge(first)).filter(journal::at.ge(from));
        }
        if let (Some(past), Some(to)) = (&$asked.past, $asked.to) {
            query = query.filter(journal::id.lt(past)).filter(journal::at.lt(to));
        }
        query
    }};
}
use matching;

/// The id of an entry with its own time before the rest of it. What is told of one millisecond stays in the order in which it was made: the
/// rest begins with when that was, in milliseconds of the last seven weeks, and goes on with the counter of [`Uuid::now_v7`].
fn id_of(entry: &JournalEntry) -> String {
    let made = Uuid::try_parse(&entry.id).unwrap_or_else(|_| Uuid::now_v7()).as_u128();
    let made_at = (made >> 80) & 0xFFFF_FFFF;
    let counter = (made >> 64 & 0xFFF) << 30 | (made & LAST) >> 32;
    text_of(millis(entry.at), made_at << 42 | counter)
}

/// No id of that instant or later is smaller.
fn earliest(instant: DateTime<Utc>) -> String {
    text_of(millis(instant), 0)
}

/// A UUIDv7 of a time and 74 bits.
fn text_of(millis: u128, rest: u128) -> String {
    let (version, variant) = (7 << 76, 2 << 62);
    let id = millis << 80 | version | (rest >> 62) << 64 | variant | (rest & LAST);
    Uuid::from_u128(id).to_string()
}

/// The last 62 bits, behind the variant.
const LAST: u128 = (1 << 62) - 1;

fn millis(instant: DateTime<Utc>) -> u128 {
    u128::try_from(instant.timestamp_millis()).unwrap_or(0) & 0xFFFF_FFFF_FFFF
}

impl From<JournalEntry> for JournalRecord {
    fn from(entry: JournalEntry) -> JournalRecord {
        JournalRecord {
            id: id_of(&entry),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_time_of_its_entry_and_keeps_the_order_in_which_entries_were_made() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::microseconds(1_999);
        let entry = || JournalEntry {
            id: Uuid::now_v7().to_string(),
            at,
            correlation_id: String::new(),
            request_id: None,
            from_party: None,
            to_party: None,
            platform: None,
            module: String::new(),
            method: String::new(),
            object: None,
            http_status: None,
            status_code: None,
            outcome: String::new(),
            duration_ms: None,
        };
        let ids: Vec<String> = (0..5_000).map(|_| id_of(&entry())).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        let (first, past) = (earliest(at), earliest(at + TimeDelta::milliseconds(1)));
        assert!(ids.iter().all(|id| first <= *id && *id < past), "{first} {past}");
        let read: Vec<Uuid> = ids.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect();
        assert!(read.len() == ids.len() && read.iter().all(|id| id.get_version_num() == 7));
        assert_eq!(ids[0].replace('-', "")[..12], format!("{:012x}", at.timestamp_millis()));
    }
}
