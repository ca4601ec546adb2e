//! Broadcasts on their way: one row each, from the commit of the object to the end of the last leg.
//!
//! The row is for the crash: who works on it holds a lease and renews it, row by row; when the lease ends, whoever looks next goes on. A row
//! that its own process has lost sight of is not renewed, so it holds up nobody for longer than a lease.

use chrono::{DateTime, Utc};

use diesel::{Insertable, Queryable, Selectable};

use super::schema::copies;
use super::value::{instant, micros};
use super::{Store, StoreError, ask, both, change};

/// A broadcast to write down with its object.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCopy {
    /// Client-made id (UUIDv7).
    pub id: String,
    /// The platform it came from.
    pub platform_id: String,
    /// The party it came from, as it is registered: `DE/ABC`.
    pub sender: String,
    /// In which role.
    pub sender_role: String,
    /// The OCPI version it came in.
    pub version: String,
    /// `PUT`, `PATCH`, `DELETE`, `POST`.
    pub method: String,
    /// What follows the interface's URL, encoded: every segment as it was received.
    pub tail: String,
    /// The query as it was received.
    pub query: Option<String>,
    /// The octets as they were received.
    pub body: Option<String>,
    /// `X-Correlation-ID`, the same on every leg.
    pub correlation_id: String,
    /// Who carries it.
    pub lease_owner: String,
    /// Until when nobody else will.
    pub lease_until: DateTime<Utc>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}

/// A broadcast somebody did not finish.
#[derive(Clone, PartialEq, Eq)]
pub struct CopyRow {
    /// What was written down.
    pub copy: NewCopy,
    /// The object's module.
    pub module: String,
    /// The object's owner as `DE/ABC`, upper case.
    pub owner_key: String,
    /// The object, as it is found by.
    pub object_key: String,
    /// The object's revision: the order of copies of one object.
    pub revision: i64,
}

impl Store {
    /// Every leg has ended.
    pub async fn copy_end(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        change!(self, end(id))
    }

    /// Keeps these of `owner`'s until `lease_until`. Returns those that are still there and `owner`'s: the others somebody took over, or
    /// they have ended. What is not named is not kept, whoever's it is.
    pub async fn copies_renew(
        &self,
        owner: &str,
        ids: Vec<String>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<String>, StoreError> {
        let (owner, until) = (owner.to_owned(), micros(lease_until));
        change!(self, renew(owner, ids, until))
    }

    /// Gives away everything `owner` has: whoever looks next takes it over.
    pub async fn copies_give_away(&self, owner: &str) -> Result<(), StoreError> {
        let owner = owner.to_owned();
        change!(self, give_away(owner))
    }

    /// Gives `owner` up to `limit` broadcasts whose lease has ended, whoever's it was, those of one object in the order of their
    /// revisions. Two processes never get the same one.
    pub async fn copies_take_over(
        &self,
        owner: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<CopyRow>, StoreError> {
        let (owner, now, until, rows) = (owner.to_owned(), micros(now), micros(lease_until), i64::from(limit));
        let taken = change!(self, take_over(owner, now, until, rows))?;
        taken.into_iter().map(CopyRecord::read).collect()
    }

    /// What is on its way of one object in any process, in the order of the revisions.
    pub async fn copies_of(&self, module: &str, owner_key: &str, object_key: &str) -> Result<Vec<CopyRow>, StoreError> {
        let (module, owner_key, object_key) = (module.to_owned(), owner_key.to_owned(), object_key.to_owned());
        let all = ask!(self, of_object(module, owner_key, object_key))?;
        all.into_iter().map(CopyRecord::read).collect()
    }

    /// Whether an earlier broadcast of the same object is still on its way in another process than `owner`.
    pub async fn copies_before(
        &self,
        module: &str,
        owner_key: &str,
        object_key: &str,
        revision: i64,
        owner: &str,
    ) -> Result<bool, StoreError> {
        let (module, owner_key, object_key) = (module.to_owned(), owner_key.to_owned(), object_key.to_owned());
        let owner = owner.to_owned();
        Ok(ask!(self, before(module, owner_key, object_key, revision, owner))? > 0)
    }

    /// How many broadcasts are on their way, in any process.
    pub async fn copies_count(&self) -> Result<u64, StoreError> {
        Ok(super::value::count(ask!(self, total())?))
    }
}

both! {
    /// Writes a copy down. Whether another process still carries an earlier one of its object.
    pub(in crate::store) async fn enter(c: &mut Connection, copy: &CopyRecord) -> Result<bool, StoreError> {
        let behind: i64 = copies::table
            .filter(copies::module.eq(&copy.module))
            .filter(copies::owner_key.eq(&copy.owner_key))
            .filter(copies::object_key.eq(&copy.object_key))
            .filter(copies::revision.lt(copy.revision))
            .filter(copies::lease_owner.ne(&copy.lease_owner))
            .count()
            .get_result(c)
            .await?;
        diesel::insert_into(copies::table).values(copy).execute(c).await?;
        Ok(behind > 0)
    }

    pub(super) async fn end(c: &mut Connection, id: &str) -> Result<(), StoreError> {
        diesel::delete(copies::table.filter(copies::id.eq(id))).execute(c).await?;
        Ok(())
    }

    pub(super) async fn renew(
        c: &mut Connection,
        owner: &str,
        ids: &Vec<String>,
        until: &i64,
    ) -> Result<Vec<String>, StoreError> {
        let own = copies::table.filter(copies::lease_owner.eq(owner)).filter(copies::id.eq_any(ids));
        diesel::update(own).set(copies::lease_until.eq(*until)).execute(c).await?;
        let own = copies::table.filter(copies::lease_owner.eq(owner)).filter(copies::id.eq_any(ids));
        Ok(own.select(copies::id).load(c).await?)
    }

    /// Nobody's, so that what follows in the same process waits for it too.
    pub(super) async fn give_away(c: &mut Connection, owner: &str) -> Result<(), StoreError> {
        let own = copies::table.filter(copies::lease_owner.eq(owner));
        let nobodys = (copies::lease_owner.eq(""), copies::lease_until.eq(0));
        diesel::update(own).set(nobodys).execute(c).await?;
        Ok(())
    }

    /// The condition is repeated in the update: of two processes that found the same row, the second changes nothing.
    pub(super) async fn take_over(
        c: &mut Connection,
        owner: &str,
        now: &i64,
        until: &i64,
        rows: &i64,
    ) -> Result<Vec<CopyRecord>, StoreError> {
        let left = copies::table
            .filter(copies::lease_until.le(*now))
            .order((
                copies::module.asc(),
                copies::owner_key.asc(),
                copies::object_key.asc(),
                // Not by id: ids are made before the commit that decides who is first.
                copies::revision.asc(),
            ))
            .limit(*rows)
            .select(CopyRecord::as_select());
        let left: Vec<CopyRecord> = left.load(c).await?;
        let mut taken = Vec::new();
        for one in left {
            let still = copies::table
                .filter(copies::id.eq(&one.id))
                .filter(copies::lease_owner.eq(&one.lease_owner))
                .filter(copies::lease_until.eq(one.lease_until));
            let ours = (copies::lease_owner.eq(owner), copies::lease_until.eq(*until));
            if diesel::update(still).set(ours).execute(c).await? == 1 {
                taken.push(one);
            }
        }
        Ok(taken)
    }

    pub(super) async fn of_object(
        c: &mut Connection,
        module: &str,
        owner_key: &str,
        object_key: &str,
    ) -> Result<Vec<CopyRecord>, StoreError> {
        let of_object = copies::table
            .filter(copies::module.eq(module))
            .filter(copies::owner_key.eq(owner_key))
            .filter(copies::object_key.eq(object_key))
            .order(copies::revision.asc());
        Ok(of_object.select(CopyRecord::as_select()).load(c).await?)
    }

    pub(super) async fn before(
        c: &mut Connection,
        module: &str,
        owner_key: &str,
        object_key: &str,
        revision: &i64,
        owner: &str,
    ) -> Result<i64, StoreError> {
        let earlier = copies::table
            .filter(copies::module.eq(module))
            .filter(copies::owner_key.eq(owner_key))
            .filter(copies::object_key.eq(object_key))
            .filter(copies::revision.lt(*revision))
            .filter(copies::lease_owner.ne(owner));
        Ok(earlier.count().get_result(c).await?)
    }

    pub(super) async fn total(c: &mut Connection) -> Result<i64, StoreError> {
        Ok(copies::table.count().get_result(c).await?)
    }
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = copies, treat_none_as_default_value = false)]
pub(in crate::store) struct CopyRecord {
    id: String,
    pub(in crate::store) module: String,
    pub(in crate::store) owner_key: String,
    pub(in crate::store) object_key: String,
    pub(in crate::store) revision: i64,
    platform_id: String,
    sender: String,
    sender_role: String,
    version: String,
    method: String,
    tail: String,
    query: Option<String>,
    body: Option<String>,
    correlation_id: String,
    pub(in crate::store) lease_owner: String,
    lease_until: i64,
    created_at: i64,
}

impl CopyRecord {
    pub(in crate::store) fn of(
        copy: NewCopy,
        module: &str,
        owner_key: &str,
        object_key: &str,
        revision: i64,
    ) -> CopyRecord {
        CopyRecord {
            id: copy.id,
            module: module.to_owned(),
            owner_key: owner_key.to_owned(),
            object_key: object_key.to_owned(),
            revision,
            platform_id: copy.platform_id,
            sender: copy.sender,
            sender_role: copy.sender_role,
            version: copy.version,
            method: copy.method,
            tail: copy.tail,
            query: copy.query,
            body: copy.body,
            correlation_id: copy.correlation_id,
            lease_owner: copy.lease_owner,
            lease_until: micros(copy.lease_until),
            created_at: micros(copy.created_at),
        }
    }

    fn read(self) -> Result<CopyRow, StoreError> {
        Ok(CopyRow {
            module: self.module,
            owner_key: self.owner_key,
            object_key: self.object_key,
            revision: self.revision,
            copy: NewCopy {
                id: self.id,
                platform_id: self.platform_id,
                sender: self.sender,
                sender_role: self.sender_role,
                version: self.version,
                method: self.method,
                tail: self.tail,
                query: self.query,
                body: self.body,
                correlation_id: self.correlation_id,
                lease_owner: self.lease_owner,
                lease_until: instant(self.lease_until)?,
                created_at: instant(self.created_at)?,
            },
        })
    }
}

// By hand: bodies hold driver data, and so may tail and query.
impl std::fmt::Debug for NewCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewCopy({} {} of {})", self.id, self.method, self.sender)
    }
}

impl std::fmt::Debug for CopyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "CopyRow({} {} revision {})",
            self.copy.id, self.module, self.revision
        )
    }
}
