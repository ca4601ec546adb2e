//! Objects the hub keeps for those who ask it instead of their owner.
//!
//! A write is made on the revision that was read, or as the first of its kind, and goes into one commit with the copies that follow
//! from it. Pages are ranges of the order in which objects came to be known: a replaced object stays where it is, a removed one leaves
//! a gap. Where a range ends is decided when the page before it is made, by number and by weight.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable, TextExpressionMethods};

use super::copies::{CopyRecord, NewCopy};
use super::missed::{MissedRecord, NewMissed};
use super::schema::mirror;
use super::value::{count, instant, later, micros};
use super::{Store, StoreError, ask, both, change};

/// An object as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct MirrorRow {
    /// Client-made id (UUIDv7): its place in every list, for good.
    pub id: String,
    /// `locations`, `tariffs`, …
    pub module: String,
    /// The owner's country code as spelled in the object.
    pub country_code: String,
    /// The owner's party id as spelled in the object.
    pub party_id: String,
    /// The owner as `DE/ABC`, upper case.
    pub owner_key: String,
    /// The object's id as spelled.
    pub object_id: String,
    /// What it is found by, together with its owner: the id folded, and for a token its type.
    pub object_key: String,
    /// Whose list it is in, upper case: the owner's, or for what is meant for one party that party's.
    pub shelf: String,
    /// The OCPI version its octets are in.
    pub version: String,
    /// `last_updated` as the object says.
    pub last_updated: DateTime<Utc>,
    /// 1 for the first state, one more with every other.
    pub revision: i64,
    /// Since when it is no more; what is gone is in no list and can come back.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Whether its owner has shown it in a list that the hub fetched.
    pub listed: bool,
    /// The octets.
    pub body: String,
}

/// A new state of an object, and what follows from it.
#[derive(Clone)]
pub struct MirrorWrite {
    /// The object as it shall be; its `revision` is the one after [`MirrorWrite::replaces`].
    pub row: MirrorRow,
    /// The revision that was read; `None` where there was no row.
    pub replaces: Option<i64>,
    /// The broadcast that is owed from this commit on.
    pub copy: Option<NewCopy>,
    /// The platforms that are away and to be told when they are back, whatever the object is then.
    pub missed: Vec<NewMissed>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is kept, with its copy.
    Kept {
        /// Whether an earlier broadcast of the same object, leased by another process, has not ended yet.
        behind: bool,
    },
    /// Somebody else wrote in between; nothing was kept.
    Overtaken,
}

/// Which objects a list is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorFilter {
    /// The module.
    pub module: String,
    /// Whose lists: see [`MirrorRow::shelf`].
    pub shelves: Vec<String>,
    /// Where not everything on these shelves may be seen: whose objects on which shelf, as [`MirrorFilter::on`] writes them.
    pub only: Option<Vec<String>>,
    /// `last_updated` at or after this, to the microsecond (P-02).
    pub date_from: Option<DateTime<Utc>>,
    /// `last_updated` before this, to the microsecond.
    pub date_to: Option<DateTime<Utc>>,
}

impl MirrorFilter {
    /// An owner's objects on a shelf, both as `DE/ABC` in upper case.
    #[must_use]
    pub fn on(shelf: &str, owner_key: &str) -> String {
        format!("{shelf} {owner_key}")
    }
}

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorPlace {
    /// Past this many objects. Costs more the deeper it goes.
    Offset(u64),
    /// What stands after one id, up to and including another. Costs the same at any depth.
    Range {
        /// An id, exclusive.
        after: String,
        /// An id, inclusive.
        until: String,
    },
}

/// One object on a page.
#[derive(Clone, PartialEq, Eq)]
pub struct MirrorItem {
    /// Its place.
    pub id: String,
    /// The octets.
    pub body: String,
    /// The OCPI version they are in.
    pub version: String,
}

/// A page.
#[derive(Clone, PartialEq, Eq)]
pub struct MirrorPage {
    /// The objects, in the order in which they came to be known.
    pub items: Vec<MirrorItem>,
    /// Where the next page is; `None` at the end.
    pub next: Option<MirrorPlace>,
    /// Whether it is shorter than its place because more would weigh too much.
    pub is_cut: bool,
}

/// How much is on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize {
    /// Objects at most.
    pub objects: u32,
    /// Octets at most, of all objects together; a single object may have more.
    pub octets: u64,
}

impl Store {
    /// Writes a new state on condition that nobody else did since it was read.
    pub async fn mirror_write(&self, write: MirrorWrite) -> Result<Written, StoreError> {
        let write = Write::from(write);
        change!(self, write(write))
    }

    /// Many at once, in one commit: each on its own condition, in the order given.
    pub async fn mirror_write_all(&self, writes: Vec<MirrorWrite>) -> Result<Vec<Written>, StoreError> {
        let writes: Vec<Write> = writes.into_iter().map(Write::from).collect();
        change!(self, write_all(writes))
    }

    /// One object, also one that is gone: its revision is what the next write names.
    pub async fn mirror_get(
        &self,
        module: &str,
        owner_key: &str,
        object_key: &str,
    ) -> Result<Option<MirrorRow>, StoreError> {
        let (module, owner_key) = (module.to_owned(), owner_key.to_owned());
        let keys = vec![object_key.to_owned()];
        let found = ask!(self, of_owner(module, owner_key, keys))?;
        found.into_iter().next().map(MirrorRecord::read).transpose()
    }

    /// One object by its place, also one that is gone.
    pub async fn mirror_at(&self, id: &str) -> Result<Option<MirrorRow>, StoreError> {
        let id = id.to_owned();
        ask!(self, at_place(id))?.map(MirrorRecord::read).transpose()
    }

    /// Several objects of one owner, in no order.
    pub async fn mirror_get_all(
        &self,
        module: &str,
        owner_key: &str,
        object_keys: Vec<String>,
    ) -> Result<Vec<MirrorRow>, StoreError> {
        let (module, owner_key) = (module.to_owned(), owner_key.to_owned());
        let found = ask!(self, of_owner(module, owner_key, object_keys))?;
        found.into_iter().map(MirrorRecord::read).collect()
    }

    /// The objects of that name that are there, whoever owns them, in the order of their owners; not more than `limit`.
    pub async fn mirror_find(&self, module: &str, object_key: &str, limit: u32) -> Result<Vec<MirrorRow>, StoreError> {
        let (module, object_key, rows) = (module.to_owned(), object_key.to_owned(), i64::from(limit));
        let found = ask!(self, of_anybody(module, object_key, rows))?;
        found.into_iter().map(MirrorRecord::read).collect()
    }

    /// The keys of everything an owner has shown in lists of a module and that is there, after the key `after`, in order.
    pub async fn mirror_listed(
        &self,
        module: &str,
        owner_key: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let (module, owner_key) = (module.to_owned(), owner_key.to_owned());
        let (after, rows) = (after.to_owned(), i64::from(limit));
        ask!(self, listed_keys(module, owner_key, after, rows))
    }

    /// Locations of these owners, or of all, that may claim conformity, in the order in which they came to be known, after the id `after`.
    pub async fn locations_claiming(
        &self,
        owner_keys: Option<&[String]>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<MirrorRow>, StoreError> {
        let (owner_keys, after, rows) = (owner_keys.map(<[String]>::to_vec), after.to_owned(), i64::from(limit));
        let found = ask!(self, claiming(owner_keys, after, rows))?;
        found.into_iter().map(MirrorRecord::read).collect()
    }

    /// A page of at most that size, with one object at least where one is left. `about` is how many match in all, as counted at the begin of the crawl: it decides which way
    /// they are looked for, never which are found.
    pub async fn mirror_page(
        &self,
        filter: MirrorFilter,
        place: MirrorPlace,
        size: PageSize,
        about: u64,
    ) -> Result<MirrorPage, StoreError> {
        let page = size.objects as usize;
        let rows = i64::from(size.objects).saturating_mul(2).saturating_add(1);
        let (after, until, offset) = match place {
            MirrorPlace::Offset(offset) => (String::new(), None, i64::try_from(offset).unwrap_or(i64::MAX)),
            MirrorPlace::Range { after, until } => (after, Some(until), 0),
        };
        let way = Way::choose(&filter, offset, about);
        let ids = match way {
            _ if filter.shelves.is_empty() => Vec::new(),
            Way::Stretches => {
                let mut ids = Vec::new();
                for shelf in &filter.shelves {
                    let (one, after) = (
                        MirrorFilter {
                            shelves: vec![shelf.clone()],
                            ..filter.clone()
                        },
                        after.clone(),
                    );
                    ids.extend(ask!(self, ids(one, after, offset, rows, way))?);
                }
                ids.sort_unstable();
                ids.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
                ids
            }
            _ => ask!(self, ids(filter, after, offset, rows, way))?,
        };
        let mut cut = cut(ids, until, page);
        let weighed = [cut.shown.as_slice(), cut.following.as_slice()].concat();
        if weighed.is_empty() {
            return Ok(MirrorPage {
                items: Vec::new(),
                next: cut.next(),
                is_cut: false,
            });
        }
        // Weighed before they are read: a page of large objects is not held in memory to be thrown away.
        let weights: HashMap<String, i64> = ask!(self, weights(weighed))?.into_iter().collect();
        let is_cut = cut.weigh(size.octets, |id| {
            weights.get(id).map_or(0, |octets| octets.unsigned_abs())
        });
        let (next, shown) = (cut.next(), cut.shown);
        let items = ask!(self, items(shown))?;
        let item = |(id, body, version)| MirrorItem { id, body, version };
        Ok(MirrorPage {
            items: items.into_iter().map(item).collect(),
            next,
            is_cut,
        })
    }

    /// How many objects all pages together hold.
    pub async fn mirror_count(&self, filter: MirrorFilter) -> Result<u64, StoreError> {
        if filter.shelves.is_empty() {
            return Ok(0);
        }
        Ok(count(ask!(self, total(filter))?))
    }
}

/// A page, and what stands behind it.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    shown: Vec<String>,
    /// What the next page is of, as far as it is already known where it ends.
    following: Vec<String>,
    /// The next page is behind this one, and ends with `end`.
    after: Option<String>,
    end: Option<String>,
}

/// Which ids are on the page that ends with `until` (the first of the list where there is none), and where the next one is. `ids` goes
/// far enough beyond it to know the end of the next.
fn cut(mut ids: Vec<String>, until: Option<String>, page: usize) -> Cut {
    let within = match &until {
        Some(until) => ids.partition_point(|id| id <= until),
        None => ids.len().min(page),
    };
    if within > page {
        // More stand there than when the range was made: something came back, or was changed into the dates asked for.
        ids.truncate(within);
        let following = ids.split_off(page);
        return Cut {
            after: ids.last().cloned(),
            shown: ids,
            following,
            end: until,
        };
    }
    let mut following = ids.split_off(within);
    following.truncate(page);
    Cut {
        after: until.or_else(|| ids.last().cloned()),
        shown: ids,
        end: following.last().cloned(),
        following,
    }
}

impl Cut {
    /// Ends this page, or the next one, before it weighs too much. Whether this one had to end earlier than its place says: its objects have
    /// grown, or nobody had weighed them.
    fn weigh(&mut self, octets: u64, weight: impl Fn(&str) -> u64) -> bool {
        let fits = |ids: &[String]| {
            let mut sum = 0_u64;
            let fit = ids.iter().take_while(|id| {
                sum = sum.saturating_add(weight(id));
                sum <= octets
            });
            fit.count().max(1)
        };
        let shown = fits(&self.shown);
        let is_cut = shown < self.shown.len();
        if is_cut {
            self.following = self.shown.split_off(shown);
            self.after = self.shown.last().cloned();
            self.end = self.following.last().cloned();
        }
        let next = fits(&self.following);
        if next < self.following.len() {
            self.end = self.following.get(next - 1).cloned();
        }
        is_cut
    }

    fn next(&self) -> Option<MirrorPlace> {
        let (after, until) = self.after.clone().zip(self.end.clone())?;
        Some(MirrorPlace::Range { after, until })
    }
}

/// How ids are looked for. The planners choose by estimates, and for lists of a few among many they choose badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Few match by date: find them all in the index of dates, sort them.
    Dates,
    /// One shelf after the other, each in order, merged here.
    Stretches,
    /// Everything in order, passing over what others own.
    Walk,
}

/// So many matching objects are sorted faster than a page of them is found by walking past the others.
const FEW: u64 = 10_000;
/// Beyond so many lists it is cheaper to walk through all objects than to begin in each list.
const FEW_SHELVES: usize = 8;

impl Way {
    fn choose(filter: &MirrorFilter, offset: i64, about: u64) -> Way {
        if filter.date_from.is_some() && about <= FEW {
            Way::Dates
        } else if filter.shelves.len() == 1 || (filter.shelves.len() <= FEW_SHELVES && offset == 0) {
            Way::Stretches
        } else {
            Way::Walk
        }
    }
}

/// The query of all lists. A macro because the type of a boxed query names its database.
macro_rules! listed {
    ($filter:expr) => {{
        let mut query = mirror::table
            .filter(mirror::deleted_at.is_null())
            .filter(mirror::module.eq(&$filter.module))
            .into_boxed();
        if let Some(only) = &$filter.only {
            query = query.filter(mirror::shelf.concat(" ").concat(mirror::owner_key).eq_any(only));
        }
        if let Some(from) = $filter.date_from.map(micros) {
            query = query.filter(mirror::last_updated.ge(from));
        }
        if let Some(to) = $filter.date_to.map(micros) {
            query = query.filter(mirror::last_updated.lt(to));
        }
        query
    }};
}

/// The same of some shelves, in an index that begins with them.
macro_rules! of_shelves {
    ($filter:expr) => {
        match &$filter.shelves[..] {
            [shelf] => listed!($filter).filter(mirror::shelf.eq(shelf)),
            shelves => listed!($filter).filter(mirror::shelf.eq_any(shelves)),
        }
    };
}

type Item = (String, String, String);

both! {
    pub(super) async fn write(c: &mut Connection, write: &Write) -> Result<Written, StoreError> {
        let record = &write.record;
        let written = match write.replaces {
            None => diesel::insert_into(mirror::table).values(record).on_conflict_do_nothing().execute(c).await?,
            Some(revision) => {
                let read = mirror::table.filter(mirror::id.eq(&record.id)).filter(mirror::revision.eq(revision));
                let state = (
                    mirror::country_code.eq(&record.country_code),
                    mirror::party_id.eq(&record.party_id),
                    mirror::object_id.eq(&record.object_id),
                    mirror::shelf.eq(&record.shelf),
                    mirror::version.eq(&record.version),
                    mirror::last_updated.eq(record.last_updated),
                    mirror::revision.eq(record.revision),
                    mirror::deleted_at.eq(record.deleted_at),
                    mirror::listed.eq(record.listed),
                    mirror::body.eq(&record.body),
                    mirror::claims_conformity.eq(record.claims_conformity),
                );
                diesel::update(read).set(state).execute(c).await?
            }
        };
        if written == 0 {
            return Ok(Written::Overtaken);
        }
        absences::owe(c, &record.id, record.revision, &write.missed).await?;
        let Some(copy) = &write.copy else {
            return Ok(Written::Kept { behind: false });
        };
        let behind = following::enter(c, copy).await?;
        Ok(Written::Kept { behind })
    }

    pub(super) async fn write_all(c: &mut Connection, writes: &Vec<Write>) -> Result<Vec<Written>, StoreError> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for one in writes {
            outcomes.push(write(c, one).await?);
        }
        Ok(outcomes)
    }

    pub(super) async fn at_place(c: &mut Connection, id: &str) -> Result<Option<MirrorRecord>, StoreError> {
        Ok(mirror::table.filter(mirror::id.eq(id)).select(MirrorRecord::as_select()).first(c).await.optional()?)
    }

    pub(super) async fn of_owner(
        c: &mut Connection,
        module: &str,
        owner_key: &str,
        object_keys: &Vec<String>,
    ) -> Result<Vec<MirrorRecord>, StoreError> {
        let query = mirror::table
            .filter(mirror::module.eq(module))
            .filter(mirror::owner_key.eq(owner_key))
            .filter(mirror::object_key.eq_any(object_keys));
        Ok(query.select(MirrorRecord::as_select()).load(c).await?)
    }

    pub(super) async fn of_anybody(
        c: &mut Connection,
        module: &str,
        object_key: &str,
        rows: &i64,
    ) -> Result<Vec<MirrorRecord>, StoreError> {
        let query = mirror::table
            .filter(mirror::deleted_at.is_null())
            .filter(mirror::module.eq(module))
            .filter(mirror::object_key.eq(object_key))
            .order(mirror::owner_key.asc())
            .limit(*rows);
        Ok(query.select(MirrorRecord::as_select()).load(c).await?)
    }

    pub(super) async fn claiming(
        c: &mut Connection,
        owner_keys: &Option<Vec<String>>,
        after: &str,
        rows: &i64,
    ) -> Result<Vec<MirrorRecord>, StoreError> {
        // A constant and no parameter: the index knows only those that claim.
        let claiming = diesel::dsl::sql::<diesel::sql_types::Bool>("mirror.claims_conformity = 1");
        let mut query = mirror::table
            .filter(claiming)
            .filter(mirror::deleted_at.is_null())
            .filter(mirror::id.gt(after))
            .into_boxed();
        if let Some(owner_keys) = owner_keys {
            query = query.filter(mirror::owner_key.eq_any(owner_keys));
        }
        Ok(query.order(mirror::id.asc()).limit(*rows).select(MirrorRecord::as_select()).load(c).await?)
    }

    pub(super) async fn listed_keys(
        c: &mut Connection,
        module: &str,
        owner_key: &str,
        after: &str,
        rows: &i64,
    ) -> Result<Vec<String>, StoreError> {
        let query = mirror::table
            .filter(mirror::deleted_at.is_null())
            .filter(mirror::module.eq(module))
            .filter(mirror::owner_key.eq(owner_key))
            .filter(mirror::listed.eq(1))
            .filter(mirror::object_key.gt(after))
            .order(mirror::object_key.asc())
            .limit(*rows);
        Ok(query.select(mirror::object_key).load(c).await?)
    }

    pub(super) async fn ids(
        c: &mut Connection,
        filter: &MirrorFilter,
        after: &str,
        offset: &i64,
        rows: &i64,
        way: &Way,
    ) -> Result<Vec<String>, StoreError> {
        // An expression in the place of a column keeps both planners from an index that begins with that column.
        let by_id = diesel::dsl::sql::<diesel::sql_types::Text>("mirror.id || ''");
        let query = match way {
            Way::Dates => of_shelves!(filter).filter(mirror::id.concat("").gt(after)).order(by_id),
            Way::Stretches => of_shelves!(filter).filter(mirror::id.gt(after)).order(mirror::id.asc()),
            Way::Walk => listed!(filter)
                .filter(mirror::shelf.concat("").eq_any(&filter.shelves))
                .filter(mirror::id.gt(after))
                .order(mirror::id.asc()),
        };
        Ok(query.select(mirror::id).offset(*offset).limit(*rows).load(c).await?)
    }

    pub(super) async fn weights(c: &mut Connection, ids: &Vec<String>) -> Result<Vec<(String, i64)>, StoreError> {
        // Both databases know it without reading the text itself.
        let octets = diesel::dsl::sql::<BigInt>("CAST(octet_length(mirror.body) AS BIGINT)");
        let query = mirror::table.filter(mirror::id.eq_any(ids)).filter(mirror::deleted_at.is_null());
        Ok(query.select((mirror::id, octets)).load(c).await?)
    }

    pub(super) async fn items(c: &mut Connection, ids: &Vec<String>) -> Result<Vec<Item>, StoreError> {
        // By id alone: a row removed since its id was found is not shown.
        let query = mirror::table
            .filter(mirror::id.eq_any(ids))
            .filter(mirror::deleted_at.is_null())
            .order(mirror::id.asc());
        Ok(query.select((mirror::id, mirror::body, mirror::version)).load(c).await?)
    }

    pub(super) async fn total(c: &mut Connection, filter: &MirrorFilter) -> Result<i64, StoreError> {
        Ok(of_shelves!(filter).count().get_result(c).await?)
    }
}

/// A write in the words of the tables.
pub(in crate::store) struct Write {
    record: MirrorRecord,
    replaces: Option<i64>,
    copy: Option<CopyRecord>,
    missed: Vec<MissedRecord>,
}

impl From<MirrorWrite> for Write {
    fn from(write: MirrorWrite) -> Write {
        let record = MirrorRecord::from(write.row);
        Write {
            copy: write.copy.map(|copy| {
                CopyRecord::of(
                    copy,
                    &record.module,
                    &record.owner_key,
                    &record.object_key,
                    record.revision,
                )
            }),
            missed: write.missed.into_iter().map(MissedRecord::from).collect(),
            replaces: write.replaces,
            record,
        }
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = mirror, treat_none_as_default_value = false)]
pub(in crate::store) struct MirrorRecord {
    id: String,
    module: String,
    country_code: String,
    party_id: String,
    owner_key: String,
    object_id: String,
    object_key: String,
    shelf: String,
    version: String,
    last_updated: i64,
    revision: i64,
    deleted_at: Option<i64>,
    listed: i64,
    body: String,
    claims_conformity: i64,
}

impl From<MirrorRow> for MirrorRecord {
    fn from(row: MirrorRow) -> MirrorRecord {
        let claims_conformity = row.may_claim_conformity().into();
        MirrorRecord {
            claims_conformity,
            id: row.id,
            module: row.module,
            country_code: row.country_code,
            party_id: row.party_id,
            owner_key: row.owner_key,
            object_id: row.object_id,
            object_key: row.object_key,
            shelf: row.shelf,
            version: row.version,
            last_updated: micros(row.last_updated),
            revision: row.revision,
            deleted_at: row.deleted_at.map(micros),
            listed: row.listed.into(),
            body: row.body,
        }
    }
}

impl MirrorRecord {
    fn read(self) -> Result<MirrorRow, StoreError> {
        Ok(MirrorRow {
            id: self.id,
            module: self.module,
            country_code: self.country_code,
            party_id: self.party_id,
            owner_key: self.owner_key,
            object_id: self.object_id,
            object_key: self.object_key,
            shelf: self.shelf,
            version: self.version,
            last_updated: instant(self.last_updated)?,
            revision: self.revision,
            deleted_at: later(self.deleted_at)?,
            listed: self.listed != 0,
            body: self.body,
        })
    }
}

impl MirrorRow {
    /// Whether its octets have the member by which an EVSE claims to be calibrated. What exactly they claim is read by whoever asks.
    fn may_claim_conformity(&self) -> bool {
        self.module == "locations" && self.body.contains("\"metering_conformity\"")
    }
}

// By hand: bodies hold driver data.
impl std::fmt::Debug for MirrorRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "MirrorRow({} of {}, revision {})",
            self.module, self.owner_key, self.revision
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    fn range(after: &str, until: &str) -> Option<MirrorPlace> {
        Some(MirrorPlace::Range {
            after: after.to_owned(),
            until: until.to_owned(),
        })
    }

    fn page(all: &str, until: Option<&str>) -> (String, Option<MirrorPlace>) {
        let cut = cut(ids(all), until.map(str::to_owned), 3);
        (cut.shown.concat(), cut.next())
    }

    // P-03, P-05
    #[test]
    fn a_page_ends_where_the_one_before_said_and_says_where_the_next_ends() {
        assert_eq!(page("abcdefg", None), ("abc".into(), range("c", "f")));
        assert_eq!(page("defgh", Some("f")), ("def".into(), range("f", "h")));
        assert_eq!(page("gh", Some("h")), ("gh".into(), None));
        assert_eq!(page("abc", None), ("abc".into(), None));
        assert_eq!(page("", None), (String::new(), None));
    }

    // P-04
    #[test]
    fn what_is_gone_leaves_a_gap_and_what_came_in_between_does_not_push_anything_out() {
        assert_eq!(page("dghi", Some("f")), ("d".into(), range("f", "i")));
        assert_eq!(page("ghi", Some("f")), (String::new(), range("f", "i")));
        assert_eq!(page("abcdefg", Some("e")), ("abc".into(), range("c", "e")));
    }

    // P-03, P-05, P-07
    #[test]
    fn a_page_ends_before_it_weighs_too_much_and_the_next_begins_right_behind() {
        let weighed = |all: &str, until: Option<&str>, heavy: &str| {
            let mut cut = cut(ids(all), until.map(str::to_owned), 3);
            let is_cut = cut.weigh(10, |id| if heavy.contains(id) { 11 } else { 4 });
            (cut.shown.concat(), cut.next(), is_cut)
        };
        // Two fit, one that is too heavy alone stands alone.
        assert_eq!(weighed("abcdefg", None, ""), ("ab".into(), range("b", "c"), true));
        assert_eq!(weighed("cdefg", Some("c"), ""), ("c".into(), range("c", "e"), false));
        assert_eq!(weighed("abcdefg", None, "a"), ("a".into(), range("a", "c"), true));
        assert_eq!(weighed("abcdefg", None, "abcd"), ("a".into(), range("a", "b"), true));
        assert_eq!(
            weighed("bcdefg", Some("b"), "bcd"),
            ("b".into(), range("b", "c"), false)
        );
        // A range whose objects have grown: the rest of it is the next page.
        assert_eq!(weighed("defgh", Some("f"), "e"), ("d".into(), range("d", "e"), true));
        assert_eq!(weighed("h", Some("h"), "h"), ("h".into(), None, false));
        assert_eq!(weighed("", Some("h"), ""), (String::new(), None, false));
    }
}
