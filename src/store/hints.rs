//! What traffic has taught about who has what: which CPO has a session, who pays for it, who steers it.
//!
//! A hint is a guess with an end, never a fact to bill by. Its key is (kind, id, owner, scope): several owners of one id are several hints,
//! because whoever asks must see that the answer is not unique. What a kind means is not known here (see `exchange::hints`).

use chrono::{DateTime, Utc};

use diesel::query_dsl::methods;
use diesel::upsert::excluded;
use diesel::{Insertable, Queryable, Selectable};

use super::schema::hints;
use super::value::{instant, micros};
use super::{Store, StoreError, ask, both, change};

/// One hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintRow {
    /// What it is about: `session`, `profile`, `reservation`, `location`.
    pub kind: String,
    /// The folded id.
    pub id_key: String,
    /// The owner as `DE/ABC`, upper case.
    pub owner_key: String,
    /// The owner's country code as spelled.
    pub owner_country_code: String,
    /// The owner's party id as spelled.
    pub owner_party_id: String,
    /// The party on the other side as `NL/EMS`, upper case; empty where there is none, like the two that follow.
    pub scope_key: String,
    /// Its country code as spelled.
    pub scope_country_code: String,
    /// Its party id as spelled.
    pub scope_party_id: String,
    /// When it was learned, or learned again.
    pub seen_at: DateTime<Utc>,
    /// When it counts no more.
    pub expires_at: DateTime<Utc>,
}

/// One change of the hints. All of them may be made twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HintChange {
    /// This is the latest news. An older one that comes late (`seen_at`) changes nothing.
    Put(HintRow),
    /// Worth knowing where nothing is known: a hint that is there and has not expired stays as it is.
    Add(HintRow),
    /// All hints of an owner's object end at this instant, if not before.
    End {
        /// As in [`HintRow`].
        kind: String,
        /// As in [`HintRow`].
        id_key: String,
        /// As in [`HintRow`].
        owner_key: String,
        /// The new end.
        expires_at: DateTime<Utc>,
    },
    /// All hints of an owner's object are gone.
    Drop {
        /// As in [`HintRow`].
        kind: String,
        /// As in [`HintRow`].
        id_key: String,
        /// As in [`HintRow`].
        owner_key: String,
    },
}

impl HintChange {
    /// Kind, id and owner: changes with different ones can be made in any order.
    #[must_use]
    pub fn subject(&self) -> (&str, &str, &str) {
        match self {
            HintChange::Put(row) | HintChange::Add(row) => (&row.kind, &row.id_key, &row.owner_key),
            HintChange::End {
                kind,
                id_key,
                owner_key,
                ..
            }
            | HintChange::Drop {
                kind,
                id_key,
                owner_key,
            } => (kind, id_key, owner_key),
        }
    }
}

impl Store {
    /// Keeps one hint; the same key is replaced, unless what is there is newer.
    pub async fn hint_put(&self, hint: HintRow) -> Result<(), StoreError> {
        self.hints_change(vec![HintChange::Put(hint)]).await
    }

    /// Makes many changes in one commit: all of them or none.
    pub async fn hints_change(&self, mut changes: Vec<HintChange>) -> Result<(), StoreError> {
        // Two processes that change the same hints in the same order wait for each other instead of both being refused. Stable: about one
        // subject the order of the changes matters.
        changes.sort_by(|one, other| one.subject().cmp(&other.subject()));
        change!(self, change_all(changes))
    }

    /// All hints about an id, whoever owns it, also expired ones that have not been forgotten yet. By owner and scope.
    pub async fn hints_find(&self, kind: &str, id_key: &str) -> Result<Vec<HintRow>, StoreError> {
        let (kind, id_key) = (kind.to_owned(), id_key.to_owned());
        ask!(self, find(kind, id_key))?
            .into_iter()
            .map(HintRecord::read)
            .collect()
    }

    /// All hints about one owner's object, as in [`Store::hints_find`]. By scope.
    pub async fn hints_of(&self, kind: &str, id_key: &str, owner_key: &str) -> Result<Vec<HintRow>, StoreError> {
        let (kind, id_key, owner_key) = (kind.to_owned(), id_key.to_owned(), owner_key.to_owned());
        ask!(self, of(kind, id_key, owner_key))?
            .into_iter()
            .map(HintRecord::read)
            .collect()
    }

    /// Forgets all hints about one owner's object.
    pub async fn hints_drop(&self, kind: &str, id_key: &str, owner_key: &str) -> Result<(), StoreError> {
        let (kind, id_key, owner_key) = (kind.to_owned(), id_key.to_owned(), owner_key.to_owned());
        self.hints_change(vec![HintChange::Drop {
            kind,
            id_key,
            owner_key,
        }])
        .await
    }

    /// Forgets hints whose time is over and returns how many.
    pub async fn hints_forget_expired(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let now = micros(now);
        change!(self, forget_expired(now))
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = hints, treat_none_as_default_value = false)]
struct HintRecord {
    kind: String,
    id_key: String,
    owner_key: String,
    owner_country_code: String,
    owner_party_id: String,
    scope_key: String,
    scope_country_code: String,
    scope_party_id: String,
    seen_at: i64,
    expires_at: i64,
}

both! {
    pub(super) async fn change_all(c: &mut Connection, changes: &[HintChange]) -> Result<(), StoreError> {
        for change in changes {
            match change {
                HintChange::Put(row) => put(c, row, true).await?,
                HintChange::Add(row) => put(c, row, false).await?,
                HintChange::End { kind, id_key, owner_key, expires_at } => {
                    let end = micros(*expires_at);
                    let living = hints::table
                        .filter(hints::kind.eq(kind))
                        .filter(hints::id_key.eq(id_key))
                        .filter(hints::owner_key.eq(owner_key))
                        .filter(hints::expires_at.gt(end));
                    diesel::update(living).set(hints::expires_at.eq(end)).execute(c).await?;
                }
                HintChange::Drop { kind, id_key, owner_key } => {
                    let all = hints::table
                        .filter(hints::kind.eq(kind))
                        .filter(hints::id_key.eq(id_key))
                        .filter(hints::owner_key.eq(owner_key));
                    diesel::delete(all).execute(c).await?;
                }
            }
        }
        Ok(())
    }

    async fn put(c: &mut Connection, row: &HintRow, replace: bool) -> Result<(), StoreError> {
        let record = HintRecord::from(row);
        let upsert = diesel::insert_into(hints::table)
            .values(&record)
            .on_conflict((hints::kind, hints::id_key, hints::owner_key, hints::scope_key))
            .do_update()
            .set((
                hints::owner_country_code.eq(excluded(hints::owner_country_code)),
                hints::owner_party_id.eq(excluded(hints::owner_party_id)),
                hints::scope_country_code.eq(excluded(hints::scope_country_code)),
                hints::scope_party_id.eq(excluded(hints::scope_party_id)),
                hints::seen_at.eq(excluded(hints::seen_at)),
                hints::expires_at.eq(excluded(hints::expires_at)),
            ));
        if replace {
            methods::FilterDsl::filter(upsert, hints::seen_at.le(record.seen_at)).execute(c).await?;
        } else {
            methods::FilterDsl::filter(upsert, hints::expires_at.le(record.seen_at)).execute(c).await?;
        }
        Ok(())
    }

    pub(super) async fn find(c: &mut Connection, kind: &str, id_key: &str) -> Result<Vec<HintRecord>, StoreError> {
        let about = hints::table.filter(hints::kind.eq(kind)).filter(hints::id_key.eq(id_key));
        let sorted = about.order((hints::owner_key.asc(), hints::scope_key.asc()));
        Ok(sorted.select(HintRecord::as_select()).load(c).await?)
    }

    pub(super) async fn of(
        c: &mut Connection,
        kind: &str,
        id_key: &str,
        owner_key: &str,
    ) -> Result<Vec<HintRecord>, StoreError> {
        let about = hints::table.filter(hints::kind.eq(kind)).filter(hints::id_key.eq(id_key));
        let owned = about.filter(hints::owner_key.eq(owner_key)).order(hints::scope_key.asc());
        Ok(owned.select(HintRecord::as_select()).load(c).await?)
    }

    pub(super) async fn forget_expired(c: &mut Connection, now: &i64) -> Result<u64, StoreError> {
        let expired = hints::table.filter(hints::expires_at.le(*now));
        Ok(diesel::delete(expired).execute(c).await? as u64)
    }
}

impl From<&HintRow> for HintRecord {
    fn from(row: &HintRow) -> HintRecord {
        HintRecord {
            kind: row.kind.clone(),
            id_key: row.id_key.clone(),
            owner_key: row.owner_key.clone(),
            owner_country_code: row.owner_country_code.clone(),
            owner_party_id: row.owner_party_id.clone(),
            scope_key: row.scope_key.clone(),
            scope_country_code: row.scope_country_code.clone(),
            scope_party_id: row.scope_party_id.clone(),
            seen_at: micros(row.seen_at),
            expires_at: micros(row.expires_at),
        }
    }
}

impl HintRecord {
    fn read(self) -> Result<HintRow, StoreError> {
        Ok(HintRow {
            kind: self.kind,
            id_key: self.id_key,
            owner_key: self.owner_key,
            owner_country_code: self.owner_country_code,
            owner_party_id: self.owner_party_id,
            scope_key: self.scope_key,
            scope_country_code: self.scope_country_code,
            scope_party_id: self.scope_party_id,
            seen_at: instant(self.seen_at)?,
            expires_at: instant(self.expires_at)?,
        })
    }
}
